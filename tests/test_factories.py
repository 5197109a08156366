"""Factories: tensors from sizes and numbers."""

import pytest

import runtime as rt


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [None, "float32", "float64", "int64", "uint8", "bool", "complex64", "float16"])
def test_factories_agree_with_torch(dtype):
    oracle = pytest.importorskip("oracle")
    torch = oracle.torch
    kw = {} if dtype is None else {"dtype": getattr(torch, dtype)}
    for value in (0, 1, 2.5, -1, 300, True, 1j, float("inf"), 1e50):
        oracle.compare("full", (2,), value, meta=False, **kw)
    for name in ("zeros", "ones"):
        for size in ((2, 3), (2, 0), ()):
            oracle.compare(name, size, meta=False, **kw)
    oracle.compare("eye", 3, meta=False, **kw)
    oracle.compare("eye.m", 3, 5, meta=False, **kw)
    for a in ((0, 10, 3), (0, 1, 0.1), (10, 0, -3), (1, 2, 0), (0, float("inf"), 1), (5, 1, 1), (2**40, 2**40 + 3, 1)):
        if dtype not in ("uint8", "bool", "int64"):
            oracle.compare("arange.start_step", *a, meta=False, rtol=1e-6, **kw)
    oracle.compare("arange", 5, meta=False, **kw)
    if dtype not in ("uint8", "bool"):
        for a in ((0, 1, 5), (0, 10, 1), (3, -3, 7), (0, 1, -1)):
            oracle.compare("linspace", *a, meta=False, rtol=1e-2 if dtype == "float16" else 1e-6, **kw)


def test_meta_tensors_take_no_memory():
    x = rt.zeros(2**40, device="meta")
    assert x.shape == (2**40,) and x.device.type == "meta"


def test_like_factories_keep_the_order_of_dimensions():
    x = rt.empty(2, 3, 4).permute(2, 0, 1)
    assert rt.zeros_like(x).stride() == x.stride()
    assert rt.ones_like(x[:, :1]).stride() == (1, 12, 4)


@pytest.mark.parametrize("size", [(-1,), (2, -3)])
def test_negative_sizes_are_refused(size):
    with pytest.raises(RuntimeError, match="negative"):
        rt.empty(size)


def test_new_tensors_start_at_version_zero():
    for x in (rt.zeros(2), rt.ones(2), rt.rand(2), rt.full((2,), 3), rt.eye(2), rt.arange(3)):
        assert x._version == 0
