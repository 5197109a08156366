"""The graph for users: edges, hooks on what is saved, hooks of several tensors, versions."""

import pickle

import pytest

import runtime as rt
from runtime.autograd import Function, graph


def leaf(*values):
    return rt.tensor(list(values), requires_grad=True)


def test_nodes_of_operators_leaves_and_custom_functions_are_nodes():
    class Same(Function):
        forward = staticmethod(lambda ctx, x: x.clone())
        backward = staticmethod(lambda ctx, g: g)

    x = leaf(1.0)
    for tensor in (x * 2, Same.apply(x)):
        assert isinstance(tensor.grad_fn, graph.Node)
    assert isinstance(graph.get_gradient_edge(x).node, graph.Node)


def test_edges_stand_for_tensors_in_grad_and_backward():
    x = leaf(2.0, 3.0)
    y = x * x
    a, b = y.unbind()
    edge = graph.get_gradient_edge(b)
    assert edge.node is b.grad_fn and edge.output_nr == 1
    assert rt.autograd.grad(b * 3, edge, retain_graph=True)[0].tolist() == 3.0
    assert rt.autograd.grad(edge, x, rt.tensor(1.0), retain_graph=True)[0].tolist() == [0.0, 6.0]
    rt.autograd.backward((a * b), inputs=graph.get_gradient_edge(x))
    assert x.grad.tolist() == [36.0, 24.0]


def test_tensors_without_gradients_have_no_edge():
    with pytest.raises(RuntimeError, match="It is not possible to get the gradient edge for a Tensor that does not require gradients"):
        graph.get_gradient_edge(rt.ones(2))


def test_hooks_pack_what_is_saved():
    packed = []

    def pack(tensor):
        packed.append(tensor.tolist())
        return tensor.numpy().copy() if not tensor.requires_grad else tensor.detach().numpy().copy()

    x = leaf(2.0, 3.0)
    with graph.saved_tensors_hooks(pack, rt.from_numpy):
        y = x * x
        with graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: t * 10):
            z = y.exp()
    assert packed == [[2.0, 3.0], [2.0, 3.0]]
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 6.0]
    assert rt.allclose(z.grad_fn._saved_result, z * 10)


def test_save_on_cpu_keeps_devices_and_values():
    x = leaf(2.0, 3.0)
    with graph.save_on_cpu():
        y = x * x
    device, kept = y.grad_fn._raw_saved_self.data
    assert device == x.device and kept.tolist() == [2.0, 3.0]
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 6.0]


def test_hooks_can_be_forbidden():
    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), graph.saved_tensors_hooks(lambda t: t, lambda t: t):
            pass
        with graph.disable_saved_tensors_hooks("nor here"):
            pass
        with pytest.raises(RuntimeError, match="not here"), graph.save_on_cpu():
            pass
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        pass


def test_a_hook_of_several_tensors_waits_for_all_gradients_that_the_run_computes():
    a, b = leaf(1.0), leaf(2.0)
    c, d = a * b, a * b
    seen = []
    handle = graph.register_multi_grad_hook((a, b, c, d), lambda grads: seen.append([g is not None for g in grads]))
    c.sum().backward(retain_graph=True)
    c.sum().backward(inputs=(a,), retain_graph=True)
    assert seen == [[True, True, True, False], [True, False, True, False]]
    handle.remove()
    c.sum().backward()
    assert len(seen) == 2


def test_a_hook_of_any_gradient_runs_once_per_run():
    a, b = leaf(1.0), leaf(2.0)
    seen = []
    graph.register_multi_grad_hook((a, b, rt.ones(1)), seen.append, mode="any")
    for _ in range(2):
        (a * b).sum().backward()
    assert len(seen) == 2
    with pytest.raises(ValueError, match=r"Expects mode to be one of \('all', 'any'\) but got some"):
        graph.register_multi_grad_hook((a,), print, mode="some")


def test_saved_tensors_may_be_written_where_that_is_allowed():
    x = leaf(2.0, 3.0)
    with graph.allow_mutation_on_saved_tensors() as saved:
        y = x.clone()
        z = (y * y).sum() + y.exp().sum()
        y.zero_()
        y.view(-1).add_(1)
        z.backward()
        assert not saved.original or saved.cloned is not None
        with pytest.raises(RuntimeError, match="cannot be nested"), graph.allow_mutation_on_saved_tensors():
            pass
    assert rt.allclose(x.grad, 2 * rt.tensor([2.0, 3.0]) + rt.tensor([2.0, 3.0]).exp())


def test_backward_outside_of_the_block_that_allows_writing_is_refused():
    x = leaf(2.0)
    with graph.allow_mutation_on_saved_tensors():
        y = x.exp()
    with pytest.raises(AssertionError, match="Trying to backward outside of the 'allow_mutation_on_saved_tensors' context"):
        y.sum().backward()


def test_versions_can_be_counted_by_hand():
    x = leaf(2.0)
    y = x * 1
    z = y * y
    graph.increment_version(y)
    graph.increment_version([y, y])
    assert y._version == 3
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    with pytest.raises(TypeError, match="expect each element of the iterable to be a tensor"):
        graph.increment_version([1])


def test_handles_of_several_hooks_can_be_pickled():
    handle = graph._MultiHandle(())
    assert pickle.loads(pickle.dumps(handle)).handles == ()


def test_the_engine_can_be_run_through_variable():
    x = leaf(2.0, 3.0)
    y = (x * x).sum()
    engine = rt.autograd.Variable._execution_engine
    engine.run_backward((y,), (rt.tensor(1.0),), False, False, (), True, True)
    assert x.grad.tolist() == [4.0, 6.0] and engine.is_checkpoint_valid()
    variable = rt.autograd.Variable(x, requires_grad=True)
    assert isinstance(variable, rt.autograd.Variable) and variable.is_leaf and variable.data_ptr() == x.data_ptr()


def test_functions_of_the_graph_refuse_what_is_no_tensor():
    core = rt._core
    for name in ("_grad_fn_of", "_gradient_edge", "_get_accumulator", "_get_tangent", "_as_primal", "_tensor_retain_grad"):
        for value in ((), -1, None):
            with pytest.raises(TypeError):
                getattr(core, name)(value)
    for name in ("_tensor_register_hook", "_tensor_register_post_accumulate_grad_hook", "_tensor_view_func"):
        with pytest.raises(TypeError):
            getattr(core, name)((), rt.ones(1))


def test_the_private_name_of_grad_is_grad():
    x = leaf(1.0, 1.0)
    x._grad = rt.zeros(2)
    assert x.grad is x._grad
    x.sum().backward()
    assert x._grad.tolist() == [1.0, 1.0]
    del x._grad
    assert x.grad is None
