/*
 * Targets from the inside: hosts, their addresses, and handles made ready.
 */

#ifndef NGX_AKL_TARGET_H
#define NGX_AKL_TARGET_H

#include "curl.h"


typedef struct {
    u_char                connect_to[NGX_SOCKADDR_STRLEN + 4];
                                        /* "::ADDRESS:PORT", any host and port
                                           of a URL */
    ngx_uint_t            fails;        /* connects timed out in a row */
    ngx_msec_t            probe;        /* when the next one may be tried */
    ngx_msec_t            heard;        /* when it spoke last */
    unsigned              known:1;      /* it did speak */
} ngx_akl_address_t;


typedef struct {
    ngx_akl_host_t       *host;
    ngx_akl_target_t     *target;
    ngx_akl_address_t    *addrs;        /* malloc'ed */
    ngx_uint_t            naddrs;
    ngx_uint_t            first;        /* the address that answered last */
    time_t                valid;        /* addresses are good until then */
    ngx_resolver_ctx_t   *resolving;
    ngx_queue_t           waiting;      /* tries that need an address */
} ngx_akl_place_t;


struct ngx_akl_target_s {
    ngx_str_t             name;
    ngx_pool_t           *pool;
    ngx_akl_place_t      *places;       /* one a host */
    ngx_uint_t            nplaces;
    ngx_uint_t            preferred;    /* the place that answered last */
    ngx_resolver_t       *resolver;
    ngx_msec_t            resolver_timeout;
    ngx_msec_t            connect_timeout;

    ngx_akl_tls_t         tls;          /* copies */
    ngx_uint_t            generation;   /* of tls */
    ngx_array_t           idle;         /* of CURL *, ready for use */
};


/* one exchange's way through the hosts */

typedef struct {
    ngx_akl_exchange_t   *ex;
    ngx_queue_t           all;          /* among all exchanges */
    ngx_queue_t           waiting;      /* for a place's addresses */
    ngx_akl_place_t      *waits_for;

    CURL                 *easy;
    ngx_uint_t            generation;   /* of the handle */
    struct curl_slist     bearer;       /* its line, wiped */
    struct curl_slist     accept;       /* then this one, and the others */
    struct curl_slist     connect_to;
    u_char                address[NGX_SOCKADDR_STRLEN + 4];
    unsigned              running:1;    /* the handle is with libcurl */
    unsigned              connecting:1; /* over a socket of its own making */
    unsigned              fresh:1;      /* on a connection of its own now */
    unsigned              begun:1;      /* a line of an answer has come */
    unsigned              headed:1;     /* all header lines have */
    unsigned              no_memory:1;  /* for what has come */
    unsigned              finished:1;   /* the handler has been called */

    ngx_event_t           timer;
    ngx_msec_t            deadline;
    curl_socket_t         socket;       /* that is being connected */
    ngx_msec_t            sent;         /* when the request was */
    ngx_uint_t            place;        /* the place and its address that */
    ngx_uint_t            addr;         /* are tried now, counted */
    ngx_uint_t            first;        /* from this one */
    ngx_uint_t            visited;      /* places begun in this round */
    ngx_uint_t            skipped;      /* addresses known to be silent */
    ngx_uint_t            repeats;
    ngx_uint_t            looks;        /* at the sockets, after a limit */
    ngx_buf_t            *answer;
    char                  curl_error[CURL_ERROR_SIZE];
    u_char                text[CURL_ERROR_SIZE + 128];
} ngx_akl_try_t;


/* A handle with the target's settings, or NULL; *generation is told. */
CURL *ngx_akl_target_handle(ngx_akl_target_t *target, ngx_uint_t *generation);

/* Gives a handle back; freed where the settings have changed since. */
void ngx_akl_target_release(ngx_akl_target_t *target, CURL *easy,
    ngx_uint_t generation);

/*
 * Gives a place "n" addresses, those of "addrs" or else of "resolved"; copied.
 * NGX_OK, or NGX_ERROR where it keeps those that it had.
 */
ngx_int_t ngx_akl_place_set(ngx_akl_place_t *place, ngx_addr_t *addrs,
    ngx_resolver_addr_t *resolved, ngx_uint_t n);

/* Takes its addresses from a place. */
void ngx_akl_place_clear(ngx_akl_place_t *place);

/*
 * Sees to it that a place has addresses.  NGX_OK: it has, NGX_AGAIN: the try
 * waits, ngx_akl_try_resolved() will be called; NGX_ERROR: there are none.
 */
ngx_int_t ngx_akl_place_resolve(ngx_akl_place_t *place, ngx_akl_try_t *t);

/* 1 where an address may be tried: a silent one but now and then. */
ngx_uint_t ngx_akl_address_may(ngx_akl_address_t *addr);

/* The address of a try has spoken, or let its connect run out of time. */
void ngx_akl_place_heard(ngx_akl_try_t *t);
void ngx_akl_place_silent(ngx_akl_try_t *t);

/* Has a place make do with the addresses it has, for a while. */
void ngx_akl_place_extend(ngx_akl_place_t *place);

/* Takes a try out of the queue it may stand in. */
void ngx_akl_place_leave(ngx_akl_try_t *t);

/*
 * Hands the request to libcurl, to the place and address at hand.  NGX_OK, or
 * NGX_ERROR where memory or connections ran out.
 */
ngx_int_t ngx_akl_try_send(ngx_akl_try_t *t);

/* Copies what the caller has given, once an exchange.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_akl_try_copy(ngx_akl_try_t *t);

/* Wipes bearer, body and answer. */
void ngx_akl_try_wipe(ngx_akl_try_t *t);

/* Gives the handle back, finished or not. */
void ngx_akl_try_stop(ngx_akl_try_t *t);

/* What a transfer that failed with "rc" came to; before ngx_akl_try_stop(). */
ngx_akl_outcome_e ngx_akl_try_outcome(ngx_akl_try_t *t, CURLcode rc);

/* exchange.c: a place that a try waited for knows more now */
void ngx_akl_try_resolved(ngx_akl_try_t *t);

/* What each request says of its sender: "name/version". */
void ngx_akl_targets_agent(const char *agent);

/* Frees what the targets of this worker hold outside pools. */
void ngx_akl_targets_free(void);


#endif /* NGX_AKL_TARGET_H */
