"""What code says to PyTorch's compiler of Python source (`torch.jit`) when nothing is compiled: decorators give functions back."""

from typing import Final as Final


def is_scripting():
    """False: the code that asks runs as Python."""
    return False


def is_tracing():
    """False: no calls are recorded for a compiler."""
    return False


def export(fn):
    """A method, as it is."""
    return fn


def unused(fn):
    """A method, as it is."""
    return fn


def ignore(drop=False, **kwargs):
    """A function as it is, or a decorator that gives functions back."""
    return drop if callable(drop) else lambda fn: fn


def boolean_dispatch(arg_name, arg_index, default, if_true, if_false, module_name, func_name):
    """A function that calls one of two others, as a boolean argument of the call says.

    Parameters
    ----------
    arg_name : str
    arg_index : int
        Its position.
    default : bool
    if_true, if_false : callable
        They get all arguments.
    module_name, func_name : str or None
        What the function is called.
    """

    def call(*args, **kwargs):
        chosen = args[arg_index] if len(args) > arg_index else kwargs.get(arg_name, default)
        return (if_true if chosen else if_false)(*args, **kwargs)

    call.__doc__ = if_true.__doc__ or if_false.__doc__
    if module_name is not None:
        call.__module__ = module_name
    if func_name is not None:
        call.__name__ = func_name
    return call


def _assert(condition, message):
    """Raise AssertionError with a message unless a condition, which may be a tensor, holds."""
    if not condition:
        raise AssertionError(message)
