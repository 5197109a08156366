"""Optimizers and schedules beside PyTorch's: the same steps from the same gradients, the same state, settings and errors."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import runtime
from runtime import nn, optim

STEPS = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("SGD", {"lr": 0.1, "foreach": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.6), "eps": 1e-3, "maximize": True}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.3}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "centered": True, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.5, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "weight_decay": 0.1}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "betas": (0.9, 0.9)}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 2.0)}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "t0": 3, "weight_decay": 0.1, "alpha": 0.5, "lambd": 0.1}),
]
SHAPES = [(3, 4), (5,), (2, 2, 2)]


def draws(dtype, seed):
    rng = np.random.default_rng(seed)
    drawn = [rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if dtype == "complex64" else 0) for shape in SHAPES]
    return [a.astype(dtype) for a in drawn]


def parameters(m, dtype="float32"):
    return [m.nn.Parameter(m.tensor(a)) for a in draws(dtype, 0)]


def steps(m, params, optimizer, n, first=1):
    """The parameters after each of n steps; the second parameter has no gradient in the third."""
    after = []
    for i in range(first, first + n):
        for k, (p, grad) in enumerate(zip(params, draws(str(params[0].dtype).removeprefix("torch."), i), strict=True)):
            p.grad = None if (i, k) == (3, 1) else m.tensor(grad)
        optimizer.step()
        after += [np.array(p.detach().tolist()) for p in params]
    return after


def kinds(state_dict):
    return {
        k: [(name, str(getattr(v, "dtype", None)), tuple(getattr(v, "shape", ()))) for name, v in s.items()] for k, s in state_dict["state"].items()
    }


def tolerance(dtype):
    return {"rtol": 1e-12, "atol": 1e-13} if dtype == "float64" else {"rtol": 3e-6, "atol": 1e-6}


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize(("name", "settings"), STEPS, ids=lambda v: v if isinstance(v, str) else ",".join(v))
def test_steps_go_where_those_of_pytorch_go(name, settings, dtype):
    torch = pytest.importorskip("torch")
    ours, theirs = parameters(runtime, dtype), parameters(torch, dtype)
    a, b = getattr(optim, name)(ours, **settings), getattr(torch.optim, name)(theirs, **settings)
    for x, y in zip(steps(runtime, ours, a, 6), steps(torch, theirs, b, 6), strict=True):
        np.testing.assert_allclose(x, y, **tolerance(dtype))
    assert kinds(a.state_dict()) == kinds(b.state_dict())
    assert a.state_dict()["param_groups"] == b.state_dict()["param_groups"]
    assert repr(a) == repr(b)


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "settings"), [STEPS[1], STEPS[5], STEPS[9], STEPS[12], STEPS[16], STEPS[22], STEPS[28], STEPS[30]])
def test_training_goes_on_from_the_state_of_pytorch(name, settings):
    torch = pytest.importorskip("torch")
    theirs = parameters(torch)
    b = getattr(torch.optim, name)(theirs, **settings)
    steps(torch, theirs, b, 2)
    ours = [nn.Parameter(runtime.tensor(p.detach().numpy())) for p in theirs]
    a = getattr(optim, name)(ours)
    state = b.state_dict()
    a.load_state_dict(
        {
            "state": {
                k: {n: runtime.tensor(v.numpy()) if isinstance(v, torch.Tensor) else v for n, v in s.items()} for k, s in state["state"].items()
            },
            "param_groups": state["param_groups"],
        }
    )
    for x, y in zip(steps(runtime, ours, a, 3, 3), steps(torch, theirs, b, 3, 3), strict=True):
        np.testing.assert_allclose(x, y, rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Rprop", "NAdam", "ASGD"])
def test_a_copied_or_pickled_optimizer_goes_on_alike(name):
    params = parameters(runtime)
    optimizer = getattr(optim, name)(params, lr=0.1)
    steps(runtime, params, optimizer, 2)
    for copied_params, copied in (copy.deepcopy((params, optimizer)), pickle.loads(pickle.dumps((params, optimizer)))):
        assert copied.param_groups[0]["params"][0] is copied_params[0]
        want = [p.detach().clone() for p in params]
        got = steps(runtime, copied_params, copied, 2, 3)
        again = getattr(optim, name)(want_params := [nn.Parameter(p) for p in want])
        again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for x, y in zip(got, steps(runtime, want_params, again, 2, 3), strict=True):
            np.testing.assert_array_equal(x, y)


def test_learning_rates_and_betas_can_be_tensors():
    results = []
    for number in float, runtime.tensor:
        params = parameters(runtime)
        results.append(steps(runtime, params, optim.Adam(params, lr=number(0.5), betas=(number(0.5), number(0.75))), 2))
    for x, y in zip(*results, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)


ERRORS = """
optim.Optimizer(t, {})
optim.Optimizer([], {})
optim.Optimizer([3], {})
optim.Optimizer({t}, {}).add_param_group({"params": {t}})
optim.Optimizer([t], {}).add_param_group({"params": {t}})
optim.Optimizer([t], {}).add_param_group(3)
optim.Optimizer([t], {}).add_param_group({"params": [t]})
optim.Optimizer([("a", t)], {}).add_param_group({"params": [u]})
optim.Optimizer([t], {}).add_param_group({"params": [("a", u)]})
optim.Optimizer([("a", t), u], {})
optim.Optimizer([t], {}).step()
optim.SGD([t], lr=-1)
optim.SGD([t], lr=torch.ones(2))
optim.SGD([t], momentum=-1)
optim.SGD([t], weight_decay=-1)
optim.SGD([t], nesterov=True)
optim.SGD([t], foreach=True, fused=True)
optim.SGD([t], differentiable=True, fused=True)
optim.Adam([t], lr=-1)
optim.Adam([t], eps=-1)
optim.Adam([t], betas=(1.0, 0.5))
optim.Adam([t], betas=(0.5, -0.5))
optim.Adam([t], betas=(0.5, torch.tensor(0.5)))
optim.Adam([t], betas=(torch.ones(1) / 2, torch.ones(1) / 2), foreach=True)
optim.Adam([t], lr=torch.ones(()), foreach=True)
optim.Adam([t], weight_decay=-1)
optim.RMSprop([t], alpha=-1)
optim.RMSprop([t], momentum=-1)
optim.Adagrad([t], lr_decay=-1)
optim.Adagrad([t], initial_accumulator_value=-1)
optim.Adadelta([t], rho=2)
optim.NAdam([t], momentum_decay=-1)
optim.Rprop([t], etas=(1.0, 0.5))
optim.SGD([t]).load_state_dict({"state": {}, "param_groups": []})
optim.SGD([t]).load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]})
s.StepLR(3, 1)
s.LambdaLR(o, [len, len])
s.MultiplicativeLR(o, 3)
s.ConstantLR(o, factor=2)
s.LinearLR(o, start_factor=0)
s.LinearLR(o, end_factor=2)
s.CosineAnnealingWarmRestarts(o, 0)
s.CosineAnnealingWarmRestarts(o, 3, 0)
s.CosineAnnealingWarmRestarts(o, 3, 1, "a")
s.CosineAnnealingWarmRestarts(o, 3).step(-1)
s.CyclicLR(o, 0.1, 1, mode="no")
s.CyclicLR(o, [0.1, 0.2], 1)
s.CyclicLR(optim.Rprop([t]), 0.1, 1)
s.OneCycleLR(o, 1)
s.OneCycleLR(o, 1, total_steps=0)
s.OneCycleLR(o, 1, epochs=2, steps_per_epoch=0)
s.OneCycleLR(o, 1, total_steps=10, pct_start=2)
s.OneCycleLR(o, 1, total_steps=10, anneal_strategy="no")
s.OneCycleLR(optim.Rprop([t]), 1, total_steps=10)
[one.step() for one in [s.OneCycleLR(o, 1, total_steps=5)] for _ in range(9)]
s.SequentialLR(o, [], [])
s.SequentialLR(o, [3], [])
s.SequentialLR(o, [s.StepLR(o, 1)], [1])
s.SequentialLR(o, [s.ReduceLROnPlateau(o)], [])
s.ChainedScheduler([])
s.ReduceLROnPlateau(o, factor=1)
s.ReduceLROnPlateau(3)
s.ReduceLROnPlateau(o, min_lr=[1, 2])
s.ReduceLROnPlateau(o, "no")
s.ReduceLROnPlateau(o, threshold_mode="no")
""".strip().split("\n")


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", ERRORS)
def test_an_optimizer_or_schedule_refuses_as_in_pytorch(expression):
    torch = pytest.importorskip("torch")
    errors = []
    for m in runtime, torch:
        t, u = m.nn.Parameter(m.ones(1)), m.nn.Parameter(m.ones(1))
        names = {"optim": m.optim, "torch": m, "t": t, "u": u, "o": m.optim.SGD([u], momentum=0.5), "s": m.optim.lr_scheduler}
        with pytest.raises(Exception) as caught:
            eval(expression, names)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


# ---- groups


def test_groups_have_their_own_settings():
    a, b = parameters(runtime)[:2]
    optimizer = optim.SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.5]
    before = [p.detach().clone() for p in (a, b)]
    for p in (a, b):
        p.grad = runtime.ones_like(p)
    optimizer.step()
    for p, old, lr in zip((a, b), before, (0.1, 0.5), strict=True):
        np.testing.assert_allclose((old - p.detach()).tolist(), np.full(p.shape, lr), rtol=1e-6)


def test_a_setting_without_a_default_must_be_given():
    p = parameters(runtime)[0]
    with pytest.raises(ValueError, match="didn't specify a value of required optimization parameter lr"):
        optim.Optimizer([p], {"lr": optim.optimizer.required})
    assert optim.Optimizer([{"params": p, "lr": 1}], {"lr": optim.optimizer.required}).param_groups[0]["lr"] == 1


def test_named_parameters_keep_their_names():
    net = nn.Linear(1, 1)
    optimizer = optim.SGD(net.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    other = optim.SGD(net.named_parameters())
    other.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1], "lr": 3}]})
    assert other.param_groups[0]["param_names"] == ["weight", "bias"] and other.param_groups[0]["lr"] == 3


def test_a_parameter_that_comes_twice_is_warned_of():
    p = parameters(runtime)[0]
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([p, p])


def test_gradients_are_dropped_or_set_to_zero():
    p = parameters(runtime)[0]
    optimizer = optim.SGD([p])
    p.grad = grad = runtime.ones_like(p)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is grad and not grad.any()
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()


def test_a_step_gives_back_the_loss_of_its_closure():
    p = parameters(runtime)[0]
    optimizer = optim.Adam([p])

    def closure():
        p.grad = runtime.ones_like(p)
        return 5

    before = p.detach().clone()
    assert optimizer.step(closure) == 5 and not bool((before == p).any())
    assert optimizer.step() is None


# ---- hooks


def test_hooks_are_called_around_each_step_and_each_state_dict():
    p = parameters(runtime)[0]
    optimizer, seen = optim.SGD([p]), []
    with (
        optim.optimizer.register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("all before")),
        optim.optimizer.register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("all after")),
        optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", args[0] is optimizer))),
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append("after")),
    ):
        optimizer.step()
    optimizer.step()
    assert seen == ["all before", ("before", True), "after", "all after"]
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("saving"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: {k: v for k, v in state.items() if k != "more"})
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    state = optimizer.state_dict()
    assert state["more"] == 1
    optimizer.load_state_dict(state)
    assert seen[4:] == ["saving", "loaded"]


def test_a_hook_can_change_the_arguments_of_a_step():
    optimizer = optim.SGD(parameters(runtime))
    optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {"closure": lambda: 7}))
    assert optimizer.step() == 7
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match=r"must return None or a tuple of \(new_args, new_kwargs\), but got 3"):
        optimizer.step()


def test_hooks_are_called_once_where_a_step_calls_that_of_its_base():
    class Twice(optim.SGD):
        def step(self, closure=None):
            super().step(closure)
            return super().step(closure)

    optimizer, seen = Twice(parameters(runtime)), []
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(1))
    optimizer.step()
    assert seen == [1]


# ---- schedules

SCHEDULES = [
    "StepLR(o, 3, 0.5)",
    "MultiStepLR(o, [2, 5, 5], 0.5)",
    "ConstantLR(o, 0.5, 4)",
    "LinearLR(o, 0.2, 0.9, 5)",
    "ExponentialLR(o, 0.9)",
    "PolynomialLR(o, 6, 2.0)",
    "CosineAnnealingLR(o, 4, 0.01)",
    "CosineAnnealingWarmRestarts(o, 3, 2, 0.01)",
    "LambdaLR(o, lambda epoch: 0.9**epoch)",
    "LambdaLR(o, [lambda epoch: 0.9**epoch, lambda epoch: 1 / (1 + epoch)])",
    "MultiplicativeLR(o, lambda epoch: 0.9)",
    "CyclicLR(o, 0.01, [0.1, 0.2], 3, 4)",
    "CyclicLR(o, 0.01, 0.1, 3, mode='triangular2')",
    "CyclicLR(o, 0.01, 0.1, 3, mode='exp_range', gamma=0.9)",
    "CyclicLR(o, 0.01, 0.1, 3, scale_fn=lambda x: 1 / x, cycle_momentum=False)",
    "OneCycleLR(o, 0.5, total_steps=12)",
    "OneCycleLR(o, [0.5, 0.6], epochs=4, steps_per_epoch=3, anneal_strategy='linear', three_phase=True)",
    "SequentialLR(o, [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)], [4])",
    "ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)])",
]


def schedule(m, text, kind, values=12):
    params = parameters(m)[:2]
    settings = {"momentum": 0.9} if kind == "SGD" else {}
    o = getattr(m.optim, kind)([{"params": params[:1]}, {"params": params[1:], "lr": 0.3}], lr=0.1, **settings)
    made = eval(f"s.{text}", {"o": o, "s": m.optim.lr_scheduler})
    seen = [made.get_last_lr()]
    for _ in range(values):
        o.step()
        made.step()
        seen.append((made.get_last_lr(), [(g["lr"], g.get("momentum"), g.get("betas")) for g in o.param_groups]))
    return made, seen


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
@pytest.mark.parametrize("text", SCHEDULES)
def test_schedules_go_as_in_pytorch(text, kind):
    torch = pytest.importorskip("torch")
    (ours, seen), (theirs, want) = schedule(runtime, text, kind), schedule(torch, text, kind)
    assert seen[0] == pytest.approx(want[0])
    for (lrs, groups), (want_lrs, want_groups) in zip(seen[1:], want[1:], strict=True):
        assert lrs == pytest.approx(want_lrs, rel=1e-12)
        for got, expected in zip(groups, want_groups, strict=True):
            assert got == tuple(pytest.approx(v, rel=1e-12) if v is not None else None for v in expected)
    if "lambda" not in text:
        left_out = {"_scale_fn_ref"}
        assert set(ours.state_dict()) - left_out == set(theirs.state_dict()) - left_out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.oracle
@pytest.mark.parametrize("text", [t for t in SCHEDULES if t.split("(")[0] in (
    "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
)])  # fmt: skip
def test_a_schedule_can_go_to_an_epoch(text):
    torch = pytest.importorskip("torch")
    results = []
    for m in runtime, torch:
        made, _ = schedule(m, text, "SGD", 1)
        results.append([(made.step(epoch), made.get_last_lr())[1] for epoch in (3, 7, 2)])
    for got, want in zip(*results, strict=True):
        assert got == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("text", SCHEDULES)
def test_a_schedule_goes_on_from_its_state(text):
    first, seen = schedule(runtime, text, "SGD", 3)
    state = pickle.loads(pickle.dumps(first.state_dict())) if "lambda" not in text else first.state_dict()
    second, _ = schedule(runtime, text, "SGD", 0)
    second.load_state_dict(state)
    for a, b in zip(first.optimizer.param_groups, second.optimizer.param_groups, strict=True):
        b.update({k: v for k, v in a.items() if k != "params"})
    for made in first, second:
        made.optimizer.step()
        made.step()
    assert first.get_last_lr() == second.get_last_lr()


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"mode": "max", "threshold_mode": "abs", "threshold": 0.1}, {"mode": "max"},
                                     {"threshold_mode": "abs", "cooldown": 1, "min_lr": [0.05, 0.01]}])  # fmt: skip
def test_plateaus_reduce_as_in_pytorch(options):
    torch = pytest.importorskip("torch")
    measures = [5, 4, 4, 4.5, 4, 4, 3, 3.5, 3.2, 3.1, 3.3, 3, 3, 3, 2.999, 2.9995]
    results = []
    for m in runtime, torch:
        params = parameters(m)[:2]
        o = m.optim.SGD([{"params": params[:1]}, {"params": params[1:], "lr": 0.3}], lr=0.1)
        made = m.optim.lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1, **options)
        results.append([(made.step(value), made.get_last_lr(), made.num_bad_epochs, made.in_cooldown)[1:] for value in measures])
    assert [r[1:] for r in results[0]] == [r[1:] for r in results[1]]
    for got, want in zip(*results, strict=True):
        assert got[0] == pytest.approx(want[0], rel=1e-12)


def test_a_schedule_that_is_ahead_of_its_optimizer_says_so():
    optimizer = optim.SGD(parameters(runtime))
    made = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        made.step()
    with pytest.warns(UserWarning, match="use `get_last_lr"):
        made.get_lr()
    optimizer = optim.SGD(parameters(runtime))
    made = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden after"):
        made.step()
    with pytest.raises(KeyError, match="initial_lr"):
        optim.lr_scheduler.ExponentialLR(optim.SGD(parameters(runtime)), 0.9, last_epoch=3)


def test_a_learning_rate_that_is_a_tensor_stays_the_same_tensor():
    lr = runtime.tensor(0.5)
    optimizer = optim.SGD(parameters(runtime), lr=lr)
    made = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.step()
    assert optimizer.param_groups[0]["lr"] is lr and lr.item() == 0.25 and optimizer.param_groups[0]["initial_lr"].item() == 0.5


# ---- steps that autograd records


def gradient_through_steps(m, settings):
    w = m.tensor([1.0, 2.0], requires_grad=True)
    p = w * 2
    optimizer = m.optim.SGD([p], lr=0.1, differentiable=True, **settings)
    for _ in range(3):
        p.grad = (p + 0) * w  # a copy: the step changes p
        optimizer.step()
    p.sum().backward()
    return p.tolist(), w.grad.tolist()


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [{}, {"momentum": 0.5}, {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1, "maximize": True}])
def test_gradients_flow_through_differentiable_steps_as_in_pytorch(settings):
    torch = pytest.importorskip("torch")
    for got, want in zip(gradient_through_steps(runtime, settings), gradient_through_steps(torch, settings), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_a_step_is_not_recorded_and_does_not_break_the_graph_of_the_loss():
    p = nn.Parameter(runtime.ones(2))
    optimizer = optim.Adam([p])
    (p * 3).sum().backward()
    optimizer.step()
    assert p.is_leaf and p.requires_grad and p.grad_fn is None and not p.grad.requires_grad
    optimizer.zero_grad()
    (p * 3).sum().backward()
    assert p.grad.tolist() == [3, 3]


def _copies(tensors):
    return [t.detach().clone() for t in tensors]


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("decoupled", [False, True])
def test_the_function_of_adam_does_what_its_step_does(amsgrad, decoupled):
    from runtime.optim.adam import _multi_tensor_adam, adam, adamw

    params = [runtime.nn.Parameter(runtime.linspace(-1, 1, n)) for n in (2, 3)]
    mine = _copies(params)
    means, squares, largest = (_copies(map(runtime.zeros_like, mine)) for _ in range(3))
    steps = [runtime.tensor(0.0) for _ in mine]
    optimizer = (runtime.optim.AdamW if decoupled else runtime.optim.Adam)(params, lr=0.1, weight_decay=0.2, amsgrad=amsgrad, maximize=True)
    settings = {"amsgrad": amsgrad, "beta1": 0.9, "beta2": 0.999, "lr": 0.1, "weight_decay": 0.2, "eps": 1e-8, "maximize": True}
    for i in range(3):
        for p in params:
            p.grad = runtime.full_like(p, i - 0.5)
        grads = [p.grad for p in params]
        optimizer.step()
        (adamw if decoupled else adam)(mine, grads, means, squares, largest if amsgrad else [], steps, **settings)
    for p, m in zip(params, mine, strict=True):
        runtime.testing.assert_close(p.detach(), m)
    assert [step.item() for step in steps] == [3, 3]
    _multi_tensor_adam(mine, grads, means, squares, largest, steps, None, None, **settings)
    with pytest.raises(RuntimeError, match="singleton tensors"):
        adam(mine, grads, means, squares, largest, [1, 1], **settings)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_function_of_sgd_does_what_its_step_does(nesterov):
    from runtime.optim.sgd import _single_tensor_sgd, sgd

    params = [runtime.nn.Parameter(runtime.linspace(-1, 1, n)) for n in (2, 3)]
    mine, sums = _copies(params), [None, None]
    settings = {"lr": 0.1, "momentum": 0.9, "dampening": 0, "weight_decay": 0.1, "nesterov": nesterov, "maximize": False}
    optimizer = runtime.optim.SGD(params, **settings)
    for i in range(3):
        for p in params:
            p.grad = runtime.full_like(p, i - 0.5)
        optimizer.step()
        grads = [p.grad for p in params]
        if i == 1:
            _single_tensor_sgd(mine, grads, sums, None, None, has_sparse_grad=False, **settings)
        else:
            sgd(mine, grads, sums, **settings)
    for p, m, total in zip(params, mine, sums, strict=True):
        runtime.testing.assert_close(p.detach(), m)
        runtime.testing.assert_close(optimizer.state[p]["momentum_buffer"], total)


def test_a_step_records_gradients_if_the_optimizer_is_differentiable():
    from runtime.optim.optimizer import _use_grad_for_differentiable

    class Watching(runtime.optim.Optimizer):
        @_use_grad_for_differentiable
        def step(self, closure=None):
            return runtime.is_grad_enabled()

    for differentiable in False, True:
        assert Watching([runtime.nn.Parameter(runtime.ones(1))], {"differentiable": differentiable}).step() is differentiable
