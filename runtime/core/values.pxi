# The value classes: dtype, layout, memory_format (singletons), device, Size, finfo, iinfo, Generator. Kernels see their instances as
# the structs of core.h, which are the first fields of the classes here. Reprs say `torch.`: they are part of the interface.

cdef extern from "runtime/core/alloc.h":
    PyTypeObject *rt_SizeType
    int rt_setup_size_type() except -1
    PyObject *rt_size_new(int ndim, const int64_t *sizes) noexcept
    void rt_name_type(PyTypeObject *type, const char *name) noexcept
    const char *const rt_device_names[22]
    PyObject *rt_default_generator
    int rt_default_dtype
    RtTensor *rt_empty(int ndim, const int64_t *sizes, int code, int device_type, int device_index) noexcept

cdef enum:
    CODE_FLOAT32 = 6, CODE_BOOL = 11
    DEVICE_CPU = 0, DEVICE_CUDA = 1, DEVICE_META = 14, NUM_DEVICE_TYPES = 22

rt_setup_size_type()
Size = <object>rt_SizeType


cdef str class_name(object o):
    return type(o).__name__


cdef bint values_are_complete = False  # from then on the classes with fixed instances make no more


cdef object no_instances(object cls):
    raise TypeError(f"cannot create 'torch.{cls.__name__}' instances")


# ------------------------------------------------------------------------------------------------------------------------- dtypes

# By code: name, PyTorch's name of the scalar type, short name.
cdef tuple dtype_table = (
    ("uint8", "Byte", "u8"), ("int8", "Char", "i8"), ("int16", "Short", "i16"), ("int32", "Int", "i32"), ("int64", "Long", "i64"),
    ("float16", "Half", "f16"), ("float32", "Float", "f32"), ("float64", "Double", "f64"), ("complex32", "ComplexHalf", "c32"),
    ("complex64", "ComplexFloat", "c64"), ("complex128", "ComplexDouble", "c128"), ("bool", "Bool", "b8"), ("qint8", "QInt8", "qint8"),
    ("quint8", "QUInt8", "quint8"), ("qint32", "QInt32", "qint32"), ("bfloat16", "BFloat16", "bf16"), ("quint4x2", "QUInt4x2", "quint4x2"),
    ("quint2x4", "QUInt2x4", "quint2x4"), ("bits1x8", "Bits1x8", "b1x8"), ("bits2x4", "Bits2x4", "b2x4"), ("bits4x2", "Bits4x2", "b4x2"),
    ("bits8", "Bits8", "b8x1"), ("bits16", "Bits16", "b16x1"), ("float8_e5m2", "Float8_e5m2", "f8e5m2"),
    ("float8_e4m3fn", "Float8_e4m3fn", "f8e4m3fn"), ("float8_e5m2fnuz", "Float8_e5m2fnuz", "f8e5m2fnuz"),
    ("float8_e4m3fnuz", "Float8_e4m3fnuz", "f8e4m3fnuz"), ("uint16", "UInt16", "u16"), ("uint32", "UInt32", "u32"),
    ("uint64", "UInt64", "u64"), ("uint1", "UInt1", "uint1"), ("uint2", "UInt2", "uint2"), ("uint3", "UInt3", "uint3"), ("uint4", "UInt4", "uint4"),
    ("uint5", "UInt5", "uint5"), ("uint6", "UInt6", "uint6"), ("uint7", "UInt7", "uint7"), ("int1", "Int1", "int1"), ("int2", "Int2", "int2"),
    ("int3", "Int3", "int3"), ("int4", "Int4", "int4"), ("int5", "Int5", "int5"), ("int6", "Int6", "int6"), ("int7", "Int7", "int7"),
    ("float8_e8m0fnu", "Float8_e8m0fnu", "f8e8m0fnu"), ("float4_e2m1fn_x2", "Float4_e2m1fn_x2", "f4e2m1fnx2"),
)
cdef dict dtype_aliases = {
    "short": "int16", "int": "int32", "long": "int64", "half": "float16", "float": "float32", "double": "float64", "chalf": "complex32",
    "cfloat": "complex64", "cdouble": "complex128", "bit": "uint1",
}
cdef dict complex_of = {5: 8, 6: 9, 7: 10, 15: 9, 8: 8, 9: 9, 10: 10}
cdef dict real_of = {8: 5, 9: 6, 10: 7}


@cython.final
@cython.no_gc
cdef class dtype:
    """The type of a tensor's elements. The instances are `float32`, `int64`, ...; there are no others."""
    cdef int32_t code
    cdef str name

    def __cinit__(self):
        if values_are_complete:
            no_instances(dtype)

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return self.name

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    @property
    def __numpy_dtype__(self):
        """The NumPy dtype, which `numpy.dtype` asks for (NumPy 2.4 and later)."""
        return numpy_dtype(self.code)

    @property
    def is_floating_point(self):
        return self.name.startswith(("float", "bfloat"))

    @property
    def is_complex(self):
        return self.name.startswith("complex")

    @property
    def is_signed(self):
        """Whether the dtype has negative values; bool and the unsigned integers do not.

        Raises RuntimeError for quantized dtypes: it is their tensors' zero points that tell.
        """
        if self.name.startswith(("qint", "quint")):
            raise RuntimeError(f"isSignedType not supported for quantized types: of torch.{self.name} the zero point of a tensor tells")
        return not self.name.startswith(("uint", "quint", "bool", "bits", "float8_e8m0fnu"))

    @property
    def itemsize(self):
        """Bytes per element."""
        return rt_itemsize[self.code] or (4 if self.name == "qint32" else 2 if self.name == "bits16" else 1)

    @property
    def abbr(self):
        return dtype_table[self.code][2]

    def to_real(self):
        """The dtype of the real parts."""
        return <object>rt_dtype_objects[<int>real_of.get(self.code, self.code)]

    def to_complex(self):
        """The complex dtype whose parts have this dtype."""
        if self.code not in complex_of:
            raise RuntimeError(f"Unknown Complex ScalarType for {dtype_table[self.code][1]}")
        return <object>rt_dtype_objects[<int>complex_of[self.code]]


def _dtype_by_name(name):
    """A dtype by its name: what pickles call."""
    return dtype_names[name]


dtype_names = {}  # name -> dtype, aliases included: the public namespace takes them from here


cdef object make_dtypes():
    cdef dtype d
    cdef int code
    for code, (name, _, _) in enumerate(dtype_table):
        d = dtype.__new__(dtype)
        d.code = code
        d.name = name
        rt_dtype_objects[code] = owned(d)
        dtype_names[name] = d
    for alias, name in dtype_aliases.items():
        dtype_names[alias] = dtype_names[name]

make_dtypes()
rt_DtypeType = <PyTypeObject *>dtype
rt_name_type(<PyTypeObject *>dtype, "runtime.dtype")


cdef object rt_bool():
    return <object>rt_dtype_objects[CODE_BOOL]


cdef str scalar_type_name(int code):
    """PyTorch's name of a scalar type in error messages: Float, Long, ..."""
    return dtype_table[code][1]


def get_default_dtype():
    """The dtype that Python floats become: float32 unless `set_default_dtype` changed it."""
    return <object>rt_dtype_objects[rt_default_dtype]


def set_default_dtype(d):
    """Set the dtype that Python floats become.

    Parameters
    ----------
    d : dtype
        A floating-point dtype.
    """
    global rt_default_dtype
    if type(d) is not dtype:
        raise TypeError("invalid dtype object: only floating-point types are supported as the default type")
    if not (<dtype>d).is_floating_point or (<dtype>d).code not in (5, 6, 7, 15):
        raise TypeError("only floating-point types are supported as the default type")
    rt_default_dtype = (<dtype>d).code


# ----------------------------------------------------------------------------------------------------------------- layouts, formats

@cython.final
@cython.no_gc
cdef class layout:
    """How a tensor's elements are laid out: `strided`, or one of the sparse layouts."""
    cdef int32_t code
    cdef str name

    def __cinit__(self):
        if values_are_complete:
            no_instances(layout)

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return _layout_by_name, (self.name,)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


@cython.final
@cython.no_gc
cdef class memory_format:
    """The order of a tensor's dimensions in memory."""
    cdef int32_t code
    cdef str name

    def __cinit__(self):
        if values_are_complete:
            no_instances(memory_format)

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return self.name

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


@cython.final
@cython.no_gc
cdef class qscheme:
    """How the integers of a quantized tensor stand for numbers: `per_tensor_affine`, `per_channel_affine`, ..."""
    cdef int32_t code
    cdef str name

    def __cinit__(self):
        if values_are_complete:
            no_instances(qscheme)

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return self.name

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


cdef object new_qscheme(int code, str name):
    cdef qscheme self = qscheme.__new__(qscheme)
    self.code = code
    self.name = name
    return self


cdef object new_layout(int code, str name):
    cdef layout self = layout.__new__(layout)
    self.code = code
    self.name = name
    return self


cdef object new_memory_format(int code, str name):
    cdef memory_format self = memory_format.__new__(memory_format)
    self.code = code
    self.name = name
    return self


rt_LayoutType = <PyTypeObject *>layout
rt_MemoryFormatType = <PyTypeObject *>memory_format
rt_name_type(<PyTypeObject *>layout, "runtime.layout")
rt_name_type(<PyTypeObject *>memory_format, "runtime.memory_format")
rt_name_type(<PyTypeObject *>qscheme, "runtime.qscheme")

cdef tuple layouts = tuple([new_layout(i, name) for i, name in enumerate(
    ("strided", "sparse_coo", "sparse_csr", "_mkldnn", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged"))])
cdef tuple memory_formats = tuple([new_memory_format(i, name) for i, name in enumerate(
    ("contiguous_format", "preserve_format", "channels_last", "channels_last_3d"))])

cdef tuple qschemes = tuple([new_qscheme(i, name) for i, name in enumerate(
    ("per_tensor_affine", "per_channel_affine", "per_tensor_symmetric", "per_channel_symmetric", "per_channel_affine_float_qparams"))])

per_tensor_affine, per_channel_affine, per_tensor_symmetric, per_channel_symmetric, per_channel_affine_float_qparams = qschemes
strided, sparse_coo, sparse_csr, _mkldnn, sparse_csc, sparse_bsr, sparse_bsc, jagged = layouts
contiguous_format, preserve_format, channels_last, channels_last_3d = memory_formats
rt_contiguous_format = owned(contiguous_format)
values_are_complete = True
format_names = {**{(<layout>x).name: x for x in layouts}, **{(<memory_format>x).name: x for x in memory_formats},
                **{(<qscheme>x).name: x for x in qschemes}}


cdef object qscheme_of_code(object code):
    return qschemes[code]


def _qscheme_code(qscheme scheme not None):
    """The number of a scheme, which `aten::qscheme` returns."""
    return scheme.code


def _layout_by_name(name):
    """A layout by its name: what pickles call."""
    for x in layouts:
        if (<layout>x).name == name:
            return x
    raise ValueError(f"no layout is named {name!r}")


cdef object layout_of_code(object code):
    if 0 <= code < len(layouts):
        return layouts[code]
    cast_fail(code)


cdef object memory_format_of_code(object code):
    if 0 <= code < len(memory_formats):
        return memory_formats[code]
    cast_fail(code)


# ------------------------------------------------------------------------------------------------------------------------- devices

cdef dict device_type_codes = {(<bytes>rt_device_names[i]).decode(): i for i in range(NUM_DEVICE_TYPES) if rt_device_names[i] != NULL}


cdef enum:
    DEVICE_PRIVATEUSEONE = 20

cdef str privateuse1_name = "privateuseone"


cdef str device_type_name(int code):
    return privateuse1_name if code == DEVICE_PRIVATEUSEONE else (<bytes>rt_device_names[code]).decode()


def _get_privateuse1_backend_name():
    """The name of the device type whose kernels stand at the key PrivateUse1."""
    return privateuse1_name


cdef str EXPECTED_DEVICES = ("Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, "
                             "mps, meta, hpu, mtia, privateuseone device type at start of device string: ")


cdef int parse_device_type(str name) except -1:
    if name not in device_type_codes:
        raise RuntimeError(EXPECTED_DEVICES + name)
    return device_type_codes[name]


cdef tuple parse_device(str text):
    """(type, index) of "cuda" or "cuda:1"."""
    if not text:
        raise RuntimeError("Device string must not be empty")
    name, colon, digits = text.partition(":")
    if not colon:
        return parse_device_type(name), -1
    if not (digits.isascii() and digits.isdigit()) or (len(digits) > 1 and digits[0] == "0") or len(digits) > 3 or int(digits) > 127:
        raise RuntimeError(f"Invalid device string: '{text}'")
    return parse_device_type(name), int(digits)


cdef str device_signatures(tuple args, dict kwargs):
    """The argument parser's message for arguments that fit no form of the constructor."""
    got = [type(a).__name__ for a in args] + [f"{k}={type(v).__name__}, " for k, v in kwargs.items()]
    lines = [f"device() received an invalid combination of arguments - got ({', '.join(got)}), but expected one of:",
             " * (torch.device device)"]
    if len(args) == 1 and not kwargs:
        lines.append(f"      didn't match because some of the arguments have invalid types: (!{type(args[0]).__name__}!)")
    elif not args and kwargs:
        lines.append(f"      didn't match because some of the keywords were incorrect: {', '.join(kwargs)}")
    return "\n".join(lines + [" * (str type, int index = -1)", ""])


@cython.final
@cython.no_gc
cdef class device:
    """Where a tensor's memory is.

    Parameters
    ----------
    type : str or device or int
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...; an int is an index of the accelerator.
    index : int, optional
        The number of the device among those of its type.
    """
    cdef int32_t device_type
    cdef int32_t device_index

    def __cinit__(self, *args, **kwargs):
        cdef int64_t index
        given = dict(kwargs)
        rest = list(args)
        if not rest:
            if "type" in given:
                rest.append(given.pop("type"))
            elif "device" in given:
                rest.append(given.pop("device"))
        if len(rest) == 1 and "index" in given:
            rest.append(given.pop("index"))
        if given or not 1 <= len(rest) <= 2:
            raise TypeError(device_signatures(args, kwargs))
        which = rest[0]
        if len(rest) == 1:
            if type(which) is device:
                self.device_type = (<device>which).device_type
                self.device_index = (<device>which).device_index
                return
            if isinstance(which, int) and not isinstance(which, bool):
                if which < 0:
                    raise RuntimeError("Device index must not be negative")
                if which > 127:
                    raise RuntimeError(f"Device index {which} is too large")
                self.device_type = DEVICE_CUDA
                self.device_index = which
                return
        if not isinstance(which, str):
            raise TypeError(device_signatures(args, kwargs))
        self.device_type, self.device_index = parse_device(str(which))
        if len(rest) == 2 and rest[1] is not None:
            if not hasattr(rest[1], "__index__") or isinstance(rest[1], bool):
                raise TypeError(f"device(): argument 'index' (position 2) must be int, not {type(rest[1]).__name__}")
            if ":" in which:
                raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {which}")
            number = rest[1].__index__()
            if number < 0:
                raise RuntimeError("Device index must not be negative")
            if number > 127:
                raise RuntimeError(f"Device index {number} is too large")
            self.device_index = number

    @property
    def type(self):
        return device_type_name(self.device_type)

    @property
    def index(self):
        return None if self.device_index < 0 else self.device_index

    def __str__(self):
        name = device_type_name(self.device_type)
        return name if self.device_index < 0 else f"{name}:{self.device_index}"

    def __repr__(self):
        name = device_type_name(self.device_type)
        return f"device(type='{name}')" if self.device_index < 0 else f"device(type='{name}', index={self.device_index})"

    def __richcmp__(self, other, int op):
        if type(other) is not device or op not in (2, 3):
            if op not in (2, 3) and type(other) is device:
                raise TypeError("comparison not implemented")
            return NotImplemented
        equal = (self.device_type == (<device>other).device_type and self.device_index == (<device>other).device_index)
        return equal if op == 2 else not equal

    def __hash__(self):
        return hash((self.device_type, self.device_index))

    def __reduce__(self):
        name = device_type_name(self.device_type)
        return device, (name,) if self.device_index < 0 else (name, self.device_index)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __enter__(self):
        from runtime.utils._device import push_device
        push_device(self)
        return self

    def __exit__(self, kind, value, traceback):
        from runtime.utils._device import pop_device
        pop_device()


cdef int device_type_of(object d) except -1:
    return (<device?>d).device_type


cdef int device_index_of(object d) except -2:
    return (<device?>d).device_index


rt_DeviceType = <PyTypeObject *>device
rt_name_type(<PyTypeObject *>device, "runtime.device")

cdef PyObject *cached_devices[2]


cdef object make_device(int device_type, int device_index):
    """The device object of a tensor; those without an index on CPU and Meta are made once."""
    cdef device d
    cdef int slot = 0 if device_type == DEVICE_CPU else 1 if device_type == DEVICE_META else -1
    if slot >= 0 and device_index < 0 and cached_devices[slot] != NULL:
        return <object>cached_devices[slot]
    d = device("cpu")
    d.device_type = device_type
    d.device_index = device_index
    if slot >= 0 and device_index < 0:
        cached_devices[slot] = owned(d)
    return d


cdef object as_device(object value):
    """A device argument: a device, a string, an accelerator's index, or None for the CPU."""
    if value is None:
        return make_device(DEVICE_CPU, -1)
    if type(value) is device:
        return value
    if isinstance(value, (str, int)):
        return device(value)
    raise TypeError(f"argument 'device' must be torch.device, not {type(value).__name__}")


# ---------------------------------------------------------------------------------------------------------------------- number limits

cdef object numpy_dtype(int code):
    """The NumPy dtype of a dtype's code; bfloat16 and the float8 family come from ml_dtypes, imported at first use."""
    cdef str name = dtype_table[code][0]
    import numpy
    if name == "bool":
        return numpy.dtype(bool)
    if name.startswith(("float8", "bfloat16")):
        import ml_dtypes
        return numpy.dtype(getattr(ml_dtypes, name))
    return numpy.dtype(name)


cdef dtype limits_dtype(object d, str function):
    if type(d) is not dtype:
        raise TypeError(f"{function}(): argument 'type' (position 1) must be torch.dtype, not {class_name(d)}")
    return d


@cython.final
cdef class finfo:
    """The limits of a floating-point dtype.

    Parameters
    ----------
    type : dtype, optional
        A real or complex floating-point dtype; the default dtype if not given.
    """
    cdef readonly double min, max, eps, tiny, smallest_normal, resolution
    cdef readonly int bits
    cdef readonly str dtype

    def __init__(self, type=None):
        cdef dtype d = limits_dtype(get_default_dtype() if type is None else type, "finfo")
        if not d.is_floating_point and not d.is_complex:
            raise TypeError("torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'")
        d = d.to_real()
        np_dtype = numpy_dtype(d.code)
        if d.code <= 7:
            import numpy
            info = numpy.finfo(np_dtype)
        else:
            import ml_dtypes
            info = ml_dtypes.finfo(np_dtype)
        self.dtype = d.name
        self.bits = d.itemsize * 8
        self.min, self.max, self.eps, self.tiny = float(info.min), float(info.max), float(info.eps), float(info.smallest_normal)
        self.smallest_normal = self.tiny
        # Decimal digits that survive, as PyTorch counts them.
        import math
        digits = int((round(1 - math.log2(self.eps)) - 1) * math.log10(2))
        self.resolution = float(f"1e-{digits}")

    def __repr__(self):
        return (f"finfo(resolution={self.resolution:.6g}, min={self.min:.6g}, max={self.max:.6g}, eps={self.eps:.6g}, "
                f"smallest_normal={self.smallest_normal:.6g}, tiny={self.tiny:.6g}, dtype={self.dtype})")

    def __eq__(self, other):
        return isinstance(other, finfo) and self.dtype == (<finfo>other).dtype

    def __hash__(self):
        return hash(("finfo", self.dtype))

    def __reduce__(self):
        return finfo, (dtype_names[self.dtype],)


@cython.final
cdef class iinfo:
    """The limits of an integer dtype.

    Parameters
    ----------
    type : dtype
        An integer dtype.
    """
    cdef readonly object min, max
    cdef readonly int bits
    cdef dtype of

    def __init__(self, type):
        cdef dtype d = limits_dtype(type, "iinfo")
        if d.code == CODE_BOOL:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        cdef bint is_quantized = 12 <= d.code <= 14
        if d.is_floating_point or d.is_complex or not (rt_itemsize[d.code] or is_quantized):
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        cdef object bits = d.itemsize * 8  # a Python int: C shifts would overflow
        self.bits = bits
        self.of = d
        cdef bint is_signed = d.name != "quint8" if is_quantized else d.is_signed
        self.min = -(2 ** (bits - 1)) if is_signed else 0
        self.max = 2 ** (bits - int(is_signed)) - 1

    @property
    def dtype(self):
        """The name of the dtype; quantized ones have none here."""
        if 12 <= self.of.code <= 14:
            raise NotImplementedError(f"\"dtype\" not implemented for '{scalar_type_name(self.of.code)}'")
        return self.of.name

    def __repr__(self):
        return f"iinfo(min={float(self.min):.6g}, max={float(self.max):.6g}, dtype={self.dtype})"

    def __eq__(self, other):
        return isinstance(other, iinfo) and self.of is (<iinfo>other).of

    def __hash__(self):
        return hash(("iinfo", self.of.name))

    def __reduce__(self):
        return iinfo, (self.of,)


rt_name_type(<PyTypeObject *>finfo, "runtime.finfo")
rt_name_type(<PyTypeObject *>iinfo, "runtime.iinfo")


# ---------------------------------------------------------------------------------------------------------------------- generators

cdef enum:
    GENERATOR_BYTES = 40  # four words of state, the seed
cdef uint64_t DEFAULT_SEED = 67280421310721


cdef class Generator:
    """A source of random numbers: xoshiro256++, seeded by splitmix64.

    Parameters
    ----------
    device : device or str, optional
        Where the numbers are used; only CPU generators exist.
    """
    # The fields of RtGenerator.
    cdef uint64_t state[4]
    cdef uint64_t seed_value
    cdef int32_t device_type
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        self.device_type = DEVICE_CPU
        reseed(self, DEFAULT_SEED)

    def __init__(self, device=None):
        where = as_device(device)
        if where.type != "cpu":
            raise RuntimeError(f"Device type {where.type} is not supported for torch.Generator() api.")

    @property
    def device(self):
        return make_device(self.device_type, -1)

    def manual_seed(self, seed):
        """Start the sequence that belongs to a seed; returns the generator.

        Parameters
        ----------
        seed : int
            From -2**63 to 2**64 - 1; negative seeds count from 2**64 downwards.
        """
        if not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {class_name(seed)}")
        number = seed.__index__()
        if not -(1 << 63) <= number < 1 << 64:
            raise ValueError("Overflow when unpacking long long")
        reseed(self, <uint64_t>(number & 0xFFFFFFFFFFFFFFFF))
        return self

    def seed(self):
        """Seed from the operating system's randomness and return the seed."""
        import os
        reseed(self, int.from_bytes(os.urandom(8), "little"))
        return self.seed_value

    def initial_seed(self):
        """The seed of the current sequence."""
        return self.seed_value

    def get_state(self):
        """The whole state as a uint8 tensor."""
        cdef int64_t n = GENERATOR_BYTES
        result = steal(<PyObject *>rt_empty(1, &n, 0, DEVICE_CPU, -1))
        cdef char *p = rt_data(RT_TENSOR(<void *>result))
        memcpy(p, self.state, 32)
        memcpy(p + 32, &self.seed_value, 8)
        return result

    def set_state(self, state):
        """Go on from a state that `get_state` returned."""
        cdef RtTensor *t
        if not rt_is_tensor(<PyObject *>state):
            raise TypeError(f"expected a torch.ByteTensor, but got {class_name(state)}")
        t = RT_TENSOR(<void *>state)
        if t.dtype != 0 or t.device_type != DEVICE_CPU or t.storage == NULL or not t.flags & RT_T_CONTIGUOUS:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if t.numel != GENERATOR_BYTES:
            raise RuntimeError(f"Expected a generator state of size {GENERATOR_BYTES} but found the input RNG state size to be {t.numel}")
        cdef char *p = readable_data(t)
        memcpy(self.state, p, 32)
        memcpy(&self.seed_value, p + 32, 8)
        return self

    def get_offset(self):
        """Refused: only generators that count what they have drawn have an offset."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset):
        """Refused, as `get_offset` is."""
        raise RuntimeError("CPU Generator does not use offset")

    def clone_state(self):
        """A new generator in the same state."""
        other = Generator()
        other.set_state(self.get_state())
        return other

    def __reduce__(self):
        return _rebuild_generator, (bytes(self.get_state().numpy()),)


def _rebuild_generator(state):
    """A generator from the bytes of its state: what pickles call."""
    return Generator().set_state(frombuffer(bytearray(state), dtype=dtype_names["uint8"]))


rt_GeneratorType = <PyTypeObject *>Generator
rt_name_type(<PyTypeObject *>Generator, "runtime.Generator")
# Not a method: a class with C methods has a table pointer before its fields, and RtGenerator has none.
cdef object reseed(Generator self, uint64_t seed):
    cdef uint64_t x = seed, z
    cdef int i
    self.seed_value = seed
    for i in range(4):
        x += <uint64_t>0x9E3779B97F4A7C15
        z = x
        z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
        z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
        self.state[i] = z ^ (z >> 31)


default_generator = Generator()
default_generator.seed()
rt_default_generator = owned(default_generator)


def manual_seed(seed):
    """Seed the default generator and return it; see `Generator.manual_seed`."""
    return default_generator.manual_seed(seed)


def seed():
    """Seed the default generator from the operating system's randomness; returns the seed."""
    return default_generator.seed()


def initial_seed():
    """The seed of the default generator's current sequence."""
    return default_generator.initial_seed()


def get_rng_state():
    """The default generator's state, as a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Set the default generator's state, to one that `get_rng_state` returned."""
    default_generator.set_state(new_state)
