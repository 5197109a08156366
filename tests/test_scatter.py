"""Writing at indices, functions that take options beside out=, and operators over lists: rules that the operator database leaves open."""

import pytest

import runtime as rt


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.scatter_(0, rt.tensor([0, 9]), rt.ones(2)),
        lambda x: x.scatter_add_(0, rt.tensor([0, 9]), rt.ones(2)),
        lambda x: x.index_add_(0, rt.tensor([0, 9]), rt.ones(2)),
        lambda x: x.index_copy_(0, rt.tensor([0, 9]), rt.ones(2)),
        lambda x: x.index_fill_(0, rt.tensor([0, 9]), 1),
        lambda x: x.index_reduce_(0, rt.tensor([0, 9]), rt.ones(2), "amax"),
        lambda x: x.put_(rt.tensor([0, 9]), rt.ones(2)),
        lambda x: x.masked_scatter_(rt.tensor([True, True, True]), rt.ones(2)),
    ],
)
def test_an_index_out_of_bounds_leaves_the_tensor_as_it_was(write):
    x = rt.zeros(3)
    with pytest.raises((IndexError, RuntimeError)):
        write(x)
    assert x.tolist() == [0, 0, 0]


def test_sums_at_the_same_place_are_in_memory_order_and_narrow_ones_are_rounded_once():
    index = rt.zeros(1000, dtype=rt.int64)
    ones = rt.full((1000,), 1 / 1024, dtype=rt.bfloat16)
    assert rt.ones(1, dtype=rt.bfloat16).scatter_add(0, index, ones).item() == rt.tensor(1 + 1000 / 1024).to(rt.bfloat16).item()


def test_a_mean_is_divided_where_the_output_is_laid_out_otherwise():
    for dtype in (rt.float32, rt.bfloat16):
        x = rt.zeros(2, 3, dtype=dtype).t()
        x.scatter_reduce_(0, rt.tensor([[0, 1], [0, 1]]), rt.tensor([[2, 4], [4, 8]], dtype=dtype), "mean", include_self=False)
        assert x.tolist() == [[3, 0], [0, 6], [0, 0]]


def test_what_is_read_may_not_be_what_is_written():
    x, index = rt.zeros(3), rt.tensor([0, 1, 2])
    for write in (lambda: x.scatter_(0, index, x), lambda: index.scatter_(0, index, 1), lambda: x.put_(index, x), lambda: rt.take(x, index, out=x)):
        with pytest.raises(RuntimeError, match="single memory location"):
            write()


@pytest.mark.parametrize("option", [{"dtype": "int64"}, {"device": "meta"}])
def test_options_beside_out_must_agree_with_it(option):
    option = {k: getattr(rt, v) if k == "dtype" else v for k, v in option.items()}
    with pytest.raises(RuntimeError, match="does not match"):
        rt.zeros(2, out=rt.empty(2), **option)
    assert rt.zeros(2, out=rt.ones(2), dtype=rt.float32, device="cpu").tolist() == [0, 0]


def test_lists_of_different_lengths_and_empty_ones_are_refused():
    x = [rt.ones(2), rt.ones(3)]
    with pytest.raises(RuntimeError, match="same number of tensors, got 2 and 1"):
        rt._foreach_add(x, x[:1])
    with pytest.raises(RuntimeError, match="same number of elements as scalar list"):
        rt._foreach_mul(x, [1.0])
    with pytest.raises(RuntimeError, match="at least one tensor"):
        rt._foreach_neg([])


def test_a_list_written_in_place_raises_the_version_of_every_tensor_by_one():
    x = [rt.ones(2), rt.ones(3)]
    assert rt._foreach_add_(x, 1) is x
    assert [t.tolist() for t in x] == [[2, 2], [2, 2, 2]] and [t._version for t in x] == [1, 1]
