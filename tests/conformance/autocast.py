"""Autocast: which casts are made and kept, custom functions, and the functions over its state."""

import threading

from start import log, show

import torch
import torch._C as C
from torch import autocast
from torch.library import Library
from torch.utils._python_dispatch import TorchDispatchMode


class Seen(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        log.append(str(func).removeprefix("aten."))
        return func(*args, **(kwargs or {}))


w = torch.ones(2, 2, requires_grad=True)
x = torch.ones(2, 2)


def seen(label, call):
    """Show what a call returns and the operators that run below autocast."""

    def run():
        with Seen():
            return call()

    show(label, run)


# ---- casts


def t():
    with autocast("cpu"):
        x @ w
        x @ w
        w.t() @ x


seen("twice", t)


def t():
    with autocast("cpu"):
        x @ w
    with autocast("cpu"):
        x @ w


seen("two regions", t)


def t():
    with autocast("cpu"):
        x @ w
        with autocast("cpu"):
            x @ w
        with autocast("cpu", enabled=False):
            x @ w
        x @ w


seen("nested", t)


def t():
    with torch.no_grad(), autocast("cpu"):
        x @ w
        x @ w


seen("in no_grad", t)


def t():
    with autocast("cpu"):
        x @ w
        with torch.no_grad():
            x @ w


seen("no_grad last", t)


def t():
    with autocast("cpu"):
        with torch.no_grad():
            x @ w
        return (x @ w).grad_fn.next_functions[1][0].name()


seen("no_grad first", t)


def t():
    with autocast("cpu", cache_enabled=False):
        x @ w
        x @ w


seen("nothing kept", t)


def t():
    with autocast("cpu"):
        x @ w
        with autocast("cpu", cache_enabled=False):
            x @ w
        x @ w


seen("nothing kept inside", t)


def t():
    with autocast("cpu"):
        x @ w
        torch.clear_autocast_cache()
        x @ w


seen("cleared", t)


def t():
    with autocast("cpu", dtype=torch.float16):
        x @ w
        with autocast("cpu", dtype=torch.bfloat16):
            x @ w
        return x @ w


seen("two dtypes", t)
for label, make in {
    "no leaf": lambda: w * 1,
    "float64": lambda: torch.ones(2, 2, dtype=torch.float64, requires_grad=True).float(),
    "detached": lambda: w.detach(),
    "float16": lambda: torch.ones(2, 2, dtype=torch.float16, requires_grad=True),
    "view": lambda: w.t(),
    "no gradient": lambda: torch.ones(2, 2),
}.items():

    def t():
        v = make()
        with autocast("cpu"):
            return (x @ v).dtype, (x @ v).dtype

    seen(f"kept: {label}", t)


def t():
    with autocast("cpu"):
        x @ w
        with torch.no_grad():
            w.add_(1)
        out = x @ w
    with torch.no_grad():
        w.sub_(1)
    return out


seen("stale", t)


def t():
    with autocast("cpu"), torch.inference_mode():
        return (x @ w).dtype, (x @ w).dtype


show("inference mode", t)


def t():
    with autocast("cpu"):
        try:
            with autocast("cpu"):
                raise ValueError
        except ValueError:
            pass
        x @ w
        x @ w
        return torch.is_autocast_enabled("cpu")


seen("an error inside", t)


def t():
    w.grad = None
    with autocast("cpu"):
        y = (x @ w).sum()
    y.backward()
    return w.grad.dtype, y.dtype, y.grad_fn.next_functions[0][0].name()


show("backward", t)


def t():
    w.grad = None
    with autocast("cpu"):
        y = (x @ w).sum() + (x @ w).sum()
        y.backward()
    return w.grad


show("backward inside", t)


def t():
    out = []
    with autocast("cpu"):
        thread = threading.Thread(target=lambda: out.append((torch.is_autocast_enabled("cpu"), (x @ w).dtype)))
        thread.start()
        thread.join()
    return out


show("another thread", t)

# ---- custom functions


def function(device, cast_inputs):
    fwd = torch.amp.custom_fwd(device_type=device, **({} if cast_inputs is None else {"cast_inputs": cast_inputs}))

    class Product(torch.autograd.Function):
        @staticmethod
        @fwd
        def forward(ctx, x, w, unused=None):
            ctx.save_for_backward(x, w)
            log.append(f"forward {torch.is_autocast_enabled('cpu')} {x.dtype} {w.dtype}")
            return x @ w

        @staticmethod
        @torch.amp.custom_bwd(device_type=device)
        def backward(ctx, g):
            x, w = ctx.saved_tensors
            r = g @ w.t()
            log.append(f"backward {torch.is_autocast_enabled('cpu')} {torch.get_autocast_dtype('cpu')} {g.dtype} {r.dtype}")
            return r.to(x.dtype), (x.t() @ g.to(x.dtype)).to(w.dtype), None

    return Product


for device in ("cpu", "cuda"):
    for cast_inputs in (None, torch.float32, torch.float16):
        for enabled in (True, False):

            def t():
                a, b = torch.ones(2, 2, requires_grad=True), torch.ones(2, 2, requires_grad=True)
                with autocast("cpu", enabled=enabled):
                    y = function(device, cast_inputs).apply(a, b)
                y.float().sum().backward()
                return y.dtype, a.grad.dtype, b.grad.dtype

            show(f"custom function {device} {cast_inputs} {enabled}", t)


def t():
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float16)
    def forward(ctx, *args, **kwargs):
        log.append(str(torch.utils._pytree.tree_map(lambda v: getattr(v, "dtype", v), (args, kwargs))))

    class Context:
        pass

    one = torch.ones(1)
    forward(Context(), one, 3, k=one)
    with autocast("cpu"):
        forward(Context(), one, one.double(), one.int(), [one, {"a": one}], "s", k=one)


show("inputs that are cast", t)
show("custom_fwd without a device", lambda: torch.amp.custom_fwd(lambda ctx: 1))
show("custom_fwd of a number", lambda: torch.amp.custom_fwd(device_type=3))
show("custom_bwd without a device", lambda: torch.amp.custom_bwd())

# ---- state

for device in ("cpu", "cuda", "xpu", "hpu", "xla", "ipu", "mtia", "maia", "meta", "foo", "cuda:0", 3, None):
    show(f"available {device}", lambda: torch.amp.is_autocast_available(device))
    show(f"enabled {device}", lambda: torch.is_autocast_enabled(device))
    show(f"dtype {device}", lambda: torch.get_autocast_dtype(device))

    def t():
        before = torch.get_autocast_dtype(device)
        torch.set_autocast_dtype(device, torch.float16)
        out = torch.get_autocast_dtype(device)
        torch.set_autocast_dtype(device, before)
        return out, torch.get_autocast_dtype(device)

    show(f"set dtype {device}", t)

    def t():
        with autocast(device) as region:
            return torch.is_autocast_enabled(device), region.fast_dtype, region.device

    show(f"region {device}", t)


def t():
    torch.set_autocast_enabled("cuda", True)
    out = [torch.is_autocast_enabled(d) for d in ("cuda", "cpu")] + [torch.is_autocast_enabled(), C._is_any_autocast_enabled()]
    torch.set_autocast_enabled("cuda", False)
    return out, C._is_any_autocast_enabled()


show("several devices", t)
for label, call in {
    "dtype is a number": lambda: torch.set_autocast_dtype("cpu", 3),
    "enabled is a number": lambda: torch.set_autocast_enabled("cpu", 3),
    "enabled is a number, no device": lambda: torch.set_autocast_enabled(3),
    "no device": lambda: autocast(),
    "float32": lambda: autocast("cpu", dtype=torch.float32)._enabled,
    "int8": lambda: autocast("cpu", dtype=torch.int8)._enabled,
    "decorates a number": lambda: autocast("cpu")(3),
    "cpu.amp": lambda: torch.cpu.amp.autocast().device,
    "cuda.amp": lambda: torch.cuda.amp.autocast().device,
    "positional": lambda: autocast("cpu", torch.float16, False, False).fast_dtype,
    "nesting": lambda: torch.autocast_increment_nesting() - torch.autocast_decrement_nesting(),
    "state after all": lambda: [torch.is_autocast_enabled("cpu"), torch.is_autocast_cache_enabled()],
}.items():
    show(label, call)


def t():
    with autocast("cpu"):
        with C._DisableAutocast():
            inside = (x @ x).dtype, torch.is_autocast_enabled("cpu")
        return inside, (x @ x).dtype


show("_DisableAutocast", t)


def t():
    with autocast("cpu"):
        inside = C._dispatch_tls_is_dispatch_key_excluded("AutocastCPU")
    return inside, C._dispatch_tls_is_dispatch_key_excluded("AutocastCPU")


show("the key is excluded", t)


def t():
    own = Library("acu", "DEF")
    own.define("product(Tensor a, Tensor b) -> Tensor")
    own.impl("product", lambda a, b: a @ b, "CPU")

    def cast(a, b):
        log.append(f"{a.dtype} {b.dtype}")
        with C._ExcludeDispatchKeyGuard(C.DispatchKeySet(C.DispatchKey.AutocastCPU)):
            return torch.ops.acu.product(a.bfloat16(), b.bfloat16())

    own.impl("product", cast, "AutocastCPU")
    out = [torch.ops.acu.product(x, x).dtype]
    with autocast("cpu"):
        out.append(torch.ops.acu.product(x, x).dtype)
    own._destroy()
    return out


show("a kernel at AutocastCPU", t)


def t():
    @torch.library.custom_op("acu2::f", mutates_args=())
    def f(x: torch.Tensor) -> torch.Tensor:
        log.append(str(x.dtype))
        return x * 1

    f.register_autocast("cpu", torch.bfloat16)
    with autocast("cpu"):
        out = f(torch.ones(1)).dtype
    return out, f(torch.ones(1)).dtype


show("register_autocast", t)
for code in """nn.functional.linear(x,w) nn.functional.softmax(x,0) torch.cat([x,x.bfloat16()]) torch.stack([x,x.bfloat16()]) x+x.bfloat16()
torch.einsum('ij,kj->ik',x,w) torch.einsum('ij,k->ik',x,w[0]) torch.einsum('...ik,...j->ij',x[None],w[0]) torch.tensordot(x,w,2)
torch.tensordot(x[None,:1],w[None,:1],([2],[2])) torch.tensordot(x,w,1) nn.functional.bilinear(x,x,torch.ones(3,2,2))
nn.functional.mse_loss(x,w) nn.functional.binary_cross_entropy(x,x) nn.functional.conv1d(x[None],w[None]) torch.linalg.pinv(x)
torch.linalg.pinv(x[:0]) torch.fft.fft(x) x.prod() x.bfloat16().prod() torch.bmm(x[None],w[None]) torch.addmm(x,x,w) x.mv(w[0]) x[0].dot(w[0])
nn.functional.scaled_dot_product_attention(x[None],x[None],x[None]) nn.functional.layer_norm(x,(2,))""".split():

    def t():
        with autocast("cpu"):
            return eval(code.replace("nn.functional", "torch.nn.functional")).dtype

    show(code, t)
