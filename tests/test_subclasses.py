"""Tensor subclasses with `__torch_dispatch__`: who is asked in which order, how they are made, and what their results are."""

import copy
import gc
import sys
import weakref

import pytest

import runtime as rt
from runtime import Tensor, _core
from runtime.subclasses import return_and_correct_aliasing, transform_subclass
from tests.conformance import compare

# Where PyTorch does something else, and why that stays so.
ARGUMENTS = "the text of an argument error"
UNSAFE = "a geometry that no storage can have is refused"
ANSWERS = "the error says which question was answered by what"
DIFFERENT = {
    "mws {'strides': (-1, 1)}": UNSAFE,
    "mws {'strides': (3, 1), 'storage_offset': -1}": UNSAFE,
    "mws {'layout': torch.sparse_coo}": "there are no sparse tensors",
    "mws {'requires_grad': True, 'dtype': torch.int64}": ARGUMENTS,
    "mws {'dispatch_sizes_strides_policy': 3}": ARGUMENTS,
    "mws {'_extra_dispatch_keys': 3}": ARGUMENTS,
    "mws {'layout': 3}": "layouts are not looked at",
    "mws size 3": "one int is a size too",
    "mws size (1.5,)": ARGUMENTS,
    "mws size ('a',)": ARGUMENTS,
    "mws size (-1,)": ARGUMENTS,
    "mws size None": ARGUMENTS,
    "mws size (2147483648, 2147483648, 2147483648)": ARGUMENTS,
    **{
        f"P {policy} wrong {query}": ANSWERS
        for policy in ("sizes", "sub sizes")
        for query in ("p.numel()", "p.storage_offset()", "p.nelement()", "torch.numel(p)")
    },
    **{f"P dev wrong p.{query}": ANSWERS for query in ("device", "is_cuda", "is_meta", "is_cpu", "get_device()")},
    "P lay wrong p.layout": ANSWERS,
}


@pytest.mark.oracle
def test_six_hundred_cases_are_pytorchs():
    pytest.importorskip("torch")
    compare.check("subclasses.py", DIFFERENT)


class Wrapper(Tensor):
    asked = []

    @staticmethod
    def __new__(cls, elem):
        return Tensor._make_wrapper_subclass(
            cls, elem.size(), strides=elem.stride(), storage_offset=elem.storage_offset(), dtype=elem.dtype, device=elem.device
        )

    def __init__(self, elem):
        self.elem = elem

    def __repr__(self):
        return f"{type(self).__name__}({self.elem})"

    def __tensor_flatten__(self):
        return ["elem"], None

    @classmethod
    def __tensor_unflatten__(cls, inner, context, size, stride):
        return cls(inner["elem"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        cls.asked.append(cls.__name__)
        kwargs = kwargs or {}
        found = func(*(getattr(a, "elem", a) for a in args), **{k: getattr(a, "elem", a) for k, a in kwargs.items()})
        if isinstance(found, Tensor):
            return return_and_correct_aliasing(func, args, kwargs, cls(found))
        return found


class Derived(Wrapper):
    pass


class Other(Wrapper):
    pass


@pytest.fixture
def x():
    Wrapper.asked.clear()
    return rt.arange(6.0).view(2, 3)


@pytest.mark.parametrize(
    "left, right, asked", [(Wrapper, Derived, "Derived"), (Derived, Wrapper, "Derived"), (Derived, Other, "Derived"), (Other, Derived, "Other")]
)
def test_derived_classes_come_first_then_the_left_one(x, left, right, asked):
    assert type(rt.add(left(x), right(x))).__name__ == asked
    assert Wrapper.asked == [asked]


def test_the_handler_of_tensor_runs_the_operator_below_the_python_key(x):
    class Super(Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return super().__torch_dispatch__(func, types, args, kwargs)

    made = Tensor._make_subclass(Super, x)
    assert type(made + 1) is Tensor
    assert (made + 1).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_class_without_a_handler_cannot_wrap():
    class Plain(Tensor):
        pass

    class Disabled(Tensor):
        __torch_dispatch__ = _core._disabled_torch_dispatch_impl

    for cls in (Plain, Disabled):
        with pytest.raises(TypeError, match=f"{cls.__name__} must define __torch_dispatch__"):
            Tensor._make_wrapper_subclass(cls, (2,))


def test_a_wrapper_of_eight_terabytes_has_no_memory():
    made = Tensor._make_wrapper_subclass(Wrapper, (2**40, 2))
    assert made.numel() == 2**41
    assert made.untyped_storage().nbytes() == 2**43
    with pytest.raises(RuntimeError, match="not supported for tensor subclasses"):
        made.numpy()


@pytest.mark.parametrize("device", ["cuda:1", "meta", "xla"])
def test_a_wrapper_may_claim_any_device(device):
    assert str(Tensor._make_wrapper_subclass(Wrapper, (2,), device=device).device).startswith(device)


def test_a_subclass_cannot_take_over_another_subclasss_tensor(x):
    with pytest.raises(RuntimeError, match="Creating a new Tensor subclass Other but the raw Tensor object is already associated to a .* Wrapper"):
        Wrapper(x).as_subclass(Other)
    same = Wrapper(x).as_subclass(Wrapper)
    assert type(same) is Wrapper
    assert same.elem.tolist() == x.tolist()


def test_views_share_storage_and_writes_return_the_wrapper(x):
    w = Wrapper(x)
    view = w.view(6)
    assert view.untyped_storage() is w.untyped_storage() or view.untyped_storage()._cdata == w.untyped_storage()._cdata
    assert w.add_(1) is w
    assert w.elem.sum().item() == 21
    out = Wrapper(rt.zeros(2, 3))
    assert rt.add(w, w, out=out) is out


def test_operators_that_change_the_geometry_change_the_wrappers(x):
    w = Wrapper(x)
    w.t_()
    assert (w.shape, w.stride()) == ((3, 2), (1, 3))
    w.unsqueeze_(0)
    assert w.shape == (1, 3, 2)


def test_what_the_class_says_of_its_geometry_counts():
    class Sized(Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return {"aten.sym_size.default": [7, 8], "aten.dim.default": 2, "aten.sym_numel.default": 56, "aten.sym_stride.default": None}.get(
                str(func), NotImplemented
            )

    made = Tensor._make_wrapper_subclass(Sized, (1,), dispatch_sizes_strides_policy="sizes")
    assert (made.shape, made.size(1), len(made), made.dim(), made.numel(), made.stride()) == ((7, 8), 8, 7, 2, 56, (1,))
    with pytest.raises(TypeError, match="Multiple dispatch failed for 'torch.ops.aten.is_contiguous'"):
        made.is_contiguous()


@pytest.mark.parametrize("answer, text", [("seven", "dim returned invalid type str, expected int"), ([1], "dim returned invalid type list")])
def test_a_wrong_answer_about_the_geometry_is_refused(answer, text):
    class Wrong(Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return answer

    with pytest.raises(RuntimeError, match=text):
        Tensor._make_wrapper_subclass(Wrong, (1,), dispatch_sizes_strides_policy="sizes").dim()


@pytest.mark.parametrize("answer", ["text", 5, None, [], object(), (1, 2)])
def test_handlers_that_return_nonsense_raise_or_have_it_converted(answer):
    class Nonsense(Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return answer

    made = Tensor._make_wrapper_subclass(Nonsense, (2,))
    for call in (lambda: rt.add(made, 1), lambda: made.max(0), lambda: rt.equal(made, made), lambda: rt.split(made, 1), lambda: made.detach()):
        try:
            assert call() in (None, (), bool(answer))
        except RuntimeError as e:
            assert str(e)


def test_a_handler_that_calls_itself_for_ever_raises_recursionerror(x):
    class Forever(Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    with pytest.raises(RecursionError):
        rt.add(Tensor._make_subclass(Forever, x), 1)


def test_attributes_that_lie_do_not_matter_to_kernels(x):
    class Liar(Tensor):
        shape = "none"
        dtype = property(lambda self: 1 / 0)
        elem = x

        def dim(self):
            return -5

        def numel(self):
            return 2**60

    assert rt.add(Tensor._make_subclass(Liar, x), 1).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_copies_references_and_transforms(x):
    w = Wrapper(x)
    deep = copy.deepcopy(w)
    assert type(deep) is Wrapper and deep.elem is not x
    changed = transform_subclass(w, lambda name, t: t + 1)
    assert changed.elem.sum().item() == 21
    with pytest.raises(AssertionError, match="to have shape equal to"):
        transform_subclass(w, lambda name, t: t[0])
    w.me = w
    alive = weakref.ref(w)
    del w
    gc.collect()
    assert alive() is None


def test_calls_of_wrappers_keep_nothing(x):
    def work(n):
        for _ in range(n):
            w = Wrapper(x)
            rt.add(w, w)
            w[0].add_(0)
        Wrapper.asked.clear()

    work(50)
    gc.collect()
    before = sys.getallocatedblocks(), sys.getrefcount(x), sys.getrefcount(Wrapper)
    work(1000)
    gc.collect()
    after = sys.getallocatedblocks(), sys.getrefcount(x), sys.getrefcount(Wrapper)
    assert after[1:] == before[1:]
    assert after[0] - before[0] < 100


def test_a_question_that_nobody_can_answer_raises():
    class Mute(rt.Tensor):
        pass

    t = rt.Tensor._make_subclass(Mute, rt.ones(2), dispatch_sizes_strides_policy="sizes", dispatch_device=True)
    for question in ("device", "shape", "ndim", "is_cpu"):
        with pytest.raises(RuntimeError, match="no mode and no argument of a class that has one"):
            getattr(t, question)
