/* take.c -- the arguments of a call: one walk over their tree, checking as it goes.
 *
 * What is met must have the kinds, keys, dtypes, shapes and static values that the
 * replay was made for. Arrays are held while the program reads them, as other threads
 * may drop or replace what a list or dict of the arguments holds; those that are not
 * contiguous or not aligned are copied. */
#include "python/replay.h"

typedef struct taking {
    const replay *r;
    frame *f;
    const node *at;
} taking;

static bool has_shape(const PyArrayObject *a, const type *t)
{
    return PyArray_NDIM(a) == t->rank &&
           memcmp(PyArray_DIMS(a), t->dim, (size_t)t->rank * sizeof *t->dim) == 0;
}

/* Integers of other sizes are taken as int64, as everywhere in a trace. */
static bool is_integer_for(const PyArray_Descr *d, const type *t)
{
    return t->dtype->kind == 'i' && (d->kind == 'i' || d->kind == 'u') &&
           PyArray_CanCastSafely(d->type_num, t->dtype->type_num);
}

/* A number or NumPy scalar as the 0-d argument `t`. */
static fit take_scalar(const type *t, double *cell, PyObject *x)
{
    const bool is_double = t->dtype->type_num == NPY_DOUBLE;
    if (t->rank != 0)
        return DIFFERS;
    if (is_double && PyFloat_CheckExact(x))
        *cell = PyFloat_AS_DOUBLE(x);
    else if (is_double && PyArray_IsScalar(x, Double))
        *cell = PyArrayScalar_VAL(x, Double);
    else if (t->dtype->type_num == NPY_FLOAT && PyArray_IsScalar(x, Float))
        *(float *)cell = PyArrayScalar_VAL(x, Float);
    else
        return DIFFERS;
    return FITS;
}

/* Whether some of n bools are other bytes than 0 and 1. */
static bool has_other_bytes(const char *p, size_t n)
{
    uint64_t word, any = 0;
    for (; n >= sizeof word; p += sizeof word, n -= sizeof word) {
        memcpy(&word, p, sizeof word);
        any |= word;
    }
    word = 0;
    memcpy(&word, p, n);
    return ((any | word) & 0xFEFEFEFEFEFEFEFE) != 0;
}

/* `a`, of bools, or in its place an array of 0 and 1: to NumPy any byte but 0 is True.
 * NULL with an error set. */
static PyArrayObject *plain_bools(PyArrayObject *a)
{
    const size_t n = (size_t)PyArray_SIZE(a);
    const char *from = PyArray_DATA(a);
    if (!has_other_bytes(from, n))
        return a;
    PyArrayObject *r =
        (PyArrayObject *)PyArray_NewLikeArray(a, NPY_CORDER, NULL, false);
    for (size_t i = 0; r != NULL && i < n; i++)
        ((char *)PyArray_DATA(r))[i] = from[i] != 0;
    Py_DECREF(a);
    return r;
}

static fit take_array(const taking *k, Py_ssize_t place, PyObject *x)
{
    frame *f = k->f;
    const type *t = &k->r->arg[place];
    if (!PyArray_CheckExact(x)) {
        f->args[place] = &f->in[place];
        return take_scalar(t, &f->in[place], x);
    }
    PyArrayObject *a = (PyArrayObject *)x;
    PyArray_Descr *d = PyArray_DESCR(a);
    const bool same = d == t->dtype || PyArray_EquivTypes(d, t->dtype);
    if (!has_shape(a, t) || !(same || is_integer_for(d, t)))
        return DIFFERS;
    if (same && PyArray_CHKFLAGS(a, NPY_ARRAY_CARRAY_RO)) {
        Py_INCREF(a);
    } else {
        Py_INCREF(t->dtype);
        a = (PyArrayObject *)PyArray_FromArray(a, t->dtype, NPY_ARRAY_CARRAY_RO);
    }
    if (a != NULL && t->dtype->type_num == NPY_BOOL)
        a = plain_bools(a);
    if (a == NULL)
        return FAILED;
    f->held[place] = (PyObject *)a;
    f->args[place] = PyArray_DATA(a);
    return FITS;
}

static fit take_static(PyObject *was, PyObject *x)
{
    if (x == was)
        return FITS;
    if (Py_TYPE(x) != Py_TYPE(was))
        return DIFFERS;
    const int same = PyObject_RichCompareBool(x, was, Py_EQ);
    return same < 0 ? FAILED : same ? FITS : DIFFERS;
}

static fit take(taking *k, PyObject *x);

/* Part `i` of the container x, a new reference; NULL without an error if it is gone. */
static PyObject *part_of(const node *t, PyObject *x, Py_ssize_t i)
{
    if (t->kind == ATTRIBUTES)
        return PyObject_GetAttr(x, PyTuple_GET_ITEM(t->keys, i));
    PyObject *part = t->kind == MAPPING
                         ? PyDict_GetItemWithError(x, PyTuple_GET_ITEM(t->keys, i))
                     : PySequence_Fast_GET_SIZE(x) > i ? PySequence_Fast_GET_ITEM(x, i)
                                                       : NULL;
    Py_XINCREF(part);
    return part;
}

/* Whether the keys of dict x are those it had, in their order. */
static fit has_keys(PyObject *x, PyObject *keys)
{
    Py_ssize_t at = 0, i = 0;
    PyObject *key, *value;
    if (PyDict_GET_SIZE(x) != PyTuple_GET_SIZE(keys))
        return DIFFERS;
    /* comparing may change the dict, so that it has more to tell than at first */
    while (i < PyTuple_GET_SIZE(keys) && PyDict_Next(x, &at, &key, &value)) {
        PyObject *was = PyTuple_GET_ITEM(keys, i++);
        if (key == was)
            continue;
        Py_INCREF(key);
        const int same = PyObject_RichCompareBool(key, was, Py_EQ);
        Py_DECREF(key);
        if (same <= 0)
            return same < 0 ? FAILED : DIFFERS;
        if (PyDict_GET_SIZE(x) != PyTuple_GET_SIZE(keys))
            return DIFFERS;
    }
    return FITS;
}

static fit take_parts(taking *k, const node *t, PyObject *x)
{
    fit how = FITS;
    if ((PyObject *)Py_TYPE(x) != t->what)
        return DIFFERS;
    if (t->kind == MAPPING)
        how = has_keys(x, t->keys);
    else if (t->kind != ATTRIBUTES && PySequence_Fast_GET_SIZE(x) != t->n)
        how = DIFFERS;
    for (Py_ssize_t i = 0; how == FITS && i < t->n; i++) {
        PyObject *part = part_of(t, x, i);
        if (part == NULL)
            return PyErr_Occurred() ? FAILED : DIFFERS;
        how = take(k, part);
        Py_DECREF(part);
    }
    return how;
}

static fit take(taking *k, PyObject *x)
{
    const node *t = k->at++;
    return t->kind == ARRAY    ? take_array(k, t->n, x)
           : t->kind == STATIC ? take_static(t->what, x)
                               : take_parts(k, t, x);
}

fit replay_take(const replay *r, frame *f, PyObject *args)
{
    taking k = {r, f, r->take.node};
    return take(&k, args);
}
