"""A ready-made wrapper: two tensors as one, every operator runs on both."""

import runtime
from runtime.testing.two_tensor import TwoTensor, TwoTensorMode

x = TwoTensor(runtime.arange(4.0), runtime.ones(4))
y = (x.view(2, 2) @ runtime.ones(2)).add_(1)
print(y.a, y.b)

with TwoTensorMode():
    made = runtime.zeros(3)
print(type(made).__name__, made + 1)
