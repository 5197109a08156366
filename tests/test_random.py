"""Random tensors: reproducible from a seed, and distributed as they say."""

import math

import pytest

import runtime as rt


def test_a_seed_gives_the_same_numbers_again():
    rt.manual_seed(3)
    a = [rt.rand(5).tolist(), rt.randn(5).tolist(), rt.randint(0, 100, (5,)).tolist(), rt.randperm(9).tolist()]
    rt.manual_seed(3)
    assert a == [rt.rand(5).tolist(), rt.randn(5).tolist(), rt.randint(0, 100, (5,)).tolist(), rt.randperm(9).tolist()]


def test_uniform_numbers_fill_the_unit_interval_evenly():
    rt.manual_seed(0)
    x = rt.rand(200_000)
    assert 0 <= x.min().item() and x.max().item() < 1
    assert abs(x.mean().item() - 0.5) < 0.004
    low = sum(v < 0.25 for v in x.tolist()) / 200_000
    assert abs(low - 0.25) < 0.005


def test_normal_numbers_have_their_moments():
    rt.manual_seed(0)
    values = rt.randn(200_000).tolist()
    mean = math.fsum(values) / len(values)
    variance = math.fsum(v * v for v in values) / len(values) - mean * mean
    assert abs(mean) < 0.012 and abs(variance - 1) < 0.02
    assert abs(sum(abs(v) < 1 for v in values) / len(values) - 0.6827) < 0.006


def test_randint_reaches_both_ends_and_no_further():
    rt.manual_seed(0)
    assert set(rt.randint(-2, 3, (1000,)).tolist()) == {-2, -1, 0, 1, 2}
    with pytest.raises(RuntimeError, match="'from' to be less than 'to'"):
        rt.randint(3, 3, (2,))


def test_randperm_is_a_permutation():
    rt.manual_seed(0)
    assert sorted(rt.randperm(100).tolist()) == list(range(100))


def test_bernoulli_draws_with_its_probability():
    rt.manual_seed(0)
    x = rt.zeros(100_000).bernoulli_(0.3)
    assert abs(x.mean().item() - 0.3) < 0.01
