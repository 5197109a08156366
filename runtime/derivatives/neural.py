"""Formulas of neural networks' operators: convolution, pooling, softmax and embeddings."""

from runtime import ops

aten = ops.aten


def convolution_tangent(input, input_t, weight, weight_t, bias_t, *place):
    """The tangent of a convolution, which is linear in the input and in the weight."""
    return aten.convolution.default(input_t, weight, None, *place) + aten.convolution.default(input, weight_t, bias_t, *place)


def convolution_backward_tangent(grad_output, grad_output_t, input, input_t, weight, weight_t, bias_sizes, *place_and_mask):
    """The tangents of a convolution's gradients: each is a product of two of its arguments."""
    *place, mask = place_and_mask
    back = aten.convolution_backward.default
    first = back(grad_output_t, input, weight, bias_sizes, *place, mask)
    by_weight = back(grad_output, input, weight_t, None, *place, (mask[0], False, False))[0] if mask[0] else None
    by_input = back(grad_output, input_t, weight, None, *place, (False, mask[1], False))[1] if mask[1] else None
    return first[0] if by_weight is None else first[0] + by_weight, first[1] if by_input is None else first[1] + by_input, first[2]


def at_maxima(values, indices, space):
    """What a pool's input, or what is like it, holds at the places of the maxima: `indices` count within the last `space` dimensions."""
    if not indices.numel():
        return values.new_zeros(indices.shape)
    return values.flatten(-space).gather(-1, indices.flatten(-space)).view(indices.shape)


def softmax_double_backward(grad, grad_output, output, dim):
    """The gradient of ``output * (grad_output - sum(grad_output * output))`` with respect to `output`."""
    total = (output * grad_output).sum(dim, True)
    return grad_output * grad - total * grad - grad_output * (output * grad).sum(dim, True)


def embedding_double_backward(grad, indices, padding_idx, scale_grad_by_freq):
    """The gradient of the sums of rows by index: a look-up, without the rows of padding."""
    flat = indices.reshape(-1)
    rows = grad.index_select(0, flat)
    if padding_idx >= 0:
        rows = rows.masked_fill((flat == padding_idx).unsqueeze(1), 0)
    if scale_grad_by_freq:
        rows = rows / flat.bincount(minlength=grad.shape[0]).index_select(0, flat).unsqueeze(1)
    return rows.view(*indices.shape, grad.shape[1])
