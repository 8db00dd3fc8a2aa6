/*
 * The checks before a review, the question, and what is made of the answer.
 */

#include "../cluster/credentials.h"
#include "../cluster/keys.h"
#include "../metrics.h"
#include "review_inside.h"


static akl_reason_t ngx_http_akl_k8s_review_signature(
    ngx_http_akl_k8s_review_t *review);
static void ngx_http_akl_k8s_review_answered(ngx_akl_call_t *call);
static void ngx_http_akl_k8s_review_repeated(
    ngx_http_akl_k8s_review_t *review, akl_verdict_t *judged);
static ngx_uint_t ngx_http_akl_k8s_review_again(
    ngx_http_akl_k8s_review_t *review);
static void ngx_http_akl_k8s_review_establish(
    ngx_http_akl_k8s_review_t *review, ngx_http_akl_k8s_verdict_t *verdict);


/* cheap before dear: nothing here is believed, it only saves a review */

akl_reason_t
ngx_http_akl_k8s_review_check(ngx_http_akl_k8s_review_t *review)
{
    akl_reason_t                reason;
    akl_pod_policy_t            policy;
    ngx_http_akl_k8s_config_t  *config;

    config = review->cluster->config;

    reason = akl_pod_token_parse(&review->pod,
                                 ngx_http_akl_k8s_str(&review->token));
    if (reason != AKL_OK) {
        return reason;
    }

    ngx_memzero(&policy, sizeof(akl_pod_policy_t));

    policy.issuers = config->issuers.elts;
    policy.n_issuers = config->issuers.n;
    policy.audiences = config->method->audiences;

    reason = akl_pod_token_check(&review->pod, &policy, ngx_time());
    if (reason != AKL_OK) {
        return reason;
    }

    reason = ngx_http_akl_k8s_review_signature(review);
    if (reason != AKL_OK) {
        return reason;
    }

    /*
     * What is bound is told to nobody who can only forge tokens: without a
     * signature that was verified here, the review decides first.
     */

    if (!review->verified || review->pod.claimed.namespace.len == 0) {
        return AKL_OK;
    }

    return akl_bounds_check(&config->method->bounds, &review->pod.claimed);
}


/* verified, or a stranger's, where the cluster's own keys are known */

static akl_reason_t
ngx_http_akl_k8s_review_signature(ngx_http_akl_k8s_review_t *review)
{
    ngx_http_akl_k8s_keys_t  *keys;

    keys = &review->cluster->keys;

    if (!keys->known) {
        return AKL_OK;
    }

    switch (akl_pod_token_signature(&review->pod, &keys->set)) {

    case AKL_SIGNATURE_VERIFIED:
        review->verified = 1;
        return AKL_OK;

    case AKL_SIGNATURE_FOREIGN:

        /* a key that we do not know (yet): the server's word counts */

        review->stranger = 1;
        return AKL_OK;

    case AKL_SIGNATURE_BROKEN:
        return AKL_SIGNATURE_INVALID;

    default:
        return AKL_INTERNAL_ERROR;
    }
}


ngx_int_t
ngx_http_akl_k8s_review_ask(ngx_http_akl_k8s_review_t *review)
{
    size_t                       len;
    u_char                      *body;
    akl_str_t                    token;
    akl_list_t                   audiences;
    ngx_msec_int_t               left;
    ngx_akl_call_t              *call;
    ngx_http_akl_k8s_config_t   *config;
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = review->cluster;
    config = cluster->config;

    left = (ngx_msec_int_t) (review->deadline - ngx_current_msec);

    if (left <= 0) {
        return NGX_DECLINED;
    }

    call = ngx_akl_call_create(ngx_cycle->log);
    if (call == NULL) {
        return NGX_ERROR;
    }

    token = ngx_http_akl_k8s_str(&review->token);
    audiences = config->method->audiences;

    len = akl_tokenreview_request(NULL, token, audiences);

    body = ngx_pnalloc(review->pool, len);
    if (body == NULL) {
        ngx_akl_call_destroy(call);
        return NGX_ERROR;
    }

    (void) akl_tokenreview_request(body, token, audiences);

    /* which one it was matters when the server refuses it */

    if (config->reviewer_self) {
        review->bearer = review->token;

    } else {
        review->bearer.len = cluster->reviewer.text.len;
        review->bearer.data = ngx_pstrdup(review->pool,
                                          &cluster->reviewer.text);

        if (review->bearer.data == NULL && review->bearer.len) {
            review->bearer.len = 0;
            ngx_explicit_memzero(body, len);
            ngx_akl_call_destroy(call);
            return NGX_ERROR;
        }
    }

    call->accept = "application/json";
    call->target = cluster->target;
    call->path = config->review_path;
    call->bearer = review->bearer;
    call->body.data = body;
    call->body.len = len;
    call->timeout = left;
    call->max_answer = AKL_REVIEW_ANSWER_MAX;
    call->handler = ngx_http_akl_k8s_review_answered;
    call->data = review;

    if (ngx_akl_call_start(call) != NGX_OK) {
        ngx_explicit_memzero(body, len);
        ngx_akl_call_destroy(call);
        return NGX_ERROR;
    }

    ngx_explicit_memzero(body, len);

    review->call = call;
    review->state = NGX_HTTP_AKL_K8S_REVIEW_ASKED;
    ngx_http_akl_k8s_review_asked(cluster, 1);

    return NGX_AGAIN;
}


static void
ngx_http_akl_k8s_review_answered(ngx_akl_call_t *call)
{
    akl_verdict_t                judged;
    ngx_msec_int_t               elapsed;
    ngx_http_akl_k8s_config_t   *config;
    ngx_http_akl_k8s_review_t   *review;
    ngx_http_akl_k8s_verdict_t   verdict;

    review = call->data;
    config = review->cluster->config;

    ngx_memzero(&verdict, sizeof(ngx_http_akl_k8s_verdict_t));
    akl_doc_init(&judged.doc);

    verdict.detail = call->error.len ? (char *) call->error.data : NULL;

    switch (call->outcome) {

    case NGX_AKL_ANSWERED:
        akl_tokenreview_judge(&judged, call->status,
                              ngx_http_akl_k8s_str(&call->answer), &review->pod,
                              config->method->audiences);

        if (judged.again && ngx_akl_call_repeat(call) == NGX_OK) {
            ngx_http_akl_k8s_review_repeated(review, &judged);
            akl_verdict_clear(&judged);
            return;
        }

        verdict.reason = judged.reason;
        verdict.retry_after = ngx_max(call->retry_after, 0);
        verdict.detail = judged.detail[0] ? judged.detail : NULL;
        break;

    case NGX_AKL_UNREACHABLE:
        verdict.reason = AKL_API_UNREACHABLE;
        break;

    case NGX_AKL_TLS_FAILED:
        verdict.reason = AKL_API_TLS;
        break;

    case NGX_AKL_TIMED_OUT:
        verdict.reason = AKL_API_TIMEOUT;

        if (review->outage != AKL_OK) {
            verdict.reason = review->outage;
            verdict.detail = review->detail;
        }

        break;

    case NGX_AKL_BAD_ANSWER:
        verdict.reason = AKL_API_ERROR;
        break;

    default:
        verdict.reason = AKL_INTERNAL_ERROR;
        break;
    }

    if (verdict.reason == AKL_REVIEWER_UNAUTHORIZED && config->reviewer_self) {

        /* the bearer is the pod's own token: it is what was refused */
        verdict.reason = AKL_TOKEN_REJECTED;
    }

    elapsed = (ngx_msec_int_t) (ngx_current_msec - review->started);

    ngx_http_akl_k8s_metrics_review(config, call->status, elapsed);

    if ((verdict.reason == AKL_REVIEWER_UNAUTHORIZED
         || verdict.reason == AKL_API_TLS)
        && ngx_http_akl_k8s_review_again(review))
    {
        akl_verdict_clear(&judged);
        return;
    }

    if (verdict.reason == AKL_OK) {

        if (review->stranger) {
            ngx_http_akl_k8s_keys_wanted(review->cluster);
        }

        verdict.identity = judged.identity;
        ngx_http_akl_k8s_review_establish(review, &verdict);

    } else {
        verdict.identity = review->pod.claimed;
    }

    ngx_http_akl_k8s_review_complete(review, &verdict, elapsed);

    akl_verdict_clear(&judged);
}


/* what the server said stands where the repetition gets no answer in time */

static void
ngx_http_akl_k8s_review_repeated(ngx_http_akl_k8s_review_t *review,
    akl_verdict_t *judged)
{
    size_t  len;

    review->outage = judged->reason;
    len = ngx_strlen(judged->detail) + 1;

    if (review->detail == NULL) {
        review->detail = ngx_pnalloc(review->pool, sizeof(judged->detail));
    }

    if (review->detail) {
        ngx_memcpy(review->detail, judged->detail, len);
    }
}


/* a replaced credential may not have been noticed yet: look, ask once more */

static ngx_uint_t
ngx_http_akl_k8s_review_again(ngx_http_akl_k8s_review_t *review)
{
    ngx_str_t                   *text;
    ngx_uint_t                   changed;
    ngx_http_akl_k8s_cluster_t  *cluster;

    if (review->again) {
        return 0;
    }

    cluster = review->cluster;
    review->again = 1;

    changed = ngx_http_akl_k8s_credentials_refresh(cluster);

    text = &cluster->reviewer.text;

    if (!changed && !cluster->config->reviewer_self
        && (text->len != review->bearer.len
            || CRYPTO_memcmp(text->data, review->bearer.data, text->len) != 0))
    {
        changed = 1;
    }

    if (!changed) {
        return 0;
    }

    ngx_akl_call_destroy(review->call);
    review->call = NULL;
    ngx_http_akl_k8s_review_asked(cluster, -1);

    switch (ngx_http_akl_k8s_review_ask(review)) {

    case NGX_AGAIN:
        break;

    case NGX_DECLINED:
        ngx_http_akl_k8s_review_fail(review, AKL_API_TIMEOUT,
                                     "no time left to ask once more");
        break;

    default:
        ngx_http_akl_k8s_review_fail(review, AKL_INTERNAL_ERROR,
                                     "the API server could not be asked");
        break;
    }

    return 1;
}


/* steps 7 and 8: bind and mint, once for all waiters */

static void
ngx_http_akl_k8s_review_establish(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    u_char                     *text;
    akl_json_out_t              out;
    ngx_http_akl_k8s_config_t  *config;

    config = review->cluster->config;

    verdict->reason = akl_bounds_check(&config->method->bounds,
                                       &verdict->identity);
    if (verdict->reason != AKL_OK) {
        return;
    }

    verdict->expires = (time_t) review->pod.exp;

    if (review->pod.aud) {
        akl_json_out_init(&out, NULL, 0);
        akl_pod_token_write_aud(&review->pod, &out);

        text = ngx_pnalloc(review->pool, out.len);
        if (text == NULL) {
            verdict->reason = AKL_INTERNAL_ERROR;
            return;
        }

        akl_json_out_init(&out, text, out.len);
        akl_pod_token_write_aud(&review->pod, &out);

        verdict->aud.data = text;
        verdict->aud.len = out.len;
    }

    if (config->claims_dynamic) {
        return;
    }

    verdict->reason = ngx_http_akl_k8s_mint(review->cluster, NULL,
                                            review->pool, &verdict->identity,
                                            verdict->aud, verdict->expires,
                                            &verdict->minted);
}
