"""Questions about operators and their schemas, as custom operators and their checks ask them."""

from runtime._core import Tag, ops
from runtime.schema import FunctionSchema, parse_schema

_TENSOR = ("Tensor", "Optional[Tensor]")
_TENSOR_LIST = ("List[Tensor]", "List[Optional[Tensor]]", "Optional[List[Tensor]]", "Optional[List[Optional[Tensor]]]")
_LAYOUT_TAGS = ("needs_exact_strides", "needs_contiguous_strides", "needs_fixed_stride_order", "flexible_layout")


def parse_namespace(qualname):
    """Split ``"namespace::name"``.

    Returns
    -------
    tuple of str
        Namespace and name; an overload's name stays with the latter.

    Raises
    ------
    ValueError
        If the text is not of that form.
    """
    parts = qualname.split("::")
    if len(parts) != 2:
        raise ValueError(
            f'Expected `qualname` to be of the form "namespace::name", but got {qualname}. The qualname passed to the torch.library APIs must '
            f"consist of a namespace and a name, e.g. aten::sin"
        )
    return parts[0], parts[1]


def lookup_op(qualname):
    """The OpOverload of ``"namespace::name"`` or ``"namespace::name.overload"``; AttributeError where there is none."""
    namespace, name = parse_namespace(qualname)
    name, _, overload = name.partition(".")
    return getattr(getattr(getattr(ops, namespace), name), overload or "default")


def is_builtin(op):
    """Whether an operator is not a library's own."""
    return op.namespace in ("aten", "prim", "prims")


def is_out(op):
    """Whether an operator is tagged as one that fills keyword-only tensors and returns them."""
    return Tag.out in op.tags


def is_inplace(op):
    """Whether an operator is tagged as one that writes its first argument and returns it."""
    return Tag.inplace in op.tags


def is_tensor_like_type(type_):
    """Whether a schema's type is Tensor or Tensor?."""
    return str(type_) in _TENSOR


def is_tensorlist_like_type(type_):
    """Whether a schema's type is a list of tensors, of which list or elements may be optional."""
    return str(type_) in _TENSOR_LIST


def _involves_tensors(argument):
    return is_tensor_like_type(argument.type) or is_tensorlist_like_type(argument.type)


def has_tensor_arg(schema):
    """Whether some argument is a tensor or a list of them."""
    return any(_involves_tensors(a) for a in schema.arguments)


def has_kwarg_only_args(schema):
    """Whether some argument can be given by keyword only."""
    return any(a.kwarg_only for a in schema.arguments)


def has_kwarg_only_tensors(schema):
    """Whether some tensor can be given by keyword only."""
    return any(a.kwarg_only and _involves_tensors(a) for a in schema.arguments)


def get_device_arg_index(schema):
    """The position of the argument ``Device device``; None where there is none."""
    for index, argument in enumerate(schema.arguments):
        if str(argument.type) == "Device" and argument.name == "device":
            return index
    return None


def mutated_args_kwargs(schema):
    """The written arguments: positions of those that may be given by position, names of the others."""
    written = [(i, a) for i, a in enumerate(schema.arguments) if a.is_write]
    return [i for i, a in written if not a.kwarg_only], [a.name for _, a in written if a.kwarg_only]


def fill_defaults(schema, args, kwargs):
    """A call's arguments with the defaults that it left out: positional ones, keyword-only ones."""
    positional = [a for a in schema.arguments if not a.kwarg_only]
    filled = [*args, *(a.default_value for a in positional[len(args) :])]
    return tuple(filled), {a.name: kwargs.get(a.name, a.default_value) for a in schema.arguments if a.kwarg_only}


def zip_schema(schema, args, kwargs):
    """Iterate over the arguments that a call gives: pairs of the schema's argument and the value."""
    if len(schema.arguments) < len(args) + len(kwargs):
        raise AssertionError(f"schema has {len(schema.arguments)} arguments but got {len(args)} args and {len(kwargs)} kwargs")
    for i, argument in enumerate(schema.arguments):
        if not argument.kwarg_only and i < len(args):
            yield argument, args[i]
        elif argument.name in kwargs:
            yield argument, kwargs[argument.name]


def is_functional_schema(schema, *, allow_valid_view=False):
    """Whether an operator of a schema only computes: it writes no argument, returns something, and returns no view.

    Parameters
    ----------
    schema : FunctionSchema or str
        The schema, or its text.
    allow_valid_view : bool
        Whether a view of the only tensor argument may be the only tensor returned.
    """
    if not isinstance(schema, FunctionSchema):
        schema = parse_schema(str(schema))
    if schema.is_mutable or not schema.returns:
        return False
    if all(r.alias_info is None for r in schema.returns):
        return True
    tensors = [sum(str(x.type) == "Tensor" for x in side) for side in (schema.arguments, schema.returns)]
    return allow_valid_view and tensors == [1, 1]


def mutates_and_returns_first_arg(op):
    """Whether an operator of aten writes its first argument, nothing else, and returns it."""
    schema = op._schema
    if op.namespace != "aten" or len(schema.returns) != 1 or not schema.arguments:
        return False
    first, returned = schema.arguments[0].alias_info, schema.returns[0].alias_info
    if first is None or returned is None or not first.is_write or any(a.alias_info is not None for a in schema.arguments[1:]):
        return False
    return len(first.after_set) == 1 and first.after_set == returned.after_set


def can_generate_trivial_fake_impl(op):
    """Whether the schema alone says what an operator returns for tensors without data: nothing, or what it writes."""
    if is_builtin(op):
        return False
    return is_out(op) or is_inplace(op) or (op._schema.is_mutable and not op._schema.returns)


def generate_trivial_fake_impl(op, *args, **kwargs):
    """What such an operator returns."""
    if is_out(op):
        _, names = mutated_args_kwargs(op._schema)
        return kwargs[names[0]] if len(names) == 1 else tuple(kwargs[name] for name in names)
    return args[0] if is_inplace(op) else None


def get_layout_constraint_tag(op, *, with_default=True):
    """The tag that says which strides an operator's inputs must keep, the strictest where it has several.

    Parameters
    ----------
    op : OpOverload
        The operator.
    with_default : bool
        Whether an operator without such a tag has its kind's default: any layout for built-in ones, exact strides for others.
    """
    tags = op.tags
    for name in _LAYOUT_TAGS:
        if getattr(Tag, name) in tags:
            return getattr(Tag, name)
    if not with_default:
        return None
    return Tag.flexible_layout if is_builtin(op) else Tag.needs_exact_strides
