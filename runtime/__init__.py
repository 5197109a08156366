"""PyTorch's extension machinery as a small runtime on NumPy and CuPy arrays.

Operators with one kernel table each, dispatch keys, thread-local key sets and guards, redispatch, libraries and tensors. The compiled
core is `runtime._core`; names of PyTorch's that have no better place are reachable through `runtime.compat`.
"""

from runtime import _core, functional
from runtime._core import (
    DispatchKey,
    DispatchKeySet,
    Generator,
    Library,
    Size,
    Tag,
    Tensor,
    TorchDispatchMode,
    TypedKernel,
    UntypedStorage,
    as_tensor,
    default_generator,
    device,
    dtype,
    enable_grad,
    fallthrough_kernel,
    finfo,
    from_dlpack,
    from_numpy,
    frombuffer,
    get_default_dtype,
    get_num_threads,
    iinfo,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    layout,
    manual_seed,
    memory_format,
    no_grad,
    ops,
    qscheme,
    register_array_type,
    set_default_dtype,
    set_grad_enabled,
    set_num_threads,
    tensor,
)

__version__ = "0.1.0"

globals().update({name: function for name, function in _core.functions.items() if "." not in name})
globals().update({name: getattr(functional, name) for name in functional.__all__})
globals().update(_core.dtype_names)
globals().update(_core.format_names)

from math import e, inf, nan, pi  # noqa: E402  (after the dtype names, which shadow `float`)

from runtime import _tensor_attributes as _tensor_attributes  # noqa: E402  (gives them to tensors)


def get_include():
    """The folder of the C headers that kernels compile against.

    Returns
    -------
    str
        The directory to put on a compiler's include path.
    """
    from pathlib import Path

    return str(Path(__file__).parent / "_data" / "include")


def is_tensor(obj):
    """Whether an object is a Tensor."""
    return isinstance(obj, Tensor)


def get_printoptions():
    """The options of printing as a dictionary; see `runtime._printing.get_printoptions`."""
    from runtime._printing import get_printoptions as options

    return options()


def printoptions(**kwargs):
    """A context with other options of printing; takes what `set_printoptions` takes."""
    from runtime._printing import printoptions as options

    return options(**kwargs)


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """Set how tensors print; see `runtime._printing.set_printoptions`."""
    from runtime._printing import set_printoptions as set_options

    set_options(precision, threshold, edgeitems, linewidth, profile, sci_mode)


def explain(op, *args, **kwargs):
    """Say how a call of an operator would be dispatched; see `runtime.explanation`."""
    from runtime.explanation import explain as explain_call

    return explain_call(op, *args, **kwargs)


def trace_dispatch(file=None):
    """Report the path of each call through keys; see `runtime.explanation.trace_dispatch`."""
    from runtime.explanation import trace_dispatch as trace

    return trace(file)


newaxis = None  # as an index: a new dimension

# Submodules that are imported when they are first asked for.
_SUBMODULES = (
    "accelerator", "amp", "array_api", "autograd", "compat", "cuda", "fft", "library", "linalg", "masked", "modes", "multiprocessing", "nn", "optim",
    "overrides", "random", "serialization", "signal", "sparse", "special", "storage", "subclasses", "testing", "types", "utils", "version",
)  # fmt: skip


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(f"module 'runtime' has no attribute '{name}'")
    if name in _SUBMODULES:
        from importlib import import_module

        return import_module(f"runtime.{name}")
    if name in ("load", "save"):
        from runtime import serialization

        globals().update(load=serialization.load, save=serialization.save)
        return globals()[name]
    from runtime.compat import resolve

    try:
        found = resolve(f"torch.{name}")
    except AttributeError:
        hint = " (this build has only the operators that RUNTIME_OPS listed)" if _core._selective_build() else ""
        raise AttributeError(f"module 'runtime' has no attribute '{name}'{hint}") from None
    if callable(found):
        globals()[name] = found  # functions and classes stay what they are; the next look-up is the interpreter's
    return found


__all__ = sorted(
    {
        "DispatchKey", "DispatchKeySet", "Generator", "Library", "Size", "Tag", "Tensor", "TorchDispatchMode", "TypedKernel",
        "UntypedStorage", "as_tensor", "default_generator", "device", "dtype", "enable_grad", "explain", "fallthrough_kernel", "finfo",
        "from_dlpack", "from_numpy", "frombuffer", "get_default_dtype", "get_include", "get_num_threads", "iinfo", "inference_mode",
        "is_grad_enabled", "is_inference_mode_enabled", "is_tensor", "layout", "load", "manual_seed", "memory_format", "newaxis", "no_grad", "ops",
        "qscheme", "register_array_type", "save", "set_default_dtype", "set_grad_enabled", "set_num_threads", "set_printoptions",
        "get_printoptions", "printoptions", "tensor", "trace_dispatch",
        *(name for name in _core.functions if "." not in name),
        "are_deterministic_algorithms_enabled", "is_deterministic_algorithms_warn_only_enabled", "use_deterministic_algorithms",
        *functional.__all__,
        *_core.dtype_names,
        *_core.format_names,
    }
)  # fmt: skip
