/*
 * The Akeyless V2 API (POST <prefix>/auth), and the same answer for a pod
 * token that comes as a bearer without a body.
 */

#include <ngx_config.h>

#include "../../k8s/time.h"
#include "../body.h"
#include "../request.h"
#include "endpoint.h"


static void ngx_http_akl_k8s_akeyless_parse(ngx_http_request_t *r,
    ngx_str_t *body, ngx_http_akl_k8s_form_t *form);
static void ngx_http_akl_k8s_akeyless_json(ngx_http_request_t *r,
    akl_doc_t *doc, ngx_http_akl_k8s_form_t *form);
static void ngx_http_akl_k8s_akeyless_bearer(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form);
static ngx_int_t ngx_http_akl_k8s_akeyless_success(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);
static ngx_int_t ngx_http_akl_k8s_akeyless_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);


const ngx_http_akl_k8s_dialect_t  ngx_http_akl_k8s_akeyless = {
    NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST,
    ngx_http_akl_k8s_akeyless_parse,
    ngx_http_akl_k8s_akeyless_success,
    ngx_http_akl_k8s_akeyless_failure,
    0,
    0,
    1,
    0
};


static void
ngx_http_akl_k8s_akeyless_parse(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_akl_k8s_form_t *form)
{
    if (body->len == 0) {
        ngx_http_akl_k8s_akeyless_bearer(r, form);
        return;
    }

    if (ngx_http_akl_k8s_content_type(r, NGX_HTTP_AKL_K8S_JSON) == NGX_ERROR) {
        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                "the request body must be application/json");
        form->status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
        return;
    }

    ngx_http_akl_k8s_form_json(r, body, form,
                               ngx_http_akl_k8s_akeyless_json);
}


static void
ngx_http_akl_k8s_akeyless_json(ngx_http_request_t *r, akl_doc_t *doc,
    ngx_http_akl_k8s_form_t *form)
{
    akl_str_t  type, id, name, token;

    if (akl_doc_string(doc, doc->nodes, "access-type", &type) < 0
        || akl_doc_string(doc, doc->nodes, "access-id", &id) < 0
        || akl_doc_string(doc, doc->nodes, "k8s-auth-config-name", &name) < 0
        || akl_doc_string(doc, doc->nodes, "k8s-service-account-token",
                          &token)
           < 0)
    {
        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                   "a member of the request is no string");
        return;
    }

    if (!akl_str_eq(type, akl_str("k8s"))) {
        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                   "access-type must be k8s");
        return;
    }

    if (id.len == 0) {
        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                   "access-id is missing");
        return;
    }

    ngx_http_akl_k8s_form_config(r, form, name, id);

    if (form->reason == AKL_OK) {
        ngx_http_akl_k8s_form_token(r, form, token);
    }
}


static void
ngx_http_akl_k8s_akeyless_bearer(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form)
{
    u_char        *dst, *src;
    ngx_int_t      named;
    ngx_str_t      name;
    akl_reason_t   reason;

    ngx_str_null(&name);

    named = ngx_http_arg(r, (u_char *) "k8s-auth-config-name",
                         sizeof("k8s-auth-config-name") - 1, &name);

    reason = ngx_http_akl_k8s_bearer(r, NULL, &form->token);

    if (reason == AKL_TOKEN_MISSING && r->method == NGX_HTTP_POST
        && named != NGX_OK)
    {
        /* what External Secrets looks for when it probes a URL */

        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                   "unknown command");
        form->status = NGX_HTTP_NOT_FOUND;
        return;
    }

    if (reason != AKL_OK) {
        ngx_http_akl_k8s_form_fail(form, reason, NULL);
        return;
    }

    if (named == NGX_OK) {
        src = name.data;

        dst = ngx_pnalloc(r->pool, name.len);
        if (dst == NULL) {
            ngx_http_akl_k8s_form_fail(form, AKL_INTERNAL_ERROR, NULL);
            return;
        }

        name.data = dst;
        ngx_unescape_uri(&dst, &src, name.len, 0);
        name.len = dst - name.data;
    }

    ngx_http_akl_k8s_form_config(r, form, ngx_http_akl_k8s_str(&name),
                                 akl_str(""));
}


static ngx_int_t
ngx_http_akl_k8s_akeyless_success(ngx_http_request_t *r,
    akl_json_out_t *out, void *data)
{
    char                     expiration[AKL_TIME_LEN + 1];
    akl_str_t                text;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    text.len = akl_time_format(expiration, ctx->token_expires);
    text.data = (const unsigned char *) expiration;

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "token", ngx_http_akl_k8s_str(&ctx->token));
    akl_json_out_str(out, "expiration", text);

    akl_json_out_open(out, "creds", '{');
    akl_json_out_str(out, "access_id",
                     ngx_http_akl_k8s_str(&ctx->config->access_id));
    akl_json_out_str(out, "token", ngx_http_akl_k8s_str(&ctx->token));
    akl_json_out_int(out, "expiry", ctx->token_expires);
    akl_json_out_close(out, '}');

    akl_json_out_close(out, '}');

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_akeyless_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data)
{
    ngx_http_akl_k8s_form_t *form = data;

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "error", ngx_http_akl_k8s_form_sentence(form));
    akl_json_out_str(out, "reason", akl_reason_code(form->reason));
    akl_json_out_str(out, "request_id", ngx_http_akl_k8s_request_id(r));
    akl_json_out_close(out, '}');

    return NGX_OK;
}
