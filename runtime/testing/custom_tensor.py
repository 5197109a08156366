"""Wrapper subclasses with something of their own: metadata beside the tensor, and one whose operators return plain tensors."""

from collections import namedtuple

from runtime._core import Tensor
from runtime.subclasses import return_and_correct_aliasing
from runtime.testing.wrapping import call_inside, wrap_results, wrapper_like

FancyNamedTuple = namedtuple("FancyNamedTuple", ["foo", "bar"])


class ConstantExtraMetadataTensor(Tensor):
    """A tensor around another, with a number that every result gets anew."""

    @staticmethod
    def __new__(cls, elem):
        return wrapper_like(cls, elem)

    def __init__(self, elem):
        self.elem = elem
        self.constant_attribute = 4

    def __repr__(self):
        return f"CustomTensor({self.elem!r})"

    def get_complicated_metadata(self):
        """The number, twice, in a named tuple."""
        return FancyNamedTuple(self.constant_attribute, self.constant_attribute)

    def __tensor_flatten__(self):
        return ["elem"], self.constant_attribute

    @staticmethod
    def __tensor_unflatten__(inner_tensors, meta, outer_size, outer_stride):
        if meta is None:
            raise AssertionError("Expected meta to not be None")
        made = ConstantExtraMetadataTensor(inner_tensors["elem"])
        made.constant_attribute = meta
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        inner = call_inside(ConstantExtraMetadataTensor, "elem", func, args, kwargs)
        return return_and_correct_aliasing(func, args, kwargs or {}, wrap_results(ConstantExtraMetadataTensor, inner))


class CustomTensorPlainOut(Tensor):
    """Two tensors as one; views stay in the class, all other operators return the plain sum of both results."""

    @staticmethod
    def __new__(cls, elem1, elem2):
        return wrapper_like(cls, elem1)

    def __init__(self, elem1, elem2):
        self.elem1 = elem1
        self.elem2 = elem2

    def get_elem(self):
        """The first tensor."""
        return self.elem1

    def __repr__(self):
        return f"CustomTensorPlainOut({self.elem1!r}, {self.elem2!r})"

    def __tensor_flatten__(self):
        return ["elem1", "elem2"], None

    @staticmethod
    def __tensor_unflatten__(inner_tensors, meta, outer_size, outer_stride):
        return CustomTensorPlainOut(inner_tensors["elem1"], inner_tensors["elem2"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        results = [call_inside(CustomTensorPlainOut, name, func, args, kwargs) for name in ("elem1", "elem2")]
        if func.is_view:
            return return_and_correct_aliasing(func, args, kwargs or {}, wrap_results(CustomTensorPlainOut, *results))
        return wrap_results(lambda a, b: a + b, *results)
