"""Random tensors made of other operators."""

import numpy as np

from runtime._core import _hand_on, contiguous_format, ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import broadcast, into, scalar_name

aten = ops.aten


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
    return aten.bernoulli_.float(_hand_on(aten.bernoulli.p, aten.empty_like.default, self), p, generator=generator)


def normal_functional(self, mean=0, std=1, *, generator=None):
    return aten.normal_.default(_hand_on(aten.normal_functional.default, aten.empty_like.default, self), mean, std, generator=generator)


def randperm_out(n, *, out):
    return aten.randperm.generator_out(n, generator=None, out=out)


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


def bernoulli_out(self, *, generator=None, out):
    return into(out, aten.bernoulli.default(self, generator=generator))


# ---- normal numbers of many means and deviations


def _check_deviations(std):
    if std.dtype.is_complex:
        raise RuntimeError("normal expects standard deviation to be non-complex")
    if std.device.type != "meta" and std.numel() and not aten.ge.Scalar(aten.min.default(std), 0).item():
        raise RuntimeError("normal expects all elements of std >= 0.0")


def _check_deviation(std):
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")


def normal_Tensor_float(mean, std=1, *, generator=None):
    _check_deviation(std)
    drawn = _hand_on(aten.normal.Tensor_float, aten.empty_like.default, mean, memory_format=contiguous_format)
    return aten.add_.Tensor(aten.normal_.default(drawn, 0, std, generator=generator), mean)


def normal_float_Tensor(mean, std, *, generator=None):
    _check_deviations(std)
    drawn = _hand_on(aten.normal.float_Tensor, aten.empty_like.default, std, memory_format=contiguous_format)
    aten.normal_.default(drawn, generator=generator)
    return aten.add_.Scalar(aten.mul_.Tensor(drawn, std), mean)


def normal_Tensor_Tensor(mean, std, *, generator=None):
    _check_deviations(std)
    drawn = _hand_on(aten.normal.Tensor_Tensor, aten.new_empty.default, mean, broadcast(mean.shape, std.shape))
    aten.normal_.default(drawn, generator=generator)
    return aten.add_.Tensor(aten.mul_.Tensor(drawn, std), mean)


def normal_float_float(mean, std, size, *, generator=None, dtype=None, layout=None, device=None, pin_memory=None):
    _check_deviation(std)
    empty = aten.empty.memory_format(size, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
    return aten.normal_.default(empty, mean, std, generator=generator)


def normal_float_float_out(mean, std, size, *, generator=None, out):
    _check_deviation(std)
    return aten.normal_.default(aten.resize_.default(out, size), mean, std, generator=generator)


# ---- draws from categories


def multinomial(self, num_samples, replacement=False, *, generator=None):
    import runtime

    if not self.dtype.is_floating_point:
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {scalar_name(self.dtype)}")
    if not 1 <= self.dim() <= 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    count = self.shape[-1]
    if not replacement and num_samples > count:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    shape = (*self.shape[:-1], num_samples)
    if self.device.type == "meta" or not self.numel():
        return aten.new_empty.default(self, shape, dtype=runtime.int64)
    p = read(self).reshape(-1, count)
    once = not replacement or num_samples == 1
    if not (p >= 0).all():
        which = "tensor contains either `inf`, `nan` or element < 0"
        raise RuntimeError(f"probability {which}" if once else "invalid multinomial distribution (encountering probability entry < 0)")
    if np.isinf(p).any():
        which = "tensor contains either `inf`, `nan` or element < 0"
        raise RuntimeError(f"probability {which}" if once else "invalid multinomial distribution (encountering probability entry = infinity or NaN)")
    if (p.sum(1) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    # Competing exponential clocks: the category whose clock rings first is drawn first.
    if once:
        clocks = aten.exponential_.default(aten.empty.memory_format(p.shape, dtype=runtime.float64), generator=generator)
        with np.errstate(divide="ignore"):
            times = np.where(p > 0, read(clocks) / p, np.inf)
        order = times.argmin(1)[:, None] if num_samples == 1 else np.argsort(times, axis=1, kind="stable")[:, :num_samples]
        return new(order.reshape(shape).astype(np.int64))
    # One sorted list of all rows: row r's cumulative shares lie between r and r + 1.
    shares = np.cumsum(p, axis=1, dtype=np.float64)
    rows = np.arange(len(p))[:, None]
    shares = shares / shares[:, -1:] + rows
    drawn = aten.uniform_.default(aten.empty.memory_format((len(p), num_samples), dtype=runtime.float64), generator=generator)
    places = np.searchsorted(shares.ravel(), read(drawn) + rows, side="right") - rows * count
    last = count - 1 - np.argmax(p[:, ::-1] > 0, axis=1)[:, None]
    return new(np.minimum(np.maximum(places, 0), last).reshape(shape).astype(np.int64))


def multinomial_out(self, num_samples, replacement=False, *, generator=None, out):
    if scalar_name(out.dtype) != "Long":
        raise RuntimeError(f"multinomial expects Long tensor out, got: {scalar_name(out.dtype)}")
    return into(out, aten.multinomial.default(self, num_samples, replacement, generator=generator))


def _sample_dirichlet(self, generator=None):
    if scalar_name(self.dtype) not in ("Float", "Double"):
        raise NotImplementedError(f"\"dirichlet\" not implemented for '{scalar_name(self.dtype)}'")
    gamma = aten._standard_gamma.default(self, generator)
    return aten.div.Tensor(gamma, aten.sum.dim_IntList(gamma, (-1,), True)) if self.dim() else aten.ones_like.default(self)
