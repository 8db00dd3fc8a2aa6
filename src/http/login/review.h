/*
 * Reviews: one per key in a worker, shared by all that wait for it, and by the
 * other workers through the zone.  What it asks for is its maker's business:
 * review_token.h.
 */

#ifndef NGX_HTTP_AKL_K8S_REVIEW_H
#define NGX_HTTP_AKL_K8S_REVIEW_H

#include "verdict.h"


typedef struct ngx_http_akl_k8s_review_s  ngx_http_akl_k8s_review_t;
typedef struct ngx_http_akl_k8s_waiter_s  ngx_http_akl_k8s_waiter_t;

/*
 * Called once, from the event loop, with a verdict that lives during the
 * call only.  "review_time" is in ms, -1 where another worker did it.
 */
typedef void (*ngx_http_akl_k8s_waiter_pt)(ngx_http_akl_k8s_waiter_t *waiter,
    ngx_http_akl_k8s_verdict_t *verdict, ngx_msec_int_t review_time);

struct ngx_http_akl_k8s_waiter_s {
    ngx_queue_t                  queue;
    ngx_http_akl_k8s_review_t   *review;        /* NULL: not waiting */
    ngx_http_akl_k8s_waiter_pt   handler;
};


/* The review of that key which this worker has under way, or NULL. */
ngx_http_akl_k8s_review_t *ngx_http_akl_k8s_review_find(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_akl_key_t *key);

/*
 * Starts it.  NGX_AGAIN: under way, waiters may be added.  In all other cases
 * the review is gone and *verdict tells how: NGX_OK, another worker was
 * quicker, it is that one's verdict (as verdict_get() gives it); NGX_DECLINED,
 * why nobody can be asked, and no identity.
 */
ngx_int_t ngx_http_akl_k8s_review_start(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict);

void ngx_http_akl_k8s_review_wait(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_waiter_t *waiter);

/*
 * Takes a waiter out, if it waits; the review goes on unless it was only
 * queued, or is a part.
 */
void ngx_http_akl_k8s_review_unwait(ngx_http_akl_k8s_waiter_t *waiter);

/*
 * Tells all who wait, and ends the review, which is gone then; from the event
 * loop.  *verdict and "review_time" are as the waiters get them.
 */
void ngx_http_akl_k8s_review_complete(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict, ngx_msec_int_t review_time);

/* Ends all reviews of a cluster without calling anybody: at exit. */
void ngx_http_akl_k8s_review_abort_all(ngx_http_akl_k8s_cluster_t *cluster);


#endif /* NGX_HTTP_AKL_K8S_REVIEW_H */
