"""Attributes of tensors that are written in Python: what programs ask for accelerators that there are none of."""

from runtime import _core


def _is_on(device_type):
    def is_on(self):
        return self.device.type == device_type

    is_on.__name__ = f"is_{device_type}"
    is_on.__doc__ = f"Whether the tensor is on a device of type {device_type}."
    return property(is_on)


def cuda(self, device=None, non_blocking=False, memory_format=None):
    """The tensor on a CUDA device; see `runtime.cuda.moved`."""
    from runtime.cuda import moved

    return moved(self, device, non_blocking, memory_format)


for _type in ("ipu", "maia", "mps", "mtia", "xla", "xpu"):
    _core._set_tensor_attribute(f"is_{_type}", _is_on(_type))
_core._set_tensor_attribute("cuda", cuda)
_core._set_tensor_attribute("name", property(lambda self: None, doc="None: tensors have no names."))
