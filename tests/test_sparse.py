"""Sparse tensors in coordinates: what they are, what operators make of them, their gradients, files and copies; and that wrong indices end in
errors, wherever they lead to memory. Expressions are evaluated with both libraries and compared."""

import copy
import io
import pickle
import warnings

import numpy as np
import pytest

import runtime as rt
from runtime import _core
from runtime.sparse import check_sparse_tensor_invariants

PLAIN = dict(
    d="torch.tensor([[0., 1, 2], [3, 0, 0]])",
    t="torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3., 4., 5.], (2, 3))",
    u="torch.sparse_coo_tensor([[1, 0, 1, 1], [0, 2, 0, 2]], [3., 4., 5., 7.], (2, 3))",
    c="torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3., -4., 5.], (2, 3)).coalesce()",
    h="torch.sparse_coo_tensor([[0, 1, 1]], [[3., 4.], [4., 5], [6, 7]], (2, 2))",
    n="torch.zeros(2, 3, layout=torch.sparse_coo)",
    z="torch.tensor(2.).to_sparse()",
    x="torch.sparse_coo_tensor([[0, 1], [2, 0]], [3 + 1j, 4 - 2j], (2, 3))",
    k="torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3, 4, 5], (2, 3))",
    m="torch.arange(6.).reshape(3, 2)",
    b="torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 2], [0, 1, 1]], [3., 4., 5.], (2, 3, 2))",
)


def names(torch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # PyTorch says once that it checks no indices
        return {"torch": torch, **{name: eval(text, {"torch": torch}) for name, text in PLAIN.items()}}


def described(value, flags=True):
    """What two libraries must agree in, as values that can be compared."""
    if isinstance(value, BaseException):
        return "raises", [k.__name__ for k in type(value).__mro__ if k.__module__ == "builtins"]
    if isinstance(value, (list, tuple)):
        return [described(v, flags) for v in value]
    if not hasattr(value, "layout") or not hasattr(value, "shape"):
        return value if isinstance(value, (int, float, bool, str, complex)) or value is None else str(value)
    facts = [str(value.layout), str(value.dtype), tuple(value.shape), value.requires_grad]
    value = value.detach()
    if value.is_sparse:
        facts += [value.sparse_dim(), not flags or value._nnz() < 2 or value.is_coalesced()]
        value = value.to_dense()
    return [*facts, np.asarray(value.tolist())]


def same(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)
    if isinstance(a, tuple) and a[:1] == ("raises",):   # an error of the same class, or of one derived from it
        return isinstance(b, tuple) and b[:1] == ("raises",) and a[1][0] in b[1]
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(same, a, b))
    return a == b


def outcome(text, torch, scope):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(text, {**scope, "torch": torch})
        except Exception as e:
            return e


def check(texts, scope=names, flags=True):
    torch = pytest.importorskip("torch")
    wrong = []
    for text in texts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            want, got = (described(outcome(text, library, scope(library)), flags) for library in (torch, rt))
        if not same(want, got):
            wrong.append(f"{text}:\n  {want}\n  {got}: {outcome(text, rt, scope(rt))}")
    assert not wrong, "\n".join(wrong)


# ---- the tensor itself


def test_a_sparse_tensor_has_the_sparse_key_sizes_and_no_memory():
    t = rt.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3))
    assert str(_core._dispatch_keys(t)) == "DispatchKeySet(SparseCPU, ADInplaceOrView, AutogradCPU, AutocastCPU)"
    assert t.is_sparse and t.layout is rt.sparse_coo and t.stride() == (0, 0) and not t.is_contiguous()
    for access in (t.untyped_storage, t.data_ptr, t.tolist, t.numpy, t.__dlpack__, lambda: memoryview(t), lambda: t.nbytes):
        with pytest.raises((RuntimeError, TypeError, BufferError)):
            access()
    assert rt.ones(2).layout is rt.strided


def test_it_prints_its_indices_and_values():
    t = rt.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3), dtype=rt.float64)
    assert repr(t) == (
        "tensor(indices=tensor([[0, 1],\n"
        "                       [2, 0]]),\n"
        "       values=tensor([3., 4.]),\n"
        "       size=(2, 3), nnz=2, dtype=torch.float64, layout=torch.sparse_coo)"
    )


@pytest.mark.oracle
@pytest.mark.parametrize("name", PLAIN)
def test_it_prints_as_pytorchs(name):
    torch = pytest.importorskip("torch")
    assert repr(names(rt)[name]) == repr(names(torch)[name])


def test_what_shares_the_parts_stays_when_an_operator_writes():
    t = rt.sparse_coo_tensor([[0, 1]], [3.0, 4.0], (3,))
    held, version = t.detach(), t._version
    t.mul_(2)
    assert t.to_dense().tolist() == [6, 8, 0] and held.to_dense().tolist() == [3, 4, 0] and t._version == version + 1
    t.zero_()
    assert t._nnz() == 0 and held._nnz() == 2


def test_values_share_memory_with_the_tensor():
    t = rt.sparse_coo_tensor([[0, 1]], [3.0, 4.0], (3,)).coalesce()
    t.values()[0] = 7
    t._values()[1] = 8
    assert t.to_dense().tolist() == [7, 8, 0] and t.values()._base is t and t._values()._base is None


def test_a_tensor_that_gets_wider_keeps_its_elements():
    t = rt.sparse_coo_tensor([[0, 1]], [[1.0, 2.0], [3.0, 4.0]], (2, 2))
    t.sparse_resize_((3, 3), 1, 1)
    assert t.to_dense().tolist() == [[1, 2, 0], [3, 4, 0], [0, 0, 0]]


def test_plain_tensors_answer_questions_about_sparse_dimensions():
    x = rt.ones(2, 3)
    assert (x.sparse_dim(), x.dense_dim()) == (0, 2) and x.to_dense() is x
    for method in "coalesce", "indices", "values", "is_coalesced":
        with pytest.raises(RuntimeError, match=f"{method} expected sparse .*tensor layout but got Strided"):
            getattr(x, method)()


CONSTRUCTORS = """
torch.sparse_coo_tensor([[0,1]],[1.,2.]); torch.sparse_coo_tensor([[0,1]],[1.,2.],(1,)).shape; torch.sparse_coo_tensor([[0,-1]],[1.,2.])
torch.sparse_coo_tensor([0,1],[1.,2.]); torch.sparse_coo_tensor([[0,1]],[1.,2.,3.]); torch.sparse_coo_tensor([[0,1]],[1.,2.,3.],(2,))
torch.sparse_coo_tensor([[0,1]],[1.,2.],(2,3)); torch.sparse_coo_tensor([[0.,1]],[1.,2.]); torch.sparse_coo_tensor((2,3)); torch.sparse_coo_tensor(size=(2,3))
torch.sparse_coo_tensor([[0,1]],torch.tensor([1.,2.]),dtype=torch.int32); torch.sparse_coo_tensor([[0,1]],[1.,2.],requires_grad=True)
torch.sparse_coo_tensor([[0,0]],[1.,2.],(2,),is_coalesced=True,check_invariants=True); torch.sparse_coo_tensor([],[],()); torch.sparse_coo_tensor([],[],(0,))
torch.sparse_coo_tensor(torch.empty(0,1,dtype=torch.int64),[1.],()); torch.sparse_coo_tensor(torch.empty(1,0,dtype=torch.int64),[]); torch.sparse_coo_tensor([[0,1]],5.)
torch.sparse_coo_tensor(torch.empty(1,0,dtype=torch.int64),torch.empty(0,2),(3,2)); torch.sparse_coo_tensor([[1]],[1.],(2,)).is_coalesced()
torch.sparse_coo_tensor([[0,9]],[1.,2.],(2,),check_invariants=True); torch.sparse_coo_tensor([[0,1]],[[1.],[2.]],(2,2)); torch.sparse_coo_tensor([[0,1]],[[1.],[2.]])
torch.zeros(2,3,layout=torch.sparse_coo); torch.empty((2,3),layout=torch.sparse_coo,dtype=torch.int64); torch.ones(2,layout=torch.sparse_coo); torch.zeros(layout=torch.sparse_coo,size=())
torch.zeros_like(t); torch.empty_like(h); torch.zeros_like(t,dtype=torch.int64); torch.zeros_like(t,layout=torch.strided); t.new_zeros(2); t.new_empty((2,1)); torch.ones_like(t); torch.full_like(t,2); torch.rand_like(t)
d.to_sparse(); d.to_sparse(1); d.to_sparse(2); d.to_sparse(3); d.to_sparse(0); d.to_sparse(dense_dim=1); d.to_sparse(layout=torch.strided); d.to_sparse(blocksize=(1,1)); (d>1).to_sparse(); torch.zeros(2,0,3).to_sparse(1)
t.to_sparse(); t.to_sparse(1); t.to_sparse_coo(); d.to_sparse_coo(); torch.tensor(0.).to_sparse(); t.to_dense(); h.to_dense(); n.to_dense(); z.to_dense(); k.to_dense(); x.to_dense(); (d>1).to_sparse().to_dense(); d.to_dense(torch.int32)
"""  # noqa: E501

QUESTIONS = """
t.sparse_dim(); h.dense_dim(); t._nnz(); t.is_coalesced(); c.is_coalesced(); t.indices(); c.indices(); c.values(); t._indices(); t._values(); u.coalesce(); h.coalesce(); n.coalesce(); z.coalesce(); z.item(); t.item(); d._nnz(); d._indices()
t._coalesced_(True).indices(); t.clone(); c.clone(); t.detach(); c.detach().is_coalesced(); t.to(torch.int32); c.double(); t.bool(); t.type(); t.data; t.dim(); len(t); t.numel(); t.is_same_size(c); t.is_same_size(d); list(t); t.is_floating_point(); t.element_size()
t.sparse_resize_((4,4),2,0); t.sparse_resize_((1,1),2,0); t.sparse_resize_((2,3,4),2,1); n.sparse_resize_((5,),1,0); t.sparse_resize_and_clear_((1,1,5),2,1); t.resize_as_sparse_(h); n.resize_as_sparse_(h)
t.copy_(c); t.copy_(h); t.copy_(d); d.copy_(t); n.copy_(h); k.copy_(t); t.sparse_mask(c); d.sparse_mask(u); d.sparse_mask(c); u.sparse_mask(c); c.sparse_mask(u); d.sparse_mask(h); d.sparse_mask(d); c.sparse_mask(t.t()); d.sparse_mask(n); t.contiguous(); t.view(6); t.reshape(6); t.resize_(2)
t.is_contiguous(); t.storage_offset(); t.cpu(); t.numpy(); t.untyped_storage(); t.as_strided((2,),(1,)); t.expand(2,2,3); bool(t); bool(z); t == t; t > 0; torch.equal(t, t); t.nonzero(); t.fill_(1); torch.is_nonzero(z)
"""  # noqa: E501

POINTWISE = """
t+t; t+u; u+t; c+c; c+t; h+h; t+n; n+t; t+k; k+t; d+t; d+u; t+d; t+1; 1+t; t+h; d.double()+t; torch.add(t,u,alpha=2.5); torch.add(d,u,alpha=2); torch.add(k,k,alpha=1.5); t-u; d-u; 1-t; t.add_(u); k.add_(t); d.add_(u); d.t().contiguous().t().add_(u); t.sub_(c); t.double().add_(t); torch.ones(3)+t; z+z; t.bool()+t.bool()
t*2; t*2.5; k*2.5; 2*t; t*torch.tensor(2.); torch.tensor(2.)*t; t*z; t*t; u*t; t*u; c*c; h*h; t*d; d*t; c*d; t*torch.ones(3); t*torch.ones(2,1); t*h; n*t; t*n; k*t; t.mul_(2); t.mul_(u); k.mul_(2.5); d.mul_(t); t.mul_(d); x*x; x*2; t*1j; t*True; z*2
t/2; u/2; k/2; t/torch.tensor(2.); t/t; t/d; d/t; t.div_(2); k.div_(2); t//2; u//2; t.floor_divide(2); t.div(2,rounding_mode='floor'); u.div(2,rounding_mode='trunc'); 1/t; t/z
t.neg(); -u; u.neg_(); abs(c); c.abs(); u.abs(); c.sgn(); x.sgn(); x.abs(); x.conj(); x.conj_physical(); t.real; c.sign(); c.sin(); u.sin(); k.sin(); c.asin(); c.sinh(); c.asinh(); c.tan(); c.tanh(); c.atan(); (c/9).atanh(); c.ceil(); c.floor(); c.trunc(); c.frac(); c.round(); c.erf(); (c/9).erfinv(); c.expm1(); t.log1p(); t.sqrt(); c.deg2rad(); c.rad2deg(); c.relu(); u.relu(); c.relu_(); u.relu_(); c.sin_(); u.sin_()
c.isnan(); c.isinf(); c.isposinf(); c.isneginf(); c.signbit(); c.nan_to_num(); t.pow(2); u.pow(2); k.pow(2); t**2; t**0; t.pow(2.5); t.cos(); t.exp(); t.clamp(0,1); t.tril(); t.bernoulli(); torch.nn.functional.relu(c); torch.square(u); t.var(); t.mean(); t.max(); t.round(decimals=1)
"""  # noqa: E501

SHAPES = """
t.t(); t.T; c.t(); h.t(); t.transpose(0,1); t.transpose(-1,0); c.transpose(1,1); h.transpose(0,1); b.transpose(0,2); b.permute(2,0,1); b.permute(0,1,2); b.permute(0,0,1); b.permute(0,1); h.permute(1,0); t.permute(-1,0); t.t().t(); t.transpose(0,5); t.swapaxes(0,1); t.mT; x.mH
t.unsqueeze(0); t.unsqueeze(2); t.unsqueeze(-1); c.unsqueeze(1); h.unsqueeze(1); h.unsqueeze(2); h.unsqueeze(4); t[None]; t[0]; t[1]; t[-1]; t[0,2]; t[:,1]; t[5]; h[0]; h[1]; h[:,1]; c[1]; b[1]; b[:,2]; b[1,2,1]; t[0:1]; t.select(0,1); t.select(2,0); t.select(0,7); z[0]
t.unbind(); b.unbind(1); torch.cat([t,u]); torch.cat([t,u],1); torch.cat([h,h]); torch.cat([h,h],1); torch.cat([t,h]); torch.cat([t,d]); torch.cat([d,t]); torch.cat([t]); torch.cat([c,n],-1); torch.stack([t,u]); torch.stack([h,h],1); torch.stack([c,c],2); torch.stack([t,h]); torch.vstack([t,u]); torch.cat([t,t.t()])
t.index_select(0,torch.tensor([1])); t.index_select(1,torch.tensor([2,2,0])); h.index_select(1,torch.tensor([1,0])); h.index_select(0,torch.tensor([1,1])); t.index_select(0,torch.tensor([5])); t.index_select(0,torch.tensor([],dtype=torch.int64)); b.index_select(-1,torch.tensor([1,0,1])); t.index_select(0,d)
t.narrow_copy(0,0,1); t.narrow_copy(1,1,2); h.narrow_copy(1,1,1); t.narrow_copy(0,1,5); t.narrow(0,0,1); t.split(1); t.flatten(); t.squeeze_()
"""  # noqa: E501

REDUCTIONS = """
t.sum(); u.sum(); k.sum(); h.sum(); n.sum(); z.sum(); t.sum(0); u.sum(1); u.sum(-1); t.sum((0,1)); t.sum(0,keepdim=True); t.sum((0,1),keepdim=True); h.sum(0); h.sum(1); h.sum((0,1)); h.sum(1,keepdim=True); h.sum(0,keepdim=True); b.sum((0,2)); b.sum(1); t.sum(5); t.sum((0,0)); k.sum(0); t.sum(0,dtype=torch.float64); t.sum(dtype=torch.float64); n.sum(0)
torch.sparse.sum(u); torch.sparse.sum(u,0); torch.sparse.sum(u,(0,1)); torch.sparse.sum(k,0); torch.sparse.sum(u,dtype=torch.float64); torch.sparse.sum(u,1,dtype=torch.float64); torch.sparse.sum(h,0); torch.sparse.sum(h,1); torch.sparse.sum(h,(0,1)); torch.sparse.sum(d,0)
t.any(); n.any(); (t*0).any(); t.all(); t.norm(); u.norm(1); u.norm(0); u.norm(3); t.norm(2,dim=0); t.norm(2,dim=(0,1)); torch.norm(u); h.norm(); n.norm()
torch.sparse.softmax(u,1); torch.sparse.softmax(t,0); torch.sparse.softmax(h,1); torch.sparse.softmax(h,0); torch.sparse.softmax(n,0); torch.sparse.softmax(b,1); torch.sparse.softmax(u,-1,dtype=torch.float64); torch.sparse.softmax(t,4); torch.sparse.log_softmax(u,1); torch.sparse.log_softmax(h,0); torch.sparse.log_softmax(h,1); torch.sparse.log_softmax(b,0); torch.sparse.softmax(k,0)
"""  # noqa: E501

PRODUCTS = """
t@m; u@m; torch.mm(u,m); torch.sparse.mm(u,m); t@t.t(); u@u.t(); torch.sparse.mm(u,u.t()); torch.mm(u,t.t()); m@t; torch.sparse.mm(m,t); t@torch.ones(3); torch.mv(u,torch.ones(3)); u.mv(torch.ones(2)); t@d; t.mm(t); h@m; t.double()@m; n@m; n@n.t(); x@x.t(); x@m.to(torch.complex64); k@m.long()
torch.addmm(torch.ones(2,2),u,m); torch.addmm(torch.ones(2,2),u,m,beta=2,alpha=.5); torch.addmm(torch.ones(2),u,m); torch.sparse.addmm(torch.ones(2,2),u,m,beta=0); torch.ones(2,2).addmm_(u,m); torch.addmm(d,t,m); torch.addmm(torch.full((2,2),float('nan')),u,m,beta=0)
torch.bmm(torch.stack([t,u]),torch.ones(2,3,2)); torch.bmm(b,torch.ones(2,2,2)); torch.bmm(b,torch.ones(2,3,2)); torch.hspmm(u,m); torch.smm(u,m); torch.sspaddmm(torch.zeros(2,2,layout=torch.sparse_coo),u,m); torch.sspaddmm(c@c.t(),u,m,beta=2,alpha=3); torch.nn.functional.linear(m.t(),t); torch.dot(t[0],torch.ones(3))
"""  # noqa: E501


@pytest.mark.oracle
@pytest.mark.parametrize("group", ["CONSTRUCTORS", "QUESTIONS", "POINTWISE", "SHAPES", "REDUCTIONS", "PRODUCTS"])
def test_expressions_give_what_pytorchs_give(group):
    check([text.strip() for line in globals()[group].strip().splitlines() for text in line.split(";")])


# ---- over random tensors


def _random(rng, torch, shape, sparse_dim, nnz, dtype, coalesced):
    nnz = 0 if 0 in shape else nnz
    indices = np.stack([rng.integers(0, n, nnz) for n in shape[:sparse_dim]]) if sparse_dim else np.zeros((0, nnz), np.int64)
    values = rng.integers(-4, 5, (nnz, *shape[sparse_dim:]))
    made = torch.sparse_coo_tensor(torch.from_numpy(indices).clone(), torch.from_numpy(values).clone().to(getattr(torch, dtype)), shape)
    return made.coalesce() if coalesced else made


RANDOM = """
a+b; a*b; a-b; torch.add(a,b,alpha=3); a.coalesce(); a.to_dense(); a.sum(); a.sum(0); a.sum(-1); a.neg(); a.abs(); a*2; torch.cat([a,b]); torch.cat([a,b],-1); torch.stack([a,b],1); e+a; a*e; e.sparse_mask(a); a.sparse_mask(b); a.sparse_mask(b.coalesce()); a.unsqueeze(0); a.unsqueeze(-1); a.clone(); a.pow(2); a.to(torch.float64); a.index_select(0,torch.arange(e.shape[0]).flip(0)); a.select(0,0); a.narrow_copy(a.dim()-1,0,1); e.to_sparse(s); a.transpose(0,s-1); a.sign(); a.any(); a._nnz(); (a+b).coalesce()._nnz(); a.mul_(b); a.add_(b)
"""  # noqa: E501


@pytest.mark.oracle
def test_random_tensors_give_what_pytorchs_give():
    pytest.importorskip("torch")
    hypothesis = pytest.importorskip("hypothesis")
    from hypothesis import strategies as st

    texts = [t.strip() for t in RANDOM.strip().split(";")]

    @hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
    @hypothesis.given(
        st.integers(0, 2**32 - 1), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 7), st.integers(0, 7),
        st.sampled_from(["float32", "float64", "int64", "int32", "complex64"]), st.booleans(), st.booleans(), st.data(),
    )  # fmt: skip
    def run(seed, shape, first, second, dtype, known, other_known, data):
        sparse_dim = data.draw(st.integers(1, len(shape)))

        def scope(torch):
            rng = np.random.default_rng(seed)
            a = _random(rng, torch, tuple(shape), sparse_dim, first, dtype, known)
            b = _random(rng, torch, tuple(shape), sparse_dim, second, dtype, other_known)
            e = torch.from_numpy(rng.integers(-2, 3, shape)).to(getattr(torch, dtype))
            return {"a": a, "b": b, "e": e, "s": sparse_dim}

        check(data.draw(st.lists(st.sampled_from(texts), min_size=6, max_size=6, unique=True)), scope, flags=False)

    run()


@pytest.mark.oracle
def test_random_matrix_products_give_what_pytorchs_give():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    for dtype in "float32", "float64", "complex128", "int64":
        for _ in range(6):
            n, inner, p = (int(k) for k in rng.integers(1, 6, 3))
            seed = int(rng.integers(2**32))

            def scope(torch, seed=seed, shapes=((n, inner), (inner, p)), dtype=dtype):
                own = np.random.default_rng(seed)
                a, b = (_random(own, torch, shape, 2, int(own.integers(0, 9)), dtype, bool(own.integers(2))) for shape in shapes)
                return {"a": a, "b": b, "e": b.to_dense(), "v": torch.ones(shapes[1][0], dtype=getattr(torch, dtype))}

            check(["a@e", "a@v"] + (["a@b", "torch.sparse.mm(a,b)", "a.to_dense()@b"] if dtype != "int64" else []), scope)


# ---- gradients

GRADIENTS = """
g(lambda d:d.to_sparse(),d); g(lambda d:d.to_sparse(1),d); g(lambda t:t.to_dense(),t); g(lambda t:t.to_dense(),u); g(lambda t:t.to_dense(masked_grad=False),u); g(lambda t:t.coalesce(),u); g(lambda t:t.coalesce().values()**2,u)
g(lambda v:torch.sparse_coo_tensor([[0,1,1]],v,(3,)).to_dense()**2,torch.arange(3.)); g(lambda v:torch.sparse_coo_tensor([[0,1,1]],v,(3,)),torch.ones(3)); g(lambda v:torch.sparse_coo_tensor([[0,1]],v,dtype=torch.float64),torch.ones(2,2)); g(lambda d:d.sparse_mask(c),d); g(lambda t:t.sparse_mask(c),u)
g(lambda t:t@m,u); g(lambda t:torch.sparse.mm(t,m),u); g(lambda m:torch.sparse.mm(t,m),m); g(lambda m:t@m,m); g(lambda a,b:torch.mm(a,b),c,c.detach().t().coalesce()); g(lambda a,b:a+b,u,t); g(lambda a,b:a+b,d,t); g(lambda a,b:a*b,c,u); g(lambda a,b:a*b,d,t); g(lambda a:a*2,u); g(lambda a:a/2,t); g(lambda a:-a,t); g(lambda a:a.sin(),t)
g(lambda a:a.abs(),c); g(lambda a:a.relu(),c); g(lambda a:a**2,t); g(lambda a:a.sum(),t); g(lambda a:torch.sparse.sum(a),u); g(lambda a:torch.sparse.sum(a,0),u); g(lambda a:torch.sparse.sum(a,1),u); g(lambda a:torch.sparse.sum(a,0),h); g(lambda a:torch.sparse.sum(a,1),h); g(lambda a:torch.sparse.softmax(a,1)*c.detach(),u); g(lambda a:torch.sparse.log_softmax(a,1)*c.detach(),u); g(lambda a:torch.sparse.softmax(a,1),h)
g(lambda a:a.t(),u); g(lambda a:a.transpose(0,1).to_dense(),t); g(lambda a:a.permute(1,0),t); g(lambda a:torch.mv(a,torch.ones(3)),t); g(lambda v:torch.mv(t,v),torch.ones(3)); g(lambda a:torch.sparse.addmm(torch.ones(2,2),a,m),t); g(lambda e:torch.sparse.addmm(e,t,m,beta=2),torch.ones(2,2)); g(lambda a:torch.addmm(torch.ones(2,2),a,m),t); g(lambda a:a.to(torch.float64),t); g(lambda a:a.clone(),t); g(lambda a:a.detach(),t); g(lambda a:a._values(),t); g(lambda m:torch.bmm(torch.stack([t,t]),m),torch.ones(2,3,1))
"""  # noqa: E501


def _gradient_scope(torch):
    def g(function, *tensors):
        tensors = [t.requires_grad_() for t in tensors]
        out = function(*tensors)
        node = type(out.grad_fn).__name__
        (out if out.layout == torch.strided else torch.sparse.sum(out)).sum().backward()
        return [node, *(None if t.grad is None else t.grad.coalesce() if t.grad.is_sparse else t.grad for t in tensors)]

    return {**names(torch), "g": g}


@pytest.mark.oracle
def test_gradients_are_pytorchs():
    check([t.strip() for line in GRADIENTS.strip().splitlines() for t in line.split(";")], _gradient_scope)


def test_the_gradient_of_a_product_of_sparse_matrices_has_the_coordinates_of_the_factor():
    a = rt.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3)).requires_grad_()
    b = rt.sparse_coo_tensor([[2, 0], [0, 1]], [3.0, 4.0], (3, 2)).requires_grad_()
    rt.sparse.sum(rt.sparse.mm(a, b)).backward()
    assert a.grad.coalesce().indices().tolist() == [[0, 1, 1], [2, 0, 2]] and a.grad.to_dense().tolist() == [[0, 0, 3], [4, 0, 3]]
    assert b.grad.coalesce().indices().tolist() == [[0, 2], [1, 0]] and b.grad.to_dense().tolist() == [[0, 4], [0, 0], [8, 0]]


def test_gradcheck_varies_the_values():
    check = rt.sparse.as_sparse_gradcheck(rt.autograd.gradcheck)
    t = rt.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], [3.0, 4.0, 5.0], (2, 3), dtype=rt.float64).coalesce().requires_grad_()
    dense = rt.rand(3, 2, dtype=rt.float64, requires_grad=True)
    assert check(lambda a, b: rt.sparse.mm(a, b), (t, dense), masked=True)
    assert check(lambda a: rt.sparse.softmax(a, 1), (t,), masked=True)
    assert check(lambda a: a.to_dense(masked_grad=False), (t,))
    assert check(lambda a: rt.sparse.sum(a, 0), (t,), masked=True)
    with pytest.raises(rt.autograd.gradcheck.__globals__["GradcheckError"]):
        check(lambda a: (a.detach() * 2).to_dense() + a.to_dense(), (t,), masked=True)


EMBEDDINGS = """
w = torch.ones(5, 2, requires_grad=True)
out = {call}
(out * torch.arange(1., 1 + out.numel()).reshape(out.shape)).sum().backward()
result = [w.grad, w.grad.is_sparse]
"""


@pytest.mark.oracle
@pytest.mark.parametrize(
    "call",
    [
        "torch.nn.functional.embedding(torch.tensor([1, 2, 1]), w, sparse=True)",
        "torch.nn.functional.embedding(torch.tensor([[1, 2], [4, 1]]), w, sparse=True, padding_idx=1)",
        "torch.nn.functional.embedding_bag(torch.tensor([1, 2, 1, 4]), w, torch.tensor([0, 2]), sparse=True, mode='sum')",
        "torch.nn.functional.embedding_bag(torch.tensor([1, 2, 1, 4]), w, torch.tensor([0, 1, 1]), sparse=True, mode='mean')",
        "torch.nn.functional.embedding_bag(torch.tensor([1, 2, 1]), w, torch.tensor([0, 2]), sparse=True, mode='sum',"
        " per_sample_weights=torch.tensor([1., 2., 3.]))",
        "torch.nn.functional.embedding_bag(torch.tensor([1, 2, 1, 4]), w, torch.tensor([0, 2]), sparse=True, mode='mean', padding_idx=1)",
    ],
)
def test_sparse_gradients_of_tables_are_pytorchs(call):
    torch = pytest.importorskip("torch")
    results = []
    for library in torch, rt:
        scope = {"torch": library}
        exec(EMBEDDINGS.format(call=call), scope)
        results.append(described(scope["result"]))
    assert same(*results), results


def test_scaling_by_frequency_has_no_sparse_gradient():
    w = rt.ones(5, 2, requires_grad=True)
    out = rt.nn.functional.embedding(rt.tensor([1, 2]), w, sparse=True, scale_grad_by_freq=True)
    with pytest.raises(RuntimeError, match="scale_grad_by_freq not supported with sparse gradients"):
        out.sum().backward()


def test_gradients_of_both_layouts_are_summed():
    def gradient(*uses):
        w = rt.ones(4, 2, requires_grad=True)
        for use in uses:
            use(w).sum().backward()
        return w.grad

    def rows(w):
        return rt.nn.functional.embedding(rt.tensor([1, 2, 1]), w, sparse=True)

    only = gradient(rows)
    assert only.is_sparse and not only.is_coalesced() and only._nnz() == 3
    twice = gradient(rows, rows)
    assert twice.is_sparse and twice.to_dense().tolist() == [[0, 0], [4, 4], [2, 2], [0, 0]]
    expected = [[3, 3], [5, 5], [4, 4], [3, 3]]
    for uses in ((rows, lambda w: w * 3), (lambda w: w * 3, rows), (lambda w: rt.cat([rows(w), w * 3]),), (lambda w: rt.cat([w * 3, rows(w)]),)):
        assert gradient(*uses).tolist() == expected


OPTIMIZERS = """
torch.manual_seed(0)
table = torch.nn.Embedding(5, 2, sparse=True)
with torch.no_grad():
    table.weight.copy_(torch.arange(10.).reshape(5, 2) / 10)
optimizer = {optimizer}
for step in range(3):
    optimizer.zero_grad(set_to_none={none})
    (table(torch.tensor([1, 2 + step, 1])) ** 2).sum().backward()
    optimizer.step()
result = [table.weight.detach(), table.weight.grad]
"""


@pytest.mark.oracle
@pytest.mark.parametrize("none", [True, False])
@pytest.mark.parametrize(
    "optimizer",
    [
        "torch.optim.SGD(table.parameters(), 0.1)", "torch.optim.SGD(table.parameters(), 0.1, momentum=0.9, nesterov=True)",
        "torch.optim.SGD(table.parameters(), 0.1, maximize=True)", "torch.optim.SparseAdam(table.parameters(), 0.1)",
        "torch.optim.SparseAdam(list(table.parameters()), 0.1, betas=(0.5, 0.9), maximize=True)", "torch.optim.Adagrad(table.parameters(), 0.1)",
    ],
)  # fmt: skip
def test_optimizers_take_sparse_gradients_as_pytorchs_do(optimizer, none):
    torch = pytest.importorskip("torch")
    results = []
    for library in torch, rt:
        scope = {"torch": library}
        exec(OPTIMIZERS.format(optimizer=optimizer, none=none), scope)
        results.append(described(scope["result"]))
    assert same(*results), results


def test_other_optimizers_refuse_sparse_gradients():
    for kind in "Adam", "AdamW", "Adadelta", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop":
        w = rt.ones(4, 2, requires_grad=True)
        rt.nn.functional.embedding(rt.tensor([1]), w, sparse=True).sum().backward()
        with pytest.raises(RuntimeError, match="does not support sparse gradients"):
            getattr(rt.optim, kind)([w]).step()
    w.grad = rt.ones(4, 2)
    with pytest.raises(RuntimeError, match="does not support dense gradients, please consider Adam"):
        rt.optim.SparseAdam([w]).step()


# ---- copies and files


def test_pickles_and_copies_keep_everything():
    for t in names(rt).values():
        if not getattr(t, "is_sparse", False):
            continue
        for made in (pickle.loads(pickle.dumps(t)), copy.copy(t), copy.deepcopy(t)):
            assert same(described(made), described(t))
    leaf = rt.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3,)).requires_grad_()
    assert pickle.loads(pickle.dumps(leaf)).requires_grad and copy.deepcopy(leaf).requires_grad
    copied = copy.deepcopy(leaf)
    copied._values()[0] = 9
    assert leaf.to_dense().tolist() == [1, 2, 0]


@pytest.mark.oracle
def test_files_go_both_ways():
    torch = pytest.importorskip("torch")
    for source, target in ((torch, rt), (rt, torch)):
        scope = {name: t for name, t in names(source).items() if getattr(t, "is_sparse", False)}
        file = io.BytesIO()
        source.save(scope, file)
        file.seek(0)
        loaded = target.load(file)
        assert all(same(described(loaded[name]), described(t)) for name, t in scope.items())


def test_files_with_indices_outside_the_size_are_refused():
    t = rt.ops.aten._sparse_coo_tensor_unsafe(rt.tensor([[0, 9]]), rt.tensor([1.0, 2.0]), (2,))
    file = io.BytesIO()
    rt.save(t, file)
    file.seek(0)
    with pytest.raises(Exception, match="found index 9"):
        rt.load(file)


# ---- wrong indices


def _wrong():
    make = rt.ops.aten._sparse_coo_tensor_unsafe
    values = rt.tensor([1.0, 2.0])
    yield make(rt.tensor([[0, 10**15], [0, 1]]), values, (3, 3))
    yield make(rt.tensor([[0, -7], [0, 1]]), values, (3, 3))
    yield make(rt.tensor([[2, 2], [0, 3]]), values, (3, 3), is_coalesced=True)


def test_wrong_indices_end_in_errors_where_they_lead_to_memory():
    square, vector = rt.ones(3, 3), rt.ones(3)
    calls = [
        lambda t: t.to_dense(), lambda t: square + t, lambda t: square.clone().add_(t), lambda t: square.t().add_(t), lambda t: t * square,
        lambda t: t @ square, lambda t: t @ vector, lambda t: square @ t, lambda t: t @ t, lambda t: rt.sparse.mm(t, square),
        lambda t: rt.addmm(square, t, square), lambda t: square.sparse_mask(t), lambda t: t.sparse_mask(t), lambda t: t + t, lambda t: t * t,
        lambda t: rt.sparse.softmax(t, 1), lambda t: rt.hspmm(t, square), lambda t: rt.bmm(rt.stack([t, t]), rt.ones(2, 3, 3)),
    ]  # fmt: skip
    for t in _wrong():
        for number, call in enumerate(calls):
            with pytest.raises((RuntimeError, IndexError)):
                call(t)
                pytest.fail(f"call {number} took {t}")


def test_indices_that_are_changed_later_are_checked_again():
    t = rt.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (2,), check_invariants=True).coalesce()
    t._indices()[0, 1] = 10**12
    with pytest.raises(RuntimeError, match="found index 1000000000000"):
        t.to_dense()
    t._values().untyped_storage().resize_(0)
    with pytest.raises(RuntimeError):
        (t * 2)._values().tolist()


def test_invariants_are_checked_on_demand():
    def wrong():
        return rt.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (2,))

    assert wrong()._nnz() == 2 and not check_sparse_tensor_invariants.is_enabled()
    with check_sparse_tensor_invariants():
        with pytest.raises(RuntimeError, match="found index 5"):
            wrong()
        with check_sparse_tensor_invariants(False):
            assert wrong()._nnz() == 2
    with pytest.raises(RuntimeError, match="found index 5"):
        check_sparse_tensor_invariants()(wrong)()
    with pytest.raises(RuntimeError, match="found index 5"):
        rt.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (2,), check_invariants=True)
    assert not check_sparse_tensor_invariants.is_enabled()


def test_other_layouts_say_that_they_are_absent():
    for make in (lambda: rt.ones(2, 2).to_sparse_csr(), lambda: rt.sparse_csr_tensor([0, 1], [0], [1.0]),
                 lambda: rt.ones(2, 2).to_sparse(layout=rt.sparse_csc), lambda: rt.zeros(2, 2, layout=rt.sparse_csr)):  # fmt: skip
        with pytest.raises(NotImplementedError):
            make()


def test_a_sparse_tensor_keeps_its_layout_when_data_is_set():
    t, x = rt.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3,)), rt.ones(3)
    for target, value in ((t, x), (x, t)):
        with pytest.raises(RuntimeError, match="incompatible tensor type"):
            target.data = value
    t.data = t * 2
    assert t.to_dense().tolist() == [2, 4, 0]


def test_modes_and_fallbacks_see_calls_on_sparse_tensors():
    seen = []

    class Log(rt.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with Log():
        (rt.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3,)) * 2).to_dense()
    assert seen[-2:] == ["aten.mul.Tensor", "aten._to_dense.default"]


def test_assert_close_compares_elements_and_layouts():
    t = rt.sparse_coo_tensor([[0, 0, 1]], [1.0, 1.0, 3.0], (3,))
    rt.testing.assert_close(t, t.coalesce())
    for other in (t * 2, t.to_dense()):
        with pytest.raises(AssertionError):
            rt.testing.assert_close(t, other)


def test_diagonals_become_a_sparse_matrix():
    made = rt.sparse.spdiags(rt.arange(1.0, 7).reshape(2, 3), rt.tensor([0, 1]), (3, 3))
    assert made.is_sparse and made.to_dense().tolist() == [[1, 5, 0], [0, 2, 6], [0, 0, 3]]
