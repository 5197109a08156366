"""What PyTorch's tests of layers begin with: `NNTestCase`, and small networks. Tables of layers have no entries here."""

from functools import partial

import runtime
from runtime.autograd.gradchecks import gradcheck
from runtime.nn import Module, Parameter, Sequential
from runtime.testing.common_utils import TestCase, freeze_rng_state

module_tests = []
criterion_tests = []
loss_reference_fns = {}


def get_new_module_tests():
    """Further entries of layers: none."""
    return []


class NNTestCase(TestCase):
    """A test case of layers."""

    def _forward(self, module, input, *args):
        with runtime.no_grad():
            return module(input, *args)

    def _get_parameters(self, module):
        params = list(module.parameters())
        return params, [p.grad for p in params]

    def _zero_grad_parameters(self, module):
        module.zero_grad(set_to_none=False)

    def check_jacobian(self, module, input, jacobian_input=True):
        """Compare a layer's gradients, of its input and parameters, with differences of its results."""
        inputs = input if isinstance(input, tuple) else (input,)
        names, params = zip(*module.named_parameters(), strict=True) if list(module.parameters()) else ((), ())

        def call(*values):
            given = dict(zip(names, values[len(inputs) :], strict=True))
            return runtime.nn.utils.stateless.functional_call(module, given, values[: len(inputs)])

        tracked = [x.detach().requires_grad_(jacobian_input and x.is_floating_point()) for x in inputs]
        self.assertTrue(gradcheck(call, (*tracked, *(p.detach().requires_grad_() for p in params))))


class _Inner(Module):
    def __init__(self):
        super().__init__()
        self.layer_dummy_param = Parameter(runtime.empty(3, 5))
        self.register_buffer("layer_dummy_buf", runtime.zeros(1, 3, 3, 7))


class _Outer(Module):
    def __init__(self):
        super().__init__()
        self.l1 = _Inner()
        self.dummy_param = Parameter(runtime.empty(3, 5))
        self.register_buffer("dummy_buf", runtime.zeros(7, 3, 3, 1))


def _create_basic_net():
    """A layer, a network with a layer of that kind, and a sequence that has the network twice."""
    net = _Outer()
    return _Inner(), net, Sequential(net, net)


def single_batch_reference_fn(input, parameters, module):
    """What a layer that takes batches gives for one sample, by a batch of one."""
    alone = partial(runtime.unsqueeze, dim=0)
    with runtime.no_grad(), freeze_rng_state():
        inputs = [alone(x) for x in (input if isinstance(input, (list, tuple)) else [input])]
        return module(*inputs).squeeze(0)


def _test_module_empty_input(test_case, module, inp, check_size=True, inference=False):
    """Call a layer with an input without elements, forward and, unless `inference`, backward."""
    if not inference:
        inp.requires_grad_(True)
    out = module(inp)
    if check_size:
        test_case.assertEqual(out.size(), inp.size())
    if inference:
        return
    out.backward(runtime.rand_like(out))
    for p in module.parameters():
        if p.requires_grad and p.grad is not None:
            test_case.assertEqual(p.grad, runtime.zeros_like(p.grad))
    test_case.assertEqual(inp.grad, runtime.zeros_like(inp))
