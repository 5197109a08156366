"""Finite differences and integrals of samples: diff, gradient, the trapezoidal rule."""

from runtime._core import _offered, ops
from runtime.kernels._common import refuse_repeated, wrap_dim

aten = ops.aten


def _minus(a, b, out=None):
    import runtime

    if out is not None:
        return (aten.logical_xor.out if a.dtype == runtime.bool else aten.sub.out)(a, b, out=out)
    return aten.logical_xor.default(a, b) if a.dtype == runtime.bool else aten.sub.Tensor(a, b)


def _joined(self, dim, prepend, append):
    return aten.cat.default([t for t in (prepend, self, append) if t is not None], dim)


def diff(self, n=1, dim=-1, prepend=None, append=None):
    if self.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    dim = wrap_dim(dim, self.dim())
    for other in (prepend, append):
        if other is None:
            continue
        if other.dim() != self.dim():
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
        for d, (a, b) in enumerate(zip(self.shape, other.shape)):
            if a != b and d != dim:
                raise RuntimeError(
                    "diff expects the shape of tensor to prepend or append to match that of input except along the differencing "
                    f"dimension; input.size({d}) = {a}, but got tensor.size({d}) = {b}"
                )
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if n == 0:
        return aten.clone.default(self)
    if prepend is not None or append is not None:
        self = _joined(self, dim, prepend, append)
    steps = min(n, self.shape[dim])
    for step in range(steps):
        length = self.shape[dim]
        later, earlier = aten.narrow.default(self, dim, 1, length - 1), aten.narrow.default(self, dim, 0, length - 1)
        last = step == steps - 1 and not self.requires_grad
        self = _minus(later, earlier, _offered(aten.diff.default, later.shape, later.dtype) if last else None)
    return self


# ---- gradient


def _dims_of(self, dim):
    if dim is None:
        return list(range(self.dim()))
    return [wrap_dim(d, self.dim()) for d in dim]


def _check_gradient(self, spacing, dim, edge_order):
    if str(self.dtype) == "torch.bool":
        aten.sub.Tensor(self, self)  # raises
    """The checks of all overloads; `spacing` is the number of spacings or None for one that serves all dimensions."""
    import runtime

    if dim is not None:
        wrapped = [wrap_dim(d, self.dim()) for d in dim]
        refuse_repeated(wrapped)
        for d in wrapped:
            if self.shape[d] < edge_order + 1:
                raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    if self.dtype == runtime.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if spacing is not None:
        expected = self.dim() if dim is None else len(dim)
        if spacing != expected:
            if dim is None:
                raise RuntimeError(
                    "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = "
                    f"{self.dim()}', but got a list of length {spacing}"
                )
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the same length, but "
                f"got a spacing argument of length {spacing} and a dim argument of length {expected}."
            )
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if dim is None and any(n < edge_order + 1 for n in self.shape):
        raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")


def _even(self, dim, edge_order, step):
    """The gradient along one dimension over points `step` apart."""
    length = self.shape[dim]

    def at(start, n):
        return aten.narrow.default(self, dim, start, n)

    inner = aten.div.Scalar(aten.sub.Tensor(at(2, length - 2), at(0, length - 2)), step * 2) if length > 2 else at(0, 0)
    if edge_order == 1:
        first = aten.div.Scalar(aten.sub.Tensor(at(1, 1), at(0, 1)), step)
        last = aten.div.Scalar(aten.sub.Tensor(at(length - 1, 1), at(length - 2, 1)), step)
    else:
        a, b, c = at(0, 1), at(1, 1), at(2, 1)
        terms = aten.sub.Tensor(aten.sub.Tensor(aten.mul.Scalar(b, 4), aten.mul.Scalar(a, 3)), c)
        first = aten.div.Scalar(terms, 2 * step)
        a, b, c = at(length - 3, 1), at(length - 2, 1), at(length - 1, 1)
        terms = aten.add.Tensor(aten.sub.Tensor(a, aten.mul.Scalar(b, 4)), aten.mul.Scalar(c, 3))
        last = aten.div.Scalar(terms, 2 * step)
    return aten.cat.default([first, inner, last], dim) if length > 2 else aten.cat.default([first, last], dim)


def _uneven(self, dim, edge_order, points):
    """The gradient along one dimension over points at given places."""
    length = self.shape[dim]

    def at(t, start, n, d):
        return aten.narrow.default(t, d, start, n)

    shape = [1] * self.dim()
    shape[dim] = -1
    steps = aten.sub.Tensor(at(points, 1, length - 1, 0), at(points, 0, length - 1, 0))
    left, right = (aten.reshape.default(at(steps, s, length - 2, 0), shape) for s in (0, 1))
    total = aten.add.Tensor(left, right)
    a = aten.div.Tensor(aten.neg.default(right), aten.mul.Tensor(left, total))
    b = aten.div.Tensor(aten.sub.Tensor(right, left), aten.mul.Tensor(left, right))
    c = aten.div.Tensor(left, aten.mul.Tensor(right, total))

    def mix(weights, starts, n):
        terms = [aten.mul.Tensor(w, at(self, s, n, dim)) for w, s in zip(weights, starts)]
        return aten.add.Tensor(aten.add.Tensor(terms[0], terms[1]), terms[2])

    inner = mix((a, b, c), (0, 1, 2), length - 2)
    if edge_order == 1:
        first = aten.div.Tensor(aten.sub.Tensor(at(self, 1, 1, dim), at(self, 0, 1, dim)), aten.select.int(steps, 0, 0))
        last = aten.div.Tensor(aten.sub.Tensor(at(self, length - 1, 1, dim), at(self, length - 2, 1, dim)), aten.select.int(steps, 0, -1))
    else:

        def weights(near, far):
            both = aten.add.Tensor(near, far)
            return (
                aten.neg.default(aten.div.Tensor(aten.add.Tensor(aten.mul.Scalar(near, 2), far), aten.mul.Tensor(near, both))),
                aten.div.Tensor(both, aten.mul.Tensor(near, far)),
                aten.neg.default(aten.div.Tensor(near, aten.mul.Tensor(far, both))),
            )

        def step(i):
            return aten.select.int(steps, 0, i)

        first = mix(weights(step(0), step(1)), (0, 1, 2), 1)
        ends = mix(weights(step(-1), step(-2)), (length - 1, length - 2, length - 3), 1)
        last = aten.neg.default(ends)
    return aten.cat.default([first, inner, last], dim)


def _gradient(self, dims, edge_order, spacings):
    import runtime

    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        self = aten.to.dtype(self, runtime.get_default_dtype())
    results = []
    for d, spacing in zip(dims, spacings):
        if isinstance(spacing, runtime.Tensor):
            results.append(_uneven(self, d, edge_order, spacing))
        else:
            results.append(_even(self, d, edge_order, spacing))
    return results


def gradient_scalarint(self, *, spacing=None, dim=None, edge_order=1):
    dims = None if dim is None else (dim,)
    _check_gradient(self, None, dims, edge_order)
    dims = _dims_of(self, dims)
    return _gradient(self, dims, edge_order, [1 if spacing is None else spacing] * len(dims))


def gradient_scalararray(self, *, spacing, dim, edge_order=1):
    _check_gradient(self, None, dim, edge_order)
    return _gradient(self, _dims_of(self, dim), edge_order, [spacing] * len(dim))


def gradient_array(self, *, dim, edge_order=1):
    _check_gradient(self, None, dim, edge_order)
    return _gradient(self, _dims_of(self, dim), edge_order, [1] * len(dim))


def gradient_scalarrayint(self, *, spacing, dim=None, edge_order=1):
    dims = None if dim is None else (dim,)
    _check_gradient(self, len(spacing), dims, edge_order)
    return _gradient(self, _dims_of(self, dims), edge_order, spacing)


def gradient_scalarrayarray(self, *, spacing, dim, edge_order=1):
    _check_gradient(self, len(spacing), dim, edge_order)
    return _gradient(self, _dims_of(self, dim), edge_order, spacing)


def _check_points(self, spacing, dims):
    for points, d in zip(spacing, _dims_of(self, dims)):
        if points.dim() != 1:
            raise RuntimeError(
                f"torch.gradient expected each element of spacing to have one dimension, but got an element with {points.dim()} "
                "dimensions!"
            )
        if points.shape[0] != self.shape[d]:
            raise RuntimeError(
                f"torch.gradient expected the length of each spacing tensor to be the size of its dimension, {self.shape[d]}, but "
                f"got {points.shape[0]}"
            )
        if points.device != self.device:
            raise RuntimeError(f"torch.gradient expected each tensor to be on the same device, but got devices {self.device} and {points.device}!")


def gradient_tensorarrayint(self, *, spacing, dim=None, edge_order=1):
    dims = None if dim is None else (dim,)
    _check_gradient(self, len(spacing), dims, edge_order)
    _check_points(self, spacing, dims)
    return _gradient(self, _dims_of(self, dims), edge_order, spacing)


def gradient_tensorarray(self, *, spacing, dim, edge_order=1):
    _check_gradient(self, len(spacing), dim, edge_order)
    _check_points(self, spacing, dim)
    return _gradient(self, _dims_of(self, dim), edge_order, spacing)


# ---- the trapezoidal rule


def _check_points_given(name, y, x, dim):
    import runtime

    if y.dtype == runtime.bool or (x is not None and x.dtype == runtime.bool):
        which = "y" if y.dtype == runtime.bool else "x"
        raise RuntimeError(f"{name}: received a bool input for `{which}`, but bool is not supported")
    if x is not None and x.dim() == 1 and x.shape[0] != y.shape[dim]:
        raise RuntimeError(f"{name}: There must be one `x` value for each sample point")


def _pairs(y, dim):
    """Sums of neighbours."""
    n = y.shape[dim] - 1
    return aten.add.Tensor(aten.narrow.default(y, dim, 1, n), aten.narrow.default(y, dim, 0, n))


def _spans(name, y, x, dim):
    """Distances of neighbouring places, in a shape that broadcasts with sums of neighbours of y."""
    if x.dim() == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        shape = [1] * y.dim()
        shape[dim] = x.shape[0]
        x = aten.view.default(x, shape) if x.is_contiguous() else aten.reshape.default(x, shape)
    elif x.dim() < y.dim():
        x = aten.reshape.default(x, (*(1,) * (y.dim() - x.dim()), *x.shape))
    n = x.shape[dim] - 1
    return aten.sub.Tensor(aten.narrow.default(x, dim, 1, n), aten.narrow.default(x, dim, 0, n))


def _no_samples(y, dim):
    return aten.zeros.default([n for d, n in enumerate(y.shape) if d != dim], dtype=y.dtype, device=y.device)


def trapezoid_x(y, x, *, dim=-1):
    dim = wrap_dim(dim, y.dim())
    if y.shape[dim] == 0:
        return _no_samples(y, dim)
    _check_points_given("trapezoid", y, x, dim)
    return aten.div.Scalar(aten.sum.dim_IntList(aten.mul.Tensor(_spans("trapezoid", y, x, dim), _pairs(y, dim)), (dim,)), 2.0)


def trapezoid_dx(y, *, dx=1, dim=-1):
    import runtime

    if y.dim() == 0:
        raise IndexError("dimension specified as 0 but tensor has no dimensions") if dim in (0, -1) else IndexError(
            f"Dimension out of range (expected to be in range of [-1, 0], but got {dim})"
        )
    dim = wrap_dim(dim, y.dim())
    if y.shape[dim] == 0:
        return _no_samples(y, dim)
    if y.dtype == runtime.bool:
        raise RuntimeError("trapezoid: received a bool input for `y`, but bool is not supported")
    if isinstance(dx, bool):
        raise RuntimeError("trapezoid: Currently, we only support dx as a real number.")
    n = y.shape[dim]
    total = aten.sub.Tensor(
        aten.mul.Scalar(aten.sum.dim_IntList(y, (dim,)), 2),
        aten.add.Tensor(aten.select.int(y, dim, 0), aten.select.int(y, dim, n - 1)),
    )
    return aten.mul.Scalar(aten.div.Scalar(total, 2.0), dx) if n else total


def trapz_x(y, x, *, dim=-1):
    return aten.trapezoid.x(y, x, dim=dim)


def trapz_dx(y, *, dx=1, dim=-1):
    return aten.trapezoid.dx(y, dx=dx, dim=dim)


def cumulative_trapezoid_x(y, x, *, dim=-1):
    dim = wrap_dim(dim, y.dim())
    _check_points_given("cumulative_trapezoid", y, x, dim)
    if y.shape[dim] == 0:
        return aten.zeros_like.default(y)
    areas = aten.mul.Tensor(_spans("cumulative_trapezoid", y, x, dim), _pairs(y, dim))
    return aten.div.Scalar(aten.cumsum.default(areas, dim), 2.0)


def cumulative_trapezoid_dx(y, *, dx=1, dim=-1):
    import runtime

    dim = wrap_dim(dim, y.dim())
    if y.dtype == runtime.bool:
        raise RuntimeError("cumulative_trapezoid: received a bool input for `y`, but bool is not supported")
    if y.shape[dim] == 0:
        return aten.zeros_like.default(y)
    return aten.mul.Scalar(aten.cumsum.default(_pairs(y, dim), dim), dx / 2.0)
