"""`make_tensor`: random tensors of any dtype and layout in memory, for tests."""

import math

import runtime


def make_tensor(*shape, dtype, device, low=None, high=None, requires_grad=False, noncontiguous=False, exclude_zero=False, memory_format=None):
    """A tensor of random values between two limits.

    Parameters
    ----------
    *shape : int or sequence of int
        The shape.
    dtype : dtype
        Booleans default to 0 or 1, unsigned integers to 0..9, signed ones to -9..9, all others to values between -9 and 9.
    device : str or device
        The device.
    low, high : number, optional
        Limits: `low` is a possible value, `high` is not (but can come out of rounding to a short dtype).
    requires_grad : bool
        Whether operations on the tensor are recorded for derivatives.
    noncontiguous : bool
        Leave gaps between the elements, if there are at least two.
    exclude_zero : bool
        Put the smallest normal number (1 for integers) in place of zeros.
    memory_format : memory_format, optional
        The layout in memory.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the limits are no interval, or both `noncontiguous` and `memory_format` are given.
    RuntimeError
        If `requires_grad` is set for a dtype that can have no gradient.

    Examples
    --------
    >>> import runtime
    >>> make_tensor(2, 3, dtype=runtime.int64, device="cpu", low=5, high=6)
    tensor([[5, 5, 5],
            [5, 5, 5]])
    """
    if noncontiguous and memory_format is not None:
        raise ValueError(f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got {noncontiguous=} and {memory_format=}")
    if len(shape) == 1 and not isinstance(shape[0], int):
        shape = tuple(shape[0])
    inexact = dtype.is_floating_point or dtype.is_complex
    low, high = _limits(dtype, low, high, inexact)
    if inexact:
        # Drawn in double precision, so that short dtypes get well spread values too.
        result = _uniform(shape, device, low, high).to(dtype)
        if dtype.is_complex:
            result = result + _uniform(shape, device, low, high).to(dtype) * 1j
    else:
        result = runtime.randint(math.ceil(low), math.ceil(high), shape, device=device).to(dtype)
    if exclude_zero:
        tiny = runtime.finfo(dtype).tiny if inexact else 1
        result = runtime.where(result == 0, runtime.full((), complex(tiny, tiny) if dtype.is_complex else tiny, dtype=dtype, device=device), result)
    if noncontiguous and result.numel() > 1:
        spread = runtime.empty((*shape[:-1], 2 * shape[-1]), dtype=dtype, device=device)
        result = spread[..., ::2].copy_(result)
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    return result.requires_grad_() if requires_grad else result


def _limits(dtype, low, high, inexact):
    if inexact:
        defaults, range_ = (-9, 9), (runtime.finfo(dtype).min, runtime.finfo(dtype).max)
    elif dtype is runtime.bool:
        defaults, range_ = (0, 2), (0, 2)
    else:
        info = runtime.iinfo(dtype)
        defaults, range_ = (0 if info.min == 0 else -9, 10), (info.min, info.max)
    low, high = (default if given is None else given for given, default in zip((low, high), defaults))
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got {low=} and {high=}")
    if low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    if high < range_[0] or low >= range_[1]:
        raise ValueError(f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports [{range_[0]}, {range_[1]})")
    return (min(max(value, range_[0]), range_[1]) for value in (low, high))


def _uniform(shape, device, low, high):
    return runtime.rand(shape, dtype=runtime.float64, device=device) * (high - low) + low
