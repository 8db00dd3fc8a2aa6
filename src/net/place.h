/*
 * Places: the addresses of a target's hosts, given at configuration or found
 * by the resolver while the worker runs, and which of them are worth a try.
 */

#ifndef NGX_AKL_PLACE_H
#define NGX_AKL_PLACE_H

#include "client.h"


#define NGX_AKL_CONNECT_TO_LEN  (NGX_SOCKADDR_STRLEN + 4)


typedef struct ngx_akl_place_s   ngx_akl_place_t;
typedef struct ngx_akl_waiter_s  ngx_akl_waiter_t;

/*
 * Called once when the resolver has answered, well or not; the waiter stands
 * in no queue any more.  It may be called within ngx_akl_place_resolve() of
 * another waiter.
 */
typedef void (*ngx_akl_waiter_pt)(ngx_akl_waiter_t *waiter);

struct ngx_akl_waiter_s {
    ngx_queue_t           queue;
    ngx_akl_place_t      *place;        /* that is waited for, or NULL */
    ngx_akl_waiter_pt     handler;
};


typedef struct {
    u_char                connect_to[NGX_AKL_CONNECT_TO_LEN];
                                        /* "::ADDRESS:PORT", any host and port
                                           of a URL */
    ngx_uint_t            fails;        /* connects timed out in a row */
    ngx_msec_t            probe;        /* when the next one may be tried */
    ngx_msec_t            heard;        /* when it spoke last */
    unsigned              known:1;      /* it did speak */
} ngx_akl_address_t;


struct ngx_akl_place_s {
    ngx_akl_host_t       *host;
    ngx_akl_host_t       *via;          /* whose addresses these are: its own,
                                           or a proxy's */
    ngx_str_t            *target;       /* the target's name, for the log */
    ngx_resolver_t       *resolver;     /* may be NULL */
    ngx_msec_t            resolver_timeout;

    ngx_akl_address_t    *addrs;        /* malloc'ed */
    ngx_uint_t            naddrs;
    ngx_uint_t            first;        /* the address that answered last */
    ngx_msec_t            valid;        /* addresses are good until then */
    ngx_resolver_ctx_t   *resolving;
    ngx_queue_t           waiting;      /* of ngx_akl_waiter_t */
};


/*
 * A place without addresses, but for those of "via" that are known from the
 * configuration.  Both hosts, the target's name and the resolver stay the
 * caller's and must outlive it.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_akl_place_init(ngx_akl_place_t *place, ngx_akl_host_t *host,
    ngx_akl_host_t *via, ngx_str_t *target, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout);

/* Frees what a place holds, and cancels the resolver. */
void ngx_akl_place_free(ngx_akl_place_t *place);

/*
 * Sees to it that a place has addresses.  NGX_OK: it has, NGX_AGAIN: its
 * handler will be called, NGX_ERROR: there are none, NGX_DECLINED: the resolver
 * cannot be asked for want of a descriptor, as ngx_errno says.
 */
ngx_int_t ngx_akl_place_resolve(ngx_akl_place_t *place,
    ngx_akl_waiter_t *waiter);

/* Takes a waiter out of the queue it may stand in. */
void ngx_akl_place_leave(ngx_akl_waiter_t *waiter);

/* Has a place make do with the addresses it has, for a while. */
void ngx_akl_place_extend(ngx_akl_place_t *place);

/* 1 where an address may be tried: a silent one but now and then. */
ngx_uint_t ngx_akl_address_may(ngx_akl_address_t *addr);

/*
 * The address "connect_to" has spoken; with "answered" it is the first to be
 * asked from now on.
 */
void ngx_akl_place_heard(ngx_akl_place_t *place, u_char *connect_to,
    ngx_uint_t answered);

/* It let a connect run out of time that was begun at "begun" (in ms). */
void ngx_akl_place_silent(ngx_akl_place_t *place, u_char *connect_to,
    ngx_msec_t begun);


#endif /* NGX_AKL_PLACE_H */
