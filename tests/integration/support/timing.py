"""Tells two distributions of times apart, without assuming a shape: Mann and Whitney's U.

A leak shifts one kind of refusal against another. `difference` gives the shift of the medians and
how many standard deviations of chance lie behind the rank sums; `is_leak` says yes only when both
are clearly above noise, so that a busy machine fails no test and a leak fails each.
"""

import math
import statistics
from dataclasses import dataclass

CHANCE = 4.0         # standard deviations: by chance once in 16,000 comparisons
SHIFT_S = 0.000_15   # 150 µs: half of what a loopback round trip through a thread pool varies by


@dataclass
class Difference:
    shift_s: float
    deviations: float

    @property
    def is_leak(self):
        return abs(self.deviations) > CHANCE and abs(self.shift_s) > SHIFT_S

    def __str__(self):
        return f"{self.shift_s * 1e6:+.0f} µs, {self.deviations:+.1f} deviations"


def difference(one, other):
    """Of two lists of seconds."""
    ranked = sorted([(v, 0) for v in one] + [(v, 1) for v in other])
    ranks = {}
    total, ties, at = 0.0, 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        rank = (at + end + 1) / 2
        ranks[ranked[at][0]] = rank
        total += rank * sum(1 for _, which in ranked[at:end] if which == 0)
        ties += (end - at) ** 3 - (end - at)
        at = end
    n, m = len(one), len(other)
    u = total - n * (n + 1) / 2
    spread = math.sqrt(n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1))))
    deviations = (u - n * m / 2) / spread if spread else 0.0
    return Difference(statistics.median(one) - statistics.median(other), deviations)
