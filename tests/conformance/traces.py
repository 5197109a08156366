"""What a logging mode sees of each expression; one line of output for an expression, then one for each operator."""

import copy

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

EXPRESSIONS = """
x.sum()
x[0,1:]
x[None,...,0]
x[i]
x[0]=5.
x[i]=5.
x[b]
x[b]=1.
x[0]=v
x[0]=x[1]
x[0, i]
x[:, [0,1]]
x[torch.tensor(1)]
x[...]
x[1:,2]=s
x[::2]
x[-1]
torch.tensor([1.,2.])
torch.tensor(3)
torch.tensor(x)
torch.as_tensor([1,2])
torch.as_tensor(x)
torch.from_numpy(__import__('numpy').ones(3))
x.to(torch.float64)
x.to(torch.float32)
x.to('cpu')
x.to('meta')
x.to(x)
x.to(dtype=torch.float64, copy=True)
x.to(torch.float32, copy=True)
x.double()
x.float()
x.cpu()
x.type(torch.float64)
x.type_as(n)
F.linear(x, W)
F.linear(x, W, torch.rand(5))
F.linear(b3, W)
F.linear(b3, W, torch.rand(5))
torch.matmul(b3, W.t())
torch.matmul(x, v)
torch.matmul(v, v)
torch.matmul(b3, v)
x @ W.t()
x.t().reshape(12)
x.reshape(4,3)
F.conv2d(im, w)
F.conv1d(sig, torch.rand(2,3,3))
F.conv_transpose2d(im, torch.rand(2,3,3,3))
x.detach()
x.data
x.data = y
F.dropout(x, .5, True)
F.dropout(x, .5, False)
s.item()
float(s)
int(s)
bool(s)
x.tolist()
torch.add(x, x, out=y)
x.size(); x.stride(); x.shape; x.numel(); x.dim(); len(x); x.is_contiguous(); x.device; x.dtype; x.layout
torch.softmax(x, 0)
x.softmax(-1)
F.softmax(x, 0)
F.log_softmax(x, 1)
x.flatten()
x.t().flatten()
torch.stack([x, y])
torch.chunk(x, 2)
x.chunk(2, 1)
x.split(2)
x.split([1,2])
torch.cat([x,y],1)
x.unbind()
for r in x: r
list(x)
x.std()
x.var(0)
torch.std_mean(x)
F.layer_norm(b3[0], [4])
F.layer_norm(x, [4], torch.ones(4), torch.zeros(4))
F.cross_entropy(x, torch.tensor([0,1,2]))
F.cross_entropy(x, y)
F.nll_loss(x, torch.tensor([0,1,2]))
F.max_pool2d(im, 2)
F.avg_pool2d(im, 2)
F.adaptive_avg_pool2d(im, 2)
x > 0
x == y
x != 0
x.norm()
x.norm(dim=0)
x.norm(1)
torch.norm(x, 2, 0)
torch.linalg.vector_norm(x)
torch.linalg.matrix_norm(x)
torch.einsum('ij,jk->ik', x, W.t())
torch.einsum('bij,bjk->bik', b3, b3.transpose(1,2))
torch.einsum('ii->i', sq)
torch.einsum('i,i', v, v)
torch.eye(3)
torch.full((2,), 3.)
torch.full((2,), 3)
torch.arange(3)
torch.arange(1, 5, 2)
torch.arange(0, 1, .5, dtype=torch.float64)
torch.rand(3)
torch.randn(3)
torch.randint(5, (3,))
torch.randperm(4)
torch.linspace(0, 1, 3)
torch.logspace(0, 1, 3)
torch.empty(3)
torch.empty((2,3), memory_format=torch.contiguous_format)
torch.empty_strided((2,3),(3,1))
torch.ones(3)
torch.ones([3], dtype=torch.int64)
torch.zeros(2, device='cpu')
torch.zeros(2, requires_grad=False)
torch.zeros(2, device='meta')
torch.zeros_like(x)
torch.ones_like(x, dtype=torch.float64)
torch.rand_like(x)
torch.randn_like(x)
torch.empty_like(x)
torch.full_like(x, 2)
torch.randint_like(x, 3)
x.new_zeros(3)
x.new_empty(3)
x.new_full((3,), 1.)
x.new_ones((3,))
x.new_tensor([1.])
x.new_empty_strided((2,2),(2,1))
x.clone()
repr(x)
repr(n)
repr(b)
str(torch.zeros(0))
f"{s:.2f}"
x.numpy()
x.requires_grad_()
x.contiguous()
x.t().contiguous()
x.expand(2,3,4)
x.view(-1)
x.view_as(y)
x.squeeze()
x.unsqueeze(0)
x.permute(1,0)
x.transpose(0,1)
x.T
x.mT
x.H
z.real
z.imag
z.abs()
torch.view_as_real(z)
z.resolve_conj()
x.narrow(0,1,1)
x.select(0,1)
x.diagonal()
x.unfold(0,2,1)
x.repeat(2,1)
x.tile(2)
x.repeat_interleave(2)
x.roll(1)
x.flip(0)
torch.tril(sq)
x.add_(1)
x += y
x *= 2
x -= 1
x /= 2
x **= 2
x + 1
1 + x
x - 1
1 - x
2 * x
x / 2
1 / x
x // 2
x % 2
x ** 2
2 ** x
-x
abs(x)
~b
b & b
b | True
n << 1
n >> 1
n ^ n
x.add(1, alpha=2)
torch.add(x, y, alpha=1)
torch.add(x, y, alpha=1.0)
torch.sub(x, 1)
torch.rsub(x, 1)
x.fill_(1)
x.zero_()
x.copy_(y)
x.set_(y)
x.resize_(2)
x.uniform_()
x.normal_()
x.random_(3)
x.bernoulli_(.5)
torch.bernoulli(x.clamp(0,1))
torch.multinomial(v, 2)
torch.normal(0., 1., (3,))
torch.normal(x, y)
x.clamp(0, 1)
x.clamp_min(0)
x.where(b, y)
x.masked_fill(b, 0)
x.masked_select(b)
x.nonzero()
x.nonzero(as_tuple=True)
x.max()
x.max(0)
x.min(0)
x.argmax()
x.sort()
x.argsort()
x.topk(2)
x.median()
x.median(0)
x.mean()
x.mean(0, True)
x.sum(0)
x.sum((0,1), keepdim=True)
x.prod()
x.any()
x.all(0)
x.cumsum(0)
x.logsumexp(0)
x.unique()
torch.cdist(x, y)
torch.dist(x, y)
torch.dot(v, v)
torch.mm(x, W.t())
torch.bmm(b3, b3.transpose(1,2))
torch.addmm(sq, x, y.t())
torch.mv(x, v)
torch.cross(sq, sq, dim=0)
torch.trace(sq)
torch.det(sq)
torch.inverse(sq)
torch.linalg.inv(sq)
torch.linalg.solve(sq, sq)
torch.linalg.qr(sq)
torch.linalg.eigh(sq)
torch.linalg.cholesky(sq @ sq.t() + torch.eye(3))
torch.linalg.det(sq)
torch.linalg.matrix_power(sq, 3)
torch.linalg.pinv(sq)
torch.linalg.multi_dot([sq, sq, sq])
torch.linalg.lstsq(sq, sq)
torch.tensordot(x, y, dims=([1],[1]))
torch.gather(x, 1, torch.tensor([[0],[1],[2]]))
x.scatter(1, torch.tensor([[0],[1],[2]]), 1.)
x.index_select(0, i)
x.index_add(0, i, x[i])
x.index_fill(0, i, 1.)
x.take(i)
x.put_(i, s.expand(2))
torch.meshgrid(v, v, indexing='ij')
torch.broadcast_tensors(x, v)
torch.atleast_2d(v)
torch.hstack([x, y])
torch.vstack([x, y])
torch.dstack([x, y])
torch.column_stack([v, v])
torch.allclose(x, y)
torch.equal(x, y)
torch.isnan(x)
torch.isinf(x)
torch.nan_to_num(x)
torch.searchsorted(v.sort().values, v)
torch.bucketize(v, v.sort().values)
torch.histc(x)
torch.fft.fft(v)
torch.fft.rfft(v)
torch.fft.ifft2(z)
torch.fft.fftshift(v)
F.relu(x)
F.relu(x, inplace=True)
F.gelu(x)
F.silu(x)
F.sigmoid(x)
F.tanh(x)
F.elu(x)
F.leaky_relu(x)
F.softplus(x)
F.hardtanh(x)
F.mse_loss(x, y)
F.l1_loss(x, y)
F.smooth_l1_loss(x, y)
F.binary_cross_entropy(x.clamp(0,1), y.clamp(0,1))
F.binary_cross_entropy_with_logits(x, y)
F.embedding(i, W)
F.pad(x, (1,1))
F.pad(im, (1,1,1,1), mode='reflect')
F.interpolate(im, scale_factor=2)
F.interpolate(im, size=(4,4), mode='bilinear')
F.group_norm(im, 1)
F.normalize(x)
F.unfold(im, 3)
F.grid_sample(im, torch.rand(1,4,4,2))
F.pixel_shuffle(torch.rand(1,4,2,2), 2)
F.glu(x)
F.prelu(x, torch.tensor(.1))
F.alpha_dropout(x, training=True)
F.max_pool2d(im, 2, return_indices=True)
F.adaptive_max_pool2d(im, 2)
F.huber_loss(x, y)
F.multi_margin_loss(x, torch.tensor([0,1,2]))
x.is_same_size(y)
x in [x]
5. in x
torch.is_nonzero(s)
torch.numel(x)
torch.is_tensor(x)
x.abs_()
x.addcmul(x, y, value=2)
x.lerp(y, .5)
x.pow(2)
torch.pow(2, x)
torch.float_power(x, 2)
torch.result_type(x, 1)
torch.can_cast(torch.float32, torch.int64)
torch.promote_types(torch.float32, torch.int64)
torch.frombuffer(bytearray(8), dtype=torch.float32)
torch.complex(x, y)
torch.polar(x, y)
torch.scalar_tensor(1.)
torch.tril_indices(3, 3)
torch.cartesian_prod(v, v)
torch.block_diag(x, y)
torch.rot90(x)
torch.swapaxes(x, 0, 1)
torch.movedim(x, 0, 1)
torch.unflatten(x, 1, (2,2))
torch.hann_window(4)
torch.Tensor([1,2])
torch.relu_(x)
torch.special.expit(x)
torch.special.logit(x)
torch.clone(x, memory_format=torch.contiguous_format)
x.sub_(y, alpha=2)
x.__setitem__((slice(None), 0), 1)
x.to(torch.float64, non_blocking=True)
x.unsafe_chunk(2)
x.tensor_split(2)
x.hsplit(2)
x.ravel()
x.swapdims(0,1)
torch._foreach_add([x,y], 1)
torch.addmv(v, x.t(), v[:3])
torch.baddbmm(b3[:, :, :3], b3, b3.transpose(1,2))
torch.count_nonzero(x)
torch.aminmax(x)
torch.nansum(x)
torch.cummax(x, 0)
torch.renorm(x, 2, 0, 1.)
torch.dropout(x, .5, True)
"""


def shown(value):
    if isinstance(value, torch.Tensor):
        return f"T{tuple(value.shape)}:{value.dtype}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(shown, value)) + "]"
    return repr(value)


class Log(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = [shown(a) for a in args] + [f"{k}={shown(v)}" for k, v in (kwargs or {}).items()]
        print("   ", f"{func}({', '.join(given)})")
        return func(*args, **(kwargs or {}))


def values():
    torch.manual_seed(0)
    made = {
        "x": torch.rand(3, 4) + 0.1, "y": torch.rand(3, 4) + 0.2, "v": torch.rand(4), "s": torch.tensor(2.0), "i": torch.tensor([0, 2]),
        "b": torch.tensor([[True, False, True, False]] * 3), "sq": torch.rand(3, 3) + torch.eye(3), "b3": torch.rand(2, 3, 4),
        "im": torch.rand(1, 2, 8, 8), "w": torch.rand(3, 2, 3, 3), "n": torch.arange(12).view(3, 4), "W": torch.rand(5, 4),
        "z": torch.rand(3, 4, dtype=torch.complex64), "sig": torch.rand(2, 3, 10),
    }  # fmt: skip
    return {"torch": torch, "F": F, "copy": copy, **made}


for expression in EXPRESSIONS.strip().splitlines():
    print("##", expression)
    given = values()
    with Log():
        exec(expression, given)
