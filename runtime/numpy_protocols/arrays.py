"""Operands as tensors, dtypes, outputs, and calls of NumPy on lent memory: what the other files of this folder share."""

import numpy as np

import runtime
from runtime import _core
from runtime._core import Tensor

# NumPy's mark for an argument that was not given.
NO_VALUE = np._NoValue


class NoOperator(Exception):
    """No operator does what a call of NumPy's function asks for; NumPy has to."""


# The same from a kernel that is not made for a dtype: NumPy may have a loop for it.
NOT_BY_OPERATORS = (NoOperator, NotImplementedError)


def require(condition):
    """Leave the call to NumPy unless a condition holds."""
    if not condition:
        raise NoOperator


def ours(name):
    """A public function by its name, looked up when it is called: a build with chosen operators may lack it, and NumPy computes then."""
    module, _, base = name.rpartition(".")

    def function(*args, **kwargs):
        found = getattr(getattr(runtime, module) if module else runtime, base, None)
        require(found is not None)
        return found(*args, **kwargs)

    function.__name__ = base
    return function


def is_given(value):
    """Whether an optional argument has a value."""
    return value is not None and value is not NO_VALUE


def operand_of(value):
    """An operand of an operator as a tensor: arrays on their own memory; Python's and NumPy's numbers decide no dtype, as in `t + 1`."""
    if isinstance(value, Tensor):
        return value
    found = _core._array_operand(value)
    if found is None:
        found = _core._array_operand(np.asarray(value))
    require(found is not None)
    return found


def tensor_of(value):
    """As `operand_of`, for functions that take no numbers: these are 0-d tensors, of the default dtype where they are floats."""
    if isinstance(value, np.generic):
        value = value.item()
    return runtime.tensor(value) if type(value) in (bool, int, float, complex) else operand_of(value)


def floating(value):
    """An operand as a tensor of floating-point or complex numbers; integers in the default dtype, as operators convert them."""
    t = tensor_of(value)
    return t if t.is_floating_point() or t.is_complex() else t.to(runtime.get_default_dtype())


def promoted(*values):
    """Operands as tensors of their common dtype."""
    tensors = [tensor_of(v) for v in values]
    common = tensors[0].dtype
    if any(t.dtype is not common for t in tensors):
        common = _common_dtype([operand_of(v) for v in values] if len(values) == 2 else tensors)
    return [t if t.dtype is common else t.to(common) for t in tensors]


def _common_dtype(tensors):
    if len(tensors) == 2:
        return runtime.result_type(*tensors)
    # Of several, those without dimensions count only where their kind (bool, int, float, complex) is above the others'.
    common, *others = sorted(tensors, key=lambda t: t.ndim == 0)
    dtype = common.dtype
    for t in others:
        if t.ndim or not common.ndim or _kind(t.dtype) > _kind(dtype):
            dtype = runtime.promote_types(dtype, t.dtype)
    return dtype


def _kind(dtype):
    return 3 if dtype.is_complex else 2 if dtype.is_floating_point else dtype is not runtime.bool


def dtype_of(value):
    """A dtype given as ours, as NumPy's, or as anything that `numpy.dtype` takes."""
    if isinstance(value, runtime.dtype):
        return value
    found = getattr(runtime, np.dtype(value).name, None)
    require(isinstance(found, runtime.dtype))
    return found


def cast(value, dtype):
    """An operand as a tensor, of a dtype if one is given."""
    t = tensor_of(value)
    return t.to(dtype_of(dtype)) if is_given(dtype) else t


def axis_of(axis, ndim):
    """An axis as a number that is not negative.

    Raises
    ------
    numpy.exceptions.AxisError
        If there is no such axis.
    """
    if type(axis) is int and 0 <= axis < ndim:
        return axis
    return np.lib.array_utils.normalize_axis_index(_index(axis), ndim)


def axes_of(axis, ndim):
    """The axes that None (all), a number or a tuple stands for, as numbers that are not negative. Of no dimension, 0 and -1 say nothing."""
    if type(axis) is int and 0 <= axis < ndim:
        return (axis,)
    if axis is None or ndim == 0 and axis in (0, -1):
        return tuple(range(ndim))
    return np.lib.array_utils.normalize_axis_tuple([_index(a) for a in axis] if isinstance(axis, (tuple, list)) else _index(axis), ndim)


def _index(axis):
    return axis.__index__() if isinstance(axis, Tensor) else axis


def shape_of(shape):
    """A shape given as a number or a sequence of numbers."""
    return tuple(int(n) for n in shape) if hasattr(shape, "__len__") else (int(shape),)


# ------------------------------------------------------------------------------------------------------------------- outputs


def allows(casting, source, target):
    """Whether a casting rule of NumPy's lets one dtype become another; ``same_kind`` is PyTorch's rule for out= arguments."""
    if casting == "unsafe" or source is target:
        return True
    if casting == "same_kind":
        return runtime.can_cast(source, target)
    return np.can_cast(_core._numpy_dtype(source), _core._numpy_dtype(target), casting)


def check_cast(name, what, casting, source, target):
    """Raise TypeError where a casting rule forbids a conversion."""
    if not allows(casting, source, target):
        raise TypeError(f"{name}: cannot cast {what} from {source} to {target} with casting rule '{casting}'; give casting='unsafe' to allow it")


def out_tensor(name, out):
    """An out= argument as a tensor on its memory."""
    if isinstance(out, Tensor):
        return out
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name}: out= must be a tensor or an array, not {type(out).__name__}")
    if not out.flags.writeable:
        raise ValueError(f"{name}: the array given as out= is read-only")
    target = _core._of_array(out)
    require(target.data_ptr() == out.__array_interface__["data"][0])
    return target


def store(name, result, out, casting="same_kind", where=True):
    """Write a result to an out= argument, which keeps its shape and dtype, and return that argument."""
    target = out_tensor(name, out)
    pairs = zip(reversed(result.shape), reversed(target.shape))
    if result.ndim > target.ndim or any(have not in (1, room) for have, room in pairs):
        raise ValueError(f"{name}: out= has shape {tuple(target.shape)}, into which a result of shape {tuple(result.shape)} does not broadcast")
    check_cast(name, "the result", casting, result.dtype, target.dtype)
    if where is not True:
        result = runtime.where(tensor_of(where).to(runtime.bool), result.to(target.dtype), target)
    target.copy_(result)
    return out


def finish(name, result, out):
    """A result, written to the out= argument if there is one; that may come in a tuple."""
    if isinstance(out, tuple) and len(out) == 1:
        out = out[0]
    return store(name, result, out) if is_given(out) else result


# -------------------------------------------------------------------------------------------------------- NumPy on lent memory


def lent(name, value):
    """A tensor's memory as an array that NumPy works on; other values as they are, containers with their items lent."""
    if isinstance(value, Tensor):
        return _lent_tensor(name, value)
    if type(value) in (tuple, list):
        return type(value)([lent(name, item) for item in value])
    if type(value) is dict:
        return {key: lent(name, item) for key, item in value.items()}
    if isinstance(value, runtime.dtype):
        return _core._numpy_dtype(value)
    return value


def _lent_tensor(name, t):
    if t.device.type != "cpu" or _core._dispatch_keys(t).has(runtime.DispatchKey.Python):
        where = f"on {t.device}" if type(t) is Tensor else f"of class {type(t).__name__}"
        raise TypeError(f"{name} has no operator for these arguments, and NumPy, which would compute it, cannot read a tensor {where}")
    if t.requires_grad and runtime.is_grad_enabled():
        raise RuntimeError(f"{name} has no operator for these arguments, and NumPy records no gradients: call it on tensor.detach()")
    return _core._numpy_view(t.detach().resolve_conj().resolve_neg())


def returned(value):
    """What NumPy returned, with arrays and NumPy's numbers as tensors; what no tensor can hold (strings, objects, dates) as it is."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        try:
            return _core._of_array(array)
        except TypeError:
            return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[returned(item) for item in value])
    if type(value) in (tuple, list):
        return type(value)([returned(item) for item in value])
    return value


def by_numpy(name, function, args, kwargs, written=()):
    """Call a function of NumPy's on lent memory.

    Parameters
    ----------
    name : str
        For messages.
    function : callable
    args : tuple
    kwargs : dict
    written : iterable
        The arguments that it writes; autograd learns of it by their versions.
    """
    outputs = [t for t in written if isinstance(t, Tensor)]
    result = function(*lent(name, tuple(args)), **lent(name, kwargs))
    if outputs:
        _core._increment_version(outputs)
    return returned(result)
