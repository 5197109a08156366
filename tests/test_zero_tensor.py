"""Zero tensors: zeros without memory."""

import pytest

import runtime as rt

make = rt.ops.aten._efficientzerotensor.default


@pytest.fixture
def z():
    return make([2])


def test_a_zero_tensor_has_geometry_and_a_key_but_no_memory():
    z = make([2, 3], dtype=rt.float64)
    assert z._is_zerotensor() and z.dtype is rt.float64 and z.stride() == (3, 1) and z.data_ptr() == 0
    assert z.untyped_storage().nbytes() == 48
    assert str(rt._core._dispatch_keys(z)) == "DispatchKeySet(CPU, ZeroTensor, ADInplaceOrView, AutogradCPU, AutocastCPU)"
    assert rt._efficientzerotensor(2, device="meta").is_meta
    assert repr(make([2])) == "tensor([0., 0.])"


def test_views_are_zero_tensors(z):
    for view in (z.view(2, 1), z[0], z.detach(), z.t(), z.expand(3, 2), z.as_strided((1,), (1,)), z.unbind(0)[1], z._neg_view()):
        assert view._is_zerotensor()
    assert make([2], dtype=rt.complex64).imag._is_zerotensor() and make([2], dtype=rt.complex64).conj()._is_zerotensor()


def test_copies_have_memory(z):
    for copy in (z.clone(), z.to(rt.float64), rt.zeros_like(z), rt.empty_like(z), rt.full_like(z, 1), z.bool(), z.sum(), -z):
        assert not copy._is_zerotensor()
    assert z.clone().tolist() == [0.0, 0.0] and rt.ones(2).copy_(z).tolist() == [0.0, 0.0]
    assert z.numpy(force=True).tolist() == [0.0, 0.0] and (z + 1).tolist() == [1.0, 1.0] and z.cos().tolist() == [1.0, 1.0]


def test_arithmetic_keeps_zeros_where_the_result_is_zero(z):
    one = rt.ones(2)
    for zero in (z + z, z - z, z * one, one * z, z * 2, z / one, z.dot(one), rt.vdot(z, z), rt.linalg.cross(make([3]), rt.ones(3))):
        assert zero._is_zerotensor()
    assert (z + one).tolist() == [1.0, 1.0] and (one - z).tolist() == [1.0, 1.0] and (z - one).tolist() == [-1.0, -1.0]
    assert rt.add(z, one, alpha=3).tolist() == [3.0, 3.0] and rt.sub(z, one, alpha=3).tolist() == [-3.0, -3.0]
    assert rt.add(one, z, alpha=3).tolist() == [1.0, 1.0]
    assert (one / z).tolist() == [float("inf")] * 2 and all(v != v for v in (z / z).tolist())


def test_arithmetic_has_the_shape_and_dtype_of_the_operator():
    z = make([2], dtype=rt.int64)
    assert (z + rt.ones(3, 1)).shape == (3, 2) and z.mul(1.5).dtype is rt.float32 and (z / z).dtype is rt.float32
    with pytest.raises(RuntimeError, match="must match the size of tensor b"):
        z + rt.ones(3)


@pytest.mark.parametrize(
    "write",
    [lambda z: z.add_(1), lambda z: z.fill_(1), lambda z: z.zero_(), lambda z: rt.add(z, 1, out=z), lambda z: rt._foreach_add_([z], 1),
     lambda z: z.copy_(rt.ones(2)), lambda z: z.__setitem__(0, 1)],
)  # fmt: skip
def test_zero_tensors_are_immutable(z, write):
    with pytest.raises(RuntimeError, match="ZeroTensors are immutable"):
        write(z)


def test_memory_that_is_not_there_is_not_read(z):
    with pytest.raises(RuntimeError, match="Cannot convert a ZeroTensor to numpy"):
        z.numpy()
    with pytest.raises(RuntimeError, match="unallocated storage"):
        z.tolist()
    with pytest.raises(RuntimeError):
        z.untyped_storage().tolist()
    with pytest.raises(RuntimeError):
        z.resize_(400)
    assert make([]).item() == 0.0 and float(make([1])) == 0.0 and not make([])


def test_zero_tensors_may_be_leaves():
    z = make([2]).requires_grad_()
    (z * rt.tensor([2.0, 3.0])).sum().backward()
    assert z.grad.tolist() == [2.0, 3.0]
