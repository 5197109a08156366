"""Stand-ins for names of systems that are not built yet: they import, can be subclassed and decorated with, and raise when used."""

from types import FunctionType


class _PendingType(type):
    def __call__(cls, *args, **kwargs):
        raise NotImplementedError(f"{cls.pending_name} is not built yet in this runtime")

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotImplementedError(f"{cls.pending_name}.{name} is not built yet in this runtime")

    def __repr__(cls):
        return f"<pending {cls.pending_name}>"


def pending_class(name):
    """A class that raises NotImplementedError when it, or a subclass, is instantiated or asked for attributes."""
    return _PendingType(name.rpartition(".")[2], (), {"pending_name": name, "__module__": "runtime.compat"})


def pending_function(name):
    """A function that raises NotImplementedError when it is called."""

    def function(*args, **kwargs):
        raise NotImplementedError(f"{name} is not built yet in this runtime")

    function.__name__ = function.__qualname__ = name.rpartition(".")[2]
    function.__module__ = "runtime.compat"
    function.pending_name = name
    return function


def is_pending(value):
    """Whether an object is one of these stand-ins."""
    return isinstance(value, _PendingType) or (isinstance(value, FunctionType) and hasattr(value, "pending_name"))
