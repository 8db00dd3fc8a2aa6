/*
 * The sockets of libcurl's connections: whose they are, and whether a
 * descriptor is still the one that it was.
 */

#include "sockets.h"

#include <openssl/ssl.h>


static curl_socket_t ngx_akl_sockets_make(void *data, curlsocktype purpose,
    struct curl_sockaddr *address);
static ngx_int_t ngx_akl_sockets_keep(curl_socket_t s, void *owner);
static ngx_int_t ngx_akl_sockets_grow(curl_socket_t s);
static void ngx_akl_sockets_sweep(void);
static ngx_uint_t ngx_akl_sockets_gone(ngx_akl_sock_t *known);
static int ngx_akl_sockets_close(void *data, curl_socket_t s);
static CURLcode ngx_akl_sockets_tls(CURL *easy, void *tls, void *data);
static in_port_t ngx_akl_sockets_port(curl_socket_t s);


#define NGX_AKL_SOCKETS_SWEEP  2        /* looked at for each that is made */


static ngx_akl_sock_t  **ngx_akl_sockets;       /* by descriptor, or NULL */
static ngx_uint_t        ngx_akl_sockets_n;
static ngx_uint_t        ngx_akl_sockets_count;
static ngx_queue_t       ngx_akl_sockets_all = {        /* of ngx_akl_sock_t */
    &ngx_akl_sockets_all, &ngx_akl_sockets_all
};


ngx_int_t
ngx_akl_sockets_own(CURL *easy)
{
    ngx_uint_t  rc;

    rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION,
                          ngx_akl_sockets_make);
    rc |= curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                           ngx_akl_sockets_close);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, ngx_akl_sockets_tls);

    return (rc == CURLE_OK) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_akl_sockets_for(CURL *easy, ngx_akl_opening_t *opening)
{
    ngx_uint_t  rc;

    if (opening) {
        opening->err = 0;
        opening->secured = 0;
    }

    rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, opening);
    rc |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, opening);

    return (rc == CURLE_OK) ? NGX_OK : NGX_ERROR;
}


/*
 * libcurl makes TLS ready when it has a way to the host, not before.  Answers
 * hold the pod's token: OpenSSL is not to leave them in its buffers.
 */

static CURLcode
ngx_akl_sockets_tls(CURL *easy, void *tls, void *data)
{
    ngx_akl_opening_t  *opening = data;

#ifdef SSL_OP_CLEANSE_PLAINTEXT
    (void) SSL_CTX_set_options(tls, SSL_OP_CLEANSE_PLAINTEXT);
#endif

    if (opening) {
        opening->secured = 1;
    }

    return CURLE_OK;
}


/*
 * A socket is opened by a transfer alone, between its ngx_akl_sockets_for() and
 * the one with NULL, which follows once the handle is out of libcurl's hands:
 * there always is an opening.
 */

static curl_socket_t
ngx_akl_sockets_make(void *data, curlsocktype purpose,
    struct curl_sockaddr *address)
{
    ngx_akl_opening_t  *opening = data;

    curl_socket_t  s;

    s = socket(address->family, address->socktype, address->protocol);

    if (s == -1) {
        opening->err = ngx_errno;
        return CURL_SOCKET_BAD;
    }

    if (ngx_akl_sockets_keep(s, opening->owner) != NGX_OK) {
        opening->err = ngx_errno;
        (void) close(s);
        return CURL_SOCKET_BAD;
    }

    opening->err = 0;

    return s;
}


/* NGX_OK, or NGX_ERROR with ngx_errno */

static ngx_int_t
ngx_akl_sockets_keep(curl_socket_t s, void *owner)
{
    ngx_akl_sock_t   *known;
    ngx_file_info_t   st;

    if (fcntl(s, F_SETFD, FD_CLOEXEC) == -1
        || ngx_fd_info(s, &st) == NGX_FILE_ERROR)
    {
        return NGX_ERROR;
    }

    known = ngx_akl_socket(s);

    if (known) {
        /* closed without a word */
        ngx_akl_socket_forget(known);
    }

    ngx_akl_sockets_sweep();

    if (ngx_akl_sockets_grow(s) != NGX_OK) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    known = calloc(1, sizeof(ngx_akl_sock_t));

    if (known == NULL) {
        ngx_set_errno(NGX_ENOMEM);
        return NGX_ERROR;
    }

    known->fd = s;
    known->owner = owner;
    known->dev = st.st_dev;
    known->ino = st.st_ino;

    ngx_akl_sockets[s] = known;
    ngx_queue_insert_tail(&ngx_akl_sockets_all, &known->all);
    ngx_akl_sockets_count++;

    return NGX_OK;
}


static ngx_int_t
ngx_akl_sockets_grow(curl_socket_t s)
{
    ngx_uint_t        n;
    ngx_akl_sock_t  **socks;

    if ((ngx_uint_t) s < ngx_akl_sockets_n) {
        return NGX_OK;
    }

    n = ngx_max((ngx_uint_t) s + 1, ngx_akl_sockets_n * 2);

    socks = realloc(ngx_akl_sockets, n * sizeof(ngx_akl_sock_t *));

    if (socks == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(socks + ngx_akl_sockets_n,
                (n - ngx_akl_sockets_n) * sizeof(ngx_akl_sock_t *));

    ngx_akl_sockets = socks;
    ngx_akl_sockets_n = n;

    return NGX_OK;
}


/*
 * Those that were closed without a word would pile up where an API server
 * refuses each connect: for each socket that is made the two that were looked
 * at the longest ago are looked at, so that no more of them are left than
 * there are open ones, or so.
 */

static void
ngx_akl_sockets_sweep(void)
{
    ngx_uint_t    i;
    ngx_queue_t  *q, *next;

    for (i = 0, q = ngx_queue_head(&ngx_akl_sockets_all);
         i < NGX_AKL_SOCKETS_SWEEP
         && q != ngx_queue_sentinel(&ngx_akl_sockets_all);
         i++, q = next)
    {
        next = ngx_queue_next(q);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_akl_sockets_all, q);

        (void) ngx_akl_sockets_gone(ngx_queue_data(q, ngx_akl_sock_t, all));
    }
}


/*
 * 1 where a socket of ours is closed; it is forgotten, unless libcurl has yet
 * to say that it does not wait for it any more.
 */

static ngx_uint_t
ngx_akl_sockets_gone(ngx_akl_sock_t *known)
{
    if (ngx_akl_socket_open(known, known->fd)) {
        return 0;
    }

    if (known->connection == NULL) {
        ngx_akl_socket_forget(known);
    }

    return 1;
}


static int
ngx_akl_sockets_close(void *data, curl_socket_t s)
{
    ngx_akl_sock_t  *known;

    known = ngx_akl_socket(s);

    if (known) {
        ngx_akl_socket_forget(known);
    }

    return close(s);
}


ngx_akl_sock_t *
ngx_akl_socket(curl_socket_t s)
{
    if (s < 0 || (ngx_uint_t) s >= ngx_akl_sockets_n) {
        return NULL;
    }

    return ngx_akl_sockets[s];
}


void
ngx_akl_socket_forget(ngx_akl_sock_t *known)
{
    ngx_akl_sockets[known->fd] = NULL;
    ngx_queue_remove(&known->all);
    free(known);
}


ngx_uint_t
ngx_akl_socket_open(ngx_akl_sock_t *known, curl_socket_t s)
{
    ngx_file_info_t  st;

    if (ngx_fd_info(s, &st) == NGX_FILE_ERROR) {
        return 0;
    }

    return known == NULL
           || (st.st_dev == known->dev && st.st_ino == known->ino);
}


ngx_uint_t
ngx_akl_sockets_spoken(in_port_t port)
{
    u_char           ch;
    ngx_queue_t     *q, *next;
    ngx_akl_sock_t  *known;

    for (q = ngx_queue_head(&ngx_akl_sockets_all);
         q != ngx_queue_sentinel(&ngx_akl_sockets_all);
         q = next)
    {
        next = ngx_queue_next(q);
        known = ngx_queue_data(q, ngx_akl_sock_t, all);

        if ((known->port && known->port != port)
            || ngx_akl_sockets_gone(known))
        {
            continue;
        }

        if (known->port == 0) {
            known->port = ngx_akl_sockets_port(known->fd);
        }

        if (known->port == port
            && recv(known->fd, &ch, 1, MSG_PEEK|MSG_DONTWAIT) != -1)
        {
            return 1;
        }
    }

    return 0;
}


static in_port_t
ngx_akl_sockets_port(curl_socket_t s)
{
    socklen_t       len;
    ngx_sockaddr_t  local;

    len = sizeof(ngx_sockaddr_t);

    if (getsockname(s, &local.sockaddr, &len) == -1) {
        return 0;
    }

    return ngx_inet_get_port(&local.sockaddr);
}


void
ngx_akl_sockets_retire(void *owner)
{
    ngx_queue_t     *q, *next;
    ngx_akl_sock_t  *known;

    for (q = ngx_queue_head(&ngx_akl_sockets_all);
         q != ngx_queue_sentinel(&ngx_akl_sockets_all);
         q = next)
    {
        next = ngx_queue_next(q);
        known = ngx_queue_data(q, ngx_akl_sock_t, all);

        if (known->owner != owner || ngx_akl_sockets_gone(known)) {
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
        (void) shutdown(known->fd, SHUT_RD);
    }
}


ngx_uint_t
ngx_akl_socket_established(curl_socket_t s)
{
    socklen_t        len;
    ngx_akl_sock_t  *known;
    ngx_sockaddr_t   peer;

    known = ngx_akl_socket(s);

    if (known == NULL || !ngx_akl_socket_open(known, s)) {
        return 0;
    }

    /* it has a peer as soon as the handshake of TCP is through */

    len = sizeof(ngx_sockaddr_t);

    return getpeername(s, &peer.sockaddr, &len) == 0;
}


ngx_uint_t
ngx_akl_sockets_opened(void)
{
    return ngx_akl_sockets_count;
}


void
ngx_akl_sockets_free(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_akl_sockets_n; i++) {
        free(ngx_akl_sockets[i]);
    }

    free(ngx_akl_sockets);

    ngx_queue_init(&ngx_akl_sockets_all);

    ngx_akl_sockets = NULL;
    ngx_akl_sockets_n = 0;
    ngx_akl_sockets_count = 0;
}
