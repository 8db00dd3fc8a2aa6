/*
 * Forms.
 */

#include <ngx_config.h>

#include "../k8s/urlencoded.h"
#include "form.h"
#include "module.h"
#include "secret.h"


static const char *ngx_http_akl_k8s_form_assign(
    const ngx_http_akl_k8s_param_t *params, akl_str_t *name,
    akl_str_t *value);


ngx_int_t
ngx_http_akl_k8s_form_decode(ngx_pool_t *pool, ngx_str_t *body,
    const ngx_http_akl_k8s_param_t *params, const char **cause)
{
    int               rc;
    u_char           *p;
    akl_str_t         name, value;
    akl_urlencoded_t  form;

    /* a copy, to be decoded: the body itself may yet be of use to others */

    p = ngx_http_akl_k8s_secret_copy(pool, body);
    if (p == NULL) {
        return NGX_ERROR;
    }

    form.p = p;
    form.last = p + body->len;

    for ( ;; ) {
        rc = akl_urlencoded_next(&form, &name, &value);

        if (rc == 0) {
            return NGX_OK;
        }

        *cause = (rc == 1)
                 ? ngx_http_akl_k8s_form_assign(params, &name, &value)
                 : "the form is not well encoded";

        if (*cause) {
            return NGX_DECLINED;
        }
    }
}


static const char *
ngx_http_akl_k8s_form_assign(const ngx_http_akl_k8s_param_t *params,
    akl_str_t *name, akl_str_t *value)
{
    const ngx_http_akl_k8s_param_t  *param;

    for (param = params; param->name.len; param++) {

        if (param->name.len != name->len
            || ngx_memcmp(param->name.data, name->data, name->len) != 0)
        {
            continue;
        }

        if (param->n == NULL) {

            /* RFC 6749 section 3.2: parameters must not be sent twice */

            if (param->value->data) {
                return "a parameter was sent twice";
            }

            *param->value = ngx_http_akl_k8s_ngx_str(value);

            return NULL;
        }

        if (value->len == 0) {
            return NULL;
        }

        if (*param->n == NGX_HTTP_AKL_K8S_FORM_MANY) {
            return "a parameter was sent too often";
        }

        param->value[(*param->n)++] = ngx_http_akl_k8s_ngx_str(value);

        return NULL;
    }

    return NULL;
}


ngx_int_t
ngx_http_akl_k8s_form_unescape(ngx_str_t *s)
{
    ssize_t  n;

    n = akl_urlencoded_decode(s->data, s->len);

    if (n < 0) {
        return NGX_ERROR;
    }

    s->len = n;

    return NGX_OK;
}
