"""`autocast` as a context manager and decorator, and decorators for custom autograd functions that run in such regions."""

import functools
import warnings
from collections.abc import Iterable, Mapping
from importlib.util import find_spec

import numpy as np

from runtime import _core, cuda
from runtime._core import Tensor

__all__ = ["amp_definitely_not_available", "autocast", "autocast_decorator", "custom_bwd", "custom_fwd", "is_autocast_available"]

_LOWER_DTYPES = (_core.dtype_names["bfloat16"], _core.dtype_names["float16"])
_AUTOCAST_KEYS = tuple(f"Autocast{device}" for device in ("CPU", "CUDA", "HPU", "IPU", "MAIA", "MPS", "MTIA", "PrivateUse1", "XLA", "XPU"))
_float64 = _core.dtype_names["float64"]


def is_autocast_available(device_type):
    """Whether tensors of a device type have an autocast key.

    Parameters
    ----------
    device_type : str
        Such as ``"cpu"``.

    Returns
    -------
    bool
    """
    return _core._is_autocast_available(device_type)


def amp_definitely_not_available():
    """Whether there is no CUDA device on which autocast could run."""
    return not (cuda.is_available() or find_spec("torch_xla"))


class autocast(_core._AutocastRegion):
    """A region in which operators run in the dtype that suits them; also a decorator.

    Matrix products and convolutions get their floating-point arguments in a dtype of 16 bits, operators that need range or precision get
    float32, others run as they are called. Tensors of float64 stay as they are. Casts of weights are kept until the outermost region ends.

    Parameters
    ----------
    device_type : str
        The device type whose tensors are meant.
    dtype : dtype, optional
        The dtype of 16 bits; by default bfloat16 on the CPU and float16 on CUDA (see ``get_autocast_dtype``).
    enabled : bool
        False for a region without autocast, inside another one.
    cache_enabled : bool, optional
        Whether casts of weights are kept; by default as outside.

    Notes
    -----
    The state belongs to the thread. Backward runs outside of such regions: each operator's gradient has the dtype that it ran in.

    Examples
    --------
    >>> import runtime
    >>> with runtime.autocast("cpu"):
    ...     y = runtime.ones(2, 2) @ runtime.ones(2, 2)
    >>> y.dtype
    torch.bfloat16
    """

    def _is_possible(self):
        """Whether the device runs operators in the region's dtype; warns where not."""
        if self.device == "cuda":
            if amp_definitely_not_available():
                warnings.warn("CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2)
                return False
            return True
        if self.device == _core._get_privateuse1_backend_name():
            supported, name = _dtypes_of_module(self.device), self.device
            target = f"target dtype {self.fast_dtype}"
        else:
            supported, name, target = _LOWER_DTYPES, self.device.upper(), "target dtype"
        if self.fast_dtype in supported:
            return True
        warnings.warn(
            f"In {name} autocast, but the {target} is not supported. Disabling autocast.\n"
            f"{name} Autocast only supports dtypes of {', '.join(map(str, supported))} currently.",
            stacklevel=2,
        )
        return False

    def __call__(self, func):
        if not callable(func):
            raise TypeError(
                f"autocast()(func) requires a callable, but got {type(func).__name__}. "
                f"Did you mean to use autocast as a context manager? For example:\n"
                f"    with torch.autocast(device_type=...):\n"
                f"        output = model(input)"
            )
        return autocast_decorator(self, func)


def _dtypes_of_module(device_type):
    """The dtypes of autocast that the module of the user's device type names."""
    import runtime

    needed = (
        f"Tried to use AMP with the `{device_type}` backend, but the backend has not registered a module or  the module miss some necessary "
        "funcs. The backend should register a module by `torch._register_device_module`, and the module must have these funcs: \n"
        "`get_amp_supported_dtype() -> List[torch.dtype]`. \n"
    )
    module = getattr(runtime, device_type, None)
    if module is None:
        raise AssertionError(needed)
    if not hasattr(module, "get_amp_supported_dtype"):
        raise AssertionError(needed + "But the func `get_amp_supported_dtype` is missing. \n")
    return module.get_amp_supported_dtype()


def _DisableAutocast():
    """For a ``with`` block: operators skip every autocast key, whatever is enabled."""
    return _core._ExcludeDispatchKeyGuard(_core.DispatchKeySet([_core._dispatch_key_parse(k) for k in _AUTOCAST_KEYS]))


def autocast_decorator(region, func):
    """A function that runs inside a region."""

    @functools.wraps(func)
    def inside(*args, **kwargs):
        with region:
            return func(*args, **kwargs)

    return inside


def _enter_autocast(*args):
    """Enter a region that `_exit_autocast` leaves: what traces have for a ``with`` statement."""
    region = autocast(*args)
    region.__enter__()
    return region


def _exit_autocast(region):
    """Leave a region that `_enter_autocast` has entered."""
    region.__exit__(None, None, None)


def _cast(value, device_type, dtype):
    """A value with the floating-point tensors of a device type cast, inside containers too."""
    if isinstance(value, Tensor):
        castable = value.is_floating_point() and value.device.type == device_type and value.dtype is not _float64
        return value.to(dtype) if castable else value
    if isinstance(value, (str, bytes, np.ndarray)):
        return value
    if isinstance(value, Mapping):
        return {_cast(k, device_type, dtype): _cast(v, device_type, dtype) for k, v in value.items()}
    if isinstance(value, Iterable):
        cast = (_cast(v, device_type, dtype) for v in value)
        return type(value)(cast) if isinstance(value, (list, tuple)) else cast
    return value


def _check_device_type(device_type):
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """Decorate `forward` of a custom autograd function that runs in regions of autocast.

    Parameters
    ----------
    fwd : callable, optional
        The method; without it a decorator is returned.
    device_type : str
        The device type of the regions.
    cast_inputs : dtype, optional
        The dtype that floating-point arguments get inside a region; the method then runs without autocast. By default it runs as called.
    """
    _check_device_type(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args, **kwargs):
        enabled = _core.is_autocast_enabled(device_type)
        args[0]._dtype = _core.get_autocast_dtype(device_type)
        args[0]._fwd_used_autocast = enabled and cast_inputs is None
        if not enabled or cast_inputs is None:
            return fwd(*args, **kwargs)
        with autocast(device_type=device_type, enabled=False):
            return fwd(*_cast(args, device_type, cast_inputs), **_cast(kwargs, device_type, cast_inputs))

    return forward


def custom_bwd(bwd=None, *, device_type):
    """Decorate `backward` of a custom autograd function: it runs with autocast as `forward` did.

    Parameters
    ----------
    bwd : callable, optional
        The method; without it a decorator is returned.
    device_type : str
        The device type that `custom_fwd` has got.
    """
    _check_device_type(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args, **kwargs):
        with autocast(device_type=device_type, enabled=args[0]._fwd_used_autocast, dtype=args[0]._dtype):
            return bwd(*args, **kwargs)

    return backward
