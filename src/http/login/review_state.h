/*
 * What a review is made of; for review.c alone.
 */

#ifndef NGX_HTTP_AKL_K8S_REVIEW_STATE_H
#define NGX_HTTP_AKL_K8S_REVIEW_STATE_H

#include "../cluster/cluster.h"
#include "inquiry.h"
#include "review.h"


typedef enum {
    NGX_HTTP_AKL_K8S_REVIEW_NEW = 0,
    NGX_HTTP_AKL_K8S_REVIEW_WATCHING,
    NGX_HTTP_AKL_K8S_REVIEW_QUEUED,
    NGX_HTTP_AKL_K8S_REVIEW_ASKED,
    NGX_HTTP_AKL_K8S_REVIEW_READING,
    NGX_HTTP_AKL_K8S_REVIEW_FAILED,
    NGX_HTTP_AKL_K8S_REVIEW_DONE
} ngx_http_akl_k8s_review_e;


struct ngx_http_akl_k8s_review_s {
    ngx_http_akl_k8s_keyed_t      keyed;        /* must be first */
    ngx_queue_t                   queue;        /* in the cluster's queue */
    ngx_queue_t                   waiters;

    ngx_http_akl_k8s_cluster_t   *cluster;
    ngx_pool_t                   *pool;
    ngx_http_akl_k8s_claimant_t   claimant;

    ngx_http_akl_k8s_review_e     state;
    ngx_event_t                   event;        /* timer, or posted: FAILED */
    ngx_msec_t                    started;
    ngx_msec_t                    deadline;
    ngx_msec_t                    watch;        /* ms until the next look */

    ngx_http_akl_k8s_inquiry_t    inquiry;      /* in ASKED */
    time_t                        asked;        /* when, in seconds */

    ngx_http_akl_k8s_waiter_t     labels;       /* in READING: at the part */
    ngx_http_akl_k8s_verdict_t    verdict;      /* but for the labels */

    akl_reason_t                  reason;       /* of FAILED, */
    const char                   *detail;       /* a constant */

    unsigned                      known:1;      /* in the cluster's tree */
    unsigned                      flight:1;     /* the zone's mark is ours */
    unsigned                      part:1;       /* reads labels for others */
};


/*
 * Makes a review under that key, which begins now, in a pool of its own; the
 * claimant has a copy of "token", which may be empty.  The caller sets both
 * handlers and the deadline.  NULL where memory is short.
 */
ngx_http_akl_k8s_review_t *ngx_http_akl_k8s_review_new(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_akl_key_t *key,
    ngx_str_t *token);

/* Sets the state, and says so in the debug log. */
void ngx_http_akl_k8s_review_turn(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_review_e state);

/* Takes room among the reviews in flight (1), or gives it back (-1). */
void ngx_http_akl_k8s_review_room(ngx_http_akl_k8s_review_t *review,
    ngx_int_t by);

/* Frees it with all it owns, and wipes what is secret. */
void ngx_http_akl_k8s_review_free(ngx_http_akl_k8s_review_t *review);


#endif /* NGX_HTTP_AKL_K8S_REVIEW_STATE_H */
