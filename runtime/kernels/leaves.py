"""The operators behind methods of autograd's: whether a tensor takes part in it, and whether it keeps its gradient."""


def requires_grad_(self, requires_grad=True):
    return self.requires_grad_(requires_grad)


def retain_grad(self):
    self.retain_grad()
