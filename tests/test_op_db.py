"""The operator database of `runtime.testing`: its entries' inputs work in every dtype that they say, as PyTorch's database says."""

import unittest
import warnings

import pytest

import runtime
from runtime import compat
from runtime.pytree import tree_leaves
from runtime.testing.common_utils import TestCase as HarnessCase
from runtime.testing.device_type import instantiate_device_type_tests, ops
from runtime.testing.op_db import op_db
from runtime.testing.op_info import KINDS, SampleInput

NAMED = {entry.full_name: entry for entry in op_db}


def test_the_database_has_most_of_what_tests_ask_for():
    assert len(op_db) == len(NAMED) > 250
    assert {"add", "mul", "cat", "matmul", "nn.functional.linear", "linalg.svd", "fft.fft", "__getitem__"} <= set(NAMED)
    assert compat.resolve("torch.testing._internal.common_methods_invocations.op_db") is op_db


@pytest.mark.parametrize("entry", op_db, ids=lambda entry: entry.full_name)
def test_samples_work_in_every_dtype_that_the_entry_says(entry):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in sorted(entry.dtypes, key=str):
            samples = list(entry.sample_inputs("cpu", dtype))
            assert samples
            for sample in samples:
                tensors = [leaf for leaf in tree_leaves((sample.input, sample.args)) if isinstance(leaf, runtime.Tensor)]
                assert any(t.dtype is dtype for t in tensors)
                result = entry.op(sample.input, *sample.args, **sample.kwargs)
                assert tree_leaves(result)


@pytest.mark.oracle
@pytest.mark.parametrize("entry", op_db, ids=lambda entry: entry.full_name)
def test_entries_say_what_pytorchs_database_says(entry):
    pytest.importorskip("torch")
    theirs = pytorchs(entry)
    if theirs is None:
        pytest.skip("PyTorch's database has its entries by other names")
    ours, supported = ({str(dtype).removeprefix("torch.") for dtype in info.dtypes} for info in (entry, theirs))
    for kind in KINDS.values():  # an entry has all dtypes of a kind, or none
        assert (ours >= set(kind)) == (supported >= set(kind))
    assert entry.supports_autograd == theirs.supports_autograd
    if "." not in entry.name:
        assert (entry.get_method() is None) == (theirs.get_method() is None)
        assert (entry.get_inplace() is None) == (theirs.get_inplace() is None)


def pytorchs(entry):
    from torch.testing._internal.common_methods_invocations import op_db as reference

    return next((other for other in reference if other.full_name == entry.full_name), None)


def test_the_ops_decorator_runs_a_test_for_each_entry_and_dtype():
    seen = []

    class TestAll(HarnessCase):
        @ops([NAMED["sin"], NAMED["gcd"]], allowed_dtypes=(runtime.float32, runtime.int64))
        def test_it(self, device, dtype, op):
            sample = next(iter(op.sample_inputs(device, dtype)))
            seen.append((op.name, op(sample.input, *sample.args).dtype))

    scope = {"TestAll": TestAll}
    instantiate_device_type_tests(TestAll, scope, only_for="cpu")
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(scope["TestAllCPU"]).run(result)
    assert result.testsRun == 3 and result.wasSuccessful()
    assert sorted(seen, key=str) == [("gcd", runtime.int64), ("sin", runtime.float32), ("sin", runtime.float32)]


def test_samples_can_be_transformed():
    sample = SampleInput(runtime.ones(2, 3), [runtime.ones(2)], runtime.float32, dim=1)
    assert sample.transform(lambda leaf: leaf.double() if isinstance(leaf, runtime.Tensor) else runtime.float64).args[1] is runtime.float64
    assert not sample.noncontiguous().input.is_contiguous()
    assert sample.numpy()[0].shape == (2, 3)
    assert sample.summary() == "SampleInput(input=f32[2, 3], args=(['f32[2]'], torch.float32), kwargs={'dim': 1})"
    with pytest.raises(AssertionError, match="not both"):
        SampleInput(1, 2, args=(3,))


def test_entries_know_the_variants_of_their_operator():
    add = NAMED["add"]
    assert add.get_op() is runtime.add and add.get_method() is runtime.Tensor.add and add.get_inplace() is runtime.Tensor.add_
    assert add.supports_out and not NAMED["nn.functional.linear"].get_method()
    assert NAMED["div.no_rounding_mode"].formatted_name == "div_no_rounding_mode"
    assert NAMED["linalg.det"].aten_name == "linalg_det"
    assert NAMED["sin"].supported_backward_dtypes("cpu") < NAMED["sin"].supported_dtypes("cpu")
    assert NAMED["eq"].supported_backward_dtypes("cpu") == set()
