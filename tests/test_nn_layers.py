"""Layers beside PyTorch's: representations, state dicts, errors, and results with the same parameters."""

import math
import pickle
import warnings

import numpy as np
import pytest

import runtime
from runtime import nn

# A layer, and the shapes of its inputs; ("i", n, shape) is a tensor of numbers below n.
LAYERS = [
    ("Identity(3, x=4)", [(2, 3)]),
    ("Linear(3, 4)", [(5, 3)]),
    ("Linear(3, 4, bias=False, dtype=torch.float64)", []),
    ("Bilinear(3, 4, 2)", [(5, 3), (5, 4)]),
    ("Bilinear(3, 4, 2, bias=False)", [(5, 3), (5, 4)]),
    ("Flatten()", [(2, 3, 4)]),
    ("Flatten(0, 1)", [(2, 3, 4)]),
    ("Unflatten(1, (2, 2))", [(3, 4)]),
    ("Conv1d(4, 6, 3)", [(2, 4, 9)]),
    ("Conv1d(4, 6, 3, 2, 1, 2, 2, bias=False)", [(4, 9)]),
    ("Conv1d(2, 2, 4, padding='same', dilation=2)", [(2, 2, 9)]),
    ("Conv1d(2, 2, 4, padding='same', padding_mode='circular')", [(2, 2, 9)]),
    ("Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0))", [(2, 3, 8, 7)]),
    ("Conv2d(3, 3, 3, padding=1, groups=3, padding_mode='reflect')", [(2, 3, 5, 5)]),
    ("Conv2d(3, 4, 3, padding='valid', padding_mode='replicate')", [(2, 3, 5, 5)]),
    ("Conv3d(2, 3, 2, padding=1, padding_mode='zeros')", [(2, 2, 4, 4, 4)]),
    ("ConvTranspose1d(4, 6, 3, stride=2, output_padding=1, groups=2)", [(2, 4, 5)]),
    ("ConvTranspose2d(3, 4, 3, stride=2, padding=1, dilation=2)", [(2, 3, 4, 5)]),
    ("ConvTranspose2d(3, 4, 2, bias=False)", [(3, 4, 5)]),
    ("ConvTranspose3d(2, 3, 2)", [(1, 2, 3, 3, 3)]),
    ("BatchNorm1d(4)", [(6, 4)]),
    ("BatchNorm1d(4, momentum=None)", [(6, 4, 3)]),
    ("BatchNorm1d(4, affine=False, track_running_stats=False)", [(6, 4)]),
    ("BatchNorm2d(3, eps=1e-3, momentum=0.3)", [(2, 3, 4, 4)]),
    ("BatchNorm2d(3, bias=False)", [(2, 3, 4, 4)]),
    ("BatchNorm3d(2)", [(2, 2, 3, 3, 3)]),
    ("InstanceNorm1d(3)", [(2, 3, 5)]),
    ("InstanceNorm2d(3, affine=True, track_running_stats=True)", [(2, 3, 4, 4)]),
    ("InstanceNorm2d(3, affine=True)", [(3, 4, 4)]),
    ("InstanceNorm3d(2)", [(2, 2, 3, 3, 3)]),
    ("GroupNorm(2, 4)", [(3, 4, 5)]),
    ("GroupNorm(2, 4, affine=False)", [(3, 4, 5)]),
    ("LayerNorm(5)", [(3, 4, 5)]),
    ("LayerNorm([4, 5], eps=1e-3, bias=False)", [(3, 4, 5)]),
    ("LayerNorm(5, elementwise_affine=False)", [(3, 4, 5)]),
    ("RMSNorm(5)", [(3, 4, 5)]),
    ("RMSNorm((4, 5), eps=0.1, elementwise_affine=False)", [(3, 4, 5)]),
    ("LocalResponseNorm(2)", [(2, 5, 3, 3)]),
    ("Dropout(0.0, inplace=True)", [(3, 4)]),
    ("Dropout1d(0.0)", [(2, 3, 4)]),
    ("Dropout2d(1.0)", [(2, 3, 4, 4)]),
    ("Dropout3d(0.0)", [(2, 3, 2, 2, 2)]),
    ("AlphaDropout(0.0)", [(3, 4)]),
    ("FeatureAlphaDropout(0.0)", [(3, 4)]),
    ("Embedding(7, 3)", [("i", 7, (4, 2))]),
    ("Embedding(7, 3, padding_idx=-1, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True, sparse=True)", [("i", 7, (4,))]),
    ("EmbeddingBag(7, 3)", [("i", 7, (4, 2))]),
    ("EmbeddingBag(7, 3, mode='sum', padding_idx=2, max_norm=0.5)", [("i", 7, (4, 2))]),
    ("EmbeddingBag(7, 3, mode='max', norm_type=3.0)", [("i", 7, (4, 2))]),
    *((f"{name}()", [(3, 4)]) for name in (
        "ReLU", "ReLU6", "RReLU", "Hardtanh", "Sigmoid", "Hardsigmoid", "Tanh", "SiLU", "Mish", "Hardswish", "ELU", "CELU", "SELU", "GLU", "GELU",
        "Hardshrink", "LeakyReLU", "LogSigmoid", "Softplus", "Softshrink", "PReLU", "Softsign", "Tanhshrink",
    )),
    *((f"{name}(inplace=True)", [(3, 4)]) for name in (
        "ReLU", "ReLU6", "Hardtanh", "Hardsigmoid", "SiLU", "Mish", "Hardswish", "ELU", "CELU", "SELU", "LeakyReLU",
    )),
    ("RReLU(0.2, 0.2)", [(3, 4)]),
    ("Hardtanh(-2, 0.5)", [(3, 4)]),
    ("Threshold(0.1, -3, inplace=True)", [(3, 4)]),
    ("GELU('tanh')", [(3, 4)]),
    ("GLU(0)", [(4, 3)]),
    ("PReLU(4, 0.1)", [(3, 4)]),
    ("Softmax(1)", [(3, 4)]),
    ("Softmin(0)", [(3, 4)]),
    ("LogSoftmax(dim=-1)", [(3, 4)]),
    ("Softmax2d()", [(2, 3, 4, 4)]),
    ("MaxPool1d(3)", [(2, 3, 9)]),
    ("MaxPool1d(3, 2, 1, ceil_mode=True, return_indices=True)", [(2, 3, 9)]),
    ("MaxPool2d((3, 2), 2, dilation=(1, 2))", [(2, 3, 9, 8)]),
    ("MaxPool3d(2, return_indices=True)", [(2, 4, 4, 4)]),
    ("AvgPool1d(3, 2, count_include_pad=False, padding=1)", [(2, 3, 9)]),
    ("AvgPool2d(3, (1, 2), divisor_override=5)", [(2, 3, 9, 8)]),
    ("AvgPool3d(2)", [(2, 4, 4, 4)]),
    ("LPPool1d(2, 3)", [(2, 3, 9)]),
    ("LPPool2d(1.5, 3, stride=2)", [(2, 3, 9, 8)]),
    ("LPPool3d(2, 2, ceil_mode=True)", [(1, 2, 5, 4, 4)]),
    ("AdaptiveMaxPool1d(3)", [(2, 3, 8)]),
    ("AdaptiveMaxPool2d((3, None), return_indices=True)", [(2, 3, 8, 8)]),
    ("AdaptiveMaxPool3d(2)", [(2, 5, 4, 4)]),
    ("AdaptiveAvgPool1d(3)", [(2, 3, 8)]),
    ("AdaptiveAvgPool2d((None, 3))", [(2, 3, 8, 8)]),
    ("AdaptiveAvgPool3d(2)", [(2, 5, 4, 4)]),
    ("FractionalMaxPool2d(2, output_size=3, _random_samples=torch.full((2, 3, 2), 0.3))", [(2, 3, 8, 8)]),
    ("FractionalMaxPool3d(2, output_ratio=0.5, _random_samples=torch.full((2, 2, 3), 0.3))", [(2, 2, 6, 6, 6)]),
    *((f"{kind}Pad{n}d({amounts})", [(2, 3, *(5,) * n)]) for kind in ("Circular", "Reflection", "Replication", "Zero")
      for n, amounts in ((1, 2), (2, (1, 2, 0, 1)), (3, 1))),
    ("ConstantPad1d((1, 2), 3.5)", [(2, 3, 4)]),
    ("ConstantPad2d(2, 0)", [(2, 3, 4)]),
    ("ConstantPad3d(1, -1.0)", [(2, 3, 4, 4)]),
    ("Upsample(scale_factor=2)", [(1, 2, 3, 3)]),
    ("Upsample(size=(5, 7), mode='bilinear', align_corners=True)", [(1, 2, 3, 3)]),
    ("Upsample(scale_factor=(2, 1.5), mode='bicubic', recompute_scale_factor=True)", [(1, 2, 4, 4)]),
    ("UpsamplingNearest2d(scale_factor=3)", [(1, 2, 3, 3)]),
    ("UpsamplingBilinear2d((4, 5))", [(1, 2, 3, 3)]),
    ("PixelShuffle(2)", [(1, 8, 3, 3)]),
    ("PixelUnshuffle(2)", [(1, 2, 4, 4)]),
    ("ChannelShuffle(2)", [(1, 4, 3, 3)]),
    ("Fold((4, 5), (2, 2))", [(1, 12, 12)]),
    ("Unfold(2, padding=1, stride=2)", [(1, 3, 4, 5)]),
    ("CosineSimilarity(dim=-1)", [(3, 4), (3, 4)]),
    ("PairwiseDistance(1.0, keepdim=True)", [(3, 4), (3, 4)]),
    ("RNN(3, 4)", [(5, 2, 3)]),
    ("RNN(3, 4, 2, 'relu', bias=False, batch_first=True, bidirectional=True)", [(2, 5, 3)]),
    ("GRU(3, 4, num_layers=2, dropout=0.0)", [(5, 3), (2, 4)]),
    ("GRU(3, 4, bidirectional=True, batch_first=True)", [(2, 5, 3), (2, 2, 4)]),
    ("LSTM(3, 4, proj_size=2, num_layers=2)", [(5, 2, 3)]),
    ("LSTM(3, 4, bidirectional=True, batch_first=True)", [(5, 3)]),
    ("RNNCell(3, 4)", [(2, 3)]),
    ("RNNCell(3, 4, bias=False, nonlinearity='relu')", [(3,), (4,)]),
    ("GRUCell(3, 4)", [(2, 3), (2, 4)]),
    ("LSTMCell(3, 4)", [(3,)]),
    ("MultiheadAttention(8, 2)", [(5, 3, 8)] * 3),
    ("MultiheadAttention(8, 2, bias=False, add_bias_kv=True, add_zero_attn=True, batch_first=True)", [(3, 5, 8), (3, 4, 8), (3, 4, 8)]),
    ("MultiheadAttention(8, 4, kdim=3, vdim=5)", [(5, 3, 8), (4, 3, 3), (4, 3, 5)]),
    ("TransformerEncoderLayer(8, 2, 16, dropout=0.0)", [(5, 3, 8)]),
    ("TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation='gelu', batch_first=True, norm_first=True, bias=False)", [(5, 3, 8)]),
    ("TransformerDecoderLayer(8, 2, 16, dropout=0.0)", [(5, 3, 8), (4, 3, 8)]),
    ("TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2, nn.LayerNorm(8), enable_nested_tensor=False)", [(5, 3, 8)]),
    ("TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, 0.0), 2)", [(5, 3, 8), (4, 3, 8)]),
    ("Transformer(8, 2, 1, 1, 16, 0.0)", [(5, 3, 8), (4, 3, 8)]),
    ("Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 2), nn.Tanh()))", [(5, 3)]),
    ("L1Loss()", [(3, 4), (3, 4)]),
    ("MSELoss(reduction='sum')", [(3, 4), (3, 4)]),
    ("SmoothL1Loss(beta=0.5)", [(3, 4), (3, 4)]),
    ("HuberLoss('none', 0.3)", [(3, 4), (3, 4)]),
    ("NLLLoss(torch.ones(4) / 2, ignore_index=2)", [(3, 4), ("i", 4, (3,))]),
    ("CrossEntropyLoss(label_smoothing=0.1)", [(3, 4), ("i", 4, (3,))]),
    ("CrossEntropyLoss(torch.arange(4.0), reduction='none')", [(3, 4), ("i", 4, (3,))]),
    ("BCEWithLogitsLoss(pos_weight=torch.arange(4.0))", [(3, 4), (3, 4)]),
    ("PoissonNLLLoss(full=True)", [(3, 4), ("i", 9, (3, 4))]),
    ("KLDivLoss(reduction='batchmean', log_target=True)", [(3, 4), (3, 4)]),
    ("HingeEmbeddingLoss(0.5)", [(3, 4), (3, 4)]),
    ("MultiLabelMarginLoss()", [(3, 4), ("i", 4, (3, 4))]),
    ("SoftMarginLoss(reduction='sum')", [(3, 4), (3, 4)]),
    ("MultiLabelSoftMarginLoss(torch.arange(4.0))", [(3, 4), (3, 4)]),
    ("MultiMarginLoss(2, 0.7)", [(3, 4), ("i", 4, (3,))]),
    ("MarginRankingLoss(0.1)", [(3,), (3,), (3,)]),
    ("TripletMarginLoss(0.5, swap=True)", [(3, 4)] * 3),
    ("TripletMarginWithDistanceLoss(margin=0.5)", [(3, 4)] * 3),
]  # fmt: skip


def array(shape, seed):
    rng = np.random.default_rng(seed)
    if shape[0] == "i":
        return rng.integers(0, shape[1], shape[2])
    return rng.standard_normal(shape).astype(np.float32)


def build(m, text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(f"nn.{text}", {"nn": m.nn, "torch": m})


def copy_state(source, target):
    target.load_state_dict({k: v if v is None else runtime.tensor(v.numpy()) for k, v in source.state_dict().items()})


def flat(values):
    if values is None:
        return []
    if isinstance(values, (tuple, list)):
        return [array for value in values for array in flat(value)]
    return [np.array(values.detach().tolist())]


def description(module):
    state = module.state_dict()
    return [(k, tuple(v.shape), str(v.dtype)) for k, v in state.items()], [(k, dict(v)) for k, v in state._metadata.items()]


@pytest.mark.oracle
@pytest.mark.parametrize(("text", "inputs"), LAYERS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_layer_prints_saves_and_computes_as_in_pytorch(text, inputs):
    torch = pytest.importorskip("torch")
    ours, theirs = build(runtime, text), build(torch, text)
    assert repr(ours) == repr(theirs)
    assert description(ours) == description(theirs)
    assert [(k, p.requires_grad) for k, p in ours.named_parameters()] == [(k, p.requires_grad) for k, p in theirs.named_parameters()]
    copy_state(theirs, ours)
    arrays = [array(shape, i) for i, shape in enumerate(inputs)]
    if not arrays:
        return
    for training in True, False:
        if text == "RReLU()" and training:
            continue
        ours.train(training)
        theirs.train(training)
        got = ours(*(runtime.tensor(a) for a in arrays))
        with torch.set_grad_enabled(training):
            want = theirs(*(torch.tensor(a) for a in arrays))
        for a, b in zip(flat(got), flat(want), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)
    for (name, a), b in zip(ours.named_buffers(), theirs.buffers(), strict=True):
        np.testing.assert_allclose(a.tolist(), b.tolist(), rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "text",
    ["Linear(300, 40)", "Conv2d(8, 20, 5)", "ConvTranspose1d(8, 20, 5)", "Bilinear(20, 30, 10)", "Embedding(100, 40)", "LSTM(30, 40)",
     "GRUCell(30, 40)", "MultiheadAttention(40, 2, add_bias_kv=True)", "MultiheadAttention(40, 2, kdim=20)", "TransformerEncoderLayer(40, 2, 64)"],
)  # fmt: skip
def test_initial_values_have_the_bounds_and_spread_of_pytorch(text):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    runtime.manual_seed(0)
    ours, theirs = build(runtime, text).state_dict(), build(torch, text).state_dict()
    for name, b in theirs.items():
        a, b = np.array(ours[name].tolist()), b.numpy()
        assert a.min() >= -abs(b).max() * 1.5 and a.max() <= abs(b).max() * 1.5, name
        spread = b.std()
        assert abs(a.std() - spread) <= 0.35 * spread, name
        assert abs(a.mean() - b.mean()) <= 6 * spread / math.sqrt(b.size) + 1e-9, name


ERRORS = [
    "Conv2d(3, 4, 3, groups=2)", "Conv2d(4, 3, 3, groups=2)", "Conv2d(4, 4, 3, groups=0)", "Conv1d(1, 1, 3, padding='same', stride=2)",
    "ConvTranspose2d(1, 1, 3, padding_mode='reflect')", "ConvTranspose1d(1, 1, 3)(torch.ones(1, 1, 4), [9])",
    "ConvTranspose1d(1, 1, 3)(torch.ones(1, 1, 4), [1, 2, 3, 9])", "BatchNorm1d(3)(torch.ones(3))", "BatchNorm2d(3)(torch.ones(3, 3))",
    "BatchNorm3d(3)(torch.ones(3))", "InstanceNorm1d(3)(torch.ones(3))", "InstanceNorm2d(3, affine=True)(torch.ones(2, 4, 5, 5))",
    "GroupNorm(3, 4)", "Embedding(3, 2, padding_idx=3)", "Embedding(3, 2, padding_idx=-4)", "Embedding.from_pretrained(torch.ones(3))",
    "Embedding(3, 2, _weight=torch.ones(2, 2))", "EmbeddingBag(3, 2, padding_idx=4)", "Hardtanh(1, 0)", "Dropout(1.5)",
    "Softmax2d()(torch.ones(2, 2))", "FractionalMaxPool2d(2)", "FractionalMaxPool2d(2, 3, 0.5)", "FractionalMaxPool2d(2, output_ratio=1.5)",
    "FractionalMaxPool3d((0, 1, 1), 2)", "CircularPad2d(1)(torch.ones(2, 2))", "Unflatten(1, 3)", "Unflatten(1, (2.0, 3))",
    "HuberLoss(delta='a')", "MultiMarginLoss(3)", "MultiMarginLoss(weight=torch.ones(2, 2))", "TripletMarginLoss(margin=0)",
    "MultiheadAttention(0, 2)", "MultiheadAttention(7, 2)", "TransformerEncoderLayer(8, 2, activation='tanh')",
    "Transformer(8, 2, 1, 1, 16)(torch.ones(4, 2, 8), torch.ones(4, 3, 8))", "Transformer(8, 2, 1, 1, 16)(torch.ones(4, 2, 7), torch.ones(4, 2, 8))",
    "RNN(3, 4, nonlinearity='sin')", "GRU(3, 4, proj_size=2)", "LSTM(3, 4, proj_size=4)", "LSTM(3, 4, proj_size=-1)", "LSTM(3, 0)", "LSTM(0, 3)",
    "LSTM(3.0, 3)", "LSTM(3, 3, 0)", "LSTM(3, 3, dropout=2)", "LSTM(3, 3, bias=1)", "LSTM(3, 3, batch_first=1)", "LSTM(3, 4)(torch.ones(3))",
    "RNN(3, 4)(torch.ones(3))", "GRU(3, 4)(torch.ones(5, 2, 4))", "GRU(3, 4)(torch.ones(5, 2, 3), torch.ones(1, 3, 4))",
    "GRU(3, 4)(torch.ones(5, 3), torch.ones(1, 1, 4))", "GRU(3, 4)(torch.ones(5, 2, 3), torch.ones(1, 4))",
    "LSTM(3, 4)(torch.ones(5, 2, 3), (torch.ones(1, 4), torch.ones(1, 2, 4)))", "LSTM(3, 4)(torch.ones(5, 2, 3), (torch.ones(1, 2, 5),) * 2)",
    "LSTM(3, 4, proj_size=2)(torch.ones(5, 2, 3), (torch.ones(1, 2, 2),) * 2)", "GRU(3, 4)(torch.ones(5, 2, 3).double())",
    "RNNCell(3, 4)(torch.ones(1, 1, 3))",
    "LSTMCell(3, 4)(torch.ones(3), (torch.ones(1, 1, 4),) * 2)", "RNNCell(3, 4, nonlinearity='sin')(torch.ones(3))",
    "AdaptiveLogSoftmaxWithLoss(4, 10, [])", "AdaptiveLogSoftmaxWithLoss(4, 10, [5, 3])", "AdaptiveLogSoftmaxWithLoss(4, 10, [3, 10])",
    "Bilinear(0, 3, 4)",
]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("text", ERRORS)
def test_a_layer_refuses_as_in_pytorch(text):
    torch = pytest.importorskip("torch")
    errors = []
    for m in runtime, torch:
        with pytest.raises(Exception) as caught:
            build(m, text)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


@pytest.mark.oracle
@pytest.mark.parametrize("training", [True, False])
def test_masks_of_attention_act_as_in_pytorch(training):
    torch = pytest.importorskip("torch")
    text = "TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2, enable_nested_tensor=False)"
    ours, theirs = build(runtime, text).train(training), build(torch, text).train(training)
    copy_state(theirs, ours)
    x = array((5, 3, 8), 0)
    padding = np.array([[False] * 5, [False] * 3 + [True] * 2, [False] * 4 + [True]])
    results = []
    for m, model in (runtime, ours), (torch, theirs):
        causal = m.nn.Transformer.generate_square_subsequent_mask(5)
        results.append(flat([model(m.tensor(x), causal), model(m.tensor(x), src_key_padding_mask=m.tensor(padding))]))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.oracle
def test_an_adaptive_softmax_gives_what_pytorch_gives():
    torch = pytest.importorskip("torch")
    text = "AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0, head_bias=True)"
    ours, theirs = build(runtime, text), build(torch, text)
    copy_state(theirs, ours)
    x, target = array((30, 8), 0), array(("i", 20, (30,)), 1)
    assert repr(ours) == repr(theirs)
    results = [flat([*m_(m.tensor(x), m.tensor(target)), m_.log_prob(m.tensor(x)), m_.predict(m.tensor(x)), *m_(m.tensor(x[0]), m.tensor(target[0]))])
               for m, m_ in ((runtime, ours), (torch, theirs))]  # fmt: skip
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)
    with pytest.raises(RuntimeError, match=r"Target values should be in \[0, 19\], but values in range \[20, 20\] were found"):
        ours(runtime.tensor(x[:1]), runtime.tensor([20]))


@pytest.mark.oracle
@pytest.mark.parametrize("text", ["LSTM(3, 4, bidirectional=True)", "GRU(3, 4, num_layers=2)", "RNN(3, 4)"])
@pytest.mark.parametrize("given", [True, False])
def test_packed_sequences_go_through_layers_as_in_pytorch(text, given):
    torch = pytest.importorskip("torch")
    ours, theirs = build(runtime, text), build(torch, text)
    copy_state(theirs, ours)
    results = []
    for m, layer in (runtime, ours), (torch, theirs):
        rnn = m.nn.utils.rnn
        sequences = [m.tensor(array((n, 3), n)) for n in (2, 5, 3)]
        packed = rnn.pack_sequence(sequences, enforce_sorted=False)
        directions = (2 if layer.bidirectional else 1) * layer.num_layers
        state = m.tensor(array((directions, 3, 4), 9))
        state = (state, state) if text.startswith("LSTM") else state
        packed_result, states = layer(packed, state) if given else layer(packed)
        padded, lengths = rnn.pad_packed_sequence(packed_result, total_length=6)
        results.append(flat([padded, lengths, states, *rnn.unpack_sequence(packed), packed.double().data]))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def test_a_layer_can_be_pickled():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LSTM(3, 4))
    copied = pickle.loads(pickle.dumps(model))
    assert repr(copied) == repr(model)
    assert all(bool((a == b).all()) for a, b in zip(copied.state_dict().values(), model.state_dict().values(), strict=True))


@pytest.mark.oracle
def test_every_layer_of_pytorch_is_there_but_those_that_are_left_out():
    torch = pytest.importorskip("torch")
    theirs = {n for n in dir(torch.nn) if isinstance(getattr(torch.nn, n), type) and issubclass(getattr(torch.nn, n), torch.nn.Module)}
    missing = {n for n in theirs if not hasattr(nn, n)}
    left_out = {n for n in theirs if n.startswith("Lazy")} | {"Container", "CrossMapLRN2d", "DataParallel", "LinearCrossEntropyLoss", "SyncBatchNorm"}
    assert missing == left_out
