/*
 * akl_k8s_introspect: what is true of a minted token (RFC 7662).  It is
 * verified as a guard does it.  A token that no guard would let pass is not
 * active, and nothing more is said of it; the log says why.
 */

#include <ngx_config.h>

#include "../../jose/json.h"
#include "../body.h"
#include "../form.h"
#include "../metrics.h"
#include "../request.h"
#include "../respond.h"
#include "../secret.h"
#include "minted.h"
#include "introspect.h"


#define NGX_HTTP_AKL_K8S_INTROSPECT_BODY_MAX  32768


/* an active token */

typedef struct {
    akl_doc_t                    payload;
    ngx_http_akl_k8s_config_t   *config;
} ngx_http_akl_k8s_introspect_t;


static ngx_int_t ngx_http_akl_k8s_introspect_body(ngx_http_request_t *r,
    ngx_str_t *body);
static ngx_int_t ngx_http_akl_k8s_introspect_token(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_akl_k8s_introspect_active(ngx_http_request_t *r,
    ngx_str_t *token, ngx_http_akl_k8s_config_t *config);
static ngx_int_t ngx_http_akl_k8s_introspect_write(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);
static ngx_int_t ngx_http_akl_k8s_introspect_inactive(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);
static ngx_int_t ngx_http_akl_k8s_introspect_malformed(ngx_http_request_t *r,
    ngx_uint_t status, const char *description);


ngx_int_t
ngx_http_akl_k8s_introspect_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    (void) ngx_http_akl_k8s_secret_query(r);

    rc = ngx_http_akl_k8s_allow(r, NGX_HTTP_POST);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_akl_k8s_read_body(r, NGX_HTTP_AKL_K8S_INTROSPECT_BODY_MAX,
                                      ngx_http_akl_k8s_introspect_body);
}


static ngx_int_t
ngx_http_akl_k8s_introspect_body(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_str_t    token;
    const char  *cause;

    const ngx_http_akl_k8s_param_t  params[] = {
        { ngx_string("token"), &token, NULL },
        { ngx_null_string, NULL, NULL }
    };

    if (body == NULL) {
        return ngx_http_akl_k8s_introspect_malformed(r,
                                             NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                             "the request body is too large");
    }

    if (ngx_http_akl_k8s_content_type(r, NGX_HTTP_AKL_K8S_FORM) != NGX_OK) {
        return ngx_http_akl_k8s_introspect_malformed(r,
                                          NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                          "the request body must be "
                                          NGX_HTTP_AKL_K8S_FORM);
    }

    ngx_str_null(&token);

    rc = ngx_http_akl_k8s_form_decode(r->pool, body, params, &cause);

    if (rc == NGX_ERROR) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    if (rc == NGX_OK && token.len == 0) {
        cause = "token is missing";
        rc = NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_akl_k8s_introspect_malformed(r, NGX_HTTP_BAD_REQUEST,
                                                     cause);
    }

    return ngx_http_akl_k8s_introspect_token(r, &token);
}


static ngx_int_t
ngx_http_akl_k8s_introspect_token(ngx_http_request_t *r, ngx_str_t *token)
{
    akl_reason_t                  reason;
    ngx_http_akl_k8s_ctx_t        subject;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    /*
     * Not the request's context: that is about who asks, whom a guard of this
     * location may have let in.
     */

    ngx_memzero(&subject, sizeof(ngx_http_akl_k8s_ctx_t));

    reason = ngx_http_akl_k8s_minted(r, &subject, alcf->introspect, token);

    if (reason == AKL_OK) {
        return ngx_http_akl_k8s_introspect_active(r, token, subject.config);
    }

    if (akl_reason_kind(reason) == AKL_KIND_OUTAGE) {
        return ngx_http_akl_k8s_fail(r, "the token could not be verified");
    }

    ngx_log_error(alcf->log_level, r->connection->log, 0,
                  "akl_k8s: introspection, token is not active, %s: %s",
                  akl_reason_code(reason).data, akl_reason_text(reason).data);

    return ngx_http_akl_k8s_respond_json(r, NGX_HTTP_OK, 0,
                                       ngx_http_akl_k8s_introspect_inactive,
                                       NULL);
}


static ngx_int_t
ngx_http_akl_k8s_introspect_inactive(ngx_http_request_t *r,
    akl_json_out_t *out, void *data)
{
    akl_json_out_raw(out, NULL, akl_str("{\"active\":false}"));

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_introspect_active(ngx_http_request_t *r, ngx_str_t *token,
    ngx_http_akl_k8s_config_t *config)
{
    ngx_int_t                       rc;
    ngx_http_akl_k8s_introspect_t   introspect;

    introspect.config = config;

    rc = ngx_http_akl_k8s_minted_payload(r->pool, token, &introspect.payload);

    rc = (rc == NGX_OK)
         ? ngx_http_akl_k8s_respond_json(r, NGX_HTTP_OK, 0,
                                         ngx_http_akl_k8s_introspect_write,
                                         &introspect)
         : ngx_http_akl_k8s_no_memory(r);

    akl_doc_free(&introspect.payload);

    return rc;
}


/*
 * All claims, as the token has them; three members are the answer's own (RFC
 * 7662 section 2.2), and no claim can take their place.
 */

static ngx_int_t
ngx_http_akl_k8s_introspect_write(ngx_http_request_t *r, akl_json_out_t *out,
    void *data)
{
    ngx_http_akl_k8s_introspect_t *introspect = data;

    char              *key;
    akl_doc_t         *payload;
    const akl_node_t  *root, *name, *value;

    payload = &introspect->payload;

    akl_json_out_open(out, NULL, '{');
    akl_json_out_raw(out, "active", akl_str("true"));

    root = payload->nodes;

    for (name = akl_doc_first(payload, root);
         name;
         name = akl_doc_next(payload, root, value))
    {
        value = akl_doc_next(payload, root, name);

        if (akl_str_eq(name->text, akl_str("active"))
            || akl_str_eq(name->text, akl_str("client_id"))
            || akl_str_eq(name->text, akl_str("token_type")))
        {
            continue;
        }

        key = ngx_pnalloc(r->pool, name->text.len + 1);
        if (key == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(key, name->text.data, name->text.len);
        key[name->text.len] = '\0';

        if (value->type == AKL_NODE_STRING) {
            akl_json_out_str(out, key, value->text);

        } else {
            akl_json_out_raw(out, key, value->text);
        }
    }

    akl_json_out_str(out, "client_id",
                     ngx_http_akl_k8s_str(&introspect->config->name));
    akl_json_out_str(out, "token_type", akl_str("Bearer"));
    akl_json_out_close(out, '}');

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_introspect_malformed(ngx_http_request_t *r, ngx_uint_t status,
    const char *description)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    ngx_log_error(alcf->log_level, r->connection->log, 0,
                  "akl_k8s: introspection refused, request_malformed: %s",
                  description);

    ngx_http_akl_k8s_metrics_malformed();

    return ngx_http_akl_k8s_respond_error(r, status, "invalid_request",
                                          description);
}
