"""How this runtime was built and runs, as text: what PyTorch has in `torch.__config__`."""

import platform
import sysconfig

import numpy as np

import runtime

__all__ = ["parallel_info", "show"]


def show():
    """What this runtime is, and what it was built with and for."""
    return "\n".join(
        (
            f"redispatch {runtime.__version__} built with:",
            f"  - {sysconfig.get_config_var('CC') or 'an unknown C compiler'}",
            f"  - {platform.python_implementation()} {platform.python_version()}, NumPy {np.__version__}",
            f"  - {platform.system()} {platform.machine()}",
            "",
        )
    )


def parallel_info():
    """How many threads the kernels use."""
    return f"Threads:\n\truntime.get_num_threads() : {runtime.get_num_threads()}\n"


def _cxx_flags():
    """The flags that the C compiler of this Python gets."""
    return sysconfig.get_config_var("CFLAGS") or ""
