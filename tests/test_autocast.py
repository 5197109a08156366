"""Autocast: regions, policies, kept casts, and the scaling of gradients."""

import gc
import pickle
import threading
import weakref

import pytest

import runtime as rt
from runtime import TorchDispatchMode, _core, amp
from runtime.amp import cpu as amp_cpu
from runtime.amp import cuda as amp_cuda
from runtime.amp import deprecated
from tests.conformance import compare

bf16, f16, f32, f64 = rt.bfloat16, rt.float16, rt.float32, rt.float64


@pytest.fixture
def a():
    return rt.ones(3, 3)


def enabled():
    return _core.is_autocast_enabled("cpu")


# ---- regions


def test_a_region_turns_autocast_on_and_restores_what_was(a):
    assert not enabled()
    with rt.autocast("cpu"):
        assert enabled() and (a @ a).dtype is bf16
        with rt.autocast("cpu", enabled=False):
            assert not enabled() and (a @ a).dtype is f32
        with rt.autocast("cpu", dtype=f16):
            assert _core.get_autocast_dtype("cpu") is f16 and (a @ a).dtype is f16
        assert (a @ a).dtype is bf16
    assert not enabled() and _core.get_autocast_dtype("cpu") is bf16 and (a @ a).dtype is f32


def test_an_exception_leaves_the_region():
    with pytest.raises(KeyError), rt.autocast("cpu", dtype=f16, cache_enabled=False):
        raise KeyError
    assert not enabled() and _core.is_autocast_cache_enabled() and _core.get_autocast_dtype("cpu") is bf16


def test_a_decorated_function_runs_in_a_region(a):
    @rt.autocast("cpu")
    def product(x):
        """Doc."""
        return x @ x

    assert product(a).dtype is bf16 and product.__doc__ == "Doc." and not enabled()
    with pytest.raises(TypeError, match=r"autocast\(\)\(func\) requires a callable, but got int"):
        rt.autocast("cpu")(3)


def test_the_state_belongs_to_the_thread():
    seen = []
    with rt.autocast("cpu", dtype=f16):
        thread = threading.Thread(target=lambda: seen.extend([enabled(), _core.get_autocast_dtype("cpu")]))
        thread.start()
        thread.join()
    assert seen == [False, bf16]


def test_the_key_is_excluded_unless_autocast_is_on():
    assert _core._dispatch_tls_is_dispatch_key_excluded("AutocastCPU")
    with rt.autocast("cpu"):
        assert not _core._dispatch_tls_is_dispatch_key_excluded("AutocastCPU")
        assert _core._dispatch_tls_is_dispatch_key_excluded("AutocastCUDA") and _core._is_any_autocast_enabled()
    assert not _core._is_any_autocast_enabled()


def test_what_regions_refuse():
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        rt.autocast(3)
    with pytest.raises(RuntimeError, match="unsupported scalarType"):
        rt.autocast("meta")
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'meta'"):
        rt.autocast("meta", dtype=bf16)
    with pytest.raises(RuntimeError, match="Expected one of cpu"):
        rt.autocast("nothing")
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported"):
        region = rt.autocast("cpu", dtype=f32)
    with region:
        assert not enabled()
    with pytest.warns(UserWarning, match="CUDA is not available"):
        rt.autocast("cuda")


def test_regions_are_entered_and_left_by_functions(a):
    region = amp._enter_autocast("cpu", f16, True, True)
    assert (a @ a).dtype is f16
    amp._exit_autocast(region)
    assert not enabled()


# ---- state functions


def test_state_functions_have_pytorchs_rules():
    assert _core.get_autocast_dtype("cuda") is f16 and not _core.is_autocast_enabled()
    _core.set_autocast_enabled(True)
    try:
        assert _core.is_autocast_enabled("cuda") and not _core.is_autocast_enabled("cpu")
    finally:
        _core.set_autocast_enabled("cuda", False)
    for call, error, text in (
        (lambda: _core.is_autocast_enabled(3), TypeError, r"argument 'device_type' \(position 1\) must be str, not int"),
        (lambda: _core.is_autocast_enabled("meta"), RuntimeError, "unknown device type for autocast"),
        (lambda: _core.set_autocast_enabled("cpu", "x"), TypeError, r"argument 'enabled' \(position 2\) must be bool, not str"),
        (lambda: _core.set_autocast_dtype("cpu", "x"), TypeError, "must be torch.dtype, not str"),
    ):
        with pytest.raises(error, match=text):
            call()
    assert _core.autocast_increment_nesting() == 1 and _core.autocast_decrement_nesting() == 0
    assert set(_core._autocast_supported_devices()) >= {"cpu", "cuda"} and amp.is_autocast_available("cpu")
    assert not amp.is_autocast_available("meta")


def test_names_for_single_devices_warn():
    with pytest.warns(DeprecationWarning, match=r"torch.is_autocast_cpu_enabled\(\) is deprecated. Please use torch.is_autocast_enabled\('cpu'\)"):
        assert deprecated.is_autocast_cpu_enabled() is False
    with pytest.warns(DeprecationWarning, match=r"Please use torch.set_autocast_dtype\('cpu', dtype\) instead"):
        deprecated.set_autocast_cpu_dtype(bf16)
    with pytest.warns(DeprecationWarning):
        assert deprecated.get_autocast_gpu_dtype() is f16
    with pytest.warns(FutureWarning, match=r"Please use `torch.amp.autocast\('cpu', args...\)` instead"):
        region = amp_cpu.autocast()
    with region:
        assert enabled()
    with pytest.warns(FutureWarning, match=r"torch.amp.GradScaler\('cpu', args...\)"):
        assert amp_cpu.GradScaler().is_enabled()
    with pytest.warns(FutureWarning, match="torch.cuda.amp.custom_fwd"):
        amp_cuda.custom_fwd(lambda ctx: None)


# ---- policies


def test_products_get_the_dtype_of_autocast_and_sums_of_them_stay(a):
    with rt.autocast("cpu"):
        y = rt.mm(a, a)
        assert y.dtype is bf16 and rt.nn.functional.linear(a, a).dtype is bf16 and y.sum().dtype is bf16 and (a + a).dtype is f32
        assert rt.addmm(a, y, a).dtype is bf16


def test_operators_that_need_precision_get_float32(a):
    half = a.to(bf16)
    with rt.autocast("cpu"):
        assert rt.nn.functional.mse_loss(half, half).dtype is f32 and rt.prod(half).dtype is f32 and rt.trace(half).dtype is f32


def test_operands_of_several_dtypes_meet_in_the_widest(a):
    half = a.to(bf16)
    with rt.autocast("cpu"):
        assert rt.cat([a, half]).dtype is f32 and rt.stack([half, half]).dtype is bf16
        assert rt.stack([half, half.to(f64)]).dtype is f64
        with pytest.raises(RuntimeError, match="Unexpected floating ScalarType"):
            rt.stack([a.to(f16), a.to(f16)])


def test_float64_and_integers_stay(a):
    i = rt.ones(2, 2, dtype=rt.int64)
    with rt.autocast("cpu"):
        assert rt.mm(a.to(f64), a.to(f64)).dtype is f64 and rt.mm(i, i).dtype is rt.int64
        with pytest.raises(RuntimeError, match="same dtype"):
            rt.mm(a, a.to(f64))


def test_optional_arguments_and_lists_are_cast_too(a):
    with rt.autocast("cpu"):
        assert rt.nn.functional.conv2d(rt.ones(1, 1, 3, 3), rt.ones(1, 1, 2, 2), rt.ones(1)).dtype is bf16
        assert rt.nn.functional.conv2d(rt.ones(1, 1, 3, 3), rt.ones(1, 1, 2, 2)).dtype is bf16


CUDA_POLICIES = {
    "aten::mm": "lower_precision_fp", "aten::exp": "fp32", "aten::sum": "fp32_set_opt_dtype", "aten::norm.Scalar": "fp32_append_dtype",
    "aten::dot": "promote", "aten::binary_cross_entropy": "banned",
}  # fmt: skip


@pytest.mark.parametrize("name", CUDA_POLICIES)
def test_cuda_has_policies_of_its_own(name):
    assert _core._dispatch_has_kernel_for_dispatch_key(name, "AutocastCUDA")
    assert not _core._dispatch_has_kernel_for_dispatch_key("aten::add.Tensor", "AutocastCUDA")


class Log(TorchDispatchMode):
    def __init__(self):
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(str(func).removeprefix("aten."))
        return func(*args, **(kwargs or {}))


def test_modes_see_the_casts(a):
    with rt.autocast("cpu"), Log() as log:
        rt.mm(a, a)
        rt.mm(a.to(bf16), a)
    assert log.seen == ["_to_copy.default"] * 2 + ["mm.default"] + ["_to_copy.default"] * 2 + ["mm.default"]


def test_a_fallthrough_of_the_users_skips_autocast(a):
    lib = rt.Library("aten", "IMPL")
    lib.impl("mm", rt.fallthrough_kernel, "AutocastCPU", allow_override=True)
    try:
        with rt.autocast("cpu"):
            assert rt.mm(a, a).dtype is f32
    finally:
        lib._destroy()


# ---- kept casts


def casts(*calls):
    with Log() as log:
        for call in calls:
            call()
    return log.seen.count("_to_copy.default")


def test_the_cast_of_a_weight_is_made_once(a):
    w = rt.ones(3, 3, requires_grad=True)
    with rt.autocast("cpu"):
        assert casts(lambda: rt.mm(w, w), lambda: rt.mm(w, w)) == 1
        with rt.autocast("cpu"):
            assert casts(lambda: rt.mm(w, w)) == 0
        assert casts(lambda: rt.mm(w, w)) == 0
        assert casts(lambda: rt.mm(a, a)) == 2
        _core.clear_autocast_cache()
        assert casts(lambda: rt.mm(w, w)) == 1
    with rt.autocast("cpu"):
        assert casts(lambda: rt.mm(w, w)) == 1
    with rt.autocast("cpu", cache_enabled=False):
        assert casts(lambda: rt.mm(w, w)) == 2


def test_only_leaves_of_float32_are_kept():
    w = rt.ones(3, 3, requires_grad=True)
    with rt.autocast("cpu"):
        y = w * 2
        assert casts(lambda: rt.mm(y, y)) == 2
        v = w.detach()
        assert casts(lambda: rt.mm(v, v)) == 2


def test_a_cast_made_in_no_grad_serves_recorded_calls():
    w = rt.ones(3, 3, requires_grad=True)
    with rt.autocast("cpu"):
        with rt._core.no_grad():
            rt.mm(w, w)
        y = rt.mm(w, w)
    assert y.requires_grad
    y.sum().backward()
    assert w.grad.dtype is f32 and w.grad.tolist() == [[6.0] * 3] * 3


def test_a_cast_of_another_dtype_does_not_serve():
    w = rt.ones(3, 3, requires_grad=True)
    with rt.autocast("cpu"):
        rt.mm(w, w)
        with rt.autocast("cpu", dtype=f16):
            assert rt.mm(w, w).dtype is f16


def test_weights_are_released_with_the_region():
    w = rt.ones(3, 3, requires_grad=True)
    with rt.autocast("cpu"):
        rt.mm(w, w)
    alive = weakref.ref(w)
    del w
    gc.collect()
    assert alive() is None


# ---- gradients


def test_gradients_have_the_dtype_of_the_arguments(a):
    w = rt.ones(3, 3, requires_grad=True)
    with rt.autocast("cpu"):
        y = rt.mm(a, w)
        loss = rt.nn.functional.mse_loss(y, a) if False else y.sum()
    loss.backward()
    assert y.dtype is bf16 and w.grad.dtype is f32 and w.grad.tolist() == [[3.0] * 3] * 3


class Context:
    """What `forward` and `backward` of a custom function share."""


def test_decorated_methods_of_custom_functions(a):
    @amp.custom_fwd(device_type="cpu", cast_inputs=f32)
    def forward(ctx, x):
        return x.dtype, enabled(), ctx._fwd_used_autocast

    @amp.custom_fwd(device_type="cpu")
    def plain(ctx, x):
        return x.dtype, enabled(), ctx._fwd_used_autocast

    @amp.custom_bwd(device_type="cpu")
    def backward(ctx, g):
        return enabled()

    ctx, half = Context(), a.to(bf16)
    with rt.autocast("cpu"):
        assert forward(ctx, half) == (f32, False, False)
        assert backward(ctx, half) is False
        assert plain(ctx, half) == (bf16, True, True)
    assert backward(ctx, half) is True and not enabled()
    assert forward(ctx, half) == (bf16, False, False)
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        amp.custom_fwd(device_type=3)


def test_containers_are_cast_inside(a):
    seen = {}

    @amp.custom_fwd(device_type="cpu", cast_inputs=f16)
    def forward(ctx, *args, **kwargs):
        seen.update(args=args, **kwargs)

    with rt.autocast("cpu"):
        forward(Context(), [a, (a, 3)], {"k": a}, "text", x=a, i=rt.ones(2, dtype=rt.int64), d=a.to(f64))
    (first, (second, three)), mapping, text = seen["args"]
    assert first.dtype is second.dtype is mapping["k"].dtype is seen["x"].dtype is f16 and (three, text) == (3, "text")
    assert seen["i"].dtype is rt.int64 and seen["d"].dtype is f64


# ---- GradScaler


class Descent:
    """The least that an optimizer has."""

    def __init__(self, *parameters):
        self.param_groups = [{"params": list(parameters)}]
        self.steps = 0

    def step(self):
        self.steps += 1
        return "stepped"


@pytest.fixture
def weight():
    w = rt.ones(2, requires_grad=True)
    return w


def set_grad(w, values, scale):
    w.grad = rt.tensor(values) * scale


def test_a_scaler_scales_and_unscales(weight):
    scaler, optimizer = amp.GradScaler("cpu", init_scale=8.0), Descent(weight)
    assert scaler.get_scale() == 8.0 and scaler.scale(rt.ones(2)).tolist() == [8.0, 8.0]
    nested = scaler.scale([rt.ones(1), (rt.ones(1),)])
    assert nested[0].item() == 8.0 and nested[1][0].item() == 8.0
    set_grad(weight, [1.0, 2.0], 8.0)
    scaler.unscale_(optimizer)
    assert weight.grad.tolist() == [1.0, 2.0]
    with pytest.raises(RuntimeError, match="has already been called on this optimizer since the last update"):
        scaler.unscale_(optimizer)
    assert scaler.step(optimizer) == "stepped"
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="is being called after step"):
        scaler.unscale_(optimizer)
    scaler.update()
    assert scaler.get_scale() == 8.0 and scaler._get_growth_tracker() == 1


def test_a_step_with_infinite_gradients_is_left_out_and_lowers_the_scale(weight):
    scaler, optimizer = amp.GradScaler("cpu", init_scale=8.0, growth_interval=2), Descent(weight)
    scaler.scale(rt.ones(1))
    for values, steps, scale in (([1.0, float("inf")], 0, 4.0), ([1.0, float("nan")], 0, 2.0), ([1.0, 1.0], 1, 2.0), ([1.0, 1.0], 2, 4.0)):
        set_grad(weight, values, 1.0)
        scaler.step(optimizer)
        scaler.update()
        assert (optimizer.steps, scaler.get_scale()) == (steps, scale)


def test_the_scale_can_be_set(weight):
    scaler = amp.GradScaler("cpu")
    with pytest.raises(AssertionError, match="Attempted update but _scale is None"):
        scaler.update()
    scaler.scale(rt.ones(1))
    with pytest.raises(AssertionError, match="No inf checks were recorded prior to update"):
        scaler.update()
    scaler.update(2.0)
    assert scaler.get_scale() == 2.0
    scaler.update(rt.tensor(4.0))
    assert scaler.get_scale() == 4.0
    with pytest.raises(AssertionError, match="new_scale should be a float"):
        scaler.update(rt.ones(2))


def test_a_scaler_that_is_not_enabled_does_nothing(weight):
    scaler, optimizer = amp.GradScaler("cpu", enabled=False), Descent(weight)
    outputs = rt.ones(1)
    assert scaler.scale(outputs) is outputs and scaler.step(optimizer) == "stepped" and scaler.state_dict() == {}
    scaler.unscale_(optimizer)
    scaler.update()
    assert scaler.get_scale() == 1.0 and not scaler.is_enabled()
    with pytest.warns(UserWarning, match="CUDA is not available"):
        assert not amp.GradScaler().is_enabled()


def test_the_state_of_a_scaler_can_be_saved():
    scaler = amp.GradScaler("cpu", init_scale=16.0, growth_interval=7)
    scaler.scale(rt.ones(1))
    other = amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict() == pickle.loads(pickle.dumps(scaler)).state_dict()
    with pytest.raises(RuntimeError, match="The source state dict is empty"):
        other.load_state_dict({})


def test_an_optimizer_that_scales_itself_finds_the_scale(weight):
    class Scaling(Descent):
        _step_supports_amp_scaling = True

        def step(self):
            return self.grad_scale.item(), self.found_inf.item()

    scaler, optimizer = amp.GradScaler("cpu", init_scale=8.0), Scaling(weight)
    scaler.scale(rt.ones(1))
    set_grad(weight, [1.0, float("inf")], 1.0)
    assert scaler.step(optimizer) == (8.0, 1.0)
    assert not hasattr(optimizer, "grad_scale")


def test_gradients_are_checked_and_multiplied_together():
    g, found = [rt.ones(2), rt.tensor([1.0, 2.0], dtype=f64)], rt.zeros(1)
    rt._amp_foreach_non_finite_check_and_unscale_(g, found, rt.tensor([0.5]))
    assert g[0].tolist() == [0.5, 0.5] and g[1].tolist() == [0.5, 1.0] and found.item() == 0
    with pytest.raises(RuntimeError, match="found_inf must be a 1-element tensor"):
        rt._amp_foreach_non_finite_check_and_unscale_(g, rt.zeros(2), rt.ones(1))


# ---- beside PyTorch

NAMES = ["mm", "matmul", "bmm", "addmm", "baddbmm", "add", "sum", "exp", "cat", "stack", "index_copy", "prod", "trace", "cdist", "linalg.inv",
         "linalg.svd", "fft.fft", "nn.functional.linear", "nn.functional.conv2d", "nn.functional.mse_loss", "nn.functional.prelu",
         "nn.functional.avg_pool3d", "nn.functional.nll_loss", "linalg.vecdot", "polar", "quantile", "softmax",
         "nn.functional.scaled_dot_product_attention", "nn.functional.cross_entropy", "nn.functional.grid_sample"]  # fmt: skip


# Where PyTorch does something else, and why that stays so.
DIFFERENT = {"two dtypes": "a kept cast of another dtype does not serve", "no device": "the error has the words of a compiled class"}


@pytest.mark.oracle
@pytest.mark.slow
def test_casts_custom_functions_and_state_are_pytorchs():
    pytest.importorskip("torch")
    compare.check("autocast.py", DIFFERENT)


@pytest.mark.oracle
def test_results_have_pytorchs_dtypes():
    pytest.importorskip("torch")
    from tests import lazy_oracle

    assert list(lazy_oracle.run("autocast", NAMES, most=3)) == []


@pytest.mark.oracle
@pytest.mark.parametrize("key", ["AutocastCPU", "AutocastCUDA", "Conjugate", "Negative", "ZeroTensor"])
def test_the_same_operators_have_kernels_of_their_own_at_a_key(key):
    torch = pytest.importorskip("torch")
    ours = {name for name in _core._dispatch_get_registrations_for_dispatch_key(key) if name.startswith("aten::")}
    theirs = {name for name in torch._C._dispatch_get_registrations_for_dispatch_key(key) if name.startswith("aten::")}
    have = set(_core._dispatch_get_all_op_names())
    missing = {name for name in theirs if name in have} - ours
    # A negative view of counts is resolved.
    assert missing - {"aten::repeat_interleave.Tensor"} == set()
    assert ours - theirs == set()
