"""Helpers for training: clipping, vectors of parameters, packed and padded sequences, handles of hooks."""

import pickle
import warnings
from collections import OrderedDict

import numpy as np
import pytest

import runtime
from runtime import nn
from runtime.nn import utils
from runtime.utils.hooks import RemovableHandle


def parameters(m):
    rng = np.random.default_rng(0)
    made = []
    for shape in (3, 4), (5,), (2, 2):
        p = m.nn.Parameter(m.tensor(rng.standard_normal(shape).astype(np.float32)))
        p.grad = m.tensor(rng.standard_normal(shape).astype(np.float32))
        made.append(p)
    made[1].grad = None
    return made


@pytest.mark.oracle
@pytest.mark.parametrize("norm", [2.0, 1, 0.5, float("inf"), 0])
@pytest.mark.parametrize("largest", [0.3, 100.0])
def test_gradients_are_clipped_as_in_pytorch(norm, largest):
    torch = pytest.importorskip("torch")
    results = []
    for m in runtime, torch:
        params = parameters(m)
        total = m.nn.utils.clip_grad_norm_(iter(params), largest, norm)
        results.append([total.tolist(), *(p.grad.tolist() for p in params if p.grad is not None)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.oracle
def test_gradients_are_clamped_and_measured_as_in_pytorch():
    torch = pytest.importorskip("torch")
    results = []
    for m in runtime, torch:
        params = parameters(m)
        total = m.nn.utils.get_total_norm([p.grad for p in params if p.grad is not None], 3)
        m.nn.utils.clip_grads_with_norm_(params, 0.5, total)
        m.nn.utils.clip_grad_value_(params[2], 0.1)
        results.append([total.tolist(), *(p.grad.tolist() for p in params if p.grad is not None)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_norms_that_are_not_finite_are_refused_if_asked():
    p = parameters(runtime)[0]
    p.grad[0, 0] = float("inf")
    with pytest.raises(RuntimeError, match="The total norm of order 2.0 for gradients from `parameters` is non-finite"):
        utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert utils.clip_grad_norm_(p, 1.0).item() == float("inf")


def test_without_gradients_there_is_nothing_to_clip():
    assert utils.clip_grad_norm_([nn.Parameter(runtime.ones(2))], 1.0).item() == 0
    with pytest.warns(UserWarning, match="`parameters` is an empty generator"):
        utils.clip_grad_norm_((p for p in ()), 1.0)
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        utils.clip_grad_norm([], 1.0)
    utils.clip_grad_value_([nn.Parameter(runtime.ones(2))], 1.0)


def test_parameters_go_to_a_vector_and_back():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    vector = utils.parameters_to_vector(net.parameters()).detach()
    assert vector.shape == (13,)
    utils.vector_to_parameters(runtime.arange(13.0), net.parameters())
    assert net[0].weight.tolist() == [[0, 1], [2, 3], [4, 5]] and net[1].bias.tolist() == [12] and net[0].weight.requires_grad
    with pytest.raises(TypeError, match="expected torch.Tensor, but got"):
        utils.vector_to_parameters([1.0], net.parameters())


# ---- sequences


@pytest.mark.oracle
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_sequences_are_padded_and_packed_as_in_pytorch(batch_first, enforce_sorted):
    torch = pytest.importorskip("torch")
    lengths = [4, 2, 1] if enforce_sorted else [2, 4, 1]
    results = []
    for m in runtime, torch:
        rnn = m.nn.utils.rnn
        sequences = [m.arange(2.0 * n).reshape(n, 2) + 10 * i for i, n in enumerate(lengths)]
        padded = rnn.pad_sequence(sequences, batch_first, -1.0)
        left = rnn.pad_sequence(sequences, batch_first, padding_side="left")
        packed = rnn.pack_padded_sequence(padded, lengths if enforce_sorted else m.tensor(lengths), batch_first, enforce_sorted)
        again, found = rnn.pad_packed_sequence(packed, batch_first, 7.0, total_length=5)
        unpadded = rnn.unpad_sequence(padded.clone(), m.tensor(lengths), batch_first)
        parts = [padded, left, *packed, again, found, *unpadded, *rnn.unpack_sequence(packed)]
        results.append([None if t is None else t.tolist() for t in parts])
    assert results[0] == results[1]


def test_packed_sequences_convert_their_elements():
    packed = utils.rnn.pack_sequence([runtime.ones(2), runtime.ones(3)], enforce_sorted=False)
    assert packed.to(runtime.float32) is packed and not packed.is_cuda and not packed.is_pinned()
    for method in "double", "float", "half", "long", "int", "short", "char", "byte":
        converted = getattr(packed, method)()
        assert type(converted) is utils.rnn.PackedSequence and converted.sorted_indices is not None
    assert converted.data.dtype == runtime.uint8 and packed.cpu() is packed
    assert utils.rnn.PackedSequence((packed.data, packed.batch_sizes)).unsorted_indices is None


def test_sequences_that_do_not_fit_are_refused():
    rnn = utils.rnn
    with pytest.raises(RuntimeError, match="pad_sequence: Expected iterable for input sequences, but got arg of type: <class 'int'>"):
        rnn.pad_sequence(3)
    with pytest.raises(ValueError, match="total_length=1 and max sequence length being 2"):
        rnn.pad_packed_sequence(rnn.pack_sequence([runtime.ones(2)]), total_length=1)
    with pytest.raises(AssertionError, match="Expected data to be a list or tuple of length 2"):
        rnn.PackedSequence(runtime.ones(2))
    with pytest.raises(ValueError, match="batch_sizes should always be on CPU"):
        rnn.PackedSequence(runtime.ones(2), runtime.ones(2, device="meta"))


# ---- handles


def test_a_handle_removes_a_hook_and_what_is_said_about_it():
    hooks, flags = OrderedDict(), OrderedDict()
    with RemovableHandle(hooks, extra_dict=flags) as handle:
        hooks[handle.id] = flags[handle.id] = True
    assert hooks == flags == {}
    handle.remove()
    assert RemovableHandle(hooks).id > handle.id


def test_a_handle_can_be_pickled_with_its_dict():
    hooks = OrderedDict()
    handle = RemovableHandle(hooks)
    hooks[handle.id] = 1
    copied_hooks, copied = pickle.loads(pickle.dumps((hooks, handle)))
    copied.remove()
    assert copied_hooks == {} and hooks != {}
    lonely = RemovableHandle(OrderedDict())
    pickle.loads(pickle.dumps(lonely)).remove()


# ---- calls with other parameters


def tied(m):
    class Net(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = m.nn.Linear(1, 1, bias=False)
            self.b = m.nn.Linear(1, 1, bias=False)
            self.b.weight = self.a.weight
            self.register_buffer("n", m.zeros(1))

        def forward(self, x, add=0):
            self.n = self.n + 1
            return self.b(self.a(x)) + self.n + add

    return Net()


CALLS = """
call(net, {"a.weight": two}, x)
call(net, {"b.weight": two}, (x,))
call(net, ({"a.weight": two}, {"n": two[0]}), x, {"add": 1})
call(net, {"a.weight": two}, x, tie_weights=False)
call(net, {"a.weight": two, "n": two[0]}, x, strict=True)
call(net, {"a.weight": two, "b.weight": two + 1}, x)
call(net, {"a.weight": two, "c": two}, x, strict=True)
call(net, {"a.weight": two, "c": two}, x)
call(net, {"a.nothing": two}, x)
call(net, {"nothing.weight": two}, x)
call(net, [{"n": two}, {"n": two}], x)
call(net, [3], x)
call(net, 3, x)
""".strip().split("\n")


@pytest.mark.oracle
@pytest.mark.parametrize("expression", CALLS)
def test_a_module_is_called_with_other_tensors_as_in_pytorch(expression):
    torch = pytest.importorskip("torch")
    from runtime.nn.utils.stateless import functional_call

    results = []
    for m, call in (runtime, functional_call), (torch, torch.func.functional_call):
        net = tied(m)
        m.nn.init.constant_(net.a.weight, 3)
        weight = net.a.weight
        try:
            results.append(eval(expression, {"call": call, "net": net, "two": m.full((1, 1), 2.0), "x": m.ones(1)}).tolist())
        except Exception as error:
            results.append((type(error), str(error)))
        assert net.a.weight is weight and net.b.weight is weight and "nothing" not in dir(net.a)
    assert results[0] == results[1]


def test_what_a_call_assigns_goes_to_the_given_dict():
    from runtime.nn.utils.stateless import functional_call

    net, given = tied(runtime), {"n": runtime.full((1,), 5.0)}
    functional_call(net, given, runtime.ones(1))
    assert given["n"].item() == 6 and net.n.item() == 0


def test_weight_norm_splits_a_weight_and_joins_it_again():
    layer = nn.Linear(3, 2)
    weight, x = layer.weight.detach().clone(), runtime.randn(4, 3)
    expected = layer(x)
    with pytest.warns(FutureWarning, match="weight_norm"):
        assert nn.utils.weight_norm(layer) is layer
    assert sorted(layer.state_dict()) == ["bias", "weight_g", "weight_v"] and layer.weight_g.shape == (2, 1)
    runtime.testing.assert_close(layer(x), expected)
    layer.weight_g.data.mul_(2)
    runtime.testing.assert_close(layer(x) - layer.bias, 2 * (expected - layer.bias))
    layer(x).sum().backward()
    assert layer.weight_g.grad is not None and layer.weight_v.grad is not None
    with pytest.raises(RuntimeError, match="two weight_norm hooks"), pytest.warns(FutureWarning):
        nn.utils.weight_norm(layer)
    nn.utils.remove_weight_norm(layer)
    runtime.testing.assert_close(layer.weight.detach(), 2 * weight)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found"):
        nn.utils.remove_weight_norm(layer)


def test_spectral_norm_makes_the_largest_singular_value_one():
    for layer, x in ((nn.Linear(3, 4), runtime.randn(2, 3)), (nn.ConvTranspose1d(2, 3, 2), runtime.randn(1, 2, 5))):
        nn.utils.spectral_norm(layer, n_power_iterations=50)
        assert {"weight_orig", "weight_u", "weight_v"} <= set(layer.state_dict()) and "weight" not in layer.state_dict()
        layer(x).sum().backward()
        assert layer.weight_orig.grad is not None
        matrix = layer.weight.detach().movedim(1 if x.dim() == 3 else 0, 0).flatten(1)
        runtime.testing.assert_close(runtime.linalg.svdvals(matrix)[0], runtime.tensor(1.0), rtol=1e-3, atol=1e-3)
        layer.eval()
        before = layer.weight_u.clone()
        layer(x)
        assert runtime.equal(layer.weight_u, before)
        nn.utils.remove_spectral_norm(layer)
        assert isinstance(layer.weight, nn.Parameter) and sorted(layer.state_dict()) == ["bias", "weight"]


@pytest.mark.oracle
def test_normalized_weights_are_pytorchs():
    torch = pytest.importorskip("torch")
    values = runtime.randn(4, 3)
    ours, theirs = nn.Linear(3, 4, bias=False), torch.nn.Linear(3, 4, bias=False)
    for apply in ("weight_norm", "spectral_norm"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for layer, kind in ((ours, nn), (theirs, torch.nn)):
                getattr(kind.utils, apply)(layer)
        theirs.load_state_dict({key: torch.from_numpy(value.numpy().copy()) for key, value in ours.state_dict().items()})
        for _ in range(2):
            found, expected = ours(values), theirs(torch.from_numpy(values.numpy()))
            assert abs(found.detach().numpy() - expected.detach().numpy()).max() < 1e-5
        for kind, layer in ((nn, ours), (torch.nn, theirs)):
            getattr(kind.utils, f"remove_{apply}")(layer)
