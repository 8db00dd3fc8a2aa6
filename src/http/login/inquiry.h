/*
 * Inquiries: the API server is asked about a pod token, or a namespace, until
 * there is an answer to go by, all within one deadline.  An answer that tells
 * of an outage is asked for again; one that refuses our credentials once more,
 * when others have been put in their place meanwhile.
 */

#ifndef NGX_HTTP_AKL_K8S_INQUIRY_H
#define NGX_HTTP_AKL_K8S_INQUIRY_H

#include "judge.h"


typedef struct ngx_http_akl_k8s_inquiry_s  ngx_http_akl_k8s_inquiry_t;

/*
 * Called once, from the event loop, with a verdict whose strings live until
 * the handler returns or ends the inquiry.
 */
typedef void (*ngx_http_akl_k8s_inquiry_pt)(
    ngx_http_akl_k8s_inquiry_t *inquiry, ngx_http_akl_k8s_verdict_t *verdict);

struct ngx_http_akl_k8s_inquiry_s {
    /* by the caller */
    ngx_http_akl_k8s_cluster_t    *cluster;
    ngx_http_akl_k8s_claimant_t   *claimant;
    ngx_pool_t                    *pool;        /* outlives the inquiry */
    ngx_msec_t                     started;     /* the review, */
    ngx_msec_t                     deadline;    /* and when it must end */
    ngx_http_akl_k8s_inquiry_pt    handler;
    uint32_t                       id;          /* for the debug log */

    /* inside; zeroed by the caller */
    ngx_akl_call_t                *call;        /* the last one, or NULL */
    ngx_str_t                      bearer;      /* that it showed */
    akl_reason_t                   outage;      /* of an answer after which it
                                                   was asked again, or AKL_OK */
    char                          *detail;      /* its text, or NULL */
    unsigned                       again:1;     /* a change of credentials has
                                                   been looked for */
};


/*
 * Asks.  NGX_OK: the handler will be called; NGX_DECLINED: the deadline is
 * over; NGX_ERROR: for want of memory or connections.
 */
ngx_int_t ngx_http_akl_k8s_inquiry_start(ngx_http_akl_k8s_inquiry_t *inquiry);

/*
 * Ends it at any time, also one that was never started: the handler is not
 * called any more, secrets are wiped.
 */
void ngx_http_akl_k8s_inquiry_end(ngx_http_akl_k8s_inquiry_t *inquiry);


#endif /* NGX_HTTP_AKL_K8S_INQUIRY_H */
