/*
 * Requests that wait.
 */

#include "park.h"
#include "request.h"


#if (NGX_HTTP_V3)
static void ngx_http_akl_k8s_test_stream(ngx_http_request_t *r);
#endif


ngx_int_t
ngx_http_akl_k8s_park(ngx_http_request_t *r)
{
    ngx_event_t  *rev;

    r->write_event_handler = ngx_http_request_empty_handler;

    if (r != r->main) {
        return NGX_OK;
    }

    r->read_event_handler = ngx_http_test_reading;

#if (NGX_HTTP_V3)

    if (r->connection->quic) {
        r->write_event_handler = ngx_http_akl_k8s_test_stream;

        if (r->connection->write->error) {

            /* while the body was read, which nobody minded */

            ngx_post_event(r->connection->write, &ngx_posted_events);
        }

        return NGX_OK;
    }

#endif

    if (ngx_http_akl_k8s_multiplexed(r)) {
        return NGX_OK;
    }

    rev = r->connection->read;

    if (ngx_event_flags & NGX_USE_LEVEL_EVENT) {

        /*
         * A flag left from the last read would have nginx look at once, find
         * nothing and stop watching; what is there will be reported anew.
         */

        rev->ready = 0;
    }

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);
        return NGX_OK;
    }

    return ngx_handle_read_event(rev, 0);
}


#if (NGX_HTTP_V3)

/*
 * A client that has sent all of its request gives it up by STOP_SENDING (RFC
 * 9000 section 3.5), which nginx tells the one who writes.
 */

static void
ngx_http_akl_k8s_test_stream(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (!c->write->error) {
        return;
    }

    c->error = 1;

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "client prematurely closed stream");

    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
}

#endif


ngx_int_t
ngx_http_akl_k8s_unpark(ngx_http_request_t *r)
{
    if (r != r->main) {
        return NGX_OK;
    }

    r->read_event_handler = ngx_http_block_reading;

    if (ngx_http_akl_k8s_multiplexed(r)) {
        return NGX_OK;
    }

    return ngx_handle_read_event(r->connection->read, 0);
}
