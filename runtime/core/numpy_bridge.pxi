# NumPy arrays and DLPack: tensors on the memory of others, and arrays on the memory of tensors. Nothing is copied unless asked for.
#
# A tensor over an array holds the array (its storage's owner); an array over a tensor holds the storage, which may then no longer be
# resized, so neither side can pull the memory away from the other.

cimport numpy as cnp

cnp.import_array()

cdef extern from "numpy/arrayobject.h":
    enum:
        NPY_ARRAY_WRITEABLE
    object PyArray_New(PyTypeObject *subtype, int nd, cnp.npy_intp *dims, int type_num, cnp.npy_intp *strides, void *data, int itemsize,
                       int flags, PyObject *obj)
    int PyArray_SetBaseObject(void *array, PyObject *base) except -1
    PyTypeObject PyArray_Type
    bint PyArray_ISALIGNED(void *array) noexcept
    bint PyArray_ISWRITEABLE(void *array) noexcept
    bint PyArray_ISNOTSWAPPED(void *array) noexcept

# By dtype code: NumPy's type number, -1 where NumPy has none.
cdef int[46] numpy_types
cdef dict codes_of_numpy_types = {}
cdef dict codes_of_ml_types = {}


cdef object fill_numpy_types():
    cdef int code
    for code in range(46):
        numpy_types[code] = -1
    for code, number in ((0, cnp.NPY_UINT8), (1, cnp.NPY_INT8), (2, cnp.NPY_INT16), (3, cnp.NPY_INT32), (4, cnp.NPY_INT64),
                         (5, cnp.NPY_FLOAT16), (6, cnp.NPY_FLOAT32), (7, cnp.NPY_FLOAT64), (9, cnp.NPY_COMPLEX64),
                         (10, cnp.NPY_COMPLEX128), (CODE_BOOL, cnp.NPY_BOOL), (27, cnp.NPY_UINT16), (28, cnp.NPY_UINT32),
                         (29, cnp.NPY_UINT64)):
        numpy_types[code] = number
        codes_of_numpy_types[number] = code
    # long and long long are distinct type numbers of the same size.
    codes_of_numpy_types[cnp.NPY_LONGLONG] = 4
    codes_of_numpy_types[cnp.NPY_ULONGLONG] = 29

fill_numpy_types()

cdef str SUPPORTED = ("The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, "
                      "uint32, uint16, uint8, and bool.")


cdef int code_of_numpy_dtype(object np_dtype) except -1:
    """The code of a NumPy dtype, ml_dtypes' included."""
    found = codes_of_numpy_types.get(np_dtype.num)
    if found is None:
        found = codes_of_ml_types.get(np_dtype.type)
    if found is None and np_dtype.type.__module__ == "ml_dtypes" and np_dtype.name in dtype_names:
        found = (<dtype>dtype_names[np_dtype.name]).code
        codes_of_ml_types[np_dtype.type] = found
    if found is None:
        name = np_dtype.type.__name__
        raise TypeError(f"can't convert np.ndarray of type numpy.{name}. {SUPPORTED}")
    return found


cdef int check_numpy_array(object array) except -1:
    """Refuse arrays that no tensor can describe."""
    cdef int i
    cdef cnp.npy_intp itemsize, stride
    if cnp.PyArray_NDIM(array) > RT_MAX_DIM:
        raise ValueError(f"tensors with more than {RT_MAX_DIM} dimensions are not supported")
    if not PyArray_ISNOTSWAPPED(<void *>array):
        raise ValueError("given numpy array has byte order different from the native byte order. Conversion between byte orders is "
                         "currently not supported.")
    code_of_numpy_dtype(array.dtype)
    itemsize = cnp.PyArray_ITEMSIZE(array)
    for i in range(cnp.PyArray_NDIM(array)):
        stride = cnp.PyArray_STRIDE(array, i)
        if stride % itemsize:
            raise ValueError("given numpy array strides not a multiple of the element byte size. Copy the numpy array to reallocate the "
                             "memory.")
        if stride < 0:
            raise ValueError("At least one stride in the given numpy array is negative, and tensors with negative strides are not "
                             "currently supported. (You can probably work around this by making a copy of your array  with array.copy().) ")
    return 0


cdef set read_only_warned = set()


cdef int warn_read_only(str what) except -1:
    """Say once that writing to a tensor over read-only memory is not defined."""
    if what in read_only_warned:
        return 0
    read_only_warned.add(what)
    import warnings
    if what == "buffer":
        text = "The given buffer is not writable, and PyTorch does not support non-writable tensors."
    else:
        text = "The given NumPy array is not writable, and PyTorch does not support non-writable tensors."
    warnings.warn(text + " This means writing to this tensor will result in undefined behavior. You may want to copy the data to protect "
                  "it or make it writable before converting it to a tensor.", UserWarning, stacklevel=1)
    return 0


def from_numpy(array):
    """A tensor on the memory of a NumPy array.

    Parameters
    ----------
    array : numpy.ndarray
        The tensor keeps it alive. Its strides must be multiples of the element size and not negative.

    Returns
    -------
    Tensor
    """
    if not cnp.PyArray_Check(array):
        raise TypeError(f"expected np.ndarray (got {class_name(array)})")
    check_numpy_array(array)
    if not PyArray_ISALIGNED(<void *>array):
        raise ValueError("given numpy array is not aligned to its element size. Copy the numpy array to reallocate the memory.")
    cdef bint read_only = not PyArray_ISWRITEABLE(<void *>array)
    if read_only:
        warn_read_only("array")
    return lifted(tensor_over_array(array, RT_STORAGE_READONLY if read_only else 0))


cdef object tensor_over_array(object array, uint32_t flags):
    cdef int64_t sizes[64]
    cdef int64_t strides[64]
    cdef int i, n = cnp.PyArray_NDIM(array)
    cdef cnp.npy_intp itemsize = cnp.PyArray_ITEMSIZE(array)
    for i in range(n):
        sizes[i] = cnp.PyArray_DIM(array, i)
        strides[i] = cnp.PyArray_STRIDE(array, i) // itemsize
    return tensor_over_memory(<char *>cnp.PyArray_DATA(array), array, code_of_numpy_dtype(array.dtype), n, sizes, strides, flags)


@cython.final
@cython.no_gc
cdef class _Loan:
    """What an array that is lent to a kernel holds: the storage, whose memory stays where it is as long as the array lives."""
    cdef rt_storage *s

    def __dealloc__(self):
        if self.s != NULL:
            self.s.lent -= 1
            rt_storage_decref(self.s)


cdef object array_over(RtTensor *t, bint internal):
    """A NumPy array on the memory of a CPU tensor; an internal one has any dtype, and leaves the storage resizable once it is gone."""
    cdef cnp.npy_intp sizes[64]
    cdef cnp.npy_intp strides[64]
    cdef int i
    cdef int itemsize = rt_itemsize[t.dtype]
    cdef int number = numpy_types[t.dtype]
    cdef char *data
    if number < 0 and internal and t.dtype in (15, 23, 24, 25, 26, 44):
        number = numpy_dtype(t.dtype).num
    if number < 0:
        raise TypeError(f"Got unsupported ScalarType {scalar_type_name(t.dtype)}")
    data = NULL if t.numel == 0 else readable_data(t)
    for i in range(t.ndim):
        sizes[i] = t.sizes[i]
        strides[i] = t.strides[i] * itemsize
    flags = 0 if t.storage != NULL and t.storage.flags & RT_STORAGE_READONLY else NPY_ARRAY_WRITEABLE
    if data == NULL:
        return PyArray_New(&PyArray_Type, t.ndim, sizes, number, NULL, NULL, itemsize, 0, NULL)
    array = PyArray_New(&PyArray_Type, t.ndim, sizes, number, strides, data, itemsize, flags, NULL)
    cdef _Loan loan
    if internal:
        if t.storage.lent == 65535:
            raise RuntimeError("65535 arrays over one storage are lent to kernels already")
        loan = _Loan.__new__(_Loan)
        rt_storage_incref(t.storage)
        loan.s = t.storage
        t.storage.lent += 1
        base = loan
    else:
        base = storage_object(t.storage)
        t.storage.flags &= <uint16_t>~RT_STORAGE_RESIZABLE
    PyArray_SetBaseObject(<void *>array, owned(base))
    return array


cdef object tensor_to_numpy(object self, bint force):
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if has_key(t, K_Python) and goes_to_python(t):
        raise RuntimeError(".numpy() is not supported for tensor subclasses.")
    if force:
        result = self.detach()
        if not result.is_cpu:
            result = result.cpu()
        if t.keys & unusual_bits:
            result = result.clone()
        return array_over(RT_TENSOR(<void *>result), False)
    if t.device_type != DEVICE_CPU:
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
                        "first.")
    if not rt_tls_state.no_grad and (t.flags & RT_T_REQUIRES_GRAD or self.requires_grad):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
    if has_key(t, RT_KEY_Conjugate):
        raise RuntimeError("Can't call numpy() on Tensor that has conjugate bit set. Use tensor.resolve_conj().numpy() instead.")
    if has_key(t, RT_KEY_Negative):
        raise RuntimeError("Can't call numpy() on Tensor that has negative bit set. Use tensor.resolve_neg().numpy() instead.")
    if has_key(t, K_ZeroTensor):
        raise RuntimeError(" Cannot convert a ZeroTensor to numpy. Set force=True if you need the zero array.")
    if unlikely(rt_tls_state.included & ~rt_tls_state.excluded & watching_bits):
        self = detached(self)
        t = RT_TENSOR(<void *>self)
    return array_over(t, False)


def _numpy_view(Tensor tensor not None):
    """The elements in memory as an array, whatever the tensor's dtype (bfloat16 and float8 by ml_dtypes) and lazy bits.

    Kernels work on it; the storage cannot be resized as long as the array lives.
    """
    cdef RtTensor *t = RT_TENSOR(<void *>tensor)
    if t.device_type != DEVICE_CPU:
        raise NotImplementedError(f"this kernel reads the elements of its arguments, and a tensor on {tensor.device} has none for it")
    return array_over(t, True)


def _adopt(array):
    """A tensor that takes over a new array, which nobody else may hold: its storage can be resized like any other."""
    check_numpy_array(array)
    return tensor_over_array(array, RT_STORAGE_RESIZABLE)


cdef extern from "kernels/shared/boxed.h":
    PyObject *rt_requested_result(rt_operator *op, int ndim, const int64_t *sizes, int code) noexcept


def _offered(OpOverload op not None, sizes, element):
    """For an operator's kernel: a tensor over the output that is offered for its result of this shape and dtype, or None."""
    cdef int64_t shape[RT_MAX_DIM]
    cdef int n = 0
    if RT_TYPE(<void *>element) is not rt_DtypeType:
        raise TypeError("_offered() takes a dtype")
    for size in sizes:
        if n == RT_MAX_DIM:
            return None
        shape[n] = size
        n += 1
    cdef PyObject *found = rt_requested_result(op.op, n, shape, (<RtDtype *><void *>element).code)
    if found == NULL and c_err_occurred() == NULL:
        return None
    return steal(found)


# ------------------------------------------------------------------------------------------------------------------------- DLPack

cdef extern from "runtime/core/alloc.h":
    PyObject *rt_to_dlpack(PyObject *tensor, int versioned) noexcept
    PyObject *rt_from_dlpack(PyObject *capsule) noexcept

cdef extern from "Python.h":
    bint PyCapsule_CheckExact(PyObject *o) noexcept


cdef object export_dlpack(object self, object max_version, object dl_device, object copy):
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if has_key(t, RT_KEY_Conjugate):
        raise BufferError("Can't export tensors with the conjugate bit set")
    if has_key(t, RT_KEY_Negative):
        raise BufferError("Can't export tensors with the negative bit set")
    if dl_device is not None and tuple(dl_device) != tuple(self.__dlpack_device__()):
        raise BufferError(f"cannot export to DLPack device {tuple(dl_device)}")
    if copy:
        self = self.clone()
    return steal(rt_to_dlpack(<PyObject *>self, max_version is not None and max_version[0] >= 1))


def from_dlpack(ext_tensor, *, device=None, copy=None):
    """A tensor on the memory of an object that speaks DLPack.

    Parameters
    ----------
    ext_tensor : object
        Anything with ``__dlpack__``, or a DLPack capsule, which is used up.
    device : device or str, optional
        Where the result shall be; by default where the data is.
    copy : bool, optional
        True for a copy in any case, False for an error where the data cannot be shared, None for a copy where there must be one.

    Returns
    -------
    Tensor
    """
    if PyCapsule_CheckExact(<PyObject *>ext_tensor):
        capsule = ext_tensor
    elif not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(f"expected an object with __dlpack__, but got {class_name(ext_tensor)}")
    else:
        options = {} if copy is None else {"copy": copy}
        try:
            capsule = ext_tensor.__dlpack__(max_version=(1, 0), **options)
        except TypeError:
            capsule = ext_tensor.__dlpack__()  # a producer from before DLPack 1.0
    result = steal(rt_from_dlpack(<PyObject *>capsule))
    target = result.device if device is None else as_device(device)
    if target != result.device:
        if copy is False:
            raise ValueError(f"cannot move data from {result.device} to {target} without copying")
        return result.to(target)
    # A producer that knows `copy` has made one; another copy of it would be waste, but it cannot be told apart.
    return result.clone() if copy else result


def to_dlpack(Tensor tensor not None):
    """A DLPack capsule of a tensor, in the form without a version."""
    return tensor.__dlpack__()


# NumPy arrays stand where a schema says Tensor: on the CPU, without autograd.
register_array_type(cnp.ndarray, new_keyset(RT_FUNCTIONALITY_BIT(K_Dense) | RT_BACKEND_BIT(0)), from_numpy)
