"""Factories with out= arguments or with tensors for numbers."""

from runtime._core import ops
from runtime.kernels._common import into, like

aten = ops.aten


def empty_out(size, *, memory_format=None, out):
    return aten.resize_.default(out, size, memory_format=memory_format)


def zeros_out(size, *, out):
    return aten.zero_.default(aten.resize_.default(out, size))


def ones_out(size, *, out):
    return aten.fill_.Scalar(aten.resize_.default(out, size), 1)


def full_out(size, fill_value, *, out):
    return aten.fill_.Scalar(aten.resize_.default(out, size), fill_value)


def linspace_Tensor_Tensor(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    for name, value in (("start", start), ("end", end)):
        if value.dim() != 0:
            raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got {name} with {value.dim()} dimension(s).")
    return aten.linspace.default(
        start.item(), end.item(), steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory
    )


def linspace_Tensor_Scalar(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    if start.dim() != 0:
        raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got start with {start.dim()} dimension(s).")
    return aten.linspace.default(start.item(), end, steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def linspace_Scalar_Tensor(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    if end.dim() != 0:
        raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got end with {end.dim()} dimension(s).")
    return aten.linspace.default(start, end.item(), steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def linspace_Tensor_Tensor_out(start, end, steps, *, out):
    return into(out, linspace_Tensor_Tensor(start, end, steps, **like(out)))


def linspace_Tensor_Scalar_out(start, end, steps, *, out):
    return into(out, linspace_Tensor_Scalar(start, end, steps, **like(out)))


def linspace_Scalar_Tensor_out(start, end, steps, *, out):
    return into(out, linspace_Scalar_Tensor(start, end, steps, **like(out)))
