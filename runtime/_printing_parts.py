"""The parts of printing under the names, and with the arguments, that they have in PyTorch's `torch._tensor_str`; `_printing` does the work."""

import runtime
from runtime import _printing

__all__ = ["get_summarized_data"]


class _Formatter:
    """One format for the elements of a real tensor, chosen from their values.

    Parameters
    ----------
    tensor : Tensor
    """

    def __init__(self, tensor):
        self.floating_dtype = tensor.dtype.is_floating_point
        self._format = _printing.NumberFormat(tensor.flatten().tolist(), self.floating_dtype)
        self.sci_mode = self.floating_dtype and "e" in self._format.spec
        self.int_mode = not self.floating_dtype or self._format.integral

    def width(self):
        """The columns that each element takes."""
        return self._format.width

    def format(self, value):
        """The text of a number."""
        return self._format(value)


def _scalar_str(tensor, formatter1, formatter2=None):
    """The text of a tensor of one element; complex ones need a format for each part."""
    value = tensor.item()
    if formatter2 is None:
        return formatter1.format(value)
    imag = (formatter2.format(value.imag) + "j").lstrip()
    return formatter1.format(value.real) + (imag if imag[0] in "+-" else "+" + imag)


def get_summarized_data(tensor):
    """The tensor without the middle of dimensions that are longer than twice `edgeitems`."""
    count = _printing.PRINT_OPTS.edgeitems
    if not count and tensor.dim():
        return tensor.new_empty([0] * tensor.dim())
    for dim, size in enumerate(tensor.shape):
        if size > 2 * count:
            tensor = runtime.cat((tensor.narrow(dim, 0, count), tensor.narrow(dim, size - count, count)), dim)
    return tensor
