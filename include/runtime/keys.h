/* The one list of dispatch keys.
 *
 * Order is meaning: backends and functionalities stand from low to high priority, and their positions give the bit numbers, the
 * values of the DispatchKey enum and the table slots. The layout is PyTorch 2.13's (16 backends, 46 functionalities, 137 slots).
 * The build and the code generator read the three lists from this file; `runtime/core/keys.pxi` turns them into Python values.
 */
#ifndef RUNTIME_KEYS_H
#define RUNTIME_KEYS_H

#include <stdint.h>

#define RT_FORALL_BACKENDS(_) \
    _(CPU)                    \
    _(CUDA)                   \
    _(HIP)                    \
    _(XLA)                    \
    _(MPS)                    \
    _(IPU)                    \
    _(XPU)                    \
    _(HPU)                    \
    _(VE)                     \
    _(Lazy)                   \
    _(MTIA)                   \
    _(MAIA)                   \
    _(PrivateUse1)            \
    _(PrivateUse2)            \
    _(PrivateUse3)            \
    _(Meta)

/* Functionalities that expand to one run-time key per backend: (functionality, prefix of the run-time keys' names). */
#define RT_FORALL_PER_BACKEND(_) \
    _(Dense, )                   \
    _(Quantized, Quantized)      \
    _(Sparse, Sparse)            \
    _(SparseCsr, SparseCsr)      \
    _(NestedTensor, NestedTensor) \
    _(AutogradFunctionality, Autograd)

#define RT_FORALL_FUNCTIONALITIES(_)  \
    _(Dense)                          \
    _(FPGA)                           \
    _(Vulkan)                         \
    _(Metal)                          \
    _(Quantized)                      \
    _(CustomRNGKeyId)                 \
    _(MkldnnCPU)                      \
    _(Sparse)                         \
    _(SparseCsr)                      \
    _(NestedTensor)                   \
    _(BackendSelect)                  \
    _(Fake)                           \
    _(Python)                         \
    _(FuncTorchDynamicLayerBackMode)  \
    _(Functionalize)                  \
    _(Conjugate)                      \
    _(Negative)                       \
    _(ZeroTensor)                     \
    _(ADInplaceOrView)                \
    _(AutogradOther)                  \
    _(AutogradFunctionality)          \
    _(AutogradNestedTensor)           \
    _(Tracer)                         \
    _(AutocastCPU)                    \
    _(AutocastMTIA)                   \
    _(AutocastMAIA)                   \
    _(AutocastXPU)                    \
    _(AutocastIPU)                    \
    _(AutocastHPU)                    \
    _(AutocastXLA)                    \
    _(AutocastMPS)                    \
    _(AutocastCUDA)                   \
    _(AutocastPrivateUse1)            \
    _(FuncTorchBatched)               \
    _(BatchedNestedTensor)            \
    _(FuncTorchVmapMode)              \
    _(Batched)                        \
    _(VmapMode)                       \
    _(FuncTorchGradWrapper)           \
    _(DeferredInit)                   \
    _(PythonTLSSnapshot)              \
    _(FuncTorchDynamicLayerFrontMode) \
    _(TESTING_ONLY_GenericWrapper)    \
    _(TESTING_ONLY_GenericMode)       \
    _(PreDispatch)                    \
    _(PythonDispatcher)

/* Alias keys name a set of run-time keys at registration; they never stand in a key set. */
#define RT_FORALL_ALIASES(_)                 \
    _(Autograd)                              \
    _(CompositeImplicitAutograd)             \
    _(FuncTorchBatchedDecomposition)         \
    _(CompositeImplicitAutogradNestedTensor) \
    _(CompositeExplicitAutograd)             \
    _(CompositeExplicitAutogradNonFunctional)

/* Values of the DispatchKey enum. A StartOf marker stands before each block of per-backend keys, as in PyTorch. */
enum rt_key {
    RT_KEY_Undefined = 0,
#define _(name) RT_KEY_##name,
    RT_FORALL_FUNCTIONALITIES(_)
#undef _
    RT_KEY_EndOfFunctionalityKeys,
    /* Seventeen values a block: the marker, then the sixteen backends. */
    RT_KEY_StartOfDenseBackends,
    RT_KEY_StartOfQuantizedBackends = RT_KEY_StartOfDenseBackends + 17,
    RT_KEY_StartOfSparseBackends = RT_KEY_StartOfQuantizedBackends + 17,
    RT_KEY_StartOfSparseCsrBackends = RT_KEY_StartOfSparseBackends + 17,
    RT_KEY_StartOfNestedTensorBackends = RT_KEY_StartOfSparseCsrBackends + 17,
    RT_KEY_StartOfAutogradFunctionalityBackends = RT_KEY_StartOfNestedTensorBackends + 17,
    RT_KEY_EndOfRuntimeBackendKeys = RT_KEY_StartOfAutogradFunctionalityBackends + 16,
    RT_KEY_StartOfAliasKeys,
    RT_KEY_BeforeAliasKeys = RT_KEY_StartOfAliasKeys - 1,
#define _(name) RT_KEY_##name,
    RT_FORALL_ALIASES(_)
#undef _
    RT_NUM_KEYS
};

/* Backend components, counted from 0: bit i of a key set's low 16 bits. */
enum rt_backend {
#define _(name) RT_BACKEND_##name,
    RT_FORALL_BACKENDS(_)
#undef _
    RT_NUM_BACKENDS
};

typedef uint64_t rt_keyset;

enum {
    RT_NUM_FUNCTIONALITIES = RT_KEY_EndOfFunctionalityKeys, /* Undefined counted in */
    RT_NUM_SLOTS = RT_NUM_FUNCTIONALITIES + 6 * (RT_NUM_BACKENDS - 1)
};

#define RT_BACKEND_BIT(backend) ((rt_keyset)1 << (backend))
#define RT_FUNCTIONALITY_BIT(key) ((rt_keyset)1 << (RT_NUM_BACKENDS - 1 + (key)))
#define RT_BACKEND_MASK (((rt_keyset)1 << RT_NUM_BACKENDS) - 1)
#define RT_FULL_KEYSET (((rt_keyset)1 << (RT_NUM_BACKENDS + RT_NUM_FUNCTIONALITIES - 1)) - 1)

/* All bits strictly below a functionality, plus PythonDispatcher, so that redispatch never loses the Python dispatcher. */
#define RT_FULL_AFTER(key) ((RT_FUNCTIONALITY_BIT(key) - 1) | RT_FUNCTIONALITY_BIT(RT_KEY_PythonDispatcher))

#endif
