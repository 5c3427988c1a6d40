/* vmath.h -- all vector functions v_<fn> on vt, the vectors of simd.h.
 *
 * Each family states, above every function, its method, range and measured error; a
 * result is the same whatever the neighbouring lanes hold. */
#ifndef GRADC_KERN_VMATH_H
#define GRADC_KERN_VMATH_H

#include "kern/vasin.h"
#include "kern/varhyp.h"
#include "kern/vatan.h"
#include "kern/verf.h"
#include "kern/verfc.h"
#include "kern/vexp.h"
#include "kern/vhyp.h"
#include "kern/vlog.h"
#include "kern/vlogaddexp.h"
#include "kern/vpow.h"
#include "kern/vroot.h"
#include "kern/vround.h"
#include "kern/vsigmoid.h"
#include "kern/vtrig.h"

#endif
