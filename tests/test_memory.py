"""What operators allocate beyond their results: nothing where they write into outputs, nothing as large as what is broadcast.

Measured by the high-water mark of the process's memory, which Linux counts and lets a process reset.
"""

import ctypes
import re
import sys
import warnings
from pathlib import Path

import pytest

import runtime as rt
import runtime.nn.functional as F

MARK, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
MIB = 1 << 20
M_MMAP_THRESHOLD = -3  # of mallopt
N = 1536  # 9 MiB of float32
ALLOWED = 8 * MIB  # buffers of BLAS, pieces of expressions, pages of the heap that were given back before, and large pages


def _high_water():
    return int(re.search(r"VmHWM:\s+(\d+)", STATUS.read_text())[1]) * 1024


@pytest.fixture
def extra():
    """A function that says how many bytes a call takes at its peak, beyond what was taken before."""
    if sys.platform != "linux" or not MARK.exists():
        pytest.skip("needs the high-water mark of Linux")
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        pytest.skip("needs glibc's malloc_trim")

    # Memory that earlier tests gave back to the heap would hide new blocks; so large ones come from the system, each by itself.
    libc.mallopt(M_MMAP_THRESHOLD, MIB)

    def measure(call):
        call()  # imports, caches and threads' stacks are not what is measured
        libc.malloc_trim(0)
        try:
            MARK.write_text("5")
        except OSError:
            pytest.skip("the high-water mark cannot be reset here")
        before = _high_water()
        call()
        return _high_water() - before

    return measure


def _filled(*shape, dtype=rt.float32):
    """An output whose memory has been touched, so that it counts already."""
    return rt.full(shape, 1, dtype=dtype)


def test_the_measurement_sees_a_temporary(extra):
    x, o = _filled(N, N), _filled(N, N)
    assert extra(lambda: o.copy_(x + x)) > 8 * MIB


X, Y = (rt.rand(N, N) + 0.5 for _ in range(2))
V, MASK = rt.rand(N), X > 0.9
PLACES = (rt.rand(N) * N).to(rt.int64)
IMAGES = rt.rand(1, 36, 256, 256)
S = (N, N)

OUT = {
    "add": (lambda o: rt.add(X, Y, out=o), S),
    "sigmoid": (lambda o: rt.sigmoid(X, out=o), S),
    "where": (lambda o: rt.where(MASK, X, Y, out=o), S),
    "deg2rad": (lambda o: rt.deg2rad(X, out=o), S),
    "addcmul": (lambda o: rt.addcmul(X, X, Y, out=o), S),
    "gelu": (lambda o: rt.ops.aten.gelu.out(X, out=o), S),
    "mse_loss": (lambda o: rt.ops.aten.mse_loss.out(X, Y, 0, out=o), S),
    "softmax": (lambda o: rt.softmax(X, 1, out=o), S),
    "log_softmax": (lambda o: rt.log_softmax(X, 1, out=o), S),
    "cumsum": (lambda o: rt.cumsum(X, 0, out=o), S),
    "logcumsumexp": (lambda o: rt.logcumsumexp(X, 0, out=o), S),
    "outer": (lambda o: rt.outer(V, V, out=o), S),
    "gather": (lambda o: rt.gather(X, 0, PLACES.expand(N, N), out=o), S),
    "index_select": (lambda o: rt.index_select(X, 0, PLACES, out=o), S),
    "cat": (lambda o: rt.cat([X[: N // 2], Y[N // 2 :]], out=o), S),
    "tril": (lambda o: rt.tril(X, out=o), S),
    "eye": (lambda o: rt.eye(N, out=o), S),
    "linspace": (lambda o: rt.linspace(0, 1, N * N, out=o), (N * N,)),
    "avg_pool2d": (lambda o: rt.ops.aten.avg_pool2d.out(IMAGES, [3, 3], [1, 1], [1, 1], out=o), (1, 36, 256, 256)),
    "native_batch_norm": (
        lambda o: rt.ops.aten.native_batch_norm.out(
            IMAGES, None, None, None, None, True, 0.1, 1e-5, out=o, save_mean=rt.empty(36), save_invstd=rt.empty(36)
        ),
        (1, 36, 256, 256),
    ),
    "sum": (lambda o: rt.sum(X, 0, out=o), (N,)),
    "amax": (lambda o: rt.amax(X, 1, out=o), (N,)),
    "norm": (lambda o: rt.linalg.vector_norm(X, 2, 1, out=o), (N,)),
    "mv": (lambda o: rt.mv(X, V, out=o), (N,)),
}

ATEN = rt.ops.aten
WAVES = rt.complex(X, Y)
# Operators whose kernels are written in Python, or that move elements: their out= variants are made of the functional ones.
MADE = {
    "flip": (ATEN.flip, (X, [0])),
    "repeat": (ATEN.repeat, (V, [N, 1])),
    "roll": (ATEN.roll, (X, [3], [1])),
    "roll of the flat elements": (ATEN.roll, (X, [3])),
    "diff": (ATEN.diff, (X,)),
    "constant_pad_nd": (ATEN.constant_pad_nd, (X, [1, 2, 3, 4], 1.5)),
    "reflection_pad1d": (ATEN.reflection_pad1d, (X, [3, 4])),
    "replication_pad1d": (ATEN.replication_pad1d, (X, [3, 4])),
    "upsample_nearest1d": (ATEN.upsample_nearest1d, (X[None], [2 * N])),
}


def _fitting(sizes, dtype):
    return rt.zeros(sizes, dtype=dtype).fill_(1)


BYTES = (X * 200).to(rt.uint8)
# Operators whose kernels end in another operator: their out= variants hand the output on to that one.
HANDED_ON = {
    "add.Scalar_out": (ATEN.add.Scalar, (X, 2)),
    "rsub.Scalar_out": (ATEN.rsub.Scalar, (X, 2)),
    "rsub.Tensor_out": (ATEN.rsub.Tensor, (X, Y)),
    "floor_divide.Scalar_out": (ATEN.floor_divide.Scalar, (X, 2)),
    "remainder.Scalar_Tensor_out": (ATEN.remainder.Scalar_Tensor, (2, X)),
    "bitwise_and.Scalar_Tensor_out": (ATEN.bitwise_and.Scalar_Tensor, (3, BYTES)),
    "fill.Scalar_out": (ATEN.fill.Scalar, (X, 2)),
    "fill.Tensor_out": (ATEN.fill.Tensor, (X, V[0])),
    "clone.out": (ATEN.clone.default, (X,)),
    "copy.out": (ATEN.copy.default, (X, MASK)),
    "lift_fresh_copy.out": (ATEN.lift_fresh_copy.default, (X,)),
    "alias_copy.out": (ATEN.alias_copy.default, (X,)),
    "view_copy.out": (ATEN.view_copy.default, (X, [-1])),
    "slice_copy.Tensor_out": (ATEN.slice_copy.Tensor, (X, 1, 1, N)),
    "transpose_copy.int_out": (ATEN.transpose_copy.int, (X, 0, 1)),
    "unsqueeze_copy.out": (ATEN.unsqueeze_copy.default, (X, 1)),
    "expand_copy.out": (ATEN.expand_copy.default, (V, [N, N])),
    "_neg_view_copy.out": (ATEN._neg_view_copy.default, (X,)),
    "_conj_copy.out": (ATEN._conj_copy.default, (WAVES,)),
    "_to_copy.out": (ATEN._to_copy.default, (X,)),
    "_conj_physical.out": (ATEN._conj_physical.default, (WAVES,)),
    "dequantize.self_out": (ATEN.dequantize.self, (BYTES,)),
    "zero.out": (ATEN.zero.default, (X,)),
    "full_like.out": (ATEN.full_like.default, (X, 2)),
    "zeros_like.out": (ATEN.zeros_like.default, (X,)),
    "rot90.out": (ATEN.rot90.default, (X,)),
    "rot90.out by a half": (ATEN.rot90.default, (X, 2)),
    "slice_scatter.out": (ATEN.slice_scatter.default, (X, V.expand(3, N), 0, 1, 4)),
    "select_scatter.out": (ATEN.select_scatter.default, (X, V, 0, 1)),
    "diagonal_scatter.out": (ATEN.diagonal_scatter.default, (X, V)),
    "native_dropout_backward.out": (ATEN.native_dropout_backward.default, (X, MASK, 2.0)),
    "block_diag.out": (ATEN.block_diag.default, ([X, Y[:3]],)),
    "inner.out": (ATEN.inner.default, (X, Y)),
    "tensordot.out": (ATEN.tensordot.default, (X, Y, [0], [1])),
    "chain_matmul.out": (ATEN.chain_matmul.default, ([X, V[:, None], V[None]],)),
    "chain_matmul.out of one": (ATEN.chain_matmul.default, ([X],)),
    "linalg_multi_dot.out": (ATEN.linalg_multi_dot.default, ([X, Y],)),
    "matrix_power.out of 0": (ATEN.matrix_power.default, (X, 0)),
    "matrix_power.out of 1": (ATEN.matrix_power.default, (X, 1)),
    "matrix_power.out of 2": (ATEN.matrix_power.default, (X, 2)),
    "avg_pool1d.out": (ATEN.avg_pool1d.default, (X, [3], [1], [1])),
    "_stack.out": (ATEN._stack.default, ([X, Y], 1)),
    "stack.out": (ATEN.stack.default, ([X, Y],)),
    "hstack.out": (ATEN.hstack.default, ([X, V[:, None]],)),
    "vstack.out": (ATEN.vstack.default, ([X, V],)),
    "dstack.out": (ATEN.dstack.default, ([X, Y],)),
    "row_stack.out": (ATEN.row_stack.default, ([X, V],)),
    "column_stack.out": (ATEN.column_stack.default, ([X, V],)),
    "_chunk_cat.out": (ATEN._chunk_cat.default, ([X, Y], 0, 2)),
    "renorm.out": (ATEN.renorm.default, (X, 3, 0, 0.5)),
    "nonzero.out": (ATEN.nonzero.default, (MASK,)),
    "hash_tensor.out": (ATEN.hash_tensor.default, (X, [1])),
    "ldexp.out": (ATEN.ldexp.Tensor, (X, Y)),
    "ldexp.out by integers": (ATEN.ldexp.Tensor, (X, BYTES)),
    "mvlgamma.out": (ATEN.mvlgamma.default, (X + 2, 3)),
    "float_power.Scalar_out": (ATEN.float_power.Scalar, (2, X)),
    "float_power.Tensor_Scalar_out": (ATEN.float_power.Tensor_Scalar, (X, 3)),
    "float_power.Tensor_Tensor_out": (ATEN.float_power.Tensor_Tensor, (V, Y)),
    "linalg_vector_norm.out": (ATEN.linalg_vector_norm.default, (X, 3.0, [0])),
    "linalg_vector_norm.out of all": (ATEN.linalg_vector_norm.default, (X, 3.0)),
}
# The same of random numbers: an equal state of the generator gives what the functional operator gives.
DRAWN = {
    "rand_like.out": (ATEN.rand_like.default, (X,)),
    "randn_like.out": (ATEN.randn_like.default, (X,)),
    "randint_like.low_dtype_out": (ATEN.randint_like.low_dtype, (X, 2, 9)),
    "uniform.out": (ATEN.uniform.default, (X,)),
    "normal.out": (ATEN.normal_functional.default, (X,)),
    "cauchy.out": (ATEN.cauchy.default, (X,)),
    "exponential.out": (ATEN.exponential.default, (X,)),
    "geometric.out": (ATEN.geometric.default, (X, 0.5)),
    "log_normal.out": (ATEN.log_normal.default, (X,)),
    "random.to_out": (ATEN.random.to, (X, 9)),
    "bernoulli.float_out": (ATEN.bernoulli.p, (X, 0.5)),
    "normal.Tensor_float_out": (ATEN.normal.Tensor_float, (X, 2.0)),
    "normal.float_Tensor_out": (ATEN.normal.float_Tensor, (0.5, X)),
    "normal.Tensor_Tensor_out": (ATEN.normal.Tensor_Tensor, (V, Y)),
}


def _out_variant(name):
    packet, _, overload = name.partition(" ")[0].partition(".")
    return getattr(getattr(ATEN, packet), overload)


OUT |= {name: (lambda o, op=op, args=args: op.out(*args, out=o), op.default(*args).shape) for name, (op, args) in MADE.items()}

P, Q = X - 0.5, Y - 0.5
SORTED = rt.sort(X, 1)[0]
NANS = X.masked_fill(MASK, float("nan"))
NEAR_PLACES = rt.ops.aten.fractional_max_pool2d.default(X[None, None], [2, 2], [700, 700], rt.rand(1, 1, 2))[1]
# Formulas of several steps, and kernels that search or sort.
OUT |= {
    "huber_loss": (lambda o: ATEN.huber_loss.out(X, Y, 0, 0.5, out=o), S),
    "smooth_l1_loss": (lambda o: ATEN.smooth_l1_loss.out(X, Y, 0, 0.5, out=o), S),
    "soft_margin_loss": (lambda o: ATEN.soft_margin_loss.out(X, MASK, 0, out=o), S),
    "binary_cross_entropy": (lambda o: ATEN.binary_cross_entropy.out(P, Q, None, 0, out=o), S),
    "mean of mse_loss": (lambda o: ATEN.mse_loss.out(X, Y, out=o), ()),
    "mse_loss_backward": (lambda o: ATEN.mse_loss_backward.grad_input(X, X, Y, 1, grad_input=o), S),
    "mse_loss_backward of a broadcast target": (lambda o: ATEN.mse_loss_backward.grad_input(MASK, X, V, 0, grad_input=o), S),
    "smooth_l1_loss_backward": (lambda o: ATEN.smooth_l1_loss_backward.grad_input(X, X, Y, 1, 0.5, grad_input=o), S),
    "huber_loss_backward": (lambda o: ATEN.huber_loss_backward.out(X, X, Y, 1, 0.5, grad_input=o), S),
    "soft_margin_loss_backward": (lambda o: ATEN.soft_margin_loss_backward.grad_input(X, X, Y, 1, grad_input=o), S),
    "log_sigmoid": (lambda o: ATEN.log_sigmoid.out(X, out=o), S),
    "hardswish_backward": (lambda o: ATEN.hardswish_backward.out(X, Y, out=o), S),
    "rsub": (lambda o: ATEN.rsub.Tensor_out(X, Y, out=o), S),
    "dist": (lambda o: ATEN.dist.out(X, Y, 3, out=o), ()),
    "logsumexp": (lambda o: rt.logsumexp(X, 1, out=o), (N,)),
    "median": (lambda o: rt.median(X, 1, out=(o, rt.empty(N, dtype=rt.int64))), (N,)),
    "nanmedian": (lambda o: rt.nanmedian(NANS, 0, out=(o, rt.empty(N, dtype=rt.int64))), (N,)),
    "kthvalue": (lambda o: rt.kthvalue(X, 5, 0, out=(o, rt.empty(N, dtype=rt.int64))), (N,)),
    "mode": (lambda o: rt.mode(X, 1, out=(o, rt.empty(N, dtype=rt.int64))), (N,)),
    "fractional_max_pool2d_backward": (
        lambda o: ATEN.fractional_max_pool2d_backward.grad_input(
            IMAGES[0, :9, :, :].reshape(1, 1, -1)[..., : 700 * 700].view(1, 1, 700, 700), X[None, None], [2, 2], [700, 700], NEAR_PLACES, grad_input=o
        ),
        (1, 1, N, N),
    ),
}
# Outputs of other dtypes.
OTHERS = {
    "searchsorted": (lambda o: rt.searchsorted(SORTED, X, out=o), rt.int64),
    "searchsorted of booleans": (lambda o: rt.searchsorted(SORTED, MASK, out=o), rt.int64),
    "bucketize": (lambda o: rt.bucketize(X, SORTED[0], out=o), rt.int64),
    "isnan": (lambda o: ATEN.isnan.out(X, out=o), rt.bool),
    "isin of few": (lambda o: rt.isin(X, V, out=o), rt.bool),
    "cumsum of booleans": (lambda o: rt.cumsum(MASK, 0, out=o), rt.int64),
    "cumprod of booleans": (lambda o: rt.cumprod(MASK, 1, out=o), rt.int64),
}

IN_PLACE = {
    "ldexp": lambda o: o.ldexp_(Y),
    "ldexp by integers": lambda o: o.ldexp_(BYTES),
    "mvlgamma": lambda o: o.add_(2).mvlgamma_(2),
    "renorm": lambda o: o.renorm_(3, 0, 0.5),
    "dropout": lambda o: rt.dropout_(o, 0.5, True),
    "alpha_dropout": lambda o: rt.alpha_dropout_(o, 0.5, True),
    "feature_dropout": lambda o: rt.feature_dropout_(o, 0.5, True),
    "feature_alpha_dropout": lambda o: rt.feature_alpha_dropout_(o, 0.5, True),
    "add": lambda o: o.add_(Y),
    "clamp": lambda o: o.clamp_(0, 1),
    "selu": rt.selu_,
    "celu": rt.celu_,
    "relu6": lambda o: rt.nn.functional.relu6(o, inplace=True),
    "rad2deg": lambda o: o.rad2deg_(),
    "cumsum": lambda o: o.cumsum_(1),
    "masked_fill": lambda o: o.masked_fill_(MASK, 1.0),
    "index_add": lambda o: o.index_add_(0, PLACES, Y),
    "triu": lambda o: o.triu_(),
    "copy of a broadcast": lambda o: o.copy_(V),
}

WIDE = {
    "sum": lambda x: rt.sum(x),
    "mean": lambda x: rt.mean(x, 0),
    "amax": lambda x: rt.amax(x, 1),
    "argmax": lambda x: rt.argmax(x, 1),
    "var": lambda x: rt.var(x, 0),
    "std": lambda x: rt.std(x, 1),
    "var_mean": lambda x: rt.var_mean(x),
    "norm": lambda x: rt.linalg.vector_norm(x, dim=1),
    "norm of order 3": lambda x: rt.linalg.vector_norm(x, 3, dim=0),
    "norm of order 0": lambda x: rt.linalg.vector_norm(x, 0, dim=1),
    "norm of infinite order": lambda x: rt.linalg.vector_norm(x, float("inf")),
    "logsumexp": lambda x: rt.logsumexp(x, 0),
    "logsumexp of all": lambda x: rt.logsumexp(x, (0, 1)),
    "count_nonzero": lambda x: rt.count_nonzero(x, 1),
    "nansum": lambda x: rt.nansum(x, 0),
    "nanmean": lambda x: rt.nanmean(x, 0),
    "all": lambda x: rt.all(x, 1),
    "any": lambda x: rt.any(x),
    "aminmax": lambda x: rt.aminmax(x, dim=0),
    "std_mean": lambda x: rt.std_mean(x, 1),
    "trace": rt.trace,
    "dist": lambda x: rt.dist(x, V),
    "dist of infinite order": lambda x: rt.dist(x, V, float("inf")),
    "pairwise_distance": lambda x: rt.pairwise_distance(x, V),
    "cosine_similarity": lambda x: rt.cosine_similarity(x, V, 0),
    "histogram": lambda x: rt.histogram(X, 10),
    "isin": lambda x: rt.isin(0.5, x),
    "mse_loss": lambda x: F.mse_loss(x, x),
    "l1_loss": lambda x: F.l1_loss(x, x),
    "smooth_l1_loss": lambda x: F.smooth_l1_loss(x, x, reduction="sum"),
    "huber_loss": lambda x: F.huber_loss(x, x),
    "soft_margin_loss": lambda x: F.soft_margin_loss(x, x),
    "kl_div": lambda x: F.kl_div(x, x, reduction="batchmean"),
    "poisson_nll_loss": lambda x: F.poisson_nll_loss(x, x),
    "hinge_embedding_loss": lambda x: F.hinge_embedding_loss(x, x),
    "margin_ranking_loss": lambda x: F.margin_ranking_loss(x, x, x),
    "binary_cross_entropy": lambda x: F.binary_cross_entropy(x, x),
    "binary_cross_entropy_with_logits": lambda x: F.binary_cross_entropy_with_logits(x, x, reduction="sum"),
}


@pytest.mark.parametrize("name", OUT)
def test_out_variants_allocate_nothing(name, extra):
    call, shape = OUT[name]
    o = _filled(*shape)
    assert extra(lambda: call(o)) < ALLOWED


@pytest.mark.parametrize("name", OTHERS)
def test_out_variants_of_other_dtypes_allocate_nothing(name, extra):
    call, dtype = OTHERS[name]
    o = _filled(*S, dtype=dtype)
    assert extra(lambda: call(o)) < ALLOWED


@pytest.mark.parametrize("name", HANDED_ON | DRAWN)
def test_out_variants_of_composites_allocate_nothing(name, extra):
    op, args = (HANDED_ON | DRAWN)[name]
    result = op(*args)
    o, variant = _fitting(result.shape, result.dtype), _out_variant(name)
    del result
    assert extra(lambda: variant(*args, out=o)) < ALLOWED


@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
@pytest.mark.parametrize("name", HANDED_ON | DRAWN)
def test_outputs_that_are_handed_on_hold_what_the_operator_returns(name):
    op, args = (HANDED_ON | DRAWN)[name]
    rt.manual_seed(0)
    expected, variant = op(*args), _out_variant(name)
    dense = rt.empty(expected.shape[::-1], dtype=expected.dtype).permute(list(reversed(range(expected.dim()))))
    gaps = rt.empty((*expected.shape, 2), dtype=expected.dtype)[..., 1]
    for o in (_fitting(expected.shape, expected.dtype), rt.empty(0, dtype=expected.dtype), rt.zeros(3, dtype=expected.dtype), dense, gaps):
        rt.manual_seed(0)
        version = o._version
        assert variant(*args, out=o) is o
        assert o._version > version
        assert rt.equal(o, expected)


def test_an_output_is_handed_on_where_it_shares_no_memory_with_an_argument():
    for name, (op, args) in HANDED_ON.items():
        expected, variant = op(*args), _out_variant(name)
        for i, x in enumerate(args):
            if isinstance(x, rt.Tensor) and x.shape == expected.shape and x.dtype == expected.dtype:
                own = x.clone()
                assert rt.equal(variant(*args[:i], own, *args[i + 1 :], out=own), expected), name


def test_modes_and_subclasses_are_handed_results_of_their_own():
    class Keep(rt.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            kept.append((func, result, result.clone()))
            return result

    kept, x, y, o = [], X[:9, :9].clone(), Y[:9, :9].clone(), rt.empty(9, 9)
    with Keep():
        ATEN.inner.out(x, y, out=o)
    o.zero_()
    products = [(result, then) for func, result, then in kept if func is ATEN.mm.default]
    assert products and all(rt.equal(result, then) for result, then in products)


def test_what_a_composite_writes_counts_as_written_once():
    x, o = X[:9, :9], rt.empty(9, 9)
    ATEN.inner.out(x, x, out=o)
    assert o._version == 1
    ATEN.fill.Scalar_out(x, 2, out=o)
    assert o._version == 2


def test_in_place_variants_in_blocks_are_the_whole():
    x, y = X.clone(), Y.clone()
    assert rt.equal(X.clone().ldexp_(y), X * 2**y)
    assert rt.equal(x.ldexp_(x.T), X * 2**X.T)  # what overlaps is read before it is written
    assert rt.equal((X + 2).mvlgamma_(2), ATEN.mvlgamma.default(X + 2, 2))
    assert rt.equal(X.double().float_power_(3), X.double() ** 3)
    assert rt.equal(X.clone().renorm_(2, 0, 0.5), ATEN.renorm.default(X, 2, 0, 0.5))
    for name in "dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout":
        rt.manual_seed(0)
        expected = getattr(rt, name)(X, 0.5, True)
        rt.manual_seed(0)
        assert rt.equal(getattr(rt, f"{name}_")(X.clone(), 0.5, True), expected), name


@pytest.mark.parametrize("ord", [0.5, 3, -1.5])
@pytest.mark.parametrize("dim", [None, [0], [1], [0, 2], [1, 2]])
@pytest.mark.parametrize("keepdim", [False, True])
def test_sums_of_powers_in_blocks_are_the_whole(ord, dim, keepdim):
    x = X[:300].reshape(300, 4, N // 4)
    got = ATEN.linalg__powsum.default(x, ord, dim, keepdim)
    want = x.abs().pow(ord).sum(dim, keepdim)
    assert got.shape == want.shape and rt.allclose(got, want, rtol=1e-4)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["hstack", "vstack", "dstack", "column_stack", "row_stack", "_stack", "_chunk_cat", "renorm", "nonzero"])
def test_given_outputs_are_refused_as_in_pytorch(name):
    torch = pytest.importorskip("torch")

    def outcomes(m):
        op = getattr(m.ops.aten, name)
        x = m.arange(12, dtype=m.float32).reshape(3, 4)
        rest = {"renorm": (2, 0, 0.5), "_chunk_cat": (0, 2)}.get(name, ())
        pair, differentiable = name not in ("renorm", "nonzero"), name not in ("_stack", "_chunk_cat", "nonzero")
        result = op(*(([x, x],) if pair else (x,)), *rest)
        shared = result.clone()
        first = shared.flatten()[:12].view(3, 4)
        outs = (
            (x, m.empty(result.shape, dtype=m.int32)),
            (x, m.empty(result.shape, dtype=m.float64)),
            (x, m.empty(1, dtype=result.dtype).expand(result.shape)),
            (first, shared),
            *([(x.clone().requires_grad_(), m.empty(result.shape, dtype=result.dtype))] if differentiable else ()),
        )
        for given, out in outs:
            with warnings.catch_warnings(action="ignore"):
                try:
                    yield tuple(op.out(*(([given, given],) if pair else (given,)), *rest, out=out).stride())
                except Exception as error:
                    yield type(error).__name__

    assert list(outcomes(rt)) == list(outcomes(torch))


BESIDE = {
    "roll in two dimensions": (ATEN.roll, (X[:9, :9], [3, 4], [1, 0])),
    "roll of what is expanded": (ATEN.roll, (V[:9].expand(5, 9), [3])),
    "reflection_pad2d": (ATEN.reflection_pad2d, (X[None, :9, :9], [1, 2, 3, 4])),
    "reflection_pad3d": (ATEN.reflection_pad3d, (X[:4, :27].reshape(1, 4, 9, 3), [1, 2, 3, 4, 1, 2])),
    "upsample_nearest3d": (ATEN.upsample_nearest3d, (X[:4, :27].reshape(1, 1, 4, 9, 3), [5, 7, 6])),
    "upsample_bilinear2d": (ATEN.upsample_bilinear2d, (X[None, None, :9, :9], [5, 12], False)),
    "upsample_bilinear2d of bytes": (ATEN.upsample_bilinear2d, ((X[None, None, :9, :9] * 255).to(rt.uint8), [5, 12], False)),
    "upsample_bicubic2d of halves": (ATEN.upsample_bicubic2d, (X[None, None, :9, :9].half(), [5, 12], True)),
    "_fft_c2c": (ATEN._fft_c2c, (WAVES[:9, :9], [0, 1], 0, True)),
    "_fft_r2c": (ATEN._fft_r2c, (X[:9, :9], [0, 1], 0, True)),
    "_fft_c2r": (ATEN._fft_c2r, (WAVES[:9, :9], [0, 1], 2, 16)),
    "diff of order 3": (ATEN.diff, (X[:9, :9], 3, 0)),
}


@pytest.mark.parametrize("name", MADE | BESIDE)
def test_out_variants_write_what_the_operator_returns(name):
    op, args = (MADE | BESIDE)[name]
    expected = op.default(*args)
    for o in (rt.empty_like(expected), rt.empty(0, dtype=expected.dtype), rt.empty_like(expected.mT.contiguous()).mT):
        if o.numel() == 0 or o.shape == expected.shape:
            assert op.out(*args, out=o) is o
            assert rt.equal(o, expected)


def test_an_output_that_is_also_the_input_is_read_before_it_is_written():
    x = X[:9, :9].clone()
    expected = rt.roll(x, 2, 1)
    assert rt.equal(ATEN.roll.out(x, [2], [1], out=x), expected)


def test_a_python_kernel_that_replaces_another_is_not_given_the_output():
    kept = []

    def roll(self, shifts, dims=()):
        kept.append(self.clone())
        return self.clone()

    with rt.library._scoped_library("aten", "IMPL") as lib, warnings.catch_warnings(action="ignore"):
        lib.impl("roll", roll, "CPU", allow_override=True)
        o = ATEN.roll.out(V, [1], [0], out=rt.empty(N))
    o.zero_()
    assert rt.equal(kept[0], V)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_variants_allocate_nothing(name, extra):
    o = _filled(*S)
    assert extra(lambda: IN_PLACE[name](o)) < ALLOWED


@pytest.mark.parametrize("name", WIDE)
def test_reductions_of_what_is_expanded_do_not_materialize_it(name, extra):
    x = V.expand(2 * N, N)
    assert extra(lambda: WIDE[name](x)) < ALLOWED


@pytest.mark.parametrize("dim", [0, 1, 2, (0, 2), (1, 2), None])
@pytest.mark.parametrize("keepdim", [False, True])
def test_variance_of_what_is_expanded_is_that_of_its_copy(dim, keepdim):
    x = rt.rand(1, 5, 1).expand(3, 5, 4)
    for correction in (0, 1):
        got = rt.var_mean(x, dim, correction=correction, keepdim=keepdim)
        want = rt.var_mean(x.clone(memory_format=rt.contiguous_format), dim, correction=correction, keepdim=keepdim)
        for g, w in zip(got, want):
            assert g.shape == w.shape and rt.allclose(g, w, atol=1e-6)


def test_an_output_that_is_an_argument_is_not_written_before_it_is_read():
    x = rt.rand(2, 3, 8, 8)
    want = rt.nn.functional.avg_pool2d(x, 3, 1, 1)
    assert rt.equal(rt.ops.aten.avg_pool2d.out(x, [3, 3], [1, 1], [1, 1], out=x), want)


@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
@pytest.mark.parametrize("sizes", [(2**62,), (2**61,), (2**31, 2**31)])
@pytest.mark.parametrize("elements", [0, 5])
def test_outputs_whose_bytes_overflow_are_refused(sizes, elements):
    huge = rt.ones((1,) * len(sizes)).expand(sizes)
    for write in (lambda out: rt.add(huge, 1, out=out), lambda out: rt.exp(huge, out=out),
                  lambda out: rt.ops.aten.empty_strided.out(sizes, [0] * len(sizes), out=out)):  # fmt: skip
        with pytest.raises(RuntimeError, match="overflowed"):
            write(rt.zeros(elements))


def test_outputs_without_memory_are_refused():
    with pytest.raises(NotImplementedError, match="SparseCPU"):
        rt.arange(1, out=rt.ones(1, dtype=rt.int64).to_sparse())
