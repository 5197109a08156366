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


def test_count_nonzero_of_an_expanded_tensor_counts_each_place():
    x = rt.tensor([[0.0], [2.0]]).expand(3, 2, 1 << 40)
    assert rt.count_nonzero(x).item() == 3 << 40
    assert rt.count_nonzero(rt.ones(2, 1).expand(2, 3), 1).tolist() == [3, 3]


def test_histc_counts_every_element_of_many():
    x = rt.arange(200_000, dtype=rt.float32) % 7
    assert rt.histc(x, 7, min=0, max=7).tolist() == np.bincount(np.arange(200_000) % 7).tolist()


@pytest.mark.oracle
@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.ones(2, 3).index_select(1, m.tensor([-1])),
        lambda m: m.ones(2, 3).index_select(0, m.tensor([5])),
        lambda m: m.ones(3).index_select(0, m.tensor([-1])),
        lambda m: m.ones(2, 3, 4).index_select(1, m.tensor([3])),
        lambda m: m.nn.functional.pad(m.ones(2), (2**62, 2**62)),
        lambda m: m.nn.functional.interpolate(m.ones(1, 1, 2, 2), size=2.5),
        lambda m: m.nn.functional.interpolate(m.ones(1, 1, 2, 2), size=(2.5, 2)),
        lambda m: m.randint(0, 2**64, (2,)),
        lambda m: m.nn.functional.embedding(m.tensor([0]), m.zeros(0, 3)),
        lambda m: m.norm(m.ones(3).to(m.float8_e4m3fn), dtype=m.float32),
        lambda m: m.norm(m.ones(3).to(m.float8_e4m3fn), dtype=m.float8_e4m3fn),
        lambda m: m.norm(m.ones(3), dtype=m.float8_e5m2),
    ],
)
def test_errors_of_bad_arguments_have_the_type_of_pytorch(call):
    torch = pytest.importorskip("torch")
    raised = []
    for module in (rt, torch):
        with pytest.raises(Exception) as error:  # noqa: PT011 - the two are compared
            call(module)
        raised.append(error.type)
    assert raised[0] is raised[1]


def test_functions_of_lists_in_place_return_the_list():
    tensors = [rt.ones(2), rt.ones(3)]
    assert rt._foreach_mul_(tensors, 2) is tensors
    assert rt.ops.aten._foreach_mul_(tensors, 2) is None
    assert tensors[0].tolist() == [4, 4]


def test_lists_longer_than_memory_are_refused_at_once():
    with pytest.raises(MemoryError):
        rt.zeros(1).expand(2**62).tolist()
