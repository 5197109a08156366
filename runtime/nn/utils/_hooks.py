"""The hook that a function put on a module for one of its parameters: one of a kind for each parameter, found again to undo it.

`weight_norm` and `spectral_norm` are made so.
"""


def _key_of(hooks, is_it):
    return next((key for key, hook in hooks.items() if is_it(hook)), None)


def check_first(module, kind, name, function):
    """Refuse a second hook of a kind for a parameter.

    Parameters
    ----------
    module : Module
    kind : type
        The class of the hook, whose attribute ``name`` says for which parameter it is.
    name : str
        Of the parameter.
    function : str
        What the function is called.
    """
    if _key_of(module._forward_pre_hooks, lambda hook: isinstance(hook, kind) and hook.name == name) is not None:
        raise RuntimeError(f"Cannot register two {function} hooks on the same parameter {name}")


def undo(module, kind, name, function):
    """Make the parameter what it was and take its hook off; parameters as of `check_first`."""
    key = _key_of(module._forward_pre_hooks, lambda hook: isinstance(hook, kind) and hook.name == name)
    if key is None:
        raise ValueError(f"{function} of '{name}' not found in {module}")
    module._forward_pre_hooks[key].remove(module)
    del module._forward_pre_hooks[key]
