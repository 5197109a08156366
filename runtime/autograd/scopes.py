"""Decorating with scopes: each call of the function, and each step of a generator, runs inside a scope of its own."""

import contextlib
import functools
import inspect
import sys
import warnings

from runtime import _core


def scoped(make, func):
    """A function that runs inside a scope.

    Parameters
    ----------
    make : callable
        Makes a context manager.
    func : callable
        A function, a generator function, or a class, whose construction runs inside.
    """
    if inspect.isclass(func):
        warnings.warn(
            "Decorating classes is deprecated and will be disabled in future versions. You should only decorate functions or methods. To "
            "preserve the current behavior of class decoration, you can directly decorate the `__init__` method and nothing else.",
            FutureWarning,
            stacklevel=3,
        )
        func = functools.partial(func)
    elif inspect.isgeneratorfunction(func):
        return _scoped_generator(make, func)

    @functools.wraps(func)
    def inside(*args, **kwargs):
        with make():
            return func(*args, **kwargs)

    return inside


def _scoped_generator(make, func):
    @functools.wraps(func)
    def inside(*args, **kwargs):
        generator = func(*args, **kwargs)
        try:
            with make():
                response = generator.send(None)
            while True:
                try:
                    request = yield response
                except GeneratorExit:
                    with make():
                        generator.close()
                    raise
                except BaseException:
                    with make():
                        response = generator.throw(*sys.exc_info())
                else:
                    with make():
                        response = generator.send(request)
        except StopIteration as e:
            return e.value

    return inside


@contextlib.contextmanager
def _unsafe_preserve_version_counter(tensors):
    """For a ``with`` block: writes to a tensor, or to each of a tuple, leave its version as it was."""
    tensors = tensors if isinstance(tensors, tuple) else (tensors,)
    versions = [t._version for t in tensors]
    try:
        yield
    finally:
        _core._unsafe_set_version_counter(tensors, versions)
