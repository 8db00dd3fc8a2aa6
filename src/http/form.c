/*
 * Forms.
 */

#include "form.h"


static const char *ngx_http_akl_k8s_form_assign(
    const ngx_http_akl_k8s_param_t *params, ngx_str_t *name, ngx_str_t *value);


ngx_int_t
ngx_http_akl_k8s_form_decode(ngx_pool_t *pool, ngx_str_t *body,
    const ngx_http_akl_k8s_param_t *params, const char **cause)
{
    u_char     *p, *amp, *eq, *last;
    ngx_str_t   name, value;

    /* a copy, to be decoded: the body itself may yet be of use to others */

    p = ngx_pstrdup(pool, body);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = p + body->len;

    for ( /* void */ ; p < last; p = amp + 1) {

        amp = ngx_strlchr(p, last, '&');
        if (amp == NULL) {
            amp = last;
        }

        eq = ngx_strlchr(p, amp, '=');
        if (eq == NULL) {
            eq = amp;
        }

        name.data = p;
        name.len = eq - p;

        value.data = (eq < amp) ? eq + 1 : amp;
        value.len = amp - value.data;

        if (ngx_http_akl_k8s_form_unescape(&name) != NGX_OK
            || ngx_http_akl_k8s_form_unescape(&value) != NGX_OK)
        {
            *cause = "the form is not well encoded";
            return NGX_DECLINED;
        }

        *cause = ngx_http_akl_k8s_form_assign(params, &name, &value);

        if (*cause) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static const char *
ngx_http_akl_k8s_form_assign(const ngx_http_akl_k8s_param_t *params,
    ngx_str_t *name, ngx_str_t *value)
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

            *param->value = *value;

            return NULL;
        }

        if (value->len == 0) {
            return NULL;
        }

        if (*param->n == NGX_HTTP_AKL_K8S_FORM_MANY) {
            return "a parameter was sent too often";
        }

        param->value[(*param->n)++] = *value;

        return NULL;
    }

    return NULL;
}


ngx_int_t
ngx_http_akl_k8s_form_unescape(ngx_str_t *s)
{
    u_char     *src, *dst, *last;
    ngx_int_t   n;

    src = s->data;
    dst = src;
    last = src + s->len;

    while (src < last) {

        if (*src == '+') {
            *dst++ = ' ';
            src++;
            continue;
        }

        if (*src != '%') {
            *dst++ = *src++;
            continue;
        }

        if (last - src < 3) {
            return NGX_ERROR;
        }

        n = ngx_hextoi(src + 1, 2);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        *dst++ = (u_char) n;
        src += 3;
    }

    s->len = dst - s->data;

    return NGX_OK;
}
