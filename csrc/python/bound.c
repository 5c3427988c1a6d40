/* bound.c -- the type Bound: a run on buffers that were bound once.
 *
 * The buffers' owners keep them alive and checked them (pygradc/_jit.py). */
#include "python/replay.h"

#include <structmember.h>

typedef struct bound {
    PyObject_HEAD vectorcallfunc call;
    PyObject *program; /* keeps the handle alive */
    const gradc_program *handle;
    PyObject *args, *results; /* trees that the user sees */
    PyObject *arrays;         /* tuple: all arguments, then all results */
    void **pointer;           /* to their elements */
    Py_ssize_t n_arg;
    char *work;
    bool busy; /* a thread is in it; read and written with the GIL */
} bound;

static PyObject *call(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    bound *b = (bound *)self;
    (void)args;
    if (PyVectorcall_NARGS(n) != 0 || names != NULL) {
        PyErr_SetString(PyExc_TypeError, "a bound call takes no arguments");
        return NULL;
    }
    if (b->busy)
        return replay_fail(GRADC_EVALUE, "bind: another thread is in this bound call: "
                                         "each thread needs one of its own");
    b->busy = true;
    const bool ok = replay_run(b->handle, b->pointer, b->pointer + b->n_arg, b->work);
    b->busy = false;
    if (!ok)
        return NULL;
    Py_INCREF(b->results);
    return b->results;
}

static PyObject *new(PyTypeObject *of, PyObject *args, PyObject *names)
{
    PyObject *program, *handle, *arrays, *shown, *results;
    Py_ssize_t workspace, n_arg;
    if (names != NULL && PyDict_GET_SIZE(names) > 0) {
        PyErr_SetString(PyExc_TypeError, "Bound: takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OO!nO!nOO", &program, &PyLong_Type, &handle,
                          &workspace, &PyTuple_Type, &arrays, &n_arg, &shown, &results))
        return NULL;
    bound *b = (bound *)of->tp_alloc(of, 0);
    if (b == NULL)
        return NULL;
    const Py_ssize_t n = PyTuple_GET_SIZE(arrays);
    b->call = call;
    b->handle = PyLong_AsVoidPtr(handle);
    b->n_arg = n_arg;
    Py_INCREF(b->program = program);
    Py_INCREF(b->args = shown);
    Py_INCREF(b->results = results);
    Py_INCREF(b->arrays = arrays);
    b->pointer = PyMem_Calloc((size_t)n + 1, sizeof *b->pointer);
    b->work = replay_take_block((size_t)workspace, "workspace");
    if (b->pointer == NULL || b->work == NULL) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        Py_CLEAR(b);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < n; i++)
        b->pointer[i] = PyArray_DATA((PyArrayObject *)PyTuple_GET_ITEM(arrays, i));
    return (PyObject *)b;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    const bound *b = (bound *)self;
    Py_VISIT(b->program);
    Py_VISIT(b->args);
    Py_VISIT(b->results);
    Py_VISIT(b->arrays);
    return 0;
}

static void dealloc(PyObject *self)
{
    bound *b = (bound *)self;
    PyObject_GC_UnTrack(self);
    replay_library.give(b->work);
    PyMem_Free(b->pointer);
    Py_XDECREF(b->arrays);
    Py_XDECREF(b->results);
    Py_XDECREF(b->args);
    Py_XDECREF(b->program);
    Py_TYPE(self)->tp_free(self);
}

static PyMemberDef members[] = {
    {"args", T_OBJECT, offsetof(bound, args), READONLY, "arrays that are read"},
    {"results", T_OBJECT, offsetof(bound, results), READONLY, "tree that is written"},
    {0}};

PyTypeObject bound_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "pygradc._replay.Bound",
    .tp_basicsize = sizeof(bound),
    .tp_vectorcall_offset = offsetof(bound, call),
    .tp_call = PyVectorcall_Call,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = new,
    .tp_traverse = traverse,
    .tp_dealloc = dealloc,
    .tp_members = members,
    .tp_doc = "Bound(program, handle, workspace, arrays, n_arg, args, results)",
};
