# Registration handles: what a library registered, and how it takes it back. `_dispatch_library` and its module object are PyTorch's
# names for it; the Library class (library.pxi) is a thin layer over them.

cdef dict namespace_owners = {}    # namespace -> debug text of the DEF block that owns it
namespace_owners["aten"] = "registered at kernels/native_functions.yaml"
namespace_owners["prim"] = "registered at runtime/core/registration.pxi"
namespace_owners["prims"] = "registered at runtime/core/registration.pxi"

cdef bint warned_override = False


cdef tuple split_name(str text):
    """("ns", "name", "overload") of an operator name with or without namespace."""
    from runtime.schema import FunctionSchema, parse_schema_or_name
    parsed = parse_schema_or_name(text)
    if isinstance(parsed, FunctionSchema):
        raise RuntimeError("Tried to parse an operator name but function schema was given")
    check_overload(parsed.overload)
    return parsed.namespace, parsed.name, parsed.overload


cdef int check_overload(str overload) except -1:
    if overload == "default":
        raise RuntimeError("default is not a legal overload name for aten operators")
    return 0


class _FunctionPointer:
    """Native code handed over as an address: a boxed kernel by default."""

    __slots__ = ("address", "context", "keep")

    def __init__(self, address, context=0, keep=None):
        self.address, self.context, self.keep = int(address), int(context), keep


# Registrations run Python code half-way (schemas, warnings, signatures), where other threads come in: one at a time.
cdef object registrations = __import__("threading").RLock()


def _fresh_lock():
    """In a forked child: the thread that held the lock is not there."""
    global registrations
    registrations = __import__("threading").RLock()


__import__("os").register_at_fork(after_in_child=_fresh_lock)


cdef str checked_alias(str alias):
    """An alias analysis kind as `_dispatch_library` takes it."""
    if alias not in ("", "CONSERVATIVE", "FROM_SCHEMA", "PURE_FUNCTION"):
        raise RuntimeError(f"could not parse {alias}")
    return alias


cdef class _DispatchModule:
    """The registrations of one library block; `reset` takes all of them back."""
    cdef readonly str kind
    cdef readonly str ns
    cdef readonly object dispatch_key
    cdef str debug
    cdef list undo       # newest last: (what, arguments...)
    cdef object __weakref__

    def __init__(self):
        raise TypeError("_DispatchModule objects are made by _dispatch_library() and Library()")

    cdef str block(self):
        return {"DEF": "TORCH_LIBRARY", "FRAGMENT": "TORCH_LIBRARY_FRAGMENT", "IMPL": "TORCH_LIBRARY_IMPL"}[self.kind]

    cdef str where(self):
        return f"  (Error occurred while processing {self.block()} block at {self.debug.removeprefix('registered at ')})"

    cdef object define_schema(self, str text, str alias_analysis, tuple tag_names, str debug):
        from runtime.schema import FunctionSchema, OperatorName, parse_schema_or_name
        parsed = parse_schema_or_name(text)
        if not isinstance(parsed, FunctionSchema):
            raise RuntimeError("Tried to parse a function schema but only the operator name was given")
        return self.define_parsed(parsed, alias_analysis, tag_names, debug)

    cdef object define_parsed(self, object schema, str alias_analysis, tuple tag_names, str debug):
        from dataclasses import replace
        name = schema.operator_name
        if self.kind == "IMPL":
            raise RuntimeError(f'def("{name.name}"): Cannot define an operator inside of a TORCH_LIBRARY_IMPL block.  All def()s should '
                               f"be placed in the (unique) TORCH_LIBRARY block for their namespace.{self.where()}")
        if name.namespace and name.namespace != self.ns:
            raise RuntimeError(f"Explicitly provided namespace ({name.namespace}) in schema string does not match namespace of enclosing "
                               f"{self.block()} block ({self.ns}).  Move this definition to the (unique) TORCH_LIBRARY block corresponding "
                               f"to this namespace (and consider deleting the namespace from your schema string.){self.where()}")
        check_overload(name.overload)
        if not name.namespace:
            schema = replace(schema, operator_name=replace(name, namespace=self.ns))
        cdef Operator o
        with registrations:
            o = find_or_make(f"{self.ns}::{name.name}", name.overload)
            if o.op.flags & RT_OPF_HAS_SCHEMA:
                raise RuntimeError(f"Tried to register an operator ({schema}) with the same name and overload name multiple times. Each "
                                   f"overload's schema should only be registered with a single call to def(). Duplicate registration: "
                                   f"{debug}. Original registration: {o.debug}")
            if o.op.args != NULL or o.op.rets != NULL:
                # Defined, undone, defined again while implementations stayed: the old arrays may still be in use by a running call,
                # so the registrations move to a new Operator.
                o = renew(o)
            try:
                for stack in o.kernels.values():
                    for kernel in stack:
                        check_signature(o, schema, debug, kernel)
                set_schema(o, schema, debug, alias_analysis, tag_names)
            except BaseException:
                drop_if_empty(o)
                raise
            self.undo.append((o, None, None))
            return o

    cdef int implement(self, tuple parts, int key, Kernel kernel) except -1:
        """Register a kernel for an operator of this block's namespace."""
        ns, name, overload = parts
        shown = f"{ns}::{name}" if ns else name
        if overload:
            shown += f".{overload}"
        if ns and ns != self.ns:
            mine = "std::nullopt" if self.ns == "_" else self.ns
            raise RuntimeError(f'impl("{shown}", ...): Explicitly provided namespace ({ns}) in operator name does not match namespace of '
                               f"enclosing {self.block()} block ({mine}).  Move this definition to the {self.block()} block corresponding "
                               f"to this namespace (and consider deleting the namespace from your schema string.){self.where()}")
        cdef int own = -1 if self.dispatch_key is None else (<DispatchKey>self.dispatch_key).value
        if key < 0:
            key = own if own >= 0 else K_CompositeImplicitAutograd
        elif own >= 0 and key != own:
            raise RuntimeError(f'impl("{shown}", ...): Explicitly provided dispatch key ({key_names[key]}) is inconsistent with the dispatch '
                               f"key of the enclosing {self.block()} block ({key_names[own]}).  Please declare a separate "
                               f"TORCH_LIBRARY_IMPL block for this dispatch key and move your impl() there.{self.where()}")
        if key == K_Undefined:
            key = K_CompositeImplicitAutograd
        if rt_functionality_of(key) and rt_is_per_backend(rt_functionality_of(key)) and rt_backend_of(key) < 0:
            raise RuntimeError(f'impl("{shown}", ...): {key_names[key]} is a building block of per-backend keys, not a key that kernels can be '
                               f"registered at; name a backend, as in {key_names[rt_runtime_key(rt_functionality_of(key), 0)]}")
        cdef Operator o
        with registrations:
            o = find_or_make(f"{self.ns}::{name}", overload)
            if o.op.flags & RT_OPF_HAS_SCHEMA:
                check_signature(o, o.schema(), o.debug, kernel)
            if key in o.kernels:
                warn_override(o, key, kernel)
            add_kernel(o, key, kernel)
            if kernel.k.flags & RT_KERNEL_FOREIGN:
                o.op.flags |= OPF_HAS_FOREIGN
            self.undo.append((o, key, kernel))
            return 0

    cdef int add_fallback(self, int key, Kernel kernel) except -1:
        cdef int slot, k
        if self.ns != "_":
            raise RuntimeError(f'Fallback can only be registered using library fragment on the global namespace "_" but it is {self.ns}')
        keys = [key]
        if key >= K_StartOfAliasKeys:
            keys = [k for k in range(1, RT_NUM_KEYS) if k < K_StartOfAliasKeys and in_alias(k, key)]
        if rt_functionality_of(key) and rt_is_per_backend(rt_functionality_of(key)) and rt_backend_of(key) < 0:
            raise RuntimeError(f"{key_names[key]} is a building block of per-backend keys; name a backend")
        if key == K_Undefined:
            raise RuntimeError("a fallback for Undefined is not possible: calls without keys have no backend")
        for k in keys:
            if fallbacks[k] is not None:
                raise RuntimeError(f"Tried to register multiple backend fallbacks for the same dispatch key {key_names[k]}; previous registration "
                                   f"{(<Kernel>fallbacks[k]).debug.removeprefix('fallthrough ')}, new registration "
                                   f"{kernel.debug.removeprefix('fallthrough ')}")
        for k in keys:
            set_fallback(k, kernel)
            self.undo.append((None, k, kernel))
        return 0

    # PyTorch's names, as its dispatcher tests call them. Kernels are Python callables or stand-ins that are never run.

    def def_(self, str schema not None, str alias=""):
        """Define an operator; `alias` names its alias analysis kind."""
        self.define_schema(schema, checked_alias(alias) or "FROM_SCHEMA", (), self.debug)
        return self

    def def_legacy(self, str schema not None):
        """Define an operator with the default alias analysis."""
        self.define_schema(schema, "", (), self.debug)
        return self

    def def_name_t_t(self, str name not None, str dispatch="", str debug="default_def_name_t_t"):
        """Define an operator from a kernel of type Tensor -> Tensor and register the kernel."""
        from runtime.schema import parse_schema
        ns, op_name, overload = split_name(name)
        shown = op_name + (f".{overload}" if overload else "")
        qualifier = f"{ns}::" if ns else ""
        self.define_parsed(parse_schema(f"{qualifier}{shown}(Tensor _0) -> Tensor _0"), "CONSERVATIVE", (), self.debug)
        self.implement((ns, op_name, overload), key_value(dispatch) if dispatch else -1, test_kernel(debug))
        return self

    def def_schema_t_t(self, str schema not None, str dispatch="", str alias="", str debug="default_def_schema_t_t"):
        """Define an operator and register a kernel of type Tensor -> Tensor for it."""
        cdef Operator o = self.define_schema(schema, checked_alias(alias), (), self.debug)
        self.implement((self.ns, o.name.partition("::")[2], o.overload), key_value(dispatch) if dispatch else -1, test_kernel(debug))
        return self

    def impl_t_t(self, str name not None, str dispatch="", str debug="impl_t_t"):
        """Register a kernel of type Tensor -> Tensor."""
        self.implement(split_name(name), key_value(dispatch) if dispatch else -1, test_kernel(debug))
        return self

    def impl_tt_t(self, str name not None, str dispatch="", str debug=""):
        """Register a kernel of type (Tensor, Tensor) -> Tensor."""
        cdef Kernel kernel = test_kernel(debug)
        kernel.signature = "(Tensor _0, Tensor _1) -> Tensor _0"
        self.implement(split_name(name), key_value(dispatch) if dispatch else -1, kernel)
        return self

    def define(self, str schema not None, str alias_analysis="", tags=()):
        """Define an operator; returns its name."""
        if alias_analysis not in ("", "FROM_SCHEMA", "CONSERVATIVE"):
            raise RuntimeError(f"Invalid alias_analysis type {alias_analysis}")
        for tag in tags:
            if not isinstance(tag, Tag):
                raise TypeError(f"define(): tags must be Tag objects, not {type(tag).__name__}")
        self.define_schema(schema, alias_analysis or "FROM_SCHEMA", tuple([(<Tag>t).name for t in tags]), self.debug)
        return schema.partition("(")[0].partition(".")[0].strip()

    def impl(self, str name not None, dispatch, func, bint with_keyset=False):
        """Register a Python callable (or `fallthrough_kernel`)."""
        cdef int key = key_value(dispatch) if dispatch else -1
        self.implement(split_name(name), key, kernel_of_value(func, with_keyset, False, self.debug, False))

    def fallback(self, dispatch, func, bint with_keyset=False):
        """Register a backend fallback."""
        if not dispatch and self.dispatch_key is None:
            raise RuntimeError("a fallback needs a dispatch key")
        self.add_fallback(key_value(dispatch or self.dispatch_key), kernel_of_value(func, with_keyset, True, self.debug, False))

    def fallback_fallthrough(self, str dispatch=""):
        """Register a backend fallback that is a fallthrough."""
        if not dispatch and self.dispatch_key is None:
            raise RuntimeError("a fallback needs a dispatch key")
        self.add_fallback(key_value(dispatch or self.dispatch_key), fallthrough_kernel_object(self.debug))
        return self

    def reset(self):
        """Take back everything that was registered through this object, newest first."""
        with registrations:
            while self.undo:
                owner, key, kernel = self.undo.pop()
                if owner is None:
                    set_fallback(key, None)
                elif key is None:
                    clear_schema(owner)
                    forget_overload(owner)
                    forget_packet((<Operator>owner).name)
                else:
                    remove_kernel(owner, key, kernel)
            if self.kind == "DEF" and namespace_owners.get(self.ns) == self.debug:
                del namespace_owners[self.ns]

    def __dealloc__(self):
        if self.undo or self.kind == "DEF":
            self.reset()


cdef Operator renew(Operator old):
    """A fresh Operator with an old one's registrations, in its place."""
    cdef Operator o = new_operator(old.name, old.overload)
    o.kernels = old.kernels
    old.kernels = {}
    o.refresh()
    operators[o.name, o.overload] = o
    return o


cdef PyObject *never_called(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """The stand-in that PyTorch's dispatcher tests register: Tensor -> Tensor, the identity."""
    RT_INC(args[0])
    return args[0]


cdef Kernel test_kernel(str debug):
    cdef Kernel kernel = new_kernel(never_called, NULL, None, debug, 0)
    kernel.signature = "(Tensor _0) -> Tensor _0"
    kernel.from_cpp = True
    return kernel


cdef int check_signature(Operator o, object schema, str debug, Kernel kernel) except -1:
    """Refuse a kernel of a known signature for an operator that has another one."""
    if kernel.signature is None:
        return 0
    from runtime.schema import parse_schema
    inferred = parse_schema("kernel" + kernel.signature)
    reason = None
    for what, mine, theirs in (("arguments", schema.arguments, inferred.arguments), ("returns", schema.returns, inferred.returns)):
        if len(mine) != len(theirs):
            reason = f"The number of {what} is different. {len(mine)} vs {len(theirs)}."
            break
        for i, (a, b) in enumerate(zip(mine, theirs)):
            if str(a.type) != str(b.type):
                reason = f"Type mismatch in {what.removesuffix("s")} {i + 1}: {a.type} vs {b.type}"
                break
        if reason:
            break
    if reason is None:
        return 0
    drop_if_empty(o)
    raise RuntimeError("Inferred operator schema for a C++ kernel function doesn't match the expected function schema.\n"
                       f"  operator: {o.full_name()}\n  expected schema: {schema}\n    {debug}\n  inferred schema: {kernel.signature}\n"
                       f"    {kernel.debug}\n  reason: {reason}")


cdef int warn_override(Operator o, int key, Kernel new) except -1:
    """PyTorch's warning on overriding a kernel: once a process, never for Meta, nor for kernels that come from Python."""
    global warned_override
    cdef Kernel old = o.kernels[key][0]
    if warned_override or key_names[key] == "Meta" or not o.op.flags & RT_OPF_HAS_SCHEMA:
        return 0
    warned_override = True
    import warnings
    warnings.warn("Warning only once for all operators,  other operators may also be overridden.\n  Overriding a previously registered "
                  f"kernel for the same operator and the same dispatch key\n  operator: {o.schema_text()}\n    {o.debug}\n  dispatch key: "
                  f"{key_names[key]}\n  previous kernel: {old.debug}\n       new kernel: {new.debug}", UserWarning, stacklevel=2)
    return 0


cdef Kernel kernel_of_value(object func, bint with_keyset, bint is_fallback, str debug, bint accepts_foreign):
    """A Kernel of what a user registers: a callable, the fallthrough, native code by address or capsule, a typed kernel."""
    cdef uint32_t flags = RT_KERNEL_FOREIGN if accepts_foreign else 0
    cdef Kernel kernel
    if func is fallthrough_kernel:
        return fallthrough_kernel_object(debug)
    kernel = native_kernel(func, debug, flags)
    if kernel is not None:
        return kernel
    if not callable(func):
        raise TypeError(f"Input function is required to be a callable but found type {type(func)}")
    kernel = python_kernel(func, with_keyset, is_fallback, debug)
    kernel.k.flags |= flags
    return kernel


cdef Kernel native_kernel(object func, str debug, uint32_t flags):
    """A boxed kernel given as native code, or None where the value is none: a ctypes or cffi function pointer, a
    PyCapsule named "rt_kernel_fn", a TypedKernel, or a custom operator's kernel."""
    cdef void *fn = NULL
    cdef Kernel kernel
    if isinstance(func, TypedKernel):
        return (<TypedKernel>func).kernel(debug, flags)
    if isinstance(func, CustomKernel):
        return custom_kernel_object(func, debug, flags)
    if isinstance(func, _FunctionPointer):
        if not func.address:
            raise ValueError("the kernel's address is NULL")
        return new_kernel(<rt_kernel_fn><uintptr_t>func.address, <void *><uintptr_t>func.context, func.keep, debug, flags)
    if is_capsule(func):
        fn = capsule_pointer(func, b"rt_kernel_fn")
        return new_kernel(<rt_kernel_fn>fn, capsule_context(func), func, debug, flags)
    address = address_of(func)
    if address is None:
        return None
    if is_numba_function(func):
        raise TypeError("a Numba function touches no Python objects, so it is no boxed kernel: register it as a TypedKernel")
    if not address:
        raise ValueError("the kernel's address is NULL")
    return new_kernel(<rt_kernel_fn><uintptr_t>address, NULL, func, debug, flags)

cdef extern from "Python.h":
    bint is_capsule "PyCapsule_CheckExact"(object o) noexcept
    void *capsule_pointer "PyCapsule_GetPointer"(object o, const char *name) except? NULL
    void *capsule_context "PyCapsule_GetContext"(object o) except? NULL


cdef bint is_numba_function(object func):
    return (type(func).__module__ or "").startswith("numba") and hasattr(func, "address")


cdef object address_of(object func):
    """The address of a native function object of ctypes, cffi or Numba; None for anything else."""
    if is_numba_function(func):
        return int(func.address)
    if (type(func).__module__ or "").startswith("_cffi_backend"):
        from cffi import FFI
        return int(FFI().cast("intptr_t", func))
    import sys
    ctypes = sys.modules.get("ctypes")
    if ctypes is not None and isinstance(func, ctypes._CFuncPtr):
        return ctypes.cast(func, ctypes.c_void_p).value or 0
    return None


def _dispatch_library(str kind not None, str name not None, str dispatch="", str file="/dev/null", int linenum=0):
    """A block of registrations.

    Parameters
    ----------
    kind : {"DEF", "IMPL", "FRAGMENT"}
        What the block may do: own a namespace and define, implement only, or define in a namespace of another owner.
    name : str
        The namespace; ``"_"`` with IMPL stands for all (fallbacks).
    dispatch : str, optional
        The dispatch key of an IMPL block.
    file, linenum : optional
        The place that error messages and dumps name.
    """
    cdef _DispatchModule m
    debug = f"registered at {file}:{linenum}"
    if kind not in ("DEF", "IMPL", "FRAGMENT"):
        raise RuntimeError(f"could not parse {kind}")
    block = {"DEF": "TORCH_LIBRARY", "FRAGMENT": "TORCH_LIBRARY_FRAGMENT", "IMPL": "TORCH_LIBRARY_IMPL"}[kind]
    key = key_objects[parse_key(dispatch)] if dispatch else None
    if kind != "IMPL":
        if name == "_":
            raise RuntimeError(f"{block}: cannot define {block} with the wildcard namespace _ (every {block} defines operators for a distinct "
                               f"namespace!) Did you mean to use TORCH_LIBRARY_IMPL instead?  (Error occurred while processing {block} block at "
                               f"{file}:{linenum})")
        if key is not None:
            raise RuntimeError(f"{block}: a dispatch key ({dispatch}) can only be given to an IMPL library, not to {kind}  (Error occurred while "
                               f"processing {block} block at {file}:{linenum})")
    if kind == "DEF":
        if name in namespace_owners:
            raise RuntimeError(f"Only a single TORCH_LIBRARY can be used to register the namespace {name}; please put all of your definitions in "
                               f"a single TORCH_LIBRARY block.  If you were trying to specify implementations, consider using TORCH_LIBRARY_IMPL "
                               f"(which can be duplicated).  If you really intended to define operators for a single namespace in a distributed "
                               f"way, you can use TORCH_LIBRARY_FRAGMENT to explicitly indicate this.  Previous registration of TORCH_LIBRARY was "
                               f"{namespace_owners[name]}; latest registration was {debug}")
    m = _DispatchModule.__new__(_DispatchModule)
    m.kind = kind
    m.ns = name
    m.dispatch_key = key
    m.debug = debug
    m.undo = []
    if kind == "DEF":
        namespace_owners[name] = debug
    return m
