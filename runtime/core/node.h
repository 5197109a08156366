/* Nodes of the autograd graph: their layout, their allocation and their end. Formulas, hooks and the engine are elsewhere (graph.pxi,
 * record.pxi, engine.pxi).
 *
 * A node stands for a call that was recorded. It has an edge for each differentiable input, to the node that made it, and a slot for each
 * differentiable output, whose gradient it takes. Nodes of built-in operators are recycled through a free list, and are invisible to the
 * garbage collector until they get attributes or hooks; nodes of custom functions live and die as ordinary Python objects.
 */
#ifndef RUNTIME_NODE_H
#define RUNTIME_NODE_H

#include "runtime/core/core.h"

/* Where a gradient goes: into slot `nr` of a node (NULL: nowhere). */
typedef struct rt_edge {
    PyObject *node;
    uint32_t nr;
} rt_edge;

/* What the gradient of an output looks like: as the output. */
typedef struct rt_grad_like {
    int64_t inline_sizes[RT_INLINE_DIM];
    int64_t *sizes; /* `inline_sizes` or a block of its own */
    uint8_t ndim;
    uint8_t dtype;
    int8_t device_type;
    int8_t device_index;
    uint8_t is_set; /* outputs without gradients have a slot too */
    uint8_t is_subclass;
    uint8_t any_dtype; /* of a leaf that takes gradients as they come */
} rt_grad_like;

/* Something that backward needs. */
typedef struct rt_saved {
    PyObject *value;       /* a tensor or any other object; NULL: nothing, or given back */
    PyObject *unpack;      /* the hook of the user's that makes a tensor of `value`, or NULL */
    PyObject *history;     /* with a hook: the node that made the tensor, or the one that accumulates its gradient */
    int64_t expected;      /* the version of a tensor when it was saved */
    uint32_t nr;           /* with a history or of an output: which output of the node */
    uint8_t is_tensor;
    uint8_t is_output;     /* a result of the node itself, saved without its history */
    uint8_t has_history;
    uint8_t is_list;       /* a tuple of SavedTensor objects */
    uint8_t of_view;       /* an output that is a view, written in place: its history begins at the base's CopySlices */
} rt_saved;

enum rt_node_kind {
    RT_NODE_OPERATOR,   /* payload: the Derivative */
    RT_NODE_ACCUMULATE, /* payload: the leaf */
    RT_NODE_COPY_SLICES,/* payload: what it copies (CopySlicesState) */
    RT_NODE_PYTHON,     /* a custom function: the node is its context */
    RT_NODE_ERROR,      /* payload: the message */
};

enum { RT_NODE_EDGES = 2, RT_NODE_SAVED = 3 };

typedef struct RtNode {
    PyObject_HEAD
    uint64_t sequence_nr; /* nodes that were made later run earlier */
    uint32_t num_edges, num_slots, num_saved;
    uint8_t kind;
    uint8_t tracked;  /* by the garbage collector */
    uint8_t released; /* backward gave back what it had saved */
    uint8_t is_view;  /* the output is a view, and `view_version` counts */
    rt_edge *edges;
    rt_grad_like *slots;
    rt_saved *saved;
    PyObject *payload;
    PyObject *extra;      /* hooks and attributes (NodeExtra), or NULL */
    PyObject *weakrefs;
    int64_t view_version; /* version of the view when it was made: after a later write its history is another */
    uint64_t task;        /* the engine's: which run has the node in its table, and where */
    uint32_t place;
    rt_edge edge_room[RT_NODE_EDGES];
    rt_grad_like slot_room[1];
    rt_saved saved_room[RT_NODE_SAVED];
} RtNode;

#define RT_NODE(o) ((RtNode *)(o))

typedef struct rt_node_body {
    char bytes[sizeof(RtNode) - sizeof(PyObject)];
} __attribute__((aligned(8))) rt_node_body;

extern PyTypeObject *rt_NodeType;

/* What most tensors lack: autograd's rarer fields, and a quantizer. */
typedef struct rt_grad_ext {
    rt_ext ext;
    PyObject *grad;
    PyObject *accumulator; /* of a leaf: its node while there is one (borrowed: the node owns the leaf) */
    PyObject *hooks;       /* dict of a leaf's hooks, or NULL */
    PyObject *post_hooks;  /* dict of hooks that run when its gradient has been accumulated, or NULL */
    PyObject *tangent;     /* of forward mode, or NULL */
    PyObject *replay;      /* how to make a view of its base anew where `as_strided` cannot, or NULL */
    int64_t view_version;  /* with `knows_version`: the version of a view when it was made without history */
    PyObject *kept;        /* keeps `accumulator` alive where it is another tensor's node, or NULL */
    PyObject *quantizer;   /* of a quantized tensor: the tuple that says what its integers stand for (quantized.pxi), or NULL */
    uint32_t output_nr;    /* which output of its grad_fn it is */
    uint8_t retains_grad;
    uint8_t is_primal;     /* a view that has no tangent whatever it looks at has */
    uint8_t knows_version;
    uint8_t grad_dtype;    /* 0: the tensor's own; 1: any; otherwise its code + 2 */
} rt_grad_ext;

int rt_setup_node_type(PyTypeObject *type);
/* Make a heap type's instances nodes of built-in operators: they come from and go to the free list. The type must live for ever. */
void rt_setup_operator_node_type(PyTypeObject *type);
/* Let a class of contexts of custom functions end as nodes do. */
void rt_setup_function_node_type(PyTypeObject *type);
/* A node with room for edges, slots and saved values, all empty; NULL with an exception set. */
RtNode *rt_node_new(PyTypeObject *type, int kind, uint32_t edges, uint32_t slots, uint32_t saved);
/* Fill the fields of a node that tp_alloc made (zeroed). */
void rt_node_emplace(RtNode *n, int kind);
/* Other numbers of edges, slots and saved values: what there was is dropped. */
int rt_node_resize_edges(RtNode *n, uint32_t edges);
int rt_node_resize_slots(RtNode *n, uint32_t slots);
int rt_node_resize_saved(RtNode *n, uint32_t saved);
void rt_node_track(RtNode *n);
void rt_node_release_saved(RtNode *n);
int rt_grad_like_set(rt_grad_like *like, const RtTensor *t);
/* A tensor's fields of autograd, made if it has none; NULL with an exception set. */
rt_grad_ext *rt_grad_ext_of(RtTensor *t);
/* Let a tensor have a quantizer (a reference is taken), or none for NULL. */
int rt_set_quantizer(RtTensor *t, PyObject *quantizer);
static inline rt_grad_ext *rt_grad_ext_or_null(const RtTensor *t)
{
    return (rt_grad_ext *)t->ext;
}
extern uint64_t rt_next_sequence_nr;

#endif
