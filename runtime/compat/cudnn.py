"""The settings of cuDNN: programs set and read them; there is no cuDNN that would follow them.

The alias module `torch.backends.cudnn` begins with these values and holds what is assigned.
"""

from contextlib import contextmanager

enabled = True
benchmark = False
benchmark_limit = None
deterministic = False
allow_tf32 = True
_SETTINGS = ("enabled", "benchmark", "benchmark_limit", "deterministic", "allow_tf32")


def version():
    """None: there is no cuDNN."""
    return None


def is_acceptable(tensor):
    """False: no tensor is computed by cuDNN."""
    return False


def set_flags(_enabled=None, _benchmark=None, _benchmark_limit=None, _deterministic=None, _allow_tf32=None):
    """Change the settings that are not None.

    Returns
    -------
    tuple
        All settings as they were.
    """
    from runtime.compat.names import resolve

    module = resolve("torch.backends.cudnn")
    before = tuple(getattr(module, name) for name in _SETTINGS)
    for name, value in zip(_SETTINGS, (_enabled, _benchmark, _benchmark_limit, _deterministic, _allow_tf32), strict=True):
        if value is not None:
            setattr(module, name, value)
    return before


@contextmanager
def flags(enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True):
    """For a ``with`` block: other settings."""
    before = set_flags(enabled, benchmark, benchmark_limit, deterministic, allow_tf32)
    try:
        yield
    finally:
        set_flags(*before)
