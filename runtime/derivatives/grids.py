"""The gradients of grid_sampler's gradients.

A sample is the sum of values at a few places (taps) along each dimension of the space, multiplied by weights that depend on the grid's
coordinates. With a further gradient u of the input's and v of the grid's gradient, what the gradient of the result is multiplied with is

    sample(u) + sum over d of v[d] * (derivative of sample(input) by coordinate d)

and gradients by the input and by the grid follow from its weights and their derivatives.
"""

import math

import runtime
from runtime import ops

aten = ops.aten

_BILINEAR, _NEAREST, _BICUBIC = range(3)
_ZEROS, _BORDER, _REFLECTION = range(3)


def _reflected(at, size, align_corners):
    """Places reflected at the ends until they lie between them, and the sign of their derivative."""
    low, span = (0.0, size - 1) if align_corners else (-0.5, size)
    if not span:
        return runtime.zeros_like(at), runtime.zeros_like(at)
    far = (at - low).abs()
    turns = (far / span).floor()
    rest = far - turns * span
    back = turns.remainder(2) != 0
    sign = runtime.where((at < low) ^ back, -1.0, 1.0).to(at.dtype)
    return runtime.where(back, span - rest, rest) + low, sign


def _inside(at, size, padding_mode, align_corners):
    """Places moved as the padding mode has it, and their derivative: a tensor, or 1."""
    if padding_mode == _ZEROS:
        return at, 1
    sign = 1
    if padding_mode == _REFLECTION:
        at, sign = _reflected(at, size, align_corners)
    free = ((at > 0) & (at < size - 1)).to(at.dtype)
    return at.clamp(0, size - 1), free * sign


def _cubic(t):
    """Weights of the four places around, with their first and second derivatives by `t`."""
    a = -0.75

    def near(x):
        return (((a + 2) * x - (a + 3)) * x * x + 1, (3 * (a + 2) * x - 2 * (a + 3)) * x, 6 * (a + 2) * x - 2 * (a + 3))

    def far(x):
        return (((a * x - 5 * a) * x + 8 * a) * x - 4 * a, (3 * a * x - 10 * a) * x + 8 * a, 6 * a * x - 10 * a)

    taps = far(t + 1), near(t), near(1 - t), far(2 - t)
    return [(w, s if k < 2 else -s, b) for k, (w, s, b) in enumerate(taps)]


def _along(coordinate, size, mode, padding_mode, align_corners):
    """The taps along a dimension, stacked: places, whether they are in the input, weights and their derivatives by the coordinate."""
    step = (size - 1 if align_corners else size) / 2
    at = (coordinate + 1) * step if align_corners else (coordinate + 1) * step - 0.5
    if mode == _BICUBIC:
        low = at.floor().detach()
        weights = _cubic(at - low)
        places = [_inside(low + k - 1, size, padding_mode, align_corners)[0] for k in range(4)]
        slope = step
    else:
        at, turned = _inside(at, size, padding_mode, align_corners)
        low = at.floor().detach()
        part, one = at - low, runtime.ones_like(at)
        zero = runtime.zeros_like(at)
        weights, places = [(1 - part, -one, zero), (part, one, zero)], [low, low + 1]
        slope = step * turned
    place = runtime.stack(places, 1)
    weight, first, second = (runtime.stack(list(t), 1) for t in zip(*weights, strict=True))
    slope = slope if type(slope) is float else slope.unsqueeze(1)
    valid = (place >= 0) & (place < size)
    return runtime.where(valid, place, 0).long(), valid, weight, first * slope, second * slope * slope


def _product(factors):
    """Products of [N, taps, places] over the taps of every dimension: [N, all taps, places]."""
    result = factors[0]
    for factor in factors[1:]:
        result = (result.unsqueeze(2) * factor.unsqueeze(1)).flatten(1, 2)
    return result


def _derivative(along, *by):
    """The weights of all taps, derived by the coordinates of some dimensions."""
    return _product([a[2 + by.count(d)] for d, a in enumerate(along)])


def grid_sampler_double_backward(grads, grad_output, input, grid, mode, padding_mode, align_corners, mask):
    """Gradients by (grad_output, input, grid) of grid_sampler's gradients."""
    space = input.ndim - 2
    of_input, of_grid = grads
    sample, back = (
        (aten.grid_sampler_2d.default, aten.grid_sampler_2d_backward.default)
        if space == 2
        else (aten.grid_sampler_3d.default, aten.grid_sampler_3d_backward.default)
    )
    modes = mode, padding_mode, align_corners
    by_output = by_input = by_grid = None
    if of_input is not None:
        if mask[0]:
            by_output = sample(of_input, grid, *modes)
        if mask[2]:
            by_grid = back(grad_output, of_input, grid, *modes, (False, True))[1]
    if of_grid is None or mode == _NEAREST:
        return by_output, by_input, by_grid
    n, c = input.shape[:2]
    sizes = input.shape[2:]
    coordinates = grid.reshape(n, -1, space).unbind(-1)[::-1]
    v = [t.unsqueeze(1) for t in of_grid.reshape(n, -1, space).unbind(-1)[::-1]]
    along = [_along(x, size, *modes) for x, size in zip(coordinates, sizes, strict=True)]
    flat, valid = along[0][:2]
    for size, (place, inside, *_) in zip(sizes[1:], along[1:], strict=True):
        flat = (flat.unsqueeze(2) * size + place.unsqueeze(1)).flatten(1, 2)
        valid = (valid.unsqueeze(2) & inside.unsqueeze(1)).flatten(1, 2)
    taps = flat.shape[1]
    index = flat.reshape(n, 1, -1).expand(n, c, -1)
    valid = valid.to(input.dtype)
    values = (input.reshape(n, c, -1).gather(2, index)).view(n, c, taps, -1) * valid.unsqueeze(1)
    weight = sum(v[d] * _derivative(along, d) for d in range(space))
    grad = grad_output.reshape(n, c, 1, -1)
    if mask[0]:
        moved = (values * weight.unsqueeze(1)).sum(2).view(grad_output.shape)
        by_output = moved if by_output is None else by_output + moved
    if mask[1]:
        parts = (grad * (weight * valid).unsqueeze(1)).reshape(n, c, -1)
        by_input = input.new_zeros((n, c, math.prod(sizes))).scatter_add(2, index, parts).view(input.shape)
    if mask[2]:
        together = (values * grad).sum(1)
        curves = [(together * sum(v[d] * _derivative(along, d, e) for d in range(space))).sum(1) for e in range(space)]
        bent = runtime.stack(curves[::-1], -1).view(grid.shape)
        by_grid = bent if by_grid is None else by_grid + bent
    return by_output, by_input, by_grid
