"""Saved tensors: attributes of nodes, hooks that pack and unpack, versions, and when they are freed."""

import pytest

from tests.programs import Programs, attempt

programs = Programs()


def leaf(m, *values):
    return m.tensor([float(v) for v in values], requires_grad=True)


def hooks_of(m, pack, unpack):
    return m.autograd.graph.saved_tensors_hooks(pack, unpack)


@programs
def attributes(m):
    x, w = leaf(m, 1, 2), leaf(m, 3, 4)
    y = x * w
    yield y.grad_fn._saved_self is x, y.grad_fn._saved_other is w, attempt(lambda: y.grad_fn._saved_missing)
    yield sorted(n for n in dir(y.grad_fn) if "saved" in n)
    z = x.exp()
    yield z.grad_fn._saved_result is z, z.grad_fn._saved_result, z.grad_fn._saved_result.grad_fn is z.grad_fn
    s = x.sum(0, True)
    yield s.grad_fn._saved_dim, s.grad_fn._saved_keepdim
    p = x.pow(3)
    yield p.grad_fn._saved_exponent, p.grad_fn._saved_self is x
    c = x * m.ones(2)
    yield c.grad_fn._saved_self, c.grad_fn._saved_other


@programs
def attributes_of_lists(m):
    x, w = m.ones(2, 2, requires_grad=True), m.ones(2, 3, requires_grad=True)
    y = m.cat([x, w], 1)
    yield y.grad_fn._saved_dim
    i = m.tensor([0, 1])
    z = x[i, i]
    yield len(z.grad_fn._saved_indices), z.grad_fn._saved_indices[0]
    u = x[:, i]
    yield [v is None for v in u.grad_fn._saved_indices]
    yield [type(v).__name__ for v in u.grad_fn._raw_saved_indices]


@programs
def raw_attributes(m):
    x = leaf(m, 1, 2)
    y = x.exp()
    raw = y.grad_fn._raw_saved_result
    yield type(raw).__name__
    yield attempt(raw.register_hooks, 3, lambda v: v).partition(":")[0]
    raw.register_hooks(lambda t: t * 2, lambda t: t / 2)
    yield y.grad_fn._saved_result
    yield attempt(raw.register_hooks, lambda t: t, lambda t: t)
    y.sum().backward()
    yield x.grad
    yield attempt(raw.register_hooks, lambda t: t, lambda t: t)


@programs
def raw_hooks_of_inputs(m):
    x = leaf(m, 1, 2)
    y = x * x
    y.grad_fn._raw_saved_self.register_hooks(lambda t: (t, 5), lambda p: p[0] * p[1])
    y.sum().backward()
    yield x.grad
    z = x * m.ones(2)
    yield attempt(z.grad_fn._raw_saved_self.register_hooks, lambda t: t, lambda t: t)
    w = x.sin()
    w.grad_fn._raw_saved_self.register_hooks(lambda t: t.tolist(), lambda v: 3)
    yield attempt(w.sum().backward)
    v = x.sin()

    def bad(t):
        t.data.add_(0)
        t.mul_(1)
        return t

    yield attempt(v.grad_fn._raw_saved_self.register_hooks, bad, lambda t: t)
    u = (x * 1).sin()
    with m.no_grad():
        yield attempt(u.grad_fn._raw_saved_self.register_hooks, lambda t: t.add_(1), lambda t: t)


@programs
def default_hooks(m):
    packed, unpacked = [], []

    def pack(t):
        packed.append((t.clone(), t.requires_grad, t.is_leaf))
        return t.tolist()

    def unpack(v):
        unpacked.append(v)
        return m.tensor(v)

    x = leaf(m, 1, 2)
    with hooks_of(m, pack, unpack):
        y = x * x
        z = y.exp()
    z.sum().backward()
    yield packed, unpacked, x.grad
    a = x * x
    a.sum().backward()
    yield len(packed)


@programs
def nested_default_hooks(m):
    order = []

    def named(name):
        return (lambda t: (order.append("pack " + name), t)[1]), (lambda t: (order.append("unpack " + name), t)[1])

    x = leaf(m, 1, 2)
    with hooks_of(m, *named("outer")):
        a = x.sin()
        with hooks_of(m, *named("inner")):
            b = a.sin()
        c = b.sin()
    c.sum().backward()
    yield order, x.grad


@programs
def pack_hook_errors(m):
    x = leaf(m, 1, 2)

    def fail(t):
        raise ValueError("pack")

    with hooks_of(m, fail, lambda t: t):
        yield attempt(lambda: x.sin())
    y = x.sin()
    y.sum().backward()
    yield x.grad
    with hooks_of(m, lambda t: t, fail):
        z = x.sin()
    yield attempt(z.sum().backward)
    with hooks_of(m, lambda t: t.add_(1) if False else t.mul_(1), lambda t: t):
        yield attempt(lambda: (x * 1).sin())
    with hooks_of(m, lambda: 1, lambda t: t):
        yield attempt(lambda: x.sin()).partition("(")[0]
    with hooks_of(m, lambda t: t, lambda t: 1):
        w = x.sin()
    yield attempt(w.sum().backward)


@programs
def disabled_hooks(m):
    disable = m.autograd.graph.disable_saved_tensors_hooks
    x = leaf(m, 1, 2)
    with disable("not here"):
        yield attempt(hooks_of(m, lambda t: t, lambda t: t).__enter__)
        y = x.sin()
    with hooks_of(m, lambda t: t, lambda t: t):
        yield attempt(disable("none").__enter__)
    y.sum().backward()
    yield x.grad


@programs
def save_on_cpu(m):
    x = leaf(m, 1, 2)
    with m.autograd.graph.save_on_cpu():
        y = (x * x).exp()
    y.sum().backward()
    yield x.grad


@programs
def hooks_and_custom_functions(m):
    log = []

    class F(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * 2
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            log.append((x, y))
            return g * 2

    x = leaf(m, 1, 2)
    with hooks_of(m, lambda t: (log.append(t.clone()), t.detach())[1], lambda t: t * 10):
        y = F.apply(x)
    y.sum().backward()
    yield log, x.grad
    z = F.apply(x)
    z.grad_fn._raw_saved_tensors[0].register_hooks(lambda t: t, lambda t: t * 7)
    yield z.grad_fn.saved_tensors


@programs
def hooks_keep_history(m):
    x = leaf(m, 1, 2)
    with hooks_of(m, lambda t: t.detach().clone(), lambda t: t):
        y = x * x
        z = y.exp() * y
    (g,) = m.autograd.grad(z.sum(), x, create_graph=True)
    yield g
    (h,) = m.autograd.grad(g.sum(), x)
    yield h


@programs
def hooks_make_version_checks_void(m):
    x = leaf(m, 1, 2)
    with hooks_of(m, lambda t: t.clone(), lambda t: t):
        a = x * 1
        b = a.sin()
    a.add_(1)
    b.sum().backward()
    yield x.grad
    with hooks_of(m, lambda t: t, lambda t: t):
        c = x * 1
        d = c.sin()
    c.add_(1)
    yield attempt(d.sum().backward), x.grad


@programs
def saved_values_are_shared_not_copied(m):
    x = leaf(m, 1, 2)
    a = x * 1
    b = a.sin()
    yield b.grad_fn._saved_self is a, b.grad_fn._saved_self.data_ptr() == a.data_ptr()
    a.data.mul_(3)
    yield b.grad_fn._saved_self
    v = x.view(2, 1)
    w = v.sin()
    yield w.grad_fn._saved_self is v


@programs
def saved_after_write(m):
    x = leaf(m, 1, 2)
    a = x * 1
    b = a.sin()
    a.add_(1)
    yield attempt(lambda: b.grad_fn._saved_self)
    e = x.exp()
    e.add_(1)
    yield attempt(lambda: e.grad_fn.next_functions[0][0]._saved_result)


@programs
def inference_tensors_cannot_be_saved(m):
    x = leaf(m, 1, 2)
    with m.inference_mode():
        i = m.ones(2)
    yield attempt(lambda: x * i), attempt(lambda: x + i), attempt(lambda: x * i.clone())


@programs
def freed_after_backward(m):
    x = leaf(m, 1, 2)
    y = x.sin()
    z = y.exp()
    z.sum().backward(retain_graph=True)
    yield y.grad_fn._saved_self is x
    z.sum().backward()
    yield attempt(lambda: y.grad_fn._saved_self)
    s = x.sum()
    s.backward()
    yield attempt(lambda: s.grad_fn._saved_self_sym_sizes) if hasattr(s.grad_fn, "_saved_self_sym_sizes") else "RuntimeError"
    p = x.pow(2)
    p.sum().backward()
    yield p.grad_fn._saved_exponent, attempt(lambda: p.grad_fn._saved_self)


@programs
def partial_backward_frees_what_ran(m):
    x, w = leaf(m, 1, 2), leaf(m, 3, 4)
    a, b = x.sin(), w.sin()
    z = a * b
    m.autograd.grad(z.sum(), a)
    yield a.grad_fn._saved_self is x, attempt(lambda: z.grad_fn._saved_self)


@pytest.mark.oracle
@pytest.mark.parametrize("name", programs)
def test_as_pytorch(name):
    pytest.importorskip("torch")
    programs.compare(name)
