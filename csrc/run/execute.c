/* execute.c -- running programs, and single ops on scalars. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "run/program.h"
#include "run/run.h"

static size_t table_bytes(const gradc_program *p)
{
    return gradc_align((BASE_ARGS + (size_t)p->n_args + p->n_results) * sizeof(void *));
}

size_t gradc_program_workspace(const gradc_program *p)
{
    return ALIGNMENT + table_bytes(p) + p->work + p->scratch;
}

static gradc_status fail_alignment(gradc_message *msg)
{
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text,
                 "run: an argument is not aligned to its elements");
    return GRADC_EVALUE;
}

gradc_status gradc_run(const gradc_program *p, const void *const *args,
                       void *const *results, void *workspace, gradc_message *msg)
{
    char *start = (char *)gradc_align((size_t)workspace);
    void **base = (void **)start;
    base[BASE_WORK] = start + table_bytes(p);
    base[BASE_CONSTANT] = p->constants;
    uintptr_t odd = 0;
    for (uint32_t i = 0; i < p->n_args; i++) {
        base[BASE_ARGS + i] = (void *)args[i];
        odd |= (uintptr_t)args[i] & p->misaligned[i];
    }
    if (odd != 0)
        return fail_alignment(msg);
    for (uint32_t i = 0; i < p->n_results; i++)
        base[BASE_ARGS + p->n_args + i] = results[i];

    const gradc_frame f = {base, (char *)base[BASE_WORK] + p->work, msg};
    for (uint32_t i = 0; i < p->n_step; i++)
        GRADC_TRY(p->step[i].run(p->step[i].data, &f));
    return GRADC_OK;
}

void gradc_program_free(gradc_program *p)
{
    if (p == NULL)
        return;
    gradc_code_free(&p->code);
    gradc_arena_clear(&p->arena);
    gradc_release(p->step);
    gradc_release(p->constants);
    gradc_release(p);
}

void gradc_program_memory(const gradc_program *p, gradc_memory *out)
{
    *out = (gradc_memory){gradc_program_workspace(p), p->arguments, p->results, 0};
    for (uint32_t i = 0; i < p->n_step; i++)
        out->moved += p->step[i].read + p->step[i].written;
}

size_t gradc_program_print(const gradc_program *p, char *out, size_t size)
{
    gradc_text t = {out, size, 0};
    gradc_text_add(&t, "%u arguments, %u results, %zu bytes of workspace\n", p->n_args,
                   p->n_results, gradc_program_workspace(p));
    for (uint32_t i = 0; i < p->n_step; i++) {
        const gradc_run_step *s = &p->step[i];
        gradc_text_add(&t, "%u: %s, reads %zu and writes %zu bytes\n", i, s->name,
                       s->read, s->written);
    }
    return t.need + 1;
}

gradc_value gradc_run_scalar(gradc_op op, gradc_dtype dtype, const gradc_value *in,
                             size_t n_in)
{
    union {
        double f64;
        float f32;
        int64_t i64;
        uint8_t flag;
    } v[3] = {{0}}, r = {0};
    const gradc_op_row *row = gradc_op_get(op);
    for (size_t i = 0; i < 3; i++) {
        const gradc_value c = in[i < n_in ? i : 0];
        const bool flag =
            dtype == GRADC_BOOL || (row->kind == GRADC_KIND_TERNARY && !i);
        if (flag)
            v[i].flag = (uint8_t)c.i;
        else if (dtype == GRADC_F64)
            v[i].f64 = c.f;
        else if (dtype == GRADC_F32)
            v[i].f32 = (float)c.f;
        else
            v[i].i64 = c.i;
    }
    gradc_kernels_get()->map[dtype]->map[op](&r, &v[0], &v[1], &v[2], 1);
    if (row->kind == GRADC_KIND_TEST || dtype == GRADC_BOOL)
        return (gradc_value){.i = r.flag};
    if (dtype == GRADC_I64)
        return (gradc_value){.i = r.i64};
    return (gradc_value){.f = dtype == GRADC_F64 ? r.f64 : (double)r.f32};
}
