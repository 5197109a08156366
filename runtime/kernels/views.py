"""Views made of other views."""

from runtime._core import ops
from runtime.kernels._common import into_each

aten = ops.aten


def type_as(self, other):
    return aten.to.dtype_layout(self, dtype=other.dtype, layout=other.layout, device=other.device)


def swapaxes(self, axis0, axis1):
    return aten.transpose.int(self, axis0, axis1)


def swapaxes_(self, axis0, axis1):
    return aten.transpose_.default(self, axis0, axis1)


def narrow_Tensor(self, dim, start, length):
    if start.dim() != 0 or start.dtype.is_floating_point or start.dtype.is_complex or str(start.dtype).endswith("bool"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    return aten.narrow.default(self, dim, start.item(), length)


def set__source_Tensor_storage_offset(self, source, storage_offset, size, stride=()):
    return aten.set_.source_Storage_storage_offset(self, source.untyped_storage(), storage_offset, size, stride)


def split_copy_Tensor_out(self, split_size, dim=0, *, out):
    into_each("split_copy_Tensor_out()", out, aten.split.Tensor(self, split_size, dim), resize=False)


def unbind_copy_int_out(self, dim=0, *, out):
    into_each("unbind_copy_int_out", out, aten.unbind.int(self, dim), resize=True)


def split_with_sizes_copy_out(self, split_sizes, dim=0, *, out):
    into_each("split_with_sizes_copy_out", out, aten.split_with_sizes.default(self, split_sizes, dim), resize=True)
