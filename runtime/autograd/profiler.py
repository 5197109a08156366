"""Names of PyTorch's profiler that programs leave in their code: nothing is profiled."""

from runtime.autograd.scopes import scoped

__all__ = ["record_function"]


class record_function:
    """For a ``with`` block or a decorated function: a region with a name, for profilers; there is none.

    Parameters
    ----------
    name : str
        The name.
    args : str, optional
        More about the region.
    """

    def __init__(self, name, args=None):
        self.name, self.args = name, args

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def __call__(self, func):
        """Decorate a function."""
        return scoped(lambda: type(self)(self.name, self.args), func)
