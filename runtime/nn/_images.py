"""Functions on images that choose operators by their arguments: resampling, sampling on grids, windows, normalization."""

import math
import warnings

from runtime._core import ops
from runtime.nn._public import public

aten = ops.aten

__all__ = [
    "affine_grid", "batch_norm", "fold", "grid_sample", "group_norm", "instance_norm", "interpolate", "layer_norm", "local_response_norm",
    "normalize", "rms_norm", "unfold", "upsample", "upsample_bilinear", "upsample_nearest",
]  # fmt: skip


# ---- resampling

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False):
    """Resample to a size or by factors.

    Parameters
    ----------
    input : Tensor
        Of shape [batch, channels, *space] with one to three dimensions of space.
    size, scale_factor : int or float, or a sequence of them, optional
        Exactly one of them.
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area"}
    align_corners : bool, optional
        Whether the corner elements' centers are kept in place, instead of the corners; for the linear and cubic modes.
    recompute_scale_factor : bool, optional
        Compute the factors from the sizes, instead of taking the given ones.
    antialias : bool
        For bilinear and bicubic.

    Returns
    -------
    Tensor
    """
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError("align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear")
    elif align_corners is None:
        align_corners = False
    space = input.dim() - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    given, name = (size, "size") if size is not None else (scale_factor, "scale_factor")
    if isinstance(given, (list, tuple)):
        if len(given) != space:
            raise ValueError(
                f"Input and {'output' if size is not None else 'scale_factor'} must have the same number of spatial dimensions, but got "
                f"input with spatial dimensions of {list(input.shape[2:])} and {name} of shape {given}. Please provide input tensor in "
                "(N, C, d1, d2, ...,dK) format."
            )
        given = list(given)
        if size is not None and not all(isinstance(n, int) or hasattr(n, "__index__") for n in given):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size with types "
                f"{[type(n) for n in given]}"
            )
    elif size is not None and isinstance(size, float):
        raise TypeError(f"interpolate(): size must be an int or one for each dimension of the space, not the float {size}")
    else:
        given = [given] * space
    size, factors = (given, None) if size is not None else (None, given)
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if mode == "area" and size is None:
        recompute_scale_factor = True
    if recompute_scale_factor:
        size, factors = [int(math.floor(float(n) * f)) for n, f in zip(input.shape[2:], factors)], None
    if antialias and not (mode in ("bilinear", "bicubic") and space == 2):
        raise ValueError("Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input")
    if mode == "area" and space in _LINEAR:
        return getattr(aten, f"adaptive_avg_pool{space}d").default(input, size)
    if mode == "nearest" and space in _LINEAR:
        return getattr(aten, f"upsample_nearest{space}d").vec(input, size, factors)
    if mode == "nearest-exact" and space in _LINEAR:
        return getattr(aten, f"_upsample_nearest_exact{space}d").vec(input, size, factors)
    if space in _LINEAR and mode == _LINEAR[space]:
        packet = aten._upsample_bilinear2d_aa if antialias else getattr(aten, f"upsample_{mode}{space}d")
        return packet.vec(input, size, align_corners, factors)
    if mode == "bicubic" and space == 2:
        packet = aten._upsample_bicubic2d_aa if antialias else aten.upsample_bicubic2d
        return packet.vec(input, size, align_corners, factors)
    if mode in _LINEAR.values() and space in _LINEAR:
        raise NotImplementedError(f"Got {space + 2}D input, but {mode} mode needs {list(_LINEAR.values()).index(mode) + 3}D input")
    raise NotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported "
        f"(got {input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact (got {mode})"
    )


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """An older name of `interpolate`."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """`interpolate` in the mode "nearest"."""
    warnings.warn("`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """`interpolate` in the mode "bilinear", with aligned corners."""
    warnings.warn("`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


# ---- grids


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """Elements of an image at places from -1 to 1.

    Parameters
    ----------
    input : Tensor
        [batch, channels, *space], two or three dimensions of space.
    grid : Tensor
        [batch, *result, dimensions of space]; the last dimension of the space comes first.
    mode : {"bilinear", "nearest", "bicubic"}
    padding_mode : {"zeros", "border", "reflection"}
    align_corners : bool, optional
    """
    modes, paddings = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    if mode not in modes:
        raise ValueError(f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'")
    if padding_mode not in paddings:
        raise ValueError(f"nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '{padding_mode}'")
    if align_corners is None:
        _warn_of_corners()
    return public["grid_sampler"](input, grid, modes.index(mode), paddings.index(padding_mode), bool(align_corners))


def _warn_of_corners():
    warnings.warn(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify align_corners=True if the "
        "old behavior is desired. See the documentation of grid_sample for details.",
        stacklevel=3,
    )


def affine_grid(theta, size, align_corners=None):
    """The grid of `grid_sample` that affine maps [batch, space, space + 1] mean, for an image of a size."""
    if align_corners is None:
        _warn_of_corners()
    if not theta.dtype.is_floating_point:
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5) or theta.dim() != 3 or tuple(theta.shape[1:]) != (len(size) - 2, len(size) - 1):
        if len(size) not in (4, 5):
            raise NotImplementedError(
                f"affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size {tuple(size)}."
            )
        raise ValueError(
            f"Expected a batch of {len(size) - 2}D affine matrices of shape Nx{len(size) - 2}x{len(size) - 1} for size {tuple(size)}. "
            f"Got {tuple(theta.shape)}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {tuple(size)}")
    return aten.affine_grid_generator.default(theta, tuple(size), bool(align_corners))


# ---- windows


def _pair(value):
    return tuple(value) if isinstance(value, (list, tuple)) else (value, value)


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of an image as columns: [batch, channels * kernel, places]."""
    return public["im2col"](input, *map(_pair, (kernel_size, dilation, padding, stride)))


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The sum of columns at the places that `unfold` took them from."""
    return public["col2im"](input, *map(_pair, (output_size, kernel_size, dilation, padding, stride)))


# ---- normalization


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalize over the last dimensions."""
    return public["layer_norm"](input, normalized_shape, weight, bias, eps)


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divide by the root of the mean square over the last dimensions."""
    return public["rms_norm"](input, normalized_shape, weight, eps)


def _check_values_per_channel(size):
    values = size[0]
    for n in size[2:]:
        values *= n
    if values == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalize over groups of channels."""
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    _check_values_per_channel([input.shape[0] * input.shape[1] // num_groups, num_groups, *input.shape[2:]])
    return public["group_norm"](input, num_groups, weight, bias, eps)


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Normalize each channel over the batch, or by running statistics."""
    if training:
        _check_values_per_channel(input.shape)
    return aten.batch_norm.default(input, weight, bias, running_mean, running_var, training, momentum, eps, False)


def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5):
    """Normalize each channel of each item, or by running statistics."""
    if use_input_stats:
        size = input.shape
        values = 1
        for n in size[2:]:
            values *= n
        if values == 1:
            raise ValueError(f"Expected more than 1 spatial element when training, got input size {size}")
    return aten.instance_norm.default(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, False)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """Divide by the norm along dimensions, at least `eps`."""
    dims = dim if isinstance(dim, (list, tuple)) else (dim,)
    norm = aten.clamp_min.default(aten.linalg_vector_norm.default(input, p, dims, True), eps)
    if out is None:
        return aten.div.Tensor(input, aten.expand_as.default(norm, input))
    return aten.div.out(input, aten.expand_as.default(norm, input), out=out)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """Divide by a power of the mean of squares over neighbouring channels."""
    ndim = input.dim()
    if ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality                          input (got {ndim} dimensions)")
    if input.numel() == 0:
        return input
    squares = aten.unsqueeze.default(aten.mul.Tensor(input, input), 1)
    if ndim == 3:
        squares = aten.pad.default(squares, (0, 0, size // 2, (size - 1) // 2))
        mean = aten.squeeze.dim(aten.avg_pool2d.default(squares, (size, 1), (1, 1)), 1)
    else:
        sizes = tuple(input.shape)
        squares = aten.view.default(squares, (sizes[0], 1, sizes[1], sizes[2], -1))
        squares = aten.pad.default(squares, (0, 0, 0, 0, size // 2, (size - 1) // 2))
        mean = aten.squeeze.dim(aten.avg_pool3d.default(squares, (size, 1, 1), (1, 1, 1)), 1)
        mean = aten.view.default(mean, sizes)
    return aten.div.Tensor(input, aten.pow.Tensor_Scalar(aten.add.Scalar(aten.mul.Scalar(mean, alpha), k), beta))
