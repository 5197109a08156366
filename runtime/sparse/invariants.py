"""Whether constructors of sparse tensors look at the indices that they are given. They do not, unless somebody asks for it here.

Kernels that go from indices to memory check them in any case.
"""

from functools import wraps

__all__ = ["check_sparse_tensor_invariants"]

_state = [False]


class check_sparse_tensor_invariants:
    """Let constructors of sparse tensors check what they make: as a context, a decorator, or for good by `enable`.

    Parameters
    ----------
    enable : bool
        False: let them check nothing.

    Examples
    --------
    >>> import runtime
    >>> with runtime.sparse.check_sparse_tensor_invariants():
    ...     runtime.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (2,))
    Traceback (most recent call last):
      ...
    RuntimeError: size is inconsistent with indices: for dim 0, size is 2 but found index 5
    """

    def __init__(self, enable=True):
        self.state = enable
        self.saved = None

    @staticmethod
    def is_enabled():
        """Whether constructors check."""
        return _state[0]

    @staticmethod
    def enable():
        """Let constructors check from now on."""
        _state[0] = True

    @staticmethod
    def disable():
        """Let constructors check nothing from now on."""
        _state[0] = False

    def __enter__(self):
        if self.saved is not None:
            raise RuntimeError("This context manager instance is already activated. Use a different context manager instance for context nesting.")
        self.saved = _state[0]
        _state[0] = self.state

    def __exit__(self, kind, value, traceback):
        _state[0] = self.saved
        self.saved = None

    def __call__(self, function):
        @wraps(function)
        def checked(*args, **kwargs):
            with type(self)(self.state):
                return function(*args, **kwargs)

        return checked
