"""The device that factory functions use where none is given: ``with device("meta"):``, decorators and `set_default_device`.

A device used as a context manager puts a `DeviceContext` on the stack of torch function modes; `set_default_device` keeps one at the bottom.
"""

import functools
import threading

import runtime
from runtime import _core
from runtime.overrides import TorchFunctionMode, _get_current_function_mode_stack, _pop_mode, _push_mode

__all__ = ["DeviceContext", "device_decorator", "get_default_device", "set_default_device", "set_device"]

_FACTORIES = (
    "arange", "as_tensor", "asarray", "bartlett_window", "blackman_window", "empty", "empty_permuted", "empty_strided", "eye", "fft.fftfreq",
    "fft.rfftfreq", "full", "hamming_window", "hann_window", "kaiser_window", "linspace", "logspace", "ones", "rand", "randint", "randn",
    "randperm", "range", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros",
)  # fmt: skip

_state = threading.local()


@functools.cache
def _device_constructors():
    """The functions that take a device and no tensor that has one."""
    found = set()
    for name in _FACTORIES:
        module, _, attribute = name.rpartition(".")
        # A selective build may lack some.
        function = getattr(getattr(runtime, module) if module else runtime, attribute, None)
        if function is not None:
            found.add(function)
    return found


class DeviceContext(TorchFunctionMode):
    """A mode under which factory functions that are given no device use one.

    Entered as a context manager it goes below all other modes, and takes the place of another one that is there.

    Parameters
    ----------
    device : device or str
        The device.
    """

    def __init__(self, device):
        self.device = _core.device(device)
        self.replaced = None

    def __enter__(self):
        above = [_pop_mode() for _ in _get_current_function_mode_stack()]
        _push_mode(self)
        for mode in reversed(above):
            if isinstance(mode, DeviceContext):
                self.replaced = mode
            else:
                _push_mode(mode)
        return self

    def __exit__(self, kind, value, traceback):
        modes = _get_current_function_mode_stack()
        if self not in modes:
            raise RuntimeError("the DeviceContext that is left is not on the stack of modes: something else took it off")
        above = [_pop_mode() for _ in modes[modes.index(self) :]][:-1]
        if self.replaced is not None:
            _push_mode(self.replaced)
            self.replaced = None
        for mode in reversed(above):
            _push_mode(mode)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if kwargs.get("device") is None and func in _device_constructors():
            kwargs = {**kwargs, "device": self.device}
        return func(*args, **kwargs)


def push_device(device):
    """Enter ``with device:``, as the innermost mode."""
    _push_mode(DeviceContext(device))


def pop_device():
    """Leave ``with device:``."""
    _pop_mode()


def device_decorator(device, func):
    """A function that runs inside ``with device:``."""

    @functools.wraps(func)
    def inside(*args, **kwargs):
        with device:
            return func(*args, **kwargs)

    return inside


def set_device(device):
    """A decorator: factory functions that the decorated function calls make tensors on a device.

    Parameters
    ----------
    device : device or str
        The device.
    """
    return lambda func: device_decorator(_core.device(device), func)


def set_default_device(device):
    """Let factory functions in this thread make tensors on a device where they are given none.

    Parameters
    ----------
    device : device or str or None
        The device; None for the CPU, as it is at the start.

    Examples
    --------
    >>> import runtime
    >>> runtime.set_default_device("meta")
    >>> runtime.ones(2)
    tensor(..., device='meta', size=(2,))
    >>> runtime.set_default_device(None)
    >>> runtime.ones(2)
    tensor([1., 1.])
    """
    context = None if device is None else DeviceContext(device)
    before = getattr(_state, "context", None)
    if before is not None:
        before.__exit__(None, None, None)
    _state.context = context
    if context is not None:
        context.__enter__()


def get_default_device():
    """The device on which factory functions make tensors now where they are given none.

    Returns
    -------
    device
    """
    for mode in reversed(_get_current_function_mode_stack()):
        if isinstance(mode, DeviceContext):
            return mode.device
    return _core.device("cpu")
