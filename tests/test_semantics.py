"""Small expressions on tensors, each beside PyTorch's; and what must not end the process."""

import operator
import subprocess
import sys

import numpy as np
import pytest

import runtime

EXPRESSIONS = """
m.masked_fill(x,x>0,3.)._version|m.ones(1).expand(3).zero_()|m.ones(1).expand(3).fill_(2)|x.amax(None)|x.amax(dim=None)
m.amin(x,None)|m.rand(2,dtype=m.complex64).dtype|m.randn(2,dtype=m.complex128).dtype
m.bitwise_and(m.tensor([5],dtype=m.uint8),300)|m.tensor([5],dtype=m.uint8)+300|m.tensor([5],dtype=m.uint8)&300
m.tensor([5],dtype=m.uint8)==300|m.tensor([5],dtype=m.uint8).add_(300)|m.maximum(m.tensor([5],dtype=m.uint8),m.tensor(300))
m.tensor([5],dtype=m.uint8)*-1|m.tensor([5],dtype=m.int8)*1000
type(m.max(x,0,out=(m.zeros(2),m.zeros(2,dtype=m.int64)))).__name__|m.mm(x,x,out=m.zeros(2,2,dtype=m.int16))
m.argmax(x,out=m.zeros((),dtype=m.int16))|m.add(m.ones(2,dtype=m.int64),1,out=m.zeros(2,dtype=m.bool))|m.zeros(2,device='foo')
m.zeros(2,device=3.5)|m.zeros(2,dtype='f')|x.detach()._is_view()|x.detach()._base is None|x.view(m.float32)._is_view()
x.view(m.float32) is x|x.view(m.int32)._is_view()|m.cat([v,v],out=v)|setattr(x,'grad',None)|x.grad|np.float64(2)*v
v*np.float32(2)|v+np.ones(4)|m.zeros(np.int64(3))|m.zeros(m.tensor(3))|m.zeros(m.tensor(3),2)|m.zeros(2,np.int32(2))
x.view(np.int64(4))|x.reshape(m.tensor(4))|~x|~m.tensor([1,2])|~m.tensor([True])|x.__delitem__(0)
m.tensor(np.ones((2,3),order='F')).stride()|m.as_tensor(np.ones((2,3),order='F')).stride()
m.tensor(np.ones((3,2)).T[::-1]).stride()|m.tensor(np.broadcast_to(np.ones(3),(2,3))).stride()|m.from_dlpack(x,copy=True)
x.transpose(0.0,1)|m.ones(2,dtype=m.bool)-m.ones(2,dtype=m.bool)|-m.tensor([True])|ip(m,'ifloordiv',m.tensor([7,8]),2)
ip(m,'imod',m.tensor([7,8]),3)|ip(m,'ipow',m.tensor([7,8]),2)|ip(m,'iand',m.tensor([7,8]),3)|ip(m,'ior',m.tensor([7,8]),3)
ip(m,'ixor',m.tensor([7,8]),3)|ip(m,'itruediv',m.ones(2),3)|ip(m,'imul',m.ones(2),3)|ip(m,'imatmul',m.ones(2,2),m.ones(2,2))
m.mean(x,0,out=m.empty(0,dtype=m.int8))|m.sum(x,0,out=m.empty(0,dtype=m.int8))|m.prod(x,0,out=m.empty(0,dtype=m.int8))
m.cumsum(x,0,out=m.empty(0,dtype=m.int8))|m.mean(x,0,out=m.empty(0,dtype=m.float64))
m.mean(x,0,out=m.empty(0,dtype=m.complex64))|m.any(x,0,out=m.empty(0,dtype=m.uint8))|m.ones(2,dtype=m.complex64)*float('nan')
m.stack([cl,cl]).stride()|m.cat([])|m.stack([])|hash(x)==id(x)|x.new_tensor([1,2])|x.new_tensor(3.,dtype=m.int32)
m.__version__.split('.')[0].isdigit()|m.full((2,),2**64)|x.fill_(2**63)|x.fill_(2**70)|m.tensor([1],dtype=m.uint8).fill_(300)
m.bitwise_and(300,m.tensor([5],dtype=m.uint8))|m.remainder(300,m.tensor([7],dtype=m.uint8))
m.bitwise_xor(-1,m.tensor([5],dtype=m.uint8))|m.tensor([1,0,1]).nonzero().stride()|m.clamp(x)
m.ops.aten.index.Tensor(x,[m.tensor([0])]*3)|m.bmm(m.ones(1,2,2,dtype=m.bool),m.ones(1,2,2,dtype=m.bool))
m.mm(m.ones(2,2,dtype=m.uint8),m.ones(2,2,dtype=m.uint8))|m.bmm(m.ones(1,2,2,dtype=m.uint8),m.ones(1,2,2,dtype=m.uint8))
m.prod(x,dim=(0,1))|m.add(x,x,out=(x,))|m.add(x,x,foo=1)|m.relu(x,out=x)|x.sum(0,1,2)|m.tensor(float('inf')).to(m.uint32)
(m.ones(2,dtype=m.float16)*2).dtype|m.float8_e5m2|m.where(m.tensor(2.5))|m.adjoint(m.tensor(2.5))|m.relu(m.tensor([-0.]))
setat(a,m.tensor([True,False,True]),m.tensor(9.))|setat(a,m.tensor([True,False,True]),m.ones(1,1,1,1))
setat(a,m.tensor([True,False,True]),m.tensor(1j))|setat(a,m.tensor([0]),m.tensor([9.]))
m.conv2d(m.ones(1,0,3,3),m.ones(4,0,2,2)).shape|m.conv1d(m.ones(1,1,3),m.ones(1,1,2),stride=2**62)
m.ldexp(m.ones(1,dtype=m.float16),m.tensor([1]))|m.ldexp(m.ones(1),m.tensor([True]))|m.ldexp(m.tensor([1e-40]),m.tensor([200]))
m.ones(2,dtype=m.complex64)+float('inf')|m.ones(2,dtype=m.complex64)-float('inf')
m.searchsorted(m.tensor([1.,3.,float('nan')]),m.tensor([2.,float('nan')]))|m.searchsorted(m.tensor([1,3,5]),m.tensor([2.,float('nan')]))
m.kl_div(x,x)|m.hinge_embedding_loss(x,x)|m.margin_ranking_loss(x,x,x)|m.ops.aten.kl_div(x,x)|m.linalg.cond(m.empty(2,0,3))
m.linalg.svdvals(m.full((2,2),float('inf')))|m.nuclear_norm(m.ones(2,3,4,4))|m.lu(m.ones(2,4,4))[1]
m.nn.functional.adaptive_avg_pool2d(m.ones(2,0,3,3),1).shape|m.nn.functional.adaptive_avg_pool1d(m.ones(2,0,3),2).shape
m.nn.functional.hardtanh_(x,2**62)|m.nn.functional.max_pool1d(m.ones(1,3),2,2**62)|m.broadcast_shapes(1,None)
m.any(m.tensor([0.,-0.]).to(m.float8_e4m3fn))|m.all(m.tensor([.5]).to(m.float8_e8m0fnu))|m.isfinite(x.to(m.float8_e5m2))
m.full((2,),1000.,dtype=m.float8_e4m3fn)|m.full((2,),float('inf'),dtype=m.float8_e4m3fn)|m.is_signed(x.to(m.float8_e8m0fnu))
m.range(0,1,.25)|m._shape_as_tensor(x)|m._addmm_activation(v[:2],-x,x)|m._weight_norm(x,x[:,:1])|m.ops.aten._list_to_tensor([1,2])
m.ops.aten.is_strides_like_format(m.ones(2,3,4,5),m.channels_last)|m.typename(dict)|m.get_device(x)|m.ones(2,3).t().dim_order()
m.fake_quantize_per_channel_affine(x,m.tensor([.1,.5]),m.tensor([0,1],dtype=m.int32),0,0,5)|m.tensor([1.,2]).map_(v[:2],lambda p,q:p+q)
m.nn.functional.relu([x])|m.nn.functional.max_pool1d([1],2)|m.unique([1])|m.chain_matmul([1])|m.numel([1])|m.cartesian_prod([x])
m.bincount(a,minlength=2**62)|m.nn.functional.interpolate(m.ones(1,1,3),size=2**62)|m.histogram(m.tensor([1j]),3)|m.sort(m.tensor([1j]))
m.nn.functional.interpolate(m.ones(1,1,3),scale_factor=float('nan'))|m.nn.functional.pixel_shuffle(m.ones(1,4,2,2),2**40)
m.unravel_index(v,1)|m.std_mean(v.to(m.float8_e5m2))|m.nn.functional.pad(m.ones(2),(-5,5))|m.gradient(m.tensor([True,False]))
m.linalg.tensorinv(m.tensor(2.5))|m.fft.fftshift(m.tensor(2.5))|x[np.array(1)]._is_view()|m.where(m.empty(0,3))[1].storage_offset()
m.nonzero(m.zeros(2,2)).stride()|m.unique(m.empty(0)).stride()|m.cdist(m.empty(0,3),x[:,:1].expand(2,3)).stride()
m.isin(m.empty(0,2),a).stride()|m.linalg.inv(m.empty(0,0)).stride()|m.linalg.inv(m.eye(3)).stride()
m.linalg.cholesky_ex(m.full((2,2),float('nan')))[1]|m.vander(a,4)|m.vander(a,3,increasing=True)|m.combinations(a,5)|m.signal.windows.hann(4)
""".strip().replace("\n", "|").split("|")


def ip(m, name, x, y):
    """An in-place operator: whether it gives the same object, and its value."""
    result = getattr(operator, name)(x, y)
    return result is x, str(result)


def setat(x, index, value):
    """What a tensor holds after an assignment."""
    x[index] = value
    return x


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_give_what_pytorch_gives(expression):
    torch = pytest.importorskip("torch")
    outcomes = []
    for m in (runtime, torch):
        scope = {"m": m, "np": np, "ip": ip, "setat": setat, "x": m.ones(2, 2), "v": m.ones(4), "a": m.arange(3), "cl": None}
        try:
            outcomes.append(str(eval(expression, scope)))
        except Exception as error:
            outcomes.append(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    assert outcomes[0] == outcomes[1]


#: Each of these has ended the process, or kept it busy for ever.
HOSTILE = {
    "views of dtypes without elements": "[x.view(d) for d in (rt.qint8, rt.bits8, rt.uint4)]",
    "a dtype by its code": "rt.ops.aten.view(x, 12)",
    "more sizes than numbers": "x.as_strided((2**40, 2**40), (0, 0)).tolist()",
    "expansion beyond numbers": "rt.ones(1).expand(2**62, 4).sum()",
    "an object that nobody filled in": "repr(rt._core.OpOverload.__new__(rt._core.OpOverload))",
    "a packet that nobody filled in": "rt._core.OpOverloadPacket.__new__(rt._core.OpOverloadPacket)(x)",
    "a list that holds itself": "x[endless]",
    "repetitions whose sum wraps": "rt.repeat_interleave(rt.tensor([2**62] * 4))",
    "more parts than memory": "rt.tensor_split(x, 2**62)",
    "more columns than memory": "rt.vander(rt.arange(3), 2**62)",
    "lists where matrices are wanted": "rt.nn.functional.layer_norm([1], [1])",
    "a number that no uint64 is": "rt.ones(2, dtype=rt.uint64).__setitem__([0], -1)",
    "longer combinations than memory": "rt.combinations(rt.arange(3), 2**40)",
    "more rows than memory, without elements": "rt.zeros(0).view(2**62, 0).tolist()",
    "a file mapped for reading": "rt.from_numpy(mapped).add_(1)",
    "a file mapped for reading, as an output": "rt.sin(x, out=rt.from_numpy(mapped))",
    "a file mapped for reading, below the keys": "rt.ops.aten.add_.Tensor.redispatch(rt.DispatchKeySet('CPU'), rt.from_numpy(mapped), x)",
    "the storage of a file mapped for reading": "rt.from_numpy(mapped).untyped_storage().fill_(1)",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_calls_raise(what, tmp_path):
    (tmp_path / "data").write_bytes(bytes(16))
    code = (
        "import warnings, numpy as np, runtime as rt\n"
        "warnings.simplefilter('ignore')\n"
        f"mapped = np.memmap({str(tmp_path / 'data')!r}, dtype=np.float32, mode='r', shape=(4,))\n"
        "x, endless = rt.ones(4), []\n"
        "endless.append(endless)\n"
        f"try: {HOSTILE[what]}\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stdout.strip() in ("MemoryError", "RuntimeError", "TypeError", "ValueError"), done.stderr
