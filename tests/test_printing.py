"""How tensors print: exactly as PyTorch's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runtime
import runtime._printing as _printing
from tests.conformance import compare


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


def test_parameters_of_subclasses_say_both():
    class Mine(runtime.Tensor):
        pass

    class Own(runtime.nn.Parameter):
        pass

    assert repr(runtime.nn.Parameter(Mine([1.0]))) == "Parameter(Mine([1.], requires_grad=True))"
    assert repr(Own(runtime.ones(1))) == "Parameter containing:\nParameter(Own([1.], requires_grad=True))"


def test_handlers_of_repr_are_told_the_contents():
    told = []

    class Mine(runtime.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func is runtime.Tensor.__repr__:
                told.append(kwargs)
                return "mine"
            return super().__torch_function__(func, types, args, kwargs or {})

    x = runtime.ones(1).as_subclass(Mine)
    assert repr(x) == str(x) == x.__repr__(tensor_contents="u") == "mine"
    assert told == [{"tensor_contents": None}, {"tensor_contents": None}, {"tensor_contents": "u"}]


def test_modes_do_not_see_printing():
    class Refuses(runtime.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            raise AssertionError(f"{func} was called")

    tensors = [runtime.ones(2), runtime.arange(3000.0), runtime.ones(1, dtype=runtime.complex32), runtime.tensor([1j]).conj()]
    tensors += [runtime._efficientzerotensor((2,)), runtime.ones(2, requires_grad=True) * 2]
    texts = [repr(t) for t in tensors]
    with Refuses():
        assert [repr(t) for t in tensors] == texts


def test_a_view_whose_history_is_invalid_prints():
    first, _ = (runtime.ones(2, requires_grad=True) * 1).unbind(0)
    with runtime.no_grad():
        first.mul_(2)
    assert repr(first) == "tensor(2., grad_fn=<Invalid>)"


def test_tangents_are_said():
    from runtime.autograd import forward_ad

    with forward_ad.dual_level():
        x = forward_ad.make_dual(runtime.ones(1), runtime.tensor([3.0]))
        assert repr(x) == "tensor([1.], tangent=tensor([3.]))"
        assert repr(x * 2) == "tensor([2.], tangent=tensor([6.]))"


def test_pytorchs_names_for_printing():
    from runtime.compat import resolve

    module = resolve("torch._tensor_str")
    assert module.PRINT_OPTS is _printing.PRINT_OPTS
    assert module._str(runtime.ones(1), tensor_contents="u") == "tensor(u)"
    with module.printoptions(precision=1):
        assert repr(runtime.tensor([0.25])) == "tensor([0.2])"


def test_small_tensors_are_tables_in_notebooks():
    assert runtime.tensor([[1.0, 2.5]], requires_grad=True)._repr_html_().splitlines() == [
        "<table>",
        "<caption>tensor: torch.float32, 1 × 2, requires_grad=True</caption>",
        "<tr><td>1.0000</td><td>2.5000</td></tr>",
        "</table>",
    ]
    assert "<td>-3</td>" in runtime.tensor(-3)._repr_html_()
    assert "grad_fn=&lt;MulBackward0&gt;" in (runtime.ones(1, requires_grad=True) * 2)._repr_html_()


def test_what_is_no_small_table_is_text_in_notebooks():
    class Own(runtime.Tensor):
        def __repr__(self):
            return "own"

    class Handled(runtime.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise AssertionError(func)

    for x in (
        runtime.ones(2, 2, 2),
        runtime.ones(0),
        runtime.ones(1001),
        runtime.ones(2, device="meta"),
        runtime.ones(1).as_subclass(Own),
        runtime.ones(1).as_subclass(Handled),
    ):
        assert x._repr_html_() is None


def test_ipython_shows_the_table():
    formatters = pytest.importorskip("IPython.core.formatters")
    assert formatters.HTMLFormatter()(runtime.ones(1)).startswith("<table>")
    assert formatters.PlainTextFormatter()(runtime.ones(1)) == "tensor([1.])"


def test_long_tensors_are_summarized():
    assert repr(runtime.from_numpy(np.arange(2000))) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"


def test_zero_edge_items_leave_only_dots():
    with _printing.printoptions(threshold=0, edgeitems=0):
        assert repr(runtime.tensor([1, 2])) == "tensor([...], size=(2,))"


def test_a_large_tensor_reads_only_what_it_shows(monkeypatch):
    read = []
    monkeypatch.setattr(_printing, "number_format", lambda array: read.append(array.size) or _printing.NumberFormat([1.0], True))
    repr(runtime.ones(1000, 1000))
    repr(runtime.ones(1_000_000, dtype=runtime.bfloat16))
    assert read == [36, 6]


def test_options_are_checked_and_have_profiles():
    with pytest.raises(ValueError, match="edgeitems is a number of items, not -1"):
        runtime.set_printoptions(edgeitems=-1)
    before = _printing.get_printoptions()
    try:
        runtime.set_printoptions(2, 3, 4, 5, "default", True)
        assert _printing.get_printoptions() == {"precision": 2, "threshold": 3, "edgeitems": 4, "linewidth": 5, "sci_mode": True}
        assert _printing.PRINT_OPTS.linewidth == 5
        runtime.set_printoptions(profile="full", precision=1)
        assert _printing.get_printoptions() == {**before, "precision": 1, "threshold": float("inf")}
    finally:
        _printing.set_printoptions(**before)


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


NUMPY_DTYPES = [np.dtype(c) for c in "f4 f8 f2 i1 i2 i4 i8 u1 u2 u4 u8 ? c8 c16".split()]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 8),
        "threshold": st.sampled_from([0, 3, 10, 1000]),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.sampled_from([1, 17, 40, 80, 200]),
        "profile": st.sampled_from(["default", "short", "full", "unknown"]),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


def numbers_of(dtype):
    """Elements, of which some are close together, so that no scientific notation is needed, and some are special."""
    if dtype.kind == "f":
        plain = st.sampled_from([0.0, -0.0, 1.0, -2.0, 0.5, 99.25, 1e-5, 12345.0, 3e8, np.nan, np.inf, -np.inf])
        return plain.map(dtype.type) | st.floats(-100, 100).map(dtype.type) | hnp.from_dtype(dtype)
    if dtype.kind == "c":
        part = numbers_of(np.dtype(f"f{dtype.itemsize // 2}"))
        return st.builds(complex, part, part)
    return hnp.from_dtype(dtype)


def printed(library, module, array, changes):
    tensor = library.from_numpy(array)
    with module.printoptions(**changes):
        return repr(tensor), str(tensor), tensor.__repr__(tensor_contents="..")


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_array_prints_as_in_pytorch_under_any_options(data):
    torch = pytest.importorskip("torch")
    dtype = data.draw(st.sampled_from(NUMPY_DTYPES))
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=9).filter(lambda s: np.prod(s) < 300))
    array = data.draw(hnp.arrays(dtype, shape, elements=numbers_of(dtype), fill=st.nothing() if np.prod(shape) < 20 else None))
    changes = data.draw(OPTIONS)
    assert printed(runtime, _printing, array, changes) == printed(torch, torch._tensor_str, array, changes)


# Where PyTorch shows something else, and why that stays so.
DIFFERENT = {
    "limits float8_e5m2fnuz": "1.25 is the number after 1",
    **{
        f"{kind} float8_e8m0fnu{shape}": "the dtype has no zero: its smallest number is shown"
        for kind, shape in [("zeros", " ()"), ("zeros", " (3,)"), ("zeros", " (2, 2)"), ("small", ""), ("bytes", "")]
    },
    "bad {'edgeitems': -1}": "a negative number of items is refused",
    "bad long {'edgeitems': -1}": "a negative number of items is refused",
}


@pytest.mark.oracle
@pytest.mark.slow
def test_fifteen_hundred_texts_are_pytorchs():
    pytest.importorskip("torch")
    compare.check("printing.py", DIFFERENT)


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


def test_the_package_itself_has_the_options_and_a_context_for_them():
    before = runtime.get_printoptions()
    with runtime.printoptions(precision=1):
        assert str(runtime.tensor(0.25)) == "tensor(0.2)" and runtime.get_printoptions()["precision"] == 1
    assert runtime.get_printoptions() == before


@pytest.mark.oracle
def test_the_parts_of_printing_are_pytorchs():
    theirs, torch = pytest.importorskip("torch._tensor_str"), pytest.importorskip("torch")
    from runtime import _printing_parts as ours

    for values in ([1.0, 2.5], [1e-9, 1.0], [1, -20], [3.0, 4.0], [0.0]):
        x, y = runtime.tensor(values), torch.tensor(values)
        a, b = ours._Formatter(x), theirs._Formatter(y)
        assert (a.width(), a.sci_mode, a.int_mode, a.format(values[0])) == (b.width(), b.sci_mode, b.int_mode, b.format(values[0]))
        assert ours._scalar_str(x[0], a) == theirs._scalar_str(y[0], b)
    summary, expected = (kind.get_summarized_data(m.arange(80).view(2, 40)) for kind, m in ((ours, runtime), (theirs, torch)))
    assert summary.tolist() == expected.tolist()
    for suffixes in ([], ["size=(2,)"], ["size=(2,)", "x" * 90]):
        for newline in (False, True):
            assert _printing.join_suffixes("tensor(1", suffixes, 7, newline) == theirs._add_suffixes("tensor(1", suffixes, 7, newline)
