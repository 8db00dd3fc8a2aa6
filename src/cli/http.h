/*
 * HTTP by libcurl: to the API server and to the gateway.
 *
 * The rules of the module hold here: an authority that was named is the only
 * one that counts (no directory of the system's beside it), proxies only as
 * told (never the environment's, which must not see tokens), TLS 1.2 at
 * least, certificates and names always verified, redirects never followed,
 * answers bounded, HTTP/1.1.
 */

#ifndef AKL_CLI_HTTP_H
#define AKL_CLI_HTTP_H

#include <openssl/x509.h>

#include "mem.h"


#define AKL_HTTP_ANSWER_MAX  (1024 * 1024)


/* who is spoken to, and how it is known */

typedef struct {
    const char   *url;                  /* scheme, host, port, prefix; no slash
                                           at its end */
    akl_str_t     ca;                   /* PEM; len 0: the system's */
    akl_str_t     cert;                 /* PEM; len 0: none */
    akl_str_t     key;
    const char   *proxy;                /* http://host:port, or NULL */
    const char   *server_name;          /* that TLS asks for and verifies in
                                           place of the host's; or NULL */
    const char   *address;              /* numeric; is connected to in place of
                                           the host, whose name TLS and HTTP
                                           keep; or NULL */
    long          timeout;              /* seconds; 0: 10 */
    size_t        answer_max;           /* bytes; 0: AKL_HTTP_ANSWER_MAX */
    unsigned      https_only:1;
} akl_http_peer_t;


/* where it failed */

typedef enum {
    AKL_HTTP_OK = 0,
    AKL_HTTP_NAME,                      /* no address */
    AKL_HTTP_CONNECT,                   /* refused, no route */
    AKL_HTTP_TLS,                       /* handshake or certificate */
    AKL_HTTP_TIMEOUT,
    AKL_HTTP_BROKEN                     /* cut off, too large, no HTTP */
} akl_http_phase_t;


typedef struct {
    akl_http_phase_t   phase;
    const char        *error;           /* in words; NULL with AKL_HTTP_OK */
    long               status;
    akl_str_t          body;            /* NUL-terminated */
    const char        *content_type;    /* "" where there is none */
    const char        *location;        /* of a redirect; NULL: none */
    long long          retry_after;     /* seconds; -1: not said */
    long long          date;            /* the Date header; 0: none */
} akl_http_answer_t;


typedef struct {
    const char   *method;
    const char   *path;                 /* behind the peer's URL */
    const char   *content_type;         /* of "body" */
    const char   *accept;               /* application/json if NULL */
    const char   *bearer;               /* or NULL */
    akl_str_t     body;
} akl_http_request_t;


/* One call; everything in *answer lives as memory of the program does. */
void akl_http(const akl_http_peer_t *peer, const akl_http_request_t *request,
    akl_http_answer_t *answer);

/*
 * The same call to each of "n" peers, all at the same time; answers[] has room
 * for as many.
 */
void akl_http_all(const akl_http_peer_t *peers, size_t n,
    const akl_http_request_t *request, akl_http_answer_t *answers);

/*
 * Connects and shakes hands without verifying, and sends nothing: for looking
 * at a certificate, its first one the server's own.  *chain is the caller's
 * to free, by sk_X509_pop_free(); NULL where it came to none.  *address is
 * the numeric address that was connected to.
 */
void akl_http_probe(const akl_http_peer_t *peer, akl_http_answer_t *answer,
    STACK_OF(X509) **chain, char **address);


#endif /* AKL_CLI_HTTP_H */
