"""Views: geometry over a shared storage."""

import itertools

import pytest

import runtime as rt

SHAPES = [(), (-1,), (24,), (6, 4), (4, -1), (2, 3, 4), (1, -1, 2), (-1, -1), (-2, 3), (0,), (-1, 0), (2, 1, 3, 1, 4), (5,), (3, 8)]


def bases(torch):
    x = torch.arange(24.0)
    yield x.view(2, 3, 4)
    yield x.view(2, 3, 4).permute(2, 0, 1)
    yield x.view(4, 6)[1:, ::2]
    yield torch.arange(6.0)
    yield torch.tensor(5.0)
    yield torch.ones(0, 3)
    yield torch.ones(1, 3, 1)
    yield torch.ones(3, 1).expand(3, 4)


@pytest.mark.oracle
def test_views_agree_with_torch_in_geometry_values_and_errors():
    oracle = pytest.importorskip("oracle")
    for x in bases(oracle.torch):
        for s in SHAPES:
            oracle.compare("view", x, s)
        for d in range(-3, 4):
            oracle.compare("unsqueeze", x, d)
            oracle.compare("squeeze.dim", x, d)
            oracle.compare("unbind.int", x, d)
            for e in (-2, -1, 0, 1, 3):
                oracle.compare("transpose.int", x, d, e)
                oracle.compare("select.int", x, d, e)
                oracle.compare("diagonal", x, 1, d, e)
                oracle.compare("split.Tensor", x, e, d)
                oracle.compare("unfold", x, d, e, 1)
                oracle.compare("slice.Tensor", x, d, e, 2, 2)
                oracle.compare("narrow", x, d, e, 1)
            for sizes in [(1, 1), (2, 0), (1, 2), (4, -1), (3,)]:
                oracle.compare("split_with_sizes", x, sizes, d)
        for p in itertools.chain(itertools.permutations(range(x.dim())), [(0, 0), (0,)]):
            oracle.compare("permute", x, p)
        for g in [((2, 2), (1, 2), 0), ((2,), (-1,), 0), ((10, 10), (1, 10), 0), ((2,), (1, 1), 0), ((), (), 100), ((2,), (1,), -1)]:
            oracle.compare("as_strided", x, *g)
        oracle.compare("squeeze", x)
        oracle.compare("t", x)
        oracle.compare("alias", x)


@pytest.mark.oracle
def test_expand_agrees_with_torch():
    oracle = pytest.importorskip("oracle")
    for x in bases(oracle.torch):
        for s in [(2, 3, 4), (5, 2, 3, 4), (-1, 3, 4), (3, 4), (3, -1), (2,), (4, 4)]:
            oracle.compare("expand", x, s)


@pytest.mark.oracle
def test_reinterpreting_bytes_agrees_with_torch():
    oracle = pytest.importorskip("oracle")
    torch = oracle.torch
    for x in bases(torch):
        for dtype in (torch.int32, torch.int16, torch.float64, torch.uint8):
            oracle.compare("view.dtype", x, dtype)


def test_a_view_shares_memory_and_a_reshape_copies_only_where_it_must():
    x = rt.arange(6.0)
    x.view(2, 3)[1, 2] = 9.0
    assert x.tolist() == [0, 1, 2, 3, 4, 9]
    assert x.view(2, 3).reshape(3, 2).data_ptr() == x.data_ptr()
    assert x.view(2, 3).t().reshape(6).data_ptr() != x.data_ptr()


def test_in_place_forms_change_the_tensor_itself():
    x = rt.zeros(2, 3)
    assert x.t_() is x and x.shape == (3, 2)
    assert x.unsqueeze_(0) is x and x.shape == (1, 3, 2)
    assert x.squeeze_(0) is x and x.shape == (3, 2)
    assert x.transpose_(0, 1) is x and x.stride() == (3, 1)


def test_resize_grows_the_storage_and_keeps_the_elements():
    x = rt.arange(4.0)
    assert x.resize_(2, 3).shape == (2, 3)
    assert x.flatten()[:4].tolist() == [0, 1, 2, 3]
    with pytest.raises(RuntimeError):
        x.resize_(-1)


def test_set_puts_another_storage_behind_a_tensor():
    x, y = rt.zeros(2), rt.arange(3.0)
    assert x.set_(y) is x
    assert x.data_ptr() == y.data_ptr() and x.tolist() == [0, 1, 2]
    assert x.set_().numel() == 0
