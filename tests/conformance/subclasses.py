"""What tensor subclasses are asked, what calls on them return, and which arguments make one."""

from start import log, show, taken

# What is not named below is for the expressions.
import copy
import gc
import weakref

import torch
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass, return_and_correct_aliasing, transform_subclass
from torch.utils._pytree import tree_map


def fmt(a):
    if isinstance(a, torch.Tensor):
        return type(a).__name__
    if isinstance(a, (list, tuple)):
        return "[" + ",".join(map(fmt, a)) + "]"
    return repr(a)


class W(torch.Tensor):
    @staticmethod
    def __new__(cls, e, **kw):
        d = dict(
            dtype=e.dtype, layout=e.layout, device=e.device, requires_grad=e.requires_grad, strides=e.stride(), storage_offset=e.storage_offset()
        )
        d.update(kw)
        r = torch.Tensor._make_wrapper_subclass(cls, e.size(), **d)
        return r

    def __init__(self, e, **kw):
        self.elem = e

    def __repr__(self):
        return f"{type(self).__name__}({self.elem})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        log.append(f"{cls.__name__}:{func}({fmt(args)},{sorted((kwargs or {}).keys())})[{','.join(t.__name__ for t in types)}]")
        un = lambda t: t.elem if isinstance(t, W) else t
        r = func(*tree_map(un, args), **tree_map(un, kwargs or {}))
        return tree_map(lambda t: cls(t) if isinstance(t, torch.Tensor) and not isinstance(t, W) else t, r)


class A(W):
    pass


class B(A):
    pass


class C_(W):
    pass


class RA(W):
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return return_and_correct_aliasing(func, args, kwargs or {}, super().__torch_dispatch__(func, types, args, kwargs))

    def __tensor_flatten__(self):
        return ["elem"], None

    @staticmethod
    def __tensor_unflatten__(d, ctx, size, stride):
        return RA(d["elem"])


x = torch.arange(6.0).view(2, 3)
for l, r in [(A, B), (B, A), (A, C_), (C_, A), (A, A), (B, C_), (W, B)]:
    show(f"prec {l.__name__} {r.__name__}", lambda: (type(torch.add(l(x), r(x))).__name__, taken()))
show("prec plain", lambda: (type(torch.add(x, A(x))).__name__, taken()))
show("cat", lambda: (type(torch.cat([x, A(x), B(x), C_(x)])).__name__, taken()))
show("index", lambda: (type(A(x)[torch.tensor([0])]).__name__, taken()))
show("getitem", lambda: (A(x)[0, 1:], taken()))


def t():
    a = A(x.clone())
    a[0] = 1.0
    return a, taken()


show("setitem", t)


def t():
    a = A(x.clone())
    a[0] = A(torch.ones(3))
    return a, taken()


show("setitem2", t)


class D(torch.Tensor):
    __torch_dispatch__ = torch._C._disabled_torch_dispatch_impl


show("disabled wrapper", lambda: torch.Tensor._make_wrapper_subclass(D, (2,)))
show("disabled sub", lambda: type(torch.Tensor._make_subclass(D, x) + 1).__name__)


class E(torch.Tensor):
    pass


show("no td", lambda: torch.Tensor._make_wrapper_subclass(E, (2,)))
show("not tensor cls", lambda: torch.Tensor._make_wrapper_subclass(int, (2,)))
show("not a type", lambda: torch.Tensor._make_wrapper_subclass(3, (2,)))
show("not tensor cls2", lambda: torch.Tensor._make_subclass(int, x))
show("sub data", lambda: torch.Tensor._make_subclass(E, 3))
show("sub ok", lambda: (type(torch.Tensor._make_subclass(E, x)).__name__, torch.Tensor._make_subclass(E, x, True).requires_grad))
show("sub of W", lambda: torch.Tensor._make_subclass(E, A(x)))
show(
    "sub shares",
    lambda: (
        torch.Tensor._make_subclass(E, x).data_ptr() == x.data_ptr(),
        torch.Tensor._make_subclass(E, x)._is_view(),
        torch.Tensor._make_subclass(E, x[0])._is_view(),
    ),
)
for kw in [
    dict(strides=(3, 1)),
    dict(strides=(1,)),
    dict(storage_offset=1),
    dict(strides=(3, 1), storage_offset=2),
    dict(strides=(-1, 1)),
    dict(strides=(3, 1), storage_offset=-1),
    dict(memory_format=torch.channels_last),
    dict(memory_format=torch.contiguous_format),
    dict(dtype=torch.int64),
    dict(dtype=None),
    dict(dtype=3),
    dict(layout=torch.sparse_coo),
    dict(device="cuda"),
    dict(device="meta"),
    dict(device="cuda:1"),
    dict(device="xla"),
    dict(device="bogus"),
    dict(pin_memory=True),
    dict(requires_grad=True),
    dict(requires_grad=True, dtype=torch.int64),
    dict(dispatch_sizes_strides_policy="sizes"),
    dict(dispatch_sizes_strides_policy="bad"),
    dict(dispatch_sizes_strides_policy=3),
    dict(dispatch_device=True),
    dict(dispatch_layout=True),
    dict(_extra_dispatch_keys=torch._C.DispatchKeySet(torch._C.DispatchKey.Conjugate)),
    dict(_extra_dispatch_keys=3),
    dict(storage_size=100),
    dict(storage_size=0),
    dict(foo=1),
    dict(layout=3),
    dict(storage_size=-1),
]:

    def t():
        r = torch.Tensor._make_wrapper_subclass(A, (2, 3), **kw)
        if "policy" in str(kw):
            return "ok"
        if "dispatch" in str(kw):
            return "ok2"
        return r.shape, r.stride(), r.dtype, r.device, r.layout, r.requires_grad, r.storage_offset(), r.untyped_storage().nbytes()

    show(f"mws {kw}", t)
for size in [(), 3, (2**40,), [1, 2], torch.Size([1]), (1.5,), ("a",), (-1,), None, (0,), (2**31, 2**31, 2**31)]:
    show(f"mws size {size}", lambda: torch.Tensor._make_wrapper_subclass(A, size).shape)
log.clear()
w = A(x)
for name in [
    "numpy()",
    "item()",
    "is_contiguous()",
    "stride()",
    "size()",
    "shape",
    "numel()",
    "dim()",
    "ndim",
    "device",
    "layout",
    "dtype",
    "is_floating_point()",
    "requires_grad",
    "is_leaf",
    "grad",
    "_is_view()",
    "_base is None",
    "_version",
    "element_size()",
    "nbytes",
    "itemsize",
    "is_cuda",
    "is_sparse",
    "__len__()",
    "data",
    "detach()",
    "clone()",
    "t()",
    "view(-1)",
    "T",
    "mT",
    "sum()",
    "__bool__()",
    "__float__()",
    "__contains__(1.)",
    "__array__()",
    "cpu()",
    "to('cpu')",
    "to(torch.float64)",
    "float()",
    "double()",
    "contiguous()",
    "contiguous(memory_format=torch.contiguous_format)",
    "reshape(6)",
    "flatten()",
    "chunk(2)",
    "unbind()",
    "max(0)",
    "sort()",
    "__getitem__(0)",
    "new_ones(2)",
    "new_tensor([1.])",
    "type()",
    "type(torch.float64)",
    "is_same_size(w)",
    "get_device()",
    "is_inference()",
    "requires_grad_()",
    "requires_grad_(True).requires_grad",
    "__deepcopy__({})",
    "__hash__() is not None",
]:
    show(f"w.{name}", lambda: ((eval("w." + name, dict(w=w, torch=torch))), taken()))
    log.clear()
w = A(x)
for e in [
    "w.add_(1)",
    "w.add_(w)",
    "torch.add(w, w, out=A(torch.ones(2,3)))",
    "torch.max(w, 0)",
    "torch.ones_like(w)",
    "w.t_()",
    "w.unsqueeze_(0)",
    "w.copy_(x)",
    "x.clone().copy_(w)",
    "x.clone().add_(w)",
    "w.zero_()",
    "w.resize_(1)",
    "w.set_(x)",
    "w.squeeze_()",
    "w.where(w > 0, w)",
    "torch.where(w>0, w, x)",
    "w @ w.t()",
    "torch.nn.functional.linear(w, w)",
    "torch.tensor(w)",
    "torch.as_tensor(w)",
    "torch.Tensor._make_subclass(A, w)",
    "w.as_subclass(A)",
    "w.as_subclass(torch.Tensor)",
    "x.as_subclass(A)",
    "x.as_subclass(E).__class__.__name__",
    "x.as_subclass(int)",
    "x.as_subclass(torch.Tensor) is x",
    "copy.copy(w)",
    "copy.deepcopy(w)",
    "weakref.ref(w)() is w",
    "torch.equal(w, w)",
    "torch.allclose(w, w)",
    "w == w",
    "w in [w]",
    "torch.is_tensor(w)",
    "torch.stack([w, w])",
    "torch.einsum('ij,jk', w, w.t())",
    "torch._foreach_add([w], 1)",
    "list(w)",
    "len(w)",
    "[r for r in w]",
    "repr(w)",
    "str(w)",
    "format(w)",
    "torch.sum(w)",
    "torch.ops.aten.add.Tensor(w, w)",
    "torch.ops.aten.add_.Tensor(w, w) is w",
    "torch.ops.aten.detach(w)",
    "torch.result_type(w, 1)",
    "torch.can_cast(w.dtype, torch.int64)",
    "w.storage_offset()",
    "torch.is_nonzero(w[0,1])",
    "torch.numel(w)",
    "w.__class__",
    "w.view_as(w)",
    "w.expand(2,2,3)",
    "w.unfold(0,1,1)",
    "w.diagonal()",
    "w.split(1)",
    "w.real",
    "w.imag",
    "w.H",
    "w.fill_(w[0,0])",
    "w.masked_fill(w>0, 0)",
    "w.__rsub__(1)",
    "1 - w",
    "1 + w",
    "w ** 2",
    "2 ** w",
    "-w",
    "abs(w)",
    "w // 2",
    "w % 2",
    "~(w > 0)",
    "w.round()",
    "w.index_select(0, torch.tensor([0]))",
    "w.to('meta')",
    "w.to(x)",
    "x.to(w)",
    "w.type_as(x)",
    "w.scatter(0, torch.zeros(1,3,dtype=torch.int64), 1.)",
    "w.uniform_() is w",
    "w.norm()",
    "w.std()",
    "w.softmax(0)",
    "w.swapaxes(0,1)",
    "torch.broadcast_tensors(w, x)",
    "torch.meshgrid(w[0], w[0])",
    "torch.split_with_sizes(w, [1,1])",
    "torch.aminmax(w)",
]:
    show(f"{e}", lambda: ((eval(e, dict(globals()))), taken()))
    log.clear()
    w = A(x.clone())
for e in [
    "r.t()",
    "r.view(-1)",
    "r.add_(1) is r",
    "r[0]",
    "r.unbind()",
    "torch.add(r, r, out=o) is o",
    "torch.max(r, 0)",
    "r.split(1)",
    "r.transpose_(0,1).shape",
    "r.unsqueeze_(0).shape",
    "r.squeeze_(0).shape",
    "r.detach()",
    "r.t_().stride()",
    "r.as_strided_((2,),(1,)).shape",
    "r.resize_(1,6).shape",
    "r.view(-1).untyped_storage()._cdata == r.untyped_storage()._cdata",
    "r[0]._is_view()",
    "r[0]._base is r",
    "r.detach()._is_view()",
    "r.view(6).add_(1) is not None and r._version",
    "torch.max(r, 0, out=(RA(torch.ones(3)), RA(torch.zeros(3, dtype=torch.int64))))",
    "copy.deepcopy(r)",
    "copy.deepcopy(r) is r",
    "transform_subclass(r, lambda n, t: t + 1)",
    "transform_subclass(r, lambda n, t: t[0])",
    "is_traceable_wrapper_subclass(r), is_traceable_wrapper_subclass(x), is_traceable_wrapper_subclass(A(x)), is_traceable_wrapper_subclass(RA)",
    "r.chunk(2)[1].storage_offset()",
    "r.real is r",
    "r.expand(2,2,3).stride()",
    "r.copy_(x) is r",
    "r.mul_(2)._version",
    "r._version",
]:
    r = RA(x.clone())
    o = RA(torch.ones(2, 3))
    show(f"RA {e}", lambda: ((eval(e, dict(globals()))), taken()))
    log.clear()


class P(torch.Tensor):
    ans = {}

    @staticmethod
    def __new__(cls, pol, dev=False, lay=False, wrapper=True):
        if wrapper:
            return torch.Tensor._make_wrapper_subclass(cls, (2, 3), dispatch_sizes_strides_policy=pol, dispatch_device=dev, dispatch_layout=lay)
        return torch.Tensor._make_subclass(cls, torch.ones(2, 3), dispatch_sizes_strides_policy=pol, dispatch_device=dev, dispatch_layout=lay)

    def __repr__(self):
        return "P"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        log.append(f"{func}({fmt(args)},{kwargs})")
        return cls.ans.get(str(func), cls.ans.get("*"))


ALL = {
    "aten.size.default": [4, 5],
    "aten.sym_size.default": [4, 5],
    "aten.stride.default": [1, 9],
    "aten.sym_stride.default": [1, 9],
    "aten.dim.default": 7,
    "aten.numel.default": 99,
    "aten.sym_numel.default": 99,
    "aten.storage_offset.default": 3,
    "aten.sym_storage_offset.default": 3,
    "aten.is_contiguous.default": False,
    "aten.is_contiguous.memory_format": False,
    "aten.sym_is_contiguous.default": False,
    "prim.device.default": torch.device("meta"),
    "prim.layout.default": torch.sparse_coo,
    "aten.is_non_overlapping_and_dense.default": False,
    "aten.is_strides_like_format.default": True,
}
Q = [
    "p.size()",
    "p.shape",
    "p.size(0)",
    "p.stride()",
    "p.stride(0)",
    "p.dim()",
    "p.ndim",
    "p.numel()",
    "len(p)",
    "p.storage_offset()",
    "p.is_contiguous()",
    "p.is_contiguous(memory_format=torch.channels_last)",
    "p.device",
    "p.layout",
    "p.is_cuda",
    "p.is_meta",
    "p.is_cpu",
    "p.nelement()",
    "p.dtype",
    "p.get_device()",
    "torch.numel(p)",
]
for label, args in [
    ("none", (None,)),
    ("strides", ("strides",)),
    ("sizes", ("sizes",)),
    ("dev", (None, True)),
    ("lay", (None, False, True)),
    ("sub sizes", ("sizes", False, False, False)),
]:
    for ansl, ans in [("all", ALL), ("refused", {"*": NotImplemented}), ("wrong", {"*": "str"})]:
        for q in Q:
            P.ans = ans
            p = P(*args)
            show(f"P {label} {ansl} {q}", lambda: (eval(q), taken()))
            log.clear()
show("8TB", lambda: torch.Tensor._make_wrapper_subclass(A, (2**40, 2)).untyped_storage().nbytes())


class Sl(W):
    __slots__ = ("elem",)


show("slots sub", lambda: (Sl(x) + 1, taken()))


class Weird(W):
    @property
    def shape(self):
        return "weird"

    @property
    def dtype(self):
        raise RuntimeError("no dtype")

    def dim(self):
        return -5


show("weird", lambda: (Weird(x).shape, type(torch.add(Weird(x), 1)).__name__))
log.clear()


class Un(torch.Tensor):
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return NotImplemented


show("all NI", lambda: torch.Tensor._make_wrapper_subclass(Un, (2,)) + 1)
show("all NI2", lambda: torch.add(torch.Tensor._make_wrapper_subclass(Un, (2,)), 1))


class Inst(torch.Tensor):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return "inst"


show("instance method", lambda: torch.sum(torch.Tensor._make_subclass(Inst, x)))


class Sm(torch.Tensor):
    @staticmethod
    def __torch_dispatch__(func, types, args=(), kwargs=None):
        return torch.ones(1)


show("static", lambda: torch.sum(torch.Tensor._make_subclass(Sm, x)))


class NonWrapper(torch.Tensor):
    @staticmethod
    def __new__(cls, t):
        return torch.Tensor._make_subclass(cls, t)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        log.append(str(func))
        with no_dispatch():
            return func(*args, **(kwargs or {}))


for e in [
    "n + 1",
    "n[0]",
    "n.add_(1) is n",
    "n.t()",
    "torch.Tensor(n)",
    "copy.deepcopy(n)",
    "n.detach()",
    "n.numpy()",
    "n.tolist()",
    "n.sum().item()",
    "n.clone()",
]:
    n = NonWrapper(x.clone())
    show(f"NW {e}", lambda: ((eval(e, dict(globals()))), taken()))
    log.clear()


class SupNo(torch.Tensor):
    @staticmethod
    def __new__(cls, t):
        return torch.Tensor._make_subclass(cls, t)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return super().__torch_dispatch__(func, types, args, kwargs or {})


show("super td", lambda: SupNo(x) + 1)
show("super td type", lambda: type(SupNo(x) + 1).__name__)
show(
    "param",
    lambda: (
        torch.Tensor.__torch_dispatch__ is torch._C._disabled_torch_dispatch_impl,
        E.__torch_dispatch__ is torch._C._disabled_torch_dispatch_impl,
    ),
)
show("tf", lambda: (A.__torch_function__ is torch._C._disabled_torch_function_impl, E.__torch_function__ is torch._C._disabled_torch_function_impl))


def t():
    a = A(x)
    a.me = a
    r = weakref.ref(a)
    del a
    gc.collect()
    return r() is None


show("gc cycle", t)


def t():
    a = A(x.clone())
    v = a._version
    a.add_(1)
    return v, a._version, a.detach()._version, a.elem._version


show("version", t)


def t():
    a = A(x.clone())
    b = a.view(6)
    return b._is_view(), b._base is a, a._is_view()


show("views", t)


def t():
    a = A(x.clone())
    b = a.detach()
    a.add_(1)
    return a._version, b._version


show("detach version", t)
show("keys", lambda: [str(torch._C._dispatch_keys(t)) for t in (A(x), NonWrapper(x), E([1.0]), x.as_subclass(E))])
show(
    "extra",
    lambda: str(
        torch._C._dispatch_keys(
            torch.Tensor._make_wrapper_subclass(A, (2,), _extra_dispatch_keys=torch._C.DispatchKeySet(torch._C.DispatchKey.NestedTensor))
        )
    ),
)
show("cuda", lambda: str(torch._C._dispatch_keys(torch.Tensor._make_wrapper_subclass(A, (2,), device="cuda"))))
show("meta", lambda: str(torch._C._dispatch_keys(torch.Tensor._make_wrapper_subclass(A, (2,), device="meta"))))
show("dfbk", lambda: str(torch._C._dispatch_keys(torch.Tensor._make_subclass(NonWrapper, x.to("meta"), device_for_backend_keys="cpu"))))
