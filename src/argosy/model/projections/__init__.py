"""The service's states in other vocabularies: a table for each, and nothing else."""

from argosy.model.errors import InvalidInput

from ..choices import listed
from .arc_rest import ARC_REST
from .bes import BES
from .contract import Case, Facts, InformationModel, Projected, Table
from .drmaa2 import DRMAA2
from .emi_es import EMI_ES
from .ges import GES
from .glue2 import GLUE2
from .psi_j import PSI_J, PSIJ, psij
from .rimrock_words import RIMROCK, rimrock

#: By name, the default first.
MODELS: dict[str, InformationModel] = {
    model.name: model for model in (GES, BES, GLUE2, PSI_J, EMI_ES, ARC_REST, DRMAA2)
}


def information_model(name: str) -> InformationModel:
    """The model of this name. Raises InvalidInput naming those that there are."""
    found = MODELS.get(name.lower())
    if found is None:
        raise InvalidInput(
            f"there is no information model {name!r}; there are {listed(MODELS, name)}",
            element="model",
        )
    return found


__all__ = [
    "ARC_REST",
    "BES",
    "DRMAA2",
    "EMI_ES",
    "GES",
    "GLUE2",
    "MODELS",
    "PSIJ",
    "PSI_J",
    "RIMROCK",
    "Case",
    "Facts",
    "InformationModel",
    "Projected",
    "Table",
    "information_model",
    "psij",
    "rimrock",
]
