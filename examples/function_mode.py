"""A torch function mode sees public functions and methods as they are called, before operators are chosen."""

import runtime
from runtime.overrides import TorchFunctionMode


class DefaultOnMeta(TorchFunctionMode):
    """Factories make tensors without memory unless they name a device."""

    factories = {runtime.ones, runtime.zeros, runtime.empty, runtime.randn}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in self.factories:
            kwargs.setdefault("device", "meta")
        return func(*args, **kwargs)


with DefaultOnMeta():
    product = runtime.ones(10_000, 20_000) @ runtime.zeros(20_000, 30_000)
    small = runtime.ones(2, device="cpu")
print(product.device, tuple(product.shape), small)
