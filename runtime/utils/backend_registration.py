"""A device type of the user's own: the name of the key PrivateUse1's device type, its module, and the methods that move to it.

The kernels of such a device are registered by `runtime.library` at ``PrivateUse1``, ``AutogradPrivateUse1`` and ``AutocastPrivateUse1``; its
tensors are wrapper subclasses, or made by `create_empty_tensor`.
"""

import sys
from types import SimpleNamespace

import runtime
from runtime import _core
from runtime._core import Tensor

__all__ = ["generate_methods_for_privateuse1_backend", "rename_privateuse1_backend"]

#: What `_register_device_module` was given, by device type.
device_modules = SimpleNamespace()


def rename_privateuse1_backend(backend_name):
    """Give the device type of the key PrivateUse1 a name, once in a process.

    Parameters
    ----------
    backend_name : str
        The name, which devices have from now on; ``privateuseone`` is understood too.

    Raises
    ------
    RuntimeError
        If it is the name of another device type, or if there is another name already.
    """
    _core._rename_privateuse1_backend(backend_name)


def _register_device_module(device_type, module):
    """Let a module or a class be the module of a device type: ``runtime.<device type>``.

    Parameters
    ----------
    device_type : str
        The device type.
    module : object
        What has the device's functions, such as ``is_available`` and ``current_device``.
    """
    from runtime.compat.table import NAMES

    device_type = _core.device(device_type).type
    registered = getattr(runtime, device_type, None)
    if registered is not None:
        raise RuntimeError(f"The runtime module of '{device_type}' has already been registered with '{registered}'")
    setattr(device_modules, device_type, module)
    setattr(runtime, device_type, module)
    NAMES[f"torch.{device_type}"] = f"runtime.utils.backend_registration:device_modules.{device_type}"
    sys.modules[f"runtime.{device_type}"] = module


def get_device_module(device=None):
    """The module of a device type.

    Parameters
    ----------
    device : device or str, optional
        A device of the type; by default the CPU.

    Returns
    -------
    object
        Such as ``runtime.cuda``.

    Raises
    ------
    RuntimeError
        If none is registered.
    """
    if device is None:
        device = "cpu"
    if not isinstance(device, (str, _core.device)):
        raise RuntimeError(f"Invalid value of device '{device}', expect torch.device, str, or None")
    name = _core.device(device).type
    module = getattr(runtime, name, None)
    if module is None:
        raise RuntimeError(f"Device '{name}' does not have a corresponding module registered as 'torch.{name}'.")
    return module


def _device_index(name, device):
    """The index of a device of the renamed type that `Tensor.<name>(device)` means."""
    if isinstance(device, str):
        device = _core.device(device)
    if isinstance(device, _core.device):
        if device.type != name:
            raise RuntimeError(f"Invalid device, must be {name} device")
        device = device.index
    if device is None:
        current = getattr(getattr(runtime, name, None), "current_device", None)
        return 0 if current is None else current()
    return device


def _add(owner, name, value):
    if hasattr(owner, name):
        raise RuntimeError(f"The custom device module of {owner} has already been registered with {name}")
    if owner is Tensor:
        _core._set_tensor_attribute(name, value)
    else:
        setattr(owner, name, value)


def _add_tensor_methods(name):
    from runtime.overrides import handle_torch_function, has_torch_function_unary

    def is_there(self):
        if has_torch_function_unary(self):
            return handle_torch_function(getattr(Tensor, f"is_{name}").__get__, (self,), self)
        return self.device.type == name

    def move(self, device=None, non_blocking=False, **kwargs):
        if has_torch_function_unary(self):
            return handle_torch_function(move, (self,), self, device=device, non_blocking=non_blocking, **kwargs)
        where = _core.device(f"{name}:{_device_index(name, device)}")
        return self.to(device=where, non_blocking=non_blocking, **kwargs)

    is_there.__name__ = is_there.__qualname__ = f"is_{name}"
    is_there.__doc__ = f"Whether the tensor is on a {name} device."
    move.__name__ = move.__qualname__ = name
    move.__doc__ = f"The tensor on a {name} device: itself if it is there, else a copy."
    _add(Tensor, f"is_{name}", property(is_there))
    _add(Tensor, name, move)


def _add_module_method(name):
    if not hasattr(Tensor, name):
        raise RuntimeError(
            f"Can not automatically generate {name}() method for torch.nn.Module.Because torch.Tensor doesn't has the method {name}()."
            "For this error, you can try setting for_tensor=True."
        )

    def move(self, device=None):
        return self._apply(lambda t: getattr(t, name)(device))

    move.__name__ = move.__qualname__ = name
    move.__doc__ = f"Move all parameters and buffers to a {name} device, in place."
    _add(runtime.nn.Module, name, move)


def _add_packed_sequence_methods(name):
    from runtime.nn.utils.rnn import PackedSequence

    if not hasattr(Tensor, name) or not hasattr(Tensor, f"is_{name}"):
        raise RuntimeError(
            f"Can not automatically generate is_{name}() or {name}() method for torch.nn.utils.rnn.PackedSequence."
            f"Because torch.Tensor doesn't has the method is_{name}()or {name}().For this error, you can try setting for_tensor=True."
        )

    def is_there(self):
        return self.data.device.type == name

    def move(self, *args, **kwargs):
        if not any(isinstance(a, (str, _core.device)) for a in (*args, kwargs.get("device"))):
            kwargs["device"] = name
        return self.to(*args, **kwargs)

    is_there.__doc__ = f"Whether the data are on a {name} device."
    move.__doc__ = f"The sequence on a {name} device."
    _add(PackedSequence, f"is_{name}", property(is_there))
    _add(PackedSequence, name, move)


def generate_methods_for_privateuse1_backend(
    for_tensor=True, for_module=True, for_packed_sequence=True, for_storage=False, unsupported_dtype=None
):
    """Make the methods of the renamed device type: for a name ``npu``, `Tensor.npu()`, `Tensor.is_npu` and `Module.npu()`.

    Parameters
    ----------
    for_tensor, for_module, for_packed_sequence : bool
        Which classes get them.
    for_storage : bool
        Storages cannot: memory is the business of the device's kernels.
    unsupported_dtype : list of dtype, optional
        Only for storages.

    Raises
    ------
    RuntimeError
        If a class has such an attribute already, or if `for_storage` is true.
    """
    name = _core._get_privateuse1_backend_name()
    if for_storage:
        raise RuntimeError(f"generate_methods_for_privateuse1_backend(): a storage has no method {name}() here; leave for_storage out")
    if for_tensor:
        _add_tensor_methods(name)
    if for_module:
        _add_module_method(name)
    if for_packed_sequence:
        _add_packed_sequence_methods(name)


def _get_custom_mod_func(func_name):
    """A function of the renamed device type's module.

    Parameters
    ----------
    func_name : str
        Its name.
    """
    if not isinstance(func_name, str):
        raise AssertionError(f"func_name must be `str`, but got `{type(func_name)}`.")
    name = _core._get_privateuse1_backend_name()
    function = getattr(getattr(runtime, name, None), func_name, None)
    if function is None:
        raise RuntimeError(
            f"Try to call torch.{name}.{func_name}. The backend must register a custom backend module with "
            f"`torch._register_device_module('{name}', BackendModule)`. And BackendModule needs to have the following API's:\n"
            f" `{func_name}(*args, **kwargs)`. \n"
        )
    return function


class PrivateUse1Hooks:
    """What a device answers about itself, to be derived from."""

    def is_available(self):
        return True

    def is_built(self):
        return True

    def has_primary_context(self, device_index):
        return True


class DeviceGuard:
    """What switches between devices of a type, to be derived from; kernels in Python switch themselves."""

    def type_(self):
        raise NotImplementedError(f"{type(self).__name__}.type_() must say the device type")


class _Module:
    """The module of a device type whose user gave none."""

    def is_initialized(self):
        return True

    def is_available(self):
        return True

    def current_device(self):
        return 0

    def device_count(self):
        return 1

    def manual_seed_all(self, seed):
        pass

    def _is_in_bad_fork(self):
        return False


def _setup_privateuseone_for_python_backend(rename=None, backend_module=None, hook=None, device_guard=None):
    """Prepare the key PrivateUse1 for kernels in Python: the name, the methods and the module of its device type.

    Parameters
    ----------
    rename : str, optional
        The name; see `rename_privateuse1_backend`.
    backend_module : object, optional
        See `_register_device_module`.
    hook : PrivateUse1Hooks, optional
    device_guard : DeviceGuard, optional
    """
    for value, kind, argument in ((hook, PrivateUse1Hooks, "hook"), (device_guard, DeviceGuard, "device_guard")):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"_setup_privateuseone_for_python_backend(): {argument} must be a {kind.__name__}, not {type(value).__name__}")
    if rename is not None:
        rename_privateuse1_backend(rename)
    generate_methods_for_privateuse1_backend()
    _register_device_module(_core._get_privateuse1_backend_name(), _Module() if backend_module is None else backend_module)
