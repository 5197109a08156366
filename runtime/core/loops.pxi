# Loops in C for kernels in Python: the door to kernels/cpu/loops.h.

cdef extern from "kernels/cpu/loops.h":
    ctypedef void (*rt_range_fn)(int64_t begin, int64_t end, void *ctx) noexcept nogil
    ctypedef union rt_loop_arg:
        int64_t number
        double factor
        char *memory
    ctypedef struct rt_named_loop:
        const char *name
        const char *signature
        rt_range_fn f32
        rt_range_fn f64
    const rt_named_loop *rt_named_loops
    void rt_parallel_for(int64_t n, int64_t grain, rt_range_fn fn, void *ctx) noexcept nogil

DEF MAX_LOOP_ARGS = 16


def _run_loop(str name not None, dtype, int64_t n, int64_t grain, *args):
    """Run one of the loops that are written in C.

    Parameters
    ----------
    name : str
        As in kernels/cpu/loops.c.
    dtype : numpy.dtype
        float32 or float64: that of the loop's arrays.
    n, grain : int
        How far the loop goes, and the least that is worth a thread.
    *args
        What the loop's signature says: ints, floats, contiguous arrays of the dtype or of int64, or None for an array that is not there.
        Arrays must be as large as the numbers say: the loop does not know their sizes.
    """
    cdef rt_loop_arg given[MAX_LOOP_ARGS]
    cdef const rt_named_loop *loop = rt_named_loops
    cdef bytes wanted = name.encode()
    cdef rt_range_fn function
    cdef int i, kind = cnp.NPY_DOUBLE if dtype == "float64" else cnp.NPY_FLOAT
    while loop.name != NULL and wanted != loop.name:
        loop += 1
    if loop.name == NULL or len(args) != len(loop.signature) or len(args) > MAX_LOOP_ARGS:
        raise TypeError(f"there is no loop {name} of {len(args)} arguments")
    for i, arg in enumerate(args):
        letter = loop.signature[i]
        if letter == c"i":
            given[i].number = arg
        elif letter == c"f":
            given[i].factor = arg
        elif arg is None:
            given[i].memory = NULL
        else:
            if not cnp.PyArray_Check(arg) or not cnp.PyArray_IS_C_CONTIGUOUS(arg) or \
                    cnp.PyArray_TYPE(arg) != (kind if letter == c"x" else cnp.NPY_INT64):
                raise TypeError(f"argument {i} of the loop {name} is no contiguous array of its dtype")
            given[i].memory = <char *>cnp.PyArray_DATA(arg)
    function = loop.f64 if kind == cnp.NPY_DOUBLE else loop.f32
    if n > grain:
        with nogil:
            rt_parallel_for(n, grain, function, given)
    else:
        function(0, n, given)


def _broadcast_exceeds(int64_t limit, *tensors):
    """Whether tensors (None is left out) that are broadcast together have more elements than a limit."""
    cdef RtTensor *t
    cdef int64_t sizes[RT_MAX_DIM]
    cdef int64_t size, count = 1
    cdef int d, n = 0
    for given in tensors:
        if given is None:
            continue
        if not rt_is_tensor(<PyObject *>given):
            raise TypeError("_broadcast_exceeds() takes tensors")
        t = RT_TENSOR(<void *>given)
        while n < t.ndim:
            sizes[n] = 1
            n += 1
        for d in range(t.ndim):
            size = t.sizes[t.ndim - 1 - d]
            if size != 1:
                sizes[d] = size
    for d in range(n):
        if sizes[d] > limit:
            return True
        count *= sizes[d]
        if count > limit:
            return True
    return False
