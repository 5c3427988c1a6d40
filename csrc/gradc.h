/* gradc.h -- expression graphs, their derivatives, and programs that compute them.
 *
 * The life of a computation: build a graph from inputs; extend it with the nodes of
 * derivatives (gradc_vjp, gradc_jvp) and of batches (gradc_batch); compile chosen nodes
 * into a program; run the program on memory of your own. Several threads may build on
 * one graph, whose error is then the first of any of them; all else with a graph is for
 * one thread at a time. Programs are immutable and may run in many.
 *
 * Builders return the id of a node, or 0, "no node", after an error; 0 as an operand
 * gives 0, so expressions nest without checks, and gradc_graph_status tells what went
 * wrong first. Other functions return a status and leave results untouched on failure.
 * Arrays are C-contiguous, aligned to their element; int64 shapes and strides. */
#ifndef GRADC_H
#define GRADC_H

#include <stddef.h>
#include <stdint.h>

#define GRADC_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
typedef enum gradc_status {
    GRADC_OK,
    GRADC_ENOMEM, /* an allocation failed */
    GRADC_ESHAPE, /* shapes or axes do not fit */
    GRADC_ETYPE,  /* an element type the operation does not take */
    GRADC_EINDEX, /* an index out of range */
    GRADC_EVALUE, /* any other argument that is wrong */
    GRADC_EGRAPH  /* an id that is no node of this graph, or an unbound input */
} gradc_status;

typedef enum gradc_dtype {
    GRADC_F64,
    GRADC_F32,
    GRADC_I64,
    GRADC_BOOL, /* one byte, 0 or 1 */
    GRADC_DTYPE_COUNT
} gradc_dtype;

/* What an input is, as a set of bits; a node has the bits of all it depends on. Bits 8
 * to 64 have no meaning here: a caller may use them to tell its inputs apart. */
typedef enum gradc_role {
    GRADC_DATA = 0,           /* a constant that arrives at run time */
    GRADC_VARIABLE = 1,       /* an argument of a function: shares ties with others */
    GRADC_DIFFERENTIATED = 2, /* a variable that is differentiated */
    GRADC_DEFERRED = 4        /* has no value before the program runs */
} gradc_role;

typedef struct gradc_graph gradc_graph;
typedef struct gradc_program gradc_program;
typedef uint32_t gradc_id;

/* What went wrong, in one line: "op: what: operands with shapes". */
typedef struct gradc_message {
    char text[256];
} gradc_message;

/* ---- ops: the rows of ops.def ---- */

/* Number of ops; their numbers run from 0 and hold for this build only. */
GRADC_API int gradc_op_count(void);
/* Number of the op called `name`, or -1. */
GRADC_API int gradc_op_find(const char *name);
/* Facts about op number `op`. kind: "leaf", "unary", "binary", "ternary", "test",
 * "linear" or "general". c and latex are patterns over $0, $1, ...; c is NULL unless
 * the op is elementwise. types: bit 1 << dtype for each operand type taken. lo..hi:
 * where the op is smooth in each operand. EVALUE if there is no such op. */
typedef struct gradc_op_info {
    const char *name, *kind, *c, *latex;
    int arity, types;
    double lo, hi;
} gradc_op_info;
GRADC_API gradc_status gradc_op_describe(int op, gradc_op_info *out);

/* ---- graph ---- */

/* An empty graph, or NULL if out of memory. */
GRADC_API gradc_graph *gradc_graph_new(void);
/* Releases `g` and its nodes; programs compiled from it stay valid. Accepts NULL. */
GRADC_API void gradc_graph_free(gradc_graph *g);
/* First error since the graph was made or recovered, or GRADC_OK. The message stays
 * valid until the next call on `g`. */
GRADC_API gradc_status gradc_graph_status(const gradc_graph *g, const char **msg);
/* Forgets the error; the nodes built before and after it are intact. */
GRADC_API void gradc_graph_recover(gradc_graph *g);
/* Number of nodes; ids run from 1 to it, operands before their users. */
GRADC_API size_t gradc_graph_size(const gradc_graph *g);
/* A 128-bit hash of all nodes in order of creation: two graphs built by the same calls
 * agree; values of inputs do not enter. */
GRADC_API void gradc_graph_hash(const gradc_graph *g, uint64_t out[2]);

typedef struct gradc_node_info {
    const char *op;
    gradc_dtype dtype;
    int rank;
    const int64_t *dim;
    size_t n_in;
    const gradc_id *in;
    size_t n_attr;
    const int64_t *attr;
    double value; /* of a floating constant */
    int role;     /* gradc_role bits of all it depends on */
} gradc_node_info;
/* Facts about node `x`; pointers stay valid until the graph is changed or freed. */
GRADC_API gradc_status gradc_node_describe(const gradc_graph *g, gradc_id x,
                                           gradc_node_info *out);
/* The nodes that y depends on, y included, in order of id: of at most `size` of them
 * the id, the op's number, and how many different operands depend on a variable.
 * Returns how many there are in all, or (size_t)-1 if out of memory. */
GRADC_API size_t gradc_reach(const gradc_graph *g, gradc_id y, size_t size, gradc_id *x,
                             int32_t *op, int32_t *fan);
/* The graph as text, one node a line, for people: at most `size` bytes with the final
 * 0 are written to `out`; returns the bytes the whole text needs. */
GRADC_API size_t gradc_graph_print(const gradc_graph *g, char *out, size_t size);

/* ---- leaves ---- */

/* `role`: gradc_role bits. Here and in all nodes, `rank` is at most 16. */
GRADC_API gradc_id gradc_input(gradc_graph *g, gradc_dtype dtype, int rank,
                               const int64_t *dim, int role);
/* 0-d constants; equal ones (bit for bit) are one node. */
GRADC_API gradc_id gradc_const(gradc_graph *g, gradc_dtype dtype, double value);
GRADC_API gradc_id gradc_const_i64(gradc_graph *g, int64_t value);

/* ---- operations ---- */

/* Elementwise ops by number (gradc_op_find). Operands broadcast as in NumPy and have
 * one dtype, except the bool condition of `where`. */
GRADC_API gradc_id gradc_unary(gradc_graph *g, int op, gradc_id x);
GRADC_API gradc_id gradc_binary(gradc_graph *g, int op, gradc_id x, gradc_id y);
GRADC_API gradc_id gradc_where(gradc_graph *g, gradc_id m, gradc_id x, gradc_id y);
GRADC_API gradc_id gradc_convert(gradc_graph *g, gradc_id x, gradc_dtype dtype);
/* sum, prod, max, min over `axes` (negative count from the end; n_axes < 0: all). */
GRADC_API gradc_id gradc_reduce(gradc_graph *g, int op, gradc_id x, int n_axes,
                                const int *axes, int keepdims);
/* argmax, argmin along one axis; int64. */
GRADC_API gradc_id gradc_arg(gradc_graph *g, int op, gradc_id x, int axis);
/* Positions that sort x along one axis, stably, NaN last; int64. */
GRADC_API gradc_id gradc_argsort(gradc_graph *g, gradc_id x, int axis);
/* How many elements of a sorted row of x are less than v, or not more if `right`;
 * int64, in the shape of v. x (..., n) has a row for each place of v's leading axes. */
GRADC_API gradc_id gradc_searchsorted(gradc_graph *g, gradc_id x, gradc_id v,
                                      int right);
GRADC_API gradc_id gradc_cumsum(gradc_graph *g, gradc_id x, int axis);
GRADC_API gradc_id gradc_cumprod(gradc_graph *g, gradc_id x, int axis);
/* Inner product of vectors, matrix product, and their batched forms, as np.matmul. */
GRADC_API gradc_id gradc_matmul(gradc_graph *g, gradc_id x, gradc_id y);
/* Cross-correlation along the last axis: r[i] is the sum of x[i + k - p] y[k] over all
 * k for which both are there, i < length; other axes are the same in x and y. */
GRADC_API gradc_id gradc_correlate(gradc_graph *g, gradc_id x, gradc_id y, int64_t p,
                                   int64_t length);

/* Views. One dimension of reshape may be -1. transpose: axis i of the result is axis
 * perm[i] of x. slice: along axis a, size[a] elements from begin[a] by step[a]. */
GRADC_API gradc_id gradc_reshape(gradc_graph *g, gradc_id x, int rank,
                                 const int64_t *dim);
GRADC_API gradc_id gradc_transpose(gradc_graph *g, gradc_id x, const int *perm);
GRADC_API gradc_id gradc_broadcast(gradc_graph *g, gradc_id x, int rank,
                                   const int64_t *dim);
GRADC_API gradc_id gradc_slice(gradc_graph *g, gradc_id x, const int64_t *begin,
                               const int64_t *step, const int64_t *size);
/* A node of its own for the same value: differentiate with respect to it when `x`
 * may also reach the function by another way. */
GRADC_API gradc_id gradc_ident(gradc_graph *g, gradc_id x, int role);

/* Zeros of shape dim with x placed at begin[a] + step[a] * i along each axis. */
GRADC_API gradc_id gradc_pad(gradc_graph *g, gradc_id x, const int64_t *begin,
                             const int64_t *step, const int64_t *dim);
GRADC_API gradc_id gradc_concat(gradc_graph *g, size_t n, const gradc_id *x, int axis);
/* x[index] along axis 0: shape of index, then the rest of x. Indices may be negative;
 * out of range is an error of gradc_run. */
GRADC_API gradc_id gradc_gather(gradc_graph *g, gradc_id x, gradc_id index);
/* n zero rows, plus x[i] added to row index[i]: the transpose of gather. */
GRADC_API gradc_id gradc_scatter(gradc_graph *g, gradc_id x, gradc_id index, int64_t n);

/* ---- derivatives, as nodes of the same graph ---- */

/* Reverse mode: dx[i] = (dy/dx[i])^T dr for i < n, of the shape and dtype of x[i]. dr
 * has the shape of y, or is 0 for ones if y is a scalar. */
GRADC_API gradc_status gradc_vjp(gradc_graph *g, gradc_id y, gradc_id dr, size_t n,
                                 const gradc_id *x, gradc_id *dx);
/* Forward mode: ty[j] = sum over i of (dy[j]/dx[i]) tx[i]. tx[i] = 0 is a zero
 * tangent. */
GRADC_API gradc_status gradc_jvp(gradc_graph *g, size_t n, const gradc_id *x,
                                 const gradc_id *tx, size_t m, const gradc_id *y,
                                 gradc_id *ty);
/* A whole batch at once: by[j] is y[j] where each x[i] is bx[i], which has an axis of
 * length `size` in front of the shape of x[i]; so has by[j]. 0 if y[j] depends on no x
 * and is the same for all. Only what depends on the x is built anew. */
GRADC_API gradc_status gradc_batch(gradc_graph *g, int64_t size, size_t n,
                                   const gradc_id *x, const gradc_id *bx, size_t m,
                                   const gradc_id *y, gradc_id *by);
/* 1 if every element of y depends on the element of x in its own place alone, so that
 * the Jacobian is diagonal; 0 if that cannot be told. */
GRADC_API int gradc_is_diagonal(gradc_graph *g, gradc_id y, gradc_id x);
/* Where the Jacobian of y by x is not zero, told from the graph alone: out, of size(y)
 * rows of size(x) bytes, gets 1 where an element of y may depend on one of x, else 0.
 * 1 everywhere if telling would take too much memory. */
GRADC_API gradc_status gradc_pattern(gradc_graph *g, gradc_id y, gradc_id x,
                                     uint8_t *out);

/* ---- programs ---- */

/* What must be known to compute y when the nodes marked by gradc_mark are known: the
 * marked nodes and leaves reached first (their number; at most `size` ids written to
 * `leaves`, in order), and a hash of the nodes between. (size_t)-1: out of memory. */
GRADC_API void gradc_mark(gradc_graph *g, gradc_id x);
GRADC_API size_t gradc_cone(const gradc_graph *g, gradc_id y, gradc_id *leaves,
                            size_t size, uint64_t hash[2]);

/* A program that computes `results` from `args`, both nodes of `g`; an arg need not be
 * a leaf. The program keeps nothing of `g`. On failure `*msg` says why. */
GRADC_API gradc_status gradc_compile(const gradc_graph *g, size_t n_args,
                                     const gradc_id *args, size_t n_results,
                                     const gradc_id *results, gradc_program **out,
                                     gradc_message *msg);
/* Accepts NULL. No run may be under way. */
GRADC_API void gradc_program_free(gradc_program *p);
/* Bytes of workspace a run needs; any alignment does. */
GRADC_API size_t gradc_program_workspace(const gradc_program *p);
/* What a run needs and does, in bytes: workspace, arguments, results, and what its
 * steps read from and write to arrays (each array counted once a step, and what stays
 * in registers not at all). */
typedef struct gradc_memory {
    size_t workspace, arguments, results, moved;
} gradc_memory;
GRADC_API void gradc_program_memory(const gradc_program *p, gradc_memory *out);
/* The steps as text, as gradc_graph_print. */
GRADC_API size_t gradc_program_print(const gradc_program *p, char *out, size_t size);
/* Runs `p` on the caller's memory: allocates nothing, keeps no pointer; results must
 * not overlap arguments. EINDEX with `*msg` if an index was out of range, EVALUE if an
 * argument is not aligned to its elements. */
GRADC_API gradc_status gradc_run(const gradc_program *p, const void *const *args,
                                 void *const *results, void *workspace,
                                 gradc_message *msg);

/* Memory for large results and workspaces, 64-aligned: blocks given back are kept and
 * handed out again, up to 256 MiB of them. NULL if out of memory; any thread. */
GRADC_API void *gradc_buffer_take(size_t size);
/* Accepts NULL. */
GRADC_API void gradc_buffer_give(void *p);

/* ---- machine ---- */

/* The ISA path in use ("base", "avx2", "avx512"), or NULL if PYGRADC_ISA names none
 * that can be used here. */
GRADC_API const char *gradc_isa(void);
/* Names of the paths compiled in, or usable on this machine, separated by spaces. */
GRADC_API const char *gradc_isa_compiled(void);
GRADC_API const char *gradc_isa_usable(void);
/* 1 if arithmetic in loops becomes machine code: on AVX2 and AVX-512, where the system
 * lets pages be made executable and PYGRADC_NATIVE is not 0. Results are the same. */
GRADC_API int gradc_native(void);
GRADC_API int gradc_threads(void);
GRADC_API gradc_status gradc_set_threads(int n);
GRADC_API const char *gradc_compiler(void);
/* cffi: end */

#ifdef __cplusplus
}
#endif
#endif
