"""Tensor types: the older names of dtypes, as classes. `FloatTensor(2, 3)` makes a tensor, `isinstance(x, FloatTensor)` asks for its dtype.

There are those of the CPU; `runtime.compat` shows them as `torch.FloatTensor` and so on.
"""

import runtime
from runtime._core import Tensor

_DTYPES = {
    "DoubleTensor": "float64",
    "FloatTensor": "float32",
    "HalfTensor": "float16",
    "BFloat16Tensor": "bfloat16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ShortTensor": "int16",
    "CharTensor": "int8",
    "ByteTensor": "uint8",
    "BoolTensor": "bool",
}


class TensorType(type):
    """The class of tensor types: each stands for the CPU tensors of one dtype."""

    is_cuda = is_sparse = False
    layout = runtime.strided

    def __instancecheck__(cls, instance):
        return isinstance(instance, Tensor) and instance.dtype == cls.dtype and instance.device.type == "cpu"

    def __call__(cls, *args, device=None):
        """Make a tensor: of sizes, from a sequence, or on the memory of a tensor of the same dtype."""
        if device is not None and runtime.device(device).type != "cpu":
            raise RuntimeError(f"legacy constructor expects device type: cpu but device type: {runtime.device(device).type} was passed")
        return runtime.empty(0, dtype=cls.dtype).new(*args)

    def __repr__(cls):
        return f"<class 'torch.{cls.__name__}'>"


def _make(name):
    dtype = getattr(runtime, _DTYPES[name])
    return TensorType(name, (), {"dtype": dtype, "__doc__": f"CPU tensors of dtype {_DTYPES[name]}.", "__module__": "torch"})


globals().update({name: _make(name) for name in _DTYPES})

__all__ = ["TensorType", *_DTYPES]
