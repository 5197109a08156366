"""NumPy's and SciPy's ufuncs on tensors: what ``__array_ufunc__`` does.

The tables say which ufunc is which operator. Importing this file tells the core of them; it comes back here for calls with keywords, for
methods of ufuncs, for ufuncs that take several operators, and for those that have none.
"""

import sys

import numpy as np

import runtime
from runtime import _core
from runtime._core import Tensor
from runtime.numpy_protocols.arrays import (
    NO_VALUE,
    NOT_BY_OPERATORS,
    NoOperator,
    axes_of,
    axis_of,
    by_numpy,
    check_cast,
    dtype_of,
    floating,
    is_given,
    operand_of,
    ours,
    out_tensor,
    promoted,
    require,
    store,
    tensor_of,
)

# Ufuncs that are one operator: its overload and, after a bar, the one that takes a number as the second operand.
OPERATORS = {
    "absolute": "abs", "add": "add.Tensor", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan",
    "arctan2": "atan2", "arctanh": "atanh", "bitwise_and": "bitwise_and.Tensor|bitwise_and.Scalar",
    "bitwise_or": "bitwise_or.Tensor|bitwise_or.Scalar", "bitwise_xor": "bitwise_xor.Tensor|bitwise_xor.Scalar", "ceil": "ceil",
    "copysign": "copysign.Tensor|copysign.Scalar", "cos": "cos", "cosh": "cosh", "deg2rad": "deg2rad", "degrees": "rad2deg",
    "divide": "div.Tensor", "equal": "eq.Tensor|eq.Scalar", "exp": "exp", "exp2": "exp2", "expm1": "expm1",
    "float_power": "float_power.Tensor_Tensor|float_power.Tensor_Scalar", "floor": "floor", "floor_divide": "floor_divide",
    "fmax": "fmax", "fmin": "fmin", "fmod": "fmod.Tensor|fmod.Scalar", "gcd": "gcd", "greater": "gt.Tensor|gt.Scalar",
    "greater_equal": "ge.Tensor|ge.Scalar", "hypot": "hypot", "invert": "bitwise_not", "isfinite": "isfinite", "isinf": "isinf",
    "isnan": "isnan", "lcm": "lcm", "left_shift": "bitwise_left_shift.Tensor|bitwise_left_shift.Tensor_Scalar",
    "less": "lt.Tensor|lt.Scalar", "less_equal": "le.Tensor|le.Scalar", "log": "log", "log10": "log10", "log1p": "log1p", "log2": "log2",
    "logaddexp": "logaddexp", "logaddexp2": "logaddexp2", "logical_and": "logical_and", "logical_not": "logical_not",
    "logical_or": "logical_or", "logical_xor": "logical_xor", "matmul": "matmul", "maximum": "maximum", "minimum": "minimum",
    "multiply": "mul.Tensor", "negative": "neg", "nextafter": "nextafter", "not_equal": "ne.Tensor|ne.Scalar",
    "power": "pow.Tensor_Tensor|pow.Tensor_Scalar", "rad2deg": "rad2deg", "radians": "deg2rad", "reciprocal": "reciprocal",
    "remainder": "remainder.Tensor|remainder.Scalar", "right_shift": "bitwise_right_shift.Tensor|bitwise_right_shift.Tensor_Scalar",
    "rint": "round", "sign": "sgn", "signbit": "signbit", "sin": "sin", "sinh": "sinh", "sqrt": "sqrt", "square": "square",
    "subtract": "sub.Tensor", "tan": "tan", "tanh": "tanh", "trunc": "trunc",
}  # fmt: skip

# The same for ufuncs of scipy.special.
SPECIAL_OPERATORS = {
    "digamma": "digamma", "entr": "special_entr", "erf": "erf", "erfc": "erfc", "erfcx": "special_erfcx", "erfinv": "erfinv",
    "exp2": "exp2", "expit": "sigmoid", "expm1": "expm1", "gammainc": "igamma", "gammaincc": "igammac", "gammaln": "lgamma", "i0": "i0",
    "i0e": "special_i0e", "i1": "special_i1", "i1e": "special_i1e", "j0": "special_bessel_j0", "j1": "special_bessel_j1",
    "k0": "special_modified_bessel_k0", "k0e": "special_scaled_modified_bessel_k0", "k1": "special_modified_bessel_k1",
    "k1e": "special_scaled_modified_bessel_k1", "log1p": "log1p", "log_ndtr": "special_log_ndtr", "logit": "logit",
    "ndtr": "special_ndtr", "ndtri": "special_ndtri", "psi": "digamma", "xlog1py": "special_xlog1py", "xlogy": "xlogy.Tensor",
    "y0": "special_bessel_y0", "y1": "special_bessel_y1",
}  # fmt: skip

# Operators whose operands must be of one dtype, or of floating-point dtypes.
OF_ONE_DTYPE = {"matmul", "gcd", "lcm", "nextafter"}
OF_FLOATS = {"hypot", "logaddexp", "logaddexp2", "nextafter"}

# Operators whose results of floating-point operands need not have their dtype, or shape.
OF_OTHER_DTYPES = {"float_power", "matmul"}

# Ufuncs that answer a question: their results are bool whatever dtype= says.
QUESTIONS = {
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "isnat", "signbit",
    "logical_and", "logical_or", "logical_xor", "logical_not",
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- ufuncs of several operators


def conjugate(x):
    return x.conj_physical() if x.is_complex() else x.clone()


def divmod_(x, y):
    return runtime.floor_divide(x, y), runtime.remainder(x, y)


def fabs(x):
    require(not x.is_complex())
    return floating(x).abs()


def frexp(x):
    return tuple(runtime.frexp(floating(x)))


def heaviside(x, y):
    return runtime.heaviside(*promoted(x, y))


def modf(x):
    x = floating(x)
    whole = x.trunc()
    return runtime.copysign(runtime.where(x.isinf(), 0.0, x - whole), x), whole


def vecdot(x, y, axis=-1):
    x, y = promoted(x, y)
    if x.ndim < 1 or y.ndim < 1:
        raise ValueError("vecdot: the operands are stacks of vectors")
    if x.is_floating_point() or x.is_complex():
        return runtime.linalg.vecdot(x, y, dim=axis)
    return runtime.sum(x * y, axis)


def matvec(x, y):
    x, y = promoted(x, y)
    if x.ndim < 2 or y.ndim < 1:
        raise ValueError("matvec: the first operand is a stack of matrices, the second one of vectors")
    return runtime.matmul(x, y.unsqueeze(-1)).squeeze(-1)


def vecmat(x, y):
    x, y = promoted(x, y)
    if x.ndim < 1 or y.ndim < 2:
        raise ValueError("vecmat: the first operand is a stack of vectors, the second one of matrices")
    return runtime.matmul(conjugate(x).unsqueeze(-2), y).squeeze(-2)


COMPOSITES = {
    "conjugate": conjugate, "divmod": divmod_, "fabs": fabs, "frexp": frexp, "heaviside": heaviside, "ldexp": ours("ldexp"),
    "matvec": matvec, "modf": modf,
    "positive": lambda x: runtime.positive(x).clone(), "vecdot": vecdot, "vecmat": vecmat,
}  # fmt: skip


def function_of(ufunc):
    """The function on tensors that a ufunc is, or None."""
    if ufunc not in _functions:
        _functions[ufunc] = _find_function(ufunc)
    return _functions[ufunc]


def _find_function(ufunc):
    name = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        return COMPOSITES[name] if name in COMPOSITES else _map(ufunc, OPERATORS.get(ufunc.__name__), name in OF_ONE_DTYPE)
    special = sys.modules.get("scipy.special")
    if special is not None and getattr(special, name, None) is ufunc:
        return _map(ufunc, SPECIAL_OPERATORS.get(name), False)
    return None


def _map(ufunc, operators, one_dtype):
    """Tell the core which operator a ufunc is; returns the public function over it, or None where this build has no such operator."""
    if operators is None:
        return None
    overloads = [_overload(operator) for operator in operators.split("|")]
    if None in overloads:
        return None
    out = None if ufunc.__name__ in QUESTIONS or ufunc.__name__ in OF_OTHER_DTYPES else _writing(operators.partition("|")[0])
    _core._map_ufunc(ufunc, *overloads, out=out, one_dtype=one_dtype)
    name = operators.partition("|")[0].partition(".")[0]
    function = getattr(runtime.special, name.removeprefix("special_")) if name.startswith("special_") else getattr(runtime, name)
    if ufunc.__name__ in OF_FLOATS:
        return lambda *operands, **options: function(*map(floating, promoted(*operands)), **options)
    return (lambda *operands, **options: function(*promoted(*operands), **options)) if one_dtype else function


def _writing(name):
    """The overload that writes the operator's result to a tensor that it is given, or None."""
    packet, _, overload = name.partition(".")
    return _overload(f"{packet}.{overload}_out") or _overload(f"{packet}.out")


def _overload(name):
    packet, _, overload = name.partition(".")
    return getattr(getattr(runtime.ops.aten, packet, None), overload or "default", None)


_functions = {}
for _name in (*OPERATORS, *COMPOSITES):
    if hasattr(np, _name):
        function_of(getattr(np, _name))


# --------------------------------------------------------------------------------------------------------------------- the protocol


def array_ufunc(ufunc, method, *inputs, out=(), **options):
    """`Tensor.__array_ufunc__`, where the core has no answer."""
    if method not in METHODS or not callable(getattr(ufunc, method, None)):
        raise TypeError("__array_ufunc__() takes a ufunc and the name of one of its methods")
    for operand in (*inputs, *out):
        if type(operand) is Tensor:
            continue
        protocol = getattr(type(operand), "__array_ufunc__", np.ndarray.__array_ufunc__)
        if protocol is not np.ndarray.__array_ufunc__ and not isinstance(operand, Tensor):
            return NotImplemented
    name = getattr(ufunc, "__name__", type(ufunc).__name__)
    name = name if method == "__call__" else f"{name}.{method}"
    try:
        require(isinstance(ufunc, np.ufunc))  # others ask by the same protocol: those that Numba compiles
        return METHODS[method](ufunc, name, inputs, out, **options)
    except NOT_BY_OPERATORS:
        written = inputs[:1] if method == "at" else out
        if out:
            options["out"] = out
        result = by_numpy(name, getattr(ufunc, method), inputs, options, written)
        return (out[0] if len(out) == 1 else tuple(o if is_given(o) else r for o, r in zip(out, result))) if out else result


def call(ufunc, name, inputs, out, where=True, dtype=None, casting="same_kind", order="K", subok=True, **options):
    """A ufunc's call with keywords."""
    function = function_of(ufunc)
    require(function is not None and order != "F" and len(inputs) == ufunc.nin)
    require(not options or ufunc is np.vecdot and list(options) == ["axis"])
    composite = function in COMPOSITES.values()
    operands = [tensor_of(x) if composite else _operand(x, position, ufunc) for position, x in enumerate(inputs)]
    if dtype is not None:
        require(name not in QUESTIONS and ufunc.signature is None)
        dtype = dtype_of(dtype)
        for x in operands:
            if isinstance(x, Tensor):
                check_cast(name, "an operand", casting, x.dtype, dtype)
        operands = [x.to(dtype) if isinstance(x, Tensor) else x for x in operands]
    if len(out) == 1 and where is True and casting == "same_kind" and is_given(out[0]) and not composite:
        target = out_tensor(name, out[0])
        if name not in QUESTIONS and _writes_directly(ufunc, target, operands):
            function(*operands, **options, out=target)
            return out[0]
    result = function(*operands, **options)
    results = result if isinstance(result, tuple) else (result,)
    if where is not True and not out:
        results = tuple(runtime.where(tensor_of(where).to(runtime.bool), r, 0) for r in results)
    if out:
        results = tuple(store(name, r, o, casting, where) if is_given(o) else r for r, o in zip(results, out))
    return results if isinstance(result, tuple) else results[0]


def _operand(x, position, ufunc):
    """An operand as the operator's function takes it: numbers stay numbers where they are the second one of a function that knows them."""
    if position == 1 and type(x) in (bool, int, float, complex) and ("|" in OPERATORS.get(ufunc.__name__, "") or ufunc in _OF_NUMBERS):
        return x
    return operand_of(x)


_OF_NUMBERS = (np.add, np.subtract, np.multiply, np.divide)


def _writes_directly(ufunc, target, operands):
    """Whether an operator can write its result where out= says: of that shape and dtype, and on no memory that it still has to read."""
    tensors = [x for x in operands if isinstance(x, Tensor)]
    if ufunc.signature is not None or target.device.type != "cpu" or any(type(x) is not Tensor for x in (target, *tensors)):
        return False
    if runtime.broadcast_shapes(*(x.shape for x in tensors)) != target.shape or target.numel() == 0:
        return False
    if any(isinstance(x, complex) for x in operands) and not target.is_complex():
        return False
    if any(x.dtype is not target.dtype for x in tensors if x.ndim or len(tensors) == 1):
        return False  # NumPy casts the result where some operators want it of their own dtype
    return all(_same_or_apart(target, x) for x in tensors)


def _same_or_apart(a, b):
    if a.data_ptr() == b.data_ptr() and a.shape == b.shape and a.stride() == b.stride() and a.dtype is b.dtype:
        return True
    return b.numel() == 0 or _end(a) <= b.data_ptr() or _end(b) <= a.data_ptr()


def _end(t):
    return t.data_ptr() + (sum((n - 1) * step for n, step in zip(t.shape, t.stride())) + 1) * t.element_size()


# ------------------------------------------------------------------------------------------------------------------------- methods


def _sum(x, axes, keepdims, dtype):
    return runtime.sum(x, axes, keepdims, dtype=dtype)


def _prod(x, axes, keepdims, dtype):
    for axis in sorted(axes, reverse=True):
        x = runtime.prod(x, axis, keepdims, dtype=dtype)
    return x


def _cast_first(function):
    return lambda x, axes, keepdims, dtype: function(x if dtype is None else x.to(dtype), axes, keepdims)


# By ufunc: the reduction over a tuple of axes, and the value that changes nothing (None: there is no such value).
REDUCTIONS = {
    "add": (_sum, 0),
    "multiply": (_prod, 1),
    "maximum": (_cast_first(ours("amax")), None),
    "minimum": (_cast_first(ours("amin")), None),
    "logical_and": (_cast_first(ours("all")), True),
    "logical_or": (_cast_first(ours("any")), False),
    "logaddexp": (_cast_first(ours("logsumexp")), -np.inf),
}


def reduce(ufunc, name, inputs, out=(), axis=0, dtype=None, keepdims=False, initial=NO_VALUE, where=True):
    """``ufunc.reduce``."""
    (x,) = inputs
    x = tensor_of(x)
    dtype = None if dtype is None else dtype_of(dtype)
    keepdims = keepdims is not NO_VALUE and bool(keepdims)
    where = True if where is NO_VALUE else where
    require(ufunc.__name__ in REDUCTIONS and not (ufunc.__name__.startswith("logical") and is_given(initial)))
    function, identity = REDUCTIONS[ufunc.__name__]
    axes = axes_of(axis, x.ndim)
    if not axes:
        require(x.ndim == 0)
        axes, x = (0,), x.reshape(1)
        keepdims = False
    has_initial = is_given(initial)
    if where is not True:
        if identity is None and not has_initial:
            raise ValueError(f"{name}: maxima and minima have no identity, so that where= needs initial=")
        x = runtime.where(tensor_of(where).to(runtime.bool), x, initial if identity is None else identity)
    if has_initial and identity is None and x.numel() == 0:
        shape = [1 if d in axes else n for d, n in enumerate(x.shape) if keepdims or d not in axes]
        result = runtime.full(shape, initial, dtype=x.dtype if dtype is None else dtype, device=x.device)
    else:
        if identity is None:
            _refuse_empty(name, x, axes)
        result = function(x, axes, keepdims, dtype)
        if has_initial:
            result = function_of(ufunc)(result, _operand(initial, 1, ufunc))
    return store(name, result, out[0]) if out and is_given(out[0]) else result


def _refuse_empty(name, x, axes):
    if any(x.shape[axis] == 0 for axis in axes):
        raise ValueError(f"{name}: an axis without elements has no maximum or minimum; give initial=")


ACCUMULATIONS = {
    "add": ours("cumsum"),
    "multiply": ours("cumprod"),
    "maximum": lambda x, axis: ours("cummax")(x, axis)[0],
    "minimum": lambda x, axis: ours("cummin")(x, axis)[0],
    "logaddexp": ours("logcumsumexp"),
}


def accumulate(ufunc, name, inputs, out, axis=0, dtype=None):
    """``ufunc.accumulate``."""
    (x,) = inputs
    x = tensor_of(x)
    require(ufunc.__name__ in ACCUMULATIONS and x.ndim > 0)
    axis = axis_of(axis, x.ndim)
    if dtype is not None:
        x = x.to(dtype_of(dtype))
    result = ACCUMULATIONS[ufunc.__name__](x, axis)
    return store(name, result, out[0]) if out and is_given(out[0]) else result


def reduceat(ufunc, name, inputs, out, **options):
    """``ufunc.reduceat``, for which there is no operator."""
    raise NoOperator


def outer(ufunc, name, inputs, out, **options):
    """``ufunc.outer``: the ufunc of each element of the first operand and each of the second."""
    require(ufunc.signature is None)
    x, y = (tensor_of(operand) for operand in inputs)
    return call(ufunc, name, (x.reshape((*x.shape, *[1] * y.ndim)), y), out, **options)


def at(ufunc, name, inputs, out):
    """``ufunc.at``: in place, with every index that comes twice counted twice."""
    require(ufunc in (np.add, np.subtract))
    target, index, values = inputs
    require(isinstance(target, Tensor))
    index = index if isinstance(index, tuple) else (index,)
    require(all(isinstance(i, (int, list, np.ndarray, np.integer, Tensor)) and not isinstance(i, bool) for i in index))
    index = [runtime.as_tensor(i, device=target.device) if not isinstance(i, Tensor) else i for i in index]
    values = tensor_of(values)
    if values.ndim:
        check_cast(name, "the values", "same_kind", values.dtype, target.dtype)
    else:
        check_cast(name, "the value", "same_kind", runtime.result_type(target, values), target.dtype)
    values = values.to(target.dtype)
    target.index_put_(index, values if ufunc is np.add else -values, accumulate=True)


METHODS = {"__call__": call, "reduce": reduce, "accumulate": accumulate, "reduceat": reduceat, "outer": outer, "at": at}
