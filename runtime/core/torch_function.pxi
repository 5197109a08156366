# `__torch_function__`: classes and modes that see the calls of public functions, methods and properties before these look at their
# arguments.
#
# Tensors of classes that have one carry RT_OVERRIDE_BIT beside their keys, so a bound call knows by the union of its arguments' sets;
# modes are announced in `rt_tls_state.function_modes`. Neither costs a call of plain Tensors more than the test of a bit. Operators
# called from C ask nobody. Tensor's own methods and properties are wrapped (`_Overridable...`) at the end of this file, the functions
# written in Python by `overridable`.

cdef object torch_function_name = intern_name("__torch_function__")
rt_str_torch_function = <PyObject *>torch_function_name


cdef inline bint is_overridden(rt_keyset keys) noexcept:
    """Whether a call with arguments of these key sets goes to a `__torch_function__`."""
    return unlikely((keys & RT_OVERRIDE_BIT and rt_tls_state.function_state == RT_FUNCTION_ENABLED) or rt_tls_state.function_modes)


cdef inline void show_function_modes() noexcept:
    cdef bint there = False
    if rt_tls_state.modes != NULL:
        there = len((<_ModeStacks>rt_tls_state.modes).functions) > 0
    rt_tls_state.function_modes = there and rt_tls_state.function_state != RT_FUNCTION_ALL_DISABLED


cdef extern from "Python.h":
    """
    static int rt_is_slot_of(PyObject *func, PyTypeObject *type)
    {
        return Py_IS_TYPE(func, &PyWrapperDescr_Type) && (PyDescr_TYPE(func) == type || PyDescr_TYPE(func) == type->tp_base);
    }
    """
    bint rt_is_slot_of(PyObject *func, PyTypeObject *type) noexcept


cdef dict foreign_calls = {}   # by thread: the (function, arguments) of another library that runs here for its tensors and ours


def _disabled_torch_function_impl(func, types, args=(), kwargs=None):
    """A class whose ``__torch_function__`` this is has none: runs the function without asking classes."""
    cdef uint8_t saved = rt_tls_state.function_state
    cdef PyTypeObject *kind = RT_TYPE(<void *>func)
    if saved == RT_FUNCTION_ENABLED:
        rt_tls_state.function_state = RT_FUNCTION_SUBCLASSES_DISABLED
    try:
        if likely(kind == <PyTypeObject *>Method or kind == <PyTypeObject *>Function or kind == <PyTypeObject *>_OverridableMethod
                  or kind == <PyTypeObject *>_OverridableFunction or rt_is_slot_of(<PyObject *>func, rt_TensorType)):
            return func(*args, **(kwargs or {}))
        return call_once(func, tuple(args), kwargs or {})
    finally:
        rt_tls_state.function_state = saved


cdef object call_once(object func, tuple args, dict kwargs):
    """Run a function that may be another library's: that one does not know that nobody is to be asked, and would ask us without end."""
    thread = PyThread_get_thread_ident()
    outer = foreign_calls.get(thread)
    if outer is not None and outer[0] == func and same_items(outer[1], args):
        raise TypeError(f"{getattr(func, '__qualname__', func)} of {getattr(func, '__module__', None) or 'another library'} takes no tensors of "
                        "this runtime; convert one side first: runtime.from_dlpack(theirs), or from_dlpack of that library")
    foreign_calls[thread] = (func, args)
    try:
        return func(*args, **kwargs)
    finally:
        if outer is None:
            foreign_calls.pop(thread, None)
        else:
            foreign_calls[thread] = outer


cdef bint same_items(tuple a, tuple b) except -1:
    cdef Py_ssize_t i
    if len(a) != len(b):
        return False
    for i in range(len(a)):
        if a[i] is not b[i]:
            return False
    return True


cdef bint is_foreign_default(PyObject *handler) noexcept:
    """Whether a `__torch_function__` is the one that PyTorch's own tensors have: it would only call our function again."""
    cdef const char *name
    cdef bint found = False
    try:
        if RT_TYPE(handler) == &c_classmethod:
            handler = RT_CLASSMETHOD_FUNCTION(handler)
        module = getattr(<object>handler, "__module__", None)
        if type(module) is str:
            name = c_utf8(<PyObject *>module)
            if name == NULL:
                c_err_clear()
                return False
            found = strncmp(name, b"torch", 5) == 0 and (name[5] == 0 or name[5] == c'.')
    except BaseException as e:   # of a descriptor that is no function: not PyTorch's
        return False
    return found


cdef bint is_foreign_tensor(object value) noexcept:
    """Whether a value is a tensor of PyTorch itself, or of another library that inherits its `__torch_function__`: data, to be shared."""
    cdef PyObject *found
    if rt_is_tensor(<PyObject *>value) or PyType_Check_(<PyObject *>value):
        return False
    found = c_type_lookup(RT_TYPE(<void *>value), rt_str_torch_function)
    return found != NULL and is_foreign_default(found) and c_type_lookup(RT_TYPE(<void *>value), <PyObject *>dlpack_name) != NULL

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() noexcept
    const char *c_utf8 "PyUnicode_AsUTF8"(PyObject *o) noexcept

cdef extern from "string.h":
    int strncmp(const char *a, const char *b, size_t n) noexcept


rt_no_torch_function = <PyObject *>_disabled_torch_function_impl
RT_INC(rt_no_torch_function)


cdef bint has_torch_function(PyObject *value) noexcept:
    """Whether an argument's class has a `__torch_function__`, tensor or not."""
    cdef PyObject *found
    if rt_is_tensor(value):
        return RT_TENSOR(value).keys & RT_OVERRIDE_BIT != 0
    found = c_type_lookup(RT_TYPE(value), rt_str_torch_function)
    return found != NULL and found != rt_no_torch_function and not PyType_Check_(value) and not is_foreign_default(found)

cdef extern from "Python.h":
    bint PyType_Check_ "PyType_Check"(PyObject *o) noexcept


cdef int collect_arguments(PyObject *const *args, Py_ssize_t n, Overloaded *o, int depth) noexcept:
    """The arguments that have a `__torch_function__`, one of each class; those in lists and tuples too."""
    cdef Py_ssize_t i
    cdef PyTypeObject *t
    for i in range(n):
        t = RT_TYPE(args[i])
        if t == rt_TensorType or t == &c_long or t == &c_float or t == &c_str or args[i] == c_None:
            continue
        if depth == 0 and (t == &c_tuple or t == &c_list):
            if collect_arguments(RT_TUPLE_ITEMS(args[i]) if t == &c_tuple else RT_LIST_ITEMS(args[i]), RT_SIZE(args[i]), o, 1) < 0:
                return -1
        elif has_torch_function(args[i]) and add_overloaded(o, args[i]) < 0:
            return -1
    return 0


cdef PyObject *repr_function = NULL   # `Tensor.__repr__`, as handlers see it


cdef PyObject *override_call(PyObject *func, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept:
    """Hand a call, as the caller made it, to modes and classes; NULL without an exception where nobody is to be asked."""
    cdef Overloaded overloaded
    cdef Py_ssize_t i, nk = 0 if kwnames == NULL else RT_SIZE(kwnames)
    cdef PyObject *positional
    cdef PyObject *keywords = NULL
    cdef PyObject *result
    if unlikely(rt_tls_state.skip_override):
        rt_tls_state.skip_override = 0
        return NULL
    overloaded.n = 0
    if rt_tls_state.function_state == RT_FUNCTION_ENABLED and collect_arguments(args, n + nk, &overloaded, 0) < 0:
        return NULL
    if overloaded.n == 0 and not rt_tls_state.function_modes:
        return NULL
    positional = c_tuple_new(n)
    if positional == NULL:
        return NULL
    for i in range(n):
        RT_INC(args[i])
        RT_TUPLE_ITEMS(positional)[i] = args[i]
    if unlikely(func == repr_function and nk == 0):  # handlers of `repr(t)` are told what `t.__repr__` takes
        keywords = c_dict_new()
        if keywords == NULL or c_dict_set(keywords, <PyObject *>"tensor_contents", c_None) < 0:
            RT_DEC(positional)
            RT_XDEC(keywords)
            return NULL
    if nk:
        keywords = c_dict_new()
        if keywords == NULL:
            RT_DEC(positional)
            return NULL
        for i in range(nk):
            if c_dict_set(keywords, RT_TUPLE_ITEMS(kwnames)[i], args[n + i]) < 0:
                RT_DEC(positional)
                RT_DEC(keywords)
                return NULL
    result = ask_overrides(func, &overloaded, positional, keywords)
    RT_DEC(positional)
    RT_XDEC(keywords)
    return result


cdef PyObject *ask_overrides(PyObject *func, Overloaded *overloaded, PyObject *positional, PyObject *keywords) noexcept:
    """Ask the innermost mode, then the classes; the first that does not answer NotImplemented has made the result."""
    cdef PyObject *types = classes_of(overloaded)
    cdef PyObject *result = NULL
    cdef int i
    mode = None
    if types == NULL:
        return NULL
    if rt_tls_state.function_modes:
        stacks = <_ModeStacks>rt_tls_state.modes
        mode = stacks.functions[len(stacks.functions) - 1]
        result = call_function_mode(stacks, func, types, positional, keywords)
    if mode is None or result == c_NotImplemented:
        for i in range(overloaded.n):
            RT_XDEC(result)
            result = call_class(rt_str_torch_function, overloaded.items[i], func, types, positional, keywords)
            if result != c_NotImplemented:
                break
    if result == c_NotImplemented:
        RT_DEC(result)
        result = NULL
        none_answered(func, "__torch_function__", mode, types)
    RT_DEC(types)
    return result


cdef PyObject *call_function_mode(_ModeStacks stacks, PyObject *func, PyObject *types, PyObject *args, PyObject *kwargs) noexcept:
    """Call the innermost torch function mode's handler with the mode off the stack."""
    cdef PyObject *stack[6]
    cdef PyObject *result
    cdef PyObject *found
    mode = stacks.functions.pop()
    found = c_type_lookup(RT_TYPE(<void *>mode), rt_str_torch_function)
    if unlikely(found != NULL and RT_TYPE(found) == &c_classmethod):
        stacks.functions.append(mode)
        set_error(RuntimeError, "Defining your mode's `__torch_function__` as a classmethod is not supported, please make it a plain method",
                  NULL)
        return NULL
    show_function_modes()
    stack[1] = <PyObject *>mode
    stack[2] = func
    stack[3] = types
    stack[4] = args
    stack[5] = kwargs
    result = c_call_method(rt_str_torch_function, stack + 1, (4 if kwargs == NULL else 5) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL)
    stacks.functions.append(mode)
    show_function_modes()
    return result


# --------------------------------------------------------------------------------------------------- the default of subclasses

cdef set nowrap_functions = set()   # functions whose results keep their class: getters of tensors that belong to another tensor


cdef object as_class(object value, object cls):
    """What a function returned, with plain tensors as instances of a subclass, those in lists and tuples too."""
    if rt_is_tensor(<PyObject *>value):
        if PyType_IsSubtype(RT_TYPE(<void *>value), <PyTypeObject *>cls):
            return value
        return as_subclass(value, cls)
    if isinstance(value, (tuple, list)):
        return type(value)([as_class(item, cls) for item in value])
    return value


def _default_torch_function(cls, func, types, args=(), kwargs=None):
    """Run a function on subclasses' data and return instances of the subclass; what classes without their own protocol do.

    Parameters
    ----------
    func : callable
        The public function, method or property getter.
    types : sequence of type
        The classes that override it; NotImplemented unless this class derives from all of them.
    args : tuple
    kwargs : dict, optional
    """
    for kind in types:
        if not issubclass(cls, kind):
            return NotImplemented
    result = _disabled_torch_function_impl(func, types, args, kwargs)
    if cls is Tensor or func in nowrap_functions:
        return result
    return as_class(result, cls)


def _convert(ret, cls):
    """What a function returned, with plain tensors as instances of a subclass."""
    return ret if cls is Tensor else as_class(ret, cls)


rt_type_set(<PyTypeObject *>Tensor, "__torch_function__", classmethod(_default_torch_function))


# ------------------------------------------------------------------------------------------------------------ guards, modes

cdef class _FunctionStateGuard:
    """Whether `__torch_function__` is asked, for the time of a ``with`` block."""
    cdef uint8_t state
    cdef list saved

    def __enter__(self):
        if self.saved is None:
            self.saved = []
        self.saved.append(rt_tls_state.function_state)
        if self.state == RT_FUNCTION_ENABLED or rt_tls_state.function_state < self.state:
            rt_tls_state.function_state = self.state
        show_function_modes()
        return self

    def __exit__(self, kind, value, traceback):
        if self.saved:
            rt_tls_state.function_state = self.saved.pop()
            show_function_modes()


@cython.final
cdef class DisableTorchFunctionSubclass(_FunctionStateGuard):
    """For a ``with`` block: no class's ``__torch_function__`` is asked; modes are."""
    def __cinit__(self):
        self.state = RT_FUNCTION_SUBCLASSES_DISABLED


@cython.final
cdef class DisableTorchFunction(_FunctionStateGuard):
    """For a ``with`` block: neither classes' nor modes' ``__torch_function__`` is asked."""
    def __cinit__(self):
        self.state = RT_FUNCTION_ALL_DISABLED


@cython.final
cdef class _EnableTorchFunction(_FunctionStateGuard):
    """For a ``with`` block: ``__torch_function__`` is asked again, whatever was disabled."""
    def __cinit__(self):
        self.state = RT_FUNCTION_ENABLED


def _is_torch_function_enabled():
    """Whether classes' ``__torch_function__`` is asked in this thread."""
    return rt_tls_state.function_state == RT_FUNCTION_ENABLED


def _is_torch_function_all_disabled():
    """Whether neither classes' nor modes' ``__torch_function__`` is asked in this thread."""
    return rt_tls_state.function_state == RT_FUNCTION_ALL_DISABLED


def _is_torch_function_mode_enabled():
    """Whether calls of this thread go to a torch function mode."""
    return rt_tls_state.function_modes != 0


def _push_on_torch_function_stack(mode):
    """Make a torch function mode the innermost one."""
    if not hasattr(mode, "__torch_function__"):
        raise TypeError(f"a torch function mode has a method __torch_function__; {class_name(mode)} has none")
    mode_stacks().functions.append(mode)
    show_function_modes()


def _pop_torch_function_stack():
    """Take off and return the innermost torch function mode."""
    stacks = mode_stacks()
    if not stacks.functions:
        raise RuntimeError("trying to pop from empty mode stack")
    mode = stacks.functions.pop()
    show_function_modes()
    return mode


def _len_torch_function_stack():
    """How many torch function modes this thread has."""
    return 0 if rt_tls_state.modes == NULL else len((<_ModeStacks>rt_tls_state.modes).functions)


def _get_function_stack_at(Py_ssize_t index):
    """The torch function mode at a place of the stack, counted from the outermost."""
    modes = mode_stacks().functions
    if not 0 <= index < len(modes):
        raise RuntimeError("Tried to get stack at idx that's too big")
    return modes[index]


cdef class TorchFunctionMode:
    """Sees every call of a public function, method or property of its thread inside a ``with`` block.

    Subclasses define ``__torch_function__(self, func, types, args=(), kwargs=None)``. While it runs the mode is off the stack.
    """
    cdef dict __dict__
    cdef object __weakref__

    def __init__(self):
        pass

    def __torch_function__(self, func, types, args=(), kwargs=None):
        raise NotImplementedError(f"{class_name(self)} has no __torch_function__")

    def __enter__(self):
        _push_on_torch_function_stack(self)
        return self

    def __exit__(self, kind, value, traceback):
        _pop_torch_function_stack()

    @classmethod
    def push(cls, *args, **kwargs):
        """An instance, as ``cls()``."""
        import warnings
        warnings.warn("`Mode.push()` is no longer necessary and can be replaced with just `with Mode()`", stacklevel=1)
        return cls(*args, **kwargs)


rt_name_type(<PyTypeObject *>TorchFunctionMode, "runtime.TorchFunctionMode")


def _has_torch_function(args):
    """Whether a call with these arguments goes to a ``__torch_function__``."""
    cdef Overloaded overloaded
    if rt_tls_state.function_modes:
        return True
    given = args if type(args) is tuple else tuple(args)
    overloaded.n = 0
    if rt_tls_state.function_state != RT_FUNCTION_ENABLED:
        return False
    if collect_arguments(RT_TUPLE_ITEMS(<void *>given), len(given), &overloaded, 1) < 0:
        raise_current()
    return overloaded.n > 0


def _has_torch_function_unary(argument):
    """As `_has_torch_function`, for one argument."""
    return rt_tls_state.function_modes != 0 or (rt_tls_state.function_state == RT_FUNCTION_ENABLED
                                                and has_torch_function(<PyObject *>argument))


def _has_torch_function_variadic(*args):
    """As `_has_torch_function`, for arguments given separately."""
    return _has_torch_function(args)


def _overloaded_args(relevant, get_type_fn=None):
    """The arguments to ask, one of each class, derived classes before their bases."""
    cdef Overloaded overloaded
    given = tuple(relevant)
    overloaded.n = 0
    if rt_tls_state.function_state != RT_FUNCTION_ENABLED:
        return []
    if collect_arguments(RT_TUPLE_ITEMS(<void *>given), len(given), &overloaded, 1) < 0:
        raise_current()
    return [<object>overloaded.items[i] for i in range(overloaded.n)]


def _handle_torch_function(public_api, relevant_args, tuple args, dict kwargs):
    """Hand a call to the modes and classes that override it.

    Parameters
    ----------
    public_api : callable
        What was called.
    relevant_args : iterable
        The arguments that may override it.
    args : tuple
    kwargs : dict
        What they get to see.

    Raises
    ------
    TypeError
        If all of them answer NotImplemented.
    """
    cdef Overloaded overloaded
    given = tuple(relevant_args)
    overloaded.n = 0
    if rt_tls_state.function_state == RT_FUNCTION_ENABLED:
        if collect_arguments(RT_TUPLE_ITEMS(<void *>given), len(given), &overloaded, 1) < 0:
            raise_current()
    result = ask_overrides(<PyObject *>public_api, &overloaded, <PyObject *>args, <PyObject *>kwargs)
    if result == NULL and c_err_occurred() == NULL:
        # Tensor itself has the protocol: what it does is to run the function.
        if any([rt_is_tensor(<PyObject *>a) for a in given]):
            return public_api(*args, **kwargs)
        raise TypeError(f"no implementation found for '{public_name(public_api)}' on types that implement __torch_function__: []")
    return steal(result)


# -------------------------------------------------------------------------------------- functions, methods and properties

cdef object slot_override(str name, tuple args):
    """Hand an operation of Python's protocols (`len(t)`, `t[i]`, `a + b`) to overrides, as Tensor's method of a name; None: nobody."""
    cdef PyObject *func = c_type_lookup(rt_TensorType, <PyObject *>name)
    cdef PyObject *result
    if func == NULL:
        return None
    result = override_call(func, RT_TUPLE_ITEMS(<void *>args), len(args), NULL)
    if result == NULL and c_err_occurred() == NULL:
        return None
    return (steal(result),)


cdef extern from "Python.h":
    """
    static PyObject *rt_call_method_descr(PyObject *descr, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
    {
        PyMethodDef *def = ((PyMethodDescrObject *)descr)->d_method;
        if (n >= 1 && def->ml_flags == (METH_FASTCALL | METH_KEYWORDS))
            return ((PyObject * (*)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *))(void *)def->ml_meth)(args[0], args + 1, n - 1, kwnames);
        return PyObject_Vectorcall(descr, args, n, kwnames);
    }
    static int rt_is_method_descr(PyObject *o) { return Py_IS_TYPE(o, &PyMethodDescr_Type); }
    static int rt_is_getset_descr(PyObject *o) { return Py_IS_TYPE(o, &PyGetSetDescr_Type); }
    static PyObject *rt_get_getset(PyObject *descr, PyObject *obj)
    {
        PyGetSetDef *def = ((PyGetSetDescrObject *)descr)->d_getset;
        return def->get(obj, def->closure);
    }
    static int rt_set_getset(PyObject *descr, PyObject *obj, PyObject *value)
    {
        PyGetSetDef *def = ((PyGetSetDescrObject *)descr)->d_getset;
        if (def->set == NULL) {
            PyErr_Format(PyExc_AttributeError, "attribute '%s' of 'torch._C.TensorBase' objects is not writable", def->name);
            return -1;
        }
        return def->set(obj, value, def->closure);
    }
    """
    PyObject *rt_call_method_descr(PyObject *descr, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept
    bint rt_is_method_descr(PyObject *o) noexcept
    bint rt_is_getset_descr(PyObject *o) noexcept
    PyObject *rt_get_getset(PyObject *descr, PyObject *obj) noexcept
    int rt_set_getset(PyObject *descr, PyObject *obj, PyObject *value) except -1


@cython.final
cdef class _OverridableMethod:
    """A method of Tensor that is written in the extension module, open to overrides."""
    cdef void *vectorcall
    cdef object method   # the method descriptor
    cdef readonly str __name__
    cdef dict __dict__

    @property
    def __doc__(self):
        return self.method.__doc__

    @property
    def __text_signature__(self):
        return None

    @property
    def __objclass__(self):
        return Tensor

    def __repr__(self):
        return f"<method '{self.__name__}' of 'torch._C.TensorBase' objects>"

    def __reduce__(self):
        return getattr, (Tensor, self.__name__)


cdef PyObject *overridable_method_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf)
    cdef PyObject *result
    if unlikely(n < 1 or not rt_is_tensor(args[0])):
        return c_vectorcall(<PyObject *>(<_OverridableMethod>self).method, args, n, kwnames)   # raises what is wrong
    if is_overridden(RT_TENSOR(args[0]).keys):
        result = override_call(self, args, n, kwnames)
        if result != NULL or c_err_occurred() != NULL:
            return result
    return rt_call_method_descr(<PyObject *>(<_OverridableMethod>self).method, args, n, kwnames)


@cython.final
cdef class _OverridableProperty:
    """A property of Tensor, open to overrides: they see its ``__get__``, ``__set__`` or ``__delete__``."""
    cdef object property   # the getset descriptor
    cdef readonly str __name__

    @property
    def __doc__(self):
        return self.property.__doc__

    @property
    def __objclass__(self):
        return Tensor

    def __get__(self, instance, owner):
        cdef PyObject *result
        if instance is None:
            return self
        if not rt_is_tensor(<PyObject *>instance):
            return self.property.__get__(instance, owner)   # raises
        if is_overridden(RT_TENSOR(<void *>instance).keys):
            found = property_override(self, "__get__", (instance,))
            if found is not None:
                return found[0]
        return steal(rt_get_getset(<PyObject *>self.property, <PyObject *>instance))

    def __set__(self, instance, value):
        if not rt_is_tensor(<PyObject *>instance):
            self.property.__set__(instance, value)
            return
        if is_overridden(RT_TENSOR(<void *>instance).keys) and property_override(self, "__set__", (instance, value)) is not None:
            return
        rt_set_getset(<PyObject *>self.property, <PyObject *>instance, <PyObject *>value)

    def __delete__(self, instance):
        if not rt_is_tensor(<PyObject *>instance):
            self.property.__delete__(instance)
            return
        if is_overridden(RT_TENSOR(<void *>instance).keys) and property_override(self, "__delete__", (instance,)) is not None:
            return
        rt_set_getset(<PyObject *>self.property, <PyObject *>instance, NULL)

    def __repr__(self):
        return f"<attribute '{self.__name__}' of 'torch._C.TensorBase' objects>"

    def __reduce__(self):
        return getattr, (Tensor, self.__name__)


cdef object property_override(_OverridableProperty self, str accessor, tuple args):
    """`(result,)` where the access goes to overrides, else None."""
    cdef object func = getattr(self, accessor)
    cdef PyObject *result = override_call(<PyObject *>func, RT_TUPLE_ITEMS(<void *>args), len(args), NULL)
    if result == NULL and c_err_occurred() == NULL:
        return None
    return (steal(result),)


@cython.final
cdef class _OverridableFunction:
    """A public function written in Python, open to overrides; see `overridable`."""
    cdef void *vectorcall
    cdef readonly object __wrapped__
    cdef dict __dict__
    cdef object __weakref__

    @property
    def __doc__(self):
        return self.__wrapped__.__doc__

    @property
    def __name__(self):
        return self.__wrapped__.__name__

    @property
    def __qualname__(self):
        return self.__wrapped__.__qualname__

    @property
    def __code__(self):
        return self.__wrapped__.__code__

    @property
    def __defaults__(self):
        return self.__wrapped__.__defaults__

    @property
    def __kwdefaults__(self):
        return self.__wrapped__.__kwdefaults__

    @property
    def __annotations__(self):
        return self.__wrapped__.__annotations__

    @property
    def __signature__(self):
        from inspect import signature
        return signature(self.__wrapped__)

    def __repr__(self):
        return repr(self.__wrapped__)

    def __reduce__(self):
        return self.__wrapped__.__qualname__


cdef PyObject *overridable_function_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf), i, total = n + (0 if kwnames == NULL else RT_SIZE(kwnames))
    cdef PyTypeObject *t
    cdef PyObject *result
    cdef bint ask = rt_tls_state.function_modes != 0
    if not ask and rt_tls_state.function_state == RT_FUNCTION_ENABLED:
        for i in range(total):
            t = RT_TYPE(args[i])
            if t != rt_TensorType and t != &c_long and t != &c_float and t != &c_bool and t != &c_str and args[i] != c_None:
                ask = True
                break
    if ask:
        result = override_call(self, args, n, kwnames)
        if result != NULL or c_err_occurred() != NULL:
            return result
    return c_vectorcall(<PyObject *>(<_OverridableFunction>self).__wrapped__, args, nargsf, kwnames)


def overridable(function):
    """A public function as one that ``__torch_function__`` of its arguments' classes and of modes sees first.

    Parameters
    ----------
    function : function
        It must be reachable under its name in its module.
    """
    cdef _OverridableFunction made = _OverridableFunction.__new__(_OverridableFunction)
    made.vectorcall = <void *>overridable_function_call
    made.__wrapped__ = function
    vars(made)["__module__"] = function.__module__
    return made


cdef int ready_overridable_types() except -1:
    cdef _OverridableMethod method = _OverridableMethod.__new__(_OverridableMethod)
    cdef _OverridableFunction function = _OverridableFunction.__new__(_OverridableFunction)
    rt_vectorcall_type(<PyTypeObject *>_OverridableMethod, <char *>&method.vectorcall - <char *><void *>method)
    rt_method_type(<PyTypeObject *>_OverridableMethod, <void *>method_get)
    rt_vectorcall_type(<PyTypeObject *>_OverridableFunction, <char *>&function.vectorcall - <char *><void *>function)
    rt_forbid_new(<PyTypeObject *>_OverridableMethod)
    rt_forbid_new(<PyTypeObject *>_OverridableProperty)
    return rt_forbid_new(<PyTypeObject *>_OverridableFunction)

ready_overridable_types()

# What is no function of a tensor's value, or must see the instance as it is.
cdef set not_overridable = {"__torch_function__", "__torch_dispatch__", "as_subclass", "__init__", "__dict__", "__init_subclass__",
                            "__subclasshook__", "__class_getitem__", "__new__", "__reduce__", "__getstate__", "__sizeof__",
                            "_make_subclass", "_make_wrapper_subclass", "_repr_html_", "__reduce_cython__", "__setstate_cython__",
                            # NumPy's protocols, which PyTorch has not: the functions that they lead to ask.
                            "__array_ufunc__", "__array_function__", "__array_interface__"}


cdef object overridable_method(str name, object descriptor):
    cdef _OverridableMethod method = _OverridableMethod.__new__(_OverridableMethod)
    method.vectorcall = <void *>overridable_method_call
    method.method = descriptor
    method.__name__ = name
    vars(method).update(__module__="runtime", __qualname__=f"Tensor.{name}")
    return method


cdef int open_tensor_to_overrides() except -1:
    """Put an overridable wrapper in the place of each method and property of Tensor that is written in the extension module.

    The arithmetic of TensorBase asks by itself: wrappers there would make subclasses look their slots up by name.
    """
    cdef _OverridableProperty made
    for name, value in list(Tensor.__dict__.items()):
        if name in not_overridable:
            continue
        if rt_is_method_descr(<PyObject *>value):
            rt_type_set(rt_TensorType, name, overridable_method(name, value))
        elif rt_is_getset_descr(<PyObject *>value):
            made = _OverridableProperty.__new__(_OverridableProperty)
            made.property = value
            made.__name__ = name
            rt_type_set(rt_TensorType, name, made)
    # `Tensor.__repr__` takes the keyword tensor_contents, which a slot does not; subclasses call it so.
    rt_type_set(rt_TensorType, "__repr__", overridable_method("__repr__", (<_OverridableMethod>Tensor.__dict__["_repr"]).method))
    global repr_function
    repr_function = <PyObject *>Tensor.__dict__["__repr__"]   # which Tensor owns
    for name in ("_base", "grad"):
        nowrap_functions.add(getattr(Tensor, name).__get__)
    return 0


def _nowrap_functions():
    """The functions whose results the inherited ``__torch_function__`` leaves as they are."""
    return nowrap_functions


def _skip_one_hop_torch_function(func, types, tuple args, kwargs=None):
    """Call a function so that it does not ask ``__torch_function__`` itself, though what it calls does."""
    cdef bint saved = rt_tls_state.skip_override
    if not callable(func):
        raise TypeError(f"a function is needed, not {class_name(func)}")
    rt_tls_state.skip_override = 1
    try:
        return func(*args, **(kwargs or {}))
    finally:
        rt_tls_state.skip_override = saved
