"""Module and Parameter: what is registered, found, converted, hooked, printed, saved and loaded, and what is refused."""

import copy
import pickle
import warnings

import pytest

import runtime
from runtime import nn
from runtime.autograd import no_grad


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.inner = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
        self.shared = self.first
        self.none = None
        self.scale = nn.Parameter(runtime.ones(3))
        self.register_parameter("missing", None)
        self.register_buffer("seen", runtime.zeros(()))
        self.register_buffer("cache", runtime.zeros(1), persistent=False)

    def forward(self, x, add=0):
        return self.inner(self.first(x)) * self.scale + add


# ---- registration


def test_members_have_dotted_names_and_come_once():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == ["scale", "first.weight", "first.bias", "inner.0.weight", "inner.0.bias"]
    assert len(list(net.named_parameters(remove_duplicate=False))) == 7
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.scale"]
    assert [name for name, _ in net.named_buffers()] == ["seen", "cache"]
    assert [name for name, _ in net.named_children()] == ["first", "inner"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "inner", "inner.0", "inner.1"]
    assert len(list(net.modules(remove_duplicate=False))) == 6
    assert list(net.parameters())[0] is net.scale and list(net.buffers())[0] is net.seen


def test_attributes_move_between_kinds_of_members():
    net = nn.Module()
    net.x = 1
    net.x = nn.Parameter(runtime.ones(1))
    assert "x" in net._parameters and "x" not in net.__dict__
    net.x = None
    assert net._parameters == {"x": None}
    del net.x
    net.x = nn.Linear(1, 1)
    net.x = nn.Parameter(runtime.ones(1))
    assert net._modules == {} and "x" in net._parameters
    del net.x
    net.x = nn.Buffer(runtime.ones(1), persistent=False)
    assert "x" in net._buffers and net.state_dict() == {}
    net.x = runtime.zeros(2)
    assert net._buffers["x"].shape == (2,) and net._non_persistent_buffers_set == {"x"}
    net.x = nn.Linear(1, 1)
    assert net._buffers == {} and net._non_persistent_buffers_set == set()
    assert not hasattr(net, "y")


REFUSED = """
net.register_buffer("a.b", t)
net.register_buffer("", t)
net.register_buffer(1, t)
net.register_buffer("forward", t)
net.register_buffer("b", 3)
net.register_parameter("a.b", p)
net.register_parameter("", p)
net.register_parameter(1, p)
net.register_parameter("forward", p)
net.register_parameter("b", t)
net.add_module("a.b", net)
net.add_module("", net)
net.add_module(1, net)
net.add_module("forward", net)
net.add_module("b", 3)
setattr(net, "scale", t)
setattr(net, "first", 3)
setattr(net, "seen", 3)
net.nothing
del net.nothing
net.get_submodule("first.nothing")
net.get_submodule("first.weight")
net.get_parameter("first.nothing")
net.get_parameter("first")
net.get_buffer("scale")
net.get_buffer("nothing")
net.set_submodule("", net)
net.set_submodule("first", 3)
net.set_submodule("other", net, strict=True)
net.set_submodule("scale", net)
net.train(1)
net.to(torch.int64)
net.to("cpu", 3.5)
net.to(foo=3)
net.load_state_dict(3)
net.load_state_dict({"first.bias": t, "other": t, "inner.5.x": t, "scale": 3})
net.first.load_state_dict({"weight": t, "bias": t, "bias.more": t})
torch.nn.Module(1)
torch.nn.Module(a=1)
torch.nn.Module()(t)
type("Early", (torch.nn.Module,), {"__init__": lambda self: setattr(self, "w", p)})()
type("Early", (torch.nn.Module,), {"__init__": lambda self: setattr(self, "w", net)})()
type("Early", (torch.nn.Module,), {"__init__": lambda self: self.register_buffer("w", t)})()
type("Early", (torch.nn.Module,), {"__init__": lambda self: self.register_parameter("w", p)})()
torch.nn.Sequential(3)
torch.nn.Sequential()[0]
torch.nn.Sequential() + 3
torch.nn.Sequential() * 1.5
torch.nn.Sequential() * 0
torch.nn.Sequential().insert(3, net)
torch.nn.Sequential().insert(0, 3)
torch.nn.ModuleList()[-1]
torch.nn.ModuleList(3)
torch.nn.ModuleDict(3)
torch.nn.ModuleDict([3])
torch.nn.ModuleDict([(1, 2, 3)])
torch.nn.ModuleDict({"keys": net})
torch.nn.ParameterList(3)
torch.nn.ParameterList(t)
torch.nn.ParameterList()[0]
torch.nn.ParameterList()(t)
torch.nn.ParameterDict(3)
torch.nn.ParameterDict({1: t})
torch.nn.ParameterDict([(1, 2, 3)])
torch.nn.ParameterDict()(t)
""".strip().split("\n")


def net_of(m):
    class Net(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = m.nn.Linear(2, 3)
            self.inner = m.nn.Sequential(m.nn.Linear(3, 3), m.nn.ReLU())
            self.scale = m.nn.Parameter(m.ones(3))
            self.register_buffer("seen", m.zeros(()))

    return Net()


@pytest.mark.oracle
@pytest.mark.parametrize("statement", REFUSED)
def test_a_module_refuses_as_in_pytorch(statement):
    torch = pytest.importorskip("torch")
    errors = []
    for m in runtime, torch:
        names = {"torch": m, "net": net_of(m), "t": m.ones(2), "p": m.nn.Parameter(m.ones(2))}
        with pytest.raises(Exception) as caught:
            exec(statement, names)
        text = str(caught.value).replace("runtime.nn.", "torch.nn.").replace("runtime.Tensor", "torch.Tensor")
        errors.append((caught.type, text.replace("test_nn_module.", "").split(", but expected one of")[0]))
    assert errors[0] == errors[1]


def test_registration_hooks_of_all_modules_can_replace_members():
    from runtime.nn.modules import module as hooks

    other = nn.Parameter(runtime.zeros(1))
    seen = []
    with (
        hooks.register_module_parameter_registration_hook(lambda m, name, p: other),
        hooks.register_module_module_registration_hook(lambda m, name, child: seen.append(name)),
        hooks.register_module_buffer_registration_hook(lambda m, name, b: b + 1),
    ):
        net = nn.Module()
        net.w = nn.Parameter(runtime.ones(3))
        net.child = nn.Identity()
        net.register_buffer("b", runtime.zeros(1))
    assert net.w is other and seen == ["child"] and net.b.item() == 1
    net.w = nn.Parameter(runtime.ones(3))
    assert net.w is not other


def test_members_are_found_and_set_by_dotted_names():
    net = Net()
    assert net.get_submodule("") is net and net.get_submodule("inner.0") is net.inner[0]
    assert net.get_parameter("inner.0.weight") is net.inner[0].weight
    assert net.get_buffer("seen") is net.seen
    net.set_submodule("inner.1", nn.Tanh())
    assert isinstance(net.inner[1], nn.Tanh)
    assert {"first", "scale", "seen", "training"} <= set(dir(net)) and "0" not in dir(net.inner)


# ---- parameters and buffers


def test_a_parameter_is_a_tensor_that_results_forget():
    p = nn.Parameter(runtime.ones(2))
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert p.requires_grad and not nn.Parameter(runtime.ones(2), requires_grad=False).requires_grad
    assert type(p.detach()) is runtime.Tensor and type(p * 2) is runtime.Tensor
    assert nn.Parameter().shape == (0,)
    data = runtime.zeros(2)
    nn.Parameter(data).data[0] = 1
    assert data[0] == 1


def test_parameters_are_copied_and_pickled_with_their_attributes():
    p = nn.Parameter(runtime.ones(2), requires_grad=False)
    p.note = "x"
    for copied in copy.deepcopy(p), pickle.loads(pickle.dumps(p)):
        assert type(copied) is nn.Parameter and not copied.requires_grad and copied is not p
    assert pickle.loads(pickle.dumps(p)).note == "x"
    memo = {}
    assert copy.deepcopy(p, memo) is copy.deepcopy(p, memo)


def test_a_tensor_of_a_subclass_stays_what_it_is_and_counts_as_a_parameter():
    from runtime.testing.two_tensor import TwoTensor

    marked = nn.Parameter(TwoTensor(runtime.ones(2), runtime.ones(2)))
    assert type(marked) is TwoTensor and isinstance(marked, nn.Parameter)
    assert not isinstance(TwoTensor(runtime.ones(2), runtime.ones(2)), nn.Parameter)
    net = nn.Module()
    net.w = marked
    assert list(net.parameters())[0] is marked


def test_a_buffer_is_a_marked_tensor():
    b = nn.Buffer(runtime.ones(2), persistent=False)
    assert type(b) is runtime.Tensor and isinstance(b, nn.Buffer) and b.persistent is False
    assert not isinstance(runtime.ones(2), nn.Buffer)


# ---- conversion


def test_conversion_keeps_parameters_and_leaves_integers_alone():
    net = nn.BatchNorm1d(3)
    weight = net.weight
    for method, dtype in ("double", runtime.float64), ("half", runtime.float16), ("bfloat16", runtime.bfloat16), ("float", runtime.float32):
        assert getattr(net, method)() is net
        assert net.weight is weight and net.weight.dtype == dtype and net.running_mean.dtype == dtype
        assert net.num_batches_tracked.dtype == runtime.int64
    assert net.to(runtime.float64).weight.dtype == runtime.float64
    assert net.to("cpu", runtime.float32).weight.dtype == runtime.float32
    assert net.to(runtime.ones(1, dtype=runtime.float64)).weight.dtype == runtime.float64
    assert net.to(device="cpu", dtype=runtime.float32, non_blocking=True).weight.dtype == runtime.float32
    assert net.type(runtime.float64).num_batches_tracked.dtype == runtime.float64
    assert net.cpu() is net and net.share_memory() is net
    with pytest.warns(UserWarning, match="Complex modules"):
        assert nn.Linear(1, 1).to(runtime.complex64).weight.dtype == runtime.complex64


def test_a_memory_format_is_for_images():
    net = nn.Conv2d(4, 4, 3).to(memory_format=runtime.channels_last)
    assert net.weight.is_contiguous(memory_format=runtime.channels_last) and net.bias.is_contiguous()


def test_a_module_on_meta_is_moved_empty():
    net = nn.Linear(2, 3, device="meta")
    assert net.weight.is_meta
    with pytest.raises(NotImplementedError, match="Please use torch.nn.Module.to_empty"):
        net.to("cpu")
    moved = net.to_empty(device="cpu")
    assert moved.weight.shape == (3, 2) and not moved.weight.is_meta and isinstance(moved.weight, nn.Parameter)


def test_modes_and_functions_reach_all_modules():
    net, seen = Net(), []
    net.eval()
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    assert net.apply(lambda m: seen.append(type(m).__name__)) is net
    assert seen == ["Linear", "Linear", "ReLU", "Sequential", "Net"]
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


# ---- calls and hooks


def test_forward_hooks_see_and_replace_arguments_and_results():
    net, seen = nn.Identity(), []
    handles = [
        net.register_forward_pre_hook(lambda m, args: (args[0] + 1,)),
        net.register_forward_pre_hook(lambda m, args: seen.append("first"), prepend=True),
        net.register_forward_hook(lambda m, args, out: out * 10),
        net.register_forward_hook(lambda m, args, kwargs, out: seen.append((args, kwargs, out)), with_kwargs=True),
    ]
    assert net(1) == 20
    assert seen == ["first", ((2,), {}, 20)]
    for handle in handles:
        handle.remove()
        handle.remove()
    assert net(1) == 1 and len(seen) == 2


def test_a_pre_hook_with_keyword_arguments_returns_both():
    class Sum(nn.Module):
        def forward(self, a, b=0):
            return a + b

    net = Sum()
    net.register_forward_pre_hook(lambda m, args, kwargs: ((args[0] * 2,), {"b": 5}), with_kwargs=True)
    assert net(1) == 7
    net.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"forward pre-hook must return None or a tuple of \(new_args, new_kwargs\), but got 3"):
        net(1)


def test_hooks_that_are_always_called_see_errors():
    class Fails(nn.Module):
        def forward(self):
            raise ValueError("no")

    net, seen = Fails(), []
    net.register_forward_hook(lambda m, args, out: seen.append("never"))
    net.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)

    def failing(m, args, out):
        raise KeyError("hook")

    net.register_forward_hook(failing, always_call=True)
    with pytest.raises(ValueError, match="no"), pytest.warns(UserWarning, match="silenced as another error was raised in forward: 'hook'"):
        net()
    assert seen == [None]


def test_hooks_of_all_modules_come_before_their_own():
    from runtime.nn.modules import module as hooks

    net, seen = nn.Identity(), []
    net.register_forward_pre_hook(lambda m, args: seen.append("own pre"))
    net.register_forward_hook(lambda m, args, out: seen.append("own"))
    with (
        hooks.register_module_forward_pre_hook(lambda m, args: seen.append("all pre")),
        hooks.register_module_forward_hook(lambda m, args, kwargs, out: seen.append("all"), with_kwargs=True),
    ):
        net(1)
    net(1)
    assert seen == ["all pre", "own pre", "all", "own", "own pre", "own"]


def test_kinds_of_backward_hooks_do_not_mix():
    net = nn.Identity()
    handle = net.register_full_backward_hook(lambda *a: None)
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full backward hooks on a single Module"):
        net.register_backward_hook(lambda *a: None)
    handle.remove()
    assert not net._backward_hooks


# ---- state dicts


def test_a_state_dict_holds_detached_tensors_of_the_same_memory():
    net = Net()
    state = net.state_dict()
    assert list(state) == ["scale", "seen", "first.weight", "first.bias", "inner.0.weight", "inner.0.bias", "shared.weight", "shared.bias"]
    assert type(state["scale"]) is runtime.Tensor and not state["scale"].requires_grad
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    assert list(net.state_dict(prefix="net."))[0] == "net.scale"
    assert state._metadata[""] == {"version": 1} and list(state._metadata) == ["", "first", "inner", "inner.0", "inner.1", "shared"]
    state["scale"].fill_(7)
    assert net.scale[0] == 7
    given = {}
    assert net.state_dict(destination=given) is given and "scale" in given
    with pytest.warns(FutureWarning, match="Positional args are being deprecated"):
        assert "p.scale" in net.state_dict({}, "p.")


def test_loading_copies_into_the_parameters_or_puts_others_in_place():
    source, target = Net(), Net()
    weight = target.first.weight
    assert repr(target.load_state_dict(source.state_dict())) == "<All keys matched successfully>"
    assert target.first.weight is weight and bool((weight == source.first.weight).all())
    weight.requires_grad_(False)
    state = source.state_dict()
    target.load_state_dict(state, assign=True)
    assert isinstance(target.first.weight, nn.Parameter) and target.first.weight is not weight and not target.first.weight.requires_grad
    assert target.first.weight.data_ptr() == source.first.weight.data_ptr()


def test_keys_that_do_not_match_are_reported():
    net = nn.Linear(1, 1)
    result = net.load_state_dict({"weight": runtime.ones(1, 1), "other": runtime.ones(1)}, strict=False)
    assert result.missing_keys == ["bias"] and result.unexpected_keys == ["other"]
    assert net.weight.item() == 1
    with pytest.raises(RuntimeError, match='Missing key.s. in state_dict: "bias"'):
        net.load_state_dict({"weight": runtime.ones(1, 1)})


def test_old_checkpoints_are_loaded():
    net = nn.BatchNorm1d(2)
    net.num_batches_tracked.fill_(4)
    net.load_state_dict({k: v for k, v in net.state_dict().items() if k != "num_batches_tracked"})
    assert net.num_batches_tracked == 4
    scalar = nn.Module()
    scalar.w = nn.Parameter(runtime.tensor(1.0))
    scalar.load_state_dict({"w": runtime.tensor([5.0])})
    assert scalar.w.item() == 5
    with pytest.raises(RuntimeError, match="Unexpected running stats buffer"):
        nn.InstanceNorm1d(2).load_state_dict({"running_mean": runtime.ones(2)})


def test_extra_state_is_saved_and_loaded():
    class Counted(nn.Module):
        count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    net, other = nn.Sequential(Counted()), nn.Sequential(Counted())
    net[0].count = 3
    assert net.state_dict() == {"0._extra_state": {"count": 3}}
    other.load_state_dict(net.state_dict())
    assert other[0].count == 3
    assert other.load_state_dict({}, strict=False).missing_keys == ["0._extra_state"]
    assert nn.Sequential(nn.ReLU()).load_state_dict(net.state_dict(), strict=False).unexpected_keys == ["0._extra_state"]


def test_hooks_of_state_dicts_change_what_is_saved_and_loaded():
    net, seen = nn.Linear(1, 1), []
    net.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", prefix, keep)))
    net.register_state_dict_post_hook(lambda m, state, prefix, meta: state.update(added=1))
    net._register_state_dict_hook(lambda m, state, prefix, meta: {**state, "more": 2})
    assert list(net.state_dict()) == ["weight", "bias", "added", "more"] and seen == [("pre", "", False)]

    net = nn.Sequential(nn.Linear(1, 1))

    def rename(m, state, prefix, meta, strict, missing, unexpected, errors):
        seen.append(type(m).__name__)
        state[prefix + "weight"] = state.pop(prefix + "old")

    net[0].register_load_state_dict_pre_hook(rename)
    net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    net.load_state_dict({"0.old": runtime.ones(1, 1)})
    assert net[0].weight.item() == 1 and seen[-1] == "Linear"
    net.register_load_state_dict_post_hook(lambda m, keys: 3)
    with pytest.raises(AssertionError, match="are not expected to return new values"):
        net.load_state_dict({"0.old": runtime.ones(1, 1)})


def test_a_post_hook_returns_nothing():
    net = nn.Identity()

    def hook(m, state, prefix, meta):
        return state

    net.register_state_dict_post_hook(hook)
    with pytest.raises(RuntimeError, match="state_dict post-hook must return None"):
        net.state_dict()
    with pytest.raises(RuntimeError, match="Cannot register the same function"):
        net._register_state_dict_hook(hook)


def test_meta_parameters_take_no_values_without_assignment():
    net = nn.Linear(1, 1, device="meta")
    state = nn.Linear(1, 1).state_dict()
    with pytest.warns(UserWarning, match="which is a no-op"):
        net.load_state_dict(state)
    net.load_state_dict(state, assign=True)
    assert not net.weight.is_meta


def test_a_prefix_is_stripped_from_names_and_metadata():
    from runtime.nn.modules.utils import consume_prefix_in_state_dict_if_present

    state = nn.Sequential(nn.Linear(1, 1)).state_dict(prefix="module.")
    consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == ["0.weight", "0.bias"] and set(state._metadata) == {"", "0"}


def test_a_module_can_be_copied_and_pickled_with_its_hooks():
    net = nn.Sequential(nn.Linear(2, 2))
    net.register_load_state_dict_pre_hook(_record)
    for copied in copy.deepcopy(net), pickle.loads(pickle.dumps(net)):
        assert copied[0].weight is not net[0].weight and bool((copied[0].weight == net[0].weight).all())
        copied.load_state_dict(net.state_dict())
        assert copied.recorded and not hasattr(net, "recorded")


def _record(module, *others):
    module.recorded = True


# ---- printing


@pytest.mark.oracle
@pytest.mark.parametrize(
    "text",
    [
        "nn.Module()", "nn.Sequential()", "nn.Sequential(nn.Linear(1, 2), nn.Sequential(nn.ReLU()))",
        "nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Sequential(nn.Tanh()), nn.Sequential(nn.Tanh()), nn.ELU()])", "nn.ModuleList()",
        "nn.ModuleDict({'a': nn.ReLU(), 'b': nn.Linear(1, 1)})", "nn.ParameterList([torch.ones(2, 3), 3, nn.Parameter(torch.ones(2))])",
        "nn.ParameterDict({'b': torch.ones(2, 3), 'a': 'x'})", "nn.ParameterList()", "nn.MultiheadAttention(4, 2)",
        "nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 3)",
    ],
)  # fmt: skip
def test_containers_print_as_in_pytorch(text):
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert repr(eval(text, {"torch": runtime, "nn": nn})) == repr(eval(text, {"torch": torch, "nn": torch.nn}))


# ---- containers

SEQUENCES = """
names(s)
names(s[1:])
names(s[-1])
names(s + s)
names(s * 2)
names(2 * s)
names(s.append(nn.ELU()))
names(s.extend([nn.ELU(), nn.GELU()]))
names(s.insert(1, nn.ELU())), names(s)
names(s.insert(-1, nn.ELU())), names(s)
names(s.pop(1)), names(s)
s.__delitem__(slice(0, 2)), names(s)
s.__delitem__(0), names(s)
s.__setitem__(-1, nn.ELU()), names(s)
names(s.__iadd__(nn.Sequential(nn.ELU())))
names(s.__imul__(3))
len(s), [type(m).__name__ for m in s]
""".strip().split("\n")


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["Sequential(*made)", "ModuleList(made)"])
@pytest.mark.parametrize("expression", SEQUENCES)
def test_sequences_of_modules_act_as_in_pytorch(kind, expression):
    torch = pytest.importorskip("torch")
    results = []
    for m in runtime, torch:
        names = {
            "nn": m.nn,
            "made": [m.nn.ReLU(), m.nn.Tanh(), m.nn.Sigmoid()],
            "names": lambda s: [(k, type(v).__name__) for k, v in s._modules.items()] if hasattr(s, "_modules") else s,
        }
        names["s"] = eval(f"nn.{kind}", names)
        try:
            results.append(eval(expression, names))
        except Exception as error:
            results.append(type(error))
    assert results[0] == results[1]


def test_a_sequential_takes_names():
    from collections import OrderedDict

    net = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.ReLU()))
    assert net.a is net[0] and list(net.state_dict()) == ["a.weight", "a.bias"]
    assert net(runtime.ones(1, 2)).shape == (1, 3)


def test_dicts_of_modules_and_parameters_act_as_dicts():
    modules = nn.ModuleDict({"a": nn.ReLU()})
    modules["b"] = nn.Tanh()
    modules.update([("c", nn.ELU())])
    assert list(modules) == list(modules.keys()) == ["a", "b", "c"] and "b" in modules and len(modules) == 3
    assert type(modules.pop("b")) is nn.Tanh and [type(m).__name__ for m in modules.values()] == ["ReLU", "ELU"]
    del modules["a"]
    modules.clear()
    assert len(modules) == 0

    p = nn.ParameterDict({"b": runtime.ones(1), "a": runtime.zeros(1)})
    assert list(p) == ["a", "b"] and isinstance(p["a"], nn.Parameter) and list(reversed(p)) == ["b", "a"]
    joined = p | nn.ParameterDict({"c": runtime.ones(2)})
    assert list(joined) == ["a", "b", "c"] and list(p) == ["a", "b"] and joined["a"] is p["a"]
    p |= {"d": runtime.ones(1)}
    assert p.setdefault("e", 3) == 3 and p.get("nothing", 5) == 5 and p.popitem() == ("e", 3)
    assert list(dict(p.items())) == ["a", "b", "d"] and len(list(p.values())) == 3 and list(p.fromkeys("xy", 1)) == ["x", "y"]
    del p["a"]
    assert p.pop("b").shape == (1,) and list(p.copy()) == ["d"]
    p.clear()
    assert len(p) == 0 and list(p.parameters()) == []


def test_a_list_of_parameters_acts_as_a_list():
    p = nn.ParameterList([runtime.ones(1), 3])
    p.append(runtime.zeros(2))
    p += [runtime.zeros(3)]
    p[0] = runtime.zeros(4)
    assert [getattr(v, "shape", v) for v in p] == [(4,), 3, (2,), (3,)] and len(p) == 4
    assert len(p[1:3]) == 2 and p[-1].shape == (3,)
    assert [name for name, _ in p.named_parameters()] == ["0", "2", "3"]


# ---- backward hooks


def backward_calls(m):
    """What full backward hooks and pre-hooks see and change, in a network of products."""

    class Product(m.nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = m.nn.Parameter(m.tensor(factor))

        def forward(self, x, *others):
            return x * self.factor

    seen = []

    def note(name, change=None):
        def hook(module, *gradients):
            seen.append((name, [[None if g is None else g.tolist() for g in grads] for grads in gradients]))
            return change(*gradients) if change else None

        return hook

    net = m.nn.Sequential(Product([2.0, 3.0]), Product([5.0, 7.0]))
    net[0].register_full_backward_hook(note("first"))
    net[0].register_full_backward_hook(note("before"), prepend=True)
    net[1].register_full_backward_hook(note("second", lambda inputs, outputs: (inputs[0] * 10,)))
    net[1].register_full_backward_pre_hook(note("pre", lambda outputs: (outputs[0] + 1,)))
    x = m.ones(2, requires_grad=True)
    net(x).sum().backward()
    return seen, x.grad.tolist(), [p.grad.tolist() for p in net.parameters()]


@pytest.mark.oracle
def test_full_backward_hooks_see_and_change_gradients_as_in_pytorch():
    torch = pytest.importorskip("torch")
    assert backward_calls(runtime) == backward_calls(torch)


def test_full_backward_hooks_fire_without_gradients_of_inputs():
    net, seen = nn.Sequential(nn.Identity()), []
    net[0].w = nn.Parameter(runtime.ones(2))
    net[0].forward = lambda x: x * net[0].w
    net[0].register_full_backward_hook(lambda module, inputs, outputs: seen.append((inputs, outputs[0].tolist())))
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        net(runtime.ones(2)).sum().backward()
    assert seen == [((None,), [1, 1])]
    with no_grad():
        net(runtime.ones(2))
    assert len(seen) == 1


def test_a_backward_hook_returns_as_many_gradients_as_there_are():
    net = nn.Identity()
    with net.register_full_backward_hook(lambda module, inputs, outputs: (1, 2)):
        y = net(runtime.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="Backward hook returned an invalid number of grad_input, got 2, but expected 1"):
        y.sum().backward()
    with net.register_full_backward_pre_hook(lambda module, outputs: (1, 2)):
        y = net(runtime.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="Backward pre hook returned an invalid number of grad_output, got 2, but expected 1"):
        y.sum().backward()
    with net.register_full_backward_hook(lambda *a: None), pytest.warns(UserWarning, match="module output should be a Tensor or a tuple of"):
        net({"x": 1})


def test_hooks_at_the_node_of_a_result_warn_of_what_they_miss():
    seen = []

    class Twice(nn.Module):
        def forward(self, x):
            return x * 2 * 3

    net = Twice()
    net.register_backward_hook(lambda module, inputs, outputs: seen.append((module is net, outputs[0].tolist())))
    with pytest.warns(FutureWarning, match="when the forward contains multiple autograd Nodes"):
        net(runtime.ones(1, requires_grad=True)).sum().backward()
    assert seen == [(True, [1.0])]
    assert net(runtime.ones(1)).tolist() == [6]


def test_backward_hooks_of_all_modules():
    from runtime.nn.modules import module as hooks

    seen = []
    with (
        hooks.register_module_full_backward_hook(lambda module, inputs, outputs: seen.append(type(module).__name__)),
        hooks.register_module_full_backward_pre_hook(lambda module, outputs: seen.append("pre")),
    ):
        y = nn.Sequential(nn.Identity())(runtime.ones(1, requires_grad=True))
        y.sum().backward()
    assert seen == ["pre", "pre", "Identity", "Sequential"]
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full backward hooks as a global Module hook"):
        hooks.register_module_backward_hook(lambda *a: None)


# ---- gradients


def test_gradients_accumulate_in_parameters_until_they_are_dropped():
    w = nn.Parameter(runtime.tensor([2.0, 3.0]))
    net = nn.Module()
    net.w = w
    for expected in 4.0, 8.0:
        (net.w * net.w).sum().backward()
        assert w.grad[0] == expected
    grad = w.grad
    net.zero_grad(set_to_none=False)
    assert w.grad is grad and not grad.any()
    net.double()
    assert w.grad is grad and grad.dtype == runtime.float64 and w.requires_grad and w.is_leaf
    net.zero_grad()
    assert w.grad is None


def test_a_parameter_requires_gradients_where_none_are_recorded():
    with no_grad():
        assert nn.Parameter(runtime.ones(1)).requires_grad


def test_a_parameter_cannot_be_a_result():
    result = nn.Parameter(runtime.ones(1)) * 2
    result._is_param = True
    with pytest.raises(ValueError, match="Cannot assign non-leaf Tensor to parameter 'w'"):
        nn.Module().w = result
