# The Python dispatcher: while it is enabled, each key that a call comes to may be served by a Python function registered on the operator
# object (`py_impl`), and the pre-dispatch stack of modes is in reach.
#
# Its key is the highest there is and stays in the set when kernels redispatch (RT_FULL_AFTER keeps it), so every level of a call comes by
# here. What `_get_dispatch` finds for a key, a DispatchKey (that key's kernel) or a Python function, is kept in the operator object's
# `_dispatch_cache`; registrations clear it.

cdef set cached_overloads = set()   # the operator objects that have something in their cache


cdef class OperatorBase:
    """What operators and higher-order operators have in common: rules in Python for keys, modes, subclasses and transformations."""
    cdef dict _cache
    cdef dict _py_kernels
    cdef dict _python_keys
    cdef dict _transforms
    cdef dict __dict__
    cdef object __weakref__

    def __init__(self):
        pass

    @property
    def _dispatch_cache(self):
        """What the Python dispatcher does at a key: DispatchKey -> DispatchKey or function."""
        if self._cache is None:
            self._cache = {}
        return self._cache

    @property
    def py_kernels(self):
        """Python rules for keys, alias keys among them."""
        if self._py_kernels is None:
            self._py_kernels = {}
        return self._py_kernels

    @property
    def python_key_table(self):
        """Python rules for mode classes and tensor subclasses."""
        if self._python_keys is None:
            self._python_keys = {}
        return self._python_keys

    @property
    def functorch_table(self):
        """Python rules for transformations."""
        if self._transforms is None:
            self._transforms = {}
        return self._transforms

    def __call__(self, *args, **kwargs):
        raise NotImplementedError(f"{self} cannot be called")

    def name(self):
        """The operator's name."""
        raise NotImplementedError("an operator has a name")

    def has_kernel_for_dispatch_key(self, k):
        """Whether there is a rule for exactly this key."""
        return k in self.py_kernels

    def has_kernel_for_any_dispatch_key(self, DispatchKeySet ks not None):
        """Whether there is a rule for some run-time key of a set."""
        return any([(<DispatchKey>k).value < K_StartOfAliasKeys and ks.has(k) for k in self.py_kernels])

    def py_impl(self, k):
        """A decorator that registers a Python rule.

        Parameters
        ----------
        k : DispatchKey, type or TransformType
            The key, the class of a mode (the rule gets the mode first) or of tensors, or the transformation that the rule is for.

        Raises
        ------
        RuntimeError
            If there is a rule for the key.
        """
        def register(fn):
            if isinstance(k, type) and issubclass(k, (TorchDispatchMode, Tensor)):
                if k in self.python_key_table:
                    raise AssertionError(f"{k} already registered in python_key_table")
                self.python_key_table[k] = fn
            elif type(k) is DispatchKey:
                if k is DispatchKey.Python:
                    raise AssertionError("Please register a mode for the DispatchKey.Python key instead.")
                if k in self.py_kernels:
                    raise RuntimeError(f"Trying to override a python impl for {k} on operator {self.name()}")
                self.py_kernels[k] = fn
            elif getattr(type(k), "__name__", "") == "TransformType":
                if k in self.functorch_table:
                    raise AssertionError(f"{k} already registered in functorch_table")
                self.functorch_table[k] = fn
                return fn
            else:
                raise AssertionError(f"expected DispatchKey, got {type(k)}")
            self._dispatch_cache.clear()
            return fn
        return register

    def py_functionalize_impl(self, fn):
        """Register the rule for functionalization: `fn(context, *args, **kwargs)`, where the context wraps and unwraps tensors.

        The rule serves the Functionalize key; without a functionalization that offers contexts its calls fail by saying so.
        """
        def rule(*args, **kwargs):
            from runtime.compat import resolve
            return fn(resolve("torch._subclasses.functional_tensor.CppFunctionalizeAPI")(), *args, **kwargs)
        self.py_impl(DispatchKey.Functionalize)(rule)
        return fn

    def _uncache_dispatch(self, key):
        """Forget what is cached for a key."""
        self._dispatch_cache.pop(key, None)


def resolve_key(OperatorBase op not None, k):
    """The key whose rule serves a key, by the rules of the table (runtime/core/operator.pxi) over Python rules and kernels alike.

    Raises
    ------
    NotImplementedError
        If nothing serves it.
    """
    cdef int key = key_value(k)
    if op.has_kernel_for_dispatch_key(k):
        return k
    for name in ("CompositeExplicitAutogradNonFunctional", "CompositeExplicitAutograd"):
        alias = DispatchKey.__dict__[name]
        if (key == K_Undefined or in_alias(key, (<DispatchKey>alias).value)) and op.has_kernel_for_dispatch_key(alias):
            return alias
    has_backend = (op.has_kernel_for_any_dispatch_key(_dispatch_get_backend_keyset_from_autograd(k))
                   or op.has_kernel_for_dispatch_key(DispatchKey.CompositeExplicitAutograd))
    alias = DispatchKey.CompositeImplicitAutogradNestedTensor
    if key != K_Undefined and in_alias(key, (<DispatchKey>alias).value) and op.has_kernel_for_dispatch_key(alias) and not has_backend:
        return alias
    alias = DispatchKey.CompositeImplicitAutograd
    if (key == K_Undefined or in_alias(key, (<DispatchKey>alias).value)) and op.has_kernel_for_dispatch_key(alias):
        if key == K_AutogradOther and op.has_kernel_for_any_dispatch_key(_dispatch_autogradother_backends):
            raise RuntimeError("ambiguous autogradother kernel")
        if not has_backend:
            return alias
    for name in ("Autograd", "FuncTorchBatchedDecomposition"):
        alias = DispatchKey.__dict__[name]
        if in_alias(key, (<DispatchKey>alias).value) and op.has_kernel_for_dispatch_key(alias):
            return alias
    if fallbacks[key] is not None:
        return k
    raise NotImplementedError(f"could not find kernel for {op} at dispatch key {k}")


cdef object find_dispatch(OpOverload self, object key):
    """What the Python dispatcher shall do at a key; cached, but for what depends on the modes that are active."""
    if key in self._dispatch_cache:
        raise AssertionError(f"{self} {key} already in dispatch cache")
    if key is DispatchKey.Python:
        found = key if not self.python_key_table else mode_rule(self, key)
    elif key is DispatchKey.PreDispatch:
        # Not cached: it depends on the stack.
        if _len_torch_dispatch_stack_pre_dispatch() > 0 and not rt_tls_state.excluded & RT_FUNCTIONALITY_BIT(K_Python):
            return pre_dispatch_rule(self)
        final = resolve_key(self, key)
        return self.py_kernels.get(final, final)
    else:
        final = resolve_key(self, key)
        found = None
        if key is DispatchKey.Functionalize:
            from runtime import crossref
            if crossref.CROSSREF_FUNCTIONALIZE:
                found = crossref.make_crossref_functionalize(self, final)
        if found is None:
            found = self.py_kernels.get(final, final)
    self._dispatch_cache[key] = found
    cached_overloads.add(self)
    return found


cdef object mode_rule(OpOverload self, object key):
    """The function for the Python key of an operator with rules for modes."""
    def handler(*args, **kwargs):
        cdef int slot
        mode = _get_current_dispatch_mode()
        rule = self.python_key_table.get(type(mode))
        if rule is None:
            return self._op_dk(key, *args, **kwargs)
        stacks = mode_stacks()
        mode = stacks.pop(&slot)
        try:
            return rule(mode, *args, **kwargs)
        finally:
            stacks.put(mode, slot)
    return handler


cdef object pre_dispatch_rule(OpOverload self):
    """The function that hands a call to the innermost pre-dispatch mode."""
    def handler(*args, **kwargs):
        mode = _pop_mode_from_pre_dispatch()
        try:
            rule = self.python_key_table.get(type(mode))
            if rule is not None:
                return rule(mode, *args, **kwargs)
            types = tuple([type(a) for a in _overloaded_args((*args, *kwargs.values()))])
            return mode.__torch_dispatch__(self, types, args, kwargs)
        finally:
            _set_mode_pre_dispatch(mode)
    return handler


cdef PyObject *python_dispatcher_fallback(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """The kernel of the Python dispatcher: do at the next key what `_get_dispatch` says."""
    cdef rt_keyset below = ks & ~RT_FUNCTIONALITY_BIT(K_PythonDispatcher)
    cdef PyObject *positional
    cdef PyObject *keywords
    cdef PyObject *result
    cdef rt_kernel *kernel
    cdef int key
    try:
        handle = overload_of(op)
        at = key_objects[slot_keys[rt_slot_of(below)]]
        found = handle._dispatch_cache.get(at)
        if found is None:
            found = handle._get_dispatch(at)
        if type(found) is not DispatchKey:
            if python_arguments(op, args, n, &positional, &keywords) < 0:
                return NULL
            given, named = <tuple>positional, <dict>keywords
            RT_DEC(positional)
            RT_DEC(keywords)
            answer = (<object>found)(*given, **named)
            RT_INC(<void *>answer)
            return check_return(op, <PyObject *>answer, args)
        key = (<DispatchKey>found).value
        kernel = kernel_for_key(handle._handle, key)
        held = kernel_of_struct(kernel) if kernel.self != NULL else None
    except BaseException as e:
        set_current(e)
        return NULL
    # As a new call of that kernel: the key set keeps the Python dispatcher for what the kernel redispatches.
    return kernel.fn(op, rt_effective_keyset(op, argument_union(op, args, n)), args, n, kernel.ctx)


cdef PyObject *pre_dispatch_fallback(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """The kernel of PreDispatch without the Python dispatcher: nothing."""
    return rt_redispatch(op, ks & RT_FULL_AFTER(K_PreDispatch), args, n)


# ------------------------------------------------------------------------------------------------- the pre-dispatch stack
# Two slots, for the tracing mode (PROXY) and above it the functionalizing one (FUNCTIONAL), and one for a mode without a key, which
# must be alone.

cdef enum:
    PRE_PROXY, PRE_FUNCTIONAL, PRE_ALONE, N_PRE


cdef class _PreDispatchStack:
    """The pre-dispatch modes of a thread."""
    cdef list modes

    def __cinit__(self):
        self.modes = [None] * N_PRE

    def get(self, int index):
        """The mode in slot 0 (PROXY) or 1 (FUNCTIONAL)."""
        if not 0 <= index < PRE_ALONE:
            raise AssertionError(f"index {index} out of bounds for infra_modes length {PRE_ALONE}")
        return self.modes[index]

    def set(self, int index, mode):
        """Put a mode into slot 0 (PROXY) or 1 (FUNCTIONAL)."""
        if not 0 <= index < PRE_ALONE:
            raise AssertionError(f"index {index} out of bounds for infra_modes length {PRE_ALONE}")
        self.modes[index] = mode

    def count(self):
        """How many modes there are."""
        return sum([mode is not None for mode in self.modes])

    @property
    def _schema_check_mode(self):
        return self.modes[PRE_ALONE]


def mode_stack_state_for_pre_dispatch():
    """This thread's pre-dispatch stack."""
    cdef PyObject *state = PyThreadState_GetDict()
    if state == NULL:
        raise RuntimeError("this thread has no state to keep modes in")
    found = (<dict>state).get("runtime._core pre-dispatch modes")
    if found is None:
        found = (<dict>state)["runtime._core pre-dispatch modes"] = _PreDispatchStack()
    return found


cdef int pre_slot(object mode_key) except -1:
    if mode_key is None:
        return PRE_ALONE
    if (<_TorchDispatchModeKey?>mode_key).value == 0:
        raise AssertionError(f"mode_key must be PROXY or FUNCTIONAL, got {mode_key}")
    return (<_TorchDispatchModeKey>mode_key).value - 1


def unset_mode_pre_dispatch(mode_key, schema_check=False):
    """Take the mode of a slot off the pre-dispatch stack; returns it, or None."""
    cdef _PreDispatchStack stack = mode_stack_state_for_pre_dispatch()
    cdef int slot = pre_slot(mode_key)
    if schema_check and mode_key is not None:
        raise AssertionError("mode_key must be None when schema_check is True")
    mode, stack.modes[slot] = stack.modes[slot], None
    if stack.count() == 0:
        rt_tls_state.included &= ~RT_FUNCTIONALITY_BIT(K_PreDispatch)
    return mode


def _set_mode_pre_dispatch(mode):
    """Put a mode on the pre-dispatch stack, into the slot of its `_mode_key`; one without a key must be alone."""
    cdef _PreDispatchStack stack = mode_stack_state_for_pre_dispatch()
    cdef int slot = pre_slot(getattr(mode, "_mode_key", None))
    if slot == PRE_ALONE and stack.count() > 0:
        raise AssertionError(f"{class_name(mode)} for pre-dispatch must be used exclusively, found other modes on the stack")
    if stack.modes[slot] is not None:
        raise AssertionError(f"{class_name(mode)} slot already occupied by {stack.modes[slot]}")
    stack.modes[slot] = mode
    rt_tls_state.included |= RT_FUNCTIONALITY_BIT(K_PreDispatch)


def _pop_mode_from_pre_dispatch():
    """Take off and return the innermost pre-dispatch mode."""
    cdef _PreDispatchStack stack = mode_stack_state_for_pre_dispatch()
    if stack.count() == 0:
        raise AssertionError("Trying to pop empty mode stack")
    if stack.modes[PRE_ALONE] is not None:
        return unset_mode_pre_dispatch(None, True)
    return unset_mode_pre_dispatch(_TorchDispatchModeKey.FUNCTIONAL if stack.modes[PRE_FUNCTIONAL] is not None
                                   else _TorchDispatchModeKey.PROXY)


def _len_torch_dispatch_stack_pre_dispatch():
    """How many pre-dispatch modes this thread has."""
    return mode_stack_state_for_pre_dispatch().count()


def _get_dispatch_mode_pre_dispatch(mode_key):
    """The pre-dispatch mode in the slot of PROXY or FUNCTIONAL, or None."""
    if mode_key is None:
        raise AssertionError("mode_key must be PROXY or FUNCTIONAL, got None")
    return (<_PreDispatchStack>mode_stack_state_for_pre_dispatch()).modes[pre_slot(mode_key)]


def _get_current_dispatch_mode_pre_dispatch():
    """The innermost pre-dispatch mode, or None."""
    cdef _PreDispatchStack stack = mode_stack_state_for_pre_dispatch()
    for slot in (PRE_ALONE, PRE_FUNCTIONAL, PRE_PROXY):
        if stack.modes[slot] is not None:
            return stack.modes[slot]
    return None


cdef int uncache_pre_dispatch() except -1:
    for op in cached_overloads:
        (<OpOverload>op)._dispatch_cache.pop(DispatchKey.PreDispatch, None)
    return 0


def get_cached_ops():
    """The operator objects that have something in their dispatch cache."""
    return cached_overloads


def reset_cached_ops():
    """Forget which operator objects have something in their dispatch cache."""
    cached_overloads.clear()


# ------------------------------------------------------------------------------------------------------------------ guards

cdef class _DispatcherGuard:
    """The Python dispatcher's (or PreDispatch's) key in the include set, or out of it, for the time of a ``with`` block."""
    cdef rt_keyset bit
    cdef bint on
    cdef list saved

    def __enter__(self):
        if self.saved is None:
            self.saved = []
        self.saved.append((rt_tls_state.included & self.bit) != 0)
        self.put(self.on)
        return self

    def __exit__(self, kind, value, traceback):
        if self.saved:
            self.put(self.saved.pop())

    cdef int put(self, bint on) except -1:
        if on:
            rt_tls_state.included |= self.bit
        else:
            rt_tls_state.included &= ~self.bit
        return 0


@cython.final
cdef class _EnablePythonDispatcher(_DispatcherGuard):
    """For a ``with`` block: calls of this thread go through the Python dispatcher."""
    def __cinit__(self):
        self.bit = RT_FUNCTIONALITY_BIT(K_PythonDispatcher)
        self.on = True


@cython.final
cdef class _DisablePythonDispatcher(_DispatcherGuard):
    """For a ``with`` block: calls of this thread do not go through the Python dispatcher."""
    def __cinit__(self):
        self.bit = RT_FUNCTIONALITY_BIT(K_PythonDispatcher)


@cython.final
cdef class _EnablePreDispatch(_DispatcherGuard):
    """For a ``with`` block: calls of this thread come by the PreDispatch key."""
    def __cinit__(self):
        self.bit = RT_FUNCTIONALITY_BIT(K_PreDispatch)
        self.on = True
