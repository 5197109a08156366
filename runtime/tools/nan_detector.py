"""`NanDetector`: the operator that makes the first NaN or infinity of numbers that had none, with its inputs and the user's line."""

from runtime import _core
from runtime._core import Tensor, TorchDispatchMode
from runtime.pytree import tree_leaves
from runtime.tools.naming import shape_text, source_line

#: Operators whose results hold whatever the memory held.
_UNINITIALIZED = {"empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided", "resize_", "set_"}


class NanError(RuntimeError):
    """An operator made NaN or infinity of finite numbers."""


class NanDetector(TorchDispatchMode):
    """Raises at the operator of a ``with`` block that makes NaN or infinity, or takes note of it.

    An operator whose inputs had them already only passes them on and is no finding.

    Parameters
    ----------
    check_inf : bool
        Whether infinities count.
    report_only : bool
        Collect the findings in `findings` instead of raising at the first.

    Attributes
    ----------
    findings : list of str

    Examples
    --------
    >>> import runtime
    >>> from runtime.tools import NanDetector
    >>> with NanDetector(report_only=True) as detector:
    ...     y = runtime.tensor([-1.0, 2.0]).log().exp()
    >>> print(detector.findings[0].splitlines()[0])
    aten::log made NaN (1 of 2 elements)
    >>> len(detector.findings)
    1
    """

    def __init__(self, check_inf=True, report_only=False):
        super().__init__()
        self.check_inf = check_inf
        self.report_only = report_only
        self.findings = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if _has_numbers(leaf)]
        # What an operator writes to is gone afterwards, so these look at their inputs, and describe them, before.
        mutable = func._schema.is_mutable
        before = self._inputs_text(inputs) if mutable else None
        result = func(*args, **kwargs)
        if func._overloadpacket.__name__ in _UNINITIALIZED:
            return result
        bad = next((found for leaf in tree_leaves(result) if _has_numbers(leaf) and (found := self._what(leaf))), None)
        if bad is None:
            return result
        text = before if mutable else self._inputs_text(inputs)
        if text is not None:
            self._found("\n".join([f"{func.name()} made {bad}", *text, f"  {source_line()}"]))
        return result

    def _found(self, text):
        self.findings.append(text)
        if not self.report_only:
            raise NanError(text)

    def _inputs_text(self, inputs):
        """A line for each input; None where one has NaN or infinity already."""
        if any(self._what(leaf) for leaf in inputs):
            return None
        return [f"  input {i}: {shape_text(leaf)}{_range(leaf)}" for i, leaf in enumerate(inputs)]

    def _what(self, tensor):
        """What a tensor has that is not finite, as text; None for nothing."""
        for name, test in (("NaN", Tensor.isnan), ("infinity", Tensor.isinf)):
            if name == "NaN" or self.check_inf:
                count = test(tensor).sum().item()
                if count:
                    return f"{name} ({count} of {tensor.numel()} elements)"
        return None


def _has_numbers(leaf):
    return type(leaf) is Tensor and not leaf.is_meta and leaf.numel() > 0 and (leaf.is_floating_point() or leaf.is_complex())


def _range(tensor):
    """The least and the greatest element, of complex ones the absolute values."""
    values = tensor.abs() if tensor.is_complex() else tensor
    values = values.to(_core.dtype_names["float64"])
    finite = values[values.isfinite()]
    if finite.numel() == 0:
        return ""
    return f" in [{finite.min().item():g}, {finite.max().item():g}]" + (" (absolute values)" if tensor.is_complex() else "")
