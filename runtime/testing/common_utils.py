"""`TestCase`, and what tests written for PyTorch's test utilities import beside it: flags, skips, small contexts.

Decorators for platforms that cannot occur here (ROCm, graph capture by bytecode) leave tests as they are.
"""

import functools
import gc
import inspect
import io
import os
import platform
import random
import re
import sys
import tempfile
import time
import types
import unittest
import warnings
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from unittest.mock import MagicMock

import numpy as np

import runtime
from runtime import settings, storage
from runtime.cuda import device_count, is_available
from runtime.testing.comparison import Rules, dtype_name, find_difference
from runtime.testing.linear_algebra import (
    make_fullrank_matrices_with_distinct_singular_values,
    random_square_matrix_of_rank,
    random_symmetric_matrix,
    random_symmetric_psd_matrix,
)
from runtime.testing.parametrization import instantiate_parametrized_tests, parametrize, subtest

IS_LINUX = sys.platform == "linux"
IS_WINDOWS = sys.platform == "win32"
IS_MACOS = sys.platform == "darwin"
IS_PPC = platform.machine() == "ppc64le"
IS_X86 = platform.machine() in ("x86_64", "i386")
IS_ARM64 = platform.machine() in ("arm64", "aarch64", "ARM64")
IS_S390X = platform.machine() == "s390x"
IS_CI = bool(os.environ.get("CI"))
IS_FBCODE = IS_SANDCASTLE = IS_REMOTE_GPU = IS_JETSON = False

IS_FILESYSTEM_UTF8_ENCODING = sys.getfilesystemencoding() == "utf-8"
NO_MULTIPROCESSING_SPAWN = False

TEST_NUMPY = True
TEST_DILL = find_spec("dill") is not None
TEST_SCIPY = find_spec("scipy") is not None
TEST_NUMBA = find_spec("numba") is not None
TEST_CUDA = is_available()
TEST_MULTIGPU = device_count() > 1
TEST_MKL = TEST_ONEDNN = TEST_MPS = TEST_XPU = TEST_HPU = TEST_CUDA_GRAPH = False
TEST_WITH_ROCM = TEST_WITH_ASAN = TEST_WITH_TSAN = TEST_WITH_UBSAN = TEST_WITH_CROSSREF = False
TEST_WITH_TORCHDYNAMO = TEST_WITH_TORCHINDUCTOR = TEST_WITH_AOT_EAGER = False
TEST_WITH_SLOW = os.environ.get("PYTORCH_TEST_WITH_SLOW", "0") == "1"
TEST_WITH_SLOW_GRADCHECK = os.environ.get("PYTORCH_TEST_WITH_SLOW_GRADCHECK", "0") == "1"
TEST_SKIP_FAST = os.environ.get("PYTORCH_TEST_SKIP_FAST", "0") == "1"
TEST_ACCELERATOR = TEST_PRIVATEUSE1 = False

SEED = 1234
GRADCHECK_NONDET_TOL = 0.0
MI300_ARCH = ("gfx940", "gfx941", "gfx942")
dtype2prec_DONTUSE = {runtime.float: 1e-5, runtime.double: 1e-5, runtime.half: 1e-2, runtime.bfloat16: 1e-1}

torch_to_numpy_dtype_dict = {
    getattr(runtime, name): np.dtype(name)
    for name in (
        "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
        "float16", "float32", "float64", "complex64", "complex128",
    )
}  # fmt: skip
numpy_to_torch_dtype_dict = {array_dtype.type: dtype for dtype, array_dtype in torch_to_numpy_dtype_dict.items()}


#: Architectures of GPUs that tests name.
MI200_ARCH = ("gfx90a",)


def set_rng_seed(seed=None):
    """Seed the generators of the runtime, NumPy and Python."""
    seed = SEED if seed is None else seed
    runtime.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


class NoTest:
    """A class whose tests are not collected: the base of those that other classes derive from."""

    __test__ = False


class TestCase(unittest.TestCase):
    """unittest's TestCase with comparisons of tensors, and of numbers and containers that hold them, within tolerances.

    Random numbers start from one seed in every test. `precision` and `rel_tol` are the least absolute and relative tolerances.
    """

    precision = 0
    rel_tol = 0
    longMessage = True
    maxDiff = None

    def setUp(self):
        """Seed the random generators."""
        set_rng_seed()

    def assertEqual(
        self, x, y, msg=None, *, atol=None, rtol=None, equal_nan=True, exact_dtype=True, exact_device=False, exact_layout=False,
        exact_stride=False,
    ):  # fmt: skip
        """Assert that two values are equal, tensors and numbers within tolerances.

        Parameters
        ----------
        x, y : object
            Tensors, arrays, numbers, containers of them, or anything with ``==``. A sequence beside a tensor becomes a tensor.
        msg : str or callable, optional
            Text that follows the generated message, or a function of it.
        atol, rtol : float, optional
            Tolerances, both or neither. The defaults depend on the dtypes.
        equal_nan : bool
            Whether NaNs are equal.
        exact_dtype, exact_device, exact_layout, exact_stride : bool
            Whether tensors must agree in these too.
        """
        # A traceback that pytest prints should end at the test's own line.
        __tracebackhide__ = True
        x, y = _tensor_beside(x, y), _tensor_beside(y, x)
        rules = Rules(
            True, rtol, atol, equal_nan, check_dtype=exact_dtype, check_device=exact_device, check_layout=exact_layout,
            check_stride=exact_stride, least_rtol=self.rel_tol, least_atol=self.precision,
        )  # fmt: skip
        difference = find_difference(x, y, rules)
        if difference is None:
            return
        if isinstance(msg, str) and self.longMessage:
            difference = f"{difference}\n{msg}"
        elif msg is not None:
            difference = msg(difference) if callable(msg) else msg
        raise self.failureException(difference)

    def assertNotEqual(self, x, y, msg=None, *, atol=None, rtol=None, **options):
        """Assert that two values are not equal in the sense of `assertEqual`."""
        with self.assertRaises(AssertionError, msg=msg):
            self.assertEqual(x, y, msg, atol=atol, rtol=rtol, **options)

    def assertObjectIn(self, obj, iterable):
        """Assert that an iterable has this very object."""
        if not any(obj is element for element in iterable):
            raise self.failureException("object not found in iterable")

    @contextmanager
    def _assert_no_warning(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        if caught:
            raise self.failureException(f"there was a warning: {caught[0].message}")

    def assertNotWarn(self, callable=None, msg=""):
        """Assert that a call, or the block without one, warns about nothing."""
        if callable is None:
            return self._assert_no_warning()
        with self._assert_no_warning():
            callable()
        return None

    @contextmanager
    def assertWarnsOnceRegex(self, category, regex=""):
        """Assert that the block warns, as often as it likes, with texts that a pattern matches."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        texts = [str(one.message) for one in caught if issubclass(one.category, category)]
        if not texts:
            raise self.failureException(f"there was no {category.__name__}")
        if not any(re.search(regex, text) for text in texts):
            raise self.failureException(f"no {category.__name__} matches {regex!r}: {texts}")

    def assertLeaksNoCudaTensors(self, name=None):
        """A context that asserts nothing: there are no CUDA tensors."""
        return nullcontext()

    def assertExpectedInline(self, actual, expect, skip=0):
        """Assert that a text equals the one in the test's source.

        The expecttest package compares, and rewrites the source when EXPECTTEST_ACCEPT=1 is set; the test is skipped where it is not
        installed.
        """
        try:
            import expecttest
        except ImportError:
            self.skipTest("assertExpectedInline needs the expecttest package")
        expecttest.assert_expected_inline(actual, expect, skip=skip + 1, assert_eq=self.assertMultiLineEqual, debug_id=self.id())

    def assertExpectedRaisesInline(self, exception, function, expect, *args, skip=0, **kwargs):
        """Assert that a call raises, with a text that equals the one in the test's source."""
        with self.assertRaises(exception) as caught:
            function(*args, **kwargs)
        self.assertExpectedInline(str(caught.exception), expect, skip=skip + 1)


TestCaseBase = TestCase


def _tensor_beside(value, other):
    """A sequence as the tensor that it is compared with; other values unchanged."""
    if isinstance(other, runtime.Tensor) and isinstance(value, (list, tuple, range)):
        return runtime.as_tensor(value, dtype=other.dtype, device=other.device)
    return value


def run_tests(argv=None):
    """Run the tests of the main module, as its command line says."""
    unittest.main(argv=sys.argv if argv is None else argv)


def first_sample(self, samples):
    """The first of some samples; the test `self` is skipped where there is none."""
    for sample in samples:
        return sample
    raise unittest.SkipTest("Skipped! Need at least 1 sample input")


@contextmanager
def freeze_rng_state():
    """Leave the state of the runtime's generator as it was before the block."""
    state = runtime.default_generator.get_state()
    try:
        yield
    finally:
        runtime.default_generator.set_state(state)


@contextmanager
def set_default_dtype(dtype):
    """Have a default dtype inside the block."""
    before = runtime.get_default_dtype()
    runtime.set_default_dtype(dtype)
    try:
        yield
    finally:
        runtime.set_default_dtype(before)


@contextmanager
def disable_gc():
    """Collect no cycles inside the block."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def set_warn_always_context(new_val):
    """Have `set_warn_always` told something inside the block."""
    before = settings.is_warn_always_enabled()
    settings.set_warn_always(new_val)
    try:
        yield
    finally:
        settings.set_warn_always(before)


class DeterministicGuard:
    """For a ``with`` block: have `use_deterministic_algorithms` told something."""

    def __init__(self, deterministic, *, warn_only=False, fill_uninitialized_memory=True):
        self.setting = deterministic, warn_only

    def __enter__(self):
        self.before = settings.are_deterministic_algorithms_enabled(), settings.is_deterministic_algorithms_warn_only_enabled()
        settings.use_deterministic_algorithms(self.setting[0], warn_only=self.setting[1])

    def __exit__(self, *exception):
        settings.use_deterministic_algorithms(self.before[0], warn_only=self.before[1])


@contextmanager
def set_default_tensor_type(tensor_type):
    """Have the dtype of a tensor type as default inside the block."""
    with set_default_dtype(tensor_type if isinstance(tensor_type, runtime.dtype) else tensor_type.dtype):
        yield


@contextmanager
def TemporaryFileName(*args, **kwargs):
    """The name of a file that is gone at the end of the block."""
    with tempfile.NamedTemporaryFile(*args, **{**kwargs, "delete": False}) as file:
        name = file.name
    try:
        yield name
    finally:
        os.unlink(name)


@contextmanager
def TemporaryDirectoryName(suffix=None):
    """The name of a folder that is gone at the end of the block."""
    with tempfile.TemporaryDirectory(suffix=suffix) as name:
        yield name


def gradcheck(fn, inputs, **kwargs):
    """`runtime.autograd.gradcheck` in its fast mode and with batched gradients, unless the caller says otherwise."""
    return runtime.autograd.gradcheck(fn, inputs, **_gradcheck_options(kwargs))


def gradgradcheck(fn, inputs, grad_outputs=None, **kwargs):
    """`runtime.autograd.gradgradcheck` in its fast mode and with batched gradients, unless the caller says otherwise."""
    return runtime.autograd.gradgradcheck(fn, inputs, grad_outputs, **_gradcheck_options(kwargs))


def _gradcheck_options(given):
    defaults = {"check_batched_grad": True, "fast_mode": not TEST_WITH_SLOW_GRADCHECK}
    return {**given, **{name: default for name, default in defaults.items() if given.get(name) is None}}


def is_iterable_of_tensors(iterable, include_empty=False):
    """Whether an object is an iterable, but no tensor, of tensors only; an empty one if asked for."""
    if isinstance(iterable, runtime.Tensor):
        return False
    try:
        items = list(iterable)
    except TypeError:
        return False
    return all(isinstance(item, runtime.Tensor) for item in items) if items else include_empty


def noncontiguous_like(t):
    """A tensor with the values of another one, and gaps between them; itself if it has gaps."""
    if not t.is_contiguous():
        return t
    gap = True if t.dtype == runtime.bool else float("nan") if t.dtype.is_floating_point or t.dtype.is_complex else 12
    wide = t.new_full((*t.shape, 2), gap)
    wide[..., 0] = t.detach()
    return wide[..., 0].requires_grad_(t.requires_grad)


def retry(ExceptionToCheck, tries=3, delay=3, skip_after_retries=False):
    """Decorate a test that may fail by chance: it runs up to `tries` times, and is skipped at the end if asked for."""

    def decorate(fn):
        @functools.wraps(fn)
        def run(*args, **kwargs):
            for left in range(tries - 1, -1, -1):
                try:
                    return fn(*args, **kwargs)
                except ExceptionToCheck as error:
                    if left == 0 and skip_after_retries:
                        raise unittest.SkipTest(f"it failed {tries} times: {error}") from error
                    if left == 0:
                        raise
                    time.sleep(delay)
            return None

        return run

    return decorate


def scoped_load_inline(fn):
    """Skip a test that compiles C++ code written against PyTorch's headers."""
    return unittest.skip("the test compiles against PyTorch's C++ headers")(fn)


def suppress_warnings(fn):
    """Let a function warn without a trace."""

    @functools.wraps(fn)
    def quiet(*args, **kwargs):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fn(*args, **kwargs)

    return quiet


def _unchanged(function):
    return function


def _optional_argument(condition, reason="the platform cannot run this test"):
    """A decorator for use with and without arguments, which skips under a condition."""

    def decorator(func=None, *, msg=reason):
        decorate = unittest.skipIf(condition, msg)
        return decorate if func is None else decorate(func)

    return decorator


skipIfRocm = _optional_argument(TEST_WITH_ROCM)
skipIfWindows = _optional_argument(IS_WINDOWS)
skipIfXpu = _optional_argument(TEST_XPU)
skipIfHpu = _optional_argument(TEST_HPU)
skipIfMPS = _optional_argument(TEST_MPS)
skipIfCrossRef = _optional_argument(TEST_WITH_CROSSREF)


def skipIfTorchDynamo(msg="the test does not run under graph capture by bytecode"):
    """Skip a test, or all of a class, under graph capture by bytecode."""
    return unittest.skipIf(TEST_WITH_TORCHDYNAMO, msg)


def skipIfTorchInductor(msg="the test does not run with compiled kernels", condition=TEST_WITH_TORCHINDUCTOR):
    """Skip a test, or all of a class, in runs that compile kernels."""
    return unittest.skipIf(condition, msg)


def _for_another_system(fn):
    """A decorator of tests for hardware or systems that cannot be here: the test as it is."""
    return fn


skipIfLegacyJitExecutor = _optional_argument(False)
skipIfWindowsXPU = _optional_argument(False)
runOnRocm = _optional_argument(True, "the test runs on ROCm only")
skipIfNoXNNPACK = unittest.skip("the test needs XNNPACK")
skipIfNoLapack = recover_orig_fp32_precision = unMarkDynamoStrictTest = _for_another_system


def skipIfSlowGradcheckEnv(fn):
    """Skip a test, or all of a class, in runs of the slow mode of gradcheck."""
    return unittest.skipIf(TEST_WITH_SLOW_GRADCHECK, "the test does not run in the slow mode of gradcheck")(fn)


def skipCUDAMemoryLeakCheckIf(condition):
    """Mark a test whose memory on CUDA devices is not looked at; none is."""
    return _unchanged


skipCUDANonDefaultStreamIf = skipCUDAMemoryLeakCheckIf


def isRocmArchAnyOf(arch):
    """False: there is no ROCm."""
    return False


def getRocmVersion():
    """The version of ROCm: (0, 0) for none."""
    return 0, 0


def bytes_to_scalar(byte_list, dtype, device):
    """The tensor with one element that has some bytes."""
    return runtime.tensor(byte_list, dtype=runtime.uint8, device=device).view(dtype).reshape(())


def load_tests(loader, tests, pattern):
    """What unittest calls to collect a module's tests: all of them."""
    return tests


def skipIfNoSciPy(fn):
    """Skip a test where SciPy is missing."""
    return unittest.skipUnless(TEST_SCIPY, "test require SciPy, but SciPy not found")(fn)


def skipIfNoDill(fn):
    """Skip a test where dill is missing."""
    return unittest.skipUnless(TEST_DILL, "no dill")(fn)


class BytesIOContext(io.BytesIO):
    """A buffer that stays open at the end of a `with` block."""

    def __exit__(self, *args):
        pass


class AlwaysWarnTypedStorageRemoval:
    """Within it, typed storages warn at each use that they are deprecated, or, with False, once.

    Parameters
    ----------
    always_warn : bool
    """

    def __init__(self, always_warn):
        if not isinstance(always_warn, bool):
            raise AssertionError(f"always_warn must be bool, got {type(always_warn)}")
        self.always_warn = always_warn

    def __enter__(self):
        self.before = storage._get_always_warn_typed_storage_removal()
        storage._set_always_warn_typed_storage_removal(self.always_warn)

    def __exit__(self, *args):
        storage._set_always_warn_typed_storage_removal(self.before)


def _assertGradAndGradgradChecks(test_case, apply_fn, inputs, **kwargs):
    """Check first and second derivatives."""
    test_case.assertTrue(gradcheck(apply_fn, inputs, **kwargs))
    test_case.assertTrue(gradgradcheck(apply_fn, inputs, **kwargs))


def get_tensors_from(args, kwargs):
    """The tensors among the arguments of a call, as a set."""
    return {arg for arg in (*args, *kwargs.values()) if isinstance(arg, runtime.Tensor)}


def mock_wrapper(method):
    """A method that counts its calls: `wrapper.mock` is called with the same arguments."""
    mock = MagicMock()

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        mock(*args, **kwargs)
        return method(self, *args, **kwargs)

    wrapper.mock = mock
    return wrapper


def download_file(url, binary=True):
    """Skip the test: files of the network are not fetched."""
    raise unittest.SkipTest(f"the test needs the file {url}")


def get_function_arglist(func):
    """The names of a function's arguments."""
    return list(inspect.signature(func).parameters)


def gcIfJetson(fn):
    """A test as it is: it needs no collection of garbage before it."""
    return fn


def skipIfRocmArch(arch):
    """Skip a test on some processors of ROCm: it runs."""
    return _unchanged


def wrapSwapTensorsTest(swap=None):
    """Decorate a test that runs as parameters are converted by default."""
    return _unchanged


def xfailIf(condition):
    """Expect a test to fail under a condition."""
    return unittest.expectedFailure if condition else _unchanged


xfailIfTorchDynamo = xfailIf(TEST_WITH_TORCHDYNAMO)
xfailIfS390X = xfailIf(IS_S390X)
xfailIfWindows = xfailIf(IS_WINDOWS)
xfailIfLinux = xfailIf(IS_LINUX)


def slowTestIf(condition):
    """Run a test only in slow runs (PYTORCH_TEST_WITH_SLOW=1), under a condition."""
    return unittest.skipIf(condition and not TEST_WITH_SLOW, "test is slow; run with PYTORCH_TEST_WITH_SLOW to enable test")


slowTest = slowTestIf(True)


def serialTest(condition=True):
    """Mark a test that runs alone; tests of one process do so anyway."""
    return _unchanged


def markDynamoStrictTest(cls_or_func=None, nopython=False):
    """Mark a test for graph capture by bytecode."""
    return _unchanged if cls_or_func is None else cls_or_func


def xfail_inherited_tests(tests):
    """Expect inherited tests of a class, given by name, to fail."""

    def decorate(cls):
        for name in tests:
            inherited = getattr(cls, name)
            # expectedFailure marks the function itself, which the base class keeps using.
            copy = types.FunctionType(inherited.__code__, inherited.__globals__, name, inherited.__defaults__, inherited.__closure__)
            copy.__kwdefaults__ = inherited.__kwdefaults__
            copy.__dict__.update(inherited.__dict__)
            setattr(cls, name, unittest.expectedFailure(copy))
        return cls

    return decorate


__all__ = [
    "AlwaysWarnTypedStorageRemoval", "BytesIOContext", "DeterministicGuard", "MI200_ARCH", "NO_MULTIPROCESSING_SPAWN", "NoTest", "SEED",
    "TemporaryDirectoryName", "TemporaryFileName", "TestCase", "TestCaseBase", "bytes_to_scalar", "disable_gc", "download_file", "dtype_name",
    "first_sample", "freeze_rng_state", "getRocmVersion", "gradcheck", "gradgradcheck", "instantiate_parametrized_tests", "isRocmArchAnyOf",
    "is_iterable_of_tensors", "load_tests", "make_fullrank_matrices_with_distinct_singular_values", "markDynamoStrictTest", "noncontiguous_like",
    "numpy_to_torch_dtype_dict", "parametrize", "random_square_matrix_of_rank", "random_symmetric_matrix", "random_symmetric_psd_matrix",
    "recover_orig_fp32_precision", "retry", "runOnRocm", "run_tests", "scoped_load_inline", "serialTest", "set_default_dtype",
    "set_default_tensor_type", "set_rng_seed", "set_warn_always_context", "skipCUDAMemoryLeakCheckIf", "skipCUDANonDefaultStreamIf",
    "skipIfCrossRef", "skipIfHpu", "skipIfLegacyJitExecutor", "skipIfMPS", "skipIfNoDill", "skipIfNoLapack", "skipIfNoSciPy", "skipIfNoXNNPACK",
    "skipIfRocm", "skipIfSlowGradcheckEnv", "skipIfTorchDynamo", "skipIfTorchInductor", "skipIfWindows", "skipIfWindowsXPU", "skipIfXpu",
    "slowTest", "slowTestIf", "subtest", "suppress_warnings", "torch_to_numpy_dtype_dict", "unMarkDynamoStrictTest", "xfailIf", "xfailIfLinux",
    "xfailIfS390X", "xfailIfTorchDynamo", "xfailIfWindows", "xfail_inherited_tests",


    "GRADCHECK_NONDET_TOL", "MI300_ARCH", "download_file", "dtype2prec_DONTUSE", "get_tensors_from", "mock_wrapper",
    "gcIfJetson", "get_function_arglist", "skipIfRocmArch", "wrapSwapTensorsTest",
    "DeterministicGuard", "MI200_ARCH", "NoTest", "SEED", "TemporaryDirectoryName", "TemporaryFileName", "TestCase", "TestCaseBase",
    "bytes_to_scalar", "disable_gc", "dtype_name", "first_sample", "freeze_rng_state", "getRocmVersion", "gradcheck", "gradgradcheck",
    "instantiate_parametrized_tests", "isRocmArchAnyOf", "is_iterable_of_tensors", "load_tests",
    "make_fullrank_matrices_with_distinct_singular_values", "markDynamoStrictTest", "noncontiguous_like", "numpy_to_torch_dtype_dict",
    "parametrize", "random_square_matrix_of_rank", "random_symmetric_matrix", "random_symmetric_psd_matrix", "recover_orig_fp32_precision",
    "retry", "runOnRocm", "run_tests", "scoped_load_inline", "serialTest", "set_default_dtype", "set_default_tensor_type", "set_rng_seed",
    "set_warn_always_context", "skipCUDAMemoryLeakCheckIf", "skipCUDANonDefaultStreamIf", "skipIfCrossRef", "skipIfHpu",
    "skipIfLegacyJitExecutor", "skipIfMPS", "skipIfNoLapack", "skipIfNoSciPy", "skipIfNoXNNPACK", "skipIfRocm", "skipIfSlowGradcheckEnv",
    "skipIfTorchDynamo", "skipIfTorchInductor", "skipIfWindows", "skipIfWindowsXPU", "skipIfXpu", "slowTest", "slowTestIf", "subtest",
    "suppress_warnings", "torch_to_numpy_dtype_dict", "unMarkDynamoStrictTest", "xfailIf", "xfailIfLinux", "xfailIfS390X",
    "xfailIfTorchDynamo", "xfailIfWindows", "xfail_inherited_tests",
    *sorted(name for name in dict(globals()) if name.startswith(("IS_", "TEST_"))),
]  # fmt: skip
