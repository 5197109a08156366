"""`WrapperSubclass`: the plainest wrapper, one tensor inside and every operator run on it."""

from runtime._core import Tensor
from runtime.subclasses import return_and_correct_aliasing
from runtime.testing.two_tensor import TwoTensor
from runtime.testing.wrapping import call_inside, check_none, wrap_results, wrapper_like


class WrapperSubclass(Tensor):
    """A tensor around another of the same metadata.

    Parameters
    ----------
    a : Tensor
    outer_size, outer_stride : sequence of int, optional
        The wrapper's geometry, if it is not that of `a`.
    """

    @staticmethod
    def __new__(cls, a, outer_size=None, outer_stride=None):
        return wrapper_like(cls, a, outer_size, outer_stride)

    def __init__(self, a, outer_size=None, outer_stride=None):
        self.a = a

    def __repr__(self):
        return f"WrapperSubclass({self.a!r})"

    def __tensor_flatten__(self):
        return ["a"], None

    @staticmethod
    def __tensor_unflatten__(inner_tensors, meta, outer_size, outer_stride):
        check_none(meta)
        return WrapperSubclass(inner_tensors["a"], outer_size, outer_stride)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        result = wrap_results(WrapperSubclass, call_inside(WrapperSubclass, "a", func, args, kwargs))
        return return_and_correct_aliasing(func, args, kwargs or {}, result)

    def __coerce_same_metadata_as_tangent__(self, expected_metadata, expected_type=None):
        if expected_type is type(self.a):
            return self.a
        return TwoTensor(self.a, self.a.clone()) if expected_type is TwoTensor else None
