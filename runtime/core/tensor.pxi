# class Tensor: properties, small methods, conversions to Python. Operators become methods elsewhere, from the generated list.
#
# The object's C layout is struct RtTensor (core.h): `body` stands for its fields, and the module checks at import that it lies where
# C code expects it. Life and death of tensors are in alloc.c; Cython's own tp_new only serves calls of the class and subclasses.

cdef extern from "runtime/core/alloc.h":
    ctypedef struct rt_tensor_body:
        pass
    enum:
        RT_T_CHANNELS_LAST, RT_T_CHANNELS_LAST_3D
        RT_KEY_Conjugate, RT_KEY_Negative, RT_KEY_ADInplaceOrView, RT_KEY_Python
    int rt_setup_tensor_type(PyTypeObject *type) except -1
    void rt_tensor_emplace(RtTensor *t) noexcept
    RtTensor *rt_tensor_of_type(PyTypeObject *type, int ndim) noexcept
    int rt_tensor_copy_impl(RtTensor *t, const RtTensor *source) except -1
    void rt_tensor_track(RtTensor *t) noexcept
    bint rt_has_dict(const RtTensor *t) noexcept
    void rt_version_decref(rt_version *v) noexcept
    int64_t rt_storage_bytes(int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset, int itemsize) except -1
    int rt_set_geometry(RtTensor *t, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset) except -1
    rt_keyset rt_keyset_of_device(int device_type) noexcept
    int64_t rt_wrap_dim(int64_t dim, int64_t ndim) except? -1
    PyObject *rt_load_element(const char *p, int code) noexcept
    int rt_store_element(char *p, int code, PyObject *number) except -1
    int rt_element_size(int code) noexcept
    int rt_set_quantizer(RtTensor *t, PyObject *quantizer) except -1


cdef inline RtTensor *tensor_struct(object o) noexcept:
    return RT_TENSOR(<void *>o)


cdef inline bint has_key(RtTensor *t, int functionality) noexcept:
    return (t.keys & RT_FUNCTIONALITY_BIT(functionality)) != 0


cdef char *readable_data(RtTensor *t) except? NULL:
    """The first element of a tensor whose memory the CPU can read, checked to lie inside its storage."""
    cdef int64_t nbytes
    if t.device_type == DEVICE_META:
        raise RuntimeError("Tensor.item() cannot be called on meta tensors")
    if t.storage == NULL or t.device_type != DEVICE_CPU or (t.storage.data == NULL and t.numel > 0):
        raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")
    nbytes = rt_storage_bytes(t.ndim, t.sizes, t.strides, t.offset, rt_itemsize[t.dtype])
    if nbytes > t.storage.nbytes:
        raise RuntimeError(f"the tensor needs {nbytes} bytes, but its storage has {t.storage.nbytes}")
    return rt_data(t)


cdef object resolve(RtTensor *t, object number):
    """The value of an element after the tensor's lazy conjugation and negation."""
    if has_key(t, RT_KEY_Conjugate):
        number = number.conjugate()
    if has_key(t, RT_KEY_Negative):
        number = -number
    return number


cdef object only_element(RtTensor *t):
    cdef char zero[16]
    if likely(not t.keys & (unusual_bits | RT_FUNCTIONALITY_BIT(RT_KEY_Quantized))):
        return steal(rt_load_element(readable_data(t), t.dtype))
    if has_key(t, RT_KEY_Quantized):
        return dequantized_number(t)
    if has_key(t, K_ZeroTensor) and t.device_type == DEVICE_CPU:
        memset(zero, 0, sizeof(zero))
        return resolve(t, steal(rt_load_element(zero, t.dtype)))
    return resolve(t, steal(rt_load_element(readable_data(t), t.dtype)))


cdef int refuse_endless(RtTensor *t) except -1:
    """Lists of the rows of an empty or expanded tensor may be longer than memory: their sizes say nothing about its bytes."""
    cdef int d
    cdef double rows = 1
    for d in range(t.ndim):
        rows *= t.sizes[d]
        if rows > 2.0 ** 36:
            raise MemoryError()
    return 0


cdef object nested_list(RtTensor *t, const char *p, int dim):
    cdef int64_t i
    cdef int64_t step
    if dim == t.ndim:
        return resolve(t, steal(rt_load_element(p, t.dtype)))
    step = t.strides[dim] * rt_itemsize[t.dtype]
    return [nested_list(t, p + i * step, dim + 1) for i in range(t.sizes[dim])]


cdef int warn_once(str text) except -1:
    """`settings.warn_once`, of the program's line."""
    from runtime import settings
    settings.warn_once(text, stacklevel=1)
    return 0


cdef object to_python_number(object self, str what):
    cdef RtTensor *t = tensor_struct(self)
    if t.numel != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    if unlikely(what is not "int" and needs_grad(t)):
        warn_once("Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
                  "Consider using tensor.detach() first.")
    value = self.item()
    if isinstance(value, complex) and what != "complex":
        if value.imag != 0:
            raise RuntimeError(f"value cannot be converted to type {'double' if what == 'float' else 'int64_t'} without overflow")
        value = value.real
    return value


cdef class Tensor(TensorBase):
    """A multi-dimensional array of elements of one dtype, on one device.

    Calling the class makes a tensor of the default dtype: of the given sizes, or from a sequence. Prefer `tensor`.
    """
    cdef rt_tensor_body body
    cdef object gc_marker  # never used: makes Cython give the type a place in garbage collection
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        rt_tensor_emplace(RT_TENSOR(<void *>self))
        legacy_init(self, args, kwargs)

    # -------------------------------------------------------------------------------------------------------------- geometry

    @property
    def shape(self):
        """The size of every dimension, as a `Size`."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if unlikely(t.flags & RT_T_DISPATCH_SIZES):
            return asked_sizes(self)
        return steal(rt_size_new(t.ndim, t.sizes))

    def size(self, dim=None):
        """The sizes, or the size of one dimension."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if unlikely(t.flags & RT_T_DISPATCH_SIZES):
            if dim is None:
                return asked_sizes(self)
            asked_number(self, "aten::dim", t.ndim)  # PyTorch wraps the dimension by it
            sizes = asked_sizes(self)
            return sizes[asked_dim(sizes, dim, "size")]
        if dim is None:
            return steal(rt_size_new(t.ndim, t.sizes))
        return t.sizes[checked_dim(t, dim, "size")]

    def stride(self, dim=None):
        """The strides in elements, or that of one dimension."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        cdef int i
        if unlikely(t.flags & RT_T_DISPATCH_STRIDES):
            strides = asked_strides(self)
            return strides if dim is None else strides[asked_dim(strides, dim, "stride")]
        if dim is None:
            return tuple([t.strides[i] for i in range(t.ndim)])
        return t.strides[checked_dim(t, dim, "stride")]

    def dim(self):
        """The number of dimensions."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        return asked_number(self, "aten::dim", t.ndim) if unlikely(t.flags & RT_T_DISPATCH_SIZES) else t.ndim

    def ndimension(self):
        """The number of dimensions."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        return asked_number(self, "aten::dim", t.ndim) if unlikely(t.flags & RT_T_DISPATCH_SIZES) else t.ndim

    @property
    def ndim(self):
        """The number of dimensions."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        return asked_number(self, "aten::dim", t.ndim) if unlikely(t.flags & RT_T_DISPATCH_SIZES) else t.ndim

    def numel(self):
        """The number of elements."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        return asked_number(self, "aten::sym_numel", t.numel) if unlikely(t.flags & RT_T_DISPATCH_SIZES) else t.numel

    def nelement(self):
        """The number of elements."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        return asked_number(self, "aten::sym_numel", t.numel) if unlikely(t.flags & RT_T_DISPATCH_SIZES) else t.numel

    def storage_offset(self):
        """Where the first element lies in the storage, in elements."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        return asked_number(self, "aten::sym_storage_offset", t.offset) if unlikely(t.flags & RT_T_DISPATCH_SIZES) else t.offset

    def element_size(self):
        """Bytes per element."""
        return rt_element_size(RT_TENSOR(<void *>self).dtype)

    @property
    def itemsize(self):
        """Bytes per element."""
        return rt_element_size(RT_TENSOR(<void *>self).dtype)

    @property
    def nbytes(self):
        """Bytes of all elements."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if unlikely(has_key(t, RT_KEY_Sparse)):
            raise RuntimeError("nbytes is not defined for sparse tensors.  If you want the size of the constituent tensors, add the nbytes of "
                               "the indices and values.  If you want the size of the  equivalent dense tensor, multiply numel() by "
                               "element_size()")
        numel = asked_number(self, "aten::numel", t.numel) if unlikely(t.flags & RT_T_DISPATCH_SIZES) else t.numel
        return numel * rt_element_size(t.dtype)

    def is_contiguous(self, memory_format=contiguous_format):
        """Whether the elements lie one after another in the order of a memory format."""
        cdef uint32_t flags = RT_TENSOR(<void *>self).flags
        if unlikely(flags & RT_T_DISPATCH_STRIDES) and type(memory_format) is type(contiguous_format):
            answer = ask_subclass(self, "aten::is_contiguous", "", None) if memory_format is contiguous_format else \
                ask_subclass(self, "aten::is_contiguous", "memory_format", memory_format)
            if answer is not None:
                return checked_answer("is_contiguous", answer, bool)
        if unlikely(has_key(RT_TENSOR(<void *>self), RT_KEY_Sparse)):
            return False
        if memory_format is contiguous_format:
            return flags & RT_T_CONTIGUOUS != 0
        if memory_format is channels_last:
            return flags & RT_T_CHANNELS_LAST != 0
        if memory_format is channels_last_3d:
            return flags & RT_T_CHANNELS_LAST_3D != 0
        if memory_format is preserve_format:
            raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
        raise TypeError(f"is_contiguous(): argument 'memory_format' must be torch.memory_format, not {class_name(memory_format)}")

    def __len__(self):
        if is_overridden(RT_TENSOR(<void *>self).keys):
            overridden = slot_override("__len__", (self,))
            if overridden is not None:
                return overridden[0]
        if unlikely(RT_TENSOR(<void *>self).flags & RT_T_DISPATCH_SIZES):
            return self.size(0)
        if RT_TENSOR(<void *>self).ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return RT_TENSOR(<void *>self).sizes[0]

    # ------------------------------------------------------------------------------------------------------------------- kind

    @property
    def dtype(self):
        return <object>rt_dtype_objects[RT_TENSOR(<void *>self).dtype]

    @property
    def device(self):
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if unlikely(t.flags & RT_T_DISPATCH_DEVICE):
            answer = ask_subclass(self, "prim::device")
            if answer is not None:
                return checked_answer("device", answer, device)
        return make_device(t.device_type, t.device_index)

    def get_device(self):
        """The index of the tensor's device; -1 on the CPU."""
        if unlikely(RT_TENSOR(<void *>self).flags & RT_T_DISPATCH_DEVICE):
            return device_index_of(self.device)
        return RT_TENSOR(<void *>self).device_index

    @property
    def layout(self):
        if unlikely(RT_TENSOR(<void *>self).flags & RT_T_DISPATCH_LAYOUT):
            answer = ask_subclass(self, "prim::layout")
            if answer is not None:
                return checked_answer("layout", answer, layout)
        return sparse_coo if unlikely(has_key(RT_TENSOR(<void *>self), RT_KEY_Sparse)) else strided

    @property
    def is_cpu(self):
        return is_on(self, DEVICE_CPU)

    @property
    def is_cuda(self):
        return is_on(self, DEVICE_CUDA)

    @property
    def is_meta(self):
        return is_on(self, DEVICE_META)

    @property
    def is_sparse(self):
        return has_key(RT_TENSOR(<void *>self), RT_KEY_Sparse)

    @property
    def is_sparse_csr(self):
        return has_key(RT_TENSOR(<void *>self), RT_KEY_SparseCsr)

    @property
    def is_quantized(self):
        return has_key(RT_TENSOR(<void *>self), RT_KEY_Quantized)

    def qscheme(self):
        """How a quantized tensor's integers stand for numbers: `per_tensor_affine`, ..."""
        return qscheme_of_code(ops.aten.qscheme.default(self))

    @property
    def is_nested(self):
        return has_key(RT_TENSOR(<void *>self), RT_KEY_NestedTensor)

    @property
    def is_mkldnn(self):
        return has_key(RT_TENSOR(<void *>self), RT_KEY_MkldnnCPU)

    def is_floating_point(self):
        """Whether the dtype is a floating-point dtype."""
        return dtype_kind(RT_TENSOR(<void *>self).dtype) == KIND_FLOAT

    def is_complex(self):
        """Whether the dtype is complex."""
        return dtype_kind(RT_TENSOR(<void *>self).dtype) == KIND_COMPLEX

    def is_signed(self):
        """Whether the dtype has negative values."""
        return self.dtype.is_signed

    def is_conj(self):
        """Whether the tensor stands for the conjugate of what its memory holds."""
        return has_key(RT_TENSOR(<void *>self), RT_KEY_Conjugate)

    def is_neg(self):
        """Whether the tensor stands for the negative of what its memory holds."""
        return has_key(RT_TENSOR(<void *>self), RT_KEY_Negative)

    def is_inference(self):
        """Whether the tensor was made in inference mode: it has no version counter and takes no part in autograd."""
        return not has_key(RT_TENSOR(<void *>self), RT_KEY_ADInplaceOrView)

    # -------------------------------------------------------------------------------- operators in which self is not the first

    def where(self, condition, other):
        """The tensor's elements where a condition holds, and another tensor's (or a number) elsewhere."""
        return functions["where"](condition, self, other)

    def norm(self, p="fro", dim=None, keepdim=False, dtype=None):
        """The norm of vectors, or of matrices where `p` is a string; see `runtime.functional.norm`."""
        from runtime.functional import norm

        return norm(self, p, dim, keepdim, dtype=dtype)

    def lu(self, pivot=True, get_infos=False):
        """The LU factors of matrices and their pivots; see `runtime.functional.lu`."""
        from runtime.functional import lu

        return lu(self, pivot, get_infos)

    def stft(self, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect", normalized=False, onesided=None,
             return_complex=None, align_to_window=None):
        """The short-time Fourier transform; see `runtime.functional.stft`."""
        return ops.aten.stft.center(self, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided, return_complex,
                                    align_to_window)

    def polygamma(self, n):
        """The derivative of order `n` of digamma."""
        return functions["polygamma"](n, self)

    # ------------------------------------------------------------------------------------------------------------ conversions

    def to(self, *args, **kwargs):
        """The tensor on another device, of another dtype, or both as in another tensor; itself where nothing changes.

        Called as ``to(device, dtype, non_blocking, copy)``, ``to(dtype, non_blocking, copy)`` or
        ``to(tensor, non_blocking, copy)``, each with ``memory_format=``.
        """
        return tensor_to(self, args, kwargs)

    def type(self, dtype=None, non_blocking=False):
        """The name of the tensor's type, as ``'torch.FloatTensor'``; with a dtype or such a name, the tensor as that type."""
        return tensor_type(self, dtype, non_blocking)

    def where(self, condition, other):
        """The elements of this tensor where a condition holds, and those of another one elsewhere."""
        return functions["where"](condition, self, other)

    def nonzero(self, *, as_tuple=False):
        """Coordinates of the elements that are not zero: the rows of one tensor, or a tensor for each dimension."""
        return tuple(ops.aten.nonzero_numpy.default(self)) if as_tuple else functions["nonzero"](self)

    def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
        """A new tensor with a copy of some data, by default of this one's dtype and on its device."""
        return make_tensor(data, self.dtype if dtype is None else dtype, self.device if device is None else device, requires_grad,
                           pin_memory)

    def cpu(self, *, memory_format=None):
        """The tensor on the CPU."""
        return call_to(self, make_device(DEVICE_CPU, -1), None, False, False, memory_format)

    def double(self, *, memory_format=None):
        """The tensor as float64."""
        return cast_to(self, 7, memory_format, "double")

    def float(self, *, memory_format=None):
        """The tensor as float32."""
        return cast_to(self, 6, memory_format, "float")

    def half(self, *, memory_format=None):
        """The tensor as float16."""
        return cast_to(self, 5, memory_format, "half")

    def bfloat16(self, *, memory_format=None):
        """The tensor as bfloat16."""
        return cast_to(self, 15, memory_format, "bfloat16")

    def long(self, *, memory_format=None):
        """The tensor as int64."""
        return cast_to(self, 4, memory_format, "long")

    def int(self, *, memory_format=None):
        """The tensor as int32."""
        return cast_to(self, 3, memory_format, "int")

    def short(self, *, memory_format=None):
        """The tensor as int16."""
        return cast_to(self, 2, memory_format, "short")

    def char(self, *, memory_format=None):
        """The tensor as int8."""
        return cast_to(self, 1, memory_format, "char")

    def byte(self, *, memory_format=None):
        """The tensor as uint8."""
        return cast_to(self, 0, memory_format, "byte")

    def bool(self, *, memory_format=None):
        """The tensor as bool."""
        return cast_to(self, 11, memory_format, "bool")

    def chalf(self, *, memory_format=None):
        """The tensor as complex32."""
        return cast_to(self, 8, memory_format, "chalf")

    def cfloat(self, *, memory_format=None):
        """The tensor as complex64."""
        return cast_to(self, 9, memory_format, "cfloat")

    def cdouble(self, *, memory_format=None):
        """The tensor as complex128."""
        return cast_to(self, 10, memory_format, "cdouble")

    # ---------------------------------------------------------------------------------------------------------------- storage

    def untyped_storage(self):
        """The storage: the same object every time, as long as somebody holds it."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if t.storage == NULL or has_key(t, RT_KEY_Sparse):
            raise NotImplementedError(f"Cannot access storage of {'SparseTensorImpl' if has_key(t, RT_KEY_Sparse) else class_name(self)}")
        return storage_object(t.storage)

    @property
    def _untyped_storage(self):
        return self.untyped_storage()

    def data_ptr(self):
        """The address of the first element; 0 where there is no memory (meta, empty, wrapper subclasses)."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if t.storage == NULL or has_key(t, RT_KEY_Sparse):
            raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")
        return 0 if t.numel == 0 or t.storage.data == NULL else <uintptr_t>t.storage.data + <uintptr_t>(t.offset * rt_element_size(t.dtype))

    @property
    def _version(self):
        """How often the tensor's memory was written in place."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if not has_key(t, RT_KEY_ADInplaceOrView):
            raise RuntimeError("Inference tensors do not track version counter.")
        return 0 if t.version == NULL else t.version.value

    @property
    def _base(self):
        """The tensor that this one is a view of, or None."""
        cdef PyObject *view = RT_TENSOR(<void *>self).view
        return None if view == NULL else <object>view

    def _is_view(self):
        return RT_TENSOR(<void *>self).view != NULL

    @property
    def data(self):
        """A tensor on the same memory, outside autograd and with a version counter of its own."""
        return shallow_copy(self)

    @data.setter
    def data(self, value):
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if not rt_is_tensor(<PyObject *>value):
            raise TypeError(f"Variable data has to be a tensor, but got {class_name(value)}")
        if needs_grad(t) and not has_derivative_dtype(RT_TENSOR(<void *>value)):
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        if (t.device_type != RT_TENSOR(<void *>value).device_type or t.storage == NULL or RT_TENSOR(<void *>value).storage == NULL
                or (t.keys ^ RT_TENSOR(<void *>value).keys) & (RT_FUNCTIONALITY_BIT(RT_KEY_Quantized) | RT_FUNCTIONALITY_BIT(RT_KEY_Sparse))):
            raise RuntimeError("Attempted to call `variable.set_data(tensor)`, but `variable` and `tensor` have incompatible tensor type.")
        rt_wait_for_loops()
        rt_tensor_copy_impl(t, RT_TENSOR(<void *>value))

    @data.deleter
    def data(self):
        raise RuntimeError("Deleting tensor data is not allowed. Delete tensor instead!")

    # --------------------------------------------------------------------------------------------------------------- autograd

    @property
    def requires_grad(self):
        return needs_grad(RT_TENSOR(<void *>self))

    @requires_grad.setter
    def requires_grad(self, value):
        if value is not True and value is not False:
            raise RuntimeError("requires_grad must be a bool")
        if value and not has_derivative_dtype(RT_TENSOR(<void *>self)):
            raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
        change_requires_grad(self, value)

    @requires_grad.deleter
    def requires_grad(self):
        raise RuntimeError("requires_grad must be a bool")

    def requires_grad_(self, requires_grad=True):
        """Set `requires_grad` of a leaf; returns the tensor."""
        if requires_grad is not True and requires_grad is not False:
            raise TypeError(f"requires_grad_(): argument 'requires_grad' (position 1) must be bool, not {class_name(requires_grad)}")
        change_requires_grad(self, requires_grad)
        return self

    @property
    def is_leaf(self):
        """Whether no recorded call made the tensor."""
        return tensor_is_leaf(self)

    @property
    def grad(self):
        """The accumulated gradient, or None."""
        return tensor_grad(self)

    @grad.setter
    def grad(self, value):
        set_tensor_grad(self, value)

    @grad.deleter
    def grad(self):
        set_tensor_grad(self, None)

    @property
    def _grad(self):
        """The accumulated gradient: the name of `grad` in PyTorch's TensorBase, which its own code uses."""
        return tensor_grad(self)

    @_grad.setter
    def _grad(self, value):
        set_tensor_grad(self, value)

    @_grad.deleter
    def _grad(self):
        set_tensor_grad(self, None)

    @property
    def grad_dtype(self):
        """The dtype that the gradient of a leaf has: by default the tensor's own, None for any."""
        return tensor_grad_dtype(self)

    @grad_dtype.setter
    def grad_dtype(self, value):
        set_tensor_grad_dtype(self, value)

    @property
    def _backward_hooks(self):
        """The hooks of `register_hook`, or None."""
        return tensor_hooks(self)

    @_backward_hooks.setter
    def _backward_hooks(self, value):
        set_tensor_hooks(self, value)

    @property
    def grad_fn(self):
        """The node of the recorded call that made the tensor, or None."""
        return tensor_grad_fn(self)

    @property
    def output_nr(self):
        """Which output of its `grad_fn` the tensor is."""
        return output_nr_of(RT_TENSOR(<void *>self))

    @property
    def retains_grad(self):
        """Whether a tensor that is no leaf has a `grad` after backward."""
        cdef rt_grad_ext *ext = rt_grad_ext_or_null(RT_TENSOR(<void *>self))
        return ext != NULL and ext.retains_grad != 0

    # ------------------------------------------------------------------------------------------------------- Python's protocols

    def item(self):
        """The only element as a Python number."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        cdef PyObject *args[1]
        if unlikely(goes_to_python(t)):
            args[0] = <PyObject *>self
            return steal(rt_call(rt_builtin_ops[RT_OP_aten_item], args, 1))
        if t.numel != 1:
            raise RuntimeError(f"a Tensor with {t.numel} elements cannot be converted to Scalar")
        return only_sparse_element(self) if unlikely(has_key(t, RT_KEY_Sparse)) else only_element(t)

    def tolist(self):
        """The elements as nested lists of Python numbers; a number for a 0-d tensor."""
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if has_key(t, K_Python) and goes_to_python(t):
            raise RuntimeError(f".tolist() is not supported for tensor subclasses, got {class_name(self)}")
        if has_key(t, RT_KEY_Sparse):
            raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")
        if t.numel == 0:
            refuse_endless(t)
            return nested_list(t, NULL, 0)
        if t.device_type == DEVICE_META:
            raise NotImplementedError("Cannot copy out of meta tensor; no data!")
        refuse_endless(t)
        if has_key(t, K_ZeroTensor):
            raise RuntimeError("tolist() shouldn't be called on a tensor with unallocated storage")
        return nested_list(t, readable_data(t), 0)

    # ------------------------------------------------------------------------------------------- methods of `functional`'s functions

    def norm(self, p="fro", dim=None, keepdim=False, dtype=None):
        """As the function `norm`."""
        from runtime import functional
        return functional.norm(self, p, dim, keepdim, dtype=dtype)

    def unique(self, sorted=True, return_inverse=False, return_counts=False, dim=None):
        """As the function `unique`."""
        from runtime import functional
        return functional.unique(self, sorted, return_inverse, return_counts, dim)

    def unique_consecutive(self, return_inverse=False, return_counts=False, dim=None):
        """As the function `unique_consecutive`."""
        from runtime import functional
        return functional.unique_consecutive(self, return_inverse, return_counts, dim)

    # ------------------------------------------------------------------------------------------------------ element by element, in Python

    def apply_(self, callable):
        """Replace each element by what a function makes of it."""
        return self._map(callable, ())

    def map_(self, tensor, callable):
        """Replace each element by what a function makes of it and of the other tensor's element."""
        return self._map(callable, (tensor,))

    def map2_(self, x, y, callable):
        """Replace each element by what a function makes of it and of two other tensors' elements."""
        return self._map(callable, (x, y))

    def _map(self, callable, others):
        if self.device.type != "cpu":
            raise TypeError("functions of elements are only implemented on CPU tensors")
        for other in others:
            if other.dtype != self.dtype:
                raise TypeError(f"tensors of elements must be {self.type()}, not {other.type()}")
        columns = [t.expand(self.shape).reshape(-1).tolist() for t in (self, *others)]
        made = [callable(*row) for row in zip(*columns)]
        return self.copy_(tensor(made, dtype=self.dtype).view(self.shape)) if made else self

    # ------------------------------------------------------------------------------------------------- what memory and layout tell

    def const_data_ptr(self):
        """As `data_ptr`, for reading."""
        return self.data_ptr()

    def is_pinned(self, device=None):
        """Whether the memory is page-locked for a device: never."""
        return False

    def is_shared(self):
        """Whether the memory is shared with other processes."""
        return self.untyped_storage().is_shared()

    def _typed_storage(self):
        """The storage, seen as elements of the tensor's dtype."""
        from runtime.storage import TypedStorage
        return TypedStorage(wrap_storage=self.untyped_storage(), dtype=self.dtype)

    def storage(self):
        """The storage as a `TypedStorage`, which is deprecated: use `untyped_storage`."""
        from runtime.storage import _warn_typed_storage_removal
        _warn_typed_storage_removal(1)
        return self._typed_storage()

    def storage_type(self):
        """The class of the tensor's typed storage, such as FloatStorage. Deprecated, as `storage`."""
        from runtime.storage import _warn_typed_storage_removal
        _warn_typed_storage_removal(1)
        return self._typed_storage()._get_legacy_storage_class()

    def share_memory_(self):
        """Move the storage to memory that other processes can share; see `runtime.multiprocessing`. Returns the tensor."""
        self.untyped_storage().share_memory_()
        return self

    def to_sparse_coo(self):
        """The tensor in coordinates; as `to_sparse`."""
        return self.to_sparse()

    def to_sparse_csr(self, dense_dim=None):
        """Raises NotImplementedError, as `to_sparse` with any compressed layout."""
        return self.to_sparse(layout=sparse_csr, dense_dim=dense_dim)

    def to_sparse_csc(self, dense_dim=None):
        """Raises NotImplementedError, as `to_sparse` with any compressed layout."""
        return self.to_sparse(layout=sparse_csc, dense_dim=dense_dim)

    def to_sparse_bsr(self, blocksize, dense_dim=None):
        """Raises NotImplementedError, as `to_sparse` with any compressed layout."""
        return self.to_sparse(layout=sparse_bsr, blocksize=blocksize, dense_dim=dense_dim)

    def to_sparse_bsc(self, blocksize, dense_dim=None):
        """Raises NotImplementedError, as `to_sparse` with any compressed layout."""
        return self.to_sparse(layout=sparse_bsc, blocksize=blocksize, dense_dim=dense_dim)

    def dim_order(self, *, ambiguity_check=False):
        """The dimensions from the largest stride to the smallest, as a tuple."""
        places = range(self.dim())
        return tuple(sorted(places, key=lambda d: (-self.stride(d), d)))

    def resize(self, *sizes):
        """A view-free tensor of other sizes, in the memory of this one."""
        return self.detach().resize_(*sizes)

    def resize_as(self, tensor):
        """As `resize`, to another tensor's sizes."""
        return self.resize(tensor.shape)

    def __array_wrap__(self, array, context=None, return_scalar=False):
        return tensor_of_array(array) if cnp.PyArray_Check(array) else as_tensor(array)

    def __hash__(self):
        return <Py_ssize_t><PyObject *>self  # as id(): what code written for PyTorch counts on

    def __bool__(self):
        if is_overridden(RT_TENSOR(<void *>self).keys):
            overridden = slot_override("__bool__", (self,))
            if overridden is not None:
                return overridden[0]
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if t.numel != 1:
            raise RuntimeError(f"Boolean value of Tensor with {'no values' if t.numel == 0 else 'more than one value'} is ambiguous")
        return bool(self.item())

    def __int__(self):
        if is_overridden(RT_TENSOR(<void *>self).keys):
            overridden = slot_override("__int__", (self,))
            if overridden is not None:
                return overridden[0]
        return int(to_python_number(self, "int"))

    def __float__(self):
        if is_overridden(RT_TENSOR(<void *>self).keys):
            overridden = slot_override("__float__", (self,))
            if overridden is not None:
                return overridden[0]
        return float(to_python_number(self, "float"))

    def __complex__(self):
        if is_overridden(RT_TENSOR(<void *>self).keys):
            overridden = slot_override("__complex__", (self,))
            if overridden is not None:
                return overridden[0]
        return complex(to_python_number(self, "complex"))

    def __index__(self):
        if is_overridden(RT_TENSOR(<void *>self).keys):
            overridden = slot_override("__index__", (self,))
            if overridden is not None:
                return overridden[0]
        cdef RtTensor *t = RT_TENSOR(<void *>self)
        if t.numel != 1 or dtype_kind(t.dtype) > KIND_INT:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __getitem__(self, index):
        if is_overridden(RT_TENSOR(<void *>self).keys) or RT_TYPE(<void *>index) != &c_long and may_override_item(index, None):
            overridden = slot_override("__getitem__", (self, index))
            if overridden is not None:
                return overridden[0]
        return get_item(self, index)

    def __setitem__(self, index, value):
        if is_overridden(RT_TENSOR(<void *>self).keys) or may_override_item(index, value):
            if slot_override("__setitem__", (self, index, value)) is not None:
                return
        set_item(self, index, value)

    def __delitem__(self, index):
        raise TypeError("Tensor does not support deleting items")

    def __iter__(self):
        if RT_TENSOR(<void *>self).ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __reversed__(self):
        return self if RT_TENSOR(<void *>self).ndim == 0 else self.flip(0)

    def __contains__(self, element):
        if is_overridden(RT_TENSOR(<void *>self).keys):
            overridden = slot_override("__contains__", (self, element))
            if overridden is not None:
                return overridden[0]
        if not isinstance(element, (Tensor, int, float, complex)) and not cnp.PyArray_CheckScalar(element):
            raise RuntimeError(f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}.")
        return bool((element == self).any().item())

    def __format__(self, spec):
        if RT_TENSOR(<void *>self).ndim == 0 and not self.is_meta and type(self) is Tensor:
            return self.detach().item().__format__(spec)
        if spec:
            raise TypeError(f"unsupported format string passed to {class_name(self)}.__format__")
        return str(self)

    def _repr(self, *, tensor_contents=None):
        """The tensor as text; `tensor_contents` stands for the elements."""
        from runtime._printing import tensor_str
        return tensor_str(self, tensor_contents=tensor_contents)

    def __repr__(self):
        if is_overridden(RT_TENSOR(<void *>self).keys):
            overridden = slot_override("__repr__", (self,))
            if overridden is not None:
                return overridden[0]
        from runtime._printing import tensor_str
        return tensor_str(self)

    def _repr_html_(self):
        """The elements as a table, which notebooks show; None where the text says more."""
        from runtime._printing import tensor_html
        return tensor_html(self)

    def numpy(self, *, force=False):
        """A NumPy array on the tensor's memory.

        Parameters
        ----------
        force : bool
            Detach, move to the CPU and resolve lazy conjugation first, where needed.
        """
        return tensor_to_numpy(self, force)

    def __array__(self, dtype=None, copy=None):
        return tensor_as_array(self, dtype, copy)

    @property
    def __array_interface__(self):
        return array_interface(self)

    def __array_function__(self, func, types, args, kwargs):
        return call_array_function(func, types, args, kwargs)

    def __getbuffer__(self, Py_buffer *view, int flags):
        export_buffer(self, view, flags)

    def __releasebuffer__(self, Py_buffer *view):
        release_buffer(view)

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        if stream is not None:
            if type(stream) is not int:
                raise TypeError("stream must be ``int`` or ``none``")
            if stream != -1:   # which says: do not synchronize
                raise AssertionError("stream should be None on cpu.")
        return export_dlpack(self, max_version, dl_device, copy)

    def __dlpack_device__(self):
        if RT_TENSOR(<void *>self).device_type != DEVICE_CPU:
            raise ValueError(f"Unknown device type {self.device.type} for Dlpack")
        return 1, 0

    def __array_namespace__(self, *, api_version=None):
        """The namespace of functions of the array API standard, `runtime.array_api`.

        Parameters
        ----------
        api_version : str, optional
            A version of the standard; ValueError if it is not known.
        """
        from runtime.array_api import _array
        return _array.namespace(api_version)

    def to_device(self, device, /, *, stream=None):
        """The tensor on a device, as the array API standard writes `to`.

        Parameters
        ----------
        device : device or str
        stream : None
            No device here has streams.
        """
        if stream is not None:
            raise ValueError(f"to_device: stream is {stream!r}; no device here has streams, leave it out")
        return self.to(device=device)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        """The tensor in a dtype, as NumPy writes `to`: its callers convert what `numpy.where` and others have returned.

        Parameters
        ----------
        dtype : dtype or anything that `numpy.dtype` takes
        order : str
            Elements keep their order in memory, whatever it says.
        casting : {"no", "equiv", "safe", "same_kind", "unsafe"}
            Which conversions are allowed; TypeError for others.
        subok : bool
            The class is kept in any case.
        copy : bool
            False for the tensor itself where it has the dtype already.
        """
        from runtime.numpy_protocols import arrays
        return arrays.converted(self, dtype, casting, copy)

    def __reduce_ex__(self, protocol):
        return reduce_tensor(self)

    def _reduce_ex_internal(self, protocol):
        """As `__reduce_ex__`, without the class and the attributes: the call that makes the tensor alone."""
        return rebuilding_call(self)

    def __setstate__(self, state):
        """Take the state of old pickles: of a Tensor (storage, offset, size, stride), of a Variable (requires_grad, None, hooks).

        Pickles of this runtime do not come here.
        """
        if not self.is_leaf:
            raise RuntimeError("__setstate__ can be only called on leaf Tensors")
        if len(state) == 4:
            self.set_(*state)
            return
        if len(state) == 5:
            self.data = state[0]
            state = (state[3], state[4], state[2])
        self.requires_grad, _, self._backward_hooks = state

    def module_load(self, other, assign=False):
        """What `Module.load_state_dict` puts in the place of this parameter or buffer; subclasses may override it.

        Parameters
        ----------
        other : Tensor
            The value in the state dict.
        assign : bool
            Whether the value itself is taken, instead of copied into this tensor.

        Returns
        -------
        Tensor
            A new object.
        """
        return other.detach() if assign else self.copy_(other).detach()

    def __deepcopy__(self, memo):
        return deepcopy_tensor(self, memo)

    # ------------------------------------------------------------------------------------------------- transposes and parts

    @property
    def T(self):
        """The tensor with its dimensions reversed."""
        return unary(RT_OP_aten_numpy_T, self)

    @property
    def mT(self):
        """The tensor with its last two dimensions exchanged."""
        return unary(RT_OP_aten_mT, self)

    @property
    def H(self):
        """The conjugate transpose of a matrix."""
        return unary(RT_OP_aten_matrix_H, self)

    @property
    def mH(self):
        """The tensor with its last two dimensions exchanged, conjugated."""
        return unary(RT_OP_aten_mH, self)

    @property
    def real(self):
        """The real parts, as a view."""
        return unary(RT_OP_aten_real, self)

    @real.setter
    def real(self, value):
        unary(RT_OP_aten_real, self).copy_(value)

    @property
    def imag(self):
        """The imaginary parts of a complex tensor, as a view."""
        return unary(RT_OP_aten_imag, self)

    @imag.setter
    def imag(self, value):
        unary(RT_OP_aten_imag, self).copy_(value)


def _unsafe_set_version_counter(tensors, versions):
    """Let tensors have other versions: writes that autograd need not know of are forgotten so."""
    cdef RtTensor *t
    for tensor, version in zip(tensors, versions, strict=True):
        if not rt_is_tensor(<PyObject *>tensor):
            raise TypeError(f"expected a Tensor, but got {class_name(tensor)}")
        t = RT_TENSOR(<void *>tensor)
        if not t.keys & RT_FUNCTIONALITY_BIT(K_ADInplaceOrView):
            raise RuntimeError("Tried to call torch.autograd._unsafe_set_version() on a tensor that does not have a version counter. Was it "
                               "created in inference mode?")
        if version < 0:
            raise RuntimeError("Cannot set a version_counter to a value less than 0: " + str(version))
        if rt_version_of(t) == NULL:
            raise_current()
        t.version.value = version


cdef enum:
    KIND_BOOL, KIND_INT, KIND_FLOAT, KIND_COMPLEX

cdef extern from "runtime/core/alloc.h":
    enum:
        RT_KEY_Sparse, RT_KEY_SparseCsr, RT_KEY_Quantized, RT_KEY_NestedTensor, RT_KEY_MkldnnCPU


cdef int dtype_kind(int code) noexcept:
    if code == CODE_BOOL:
        return KIND_BOOL
    if code <= 4 or 12 <= code <= 14 or 27 <= code <= 29:
        return KIND_INT
    if 8 <= code <= 10:
        return KIND_COMPLEX
    return KIND_FLOAT


cdef int64_t checked_dim(RtTensor *t, object dim, str function) except -1:
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"{function}(): argument 'dim' (position 1) must be int, not {class_name(dim)}")
    if t.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return rt_wrap_dim(dim, t.ndim)


cdef int set_requires_grad(RtTensor *t, bint value) except -1:
    if not value:
        t.flags &= ~<uint32_t>RT_T_REQUIRES_GRAD
        return 0
    if dtype_kind(t.dtype) < KIND_FLOAT:
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    t.flags |= RT_T_REQUIRES_GRAD
    return 0


cdef extern from "runtime/core/core.h":
    int rt_check_sizes(int ndim, const int64_t *sizes) noexcept
    RtTensor *rt_tensor_header(int ndim) noexcept


cdef object tensor_on(rt_storage *s, int code, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset):
    """A new tensor on a storage (a reference of it is taken)."""
    cdef RtTensor *t
    result = steal(<PyObject *>rt_tensor_header(0))
    t = RT_TENSOR(<void *>result)
    t.keys = rt_keyset_of_device(s.device_type)
    t.dtype = code
    t.device_type = s.device_type
    t.device_index = s.device_index
    rt_storage_incref(s)
    t.storage = s
    rt_set_geometry(t, ndim, sizes, strides, offset)
    return result


cdef object legacy_init(object self, tuple args, dict kwargs):
    """`Tensor()`, `Tensor(2, 3)`, `Tensor([1, 2])`, `Tensor(other)`: fills an emplaced tensor."""
    cdef int64_t sizes[64]
    cdef int n = len(args), i
    where = as_device(kwargs.pop("device", None))
    if kwargs:
        raise TypeError(f"new() received an invalid combination of arguments - got ({', '.join(kwargs)})")
    if where.type != "cpu":
        raise RuntimeError(f"legacy constructor expects device type: cpu but device type: {where.type} was passed")
    if n == 0:
        args = (0,)
    elif n == 1 and rt_is_tensor(<PyObject *>args[0]):
        if goes_to_python(RT_TENSOR(<void *>args[0])):
            plain = aliased(args[0])
            if RT_TYPE(<void *>plain) != rt_TensorType:
                raise already_bound(type(self), plain)
            rt_tensor_copy_impl(RT_TENSOR(<void *>self), RT_TENSOR(<void *>plain))
            return None
        rt_tensor_copy_impl(RT_TENSOR(<void *>self), RT_TENSOR(<void *>args[0]))
        return None
    elif n == 1 and type(args[0]) is Size:
        args = tuple(args[0])
    elif n == 1 and (cnp.PyArray_Check(args[0]) or not hasattr(args[0], "__index__")):
        if not hasattr(args[0], "__len__") or isinstance(args[0], str):
            raise TypeError(f"new(): data must be a sequence (got {class_name(args[0])})")
        data = make_tensor(args[0], get_default_dtype(), None, False, False)
        rt_tensor_copy_impl(RT_TENSOR(<void *>self), RT_TENSOR(<void *>data))
        return None
    n = len(args)
    if n > RT_MAX_DIM:
        raise RuntimeError(f"tensors with more than {RT_MAX_DIM} dimensions are not supported, but got {n}")
    for i in range(n):
        sizes[i] = args[i]
    made = steal(<PyObject *>rt_empty(n, sizes, rt_default_dtype, DEVICE_CPU, -1))
    rt_tensor_copy_impl(RT_TENSOR(<void *>self), RT_TENSOR(<void *>made))
    return None


if <uintptr_t>&(<Tensor>NULL).body != sizeof(PyObject):
    raise SystemError("the layout of Tensor is not RtTensor's")
rt_setup_tensor_type(<PyTypeObject *>Tensor)
rt_name_type(<PyTypeObject *>Tensor, "runtime.Tensor")
