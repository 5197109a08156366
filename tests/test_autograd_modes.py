"""Grad modes, inference mode, and what subclasses and modes see below autograd."""

import threading

import pytest

from tests.programs import Programs, attempt, warned

programs = Programs()


def leaf(m, *values):
    return m.tensor([float(v) for v in values], requires_grad=True)


@programs
def scopes(m):
    x = leaf(m, 1)
    with m.no_grad():
        yield m.is_grad_enabled(), (x * 2).requires_grad
        with m.enable_grad():
            yield m.is_grad_enabled(), (x * 2).requires_grad
        yield m.is_grad_enabled()
    yield m.is_grad_enabled()
    with m.set_grad_enabled(False) as s:
        yield m.is_grad_enabled(), s
    m.set_grad_enabled(False)
    yield m.is_grad_enabled()
    m.set_grad_enabled(True)
    yield m.is_grad_enabled()
    try:
        with m.no_grad():
            raise ValueError
    except ValueError:
        yield m.is_grad_enabled()


@programs
def scopes_used_again(m):
    scope = m.no_grad()
    with scope:
        with m.enable_grad(), scope:
            yield m.is_grad_enabled()
        yield m.is_grad_enabled()
    yield m.is_grad_enabled()
    s = m.set_grad_enabled(False)
    yield m.is_grad_enabled()
    with s:
        yield m.is_grad_enabled()
    yield m.is_grad_enabled()


@programs
def decorated_functions(m):
    @m.no_grad()
    def f():
        return m.is_grad_enabled()

    @m.no_grad
    def g(a, b=2):
        """Its text."""
        return m.is_grad_enabled(), a, b

    @m.enable_grad()
    def h():
        return m.is_grad_enabled(), g(1)

    @m.set_grad_enabled(False)
    def i():
        return m.is_grad_enabled()

    @m.inference_mode()
    def j():
        return m.is_inference_mode_enabled(), m.ones(1).is_inference()

    @m.inference_mode
    def k():
        return m.is_inference_mode_enabled()

    yield f(), g(1, b=3), g.__name__, g.__doc__, h(), i(), j(), k(), m.is_grad_enabled()
    with m.no_grad():
        yield h()


@programs
def decorated_generators(m):
    @m.no_grad()
    def numbers():
        seen.append(m.is_grad_enabled())
        got = yield 1
        seen.append((m.is_grad_enabled(), got))
        try:
            yield 2
        except ValueError as e:
            seen.append((m.is_grad_enabled(), str(e)))
        try:
            yield 3
        finally:
            seen.append(("end", m.is_grad_enabled()))
        return 5

    seen = []
    g = numbers()
    yield next(g), m.is_grad_enabled(), g.send("sent"), m.is_grad_enabled(), g.throw(ValueError("thrown")), attempt(next, g), seen
    h = numbers()
    next(h)
    next(h)
    h.close()
    yield seen, m.is_grad_enabled()
    k = numbers()
    next(k)
    yield attempt(k.throw, KeyError("x")), m.is_grad_enabled()


@programs
def decorated_classes(m):
    def decorate():
        @m.no_grad()
        class A:
            def __init__(self):
                self.mode = m.is_grad_enabled()

        return A

    made, found = warned(decorate)
    yield found, made().mode


@programs
def decorated_methods(m):
    class A:
        @m.no_grad()
        def f(self):
            return m.is_grad_enabled()

        @staticmethod
        @m.no_grad()
        def g():
            return m.is_grad_enabled()

        @m.no_grad()
        def error(self):
            raise ValueError("in")

    a = A()
    yield a.f(), A.g(), attempt(a.error), m.is_grad_enabled()


@programs
def coroutines(m):
    import asyncio

    @m.no_grad()
    async def f():
        return m.is_grad_enabled()

    yield asyncio.run(f())


@programs
def inference_tensors(m):
    with m.inference_mode():
        i = m.ones(2)
        yield i.is_inference(), i.requires_grad, m.is_grad_enabled(), m.is_inference_mode_enabled()
        j = i * 2
        i.add_(1)
        yield j.is_inference(), i, i[0].is_inference(), i[0]._is_view()
        r = m.ones(2, requires_grad=True)
        yield r.requires_grad, r.is_inference(), (r * 2).requires_grad
        with m.inference_mode(False):
            k = m.ones(2)
            yield k.is_inference(), m.is_grad_enabled(), m.is_inference_mode_enabled()
        with m.enable_grad():
            yield (r * 2).requires_grad, m.is_grad_enabled()
    yield i.is_inference(), i._is_view(), (i * 2).is_inference(), i.clone().is_inference(), i.view(2).is_inference()
    for make in (m.zeros, m.empty, m.rand, m.ones):
        with m.inference_mode():
            yield make(2).is_inference()
    yield m.ones(2).is_inference()


@programs
def inference_factories(m):
    import numpy

    with m.inference_mode():
        for t in (m.tensor([1.0]), m.arange(3), m.from_numpy(numpy.ones(2)), m.as_tensor([1, 2]), m.full((2,), 3.0), m.linspace(0, 1, 3),
                  m.Tensor([1.0]), m.tensor(1), m.eye(2), m.zeros_like(m.ones(2)), m.empty_strided((2,), (1,)), m.cat([m.ones(1), m.ones(1)]),
                  m.ones(2) > 0, m.ones(2).sum(), m.ones(2, 2) @ m.ones(2, 2), m.ones(3).sort()[0], m.ones(2, device="meta"),
                  m.ones(4).view(2, 2), m.ones(2).detach(), m.ones(2).to(m.float64), m.ones(2).numpy() is None or m.ones(1)):  # fmt: skip
            yield t.is_inference()


@programs
def writes_to_inference_tensors(m):
    with m.inference_mode():
        i = m.ones(2)
    yield attempt(i.add_, 1)
    yield attempt(i.zero_), attempt(i.__setitem__, 0, 2.0), attempt(i.copy_, m.zeros(2)), attempt(m.add, m.ones(2), 1, out=i)
    with m.no_grad():
        yield attempt(i.add_, 1)
    with m.inference_mode():
        i.add_(1)
        m.add(i, 1, out=i)
    yield i, attempt(lambda: i._version)
    yield attempt(i.requires_grad_), attempt(i.requires_grad_, False), attempt(setattr, i, "requires_grad", True)
    with m.inference_mode():
        i.requires_grad_()
    yield i.requires_grad, i.is_leaf


@programs
def inference_tensors_in_recorded_calls(m):
    x = leaf(m, 1, 2)
    with m.inference_mode():
        i = m.ones(2)
    yield attempt(lambda: x * i)
    y = x + i
    y.sum().backward()
    yield x.grad
    z = x * 1
    yield attempt(z.add_, i), attempt(z.mul_, i), attempt(z.copy_, i)
    with m.no_grad():
        yield (x * i).requires_grad
    yield attempt(i.mul_, x)


@programs
def normal_tensors_in_inference_mode(m):
    x = leaf(m, 1, 2)
    y = x * 1
    s = y.sin()
    with m.inference_mode():
        z = y * 2
        yield z.is_inference(), z.requires_grad, y._version
        y.add_(1)
        yield y._version, y.requires_grad, attempt(lambda: y.grad_fn)
        v = y[0]
        yield v.is_inference(), v._is_view(), v.requires_grad, attempt(lambda: v.grad_fn)
        v.add_(1)
        yield y, y._version
    yield attempt(s.sum().backward)
    yield attempt(v.add_, 1)


@programs
def inference_mode_and_backward(m):
    x = leaf(m, 1, 2)
    y = (x * x).sum()
    with m.inference_mode():
        yield attempt(y.backward)
    yield x.grad, x.grad.is_inference()
    z = (x * x).sum()
    yield attempt(z.backward), x.grad


@programs
def inference_mode_scopes(m):
    with m.inference_mode(True), m.inference_mode(False):
        yield m.is_inference_mode_enabled(), m.is_grad_enabled()
    with m.no_grad(), m.inference_mode(False):
        yield m.is_inference_mode_enabled(), m.is_grad_enabled()
    yield m.is_inference_mode_enabled(), m.is_grad_enabled()
    yield attempt(m.inference_mode, "a") and True
    mode = m.inference_mode()
    with mode:
        pass
    with mode:
        yield m.is_inference_mode_enabled()
    yield m.is_inference_mode_enabled()


@programs
def modes_of_threads(m):
    seen = []

    def work():
        seen.append((m.is_grad_enabled(), m.is_inference_mode_enabled(), m.ones(1).is_inference()))

    with m.inference_mode():
        t = threading.Thread(target=work)
        t.start()
        t.join()
    yield seen


@programs
def factories_in_no_grad(m):
    with m.no_grad():
        x = m.ones(2, requires_grad=True)
        y = x * 2
        z = m.tensor([1.0], requires_grad=True)
        p = m.nn.Parameter(m.ones(2))
    yield x.requires_grad, y.requires_grad, z.requires_grad, p.requires_grad
    (x * 2).sum().backward()
    yield x.grad


@programs
def detached_in_scopes(m):
    x = leaf(m, 1, 2)
    with m.no_grad():
        v = x.view(2, 1)
        w = x.detach()
        e = x.expand(3, 2)
        r = x.reshape(2)
        c = x.contiguous()
    yield v.requires_grad, v.is_leaf, w.requires_grad, e.requires_grad, r.requires_grad, c is x
    yield attempt(lambda: v.grad_fn)
    with m.no_grad():
        t = x.t()
        yield (t * 2).requires_grad
    y = t * 2
    yield y.requires_grad, y.grad_fn
    yield attempt(y.sum().backward), x.grad, t.grad


def logging_tensor(m):
    class Logging(m.Tensor):
        log = []

        @staticmethod
        def __new__(cls, elem, requires_grad=False):
            r = m.Tensor._make_wrapper_subclass(cls, elem.size(), strides=elem.stride(), dtype=elem.dtype, requires_grad=requires_grad)
            r.elem = elem.detach() if elem.requires_grad else elem
            return r

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            def unwrap(t):
                return t.elem if isinstance(t, cls) else [unwrap(x) for x in t] if isinstance(t, (list, tuple)) else t

            def wrap(t):
                return cls(t) if isinstance(t, m.Tensor) else tuple(wrap(x) for x in t) if isinstance(t, (list, tuple)) else t

            cls.log.append(str(func))
            return wrap(func(*map(unwrap, args), **(kwargs or {})))

    return Logging


@programs
def logging_tensors_under_autograd(m):
    Logging = logging_tensor(m)
    x = Logging(m.tensor([1.0, 2.0]), requires_grad=True)
    y = x * x
    yield type(y).__name__, y.requires_grad, y.grad_fn.name(), list(Logging.log)
    Logging.log.clear()
    y.sum().backward()
    yield Logging.log, type(x.grad).__name__, x.grad.elem


@programs
def logging_tensors_accumulate(m):
    Logging = logging_tensor(m)
    x = Logging(m.tensor([1.0, 2.0]), requires_grad=True)
    x.sin().sum().backward()
    Logging.log.clear()
    x.sin().sum().backward()
    yield Logging.log, x.grad.elem
    (g,) = m.autograd.grad((x * x).sum(), x, create_graph=True)
    yield type(g).__name__, g.requires_grad
    Logging.log.clear()
    (h,) = m.autograd.grad(g.sum(), x)
    yield Logging.log, h.elem


@programs
def logging_tensors_and_custom_functions(m):
    Logging = logging_tensor(m)

    class Square(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x**2
            ctx.save_for_backward(x)
            return y

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 * x

    x = Logging(m.ones(1), requires_grad=True)
    y = Square.apply(x)
    yield list(Logging.log), y.grad_fn.name(), type(y).__name__
    (g,) = m.autograd.grad((y,), (x,), (Logging(m.ones(1)),))
    yield Logging.log, type(g).__name__


@programs
def logging_tensors_in_place(m):
    Logging = logging_tensor(m)
    x = Logging(m.tensor([1.0, 2.0]), requires_grad=True)
    y = x * 2
    v0 = y._version
    y.add_(1)
    yield Logging.log, y._version - v0, y.grad_fn.name(), type(y).__name__
    v = y[0]
    yield v._is_view(), v._base is y, v.grad_fn.name()
    yield attempt(x.add_, 1)


@programs
def modes_below_autograd(m):
    from importlib import import_module

    base = import_module("torch.utils._python_dispatch").TorchDispatchMode if m.__class__.__name__ == "module" else m.TorchDispatchMode
    log = []

    class Mode(base):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            log.append((str(func), m.is_grad_enabled(), any(isinstance(a, m.Tensor) and a.requires_grad for a in args)))
            return func(*args, **(kwargs or {}))

    x = leaf(m, 1, 2)
    with Mode():
        y = (x * 2).sin().sum()
    yield log, y.requires_grad, y.grad_fn.name()
    log.clear()
    with Mode():
        y.backward()
    yield log, x.grad


@programs
def torch_function_of_methods(m):
    class Sub(m.Tensor):
        calls = []

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            cls.calls.append(getattr(func, "__name__", str(func)))
            return super().__torch_function__(func, types, args, kwargs or {})

    x = leaf(m, 1, 2).as_subclass(Sub)
    Sub.calls.clear()
    y = (x * 2).sum()
    y.register_hook(lambda g: None)
    y.retain_grad()
    y.backward()
    yield Sub.calls, type(y).__name__
    Sub.calls.clear()
    z = x.detach().requires_grad_()
    w = (z * 2).sum()
    Sub.calls.clear()
    m.autograd.grad(w, z)
    yield Sub.calls
    Sub.calls.clear()
    seen = (z.grad, z.requires_grad, z.is_leaf, z.grad_fn, z._version, z.data is None)
    yield len(seen)
    yield Sub.calls


@programs
def saved_subclasses(m):
    class Sub(m.Tensor):
        pass

    x = leaf(m, 1, 2)
    s = (x * 1).as_subclass(Sub)
    y = s.sin()
    yield type(y).__name__, type(y.grad_fn._saved_self).__name__, y.grad_fn._saved_self is s
    y.sum().backward()
    yield type(x.grad).__name__
    p = m.ones(2).as_subclass(Sub).requires_grad_()
    (p * 2).sum().backward()
    yield type(p.grad).__name__


@programs
def views_made_without_recording_of_a_leaf_that_was_written_since(m):
    x = leaf(m, 1, 2, 3)
    with m.no_grad():
        quiet, written = x[:2], x.view(3)
    yield quiet.grad_fn, written.requires_grad
    with m.no_grad():
        written.mul_(2)
    yield attempt(lambda: quiet.grad_fn), attempt(lambda: written * 2)
    y = m.ones(3)
    y.add_(1)
    early = y[:2]
    y.requires_grad_()
    yield early.grad_fn, early.requires_grad


@programs
def a_resize_to_the_same_sizes_is_no_change(m):
    for change in (lambda x: x.resize_(3), lambda x: x.resize_as_(m.ones(3)), lambda x: x.resize_(2), lambda x: x.resize_(3, 1)):
        x = m.ones(3)
        change(x)
        yield x._version


@programs
def operators_over_lists_keep_histories_below_modes(m):
    from importlib import import_module

    base = import_module("torch.utils._python_dispatch").TorchDispatchMode if m.__class__.__name__ == "module" else m.TorchDispatchMode

    class Seen(base):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            calls.append(str(func))
            return func(*args, **(kwargs or {}))

    calls = []
    for call in (lambda a, b: m._foreach_add(a, b, alpha=2), lambda a, b: m._foreach_mul(a, [2.0, 3.0]), lambda a, b: m._foreach_norm(a),
                 lambda a, b: m._foreach_exp_(a), lambda a, b: m._foreach_addcdiv_(a, b, b, 2.0)):  # fmt: skip
        a, b = [leaf(m, 1, 2), leaf(m, 3)], [leaf(m, 4, 5), leaf(m, 6)]
        given = [x * 1 for x in a]
        with Seen():
            made = call(given, b) or given
        grads = m.autograd.grad([x.sum() for x in made], a + b, allow_unused=True)
        yield calls.pop(0), [x.detach() for x in made], grads
        calls.clear()


@programs
def modes_take_bools(m):
    from importlib import import_module

    autograd, forward_ad = m.autograd, import_module(("torch" if m.__class__.__name__ == "module" else "runtime") + ".autograd.forward_ad")
    x = leaf(m, 1, 2)
    yield attempt(autograd.set_detect_anomaly, 1), attempt(m.set_grad_enabled, "a"), m.is_grad_enabled()
    given = (m.ones(3, 2), m.ones(4, 2))
    yield attempt(autograd.grad, (x * 2, x * 3), x, given, is_grads_batched=True)
    with forward_ad.dual_level():
        yield attempt(forward_ad.make_dual, m.ones(2), m.ones(2), level=3)


@programs
def parameters(m):
    p = m.nn.Parameter(m.ones(2))
    yield p.requires_grad, p.is_leaf, type(p.data).__name__, type(p * 2).__name__, type(p.detach()).__name__
    (p * 2).sum().backward()
    yield type(p.grad).__name__, p.grad
    q = m.nn.Parameter(leaf(m, 1) * 2)
    yield q.is_leaf, q.grad_fn
    yield attempt(m.nn.Parameter, m.ones(2, dtype=m.int64)), m.nn.Parameter(m.ones(2, dtype=m.int64), requires_grad=False).requires_grad


@pytest.mark.oracle
@pytest.mark.parametrize("name", programs)
def test_as_pytorch(name):
    pytest.importorskip("torch")
    programs.compare(name)
