"""`Layer`: modules whose representation shows some of their settings, and helpers for settings of several dimensions.

Layers of one kind differ in their class attribute `function`. The functions of `nn.functional` do not bind to instances as Python's own
functions do, so they stand there as they are (`staticmethod` would ask each for its documentation, which is made from a schema).
"""

from collections.abc import Iterable

import runtime
from runtime.nn import init
from runtime.nn.modules.module import Module
from runtime.nn.parameter import Parameter


class Layer(Module):
    """A module that shows settings in its representation.

    `shown` names them, `bare` says whether only their values are shown, and ``inplace=True`` follows where it holds.
    """

    shown = ()
    bare = False

    def extra_repr(self):
        """The settings that `shown` names."""
        parts = [f"{getattr(self, name)}" if self.bare else f"{name}={getattr(self, name)}" for name in self.shown]
        if getattr(self, "inplace", False):
            parts.append("inplace=True")
        return ", ".join(parts)


def tuple_of(n, value):
    """A setting for each of n dimensions; one number counts for all."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n


def parameter(module, name, shape, device, dtype, exists=True):
    """Register an uninitialized parameter, or None where it does not exist."""
    module.register_parameter(name, Parameter(runtime.empty(shape, device=device, dtype=dtype)) if exists else None)


def fill_like_linear(weight, bias):
    """Initial values of linear layers and convolutions: uniform within 1 / sqrt(the number of inputs of an output)."""
    init.kaiming_uniform_(weight, a=5**0.5)
    if bias is not None:
        fan_in, _ = init._calculate_fan_in_and_fan_out(weight)
        bound = 1 / fan_in**0.5 if fan_in > 0 else 0
        init.uniform_(bias, -bound, bound)


def fill_affine(weight, bias):
    """Initial values of normalizations: weights 1, biases 0."""
    init.ones_(weight)
    if bias is not None:
        init.zeros_(bias)
