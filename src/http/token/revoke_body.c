/*
 * What a request to revoke says: a form or JSON.
 */

#include <ngx_config.h>

#include "../../jose/doc.h"
#include "../../k8s/time.h"
#include "../body.h"
#include "../form.h"
#include "../secret.h"
#include "revoke_body.h"


static const char *ngx_http_akl_k8s_revoke_name(
    ngx_http_akl_k8s_revoke_t *revoke);
static ngx_int_t ngx_http_akl_k8s_revoke_json(
    ngx_http_akl_k8s_revoke_t *revoke, ngx_str_t *body, const char **cause);
static ngx_int_t ngx_http_akl_k8s_revoke_members(
    ngx_http_akl_k8s_revoke_t *revoke, akl_doc_t *doc, const char **cause);
static ngx_int_t ngx_http_akl_k8s_revoke_member(ngx_http_request_t *r,
    akl_doc_t *doc, const char *name, ngx_str_t *value);
static ngx_int_t ngx_http_akl_k8s_revoke_form(
    ngx_http_akl_k8s_revoke_t *revoke, ngx_str_t *body, const char **cause);


ngx_int_t
ngx_http_akl_k8s_revoke_parse(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_str_t *body, const char **cause)
{
    ngx_int_t  rc;

    if (body->len == 0) {
        *cause = "the request has no body";
        return NGX_DECLINED;
    }

    if (ngx_http_akl_k8s_content_type(revoke->request, NGX_HTTP_AKL_K8S_FORM)
        == NGX_OK)
    {
        rc = ngx_http_akl_k8s_revoke_form(revoke, body, cause);

    } else {
        rc = ngx_http_akl_k8s_revoke_json(revoke, body, cause);
    }

    if (rc != NGX_OK || revoke->empty) {
        return rc;
    }

    *cause = ngx_http_akl_k8s_revoke_name(revoke);

    return *cause ? NGX_DECLINED : NGX_OK;
}


static const char *
ngx_http_akl_k8s_revoke_name(ngx_http_akl_k8s_revoke_t *revoke)
{
    ngx_str_t                      *name;
    ngx_http_akl_k8s_revocation_t  *rev;

    rev = &revoke->rev;

    if ((rev->jti.len != 0) + (rev->sub.len != 0) + (revoke->token.len != 0)
        != 1)
    {
        return "exactly one of \"jti\", \"sub\" and \"token\" is needed";
    }

    name = rev->jti.len ? &rev->jti : &rev->sub;

    /* what is no text can be in no token */

    if (name->len && akl_revocation_check(ngx_http_akl_k8s_str(name))) {
        return "the value is too long or no text";
    }

    if (revoke->before.data
        && akl_time_parse(ngx_http_akl_k8s_str(&revoke->before), &rev->time)
           != 0)
    {
        return "\"before\" is neither unix time nor RFC 3339";
    }

    if (rev->sub.len == 0 && rev->time != -1) {
        return "\"before\" goes with \"sub\" only";
    }

    if (rev->sub.len && rev->time == -1) {

        /* tokens of the present second included */

        rev->time = ngx_time() + 1;
    }

    return NULL;
}


static ngx_int_t
ngx_http_akl_k8s_revoke_json(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_str_t *body, const char **cause)
{
    ngx_int_t  rc;
    akl_doc_t  doc;

    switch (akl_doc_parse(&doc, ngx_http_akl_k8s_str(body))) {

    case 0:
        rc = ngx_http_akl_k8s_revoke_members(revoke, &doc, cause);
        revoke->empty = (revoke->own && doc.n == 1);
        break;

    case AKL_DOC_MEMORY:
        rc = NGX_ERROR;
        break;

    default:
        *cause = "the body is neither a form nor a JSON object";
        rc = NGX_DECLINED;
    }

    akl_doc_free(&doc);

    return rc;
}


static ngx_int_t
ngx_http_akl_k8s_revoke_members(ngx_http_akl_k8s_revoke_t *revoke,
    akl_doc_t *doc, const char **cause)
{
    ngx_int_t                       rc;
    ngx_http_request_t             *r;
    ngx_http_akl_k8s_revocation_t  *rev;

    r = revoke->request;
    rev = &revoke->rev;

    *cause = "\"jti\" and \"sub\" are strings";

    rc = ngx_http_akl_k8s_revoke_member(r, doc, "jti", &rev->jti);

    if (rc == NGX_OK) {
        rc = ngx_http_akl_k8s_revoke_member(r, doc, "sub", &rev->sub);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    switch (akl_doc_time(doc, doc->nodes, "before", &rev->time)) {

    case 0:
        return NGX_OK;

    case 1:
        rev->time = -1;
        return NGX_OK;

    default:
        rev->time = -1;
    }

    *cause = "\"before\" is neither unix time nor RFC 3339";

    rc = ngx_http_akl_k8s_revoke_member(r, doc, "before", &revoke->before);

    return (rc == NGX_OK && revoke->before.len == 0) ? NGX_DECLINED : rc;
}


/*
 * The document is about to go: its strings are copied.  NGX_DECLINED where
 * the member is no string.
 */

static ngx_int_t
ngx_http_akl_k8s_revoke_member(ngx_http_request_t *r, akl_doc_t *doc,
    const char *name, ngx_str_t *value)
{
    akl_str_t  s;
    ngx_str_t  str;

    if (akl_doc_string(doc, doc->nodes, name, &s) == -1) {
        return NGX_DECLINED;
    }

    if (s.len == 0) {
        ngx_str_null(value);
        return NGX_OK;
    }

    str = ngx_http_akl_k8s_ngx_str(&s);

    value->len = s.len;
    value->data = ngx_http_akl_k8s_secret_copy(r->pool, &str);

    return value->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_akl_k8s_revoke_form(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_str_t *body, const char **cause)
{
    const ngx_http_akl_k8s_param_t  params[] = {
        { ngx_string("jti"), &revoke->rev.jti, NULL },
        { ngx_string("sub"), &revoke->rev.sub, NULL },
        { ngx_string("token"), &revoke->token, NULL },
        { ngx_string("before"), &revoke->before, NULL },
        { ngx_null_string, NULL, NULL }
    };

    return ngx_http_akl_k8s_form_decode(revoke->request->pool, body, params,
                                        cause);
}
