/*
 * HTTPS client of the API servers, inside a worker's event loop.  One call is
 * one request to one target under one deadline: names are resolved, hosts
 * tried in turn, a request on a reused connection that died before any answer
 * byte is sent once more; an answer that tells of an outage can be asked for
 * again while the deadline and Retry-After allow.  libcurl stays behind this
 * header.
 */

#ifndef NGX_AKL_CLIENT_H
#define NGX_AKL_CLIENT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_akl_target_s  ngx_akl_target_t;
typedef struct ngx_akl_call_s    ngx_akl_call_t;


typedef enum {
    NGX_AKL_ANSWERED = 0,       /* a whole answer, whatever its status */
    NGX_AKL_UNREACHABLE,        /* refused, reset, silent, unresolvable */
    NGX_AKL_TLS_FAILED,         /* the server's certificate or ours */
    NGX_AKL_TIMED_OUT,          /* connected, but no answer by the deadline */
    NGX_AKL_BAD_ANSWER,         /* truncated, oversized, not HTTP */
    NGX_AKL_NO_ROOM,            /* no connection or descriptor was left here */
    NGX_AKL_FAILED              /* out of memory, or the worker ends */
} ngx_akl_outcome_e;


/*
 * Where to send: made at configuration, read-only afterwards but for the
 * state behind it, which is each worker's own.
 */

typedef struct {
    ngx_str_t             url;          /* https://host[:port][/prefix] */
    ngx_str_t             host;         /* no brackets */
    ngx_str_t             prefix;       /* without a trailing slash */
    in_port_t             port;
    ngx_uint_t            naddrs;       /* 0: by the resolver, at run time */
    ngx_addr_t           *addrs;
} ngx_akl_host_t;


/*
 * Parses "url" into *host (memory from cf->pool); resolves a name at once
 * where "defer" is 0.  NGX_CONF_OK, or a static cause for nginx -t.
 */
char *ngx_akl_host_parse(ngx_conf_t *cf, ngx_str_t *url, ngx_uint_t defer,
    ngx_akl_host_t *host);


/* The same for "http://host[:port]" of a proxy. */
char *ngx_akl_proxy_parse(ngx_conf_t *cf, ngx_str_t *url, ngx_uint_t defer,
    ngx_akl_host_t *host);


/* What proves who is who; PEM texts, replaced as a whole when they change. */

typedef struct {
    ngx_str_t             ca;           /* len 0 with system_ca only */
    ngx_str_t             cert;         /* len 0: none */
    ngx_str_t             key;
    unsigned              system_ca:1;
} ngx_akl_tls_t;


/* What is said of a target; all of it must live as long as the cycle. */

typedef struct {
    ngx_str_t             name;             /* for log lines */
    ngx_array_t          *hosts;            /* of ngx_akl_host_t */
    ngx_str_t             server_name;      /* name or address that SNI has and
                                               certificates must have; len 0:
                                               the host's own */
    ngx_akl_host_t       *proxy;            /* CONNECT through it; or NULL */
    ngx_resolver_t       *resolver;         /* or NULL */
    ngx_msec_t            resolver_timeout; /* ms */
    ngx_msec_t            connect_timeout;  /* ms */
} ngx_akl_target_conf_t;


/* A target of this worker: call in init_process.  NULL on failure. */
ngx_akl_target_t *ngx_akl_target_create(ngx_cycle_t *cycle,
    ngx_akl_target_conf_t *conf);

/*
 * Gives the target its TLS material (copied); connections made under the
 * former serve no further call.  Must be called before the first one.
 */
ngx_int_t ngx_akl_target_set_tls(ngx_akl_target_t *target,
    ngx_akl_tls_t *tls);


typedef void (*ngx_akl_call_pt)(ngx_akl_call_t *call);

struct ngx_akl_call_s {
    /* by the caller */
    ngx_akl_target_t     *target;
    ngx_str_t             path;         /* after the host's prefix; copied */
    const char           *accept;       /* media types; a constant */
    ngx_str_t             bearer;       /* len 0: none; copied, wiped */
    ngx_str_t             body;         /* JSON to POST; copied, wiped;
                                           len 0: GET */
    ngx_msec_t            timeout;      /* ms from start, all attempts */
    size_t                max_answer;   /* bytes */
    uint32_t              id;           /* for the debug log */
    ngx_akl_call_pt       handler;      /* at the end, never from within
                                           start or repeat */
    void                 *data;

    /* results, valid in the handler and until destroy */
    ngx_akl_outcome_e     outcome;
    ngx_uint_t            status;       /* of the last answer, else 0 */
    ngx_str_t             answer;       /* wiped by destroy */
    time_t                retry_after;  /* seconds, -1: not told */
    ngx_akl_host_t       *host;         /* asked last, or NULL */
    ngx_uint_t            attempts;     /* requests sent */
    ngx_str_t             error;        /* for the log, NUL-terminated */

    /* inside */
    ngx_pool_t           *pool;         /* the call's own */
    void                 *state;        /* ngx_akl_attempt_t */
};


/* A zeroed call in a pool of its own, or NULL. */
ngx_akl_call_t *ngx_akl_call_create(ngx_log_t *log);

/*
 * Starts it.  NGX_OK: the handler will be called, from the event loop;
 * NGX_ERROR: it will not, and the caller destroys the call.
 */
ngx_int_t ngx_akl_call_start(ngx_akl_call_t *call);

/*
 * From the handler of a call that was answered: asks once more, after a
 * while, or after Retry-After.  NGX_OK: the handler will be called again, the
 * results are void; NGX_DECLINED: the deadline does not allow it, nothing has
 * changed.
 */
ngx_int_t ngx_akl_call_repeat(ngx_akl_call_t *call);

/*
 * Ends it at any time, also from its own handler; a call under way is
 * cancelled, the handler not called any more.
 */
void ngx_akl_call_destroy(ngx_akl_call_t *call);


/* Figures of this worker, for the status page. */
typedef struct {
    ngx_uint_t            in_flight;
    ngx_uint_t            connections;  /* opened so far */
} ngx_akl_client_stat_t;

void ngx_akl_client_stat(ngx_akl_client_stat_t *stat);


/*
 * Configuration-time check: libcurl's version and that its TLS backend is
 * OpenSSL of our major version.  NULL, or a static cause.
 */
const char *ngx_akl_client_check(void);

/*
 * Process hooks: workers and the single process only; see the module.
 * "agent", a constant, is the User-Agent.
 */
ngx_int_t ngx_akl_client_init_process(ngx_cycle_t *cycle, const char *agent);
void ngx_akl_client_exit_process(ngx_cycle_t *cycle);


#endif /* NGX_AKL_CLIENT_H */
