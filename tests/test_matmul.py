"""Products of matrices and vectors."""

import subprocess
import sys

import pytest

import runtime as rt

RTOL = {"float32": 1e-3, "complex64": 1e-3, "float16": 2e-2}


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "complex128", "int64", "int32", "uint8"])
def test_products_agree_with_torch_for_all_orders_of_memory(dtype):
    oracle = pytest.importorskip("oracle")
    rtol, new = RTOL.get(dtype, 1e-9), oracle.random_tensor
    for m, k, n in [(1, 1, 1), (2, 3, 4), (16, 16, 16), (17, 5, 33), (0, 3, 4), (3, 0, 4), (40, 50, 60), (1, 7, 1)]:
        for a in (new((m, k), dtype), new((k, m), dtype).t(), new((2 * m, 2 * k), dtype)[::2, ::2]):
            for b in (new((k, n), dtype), new((n, k), dtype).t(), new((2 * k, 2 * n), dtype)[::2, ::2]):
                oracle.compare("mm", a, b, rtol=rtol)
                oracle.compare("addmm", new((n,), dtype), a, b, beta=2, alpha=3, rtol=3 * rtol)
            oracle.compare("mv", a, new((k,), dtype), rtol=rtol)
        oracle.compare("bmm", new((3, m, k), dtype), new((3, k, n), dtype), rtol=rtol)
        oracle.compare("baddbmm", new((n,), dtype), new((3, m, k), dtype), new((3, k, n), dtype), rtol=rtol)
        oracle.compare("dot", new((k,), dtype), new((2 * k,), dtype)[::2], rtol=rtol)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_whole_and_broken_tiles_agree_with_torch(dtype):
    oracle = pytest.importorskip("oracle")
    rtol, new = 10 * RTOL.get(dtype, 1e-9), oracle.random_tensor
    for m, k, n in [(64, 300, 96), (65, 257, 33), (17, 520, 100), (300, 2, 40), (9, 64, 16), (12, 31, 49), (260, 40, 530), (2, 700, 1100)]:
        for a in (new((m, k), dtype), new((k, m), dtype).t(), new((2 * m, 2 * k), dtype)[::2, ::2], new((1, k), dtype).expand(m, k)):
            for b in (new((k, n), dtype), new((n, k), dtype).t(), new((2 * k, 2 * n), dtype)[::2, ::2], new((k, 1), dtype).expand(k, n)):
                oracle.compare("mm", a, b, rtol=rtol)
            oracle.compare("addmm", new((m, n), dtype), a, b, beta=2, alpha=3, rtol=3 * rtol)
            oracle.compare("mv", a, new((2 * k,), dtype)[::2], rtol=rtol)
            oracle.compare("matmul", new((k,), dtype), a.t().clone(), rtol=rtol)


@pytest.mark.oracle
def test_out_of_any_orientation_gets_the_product():
    torch = pytest.importorskip("torch")
    a, b = torch.randn(40, 50), torch.randn(50, 70)
    for make in (lambda lib: lib.zeros(40, 70), lambda lib: lib.zeros(70, 40).t(), lambda lib: lib.zeros(80, 140)[::2, ::2]):
        ours, theirs = make(rt), make(torch)
        rt.mm(rt.from_numpy(a.numpy()), rt.from_numpy(b.numpy()), out=ours)
        torch.mm(a, b, out=theirs)
        assert ours.stride() == theirs.stride()
        assert torch.allclose(torch.from_numpy(ours.numpy()), theirs, atol=1e-4)


@pytest.mark.oracle
def test_matmul_agrees_with_torch_for_all_ranks():
    oracle = pytest.importorskip("oracle")
    shapes = [(), (4,), (3, 4), (4, 5), (2, 3, 4), (2, 4, 5), (5, 1, 3, 4), (1, 4, 2), (3,), (2, 1, 4, 3)]
    for s in shapes:
        for u in shapes:
            oracle.compare("matmul", oracle.random_tensor(s, "float32"), oracle.random_tensor(u, "float32"), rtol=1e-4)


def test_a_zero_beta_ignores_what_the_input_holds():
    nan = rt.full((2, 2), float("nan"))
    assert rt.addmm(nan, rt.ones(2, 3), rt.ones(3, 2), beta=0).tolist() == [[3.0, 3.0], [3.0, 3.0]]


@pytest.mark.parametrize("m, n", [(1, 40), (40, 1), (40, 40)])
def test_a_product_reads_nothing_of_new_memory(m, n):
    out = rt.full((m, n), float("nan"))
    rt.mm(rt.ones(m, 30), rt.ones(30, n), out=out)
    assert (out == 30).all()


@pytest.mark.parametrize("n", [4, 40])
def test_an_alpha_of_zero_hides_the_factors(n):
    nan = rt.full((n, n), float("nan"))
    assert (rt.addmm(rt.ones(n, n), nan, nan, alpha=0) == 1).all()
    assert (rt.addmv(rt.ones(n), nan, nan[0], alpha=0) == 1).all()


def test_mismatched_shapes_are_named():
    with pytest.raises(RuntimeError, match=r"mat1 and mat2 shapes cannot be multiplied \(3x4 and 5x6\)"):
        rt.ones(3, 4) @ rt.ones(5, 6)


def test_small_products_of_expanded_elements_need_no_library_and_are_contiguous():
    program = """
import runtime
for dtype in (runtime.float32, runtime.float64, runtime.bfloat16):
    one = runtime.ones((), dtype=dtype)
    product = one.expand(1, 1).mm(runtime.ones(1, 1, dtype=dtype))
    assert product.item() == 1 and product.stride() == (1, 1), product.stride()
    assert one.expand(2, 1).mm(runtime.ones(1, 1, dtype=dtype)).stride() == (1, 1)
runtime.nn.Linear(1, 1)(runtime.ones(1)).sum().backward()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
