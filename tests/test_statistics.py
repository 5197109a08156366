"""Variances, norms and softmax where the database of samples does not reach: large tensors, extreme values, all layouts."""

import numpy as np
import pytest

import runtime as rt


@pytest.mark.parametrize("shape", [(300_000,), (3, 100_000), (100_000, 3), (50, 60, 70)])
def test_variances_of_large_tensors_are_those_of_doubles(shape):
    x = (np.random.default_rng(0).normal(size=shape) + 1000).astype("float32")
    t = rt.from_numpy(x)
    wide = x.astype("float64")
    for dim in (None, *range(len(shape)), *([(0, 2)] if len(shape) == 3 else [])):
        var, mean = rt.var_mean(t, dim)
        np.testing.assert_allclose(var.numpy(), wide.var(dim, ddof=1), rtol=2e-5)
        np.testing.assert_allclose(mean.numpy(), wide.mean(dim), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_deviations_survive_squares_that_floats_do_not_hold(scale):
    x = (np.random.default_rng(0).normal(size=(100, 5)) * scale).astype("float32")
    for dim in (0, 1):
        np.testing.assert_allclose(rt.std(rt.from_numpy(x), dim).numpy(), x.astype("float64").std(dim, ddof=1), rtol=1e-5)


def test_a_complex_variance_is_that_of_its_parts_together():
    rng = np.random.default_rng(0)
    z = (rng.normal(size=(200, 300)) + 1j * rng.normal(size=(200, 300))).astype("complex64")
    for dim in (None, 0, 1):
        np.testing.assert_allclose(rt.var(rt.from_numpy(z), dim).numpy(), z.astype("complex128").var(dim, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 5), (200, 3, 130), (3, 70_000)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_is_that_of_doubles_along_every_dimension(shape, dtype):
    x = (np.random.default_rng(0).normal(size=shape) * 10).astype(dtype)
    for dim in range(len(shape)):
        wide = x.astype("float64") - x.max(dim, keepdims=True)
        log = wide - np.log(np.exp(wide).sum(dim, keepdims=True))
        for t in (rt.from_numpy(x), rt.from_numpy(np.asfortranarray(x))):
            np.testing.assert_allclose(rt.softmax(t, dim).numpy(), np.exp(log), rtol=1e-5, atol=1e-30)
            np.testing.assert_allclose(rt.log_softmax(t, dim).numpy(), log, rtol=1e-5, atol=1e-6)


def test_softmax_of_nothing_but_minus_infinity_is_nan():
    x = rt.full((2, 3), -float("inf"))
    assert all(v != v for v in rt.softmax(x, 1).flatten().tolist())
    assert rt.ops.aten._safe_softmax.default(x, 1).flatten().tolist() == [0.0] * 6


def test_sums_of_powers_read_every_layout():
    x = np.random.default_rng(0).normal(size=(40, 30, 50)).astype("float32")
    for dim in (None, 0, 1, 2, (0, 2)):
        for ord in (1, 2, 3):
            expected = (np.abs(x.astype("float64")) ** ord).sum(dim) ** (1 / ord)
            for t in (rt.from_numpy(x), rt.from_numpy(np.asfortranarray(x))):
                np.testing.assert_allclose(rt.linalg.vector_norm(t, ord, dim).numpy(), expected, rtol=1e-5)


def test_a_bool_is_no_dimension():
    x = rt.ones(2, 3)
    assert rt.var(x, True).shape == ()
    with pytest.raises(TypeError, match="must be int, not bool"):
        rt.cumsum(x, True)
