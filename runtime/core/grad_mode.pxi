# Grad mode and inference mode: whether calls are recorded for autograd. Context managers that are decorators too.


def is_grad_enabled():
    """Whether calls are recorded for autograd in this thread."""
    return not rt_tls_state.no_grad


def _set_grad_enabled(bint mode):
    """Record calls for autograd in this thread from now on, or stop."""
    rt_tls_state.no_grad = not mode


def is_inference_mode_enabled():
    """Whether this thread is in inference mode."""
    return rt_tls_state.inference != 0


cdef enum:
    SCOPE_DEPTH = 8   # nested uses of one object before its saved states go to a list


cdef class _GradModeScope:
    """What the grad modes share: `with`, and decorating functions, generator functions and classes."""
    cdef uint8_t saved[SCOPE_DEPTH]
    cdef int depth
    cdef list deeper

    cdef int push(self, uint8_t state) except -1:
        if self.depth < SCOPE_DEPTH:
            self.saved[self.depth] = state
        else:
            if self.deeper is None:
                self.deeper = []
            self.deeper.append(state)
        self.depth += 1
        return 0

    cdef int pop(self) except -1:
        if self.depth == 0:
            raise RuntimeError(f"{type(self).__name__}.__exit__ was called more often than __enter__")
        self.depth -= 1
        return self.deeper.pop() if self.depth >= SCOPE_DEPTH else self.saved[self.depth]

    def __call__(self, func):
        from runtime.autograd.scopes import scoped
        return scoped(self.clone, func)

    def clone(self):
        """Another scope of the same kind."""
        return type(self)()


cdef class no_grad(_GradModeScope):
    """For a ``with`` block or a decorated function: nothing is recorded for autograd.

    Parameters
    ----------
    orig_func : callable, optional
        A function to decorate: ``@no_grad`` is short for ``@no_grad()``.

    Notes
    -----
    The mode is the thread's own. Results of factories that are asked for ``requires_grad=True`` have it all the same.
    """

    def __enter__(self):
        self.push(rt_tls_state.no_grad)
        rt_tls_state.no_grad = 1

    def __exit__(self, kind, value, traceback):
        rt_tls_state.no_grad = self.pop()


cdef class enable_grad(_GradModeScope):
    """For a ``with`` block or a decorated function: calls are recorded for autograd, also inside `no_grad`."""

    def __enter__(self):
        self.push(rt_tls_state.no_grad)
        rt_tls_state.no_grad = 0

    def __exit__(self, kind, value, traceback):
        rt_tls_state.no_grad = self.pop()


cdef class set_grad_enabled(_GradModeScope):
    """Record calls for autograd or not, from now on; at the end of a ``with`` block the earlier mode is back.

    Parameters
    ----------
    mode : bool
        Whether calls are recorded.
    """
    cdef readonly bint mode
    cdef uint8_t before

    def __init__(self, mode):
        if type(mode) is not bool:
            raise TypeError(f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}")
        self.before = rt_tls_state.no_grad
        self.mode = mode
        rt_tls_state.no_grad = not mode

    def __call__(self, func):
        rt_tls_state.no_grad = self.before
        return _GradModeScope.__call__(self, func)

    def __enter__(self):
        self.push(self.before)
        rt_tls_state.no_grad = not self.mode

    def __exit__(self, kind, value, traceback):
        rt_tls_state.no_grad = self.pop()

    def __str__(self):
        return f"{type(self).__module__}.{type(self).__name__}(mode={self.mode})"

    def __repr__(self):
        return str(self)

    def clone(self):
        """Another scope of the same kind."""
        return type(self)(self.mode)


cdef bint view_replay = False   # whether views remember the operators that made them, wherever `as_strided` would do


def _is_view_replay_enabled():
    """Whether views remember the operators that made them; otherwise `as_strided` makes them anew where it can."""
    return view_replay


def _set_view_replay_enabled(bint mode):
    """Say what `_is_view_replay_enabled` says."""
    global view_replay
    view_replay = mode


cdef rt_keyset inference_excluded = autograd_bits
cdef rt_keyset inference_added = RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)


cdef class inference_mode(_GradModeScope):
    """For a ``with`` block or a decorated function: no recording, no version counters and no view tracking.

    Tensors made inside are inference tensors: autograd refuses to save them and to write to them outside.

    Parameters
    ----------
    mode : bool
        Whether inference mode is on; False inside a block gives normal mode back.
    """
    cdef readonly bint mode
    cdef list states

    def __init__(self, mode=True):
        self.mode = mode
        self.states = []

    def __enter__(self):
        self.states.append((rt_tls_state.inference, rt_tls_state.no_grad, rt_tls_state.no_forward_grad,
                            rt_tls_state.included & inference_added, rt_tls_state.excluded & inference_excluded))
        rt_tls_state.inference = self.mode
        rt_tls_state.no_grad = self.mode
        rt_tls_state.no_forward_grad = self.mode
        if self.mode:
            rt_tls_state.included &= ~inference_added
            rt_tls_state.excluded |= inference_excluded
        else:
            rt_tls_state.included |= inference_added
            rt_tls_state.excluded &= ~inference_excluded

    def __exit__(self, kind, value, traceback):
        cdef rt_keyset included, excluded
        inference, no_grad_, no_forward, included, excluded = self.states.pop()
        rt_tls_state.inference = inference
        rt_tls_state.no_grad = no_grad_
        rt_tls_state.no_forward_grad = no_forward
        rt_tls_state.included = (rt_tls_state.included & ~inference_added) | included
        rt_tls_state.excluded = (rt_tls_state.excluded & ~inference_excluded) | excluded

    def clone(self):
        """Another scope of the same kind."""
        return type(self)(self.mode)


# `@no_grad` is short for `@no_grad()`, so a call with a function decorates it; and scopes are made at every use, so no tuple is built.

cdef inline PyObject *scope_or_decorated(PyObject *cls, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    try:
        if kwnames != NULL:
            raise TypeError(f"{(<type>cls).__name__}() takes no keyword arguments")
        if PyVectorcall_NARGS(nargsf) > 1:
            raise TypeError(f"{(<type>cls).__name__}() takes at most 1 argument ({PyVectorcall_NARGS(nargsf)} given)")
        made = (<type>cls).__new__(<type>cls)
        if PyVectorcall_NARGS(nargsf) == 1 and args[0] != c_None:
            made = made(<object>args[0])
        RT_INC(<void *>made)
        return <PyObject *>made
    except BaseException as e:
        set_current(e)
        return NULL


cdef PyObject *no_grad_call(PyObject *cls, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef no_grad made
    if unlikely(kwnames != NULL or PyVectorcall_NARGS(nargsf) != 0):
        return scope_or_decorated(cls, args, nargsf, kwnames)
    made = no_grad.__new__(no_grad)
    RT_INC(<void *>made)
    return <PyObject *>made


cdef PyObject *enable_grad_call(PyObject *cls, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef enable_grad made
    if unlikely(kwnames != NULL or PyVectorcall_NARGS(nargsf) != 0):
        return scope_or_decorated(cls, args, nargsf, kwnames)
    made = enable_grad.__new__(enable_grad)
    RT_INC(<void *>made)
    return <PyObject *>made


cdef PyObject *inference_mode_call(PyObject *cls, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf)
    try:
        if kwnames == NULL and n == 1 and RT_TYPE(args[0]) != &c_bool:
            made = (<type>cls)()(<object>args[0])
            RT_INC(<void *>made)
            return <PyObject *>made
    except BaseException as e:
        set_current(e)
        return NULL
    return by_init(cls, args, n, kwnames)


rt_type_vectorcall(<PyTypeObject *>no_grad, <void *>no_grad_call)
rt_type_vectorcall(<PyTypeObject *>enable_grad, <void *>enable_grad_call)
rt_type_vectorcall(<PyTypeObject *>inference_mode, <void *>inference_mode_call)
