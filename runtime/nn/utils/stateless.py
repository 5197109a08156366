"""Calls of a module with other parameters and buffers than its own."""

from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager

__all__ = ["functional_call"]

_ABSENT = object()


def _tensors(module):
    """Dotted names of all parameters and buffers, those of shared ones too."""
    named = dict(module.named_parameters(remove_duplicate=False))
    named.update(module.named_buffers(remove_duplicate=False))
    return named


def _for_tied(module, given):
    """The given tensors under all names of the tensors that they replace."""
    names_of = {}
    for name, tensor in _tensors(module).items():
        names_of.setdefault(tensor, []).append(name)
    result = dict(given)
    for names in names_of.values():
        values = [given[name] for name in names if name in given]
        if any(value is not values[0] for value in values):
            raise ValueError(f"functional_call got multiple values for keys {sorted(names)}, which are tied. Consider using tie_weights=False")
        if values:
            result.update(dict.fromkeys(names, values[0]))
    return result


def _check_names(module, given):
    """Refuse names that the module has not, and miss none that it has."""
    known = _tensors(module)
    errors = []
    for kind, names in ("Unexpected", [n for n in given if n not in known]), ("Missing", [n for n in known if n not in given]):
        if names:
            errors.append(f"{kind} key(s): {', '.join(map(repr, names))}.")
    if errors:
        raise RuntimeError("Error(s) in reparametrizing for {}:\n\t{}".format(module._get_name(), "\n\t".join(errors)))


def _place(module, name):
    """The dict that holds a parameter or buffer, and its name there; other names are ordinary attributes."""
    path, _, last = name.rpartition(".")
    owner = module.get_submodule(path)
    for members in owner._parameters, owner._buffers:
        if last in members:
            return members, last
    return owner.__dict__, last


@contextmanager
def _replaced(module, given, replacements):
    """The module with other tensors; what it puts in their places goes to the given dict."""
    own = []
    try:
        for name, tensor in replacements.items():
            members, last = _place(module, name)
            own.append((name, members, last, members.get(last, _ABSENT)))
            members[last] = tensor
        yield
    finally:
        for name, members, last, tensor in reversed(own):
            assigned = members.pop(last) if tensor is _ABSENT else members[last]
            if tensor is not _ABSENT:
                members[last] = tensor
            if name in given:
                given[name] = assigned


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Call a module with other parameters and buffers.

    Parameters
    ----------
    module : Module
    parameter_and_buffer_dicts : dict or sequence of dict
        Tensors by dotted name; what the call puts in place of them (a buffer that is assigned anew) is written there.
    args : tuple or object, optional
        The arguments, or the only one.
    kwargs : dict, optional
    tie_weights : bool
        Whether a tensor that the module has under several names is replaced under all.
    strict : bool
        Whether the names must be all of the module's.

    Returns
    -------
    object
        What the module returns.

    Examples
    --------
    >>> import runtime
    >>> linear = runtime.nn.Linear(1, 1)
    >>> functional_call(linear, {"weight": runtime.tensor([[2.0]]), "bias": runtime.tensor([1.0])}, runtime.tensor([3.0]))
    tensor([7.])
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        given = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        if not all(isinstance(one, dict) for one in parameter_and_buffer_dicts):
            raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
        counts = Counter(name for one in parameter_and_buffer_dicts for name in one)
        repeated = [name for name, n in counts.items() if n > 1]
        if repeated:
            raise ValueError(f"{repeated} appeared in multiple dictionaries; behavior of functional call is ambiguous")
        given = {name: tensor for one in parameter_and_buffer_dicts for name, tensor in one.items()}
    else:
        raise ValueError(f"Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got {type(parameter_and_buffer_dicts)}")
    replacements = _for_tied(module, given) if tie_weights else given
    if strict:
        _check_names(module, replacements)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given, replacements):
        return module(*args, **(kwargs or {}))
