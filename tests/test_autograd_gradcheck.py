"""gradcheck and gradgradcheck: right derivatives pass, every kind of wrong ones is found, with PyTorch's messages."""

import warnings

import pytest

import runtime as rt
from runtime.autograd import Function, GradcheckError, gradcheck, gradchecks, gradgradcheck

WAYS = pytest.mark.parametrize("fast", [False, True], ids=["slow", "fast"])


def vector(*values, dtype=rt.float64):
    return rt.tensor(list(values), dtype=dtype, requires_grad=True)


def made(forward, backward, jvp=None):
    """A custom function of an argument."""
    body = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    if jvp is not None:
        body["jvp"] = staticmethod(jvp)
    return type("Made", (Function,), body).apply


@WAYS
def test_right_derivatives_pass(fast):
    x, y = vector(0.5, 2.0), vector(1.0, -1.5)
    assert gradcheck(lambda x, y: (x * y * x, y.exp()), (x, y), fast_mode=fast, check_batched_grad=True)
    assert gradgradcheck(lambda x, y: (x * y * x).sum(), (x, y), fast_mode=fast)
    assert x.grad is None and x.tolist() == [0.5, 2.0]


@WAYS
def test_right_derivatives_of_complex_functions_pass(fast):
    z = vector(1 + 2j, 3 - 1j, dtype=rt.complex128)
    assert gradcheck(lambda z: z * z * z.conj(), z, fast_mode=fast)
    assert gradcheck(lambda z: (z * z.conj()).real, z, fast_mode=fast)
    assert gradgradcheck(lambda z: z * z * z, z, fast_mode=fast)


@WAYS
def test_forward_mode_is_checked_when_asked_for(fast):
    x = vector(0.5, 2.0)
    assert gradcheck(lambda x: x.exp() * x, x, check_forward_ad=True, check_backward_ad=False, fast_mode=fast)
    wrong = made(lambda ctx, x: x * 2, lambda ctx, g: g * 2, lambda ctx, t: t * 3)
    with pytest.raises(GradcheckError, match="Jacobian computed with forward mode mismatch for output 0 with respect to input 0"):
        gradcheck(wrong, x, check_forward_ad=True, fast_mode=fast)


def test_forward_mode_takes_complex_inputs_apart():
    z = vector(1 + 2j, 3 - 1j, dtype=rt.complex128)
    assert gradcheck(lambda z: z * z, z, check_forward_ad=True, check_backward_ad=False)


def test_gradients_can_be_checked_by_forward_mode_over_reverse_mode():
    assert gradgradcheck(lambda x: (x * x).exp(), vector(0.5, 1.0), check_fwd_over_rev=True, check_rev_over_rev=True)


@WAYS
def test_a_wrong_gradient_is_found(fast):
    wrong = made(lambda ctx, x: x * 2, lambda ctx, g: g * 3)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0,\nnumerical:"):
        gradcheck(wrong, vector(1.0, 2.0), fast_mode=fast)
    assert not gradcheck(wrong, vector(1.0, 2.0), fast_mode=fast, raise_exception=False)


def test_the_wrong_part_of_a_complex_result_is_named():
    wrong = made(lambda ctx, z: z * 2, lambda ctx, g: g.real * 2 + 0j)
    with pytest.raises(GradcheckError, match="While considering the imaginary part of complex outputs only, Jacobian mismatch"):
        gradcheck(wrong, vector(1 + 2j, dtype=rt.complex128))


def test_a_backward_that_gives_other_values_each_time_is_found():
    times = iter(range(1000))
    wavering = made(lambda ctx, x: x * 2, lambda ctx, g: g * (2 + 1e-4 * next(times)))
    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(wavering, vector(1.0))


def test_a_backward_that_forgets_its_gradient_is_found():
    forgets = made(lambda ctx, x: x * 2, lambda ctx, g: g * 0 + 2)
    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(forgets, vector(1.0))


def test_a_backward_that_needs_every_gradient_is_found():
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def backward(ctx, a, b):
        return a * 2 + b * 3

    with warnings.catch_warnings(), pytest.raises((GradcheckError, TypeError)):
        warnings.simplefilter("ignore")
        gradcheck(made(forward, backward), vector(1.0))


def test_a_result_without_gradient_must_not_depend_on_the_inputs():
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, vector(1.0))


def test_inputs_must_need_gradients_and_not_overlap():
    with pytest.raises(ValueError, match="gradcheck expects at least one input tensor to require gradient"):
        gradcheck(lambda x: x, rt.ones(2))
    with pytest.raises(RuntimeError, match="The 0th input has a dimension with stride 0"):
        gradcheck(lambda x: x * 2, rt.ones(1, dtype=rt.float64).expand(3).requires_grad_())


def test_single_precision_is_warned_of():
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precision"):
        gradcheck(lambda x: x * 2, vector(1.0, dtype=rt.float32), atol=1, rtol=1)


def test_at_least_one_mode_must_be_checked():
    with pytest.raises(AssertionError, match="at least one of check_forward_ad or check_backward_ad"):
        gradcheck(lambda x: x, vector(1.0), check_backward_ad=False)


def test_jacobians_of_both_ways_can_be_had():
    x = vector(1.0, 2.0)
    with pytest.warns(FutureWarning):
        (numerical,) = gradchecks.get_numerical_jacobian(lambda values: values[0] * values[0], (x,), eps=1e-6)
    y = x * x
    with pytest.warns(FutureWarning):
        (analytical,), reentrant, sizes_ok, dtypes_ok = gradchecks.get_analytical_jacobian((x,), y)
    assert rt.allclose(numerical, analytical) and reentrant and sizes_ok and dtypes_ok


@pytest.mark.oracle
def test_a_failure_is_described_as_in_pytorch():
    torch = pytest.importorskip("torch")

    class Theirs(torch.autograd.Function):
        forward = staticmethod(lambda ctx, x: x * 2)
        backward = staticmethod(lambda ctx, g: g * 3)

    with pytest.raises(GradcheckError) as ours:
        gradcheck(made(lambda ctx, x: x * 2, lambda ctx, g: g * 3), vector(1.0, 2.0))
    with pytest.raises(RuntimeError) as theirs:
        torch.autograd.gradcheck(Theirs.apply, torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True))
    assert str(ours.value) == str(theirs.value)
