"""Pooling operators made of others, and those that scatter or choose windows at random."""

import math

import numpy as np

import runtime
from runtime._core import _offered, ops
from runtime.kernels._arrays import memory, new, place_of, read
from runtime.kernels._common import into, scalar_name
from runtime.kernels.fused import is_strides_like_format

aten = ops.aten


def _along_width(name, self, operator, *lists):
    """A pool of two dimensions over a tensor of one dimension of space."""
    for what, values in lists:
        if len(values) > 1:
            raise RuntimeError(f"{name}() argument '{what}' should contain one int (got {len(values)})")
    if self.dim() not in (2, 3):
        raise RuntimeError(
            f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:{list(self.shape)}"
        )
    results = operator(aten.unsqueeze.default(self, -2))
    if isinstance(results, (tuple, list)):
        return tuple(aten.squeeze.dim(r, -2) for r in results)
    return aten.squeeze.dim(results, -2)


def _wide(values, other):
    return (other, values[0]) if len(values) else ()


def max_pool1d(self, kernel_size, stride=(), padding=(0,), dilation=(1,), ceil_mode=False):
    if self.is_quantized:
        return aten.quantized_max_pool1d.default(self, kernel_size, stride, padding, dilation, ceil_mode)
    if len(stride) == len(padding) == 1 and self.dtype.is_floating_point and self.dim() and 0 <= padding[0] < 2**31:
        # Beyond the padded row a stride says nothing more.
        stride = (min(stride[0], max(1, self.shape[-1] + 2 * padding[0])),)
    if len(kernel_size) == len(padding) == len(dilation) == 1 and self.dtype.is_floating_point and self.dim():
        # Dilated kernels may be padded by half of what they reach over, which is more than pools that have indices take.
        if kernel_size[0] // 2 < padding[0] <= ((kernel_size[0] - 1) * dilation[0] + 1) // 2 and not ceil_mode:
            padded = aten.constant_pad_nd.default(self, (padding[0],) * 2, -math.inf)
            return max_pool1d_with_indices(padded, kernel_size, stride, (0,), dilation, ceil_mode)[0]
    return max_pool1d_with_indices(self, kernel_size, stride, padding, dilation, ceil_mode)[0]


def max_pool1d_with_indices(self, kernel_size, stride=(), padding=(0,), dilation=(1,), ceil_mode=False):
    def pool(t):
        return aten.max_pool2d_with_indices.default(
            t, _wide(kernel_size, 1), _wide(stride, 1), _wide(padding, 0), _wide(dilation, 1), ceil_mode
        )

    lists = ("kernel_size", kernel_size), ("stride", stride), ("padding", padding), ("dilation", dilation)
    return _along_width("max_pool1d", self, pool, *lists)


def max_pool2d(self, kernel_size, stride=(), padding=(0, 0), dilation=(1, 1), ceil_mode=False):
    if self.is_quantized:
        return aten.quantized_max_pool2d.default(self, kernel_size, stride, padding, dilation, ceil_mode)
    return aten.max_pool2d_with_indices.default(self, kernel_size, stride, padding, dilation, ceil_mode)[0]


def max_pool3d(self, kernel_size, stride=(), padding=(0, 0, 0), dilation=(1, 1, 1), ceil_mode=False):
    return aten.max_pool3d_with_indices.default(self, kernel_size, stride, padding, dilation, ceil_mode)[0]


def avg_pool1d(self, kernel_size, stride=(), padding=(0,), ceil_mode=False, count_include_pad=True):
    def pool(t):
        rest = _wide(kernel_size, 1), _wide(stride, 1), _wide(padding, 0), ceil_mode, count_include_pad
        step = stride[0] if stride else kernel_size[0] if kernel_size else 0
        if not ceil_mode and step > 0 and len(kernel_size) == len(padding) == 1:
            length = (self.shape[-1] + 2 * padding[0] - kernel_size[0]) // step + 1
            out = _offered(aten.avg_pool1d.default, (*self.shape[:-1], length), self.dtype) if length > 0 else None
            if out is not None:
                return aten.avg_pool2d.out(t, *rest, out=aten.unsqueeze.default(out, -2))
        return aten.avg_pool2d.default(t, *rest)

    return _along_width("avg_pool1d", self, pool, ("kernel_size", kernel_size), ("stride", stride), ("padding", padding))


def _check_adaptive(name, self, output_size):
    if len(output_size) != 1:
        raise RuntimeError(f"{name}: output_size must have one element")
    if self.dim() not in (2, 3):
        raise RuntimeError(f"{name}(): Expected 2D or 3D tensor, but got {list(self.shape)}")


def _check_nonempty(name, self):
    for d in range(1 if self.dim() == 3 else 0, self.dim()):
        if self.shape[d] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes {list(self.shape)} "
                f"with dimension {d} being empty"
            )


def adaptive_avg_pool1d(self, output_size):
    _check_adaptive("adaptive_avg_pool1d", self, output_size)
    out = aten.adaptive_avg_pool2d.default(aten.unsqueeze.default(self, -2), (1, output_size[0]))
    return aten.squeeze.dim(out, -2)


def adaptive_max_pool1d(self, output_size):
    _check_adaptive("adaptive_max_pool1d", self, output_size)
    _check_nonempty("adaptive_max_pool1d", self)
    out, indices = aten.adaptive_max_pool2d.default(aten.unsqueeze.default(self, -2), (1, output_size[0]))
    return aten.squeeze.dim(out, -2), aten.squeeze.dim(indices, -2)


def _adaptive_avg(name, packet, self, output_size, space):
    if len(output_size) != space:
        raise RuntimeError(f"{name}: output_size must be {space}")
    if min(output_size) < 0:
        raise RuntimeError(f"{name}: elements of output_size must be greater than or equal to 0 but received {list(output_size)}")
    if all(n == 1 for n in output_size) and self.dim() in (space + 1, space + 2):
        return aten.mean.dim(self, tuple(range(-space, 0)), True)
    return packet.default(self, output_size)


def adaptive_avg_pool2d(self, output_size):
    out = _adaptive_avg("adaptive_avg_pool2d", aten._adaptive_avg_pool2d, self, output_size, 2)
    if not self.is_contiguous() and is_strides_like_format(self, runtime.channels_last):
        # The loop's result is contiguous.
        return aten.contiguous.default(out, memory_format=runtime.channels_last)
    return out


def adaptive_avg_pool3d(self, output_size):
    return _adaptive_avg("adaptive_avg_pool3d", aten._adaptive_avg_pool3d, self, output_size, 3)


def adaptive_avg_pool3d_backward_grad_input(grad_output, self, *, grad_input):
    return into(grad_input, aten._adaptive_avg_pool3d_backward.default(grad_output, self))


# ---- back to the places of maxima


def _max_unpool(name, self, indices, output_size, space):
    if str(indices.dtype).rpartition(".")[2] != "int64":
        raise RuntimeError(f"elements in indices should be type int64 but got: {scalar_name(indices.dtype)}")
    if len(output_size) != space:
        names = "(height, width)" if space == 2 else "(depth, height, width)"
        count = ("two", "three")[space - 2]
        raise RuntimeError(f"There should be exactly {count} elements {names} in output_size, but got {len(output_size)} elements.")
    if self.dim() not in (space + 1, space + 2):
        raise RuntimeError(f"Input to {name} should be a {space + 1}d or {space + 2}d Tensor, but got a tensor with {self.dim()} dimensions.")
    if tuple(self.shape) != tuple(indices.shape):
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(self.shape)}) but got indices tensor with shape: "
            f"{list(indices.shape)}"
        )
    if 0 in self.shape[1 if self.dim() == space + 2 else 0 :]:
        raise RuntimeError(f"{name}(): Expected input to have non-zero size for non-batch dimensions, but got {list(self.shape)}")
    if min(output_size) < 0:
        raise RuntimeError(f"{name}(): elements of output_size must not be negative, but got {list(output_size)}")
    shape = (*self.shape[: self.dim() - space], *output_size)
    if self.device.type == "meta":
        return aten.empty.memory_format(shape, dtype=self.dtype, device=self.device)
    if not self.dtype.is_floating_point and str(self.dtype).endswith("bool"):
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")
    values = memory(self).reshape(-1, int(np.prod(self.shape[self.dim() - space :])))
    places = memory(indices).reshape(values.shape)
    size = int(np.prod(output_size, dtype=object))
    out = aten.zeros.default(shape, dtype=self.dtype, device=self.device)
    if values.size:
        if places.min() < 0 or places.max() >= size:
            wrong = places[(places < 0) | (places >= size)][0]
            raise RuntimeError(f"Found an invalid max index: {wrong} (output volumes are of size {'x'.join(map(str, output_size))}")
        np.put_along_axis(memory(out).reshape(values.shape[0], size), places, values, axis=1)
    return out


def max_unpool2d(self, indices, output_size):
    return _max_unpool("max_unpooling2d_forward_out_cpu", self, indices, output_size, 2)


def max_unpool3d(self, indices, output_size, stride, padding):
    if len(stride) not in (1, 3) or len(padding) not in (1, 3):
        raise RuntimeError("There should be exactly three elements (depth, height, width) in stride and in padding")
    if min(stride) <= 0:
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    return _max_unpool("max_unpooling3d", self, indices, output_size, 3)


# ---- windows at random places


def _fractional_starts(samples, size, result, pool):
    """First elements of the windows along a dimension: [batch, channels, result]."""
    start = np.zeros((*samples.shape, result), np.intp)
    if result > 1:
        alpha = samples.dtype.type(size - pool) / samples.dtype.type(result - 1)
        at = np.arange(result - 1).astype(samples.dtype)
        start[..., :-1] = ((at + samples[..., None]) * alpha).astype(np.intp) - (samples * alpha).astype(np.intp)[..., None]
    start[..., -1:] = size - pool
    return start


def _fractional_max_pool(name, self, kernel_size, output_size, random_samples, space):
    kernel_size = kernel_size * space if len(kernel_size) == 1 else kernel_size
    output_size = output_size * space if len(output_size) == 1 else output_size
    if len(kernel_size) != space or len(output_size) != space:
        raise RuntimeError(f"{name}: kernel_size and output_size must either be a single int or tuple of Ints")
    if min(kernel_size) <= 0 or min(output_size) <= 0:
        raise RuntimeError(f"{name}: kernel_size and output_size must be greater than zero")
    first = self.dim() - space
    if first not in (1, 2) or 0 in self.shape[first - 1 :]:
        raise RuntimeError(f"{name}: Expected {space + 1}D or {space + 2}D (batch mode) tensor, but got: {list(self.shape)}")
    for size, result, pool in zip(self.shape[first:], output_size, kernel_size):
        if result + pool - 1 > size - (space == 3):
            raise RuntimeError(f"{name}(): pool size ({pool}) too large relative to input size ({size})")
    if self.dtype != random_samples.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")
    batch = self.shape[0] if first == 2 else 1
    wanted, given = (batch, self.shape[first - 1], space), tuple(random_samples.shape)
    if len(given) != 3 or given[0] < batch or given[1] < wanted[1] or given[2] != space:
        raise RuntimeError(f"Expect _random_samples of shape {list(wanted)}, but got {list(given)}")
    shape = (*self.shape[:first], *output_size)
    if self.device.type == "meta":
        import runtime

        return tuple(aten.empty.memory_format(shape, dtype=dtype, device=self.device) for dtype in (self.dtype, runtime.int64))
    array = read(self).reshape(batch, *self.shape[first - 1 :])
    samples = read(random_samples)[:batch, : array.shape[1]]
    ones = (1,) * space
    grids = []
    for d in range(space):
        # Of planes the first sample is that of the width, of volumes that of the depth.
        start = _fractional_starts(samples[..., 1 - d if space == 2 else d], array.shape[2 + d], output_size[d], kernel_size[d])
        index = start[..., None] + np.arange(kernel_size[d])
        spread = [n if e == d else 1 for sizes in (output_size, kernel_size) for e, n in enumerate(sizes)]
        grids.append(index.reshape(*index.shape[:2], *spread))
    n = np.arange(batch).reshape(-1, 1, *ones, *ones)
    c = np.arange(array.shape[1]).reshape(1, -1, *ones, *ones)
    windows = array[(n, c, *grids)]
    flat = grids[0]
    for d in range(1, space):
        flat = flat * array.shape[2 + d] + grids[d]
    flat = np.broadcast_to(flat, windows.shape).reshape(*windows.shape[: 2 + space], int(np.prod(kernel_size)))
    windows = windows.reshape(flat.shape)
    best = windows.argmax(axis=-1)[..., None]
    values, indices = np.take_along_axis(windows, best, -1)[..., 0], np.take_along_axis(flat, best, -1)[..., 0]
    return new(values.reshape(shape), self.dtype), new(indices.reshape(shape).astype(np.int64))


def fractional_max_pool2d(self, kernel_size, output_size, random_samples):
    return _fractional_max_pool("fractional_max_pool2d", self, kernel_size, output_size, random_samples, 2)


def fractional_max_pool3d(self, kernel_size, output_size, random_samples):
    return _fractional_max_pool("fractional_max_pool3d", self, kernel_size, output_size, random_samples, 3)


def _at_indices(op, grad_output, self, indices, space):
    if tuple(grad_output.shape) != tuple(indices.shape):
        raise RuntimeError("fractional_max_pool backward: gradient and indices must have the same shape")
    if self.device.type == "meta":
        return aten.empty.memory_format(self.shape, dtype=self.dtype, device=self.device)
    result = aten.zero_.default(place_of(op, self.shape, self.dtype, self.device))
    if grad_output.numel():
        planes, elements = math.prod(self.shape[: self.dim() - space]), math.prod(self.shape[self.dim() - space :])
        grad, places = (aten.reshape.default(t, (planes, -1)) for t in (grad_output, indices))
        aten.scatter_add_.default(aten.view.default(result, (planes, elements)), 1, places, aten.to.dtype(grad, self.dtype))
    return result


def fractional_max_pool2d_backward(grad_output, self, kernel_size, output_size, indices):
    return _at_indices(aten.fractional_max_pool2d_backward.default, grad_output, self, indices, 2)


def fractional_max_pool3d_backward(grad_output, self, kernel_size, output_size, indices):
    return _at_indices(aten.fractional_max_pool3d_backward.default, grad_output, self, indices, 3)
