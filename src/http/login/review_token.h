/*
 * The review of a pod token: one TokenReview, then the bounds, then the labels
 * of the pod's namespace where the auth method has a selector.
 */

#ifndef NGX_HTTP_AKL_K8S_REVIEW_TOKEN_H
#define NGX_HTTP_AKL_K8S_REVIEW_TOKEN_H

#include "review.h"


/*
 * Makes a review of "token" (copied), for review_start(), and runs the local
 * checks on it: AKL_OK and *review, or the reason why no review is worth while
 * and *refused with what the token says of itself, copied to "pool" for the
 * log.
 */
akl_reason_t ngx_http_akl_k8s_review_token(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_akl_key_t *key,
    ngx_str_t *token, ngx_pool_t *pool, ngx_http_akl_k8s_review_t **review,
    ngx_http_akl_k8s_verdict_t *refused);


#endif /* NGX_HTTP_AKL_K8S_REVIEW_TOKEN_H */
