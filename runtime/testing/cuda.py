"""What tests ask about CUDA devices."""

import contextlib

from runtime.cuda import device_count, is_available

TEST_CUDA = is_available()
TEST_MULTIGPU = device_count() > 1
TEST_CUDNN = False
CUDA_DEVICE = None
SM53OrLater = SM60OrLater = SM70OrLater = SM75OrLater = SM80OrLater = SM90OrLater = False
PLATFORM_SUPPORTS_FUSED_ATTENTION = PLATFORM_SUPPORTS_FLASH_ATTENTION = PLATFORM_SUPPORTS_MEM_EFF_ATTENTION = False


def _get_torch_cuda_version():
    """The version of CUDA that the runtime is built for: (0, 0) for none."""
    return 0, 0


def tf32_on_and_off(tf32_precision=1e-5, *, only_if=True):
    """Decorate a test that runs with and without the shorter products of NVIDIA's GPUs: it runs once."""
    return lambda function: function


def with_tf32_off(function):
    """Decorate a test that runs without these products."""
    return function


def _get_torch_rocm_version():
    """The version of ROCm that the runtime is built for: (0, 0) for none."""
    return 0, 0


@contextlib.contextmanager
def tf32_off():
    """For a ``with`` block: without the shorter products."""
    yield


@contextlib.contextmanager
def tf32_on(self, tf32_precision=1e-5):
    """For a ``with`` block: with the shorter products, where a test's precision is less."""
    before, self.precision = self.precision, tf32_precision
    try:
        yield
    finally:
        self.precision = before
