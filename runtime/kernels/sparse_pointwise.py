"""Arithmetic of sparse tensors, and functions of single elements.

Functions that keep zeros work on the values; kernels/keys.yaml lists them. A sum of two sparse tensors keeps the coordinates of both, a product
those that both have. A sum with a dense tensor is dense, in this order only; a product with one has the sparse one's coordinates.
"""

import numpy as np

from runtime._core import Tensor, _sparse_tensor, dtype_names
from runtime.kernels._common import broadcast, scalar_name
from runtime.kernels._sparse import (
    aten,
    coalesced,
    coordinates,
    gathered,
    index_tensor,
    look_up,
    make,
    parts,
    places,
    places_of,
    put,
    sums,
    take,
    unravel,
)  # fmt: skip

# Functions of sums that are sums of the functions: they need no coalesced tensor.
_ADDITIVE = {"neg", "conj_physical"}
_BOOL = dtype_names["bool"]


def on_values(op, args):
    """Run an operator that looks at each element alone on the values of its first argument.

    Parameters
    ----------
    op : OpOverload
        A functional, in-place or out= overload of a function that is zero at zero.
    args : list
        All arguments of the schema.
    """
    name = op._schema.name.partition("::")[2]
    in_place = name.endswith("_")
    self = args[0]
    if name == "pow" and args[1] == 0:
        raise RuntimeError("pow: cannot raise to zeroth power on sparse tensor; it would make the result tensor dense")
    if not self.is_sparse:
        raise RuntimeError(f"{name}: expected a sparse tensor in the place of 'self' when 'out' is sparse, but got {self.layout}")
    known = parts(self)[3]
    if in_place:
        if not known and name[:-1] not in _ADDITIVE:
            raise RuntimeError(f"{name} requires coalesced input")
        indices, values, _, _ = parts(self)
        changed = op(aten.clone.default(values), *args[1:])
        return put(self, make(self, indices, changed, known))
    if name not in _ADDITIVE:
        self = coalesced(self)
    indices, values, _, known = parts(self)
    if any(a.is_out for a in op._schema.arguments):
        functional = getattr(aten, name)
        overload = "Tensor_Scalar" if name == "pow" else "default"
        result = make(self, indices, getattr(functional, overload)(values, *args[1:-1]), known)
        return into_sparse(args[-1], result, name)
    return make(self, indices, op(values, *args[1:]), known)


def into_sparse(out, result, name):
    """Write a result into a sparse ``out=`` argument."""
    if not out.is_sparse:
        raise RuntimeError(f"{name}: expected 'out' to be a sparse tensor, since the result is one, but it has layout {out.layout}")
    check_cast(result.dtype, out.dtype, name)
    return put(out, result)


def check_cast(dtype, target, name):
    """Refuse to write a result of a dtype into a tensor of one that cannot hold it."""
    if not aten.can_cast.default(dtype, target):
        raise RuntimeError(f"Can't convert result type {scalar_name(dtype)} to output {scalar_name(target)} in {name} operation")


def _is_sparse(operand):
    """Whether an operand is a sparse tensor; it may be a number."""
    return isinstance(operand, Tensor) and operand.is_sparse


def _is_number(operand):
    """Whether an operand is a number, or a tensor of no dimensions."""
    return not isinstance(operand, Tensor) or not operand.dim()


def _number(operand):
    """A number, or a tensor of no dimensions as a dense one."""
    return aten._to_dense.default(operand) if _is_sparse(operand) else operand


def _dtype_of(a, b):
    """The dtype to which two operands are promoted."""
    if isinstance(a, Tensor):
        return aten.result_type.Tensor(a, b) if isinstance(b, Tensor) else aten.result_type.Scalar(a, b)
    return aten.result_type.Scalar_Tensor(a, b)


def _shape(operand):
    return list(operand.shape) if isinstance(operand, Tensor) else []


# ---- sums


def _alpha(values, alpha):
    if isinstance(alpha, bool) and values.dtype != _BOOL:
        alpha = int(alpha)
    return values if alpha == 1 else aten.mul.Tensor(values, alpha)


def _check_alpha(alpha, dtype):
    if isinstance(alpha, bool) and dtype != _BOOL:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, complex) and not dtype.is_complex:
        raise RuntimeError("For non-complex input tensors, argument alpha must not be a complex number.")
    if isinstance(alpha, float) and not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")


def _sum(self, other, alpha):
    if not _is_sparse(self):
        return _dense_sum(self, other, alpha, None)
    if not _is_sparse(other):
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    if self.shape != other.shape:
        raise RuntimeError(f"add: expected sizes of 'self' and 'other' to match, but {list(self.shape)} != {list(other.shape)}")
    dtype = _dtype_of(self, other)
    _check_alpha(alpha, dtype)
    if dtype == _BOOL:
        raise NotImplementedError("\"cadd_sparse\" not implemented for 'Bool'")
    indices, values, sparse_dim, known = parts(self)
    more, others, other_dim, other_known = parts(other)
    if sparse_dim != other_dim:
        raise RuntimeError(f"add: expected 'self' and 'other' to have same density: self has {sparse_dim} sparse dimensions while other has "
                           f"{other_dim} sparse dimensions")
    values, others = _cast(values, dtype), _alpha(_cast(others, dtype), alpha)
    left, right = places_of(self), places_of(other)
    if not len(right):
        return make(self, indices, values, known)
    if not len(left):
        return make(self, more, others, other_known)
    if (np.diff(left) < 0).any() or (np.diff(right) < 0).any():
        return make(self, aten.cat.default((indices, more), 1), aten.cat.default((values, others)), False)
    # Sorted coordinates are merged: the first of a coordinate on one side with the first on the other, the second with the second.
    numbers = np.concatenate([left, right])
    turns = np.concatenate([_turns(left), _turns(right)])
    order = np.lexsort((turns, numbers))
    new = np.concatenate([[True], (np.diff(numbers[order]) != 0) | (np.diff(turns[order]) != 0)])
    groups = np.empty(len(order), np.int64)
    groups[order] = np.cumsum(new) - 1
    summed = sums(aten.cat.default((values, others)), groups, int(new.sum()))
    return make(self, take_columns(aten.cat.default((indices, more), 1), order[new]), summed, known and other_known)


def _turns(ordered):
    """For sorted numbers, how many equal ones stand before each."""
    if not len(ordered):
        return np.zeros(0, np.int64)
    first = np.concatenate([[True], np.diff(ordered) != 0])
    return np.arange(len(ordered)) - np.flatnonzero(first)[np.cumsum(first) - 1]


def take_columns(indices, columns):
    """Some columns of a tensor of indices; `columns` is an array."""
    return aten.index_select.default(indices, 1, index_tensor(columns))


def _cast(values, dtype):
    return values if values.dtype == dtype else aten._to_copy.default(values, dtype=dtype)


def _dense_sum(dense, sparse, alpha, out):
    """dense + alpha * sparse: a new tensor, or in the memory of `out`."""
    if _shape(dense) != _shape(sparse):
        raise RuntimeError(
            f"add: expected 'self' and 'other' to have same size, but self has size {_shape(dense)} while other has size "
            f"{list(sparse.shape)} (FYI: dense-sparse addition does not currently support broadcasting)"
        )
    dtype = _dtype_of(dense, sparse)
    _check_alpha(alpha, dtype)
    indices, values, sparse_dim, _ = parts(sparse)
    if out is None:
        out = aten._to_copy.default(dense, dtype=dtype)
    check_cast(dtype, out.dtype, "add")
    add_into(out, coordinates(sparse), _cast(_alpha(_cast(values, dtype), alpha), out.dtype), sparse_dim)
    return out


def add_into(out, indices, values, sparse_dim):
    """Add values to the parts of a dense tensor at coordinates; `indices` is an array."""
    numbers = places(indices, out.shape[:sparse_dim])
    if not len(numbers) or not out.numel():
        return
    if out.dtype == _BOOL:
        distinct, groups = np.unique(numbers, return_inverse=True)
        summed = sums(values, groups, len(distinct))
        at = tuple(index_tensor(row) for row in unravel(distinct, out.shape[:sparse_dim]))
        merged = aten.logical_or.default(aten.index.Tensor(out, at) if at else out, summed if at else aten.select.int(summed, 0, 0))
        _write(out, at, merged)
    elif not sparse_dim:
        aten.add_.Tensor(out, aten.sum.dim_IntList(values, (0,), dtype=out.dtype))
    elif out.is_contiguous():
        count = int(np.prod(out.shape[:sparse_dim]))
        aten.index_add_.default(aten.view.default(out, (count, *out.shape[sparse_dim:])), 0, index_tensor(numbers), values)
    else:
        aten.index_put_.default(out, tuple(index_tensor(row) for row in indices), values, True)


def _write(out, at, values):
    if at:
        aten.index_put_.default(out, at, values)
    else:
        aten.copy_.default(out, values)


def add_sparse(self, other, *, alpha=1):
    return _sum(self, other, alpha)


def add__sparse(self, other, *, alpha=1):
    if not self.is_sparse:
        return _dense_sum(self, other, alpha, self)
    result = _sum(self, other, alpha)
    check_cast(result.dtype, self.dtype, "add")
    return put(self, result)


def sub_sparse(self, other, *, alpha=1):
    _refuse_bool(self, other)
    return _sum(self, other, -alpha)


def sub__sparse(self, other, *, alpha=1):
    _refuse_bool(self, other)
    return add__sparse(self, other, alpha=-alpha)


def _refuse_bool(self, other):
    if any(isinstance(t, Tensor) and t.dtype == _BOOL for t in (self, other)):
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the `~` "
                           "or `logical_not()` operator instead.")


def rsub_sparse(self, other, *, alpha=1):
    return aten.sub.Tensor(other, self, alpha=alpha)


# ---- products and quotients


def _scaled(self, number, function, *options, **keywords):
    """A sparse tensor with its values combined with a number."""
    indices, values, _, known = parts(self)
    changed = function(values, number, *options, **keywords)
    wanted = _dtype_of(self, number)
    if not self.dim() and changed.dtype != wanted and changed.dtype.is_floating_point == wanted.is_floating_point:
        changed = aten._to_copy.default(changed, dtype=wanted)
    return make(self, indices, changed, known)


def mul_sparse(self, other):
    if _is_number(other) and _is_sparse(self):
        return _scaled(self, _number(other), aten.mul.Tensor)
    if _is_number(self):
        return _scaled(other, _number(self), aten.mul.Tensor)
    if not self.is_sparse:
        return _with_dense(other, self, True)
    if not other.is_sparse:
        return _with_dense(self, other, False)
    if parts(self)[3] and not parts(other)[3]:
        self, other = other, self   # the coordinates of one are looked up in the other, which must be coalesced
    indices, values, sparse_dim, known = parts(self)
    other = coalesced(other)
    _, others, other_dim, _ = parts(other)
    if self.dim() != other.dim() or sparse_dim != other_dim or self.shape[:sparse_dim] != other.shape[:sparse_dim]:
        raise RuntimeError("sparse_binary_op_intersection_cpu(): expects sparse inputs with equal dimensionality, number of sparse dimensions, "
                           "and shape of sparse dimensions")
    at, there = look_up(places_of(other), places_of(self))
    products = aten.mul.Tensor(take(values, np.flatnonzero(there)), take(others, at[there]))
    shape = (*self.shape[:sparse_dim], *broadcast(self.shape[sparse_dim:], other.shape[sparse_dim:]))
    return _sparse_tensor(shape, take_columns(indices, np.flatnonzero(there)), products, known or None)


def _with_dense(sparse, dense, dense_first):
    if broadcast(sparse.shape, dense.shape) != tuple(sparse.shape):
        raise RuntimeError(f"mul: a sparse tensor of size {list(sparse.shape)} cannot be broadcast to the dense one's {list(dense.shape)}; "
                           "convert it with to_dense() first")
    indices, values, sparse_dim, known = parts(sparse)
    places_of(sparse)
    factors = gathered(aten.expand.default(dense, sparse.shape), indices, sparse_dim)
    products = aten.mul.Tensor(factors, values) if dense_first else aten.mul.Tensor(values, factors)
    return make(sparse, indices, products, known)


def mul__sparse(self, other):
    result = mul_sparse(self, other)
    check_cast(result.dtype, self.dtype, "mul")
    if result.shape != self.shape:
        raise RuntimeError(f"mul_: the product has size {list(result.shape)}, which a tensor of size {list(self.shape)} cannot take in place")
    return put(self, result) if self.is_sparse else aten.copy_.default(self, aten._to_dense.default(result))


def _divided(self, other, function, **keywords):
    if not _is_sparse(self) or not _is_number(other) or _is_sparse(other):
        raise RuntimeError(f"Sparse division requires a scalar or zero-dim dense tensor divisor (got shape {_shape(other)} for divisor)")
    if keywords.get("rounding_mode") is not None or function is aten.floor_divide.default:
        self = coalesced(self)   # the rounded quotient of a sum is not the sum of rounded quotients
    return _scaled(self, other, function, **keywords)


def div_sparse(self, other):
    return _divided(self, other, aten.div.Tensor)


def div_mode_sparse(self, other, *, rounding_mode=None):
    return _divided(self, other, aten.div.Tensor_mode, rounding_mode=rounding_mode)


def floor_divide_sparse(self, other):
    return _divided(self, other, aten.floor_divide.default)


def _replaced(self, result, name):
    if not self.is_sparse:
        raise RuntimeError(f"{name}_: a dense tensor cannot be divided in place by a sparse one")
    if not aten.can_cast.default(result.dtype, self.dtype):
        raise RuntimeError(f"result type {scalar_name(result.dtype)} can't be cast to the desired output type {scalar_name(self.dtype)}")
    return put(self, result)


def div__sparse(self, other):
    return _replaced(self, div_sparse(self, other), "div")


def div__mode_sparse(self, other, *, rounding_mode=None):
    return _replaced(self, div_mode_sparse(self, other, rounding_mode=rounding_mode), "div")


def floor_divide__sparse(self, other):
    return _replaced(self, floor_divide_sparse(self, other), "floor_divide")


# ---- conjugates, and gradients of single functions


def _conj_sparse(self):
    indices, values, _, known = parts(self)
    return make(self, indices, aten._conj_physical.default(values), known)


def threshold_backward_sparse(grad_output, self, threshold):
    if not grad_output.is_sparse or not self.is_sparse:
        raise RuntimeError("threshold_backward: expected the gradient and the input to be sparse both")
    self = coalesced(self)
    indices, values, _, _ = parts(self)
    kept = aten._to_copy.default(aten.gt.Scalar(values, threshold), dtype=grad_output.dtype)
    return mul_sparse(coalesced(grad_output), make(self, indices, kept, True))
