# Operators: who registered what, and the table that follows from it.
#
# An Operator owns its registrations: for each key (run-time or alias) a stack of Kernels, the newest first. The table with its 137
# slots, and the masks that skip fallthroughs, are derived data: `refresh` recomputes all of it from the registrations and the backend
# fallbacks. The rules, first hit wins, for run-time key k:
#
#   1. a kernel registered at k                                                            [kernel]
#   2. k is Undefined or a CompositeExplicitAutogradNonFunctional key, and has such a one  [default backend kernel]
#   3. k is Undefined or a CompositeExplicitAutograd key, and there is such a kernel       [default backend kernel]
#   4. (hasBackend: some kernel registered at a backend key that k is the autograd key of, or a CompositeExplicitAutograd kernel)
#   5. k is a CompositeImplicitAutogradNestedTensor key other than Undefined               [nested kernel]
#   6. k is Undefined or a CompositeImplicitAutograd key, and there is such a kernel: for AutogradOther with a kernel at any of its
#      backends the kernel that raises [ambiguous autogradother]; else unless hasBackend   [math kernel]
#   7. k is an Autograd key                                                                [autograd kernel]
#   8. k is a FuncTorchBatchedDecomposition key                                            [batched kernel]
#   9. a backend fallback                                                                  [backend fallback]
#  10. nothing: the kernel that raises NotImplementedError.
#
# A fallthrough is not a matter of the table but of the operator's mask, which takes its key out of a call's key set; where backends
# differ there is one mask per backend (Note in runtime/core/core.h, rt_effective_keyset).

cdef dict operators = {}          # (qualified name, overload) -> Operator, with a schema or dangling
cdef dict definitions = {}        # qualified name -> overload names in order of definition, with a schema only
cdef long definitions_generation = 0   # changes with `definitions`: packets cache what they looked up
cdef list fallbacks = [None] * RT_NUM_KEYS   # enum value of a run-time key -> Kernel or None
cdef int slot_keys[137]           # table slot -> enum value
cdef uint8_t alias_members[6][160]  # [alias - first alias][key]

cdef rt_kernel missing_kernel, ambiguous_kernel
missing_kernel.fn = rt_kernel_missing
missing_kernel.flags = RT_KERNEL_MISSING
ambiguous_kernel.fn = kernel_ambiguous
ambiguous_kernel.flags = RT_KERNEL_AMBIGUOUS


cdef int fill_static_sets() except -1:
    cdef int f, b, key
    for f in range(RT_NUM_FUNCTIONALITIES):
        if rt_is_per_backend(f):
            for b in range(RT_NUM_BACKENDS):
                key = rt_runtime_key(f, b)
                slot_keys[rt_slot_of(rt_bits_of_key(key))] = key
        elif f == 0:
            slot_keys[0] = 0
        else:
            slot_keys[rt_slot_of(RT_FUNCTIONALITY_BIT(f))] = f
    dense = ["", "Quantized", "Sparse", "SparseCsr"]
    names = [rt_backend_names[b].decode() for b in range(RT_NUM_BACKENDS)]
    explicit = {prefix + n for prefix in dense for n in names} | {"FPGA", "Vulkan", "Metal", "CustomRNGKeyId", "MkldnnCPU"}
    nested = {"NestedTensor" + n for n in names}
    autograd = {"Autograd" + n for n in names} | {"AutogradOther", "AutogradNestedTensor"}
    sparse = {"Sparse" + n for n in names}
    non_functional = {k for k in explicit - sparse if not k.endswith(("XLA", "Lazy"))}
    for alias, members in (("Autograd", autograd), ("CompositeImplicitAutograd", explicit | nested | autograd),
                           ("FuncTorchBatchedDecomposition", {"FuncTorchBatched"}),
                           ("CompositeImplicitAutogradNestedTensor", nested | {"AutogradNestedTensor"}),
                           ("CompositeExplicitAutograd", explicit), ("CompositeExplicitAutogradNonFunctional", non_functional)):
        for name in members:
            alias_members[key_values[alias] - K_StartOfAliasKeys][<int>key_values[name]] = 1
    return 0

fill_static_sets()


cdef inline bint in_alias(int key, int alias) noexcept:
    return alias_members[alias - K_StartOfAliasKeys][key]


def _dispatch_is_included_in_alias(key, alias):
    """Whether a run-time key belongs to an alias key (a run-time key includes itself)."""
    cdef int k = key_value(key), a = key_value(alias)
    if a < K_StartOfAliasKeys:
        return k == a
    return k != K_Undefined and bool(in_alias(k, a))


cdef bint backend_of_autograd(int autograd, int key) noexcept:
    """Whether a run-time key is one of the backends whose autograd key is `autograd`."""
    cdef int f = rt_functionality_of(key)
    if autograd == K_AutogradOther:
        return (key != K_Undefined and in_alias(key, K_CompositeExplicitAutograd) and f != K_Dense)
    if autograd == K_AutogradNestedTensor:
        return f == K_NestedTensor
    if rt_functionality_of(autograd) == K_AutogradFunctionality:
        return f == K_Dense and rt_backend_of(key) == rt_backend_of(autograd)
    return False


cdef struct Registered:
    PyObject *at[160]     # enum value -> Kernel (borrowed) or NULL
    int keys[160]         # the enum values with a kernel
    int n


cdef inline rt_kernel *kernel_struct(PyObject *kernel) noexcept:
    return &(<Kernel>kernel).k


cdef bint has_backend_kernel(Registered *r, int autograd) noexcept:
    cdef int i
    for i in range(r.n):
        if r.keys[i] < K_StartOfAliasKeys and backend_of_autograd(autograd, r.keys[i]):
            return True
    return False


cdef rt_kernel *choose(Registered *r, int key, const char **rule) noexcept:
    """The kernel for a run-time key by the rules above, and the rule's name."""
    cdef PyObject *k
    if r.at[key] != NULL:
        rule[0] = b"kernel"
        return kernel_struct(r.at[key])
    k = r.at[<int>K_CompositeExplicitAutogradNonFunctional]
    if k != NULL and (key == K_Undefined or in_alias(key, K_CompositeExplicitAutogradNonFunctional)):
        rule[0] = b"default backend kernel"
        return kernel_struct(k)
    k = r.at[<int>K_CompositeExplicitAutograd]
    if k != NULL and (key == K_Undefined or in_alias(key, K_CompositeExplicitAutograd)):
        rule[0] = b"default backend kernel"
        return kernel_struct(k)
    k = r.at[<int>K_CompositeImplicitAutogradNestedTensor]
    if k != NULL and key != K_Undefined and in_alias(key, K_CompositeImplicitAutogradNestedTensor):
        rule[0] = b"nested kernel"
        return kernel_struct(k)
    k = r.at[<int>K_CompositeImplicitAutograd]
    if k != NULL and (key == K_Undefined or in_alias(key, K_CompositeImplicitAutograd)):
        if key == K_AutogradOther and has_backend_kernel(r, key):
            rule[0] = b"ambiguous autogradother"
            return &ambiguous_kernel
        if r.at[<int>K_CompositeExplicitAutograd] == NULL and not has_backend_kernel(r, key):
            rule[0] = b"math kernel"
            return kernel_struct(k)
    k = r.at[<int>K_Autograd]
    if k != NULL and in_alias(key, K_Autograd):
        rule[0] = b"autograd kernel"
        return kernel_struct(k)
    k = r.at[<int>K_FuncTorchBatchedDecomposition]
    if k != NULL and in_alias(key, K_FuncTorchBatchedDecomposition):
        rule[0] = b"batched kernel"
        return kernel_struct(k)
    if fallbacks[key] is not None:
        rule[0] = b"backend fallback"
        return &(<Kernel>fallbacks[key]).k
    rule[0] = b"missing"
    return &missing_kernel


@cython.final
cdef class Operator:
    """An operator as the dispatcher keeps it: one name and overload, its registrations and its table.

    This is what `_dispatch_find_schema_or_throw` returns. Code that calls operators uses `OpOverload`.
    """
    cdef rt_operator op
    cdef readonly str name        # "aten::add"
    cdef readonly str overload    # "Tensor", "" for the default
    cdef object schema_object     # FunctionSchema, or None: not defined, or not parsed yet
    cdef const rt_static_op *static
    cdef dict kernels             # enum value -> [Kernel, newest first]
    cdef str debug
    cdef str alias_analysis
    cdef tuple tag_names
    cdef object handle            # weak reference to the OpOverload
    cdef object __weakref__

    def __init__(self):
        raise TypeError("Operator objects are made by Library.define() and Library.impl()")

    def __dealloc__(self):
        free_args(self.op.args, self.op.nargs)
        free_args(self.op.rets, self.op.nrets)
        free(self.op.backend_masks)

    cdef str qualified_name(self):
        return self.name

    cdef str full_name(self):
        return f"{self.name}.{self.overload}" if self.overload else self.name

    cdef object schema(self):
        """The schema object, parsed at the first request for built-in operators; None where there is none."""
        if self.schema_object is None and self.static != NULL:
            from runtime.schema import parse_schema
            self.schema_object = parse_schema(self.static.schema.decode())
        return self.schema_object

    cdef str schema_text(self):
        schema = self.schema()
        return "(none)" if schema is None else str(schema)

    cdef int registered(self, Registered *r) except -1:
        cdef int i
        for i in range(RT_NUM_KEYS):
            r.at[i] = NULL
        r.n = 0
        for key, stack in self.kernels.items():
            r.at[<int>key] = <PyObject *>((<list>stack)[0])
            r.keys[r.n] = key
            r.n += 1
        return 0

    cdef int refresh(self) except -1:
        """Recompute the whole table and the masks; 137 slots take less than a microsecond."""
        cdef Registered r
        cdef rt_kernel *table[137]
        cdef rt_keyset masks[16]
        cdef const char *rule
        cdef int slot, key, b, f
        cdef bint differ = False
        cdef rt_keyset *per_backend = NULL
        self.registered(&r)
        for b in range(RT_NUM_BACKENDS):
            masks[b] = RT_FULL_KEYSET
        for slot in range(RT_NUM_SLOTS):
            key = slot_keys[slot]
            table[slot] = choose(&r, key, &rule)
            if table[slot].flags & RT_KERNEL_FALLTHROUGH:
                f = rt_functionality_of(key)
                if rt_is_per_backend(f):
                    masks[rt_backend_of(key)] &= ~RT_FUNCTIONALITY_BIT(f)
                else:
                    for b in range(RT_NUM_BACKENDS):
                        masks[b] &= ~RT_FUNCTIONALITY_BIT(f)
        for b in range(1, RT_NUM_BACKENDS):
            if masks[b] != masks[0]:
                differ = True
        if differ:
            per_backend = <rt_keyset *>malloc(sizeof(masks))
            if per_backend == NULL:
                raise MemoryError()
            memcpy(per_backend, masks, sizeof(masks))
        memcpy(self.op.table, table, sizeof(table))
        free(self.op.backend_masks)
        self.op.backend_masks = per_backend
        self.op.mask = masks[0]
        if trace_sink is not None:
            put_tracing(self)
        return 0

    cdef Kernel kernel_at(self, int key):
        """The kernel object in a run-time key's slot; None where missing or ambiguous."""
        cdef Registered r
        cdef const char *rule
        self.registered(&r)
        cdef rt_kernel *k = choose(&r, key, &rule)
        if k.flags & (RT_KERNEL_MISSING | RT_KERNEL_AMBIGUOUS):
            return None
        return kernel_of_struct(k)

    def __repr__(self):
        return f"<Operator {self.full_name()}>"

cdef extern from *:
    """
    #define RT_KERNEL_OBJECT(k, offset) ((PyObject *)((char *)(k) - (offset)))
    """
    PyObject *RT_KERNEL_OBJECT(rt_kernel *k, Py_ssize_t offset) noexcept

cdef Py_ssize_t kernel_struct_offset = 0


cdef Kernel kernel_of_struct(rt_kernel *k):
    """The Kernel object around its struct."""
    return <Kernel>RT_KERNEL_OBJECT(k, kernel_struct_offset)


cdef int measure_kernel_offset() except -1:
    global kernel_struct_offset
    cdef Kernel k = Kernel.__new__(Kernel)
    kernel_struct_offset = <char *>&k.k - <char *><void *>k
    return 0

measure_kernel_offset()


cdef inline Operator operator_of(rt_operator *op):
    return <Operator>op.self


cdef Operator new_operator(str name, str overload):
    cdef Operator o = Operator.__new__(Operator)
    o.name = name
    o.overload = overload
    o.kernels = {}
    o.tag_names = ()
    o.op.self = <PyObject *>o
    return o


cdef Operator find_or_make(str name, str overload):
    """The operator of a name, made without a schema if there is none yet (an implementation may come before its definition)."""
    o = operators.get((name, overload))
    if o is None:
        o = new_operator(name, overload)
        (<Operator>o).refresh()
        operators[name, overload] = o
    return o


cdef int drop_if_empty(Operator o) except -1:
    """Forget an operator that nobody defines or implements any more."""
    if not o.op.flags & RT_OPF_HAS_SCHEMA and not o.kernels and operators.get((o.name, o.overload)) is o:
        del operators[o.name, o.overload]
    return 0


# ------------------------------------------------------------------------------------------------------ registration

cdef int set_schema(Operator o, object schema, str debug, str alias_analysis, tuple tags) except -1:
    """Define an operator: argument specifications from its schema."""
    cdef rt_arg *args = args_of_schema(schema.arguments, False)
    cdef rt_arg *rets = NULL
    cdef int i
    try:
        rets = args_of_schema(schema.returns, True)
    except BaseException:
        free_args(args, len(schema.arguments))
        raise
    o.op.args = args
    o.op.rets = rets
    o.op.nargs = len(schema.arguments)
    o.op.nrets = len(schema.returns)
    o.op.npos = len([a for a in schema.arguments if not a.kwarg_only])
    o.schema_object = schema
    o.debug = debug
    o.alias_analysis = alias_analysis
    o.tag_names = tags
    finish_schema(o)
    global definitions_generation
    definitions_generation += 1
    names = definitions.setdefault(o.name, [])
    if o.overload not in names:
        names.append(o.overload)
    return 0


cdef int finish_schema(Operator o) except -1:
    """What follows from the argument specifications."""
    cdef int i
    cdef uint32_t flags = o.op.flags & (RT_OPF_NUMBERS_AS_TENSORS | RT_OPF_UNRECORDED) | RT_OPF_HAS_SCHEMA
    cdef bint alias = False, write = False
    o.op.nreq = 0
    o.op.written = -1
    for i in range(o.op.nargs):
        if o.op.args[i].dflt == NULL:
            o.op.nreq = i + 1
        if o.op.args[i].flags & RT_ARGF_WRITE:
            o.op.written = -1 if write or o.op.args[i].kind != RT_ARG_TENSOR or o.op.args[i].flags & RT_ARGF_LIST else i
            write = True
        elif o.op.args[i].flags & RT_ARGF_ALIAS:
            alias = True
    for i in range(o.op.nrets):
        if o.op.rets[i].flags & RT_ARGF_LIST:
            flags |= RT_OPF_RETURNS_LIST
    if write:
        flags |= RT_OPF_MUTABLE
    elif alias:
        flags |= RT_OPF_VIEW
    o.op.flags = flags
    return 0


cdef int clear_schema(Operator o) except -1:
    """Undo a definition. Kernels that still run keep their argument arrays: they are freed with the operator."""
    global definitions_generation
    definitions_generation += 1
    names = definitions.get(o.name)
    if names is not None and o.overload in names:
        names.remove(o.overload)
        if not names:
            del definitions[o.name]
    o.op.flags &= ~RT_OPF_HAS_SCHEMA
    detach_handle(o)
    drop_if_empty(o)
    return 0


cdef int add_kernel(Operator o, int key, Kernel kernel) except -1:
    """Register a kernel at a key; the newest one is active."""
    (<list>o.kernels.setdefault(key, [])).insert(0, kernel)
    o.refresh()
    return 0


cdef int remove_kernel(Operator o, int key, Kernel kernel) except -1:
    """Deregister a kernel, wherever it stands in its key's stack."""
    o = operators.get((o.name, o.overload), o)   # registrations move where an operator is defined anew (see `renew`)
    cdef list stack = o.kernels.get(key)
    if stack is None or kernel not in stack:
        return 0
    # Python compares Kernels by identity. The table goes first, so that no call can find the kernel that is about to die.
    stack.remove(kernel)
    if not stack:
        del o.kernels[key]
    o.refresh()
    drop_if_empty(o)
    return 0


cdef int set_fallback(int key, Kernel kernel) except -1:
    """Install or (None) remove a backend fallback: every table is recomputed."""
    old = fallbacks[key]   # lives until all tables have forgotten it
    fallbacks[key] = kernel
    for o in operators.values():
        (<Operator>o).refresh()
    return 0


# ------------------------------------------------------------------------------------------- kernels that raise

cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_empty_memory_format, RT_OP_aten_empty_strided


class NoDeviceError(AssertionError, NotImplementedError):
    """There are no kernels for a kind of GPU. Functions of PyTorch raise the one when they look for the device, its operators the other."""


cdef public PyObject *rt_kernel_missing(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    try:
        text = missing_text(operator_of(op), ks)
        if op == rt_builtin_ops[RT_OP_aten_empty_memory_format] or op == rt_builtin_ops[RT_OP_aten_empty_strided]:
            # What makes tensors on a device comes here.
            name = key_names[highest_key(ks)]
            if name == "CUDA" or name == "XPU":
                raise NoDeviceError(f"Torch not compiled with {name} enabled. {text}")
        raise NotImplementedError(text)
    except BaseException as e:
        set_current(e)
    return NULL


cdef str missing_text(Operator o, rt_keyset ks):
    available = [key_names[slot_keys[s]] for s in range(1, RT_NUM_SLOTS) if not o.op.table[s].flags & RT_KERNEL_MISSING]
    listing = f"[{', '.join(available)}]"
    table = "".join([f"{line}\n" for line in table_lines(o) if not line.startswith("Undefined: ")])
    cdef int key = highest_key(ks)
    if key == K_Undefined:
        return (f"There were no tensor arguments to this function (e.g., you passed an empty list of Tensors), but no fallback function "
                f"is registered for schema {o.full_name()}.  This usually means that this function requires a non-empty list of "
                f"Tensors, or that you (the operator writer) forgot to register a fallback function.  Available functions are "
                f"{listing}.\n\n{table}")
    hint = ""
    if o.kernels:
        hint = f" Registered kernels: {', '.join([key_names[k] for k in sorted(o.kernels)])}."
    backend = privateuse1_name if key_names[key] == "PrivateUse1" and privateuse1_name != "privateuseone" else key_names[key]
    return (f"Could not run '{o.full_name()}' with arguments from the '{backend}' backend. This could be because the operator "
            f"doesn't exist for this backend, or was omitted during the selective/custom build process (if using custom build). "
            f"'{o.full_name()}' is only available for these backends: {listing}.{hint} To add one: "
            f"Library(\"{o.name.partition('::')[0]}\", \"IMPL\").impl(\"{o.full_name().partition('::')[2]}\", kernel, "
            f"\"{key_names[key]}\").\n\n{table}")


cdef PyObject *kernel_ambiguous(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    o = operator_of(op)
    set_error(RuntimeError, f"has kernels registered to both CompositeImplicitAutograd and a backend mapped to AutogradOther. "
              f"This makes the backend kernel unreachable; the dispatcher will always prefer the CompositeImplicitAutograd lowering "
              f"(see Note [Ambiguity in AutogradOther kernel]). If you want to override CompositeImplicitAutograd, please open an issue "
              f"to request a dedicated Autograd dispatch key for the backend.\nIf you only want to run inference instead of training, in C++, "
              f"add `c10::InferenceMode mode;` before model.forward(); in Python, use `torch.inference_mode()` as a context manager "
              f"(see https://pytorch.org/docs/stable/generated/torch.inference_mode.html).\nCanonical state\n~~~~~~~~~~~\n"
              f"{dump_state(o)}\n\n", op)
    return NULL


cdef PyObject *autograd_fallback(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Below autograd: what the Autograd keys do for an operator without a formula."""
    cdef rt_keyset saved
    cdef PyObject *result
    if unlikely(op.flags & RT_OPF_UNRECORDED):
        # What its kernel writes into its own tensors is no change of a tensor that anybody has seen.
        saved = rt_tls_state.excluded
        rt_tls_state.excluded = saved | autograd_bits | RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)
        result = rt_redispatch(op, ks & RT_FULL_AFTER(K_AutogradOther), args, n)
        rt_tls_state.excluded = saved
        return result
    return rt_redispatch(op, ks & RT_FULL_AFTER(K_AutogradOther), args, n)


cdef bint warn_unregistered = True   # about backward through operators that have nothing at the Autograd keys
cdef object unregistered_recorder = None         # function(keyset, op, *args, **kwargs), set by runtime/custom_autograd.py


def _set_unregistered_recorder(function):
    """Name the function that records calls of operators that have nothing at the Autograd keys."""
    global unregistered_recorder
    unregistered_recorder = function


def _set_autograd_fallback_mode(str mode not None):
    """Say what backward does at operators that have nothing at the Autograd keys.

    Parameters
    ----------
    mode : {"warn", "nothing"}
        Warn, or stop silently.
    """
    global warn_unregistered
    if mode not in ("warn", "nothing"):
        raise RuntimeError(f"Unrecognized autograd fallback mode: {mode}")
    warn_unregistered = mode == "warn"


def _get_autograd_fallback_mode():
    """What backward does at operators that have nothing at the Autograd keys: ``"warn"`` or ``"nothing"``."""
    return "warn" if warn_unregistered else "nothing"


cdef int load_custom_autograd() noexcept:
    """Import what records calls of users' operators; -1 with an exception set."""
    try:
        import runtime.custom_autograd
    except BaseException as e:
        set_current(e)
        return -1
    return 0


cdef PyObject *unregistered_autograd(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """What the Autograd keys do for operators that have nothing there: on to the backend, where backward is to warn by a node."""
    if warn_unregistered and not rt_tls_state.no_grad and op.flags & RT_OPF_HAS_SCHEMA and any_needs_grad(op, args, n):
        if unregistered_recorder is None and load_custom_autograd() < 0:
            return NULL
        return call_python(op, ks, args, n, <PyObject *>unregistered_recorder, PASS_KEYSET | PASS_OPERATOR)
    return autograd_fallback(op, ks, args, n, ctx)


cdef PyObject *meta_fallback(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    set_error(NotImplementedError, "attempted to run this operator with Meta tensors, but there was no fake impl or Meta kernel "
              "registered. You may have run into this message while using an operator with PT2 compilation APIs "
              "(torch.compile/torch.export); in order to use this operator with those APIs you'll need to add a fake impl. "
              "Register one with Library.impl(name, kernel, \"Meta\").", op)
    return NULL


cdef int install_default_fallbacks() except -1:
    """The fallbacks that need no other system: fallthroughs, autograd's redispatch, Meta's message."""
    where = "registered at runtime/core/operator.pxi"
    for name in ("BackendSelect", "ADInplaceOrView", "AutocastCPU", "AutocastMTIA", "AutocastMAIA", "AutocastXPU", "AutocastMPS",
                 "AutocastCUDA", "FuncTorchVmapMode", "VmapMode"):
        fallbacks[key_values[name]] = fallthrough_kernel_object(where)
    for name in ("Other", "CPU", "CUDA", "XLA", "MPS", "XPU", "HPU", "Lazy", "MTIA", "MAIA", "PrivateUse1", "Meta"):
        fallbacks[key_values["Autograd" + name]] = new_kernel(unregistered_autograd, NULL, None, where, 0)
    fallbacks[key_values["Conjugate"]] = new_kernel(lazy_fallback, <void *><uintptr_t>K_Conjugate, None,
                                                    "registered at runtime/core/lazy_bits.pxi", 0)
    fallbacks[key_values["Negative"]] = new_kernel(lazy_fallback, <void *><uintptr_t>K_Negative, None, "registered at runtime/core/lazy_bits.pxi", 0)
    fallbacks[key_values["ZeroTensor"]] = new_kernel(zero_fallback, NULL, None, "registered at runtime/core/zero_tensor.pxi", 0)
    fallbacks[key_values["Meta"]] = new_kernel(meta_fallback, NULL, None, where, 0)
    fallbacks[key_values["Python"]] = new_kernel(python_fallback, NULL, None, "registered at runtime/core/python_key.pxi", 0)
    fallbacks[key_values["PythonTLSSnapshot"]] = new_kernel(snapshot_fallback, NULL, None, "registered at runtime/core/python_key.pxi", 0)
    fallbacks[key_values["PythonDispatcher"]] = new_kernel(python_dispatcher_fallback, NULL, None,
                                                           "registered at runtime/core/python_dispatcher.pxi", 0)
    fallbacks[key_values["PreDispatch"]] = new_kernel(pre_dispatch_fallback, NULL, None,
                                                      "registered at runtime/core/python_dispatcher.pxi", 0)
    for kernel in fallbacks:
        if kernel is not None:
            (<Kernel>kernel).k.self = NULL  # they may be replaced, but live in `default_fallbacks` for ever
    default_fallbacks.extend(fallbacks)
    return 0

cdef list default_fallbacks = []
install_default_fallbacks()


# ----------------------------------------------------------------------------------------------------------- dumps

cdef str kernel_line(Kernel k):
    text = k.debug
    if k.is_fallthrough and not text.startswith("fallthrough "):
        text = "fallthrough " + text
    return text


cdef list table_lines(Operator o):
    """`KEY: debug [rule]` for every filled slot, Undefined first."""
    cdef Registered r
    cdef const char *rule
    cdef rt_kernel *k
    cdef int slot, key
    lines = []
    o.registered(&r)
    for slot in range(RT_NUM_SLOTS):
        key = slot_keys[slot]
        k = choose(&r, key, &rule)
        if k.flags & RT_KERNEL_MISSING:
            continue
        if k.flags & RT_KERNEL_AMBIGUOUS:
            lines.append((key, f"{key_names[key]}: ambiguous_autogradother [ambiguous autogradother]"))
        else:
            lines.append((key, f"{key_names[key]}: {kernel_line(kernel_of_struct(k))} [{rule.decode()}]"))
    # PyTorch prints the dense keys' block first, each functionality's keys in order of its slots.
    return [line for _, line in lines]


cdef str dump_table(Operator o):
    return "".join([line + "\n" for line in table_lines(o)])


cdef str dump_state(Operator o):
    """Registrations in PyTorch's format: name, schema, definition site, then each key's kernels, newest first."""
    text = f"name: {o.full_name()}\n"
    if o.op.flags & RT_OPF_HAS_SCHEMA:
        text += f"schema: {o.schema_text()}\ndebug: {o.debug}\n"
        text += f"alias analysis kind: {o.alias_analysis or 'CONSERVATIVE (default)'}\n"
    else:
        text += "schema: (none)\n"
    order = sorted(o.kernels, key=dump_order)
    for key in order:
        alias = "[alias]" if key >= K_StartOfAliasKeys else ""
        for i, k in enumerate(o.kernels[key]):
            kernel = <Kernel>k
            inactive = " (inactive)" if i else ""
            forms = "boxed unboxed" if kernel.from_cpp else "boxed"
            text += f"{key_names[key]}{alias}{inactive}: {kernel_line(kernel)} :: {kernel.signature or '(none)'} [ {forms} ]\n"
    return text


def dump_order(int key):
    """Keys of a dump go in the enum's order."""
    return key
