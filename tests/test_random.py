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


def test_out_arguments_agree_with_the_options_of_a_factory():
    out = rt.empty(2)
    assert rt.randn((2,), out=out, dtype=rt.float32, device="cpu") is out
    with pytest.raises(RuntimeError, match=r"dtype Double does not match dtype of out parameter \(Float\)"):
        rt.zeros((2,), out=out, dtype=rt.float64)


N = 100_000


def _moments(x):
    x = x.double()
    mean = x.mean().item()
    return mean, ((x - mean) ** 2).mean().item()


@pytest.mark.parametrize(
    ("draw", "mean", "variance"),
    [
        (lambda: rt.empty(N).exponential_(2.0), 0.5, 0.25),
        (lambda: rt.empty(N).geometric_(0.25), 4, 12),
        (lambda: rt.empty(N).log_normal_(0.0, 0.5), math.exp(0.125), (math.exp(0.25) - 1) * math.exp(0.25)),
        (lambda: rt.poisson(rt.full((N,), 3.0)), 3, 3),
        (lambda: rt.poisson(rt.full((N,), 200.0)), 200, 200),
        (lambda: rt.binomial(rt.full((N,), 12.0), rt.full((N,), 0.3)), 3.6, 2.52),
        (lambda: rt.binomial(rt.full((N,), 1000.0), rt.full((N,), 0.7)), 700, 210),
        (lambda: rt._standard_gamma(rt.full((N,), 0.4)), 0.4, 0.4),
        (lambda: rt._standard_gamma(rt.full((N,), 7.0)), 7, 7),
        (lambda: rt._sample_dirichlet(rt.tensor([1.0, 2.0, 5.0]).expand(N, 3))[:, 1], 0.25, 0.25 * 0.75 / 9),
        (lambda: rt.normal(rt.full((N,), -2.0), 3.0), -2, 9),
        (lambda: rt.normal(5.0, rt.full((N,), 2.0)), 5, 4),
        (lambda: rt.normal(rt.full((N,), 1.0), rt.full((N,), 0.5)), 1, 0.25),
        (lambda: rt.normal(1.0, 2.0, (N,)), 1, 4),
        (lambda: rt.bernoulli(rt.full((N,), 0.2)), 0.2, 0.16),
        (lambda: rt.dropout(rt.ones(N), 0.25, True), 1, 1 / 3),
    ],
)
def test_distributions_have_their_moments(draw, mean, variance):
    rt.manual_seed(1)
    found_mean, found_variance = _moments(draw())
    assert abs(found_mean - mean) < 5 * math.sqrt(variance / N)
    assert abs(found_variance / variance - 1) < 0.06


def test_cauchy_numbers_have_their_quartiles():
    rt.manual_seed(0)
    x = sorted(rt.empty(N).cauchy_(1.0, 2.0).tolist())
    assert abs(x[N // 2] - 1) < 0.05 and abs(x[N // 4] + 1) < 0.08 and abs(x[3 * N // 4] - 3) < 0.08


def test_poisson_counts_have_their_probabilities():
    rt.manual_seed(0)
    for rate in (2.5, 15.0):
        counts = [0] * 60
        for k in rt.poisson(rt.full((N,), rate)).tolist():
            counts[int(k)] += 1
        expected = [N * math.exp(k * math.log(rate) - rate - math.lgamma(k + 1)) for k in range(60)]
        chi2 = sum((c - e) ** 2 / e for c, e in zip(counts, expected) if e > 20)
        assert chi2 < 60


def test_multinomial_draws_by_weight():
    rt.manual_seed(0)
    weights = rt.tensor([[1.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
    drawn = rt.multinomial(weights, N, replacement=True)
    assert abs((drawn[0] == 2).double().mean().item() - 0.75) < 0.01
    assert set(drawn[0].tolist()) == {0, 2} and set(drawn[1].tolist()) == {1}
    first = [rt.multinomial(rt.tensor([1.0, 3.0, 6.0]), 3).tolist() for _ in range(2000)]
    assert all(sorted(f) == [0, 1, 2] for f in first)
    assert abs(sum(f[0] == 2 for f in first) / 2000 - 0.6) < 0.05
    assert abs(sum(f[:2] == [2, 1] for f in first) / 2000 - 0.6 * 0.75) < 0.05


def test_samplers_end_for_parameters_that_are_no_numbers():
    odd = rt.tensor([math.nan, math.inf, -1.0, 0.0])
    assert rt._standard_gamma(odd).shape == (4,)
    assert rt.binomial(odd, rt.full((4,), 0.5)).shape == (4,)
    assert rt.binomial(rt.full((4,), 50.0), odd).shape == (4,)
    assert rt.poisson(rt.tensor([math.inf, 0.0, 1e30])).tolist()[:2] == [math.inf, 0.0]


@pytest.mark.parametrize("name", ["uniform_", "normal_", "bernoulli_", "random_", "exponential_", "log_normal_", "cauchy_"])
def test_random_numbers_are_not_drawn_for_elements_that_share_memory(name):
    expanded = rt.zeros(3).expand(2, 3)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        getattr(expanded, name)()
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        expanded[:] = 3.0
