"""The autograd graph for users: nodes, edges, and hooks on what is saved and computed."""

from runtime import _core
from runtime._core import Node

__all__ = ["Node"]


def saved_property(name):
    """``_saved_NAME`` of a node class."""
    return property(lambda node: _core._saved_value(node, name))


def raw_saved_property(name):
    """``_raw_saved_NAME`` of a node class."""
    return property(lambda node: _core._raw_saved_value(node, name))
