"""Comparing values that hold tensors: what `TestCase.assertEqual` and `assert_close` mean by equal, and the texts of their failures.

Containers are taken apart into pairs of leaves first; the first pair that differs gives the text. Two sets of rules exist: *relaxed* ones
(`assertEqual`: numbers of different types compare, a tensor of one element is a number, anything else compares with ``==``) and strict ones
(`assert_close`: only related tensors and numbers of one type compare). Values are compared as NumPy arrays.
"""

import unittest
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

import numpy as np

import runtime

# Relative and absolute tolerances by dtype; exact for the others.
TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}
_STRICT_NUMBERS = {int: "int64", float: "float64", complex: "complex128"}
_RELAXED_NUMBERS = {int: "int64", float: "float32", complex: "complex64"}


@dataclass(frozen=True)
class Rules:
    """How values are compared."""

    relaxed: bool
    rtol: float | None = None
    atol: float | None = None
    equal_nan: bool = False
    check_dtype: bool = True
    check_device: bool = True
    check_layout: bool = True
    check_stride: bool = False
    allow_subclasses: bool = True
    # Lower bounds of the tolerances, which relaxed comparisons have from precision and tolerance decorators.
    least_rtol: float = 0.0
    least_atol: float = 0.0

    def tolerances(self, names):
        """The relative and the absolute tolerance for values of some dtypes: the loosest of the dtypes' own, unless given."""
        rtol, atol = self.rtol, self.atol
        if (rtol is None) != (atol is None):
            missing = "atol" if atol is None else "rtol"
            raise ValueError(f"Both 'rtol' and 'atol' must be either specified or unspecified, but got no {missing} instead.")
        if rtol is None:
            rtol, atol = (max(pair) for pair in zip(*(TOLERANCES.get(name, (0.0, 0.0)) for name in names)))
        return max(rtol, self.least_rtol), max(atol, self.least_atol)


def dtype_name(dtype):
    """``"float32"`` for the dtypes of tensors and of arrays that are called so."""
    return str(dtype).rpartition(".")[2]


def find_difference(actual, expected, rules):
    """The text that says how two values differ, or None.

    Parameters
    ----------
    actual, expected : object
        Tensors, arrays, numbers, containers of them; with relaxed rules anything.
    rules : Rules
        How to compare.

    Returns
    -------
    str or None

    Raises
    ------
    ValueError
        If only one of the tolerances is given, or a number stands beside a tensor of several elements.
    TypeError
        If strict rules cannot compare the values.
    """
    leaves = []
    difference = _take_apart(actual, expected, (), leaves)
    if difference is not None:
        return difference
    for a, e, path in leaves:
        difference = _leaf_difference(a, e, rules)
        if difference is not None:
            return difference + _place(path)
    return None


def _place(path):
    return f"\n\nThe failure occurred for item {''.join(f'[{item!r}]' if isinstance(item, str) else f'[{item}]' for item in path)}" if path else ""


def _take_apart(actual, expected, path, leaves):
    """Append the pairs of leaves; returns a text if the containers themselves differ."""
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            return f"The length of the sequences mismatch: {len(actual)} != {len(expected)}{_place(path)}"
        keys = range(len(actual))
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        missing, additional = set(expected) - set(actual), set(actual) - set(expected)
        if missing or additional:
            return (
                f"The keys of the mappings do not match:\nMissing keys in the actual mapping: {sorted(missing, key=str)}\n"
                f"Additional keys in the actual mapping: {sorted(additional, key=str)}{_place(path)}"
            )
        keys = list(actual)
        with suppress(TypeError):
            keys.sort()
    else:
        leaves.append((actual, expected, path))
        return None
    for key in keys:
        difference = _take_apart(actual[key], expected[key], (*path, key), leaves)
        if difference is not None:
            return difference
    return None


def _is_sequence(value):
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_tensor(value):
    return isinstance(value, (runtime.Tensor, np.ndarray))


def _leaf_difference(actual, expected, rules):
    if actual is None or expected is None:
        return None if actual is expected else f"None mismatch: {actual} is not {expected}"
    if rules.relaxed:
        # A number of another kind or a tensor of one element may stand on one side.
        others = (*_BOOLEANS, *_NUMBERS, Enum, runtime.Tensor, np.ndarray)
        for kinds, compare in ((_BOOLEANS, _boolean_difference), ((*_NUMBERS, Enum), _number_difference)):
            if (isinstance(actual, kinds) and isinstance(expected, others)) or (isinstance(expected, kinds) and isinstance(actual, others)):
                return compare(actual, expected, rules)
    elif isinstance(actual, _BOOLEANS) and isinstance(expected, _BOOLEANS):
        return _boolean_difference(actual, expected, rules)
    elif all(isinstance(value, _NUMBERS) and not isinstance(value, (bool, Enum)) for value in (actual, expected)):
        return _number_difference(actual, expected, rules)
    if _is_tensor(actual) and _is_tensor(expected):
        related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
        if rules.relaxed or (related and (rules.allow_subclasses or type(actual) is type(expected))):
            return _tensor_difference(actual, expected, rules)
    if not rules.relaxed:
        raise TypeError(f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")
    return _object_difference(actual, expected)


_BOOLEANS = (bool, np.bool_)
_NUMBERS = (int, float, complex, np.number)


def _single(value, kind):
    """A number out of a tensor or array of one element."""
    if not _is_tensor(value):
        return value
    count = value.numel() if isinstance(value, runtime.Tensor) else value.size
    if count > 1:
        raise ValueError(f"Only single element tensor-likes can be compared against a {kind}. Got {count} elements instead.")
    return value.item()


def _boolean_difference(actual, expected, rules):
    a, e = (bool(_single(value, "boolean")) for value in (actual, expected))
    return None if a is e else f"Booleans mismatch: {a} is not {e}"


def _number(value):
    value = _single(value, "number")
    if isinstance(value, np.number):
        value = value.item()
    if isinstance(value, Enum):
        return int(value.value)
    return int(value) if isinstance(value, bool) else value


def _number_difference(actual, expected, rules):
    a, e = _number(actual), _number(expected)
    if not rules.relaxed and rules.check_dtype and type(a) is not type(e):
        return f"The (d)types do not match: {type(a)} != {type(e)}."
    table = _RELAXED_NUMBERS if rules.relaxed else _STRICT_NUMBERS
    rtol, atol = rules.tolerances([table[int if isinstance(v, int) else type(v)] for v in (a, e)])
    if a == e or (a != a and e != e and rules.equal_nan):
        return None
    distance = abs(a - e)
    # An infinite expectation would make every tolerance infinite.
    if distance != float("inf") and distance <= atol + rtol * abs(e):
        return None
    relative = float("inf") if e == 0 else distance / abs(e)
    return _mismatch("Scalars", f"Expected {e} but got {a}.", "", (distance, None, atol), (relative, None, rtol))


def _mismatch(what, extra, greatest, absolute, relative):
    """The text of a numeric difference; the two distances come as (value, index, tolerance)."""
    exact = absolute[2] == 0 and relative[2] == 0
    lines = [f"{what} are not {'equal' if exact else 'close'}!", "", extra]
    for name, (value, index, tolerance) in (("absolute", absolute), ("relative", relative)):
        line = f"{greatest}{name} difference: {value}"
        line = line[0].upper() + line[1:]
        line += "" if index is None else f" at index {index}"
        lines.append(line + ("" if exact else f" (up to {tolerance} allowed)"))
    return "\n".join(lines)


def _attribute(name, a, e):
    return f"The values for attribute '{name}' do not match: {a} != {e}."


def _tensor_difference(actual, expected, rules):
    names = [dtype_name(value.dtype) for value in (actual, expected)]
    rtol, atol = rules.tolerances(names)
    a_shape, e_shape = tuple(actual.shape), tuple(expected.shape)
    if a_shape != e_shape:
        return _attribute("shape", runtime.Size(a_shape), runtime.Size(e_shape))
    if isinstance(actual, runtime.Tensor) and isinstance(expected, runtime.Tensor):
        if actual.is_quantized != expected.is_quantized:
            return _attribute("is_quantized", actual.is_quantized, expected.is_quantized)
        if actual.is_quantized and actual.qscheme() != expected.qscheme():
            return _attribute("qscheme()", actual.qscheme(), expected.qscheme())
        if rules.check_layout and actual.layout != expected.layout:
            return _attribute("layout", actual.layout, expected.layout)
        if rules.check_stride and actual.stride() != expected.stride():
            return _attribute("stride()", actual.stride(), expected.stride())
        if rules.check_device and actual.device != expected.device:
            return _attribute("device", actual.device, expected.device)
    if rules.check_dtype and names[0] != names[1]:
        return _attribute("dtype", *(f"torch.{name}" for name in names))
    if any(isinstance(value, runtime.Tensor) and value.is_meta for value in (actual, expected)):
        # Meta tensors have no values; their attributes agree.
        return None
    if (rtol or atol) and all(name.startswith("float8") for name in names):
        return f"Rtol={rtol} and atol={atol} are not supported for bitwise comparison of low dimensional floats. Please use rtol=0.0 and atol=0.0."
    if any(isinstance(value, runtime.Tensor) and runtime._core._dispatch_keys(value).has("Python") for value in (actual, expected)):
        # Only their handlers know what they hold.
        same = runtime.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=rules.equal_nan)
        return None if same.all().item() else "Tensor-likes are not close!"
    return _value_difference(_array(actual), _array(expected), rtol, atol, rules.equal_nan)


def _array(value):
    """A NumPy array of the values, of a dtype that NumPy calculates with."""
    if isinstance(value, runtime.Tensor):
        value = value.detach()
        if value.is_sparse:
            value = value.to_dense()
        if value.is_quantized:
            value = value.dequantize()
        name = dtype_name(value.dtype)
        if name == "bfloat16" or name.startswith("float8"):
            value = value.to(runtime.float32)
        elif name == "complex32":
            value = value.to(runtime.complex64)
        value = value.cpu().numpy() if value.device.type != "cpu" else value.numpy()
    return value


def _value_difference(a, e, rtol, atol, equal_nan):
    with np.errstate(all="ignore"):
        if rtol or atol:
            same = np.isclose(a, e, rtol=rtol, atol=atol, equal_nan=equal_nan)
        else:
            same = np.asarray(a == e)
            if equal_nan:
                same = same | ((a != a) & (e != e))
        count = same.size - int(np.count_nonzero(same))
        if count == 0:
            return None
        if a.dtype.kind in "bui" and e.dtype.kind in "bui":
            a, e = a.astype(np.int64), e.astype(np.int64)
        distance = np.where(same, 0, np.abs(a - e))
        relative = np.where(same, 0, distance / np.abs(e))
    found = []
    for values, tolerance in ((distance, atol), (relative, rtol)):
        # A NaN is the greatest distance of all.
        flat = int(np.argmax(values))
        index = tuple(int(i) for i in np.unravel_index(flat, values.shape)) if values.shape else None
        found.append((values.flat[flat].item(), index, tolerance))
    if not same.shape:
        return _mismatch("Scalars", f"Expected {e.item()} but got {a.item()}.", "", *found)
    extra = f"Mismatched elements: {count} / {same.size} ({count / same.size:.1%})"
    return _mismatch("Tensor-likes", extra, "greatest ", *found)


class _Plain(unittest.TestCase):
    maxDiff = None


def _object_difference(actual, expected):
    try:
        _Plain().assertEqual(actual, expected)
    except AssertionError as error:
        for kind, name in ((str, "String"), (bytes, "String"), (set, "Set"), (type, "Type")):
            if isinstance(actual, kind) and isinstance(expected, kind):
                return f"{name} comparison failed: {error}"
        return f"Object comparison failed: {error}"
    return None


def assert_close(
    actual, expected, *, allow_subclasses=True, rtol=None, atol=None, equal_nan=False, check_device=True, check_dtype=True,
    check_layout=True, check_stride=False, msg=None,
):  # fmt: skip
    """Assert that tensors, numbers, or containers of them, are close: ``|actual - expected| <= atol + rtol * |expected|``.

    Parameters
    ----------
    actual, expected : Tensor, ndarray, number, or sequence or mapping of them
        The values; partners must be of related types.
    allow_subclasses : bool
        Whether a tensor of a subclass may stand beside a plain one.
    rtol, atol : float, optional
        Tolerances, both or neither; the defaults depend on the dtypes.
    equal_nan : bool
        Whether two NaNs are close.
    check_device, check_dtype, check_layout, check_stride : bool
        What else must agree.
    msg : str or callable, optional
        The message in place of the generated one, or a function of it.

    Raises
    ------
    AssertionError
        If the values are not close.
    TypeError
        If they cannot be compared.
    """
    rules = Rules(
        False, rtol, atol, equal_nan, check_dtype=check_dtype, check_device=check_device, check_layout=check_layout,
        check_stride=check_stride, allow_subclasses=allow_subclasses,
    )  # fmt: skip
    difference = find_difference(actual, expected, rules)
    if difference is not None:
        raise AssertionError(msg(difference) if callable(msg) else msg or difference)
