"""Checkpointing: gradients are as without it, the function runs again once, and what differs in the second run is an error."""

import functools
import gc
import warnings
import weakref

import pytest

import runtime as rt
from runtime.utils.checkpoint import (
    CheckpointError,
    CheckpointPolicy,
    GraphExecGroup,
    checkpoint,
    checkpoint_sequential,
    create_selective_checkpoint_contexts,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)


class Counted:
    """A function that knows how often it was called."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)


def leaf(*values):
    return rt.tensor([float(v) for v in values], requires_grad=True)


def deep(x):
    return x.sin().exp().sin()


@pytest.mark.parametrize("reentrant", [True, False])
def test_gradients_are_those_of_the_function(reentrant):
    x, y = leaf(0.5, 1.5), leaf(0.5, 1.5)
    f = Counted(deep)
    checkpoint(f, x, use_reentrant=reentrant).sum().backward()
    deep(y).sum().backward()
    assert x.grad.tolist() == y.grad.tolist()
    assert f.calls == 2


def test_grad_works_only_without_reentrance():
    x = leaf(1)
    (g,) = rt.autograd.grad(checkpoint(deep, x, use_reentrant=False).sum(), x, create_graph=True)
    assert g.requires_grad
    with pytest.raises(RuntimeError, match="incompatible with .grad"):
        rt.autograd.grad(checkpoint(deep, x, use_reentrant=True).sum(), x)
    checkpoint(deep, x, use_reentrant=True).sum().backward()
    assert x.grad is not None


def test_the_way_must_be_named_and_arguments_fit_it():
    x = leaf(1)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed"):
        checkpoint(deep, x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad"):
        checkpoint(deep, x.detach(), use_reentrant=True)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: flag"):
        checkpoint(deep, x, use_reentrant=True, flag=1)
    with pytest.raises(ValueError, match="only supported when use_reentrant=False"):
        checkpoint(deep, x, use_reentrant=True, debug=True)
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        checkpoint(deep, x, use_reentrant=False, determinism_check="all")


@pytest.mark.parametrize("early_stop, calls", [(True, 1), (False, 2)])
def test_recomputation_stops_when_all_is_there(early_stop, calls):
    last = Counted(lambda x: x.clone())
    with set_checkpoint_early_stop(early_stop):
        out = checkpoint(lambda x: last(x.sin().cos()), leaf(1), use_reentrant=False)
    out.sum().backward()
    assert last.calls == calls


def test_nothing_runs_again_where_nothing_was_saved():
    f = Counted(lambda x: x.clone())
    checkpoint(f, leaf(1), use_reentrant=False).sum().backward()
    assert f.calls == 1


@pytest.mark.parametrize("reentrant", [True, False])
def test_the_second_run_gets_the_same_random_numbers_and_autocast(reentrant):
    seen = []

    def f(x):
        y = rt.nn.functional.dropout(x, 0.5, True)
        seen.append((y.tolist(), rt.mm(y.view(1, -1), y.view(-1, 1)).dtype))
        return y * y

    x = rt.ones(40, requires_grad=True)
    with rt.amp.autocast("cpu", dtype=rt.bfloat16):
        out = checkpoint(f, x, use_reentrant=reentrant)
    after = rt.get_rng_state()
    out.sum().backward()
    assert seen[0] == seen[1] and seen[0][1] == rt.bfloat16
    assert rt.get_rng_state().tolist() == after.tolist()


def test_fork_rng_leaves_the_generator_as_it_was():
    rt.manual_seed(3)
    with rt.random.fork_rng():
        inside = rt.rand(2).tolist()
    assert rt.rand(2).tolist() == inside


def once(first, then):
    """A function that does something else from the second call on."""
    f = Counted(lambda x: (first if f.calls == 1 else then)(x))
    return f


def test_a_second_run_that_differs_is_an_error():
    def three(x):
        return x.sin().exp().sin()

    def two(x):
        return x.sin().exp()

    def another(x):
        return x.sin() * rt.tensor([1.0, 2.0])

    with pytest.raises(CheckpointError, match="A different number of tensors was saved"):
        checkpoint(once(three, two), leaf(1), use_reentrant=False).sum().backward()
    with set_checkpoint_early_stop(False), pytest.raises(CheckpointError, match="trying to save more tensors"):
        checkpoint(once(two, three), leaf(1), use_reentrant=False).sum().backward()
    checkpoint(once(two, three), leaf(1), use_reentrant=False).sum().backward()
    with pytest.raises(CheckpointError, match="have different metadata"):
        checkpoint(once(two, another), leaf(1), use_reentrant=False).sum().backward()
    checkpoint(once(two, two), leaf(1), use_reentrant=False, determinism_check="none").sum().backward()


def test_debug_shows_the_operators_of_both_runs():
    def report(debug):
        f = once(lambda x: x.sin().exp(), lambda x: x.cos() * rt.tensor([1.0, 2.0]))
        with pytest.raises(CheckpointError) as caught:
            checkpoint(f, leaf(1), use_reentrant=False, debug=debug).sum().backward()
        return str(caught.value)

    text = report(True)
    assert "aten.sin.default" in text and "aten.cos.default" in text and "You are seeing this error" in text
    with set_checkpoint_debug_enabled(False):
        assert "aten.sin" not in report(True)
    with set_checkpoint_debug_enabled(True):
        assert "aten.sin" in report(False)


def test_a_saved_tensor_can_be_asked_for_once_in_a_run():
    class Twice(rt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            _ = ctx.saved_tensors
            with pytest.raises(CheckpointError, match="already unpacked once"):
                _ = ctx.saved_tensors
            return grad

    checkpoint(lambda x: Twice.apply(x.sin()), leaf(1), use_reentrant=False).sum().backward()


def test_looking_at_a_node_computes_anew_each_time():
    f = Counted(lambda x: x.exp())
    y = checkpoint(f, leaf(1), use_reentrant=False)
    assert y.grad_fn._saved_result.tolist() == y.grad_fn._saved_result.tolist() == y.tolist()
    assert f.calls == 3


def test_checkpoints_nest_with_each_other_and_with_gradients():
    def gradient(fn):
        def inner(x):
            with rt.enable_grad():
                return rt.autograd.grad(fn(x), x, create_graph=True)[0]

        return inner

    def kept(fn):
        return lambda x: checkpoint(fn, x, use_reentrant=False)

    x = rt.tensor(0.7, dtype=rt.float64, requires_grad=True)
    want = gradient(gradient(deep))(x)
    for fn in (gradient(kept(gradient(kept(deep)))), kept(gradient(gradient(kept(deep)))), kept(kept(gradient(kept(gradient(kept(deep))))))):
        assert float(fn(x)) == pytest.approx(float(want))


def test_arguments_may_be_anything():
    def f(scale, named, *, shift):
        return {"out": (named["x"] * scale + shift).sin()}, "text"

    x, shift = leaf(1), leaf(2)
    out, text = checkpoint(f, 3, {"x": x}, shift=shift, use_reentrant=False)
    out["out"].sum().backward()
    assert text == "text" and x.grad.item() == pytest.approx(3 * shift.grad.item())


def test_a_group_computes_a_region_once():
    def calls(context):
        f = Counted(lambda x: (x.sin().cos(), x.sin().cos().sin()))
        x = leaf(1)
        y, z = checkpoint(f, x, use_reentrant=False)
        with context:
            rt.autograd.grad(z.sum(), x)
            rt.autograd.grad(y.sum(), x)
        return f.calls

    with set_checkpoint_early_stop(False):
        assert calls(GraphExecGroup()) == 2
        assert calls(warnings.catch_warnings()) == 3
    with GraphExecGroup(), pytest.raises(RuntimeError, match="cannot be nested"), GraphExecGroup():
        pass


def test_nothing_outlives_the_graph():
    x = leaf(1)
    big = rt.ones(1000)
    reference = weakref.ref(big)
    out = checkpoint(lambda t, b: (t.sin() * b).exp().sum(), x, big, use_reentrant=False)
    del big
    out.backward()
    del out
    gc.collect()
    assert reference() is None


def test_context_functions_surround_both_runs():
    seen = []

    class Watch(rt.TorchDispatchMode):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append((self.name, func.__name__))
            return func(*args, **(kwargs or {}))

    out = checkpoint(lambda x: x.exp(), leaf(1), use_reentrant=False, context_fn=lambda: (Watch("first"), Watch("second")))
    out.sum().backward()
    assert seen[0] == ("first", "exp.default") and ("second", "exp.default") in seen


def selective(policy, **options):
    return functools.partial(create_selective_checkpoint_contexts, policy, **options)


def test_a_policy_keeps_results_of_operators():
    counts = {"mm": 0, "sin": 0}

    class Count(rt.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            for name in counts:
                counts[name] += func.__name__.startswith(f"{name}.")
            return func(*args, **(kwargs or {}))

    x = rt.rand(3, 3, requires_grad=True)
    with Count():
        out = checkpoint(lambda t: (t @ t).sin().exp(), x, use_reentrant=False, context_fn=selective([rt.ops.aten.mm.default]))
        before = dict(counts)
        out.sum().backward(retain_graph=True)
        assert counts["mm"] == before["mm"] + 2  # those of the gradient
        assert counts["sin"] == before["sin"] + 1
        with pytest.raises(RuntimeError, match="backward an extra time"):
            out.sum().backward()
    y = x.detach().requires_grad_()
    (y @ y).sin().exp().sum().backward()
    assert x.grad.allclose(y.grad)


def test_policies_see_the_call_and_may_answer_with_a_bool():
    asked = []

    def policy(context, op, *args, **kwargs):
        asked.append((op, context.is_recompute, context.op_output is not None))
        return op is rt.ops.aten.sin.default

    checkpoint(lambda x: x.sin().exp(), leaf(1), use_reentrant=False, context_fn=selective(policy)).sum().backward()
    assert asked == [(rt.ops.aten.sin.default, False, True), (rt.ops.aten.exp.default, False, True)]


def test_what_a_policy_keeps_must_not_be_written():
    def policy(context, op, *args, **kwargs):
        return CheckpointPolicy.MUST_SAVE if op is rt.ops.aten.sin.default else CheckpointPolicy.PREFER_RECOMPUTE

    def f(x):
        return x.sin().mul_(2).cos().exp()

    with pytest.raises(RuntimeError, match="has been mutated"):
        checkpoint(f, leaf(1), use_reentrant=False, context_fn=selective(policy)).sum().backward()
    checkpoint(f, leaf(1), use_reentrant=False, context_fn=selective(policy, allow_cache_entry_mutation=True)).sum().backward()


def test_lists_of_operators_are_checked():
    with pytest.raises(ValueError, match="to be an OpOverload but got: 2"):
        create_selective_checkpoint_contexts([2])
    with pytest.raises(ValueError, match="update the OpOverloadPacket"):
        create_selective_checkpoint_contexts([rt.ops.aten.sin])
    with pytest.raises(TypeError, match="a function or a list of ops"):
        create_selective_checkpoint_contexts(2)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_sequences_run_in_segments(reentrant, segments):
    model = rt.nn.Sequential(*(rt.nn.Linear(3, 3) for _ in range(5)))
    x = rt.rand(2, 3, requires_grad=True)
    checkpoint_sequential(model, segments, x, use_reentrant=reentrant).sum().backward()
    y = x.detach().requires_grad_()
    model(y).sum().backward()
    assert x.grad.allclose(y.grad)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: other"):
        checkpoint_sequential(model, segments, x, use_reentrant=reentrant, other=1)
