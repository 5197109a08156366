"""How tensors print: exactly as PyTorch's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runtime
import runtime._printing as _printing


@pytest.mark.parametrize(
    "data, text",
    [
        ([1, 2], "tensor([1, 2])"),
        ([1.0, 2.5], "tensor([1.0000, 2.5000])"),
        ([1.0, float("nan")], "tensor([1., nan])"),
        ([[]], "tensor([], size=(1, 0))"),
        (3, "tensor(3)"),
        (True, "tensor(True)"),
        ([1 - 2j], "tensor([1.-2.j])"),
        ([1e-6, 1.0], "tensor([1.0000e-06, 1.0000e+00])"),
    ],
)
def test_the_elements_choose_the_format(data, text):
    assert repr(runtime.tensor(data)) == str(runtime.tensor(data)) == text


def test_what_the_elements_do_not_show_is_said():
    assert repr(runtime.tensor([1], dtype=runtime.int8)) == "tensor([1], dtype=torch.int8)"
    assert repr(runtime.tensor([1.0], requires_grad=True)) == "tensor([1.], requires_grad=True)"
    assert repr(runtime.tensor([1, 2], device="meta")) == "tensor(..., device='meta', size=(2,), dtype=torch.int64)"


def test_a_subclass_prints_its_own_name():
    class Mine(runtime.Tensor):
        pass

    assert repr(Mine([1.0, 2.0])) == "Mine([1., 2.])"
    assert _printing.tensor_str(Mine([1.0]), tensor_contents="inside") == "Mine(inside)"


def test_long_tensors_are_summarized():
    assert repr(runtime.from_numpy(np.arange(2000))) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"


def test_zero_edge_items_leave_only_dots():
    with _printing.printoptions(threshold=0, edgeitems=0):
        assert repr(runtime.tensor([1, 2])) == "tensor([...], size=(2,))"


def test_options_last_as_long_as_their_context():
    before = _printing.get_printoptions()
    with _printing.printoptions(precision=1, sci_mode=True):
        assert repr(runtime.tensor([1.25])) == "tensor([1.2e+00])"
        runtime.set_printoptions(profile="short")
    assert _printing.get_printoptions() == before


def both(array):
    torch = pytest.importorskip("torch")
    return repr(runtime.from_numpy(array)), repr(torch.from_numpy(array))


NUMBERS = {
    "plain": lambda rng, n: rng.standard_normal(n),
    "wide": lambda rng, n: rng.standard_normal(n) * 10.0 ** rng.integers(-6, 6, n),
    "integral": lambda rng, n: np.round(rng.standard_normal(n) * 10),
    "large": lambda rng, n: rng.standard_normal(n) * 1e9,
    "nan": lambda rng, n: np.where(rng.random(n) < 0.3, np.nan, np.round(rng.standard_normal(n) * 3)),
    "inf": lambda rng, n: np.where(rng.random(n) < 0.3, np.inf, rng.standard_normal(n)),
    "zero": lambda rng, n: np.zeros(n) * -1,
    "small": lambda rng, n: rng.standard_normal(n) * 1e-5,
}


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", "f4 f8 f2 i8 u1 ? c8 c16".split())
@pytest.mark.parametrize("kind", sorted(NUMBERS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_dtype_and_shape_prints_as_in_pytorch(dtype, kind):
    rng = np.random.default_rng(0)
    for shape in (
        (),
        (0,),
        (1,),
        (30,),
        (2, 3),
        (0, 3),
        (3, 0),
        (2, 2, 2),
        (1001,),
        (40, 40),
        (7, 7, 30),
        (2, 1, 3, 2),
    ):
        numbers = NUMBERS[kind](rng, int(np.prod(shape)))
        if dtype.startswith("c"):
            numbers = numbers + 1j * rng.permutation(numbers)
        elif not dtype.startswith("f"):
            numbers = np.nan_to_num(numbers, posinf=1e3)
        ours, theirs = both(numbers.reshape(shape).astype(dtype))
        assert ours == theirs


@pytest.mark.oracle
@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.float16, np.int32, np.complex64]),
        hnp.array_shapes(min_dims=0, max_dims=3, max_side=9),
    ),
    st.sampled_from(
        [
            {},
            {"precision": 2},
            {"linewidth": 30},
            {"threshold": 5, "edgeitems": 1},
            {"sci_mode": True},
            {"profile": "short"},
        ]
    ),
)
def test_any_array_prints_as_in_pytorch_under_any_options(array, changes):
    torch = pytest.importorskip("torch")
    before = torch._tensor_str.get_printoptions()
    torch.set_printoptions(**changes)
    try:
        with _printing.printoptions(**changes):
            ours, theirs = both(array)
    finally:
        torch.set_printoptions(**before)
    assert ours == theirs


@pytest.mark.oracle
@pytest.mark.parametrize("name", "bfloat16 float8_e5m2 float8_e4m3fn float8_e5m2fnuz float8_e4m3fnuz".split())
def test_small_floats_print_and_round_as_in_pytorch(name):
    torch = pytest.importorskip("torch")
    pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(1)
    for scale in (1e-4, 0.1, 1.0, 100.0, 1e5):
        numbers = [*(rng.standard_normal(6) * scale).tolist(), 0.0, -0.0, float("inf"), float("nan")]
        ours = runtime.tensor(numbers, dtype=getattr(runtime, name))
        theirs = torch.tensor(numbers, dtype=getattr(torch, name))
        assert ours.untyped_storage().tolist() == theirs.untyped_storage().tolist()
        assert repr(ours) == repr(theirs)
