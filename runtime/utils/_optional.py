"""Packages that may be missing: whether they are there, without importing them."""

import importlib
from functools import cache
from importlib.util import find_spec

__all__ = ["dill_available", "import_dill"]


def _check_module_exists(name):
    """Whether a module can be found; a top-level one is not imported."""
    try:
        return find_spec(name) is not None
    except ImportError:
        return False


@cache
def dill_available():
    """Whether the package dill is installed."""
    return _check_module_exists("dill")


@cache
def import_dill():
    """The package dill, or None; it leaves the standard pickler as that is."""
    if not dill_available():
        return None
    dill = importlib.import_module("dill")
    dill.extend(use_dill=False)
    return dill
