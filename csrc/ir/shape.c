/* shape.c -- shapes as values: checks, broadcasting, strides, text. */
#include "ir/shape.h"

#include <stdio.h>
#include <string.h>

const char *gradc_shape_str(const gradc_shape *s, char *out)
{
    size_t at = (size_t)snprintf(out, GRADC_SHAPE_STR, "(");
    for (int i = 0; i < s->rank; i++) {
        const char *after = i + 1 < s->rank ? ", " : s->rank == 1 ? "," : "";
        char one[32];
        const int n = snprintf(one, sizeof one, "%lld%s", (long long)s->dim[i], after);
        if (at + (size_t)n + 5 > GRADC_SHAPE_STR) {
            at += (size_t)snprintf(out + at, GRADC_SHAPE_STR - at, "...");
            break;
        }
        memcpy(out + at, one, (size_t)n + 1);
        at += (size_t)n;
    }
    snprintf(out + at, GRADC_SHAPE_STR - at, ")");
    return out;
}

void gradc_shape_count(gradc_shape *s)
{
    s->size = 1;
    for (int i = 0; i < s->rank; i++)
        s->size *= s->dim[i];
}

gradc_status gradc_shape_make(gradc_graph *g, const char *who, int rank,
                              const int64_t *dim, gradc_shape *out)
{
    if (rank < 0 || rank > GRADC_MAX_RANK)
        return gradc_fail(g, GRADC_ESHAPE, "%s: %d dimensions, at most %d are possible",
                          who, rank, GRADC_MAX_RANK);
    *out = (gradc_shape){.rank = rank, .size = 1};
    /* Zero dimensions are left out of the product so that (0, 2^62) stays an error
     * whichever way it is written. */
    int64_t bytes = 8;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0)
            return gradc_fail(g, GRADC_ESHAPE, "%s: negative dimension %lld", who,
                              (long long)dim[i]);
        if (dim[i] > 0 && __builtin_mul_overflow(bytes, dim[i], &bytes))
            return gradc_fail(g, GRADC_ESHAPE, "%s: array is too large", who);
        out->dim[i] = dim[i];
    }
    gradc_shape_count(out);
    return GRADC_OK;
}

bool gradc_shape_equal(const gradc_shape *a, const gradc_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool gradc_shape_broadcast(const gradc_shape *a, const gradc_shape *b, int keep,
                           gradc_shape *out)
{
    const int ra = a->rank - keep, rb = b->rank - keep;
    const int rank = ra > rb ? ra : rb;
    *out = (gradc_shape){.rank = rank};
    for (int i = 1; i <= rank; i++) {
        const int64_t da = i <= ra ? a->dim[ra - i] : 1;
        const int64_t db = i <= rb ? b->dim[rb - i] : 1;
        if (da != db && da != 1 && db != 1)
            return false;
        out->dim[rank - i] = da == 1 ? db : da;
    }
    gradc_shape_count(out);
    return true;
}

void gradc_shape_strides(const gradc_shape *s, int64_t *stride)
{
    int64_t step = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= s->dim[i];
    }
}

size_t gradc_dtype_size(gradc_dtype d)
{
    static const size_t size[GRADC_DTYPE_COUNT] = {8, 4, 8, 1};
    return size[d];
}

const char *gradc_dtype_name(gradc_dtype d)
{
    static const char *const name[GRADC_DTYPE_COUNT] = {"float64", "float32", "int64",
                                                        "bool"};
    return name[d];
}
