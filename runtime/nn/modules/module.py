"""`Module`: what layers and networks derive from. It registers parameters, buffers and modules that are assigned to its attributes.

Calls and hooks are in `_hooks`, state dicts in `_state_dicts`.
"""

import inspect
import warnings
from collections import OrderedDict

import runtime
from runtime import settings
from runtime._core import Tensor, no_grad
from runtime.functional import typename
from runtime.nn._conversion import parse_to
from runtime.nn.modules import _hooks
from runtime.nn.modules._hooks import *  # noqa: F403  (the module is where PyTorch's programs look for the global hooks)
from runtime.nn.modules._hooks import Hooks
from runtime.nn.modules._state_dicts import StateDicts
from runtime.nn.parameter import Buffer, Parameter
from runtime.subclasses import is_traceable_wrapper_subclass

__all__ = [*_hooks.__all__, "Module"]

_HOOKS = (
    "_backward_pre_hooks", "_backward_hooks", "_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called",
    "_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)  # fmt: skip


def _is_tensor_or_like(value):
    return isinstance(value, Tensor) or hasattr(value, "__torch_function__")


def _through(hooks, module, name, value):
    """A value as registration hooks leave it."""
    for hook in hooks.values():
        replaced = hook(module, name, value)
        if replaced is not None:
            value = replaced
    return value


def _has_data(tensor):
    return not (tensor.is_meta or is_traceable_wrapper_subclass(tensor))


def _converted(tensor, fn):
    """The result of a conversion, and whether it can become the tensor's data."""
    with no_grad():
        result = fn(tensor)
    fits = _has_data(tensor) and _has_data(result) and tensor.device.type == result.device.type
    return result, fits and not settings.overwrite_parameters


def indented(text, n):
    """A text whose lines, after the first and where not blank, begin with n more spaces."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(" " * n + line if line.strip() else "" for line in rest)])


class Module(Hooks, StateDicts):
    """A part of a neural network: parameters, buffers, modules, and a ``forward`` that computes with them.

    A subclass calls ``super().__init__()`` before it assigns parameters or modules, and defines ``forward``.

    Examples
    --------
    >>> import runtime
    >>> class Scale(runtime.nn.Module):
    ...     def __init__(self, factor):
    ...         super().__init__()
    ...         self.factor = runtime.nn.Parameter(runtime.tensor(factor))
    ...
    ...     def forward(self, input):
    ...         return input * self.factor
    >>> dict(Scale(2.0).state_dict())
    {'factor': tensor(2.)}
    """

    dump_patches = False
    #: Whether ``Module.__init__`` passes its arguments on to the next class.
    call_super_init = False

    def __init__(self, *args, **kwargs):
        if not self.call_super_init:
            if kwargs:
                raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'")
            if args:
                raise TypeError(f"{type(self).__name__}.__init__() takes 1 positional argument but {len(args) + 1} were given")
        # Not by assignment, which looks for parameters, buffers and modules.
        state = self.__dict__
        state["training"] = True
        state["_parameters"] = {}
        state["_buffers"] = {}
        state["_non_persistent_buffers_set"] = set()
        state["_is_full_backward_hook"] = None
        for name in _HOOKS:
            state[name] = OrderedDict()
        state["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *input):
        """What a call of the module computes."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # ---- registration

    def _check_name(self, kind, name, registered):
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in registered:
            raise KeyError(f"attribute '{name}' already exists")

    def register_buffer(self, name, tensor, persistent=True):
        """Add a buffer: state that is no parameter, such as running statistics.

        Parameters
        ----------
        name : str
            The attribute that shows it.
        tensor : Tensor or None
            None is kept as a place that the state dict leaves out.
        persistent : bool
            Whether it is part of the state dict.
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not _is_tensor_or_like(tensor):
            raise TypeError(f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)")
        self._buffers[name] = _through(_hooks._buffer_registration_hooks, self, name, tensor)
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    def register_parameter(self, name, param):
        """Add a parameter.

        Parameters
        ----------
        name : str
            The attribute that shows it.
        param : Parameter or None
            None is kept as a place without a parameter.
        """
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)")
            if param.grad_fn:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To express '{name}' "
                    "as a function of another Tensor, compute the value in the forward() method."
                )
            param = _through(_hooks._parameter_registration_hooks, self, name, param)
        self._parameters[name] = param

    def add_module(self, name, module):
        """Add a module below this one, or None as a place without one.

        Parameters
        ----------
        name : str
            The attribute that shows it.
        module : Module or None
        """
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        if not isinstance(name, str):
            raise TypeError(f"module name should be a string. Got {typename(name)}")
        if hasattr(self, name) and name not in self._modules:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f'module name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError('module name can\'t be empty string ""')
        self._modules[name] = _through(_hooks._module_registration_hooks, self, name, module)

    def register_module(self, name, module):
        """The same as `add_module`."""
        self.add_module(name, module)

    # ---- attributes

    def __getattr__(self, name):
        # Only names that are no ordinary attributes come here.
        state = self.__dict__
        for members in "_parameters", "_buffers", "_modules":
            if members in state and name in state[members]:
                return state[members][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def _forget(self, name, *members):
        for registered in members:
            if name in registered:
                if isinstance(registered, dict):
                    del registered[name]
                else:
                    registered.discard(name)

    def __setattr__(self, name, value):
        state = self.__dict__
        parameters = state.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, state, self._buffers, self._modules, self._non_persistent_buffers_set)
            self.register_parameter(name, value)
            return
        if parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)")
            self.register_parameter(name, value)
            return
        modules = state.get("_modules")
        if isinstance(value, Module):
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, state, self._parameters, self._buffers, self._non_persistent_buffers_set)
            modules[name] = _through(_hooks._module_registration_hooks, self, name, value)
            return
        if modules is not None and name in modules:
            if value is not None:
                raise TypeError(f"cannot assign '{typename(value)}' as child module '{name}' (torch.nn.Module or None expected)")
            modules[name] = _through(_hooks._module_registration_hooks, self, name, value)
            return
        if isinstance(value, Buffer) or ("_buffers" in state and name in state["_buffers"]):
            self._assign_buffer(name, value)
            return
        super().__setattr__(name, value)

    def _assign_buffer(self, name, value):
        if value is not None and not _is_tensor_or_like(value):
            raise TypeError(f"cannot assign '{typename(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)")
        persistent = value.persistent if isinstance(value, Buffer) else name not in self._non_persistent_buffers_set
        # Subclasses may override `register_buffer` as it was before it took `persistent`.
        overridden = getattr(self.register_buffer, "__func__", None) is not Module.register_buffer
        if overridden and "persistent" not in inspect.signature(self.register_buffer).parameters:
            if not persistent:
                raise RuntimeError(
                    "Registering a non-persistent buffer on a Module subclass that implements register_buffer() without the persistent "
                    "argument is not allowed."
                )
            self.register_buffer(name, value)
        else:
            self.register_buffer(name, value, persistent)

    def __delattr__(self, name):
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
        else:
            super().__delattr__(name)

    def __dir__(self):
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[0].isdigit())

    def __getstate__(self):
        return self.__dict__.copy()

    def __setstate__(self, state):
        self.__dict__.update(state)
        # Pickles of earlier versions may lack some of the dicts.
        for name in _HOOKS:
            self.__dict__.setdefault(name, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)

    # ---- members by dotted names

    def get_submodule(self, target):
        """The module of a dotted name below this one; the empty name is the module itself."""
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target, module, strict=False):
        """Put a module at a dotted name below this one.

        Parameters
        ----------
        target : str
        module : Module
        strict : bool
            Whether a module must be there already.
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _member(self, target):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        return module, name, getattr(module, name)

    def get_parameter(self, target):
        """The parameter of a dotted name."""
        _, name, value = self._member(target)
        if not isinstance(value, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return value

    def get_buffer(self, target):
        """The buffer of a dotted name."""
        module, name, value = self._member(target)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return value

    # ---- all members

    def _named_members(self, get_members_fn, prefix="", recurse=True, remove_duplicate=True):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in get_members_fn(module):
                if value is None or value in seen:
                    continue
                if remove_duplicate:
                    seen.add(value)
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """Dotted names and parameters of this module and, with `recurse`, of those below it; each parameter once by default."""
        yield from self._named_members(lambda module: module._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """The parameters of this module and, with `recurse`, of those below it."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """Dotted names and buffers of this module and, with `recurse`, of those below it; each buffer once by default."""
        yield from self._named_members(lambda module: module._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """The buffers of this module and, with `recurse`, of those below it."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_children(self):
        """Names and modules directly below this one, each module once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self):
        """The modules directly below this one."""
        for _, module in self.named_children():
            yield module

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """Dotted names and modules: this one, whose name is the prefix, and all below it.

        Parameters
        ----------
        memo : set of Module, optional
            Modules that are left out; it grows.
        prefix : str
        remove_duplicate : bool
            Whether each module comes once.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self, remove_duplicate=True):
        """This module and all below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def apply(self, fn):
        """Call a function with each module below this one, then with this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # ---- conversion

    def _apply(self, fn, recurse=True):
        """Convert parameters, their gradients and buffers; parameters stay the same objects where they can take the result as data."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, parameter in self._parameters.items():
            if parameter is None:
                continue
            grad = parameter.grad
            result, fits = _converted(parameter, fn)
            if fits:
                parameter.data = result
            else:
                parameter = self._parameters[name] = Parameter(result, parameter.requires_grad)
            if grad is not None:
                result, fits = _converted(grad, fn)
                if fits and parameter.grad is grad:
                    grad.data = result
                else:
                    parameter.grad = result.requires_grad_(grad.requires_grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def _with_dtype(self, dtype):
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def cuda(self, device=None):
        """Move parameters and buffers to a CUDA device."""
        return self._apply(lambda t: t.cuda(device))

    def compile(self, *args, **kwargs):
        """Let a compiler run calls of this module; arguments are those of `compile`."""
        self._compiled_call_impl = runtime.compile(self._call_impl, *args, **kwargs)

    def cpu(self):
        """Move parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def type(self, dst_type):
        """Convert all parameters and buffers to a dtype."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self):
        """Convert floating-point parameters and buffers to float32."""
        return self._with_dtype(runtime.float32)

    def double(self):
        """Convert floating-point parameters and buffers to float64."""
        return self._with_dtype(runtime.float64)

    def half(self):
        """Convert floating-point parameters and buffers to float16."""
        return self._with_dtype(runtime.float16)

    def bfloat16(self):
        """Convert floating-point parameters and buffers to bfloat16."""
        return self._with_dtype(runtime.bfloat16)

    def to_empty(self, *, device, recurse=True):
        """Move parameters and buffers to a device without copying their values."""
        return self._apply(lambda t: runtime.empty_like(t, device=device), recurse=recurse)

    def to(self, *args, **kwargs):
        """Move parameters and buffers to a device, and convert floating-point and complex ones to a dtype.

        Takes ``(device, dtype, non_blocking)``, ``(dtype, non_blocking)`` or ``(tensor, non_blocking)``, and the memory format of tensors
        with 4 or 5 dimensions as the keyword `memory_format`.
        """
        device, dtype, non_blocking, memory_format = parse_to(*args, **kwargs)
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")
            if dtype.is_complex:
                warnings.warn(
                    "Complex modules are a new feature under active development whose design may change, and some modules might not work as "
                    "expected when using complex tensors as parameters or buffers.",
                    stacklevel=2,
                )

        def convert(t):
            options = {"memory_format": memory_format} if memory_format is not None and t.dim() in (4, 5) else {}
            try:
                return t.to(device, dtype if t.is_floating_point() or t.is_complex() else None, non_blocking, **options)
            except NotImplementedError as error:
                if str(error) != "Cannot copy out of meta tensor; no data!":
                    raise
                raise NotImplementedError(
                    f"{error} Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving module from meta to a "
                    "different device."
                ) from None

        return self._apply(convert)

    def share_memory(self):
        """Move parameters and buffers to memory that other processes can share; see `runtime.multiprocessing`."""
        return self._apply(lambda t: t.share_memory_())

    # ---- training

    def train(self, mode=True):
        """Set training or evaluation mode of this module and all below it."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        """Set evaluation mode: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Say whether gradients are computed for the parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of the parameters, or set them to zero."""
        for parameter in self.parameters():
            zero_grad(parameter, set_to_none)

    # ---- printing

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What the module's representation shows besides the modules below it."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if len(lines) == 1 and not self._modules:
            return f"{self._get_name()}({extra})"
        lines += [f"({name}): {indented(repr(module), 2)}" for name, module in self._modules.items()]
        return f"{self._get_name()}({''.join(chr(10) + '  ' + line for line in lines)}{chr(10) if lines else ''})"


def zero_grad(parameter, set_to_none):
    """Drop a parameter's gradient, or detach it and set it to zero."""
    grad = parameter.grad
    if grad is None:
        return
    if set_to_none:
        parameter.grad = None
        return
    if grad.grad_fn is not None:
        grad.detach_()
    else:
        grad.requires_grad_(False)
    grad.zero_()
