"""Tests that run once per device, dtype or operator: `instantiate_device_type_tests` and the decorators that go with it.

A generic class's tests take ``device`` (and ``dtype``, ``op``) arguments; one class is made for each device type that is usable, with one
test for each case: ``test_add_cpu_float32``.
"""

import functools
import inspect
import os
import unittest
from collections import namedtuple
from enum import Enum

import runtime
from runtime.cuda import device_count, is_available
from runtime.testing.common_utils import TEST_WITH_ROCM, TestCase
from runtime.testing.comparison import dtype_name
from runtime.testing.parametrization import Case, CaseSource, bind, product_of_cases


class DeviceTypeTestBase(TestCase):
    """What the class of each device type adds to a generic one."""

    device_type = "generic_device_type"

    @classmethod
    def get_primary_device(cls):
        """The device that tests get."""
        return cls.device_type

    @classmethod
    def get_all_devices(cls):
        """The devices that tests get that ask for several."""
        return [cls.get_primary_device()]


class CPUTestBase(DeviceTypeTestBase):
    """Tests on the CPU."""

    device_type = "cpu"


class CUDATestBase(DeviceTypeTestBase):
    """Tests on CUDA devices."""

    device_type = "cuda"

    @classmethod
    def get_primary_device(cls):
        """The first device."""
        return "cuda:0"

    @classmethod
    def get_all_devices(cls):
        """Every device, the first one first."""
        return [f"cuda:{index}" for index in range(device_count())]


#: The environment's variables that say on which device types tests run, and on which not (names separated by commas).
PYTORCH_TESTING_DEVICE_ONLY_FOR_KEY = "PYTORCH_TESTING_DEVICE_ONLY_FOR"
PYTORCH_TESTING_DEVICE_EXCEPT_FOR_KEY = "PYTORCH_TESTING_DEVICE_EXCEPT_FOR"


def _chosen_bases(except_for, only_for):
    except_for, only_for = ((names,) if isinstance(names, str) else names for names in (except_for, only_for))
    bases = [CPUTestBase, CUDATestBase] if is_available() else [CPUTestBase]
    only, without = (os.environ.get(key) for key in (PYTORCH_TESTING_DEVICE_ONLY_FOR_KEY, PYTORCH_TESTING_DEVICE_EXCEPT_FOR_KEY))
    bases = [b for b in bases if (not only or b.device_type in only.split(",")) and (not without or b.device_type not in without.split(","))]
    return [
        base for base in bases if (only_for is None or base.device_type in only_for) and (except_for is None or base.device_type not in except_for)
    ]


def instantiate_device_type_tests(generic_test_class, scope, except_for=None, only_for=None, include_lazy=False, allow_mps=False, allow_xpu=False):
    """Make a class of tests for each usable device type.

    Parameters
    ----------
    generic_test_class : type
        The class; it is taken out of `scope`, and its tests out of it.
    scope : dict
        The module's globals, where the classes (``NameCPU``, ``NameCUDA``) are put.
    except_for, only_for : str or sequence of str, optional
        Device types to leave out, or to keep.
    include_lazy, allow_mps, allow_xpu : bool
        Accepted for device types that this runtime does not have.
    """
    del scope[generic_test_class.__name__]
    tests = {name: test for name, test in vars(generic_test_class).items() if name.startswith("test")}
    for base in _chosen_bases(except_for, only_for):
        class_name = generic_test_class.__name__ + base.device_type.upper()
        made = type(class_name, (base, generic_test_class), {"__module__": generic_test_class.__module__})
        for name, test in tests.items():
            _instantiate(made, generic_test_class, name, test)
        scope[class_name] = made
    for name in tests:
        delattr(generic_test_class, name)


def _instantiate(cls, generic, name, test):
    dtypes_of = getattr(test, "dtypes_by_device", {})
    choices = dtypes_of.get(cls.device_type, dtypes_of.get("all", (None,)))
    wanted = inspect.signature(test).parameters
    for case in product_of_cases(test, generic, cls.device_type):
        for choice in choices:
            arguments = dict(case.arguments)
            if choice is not None:
                arguments["dtypes" if isinstance(choice, (list, tuple)) else "dtype"] = choice
            full = name + (f"_{case.name}" if case.name else "") + f"_{cls.device_type}"
            dtype = arguments.get("dtypes", arguments.get("dtype"))
            if dtype is not None:
                full += "".join(f"_{dtype_name(d)}" for d in (dtype if isinstance(dtype, (list, tuple)) else (dtype,)))
            if hasattr(test, "num_required_devices"):
                arguments["devices"] = cls.get_all_devices()
            elif "device" in wanted:
                arguments["device"] = cls.get_primary_device()
            if hasattr(cls, full):
                raise AssertionError(f"Redefinition of test {full}")
            setattr(cls, full, bind(_with_tolerances(test, dtype), full, arguments, case.decorators))


def _with_tolerances(test, dtype):
    """The test with the tolerances that its decorators give for a dtype."""
    atol = getattr(test, "precision_overrides", {}).get(dtype)
    override = getattr(test, "tolerance_overrides", {}).get(dtype)
    if atol is None and override is None:
        return test

    @functools.wraps(test)
    def run(self, *args, **kwargs):
        if atol is not None:
            self.precision = atol
        if override is not None:
            self.precision, self.rel_tol = override
        return test(self, *args, **kwargs)

    return run


tol = namedtuple("tol", ["atol", "rtol"])


class precisionOverride:
    """Set a test's least absolute tolerance by dtype: ``{dtype: atol}``."""

    def __init__(self, d):
        self.overrides = dict(d)

    def __call__(self, fn):
        fn.precision_overrides = self.overrides
        return fn


class toleranceOverride:
    """Set a test's least tolerances by dtype: ``{dtype: tol(atol=..., rtol=...)}``."""

    def __init__(self, d):
        if not all(isinstance(value, tol) for value in d.values()):
            raise AssertionError("toleranceOverride not given a dtype : tol dict!")
        self.overrides = dict(d)

    def __call__(self, fn):
        fn.tolerance_overrides = self.overrides
        return fn


class dtypes:
    """Run a test for each of some dtypes, given to its ``dtype`` argument, or tuples of dtypes, given to ``dtypes``.

    Parameters
    ----------
    *args : dtype or sequence of dtype
        The choices; all dtypes or all sequences.
    device_type : str
        The device type that they hold for, before those for ``"all"``.
    """

    def __init__(self, *args, device_type="all"):
        flat = [d for arg in args for d in arg] if args and all(isinstance(arg, (list, tuple)) for arg in args) else args
        for d in flat:
            if not isinstance(d, runtime.dtype):
                raise AssertionError(f"Unknown dtype in {args}")
        self.args, self.device_type = args, device_type

    def __call__(self, fn):
        known = getattr(fn, "dtypes_by_device", {})
        if self.device_type in known:
            raise AssertionError(f"dtypes redefinition for {self.device_type}")
        fn.dtypes_by_device = {**known, self.device_type: self.args}
        return fn


dtypesIfCPU = functools.partial(dtypes, device_type="cpu")
dtypesIfCUDA = functools.partial(dtypes, device_type="cuda")
dtypesIfMPS = functools.partial(dtypes, device_type="mps")
dtypesIfXPU = functools.partial(dtypes, device_type="xpu")


class OpDTypes(Enum):
    """Which dtypes of an operator's entry `ops` takes: all that it supports, one of them, or none (no ``dtype`` argument)."""

    supported = 0
    any_one = 1
    none = 2


class ops(CaseSource):
    """Run a test for each entry of an operator database, given to its ``op`` argument, and each dtype, given to ``dtype``.

    Parameters
    ----------
    op_list : iterable
        Entries with ``formatted_name`` and ``supported_dtypes(device_type)``.
    dtypes : OpDTypes or sequence of dtype
        The dtypes.
    allowed_dtypes : sequence of dtype, optional
        Leave out all others.
    """

    def __init__(self, op_list, *, dtypes=OpDTypes.supported, allowed_dtypes=None, skip_if_dynamo=True):
        self.op_list, self.dtypes, self.allowed_dtypes = list(op_list), dtypes, allowed_dtypes

    def cases(self, function, generic, device_type):
        """One case for each operator and dtype."""
        if device_type is None:
            raise RuntimeError(
                "The @ops decorator is only intended to be used in a device-specific context; use it with "
                "instantiate_device_type_tests() instead of instantiate_parametrized_tests()"
            )
        for op in self.op_list:
            for dtype in self._dtypes(op, device_type):
                yield Case(op.formatted_name, {"op": op} if dtype is None else {"op": op, "dtype": dtype})

    def _dtypes(self, op, device_type):
        if self.dtypes is OpDTypes.none:
            return [None]
        chosen = op.supported_dtypes(device_type) if isinstance(self.dtypes, OpDTypes) else self.dtypes
        chosen = sorted((d for d in chosen if self.allowed_dtypes is None or d in self.allowed_dtypes), key=dtype_name)
        return chosen[:1] if self.dtypes is OpDTypes.any_one else chosen


class skipIf:
    """Skip a test on a device type (on all, for None) under a condition: a bool, or the name of an attribute of the test's class."""

    def __init__(self, dep, reason, device_type=None):
        self.dep, self.reason, self.device_type = dep, reason, device_type

    def __call__(self, fn):
        @functools.wraps(fn)
        def run(slf, *args, **kwargs):
            applies = self.device_type is None or slf.device_type == self.device_type
            if applies and (getattr(slf, self.dep, True) if isinstance(self.dep, str) else self.dep):
                raise unittest.SkipTest(self.reason)
            return fn(slf, *args, **kwargs)

        return run


skipCPUIf = functools.partial(skipIf, device_type="cpu")
skipCUDAIf = functools.partial(skipIf, device_type="cuda")
skipMetaIf = functools.partial(skipIf, device_type="meta")
skipXPUIf = functools.partial(skipIf, device_type="xpu")
skipMeta = skipMetaIf(True, "test doesn't work with meta tensors")
skipMPS = skipIf(True, "test doesn't work on MPS backend", device_type="mps")
skipXLA = skipIf(True, "Marked as skipped for XLA", device_type="xla")
skipXPU = skipIf(True, "test doesn't work on XPU backend", device_type="xpu")


def skipCUDAIfNoCudnn(fn):
    """Skip a test on CUDA: there is no cuDNN."""
    return skipCUDAIf(True, "cuDNN not available")(fn)


def skipCUDAIfNoMagma(fn):
    """Skip a test on CUDA: there is no MAGMA."""
    return skipCUDAIf(True, "no MAGMA library detected")(fn)


def skipCUDAIfRocm(func=None, *, msg="test doesn't currently work on the ROCm stack"):
    """Mark a test that does not run on ROCm, with or without arguments: it is never here."""
    return func if func is not None else lambda fn: fn


def skipCUDAIfNotRocm(fn):
    """Skip on CUDA: the test needs ROCm."""
    return skipCUDAIf(not TEST_WITH_ROCM, "test doesn't currently work on the CUDA stack")(fn)


def skipCPUIfNoLapack(fn):
    """Mark a test that needs LAPACK, which SciPy always brings."""
    return fn


def largeTensorTest(size, device=None, inductor=False):
    """Skip a test that needs as many bytes as an int says, or a text such as ``"12GB"``, unless the machine has them."""
    units = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
    if isinstance(size, str):
        if size[-2:].upper() not in units:
            raise ValueError(f"largeTensorTest(): size must be a number of bytes or end in KB, MB, GB or TB, not {size!r}")
        size = float(size[:-2]) * units[size[-2:].upper()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return unittest.skipIf(memory < size, f"the test needs {size:.0f} bytes of memory")


class expectedFailure:
    """Expect a test to fail on a device type (on all, for None)."""

    def __init__(self, device_type, dtype=None):
        self.device_type, self.dtype = device_type, dtype

    def __call__(self, fn):
        @functools.wraps(fn)
        def run(slf, *args, **kwargs):
            if self.device_type not in (None, slf.device_type) or self.dtype not in (None, kwargs.get("dtype")):
                return fn(slf, *args, **kwargs)
            try:
                fn(slf, *args, **kwargs)
            except Exception:
                return None
            slf.fail("expected test to fail, but it passed")

        return run


expectedFailureCPU = expectedFailure("cpu")
expectedFailureCUDA = expectedFailure("cuda")
expectedFailureMeta = expectedFailure("meta")
expectedFailureMPS = expectedFailure("mps")
expectedFailureXLA = expectedFailure("xla")


class onlyOn:
    """Run a test only on one device type, or on several."""

    def __init__(self, device_type):
        self.device_types = (device_type,) if isinstance(device_type, str) else tuple(device_type)

    def __call__(self, fn):
        @functools.wraps(fn)
        def run(slf, *args, **kwargs):
            if slf.device_type not in self.device_types:
                raise unittest.SkipTest(f"Only runs on {', '.join(self.device_types)}")
            return fn(slf, *args, **kwargs)

        return run


onlyCPU = onlyOn("cpu")
onlyCUDA = onlyOn("cuda")
onlyAccelerator = onlyOn(("cuda", "xpu", "mps"))
onlyNativeDeviceTypes = onlyOn(("cpu", "cuda", "meta"))


def onlyNativeDeviceTypesAnd(devices=()):
    """Run a test only on the device types that PyTorch has kernels for, and some others."""
    return onlyOn(("cpu", "cuda", "meta", *((devices,) if isinstance(devices, str) else devices)))


class deviceCountAtLeast:
    """Give a test all devices of the type, in its ``devices`` argument; skip it where there are fewer than it needs."""

    def __init__(self, num_required_devices):
        self.count = num_required_devices

    def __call__(self, fn):
        @functools.wraps(fn)
        def run(slf, devices, *args, **kwargs):
            if len(devices) < self.count:
                raise unittest.SkipTest(f"fewer than {self.count} devices detected")
            return fn(slf, devices, *args, **kwargs)

        run.num_required_devices = self.count
        return run


def get_all_device_types():
    """The device types that tests can use."""
    return [base.device_type for base in _chosen_bases(None, None)]
