"""Order along a dimension: what sort, topk and the running extremes do with equal elements and NaNs, on short lanes and long ones."""

import numpy as np
import pytest

import runtime as rt

DTYPES = ("float32", "float64", "float16", "int8", "uint8", "int16", "int32", "int64", "bool")
SHORT, LONG = 20, 3000  # sorted by insertion, and by radix


def sample(dtype, n, seed=0):
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        x = rng.normal(size=n).astype(dtype)
        x[:: n // 7] = np.nan
        x[1 :: n // 9] = -0.0
        x[2 :: n // 9] = 0.0
        return x
    return rng.integers(*((0, 2) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)), size=n).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [SHORT, LONG])
def test_sorts_are_stable_and_put_nans_last(dtype, n):
    x = sample(dtype, n)
    values, indices = rt.sort(rt.from_numpy(x.copy()), stable=True)
    expected = np.argsort(x, kind="stable")
    np.testing.assert_array_equal(indices.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), x[expected])


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("n", [SHORT, LONG])
def test_descending_sorts_keep_the_order_of_equal_elements_and_put_nans_first(dtype, n):
    x = sample(dtype, n)
    _, indices = rt.sort(rt.from_numpy(x.copy()), stable=True, descending=True)
    rank = np.argsort(np.argsort(np.unique(x)))  # NaN is the largest
    keys = rank[np.searchsorted(np.unique(x), x)]
    np.testing.assert_array_equal(indices.numpy(), np.argsort(-keys, kind="stable"))


@pytest.mark.parametrize("k", [1, 3, 100, 1500, LONG])
@pytest.mark.parametrize("largest", [True, False])
def test_topk_gives_the_ends_of_the_sorted_elements(k, largest):
    x = sample("float32", LONG)
    values, indices = rt.topk(rt.from_numpy(x.copy()), k, largest=largest)
    expected = rt.sort(rt.from_numpy(x.copy()), descending=largest, stable=True)[0][:k]
    np.testing.assert_array_equal(values.numpy(), expected.numpy())
    np.testing.assert_array_equal(x[indices.numpy()], values.numpy())


def test_a_sort_may_write_to_its_input():
    x = rt.tensor([3.0, 1.0, 2.0])
    rt.sort(x, out=(x, rt.empty(3, dtype=rt.int64)))
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_running_extremes_keep_the_last_place_and_the_last_nan():
    x = rt.tensor([1.0, 3.0, 3.0, 2.0, float("nan"), 5.0, float("nan"), 1.0])
    values, indices = rt.cummax(x, 0)
    assert indices.tolist() == [0, 1, 2, 2, 4, 4, 6, 6]
    assert values.tolist()[:4] == [1.0, 3.0, 3.0, 3.0] and all(v != v for v in values.tolist()[4:])


def test_dimensions_of_any_place_and_strides_are_sorted_alike():
    x = np.random.default_rng(1).normal(size=(70, 5, 60)).astype("float32")
    for dim in range(3):
        np.testing.assert_array_equal(rt.sort(rt.from_numpy(x.copy()), dim)[0].numpy(), np.sort(x, dim))
        turned = rt.from_numpy(x.copy()).permute(2, 0, 1)
        np.testing.assert_array_equal(rt.sort(turned, dim)[0].numpy(), np.sort(x.transpose(2, 0, 1), dim))
