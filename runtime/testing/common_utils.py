"""`TestCase` with tensor-aware comparisons, parametrization and skip helpers, under the names of PyTorch's test utilities."""

import functools
import os
import platform
import sys
import unittest
from collections.abc import Mapping, Sequence, Set

import numpy as np

import runtime

IS_WINDOWS = sys.platform == "win32"
IS_MACOS = sys.platform == "darwin"
IS_LINUX = sys.platform.startswith("linux")
IS_ARM64 = platform.machine() in ("arm64", "aarch64")
IS_X86 = platform.machine() in ("x86_64", "i386", "AMD64")
IS_CI = bool(os.environ.get("CI"))
TEST_WITH_ROCM = False
TEST_WITH_TORCHDYNAMO = False
TEST_WITH_ASAN = False
TEST_WITH_SLOW = False
TEST_CUDA = False
TEST_MKL = False
TEST_NUMPY = True

# Relative and absolute tolerances by dtype, as PyTorch's assert_close has them.
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def _name(dtype):
    return str(dtype).rpartition(".")[2]


def _tolerance(dtypes, rtol, atol):
    default = [max(pair) for pair in zip(*(_TOLERANCES.get(_name(d), (0.0, 0.0)) for d in dtypes), strict=True)]
    return (default[0] if rtol is None else rtol), (default[1] if atol is None else atol)


def _array(tensor):
    """The values of a tensor as a NumPy array of a dtype that comparisons know."""
    tensor = tensor.detach()
    name = _name(tensor.dtype)
    if name in ("float16", "bfloat16") or name.startswith("float8"):
        tensor = tensor.to(runtime.float32)
    elif name == "complex32":
        tensor = tensor.to(runtime.complex64)
    return np.asarray(tensor.numpy())


class TestCase(unittest.TestCase):
    """unittest's TestCase with comparisons of tensors, and of numbers and containers that hold them, within tolerances."""

    precision = 0
    rel_tol = 0
    longMessage = True
    maxDiff = None

    def assertEqual(
        self, x, y, msg=None, *, atol=None, rtol=None, equal_nan=True, exact_dtype=True, exact_device=False, exact_stride=False, **options
    ):
        """Assert that two values are equal, tensors and floats within tolerances.

        Parameters
        ----------
        x, y : object
            Tensors, numbers, containers of them, or anything with ``==``.
        msg : str or callable, optional
            A message, or a function of the default message.
        atol, rtol : float, optional
            Tolerances; both or neither. The defaults depend on the dtypes.
        equal_nan : bool
            Whether NaNs are equal.
        exact_dtype, exact_device, exact_stride : bool
            Whether tensors must agree in these too.
        """
        if (atol is None) != (rtol is None):
            raise ValueError("assertEqual takes both atol and rtol, or neither")
        how = dict(atol=atol, rtol=rtol, equal_nan=equal_nan, exact_dtype=exact_dtype, exact_device=exact_device, exact_stride=exact_stride)
        reason = self._difference(x, y, how, "")
        if reason is not None:
            raise self.failureException(msg(reason) if callable(msg) else self._formatMessage(msg, reason))

    def assertNotEqual(self, x, y, msg=None, *, atol=None, rtol=None, **options):
        """Assert that two values are not equal in the sense of `assertEqual`."""
        try:
            self.assertEqual(x, y, msg, atol=atol, rtol=rtol, **options)
        except AssertionError:
            return
        raise self.failureException(self._formatMessage(msg, f"{x!r} equals {y!r}"))

    def _difference(self, x, y, how, where):
        if isinstance(x, runtime.Tensor) or isinstance(y, runtime.Tensor):
            return self._tensor_difference(x, y, how, where)
        if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
            return self._array_difference(np.asarray(x), np.asarray(y), how, where)
        if isinstance(x, str) or isinstance(y, str):
            return None if x == y else f"Expected {y!r} but got {x!r}{where}"
        if isinstance(x, Mapping) and isinstance(y, Mapping):
            if set(x) != set(y):
                return f"The keys of the mappings do not match{where}: {sorted(map(str, x))} and {sorted(map(str, y))}"
            return self._first(self._difference(x[k], y[k], how, f"{where}[{k!r}]") for k in x)
        if isinstance(x, Set) and isinstance(y, Set):
            return None if x == y else f"Expected {y!r} but got {x!r}{where}"
        if isinstance(x, Sequence) and isinstance(y, Sequence):
            if len(x) != len(y):
                return f"The length of the sequences mismatch{where}: {len(x)} != {len(y)}"
            return self._first(self._difference(a, b, how, f"{where}[{i}]") for i, (a, b) in enumerate(zip(x, y, strict=True)))
        if isinstance(x, (int, float, complex)) and isinstance(y, (int, float, complex)):
            if isinstance(x, bool) != isinstance(y, bool):
                return f"Expected {y!r} but got {x!r}{where}"
            kinds = ["float64" if isinstance(v, float) else "complex128" if isinstance(v, complex) else "int64" for v in (x, y)]
            rtol, atol = _tolerance(kinds, how["rtol"], how["atol"])
            same = x == y or (x != x and y != y and how["equal_nan"]) or abs(x - y) <= atol + rtol * abs(y)
            return None if same else f"Scalars are not close{where}: expected {y!r} but got {x!r}"
        return None if x == y else f"Expected {y!r} but got {x!r}{where}"

    @staticmethod
    def _first(reasons):
        return next((r for r in reasons if r is not None), None)

    def _tensor_difference(self, x, y, how, where):
        given = [v for v in (x, y) if isinstance(v, runtime.Tensor)]
        if len(given) == 1:
            other = y if given[0] is x else x
            if not isinstance(other, (int, float, complex, list, tuple, np.ndarray)):
                return f"Expected {y!r} but got {x!r}{where}"
            return self._array_difference(
                _array(x) if given[0] is x else np.asarray(x), np.asarray(y) if given[0] is x else _array(y), how, where
            )
        if x.shape != y.shape:
            return f"The shapes of the tensors do not match{where}: {tuple(x.shape)} != {tuple(y.shape)}"
        if how["exact_dtype"] and x.dtype != y.dtype:
            return f"The values for attribute 'dtype' do not match{where}: {x.dtype} != {y.dtype}."
        if how["exact_device"] and x.device != y.device:
            return f"The values for attribute 'device' do not match{where}: {x.device} != {y.device}."
        if how["exact_stride"] and x.stride() != y.stride():
            return f"The values for attribute 'stride()' do not match{where}: {x.stride()} != {y.stride()}."
        if x.is_meta or y.is_meta:
            return None if x.is_meta and y.is_meta else f"One tensor is on the meta device{where}"
        rtol, atol = _tolerance([x.dtype, y.dtype], how["rtol"], how["atol"])
        return self._array_difference(_array(x), _array(y), {**how, "rtol": rtol, "atol": atol}, where)

    @staticmethod
    def _array_difference(x, y, how, where):
        if x.shape != y.shape:
            return f"The shapes do not match{where}: {x.shape} != {y.shape}"
        if x.dtype.kind not in "fc" and y.dtype.kind not in "fc" and not how["atol"]:
            wrong = np.asarray(x != y)
        else:
            rtol, atol = _tolerance([x.dtype, y.dtype], how["rtol"], how["atol"])
            wrong = ~np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=how["equal_nan"])
        count = int(np.count_nonzero(wrong))
        if count == 0:
            return None
        index = tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.ndim else ()
        return (
            f"Tensor-likes are not close{where}!\n\nMismatched elements: {count} / {wrong.size}\n"
            f"First at index {index}: {x[index]!r} and {y[index]!r}"
        )

    def assertExpectedInline(self, actual, expect, skip=0):
        """Assert that a text equals the expected one that stands in the test's source; see the expecttest package."""
        try:
            import expecttest
        except ImportError:
            self.skipTest("assertExpectedInline needs the expecttest package")
        expecttest.TestCase.assertExpectedInline(self, actual, expect, skip + 1)

    def assertExpectedRaisesInline(self, exception, function, expect, *args, skip=0, **kwargs):
        """Assert that a call raises, with the expected text in the test's source."""
        with self.assertRaises(exception) as caught:
            function(*args, **kwargs)
        self.assertExpectedInline(str(caught.exception), expect, skip=skip + 1)


def run_tests(argv=None):
    """Run the tests of the main module."""
    unittest.main(argv=argv or sys.argv[:1])


def first_sample(test, samples):
    """The first of an iterable of samples; the test is skipped where there is none."""
    for sample in samples:
        return sample
    raise unittest.SkipTest("there is no sample")


class subtest:
    """One case of `parametrize`: its arguments, and optionally a name and decorators."""

    def __init__(self, arg_values, name=None, decorators=None):
        self.arg_values, self.name, self.decorators = arg_values, name, decorators or []


def _case_name(value, index):
    if isinstance(value, (bool, int, float, str, type(None))):
        return str(value).replace(".", "_").replace("-", "_")
    return getattr(value, "__name__", None) or str(index)


class parametrize:
    """Run a test once for each of a list of arguments.

    Parameters
    ----------
    arg_str : str
        Names of arguments, separated by commas.
    arg_values : iterable
        Values (tuples of values for several names), or `subtest` objects.
    name_fn : callable, optional
        Makes a case's name from its arguments.

    Notes
    -----
    The test's class must be passed to `instantiate_parametrized_tests` or `instantiate_device_type_tests`.
    """

    def __init__(self, arg_str, arg_values, name_fn=None):
        self.names = [n.strip() for n in arg_str.split(",") if n.strip()]
        self.values = arg_values
        self.name_fn = name_fn

    def __call__(self, function):
        function.parametrizations = [*getattr(function, "parametrizations", ()), self]
        return function

    def cases(self):
        """(name, keyword arguments, decorators) of each case."""
        for index, value in enumerate(self.values):
            name, decorators = None, []
            if isinstance(value, subtest):
                name, decorators, value = value.name, value.decorators, value.arg_values
            arguments = (value,) if len(self.names) == 1 else tuple(value)
            if len(arguments) != len(self.names):
                raise RuntimeError(f"parametrize: {len(self.names)} names but {len(arguments)} values: {arguments!r}")
            if name is None:
                name = self.name_fn(*arguments) if self.name_fn else "_".join(
                    f"{n}_{_case_name(v, index)}" for n, v in zip(self.names, arguments, strict=True)
                )
            yield name, dict(zip(self.names, arguments, strict=True)), decorators


def expand(function):
    """The cases of a test with all its parametrizations: (suffix of the name, keyword arguments, decorators)."""
    cases = [("", {}, [])]
    for parametrization in reversed(getattr(function, "parametrizations", [])):
        cases = [
            (f"{suffix}_{name}", {**arguments, **more}, [*decorators, *extra])
            for suffix, arguments, decorators in cases
            for name, more, extra in parametrization.cases()
        ]
    return cases


def bind_case(function, arguments, decorators, name):
    """A test method with arguments filled in."""

    @functools.wraps(function)
    def test(self, *args, **kwargs):
        return function(self, *args, **arguments, **kwargs)

    test.__name__ = name
    del test.__wrapped__
    for decorator in decorators:
        test = decorator(test)
    return test


def instantiate_parametrized_tests(cls):
    """Replace a class's parametrized tests by one test for each case; returns the class."""
    for name, function in list(vars(cls).items()):
        if name.startswith("test") and getattr(function, "parametrizations", None):
            delattr(cls, name)
            for suffix, arguments, decorators in expand(function):
                setattr(cls, name + suffix, bind_case(function, arguments, decorators, name + suffix))
    return cls


def _keep(function):
    return function


def skipIfRocm(function=None, *, msg=None):
    """A test that ROCm cannot run: here it always runs."""
    return _keep if function is None else function


def skipIfTorchDynamo(msg=""):
    """A test that graph capture by bytecode cannot run: here it always runs."""
    return _keep


def skipIfCrossRef(function):
    """A test that a cross-reference run cannot run: here it always runs."""
    return function


def xfailIfTorchDynamo(function):
    """A test that fails under graph capture by bytecode: here it must pass."""
    return function


def slowTest(function):
    """A test that only slow runs execute."""
    return unittest.skipUnless(TEST_WITH_SLOW, "slow test")(function)


def skipIf(condition, reason):
    """Skip a test where a condition holds."""
    return unittest.skipIf(condition, reason)


def xfail_inherited_tests(names):
    """Mark inherited tests of a class as expected failures."""

    def decorate(cls):
        for name in names:
            inherited = getattr(cls, name)
            setattr(cls, name, unittest.expectedFailure(functools.wraps(inherited)(lambda self, _f=inherited: _f(self))))
        return cls

    return decorate

