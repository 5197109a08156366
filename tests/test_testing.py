"""The test harness: comparisons and their texts, and the tests that parametrization and device types make."""

import re
import sys
import unittest
import warnings
from enum import IntEnum

import numpy as np
import pytest

import runtime
from runtime.testing import assert_close, common_utils, device_type, make_tensor
from runtime.testing.common_utils import TestCase as HarnessCase
from runtime.testing.common_utils import instantiate_parametrized_tests, parametrize, subtest
from runtime.testing.device_type import dtypes, instantiate_device_type_tests, ops, tol, toleranceOverride


class Color(IntEnum):
    RED = 1
    BLUE = 2


# Pairs of values, made with the module given: this runtime, or PyTorch.
PAIRS = {
    "equal tensors": lambda m: (m.tensor([1.0, 2.0]), m.tensor([1.0, 2.0])),
    "different tensors": lambda m: (m.tensor([[1.0, 2.0], [3.0, 4.0]]), m.tensor([[1.0, 2.0], [5.0, 4.5]])),
    "within tolerance": lambda m: (m.tensor([1.0]), m.tensor([1.0 + 2e-6])),
    "beyond tolerance": lambda m: (m.tensor([1.0]), m.tensor([1.0 + 2e-5])),
    "doubles beyond tolerance": lambda m: (m.tensor([1.0], dtype=m.float64), m.tensor([1.0 + 4e-7], dtype=m.float64)),
    "halves within tolerance": lambda m: (m.tensor([1.0], dtype=m.float16), m.tensor([1.0009765625], dtype=m.float16)),
    "bfloats within tolerance": lambda m: (m.tensor([1.0], dtype=m.bfloat16), m.tensor([1.0078125], dtype=m.bfloat16)),
    "bfloats beyond tolerance": lambda m: (m.tensor([1.0], dtype=m.bfloat16), m.tensor([1.0625], dtype=m.bfloat16)),
    "integers": lambda m: (m.tensor([1, 2, 3]), m.tensor([1, 2, 4])),
    "booleans in tensors": lambda m: (m.tensor([True, False]), m.tensor([True, True])),
    "complex": lambda m: (m.tensor([1 + 1j, 2 + 0j]), m.tensor([1 + 1j, 2 + 1j])),
    "NaN": lambda m: (m.tensor([float("nan"), 1.0]), m.tensor([float("nan"), 1.0])),
    "infinities": lambda m: (m.tensor([float("inf"), -float("inf")]), m.tensor([float("inf"), float("inf")])),
    "no dimensions": lambda m: (m.tensor(1.0), m.tensor(2.0)),
    "empty": lambda m: (m.ones(0), m.ones(0)),
    "shapes": lambda m: (m.ones(2, 3), m.ones(3, 2)),
    "dtypes": lambda m: (m.ones(2), m.ones(2, dtype=m.float64)),
    "integer dtypes": lambda m: (m.ones(2, dtype=m.int32), m.ones(2, dtype=m.int64)),
    "strides": lambda m: (m.ones(2, 3), m.ones(3, 2).t()),
    "devices": lambda m: (m.ones(2), m.ones(2, device="meta")),
    "meta": lambda m: (m.ones(2, device="meta"), m.zeros(2, device="meta")),
    "tensor and list": lambda m: (m.tensor([1.0, 2.0]), [1, 2]),
    "list and tensor": lambda m: ([1, 3], m.tensor([1.0, 2.0])),
    "tensor and array": lambda m: (m.tensor([1.0, 2.0]), np.array([1.0, 2.0], dtype=np.float32)),
    "tensor and array of another dtype": lambda m: (m.tensor([1.0, 2.0]), np.array([1.0, 2.0])),
    "arrays": lambda m: (np.array([1.0, 2.0]), np.array([1.0, 3.0])),
    "tensor and number": lambda m: (m.tensor([3]), 3),
    "tensor and other number": lambda m: (m.tensor(3.5), 3),
    "several elements and number": lambda m: (m.ones(2), 1),
    "tensor and bool": lambda m: (m.tensor(1), True),
    "numbers": lambda m: (1, 2),
    "number types": lambda m: (1, 1.0),
    "close numbers": lambda m: (1.0, 1.0 + 1e-6),
    "rather close numbers": lambda m: (1.0, 1.0 + 1e-5),
    "numbers not close": lambda m: (1.0, 1.1),
    "against zero": lambda m: (0.5, 0.0),
    "infinite numbers": lambda m: (1.0, float("inf")),
    "NaN numbers": lambda m: (float("nan"), float("nan")),
    "complex numbers": lambda m: (1 + 1j, 1 + 2j),
    "bool and number": lambda m: (True, 1),
    "bools": lambda m: (True, False),
    "NumPy numbers": lambda m: (np.float32(1), 1.0),
    "enumerations": lambda m: (Color.RED, 2),
    "None": lambda m: (None, 1),
    "both None": lambda m: (None, None),
    "strings": lambda m: ("abc", "abd"),
    "bytes": lambda m: (b"ab", b"ac"),
    "sets": lambda m: ({1, 2}, {1, 3}),
    "types": lambda m: (int, float),
    "lists": lambda m: ([1, m.ones(2)], [1, m.zeros(2)]),
    "list and tuple": lambda m: ([1, 2], (1, 2)),
    "lengths": lambda m: ([1, 2], [1]),
    "nested lengths": lambda m: ([[1, 2], [2]], [[1, 3], [2, 3]]),
    "keys": lambda m: ({"a": 1}, {"b": 1}),
    "nested": lambda m: ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}),
    "equal dtypes": lambda m: (m.float32, m.float32),
    "shape and tuple": lambda m: (m.ones(2, 3).shape, (2, 3)),
}
OPTIONS = [
    {},
    {"atol": 0, "rtol": 0},
    {"atol": 1.0, "rtol": 0.0},
    {"atol": 0.1},
    {"equal_nan": False},
    {"exact_dtype": False},
    {"exact_device": True},
    {"exact_stride": True},
    {"msg": "more words"},
    {"msg": lambda text: "instead of: " + text.splitlines()[0]},
]
STRICT_OPTIONS = [{}, {"equal_nan": True}, {"check_dtype": False}, {"check_device": False}, {"rtol": 0.1, "atol": 1.0}]


def outcome(function, values, options):
    try:
        function(*values, **options)
    except Exception as error:
        return type(error).__name__, str(error)
    return "equal"


_NUMBER = re.compile(r"\d+\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+")


def comparable(result):
    """An outcome without what differs for good reason: the last digits of distances (PyTorch subtracts in the tensors' own precision),
    and its advice how to run a test again."""
    if result == "equal":
        return result
    kind, text = result
    return kind, _NUMBER.sub(lambda match: f"{float(match.group()):.2g}", text.partition("\n\nTo execute this test")[0])


@pytest.mark.oracle
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options))
@pytest.mark.parametrize("name", sorted(PAIRS))
def test_assert_equal_says_what_pytorchs_says(name, options):
    torch = pytest.importorskip("torch")
    from torch.testing._internal.common_utils import TestCase

    ours = outcome(HarnessCase("assertEqual").assertEqual, PAIRS[name](runtime), options)
    theirs = outcome(TestCase("assertEqual").assertEqual, PAIRS[name](torch), options)
    if theirs[0] == "ValueError":
        # Lengths are compared before options are looked at.
        assert ours[0] == "ValueError" or name == "nested lengths"
    elif "msg" in options and name in ("keys", "lengths", "nested lengths"):
        # PyTorch leaves the message out where containers differ.
        assert theirs[1].partition("\n")[0] in ours[1]
    else:
        assert comparable(ours) == comparable(theirs)


@pytest.mark.oracle
@pytest.mark.parametrize("options", STRICT_OPTIONS, ids=lambda options: ",".join(options))
@pytest.mark.parametrize("name", sorted(PAIRS))
def test_assert_close_says_what_pytorchs_says(name, options):
    torch = pytest.importorskip("torch")
    ours = outcome(assert_close, PAIRS[name](runtime), options)
    theirs = outcome(torch.testing.assert_close, PAIRS[name](torch), options)
    if theirs[0] in ("TypeError", "RuntimeError"):
        # A number beside a bool or an enumeration makes PyTorch's fail by accident, with RuntimeError.
        assert ours[0] == "TypeError"
    else:
        assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize(
    "x, y",
    [(1.0, 1.0 + 1e-6), ([1, 2], (1, 2)), ({"a": None}, {"a": None}), (float("nan"), float("nan")), (np.int64(3), 3)],
)
def test_values_that_are_equal(x, y):
    HarnessCase().assertEqual(x, y)
    with pytest.raises(AssertionError):
        HarnessCase().assertNotEqual(x, y)


@pytest.mark.parametrize("x, y", [(1, 2), ("a", "b"), ([1], [1, 2]), ({"a": 1}, {"b": 1}), (None, 0), (1.0, 1.001)])
def test_values_that_are_not_equal(x, y):
    HarnessCase().assertNotEqual(x, y)
    with pytest.raises(AssertionError):
        HarnessCase().assertEqual(x, y)


def test_a_difference_names_the_item_where_it_is():
    with pytest.raises(AssertionError, match=r"The failure occurred for item \['a'\]\[1\]"):
        HarnessCase().assertEqual({"a": [1, runtime.ones(2)]}, {"a": [1, runtime.zeros(2)]})


def run_class(cls):
    """Outcome of each test of a class: passed, skipped, failed, error, or expected."""
    outcomes = {}

    class Result(unittest.TestResult):
        def addSuccess(self, test):
            outcomes[test._testMethodName] = "passed"

        def addSkip(self, test, reason):
            outcomes[test._testMethodName] = "skipped"

        def addFailure(self, test, error):
            outcomes[test._testMethodName] = "failed"

        def addError(self, test, error):
            outcomes[test._testMethodName] = "error"

        def addExpectedFailure(self, test, error):
            outcomes[test._testMethodName] = "expected"

    unittest.defaultTestLoader.loadTestsFromTestCase(cls).run(Result())
    return outcomes


def parametrized_class(m, utils):
    """A class whose tests have names of every kind, with PyTorch's harness or this one."""

    class Many(utils.TestCase):
        @utils.parametrize("x", [1, 2.5, "word", True, None, m.float32, m.device("cpu"), [1]])
        def test_kinds(self, x):
            pass

        @utils.parametrize("a", [1, 2])
        @utils.parametrize("b,c", [(1, "p"), (2, "q")])
        def test_stacked(self, a, b, c):
            pass

        @utils.parametrize("a, b", [utils.subtest((1, 2), name="named"), utils.subtest((3, 4))])
        def test_subtests(self, a, b):
            pass

        @utils.parametrize("a", [1, 2], name_fn=lambda a: f"case{a}")
        def test_name_fn(self, a):
            pass

        @utils.parametrize("", [])
        def test_nothing(self):
            pass

    return Many


def names_of(cls):
    return sorted(name for name in dir(cls) if name.startswith("test") and callable(getattr(cls, name)))


@pytest.mark.oracle
def test_parametrized_tests_have_pytorchs_names():
    torch = pytest.importorskip("torch")
    from torch.testing._internal import common_utils as theirs

    ours = instantiate_parametrized_tests(parametrized_class(runtime, common_utils))
    assert names_of(ours) == names_of(theirs.instantiate_parametrized_tests(parametrized_class(torch, theirs)))


def device_class(m, utils, types):
    """A class for device types, with PyTorch's harness or this one."""

    class Some(utils.TestCase):
        def test_plain(self, device):
            pass

        def test_no_device(self):
            pass

        @types.dtypes(m.float32, m.int64)
        def test_dtypes(self, device, dtype):
            pass

        @types.dtypes((m.float32, m.int64), (m.int64, m.int64))
        def test_several_dtypes(self, device, dtypes):
            pass

        @types.dtypes(m.float32)
        @types.dtypesIfCPU(m.float64)
        @utils.parametrize("x", [1, 2])
        def test_all(self, device, dtype, x):
            pass

        @types.deviceCountAtLeast(1)
        def test_devices(self, devices):
            pass

    return Some


@pytest.mark.oracle
def test_device_type_tests_have_pytorchs_names():
    torch = pytest.importorskip("torch")
    from torch.testing._internal import common_device_type as their_types
    from torch.testing._internal import common_utils as theirs

    our_scope, their_scope = {"Some": device_class(runtime, common_utils, device_type)}, {"Some": device_class(torch, theirs, their_types)}
    instantiate_device_type_tests(our_scope["Some"], our_scope, only_for="cpu")
    their_types.instantiate_device_type_tests(their_scope["Some"], their_scope, only_for="cpu")
    assert list(our_scope) == list(their_scope) == ["SomeCPU"]
    assert names_of(our_scope["SomeCPU"]) == names_of(their_scope["SomeCPU"])
    assert set(run_class(our_scope["SomeCPU"]).values()) == {"passed"}


def instantiate(cls, **options):
    scope = {cls.__name__: cls}
    instantiate_device_type_tests(cls, scope, **options)
    return scope


def test_a_case_gets_its_arguments_and_decorators():
    seen = []

    @instantiate_parametrized_tests
    class Cases(HarnessCase):
        @parametrize("x, y", [(1, 2), subtest((3, 4), name="fails", decorators=[unittest.expectedFailure])])
        def test_it(self, x, y):
            seen.append((x, y))
            self.assertEqual(x, 1)

    assert run_class(Cases) == {"test_it_x_1_y_2": "passed", "test_it_fails": "expected"}
    assert sorted(seen) == [(1, 2), (3, 4)]


def test_parametrizing_over_nothing_or_twice_over_one_name_is_refused():
    class Empty(HarnessCase):
        @parametrize("x", [])
        def test_it(self, x):
            pass

    class Twice(HarnessCase):
        @parametrize("x", [1])
        @parametrize("x", [2])
        def test_it(self, x):
            pass

    with pytest.raises(ValueError, match="empty arg_values"):
        instantiate_parametrized_tests(Empty)
    with pytest.raises(RuntimeError, match="more than once"):
        instantiate_parametrized_tests(Twice)


def test_device_types_can_be_chosen_by_name_or_list():
    def make():
        class Any(HarnessCase):
            def test_it(self, device):
                self.assertEqual(device, self.device_type)

        return Any

    assert list(instantiate(make())) == ["AnyCPU", "AnyCUDA"][: len(device_type.get_all_device_types())]
    assert list(instantiate(make(), only_for=("cpu",))) == ["AnyCPU"]
    assert "AnyCPU" not in instantiate(make(), except_for="cpu")
    assert run_class(instantiate(make(), only_for="cpu")["AnyCPU"]) == {"test_it_cpu": "passed"}


def test_class_set_up_of_the_generic_class_runs_for_each_device():
    class Set(HarnessCase):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            cls.ready = cls.device_type

        def test_it(self, device):
            self.assertEqual(self.ready, device)

    assert run_class(instantiate(Set, only_for="cpu")["SetCPU"]) == {"test_it_cpu": "passed"}


def test_tolerances_hold_for_their_dtype_only():
    class Loose(HarnessCase):
        @dtypes(runtime.float32, runtime.float64)
        @toleranceOverride({runtime.float32: tol(atol=0.5, rtol=0)})
        def test_it(self, device, dtype):
            self.assertEqual(runtime.ones(2, dtype=dtype), runtime.full((2,), 1.25, dtype=dtype))

        @dtypes(runtime.float32, runtime.float64)
        @device_type.precisionOverride({runtime.float64: 0.5})
        def test_precision(self, device, dtype):
            self.assertEqual(runtime.ones(2, dtype=dtype), runtime.full((2,), 1.25, dtype=dtype))

    assert run_class(instantiate(Loose)["LooseCPU"]) == {
        "test_it_cpu_float32": "passed",
        "test_it_cpu_float64": "failed",
        "test_precision_cpu_float32": "failed",
        "test_precision_cpu_float64": "passed",
    }


def test_skips_and_expected_failures_depend_on_the_device_type():
    class Picky(HarnessCase):
        flag = True

        @device_type.onlyCPU
        def test_only_cpu(self, device):
            pass

        @device_type.onlyCUDA
        def test_only_cuda(self, device):
            self.fail()

        @device_type.skipCPUIf(True, "no")
        def test_skip(self, device):
            self.fail()

        @device_type.skipCUDAIf(True, "no")
        def test_no_skip(self, device):
            pass

        @device_type.skipIf("flag", "no")
        def test_flag(self, device):
            self.fail()

        @device_type.expectedFailureCPU
        def test_must_fail(self, device):
            self.fail()

        @device_type.expectedFailureCPU
        def test_must_fail_but_does_not(self, device):
            pass

        @device_type.deviceCountAtLeast(2)
        def test_two_devices(self, devices):
            self.fail()

    assert run_class(instantiate(Picky, only_for="cpu")["PickyCPU"]) == {
        "test_only_cpu_cpu": "passed",
        "test_only_cuda_cpu": "skipped",
        "test_skip_cpu": "skipped",
        "test_no_skip_cpu": "passed",
        "test_flag_cpu": "skipped",
        "test_must_fail_cpu": "passed",
        "test_must_fail_but_does_not_cpu": "failed",
        "test_two_devices_cpu": "skipped",
    }


class Entry:
    """An entry of an operator database."""

    def __init__(self, name, *supported):
        self.formatted_name, self.supported = name, supported

    def supported_dtypes(self, device_type):
        return set(self.supported)


def test_a_test_runs_for_each_operator_and_dtype():
    database = [Entry("add", runtime.float32, runtime.int64), Entry("sin", runtime.float32)]

    class Ops(HarnessCase):
        @ops(database)
        def test_all(self, device, dtype, op):
            self.assertTrue(dtype in op.supported)

        @ops(database, allowed_dtypes=(runtime.int64,))
        def test_allowed(self, device, dtype, op):
            pass

        @ops(database, dtypes=device_type.OpDTypes.none)
        def test_none(self, device, op):
            pass

        @ops(database, dtypes=device_type.OpDTypes.any_one)
        def test_one(self, device, dtype, op):
            pass

        @ops([])
        def test_of_an_empty_database(self, device, dtype, op):
            pass

    assert run_class(instantiate(Ops, only_for="cpu")["OpsCPU"]) == dict.fromkeys(
        [
            "test_all_add_cpu_float32", "test_all_add_cpu_int64", "test_all_sin_cpu_float32", "test_allowed_add_cpu_int64",
            "test_none_add_cpu", "test_none_sin_cpu", "test_one_add_cpu_float32", "test_one_sin_cpu_float32",
        ],
        "passed",
    )  # fmt: skip


def test_operators_need_a_device_type():
    class Ops(HarnessCase):
        @ops([])
        def test_it(self, op):
            pass

    with pytest.raises(RuntimeError, match="device-specific context"):
        instantiate_parametrized_tests(Ops)


def test_inherited_tests_can_be_expected_to_fail_without_touching_the_base():
    class Base(HarnessCase):
        def test_it(self):
            self.fail()

    @common_utils.xfail_inherited_tests(["test_it"])
    class Derived(Base):
        pass

    assert run_class(Base) == {"test_it": "failed"}
    assert run_class(Derived) == {"test_it": "expected"}


def test_an_expected_text_stands_in_the_source():
    pytest.importorskip("expecttest")

    class Texts(HarnessCase):
        def test_same(self):
            self.assertExpectedInline("a\nb", """\
a
b""")  # fmt: skip

        def test_other(self):
            self.assertExpectedInline("a", """b""")

        def test_error(self):
            self.assertExpectedRaisesInline(ValueError, lambda: int("x"), """invalid literal for int() with base 10: 'x'""")

    assert run_class(Texts) == {"test_same": "passed", "test_other": "failed", "test_error": "passed"}


def test_expected_texts_are_skipped_without_expecttest(monkeypatch):
    monkeypatch.setitem(sys.modules, "expecttest", None)

    class Texts(HarnessCase):
        def test_it(self):
            self.assertExpectedInline("a", """b""")

    assert run_class(Texts) == {"test_it": "skipped"}


def test_every_test_starts_from_one_seed():
    drawn = []

    class Random(HarnessCase):
        def test_a(self):
            drawn.append((runtime.rand(2).tolist(), np.random.rand()))

        test_b = test_a

    run_class(Random)
    assert drawn[0] == drawn[1]


def test_first_sample_skips_where_there_is_none():
    assert common_utils.first_sample(None, iter([1, 2])) == 1
    with pytest.raises(unittest.SkipTest):
        common_utils.first_sample(None, [])


def test_contexts_put_back_what_they_change():
    with common_utils.set_default_dtype(runtime.float64):
        assert runtime.ones(1).dtype is runtime.float64
    assert runtime.ones(1).dtype is runtime.float32
    with common_utils.freeze_rng_state():
        inside = runtime.rand(3).tolist()
    assert runtime.rand(3).tolist() == inside


def test_warnings_are_found_or_hidden():
    with pytest.raises(AssertionError, match="careful"), HarnessCase().assertNotWarn():
        warnings.warn("careful")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        common_utils.suppress_warnings(lambda: warnings.warn("careful"))()


@pytest.mark.parametrize("decorator", [common_utils.skipIfRocm, common_utils.skipIfXpu, common_utils.skipIfCrossRef])
def test_skips_for_other_platforms_leave_tests_as_they_are(decorator):
    def test():
        return 1

    assert decorator(test)() == 1
    if decorator is not common_utils.skipIfCrossRef:
        assert decorator(msg="reason")(test)() == 1


DTYPES = [
    runtime.bool, runtime.uint8, runtime.int8, runtime.int32, runtime.int64, runtime.float16, runtime.bfloat16, runtime.float32,
    runtime.float64, runtime.complex64, runtime.complex128,
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_made_tensors_lie_between_the_defaults_of_their_dtype(dtype):
    made = make_tensor(20, 30, dtype=dtype, device="cpu")
    assert made.dtype is dtype and tuple(made.shape) == (20, 30)
    values = np.asarray(made.to(runtime.complex128).numpy())
    low, high = {runtime.bool: (0, 1), runtime.uint8: (0, 9)}.get(dtype, (-9, 9))
    for part in (values.real, values.imag) if dtype.is_complex else (values.real,):
        assert part.min() >= low and part.max() <= high
        assert part.min() < low + 1 and part.max() > high - 1


def test_made_tensors_keep_to_given_limits():
    assert set(make_tensor((100,), dtype=runtime.int64, device="cpu", low=3, high=5).tolist()) == {3, 4}
    values = make_tensor(100, dtype=runtime.float32, device="cpu", low=0.5, high=0.75)
    assert bool((values >= 0.5).all()) and bool((values < 0.75).all())


def test_made_tensors_can_have_gaps_or_a_memory_format():
    gaps = make_tensor(2, 3, dtype=runtime.float32, device="cpu", noncontiguous=True)
    assert gaps.stride() == (6, 2)
    last = make_tensor(1, 2, 3, 4, dtype=runtime.float32, device="cpu", memory_format=runtime.channels_last)
    assert last.is_contiguous(memory_format=runtime.channels_last)


@pytest.mark.parametrize("dtype", [runtime.int32, runtime.float32, runtime.complex64], ids=str)
def test_made_tensors_can_do_without_zeros(dtype):
    made = make_tensor(50, dtype=dtype, device="cpu", low=0, high=2, exclude_zero=True)
    assert not bool((made == 0).any())


def test_made_tensors_can_need_a_gradient():
    made = make_tensor(2, 3, dtype=runtime.float64, device="cpu", noncontiguous=True, requires_grad=True)
    assert made.requires_grad and made.is_leaf and not made.is_contiguous()


def test_made_tensors_can_be_on_the_meta_device():
    assert make_tensor(2, 3, dtype=runtime.float32, device="meta").is_meta


@pytest.mark.parametrize(
    "options, error",
    [
        ({"low": 2, "high": 1}, ValueError),
        ({"low": float("nan")}, ValueError),
        ({"low": 1e39, "high": 1e40}, ValueError),
        ({"noncontiguous": True, "memory_format": runtime.contiguous_format}, ValueError),
    ],
)
def test_tensors_that_cannot_be_made_are_refused(options, error):
    with pytest.raises(error):
        make_tensor(2, dtype=runtime.float32, device="cpu", **options)
