"""Sampling of images at places that a tensor gives: grid_sampler and the grids of affine maps."""

import itertools
import math

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import memory, new, read

aten = ops.aten

_BILINEAR, _NEAREST, _BICUBIC = range(3)
_ZEROS, _BORDER, _REFLECTION = range(3)


def _check(input, grid, space, mode, padding_mode):
    if input.device != grid.device:
        raise RuntimeError(
            f"grid_sampler(): expected input and grid to be on same device, but input is on {input.device} and grid is on {grid.device}"
        )
    if input.dtype != grid.dtype and not (input.dtype.is_floating_point and grid.dtype.is_floating_point):
        raise RuntimeError("grid_sampler(): expected input and grid to have floating dtypes")
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if grid.shape[-1] != input.dim() - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {input.dim() - 2} in last dimension, but got grid with sizes {list(grid.shape)}"
        )
    for i, n in enumerate(input.shape[2:]):
        if n <= 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
                f"{list(input.shape)} with dimension {i + 2} being empty"
            )
    if input.dim() != space + 2 or input.dim() != grid.dim():
        raise RuntimeError(
            f"grid_sampler(): expected {'4D or 5D' if space == 0 else f'{space + 2}D'} input and grid with same number of dimensions, "
            f"but got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if space == 3 and mode == _BICUBIC:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if not 0 <= mode <= 2 or not 0 <= padding_mode <= 2:
        raise RuntimeError("grid_sampler(): unknown interpolation or padding mode")


def _place(at, size, align_corners):
    """From [-1, 1] to places of the input; the last coordinate of a grid is that of the first dimension of the space."""
    one, two, n = (at.dtype.type(x) for x in (1, 2, size))
    return (at + one) / two * (n - one) if align_corners else ((at + one) * n - one) / two


def _reflected(at, low, span):
    """Places reflected at both ends of a span until they lie in it."""
    far = np.abs(at - at.dtype.type(low))
    rest = np.fmod(far, at.dtype.type(span))
    return np.where(np.floor(far / span) % 2 == 0, rest + at.dtype.type(low), span - rest + at.dtype.type(low)).astype(at.dtype)


def _inside(at, size, padding_mode, align_corners):
    """Places moved as the padding mode has it."""
    if padding_mode == _ZEROS:
        return at
    if padding_mode == _REFLECTION:
        low, span = (0, size - 1) if align_corners else (-0.5, size)
        at = _reflected(at, low, span) if span else np.zeros_like(at)
    return np.clip(np.nan_to_num(at, nan=0.0, posinf=size - 1, neginf=0), 0, size - 1)


def _sample(array, indices):
    """Elements [N, C, places] at integer places, 0 outside of the input."""
    batch = np.arange(array.shape[0]).reshape((-1,) + (1,) * (indices[0].ndim - 1))
    valid, places = True, []
    for d, index in enumerate(indices):
        size = array.shape[2 + d]
        with np.errstate(invalid="ignore"):
            inside = (index >= 0) & (index < size)
            places.append(np.where(inside, index, 0).astype(np.intp))
        valid = valid & inside
    values = np.moveaxis(array[(batch, slice(None), *places)], -1, 1)
    return values * valid[:, None]


def _cubic_weights(t):
    """Weights of the four places around, and how they grow with `t`."""
    a = t.dtype.type(-0.75)

    def near(x):
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x):
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    def near_slope(x):
        return (3 * (a + 2) * x - 2 * (a + 3)) * x

    def far_slope(x):
        return (3 * a * x - 10 * a) * x + 8 * a

    weights = far(t + 1), near(t), near(1 - t), far(2 - t)
    return weights, (far_slope(t + 1), near_slope(t), -near_slope(1 - t), -far_slope(2 - t))


def _turned(at, size, padding_mode, align_corners):
    """How fast the places that `_inside` gives change with those that it was given: 1, 0 or -1."""
    if padding_mode == _ZEROS:
        return at.dtype.type(1)
    turned = np.ones_like(at)
    if padding_mode == _REFLECTION:
        low, span = (0, size - 1) if align_corners else (-0.5, size)
        if span == 0:
            return np.zeros_like(at)
        turned = np.where((at < low) ^ (np.floor(np.abs(at - low) / span) % 2 == 1), -1, 1)
        at = _reflected(at, low, span)
    return np.where((at > 0) & (at < size - 1), turned, 0).astype(at.dtype)


def _taps(points, shape, mode, padding_mode, align_corners, dtype):
    """For each dimension of the space what is summed: (places, weights, how the weights grow with the grid's coordinate)."""
    space = len(shape)
    taps = []
    for d, n in enumerate(shape):
        # Places in half types are rounded after each step, as PyTorch has it: which element is nearest depends on that.
        at = _place(points[..., space - 1 - d], n, align_corners).astype(dtype)
        step = at.dtype.type((n - 1 if align_corners else n) / 2)
        if mode != _BICUBIC:
            step = step * _turned(at, n, padding_mode, align_corners)
            at = _inside(at, n, padding_mode, align_corners)
        if mode == _NEAREST:
            taps.append([(np.rint(at), np.ones_like(at), np.zeros_like(at))])
            continue
        low = np.floor(at)
        part = at - low
        if mode == _BILINEAR:
            taps.append([(low, 1 - part, -step), (low + 1, part, step)])
            continue
        weights = zip(*_cubic_weights(part))
        taps.append([(_inside(low + k - 1, n, padding_mode, align_corners), w, slope * step) for k, (w, slope) in enumerate(weights)])
    return taps


def _grid_sampler(input, grid, mode, padding_mode, align_corners):
    shape = (*input.shape[:2], *grid.shape[1:-1])
    if input.device.type == "meta":
        return aten.empty.memory_format(shape, dtype=input.dtype, device=input.device)
    array = read(input)
    taps = _taps(memory(grid), array.shape[2:], mode, padding_mode, align_corners, array.dtype)
    if mode == _NEAREST:
        return new(_sample(array, [t[0][0] for t in taps]), input.dtype)
    out = np.zeros(shape, array.dtype)
    for chosen in itertools.product(*taps):
        weight = math.prod(w for _, w, _ in chosen)
        with np.errstate(invalid="ignore"):
            out += _sample(array, [i for i, _, _ in chosen]) * weight[:, None]
    return new(out, input.dtype)


def _grid_sampler_backward(grad_output, input, grid, mode, padding_mode, align_corners, output_mask):
    shape = (*input.shape[:2], *grid.shape[1:-1])
    if tuple(grad_output.shape) != shape:
        raise RuntimeError(f"grid_sampler backward: expected a gradient of shape {list(shape)}, but got {list(grad_output.shape)}")
    if input.device.type == "meta":
        return aten.empty_like.default(input) if output_mask[0] else None, aten.empty_like.default(grid)
    array, grad = read(input), read(grad_output)
    space = array.shape[2:]
    taps = _taps(memory(grid), space, mode, padding_mode, align_corners, array.dtype)
    of_input = np.zeros((array.shape[0], math.prod(space), array.shape[1]), array.dtype)
    of_grid = np.zeros(tuple(grid.shape), array.dtype)
    batch = np.broadcast_to(np.arange(array.shape[0]).reshape((-1,) + (1,) * len(space)), grid.shape[:-1])
    for chosen in itertools.product(*taps):
        indices = [i for i, _, _ in chosen]
        if output_mask[0]:
            inside = np.logical_and.reduce([(i >= 0) & (i < n) for i, n in zip(indices, space)])
            flat = np.ravel_multi_index([i[inside].astype(np.intp) for i in indices], space)
            weight = math.prod(w for _, w, _ in chosen)[inside]
            np.add.at(of_input, (batch[inside], flat), np.moveaxis(grad, 1, -1)[inside] * weight[:, None])
        if mode != _NEAREST:
            values = (_sample(array, indices) * grad).sum(axis=1)
            for d in range(len(space)):
                slope = math.prod(s if e == d else w for e, (_, w, s) in enumerate(chosen))
                of_grid[..., len(space) - 1 - d] += values * slope
    of_input = np.moveaxis(of_input, -1, 1).reshape(array.shape)
    return new(of_input, input.dtype) if output_mask[0] else None, new(of_grid, grid.dtype)


def grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners):
    _check(input, grid, 2, interpolation_mode, padding_mode)
    return _grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(input, grid, interpolation_mode, padding_mode, align_corners):
    _check(input, grid, 3, interpolation_mode, padding_mode)
    return _grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_2d_backward(grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask):
    _check(input, grid, 2, interpolation_mode, padding_mode)
    return _grid_sampler_backward(grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask)


def grid_sampler_3d_backward(grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask):
    _check(input, grid, 3, interpolation_mode, padding_mode)
    return _grid_sampler_backward(grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask)


def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    _check(input, grid, 3 if input.dim() == 5 else 2, interpolation_mode, padding_mode)
    packet = aten.grid_sampler_2d if input.dim() == 4 else aten.grid_sampler_3d
    return packet.default(input, grid, interpolation_mode, padding_mode, align_corners)


def _regular_grid(theta, size, align_corners):
    """Places of a regular grid, as rows of homogeneous coordinates from -1 to 1."""
    space = len(size) - 2
    if space not in (2, 3):
        raise RuntimeError("AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.")
    options = {"dtype": theta.dtype, "device": theta.device}
    base = aten.empty.memory_format((size[0], *size[2:], space + 1), **options)
    for d in range(space):
        n = size[2 + d]
        end = (1.0 if align_corners else (n - 1) / n) if n > 1 else 0.0
        line = aten.linspace.default(-end, end, n, **options)
        line = aten.view.default(line, (n,) + (1,) * (space - 1 - d))
        aten.copy_.default(aten.select.int(base, -1, space - 1 - d), line)
    aten.fill_.Scalar(aten.select.int(base, -1, space), 1)
    return aten.view.default(base, (size[0], -1, space + 1))


def affine_grid_generator(theta, size, align_corners):
    """Places of a regular grid under an affine map, in coordinates from -1 to 1."""
    space = len(size) - 2
    flat = _regular_grid(theta, size, align_corners)
    if theta.dim() != 3 or tuple(theta.shape) != (size[0], space, space + 1):
        raise RuntimeError(f"Expected a batch of affine matrices of shape {size[0]}x{space}x{space + 1}, but got {list(theta.shape)}")
    return aten.view.default(aten.bmm.default(flat, aten.transpose.int(theta, 1, 2)), (size[0], *size[2:], space))


def affine_grid_generator_backward(grad, size, align_corners):
    space = len(size) - 2
    flat = _regular_grid(grad, size, align_corners)
    if tuple(grad.shape) != (size[0], *size[2:], space):
        raise RuntimeError(f"Expected a gradient of shape {[size[0], *size[2:], space]}, but got {list(grad.shape)}")
    grads = aten.reshape.default(grad, (size[0], -1, space))
    return aten.transpose.int(aten.bmm.default(aten.transpose.int(flat, 1, 2), grads), 1, 2)
