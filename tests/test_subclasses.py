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
    "mws {'layout': torch.sparse_coo}": "a wrapper is strided, unless its handler answers",
    "mws size (-1,)": ARGUMENTS,
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


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda make: make(), '() missing 2 required positional argument: "cls", "size"'),
        (lambda make: make(Wrapper), '() missing 1 required positional arguments: "size"'),
        (lambda make: make(*[Wrapper, (2,)], **dict.fromkeys("ab")), "() got an unexpected keyword argument 'a'"),
        (lambda make: make(Wrapper, (2,), size=(2,)), "() got multiple values for argument 'size'"),
        (lambda make: make(*range(16)), "() takes from 2 to 15 positional arguments but 16 were given"),
        (lambda make: make(Wrapper, (2, 2.5)), """(): argument 'size' failed to unpack the object at pos 2 with error "type must be tuple of """),
        (lambda make: make(Wrapper, [True]), "(): argument 'size' (position 2) must be tuple of ints, but found element of type bool at pos 0"),
        (lambda make: make(Wrapper, (2,), strides=("a",)), "(): argument 'strides' must be tuple of ints, not tuple"),
        (lambda make: make(Wrapper, (2,), (1,), 2.5), "(): argument 'storage_offset' (position 4) must be int, not float"),
        (lambda make: make(Wrapper, (2,), layout=None), "(): argument 'layout' must be torch.layout, not NoneType"),
        (lambda make: make(Wrapper, (2,), pin_memory=1), "(): argument 'pin_memory' must be bool, not int"),
    ],
)
def test_the_arguments_of_a_wrapper_are_checked_one_by_one(call, error):
    with pytest.raises(TypeError) as caught:
        call(Tensor._make_wrapper_subclass)
    assert str(caught.value).startswith("_make_wrapper_subclass" + error)


def test_a_size_that_changes_while_it_is_read_is_read_as_it_was():
    class Odd:
        def __index__(self):
            size.clear()
            return 3

    size = [Odd(), 4]
    assert tuple(Tensor._make_wrapper_subclass(Wrapper, size).shape) == (3, 4)


class TestCallsOfSubclasses:
    """A call of a subclass does what `type.__call__` does."""

    @staticmethod
    def made(new, **more):
        def create(cls, *args, **kwargs):
            return new(cls, *args, **kwargs)

        return type("Made", (Tensor,), {"__new__": create, **more})

    def test_arguments_arrive_as_they_were_given(self, x):
        seen = []
        cls = self.made(lambda cls, *args, **kwargs: (seen.append((args, kwargs)), x.as_subclass(cls))[1])
        assert type(cls(1, 2, a=3)) is cls
        cls(*range(40), **{f"a{i}": i for i in range(40)})
        cls()
        list(map(cls, [5]))
        assert seen == [((1, 2), {"a": 3}), (tuple(range(40)), {f"a{i}": i for i in range(40)}), ((), {}), ((5,), {})]

    def test_init_gets_the_same_arguments(self, x):
        seen = []
        cls = self.made(lambda cls, *args, **kwargs: x.as_subclass(cls), __init__=lambda self, *args, **kwargs: seen.append((args, kwargs)))
        assert type(cls(1, k=2)) is cls
        assert seen == [((1,), {"k": 2})]

    def test_init_must_return_none(self, x):
        cls = self.made(lambda cls: x.as_subclass(cls), __init__=lambda self: 3)
        with pytest.raises(TypeError, match=r"__init__\(\) should return None, not 'int'"):
            cls()

    def test_init_may_be_any_descriptor(self, x):
        seen = []
        cls = self.made(lambda cls, v: x.as_subclass(cls), __init__=classmethod(lambda cls, v: seen.append((cls, v))))
        cls(3)
        assert seen == [(cls, 3)]

    def test_what_is_no_instance_is_not_initialised(self):
        cls = self.made(lambda cls, v: v, __init__=lambda self, v: 1 / 0)
        assert cls(3) == 3

    def test_the_init_of_a_derived_class_runs(self, x):
        base = self.made(lambda cls, v: x.as_subclass(derived))
        derived = type("Derived", (base,), {"__init__": lambda self, v: setattr(self, "v", v)})
        assert base(7).v == 7

    def test_a_new_that_is_put_in_later_is_called(self, x):
        cls = self.made(lambda cls: x.as_subclass(cls))
        cls()
        cls.__new__ = lambda cls, v: v
        assert cls(5) == 5
        cls.__new__ = classmethod(lambda cls, owner, v: (cls, owner, v))
        assert cls(5) == (cls, cls, 5)
        del cls.__new__
        assert cls([1.0, 2.0]).tolist() == [1.0, 2.0]

    def test_a_metaclass_decides_about_its_calls(self, x):
        class Meta(type(Tensor)):
            def __call__(cls, v):
                return "meta", v

        assert Meta("Made", (Tensor,), {"__new__": lambda cls, v: v})(3) == ("meta", 3)

    def test_an_exception_passes(self, x):
        with pytest.raises(ZeroDivisionError):
            self.made(lambda cls: 1 / 0)()
        with pytest.raises(ZeroDivisionError):
            self.made(lambda cls: x.as_subclass(cls), __init__=lambda self: 1 / 0)()

    def test_nothing_leaks(self, x):
        cls = self.made(lambda cls, v, k=None: x.as_subclass(cls), __init__=lambda self, v, k=None: None)
        value = object()
        before = sys.getrefcount(value), sys.getrefcount(cls)
        for _ in range(20):
            cls(value)
            cls(value, k=value)
            cls(*[value], **{"k": value})
        assert (sys.getrefcount(value), sys.getrefcount(cls)) == before


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
