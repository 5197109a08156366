"""What code says to a compiler of Python code, where there is none: nothing is compiled, and decorators give functions back."""

__all__ = ["allow_in_graph", "disable", "is_compiling", "is_dynamo_compiling"]


def disable(fn=None, recursive=True, *, reason=None):
    """A function as it is, or a decorator that gives functions back."""
    return fn if fn is not None else lambda function: function


def allow_in_graph(fn):
    """A function, or a sequence of functions, as it is."""
    return fn


def is_compiling():
    """False: no code is being compiled."""
    return False


is_dynamo_compiling = is_compiling
