"""Recurrent networks beside PyTorch's: layers, directions, projections, packed sequences; the layers by cells."""

import numpy as np
import pytest

import runtime

MODES = ["lstm", "gru", "rnn_tanh", "rnn_relu"]
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def weights(rng, mode, layers, directions, size, hidden, biases, projection):
    """Arrays of the parameters in the operators' order."""
    gates, out = GATES[mode] * hidden, projection or hidden
    made = []
    for layer in range(layers):
        width = size if layer == 0 else out * directions
        for _ in range(directions):
            shapes = [(gates, width), (gates, out)] + [(gates,)] * 2 * biases + [(out, hidden)] * bool(projection)
            made += [rng.standard_normal(s).astype(np.float32) / 2 for s in shapes]
    return made


def run(m, mode, arrays, params, options, sizes=None):
    """An operator's results as arrays."""
    tensors = [m.tensor(a) for a in arrays]
    states = tensors[1:] if mode == "lstm" else tensors[1]
    data = [tensors[0]] + ([] if sizes is None else [m.tensor(sizes)])
    results = getattr(m, mode)(*data, states, [m.tensor(p) for p in params], *options)
    return [np.array(r.tolist()) for r in results]


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("layers", "directions", "biases", "projection"), [(1, 1, True, 0), (2, 2, True, 0), (2, 1, False, 0), (2, 2, True, 2)])
def test_layers_give_what_pytorch_gives(mode, packed, layers, directions, biases, projection):
    torch = pytest.importorskip("torch")
    if projection and mode != "lstm":
        return
    rng = np.random.default_rng(0)
    batch, steps, size, hidden = 3, 5, 4, 3
    params = weights(rng, mode, layers, directions, size, hidden, biases, projection)
    sizes = [3, 3, 2, 1] if packed else None
    shape = (sum(sizes), size) if packed else (steps, batch, size)
    shapes = [(layers * directions, batch, projection or hidden)] + [(layers * directions, batch, hidden)] * (mode == "lstm")
    arrays = [rng.standard_normal(s).astype(np.float32) for s in (shape, *shapes)]
    options = [biases, layers, 0.0, False, directions == 2] + ([] if packed else [False])
    for ours, theirs in zip(run(runtime, mode, arrays, params, options, sizes), run(torch, mode, arrays, params, options, sizes), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_layer_runs_its_cell_along_the_sequence(mode):
    rng = np.random.default_rng(1)
    params = [runtime.tensor(p) for p in weights(rng, mode, 1, 1, 4, 3, True, 0)]
    x = runtime.tensor(rng.standard_normal((2, 5, 4)).astype(np.float32))
    state = (runtime.zeros(2, 3), runtime.zeros(2, 3))
    first = [s.unsqueeze(0) for s in state]
    output, *last = getattr(runtime, mode)(x, first if mode == "lstm" else first[0], params, True, 1, 0.0, False, False, True)
    for t in range(5):
        made = getattr(runtime, f"{mode}_cell")(x[:, t], list(state) if mode == "lstm" else state[0], *params)
        state = made if mode == "lstm" else (made,)
        runtime.testing.assert_close(output[:, t], state[0])
    runtime.testing.assert_close(last[0][0], state[0])


def test_dropout_between_layers_only_when_training():
    params = [runtime.tensor(p) for p in weights(np.random.default_rng(2), "gru", 2, 1, 4, 3, True, 0)]
    x, h = runtime.ones(5, 2, 4), runtime.zeros(2, 2, 3)
    whole, dropped, kept = (runtime.gru(x, h, params, True, 2, p, train, False, False)[0] for p, train in ((0.0, True), (1.0, True), (1.0, False)))
    assert runtime.equal(whole, kept)
    assert not runtime.equal(whole, dropped)


def test_packing_and_padding_undo_each_other():
    x = runtime.arange(12.0).reshape(4, 3)  # four steps of three sequences
    lengths = runtime.tensor([4, 2, 1])
    data, sizes = runtime._pack_padded_sequence(x.unsqueeze(-1), lengths, False)
    assert data.squeeze(-1).tolist() == [0, 1, 2, 3, 4, 6, 9]
    assert sizes.tolist() == [3, 2, 1, 1]
    padded, back = runtime._pad_packed_sequence(data, sizes, True, -1.0, 5)
    assert padded.squeeze(-1).tolist() == [[0, 3, 6, 9, -1], [1, 4, -1, -1, -1], [2, -1, -1, -1, -1]]
    assert back.tolist() == [4, 2, 1]


def test_lengths_that_do_not_fall_are_refused():
    with pytest.raises(RuntimeError, match="decreasing order"):
        runtime._pack_padded_sequence(runtime.ones(3, 2, 1), runtime.tensor([1, 2]), False)
    with pytest.raises(RuntimeError, match="greater than 0"):
        runtime._pack_padded_sequence(runtime.ones(3, 2, 1), runtime.tensor([1, 0]), False)
