"""How views came to be, which says whether they may be written: PyTorch's names for what the core keeps. Tests and wrappers ask for it."""

import enum

from runtime import _core

__all__ = ["CreationMeta"]


class CreationMeta(enum.Enum):
    """How a view was made."""

    DEFAULT = 0
    IN_CUSTOM_FUNCTION = 1
    MULTI_OUTPUT_NODE = 2
    NO_GRAD_MODE = 3
    INFERENCE_MODE = 4


def _get_creation_meta(view):
    """How a view was made."""
    return CreationMeta(_core._creation_meta(view))


def _set_creation_meta(view, meta):
    """Let a view have been made otherwise."""
    _core._creation_meta(view, meta.value)
