"""`__torch_function__`: every public function, method and property asks once, classes in their order, modes first."""

import gc
import inspect
import sys

import pytest

import runtime as rt
from runtime import Tensor, overrides
from runtime.overrides import TorchFunctionMode, get_testing_overrides, resolve_name
from tests.conformance import compare

# Where PyTorch does something else, and why that stays so.
AUTOGRAD = "needs gradient modes or views of a subclass"
DIFFERENT = {
    "list(s)": "iteration asks for unbind alone",
    "iter(s).__class__ is not None": "iteration asks for unbind alone",
    "mode: iter(x) is not None": "iteration asks for unbind alone",
    "mode: [r for r in x]": "iteration asks for unbind alone",
    "s._base": AUTOGRAD,
    "type(s.grad), type(s._base)": AUTOGRAD,
    "mode: torch.set_grad_enabled(True) is not None": AUTOGRAD,
    "mode: torch.no_grad().__enter__()": AUTOGRAD,
    "torch.full((2,), s[0,0])": "a tensor as a number is asked for its item",
    "s.__dir__() is not None": "dir() asks nobody",
    "dir(s) is not None": "dir() asks nobody",
    "torch.Tensor.__dir__(s) is not None": "dir() asks nobody",
    "x == d": "the method is called __eq__",
    "torch.sum(Duck)": "a class is no argument",
    "torch.add(x, Duck)": "a class is no argument",
    "ni + s": "the reflected method asks in the order of the operands",
    "len(ni)": "one text for all functions",
    "handle_torch_function(torch.add, (ni,), ni, x)": "one text for all functions",
    "has_torch_function(3)": "Python's own text",
    "torch.Tensor.__rdiv__(s, 1)": "the methods behind operators are not asked for themselves",
    "torch.Tensor.__rmatmul__(s.t(), s)": "the methods behind operators are not asked for themselves",
    "mode: copy.copy(x)": "a copy is made in one step",
    "mode: torch.device('cpu')": "a device is no function",
    "mode: torch.broadcast_shapes((2,), (1,))": "shapes are arguments too",
    "mode: torch.from_dlpack(x)": "asks for other facts",
}


@pytest.mark.oracle
def test_four_hundred_calls_ask_as_in_pytorch():
    pytest.importorskip("torch")
    texts = {k for k in compare.results("overrides.py", "torch") if k.startswith("has_torch_function((") or k.startswith("type(s.shape), ")}
    compare.check("overrides.py", {**DIFFERENT, **dict.fromkeys(texts, "names of classes, or a class as an argument")})


OVERRIDES = [(resolve_name(f), f, stand_in) for f, stand_in in get_testing_overrides().items()]


def test_names_of_overridable_functions_are_pytorchs():
    names = {name for name, _, _ in OVERRIDES}
    assert None not in names
    assert {"torch.add", "torch.Tensor.add", "torch.Tensor.__getitem__", "torch.Tensor.shape.__get__", "torch.nn.functional.relu"} <= names
    assert {"torch.linalg.norm", "torch.fft.fft", "torch.special.expit", "torch.functional.einsum"} <= names
    assert len(names) > 1000


def test_each_function_asks_the_class_of_its_first_argument_once():
    """With an argument that is a tensor and nothing else, whatever the signature says."""
    asked = []

    class Everything(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            asked.append(func)
            return -1

    made = rt.ones(2).as_subclass(Everything)
    wrong = []
    for name, function, _ in OVERRIDES:
        for n in range(1, 8):
            asked.clear()
            try:
                result = function(*[made] * n)
            except TypeError:
                continue
            # The methods behind Python's operators ask by the operator's name.
            fine = len(asked) == 1 if name.startswith("torch.Tensor.__") else asked == [function]
            if not fine or result not in (-1, None, True):  # True: what `bool` and `in` make of -1
                wrong.append((name, n, asked[:2]))
            break
    assert not wrong


def test_stand_ins_take_the_calls_of_the_function():
    stand_ins = {name: stand_in for name, _, stand_in in OVERRIDES}
    x = rt.ones(1)
    assert stand_ins["torch.add"](x, x, alpha=2) == -1
    assert list(inspect.signature(stand_ins["torch.nn.functional.relu"]).parameters) == ["input", "inplace"]
    assert stand_ins["torch.nn.functional.relu"](x, inplace=True) == -1
    with pytest.raises(TypeError):
        stand_ins["torch.nn.functional.relu"](x, out=x)


def test_methods_and_getters_are_told_from_functions():
    assert overrides.is_tensor_method_or_property(Tensor.__add__)
    assert overrides.is_tensor_method_or_property(Tensor.shape.__get__)
    assert not overrides.is_tensor_method_or_property(rt.add)


class Mode(TorchFunctionMode):
    def __init__(self):
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen.append(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("make", [lambda: rt.tensor([1.0]), lambda: rt.as_tensor([1.0], dtype=rt.float64), lambda: rt.ones(2), lambda: rt.rand(2)])
def test_a_mode_sees_functions_without_tensor_arguments(make):
    with Mode() as mode:
        assert type(make()) is Tensor
    assert len(mode.seen) == 1


def test_data_of_a_subclass_are_data():
    class Sub(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise AssertionError(f"{func} asked")

    data = rt.ones(2).as_subclass(Sub)
    with pytest.warns(UserWarning, match="copy construct"):
        assert type(rt.tensor(data)) is Tensor


def test_a_mode_that_fails_at_the_end_of_the_stack_leaves_none_behind():
    class Forever(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            with self:
                return func(*args, **(kwargs or {}))

    with pytest.raises(RecursionError), Forever():
        rt.add(rt.ones(1), 1)
    assert rt._core._len_torch_function_stack() == 0


def test_ducks_may_index_and_be_assigned():
    class Duck:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return func.__name__

    x = rt.ones(2, 3)
    assert x[Duck()] == x[0, Duck()] == x[[Duck()]] == "__getitem__"
    x[0] = Duck()
    x[Duck()] = 1
    assert x.sum().item() == 6


def test_calls_of_subclasses_keep_nothing():
    class Sub(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return super().__torch_function__(func, types, args, kwargs)

    x = rt.ones(3).as_subclass(Sub)

    def work(n):
        with Mode() as mode:
            for _ in range(n):
                rt.add(x, 1, alpha=2)
                x.shape, x[0]
                mode.seen.clear()

    work(100)
    gc.collect()
    before = sys.getallocatedblocks(), sys.getrefcount(x), sys.getrefcount(Sub)
    work(2000)
    gc.collect()
    after = sys.getallocatedblocks(), sys.getrefcount(x), sys.getrefcount(Sub)
    assert after[1:] == before[1:]
    assert after[0] - before[0] < 100
