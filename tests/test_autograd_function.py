"""Custom functions: the context, what `forward` may return and `backward` may give, views, writes, saving and errors."""

import gc
import weakref

import pytest

import runtime as rt
from tests.programs import Programs, attempt, warned

programs = Programs()


def leaf(m, *values):
    return m.tensor([float(v) for v in values], requires_grad=True)


def function(m, forward, backward=None, **more):
    """A custom function made of plain functions."""
    members = {"forward": staticmethod(forward)}
    if backward is not None:
        members["backward"] = staticmethod(backward)
    members |= {k: staticmethod(v) if callable(v) else v for k, v in more.items()}
    return type("F", (m.autograd.Function,), members)


@programs
def forward_and_backward(m):
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        ctx.scale = 3
        return x * y * 3

    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return grad * y * ctx.scale, grad * x * ctx.scale

    F = function(m, forward, backward)
    x, y = leaf(m, 1, 2), leaf(m, 3, 4)
    z = F.apply(x, y)
    yield z, z.grad_fn.name(), type(z.grad_fn).__name__, [f.name() for f, _ in z.grad_fn.next_functions]
    z.sum().backward()
    yield x.grad, y.grad
    yield z.grad_fn.scale


@programs
def other_arguments(m):
    seen = []

    def forward(ctx, x, n, text, flag=None):
        seen.append((n, text, flag))
        seen.append(ctx.needs_input_grad)
        return x * n

    def backward(ctx, grad):
        seen.append(ctx.needs_input_grad)
        return grad * 2, None, None, None

    F = function(m, forward, backward)
    x = leaf(m, 1, 2)
    F.apply(x, 2, "a", True).sum().backward()
    yield seen, x.grad
    G = function(m, forward, lambda ctx, grad: (grad * 2, None, None))
    yield attempt(G.apply(x, 2, "a").sum().backward), attempt(F.apply, x, 2), attempt(F.apply, x, 2, "a", 1, 2)
    yield F.apply(x, 2, "a").grad_fn.next_functions


@programs
def nested_arguments_are_not_followed(m):
    seen = []

    def forward(ctx, xs, d):
        seen.append(ctx.needs_input_grad)
        return xs[0] * 2

    F = function(m, forward, lambda ctx, g: (None, None))
    x = leaf(m, 1, 2)
    y = F.apply([x], {"a": x})
    yield y.requires_grad, seen


@programs
def keyword_arguments(m):
    F = function(m, lambda ctx, x, n=2: x * n, lambda ctx, g: (g, None))
    x = leaf(m, 1)
    yield attempt(F.apply, x, n=3)

    class S(m.autograd.Function):
        @staticmethod
        def forward(x, n=2):
            return x * n

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.n = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.n, None

    yield attempt(S.apply, x, n=3), attempt(S.apply, x), attempt(S.apply, x, 5)


@programs
def setup_context(m):
    seen = []

    class F(m.autograd.Function):
        @staticmethod
        def forward(x, n):
            return x * n, x + n

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, n = inputs
            seen.append((n, type(output), ctx.needs_input_grad))
            ctx.save_for_backward(x, output[0])
            ctx.n = n

        @staticmethod
        def backward(ctx, a, b):
            x, y = ctx.saved_tensors
            seen.append((x, y))
            return a * ctx.n + b, None

    x = leaf(m, 1, 2)
    y, z = F.apply(x, 3)
    (y.sum() + z.sum()).backward()
    yield seen, x.grad, y, z


@programs
def setup_context_and_inputs_returned(m):
    class F(m.autograd.Function):
        @staticmethod
        def forward(x):
            return x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])

        @staticmethod
        def backward(ctx, g):
            return g

    yield attempt(F.apply, leaf(m, 1))


@programs
def results_of_forward(m):
    x = leaf(m, 1, 2)
    for forward in (lambda ctx, x: None, lambda ctx, x: 3, lambda ctx, x: "a", lambda ctx, x: (x * 2, None), lambda ctx, x: (x * 2, 3),
                    lambda ctx, x: [x * 2], lambda ctx, x: {"a": x}, lambda ctx, x: (), lambda ctx, x: (x * 2,),
                    lambda ctx, x: ((x * 2, x), 1), lambda ctx, x: x.long(), lambda ctx, x: (x * 2, x > 1)):  # fmt: skip
        yield attempt(function(m, forward, lambda ctx, *g: g[0]).apply, x)


@programs
def none_outputs_and_gradients(m):
    seen = []

    def backward(ctx, a, b, c):
        seen.append((a, b, c))
        return a

    F = function(m, lambda ctx, x: (x * 2, None, x * 3), backward)
    x = leaf(m, 1, 2)
    a, b, c = F.apply(x)
    a.sum().backward()
    yield seen, b, a.output_nr, c.output_nr


@programs
def none_gradients(m):
    F = function(m, lambda ctx, x, y: x * y, lambda ctx, g: (None, g))
    x, y = leaf(m, 1, 2), leaf(m, 3, 4)
    F.apply(x * 2, y).sum().backward()
    yield x.grad, y.grad
    yield attempt(m.autograd.grad, F.apply(x * 2, y).sum(), x), m.autograd.grad(F.apply(x, y).sum(), x, allow_unused=True)


@programs
def returned_inputs(m):
    F = function(m, lambda ctx, x, y: (x, y), lambda ctx, a, b: (a * 2, b * 3))
    x, c = leaf(m, 1, 2), m.ones(2)
    a, b = F.apply(x, c)
    yield a is x, b is c, a.grad_fn, b.grad_fn, a._is_view(), b._is_view(), b.requires_grad
    (a.sum() + b.sum()).backward()
    yield x.grad, c.grad
    G = function(m, lambda ctx, x: x, lambda ctx, g: g * 2)
    with m.no_grad():
        d = G.apply(x)
    yield d is x, d.requires_grad, d._is_view()
    e = G.apply(c)
    yield e is c, e.requires_grad, e._is_view()


@programs
def dirty_inputs(m):
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    F = function(m, forward, lambda ctx, g: g * 2)
    x = leaf(m, 1, 2)
    y = x * 1
    z = F.apply(y)
    yield z is y, z, z.grad_fn, z._version
    z.sum().backward()
    yield x.grad
    yield attempt(F.apply, x), x._version
    c = m.ones(2)
    d = F.apply(c)
    yield d is c, d.requires_grad, d.grad_fn


@programs
def dirty_without_return(m):
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x * 2

    F = function(m, forward, lambda ctx, g: g * 4)
    x = leaf(m, 1, 2)
    yield attempt(F.apply, x * 1)
    G = function(m, lambda ctx, x: (ctx.mark_dirty(m.ones(2)), x * 2)[1], lambda ctx, g: g)
    yield attempt(G.apply, x)
    H = function(m, lambda ctx, x: (ctx.mark_dirty(3), x * 2)[1], lambda ctx, g: g)
    yield attempt(H.apply, x)


@programs
def dirty_output_that_is_no_input(m):
    def forward(ctx, x):
        y = x * 2
        ctx.mark_dirty(y)
        return y

    F = function(m, forward, lambda ctx, g: g * 2)
    x = leaf(m, 1)
    yield warned(F.apply, x)


@programs
def dirty_views(m):
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    F = function(m, forward, lambda ctx, g: g * 2)
    x = leaf(m, 1, 2, 3)
    y = x * 1
    v = y[0:2]
    w = F.apply(v)
    yield w is v, y, y.grad_fn, v.grad_fn
    (y * y).sum().backward()
    yield x.grad

    def two(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x, x * 2

    G = function(m, two, lambda ctx, a, b: a * 2)
    y = x * 1
    yield attempt(G.apply, y[0:2])
    with m.no_grad():
        u = y[0:1]
    yield attempt(F.apply, u)
    p, q = y.split([1, 2])
    yield attempt(F.apply, p)


@programs
def dirty_and_saved(m):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        x.exp_()
        ctx.mark_dirty(x)
        return x

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * x

    F = function(m, forward, backward)
    x = leaf(m, 1, 2)
    y = F.apply(x * 1)
    y.sum().backward()
    yield x.grad
    z = F.apply(x * 1)
    z.add_(1)
    yield attempt(z.sum().backward)


@programs
def non_differentiable_outputs(m):
    seen = []

    def forward(ctx, x):
        a, b = x * 2, x * 3
        ctx.mark_non_differentiable(b)
        return a, b

    def backward(ctx, a, b):
        seen.append((a, b))
        return a

    F = function(m, forward, backward)
    x = leaf(m, 1, 2)
    a, b = F.apply(x)
    yield a.requires_grad, b.requires_grad, b.grad_fn
    a.sum().backward()
    yield seen
    G = function(m, lambda ctx, x: (ctx.mark_non_differentiable(x), x)[1], lambda ctx, g: g)
    c = G.apply(x)
    yield c is x, c.requires_grad, c.grad_fn
    H = function(m, lambda ctx, x: (ctx.mark_non_differentiable(3), x * 2)[1], lambda ctx, g: g)
    yield attempt(H.apply, x)
    J = function(m, lambda ctx, x: (ctx.mark_non_differentiable(x * 5), x * 2)[1], lambda ctx, g: g)
    yield attempt(J.apply, x)


@programs
def materialized_gradients(m):
    seen = []

    def make(value):
        def forward(ctx, x):
            if value is not None:
                ctx.set_materialize_grads(value)
            return x * 2, x.double(), x.long(), x[0:1].clone()

        def backward(ctx, *g):
            seen.append(g)
            return g[0]

        return function(m, forward, backward)

    x = leaf(m, 1, 2)
    make(None).apply(x)[0].sum().backward()
    make(True).apply(x)[0].sum().backward()
    make(False).apply(x)[0].sum().backward()
    yield seen, x.grad


@programs
def once_differentiable(m):
    once = m.autograd.function.once_differentiable

    class F(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            seen.append(m.is_grad_enabled())
            return 2 * x * g

    seen = []
    x = leaf(m, 1, 2)
    F.apply(x).sum().backward()
    yield x.grad
    (g,) = m.autograd.grad(F.apply(x).sum(), x, create_graph=True)
    yield g.requires_grad
    (g,) = m.autograd.grad((F.apply(x) * x).sum(), x, create_graph=True)
    yield g.requires_grad, g, attempt(g.sum().backward), seen


@programs
def double_backward(m):
    class F(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x**2 * 3

    x = leaf(m, 1, 2)
    (g,) = m.autograd.grad(F.apply(x).sum(), x, create_graph=True)
    (h,) = m.autograd.grad(g.sum(), x, create_graph=True)
    (k,) = m.autograd.grad(h.sum(), x)
    yield g, h, k


@programs
def double_backward_by_saved_output(m):
    class Exp(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            seen.append((y.requires_grad, y.grad_fn is not None and y.grad_fn is node()))
            return g * y

    seen = []
    x = leaf(m, 1, 2)
    z = Exp.apply(x)
    node = weakref.ref(z.grad_fn)
    (g,) = m.autograd.grad(z.sum(), x, create_graph=True)
    (h,) = m.autograd.grad(g.sum(), x)
    yield g, h, seen


@programs
def saved_intermediates(m):
    class F(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            i = x * 2
            ctx.save_for_backward(x, i)
            return i.sin()

        @staticmethod
        def backward(ctx, g):
            x, i = ctx.saved_tensors
            seen.append((i.requires_grad, x.requires_grad, x is given))
            return g * i.cos() * 2

    seen = []
    given = x = leaf(m, 1, 2)
    (g,) = m.autograd.grad(F.apply(x).sum(), x, create_graph=True)
    yield g, seen


@programs
def save_for_backward_errors(m):
    x = leaf(m, 1, 2)
    for what in ((1,), ("a",), (None,), (x, None), ([x],)):
        F = function(m, lambda ctx, x, what=what: (ctx.save_for_backward(*what), x * 2)[1], lambda ctx, g: (g, None))
        yield attempt(F.apply, x, what)
        y = F.apply(m.ones(2), what) if what[0] is None else None
        yield y
    G = function(m, lambda ctx, x: (setattr(ctx, "to_save", x), x * 2)[1], lambda ctx, g: g)
    yield attempt(G.apply, x)
    H = function(m, lambda ctx, x: (ctx.save_for_backward(x, None), x * 2)[1], lambda ctx, g: (seen.append(ctx.saved_tensors), g)[1])
    seen = []
    H.apply(x).sum().backward()
    yield seen


@programs
def saved_tensors_access(m):
    F = function(m, lambda ctx, x: (ctx.save_for_backward(x), x * 2)[1], lambda ctx, g: g * ctx.saved_tensors[0])
    x = leaf(m, 1, 2)
    y = F.apply(x)
    yield y.grad_fn.saved_tensors[0] is x, len(y.grad_fn._raw_saved_tensors)
    y.sum().backward()
    yield attempt(lambda: y.grad_fn.saved_tensors), attempt(lambda: y.grad_fn._raw_saved_tensors), attempt(y.sum().backward)
    y = F.apply(x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    yield x.grad
    G = function(m, lambda ctx, x: x * 2, lambda ctx, g: g * 2)
    z = G.apply(x)
    yield z.grad_fn.saved_tensors
    z.sum().backward()
    yield attempt(z.sum().backward), attempt(lambda: z.grad_fn.saved_tensors)


@programs
def saved_twice_keeps_the_last(m):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.save_for_backward(x * 2, x * 3)
        return x.clone()

    F = function(m, forward, lambda ctx, g: g * ctx.saved_tensors[0] + ctx.saved_tensors[1])
    x = leaf(m, 1, 2)
    F.apply(x).sum().backward()
    yield x.grad


@programs
def saved_in_backward_does_nothing(m):
    def backward(ctx, g):
        ctx.save_for_backward(g)
        return g

    F = function(m, lambda ctx, x: x.clone(), backward)
    x = leaf(m, 1)
    y = F.apply(x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    yield x.grad


@programs
def modified_after_saving(m):
    F = function(m, lambda ctx, x, c: (ctx.save_for_backward(x, c), x * c)[1], lambda ctx, g: (g * ctx.saved_tensors[1], None))
    x, c = leaf(m, 1, 2), m.ones(2)
    y = F.apply(x, c)
    c.add_(1)
    yield attempt(y.sum().backward)
    z = F.apply(x * 1, m.ones(2))
    with m.no_grad():
        x.add_(1)
    z.sum().backward()
    yield x.grad


@programs
def missing_parts(m):
    class NoForward(m.autograd.Function):
        pass

    class NoBackward(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    class Both(NoBackward):
        @staticmethod
        def backward(ctx, g):
            return g

        @staticmethod
        def vjp(ctx, g):
            return g

    class Vjp(NoBackward):
        @staticmethod
        def vjp(ctx, g):
            return g * 2

    class NoSetup(m.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

    x = leaf(m, 1, 2)
    yield attempt(NoForward.apply, x)
    yield attempt(NoBackward.apply(x).sum().backward)
    yield attempt(Both.apply(x).sum().backward)
    yield attempt(Vjp.apply(x).sum().backward), x.grad
    yield attempt(NoSetup.apply, x)
    yield warned(lambda: type(NoBackward()).__name__), attempt(lambda: NoBackward()(x))


@programs
def errors_in_forward(m):
    def forward(ctx, x):
        raise ValueError("forward failed")

    F = function(m, forward, lambda ctx, g: g)
    x = leaf(m, 1)
    yield attempt(F.apply, x), m.is_grad_enabled()
    x.sum().backward()
    yield x.grad


@programs
def errors_in_setup(m):
    class F(m.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            raise KeyError("setup")

    yield attempt(F.apply, leaf(m, 1)), m.is_grad_enabled()


@programs
def errors_in_backward_keep_their_type(m):
    class Special(Exception):
        pass

    def backward(ctx, g):
        raise Special("mine")

    F = function(m, lambda ctx, x: x * 2, backward)
    x = leaf(m, 1)
    y = F.apply(x * 2)
    yield attempt(y.sum().backward), attempt(y.sum().backward), x.grad


@programs
def grad_mode_in_forward(m):
    seen = []

    def forward(ctx, x):
        seen.append((m.is_grad_enabled(), (x * 2).requires_grad))
        with m.enable_grad():
            seen.append((x * 2).requires_grad)
            y = x * 2
        return y

    F = function(m, forward, lambda ctx, g: g * 7)
    x = leaf(m, 1)
    y = F.apply(x)
    yield seen, y.grad_fn.name()
    y.sum().backward()
    yield x.grad
    with m.no_grad():
        yield F.apply(x).requires_grad
    with m.inference_mode():
        yield F.apply(x).requires_grad


@programs
def attributes_of_contexts(m):
    def forward(ctx, x):
        ctx.a = 1
        ctx.b = [x.shape]
        ctx._hidden = "h"
        del ctx.a
        ctx.a = 2
        return x * 2

    F = function(m, forward, lambda ctx, g: (seen.append((ctx.a, ctx.b, ctx._hidden, type(ctx).__name__, ctx.name())), g)[1])
    seen = []
    x = leaf(m, 1)
    y = F.apply(x)
    y.sum().backward()
    yield seen, y.grad_fn.a, attempt(lambda: y.grad_fn.missing), isinstance(y.grad_fn, F._backward_cls), y.grad_fn.metadata


@programs
def contexts_as_nodes(m):
    F = function(m, lambda ctx, x: x * 2, lambda ctx, g: g * 2)
    x = leaf(m, 1, 2)
    y = F.apply(x)
    seen = []
    y.grad_fn.register_hook(lambda gi, go: seen.append(("post", gi, go)))
    y.grad_fn.register_prehook(lambda go: seen.append(("pre", go)))
    y.register_hook(lambda g: seen.append(("tensor", g)))
    y.sum().backward()
    yield seen, len(y.grad_fn.next_functions), y.grad_fn.next_functions[0][0].variable is x, y.grad_fn.needs_input_grad


@programs
def same_input_twice(m):
    F = function(m, lambda ctx, x, y: x * y, lambda ctx, g: (g * 2, g * 3))
    x = leaf(m, 1, 2)
    y = F.apply(x, x)
    yield len(y.grad_fn.next_functions)
    y.sum().backward()
    yield x.grad


@programs
def same_output_twice(m):
    def forward(ctx, x):
        y = x * 2
        return y, y

    F = function(m, forward, lambda ctx, a, b: a * 2 + b * 3)
    x = leaf(m, 1, 2)
    a, b = F.apply(x)
    yield a is b, a.output_nr, b.output_nr
    a.sum().backward()
    yield x.grad


@programs
def gradient_shapes_are_reduced(m):
    F = function(m, lambda ctx, x: x.expand(3, 2), lambda ctx, g: g)
    x = leaf(m, 1, 2)
    F.apply(x).sum().backward()
    yield x.grad
    G = function(m, lambda ctx, x: x.sum(), lambda ctx, g: g)
    y = leaf(m, 1, 2)
    yield attempt(G.apply(y).backward), y.grad
    H = function(m, lambda ctx, x: x.clone(), lambda ctx, g: g.view(2, 1).expand(2, 2))
    z = leaf(m, 1, 2)
    yield attempt(H.apply(z).sum().backward), z.grad


@programs
def lists_of_gradients(m):
    F = function(m, lambda ctx, x, y: x * y, lambda ctx, g: [g, g])
    x, y = leaf(m, 1), leaf(m, 2)
    yield attempt(F.apply(x, y).sum().backward), x.grad
    G = function(m, lambda ctx, x: x.clone(), lambda ctx, g: [g])
    yield attempt(G.apply(x).sum().backward)


@programs
def gradients_for_inputs_that_need_none(m):
    F = function(m, lambda ctx, x, c: x * c, lambda ctx, g: (g, m.ones(7)))
    x, c = leaf(m, 1, 2), m.ones(2)
    yield attempt(F.apply(x, c).sum().backward), x.grad, c.grad
    G = function(m, lambda ctx, x, n: x * n, lambda ctx, g: (g, g))
    yield attempt(G.apply(x, 3).sum().backward)


@programs
def integer_inputs(m):
    seen = []

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g, None

    F = function(m, lambda ctx, x, i: x[i], backward)
    x = leaf(m, 1, 2)
    y = F.apply(x, m.tensor([0, 1]))
    y.sum().backward()
    yield seen, x.grad, len(y.grad_fn.next_functions), y.grad_fn.next_functions[1]


@programs
def functions_inside_functions(m):
    G = function(m, lambda ctx, x: x * 2, lambda ctx, g: g * 2)

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return G.apply(x) + 1

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        with m.enable_grad():
            y = x.detach().requires_grad_()
            z = G.apply(y).sum()
        (r,) = m.autograd.grad(z, y)
        return g * r

    F = function(m, forward, backward)
    x = leaf(m, 1, 2)
    F.apply(x).sum().backward()
    yield x.grad


@programs
def checkpoint_like(m):
    def forward(ctx, run, x):
        ctx.run = run
        ctx.save_for_backward(x)
        return run(x)

    def backward(ctx, g):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with m.enable_grad():
            y = ctx.run(x)
        m.autograd.backward(y, g)
        return None, x.grad

    F = function(m, forward, backward)
    x, w = leaf(m, 1, 2), leaf(m, 3, 4)
    y = F.apply(lambda t: (t * w).exp(), x)
    F.apply(lambda t: t * t, y).sum().backward()
    yield x.grad, w.grad


@programs
def views_inside(m):
    def forward(ctx, x):
        v = x.view(-1)
        ctx.shape = x.shape
        return v[0:2]

    def backward(ctx, g):
        r = m.zeros(ctx.shape)
        r.view(-1)[0:2] = g
        return r

    F = function(m, forward, backward)
    x = m.ones(2, 2, requires_grad=True)
    y = F.apply(x)
    yield y._is_view(), y._base is x, attempt(y.mul_, 2), y.grad_fn
    y.sum().backward()
    yield x.grad
    two = function(m, lambda ctx, x: (x[0], x[1]), lambda ctx, a, b: m.stack([a, b]))
    a, b = two.apply(x)
    yield a._is_view(), attempt(a.mul_, 2)
    c = two.apply(m.ones(2, 2))[0]
    yield c._is_view(), attempt(c.mul_, 2)


@programs
def subclasses_of_tensors(m):
    class Sub(m.Tensor):
        pass

    F = function(m, lambda ctx, x: (ctx.save_for_backward(x), x * 2)[1], lambda ctx, g: (seen.append(type(g).__name__), g * 2)[1])
    seen = []
    x = leaf(m, 1, 2)
    s = (x * 1).as_subclass(Sub)
    y = F.apply(s)
    yield type(y).__name__, y.grad_fn.name()
    y.sum().backward()
    yield type(x.grad).__name__, x.grad, seen


@programs
def cycles_are_collected(m):
    class Box:
        pass

    def forward(ctx, x):
        ctx.box = box = Box()
        dead.append(weakref.ref(box))
        return x * 2

    dead = []
    F = function(m, forward, lambda ctx, g: g)
    y = F.apply(leaf(m, 1))
    y.grad_fn.me = y.grad_fn
    del y
    gc.collect()
    yield [r() for r in dead]
    y = F.apply(leaf(m, 1))
    y.grad_fn.out = y
    del y
    gc.collect()
    yield [r() for r in dead]
    y = F.apply(leaf(m, 1))
    y.keep = y
    del y
    gc.collect()
    yield [r() for r in dead]


@programs
def context_dies_with_its_output(m):
    class Box:
        pass

    def forward(ctx, x):
        ctx.box = box = Box()
        dead.append(weakref.ref(box))
        return x * 2

    dead = []
    F = function(m, forward, lambda ctx, g: g)
    y = F.apply(leaf(m, 1))
    yield dead[0]() is None
    z = y * 2
    del y
    yield dead[0]() is None
    z.sum().backward()
    yield dead[0]() is None
    del z
    yield dead[0]() is None
    F.apply(m.ones(2))
    yield dead[1]() is None


@programs
def node_outlives_tensors(m):
    F = function(m, lambda ctx, x: (ctx.save_for_backward(x), x * 2)[1], lambda ctx, g: g * ctx.saved_tensors[0])
    x = leaf(m, 1, 2)
    node = F.apply(x).grad_fn
    yield node.saved_tensors, node.name(), len(node.next_functions)
    other = (x * x).grad_fn
    yield other._saved_self is x, other.next_functions[0][0].variable is x


@programs
def generate_vmap_and_names(m):
    class F(m.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    yield F.__name__, F._backward_cls.__name__, F._backward_cls._forward_cls is F
    x = leaf(m, 1)
    yield F.apply(x).grad_fn, repr(F.apply(x).grad_fn), repr(F.apply(x))


@programs
def gradient_layout(m):
    seen = []
    F = function(m, lambda ctx, x: x.clone(), lambda ctx, g: (seen.append((g.shape, g.stride(), g.is_contiguous())), g)[1])
    x = m.ones(2, 3, requires_grad=True)
    F.apply(x).t().sum().backward()
    F.apply(x).sum().backward()
    F.apply(x).backward(m.ones(3, 2).t())
    yield seen


@programs
def mark_shared_storage(m):
    F = function(m, lambda ctx, x: (ctx.mark_shared_storage((x, x)), x * 2)[1], lambda ctx, g: g)
    yield warned(F.apply, leaf(m, 1))


@programs
def saved_variables_is_old(m):
    F = function(m, lambda ctx, x: (ctx.save_for_backward(x), x * 2)[1], lambda ctx, g: (seen.append(warned(lambda: ctx.saved_variables)), g)[1])
    seen = []
    F.apply(leaf(m, 1)).sum().backward()
    yield seen


@programs
def class_methods_and_inheritance(m):
    class Base(m.autograd.Function):
        scale = 2

        @classmethod
        def forward(cls, ctx, x):
            return x * cls.scale

        @classmethod
        def backward(cls, ctx, g):
            return g * cls.scale

    class Derived(Base):
        scale = 5

    x = leaf(m, 1, 2)
    (Base.apply(x).sum() + Derived.apply(x).sum()).backward()
    yield x.grad, Derived.apply(x).grad_fn.name()


@programs
def outputs_on_the_input_memory(m):
    def forward(ctx, x):
        ctx.mark_dirty(x)
        x.add_(1)
        return x, x * 3

    F = function(m, forward, lambda ctx, a, b: a + b * 3)
    x = leaf(m, 1, 2)
    y = x * 1
    a, b = F.apply(y)
    yield a is y, a, b, a.output_nr, b.output_nr
    (a.sum() + b.sum()).backward()
    yield x.grad


@programs
def complex_functions(m):
    F = function(m, lambda ctx, z: (ctx.save_for_backward(z), z * z.conj())[1], lambda ctx, g: 2 * g.real * ctx.saved_tensors[0])
    z = m.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    F.apply(z).real.sum().backward()
    yield z.grad
    G = function(m, lambda ctx, z: z.real.clone(), lambda ctx, g: g)
    yield attempt(G.apply(z).sum().backward), z.grad


@programs
def pure_view_of_an_input_and_a_new_tensor(m):
    F = function(m, lambda ctx, x: (x.view_as(x), x * 2), lambda ctx, a, b: a + 2 * b)
    x = leaf(m, 1, 2)
    a, b = F.apply(x * 1)
    yield a._is_view(), b._is_view(), attempt(a.mul_, 2), attempt(b.mul_, 2)


@programs
def keywords_that_do_not_fit_forward(m):
    class F(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, b=1, *, c=2):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g, None

    x = leaf(m, 1, 2)
    for args, keywords in (((x,), {"q": 3}), ((), {"b": 1}), ((x,), {"x": x}), ((x, 1, 2), {"b": 1}), ((x,), {"ctx": 1}), ((x,), {"c": 1})):
        yield attempt(lambda args=args, keywords=keywords: F.apply(*args, **keywords))
    yield F.apply(b=4, x=x)


@programs
def a_pure_view_can_be_written(m):
    def kept(compute, flag=True):
        def forward(ctx, *args):
            ctx._is_pure_view = flag
            return compute(*args)

        return function(m, forward, lambda ctx, g, *others: (g * 10, None)[: len(ctx.needs_input_grad)])

    view = kept(lambda x, *others: x.view(-1))
    x = leaf(m, 1, 2)
    for args in ((), (3,)):
        base = x * 1
        seen = view.apply(base, *args)
        yield seen._is_view(), seen._base is base, seen.grad_fn is not None
        seen.mul_(2)
        yield seen.grad_fn.name(), base.grad_fn.name(), m.autograd.grad(base.sum(), x)
    yield m.autograd.grad(view.apply(x).sum(), x), attempt(view.apply(x).mul_, 2)
    yield attempt(kept(lambda x: x.view(-1), False).apply(x * 1).mul_, 2)
    for several in (lambda x: (x.view(-1), x.view(-1)), lambda x: (x.clone(), x.clone()), lambda x: (x.view(-1), 3)):
        yield attempt(kept(several).apply, x * 1)
    yield attempt(view.apply, x * 1, x * 1), attempt(view.apply, m.ones(2), m.ones(2)), attempt(kept(lambda x, y: x.clone()).apply, x, x)
    for flag in (None, 1, "x"):
        yield attempt(kept(lambda x: x.view(-1), flag).apply, x)


@pytest.mark.oracle
@pytest.mark.parametrize("name", programs)
def test_as_pytorch(name):
    pytest.importorskip("torch")
    programs.compare(name)


def test_a_class_that_changes_between_calls_is_looked_up_again():
    class Scaled(rt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    class Derived(Scaled):
        pass

    x = rt.ones(1, requires_grad=True)
    assert Derived.apply(x).item() == 2
    Scaled.forward = staticmethod(lambda ctx, x: x * 3)
    assert Derived.apply(x).item() == 3
    Derived.forward = classmethod(lambda cls, ctx, x: x * 5)
    assert Derived.apply(x).item() == 5
    Derived.forward = staticmethod(lambda x: x * 7)
    Derived.setup_context = staticmethod(lambda ctx, inputs, output: None)
    assert Derived.apply(x).item() == Derived.apply(x=x).item() == 7
