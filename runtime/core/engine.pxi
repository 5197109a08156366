# The engine: runs the graph backward, each node once, when all gradients of its outputs have arrived; the node that was recorded last runs
# first. Always in the calling thread, and without recursion: a graph may be longer than any stack.
#
# A run has a table of the nodes it will meet. A node remembers its place there, unless another run that is not finished (an outer one, whose
# hook or custom function runs the engine again, or one of another thread) has it in its own table: then a dict finds it.

cdef struct Entry:
    PyObject *node         # owned
    PyObject **grads       # what has arrived, per output; owned
    PyObject *one_grad     # room for one output
    int64_t waiting        # edges that have not delivered yet
    int32_t capture        # first capture of this node, or -1
    uint8_t needed         # the node is to run
    uint8_t seen

cdef struct Capture:
    uint32_t nr            # which output's gradient
    int32_t next           # another capture of the same node, or -1
    Py_ssize_t place       # where it goes

cdef uint64_t last_task = 0
cdef bint anomaly_mode = False
cdef bint anomaly_check_nan = True
cdef object node_sink = None     # callable(begins, node): is told of every node that runs


@cython.final
cdef class GraphTask:
    """One run of the engine."""
    cdef uint64_t number
    cdef Entry *entries
    cdef Py_ssize_t count, room
    cdef Capture *captures
    cdef Py_ssize_t n_captures
    cdef Py_ssize_t *ready          # heap of places, the highest sequence number on top
    cdef Py_ssize_t n_ready, ready_room
    cdef dict elsewhere             # id of a node that another run has in its table -> place
    cdef bint keep_graph, selective
    cdef list captured
    cdef list roots, inputs         # (node, output) where it begins and with respect to what; None: all leaves
    cdef list callbacks
    cdef PyObject *current          # the node that runs (borrowed)
    cdef int depth                  # how many runs of this thread are under way around this one

    def __cinit__(self):
        global last_task
        last_task += 1
        self.number = last_task

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.count):
            self.leave(&self.entries[i])
        free(self.entries)
        free(self.captures)
        free(self.ready)

    cdef void leave(self, Entry *e) noexcept:
        """Forget a node."""
        cdef PyObject *node = e.node
        if node == NULL:
            return
        drop_grads(e)
        e.node = NULL
        if RT_NODE(node).task == self.number:
            RT_NODE(node).task = 0
        RT_DEC(node)

    cdef Py_ssize_t find(self, PyObject *node) except -2:
        """The place of a node in the table, or -1."""
        cdef Py_ssize_t place
        if likely(RT_NODE(node).task == self.number):
            return RT_NODE(node).place
        if self.elsewhere is None:
            return -1
        place = self.elsewhere.get(<uintptr_t>node, -1)
        return place if place >= 0 and self.entries[place].node == node else -1   # another node may live where one did

    cdef Py_ssize_t enter(self, PyObject *node) except -1:
        """The place of a node in the table, where it is entered if need be."""
        cdef Py_ssize_t place = self.find(node)
        cdef Entry *e
        if place >= 0:
            return place
        if self.count == self.room:
            self.room = 2 * self.room + 16
            e = <Entry *>realloc(self.entries, self.room * sizeof(Entry))
            if e == NULL:
                raise MemoryError()
            self.entries = e
        place = self.count
        e = &self.entries[place]
        e.node = NULL
        e.grads = NULL
        e.one_grad = NULL
        e.waiting = 0
        e.capture = -1
        e.needed = 1
        e.seen = 0
        if RT_NODE(node).task == 0:
            RT_NODE(node).task = self.number
            RT_NODE(node).place = <uint32_t>place
        else:
            if self.elsewhere is None:
                self.elsewhere = {}
            self.elsewhere[<uintptr_t>node] = place
        self.count += 1
        RT_INC(node)
        e.node = node
        return place

    cdef int discover(self, Py_ssize_t root) except -1:
        """Enter all nodes that can be reached, and count the edges that lead to each."""
        cdef Py_ssize_t *stack
        cdef Py_ssize_t *grown
        cdef Py_ssize_t n = 0, room = 64, place, child
        cdef RtNode *node
        cdef uint32_t i
        if self.entries[root].seen:
            return 0
        stack = <Py_ssize_t *>malloc(room * sizeof(Py_ssize_t))
        if stack == NULL:
            raise MemoryError()
        try:
            stack[0] = root
            n = 1
            self.entries[root].seen = 1
            while n > 0:
                n -= 1
                node = RT_NODE(self.entries[stack[n]].node)
                for i in range(node.num_edges):
                    if node.edges[i].node == NULL:
                        continue
                    child = self.enter(node.edges[i].node)
                    self.entries[child].waiting += 1
                    if self.entries[child].seen:
                        continue
                    self.entries[child].seen = 1
                    if n == room:
                        room *= 2
                        grown = <Py_ssize_t *>realloc(stack, room * sizeof(Py_ssize_t))
                        if grown == NULL:
                            raise MemoryError()
                        stack = grown
                    stack[n] = child
                    n += 1
        finally:
            free(stack)
        return 0

    cdef int choose(self, Py_ssize_t root) except -1:
        """Find out which nodes lead to what is wanted: only those run."""
        cdef list path = [(root, 0)]
        cdef Py_ssize_t place, child
        cdef uint32_t i
        cdef RtNode *node
        cdef bint descended
        if self.entries[root].seen == 2:
            return 0
        self.entries[root].seen = 2
        while path:
            place, i = path.pop()
            node = RT_NODE(self.entries[place].node)
            descended = False
            while i < node.num_edges:
                if node.edges[i].node != NULL:
                    child = self.find(node.edges[i].node)
                    if self.entries[child].seen != 2:
                        self.entries[child].seen = 2
                        path.append((place, i))
                        path.append((child, 0))
                        descended = True
                        break
                    if self.entries[child].needed or self.entries[child].capture >= 0:
                        self.entries[place].needed = 1
                i += 1
            if descended:
                continue
        return 0

    cdef int make_ready(self, Py_ssize_t place) except -1:
        cdef Py_ssize_t *grown
        cdef Py_ssize_t i = self.n_ready, parent
        cdef uint64_t number
        if i == self.ready_room:
            self.ready_room = 2 * self.ready_room + 16
            grown = <Py_ssize_t *>realloc(self.ready, self.ready_room * sizeof(Py_ssize_t))
            if grown == NULL:
                raise MemoryError()
            self.ready = grown
        self.n_ready += 1
        number = RT_NODE(self.entries[place].node).sequence_nr
        while i > 0:
            parent = (i - 1) // 2
            if RT_NODE(self.entries[self.ready[parent]].node).sequence_nr >= number:
                break
            self.ready[i] = self.ready[parent]
            i = parent
        self.ready[i] = place
        return 0

    cdef Py_ssize_t next_ready(self) noexcept:
        cdef Py_ssize_t top = self.ready[0], last, i = 0, child
        cdef uint64_t number
        self.n_ready -= 1
        if self.n_ready == 0:
            return top
        last = self.ready[self.n_ready]
        number = RT_NODE(self.entries[last].node).sequence_nr
        while True:
            child = 2 * i + 1
            if child >= self.n_ready:
                break
            if child + 1 < self.n_ready and (RT_NODE(self.entries[self.ready[child + 1]].node).sequence_nr
                                             > RT_NODE(self.entries[self.ready[child]].node).sequence_nr):
                child += 1
            if RT_NODE(self.entries[self.ready[child]].node).sequence_nr <= number:
                break
            self.ready[i] = self.ready[child]
            i = child
        self.ready[i] = last
        return top

    cdef int deliver(self, Py_ssize_t place, uint32_t nr, PyObject *grad) except -1:
        """Add a gradient (a reference is taken over; NULL for none) to what a node has got for an output."""
        cdef Entry *e = &self.entries[place]
        cdef RtNode *node = RT_NODE(e.node)
        cdef PyObject *old
        if grad == NULL:
            return 0
        if likely(node.num_slots <= 1):
            old = e.one_grad
            e.one_grad = NULL
            e.one_grad = grad if old == NULL else sum_of(old, grad)
            return 0
        if e.grads == NULL:
            e.grads = <PyObject **>calloc(node.num_slots, sizeof(PyObject *))
            if e.grads == NULL:
                RT_DEC(grad)
                raise MemoryError()
        old = e.grads[nr]
        e.grads[nr] = NULL
        e.grads[nr] = grad if old == NULL else sum_of(old, grad)
        return 0

    cdef int run(self) except -1:
        cdef Py_ssize_t place
        cdef PyObject *one[1]
        cdef PyObject **grads
        cdef PyObject *node
        cdef uint32_t i, n
        while self.n_ready > 0:
            place = self.next_ready()
            node = self.entries[place].node
            n = max(RT_NODE(node).num_slots, 1)   # a node without outputs can be a root too
            if n == 1:
                one[0] = self.entries[place].one_grad
                self.entries[place].one_grad = NULL
                grads = one
            else:
                grads = self.entries[place].grads
                self.entries[place].grads = NULL
                if grads == NULL:
                    grads = <PyObject **>calloc(n, sizeof(PyObject *))
                    if grads == NULL:
                        raise MemoryError()
            try:
                self.run_node(place, node, grads)
            finally:
                for i in range(n):
                    RT_XDEC(grads[i])
                if grads != one:
                    free(grads)
            self.leave(&self.entries[place])
        return 0

    cdef int finish(self) except -1:
        """Run everything, and then what was asked for by `_queue_callback`."""
        self.run()
        if self.callbacks:
            for callback in self.callbacks:
                callback()
        return 0

    cdef int run_node(self, Py_ssize_t place, PyObject *node, PyObject **grads) except -1:
        """Run hooks and the node, and deliver what it makes."""
        cdef RtNode *n = RT_NODE(node)
        cdef PyObject *few[4]
        cdef PyObject **made = few
        cdef PyObject *grad
        cdef uint32_t i, count = n.num_edges
        cdef Py_ssize_t child
        cdef Entry *e
        cdef PyObject *before = self.current
        cdef bint seen_by_hooks = False
        if count > 4:
            made = <PyObject **>malloc(count * sizeof(PyObject *))
            if made == NULL:
                raise MemoryError()
        for i in range(count):
            made[i] = NULL
        self.current = node
        try:
            # As in PyTorch: what is captured of a node that runs has not seen its tensor's hooks.
            if unlikely(self.entries[place].capture >= 0) and self.entries[place].needed:
                self.capture(place, grads)
            if unlikely(n.extra != NULL):
                run_tensor_hooks(n, grads)
            if unlikely(self.entries[place].capture >= 0) and not self.entries[place].needed:
                self.capture(place, grads)
            if not self.entries[place].needed:
                return 0
            if unlikely(n.extra != NULL):
                run_pre_hooks(n, grads)
                seen_by_hooks = (<NodeExtra>n.extra).post_hooks is not None
            if unlikely(node_sink is not None):
                apply_and_tell(n, grads, made)
            else:
                apply_node(n, grads, made)
            if unlikely(anomaly_mode):
                refuse_nan(n, made)
            if unlikely(n.extra != NULL):
                run_post_hooks(n, grads, n.num_slots if seen_by_hooks else 0, made)
            if not self.keep_graph and n.kind != RT_NODE_ACCUMULATE:
                release_node(n)
            for i in range(count):
                if n.edges[i].node == NULL:
                    continue
                child = self.find(n.edges[i].node)
                if child < 0 or not self.entries[child].needed and self.entries[child].capture < 0:
                    continue
                if made[i] != NULL:
                    grad = made[i]
                    made[i] = NULL
                    self.deliver(child, n.edges[i].nr, fitted(n, i, grad))
                e = &self.entries[child]
                e.waiting -= 1
                if e.waiting == 0:
                    self.make_ready(child)
        except BaseException as error:
            if anomaly_mode:
                print_forward_trace(n)
            raise
        finally:
            self.current = before
            for i in range(count):
                RT_XDEC(made[i])
            if made != few:
                free(made)
        return 0

    cdef int capture(self, Py_ssize_t place, PyObject **grads) except -1:
        cdef int32_t c = self.entries[place].capture
        cdef PyObject *grad
        while c >= 0:
            grad = grads[self.captures[c].nr]
            self.captured[self.captures[c].place] = None if grad == NULL else <object>grad
            c = self.captures[c].next
        return 0


cdef void drop_grads(Entry *e) noexcept:
    cdef uint32_t i
    cdef PyObject *grad = e.one_grad
    e.one_grad = NULL
    RT_XDEC(grad)
    if e.grads != NULL:
        for i in range(RT_NODE(e.node).num_slots):
            RT_XDEC(e.grads[i])
        free(e.grads)
        e.grads = NULL


cdef PyObject *sum_of(PyObject *a, PyObject *b) except NULL:
    """a + b, both taken over; in the memory of `a` where nobody else can see it."""
    cdef PyObject *args[3]
    cdef PyObject *result
    cdef RtTensor *t = RT_TENSOR(a)
    if unlikely(has_key(t, RT_KEY_Sparse) and not has_key(RT_TENSOR(b), RT_KEY_Sparse)):
        a, b = b, a   # the sum of a dense and a sparse tensor is dense
        t = RT_TENSOR(a)
    args[0] = a
    args[1] = b
    args[2] = ONE
    if (rt_tls_state.no_grad and RT_REFCNT(a) == 1 and RT_TYPE(a) == rt_TensorType and RT_TYPE(b) == rt_TensorType and t.storage != NULL
            and t.storage.refcount == 1 and t.flags & RT_T_DENSE and t.view == NULL and t.dtype == RT_TENSOR(b).dtype
            and t.storage.owner == NULL and not t.keys & lazy_bits and not t.storage.flags & 8):
        result = rt_call(rt_builtin_ops[RT_OP_aten_add__Tensor], args, 3)
    else:
        result = rt_call(rt_builtin_ops[RT_OP_aten_add_Tensor], args, 3)
    RT_DEC(a)
    RT_DEC(b)
    if result == NULL:
        raise_current()
    return result


cdef int release_node(RtNode *n) except -1:
    """Give back what a node has saved: it cannot run again."""
    if n.kind == RT_NODE_PYTHON or n.num_saved > 0:
        rt_node_release_saved(n)
    elif n.kind == RT_NODE_COPY_SLICES:
        if n.payload != NULL:
            release_node(RT_NODE(<void *>(<CopySlicesState>n.payload).node))
        n.released = 1
    return 0


# --------------------------------------------------------------------------------------------------------------- a run

cdef list run_backward(list roots, list grads, bint keep_graph, bint create_graph, list inputs, bint accumulate_grad, bint allow_unreachable):
    """Run the graph backward.

    `roots` are (node, output) pairs and `grads` a gradient for each. With `inputs`, (node, output) pairs too (or None for what is in no
    graph), only what leads there runs: leaves' gradients are accumulated, or, without `accumulate_grad`, all are captured and returned.
    """
    cdef GraphTask task = GraphTask.__new__(GraphTask)
    cdef Py_ssize_t i, place
    cdef uint32_t nr
    cdef PyObject *grad
    cdef PyObject *node
    cdef uint8_t no_grad_before = rt_tls_state.no_grad
    cdef list places = []
    cdef PyObject *outer = rt_tls_state.graph_task
    task.keep_graph = keep_graph
    task.captured = [None] * (0 if inputs is None else len(inputs))
    task.selective = inputs is not None
    task.roots, task.inputs = roots, inputs
    rt_tls_state.no_grad = not create_graph
    try:
        for pair in roots:
            places.append(task.enter(<PyObject *>(<tuple>pair)[0]))
        for place in places:
            task.discover(place)
        if task.selective:
            set_captures(task, inputs, accumulate_grad)
            for place in places:
                task.choose(place)
        for i in range(len(roots)):
            (root, nr) = roots[i]
            value = grads[i]
            if value is None:
                continue
            RT_INC(<void *>value)
            grad = fit_root(<PyObject *>root, nr, <PyObject *>value)
            value = None
            task.deliver(places[i], nr, grad)
        for place in set(places):
            if task.entries[place].waiting == 0:
                task.make_ready(place)
        grads.clear()
        if outer != NULL:
            task.depth = (<GraphTask>outer).depth + 1
        rt_tls_state.graph_task = <PyObject *>task
        if unlikely(task.depth >= MAX_DEPTH):
            run_in_thread(task)
        else:
            task.finish()
    finally:
        rt_tls_state.no_grad = no_grad_before
        rt_tls_state.graph_task = outer
    return task.captured


cdef enum:
    MAX_DEPTH = 50   # runs inside runs before a thread with a stack of its own takes the next one


cdef class _Relay:
    """A run that another thread does while this one waits, in the state of this one."""
    cdef GraphTask task
    cdef rt_tls state
    cdef dict storage
    cdef object error

    def __call__(self):
        if self.task is None:
            raise TypeError("no run of the engine waits for this")
        cdef rt_tls *here = &rt_tls_state
        cdef rt_tls before = here[0]
        here[0] = self.state
        self.task.depth = 0
        thread_storage().update(self.storage)
        try:
            self.task.finish()
        except BaseException as e:
            self.error = e
        finally:
            here[0] = before


cdef int run_in_thread(GraphTask task) except -1:
    """Run the engine in a new thread: the stack of this one is nearly used up by runs inside runs."""
    from threading import Thread
    cdef _Relay relay = _Relay.__new__(_Relay)
    interrupted = None
    relay.task = task
    relay.state = rt_tls_state
    relay.storage = dict(thread_storage())
    thread = Thread(target=relay, name="runtime-backward")
    thread.start()
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as e:   # an interrupt: what this thread holds must live as long as the other one runs
            interrupted = e
    if relay.error is not None:
        raise relay.error
    if interrupted is not None:
        raise interrupted
    return 0


cdef object call_node(object node, tuple grads):
    """A node's formula by itself."""
    cdef RtNode *n = RT_NODE(<void *>node)
    cdef PyObject **given
    cdef PyObject **made
    cdef uint32_t i
    if n.kind == RT_NODE_PYTHON:
        raise TypeError(f"'{type(node).__name__}' object is not callable")
    if <uint32_t>len(grads) != n.num_slots:
        raise TypeError(f"expected {n.num_slots} arguments, got {len(grads)} instead")
    for i, one in enumerate(grads):
        if one is not None and not rt_is_tensor(<PyObject *>one):
            raise TypeError(f"argument {i} is not a Variable")
    given = <PyObject **>calloc(n.num_slots + n.num_edges + 1, sizeof(PyObject *))
    if given == NULL:
        raise MemoryError()
    made = given + n.num_slots
    try:
        for i in range(n.num_slots):
            put_one(given, i, grads[i])
        apply_node(n, given, made)
        result = as_tuple_of_grads(made, n.num_edges)
    finally:
        for i in range(n.num_slots + n.num_edges):
            RT_XDEC(given[i])
        free(given)
    return result[0] if len(result) == 1 else result


cdef PyObject *fit_root(PyObject *root, uint32_t nr, PyObject *grad) except NULL:
    """A given gradient in the dtype of the output that it is for."""
    cdef rt_grad_like *like
    if nr < RT_NODE(root).num_slots and RT_NODE(root).slots[nr].is_set:
        like = &RT_NODE(root).slots[nr]
        if RT_TENSOR(grad).dtype != like.dtype and not like.any_dtype and dtype_kind(RT_TENSOR(grad).dtype) != KIND_COMPLEX:
            value = steal(grad).to(<object>rt_dtype_objects[like.dtype])
            RT_INC(<void *>value)
            return <PyObject *>value
    return grad


cdef int set_captures(GraphTask task, list inputs, bint accumulate_grad) except -1:
    cdef Py_ssize_t i, place
    cdef Capture *c
    task.captures = <Capture *>calloc(max(len(inputs), 1), sizeof(Capture))
    if task.captures == NULL:
        raise MemoryError()
    for i in range(task.count):
        task.entries[i].needed = 0
    for i in range(len(inputs)):
        pair = inputs[i]
        if pair is None:
            continue
        place = task.find(<PyObject *>(<tuple>pair)[0])
        if place < 0:
            continue
        if accumulate_grad:
            task.entries[place].needed = 1
            continue
        c = &task.captures[task.n_captures]
        c.nr = (<tuple>pair)[1]
        c.place = i
        c.next = task.entries[place].capture
        task.entries[place].capture = <int32_t>task.n_captures
        task.n_captures += 1
    return 0


cdef tuple checked_edge(object pair):
    """(node, output) as Python code gives it; the output must be one of the node's."""
    cdef uint32_t nr
    node, nr = pair
    cdef uint32_t outputs = RT_NODE(<void *>(<Node?>node)).num_slots
    if nr >= max(outputs, 1):
        raise IndexError(f"{node.name()} has {outputs} outputs, so an edge cannot be for output {nr}")
    return node, nr


def _run_backward(roots, grads, bint keep_graph, bint create_graph, inputs=(), bint allow_unreachable=False, bint accumulate_grad=False):
    """Run the graph backward from some tensors.

    Parameters
    ----------
    roots : tuple of Tensor or (Node, int)
        Where to begin.
    grads : tuple of Tensor or None
        A gradient for each.
    keep_graph, create_graph : bool
        Whether nodes keep what they have saved; whether what backward does is recorded.
    inputs : tuple of Tensor or (Node, int)
        With respect to what; all leaves if there are none.
    allow_unreachable : bool
        Whether an input may have no gradient.
    accumulate_grad : bool
        Whether leaves' gradients are accumulated; otherwise the inputs' are returned.

    Returns
    -------
    tuple of (Tensor or None), or None
    """
    cdef rt_edge edge
    cdef list edges = [], starts = [], wanted = None
    cdef Py_ssize_t i
    for i, root in enumerate(roots):
        if rt_is_tensor(<PyObject *>root):
            find_edge(<PyObject *>root, &edge)
            if edge.node == NULL:
                raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
            node = steal(edge.node)
            edges.append((node, edge.nr))
        else:
            edges.append(checked_edge(root))
        grad = grads[i]
        if grad is None:
            if rt_is_tensor(<PyObject *>root) and RT_TENSOR(<void *>root).flags & RT_T_REQUIRES_GRAD:
                raise RuntimeError(f"element {i} of gradients tuple is None, but the corresponding Tensor requires grad")
        elif not rt_is_tensor(<PyObject *>grad):
            raise TypeError(f"element {i} of gradients tuple is not a Tensor or None")
        starts.append(grad)
    if inputs:
        wanted = []
        for i, one in enumerate(inputs):
            if rt_is_tensor(<PyObject *>one):
                if accumulate_grad:
                    _tensor_retain_grad(one)
                if not needs_grad(RT_TENSOR(<void *>one)):
                    raise RuntimeError("One of the differentiated Tensors does not require grad")
                if RT_TENSOR(<void *>one).autograd == NULL and not has_accumulator(<PyObject *>one):
                    wanted.append(None)   # no call has seen it
                    continue
                find_edge(<PyObject *>one, &edge)
                node = steal(edge.node)
                wanted.append((node, edge.nr))
            else:
                wanted.append(checked_edge(one))
    found = run_backward(edges, starts, keep_graph, create_graph, wanted, accumulate_grad, allow_unreachable)
    if accumulate_grad or wanted is None:
        return None
    if not allow_unreachable:
        for i in range(len(found)):
            if found[i] is None:
                raise RuntimeError(f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set allow_unused=True "
                                   f"if this is the desired behavior.")
    return tuple(found)


cdef bint has_accumulator(PyObject *tensor) except -1:
    cdef rt_grad_ext *ext
    cdef PyObject *node
    find_history(tensor, &node)
    if node != NULL:
        return True
    ext = rt_grad_ext_or_null(RT_TENSOR(tensor))
    return ext != NULL and ext.accumulator != NULL


def _queue_callback(callback):
    """Call a function when the run of the engine that calls this is finished."""
    task = task_of_thread()
    if task is None:
        raise RuntimeError("Final callbacks can only be installed during backward pass.")
    if task.callbacks is None:
        task.callbacks = []
    task.callbacks.append(callback)


def _current_graph_task_id():
    """The number of the run of the engine that is under way, or -1."""
    task = task_of_thread()
    return -1 if task is None else task.number


def _current_autograd_node():
    """The node that runs, or None."""
    task = task_of_thread()
    return None if task is None or task.current == NULL else <object>task.current


def _is_checkpoint_valid():
    """Whether the run that is under way computes the gradients of all leaves, so that one inside it may do so too."""
    task = task_of_thread()
    return task is None or not task.selective


def _execution_order():
    """The nodes that the run that is under way will run, in their order, the one that runs now first; None outside of runs."""
    from heapq import heappop, heappush
    cdef Py_ssize_t i, place, child
    cdef uint32_t e
    cdef RtNode *node
    task = task_of_thread()
    if task is None or task.current == NULL:
        return None
    waiting = {}
    found = []
    heap = [(-<object>RT_NODE(task.current).sequence_nr, task.find(task.current))]
    for i in range(task.n_ready):
        heappush(heap, (-<object>RT_NODE(task.entries[task.ready[i]].node).sequence_nr, task.ready[i]))
    while heap:
        place = heappop(heap)[1]
        node = RT_NODE(task.entries[place].node)
        found.append(<object>task.entries[place].node)
        for e in range(node.num_edges):
            if node.edges[e].node == NULL:
                continue
            child = task.find(node.edges[e].node)
            if child < 0 or not task.entries[child].needed and task.entries[child].capture < 0:
                continue
            waiting[child] = waiting.get(child, task.entries[child].waiting) - 1
            if waiting[child] == 0:
                heappush(heap, (-<object>RT_NODE(task.entries[child].node).sequence_nr, child))
    return found


cdef bint leads_to(object nodes, set goals) except -1:
    """Whether there is a way along edges from one of some nodes to a goal."""
    cdef list stack = list(nodes)
    cdef set seen = set(stack)
    while stack:
        node = stack.pop()
        if node in goals:
            return True
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                stack.append(child)
    return False


def _will_engine_execute_node(node not None):
    """Whether a node is one of those that the run that is under way runs."""
    cdef Py_ssize_t place
    task = task_of_thread()
    if task is None:
        raise RuntimeError("_get_should_execute_nodes should only be called during the backward pass")
    place = task.find(<PyObject *>(<Node?>node))
    if place >= 0:
        return task.entries[place].needed != 0 or task.entries[place].capture >= 0
    # What has run is no longer in the table.
    if not leads_to([root for root, _ in task.roots], {node}):
        return False
    return task.inputs is None or leads_to([node], {one[0] for one in task.inputs if one is not None})


def _get_accumulator(Tensor tensor not None):
    """The node of a leaf, made if need be."""
    return steal(accumulator_of(<PyObject *>tensor))


def _gradient_edge(Tensor tensor not None):
    """(node, output) where a tensor's gradient goes."""
    cdef rt_edge edge
    find_edge(<PyObject *>tensor, &edge)
    if edge.node == NULL:
        return None, 0
    return steal(edge.node), edge.nr


@cython.binding(True)
def _tensor_backward(Tensor self not None, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Compute the gradients of the leaves that the tensor was made of, and add them to the leaves' `grad`.

    Parameters
    ----------
    gradient : Tensor, optional
        The gradient with respect to the tensor itself; needed unless it is a scalar.
    retain_graph : bool, optional
        Whether nodes keep what they have saved, for another run; by default what `create_graph` is.
    create_graph : bool
        Whether what backward does is recorded, for derivatives of higher order.
    inputs : Tensor or sequence of Tensor, optional
        Leaves to accumulate in; all by default.
    """
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef rt_edge edge
    if (gradient is None and inputs is None and create_graph is False and (retain_graph is None or isinstance(retain_graph, bool))
            and RT_TYPE(<void *>self) == rt_TensorType and t.numel == 1 and not rt_tls_state.function_modes and not goes_to_modes()
            and has_derivative_dtype(t) and dtype_kind(t.dtype) == KIND_FLOAT):
        find_edge(<PyObject *>self, &edge)
        if edge.node != NULL:
            node = steal(edge.node)
            run_backward([(node, edge.nr)], [ones_like_root(t)], bool(retain_graph), False, None, True, True)
            return None
    if has_torch_function(<PyObject *>self) or rt_tls_state.function_modes:
        overridden = slot_override("backward", (self, gradient, retain_graph, create_graph, inputs))
        if overridden is not None:
            return overridden[0]
    from runtime.autograd import backward
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


cdef object ones_like_root(RtTensor *t):
    cdef RtTensor *r
    result = steal(<PyObject *>rt_empty_like(t, t.dtype))
    r = RT_TENSOR(<void *>result)
    if r.device_type != DEVICE_CPU:
        return result.fill_(1)
    rt_store_element(rt_data(r), r.dtype, ONE)
    return result

cdef extern from "runtime/core/core.h":
    RtTensor *rt_empty_like(const RtTensor *t, int code) noexcept

_tensor_backward.__name__ = "backward"
rt_type_set(<PyTypeObject *>Tensor, "backward", _tensor_backward)
