/* replay.h -- the call path: Python values in, one run of a program, Python values out.
 *
 * A gradient of eight numbers takes less time than Python needs to look at its
 * arguments. So what a call does around the run is written against the C interfaces of
 * Python and NumPy: a `Replay` knows the tree of the arguments, each leaf's dtype and
 * shape, and the tree of the results. A call walks the arguments once (take.c), makes
 * the result arrays (give.c), runs without the GIL, and builds the tree of the results.
 * A call that finds other arguments than it was made for has done nothing yet and
 * returns CHANGED. A `Bound` keeps its buffers: a call of it is the run alone.
 *
 * This is the one folder that knows Python; it knows of the library what gradc.h says,
 * and gets its functions by address, as the library lives in another extension. */
#ifndef GRADC_PYTHON_REPLAY_H
#define GRADC_PYTHON_REPLAY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define NPY_TARGET_VERSION NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL gradc_numpy
#if !defined(REPLAY_MODULE)
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
#include <numpy/arrayscalars.h>

#include <stdbool.h>

#include "gradc.h"

/* Bytes from which on memory comes from the library's pool of large blocks: the system
 * gives back such blocks to the kernel, and each new one costs its page faults. */
enum { REPLAY_LARGE = 1 << 18 };

extern struct replay_library {
    gradc_status (*run)(const gradc_program *p, const void *const *args,
                        void *const *results, void *workspace, gradc_message *msg);
    void *(*take)(size_t size);
    void (*give)(void *block);
    PyObject *fail; /* called with a status and a message: raises */
} replay_library;

/* What a call returns that does not fit. */
extern PyObject *replay_changed;

typedef enum kind {
    ARRAY,     /* an argument or result of the program, by its place */
    STATIC,    /* a value that is what it was */
    SEQUENCE,  /* tuple or list */
    MAPPING,   /* dict */
    FIELDS,    /* named tuple */
    ATTRIBUTES /* dataclass */
} kind;

typedef struct node {
    kind kind;
    PyObject *what; /* STATIC: the value; of containers the type */
    PyObject *keys; /* MAPPING, ATTRIBUTES: a tuple */
    Py_ssize_t n;   /* parts; ARRAY: the place */
} node;

/* Nodes of a tree, each before its parts. */
typedef struct tree {
    node *node;
    Py_ssize_t n;
} tree;

typedef struct type { /* of an array */
    PyArray_Descr *dtype;
    int rank;
    npy_intp *dim;
    size_t bytes;
} type;

/* Memory of one call. */
typedef struct frame {
    struct frame *next;
    void **args, **results;
    PyObject **held, **made; /* arguments; results */
    double *in, *out;        /* cells of 0-d arguments and results */
    char *work;              /* NULL if it comes from the pool */
} frame;

typedef struct replay {
    PyObject_HEAD vectorcallfunc call;
    PyObject *program; /* keeps the handle alive */
    const gradc_program *handle;
    size_t workspace;
    PyObject *captured; /* tuple of arrays: the last arguments */
    tree take, give;
    type *arg, *result;
    Py_ssize_t n_arg, n_result; /* n_arg: without the captured ones */
    frame *spare;
} replay;

typedef enum fit { FITS, DIFFERS, FAILED } fit;

/* Fills the frame's arguments from the tree `args`. */
fit replay_take(const replay *r, frame *f, PyObject *args);

/* Makes arrays for the results of a run; false with an error set. */
bool replay_make_results(const replay *r, frame *f);

/* The tree of the results after a run, or NULL with an error set. */
PyObject *replay_give(const replay *r, frame *f);

/* Raises the error of `status`; returns NULL. */
PyObject *replay_fail(gradc_status status, const char *text);

/* A block of the library's pool, or NULL with an error set that names `what` it is. */
void *replay_take_block(size_t bytes, const char *what);

/* Runs without the GIL; false with an error set. */
bool replay_run(const gradc_program *p, void **args, void **results, char *work);

extern PyTypeObject replay_type, bound_type;

#endif
