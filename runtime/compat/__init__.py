"""The door for code that says `torch`.

One declarative table (`table.py`) maps PyTorch's dotted names to ours. `install()` makes ``import torch`` find it; without it,
``import runtime as torch`` reaches the same names through attribute access. Names of systems that are not built yet are *pending*: they
can be imported, and raise NotImplementedError when used. Unknown names raise AttributeError.
"""

import sys

from runtime import _core
from runtime.compat.names import AliasModule, Finder, is_module, state
from runtime.compat.names import resolve as resolve

_ROOTS = ("torch", "functorch", "torchgen")
_finder = None


def install():
    """Let ``import torch``, ``import functorch`` and ``import torchgen`` (and their submodules) find this runtime.

    From then on PyTorch's rule for foreign arrays holds: a NumPy array is no Tensor argument.

    Raises
    ------
    RuntimeError
        If the real torch is imported already: it would be shadowed in part.
    """
    global _finder
    if _finder is not None:
        return
    for root in _ROOTS:
        module = sys.modules.get(root)
        if module is not None and not isinstance(module, AliasModule):
            raise RuntimeError(f"runtime.compat.install(): {root} is imported already, from {getattr(module, '__file__', '?')}; it would be shadowed")
    _finder = Finder(_ROOTS)
    sys.meta_path.insert(0, _finder)
    _core._set_strict_arrays(True)


def uninstall():
    """Undo `install()`: remove the alias modules and accept foreign arrays again."""
    global _finder
    if _finder is None:
        return
    sys.meta_path.remove(_finder)
    _finder = None
    for name in [n for n, m in sys.modules.items() if isinstance(m, AliasModule)]:
        del sys.modules[name]
    _core._set_strict_arrays(False)


__all__ = ["install", "is_module", "resolve", "state", "uninstall"]
