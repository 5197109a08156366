"""Layers without initial values."""

import inspect

from runtime.nn.modules.module import Module


def skip_init(module_cls, *args, **kwargs):
    """A layer whose parameters and buffers are empty: what its class draws for them is never computed.

    Parameters
    ----------
    module_cls : type
        A class of modules with an argument `device`.
    *args, **kwargs
        For the class.

    Returns
    -------
    Module
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    device = kwargs.pop("device", "cpu")
    return module_cls(*args, **kwargs, device="meta").to_empty(device=device)
