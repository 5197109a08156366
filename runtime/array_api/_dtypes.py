"""Data types of the standard: their kinds, promotion, limits and conversion.

Promotion is the standard's table. Where it says nothing, for operands of different kinds, bool counts below integers, integers below
floating-point numbers, as in PyTorch; `uint64` and signed integers have no common dtype.
"""

from dataclasses import dataclass, field

import numpy as np

from runtime import _core
from runtime.array_api._array import Array, Tensor

_names = _core.dtype_names

bool = _names["bool"]
int8, int16, int32, int64 = (_names[name] for name in ("int8", "int16", "int32", "int64"))
uint8, uint16, uint32, uint64 = (_names[name] for name in ("uint8", "uint16", "uint32", "uint64"))
float32, float64 = _names["float32"], _names["float64"]
complex64, complex128 = _names["complex64"], _names["complex128"]

SIGNED = {"int8": int8, "int16": int16, "int32": int32, "int64": int64}
UNSIGNED = {"uint8": uint8, "uint16": uint16, "uint32": uint32, "uint64": uint64}
REAL = {"float32": float32, "float64": float64}
COMPLEX = {"complex64": complex64, "complex128": complex128}
KINDS = {
    "bool": {"bool": bool},
    "signed integer": SIGNED,
    "unsigned integer": UNSIGNED,
    "integral": SIGNED | UNSIGNED,
    "real floating": REAL,
    "complex floating": COMPLEX,
    "numeric": SIGNED | UNSIGNED | REAL | COMPLEX,
}
ALL = KINDS["bool"] | KINDS["numeric"]
INTEGERS = frozenset(KINDS["integral"].values())
# The dtypes in which PyTorch stores and converts but hardly computes.
WIDE_UNSIGNED = (uint16, uint32, uint64)

_SCALARS = (int, float, complex)


def kind_order(dtype):
    """0 for bool, 1 for integers, 2 for floating-point numbers, 3 for complex ones."""
    return 3 if dtype.is_complex else 2 if dtype.is_floating_point else 0 if dtype is bool else 1


def _promote_integers(a, b):
    """The smallest integer dtype that holds all values of two, or None."""
    if a.is_signed == b.is_signed:
        return a if a.itemsize >= b.itemsize else b
    signed, unsigned = (a, b) if a.is_signed else (b, a)
    size = max(signed.itemsize, 2 * unsigned.itemsize)
    return next((dtype for dtype in SIGNED.values() if dtype.itemsize == size), None)


def _promote(a, b):
    """The dtype that two dtypes of the standard are promoted to, or None."""
    if a in INTEGERS and b in INTEGERS:
        return _promote_integers(a, b)
    if kind_order(a) < 2 or kind_order(b) < 2:
        return a if kind_order(a) > kind_order(b) else b
    return _core.functions["promote_types"](a, b)


# By two dtypes: the one that they are promoted to, or None.
_PROMOTED = {(a, b): _promote(a, b) for a in ALL.values() for b in ALL.values()}


def promote(a, b):
    """The dtype that operands of two dtypes are promoted to."""
    if a is b:
        return a
    # PyTorch's other dtypes (float16, bfloat16) are promoted as there.
    found = _PROMOTED[a, b] if (a, b) in _PROMOTED else _core.functions["promote_types"](a, b)
    if found is None:
        raise TypeError(f"no integer dtype holds all values of {a} and {b}; convert one of the operands with astype")
    return found


def _complex_of(dtype):
    return complex64 if dtype is float32 else complex128 if dtype is float64 else dtype


def promote_scalar(dtype, scalar):
    """The dtype that an array and a Python scalar are promoted to."""
    if isinstance(scalar, int):
        return int64 if dtype is bool and scalar.__class__ is not _python_bool else dtype
    if kind_order(dtype) < 2:
        dtype = _core.get_default_dtype()
    return _complex_of(dtype) if isinstance(scalar, complex) else dtype


_python_bool = True.__class__


def result_type(*arrays_and_dtypes):
    """The dtype that arrays, dtypes and Python scalars are promoted to.

    Parameters
    ----------
    *arrays_and_dtypes : Array, dtype or scalar
        At least one is an array or a dtype.

    Returns
    -------
    dtype
    """
    found, scalars = None, []
    for value in arrays_and_dtypes:
        if isinstance(value, _SCALARS) or isinstance(value, np.generic):
            scalars.append(value.item() if isinstance(value, np.generic) else value)
            continue
        dtype = value if isinstance(value, _core.dtype) else _dtype_of("result_type", value)
        found = dtype if found is None else promote(found, dtype)
    if found is None:
        raise ValueError("result_type: at least one argument must be an array or a dtype")
    for scalar in scalars:
        found = promote_scalar(found, scalar)
    return found


def _dtype_of(name, value):
    try:
        dtype = value.dtype
    except AttributeError:
        dtype = None
    if not isinstance(dtype, _core.dtype):
        raise TypeError(f"{name}: expected an array or a dtype of this namespace, got {type(value).__name__}")
    return dtype


def can_cast(from_, to, /):
    """Whether promotion leads from one dtype to another.

    Parameters
    ----------
    from_ : dtype or Array
    to : dtype
    """
    if not isinstance(from_, _core.dtype):
        from_ = _dtype_of("can_cast", from_)
    if not isinstance(to, _core.dtype):
        raise TypeError(f"can_cast: to must be a dtype, got {type(to).__name__}")
    if from_ is to:
        return True
    if (kind_order(from_), kind_order(to)) not in ((1, 1), (2, 2), (2, 3), (3, 3)):
        return False
    return _PROMOTED[from_, to] is to if from_ in INTEGERS else promote(from_, to) is to


def isdtype(dtype, kind):
    """Whether a dtype is of a kind.

    Parameters
    ----------
    dtype : dtype
    kind : str, dtype or tuple of these
        The name of a kind ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric"), a
        dtype, or several, of which one must fit.
    """
    if not isinstance(dtype, _core.dtype):
        raise TypeError(f"isdtype: dtype must be a dtype, got {type(dtype).__name__}")
    if isinstance(kind, tuple):
        return any(_is_kind(dtype, one) for one in kind)
    return _is_kind(dtype, kind)


def _is_kind(dtype, kind):
    if isinstance(kind, _core.dtype):
        return dtype is kind
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ValueError(f"isdtype: there is no kind {kind!r}; the kinds are {', '.join(KINDS)}")
        return dtype in KINDS[kind].values()
    raise TypeError(f"isdtype: kind must be a dtype, the name of a kind or a tuple of these, got {type(kind).__name__}")


@dataclass(frozen=True)
class finfo_object:
    """Limits of a floating-point dtype; of a complex one, those of its parts."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: object = field(compare=False)


@dataclass(frozen=True)
class iinfo_object:
    """Limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: object = field(compare=False)


def finfo(type, /):
    """Limits of a floating-point dtype.

    Parameters
    ----------
    type : dtype or Array

    Returns
    -------
    finfo_object
        With bits, eps, max, min, smallest_normal and dtype.
    """
    dtype = type if isinstance(type, _core.dtype) else _dtype_of("finfo", type)
    if kind_order(dtype) < 2:
        raise TypeError(f"finfo: {dtype} is no floating-point dtype; integers have iinfo")
    real = {complex64: float32, complex128: float64}.get(dtype, dtype)
    limits = _core.finfo(real)
    return finfo_object(limits.bits, limits.eps, limits.max, limits.min, limits.smallest_normal, real)


def iinfo(type, /):
    """Limits of an integer dtype.

    Parameters
    ----------
    type : dtype or Array

    Returns
    -------
    iinfo_object
        With bits, max, min and dtype.
    """
    dtype = type if isinstance(type, _core.dtype) else _dtype_of("iinfo", type)
    if dtype not in INTEGERS:
        raise TypeError(f"iinfo: {dtype} is no integer dtype; floating-point dtypes have finfo")
    limits = _core.iinfo(dtype)
    return iinfo_object(limits.bits, limits.max, limits.min, dtype)


def astype(x, dtype, /, *, copy=True, device=None):
    """The array with its elements converted.

    Parameters
    ----------
    x : Array
    dtype : dtype
    copy : bool
        Whether an array that has the dtype is copied.
    device : device or str, optional
        Where the result is; by default where `x` is.
    """
    if not isinstance(dtype, _core.dtype):
        raise TypeError(f"astype: dtype must be a dtype of this namespace, got {dtype!r}")
    if x.dtype.is_complex and not dtype.is_complex and dtype is not bool:
        raise TypeError(f"astype: a complex array has no conversion to {dtype}; take its real or imag first")
    result = Tensor.to(x, device=x.device if device is None else device, dtype=dtype, copy=copy)
    return x if result is x and isinstance(x, Array) else result.as_subclass(Array)


def converted(x, dtype):
    """A tensor in a dtype, itself where it has that."""
    return x if x.dtype is dtype else _to_copy(x, dtype=dtype)


_to_copy = _core.ops.aten._to_copy.default
