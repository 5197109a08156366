"""Random tensors made of other operators."""

from runtime._core import ops

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
    return aten.bernoulli_.float(aten.empty_like.default(self), p, generator=generator)


def normal_functional(self, mean=0, std=1, *, generator=None):
    return aten.normal_.default(aten.empty_like.default(self), mean, std, generator=generator)


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
