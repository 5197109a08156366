"""What the data model is built with: immutable nodes, an ordered set, namespaced names, and errors that say where.

Nothing here knows an operator. The modules of the model, `gen` and the build import from it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, dataclass_transform

__all__ = ["NamespaceHelper", "OrderedSet", "add_context", "frozen"]

T = TypeVar("T")


def _once(compute, slot):
    """`compute` as a method that remembers its result in the instance."""

    def method(self):
        try:
            return self.__dict__[slot]
        except KeyError:
            value = self.__dict__[slot] = compute(self)
            return value

    return method


def _fields_only(self):
    return {name: self.__dict__[name] for name in self.__dataclass_fields__}


@dataclass_transform(frozen_default=True)
def frozen(cls):
    """Make a class a frozen dataclass whose hash, and text if it prints itself, are computed once.

    Schemas are compared and looked up by the thousand while operators are grouped, and a node of the tree hashes all
    that is below it. What is remembered stands beside the fields, takes no part in equality, and is left out of copies
    and pickles: hashes of strings differ from process to process.
    """
    cls = dataclass(frozen=True)(cls)
    cls.__hash__ = _once(cls.__hash__, "_hash")
    if "__str__" in cls.__dict__:
        cls.__str__ = _once(cls.__str__, "_text")
    cls.__getstate__ = _fields_only
    return cls


def add_context(error: Exception, text: str) -> None:
    """Append indented lines to the message of an exception that is on its way."""
    message = f"{error.args[0] if error.args else type(error).__name__}\n{textwrap.indent(text, '  ')}"
    error.args = (message, *error.args[1:])


class NamespaceHelper:
    """A C++ name split into its namespaces and the entity.

    Parameters
    ----------
    namespace_str : str
        Namespaces with ``::`` between; empty if there is none.
    entity_name : str
        The name inside them.
    max_level : int
        How many namespaces are allowed.

    Raises
    ------
    AssertionError
        If there are more.

    Examples
    --------
    >>> helper = NamespaceHelper.from_namespaced_entity("torch::lazy::add")
    >>> helper.entity_name, helper.get_cpp_namespace()
    ('add', 'torch::lazy')
    """

    def __init__(self, namespace_str: str, entity_name: str = "", max_level: int = 2):
        names = namespace_str.split("::")
        if len(names) > max_level:
            raise AssertionError(f"Codegen doesn't support more than {max_level} level(s) of custom namespace. Got {namespace_str}.")
        self.cpp_namespace_, self.namespaces_, self.entity_name_ = namespace_str, names, entity_name

    @staticmethod
    def from_namespaced_entity(namespaced_entity: str, max_level: int = 2) -> NamespaceHelper:
        """Split a qualified name at its last ``::``."""
        namespace, _, entity = namespaced_entity.rpartition("::")
        return NamespaceHelper(namespace, entity, max_level)

    @property
    def prologue(self) -> str:
        """The lines that open the namespaces."""
        return "\n".join(f"namespace {name} {{" for name in self.namespaces_)

    @property
    def epilogue(self) -> str:
        """The lines that close them."""
        return "\n".join(f"}} // namespace {name}" for name in reversed(self.namespaces_))

    @property
    def entity_name(self) -> str:
        """The name inside the namespaces."""
        return self.entity_name_

    def get_cpp_namespace(self, default: str = "") -> str:
        """The namespaces with ``::`` between, or `default` if there is none."""
        return self.cpp_namespace_ or default


class OrderedSet(Generic[T]):
    """A set that iterates in the order of insertion; equal to any set with the same elements."""

    storage: dict[T, None]

    def __init__(self, iterable: Iterable[T] | None = None):
        self.storage = dict.fromkeys(() if iterable is None else iterable)

    def __contains__(self, item: object) -> bool:
        return item in self.storage

    def __iter__(self) -> Iterator[T]:
        return iter(self.storage)

    def __len__(self) -> int:
        return len(self.storage)

    def __repr__(self) -> str:
        return f"OrderedSet({list(self.storage)!r})"

    def add(self, item: T) -> None:
        self.storage[item] = None

    def update(self, items: OrderedSet[T]) -> None:
        self.storage.update(items.storage)

    def copy(self) -> OrderedSet[T]:
        return OrderedSet(self.storage)

    @staticmethod
    def union(*args: OrderedSet[T]) -> OrderedSet[T]:
        """A new set of the elements of all, in the order of their first occurrence."""
        result = args[0].copy()
        for other in args[1:]:
            result.update(other)
        return result

    def __or__(self, other: OrderedSet[T]) -> OrderedSet[T]:
        return OrderedSet.union(self, other)

    def __ior__(self, other: OrderedSet[T]) -> OrderedSet[T]:
        self.update(other)
        return self

    def __eq__(self, other: object) -> bool:
        return self.storage == other.storage if isinstance(other, OrderedSet) else set(self.storage) == other

    __hash__ = None
