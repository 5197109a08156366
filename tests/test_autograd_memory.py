"""What autograd keeps alive and for how long; leaks, long chains, and ends of graphs."""

import copy
import gc
import pickle
import resource
import sys
import threading
import weakref

import pytest

import runtime as rt
from runtime.autograd import Function, grad


class Payload(rt.Tensor):
    """A tensor that can be watched dying."""


class Double(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        (_,) = ctx.saved_tensors
        return gradient * 2


def leaf(n=4):
    return rt.ones(n, requires_grad=True)


def test_saved_tensors_die_in_backward():
    x = leaf()
    middle = x * 2
    dead = weakref.ref(middle)
    end = middle.sin()
    del middle
    assert dead() is not None
    total = end.sum()
    total.backward()
    assert dead() is None
    assert end.grad_fn is not None


def test_retained_graph_keeps_saved_tensors():
    x = leaf()
    middle = x * 2
    dead = weakref.ref(middle)
    total = middle.sin().sum()
    del middle
    total.backward(retain_graph=True)
    assert dead() is not None
    del total
    assert dead() is None


def test_saved_tensors_die_node_by_node():
    """A long chain gives back each tensor as soon as its node has run, not at the end."""
    alive = []
    x = leaf()
    first = x * 1  # recorded first: runs last
    value, references = x, []
    for _ in range(20):
        value = (value * 1).sin()
        node = value.grad_fn
        references.append(weakref.ref(node._saved_self))
    first.register_hook(lambda g: alive.append(sum(r() is not None for r in references)))
    del node
    ((first * 0).sum() + value.sum()).backward()
    assert alive and alive[-1] == 0


def test_graph_dies_with_its_last_tensor():
    x = leaf()
    y = x * 2
    node = weakref.ref(y.grad_fn)
    z = y + 1
    del y
    assert node() is not None
    del z
    assert node() is None


def test_nodes_outlive_tensors():
    x = leaf()
    node = (x * x).sum().grad_fn
    gc.collect()
    assert node.next_functions[0][0].next_functions[0][0].variable is x
    (result,) = grad(rt.autograd.graph.GradientEdge(node, 0) if hasattr(rt.autograd.graph, "GradientEdge") else (node, 0), x, rt.ones(()))
    assert result.tolist() == [2, 2, 2, 2]


def test_leaf_dies_after_its_graph():
    x = leaf()
    dead = weakref.ref(x)
    y = (x * 2).sum()
    del x
    assert dead() is not None
    y.backward()
    del y
    assert dead() is None


def test_million_nodes_end_without_recursion():
    value = leaf(1)
    for _ in range(1_000_000):
        value = value + 1
    value.backward()
    del value


def test_long_chains_of_custom_functions_end_without_recursion():
    value = leaf(1)
    for _ in range(100_000):
        value = Double.apply(value)
    del value
    gc.collect()


def test_long_chains_of_views_and_writes_end():
    base = leaf(4) * 1
    for i in range(20_000):
        base[i % 4].mul_(1)
    (base.sum()).backward()
    del base


def memory():
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def step_backward(x):
    (x * x).sin().sum().backward()
    x.grad = None


def step_grad(x):
    (g,) = grad((x * x * x).sum(), x, create_graph=True)
    grad(g.sum(), x)


def step_function(x):
    Double.apply(x).sum().backward()
    x.grad = None


def step_writes(x):
    y = x * 1
    y[1:3].mul_(2)
    y.t()[0] = 3
    (y * y).sum().backward()
    x.grad = None


def step_hooks(x):
    y = x * 2
    y.register_hook(lambda g: y.sum().detach() * 0 + g)
    y.retain_grad()
    handle = x.register_hook(lambda g: g)
    y.grad_fn.register_hook(lambda a, b: None)
    y.sum().backward()
    handle.remove()
    x.grad = None


def step_error(x):
    y = x * 2
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()


def step_unused(x):
    y = (x * 2).exp()
    assert y.grad_fn.next_functions


def step_cycle(x):
    y = Double.apply(x)
    y.grad_fn.me = y


def step_saved_hooks(x):
    with rt.autograd.graph.saved_tensors_hooks(lambda t: (t,), lambda p: p[0]):
        y = x.sin()
    y.sum().backward()
    x.grad = None


def step_copies(x):
    x.grad = x.detach()
    copy.deepcopy(x)
    pickle.loads(pickle.dumps(x))
    x.grad = None


STEPS = [v for k, v in list(globals().items()) if k.startswith("step_")]


@pytest.mark.parametrize("step", STEPS, ids=lambda f: f.__name__)
def test_steps_leak_nothing(step):
    if step is step_saved_hooks and not hasattr(rt.autograd.graph, "saved_tensors_hooks"):
        pytest.skip("the hooks' scope is not there")
    x = rt.ones(2000, requires_grad=True)
    for _ in range(300):
        step(x)
    gc.collect()
    objects, before = len(gc.get_objects()), memory()
    blocks = sys.getallocatedblocks()
    for _ in range(2000):
        step(x)
    gc.collect()
    assert len(gc.get_objects()) - objects < 50
    assert sys.getallocatedblocks() - blocks < 1000
    assert memory() - before < 4000


def test_backward_holds_no_more_than_the_graph():
    """Gradients of a chain die as backward goes on: the peak is a few tensors, not one for each node."""
    n = 1 << 20
    x = rt.ones(n, requires_grad=True)
    value = x
    for _ in range(60):
        value = value + 1
    total = value.sum()
    del value
    before = memory()
    total.backward()
    assert memory() - before < 10 * 4 * n / 1024


def test_threads_share_nodes_without_crashes():
    x = rt.ones(50, requires_grad=True)
    y = x
    for _ in range(30):
        y = y.sin() * 1.5 + y
    total = y.sum()
    expected = grad(total, x, retain_graph=True)[0].tolist()
    wrong = []

    def work():
        for _ in range(20):
            if grad(total, x, retain_graph=True)[0].tolist() != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_graph_is_freed_while_backward_runs():
    """A hook may drop the last reference to what runs."""
    x = leaf()
    holder = [(x * 2).sin()]
    holder[0].register_hook(lambda g: holder.clear())
    end = holder[0].sum()
    end.register_hook(lambda g: None)
    end.backward()
    assert x.grad is not None


def test_contexts_of_dead_nodes_are_harmless():
    kept = []

    class Keep(Function):
        @staticmethod
        def forward(ctx, x):
            kept.append(ctx)
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g

    y = Keep.apply(leaf())
    del y
    gc.collect()
    (ctx,) = kept
    assert len(ctx.saved_tensors) == 1
    assert len(ctx.next_functions) == 1
    assert ctx.needs_input_grad == (True,) and ctx.name() == "KeepBackward" and ctx.metadata == {} and repr(ctx)
    ctx.to_save = 3
    ctx.save_for_backward(1, 2)
    type(ctx)()
    assert type(ctx).__new__(type(ctx)).next_functions == ()


@pytest.mark.parametrize("write", ["relu_", "exp_", "sigmoid_", "tanh_", "sqrt_"])
def test_a_view_written_in_place_dies_with_its_last_reference(write):
    copy = rt.ones(4, requires_grad=True).clone()
    storage = copy.untyped_storage()
    died = weakref.ref(storage)
    getattr(copy.view(2, 2), write)()
    node = weakref.ref(copy.grad_fn)
    del copy, storage
    assert node() is None and died() is None
