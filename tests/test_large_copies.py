"""Operators that move many elements: sizes at which threads share the work give what NumPy gives, whatever the layout."""

import threading

import numpy as np
import pytest

import runtime

ROWS, COLUMNS = 601, 703  # neither divides the pieces that threads take


def arrays(dtype, count=1):
    """Matrices of numbers that tell their places apart, as far as the dtype can."""
    numbers = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    return [(numbers * 7 + k).astype(dtype) for k in range(count)]


def same(tensor, array):
    np.testing.assert_array_equal(tensor.numpy(), array)


LAYOUTS = {
    "contiguous": lambda a: a,
    "transposed": lambda a: a.T.copy().T,
    "every second column": lambda a: np.repeat(a, 2, 1)[:, ::2],
}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_elements_keep_their_places_when_threads_share_the_copy(dtype, layout):
    (plain,) = arrays(dtype)
    array = LAYOUTS[layout](plain)
    t = runtime.from_numpy(array)
    same(t.clone(), plain)
    same(t.contiguous(), plain)
    same(runtime.empty_like(t).copy_(t), plain)
    same(t.flip(0), plain[::-1])
    same(t.repeat(2, 2), np.tile(plain, (2, 2)))
    rng = np.random.default_rng(0)
    for dim, size in enumerate(plain.shape):
        index = rng.integers(0, size, 900)
        same(t.index_select(dim, runtime.from_numpy(index)), np.take(plain, index, dim))
        same(t.index_select(dim, runtime.from_numpy(index.astype("int32"))), np.take(plain, index, dim))
    rows, columns = rng.integers(-ROWS, ROWS, (700, 600)), rng.integers(0, COLUMNS, 600)
    same(t[runtime.from_numpy(rows[0])], plain[rows[0]])
    same(t[:, runtime.from_numpy(columns)], plain[:, columns])
    same(t[runtime.from_numpy(rows), runtime.from_numpy(columns)], plain[rows, columns])


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("layouts", [("contiguous",) * 3, ("contiguous", "transposed", "every second column")])
def test_cat_of_large_tensors(dim, layouts):
    parts = arrays("float32", 3)
    parts[1] = parts[1][:1] if dim == 0 else parts[1][:, :1]
    tensors = [runtime.from_numpy(LAYOUTS[name](a)) for name, a in zip(layouts, parts, strict=True)]
    expected = np.concatenate(parts, dim)
    same(runtime.cat(tensors, dim), expected)
    out = runtime.empty(expected.shape)
    assert runtime.cat(tensors, dim, out=out) is out
    same(out, expected)


def test_cat_of_many_tensors_some_of_them_empty():
    parts = [np.full((300, k % 4), k, "float64") for k in range(200)]
    same(runtime.cat([runtime.from_numpy(p) for p in parts], 1), np.concatenate(parts, 1))


def test_a_copy_onto_memory_that_it_overlaps_moves_the_elements():
    array = np.arange(400_000)
    runtime.from_numpy(array[1:]).copy_(runtime.from_numpy(array[:-1]))
    same(runtime.from_numpy(array), np.r_[0, np.arange(399_999)])


def test_threads_of_python_copy_at_the_same_time():
    (a,) = arrays("float32")
    t, index, found = runtime.from_numpy(a), runtime.arange(ROWS - 1, -1, -1), []

    def work():
        for _ in range(20):
            found.append((runtime.cat((t, t)).numpy() == np.concatenate((a, a))).all() and (t[index].numpy() == a[::-1]).all())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    assert all(found)
