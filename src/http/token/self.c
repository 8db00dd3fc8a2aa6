/*
 * "akl_k8s_introspect vault": after a login Vault's clients ask what their
 * token is good for, and to have it renewed.  Both are answered from the
 * token alone, in the shape of Vault's HTTP API.
 */

#include <ngx_config.h>

#include "../../jose/json.h"
#include "../../k8s/time.h"
#include "../refusal.h"
#include "../request.h"
#include "../respond.h"
#include "../secret.h"
#include "minted.h"
#include "self.h"


/* bytes of an error in the list, and of a namespace and an account */

#define NGX_HTTP_AKL_K8S_SELF_LINE  256
#define NGX_HTTP_AKL_K8S_SELF_NAME  (sizeof("kubernetes--") + 512)


typedef struct {
    ngx_str_t                token;
    akl_str_t                role;
    akl_doc_t                payload;
    int64_t                  issued;
    int64_t                  expires;
} ngx_http_akl_k8s_self_t;


typedef struct {
    const char              *first;
    akl_reason_t             reason;
    akl_str_t                text;
} ngx_http_akl_k8s_self_error_t;


static ngx_int_t ngx_http_akl_k8s_self_lookup(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_str_t *token);
static ngx_int_t ngx_http_akl_k8s_self_write(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);
static void ngx_http_akl_k8s_self_meta(akl_json_out_t *out,
    ngx_http_akl_k8s_self_t *self);
static akl_str_t ngx_http_akl_k8s_self_claim(ngx_http_akl_k8s_self_t *self,
    const char *name);
static ngx_int_t ngx_http_akl_k8s_self_write_error(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);


ngx_int_t
ngx_http_akl_k8s_self_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_str_t                      token;
    akl_reason_t                   reason;
    ngx_http_akl_k8s_ctx_t        *ctx;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    (void) ngx_http_akl_k8s_secret_query(r);

    rc = ngx_http_akl_k8s_allow(r, NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST
                                   |NGX_HTTP_PUT);
    if (rc != NGX_OK) {
        return ngx_http_akl_k8s_self_disallow(r, rc);
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    ngx_http_akl_k8s_forget(ctx);

    reason = ngx_http_akl_k8s_self_token(r, &token);

    if (reason == AKL_OK) {
        reason = ngx_http_akl_k8s_minted(r, ctx, &amcf->configs, &token);
    }

    if (reason == AKL_OK) {
        reason = ngx_http_akl_k8s_minted_holder(r, ctx);
    }

    if (reason != AKL_OK) {
        ngx_http_akl_k8s_minted_refused(r, ctx, reason, NULL);

        return ngx_http_akl_k8s_self_refuse(r, ctx);
    }

    ngx_http_akl_k8s_outcome(r, ctx, AKL_OK, NULL);

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return ngx_http_akl_k8s_self_lookup(r, ctx, &token);
    }

    /* what clients look for, and what Vault says of tokens of this type */

    return ngx_http_akl_k8s_self_error(r, NGX_HTTP_BAD_REQUEST,
                                   "lease is not renewable", AKL_OK,
                                   akl_str("batch tokens cannot be renewed"));
}


ngx_int_t
ngx_http_akl_k8s_self_disallow(ngx_http_request_t *r, ngx_int_t rc)
{
    return (rc == NGX_HTTP_NOT_ALLOWED)
           ? ngx_http_akl_k8s_self_error(r, rc, NULL, AKL_OK,
                                         akl_str("unsupported operation"))
           : rc;
}


akl_reason_t
ngx_http_akl_k8s_self_token(ngx_http_request_t *r, ngx_str_t *token)
{
    ngx_uint_t                  hash;
    ngx_http_variable_value_t  *vv;

    static ngx_str_t  name = ngx_string("http_x_vault_token");

    hash = ngx_hash_key(name.data, name.len);
    vv = ngx_http_get_variable(r, &name, hash);

    if (vv == NULL) {
        return AKL_INTERNAL_ERROR;
    }

    if (vv->not_found || vv->len == 0) {
        return ngx_http_akl_k8s_bearer(r, NULL, token);
    }

    token->data = vv->data;
    token->len = vv->len;

    return (ngx_http_akl_k8s_secret_request(r) == NGX_OK) ? AKL_OK
                                                          : AKL_INTERNAL_ERROR;
}


ngx_int_t
ngx_http_akl_k8s_self_role(ngx_http_request_t *r,
    ngx_http_akl_k8s_config_t *config, akl_str_t *role)
{
    u_char  *p;

    role->len = config->access_id.len + config->name.len + 2;

    p = ngx_pnalloc(r->pool, role->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    role->data = p;
    (void) ngx_sprintf(p, "%V..%V", &config->access_id, &config->name);

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_self_lookup(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_str_t *token)
{
    ngx_int_t                rc;
    ngx_http_akl_k8s_self_t  self;

    if (ngx_http_akl_k8s_self_role(r, ctx->config, &self.role) != NGX_OK) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    self.token = *token;
    self.expires = ctx->token_expires;

    if (ngx_http_akl_k8s_minted_payload(r->pool, token, &self.payload)
        == NGX_OK)
    {
        if (akl_doc_time(&self.payload, self.payload.nodes, "iat",
                         &self.issued)
            != 0)
        {
            self.issued = ngx_time();
        }

        rc = ngx_http_akl_k8s_respond_json(r, NGX_HTTP_OK, 0,
                                           ngx_http_akl_k8s_self_write, &self);

    } else {
        rc = ngx_http_akl_k8s_no_memory(r);
    }

    akl_doc_free(&self.payload);

    return rc;
}


static ngx_int_t
ngx_http_akl_k8s_self_write(ngx_http_request_t *r, akl_json_out_t *out,
    void *data)
{
    ngx_http_akl_k8s_self_t *self = data;

    char       issued[AKL_TIME_LEN + 1], expires[AKL_TIME_LEN + 1];
    u_char    *p, name[NGX_HTTP_AKL_K8S_SELF_NAME];
    akl_str_t  text, namespace, account;

    namespace = ngx_http_akl_k8s_self_claim(self, "namespace");
    account = ngx_http_akl_k8s_self_claim(self, "service_account_name");

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "request_id", ngx_http_akl_k8s_request_id(r));
    akl_json_out_str(out, "lease_id", akl_str(""));
    akl_json_out_raw(out, "renewable", akl_str("false"));
    akl_json_out_int(out, "lease_duration", 0);

    akl_json_out_open(out, "data", '{');
    akl_json_out_str(out, "accessor", akl_str(""));
    akl_json_out_int(out, "creation_time", self->issued);
    akl_json_out_int(out, "creation_ttl", self->expires - self->issued);

    p = ngx_snprintf(name, sizeof(name), "kubernetes-%*s-%*s", namespace.len,
                     namespace.data, account.len, account.data);

    text.data = name;
    text.len = p - name;
    akl_json_out_str(out, "display_name", text);

    akl_json_out_str(out, "entity_id", akl_str(""));

    text.data = (const unsigned char *) expires;
    text.len = akl_time_format(expires, self->expires);
    akl_json_out_str(out, "expire_time", text);

    akl_json_out_int(out, "explicit_max_ttl", 0);
    akl_json_out_str(out, "id", ngx_http_akl_k8s_str(&self->token));

    text.data = (const unsigned char *) issued;
    text.len = akl_time_format(issued, self->issued);
    akl_json_out_str(out, "issue_time", text);

    ngx_http_akl_k8s_self_meta(out, self);

    akl_json_out_int(out, "num_uses", 0);
    akl_json_out_raw(out, "orphan", akl_str("true"));
    akl_json_out_str(out, "path", akl_str("auth/kubernetes/login"));
    akl_json_out_raw(out, "policies", akl_str("[]"));
    akl_json_out_raw(out, "renewable", akl_str("false"));
    akl_json_out_int(out, "ttl", ngx_max(self->expires - ngx_time(), 0));
    akl_json_out_str(out, "type", akl_str("batch"));
    akl_json_out_close(out, '}');

    akl_json_out_raw(out, "wrap_info", akl_str("null"));
    akl_json_out_raw(out, "warnings", akl_str("null"));
    akl_json_out_raw(out, "auth", akl_str("null"));
    akl_json_out_close(out, '}');

    return NGX_OK;
}


/* as the login's "metadata" has it, from the token's claims */

static void
ngx_http_akl_k8s_self_meta(akl_json_out_t *out, ngx_http_akl_k8s_self_t *self)
{
    akl_json_out_open(out, "meta", '{');
    akl_json_out_str(out, "role", self->role);
    akl_json_out_str(out, "service_account_name",
                     ngx_http_akl_k8s_self_claim(self,
                                                 "service_account_name"));
    akl_json_out_str(out, "service_account_namespace",
                     ngx_http_akl_k8s_self_claim(self, "namespace"));
    akl_json_out_str(out, "service_account_uid",
                     ngx_http_akl_k8s_self_claim(self,
                                                 "service_account_uid"));
    akl_json_out_str(out, "service_account_secret_name",
                     ngx_http_akl_k8s_self_claim(self,
                                               "service_account_secret_name"));
    akl_json_out_close(out, '}');
}


/* len 0 where there is none, or it is no string */

static akl_str_t
ngx_http_akl_k8s_self_claim(ngx_http_akl_k8s_self_t *self, const char *name)
{
    akl_str_t  value;

    (void) akl_doc_string(&self->payload, self->payload.nodes, name, &value);

    return value;
}


ngx_int_t
ngx_http_akl_k8s_self_refuse(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = akl_reason_status(ctx->reason);

    if (status == NGX_HTTP_UNAUTHORIZED) {
        status = NGX_HTTP_FORBIDDEN;
    }

    if (ngx_http_akl_k8s_refusal_headers(r, status) != NGX_OK) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    return ngx_http_akl_k8s_self_error(r, status,
                           (akl_reason_kind(ctx->reason) == AKL_KIND_OUTAGE)
                               ? NULL : "permission denied",
                           ctx->reason, akl_reason_text(ctx->reason));
}


ngx_int_t
ngx_http_akl_k8s_self_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *first, akl_reason_t reason, akl_str_t text)
{
    ngx_http_akl_k8s_self_error_t  error;

    error.first = first;
    error.reason = reason;
    error.text = text;

    return ngx_http_akl_k8s_respond_json(r, status, 0,
                                         ngx_http_akl_k8s_self_write_error,
                                         &error);
}


ngx_int_t
ngx_http_akl_k8s_self_failure(ngx_http_request_t *r, akl_json_out_t *out,
    void *data)
{
    ngx_http_akl_k8s_self_write_errors(r, out, NULL, AKL_INTERNAL_ERROR,
                                       akl_reason_text(AKL_INTERNAL_ERROR));
    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_self_write_error(ngx_http_request_t *r, akl_json_out_t *out,
    void *data)
{
    ngx_http_akl_k8s_self_error_t *error = data;

    ngx_http_akl_k8s_self_write_errors(r, out, error->first, error->reason,
                                       error->text);
    return NGX_OK;
}


void
ngx_http_akl_k8s_self_write_errors(ngx_http_request_t *r, akl_json_out_t *out,
    const char *first, akl_reason_t reason, akl_str_t text)
{
    u_char     buf[NGX_HTTP_AKL_K8S_SELF_LINE];
    akl_str_t  code, s;

    code = akl_reason_code(reason);

    akl_json_out_open(out, NULL, '{');
    akl_json_out_open(out, "errors", '[');

    if (first) {
        s.data = (const unsigned char *) first;
        s.len = ngx_strlen(first);
        akl_json_out_str(out, NULL, s);
    }

    if (reason != AKL_OK) {
        s.data = buf;
        s.len = ngx_snprintf(buf, sizeof(buf), "%s: %*s", code.data, text.len,
                             text.data)
                - buf;
        akl_json_out_str(out, NULL, s);
        akl_json_out_close(out, ']');
        akl_json_out_str(out, "reason", code);

    } else {
        akl_json_out_str(out, NULL, text);
        akl_json_out_close(out, ']');
    }

    akl_json_out_str(out, "request_id", ngx_http_akl_k8s_request_id(r));
    akl_json_out_close(out, '}');
}
