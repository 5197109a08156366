"""Operators say on device "meta" what PyTorch says there: shapes, dtypes, strides and errors."""

import warnings

import pytest

pytest.importorskip("torch")

from tests.meta_oracle import name_of, op_db, run  # noqa: E402

#: One of each family whose rule is not that of its C kernel.
FEW = """linalg.lu linalg.solve linalg.svd linalg.eigh linalg.qr cholesky_inverse lu_unpack fft.fftn fft.ihfft2 median mode searchsorted histc isin
nonzero_static hash_tensor _segment_reduce/lengths nn.functional.multi_margin_loss nn.functional.ctc_loss tril_indices index_put unravel_index
masked_fill frexp vdot linspace/tensor_overload add sum sort cat nn.functional.conv2d nn.functional.max_pool2d""".split()


def _differences(op):
    differences = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = run(op, differences.append)
    return differences, row


@pytest.mark.oracle
@pytest.mark.parametrize("op", [op for op in op_db if name_of(op) in FEW], ids=name_of)
def test_meta_results_of_every_family_have_the_geometry_that_pytorch_gives(op):
    differences, row = _differences(op)
    assert row.samples and not differences


@pytest.mark.slow
@pytest.mark.oracle
@pytest.mark.parametrize("op", [op for op in op_db if name_of(op) not in FEW], ids=name_of)
def test_meta_results_have_the_geometry_that_pytorch_gives(op):
    differences, _ = _differences(op)
    assert not differences


def _meta(torch, *shape, dtype="float32"):
    import runtime as rt

    return torch.empty(*shape, dtype=getattr(torch, dtype), device="meta"), rt.empty(*shape, dtype=getattr(rt, dtype), device="meta")


@pytest.mark.oracle
def test_operators_that_the_database_lacks_have_meta_rules_too():
    import torch

    import runtime as rt

    places = _meta(torch, 5, dtype="int64")
    bags = _meta(torch, 2, dtype="int64")
    table = _meta(torch, 7, 3)
    grad = _meta(torch, 2, 3)
    calls = [
        lambda m, i: m.ops.aten._embedding_bag_dense_backward(grad[i], places[i], places[i], bags[i], bags[i], 7, False, 0, None, -1),
        lambda m, i: m.ops.aten._embedding_bag_per_sample_weights_backward(grad[i], table[i], places[i], bags[i], places[i], 0, -1),
        lambda m, i: m.repeat_interleave(places[i], output_size=9),
    ]
    for call in calls:
        want, got = call(torch, 0), call(rt, 1)
        assert (str(got.dtype), tuple(got.shape), got.stride()) == (str(want.dtype), tuple(want.shape), want.stride())
