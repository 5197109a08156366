"""Stand-ins for names of systems that are not built yet.

They can be imported, assigned, compared, tested by `isinstance`, and classes can be derived from them; whatever else is done with them
raises NotImplementedError with the name.
"""


def _error(name):
    return NotImplementedError(f"{name} is not built yet in this runtime")


def _raising(method):
    def use(self, *args, **kwargs):
        raise _error(self.pending_name)

    use.__name__ = method
    return use


def _missing_attribute(self, attribute):
    # Python asks for special names to find out what an object can do.
    if attribute.startswith("__"):
        raise AttributeError(attribute)
    raise _error(f"{self.pending_name}.{attribute}")


_USES = ("__call__", "__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__", "__contains__")


class _PendingType(type):
    __getattr__ = _missing_attribute

    def __repr__(cls):
        return f"<pending {cls.pending_name}>"


class _Pending:
    __getattr__ = _missing_attribute

    def __init__(self, name):
        self.__name__ = self.__qualname__ = name.rpartition(".")[2]
        self.pending_name = name

    def __repr__(self):
        return f"<pending {self.pending_name}>"


for _method in _USES:
    setattr(_PendingType, _method, _raising(_method))
for _method in (*_USES, "__bool__", "__enter__", "__exit__"):
    setattr(_Pending, _method, _raising(_method))


def pending_class(name):
    """A class that raises NotImplementedError when it, or a subclass, is instantiated or asked for attributes."""
    return _PendingType(name.rpartition(".")[2], (), {"pending_name": name, "__module__": "runtime.compat"})


def pending_function(name):
    """A function, or a value such as a table, that raises NotImplementedError when it is called, indexed or otherwise used."""
    return _Pending(name)


def is_pending(value):
    """Whether an object is one of these stand-ins."""
    return isinstance(value, (_PendingType, _Pending))
