"""Custom operators written with NumPy, each with a rule for tensors without data, gradients, batches and sample inputs.

They show what custom operators can be: several results, lists, keyword-only and number arguments, results whose shapes depend on data.
"""

from collections.abc import Sequence

import numpy as np

import runtime
from runtime import Tensor
from runtime.library import custom_op, get_ctx
from runtime.testing.creation import make_tensor
from runtime.testing.op_info import OpInfo, SampleInput
from runtime.types import Number

_NAMESPACE = "_torch_testing"
_DTYPES = (
    runtime.uint8, runtime.int8, runtime.int16, runtime.int32, runtime.int64, runtime.float32, runtime.float64, runtime.bool, runtime.float16,
)  # fmt: skip

custom_op_db = []


def _operator(function):
    return custom_op(f"{_NAMESPACE}::{function.__name__}", function, mutates_args=())


def _entry(name, operator, **options):
    """A decorator: the function that it gets makes the sample inputs of a database entry."""

    def add(samples):
        def sample_inputs(info, device, dtype, requires_grad, **kwargs):
            def make(*shape, **limits):
                return make_tensor(*shape, device=device, dtype=dtype, requires_grad=requires_grad, **limits)

            yield from samples(make)

        info = OpInfo(f"{name}CustomOp", operator._opoverload, sample_inputs, _DTYPES, supports_out=False, **options)
        custom_op_db.append(info)
        return samples

    return add


def to_numpy(tensor):
    """A tensor's elements as an array."""
    return tensor.cpu().numpy()


def _like(array, tensor):
    """A new tensor with an array's elements, beside a tensor."""
    return runtime.tensor(np.ascontiguousarray(array), device=tensor.device)


def _batch_last(tensor, dim):
    """A tensor whose batch comes last; one without a batch gets one of one element."""
    return tensor.unsqueeze(-1) if dim is None else tensor.movedim(dim, -1)


def _batch_first(tensor, dim, size):
    """A tensor whose batch of some size comes first."""
    return tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _no_batches(info, in_dims, *args):
    raise NotImplementedError("Operator is data-dependent and cannot be vmapped.")


# ------------------------------------------------------------------------------------------------------- elementwise


@_operator
def numpy_mul(x: Tensor, y: Tensor) -> Tensor:
    return _like(to_numpy(x) * to_numpy(y), x)


@numpy_mul.register_fake
def _(x, y):
    return (x * y).contiguous()


numpy_mul.register_autograd(
    lambda ctx, grad: tuple(grad * t if wanted else None for t, wanted in zip(reversed(ctx.saved_tensors), ctx.needs_input_grad)),
    setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
)
numpy_mul.register_vmap(lambda info, in_dims, x, y: ((_batch_last(x, in_dims[0]) * _batch_last(y, in_dims[1])).movedim(-1, 0), 0))


@_entry("NumpyMul", numpy_mul)
def _(make):
    yield SampleInput(make(4, low=0.9, high=2), args=(make(4, low=0.9, high=2),))
    yield SampleInput(make(3, 1, low=0.9, high=2), args=(make(4, low=0.9, high=2),))


@_operator
def numpy_cube(x: Tensor) -> tuple[Tensor, Tensor]:
    values = to_numpy(x)
    return _like(values**3, x), _like(3 * values**2, x)


@numpy_cube.register_fake
def _(x):
    return x.clone(), x.clone()


def _cube_backward(ctx, grad_cube, grad_derivative):
    x, derivative = ctx.saved_tensors
    return numpy_mul(grad_cube, derivative) + 6 * numpy_mul(grad_derivative, x)


numpy_cube.register_autograd(_cube_backward, setup_context=lambda ctx, inputs, output: ctx.save_for_backward(inputs[0], output[1]))
numpy_cube.register_vmap(lambda info, in_dims, x: (numpy_cube(x), (in_dims[0], in_dims[0])))


@_entry("NumpyCube", numpy_cube)
def _(make):
    yield SampleInput(make(1, low=0.8, high=2))


@_operator
def numpy_mul_scalar(x: Tensor, *, scalar: float) -> Tensor:
    return _like(to_numpy(x) * scalar, x)


@numpy_mul_scalar.register_fake
def _(x, *, scalar):
    return (x * scalar).contiguous()


def _keep_scalar(ctx, inputs, keyword_only_inputs, output):
    ctx.scalar = keyword_only_inputs["scalar"]


numpy_mul_scalar.register_autograd(lambda ctx, grad: grad * ctx.scalar, setup_context=_keep_scalar)
numpy_mul_scalar.register_vmap(lambda info, in_dims, x, *, scalar: ((_batch_last(x, in_dims[0]) * scalar).movedim(-1, 0), 0))


@_entry("NumpyMulScalar", numpy_mul_scalar)
def _(make):
    yield SampleInput(make(4, low=0.9, high=2), kwargs={"scalar": 3.14})


# ----------------------------------------------------------------------------------------------------- along one dim


@_operator
def numpy_take(x: Tensor, ind: Tensor, ind_inv: Tensor, dim: int) -> Tensor:
    return _like(np.take_along_axis(to_numpy(x), to_numpy(ind), dim), x)


@numpy_take.register_fake
def _(x, ind, ind_inv, dim):
    assert ind.dtype == ind_inv.dtype == runtime.int64
    return runtime.empty_like(x)


def _keep_order(ctx, inputs, output):
    _, *order, ctx.dim = inputs
    ctx.save_for_backward(*order)


def _take_backward(ctx, grad):
    ind, ind_inv = ctx.saved_tensors
    return numpy_take(grad, ind_inv, ind, ctx.dim), None, None, None


def _take_batch(info, in_dims, x, ind, ind_inv, dim):
    rank = x.dim() - (in_dims[0] is not None)
    tensors = [_batch_first(t, d, info.batch_size) for t, d in zip((x, ind, ind_inv), in_dims)]
    return numpy_take(*tensors, (dim if dim >= 0 else dim + rank) + 1), 0


numpy_take.register_autograd(_take_backward, setup_context=_keep_order)
numpy_take.register_vmap(_take_batch)


@_entry("NumpyTake", numpy_take)
def _(make):
    x = make(3, 5)
    dim = 1
    _, ind, ind_inv = numpy_sort(x, dim)
    yield SampleInput(x, args=(ind, ind_inv, dim))


@_operator
def numpy_sort(x: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    values = to_numpy(x)
    order = np.argsort(values, axis=dim)
    return _like(np.take_along_axis(values, order, dim), x), _like(order, x), _like(np.argsort(order, axis=dim), x)


@numpy_sort.register_fake
def _(x, dim):
    return runtime.empty_like(x), runtime.empty_like(x, dtype=runtime.int64), runtime.empty_like(x, dtype=runtime.int64)


def _keep_sorting(ctx, inputs, output):
    ctx.dim = inputs[1]
    ctx.save_for_backward(*output[1:])
    ctx.mark_non_differentiable(*output[1:])


def _sort_backward(ctx, grad, grad_ind, grad_ind_inv):
    ind, ind_inv = ctx.saved_tensors
    return numpy_take(grad, ind_inv, ind, ctx.dim), None


def _sort_batch(info, in_dims, x, dim):
    dim = dim if dim >= 0 else dim + x.dim() - 1
    return numpy_sort(x.movedim(in_dims[0], 0), dim + 1), (0, 0, 0)


numpy_sort.register_autograd(_sort_backward, setup_context=_keep_sorting)
numpy_sort.register_vmap(_sort_batch)


@_entry("NumpySort", numpy_sort)
def _(make):
    yield SampleInput(make(3, 5), args=(1,))


# ---------------------------------------------------------------------------------------------------- shapes and lists


@_operator
def numpy_view_copy(x: Tensor, shape: Sequence[int]) -> Tensor:
    return _like(to_numpy(x).reshape(shape), x)


@numpy_view_copy.register_fake
def _(x, shape) -> Tensor:
    return x.clone().view(shape).clone()


def _keep_shape(ctx, inputs, output):
    ctx.x_shape = inputs[0].shape


numpy_view_copy.register_autograd(lambda ctx, grad: (numpy_view_copy(grad, ctx.x_shape), None), setup_context=_keep_shape)
numpy_view_copy.register_vmap(lambda info, in_dims, x, shape: (numpy_view_copy(x.movedim(in_dims[0], 0), (info.batch_size, *shape)), 0))


@_entry("NumpyViewCopy", numpy_view_copy)
def _(make):
    yield SampleInput(make(2, 3, 4, low=0.9, high=2), args=([2, 12],))


@_operator
def numpy_cat(xs: Sequence[Tensor], dim: int) -> Tensor:
    return _like(np.concatenate([to_numpy(x) for x in xs], axis=dim), xs[0])


@numpy_cat.register_fake
def _(xs, dim):
    assert xs and all(x.dtype == xs[0].dtype for x in xs)
    return runtime.cat(xs, dim=dim)


def _keep_pieces(ctx, inputs, output):
    xs, ctx.dim = inputs
    ctx.ends = np.cumsum([x.shape[ctx.dim] for x in xs]).tolist()


numpy_cat.register_autograd(lambda ctx, grad: (numpy_split_copy(grad, ctx.ends[:-1], ctx.dim), None), setup_context=_keep_pieces)
numpy_cat.register_vmap(lambda info, in_dims, xs, dim: (numpy_cat([_batch_first(x, d, info.batch_size) for x, d in zip(xs, in_dims[0])], dim + 1), 0))


@_entry("NumpyCat", numpy_cat, check_batched_grad=False, check_batched_gradgrad=False)
def _(make):
    yield SampleInput([make(n, 3, 4, low=0.9, high=2) for n in (2, 4, 5)], args=(0,))


def _split(x, splits, dim):
    return [_like(piece, x) for piece in np.split(to_numpy(x), splits, axis=dim)]


def _fake_split(x, splits, dim):
    return [piece.clone() for piece in runtime.tensor_split(x, splits, dim)]


def _keep_split_dim(ctx, inputs, output):
    ctx.dim = inputs[2]


@_operator
def numpy_split_copy(x: Tensor, splits: Sequence[int], dim: int) -> list[Tensor]:
    return _split(x, splits, dim)


numpy_split_copy.register_fake(_fake_split)
numpy_split_copy.register_autograd(lambda ctx, grads: (numpy_cat(grads, ctx.dim), None, None), setup_context=_keep_split_dim)
numpy_split_copy.register_vmap(lambda info, in_dims, x, splits, dim: (numpy_split_copy(x.movedim(in_dims[0], 0), splits, dim + 1), 0))


@_operator
def numpy_split_copy_with_int(x: Tensor, splits: Sequence[int], dim: int) -> tuple[list[Tensor], int]:
    return _split(x, splits, dim), len(splits)


def _split_with_int_batch(info, in_dims, x, splits, dim):
    pieces, number = numpy_split_copy_with_int(x.movedim(in_dims[0], 0), splits, dim + 1)
    return (pieces, number), ([0] * len(pieces), None)


numpy_split_copy_with_int.register_fake(lambda x, splits, dim: (_fake_split(x, splits, dim), len(splits)))
numpy_split_copy_with_int.register_autograd(lambda ctx, grads, _: (numpy_cat(grads, ctx.dim), None, None), setup_context=_keep_split_dim)
numpy_split_copy_with_int.register_vmap(_split_with_int_batch)


@_entry("NumpySplitCopy", numpy_split_copy, check_batched_grad=False, check_batched_gradgrad=False)
@_entry(
    "NumpySplitCopyWithInt",
    numpy_split_copy_with_int,
    check_batched_grad=False,
    check_batched_gradgrad=False,
    gradcheck_wrapper=lambda op, *args, **kwargs: op(*args, **kwargs)[0],
)
def _(make):
    yield SampleInput(make(2, 9, low=0.9, high=2), args=([1, 3, 6], 1))


# -------------------------------------------------------------------------------------- shapes that depend on the data


@_operator
def numpy_nonzero(x: Tensor) -> Tensor:
    found = np.argwhere(to_numpy(x))
    if len(found) < 2:
        raise RuntimeError("not supported")
    return _like(found, x)


@numpy_nonzero.register_fake
def _(x):
    return x.new_empty([get_ctx().new_dynamic_size(min=2), x.dim()], dtype=runtime.int64)


numpy_nonzero.register_vmap(_no_batches)


@_entry("NumpyNonzero", numpy_nonzero, supports_autograd=False)
def _(make):
    yield SampleInput(make(10, low=0.9, high=2) * runtime.tensor([1, 0, 1, 1, 0, 0, 1, 0, 1, 1], dtype=runtime.bool))


@_operator
def numpy_nms(boxes: Tensor, scores: Tensor, iou_threshold: Number) -> Tensor:
    """The boxes that are left when each one that overlaps a better one too much is dropped."""
    corners = to_numpy(boxes).astype(np.float64)
    assert corners.ndim == 2 and corners.shape[1] == 4 and scores.shape == corners.shape[:1]
    sides = corners[:, 2:] - corners[:, :2] + 1
    areas = sides.prod(1)
    waiting = np.argsort(-to_numpy(scores).astype(np.float64))
    kept = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        overlap = np.minimum(corners[best, 2:], corners[waiting, 2:]) - np.maximum(corners[best, :2], corners[waiting, :2]) + 1
        shared = np.clip(overlap, 0, None).prod(1)
        waiting = waiting[shared <= iou_threshold * (areas[best] + areas[waiting] - shared)]
    if len(kept) < 2:
        raise RuntimeError("not supported")
    return _like(np.array(kept), boxes)


@numpy_nms.register_fake
def _(boxes, scores, iou_threshold):
    return boxes.new_empty([get_ctx().new_dynamic_size(min=2)], dtype=runtime.int64)


numpy_nms.register_vmap(_no_batches)


@_entry("NumpyNMS", numpy_nms, supports_autograd=False)
def _(make):
    # Corners on a grid: no two boxes overlap, whatever the dtype.
    corners = runtime.tensor([[8 * i, 8 * j, 8 * i + 3, 8 * j + 3] for i in range(4) for j in range(4)])
    scores = make(16, low=0, high=1)
    yield SampleInput(corners.to(scores.dtype), args=(scores, 0.5))
