"""Reductions."""

from runtime._core import ops
from runtime.kernels._common import into, refuse_repeated, wrap_dim

aten = ops.aten


def mean_dtype_out(self, *, dtype=None, out):
    return aten.mean.out(self, None, False, dtype=dtype, out=out)


def _all_of_dims(name, self, dim, keepdim):
    dims = range(self.dim()) if dim is None else [wrap_dim(d, self.dim()) for d in dim]
    refuse_repeated(dims)
    result = self
    packet = getattr(aten, name)
    if not dims:
        return aten.ne.Scalar(self, 0) if not str(self.dtype).endswith("uint8") else aten.to.dtype(aten.ne.Scalar(self, 0), self.dtype)
    for d in sorted(dims, reverse=True):
        result = packet.dim(result, d, keepdim)
    return result


def all_dims(self, dim=None, keepdim=False):
    return aten.all.default(self) if dim is None and not keepdim else _all_of_dims("all", self, dim, keepdim)


def any_dims(self, dim=None, keepdim=False):
    return aten.any.default(self) if dim is None and not keepdim else _all_of_dims("any", self, dim, keepdim)


def all_dims_out(self, dim=None, keepdim=False, *, out):
    return into(out, all_dims(self, dim, keepdim))


def any_dims_out(self, dim=None, keepdim=False, *, out):
    return into(out, any_dims(self, dim, keepdim))


def max_other(self, other):
    return aten.maximum.default(self, other)


def min_other(self, other):
    return aten.minimum.default(self, other)


def max_out(self, other, *, out):
    return aten.maximum.out(self, other, out=out)


def min_out(self, other, *, out):
    return aten.minimum.out(self, other, out=out)
