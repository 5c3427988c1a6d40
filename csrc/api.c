/* api.c -- the public functions that join layers, and facts about this build.
 *
 * Builders and derivatives are public where they stand (ir/build.c, ad/); compiling
 * needs opt/ and run/, which do not know each other, so it is put together here. */
#include <stdio.h>
#include <stdlib.h>

#include "kern/kern.h"
#include "opt/optimise.h"
#include "run/run.h"

static gradc_status no_memory(gradc_message *msg)
{
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "out of memory");
    return GRADC_ENOMEM;
}

gradc_status gradc_compile(const gradc_graph *g, size_t n_args, const gradc_id *args,
                           size_t n_results, const gradc_id *results,
                           gradc_program **out, gradc_message *msg)
{
    const gradc_kernels *kernels = gradc_kernels_get();
    gradc_optimised o;
    gradc_schedule s;
    if (kernels == NULL) {
        if (msg != NULL)
            snprintf(msg->text, sizeof msg->text,
                     "PYGRADC_ISA=%s cannot be used here; usable: %s",
                     getenv("PYGRADC_ISA"), gradc_isa_usable());
        return GRADC_EVALUE;
    }
    gradc_status status =
        gradc_optimise(g, n_args, args, n_results, results, gradc_run_scalar, &o, msg);
    if (status != GRADC_OK)
        return status;
    if (gradc_fuse(o.g, n_results, o.result, &s) != GRADC_OK) {
        gradc_optimised_free(&o);
        return no_memory(msg);
    }
    status = gradc_recompute(o.g, n_results, o.result, &s);
    if (status == GRADC_OK)
        status =
            gradc_lower_program(o.g, &s, kernels, n_args, n_results, o.result, out);
    gradc_schedule_free(&s);
    gradc_optimised_free(&o);
    return status == GRADC_OK ? GRADC_OK : no_memory(msg);
}

int gradc_native(void)
{
    const gradc_kernels *kernels = gradc_kernels_get();
    return kernels != NULL && gradc_native_usable(kernels);
}

const char *gradc_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}
