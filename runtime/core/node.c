/* Allocation and end of graph nodes. See node.h. */
#include "runtime/core/node.h"
#include "runtime/core/alloc.h"

#include <stdlib.h>

PyTypeObject *rt_NodeType;
uint64_t rt_next_sequence_nr;

enum { MAX_FREE_NODES = 256 };
static RtNode *free_nodes[MAX_FREE_NODES];
static int num_free_nodes;

/* ------------------------------------------------------------------------------------------------------------- contents */

void rt_node_emplace(RtNode *n, int kind)
{
    n->sequence_nr = rt_next_sequence_nr++;
    n->num_edges = n->num_slots = n->num_saved = 0;
    n->slot_room[0].is_set = 0;
    n->kind = (uint8_t)kind;
    n->tracked = 0;
    n->released = 0;
    n->is_view = 0;
    n->edges = n->edge_room;
    n->slots = n->slot_room;
    n->saved = n->saved_room;
    n->payload = NULL;
    n->extra = NULL;
    n->task = 0;
}

/* Edges in the node's own room that are not counted are empty. */
static void drop_edges(RtNode *n)
{
    rt_edge *edges = n->edges;
    uint32_t count = n->num_edges;
    n->num_edges = 0;
    if (RT_LIKELY(edges == n->edge_room)) {
        if (count) {
            PyObject *first = edges[0].node, *second = edges[1].node;
            Py_XDECREF(first);
            Py_XDECREF(second);
        }
        return;
    }
    n->edges = n->edge_room;
    for (uint32_t i = 0; i < count; i++)
        Py_XDECREF(edges[i].node);
    PyMem_Free(edges);
}

static void drop_slots(RtNode *n)
{
    for (uint32_t i = 0; i < n->num_slots; i++)
        if (n->slots[i].is_set && n->slots[i].sizes != n->slots[i].inline_sizes)
            PyMem_Free(n->slots[i].sizes);
    if (n->slots != n->slot_room)
        PyMem_Free(n->slots);
    n->slots = n->slot_room;
    n->num_slots = 0;
}

static void drop_one_saved(rt_saved *s)
{
    Py_CLEAR(s->value);
    Py_CLEAR(s->unpack);
    Py_CLEAR(s->history);
}

void rt_node_release_saved(RtNode *n)
{
    /* Only tensors go: sizes and numbers cost nothing, and a node that has saved nothing else can run again. */
    n->released = 1;
    for (uint32_t i = 0; i < n->num_saved; i++) {
        rt_saved *s = &n->saved[i];
        if (s->is_list) {
            s->is_list = 0;
            s->is_tensor = 1;
        }
        if (s->is_tensor)
            drop_one_saved(s);
    }
}

static void drop_saved(RtNode *n)
{
    for (uint32_t i = 0; i < n->num_saved; i++)
        drop_one_saved(&n->saved[i]);
    if (n->saved != n->saved_room)
        PyMem_Free(n->saved);
    n->saved = n->saved_room;
    n->num_saved = 0;
}

int rt_node_resize_edges(RtNode *n, uint32_t count)
{
    drop_edges(n);
    if (count > RT_NODE_EDGES) {
        rt_edge *room = PyMem_Calloc(count, sizeof *room);
        if (room == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        n->edges = room;
    }
    else
        memset(n->edge_room, 0, sizeof n->edge_room);
    n->num_edges = count;
    return 0;
}

int rt_node_resize_slots(RtNode *n, uint32_t count)
{
    drop_slots(n);
    if (count > 1) {
        rt_grad_like *room = PyMem_Calloc(count, sizeof *room);
        if (room == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        n->slots = room;
    }
    else
        n->slot_room[0].is_set = 0;
    n->num_slots = count;
    return 0;
}

int rt_node_resize_saved(RtNode *n, uint32_t count)
{
    drop_saved(n);
    if (count > RT_NODE_SAVED) {
        rt_saved *room = PyMem_Calloc(count, sizeof *room);
        if (room == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        n->saved = room;
    }
    else
        memset(n->saved_room, 0, count * sizeof *n->saved_room);
    n->num_saved = count;
    return 0;
}

int rt_grad_like_set(rt_grad_like *like, const RtTensor *t)
{
    if (like->is_set && like->sizes != like->inline_sizes)
        PyMem_Free(like->sizes);
    like->is_set = 0;
    like->sizes = like->inline_sizes;
    if (t->ndim > RT_INLINE_DIM && (like->sizes = PyMem_Malloc(t->ndim * sizeof(int64_t))) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (int i = 0; i < t->ndim; i++)
        like->sizes[i] = t->sizes[i];
    like->ndim = t->ndim;
    like->dtype = t->dtype;
    like->device_type = t->device_type;
    like->device_index = t->device_index;
    like->is_subclass = Py_TYPE(t) != rt_TensorType && (t->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Python)) != 0;
    like->any_dtype = 0;
    like->is_set = 1;
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------- life cycle */

RtNode *rt_node_new(PyTypeObject *type, int kind, uint32_t edges, uint32_t slots, uint32_t saved)
{
    RtNode *n;
    if (RT_LIKELY(num_free_nodes > 0)) {
        n = free_nodes[--num_free_nodes];
        Py_SET_TYPE(n, type);
        _Py_NewReference((PyObject *)n);
    }
    else {
        n = (RtNode *)_PyObject_GC_New(type);
        if (n == NULL)
            return NULL;
        n->weakrefs = NULL;
    }
    rt_node_emplace(n, kind);
    if (RT_LIKELY(edges <= RT_NODE_EDGES)) {
        memset(n->edge_room, 0, sizeof n->edge_room);
        n->num_edges = edges;
    }
    else if (rt_node_resize_edges(n, edges) < 0)
        goto failed;
    if (RT_LIKELY(slots <= 1)) {
        n->slot_room[0].is_set = 0;
        n->num_slots = slots;
    }
    else if (rt_node_resize_slots(n, slots) < 0)
        goto failed;
    if (RT_LIKELY(saved <= RT_NODE_SAVED)) {
        if (saved)
            memset(n->saved_room, 0, saved * sizeof *n->saved_room);
        n->num_saved = saved;
    }
    else if (rt_node_resize_saved(n, saved) < 0)
        goto failed;
    return n;
failed:
    Py_DECREF(n);
    return NULL;
}

void rt_node_track(RtNode *n)
{
    if (!n->tracked) {
        n->tracked = 1;
        if (!PyObject_GC_IsTracked((PyObject *)n))
            PyObject_GC_Track(n);
    }
}

static void forget_accumulator(RtNode *n)
{
    if (n->kind == RT_NODE_ACCUMULATE && n->payload != NULL) {
        rt_grad_ext *ext = rt_grad_ext_or_null(RT_TENSOR(n->payload));
        if (ext != NULL && ext->accumulator == (PyObject *)n)
            ext->accumulator = NULL;
    }
}

static inline void drop_contents(RtNode *n)
{
    if (RT_UNLIKELY(n->slots != n->slot_room || (n->slot_room[0].is_set && n->slot_room[0].sizes != n->slot_room[0].inline_sizes)))
        drop_slots(n);
    if (n->num_saved)
        drop_saved(n);
    Py_CLEAR(n->payload);
    Py_CLEAR(n->extra);
    drop_edges(n);
}

/* Ends of nodes are queued: the end of one may be the end of the next, and chains are longer than the C stack. `sequence_nr` of a dead
 * node links the queue. */
static RtNode *dying;
static int is_draining;

static void finish_node(RtNode *n)
{
    if (RT_LIKELY(n->kind != RT_NODE_PYTHON && num_free_nodes < MAX_FREE_NODES))
        free_nodes[num_free_nodes++] = n;
    else
        PyObject_GC_Del(n);
}

static void bury(RtNode *n)
{
    n->sequence_nr = (uintptr_t)dying;
    dying = n;
    if (is_draining)
        return;
    is_draining = 1;
    PyObject *kind, *value, *traceback;
    PyErr_Fetch(&kind, &value, &traceback);
    while (dying != NULL) {
        n = dying;
        dying = (RtNode *)(uintptr_t)n->sequence_nr;
        drop_contents(n);
        finish_node(n);
    }
    PyErr_Restore(kind, value, traceback);
    is_draining = 0;
}

static void operator_node_dealloc(PyObject *o)
{
    RtNode *n = RT_NODE(o);
    if (n->tracked)
        PyObject_GC_UnTrack(o);
    forget_accumulator(n); /* at once: until its turn comes nobody may find it */
    if (RT_UNLIKELY(n->weakrefs != NULL))
        PyObject_ClearWeakRefs(o);
    if (n->kind == RT_NODE_ACCUMULATE && n->extra == NULL && is_draining) {
        /* The end of a chain, which is being dropped already. */
        drop_contents(n);
        finish_node(n);
        return;
    }
    bury(n);
}

/* Custom functions' nodes: their types' own deallocation (subtype_dealloc) clears what their classes added, and ends here. The edges of
 * such a node are buried in a plain node, for a chain of them may be long too. */
static void node_dealloc(PyObject *o)
{
    RtNode *n = RT_NODE(o);
    if (PyObject_GC_IsTracked(o))
        PyObject_GC_UnTrack(o);
    if (n->weakrefs != NULL)
        PyObject_ClearWeakRefs(o);
    forget_accumulator(n);
    drop_slots(n);
    RtNode *rest = NULL;
    if (n->num_edges > 0 || n->num_saved > 0) {
        PyObject *kind, *value, *traceback;
        PyErr_Fetch(&kind, &value, &traceback);
        rest = rt_node_new(rt_NodeType, RT_NODE_ERROR, 0, 0, 0);
        if (rest == NULL)
            PyErr_Clear();
        PyErr_Restore(kind, value, traceback);
    }
    if (rest != NULL) {
        if (n->edges != n->edge_room)
            rest->edges = n->edges;
        else
            memcpy(rest->edge_room, n->edge_room, sizeof n->edge_room);
        rest->num_edges = n->num_edges;
        n->edges = n->edge_room;
        n->num_edges = 0;
        if (n->saved != n->saved_room)
            rest->saved = n->saved;
        else
            memcpy(rest->saved_room, n->saved_room, sizeof n->saved_room);
        rest->num_saved = n->num_saved;
        n->saved = n->saved_room;
        n->num_saved = 0;
    }
    else {
        drop_saved(n);
        drop_edges(n);
    }
    Py_CLEAR(n->payload);
    Py_CLEAR(n->extra);
    Py_TYPE(o)->tp_free(o);
    if (rest != NULL) {
        Py_SET_REFCNT(rest, 0);
        bury(rest);
    }
}

static int node_traverse(PyObject *o, visitproc visit, void *arg)
{
    RtNode *n = RT_NODE(o);
    Py_VISIT(n->payload);
    Py_VISIT(n->extra);
    for (uint32_t i = 0; i < n->num_edges; i++)
        Py_VISIT(n->edges[i].node);
    for (uint32_t i = 0; i < n->num_saved; i++) {
        Py_VISIT(n->saved[i].value);
        Py_VISIT(n->saved[i].unpack);
        Py_VISIT(n->saved[i].history);
    }
    return 0;
}

static int node_clear(PyObject *o)
{
    RtNode *n = RT_NODE(o);
    drop_saved(n);
    Py_CLEAR(n->extra);
    drop_edges(n);
    if (n->kind != RT_NODE_OPERATOR) { /* a derivative is in no cycle */
        forget_accumulator(n);
        Py_CLEAR(n->payload);
    }
    return 0;
}

int rt_setup_node_type(PyTypeObject *type)
{
    if (!PyType_IS_GC(type) || type->tp_basicsize < (Py_ssize_t)sizeof(RtNode)) {
        PyErr_SetString(PyExc_SystemError, "the Node type lacks garbage collection or its layout is not RtNode's");
        return -1;
    }
    rt_setup_function_node_type(type);
    rt_NodeType = type;
    return 0;
}

static void set_slots(PyTypeObject *type, destructor dealloc)
{
    type->tp_dealloc = dealloc;
    type->tp_traverse = node_traverse;
    type->tp_clear = node_clear;
    type->tp_weaklistoffset = offsetof(RtNode, weakrefs);
    PyType_Modified(type);
}

void rt_setup_operator_node_type(PyTypeObject *type)
{
    set_slots(type, operator_node_dealloc);
}

void rt_setup_function_node_type(PyTypeObject *type)
{
    set_slots(type, node_dealloc);
}

/* ------------------------------------------------------------------------------------------------- fields of tensors */

static int ext_traverse(rt_ext *e, visitproc visit, void *arg)
{
    rt_grad_ext *ext = (rt_grad_ext *)e;
    Py_VISIT(ext->grad);
    Py_VISIT(ext->hooks);
    Py_VISIT(ext->post_hooks);
    Py_VISIT(ext->tangent);
    Py_VISIT(ext->replay);
    Py_VISIT(ext->kept);
    Py_VISIT(ext->quantizer);
    return 0;
}

static void ext_dealloc(rt_ext *e)
{
    rt_grad_ext *ext = (rt_grad_ext *)e;
    Py_XDECREF(ext->grad);
    Py_XDECREF(ext->hooks);
    Py_XDECREF(ext->post_hooks);
    Py_XDECREF(ext->tangent);
    Py_XDECREF(ext->replay);
    Py_XDECREF(ext->kept);
    Py_XDECREF(ext->quantizer);
    PyMem_Free(ext);
}

static const rt_ext_type grad_ext_type = {ext_traverse, ext_dealloc};

rt_grad_ext *rt_grad_ext_of(RtTensor *t)
{
    if (t->ext != NULL)
        return (rt_grad_ext *)t->ext;
    rt_grad_ext *ext = PyMem_Calloc(1, sizeof *ext);
    if (ext == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    ext->ext.type = &grad_ext_type;
    t->ext = &ext->ext;
    return ext;
}

int rt_set_quantizer(RtTensor *t, PyObject *quantizer)
{
    if (quantizer == NULL && t->ext == NULL)
        return 0;
    rt_grad_ext *ext = rt_grad_ext_of(t);
    if (ext == NULL)
        return -1;
    Py_XINCREF(quantizer);
    Py_XSETREF(ext->quantizer, quantizer);
    rt_tensor_track(t); /* tensors of scales may hold it in their attributes */
    return 0;
}

int rt_share_quantizer(RtTensor *t, const RtTensor *source)
{
    const rt_grad_ext *ext = rt_grad_ext_or_null(source);
    return rt_set_quantizer(t, ext != NULL && source->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Quantized) ? ext->quantizer : NULL);
}
