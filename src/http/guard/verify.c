/*
 * akl_k8s_verify: the answer of a location that others ask whether a request
 * may pass: auth_request, or an ingress with a request of its own.  Guard or
 * exchange have decided before; this says 204, and who it is.
 */

#include "../respond.h"
#include "guard.h"


typedef struct {
    const char  *header;
    const char  *variable;
} ngx_http_akl_k8s_verify_header_t;


typedef struct {
    ngx_http_akl_k8s_loc_conf_t  *conf;
    u_char                       *file;         /* where it was configured */
    ngx_uint_t                    line;
} ngx_http_akl_k8s_verification_t;


static const ngx_http_akl_k8s_verify_header_t
    ngx_http_akl_k8s_verify_headers[] =
{
    { "X-Akl-Config", "akl_k8s_config" },
    { "X-Akl-Access-Id", "akl_k8s_access_id" },
    { "X-Akl-Namespace", "akl_k8s_namespace" },
    { "X-Akl-Service-Account", "akl_k8s_service_account" },
    { "X-Akl-Pod-Name", "akl_k8s_pod_name" },
    { "X-Akl-Pod-Uid", "akl_k8s_pod_uid" },
    { "X-Akl-Node-Name", "akl_k8s_node_name" }
};


static ngx_int_t ngx_http_akl_k8s_verify_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_akl_k8s_verify_identity(ngx_http_request_t *r);


char *
ngx_http_akl_k8s_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t     *amcf;
    ngx_http_akl_k8s_verification_t  *v;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->verifications == NULL) {
        amcf->verifications = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_http_akl_k8s_verification_t));
        if (amcf->verifications == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    v = ngx_array_push(amcf->verifications);
    if (v == NULL) {
        return NGX_CONF_ERROR;
    }

    v->conf = conf;
    v->file = cf->conf_file->file.name.data;
    v->line = cf->conf_file->line;

    return ngx_http_akl_k8s_serve(cf, conf, ngx_http_akl_k8s_verify_handler);
}


ngx_int_t
ngx_http_akl_k8s_verify_check(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_akl_k8s_main_conf_t     *amcf;
    ngx_http_akl_k8s_verification_t  *v;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->verifications == NULL) {
        return NGX_OK;
    }

    v = amcf->verifications->elts;

    for (i = 0; i < amcf->verifications->nelts; i++) {

        if (v[i].conf->guard || v[i].conf->exchange) {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"akl_k8s_verify\" needs \"akl_k8s_guard\" or "
                      "\"akl_k8s_exchange\" in its location in %s:%ui",
                      v[i].file, v[i].line);

        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_verify_handler(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_ctx_t       *ctx;
    ngx_http_akl_k8s_document_t   document;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx && ctx->established && ctx->reason == AKL_OK
        && ngx_http_akl_k8s_verify_identity(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&document, sizeof(ngx_http_akl_k8s_document_t));

    document.status = NGX_HTTP_NO_CONTENT;

    return ngx_http_akl_k8s_respond(r, &document);
}


static ngx_int_t
ngx_http_akl_k8s_verify_identity(ngx_http_request_t *r)
{
    ngx_str_t                   name, value;
    ngx_uint_t                  i, key;
    ngx_http_variable_value_t  *v;

    for (i = 0; i < sizeof(ngx_http_akl_k8s_verify_headers)
                    / sizeof(ngx_http_akl_k8s_verify_headers[0]);
         i++)
    {
        name.data = (u_char *) ngx_http_akl_k8s_verify_headers[i].variable;
        name.len = ngx_strlen(name.data);

        key = ngx_hash_key(name.data, name.len);

        v = ngx_http_get_variable(r, &name, key);
        if (v == NULL) {
            return NGX_ERROR;
        }

        if (v->not_found || v->len == 0) {
            continue;
        }

        value.data = v->data;
        value.len = v->len;

        if (ngx_http_akl_k8s_add_header(r,
                                     ngx_http_akl_k8s_verify_headers[i].header,
                                     &value)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
