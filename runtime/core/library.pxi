# Library: a group of registrations with the lifetime of a Python object.
#
# The finalizer holds the sets and the registrations, never the library, and kernels hold their function, never the library: so
# deleting the last reference takes everything back at once, without the garbage collector.

_impls = set()   # "ns/op.overload/KEY" of every kernel registered through a Library
_defs = set()    # "ns::op.overload" of every definition made through a Library
_reserved_namespaces = ["prim"]


def _del_library(captured_impls, op_impls, captured_defs, op_defs, registration_handles, m):
    """Take back what a library registered; its finalizer, and `_destroy`."""
    for name in op_defs:
        ns, _, rest = name.partition("::")
        forget_packet(f"{ns}::{rest.partition('.')[0]}")
    captured_impls -= op_impls
    captured_defs -= op_defs
    for handle in registration_handles:
        handle.destroy()
    if m is not None:
        m.reset()


cdef class Library:
    """Definitions and implementations of operators in one namespace; taken back when the object dies.

    Parameters
    ----------
    ns : str
        The namespace; ``"_"`` (IMPL) for backend fallbacks.
    kind : {"DEF", "IMPL", "FRAGMENT"}
        DEF owns the namespace (one owner only) and defines operators; FRAGMENT defines operators in a namespace that may have an
        owner; IMPL only implements.
    dispatch_key : str, optional
        The key of all implementations made through this object.

    Raises
    ------
    ValueError
        For an unknown kind or a reserved namespace.
    RuntimeError
        For a second DEF of a namespace; the message names both places.
    """
    cdef readonly object m
    cdef readonly str ns
    cdef readonly str kind
    cdef readonly str dispatch_key
    cdef readonly set _op_impls
    cdef readonly set _op_defs
    cdef readonly list _registration_handles
    cdef object finalizer
    cdef object __weakref__

    def __init__(self, ns, kind, dispatch_key=""):
        if kind not in ("IMPL", "DEF", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        if ns in _reserved_namespaces and kind in ("DEF", "FRAGMENT"):
            raise ValueError(f"{ns} is a reserved namespace. Please try creating a library with another name.")
        if not isinstance(ns, str):
            raise TypeError(f"Library(): ns must be a str, not {type(ns).__name__}")
        from weakref import finalize
        file, line = caller_site()
        self.m = _dispatch_library(kind, ns, dispatch_key, file, line)
        self.ns = ns
        self.kind = kind
        self.dispatch_key = dispatch_key
        self._op_impls = set()
        self._op_defs = set()
        self._registration_handles = []
        self.finalizer = finalize(self, _del_library, _impls, self._op_impls, _defs, self._op_defs, self._registration_handles, self.m)
        self.finalizer.atexit = False

    def __repr__(self):
        return f"Library(kind={self.kind}, ns={self.ns}, dispatch_key={self.dispatch_key})>"

    def define(self, schema, alias_analysis="", *, tags=()):
        """Define an operator of this namespace.

        Parameters
        ----------
        schema : str
            ``name.overload(arguments) -> returns``.
        alias_analysis : {"", "FROM_SCHEMA", "CONSERVATIVE"}
            How far the schema's alias annotations may be trusted.
        tags : Tag or sequence of Tag
            Tags of the operator.

        Returns
        -------
        str
            The operator's name.

        Raises
        ------
        RuntimeError
            If the schema has mistakes, or the operator is defined already.
        ValueError
            If the schema does not do what ``Tag.inplace`` or ``Tag.out`` promises.
        """
        self.check_alive()
        if not isinstance(schema, str):
            raise TypeError(f"define(): schema must be a str, not {type(schema).__name__}")
        if alias_analysis not in ("", "FROM_SCHEMA", "CONSERVATIVE"):
            raise RuntimeError(f"Invalid alias_analysis type {alias_analysis}")
        if isinstance(tags, Tag):
            tags = (tags,)
        else:
            tags = tuple(tags)
        promised = {tag.name for tag in tags if isinstance(tag, Tag)} & {"inplace", "out"}
        if promised:
            from runtime.tag_rules import check_inplace, check_out
            if "out" in promised:
                check_out(schema)
            if "inplace" in promised:
                check_inplace(schema)
        name = (<_DispatchModule>self.m).define(schema, alias_analysis, tags)
        qualified = schema.partition("(")[0].strip()
        if "::" not in qualified:
            qualified = f"{self.ns}::{qualified}"
        self._op_defs.add(qualified)
        _defs.add(qualified)
        return name

    def impl(self, op_name, fn, dispatch_key="", *, with_keyset=False, allow_override=False, accepts_foreign=False):
        """Register a kernel.

        Parameters
        ----------
        op_name : str or OpOverload
            The operator; the definition may come later.
        fn : callable, function pointer or kernel object
            A Python callable, `fallthrough_kernel`, a ctypes or cffi function pointer or PyCapsule with a boxed kernel, or a
            `TypedKernel` (Numba functions too).
        dispatch_key : str or DispatchKey, optional
            The key; the library's own, or CompositeImplicitAutograd, if not given.
        with_keyset : bool
            Whether a Python callable gets the DispatchKeySet first.
        allow_override : bool
            Whether to register although a Python kernel stands at this key already.
        accepts_foreign : bool
            Whether the kernel takes foreign arrays raw (see `register_array_type`).

        Raises
        ------
        RuntimeError
            If the key has a Python kernel already, the namespace or key contradicts the library's, or a Meta kernel is registered
            for a CompositeImplicitAutograd operator.
        TypeError
            If `fn` is no kernel.
        """
        cdef _DispatchModule m
        cdef Kernel kernel
        cdef int key = -1
        self.check_alive()
        m = self.m
        if not callable(fn) and native_kernel(fn, "", 0) is None:
            raise TypeError(f"Input function is required to be a callable but found type {type(fn)}")
        if not dispatch_key:
            dispatch_key = self.dispatch_key
        if isinstance(op_name, str):
            name = op_name
        elif isinstance(op_name, OpOverload):
            name = (<OpOverload>op_name)._name
        else:
            raise RuntimeError(f"impl should be passed either a name or an OpOverload object as the first argument, got {type(op_name)}")
        if dispatch_key:
            key = key_value(dispatch_key)
        shown = key_names[key] if key >= 0 else ""
        parts = split_name(name)
        short = parts[1] + (f".{parts[2]}" if parts[2] else "")
        entry = f"{self.ns}/{short}/{shown}"
        if not allow_override and entry in _impls:
            raise RuntimeError(f"This is not allowed since there's already a kernel registered from python overriding {short}'s behavior for "
                               f"{shown} dispatch key and {self.ns} namespace.")
        if shown == "Meta":
            operator = operators.get((f"{parts[0] or self.ns}::{parts[1]}", parts[2]))
            if operator is not None and K_CompositeImplicitAutograd in (<Operator>operator).kernels:
                raise RuntimeError(f"We should not register a meta kernel directly to the operator '{name}', because it has a "
                                   f"CompositeImplicitAutograd kernel in core. Instead we should let the operator decompose, and ensure that "
                                   f"we have meta kernels for the base ops that it decomposes into.")
        file, line = caller_site()
        kernel = kernel_of_value(fn, with_keyset, False, f"registered at {file}:{line}", accepts_foreign)
        m.implement(parts, key, kernel)
        _impls.add(entry)
        self._op_impls.add(entry)

    def fallback(self, fn, dispatch_key="", *, with_keyset=False):
        """Register a backend fallback: what runs at a key for every operator without a kernel there.

        Parameters
        ----------
        fn : callable or fallthrough_kernel
            Called as ``fn(op, *args, **kwargs)``, with the key set before `op` if `with_keyset`.
        dispatch_key : str
            The key.
        """
        if not dispatch_key:
            dispatch_key = self.dispatch_key
        if self.ns != "_":
            raise RuntimeError(f'Fallback can only be registered using library fragment on the global namespace "_" but it is {self.ns}')
        if not dispatch_key:
            raise AssertionError("dispatch_key must not be empty for fallback")
        self.check_alive()
        file, line = caller_site()
        kernel = kernel_of_value(fn, with_keyset, True, f"registered at {file}:{line}", False)
        (<_DispatchModule>self.m).add_fallback(key_value(dispatch_key), kernel)

    def _register_fake(self, op_name, fn, _stacklevel=1, *, allow_override=True):
        """Register the rule that an operator of this namespace has for tensors without data; see `runtime.library.register_fake`."""
        self.check_alive()
        from runtime.operator_rules import register_fake_rule
        self._registration_handles.append(register_fake_rule(self, f"{self.ns}::{op_name}", fn, _stacklevel, allow_override))

    def _register_torch_dispatch_rule(self, op_name, torch_dispatch_class, fn):
        """Register the rule that an operator has for a class; see `runtime.library.register_torch_dispatch`."""
        self.check_alive()
        from runtime.operator_rules import register_dispatch_rule
        self._registration_handles.append(register_dispatch_rule(f"{self.ns}::{op_name}", torch_dispatch_class, fn))

    cdef int check_alive(self) except -1:
        if self.m is None:
            raise AssertionError("Library object has been destroyed")
        return 0

    def _destroy(self):
        """Take back all registrations now."""
        if self.m is not None:
            self.finalizer.detach()
            _del_library(_impls, self._op_impls, _defs, self._op_defs, self._registration_handles, self.m)
            self.m = None
            self._op_impls.clear()
            self._op_defs.clear()


cdef tuple caller_site():
    """File and line of the Python code that called into the module (this module's functions have no frames)."""
    import sys
    frame = sys._getframe()
    return frame.f_code.co_filename, frame.f_lineno
