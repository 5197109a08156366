"""How tensors print, and what else Python shows of the library: modules, results, dtypes, storages."""

import math

from start import log, show

import torch
from torch._tensor_str import get_printoptions, printoptions
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

nan, inf = math.nan, math.inf
DTYPES = """bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 complex32 complex64 complex128
float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu""".split()

for name in DTYPES:
    dtype = getattr(torch, name)
    for shape in ((), (0,), (0, 3), (3,), (2, 2)):
        show(f"zeros {name} {shape}", lambda: torch.zeros(shape, dtype=dtype))
        show(f"meta {name} {shape}", lambda: torch.empty(shape, dtype=dtype, device="meta"))
    show(f"dtype {name}", lambda: [dtype, str(dtype)])
    show(f"limits {name}", lambda: torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype))
    show(f"small {name}", lambda: torch.tensor([0, 1, 2, 100], dtype=dtype))
    if name != "bool":  # any byte of a bool but 0 and 1 is undefined
        show(f"bytes {name}", lambda: torch.arange(256, dtype=torch.uint8).view(dtype))
        show(f"rows {name}", lambda: torch.arange(64, dtype=torch.uint8).view(dtype).reshape(2, -1))

NUMBERS = [
    [], [[]], [[], []], [[[]]], 1.0, nan, -inf, [1e10], [1e-10], [0.0, -0.0], [-0.0], [1.5, nan], [nan, nan], [1e38, 1e-38], [1e308, 5e-324],
    1 + 2j, [1 + 2j], complex(nan, inf), [complex(1e10, 1)], [complex(-0.0, -0.0)], [[1 + 1j], [2.5 - 3j]], [1.0, 2.0, 3e5], [100000000.0],
    [1e8, 1.0], [2e8], [0.0001], [0.00009], [1000.0, 1.0], [1001.0, 1.0], [1001.5, 1.0], [True, False], [[True]], 12345678901234, [-1, 1],
    [nan, 1.0, 2.0], [inf, 1.5], [inf, 1e-9], [1e-9, nan, -inf],
]  # fmt: skip
OPTIONS = [
    {"precision": 0}, {"precision": 10}, {"sci_mode": True}, {"sci_mode": False}, {"sci_mode": True, "precision": 1}, {"linewidth": 10},
    {"linewidth": 1}, {"threshold": 0, "edgeitems": 0}, {"threshold": 0, "edgeitems": 1}, {"threshold": 0, "linewidth": 5},
    {"profile": "full"}, {"profile": "short"}, {"profile": "default"}, {"profile": "unknown"},
]  # fmt: skip


def under(options, call):
    with printoptions(**options):
        return repr(call())


for data in NUMBERS:
    for name in (None, "float64", "float16", "bfloat16", "complex128", "complex32"):
        show(f"{data} {name}", lambda: torch.tensor(data, dtype=name and getattr(torch, name)))
    for options in OPTIONS:
        show(f"{data} {options}", lambda: under(options, lambda: torch.tensor(data)))

for n in (7, 20, 100, 1001):
    for options in (
        {}, {"threshold": 5}, {"threshold": 5, "edgeitems": 0}, {"threshold": 5, "edgeitems": 1}, {"threshold": 5, "edgeitems": 10},
        {"edgeitems": 0}, {"linewidth": 30}, {"linewidth": 200}, {"profile": "full"},
    ):  # fmt: skip
        for label, make in {
            "ints": lambda: torch.arange(n),
            "floats": lambda: torch.arange(n) * 0.37,
            "rows": lambda: torch.arange(2 * n).reshape(2, n),
            "columns": lambda: torch.arange(2 * n).reshape(2, n).t(),
            "four": lambda: torch.arange(4.0 * n).reshape(2, n, 1, 2),
            "complex": lambda: torch.complex(torch.arange(1.0 * n), torch.arange(1.0 * n) * 0.001),
            "empty": lambda: torch.zeros(n, 0, 2),
        }.items():
            show(f"{label} {n} {options}", lambda: under(options, make))

for options in (
    {"precision": "a"}, {"precision": -1}, {"precision": 1.5}, {"threshold": "a"}, {"edgeitems": "a"}, {"edgeitems": 1.5}, {"linewidth": "x"},
    {"linewidth": 0}, {"linewidth": -5}, {"foo": 1}, {"sci_mode": "x"}, {"sci_mode": 0}, {"profile": 3}, {"profile": []},
    {"precision": None}, {"edgeitems": -1},
):  # fmt: skip
    show(f"bad {options}", lambda: under(options, lambda: torch.tensor([1.5, 2.0])))
    show(f"bad long {options}", lambda: under(options, lambda: torch.arange(3000.0)))


def t():
    out = [get_printoptions()]
    with printoptions(profile="short", threshold=7):
        out.append(get_printoptions())
    with printoptions(sci_mode=True):
        torch.set_printoptions(precision=9)
        out.append(get_printoptions())
    torch.set_printoptions(2, 3, 4, 5, "default", True)
    out.append(get_printoptions())
    torch.set_printoptions(profile="default")
    return [*out, get_printoptions()]


show("options", t)

# ---- autograd

ones = torch.ones
show("requires_grad", lambda: ones(2, requires_grad=True))
show("grad_fn", lambda: ones(2, requires_grad=True) * 2)
show("view", lambda: ones(2, requires_grad=True).view(1, 2))
show("whole slice", lambda: ones(2, requires_grad=True)[:])
show("long suffixes", lambda: ones(3, 5, requires_grad=True).double() * 2)
show("meta", lambda: ones(3, 5, requires_grad=True, device="meta") * 2)


def t():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g

    return Square.apply(ones(2, requires_grad=True))


show("custom function", t)


def t():
    first, second = (ones(2, requires_grad=True) * 1).unbind(0)
    with torch.no_grad():
        first.mul_(2)
    return first, second


show("written in no_grad", t)


def t():
    base = ones(2)
    with torch.no_grad():
        view = base.view(2)
    base.mul_(ones(2, requires_grad=True))
    return view, base


show("base written", t)


def t():
    with forward_ad.dual_level():
        d = forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        return [repr(d), repr(d * 2), repr(forward_ad.make_dual(ones(2, 2), ones(2, 2))), repr(forward_ad.unpack_dual(d))]


show("tangents", t)

# ---- parameters and subclasses

show("parameter", lambda: torch.nn.Parameter(ones(2)))
show("parameter without grad", lambda: torch.nn.Parameter(ones(2), requires_grad=False))
show("buffer", lambda: torch.nn.Buffer(ones(2)))


def t():
    class S(torch.Tensor):
        pass

    class P(torch.nn.Parameter):
        pass

    x = ones(2).as_subclass(S)
    return [
        repr(x), str(x), f"{x}", x.__repr__(tensor_contents="abc"), repr(x[0]), f"{x[0]}", repr(torch.nn.Parameter(x)), repr(P(ones(1))),
        repr(ones(3, device="meta").as_subclass(S)), repr(x.requires_grad_()), repr(ones(0).as_subclass(S)),
    ]  # fmt: skip


show("subclasses", t)


def t():
    class S(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func in (torch.Tensor.__repr__, torch.Tensor.__format__):
                log.append(f"{func.__name__} {args[1:]} {kwargs or {}}")
                if log[0].startswith("__format__"):
                    return "formatted"
            return super().__torch_function__(func, types, args, kwargs or {})

    x = ones(2).as_subclass(S)
    return [repr(x), str(x), x.__repr__(tensor_contents="u"), log.clear(), f"{x}", f"{x:>3}"]


show("handlers", t)


def t():
    class W(torch.Tensor):
        @staticmethod
        def __new__(cls, inner):
            return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

        def __init__(self, inner):
            self.inner = inner

        def __repr__(self):
            return super().__repr__(tensor_contents=f"{self.inner}")

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            log.append(str(func))
            args, kwargs = tree_map(lambda t: t.inner if isinstance(t, W) else t, (args, kwargs or {}))
            return tree_map(lambda t: W(t) if isinstance(t, torch.Tensor) else t, func(*args, **kwargs))

    w = W(ones(2))
    return [repr(w), str(w), f"{w}", repr(w + 1), repr(W(ones(2, dtype=torch.int8))), repr(W(ones(0, 2)))]


show("wrappers", t)

for element in (0.5, 3, True, 1 + 1j):
    for spec in ("", ".3f", ">10", "d", "e", "x"):
        show(f"format {element} {spec}", lambda: format(torch.tensor(element), spec))
        show(f"format [{element}] {spec}", lambda: format(torch.tensor([element]), spec))
        show(f"format grad {element} {spec}", lambda: format(torch.tensor(float(abs(element)), requires_grad=True), spec))
show("format meta", lambda: format(ones((), device="meta"), ""))
show("format meta .2f", lambda: format(ones((), device="meta"), ".2f"))
show("contents", lambda: ones(2).__repr__(tensor_contents="xyz"))
show("contents empty", lambda: ones(2, 0).__repr__(tensor_contents="xyz"))
show("contents meta", lambda: ones(2, 0, device="meta", dtype=torch.int8).__repr__(tensor_contents="xyz"))
show("contents lines", lambda: ones(2, requires_grad=True, dtype=torch.float64).__repr__(tensor_contents="x\nyz"))

# ---- tensors that are not what their memory holds

show("conj", lambda: torch.tensor([1 + 2j, 3 - 4j]).conj())
show("conj 0-d", lambda: torch.tensor(1 + 2j).conj())
show("neg", lambda: torch.tensor([1 + 2j, 3 - 4j]).conj().imag)
show("neg of conj", lambda: torch._neg_view(torch.tensor([1 + 2j, 3 - 4j]).conj()))
show("neg of ints", lambda: torch._neg_view(torch.tensor([1, 0])))
show("neg of zero", lambda: torch._neg_view(torch.tensor([1.0, 0.0])))
show("zero tensor", lambda: torch._efficientzerotensor(3))
show("zero tensor float64", lambda: torch._efficientzerotensor((2, 2), dtype=torch.float64))
show("zero tensor complex", lambda: torch._efficientzerotensor((2,), dtype=torch.complex128))

for name in ("float64", "float16", "bfloat16"):

    def t():
        before = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, name))
        try:
            return [
                ones(2), ones(2, dtype=torch.float32), ones(2, dtype=torch.complex64), ones(2, dtype=torch.complex128), ones(0),
                ones(0, dtype=torch.int64), ones(2, device="meta", dtype=torch.int64), torch.finfo(torch.float32),
            ]  # fmt: skip
        finally:
            torch.set_default_dtype(before)

    show(f"default {name}", t)

# ---- under modes


class Seen(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        log.append(str(func))
        return func(*args, **(kwargs or {}))


class Asked(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        log.append(f"{func.__name__} {kwargs or {}}")
        return func(*args, **(kwargs or {}))


x = ones(2, requires_grad=True) * 2


def t():
    with Seen():
        return repr(x), str(x), f"{x}"


show("dispatch mode", t)


def t():
    with Asked():
        return repr(x), str(x), x.__repr__(tensor_contents="u")


show("function mode", t)


def t():
    with torch.no_grad():
        out = [repr(x)]
    with torch.inference_mode():
        return [*out, repr(x), repr(ones(2)), repr(ones(2) * 2)]


show("grad modes", t)

# ---- other objects

for code in """
str(ones(2).untyped_storage())
ones(0).untyped_storage()
ones(1000, dtype=torch.uint8).untyped_storage()
ones(3, device="meta").untyped_storage()
ones(2, 3).shape
torch.Size([])
torch.device("cpu")
torch.device("cpu", 0)
str(torch.device("cuda:1"))
torch.strided
torch.contiguous_format
torch.preserve_format
torch.channels_last
ones(2, 2).max(0)
torch.sort(torch.tensor([3, 1.0]))
torch.kthvalue(torch.tensor([1.0, 2.0]), 1)
torch.linalg.qr(torch.eye(2))
torch.linalg.slogdet(torch.eye(2))
torch.frexp(torch.tensor(1.0))
torch.Generator().device
torch.nn.Linear(2, 3)
torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
torch.nn.Conv2d(1, 2, 3)
torch.nn.ModuleList([torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)])
torch.nn.ModuleDict({"a": torch.nn.ReLU()})
torch.nn.ParameterList([ones(2)])
torch.nn.ParameterDict({"a": ones(2)})
torch.nn.BatchNorm2d(3)
torch.nn.LSTM(2, 3)
torch.nn.Embedding(2, 3)
torch.nn.MultiheadAttention(4, 2)
torch.nn.Transformer(8, 2, 1, 1, 16)
torch.optim.SGD([ones(2, requires_grad=True)], lr=0.1)
torch.optim.Adam([ones(2, requires_grad=True)])
[ones(2)]
(ones(2, 2),)
{"a": ones(2, 2)}
torch.ops.aten.add
torch.ops.aten.add.Tensor
torch.ops.aten.add.Tensor._schema
torch.ops.aten.add.Tensor.tags
torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
torch._C.DispatchKey.CPU
torch.float32.__reduce__()
torch.Tensor.__str__ is object.__str__
""".strip().splitlines():
    show(code, lambda: [eval(code)])
