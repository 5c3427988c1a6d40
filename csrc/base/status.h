/* status.h -- forwarding a status, and writing a message. */
#ifndef GRADC_BASE_STATUS_H
#define GRADC_BASE_STATUS_H

#include "gradc.h"

/* Returns from the caller with the status of `call` unless that is GRADC_OK. */
#define GRADC_TRY(call)                                                                \
    do {                                                                               \
        const gradc_status try_ = (call);                                              \
        if (try_ != GRADC_OK)                                                          \
            return try_;                                                               \
    } while (0)

#endif
