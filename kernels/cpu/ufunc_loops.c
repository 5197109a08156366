/* See ufunc_loops.h. NumPy is imported at the first use of a loop; a ufunc whose loops were taken is never released. */
#include "kernels/cpu/ufunc_loops.h"

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NO_IMPORT_ARRAY
#define PY_ARRAY_UNIQUE_SYMBOL rt_numpy_array_api_unused
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

#include "kernels/shared/pointwise.h"

_Static_assert(sizeof(npy_intp) == sizeof(Py_ssize_t), "loops count with npy_intp");

static const struct { int dtype, typenum; } numbers[] = {
    {RT_BOOL, NPY_BOOL}, {RT_UINT8, NPY_UINT8}, {RT_INT8, NPY_INT8}, {RT_INT16, NPY_INT16}, {RT_INT32, NPY_INT32}, {RT_INT64, NPY_INT64},
    {RT_UINT16, NPY_UINT16}, {RT_UINT32, NPY_UINT32}, {RT_UINT64, NPY_UINT64}, {RT_FLOAT32, NPY_FLOAT32}, {RT_FLOAT64, NPY_FLOAT64},
    {RT_COMPLEX64, NPY_COMPLEX64}, {RT_COMPLEX128, NPY_COMPLEX128},
};

static int typenum_of(int dtype)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].dtype == dtype)
            return numbers[i].typenum;
    return -1;
}

int rt_ufunc_loops(const char *name, int nin, int nout, int pointwise_flags, rt_loop *loops)
{
    static const char special[] = "special.";
    int of_scipy = strncmp(name, special, sizeof special - 1) == 0;
    PyObject *numpy = PyImport_ImportModule("numpy"), *module = of_scipy ? PyImport_ImportModule("scipy.special") : Py_XNewRef(numpy);
    PyObject *object = module == NULL ? NULL : PyObject_GetAttrString(module, of_scipy ? name + sizeof special - 1 : name);
    PyObject *type = object == NULL ? NULL : PyObject_GetAttrString(numpy, "ufunc");
    Py_XDECREF(module);
    Py_XDECREF(numpy);
    /* With SCIPY_ARRAY_API=1, scipy.special's names are Python functions that choose a library; each wraps its ufunc. */
    while (type != NULL && of_scipy && PyFunction_Check(object)) {
        PyObject *wrapped = PyObject_GetAttrString(object, "__wrapped__");
        if (wrapped == NULL) {
            PyErr_Clear();
            break;
        }
        Py_SETREF(object, wrapped);
    }
    if (type == NULL) {
        Py_XDECREF(object);
        return -1;
    }
    int is_ufunc = PyObject_IsInstance(object, type);
    Py_DECREF(type);
    if (is_ufunc <= 0 || ((PyUFuncObject *)object)->nin != nin) {
        Py_XDECREF(object);
        if (is_ufunc >= 0)
            PyErr_Format(PyExc_RuntimeError, "%s%s is not the ufunc that was expected", of_scipy ? "scipy." : "numpy.", name);
        return -1;
    }
    const PyUFuncObject *ufunc = (PyUFuncObject *)object;
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        int dtype = numbers[k].dtype;
        int result = rt_pointwise_result(pointwise_flags, dtype);
        for (int i = 0; i < ufunc->ntypes && loops[dtype].fn == NULL; i++) {
            const char *types = ufunc->types + i * ufunc->nargs;
            int fits = ufunc->nout == nout;
            for (int j = nin; j < ufunc->nargs; j++)
                fits &= types[j] == typenum_of(result);
            for (int j = 0; j < nin; j++)
                fits &= types[j] == numbers[k].typenum;
            if (fits && ufunc->functions[i] != NULL)
                loops[dtype] = (rt_loop){(rt_loop_fn)ufunc->functions[i], (void *)ufunc->data[i]};
        }
    }
    return 0; /* the reference of the ufunc is kept for ever: its loops stand in a table now */
}
