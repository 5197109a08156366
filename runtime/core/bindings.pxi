# The dispatcher's query functions, under the names by which PyTorch's C++ extension module offers them.

cdef Operator find_named(str name, bint must=True):
    """The operator of ``"ns::op.overload"``."""
    base, _, overload = name.partition(".")
    o = operators.get((base, overload))
    if o is None:
        from runtime.schema import parse_name
        parse_name(name)  # what is no name is an error even where a missing operator is none
        if must:
            raise RuntimeError(f"operator {name} does not exist")
    return o


def _dispatch_find_schema_or_throw(str name not None, str overload=""):
    """The operator of a name and an overload.

    Raises
    ------
    RuntimeError
        If it is not defined.
    """
    o = operators.get((name, overload))
    if o is None:
        raise RuntimeError(f"Could not find schema for {name}.{overload}" if overload else f"Could not find schema for {name}.")
    if not (<Operator>o).op.flags & RT_OPF_HAS_SCHEMA:
        raise RuntimeError(f"Could not find schema for {name}.{overload} but we found an implementation; did you forget to def() the operator?")
    return o


def _dispatch_call_boxed(Operator op not None, *args, **kwargs):
    """Call an operator found by `_dispatch_find_schema_or_throw`."""
    return overload_of(&op.op)(*args, **kwargs)


def _dispatch_dump(str name not None):
    """The registrations of an operator as text, in PyTorch's format; empty where there is no such operator."""
    o = find_named(name, False)
    return "" if o is None else dump_state(o)


def _dispatch_dump_table(str name not None):
    """The computed table of an operator as text, in PyTorch's format."""
    o = find_named(name, False)
    return "" if o is None else dump_table(o)


cdef int check_operator(Operator o) except -1:
    """Recompute every slot and the masks, and compare with the table."""
    cdef Registered r
    cdef const char *rule
    cdef rt_keyset masks[16]
    cdef int slot, key, b
    o.registered(&r)
    for b in range(RT_NUM_BACKENDS):
        masks[b] = RT_FULL_KEYSET
    for slot in range(RT_NUM_SLOTS):
        key = slot_keys[slot]
        if trace_sink is None and choose(&r, key, &rule) != o.op.table[slot]:
            raise AssertionError(f"{o.full_name()}: the slot of {key_names[key]} is stale\nCanonical state\n{dump_state(o)}")
        if choose(&r, key, &rule).flags & RT_KERNEL_FALLTHROUGH:
            for b in range(RT_NUM_BACKENDS):
                if rt_backend_of(key) in (-1, b):
                    masks[b] &= ~RT_FUNCTIONALITY_BIT(rt_functionality_of(key))
    for b in range(RT_NUM_BACKENDS):
        if (o.op.backend_masks[b] if o.op.backend_masks != NULL else o.op.mask) != masks[b]:
            raise AssertionError(f"{o.full_name()}: the fallthrough mask for {rt_backend_names[b].decode()} is stale")
    for key, stack in o.kernels.items():
        if not stack:
            raise AssertionError(f"{o.full_name()}: an empty stack of kernels at {key_names[key]}")
    return 0


def _dispatch_check_invariants(str name not None):
    """Check one operator's table against its registrations."""
    o = find_named(name, False)
    if o is not None:
        check_operator(o)


def _dispatch_check_all_invariants():
    """Check all operators' tables against their registrations."""
    for o in operators.values():
        check_operator(o)


def _dispatch_find_dangling_impls():
    """The dumps of all operators that have implementations but no definition."""
    return [dump_state(o) for o in operators.values()
            if not (<Operator>o).op.flags & RT_OPF_HAS_SCHEMA and (<Operator>o).kernels]


def _dispatch_get_all_op_names():
    """The full names of all operators, dangling ones included."""
    return [(<Operator>o).full_name() for o in operators.values()]


def _dispatch_get_registrations_for_dispatch_key(dispatch_key=""):
    """The full names of the operators with a kernel at a key (of all operators with kernels, without one)."""
    if not dispatch_key:
        return [(<Operator>o).full_name() for o in operators.values() if (<Operator>o).kernels]
    key = key_value(dispatch_key)
    return [(<Operator>o).full_name() for o in operators.values() if key in (<Operator>o).kernels]


def _dispatch_print_registrations_for_dispatch_key(dispatch_key=""):
    """Print the names that `_dispatch_get_registrations_for_dispatch_key` returns, a line each."""
    for name in _dispatch_get_registrations_for_dispatch_key(dispatch_key):
        print(name)


cdef DispatchKeySet backends_of_autogradother():
    cdef rt_keyset bits = 0
    cdef int k
    for k in range(1, K_StartOfAliasKeys):
        if backend_of_autograd(K_AutogradOther, k):
            bits |= rt_bits_of_key(k)
    return new_keyset(bits)

_dispatch_autogradother_backends = backends_of_autogradother()


def _dispatch_has_kernel(str name not None):
    """Whether there is an operator of that name."""
    return find_named(name, False) is not None


def _dispatch_has_kernel_for_dispatch_key(str name not None, key):
    """Whether an operator has a kernel registered at exactly a key."""
    return key_value(key) in find_named(name).kernels


def _dispatch_has_kernel_for_any_dispatch_key(str name not None, DispatchKeySet keyset not None):
    """Whether an operator has a kernel registered at some run-time key of a set."""
    cdef Operator o = find_named(name)
    return any([k < K_StartOfAliasKeys and keyset.has(key_objects[<int>k]) for k in o.kernels])


def _dispatch_has_computed_kernel_for_dispatch_key(str name not None, key):
    """Whether the slot of a run-time key is filled, by whatever rule."""
    cdef Operator o = find_named(name)
    cdef int k = key_value(key)
    if k >= K_StartOfAliasKeys:
        raise RuntimeError("Alias keys do not have runtime kernel registrations.")
    return not o.op.table[rt_slot_of(rt_bits_of_key(k))].flags & RT_KERNEL_MISSING


def _dispatch_kernel_for_dispatch_key_is_fallthrough(str name not None, key):
    """Whether the kernel that an operator has at a key is a fallthrough."""
    cdef Operator o = find_named(name)
    stack = o.kernels.get(key_value(key))
    if not stack:
        raise RuntimeError(f"no kernel for {key_names[key_value(key)]} on {name}")
    return (<Kernel>stack[0]).is_fallthrough


def _dispatch_get_computed_kernel_for_dispatch_key(str name not None, key):
    """The kernel in the slot of a run-time key, ready to be called."""
    cdef Operator o = find_named(name)
    cdef int k = key_value(key)
    if k >= K_StartOfAliasKeys:
        raise RuntimeError("Alias keys do not have runtime kernel registrations.")
    kernel = o.kernel_at(k)
    if kernel is None:
        raise RuntimeError(f"no kernel for {key_names[k]} for {name}")
    return safe_kernel_function(o, kernel)


def _dispatch_has_backend_fallback(key):
    """Whether a key has a backend fallback."""
    return fallbacks[key_value(key)] is not None


def _dispatch_key_set(tensor):
    """The text of a tensor's key set."""
    return repr(_dispatch_keys(tensor))


def _dispatch_keys(tensor):
    """A tensor's key set."""
    if not rt_is_tensor(<PyObject *>tensor):
        raise TypeError(f"_dispatch_keys(): expected a Tensor, not {type(tensor).__name__}")
    return new_keyset(RT_TENSOR(<void *>tensor).keys & RT_FULL_KEYSET)


def _dispatch_keyset_to_string(DispatchKeySet keyset not None):
    """The text of a key set."""
    return repr(keyset)


def _dispatch_get_backend_keyset_from_autograd(key):
    """The backend keys whose autograd key is `key`."""
    cdef int k, autograd = key_value(key)
    if rt_functionality_of(autograd) == K_AutogradFunctionality and rt_backend_of(autograd) < 0:
        return new_keyset(0)  # the building block, which is no backend's
    return DispatchKeySet([key_objects[k] for k in range(1, RT_NUM_KEYS) if k < K_StartOfAliasKeys and backend_of_autograd(autograd, k)])


device_keys = {"cpu": "CPU", "cuda": "CUDA", "hip": "HIP", "xla": "XLA", "mps": "MPS", "ipu": "IPU", "xpu": "XPU", "hpu": "HPU",
               "ve": "VE", "lazy": "Lazy", "mtia": "MTIA", "maia": "MAIA", "privateuseone": "PrivateUse1", "meta": "Meta",
               "vulkan": "Vulkan", "fpga": "FPGA", "mkldnn": "MkldnnCPU"}


def _dispatch_key_for_device(str device_type not None):
    """The name of the dispatch key of a device type."""
    if ":" in device_type:
        raise RuntimeError(f"Expected device_type string to not have a device index; got {device_type}")
    known = "privateuseone" if device_type == privateuse1_name else device_type
    if known not in device_keys:
        raise RuntimeError(EXPECTED_DEVICES + device_type)
    return device_keys[known]


def _rename_privateuse1_backend(name):
    """Give the device type of the key PrivateUse1 a name of its own, once; `privateuseone` stays another name of it."""
    global privateuse1_name
    if not isinstance(name, str):
        raise RuntimeError(f"_rename_privateuse1_backend expects a str, but got {class_name(name)}")
    if name == privateuse1_name:
        return
    if privateuse1_name != "privateuseone":
        raise RuntimeError(f"torch.register_privateuse1_backend() has already been set! Current backend: {privateuse1_name}")
    if name in device_type_codes:
        raise RuntimeError(f"Cannot register privateuse1 backend with in-tree device name: {name}")
    if not name.isidentifier():
        raise RuntimeError(f"_rename_privateuse1_backend needs a name that can stand in Python code, not {name!r}")
    privateuse1_name = name
    device_type_codes[name] = DEVICE_PRIVATEUSEONE
    autocast_key_names[name] = autocast_key_names.pop("privateuseone")


def _dispatch_isTensorSubclassLike(tensor):
    """Whether a tensor's calls go through Python or functorch keys."""
    cdef rt_keyset bits = (<DispatchKeySet>_dispatch_keys(tensor)).bits
    return bits & (RT_FUNCTIONALITY_BIT(K_Python) | RT_FUNCTIONALITY_BIT(K_Functionalize) | RT_FUNCTIONALITY_BIT(K_FuncTorchBatched)) != 0


def _dispatch_pystub(str name not None, str overload=""):
    """The Python module that implements an operator's abstract kernels: none is known."""
    return None


def _jit_get_schemas_for_operator(str name not None):
    """The schemas of all overloads of an operator."""
    return [(<Operator>operators[name, n]).schema() for n in definitions.get(name, ())]


def _get_operator_table(str name not None):
    """What `explain` and the tools print: for each filled slot (key, rule, kernel's debug text, is fallthrough)."""
    cdef Operator o = find_named(name)
    cdef Registered r
    cdef const char *rule
    cdef rt_kernel *k
    cdef int slot
    rows = []
    o.registered(&r)
    for slot in range(RT_NUM_SLOTS):
        k = choose(&r, slot_keys[slot], &rule)
        if k.flags & RT_KERNEL_MISSING:
            continue
        debug = "ambiguous_autogradother" if k.flags & RT_KERNEL_AMBIGUOUS else kernel_of_struct(k).debug
        rows.append((key_objects[slot_keys[slot]], rule.decode(), debug, (k.flags & RT_KERNEL_FALLTHROUGH) != 0))
    return rows


def _get_call_keysets(OpOverload op not None, *args, **kwargs):
    """The steps from a call's arguments to the key that it selects: a list of (name, DispatchKeySet)."""
    cdef Binding b
    cdef rt_keyset after
    names = tuple(kwargs)
    values = args + tuple(kwargs.values())
    if bind(op.op, RT_TUPLE_ITEMS(<void *>values), len(args), <PyObject *>names if names else NULL, 0, &b) < 0:
        raise_current()
    per_argument = [(<object>op.op.args[i].name, argument_keys(b.args[i])) for i in range(op.op.nargs) if op.op.args[i].kind == RT_ARG_TENSOR]
    after = (b.keys & RT_FULL_KEYSET | rt_tls_state.included) & ~rt_tls_state.excluded
    effective = rt_effective_keyset(op.op, b.keys)
    tensors = b.keys & RT_FULL_KEYSET
    unbind(op.op, &b)
    return {"arguments": per_argument, "tensors": new_keyset(tensors), "include": new_keyset(rt_tls_state.included),
            "exclude": new_keyset(rt_tls_state.excluded), "after_tls": new_keyset(after), "effective": new_keyset(effective)}


cdef object argument_keys(PyObject *value):
    if value == c_None:
        return new_keyset(0)
    if rt_is_tensor(value):
        return new_keyset(RT_TENSOR(value).keys & RT_FULL_KEYSET)
    cdef rt_keyset bits = 0
    if RT_TYPE(value) == &c_tuple:
        for x in <tuple>value:
            if rt_is_tensor(<PyObject *>x):
                bits |= RT_TENSOR(<void *>x).keys
    return new_keyset(bits & RT_FULL_KEYSET)


cdef extern from "kernels/shared/threads.h":
    int rt_get_num_threads()
    void rt_set_num_threads(int n)


def get_num_threads():
    """How many threads share the work of one kernel."""
    return rt_get_num_threads()


def set_num_threads(n):
    """Let at most `n` threads share the work of one kernel."""
    if not isinstance(n, int):
        raise RuntimeError(f"set_num_threads expects an int, but got {class_name(n)}")
    if not 0 < n < 1 << 16:
        raise RuntimeError("set_num_threads expects a positive integer")
    rt_set_num_threads(n)
