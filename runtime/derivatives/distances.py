"""Gradients of distances, and of vectors scaled to given lengths."""

from runtime._core import is_grad_enabled, ops

aten = ops.aten


def euclidean_dist_gradients(grad, x1, x2, distances, output_mask):
    """The gradients of two sets of points from those of all distances between them; points that agree have none."""
    ratio = grad / distances
    ratio = ratio.masked_fill(distances == 0, 0)
    return (
        x1 * ratio.sum(-1, True) - ratio @ x2 if output_mask[0] else None,
        x2 * ratio.sum(-2, False).unsqueeze(-1) - ratio.mT @ x1 if output_mask[1] else None,
    )


def weight_norm_gradients(grad, v, g, norms, dim, output_mask):
    """The gradients of directions and lengths of ``v * (g / norm(v))``; the norm has no derivative of its own here, v has."""
    if is_grad_enabled():
        norms = aten.norm_except_dim.default(v, 2, dim)
    kept = dim % v.ndim if dim != -1 else -1
    dims = [d for d in range(v.ndim) if d != kept]
    along = (grad * v).sum(dims, True) / norms if dims else grad * v / norms
    return (g / norms) * (grad - v * (along / norms)) if output_mask[0] else None, along
