"""Linear algebra: the operators of the `linalg` module, by their names there."""

from runtime import _core

_functions = _core.functions_of("linalg")
globals().update(_functions)
__all__ = sorted(_functions)


def __getattr__(name):
    if name == "LinAlgError":  # imported late: its module needs SciPy's neighbours only when matrices are factored
        from runtime.kernels._lapack import LinAlgError

        return LinAlgError
    raise AttributeError(f"module 'runtime.linalg' has no attribute '{name}'")
