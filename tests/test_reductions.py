"""Reductions: sums, products, extreme values, truth, scans."""

import math

import pytest

import runtime as rt

RTOL = {"float32": 1e-4, "complex64": 1e-4, "float16": 5e-3}


def inputs(oracle, dtype):
    x = oracle.random_tensor((4, 5, 6), dtype)
    yield x
    yield x.permute(2, 0, 1)
    yield x[::2, 1:]
    yield oracle.random_tensor((), dtype)
    yield oracle.random_tensor((0, 3), dtype)
    yield oracle.random_tensor((40, 300), dtype)
    yield oracle.random_tensor((40, 300), dtype).t()


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "int64", "int32", "uint8", "bool"])
def test_reductions_agree_with_torch(dtype):
    oracle = pytest.importorskip("oracle")
    rtol = RTOL.get(dtype, 1e-10)
    for x in inputs(oracle, dtype):
        for dim in ((), (0,), (-1,), (0, 1), (1, 0), (3,), (0, 0)):
            for keepdim in (False, True):
                oracle.compare("sum.dim_IntList", x, dim, keepdim, rtol=rtol)
                oracle.compare("mean.dim", x, dim, keepdim, rtol=rtol)
                if x.numel():
                    oracle.compare("amax", x, dim, keepdim)
                    oracle.compare("amin", x, dim, keepdim)
        for dim in (0, -1, 3):
            oracle.compare("argmax", x, dim)
            oracle.compare("argmin", x, dim)
            oracle.compare("max.dim", x, dim)
            oracle.compare("min.dim", x, dim, True)
            oracle.compare("any.dim", x, dim)
            oracle.compare("all.dim", x, dim, True)
            oracle.compare("cumsum", x, dim, rtol=10 * rtol)
            if x.numel() < 1000:
                oracle.compare("prod.dim_int", x, dim, rtol=10 * rtol)
                oracle.compare("cumprod", x, dim, rtol=10 * rtol)
        oracle.compare("sum", x, rtol=10 * rtol)
        oracle.compare("any", x)
        oracle.compare("all", x)
        oracle.compare("max", x, meta=False)
        oracle.compare("argmax", x)
        oracle.compare("nonzero", x, meta=False)


@pytest.mark.parametrize("n", [5, 33, 1000, 100_001])
def test_a_nan_is_the_extreme_value_wherever_it_stands(n):
    for at in (0, n // 2, n - 1):
        x = rt.arange(float(n))
        x[at] = math.nan
        assert math.isnan(x.max().item()) and math.isnan(x.amin(0).item())
        assert x.argmax().item() == at and x.min(0)[1].item() == at


def test_long_sums_of_floats_stay_accurate():
    x = rt.full((1_000_003,), 0.1)
    exact = 1_000_003 * x[0].item()
    assert abs(x.sum().item() - exact) < 4e-7 * exact
    rows = rt.full((100_003, 3), 0.1)
    exact = 100_003 * x[0].item()
    assert all(abs(v - exact) < 4e-7 * exact for v in rows.sum(0).tolist())


def test_integers_sum_as_int64():
    assert rt.full((300,), 100, dtype=rt.uint8).sum().item() == 30_000
    assert rt.ones(3, dtype=rt.bool).sum().dtype is rt.int64


@pytest.mark.filterwarnings("ignore:An output with one or more elements")
@pytest.mark.parametrize("shape", [(1, 4, 0), (2, 3), (3, 1, 2)])
def test_an_output_that_is_the_input_may_be_resized(shape):
    x = rt.ones(shape).to(rt.int32)
    want = x.prod(1)
    result = rt.ops.aten.prod.int_out(x, 1, False, out=x)
    assert result is x and x.shape == want.shape and x.dtype == rt.int32
