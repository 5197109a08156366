"""Matrix products with sparse tensors, by SciPy's compressed rows.

A product with a dense matrix is dense, one of two sparse matrices is sparse and coalesced.
"""

import numpy as np

from runtime._core import _sparse_tensor
from runtime.kernels._arrays import new, read
from runtime.kernels._common import scalar_name
from runtime.kernels._sparse import aten, coalesced, coordinates, index_tensor, parts, places, put
from runtime.kernels.sparse_pointwise import into_sparse


def _check_matrix(name, which, tensor):
    if tensor.dim() != 2:
        raise RuntimeError(f"{name}: Expected {which} to be a matrix, but got a tensor of {tensor.dim()} dimensions")
    if tensor.is_sparse and parts(tensor)[2] != 2:
        raise RuntimeError(f"{name}: expected {which} to have 2 sparse dimensions and no dense ones, but it has {parts(tensor)[2]} sparse ones")


def _check_product(name, a, b):
    _check_matrix(name, "mat1", a)
    _check_matrix(name, "mat2", b)
    if a.shape[1] != b.shape[0]:
        raise RuntimeError(f"{name}: mat1 and mat2 shapes cannot be multiplied ({a.shape[0]}x{a.shape[1]} and {b.shape[0]}x{b.shape[1]})")
    if a.dtype != b.dtype:
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {_c_name(a.dtype)} != {_c_name(b.dtype)}")


def _c_name(dtype):
    return {"Float": "float", "Double": "double", "Long": "long long", "Int": "int"}.get(scalar_name(dtype), scalar_name(dtype))


def _rows(tensor):
    """A sparse matrix in SciPy's compressed rows."""
    from scipy.sparse import csr_array

    return _compressed(csr_array, read(parts(tensor)[1]), coordinates(tensor), tuple(tensor.shape))


def _compressed(kind, values, indices, shape):
    places(indices, shape)   # SciPy trusts its indices
    return kind((values, (indices[0], indices[1])), shape=shape)


def _product(a, b):
    """The dense product of two matrices, of which one or both are sparse."""
    left = _rows(a) if a.is_sparse else read(a)
    right = _rows(b) if b.is_sparse else read(b)
    if not a.is_sparse:
        product = np.asarray((right.T @ left.T).T)
    else:
        product = left @ right
    return new(np.ascontiguousarray(product.toarray() if hasattr(product, "toarray") else product), a.dtype)


def mm_sparse(self, mat2):
    _check_product("mm", self, mat2)
    return _sparse_sparse_matmul(self, mat2) if self.is_sparse and mat2.is_sparse else _product(self, mat2)


def _sparse_sparse_matmul(self, other):
    _check_product("_sparse_sparse_matmul", self, other)
    if not self.is_sparse or not other.is_sparse:
        raise RuntimeError("_sparse_sparse_matmul: expected two sparse matrices")
    product = _rows(self) @ _rows(other)
    product.sum_duplicates()
    product = product.tocoo()
    indices = index_tensor(np.stack([product.row, product.col]).astype(np.int64))
    return _sparse_tensor((self.shape[0], other.shape[1]), indices, new(product.data.copy(), self.dtype), True)


def mv_sparse(self, vec):
    if self.dim() != 2 or vec.dim() != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {vec.dim()}, {self.dim()}, {vec.dim()}")
    if self.shape[1] != vec.shape[0]:
        raise RuntimeError(f"mv: expected self.size(-1) == vec.size(-1): {self.shape[1]} and {vec.shape[0]}")
    return aten.squeeze.dim(mm_sparse(self, aten.unsqueeze.default(vec, 1)), 1)


def _combined(self, product, beta, alpha):
    """beta * self + alpha * product, where a factor of 0 leaves out what it stands before."""
    scaled = product if alpha == 1 else aten.mul.Scalar(product, alpha)
    if beta == 0:
        return scaled
    return aten.add.Tensor(scaled, self if beta == 1 else aten.mul.Scalar(self, beta))


def addmm_sparse(self, mat1, mat2, *, beta=1, alpha=1):
    _check_product("addmm", mat1, mat2)
    if self.is_sparse or not mat1.is_sparse or mat2.is_sparse:
        raise RuntimeError("addmm: sparse products are added for a dense matrix, a sparse one and a dense one, but got "
                           f"self {self.layout}, mat1 {mat1.layout} and mat2 {mat2.layout}")
    if self.dtype != mat1.dtype:
        raise RuntimeError(f"addmm: expected self and mat1 to have the same dtype, but got {self.dtype} and {mat1.dtype}")
    return _combined(aten.expand.default(self, (mat1.shape[0], mat2.shape[1])), _product(mat1, mat2), beta, alpha)


def addmm__sparse(self, mat1, mat2, *, beta=1, alpha=1):
    if tuple(self.shape) != (mat1.shape[0], mat2.shape[-1]):
        raise RuntimeError(f"addmm_: a product of size {[mat1.shape[0], mat2.shape[-1]]} does not fit a tensor of size {list(self.shape)}")
    return aten.copy_.default(self, addmm_sparse(self, mat1, mat2, beta=beta, alpha=alpha))


def _sparse_addmm(self, mat1, mat2, *, beta=1, alpha=1):
    return aten.addmm.default(self, mat1, mat2, beta=beta, alpha=alpha)


def _sparse_mm(sparse, dense):
    if sparse.is_sparse and dense.is_sparse:
        return aten._sparse_sparse_matmul.default(sparse, dense)
    zeros = aten.zeros.default((sparse.shape[0], dense.shape[-1]), dtype=sparse.dtype)
    if sparse.is_sparse:
        return aten._sparse_addmm.default(zeros, sparse, dense, beta=0, alpha=1)
    turned = aten._sparse_addmm.default(aten.t.default(zeros), aten.t.default(dense), aten.t.default(sparse), beta=0, alpha=1)
    return aten.t.default(turned)


def smm(self, mat2):
    return aten.sspaddmm.default(aten.zeros.default((self.shape[0], mat2.shape[1]), dtype=mat2.dtype, layout=self.layout), self, mat2, beta=0)


def sspaddmm(self, mat1, mat2, *, beta=1, alpha=1):
    out = aten.zeros.default((0, 0), dtype=self.dtype, layout=self.layout)
    return aten.sspaddmm.out(self, mat1, mat2, beta=beta, alpha=alpha, out=out)


def sspaddmm_out(self, mat1, mat2, *, beta=1, alpha=1, out):
    for name, tensor, wanted in ("self", self, True), ("mat1", mat1, True), ("mat2", mat2, False), ("out", out, True):
        if tensor.is_sparse != wanted:
            expected, found = ("sparse", "Strided") if wanted else ("strided", "Sparse")
            raise RuntimeError(f"sspaddmm: expected '{name}' to have {expected} layout, got '{name}' with layout {found}")
    _check_product("sspaddmm", mat1, mat2)
    _check_matrix("sspaddmm", "self", self)
    made = _combined(self, aten._to_sparse.default(_product(mat1, mat2)), beta, alpha)
    return put(out, _sparse_tensor(made.shape, *parts(made)[:2]))


def hspmm(mat1, mat2):
    if not mat1.is_sparse or mat2.is_sparse:
        raise RuntimeError("hspmm: expected a sparse matrix and a dense one")
    _check_product("hspmm", mat1, mat2)
    used = np.unique(coordinates(coalesced(mat1))[0])
    product = aten.index_select.default(_product(mat1, mat2), 0, index_tensor(used))
    return _sparse_tensor((mat1.shape[0], mat2.shape[1]), index_tensor(used[None]), product)


def hspmm_out(mat1, mat2, *, out):
    return into_sparse(out, hspmm(mat1, mat2), "hspmm")


def bmm_sparse(self, mat2):
    if self.dim() != 3 or mat2.dim() != 3:
        raise RuntimeError(f"bmm: expected tensors of 3 dimensions, but got {self.dim()} and {mat2.dim()}")
    if not self.is_sparse or mat2.is_sparse or parts(self)[2] != 3:
        raise RuntimeError("bmm: expected self to be sparse, without dense dimensions, and mat2 to be dense")
    batch, rows, inner = self.shape
    if mat2.shape[0] != batch or mat2.shape[1] != inner:
        raise RuntimeError(
            f"bmm: Argument #1: Expected dim 0 to be {mat2.shape[0]} and dim 2 to be {mat2.shape[1]}, but got {list(self.shape)}"
        )
    if self.dtype != mat2.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(self.dtype)} but found {scalar_name(mat2.dtype)}")
    from scipy.sparse import csr_array

    # One matrix with the batches along its diagonal.
    at = coordinates(self)
    places(at, self.shape)
    wide = csr_array((read(parts(self)[1]), (at[0] * rows + at[1], at[0] * inner + at[2])), shape=(batch * rows, batch * inner))
    product = wide @ read(mat2).reshape(batch * inner, mat2.shape[2])
    return new(np.ascontiguousarray(product).reshape(batch, rows, mat2.shape[2]), self.dtype)
