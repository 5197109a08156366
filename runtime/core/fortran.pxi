# Calls of Fortran routines for each matrix of a batch: how kernels of linear algebra reach LAPACK and BLAS.
#
# SciPy exports its routines as C functions that take pointers only, in capsules whose names are their signatures. A Python loop over
# thousands of small matrices costs far more than the routines do; here the loop is in C, and the interpreter's lock is given back.

cdef extern from *:
    """
    enum { MAX_FORTRAN_ARGS = 16 };

    #define P1 p[0]
    #define P2 P1, p[1]
    #define P3 P2, p[2]
    #define P4 P3, p[3]
    #define P5 P4, p[4]
    #define P6 P5, p[5]
    #define P7 P6, p[6]
    #define P8 P7, p[7]
    #define P9 P8, p[8]
    #define P10 P9, p[9]
    #define P11 P10, p[10]
    #define P12 P11, p[11]
    #define P13 P12, p[12]
    #define P14 P13, p[13]
    #define P15 P14, p[14]
    #define P16 P15, p[15]
    #define V1 void *
    #define V2 V1, void *
    #define V3 V2, void *
    #define V4 V3, void *
    #define V5 V4, void *
    #define V6 V5, void *
    #define V7 V6, void *
    #define V8 V7, void *
    #define V9 V8, void *
    #define V10 V9, void *
    #define V11 V10, void *
    #define V12 V11, void *
    #define V13 V12, void *
    #define V14 V13, void *
    #define V15 V14, void *
    #define V16 V15, void *
    #define CALL(n) case n: for (; count > 0; count--) { ((void (*)(V##n))f)(P##n); for (int i = 0; i < n; i++) p[i] += step[i]; } break;

    static void call_fortran(void *f, int n, Py_ssize_t count, char **p, const Py_ssize_t *step)
    {
        switch (n) {
            CALL(1) CALL(2) CALL(3) CALL(4) CALL(5) CALL(6) CALL(7) CALL(8)
            CALL(9) CALL(10) CALL(11) CALL(12) CALL(13) CALL(14) CALL(15) CALL(16)
        }
    }
    """
    enum:
        MAX_FORTRAN_ARGS
    void call_fortran(void *f, int n, Py_ssize_t count, char **p, const Py_ssize_t *step) noexcept nogil

cdef extern from "runtime/core/small_matrices.h":
    void *rt_small_getrf[4]
    void *rt_small_trsm[4]
    void rt_exchange_rows() noexcept nogil

cdef extern from "kernels/cpu/triangular.h":
    int rt_blas_ready() except -1
    void rt_trsm_f32() noexcept nogil
    void rt_trsm_f64() noexcept nogil

cdef extern from "Python.h":
    const char *PyCapsule_GetName(object capsule) except? NULL
    void *PyCapsule_GetPointer(object capsule, const char *name) except NULL


def _call_fortran(capsule, Py_ssize_t count, *args):
    """Call a routine once for each matrix of a batch.

    Parameters
    ----------
    capsule : PyCapsule
        The routine, as ``scipy.linalg.cython_lapack.__pyx_capi__`` holds it.
    count : int
        The number of calls.
    *args
        The routine's arguments: an int (INTEGER) or a string of one character, the same for every call; an array, each call's part of which
        follows the last one's in memory; or a 0-d array or a tuple of one array, which is the same for every call. Arrays are written to if
        the routine writes to them, and must be as large as the other arguments say: LAPACK does not know their sizes.
    """
    cdef char *pointers[16]
    cdef Py_ssize_t steps[16]
    cdef int numbers[16]
    cdef char letters[16]
    cdef int i, n = <int>len(args)
    cdef Py_ssize_t nbytes
    cdef const char *signature = PyCapsule_GetName(capsule)
    cdef void *function = PyCapsule_GetPointer(capsule, signature)
    if n > MAX_FORTRAN_ARGS or signature == NULL or (<bytes>signature).count(b",") + 1 != n:
        raise TypeError(f"{n} arguments for {(<bytes>signature).decode() if signature != NULL else 'a capsule without a signature'}")
    for i in range(n):
        arg = args[i]
        steps[i] = 0
        if isinstance(arg, int):
            numbers[i] = arg
            pointers[i] = <char *>&numbers[i]
        elif isinstance(arg, str):
            letters[i] = <char>ord(arg)
            pointers[i] = &letters[i]
        else:
            shared = isinstance(arg, tuple)
            array = arg[0] if shared else arg
            if not cnp.PyArray_Check(array) or not cnp.PyArray_IS_C_CONTIGUOUS(array):
                raise TypeError(f"argument {i} is no contiguous array")
            pointers[i] = <char *>cnp.PyArray_DATA(array)
            nbytes = cnp.PyArray_NBYTES(array)
            if not shared and cnp.PyArray_NDIM(array):
                if count > 0 and nbytes % count:
                    raise ValueError(f"argument {i} does not have {count} parts of one size")
                steps[i] = nbytes // count if count > 0 else 0
    with nogil:
        call_fortran(function, n, count, pointers, steps)


#: In the form of LAPACK's routines: rows, columns, the matrix, bytes of an element, pivots, their number, whether backwards.
_exchange_rows = PyCapsule_New(<void *>rt_exchange_rows, b"void (int *, int *, void *, int *, int *, int *, int *)", NULL)

#: getrf and trsm (from the left, alpha 1) for small matrices, by the characters of NumPy's dtypes.
_small_routines = {}
for _i, _kind in enumerate("fdFD"):
    _small_routines["getrf", _kind] = PyCapsule_New(rt_small_getrf[_i], b"void (int *, int *, void *, int *, int *, int *)", NULL)
    _small_routines["trsm", _kind] = PyCapsule_New(
        rt_small_trsm[_i], b"void (char *, char *, char *, char *, int *, int *, void *, void *, int *, void *, int *)", NULL)
del _i, _kind


def _triangular_routine(str kind):
    """trsm (alpha 1) for systems of middle size, by the character of NumPy's dtype: ``f`` or ``d``."""
    rt_blas_ready()
    return PyCapsule_New(<void *>rt_trsm_f32 if kind == "f" else <void *>rt_trsm_f64,
                         b"void (char *, char *, char *, char *, int *, int *, void *, void *, int *, void *, int *)", NULL)
