"""DLPack under PyTorch's names: tensors as capsules, capsules as tensors, and the numbers of DLPack's device types."""

import enum

from runtime._core import from_dlpack, to_dlpack

__all__ = ["DLDeviceType", "from_dlpack", "to_dlpack"]


def _to_dlpack_versioned(data, *, dl_device=None, copy=None):
    """A DLPack capsule of a tensor, in the form with a version."""
    return data.__dlpack__(max_version=(1, 0), dl_device=dl_device, copy=copy)


class DLDeviceType(enum.IntEnum):
    """The device types of DLPack's specification."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17
