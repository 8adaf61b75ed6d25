"""Parameter sweeps: many jobs of one document, each made when it is wanted, by its number."""

from .expansion import Expansion, Options, listed
from .plan import Axis, Chain, Plan, Product, Range, Value, Zip, probes

__all__ = [
    "Axis",
    "Chain",
    "Expansion",
    "Options",
    "Plan",
    "Product",
    "Range",
    "Value",
    "Zip",
    "listed",
    "probes",
]
