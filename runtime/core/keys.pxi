# Dispatch keys: the enum's members, made from the lists in include/runtime/keys.h.
#
# A key is a functionality (one bit), a per-backend run-time key (a functionality and a backend), or an alias (a name for a set of
# run-time keys, used at registration only). `key_infos` holds, for every enum value, what the rest of the module asks about a key.

cdef extern from *:
    """
    #include "runtime/core/core.h"

    const rt_slot_info rt_slot_infos[RT_NUM_FUNCTIONALITIES] = {
        /* Filled by the running sum over the functionalities; a per-backend one takes RT_NUM_BACKENDS slots. */
    #define PER_BACKEND(k) ((k) == RT_KEY_Dense || (k) == RT_KEY_Quantized || (k) == RT_KEY_Sparse || (k) == RT_KEY_SparseCsr || \\
                            (k) == RT_KEY_NestedTensor || (k) == RT_KEY_AutogradFunctionality)
    #define BEFORE(k, p) ((k) > (p) ? RT_NUM_BACKENDS - 1 : 0)
    #define OFFSET(k) ((k) + BEFORE(k, RT_KEY_Dense) + BEFORE(k, RT_KEY_Quantized) + BEFORE(k, RT_KEY_Sparse) + \\
                       BEFORE(k, RT_KEY_SparseCsr) + BEFORE(k, RT_KEY_NestedTensor) + BEFORE(k, RT_KEY_AutogradFunctionality))
        {0, 0},
    #define _(name) {OFFSET(RT_KEY_##name), PER_BACKEND(RT_KEY_##name) ? (uint16_t)RT_BACKEND_MASK : 0},
        RT_FORALL_FUNCTIONALITIES(_)
    #undef _
    };

    typedef struct rt_key_name { const char *name; int value; } rt_key_name;
    static const rt_key_name rt_key_names[] = {
        {"Undefined", 0},
    #define _(name) {#name, RT_KEY_##name},
        RT_FORALL_FUNCTIONALITIES(_)
        RT_FORALL_ALIASES(_)
    #undef _
        {NULL, 0}
    };
    static const char *const rt_backend_names[] = {
    #define _(name) #name,
        RT_FORALL_BACKENDS(_)
    #undef _
    };
    typedef struct rt_block { const char *name, *prefix; int functionality, start; } rt_block;
    static const rt_block rt_blocks[] = {
    #define _(name, prefix) {#name, #prefix, RT_KEY_##name, RT_KEY_StartOf##name##Backends},
        RT_FORALL_PER_BACKEND(_)
    #undef _
        {NULL, NULL, 0, 0}
    };

    /* Functionality value of an enum value (0 for aliases), and its backend (-1: none). */
    static int rt_functionality_of(int key)
    {
        if (key < RT_KEY_EndOfFunctionalityKeys) return key;
        for (const rt_block *b = rt_blocks; b->name; b++)
            if (key >= b->start && key <= b->start + RT_NUM_BACKENDS) return b->functionality;
        return 0;
    }
    static int rt_backend_of(int key)
    {
        for (const rt_block *b = rt_blocks; b->name; b++)
            if (key > b->start && key <= b->start + RT_NUM_BACKENDS) return key - b->start - 1;
        return -1;
    }
    static int rt_is_per_backend(int functionality) { return rt_slot_infos[functionality].mask != 0; }
    /* The run-time key of a functionality on a backend (the functionality itself where it is not per-backend). */
    static int rt_runtime_key(int functionality, int backend)
    {
        for (const rt_block *b = rt_blocks; b->name; b++)
            if (b->functionality == functionality) return b->start + 1 + backend;
        return functionality;
    }
    static rt_keyset rt_bits_of_key(int key)
    {
        int f = rt_functionality_of(key), b = rt_backend_of(key);
        if (f == 0) return 0;
        return RT_FUNCTIONALITY_BIT(f) | (b >= 0 ? RT_BACKEND_BIT(b) : 0);
    }
    """
    ctypedef struct rt_key_name:
        const char *name
        int value
    rt_key_name *rt_key_names
    const char **rt_backend_names
    ctypedef struct rt_block:
        const char *name
        const char *prefix
        int functionality
        int start
    rt_block *rt_blocks
    int rt_functionality_of(int key) noexcept
    int rt_backend_of(int key) noexcept
    bint rt_is_per_backend(int functionality) noexcept
    int rt_runtime_key(int functionality, int backend) noexcept
    rt_keyset rt_bits_of_key(int key) noexcept

cdef extern from "runtime/keys.h":
    enum:
        K_Undefined "RT_KEY_Undefined"
        K_Dense "RT_KEY_Dense"
        K_Sparse "RT_KEY_Sparse"
        K_SparseCsr "RT_KEY_SparseCsr"
        K_Quantized "RT_KEY_Quantized"
        K_NestedTensor "RT_KEY_NestedTensor"
        K_BackendSelect "RT_KEY_BackendSelect"
        K_Python "RT_KEY_Python"
        K_Functionalize "RT_KEY_Functionalize"
        K_ADInplaceOrView "RT_KEY_ADInplaceOrView"
        K_AutogradOther "RT_KEY_AutogradOther"
        K_AutogradFunctionality "RT_KEY_AutogradFunctionality"
        K_AutogradNestedTensor "RT_KEY_AutogradNestedTensor"
        K_AutocastCPU "RT_KEY_AutocastCPU"
        K_AutocastPrivateUse1 "RT_KEY_AutocastPrivateUse1"
        K_FuncTorchBatched "RT_KEY_FuncTorchBatched"
        K_FuncTorchVmapMode "RT_KEY_FuncTorchVmapMode"
        K_VmapMode "RT_KEY_VmapMode"
        K_PythonTLSSnapshot "RT_KEY_PythonTLSSnapshot"
        K_PreDispatch "RT_KEY_PreDispatch"
        K_Conjugate "RT_KEY_Conjugate"
        K_Negative "RT_KEY_Negative"
        K_ZeroTensor "RT_KEY_ZeroTensor"
        K_AutocastCUDA "RT_KEY_AutocastCUDA"
        K_PythonDispatcher "RT_KEY_PythonDispatcher"
        K_EndOfFunctionalityKeys "RT_KEY_EndOfFunctionalityKeys"
        K_StartOfAliasKeys "RT_KEY_StartOfAliasKeys"
        K_Autograd "RT_KEY_Autograd"
        K_CompositeImplicitAutograd "RT_KEY_CompositeImplicitAutograd"
        K_FuncTorchBatchedDecomposition "RT_KEY_FuncTorchBatchedDecomposition"
        K_CompositeImplicitAutogradNestedTensor "RT_KEY_CompositeImplicitAutogradNestedTensor"
        K_CompositeExplicitAutograd "RT_KEY_CompositeExplicitAutograd"
        K_CompositeExplicitAutogradNonFunctional "RT_KEY_CompositeExplicitAutogradNonFunctional"
        K_StartOfDense "RT_KEY_StartOfDenseBackends"
        K_StartOfAutograd "RT_KEY_StartOfAutogradFunctionalityBackends"
        B_Meta "RT_BACKEND_Meta"

cdef dict key_values = {}               # name -> enum value, historical names too
cdef list key_names = [None] * RT_NUM_KEYS  # enum value -> name
cdef dict key_members = {}              # name -> the member, historical names too
cdef list key_objects = [None] * RT_NUM_KEYS  # enum value -> the member

cdef int fill_key_names() except -1:
    cdef int i = 0, j
    while rt_key_names[i].name != NULL:
        key_names[rt_key_names[i].value] = rt_key_names[i].name.decode()
        i += 1
    i = 0
    while rt_blocks[i].name != NULL:
        key_names[rt_blocks[i].start] = f"StartOf{rt_blocks[i].name.decode()}Backends"
        for j in range(RT_NUM_BACKENDS):
            key_names[rt_blocks[i].start + 1 + j] = rt_blocks[i].prefix.decode() + rt_backend_names[j].decode()
        i += 1
    for i, name in enumerate(key_names):
        if name is not None:
            key_values[name] = i
    return 0

fill_key_names()


@cython.final
cdef class DispatchKey:
    """A dispatch key: a functionality, a per-backend run-time key, or an alias key.

    Members are attributes (``DispatchKey.CPU``); ``DispatchKey("CPU")`` and ``DispatchKey(49)`` look one up by name or value.
    Members compare by priority, hash, and pickle by name.

    Raises
    ------
    RuntimeError
        If a name is no dispatch key.
    ValueError
        If a number is no dispatch key's value.
    """
    cdef readonly str name
    cdef readonly int value
    cdef rt_keyset bits

    def __cinit__(self, key):
        cdef int value
        if isinstance(key, str):
            value = parse_key(key)
        elif isinstance(key, DispatchKey):
            value = (<DispatchKey>key).value
        elif isinstance(key, int):
            if not 0 <= key < RT_NUM_KEYS or key_names[key] is None:
                raise ValueError(f"{key} is not a valid DispatchKey: values go from 0 to {RT_NUM_KEYS - 1}")
            value = key
        else:
            raise TypeError(f"DispatchKey() takes a name, a value or a DispatchKey, not {type(key).__name__}")
        self.name = key_names[value]
        self.value = value
        self.bits = rt_bits_of_key(value)

    def __repr__(self):
        return f"<DispatchKey.{self.name}: {self.value}>"

    def __str__(self):
        return f"DispatchKey.{self.name}"

    def __int__(self):
        return self.value

    def __index__(self):
        return self.value

    def __hash__(self):
        return self.value

    def __richcmp__(self, other, int op):
        if type(other) is not DispatchKey:
            return NotImplemented
        cdef int a = (<DispatchKey>self).value, b = (<DispatchKey>other).value
        if op == 2:
            return a == b
        if op == 3:
            return a != b
        if op == 0:
            return a < b
        if op == 1:
            return a <= b
        if op == 4:
            return a > b
        return a >= b

    def __reduce__(self):
        return _dispatch_key_parse, (self.name,)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


cdef int parse_key(str name) except -1:
    value = key_values.get(name)
    if value is None:
        close = difflib_close(name)
        raise RuntimeError(f"could not parse dispatch key: {name}" + (f"\nDid you mean {close}?" if close else ""))
    return value


cdef str difflib_close(str name):
    from difflib import get_close_matches
    return " or ".join(get_close_matches(name, key_values, 3))


cdef int key_value(object key) except -1:
    """The enum value of a key given as a member or by name, as every function that takes a key accepts it."""
    if type(key) is DispatchKey:
        return (<DispatchKey>key).value
    if isinstance(key, str):
        return parse_key(key)
    raise TypeError(f"a dispatch key must be a DispatchKey or its name, not {type(key).__name__}")


def _dispatch_key_parse(str name not None):
    """The dispatch key of a name.

    Raises
    ------
    RuntimeError
        If there is no key of that name; close names are suggested.
    """
    return key_objects[parse_key(name)]


def _dispatch_key_name(key):
    """The name of a dispatch key."""
    return key_names[key_value(key)]


def _parse_dispatch_key(str name not None):
    """The dispatch key of a name, or None."""
    value = key_values.get(name)
    return None if value is None else key_objects[value]


def _dispatch_is_alias_key(key):
    """Whether a key names a set of run-time keys."""
    return key_value(key) >= K_StartOfAliasKeys


def _dispatch_num_backends():
    """The number of backend components."""
    return RT_NUM_BACKENDS


cdef int fill_key_objects() except -1:
    members = key_members
    for value, name in enumerate(key_names):
        if name is not None:
            member = DispatchKey(value)
            key_objects[value] = member
            members[name] = member
    # Names that PyTorch keeps for older code.
    cdef int i = 0
    while rt_blocks[i].name != NULL:
        members[f"EndOf{rt_blocks[i].name.decode()}Backends"] = members[rt_blocks[i].prefix.decode() + "Meta"]
        i += 1
    for old, new in (("CatchAll", "Undefined"), ("CPUTensorId", "CPU"), ("CUDATensorId", "CUDA"),
                     ("DefaultBackend", "CompositeExplicitAutograd"), ("Autocast", "AutocastCUDA"),
                     ("PrivateUse1_PreAutograd", "AutogradPrivateUse1"), ("PrivateUse2_PreAutograd", "AutogradPrivateUse2"),
                     ("PrivateUse3_PreAutograd", "AutogradPrivateUse3")):
        members[old] = members[new]
        key_values[old] = members[new].value
    type_attributes = members.copy()
    type_attributes["__members__"] = members.copy()
    for name, value in type_attributes.items():
        rt_type_set(<PyTypeObject *>DispatchKey, name, value)
    return 0

cdef extern from *:
    """
    /* Attributes of a static type, set after it is ready. */
    static int rt_type_set(PyTypeObject *type, PyObject *name, PyObject *value)
    {
        int r = PyDict_SetItem(type->tp_dict, name, value);
        PyType_Modified(type);
        return r;
    }
    """
    int rt_type_set(PyTypeObject *type, object name, object value) except -1

fill_key_objects()
