"""Lazy conjugates and negatives: views that stand for the conjugate or negative of what their memory holds."""

import copy

import numpy as np
import pytest

import runtime as rt
from runtime import TorchDispatchMode, ops

aten = ops.aten


@pytest.fixture
def x():
    return rt.tensor([1 + 2j, 3 - 4j])


def test_conj_of_complex_tensors_is_a_view_with_the_key_and_others_are_themselves(x):
    y = x.conj()
    assert y.is_conj() and y._base is x and y.data_ptr() == x.data_ptr()
    assert rt._core._dispatch_keys(y).has("Conjugate") and not rt._core._dispatch_keys(x).has("Conjugate")
    assert y.tolist() == [1 - 2j, 3 + 4j] and y[0].item() == 1 - 2j
    assert not y.conj().is_conj() and y.conj().tolist() == x.tolist()
    r = rt.ones(2)
    assert r.conj() is r and rt.conj(r) is r


def test_conj_of_a_real_tensor_by_the_lazy_operator_is_refused():
    with pytest.raises(RuntimeError, match="only complex tensors"):
        aten._conj.default(rt.ones(2))


def test_the_imaginary_part_of_a_conjugate_is_a_lazy_negative(x):
    imag = x.conj().imag
    assert imag.is_neg() and not x.conj().real.is_neg() and not x.conj()._neg_view().imag.is_neg()
    assert imag.tolist() == [-2.0, 4.0] and imag.data_ptr() == x.imag.data_ptr()
    assert imag.resolve_neg().tolist() == [-2.0, 4.0] and not imag.resolve_neg().is_neg()


@pytest.mark.parametrize(
    "function",
    [lambda y: y.view(2, 1), lambda y: y[1], lambda y: y[:, None], lambda y: y.t(), lambda y: y.detach(), lambda y: y.expand(3, 2),
     lambda y: y.unbind(0)[0], lambda y: y.data, lambda y: y.contiguous(), lambda y: y.to(y.dtype), lambda y: y.as_strided((1,), (1,)),
     lambda y: y.chunk(2)[1], lambda y: next(iter(y))],
)  # fmt: skip
def test_views_keep_the_bit(x, function):
    made = function(x.conj())
    assert made.is_conj()
    assert np.array_equal(made.numpy(force=True), function(x.conj().resolve_conj()).numpy(force=True))


@pytest.mark.parametrize(
    "function",
    [lambda y: y.clone(), lambda y: y + 0, lambda y: y.to(rt.complex128), rt.empty_like, rt.zeros_like, lambda y: rt.stack([y, y]),
     lambda y: y.conj_physical(), lambda y: y.resolve_conj(), copy.deepcopy, lambda y: rt.mm(y[None], y[:, None])],
)  # fmt: skip
def test_results_of_other_operators_have_no_bit(x, function):
    assert not function(x.conj()).is_conj()


def test_writing_to_a_lazy_view_writes_what_it_stands_for(x):
    y = x.conj()
    y.add_(1j)
    assert x.tolist() == [1 + 1j, 3 - 5j] and y.tolist() == [1 - 1j, 3 + 5j] and y.is_conj() and x._version == 1
    y[0] = 5j
    y[1:].copy_(rt.tensor([1j]))
    assert x.tolist() == [-5j, -1j]
    y.imag.mul_(2)
    assert x.tolist() == [-10j, -2j]
    y.fill_(1 + 1j)
    assert x.tolist() == [1 - 1j, 1 - 1j]


def test_outputs_may_be_lazy_and_are_returned(x):
    y = x.conj()
    assert rt.add(x.clone(), 1, out=y) is y
    assert x.tolist() == [2 - 2j, 4 + 4j]
    values = rt.zeros(3)._neg_view()
    found = rt.sort(rt.tensor([2.0, 1.0, 3.0]), out=(values, rt.zeros(3, dtype=rt.int64)))
    assert found[0] is values and values.tolist() == [1.0, 2.0, 3.0] and values._base.tolist() == [-1.0, -2.0, -3.0]


def test_a_lazy_output_that_has_another_shape_is_resized():
    out = rt.zeros(0)._neg_view()
    rt.add(rt.ones(3), 1, out=out)
    assert out.tolist() == [2.0, 2.0, 2.0]


def test_what_the_fallback_cannot_do_raises(x):
    with pytest.raises(RuntimeError, match="mutable TensorLists with conjugate inputs"):
        rt._foreach_add_([x.conj()], 1)
    with pytest.raises(RuntimeError, match="negation fallback does not support operators with more than one mutable"):
        rt.sort(rt.ones(3), out=(rt.zeros(3)._neg_view(), rt.zeros(3, dtype=rt.int64)._neg_view()))
    assert rt._foreach_add([x.conj()], 1)[0].tolist() == [2 - 2j, 4 + 4j]


def test_both_bits_together(x):
    both = x.conj()._neg_view()
    assert both.is_conj() and both.is_neg() and both.tolist() == [-1 + 2j, -3 - 4j]
    assert (both + 0).tolist() == both.tolist() == both.clone().tolist() == both.resolve_conj().tolist()
    both.add_(1)
    assert both.tolist() == [2j, -2 - 4j] and x.tolist() == [2j, 2 - 4j]


def test_copies_between_lazy_tensors(x):
    y = x.conj()
    y.copy_(x)
    assert x.tolist() == [1 - 2j, 3 + 4j]
    wide = rt.zeros(2, dtype=rt.complex128).conj()
    wide.copy_(x)
    assert wide.tolist() == x.tolist()
    real = rt.zeros(2, 2)._neg_view()
    real.copy_(rt.tensor([1.0, 2.0], dtype=rt.float64))
    assert real.tolist() == [[1.0, 2.0], [1.0, 2.0]] and real._base.tolist() == [[-1.0, -2.0], [-1.0, -2.0]]


@pytest.mark.parametrize("a_lazy", [False, True])
@pytest.mark.parametrize("b_lazy", [False, True])
def test_products_read_lazy_operands(a_lazy, b_lazy):
    a, b = (rt.randn(3, 4, 4, dtype=rt.complex64) for _ in range(2))
    p, q = (t.conj() if on else t for t, on in ((a, a_lazy), (b, b_lazy)))
    u, v = p.numpy(force=True), q.numpy(force=True)
    assert np.allclose(rt.bmm(p, q), u @ v, atol=1e-4)
    assert np.allclose(rt.mm(p[0], q[0]), u[0] @ v[0], atol=1e-4)
    assert np.allclose(rt.addmm(p[1], p[0], q[0]), u[1] + u[0] @ v[0], atol=1e-4)
    assert np.allclose(rt.baddbmm(q, p, q), v + u @ v, atol=1e-4)
    assert np.allclose(rt.dot(p[0, 0], q[0, 0]).item(), u[0, 0] @ v[0, 0], atol=1e-4)
    assert np.allclose(rt.vdot(p[0, 0], q[0, 0]).item(), np.vdot(u[0, 0], v[0, 0]), atol=1e-4)
    out = rt.zeros(4, 4, dtype=rt.complex64).conj()
    assert rt.mm(p[0], q[0], out=out) is out
    assert np.allclose(out.numpy(force=True), u[0] @ v[0], atol=1e-4)
    start = rt.ones(4, 4, dtype=rt.complex64).conj()
    start.addmm_(p[0], q[0])
    assert np.allclose(start.numpy(force=True), 1 + u[0] @ v[0], atol=1e-4)


def test_memory_of_lazy_tensors_is_not_given_away(x):
    with pytest.raises(RuntimeError, match="conjugate bit set. Use tensor.resolve_conj"):
        x.conj().numpy()
    with pytest.raises(RuntimeError, match="negative bit set. Use tensor.resolve_neg"):
        x.conj().imag.numpy()
    with pytest.raises(RuntimeError, match="doesn't work on unresolved conjugated tensors"):
        rt.view_as_real(x.conj())
    with pytest.raises(RuntimeError, match="not supported for conjugate view tensors when converting"):
        x.conj().view(rt.float32)
    with pytest.raises(RuntimeError, match="tensors with negative bit set when converting"):
        x._neg_view().view(rt.float32)
    with pytest.raises(BufferError):
        x.conj().__dlpack__()


def test_booleans_have_no_negative():
    with pytest.raises((RuntimeError, NotImplementedError)):
        rt.tensor([True])._neg_view().clone()


class Log(TorchDispatchMode):
    def __init__(self):
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(str(func).removeprefix("aten."))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "function, seen",
    [
        (lambda y: y.conj(), ["_conj.default"]),
        (lambda y: y + 1, ["clone.default", "add.Tensor"]),
        (lambda y: y.add_(1), ["clone.default", "add_.Tensor", "copy_.default"]),
        (lambda y: rt.mm(y[None], y[:, None]), ["unsqueeze.default", "unsqueeze.default", "mm.default"]),
        (lambda y: y.imag, ["_conj.default", "view_as_real.default", "_neg_view.default", "select.int"]),
        (lambda y: y.resolve_conj(), ["clone.default"]),
    ],
)
def test_modes_see_below_the_fallback(x, function, seen):
    y = x.conj()
    with Log() as log:
        function(y)
    assert [name for name in log.seen if not name.startswith(("slice", "alias"))] == seen


def test_a_kernel_of_an_operator_takes_the_place_of_the_fallback():
    lib = rt.Library("aten", "IMPL")
    lib.impl("sin", lambda t: "kernel", "Conjugate", allow_override=True)
    try:
        assert rt._core._dispatch_has_kernel_for_dispatch_key("aten::sin", "Conjugate")
    finally:
        lib._destroy()


def test_gradients_pass_lazy_views():
    x = rt.tensor([1 + 2j, 3 - 4j], requires_grad=True)
    y = x.conj()
    assert type(y.grad_fn).__name__ == "ConjBackward0"
    (y * y).sum().abs().backward()
    assert x.grad is not None and x.grad.shape == x.shape


# ---- beside PyTorch

NAMES = ["add", "mul", "sum", "mm", "matmul", "bmm", "addmm", "dot", "vdot", "real", "imag", "conj", "resolve_conj", "resolve_neg", "cat", "exp",
         "where", "view_as_real", "linalg.solve_triangular", "linalg.svd", "index_select", "masked_fill", "copysign", "cumsum", "to", "clone",
         "reshape", "flip", "stack", "gather", "index_put", "nn.functional.linear", "einsum", "sort", "repeat_interleave"]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("bit", ["conj", "neg"])
def test_operators_give_pytorchs_results_on_lazy_arguments(bit):
    pytest.importorskip("torch")
    from tests import lazy_oracle

    assert list(lazy_oracle.run(bit, NAMES, most=6)) == []
