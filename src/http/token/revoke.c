/*
 * akl_k8s_revoke: the location that takes revocations, of a token's jti, of a
 * subject with a time, or of a token itself (RFC 7009); and "akl_k8s_revoke
 * self", where a token revokes itself, with "vault" in the shape of Vault's
 * HTTP API.
 */

#include <ngx_config.h>

#include <openssl/crypto.h>

#include "../../jose/json.h"
#include "../../k8s/subclaims.h"
#include "../body.h"
#include "../content.h"
#include "../form.h"
#include "../metrics.h"
#include "../refusal.h"
#include "../request.h"
#include "../respond.h"
#include "../secret.h"
#include "minted.h"
#include "revoke.h"
#include "revoke_body.h"
#include "self.h"


/* what is wrong: a code of RFC 6749 section 5.2, or one of ours */

typedef struct {
    ngx_uint_t                       status;
    const char                      *error;
    const char                      *text;
} ngx_http_akl_k8s_revoke_error_t;


static ngx_int_t ngx_http_akl_k8s_revoke_process(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_akl_k8s_revoke_self(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_akl_k8s_revoke_vault(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_akl_k8s_revoke_read(
    ngx_http_akl_k8s_revoke_t *revoke, ngx_str_t *body);
static ngx_http_akl_k8s_revoke_t *ngx_http_akl_k8s_revoke_create(
    ngx_http_request_t *r);
static void ngx_http_akl_k8s_revoke_cleanup(void *data);
static akl_reason_t ngx_http_akl_k8s_revoke_verify(
    ngx_http_akl_k8s_revoke_t *revoke, ngx_http_akl_k8s_ctx_t *ctx);
static ngx_int_t ngx_http_akl_k8s_revoke_own(
    ngx_http_akl_k8s_revoke_t *revoke, akl_reason_t reason);
static ngx_int_t ngx_http_akl_k8s_revoke_it(ngx_http_akl_k8s_revoke_t *revoke);
static void ngx_http_akl_k8s_revoke_done(ngx_http_akl_k8s_revocation_t *rev,
    ngx_int_t rc);
static ngx_int_t ngx_http_akl_k8s_revoke_result(
    ngx_http_akl_k8s_revoke_t *revoke, ngx_int_t rc);
static void ngx_http_akl_k8s_revoke_log(ngx_http_akl_k8s_revoke_t *revoke);
static ngx_int_t ngx_http_akl_k8s_revoke_answer(
    ngx_http_akl_k8s_revoke_t *revoke,
    const ngx_http_akl_k8s_revoke_error_t *error);
static ngx_int_t ngx_http_akl_k8s_revoke_write(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);


static const ngx_http_akl_k8s_revoke_error_t  ngx_http_akl_k8s_revoke_full = {
    NGX_HTTP_SERVICE_UNAVAILABLE, "revocations_full",
    "the list of revocations is full"
};

static const ngx_http_akl_k8s_revoke_error_t
    ngx_http_akl_k8s_revoke_failed =
{
    NGX_HTTP_SERVICE_UNAVAILABLE, "revocation_not_kept",
    "the revocation could not be kept"
};

static const ngx_http_akl_k8s_revoke_error_t  ngx_http_akl_k8s_revoke_other = {
    NGX_HTTP_BAD_REQUEST, "invalid_request",
    "only the token that is presented is revoked here"
};


ngx_int_t
ngx_http_akl_k8s_revoke_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    (void) ngx_http_akl_k8s_secret_query(r);

    rc = ngx_http_akl_k8s_allow(r, NGX_HTTP_POST);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_akl_k8s_read_body(r, NGX_HTTP_AKL_K8S_REVOKE_BODY_MAX,
                                      ngx_http_akl_k8s_revoke_process);
}


ngx_int_t
ngx_http_akl_k8s_revoke_self_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    (void) ngx_http_akl_k8s_secret_query(r);

    /* Vault's clients PUT to auth/token/revoke-self */

    rc = ngx_http_akl_k8s_allow(r, NGX_HTTP_POST|NGX_HTTP_PUT);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_akl_k8s_read_body(r, NGX_HTTP_AKL_K8S_REVOKE_BODY_MAX,
                                      ngx_http_akl_k8s_revoke_self);
}


ngx_int_t
ngx_http_akl_k8s_revoke_vault_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    (void) ngx_http_akl_k8s_secret_query(r);

    rc = ngx_http_akl_k8s_allow(r, NGX_HTTP_POST|NGX_HTTP_PUT);
    if (rc != NGX_OK) {
        return ngx_http_akl_k8s_self_disallow(r, rc);
    }

    return ngx_http_akl_k8s_read_body(r, NGX_HTTP_AKL_K8S_REVOKE_BODY_MAX,
                                      ngx_http_akl_k8s_revoke_vault);
}


static ngx_int_t
ngx_http_akl_k8s_revoke_process(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t                   rc;
    akl_reason_t                reason;
    ngx_http_akl_k8s_ctx_t      subject;
    ngx_http_akl_k8s_revoke_t  *revoke;

    revoke = ngx_http_akl_k8s_revoke_create(r);

    if (revoke == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    rc = ngx_http_akl_k8s_revoke_read(revoke, body);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (revoke->token.len == 0) {
        return ngx_http_akl_k8s_revoke_it(revoke);
    }

    revoke->quiet = 1;

    /*
     * Not the request's context: that is about who revokes, whom a guard of
     * this location may have let in.
     */

    ngx_memzero(&subject, sizeof(ngx_http_akl_k8s_ctx_t));

    reason = ngx_http_akl_k8s_revoke_verify(revoke, &subject);

    if (reason == AKL_OK) {
        return ngx_http_akl_k8s_revoke_it(revoke);
    }

    /* RFC 7009 section 2.2: what no guard lets pass needs no revocation */

    return ngx_http_akl_k8s_revoke_answer(revoke,
                                  akl_reason_kind(reason) == AKL_KIND_OUTAGE
                                  ? &ngx_http_akl_k8s_revoke_failed : NULL);
}


static ngx_int_t
ngx_http_akl_k8s_revoke_self(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t                     rc;
    ngx_str_t                     said;
    akl_reason_t                  reason;
    ngx_http_akl_k8s_revoke_t    *revoke;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    revoke = ngx_http_akl_k8s_revoke_create(r);

    if (revoke == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    revoke->own = 1;

    if (body == NULL || body->len) {
        rc = ngx_http_akl_k8s_revoke_read(revoke, body);

        if (rc != NGX_DECLINED) {
            return rc;
        }

        if (revoke->token.len == 0 && !revoke->empty) {
            return ngx_http_akl_k8s_revoke_answer(revoke,
                                                &ngx_http_akl_k8s_revoke_other);
        }
    }

    said = revoke->token;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    reason = ngx_http_akl_k8s_bearer(r, alcf->token_source, &revoke->token);

    if (reason == AKL_OK && said.len
        && (said.len != revoke->token.len
            || CRYPTO_memcmp(said.data, revoke->token.data, said.len) != 0))
    {
        return ngx_http_akl_k8s_revoke_answer(revoke,
                                              &ngx_http_akl_k8s_revoke_other);
    }

    return ngx_http_akl_k8s_revoke_own(revoke, reason);
}


/* Vault looks at no body here, and neither is one looked at in its place */

static ngx_int_t
ngx_http_akl_k8s_revoke_vault(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_http_akl_k8s_revoke_t  *revoke;

    revoke = ngx_http_akl_k8s_revoke_create(r);

    if (revoke == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    revoke->vault = 1;

    return ngx_http_akl_k8s_revoke_own(revoke,
                               ngx_http_akl_k8s_self_token(r, &revoke->token));
}


/* NGX_DECLINED where it goes on, or what finalizes a request that is wrong */

static ngx_int_t
ngx_http_akl_k8s_revoke_read(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_str_t *body)
{
    ngx_int_t                         rc;
    ngx_http_request_t               *r;
    ngx_http_akl_k8s_revoke_error_t   error;

    r = revoke->request;

    error.status = NGX_HTTP_BAD_REQUEST;
    error.error = "invalid_request";

    if (body == NULL) {
        error.status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        error.text = "the request body is too large";

    } else if (ngx_http_akl_k8s_content_type(r, NGX_HTTP_AKL_K8S_JSON)
               == NGX_ERROR
               && ngx_http_akl_k8s_content_type(r, NGX_HTTP_AKL_K8S_FORM)
                  != NGX_OK)
    {
        error.status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
        error.text = "the request body is neither JSON nor a form";

    } else {
        rc = ngx_http_akl_k8s_revoke_parse(revoke, body, &error.text);

        if (rc == NGX_OK) {
            return NGX_DECLINED;
        }

        if (rc == NGX_ERROR) {
            return ngx_http_akl_k8s_no_memory(r);
        }
    }

    return ngx_http_akl_k8s_revoke_answer(revoke, &error);
}


static ngx_http_akl_k8s_revoke_t *
ngx_http_akl_k8s_revoke_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_akl_k8s_revoke_t  *revoke;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_akl_k8s_revoke_t));
    if (cln == NULL) {
        return NULL;
    }

    revoke = cln->data;

    ngx_memzero(revoke, sizeof(ngx_http_akl_k8s_revoke_t));

    revoke->request = r;
    revoke->rev.time = -1;
    revoke->rev.done = ngx_http_akl_k8s_revoke_done;
    revoke->rev.data = revoke;

    cln->handler = ngx_http_akl_k8s_revoke_cleanup;

    return revoke;
}


static void
ngx_http_akl_k8s_revoke_cleanup(void *data)
{
    ngx_http_akl_k8s_revoke_t  *revoke = data;

    if (revoke->waits) {
        ngx_http_akl_k8s_revoke_forget(&revoke->rev);
    }
}


/* the token becomes its jti, for as long as it lives */

static akl_reason_t
ngx_http_akl_k8s_revoke_verify(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_http_akl_k8s_ctx_t *ctx)
{
    akl_str_t                      jti;
    akl_reason_t                   reason;
    ngx_http_request_t            *r;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    r = revoke->request;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    reason = ngx_http_akl_k8s_minted(r, ctx, &amcf->configs, &revoke->token);

    if (reason != AKL_OK) {
        return reason;
    }

    /* all of ours have one; what has none passes no guard from now on */

    if (!akl_claims_string(ngx_http_akl_k8s_str(&ctx->claims), akl_str("jti"),
                           &jti)
        || akl_revocation_check(jti))
    {
        return AKL_TOKEN_MALFORMED;
    }

    revoke->rev.jti = ngx_http_akl_k8s_ngx_str(&jti);
    revoke->rev.until = ctx->token_expires + 1;

    return AKL_OK;
}


/*
 * By who presents it, where "reason" is that it was presented; one that is
 * bound is presented by its holder alone.
 */

static ngx_int_t
ngx_http_akl_k8s_revoke_own(ngx_http_akl_k8s_revoke_t *revoke,
    akl_reason_t reason)
{
    ngx_http_request_t      *r;
    ngx_http_akl_k8s_ctx_t  *ctx;

    r = revoke->request;

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    revoke->quiet = 1;

    if (reason == AKL_OK) {
        ngx_http_akl_k8s_forget(ctx);

        reason = ngx_http_akl_k8s_revoke_verify(revoke, ctx);
    }

    if (reason == AKL_OK) {
        reason = ngx_http_akl_k8s_minted_holder(r, ctx);
    }

    if (reason == AKL_OK) {
        return ngx_http_akl_k8s_revoke_it(revoke);
    }

    ngx_http_akl_k8s_minted_refused(r, ctx, reason, NULL);

    return revoke->vault ? ngx_http_akl_k8s_self_refuse(r, ctx)
                         : ngx_http_akl_k8s_refuse(r, ctx);
}


static ngx_int_t
ngx_http_akl_k8s_revoke_it(ngx_http_akl_k8s_revoke_t *revoke)
{
    ngx_int_t                      rc;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(revoke->request,
                                         ngx_http_akl_k8s_module);

    rc = ngx_http_akl_k8s_revoke_keep(amcf, &revoke->rev);

    if (rc == NGX_AGAIN) {
        revoke->waits = 1;
        return NGX_AGAIN;
    }

    return ngx_http_akl_k8s_revoke_result(revoke, rc);
}


static void
ngx_http_akl_k8s_revoke_done(ngx_http_akl_k8s_revocation_t *rev, ngx_int_t rc)
{
    ngx_connection_t           *c;
    ngx_http_akl_k8s_revoke_t  *revoke;

    revoke = rev->data;
    revoke->waits = 0;

    c = revoke->request->connection;

    ngx_http_akl_k8s_finalize(revoke->request,
                              ngx_http_akl_k8s_revoke_result(revoke, rc));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_akl_k8s_revoke_result(ngx_http_akl_k8s_revoke_t *revoke, ngx_int_t rc)
{
    const ngx_http_akl_k8s_revoke_error_t  *error;

    switch (rc) {

    case NGX_OK:
        ngx_http_akl_k8s_revoke_log(revoke);
        error = NULL;
        break;

    case NGX_DECLINED:
        error = &ngx_http_akl_k8s_revoke_full;
        break;

    default:
        error = &ngx_http_akl_k8s_revoke_failed;
    }

    return ngx_http_akl_k8s_revoke_answer(revoke, error);
}


/* who took what back, beside the client's address that nginx adds */

static void
ngx_http_akl_k8s_revoke_log(ngx_http_akl_k8s_revoke_t *revoke)
{
    u_char                          name[NGX_HTTP_AKL_K8S_LOG_SIZE];
    ngx_log_t                      *log;
    ngx_http_akl_k8s_revocation_t  *rev;

    rev = &revoke->rev;
    log = revoke->request->connection->log;

    if (rev->jti.len) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "akl_k8s: revoked, jti \"%s\"",
                      ngx_http_akl_k8s_log_text(name,
                                              ngx_http_akl_k8s_str(&rev->jti)));
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "akl_k8s: revoked, subject \"%s\", before %T",
                  ngx_http_akl_k8s_log_text(name,
                                            ngx_http_akl_k8s_str(&rev->sub)),
                  rev->time);
}


static ngx_int_t
ngx_http_akl_k8s_revoke_answer(ngx_http_akl_k8s_revoke_t *revoke,
    const ngx_http_akl_k8s_revoke_error_t *error)
{
    akl_str_t                     text;
    ngx_http_request_t           *r;
    ngx_http_akl_k8s_document_t   document;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    r = revoke->request;

    if (error) {

        if (error->status == NGX_HTTP_SERVICE_UNAVAILABLE) {

            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "akl_k8s: revocation failed, %s: %s",
                          error->error, error->text);

            if (ngx_http_akl_k8s_refusal_headers(r, error->status) != NGX_OK) {
                return ngx_http_akl_k8s_no_memory(r);
            }

        } else {
            alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

            ngx_log_error(alcf->log_level, r->connection->log, 0,
                          "akl_k8s: revocation refused, request_malformed: %s",
                          error->text);

            ngx_http_akl_k8s_metrics_malformed();
        }

        if (revoke->vault) {
            text.data = (const u_char *) error->text;
            text.len = ngx_strlen(error->text);

            return ngx_http_akl_k8s_self_error(r, error->status, error->error,
                                               AKL_OK, text);
        }

        return ngx_http_akl_k8s_respond_error(r, error->status, error->error,
                                              error->text);
    }

    if (!revoke->quiet) {
        return ngx_http_akl_k8s_respond_json(r, NGX_HTTP_OK, 0,
                                             ngx_http_akl_k8s_revoke_write,
                                             &revoke->rev);
    }

    ngx_memzero(&document, sizeof(ngx_http_akl_k8s_document_t));

    document.status = revoke->vault ? NGX_HTTP_NO_CONTENT : NGX_HTTP_OK;

    return ngx_http_akl_k8s_respond(r, &document);
}


static ngx_int_t
ngx_http_akl_k8s_revoke_write(ngx_http_request_t *r, akl_json_out_t *out,
    void *data)
{
    ngx_http_akl_k8s_revocation_t *rev = data;

    akl_json_out_open(out, NULL, '{');

    if (rev->jti.len) {
        akl_json_out_str(out, "jti", ngx_http_akl_k8s_str(&rev->jti));

    } else {
        akl_json_out_str(out, "sub", ngx_http_akl_k8s_str(&rev->sub));
        akl_json_out_int(out, "before", rev->time);
    }

    akl_json_out_int(out, "until", rev->until);
    akl_json_out_close(out, '}');

    return NGX_OK;
}
