"""Special functions, activations, complex numbers and shifts: what the operator database does not ask."""

import math
import subprocess
import sys

import numpy as np
import pytest

import runtime as rt
import runtime.special
from runtime.nn import functional as F

aten = rt.ops.aten
INF, NAN = math.inf, math.nan


def of(values, dtype=rt.float32):
    return rt.tensor(values, dtype=dtype)


# ---- vector code in float32 against the same operators in float64

ACCURATE = {
    "erfc": (rt.erfc, -9, 9),
    "erfinv": (rt.erfinv, -0.99999, 0.99999),
    "log": (lambda x: rt.xlogy(1, x), 1e-6, 1e6),
    "entr": (runtime.special.entr, 1.5, 1e6),
    "logaddexp": (lambda x: rt.logaddexp(x, rt.zeros_like(x)), -30, 30),
    "gelu": (F.gelu, 0, 20),
    "silu": (F.silu, -20, 20),
    "mish": (F.mish, -20, 20),
    "softplus": (F.softplus, -20, 30),
    "elu": (F.elu, -20, 2),
    "logsigmoid": (F.logsigmoid, -30, 15),
    "polygamma": (lambda x: rt.polygamma(2, x), 0.1, 50),
    "zeta": (lambda x: runtime.special.zeta(2.5, x), 0.1, 50),
}


@pytest.mark.parametrize("name", ACCURATE)
def test_float32_is_within_a_few_units_of_float64(name):
    function, low, high = ACCURATE[name]
    x = np.linspace(low, high, 20011, dtype=np.float32)
    got = function(rt.from_numpy(x.copy())).numpy().astype(np.float64)
    want = function(rt.from_numpy(x.astype(np.float64))).numpy()
    assert np.abs(got - want).max(where=np.abs(want) > 1e-30, initial=0) <= 8 * np.spacing(np.abs(want).max().astype(np.float32))
    assert (np.abs(got - want) <= 8 * np.spacing(np.maximum(np.abs(want), 1e-30).astype(np.float32))).all()


EDGES = [
    ("erfc", rt.erfc, [-INF, INF, NAN], [2, 0, NAN]),
    ("erfinv", rt.erfinv, [-1, 1, 2, NAN, 0], [-INF, INF, NAN, NAN, 0]),
    ("entr", runtime.special.entr, [0, -1, NAN, INF], [0, -INF, NAN, -INF]),
    ("logit", rt.logit, [0, 1, 2, -1], [-INF, INF, NAN, NAN]),
    ("logaddexp", lambda x: rt.logaddexp(x, x), [INF, -INF, NAN], [INF, -INF, NAN]),
    ("silu", F.silu, [-INF, INF, NAN], [NAN, INF, NAN]),
    ("softplus", F.softplus, [-INF, INF, NAN], [0, INF, NAN]),
    ("elu", F.elu, [-INF, INF, NAN], [-1, INF, NAN]),
    ("hardtanh", F.hardtanh, [-INF, INF, NAN], [-1, 1, NAN]),
    ("hardshrink", F.hardshrink, [0.5, -0.5, 0.6, NAN], [0, 0, 0.6, NAN]),
    ("threshold", lambda x: F.threshold(x, 0, 7), [0, 1, NAN], [7, 1, NAN]),
    ("xlogy", lambda x: rt.xlogy(0, x), [0, -1, NAN, INF], [0, 0, NAN, 0]),
    ("heaviside", lambda x: rt.heaviside(x, of(NAN)), [-1, 0, 1, NAN], [0, NAN, 1, 0]),
    ("digamma", rt.digamma, [0.0, -0.0, -1], [-INF, INF, NAN]),
    ("nan_to_num", lambda x: rt.nan_to_num(x, 1, 2), [NAN, INF, 3], [1, 2, 3]),
    ("chebyshev", lambda x: runtime.special.chebyshev_polynomial_t(2.0, x), [-1, -0.5, NAN, 2.9], [0, 1, 0, 7]),
]  # fmt: skip


@pytest.mark.parametrize(("function", "inputs", "want"), [e[1:] for e in EDGES], ids=[e[0] for e in EDGES])
@pytest.mark.parametrize("n", [1, 9])
def test_values_at_the_edges(function, inputs, want, n):
    """Long enough for the vector form of a loop, and not."""
    got = function(of(inputs * n)).numpy()
    np.testing.assert_allclose(got, np.array(want * n, np.float32), rtol=1e-6)


# ---- gradients against differences of the functions, in float64

X = [-3.5, -2.0, -0.7, -0.2, 0.3, 0.8, 2.0, 3.5]
GRADIENTS = {
    "gelu": (F.gelu, lambda g, x: aten.gelu_backward(g, x)),
    "gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), lambda g, x: aten.gelu_backward(g, x, approximate="tanh")),
    "silu": (F.silu, lambda g, x: aten.silu_backward(g, x)),
    "mish": (F.mish, lambda g, x: aten.mish_backward(g, x)),
    "softplus": (lambda x: F.softplus(x, 2, 3), lambda g, x: aten.softplus_backward(g, x, 2, 3)),
    "elu": (lambda x: aten.elu(x, 1.5, 2, 0.5), lambda g, x: aten.elu_backward(g, 1.5, 2, 0.5, False, x)),
    "elu by result": (lambda x: aten.elu(x, 1.5, 2, 0.5), lambda g, x: aten.elu_backward(g, 1.5, 2, 0.5, True, aten.elu(x, 1.5, 2, 0.5))),
    "hardtanh": (F.hardtanh, lambda g, x: aten.hardtanh_backward(g, x, -1, 1)),
    "hardswish": (F.hardswish, lambda g, x: aten.hardswish_backward(g, x)),
    "hardsigmoid": (F.hardsigmoid, lambda g, x: aten.hardsigmoid_backward(g, x)),
    "leaky_relu": (F.leaky_relu, lambda g, x: aten.leaky_relu_backward(g, x, 0.01, False)),
    "softshrink": (F.softshrink, lambda g, x: aten.softshrink_backward(g, x, 0.5)),
    "hardshrink": (F.hardshrink, lambda g, x: aten.hardshrink_backward(g, x, 0.5)),
    "relu": (F.relu, lambda g, x: aten.threshold_backward(g, x, 0)),
    "tanh": (rt.tanh, lambda g, x: aten.tanh_backward(g, rt.tanh(x))),
    "sigmoid": (rt.sigmoid, lambda g, x: aten.sigmoid_backward(g, rt.sigmoid(x))),
    "logit": (lambda x: rt.logit(rt.sigmoid(x)), lambda g, x: aten.logit_backward(g, s := rt.sigmoid(x)) * s * (1 - s)),
    "log_sigmoid": (F.logsigmoid, lambda g, x: aten.log_sigmoid_backward(g, x, aten.log_sigmoid_forward(x)[1])),
    "prelu": (lambda x: aten._prelu_kernel(x, of([0.3], rt.float64)), lambda g, x: aten._prelu_kernel_backward(g, x, of([0.3], rt.float64))[0]),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_those_of_the_functions(name):
    function, gradient = GRADIENTS[name]
    x, step = of(X, rt.float64), 1e-6
    slope = (function(x + step) - function(x - step)) / (2 * step)
    np.testing.assert_allclose(gradient(of([2.0] * len(X), rt.float64), x).numpy(), 2 * slope.numpy(), atol=1e-7)


def test_the_gradient_of_glu_is_that_of_the_function():
    x, g, step = of([X[:4], X[4:]], rt.float64), of([[1.0, 2], [3, 4]], rt.float64), 1e-6
    slopes = np.zeros((2, 4))
    for i in np.ndindex(2, 4):
        moved = x.clone(), x.clone()
        moved[0][i] += step
        moved[1][i] -= step
        slopes[i] = float((g * (F.glu(moved[0]) - F.glu(moved[1]))).sum()) / (2 * step)
    np.testing.assert_allclose(aten.glu_backward(g, x, -1).numpy(), slopes, atol=1e-8)


# ---- integers and bits


def test_shifts_by_what_is_no_distance_shift_everything_out():
    assert (of([1, -1, -8, 2], rt.int64) << of([64, -1, 63, 2], rt.int64)).tolist() == [0, 0, 0, 8]
    assert (of([1, -1, -8, 2], rt.int64) >> of([64, -1, 63, 1], rt.int64)).tolist() == [0, -1, -1, 1]
    assert (1 << of([3], rt.int32)).tolist() == [8]
    x = of([3], rt.uint8)
    x <<= 7
    assert x.tolist() == [128]


@pytest.mark.parametrize("dtype", [rt.bfloat16, rt.float16])
def test_half_types_have_neighbours_of_their_own(dtype):
    one, tiny = of([1.0], dtype), rt.nextafter(of([0.0], dtype), of([-1.0], dtype))
    assert float(rt.nextafter(one, one + 1) - one) == rt.finfo(dtype).eps
    assert float(tiny) < 0 and float(rt.nextafter(tiny, one)) == 0
    assert math.isnan(float(rt.nextafter(of([NAN], dtype), one)))


def test_numbers_of_scalar_overloads_do_not_widen():
    assert rt.copysign(of([1.0], rt.bfloat16), -2).dtype == rt.bfloat16
    assert rt.bitwise_left_shift(of([1], rt.int8), 2).dtype == rt.int8
    assert rt.xlogy(2.5, of([1, 2], rt.int64)).dtype == rt.float32


# ---- methods and parts


def test_methods_whose_self_is_not_the_first_argument():
    x = of([1.0, 2.0])
    assert x.where(x > 1, 7).tolist() == [7, 2]
    assert x.polygamma(1).tolist() == rt.polygamma(1, x).tolist()


def test_parts_of_complex_numbers_are_views_to_write_to():
    z = of([1 + 2j, 3 + 4j], rt.complex64)
    z.real = of([5.0, 6.0])
    z.imag.zero_()
    assert z.tolist() == [5, 6]
    assert z.real._base is z and rt.view_as_real(z).data_ptr() == z.data_ptr()
    with pytest.raises(RuntimeError, match="non-complex"):
        rt.imag(of([1.0]))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_what_is_no_pair_of_numbers_is_no_complex_number(shape):
    with pytest.raises(RuntimeError):
        rt.view_as_complex(rt.ones(shape))


def test_questions_about_promotion():
    assert rt.promote_types(rt.int8, rt.uint8) == rt.int16 and not rt.can_cast(rt.float32, rt.int64)
    assert rt.result_type(of([1], rt.int32), 2.5) == rt.float32 and rt.result_type(1, True) == rt.int64
    with pytest.raises(RuntimeError, match="Float8"):
        rt.promote_types(rt.float8_e5m2, rt.float32)


def test_special_functions_find_scipys_ufuncs_behind_its_array_api_switch():
    # With the switch, scipy.special has Python functions in their place. SciPy reads it when it is imported.
    code = """
import os
os.environ["SCIPY_ARRAY_API"] = "1"
import numpy as np, scipy.special, runtime
x = runtime.tensor([0.5, 2.0], dtype=runtime.float64, requires_grad=True)
for name, ours in [("psi", runtime.digamma), ("erfcx", runtime.special.erfcx), ("ndtri", runtime.special.ndtri), ("i0e", runtime.special.i0e)]:
    assert np.allclose(ours(x / 4).detach().numpy(), getattr(scipy.special, name)(x.detach().numpy() / 4)), name
assert np.allclose(runtime.igamma(x, x).detach().numpy(), scipy.special.gammainc([0.5, 2.0], [0.5, 2.0]))
assert type(scipy.special.psi.__wrapped__(x).grad_fn) is type(runtime.digamma(x).grad_fn)
runtime.lgamma(x).sum().backward()
assert np.allclose(x.grad.numpy(), scipy.special.psi([0.5, 2.0]))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("count", [2, 4, 5])
@pytest.mark.parametrize("dtype", [rt.float32, rt.float64, rt.int8])
def test_copies_into_short_rows_are_complete(count, dtype):
    # 100000 rows are computed in parts, by several threads where there are some.
    for rows in (31, 32, 1000, 100000):
        x = (rt.arange(rows) % 100).to(dtype)
        want = np.repeat(x.numpy(), count)
        assert (x.repeat_interleave(count).numpy() == want).all()
        assert ((rt.zeros(rows, count, dtype=rt.float64) + x[:, None]).numpy().reshape(-1) == want).all()
        wide = rt.zeros(rows, count + 1, dtype=dtype)
        wide[:, :count] = x[:, None]
        assert (wide[:, :count].numpy().reshape(-1) == want).all() and not wide[:, count].any()
