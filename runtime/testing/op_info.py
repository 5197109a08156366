"""Entries of operator databases: an operator, the dtypes that it takes, and sample inputs; `runtime.testing.op_db` is the largest."""

from functools import cached_property, partial
from operator import attrgetter

import runtime
from runtime._core import Tensor
from runtime.pytree import tree_map
from runtime.testing.creation import make_tensor

#: Kinds of dtypes, by the letters that tables of operators write.
KINDS = {
    "b": ("bool",),
    "i": ("uint8", "int8", "int16", "int32", "int64"),
    "h": ("float16", "bfloat16"),
    "f": ("float32", "float64"),
    "c": ("complex64", "complex128"),
}


class SampleInput:
    """The arguments of one call.

    Parameters
    ----------
    input : object
        The first argument: a tensor or a list of tensors.
    *var_args, **var_kwargs
        The others; or `args` and `kwargs` as a tuple and a dict, but not both ways at once.
    output_process_fn_grad : callable, optional
        What of the result derivatives are taken of; all by default.
    broadcasts_input : bool, optional
        Whether the result is larger than the input, so that the in-place variant does not work.
    name : str, optional
    """

    __slots__ = ["args", "broadcasts_input", "input", "kwargs", "name", "output_process_fn_grad"]

    def __init__(
        self, input, *var_args, args=None, kwargs=None, output_process_fn_grad=None, broadcasts_input=None, name=None, **var_kwargs
    ):
        if (args is not None or kwargs is not None) and (var_args or var_kwargs):
            raise AssertionError("a SampleInput takes either *args and **kwargs or the arguments 'args' and 'kwargs', not both")
        self.input = input
        self.args = var_args if args is None else args
        self.kwargs = var_kwargs if kwargs is None else kwargs
        self.output_process_fn_grad = output_process_fn_grad or (lambda result: result)
        self.broadcasts_input = bool(broadcasts_input)
        self.name = name or ""

    def __repr__(self):
        given = f"input={self.input}, args={self.args}, kwargs={self.kwargs}"
        return f"SampleInput({given}, broadcasts_input={self.broadcasts_input}, name={self.name!r})"

    def summary(self):
        """As `repr`, with tensors by dtype and shape."""
        from runtime.tools.naming import shape_text

        def text(value):
            return str(tree_map(lambda leaf: shape_text(leaf) if isinstance(leaf, Tensor) else leaf, value))

        return f"SampleInput(input={text(self.input)}, args={text(self.args)}, kwargs={text(self.kwargs)})"

    def transform(self, f):
        """The same sample with a function of each tensor and dtype in its place."""

        def change(leaf):
            return f(leaf) if isinstance(leaf, (Tensor, runtime.dtype)) else leaf

        return SampleInput(
            tree_map(change, self.input),
            args=tree_map(change, self.args),
            kwargs=tree_map(change, self.kwargs),
            output_process_fn_grad=self.output_process_fn_grad,
            broadcasts_input=self.broadcasts_input,
            name=self.name + "_transformed",
        )

    def noncontiguous(self):
        """The same sample with gaps between the elements of its tensors."""

        def spread(leaf):
            if not isinstance(leaf, Tensor) or leaf.numel() < 2:
                return leaf
            return runtime.stack([leaf, leaf], -1)[..., 0]

        return self.transform(spread)

    def numpy(self):
        """The input, the arguments and the keyword arguments with NumPy arrays for tensors."""
        sample = self.transform(lambda leaf: leaf.numpy() if isinstance(leaf, Tensor) else leaf)
        return sample.input, sample.args, sample.kwargs


def dtypes_of(kinds):
    """The dtypes of kinds: ``"bf"`` are bool and the floats of single and double precision."""
    return [getattr(runtime, name) for kind in kinds for name in KINDS[kind]]


class Maker:
    """Makes the tensors of sample inputs: of one dtype and device, with values between two limits.

    Parameters
    ----------
    device : str or device
    dtype : dtype
    requires_grad : bool
    low, high : number, optional
    """

    def __init__(self, device, dtype, requires_grad, low=None, high=None):
        self.device, self.dtype = device, dtype
        ranged = not dtype.is_complex and dtype is not runtime.bool
        limits = {name: value for name, value in (("low", low), ("high", high)) if value is not None and ranged}
        if not (dtype.is_floating_point or dtype.is_complex) and high is not None and high < 3:
            limits = {}  # there would be too few integers between the limits
        self._make = partial(make_tensor, dtype=dtype, device=device, requires_grad=requires_grad, **limits)

    def __call__(self, *shape, **options):
        """A tensor of a shape; options as for `make_tensor`."""
        if self.dtype is runtime.bool or self.dtype.is_complex:
            options.pop("low", None)
            options.pop("high", None)
        return self._make(shape, **options)

    def indices(self, n, *shape):
        """Indices below a number."""
        return make_tensor(shape, dtype=runtime.int64, device=self.device, low=0, high=n)

    def mask(self, *shape):
        """Booleans."""
        return make_tensor(shape, dtype=runtime.bool, device=self.device)

    def number(self, value=2):
        """A number that the dtype has."""
        return bool(value) if self.dtype is runtime.bool else value


class OpInfo:
    """What a test that runs once per operator knows of it.

    Parameters
    ----------
    name : str
        The entry's name; below `runtime` the operator's: ``"add"``, ``"nn.functional.relu"``, ``"__radd__"`` for a method.
    op : callable or None
        The operator; None for the one that the name says.
    sample_inputs_func : callable
        ``function(info, device, dtype, requires_grad, **kwargs)`` gives an iterable of SampleInput.
    dtypes : iterable of dtype
        The dtypes that it takes.
    variant_test_name : str
        Tells entries of one operator apart.
    supports_out : bool, optional
        Whether it writes to ``out``; by default whether it has such an overload.
    supports_autograd, check_batched_grad, check_batched_gradgrad : bool
        Whether results have derivatives, and tests may ask for those of batches.
    gradcheck_wrapper : callable, optional
        Called with the operator and its arguments where a test checks gradients.
    """

    def __init__(
        self,
        name,
        op,
        sample_inputs_func,
        dtypes,
        *,
        variant_test_name="",
        supports_out=None,
        supports_autograd=True,
        check_batched_grad=True,
        check_batched_gradgrad=True,
        gradcheck_wrapper=None,
    ):
        self.name, self.variant_test_name = name, variant_test_name
        self.sample_inputs_func, self.dtypes = sample_inputs_func, frozenset(dtypes)
        self.supports_autograd, self.check_batched_grad, self.check_batched_gradgrad = supports_autograd, check_batched_grad, check_batched_gradgrad
        self.gradcheck_wrapper = gradcheck_wrapper or (lambda op, *args, **kwargs: op(*args, **kwargs))
        self.aliases, self.decorators, self.skips = (), (), ()
        self._supports_out = supports_out
        if op is not None:
            self.op = op

    @cached_property
    def op(self):
        """The function, or for a name like ``__radd__`` the method."""
        return attrgetter(self.name)(Tensor if self.name.startswith("__") else runtime)

    @property
    def aten_name(self):
        """The operator's name in `ops.aten`."""
        return self.name.rpartition(".")[2] if not self.name.startswith(("linalg.", "special.", "fft.")) else self.name.replace(".", "_")

    @property
    def method_variant(self):
        """The Tensor method of that name, or None."""
        found = getattr(Tensor, self.name, None) if "." not in self.name else None
        return found if callable(found) else None

    @property
    def inplace_variant(self):
        """The Tensor method that works in place, or None."""
        return getattr(Tensor, self.name + "_", None) if "." not in self.name and not self.name.startswith("__") else None

    @property
    def supports_out(self):
        """Whether the operator writes to ``out``."""
        if self._supports_out is not None:
            return self._supports_out
        packet = getattr(runtime.ops.aten, self.aten_name, None)
        return packet is not None and any(overload.endswith("out") for overload in packet.overloads())

    @property
    def full_name(self):
        """The name with the variant's behind a point."""
        return f"{self.name}.{self.variant_test_name}" if self.variant_test_name else self.name

    @property
    def formatted_name(self):
        """The full name as a part of a test's name."""
        return self.full_name.replace(".", "_")

    def __call__(self, *args, **kwargs):
        return self.op(*args, **kwargs)

    def __repr__(self):
        return f"<OpInfo {self.full_name}>"

    def get_op(self):
        """The function."""
        return self.op

    def get_method(self):
        """The Tensor method, or None."""
        return self.method_variant

    def get_inplace(self):
        """The Tensor method that works in place, or None."""
        return self.inplace_variant

    def get_decorators(self, test_class, test_name, device, dtype, param_kwargs):
        """Decorators for a test of this entry; none."""
        return []

    def supported_dtypes(self, device_type):
        """The dtypes that it takes."""
        return set(self.dtypes)

    def supports_dtype(self, dtype, device_type):
        """Whether it takes a dtype."""
        return dtype in self.dtypes

    def supported_backward_dtypes(self, device_type):
        """The dtypes that it has derivatives of."""
        return {dtype for dtype in self.dtypes if dtype.is_floating_point or dtype.is_complex} if self.supports_autograd else set()

    def sample_inputs(self, device, dtype, requires_grad=False, **kwargs):
        """Sample inputs, one after the other.

        Parameters
        ----------
        device : str or device
        dtype : dtype
            The dtype of the tensors that the operator computes with; indices and masks have their own.
        requires_grad : bool
            Whether those tensors require gradients.

        Yields
        ------
        SampleInput
        """
        yield from self.sample_inputs_func(self, device, dtype, requires_grad, **kwargs)

    reference_inputs = sample_inputs

    def error_inputs(self, device, **kwargs):
        """Calls that raise; none."""
        return iter(())
