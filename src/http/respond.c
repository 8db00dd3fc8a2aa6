/*
 * Answers with documents of ours, all sent alike.
 */

#include "respond.h"


static ngx_int_t ngx_http_akl_k8s_respond_headers(ngx_http_request_t *r,
    ngx_http_akl_k8s_document_t *document);
static ngx_uint_t ngx_http_akl_k8s_respond_cache_told(ngx_http_request_t *r);


ngx_table_elt_t *
ngx_http_akl_k8s_add_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    /* all of it: "next" came with 1.23 */
    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = ngx_strlen(key);
    h->value = *value;

    return h;
}


ngx_table_elt_t *
ngx_http_akl_k8s_set_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_http_akl_k8s_find_header(r, name);

    if (h == NULL) {
        return ngx_http_akl_k8s_add_header(r, name, value);
    }

    h->hash = 1;
    h->value = *value;

    return h;
}


ngx_table_elt_t *
ngx_http_akl_k8s_find_header(ngx_http_request_t *r, const char *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.data == (u_char *) name) {
                return &h[i];
            }
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_akl_k8s_allow(ngx_http_request_t *r, ngx_uint_t methods)
{
    u_char      *p;
    ngx_str_t    value;
    ngx_uint_t   i;

    static const struct {
        ngx_uint_t   bit;
        ngx_str_t    name;
    } names[] = {
        { NGX_HTTP_GET, ngx_string("GET") },
        { NGX_HTTP_HEAD, ngx_string("HEAD") },
        { NGX_HTTP_POST, ngx_string("POST") },
        { NGX_HTTP_PUT, ngx_string("PUT") }
    };

    if (r->method & methods) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, sizeof("GET, HEAD, POST, PUT, "));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (methods & names[i].bit) {
            p = ngx_sprintf(p, "%V, ", &names[i].name);
        }
    }

    value.len = p - value.data - 2;

    if (ngx_http_akl_k8s_add_header(r, "Allow", &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


ngx_int_t
ngx_http_akl_k8s_respond(ngx_http_request_t *r,
    ngx_http_akl_k8s_document_t *document)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_akl_k8s_respond_headers(r, document) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    if (r->header_only) {
        return NGX_OK;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = document->body.data;
    b->last = b->pos + document->body.len;
    b->temporary = document->temporary;
    b->memory = !document->temporary;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_output_filter(r, &out);

    /* what the client does not take yet is nginx's to send; to those who read
       bodies NGX_AGAIN means that there is no answer so far */

    return (rc == NGX_AGAIN) ? NGX_OK : rc;
}


static ngx_int_t
ngx_http_akl_k8s_respond_headers(ngx_http_request_t *r,
    ngx_http_akl_k8s_document_t *document)
{
    ngx_str_t         cache;
    ngx_table_elt_t  *h;

    r->headers_out.status = document->status;
    r->headers_out.content_length_n = document->body.len;

    if (document->body.len == 0) {

        /* nginx sends no buffer that is empty */
        r->header_only = 1;

    } else {
        r->headers_out.content_type.data = (u_char *) document->type;
        r->headers_out.content_type.len = ngx_strlen(document->type);
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (document->etag.len) {
        h = ngx_http_akl_k8s_add_header(r, "ETag", &document->etag);
        if (h == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.etag = h;
    }

    if (document->cacheable) {
        ngx_str_set(&cache, "public, max-age="
                            ngx_value(NGX_HTTP_AKL_K8S_MAX_AGE));

    } else {
        ngx_str_set(&cache, "no-store");
    }

    if (!ngx_http_akl_k8s_respond_cache_told(r)
        && ngx_http_akl_k8s_add_header(r, "Cache-Control", &cache) == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* 1 where a refusal has said already that nobody may keep its answer */

static ngx_uint_t
ngx_http_akl_k8s_respond_cache_told(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("Cache-Control");

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash && h[i].key.len == name.len
                && ngx_strncasecmp(h[i].key.data, name.data, name.len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}
