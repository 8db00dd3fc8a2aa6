/*
 * Judgements: what a pod token is worth before the API server is asked, the
 * questions, and what the answers mean.  Nothing here waits or has a state of
 * its own; the review above it does.
 */

#ifndef NGX_HTTP_AKL_K8S_JUDGE_H
#define NGX_HTTP_AKL_K8S_JUDGE_H

#include <ngx_config.h>

#include "../../k8s/namespace.h"
#include "../../k8s/tokenreview.h"
#include "verdict.h"


/*
 * Whom the API server is asked about: a pod token, and what this worker has
 * made out of it; or a namespace, whose labels are wanted.
 */

typedef struct {
    ngx_str_t        token;             /* outlives the rest */
    ngx_str_t        namespace;         /* len 0: the token is asked about */
    akl_pod_token_t  pod;               /* owned */
    unsigned         verified:1;        /* by one of the known keys */
    unsigned         stranger:1;        /* signed by none of them */
} ngx_http_akl_k8s_claimant_t;


/*
 * The local checks of claimant->token, cheap before dear: AKL_OK, or why it is
 * not worth a review.  The pod token is parsed as far as the checks came.
 */
akl_reason_t ngx_http_akl_k8s_judge_claimant(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_claimant_t *c);

/*
 * A call that asks the API server about the claimant and ends within "timeout"
 * (in ms): to be given a handler, started and destroyed by the caller.
 * *bearer is the credential that it shows: the claimant's own token, or a copy
 * in "pool", for the caller to wipe.  NULL where memory is short.
 */
ngx_akl_call_t *ngx_http_akl_k8s_judge_question(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_claimant_t *c,
    ngx_msec_t timeout, ngx_pool_t *pool, ngx_str_t *bearer);

/*
 * Judges what a call came to: *verdict has the reason, the identity (of the
 * answer, or as the token claims; none of a namespace), the text for the log
 * and when to come back; its strings are borrowed from call, claimant and
 * *judged, which the caller clears with akl_judgement_clear() whatever the
 * reason.
 */
void ngx_http_akl_k8s_judge_answer(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c, ngx_akl_call_t *call,
    akl_judgement_t *judged, ngx_http_akl_k8s_verdict_t *verdict);

/*
 * Holds an identity that the API server vouches for against the bounds, but
 * for the labels of its namespace, and adds what else a verdict has of the
 * token; verdict->reason tells how it went, memory is of "pool".
 */
void ngx_http_akl_k8s_judge_identity(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c, ngx_pool_t *pool,
    ngx_http_akl_k8s_verdict_t *verdict);

/*
 * Mints for an identity that has met all bounds, once for all who wait, unless
 * each login mints; verdict->reason tells how it went, memory is of "pool".
 */
void ngx_http_akl_k8s_judge_mint(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_pool_t *pool, ngx_http_akl_k8s_verdict_t *verdict);


#endif /* NGX_HTTP_AKL_K8S_JUDGE_H */
