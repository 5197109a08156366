"""Recurrent layers over sequences, padded or packed, and their cells."""

import warnings
from numbers import Number

import runtime
from runtime.nn.init import uniform_
from runtime.nn.modules._layer import parameter
from runtime.nn.modules.module import Module
from runtime.nn.utils.rnn import PackedSequence

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def _check_sizes(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size):
    if not isinstance(dropout, Number) or not 0 <= dropout <= 1 or isinstance(dropout, bool):
        raise ValueError("dropout should be a number in range [0, 1] representing the probability of an element being zeroed")
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than 1, but got "
            f"dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value in ("bias", bias), ("batch_first", batch_first):
        if not isinstance(value, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    for name, value in ("input_size", input_size), ("hidden_size", hidden_size):
        if not isinstance(value, int):
            raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


class RNNBase(Module):
    """What recurrent layers share: weights by layer and direction, and the way of inputs and states through one operator.

    States are handled as tuples; `LSTM` has two, the others one.
    """

    def __init__(
        self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0,
        device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        _check_sizes(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        rows, directions = _GATES[mode] * hidden_size, 2 if bidirectional else 1
        state = proj_size or hidden_size
        self._all_weights = []
        for layer in range(num_layers):
            width = state * directions if layer else input_size
            shapes = {"weight_ih": (rows, width), "weight_hh": (rows, state)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for suffix in ("", "_reverse")[:directions]:
                named = {f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()}
                for name, shape in named.items():
                    parameter(self, name, shape, device, dtype)
                self._all_weights.append(list(named))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw initial values: uniform within 1 / sqrt(hidden_size)."""
        bound = 1.0 / self.hidden_size**0.5
        for weight in self.parameters():
            uniform_(weight, -bound, bound)

    def flatten_parameters(self):
        """Nothing: weights need not follow each other in memory."""

    @property
    def all_weights(self):
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self):
        return [getattr(self, name) for names in self._all_weights for name in names]

    def __getstate__(self):
        # PyTorch's layers keep the list of their weights, and files of ours are for them too.
        names = [name for group in self._all_weights for name in group]
        return super().__getstate__() | {"_flat_weights_names": names, "_flat_weights": self._flat_weights}

    def __setstate__(self, state):
        super().__setstate__({name: value for name, value in state.items() if not name.startswith("_flat_weight")})

    def extra_repr(self):
        """The sizes, and the settings that differ from their defaults."""
        parts = [str(self.input_size), str(self.hidden_size)]
        for name, default in (
            ("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0), ("bidirectional", False),
        ):  # fmt: skip
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)

    # ---- checks

    def check_input(self, input, batch_sizes):
        """Refuse an input whose dtype, dimensions or width are wrong."""
        dtype = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype != dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert input: input.to({dtype}), or convert model: "
                f"model.to({input.dtype})"
            )
        dims = 3 if batch_sizes is None else 2
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}")

    def _state_sizes(self, batch):
        """The sizes of the states."""
        layers = self.num_layers * (2 if self.bidirectional else 1)
        return [(layers, batch, self.proj_size or self.hidden_size)]

    def _check_states(self, states, sizes):
        for state, size in zip(states, sizes, strict=True):
            if state.size() != size:
                raise RuntimeError(f"Expected hidden size {size}, got {list(state.size())}")

    def _check_unbatched_states(self, states, dims):
        if any(state.dim() != dims for state in states):
            kind = "unbatched" if dims == 2 else "batched"
            raise RuntimeError(f"For {kind} {dims}-D input, hx should also be {dims}-D but got {states[0].dim()}-D tensor")

    # ---- the call

    def forward(self, input, hx=None):
        """The layer's results at each step, and its states after the last.

        Parameters
        ----------
        input : Tensor or PackedSequence
            (length, batch, width), (batch, length, width) if `batch_first`, or (length, width).
        hx : Tensor or tuple of Tensor, optional
            The initial states, zeros by default.

        Returns
        -------
        tuple
            Results in the input's form, and states in the form of `hx`.
        """
        states = None if hx is None else self._as_states(hx)
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, states)
        name = type(self).__name__ if type(self).__name__ in ("RNN", "LSTM", "GRU") else self.mode.partition("_")[0]
        if input.dim() not in (2, 3):
            tensor = "tensor " if name == "RNN" else ""
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D {tensor}instead")
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if states is not None:
            self._check_unbatched_states(states, input.dim())
        if not batched:
            input = input.unsqueeze(batch_dim)
            states = None if states is None else [state.unsqueeze(1) for state in states]
        states = self._states(input, None, input.size(batch_dim), states)
        result, *states = self._operator(
            input, self._as_hx(states), self._flat_weights, self.bias, self.num_layers, self.dropout, self.training, self.bidirectional,
            self.batch_first,
        )  # fmt: skip
        if not batched:
            result, states = result.squeeze(batch_dim), [state.squeeze(1) for state in states]
        return result, self._as_hx(states)

    def _forward_packed(self, packed, states):
        input, batch_sizes, order, back = packed
        if states is not None and order is not None:
            states = [state.index_select(1, order) for state in states]
        states = self._states(input, batch_sizes, int(batch_sizes[0]), states)
        result, *states = self._operator(
            input, batch_sizes, self._as_hx(states), self._flat_weights, self.bias, self.num_layers, self.dropout, self.training,
            self.bidirectional,
        )  # fmt: skip
        if back is not None:
            states = [state.index_select(1, back) for state in states]
        return PackedSequence(result, batch_sizes, order, back), self._as_hx(states)

    def _states(self, input, batch_sizes, batch, states):
        """The initial states, checked, or zeros."""
        self.check_input(input, batch_sizes)
        sizes = self._state_sizes(batch)
        if states is None:
            return [runtime.zeros(size, dtype=input.dtype, device=input.device) for size in sizes]
        self._check_states(states, sizes)
        return states

    def _as_states(self, hx):
        return (hx,)

    def _as_hx(self, states):
        return states[0]


def _refuse_projection(proj_size):
    if proj_size is not None:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """A recurrent layer with one gate: ``tanh`` or ``relu`` of linear maps of input and state.

    Parameters
    ----------
    input_size, hidden_size : int
        The widths of inputs and states.
    num_layers : int
        Each takes the results of the one before.
    nonlinearity : {"tanh", "relu"}
    bias : bool
    batch_first : bool
        Whether inputs and results are (batch, length, width).
    dropout : float
        Between layers, in training.
    bidirectional : bool
        Whether each layer runs in both directions.
    device, dtype : optional
        Of the parameters.
    """

    def __init__(
        self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        device=None, dtype=None, *, proj_size=None,
    ):  # fmt: skip
        _refuse_projection(proj_size)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        mode = "RNN_TANH" if nonlinearity == "tanh" else "RNN_RELU"
        super().__init__(mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    @property
    def _operator(self):
        return runtime.rnn_tanh if self.mode == "RNN_TANH" else runtime.rnn_relu


class GRU(RNNBase):
    """A recurrent layer with gated recurrent units; see `RNN` for the parameters."""

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, device=None, dtype=None,
        *, proj_size=None,
    ):  # fmt: skip
        _refuse_projection(proj_size)
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device, dtype=dtype)

    _operator = runtime.gru


class LSTM(RNNBase):
    """A recurrent layer with long short-term memory; its states are hidden and cell states.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional : optional
        As of `RNN`.
    proj_size : int
        The width to which hidden states are projected; 0 for none.
    device, dtype : optional
        Of the parameters.
    """

    def __init__(
        self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0, device=None,
        dtype=None,
    ):  # fmt: skip
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device=device, dtype=dtype
        )

    _operator = runtime.lstm

    def _state_sizes(self, batch):
        hidden = super()._state_sizes(batch)[0]
        return [hidden, (*hidden[:2], self.hidden_size)]

    def _check_states(self, states, sizes):
        for i, (state, size) in enumerate(zip(states, sizes, strict=True)):
            if state.size() != size:
                raise RuntimeError(f"Expected hidden[{i}] size {size}, got {list(state.size())}")

    def _check_unbatched_states(self, states, dims):
        if any(state.dim() != dims for state in states):
            kind = "unbatched" if dims == 2 else "batched"
            found = ", ".join(f"{state.dim()}-D" for state in states)
            raise RuntimeError(f"For {kind} {dims}-D input, hx and cx should also be {dims}-D but got ({found}) tensors")

    def _as_states(self, hx):
        return tuple(hx)

    def _as_hx(self, states):
        return tuple(states)


# ---- cells


class RNNCellBase(Module):
    """What cells share: the weights of one step."""

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        parameter(self, "weight_ih", (rows, input_size), device, dtype)
        parameter(self, "weight_hh", (rows, hidden_size), device, dtype)
        parameter(self, "bias_ih", (rows,), device, dtype, bias)
        parameter(self, "bias_hh", (rows,), device, dtype, bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw initial values: uniform within 1 / sqrt(hidden_size)."""
        bound = 1.0 / self.hidden_size**0.5 if self.hidden_size > 0 else 0
        for weight in self.parameters():
            uniform_(weight, -bound, bound)

    def extra_repr(self):
        """The sizes, and the settings that differ from their defaults."""
        parts = [str(self.input_size), str(self.hidden_size)]
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            parts.append(f"nonlinearity={self.nonlinearity}")
        return ", ".join(parts)

    def _check_dims(self, tensor, subject):
        if tensor.dim() not in (1, 2):
            raise ValueError(f"{type(self).__name__}: Expected {subject} to be 1D or 2D, got {tensor.dim()}D instead")

    def _step(self, operator, input, hx):
        """One step of a cell with one state, for inputs with and without a batch."""
        self._check_dims(input, "input")
        if hx is not None:
            self._check_dims(hx, "hidden")
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
            hx = None if hx is None else hx.unsqueeze(0)
        if hx is None:
            hx = runtime.zeros(input.size(0), self.hidden_size, dtype=input.dtype, device=input.device)
        result = operator(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return result if batched else result.squeeze(0)


class RNNCell(RNNCellBase):
    """One step of `RNN`.

    Parameters
    ----------
    input_size, hidden_size : int
    bias : bool
    nonlinearity : {"tanh", "relu"}
    device, dtype : optional
        Of the parameters.
    """

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, num_chunks=1, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        """The next state."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(runtime.rnn_tanh_cell if self.nonlinearity == "tanh" else runtime.rnn_relu_cell, input, hx)


class GRUCell(RNNCellBase):
    """One step of `GRU`; see `RNNCell` for the parameters."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)

    def forward(self, input, hx=None):
        """The next state."""
        return self._step(runtime.gru_cell, input, hx)


class LSTMCell(RNNCellBase):
    """One step of `LSTM`; see `RNNCell` for the parameters."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    def forward(self, input, hx=None):
        """The next hidden and cell state."""
        self._check_dims(input, "input")
        for i, state in enumerate(hx or ()):
            self._check_dims(state, f"hx[{i}]")
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
            hx = None if hx is None else tuple(state.unsqueeze(0) for state in hx)
        if hx is None:
            zeros = runtime.zeros(input.size(0), self.hidden_size, dtype=input.dtype, device=input.device)
            hx = zeros, zeros
        states = runtime.lstm_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return states if batched else tuple(state.squeeze(0) for state in states)
