"""Weak references to tensors, and dictionaries that hold their keys weakly and compare them by identity.

Tensors cannot be keys of `weakref.WeakKeyDictionary`: `==` compares their elements.
"""

import copy
import weakref
from collections.abc import Mapping, MutableMapping
from weakref import ref

from runtime._core import Tensor

__all__ = ["TensorWeakRef", "WeakIdKeyDictionary", "WeakIdRef", "WeakRef", "WeakTensorKeyDictionary", "WeakTensorRef", "WeakTensorRefKey"]

WeakRef = ref


class WeakIdRef(weakref.ref):
    """A weak reference that compares and hashes by the identity of what it refers to."""

    __slots__ = ("_id",)

    def __init__(self, key, callback=None):
        super().__init__(key, callback)
        self._id = id(key)

    def __call__(self):
        return super().__call__()

    def __hash__(self):
        return self._id

    def __eq__(self, other):
        mine, theirs = self(), other()
        # Where both are gone only the references themselves can be told apart.
        return mine is theirs if mine is not None and theirs is not None else self is other


#: References to tensors need nothing more here: a tensor's object lives as long as the tensor.
WeakTensorRefKey = WeakIdRef


class TensorWeakRef:
    """A weak reference to a tensor; call it for the tensor, or None."""

    __slots__ = ("ref",)

    def __init__(self, tensor):
        if not isinstance(tensor, Tensor):
            raise AssertionError(f"expected torch.Tensor, got {type(tensor)}")
        self.ref = weakref.ref(tensor)

    def __call__(self):
        return self.ref()


class WeakIdKeyDictionary(MutableMapping):
    """A dictionary whose keys are held weakly and compared by identity; an entry goes when its key dies.

    Parameters
    ----------
    dict : mapping, optional
        Entries to start with.
    ref_type : type
        The class of the references, a `WeakIdRef`.
    """

    def __init__(self, dict=None, ref_type=WeakIdRef):
        self.data = {}
        self.ref_type = ref_type
        data = weakref.ref(self)

        def forget(reference):
            owner = data()
            if owner is not None:
                owner.data.pop(reference, None)

        self._forget = forget
        if dict is not None:
            self.update(dict)

    def __getitem__(self, key):
        return self.data[self.ref_type(key)]

    def __setitem__(self, key, value):
        self.data[self.ref_type(key, self._forget)] = value

    def __delitem__(self, key):
        del self.data[self.ref_type(key)]

    def __contains__(self, key):
        try:
            return self.ref_type(key) in self.data
        except TypeError:
            return False

    def __len__(self):
        return sum(reference() is not None for reference in list(self.data))

    def __iter__(self):
        for reference in list(self.data):
            key = reference()
            if key is not None:
                yield key

    def items(self):
        """Pairs of the keys that are alive and their values."""
        for reference, value in list(self.data.items()):
            key = reference()
            if key is not None:
                yield key, value

    keys = __iter__

    def values(self):
        """The values of keys that are alive."""
        for _, value in self.items():
            yield value

    def keyrefs(self):
        """The references to the keys; those of dead keys may be among them."""
        return list(self.data)

    def popitem(self):
        """Take out and return some pair."""
        while self.data:
            reference, value = self.data.popitem()
            key = reference()
            if key is not None:
                return key, value
        raise KeyError("the dictionary is empty")

    def copy(self):
        """Another dictionary with the same keys and values."""
        return type(self)(self, ref_type=self.ref_type)

    __copy__ = copy

    def __deepcopy__(self, memo):
        made = type(self)(ref_type=self.ref_type)
        for key, value in self.items():
            made[key] = copy.deepcopy(value, memo)
        return made

    def __or__(self, other):
        if not isinstance(other, Mapping):
            return NotImplemented
        made = self.copy()
        made.update(other)
        return made

    def __ror__(self, other):
        if not isinstance(other, Mapping):
            return NotImplemented
        made = type(self)(other, ref_type=self.ref_type)
        made.update(self)
        return made

    def __ior__(self, other):
        self.update(other)
        return self

    def __eq__(self, other):
        if not isinstance(other, Mapping):
            return NotImplemented
        return {id(k): v for k, v in self.items()} == {id(k): v for k, v in other.items()}

    def __repr__(self):
        return f"<{type(self).__name__} at {id(self):#x}>"


WeakTensorKeyDictionary = WeakIdKeyDictionary


class WeakTensorRef:
    """Whether a tensor is still alive.

    Parameters
    ----------
    tensor : Tensor
    """

    def __init__(self, tensor):
        self._ref = ref(tensor)

    def expired(self):
        """Whether it is gone."""
        return self._ref() is None
