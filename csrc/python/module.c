/* module.c -- the extension module pygradc._replay. */
#define REPLAY_MODULE
#include "python/replay.h"

struct replay_library replay_library;
PyObject *replay_changed;

static PyObject *use_library(PyObject *module, PyObject *args)
{
    Py_ssize_t run, take, give;
    PyObject *fail;
    (void)module;
    if (!PyArg_ParseTuple(args, "nnnO", &run, &take, &give, &fail))
        return NULL;
    Py_INCREF(fail);
    Py_XDECREF(replay_library.fail);
    memcpy(&replay_library.run, &run, sizeof run);
    memcpy(&replay_library.take, &take, sizeof take);
    memcpy(&replay_library.give, &give, sizeof give);
    replay_library.fail = fail;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"use_library", use_library, METH_VARARGS,
     "use_library(run, take, give, fail): addresses of gradc_run, gradc_buffer_take "
     "and gradc_buffer_give; fail(status, text) raises."},
    {0}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "pygradc._replay",
    .m_doc = "The call path of programs.", .m_size = -1, .m_methods = methods};

/* Adds a new reference, which is given away. */
static bool add(PyObject *module, const char *name, PyObject *value)
{
    if (value != NULL && PyModule_AddObject(module, name, value) == 0)
        return true;
    Py_XDECREF(value);
    return false;
}

PyMODINIT_FUNC PyInit__replay(void)
{
    import_array();
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyType_Ready(&replay_type) < 0 ||
        PyType_Ready(&bound_type) < 0)
        return NULL;
    replay_changed = PyObject_CallNoArgs((PyObject *)&PyBaseObject_Type);
    Py_XINCREF(replay_changed);
    Py_INCREF(&replay_type);
    Py_INCREF(&bound_type);
    static const char *const kinds[] = {"ARRAY",   "STATIC", "SEQUENCE",
                                        "MAPPING", "FIELDS", "ATTRIBUTES"};
    bool ok = add(module, "CHANGED", replay_changed) &&
              add(module, "Replay", (PyObject *)&replay_type) &&
              add(module, "Bound", (PyObject *)&bound_type);
    for (int i = 0; ok && i < (int)(sizeof kinds / sizeof *kinds); i++)
        ok = PyModule_AddIntConstant(module, kinds[i], i) == 0;
    if (!ok)
        Py_CLEAR(module);
    return module;
}
