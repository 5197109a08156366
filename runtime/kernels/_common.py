"""What kernels written in Python share."""

import math

from runtime._core import ops

aten = ops.aten


def into(out, result):
    """Write a result into an ``out=`` argument, which takes its shape."""
    if tuple(out.shape) != tuple(result.shape):
        aten.resize_.default(out, result.shape)
    return aten.copy_.default(out, result)


def check_countable(*shape):
    """Refuse a shape of 64-bit numbers that no memory holds."""
    if math.prod(shape) >= 2**60:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(shape)}")


def into_each(kernel, out, results, resize):
    """Write results into a list of ``out=`` arguments; what is written to is recorded here, tensor by tensor."""
    if len(out) != len(results):
        raise RuntimeError(f"{kernel} expected an out= argument of size {len(results)}, got size {len(out)}")
    for target, result in zip(out, results, strict=True):
        if resize and tuple(target.shape) != tuple(result.shape):
            aten.resize_.default(target, result.shape)
        if target.dtype != result.dtype:
            raise RuntimeError(f"Expected out tensor to have dtype {scalar_name(result.dtype)}, but got {scalar_name(target.dtype)} instead")
        aten.copy_.default(target, result)


def like(out):
    """The options that make a tensor beside an ``out=`` argument."""
    return {"dtype": out.dtype, "device": out.device}


def wrap_dim(dim, ndim):
    limit = max(ndim, 1)
    if not -limit <= dim < limit:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})")
    return dim % limit


def refuse_repeated(dims):
    """Raise where a list of wrapped dimensions names one twice."""
    for i, d in enumerate(dims):
        if d in dims[:i]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")


def broadcast(a, b):
    a, b = tuple(a), tuple(b)
    n = max(len(a), len(b))
    a, b = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    for d in reversed(range(n)):
        if a[d] != b[d] and 1 not in (a[d], b[d]):
            raise RuntimeError(f"The size of tensor a ({a[d]}) must match the size of tensor b ({b[d]}) at non-singleton dimension {d}")
    return tuple(y if x == 1 else x for x, y in zip(a, b))


def scalar_name(dtype):
    """ScalarType's name: Float, Long, ..."""
    names = {
        "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long", "int32": "Int",
        "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool", "complex32": "ComplexHalf",
        "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    }  # fmt: skip
    name = str(dtype).rpartition(".")[2]
    return names.get(name, name.capitalize() if name.startswith("float8") else "UInt" + name[4:] if name.startswith("uint") else str(dtype))


def scalar_for(number, tensor):
    """The number as a 0-d tensor whose dtype does not change the tensor's, unless the number is of a higher kind."""
    import runtime

    dtype = tensor.dtype
    if isinstance(number, complex) and not dtype.is_complex:
        return runtime.tensor(number, device=tensor.device)
    if isinstance(number, float) and not (dtype.is_floating_point or dtype.is_complex):
        return runtime.tensor(number, device=tensor.device)
    if isinstance(number, int) and not isinstance(number, bool) and dtype == runtime.bool:
        return runtime.tensor(number, device=tensor.device)
    return aten.scalar_tensor.default(number, dtype=dtype, device=tensor.device)


def real_dtype(dtype):
    return dtype.to_real() if dtype.is_complex else dtype


def complex_dtype(dtype):
    return dtype if dtype.is_complex else dtype.to_complex()
