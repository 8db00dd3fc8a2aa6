/*
 * Secrets in the memory of requests.
 */

#include "request.h"
#include "secret.h"


typedef struct {
    ngx_http_request_t  *request;
    ngx_pool_t          *pool;          /* nginx takes it off the request before
                                           it is destroyed */
} ngx_http_akl_k8s_secret_t;


static ngx_uint_t ngx_http_akl_k8s_secret_hide(u_char *p, u_char *last,
    ngx_uint_t write);
static void ngx_http_akl_k8s_secret_wipe(void *data);
static void ngx_http_akl_k8s_secret_wipe_request(void *data);
static void ngx_http_akl_k8s_secret_wipe_sent(ngx_http_request_t *r);
static void ngx_http_akl_k8s_secret_wipe_upstream(ngx_http_request_t *r);
static void ngx_http_akl_k8s_secret_wipe_buffers(ngx_http_request_t *r);
static void ngx_http_akl_k8s_secret_wipe_headers(ngx_http_request_t *r,
    ngx_pool_t *pool);
static ngx_uint_t ngx_http_akl_k8s_secret_in(ngx_pool_t *pool, u_char *p,
    ngx_pool_t **found);
#if (NGX_HTTP_V2)
static ngx_int_t ngx_http_akl_k8s_secret_connection(ngx_connection_t *c);
#endif
#if (NGX_HTTP_V2 || NGX_HTTP_V3)
static void ngx_http_akl_k8s_secret_wipe_buffer(void *data);
#endif


u_char *
ngx_http_akl_k8s_secret(ngx_pool_t *pool, size_t len)
{
    ngx_str_t  text;

    text.len = len;

    text.data = ngx_pnalloc(pool, len);
    if (text.data == NULL) {
        return NULL;
    }

    return (ngx_http_akl_k8s_secret_text(pool, &text) == NGX_OK) ? text.data
                                                                 : NULL;
}


u_char *
ngx_http_akl_k8s_secret_copy(ngx_pool_t *pool, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_http_akl_k8s_secret(pool, src->len);

    if (p) {
        ngx_memcpy(p, src->data, src->len);
    }

    return p;
}


ngx_int_t
ngx_http_akl_k8s_secret_text(ngx_pool_t *pool, ngx_str_t *text)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    *(ngx_str_t *) cln->data = *text;
    cln->handler = ngx_http_akl_k8s_secret_wipe;

    return NGX_OK;
}


ngx_uint_t
ngx_http_akl_k8s_secret_query(ngx_http_request_t *r)
{
    u_char  *p, *last, *blank;

    /* what a subrequest came by, the main request may yet hand on */

    if (r == r->main) {

        /* the same memory, mostly, but not over HTTP/2 */

        last = r->unparsed_uri.data + r->unparsed_uri.len;

        p = ngx_strlchr(r->unparsed_uri.data, last, '?');
        if (p) {
            (void) ngx_http_akl_k8s_secret_hide(p + 1, last, 1);
        }

        last = r->request_line.data + r->request_line.len;

        p = ngx_strlchr(r->request_line.data, last, '?');
        if (p) {

            /* what follows the last blank is the version */

            for (blank = last - 1; blank > p && *blank != ' '; blank--) {
                /* void */
            }

            (void) ngx_http_akl_k8s_secret_hide(p + 1,
                                                (blank > p) ? blank : last, 1);
        }
    }

    last = r->args.data + r->args.len;

    if (!ngx_http_akl_k8s_secret_hide(r->args.data, last, 0)) {
        return 0;
    }

    /* they may be text of the configuration, which all requests have */

    p = ngx_pstrdup(r->pool, &r->args);
    if (p) {
        r->args.data = p;
        (void) ngx_http_akl_k8s_secret_hide(p, p + r->args.len, 1);
    }

    return 1;
}


/*
 * Looks for members as ngx_http_arg() does, but for all of them, and writes
 * over their values or lets them be.  Returns 1 where there are any.
 */

static ngx_uint_t
ngx_http_akl_k8s_secret_hide(u_char *p, u_char *last, ngx_uint_t write)
{
    u_char      *end, *value;
    ngx_str_t   *name;
    ngx_uint_t   found;

    static ngx_str_t  names[] = {
        ngx_string("k8s-service-account-token"),
        ngx_string("subject_token"),
        ngx_string("access_token"),
        ngx_string("token"),
        ngx_string("jwt"),
        ngx_null_string
    };

    found = 0;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        value = ngx_strlchr(p, end, '=');
        if (value == NULL) {
            continue;
        }

        for (name = names; name->len; name++) {
            if ((size_t) (value - p) == name->len
                && ngx_strncasecmp(p, name->data, name->len) == 0)
            {
                found = 1;

                if (write) {
                    ngx_memset(value + 1, '*', end - value - 1);
                }
            }
        }
    }

    return found;
}


static void
ngx_http_akl_k8s_secret_wipe(void *data)
{
    ngx_str_t  *text = data;

    ngx_explicit_memzero(text->data, text->len);
}


ngx_int_t
ngx_http_akl_k8s_secret_request(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_akl_k8s_secret_t  *secret;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler != ngx_http_akl_k8s_secret_wipe_request) {
            continue;
        }

        secret = cln->data;

        if (secret->request == r) {
            return NGX_OK;
        }
    }

#if (NGX_HTTP_V2)

    if (r->stream
        && ngx_http_akl_k8s_secret_connection(r->stream->connection->connection)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

#endif

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_akl_k8s_secret_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    secret = cln->data;
    secret->request = r;
    secret->pool = r->pool;

    cln->handler = ngx_http_akl_k8s_secret_wipe_request;

    return NGX_OK;
}


ngx_int_t
ngx_http_akl_k8s_secret_passed(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_akl_k8s_secret_wipe_request) {
            break;
        }
    }

    if (cln == NULL) {
        return NGX_DECLINED;
    }

    /* one that is at work yet has its clean-up */

    if (r->upstream && r->upstream->cleanup == NULL) {
        ngx_http_akl_k8s_secret_wipe_upstream(r);
    }

    return (ngx_http_akl_k8s_secret_request(r) == NGX_OK)
           ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* the lines of the logs have been written by now */

static void
ngx_http_akl_k8s_secret_wipe_request(void *data)
{
    ngx_http_akl_k8s_secret_t  *secret = data;

    ngx_buf_t           *b;
    ngx_http_request_t  *r;

    r = secret->request;

    ngx_http_akl_k8s_secret_wipe_sent(r);

    r = r->main;

    if (ngx_http_akl_k8s_multiplexed(r)) {
        ngx_http_akl_k8s_secret_wipe_headers(r, secret->pool);

    } else {
        ngx_http_akl_k8s_secret_wipe_buffers(r);
    }

    b = r->request_body ? r->request_body->buf : NULL;

    if (b && b->start && b != r->header_in) {
        ngx_explicit_memzero(b->start, b->end - b->start);
    }

#if (NGX_HTTP_V2)

    if (r->stream) {
        b = r->stream->connection->connection->buffer;

        /* what is in it yet may be another stream's */

        if (b && b->pos == b->last) {
            ngx_http_akl_k8s_secret_wipe_buffer(b);
        }
    }

#endif

#if (NGX_HTTP_V3)

    if (r->connection->quic) {

        /* of this stream alone: the end of its head and the body behind it */

        ngx_http_akl_k8s_secret_wipe_buffer(r->header_in);
    }

#endif
}


static void
ngx_http_akl_k8s_secret_wipe_sent(ngx_http_request_t *r)
{
#if (NGX_SSL)
    ngx_buf_t  *b;
#endif

    ngx_http_akl_k8s_secret_wipe_upstream(r);

#if (NGX_SSL)

    b = r->connection->ssl ? r->connection->ssl->buf : NULL;

    /* what is in it yet is another stream's */

    if (b && b->start && b->pos == b->last) {
        ngx_explicit_memzero(b->start, b->end - b->start);
    }

#endif
}


/* the head is before the body; where none was made there is but the body */

static void
ngx_http_akl_k8s_secret_wipe_upstream(ngx_http_request_t *r)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = r->upstream ? r->upstream->request_bufs : NULL;

    if (cl == NULL || (r->request_body && cl == r->request_body->bufs)) {
        return;
    }

    b = cl->buf;

    if (b->temporary) {
        ngx_explicit_memzero(b->start, b->end - b->start);
    }
}


/*
 * The buffers of a connection over HTTP/1.  Where a head did not fit into the
 * first one, part of it is there, and all of it in a larger one.
 */

static void
ngx_http_akl_k8s_secret_wipe_buffers(ngx_http_request_t *r)
{
    ngx_buf_t    *b;
    ngx_uint_t    i;
    ngx_chain_t  *cl, *lists[2];

    b = r->header_in;

    if (b->start) {
        ngx_explicit_memzero(b->start, b->pos - b->start);
    }

    if (r->connection->buffer && r->connection->buffer != b
        && r->connection->buffer->start)
    {
        ngx_explicit_memzero(r->connection->buffer->start,
                             r->connection->buffer->end
                             - r->connection->buffer->start);
    }

    lists[0] = r->http_connection->busy;
    lists[1] = r->http_connection->free;

    for (i = 0; i < 2; i++) {
        for (cl = lists[i]; cl; cl = cl->next) {
            if (cl->buf != b) {
                ngx_explicit_memzero(cl->buf->start,
                                     cl->buf->end - cl->buf->start);
            }
        }
    }
}


/*
 * A value that is not in memory of the request's own is one that another
 * module has put there, of its configuration perhaps.
 */

static void
ngx_http_akl_k8s_secret_wipe_headers(ngx_http_request_t *r, ngx_pool_t *pool)
{
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_pool_t       *stream, *found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    stream = NULL;
    found = NULL;

#if (NGX_HTTP_V2)

    if (r->stream) {
        stream = r->stream->pool;
    }

#endif

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {
            value = &header[i].value;

            if (value->len == 0) {
                continue;
            }

            if (ngx_http_akl_k8s_secret_in(pool, value->data, &found)
                || ngx_http_akl_k8s_secret_in(stream, value->data, &found)
                || ngx_http_akl_k8s_secret_in(r->connection->pool, value->data,
                                              &found))
            {
                ngx_explicit_memzero(value->data, value->len);
            }
        }
    }
}


/*
 * *found is the block that the last one was in, or NULL: headers lie one behind
 * the other, and looking through all blocks for each of them would cost the
 * square of their number.
 */

static ngx_uint_t
ngx_http_akl_k8s_secret_in(ngx_pool_t *pool, u_char *p, ngx_pool_t **found)
{
    ngx_pool_t        *block;
    ngx_pool_large_t  *large;

    if (pool == NULL) {
        return 0;
    }

    if (*found && p > (u_char *) *found && p < (*found)->d.end) {
        return 1;
    }

    for (block = pool; block; block = block->d.next) {
        if (p > (u_char *) block && p < block->d.end) {
            *found = block;
            return 1;
        }
    }

    for (large = pool->large; large; large = large->next) {
        if (p == large->alloc) {
            return 1;
        }
    }

    return 0;
}


#if (NGX_HTTP_V2 || NGX_HTTP_V3)

static void
ngx_http_akl_k8s_secret_wipe_buffer(void *data)
{
    ngx_buf_t  *b = data;

    if (b->start) {
        ngx_explicit_memzero(b->start, b->end - b->start);
    }
}

#endif


#if (NGX_HTTP_V2)

/*
 * What nginx reads of a connection that is not encrypted, before it knows that
 * this speaks HTTP/2, stays in a buffer of the connection: the frames that come
 * with its first ones.
 */

static ngx_int_t
ngx_http_akl_k8s_secret_connection(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;

    if (c->buffer == NULL) {
        return NGX_OK;
    }

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_akl_k8s_secret_wipe_buffer) {
            return NGX_OK;
        }
    }

    cln = ngx_pool_cleanup_add(c->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_akl_k8s_secret_wipe_buffer;
    cln->data = c->buffer;

    return NGX_OK;
}

#endif
