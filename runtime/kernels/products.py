"""Products of vectors and matrices that are made of others."""

import functools
import itertools
import math

from runtime._core import DispatchKey, DispatchKeySet, _ExcludeDispatchKeyGuard, _hand_on, ops
from runtime.kernels._common import broadcast, into, scalar_name, wrap_dim
from runtime.kernels._contraction import sum_of_products
from runtime.settings import warn_once

aten = ops.aten

_AUTOCAST = DispatchKeySet([DispatchKey.AutocastCPU, DispatchKey.AutocastCUDA])


def dot_out(self, tensor, *, out):
    return into(out, aten.dot.default(self, tensor))


def _scaled_sum(self, product, beta, alpha):
    """beta * self + alpha * product; `self` is not looked at where beta is 0."""
    if alpha != 1:
        product = aten.mul.Scalar(product, alpha)
    if beta == 0:
        return product
    return aten.add.Tensor(self if beta == 1 else aten.mul.Scalar(self, beta), product)


def _narrow(t):
    return str(t.dtype) in ("torch.bfloat16", "torch.float16")


def addbmm(self, batch1, batch2, *, beta=1, alpha=1):
    if batch1.dim() != 3:
        raise RuntimeError("batch1 must be a 3D tensor")
    if batch2.dim() != 3:
        raise RuntimeError("batch2 must be a 3D tensor")
    if batch1.shape[0] != batch2.shape[0]:
        raise RuntimeError(f"batch1 and batch2 must have same number of batches, got {batch1.shape[0]} and {batch2.shape[0]}")
    if batch1.shape[2] != batch2.shape[1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for bmm ({batch1.shape[1]}x{batch1.shape[2]} and {batch2.shape[1]}x{batch2.shape[2]})"
        )
    n, rows, inner = batch1.shape
    columns = batch2.shape[2]
    self = aten.expand.default(self, [rows, columns])
    if _narrow(batch1) and n > 1:
        # PyTorch rounds the sum after each matrix.
        for i in range(n):
            self = aten.addmm.default(self, aten.select.int(batch1, 0, i), aten.select.int(batch2, 0, i), beta=beta, alpha=alpha)
            beta = 1
        return self
    # The sum over batches is one product of long matrices.
    left = aten.reshape.default(aten.permute.default(batch1, [1, 0, 2]), [rows, n * inner])
    return aten.addmm.default(self, left, aten.reshape.default(batch2, [n * inner, columns]), beta=beta, alpha=alpha)


def _check_vector(t, name, argument):
    if t.dim() != 1:
        raise RuntimeError(f"{name}: Expected 1-D argument {argument}, but got {t.dim()}-D")


def addr(self, vec1, vec2, *, beta=1, alpha=1):
    _check_vector(vec1, "addr", "vec1")
    _check_vector(vec2, "addr", "vec2")
    self = aten.expand.default(self, [vec1.shape[0], vec2.shape[0]])
    for name, number in (("beta", beta), ("alpha", alpha)):
        if isinstance(number, float) and not any(t.dtype.is_floating_point or t.dtype.is_complex for t in (self, vec1, vec2)):
            raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
    if _narrow(self) and self.dtype == vec1.dtype == vec2.dtype:
        # PyTorch rounds the numbers and every step.
        beta, alpha = (aten.scalar_tensor.default(n, dtype=self.dtype, device=self.device) for n in (beta, alpha))
        product = aten.mul.Tensor(aten.unsqueeze.default(aten.mul.Tensor(vec1, alpha), 1), vec2)
        return product if aten.item.default(beta) == 0 else aten.add.Tensor(aten.mul.Tensor(self, beta), product)
    product = aten.mul.Tensor(aten.unsqueeze.default(vec1, 1), vec2)
    if all(str(t.dtype) == "torch.bool" for t in (self, vec1, vec2)):
        product = product if alpha else aten.zeros_like.default(product)
        return aten.logical_or.default(self, product) if beta else product
    result = _scaled_sum(self, product, beta, alpha)
    dtype = functools.reduce(aten.promote_types.default, (t.dtype for t in (self, vec1, vec2)))
    return result if result.dtype == dtype else aten.to.dtype(result, dtype)


def outer(self, vec2):
    _check_vector(self, "outer", "self")
    _check_vector(vec2, "outer", "vec2")
    return aten.mul.Tensor(aten.unsqueeze.default(self, 1), vec2)


def outer_out(self, vec2, *, out):
    _check_vector(self, "outer", "self")
    _check_vector(vec2, "outer", "vec2")
    return aten.mul.out(aten.unsqueeze.default(self, 1), vec2, out=out)


def ger(self, vec2):
    return aten.outer.default(self, vec2)


def inner(self, other):
    if self.dim() == 0 or other.dim() == 0:
        return _hand_on(aten.inner.default, aten.mul.Tensor, self, other)
    if self.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            f"inner() the last dimension must match on both input tensors but got shapes {list(self.shape)} and {list(other.shape)}"
        )
    return _hand_on(aten.inner.default, aten.tensordot.default, self, other, [-1], [-1])


def linalg_vecdot(x, y, *, dim=-1):
    if not all(t.dtype.is_floating_point or t.dtype.is_complex for t in (x, y)):
        odd = x if not (x.dtype.is_floating_point or x.dtype.is_complex) else y
        raise RuntimeError(f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {scalar_name(odd.dtype)}")
    if x.dtype != y.dtype:
        raise RuntimeError(
            "linalg.vecdot: Expected x and y to have the same dtype, but found x of type"
            f" {scalar_name(x.dtype)} and y of type {scalar_name(y.dtype)} instead"
        )
    if x.dim() == 1 and y.dim() == 1:
        wrap_dim(dim, 1)
        return aten.vdot.default(x, y)
    if x.dtype.is_complex:
        x = aten.conj_physical.default(x)
    return aten.sum.dim_IntList(aten.mul.Tensor(x, y), [dim])


def tensordot(self, other, dims_self, dims_other):
    if len(dims_self) != len(dims_other):
        raise RuntimeError("both dimension lists should have same length")
    if self.dtype != other.dtype:
        raise RuntimeError("both inputs should have same dtype")
    mine = [wrap_dim(d, self.dim()) for d in dims_self]
    theirs = [wrap_dim(d, other.dim()) for d in dims_other]
    for i, (a, b) in enumerate(zip(mine, theirs)):
        m, n = self.shape[a], other.shape[b]
        if n == 1:
            self = aten.sum.dim_IntList(self, [a], True, dtype=self.dtype)
        elif m == 1:
            other = aten.sum.dim_IntList(other, [b], True, dtype=other.dtype)
        elif m != n:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {m} in dim {dims_self[i]} and second has size {n} in dim {dims_other[i]}"
            )
    kept = [d for d in range(self.dim()) if d not in mine]
    kept_other = [d for d in range(other.dim()) if d not in theirs]
    shape = [self.shape[d] for d in kept] + [other.shape[d] for d in kept_other]
    if math.prod(shape) == 1:
        left, right = aten.permute.default(self, kept + mine), aten.permute.default(other, theirs + kept_other)
        result = aten.dot.default(aten.reshape.default(left, [left.numel()]), aten.reshape.default(right, [right.numel()]))
        return aten.reshape.default(result, shape) if shape else result
    inner_size = math.prod(self.shape[d] for d in mine)
    left = aten.reshape.default(aten.permute.default(self, kept + mine), [math.prod(self.shape[d] for d in kept), inner_size])
    right = aten.reshape.default(aten.permute.default(other, theirs + kept_other), [inner_size, math.prod(other.shape[d] for d in kept_other)])
    return aten.reshape.default(_hand_on(aten.tensordot.default, aten.mm.default, left, right), shape)


def kron(self, other):
    n = max(self.dim(), other.dim())
    a, b = (1,) * (n - self.dim()) + tuple(self.shape), (1,) * (n - other.dim()) + tuple(other.shape)
    left = aten.reshape.default(self, list(itertools.chain.from_iterable((size, 1) for size in a)))
    right = aten.reshape.default(other, list(itertools.chain.from_iterable((1, size) for size in b)))
    return aten.reshape.default(aten.mul.Tensor(left, right), [i * j for i, j in zip(a, b)])


# ---- cross products


def cross(self, other, dim=None):
    if dim is None:
        dim = next((d for d, size in enumerate(self.shape) if size == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
    return aten.linalg_cross.default(self, other, dim=dim)


def linalg_cross(self, other, *, dim=-1):
    if self.dim() != other.dim():
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    d = wrap_dim(dim, self.dim())
    if self.shape[d] != 3 or other.shape[d] != 3:
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got {self.shape[d]} and {other.shape[d]}")
    if str(self.dtype) == "torch.bool":
        raise NotImplementedError("\"cross\" not implemented for 'Bool'")
    if self.dtype != other.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(self.dtype)} but found {scalar_name(other.dtype)}")
    shape = broadcast(self.shape, other.shape)
    a, b = aten.expand.default(self, shape), aten.expand.default(other, shape)
    # (a1 b2 - a2 b1, a2 b0 - a0 b2, a0 b1 - a1 b0)
    a, b = ([aten.select.int(t, d, i) for i in range(3)] for t in (a, b))
    parts = [aten.sub.Tensor(aten.mul.Tensor(a[i], b[j]), aten.mul.Tensor(a[j], b[i])) for i, j in ((1, 2), (2, 0), (0, 1))]
    return aten.stack.default(parts, d)


# ---- layers


def linear_out(input, weight, bias=None, *, out):
    if bias is None or input.dim() != 2 or weight.dim() != 2:
        return aten.matmul.out(input, aten.t.default(weight), out=out) if bias is None else into(out, aten.linear.default(input, weight, bias))
    return aten.addmm.out(bias, input, aten.t.default(weight), out=out)


def bilinear(input1, input2, weight, bias=None):
    if input1.dim() != input2.dim():
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {input1.dim()} and {input2.dim()}")
    if weight.dim() != 3:
        raise RuntimeError(f"bilinear(): weight must be a 3D tensor, but got {weight.dim()}D")
    for d in range(input1.dim() - 1):
        if input1.shape[d] != input2.shape[d]:
            raise RuntimeError(f"bilinear(): input batch dimensions do not match at dim {d}: got {input1.shape[d]} and {input2.shape[d]}")
    for name, t, size in (("input1", input1, weight.shape[1]), ("input2", input2, weight.shape[2])):
        if t.shape[-1] != size:
            raise RuntimeError(f"bilinear(): {name} size does not match weight size: got {t.shape[-1]} but expected {size}")
    if bias is not None and bias.shape[0] != weight.shape[0]:
        raise RuntimeError(f"bilinear(): bias size does not match weight size: got {bias.shape[0]} but expected {weight.shape[0]}")
    batch = list(input1.shape[:-1])
    one = aten.reshape.default(input1, [-1, input1.shape[-1]] if input1.numel() else [math.prod(batch), input1.shape[-1]])
    two = aten.reshape.default(input2, [-1, input2.shape[-1]] if input2.numel() else [math.prod(batch), input2.shape[-1]])
    result = aten._trilinear.default(one, weight, two, [1, 3], [0], [1, 2], [2, 3])
    result = aten.reshape.default(result, [*batch, weight.shape[0]])
    return result if bias is None else aten.add.Tensor(result, bias)


def _trilinear(i1, i2, i3, expand1, expand2, expand3, sumdim, unroll_dim=1):
    total = i1.dim() + len(expand1)
    if not 0 <= unroll_dim < total:
        raise RuntimeError(f"unroll_dim must be in [0,{total - 1}]")
    inputs = []
    for t, dims in ((i1, expand1), (i2, expand2), (i3, expand3)):
        for d in dims:
            t = aten.unsqueeze.default(t, d)
        inputs.append(t)
    one, two, three = inputs
    # What the third does not have is summed with the first pair already.
    early = [d for d in sumdim if three.shape[d] == 1]
    late = [d for d in sumdim if d not in early]
    # Autocast does not mean it: PyTorch multiplies and sums element by element, where we call matrix products.
    with _ExcludeDispatchKeyGuard(_AUTOCAST):
        pair = sum_of_products(one, two, early, True)
        return sum_of_products(pair, three, late, False, also=early)


# ---- chains


def linalg_multi_dot(tensors):
    n = len(tensors)
    if n < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {n}")
    first, last = tensors[0], tensors[-1]
    for t, which in ((first, "first"), (last, "last")):
        if t.dim() not in (1, 2):
            raise RuntimeError(f"multi_dot(): the {which} tensor must be 1D or 2D but got {t.dim()}D")
    chain = list(tensors)
    shape = []
    if first.dim() == 1:
        chain[0] = aten.unsqueeze.default(first, 0)
    else:
        shape.append(first.shape[0])
    if last.dim() == 1:
        chain[-1] = aten.unsqueeze.default(last, -1)
    else:
        shape.append(last.shape[1])
    for i, t in enumerate(chain):
        if t.dim() != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {t.dim()}D")
        if t.dtype != first.dtype:
            raise RuntimeError(f"multi_dot(): all tensors must have be the same dtype but tensor 0 is {first.dtype} and tensor {i} {t.dtype}")
        if t.device != first.device:
            raise RuntimeError(f"multi_dot(): all tensors must be on the same device but tensor 0 is on {first.device} and tensor {i} on {t.device}")
        if i and chain[i - 1].shape[1] != t.shape[0]:
            a, b = chain[i - 1].shape, t.shape
            raise RuntimeError(f"multi_dot(): tensors {i - 1} and {i} with shapes {list(a)} and {list(b)} cannot be multiplied")
    split = _best_order([chain[0].shape[0], *(t.shape[1] for t in chain)])
    return aten.reshape.default(_hand_on(aten.linalg_multi_dot.default, aten.mm.default, *_factors(chain, split, 0, n - 1)), shape)


def _best_order(p):
    """Where to split each subchain for the fewest multiplications (Cormen et al., Introduction to Algorithms, 15.2)."""
    n = len(p) - 1
    cost, split = [[0] * n for _ in range(n)], [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i][j], split[i][j] = min((cost[i][k] + cost[k + 1][j] + p[i] * p[k + 1] * p[j + 1], k) for k in range(i, j))
    return split


def _factors(chain, split, i, j):
    """The two matrices whose product is that of a chain."""
    k = split[i][j]
    return [chain[a] if a == b else aten.mm.default(*_factors(chain, split, a, b)) for a, b in ((i, k), (k + 1, j))]


def chain_matmul(matrices):
    warn_once("torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use torch.linalg.multi_dot instead.")
    for t in matrices:
        if t.dim() != 2:
            raise RuntimeError(f"Tensor dimension is {t.dim()}, expected 2 instead.")
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    op = aten.chain_matmul.default
    return _hand_on(op, aten.clone.default, matrices[0]) if len(matrices) == 1 else _hand_on(op, aten.linalg_multi_dot.default, matrices)


def linalg_matmul(self, other):
    return aten.matmul.default(self, other)


# ---- powers of vectors


def linalg_vander(x, *, N=None):
    if x.dim() == 0:
        x = aten.unsqueeze.default(x, 0)
    n = x.shape[-1] if N is None else N
    if str(x.dtype) in ("torch.bool", "torch.float16", "torch.bfloat16") or "float8" in str(x.dtype):
        raise RuntimeError(f"linalg.vander supports floating point, complex, and integer tensors, but got {scalar_name(x.dtype)}")
    if n <= 1:
        raise RuntimeError("N must be greater than 1.")
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        from runtime._core import dtype_names

        x = aten.to.dtype(x, dtype_names["int64"])
    repeated = aten.expand.default(aten.unsqueeze.default(x, -1), [*x.shape, n - 1])
    powers = aten.cumprod.default(repeated, -1)
    return aten.cat.default([aten.ones.default([*x.shape, 1], dtype=powers.dtype, device=x.device), powers], -1)


def vander(x, N=None, increasing=False):
    if x.dim() != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x.shape[0] if N is None else N
    if n < 0:
        raise RuntimeError("N must be non-negative.")
    from runtime._core import dtype_names

    integral = not (x.dtype.is_floating_point or x.dtype.is_complex)
    dtype = dtype_names["int64"] if integral else x.dtype
    result = aten.empty.memory_format([x.shape[0], n], dtype=dtype, device=x.device)
    if n > 0:
        powers = result if increasing else aten.flip.default(result, [1])
        aten.fill_.Scalar(aten.narrow.default(powers, 1, 0, 1), 1)
        if n > 1:
            rest = aten.expand.default(aten.unsqueeze.default(aten.to.dtype(x, dtype), 1), [x.shape[0], n - 1])
            aten.copy_.default(aten.narrow.default(powers, 1, 1, n - 1), aten.cumprod.default(rest, 1))
        if not increasing:
            result = aten.flip.default(powers, [1])
    return result
