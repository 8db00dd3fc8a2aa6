/*
 * The token endpoint: reads the body, lets the dialect parse it, runs the
 * login and answers in the dialect.
 */

#include "../body.h"
#include "../certificate.h"
#include "../content.h"
#include "../refusal.h"
#include "../request.h"
#include "../respond.h"
#include "../secret.h"
#include "login.h"
#include "endpoint.h"


static ngx_int_t ngx_http_akl_k8s_endpoint_process(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_akl_k8s_endpoint_alias(ngx_http_request_t *r,
    ngx_str_t *body, ngx_akl_key_t *alias);
static void ngx_http_akl_k8s_endpoint_done(ngx_http_request_t *r);
static ngx_int_t ngx_http_akl_k8s_endpoint_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *detail);
static ngx_int_t ngx_http_akl_k8s_endpoint_unread(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_form_t *form);
static ngx_int_t ngx_http_akl_k8s_endpoint_failure(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_form_t *form);
static ngx_int_t ngx_http_akl_k8s_endpoint_answer(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, ngx_http_akl_k8s_ctx_t *ctx);


static const ngx_http_akl_k8s_dialect_t  *ngx_http_akl_k8s_dialects[] = {
    &ngx_http_akl_k8s_akeyless,
    &ngx_http_akl_k8s_vault,
    &ngx_http_akl_k8s_oauth
};


static const ngx_http_akl_k8s_dialect_t *
ngx_http_akl_k8s_dialect(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    return ngx_http_akl_k8s_dialects[alcf->dialect];
}


ngx_int_t
ngx_http_akl_k8s_auth_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_http_akl_k8s_ctx_t            *ctx;
    const ngx_http_akl_k8s_dialect_t  *dialect;

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    /* what a guard established is not about who logs in */

    ngx_http_akl_k8s_forget(ctx);

    ctx->counts = NGX_HTTP_AKL_K8S_COUNT_LOGIN;

    (void) ngx_http_akl_k8s_secret_query(r);

    dialect = ngx_http_akl_k8s_dialect(r);

    rc = ngx_http_akl_k8s_allow(r, dialect->methods);

    if (rc == NGX_HTTP_NOT_ALLOWED) {
        return ngx_http_akl_k8s_endpoint_refuse(r, rc,
                                                "the method is not allowed");
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_akl_k8s_read_body(r, NGX_HTTP_AKL_K8S_BODY_MAX,
                                      ngx_http_akl_k8s_endpoint_process);
}


static ngx_int_t
ngx_http_akl_k8s_endpoint_process(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t                          rc;
    ngx_akl_key_t                      alias;
    ngx_uint_t                         aliased;
    ngx_http_akl_k8s_ctx_t            *ctx;
    ngx_http_akl_k8s_form_t           *form, hit;
    const ngx_http_akl_k8s_dialect_t  *dialect;

    if (body == NULL) {
        return ngx_http_akl_k8s_endpoint_refuse(r,
                                             NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                             "the request body is too large");
    }

    ctx = ngx_http_akl_k8s_ctx(r, 0);
    dialect = ngx_http_akl_k8s_dialect(r);

    aliased = (dialect->aliased
               && ngx_http_akl_k8s_endpoint_alias(r, body, &alias) == NGX_OK);

    if (aliased && ngx_http_akl_k8s_login_alias(r, &alias) == NGX_OK) {
        ngx_memzero(&hit, sizeof(ngx_http_akl_k8s_form_t));
        hit.config = ctx->config;

        return ngx_http_akl_k8s_endpoint_answer(r, &hit, ctx);
    }

    form = ngx_pcalloc(r->pool, sizeof(ngx_http_akl_k8s_form_t));
    if (form == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    /* it would be in the logs of every hop */

    if (ngx_http_akl_k8s_secret_query(r)) {
        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                   "a token in the query is refused, "
                                   "send it in the body");
    } else {
        dialect->parse(r, body, form);
    }

    if (form->reason != AKL_OK) {
        return ngx_http_akl_k8s_endpoint_unread(r, ctx, form);
    }

    ctx->form = form;

    rc = ngx_http_akl_k8s_login(r, form->config, &form->token, form->audiences,
                                aliased ? &alias : NULL,
                                ngx_http_akl_k8s_endpoint_done);

    switch (rc) {

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_OK:
        return ngx_http_akl_k8s_endpoint_answer(r, form, ctx);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;      /* logged */
    }
}


/*
 * The digest of all that decides which config and token a request leads to.
 * Requests with a query take the long way.
 */

static ngx_int_t
ngx_http_akl_k8s_endpoint_alias(ngx_http_request_t *r, ngx_str_t *body,
    ngx_akl_key_t *alias)
{
    u_char                         thumbprint[NGX_HTTP_AKL_K8S_THUMBPRINT_LEN];
    ngx_str_t                      parts[7];
    ngx_http_akl_k8s_loc_conf_t   *alcf;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    if (r->args.len) {
        return NGX_DECLINED;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);
    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    ngx_memzero(parts, sizeof(parts));

    ngx_str_set(&parts[0], "alias " NGX_HTTP_AKL_K8S_VERSION);

    parts[1].data = (u_char *) "012" + alcf->dialect;
    parts[1].len = 1;

    if (alcf->auth_config) {
        parts[2].data = alcf->auth_config->generation;
        parts[2].len = sizeof(alcf->auth_config->generation);
    }

    if (r->headers_in.content_type) {
        parts[3] = r->headers_in.content_type->value;
    }

    if (body->len) {
        parts[4] = *body;

    } else if (r->headers_in.authorization) {
        parts[5] = r->headers_in.authorization->value;

    } else {
        return NGX_DECLINED;
    }

    /* what the request leads to may be bound to it */

    if (amcf->bound) {
        switch (ngx_http_akl_k8s_thumbprint(r, thumbprint)) {

        case NGX_OK:
            parts[6].data = thumbprint;
            parts[6].len = sizeof(thumbprint);
            break;

        case NGX_ERROR:
            return NGX_DECLINED;
        }
    }

    return ngx_akl_zone_key(amcf->zone, alias, parts, 7);
}


static void
ngx_http_akl_k8s_endpoint_done(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_akl_k8s_module);

    ngx_http_akl_k8s_finalize(r,
                          ngx_http_akl_k8s_endpoint_answer(r, ctx->form, ctx));
}


/* refused before anything was read */

static ngx_int_t
ngx_http_akl_k8s_endpoint_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *detail)
{
    ngx_http_akl_k8s_form_t  form;

    ngx_memzero(&form, sizeof(ngx_http_akl_k8s_form_t));

    ngx_http_akl_k8s_form_fail(&form, AKL_REQUEST_MALFORMED, detail);
    form.status = status;

    return ngx_http_akl_k8s_endpoint_unread(r, ngx_http_akl_k8s_ctx(r, 0),
                                            &form);
}


/* what never came to be a login counts as one all the same */

static ngx_int_t
ngx_http_akl_k8s_endpoint_unread(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_form_t *form)
{
    if (form->reason == AKL_INTERNAL_ERROR) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    ctx->config = form->config;
    ctx->counts = NGX_HTTP_AKL_K8S_COUNT_LOGIN;

    ngx_http_akl_k8s_outcome(r, ctx, form->reason,
                             form->cause ? form->cause : form->detail);

    return ngx_http_akl_k8s_endpoint_failure(r, ctx, form);
}


static ngx_int_t
ngx_http_akl_k8s_endpoint_failure(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_form_t *form)
{
    ngx_uint_t                         basic, status;
    const ngx_http_akl_k8s_dialect_t  *dialect;

    dialect = ngx_http_akl_k8s_dialect(r);

    if (form->reason != ctx->reason) {

        /* the login's, or that memory was short for the line of the log */

        ngx_http_akl_k8s_form_fail(form, ctx->reason, NULL);
        form->status = 0;
        form->error = NULL;
    }

    status = form->status ? form->status : akl_reason_status(form->reason);

    /* RFC 6749 section 5.2: asked for HTTP Basic again, by 401 */

    basic = form->basic && form->reason == AKL_CONFIG_UNKNOWN;

    if (status == NGX_HTTP_UNAUTHORIZED && dialect->unauthorized && !basic) {
        status = dialect->unauthorized;

    } else if (status == NGX_HTTP_FORBIDDEN && dialect->forbidden) {
        status = dialect->forbidden;
    }

    if (ngx_http_akl_k8s_refusal_headers(r, status) != NGX_OK
        || (!dialect->unchallenged
            && ngx_http_akl_k8s_challenge(r, form->reason, status) != NGX_OK))
    {
        return ngx_http_akl_k8s_no_memory(r);
    }

    if (basic) {
        ngx_http_akl_k8s_challenge_basic(r);
    }

    return ngx_http_akl_k8s_respond_json(r, status, 0, dialect->failure, form);
}


ngx_int_t
ngx_http_akl_k8s_auth_failure(ngx_http_request_t *r, akl_json_out_t *out,
    void *data)
{
    ngx_http_akl_k8s_form_t  form;

    ngx_memzero(&form, sizeof(ngx_http_akl_k8s_form_t));
    ngx_http_akl_k8s_form_fail(&form, AKL_INTERNAL_ERROR, NULL);

    return ngx_http_akl_k8s_dialect(r)->failure(r, out, &form);
}


/*
 * Always as JSON: clients show bodies of other types to people.  The token
 * twice at most, and room for the rest.
 */

static ngx_int_t
ngx_http_akl_k8s_endpoint_answer(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, ngx_http_akl_k8s_ctx_t *ctx)
{
    const ngx_http_akl_k8s_dialect_t  *dialect;

    if (ctx->reason != AKL_OK) {
        return ngx_http_akl_k8s_endpoint_failure(r, ctx, form);
    }

    dialect = ngx_http_akl_k8s_dialect(r);

    return ngx_http_akl_k8s_respond_json(r, NGX_HTTP_OK,
                                         2 * ctx->token.len + 1024,
                                         dialect->success, form);
}
