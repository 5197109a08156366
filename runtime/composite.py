"""Kernels written in Python: operators that are made of other operators.

A kernel that ``native_functions.yaml`` names is a function of this file if there is one of that name; it is imported at the operator's
first call. Every function takes the arguments of its schema and calls the parts through the dispatcher, so that autograd, modes and
subclasses see them. What is called often, or touches memory, is written in C instead (``kernels/``).
"""

import math

from runtime._core import ops

aten = ops.aten


def _into(out, result):
    """Write a result into an ``out=`` argument, which takes its shape."""
    if tuple(out.shape) != tuple(result.shape):
        aten.resize_.default(out, result.shape)
    return aten.copy_.default(out, result)


def _into_each(kernel, out, results, resize):
    """Write results into a list of ``out=`` arguments; what is written to is recorded here, tensor by tensor."""
    if len(out) != len(results):
        raise RuntimeError(f"{kernel} expected an out= argument of size {len(results)}, got size {len(out)}")
    for target, result in zip(out, results, strict=True):
        if resize and tuple(target.shape) != tuple(result.shape):
            aten.resize_.default(target, result.shape)
        if target.dtype != result.dtype:
            raise RuntimeError(f"Expected out tensor to have dtype {_cpp(result.dtype)}, but got {_cpp(target.dtype)} instead")
        aten.copy_.default(target, result)


def _like(out):
    """The options that make a tensor beside an ``out=`` argument."""
    return {"dtype": out.dtype, "device": out.device}


# ------------------------------------------------------------------------------------------------------- factories with out=


def empty_out(size, *, memory_format=None, out):
    return aten.resize_.default(out, size, memory_format=memory_format)


def zeros_out(size, *, out):
    return aten.zero_.default(aten.resize_.default(out, size))


def ones_out(size, *, out):
    return aten.fill_.Scalar(aten.resize_.default(out, size), 1)


def full_out(size, fill_value, *, out):
    return aten.fill_.Scalar(aten.resize_.default(out, size), fill_value)


def rand_out(size, *, out):
    return aten.uniform_.default(aten.resize_.default(out, size))


def rand_generator_out(size, *, generator, out):
    return aten.uniform_.default(aten.resize_.default(out, size), generator=generator)


def randn_out(size, *, out):
    return aten.normal_.default(aten.resize_.default(out, size))


def randn_generator_out(size, *, generator, out):
    return aten.normal_.default(aten.resize_.default(out, size), generator=generator)


def randint_out(high, size, *, out):
    return _random_from(aten.resize_.default(out, size), 0, high, None)


def randint_generator_out(high, size, *, generator, out):
    return _random_from(aten.resize_.default(out, size), 0, high, generator)


def randint_low_out(low, high, size, *, out):
    return _random_from(aten.resize_.default(out, size), low, high, None)


def randint_low_generator_out(low, high, size, *, generator, out):
    return _random_from(aten.resize_.default(out, size), low, high, generator)


def _random_from(t, low, high, generator):
    # The overload's name is a keyword of Python.
    return getattr(aten.random_, "from")(t, low, high, generator=generator)


def bernoulli_p(self, p, *, generator=None):
    return aten.bernoulli_.float(aten.empty_like.default(self), p, generator=generator)


def normal_functional(self, mean=0, std=1, *, generator=None):
    return aten.normal_.default(aten.empty_like.default(self), mean, std, generator=generator)


def randperm_out(n, *, out):
    return aten.randperm.generator_out(n, generator=None, out=out)


def linspace_Tensor_Tensor(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    for name, value in (("start", start), ("end", end)):
        if value.dim() != 0:
            raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got {name} with {value.dim()} dimension(s).")
    return aten.linspace.default(
        start.item(), end.item(), steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory
    )


def linspace_Tensor_Scalar(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    if start.dim() != 0:
        raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got start with {start.dim()} dimension(s).")
    return aten.linspace.default(start.item(), end, steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def linspace_Scalar_Tensor(start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=None):
    if end.dim() != 0:
        raise RuntimeError(f"linspace only supports 0-dimensional start and end tensors, but got end with {end.dim()} dimension(s).")
    return aten.linspace.default(start, end.item(), steps, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def linspace_Tensor_Tensor_out(start, end, steps, *, out):
    return _into(out, linspace_Tensor_Tensor(start, end, steps, **_like(out)))


def linspace_Tensor_Scalar_out(start, end, steps, *, out):
    return _into(out, linspace_Tensor_Scalar(start, end, steps, **_like(out)))


def linspace_Scalar_Tensor_out(start, end, steps, *, out):
    return _into(out, linspace_Scalar_Tensor(start, end, steps, **_like(out)))


# --------------------------------------------------------------------------------------------------- random tensors like another


def rand_like_generator(self, *, generator, memory_format=None, **options):
    return aten.uniform_.default(aten.empty_like.default(self, memory_format=memory_format, **options), generator=generator)


def randn_like_generator(self, *, generator, memory_format=None, **options):
    return aten.normal_.default(aten.empty_like.default(self, memory_format=memory_format, **options), generator=generator)


def randint_like_generator(self, high, *, generator, memory_format=None, **options):
    return _random_from(aten.empty_like.default(self, memory_format=memory_format, **options), 0, high, generator)


def randint_like_low_generator_dtype(self, low, high, *, generator, memory_format=None, **options):
    return _random_from(aten.empty_like.default(self, memory_format=memory_format, **options), low, high, generator)


def randint_like_Tensor(self, high, *, memory_format=None, **options):
    return randint_like_Tensor_generator(self, high, generator=None, memory_format=memory_format, **options)


def randint_like_Tensor_generator(self, high, *, generator, memory_format=None, **options):
    if high.dim() != 0 or not high.device.type == "cpu":
        raise RuntimeError("high must be a scalar tensor and on CPU")
    return randint_like_generator(self, int(high.item()), generator=generator, memory_format=memory_format, **options)


# ------------------------------------------------------------------------------------------------------------------------ views


def view_as(self, other):
    return aten.view.default(self, other.shape)


def type_as(self, other):
    return aten.to.dtype_layout(self, dtype=other.dtype, layout=other.layout, device=other.device)


def swapaxes(self, axis0, axis1):
    return aten.transpose.int(self, axis0, axis1)


def swapaxes_(self, axis0, axis1):
    return aten.transpose_.default(self, axis0, axis1)


def narrow_Tensor(self, dim, start, length):
    if start.dim() != 0 or start.dtype.is_floating_point or start.dtype.is_complex or str(start.dtype).endswith("bool"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    return aten.narrow.default(self, dim, start.item(), length)


def _wrapped(dim, ndim):
    limit = max(ndim, 1)
    if not -limit <= dim < limit:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})")
    return dim % limit


def movedim_int(self, source, destination):
    return movedim_intlist(self, (source,), (destination,))


def movedim_intlist(self, source, destination):
    source, destination = tuple(source), tuple(destination)
    if len(source) != len(destination):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({list(source)} dims) should contain the same number of dims as destination ({list(destination)} dims)"
        )
    ndim = self.dim()
    src = [_wrapped(d, ndim) for d in source]
    dst = [_wrapped(d, ndim) for d in destination]
    for name, dims, given in (("source", src, source), ("destination", dst, destination)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    if ndim == 0:
        return aten.alias.default(self)
    order = [None] * ndim
    for s, d in zip(src, dst):
        order[d] = s
    rest = iter(d for d in range(ndim) if d not in src)
    return aten.permute.default(self, [next(rest) if d is None else d for d in order])


def set__source_Tensor_storage_offset(self, source, storage_offset, size, stride=()):
    return aten.set_.source_Storage_storage_offset(self, source.untyped_storage(), storage_offset, size, stride)


# ------------------------------------------------------------------------------------------------------ copies of other operators


def lift_fresh_copy(self):
    return aten.clone.default(self)


def copy(self, src, non_blocking=False):
    out = aten.empty_like.default(self)
    return aten.copy_.default(out, src, non_blocking)


def fill_Scalar(self, value):
    return aten.fill_.Scalar(aten.empty_like.default(self), value)


def fill_Tensor(self, value):
    return aten.fill_.Tensor(aten.empty_like.default(self), value)


def index_put(self, indices, values, accumulate=False):
    return aten.index_put_.default(aten.clone.default(self), indices, values, accumulate)


def _masked(self, mask):
    """A copy of self, in the shape that self and the mask broadcast to."""
    shape = _broadcast(self.shape, mask.shape)
    if tuple(self.shape) != shape:
        self = aten.expand.default(self, shape)
    import runtime

    return aten.clone.default(self, memory_format=runtime.contiguous_format if self.dim() else None)


def _broadcast(a, b):
    a, b = tuple(a), tuple(b)
    n = max(len(a), len(b))
    a, b = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    for d in reversed(range(n)):
        if a[d] != b[d] and 1 not in (a[d], b[d]):
            raise RuntimeError(f"The size of tensor a ({a[d]}) must match the size of tensor b ({b[d]}) at non-singleton dimension {d}")
    return tuple(y if x == 1 else x for x, y in zip(a, b))


def masked_fill_Scalar(self, mask, value):
    return aten.masked_fill_.Scalar(_masked(self, mask), mask, value)


def masked_fill_Tensor(self, mask, value):
    return aten.masked_fill_.Tensor(_masked(self, mask), mask, value)


def stack_out(tensors, dim=0, *, out):
    if any(t.shape != tensors[0].shape for t in tensors):
        return aten.stack.default(tensors, dim)  # raises
    return aten.cat.out([aten.unsqueeze.default(t, dim) for t in tensors], dim, out=out)


def dot_out(self, tensor, *, out):
    return _into(out, aten.dot.default(self, tensor))


# -------------------------------------------------------------------------------------------------------------------- reductions


def mean_dtype_out(self, *, dtype=None, out):
    return aten.mean.out(self, None, False, dtype=dtype, out=out)


def _all_of_dims(name, self, dim, keepdim):
    dims = range(self.dim()) if dim is None else [_wrapped(d, self.dim()) for d in dim]
    if len(set(dims)) != len(dims):
        repeated = next(d for i, d in enumerate(dims) if d in list(dims)[:i])
        raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    result = self
    packet = getattr(aten, name)
    if not dims:
        return aten.ne.Scalar(self, 0) if not str(self.dtype).endswith("uint8") else aten.to.dtype(aten.ne.Scalar(self, 0), self.dtype)
    for d in sorted(dims, reverse=True):
        result = packet.dim(result, d, keepdim)
    return result


def all_dims(self, dim=None, keepdim=False):
    return aten.all.default(self) if dim is None and not keepdim else _all_of_dims("all", self, dim, keepdim)


def any_dims(self, dim=None, keepdim=False):
    return aten.any.default(self) if dim is None and not keepdim else _all_of_dims("any", self, dim, keepdim)


def all_dims_out(self, dim=None, keepdim=False, *, out):
    return _into(out, all_dims(self, dim, keepdim))


def any_dims_out(self, dim=None, keepdim=False, *, out):
    return _into(out, any_dims(self, dim, keepdim))


def max_other(self, other):
    return aten.maximum.default(self, other)


def min_other(self, other):
    return aten.minimum.default(self, other)


def max_out(self, other, *, out):
    return aten.maximum.out(self, other, out=out)


def min_out(self, other, *, out):
    return aten.minimum.out(self, other, out=out)


# --------------------------------------------------------------------------------------------------------------------- pointwise


def abs(self):
    return aten.abs.out(self, out=aten.empty_like.default(self, dtype=_real(self.dtype)))


def abs_(self):
    if self.dtype.is_complex:
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return aten.abs.out(self, out=self)


def _real(dtype):
    return dtype.to_real() if dtype.is_complex else dtype


def square_out(self, *, out):
    return aten.pow.Tensor_Scalar_out(self, 2, out=out)


def isfinite(self):
    if not self.dtype.is_floating_point and not self.dtype.is_complex:
        return aten.ones_like.default(self, dtype=aten.ne.Scalar(aten.scalar_tensor.default(0), 0).dtype)
    difference = aten.sub.Tensor(self, self)
    return aten.eq.Tensor(difference, difference)


def isinf(self):
    if self.dtype.is_complex:
        return aten.logical_or.default(isinf(aten.real.default(self)), isinf(aten.imag.default(self)))
    if not self.dtype.is_floating_point:
        return aten.ne.Tensor(self, self)
    return aten.eq.Scalar(aten.abs.default(self), math.inf)


def isclose(self, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    if self.dtype != other.dtype:
        raise RuntimeError(f"{_cpp(self.dtype)} did not match {_cpp(other.dtype)}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol:g}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol:g}")
    close = aten.eq.Tensor(self, other)
    if equal_nan and (self.dtype.is_floating_point or self.dtype.is_complex):
        close = aten.bitwise_or.Tensor(close, aten.bitwise_and.Tensor(aten.ne.Tensor(self, self), aten.ne.Tensor(other, other)))
    if rtol == 0 and atol == 0:
        return close
    if not self.dtype.is_floating_point and not self.dtype.is_complex:
        import runtime

        self, other = (aten.to.dtype(t, runtime.get_default_dtype()) for t in (self, other))
    allowed = aten.add.Scalar(aten.abs.default(aten.mul.Scalar(other, rtol)), atol)
    error = aten.abs.default(aten.sub.Tensor(self, other))
    finite = aten.bitwise_and.Tensor(isfinite(error), aten.le.Tensor(error, allowed))
    return aten.bitwise_or.Tensor(close, finite)


def _cpp(dtype):
    """ScalarType's name: Float, Long, ..."""
    names = {
        "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long", "int32": "Int",
        "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool", "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    }  # fmt: skip
    return names.get(str(dtype).rpartition(".")[2], str(dtype))


def allclose(self, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    return aten.all.default(aten.isclose.default(self, other, rtol, atol, equal_nan)).item()


def true_divide_Tensor(self, other):
    return aten.div.Tensor(self, other)


def true_divide_Scalar(self, other):
    return aten.div.Scalar(self, other)


def true_divide__Tensor(self, other):
    return aten.div_.Tensor(self, other)


def true_divide__Scalar(self, other):
    return aten.div_.Scalar(self, other)


def true_divide_out(self, other, *, out):
    return aten.div.out(self, other, out=out)



def split_copy_Tensor_out(self, split_size, dim=0, *, out):
    _into_each("split_copy_Tensor_out()", out, aten.split.Tensor(self, split_size, dim), resize=False)


def unbind_copy_int_out(self, dim=0, *, out):
    _into_each("unbind_copy_int_out", out, aten.unbind.int(self, dim), resize=True)


def split_with_sizes_copy_out(self, split_sizes, dim=0, *, out):
    _into_each("split_with_sizes_copy_out", out, aten.split_with_sizes.default(self, split_sizes, dim), resize=True)


def where(condition):
    return list(aten.unbind.int(aten.nonzero.default(condition), 1))


def where_Scalar(condition, self, other):
    import runtime

    a, b = runtime.tensor(self), runtime.tensor(other)
    return aten.where.self(condition, a, b)


def where_ScalarSelf(condition, self, other):
    return aten.where.self(condition, _scalar_for(self, other), other)


def where_ScalarOther(condition, self, other):
    return aten.where.self(condition, self, _scalar_for(other, self))


def _wrapped_scalar(number, tensor):
    """As `_scalar_for`, but an int that the tensor's integers cannot hold is taken modulo their range."""
    import runtime

    dtype = tensor.dtype
    if isinstance(number, int) and not (dtype.is_floating_point or dtype.is_complex or dtype == runtime.bool):
        return runtime.tensor(number, dtype=runtime.int64, device=tensor.device).to(dtype)
    return _scalar_for(number, tensor)


def _scalar_for(number, tensor):
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


# Operators whose first operand is a number, and the out= forms of those whose second one is.


def remainder_Scalar_Tensor(self, other):
    return aten.remainder.Tensor(_wrapped_scalar(self, other), other)


def bitwise_and_Scalar_Tensor(self, other):
    return aten.bitwise_and.Tensor(_wrapped_scalar(self, other), other)


def bitwise_or_Scalar_Tensor(self, other):
    return aten.bitwise_or.Tensor(_wrapped_scalar(self, other), other)


def bitwise_xor_Scalar_Tensor(self, other):
    return aten.bitwise_xor.Tensor(_wrapped_scalar(self, other), other)


def remainder_Scalar_out(self, other, *, out):
    return _into(out, aten.remainder.Scalar(self, other))


def fmod_Scalar_out(self, other, *, out):
    return _into(out, aten.fmod.Scalar(self, other))


def bitwise_and_Scalar_out(self, other, *, out):
    return _into(out, aten.bitwise_and.Scalar(self, other))


def bitwise_or_Scalar_out(self, other, *, out):
    return _into(out, aten.bitwise_or.Scalar(self, other))


def bitwise_xor_Scalar_out(self, other, *, out):
    return _into(out, aten.bitwise_xor.Scalar(self, other))




def logical_not(self):
    import runtime

    return aten.logical_not.out(self, out=aten.empty_like.default(self, dtype=runtime.bool))


def logical_not_(self):
    return aten.logical_not.out(self, out=self)


def _logical_pair(name, self, other):
    import runtime

    shape = _broadcast(self.shape, other.shape)
    out = aten.empty.memory_format(shape, dtype=runtime.bool, device=self.device)
    return getattr(aten, name).out(self, other, out=out)


def logical_and(self, other):
    return _logical_pair("logical_and", self, other)


def logical_or(self, other):
    return _logical_pair("logical_or", self, other)


def logical_xor(self, other):
    return _logical_pair("logical_xor", self, other)


def logical_and_(self, other):
    return aten.logical_and.out(self, other, out=self)


def logical_or_(self, other):
    return aten.logical_or.out(self, other, out=self)


def logical_xor_(self, other):
    return aten.logical_xor.out(self, other, out=self)


def _foobar(self, arg1=True, arg2=True, *, arg3=True):
    return self
