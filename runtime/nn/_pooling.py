"""Pooling functions: what operators lack of sizes is computed here, and indices are left out unless they are asked for."""

import runtime
from runtime._core import ops
from runtime.nn._public import public

aten = ops.aten

__all__ = [
    "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    *(name + suffix for name in ("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
      "adaptive_max_pool3d", "fractional_max_pool2d", "fractional_max_pool3d") for suffix in ("", "_with_indices")),
    "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
]  # fmt: skip


def _tuple(value, n):
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * n


def _list_or_empty(value):
    return () if value is None else value if isinstance(value, (list, tuple)) else (value,)


def _with_default(size, default):
    """An output size whose missing entries are the input's."""
    if not isinstance(size, (list, tuple)):
        return size
    if len(default) <= len(size):
        raise ValueError(f"Input dimension should be at least {len(size) + 1}")
    return [d if n is None else n for n, d in zip(size, default[-len(size) :])]


# ---- means


def adaptive_avg_pool2d(input, output_size):
    """Means over windows that follow from the size of the result."""
    return public["adaptive_avg_pool2d"](input, _tuple(_with_default(output_size, input.shape), 2))


def adaptive_avg_pool3d(input, output_size):
    """Means over windows that follow from the size of the result."""
    return public["adaptive_avg_pool3d"](input, _tuple(_with_default(output_size, input.shape), 3))


# ---- maxima


def _max_pool(name, input, kernel_size, stride, padding, dilation, ceil_mode):
    # Numbers stay numbers: the function's binding repeats them for each dimension.
    return public[name](input, kernel_size, () if stride is None else stride, padding, dilation, ceil_mode)


def max_pool1d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Maxima over windows, and their places."""
    return _max_pool("max_pool1d_with_indices", input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Maxima over windows, and their places."""
    return _max_pool("max_pool2d_with_indices", input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Maxima over windows, and their places."""
    return _max_pool("max_pool3d_with_indices", input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Maxima over windows; with their places where `return_indices` is true."""
    name = "max_pool1d_with_indices" if return_indices else "max_pool1d"
    return _max_pool(name, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Maxima over windows; with their places where `return_indices` is true."""
    name = "max_pool2d_with_indices" if return_indices else "max_pool2d"
    return _max_pool(name, input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """Maxima over windows; with their places where `return_indices` is true."""
    name = "max_pool3d_with_indices" if return_indices else "max_pool3d"
    return _max_pool(name, input, kernel_size, stride, padding, dilation, ceil_mode)


def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """Maxima over windows that follow from the size of the result, and their places."""
    return public["adaptive_max_pool1d"](input, _tuple(output_size, 1))


def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """Maxima over windows that follow from the size of the result, and their places."""
    return public["adaptive_max_pool2d"](input, _tuple(_with_default(output_size, input.shape), 2))


def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """Maxima over windows that follow from the size of the result, and their places."""
    return public["adaptive_max_pool3d"](input, _tuple(_with_default(output_size, input.shape), 3))


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """Maxima over windows that follow from the size of the result."""
    results = adaptive_max_pool1d_with_indices(input, output_size)
    return results if return_indices else results[0]


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """Maxima over windows that follow from the size of the result."""
    results = adaptive_max_pool2d_with_indices(input, output_size)
    return results if return_indices else results[0]


def adaptive_max_pool3d(input, output_size, return_indices=False):
    """Maxima over windows that follow from the size of the result."""
    results = adaptive_max_pool3d_with_indices(input, output_size)
    return results if return_indices else results[0]


def _fractional(packet, space, input, kernel_size, output_size, output_ratio, random_samples):
    name = f"fractional_max_pool{space}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        ratios = _tuple(output_ratio, space)
        output_size = [int(n * r) for n, r in zip(input.shape[-space:], ratios)]
    if random_samples is None:
        batch = input.shape[0] if input.dim() == space + 2 else 1
        random_samples = runtime.rand(batch, input.shape[-space - 1], space, dtype=input.dtype, device=input.device)
    return packet.default(input, _tuple(kernel_size, space), _tuple(output_size, space), random_samples)


def fractional_max_pool2d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """Maxima over windows at random places, and their places."""
    return _fractional(aten.fractional_max_pool2d, 2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
):
    """Maxima over windows at random places, and their places."""
    return _fractional(aten.fractional_max_pool3d, 3, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
    """Maxima over windows at random places."""
    results = fractional_max_pool2d_with_indices(input, kernel_size, output_size, output_ratio, True, _random_samples)
    return results if return_indices else results[0]


def fractional_max_pool3d(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
    """Maxima over windows at random places."""
    results = fractional_max_pool3d_with_indices(input, kernel_size, output_size, output_ratio, True, _random_samples)
    return results if return_indices else results[0]


# ---- back to the places of maxima


def _unpool_size(input, kernel_size, stride, padding, output_size):
    space = len(kernel_size)
    sizes = list(input.shape)[-space:]
    default = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(sizes, kernel_size, stride, padding)]
    if output_size is None:
        return default
    output_size = list(output_size)
    if len(output_size) == space + 2:
        output_size = output_size[2:]
    if len(output_size) != space:
        raise ValueError(
            f"output_size should be a sequence containing {space} or {space + 2} elements, but it has a length of '{len(output_size)}'"
        )
    for d in range(space):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < output_size[d] < high:
            raise ValueError(f'invalid output_size "{output_size}" (dim {d} must be between {low} and {high})')
    return output_size


def _unpool_lists(space, kernel_size, stride, padding):
    kernel_size = _tuple(kernel_size, space)
    return kernel_size, kernel_size if stride is None else _tuple(stride, space), _tuple(padding, space)


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Maxima at the places that `max_pool1d` took them from, zeros elsewhere."""
    kernel_size, stride, padding = _unpool_lists(1, kernel_size, stride, padding)
    size = _unpool_size(input, kernel_size, stride, padding, output_size)
    out = aten.max_unpool2d.default(aten.unsqueeze.default(input, -1), aten.unsqueeze.default(indices, -1), (*size, 1))
    return aten.squeeze.dim(out, -1)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Maxima at the places that `max_pool2d` took them from, zeros elsewhere."""
    kernel_size, stride, padding = _unpool_lists(2, kernel_size, stride, padding)
    return aten.max_unpool2d.default(input, indices, _unpool_size(input, kernel_size, stride, padding, output_size))


def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Maxima at the places that `max_pool3d` took them from, zeros elsewhere."""
    kernel_size, stride, padding = _unpool_lists(3, kernel_size, stride, padding)
    size = _unpool_size(input, kernel_size, stride, padding, output_size)
    return aten.max_unpool3d.default(input, indices, size, stride, padding)


# ---- norms


def _lp_pool(pool, space, input, norm_type, kernel_size, stride, ceil_mode):
    kernel = _tuple(kernel_size, space)
    mean = pool.default(aten.pow.Tensor_Scalar(input, norm_type), kernel, _list_or_empty(stride), (0,), ceil_mode)
    volume = 1
    for n in kernel:
        volume *= n
    # The sign is kept where a mean is negative, which odd powers give.
    signed = aten.mul.Tensor(aten.sign.default(mean), aten.relu.default(aten.abs.default(mean)))
    return aten.pow.Tensor_Scalar(aten.mul.Scalar(signed, volume), 1.0 / norm_type)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Norms over windows."""
    return _lp_pool(aten.avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Norms over windows."""
    return _lp_pool(aten.avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Norms over windows."""
    return _lp_pool(aten.avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)
