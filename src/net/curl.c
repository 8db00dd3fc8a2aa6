/*
 * libcurl tells which descriptors and which timer it waits for; nginx waits
 * for them.  Events are level-triggered, as libcurl expects, and a descriptor
 * has an ngx_connection_t only while a transfer uses it.
 */

#include "curl.h"
#include "memory.h"

#include <openssl/err.h>


#define NGX_AKL_CURL_IDLE  256          /* connections kept at most */


static int ngx_akl_curl_socket(CURL *easy, curl_socket_t s, int what,
    void *data, void *sock);
static void ngx_akl_curl_want(ngx_connection_t *c, int what);
static void ngx_akl_curl_forget(ngx_connection_t *c, ngx_uint_t open);
static int ngx_akl_curl_timeout(CURLM *multi, long ms, void *data);
static void ngx_akl_curl_timer_handler(ngx_event_t *ev);
static void ngx_akl_curl_event_handler(ngx_event_t *ev);
static void ngx_akl_curl_abort_handler(ngx_event_t *ev);
static void ngx_akl_curl_act(curl_socket_t s, int mask);
static void ngx_akl_curl_drain(void);


static CURLM                  *ngx_akl_curl_multi;
static ngx_event_t             ngx_akl_curl_timer;
static ngx_event_t             ngx_akl_curl_next;
static ngx_event_t             ngx_akl_curl_abort;
static ngx_connection_t        ngx_akl_curl_dumb;
static ngx_uint_t              ngx_akl_curl_running;
static ngx_uint_t              ngx_akl_curl_held;       /* connections */
static ngx_akl_curl_done_pt    ngx_akl_curl_done;
static ngx_akl_curl_connect_pt ngx_akl_curl_connecting;
static ngx_akl_curl_starve_pt  ngx_akl_curl_starved;
static ngx_akl_curl_abort_pt   ngx_akl_curl_aborted;


ngx_int_t
ngx_akl_curl_init(ngx_cycle_t *cycle, ngx_akl_curl_done_pt done,
    ngx_akl_curl_connect_pt connecting, ngx_akl_curl_starve_pt starved,
    ngx_akl_curl_abort_pt aborted)
{
    ngx_uint_t  rc;

    if (ngx_akl_memory_init() != CURLE_OK) {
        return NGX_ERROR;
    }

    ngx_akl_curl_multi = curl_multi_init();

    if (ngx_akl_curl_multi == NULL) {
        return NGX_ERROR;
    }

    ngx_akl_curl_done = done;
    ngx_akl_curl_connecting = connecting;
    ngx_akl_curl_starved = starved;
    ngx_akl_curl_aborted = aborted;
    ngx_akl_curl_running = 0;
    ngx_akl_curl_held = 0;

    rc = curl_multi_setopt(ngx_akl_curl_multi, CURLMOPT_SOCKETFUNCTION,
                           ngx_akl_curl_socket);
    rc |= curl_multi_setopt(ngx_akl_curl_multi, CURLMOPT_TIMERFUNCTION,
                            ngx_akl_curl_timeout);
    rc |= curl_multi_setopt(ngx_akl_curl_multi, CURLMOPT_PIPELINING,
                            CURLPIPE_NOTHING);
    rc |= curl_multi_setopt(ngx_akl_curl_multi, CURLMOPT_MAXCONNECTS,
                            (long) NGX_AKL_CURL_IDLE);

    if (rc != CURLM_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&ngx_akl_curl_timer, sizeof(ngx_event_t));
    ngx_memzero(&ngx_akl_curl_next, sizeof(ngx_event_t));
    ngx_memzero(&ngx_akl_curl_abort, sizeof(ngx_event_t));

    /* the debug log takes a timer's data for a connection */

    ngx_akl_curl_dumb.fd = (ngx_socket_t) -1;

    ngx_akl_curl_timer.handler = ngx_akl_curl_timer_handler;
    ngx_akl_curl_timer.data = &ngx_akl_curl_dumb;
    ngx_akl_curl_timer.log = cycle->log;
    ngx_akl_curl_timer.cancelable = 1;

    ngx_akl_curl_next.handler = ngx_akl_curl_timer_handler;
    ngx_akl_curl_next.data = &ngx_akl_curl_dumb;
    ngx_akl_curl_next.log = cycle->log;

    ngx_akl_curl_abort.handler = ngx_akl_curl_abort_handler;
    ngx_akl_curl_abort.data = &ngx_akl_curl_dumb;
    ngx_akl_curl_abort.log = cycle->log;

    return NGX_OK;
}


void
ngx_akl_curl_exit(void)
{
    if (ngx_akl_curl_multi == NULL) {
        return;
    }

    curl_multi_cleanup(ngx_akl_curl_multi);
    ngx_akl_curl_multi = NULL;

    ERR_clear_error();

    if (ngx_akl_curl_timer.timer_set) {
        ngx_del_timer(&ngx_akl_curl_timer);
    }

    if (ngx_akl_curl_next.posted) {
        ngx_delete_posted_event(&ngx_akl_curl_next);
    }

    if (ngx_akl_curl_abort.posted) {
        ngx_delete_posted_event(&ngx_akl_curl_abort);
    }

    ngx_akl_sockets_free();

    curl_global_cleanup();
}


ngx_uint_t
ngx_akl_curl_room(void)
{
    return ngx_cycle->free_connection_n + ngx_cycle->reusable_connections_n
           + ngx_akl_curl_held > ngx_akl_curl_running;
}


ngx_int_t
ngx_akl_curl_add(CURL *easy)
{
    CURLMcode  rc;

    if (ngx_akl_curl_multi == NULL) {
        return NGX_ERROR;
    }

    rc = curl_multi_add_handle(ngx_akl_curl_multi, easy);
    ERR_clear_error();

    if (rc != CURLM_OK) {
        return NGX_ERROR;
    }

    ngx_akl_curl_running++;
    ngx_akl_curl_timer.cancelable = 0;

    return NGX_OK;
}


void
ngx_akl_curl_remove(CURL *easy)
{
    if (ngx_akl_curl_multi == NULL) {
        return;
    }

    curl_multi_remove_handle(ngx_akl_curl_multi, easy);
    ERR_clear_error();

    ngx_akl_curl_running--;

    if (ngx_akl_curl_running == 0) {

        /* what is left to wait for must not hold a worker that ends */
        ngx_akl_curl_timer.cancelable = 1;
    }
}


static int
ngx_akl_curl_socket(CURL *easy, curl_socket_t s, int what, void *data,
    void *sock)
{
    ngx_connection_t  *c = sock;

    ngx_uint_t       open;
    ngx_akl_sock_t  *known;

    known = ngx_akl_socket(s);

    if (what == CURL_POLL_REMOVE) {

        open = ngx_akl_socket_open(known, s);

        if (c) {
            curl_multi_assign(ngx_akl_curl_multi, s, NULL);
            ngx_akl_curl_forget(c, open);
        }

        if (known == NULL) {
            return 0;
        }

        known->connection = NULL;

        if (!open) {
            ngx_akl_socket_forget(known);
        }

        return 0;
    }

    if (known && known->easy == NULL) {

        /* libcurl waits for a socket first when it connects it */

        known->easy = easy;
        ngx_akl_curl_connecting(easy, s);
    }

    if (c && known && known->connection != c) {

        /* closed without a word, and the number was given out again */

        ngx_akl_curl_forget(c, 0);
        c = NULL;
    }

    if (c == NULL) {
        c = ngx_get_connection(s, ngx_cycle->log);

        if (c == NULL) {

            /* an error here would end all transfers */

            ngx_akl_curl_starved(easy);
            return 0;
        }

        c->log = ngx_cycle->log;

        c->read->log = c->log;
        c->read->handler = ngx_akl_curl_event_handler;

        c->write->log = c->log;
        c->write->handler = ngx_akl_curl_event_handler;

        curl_multi_assign(ngx_akl_curl_multi, s, c);
        ngx_akl_curl_held++;
    }

    if (known) {
        known->easy = easy;
        known->connection = c;
    }

    ngx_akl_curl_want(c, what);

    return 0;
}


static void
ngx_akl_curl_want(ngx_connection_t *c, int what)
{
    if (what & CURL_POLL_IN) {

        if (!c->read->active) {
            (void) ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
        }

    } else if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (what & CURL_POLL_OUT) {

        if (!c->write->active) {
            (void) ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
        }

    } else if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, 0);
    }
}


/* gives the connection back; the descriptor stays libcurl's */

static void
ngx_akl_curl_forget(ngx_connection_t *c, ngx_uint_t open)
{
    ngx_uint_t  flags;

    /* the kernel has forgotten a closed descriptor by itself */

    flags = open ? 0 : NGX_CLOSE_EVENT;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_akl_curl_held--;
}


static int
ngx_akl_curl_timeout(CURLM *multi, long ms, void *data)
{
    if (ngx_akl_curl_timer.timer_set) {
        ngx_del_timer(&ngx_akl_curl_timer);
    }

    if (ms == 0) {

        if (!ngx_akl_curl_next.posted) {
            ngx_post_event(&ngx_akl_curl_next, &ngx_posted_next_events);
        }

        return 0;
    }

    if (ngx_akl_curl_next.posted) {
        ngx_delete_posted_event(&ngx_akl_curl_next);
    }

    if (ms > 0) {
        ngx_add_timer(&ngx_akl_curl_timer, (ngx_msec_t) ms);
    }

    return 0;
}


static void
ngx_akl_curl_timer_handler(ngx_event_t *ev)
{
    ngx_akl_curl_act(CURL_SOCKET_TIMEOUT, 0);
}


static void
ngx_akl_curl_event_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c = ev->data;

    if (c->close) {

        /* worker_shutdown_timeout calls every connection's handler */

        if (!ngx_akl_curl_abort.posted) {
            ngx_post_event(&ngx_akl_curl_abort, &ngx_posted_events);
        }

        return;
    }

    ngx_akl_curl_act(c->fd, ev->write ? CURL_CSELECT_OUT : CURL_CSELECT_IN);
}


static void
ngx_akl_curl_abort_handler(ngx_event_t *ev)
{
    ngx_akl_curl_aborted();
}


static void
ngx_akl_curl_act(curl_socket_t s, int mask)
{
    int  running;

    if (ngx_akl_curl_multi == NULL) {
        return;
    }

    (void) curl_multi_socket_action(ngx_akl_curl_multi, s, mask, &running);
    ERR_clear_error();

    ngx_akl_curl_drain();
}


static void
ngx_akl_curl_drain(void)
{
    int       left;
    CURL     *easy;
    CURLMsg  *msg;
    CURLcode  rc;

    while (ngx_akl_curl_multi) {

        msg = curl_multi_info_read(ngx_akl_curl_multi, &left);

        if (msg == NULL) {
            return;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        /* the message is gone with the handle */

        easy = msg->easy_handle;
        rc = msg->data.result;

        ngx_akl_curl_done(easy, rc);
    }
}
