"""Gradients of users' operators: register_autograd, what happens without it, and opcheck's look at registrations."""

import uuid
import warnings

import pytest

import runtime as rt
from runtime import _core
from runtime.library import custom_op, opcheck, register_autograd
from runtime.opcheck import OpCheckError


def name():
    return f"registered::op{uuid.uuid4().hex}"


def leaf(*values):
    return rt.tensor(list(values), requires_grad=True)


@pytest.fixture
def lib():
    made = rt.Library(f"ns{uuid.uuid4().hex}", "DEF")
    yield made
    made._destroy()


def packet(lib, op="op"):
    return getattr(getattr(rt.ops, lib.ns), op)


def product(op_name):
    @custom_op(op_name, mutates_args=())
    def op(x: rt.Tensor, y: rt.Tensor, scale: float = 1.0) -> rt.Tensor:
        return rt.from_numpy(x.detach().numpy() * y.detach().numpy() * scale)

    return op


def test_a_formula_gets_what_setup_context_kept():
    op = product(name())
    seen = []

    def setup(ctx, inputs, output):
        seen.append((len(inputs), inputs[2], output.tolist(), ctx.needs_input_grad[:2]))
        ctx.save_for_backward(*inputs[:2])
        ctx.scale = inputs[2]

    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return grad * y * ctx.scale, grad * x * ctx.scale, None

    op.register_autograd(backward, setup_context=setup)
    x, y = leaf(1.0, 2.0), rt.tensor([3.0, 4.0])
    result = op(x, y)
    assert type(result.grad_fn).__name__ == f"GeneratedBackwardFor_{op._qualname.replace('::', '_')}_defaultBackward"
    result.sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]
    assert seen == [(3, 1.0, [3.0, 8.0], (True, False))]
    op(x, y, 2.0).sum().backward()
    assert x.grad.tolist() == [9.0, 12.0]


def test_nothing_is_recorded_where_no_argument_needs_a_gradient():
    op = product(name())
    op.register_autograd(lambda ctx, grad: (grad, grad, None), setup_context=lambda ctx, inputs, output: pytest.fail("recorded"))
    assert op(rt.ones(2), rt.ones(2)).grad_fn is None
    with rt.no_grad():
        assert op(leaf(1.0), leaf(1.0)).grad_fn is None


def test_without_a_formula_backward_raises():
    result = product(name())(leaf(1.0), leaf(2.0))
    with pytest.raises(RuntimeError, match="Trying to backward through registered.*default but no autograd formula was registered"):
        result.backward()


def test_keyword_only_arguments_are_given_apart(lib):
    lib.define("op(Tensor x, *, float scale=2., int n) -> Tensor")
    lib.impl("op", lambda x, *, scale=2.0, n: x.detach() * scale, "CPU")
    seen = []

    def setup(ctx, inputs, keyword_only_inputs, output):
        seen.append((len(inputs), keyword_only_inputs))
        ctx.scale = keyword_only_inputs["scale"]

    register_autograd(f"{lib.ns}::op", lambda ctx, grad: grad * ctx.scale, setup_context=setup, lib=lib)
    x = leaf(1.0)
    packet(lib)(x, n=3).sum().backward()
    assert x.grad.tolist() == [2.0] and seen == [(1, {"scale": 2.0, "n": 3})]


def test_lists_of_tensors_keep_their_structure():
    @custom_op(name(), mutates_args=())
    def op(xs: list[rt.Tensor], y: rt.Tensor) -> list[rt.Tensor]:
        return [x.detach() * y.detach() for x in xs]

    seen = []

    def backward(ctx, grads):
        seen.append(ctx.needs_input_grad)
        return [grad * ctx.y for grad in grads], None

    def setup(ctx, inputs, output):
        ctx.y = inputs[1].detach()

    op.register_autograd(backward, setup_context=setup)
    a, b = leaf(1.0), rt.tensor([2.0])
    first, second = op([a, b], rt.tensor([5.0]))
    (first * 2 + second).sum().backward()
    assert a.grad.tolist() == [10.0] and seen == [([True, False], False)]
    op.register_autograd(lambda ctx, grads: (grads[0], None), setup_context=setup)
    with pytest.raises(RuntimeError, match="Expected the return from backward to be of the same structure as the inputs"):
        op([a, b], rt.tensor([5.0]))[0].sum().backward()


def test_operators_that_write_take_no_formula(lib):
    lib.define("op(Tensor(a!) x) -> ()")
    with pytest.raises(RuntimeError, match="Cannot register autograd formula for non-functional operator"):
        register_autograd(f"{lib.ns}::op", lambda ctx: None)


def test_a_newer_formula_counts():
    op = product(name())
    op.register_autograd(lambda ctx, grad: (grad, None, None))
    x = leaf(1.0)
    result = op(x, rt.ones(1))
    op.register_autograd(lambda ctx, grad: (grad * 7, None, None))
    result.backward()
    assert x.grad.tolist() == [7.0]


def test_gradcheck_passes_for_the_ready_made_operators():
    from runtime.testing import custom_op_db

    x, y = (rt.tensor(v, dtype=rt.float64, requires_grad=True) for v in ([0.5, 2.0], [1.5, -1.0]))
    assert rt.autograd.gradcheck(custom_op_db.numpy_mul, (x, y))
    assert rt.autograd.gradcheck(lambda x: custom_op_db.numpy_cube(x)[0], (x,))
    assert rt.autograd.gradcheck(lambda x, y: custom_op_db.numpy_cat([x, y], 0), (x, y))


# ------------------------------------------------------------------------------------------ nothing at the Autograd keys


def test_backward_warns_of_an_operator_with_nothing_at_the_autograd_keys(lib):
    lib.define("op(Tensor x) -> Tensor")
    lib.impl("op", lambda x: rt.from_numpy(x.detach().numpy() * 2), "CPU")
    x = leaf(1.0, 2.0)
    y = packet(lib)(x)
    assert y.requires_grad and y.grad_fn.next_functions[-1][0].variable is x
    with pytest.warns(UserWarning, match=f"{lib.ns}::op: an autograd kernel was not registered to the Autograd key"):
        (y.sum() + x.sum()).backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_backward_warns_where_a_backends_kernel_was_recorded(lib):
    lib.define("op(Tensor x) -> Tensor")
    lib.impl("op", lambda x: x.clone(), "CPU")
    x = leaf(1.0, 2.0)
    y = packet(lib)(x)
    with pytest.warns(UserWarning, match="an autograd kernel was not registered"):
        y.sum().backward()


def test_the_warning_can_be_left_out(lib):
    lib.define("op(Tensor x) -> Tensor")
    lib.impl("op", lambda x: rt.from_numpy(x.detach().numpy() * 2), "CPU")
    assert _core._get_autograd_fallback_mode() == "warn"
    _core._set_autograd_fallback_mode("nothing")
    try:
        assert not packet(lib)(leaf(1.0)).requires_grad
    finally:
        _core._set_autograd_fallback_mode("warn")
    with pytest.raises(RuntimeError, match="mode"):
        _core._set_autograd_fallback_mode("loud")


def test_results_that_can_have_no_gradient_are_left_alone(lib):
    lib.define("op(Tensor x) -> (Tensor, int)")
    lib.impl("op", lambda x: (x.detach().argmax(), 3), "CPU")
    found, number = packet(lib)(leaf(1.0, 2.0))
    assert not found.requires_grad and number == 3


# --------------------------------------------------------------------------------------------------------------- opcheck


def test_opcheck_finds_a_function_that_was_registered_to_a_backend(lib):
    class Twice(rt.autograd.Function):
        forward = staticmethod(lambda ctx, x: x * 2)
        backward = staticmethod(lambda ctx, g: g * 2)

    lib.define("op(Tensor x) -> Tensor")
    lib.impl("op", Twice.apply, "CPU")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(OpCheckError, match="at least one output of this operator has requires_grad=True"):
            opcheck(packet(lib).default, (leaf(1.0),), test_utils="test_autograd_registration")
    assert _core._get_autograd_fallback_mode() == "warn"
    opcheck(packet(lib).default, (rt.ones(1),), test_utils="test_autograd_registration")


def test_opcheck_accepts_custom_operators():
    assert opcheck(product(name()), (leaf(1.0), leaf(1.0)), test_utils="test_autograd_registration") == {"test_autograd_registration": "SUCCESS"}
