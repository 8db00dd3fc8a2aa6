/*
 * akl_k8s_verify: the answer of a location that others ask whether a request
 * may pass: auth_request, or an ingress with a request of its own.  Guard or
 * exchange have decided before; this says 204, and who it is.
 */

#include "../headers.h"
#include "../request.h"
#include "../respond.h"
#include "verify.h"


typedef struct {
    const char  *header;
    const char  *variable;
} ngx_http_akl_k8s_verify_header_t;


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


static ngx_int_t ngx_http_akl_k8s_verify_identity(ngx_http_request_t *r);


ngx_int_t
ngx_http_akl_k8s_verify_handler(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_ctx_t       *ctx;
    ngx_http_akl_k8s_document_t   document;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx && ctx->established && ctx->reason == AKL_OK
        && ngx_http_akl_k8s_verify_identity(r) != NGX_OK)
    {
        return ngx_http_akl_k8s_no_memory(r);
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
