/* Size: the tuple of ints that shapes are. Slices, sums and repetitions of a Size are Sizes again.
 */
#include "runtime/core/alloc.h"

static PyTypeObject size_type;
PyTypeObject *rt_SizeType = &size_type;

/* Sizes of low rank are recycled: shapes are asked for all the time. */
enum { MAX_KEPT_RANK = 5, MAX_FREE_SIZES = 32 };
static PyObject *free_sizes[MAX_KEPT_RANK + 1][MAX_FREE_SIZES];
static int num_free_sizes[MAX_KEPT_RANK + 1];

PyObject *rt_size_new(int ndim, const int64_t *sizes)
{
    PyObject *self;
    if (RT_LIKELY(ndim <= MAX_KEPT_RANK && num_free_sizes[ndim] > 0)) {
        self = free_sizes[ndim][--num_free_sizes[ndim]];
        _Py_NewReference(self);
    }
    else {
        self = (PyObject *)PyObject_GC_NewVar(PyTupleObject, &size_type, ndim); /* not tracked: ints refer to nothing */
        if (self == NULL)
            return NULL;
    }
    for (int i = 0; i < ndim; i++) {
        PyObject *item = PyLong_FromLongLong(sizes[i]);
        if (item == NULL) {
            while (i < ndim)
                PyTuple_SET_ITEM(self, i++, NULL);
            Py_DECREF(self);
            return NULL;
        }
        PyTuple_SET_ITEM(self, i, item);
    }
    return self;
}

static void size_dealloc(PyObject *self)
{
    Py_ssize_t n = PyTuple_GET_SIZE(self);
    if (PyObject_GC_IsTracked(self))
        PyObject_GC_UnTrack(self);
    for (Py_ssize_t i = 0; i < n; i++)
        Py_XDECREF(PyTuple_GET_ITEM(self, i));
    if (RT_LIKELY(Py_TYPE(self) == &size_type && n <= MAX_KEPT_RANK && num_free_sizes[n] < MAX_FREE_SIZES))
        free_sizes[n][num_free_sizes[n]++] = self;
    else
        Py_TYPE(self)->tp_free(self);
}

/* A Size of the items of a tuple, which is consumed; anything else passes (NotImplemented, NULL). */
static PyObject *as_size(PyObject *tuple)
{
    if (tuple == NULL || !PyTuple_CheckExact(tuple))
        return tuple;
    Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    PyObject *self = size_type.tp_alloc(&size_type, n);
    for (Py_ssize_t i = 0; self != NULL && i < n; i++)
        PyTuple_SET_ITEM(self, i, Py_NewRef(PyTuple_GET_ITEM(tuple, i)));
    Py_DECREF(tuple);
    return self;
}

static PyObject *size_tp_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *self = PyTuple_Type.tp_new(type, args, kwargs);
    if (self == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); i++) {
        PyObject *item = PyTuple_GET_ITEM(self, i);
        if (PyLong_CheckExact(item))
            continue;
        PyObject *number = PyIndex_Check(item) ? PyNumber_Index(item) : NULL;
        if (number == NULL) {
            PyErr_Format(PyExc_TypeError, "torch.Size() takes an iterable of 'int' (item %zd is '%s')", i, Py_TYPE(item)->tp_name);
            Py_DECREF(self);
            return NULL;
        }
        PyTuple_SET_ITEM(self, i, number);
        Py_DECREF(item);
    }
    return self;
}

static PyObject *size_repr(PyObject *self)
{
    PyObject *list = PySequence_List(self);
    PyObject *text = list ? PyUnicode_FromFormat("torch.Size(%R)", list) : NULL;
    Py_XDECREF(list);
    return text;
}

static PyObject *size_numel(PyObject *self, PyObject *ignored)
{
    PyObject *product = PyLong_FromLong(1);
    for (Py_ssize_t i = 0; product != NULL && i < PyTuple_GET_SIZE(self); i++) {
        PyObject *next = PyNumber_Multiply(product, PyTuple_GET_ITEM(self, i));
        Py_DECREF(product);
        product = next;
    }
    return product;
}

static PyObject *size_reduce(PyObject *self, PyObject *ignored)
{
    PyObject *items = PyTuple_New(PyTuple_GET_SIZE(self));
    if (items == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); i++)
        PyTuple_SET_ITEM(items, i, Py_NewRef(PyTuple_GET_ITEM(self, i)));
    return Py_BuildValue("(O(N))", Py_TYPE(self), items);
}

/* tuple's own sq_concat takes tuples on the left only: `(3,) + size` comes here through nb_add and keeps the type too. */
static PyObject *size_add(PyObject *left, PyObject *right)
{
    if (!PyTuple_Check(left) || !PyTuple_Check(right))
        Py_RETURN_NOTIMPLEMENTED;
    return as_size(PyTuple_Type.tp_as_sequence->sq_concat(left, right));
}

static PyObject *size_concat(PyObject *left, PyObject *right)
{
    if (!PyTuple_Check(right)) {
        PyErr_Format(PyExc_TypeError, "can only concatenate tuple (not \"%s\") to Size", Py_TYPE(right)->tp_name);
        return NULL;
    }
    return as_size(PyTuple_Type.tp_as_sequence->sq_concat(left, right));
}

static PyObject *size_repeat(PyObject *self, Py_ssize_t n)
{
    return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(self, n));
}

static PyObject *size_subscript(PyObject *self, PyObject *index)
{
    PyObject *result = PyTuple_Type.tp_as_mapping->mp_subscript(self, index);
    if (!PySlice_Check(index))
        return result;
    if (result == self) { /* the whole tuple, of a Size or of a subclass of it */
        return result;
    }
    return as_size(result);
}

static PyMethodDef size_methods[] = {
    {"numel", size_numel, METH_NOARGS, "The number of elements of a tensor of this shape."},
    {"__reduce__", size_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PySequenceMethods size_sequence = {.sq_concat = size_concat, .sq_repeat = size_repeat};
static PyMappingMethods size_mapping = {.mp_subscript = size_subscript};
static PyNumberMethods size_number = {.nb_add = size_add};

static PyTypeObject size_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "runtime.Size",
    .tp_dealloc = size_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "The shape of a tensor: a tuple of ints that keeps its type under slicing, `+` and `*`.",
    .tp_new = size_tp_new,
    .tp_repr = size_repr,
    .tp_methods = size_methods,
    .tp_as_sequence = &size_sequence,
    .tp_as_mapping = &size_mapping,
    .tp_as_number = &size_number,
};

int rt_setup_size_type(void)
{
    size_type.tp_base = &PyTuple_Type;
    return PyType_Ready(&size_type);
}
