"""Tells two distributions of times apart, without assuming a shape.

Two statistics, since leaks come in two shapes. A code path that always takes longer moves the
fastest answers, which a busy machine disturbs least: the lower quintiles are compared, and shuffled
labels tell how far apart chance would put them. A path that takes longer only now and then moves
ranks anywhere: Mann and Whitney's U. `is_leak` says yes only when one of them is clearly above
noise and the shift is one that could be measured from outside at all.
"""

import math
import random
from dataclasses import dataclass

CHANCE = 4.0         # standard deviations: by chance once in 16,000 comparisons
SHIFT_S = 0.000_15   # 150 µs: half of what a loopback round trip through a thread pool varies by
LOW = 0.2
SHUFFLES = 200


@dataclass
class Difference:
    shift_s: float       # of the lower quintiles
    low: float           # that shift in standard deviations of chance
    ranks: float         # of the rank sums, the same

    @property
    def is_leak(self):
        return max(abs(self.low), abs(self.ranks)) > CHANCE and abs(self.shift_s) > SHIFT_S

    def __str__(self):
        return f"{self.shift_s * 1e6:+.0f} µs, {self.low:+.1f} and {self.ranks:+.1f} deviations"


def _quintile(values):
    return sorted(values)[int(len(values) * LOW)]


def _low_deviations(one, other, shift):
    rng = random.Random(0)
    both = [*one, *other]
    shifts = []
    for _ in range(SHUFFLES):
        rng.shuffle(both)
        shifts.append(_quintile(both[: len(one)]) - _quintile(both[len(one):]))
    spread = math.sqrt(sum(s * s for s in shifts) / len(shifts))
    return shift / spread if spread else 0.0


def _rank_deviations(one, other):
    ranked = sorted([(v, 0) for v in one] + [(v, 1) for v in other])
    total, ties, at = 0.0, 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        total += (at + end + 1) / 2 * sum(1 for _, which in ranked[at:end] if which == 0)
        ties += (end - at) ** 3 - (end - at)
        at = end
    n, m = len(one), len(other)
    u = total - n * (n + 1) / 2
    spread = math.sqrt(n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1))))
    return (u - n * m / 2) / spread if spread else 0.0


def difference(one, other):
    """Of two lists of seconds."""
    shift = _quintile(one) - _quintile(other)
    return Difference(shift, _low_deviations(one, other, shift), _rank_deviations(one, other))
