"""Decorating with scopes: each call of the function, and each step of a generator, runs inside a scope of its own."""

import functools
import inspect
import sys
import warnings


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
