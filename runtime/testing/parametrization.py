"""One test for each of several arguments: `parametrize`, `subtest`, and making the tests of a class.

A decorator leaves a *source of cases* on the test function; sources stack, and the tests of a class are the product of their cases.
`instantiate_parametrized_tests` makes them for a plain class, `runtime.testing.device_type` for each device.
"""

import functools
from dataclasses import dataclass, field

import runtime
from runtime.testing.comparison import dtype_name


@dataclass(frozen=True)
class Case:
    """One choice of arguments: the part of the test's name, the arguments, and decorators for this case."""

    name: str = ""
    arguments: dict = field(default_factory=dict)
    decorators: tuple = ()


class CaseSource:
    """A decorator that supplies cases; subclasses define ``cases(function, generic, device_type)``."""

    def __call__(self, function):
        function.case_sources = (*getattr(function, "case_sources", ()), self)
        return function

    def cases(self, function, generic, device_type):
        """The cases for a test function of a class, on a device type (None for a class without devices)."""
        raise NotImplementedError


def product_of_cases(function, generic, device_type):
    """All cases of a test: one for each combination, named from the uppermost decorator down."""
    found = [Case()]
    for source in getattr(function, "case_sources", ()):
        merged = []
        for inner in found:
            for outer in source.cases(function, generic, device_type):
                twice = set(inner.arguments) & set(outer.arguments)
                if twice:
                    raise RuntimeError(f'the test "{function.__name__}" is parametrized more than once over {sorted(twice)}')
                name = "_".join(part for part in (outer.name, inner.name) if part)
                merged.append(Case(name, {**inner.arguments, **outer.arguments}, (*inner.decorators, *outer.decorators)))
        found = merged
    return found


class subtest:
    """One case of `parametrize`, with its own name and decorators.

    Parameters
    ----------
    arg_values : object
        The value, or the tuple of values.
    name : str, optional
        The part of the test's name.
    decorators : sequence of callable
        Applied to the test of this case.
    """

    def __init__(self, arg_values, name=None, decorators=()):
        self.arg_values, self.name, self.decorators = arg_values, name, tuple(decorators)


class parametrize(CaseSource):
    """Run a test once for each of some arguments.

    Parameters
    ----------
    arg_str : str
        Names of arguments, separated by commas.
    arg_values : iterable
        Values (tuples of values for several names), or `subtest` objects.
    name_fn : callable, optional
        Makes the part of the test's name from the values.

    Notes
    -----
    The class must be passed to `instantiate_parametrized_tests` or `instantiate_device_type_tests`.
    """

    def __init__(self, arg_str, arg_values, name_fn=None):
        self.names = [name.strip() for name in arg_str.split(",") if name.strip()]
        self.values = list(arg_values)
        self.name_fn = name_fn

    def cases(self, function, generic, device_type):
        """One case for each of the values."""
        if not self.names:
            yield Case()
            return
        if not self.values:
            raise ValueError(f"{function}: An empty arg_values was passed to @parametrize.")
        for index, value in enumerate(self.values):
            name, decorators = None, ()
            if isinstance(value, subtest):
                value, name, decorators = value.arg_values, value.name, value.decorators
            values = [value] if len(self.names) == 1 else list(value)
            if len(values) != len(self.names):
                raise RuntimeError(
                    f'Expected # values == # arg names, but got: {len(values)} values and {len(self.names)} names for test "{function.__name__}"'
                )
            if not name:
                name = self.name_fn(*values) if self.name_fn else "_".join(_part(n, v, index) for n, v in zip(self.names, values))
            yield Case(name, dict(zip(self.names, values)), decorators)


def _part(name, value, index):
    """How a value shows in the name of a test."""
    if isinstance(value, runtime.dtype):
        return dtype_name(value)
    if isinstance(value, runtime.device):
        return str(value)
    if hasattr(value, "formatted_name"):
        return value.formatted_name
    if isinstance(value, (int, float, str)):
        return f"{name}_{str(value).replace('.', '_')}"
    return f"{name}{index}"


def bind(function, name, arguments, decorators):
    """The test of one case: the function with its arguments filled in."""
    for decorator in decorators:
        function = decorator(function)

    @functools.wraps(function)
    def test(self):
        return function(self, **arguments)

    # Test runners look at the signature, which is the wrapper's own.
    del test.__wrapped__
    test.__name__ = name
    return test


def instantiate_parametrized_tests(generic_cls):
    """Replace the parametrized tests of a class by one test for each case; usable as a decorator.

    Parameters
    ----------
    generic_cls : type
        The class.

    Returns
    -------
    type
        The class.
    """
    for name, function in list(vars(generic_cls).items()):
        if not hasattr(function, "case_sources"):
            continue
        delattr(generic_cls, name)
        for case in product_of_cases(function, generic_cls, None):
            full = f"{name}_{case.name}"
            if hasattr(generic_cls, full):
                raise AssertionError(f"Redefinition of test {full}")
            setattr(generic_cls, full, bind(function, full, case.arguments, case.decorators))
    return generic_cls
