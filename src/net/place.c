/*
 * Addresses of a target's hosts: given at configuration, or by the resolver
 * while the worker runs; and which of them are worth a try.
 */

#include "place.h"


#define NGX_AKL_RESOLVE_AGAIN  5000     /* ms until after a failure */
#define NGX_AKL_RESOLVE_MIN    1000     /* ms that any answer is good for */
#define NGX_AKL_RESOLVE_MAX    60000    /* ms until the resolver has a say */
#define NGX_AKL_FAILS          3        /* silent connects until it is left */
#define NGX_AKL_PROBE          300      /* ms between tries of a silent one */


static ngx_int_t ngx_akl_place_set(ngx_akl_place_t *place, ngx_addr_t *addrs,
    ngx_resolver_addr_t *resolved, ngx_uint_t n);
static ngx_err_t ngx_akl_place_starved(ngx_resolver_t *resolver);
static ngx_akl_address_t *ngx_akl_place_address(ngx_akl_place_t *place,
    u_char *connect_to);
static void ngx_akl_place_resolved(ngx_resolver_ctx_t *ctx);
static ngx_msec_t ngx_akl_place_span(time_t valid);


ngx_int_t
ngx_akl_place_init(ngx_akl_place_t *place, ngx_akl_host_t *host,
    ngx_akl_host_t *via, ngx_str_t *target, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout)
{
    place->host = host;
    place->via = via;
    place->target = target;
    place->resolver = resolver;
    place->resolver_timeout = resolver_timeout;
    place->valid = ngx_current_msec;

    ngx_queue_init(&place->waiting);

    return via->naddrs ? ngx_akl_place_set(place, via->addrs, NULL, via->naddrs)
                       : NGX_OK;
}


void
ngx_akl_place_free(ngx_akl_place_t *place)
{
    if (place->resolving) {
        ngx_resolve_name_done(place->resolving);
        place->resolving = NULL;
    }

    free(place->addrs);

    place->addrs = NULL;
    place->naddrs = 0;
}


/*
 * Gives a place "n" addresses, those of "addrs" or else of "resolved"; copied.
 * NGX_OK, or NGX_ERROR where it keeps those that it had.
 */

static ngx_int_t
ngx_akl_place_set(ngx_akl_place_t *place, ngx_addr_t *addrs,
    ngx_resolver_addr_t *resolved, ngx_uint_t n)
{
    u_char              *p;
    socklen_t            socklen;
    ngx_uint_t           i, k, first;
    struct sockaddr     *sa;
    ngx_sockaddr_t       copy;
    ngx_akl_address_t   *fresh;

    fresh = calloc(n, sizeof(ngx_akl_address_t));
    if (fresh == NULL) {
        return NGX_ERROR;
    }

    first = 0;

    for (i = 0; i < n; i++) {
        sa = addrs ? addrs[i].sockaddr : resolved[i].sockaddr;
        socklen = addrs ? addrs[i].socklen : resolved[i].socklen;

        ngx_memcpy(&copy, sa, socklen);
        ngx_inet_set_port(&copy.sockaddr, place->via->port);

        p = fresh[i].connect_to;
        *p++ = ':';
        *p++ = ':';
        p += ngx_sock_ntop(&copy.sockaddr, socklen, p, NGX_SOCKADDR_STRLEN, 1);
        *p = '\0';

        /* what is known of an address outlives its time in the DNS */

        for (k = 0; k < place->naddrs; k++) {

            if (ngx_strcmp(place->addrs[k].connect_to, fresh[i].connect_to)
                != 0)
            {
                continue;
            }

            fresh[i] = place->addrs[k];

            if (k == place->first) {
                first = i;
            }
        }
    }

    free(place->addrs);

    place->addrs = fresh;
    place->naddrs = n;
    place->first = first;

    return NGX_OK;
}


ngx_int_t
ngx_akl_place_resolve(ngx_akl_place_t *place, ngx_akl_waiter_t *waiter)
{
    ngx_err_t            err;
    ngx_resolver_ctx_t  *ctx;

    if (place->via->naddrs
        || (ngx_msec_int_t) (place->valid - ngx_current_msec) > 0)
    {
        return place->naddrs ? NGX_OK : NGX_ERROR;
    }

    if (place->resolving == NULL) {
        ctx = ngx_resolve_start(place->resolver, NULL);

        if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
            return place->naddrs ? NGX_OK : NGX_ERROR;
        }

        ctx->name = place->via->host;
        ctx->handler = ngx_akl_place_resolved;
        ctx->data = place;
        ctx->timeout = place->resolver_timeout;
        ctx->cancelable = 1;

        place->resolving = ctx;

        if (ngx_resolve_name(ctx) != NGX_OK) {
            place->resolving = NULL;
            return place->naddrs ? NGX_OK : NGX_ERROR;
        }

        /* the resolver's cache answers at once */

        if (place->resolving == NULL) {
            return place->naddrs ? NGX_OK : NGX_ERROR;
        }

        err = ngx_akl_place_starved(place->resolver);

        if (err) {
            ngx_resolve_name_done(ctx);
            place->resolving = NULL;

            if (place->naddrs) {
                ngx_akl_place_extend(place);
                return NGX_OK;
            }

            ngx_set_errno(err);
            return NGX_DECLINED;
        }
    }

    waiter->place = place;
    ngx_queue_insert_tail(&place->waiting, &waiter->queue);

    return NGX_AGAIN;
}


/*
 * A resolver that gets no socket says nothing of it, and tries again after five
 * seconds; where it has none, whether there are any is seen by opening one.
 * Returns why not, or 0.
 */

static ngx_err_t
ngx_akl_place_starved(ngx_resolver_t *resolver)
{
    ngx_err_t                   err;
    ngx_uint_t                  i;
    ngx_socket_t                s;
    ngx_resolver_connection_t  *rec;

    rec = resolver->connections.elts;

    for (i = 0; i < resolver->connections.nelts; i++) {
        if (rec[i].udp || rec[i].tcp) {
            return 0;
        }
    }

    s = ngx_socket(AF_INET, SOCK_DGRAM, 0);

    if (s != (ngx_socket_t) -1) {
        (void) ngx_close_socket(s);
        return 0;
    }

    err = ngx_socket_errno;

    return (err == NGX_EMFILE || err == NGX_ENFILE) ? err : 0;
}


/* an address of the place, or NULL where it has gone from it since */

static ngx_akl_address_t *
ngx_akl_place_address(ngx_akl_place_t *place, u_char *connect_to)
{
    ngx_uint_t  i;

    for (i = 0; i < place->naddrs; i++) {
        if (ngx_strcmp(place->addrs[i].connect_to, connect_to) == 0) {
            return &place->addrs[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_akl_address_may(ngx_akl_address_t *addr)
{
    if (addr->fails < NGX_AKL_FAILS) {
        return 1;
    }

    if ((ngx_msec_int_t) (ngx_current_msec - addr->probe) < 0) {
        return 0;
    }

    /* one probe at a time */

    addr->probe = ngx_current_msec + NGX_AKL_PROBE;

    return 1;
}


void
ngx_akl_place_heard(ngx_akl_place_t *place, u_char *connect_to,
    ngx_uint_t answered)
{
    ngx_akl_address_t  *addr;

    addr = ngx_akl_place_address(place, connect_to);
    if (addr == NULL) {
        return;
    }

    addr->fails = 0;
    addr->known = 1;
    addr->heard = ngx_current_msec;

    if (answered) {
        place->first = addr - place->addrs;
    }
}


void
ngx_akl_place_silent(ngx_akl_place_t *place, u_char *connect_to,
    ngx_msec_t begun)
{
    ngx_akl_address_t  *addr;

    addr = ngx_akl_place_address(place, connect_to);
    if (addr == NULL) {
        return;
    }

    /* a connect that was begun in silence says nothing of what came on */

    if (addr->known && (ngx_msec_int_t) (begun - addr->heard) <= 0) {
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s place %V: silent, %s", &place->via->host,
                   addr->connect_to + 2);

    if (++addr->fails == NGX_AKL_FAILS) {
        addr->probe = ngx_current_msec + NGX_AKL_PROBE;
    }
}


void
ngx_akl_place_extend(ngx_akl_place_t *place)
{
    if (place->naddrs == 0) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s place %V: no answer from the resolver, "
                   "known addresses are used", &place->via->host);

    place->valid = ngx_current_msec + NGX_AKL_RESOLVE_AGAIN;
}


void
ngx_akl_place_leave(ngx_akl_waiter_t *waiter)
{
    if (waiter->place) {
        ngx_queue_remove(&waiter->queue);
        waiter->place = NULL;
    }
}


static void
ngx_akl_place_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_akl_place_t   *place;
    ngx_akl_waiter_t  *waiter;

    place = ctx->data;

    if (ctx->state == NGX_OK && ctx->naddrs
        && ngx_akl_place_set(place, NULL, ctx->addrs, ctx->naddrs) == NGX_OK)
    {
        place->valid = ngx_current_msec + ngx_akl_place_span(ctx->valid);

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                       "akl_k8s place %V: resolved, %ui addresses",
                       &place->via->host, place->naddrs);

    } else {

        /* known addresses are better than none */

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "akl_k8s: %V of \"%V\" could not be resolved (%i: %s)",
                      &place->via->host, place->target, ctx->state,
                      ngx_resolver_strerror(ctx->state));

        place->valid = ngx_current_msec + (place->naddrs ? NGX_AKL_RESOLVE_AGAIN
                                                         : NGX_AKL_RESOLVE_MIN);
    }

    ngx_resolve_name_done(ctx);
    place->resolving = NULL;

    while (!ngx_queue_empty(&place->waiting)) {
        waiter = ngx_queue_data(ngx_queue_head(&place->waiting),
                                ngx_akl_waiter_t, queue);

        ngx_akl_place_leave(waiter);
        waiter->handler(waiter);
    }
}


/*
 * How long an answer of the resolver's is good for, in ms.  The resolver counts
 * by the time of day, which may be set meanwhile.  It keeps answers itself, so
 * that asking it again before their time costs nothing.
 */

static ngx_msec_t
ngx_akl_place_span(time_t valid)
{
    time_t  left;

    left = ngx_min(valid - ngx_time(), NGX_AKL_RESOLVE_MAX / 1000);

    return ngx_max(left * 1000, NGX_AKL_RESOLVE_MIN);
}
