"""Windows of images as columns and back, and the operators that move elements between channels and space."""

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import memory, new, read

aten = ops.aten


def _pair(values):
    return tuple(values) * 2 if len(values) == 1 else tuple(values)


def _check_window(kernel_size, dilation, padding, stride):
    for name, values in (("kernel_size", kernel_size), ("dilation", dilation), ("padding", padding), ("stride", stride)):
        if len(values) != 2:
            raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(values)}")
    for name, values in (("kernel_size", kernel_size), ("dilation", dilation), ("stride", stride)):
        if min(values) <= 0:
            title = {"kernel_size": "kernel size"}.get(name, name)
            raise RuntimeError(f"{title} should be greater than zero, but got {name}: {list(values)}")
    if min(padding) < 0:
        raise RuntimeError(f"padding should be non-negative, but got padding: {list(padding)}")


def _blocks(sizes, kernel_size, dilation, padding, stride):
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in zip(sizes, kernel_size, dilation, padding, stride))


def im2col(self, kernel_size, dilation, padding, stride):
    kernel_size, dilation, padding, stride = map(_pair, (kernel_size, dilation, padding, stride))
    _check_window(kernel_size, dilation, padding, stride)
    sizes = tuple(self.shape)
    if len(sizes) not in (3, 4) or 0 in sizes[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(sizes)}"
        )
    blocks = _blocks(sizes[-2:], kernel_size, dilation, padding, stride)
    if min(blocks) < 1:
        raise RuntimeError(
            f"Given input with spatial size {sizes[-2:]}, kernel_size={kernel_size}, dilation={dilation}, padding={padding}, "
            f"stride={stride}, calculated shape of the array of sliding blocks as {blocks}, but its components must be at least one."
        )
    shape = (*sizes[:-3], sizes[-3] * kernel_size[0] * kernel_size[1], blocks[0] * blocks[1])
    if self.device.type == "meta":
        return aten.empty.memory_format(shape, dtype=self.dtype, device=self.device)
    array = np.pad(memory(self), [(0, 0)] * (len(sizes) - 2) + [(p, p) for p in padding])
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel_size))
    windows = np.lib.stride_tricks.sliding_window_view(array, reach, axis=(-2, -1))
    windows = windows[..., :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return new(np.ascontiguousarray(np.moveaxis(windows, (-2, -1), (-4, -3))).reshape(shape))


def col2im(self, output_size, kernel_size, dilation, padding, stride):
    output_size, kernel_size, dilation, padding, stride = map(_pair, (output_size, kernel_size, dilation, padding, stride))
    if len(output_size) != 2:
        raise RuntimeError(f"It is expected output_size equals to 2, but got size {len(output_size)}")
    _check_window(kernel_size, dilation, padding, stride)
    sizes, taps = tuple(self.shape), kernel_size[0] * kernel_size[1]
    if len(sizes) not in (2, 3) or 0 in sizes[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, "
            f"but got: {list(sizes)}"
        )
    if min(output_size) < 1:
        raise RuntimeError(f"Expected output spatial size to be positive, but got output_size: {list(output_size)}")
    if sizes[-2] % taps:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={sizes[-2]} and kernel_size={kernel_size}."
        )
    blocks = _blocks(output_size, kernel_size, dilation, padding, stride)
    if min(blocks) < 1 or blocks[0] * blocks[1] != sizes[-1]:
        raise RuntimeError(
            f"Given output_size={output_size}, kernel_size={kernel_size}, dilation={dilation}, padding={padding}, stride={stride}, expected "
            f"size of input's dimension 2 to match the calculated number of sliding blocks {blocks[0]} * {blocks[1]} = "
            f"{blocks[0] * blocks[1]}, but got input.size(2)={sizes[-1]}."
        )
    shape = (*sizes[:-2], sizes[-2] // taps, *output_size)
    if self.device.type == "meta":
        return aten.empty.memory_format(shape, dtype=self.dtype, device=self.device)
    columns = read(self)
    columns = columns.reshape(*sizes[:-2], shape[-3], *kernel_size, *blocks)
    image = np.zeros((*shape[:-2], *(n + 2 * p for n, p in zip(output_size, padding))), columns.dtype)
    for i in range(kernel_size[0]):
        rows = slice(i * dilation[0], i * dilation[0] + stride[0] * (blocks[0] - 1) + 1, stride[0])
        for j in range(kernel_size[1]):
            cols = slice(j * dilation[1], j * dilation[1] + stride[1] * (blocks[1] - 1) + 1, stride[1])
            image[..., rows, cols] += columns[..., i, j, :, :]
    (top, left), (height, width) = padding, output_size
    return new(image[..., top : top + height, left : left + width], self.dtype)


def pixel_shuffle(self, upscale_factor):
    r = upscale_factor
    if self.dim() < 3:
        raise RuntimeError(f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {self.dim()} dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    if r * r >= 2**63:
        raise ValueError(f"upscale factor is too large, (upscale_factor)^2 overflowed: upscale_factor={r}")
    *lead, c, h, w = self.shape
    if c % (r * r):
        raise RuntimeError(
            f"pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={c} is not divisible by {r * r}"
        )
    n = len(lead)
    split = aten.reshape.default(self, (*lead, c // (r * r), r, r, h, w))
    moved = aten.permute.default(split, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return aten.reshape.default(aten.clone.default(moved, memory_format=_contiguous()), (*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(self, downscale_factor):
    r = downscale_factor
    if self.dim() < 3:
        raise RuntimeError(f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {self.dim()} dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, c, h, w = self.shape
    for name, size, dim in (("height", h, -2), ("width", w, -1)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({dim})={size} is not divisible by {r}"
            )
    n = len(lead)
    split = aten.reshape.default(self, (*lead, c, h // r, r, w // r, r))
    moved = aten.permute.default(split, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return aten.reshape.default(aten.clone.default(moved, memory_format=_contiguous()), (*lead, c * r * r, h // r, w // r))


def channel_shuffle(self, groups):
    if self.dim() <= 2:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(self.shape)}")
    if groups <= 0:
        raise RuntimeError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    n, c, *space = self.shape
    if c % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups.")
    split = aten.reshape.default(self, (n, groups, c // groups, *space))
    moved = aten.clone.default(aten.transpose.int(split, 1, 2), memory_format=_contiguous())
    return aten.reshape.default(moved, self.shape)


def native_channel_shuffle(self, groups):
    return channel_shuffle(self, groups)


def _contiguous():
    import runtime

    return runtime.contiguous_format
