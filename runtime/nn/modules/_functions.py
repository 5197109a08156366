"""The identity of full backward hooks: a graph node whose hooks see all gradients of a module's inputs, or outputs, at once."""

from runtime.autograd import Function


class BackwardHookFunction(Function):
    """Pass tensors through one node; those that need no gradient keep needing none."""

    @staticmethod
    def forward(ctx, *args):
        ctx.mark_non_differentiable(*[arg for arg in args if not arg.requires_grad])
        return args

    @staticmethod
    def backward(ctx, *args):
        return args
