/*
 * The request's Accept: see the header.
 */

#include "accept.h"


#define NGX_HTTP_AKL_K8S_QUALITY  1000          /* of "q=1" */


/* how much of a range is its own: more counts before less */

typedef enum {
    NGX_HTTP_AKL_K8S_RANGE_NONE = 0,            /* does not match */
    NGX_HTTP_AKL_K8S_RANGE_ANY,
    NGX_HTTP_AKL_K8S_RANGE_TYPE,
    NGX_HTTP_AKL_K8S_RANGE_SUBTYPE
} ngx_http_akl_k8s_range_e;


static ngx_uint_t ngx_http_akl_k8s_quality(ngx_http_request_t *r,
    const ngx_str_t *type);
static void ngx_http_akl_k8s_ranges(u_char *p, u_char *last,
    const ngx_str_t *type, ngx_http_akl_k8s_range_e *best,
    ngx_uint_t *quality);
static u_char *ngx_http_akl_k8s_range_end(u_char *p, u_char *last,
    u_char stop);
static ngx_http_akl_k8s_range_e ngx_http_akl_k8s_range(ngx_str_t *range,
    const ngx_str_t *type);
static ngx_int_t ngx_http_akl_k8s_range_quality(ngx_str_t *parameter);
static void ngx_http_akl_k8s_trim(ngx_str_t *s);


ngx_uint_t
ngx_http_akl_k8s_accept(ngx_http_request_t *r, const ngx_str_t *types,
    ngx_uint_t n)
{
    ngx_uint_t  i, best, quality, highest;

    best = 0;
    highest = 0;

    for (i = 0; i < n; i++) {
        quality = ngx_http_akl_k8s_quality(r, &types[i]);

        if (quality > highest) {
            highest = quality;
            best = i;
        }
    }

    return best;
}


/* 0 to 1000; several headers are one list */

static ngx_uint_t
ngx_http_akl_k8s_quality(ngx_http_request_t *r, const ngx_str_t *type)
{
    ngx_uint_t                 i, quality;
    ngx_list_part_t           *part;
    ngx_table_elt_t           *h;
    ngx_http_akl_k8s_range_e   best;

    quality = 0;
    best = NGX_HTTP_AKL_K8S_RANGE_NONE;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("Accept") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Accept",
                                   sizeof("Accept") - 1)
                   == 0)
            {
                ngx_http_akl_k8s_ranges(h[i].value.data,
                                        h[i].value.data + h[i].value.len,
                                        type, &best, &quality);
            }
        }
    }

    return quality;
}


static void
ngx_http_akl_k8s_ranges(u_char *p, u_char *last, const ngx_str_t *type,
    ngx_http_akl_k8s_range_e *best, ngx_uint_t *quality)
{
    u_char                    *end, *stop;
    ngx_int_t                  q;
    ngx_str_t                  part;
    ngx_http_akl_k8s_range_e   range;

    for ( /* void */ ; p < last; p = end + 1) {
        end = ngx_http_akl_k8s_range_end(p, last, ',');
        stop = ngx_http_akl_k8s_range_end(p, end, ';');

        part.data = p;
        part.len = stop - p;

        range = ngx_http_akl_k8s_range(&part, type);
        q = NGX_HTTP_AKL_K8S_QUALITY;

        while (stop < end && q == NGX_HTTP_AKL_K8S_QUALITY) {
            part.data = stop + 1;
            stop = ngx_http_akl_k8s_range_end(part.data, end, ';');
            part.len = stop - part.data;

            q = ngx_http_akl_k8s_range_quality(&part);
        }

        if (q == NGX_ERROR || range < *best
            || range == NGX_HTTP_AKL_K8S_RANGE_NONE)
        {
            continue;
        }

        if (range > *best || (ngx_uint_t) q > *quality) {
            *quality = q;
        }

        *best = range;
    }
}


/* where the list's item ends: at "stop" outside of quotes, or at the end */

static u_char *
ngx_http_akl_k8s_range_end(u_char *p, u_char *last, u_char stop)
{
    ngx_uint_t  quoted;

    quoted = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == '"') {
            quoted = !quoted;

        } else if (*p == '\\' && quoted && p + 1 < last) {
            p++;

        } else if (*p == stop && !quoted) {
            break;
        }
    }

    return p;
}


static ngx_http_akl_k8s_range_e
ngx_http_akl_k8s_range(ngx_str_t *range, const ngx_str_t *type)
{
    size_t  len;

    ngx_http_akl_k8s_trim(range);

    if (range->len == 3 && ngx_strncmp(range->data, "*/*", 3) == 0) {
        return NGX_HTTP_AKL_K8S_RANGE_ANY;
    }

    if (range->len == type->len
        && ngx_strncasecmp(range->data, type->data, type->len) == 0)
    {
        return NGX_HTTP_AKL_K8S_RANGE_SUBTYPE;
    }

    len = ngx_strlchr(type->data, type->data + type->len, '/') + 1
          - type->data;

    if (range->len == len + 1 && range->data[len] == '*'
        && ngx_strncasecmp(range->data, type->data, len) == 0)
    {
        return NGX_HTTP_AKL_K8S_RANGE_TYPE;
    }

    return NGX_HTTP_AKL_K8S_RANGE_NONE;
}


/*
 * 0 to 1000: what the parameter says, or 1000 where it is none of quality;
 * NGX_ERROR: it is not a qvalue of RFC 9110 section 12.4.2
 */

static ngx_int_t
ngx_http_akl_k8s_range_quality(ngx_str_t *parameter)
{
    ngx_int_t  q;

    ngx_http_akl_k8s_trim(parameter);

    if (parameter->len < 2 || ngx_strncasecmp(parameter->data,
                                              (u_char *) "q=", 2)
                              != 0)
    {
        return NGX_HTTP_AKL_K8S_QUALITY;
    }

    if (parameter->len == 2) {
        return NGX_ERROR;
    }

    q = ngx_atofp(parameter->data + 2, parameter->len - 2, 3);

    return (q > NGX_HTTP_AKL_K8S_QUALITY) ? NGX_ERROR : q;
}


static void
ngx_http_akl_k8s_trim(ngx_str_t *s)
{
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }

    while (s->len && (s->data[s->len - 1] == ' '
                      || s->data[s->len - 1] == '\t'))
    {
        s->len--;
    }
}
