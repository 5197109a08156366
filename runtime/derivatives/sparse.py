"""Gradients of what makes sparse tensors and takes them apart.

The gradient of a sparse tensor's values is that of the tensor at their coordinates; what the tensor does not hold has none.
"""

from runtime import ops

aten = ops.aten


def values_gradient(grad, result):
    """The gradient of the values of which a sparse tensor was made."""
    return aten._values.default(aten.sparse_mask.default(grad, aten.detach.default(result)))


def at_coordinates(grad, tensor):
    """The gradient of a coalesced tensor, of that of its values."""
    return aten._sparse_coo_tensor_unsafe.default(aten.indices.default(tensor), grad, tensor.shape, is_coalesced=True)


def sparse_product_gradient(left, right, like):
    """The gradient of a factor of a product of two sparse matrices: a product of two such, at the factor's coordinates."""
    return aten.sparse_mask.default(aten._sparse_sparse_matmul.default(left, right), aten.coalesce.default(aten.detach.default(like)))


def with_layout(grad, layout):
    """A gradient in the layout of what it is for."""
    return aten.to_dense.default(grad) if str(layout) == "torch.strided" else grad


def unmasked(grad, mask, layout):
    """The gradient of what a mask was laid on: coordinates that the mask has several times count several times."""
    if str(layout) == "torch.strided":
        return aten.to_dense.default(grad)
    return aten.coalesce.default(aten.sparse_mask.default(grad, mask))


def sparse_factor_gradient(grad, mat1, mat2, alpha):
    """The gradient of the sparse factor of a product, at its coordinates; a dense factor has a dense one."""
    product = grad.mm(mat2.conj().t())
    if alpha != 1:
        product = product * (alpha.conjugate() if isinstance(alpha, complex) else alpha)
    return aten.sparse_mask.default(product, aten.coalesce.default(aten.detach.default(mat1))) if mat1.is_sparse else product
