"""What the tags ``inplace`` and ``out`` promise of a schema; `Library.define` holds definitions against it."""

from runtime.schema import FunctionSchema, parse_schema


def _parsed(schema):
    return schema if isinstance(schema, FunctionSchema) else parse_schema(schema)


def _is_tensor(typed):
    return str(typed.type) == "Tensor"


def _alias_fault(returned, written):
    """Why a return is not the written argument: "missing", "read" or "other"; None where it is."""
    if returned.alias_info is None:
        return "missing"
    if not returned.alias_info.is_write:
        return "read"
    return "other" if returned.alias_info.before_set != written.alias_info.before_set else None


def check_inplace(schema):
    """Check that a schema writes its first argument, a tensor, and nothing else, and returns it.

    Parameters
    ----------
    schema : FunctionSchema or str
        The schema, or its text.

    Raises
    ------
    ValueError
        If it does something else.
    """
    schema = _parsed(schema)

    def refuse(what):
        raise ValueError(f"Schema tagged with torch.Tag.inplace {what}. Got: {schema}")

    if not schema.arguments or schema.arguments[0].kwarg_only:
        refuse("must have at least one positional argument")
    first, *others = schema.arguments
    if not first.is_write:
        refuse("requires the first positional argument to be mutable (e.g., Tensor(a!))")
    if not _is_tensor(first):
        refuse(f"requires the first positional argument to be a Tensor. Got type '{first.type}' for arg '{first.name}'")
    if len(schema.returns) != 1:
        refuse(f"must return exactly one value (the first argument). Got {len(schema.returns)} returns")
    (returned,) = schema.returns
    reasons = {"missing": "return must alias the first argument", "read": "return must be a mutable alias, e.g., Tensor(a!)"}
    fault = _alias_fault(returned, first)
    if not _is_tensor(returned):
        fault = "type"
        reasons["type"] = f"return must be a Tensor, got type '{returned.type}'"
    elif fault == "other":
        reasons["other"] = f"return aliases {returned.alias_info.before_set} but first arg aliases {first.alias_info.before_set}"
    if fault:
        refuse(f"must return the first mutable argument ({reasons[fault]})")
    written = [a.name for a in others if a.is_write]
    if written:
        refuse(f"must only mutate the first positional argument. Found additional mutable args: {written}")


def check_out(schema):
    """Check that a schema writes keyword-only tensors and returns all of them in their order.

    Parameters
    ----------
    schema : FunctionSchema or str
        The schema, or its text.

    Raises
    ------
    ValueError
        If it does something else.
    """
    schema = _parsed(schema)

    def refuse(what):
        raise ValueError(f"{what}. Got: {schema}")

    start = "Schema tagged with torch.Tag.out"
    written = [a for a in schema.arguments if a.is_write]
    if not written:
        refuse(f"{start} must have at least one mutable argument")
    positional = [a.name for a in written if not a.kwarg_only]
    if positional:
        refuse(f"{start} requires all mutable arguments to be keyword-only (after the *). Found mutable positional args: {positional}")
    unsupported = [a.name for a in written if not _is_tensor(a)]
    if unsupported:
        refuse(f"{start} only supports Tensor mutable arguments. Found unsupported mutable args: {unsupported}")
    if len(schema.returns) != len(written):
        refuse(f"{start} must return all mutable arguments (got {len(written)} mutable args but {len(schema.returns)} returns)")
    for i, (returned, argument) in enumerate(zip(schema.returns, written)):
        fault = _alias_fault(returned, argument)
        which = f"Return {i} of schema tagged with torch.Tag.out must"
        if fault == "missing":
            refuse(f"{which} alias mutable arg '{argument.name}'")
        if fault == "read":
            refuse(f"{which} be a mutable alias (e.g., Tensor(a!), not Tensor(a)) of arg '{argument.name}'")
        if fault == "other":
            sets = f"return aliases {returned.alias_info.before_set} but arg aliases {argument.alias_info.before_set}"
            refuse(f"{which} alias mutable arg '{argument.name}' ({sets})")
