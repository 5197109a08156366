"""Tests that run once per device, dtype or operator: `instantiate_device_type_tests` and the decorators that go with it."""

import functools
import unittest

from runtime.cuda import is_available
from runtime.testing.common_utils import bind_case, expand


class tol:
    """A pair of tolerances."""

    def __init__(self, atol, rtol):
        self.atol, self.rtol = atol, rtol


def toleranceOverride(tolerances):
    """Set a test's tolerances by dtype: ``{dtype: tol(atol, rtol)}``."""

    def decorate(function):
        function.tolerance_overrides = tolerances
        return function

    return decorate


class dtypes:
    """Run a test for each of some dtypes, given to its `dtype` argument."""

    def __init__(self, *values):
        self.values = values

    def __call__(self, function):
        function.test_dtypes = self.values
        return function


class ops:
    """Run a test for each operator of a database (and each dtype that it allows), given to its `op` and `dtype` arguments."""

    def __init__(self, op_list, *, dtypes=None, allowed_dtypes=None):
        self.op_list, self.dtypes, self.allowed_dtypes = list(op_list), dtypes, allowed_dtypes

    def __call__(self, function):
        function.op_parametrization = self
        return function

    def cases(self):
        """(suffix of the name, keyword arguments) of each operator and dtype."""
        for op in self.op_list:
            for dtype in op.dtypes:
                if self.allowed_dtypes is None or dtype in self.allowed_dtypes:
                    yield f"_{op.name.replace('.', '_')}_{str(dtype).rpartition('.')[2]}", {"op": op, "dtype": dtype}


class modules(ops):
    """Run a test for each module of a database."""


def _only(device_type):
    def decorate(function):
        function.only_device = device_type
        return function

    return decorate


onlyCPU = _only("cpu")
onlyCUDA = _only("cuda")


def skipCPUIf(condition, reason):
    """Skip a test on the CPU where a condition holds."""
    return lambda function: _skip_on(function, "cpu", condition, reason)


def skipCUDAIf(condition, reason):
    """Skip a test on CUDA where a condition holds."""
    return lambda function: _skip_on(function, "cuda", condition, reason)


def _skip_on(function, device_type, condition, reason):
    @functools.wraps(function)
    def test(self, *args, **kwargs):
        if condition and getattr(self, "device_type", None) == device_type:
            raise unittest.SkipTest(reason)
        return function(self, *args, **kwargs)

    return test


def instantiate_device_type_tests(generic, scope, except_for=None, only_for=None, allow_mps=False, allow_xpu=False, allow_hpu=False):
    """Make a class of tests for each available device, from one whose tests take a `device` argument.

    Parameters
    ----------
    generic : type
        The class; it is removed from `scope`.
    scope : dict
        The module's globals, where the classes (``NameCPU``, ``NameCUDA``) are put.
    except_for, only_for : str or sequence of str, optional
        Device types to leave out, or to keep.
    """
    devices = ["cpu"] + (["cuda"] if is_available() else [])
    chosen = [d for d in devices if (only_for is None or d in only_for) and (except_for is None or d not in except_for)]
    tests = {n: f for n, f in vars(generic).items() if n.startswith("test") and callable(f)}
    for name in tests:
        delattr(generic, name)
    for device_type in chosen:
        attributes = {"device_type": device_type, "__module__": generic.__module__}
        for name, function in tests.items():
            if getattr(function, "only_device", device_type) != device_type:
                continue
            for suffix, arguments in _cases(function):
                for more, extra, decorators in expand(function):
                    full = f"{name}{suffix}{more}_{device_type}"
                    device = "cuda:0" if device_type == "cuda" else device_type
                    attributes[full] = bind_case(function, {"device": device, **arguments, **extra}, decorators, full)
        class_name = generic.__name__ + device_type.upper()
        scope[class_name] = type(class_name, (generic,), attributes)
    scope.pop(generic.__name__, None)


def _cases(function):
    parametrization = getattr(function, "op_parametrization", None)
    if parametrization is not None:
        return list(parametrization.cases())
    values = getattr(function, "test_dtypes", None)
    if values is not None:
        return [(f"_{str(d).rpartition('.')[2]}", {"dtype": d}) for d in values]
    return [("", {})]
