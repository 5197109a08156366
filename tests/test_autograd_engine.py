"""The engine: what runs, in which order, what is accumulated and returned, and which errors it raises."""

import gc
import threading
import warnings  # noqa: F401

import pytest

import runtime as rt
from tests.programs import Programs, attempt, warned

programs = Programs()


def leaf(m, *values):
    return m.tensor([float(v) for v in values], requires_grad=True)


def double_of(m, seen=None):
    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            if seen is not None:
                seen.append(grad)
            return grad * 2

    return Double


@programs
def backward_of_scalar_accumulates(m):
    x = leaf(m, 1, 2, 3)
    (x * x).sum().backward()
    yield x.grad
    (x * 3).sum().backward()
    yield x.grad


@programs
def implicit_gradient_needs_scalar(m):
    x = leaf(m, 1, 2)
    yield attempt((x * 2).backward)
    yield attempt(m.autograd.grad, x * 2, x)
    yield attempt(m.autograd.backward, [x * 2])
    y = (x * 2).to(m.complex64).sum()
    yield attempt(y.backward)


@programs
def gradient_of_wrong_shape(m):
    x = leaf(m, 1, 2)
    y = x * 2
    yield attempt(y.backward, m.ones(3))
    yield attempt(m.autograd.grad, y, x, m.ones(1, 2))
    yield attempt(m.autograd.backward, [y, y], [m.ones(2), m.ones(1, 2)]).partition("output[")[0].partition("]")[2]


@programs
def gradient_of_other_types(m):
    x = leaf(m, 1, 2)
    y = x * 2
    yield attempt(y.backward, 1.0)
    yield attempt(m.autograd.backward, [y], [1.0])
    yield attempt(m.autograd.grad, y, x, ["a"])
    yield attempt(y.backward, m.ones(2, dtype=m.complex64))
    z = x.to(m.complex64) * 1j
    yield attempt(z.backward, m.ones(2))


@programs
def number_of_gradients(m):
    x = leaf(m, 1, 2)
    yield attempt(m.autograd.backward, [x * 2, x * 3], [m.ones(2)])
    yield attempt(m.autograd.grad, [x * 2, x * 3], [x], [m.ones(2)])


@programs
def second_backward_needs_retained_graph(m):
    x = leaf(m, 1, 2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    yield x.grad
    yield attempt(y.backward)
    z = (x + 1).sum()
    z.backward()
    yield attempt(z.backward)
    w = x.exp().sum()
    w.backward()
    yield attempt(w.backward)


@programs
def freed_nodes_refuse_saved_attributes(m):
    x = leaf(m, 1, 2)
    y = x.exp()
    yield y.grad_fn._saved_result
    y.sum().backward()
    yield attempt(lambda: y.grad_fn._saved_result)
    yield type(y.grad_fn._raw_saved_result).__name__


@programs
def no_tensor_requires_grad(m):
    x = m.ones(2)
    yield attempt(x.sum().backward)
    yield attempt(m.autograd.backward, [x.sum()])
    yield attempt(m.autograd.grad, x.sum(), x)
    y = leaf(m, 1)
    yield attempt(m.autograd.grad, y.sum(), x)
    yield attempt(m.autograd.grad, x.sum(), y)


@programs
def backward_of_nothing(m):
    yield attempt(m.autograd.backward, [])
    yield attempt(m.autograd.grad, [], [])
    x = leaf(m, 1)
    yield attempt(m.autograd.grad, x.sum(), [])
    yield attempt(m.autograd.backward, x.sum(), inputs=[])
    yield attempt(x.sum().backward, inputs=())


@programs
def unused_input(m):
    x, y = leaf(m, 1, 2), leaf(m, 3)
    z = (x * 2).sum()
    yield attempt(m.autograd.grad, z, [x, y], retain_graph=True)
    yield m.autograd.grad(z, [x, y], allow_unused=True, retain_graph=True)
    yield m.autograd.grad(z, [x, y], materialize_grads=True, retain_graph=True)
    yield attempt(m.autograd.grad, z, [x, y], allow_unused=False, materialize_grads=True)
    w = y * 2
    yield attempt(m.autograd.grad, z, [x, w], retain_graph=True)
    yield attempt(m.autograd.grad, z, w, retain_graph=True)


@programs
def grad_of_nonleaf(m):
    x = leaf(m, 1, 2)
    y = x * 2
    z = (y * y).sum()
    yield m.autograd.grad(z, [y, x], retain_graph=True)
    yield m.autograd.grad(z, [x, y, x], retain_graph=True)
    yield m.autograd.grad(z, z, retain_graph=True)
    yield x.grad, warned(lambda: y.grad)


@programs
def gradients_with_create_graph(m):
    x = leaf(m, 1, 2)
    (g,) = m.autograd.grad((x**3).sum(), x, create_graph=True)
    yield g
    (h,) = m.autograd.grad(g.sum(), x, create_graph=True)
    yield h
    (k,) = m.autograd.grad(h.sum(), x)
    yield k


@programs
def backward_with_create_graph_accumulates_history(m):
    x = leaf(m, 1, 2)
    yield warned((x**3).sum().backward, create_graph=True)
    yield x.grad
    first = x.grad
    (x**2).sum().backward(create_graph=True)
    yield x.grad, x.grad is first
    x.grad.sum().backward()
    yield x.grad


@programs
def backward_inputs(m):
    x, y = leaf(m, 1, 2), leaf(m, 3, 4)
    w = x * y
    z = (w * x).sum()
    z.backward(inputs=[x], retain_graph=True)
    yield x.grad, y.grad
    z.backward(inputs=y, retain_graph=True)
    yield x.grad, y.grad
    m.autograd.backward(z, inputs=(x, y), retain_graph=True)
    yield x.grad, y.grad
    w.retain_grad()
    z.backward(inputs=[w], retain_graph=True)
    yield w.grad, x.grad
    yield attempt(z.backward, inputs=[m.ones(2)])


@programs
def backward_inputs_nonleaf_without_retain(m):
    x = leaf(m, 1, 2)
    y = x * 2
    z = (y * y).sum()
    z.backward(inputs=[y], retain_graph=True)
    yield y.grad
    z.backward(inputs=[y, x], retain_graph=True)
    yield y.grad, x.grad
    z.backward(inputs=(y, y), retain_graph=True)
    yield y.grad


@programs
def backward_inputs_duplicates(m):
    x = leaf(m, 1, 2)
    z = (x * x).sum()
    m.autograd.backward(z, inputs=[x, x])
    yield x.grad


@programs
def several_roots(m):
    x = leaf(m, 1, 2)
    a, b = (x * 2).sum(), (x * x).sum()
    m.autograd.backward([a, b])
    yield x.grad
    a, b = x * 2, x * x
    m.autograd.backward([a, b], [m.ones(2), m.tensor([2.0, 3.0])])
    yield x.grad
    yield m.autograd.grad([x * 2, x * x], [x], [m.ones(2), m.tensor([2.0, 3.0])])
    a = (x * x).sum()
    yield m.autograd.grad([a, a], [x])
    yield m.autograd.grad([a.exp(), x.exp().sum()], [x])


@programs
def root_that_is_inside_the_graph(m):
    x = leaf(m, 1, 2)
    y = x * x
    z = y.exp()
    m.autograd.backward([y.sum(), z.sum(), y], [None, None, m.ones(2)])
    yield x.grad
    yield m.autograd.grad([z, y], [y, x], [m.ones(2), m.ones(2)]) if False else None


@programs
def root_is_leaf(m):
    x = leaf(m, 1)
    x.backward()
    yield x.grad
    x.backward()
    yield x.grad
    y = m.tensor(2.0, requires_grad=True)
    yield m.autograd.grad(y, y)
    yield m.autograd.grad(y, y, m.tensor(3.0))


@programs
def none_gradients(m):
    x = leaf(m, 1, 2)
    y = (x * 2).sum()
    c = m.ones(2).sum()
    yield attempt(m.autograd.backward, [y, c], [None, None])
    yield attempt(m.autograd.grad, [y, c], [x], [None, m.tensor(1.0)])
    z = x * 2
    yield attempt(m.autograd.grad, [z], [x], [None])
    yield attempt(z.backward, None)


@programs
def undefined_gradient_of_an_output(m):
    x = leaf(m, 3, 1, 2)
    values, indices = x.sort()
    yield values, indices
    a, b, c = x.unbind()
    b.backward()
    yield x.grad
    p, q = m.std_mean(x)
    yield m.autograd.grad(q, x, retain_graph=True)
    yield m.autograd.grad(p, x)


@programs
def batched_gradients(m):
    x = leaf(m, 1, 2, 3)
    y = x * x
    yield m.autograd.grad(y, x, m.eye(3), is_grads_batched=True, retain_graph=True)
    yield attempt(m.autograd.grad, y, x, m.ones(3), is_grads_batched=True, retain_graph=True)
    yield attempt(m.autograd.grad, y, x, m.ones(2, 2), is_grads_batched=True, retain_graph=True)
    yield attempt(m.autograd.grad, y, x, None, is_grads_batched=True, retain_graph=True)


@programs
def only_inputs_is_deprecated(m):
    x = leaf(m, 1)
    yield warned(m.autograd.grad, x.sum(), x, only_inputs=False)
    yield warned(m.autograd.backward, x.sum(), grad_variables=m.tensor(1.0))
    yield attempt(m.autograd.backward, x.sum(), m.tensor(1.0), grad_variables=m.tensor(1.0))


@programs
def later_nodes_run_first(m):
    order = []

    def note(name):
        class Note(m.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, grad):
                order.append(name)
                return grad

        return Note.apply

    x = leaf(m, 1)
    a = note("a")(x)
    b = note("b")(x)
    c = note("c")(a)
    d = note("d")(b)
    (d + c + note("e")(x)).sum().backward()
    yield order


@programs
def accumulation_runs_before_older_nodes(m):
    order = []
    x, y = leaf(m, 1), leaf(m, 2)
    x.register_post_accumulate_grad_hook(lambda t: order.append("x"))
    y.register_post_accumulate_grad_hook(lambda t: order.append("y"))
    a = x * 2
    a.register_hook(lambda g: order.append("a"))
    b = y * 3
    b.register_hook(lambda g: order.append("b"))
    (a + b).sum().backward()
    yield order


@programs
def reentrant_backward_in_function(m):
    y_data = m.randn(2, 2) * 0 + 2

    class Reenter(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with m.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.y = y_data.clone().requires_grad_()
                ctx.out = ctx.x * ctx.y
            return ctx.out.detach()

        @staticmethod
        def backward(ctx, grad):
            with m.enable_grad():
                ctx.out.sum().backward()
            return ctx.x.grad * grad

    x = m.ones(2, 2, requires_grad=True)
    out = Reenter.apply(x)
    out.sum().backward(create_graph=True)
    yield x.grad


@programs
def reentrant_backward_of_the_same_leaf(m):
    x = leaf(m, 1, 2)

    class Reenter(m.autograd.Function):
        @staticmethod
        def forward(ctx, v):
            return v.clone()

        @staticmethod
        def backward(ctx, grad):
            with m.enable_grad():
                (x * x).sum().backward()
            return grad

    Reenter.apply(x * 3).sum().backward()
    yield x.grad


@programs
def reentrant_over_the_same_graph(m):
    x = leaf(m, 1, 2)
    y = x * x
    z = y.exp()
    inner = []

    def hook(grad):
        inner.append(m.autograd.grad(z.sum(), x, retain_graph=True)[0])
        return grad

    y.register_hook(hook) if False else None
    z.register_hook(lambda g: inner.append(m.autograd.grad(y.sum(), x, retain_graph=True)[0]))
    z.sum().backward()
    yield x.grad, inner


@programs
def deep_reentrance(m):
    class Deep(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with m.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.x = ctx.x - 1
            return ctx.x.detach()

        @staticmethod
        def backward(ctx, grad):
            if ctx.x < 0:
                return grad
            with m.enable_grad():
                Deep.apply(ctx.x).sum().backward()
            return grad

    v = m.tensor(300.0, requires_grad=True)
    Deep.apply(v).sum().backward()
    yield v.grad
    v = m.tensor(2000.0, requires_grad=True)
    Deep.apply(v).sum().backward()
    yield v.grad


@programs
def deep_reentrance_in_hooks(m):
    def descend(depth):
        x = m.tensor(1.0, requires_grad=True)
        y = x * 2
        if depth:
            y.register_hook(lambda g: descend(depth - 1) or None)
        y.backward()
        seen.append(float(x.grad))

    seen = []
    descend(150)
    yield seen


@programs
def error_in_deep_reentrance(m):
    class Deep(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.depth = int(x)
            return x - 1

        @staticmethod
        def backward(ctx, grad):
            if ctx.depth == 0:
                raise ValueError("bottom")
            with m.enable_grad():
                Deep.apply(m.tensor(float(ctx.depth - 1), requires_grad=True)).backward()
            return grad

    yield attempt(Deep.apply(m.tensor(200.0, requires_grad=True)).backward)
    x = leaf(m, 1)
    x.sum().backward()
    yield x.grad


@programs
def final_callbacks(m):
    order = []
    queue = m.autograd.Variable._execution_engine.queue_callback

    class Queue(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            queue(lambda: order.append(("callback", m.is_grad_enabled())))
            order.append("backward")
            return grad * 2

    x = leaf(m, 1)
    y = Queue.apply(x)
    Queue.apply(y).sum().backward()
    yield order
    order.clear()
    Queue.apply(Queue.apply(x)).sum().backward(create_graph=True)
    yield order
    yield attempt(queue, lambda: None)


@programs
def callback_queues_callback(m):
    order = []
    queue = m.autograd.Variable._execution_engine.queue_callback
    x = leaf(m, 1)
    y = x * 2

    def second():
        order.append(2)

    def first():
        order.append(1)
        queue(second)

    y.register_hook(lambda g: queue(first))
    y.sum().backward()
    yield order


@programs
def error_in_callback(m):
    queue = m.autograd.Variable._execution_engine.queue_callback
    x = leaf(m, 1)
    y = x * 2

    def fail():
        raise KeyError("callback")

    y.register_hook(lambda g: queue(fail))
    yield attempt(y.sum().backward)
    yield x.grad
    (x * 3).sum().backward()
    yield x.grad


@programs
def callback_of_inner_run(m):
    order = []
    queue = m.autograd.Variable._execution_engine.queue_callback
    x = leaf(m, 1)

    def inner(g):
        y = x.detach().requires_grad_() * 2
        y.register_hook(lambda g: queue(lambda: order.append("inner")))
        y.sum().backward()
        order.append("after inner")

    z = x * 3
    z.register_hook(lambda g: queue(lambda: order.append("outer")))
    z.register_hook(inner)
    z.sum().backward()
    yield order


@programs
def errors_leave_no_traces(m):
    class Fail(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            raise RuntimeError("no gradient here")

    x, w = leaf(m, 1, 2), leaf(m, 3, 4)
    y = (w * 2).sum()
    z = Fail.apply(x).sum() + y
    yield attempt(z.backward), m.is_grad_enabled()
    yield x.grad
    y.backward()
    yield w.grad
    yield m.is_grad_enabled()


@programs
def wrong_gradient_shapes_of_functions(m):
    def returning(make):
        class F(m.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, grad):
                return make(grad)

        return F

    x = leaf(m, 1, 2)
    yield attempt(returning(lambda g: m.ones(3)).apply(x).sum().backward)
    yield attempt(returning(lambda g: (g, g)).apply(x).sum().backward)
    yield attempt(returning(lambda g: ()).apply(x).sum().backward)
    yield attempt(returning(lambda g: (g, None)).apply(x).sum().backward)
    yield attempt(returning(lambda g: 1.0).apply(x).sum().backward)
    yield attempt(returning(lambda g: "a").apply(x).sum().backward)
    yield attempt(returning(lambda g: g.double()).apply(x).sum().backward), x.grad
    yield attempt(returning(lambda g: g.to(m.complex64)).apply(x).sum().backward)
    yield attempt(returning(lambda g: m.ones(3, 2)).apply(x).sum().backward), x.grad
    yield attempt(returning(lambda g: m.ones(2, dtype=m.int64)).apply(x).sum().backward), x.grad


@programs
def diamonds(m):
    x = leaf(m, 1, 2)
    y = x
    for _ in range(30):
        y = (y + y) / 2
    y.sum().backward()
    yield x.grad
    F = double_of(m)
    y = x
    for _ in range(10):
        a, b = F.apply(y), F.apply(y)
        y = (a + b) / 4
    y.sum().backward()
    yield x.grad


@programs
def shared_leaf_many_uses(m):
    x = leaf(m, 1, 2)
    y = sum(x * i for i in range(20))
    y.sum().backward()
    yield x.grad
    yield m.autograd.grad([x.sum() for _ in range(5)], x)


@programs
def unrelated_branch_does_not_run(m):
    seen = []
    F = double_of(m, seen)
    x, w = leaf(m, 1, 2), leaf(m, 3)
    z = F.apply(w).sum() + (x * 2).sum()
    yield m.autograd.grad(z, x, retain_graph=True), len(seen)
    z.backward(inputs=[x], retain_graph=True)
    yield len(seen), w.grad
    z.backward()
    yield len(seen)


@programs
def will_engine_execute(m):
    will = m._C._will_engine_execute_node if hasattr(m, "_C") else m._core._will_engine_execute_node
    x, w = leaf(m, 1, 2), leaf(m, 3)
    a, b = x * 2, w * 3
    nodes = {"a": a.grad_fn, "b": b.grad_fn}
    z = a.sum() + b.sum()
    found = []
    z.register_hook(lambda g: found.append({k: will(n) for k, n in nodes.items()}))
    z.backward(inputs=[x], retain_graph=True)
    m.autograd.grad(z, w, retain_graph=True)
    z.backward()
    yield found
    yield attempt(will, a.grad_fn)


@programs
def grad_of_broadcast(m):
    x, w = m.ones(3, 1, requires_grad=True), m.ones(4, requires_grad=True)
    s = m.tensor(2.0, requires_grad=True)
    (x * w * s).sum().backward()
    yield x.grad, w.grad, s.grad


@programs
def dtype_promotion(m):
    x = m.ones(3, requires_grad=True)
    y = m.ones(3, dtype=m.float64, requires_grad=True)
    (x * y).sum().backward()
    yield x.grad, y.grad
    z = x.to(m.float64)
    z.backward(m.ones(3, dtype=m.float64))
    yield x.grad
    h = (x * 2).half()
    h.backward(m.ones(3, dtype=m.float16))
    yield x.grad
    yield attempt((x * 2).backward, m.ones(3, dtype=m.float64)), x.grad
    yield attempt((x * 2).backward, m.ones(3, dtype=m.int64)), x.grad


@programs
def complex_to_real(m):
    x = m.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    (x * x.conj()).real.sum().backward()
    yield x.grad
    r = leaf(m, 1, 2)
    (r * m.tensor([1 + 2j, 3 - 1j])).abs().sum().backward()
    yield r.grad
    yield attempt(x.sum().backward)
    x.grad = None
    x.sum().backward(m.tensor(1j))
    yield x.grad
    m.view_as_real(x).sum().backward()
    yield x.grad


@programs
def gradient_edges(m):
    edge = m.autograd.graph.get_gradient_edge
    x = leaf(m, 1, 2)
    y = x * x
    z = y.exp().sum()
    yield m.autograd.grad(z, [edge(y), edge(x)], retain_graph=True)
    yield m.autograd.grad(edge(z), x, retain_graph=True)
    m.autograd.backward(edge(z), inputs=[edge(x)], retain_graph=True)
    yield x.grad
    yield attempt(m.autograd.grad, edge(y), x, retain_graph=True)
    yield m.autograd.grad(edge(y), x, m.ones(2), retain_graph=True)
    yield attempt(edge, m.ones(2))


@programs
def next_functions_and_names(m):
    x = leaf(m, 1, 2)
    y = x * 2 + x.exp()
    node = y.grad_fn
    yield node.name(), type(node).__name__, [(f.name(), i) for f, i in node.next_functions]
    mul, exp = (f for f, _ in node.next_functions)
    yield mul.next_functions[1], exp.next_functions[0][0].variable is x
    yield repr(node)
    yield node.metadata
    node.metadata["a"] = 1
    yield y.grad_fn.metadata, y.grad_fn is node
    yield exp.next_functions[0][0] is mul.next_functions[0][0]


@programs
def node_attributes(m):
    x = leaf(m, 1, 2)
    y = x * 2
    yield y.output_nr, y.is_leaf, y.requires_grad, x.output_nr
    a, b = x.split(1)
    yield a.output_nr, b.output_nr, b.grad_fn is a.grad_fn
    yield attempt(lambda: type(y.grad_fn)())
    yield attempt(setattr, y, "grad_fn", None)
    yield attempt(setattr, y, "is_leaf", True)
    yield attempt(setattr, y, "output_nr", 3)


@programs
def accumulate_grad_node(m):
    x = leaf(m, 1, 2)
    node = (x * 2).grad_fn.next_functions[0][0]
    yield node.name(), node.next_functions, type(node).__name__
    yield (x * 3).grad_fn.next_functions[0][0] is node
    node(m.ones(2)) if callable(node) else x.sum().backward()
    yield x.grad


@programs
def nodes_can_be_called(m):
    x = leaf(m, 1, 2)
    y = x * 3
    yield attempt(y.grad_fn, m.ones(2))
    z = m.stack([x, x])
    yield attempt(z.grad_fn, m.ones(2, 2))
    yield attempt(y.grad_fn)
    yield attempt(y.grad_fn, m.ones(2), m.ones(2))
    yield attempt(y.grad_fn, 1)
    a, b = x.split(1)
    yield attempt(a.grad_fn, m.ones(1), None)


@programs
def graph_task_numbers(m):
    core = m._C if hasattr(m, "_C") else m._core
    x = leaf(m, 1)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append((core._current_graph_task_id() >= 0, core._current_autograd_node())))
    y.sum().backward()
    yield seen, core._current_graph_task_id(), core._current_autograd_node()


@programs
def no_grad_inside_backward(m):
    seen = []

    class F(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(m.is_grad_enabled())
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            seen.append((m.is_grad_enabled(), grad.requires_grad))
            return grad * 2

    x = leaf(m, 1)
    F.apply(x).sum().backward()
    F.apply(x).sum().backward(create_graph=True)
    m.autograd.grad(F.apply(x).sum(), x)
    with m.no_grad():
        z = F.apply(x)
    y = F.apply(x).sum()
    with m.no_grad():
        y.backward()
        yield m.is_grad_enabled()
    yield seen, z.requires_grad


@programs
def backward_in_no_grad_block(m):
    x = leaf(m, 1, 2)
    y = (x * x).sum()
    with m.no_grad():
        y.backward(create_graph=True)
        yield x.grad, m.is_grad_enabled()
    z = (x * x).sum()
    with m.inference_mode():
        yield attempt(z.backward)
    yield x.grad


@programs
def threads_with_graphs_of_their_own(m):
    results = [None] * 8

    def work(i):
        x = m.full((3,), float(i), requires_grad=True)
        for _ in range(20):
            (x * x).sum().backward()
        results[i] = x.grad

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    yield results


@programs
def threads_over_a_shared_graph(m):
    x = leaf(m, 1, 2)
    y = x.exp() * x
    z = y.sum()
    found = []

    def work():
        for _ in range(10):
            found.append(m.autograd.grad(z, x, retain_graph=True)[0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    yield found


@programs
def threads_accumulate_in_a_shared_leaf(m):
    x = leaf(m, 1, 2)

    def work():
        for _ in range(25):
            (x * 2).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    yield x.grad


@programs
def mode_of_threads(m):
    seen = []
    with m.no_grad():
        t = threading.Thread(target=lambda: seen.append(m.is_grad_enabled()))
        t.start()
        t.join()
        seen.append(m.is_grad_enabled())
    yield seen


@programs
def chain_of_many_nodes(m):
    x = leaf(m, 1)
    y = x
    for _ in range(50_000):
        y = y + 1
    y.backward(m.ones(1))
    yield x.grad
    del y


@programs
def chain_of_many_functions(m):
    F = double_of(m)
    x = leaf(m, 1)
    y = x
    for _ in range(5_000):
        y = F.apply(y) / 2
    y.sum().backward()
    yield x.grad
    del y


@programs
def gradients_are_not_shared(m):
    x, w = leaf(m, 1, 2), leaf(m, 3, 4)
    (x + w).sum().backward()
    yield x.grad is w.grad, x.grad.data_ptr() == w.grad.data_ptr()
    x.grad.add_(1)
    yield w.grad


@programs
def given_gradient_is_not_taken(m):
    x = leaf(m, 1, 2)
    g = m.ones(2)
    x.backward(g)
    yield x.grad is g, x.grad.data_ptr() == g.data_ptr()
    x.grad.add_(5)
    yield g


@programs
def accumulation_in_place(m):
    x = leaf(m, 1, 2)
    (x * 2).sum().backward()
    g = x.grad
    (x * 2).sum().backward()
    yield x.grad is g, g
    x.grad = None
    yield g, x.grad


@programs
def accumulation_into_grad_with_history(m):
    x = leaf(m, 1, 2)
    x.grad = leaf(m, 1, 1) * 2
    old = x.grad
    (x * 2).sum().backward()
    yield x.grad, x.grad is old
    (x * 2).sum().backward(create_graph=True)
    yield x.grad


@programs
def layout_of_gradients(m):
    x = m.ones(2, 3).t().requires_grad_()
    (x * 2).sum().backward()
    yield x.grad.stride(), x.grad
    y = m.ones(3, 1).expand(3, 4).requires_grad_()
    (y * 2).sum().backward()
    yield y.grad.stride(), y.grad
    z = m.ones(2, 3, requires_grad=True)
    z.t().backward(m.ones(2, 3).t())
    yield z.grad.stride()
    w = m.ones(2, 3, 4, 5).to(memory_format=m.channels_last).requires_grad_()
    (w * w).sum().backward()
    yield w.grad.stride()
    v = m.ones(4, 4)[::2, ::2].requires_grad_()
    (v * 2).sum().backward()
    yield v.grad.stride()


@programs
def expanded_gradients_are_copied(m):
    x = m.ones(3, requires_grad=True)
    x.sum().backward()
    yield x.grad.stride(), x.grad
    x.grad[0] = 5
    yield x.grad


@programs
def grad_setter_errors(m):
    x = leaf(m, 1, 2)
    yield attempt(setattr, x, "grad", 1)
    yield attempt(setattr, x, "grad", m.ones(3))
    yield attempt(setattr, x, "grad", m.ones(2, dtype=m.float64))
    yield attempt(setattr, x, "grad", x)
    yield attempt(setattr, x, "grad", m.ones(2, device="meta"))
    x.grad = m.ones(2)
    yield x.grad
    del x.grad
    yield x.grad
    x.grad = None
    g = m.ones(2)
    x.grad = g
    yield x.grad is g
    y = x * 2
    y.grad = m.ones(2)
    yield warned(lambda: y.grad)
    z = m.ones(2)
    z.grad = m.zeros(2)
    yield z.grad


@programs
def grad_of_nonleaf_warns(m):
    y = leaf(m, 1) * 2
    yield warned(lambda: y.grad)
    y.retain_grad()
    yield warned(lambda: y.grad)
    yield warned(lambda: leaf(m, 1).grad)


@programs
def requires_grad_rules(m):
    x = m.ones(2)
    yield x.requires_grad_() is x, x.requires_grad
    x.requires_grad = False
    yield x.requires_grad
    yield attempt(m.ones(2, dtype=m.int64).requires_grad_)
    yield attempt(setattr, m.ones(2, dtype=m.bool), "requires_grad", True)
    yield attempt(m.tensor, [1, 2], requires_grad=True)
    yield attempt(m.ones, 2, dtype=m.int64, requires_grad=True)
    yield attempt(setattr, x, "requires_grad", 1)
    yield attempt(x.requires_grad_, 1)
    y = leaf(m, 1) * 2
    yield attempt(y.requires_grad_, False)
    yield attempt(setattr, y, "requires_grad", False)
    yield y.requires_grad_() is y
    yield attempt(delattr, x, "requires_grad")
    yield m.ones(2, dtype=m.int64).requires_grad_(False)


@programs
def requires_grad_of_results(m):
    x = leaf(m, 1, 2)
    yield (x > 1).requires_grad, x.argmax().requires_grad, x.long().requires_grad, (x.sort()[1]).requires_grad
    yield m.ones_like(x).requires_grad, m.empty_like(x, requires_grad=True).requires_grad, x.new_ones(2).requires_grad
    yield x.round().grad_fn, x.floor().grad_fn, x.sign().grad_fn
    yield x.bernoulli().requires_grad if False else None
    yield x.detach().requires_grad, x.data.requires_grad


@programs
def detach_rules(m):
    x = leaf(m, 1, 2)
    y = x * 2
    d = y.detach()
    yield d, d.is_leaf, d._is_view(), d._base
    d.zero_()
    yield y, y._version, d._version
    z = x * 3
    z.exp_()
    w = x.exp()
    w.detach().add_(1)
    yield attempt(w.sum().backward)
    v = x.exp()
    v.data.add_(1)
    yield attempt(v.sum().backward), x.grad, v._version


@programs
def detach_in_place(m):
    x = leaf(m, 1, 2)
    y = x * 2
    yield y.detach_() is y, y.requires_grad, y.is_leaf, y.grad_fn
    z = (x * 2)[0:1]
    yield attempt(z.detach_)
    w = m.ones(3)[0:1]
    yield attempt(w.detach_)
    x.detach_()
    yield x.requires_grad
    a = leaf(m, 1, 2) * 2
    b = a * 2
    a.detach_()
    yield b.requires_grad, a.requires_grad


@programs
def data_rules(m):
    x = leaf(m, 1, 2)
    d = x.data
    yield d.requires_grad, d._version, d.data_ptr() == x.data_ptr()
    d.add_(1)
    yield x, x._version
    x.data = m.tensor([7.0, 8.0, 9.0])
    yield x, x.requires_grad, x.is_leaf
    yield attempt(setattr, x, "data", 1)
    yield attempt(setattr, x, "data", None)
    yield attempt(delattr, x, "data")
    x.data = m.ones(2, dtype=m.float64)
    yield x
    yield attempt(setattr, x, "data", m.ones(2, dtype=m.int64))
    yield attempt(setattr, x, "data", m.ones(2, device="meta"))


@programs
def data_is_replaced_between_uses(m):
    x = m.ones(2, requires_grad=True)
    y = x * x
    x.data = m.tensor([3.0, 4.0])
    y.sum().backward()
    yield x.grad


@programs
def detached_view_of_a_written_tensor(m):
    x = leaf(m, 1, 2, 3)
    y = x * 1
    d = y.detach()[0:2]
    d.mul_(10)
    yield y, y._version, d._version
    yield d._base is None, d._is_view()


@programs
def deepcopy_of_tensors(m):
    import copy

    x = leaf(m, 1, 2)
    (x * x).sum().backward()
    y = copy.deepcopy(x)
    yield y, y.grad, y.grad is x.grad, y.is_leaf
    yield attempt(copy.deepcopy, x * 2)
    a, b = copy.deepcopy([x, x])
    yield a is b, a.grad
    yield copy.copy(x) is x, copy.copy(x)
    p = m.ones(2)
    p.grad = m.ones(2)
    yield copy.deepcopy(p).grad
    v = m.ones(4)
    q, r = copy.deepcopy([v, v[1:3]])
    r.zero_()
    yield q


@programs
def pickles_of_tensors(m):
    import pickle

    x = leaf(m, 1, 2)
    (x * x).sum().backward()
    y = pickle.loads(pickle.dumps(x))
    yield y, y.grad
    x.extra = 3
    yield pickle.loads(pickle.dumps(x)).extra
    z = pickle.loads(pickle.dumps(m.ones(2)))
    yield z


@programs
def numpy_of_tensors_that_require_grad(m):
    x = leaf(m, 1, 2)
    yield attempt(x.numpy)
    yield x.numpy(force=True).tolist(), x.detach().numpy().tolist(), attempt((x * 2).numpy)
    import numpy

    yield attempt(numpy.asarray, x)
    with m.no_grad():
        yield attempt(x.numpy)
    yield x.tolist(), x[0].item(), float(x[1])


@programs
def printing(m):
    x = leaf(m, 1, 2)
    yield repr(x), repr(x * 2), repr(x.sum()), repr(x[0]), repr(x.detach())
    F = double_of(m)
    yield repr(F.apply(x))
    y = x * 2
    y[0] = 3
    yield repr(y), repr(x.view(2, 1)), repr(x.split(1)[1])
    yield repr(m.nn.Parameter(m.ones(2)))
    yield repr(m.ones(0, requires_grad=True)), str(x)


@programs
def out_arguments(m):
    x, out = leaf(m, 1, 2), m.empty(2)
    yield attempt(m.add, x, x, out=out)
    yield attempt(m.mul, m.ones(2), m.ones(2), out=leaf(m, 1, 2))
    yield attempt(m.exp, x, out=out)
    with m.no_grad():
        yield attempt(m.add, x, x, out=out), out
        y = leaf(m, 1, 2)
        yield attempt(m.add, x, x, out=y)
    yield attempt(m.sum, x, dim=0, out=m.empty(()))
    yield attempt(m.sort, x, out=(m.empty(2), m.empty(2, dtype=m.int64)))


@programs
def unknown_derivatives(m):
    x = leaf(m, 1, 2)
    y = attempt(m.nextafter, x, x)
    yield y
    yield attempt(lambda: y.sum().backward())
    z = m.heaviside(x, x)
    yield z, attempt(lambda: z.sum().backward())


@programs
def accumulate_grad_dtype(m):
    x = leaf(m, 1, 2)
    yield attempt(lambda: x.grad_dtype)
    y = m.ones(2, requires_grad=True)
    y.backward(m.ones(2, dtype=m.float64))
    yield y.grad


@programs
def subgraph_reuse(m):
    x = leaf(m, 2)
    h = x.exp()
    a, b = (h * 2).sum(), (h * 3).sum()
    a.backward(retain_graph=True)
    b.backward()
    yield x.grad
    c = (h * 4).sum()
    yield attempt(c.backward)


@programs
def multiple_backward_without_saved(m):
    x = leaf(m, 1)
    y = x + 1
    y.backward()
    y.backward()
    yield x.grad
    z = -(x * 2)
    z.backward()
    yield attempt(z.backward), x.grad


@programs
def gradient_given_requires_grad(m):
    x, g = leaf(m, 1, 2), leaf(m, 3, 4)
    y = x * x
    y.backward(g, create_graph=True)
    yield x.grad
    x.grad.sum().backward()
    yield g.grad
    z = x * x
    (r,) = m.autograd.grad(z, x, g)
    yield r


@programs
def interrupted_by_base_exception(m):
    class Stop(BaseException):
        pass

    x = leaf(m, 1)
    y = x * 2

    def hook(g):
        raise Stop

    handle = y.register_hook(hook)
    try:
        y.sum().backward()
    except Stop:
        yield "stopped", m.is_grad_enabled()
    handle.remove()
    y = x * 2
    y.sum().backward()
    yield x.grad


@programs
def leaf_changed_between_forward_and_backward(m):
    x = leaf(m, 1, 2)
    y = (x * 2).sum()
    x.requires_grad_(False)
    yield attempt(y.backward), x.grad
    x.requires_grad_(True)
    z = (x * 2).sum()
    z.backward()
    yield x.grad


@programs
def grad_of_int_output_error(m):
    x = leaf(m, 3, 1)
    values, indices = x.sort()
    yield attempt(indices.sum().backward)
    yield attempt(m.autograd.grad, indices.sum(), x)


@programs
def is_leaf_rules(m):
    x = leaf(m, 1)
    yield x.is_leaf, (x * 2).is_leaf, m.ones(2).is_leaf, (m.ones(2) * 2).is_leaf, x.detach().is_leaf, x[0].is_leaf
    with m.no_grad():
        yield (x * 2).is_leaf, x[0].is_leaf, x[0].requires_grad


@programs
def saved_version_errors(m):
    x = leaf(m, 1, 2)
    y = x.exp()
    z = y * y
    y.add_(1)
    yield attempt(z.sum().backward)
    w = x * 2
    v = w.sin()
    w[0] = 3
    yield attempt(v.sum().backward)
    a = m.ones(2)
    b = x * a
    a.add_(1)
    yield attempt(b.sum().backward)
    t = x.tanh()
    t.mul_(2)
    yield attempt(t.sum().backward)


@programs
def allow_mutation_not_needed(m):
    x = leaf(m, 1, 2)
    a = m.ones(2)
    b = a + x
    a.mul_(2)
    b.sum().backward()
    yield x.grad
    c = m.ones(2)
    d = a * c
    c.add_(1)
    yield d.requires_grad


@pytest.mark.oracle
@pytest.mark.parametrize("name", programs)
def test_as_pytorch(name):
    pytest.importorskip("torch")
    programs.compare(name)


def test_a_node_that_python_makes_is_no_recorded_call_and_dies_well():
    with pytest.raises(TypeError, match="cannot create"):
        rt._core.AccumulateGrad()
    kind = type((rt.ones(2, requires_grad=True) * 2).grad_fn)
    for one in (rt._core.Node, rt._core.AccumulateGrad, rt._core.CopySlices, kind):
        made = one.__new__(one)
        with pytest.raises(RuntimeError, match="no recorded call"):
            rt.autograd.backward([(made, 0)], [rt.ones(2)])
        del made
        gc.collect()
        assert [(rt.ones(2, requires_grad=True) * i).sum().item() for i in range(3)] == [0, 2, 4]


def test_an_edge_for_an_output_that_a_node_has_not_is_an_error():
    x = rt.ones(3, requires_grad=True)
    first, second, _ = (x * 2).unbind()
    node = first.grad_fn
    for number in (3, 1_000_000):
        with pytest.raises(IndexError, match="UnbindBackward0 has 3 outputs"):
            rt.autograd.backward([(node, number)], [rt.ones(())])
        with pytest.raises(IndexError, match="UnbindBackward0 has 3 outputs"):
            rt.autograd.grad([first.sum() + second], [(node, number)], allow_unused=True)
    with pytest.raises(OverflowError):
        rt.autograd.grad([(node, -1)], [x], [rt.ones(())])
    assert rt.autograd.grad([(node, 2)], [x], [rt.ones(())])[0].tolist() == [0, 0, 2]


def test_objects_that_were_never_initialised_are_empty():
    assert rt._core.SavedTensor.__new__(rt._core.SavedTensor).data is None
    with pytest.raises(TypeError, match="no run of the engine"):
        rt._core._Relay.__new__(rt._core._Relay)()


def test_the_gradient_of_a_matrix_lies_as_the_matrix_does_and_is_taken_without_a_copy():
    weight = rt.randn(4, 3).requires_grad_()
    bias = rt.randn(4).requires_grad_()
    rt.nn.functional.linear(rt.randn(2, 3), weight, bias).sum().backward()
    assert weight.grad.stride() == weight.stride() and not weight.grad._is_view()
    kept = []
    x = rt.randn(3, 4).requires_grad_()
    y = x.t()
    y.register_hook(kept.append)
    y.backward(rt.ones(4, 3))
    kept[0].fill_(7.0)  # somebody else holds this gradient: the leaf has one of its own
    assert x.grad.eq(1).all()
