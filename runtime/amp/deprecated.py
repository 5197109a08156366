"""Names for single device types, which PyTorch keeps for older code: each warns and says what to use instead."""

import functools
import warnings

from runtime import _core
from runtime.amp import autocast_mode, grad_scaler


def _instead(old, new):
    warnings.warn(f"`{old}` is deprecated. Please use `{new}` instead.", FutureWarning, stacklevel=3)


def autocast_for(device_type, element):
    """The class ``torch.cpu.amp.autocast`` or ``torch.cuda.amp.autocast``."""

    class autocast(autocast_mode.autocast):
        __doc__ = f"As ``runtime.amp.autocast({device_type!r}, ...)``."

        def __init__(self, enabled=True, dtype=element, cache_enabled=True):
            _instead(f"torch.{device_type}.amp.autocast(args...)", f"torch.amp.autocast('{device_type}', args...)")
            super().__init__(device_type, enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)

    autocast.__qualname__ = "autocast"
    autocast.__module__ = f"runtime.amp.{device_type}"
    return autocast


def grad_scaler_for(device_type):
    """The class ``torch.cpu.amp.GradScaler`` or ``torch.cuda.amp.GradScaler``."""

    class GradScaler(grad_scaler.GradScaler):
        __doc__ = f"As ``runtime.amp.GradScaler({device_type!r}, ...)``."

        def __init__(self, init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
            _instead(f"torch.{device_type}.amp.GradScaler(args...)", f"torch.amp.GradScaler('{device_type}', args...)")
            super().__init__(device_type, init_scale, growth_factor, backoff_factor, growth_interval, enabled)

    GradScaler.__qualname__ = "GradScaler"
    GradScaler.__module__ = f"runtime.amp.{device_type}"
    return GradScaler


def _of_device(old, function, device_type, parameter):
    """``old(value)`` for ``function(device_type, value)``; without a parameter ``old()``."""

    def call(*args):
        shown = f"'{device_type}'" + (f", {parameter}" if parameter else "")
        warnings.warn(
            f"torch.{old}({parameter}) is deprecated. Please use torch.{function.__name__}({shown}) instead.", DeprecationWarning, stacklevel=2
        )
        return function(device_type, *args)

    call.__name__ = call.__qualname__ = old
    call.__doc__ = f"As ``{function.__name__}({device_type!r}{', ' + parameter if parameter else ''})``."
    return call


#: Name -> function: ``is_autocast_cpu_enabled`` and the like.
FUNCTIONS = {}
for _name, _device in (("cpu", "cpu"), ("gpu", "cuda"), ("ipu", "ipu"), ("xla", "xla")):
    for _before, _after, _parameter in (("get", "dtype", ""), ("set", "dtype", "dtype"), ("is", "enabled", ""), ("set", "enabled", "enabled")):
        if _after == "dtype" or _name != "gpu":
            _old = f"{_before}_autocast_{_name}_{_after}"
            FUNCTIONS[_old] = _of_device(_old, getattr(_core, f"{_before}_autocast_{_after}"), _device, _parameter)
globals().update(FUNCTIONS)


def _cast(value, dtype):
    """As ``runtime.amp.autocast_mode._cast(value, "cuda", dtype)``."""
    _instead("torch.cuda.amp.autocast_mode._cast(value, dtype)", "torch.amp.autocast_mode._cast(value, 'cuda', dtype)")
    return autocast_mode._cast(value, "cuda", dtype)


def custom_fwd(fwd=None, *, cast_inputs=None):
    """As ``runtime.amp.custom_fwd(..., device_type="cuda")``."""
    _instead("torch.cuda.amp.custom_fwd(args...)", "torch.amp.custom_fwd(args..., device_type='cuda')")
    return functools.partial(autocast_mode.custom_fwd, device_type="cuda")(fwd=fwd, cast_inputs=cast_inputs)


def custom_bwd(bwd):
    """As ``runtime.amp.custom_bwd(..., device_type="cuda")``."""
    _instead("torch.cuda.amp.custom_bwd(args...)", "torch.amp.custom_bwd(args..., device_type='cuda')")
    return functools.partial(autocast_mode.custom_bwd, device_type="cuda")(bwd)
