/*
 * The sockets of libcurl's connections: whose they are, and whether a
 * descriptor is still the one that it was.
 */

#include "sockets.h"

#include <openssl/ssl.h>


static curl_socket_t ngx_akl_sockets_make(void *data, curlsocktype purpose,
    struct curl_sockaddr *address);
static ngx_int_t ngx_akl_sockets_keep(curl_socket_t s, void *owner);
static int ngx_akl_sockets_close(void *data, curl_socket_t s);
static CURLcode ngx_akl_sockets_tls(CURL *easy, void *tls, void *data);
static in_port_t ngx_akl_sockets_port(curl_socket_t s);


static ngx_akl_sock_t  *ngx_akl_sockets;        /* by descriptor */
static ngx_uint_t       ngx_akl_sockets_n;
static ngx_uint_t       ngx_akl_sockets_count;


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
    ngx_uint_t       n;
    ngx_akl_sock_t  *socks;
    ngx_file_info_t  st;

    if (fcntl(s, F_SETFD, FD_CLOEXEC) == -1
        || ngx_fd_info(s, &st) == NGX_FILE_ERROR)
    {
        return NGX_ERROR;
    }

    if ((ngx_uint_t) s >= ngx_akl_sockets_n) {
        n = ngx_max((ngx_uint_t) s + 1, ngx_akl_sockets_n * 2);

        socks = realloc(ngx_akl_sockets, n * sizeof(ngx_akl_sock_t));

        if (socks == NULL) {
            ngx_set_errno(NGX_ENOMEM);
            return NGX_ERROR;
        }

        ngx_memzero(socks + ngx_akl_sockets_n,
                    (n - ngx_akl_sockets_n) * sizeof(ngx_akl_sock_t));

        ngx_akl_sockets = socks;
        ngx_akl_sockets_n = n;
    }

    ngx_memzero(&ngx_akl_sockets[s], sizeof(ngx_akl_sock_t));
    ngx_akl_sockets[s].owner = owner;
    ngx_akl_sockets[s].dev = st.st_dev;
    ngx_akl_sockets[s].ino = st.st_ino;
    ngx_akl_sockets_count++;

    return NGX_OK;
}


static int
ngx_akl_sockets_close(void *data, curl_socket_t s)
{
    ngx_akl_sock_t  *known;

    known = ngx_akl_socket(s);

    if (known) {
        known->owner = NULL;
    }

    return close(s);
}


ngx_akl_sock_t *
ngx_akl_socket(curl_socket_t s)
{
    if (s < 0 || (ngx_uint_t) s >= ngx_akl_sockets_n
        || ngx_akl_sockets[s].owner == NULL)
    {
        return NULL;
    }

    return &ngx_akl_sockets[s];
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
ngx_akl_sockets_spoken(void *owner, in_port_t port)
{
    u_char           ch;
    ngx_uint_t       i;
    ngx_akl_sock_t  *known;

    for (i = 0; i < ngx_akl_sockets_n; i++) {
        known = &ngx_akl_sockets[i];

        if (known->owner != owner || (known->port && known->port != port)
            || !ngx_akl_socket_open(known, (curl_socket_t) i))
        {
            continue;
        }

        if (known->port == 0) {
            known->port = ngx_akl_sockets_port((curl_socket_t) i);
        }

        if (known->port == port
            && recv((int) i, &ch, 1, MSG_PEEK|MSG_DONTWAIT) != -1)
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
    ngx_uint_t       i;
    ngx_akl_sock_t  *known;

    for (i = 0; i < ngx_akl_sockets_n; i++) {
        known = &ngx_akl_sockets[i];

        if (known->owner != owner) {
            continue;
        }

        if (!ngx_akl_socket_open(known, (curl_socket_t) i)) {
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
    free(ngx_akl_sockets);

    ngx_akl_sockets = NULL;
    ngx_akl_sockets_n = 0;
    ngx_akl_sockets_count = 0;
}
