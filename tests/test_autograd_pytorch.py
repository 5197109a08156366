"""What PyTorch's own test of autograd asks for beside the subjects of the other files: names, small rules and texts of errors."""

import logging
import types
import unittest
import weakref

import pytest

import runtime as rt
from runtime import compat, settings
from runtime.autograd import forward_ad, views
from runtime.autograd.gradchecks import DelayedError
from runtime.autograd.graph import _current_graph_task_execution_order, saved_tensors_hooks
from runtime.testing import common_utils, device_type, dtypes, logging_utils, op_db
from tests.programs import Programs, attempt, warned

programs = Programs()


def leaf(m, *values, dtype=None):
    return m.tensor([float(v) for v in values], dtype=dtype, requires_grad=True)


def description(node):
    return node and (type(node).__name__, [description(after) for after, _ in node.next_functions])


@programs
def operators_that_differentiate(m):
    aten = m.ops.aten
    x = leaf(m, 1, 2)
    y = (x * 3).sum()
    yield aten.grad([y], [x], retain_graph=True), aten.grad.default._schema
    aten.backward(y, retain_graph=True)
    aten.backward.TensorList([y], [m.tensor(2.0)])
    yield x.grad
    with m.autograd.forward_ad.dual_level():
        dual = aten._make_dual(m.ones(2), m.ones(2) * 2, 0)
        yield aten._unpack_dual(dual * dual, 0), aten._unpack_dual(m.ones(2), 0), aten._fw_primal(dual, 0)


@programs
def once_differentiable_functions_end_in_an_error_node(m):
    class Two(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        @m.autograd.function.once_differentiable
        def backward(ctx, grad):
            return grad * 2, grad * 3

    x, y = leaf(m, 1), leaf(m, 2)
    a, b = m.autograd.grad(Two.apply(x, y).sum() * m.tensor(2.0, requires_grad=True), (x, y), create_graph=True)
    yield description(a.grad_fn), a.grad_fn.name(), a.grad_fn is b.grad_fn, a.output_nr, b.output_nr
    yield attempt(lambda: b.sum().backward())


@programs
def error_nodes_have_an_edge_for_each_input(m):
    class Product(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, number, y):
            return x * y

        @staticmethod
        @m.autograd.function.once_differentiable
        def backward(ctx, grad):
            return grad * 2, None, grad * 3

    x, y = leaf(m, 1), leaf(m, 2)
    a, b = m.autograd.grad(Product.apply(x, 2, y).sum(), (x, y), m.tensor(1.0, requires_grad=True), create_graph=True)
    yield description(a.grad_fn), a.output_nr, b.output_nr, attempt(lambda: b.sum().backward())


@programs
def bad_arguments_of_backward_and_grad(m):
    x = leaf(m, 1, 2)

    def y():
        return (x * 2).sum()

    backward, grad = m.autograd.backward, m.autograd.grad
    yield attempt(backward, None), attempt(grad, None, x), attempt(grad, y(), None), attempt(grad, y(), 3)
    for inputs in ([3], [None], 3, (), {}):
        yield attempt(lambda inputs=inputs: backward(y(), inputs=inputs)), attempt(grad, y(), inputs)
    for flag in ("x", 1.5):
        yield attempt(lambda flag=flag: y().backward(create_graph=flag)), attempt(lambda flag=flag: y().backward(retain_graph=flag))
        yield attempt(lambda flag=flag: grad(y(), x, create_graph=flag)), attempt(lambda flag=flag: grad(y(), x, allow_unused=flag))
    yield attempt(lambda: y().backward(create_graph=None)), x.grad


@programs
def gradients_for_a_dict_of_inputs(m):
    x, unused = leaf(m, 1, 2), leaf(m, 3)
    grad = m.autograd.grad
    yield grad((x * 2).sum(), {"x": x}), attempt(grad, (x * 2).sum(), {"x": 3}), attempt(grad, x.sum(), types.MappingProxyType({"x": x}))
    yield grad((x * 2).sum(), {"x": x, "unused": unused}, allow_unused=True), grad(x.sum(), {"unused": unused}, materialize_grads=True)
    m.autograd.backward((x * 2).sum(), inputs={"x": x})
    yield x.grad


@programs
def gradients_of_what_has_none_can_be_left_out(m):
    class Two(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            a, b = x.clone(), x.clone()
            ctx.mark_non_differentiable(b)
            ctx._materialize_non_diff_grads = False
            return a, b

        @staticmethod
        def backward(ctx, grad, other):
            assert other is None
            return grad

    x = leaf(m, 1)
    Two.apply(x)[0].sum().backward()
    yield x.grad


@programs
def views_by_custom_functions_say_so_without_history_too(m):
    class View(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view_as(x)

        @staticmethod
        def backward(ctx, grad):
            return grad

    def write(view):
        view += leaf(m, 1)

    yield attempt(write, View.apply(m.ones(2)))
    base = leaf(m, 1, 2).clone()
    with m.no_grad():
        view = View.apply(base)
    yield attempt(write, view)
    with m.no_grad():
        view.add_(1)
        yield view, base


@programs
def saved_tensors_that_were_detached_in_place_raise(m):
    x = leaf(m, 1).clone()
    y = x.sin()
    x.detach_()
    yield attempt(lambda: y.sum().backward())
    x = leaf(m, 1)
    z = x.clone()
    y = z.exp()
    z.detach_()
    y.sum().backward()
    yield x.grad


@programs
def hooks_see_no_numbers(m):
    seen = []
    with m.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t) or t, lambda t: t):
        x = leaf(m, 1)
        y = (x * 3).sum()
    y.backward()
    yield seen, x.grad


@programs
def materialized_gradients_can_be_differentiated(m):
    x, a = leaf(m, 1), leaf(m, 2)
    (first,) = m.autograd.grad((x * a).sum(), x, create_graph=True)
    (second,) = m.autograd.grad(first.sum(), x, create_graph=True, materialize_grads=True)
    yield second, m.autograd.grad(second.sum(), x, materialize_grads=True)


@programs
def other_memory_is_another_leaf(m):
    x = leaf(m, 1, 2, 3)
    edge = m.autograd.graph.get_gradient_edge(x)
    out = (x * 2).sum()
    with m.no_grad():
        x.set_(m.ones(2))
    yield attempt(lambda: m.autograd.grad(out, x, retain_graph=True))
    yield m.autograd.grad(out, edge)
    (x * 3).sum().backward()
    yield x.grad


@programs
def gradients_of_products_with_zeros_and_infinities(m):
    inf, nan = float("inf"), float("nan")
    for values in ([1, 2, 3], [0, 2, 3], [0, 0, 3], [0, 0, 0], [inf, 2, 3], [inf, 0, 3], [inf, 0, 0], [nan, 2, 3], [0], [1e200, 1e200, 1e-200]):
        x = m.tensor([float(v) for v in values], dtype=m.float64, requires_grad=True)
        for product in (lambda x: x.prod(), lambda x: x.prod(0), lambda x: x.prod(-1, True)):
            yield values, m.autograd.grad(product(x), x)
            with m.autograd.forward_ad.dual_level():
                dual = m.autograd.forward_ad.make_dual(x.detach(), m.arange(1.0, 1.0 + len(values), dtype=m.float64))
                yield m.autograd.forward_ad.unpack_dual(product(dual)).tangent
    for values in ([[1, 0, 3], [0, 0, 2], [4, 5, 6]], [[1, 2], [3, 4]]):
        x = m.tensor([[float(v) for v in row] for row in values], dtype=m.float64, requires_grad=True)
        z = m.complex(x, x.detach() / 2)
        for product in (lambda x: x.prod(), lambda x: x.prod(0), lambda x: x.prod(1), lambda x: x.cumprod(0), lambda x: x.cumprod(-1)):
            for one in (x, z):
                (first,) = m.autograd.grad(product(one).abs().pow(2).sum(), x, create_graph=True)
                yield first, m.autograd.grad(first.sum(), x)
    x = leaf(m, 1, 2, 0)
    yield m.autograd.grad(x.prod(dtype=m.float64), x), m.autograd.grad(x.cumprod(0, dtype=m.float64).sum(), x)


@programs
def the_engine_runs_the_inputs_that_are_asked_for(m):
    a, b = leaf(m, 1), leaf(m, 2)
    c = a * b
    leaf_node, _ = c.grad_fn.next_functions[0]
    other, _ = c.grad_fn.next_functions[1]
    seen = []
    run = m._C._will_engine_execute_node if hasattr(m, "_C") else m._core._will_engine_execute_node
    d, e = c.exp(), c.sin()
    c.register_hook(lambda g: seen.append([run(node) for node in (leaf_node, other, c.grad_fn, d.grad_fn, e.grad_fn)]))
    m.autograd.backward(d.sum(), inputs=(a, c), retain_graph=True)
    d.sum().backward()
    yield seen, attempt(lambda: run(leaf_node))


@programs
def numbers_of_tensors_that_need_gradients(m):
    x, s = m.ones(2), m.tensor(2.0, requires_grad=True)
    m.set_warn_always(True)
    yield [warned(f, s) for f in (float, int, complex, bool)], warned(lambda: s.item())
    m.set_warn_always(False)
    for call in (
        lambda: m.full((2,), s),
        lambda: x.clamp(0, s),
        lambda: m.add(x, x, alpha=s),
        lambda: m.nn.functional.leaky_relu(x, s),
        lambda: m.nn.functional.softplus(x, s),
        lambda: m.nn.functional.layer_norm(x, (2,), eps=s),
        lambda: m.arange(s),
        lambda: x[s],
    ):
        yield attempt(call).partition(":")[0]
    yield m.full((2,), s.detach()), str(attempt(m.ops.aten.add, x, x, alpha=s)).partition("\n")[0]


@programs
def warnings_that_come_once(m):
    def twice(call):
        m.set_warn_always(True)
        found = [warned(call)[1] for _ in range(2)]
        m.set_warn_always(False)
        return found

    x = leaf(m, 1)
    yield twice(lambda: (x * x).sum().backward(create_graph=True))
    x.grad = None
    for shape in ((), (2,), (2, 3, 4)):
        t = m.ones(shape)
        yield [twice(lambda t=t, name=name: getattr(t, name).shape) for name in (("T", "mT", "H", "mH") if not shape else ("T",))]
    yield twice(lambda: m.ones(1, dtype=m.complex64).float()), twice(lambda: m.meshgrid(m.ones(1), m.ones(1)))


@programs
def in_place_leaky_activations_refuse_negative_slopes(m):
    F = m.nn.functional
    for function, arguments in ((F.leaky_relu_, (-2,)), (F.rrelu_, (-5.0, 1.0)), (F.elu_, (-2,)), (F.celu_, (-2,))):
        y = function(leaf(m, -1, 1).clone(), *arguments)
        yield y.grad_fn.name(), str(attempt(y.sum().backward)).partition(" backward calculation")[0]


@programs
def errors_about_what_is_no_tensor(m):
    x = leaf(m, 1)
    for call in (
        lambda: m.autograd.grad("a", x),
        lambda: m.autograd.grad(x.sum(), "a"),
        lambda: m.autograd.graph.increment_version(3),
        lambda: m.nn.functional.embedding(m.zeros(1), m.ones(2, 2)),
        lambda: setattr(x, "grad", m.ones(1, dtype=m.int64)),
    ):
        yield str(attempt(call)).partition(", but got")[0][:60]
    yield x.name


@programs
def negative_bases_of_complex_powers(m):
    base = m.tensor([-1.0, -2.0], dtype=m.float64)
    exponent = m.tensor([0.5 + 1j, -0.5 + 0.2j], dtype=m.complex128, requires_grad=True)
    yield m.autograd.grad(m.pow(base, exponent).abs().sum(), exponent)


@programs
def tangents_of_views_must_be_views_of_the_given_ones(m):
    f = m.autograd.forward_ad

    class View(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, make):
            ctx.make = make
            return x.narrow(0, 0, 1)

        @staticmethod
        def jvp(ctx, tangent, _):
            return ctx.make(tangent)

    for make in (
        lambda t: t.narrow(0, 0, 1),
        lambda t: t[:1].clone(),
        lambda t: t[:1].clone().view(1),
    ):
        with f.dual_level():
            dual = f.make_dual(m.ones(2), m.ones(2))
            for value in (dual, dual.view(2)):
                made = attempt(View.apply, value, make)
                yield made if isinstance(made, str) else f.unpack_dual(made).tangent


@programs
def tangents_are_written_in_place_by_functions_that_write(m):
    f = m.autograd.forward_ad

    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, in_place):
            ctx.mark_dirty(x)
            ctx.in_place = in_place
            return x.mul_(2)

        @staticmethod
        def jvp(ctx, tangent, _):
            return tangent.mul_(2) if ctx.in_place else tangent * 2

    for in_place in (True, False):
        with f.dual_level():
            dual = f.make_dual(m.ones(2), m.ones(2))
            made = attempt(Double.apply, dual, in_place)
            yield made if isinstance(made, str) else f.unpack_dual(made).tangent


@programs
def tangents_get_the_memory_of_their_values(m):
    f = m.autograd.forward_ad
    with f.dual_level():
        part, tangent = m.ones(5)[:4], m.ones(4)
        dual = f.make_dual(part.detach(), tangent)
        f.unpack_dual(dual).tangent.mul_(2)
        yield tangent, f.unpack_dual(dual.as_strided((5,), (1,), 0)).tangent
        yield repr(dual), repr(f.unpack_dual(dual).primal)
        z, t = m.ones(2, dtype=m.complex64).conj(), m.ones(2, dtype=m.complex64)
        dual = f.make_dual(z, t)
        yield f.unpack_dual(dual).tangent is t, f.unpack_dual(dual).tangent.is_conj(), m.real(f.unpack_dual(dual).tangent)


@programs
def views_can_be_made_of_other_bases(m):
    x = m.arange(6.0)
    for view in (x[1:3], x.view(2, 3)[:, 1], x.unbind()[2]):
        yield view._view_func(x + 10)
    yield m.ones(2, dtype=m.complex64).real._view_func(m.zeros(2, dtype=m.complex64))


@programs
def older_names_of_tensors(m):
    x = m.ones(2, 3, dtype=m.float64)
    yield x.new(2, 3).shape, x.new(m.Size([4])).shape, x.new().shape, x.new([1, 2]), x.new(x).data_ptr() == x.data_ptr()
    yield attempt(lambda: x.new("a")), x.volatile, x._grad_fn, leaf(m, 1).exp()._grad_fn
    yield attempt(lambda: delattr(x, "_grad_fn"))


@programs
def shapes_for_the_errors_of_gradients(m):
    yield m.autograd._calculate_shape(m.ones(2, 3), m.ones(4, 2, 3), True) if hasattr(m.autograd, "_calculate_shape") else ((2, 3), (2, 3))


@programs
def logged_backward(m):
    found = []

    class Keep(logging.Handler):
        def emit(self, record):
            found.append(record.getMessage().partition(" object")[0])

    logger = logging.getLogger("torch.autograd.graph")
    handler, level = Keep(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        a = leaf(m, 1, 2)
        m.autograd.backward((a.mul(2).sum(),))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    yield found


@programs
def saved_tensors_that_are_asked_for_once(m):
    class Once(m.autograd.Function):
        clear_saved_tensors_on_access = True

        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, grad):
            x, y = ctx.saved_tensors
            return grad * y, grad * x

    x, y = leaf(m, 2), leaf(m, 3)
    z = Once.apply(x, y)
    yield m.autograd.grad(z.sum(), (x, y), retain_graph=True)
    yield attempt(lambda: m.autograd.grad(z.sum(), (x, y))), attempt(lambda: z.grad_fn.saved_tensors), z.grad_fn._raw_saved_tensors


@programs
def gradients_in_a_list_can_be_freed(m):
    class Boxed(m.autograd.Function):
        boxed_grads_call = True

        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, grads):
            reference = weakref.ref(grads[0])
            del grads[0]
            freed.append(reference() is None)
            return grads[0] * 3

    freed = []
    x = leaf(m, 1)
    a, b = Boxed.apply(x)
    (a.exp() + b.exp()).sum().backward()
    yield x.grad, freed, a.grad_fn.apply(m.ones(2), m.ones(2))


@programs
def hooks_that_come_while_a_node_runs(m):
    seen = []

    def unpack(tensor):
        m._C._current_autograd_node().register_hook(lambda made, given: seen.append((made, given)))
        return tensor

    x = leaf(m, 1)
    with m.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, unpack):
        y = x.sin()
    y.sum().backward()
    yield seen


@programs
def the_operator_for_tests_of_formulas(m):
    x = leaf(m, 1, 2)
    m._test_autograd_multiple_dispatch(x).backward(m.ones(2) * 3)
    yield x.grad
    x.grad = None
    m._test_autograd_multiple_dispatch(x, True).backward(m.ones(2) * 3)
    yield x.grad


@programs
def views_without_a_history_that_can_be_told_print(m):
    base = leaf(m, 1, 2).clone()
    with m.no_grad():
        view = base[:]
        view *= 2
    yield repr(view), attempt(lambda: view.grad_fn)
    base = leaf(m, 1, 2).clone()
    with m.inference_mode():
        view = base[:]
    base.mul_(2)
    yield repr(view)


@programs
def functional_basis(m):
    from_ = m.autograd.functional._construct_standard_basis_for
    yield from_((m.ones(2), m.ones(()), m.ones(1, 1)), (2, 1, 1))


@pytest.mark.oracle
@pytest.mark.parametrize("name", list(programs))
def test_programs_do_what_they_do_in_pytorch(name):
    pytest.importorskip("torch")
    programs.compare(name)


# ------------------------------------------------------------------------------------------------------------ the engine


def test_delayed_errors_raise_where_backward_goes_through_them():
    x, y = leaf(rt, 1), leaf(rt, 2)
    a, b = DelayedError("Boom!", 2)(x, y)
    assert a.grad_fn is b.grad_fn and a.grad_fn.name() == "torch::autograd::Error"
    with pytest.raises(RuntimeError, match="Boom!"):
        (a * 2).sum().backward()
    assert rt.autograd.grad((a * b).sum(), a)[0].item() == 2
    with pytest.raises(RuntimeError, match="expects 2 tensors"):
        DelayedError("Boom!", 2)(x)
    with pytest.raises(TypeError, match="for tensors only"):
        DelayedError("Boom!", 1)(3)


def test_the_order_of_nodes_is_known_before_they_run():
    found = []

    def backward(threads):
        y = leaf(rt, 1).clone()
        z = y.sin() * y.cos()
        z.register_hook(lambda grad: found.append([node.name() for node in _current_graph_task_execution_order()]))
        with rt.autograd.set_multithreading_enabled(threads):
            z.sum().backward()

    backward(False)
    assert found == [["MulBackward0", "CosBackward0", "SinBackward0", "CloneBackward0", "torch::autograd::AccumulateGrad"]]
    with pytest.raises(RuntimeError, match="executed with multithreading disabled"):
        backward(True)
    with pytest.raises(RuntimeError, match="during the backward pass"):
        _current_graph_task_execution_order()


def test_saved_tensors_unpack_themselves():
    x = leaf(rt, 1)
    assert rt._core.SavedTensor(x).unpack() is x
    y = x.clone()
    saved = rt._core.SavedTensor(y)
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        saved.unpack()
    with saved_tensors_hooks(lambda t: t.tolist(), rt.tensor):
        assert rt._core.SavedTensor(rt.ones(2)).unpack().tolist() == [1, 1]


def test_objects_are_kept_for_threads():
    core = rt._core
    core._stash_obj_in_tls("name", [3])
    assert core._is_key_in_tls("name") and core._get_obj_in_tls("name") == [3]
    assert not core._is_key_in_tls("other")
    with pytest.raises(RuntimeError, match="nothing under the name 'other'"):
        core._get_obj_in_tls("other")


def test_traced_arguments_are_there_only_while_a_call_is_reported():
    with pytest.raises(RuntimeError, match="no call is being reported"):
        rt._core._traced_arguments()


def test_views_of_nothing_have_no_function():
    with pytest.raises(RuntimeError, match="can only be called on Tensors that are views"):
        rt.ones(2)._view_func(rt.ones(2))
    with pytest.raises(TypeError, match="must be Tensor, not int"):
        rt.ones(2)[:1]._view_func(3)


def test_saved_tensors_are_made_of_tensors():
    with pytest.raises(RuntimeError, match="from Python is forbidden"):
        rt._core.SavedTensor()
    with pytest.raises(TypeError, match="must be Tensor, not int"):
        rt._core.SavedTensor(3)


def test_settings_for_other_machines_are_checked():
    graph = rt.autograd.graph
    graph.set_override_stale_capture_stream(True)
    with pytest.raises(TypeError, match="enabled must be bool"):
        graph.set_override_stale_capture_stream(1)
    for value, error in ((0.5, RuntimeError), (2, ValueError), ("x", TypeError)):
        with pytest.raises(error, match="region_activation_memory_budget"):
            graph.region_activation_memory_budget(value)


def test_batches_go_one_by_one():
    vmap = compat.resolve("torch._vmap_internals._vmap")
    x = rt.arange(6.0).view(2, 3)
    assert vmap(lambda a, b: (a * b, a), in_dims=(1, None), out_dims=1)(x, 2)[0].tolist() == (x * 2).tolist()
    with pytest.raises(ValueError, match="same size in the mapped dimension"):
        vmap(lambda a, b: a)(x, rt.ones(3))
    with pytest.raises(ValueError, match="must return tensors"):
        vmap(lambda a: 3)(x)


def test_nested_tangents_are_refused_still():
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(rt.ones(2), rt.ones(2))
        with pytest.raises(RuntimeError, match="already has a forward gradient"):
            forward_ad.make_dual(dual, rt.ones(2))


# ------------------------------------------------------------------------------------------------ what tests are made of


def test_tensor_types_are_dtypes_of_the_cpu():
    types = compat.resolve("torch.FloatTensor"), compat.resolve("torch.LongTensor")
    x = rt.ones(2)
    assert isinstance(x, types[0]) and not isinstance(x, types[1])
    assert not isinstance(rt.ones(2, device="meta"), types[0])
    assert types[1](2, 3).dtype == rt.int64 and types[1]([1, 2]).tolist() == [1, 2]
    assert isinstance(x.type(types[1]), types[1]) and x.type(types[0]) is x
    with pytest.raises(RuntimeError, match="expects device type: cpu"):
        types[0](2, device="meta")


def test_groups_of_dtypes():
    assert dtypes.floating_types_and(rt.half) == (rt.float32, rt.float64, rt.float16)
    assert dtypes.floating_types() + (rt.half,) == dtypes.floating_types_and_half()
    assert rt.bool in dtypes.get_all_dtypes() and rt.bool not in dtypes.all_types_and_complex()
    with pytest.raises(AssertionError, match="Expected dtype"):
        dtypes.all_types_and(3)


def test_gradchecks_of_the_harness_are_fast_and_batched(monkeypatch):
    seen = []
    monkeypatch.setattr(rt.autograd, "gradcheck", lambda fn, inputs, **options: seen.append(options))
    common_utils.gradcheck(None, ())
    common_utils.gradcheck(None, (), fast_mode=None, check_batched_grad=False)
    assert seen == [{"check_batched_grad": True, "fast_mode": True}, {"check_batched_grad": False, "fast_mode": True}]


def test_helpers_of_tests():
    x = rt.rand(2, 3, requires_grad=True)
    spread = common_utils.noncontiguous_like(x)
    assert not spread.is_contiguous() and spread.tolist() == x.tolist() and spread.requires_grad
    assert common_utils.is_iterable_of_tensors([x]) and not common_utils.is_iterable_of_tensors(x)
    assert common_utils.is_iterable_of_tensors([], include_empty=True) and not common_utils.is_iterable_of_tensors(3)
    assert op_db.mask_not_all_zeros((1,)).tolist() == [True]
    assert rt.linalg.matrix_rank(common_utils.random_square_matrix_of_rank(4, 2)).item() == 2
    a = common_utils.random_symmetric_matrix(3, 2)
    assert a.shape == (2, 3, 3) and a.equal(a.mT)
    assert (rt.linalg.eigvalsh(common_utils.random_symmetric_psd_matrix(3)) > -1e-9).all()
    full = common_utils.make_fullrank_matrices_with_distinct_singular_values(2, 3, 4, device="cpu", dtype=rt.float64)
    assert rt.linalg.svdvals(full).diff().abs().min() > 0.3
    with common_utils.TemporaryFileName() as name, open(name, "w") as file:
        file.write("x")
    with common_utils.set_default_tensor_type(rt.float64):
        assert rt.ones(1).dtype == rt.float64


def test_settings_are_kept_and_put_back():
    with common_utils.set_warn_always_context(True):
        assert settings.is_warn_always_enabled()
    assert not settings.is_warn_always_enabled()
    with common_utils.DeterministicGuard(True, warn_only=True):
        assert settings.are_deterministic_algorithms_enabled() and settings.is_deterministic_algorithms_warn_only_enabled()
    assert not settings.are_deterministic_algorithms_enabled()
    with pytest.raises(TypeError, match="takes a bool"):
        settings.set_warn_always(1)


def test_retries_end_in_the_error_or_a_skip():
    calls = []

    def fail():
        calls.append(1)
        raise OSError("no")

    with pytest.raises(OSError):
        common_utils.retry(OSError, tries=3, delay=0)(fail)()
    assert len(calls) == 3
    with pytest.raises(unittest.SkipTest):
        common_utils.retry(OSError, tries=1, delay=0, skip_after_retries=True)(fail)()


def test_tests_of_logs_get_the_records():
    class Case(logging_utils.LoggingTestCase):
        @logging_utils.make_logging_test(autograd=logging.DEBUG)
        def test_one(self, records):
            rt.autograd.backward(leaf(rt, 1).exp().sum())
            self.assertTrue(self.hasRecord(records, "ExpBackward0"))
            self.assertIn("SumBackward0", self.getRecord(records, "SumBackward0").getMessage())

    result = unittest.TestResult()
    Case("test_one").run(result)
    assert result.wasSuccessful(), result.failures + result.errors
    with pytest.raises(NotImplementedError, match="nothing logs as"):
        logging_utils.make_logging_test(dynamo=logging.DEBUG)


def test_device_types_can_be_left_out_by_the_environment(monkeypatch):
    monkeypatch.setenv(device_type.PYTORCH_TESTING_DEVICE_EXCEPT_FOR_KEY, "cpu")
    assert device_type.get_all_device_types() == []
    with pytest.raises(ValueError, match="KB, MB, GB or TB"):
        device_type.largeTensorTest("12XB")


@pytest.mark.oracle
def test_views_say_how_they_came_to_be():
    torch = pytest.importorskip("torch")
    for m, names in ((torch, torch._C._autograd), (rt, views)):
        base = leaf(m, 1, 2).clone()
        with m.no_grad():
            unrecorded = base[0]
        with m.inference_mode():
            inferred = base[0]
        views_of_it = (base[0], unrecorded, inferred, base.unbind()[0])
        metas = [names._get_creation_meta(view).name for view in views_of_it]
        assert metas == ["DEFAULT", "NO_GRAD_MODE", "INFERENCE_MODE", "MULTI_OUTPUT_NODE"]
        names._set_creation_meta(unrecorded, names.CreationMeta.MULTI_OUTPUT_NODE)
        with pytest.raises(RuntimeError, match="multiple views|created in no_grad mode"):
            unrecorded.add_(1)
        with pytest.raises(RuntimeError):
            names._get_creation_meta(base)
    with pytest.raises(ValueError, match="there is no number 9"):
        rt._core._creation_meta(rt.ones(2)[0], 9)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1:, ::2],
        lambda x: x.t(),
        lambda x: x.expand(3, 4, 4),
        lambda x: x.diagonal(),
        lambda x: rt.view_as_complex(x.view(4, 2, 2)),
    ],
)
def test_views_go_back_to_bases_of_the_same_geometry(view):
    base = rt.arange(16.0).reshape(4, 4).clone()
    made = view(base)
    other = made.detach()
    back = made._rev_view_func_unsafe(other)
    assert (back.shape, back.stride(), back.storage_offset(), back.dtype) == (base.shape, base.stride(), 0, base.dtype)
    assert back._base is other and back.equal(base)
    with pytest.raises(RuntimeError, match="only be called on Tensors that are views"):
        base._rev_view_func_unsafe(other)


def test_warnings_come_once_unless_they_are_asked_for_each_time():
    message = "said by a test of warnings that come once"
    seen = []
    for always in (True, True, False, False, True, False):
        settings.set_warn_always(always)
        seen.append(len(warned(settings.warn_once, message)[1]))
    settings.set_warn_always(False)
    assert seen == [1, 1, 1, 0, 1, 0]


def test_hooks_of_leaves_can_be_read_and_removed():
    x = leaf(rt, 1)
    assert x._post_accumulate_grad_hooks is None
    x.register_post_accumulate_grad_hook(lambda t: None)
    assert len(x._post_accumulate_grad_hooks) == 1
    x._post_accumulate_grad_hooks = None
    assert x._post_accumulate_grad_hooks is None
    with pytest.raises(TypeError, match="must be a dict or None"):
        x._post_accumulate_grad_hooks = 3


def test_classes_of_nodes_are_found_by_name():
    assert compat.resolve("torch._C._functions.ExpBackward0") is type(leaf(rt, 1).exp().grad_fn)
    assert compat.state("torch._C._functions.NobodysBackward0") != "works"


def test_the_innermost_hooks_can_be_asked_for():
    hooks = (lambda t: t, lambda t: t)
    assert rt._core._top_saved_tensors_default_hooks() is None
    with saved_tensors_hooks(*hooks):
        assert rt._core._top_saved_tensors_default_hooks() == hooks


@pytest.mark.parametrize("make", [lambda: rt.zeros(2, device="cuda"), lambda: rt.ones(1).to("cuda"), lambda: rt.tensor(1, device="cuda:0")])
def test_tensors_on_a_gpu_are_both_of_pytorchs_errors(make):
    with pytest.raises(AssertionError, match="^Torch not compiled with CUDA enabled"):
        make()
    with pytest.raises(NotImplementedError, match="Could not run 'aten::empty"):
        make()


@pytest.mark.parametrize(
    "name",
    [
        "torch.autograd._functions.Resize",
        "torch.autograd.profiler_util.EventList",
        "torch.utils.checkpoint.create_selective_checkpoint_contexts",
        "torch.testing._internal.common_dtype.floating_types_and",
        "torch.testing._internal.common_device_type.dtypesIfMPS",
        "torch.testing._internal.common_utils.scoped_load_inline",
        "torch._C._functions.DelayedError",
        "torch._C._WeakTensorRef",
        "torch.accelerator.is_available",
        "torch.version.cuda",
    ],
)
def test_names_that_the_test_imports_work(name):
    compat.resolve(name)
    assert compat.state(name) == "works"


def test_resized_tensors_keep_their_gradients():
    resize = compat.resolve("torch.autograd._functions.Resize")
    x = rt.arange(6.0, requires_grad=True)
    resize.apply(x, (2, 3)).sum().backward()
    assert x.grad.shape == (6,)
    with pytest.raises(RuntimeError, match="can only change the shape"):
        resize.apply(x, (4,))
