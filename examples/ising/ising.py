#!/usr/bin/env python3
"""The energy of the two-dimensional Ising model, by Monte Carlo. Standard library only.

Usage: ising.py PARAMETERS RESULT

PARAMETERS is a JSON object: `temperature` (in units of J/k), `size` (of the square lattice, even; its borders are
joined), `sweeps`, `warm_up` (sweeps that are thrown away) and `seed`. RESULT is written as a JSON object: `energy`, the
mean energy per spin in units of J, and `error`, its standard error.

All spins of the lattice are the bits of one integer, so that one operation of Python's works on all of them (multi-spin
coding). A spin flips by Metropolis' rule, those of one colour of the chessboard at a time: they do not touch.
"""

import json
import math
import random
import sys

#: How many binary places a probability is kept to.
PLACES = 24
#: The measurements are averaged in so many bins, whose scatter gives the error: bins are nearly independent.
BINS = 40


class Lattice:
    """A lattice of spins at one temperature."""

    def __init__(self, size: int, temperature: float, seed: int) -> None:
        self.size = size
        self.spins = 0
        self.random = random.Random(seed)
        self.count = size * size
        self.all = (1 << self.count) - 1
        self.last_column = sum(1 << (size * row + size - 1) for row in range(size))
        self.first_column = self.last_column >> (size - 1)
        black = sum(1 << (size * row + column) for row in range(size) for column in range(row % 2, size, 2))
        self.colours = (black, self.all ^ black)
        # The probability to flip a spin that agrees with all but one of its neighbours, digit by binary digit.
        scaled = round(math.exp(-4 / temperature) * 2**PLACES)
        self.digits = [scaled >> place & 1 for place in range(PLACES)]

    def right(self) -> int:
        """Each spin's neighbour on the right, in the spin's own place."""
        return (self.spins & ~self.first_column) >> 1 | (self.spins & self.first_column) << (self.size - 1)

    def left(self) -> int:
        """Each spin's neighbour on the left."""
        return (self.spins & ~self.last_column) << 1 | (self.spins & self.last_column) >> (self.size - 1)

    def below(self) -> int:
        """Each spin's neighbour in the next row."""
        return self.spins >> self.size | self.spins << (self.count - self.size) & self.all

    def above(self) -> int:
        """Each spin's neighbour in the row before."""
        return self.spins << self.size & self.all | self.spins >> (self.count - self.size)

    def chances(self) -> int:
        """A bit for each spin, each 1 with the probability whose digits are kept."""
        draw, count, chances = self.random.getrandbits, self.count, 0
        for digit in self.digits:
            chances = draw(count) | chances if digit else draw(count) & chances
        return chances

    def sweep(self) -> None:
        """Give every spin the chance to flip once."""
        for colour in self.colours:
            a, b = self.spins ^ self.right(), self.spins ^ self.left()
            c, d = self.spins ^ self.above(), self.spins ^ self.below()
            # Two or more neighbours disagree: the energy does not rise. One: it rises by 4 J. None: by 8 J.
            two = a & b | c & d | (a | b) & (c | d)
            one = a | b | c | d
            chances = self.chances()
            self.spins ^= (two | chances & (one | self.chances())) & colour

    def energy(self) -> float:
        """The energy per spin: -1 for each pair of neighbours that agree, +1 for each that do not."""
        unlike = (self.spins ^ self.right()).bit_count() + (self.spins ^ self.below()).bit_count()
        return 2 * unlike / self.count - 2


def main(parameters_path: str, result_path: str) -> None:
    """Read the parameters, compute, write the result."""
    with open(parameters_path) as file:
        parameters = json.load(file)
    lattice = Lattice(parameters["size"], parameters["temperature"], parameters["seed"])
    for _ in range(parameters["warm_up"]):
        lattice.sweep()
    bins = []
    length = parameters["sweeps"] // BINS
    for number in range(BINS):
        total = 0.0
        for _ in range(length):
            lattice.sweep()
            total += lattice.energy()
        bins.append(total / length)
        print(f"bin {number + 1} of {BINS}: energy {bins[-1]:.5f}", flush=True)
    mean = math.fsum(bins) / BINS
    error = math.sqrt(math.fsum((value - mean) ** 2 for value in bins) / (BINS * (BINS - 1)))
    with open(result_path, "w") as file:
        json.dump({**parameters, "energy": mean, "error": error}, file, indent=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
