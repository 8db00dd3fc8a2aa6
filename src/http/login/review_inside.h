/*
 * A review from the inside: what review.c, which sees to its waiters, and
 * review_ask.c, which talks to the API server, share.
 */

#ifndef NGX_HTTP_AKL_K8S_REVIEW_INSIDE_H
#define NGX_HTTP_AKL_K8S_REVIEW_INSIDE_H

#include "review.h"


typedef enum {
    NGX_HTTP_AKL_K8S_REVIEW_NEW = 0,
    NGX_HTTP_AKL_K8S_REVIEW_QUEUED,
    NGX_HTTP_AKL_K8S_REVIEW_WATCHING,
    NGX_HTTP_AKL_K8S_REVIEW_ASKED,
    NGX_HTTP_AKL_K8S_REVIEW_FAILED          /* its waiters do not know yet */
} ngx_http_akl_k8s_review_e;


struct ngx_http_akl_k8s_review_s {
    ngx_rbtree_node_t            node;          /* key: first bytes of "key" */
    ngx_akl_key_t                key;
    ngx_queue_t                  queue;         /* in the cluster's queue */
    ngx_queue_t                  waiters;

    ngx_http_akl_k8s_cluster_t  *cluster;
    ngx_pool_t                  *pool;
    ngx_str_t                    token;
    akl_pod_token_t              pod;
    ngx_str_t                    bearer;        /* the one that was used */

    akl_reason_t                 outage;        /* of an answer after which it
                                                   was asked again, or AKL_OK */
    char                        *detail;        /* its text, or NULL */

    ngx_http_akl_k8s_review_e    state;
    ngx_akl_call_t              *call;
    ngx_event_t                  timer;
    ngx_msec_t                   started;
    ngx_msec_t                   deadline;
    ngx_msec_t                   watch;

    unsigned                     known:1;       /* in the cluster's tree */
    unsigned                     flight:1;      /* the zone's mark is ours */
    unsigned                     again:1;       /* asked with new credentials */
    unsigned                     verified:1;    /* by one of the known keys */
    unsigned                     stranger:1;    /* signed by none of them */
};


/* The local checks of a token: AKL_OK or why it is not worth a review. */
akl_reason_t ngx_http_akl_k8s_review_check(ngx_http_akl_k8s_review_t *review);

/*
 * Asks the API server.  NGX_AGAIN: it is asked; NGX_DECLINED: its time is
 * over; NGX_ERROR: for want of memory or connections.
 */
ngx_int_t ngx_http_akl_k8s_review_ask(ngx_http_akl_k8s_review_t *review);

/* Counts a review that is asked (1), or is not any more (-1). */
void ngx_http_akl_k8s_review_asked(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_int_t by);

/* Keeps the verdict, calls the waiters; the review is gone then. */
void ngx_http_akl_k8s_review_complete(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict, ngx_msec_int_t review_time);

/* The same without an answer. */
void ngx_http_akl_k8s_review_fail(ngx_http_akl_k8s_review_t *review,
    akl_reason_t reason, const char *detail);


#endif /* NGX_HTTP_AKL_K8S_REVIEW_INSIDE_H */
