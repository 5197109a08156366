"""Normalizations made of others, and the gradients of the native ones."""

import math

import numpy as np

from runtime._core import _run_loop, dtype_names, ops
from runtime.kernels._arrays import new, opmath, read, read_contiguous
from runtime.kernels._common import into_each, real_dtype

aten = ops.aten


def rms_norm(input, normalized_shape, weight=None, eps=None):
    shape = tuple(normalized_shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = []"
        )
    if weight is not None and tuple(weight.shape) != shape:
        raise RuntimeError(
            "Expected weight to be of same shape as normalized_shape, but got weight of shape "
            f"{list(weight.shape)} and normalized_shape = {list(shape)}"
        )
    if tuple(input.shape[input.dim() - len(shape) :]) != shape or input.dim() < len(shape):
        expected = "".join(f", {n}" for n in shape)
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{expected}], but got input of size{list(input.shape)}"
        )
    wide = input if opmath(input.dtype) == input.dtype else aten.to.dtype(input, opmath(input.dtype))
    if eps is None:
        import runtime

        eps = runtime.finfo(real_dtype(wide.dtype)).eps
    mean = aten.mean.dim(aten.pow.Tensor_Scalar(wide, 2), tuple(range(-len(shape), 0)), True)
    result = aten.mul.Tensor(wide, aten.rsqrt.default(aten.add.Scalar(mean, eps)))
    if weight is not None:
        result = aten.mul.Tensor(result, weight)
    return result if result.dtype == input.dtype else aten.to.dtype(result, input.dtype)


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-05, cudnn_enabled=True):
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    n, c = input.shape[:2]
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if c % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}"
        )
    return aten.native_group_norm.default(input.contiguous(), weight, bias, n, c, math.prod(input.shape[2:]), num_groups, eps)[0]


# ---- batch norm


def _bytes(input):
    return aten.empty.memory_format((0,), dtype=dtype_names["uint8"], device=input.device)


def batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled):
    return aten._batch_norm_impl_index.default(
        input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled
    )[0]


def _batch_norm_impl_index(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled):
    channels = input.shape[1] if input.dim() > 1 else 0
    if input.numel() == 0:
        out = aten.clone.default(input)
        if weight is not None:
            out = aten.mul.Tensor(out, aten.select.int(weight, 0, 0)) if channels else out
        if bias is not None:
            out = aten.add.Tensor(out, aten.select.int(bias, 0, 0)) if channels else out
        empty = aten.empty.memory_format((0,), dtype=input.dtype, device=input.device)
        return out, empty, aten.clone.default(empty), _bytes(input), 0
    if input.dim() < 2:
        raise RuntimeError(f"batch_norm: expected an input of at least two dimensions, but got {input.dim()}")
    for name, t in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if t is None and name.startswith("running") and not training:
            raise RuntimeError(f"{name} must be defined in evaluation mode")
        if t is not None and t.numel() != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {t.numel()}")
    results = aten.native_batch_norm.default(input, weight, bias, running_mean, running_var, training, momentum, eps)
    return (*results, _bytes(input), 0)


def _native_batch_norm_legit(input, weight, bias, running_mean, running_var, training, momentum, eps):
    return aten.native_batch_norm.default(input, weight, bias, running_mean, running_var, training, momentum, eps)


def _native_batch_norm_legit_out(
    input, weight, bias, running_mean, running_var, training, momentum, eps, *, out, save_mean, save_invstd
):
    outs = (out, save_mean, save_invstd)
    results = aten.native_batch_norm.default(input, weight, bias, running_mean, running_var, training, momentum, eps)
    into_each("native_batch_norm", outs, results, True)
    return outs


def _native_batch_norm_legit_no_stats(input, weight, bias, training, momentum, eps):
    return aten.native_batch_norm.default(input, weight, bias, None, None, training, momentum, eps)


def _native_batch_norm_legit_no_training(input, weight, bias, running_mean, running_var, momentum, eps):
    return aten.native_batch_norm.default(input, weight, bias, running_mean, running_var, False, momentum, eps)


def _batch_norm_with_update(input, weight, bias, running_mean, running_var, momentum, eps):
    results = aten.native_batch_norm.default(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return (*results, _bytes(input))


def _batch_norm_with_update_out(
    input, weight, bias, running_mean, running_var, momentum, eps, *, out, save_mean, save_invstd, reserve
):
    outs = (out, save_mean, save_invstd, reserve)
    into_each("_batch_norm_with_update", outs, _batch_norm_with_update(input, weight, bias, running_mean, running_var, momentum, eps), True)
    return outs


def _batch_norm_no_update(input, weight, bias, running_mean, running_var, momentum, eps):
    results = aten.native_batch_norm.default(input, weight, bias, running_mean, running_var, False, momentum, eps)
    return (*results, _bytes(input))


def instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled):
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    if input.dim() < 2:
        raise RuntimeError(f"instance_norm: expected an input of at least two dimensions, but got {input.dim()}")
    b, c = input.shape[:2]

    def repeated(t):
        return None if t is None else aten.repeat.default(t, (b,))

    mean, var = repeated(running_mean), repeated(running_var)
    one = aten.view.default(input.contiguous(), (1, b * c, *input.shape[2:]))
    out = aten.batch_norm.default(one, repeated(weight), repeated(bias), mean, var, use_input_stats, momentum, eps, cudnn_enabled)
    for given, updated in ((running_mean, mean), (running_var, var)):
        if given is not None:
            aten.copy_.default(given, aten.mean.dim(aten.view.default(updated, (b, c)), (0,), False))
    return aten.view.default(out, input.shape)


# ---- gradients. With y the normalized values and g the gradient times the weight, each is (g - mean(g) - y * mean(g * y)) / deviation,
# means taken over what was normalized together.

#: Elements that are worth a thread, and spans that are worth a call of a loop.
_GRAIN, _SHORT = 1 << 15, 8


def _empty(t, shape):
    return aten.empty.memory_format(shape, dtype=t.dtype, device=t.device)


def _on_meta(input, weight_like, mask):
    shapes = (input.shape, weight_like, weight_like)
    return tuple(_empty(input, shape) if wanted else None for wanted, shape in zip(mask, shapes))


def native_group_norm_backward(grad_out, input, mean, rstd, weight, N, C, HxW, group, output_mask):
    if group <= 0 or C % group or N * C * HxW != input.numel() or tuple(grad_out.shape) != tuple(input.shape):
        raise RuntimeError("native_group_norm_backward: sizes do not fit together")
    if input.device.type == "meta":
        return _on_meta(input, (C,), output_mask)
    shape = N, group, C // group
    center, scale = (np.broadcast_to(read(t).reshape(N, group, 1), shape) for t in (mean, rstd))
    factor = None if weight is None else read(weight).reshape(1, *shape[1:])
    grads = _of_spans(*(read_contiguous(t) for t in (input, grad_out)), center, scale, factor, (2,), (0,), output_mask)
    return _adopted(grads, input, weight)


def _adopted(grads, input, weight):
    """The gradients of input, weight and bias as tensors, in the dtypes of what they are of."""
    of_input, *others = grads
    dtype = input.dtype if weight is None else weight.dtype
    result = None if of_input is None else new(of_input.reshape(tuple(input.shape)), input.dtype)
    return result, *(None if t is None else new(t.reshape(-1), dtype) for t in others)


def _of_spans(x, grad, center, scale, factor, together, shared, output_mask, statistics=True):
    """The gradients of a normalization over spans of memory, each of which holds what one channel of one item has.

    Parameters
    ----------
    x, grad : array
        The input and the gradient of the result, contiguous.
    center, scale : array
        The mean and the reciprocal deviation of each span.
    factor : array or None
        The weights, in a shape that broadcasts to that of the spans.
    together, shared : tuple of int
        The dimensions of spans that are normalized together, and those that share a weight.
    output_mask : sequence of bool
        Whether the gradients of input, weight and bias are wanted.
    statistics : bool
        Whether mean and deviation depend on the input.
    """
    shape, kind = center.shape, x.dtype.type
    spans = math.prod(shape)
    span = x.size // spans if spans else 0
    grain = _GRAIN // (span + 1) + 1
    center, scale = (np.ascontiguousarray(t, x.dtype) for t in (center, scale))
    sums, products = np.empty((2, *shape), x.dtype)
    _run_loop("span_sums", x.dtype, spans, grain, grad, x, center, sums, products, span)
    products *= scale
    result = None
    if output_mask[0]:
        of_grad = scale if factor is None else np.ascontiguousarray(scale * factor, x.dtype)
        of_x, rest = np.zeros((2, *shape), x.dtype)
        count = span * math.prod(shape[d] for d in together)
        if statistics and count:
            both = (sums, products) if factor is None else (sums * factor, products * factor)
            of_mean, of_deviation = (t.sum(axis=together, keepdims=True) / kind(count) for t in both)
            of_x[...], rest[...] = -of_deviation * scale * scale, -of_mean * scale
        result = np.empty(x.shape, x.dtype)
        _run_loop("span_gradients", x.dtype, spans, grain, grad, x, result, center, of_grad, of_x, rest, span)
    return result, products.sum(axis=shared) if output_mask[1] else None, sums.sum(axis=shared) if output_mask[2] else None


def native_batch_norm_backward(
    grad_out, input, weight, running_mean, running_var, save_mean, save_invstd, train, eps, output_mask
):
    if tuple(grad_out.shape) != tuple(input.shape) or input.dim() < 2:
        raise RuntimeError("native_batch_norm_backward: the gradient must have the input's shape, of at least two dimensions")
    channels = input.shape[1]
    if input.device.type == "meta":
        return _on_meta(input, (channels,), output_mask)
    needed = (save_mean, save_invstd) if train else (running_mean, running_var)
    if any(t is None or t.numel() != channels for t in (*needed, *(() if weight is None else (weight,)))):
        raise RuntimeError(f"native_batch_norm_backward: expected statistics and weight of {channels} elements")
    items, span = input.shape[0], math.prod(input.shape[2:])
    x, grad = (read(t).reshape(items, channels, span) for t in (input, grad_out))
    # Short spans are joined: a channel's elements of all items become one.
    joined = span < _SHORT and items > 1
    if joined:
        x, grad = (t.swapaxes(0, 1) for t in (x, grad))
    x, grad = (np.ascontiguousarray(t) for t in (x, grad))
    center = read(needed[0])
    scale = read(save_invstd) if train else 1 / np.sqrt(read(running_var) + x.dtype.type(eps))
    factor = None if weight is None else read(weight)
    center, scale = (np.broadcast_to(t, (1 if joined else items, channels)) for t in (center, scale))
    of_input, *others = _of_spans(x, grad, center, scale, factor, (0,), (0,), output_mask, train)
    return _adopted((of_input.swapaxes(0, 1) if joined and of_input is not None else of_input, *others), input, weight)


def batch_norm_backward(
    grad_out, input, weight, running_mean, running_var, save_mean, save_var, update, eps, output_mask, reserve
):
    return aten.native_batch_norm_backward.default(
        grad_out, input, weight, running_mean, running_var, save_mean, save_var, update, eps, output_mask
    )


def cudnn_batch_norm(input, weight, bias, running_mean, running_var, training, exponential_average_factor, epsilon):
    raise NotImplementedError(
        "Could not run 'aten::cudnn_batch_norm' with arguments from the 'CPU' backend: it is a binding of a library for CUDA devices"
    )
