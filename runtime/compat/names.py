"""Resolving dotted names by the table, and the module objects that stand for PyTorch's modules."""

from functools import cache
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

from runtime import _core
from runtime.compat.pending import is_pending, pending_class, pending_function
from runtime.compat.table import EXPORTS, MODULES, NAMES, PENDING_CLASSES, PENDING_FUNCTIONS, PENDING_MODULES

_MISSING = object()
_CONSTANTS = (_core.dtype, _core.layout, _core.memory_format, ModuleType)


def _all_names():
    return (*NAMES, *MODULES, *PENDING_CLASSES, *PENDING_FUNCTIONS, *PENDING_MODULES)


@cache
def _packages():
    """Every dotted name that has names below it in the table."""
    parents = set()
    for name in _all_names():
        parts = name.split(".")
        parents.update(".".join(parts[:i]) for i in range(1, len(parts)))
    # A class is not a module, though names below it may be listed.
    return parents - set(NAMES) - PENDING_CLASSES - PENDING_FUNCTIONS


def is_module(name):
    """Whether a dotted name stands for a module."""
    return name in MODULES or name in PENDING_MODULES or name in _packages()


def _load(target):
    module, _, attribute = target.partition(":")
    value = import_module(module)
    for part in attribute.split(".") if attribute else ():
        value = getattr(value, part)
    return value


@cache
def _pending(name):
    return pending_class(name) if name in PENDING_CLASSES else pending_function(name)


@cache
def _alias(name):
    return AliasModule(name)


def _lookup(name):
    if name in NAMES:
        return _load(NAMES[name])
    if is_module(name):
        return _alias(name)
    if name in PENDING_CLASSES or name in PENDING_FUNCTIONS:
        return _pending(name)
    parent, _, attribute = name.rpartition(".")
    if not parent:
        return _MISSING
    if is_module(parent):
        for target in MODULES.get(parent, ()):
            value = vars(import_module(target)).get(attribute, _MISSING)
            # What our modules import for themselves is no name of PyTorch's.
            if value is not _MISSING and not isinstance(value, ModuleType):
                return value
        if parent == "torch.return_types":  # they are made when they are asked for
            return getattr(import_module("runtime.return_types"), attribute, _MISSING)
        if parent == "torch._C._functions":  # so are classes of nodes
            found = import_module("runtime._core")._node_class(attribute)
            return _MISSING if found is None else found
        return _MISSING
    owner = _lookup(parent)
    return _MISSING if owner is _MISSING else getattr(owner, attribute, _MISSING)


def resolve(name):
    """The object behind one of PyTorch's dotted names.

    Parameters
    ----------
    name : str
        Such as ``"torch._C.DispatchKeySet"``.

    Returns
    -------
    object
        Ours, an alias module, or a pending object that raises NotImplementedError when used.

    Raises
    ------
    AttributeError
        If the name is unknown.

    Examples
    --------
    >>> from runtime import compat
    >>> compat.resolve("torch._C.DispatchKey.CPU")
    <DispatchKey.CPU: 49>
    """
    if not isinstance(name, str):
        raise TypeError(f"resolve() takes a dotted name, not {type(name).__name__}")
    value = _lookup(name)
    if value is _MISSING:
        raise AttributeError(f"runtime.compat knows no name {name}")
    return value


def state(name):
    """``"works"``, ``"pending"`` or ``"unknown"`` for a dotted name."""
    try:
        value = _lookup(name)
    except NotImplementedError:
        return "pending"
    if value is _MISSING:
        return "unknown"
    return "pending" if name in PENDING_MODULES or is_pending(value) else "works"


class AliasModule(ModuleType):
    """A module of PyTorch's, whose attributes come from the table."""

    def __init__(self, name):
        super().__init__(name, f"{name}, as `runtime.compat` offers it")
        self.__path__ = []
        self.__spec__ = ModuleSpec(name, None, is_package=True)

    def __getattr__(self, attribute):
        if attribute == "__all__":
            return list(EXPORTS.get(self.__name__) or self._public())
        if attribute == "__file__" and self.__name__ == "torch":
            return import_module("runtime").__file__
        if attribute.startswith("__") and f"{self.__name__}.{attribute}" not in ("torch.__version__", "torch.__config__") and not is_module(
            f"{self.__name__}.{attribute}"
        ):
            raise AttributeError(attribute)
        name = f"{self.__name__}.{attribute}"
        value = _lookup(name)
        if value is _MISSING:
            raise AttributeError(f"module '{self.__name__}' has no attribute '{attribute}' (runtime.compat knows no such name)")
        if callable(value) or isinstance(value, _CONSTANTS):
            vars(self)[attribute] = value  # these stay what they are; a look-up by the table costs microseconds
        return value

    def __reduce__(self):
        return _alias, (self.__name__,)  # picklers that know modules know only the plain type

    def __setattr__(self, attribute, value):
        # Importing a module binds it in its package; a function of the same name stays the attribute, as in PyTorch.
        if isinstance(value, AliasModule) and f"{self.__name__}.{attribute}" in NAMES:
            return
        super().__setattr__(attribute, value)

    def _public(self):
        """What a star import takes: what our modules say, where they say so, and the names of the table."""
        prefix = self.__name__ + "."
        names = {n[len(prefix) :] for n in (*NAMES, *PENDING_CLASSES, *PENDING_FUNCTIONS) if n.startswith(prefix)}
        for target in MODULES.get(self.__name__, ()):
            module = import_module(target)
            names.update(module.__all__ if hasattr(module, "__all__") else vars(module))
        present = set(dir(self))
        return sorted(n for n in names if not n.startswith("_") and n in present)

    def __dir__(self):
        prefix = self.__name__ + "."
        names = {n[len(prefix) :].partition(".")[0] for n in _all_names() if n.startswith(prefix)}
        for target in MODULES.get(self.__name__, ()):
            names.update(n for n, v in vars(import_module(target)).items() if not n.startswith("__") and not isinstance(v, ModuleType))
        return sorted(names)


class Finder:
    """Finds alias modules for the roots that it serves."""

    def __init__(self, roots):
        self.roots = roots

    def find_spec(self, name, path=None, target=None):
        """The spec of an alias module, or None for other names."""
        if name.partition(".")[0] in self.roots and is_module(name):
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        """The alias module itself."""
        return _alias(spec.name)

    def exec_module(self, module):
        """Nothing to execute: attributes are looked up."""


#: The root, for the modules of PyTorch's through which programs reach it.
torch = _alias("torch")
