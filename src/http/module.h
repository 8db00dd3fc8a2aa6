/*
 * What the files of the nginx glue share: configuration, the per-request
 * context and the entry points of each part.  Configurations are constant
 * once merged; what changes at run time lives in a cluster, one per worker
 * and auth config.
 */

#ifndef NGX_HTTP_AKL_K8S_H
#define NGX_HTTP_AKL_K8S_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../jose/jws.h"
#include "../k8s/bounds.h"
#include "../k8s/credential.h"
#include "../k8s/reason.h"
#include "../k8s/version.h"
#include "../net/client.h"
#include "../shm/zone.h"


#define NGX_HTTP_AKL_K8S_VERSION  AKL_VERSION


/* the same string for either half; the types must not alias */

static ngx_inline akl_str_t
ngx_http_akl_k8s_str(const ngx_str_t *s)
{
    akl_str_t  str;

    str.len = s->len;
    str.data = s->data;

    return str;
}


static ngx_inline ngx_str_t
ngx_http_akl_k8s_ngx_str(const akl_str_t *s)
{
    ngx_str_t  str;

    str.len = s->len;
    str.data = (u_char *) s->data;

    return str;
}


typedef struct ngx_http_akl_k8s_method_s   ngx_http_akl_k8s_method_t;
typedef struct ngx_http_akl_k8s_config_s   ngx_http_akl_k8s_config_t;
typedef struct ngx_http_akl_k8s_cluster_s  ngx_http_akl_k8s_cluster_t;
typedef struct ngx_http_akl_k8s_login_s    ngx_http_akl_k8s_login_t;


/* a place in the configuration */

typedef struct {
    ngx_str_t                    file;
    ngx_uint_t                   line;
} ngx_http_akl_k8s_where_t;


/* a credential, key or certificate: a file, or "data:" inline */

typedef struct {
    ngx_str_t                    directive;
    akl_credential_type_t        type;
    ngx_str_t                    path;      /* NUL-terminated; len 0: inline */
    ngx_str_t                    text;      /* as read at configuration */
} ngx_http_akl_k8s_source_t;


struct ngx_http_akl_k8s_method_s {
    ngx_str_t                    id;
    akl_bounds_t                 bounds;
    ngx_array_t                 *bound_ips;         /* of ngx_cidr_t, or NULL */
    akl_list_t                   audiences;         /* any; n 0: not asked */
    time_t                       access_expires;    /* 0: never */
    time_t                       token_ttl;         /* seconds */
    akl_jwk_t                   *public_key;        /* or NULL */
    ngx_http_akl_k8s_where_t     where;
};


typedef enum {
    NGX_HTTP_AKL_K8S_NATIVE = 0,
    NGX_HTTP_AKL_K8S_RANCHER
} ngx_http_akl_k8s_cluster_e;

typedef struct {
    ngx_str_t                    name;
    ngx_http_complex_value_t     value;
    ngx_uint_t                   dynamic;           /* holds a variable */
} ngx_http_akl_k8s_claim_t;


struct ngx_http_akl_k8s_config_s {
    ngx_str_t                    name;
    ngx_str_t                    access_id;
    ngx_http_akl_k8s_method_t   *method;
    ngx_uint_t                   index;             /* in main conf's configs */

    akl_jwk_t                    signing_key;
    akl_jwks_t                   keys;              /* signing key first, then
                                                       verification keys */

    ngx_http_akl_k8s_cluster_e   type;
    ngx_array_t                  hosts;             /* of ngx_akl_host_t */
    ngx_str_t                    review_path;       /* below the host */

    /* sources: path and text both empty where not given */
    ngx_http_akl_k8s_source_t    ca;
    ngx_http_akl_k8s_source_t    reviewer;          /* JWT or Rancher's key */
    ngx_http_akl_k8s_source_t    client_cert;
    ngx_http_akl_k8s_source_t    client_key;
    ngx_http_akl_k8s_source_t    jwks;
    unsigned                     ca_system:1;
    unsigned                     reviewer_self:1;   /* pod token is bearer */
    unsigned                     jwks_auto:1;

    akl_list_t                   issuers;           /* n 0: not validated */

    ngx_str_t                    token_issuer;
    ngx_str_t                    token_audience;    /* len 0: the pod's */
    ngx_array_t                 *token_claims;      /* of .._claim_t, or NULL */
    ngx_uint_t                   claims_dynamic;    /* any value is */

    time_t                       cache_valid;       /* seconds, 0: off */
    time_t                       cache_refused;
    ngx_msec_t                   review_timeout;
    ngx_msec_t                   connect_timeout;
    ngx_uint_t                   max_reviews;
    ngx_uint_t                   max_queue;
    ngx_resolver_t              *resolver;          /* or NULL */
    ngx_msec_t                   resolver_timeout;

    /* digest over all that a verdict or a minted token depends on */
    u_char                       generation[32];

    ngx_array_t                 *host_urls;         /* of .._url_t, as given */
    ngx_http_akl_k8s_where_t     where;             /* the block */
    ngx_http_akl_k8s_where_t     where_access_id;
    ngx_http_akl_k8s_where_t     where_signing_key;
};


typedef struct {
    ngx_array_t                  methods;   /* of ngx_http_akl_k8s_method_t * */
    ngx_array_t                  configs;   /* of ngx_http_akl_k8s_config_t * */
    ngx_akl_zone_t              *zone;
    time_t                       cache_valid;
    time_t                       cache_refused;
    ngx_msec_t                   review_timeout;
    ngx_msec_t                   connect_timeout;
    ngx_uint_t                   max_reviews;
    ngx_uint_t                   max_queue;
    ngx_uint_t                   guarded;   /* any location has a guard */
    void                        *metrics;   /* series indices, metrics.c */
    ngx_array_t                 *publications;  /* of .._publication_t * */
    ngx_array_t                 *verifications; /* verify.c's own */
    ngx_uint_t                   revocations;   /* series: number of them */
} ngx_http_akl_k8s_main_conf_t;


typedef enum {
    NGX_HTTP_AKL_K8S_AKEYLESS = 0,   /* Akeyless V2 JSON, or Bearer */
    NGX_HTTP_AKL_K8S_VAULT,
    NGX_HTTP_AKL_K8S_OAUTH,
    NGX_HTTP_AKL_K8S_DIALECT_N
} ngx_http_akl_k8s_dialect_e;


/* Where the configuration is being read. */
void ngx_http_akl_k8s_here(ngx_conf_t *cf, ngx_http_akl_k8s_where_t *where);

/*
 * The end of a message about a value that will not do: a question where the
 * value is the name of a directive of any module of nginx's, swallowed since
 * a ';' before it is missing; else "".
 */
const char *ngx_http_akl_k8s_swallowed(ngx_conf_t *cf, ngx_str_t *value);


/* what akl_k8s_jwks or akl_k8s_discovery publishes in one location */

typedef struct {
    ngx_array_t                 *names;     /* of ngx_str_t; NULL: all */
    ngx_uint_t                   discovery;
    ngx_str_t                    jwks_uri;
    ngx_http_akl_k8s_where_t     where;
    ngx_str_t                    document;  /* ready when all are known */
    ngx_str_t                    etag;
} ngx_http_akl_k8s_publication_t;


typedef struct {
    /*
     * the content handler, of whichever directive, and what it serves; the
     * locations that "if" and limit_except make inherit all of it or nothing
     */
    ngx_http_handler_pt          handler;

    /* akl_k8s_auth */
    ngx_http_akl_k8s_dialect_e   dialect;
    ngx_str_t                    auth_config_name;  /* config=, len 0: none */
    ngx_http_akl_k8s_config_t   *auth_config;       /* resolved by merge/init */
    ngx_http_akl_k8s_where_t     where_auth;

    /* akl_k8s_jwks, akl_k8s_discovery */
    ngx_http_akl_k8s_publication_t  *publication;

    /* akl_k8s_guard, akl_k8s_require, akl_k8s_exchange */
    ngx_array_t                 *guard_names;       /* of ngx_str_t, or NULL */
    ngx_array_t                 *guard;             /* of .._config_t *;
                                                       set when all are known */
    ngx_http_akl_k8s_where_t     where_guard;
    ngx_array_t                 *require;           /* of akl_subclaim rules */
    ngx_uint_t                   require_off;       /* none from above */
    ngx_str_t                    exchange_name;
    ngx_http_akl_k8s_config_t   *exchange;
    ngx_http_akl_k8s_where_t     where_exchange;
    ngx_http_complex_value_t    *token_source;      /* NULL: Authorization */

    ngx_uint_t                   log_level;
    ngx_flag_t                   dry_run;
} ngx_http_akl_k8s_loc_conf_t;


/* how a login came by its verdict */

typedef enum {
    NGX_HTTP_AKL_K8S_CACHE_NONE = 0,
    NGX_HTTP_AKL_K8S_CACHE_HIT,
    NGX_HTTP_AKL_K8S_CACHE_MISS,
    NGX_HTTP_AKL_K8S_CACHE_SHARED,
    NGX_HTTP_AKL_K8S_CACHE_REFUSED          /* a cached refusal */
} ngx_http_akl_k8s_cache_e;


/*
 * What is known of a request; for the variables.  It is found again after an
 * internal redirect, see ngx_http_akl_k8s_ctx().  Strings are in the
 * request's pool.
 */
typedef struct {
    ngx_http_request_t          *request;
    ngx_http_akl_k8s_login_t    *login;         /* of endpoint or exchange */
    ngx_uint_t                   established;   /* a reason was set */
    akl_reason_t                 reason;
    ngx_http_akl_k8s_config_t   *config;
    ngx_str_t                    asked;         /* the name that was sent for a
                                                   config that is not known */
    const char                  *foreign;       /* for the log: another config
                                                   than the location's was
                                                   asked for */
    akl_identity_t               identity;
    ngx_str_t                    jti;
    ngx_str_t                    token;         /* minted */
    time_t                       token_expires;
    ngx_http_akl_k8s_cache_e     cache;
    ngx_msec_int_t               review_time;   /* ms, -1: no review */
    time_t                       retry_after;   /* s, by the API server */
    ngx_str_t                    claims;        /* flattened, of the guard's
                                                   token; akl_subclaims.h */
    ngx_table_elt_t             *challenge;     /* our WWW-Authenticate */
    ngx_table_elt_t             *no_store;      /* our Cache-Control */
    ngx_str_t                    denied;        /* claim that a requirement
                                                   does not allow */
    unsigned                     resumed:1;     /* exchange: outcome is there */
    unsigned                     exchanged:1;   /* by this pass of phases */
    unsigned                     unreadable:1;  /* the token has no claims */
    void                        *form;          /* endpoint.c's own */
    ngx_buf_t                   *body;          /* a body that came in parts */
} ngx_http_akl_k8s_ctx_t;


/*
 * One login, steps 2 to 8 of a login: from a pod token and an auth config to
 * an identity and a minted token in the request's context.
 */

typedef void (*ngx_http_akl_k8s_login_pt)(ngx_http_request_t *r);

/*
 * Runs a login of "token" against "config" for r.  NGX_OK: done, the outcome
 * (reason, identity, token) is in the context; NGX_AGAIN: a review is under
 * way and "handler" will be called with r when the outcome is there (nothing
 * is called when the client leaves before); NGX_ERROR: there is no memory even
 * for a context, which is logged.
 * "alias" (may be NULL) is the digest of the raw request that led to config
 * and token; on success it is remembered as a short cut.
 */
ngx_int_t ngx_http_akl_k8s_login(ngx_http_request_t *r,
    ngx_http_akl_k8s_config_t *config, ngx_str_t *token,
    ngx_akl_key_t *alias, ngx_http_akl_k8s_login_pt handler);

/*
 * The short cut: NGX_OK with the outcome in the context where the alias leads
 * to a live verdict with a fresh minted token, NGX_DECLINED otherwise.
 */
ngx_int_t ngx_http_akl_k8s_login_alias(ngx_http_request_t *r,
    ngx_akl_key_t *alias);


/*
 * The request's context, made when "create" is set; NULL when out of memory.
 * Without "create" that of the parent of a clone, to be read only, or NULL
 * where there is none.
 */
ngx_http_akl_k8s_ctx_t *ngx_http_akl_k8s_ctx(ngx_http_request_t *r,
    ngx_uint_t create);

/*
 * Sets the outcome, and logs it where it is no ok: a refusal at the location's
 * level, an outage as an error.  "detail" (may be NULL) goes to the log only.
 */
void ngx_http_akl_k8s_outcome(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason, const char *detail);

/* bytes of a text in a log line, and the most that they take when escaped */
#define NGX_HTTP_AKL_K8S_LOG_LEN   128
#define NGX_HTTP_AKL_K8S_LOG_SIZE  (NGX_HTTP_AKL_K8S_LOG_LEN * 4              \
                                    + sizeof("..."))

/*
 * The end of a request that memory is short for before anything was decided,
 * or when the answer is made: sets and logs the outcome internal_error.  What
 * was decided before is counted and stays so.  Returns
 * NGX_HTTP_INTERNAL_SERVER_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_no_memory(ngx_http_request_t *r);

/*
 * Writes "src", which may be anything, for a log line to "dst" (of
 * NGX_HTTP_AKL_K8S_LOG_SIZE bytes): quotes, backslashes and all that is not
 * printable ASCII as \xXX, the rest of a long text as "...", and a NUL.
 * Returns dst.
 */
u_char *ngx_http_akl_k8s_log_text(u_char *dst, akl_str_t src);

/* The auth config called "name", or NULL. */
ngx_http_akl_k8s_config_t *ngx_http_akl_k8s_find_config(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_str_t *name);

/* This worker's cluster of a config. */
ngx_http_akl_k8s_cluster_t *ngx_http_akl_k8s_cluster(
    ngx_http_akl_k8s_config_t *config);

/*
 * The token of "Authorization: Bearer" (RFC 6750 section 2.1), or of "source"
 * where that is not NULL: NGX_OK, NGX_DECLINED (none), NGX_ERROR (the scheme
 * only).  *token points into the request; its bytes are akl_jws_parse()'s to
 * judge.
 */
ngx_int_t ngx_http_akl_k8s_bearer(ngx_http_request_t *r,
    ngx_http_complex_value_t *source, ngx_str_t *token);

/*
 * Parks a request that waits for a review: a client that leaves meanwhile is
 * noticed, a body that was not read stays unread.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_park(ngx_http_request_t *r);

/*
 * The contrary, before its phases go on: what the client sends is left for
 * the one who reads the body.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_unpark(ngx_http_request_t *r);

/*
 * The headers that belong to a refusal or an outage: WWW-Authenticate (RFC
 * 6750 section 3) with 401 and 403, Retry-After (a second, or what the API
 * server asks for, a minute at most) with 503, Cache-Control: no-store.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_refusal_headers(ngx_http_request_t *r,
    akl_reason_t reason, ngx_uint_t status);


/* configuration: conf.c and its neighbours */

void *ngx_http_akl_k8s_create_main_conf(ngx_conf_t *cf);
char *ngx_http_akl_k8s_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_akl_k8s_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_akl_k8s_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

char *ngx_http_akl_k8s_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_auth_method(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_auth_config(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_review_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_max_reviews(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Has "handler" serve the location.  NGX_CONF_OK, or the cause where it or
 * another handler serves there already.
 */
char *ngx_http_akl_k8s_serve(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf, ngx_http_handler_pt handler);

char *ngx_http_akl_k8s_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_guard(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_exchange(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_discovery(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* phases and variables */

ngx_int_t ngx_http_akl_k8s_auth_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_subrequest(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_guard_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_guard_subrequest(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_guard_granted(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_exchange_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_add_variables(ngx_conf_t *cf);

/*
 * Builds the documents of akl_k8s_jwks and akl_k8s_discovery, once all auth
 * configs are known.  NGX_OK, or NGX_ERROR after logging.
 */
ngx_int_t ngx_http_akl_k8s_publish(ngx_conf_t *cf);

/*
 * Refuses an akl_k8s_verify that nothing guards, once locations are merged.
 * NGX_OK, or NGX_ERROR after logging.
 */
ngx_int_t ngx_http_akl_k8s_verify_check(ngx_conf_t *cf);

/* Registers the counter of revocations, once the zone is there. */
ngx_int_t ngx_http_akl_k8s_revocations_init(ngx_conf_t *cf);

/* clusters: the state of each worker, credentials re-read */

ngx_int_t ngx_http_akl_k8s_init_clusters(ngx_cycle_t *cycle);
void ngx_http_akl_k8s_exit_clusters(ngx_cycle_t *cycle);


extern ngx_module_t  ngx_http_akl_k8s_module;


#endif /* NGX_HTTP_AKL_K8S_H */
