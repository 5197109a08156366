# Errors of public functions and methods, in the wording of PyTorch's argument parser. Called when no signature took the arguments.
#
# As there: if only one signature takes so many arguments, the error says what is wrong with them; otherwise all signatures are listed,
# those that take as many parameters as were given with what did not fit.

cdef dict parser_types = {
    "ScalarType": "torch.dtype", "Layout": "torch.layout", "MemoryFormat": "torch.memory_format", "Device": "torch.device",
    "Scalar": "Number", "Generator": "torch.Generator", "SymInt": "int",
}

cdef tuple tensor_options = ("dtype", "layout", "device", "pin_memory")


cdef class Parameter:
    """An argument as the function's caller sees it; `index` is its place in the schema, or -1 for those that no schema has."""
    cdef int index
    cdef str name, kind, default
    cdef bint kwarg_only

    cdef str text(self):
        return f"{self.kind} {self.name}" + (f" = {self.default}" if self.default is not None else "")


cdef Parameter make_parameter(int index, str name, str kind, str default, bint kwarg_only):
    cdef Parameter p = Parameter.__new__(Parameter)
    p.index, p.name, p.kind, p.default, p.kwarg_only = index, name, kind, default, kwarg_only
    return p


cdef str parser_type(object argument):
    """A schema type as PyTorch's argument parser names it."""
    info = argument.real_type.info
    name = parser_types.get(info.kind, info.kind)
    if info.is_list:
        return "tuple of " + {"int": "ints", "Tensor": "Tensors", "float": "floats", "bool": "bools"}.get(name, name)
    return name


cdef list parameters_of(Signature *s, bint method, bint factory):
    arguments = operator_of(s.op).schema().arguments
    cdef list positional = [], keywords = [], options = []
    for i, a in enumerate(arguments):
        if i == 0 and method:
            continue
        kind = parser_type(a)
        default = str(a.default_value).replace("[", "(").replace("]", ")") if a.has_default else None
        is_option = s.pin_memory >= 0 and a.kwarg_only and a.name in tensor_options
        if is_option and a.name == "pin_memory":
            default = "False"
        # The tensor that would be `self` of the method is a function's input.
        name = "input" if a.name == "self" and kind == "Tensor" else a.name
        p = make_parameter(i, name, kind, default, a.kwarg_only)
        (options if is_option else keywords if a.kwarg_only else positional).append(p)
    if s.out != NULL and not method:
        keywords.append(make_parameter(-1, "out", "Tensor" if s.n_outs == 1 else "tuple of Tensors", "None", True))
    if factory and s.pin_memory >= 0:
        options.append(make_parameter(-1, "requires_grad", "bool", "False", True))
    return positional + keywords + options


cdef str parameters_text(list parameters):
    parts = []
    starred = False
    for p in parameters:
        if (<Parameter>p).kwarg_only and not starred:
            parts.append("*")
            starred = True
        parts.append((<Parameter>p).text())
    return ", ".join(parts)


cdef bint fits_parameter(Signature *s, Parameter p, object value) except -1:
    """Whether the parser would take a value: of a list it looks at the first element only."""
    if p.index < 0:
        return p.kind != "Tensor" or rt_is_tensor(<PyObject *>value)
    cdef rt_arg *spec = &s.op.args[p.index]
    cdef int how = PYARG | NUMBERS_AS_TENSORS if s.op.flags & RT_OPF_NUMBERS_AS_TENSORS else PYARG
    if spec.kind == RT_ARG_DEVICE and isinstance(value, str):
        return True  # whether it names a device shows later
    if spec.kind == RT_ARG_INT and not spec.flags & RT_ARGF_LIST and type(value) is int:
        return True  # whether 64 bits hold it shows later
    try:
        if spec.flags & RT_ARGF_LIST and isinstance(value, (list, tuple)):
            if len(value) and spec.kind != RT_ARG_TENSOR:
                convert_one(value[0], spec.kind, how)
        else:
            convert_value(value, spec, how)
    except (CastError, TypeError, RuntimeError):
        return False
    return True


cdef str found_kind(object value):
    """The name of a value's type, as errors show it: NumPy's with its module."""
    name = class_name(value)
    return f"numpy.{name}" if type(value).__module__ == "numpy" else name


cdef object check_elements(str function, Signature *s, Parameter p, object value, int position):
    """Raise where an element of a list does not fit, which the parser sees when it has chosen the signature."""
    if p.index < 0 or not s.op.args[p.index].flags & RT_ARGF_LIST or not isinstance(value, (list, tuple)):
        return
    for i, element in enumerate(value):
        if element is None and s.op.args[p.index].flags & RT_ARGF_OPTIONAL_ELEM:
            continue
        try:
            convert_one(element, s.op.args[p.index].kind, PYARG)
        except (CastError, TypeError):
            found = found_kind(element)
            if s.op.args[p.index].kind == RT_ARG_TENSOR:
                raise TypeError(f"expected Tensor as element {i} in argument {position}, but got {found}") from None
            raise TypeError(f"{function}(): argument '{p.name}' failed to unpack the object at pos {i + 1} with error "
                            f"\"type must be {p.kind},but got {found}\"") from None


cdef object check_range(Signature *s, Parameter p, object value):
    """Raise where an integer has more than 64 bits, which the parser sees when it has chosen the signature."""
    if p.index >= 0 and s.op.args[p.index].kind == RT_ARG_INT and type(value) is int and not -9223372036854775808 <= value <= 9223372036854775807:
        raise ValueError("Overflow when unpacking long long")


cdef object misfit_of(str function, Signature *s, list parameters, tuple args, dict keywords, list matched):
    """What is wrong with a call of one signature, as an exception; None if every value fits, with the pairs in `matched`."""
    cdef Py_ssize_t n = len(args), at = 0, most = 0, least = 0
    cdef Parameter p
    cdef bint varargs = s.varargs >= 0
    left = dict(keywords)
    for p in parameters:
        most += not p.kwarg_only
        least += not p.kwarg_only and p.default is None
    too_many = TypeError(f"{function}() takes " + (f"{most} positional argument{'s' if most != 1 else ''}" if least == most else
                                                   f"from {least} to {most} positional arguments")
                         + f" but {n} {'were' if n != 1 else 'was'} given")
    if n > most and not varargs:
        return too_many
    for position, p in enumerate(parameters):
        by_keyword = at >= n
        if by_keyword:
            names = [name for name in left if name == p.name or numpy_names.get(name, name) == p.name
                     or p.index >= 0 and name == <object>s.op.args[p.index].name]
            if not names:
                if p.default is not None:
                    continue
                missing = [f'"{(<Parameter>q).name}"' for q in parameters[position:] if (<Parameter>q).default is None]
                return TypeError(f"{function}() missing {len(missing)} required positional arguments: {', '.join(missing)}")
            value = left.pop(names[0])
        elif p.kwarg_only:
            return too_many
        else:
            value = args[at]
            if varargs and at == 0 and not fits_parameter(s, p, value) and fits_parameter(s, p, [value]):
                value = args
                at = n
            else:
                at += 1
        if not fits_parameter(s, p, value):
            if is_foreign_tensor(value):
                shared_tensor(value)   # says what keeps it from being shared
            place = "" if by_keyword else f" (position {at})"
            return TypeError(f"{function}(): argument '{p.name}'{place} must be {p.kind}, not {found_kind(value)}")
        matched.append((p, value, position))
    if at < n:
        return too_many
    known = [(<Parameter>p).name for p in parameters]
    for name in left:
        return TypeError(f"{function}() got multiple values for argument '{name}'" if numpy_names.get(name, name) in known or name in known
                         else f"{function}() got an unexpected keyword argument '{name}'")
    return None


cdef str mismatch_text(Signature *s, list parameters, tuple args, dict keywords):
    """Why one of several signatures did not match: said where the number of its parts is the number of arguments."""
    parts = parameters_text(parameters).split(", ")
    if len(parts) != len(args) + len(keywords):
        return ""
    # As PyTorch: a parameter with a default is not known by its name here.
    by_name = {(<Parameter>p).name: p for p in parameters[len(args):] if (<Parameter>p).default is None}
    unknown = [name for name in reversed(keywords) if name not in by_name]
    if unknown:
        return f"didn't match because some of the keywords were incorrect: {', '.join(unknown)}"
    described = []
    for i, value in enumerate(args):
        p = parameters[i] if i < len(parameters) else None
        kind = found_kind(value)
        described.append(kind if p is not None and not (<Parameter>p).kwarg_only and fits_parameter(s, p, value) else f"!{kind}!")
    for name in reversed(keywords):
        text = f"{name}={found_kind(keywords[name])}"
        described.append(text if fits_parameter(s, by_name[name], keywords[name]) else f"!{text}!")
    return f"didn't match because some of the arguments have invalid types: ({joined(described, args)})"


cdef str joined(list described, tuple args):
    return ", ".join(described) + (", " if described and not args else "")


cdef object raise_no_signature(Function f, tuple args, dict keywords):
    cdef Signature *s
    cdef int i
    cdef Binding b
    cdef list parameters, described
    given = args[1:] if f.is_method else args
    total = len(given) + len(keywords)
    if f.is_method and not (args and rt_is_tensor(<PyObject *>args[0])):
        found = f"'{type(args[0]).__name__}' object" if args else "nothing"
        raise TypeError(f"descriptor '{f.__name__}' for 'torch._C.TensorBase' objects doesn't apply to {found}")
    plausible = []
    lines = []
    for i in range(f.n):
        s = &f.signatures[i]
        parameters = parameters_of(s, f.is_method, f.is_factory)
        matched = []
        error = misfit_of(f.__name__, s, parameters, given, keywords, matched)
        if error is None:
            for p, value, position in matched:
                check_range(s, p, value)
                check_elements(f.__name__, s, p, value, position)
            # Every value fits by itself: the conversion knows what is wrong.
            names = tuple(keywords)
            flat = args + tuple(keywords.values())
            if "out" not in names and bind_signature(s, RT_TUPLE_ITEMS(<void *>flat), len(args), <PyObject *>names if names else NULL,
                                                     PYARG, &b) < 0:
                raise_current()
        required = len([p for p in parameters if (<Parameter>p).default is None])
        if f.n == 1 or required <= total <= len(parameters):
            plausible.append(error)
        lines.append(f" * ({parameters_text(parameters)})")
        reason = mismatch_text(s, parameters, given, keywords)
        if reason:
            lines.append(f"      {reason}")
    if len(plausible) == 1 and plausible[0] is not None:
        raise plausible[0]
    described = [found_kind(a) for a in given] + [f"{k}={found_kind(keywords[k])}" for k in reversed(keywords)]
    raise TypeError(f"{f.__name__}() received an invalid combination of arguments - got ({joined(described, given)}), but expected one of:\n"
                    + "\n".join(lines) + "\n")
