"""Factories with out= arguments or with tensors for numbers."""

from runtime._core import ops
from runtime.kernels._arrays import new
from runtime.kernels._common import into, like

aten = ops.aten


def empty_out(size, *, memory_format=None, out):
    return aten.resize_.default(out, size, memory_format=memory_format)


def zeros_out(size, *, out):
    return aten.zero_.default(aten.resize_.default(out, size))


def ones_out(size, *, out):
    return aten.fill_.Scalar(aten.resize_.default(out, size), 1)


def full_out(size, fill_value, *, out):
    return aten.fill_.Scalar(aten.resize_.default(out, size), fill_value)


def _value(tensor):
    """The number that a tensor holds; on Meta any of its kind, of which only the result's dtype depends."""
    if tensor.is_meta:
        return 0j if tensor.dtype.is_complex else 0.0
    return tensor.item()


def linspace_Tensor_Tensor(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    for name, value in (("start", start), ("end", end)):
        if value.dim() != 0:
            raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got {name} with {value.dim()} dimension(s).")
    return aten.linspace.default(
        _value(start), _value(end), steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory
    )


def linspace_Tensor_Scalar(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    if start.dim() != 0:
        raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got start with {start.dim()} dimension(s).")
    return aten.linspace.default(_value(start), end, steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def linspace_Scalar_Tensor(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    if end.dim() != 0:
        raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got end with {end.dim()} dimension(s).")
    return aten.linspace.default(start, _value(end), steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def linspace_Tensor_Tensor_out(start, end, steps, *, out):
    return into(out, linspace_Tensor_Tensor(start, end, steps, **like(out)))


def linspace_Tensor_Scalar_out(start, end, steps, *, out):
    return into(out, linspace_Tensor_Scalar(start, end, steps, **like(out)))


def linspace_Scalar_Tensor_out(start, end, steps, *, out):
    return into(out, linspace_Scalar_Tensor(start, end, steps, **like(out)))


def logspace(start, end, steps, base=10.0, *, dtype=None, layout=None, device=None, pin_memory=None):
    import runtime

    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    if dtype is None:
        dtype = runtime.get_default_dtype()
        if isinstance(start, complex) or isinstance(end, complex):
            dtype = dtype.to_complex()
    options = {"layout": layout, "device": device, "pin_memory": pin_memory}
    if dtype.is_floating_point or dtype.is_complex:
        wide = runtime.complex128 if dtype.is_complex else runtime.float64
        if steps != 1:
            start, end = (aten.scalar_tensor.default(x, dtype=dtype).item() for x in (start, end))
        powers = aten.linspace.default(start, end, steps, dtype=wide, **options)
        return aten._to_copy.default(aten.pow.Scalar(base, powers), dtype=dtype)
    # The ends are whole, the steps between them single-precision numbers, counted from the nearer end.
    import numpy as np

    start, end = int(start), int(end)
    step = np.float32(end - start) / np.float32(max(steps - 1, 1))
    place = np.arange(steps, dtype=np.int64)
    powers = np.where(place < steps // 2, start + step * place.astype(np.float32), end - step * (steps - 1 - place).astype(np.float32))
    if steps == 1:
        powers = np.array([start])
    return aten._to_copy.default(new(np.power(np.float64(base), powers.astype(np.float64))), dtype=dtype, **options)


def _zero_dim(start=None, end=None):
    for name, value in (("start", start), ("end", end)):
        if value is not None and value.dim() != 0:
            raise RuntimeError(f"logspace only supports 0-dimensional start and end tensors, but got {name} with {value.dim()} dimension(s).")


def logspace_Tensor_Tensor(start, end, steps, base=10.0, *, dtype=None, layout=None, device=None, pin_memory=None):
    _zero_dim(start, end)
    return logspace(_value(start), _value(end), steps, base, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def logspace_Tensor_Scalar(start, end, steps, base=10.0, *, dtype=None, layout=None, device=None, pin_memory=None):
    _zero_dim(start=start)
    return logspace(_value(start), end, steps, base, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def logspace_Scalar_Tensor(start, end, steps, base=10.0, *, dtype=None, layout=None, device=None, pin_memory=None):
    _zero_dim(end=end)
    return logspace(start, _value(end), steps, base, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def empty_permuted(size, physical_layout, *, dtype=None, layout=None, device=None, pin_memory=None):
    n = len(size)
    if len(physical_layout) != n:
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; "
            f"i.e. len(size) = {n} is not equal to len(physical_layout) = {len(physical_layout)}"
        )
    strides, step, seen = [0] * n, 1, set()
    for i in reversed(range(n)):
        dim = physical_layout[i]
        if not 0 <= dim < n:
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {n - 1}, but got {dim} at index {i}).  "
                "NB: negative dims not currently supported; file an issue if you want it."
            )
        if dim in seen:
            raise RuntimeError("Duplicate dim not allowed")
        seen.add(dim)
        strides[dim] = step
        step *= size[dim]
    return aten.empty_strided.default(size, strides, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
