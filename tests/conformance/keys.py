"""Dispatch keys between autograd and the kernels: BackendSelect, the keys for tests, and a device type of the user's own."""

import threading

import start
from start import log

import torch
import torch._C as C
from torch._C import DispatchKey, DispatchKeySet
from torch.library import Library
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration



def show(label, call):
    """As `start.show`, but of errors about missing kernels only what was called with what."""

    def run():
        try:
            return call()
        except NotImplementedError as e:
            return str(e).partition(" This could be because")[0]

    start.show(label, run)


# ---- BackendSelect


def t():
    lib = Library("aten", "IMPL")

    def ones(size, *, dtype=None, layout=None, device=None, pin_memory=None):
        log.append(f"{list(size)} {dtype} {device}")
        return torch.full(size, 7.0)

    lib.impl("ones", ones, "BackendSelect", allow_override=True)
    out = [torch.ones(2), torch.ones(1, dtype=torch.int64, device="cpu")]
    lib._destroy()
    return out, torch.ones(2)


show("a kernel at BackendSelect in the place of a built-in", t)


def t():
    lib = Library("bsel", "DEF")
    lib.define("make(int n, *, Device? device=None) -> Tensor")
    names = ("CPU", "BackendSelect", "AutogradCPU", "Meta")

    def select(keys, n, *, device=None):
        log.append(f"select from {[k for k in names if keys.has(getattr(DispatchKey, k))]}")
        key = DispatchKey.Meta if device is not None and device.type == "meta" else DispatchKey.CPU
        return torch.ops.bsel.make.default.redispatch(DispatchKeySet(key), n, device=device)

    lib.impl("make", select, "BackendSelect", with_keyset=True)
    lib.impl("make", lambda n, *, device=None: log.append("cpu") or torch.zeros(n), "CPU")
    lib.impl("make", lambda n, *, device=None: log.append("meta") or torch.zeros(n, device="meta"), "Meta")
    out = [torch.ops.bsel.make(2), torch.ops.bsel.make(2, device="meta"), torch.ops.bsel.make(2, device=torch.device("cuda"))]
    lib._destroy()
    return out


show("a factory of one's own selects its backend", t)
for name in """ones zeros full arange eye rand randn randint randperm linspace logspace scalar_tensor tril_indices hann_window _to_copy empty_like
empty_strided empty.memory_format empty_permuted fft_fftfreq new_empty zeros_like add.Tensor _efficientzerotensor""".split():
    show(f"BackendSelect of {name}", lambda: C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", "BackendSelect"))

# ---- keys that no backend has

two = torch.tensor(2.0)
for name in ("TESTING_ONLY_GenericWrapper", "TESTING_ONLY_GenericMode"):
    key = C._dispatch_key_parse(name)
    keys = DispatchKeySet(key)

    depth = 0

    def fallback(ks, op, *args, **kwargs):
        """Log what code calls, not what kernels are made of."""
        global depth
        if not depth:
            log.append(str(op))
        depth += 1
        try:
            return op.redispatch(ks & C._dispatch_keyset_full_after(key), *args, **kwargs)
        finally:
            depth -= 1

    lib = Library("_", "IMPL")
    lib.fallback(fallback, name, with_keyset=True)
    x = torch.tensor([-1.0, 2.0], requires_grad=True)

    def included(call):
        def run():
            with C._IncludeDispatchKeyGuard(key):
                return call()

        return run

    show(f"{name} forward", included(lambda: (x * two).relu().sum()))
    show(f"{name} views", included(lambda: (x.view(1, 2), x.t(), torch.cat([x, x]).unsqueeze(0))))

    def t():
        y = (x * two).sum()
        log.clear()
        y.backward()
        return x.grad

    show(f"{name} backward", included(t))

    def t():
        with C._ExcludeDispatchKeyGuard(keys):
            return x + two

    show(f"{name} excluded", included(t))

    def t():
        with torch.no_grad():
            return x.clone().add_(two)

    show(f"{name} no_grad", included(t))

    def t():
        with torch.inference_mode():
            return torch.zeros(1).exp()

    show(f"{name} inference", included(t))

    def t():
        thread_log = []
        thread = threading.Thread(target=lambda: thread_log.append(C._dispatch_tls_is_dispatch_key_included(name)))
        thread.start()
        thread.join()
        return thread_log, C._dispatch_tls_is_dispatch_key_included(name)

    show(f"{name} threads", included(t))
    own = Library("aten", "IMPL")
    own.impl("mul.Tensor", lambda a, b: a.clone(), name)
    show(f"{name} kernel of an operator", included(lambda: x * two))
    show(f"{name} has a kernel", lambda: C._dispatch_has_kernel_for_dispatch_key("aten::mul.Tensor", name))
    own._destroy()
    show(f"{name} has none again", lambda: C._dispatch_has_kernel_for_dispatch_key("aten::mul.Tensor", name))
    lib._destroy()
    show(f"{name} without fallback", included(lambda: x * two))

    lib = Library("_", "IMPL")
    lib.fallback(torch.library.fallthrough_kernel, name)
    show(f"{name} falls through", included(lambda: x * two))
    lib._destroy()

own = Library("gkeys", "DEF")
own.define("foo(Tensor x) -> Tensor")
own.impl("foo", lambda x: x + 1, "CompositeExplicitAutograd")
for name in """PreDispatch FuncTorchVmapMode PythonTLSSnapshot VmapMode BackendSelect ADInplaceOrView AutogradOther AutocastPrivateUse1 AutocastXPU
AutocastCUDA Nonsense""".split():

    def t():
        key = C._dispatch_key_parse(name)
        own.impl("foo", lambda x: x * 0 - len(name), name)
        x = torch.ones(1)
        with C._IncludeDispatchKeyGuard(key):
            return torch.ops.gkeys.foo(x)

    show(f"kernel at {name}", t)
own._destroy()

# ---- a device type of the user's own

utils = torch.utils
show("device", lambda: [torch.device("privateuseone"), torch.device("privateuseone", 1), C._dispatch_key_for_device("privateuseone")])
show("name", C._get_privateuse1_backend_name)
for bad in ("cpu", "cuda", 3):
    show(f"rename to {bad}", lambda: utils.rename_privateuse1_backend(bad))
show("rename", lambda: utils.rename_privateuse1_backend("npy"))
show("rename again", lambda: utils.rename_privateuse1_backend("npy"))
show("rename to another", lambda: utils.rename_privateuse1_backend("foo"))
show("new name", C._get_privateuse1_backend_name)
show("devices", lambda: [torch.device("npy"), torch.device("npy:1"), torch.device("privateuseone:1"), repr(torch.device("npy", 2))])
show("the same", lambda: torch.device("privateuseone") == torch.device("npy"))
show("unknown", lambda: torch.device("npyx"))
show("key of device", lambda: [C._dispatch_key_for_device("npy"), C._dispatch_key_for_device("privateuseone")])
for name in ("PrivateUse1", "npy", "AutogradPrivateUse1", "Autogradnpy"):
    show(f"parse {name}", lambda: C._dispatch_key_parse(name))
show("autocast", lambda: [torch.amp.is_autocast_available("npy"), sorted(C._autocast_supported_devices())])
show("autocast without module", lambda: torch.autocast("npy"))
show("no module", lambda: torch.get_device_module("npy"))


class Module:
    dtypes = [torch.float16]

    @staticmethod
    def is_available():
        return True

    @staticmethod
    def current_device():
        return 1


show("module of nothing", lambda: torch._register_device_module("nonsense", Module))
show("module", lambda: torch._register_device_module("npy", Module))
show("module again", lambda: torch._register_device_module("npy", Module).__name__)
show("found", lambda: [m is Module for m in (torch.npy, torch.get_device_module("npy"), torch.get_device_module(torch.device("npy:3")))])
show("module of meta", lambda: torch.get_device_module("meta"))
show("module of a float", lambda: torch.get_device_module(3.5))
show("function", lambda: backend_registration._get_custom_mod_func("current_device")())
show("missing function", lambda: backend_registration._get_custom_mod_func("nope"))
show("autocast without dtypes", lambda: torch.autocast("npy"))
Module.get_amp_supported_dtype = staticmethod(lambda: Module.dtypes)
show("autocast of an unsupported dtype", lambda: torch.autocast("npy", dtype=torch.float64)._enabled)
show("autocast of a supported dtype", lambda: torch.autocast("npy", dtype=torch.float16)._enabled)

show("methods", utils.generate_methods_for_privateuse1_backend)
show("methods again", utils.generate_methods_for_privateuse1_backend)
show("is_npy", lambda: torch.ones(1).is_npy)
show("who has them", lambda: [hasattr(torch.Tensor, "npy"), hasattr(torch.nn.Module, "npy"), hasattr(torch.UntypedStorage, "npy")])
show("npy of another device", lambda: torch.ones(1).npy("cpu"))
show("npy without kernels", lambda: torch.ones(1).npy())

if hasattr(C._acc, "register_python_privateuseone_hook"):  # what PyTorch's C++ side asks for
    C._acc.register_python_privateuseone_hook(backend_registration._DummyPrivateUse1Hook())
    C._acc.register_python_privateuseone_device_guard(backend_registration._DummyDeviceGuard())


class Npy(torch.Tensor):
    """A tensor of the device, whose elements another tensor holds."""

    @staticmethod
    def __new__(cls, raw, requires_grad=False):
        made = torch.Tensor._make_subclass(cls, C._acc.create_empty_tensor(raw.shape, raw.dtype), requires_grad)
        made.raw = raw
        return made

    def __init__(self, raw, requires_grad=False):
        pass


def raw_of(value):
    return value.raw if isinstance(value, Npy) else value


def kernel(name, function):
    def run(*args, **kwargs):
        log.append(name)
        return Npy(function(*map(raw_of, args), **kwargs))

    return run


def copy_from(source, target, non_blocking=False):
    log.append(f"copy {source.device} to {target.device}")
    raw_of(target).copy_(raw_of(source))
    return target


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, pin_memory=None):
    log.append(f"empty_strided {list(size)} {list(stride)} {dtype} {device}")
    return Npy(torch.zeros(size, dtype=dtype))


def empty(size, *, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    log.append(f"empty {list(size)} {dtype} {device}")
    return Npy(torch.zeros(size, dtype=dtype))


def fill(tensor, value):
    log.append("fill")
    tensor.raw.fill_(value)
    return tensor


x = Npy(torch.ones(2))
show("keys", lambda: C._dispatch_keys(x))
show("questions", lambda: [x.device, x.is_cpu, x.is_cuda, x.is_meta, x.is_npy, x.shape, x.stride(), x.dtype, x.get_device()])
show("text", lambda: x.__repr__(tensor_contents="u"))
show("add without kernels", lambda: x + x)
lib = Library("aten", "IMPL")
for name, function in {
    "add.Tensor": torch.add,
    "mul.Tensor": torch.mul,
    "sum": torch.sum,
    "expand": lambda t, size, implicit=False: t.expand(size),
    "ones_like": lambda t, **options: torch.ones_like(t),
    "view": lambda t, size: t.view(size),
}.items():
    lib.impl(name, kernel(name, function), "PrivateUse1")
show("no empty", lambda: torch.empty(2, device="npy"))
show("no empty_strided", lambda: torch.ones(2).to("npy"))
lib.impl("empty.memory_format", empty, "PrivateUse1")
lib.impl("empty_strided", empty_strided, "PrivateUse1")
show("no _copy_from", lambda: torch.ones(2).to("npy"))
lib.impl("_copy_from", copy_from, "PrivateUse1")
lib.impl("fill_.Scalar", fill, "PrivateUse1")
show("add", lambda: (x + x).raw)
show("class", lambda: (type(x + x).__name__, (x + x).device))
show("add of the CPU's", lambda: (x + torch.ones(2)).raw)
show("add of a number", lambda: (x + 1).raw)
for name, make in {
    "empty": lambda: torch.empty(2, device="npy"),
    "ones": lambda: torch.ones(2, device="npy:0"),
    "full": lambda: torch.full((2,), 3.0, device="npy"),
    "to": lambda: torch.ones(2).to("npy"),
    "to dtype": lambda: torch.ones(2).to("npy", torch.float64),
    "to of strided": lambda: torch.ones(2, 3).t().to("npy"),
    "npy": lambda: torch.ones(2).npy(),
    "npy(0)": lambda: torch.ones(2).npy(0),
    "itself": lambda: x.npy(0),
    "clone": x.clone,
}.items():
    show(name, lambda: make().raw)
show("back", lambda: [torch.equal(raw_of(t), torch.ones(2)) for t in (x.cpu(), x.to("cpu"))])
show("copy to the CPU", lambda: raw_of(torch.zeros(2).copy_(x)))
show("copy from the CPU", lambda: Npy(torch.zeros(2)).copy_(torch.ones(2)).raw)
show("module to the device", lambda: torch.nn.Linear(1, 1).npy().weight.device)
show("kernel that is not there", lambda: torch.sin(x))
show("sum", lambda: x.sum().raw)


def t():
    a = Npy(torch.tensor([-1.0, 2.0]), requires_grad=True)
    y = (a * Npy(torch.tensor([3.0, 4.0]))).sum()
    y.backward()
    return y.requires_grad, y.grad_fn.name(), a.grad.device, a.grad.shape


show("autograd", t)


def t():
    own = Library("pu1lib", "DEF")
    own.define("f(Tensor x) -> Tensor")
    own.impl("f", lambda x: Npy(x.raw * 2), "PrivateUse1")
    own.impl("f", lambda x: x * 3, "CPU")
    out = [torch.ops.pu1lib.f(x).raw, torch.ops.pu1lib.f(torch.ones(1))]
    own.impl("f", lambda x: torch.zeros(1), "AutogradPrivateUse1")
    out += [raw_of(torch.ops.pu1lib.f(x)), torch.ops.pu1lib.f(torch.ones(1))]
    own._destroy()
    return [v.tolist() for v in out]


show("an operator of one's own", t)


def t():
    everything = Library("_", "IMPL")
    own = Library("pu1fb", "DEF")
    own.define("g(Tensor x, int n=2) -> Tensor")

    def fallback(op, *args, **kwargs):
        log.append(f"{op} {len(args)}")
        return Npy(args[0].raw * 7)

    everything.fallback(fallback, "PrivateUse1")
    out = [torch.ops.pu1fb.g(x).raw, torch.ops.pu1fb.g(x, 3).raw]
    everything._destroy()
    own._destroy()
    return out


show("a fallback", t)
show("the device's name for a key", lambda: torch.library.impl("aten::cos", "npy")(lambda x: Npy(x.raw.cos())))
show("cos", lambda: torch.cos(Npy(torch.zeros(1))).raw)
lib._destroy()
show("destroyed", lambda: x + x)

# ---- the default device

FACTORIES = """ones(2) empty(1) tensor([1]) as_tensor([1]) asarray([1]) arange(3) zeros(1) full((1,),2) rand(1) randn(1) randint(3,(1,)) randperm(3)
eye(2) linspace(0,1,3) logspace(0,1,3) tril_indices(2,2) triu_indices(2,2) hann_window(3) hamming_window(3) bartlett_window(3) blackman_window(3)
kaiser_window(3) scalar_tensor(1) empty_strided((1,),(1,)) fft.fftfreq(3) fft.rfftfreq(3) nn.Linear(2,3).weight zeros_like(cpu) Tensor(2)
tensor(1.,device=None) ones(1,device="cpu") from_numpy(cpu.numpy()) normal(0.,1.,(1,))""".split()
cpu = torch.ones(1)
for code in FACTORIES:

    def t():
        with torch.device("meta"):
            return eval(f"torch.{code}").device

    show(f"in a device: {code}", t)


def t():
    out = [torch.get_default_device()]
    with torch.device("meta") as device:
        out += [device, torch.get_default_device()]
        with torch.device("cpu"):
            out.append(torch.ones(1).device)
        out.append(torch.ones(1).device)
    torch.set_default_device("meta")
    out += [torch.ones(1).device, torch.get_default_device()]
    with torch.device("cpu"):
        out.append(torch.ones(1).device)
    torch.set_default_device(torch.device("cpu"))
    out += [torch.ones(1).device]
    torch.set_default_device(None)
    return [*out, torch.ones(1).device, torch.get_default_device()]


show("default device", t)
show("a device is no decorator", lambda: torch.device("meta")(lambda: 1))
show("set_device", lambda: torch.utils._device.set_device("meta")(lambda: torch.ones(1).device)())


def t():
    with torch.device("meta"):
        raise ValueError("inside")


show("left by an error", t)
show("nothing is left", lambda: [torch.ones(1).device, torch.overrides._get_current_function_mode_stack()])


class Asked(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.ones:
            log.append(f"ones {kwargs or {}}")
        return func(*args, **(kwargs or {}))


def t():
    with Asked():
        with torch.device("meta"):
            out = [torch.ones(1).device]
        torch.set_default_device("meta")
        out.append(torch.ones(1).device)
    out.append(torch.ones(1).device)
    torch.set_default_device(None)
    return out, torch.ones(1).device


show("below other modes", t)
