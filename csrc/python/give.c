/* give.c -- the results of a call: new arrays before it, their tree after it. */
#include "python/replay.h"

static void give_block(PyObject *capsule)
{
    replay_library.give(PyCapsule_GetPointer(capsule, NULL));
}

/* An array whose memory returns to the pool when it and all its views are gone. */
static PyObject *large_array(const type *t)
{
    void *block = replay_take_block(t->bytes, "result");
    if (block == NULL)
        return NULL;
    PyObject *owner = PyCapsule_New(block, NULL, give_block);
    if (owner == NULL) {
        replay_library.give(block);
        return NULL;
    }
    Py_INCREF(t->dtype);
    PyObject *a = PyArray_NewFromDescr(&PyArray_Type, t->dtype, t->rank, t->dim, NULL,
                                       block, NPY_ARRAY_CARRAY, NULL);
    if (a == NULL)
        Py_DECREF(owner);
    else if (PyArray_SetBaseObject((PyArrayObject *)a, owner) < 0)
        Py_CLEAR(a);
    return a;
}

bool replay_make_results(const replay *r, frame *f)
{
    for (Py_ssize_t i = 0; i < r->n_result; i++) {
        const type *t = &r->result[i];
        if (t->rank == 0) {
            f->results[i] = &f->out[i];
            continue;
        }
        if (t->bytes >= REPLAY_LARGE) {
            f->made[i] = large_array(t);
        } else {
            Py_INCREF(t->dtype);
            f->made[i] = PyArray_NewFromDescr(&PyArray_Type, t->dtype, t->rank, t->dim,
                                              NULL, NULL, 0, NULL);
        }
        if (f->made[i] == NULL)
            return false;
        f->results[i] = PyArray_DATA((PyArrayObject *)f->made[i]);
    }
    return true;
}

static PyObject *build(const node **at, PyObject *const *made);

static PyObject *build_sequence(const node *t, const node **at, PyObject *const *made)
{
    const bool is_list = t->what == (PyObject *)&PyList_Type;
    PyObject *r = is_list ? PyList_New(t->n) : PyTuple_New(t->n);
    for (Py_ssize_t i = 0; r != NULL && i < t->n; i++) {
        PyObject *part = build(at, made);
        if (part == NULL)
            Py_CLEAR(r);
        else if (is_list)
            PyList_SET_ITEM(r, i, part);
        else
            PyTuple_SET_ITEM(r, i, part);
    }
    return r;
}

static PyObject *build_dict(const node *t, const node **at, PyObject *const *made)
{
    PyObject *r = PyDict_New();
    for (Py_ssize_t i = 0; r != NULL && i < t->n; i++) {
        PyObject *part = build(at, made);
        if (part == NULL || PyDict_SetItem(r, PyTuple_GET_ITEM(t->keys, i), part) < 0)
            Py_CLEAR(r);
        Py_XDECREF(part);
    }
    return r;
}

/* The tree at *at, which moves past it. */
static PyObject *build(const node **at, PyObject *const *made)
{
    const node *t = (*at)++;
    if (t->kind == ARRAY || t->kind == STATIC) {
        PyObject *r = t->kind == ARRAY ? made[t->n] : t->what;
        Py_INCREF(r);
        return r;
    }
    if (t->kind == SEQUENCE)
        return build_sequence(t, at, made);
    if (t->kind == FIELDS) {
        const node parts = {.n = t->n, .what = (PyObject *)&PyTuple_Type};
        PyObject *values = build_sequence(&parts, at, made);
        PyObject *r = values ? PyObject_CallObject(t->what, values) : NULL;
        Py_XDECREF(values);
        return r;
    }
    PyObject *items = build_dict(t, at, made);
    if (t->kind == MAPPING || items == NULL)
        return items;
    PyObject *r = PyObject_CallFunctionObjArgs(t->what, items, NULL);
    Py_DECREF(items);
    return r;
}

PyObject *replay_give(const replay *r, frame *f)
{
    const node *at = r->give.node;
    for (Py_ssize_t i = 0; i < r->n_result; i++)
        if (r->result[i].rank == 0 &&
            (f->made[i] = PyArray_Scalar(&f->out[i], r->result[i].dtype, NULL)) == NULL)
            return NULL;
    return build(&at, f->made);
}
