"""Two tensors that take each other's place."""

import runtime


def swap_tensors(t1, t2):
    """Exchange what two tensors hold: every reference to one sees the other's values, gradient and attributes.

    Parameters
    ----------
    t1, t2 : Tensor
        Of the same class, and leaves of the graph of autograd.
    """
    if type(t1) is not type(t2):
        raise NotImplementedError(f"swap_tensors(): tensors of different classes, {type(t1).__name__} and {type(t2).__name__}, cannot be swapped")
    for name, t in ("t1", t1), ("t2", t2):
        if not t.is_leaf:
            raise NotImplementedError(f"swap_tensors(): {name} is no leaf; only tensors without a history can be swapped")
    held = [(t.data, t.requires_grad, t.grad, dict(t.__dict__)) for t in (t1, t2)]
    for t, (data, requires_grad, grad, attributes) in zip((t1, t2), reversed(held), strict=True):
        with runtime.no_grad():
            t.grad = None
            t.requires_grad_(False)
            t.data = data
            t.requires_grad_(requires_grad)
            t.grad = grad
        t.__dict__.clear()
        t.__dict__.update(attributes)
