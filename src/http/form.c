/*
 * Forms.
 */

#include "form.h"


const char *
ngx_http_akl_k8s_form_decode(ngx_str_t *form,
    ngx_http_akl_k8s_form_pt handler, void *data)
{
    u_char      *p, *amp, *eq, *last;
    ngx_str_t    name, value;
    const char  *cause;

    p = form->data;
    last = p + form->len;

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
            return "the form is not well encoded";
        }

        cause = handler(data, &name, &value);

        if (cause) {
            return cause;
        }
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
