"""Derivatives of pointwise operators where PyTorch's samples do not go: ties, zeros, infinities, NaN, in-place variants, what nodes save."""

import numpy as np
import pytest

import runtime as rt

INF, NAN = float("inf"), float("nan")
POINTS = np.array([-INF, -3, -1, -0.5, -0.0, 0.0, 0.5, 1, 3, INF, NAN])
COMPLEX = np.array([0, 1, -1, 1j, -1j, 0.5 + 0.5j, -0.5 - 2j, 2])

UNARY = """abs acos acosh angle asin asinh atan atanh cos cosh exp exp2 expm1 log log10 log1p log2 neg reciprocal rsqrt sgn sigmoid sin sinc
sinh sqrt tan tanh""".split()
REAL = """ceil deg2rad erf erfc erfinv floor frac i0 nan_to_num rad2deg relu round sign special_entr special_erfcx special_i0e special_i1 special_i1e
special_ndtri trunc gelu mish softplus elu celu hardtanh hardswish hardsigmoid leaky_relu softshrink hardshrink log_sigmoid_forward""".split()
BINARY = """sub.Tensor mul.Tensor div.Tensor remainder.Tensor fmod.Tensor pow.Tensor_Tensor atan2 copysign.Tensor hypot nextafter fmax fmin
logaddexp logaddexp2 maximum minimum xlogy.Tensor special_xlog1py clamp_min.Tensor clamp_max.Tensor _prelu_kernel""".split()


def _gradients(module, name, arrays, args=()):
    """The node's class and the gradients of a weighted result."""
    base, _, overload = name.partition(".")
    leaves = [module.from_numpy(a.copy()).requires_grad_() for a in arrays]
    result = getattr(getattr(module.ops.aten, base), overload or "default")(*leaves, *args)
    result = result[0] if isinstance(result, tuple) else result
    weight = np.cos(np.arange(result.numel())) + (1j * np.sin(np.arange(result.numel())) if result.is_complex() else 0)
    grads = module.autograd.grad(result, leaves, module.from_numpy(weight))
    return type(result.grad_fn).__name__, [g.numpy(force=True) for g in grads]


def _agree(name, arrays, args=()):
    torch = pytest.importorskip("torch")
    node, got = _gradients(rt, name, arrays, args)
    expected_node, want = _gradients(torch, name, arrays, args)
    assert node == expected_node
    for g, w in zip(got, want, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-6, atol=1e-12)


@pytest.mark.oracle
@pytest.mark.parametrize("name", UNARY + REAL)
def test_gradients_agree_with_pytorch_at_special_points(name):
    _agree(name, [POINTS])


@pytest.mark.oracle
@pytest.mark.parametrize("name", UNARY)
def test_gradients_agree_with_pytorch_at_special_points_of_the_complex_plane(name):
    _agree(name, [COMPLEX])


@pytest.mark.oracle
@pytest.mark.parametrize("name", BINARY)
def test_gradients_of_pairs_agree_with_pytorch_at_special_points(name):
    x, y = np.meshgrid(POINTS, POINTS)
    _agree(name, [x.ravel(), y.ravel()])


@pytest.mark.oracle
@pytest.mark.parametrize("exponent", [0, 1, 2, -1, 0.5, 2.5])
def test_gradients_of_powers_agree_with_pytorch_at_special_points(exponent):
    _agree("pow.Tensor_Scalar", [POINTS], (exponent,))


@pytest.mark.oracle
@pytest.mark.parametrize("low, high", [(-1, 1), (2, -1), (None, 1), (-1, None)])
def test_gradients_of_clamp_agree_with_pytorch_on_and_between_bounds(low, high):
    _agree("clamp", [POINTS], (low, high))


def test_ties_of_maximum_share_the_gradient():
    x, y = (rt.tensor([1.0, 2.0]).requires_grad_() for _ in range(2))
    x_grad, y_grad = rt.autograd.grad(rt.maximum(x, y).sum(), (x, y))
    assert x_grad.tolist() == y_grad.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("name", ["igamma", "igammac"])
def test_a_derivative_that_nobody_knows_is_refused(name):
    x, y = (rt.tensor([1.0, 2.0]).requires_grad_() for _ in range(2))
    result = getattr(rt, name)(x, y).sum()
    with pytest.raises(NotImplementedError, match=f"the derivative for '{name}: input' is not implemented."):
        result.backward(inputs=[x])


@pytest.mark.parametrize("name", ["exp_", "tanh_", "sigmoid_", "relu_", "sqrt_", "reciprocal_"])
def test_in_place_functions_save_their_result(name):
    values = [0.25, 0.5, 2.0]
    x = rt.tensor(values).requires_grad_()
    plain = rt.autograd.grad(getattr(x, name[:-1])().sum(), x)[0]
    written = getattr(x.clone(), name)()
    assert rt.autograd.grad(written.sum(), x)[0].tolist() == plain.tolist()


@pytest.mark.parametrize("name, args", [("elu_", (2.0,)), ("leaky_relu_", (0.5,)), ("celu_", (2.0,)), ("threshold_", (0.5, 0.0))])
def test_in_place_activations_have_the_gradients_of_functional_ones(name, args):
    x = rt.tensor([-1.0, 0.25, 2.0]).requires_grad_()
    functional = getattr(rt.ops.aten, name[:-1]).default(x, *args)
    written = getattr(rt.ops.aten, name).default(x.clone(), *args)
    assert np.allclose(rt.autograd.grad(written.sum(), x)[0].numpy(), rt.autograd.grad(functional.sum(), x)[0].numpy())


def test_results_without_gradients_require_none():
    x = rt.tensor([1.5, -2.0]).requires_grad_()
    mantissa, exponent = rt.frexp(x)
    assert mantissa.requires_grad and not exponent.requires_grad
    assert not (x > 0).requires_grad and not rt.isnan(x).requires_grad


def test_gradients_of_nothing_are_empty():
    x = rt.ones(0, 3).requires_grad_()
    assert tuple(rt.autograd.grad((x * x.exp()).sum(), x)[0].shape) == (0, 3)
