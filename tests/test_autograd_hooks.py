"""Hooks: of tensors, of nodes, after accumulation, and of several tensors at once."""

import gc
import weakref

import pytest

from tests.programs import Programs, attempt

programs = Programs()


def leaf(m, *values):
    return m.tensor([float(v) for v in values], requires_grad=True)


@programs
def hooks_see_and_replace_gradients(m):
    seen = []
    x = leaf(m, 1, 2)
    y = x * 2
    y.register_hook(lambda g: seen.append(g))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g))
    y.sum().backward()
    yield seen, x.grad


@programs
def hooks_of_leaves(m):
    seen = []
    x = leaf(m, 1, 2)
    x.register_hook(lambda g: g * 3)
    x.register_hook(lambda g: seen.append((g, x.grad)))
    (x * 2).sum().backward()
    yield seen, x.grad
    (x * 2).sum().backward()
    yield seen, x.grad
    yield m.autograd.grad((x * 2).sum(), x), len(seen)


@programs
def handles_remove_hooks(m):
    x = leaf(m, 1, 2)
    h = x.register_hook(lambda g: g * 3)
    k = x.register_hook(lambda g: g * 5)
    (x * 1).sum().backward()
    yield x.grad
    h.remove()
    h.remove()
    (x * 1).sum().backward()
    yield x.grad
    with k:
        pass
    (x * 1).sum().backward()
    yield x.grad
    yield type(h).__name__, isinstance(h.id, int)


@programs
def hooks_removed_inside_hooks(m):
    x = leaf(m, 1, 2)
    order = []

    def first(g):
        order.append(1)
        b.remove()

    def third(g):
        order.append(3)
        c.remove()

    x.register_hook(first)
    b = x.register_hook(lambda g: order.append(2))
    c = x.register_hook(third)
    x.sum().backward()
    x.sum().backward()
    yield order


@programs
def hooks_added_inside_hooks(m):
    x = leaf(m, 1, 2)
    order = []

    def first(g):
        order.append(1)
        if len(order) < 3:
            x.register_hook(lambda g: order.append(2))

    x.register_hook(first)
    x.sum().backward()
    yield list(order)
    x.sum().backward()
    yield order


@programs
def wrong_results_of_hooks(m):
    x = leaf(m, 1, 2)
    for result in (1, "a", m.ones(3), m.ones(2, dtype=m.float64), m.ones(2, dtype=m.complex64), m.ones(1, 2)):
        y = x * 2

        def hook(g, result=result):
            return result

        y.register_hook(hook)
        yield attempt(y.sum().backward)
    x.grad = None
    y = x * 2
    y.register_hook(lambda g: m.ones(3))
    yield attempt(y.sum().backward), x.grad


@programs
def errors_in_hooks(m):
    x = leaf(m, 1, 2)

    def fail(g):
        raise KeyError("hook")

    y = x * 2
    h = y.register_hook(fail)
    yield attempt(y.sum().backward), x.grad
    h.remove()
    z = (x * 3).sum()
    z.backward()
    yield x.grad, m.is_grad_enabled()


@programs
def hooks_need_gradients(m):
    yield attempt(m.ones(2).register_hook, lambda g: g)
    yield attempt((leaf(m, 1) * 2).detach().register_hook, lambda g: g)
    yield attempt(m.ones(2).register_post_accumulate_grad_hook, lambda g: g)
    yield attempt(m.ones(2).retain_grad)
    yield attempt((leaf(m, 1) * 2).register_post_accumulate_grad_hook, lambda t: None)
    yield attempt(leaf(m, 1).retain_grad)


@programs
def hooks_and_writes(m):
    count = []
    a = leaf(m, 1)
    b = a.clone()
    b.register_hook(lambda g: (count.append(("first", g)), g * 2)[1])
    b.mul_(2)
    b.register_hook(lambda g: (count.append(("second", g)), g * 2)[1])
    b.sum().backward()
    yield count, a.grad


@programs
def hooks_and_several_writes(m):
    count = []
    a = leaf(m, 1)
    b = a.clone()
    for i in range(3):
        b.register_hook(lambda g, i=i: count.append((i, g)))
        b.mul_(i + 2)
    b.retain_grad()
    b.mul_(10)
    b.register_hook(lambda g: g * 100)
    b.sum().backward()
    yield count, a.grad, b.grad


@programs
def retained_gradients_and_writes(m):
    x = leaf(m, 1, 2)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    (y * y).sum().backward()
    yield y.grad, x.grad, y.retains_grad
    z = x * 2
    z.retain_grad()
    z.retain_grad()
    z.register_hook(lambda g: g * 2)
    z.sum().backward()
    yield z.grad
    w = x * 2
    w.retain_grad()
    w.detach_()
    yield w.retains_grad, w.grad


@programs
def retained_gradients(m):
    x = leaf(m, 1, 2)
    y = x * 2
    y.retain_grad()
    z = (y * y).sum()
    z.backward(retain_graph=True)
    first = y.grad
    z.backward()
    yield y.grad, first, y.grad is first, x.retains_grad
    x.retain_grad()
    yield x.retains_grad
    v = x * 2
    v.retain_grad()
    (v * v).sum().backward(create_graph=True)
    yield v.grad


@programs
def retained_gradient_is_a_copy(m):
    x = leaf(m, 1, 2)
    y = x * 1
    y.retain_grad()
    y.sum().backward()
    y.grad.add_(5)
    yield x.grad
    a, b = (x * 1).split(1)
    a.retain_grad()
    b.retain_grad()
    (a * 2 + b * 3).sum().backward()
    yield a.grad, b.grad


@programs
def retained_by_dead_tensor(m):
    x = leaf(m, 1, 2)
    y = x * 2
    y.retain_grad()
    z = y.sum()
    del y
    z.backward()
    yield x.grad


@programs
def post_accumulate_hooks(m):
    seen = []
    x = leaf(m, 1, 2)

    def hook(t):
        seen.append((t is x, t.grad.clone()))
        t.grad = None

    h = x.register_post_accumulate_grad_hook(hook)
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    yield seen, x.grad
    h.remove()
    (x * 3).sum().backward()
    yield len(seen), x.grad


@programs
def post_accumulate_hook_that_updates(m):
    x = leaf(m, 1, 2)

    def hook(t):
        with m.no_grad():
            t.sub_(t.grad)

    x.register_post_accumulate_grad_hook(hook)
    (x * 2).sum().backward()
    yield x, x._version
    y = leaf(m, 1)
    y.register_post_accumulate_grad_hook(lambda t: 3)
    yield attempt(y.sum().backward)


@programs
def post_accumulate_hooks_order(m):
    order = []
    x = leaf(m, 1, 2)
    x.register_post_accumulate_grad_hook(lambda t: order.append("a"))
    x.register_hook(lambda g: order.append("tensor"))
    x.register_post_accumulate_grad_hook(lambda t: order.append("b"))
    y = x * 2
    node = y.grad_fn.next_functions[0][0]
    node.register_hook(lambda gi, go: order.append(("node post", gi, go)))
    node.register_prehook(lambda go: order.append(("node pre", go)))
    y.sum().backward()
    yield order
    order.clear()
    m.autograd.grad((x * 2).sum(), x)
    yield order


@programs
def post_accumulate_hook_with_several_passes(m):
    x = leaf(m, 1)
    n = []
    x.register_post_accumulate_grad_hook(lambda t: n.append(float(t.grad)))
    (x * 2 + x * 3).sum().backward()
    m.autograd.backward([x.sum(), (x * 2).sum()])
    yield n
    (x * 1).sum().backward(inputs=[x])
    yield n


@programs
def node_hooks(m):
    seen = []
    x, w = leaf(m, 1, 2), leaf(m, 3, 4)
    y = x * w
    y.grad_fn.register_hook(lambda gi, go: seen.append((gi, go)))
    y.sum().backward()
    yield seen
    z = x * w
    z.grad_fn.register_hook(lambda gi, go: (gi[0] * 10, gi[1]))
    x.grad = w.grad = None
    z.sum().backward()
    yield x.grad, w.grad
    v = x * w
    v.grad_fn.register_prehook(lambda go: (go[0] * 100,))
    x.grad = w.grad = None
    v.sum().backward()
    yield x.grad, w.grad


@programs
def node_hooks_of_one_input(m):
    x = leaf(m, 1, 2)
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: (m.zeros(2),))
    y.sum().backward()
    yield x.grad
    z = x.exp()
    z.grad_fn.register_hook(lambda gi, go: m.ones(2))
    yield attempt(z.sum().backward), x.grad
    v = x.exp()
    v.grad_fn.register_hook(lambda gi, go: (m.ones(2), None))
    yield attempt(v.sum().backward)
    u = x.exp()
    u.grad_fn.register_hook(lambda gi, go: [m.ones(2)])
    yield attempt(u.sum().backward)
    t = x.exp()
    t.grad_fn.register_hook(lambda gi, go: ("a",))
    yield attempt(t.sum().backward)


@programs
def wrong_prehooks(m):
    x = leaf(m, 1, 2)
    for result in ((), (1,), 3, (m.ones(2), m.ones(2)), (None,), m.ones(2), [m.ones(2)], (m.ones(3),)):
        y = x.exp()

        def hook(go, result=result):
            return result

        y.grad_fn.register_prehook(hook)
        yield attempt(y.sum().backward)


@programs
def node_hooks_order(m):
    order = []
    x = leaf(m, 1, 2)
    y = x * 2
    y.grad_fn.register_hook(lambda gi, go: order.append("post 1"))
    y.register_hook(lambda g: order.append("tensor 1"))
    y.grad_fn.register_prehook(lambda go: order.append("pre 1"))
    y.retain_grad()
    y.register_hook(lambda g: order.append("tensor 2"))
    y.grad_fn.register_prehook(lambda go: order.append("pre 2"))
    y.grad_fn.register_hook(lambda gi, go: order.append("post 2"))
    y.sum().backward()
    yield order


@programs
def hooks_of_nodes_that_do_not_run(m):
    order = []
    x = leaf(m, 1, 2)
    y = x * 2
    y.register_hook(lambda g: (order.append("tensor"), g * 10)[1])
    y.grad_fn.register_prehook(lambda go: (order.append("pre"), (go[0] * 100,))[1])
    y.grad_fn.register_hook(lambda gi, go: order.append("post"))
    z = y.sum()
    yield m.autograd.grad(z, y, retain_graph=True), order
    order.clear()
    yield m.autograd.grad(z, [y, x], retain_graph=True), order
    order.clear()
    z.backward(inputs=[y])
    yield y.grad, order


@programs
def hooks_of_outputs(m):
    seen = []
    x = m.arange(4.0).requires_grad_()
    a, b = x.split(2)
    a.register_hook(lambda g: (seen.append(("a", g)), g * 2)[1])
    b.register_hook(lambda g: (seen.append(("b", g)), g * 3)[1])
    (a.sum() + b.sum()).backward()
    yield seen, x.grad
    seen.clear()
    a, b = x.split(2)
    b.register_hook(lambda g: seen.append(("b", g)))
    a.sum().backward()
    yield seen
    x.split(2)[0].grad_fn.register_prehook(lambda go: seen.append(go))
    a, b = x.split(2)
    a.grad_fn.register_prehook(lambda go: seen.append(go))
    b.sum().backward()
    yield seen


@programs
def hooks_with_create_graph(m):
    x = leaf(m, 1, 2)
    y = x * x
    seen = []
    y.register_hook(lambda g: (seen.append(m.is_grad_enabled()), g * x)[1])
    (g,) = m.autograd.grad(y.sum(), x, create_graph=True)
    yield g, seen
    g.sum().backward()
    yield x.grad


@programs
def hooks_in_no_grad_mode(m):
    seen = []
    x = leaf(m, 1)
    x.register_hook(lambda g: seen.append((m.is_grad_enabled(), (x * 2).requires_grad, g.requires_grad)))
    x.sum().backward()
    yield seen


@programs
def hook_that_writes_its_gradient(m):
    x = leaf(m, 1, 2)
    y = x * 2
    y.register_hook(lambda g: g.mul_(10) if g.is_contiguous() and g.stride() == (1,) else None)
    y.backward(m.ones(2))
    yield x.grad


@programs
def hook_called_per_output_once(m):
    n = []
    x = leaf(m, 1)
    y = x * 2
    y.register_hook(lambda g: n.append(g))
    (y * 1 + y * 2 + y * 3).sum().backward()
    yield n


@programs
def hook_argument_errors(m):
    x = leaf(m, 1)
    y = x * 2
    y.register_hook(lambda: None)
    try:
        y.sum().backward()
    except TypeError:
        yield "TypeError"
    z = x * 2
    z.register_hook(3)
    yield attempt(z.sum().backward)


@programs
def hooks_attribute(m):
    x = leaf(m, 1)
    yield x._backward_hooks, x.retains_grad
    x.register_hook(lambda g: None)
    yield len(x._backward_hooks), type(x._backward_hooks).__name__
    y = x * 2
    yield y._backward_hooks


@programs
def multi_grad_hooks(m):
    register = m.autograd.graph.register_multi_grad_hook
    seen = []
    x, w = leaf(m, 1, 2), leaf(m, 3, 4)
    y = x * 2
    h = register((x, w, y), lambda gs: seen.append(gs))
    (y * w).sum().backward()
    yield seen
    seen.clear()
    (x * 2).sum().backward()
    yield seen
    h.remove()
    (x * w).sum().backward()
    yield seen
    register((x, w), lambda g: seen.append(g), mode="any")
    (x * w).sum().backward()
    yield seen


@programs
def hooks_of_nodes_that_nobody_asked_for(m):
    seen = []
    first, second, third = (leaf(m, i) for i in (1, 2, 3))
    a, b = first * 2, second * 3
    a.register_hook(lambda g: seen.append("a"))
    b.register_hook(lambda g: seen.append("b"))
    out = (a * b).sum()
    for inputs in ((a, b), (third,), (third, b), (first,), (a,)):
        out.backward(inputs=inputs, retain_graph=True)
        yield seen
        seen.clear()


@programs
def node_queries(m):
    x = leaf(m, 1)
    y = x * 2
    yield y.grad_fn._sequence_nr() < (x * 3).grad_fn._sequence_nr()
    yield isinstance(y.grad_fn, m.autograd.graph.Node), issubclass(type(y.grad_fn), m.autograd.graph.Node)


@programs
def hooks_die_with_their_nodes(m):
    class Box:
        def __call__(self, g):
            return None

    x = leaf(m, 1)
    y = x * 2
    box = Box()
    dead = weakref.ref(box)
    y.register_hook(box)
    del box
    yield dead() is None
    y.sum().backward()
    del y
    gc.collect()
    yield dead() is None


@programs
def register_hook_on_view_of_leaf(m):
    seen = []
    x = leaf(m, 1, 2)
    v = x[0:1]
    v.register_hook(lambda g: seen.append(g))
    x.register_hook(lambda g: seen.append(g))
    (v * 3 + x.sum()).sum().backward()
    yield seen, x.grad


@programs
def hook_of_leaf_registered_after_use(m):
    seen = []
    x = leaf(m, 1, 2)
    y = (x * 2).sum()
    x.register_hook(lambda g: (seen.append(g), g * 5)[1])
    y.backward()
    yield seen, x.grad
    z = leaf(m, 1)
    z.register_hook(lambda g: seen.append("z"))
    w = z * 2
    del z
    w.sum().backward()
    yield seen[1:]


@programs
def grad_mode_is_back_after_hooks(m):
    x = leaf(m, 1)
    y = x * 2
    y.register_hook(lambda g: m.set_grad_enabled(True) and None)
    y.sum().backward()
    yield m.is_grad_enabled()
    with m.no_grad():
        z = y.detach()
    yield z.requires_grad


@pytest.mark.oracle
@pytest.mark.parametrize("name", programs)
def test_as_pytorch(name):
    pytest.importorskip("torch")
    programs.compare(name)
