"""Elementwise functions of the standard.

Most are one call of the operator of PyTorch's name. `kernels`, by dtype, has what stands in its place: PyTorch does not compute in wide
unsigned integers (NumPy does here), adds complex numbers by way of a product, which makes NaN of infinities, and gives remainders of zero
the sign of the dividend and NaN the sign zero. Two operands of one dtype take the shortest way; all others are promoted first, because
PyTorch leaves tensors without dimensions out of the promotion.
"""

import operator

import numpy as np

from runtime import _core
from runtime.array_api._array import Array, Tensor
from runtime.array_api._creation import asarray
from runtime.array_api._dtypes import (
    COMPLEX,
    INTEGERS,
    REAL,
    WIDE_UNSIGNED,
    converted,
    promote,
    promote_scalar,
)
from runtime.array_api._dtypes import bool as bool_
from runtime.array_api._dtypes import iinfo as _iinfo
from runtime.kernels._arrays import new, read

_core_functions = _core.functions
_empty = _core_functions["empty"]
_tensor = _core.tensor

SCALARS = (int, float, complex, np.generic)

_SEE = "See the function of this name in the array API standard."


def tensors(name, *operands):
    """Operands of which at least one is a tensor as tensors of one dtype; Python scalars take the dtype of the others.

    NumPy's arrays among them are tensors on the same memory, as they are for the operators.

    Parameters
    ----------
    name : str
        Of the function, for errors.
    *operands : Tensor or scalar

    Returns
    -------
    list of Tensor
    """
    dtype, device, scalars = None, None, []
    if any(isinstance(x, np.ndarray) for x in operands) and any(isinstance(x, Tensor) for x in operands):
        operands = [asarray(x) if isinstance(x, np.ndarray) else x for x in operands]
    for position, x in enumerate(operands, 1):
        if isinstance(x, Tensor):
            dtype = x.dtype if dtype is None else promote(dtype, x.dtype)
            device = x.device
        elif isinstance(x, SCALARS):
            scalars.append(x.item() if isinstance(x, np.generic) else x)
        else:
            raise TypeError(f"{name}: argument {position} must be an array or a Python scalar, got {type(x).__name__}")
    if dtype is None:
        raise TypeError(f"{name}: at least one argument must be an array, got Python scalars only")
    for scalar in scalars:
        dtype = promote_scalar(dtype, scalar)
    return [
        converted(x, dtype) if isinstance(x, Tensor) else _tensor(x.item() if isinstance(x, np.generic) else x, dtype=dtype, device=device)
        for x in operands
    ]


def by_numpy(ufunc):
    """A kernel that computes with a function of NumPy, which must have a loop for the dtype."""

    def kernel(*operands):
        if any(x.is_meta for x in operands):
            shapes = [x.shape for x in operands]
            dtype = new(ufunc(*[np.empty(0, _core._numpy_dtype(x.dtype)) for x in operands])).dtype
            return _empty(np.broadcast_shapes(*shapes), dtype=dtype, device="meta")
        return new(ufunc(*[read(x) for x in operands]))

    return kernel


def _unary(name, summary, core, kernels=None):
    kernels = kernels or {}

    def function(x, /):
        try:
            return kernels.get(x.dtype, core)(x).as_subclass(Array)
        except AttributeError:
            if isinstance(x, Tensor):
                raise
            raise TypeError(f"{name}: x must be an array, got {type(x).__name__}") from None

    return _named(function, name, summary)


def _binary(name, summary, core, kernels=None, *, scalars=False):
    """A function of two operands.

    Parameters
    ----------
    name, summary : str
    core : callable
        Computes from two tensors of one dtype.
    kernels : dict of dtype to callable, optional
        What computes in its place.
    scalars : bool
        Whether `core` takes a Python scalar as its second argument, and promotes as the standard does.
    """
    kernels = kernels or {}

    def function(x1, x2, /):
        if isinstance(x1, Tensor):
            dtype = x1.dtype
            if isinstance(x2, Tensor):
                if dtype is x2.dtype:
                    return kernels.get(dtype, core)(x1, x2).as_subclass(Array)
            elif scalars and x2.__class__ in _PLAIN and dtype not in kernels:
                return core(x1, x2).as_subclass(Array)
        x1, x2 = tensors(name, x1, x2)
        return kernels.get(x1.dtype, core)(x1, x2).as_subclass(Array)

    return _named(function, name, summary)


def _comparison(name, summary, core, compare, kernels=None):
    """A function of two operands that orders them; integers beyond the dtype of an array compare by their value.

    Parameters
    ----------
    name, summary, core, kernels
        As for other functions of two operands.
    compare : callable
        The operator of Python.
    """
    general = _binary(name, summary, core, kernels, scalars=True)

    def function(x1, x2, /):
        # All elements are on the side of the number where 0 is.
        if x2.__class__ is int and isinstance(x1, Tensor) and _is_beyond(x1.dtype, x2):
            return _full(x1.shape, compare(0, x2), dtype=bool_, device=x1.device).as_subclass(Array)
        if x1.__class__ is int and isinstance(x2, Tensor) and _is_beyond(x2.dtype, x1):
            return _full(x2.shape, compare(x1, 0), dtype=bool_, device=x2.device).as_subclass(Array)
        return general(x1, x2)

    return _named(function, name, summary)


def _is_beyond(dtype, number):
    """Whether an integer dtype does not hold a number."""
    numbers = _RANGES.get(dtype)
    return numbers is not None and number not in numbers


# The numbers of each integer dtype. PyTorch's scalars are int64, so larger ones are compared as arrays.
_RANGES = {dtype: range(_iinfo(dtype).min, _iinfo(dtype).max + 1) for dtype in INTEGERS}
_full = _core_functions["full"]

_PLAIN = frozenset((True.__class__, int, float, complex))


def _named(function, name, summary):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{summary}\n\n{_SEE}"
    return function


def _wide(ufunc):
    """Kernels of the wide unsigned integers."""
    return dict.fromkeys(WIDE_UNSIGNED, by_numpy(ufunc))


def _complex(kernel):
    return dict.fromkeys(COMPLEX.values(), kernel)


def _by_parts(function):
    """A kernel for complex numbers that handles real and imaginary parts alike."""
    as_real, as_complex = _core_functions["view_as_real"], _core_functions["view_as_complex"]
    return lambda *operands: as_complex(function(*[as_real(x) for x in operands]))


_clone = _core_functions["clone"]
_sign = _core_functions["sign"]
_where = _core_functions["where"]
_isnan = _core_functions["isnan"]
_isfinite = _core_functions["isfinite"]
_and = _core_functions["logical_and"]
_abs = _core_functions["abs"]
_floor_divide = _core_functions["floor_divide"]
_divide = _core_functions["true_divide"]
_multiply = _core_functions["mul"]
_remainder = _core_functions["remainder"]
_copysign = _core_functions["copysign"]
_exp = _core_functions["exp"]
_expm1 = _core_functions["expm1"]
_subtract = _core_functions["sub"]


def _sign_of_real(x):
    return _where(_isnan(x), x, _sign(x))


def _sign_of_complex(x):
    return _where(x == 0, x, _divide(x, _abs(x)))


def _expm1_of_complex(x):
    # Around infinities and NaN the exponential has the parts that the standard asks for; sums of products there are NaN.
    result = _expm1(x)
    return _where(_isfinite(result), result, _subtract(_exp(x), 1))


def _floor_divide_of_real(x1, x2):
    # Infinite operands: the quotient itself, where rounding down would give NaN or -1.
    finite = _and(_isfinite(x1), _isfinite(x2))
    return _where(finite, _floor_divide(x1, x2), _divide(x1, x2))


def _remainder_of_real(x1, x2):
    return _copysign(_remainder(x1, x2), x2)


abs = _unary("abs", "Absolute values.", _core_functions["abs"], dict.fromkeys(WIDE_UNSIGNED, _clone))
acos = _unary("acos", "Inverse cosines, in radians.", _core_functions["acos"])
acosh = _unary("acosh", "Inverse hyperbolic cosines.", _core_functions["acosh"])
asin = _unary("asin", "Inverse sines, in radians.", _core_functions["asin"])
asinh = _unary("asinh", "Inverse hyperbolic sines.", _core_functions["asinh"])
atan = _unary("atan", "Inverse tangents, in radians.", _core_functions["atan"])
atanh = _unary("atanh", "Inverse hyperbolic tangents.", _core_functions["atanh"])
bitwise_invert = _unary(
    "bitwise_invert",
    "Integers with all bits inverted; bools negated.",
    _core_functions["bitwise_not"],
    _wide(np.invert),
)
ceil = _unary("ceil", "Smallest integers that are not below the elements.", _core_functions["ceil"])
conj = _unary("conj", "Complex conjugates.", _core_functions["conj_physical"])
cos = _unary("cos", "Cosines of angles in radians.", _core_functions["cos"])
cosh = _unary("cosh", "Hyperbolic cosines.", _core_functions["cosh"])
exp = _unary("exp", "Exponentials.", _exp)
expm1 = _unary("expm1", "Exponentials less 1, exact near 0.", _expm1, _complex(_expm1_of_complex))
floor = _unary("floor", "Largest integers that are not above the elements.", _core_functions["floor"])
imag = _unary("imag", "Imaginary parts.", _core_functions["imag"])
isfinite = _unary("isfinite", "Whether elements are finite.", _core_functions["isfinite"])
isinf = _unary("isinf", "Whether elements are infinite.", _core_functions["isinf"])
isnan = _unary("isnan", "Whether elements are NaN.", _core_functions["isnan"])
log = _unary("log", "Natural logarithms.", _core_functions["log"])
log10 = _unary("log10", "Logarithms to base 10.", _core_functions["log10"])
log1p = _unary("log1p", "Logarithms of 1 plus the elements, exact near 0.", _core_functions["log1p"])
log2 = _unary("log2", "Logarithms to base 2.", _core_functions["log2"])
logical_not = _unary("logical_not", "Whether elements are false.", _core_functions["logical_not"], _wide(np.logical_not))
negative = _unary("negative", "Elements with the other sign.", _core_functions["neg"], _wide(np.negative))
positive = _unary("positive", "A copy of the elements.", _core_functions["clone"])
real = _unary("real", "Real parts.", _core_functions["real"])
reciprocal = _unary("reciprocal", "1 divided by the elements.", _core_functions["reciprocal"])
round = _unary(
    "round",
    "Nearest integers, even ones where two are as near.",
    _core_functions["round"],
    _complex(_by_parts(_core_functions["round"])),
)
sign = _unary(
    "sign",
    "Signs: -1, 0, 1 or NaN; of complex numbers the number divided by its absolute value.",
    _core_functions["sign"],
    _wide(np.sign) | dict.fromkeys(REAL.values(), _sign_of_real) | _complex(_sign_of_complex),
)
signbit = _unary("signbit", "Whether the sign bit is set.", _core_functions["signbit"])
sin = _unary("sin", "Sines of angles in radians.", _core_functions["sin"])
sinh = _unary("sinh", "Hyperbolic sines.", _core_functions["sinh"])
sqrt = _unary("sqrt", "Square roots.", _core_functions["sqrt"])
square = _unary(
    "square",
    "Elements multiplied with themselves.",
    _core_functions["square"],
    dict.fromkeys((*WIDE_UNSIGNED, *COMPLEX.values()), lambda x: _multiply(x, x)),
)
tan = _unary("tan", "Tangents of angles in radians.", _core_functions["tan"])
tanh = _unary("tanh", "Hyperbolic tangents.", _core_functions["tanh"])
trunc = _unary("trunc", "Elements rounded towards zero.", _core_functions["trunc"])

add = _binary("add", "Sums of elements.", _core_functions["add"], _wide(np.add) | _complex(_by_parts(_core_functions["add"])), scalars=True)
atan2 = _binary("atan2", "Angles of points (x2, x1) in radians.", _core_functions["atan2"])
bitwise_and = _binary("bitwise_and", "Bits that are set in both operands.", _core_functions["bitwise_and"])
bitwise_left_shift = _binary("bitwise_left_shift", "Bits shifted to the left.", _core_functions["bitwise_left_shift"], _wide(np.left_shift))
bitwise_or = _binary("bitwise_or", "Bits that are set in one of the operands.", _core_functions["bitwise_or"])
bitwise_right_shift = _binary(
    "bitwise_right_shift",
    "Bits shifted to the right.",
    _core_functions["bitwise_right_shift"],
    _wide(np.right_shift),
)
bitwise_xor = _binary("bitwise_xor", "Bits that are set in exactly one operand.", _core_functions["bitwise_xor"])
copysign = _binary("copysign", "Magnitudes of the first operand with signs of the second.", _core_functions["copysign"])
divide = _binary("divide", "Quotients of elements.", _core_functions["true_divide"], scalars=True)
equal = _comparison("equal", "Whether elements are equal.", _core_functions["eq"], operator.eq, _wide(np.equal))
floor_divide = _binary(
    "floor_divide",
    "Quotients rounded down.",
    _floor_divide,
    _wide(np.floor_divide) | dict.fromkeys(REAL.values(), _floor_divide_of_real),
    scalars=True,
)
greater = _comparison("greater", "Whether elements of the first operand are greater.", _core_functions["gt"], operator.gt, _wide(np.greater))
greater_equal = _comparison(
    "greater_equal", "Whether elements of the first operand are not less.", _core_functions["ge"], operator.ge, _wide(np.greater_equal)
)
hypot = _binary("hypot", "Square roots of sums of squares.", _core_functions["hypot"])
less = _comparison("less", "Whether elements of the first operand are less.", _core_functions["lt"], operator.lt, _wide(np.less))
less_equal = _comparison(
    "less_equal", "Whether elements of the first operand are not greater.", _core_functions["le"], operator.le, _wide(np.less_equal)
)
logaddexp = _binary("logaddexp", "Logarithms of sums of exponentials.", _core_functions["logaddexp"])
logical_and = _binary("logical_and", "Whether elements are true in both operands.", _core_functions["logical_and"], _wide(np.logical_and))
logical_or = _binary("logical_or", "Whether elements are true in one of the operands.", _core_functions["logical_or"], _wide(np.logical_or))
logical_xor = _binary(
    "logical_xor",
    "Whether elements are true in exactly one operand.",
    _core_functions["logical_xor"],
    _wide(np.logical_xor),
)
maximum = _binary("maximum", "Greater elements of two operands.", _core_functions["maximum"], _wide(np.maximum))
minimum = _binary("minimum", "Smaller elements of two operands.", _core_functions["minimum"], _wide(np.minimum))
multiply = _binary("multiply", "Products of elements.", _core_functions["mul"], scalars=True)
nextafter = _binary("nextafter", "Next numbers after the first operand in the direction of the second.", _core_functions["nextafter"])
not_equal = _comparison("not_equal", "Whether elements differ.", _core_functions["ne"], operator.ne, _wide(np.not_equal))
pow = _binary(
    "pow",
    "Elements of the first operand raised to the power of the second.",
    _core_functions["pow"],
    _wide(np.power),
    scalars=True,
)
remainder = _binary(
    "remainder",
    "Remainders of divisions, with the sign of the divisor.",
    _core_functions["remainder"],
    _wide(np.remainder) | dict.fromkeys(REAL.values(), _remainder_of_real),
    scalars=True,
)
subtract = _binary(
    "subtract",
    "Differences of elements.",
    _subtract,
    _wide(np.subtract) | _complex(_by_parts(_core_functions["sub"])),
    scalars=True,
)


def clip(x, /, min=None, max=None):
    """Elements limited to an interval.

    Parameters
    ----------
    x : Array
        Of real numbers.
    min, max : scalar or Array, optional
        Limits, which broadcast with `x`; NaN where one of them is.

    Returns
    -------
    Array
        With the dtype of `x`.
    """
    result = x
    if min is not None:
        result = _limited(maximum, x, result, min)
    if max is not None:
        result = _limited(minimum, x, result, max)
    return (_clone(x) if result is x else result).as_subclass(Array)


def _limited(extreme, x, result, limit):
    """The greater or smaller of elements and a limit, which counts in the dtype of `x`."""
    if isinstance(limit, Tensor):
        return extreme(result, converted(limit, x.dtype))
    if isinstance(limit, np.generic):
        limit = limit.item()
    if isinstance(limit, int) and x.dtype in INTEGERS:
        # A limit beyond the dtype is one of its extremes.
        limits = _iinfo(x.dtype)
        limit = limits.min if limit < limits.min else limits.max if limit > limits.max else limit
    return extreme(result, _tensor(limit, dtype=x.dtype, device=x.device))


def where(condition, x1, x2, /):
    """Elements of `x1` where the condition is true, of `x2` elsewhere.

    Parameters
    ----------
    condition : Array
        Of bools.
    x1, x2 : Array or scalar
        They broadcast with the condition.
    """
    if not isinstance(condition, Tensor) or condition.dtype is not bool_:
        raise TypeError(f"where: condition must be an array of bool, got {getattr(condition, 'dtype', type(condition).__name__)}")
    if isinstance(x1, Tensor) and isinstance(x2, Tensor) and x1.dtype is x2.dtype:
        return _where(condition, x1, x2).as_subclass(Array)
    if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
        # Two scalars have the dtype that arrays of them have.
        x1 = _tensor(x1, device=condition.device)
    x1, x2 = tensors("where", x1, x2)
    return _where(condition, x1, x2).as_subclass(Array)


__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert", "bitwise_left_shift",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos", "cosh", "divide", "equal", "exp",
    "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag", "isfinite", "isinf", "isnan", "less", "less_equal",
    "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum",
    "multiply", "negative", "nextafter", "not_equal", "positive", "pow", "real", "reciprocal", "remainder", "round", "sign", "signbit",
    "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc", "where",
]  # fmt: skip
