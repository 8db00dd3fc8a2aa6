/*
 * The sockets that libcurl opens, kept an eye on.  Behind client.h; nothing
 * outside src/net includes it.
 */

#ifndef NGX_AKL_SOCKETS_H
#define NGX_AKL_SOCKETS_H

#include <ngx_config.h>
#include <ngx_core.h>

#include <curl/curl.h>


/*
 * A descriptor that never got connected is closed by libcurl without a word,
 * so its number may be anybody's by now: the inode tells.
 */

typedef struct {
    ngx_queue_t        all;             /* among all of ours */
    curl_socket_t      fd;
    void              *owner;
    dev_t              dev;
    ino_t              ino;
    CURL              *easy;            /* of the transfer that uses it */
    ngx_connection_t  *connection;      /* as long as one does */
    in_port_t          port;            /* of this end; 0: not looked up yet */
} ngx_akl_sock_t;


/* Whom a transfer's sockets are made for, and what came of the last one. */
typedef struct {
    void              *owner;
    ngx_err_t          err;             /* 0, or why there is none */
    ngx_uint_t         secured;         /* there is a way to the host, through
                                           a proxy too, and TLS begins on it */
} ngx_akl_opening_t;


/* What is known of a descriptor, or NULL where it is none of ours. */
ngx_akl_sock_t *ngx_akl_socket(curl_socket_t s);

/* 1 where the descriptor is open, and is what "known" (or NULL) says it is. */
ngx_uint_t ngx_akl_socket_open(ngx_akl_sock_t *known, curl_socket_t s);

/* Forgets one of ours, which is closed; "known" is gone then. */
void ngx_akl_socket_forget(ngx_akl_sock_t *known);

/*
 * Sets the options by which a handle's sockets are made and closed under our
 * eyes.  Each transfer needs an ngx_akl_sockets_for() of its own.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_akl_sockets_own(CURL *easy);

/*
 * Sets whom the next transfer's sockets are made for, and has TLS on them told
 * and made ready: "opening" stays the caller's and lives until the transfer is
 * out, its owner tells sockets apart.  NULL takes it back.  NGX_OK, or
 * NGX_ERROR.
 */
ngx_int_t ngx_akl_sockets_for(CURL *easy, ngx_akl_opening_t *opening);

/*
 * 1 where something waits to be read on a connection from that local port, be
 * it the end: what the peer has said before anybody asked.  Whose socket it was
 * made for does not count: libcurl hands a connection on to whoever has the
 * same host and means of trust.  Looks through our own sockets, however many
 * descriptors there are besides.
 */
ngx_uint_t ngx_akl_sockets_spoken(in_port_t port);

/*
 * Has an owner's connections serve no further transfer: idle ones are closed
 * with the next one, those in use after theirs.  Their handles must not be
 * used again, either.
 */
void ngx_akl_sockets_retire(void *owner);

/*
 * 1 where the TCP connection of a socket has come about, whatever became of
 * TLS above it; 0 where the peer has not answered yet.
 */
ngx_uint_t ngx_akl_socket_established(curl_socket_t s);

/* Sockets opened so far. */
ngx_uint_t ngx_akl_sockets_opened(void);

/* Forgets all, once libcurl has closed them. */
void ngx_akl_sockets_free(void);


#endif /* NGX_AKL_SOCKETS_H */
