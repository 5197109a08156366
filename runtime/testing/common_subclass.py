"""Subclasses of every kind for tests that run over all of them, in `subclass_db`."""

from copy import deepcopy

import runtime
from runtime import _core
from runtime._core import Tensor
from runtime.overrides import redispatch_function
from runtime.pytree import tree_leaves, tree_map
from runtime.testing.logging_tensor import LoggingTensor
from runtime.testing.wrapping import wrap_results, wrapper_like


class WrapperTensor(Tensor):
    """The base of wrappers that say in `get_wrapper_properties` what they look like from outside."""

    @staticmethod
    def __new__(cls, *args, **kwargs):
        example, properties = cls.get_wrapper_properties(*args, **kwargs)
        size = properties.pop("size") if "size" in properties else example.size()
        taken = {"dtype": example.dtype, "layout": example.layout, "device": example.device, "requires_grad": False}
        made = Tensor._make_wrapper_subclass(cls, size, **{**taken, **properties})
        made._validate_methods()
        return made

    @classmethod
    def get_wrapper_properties(cls, *args, **kwargs):
        """A tensor with the wrapper's metadata, and a dict of what differs from it."""
        raise NotImplementedError("You need to implement get_wrapper_properties")

    def _validate_methods(self):
        for name in ("size", "stride", "dtype", "layout", "device", "requires_grad"):
            if getattr(type(self), name) is not getattr(Tensor, name):
                raise RuntimeError(
                    f"Subclass {type(self).__name__} is overwriting the property {name} but this is not allowed as such change would not be "
                    "reflected to c++ callers."
                )

    @classmethod
    def on_parts(cls, part, wrap, func, args, kwargs):
        """Call an operator with `part` of each wrapper in its place, and `wrap` the tensors it returns."""

        def unwrap(leaf):
            return part(leaf) if isinstance(leaf, cls) else leaf

        return wrap_results(wrap, func(*tree_map(unwrap, args), **tree_map(unwrap, kwargs or {})))


class _AnswersQuestions(WrapperTensor):
    """A wrapper that is asked itself about its geometry."""

    policy = None

    @classmethod
    def get_wrapper_properties(cls, t, requires_grad=False):
        """Those of the tensor inside."""
        return t, {"requires_grad": requires_grad, "dispatch_sizes_strides_policy": cls.policy}

    def __init__(self, t, requires_grad=False):
        self.t = t

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if not all(issubclass(cls, t) for t in types):
            return NotImplemented
        return cls.on_parts(lambda wrapper: wrapper.t, cls, func, args, kwargs)

    def __repr__(self):
        return super().__repr__(tensor_contents=f"t={self.t}")


class WrapperTensorWithCustomSizes(_AnswersQuestions):
    """A wrapper that is asked about sizes and strides."""

    policy = "sizes"


class WrapperTensorWithCustomStrides(_AnswersQuestions):
    """A wrapper that is asked about strides."""

    policy = "strides"


class DiagTensorBelow(WrapperTensor):
    """A diagonal matrix that holds its diagonal; what is not diagonal comes out as a plain tensor.

    Rules for single operators, by ``func.__name__``, can be put into `handled_ops`.
    """

    handled_ops = {}

    @classmethod
    def get_wrapper_properties(cls, diag, requires_grad=False):
        """Those of the matrix."""
        if diag.ndim != 1:
            raise AssertionError(f"Expected diag.ndim == 1, got {diag.ndim}")
        return diag, {"size": diag.size() + diag.size(), "requires_grad": requires_grad}

    def __init__(self, diag, requires_grad=False):
        self.diag = diag

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if not all(issubclass(cls, t) for t in types):
            return NotImplemented
        rule = cls.handled_ops.get(func.__name__)
        if rule is not None:
            return rule(*args, **(kwargs or {}))

        def wrap(result):
            if result.ndim == 1:
                return DiagTensorBelow(result)
            diagonal = result.ndim == 2 and result.count_nonzero() == result.diag().count_nonzero()
            return DiagTensorBelow(result.diag()) if diagonal else result

        return cls.on_parts(lambda matrix: matrix.diag.diag(), wrap, func, args, kwargs)

    def __repr__(self):
        return super().__repr__(tensor_contents=f"diag={self.diag}")


class SparseTensor(WrapperTensor):
    """A tensor that holds the values that are not zero, and where they stand: a row of `indices` for each."""

    @classmethod
    def get_wrapper_properties(cls, size, values, indices, requires_grad=False):
        """Those of the dense tensor."""
        if values.device != indices.device:
            raise AssertionError(f"Expected values.device == indices.device, got {values.device} != {indices.device}")
        return values, {"size": size, "requires_grad": requires_grad}

    def __init__(self, size, values, indices, requires_grad=False):
        self.values = values
        self.indices = indices

    def __repr__(self):
        return super().__repr__(tensor_contents=f"values={self.values}, indices={self.indices}")

    def sparse_to_dense(self):
        """The plain tensor with the zeros."""
        dense = runtime.zeros(self.size(), dtype=self.values.dtype)
        dense[self.indices.unbind(1)] = self.values
        return dense

    @staticmethod
    def from_dense(t):
        """The SparseTensor of a plain one."""
        indices = t.nonzero()
        return SparseTensor(t.size(), t[indices.unbind(1)], indices)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return cls.on_parts(SparseTensor.sparse_to_dense, SparseTensor.from_dense, func, args, kwargs)


class NonWrapperTensor(Tensor):
    """A subclass that shares another tensor's memory and notes the last function called."""

    def __new__(cls, data):
        made = Tensor._make_subclass(cls, data)
        made.extra_state = {"last_func_called": None}
        return made

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        result = super().__torch_function__(func, types, args, kwargs)
        if isinstance(result, cls):
            copied = func is Tensor.__deepcopy__
            result.extra_state = deepcopy(args[0].extra_state) if copied else {"last_func_called": func.__name__}
        return result

    def new_empty(self, shape):
        """An instance; deepcopy makes the copy with it."""
        return type(self)(runtime.empty(shape))


class RedispatchTensor(Tensor):
    """A subclass that notes each function and lets what the function calls come back to it."""

    __slots__ = ["call_log"]

    def __new__(cls, data, call_log=None):
        made = Tensor._make_subclass(cls, data, require_grad=data.requires_grad)
        made.call_log = [] if call_log is None else call_log
        return made

    def __repr__(self):
        with _core.DisableTorchFunction():
            return super().__repr__()

    @classmethod
    def __torch_function__(cls, func, types, args, kwargs=None):
        logs = [leaf.call_log for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, RedispatchTensor)]
        log = logs[0] if logs else None
        if log is not None:
            log.append((func.__qualname__, types))

        def wrap(leaf):
            return cls(leaf, call_log=log) if isinstance(leaf, Tensor) and not isinstance(leaf, RedispatchTensor) else leaf

        return tree_map(wrap, redispatch_function(func, types, args, kwargs))


class SubclassInfo:
    """An entry of `subclass_db`.

    Parameters
    ----------
    name : str
    create_fn : callable
        Makes a tensor of the class from a shape.
    closed_under_ops : bool
        Whether operators on the class return the class.
    """

    __slots__ = ["name", "create_fn", "closed_under_ops"]

    def __init__(self, name, create_fn, closed_under_ops=True):
        self.name = name
        self.create_fn = create_fn
        self.closed_under_ops = closed_under_ops


def _entry(cls, name, **more):
    return SubclassInfo(name, lambda shape: cls(runtime.randn(shape)), **more)


subclass_db = {
    Tensor: SubclassInfo("base_tensor", runtime.randn),
    NonWrapperTensor: _entry(NonWrapperTensor, "non_wrapper_tensor"),
    LoggingTensor: _entry(LoggingTensor, "logging_tensor"),
    SparseTensor: SubclassInfo("sparse_tensor", lambda shape: SparseTensor.from_dense(runtime.randn(shape).relu())),
    DiagTensorBelow: _entry(DiagTensorBelow, "diag_tensor_below", closed_under_ops=False),
    WrapperTensorWithCustomSizes: _entry(WrapperTensorWithCustomSizes, "wrapper_with_custom_sizes", closed_under_ops=False),
    WrapperTensorWithCustomStrides: _entry(WrapperTensorWithCustomStrides, "wrapper_with_custom_strides", closed_under_ops=False),
    RedispatchTensor: _entry(RedispatchTensor, "redispatch_tensor"),
}


class SubclassWithTensorFactory(Tensor):
    """A wrapper whose handler makes a tensor of its own for every float argument."""

    @staticmethod
    def __new__(cls, src):
        return wrapper_like(cls, src)

    def __init__(self, src):
        self.src = src

    def __repr__(self):
        return type(self).__name__

    def __tensor_flatten__(self):
        return ["src"], None

    @classmethod
    def __tensor_unflatten__(cls, inner_tensors, meta, outer_size, outer_stride):
        return cls(inner_tensors["src"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        def unwrap(leaf):
            if not isinstance(leaf, cls):
                return leaf
            return leaf.src * runtime.ones(leaf.src.shape) if leaf.src.dtype == runtime.float32 else leaf.src

        return wrap_results(cls, func(*tree_map(unwrap, args), **tree_map(unwrap, kwargs or {})))
