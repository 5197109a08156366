"""The array API standard, version 2025.12: a namespace of functions that behave alike in every library that has it.

`x.__array_namespace__()` of every tensor is this module, which is how scikit-learn, SciPy and other libraries that follow the standard
find it. The functions take tensors and return `Array`, the subclass of `runtime.Tensor` whose operators and attributes are the standard's
where PyTorch's differ; `asarray` turns a tensor into one on the same memory.
"""

from math import e, inf, nan, pi

try:
    from runtime.array_api import _creation, _elementwise, _manipulation, _matrices, _reductions, _searching, fft, linalg
except KeyError as missing:
    raise ImportError(f"runtime.array_api needs the operator {missing}; this build has only those that RUNTIME_OPS listed") from None
from runtime.array_api import _operators as _operators
from runtime.array_api import _subscripts as _subscripts
from runtime.array_api._array import Array
from runtime.array_api._creation import *  # noqa: F403
from runtime.array_api._dtypes import (
    astype,
    bool,
    can_cast,
    complex64,
    complex128,
    finfo,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    isdtype,
    result_type,
    uint8,
    uint16,
    uint32,
    uint64,
)
from runtime.array_api._elementwise import *  # noqa: F403
from runtime.array_api._info import __array_namespace_info__
from runtime.array_api._manipulation import *  # noqa: F403
from runtime.array_api._matrices import *  # noqa: F403
from runtime.array_api._reductions import *  # noqa: F403
from runtime.array_api._searching import *  # noqa: F403

__array_api_version__ = "2025.12"

newaxis = None

__all__ = [
    "Array", "__array_api_version__", "__array_namespace_info__", "astype", "bool", "can_cast", "complex64", "complex128", "e", "fft",
    "finfo", "float32", "float64", "iinfo", "inf", "int8", "int16", "int32", "int64", "isdtype", "linalg", "nan", "newaxis", "pi",
    "result_type", "uint8", "uint16", "uint32", "uint64",
    *_creation.__all__, *_elementwise.__all__, *_manipulation.__all__, *_matrices.__all__, *_reductions.__all__, *_searching.__all__,
]  # fmt: skip
