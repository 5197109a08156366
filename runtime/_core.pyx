# cython: language_level=3, binding=False, c_api_binop_methods=True, cdivision=True, auto_pickle=False, embedsignature=False
# cython: boundscheck=True, wraparound=False, initializedcheck=False, always_allow_keywords=True
"""The extension module: tables, thread-local sets, guards, the call, tensors and libraries, as plain C to each other.

The parts stand in the order in which a call flows; each file says what it is, what it owns and who calls it.
"""
cimport cython  # no-cython-lint

include "core/native.pxi"        # the C side as Cython sees it
include "core/keys.pxi"          # DispatchKey
include "core/keyset.pxi"        # DispatchKeySet
include "core/tls.pxi"           # thread-local include and exclude sets
include "core/guards.pxi"        # context managers over them
include "core/grad_mode.pxi"     # whether autograd records
include "core/values.pxi"        # dtype, device, layout, memory_format, Size, Generator
include "core/storage.pxi"       # UntypedStorage
include "core/slots.pxi"         # TensorBase: arithmetic and comparison slots
include "core/tensor.pxi"        # Tensor
include "core/convert.pxi"       # Python values to canonical ones
include "core/argspec.pxi"       # argument specifications of an operator
include "core/kernel.pxi"        # Kernel, and calling Python kernels
include "core/operator.pxi"      # Operator: registrations, table, dumps
include "core/dispatch.pxi"      # binding arguments, the call, foreign arrays
include "core/python_dispatcher.pxi"  # OperatorBase: rules in Python; the pre-dispatch stack
include "core/overload.pxi"      # OpOverload
include "core/ops.pxi"           # OpOverloadPacket, namespaces, tags
include "core/lazy_bits.pxi"     # lazy conjugates and negatives
include "core/zero_tensor.pxi"   # zeros without memory
include "core/autocast.pxi"      # casting arguments by policy
include "core/adinplace.pxi"     # version counters and view metadata
include "core/python_key.pxi"    # modes, and `__torch_dispatch__`
include "core/arguments.pxi"     # arguments of functions that are no operators
include "core/subclass.pxi"      # tensors of subclasses, and what they answer themselves
include "core/quantized.pxi"     # tensors whose integers stand for other numbers
include "core/sparse.pxi"        # sparse tensors
include "core/copying.pxi"       # deep copies and pickles of tensors
include "core/shared_memory.pxi"  # storages that processes share; weak references of storages
include "core/graph.pxi"         # nodes of the autograd graph; a tensor's history
include "core/saved.pxi"         # what nodes save
include "core/derivative.pxi"    # how calls of an operator are recorded
include "core/record_lists.pxi"  # recorded calls of operators over lists
include "core/record.pxi"        # the Autograd keys
include "core/apply.pxi"         # what a node does with gradients
include "core/backward_hooks.pxi"  # hooks, and anomaly mode
include "core/engine.pxi"        # backward
include "core/autograd_function.pxi"  # custom functions
include "core/forward_ad.pxi"    # tangents
include "core/builtins.pxi"      # built-in operators from the generated tables
include "core/function.pxi"      # public functions and Tensor methods
include "core/torch_function.pxi"  # `__torch_function__`
include "core/parser_errors.pxi"  # what is wrong with their arguments
include "core/casts.pxi"         # Tensor.to and its short forms
include "core/typed.pxi"         # typed C kernels
include "core/trace.pxi"         # reporting every kernel that runs
include "core/capi.pxi"          # what C extensions may call
include "core/registration.pxi"  # registration handles
include "core/library.pxi"       # Library
include "core/custom_op.pxi"     # custom operators
include "core/bindings.pxi"      # query functions under PyTorch's names
include "core/numpy_bridge.pxi"  # NumPy and DLPack, both ways
include "core/array_protocols.pxi"  # NumPy's functions on tensors, and tensors as buffers
include "core/fortran.pxi"       # LAPACK over batches of matrices
include "core/loops.pxi"         # loops in C for kernels in Python
include "core/creation.pxi"      # tensor(), as_tensor(), frombuffer()
include "core/indexing.pxi"      # indexing
include "core/pytree.pxi"        # walks over nested containers

open_tensor_to_overrides()   # last: when all methods are there
