/*
 * Request bodies, read without buffering: no token ever reaches a temporary
 * file, and what is too large is noticed as soon as it is.
 */

#include "content.h"
#include "park.h"
#include "request.h"
#include "body.h"
#include "secret.h"


/* what is under way, in the context */

struct ngx_http_akl_k8s_body_s {
    size_t                     max;
    ngx_http_akl_k8s_body_pt   handler;
    ngx_buf_t                 *parts;       /* gathered; NULL: none so far */
};


static void ngx_http_akl_k8s_body_start(ngx_http_request_t *r);
static void ngx_http_akl_k8s_body_event(ngx_http_request_t *r);
static ngx_int_t ngx_http_akl_k8s_body_unread(ngx_http_request_t *r,
    ngx_int_t rc);
static void ngx_http_akl_k8s_body_done(ngx_http_request_t *r,
    ngx_http_akl_k8s_body_t *state, ngx_str_t *body);
static ngx_int_t ngx_http_akl_k8s_body_collect(ngx_http_request_t *r,
    ngx_http_akl_k8s_body_t *state, ngx_str_t *body);
static void ngx_http_akl_k8s_body_wipe(void *data);


ngx_int_t
ngx_http_akl_k8s_read_body(ngx_http_request_t *r, size_t max,
    ngx_http_akl_k8s_body_pt handler)
{
    ngx_int_t                 rc;
    ngx_pool_cleanup_t       *cln;
    ngx_http_akl_k8s_ctx_t   *ctx;
    ngx_http_akl_k8s_body_t  *state;

    if (r->headers_in.content_length_n > (off_t) max) {
        return handler(r, NULL);
    }

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_akl_k8s_body_t));

    if (cln == NULL || ngx_http_akl_k8s_secret_request(r) != NGX_OK) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    state = cln->data;
    cln->handler = ngx_http_akl_k8s_body_wipe;

    state->max = max;
    state->handler = handler;
    state->parts = NULL;

    ctx->body = state;

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_akl_k8s_body_start);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return ngx_http_akl_k8s_body_unread(r, rc);
    }

    return NGX_DONE;
}


static void
ngx_http_akl_k8s_body_start(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_body_event(r);
}


static void
ngx_http_akl_k8s_body_event(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_str_t                 body;
    ngx_http_akl_k8s_ctx_t   *ctx;
    ngx_http_akl_k8s_body_t  *state;

    if (r->connection->read->timedout) {
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    ctx = ngx_http_akl_k8s_ctx(r, 0);
    state = ctx->body;

    for ( ;; ) {
        rc = ngx_http_akl_k8s_body_collect(r, state, &body);

        if (rc == NGX_ERROR || rc == NGX_ABORT) {
            ngx_http_akl_k8s_finalize(r, ngx_http_akl_k8s_fail(r,
                                    (rc == NGX_ABORT)
                                        ? "the request body was not readable"
                                        : "out of memory"));
            return;
        }

        if (rc == NGX_DECLINED) {

            /* the rest of it is not read */

            r->keepalive = 0;
            ngx_http_akl_k8s_body_done(r, state, NULL);
            return;
        }

        if (!r->reading_body) {
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_http_akl_k8s_finalize(r, ngx_http_akl_k8s_body_unread(r, rc));
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            r->read_event_handler = ngx_http_akl_k8s_body_event;
            r->write_event_handler = ngx_http_request_empty_handler;
            return;
        }
    }

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_akl_k8s_body_done(r, state, &body);
}


/* what nginx says of a body that it could not read; errors of ours are told */

static ngx_int_t
ngx_http_akl_k8s_body_unread(ngx_http_request_t *r, ngx_int_t rc)
{
    return (rc == NGX_HTTP_INTERNAL_SERVER_ERROR)
           ? ngx_http_akl_k8s_fail(r, "the request body could not be read")
           : rc;
}


static void
ngx_http_akl_k8s_body_done(ngx_http_request_t *r,
    ngx_http_akl_k8s_body_t *state, ngx_str_t *body)
{
    ngx_int_t                rc;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);
    ctx->body = NULL;

    rc = state->handler(r, body);

    if (rc != NGX_AGAIN) {
        ngx_http_akl_k8s_finalize(r, rc);
        return;
    }

    if (ngx_http_akl_k8s_park(r) != NGX_OK) {
        ngx_http_akl_k8s_finalize(r, ngx_http_akl_k8s_no_memory(r));
    }
}


/*
 * Takes what has been read so far.  NGX_OK with the body up to here: in place
 * where it came in one piece, else gathered; NGX_DECLINED: too large;
 * NGX_ERROR: memory is short; NGX_ABORT: its file cannot be read.
 */

static ngx_int_t
ngx_http_akl_k8s_body_collect(ngx_http_request_t *r,
    ngx_http_akl_k8s_body_t *state, ngx_str_t *body)
{
    size_t        len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    b = state->parts;
    cl = r->request_body->bufs;

    if (b == NULL && !r->reading_body) {

        if (cl == NULL) {
            return NGX_OK;
        }

        if (cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
            body->data = cl->buf->pos;
            body->len = cl->buf->last - cl->buf->pos;

            return (body->len > state->max) ? NGX_DECLINED : NGX_OK;
        }
    }

    if (b == NULL) {
        b = ngx_create_temp_buf(r->pool, state->max);
        if (b == NULL) {
            return NGX_ERROR;
        }

        state->parts = b;
    }

    for ( /* void */ ; cl; cl = cl->next) {

        len = ngx_buf_size(cl->buf);

        if (len > (size_t) (b->end - b->last)) {
            return NGX_DECLINED;
        }

        if (cl->buf->in_file && !ngx_buf_in_memory(cl->buf)) {

            /* mirror, or a location before this one, had it read into a file */

            if (ngx_read_file(cl->buf->file, b->last, len, cl->buf->file_pos)
                != (ssize_t) len)
            {
                return NGX_ABORT;
            }

            b->last += len;
            continue;
        }

        b->last = ngx_cpymem(b->last, cl->buf->pos, len);
        cl->buf->pos = cl->buf->last;
    }

    r->request_body->bufs = NULL;

    body->data = b->pos;
    body->len = b->last - b->pos;

    if (r->reading_body) {
        return NGX_OK;
    }

    /* whoever serves the request after an internal redirect finds it whole */

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;

    r->request_body->bufs = cl;

    return NGX_OK;
}


/* of the room for the largest body, what was used of it */

static void
ngx_http_akl_k8s_body_wipe(void *data)
{
    ngx_http_akl_k8s_body_t  *state = data;

    if (state->parts) {
        ngx_explicit_memzero(state->parts->start,
                             state->parts->last - state->parts->start);
    }
}


ngx_int_t
ngx_http_akl_k8s_content_type(ngx_http_request_t *r, const char *type)
{
    size_t      len;
    ngx_str_t  *value;

    if (r->headers_in.content_type == NULL) {
        return NGX_DECLINED;
    }

    value = &r->headers_in.content_type->value;
    len = ngx_strlen(type);

    if (value->len < len
        || ngx_strncasecmp(value->data, (u_char *) type, len) != 0)
    {
        return NGX_ERROR;
    }

    return (value->len == len || value->data[len] == ';'
            || value->data[len] == ' ' || value->data[len] == '\t')
           ? NGX_OK : NGX_ERROR;
}
