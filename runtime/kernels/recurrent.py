"""Recurrent networks: cells, the layers that run them along sequences, and packed sequences.

Everything is made of other operators (linear, tanh, sigmoid, ...). A padded batch is (time, batch, feature); a packed one holds the steps
of all sequences one after the other, longest sequence first, and how many sequences reach each step.
"""

from runtime._core import dtype_names, ops
from runtime.kernels._common import scalar_name

aten = ops.aten


# ---- cells: one step
#
# A step gets the input's share of the gates, which a layer computes for all steps at once, and the state before.


def _lstm_step(gates, state, w_hh, b_hh, w_hr=None):
    h, c = state
    gates = aten.add.Tensor(gates, aten.linear.default(h, w_hh, b_hh))
    i, f, g, o = aten.chunk.default(gates, 4, -1)
    c = aten.add.Tensor(
        aten.mul.Tensor(aten.sigmoid.default(f), c), aten.mul.Tensor(aten.sigmoid.default(i), aten.tanh.default(g))
    )
    h = aten.mul.Tensor(aten.sigmoid.default(o), aten.tanh.default(c))
    return (h if w_hr is None else aten.linear.default(h, w_hr)), c


def _gru_step(gates, state, w_hh, b_hh, w_hr=None):
    (h,) = state
    r, z, n = aten.chunk.default(gates, 3, -1)
    hr, hz, hn = aten.chunk.default(aten.linear.default(h, w_hh, b_hh), 3, -1)
    reset, update = (aten.sigmoid.default(aten.add.Tensor(a, b)) for a, b in ((r, hr), (z, hz)))
    new = aten.tanh.default(aten.add.Tensor(n, aten.mul.Tensor(reset, hn)))
    return (aten.add.Tensor(aten.mul.Tensor(aten.sub.Tensor(h, new), update), new),)


def _simple_step(activation):
    def step(gates, state, w_hh, b_hh, w_hr=None):
        return (activation(aten.add.Tensor(gates, aten.linear.default(state[0], w_hh, b_hh))),)

    return step


_tanh_step = _simple_step(aten.tanh.default)
_relu_step = _simple_step(aten.relu.default)


def _check_cell(input, hx, w_ih, w_hh):
    if input.shape[-1] != w_ih.shape[-1]:
        raise RuntimeError(f"input has inconsistent input_size: got {input.shape[-1]} expected {w_ih.shape[-1]}")
    hidden = w_hh.shape[-1]
    for i, h in enumerate(hx):
        if input.shape[0] != h.shape[0]:
            raise RuntimeError(f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size {h.shape[0]}")
        if h.shape[-1] != hidden:
            raise RuntimeError(f"hidden{i} has inconsistent hidden_size: got {h.shape[-1]}, expected {hidden}")


def _cell(step, input, hx, w_ih, w_hh, b_ih, b_hh):
    _check_cell(input, hx, w_ih, w_hh)
    return step(aten.linear.default(input, w_ih, b_ih), hx, w_hh, b_hh)


def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    return _cell(_lstm_step, input, hx, w_ih, w_hh, b_ih, b_hh)


def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    return _cell(_gru_step, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    return _cell(_tanh_step, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    return _cell(_relu_step, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


# ---- layers


def _run_padded(step, input, state, weights, backwards):
    """One direction of one layer over (time, batch, feature): its outputs and its last state."""
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    steps = list(aten.unbind.int(aten.linear.default(input, w_ih, b_ih), 0))
    outputs = []
    for gates in reversed(steps) if backwards else steps:
        state = step(gates, state, w_hh, b_hh, w_hr)
        outputs.append(state[0])
    if backwards:
        outputs.reverse()
    return aten.stack.default(outputs, 0), state


def _run_packed(batch_sizes):
    """As `_run_padded`, over packed data: the sequences that a step reaches are the first ones of the batch."""

    def run(step, input, state, weights, backwards):
        w_ih, w_hh, b_ih, b_hh, w_hr = weights
        steps = list(aten.split_with_sizes.default(aten.linear.default(input, w_ih, b_ih), batch_sizes))
        outputs, ended = [], []
        if backwards:
            first, state = state, tuple(aten.narrow.default(s, 0, 0, batch_sizes[-1]) for s in state)
        for gates in reversed(steps) if backwards else steps:
            n, had = gates.shape[0], state[0].shape[0]
            if n > had:  # sequences that end here begin, from the state that was given
                state = tuple(aten.cat.default([s, aten.narrow.default(f, 0, had, n - had)]) for s, f in zip(state, first, strict=True))
            elif n < had:
                ended.append(tuple(aten.narrow.default(s, 0, n, had - n) for s in state))
                state = tuple(aten.narrow.default(s, 0, 0, n) for s in state)
            state = step(gates, state, w_hh, b_hh, w_hr)
            outputs.append(state[0])
        if backwards:
            outputs.reverse()
        ended.append(state)
        return aten.cat.default(outputs), tuple(aten.cat.default(list(parts)) for parts in zip(*reversed(ended), strict=True))

    return run


def _weights(params, has_biases, projected):
    """The weights of each layer and direction: (w_ih, w_hh, b_ih, b_hh, w_hr)."""
    each = 2 + 2 * has_biases + projected
    if len(params) % each:
        raise RuntimeError("got an incorrect number of RNN parameters")
    rows = []
    for i in range(0, len(params), each):
        row = list(params[i : i + each])
        w_hr = row.pop() if projected else None
        rows.append((*row, w_hr) if has_biases else (*row, None, None, w_hr))
    return rows


def _layers(step, run, input, states, weights, num_layers, dropout, train, bidirectional):
    """All layers: the last one's outputs, and the last states of each layer and direction, each stacked."""
    directions = 1 + bidirectional
    if len(weights) != num_layers * directions:
        raise RuntimeError("got an incorrect number of RNN parameters")
    for s in states:
        if s.shape[0] != num_layers * directions:
            raise RuntimeError(f"Expected more hidden states in stacked_rnn: got {s.shape[0]}, expected {num_layers * directions}")
    last = []
    for layer in range(num_layers):
        outputs = []
        for d in range(directions):
            at = layer * directions + d
            output, state = run(step, input, tuple(aten.select.int(s, 0, at) for s in states), weights[at], d == 1)
            outputs.append(output)
            last.append(state)
        input = outputs[0] if directions == 1 else aten.cat.default(outputs, -1)
        if dropout and train and layer < num_layers - 1:
            input = aten.dropout.default(input, dropout, True)
    return input, tuple(aten.stack.default(list(parts), 0) for parts in zip(*last, strict=True))


def _check_sequence(input, states):
    if input.dim() != 3:
        raise RuntimeError(f"RNN: Expected input to be 3-D, got {input.dim()}-D tensor")
    if input.shape[0] == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    for s in states:
        if s.dim() != 3 or s.shape[1] != input.shape[1]:
            raise RuntimeError(f"Expected hidden state of {input.shape[1]} sequences in a batch, got a tensor of shape {list(s.shape)}")


def _padded(step, input, states, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, projected=False):
    if batch_first:
        input = aten.transpose.int(input, 0, 1)
    _check_sequence(input, states)
    weights = _weights(params, has_biases, projected)
    output, last = _layers(step, _run_padded, input, states, weights, num_layers, dropout, train, bidirectional)
    return (aten.transpose.int(output, 0, 1) if batch_first else output, *last)


def _packed(step, data, batch_sizes, states, params, has_biases, num_layers, dropout, train, bidirectional, projected=False):
    sizes = _checked_sizes(data, batch_sizes)
    weights = _weights(params, has_biases, projected)
    for s in states:
        if s.dim() != 3 or s.shape[1] != sizes[0]:
            raise RuntimeError(f"Expected hidden state of {sizes[0]} sequences in a batch, got a tensor of shape {list(s.shape)}")
    output, last = _layers(step, _run_packed(sizes), data, states, weights, num_layers, dropout, train, bidirectional)
    return (output, *last)


def _checked_sizes(data, batch_sizes):
    if batch_sizes.dim() != 1 or scalar_name(batch_sizes.dtype) != "Long" or batch_sizes.device.type != "cpu":
        raise RuntimeError("batch_sizes of a packed sequence must be a vector of int64 on the CPU")
    sizes = batch_sizes.tolist()
    if not sizes or min(sizes) <= 0 or any(a < b for a, b in zip(sizes, sizes[1:], strict=False)):
        raise RuntimeError("batch_sizes of a packed sequence must be positive and not increase")
    if sum(sizes) != data.shape[0]:
        raise RuntimeError(f"a packed sequence of batch_sizes with sum {sum(sizes)} must have as many rows, but has {data.shape[0]}")
    return sizes


def _is_projected(hx):
    if len(hx) != 2:
        raise RuntimeError("lstm expects two hidden states")
    return hx[0].shape[-1] != hx[1].shape[-1]


def lstm_input(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    projected = _is_projected(hx)
    return _padded(_lstm_step, input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first, projected)


def lstm_data(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional):
    projected = _is_projected(hx)
    return _packed(_lstm_step, data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional, projected)


def gru_input(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    return _padded(_gru_step, input, (hx,), params, has_biases, num_layers, dropout, train, bidirectional, batch_first)


def gru_data(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional):
    return _packed(_gru_step, data, batch_sizes, (hx,), params, has_biases, num_layers, dropout, train, bidirectional)


def rnn_tanh_input(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    return _padded(_tanh_step, input, (hx,), params, has_biases, num_layers, dropout, train, bidirectional, batch_first)


def rnn_tanh_data(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional):
    return _packed(_tanh_step, data, batch_sizes, (hx,), params, has_biases, num_layers, dropout, train, bidirectional)


def rnn_relu_input(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first):
    return _padded(_relu_step, input, (hx,), params, has_biases, num_layers, dropout, train, bidirectional, batch_first)


def rnn_relu_data(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional):
    return _packed(_relu_step, data, batch_sizes, (hx,), params, has_biases, num_layers, dropout, train, bidirectional)


# ---- packed sequences


def _pack_padded_sequence(input, lengths, batch_first):
    if batch_first:
        input = aten.transpose.int(input, 0, 1)
    if lengths.dim() != 1 or scalar_name(lengths.dtype) != "Long" or lengths.device.type != "cpu":
        raise RuntimeError(
            "'lengths' argument should be a 1D CPU int64 tensor, but got "
            f"{lengths.dim()}D {lengths.device} {scalar_name(lengths.dtype)} tensor"
        )
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    counts = lengths.tolist()
    if len(counts) != input.shape[1]:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {len(counts)} (batch_size={input.shape[1]})")
    if counts[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if any(a < b for a, b in zip(counts, counts[1:], strict=False)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass `enforce_sorted=False` to "
            "pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do not need ONNX exportability."
        )
    if counts[0] > input.shape[0]:
        raise RuntimeError(f"Expected lengths of at most {input.shape[0]}, the steps of the input, but got {counts[0]}")
    sizes = [sum(n > t for n in counts) for t in range(counts[0])]
    rows = [aten.narrow.default(aten.select.int(input, 0, t), 0, 0, n) for t, n in enumerate(sizes)]
    import runtime

    return aten.cat.default(rows), runtime.tensor(sizes, dtype=runtime.int64)


def _pack_padded_sequence_backward(grad, input_size, batch_sizes, batch_first):
    shape = list(input_size)
    if batch_first:
        shape[0], shape[1] = shape[1], shape[0]
    result = aten.new_zeros.default(grad, shape)
    sizes = _checked_sizes(grad, batch_sizes)
    for t, rows in enumerate(aten.split_with_sizes.default(grad, sizes)):
        aten.copy_.default(aten.narrow.default(aten.select.int(result, 0, t), 0, 0, sizes[t]), rows)
    return aten.transpose.int(result, 0, 1) if batch_first else result


def _pad_packed_sequence(data, batch_sizes, batch_first, padding_value, total_length):
    import runtime

    sizes = _checked_sizes(data, batch_sizes)
    steps = len(sizes)
    if total_length > 0:
        if total_length < steps:
            raise RuntimeError(
                f"Expected total_length to be at least the length of the longest sequence in input, but got total_length={total_length} and "
                f"max sequence length being {steps}"
            )
        steps = total_length
    output = aten.full.default((steps, sizes[0], *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    for t, rows in enumerate(aten.split_with_sizes.default(data, sizes)):
        aten.copy_.default(aten.narrow.default(aten.select.int(output, 0, t), 0, 0, sizes[t]), rows)
    lengths = runtime.tensor([sum(n > b for n in sizes) for b in range(sizes[0])], dtype=runtime.int64)
    return aten.transpose.int(output, 0, 1) if batch_first else output, lengths


# ---- cuDNN's operator: no kernel computes it here, its shapes are known


def _cudnn_rnn(
    input, weight, weight_stride0, weight_buf, hx, cx, mode, hidden_size, proj_size, num_layers, batch_first, dropout, train, bidirectional,
    batch_sizes, dropout_state,
):  # fmt: skip
    directions, features = 2 if bidirectional else 1, proj_size or hidden_size
    steps, batch = reversed(input.shape[:2]) if batch_first else input.shape[:2]
    if len(batch_sizes):
        output = (input.shape[0], features * directions)
        batch = batch_sizes[0]
    else:
        output = (batch, steps, features * directions) if batch_first else (steps, batch, features * directions)
    layers = num_layers * directions
    return (
        input.new_empty(output),
        hx.new_empty((layers, batch, features)),
        aten.empty.memory_format((0,), device=input.device) if cx is None else cx.new_empty((layers, batch, hidden_size)),
        aten.empty.memory_format((0,), dtype=dtype_names["uint8"], device=input.device),
        weight_buf,
    )
