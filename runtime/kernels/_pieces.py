"""Expressions of elements and their reductions, computed in pieces: temporaries take some MiB however large the operands are, and stay in caches.

A kernel asks `large_shape` (a composite, which autograd and modes look into, `unwatched_large_shape`) whether its operands are dense tensors
of the CPU that are worth it, and otherwise computes the same expression at once. Nothing here is recorded for gradients.
"""

import itertools
import math

from runtime._core import _broadcast_exceeds, _get_tangent, _len_torch_dispatch_stack, dtype_names, is_grad_enabled, ops
from runtime.kernels._arrays import opmath, place_of
from runtime.kernels._common import broadcast, into

aten = ops.aten

#: Elements of a piece: half a MiB of float32, enough for four threads; and of one of several temporaries.
PIECE, BLOCK = 1 << 17, 1 << 16

#: The least of a last dimension that is kept by a reduction: rows shorter than that are read slowly.
_ROW = 1 << 12

_NARROW = {dtype_names["float16"], dtype_names["bfloat16"]}
_MEANS = {dtype_names[name] for name in ("float32", "float64", "complex64", "complex128")}
_DOUBLED = {dtype_names["float32"]: dtype_names["float64"], dtype_names["complex64"]: dtype_names["complex128"]}


# ---- when


def large_shape(first, second=None, *others):
    """The shape that tensors (or None) have together where an expression of them is computed in pieces; None where it is computed at once."""
    if not others and not _broadcast_exceeds(PIECE, first, second):
        return None
    return _together((first, second, *others)) if _broadcast_exceeds(PIECE, first, second, *others) else None


def _together(tensors):
    import runtime

    tensors = [t for t in tensors if t is not None]
    if not all(t.device.type == "cpu" and t.layout is runtime.strided for t in tensors):
        return None
    shape = ()
    try:
        for t in tensors:
            shape = broadcast(shape, t.shape)
    except RuntimeError:
        return None  # the operators of the expression say so themselves
    return shape if math.prod(shape) > PIECE else None


def unwatched_large_shape(first, second=None, *others):
    """What `large_shape` says, for a composite: None where autograd, a mode or a subclass would see the pieces."""
    if not others and not _broadcast_exceeds(PIECE, first, second):
        return None
    tensors = first, second, *others
    shape = large_shape(*tensors)
    if shape is None or _len_torch_dispatch_stack() or any(t is not None and _is_watched(t) for t in tensors):
        return None
    return shape


def _is_watched(t):
    import runtime

    if type(t) is not runtime.Tensor and type(t) is not runtime.nn.Parameter:
        return True
    return (t.requires_grad and is_grad_enabled()) or _get_tangent(t) is not None


# ---- pieces


def _steps(shape, reduced, limit=PIECE):
    """How long a piece is along each dimension. Kept dimensions are split first, so that few pieces share an element of the result."""
    steps, last = list(shape), len(shape) - 1
    order = [(d, 1) for d in range(last) if d not in reduced]
    if last not in reduced:
        order.append((last, _ROW))
    order += [(d, 1) for d in reduced]
    order.append((last, 1))
    for d, least in order:
        count = math.prod(steps)
        if count <= limit:
            break
        step = max(min(least, steps[d]), steps[d] * limit // count, 1)
        steps[d] = -(-shape[d] // -(-shape[d] // step))  # pieces of the same length
    return steps


def _places(shape, steps, dims):
    """Where pieces are: for each a tuple of (dimension, begin, length), for the dimensions that are split."""
    ranges = (
        [(d, begin, min(steps[d], shape[d] - begin)) for begin in range(0, shape[d], steps[d])] for d in dims if steps[d] < shape[d]
    )
    return itertools.product(*ranges)


def pieces(shape, limit=PIECE):
    """Places of pieces of elements."""
    return _places(shape, _steps(shape, (), limit), range(len(shape)))


def cut(tensor, place, ndim):
    """A piece of a tensor that is broadcast to `ndim` dimensions."""
    if tensor is None:
        return None
    lead = ndim - tensor.dim()
    for d, begin, length in place:
        if d >= lead and tensor.shape[d - lead] != 1:
            tensor = aten.narrow.default(tensor, d - lead, begin, length)
    return tensor


def lanes(shape, dim):
    """Places of pieces that hold whole lanes along a dimension: smaller ones, for sorts and what follows them."""
    steps, limit = list(shape), PIECE // 2
    for d in range(len(shape)):
        if d != dim:
            steps[d] = max(1, steps[d] * limit // max(math.prod(steps), limit))
    return _places(shape, steps, [d for d in range(len(shape)) if d != dim])


# ---- elements


def _is_in_order(t):
    """Whether an elementwise result takes no other order of dimensions from this operand."""
    strides = [s for s, n in zip(t.stride(), t.shape, strict=True) if s and n > 1]
    return all(a >= b for a, b in itertools.pairwise(strides))


def elements(op, expression, shape, *tensors):
    """The values of an expression, as the result of an operator's kernel: over the ``out=`` argument where that fits.

    Parameters
    ----------
    op : OpOverload
        The operator whose kernel asks.
    expression : callable
        Of the tensors' pieces (or None); what it returns is broadcast of them.
    shape : tuple
        Of the result, or None, which computes the expression at once.
    *tensors
        Tensors or None.
    """
    if shape is None or not all(t is None or _is_in_order(t) for t in tensors):
        return expression(*tensors)
    result, n = None, len(shape)
    for place in pieces(shape):
        part = expression(*(cut(t, place, n) for t in tensors))
        if result is None:
            result = place_of(op, shape, part.dtype, part.device)
        aten.copy_.default(cut(result, place, n), part)
        del part  # before the next one is computed
    return result


def write_elements(out, kernel, *operands, width=1):
    """Write what elementwise operators make of tensors into an ``out=`` argument, which takes its shape, or into one of the tensors.

    Large tensors are computed block after block, so that the temporaries stay small: where nobody sees the single operators, and nothing
    but the output's own elements would be overwritten before it is read.

    Parameters
    ----------
    out : Tensor
    kernel : callable
        What it makes of an element depends on no other.
    *operands : Tensor
        What the kernel takes.
    width : int
        How much it makes of one element: temporaries of wide dtypes or of several elements.
    """
    shape = ()
    for t in operands:
        shape = broadcast(shape, t.shape)
    if not is_separable(out, operands, shape):
        return into(out, kernel(*operands))
    if tuple(out.shape) != shape:
        aten.resize_.default(out, shape)
    for place in pieces(shape, max(1, BLOCK // width)):
        aten.copy_.default(cut(out, place, len(shape)), kernel(*(cut(t, place, len(shape)) for t in operands)))
    return out


def is_separable(out, operands, shape):
    """Whether `write_elements` goes block after block to write elements of a shape."""
    if math.prod(shape) <= BLOCK or _len_torch_dispatch_stack():
        return False
    if any(t.requires_grad or not t.is_cpu or t.layout is not out.layout for t in (out, *operands)):
        return False
    own = out.untyped_storage()._cdata
    return all((t is out and tuple(t.shape) == shape) or t.untyped_storage()._cdata != own for t in operands)


# ---- reductions


def folded(reduce, join, shape, tensors, dims=None, keepdim=False):
    """A reduction of an expression of tensors.

    Parameters
    ----------
    reduce : callable
        From the tensors' pieces and a tuple of dimensions to the reduced piece, which keeps the dimensions.
    join : callable
        From an iterator over two or more such results, and the dimensions, to the result that they have together.
    shape : tuple
        Of the expression.
    tensors : sequence
        Tensors or None.
    dims, keepdim
        As `sum` takes them, dimensions wrapped; None is all.
    """
    n = len(shape)
    dims = tuple(range(n)) if dims is None else tuple(dims)
    kept = [d for d in range(n) if d not in dims]
    steps = _steps(shape, dims)
    inner = list(_places(shape, steps, dims))
    sizes = [1 if d in dims else size for d, size in enumerate(shape)]
    result = None
    for outer in _places(shape, steps, kept):
        parts = (reduce(*(cut(t, (*outer, *place), n) for t in tensors), dims) for place in inner)
        part = next(parts) if len(inner) == 1 else join(parts, dims)
        if list(part.shape) == sizes:
            result = part
            break
        if result is None:
            result = aten.empty.memory_format(sizes, dtype=part.dtype, device=part.device)
        aten.copy_.default(cut(result, outer, n), part)
    return result if keepdim else aten.reshape.default(result, [shape[d] for d in kept])


def summed(expression, shape, tensors, dims=None, keepdim=False, mean=False):
    """The sum, or the mean, of an expression over dimensions; partial sums are added in double precision."""
    dtypes = []

    def reduce(*given):
        values = expression(*given[:-1])
        dtypes.append(values.dtype)
        if mean and opmath(values.dtype) not in _MEANS:
            aten.mean.default(values)  # says why not
        return aten.sum.dim_IntList(values, given[-1], True, dtype=opmath(values.dtype) if values.dtype in _NARROW else None)

    def join(parts, dims):
        total = next(parts)
        wide = _DOUBLED.get(total.dtype)
        total = total if wide is None else aten.to.dtype(total, wide)
        for part in parts:
            aten.add_.Tensor(total, part)
        return total

    result = folded(reduce, join, shape, tensors, dims, keepdim)
    if mean:
        result = aten.div.Scalar(result, math.prod(shape) // max(result.numel(), 1))
    dtype = dtypes[0] if dtypes[0].is_floating_point or dtypes[0].is_complex else result.dtype
    return result if result.dtype == dtype else aten.to.dtype(result, dtype)


def largest(pick, expression, shape, tensors, dims=None, keepdim=False):
    """What `amax` or `amin` picks of an expression over dimensions."""
    return folded(
        lambda *given: pick(expression(*given[:-1]), given[-1], True),
        lambda parts, dims: pick(aten.cat.default(list(parts), dims[0]), dims[:1], True),
        shape, tensors, dims, keepdim,
    )  # fmt: skip


def norm(expression, shape, tensors, p, dims=None, keepdim=False):
    """The p-norm of an expression over dimensions: the norm of norms of its pieces."""
    dtypes = []

    def reduce(*given):
        values = expression(*given[:-1])
        dtypes.append(values.dtype)
        if values.dtype in _NARROW:
            return aten.norm.ScalarOpt_dim_dtype(values, p, given[-1], True, dtype=opmath(values.dtype))
        return aten.norm.ScalarOpt_dim(values, p, given[-1], True)

    def join(parts, dims):
        together = aten.cat.default(list(parts), dims[0])
        return aten.sum.dim_IntList(together, dims[:1], True) if p == 0 else aten.norm.ScalarOpt_dim(together, p, dims[:1], True)

    result = folded(reduce, join, shape, tensors, dims, keepdim)
    dtype = dtypes[0].to_real() if dtypes[0].is_complex else dtypes[0]
    return result if result.dtype == dtype else aten.to.dtype(result, dtype)
