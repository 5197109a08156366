"""Comparison of operators with PyTorch: the same call on both sides, results or errors alike.

Tests that use it are marked ``oracle`` and are skipped where PyTorch is not installed.
"""

import numpy as np
import pytest

import runtime as rt

torch = pytest.importorskip("torch")

DTYPES = ["float32", "float64", "float16", "complex64", "complex128", "int64", "int32", "int16", "int8", "uint8", "bool"]


def random_tensor(shape, dtype, seed=0):
    """A PyTorch tensor of small values."""
    g = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, dtype)
    if dtype == torch.bool:
        return torch.rand(shape, generator=g) > 0.5
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=g, dtype=torch.complex128 if dtype.is_complex else torch.float64).to(dtype)
    return torch.randint(0 if dtype == torch.uint8 else -5, 6, shape, generator=g).to(dtype)


def ours(value, meta=False):
    """The value with every PyTorch tensor and dtype replaced by ours, of the same geometry over a storage of the same size."""
    if isinstance(value, torch.Tensor):
        flat = torch.empty(0, dtype=value.dtype).set_(value.untyped_storage())
        base = rt.from_numpy(flat.numpy().copy())
        if meta:
            base = rt.empty_strided(base.shape, (1,), dtype=base.dtype, device="meta")
        return base.as_strided(tuple(value.shape), value.stride(), value.storage_offset())
    if isinstance(value, torch.dtype):
        return getattr(rt, str(value).removeprefix("torch."))
    if isinstance(value, (list, tuple)):
        return type(value)(ours(v, meta) for v in value)
    return value


def outcome(call):
    try:
        return call()
    except Exception as e:
        return e


def assert_alike(got, want, rtol=0.0, strides=True, values=True):
    """Two outcomes agree: the same error, or results of the same type, dtype, shape, strides and (nearly) the same values."""
    if isinstance(want, Exception):
        assert type(got) is type(want), (got, want)
        assert str(got).split("\n")[0] == str(want).split("\n")[0]
    elif isinstance(want, torch.Tensor):
        assert isinstance(got, rt.Tensor), got
        assert str(got.dtype) == str(want.dtype)
        assert tuple(got.shape) == tuple(want.shape)
        if strides and want.numel() > 1:
            assert got.stride() == want.stride()
        if values:
            np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=rtol, atol=rtol)
    elif isinstance(want, (list, tuple)):
        assert not isinstance(got, Exception), got
        assert len(got) == len(want)
        for g, w in zip(got, want):
            assert_alike(g, w, rtol, strides, values)
    else:
        assert got == want


def compare(name, *args, rtol=0.0, strides=True, meta=True, **kwargs):
    """Call ``aten::name`` (``packet.overload``) on both sides, on CPU and, by shape and dtype alone, on Meta."""
    packet, _, overload = name.partition(".")

    def call(ops, args, kwargs):
        return getattr(getattr(ops.aten, packet), overload or "default")(*args, **kwargs)

    want = outcome(lambda: call(torch.ops, args, kwargs))
    got = outcome(lambda: call(rt.ops, ours(args), {k: ours(v) for k, v in kwargs.items()}))
    assert_alike(got, want, rtol, strides)
    if meta and not isinstance(want, Exception):
        shape = outcome(lambda: call(rt.ops, ours(args, True), {k: ours(v) for k, v in kwargs.items()}))
        assert_alike(shape, want, strides=strides, values=False)
