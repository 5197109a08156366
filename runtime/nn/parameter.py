"""Parameters and buffers: tensors that a module registers when they are assigned to its attributes."""

import runtime
from runtime._core import Tensor, _disabled_torch_function_impl, _set_attributes

__all__ = ["Buffer", "Parameter"]


class _ParameterMeta(type(Tensor)):
    """Tensors of other classes with a true `_is_param` are instances of Parameter."""

    def __instancecheck__(cls, instance):
        if type.__instancecheck__(cls, instance):
            return True
        return cls is Parameter and isinstance(instance, Tensor) and getattr(instance, "_is_param", False)


class Parameter(Tensor, metaclass=_ParameterMeta):
    """A tensor that counts as a parameter of the module that it is assigned to.

    Parameters
    ----------
    data : Tensor, optional
        The values, which are shared. A tensor of a subclass stays what it is and is marked as a parameter.
    requires_grad : bool
        Whether gradients are computed for it; `no_grad` makes no difference.

    Examples
    --------
    >>> import runtime
    >>> runtime.nn.Parameter(runtime.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = runtime.empty(0)
        if type(data) in (Tensor, Parameter):
            return Tensor._make_subclass(cls, data, requires_grad)
        marked = data.detach().requires_grad_(requires_grad)
        if type(marked) is not type(data):
            raise RuntimeError(
                f"Creating a Parameter from an instance of type {type(data).__name__} requires that detach() returns an instance of the same "
                f"type, but return type {type(marked).__name__} was found instead. To use the type as a Parameter, please correct the "
                "detach() semantics defined by its __torch_dispatch__() implementation."
            )
        marked._is_param = True
        return marked

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(memory_format=runtime.preserve_format), self.requires_grad)
        return memo[id(self)]

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, protocol):
        return _rebuilt_parameter, (type(self), self.data, self.requires_grad, self.__getstate__() or None)

    __torch_function__ = _disabled_torch_function_impl


def _rebuilt_parameter(cls, data, requires_grad, attributes):
    return _set_attributes(cls(data, requires_grad), attributes)


class _BufferMeta(type(Tensor)):
    """Tensors with a true `_is_buffer` are instances of Buffer."""

    def __instancecheck__(cls, instance):
        if type.__instancecheck__(cls, instance):
            return True
        return cls is Buffer and isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that is registered as a buffer when it is assigned to a module's attribute.

    Parameters
    ----------
    data : Tensor, optional
        The values, which are shared; the result is a tensor of the same class, marked as a buffer.
    persistent : bool
        Whether it is part of the module's state dict.
    """

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = runtime.empty(0)
        marked = data.detach().requires_grad_(data.requires_grad)
        marked.persistent = persistent
        marked._is_buffer = True
        return marked

    __torch_function__ = _disabled_torch_function_impl
