"""How many floating-point operations a block does, by operator; and a formula for an operator that has none."""

import runtime
from runtime.nn import functional as F
from runtime.tools import FlopCounterMode

images, kernel = runtime.ones(8, 3, 32, 32), runtime.ones(16, 3, 3, 3)
with FlopCounterMode():
    features = F.conv2d(images, kernel, padding=1).flatten(1)
    F.linear(features, runtime.ones(10, features.shape[1]))

formulas = {runtime.ops.aten.exp: lambda x, out_shape=None: 10 * x.numel()}
with FlopCounterMode(display=False, custom_mapping=formulas) as counter:
    features.exp()
print(counter.get_total_flops())
