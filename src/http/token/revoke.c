/*
 * akl_k8s_revoke: the location that takes revocations, a token's jti or a
 * subject with a time.
 */

#include <ngx_config.h>

#include "../../jose/json.h"
#include "../../k8s/time.h"
#include "../body.h"
#include "../form.h"
#include "../respond.h"
#include "revocations.h"
#include "revoke.h"


#define NGX_HTTP_AKL_K8S_REVOKE_BODY_MAX  8192
#define NGX_HTTP_AKL_K8S_REVOKE_NAME_MAX  1024


static ngx_int_t ngx_http_akl_k8s_revoke_process(ngx_http_request_t *r,
    ngx_str_t *body);
static const char *ngx_http_akl_k8s_revoke_parse(ngx_http_request_t *r,
    ngx_str_t *body, ngx_http_akl_k8s_revocation_t *rev);
static const char *ngx_http_akl_k8s_revoke_json(ngx_http_request_t *r,
    ngx_str_t *body, ngx_http_akl_k8s_revocation_t *rev);
static ngx_int_t ngx_http_akl_k8s_revoke_member(ngx_http_request_t *r,
    json_t *root, const char *name, ngx_str_t *value);
static const char *ngx_http_akl_k8s_revoke_form(ngx_http_request_t *r,
    ngx_str_t *body, ngx_http_akl_k8s_revocation_t *rev);
static const char *ngx_http_akl_k8s_revoke_assign(void *data, ngx_str_t *name,
    ngx_str_t *value);
static ngx_int_t ngx_http_akl_k8s_revoke_answer(ngx_http_request_t *r,
    ngx_http_akl_k8s_revocation_t *rev, const char *error, ngx_uint_t status);
static size_t ngx_http_akl_k8s_revoke_write(u_char *buf, size_t size,
    ngx_http_akl_k8s_revocation_t *rev, const char *error);


ngx_int_t
ngx_http_akl_k8s_revoke_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_akl_k8s_allow(r, NGX_HTTP_POST);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_akl_k8s_read_body(r, NGX_HTTP_AKL_K8S_REVOKE_BODY_MAX,
                                      ngx_http_akl_k8s_revoke_process);
}


static ngx_int_t
ngx_http_akl_k8s_revoke_process(ngx_http_request_t *r, ngx_str_t *body)
{
    const char                     *error;
    ngx_http_akl_k8s_revocation_t   rev;

    ngx_memzero(&rev, sizeof(ngx_http_akl_k8s_revocation_t));

    if (body == NULL) {
        return ngx_http_akl_k8s_revoke_answer(r, &rev,
                                             "the request body is too large",
                                             NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
    }

    if (ngx_http_akl_k8s_content_type(r, "application/json") == NGX_ERROR
        && ngx_http_akl_k8s_content_type(r, NGX_HTTP_AKL_K8S_FORM) != NGX_OK)
    {
        return ngx_http_akl_k8s_revoke_answer(r, &rev,
                                       "the request body is neither JSON nor "
                                       "a form",
                                       NGX_HTTP_UNSUPPORTED_MEDIA_TYPE);
    }

    error = ngx_http_akl_k8s_revoke_parse(r, body, &rev);

    if (error) {
        return ngx_http_akl_k8s_revoke_answer(r, &rev, error,
                                              NGX_HTTP_BAD_REQUEST);
    }

    if (ngx_http_akl_k8s_revoke_keep(r, &rev) != NGX_OK) {
        return ngx_http_akl_k8s_revoke_answer(r, &rev,
                              "the list of revocations is full",
                              NGX_HTTP_SERVICE_UNAVAILABLE);
    }

    return ngx_http_akl_k8s_revoke_answer(r, &rev, NULL, NGX_HTTP_OK);
}


/* NULL, or what is wrong */

static const char *
ngx_http_akl_k8s_revoke_parse(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_akl_k8s_revocation_t *rev)
{
    const char  *error;

    if (body->len == 0) {
        return "the request has no body";
    }

    rev->time = -1;

    if (ngx_http_akl_k8s_content_type(r, NGX_HTTP_AKL_K8S_FORM) == NGX_OK) {
        error = ngx_http_akl_k8s_revoke_form(r, body, rev);

    } else {
        error = ngx_http_akl_k8s_revoke_json(r, body, rev);
    }

    if (error) {
        return error;
    }

    if ((rev->jti.len == 0) == (rev->sub.len == 0)) {
        return "exactly one of \"jti\" and \"sub\" is needed";
    }

    if (rev->jti.len > NGX_HTTP_AKL_K8S_REVOKE_NAME_MAX
        || rev->sub.len > NGX_HTTP_AKL_K8S_REVOKE_NAME_MAX)
    {
        return "the value is too long";
    }

    if (rev->before.data
        && akl_time_parse(ngx_http_akl_k8s_str(&rev->before), &rev->time) != 0)
    {
        return "\"before\" is neither unix time nor RFC 3339";
    }

    if (rev->jti.len && rev->time != -1) {
        return "\"before\" goes with \"sub\" only";
    }

    if (rev->sub.len && rev->time == -1) {

        /* tokens of the present second included */

        rev->time = ngx_time() + 1;
    }

    return NULL;
}


static const char *
ngx_http_akl_k8s_revoke_json(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_akl_k8s_revocation_t *rev)
{
    json_t      *root;
    const char  *error;

    root = akl_json_object(ngx_http_akl_k8s_str(body));
    if (root == NULL) {
        return "the body is neither a form nor a JSON object";
    }

    error = NULL;

    if (ngx_http_akl_k8s_revoke_member(r, root, "jti", &rev->jti) != NGX_OK
        || ngx_http_akl_k8s_revoke_member(r, root, "sub", &rev->sub)
           != NGX_OK)
    {
        error = "\"jti\" and \"sub\" are strings";

    } else {
        switch (akl_json_time(root, "before", &rev->time)) {

        case 0:
            break;

        case 1:
            rev->time = -1;
            break;

        default:
            rev->time = -1;

            if (ngx_http_akl_k8s_revoke_member(r, root, "before",
                                               &rev->before)
                != NGX_OK
                || rev->before.len == 0)
            {
                error = "\"before\" is neither unix time nor RFC 3339";
            }
        }
    }

    json_decref(root);

    return error;
}


/* the object is about to go: its strings are copied */

static ngx_int_t
ngx_http_akl_k8s_revoke_member(ngx_http_request_t *r, json_t *root,
    const char *name, ngx_str_t *value)
{
    akl_str_t  s;
    ngx_str_t  str;

    if (akl_json_string(root, name, &s) == -1) {
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
ngx_http_akl_k8s_revoke_form(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_akl_k8s_revocation_t *rev)
{
    ngx_str_t  copy;

    copy.len = body->len;
    copy.data = ngx_pstrdup(r->pool, body);

    if (copy.data == NULL) {
        return "out of memory";
    }

    return ngx_http_akl_k8s_form_decode(&copy, ngx_http_akl_k8s_revoke_assign,
                                        rev);
}


static const char *
ngx_http_akl_k8s_revoke_assign(void *data, ngx_str_t *name, ngx_str_t *value)
{
    ngx_http_akl_k8s_revocation_t *rev = data;

    ngx_str_t  *slot;

    if (name->len == 3 && ngx_strncmp(name->data, "jti", 3) == 0) {
        slot = &rev->jti;

    } else if (name->len == 3 && ngx_strncmp(name->data, "sub", 3) == 0) {
        slot = &rev->sub;

    } else if (name->len == 6 && ngx_strncmp(name->data, "before", 6) == 0) {
        slot = &rev->before;

    } else {
        return NULL;
    }

    if (slot->data) {
        return "a parameter is given twice";
    }

    *slot = *value;

    return NULL;
}


static ngx_int_t
ngx_http_akl_k8s_revoke_answer(ngx_http_request_t *r,
    ngx_http_akl_k8s_revocation_t *rev, const char *error, ngx_uint_t status)
{
    size_t                        len;
    ngx_http_akl_k8s_document_t   document;

    ngx_memzero(&document, sizeof(ngx_http_akl_k8s_document_t));

    len = ngx_http_akl_k8s_revoke_write(NULL, 0, rev, error);

    document.body.data = ngx_pnalloc(r->pool, len);
    if (document.body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    document.body.len = ngx_http_akl_k8s_revoke_write(document.body.data, len,
                                                      rev, error);
    document.status = status;
    document.type = "application/json";
    document.temporary = 1;

    return ngx_http_akl_k8s_respond(r, &document);
}


static size_t
ngx_http_akl_k8s_revoke_write(u_char *buf, size_t size,
    ngx_http_akl_k8s_revocation_t *rev, const char *error)
{
    akl_str_t       s;
    akl_json_out_t  out;

    akl_json_out_init(&out, buf, size);
    akl_json_out_open(&out, NULL, '{');

    if (error) {
        s.data = (const unsigned char *) error;
        s.len = ngx_strlen(error);

        akl_json_out_str(&out, "error", s);

    } else if (rev->jti.len) {
        akl_json_out_str(&out, "jti", ngx_http_akl_k8s_str(&rev->jti));
        akl_json_out_int(&out, "until", rev->until);

    } else {
        akl_json_out_str(&out, "sub", ngx_http_akl_k8s_str(&rev->sub));
        akl_json_out_int(&out, "before", rev->time);
        akl_json_out_int(&out, "until", rev->until);
    }

    akl_json_out_close(&out, '}');

    return out.len;
}
