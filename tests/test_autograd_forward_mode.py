"""Forward mode: tangents of results as PyTorch's, and its errors."""

import pytest

import runtime as rt
from runtime.autograd import Function, forward_ad

make_dual, unpack = forward_ad.make_dual, forward_ad.unpack_dual


@pytest.fixture
def level():
    with forward_ad.dual_level():
        yield


def dual(values=(1.0, 2.0, 3.0), tangent=(1.0, 10.0, 100.0)):
    return make_dual(rt.tensor(list(values)), rt.tensor(list(tangent)))


def tangent_of(tensor):
    found = unpack(tensor).tangent
    return None if found is None else found.tolist()


CALLS = {
    "a product": lambda m, d, o: d * d * o,
    "a formula with the result": lambda m, d, o: d.exp(),
    "a linear operator": lambda m, d, o: -d,
    "a reduction": lambda m, d, o: d.sum(),
    "an argument without a tangent": lambda m, d, o: o - d * o,
    "a number": lambda m, d, o: 3 * d + 1,
    "broadcasting": lambda m, d, o: d + m.ones(2, 3),
    "a matrix product": lambda m, d, o: d.view(1, 3).mm(o.view(3, 1)),
    "a view": lambda m, d, o: d.view(3, 1).t(),
    "in place, with a tangent": lambda m, d, o: (d * 1).mul_(o),
    "in place with itself": lambda m, d, o: d.clone().mul_(d),
    "in place, without a tangent": lambda m, d, o: o.clone().mul_(d),
    "detached": lambda m, d, o: d.detach() * 2 + d,
}


@pytest.mark.oracle
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_tangents_are_those_of_pytorch(call):
    torch = pytest.importorskip("torch")
    found = []
    for module in (rt, torch):
        with module.autograd.forward_ad.dual_level():
            d = module.autograd.forward_ad.make_dual(module.tensor([1.0, 2.0, 3.0]), module.tensor([1.0, 10.0, 100.0]))
            value, tangent = module.autograd.forward_ad.unpack_dual(call(module, d, module.tensor([4.0, 5.0, 6.0])))
            found.append((value.tolist(), tangent.tolist(), tuple(tangent.shape)))
    (ours, ours_t, shape), (theirs, theirs_t, their_shape) = found
    assert shape == their_shape
    assert rt.allclose(rt.tensor(ours), rt.tensor(theirs)) and rt.allclose(rt.tensor(ours_t), rt.tensor(theirs_t))


def test_a_dual_tensor_keeps_its_tangent_and_gives_its_value_without(level):
    value, tangent = rt.ones(2), rt.ones(2)
    d = make_dual(value, tangent)
    assert d._base is value
    primal, found = unpack(d)
    assert found is tangent and unpack(primal).tangent is None and unpack(value).tangent is None
    assert unpack(unpack(d * 2).primal).tangent is None


def test_tangents_end_with_the_level():
    with forward_ad.dual_level():
        d = dual()
        e = d * 2
    assert unpack(d).tangent is None and unpack(e).tangent is None
    with forward_ad.dual_level():
        assert unpack(e * 2).tangent is None


def test_writing_keeps_the_tangent_tensor(level):
    tangent = rt.ones(3)
    d = make_dual(rt.ones(3), tangent)
    d.mul_(2)
    assert unpack(d).tangent is tangent and tangent.tolist() == [2.0, 2.0, 2.0]


def test_a_tangent_written_to_a_view_is_the_bases_and_that_of_other_views(level):
    base = rt.zeros(4)
    other = base[:3]
    base[1:].copy_(dual())
    assert tangent_of(base) == [0.0, 1.0, 10.0, 100.0]
    assert tangent_of(other) == [0.0, 1.0, 10.0]
    assert tangent_of(other * 2) == [0.0, 2.0, 20.0]


def test_calls_without_propagation_have_no_tangents(level):
    d = dual()
    with forward_ad._set_fwd_grad_enabled(False):
        assert unpack(d * 2).tangent is None and not forward_ad._is_fwd_grad_enabled()
    assert tangent_of(d * 2) == [2.0, 20.0, 200.0]
    with rt.no_grad():
        assert tangent_of(d * 2) == [2.0, 20.0, 200.0]


def test_tangents_are_recorded_for_backward(level):
    x = rt.tensor([1.0, 2.0], requires_grad=True)
    t = rt.tensor([1.0, 3.0], requires_grad=True)
    y = make_dual(x, t).exp() * 2
    tangent = unpack(y).tangent
    by_x, by_t = rt.autograd.grad(tangent.sum(), (x, t))
    assert rt.allclose(by_x, 2 * t * x.exp()) and rt.allclose(by_t, 2 * x.exp())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: make_dual(rt.ones(3), rt.ones(2)), RuntimeError, r"Tensor is of size \[3\] while the given forward gradient is of size \[2\]"),
        (lambda d: make_dual(d, rt.ones(3)), RuntimeError, "Making a dual Tensor based on a Tensor that already has a forward gradient"),
        (lambda d: make_dual(rt.ones(3), d), RuntimeError, "Setting a forward grad that itself has a forward gradient at the same level0"),
        (lambda d: make_dual(rt.ones(3).int(), d), ValueError, "Expected primal to be floating point or complex, but got: torch.int32"),
        (lambda d: make_dual(rt.ones(3), rt.ones(3).int()), ValueError, "Expected tangent to be floating point or complex, but got: torch.int32"),
        (lambda d: forward_ad.enter_dual_level(), RuntimeError, "Nested forward mode AD is not supported at the moment"),
        (lambda d: forward_ad.exit_dual_level(level=4), RuntimeError, "that was not the last one that was created"),
        (lambda d: rt.add(d, 1, out=rt.empty(3)), NotImplementedError, "Trying to use forward AD with add_out that does not support it because"),
    ],
)
def test_wrong_uses_raise(level, call, error, message):
    with pytest.raises(error, match=message):
        call(dual())


def test_without_a_level_there_are_no_tangents():
    with pytest.raises(RuntimeError, match="no level exists, make sure to enter_dual_level"):
        make_dual(rt.ones(1), rt.ones(1))
    with pytest.raises(RuntimeError, match="Dual level must be a positive number"):
        forward_ad.exit_dual_level()
    assert unpack(rt.ones(1)).tangent is None


def test_an_operator_without_a_derivative_raises(level):
    lib = rt.Library("forward_mode", "DEF")
    lib.define("twice(Tensor x) -> Tensor")
    lib.impl("twice", lambda x: x * 2, "CPU")
    from runtime.autograd import forward_mode

    with pytest.raises(NotImplementedError, match="Trying to use forward AD with twice that does not support it because it has not been"):
        forward_mode.refuse_unknown(rt.ops.forward_mode.twice.default, rt.ones(2), False)
    forward_mode.refuse_unknown(rt.ops.forward_mode.twice.default, rt.ones(2).int(), False)
    lib._destroy()


# ------------------------------------------------------------------------------------------------------ custom functions


def function(forward, jvp):
    return type("Made", (Function,), {"forward": staticmethod(forward), "jvp": staticmethod(jvp)}).apply


def test_a_custom_function_propagates_by_its_jvp(level):
    def forward(ctx, x, y, power):
        ctx.save_for_forward(x, y)
        ctx.power = power
        return x * y, x.argmax()

    def jvp(ctx, x_t, y_t, none):
        x, y = ctx.saved_tensors
        assert none is None and y_t.tolist() == [0.0, 0.0, 0.0]
        return x_t * y + x * y_t, None

    result, _ = function(forward, jvp)(dual(), rt.full((3,), 2.0), 2)
    assert tangent_of(result) == [2.0, 20.0, 200.0]


def test_without_materialized_tangents_a_jvp_gets_none(level):
    seen = []

    def forward(ctx, x, y):
        ctx.set_materialize_grads(False)
        return x + y

    def jvp(ctx, *tangents):
        seen.append([t is None for t in tangents])
        return tangents[0]

    function(forward, jvp)(dual(), rt.ones(3))
    assert seen == [[False, True]]


def test_a_function_that_writes_must_write_the_tangent_too(level):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    d = dual() * 1
    tangent = unpack(d).tangent
    assert function(forward, lambda ctx, t: t.mul_(2))(d) is d
    assert unpack(d).tangent is tangent and tangent.tolist() == [2.0, 20.0, 200.0]
    with pytest.raises(RuntimeError, match="is not modifying the forward mode gradients inplace"):
        function(forward, lambda ctx, t: t)(dual() * 1)
    with pytest.raises(RuntimeError, match="is not returning the forward mode gradients as-is"):
        function(forward, lambda ctx, t: t.mul_(2).clone())(dual() * 1)


def test_a_function_that_returns_a_view_must_return_a_view_of_the_tangent(level):
    d = dual() * 1
    assert tangent_of(function(lambda ctx, x: x.view(3, 1), lambda ctx, t: t.view(3, 1))(d)) == [[1.0], [10.0], [100.0]]
    with pytest.raises(RuntimeError, match="is returning a view .* but the jvp is not returning a view"):
        function(lambda ctx, x: x.view(3, 1), lambda ctx, t: t.clone().reshape(3, 1) * 1)(dual() * 1)


def test_a_jvp_returns_as_many_tangents_as_results(level):
    with pytest.raises(RuntimeError, match=r"invalid number of forward gradients \(expected 1 but got 2\)"):
        function(lambda ctx, x: x * 2, lambda ctx, t: (t, t))(dual())
    with pytest.raises(RuntimeError, match="different size than that of the original Tensor"):
        function(lambda ctx, x: x * 2, lambda ctx, t: t[:2])(dual())


def test_a_tangent_for_an_output_that_is_not_differentiable_raises(level):
    def forward(ctx, x):
        y = x.clone()
        ctx.mark_non_differentiable(y)
        return x.clone(), y

    with pytest.raises(RuntimeError, match=r"at position 1, .*You should return None at that position instead\."):
        function(forward, lambda ctx, x_t: (x_t, x_t))(dual())


def test_a_jvp_is_shown_what_was_saved_for_forward_only(level):
    seen = []

    def run(save):
        def forward(ctx, x):
            ctx.save_for_backward(x)
            save(ctx, x)
            return x.clone()

        def jvp(ctx, x_t):
            seen.append(ctx.saved_tensors)
            return x_t

        primal = rt.ones(2, requires_grad=True)
        made = function(forward, jvp)(forward_ad.make_dual(primal, rt.ones(2)))
        return len(made.grad_fn.saved_tensors)

    assert run(lambda ctx, x: None) == 1
    assert run(lambda ctx, x: ctx.save_for_forward(x, x)) == 1
    assert [len(one) for one in seen] == [0, 2]


def test_a_function_without_a_jvp_raises(level):
    plain = type("Plain", (Function,), {"forward": staticmethod(lambda ctx, x: x * 2)}).apply
    with pytest.raises(NotImplementedError, match="You must implement the jvp function"):
        plain(dual())
