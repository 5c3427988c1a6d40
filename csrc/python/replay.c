/* replay.c -- the type Replay: a recorded function as a callable of its arguments. */
#include "python/replay.h"

/* ---- from Python's descriptions ---- */

static bool read_type(type *t, PyObject *from)
{
    PyObject *dtype, *shape;
    if (!PyArg_ParseTuple(from, "O!O!", &PyArrayDescr_Type, &dtype, &PyTuple_Type,
                          &shape))
        return false;
    Py_INCREF(dtype);
    t->dtype = (PyArray_Descr *)dtype;
    t->rank = (int)PyTuple_GET_SIZE(shape);
    t->bytes = (size_t)PyDataType_ELSIZE(t->dtype);
    t->dim = PyMem_Calloc((size_t)t->rank + 1, sizeof *t->dim);
    if (t->dim == NULL)
        return PyErr_NoMemory() != NULL;
    for (int i = 0; i < t->rank; i++) {
        t->dim[i] = PyLong_AsSsize_t(PyTuple_GET_ITEM(shape, i));
        t->bytes *= (size_t)t->dim[i];
    }
    return !PyErr_Occurred();
}

/* Types of arrays, from a tuple of (dtype, shape). */
static bool read_types(type **types, Py_ssize_t *n, PyObject *from)
{
    const Py_ssize_t size = PyTuple_GET_SIZE(from);
    *types = PyMem_Calloc((size_t)size + 1, sizeof **types);
    if (*types == NULL)
        return PyErr_NoMemory() != NULL;
    for (*n = 0; *n < size;) {
        const Py_ssize_t i = (*n)++;
        if (!read_type(&(*types)[i], PyTuple_GET_ITEM(from, i)))
            return false;
    }
    return true;
}

/* A tree, from a flat tuple of (kind, what, keys, n). */
static bool read_tree(tree *t, PyObject *from)
{
    const Py_ssize_t size = PyTuple_GET_SIZE(from);
    t->node = PyMem_Calloc((size_t)size + 1, sizeof *t->node);
    if (t->node == NULL)
        return PyErr_NoMemory() != NULL;
    for (; t->n < size; t->n++) {
        node *to = &t->node[t->n];
        int which;
        PyObject *what, *keys;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(from, t->n), "iOOn", &which, &what,
                              &keys, &to->n))
            return false;
        Py_INCREF(what);
        Py_INCREF(keys);
        to->kind = (kind)which, to->what = what, to->keys = keys;
    }
    return true;
}

/* ---- frames ---- */

static frame *new_frame(const replay *r)
{
    const size_t captured = (size_t)PyTuple_GET_SIZE(r->captured);
    const size_t own = (size_t)r->n_arg, args = own + captured;
    const size_t results = (size_t)r->n_result;
    const size_t words = 2 * args + 2 * results + own + results;
    const size_t work = r->workspace < REPLAY_LARGE ? r->workspace : 0;
    frame *f = PyMem_Calloc(1, sizeof *f + words * sizeof(double) + work);
    if (f == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    f->args = (void **)(f + 1);
    f->results = f->args + args;
    f->held = (PyObject **)(f->results + results);
    f->made = f->held + args;
    f->in = (double *)(f->made + results);
    f->out = f->in + own;
    f->work = work > 0 ? (char *)(f->out + results) : NULL;
    for (size_t i = 0; i < captured; i++) {
        PyObject *a = PyTuple_GET_ITEM(r->captured, (Py_ssize_t)i);
        f->args[own + i] = PyArray_DATA((PyArrayObject *)a);
    }
    return f;
}

static frame *take_frame(replay *r)
{
    frame *f = r->spare;
    if (f == NULL)
        return new_frame(r);
    r->spare = f->next;
    return f;
}

static void give_frame(replay *r, frame *f)
{
    for (Py_ssize_t i = 0; i < r->n_arg; i++)
        Py_CLEAR(f->held[i]);
    for (Py_ssize_t i = 0; i < r->n_result; i++)
        Py_CLEAR(f->made[i]);
    f->next = r->spare;
    r->spare = f;
}

/* ---- a call ---- */

PyObject *replay_fail(gradc_status status, const char *text)
{
    Py_XDECREF(PyObject_CallFunction(replay_library.fail, "is", (int)status, text));
    return NULL;
}

void *replay_take_block(size_t bytes, const char *what)
{
    char text[64];
    void *block = replay_library.take(bytes);
    if (block == NULL) {
        snprintf(text, sizeof text, "out of memory: a %s of %zu bytes", what, bytes);
        replay_fail(GRADC_ENOMEM, text);
    }
    return block;
}

bool replay_run(const gradc_program *p, void **args, void **results, char *work)
{
    gradc_message msg;
    gradc_status status;
    Py_BEGIN_ALLOW_THREADS status =
        replay_library.run(p, (const void *const *)args, results, work, &msg);
    Py_END_ALLOW_THREADS if (status == GRADC_OK) return true;
    return replay_fail(status, msg.text) != NULL;
}

static bool run_frame(const replay *r, frame *f)
{
    if (f->work != NULL)
        return replay_run(r->handle, f->args, f->results, f->work);
    char *work = replay_take_block(r->workspace, "workspace");
    if (work == NULL)
        return false;
    const bool ok = replay_run(r->handle, f->args, f->results, work);
    replay_library.give(work);
    return ok;
}

static PyObject *call(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    replay *r = (replay *)self;
    if (PyVectorcall_NARGS(n) != 1 || names != NULL) {
        PyErr_SetString(PyExc_TypeError, "Replay: takes the tree of arguments");
        return NULL;
    }
    frame *f = take_frame(r);
    if (f == NULL)
        return NULL;
    PyObject *out = NULL;
    const fit how = replay_take(r, f, args[0]);
    if (how == DIFFERS)
        Py_INCREF(out = replay_changed);
    else if (how == FITS && replay_make_results(r, f) && run_frame(r, f))
        out = replay_give(r, f);
    give_frame(r, f);
    return out;
}

/* ---- the type ---- */

static PyObject *new(PyTypeObject *of, PyObject *args, PyObject *names)
{
    PyObject *program, *handle, *take, *types, *captured, *give, *results;
    Py_ssize_t workspace;
    PyTypeObject *const t = &PyTuple_Type;
    if (names != NULL && PyDict_GET_SIZE(names) > 0) {
        PyErr_SetString(PyExc_TypeError, "Replay: takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OO!nO!O!O!O!O!", &program, &PyLong_Type, &handle,
                          &workspace, t, &take, t, &types, t, &captured, t, &give, t,
                          &results))
        return NULL;
    replay *r = (replay *)of->tp_alloc(of, 0);
    if (r == NULL)
        return NULL;
    r->call = call;
    r->handle = PyLong_AsVoidPtr(handle);
    r->workspace = (size_t)workspace;
    Py_INCREF(r->program = program);
    Py_INCREF(r->captured = captured);
    if (r->handle == NULL || !read_tree(&r->take, take) || !read_tree(&r->give, give) ||
        !read_types(&r->arg, &r->n_arg, types) ||
        !read_types(&r->result, &r->n_result, results))
        Py_CLEAR(r);
    return (PyObject *)r;
}

static int visit_tree(const tree *t, visitproc visit, void *arg)
{
    for (Py_ssize_t i = 0; i < t->n; i++) {
        Py_VISIT(t->node[i].what);
        Py_VISIT(t->node[i].keys);
    }
    return 0;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    const replay *r = (replay *)self;
    Py_VISIT(r->program);
    Py_VISIT(r->captured);
    const int taken = visit_tree(&r->take, visit, arg);
    return taken != 0 ? taken : visit_tree(&r->give, visit, arg);
}

static void free_tree(tree *t)
{
    node *nodes = t->node;
    const Py_ssize_t n = t->n;
    *t = (tree){NULL, 0};
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_DECREF(nodes[i].what);
        Py_DECREF(nodes[i].keys);
    }
    PyMem_Free(nodes);
}

static void free_types(type *types, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_XDECREF(types[i].dtype);
        PyMem_Free(types[i].dim);
    }
    PyMem_Free(types);
}

static void dealloc(PyObject *self)
{
    replay *r = (replay *)self;
    PyObject_GC_UnTrack(self);
    for (frame *f = r->spare; f != NULL; f = r->spare) {
        r->spare = f->next;
        PyMem_Free(f);
    }
    free_types(r->arg, r->n_arg);
    free_types(r->result, r->n_result);
    free_tree(&r->take);
    free_tree(&r->give);
    Py_XDECREF(r->captured);
    Py_XDECREF(r->program);
    Py_TYPE(self)->tp_free(self);
}

PyTypeObject replay_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "pygradc._replay.Replay",
    .tp_basicsize = sizeof(replay),
    .tp_vectorcall_offset = offsetof(replay, call),
    .tp_call = PyVectorcall_Call,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = new,
    .tp_traverse = traverse,
    .tp_dealloc = dealloc,
    .tp_doc =
        "Replay(program, handle, workspace, take, types, captured, give, results)",
};
