"""`sparse_coo_tensor`: sparse tensors from what Python programs have at hand. It prepares arguments for the operator of the same name."""

from runtime import _core
from runtime._core import functions, ops

__all__ = [
    "sparse_bsc_tensor", "sparse_bsr_tensor", "sparse_compressed_tensor", "sparse_coo_tensor", "sparse_csc_tensor", "sparse_csr_tensor",
]  # fmt: skip

aten = ops.aten


def sparse_coo_tensor(
    indices=None, values=None, size=None, *, dtype=None, device=None, pin_memory=False, requires_grad=False, check_invariants=None,
    is_coalesced=None,
):  # fmt: skip
    """A tensor that holds values at coordinates, and zeros elsewhere.

    Called with a size alone it has no values.

    Parameters
    ----------
    indices : Tensor or array_like
        A row for each sparse dimension, and a column for each value. Values of a coordinate that stands several times are summed.
    values : Tensor or array_like
        Further dimensions than the first are dense ones.
    size : sequence of int, optional
        By default the smallest in which all coordinates lie.
    dtype : dtype, optional
        By default that of the values.
    device : device or str, optional
        The CPU.
    pin_memory : bool
        False.
    requires_grad : bool
    check_invariants : bool, optional
        Whether to check that the coordinates lie inside the size; by default as `runtime.sparse.check_sparse_tensor_invariants` says.
        Operators check it where they follow the coordinates.
    is_coalesced : bool, optional
        Whether the coordinates are sorted and distinct.

    Returns
    -------
    Tensor
        Of layout `sparse_coo`.
    """
    if values is None:
        if size is None:
            indices, size = None, indices
        if indices is not None or size is None:
            raise TypeError("sparse_coo_tensor() takes indices and values, or a size alone")
        made = functions["sparse_coo_tensor"](tuple(size), dtype=dtype, device=device, pin_memory=pin_memory)
        return made.requires_grad_() if requires_grad else made
    if not isinstance(indices, _core.Tensor):
        indices = _core.tensor(indices)
    if not isinstance(values, _core.Tensor):
        values = _core.tensor(values, dtype=dtype)
    if indices.dtype != _core.dtype_names["int64"]:
        indices = indices.to(_core.dtype_names["int64"])
    if requires_grad:
        values = values.detach()   # the tensor is a leaf
    size = () if size is None else (tuple(size),)
    options = {"dtype": dtype, "device": device, "pin_memory": pin_memory, "is_coalesced": is_coalesced}
    if check_invariants is None:
        made = functions["sparse_coo_tensor"](indices, values, *size, **options)
    else:
        from runtime.sparse.invariants import check_sparse_tensor_invariants

        with check_sparse_tensor_invariants(check_invariants):
            made = functions["sparse_coo_tensor"](indices, values, *size, **options)
    return made.requires_grad_() if requires_grad else made


def _absent(name, layout):
    def make(*args, **kwargs):
        raise NotImplementedError(f"{name}: there are no tensors of layout {layout} here; use sparse_coo_tensor, or to_sparse()")

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Raises NotImplementedError: there are no tensors of layout {layout}."
    return make


sparse_csr_tensor = _absent("sparse_csr_tensor", "torch.sparse_csr")
sparse_csc_tensor = _absent("sparse_csc_tensor", "torch.sparse_csc")
sparse_bsr_tensor = _absent("sparse_bsr_tensor", "torch.sparse_bsr")
sparse_bsc_tensor = _absent("sparse_bsc_tensor", "torch.sparse_bsc")
sparse_compressed_tensor = _absent("sparse_compressed_tensor", "torch.sparse_csr, sparse_csc, sparse_bsr or sparse_bsc")
