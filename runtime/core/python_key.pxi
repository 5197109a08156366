# The Python key: `__torch_dispatch__` of modes and of tensor subclasses.
#
# A call that reaches the key goes to the innermost mode, with that mode taken off the stack for the time; where the mode answers
# NotImplemented, or there is none, to the classes of the tensor arguments that have the key, derived classes before their bases and
# otherwise from left to right. While Python code runs, every key above Python is excluded: autograd, functorch and autocast have had
# their turn. PythonTLSSnapshot, far above, notes the thread-local sets as the outermost call found them, for handlers that start over.

cdef extern from "Python.h":
    PyObject *PyThreadState_GetDict() noexcept
    PyObject *c_type_lookup "_PyType_Lookup"(PyTypeObject *type, PyObject *name) noexcept
    PyObject *c_call_method "PyObject_VectorcallMethod"(PyObject *name, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept
    PyObject *c_getattr "PyObject_GetAttr"(PyObject *o, PyObject *name) noexcept
    PyObject *c_dict_new "PyDict_New"() noexcept
    int c_dict_set "PyDict_SetItem"(PyObject *d, PyObject *key, PyObject *value) noexcept
    PyObject *c_NotImplemented "Py_NotImplemented"
    PyTypeObject c_classmethod "PyClassMethod_Type"

cdef extern from "runtime/core/cpython.h":
    PyObject *RT_CLASSMETHOD_FUNCTION(PyObject *o) noexcept

cdef extern from "runtime/core/alloc.h":
    PyObject *rt_str_torch_dispatch
    PyObject *rt_str_torch_function
    PyObject *rt_no_torch_dispatch
    PyObject *rt_no_torch_function

cdef rt_keyset python_bits = RT_FUNCTIONALITY_BIT(K_Python) | RT_FUNCTIONALITY_BIT(K_PythonTLSSnapshot)
cdef rt_keyset above_python = RT_FULL_KEYSET & ~(RT_FULL_AFTER(K_Python) | RT_FUNCTIONALITY_BIT(K_Python))

cdef object torch_dispatch_name = intern_name("__torch_dispatch__")
rt_str_torch_dispatch = <PyObject *>torch_dispatch_name


def _disabled_torch_dispatch_impl(func, types, args=(), kwargs=None):
    """A class whose ``__torch_dispatch__`` this is has none; called by a derived class's, it runs the operator below the Python key."""
    cdef rt_keyset added = (above_python | RT_FUNCTIONALITY_BIT(K_Python)) & ~rt_tls_state.excluded
    rt_tls_state.excluded |= added
    try:
        return func(*args, **(kwargs or {}))
    finally:
        rt_tls_state.excluded &= ~added


rt_no_torch_dispatch = <PyObject *>_disabled_torch_dispatch_impl
RT_INC(rt_no_torch_dispatch)
rt_type_set(<PyTypeObject *>Tensor, "__torch_dispatch__", _disabled_torch_dispatch_impl)


# ------------------------------------------------------------------------------------------------------------- mode stacks

cdef enum:
    N_INFRA = 3   # FAKE, PROXY, FUNCTIONAL: a slot each, below the modes of users

cdef tuple infra_names = ("FakeTensorMode", "ProxyTorchDispatchMode", "FunctionalTensorMode")


@cython.final
cdef class _TorchDispatchModeKey:
    """The slot of an infrastructure mode: FAKE, PROXY or FUNCTIONAL, from the bottom of the stack up."""
    cdef readonly str name
    cdef readonly int value

    def __init__(self):
        raise TypeError("the keys are FAKE, PROXY and FUNCTIONAL")

    def __repr__(self):
        return f"<_TorchDispatchModeKey.{self.name}: {self.value}>"

    def __str__(self):
        return f"_TorchDispatchModeKey.{self.name}"

    def __int__(self):
        return self.value

    def __index__(self):
        return self.value

    def __hash__(self):
        return self.value

    def __reduce__(self):
        return getattr, (_TorchDispatchModeKey, self.name)


cdef int make_mode_keys() except -1:
    cdef _TorchDispatchModeKey key
    members = {}
    for i, name in enumerate(("FAKE", "PROXY", "FUNCTIONAL")):
        key = _TorchDispatchModeKey.__new__(_TorchDispatchModeKey)
        key.name = name
        key.value = i
        members[name] = key
        rt_type_set(<PyTypeObject *>_TorchDispatchModeKey, name, key)
    rt_type_set(<PyTypeObject *>_TorchDispatchModeKey, "__members__", members)
    return 0

make_mode_keys()


@cython.final
cdef class _ModeStacks:
    """The modes of one thread. The thread's state owns it; `rt_tls_state.modes` points to it."""
    cdef PyObject **user  # TorchDispatchModes, the innermost last: a Python list would be shrunk and grown by every call
    cdef int n_user, room
    cdef list infra       # for each _TorchDispatchModeKey a mode or None
    cdef int n_infra
    cdef list functions   # torch function modes, the innermost last
    cdef bint in_mode     # inside the `with` block of some TorchDispatchMode, its handler included
    cdef bint in_user_mode

    def __dealloc__(self):
        if rt_tls_state.modes == <PyObject *>self:
            rt_tls_state.modes = NULL
        while self.n_user:
            self.n_user -= 1
            RT_DEC(self.user[self.n_user])
        free(self.user)

    cdef inline int count(self) noexcept:
        return self.n_user + self.n_infra

    cdef inline void show(self) noexcept:
        """Calls reach the Python key while there are modes."""
        if self.count():
            rt_tls_state.included |= python_bits
        else:
            rt_tls_state.included &= ~python_bits

    cdef inline PyObject *pop_user(self) noexcept:
        """Take off the innermost mode of a user, of which there is one; the caller owns it."""
        self.n_user -= 1
        self.show()
        return self.user[self.n_user]

    cdef inline int push_user(self, PyObject *mode) noexcept:
        """Make a mode the innermost one; its reference passes to the stack. -1 with an exception, and the reference kept, without room."""
        cdef PyObject **grown
        if unlikely(self.n_user == self.room):
            grown = <PyObject **>realloc(self.user, (self.room * 2 + 8) * sizeof(PyObject *))
            if grown == NULL:
                set_error(MemoryError, "no memory for the stack of modes", NULL)
                return -1
            self.user = grown
            self.room = self.room * 2 + 8
        self.user[self.n_user] = mode
        self.n_user += 1
        self.show()
        return 0

    cdef object pop(self, int *slot):
        """Take the innermost mode off; `slot` tells where it was: -1 or an infrastructure mode's key."""
        cdef int i
        slot[0] = -1
        if self.n_user:
            return steal(self.pop_user())
        for i in range(N_INFRA - 1, -1, -1):
            if self.infra[i] is not None:
                slot[0] = i
                return self.take(i)
        raise RuntimeError("trying to pop from empty mode stack")

    cdef object take(self, int i):
        mode = self.infra[i]
        if mode is not None:
            self.infra[i] = None
            self.n_infra -= 1
            self.show()
        return mode

    cdef int put(self, object mode, int slot) except -1:
        if slot < 0:
            RT_INC(<void *>mode)
            if self.push_user(<PyObject *>mode) < 0:
                RT_DEC(<void *>mode)
                raise_current()
            return 0
        if self.infra[slot] is not None:
            raise RuntimeError(f"trying to set the current {infra_names[slot]}, but one already exists")
        self.infra[slot] = mode
        self.n_infra += 1
        self.show()
        return 0

    cdef list all(self):
        cdef int i
        return [mode for mode in self.infra if mode is not None] + [<object>self.user[i] for i in range(self.n_user)]


cdef _ModeStacks mode_stacks():
    """This thread's stacks, made at the first request."""
    cdef _ModeStacks made
    cdef PyObject *state
    if likely(rt_tls_state.modes != NULL):
        return <_ModeStacks>rt_tls_state.modes
    state = PyThreadState_GetDict()
    if state == NULL:
        raise RuntimeError("this thread has no state to keep modes in")
    made = _ModeStacks.__new__(_ModeStacks)
    made.infra = [None] * N_INFRA
    made.functions = []
    (<dict>state)["runtime._core modes"] = made
    rt_tls_state.modes = <PyObject *>made
    return made


cdef int mode_slot(object mode) except -2:
    key = getattr(mode, "_mode_key", None)
    return -1 if key is None else (<_TorchDispatchModeKey?>key).value


def _push_on_torch_dispatch_stack(mode):
    """Make a mode the innermost one; an infrastructure mode (`_mode_key`) goes to its slot."""
    if not hasattr(mode, "__torch_dispatch__"):
        raise TypeError(f"a mode has a method __torch_dispatch__; {class_name(mode)} has none")
    mode_stacks().put(mode, mode_slot(mode))


def _pop_torch_dispatch_stack(key=None):
    """Take off and return the innermost mode, or the infrastructure mode of a key."""
    cdef int slot
    cdef _ModeStacks stacks = mode_stacks()
    if key is None:
        return stacks.pop(&slot)
    slot = (<_TorchDispatchModeKey?>key).value
    mode = stacks.take(slot)
    if mode is None:
        raise RuntimeError(f"Attempted to unset {infra_names[slot]}, but there wasn't one active.")
    return mode


def _len_torch_dispatch_stack():
    """How many modes this thread has."""
    return 0 if rt_tls_state.modes == NULL else (<_ModeStacks>rt_tls_state.modes).count()


def _get_dispatch_stack_at(Py_ssize_t index):
    """The mode at a place of the stack, counted from the outermost; infrastructure modes come first."""
    modes = mode_stacks().all()
    if not 0 <= index < len(modes):
        raise RuntimeError("Tried to get stack at idx that's too big")
    return modes[index]


def _get_dispatch_mode(_TorchDispatchModeKey key not None):
    """The infrastructure mode of a key, or None."""
    return mode_stacks().infra[key.value]


def _set_dispatch_mode(mode):
    """Put an infrastructure mode into its slot."""
    cdef int slot = mode_slot(mode)
    if slot < 0:
        raise RuntimeError("set_dispatch_mode() called with a mode that does not contain a _mode_key attribute!")
    mode_stacks().put(mode, slot)


def _unset_dispatch_mode(_TorchDispatchModeKey key not None):
    """Take the infrastructure mode of a key off its slot; returns it, or None."""
    return mode_stacks().take(key.value)


def _get_current_dispatch_mode():
    """The innermost mode, or None."""
    cdef _ModeStacks stacks
    if rt_tls_state.modes == NULL:
        return None
    stacks = <_ModeStacks>rt_tls_state.modes
    if stacks.n_user:
        return <object>stacks.user[stacks.n_user - 1]
    modes = stacks.all()
    return modes[len(modes) - 1] if modes else None


def _get_current_dispatch_mode_stack():
    """This thread's modes, the innermost last."""
    return [] if rt_tls_state.modes == NULL else (<_ModeStacks>rt_tls_state.modes).all()


def is_in_torch_dispatch_mode(include_infra_modes=True):
    """Whether the code runs inside the ``with`` block of a mode of this thread, or in a mode's handler."""
    cdef _ModeStacks stacks
    if rt_tls_state.modes == NULL:
        return False
    stacks = <_ModeStacks>rt_tls_state.modes
    return stacks.in_mode if include_infra_modes else stacks.in_user_mode


cdef class TorchDispatchMode:
    """Sees every operator call of its thread inside a ``with`` block, factories included.

    Subclasses define ``__torch_dispatch__(self, func, types, args=(), kwargs=None)``: `func` is the OpOverload, `types` the classes of
    the tensor arguments that have a ``__torch_dispatch__`` themselves. While it runs the mode is off the stack, so calls go to the next
    mode out.
    """
    cdef list entered   # (in_mode, in_user_mode) as they were before each entry
    cdef dict __dict__
    cdef object __weakref__

    supports_higher_order_operators = False
    _mode_key = None

    def __init__(self, _dispatch_key=None):
        if _dispatch_key is not None:
            if type(_dispatch_key) is not DispatchKey:
                raise AssertionError("_dispatch_key must be a torch._C.DispatchKey")
            vars(self)["_dispatch_key"] = _dispatch_key

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        raise NotImplementedError(f"{class_name(self)} has no __torch_dispatch__")

    def __enter__(self):
        cdef _ModeStacks stacks = mode_stacks()
        cdef bint in_user_mode = stacks.in_user_mode or not self.is_infra_mode()
        _push_mode(self)
        if self.entered is None:
            self.entered = []
        self.entered.append((stacks.in_mode, stacks.in_user_mode))
        stacks.in_mode = True
        stacks.in_user_mode = in_user_mode
        return self

    def __exit__(self, kind, value, traceback):
        cdef _ModeStacks stacks = mode_stacks()
        if not self.entered:
            raise IndexError("the mode is not entered")
        stacks.in_mode, stacks.in_user_mode = self.entered.pop()
        key = vars(self).get("_dispatch_key")
        _pop_mode(self._mode_key if key is None else key)

    def __reduce__(self):
        from copyreg import __newobj__
        return __newobj__, (type(self),), vars(self)   # a copy is not entered

    @classmethod
    def push(cls, *args, **kwargs):
        """An instance, as ``cls()``."""
        import warnings
        warnings.warn("`Mode.push()` is no longer necessary and can be replaced with just `with Mode()`", stacklevel=1)
        return cls(*args, **kwargs)

    @classmethod
    def is_infra_mode(cls):
        """Whether the mode belongs to the machinery (fake tensors, tracing, functionalization) and sits below users' modes."""
        return False

    @classmethod
    def _should_skip_dynamo(cls):
        return True

    @classmethod
    def ignore_compile_internals(cls):
        """Whether the mode does not look into compiled functions."""
        return cls.is_infra_mode()


rt_name_type(<PyTypeObject *>TorchDispatchMode, "runtime.TorchDispatchMode")


def _push_mode(mode):
    """Make a mode the innermost one of its stack: the ordinary one, or the pre-dispatch stack by its `_dispatch_key`."""
    key = getattr(mode, "_dispatch_key", None)
    if key is None:
        _push_on_torch_dispatch_stack(mode)
        return
    if key is not DispatchKey.PreDispatch:
        raise AssertionError("mode._dispatch_key must be None or DispatchKey.PreDispatch")
    uncache_pre_dispatch()
    _set_mode_pre_dispatch(mode)


def _pop_mode(key=None):
    """Take the innermost mode off a stack: the ordinary one, the pre-dispatch stack, or one infrastructure slot."""
    if key is DispatchKey.PreDispatch:
        return _pop_mode_from_pre_dispatch()
    return _pop_torch_dispatch_stack(key)


# ---------------------------------------------------------------------------------------------------- arguments for handlers

cdef enum:
    MAX_CLASSES = 64

cdef struct Overloaded:
    PyObject *items[MAX_CLASSES]   # one tensor argument of each class, in the order in which they are asked
    int n


cdef inline int add_overloaded(Overloaded *o, PyObject *item) noexcept:
    """Add an argument unless its class is there already; subclasses go before their bases."""
    cdef int i, at = o.n
    for i in range(o.n):
        if RT_TYPE(o.items[i]) == RT_TYPE(item):
            return 0
    for i in range(o.n):
        if PyType_IsSubtype(RT_TYPE(item), RT_TYPE(o.items[i])):
            at = i
            break
    if o.n == MAX_CLASSES:
        set_error(RuntimeError, f"arguments of more than {MAX_CLASSES} classes that override", NULL)
        return -1
    for i in range(o.n, at, -1):
        o.items[i] = o.items[i - 1]
    o.items[at] = item
    o.n += 1
    return 0


cdef inline bint has_bits(PyObject *value, rt_keyset bits) noexcept:
    return value != c_None and rt_is_tensor(value) and RT_TENSOR(value).keys & bits != 0


cdef int collect_overloaded(rt_operator *op, PyObject *const *args, Py_ssize_t n, rt_keyset bits, Overloaded *o) noexcept:
    """The tensor arguments whose key set has some of the bits, one of each class."""
    cdef Py_ssize_t i, j
    cdef PyObject *value
    o.n = 0
    for i in range(n):
        if op.args[i].kind != RT_ARG_TENSOR:
            continue
        value = args[i]
        if op.args[i].flags & RT_ARGF_LIST and value != c_None:
            for j in range(RT_SIZE(value)):
                if has_bits(RT_TUPLE_ITEMS(value)[j], bits) and add_overloaded(o, RT_TUPLE_ITEMS(value)[j]) < 0:
                    return -1
        elif has_bits(value, bits) and add_overloaded(o, value) < 0:
            return -1
    return 0


cdef PyObject *classes_of(Overloaded *o) noexcept:
    cdef int i
    cdef PyObject *types = c_tuple_new(o.n)
    if types != NULL:
        for i in range(o.n):
            RT_INC(RT_TYPE(o.items[i]))
            RT_TUPLE_ITEMS(types)[i] = <PyObject *>RT_TYPE(o.items[i])
    return types


cdef enum:
    MAX_SPARE = 8

# Empty dicts that nobody else has: most calls have no keyword arguments, and need a dict all the same. Several, for modes within modes.
cdef PyObject *spare_dicts[8]
cdef int n_spare = 0


cdef inline PyObject *take_dict() noexcept:
    """A new empty dict."""
    global n_spare
    if likely(n_spare > 0):
        n_spare -= 1
        return spare_dicts[n_spare]
    return c_dict_new()


cdef inline void give_dict(PyObject *made) noexcept:
    """Release a handler's dict; kept for another call if the handler has not kept it."""
    global n_spare
    if likely(n_spare < MAX_SPARE and RT_REFCNT(made) == 1 and RT_DICT_SIZE(made) == 0):
        spare_dicts[n_spare] = made
        n_spare += 1
    else:
        RT_DEC(made)

cdef extern from *:
    """
    #define RT_REFCNT(o) Py_REFCNT((PyObject *)(o))
    #define RT_DICT_SIZE(d) PyDict_GET_SIZE(d)
    """
    Py_ssize_t RT_REFCNT(PyObject *o) noexcept
    Py_ssize_t RT_DICT_SIZE(PyObject *d) noexcept


cdef int python_arguments(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject **positional, PyObject **keywords) noexcept:
    """A call's arguments as Python code sees them: a tuple without trailing defaults, and a dict of the keyword-only ones that are not
    defaults (the rule of Python kernels, see kernel.pxi)."""
    cdef Py_ssize_t npos = op.npos if op.npos < n else n, i
    cdef PyObject *value
    cdef PyObject *given
    positional[0] = NULL
    keywords[0] = NULL
    while npos > 0 and is_default(&op.args[npos - 1], args[npos - 1]):
        npos -= 1
    given = c_tuple_new(npos)
    if given == NULL:
        return -1
    for i in range(npos):
        value = args[i]
        if must_rebox(&op.args[i], value):
            value = rebox(&op.args[i], value)
            if value == NULL:
                RT_DEC(given)
                return -1
        else:
            RT_INC(value)
        RT_TUPLE_ITEMS(given)[i] = value
    keywords[0] = take_dict()
    if keywords[0] == NULL:
        RT_DEC(given)
        return -1
    for i in range(op.npos, n):
        value = args[i]
        if is_default(&op.args[i], value):
            continue
        if must_rebox(&op.args[i], value):
            value = rebox(&op.args[i], value)
        else:
            RT_INC(value)
        if value == NULL or c_dict_set(keywords[0], op.args[i].name, value) < 0:
            RT_XDEC(value)
            RT_DEC(given)
            RT_DEC(keywords[0])
            keywords[0] = NULL
            return -1
        RT_DEC(value)
    positional[0] = given
    return 0


# ------------------------------------------------------------------------------------------------------------ the kernels

cdef inline PyObject *rule_for(PyObject *func, PyTypeObject *kind) noexcept:
    """The rule that an OpOverload has for a class, or NULL; exceptions of odd metaclasses count as none."""
    cdef PyObject *rule
    if RT_TYPE(func) != <PyTypeObject *>OpOverload or likely((<OpOverload>func)._rules is None):
        return NULL
    rule = c_dict_get(<PyObject *>(<OpOverload>func)._rules, <PyObject *>kind)
    if rule == NULL:
        c_err_clear()
    return rule


cdef PyObject *call_rule(PyObject *rule, PyObject **stack) noexcept:
    """Call a rule with what stands at stack[1:6]."""
    cdef PyObject *result
    RT_INC(rule)
    result = c_vectorcall(rule, stack + 1, 5 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)
    RT_DEC(rule)
    return result


cdef PyObject *call_mode(_ModeStacks stacks, PyObject *func, PyObject *types, PyObject *args, PyObject *kwargs) noexcept:
    """Call the innermost mode's handler with the mode off the stack."""
    cdef PyObject *stack[6]
    cdef PyObject *result
    cdef PyObject *found
    cdef PyObject *rule
    cdef PyObject *mode
    cdef int slot = -1
    if likely(stacks.n_user > 0):
        mode = stacks.pop_user()
    else:
        mode = pop_infra(stacks, &slot)
        if mode == NULL:
            return NULL
    stack[1] = mode
    stack[2] = func
    stack[3] = types
    stack[4] = args
    stack[5] = kwargs
    rule = rule_for(func, RT_TYPE(mode))
    if unlikely(rule != NULL):
        result = call_rule(rule, stack)
    else:
        found = c_type_lookup(RT_TYPE(mode), rt_str_torch_dispatch)
        if unlikely(found != NULL and RT_TYPE(found) == &c_classmethod):
            set_error(RuntimeError, "Defining your mode's `__torch_dispatch__` as a classmethod is not supported, please make it a plain "
                      "method", NULL)
            result = NULL
        else:
            result = call_handler(found, stack)
    if likely(slot < 0):
        if likely(stacks.push_user(mode) == 0):
            return result
        RT_DEC(mode)
    elif put_infra(stacks, mode, slot) == 0:
        return result
    RT_XDEC(result)
    return NULL


cdef inline PyObject *call_handler(PyObject *found, PyObject **stack) noexcept:
    """Call a mode's method `__torch_dispatch__`, found in its class, with what stands at stack[1:6]; an attribute of the mode goes before."""
    cdef PyObject **attributes = c_dict_pointer(stack[1])
    cdef bint shadowed = attributes != NULL and attributes[0] != NULL and c_dict_get(attributes[0], rt_str_torch_dispatch) != NULL
    if likely(found != NULL and RT_TYPE(found) == &c_function and not shadowed):
        return c_vectorcall(found, stack + 1, 5 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)
    return c_call_method(rt_str_torch_dispatch, stack + 1, 5 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)

cdef extern from "Python.h":
    PyObject **c_dict_pointer "_PyObject_GetDictPtr"(PyObject *o) noexcept


cdef PyObject *pop_infra(_ModeStacks stacks, int *slot) noexcept:
    """Take the innermost infrastructure mode off; the caller owns it."""
    try:
        mode = stacks.pop(slot)
        RT_INC(<void *>mode)
        return <PyObject *>mode
    except BaseException as e:
        set_current(e)
        return NULL


cdef int put_infra(_ModeStacks stacks, PyObject *mode, int slot) noexcept:
    """Put an infrastructure mode back after its handler, which may have left an exception; its reference passes to the stack."""
    cdef PyObject *kind
    cdef PyObject *value
    cdef PyObject *traceback
    PyErr_Fetch_(&kind, &value, &traceback)
    try:
        stacks.put(steal(mode), slot)
    except BaseException as e:
        RT_XDEC(kind)
        RT_XDEC(value)
        RT_XDEC(traceback)
        set_current(e)
        return -1
    PyErr_Restore_(kind, value, traceback)
    return 0


cdef PyObject *call_class(PyObject *name, PyObject *item, PyObject *func, PyObject *types, PyObject *args, PyObject *kwargs) noexcept:
    """Call the handler of an argument's class, `__torch_dispatch__` or `__torch_function__`; `kwargs` may be NULL."""
    cdef PyObject *stack[6]
    cdef PyObject *found = c_type_lookup(RT_TYPE(item), name)
    cdef PyObject *bound
    cdef PyObject *result
    cdef int n = 4 if kwargs == NULL else 5
    stack[1] = <PyObject *>RT_TYPE(item)
    stack[2] = func
    stack[3] = types
    stack[4] = args
    stack[5] = kwargs
    if likely(found != NULL and RT_TYPE(found) == &c_classmethod):
        found = RT_CLASSMETHOD_FUNCTION(found)
        RT_INC(found)
        result = c_vectorcall(found, stack + 1, n | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)
        RT_DEC(found)
        return result
    bound = c_getattr(item, name)
    if bound == NULL:
        return NULL
    result = c_vectorcall(bound, stack + 2, (n - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)
    RT_DEC(bound)
    return result


cdef PyObject *python_fallback(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """The kernel of the Python key: hand the call to modes and classes, with the keys above Python excluded."""
    cdef rt_keyset added = above_python & ~rt_tls_state.excluded
    cdef PyObject *result
    rt_tls_state.excluded |= added
    result = run_handlers(op, args, n)
    rt_tls_state.excluded &= ~added
    return result


cdef PyObject *run_handlers(rt_operator *op, PyObject *const *args, Py_ssize_t n) noexcept:
    """Hand an operator's call to modes and classes, with the arguments as Python code sees them, and check what they return."""
    cdef Overloaded overloaded
    cdef PyObject *func = op.handle if op.handle != NULL else make_handle(op)
    cdef PyObject *positional
    cdef PyObject *keywords
    cdef PyObject *result
    if func == NULL or collect_overloaded(op, args, n, RT_FUNCTIONALITY_BIT(K_Python), &overloaded) < 0:
        return NULL
    if python_arguments(op, args, n, &positional, &keywords) < 0:
        return NULL
    RT_INC(func)
    result = ask_handlers(func, func, &overloaded, positional, keywords)
    RT_DEC(func)
    RT_DEC(positional)
    give_dict(keywords)
    return written_arguments(op, check_return(op, result, args), args)


cdef PyObject *ask_handlers(PyObject *func, PyObject *called, Overloaded *overloaded, PyObject *positional, PyObject *keywords) noexcept:
    """Ask the innermost mode and then the arguments' classes; the first that does not answer NotImplemented has made the result.

    Errors call the function `called`.
    """
    cdef PyObject *types = classes_of(overloaded)
    cdef PyObject *result = NULL
    cdef PyObject *rule
    cdef PyObject *stack[6]
    cdef bint asked = False
    cdef int i
    if types == NULL:
        return NULL
    if rt_tls_state.modes != NULL and (<_ModeStacks>rt_tls_state.modes).count() > 0:
        asked = True
        result = call_mode(<_ModeStacks>rt_tls_state.modes, func, types, positional, keywords)
    if not asked or result == c_NotImplemented:
        for i in range(overloaded.n):
            rule = rule_for(func, RT_TYPE(overloaded.items[i]))
            if rule == NULL and c_type_lookup(RT_TYPE(overloaded.items[i]), rt_str_torch_dispatch) == rt_no_torch_dispatch:
                continue
            if result == c_NotImplemented:
                RT_DEC(result)
            if unlikely(rule != NULL):
                stack[1] = <PyObject *>RT_TYPE(overloaded.items[i])
                stack[2] = func
                stack[3] = types
                stack[4] = positional
                stack[5] = keywords
                result = call_rule(rule, stack)
            else:
                result = call_class(rt_str_torch_dispatch, overloaded.items[i], func, types, positional, keywords)
            asked = True
            if result != c_NotImplemented:
                break
    if not asked:
        nobody_to_ask(called)
    elif result == c_NotImplemented:
        RT_DEC(result)
        result = NULL
        none_answered(called, "__torch_dispatch__", _get_current_dispatch_mode(), types)
    RT_DEC(types)
    return result


cdef void nobody_to_ask(PyObject *called) noexcept:
    """Set the error for a call that came to the Python key, or a question to a tensor's class, with nobody to answer."""
    try:
        raise RuntimeError(f"{public_name(<object>called)} goes to __torch_dispatch__, but there is no mode and no argument of a class that "
                           "has one")
    except BaseException as e:
        set_current(e)


cdef object public_name(object f):
    """What an error calls a function or operator."""
    if type(f) is OpOverloadPacket:
        return f"torch.ops.{f}"
    if type(f) is not OpOverload:
        from runtime.overrides import resolve_name
        name = resolve_name(f)
        if name is not None:
            return name
    return f"{getattr(f, '__module__', None)}.{getattr(f, '__name__', f)}"


cdef void none_answered(PyObject *func, str protocol, object mode, PyObject *types) noexcept:
    """Set the TypeError for a call that all handlers refused."""
    try:
        f = <object>func
        name = public_name(f)
        text = f"Multiple dispatch failed for '{name}'; all {protocol} handlers returned NotImplemented:\n\n"
        if mode is not None:
            text += f"  - mode object {mode!r}\n"
        for kind in <tuple>types:
            text += f"  - tensor subclass {kind!r}\n"
        raise TypeError(text + "\nFor more information, try re-running with TORCH_LOGS=not_implemented")
    except BaseException as e:
        set_current(e)


cdef PyObject *snapshot_fallback(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """The kernel of PythonTLSSnapshot: the outermost call notes the thread-local sets."""
    cdef PyObject *result
    if rt_tls_state.has_entry:
        return rt_redispatch(op, ks & RT_FULL_AFTER(K_PythonTLSSnapshot), args, n)
    rt_tls_state.entry_included = rt_tls_state.included
    rt_tls_state.entry_excluded = rt_tls_state.excluded
    rt_tls_state.has_entry = 1
    result = rt_redispatch(op, ks & RT_FULL_AFTER(K_PythonTLSSnapshot), args, n)
    rt_tls_state.has_entry = 0
    return result


@cython.final
cdef class _RestorePythonTLSSnapshot:
    """For a ``with`` block in a handler: the thread-local sets as the outermost call found them, so that calls start over at autograd."""
    cdef rt_keyset included, excluded, entry_included, entry_excluded
    cdef bint active

    def __enter__(self):
        if not rt_tls_state.has_entry:
            raise RuntimeError("Accessing torch dispatch state outside of '__torch_dispatch__' is not allowed.")
        self.included = rt_tls_state.included
        self.excluded = rt_tls_state.excluded
        self.entry_included = rt_tls_state.entry_included
        self.entry_excluded = rt_tls_state.entry_excluded
        rt_tls_state.included = self.entry_included
        rt_tls_state.excluded = self.entry_excluded
        rt_tls_state.has_entry = 0
        self.active = True
        return self

    def __exit__(self, kind, value, traceback):
        if self.active:
            self.active = False
            rt_tls_state.included = self.included
            rt_tls_state.excluded = self.excluded
            rt_tls_state.entry_included = self.entry_included
            rt_tls_state.entry_excluded = self.entry_excluded
            rt_tls_state.has_entry = 1


cdef inline bint goes_to_python(RtTensor *t) noexcept:
    """Whether operators on a tensor reach the Python key of this thread now."""
    return ((t.keys | rt_tls_state.included) & ~rt_tls_state.excluded & RT_FUNCTIONALITY_BIT(K_Python)) != 0
