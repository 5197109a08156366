"""A wrapper subclass of one's own: values with a unit, which additions check and products multiply."""

import runtime
from runtime.pytree import tree_map

aten = runtime.ops.aten


class Quantity(runtime.Tensor):
    @staticmethod
    def __new__(cls, value, unit):
        return cls._make_wrapper_subclass(cls, value.shape, dtype=value.dtype, device=value.device)

    def __init__(self, value, unit):
        self.value, self.unit = value, unit

    def __repr__(self):
        return f"{self.value.tolist()} {self.unit}"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        units = [a.unit for a in args if isinstance(a, cls)]
        if func in (aten.add.Tensor, aten.sub.Tensor) and len(set(units)) > 1:
            raise ValueError(f"{units[0]} and {units[1]} do not add up")
        inner = tree_map(lambda a: a.value if isinstance(a, cls) else a, args)
        unit = "*".join(sorted(units)) if func is aten.mul.Tensor else units[0]
        return cls(func(*inner, **(kwargs or {})), unit)


way, time = Quantity(runtime.tensor([3.0, 4.0]), "m"), Quantity(runtime.ones(2), "s")
print(way + way, "|", way * time, "|", way.sum())
try:
    way + time
except ValueError as error:
    print(error)
