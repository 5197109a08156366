"""Pointwise operators: promotion, broadcasting, layout of results, in-place and out= variants, casts, values, threads."""

import functools
import math
import os
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime as rt

UNARY = """exp expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh sqrt rsqrt reciprocal square relu sigmoid
    floor ceil round trunc erf neg abs sign logical_not bitwise_not isnan isinf isfinite""".split()
ARITHMETIC = "add sub mul div floor_divide remainder fmod pow maximum minimum".split()
COMPARISONS = "eq ne lt le gt ge".split()
TRUTH = "logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor".split()
NO_TENSOR_OVERLOAD = {"floor_divide", "maximum", "minimum", "logical_and", "logical_or", "logical_xor"}
RTOL = {"float16": 2e-3, "complex64": 1e-5, "float64": 1e-12, "complex128": 1e-12}


def overload(name, kind="Tensor"):
    if name == "pow":
        return f"pow.Tensor_{kind}"
    return name if name in NO_TENSOR_OVERLOAD else f"{name}.{kind}"


def rtol(*dtypes):
    """Tolerance of results that were computed in one of these dtypes; integers are computed in float32 where they become floats."""
    return max(RTOL.get(d, 5e-6) for d in dtypes)


def of(values, dtype):
    return rt.tensor(values, dtype=dtype)


# ------------------------------------------------------------------------------------------------------------- promotion


@pytest.mark.parametrize(
    ("left", "right", "dtype"),
    [
        (of([1.0], rt.float32), of(1.0, rt.float64), rt.float32),
        (of([1], rt.int32), 2.5, rt.float32),
        (of([1], rt.int8), of(300, rt.int64), rt.int8),
        (of(1, rt.int32), of(1.0, rt.float16), rt.float16),
        (of([1.0], rt.float16), 2.0, rt.float16),
        (of([1], rt.int64), of(1.0, rt.float32), rt.float32),
        (of([True], rt.bool), 1, rt.int64),
        (of([1], rt.uint8), of([1], rt.int8), rt.int16),
        (of([1.0], rt.float32), 1j, rt.complex64),
        (of([1.0], rt.float64), 1j, rt.complex128),
        (of([1.0], rt.float16), of([1.0], rt.bfloat16), rt.float32),
        (of([1.0], rt.float64), of([1j], rt.complex64), rt.complex128),
        (of([1], rt.uint16), of([1.0], rt.float32), rt.float32),
    ],
)
def test_a_higher_category_decides_unless_a_lower_one_brings_a_higher_kind(left, right, dtype):
    assert (left * right).dtype == dtype
    assert (right * left).dtype == dtype


def test_wide_unsigned_and_float8_dtypes_do_not_promote_with_others():
    with pytest.raises(RuntimeError, match="Promotion for uint16, uint32, uint64 types is not supported"):
        of([1], rt.uint16) + of([1], rt.int32)
    with pytest.raises(RuntimeError, match="Promotion for Float8 Types is not supported"):
        of([1.0], rt.float32).to(rt.float8_e5m2) + of([1.0], rt.float32)


def test_a_result_is_not_cast_to_an_output_of_a_lower_kind():
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        of([1, 2], rt.int64).add_(1.5)
    with pytest.raises(RuntimeError, match="result type ComplexFloat can't be cast to the desired output type Float"):
        rt.add(of([1.0], rt.float32), 1j, out=rt.empty(1))


def test_true_division_of_integers_gives_the_default_float_dtype():
    assert (of([1, 2], rt.int64) / of([2, 4], rt.int64)).tolist() == [0.5, 0.5]
    assert (of([1], rt.int8) / 2).dtype == rt.float32


# ---------------------------------------------------------------------------------------------------- shapes and layouts


def test_shapes_broadcast_from_the_right():
    a, b = rt.ones(2, 1, 3), rt.ones(4, 1)
    assert (a + b).shape == (2, 4, 3)
    assert (rt.ones(0, 3) + rt.ones(1)).shape == (0, 3)
    with pytest.raises(RuntimeError, match=r"The size of tensor a \(2\) must match the size of tensor b \(3\) at non-singleton dimension 1"):
        rt.ones(4, 2) + rt.ones(3)


def test_results_follow_the_layout_of_their_inputs():
    a = rt.arange(6.0).reshape(2, 3)
    assert (a.t() + a.t()).stride() == (1, 3)
    assert (a.t() + a.reshape(3, 2)).stride() == (1, 3)
    assert (a.t() * 2.0).stride() == (1, 3)
    last = rt.ones(2, 3, 4, 5).contiguous(memory_format=rt.channels_last)
    assert last.stride() == (60, 1, 15, 3)
    assert (last + last).stride() == last.stride()
    assert (last + rt.ones(3, 1, 1)).stride() == last.stride()
    assert last.exp().stride() == last.stride()


def test_operands_of_any_strides_are_read_in_place():
    a = np.arange(60.0, dtype=np.float32).reshape(3, 4, 5)
    t = rt.from_numpy(a)
    for cut in (np.s_[::2, :, 1:], np.s_[:, ::3], np.s_[1, :, ::4]):
        np.testing.assert_array_equal((t[cut] + t[cut]).numpy(), a[cut] + a[cut])
        np.testing.assert_array_equal((t[cut] * of(2, rt.int64)).numpy(), a[cut] * 2)
    np.testing.assert_array_equal((t[:, :, :1].expand(3, 4, 5) - t).numpy(), a[:, :, :1] - a)


# ------------------------------------------------------------------------------------------------- in-place and out=


def test_in_place_variants_return_self_and_keep_its_dtype():
    a = of([1.0, 2.0], rt.float16)
    assert a.add_(rt.ones(2, dtype=rt.float64)) is a
    assert a.dtype == rt.float16
    assert a.tolist() == [2.0, 3.0]
    with pytest.raises(RuntimeError, match=r"output with shape \[2\] doesn't match the broadcast shape \[2, 2\]"):
        rt.ones(2).add_(rt.ones(2, 2))


def test_in_place_and_out_variants_bump_the_version_and_functional_ones_do_not():
    a, out = rt.ones(2), rt.empty(2)
    a + a
    assert a._version == 0
    a.mul_(2)
    rt.add(a, a, out=out)
    assert (a._version, out._version) == (1, 1)


def test_out_is_returned_and_resized_with_a_warning_unless_empty():
    out = rt.empty(3)
    with pytest.warns(UserWarning, match="An output with one or more elements was resized since it had shape"):
        assert rt.add(rt.ones(2), 1, out=out) is out
    assert out.tolist() == [2.0, 2.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rt.exp(rt.zeros(2, 2), out=rt.empty(0)).tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_written_tensors_must_not_overlap_themselves_or_partly_their_inputs():
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor refers to a single memory location"):
        rt.ones(1).expand(3).add_(1)
    a = rt.ones(4)
    with pytest.raises(RuntimeError, match="some elements of the input tensor and the written-to tensor refer to a single"):
        a[1:].add_(a[:-1])
    with pytest.raises(RuntimeError, match="some elements of the input tensor and the written-to tensor refer to a single"):
        a[1:].copy_(a[:-1])


def test_functions_that_never_promote_want_an_output_of_their_dtype():
    with pytest.raises(RuntimeError, match="Found dtype Double but expected Float"):
        rt.neg(rt.ones(2), out=rt.empty(2, dtype=rt.float64))


def test_operands_must_be_on_one_device_but_cpu_scalars_join_any():
    meta = rt.empty(2, device="meta")
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device, but found at least two devices, cpu and meta!"):
        rt.ones(2) + meta
    assert (meta + rt.ones(())).device.type == "meta"
    assert (meta.t() + 1).shape == (2,)


# ----------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize("op", ["floor_divide", "remainder", "fmod"])
def test_integer_division_by_zero_is_an_error(op):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        getattr(rt, op)(of([1, 2], rt.int32), of([1, 0], rt.int32))


@pytest.mark.parametrize("dtype", [rt.int8, rt.int16, rt.int32, rt.int64])
def test_the_smallest_integer_divided_by_minus_one_wraps(dtype):
    smallest = -(2 ** (8 * dtype.itemsize - 1))
    a, b = of([smallest], dtype), of([-1], dtype)
    assert (a // b).tolist() == [smallest]
    assert rt.remainder(a, b).tolist() == [0]
    assert rt.fmod(a, b).tolist() == [0]


@pytest.mark.parametrize("dtype", [rt.float32, rt.float64, rt.int32])
def test_remainder_has_the_divisors_sign_and_fmod_the_dividends(dtype):
    a, b = of([7, -7, 7, -7, 6], dtype), of([3, 3, -3, -3, 3], dtype)
    assert rt.remainder(a, b).tolist() == [1, 2, -2, -1, 0]
    assert rt.fmod(a, b).tolist() == [1, -1, 1, -1, 0]
    assert rt.floor_divide(a, b).tolist() == [2, -3, -3, 2, 2]


@given(st.floats(width=32), st.floats(width=32))
@settings(deadline=None, max_examples=300)
def test_float_remainders_are_exact(a, b):
    got = rt.fmod(of([a] * 3, rt.float32), of([b] * 3, rt.float32)).tolist()
    want = math.fmod(a, b) if math.isfinite(a) and b and not math.isnan(b) else math.nan
    assert got == [want] * 3 or all(math.isnan(v) for v in (*got, want))


def test_integer_powers_wrap_and_refuse_negative_numbers_as_exponents():
    assert (of([2, 3, -1], rt.int8) ** 7).tolist() == [-128, -117, -1]
    assert (of([1, -1, 2], rt.int64) ** of([-1, -3, -1], rt.int64)).tolist() == [1, -1, 0]
    with pytest.raises(RuntimeError, match="Integers to negative integer powers are not allowed."):
        of([1], rt.int64) ** -1


def test_subtraction_and_negation_refuse_bools():
    b = of([True], rt.bool)
    with pytest.raises(RuntimeError, match="with two bool tensors is not supported"):
        b - b
    with pytest.raises(RuntimeError, match="with a bool tensor is not supported"):
        1 - b
    with pytest.raises(RuntimeError, match="Negation, the `-` operator, on a bool tensor is not supported"):
        b.__neg__()


def test_alpha_scales_the_second_operand_and_fits_the_result():
    a, b = of([1, 2], rt.int32), of([10, 20], rt.int32)
    assert rt.add(a, b, alpha=3).tolist() == [31, 62]
    assert rt.sub(a, b, alpha=3).tolist() == [-29, -58]
    assert rt.rsub(a, b, alpha=3).tolist() == [7, 14]
    for alpha, text in [(1.5, "For integral input tensors"), (1j, "For integral input tensors"), (True, "Boolean alpha only supported")]:
        with pytest.raises(RuntimeError, match=text):
            rt.add(a, b, alpha=alpha)


def test_nan_goes_through_extremes_and_clamp():
    nan = of([math.nan, 1.0], rt.float32)
    assert math.isnan(rt.maximum(nan, of([0.0, 0.0], rt.float32)).tolist()[0])
    assert math.isnan(rt.clamp(nan, 0, 2).tolist()[0])
    assert all(map(math.isnan, rt.clamp(rt.ones(2), math.nan, 2).tolist()))
    assert rt.clamp(of([0.0, 5.0], rt.float32), 3, 1).tolist() == [1.0, 1.0]
    assert rt.clamp(of([5, 6], rt.int64), max=5.5).tolist() == [5.0, 5.5]


def test_where_takes_each_element_from_one_side():
    mask = of([[True], [False]], rt.bool)
    assert rt.where(mask, of([1, 2], rt.int32), 0.5).tolist() == [[1.0, 2.0], [0.5, 0.5]]
    with pytest.raises(RuntimeError, match="where expected condition to be a boolean tensor, but got a tensor with dtype Long"):
        rt.where(of([1], rt.int64), 1, 2)


@pytest.mark.parametrize(("name", "exact"), [("exp", math.exp), ("erf", math.erf), ("sigmoid", lambda x: 1 / (1 + math.exp(-x)))])
def test_vectorized_functions_are_within_rounding_of_the_exact_value(name, exact):
    x = rt.linspace(-12, 12, 4001)
    want = np.array([exact(v) for v in x.to(rt.float64).tolist()])
    np.testing.assert_allclose(getattr(rt, name)(x).numpy(), want, rtol=4e-7)


def test_exp_reaches_infinity_subnormal_numbers_and_zero():
    got = rt.exp(of([88.7, 88.8, -100.0, -104.0, math.inf, -math.inf], rt.float32)).tolist()
    assert got[1:2] + got[3:] == [math.inf, 0.0, math.inf, 0.0]
    assert got[0] == pytest.approx(math.exp(88.7), rel=1e-4)
    assert got[2] == pytest.approx(3.78e-44, rel=0.05)


# ------------------------------------------------------------------------------------------------------ copies, fills, casts


@pytest.mark.parametrize("dtype", [rt.float8_e5m2, rt.float8_e4m3fn, rt.float8_e5m2fnuz, rt.float8_e4m3fnuz, rt.float8_e8m0fnu])
def test_every_float8_number_survives_the_way_through_float32(dtype):
    bits = rt.arange(256, dtype=rt.uint8)
    wide = bits.view(dtype).to(rt.float32)
    back = wide.to(dtype).view(rt.uint8)
    finite = ~rt.isnan(wide)
    assert back.numpy()[finite.numpy()].tolist() == bits.numpy()[finite.numpy()].tolist()


@pytest.mark.parametrize("dtype", [rt.float16, rt.bfloat16])
def test_every_half_precision_number_survives_the_way_through_float32(dtype):
    bits = rt.from_numpy(np.arange(-(2**15), 2**15, dtype=np.int16))
    wide = bits.view(dtype).to(rt.float32)
    number = ~np.isnan(wide.numpy())
    for back in (wide.to(dtype), rt.stack([wide, wide], 1)[:, 0].to(dtype)):
        assert (back.view(rt.int16).numpy()[number] == bits.numpy()[number]).all()


def test_casts_run_through_blocks_of_any_stride():
    a = np.arange(5000, dtype=np.int32).reshape(50, 100) % 251
    t = rt.from_numpy(a)
    np.testing.assert_array_equal(t.t().to(rt.uint8).numpy(), a.T.astype(np.uint8))
    np.testing.assert_array_equal((t[:, ::3] + rt.ones(34, dtype=rt.float64)).numpy(), a[:, ::3] + 1.0)
    assert (rt.empty(50, 100, dtype=rt.bfloat16).copy_(t).to(rt.int32) == t).all()  # integers up to 256 are exact


def test_complex_numbers_are_true_where_either_part_is():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert of([0j, 1j, 1 + 0j], rt.complex64).to(rt.bool).tolist() == [False, True, True]


def test_fill_refuses_what_the_dtype_cannot_hold():
    assert rt.empty(2, dtype=rt.int8).fill_(-128).tolist() == [-128, -128]
    with pytest.raises(RuntimeError, match="value cannot be converted to type int8_t without overflow"):
        rt.empty(2, dtype=rt.int8).fill_(300)


def test_copies_keep_a_dense_layout_and_compact_others():
    a = rt.arange(24.0).reshape(2, 3, 4)
    assert a.permute(2, 0, 1).clone().stride() == (1, 12, 4)
    assert a[:, :, ::2].clone().stride() == (6, 2, 1)
    assert a.permute(2, 0, 1).contiguous().stride() == (6, 3, 1)


def test_values_of_meta_tensors_cannot_be_copied():
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor; no data!"):
        rt.empty(2).copy_(rt.empty(2, device="meta"))


# -------------------------------------------------------------------------------------------------------------- threads


def test_work_split_over_threads_equals_the_whole():
    a = np.random.default_rng(0).random((301, 1009))
    t = rt.from_numpy(a)
    np.testing.assert_array_equal((t + t).numpy(), a + a)
    np.testing.assert_array_equal((t.t() * t[0, 0]).numpy(), a.T * a[0, 0])
    np.testing.assert_array_equal((t[:, ::2] + rt.ones(301, 1, dtype=rt.int32)).numpy(), a[:, ::2] + 1)


def test_several_python_threads_may_use_the_pool_at_once():
    t, results = rt.arange(200_000.0), []
    workers = [threading.Thread(target=lambda: results.append(sum(bool((t + t)[-1] == 399_998) for _ in range(20)))) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert results == [20] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_pool_of_its_own():
    t = rt.arange(200_000.0)
    t + t
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os._exit(0 if (t + t)[-1].item() == 399_998 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --------------------------------------------------------------------------------------------------- beside PyTorch

DTYPES = ["float32", "float64", "float16", "complex64", "complex128", "int64", "int32", "int16", "int8", "uint8", "bool"]


@pytest.mark.oracle
@pytest.mark.parametrize("name", UNARY)
def test_unary_operators_agree_with_torch(name):
    oracle = pytest.importorskip("oracle")
    for dtype in DTYPES:
        x = oracle.random_tensor((4, 3), dtype)
        for case in (x, x.t(), x[:, :1].expand(4, 3), x[0, 0], x[:0], oracle.random_tensor((2, 3, 2, 2), dtype).permute(0, 2, 3, 1)):
            oracle.compare(name, case, rtol=rtol(dtype))


@pytest.mark.oracle
@pytest.mark.parametrize("name", ARITHMETIC + COMPARISONS + TRUTH)
def test_binary_operators_agree_with_torch(name):
    oracle = pytest.importorskip("oracle")
    for left in DTYPES:
        for right in DTYPES:
            x, y = oracle.random_tensor((3, 4), left, 1), oracle.random_tensor((4,), right, 2)
            tolerance = rtol(left, right)
            oracle.compare(overload(name), x, y, rtol=tolerance)
            if "float16" not in (left, right) or not (left + right).count("complex"):  # complex32: NumPy cannot hold it
                oracle.compare(overload(name), x.t(), oracle.random_tensor((), right, 3), rtol=tolerance)
                oracle.compare(overload(name), y[0], x, rtol=tolerance)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["pow", *COMPARISONS])
@pytest.mark.parametrize("number", [0, 1, 2, 3, -1, 0.5, -2.0, 2.5, True, 300])
def test_number_overloads_agree_with_torch(name, number):
    oracle = pytest.importorskip("oracle")
    for dtype in DTYPES:
        oracle.compare(overload(name, "Scalar"), oracle.random_tensor((3, 4), dtype), number, rtol=rtol(dtype))


@pytest.mark.oracle
@pytest.mark.parametrize("bounds", [(0, 1), (2, -2), (None, 0.5), (-1.5, None), (True, 3), (None, None), (math.nan, 1), (0, 300)])
def test_clamp_agrees_with_torch(bounds):
    oracle = pytest.importorskip("oracle")
    for dtype in DTYPES:
        oracle.compare("clamp", oracle.random_tensor((3, 4), dtype), *bounds, rtol=rtol(dtype))


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize("name", ["add_", "mul_", "div_", "pow_", "remainder_", "eq_", "lt_", "bitwise_or_", "floor_divide_"])
def test_in_place_operators_agree_with_torch(name):
    oracle = pytest.importorskip("oracle")
    for left in DTYPES:
        for right in DTYPES:
            x, y = oracle.random_tensor((3, 4), left), oracle.random_tensor((4,), right, 1)
            self, other = oracle.ours(x), oracle.ours(y)
            want = oracle.outcome(functools.partial(getattr(x, name), y))
            got = oracle.outcome(functools.partial(getattr(self, name), other))
            oracle.assert_alike(got, want, rtol=rtol(left, right))


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Casting complex values", "ignore:An output with one or more")
@pytest.mark.parametrize(("name", "size"), [("add.out", 2), ("mul.out", 2), ("eq.Tensor_out", 2), ("sqrt.out", 1), ("neg.out", 1), ("abs.out", 1)])
def test_out_variants_agree_with_torch(name, size):
    oracle = pytest.importorskip("oracle")
    for dtype in DTYPES:
        for target in DTYPES:
            inputs = [oracle.random_tensor((3, 4), dtype, seed) for seed in range(size)]
            tolerance = max(rtol(dtype), rtol(target))
            oracle.compare(name, *inputs, out=oracle.random_tensor((3, 4), target), rtol=tolerance, meta=False)
            oracle.compare(name, *inputs, out=oracle.random_tensor((0,), target), rtol=tolerance, meta=False)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:ComplexHalf support")
@given(
    st.sampled_from([*DTYPES, "bfloat16", "uint16"]),
    st.sampled_from([*DTYPES, "bfloat16", "uint16"]),
    st.sampled_from(["dimmed", "zero", "number"]),
    st.sampled_from(["dimmed", "zero", "number"]),
)
@settings(deadline=None, max_examples=200)
def test_promotion_agrees_with_torch(left, right, left_category, right_category):
    torch = pytest.importorskip("torch")
    oracle = pytest.importorskip("oracle")

    def operand(module, dtype, category):
        if category == "number":
            return {"f": 1.5, "b": True if dtype == "bool" else 1.5, "c": 1j}.get(dtype[0], 3)
        return module.ones((2,) if category == "dimmed" else (), dtype=getattr(module, dtype))

    if left_category == right_category == "number":
        left_category = "zero"

    def dtype_of(module):
        return str(module.mul(operand(module, left, left_category), operand(module, right, right_category)).dtype)

    want, got = oracle.outcome(lambda: dtype_of(torch)), oracle.outcome(lambda: dtype_of(rt))
    oracle.assert_alike(got, want)


@pytest.mark.parametrize("dtype", [rt.float32, rt.float64])
def test_predicates_write_every_element_of_an_expanded_operands_result(dtype):
    x = rt.rand(70, 90, dtype=dtype)[:, None, :5].expand(70, 200, 5)
    for predicate in ("isnan", "isinf", "signbit", "logical_not"):
        out = rt.full((70, 200, 5), True)
        getattr(rt.ops.aten, predicate).out(x, out=out)
        assert not out.any()
