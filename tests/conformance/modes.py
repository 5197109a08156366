"""What modes see and what stands on their stack."""

import threading

from start import log, show, taken

import torch
import torch._C as C
from torch._C import DispatchKey
from torch._C import _TorchDispatchModeKey as K
from torch.utils._mode_utils import all_same_mode, no_dispatch
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes,
    _get_current_dispatch_mode,
    _get_current_dispatch_mode_stack,
    _get_dispatch_stack_at,
    _len_torch_dispatch_stack,
    _pop_mode_temporarily,
    is_in_torch_dispatch_mode,
)


class M(TorchDispatchMode):
    def __init__(self, name="", act=None, **kw):
        super().__init__(**kw)
        self.name = name
        self.act = act

    def __repr__(self):
        return f"M({self.name})"

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        log.append(
            f"{self.name}:{func} {[t.__name__ for t in types]} beneath {[m.name for m in _get_current_dispatch_mode_stack()]} {is_in_torch_dispatch_mode()}"
        )
        if self.act:
            return self.act(func, types, args, kwargs or {})
        return func(*args, **(kwargs or {}))


x = torch.ones(2)


def t():
    with M("a"), M("b"):
        torch.add(x, 1)
    return taken()


show("nest", t)


def t():
    a = M("a")
    with a:
        with a:
            x + 1
        x * 1
    return taken(), is_in_torch_dispatch_mode()


show("same", t)


def t():
    with M("a"), M("b", lambda *a: NotImplemented):
        x + 1


show("NI", t)


def t():
    with M("a", lambda *a: NotImplemented):
        torch.ones(3)


show("NI2", t)


def t():
    with M("a"):
        with M("b", lambda *a: 1 / 0):
            x + 1


show("raise", t)
show("after raise", lambda: (_len_torch_dispatch_stack(), is_in_torch_dispatch_mode()))


class CM(TorchDispatchMode):
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def t():
    with CM():
        x + 1


show("classmethod", t)


class SM(TorchDispatchMode):
    @staticmethod
    def __torch_dispatch__(func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def t():
    with SM():
        return x + 1


show("staticmethod", t)


class No(TorchDispatchMode):
    pass


def t():
    with No():
        x + 1


show("no impl", t)


def answered(value, call):
    def run():
        with M("a", lambda *a: value):
            return call()

    return run


CALLS = {"add": lambda: x + 1, "item": lambda: x.sum().item(), "add_": lambda: x.add_(1), "equal": lambda: torch.equal(x, x), "max": lambda: x.max(0)}
for value in ["nonsense", None, 3, [x], (x, x), object, 2.5, True]:
    for name, call in CALLS.items():
        show(f"{name} answered by {value!r}", answered(value, call))
log.clear()


def t():
    with M("a"):
        with _pop_mode_temporarily() as m:
            n = _len_torch_dispatch_stack()
            x + 1
        return m, n, _len_torch_dispatch_stack(), taken()


show("pop temp", t)


def t():
    with _pop_mode_temporarily():
        pass


show("pop temp empty", t)


def t():
    with M("a"), M("b"):
        with _disable_current_modes() as ms:
            x + 1
            n = _len_torch_dispatch_stack()
        return ms, n, _len_torch_dispatch_stack(), taken()


show("disable", t)


def t():
    with M("a"):
        with _disable_current_modes():
            1 / 0


show("disable raise", t)
show("pop empty", lambda: C._pop_torch_dispatch_stack(None))
show("stack at", lambda: _get_dispatch_stack_at(0))
show("cur", lambda: _get_current_dispatch_mode())
show("key repr", lambda: [repr(K.FAKE), str(K.PROXY), int(K.FUNCTIONAL), K.FAKE == K.FAKE, K.FAKE == 0, hash(K.FAKE) == hash(K.FAKE)])


class FakeM(M):
    _mode_key = K.FAKE


class ProxyM(M):
    _mode_key = K.PROXY


class FuncM(M):
    _mode_key = K.FUNCTIONAL


def t():
    with M("u"), ProxyM("p"), FakeM("f"), FuncM("fn"):
        s = [m.name for m in _get_current_dispatch_mode_stack()]
        g = [C._get_dispatch_mode(k) for k in (K.FAKE, K.PROXY, K.FUNCTIONAL)]
        x + 1
        return s, g, [_get_dispatch_stack_at(i) for i in range(4)], _get_current_dispatch_mode(), taken()


show("infra", t)


def t():
    with FakeM("f"):
        with FakeM("g"):
            pass


show("infra twice", t)


def t():
    with ProxyM("f"):
        with ProxyM("g"):
            pass


show("infra twice p", t)


def t():
    f = FuncM("f")
    C._set_dispatch_mode(f)
    r = [
        C._get_dispatch_mode(K.FUNCTIONAL),
        C._unset_dispatch_mode(K.FUNCTIONAL),
        C._unset_dispatch_mode(K.FUNCTIONAL),
        C._get_dispatch_mode(K.FUNCTIONAL),
    ]
    return r


show("set/unset", t)
show("set no key", lambda: C._set_dispatch_mode(M("q")))
show("pop key", lambda: C._pop_torch_dispatch_stack(K.FAKE))


def t():
    with M("u"), FakeM("f"):
        with _pop_mode_temporarily(K.FAKE) as m:
            return m, _get_current_dispatch_mode_stack()


show("pop temp key", t)
show("dispatch key bad", lambda: M("x", _dispatch_key=3))
show("dispatch key bad2", lambda: M("x", _dispatch_key=DispatchKey.CPU).__enter__())
log.clear()


def t():
    seen = []

    def run():
        seen.append((_len_torch_dispatch_stack(), is_in_torch_dispatch_mode()))
        x + 1
        seen.append(taken())
        with M("t"):
            x * 2
        seen.append(taken())

    with M("a"):
        th = threading.Thread(target=run)
        th.start()
        th.join()
        x + 1
    return seen, taken()


show("threads", t)


def t():
    def g():
        with M("g"):
            yield 1
            x + 1
            yield 2

    it = g()
    next(it)
    x * 1
    next(it)
    n = _len_torch_dispatch_stack()
    it.close()
    return n, _len_torch_dispatch_stack(), taken()


show("gen", t)


def t():
    class P(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

        def __repr__(self):
            return "P"

    a, b = P(), P()
    with a:
        b.__enter__()
        a.__exit__(None, None, None)
        r = _get_current_dispatch_mode_stack()
        b.__exit__(None, None, None)
        a.__enter__()
    return r == [a], _len_torch_dispatch_stack()


show("out of order", t)


class Bad(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        with self:
            return func(*args, **(kwargs or {}))


def t():
    with Bad():
        x + 1


show("recursion", t)


class Bad2(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        while _len_torch_dispatch_stack():
            C._pop_torch_dispatch_stack(None)
        return func(*args, **(kwargs or {}))


def t():
    with Bad2():
        x + 1


show("pop under", t)


def t():
    with Bad2():
        with Bad2():
            x + 1


show("pop under2", t)


show("is_in", lambda: (is_in_torch_dispatch_mode(), is_in_torch_dispatch_mode(include_infra_modes=False)))


def t():
    with FakeM("f"):
        a = is_in_torch_dispatch_mode(), is_in_torch_dispatch_mode(False)

    class Inf(M):
        @classmethod
        def is_infra_mode(cls):
            return True

    with Inf("i"):
        b = is_in_torch_dispatch_mode(), is_in_torch_dispatch_mode(False)
    with Inf("i"), M("u"):
        c = is_in_torch_dispatch_mode(), is_in_torch_dispatch_mode(False)
    with M("u"), Inf("i"):
        d = is_in_torch_dispatch_mode(), is_in_torch_dispatch_mode(False)
    return a, b, c, d


show("is_in2", t)


def t():
    m = M("a")
    m.__exit__(None, None, None)


show("exit w/o enter", t)


class Slot(TorchDispatchMode):
    __slots__ = ("q",)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def t():
    with Slot():
        return x + 1


show("slots", t)


class NoInit(TorchDispatchMode):
    def __init__(self):
        pass

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def t():
    with NoInit():
        return x + 1


show("no super init", t)


def t():
    class Inst(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.__torch_dispatch__ = lambda f, t, a=(), k=None: log.append("inst") or f(*a, **(k or {}))

    with Inst():
        x + 1
    return taken()


show("instance attr", t)
show("push()", lambda: type(M.push("a")).__name__)
show("kw", lambda: [torch.ops.aten.add.Tensor(self=x, other=x), torch.ops.aten.add.Tensor(x, other=x, alpha=2)])


def t():
    with torch._C._DisableTorchDispatch():
        pass


show("DisableTorchDispatch", t)


def t():
    with M("a"):
        g = torch._C._DisableTorchDispatch()
        x + 1
        del g
        r = taken()
        x + 1
        return r, taken()


show("no_dispatch guard", t)


def t():
    with M("a"):
        with no_dispatch():
            x + 1
        r = taken()
    a = M("a")
    return r, all_same_mode([a, a]), all_same_mode([a, M("b")])


show("no_dispatch", t)
show("attrs", lambda: (M("a").is_infra_mode(), M.ignore_compile_internals(), M._should_skip_dynamo(), M("a").supports_higher_order_operators))


def t():
    o = torch.ones(2)
    with M("a"):
        r = torch.add(x, x, out=o)
    return r is o, taken()


show("out", t)


def t():
    y = torch.ones(2)
    with M("a"):
        r = y.add_(1)
    return r is y, taken()


show("inplace ident", t)


def t():
    o = torch.ones(2), torch.zeros(2, dtype=torch.int64)
    o = torch.ones(()), torch.zeros((), dtype=torch.int64)
    with M("a"):
        r = torch.max(x, 0, out=o)
    return type(r).__name__, r[0] is o[0], taken()


show("out2", t)
