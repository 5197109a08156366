"""Which `__torch_function__` sees what, for each expression."""


from start import log, show, taken

# What is not named below is for the expressions.
import copy
import pickle

import numpy as np
import torch
import torch.nn.functional as F
from torch.overrides import (
    TorchFunctionMode,
    handle_torch_function,
    has_torch_function,
    has_torch_function_unary,
    has_torch_function_variadic,
    is_tensor_like,
    is_tensor_method_or_property,
    resolve_name,
    wrap_torch_function,
)

EXPRESSIONS = """
s + 1
1 + s
s + s
s - 1
1 - s
s * 2
2 * s
s / 2
2 / s
s // 2
7 // s
s % 2
2 % s
s ** 2
2 ** s
-s
+s
abs(s)
s @ s.t()
s == 1
s != 1
s < 1
s > s
s >= 1
s <= 1
~(s > 0)
(s>0) & (s>0)
(s>0) | True
(s>0) ^ True
s.int() << 1
s.int() >> 1
1 << s.int()
True & (s>0)
s[0]
s[0, 1:]
s[None]
s[s > 2]
s.__setitem__(0, 1.)
len(s)
list(s)
iter(s).__class__ is not None
bool(s[0,0])
float(s[0,0])
int(s[0,0])
complex(s[0,0])
range(4)[s[0,0].int()]
1. in s
s.shape
s.size()
s.size(0)
s.stride()
s.dim()
s.ndim
s.numel()
s.device
s.dtype
s.layout
s.requires_grad
s.is_leaf
s.grad
s.grad_fn
s.data
s.T
s.mT
s.H
s.mH
s.real
s._version
s._base
s.is_cuda
s.is_meta
s.is_sparse
s.is_contiguous()
s.tolist()
s.numpy()
s.storage_offset()
s.element_size()
s.nbytes
s.itemsize
s.clone()
s.detach()
s.to(torch.float64)
s.to('cpu')
s.float()
s.double()
s.cpu()
s.type()
s.type(torch.float64)
s.view(-1)
s.reshape(6)
s.t()
s.sum()
s.sum(0, keepdim=True)
s.max(0)
s.sort()
s.split(1)
s.chunk(2)
s.unbind()
s.add_(1) is s
s.__iadd__(1) is s
s.zero_()
s.new_ones(2)
s.new_tensor([1])
s.requires_grad_()
torch.add(s, 1)
torch.add(input=s, other=1)
torch.add(x, s)
torch.add(x, other=s)
torch.add(x, x, out=s)
torch.add(x, x, out=s) is s
torch.cat([x, s])
torch.cat((s, s))
torch.stack([x, s2, s, o])
torch.ones_like(s)
torch.sum(s)
torch.max(s, 0)
torch.split(s, 1)
torch.chunk(s, 2)
torch.einsum('ij,kj', s, s)
torch.broadcast_tensors(s, x)
torch.meshgrid(s[0], s[0])
torch.norm(s)
torch.tensordot(s, s, dims=2)
torch.unique(s)
torch.where(s > 0, s, x)
torch.where(x > 0, s, x)
torch.is_tensor(s)
torch.numel(s)
torch.is_floating_point(s)
torch.is_complex(s)
torch.result_type(s, 1)
torch.equal(s, x)
torch.allclose(s, x)
torch.linalg.norm(s)
torch.fft.fft(s)
torch.special.expit(s)
F.linear(s, s)
F.relu(s)
F.softmax(s, 0)
F.cross_entropy(s, torch.tensor([0, 1]))
F.mse_loss(s, s)
F.pad(s, (1, 1))
F.layer_norm(s, [3])
F.embedding(torch.tensor([0]), s)
F.one_hot(s.long())
F.normalize(s)
F.interpolate(s[None], 4)
F.max_pool1d(s, 2)
F.gelu(s)
torch.tensor(s)
torch.as_tensor(s)
torch.Tensor(s)
torch.zeros(2)
torch.full((2,), s[0,0])
repr(s)
str(s)
format(s[0,0], '.1f')
hash(s) is not None
copy.copy(s)
copy.deepcopy(s)
pickle.dumps(s) is not None
s.__reduce_ex__(2) is not None
s.__deepcopy__({})
s.__dir__() is not None
dir(s) is not None
s.__array__()
s.__contains__(1.)
s.as_subclass(torch.Tensor)
s.is_same_size(s)
s.__torch_function__ is not None
s.foo
setattr(s, 'foo', 1)
setattr(s, 'data', x)
setattr(s, 'requires_grad', True)
setattr(s, 'grad', None)
d + 1
s + d
d + s
torch.add(d, 1)
torch.add(x, d)
torch.add(1, d)
torch.sum(d)
torch.cat([x, d])
torch.cat(d)
torch.stack([d, s])
torch.ones_like(d)
torch.nn.functional.relu(d)
torch.Tensor.add(x, d)
x.add(d)
x + d
x * d
x == d
x @ d
x[d]
x.__getitem__(d)
x.__setitem__(0, d)
x.__setitem__(d, 1)
torch.add(DuckNI(), x)
torch.add(x, DuckNI())
x + DuckNI()
torch.add(DuckInst(), x)
torch.sum(Duck)
torch.add(x, Duck)
torch.tensor(d)
torch.as_tensor(d)
torch.zeros(d)
torch.full((2,), d)
torch.sum(x, d)
torch.sum(x, dim=d)
torch.reshape(x, (d, 1))
torch.add(x, x, alpha=d)
torch.add(x, x, out=d)
torch.max(x, 0, out=(d, d))
torch.split(d, 1)
torch.norm(d)
torch.einsum('i', d)
torch.einsum('i', [d])
torch.where(d)
torch.is_tensor(d)
is_tensor_like(d), is_tensor_like(x), is_tensor_like(3), is_tensor_like(Duck)
torch.add(s, ni)
torch.add(ni, s)
ni + 1
ni + s
ni + ni
ni.add(1)
ni.sum()
ni.shape
ni.add_(1)
ni[0]
-ni
1 + ni
ni == 1
len(ni)
torch.add(s, s2)
torch.add(s2, s)
torch.add(s, o)
torch.add(o, s)
s + o
s + s2
s.add(o)
x + s2
has_torch_function((s,)), has_torch_function((x, 1)), has_torch_function([s]), has_torch_function((d,)), has_torch_function(()), has_torch_function_unary(s), has_torch_function_unary(x), has_torch_function_variadic(x, s), has_torch_function_variadic(x, x), has_torch_function((Duck,)), has_torch_function((None, 3, 'a'))
has_torch_function(3)
handle_torch_function(torch.add, (s, x), s, x)
handle_torch_function(torch.add, (d,), d, x)
handle_torch_function(torch.add, (x,), x, x)
handle_torch_function(torch.add, (ni,), ni, x)
handle_torch_function('foo', (d,))
resolve_name(torch.add), resolve_name(torch.Tensor.add), resolve_name(F.relu), resolve_name(torch.Tensor.shape.__get__), resolve_name(torch.linalg.norm), resolve_name(torch.ops.aten.add.Tensor), resolve_name(torch.ops.aten.add), resolve_name(len), resolve_name(torch.Tensor.__add__), resolve_name(torch.fft.fft), resolve_name(torch.special.expit), resolve_name(torch.Tensor.__getitem__)
is_tensor_method_or_property(torch.Tensor.add), is_tensor_method_or_property(torch.add), is_tensor_method_or_property(torch.Tensor.shape.__get__), is_tensor_method_or_property(torch.Tensor.__add__), is_tensor_method_or_property(F.relu)
torch.ops.aten.add.Tensor(s, 1)
torch.ops.aten.add(s, 1)
torch.ops.aten.add(d, 1)
torch.ops.aten.add.Tensor(d, 1)
type(s.max(0)).__name__, type(s.max(0)[0]).__name__
[type(t).__name__ for t in s.split(1)], type(s.split(1)).__name__
type(s.T).__name__, type(s.data).__name__, type(s.real).__name__
type(s.grad), type(s._base)
type(torch.add(s, 1, out=x.clone())).__name__
type(x.clone().add_(s)).__name__
type(s.shape), type(s.tolist()), type(s.sum().item())
torch.Tensor.add(s, 1)
torch.Tensor.__add__(s, 1)
torch.Tensor.shape.__get__(s)
S.add(s, 1)
torch.Tensor.add.__name__, torch.Tensor.__add__.__name__, torch.Tensor.shape.__get__.__name__, torch.Tensor.__rsub__.__name__, torch.Tensor.__getitem__.__name__, torch.Tensor.T.__get__.__name__
torch.Tensor.__radd__(s, 1)
torch.Tensor.__rsub__(s, 1)
torch.Tensor.__rpow__(s, 1)
torch.Tensor.__rdiv__(s, 1)
torch.Tensor.__rmul__(s, 1)
torch.Tensor.__imul__(s, 1)
torch.Tensor.__itruediv__(s, 1)
torch.Tensor.__ifloordiv__(s, 1)
torch.Tensor.__ipow__(s, 1)
torch.Tensor.__iand__(s.int(), 1)
torch.Tensor.__div__(s, 1)
torch.Tensor.__idiv__(s, 1)
torch.Tensor.__matmul__(s, s.t())
torch.Tensor.__rmatmul__(s.t(), s)
torch.Tensor.__eq__(s, 1)
torch.Tensor.__len__(s)
torch.Tensor.__bool__(s[0,0])
torch.Tensor.__index__(s[0,0].int())
torch.Tensor.__invert__(s>0)
torch.Tensor.__pos__(s)
torch.Tensor.__abs__(s)
torch.Tensor.__reversed__(s)
torch.Tensor.__format__(s[0,0], '')
torch.Tensor.__hash__(s) is not None
torch.Tensor.__repr__(s)
torch.Tensor.__dir__(s) is not None
torch.Tensor.__contains__(s, 1.)
torch.Tensor.__complex__(s[0,0])
torch.Tensor.split(s, 1)
torch.Tensor.unflatten(s, 0, (1,2))
torch.Tensor.norm(s)
torch.Tensor.unique(s)
torch.Tensor.new_tensor(s, [1])
"""

UNDER_A_MODE = """
torch.ones(2)
torch.tensor([1.])
torch.as_tensor([1.])
torch.from_numpy(np.ones(2))
torch.rand(2)
torch.arange(3)
torch.randn(2)
torch.eye(2)
torch.full((2,), 1.)
torch.zeros(2)
torch.linspace(0,1,2)
torch.Tensor([1.])
torch.Tensor(2)
x + 1
1 + x
x[0]
x.shape
x.__setitem__(0, 1)
len(x)
x.sum()
F.relu(x)
F.linear(x, x)
torch.cat([x, x])
x.T
repr(x)
s + 1
torch.is_tensor(x)
x.dtype
x.to('cpu')
torch.frombuffer(bytearray(4), dtype=torch.float32)
torch.scalar_tensor(1.)
torch.set_default_dtype(torch.float32)
torch.get_default_dtype()
torch.promote_types(torch.float32, torch.int32)
torch.can_cast(torch.float32, torch.int32)
torch.is_grad_enabled()
torch.set_grad_enabled(True) is not None
torch.result_type(x, 1)
torch.ops.aten.add.Tensor(x, 1)
torch.ops.aten.add(x, 1)
x.clone()
copy.deepcopy(x)
copy.copy(x)
x.numpy()
x.tolist()
x.requires_grad
x.requires_grad_(False)
setattr(x, 'requires_grad', False)
iter(x) is not None
[r for r in x]
1. in x
bool(x[0,0])
x == x
hash(x) is not None
x.new_ones(1)
torch.empty_like(x)
torch.no_grad().__enter__()
torch.Generator() is not None
torch.Size([1])
torch.device('cpu')
torch.einsum('ij->i', x)
torch.einsum('ij->i', [x])
torch.norm(x)
torch.unique(x)
torch.split(x, 1)
torch.broadcast_shapes((2,), (1,))
torch.cartesian_prod(x[0])
torch.meshgrid(x[0])
torch.randint(3, (2,))
torch.randperm(2)
torch.bernoulli(x.clamp(0,1))
torch.normal(0., 1., (2,))
torch.multinomial(x[0], 1)
torch.complex(x, x)
torch.hann_window(3)
torch.tril_indices(2,2)
x.add_(1)
x.data
x.grad
x.is_leaf
x._version
x.device
x.stride()
x.size(0)
x.element_size()
x.type()
x.is_contiguous()
x.__dlpack__() is not None
torch.from_dlpack(x)
1
torch.nn.functional.one_hot(torch.tensor([1]))
"""


def name_of(func):
    name = getattr(func, "__name__", str(func))
    return f"{func.__self__.__name__}.{name}" if name in ("__get__", "__set__") else name


class S(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        log.append(f"{cls.__name__}:{name_of(func)}[{','.join(t.__name__ for t in types if t is not torch.Tensor)}]")
        return super().__torch_function__(func, types, args, kwargs)


class S2(S):
    pass


class O(S):
    pass


class Refuses(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        log.append(f"NI:{name_of(func)}")
        return NotImplemented


class Duck:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        log.append(f"Duck:{name_of(func)}[{','.join(t.__name__ for t in types if t is not torch.Tensor)}]")
        return -1


class DuckNI:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return NotImplemented


class DuckInst:
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return "inst"


class M(TorchFunctionMode):
    def __init__(self, name="", answer=None):
        super().__init__()
        self.name, self.answer = name, answer

    def __repr__(self):
        return f"M({self.name})"

    def __torch_function__(self, func, types, args=(), kwargs=None):
        log.append(f"M{self.name}:{name_of(func)}[{','.join(t.__name__ for t in types if t is not torch.Tensor)}]")
        return func(*args, **(kwargs or {})) if self.answer is None else self.answer()


@wrap_torch_function(lambda a, b=None: (a, b))
def wrapped(a, b=None):
    return "wrapped"


def values():
    x = torch.arange(1.0, 7.0).view(2, 3)

    def of(cls):
        return x.clone().as_subclass(cls)

    return {**globals(), "x": x, "s": of(S), "s2": of(S2), "o": of(O), "ni": of(Refuses), "d": Duck()}


def kinds(value):
    return type(value).__name__ if not isinstance(value, (tuple, list)) else [kinds(v) for v in value]


def in_mode(expression, given, *modes):
    for mode in modes:
        mode.__enter__()
    try:
        return kinds(eval(expression, given))
    finally:
        for mode in reversed(modes):
            mode.__exit__(None, None, None)


for expression in EXPRESSIONS.strip().splitlines():
    given = values()
    log.clear()
    show(expression, lambda e=expression, g=given: (lambda r: r if isinstance(r, (str, int, bool, tuple)) else kinds(r))(eval(e, g)))
for expression in UNDER_A_MODE.strip().splitlines():
    show(f"mode: {expression}", lambda e=expression, g=values(): in_mode(e, g, M("a")))
show("nested modes", lambda: in_mode("torch.ones(1) + 1", values(), M("a"), M("b")))
show("a mode that refuses", lambda: in_mode("torch.add(x, 1)", values(), M("a", lambda: NotImplemented)))
show("a mode that refuses, a subclass", lambda: in_mode("torch.add(s, 1)", values(), M("a", lambda: NotImplemented)))
show("the inner of two modes refuses", lambda: in_mode("torch.add(x, 1)", values(), M("a"), M("b", lambda: NotImplemented)))
show("a mode that raises", lambda: in_mode("torch.add(x, 1)", values(), M("a", lambda: 1 / 0)))
show("the stack after it", torch._C._len_torch_function_stack)
same = M("same")
show("a mode twice", lambda: in_mode("torch.add(x, 1)", values(), same, same))


def disabled():
    s = values()["s"]
    log.clear()
    with M("a"):
        with torch._C.DisableTorchFunctionSubclass():
            torch.add(s, 1)
        first = taken()
        with torch._C.DisableTorchFunction():
            torch.add(s, 1)
        return first, taken(), torch._C._is_torch_function_enabled(), torch._C._is_torch_function_mode_enabled()


show("guards", disabled)


class AsClassmethod(TorchFunctionMode):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Recursive(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        with self:
            return func(*args, **(kwargs or {}))


def recursion():
    try:
        with Recursive():
            torch.add(torch.ones(1), 1)
    except RecursionError:
        return torch._C._len_torch_function_stack()


show("a classmethod", lambda: in_mode("torch.add(x, 1)", values(), AsClassmethod()))
show("a mode that calls itself for ever", recursion)
show("an empty stack", lambda: torch._C._pop_torch_function_stack())
show("a wrapped function", lambda: (wrapped(1), wrapped(Duck()), wrapped(1, b=values()["s"]), wrapped.__name__))
