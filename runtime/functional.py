"""Functions of the package's namespace that are no operators: they prepare arguments for operators."""

from runtime._core import ops
from runtime._distances import cdist

__all__ = ["cdist", "chain_matmul", "einsum", "tensordot"]

aten = ops.aten


def einsum(*args):
    """Sum products of elements over the dimensions that an equation names (Einstein's convention).

    Parameters
    ----------
    *args
        ``einsum("ij,jk->ik", a, b)``, or operands each followed by a list of the numbers of its dimensions, and maybe the result's:
        ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    Returns
    -------
    Tensor
    """
    if len(args) < 2:
        raise ValueError("einsum(): must specify the equation string and at least one operand, or at least one operand and its subscripts list")
    equation, operands = args[0], args[1:]
    if not isinstance(equation, str):
        equation, operands = _equation_of_lists(args)
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        return einsum(equation, *operands[0])
    return aten.einsum.default(equation, list(operands))


def _equation_of_lists(args):
    def letters(labels):
        text = ""
        for n in labels:
            if n is Ellipsis:
                text += "..."
            elif 0 <= n < 26:
                text += chr(ord("A") + n)
            elif n < 52:
                text += chr(ord("a") + n - 26)
            else:
                raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
        return text

    equation = ",".join(letters(labels) for labels in args[1::2])
    if len(args) % 2:
        equation = ",".join(letters(labels) for labels in args[1:-1:2]) + "->" + letters(args[-1])
        return equation, args[:-1:2]
    return equation, args[::2]


def tensordot(a, b, dims=2, out=None):
    """Sum products over pairs of dimensions of two tensors.

    Parameters
    ----------
    a, b : Tensor
    dims : int, pair of lists of int, or Tensor
        How many of the last dimensions of `a` go with as many first ones of `b`; or which of each.
    out : Tensor, optional

    Returns
    -------
    Tensor
        Of the dimensions of `a` that are left, then those of `b`.
    """
    from runtime._core import Tensor

    if not isinstance(dims, (tuple, list, Tensor, int)):
        raise RuntimeError(
            f"tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] containing two lists, but got dims={dims}"
        )
    if isinstance(dims, Tensor):
        if dims.numel() > 1:
            first, second = (list(map(int, part)) for part in dims.tolist())
        else:
            dims = int(dims.item())
    if isinstance(dims, (tuple, list)):
        first, second = dims
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        first, second = list(range(-dims, 0)), list(range(dims))
    first, second = ([d] if isinstance(d, int) else list(d) for d in (first, second))
    if out is None:
        return aten.tensordot.default(a, b, first, second)
    return aten.tensordot.out(a, b, first, second, out=out)


def chain_matmul(*matrices, out=None):
    """The product of matrices, in the order of the fewest multiplications; see `linalg.multi_dot`."""
    return aten.chain_matmul.default(list(matrices)) if out is None else aten.chain_matmul.out(list(matrices), out=out)
