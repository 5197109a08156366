"""The gradients of convolutions as functions, with respect to the input and to the weight."""

import runtime
from runtime.nn.modules.utils import _ntuple


def _gradient(dims, wanted, grad_output, input, weight, stride, padding, dilation, groups):
    many = _ntuple(dims)
    mask = [i == wanted for i in range(3)]
    return runtime.ops.aten.convolution_backward(
        grad_output, input, weight, None, many(stride), many(padding), many(dilation), False, [0] * dims, groups, mask
    )[wanted]


def _functions(dims):
    def with_respect_to_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
        # Only the input's size matters.
        input = grad_output.new_empty(1).expand(input_size)
        return _gradient(dims, 0, grad_output, input, weight, stride, padding, dilation, groups)

    def with_respect_to_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
        weight = grad_output.new_empty(1).expand(weight_size)
        return _gradient(dims, 1, grad_output, input, weight, stride, padding, dilation, groups)

    for function, of in (with_respect_to_input, "input"), (with_respect_to_weight, "weight"):
        function.__name__ = function.__qualname__ = f"conv{dims}d_{of}"
        function.__doc__ = (
            f"The gradient of `conv{dims}d` with respect to its {of}, of which the size is given; the other arguments are the convolution's."
        )
    return with_respect_to_input, with_respect_to_weight


conv1d_input, conv1d_weight = _functions(1)
conv2d_input, conv2d_weight = _functions(2)
conv3d_input, conv3d_weight = _functions(3)
