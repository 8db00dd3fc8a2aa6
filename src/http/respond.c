/*
 * Answers with documents of ours, all sent alike.
 */

#include "headers.h"
#include "request.h"
#include "respond.h"
#include "secret.h"


typedef struct {
    akl_str_t   error;
    akl_str_t   description;
} ngx_http_akl_k8s_error_t;


static ngx_int_t ngx_http_akl_k8s_respond_write_error(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);
static ngx_int_t ngx_http_akl_k8s_respond_headers(ngx_http_request_t *r,
    ngx_http_akl_k8s_document_t *document);
static ngx_uint_t ngx_http_akl_k8s_respond_cache_told(ngx_http_request_t *r);


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
        return ngx_http_akl_k8s_no_memory(r);
    }

    value.data = p;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (methods & names[i].bit) {
            p = ngx_sprintf(p, "%V, ", &names[i].name);
        }
    }

    value.len = p - value.data - 2;

    if (ngx_http_akl_k8s_add_header(r, "Allow", &value) == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    return NGX_HTTP_NOT_ALLOWED;
}


ngx_int_t
ngx_http_akl_k8s_respond(ngx_http_request_t *r,
    ngx_http_akl_k8s_document_t *document)
{
    ngx_int_t                rc;
    ngx_buf_t               *b;
    ngx_chain_t              out;
    ngx_http_akl_k8s_ctx_t  *ctx;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_akl_k8s_respond_headers(r, document) != NGX_OK) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    /* nginx sends no buffer that is empty; not before now, as the page of
       another status has a body */

    if (document->body.len == 0) {
        r->header_only = 1;
    }

    /* whoever has the answer can ask how it was counted */

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx && ctx->request == r) {
        ngx_http_akl_k8s_tell(r, ctx);
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_OK && !r->header_only) {
        b->pos = document->body.data;
        b->last = b->pos + document->body.len;
        b->temporary = document->temporary;
        b->memory = !document->temporary;
        b->last_buf = (r == r->main) ? 1 : 0;
        b->last_in_chain = 1;

        out.buf = b;
        out.next = NULL;

        rc = ngx_http_output_filter(r, &out);
    }

    if (rc == NGX_ERROR && !r->connection->error) {
        (void) ngx_http_akl_k8s_no_memory(r);
    }

    /* what the client does not take yet is nginx's to send; to those who read
       bodies NGX_AGAIN means that there is no answer so far */

    return (rc == NGX_AGAIN) ? NGX_OK : rc;
}


ngx_int_t
ngx_http_akl_k8s_respond_json(ngx_http_request_t *r, ngx_uint_t status,
    size_t size, ngx_http_akl_k8s_write_pt write, void *data)
{
    u_char                       *p;
    akl_json_out_t                out;
    ngx_http_akl_k8s_document_t   document;

    for ( ;; ) {
        p = NULL;

        if (size) {

            /* a token that was minted, perhaps */

            p = ngx_http_akl_k8s_secret(r->pool, size);
            if (p == NULL) {
                return ngx_http_akl_k8s_no_memory(r);
            }
        }

        akl_json_out_init(&out, p, size);

        if (write(r, &out, data) != NGX_OK) {
            return ngx_http_akl_k8s_no_memory(r);
        }

        if (p && !out.overflow) {
            break;
        }

        size = out.overflow ? 2 * size : out.len;
    }

    ngx_memzero(&document, sizeof(ngx_http_akl_k8s_document_t));

    document.status = status;
    document.type = NGX_HTTP_AKL_K8S_JSON;
    document.body.data = p;
    document.body.len = out.len;
    document.temporary = 1;

    return ngx_http_akl_k8s_respond(r, &document);
}


ngx_int_t
ngx_http_akl_k8s_respond_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *error, const char *description)
{
    ngx_http_akl_k8s_error_t  texts;

    texts.error.data = (const unsigned char *) error;
    texts.error.len = ngx_strlen(error);

    texts.description.data = (const unsigned char *) description;
    texts.description.len = ngx_strlen(description);

    return ngx_http_akl_k8s_respond_json(r, status, 0,
                                         ngx_http_akl_k8s_respond_write_error,
                                         &texts);
}


static ngx_int_t
ngx_http_akl_k8s_respond_write_error(ngx_http_request_t *r,
    akl_json_out_t *out, void *data)
{
    ngx_http_akl_k8s_error_t  *texts = data;

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "error", texts->error);
    akl_json_out_str(out, "error_description", texts->description);
    akl_json_out_close(out, '}');

    return NGX_OK;
}


ngx_int_t
ngx_http_akl_k8s_respond_failure(ngx_http_request_t *r, akl_json_out_t *out,
    void *data)
{
    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "error", akl_str("server_error"));
    akl_json_out_str(out, "error_description",
                     akl_reason_text(AKL_INTERNAL_ERROR));
    akl_json_out_str(out, "reason", akl_reason_code(AKL_INTERNAL_ERROR));
    akl_json_out_close(out, '}');

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_respond_headers(ngx_http_request_t *r,
    ngx_http_akl_k8s_document_t *document)
{
    ngx_str_t         cache;
    ngx_table_elt_t  *h;

    r->headers_out.status = document->status;
    r->headers_out.content_length_n = document->body.len;

    if (document->body.len) {
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
