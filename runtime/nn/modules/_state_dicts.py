"""State dicts of modules: `StateDicts` is the part of Module that saves parameters, buffers and extra state by name, and loads them."""

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Mapping

from runtime._core import Tensor, no_grad
from runtime.nn.modules._hooks import WrappedHook
from runtime.nn.parameter import Parameter
from runtime.utils.hooks import add_hook

_EXTRA_STATE = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """Keys that a module has and the state dict has not, and the reverse."""

    __slots__ = ()

    def __repr__(self):
        return super().__repr__() if self.missing_keys or self.unexpected_keys else "<All keys matched successfully>"

    __str__ = __repr__


class StateDicts:
    """The part of Module that saves and loads state dicts."""

    #: The version of a class's state, which `_load_from_state_dict` of later versions can ask for.
    _version = 1

    # ---- saving

    def get_extra_state(self):
        """State beyond parameters and buffers; a class that defines it defines `set_extra_state` too."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: it does not define get_extra_state()")

    def set_extra_state(self, state):
        """Take the extra state of a state dict."""
        raise RuntimeError(f"{type(self).__name__} takes no extra state: it does not define set_extra_state()")

    def _persistent_state(self):
        """Names and values of parameters and persistent buffers that are not None."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        for name, value in self._persistent_state():
            destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not StateDicts.get_extra_state:
            destination[prefix + _EXTRA_STATE] = self.get_extra_state()

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """Parameters, persistent buffers and extra state of the module and those below it, by dotted name.

        Parameters
        ----------
        destination : dict, optional
            Takes the entries; a new OrderedDict with versions in `_metadata` otherwise.
        prefix : str
            Stands before each name.
        keep_vars : bool
            Give back the parameters themselves, not detached tensors.

        Returns
        -------
        dict
            The values share memory with the module.
        """
        if args:
            warnings.warn("Positional args are being deprecated, use kwargs instead.", FutureWarning, stacklevel=2)
            given = dict(zip(("destination", "prefix", "keep_vars"), args))
            destination = given["destination"] if destination is None else destination
            prefix = prefix or given.get("prefix", "")
            keep_vars = keep_vars or given.get("keep_vars", False)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, local_metadata)
            if result is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            destination = result
        return destination

    def register_state_dict_pre_hook(self, hook):
        """Call ``hook(module, prefix, keep_vars)`` before the module's state is saved."""
        return add_hook(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook):
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after the module's state is saved; it changes the dict in place."""
        hook._from_public_api = True
        return add_hook(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook):
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was previously registered via register_state_dict_post_hook"
            )
        return add_hook(self._state_dict_hooks, hook)

    # ---- loading

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        return add_hook(self._load_state_dict_pre_hooks, WrappedHook(hook, self if with_module else None))

    def register_load_state_dict_pre_hook(self, hook):
        """Call a hook before the module's own state is loaded.

        Parameters
        ----------
        hook : callable
            ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)``, which may change the
            dict and the lists.

        Returns
        -------
        RemovableHandle
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook):
        """Call ``hook(module, incompatible_keys)`` after the module and those below it are loaded; it may change the lists in place."""
        return add_hook(self._load_state_dict_post_hooks, hook)

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs):
        """Load the module's own entries; what is wrong is appended to the lists."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        local_state = dict(self._persistent_state())
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, value in local_state.items():
            key = prefix + name
            if key in state_dict:
                self._load_value(name, value, key, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        extra_key = prefix + _EXTRA_STATE
        if type(self).set_extra_state is not StateDicts.set_extra_state:
            if extra_key in state_dict:
                self.set_extra_state(state_dict[extra_key])
            elif strict:
                missing_keys.append(extra_key)
        elif strict and extra_key in state_dict:
            unexpected_keys.append(extra_key)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra_key:
                    first, dot, _ = key[len(prefix) :].partition(".")
                    if first not in (self._modules if dot else local_state):
                        unexpected_keys.append(key)

    def _load_value(self, name, value, key, given, assign, error_msgs):
        if not (isinstance(given, Tensor) or hasattr(type(given), "__torch_function__")):
            error_msgs.append(
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint but received {type(given)}'
            )
            return
        # Old checkpoints hold scalars as tensors of one element.
        if len(value.shape) == 0 and len(given.shape) == 1 and given.shape[0] == 1:
            given = given[0]
        if given.shape != value.shape:
            error_msgs.append(
                f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, the shape in current model is {value.shape}."
            )
            return
        if value.is_meta and not given.is_meta and not assign:
            warnings.warn(
                f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current model, which is a no-op. "
                "(Did you mean to pass `assign=True` to assign items in the state dictionary to their corresponding key in the module instead "
                "of copying them in place?)",
                stacklevel=5,
            )
        try:
            with no_grad():
                if not assign:
                    value.copy_(given)
                    return
                if isinstance(value, Parameter):
                    if isinstance(given, Parameter):
                        given.requires_grad_(value.requires_grad)
                    else:
                        given = Parameter(given, requires_grad=value.requires_grad)
                setattr(self, name, given)
        except Exception as error:
            error_msgs.append(
                f'While copying the parameter named "{key}", whose dimensions in the model are {value.size()} and whose dimensions in the '
                f"checkpoint are {given.size()}, an exception occurred : {error.args}."
            )

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy the values of a state dict into the module and those below it.

        Parameters
        ----------
        state_dict : Mapping
            As `state_dict()` gives it.
        strict : bool
            Refuse missing and unexpected keys.
        assign : bool
            Put the tensors themselves in place instead of copying their values; only `requires_grad` of parameters is kept.

        Returns
        -------
        tuple
            ``missing_keys`` and ``unexpected_keys``.

        Raises
        ------
        RuntimeError
            With everything that does not fit.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        # Modules may change the dict while they load.
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata
        missing, unexpected, errors = [], [], []
        _load(self, state_dict, "", metadata, assign, missing, unexpected, errors)
        if strict:
            for keys, kind in (unexpected, "Unexpected"), (missing, "Missing"):
                if keys:
                    errors.insert(0, f"{kind} key(s) in state_dict: {', '.join(map(_quoted, keys))}. ")
        if errors:
            raise RuntimeError("Error(s) in loading state_dict for {}:\n\t{}".format(type(self).__name__, "\n\t".join(errors)))
        return _IncompatibleKeys(missing, unexpected)


def _quoted(key):
    return f'"{key}"'


def _load(module, state_dict, prefix, metadata, assign, missing, unexpected, errors):
    """Load a module and those below it; each sees only the entries below its own prefix."""
    local_metadata = {} if metadata is None else metadata.get(prefix[:-1], {})
    if assign:
        local_metadata["assign_to_params_buffers"] = assign
    module._load_from_state_dict(state_dict, prefix, local_metadata, True, missing, unexpected, errors)
    for name, child in module._modules.items():
        if child is not None:
            child_prefix = f"{prefix}{name}."
            below = {key: value for key, value in state_dict.items() if key.startswith(child_prefix)}
            _load(child, below, child_prefix, metadata, assign, missing, unexpected, errors)
    incompatible = _IncompatibleKeys(missing, unexpected)
    for hook in module._load_state_dict_post_hooks.values():
        if hook(module, incompatible) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, if incompatible_keys need "
                "to be modified, it should be done inplace."
            )
