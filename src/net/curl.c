/*
 * libcurl tells which descriptors and which timer it waits for; nginx waits
 * for them.  Events are level-triggered, as libcurl expects, and a descriptor
 * has an ngx_connection_t only while a transfer uses it.
 */

#include "curl.h"

#include <openssl/err.h>


#define NGX_AKL_CURL_IDLE  256          /* connections kept at most */


/*
 * A descriptor that never got connected is closed by libcurl without a word,
 * so its number may be anybody's by now: the inode tells.
 */

typedef struct {
    void              *owner;           /* NULL: not one of ours */
    dev_t              dev;
    ino_t              ino;
    CURL              *easy;            /* of the transfer that uses it */
    ngx_connection_t  *connection;      /* as long as one does */
} ngx_akl_sock_t;


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
static curl_socket_t ngx_akl_curl_open(void *owner, curlsocktype purpose,
    struct curl_sockaddr *address);
static int ngx_akl_curl_close(void *owner, curl_socket_t s);
static ngx_akl_sock_t *ngx_akl_curl_sock(curl_socket_t s);
static ngx_uint_t ngx_akl_curl_is_open(ngx_akl_sock_t *known,
    curl_socket_t s);


static CURLM                  *ngx_akl_curl_multi;
static ngx_event_t             ngx_akl_curl_timer;
static ngx_event_t             ngx_akl_curl_next;
static ngx_event_t             ngx_akl_curl_abort;
static ngx_connection_t        ngx_akl_curl_dumb;
static ngx_uint_t              ngx_akl_curl_running;
static ngx_uint_t              ngx_akl_curl_held;       /* connections */
static ngx_akl_curl_done_pt    ngx_akl_curl_done;
static ngx_akl_curl_connect_pt ngx_akl_curl_connecting;
static ngx_akl_curl_abort_pt   ngx_akl_curl_aborted;

static ngx_akl_sock_t         *ngx_akl_curl_socks;      /* by descriptor */
static ngx_uint_t              ngx_akl_curl_nsocks;
static ngx_uint_t              ngx_akl_curl_count;


ngx_int_t
ngx_akl_curl_init(ngx_cycle_t *cycle, ngx_akl_curl_done_pt done,
    ngx_akl_curl_connect_pt connecting, ngx_akl_curl_abort_pt aborted)
{
    ngx_uint_t  rc;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NGX_ERROR;
    }

    ngx_akl_curl_multi = curl_multi_init();

    if (ngx_akl_curl_multi == NULL) {
        return NGX_ERROR;
    }

    ngx_akl_curl_done = done;
    ngx_akl_curl_connecting = connecting;
    ngx_akl_curl_aborted = aborted;
    ngx_akl_curl_running = 0;
    ngx_akl_curl_held = 0;
    ngx_akl_curl_count = 0;

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

    free(ngx_akl_curl_socks);
    ngx_akl_curl_socks = NULL;
    ngx_akl_curl_nsocks = 0;

    curl_global_cleanup();
}


ngx_int_t
ngx_akl_curl_add(CURL *easy)
{
    CURLMcode  rc;

    /* each transfer under way needs a connection, got already or not */

    if (ngx_akl_curl_multi == NULL
        || ngx_cycle->free_connection_n + ngx_akl_curl_held
           <= ngx_akl_curl_running)
    {
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

    known = ngx_akl_curl_sock(s);

    if (what == CURL_POLL_REMOVE) {

        open = ngx_akl_curl_is_open(known, s);

        if (c) {
            curl_multi_assign(ngx_akl_curl_multi, s, NULL);
            ngx_akl_curl_forget(c, open);
        }

        if (known == NULL) {
            return 0;
        }

        known->connection = NULL;

        if (!open) {
            known->owner = NULL;
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

            /* an error here would end all transfers; this one times out */
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


ngx_int_t
ngx_akl_curl_own(CURL *easy, void *owner)
{
    ngx_uint_t  rc;

    rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION,
                          ngx_akl_curl_open);
    rc |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, owner);
    rc |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                           ngx_akl_curl_close);
    rc |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, owner);

    return (rc == CURLE_OK) ? NGX_OK : NGX_ERROR;
}


static curl_socket_t
ngx_akl_curl_open(void *owner, curlsocktype purpose,
    struct curl_sockaddr *address)
{
    ngx_uint_t       n;
    curl_socket_t    s;
    ngx_akl_sock_t  *socks;
    ngx_file_info_t  st;

    s = socket(address->family, address->socktype, address->protocol);

    if (s == -1) {
        return CURL_SOCKET_BAD;
    }

    if (fcntl(s, F_SETFD, FD_CLOEXEC) == -1
        || ngx_fd_info(s, &st) == NGX_FILE_ERROR)
    {
        (void) close(s);
        return CURL_SOCKET_BAD;
    }

    if ((ngx_uint_t) s >= ngx_akl_curl_nsocks) {
        n = ngx_max((ngx_uint_t) s + 1, ngx_akl_curl_nsocks * 2);

        socks = realloc(ngx_akl_curl_socks, n * sizeof(ngx_akl_sock_t));

        if (socks == NULL) {
            (void) close(s);
            return CURL_SOCKET_BAD;
        }

        ngx_memzero(socks + ngx_akl_curl_nsocks,
                    (n - ngx_akl_curl_nsocks) * sizeof(ngx_akl_sock_t));

        ngx_akl_curl_socks = socks;
        ngx_akl_curl_nsocks = n;
    }

    ngx_memzero(&ngx_akl_curl_socks[s], sizeof(ngx_akl_sock_t));
    ngx_akl_curl_socks[s].owner = owner;
    ngx_akl_curl_socks[s].dev = st.st_dev;
    ngx_akl_curl_socks[s].ino = st.st_ino;
    ngx_akl_curl_count++;

    return s;
}


static int
ngx_akl_curl_close(void *owner, curl_socket_t s)
{
    ngx_akl_sock_t  *known;

    known = ngx_akl_curl_sock(s);

    if (known) {
        known->owner = NULL;
    }

    return close(s);
}


static ngx_akl_sock_t *
ngx_akl_curl_sock(curl_socket_t s)
{
    if (s < 0 || (ngx_uint_t) s >= ngx_akl_curl_nsocks
        || ngx_akl_curl_socks[s].owner == NULL)
    {
        return NULL;
    }

    return &ngx_akl_curl_socks[s];
}


static ngx_uint_t
ngx_akl_curl_is_open(ngx_akl_sock_t *known, curl_socket_t s)
{
    ngx_file_info_t  st;

    if (ngx_fd_info(s, &st) == NGX_FILE_ERROR) {
        return 0;
    }

    return known == NULL
           || (st.st_dev == known->dev && st.st_ino == known->ino);
}


void
ngx_akl_curl_retire(void *owner)
{
    ngx_uint_t       i;
    ngx_akl_sock_t  *known;

    for (i = 0; i < ngx_akl_curl_nsocks; i++) {
        known = &ngx_akl_curl_socks[i];

        if (known->owner != owner) {
            continue;
        }

        if (!ngx_akl_curl_is_open(known, (curl_socket_t) i)) {
            known->owner = NULL;
            continue;
        }

        if (known->connection) {
            curl_easy_setopt(known->easy, CURLOPT_FORBID_REUSE, 1L);
            continue;
        }

        /*
         * The next request finds it dead and closes it.  It may still be
         * written to: what fails in closing would be taken for the cause of
         * that request's own failure.
         */
        (void) shutdown((curl_socket_t) i, SHUT_RD);
    }
}


ngx_uint_t
ngx_akl_curl_established(curl_socket_t s)
{
    socklen_t        len;
    ngx_akl_sock_t  *known;
    ngx_sockaddr_t   peer;

    known = ngx_akl_curl_sock(s);

    if (known == NULL || !ngx_akl_curl_is_open(known, s)) {
        return 0;
    }

    /* it has a peer as soon as the handshake of TCP is through */

    len = sizeof(ngx_sockaddr_t);

    return getpeername(s, &peer.sockaddr, &len) == 0;
}


ngx_uint_t
ngx_akl_curl_opened(void)
{
    return ngx_akl_curl_count;
}
