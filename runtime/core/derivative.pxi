# Derivatives: how autograd records a call of an operator. A Derivative is made of the operator's row in the generated table when a call of
# the operator is recorded for the first time.

cdef enum:
    PART_VALUE, PART_SHAPE, PART_DTYPE, PART_DEVICE, PART_NDIM, PART_NUMEL, PART_LAYOUT, PART_STRIDE, PART_OFFSET
    PART_SIZE = 1000   # of dimension 0; those before and behind it are the sizes of others

cdef dict part_codes = {"value": PART_VALUE, "shape": PART_SHAPE, "dtype": PART_DTYPE, "device": PART_DEVICE, "ndim": PART_NDIM,
                        "numel": PART_NUMEL, "layout": PART_LAYOUT, "stride": PART_STRIDE, "storage_offset": PART_OFFSET}

cdef struct Save:
    int place    # of an argument; below 0: -1 - the result's place
    int part
    int64_t wanted_for   # bits of the inputs whose gradients need it


@cython.final
cdef class Derivative:
    """What recording a call of one operator needs.

    Attributes
    ----------
    name : str
        Of the nodes.
    function : callable
        From a mask of wanted gradients, the gradients of the results and what was saved to the gradients of the inputs.
    """
    cdef readonly str name
    cdef readonly object function
    cdef object node_type
    cdef PyTypeObject *type
    cdef int n_inputs, n_saves, n_refused
    cdef int refused[16]       # places of the tensor arguments that must not need a gradient
    cdef int inputs[16]        # places of the differentiable arguments
    cdef bint has_lists        # some of them are lists
    cdef Save saves[24]
    cdef tuple save_names
    cdef bint all_grads        # the function takes the gradients of all results
    cdef tuple outputs         # which results are differentiable, or None: all
    cdef int n_outputs         # how many, for operators with a fixed number
    cdef bint unknown          # there is no derivative: backward raises
    cdef bint is_plain         # it makes one new tensor, and lists have no part in it: `record_plain` records it
    cdef bint turns_in_place   # it gives the tensor itself another geometry and writes nothing
    cdef bint saves_result     # the formula wants something of the result
    cdef bint place_by_place   # the kernel calls operators for each place of its lists: those are recorded
    cdef object tangent        # how tangents of the results are made: None, "linear", or (function, names of its parameters)


cdef dict derivative_table = None
cdef dict node_types = {}      # name -> class
cdef set saved_attributes = set()


cdef int load_derivatives() except -1:
    global derivative_table
    if derivative_table is None:
        from runtime._generated.derivatives import TABLE
        derivative_table = TABLE
    return 0


cdef object node_type_named(str name):
    found = node_types.get(name)
    if found is None:
        found = type(name, (Node,), {"__slots__": (), "__module__": "builtins"})
        rt_setup_operator_node_type(<PyTypeObject *>found)
        node_types[name] = found
    return found


cdef int add_saved_attributes(object kind, str name, const rt_arg *spec, int part) except -1:
    """`_saved_NAME` of a node class, and `_raw_saved_NAME` for tensors. Classes that several operators share have those of all."""
    from runtime.autograd.graph import raw_saved_property, saved_property
    if (kind, name) in saved_attributes:
        return 0
    saved_attributes.add((kind, name))
    if part == PART_DTYPE or part == PART_DEVICE or part == PART_LAYOUT or (part != PART_VALUE and spec.flags & RT_ARGF_LIST):
        return 0   # the node's own affair, as in PyTorch
    rt_type_set(<PyTypeObject *>kind, f"_saved_{name}", saved_property(name))
    if spec.kind == RT_ARG_TENSOR and part == PART_VALUE:
        rt_type_set(<PyTypeObject *>kind, f"_raw_saved_{name}", raw_saved_property(name))
    return 0


cdef object row_of_functional(Operator o, str name):
    """The row of the operator that an in-place one does the work of: of that name, with arguments of the same types, or None."""
    cdef list wanted = argument_types(overload_of(&o.op))
    overloads = sorted((key for key in derivative_table if key.partition(".")[0] == name), key=lambda key: key.partition(".")[2] != o.overload)
    for key in overloads:
        found = getattr(getattr(ops.aten, name), key.partition(".")[2] or "default", None)
        if found is not None and argument_types(found) == wanted:
            return derivative_table[key]
    return None


cdef list argument_types(object overload):
    return [str(a.type) for a in overload._schema.arguments]


cdef int resolve_derivative(rt_operator *op) except -1:
    """Find out how to record calls of an operator: once for each."""
    cdef Derivative d = Derivative.__new__(Derivative)
    cdef Operator o = operator_of(op)
    cdef int i, place
    load_derivatives()
    name = o.name.partition("::")[2]
    key = f"{name}.{o.overload}" if o.overload else name
    row = derivative_table.get(key)
    if row is None and op.flags & RT_OPF_MUTABLE and name.endswith("_") and not name.startswith("_foreach_"):
        row = row_of_functional(o, name.removesuffix("_"))
    if row is None:
        d.name = "NotImplemented"
        d.unknown = True
        d.place_by_place = name.startswith("_foreach_")
        d.node_type = NotImplementedNode
    else:
        d.name, d.function, inputs, saves, d.all_grads, outputs, d.tangent, refused = row
        d.outputs = None if outputs is None else tuple(outputs)
        d.node_type = node_type_named(d.name)
        d.n_inputs = len(inputs)
        for i, place in enumerate(inputs):
            if place >= op.nargs or op.args[place].kind != RT_ARG_TENSOR:
                raise SystemError(f"{key}: the derivative is that of an operator with other arguments")
            d.inputs[i] = place
            if op.args[place].flags & RT_ARGF_LIST:
                d.has_lists = True
        d.n_saves = len(saves)
        if d.n_inputs > 16 or d.n_saves > 24 or len(refused) > 16:
            raise SystemError(f"{key} has too many differentiable arguments or saves too much")
        d.save_names = tuple([s[0] for s in saves])
        d.n_refused = len(refused)
        for i, place in enumerate(refused):
            d.refused[i] = place
        for i, (saved, place, part, wanted_for) in enumerate(saves):
            d.saves[i].wanted_for = wanted_for
            d.saves[i].place = place
            d.saves[i].part = part_codes[part] if isinstance(part, str) else PART_SIZE + <int>part
            spec = &op.args[place] if place >= 0 else &op.rets[-1 - place]
            add_saved_attributes(d.node_type, saved, spec, d.saves[i].part)
    d.turns_in_place = changes_geometry_only(op)
    for i in range(d.n_saves):
        d.saves_result |= d.saves[i].place < 0
    d.is_plain = (not d.unknown and not d.has_lists and d.n_refused == 0 and op.nrets == 1 and d.outputs is None
                  and not op.flags & (RT_OPF_MUTABLE | RT_OPF_VIEW) and not op.rets[0].flags & RT_ARGF_LIST)
    for i in range(d.n_saves):
        if d.saves[i].place >= 0 and op.args[d.saves[i].place].kind == RT_ARG_TENSOR and op.args[d.saves[i].place].flags & RT_ARGF_LIST:
            d.is_plain = False
    d.n_outputs = op.nrets if d.outputs is None else sum(d.outputs)
    d.type = <PyTypeObject *>d.node_type
    RT_INC(<void *>d)
    op.derivative = <PyObject *>d
    return 0


cdef int saved_place(RtNode *n, str name) except -2:
    """Where a node of an operator has saved something; -1 where it has not."""
    cdef Derivative d
    if n.kind != RT_NODE_OPERATOR:
        return -1
    d = <Derivative>n.payload
    return d.save_names.index(name) if name in d.save_names else -1


def _saved_value(node, name):
    """What a node has saved under a name; behind `_saved_NAME`."""
    cdef RtNode *n = RT_NODE(<void *>(<Node?>node))
    cdef int place = saved_place(n, name)
    if place < 0:
        raise AttributeError(f"'{type(node).__name__}' object has no attribute '_saved_{name}'")
    value = unpack_saved(n, &n.saved[place], True)
    if value is None and name.endswith("_sym_sizes_opt"):
        return (0,)   # of no tensor
    return tuple(value) if isinstance(value, (list, Size)) else value


def _raw_saved_value(node, name):
    """What a node has saved under a name, as SavedTensor; behind `_raw_saved_NAME`."""
    cdef RtNode *n = RT_NODE(<void *>(<Node?>node))
    cdef int place = saved_place(n, name)
    cdef SavedTensor result
    if place < 0:
        raise AttributeError(f"'{type(node).__name__}' object has no attribute '_raw_saved_{name}'")
    if n.saved[place].is_list:
        return tuple([SavedTensor.__new__(SavedTensor) if one is None else one for one in <tuple>n.saved[place].value])
    result = SavedTensor.__new__(SavedTensor)
    result.node = node
    result.place = place
    return result


def _node_class(name):
    """The class of the nodes of that name, or None where no operator has such."""
    load_derivatives()
    return node_type_named(name) if any(row[0] == name for row in derivative_table.values()) else None
