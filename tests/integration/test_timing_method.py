"""The statistic of the oracle test itself: it must see a leak and must not see noise."""

import random

from support.timing import difference


def times(rng, count, shift_s=0.0):
    """Shaped like refusals: a fixed delay, timer granularity, a tail of scheduling."""
    return [0.3 + rng.gauss(0, 0.0004) + rng.expovariate(1 / 0.0005)
            + (rng.random() < 0.03) * rng.uniform(0, 0.05) + shift_s for _ in range(count)]


def test_noise_is_no_leak():
    rng = random.Random(1)
    for _ in range(50):
        assert not difference(times(rng, 150), times(rng, 150)).is_leak


def test_a_millisecond_is_a_leak():
    rng = random.Random(2)
    for _ in range(50):
        assert difference(times(rng, 150, 0.001), times(rng, 150)).is_leak


def test_equal_values_are_no_leak():
    assert not difference([0.3] * 100, [0.3] * 100).is_leak
