"""Operators that check something: asserted tensors and numbers, ranges of sizes, metadata; and the operators that tests of dispatch use.

The forms whose names begin with `_functional` return a token: a graph that keeps tokens in order keeps the checks in order.
"""

from runtime._core import ops
from runtime.kernels._common import scalar_name

aten = ops.aten

LOWEST, HIGHEST = -(2**63), 2**63 - 1


def is_distributed(self):
    return False


def _assert_async(self):
    if self.device.type != "meta" and not aten.is_nonzero.default(self):
        raise RuntimeError("Expected Tensor with single nonzero value, but got zero")


def _assert_async_msg(self, assert_msg):
    if self.device.type != "meta" and not aten.is_nonzero.default(self):
        raise RuntimeError(assert_msg if assert_msg else "Assertion is failed")


def _functional_assert_async_msg(self, assert_msg, dep_token):
    _assert_async_msg(self, assert_msg)
    return aten.clone.default(dep_token)


def _assert_scalar(self, assert_msg):
    if not self:
        raise RuntimeError(assert_msg)


def _functional_assert_scalar(self, assert_msg, dep_token):
    aten._assert_scalar.default(self, assert_msg)
    return aten.clone.default(dep_token)


def _check_range(size, low, high):
    if high < low:
        raise RuntimeError(f"Max must be greater than or equal to min. Got min={low} max={high}")
    if not low <= int(size) <= high:
        raise RuntimeError(f"Invalid value range for {int(size)} between [{low}, {high}].")


def sym_constrain_range(size, *, min=None, max=None):
    _check_range(size, LOWEST if min is None else min, HIGHEST if max is None else max)


def sym_constrain_range_for_size(size, *, min=None, max=None):
    # Compilers treat sizes 0 and 1 apart; a bound below 3 would decide that.
    if max is not None and max <= 2:
        raise RuntimeError(f"Max value to constrain_range_for_size must be greater than 2. got: {max}")
    _check_range(size, 0 if min is None else min, HIGHEST if max is None else max)


def _functional_sym_constrain_range(size, min, max, dep_token):
    aten.sym_constrain_range.default(size, min=min, max=max)
    return aten.clone.default(dep_token)


def _functional_sym_constrain_range_for_size(size, min, max, dep_token):
    aten.sym_constrain_range_for_size.default(size, min=min, max=max)
    return aten.clone.default(dep_token)


def _make_dep_token(*, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    return aten.empty.memory_format((), dtype=dtype, layout=layout, device=device, pin_memory=pin_memory, memory_format=memory_format)


def _assert_tensor_metadata(a, size=None, stride=None, dtype=None, *, device=None, layout=None):
    def check(name, expected, found, show=str):
        if expected is not None and expected != found:
            raise RuntimeError(f"Tensor {name} mismatch! Expected: {show(expected)}, Got: {show(found)}")

    check("sizes", None if size is None else list(size), list(a.shape))
    check("strides", None if stride is None else list(stride), list(a.stride()))
    check("dtype", dtype, a.dtype, scalar_name)
    check("device", device, a.device)
    check("layout", layout, a.layout)


# ---- for tests of dispatch


def _test_check_tensor(self):
    if not aten._is_all_true.default(self).item():
        raise RuntimeError("Test message for TORCH_CHECK_TENSOR_ALL")
    return aten.clone.default(self)


def _test_functorch_fallback(self, other):
    return aten.clone.default(self)


def _plus_each(values, addends, name):
    if scalar_name(values.dtype) != name:
        raise RuntimeError(f"expected scalar type {name} but found {scalar_name(values.dtype)}")
    if addends is None:
        return values
    if values.dim() != 1:
        raise RuntimeError(f"expected values of one dimension, but got {values.dim()}")
    import runtime

    return aten.add.Tensor(values, runtime.tensor(list(addends)[: values.numel()], dtype=values.dtype))


def _test_optional_intlist(values, addends):
    return _plus_each(values, addends, "Int")


def _test_optional_floatlist(values, addends):
    return _plus_each(values, addends, "Float")


def _test_optional_filled_intlist(values, addends):
    return _plus_each(values, addends, "Int")


def _test_string_default(dummy, a="\"'\\", b="\"'\\"):
    for name, value in ("A", a), ("B", b):
        if value != "\"'\\":
            raise RuntimeError(f"Default {name} failed")
    return dummy


def _test_ambiguous_defaults_a(dummy, a=1, b=1):
    if a != 1 or b != 1:
        raise RuntimeError(f"expected a == 1 and b == 1, but got {a} and {b}")
    return aten.scalar_tensor.default(1, dtype=_long())


def _test_ambiguous_defaults_b(dummy, a=2, b="2"):
    if a != 2 or b != "2":
        raise RuntimeError(f"expected a == 2 and b == '2', but got {a} and {b!r}")
    return aten.scalar_tensor.default(2, dtype=_long())


def _long():
    import runtime

    return runtime.int64


def _test_warn_in_autograd(self):
    return aten.clone.default(self)


def _test_autograd_multiple_dispatch_fullcoverage(self):
    return aten.clone.default(self)


def _test_autograd_multiple_dispatch_view(self):
    return aten.view.default(self, [-1])


def _test_autograd_multiple_dispatch_ntonly(self, b):
    return aten.clone.default(self)


def record_stream(self, s):
    """Memory of the CPU is freed when its last user is gone: no stream has to be remembered."""
