"""Entries of operator databases: an operator, the dtypes that it takes, and sample inputs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


class SampleInput:
    """One call's arguments.

    Parameters
    ----------
    input : object
        The first argument.
    args : sequence, optional
        Further positional arguments.
    kwargs : dict, optional
        Keyword arguments.
    """

    def __init__(self, input, *, args=(), kwargs=None):
        self.input, self.args, self.kwargs = input, tuple(args), dict(kwargs or {})

    def __repr__(self):
        return f"SampleInput(input={self.input!r}, args={self.args!r}, kwargs={self.kwargs!r})"


@dataclass(eq=False)
class OpInfo:
    """What a test that runs once per operator knows of it.

    Attributes
    ----------
    name : str
        The entry's name.
    op : callable
        The operator.
    sample_inputs_func : callable
        ``function(info, device, dtype, requires_grad, **kwargs)`` gives an iterable of SampleInput.
    dtypes : iterable of dtype
        Dtypes of the sample inputs.
    variant_test_name : str
        Tells entries of one name apart.
    supports_out, supports_autograd, check_batched_grad, check_batched_gradgrad : bool
        What tests may ask of the operator.
    gradcheck_wrapper : callable
        Called with the operator and its arguments where a test checks gradients.
    """

    name: str
    op: Callable
    sample_inputs_func: Callable
    dtypes: Iterable
    variant_test_name: str = ""
    supports_out: bool = True
    supports_autograd: bool = True
    check_batched_grad: bool = True
    check_batched_gradgrad: bool = True
    gradcheck_wrapper: Callable = field(default=lambda op, *args, **kwargs: op(*args, **kwargs))

    def __post_init__(self):
        self.dtypes = frozenset(self.dtypes)

    @property
    def formatted_name(self):
        """The entry's name as a part of test names."""
        variant = f"_{self.variant_test_name}" if self.variant_test_name else ""
        return f"{self.name.replace('.', '_')}{variant}"

    def supported_dtypes(self, device_type):
        """The dtypes of the sample inputs on a device type."""
        return self.dtypes

    def sample_inputs(self, device, dtype, requires_grad=False, **kwargs):
        """Iterate over sample inputs of a dtype on a device."""
        return iter(self.sample_inputs_func(self, device, dtype, requires_grad, **kwargs))

    def __call__(self, *args, **kwargs):
        return self.op(*args, **kwargs)
