/*
 * From the answers to a verdict: see the header.  The states are drawn in
 * review.c.
 */

#include "review_state.h"
#include "review_token.h"
#include "seen.h"


static void ngx_http_akl_k8s_review_answered(
    ngx_http_akl_k8s_inquiry_t *inquiry, ngx_http_akl_k8s_verdict_t *verdict);
static void ngx_http_akl_k8s_review_read(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict);
static ngx_int_t ngx_http_akl_k8s_review_part(
    ngx_http_akl_k8s_review_t *review, ngx_http_akl_k8s_verdict_t *verdict);
static void ngx_http_akl_k8s_review_told(ngx_http_akl_k8s_waiter_t *waiter,
    ngx_http_akl_k8s_verdict_t *verdict, ngx_msec_int_t review_time);
static void ngx_http_akl_k8s_review_labelled(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *labels);
static void ngx_http_akl_k8s_review_decided(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict);


akl_reason_t
ngx_http_akl_k8s_review_token(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_akl_key_t *key, ngx_str_t *token, ngx_pool_t *request_pool,
    ngx_http_akl_k8s_review_t **out, ngx_http_akl_k8s_verdict_t *refused)
{
    akl_reason_t                reason;
    ngx_http_akl_k8s_review_t  *review;

    ngx_memzero(refused, sizeof(ngx_http_akl_k8s_verdict_t));

    review = ngx_http_akl_k8s_review_new(cluster, key, token);
    if (review == NULL) {
        return AKL_INTERNAL_ERROR;
    }

    review->inquiry.handler = ngx_http_akl_k8s_review_answered;

    review->deadline = review->started + cluster->config->review_timeout;

    reason = ngx_http_akl_k8s_judge_claimant(cluster, &review->claimant);

    if (reason == AKL_OK) {
        ngx_http_akl_k8s_review_turn(review, NGX_HTTP_AKL_K8S_REVIEW_NEW);
        *out = review;
        return AKL_OK;
    }

    refused->identity = review->claimant.pod.claimed;

    if (ngx_http_akl_k8s_verdict_copy(request_pool, refused) != NGX_OK) {
        ngx_memzero(refused, sizeof(ngx_http_akl_k8s_verdict_t));
    }

    refused->detail = ngx_http_akl_k8s_seen_claim(request_pool,
                                                  &review->claimant, reason);

    ngx_http_akl_k8s_review_free(review);

    return reason;
}


static void
ngx_http_akl_k8s_review_answered(ngx_http_akl_k8s_inquiry_t *inquiry,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_http_akl_k8s_review_t  *review;
    ngx_http_akl_k8s_config_t  *config;

    review = (ngx_http_akl_k8s_review_t *)
                 ((u_char *) inquiry
                  - offsetof(ngx_http_akl_k8s_review_t, inquiry));

    config = review->cluster->config;

    if (review->part) {

        /* labels are as old as the question, not as the answer */

        verdict->end = review->asked + ((verdict->reason == AKL_OK)
                                        ? config->cache_valid
                                        : config->cache_refused);

        ngx_http_akl_k8s_review_decided(review, verdict);
        return;
    }

    if (verdict->reason == AKL_OK) {
        ngx_http_akl_k8s_judge_identity(review->cluster, &review->claimant,
                                        review->pool, verdict);

        if (verdict->reason == AKL_OK && config->method->bounds.selector.n) {
            ngx_http_akl_k8s_review_read(review, verdict);
            return;
        }
    }

    ngx_http_akl_k8s_review_decided(review, verdict);
}


/* into READING, or DONE where the labels are known */

static void
ngx_http_akl_k8s_review_read(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_http_akl_k8s_verdict_t  labels;

    if (ngx_http_akl_k8s_verdict_copy(review->pool, verdict) != NGX_OK) {
        verdict->reason = AKL_INTERNAL_ERROR;
        verdict->detail = "out of memory";

        ngx_http_akl_k8s_review_decided(review, verdict);
        return;
    }

    review->verdict = *verdict;

    ngx_http_akl_k8s_inquiry_end(&review->inquiry);
    ngx_http_akl_k8s_review_turn(review, NGX_HTTP_AKL_K8S_REVIEW_READING);

    if (ngx_http_akl_k8s_review_part(review, &labels) != NGX_AGAIN) {
        ngx_http_akl_k8s_review_labelled(review, &labels);
    }
}


/*
 * NGX_AGAIN: the review waits for a part, or else *verdict tells of the
 * labels, in a buffer of the process.
 */

static ngx_int_t
ngx_http_akl_k8s_review_part(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_str_t                    namespace, none, *token;
    ngx_akl_key_t                key;
    ngx_http_akl_k8s_review_t   *part;
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = review->cluster;

    ngx_str_null(&none);
    token = cluster->config->reviewer_self ? &review->claimant.token : &none;
    namespace = ngx_http_akl_k8s_ngx_str(&review->verdict.identity.namespace);

    if (ngx_http_akl_k8s_verdict_namespace_key(cluster->zone, cluster->config,
                                               &namespace, token, &key)
        != NGX_OK)
    {
        goto failed;
    }

    if (ngx_http_akl_k8s_verdict_get(cluster->zone, cluster->config, &key,
                                     verdict)
        == NGX_OK)
    {
        return NGX_OK;
    }

    part = ngx_http_akl_k8s_review_find(cluster, &key);

    if (part == NULL) {

        part = ngx_http_akl_k8s_review_new(cluster, &key, token);
        if (part == NULL) {
            goto failed;
        }

        part->part = 1;
        ngx_http_akl_k8s_review_turn(part, NGX_HTTP_AKL_K8S_REVIEW_NEW);

        part->inquiry.handler = ngx_http_akl_k8s_review_answered;
        part->deadline = review->deadline;

        part->claimant.namespace.len = namespace.len;
        part->claimant.namespace.data = ngx_pstrdup(part->pool, &namespace);

        if (part->claimant.namespace.data == NULL) {
            ngx_http_akl_k8s_review_free(part);
            goto failed;
        }

        if (ngx_http_akl_k8s_review_start(part, verdict) != NGX_AGAIN) {
            return NGX_OK;
        }
    }

    /* whoever began to read may have more time for it */

    if ((ngx_msec_int_t) (part->deadline - review->deadline) > 0) {
        ngx_add_timer(&review->event, ngx_max((ngx_msec_int_t)
                                    (review->deadline - ngx_current_msec), 1));
    }

    review->labels.handler = ngx_http_akl_k8s_review_told;
    ngx_http_akl_k8s_review_wait(part, &review->labels);

    return NGX_AGAIN;

failed:

    ngx_memzero(verdict, sizeof(ngx_http_akl_k8s_verdict_t));

    verdict->reason = AKL_INTERNAL_ERROR;
    verdict->detail = "the namespace could not be read";

    return NGX_ERROR;
}


static void
ngx_http_akl_k8s_review_told(ngx_http_akl_k8s_waiter_t *waiter,
    ngx_http_akl_k8s_verdict_t *verdict, ngx_msec_int_t review_time)
{
    ngx_http_akl_k8s_review_labelled((ngx_http_akl_k8s_review_t *)
                       ((u_char *) waiter
                        - offsetof(ngx_http_akl_k8s_review_t, labels)),
                       verdict);
}


/* out of READING: a verdict is no better and lasts no longer than the labels */

static void
ngx_http_akl_k8s_review_labelled(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *labels)
{
    ngx_http_akl_k8s_verdict_t  *verdict;

    verdict = &review->verdict;

    verdict->reason = labels->reason;
    verdict->detail = labels->detail;
    verdict->retry_after = labels->retry_after;
    verdict->end = labels->until ? labels->until : labels->end;

    ngx_http_akl_k8s_review_decided(review, verdict);
}


static void
ngx_http_akl_k8s_review_decided(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = review->cluster;

    if (verdict->reason == AKL_OK && !review->part) {
        ngx_http_akl_k8s_judge_mint(cluster, review->pool, verdict);
    }

    ngx_http_akl_k8s_verdict_set(cluster->zone, cluster->config,
                                 &review->keyed.key, verdict);

    ngx_http_akl_k8s_review_complete(review, verdict,
                      (ngx_msec_int_t) (ngx_current_msec - review->started));
}
