"""Sampling of images at places that a tensor gives: grid_sampler and the grids of affine maps."""

import math

import numpy as np

from runtime._core import _run_loop, ops
from runtime.kernels._arrays import memory, new, read_contiguous
from runtime.kernels._common import scalar_name

aten = ops.aten

_BICUBIC = 2

#: Samples that the loop makes at a time, and those of one channel that are worth a thread.
_BLOCK, _GRAIN = 64, 1 << 14


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
    if input.dtype != grid.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(input.dtype)} but found {scalar_name(grid.dtype)}")
    if space == 3 and mode == _BICUBIC:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if not 0 <= mode <= 2 or not 0 <= padding_mode <= 2:
        raise RuntimeError("grid_sampler(): unknown interpolation or padding mode")


def _places(grid, sizes, align_corners, dtype):
    """Places in the input from coordinates in [-1, 1]; those along the last dimension of the space come first, as they do in the grid.

    Places in half types are rounded after each step, as PyTorch has it: which element is nearest depends on that.
    """
    at = memory(grid)
    one, two = at.dtype.type(1), at.dtype.type(2)
    n = np.array(sizes[::-1]).astype(at.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        at = (at + one) / two * (n - one) if align_corners else ((at + one) * n - one) / two
    return np.ascontiguousarray(at, dtype)


def _loop_arguments(name, input, grid, mode, padding_mode, align_corners):
    """The input's array, and what both loops begin with."""
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"\"{name}\" not implemented for '{scalar_name(input.dtype)}'")
    array, space = read_contiguous(input), input.dim() - 2
    sizes = array.shape[2:]
    if math.prod(sizes) >= 2**31:
        raise RuntimeError(f"grid_sampler(): images of 2**31 elements and more are not supported, but input has sizes {list(array.shape)}")
    shape = np.array([*array.shape[:2], *(1,) * (3 - space), *sizes, math.prod(grid.shape[1:-1])], np.int64)
    return array, (shape, mode, padding_mode, int(align_corners), space, array, _places(grid, sizes, align_corners, array.dtype))


def _grid_sampler(name, input, grid, mode, padding_mode, align_corners):
    shape = (*input.shape[:2], *grid.shape[1:-1])
    if input.device.type == "meta":
        return aten.empty.memory_format(shape, dtype=input.dtype, device=input.device)
    array, given = _loop_arguments(name, input, grid, mode, padding_mode, align_corners)
    out = np.empty(shape, array.dtype)
    blocks = -(-math.prod(shape[2:]) // _BLOCK)
    _run_loop("grid_sample", array.dtype, shape[0] * blocks, max(1, _GRAIN // (_BLOCK * (shape[1] + 1))), *given, out)
    return new(out, input.dtype)


def _grid_sampler_backward(name, grad_output, input, grid, mode, padding_mode, align_corners, output_mask):
    shape = (*input.shape[:2], *grid.shape[1:-1])
    if tuple(grad_output.shape) != shape:
        raise RuntimeError(f"grid_sampler backward: expected a gradient of shape {list(shape)}, but got {list(grad_output.shape)}")
    if input.device.type == "meta":
        return aten.empty_like.default(input) if output_mask[0] else None, aten.empty_like.default(grid)
    array, given = _loop_arguments(name, input, grid, mode, padding_mode, align_corners)
    of_input = np.zeros(array.shape, array.dtype) if output_mask[0] else None
    of_grid = np.zeros(tuple(grid.shape), array.dtype)
    _run_loop("grid_sample_gradients", array.dtype, shape[0], 1, *given, read_contiguous(grad_output), of_input, of_grid)
    return new(of_input, input.dtype) if output_mask[0] else None, new(of_grid, grid.dtype)


def grid_sampler_2d(input, grid, interpolation_mode, padding_mode, align_corners):
    _check(input, grid, 2, interpolation_mode, padding_mode)
    return _grid_sampler("grid_sampler_2d_cpu", input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(input, grid, interpolation_mode, padding_mode, align_corners):
    _check(input, grid, 3, interpolation_mode, padding_mode)
    return _grid_sampler("grid_sampler_3d_cpu", input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_2d_backward(grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask):
    _check(input, grid, 2, interpolation_mode, padding_mode)
    name = "grid_sampler_2d_backward_cpu"
    return _grid_sampler_backward(name, grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask)


def grid_sampler_3d_backward(grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask):
    _check(input, grid, 3, interpolation_mode, padding_mode)
    name = "grid_sampler_3d_backward_cpu"
    return _grid_sampler_backward(name, grad_output, input, grid, interpolation_mode, padding_mode, align_corners, output_mask)


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
