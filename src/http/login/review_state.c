/*
 * Reviews: how they are made, change their state, and end.
 */

#include "review_state.h"


#define NGX_HTTP_AKL_K8S_REVIEW_POOL  6144      /* beside itself and a token */


#if (NGX_DEBUG)

static const char  *ngx_http_akl_k8s_review_states[] = {
    "created", "watching", "queued", "asked", "reading", "failed", "done"
};

#endif

/* the debug log takes an event's data for a connection */
static ngx_connection_t  ngx_http_akl_k8s_review_dumb = { .fd = -1 };


ngx_http_akl_k8s_review_t *
ngx_http_akl_k8s_review_new(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_akl_key_t *key, ngx_str_t *token)
{
    ngx_pool_t                 *pool;
    ngx_http_akl_k8s_review_t  *review;

    pool = ngx_create_pool(sizeof(ngx_http_akl_k8s_review_t)
                           + NGX_HTTP_AKL_K8S_REVIEW_POOL + 2 * token->len,
                           ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    review = ngx_pcalloc(pool, sizeof(ngx_http_akl_k8s_review_t));
    if (review == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    review->pool = pool;
    review->cluster = cluster;
    review->keyed.key = *key;
    review->started = ngx_current_msec;

    review->event.data = &ngx_http_akl_k8s_review_dumb;
    review->event.log = ngx_cycle->log;

    ngx_queue_init(&review->waiters);

    review->inquiry.cluster = cluster;
    review->inquiry.claimant = &review->claimant;
    review->inquiry.pool = pool;
    review->inquiry.id = ngx_akl_key_id(key);

    if (token->len) {
        review->claimant.token.data = ngx_pstrdup(pool, token);
        if (review->claimant.token.data == NULL) {
            ngx_http_akl_k8s_review_free(review);
            return NULL;
        }

        review->claimant.token.len = token->len;
    }

    return review;
}


void
ngx_http_akl_k8s_review_turn(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_review_e state)
{
    review->state = state;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s review %08xD%s: %s",
                   ngx_akl_key_id(&review->keyed.key),
                   review->part ? " of a namespace" : "",
                   ngx_http_akl_k8s_review_states[state]);
}


void
ngx_http_akl_k8s_review_room(ngx_http_akl_k8s_review_t *review, ngx_int_t by)
{
    if (!review->part) {
        ngx_http_akl_k8s_cluster_asked(review->cluster, by);
    }
}


void
ngx_http_akl_k8s_review_free(ngx_http_akl_k8s_review_t *review)
{
    ngx_http_akl_k8s_inquiry_end(&review->inquiry);

    akl_pod_token_clear(&review->claimant.pod);

    if (review->claimant.token.len) {
        ngx_explicit_memzero(review->claimant.token.data,
                             review->claimant.token.len);
    }

    ngx_destroy_pool(review->pool);
}
