"""What `save` writes into the pickle of a file: tensors as calls of PyTorch's rebuild functions, storages as references to records.

`reduced` says what a tensor becomes. `Pickler` is Python's own pickler, which writes the names of `names` for our objects without looking
them up in a module `torch`. `custom_pickler` makes the same of a pickler that the caller brought.
"""

import copyreg
import pickle
from collections import OrderedDict
from types import BuiltinFunctionType, FunctionType

import runtime
from runtime import _core
from runtime._core import Tensor, UntypedStorage
from runtime.nn.parameter import Parameter
from runtime.serialization import rebuild
from runtime.serialization.names import torch_name
from runtime.storage import LEGACY, TypedStorage, storage_name
from runtime.utils.hooks import warn_if_has_hooks

__all__ = ["Pickler", "StorageTable", "custom_pickler", "reduced"]

_UNTYPED_DTYPES = frozenset(_core.dtype_names.values()) - {cls.dtype for cls in LEGACY.values()}


def _is_wrapper(tensor):
    """Whether a tensor of a class with `__torch_dispatch__` has no memory of its own."""
    if type(tensor).__torch_dispatch__ is Tensor.__torch_dispatch__:
        return False
    try:
        return tensor.untyped_storage().data_ptr() == 0
    except (NotImplementedError, RuntimeError):
        return True


def _plain(tensor):
    """How a tensor is rebuilt, apart from its class and attributes."""
    warn_if_has_hooks(tensor)
    size, stride, requires_grad = tuple(tensor.shape), tensor.stride(), tensor.requires_grad
    if tensor.device.type == "meta" and type(tensor).__torch_dispatch__ is Tensor.__torch_dispatch__:
        return rebuild._rebuild_meta_tensor_no_storage, (tensor.dtype, size, stride, requires_grad)
    if type(tensor) is not Tensor and _is_wrapper(tensor):
        return rebuild._rebuild_wrapper_subclass, (
            type(tensor), tensor.dtype, size, stride, tensor.storage_offset(), tensor.layout, tensor.device, requires_grad,
        )  # fmt: skip
    if tensor.is_quantized:
        typed = TypedStorage(wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype)
        return rebuild._rebuild_qtensor, (typed, tensor.storage_offset(), size, stride, _core._quantizer(tensor), requires_grad, OrderedDict())
    if tensor.is_sparse:
        parts = _core._sparse_parts(tensor)
        return rebuild._rebuild_sparse_tensor, (tensor.layout, (parts.indices, parts.values, tensor.shape, parts.coalesced))
    bits = {name: True for name, on in (("conj", tensor.is_conj()), ("neg", tensor.is_neg())) if on}
    return _call(tensor.untyped_storage(), tensor.dtype, tensor.storage_offset(), size, stride, requires_grad, bits)


def _call(storage, dtype, offset, size, stride, requires_grad, metadata):
    extra = (metadata,) if metadata else ()
    if dtype in _UNTYPED_DTYPES:
        return rebuild._rebuild_tensor_v3, (storage, offset, size, stride, requires_grad, OrderedDict(), dtype, *extra)
    typed = TypedStorage(wrap_storage=storage, dtype=dtype)
    return rebuild._rebuild_tensor_v2, (typed, offset, size, stride, requires_grad, OrderedDict(), *extra)


def _as_in_files(value):
    """What a class's own `__reduce_ex__` returned, with the calls of plain pickles replaced by those of files."""
    if not isinstance(value, tuple) or len(value) < 2:
        return value
    if value[0] is _core._rebuild_tensor:
        storage, dtype, offset, size, stride, requires_grad, *bits = value[1]
        bits = bits[0] if bits else 0
        metadata = {name: True for name, bit in (("conj", 1), ("neg", 2)) if bits & bit}
        return (*_call(storage, dtype, offset, size, stride, requires_grad, metadata), *value[2:])
    if value[0] is _core._rebuild_sparse:
        shape, indices, values, coalesced, _ = value[1]
        return (rebuild._rebuild_sparse_tensor, (_core.format_names["sparse_coo"], (indices, values, shape, coalesced)), *value[2:])
    if value[0] is _core._rebuild_wrapper:
        return (rebuild._rebuild_wrapper_subclass, *value[1:])
    if value[0] is _core._rebuild_from_type:
        inner, kind, args, state = value[1]
        return rebuild._rebuild_from_type_v2, (*_prepend(inner, kind, args), state), *value[2:]
    return value


def _prepend(inner, kind, args):
    inner, args = _as_in_files((inner, args))[:2]
    return inner, kind, args


def reduced(tensor, protocol):
    """The call that rebuilds a tensor, with PyTorch's functions and arguments.

    Parameters
    ----------
    tensor : Tensor
        Its class may have a `__reduce_ex__` of its own, which is asked then.
    protocol : int
        The pickle protocol.

    Returns
    -------
    tuple
        The function and its arguments, as `__reduce_ex__` returns them.
    """
    kind = type(tensor)
    method = kind.__reduce_ex__
    if method is Parameter.__reduce_ex__:
        state = rebuild._get_obj_state(tensor)
        args = (tensor.data, tensor.requires_grad, OrderedDict())
        return (rebuild._rebuild_parameter_with_state, (*args, state)) if state else (rebuild._rebuild_parameter, args)
    if method is not Tensor.__reduce_ex__:
        return _as_in_files(tensor.__reduce_ex__(protocol))
    with _core.DisableTorchFunctionSubclass():
        state = rebuild._get_obj_state(tensor)
        func, args = _plain(tensor)
    if kind is Tensor and not state:
        return func, args
    return rebuild._rebuild_from_type_v2, (func, kind, args, state)


class StorageTable:
    """The storages that a pickle refers to, in the order of their first mention.

    Parameters
    ----------
    key_of : callable
        Makes the key of a storage from it and the number of storages before it.
    tag : callable
        Gives the location of a storage.
    """

    def __init__(self, key_of, tag):
        self.key_of = key_of
        self.tag = tag
        self.storages = {}
        self._keys = {}
        self._dtypes = {}

    def entry(self, obj):
        """The storage class or name, key, location and number of elements of a storage, which is remembered.

        Raises
        ------
        RuntimeError
            If the same memory was saved with another dtype.
        """
        if isinstance(obj, TypedStorage):
            storage, dtype, kind, numel = obj._untyped_storage, obj.dtype, LEGACY[storage_name(obj.dtype)], obj._size()
        else:
            storage, dtype, kind, numel = obj, runtime.uint8, UntypedStorage, obj.nbytes()
        if storage.device.type != "meta" and storage.data_ptr() != 0 and self._dtypes.setdefault(storage.data_ptr(), dtype) is not dtype:
            raise RuntimeError("Cannot save multiple tensors or storages that view the same data as different types")
        key = self._keys.get(storage._cdata)
        if key is None:
            key = self._keys[storage._cdata] = self.key_of(storage, len(self._keys))
            self.storages[key] = (storage, dtype)
        return kind, key, self.tag(storage), numel


class Pickler(pickle._Pickler):
    """Python's pickler, writing PyTorch's names.

    Parameters
    ----------
    file : file object
    protocol : int
    identify : callable
        Gives the persistent id of a storage.
    """

    def __init__(self, file, protocol, identify):
        super().__init__(file, protocol)
        self._identify = identify
        if self.proto < 4:
            self.write = file.write  # there are no frames to collect

    def memoize(self, obj):
        index = len(self.memo)
        self.write(self.put(index))
        self.memo[id(obj)] = index, obj

    def save(self, obj, save_persistent_id=True):
        # What has a method of its own here needs none of the questions that the base class asks first.
        method = self.dispatch.get(type(obj))
        if method is None:
            super().save(obj)
            return
        self.framer.commit_frame()
        before = self.memo.get(id(obj))
        if before is None:
            method(self, obj)
        else:
            self.write(self.get(before[0]))

    def reducer_override(self, obj):
        if isinstance(obj, Tensor) and type(obj) not in copyreg.dispatch_table:
            return reduced(obj, self.proto)
        return NotImplemented

    def _save_tensor(self, obj):
        func, args = reduced(obj, self.proto)
        if func is not rebuild._rebuild_tensor_v2 or self.proto < 2:
            self.save_reduce(func, args, obj=obj)
            return
        # The commonest call, written as `save_reduce` would, without its detours.
        save, write, identity = self.save, self.write, self._identify(args[0])
        save(func)
        write(pickle.MARK + pickle.MARK)
        for part in identity:
            save(part)
        write(pickle.TUPLE)
        self.memoize(identity)
        write(pickle.BINPERSID)
        for part in args[1:]:
            save(part)
        write(pickle.TUPLE)
        self.memoize(args)
        write(pickle.REDUCE)
        self.memoize(obj)

    def save_global(self, obj, name=None):
        known = torch_name(obj)
        if known is None or "." in known[1] and self.proto < 4:
            super().save_global(obj, name)
            return
        if self.proto >= 4:
            self.save(known[0])
            self.save(known[1])
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{known[0]}\n{known[1]}\n".encode())
        self.memoize(obj)

    def _save_storage(self, obj):
        self.save(self._identify(obj))
        self.write(pickle.BINPERSID)

    def _save_layout(self, obj):
        self.save_reduce(rebuild._get_layout, (str(obj),), obj=obj)

    dispatch = pickle._Pickler.dispatch | {
        Tensor: _save_tensor,
        Parameter: _save_tensor,
        UntypedStorage: _save_storage,
        TypedStorage: _save_storage,
        runtime.dtype: save_global,
        runtime.memory_format: save_global,
        runtime.qscheme: save_global,
        runtime.layout: _save_layout,
        FunctionType: save_global,
        BuiltinFunctionType: save_global,
    }


def custom_pickler(module, file, protocol, identify):
    """A pickler of a module that the caller brought, with storages and tensors as in other files.

    Our functions and classes stand in it under our own names, which PyTorch does not know.
    """
    base = module.Pickler

    class CustomPickler(base):
        def persistent_id(self, obj):
            if isinstance(obj, (UntypedStorage, TypedStorage)):
                kind, name, *rest = identify(obj)
                return (kind, name.__name__, *rest)
            return None

        def reducer_override(self, obj):
            if isinstance(obj, Tensor):
                return reduced(obj, protocol)
            above = getattr(super(), "reducer_override", None)
            return NotImplemented if above is None else above(obj)

    return CustomPickler(file, protocol=protocol)
