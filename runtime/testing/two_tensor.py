"""`TwoTensor`: a wrapper around two tensors that runs every operator on both, and a mode that makes factories return them."""

from runtime._core import Tensor, TorchDispatchMode
from runtime.subclasses import return_and_correct_aliasing
from runtime.testing.wrapping import call_inside, check_none, wrap_results, wrapper_like


class TwoTensor(Tensor):
    """Two tensors of the same metadata as one; its own metadata is that of the first.

    Parameters
    ----------
    a, b : Tensor
    outer_size, outer_stride : sequence of int, optional
        The wrapper's geometry, if it is not that of `a`.
    requires_grad : bool, optional
        Whether the wrapper does; otherwise as `a`.
    """

    @staticmethod
    def __new__(cls, a, b, outer_size=None, outer_stride=None, *, requires_grad=None):
        for name in ("device", "layout", "requires_grad", "dtype"):
            if getattr(a, name) != getattr(b, name):
                raise AssertionError("Expected a and b to have same device, layout, requires_grad, and dtype")
        for name, of in (("shape", Tensor.size), ("stride()", Tensor.stride), ("storage_offset()", Tensor.storage_offset)):
            if of(a) != of(b):
                raise AssertionError(f"Expected a.{name} == b.{name}, got {of(a)} != {of(b)}")
        return wrapper_like(cls, a, outer_size, outer_stride, requires_grad or a.requires_grad)

    def __init__(self, a, b, outer_size=None, outer_stride=None, *, requires_grad=None):
        self.a = a
        self.b = b

    def __repr__(self):
        return f"TwoTensor({self.a!r}, {self.b!r})"

    def __tensor_flatten__(self):
        return ["a", "b"], None

    @staticmethod
    def __tensor_unflatten__(inner_tensors, meta, outer_size, outer_stride):
        check_none(meta)
        a, b = inner_tensors["a"], inner_tensors["b"]
        if type(a) is Tensor and (outer_size is None or outer_stride is None):
            raise AssertionError("Expected outer_size and outer_stride to not be None")
        return TwoTensor(a, b, outer_size, outer_stride)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        results = [call_inside(TwoTensor, name, func, args, kwargs) for name in ("a", "b")]
        return return_and_correct_aliasing(func, args, kwargs or {}, wrap_results(cls, *results))

    def get_elem_a(self):
        """The first tensor."""
        return self.a


def _makes_a_tensor(func):
    schema = func._schema
    return [str(value.type) for value in schema.returns] == ["Tensor"] and not any("Tensor" in str(value.type) for value in schema.arguments)


class TwoTensorMode(TorchDispatchMode):
    """Operators that make a tensor from none make a TwoTensor of two copies."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        return TwoTensor(result, result.clone()) if _makes_a_tensor(func) else result
