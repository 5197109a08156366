"""Functions of sparse tensors, under PyTorch's names: the operators of the module `sparse`, and what prepares arguments for them.

Tensors themselves come from `runtime.sparse_coo_tensor` and `Tensor.to_sparse`.
"""

from runtime._core import format_names, functions_of, ops
from runtime.sparse.gradchecks import as_sparse_gradcheck
from runtime.sparse.invariants import check_sparse_tensor_invariants

__all__ = ["addmm", "as_sparse_gradcheck", "check_sparse_tensor_invariants", "log_softmax", "mm", "softmax", "spdiags", "sum"]

aten = ops.aten

_functions = functions_of("sparse")
mm = _functions["_sparse_mm"]
addmm = _functions["_sparse_addmm"]
softmax = _functions["_sparse_softmax"]
log_softmax = _functions["_sparse_log_softmax"]


def sum(input, dim=None, dtype=None):
    """The sum of a sparse tensor over dimensions; its gradient has the tensor's coordinates.

    Parameters
    ----------
    input : Tensor
        A sparse tensor.
    dim : int or sequence of int, optional
        All dimensions if it is absent.
    dtype : dtype, optional
        The input is converted to it first.

    Returns
    -------
    Tensor
        Sparse, unless all sparse dimensions are summed over.
    """
    options = {} if dtype is None else {"dtype": dtype}
    if dim is None or dim == ():
        return aten._sparse_sum(input, **options)
    return aten._sparse_sum(input, dim, **options)


def spdiags(diagonals, offsets, shape, layout=None):
    """A sparse matrix with some diagonals.

    Parameters
    ----------
    diagonals : Tensor
        A row for each diagonal; element `j` of a row stands in column `j` of the result. One row may be given as a vector.
    offsets : Tensor
        The number of each diagonal: above 0 to the right of the main one. Distinct.
    shape : pair of int
    layout : layout, optional
        `sparse_coo`, the only one there is.

    Returns
    -------
    Tensor
    """
    import runtime

    if layout not in (None, format_names["sparse_coo"]):
        raise RuntimeError(f"Only output layouts (Sparse, SparseCsc, SparseCsr) are supported, got {layout}; there is only torch.sparse_coo here")
    offsets = offsets.reshape(-1)
    diagonals = diagonals.unsqueeze(0) if diagonals.dim() == 1 else diagonals
    if len(shape) != 2:
        raise RuntimeError("Output shape must be 2d")
    if diagonals.dim() != 2:
        raise RuntimeError("Diagonals must be vector or matrix")
    if diagonals.shape[0] != offsets.shape[0]:
        raise RuntimeError(
            f"Number of diagonals ({diagonals.shape[0]}) does not match the number of offsets ({offsets.shape[0]})"
        )
    if offsets.dtype != runtime.int64:
        raise RuntimeError(f"Offset Tensor must have dtype Long but got {offsets.dtype}")
    if len(set(offsets.tolist())) != offsets.shape[0]:
        raise RuntimeError("Offset tensor contains duplicate values")
    columns = runtime.arange(diagonals.shape[1]).expand(diagonals.shape)
    rows = columns - offsets.unsqueeze(1)
    inside = (rows >= 0) & (rows < shape[0]) & (columns < shape[1])
    indices = runtime.stack([rows[inside], columns[inside]])
    return runtime.sparse_coo_tensor(indices, diagonals[inside], shape)
