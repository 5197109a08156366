/* Calls of tensor subclasses, `Sub(value)`: what `type.__call__` does, without the tuple, the dict and the bound methods that it makes for
 * a `__new__` and an `__init__` written in Python. Subclasses get it when they are made (subclass.pxi); every call looks both methods up
 * anew, so that classes may change. CPython calls the `__call__` of a metaclass instead.
 */
#include "runtime/core/alloc.h"
#include "runtime/core/cpython.h"

static PyObject *str_new, *str_init;

/* Call a function with one more argument before the others. */
static PyObject *call_with(PyObject *function, PyObject *first, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    PyObject *result;
    if (RT_LIKELY(nargsf & PY_VECTORCALL_ARGUMENTS_OFFSET)) {
        PyObject **stack = (PyObject **)args - 1, *saved = stack[0];
        stack[0] = first;
        result = PyObject_Vectorcall(function, stack, (size_t)n + 1, kwnames);
        stack[0] = saved;
        return result;
    }
    PyObject *buffer[16], **stack = buffer;
    size_t total = (size_t)(n + (kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0));
    if (total >= 16 && (stack = PyMem_Malloc((total + 1) * sizeof *stack)) == NULL)
        return PyErr_NoMemory();
    stack[0] = first;
    if (total > 0)
        memcpy(stack + 1, args, total * sizeof *stack);
    result = PyObject_Vectorcall(function, stack, (size_t)n + 1, kwnames);
    if (stack != buffer)
        PyMem_Free(stack);
    return result;
}

/* The function of a class's `__new__` if it is written in Python (a new reference), or NULL. */
static PyObject *python_new(PyTypeObject *type)
{
    PyObject *found = _PyType_Lookup(type, str_new);
    if (found != NULL && Py_IS_TYPE(found, &PyStaticMethod_Type))
        found = RT_STATICMETHOD_FUNCTION(found);
    if (found == NULL || !Py_IS_TYPE(found, &PyFunction_Type))
        return NULL;
    return Py_NewRef(found);
}

/* Call the `__init__` of an object's class with the arguments that its `__new__` got: 0, or -1 with an exception set. */
static int initialise(PyObject *made, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    PyTypeObject *type = Py_TYPE(made);
    PyObject *init = _PyType_Lookup(type, str_init), *result;
    if (init == NULL) {
        PyErr_SetObject(PyExc_AttributeError, str_init);
        return -1;
    }
    Py_INCREF(init);
    if (RT_LIKELY(Py_IS_TYPE(init, &PyFunction_Type)))
        result = call_with(init, made, args, nargsf, kwnames);
    else {
        descrgetfunc get = Py_TYPE(init)->tp_descr_get;
        PyObject *bound = get == NULL ? Py_NewRef(init) : get(init, made, (PyObject *)type);
        result = bound == NULL ? NULL : PyObject_Vectorcall(bound, args, (size_t)PyVectorcall_NARGS(nargsf), kwnames);
        Py_XDECREF(bound);
    }
    Py_DECREF(init);
    if (result == NULL)
        return -1;
    if (result != Py_None) {
        PyErr_Format(PyExc_TypeError, "__init__() should return None, not '%.200s'", Py_TYPE(result)->tp_name);
        Py_DECREF(result);
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

/* `type.__call__` itself, for classes whose `__new__` is not written in Python. */
static PyObject *ordinary_call(PyObject *type, PyObject *const *args, Py_ssize_t n, PyObject *kwnames)
{
    PyObject *positional = PyTuple_New(n), *keywords = NULL, *result = NULL;
    if (positional == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++)
        PyTuple_SET_ITEM(positional, i, Py_NewRef(args[i]));
    if (kwnames != NULL) {
        if ((keywords = PyDict_New()) == NULL)
            goto done;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); i++)
            if (PyDict_SetItem(keywords, PyTuple_GET_ITEM(kwnames, i), args[n + i]) < 0)
                goto done;
    }
    result = PyType_Type.tp_call(type, positional, keywords);
done:
    Py_DECREF(positional);
    Py_XDECREF(keywords);
    return result;
}

static PyObject *class_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    PyTypeObject *type = (PyTypeObject *)self;
    PyObject *function = python_new(type);
    if (function == NULL)
        return ordinary_call(self, args, PyVectorcall_NARGS(nargsf), kwnames);
    PyObject *made = call_with(function, self, args, nargsf, kwnames);
    Py_DECREF(function);
    /* As for any class: what is no instance of it, or has no `__init__` of its own, is left as it is. */
    if (RT_UNLIKELY(made == NULL) || (Py_TYPE(made) != type && !PyType_IsSubtype(Py_TYPE(made), type)) ||
        Py_TYPE(made)->tp_init == PyBaseObject_Type.tp_init)
        return made;
    if (initialise(made, args, nargsf, kwnames) < 0) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}

int rt_setup_class_call(PyTypeObject *type)
{
    if (str_new == NULL && ((str_new = PyUnicode_InternFromString("__new__")) == NULL ||
                            (str_init = PyUnicode_InternFromString("__init__")) == NULL))
        return -1;
    if (type != rt_TensorType)
        type->tp_vectorcall = class_call;
    return 0;
}
