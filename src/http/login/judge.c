/*
 * The checks before a review, the questions, and what is made of the answers.
 */

#include "../cluster/keys.h"
#include "judge.h"


static akl_reason_t ngx_http_akl_k8s_judge_signature(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_claimant_t *c);
static ngx_int_t ngx_http_akl_k8s_judge_review(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_claimant_t *c,
    ngx_akl_call_t *call, ngx_pool_t *pool);
static ngx_int_t ngx_http_akl_k8s_judge_namespace(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_claimant_t *c,
    ngx_akl_call_t *call, ngx_pool_t *pool);


/* nothing here is believed, it only saves a review */

akl_reason_t
ngx_http_akl_k8s_judge_claimant(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c)
{
    akl_reason_t                reason;
    akl_pod_policy_t            policy;
    ngx_http_akl_k8s_config_t  *config;

    config = cluster->config;

    reason = akl_pod_token_parse(&c->pod, ngx_http_akl_k8s_str(&c->token));
    if (reason != AKL_OK) {
        return reason;
    }

    ngx_memzero(&policy, sizeof(akl_pod_policy_t));

    policy.issuers = config->issuers.elts;
    policy.n_issuers = config->issuers.n;
    policy.audiences = config->method->audiences;

    reason = akl_pod_token_check(&c->pod, &policy, ngx_time());
    if (reason != AKL_OK) {
        return reason;
    }

    reason = ngx_http_akl_k8s_judge_signature(cluster, c);
    if (reason != AKL_OK) {
        return reason;
    }

    /*
     * What is bound is told to nobody who can only forge tokens: without a
     * signature that was verified here, the review decides first.
     */

    if (!c->verified || c->pod.claimed.namespace.len == 0) {
        return AKL_OK;
    }

    return akl_bounds_check(&config->method->bounds, &c->pod.claimed);
}


/* verified, or a stranger's, where the cluster's own keys are known */

static akl_reason_t
ngx_http_akl_k8s_judge_signature(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c)
{
    ngx_http_akl_k8s_keys_t  *keys;

    keys = &cluster->keys;

    if (!keys->known) {
        return AKL_OK;
    }

    switch (akl_pod_token_signature(&c->pod, &keys->set)) {

    case AKL_SIGNATURE_VERIFIED:
        c->verified = 1;
        return AKL_OK;

    case AKL_SIGNATURE_FOREIGN:

        /* a key that we do not know (yet): the server's word counts */

        c->stranger = 1;
        return AKL_OK;

    case AKL_SIGNATURE_BROKEN:
        return AKL_SIGNATURE_INVALID;

    default:
        return AKL_INTERNAL_ERROR;
    }
}


ngx_akl_call_t *
ngx_http_akl_k8s_judge_question(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c, ngx_msec_t timeout, ngx_pool_t *pool,
    ngx_str_t *bearer)
{
    ngx_int_t                   rc;
    ngx_str_t                  *text;
    ngx_akl_call_t             *call;
    ngx_http_akl_k8s_config_t  *config;

    config = cluster->config;

    call = ngx_akl_call_create(ngx_cycle->log);
    if (call == NULL) {
        return NULL;
    }

    rc = c->namespace.len
         ? ngx_http_akl_k8s_judge_namespace(cluster, c, call, pool)
         : ngx_http_akl_k8s_judge_review(cluster, c, call, pool);

    if (rc != NGX_OK) {
        ngx_akl_call_destroy(call);
        return NULL;
    }

    /* which one it was matters when the server refuses it */

    if (config->reviewer_self) {
        *bearer = c->token;

    } else {
        text = &cluster->reviewer.text;

        bearer->data = ngx_pstrdup(pool, text);
        if (bearer->data == NULL) {
            bearer->len = 0;
            ngx_akl_call_destroy(call);
            return NULL;
        }

        bearer->len = text->len;
    }

    call->accept = "application/json";
    call->target = cluster->target;
    call->bearer = *bearer;
    call->timeout = timeout;

    return call;
}


static ngx_int_t
ngx_http_akl_k8s_judge_review(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c, ngx_akl_call_t *call, ngx_pool_t *pool)
{
    akl_str_t   token;
    akl_list_t  audiences;

    token = ngx_http_akl_k8s_str(&c->token);
    audiences = cluster->config->method->audiences;

    call->body.len = akl_tokenreview_request(NULL, token, audiences);

    call->body.data = ngx_pnalloc(pool, call->body.len);
    if (call->body.data == NULL) {
        return NGX_ERROR;
    }

    (void) akl_tokenreview_request(call->body.data, token, audiences);

    call->path = cluster->config->review_path;
    call->max_answer = AKL_REVIEW_ANSWER_MAX;

    return NGX_OK;
}


/* the name is one: the review has made sure of that */

static ngx_int_t
ngx_http_akl_k8s_judge_namespace(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c, ngx_akl_call_t *call, ngx_pool_t *pool)
{
    ngx_str_t  *prefix;

    prefix = &cluster->config->api_path;

    call->path.len = prefix->len + sizeof(AKL_NAMESPACE_PATH) - 1
                     + c->namespace.len;

    call->path.data = ngx_pnalloc(pool, call->path.len);
    if (call->path.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(call->path.data, "%V" AKL_NAMESPACE_PATH "%V", prefix,
                       &c->namespace);

    call->max_answer = AKL_NAMESPACE_ANSWER_MAX;

    return NGX_OK;
}


void
ngx_http_akl_k8s_judge_answer(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c, ngx_akl_call_t *call,
    akl_judgement_t *judged, ngx_http_akl_k8s_verdict_t *verdict)
{
    akl_str_t                   body;
    ngx_http_akl_k8s_method_t  *method;

    ngx_memzero(verdict, sizeof(ngx_http_akl_k8s_verdict_t));
    akl_judgement_init(judged);

    verdict->detail = call->error.len ? (char *) call->error.data : NULL;
    verdict->identity = c->pod.claimed;

    switch (call->outcome) {

    case NGX_AKL_ANSWERED:
        method = cluster->config->method;
        body = ngx_http_akl_k8s_str(&call->answer);

        if (c->namespace.len) {
            akl_namespace_judge(judged, call->status, body,
                                ngx_http_akl_k8s_str(&c->namespace),
                                &method->bounds.selector);

        } else {
            akl_tokenreview_judge(judged, call->status, body, &c->pod,
                                  method->audiences);
        }

        verdict->reason = judged->reason;
        verdict->retry_after = ngx_max(call->retry_after, 0);
        verdict->detail = judged->detail[0] ? judged->detail : NULL;

        if (judged->reason == AKL_OK) {
            verdict->identity = judged->identity;
        }

        break;

    case NGX_AKL_UNREACHABLE:
        verdict->reason = AKL_API_UNREACHABLE;
        break;

    case NGX_AKL_TLS_FAILED:
        verdict->reason = AKL_API_TLS;
        break;

    case NGX_AKL_TIMED_OUT:
        verdict->reason = AKL_API_TIMEOUT;
        break;

    case NGX_AKL_BAD_ANSWER:
        verdict->reason = AKL_API_ERROR;
        break;

    case NGX_AKL_NO_ROOM:
        verdict->reason = AKL_OVERLOADED;
        break;

    default:
        verdict->reason = AKL_INTERNAL_ERROR;
        break;
    }

    if (verdict->reason == AKL_REVIEWER_UNAUTHORIZED
        && cluster->config->reviewer_self)
    {
        /* the bearer is the pod's own token: it is what was refused */
        verdict->reason = AKL_TOKEN_REJECTED;
    }
}


void
ngx_http_akl_k8s_judge_identity(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_claimant_t *c, ngx_pool_t *pool,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    u_char                     *text, sub[AKL_SUBJECT_MAX];
    akl_str_t                   subject;
    akl_json_out_t              out;
    ngx_http_akl_k8s_config_t  *config;

    config = cluster->config;

    if (c->stranger) {
        ngx_http_akl_k8s_keys_wanted(cluster);
    }

    verdict->reason = akl_bounds_check(&config->method->bounds,
                                       &verdict->identity);
    if (verdict->reason != AKL_OK) {
        return;
    }

    verdict->detail = akl_subject_write(&config->subject, &verdict->identity,
                                        sub, &subject);
    if (verdict->detail) {
        verdict->reason = AKL_SUBJECT_INCOMPLETE;
        return;
    }

    verdict->expires = (time_t) c->pod.exp;

    if (c->pod.aud) {
        akl_json_out_init(&out, NULL, 0);
        akl_pod_token_write_aud(&c->pod, &out);

        text = ngx_pnalloc(pool, out.len);
        if (text == NULL) {
            verdict->reason = AKL_INTERNAL_ERROR;
            return;
        }

        akl_json_out_init(&out, text, out.len);
        akl_pod_token_write_aud(&c->pod, &out);

        verdict->aud.data = text;
        verdict->aud.len = out.len;
    }
}


void
ngx_http_akl_k8s_judge_mint(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_pool_t *pool, ngx_http_akl_k8s_verdict_t *verdict)
{
    static const ngx_http_akl_k8s_wanted_t  usual = {
        .audiences = NGX_HTTP_AKL_K8S_AUDIENCE_FIRST
    };

    if (cluster->config->claims_dynamic || cluster->config->token_binding) {

        /* no token is for all who wait */

        return;
    }

    verdict->reason = ngx_http_akl_k8s_mint(cluster, NULL, pool,
                                            &verdict->identity, verdict->aud,
                                            verdict->expires, &usual,
                                            &verdict->minted);
}
