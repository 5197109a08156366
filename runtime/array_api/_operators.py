"""The operators of `Array`: the standard's functions under the names that Python calls.

Importing this module gives `Array` its operators. NumPy's arrays count as arrays; operands that are no arrays and no numbers are left to their
own reflected operators. Operators in place keep the dtype of the array, and raise where the result is of a higher kind.
"""

import numpy
from numpy import generic, ndarray

from runtime.array_api import _elementwise as functions
from runtime.array_api._array import Array, Tensor
from runtime.array_api._creation import asarray
from runtime.array_api._dtypes import REAL, int8, int16, int32, int64, kind_order, promote_scalar, result_type, uint8
from runtime.array_api._elementwise import SCALARS
from runtime.array_api._matrices import matmul

OPERANDS = (Tensor, *SCALARS)


def _forward(function):
    def operator(self, other, /):
        if isinstance(other, OPERANDS):
            return function(self, other)
        return function(self, asarray(other)) if isinstance(other, ndarray) else NotImplemented

    return operator


def _reflected(function):
    def operator(self, other, /):
        if isinstance(other, OPERANDS):
            return function(other, self)
        return function(asarray(other), self) if isinstance(other, ndarray) else NotImplemented

    return operator


def _in_place(name, function, direct):
    """An operator in place.

    Parameters
    ----------
    name : str
    function : callable
        Computes the result as a new array.
    direct : dict of dtype to callable
        What computes it in the array's own memory, from an operand that needs no promotion.
    """

    def operator(self, other, /):
        if isinstance(other, ndarray):
            other = asarray(other)
        elif not isinstance(other, OPERANDS):
            return NotImplemented
        dtype = self.dtype
        method = direct.get(dtype)
        if isinstance(other, Tensor):
            fits = method is not None and other.dtype is dtype and (not other.ndim or other.shape == self.shape)
        else:
            fits = method is not None and not isinstance(other, generic) and promote_scalar(dtype, other) is dtype
        if fits:
            method(self, other)
            return self
        wanted = result_type(self, other)
        if kind_order(wanted) > kind_order(dtype):
            raise TypeError(f"{name}: the result would have dtype {wanted}, and the array keeps {dtype}; convert the operand with astype")
        result = function(self, other)
        if result.shape != self.shape:
            raise ValueError(f"{name}: the result would have shape {tuple(result.shape)}, and the array keeps {tuple(self.shape)}")
        if kind_order(result.dtype) > kind_order(dtype):
            raise TypeError(f"{name}: the result has dtype {result.dtype}, and the array keeps {dtype}")
        Tensor.copy_(self, result)
        return self

    return operator


def _alone(function):
    def operator(self, /):
        return function(self)

    return operator


def _install(name, operator):
    operator.__name__ = name
    operator.__qualname__ = f"Array.{name}"
    setattr(Array, name, operator)


_ARITHMETIC = {
    "add": functions.add, "sub": functions.subtract, "mul": functions.multiply, "truediv": functions.divide,
    "floordiv": functions.floor_divide, "mod": functions.remainder, "pow": functions.pow, "matmul": matmul, "and": functions.bitwise_and,
    "or": functions.bitwise_or, "xor": functions.bitwise_xor, "lshift": functions.bitwise_left_shift,
    "rshift": functions.bitwise_right_shift,
}  # fmt: skip
_COMPUTED = (*REAL.values(), int8, int16, int32, int64, uint8)
# The most common ones, where PyTorch's operator does what the standard says.
_DIRECT = {
    "add": dict.fromkeys(_COMPUTED, Tensor.add_),
    "sub": dict.fromkeys(_COMPUTED, Tensor.sub_),
    "mul": dict.fromkeys(_COMPUTED, Tensor.mul_),
    "truediv": dict.fromkeys(REAL.values(), Tensor.div_),
}
_COMPARISONS = {
    "eq": functions.equal, "ne": functions.not_equal, "lt": functions.less, "le": functions.less_equal, "gt": functions.greater,
    "ge": functions.greater_equal,
}  # fmt: skip
_UNARY = {"abs": functions.abs, "invert": functions.bitwise_invert, "neg": functions.negative, "pos": functions.positive}

for _name, _function in _ARITHMETIC.items():
    _install(f"__{_name}__", _forward(_function))
    _install(f"__r{_name}__", _reflected(_function))
    _install(f"__i{_name}__", _in_place(f"__i{_name}__", _function, _DIRECT.get(_name, {})))
for _name, _function in _COMPARISONS.items():
    _install(f"__{_name}__", _forward(_function))
for _name, _function in _UNARY.items():
    _install(f"__{_name}__", _alone(_function))


# NumPy's numbers and arrays on the left hand the operators to their functions, which ask `__array_ufunc__`.
_OF_UFUNCS = {
    getattr(numpy, function.__name__): function for function in (*_ARITHMETIC.values(), *_COMPARISONS.values(), *_UNARY.values())
}


def _array_ufunc(self, ufunc, method, /, *inputs, **kwargs):
    function = _OF_UFUNCS.get(ufunc)
    if function is not None and method == "__call__" and not kwargs:
        return function(*[asarray(x) if isinstance(x, ndarray) else x for x in inputs])
    found = Tensor.__array_ufunc__(self, ufunc, method, *inputs, **kwargs)
    if isinstance(found, tuple):
        return tuple(x.as_subclass(Array) if type(x) is Tensor else x for x in found)
    return found.as_subclass(Array) if type(found) is Tensor else found


_install("__array_ufunc__", _array_ufunc)
