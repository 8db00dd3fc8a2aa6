/*
 * What a request to revoke says: a form or JSON.
 */

#include <ngx_config.h>

#include "../../jose/doc.h"
#include "../../k8s/time.h"
#include "../body.h"
#include "../form.h"
#include "revoke_body.h"


static const char *ngx_http_akl_k8s_revoke_name(
    ngx_http_akl_k8s_revoke_t *revoke);
static const char *ngx_http_akl_k8s_revoke_json(
    ngx_http_akl_k8s_revoke_t *revoke, ngx_str_t *body);
static const char *ngx_http_akl_k8s_revoke_members(
    ngx_http_akl_k8s_revoke_t *revoke, akl_doc_t *doc);
static ngx_int_t ngx_http_akl_k8s_revoke_member(ngx_http_request_t *r,
    akl_doc_t *doc, const char *name, ngx_str_t *value);
static const char *ngx_http_akl_k8s_revoke_form(
    ngx_http_akl_k8s_revoke_t *revoke, ngx_str_t *body);
static const char *ngx_http_akl_k8s_revoke_assign(void *data, ngx_str_t *name,
    ngx_str_t *value);


const char *
ngx_http_akl_k8s_revoke_parse(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_str_t *body)
{
    const char  *wrong;

    if (body->len == 0) {
        return "the request has no body";
    }

    if (ngx_http_akl_k8s_content_type(revoke->request, NGX_HTTP_AKL_K8S_FORM)
        == NGX_OK)
    {
        wrong = ngx_http_akl_k8s_revoke_form(revoke, body);

    } else {
        wrong = ngx_http_akl_k8s_revoke_json(revoke, body);
    }

    return wrong ? wrong : ngx_http_akl_k8s_revoke_name(revoke);
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


static const char *
ngx_http_akl_k8s_revoke_json(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_str_t *body)
{
    akl_doc_t    doc;
    const char  *wrong;

    akl_doc_init(&doc);

    if (akl_doc_parse(&doc, ngx_http_akl_k8s_str(body)) == 0) {
        wrong = ngx_http_akl_k8s_revoke_members(revoke, &doc);

    } else {
        wrong = "the body is neither a form nor a JSON object";
    }

    akl_doc_free(&doc);

    return wrong;
}


static const char *
ngx_http_akl_k8s_revoke_members(ngx_http_akl_k8s_revoke_t *revoke,
    akl_doc_t *doc)
{
    ngx_http_request_t             *r;
    ngx_http_akl_k8s_revocation_t  *rev;

    r = revoke->request;
    rev = &revoke->rev;

    if (ngx_http_akl_k8s_revoke_member(r, doc, "jti", &rev->jti) != NGX_OK
        || ngx_http_akl_k8s_revoke_member(r, doc, "sub", &rev->sub) != NGX_OK)
    {
        return "\"jti\" and \"sub\" are strings";
    }

    switch (akl_doc_time(doc, doc->nodes, "before", &rev->time)) {

    case 0:
        return NULL;

    case 1:
        rev->time = -1;
        return NULL;

    default:
        rev->time = -1;
    }

    if (ngx_http_akl_k8s_revoke_member(r, doc, "before", &revoke->before)
        != NGX_OK
        || revoke->before.len == 0)
    {
        return "\"before\" is neither unix time nor RFC 3339";
    }

    return NULL;
}


/* the document is about to go: its strings are copied */

static ngx_int_t
ngx_http_akl_k8s_revoke_member(ngx_http_request_t *r, akl_doc_t *doc,
    const char *name, ngx_str_t *value)
{
    akl_str_t  s;
    ngx_str_t  str;

    if (akl_doc_string(doc, doc->nodes, name, &s) == -1) {
        return NGX_ERROR;
    }

    if (s.len == 0) {
        ngx_str_null(value);
        return NGX_OK;
    }

    str = ngx_http_akl_k8s_ngx_str(&s);

    value->len = s.len;
    value->data = ngx_pstrdup(r->pool, &str);

    return value->data ? NGX_OK : NGX_ERROR;
}


static const char *
ngx_http_akl_k8s_revoke_form(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_str_t *body)
{
    ngx_str_t  copy;

    copy.len = body->len;
    copy.data = ngx_pstrdup(revoke->request->pool, body);

    if (copy.data == NULL) {
        return "out of memory";
    }

    return ngx_http_akl_k8s_form_decode(&copy, ngx_http_akl_k8s_revoke_assign,
                                        revoke);
}


static const char *
ngx_http_akl_k8s_revoke_assign(void *data, ngx_str_t *name, ngx_str_t *value)
{
    ngx_http_akl_k8s_revoke_t  *revoke = data;

    ngx_str_t  *slot;

    if (name->len == 3 && ngx_strncmp(name->data, "jti", 3) == 0) {
        slot = &revoke->rev.jti;

    } else if (name->len == 3 && ngx_strncmp(name->data, "sub", 3) == 0) {
        slot = &revoke->rev.sub;

    } else if (name->len == 5 && ngx_strncmp(name->data, "token", 5) == 0) {
        slot = &revoke->token;

    } else if (name->len == 6 && ngx_strncmp(name->data, "before", 6) == 0) {
        slot = &revoke->before;

    } else {
        return NULL;
    }

    if (slot->data) {
        return "a parameter is given twice";
    }

    *slot = *value;

    return NULL;
}
