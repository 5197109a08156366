"""Sampling of images at places that a tensor gives: grid_sampler and the grids of affine maps."""

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


def _inside(at, size, padding_mode, align_corners):
    """Places moved as the padding mode has it."""
    if padding_mode == _ZEROS:
        return at
    if padding_mode == _REFLECTION:
        low, span = (0, size - 1) if align_corners else (-0.5, size)
        if span == 0:
            at = np.zeros_like(at)
        else:
            far = np.abs(at - at.dtype.type(low))
            rest = np.fmod(far, at.dtype.type(span))
            at = np.where(np.floor(far / span) % 2 == 0, rest + at.dtype.type(low), span - rest + at.dtype.type(low)).astype(at.dtype)
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
    a = t.dtype.type(-0.75)

    def near(x):
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x):
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return far(t + 1), near(t), near(1 - t), far(2 - t)


def _grid_sampler(input, grid, mode, padding_mode, align_corners):
    space = input.dim() - 2
    shape = (*input.shape[:2], *grid.shape[1:-1])
    if input.device.type == "meta":
        return aten.empty.memory_format(shape, dtype=input.dtype, device=input.device)
    # Places in half types are rounded after each step, as PyTorch has it: which element is nearest depends on that.
    array, points = read(input), memory(grid)
    at = [_place(points[..., space - 1 - d], input.shape[2 + d], align_corners) for d in range(space)]
    at = [x.astype(array.dtype) for x in at]
    if mode != _BICUBIC:
        at = [_inside(x, n, padding_mode, align_corners) for x, n in zip(at, array.shape[2:])]
    if mode == _NEAREST:
        return new(_sample(array, [np.rint(x) for x in at]), input.dtype)
    low = [np.floor(x) for x in at]
    parts = [x - f for x, f in zip(at, low)]
    if mode == _BILINEAR:
        taps = [[(f, 1 - p), (f + 1, p)] for f, p in zip(low, parts)]
    else:
        taps = [[(f + k - 1, w) for k, w in enumerate(_cubic_weights(p))] for f, p in zip(low, parts)]
        taps = [[(_inside(i, n, padding_mode, align_corners), w) for i, w in t] for t, n in zip(taps, array.shape[2:])]
    out = np.zeros(shape, array.dtype)
    for number in np.ndindex(*(len(t) for t in taps)):
        chosen = [t[k] for t, k in zip(taps, number)]
        weight = chosen[0][1]
        for _, w in chosen[1:]:
            weight = weight * w
        with np.errstate(invalid="ignore"):
            out += _sample(array, [i for i, _ in chosen]) * weight[:, None]
    return new(out, input.dtype)


def grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners):
    _check(input, grid, 2, interpolation_mode, padding_mode)
    return _grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(input, grid, interpolation_mode, padding_mode, align_corners):
    _check(input, grid, 3, interpolation_mode, padding_mode)
    return _grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    _check(input, grid, 3 if input.dim() == 5 else 2, interpolation_mode, padding_mode)
    packet = aten.grid_sampler_2d if input.dim() == 4 else aten.grid_sampler_3d
    return packet.default(input, grid, interpolation_mode, padding_mode, align_corners)


def affine_grid_generator(theta, size, align_corners):
    """Places of a regular grid under an affine map, in coordinates from -1 to 1."""
    space = len(size) - 2
    if space not in (2, 3):
        raise RuntimeError("AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs.")
    if theta.dim() != 3 or tuple(theta.shape) != (size[0], space, space + 1):
        raise RuntimeError(f"Expected a batch of affine matrices of shape {size[0]}x{space}x{space + 1}, but got {list(theta.shape)}")
    options = {"dtype": theta.dtype, "device": theta.device}
    base = aten.empty.memory_format((size[0], *size[2:], space + 1), **options)
    for d in range(space):
        n = size[2 + d]
        end = (1.0 if align_corners else (n - 1) / n) if n > 1 else 0.0
        line = aten.linspace.default(-end, end, n, **options)
        line = aten.view.default(line, (n,) + (1,) * (space - 1 - d))
        aten.copy_.default(aten.select.int(base, -1, space - 1 - d), line)
    aten.fill_.Scalar(aten.select.int(base, -1, space), 1)
    flat = aten.view.default(base, (size[0], -1, space + 1))
    return aten.view.default(aten.bmm.default(flat, aten.transpose.int(theta, 1, 2)), (size[0], *size[2:], space))
