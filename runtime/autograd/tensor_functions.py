"""Functions with derivatives that tests of PyTorch import: a resize that keeps the number of elements, and the views that older code asks for."""

from runtime.autograd.function import Function

__all__ = ["Resize", "maybe_view"]


class Resize(Function):
    """A tensor's elements in another shape."""

    @staticmethod
    def forward(ctx, tensor, sizes):
        """Return a view, or a contiguous copy of what has no such view."""
        ctx.sizes, ctx.input_sizes = sizes, tensor.size()
        count = 1
        for size in sizes:
            count *= size
        if count != tensor.numel():
            raise RuntimeError(
                f"requested resize to {'x'.join(map(str, sizes))} ({count} elements in total), but the given tensor has a size of "
                f"{'x'.join(map(str, tensor.size()))} ({tensor.numel()} elements). autograd's resize can only change the shape of a given "
                "tensor, while preserving the number of elements. "
            )
        if tensor.is_contiguous():
            return tensor.new(tensor).contiguous().view(*sizes)
        return tensor.contiguous().view(*sizes)

    @staticmethod
    def backward(ctx, grad_output):
        """Return the gradient in the shape that the tensor had."""
        return grad_output.contiguous().view(ctx.input_sizes), None


def maybe_view(tensor, size, check_same_size=True):
    """A tensor, as a view of a size if it has another one."""
    return tensor if check_same_size and tensor.size() == size else tensor.contiguous().view(size)
