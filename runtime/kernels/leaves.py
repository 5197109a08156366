"""The operators behind methods and functions of autograd's, and of `Tensor.cuda`."""


def requires_grad_(self, requires_grad=True):
    return self.requires_grad_(requires_grad)


def retain_grad(self):
    self.retain_grad()


def backward(self, gradient=None, retain_graph=None, create_graph=False):
    self.backward(gradient, retain_graph, create_graph)


def backward_TensorList(tensors, grad_tensors=None, retain_graph=None, create_graph=False):
    from runtime import autograd

    autograd.backward(tensors, grad_tensors, retain_graph, create_graph)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False):
    from runtime import autograd

    return list(autograd.grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused=allow_unused))


def _make_dual(primal, tangent, level):
    from runtime.autograd import forward_ad

    return forward_ad.make_dual(primal, tangent, level=level)


def _unpack_dual(dual, level):
    from runtime.autograd import forward_ad

    return tuple(forward_ad.unpack_dual(dual, level=level))


def _fw_primal(self, level):
    return _unpack_dual(self, level)[0]


def cuda(self):
    return self.cuda()
