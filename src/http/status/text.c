/*
 * Text that the status page is written as: see the header.
 */

#include "../request.h"
#include "../respond.h"
#include "text.h"


static void ngx_http_akl_k8s_text_escaped(ngx_http_akl_k8s_text_t *text,
    ngx_str_t *value, const char *special, const char *const *escapes);


ngx_int_t
ngx_http_akl_k8s_respond_text(ngx_http_request_t *r, const char *type,
    ngx_http_akl_k8s_text_pt write)
{
    u_char                        *p;
    size_t                         size;
    ngx_http_akl_k8s_text_t        text;
    ngx_http_akl_k8s_document_t    document;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    ngx_memzero(&text, sizeof(ngx_http_akl_k8s_text_t));
    write(amcf, &text);

    /* counters may grow a digit between measuring and writing */

    for (size = text.len + text.len / 8 + 256; ; size *= 2) {

        p = ngx_pnalloc(r->pool, size);
        if (p == NULL) {
            return ngx_http_akl_k8s_no_memory(r);
        }

        text.pos = p;
        text.end = p + size;

        write(amcf, &text);

        if (text.pos != text.end) {
            break;
        }
    }

    ngx_memzero(&document, sizeof(ngx_http_akl_k8s_document_t));

    document.status = NGX_HTTP_OK;
    document.type = type;
    document.body.data = p;
    document.body.len = text.pos - p;
    document.temporary = 1;

    return ngx_http_akl_k8s_respond(r, &document);
}


void
ngx_http_akl_k8s_text(ngx_http_akl_k8s_text_t *text, const char *fmt, ...)
{
    u_char   *p, buf[NGX_HTTP_AKL_K8S_TEXT_MAX];
    va_list   args;

    va_start(args, fmt);

    if (text->pos == NULL) {
        p = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
        text->len += p - buf;

    } else {
        p = text->pos + ngx_min(text->end - text->pos,
                                NGX_HTTP_AKL_K8S_TEXT_MAX);
        text->pos = ngx_vslprintf(text->pos, p, fmt, args);
    }

    va_end(args);
}


void
ngx_http_akl_k8s_text_raw(ngx_http_akl_k8s_text_t *text, const char *data,
    size_t len)
{
    if (text->pos == NULL) {
        text->len += len;
        return;
    }

    text->pos = ngx_cpymem(text->pos, data,
                           ngx_min(len, (size_t) (text->end - text->pos)));
}


void
ngx_http_akl_k8s_text_label(ngx_http_akl_k8s_text_t *text, ngx_str_t *value)
{
    static const char         special[] = "\\\"\n";
    static const char *const  escapes[] = { "\\\\", "\\\"", "\\n" };

    ngx_http_akl_k8s_text_escaped(text, value, special, escapes);
}


void
ngx_http_akl_k8s_text_html(ngx_http_akl_k8s_text_t *text, ngx_str_t *value)
{
    static const char         special[] = "&<>\"'";
    static const char *const  escapes[] = {
        "&amp;", "&lt;", "&gt;", "&quot;", "&#39;"
    };

    ngx_http_akl_k8s_text_escaped(text, value, special, escapes);
}


/* "escapes" in the order of the characters in "special" */

static void
ngx_http_akl_k8s_text_escaped(ngx_http_akl_k8s_text_t *text,
    ngx_str_t *value, const char *special, const char *const *escapes)
{
    size_t       i;
    const char  *p;

    for (i = 0; i < value->len; i++) {
        p = value->data[i] ? ngx_strchr(special, value->data[i]) : NULL;

        if (p) {
            ngx_http_akl_k8s_text(text, "%s", escapes[p - special]);

        } else {
            ngx_http_akl_k8s_text(text, "%c", value->data[i]);
        }
    }
}
