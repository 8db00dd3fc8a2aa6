/*
 * One inquiry: the call, the answer, and whether to ask once more.
 */

#include "../cluster/credentials.h"
#include "../metrics.h"
#include "inquiry.h"


static void ngx_http_akl_k8s_inquiry_answered(ngx_akl_call_t *call);
static void ngx_http_akl_k8s_inquiry_repeated(
    ngx_http_akl_k8s_inquiry_t *inquiry, akl_judgement_t *judged);
static ngx_uint_t ngx_http_akl_k8s_inquiry_again(
    ngx_http_akl_k8s_inquiry_t *inquiry);


ngx_int_t
ngx_http_akl_k8s_inquiry_start(ngx_http_akl_k8s_inquiry_t *inquiry)
{
    ngx_int_t        rc;
    ngx_str_t        body;
    ngx_akl_call_t  *call;
    ngx_msec_int_t   left;

    left = (ngx_msec_int_t) (inquiry->deadline - ngx_current_msec);

    if (left <= 0) {
        return NGX_DECLINED;
    }

    call = ngx_http_akl_k8s_judge_question(inquiry->cluster, inquiry->claimant,
                                           (ngx_msec_t) left, inquiry->pool,
                                           &inquiry->bearer);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->handler = ngx_http_akl_k8s_inquiry_answered;
    call->data = inquiry;
    call->id = inquiry->id;

    body = call->body;

    rc = ngx_akl_call_start(call);

    /* the call has a copy of its own */

    if (body.len) {
        ngx_explicit_memzero(body.data, body.len);
    }

    if (rc != NGX_OK) {
        ngx_akl_call_destroy(call);
        return NGX_ERROR;
    }

    inquiry->call = call;

    return NGX_OK;
}


static void
ngx_http_akl_k8s_inquiry_answered(ngx_akl_call_t *call)
{
    akl_judgement_t                judged;
    ngx_http_akl_k8s_inquiry_t  *inquiry;
    ngx_http_akl_k8s_cluster_t  *cluster;
    ngx_http_akl_k8s_verdict_t   verdict;

    inquiry = call->data;
    cluster = inquiry->cluster;

    ngx_http_akl_k8s_judge_answer(cluster, inquiry->claimant, call, &judged,
                                  &verdict);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s inquiry %08xD: %s%s%s", inquiry->id,
                   akl_reason_code(verdict.reason).data,
                   verdict.detail ? ": " : "",
                   verdict.detail ? verdict.detail : "");

    if (judged.again && ngx_akl_call_repeat(call) == NGX_OK) {
        ngx_http_akl_k8s_inquiry_repeated(inquiry, &judged);
        akl_judgement_clear(&judged);
        return;
    }

    if (call->outcome == NGX_AKL_TIMED_OUT && inquiry->outage != AKL_OK) {
        verdict.reason = inquiry->outage;
        verdict.detail = inquiry->detail;
    }

    if (inquiry->claimant->namespace.len) {
        ngx_http_akl_k8s_metrics_namespace(cluster->config, call->status);

    } else {
        ngx_http_akl_k8s_metrics_review(cluster->config, call->status,
                   (ngx_msec_int_t) (ngx_current_msec - inquiry->started));
    }

    if ((verdict.reason == AKL_REVIEWER_UNAUTHORIZED
         || verdict.reason == AKL_API_TLS)
        && ngx_http_akl_k8s_inquiry_again(inquiry))
    {
        akl_judgement_clear(&judged);

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "akl_k8s inquiry %08xD: credentials have changed, "
                       "asked once more", inquiry->id);

        ngx_http_akl_k8s_inquiry_end(inquiry);

        switch (ngx_http_akl_k8s_inquiry_start(inquiry)) {

        case NGX_OK:
            return;

        case NGX_DECLINED:
            verdict.reason = AKL_API_TIMEOUT;
            verdict.detail = "no time left to ask once more";
            break;

        default:
            verdict.reason = AKL_INTERNAL_ERROR;
            verdict.detail = "the API server could not be asked";
            break;
        }

        inquiry->handler(inquiry, &verdict);
        return;
    }

    /* the handler may end the inquiry, and the call with it */

    inquiry->handler(inquiry, &verdict);

    akl_judgement_clear(&judged);
}


/* what the server said stands where the repetition gets no answer in time */

static void
ngx_http_akl_k8s_inquiry_repeated(ngx_http_akl_k8s_inquiry_t *inquiry,
    akl_judgement_t *judged)
{
    inquiry->outage = judged->reason;

    if (inquiry->detail == NULL) {
        inquiry->detail = ngx_pnalloc(inquiry->pool, sizeof(judged->detail));
    }

    if (inquiry->detail) {
        ngx_memcpy(inquiry->detail, judged->detail, sizeof(judged->detail));
    }
}


/* a replaced credential may not have been noticed yet: has it changed? */

static ngx_uint_t
ngx_http_akl_k8s_inquiry_again(ngx_http_akl_k8s_inquiry_t *inquiry)
{
    ngx_str_t                   *text;
    ngx_http_akl_k8s_cluster_t  *cluster;

    if (inquiry->again) {
        return 0;
    }

    cluster = inquiry->cluster;
    inquiry->again = 1;

    if (ngx_http_akl_k8s_credentials_refresh(cluster)) {
        return 1;
    }

    text = &cluster->reviewer.text;

    return !cluster->config->reviewer_self
           && (text->len != inquiry->bearer.len
               || CRYPTO_memcmp(text->data, inquiry->bearer.data, text->len)
                  != 0);
}


void
ngx_http_akl_k8s_inquiry_end(ngx_http_akl_k8s_inquiry_t *inquiry)
{
    if (inquiry->call) {
        ngx_akl_call_destroy(inquiry->call);
        inquiry->call = NULL;
    }

    if (inquiry->bearer.data != inquiry->claimant->token.data) {
        ngx_explicit_memzero(inquiry->bearer.data, inquiry->bearer.len);
    }

    ngx_str_null(&inquiry->bearer);
}
