"""What is known exactly of the two-dimensional Ising model, with the energy per spin in units of J.

Sources: L. Onsager, Phys. Rev. 65, 117 (1944), for the infinite lattice; B. Kaufman, Phys. Rev. 76, 1232 (1949), for a
finite one whose borders are joined.
"""

import math

#: The temperature at which the infinite lattice orders, in units of J/k.
CRITICAL = 2 / math.log(1 + math.sqrt(2))


def onsager(temperature: float) -> float:
    """The energy of the infinite lattice."""
    coupling = 1 / temperature
    modulus = 2 * math.sinh(2 * coupling) / math.cosh(2 * coupling) ** 2
    # At the critical temperature the integral is infinite, and the factor before it is zero.
    other = 2 * math.tanh(2 * coupling) ** 2 - 1
    bracket = 1.0 if abs(other) < 1e-9 else 1 + 2 / math.pi * other * _elliptic(modulus)
    return -bracket / math.tanh(2 * coupling)


def _elliptic(modulus: float) -> float:
    """The complete elliptic integral of the first kind, by the arithmetic-geometric mean."""
    a, b = 1.0, math.sqrt(1 - modulus * modulus)
    while abs(a - b) > 1e-15 * a:
        a, b = (a + b) / 2, math.sqrt(a * b)
    return math.pi / (2 * a)


def kaufman(temperature: float, size: int) -> float:
    """The energy of a square lattice of `size` by `size` spins whose borders are joined."""
    coupling, step = 1 / temperature, 1e-4
    above, below = _log_sum(coupling + step, size), _log_sum(coupling - step, size)
    return -(above - below) / (2 * step) / size**2


def _log_sum(coupling: float, size: int) -> float:
    """The logarithm of the sum over states."""
    ratio = math.cosh(2 * coupling) ** 2 / math.sinh(2 * coupling)
    gammas = [math.acosh(ratio - math.cos(math.pi * number / size)) for number in range(2 * size)]
    gammas[0] = 2 * coupling + math.log(math.tanh(coupling))  # this one may be negative
    terms: list[tuple[float, float]] = []  # each one's sign and logarithm
    for first in (1, 0):
        halves = [size * gamma / 2 for gamma in gammas[first::2]]
        terms.append((1.0, sum(abs(half) + math.log1p(math.exp(-2 * abs(half))) for half in halves)))
        if all(halves):
            sign = math.prod(math.copysign(1.0, half) for half in halves)
            terms.append((sign, sum(abs(half) + math.log1p(-math.exp(-2 * abs(half))) for half in halves)))
    largest = max(logarithm for _, logarithm in terms)
    total = sum(sign * math.exp(logarithm - largest) for sign, logarithm in terms)
    return size**2 / 2 * math.log(2 * math.sinh(2 * coupling)) + largest + math.log(total / 2)
