"""Extending from Python: defining and implementing operators by qualified name.

The `Library` class is in the extension module (runtime/core/library.pxi); this module adds the functions around it.
"""

from contextlib import contextmanager

from runtime._core import (
    DispatchKey,
    Library,
    _defs,
    _del_library,
    _dispatch_key_for_device,
    _impls,
    _reserved_namespaces,
    fallthrough_kernel,
)

__all__ = ["Library", "define", "fallthrough_kernel", "impl"]

# Registrations made through `define` and `impl` without a library last as long as the process.
_keep_alive = []


@contextmanager
def _scoped_library(*args, **kwargs):
    """A `Library` that takes its registrations back at the end of the ``with`` block."""
    library = Library(*args, **kwargs)
    try:
        yield library
    finally:
        library._destroy()


def _split(qualname):
    if not isinstance(qualname, str):
        raise ValueError(f"define(qualname, schema): expected qualname to be instance of str, got {type(qualname)}")
    namespace, separator, name = qualname.partition("::")
    if not separator or not namespace or "::" in name:
        raise ValueError(
            f'Expected `qualname` to be of the form "namespace::name", but got {qualname}. The qualname passed to the torch.library APIs '
            "must consist of a namespace and a name, e.g. aten::sin"
        )
    return namespace, name


def define(qualname, schema=None, *, lib=None, tags=(), alias_analysis=""):
    """Define an operator.

    Parameters
    ----------
    qualname : str or Library
        ``"namespace::name"``. Given a Library, `define` is a decorator: ``@define(lib, "name(Tensor x) -> Tensor")`` defines the
        operator and registers the function as its CompositeImplicitAutograd kernel.
    schema : str
        ``"(Tensor x) -> Tensor"``, or the full schema for the decorator.
    lib : Library, optional
        The library that owns the definition; without one it lasts as long as the process.
    tags : Tag or sequence of Tag
        Tags of the operator.
    alias_analysis : {"", "FROM_SCHEMA", "CONSERVATIVE"}
        For the decorator.

    Raises
    ------
    ValueError
        If the name or the schema is not of the form above.
    """
    if isinstance(qualname, Library):
        library, text = qualname, schema

        def decorate(function):
            name = library.define(text, alias_analysis, tags=tags)
            library.impl(text.partition("(")[0].strip() if "." in text.partition("(")[0] else name, function)
            return function

        return decorate
    namespace, name = _split(qualname)
    if not isinstance(schema, str) or not schema.strip().startswith("("):
        raise ValueError(
            f'define(qualname, schema, ...): expected schema to look like e.g. "(Tensor x) -> Tensor" but got "{schema}"'
        )
    if lib is None:
        lib = Library(namespace, "FRAGMENT")
        _keep_alive.append(lib)
    lib.define(name + schema, alias_analysis="", tags=tags)


def _key_of_type(name):
    if name == "default":
        return "CompositeExplicitAutograd"
    return _dispatch_key_for_device(name.lower())


def impl(qualname, types, func=None, *, lib=None):
    """Register a kernel.

    Parameters
    ----------
    qualname : str or Library
        ``"namespace::name"``. Given a Library, `impl` is a decorator: ``@impl(lib, "name", "CPU")``.
    types : str or sequence of str
        Device types such as ``"cpu"``, or ``"default"`` for a kernel that serves all; for the decorator on a Library, the operator's
        name.
    func : callable, optional
        The kernel; without it `impl` returns a decorator. For the decorator on a Library, the dispatch key.
    lib : Library, optional
        The library that owns the registration; without one it lasts as long as the process.
    """
    if isinstance(qualname, Library):
        library, name, key = qualname, types, func or ""

        def decorate_library(function):
            library.impl(name, function, key)
            return function

        return decorate_library
    if isinstance(types, str):
        types = (types,)
    keys = {_key_of_type(t) for t in types}

    def register(function):
        nonlocal lib
        namespace, _ = _split(qualname)
        if lib is None:
            lib = Library(namespace, "FRAGMENT")
            _keep_alive.append(lib)
        for key in sorted(keys):
            lib.impl(qualname, function, key, allow_override=True)

    if func is None:
        return register
    register(func)
    return None


__all__ += ["DispatchKey", "_defs", "_del_library", "_impls", "_reserved_namespaces", "_scoped_library"]


def __getattr__(name):
    # Functions of later systems are pending names.
    from runtime.compat import resolve

    return resolve(f"torch.library.{name}")
