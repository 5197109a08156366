"""Named tuples for operators with several named returns, such as `max(values, indices)`.

The extension module asks for one type per operator at its first call and keeps it.
"""

from operator import itemgetter

from runtime._core import ops
from runtime.pytree import register_return_type

_made = {}


def make_return_type(name, fields):
    """The tuple type of an operator's returns.

    Parameters
    ----------
    name : str
        The operator's name.
    fields : sequence of str
        The names of its returns.

    Returns
    -------
    type
        A tuple subclass that is made from one iterable, with the fields as attributes, printed as PyTorch prints it.
    """
    key = name, tuple(fields)
    if key in _made:
        return _made[key]

    def __repr__(self):
        inner = ",\n".join(f"{field}={value!r}" for field, value in zip(fields, self, strict=True))
        return f"torch.return_types.{name}(\n{inner})"

    def __reduce__(self):
        return type(self), (tuple(self),)

    namespace = {field: property(itemgetter(i)) for i, field in enumerate(fields)}
    namespace.update(
        __slots__=(), __repr__=__repr__, __reduce__=__reduce__, __module__="runtime.return_types",
        n_fields=len(fields), n_sequence_fields=len(fields), n_unnamed_fields=0,
    )  # fmt: skip
    made = _made[key] = type(name, (tuple,), namespace)
    register_return_type(made)
    return made


def from_file(name):
    """What makes a named result for a file of PyTorch's, which gives its items and a dict of items that have no place in the tuple."""
    kind = __getattr__(name)

    def made(items, hidden=None):
        return kind(items)

    return made


def __getattr__(name):
    for (made, _), kind in _made.items():
        if made == name:
            return kind
    base = name.removesuffix("_out")
    packet = None if base.startswith("__") else getattr(ops.aten, base, None)
    for overload in packet.overloads() if packet is not None else ():
        fields = [returned.name for returned in getattr(packet, overload)._schema.returns]
        if len(fields) > 1 and all(fields):
            return make_return_type(name, fields)
    raise AttributeError(f"no operator '{name}' returns a named result")
