"""Questions about tensors whose answers take other operators."""

from runtime import _core
from runtime._core import ops

aten = ops.aten


def is_nonzero(self):
    if self.numel() != 1:
        raise RuntimeError(f"Boolean value of Tensor with {'no values' if self.numel() == 0 else 'more than one value'} is ambiguous")
    return aten.item.default(self) != 0


def is_set_to(self, tensor):
    return (
        self.untyped_storage()._cdata == tensor.untyped_storage()._cdata
        and self.storage_offset() == tensor.storage_offset()
        and tuple(self.shape) == tuple(tensor.shape)
        and self.stride() == tensor.stride()
    )


def prim_device(a):
    return _core._own_device(a)


def prim_layout(a):
    return _core.strided
