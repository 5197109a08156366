# NumPy arrays and DLPack: tensors on the memory of others, and arrays on the memory of tensors. Nothing is copied unless asked for.
# What NumPy's own functions do with tensors stands in array_protocols.pxi.
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
    PyTypeObject PyIntegerArrType_Type
    bint PyArray_ISALIGNED(void *array) noexcept
    bint PyArray_ISWRITEABLE(void *array) noexcept
    bint PyArray_ISNOTSWAPPED(void *array) noexcept

# By dtype code: NumPy's type number, -1 where NumPy has none.
cdef int[46] numpy_types
cdef dict codes_of_numpy_types = {}
cdef int[24] codes_by_number   # the same for NumPy's built-in type numbers; -1: no dtype of ours
cdef dict codes_of_ml_types = {}


cdef object fill_numpy_types():
    cdef int code
    for code in range(46):
        numpy_types[code] = -1
    for code in range(24):
        codes_by_number[code] = -1
    for code, number in ((0, cnp.NPY_UINT8), (1, cnp.NPY_INT8), (2, cnp.NPY_INT16), (3, cnp.NPY_INT32), (4, cnp.NPY_INT64),
                         (5, cnp.NPY_FLOAT16), (6, cnp.NPY_FLOAT32), (7, cnp.NPY_FLOAT64), (9, cnp.NPY_COMPLEX64),
                         (10, cnp.NPY_COMPLEX128), (CODE_BOOL, cnp.NPY_BOOL), (27, cnp.NPY_UINT16), (28, cnp.NPY_UINT32),
                         (29, cnp.NPY_UINT64)):
        numpy_types[code] = number
        codes_of_numpy_types[number] = code
    # long and long long are distinct type numbers of the same size.
    codes_of_numpy_types[cnp.NPY_LONGLONG] = 4
    codes_of_numpy_types[cnp.NPY_ULONGLONG] = 29
    for number, known in codes_of_numpy_types.items():
        codes_by_number[<int>number] = known

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


cdef inline int code_of_array(object array) except -1:
    """The code of an array's dtype."""
    cdef int number = cnp.PyArray_TYPE(array)
    if likely(0 <= number < 24 and codes_by_number[number] >= 0):
        return codes_by_number[number]
    return code_of_numpy_dtype(array.dtype)


cdef int check_numpy_array(object array) except -1:
    """Refuse arrays that no tensor can describe."""
    cdef int i
    cdef cnp.npy_intp itemsize, stride
    if cnp.PyArray_NDIM(array) > RT_MAX_DIM:
        raise ValueError(f"tensors with more than {RT_MAX_DIM} dimensions are not supported")
    if not PyArray_ISNOTSWAPPED(<void *>array):
        raise ValueError("given numpy array has byte order different from the native byte order. Conversion between byte orders is "
                         "currently not supported.")
    code_of_array(array)
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


cdef bint fits_tensor(object array) noexcept:
    """Whether a tensor can be laid over an array of a dtype that tensors have."""
    cdef int i
    cdef cnp.npy_intp itemsize = cnp.PyArray_ITEMSIZE(array)
    if not PyArray_ISNOTSWAPPED(<void *>array) or not PyArray_ISALIGNED(<void *>array):
        return False
    for i in range(cnp.PyArray_NDIM(array)):
        if cnp.PyArray_STRIDE(array, i) < 0 or cnp.PyArray_STRIDE(array, i) % itemsize:
            return False
    return True


cdef object tensor_of_array(object array):
    """A tensor on an array's memory, or on that of a copy where none can lie there: for operands and results, which nobody warns of.

    Raises TypeError where no tensor has the array's dtype.
    """
    cdef bint read_only = not PyArray_ISWRITEABLE(<void *>array)
    code_of_array(array)
    if not fits_tensor(array):
        array = array.astype(array.dtype.newbyteorder("="), order="C", subok=False)
        read_only = False
    return lifted(tensor_over_array(array, RT_STORAGE_READONLY if read_only else 0))


def _of_array(array):
    """A tensor on an array's memory, or on that of a copy where no tensor can lie there; nothing is said of read-only ones."""
    if not cnp.PyArray_Check(array):
        raise TypeError(f"expected np.ndarray (got {class_name(array)})")
    return tensor_of_array(array)


cdef object tensor_over_array(object array, uint32_t flags):
    cdef int64_t sizes[64]
    cdef int64_t strides[64]
    cdef int i, n = cnp.PyArray_NDIM(array)
    cdef cnp.npy_intp itemsize = cnp.PyArray_ITEMSIZE(array)
    for i in range(n):
        sizes[i] = cnp.PyArray_DIM(array, i)
        strides[i] = cnp.PyArray_STRIDE(array, i) // itemsize
    return tensor_over_memory(<char *>cnp.PyArray_DATA(array), array, code_of_array(array), n, sizes, strides, flags)


@cython.final
@cython.no_gc
cdef class _Loan:
    """What an array that is lent to a kernel holds: the storage, whose memory stays where it is as long as the array lives."""
    cdef rt_storage *s

    def __dealloc__(self):
        if self.s != NULL:
            self.s.lent -= 1
            rt_storage_decref(self.s)


cdef int small_float_number(int code) except -2:
    """The type number that ml_dtypes registered for bfloat16 or one of the float8 dtypes; -1 for other dtypes."""
    return numpy_dtype(code).num if code in (15, 23, 24, 25, 26, 44) else -1


cdef object array_over(RtTensor *t, bint internal, bint small_floats):
    """A NumPy array on the memory of a CPU tensor; an internal one leaves the storage resizable once it is gone."""
    cdef cnp.npy_intp sizes[64]
    cdef cnp.npy_intp strides[64]
    cdef int i
    cdef int itemsize = rt_itemsize[t.dtype]
    cdef int number = numpy_types[t.dtype]
    cdef char *data
    if number < 0 and small_floats:
        number = small_float_number(t.dtype)
    if number < 0:
        raise TypeError(f"Got unsupported ScalarType {scalar_type_name(t.dtype)}")
    if unlikely(has_key(t, RT_KEY_Sparse)):
        raise TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.")
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


cdef object tensor_as_array(object self, object dtype, object copy):
    """What `__array__` answers, by NumPy 2's rules for `copy`. Other than `numpy()` it knows ml_dtypes' dtypes."""
    array = shared_array(self, True)
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError(f"Unable to avoid copy while creating an array as requested: a tensor of {self.dtype} cannot be shared as an "
                             f"array of {dtype}. Leave copy out, or give None, to allow the copy.")
        return array.astype(dtype)
    return array.copy() if copy else array


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
        return array_over(RT_TENSOR(<void *>result), False, False)
    return shared_array(self, False)


cdef object shared_array(object self, bint small_floats):
    """A tensor's memory as a user's array; `small_floats` allows ml_dtypes' dtypes, which PyTorch refuses."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if has_key(t, K_Python) and goes_to_python(t):
        raise RuntimeError(".numpy() is not supported for tensor subclasses.")
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
    return array_over(t, False, small_floats)


def _numpy_view(Tensor tensor not None):
    """The elements in memory as an array, whatever the tensor's dtype (bfloat16 and float8 by ml_dtypes) and lazy bits.

    Kernels work on it; the storage cannot be resized as long as the array lives.
    """
    cdef RtTensor *t = RT_TENSOR(<void *>tensor)
    if t.device_type != DEVICE_CPU:
        raise NotImplementedError(f"this kernel reads the elements of its arguments, and a tensor on {tensor.device} has none for it")
    return array_over(t, True, True)


def _adopt(array):
    """A tensor that takes over a new array, which nobody else may hold: its storage can be resized like any other."""
    check_numpy_array(array)
    return tensor_over_array(array, RT_STORAGE_RESIZABLE)


cdef extern from "kernels/shared/boxed.h":
    ctypedef struct rt_offer:
        pass
    PyObject *rt_requested_result(rt_operator *op, int ndim, const int64_t *sizes, int code) noexcept
    rt_offer *rt_hand_on_begin(rt_operator *op, rt_operator *last) noexcept
    void rt_hand_on_end(rt_offer *offer, rt_operator *op) noexcept


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


def _hand_on(OpOverload op not None, OpOverload last not None, *args, **kwargs):
    """For an operator's kernel: call another one, over whose result this one's is made: the output that is offered is for that one."""
    cdef rt_offer *offer = rt_hand_on_begin(op.op, last.op)
    try:
        return last(*args, **kwargs)
    finally:
        rt_hand_on_end(offer, op.op)


# ------------------------------------------------------------------------------------------------------------------------- DLPack

cdef extern from "runtime/core/alloc.h":
    PyObject *rt_to_dlpack(PyObject *tensor, int versioned, int copied) noexcept
    PyObject *rt_from_dlpack(PyObject *capsule) noexcept

cdef extern from "Python.h":
    bint PyCapsule_CheckExact(PyObject *o) noexcept


cdef object export_dlpack(object self, object max_version, object dl_device, object copy):
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if has_key(t, RT_KEY_Conjugate):
        raise BufferError("Can't export tensors with the conjugate bit set")
    if has_key(RT_TENSOR(<void *>self), RT_KEY_Sparse):
        raise BufferError("Can't export tensors with layout other than torch.strided")
    if has_key(t, RT_KEY_Negative):
        raise BufferError("Can't export tensors with the negative bit set")
    if dl_device is not None and tuple(dl_device) != tuple(self.__dlpack_device__()):
        raise BufferError(f"cannot export a tensor on {self.device} to DLPack device {tuple(dl_device)}; move it there first, with to()")
    if copy:
        self = self.clone()
    return steal(rt_to_dlpack(<PyObject *>self, max_version is not None and max_version[0] >= 1, copy is not None and copy))


cdef object dlpack_name = intern_name("__dlpack__")
cdef tuple dlpack_keywords = (intern_name("max_version"),)
cdef tuple dlpack_version = (1, 0)


cdef object capsule_of(object producer):
    """What a producer exports when it is asked for nothing in particular."""
    cdef PyObject *stack[3]
    cdef PyObject *capsule
    cdef PyObject *error
    stack[1] = <PyObject *>producer
    stack[2] = <PyObject *>dlpack_version
    capsule = c_call_method(<PyObject *>dlpack_name, stack + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, <PyObject *>dlpack_keywords)
    if likely(capsule != NULL):
        return steal(capsule)
    error = c_err_occurred()
    if PyErr_GivenExceptionMatches(error, <PyObject *>AttributeError) and not has_dlpack(producer):
        c_err_clear()
        raise TypeError(f"expected an object with __dlpack__, but got {class_name(producer)}")
    if not PyErr_GivenExceptionMatches(error, <PyObject *>TypeError):
        raise_current()
    c_err_clear()
    return producer.__dlpack__()   # from before DLPack 1.0


cdef bint has_dlpack(object producer) except -1:
    """Whether there is the method, asked while an exception is set."""
    return c_type_lookup(RT_TYPE(<void *>producer), <PyObject *>dlpack_name) != NULL


cdef tuple capsule_with(object producer, dict options):
    """What a producer exports when it is asked for a device or a copy, and whether it was told of the copy.

    Older producers know none of these options, or not all.
    """
    options = {"max_version": dlpack_version, **options}
    for forget in ("max_version", "copy", "dl_device"):
        try:
            return producer.__dlpack__(**options), "copy" in options
        except TypeError:
            options.pop(forget, None)
    return producer.__dlpack__(**options), False


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
    if likely(device is None and copy is None):
        capsule = ext_tensor if PyCapsule_CheckExact(<PyObject *>ext_tensor) else capsule_of(ext_tensor)
        return steal(rt_from_dlpack(<PyObject *>capsule))
    options = {} if copy is None else {"copy": copy}
    target = None if device is None else as_device(device)
    told = False
    if PyCapsule_CheckExact(<PyObject *>ext_tensor):
        capsule = ext_tensor
    elif not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(f"expected an object with __dlpack__, but got {class_name(ext_tensor)}")
    else:
        if target is not None and target.type == "cpu" and tuple(ext_tensor.__dlpack_device__()) == (1, 0):
            options["dl_device"] = (1, 0)
        capsule, told = capsule_with(ext_tensor, options)
    result = steal(rt_from_dlpack(<PyObject *>capsule))
    if target is not None and target.type != result.device.type:
        if copy is False:
            raise ValueError(f"cannot move data from {result.device} to {target} without copying; leave copy out, or give None, to allow it")
        return result.to(target)
    return result.clone() if copy and not told else result


def to_dlpack(Tensor tensor not None):
    """A DLPack capsule of a tensor, in the form without a version."""
    return tensor.__dlpack__()


# NumPy arrays stand where a schema says Tensor: on the CPU, without autograd.
register_array_type(cnp.ndarray, new_keyset(RT_FUNCTIONALITY_BIT(K_Dense) | RT_BACKEND_BIT(0)), from_numpy)
