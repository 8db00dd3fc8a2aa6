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
#include "../k8s/subject.h"
#include "../k8s/version.h"
#include "../net/client.h"
#include "../shm/zone.h"
#include "respond.h"


#define NGX_HTTP_AKL_K8S_VERSION  AKL_VERSION


/* longest time that may be configured, so that no sum overflows */

#define NGX_HTTP_AKL_K8S_GENERATION  32                     /* SHA-256 */
#define NGX_HTTP_AKL_K8S_TIME_MAX  (365 * 24 * 3600)        /* s */


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
typedef struct ngx_http_akl_k8s_body_s     ngx_http_akl_k8s_body_t;


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
    ngx_str_t                    api_path;          /* below the host, of the
                                                       cluster: Rancher's */
    ngx_str_t                    server_name;       /* len 0: the host's */
    ngx_str_t                    proxy_url;         /* len 0: none */
    ngx_akl_host_t               proxy;
    ngx_http_akl_k8s_where_t     where_proxy;
    ngx_str_t                    review_path;       /* below the host, whole */

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
    akl_list_t                   token_audiences;   /* n 0: the pod's */
    ngx_str_t                    token_subject;     /* as given; len 0: not */
    akl_subject_t                subject;
    ngx_flag_t                   token_binding;     /* to client certificates */
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
    u_char                       generation[NGX_HTTP_AKL_K8S_GENERATION];

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
    ngx_uint_t                   bound;     /* any config binds its tokens */
    void                        *metrics;   /* series indices, metrics.c */
    ngx_uint_t                   since;     /* series: when it began to count */
    ngx_uint_t                   steady;    /* likewise, by the steady clock */
    ngx_array_t                 *publications;  /* of .._publication_t * */
    ngx_array_t                 *verifications; /* verify.c's own */
    ngx_uint_t                   revocations;   /* series: number of them */
    ngx_uint_t                   longest;       /* series: last exp of all */
    ngx_array_t                 *revocation_files;  /* or NULL */
    void                        *journal;   /* of revocations, or NULL */
    ngx_uint_t                   revoked[3];    /* series: kept, full, failed */
} ngx_http_akl_k8s_main_conf_t;


typedef enum {
    NGX_HTTP_AKL_K8S_AKEYLESS = 0,   /* Akeyless V2 JSON, or Bearer */
    NGX_HTTP_AKL_K8S_VAULT,
    NGX_HTTP_AKL_K8S_OAUTH,
    NGX_HTTP_AKL_K8S_DIALECT_N
} ngx_http_akl_k8s_dialect_e;


/* what akl_k8s_jwks or akl_k8s_discovery publishes in one location */

typedef struct {
    ngx_array_t                 *names;     /* of ngx_str_t; NULL: all */
    ngx_uint_t                   discovery;
    ngx_uint_t                   spiffe;    /* a trust domain's bundle */
    ngx_str_t                    jwks_uri;
    ngx_str_t                    token_endpoint;            /* len 0: none */
    ngx_str_t                    introspection_endpoint;
    ngx_str_t                    revocation_endpoint;
    ngx_http_akl_k8s_where_t     where;
    ngx_str_t                    document;  /* ready when all are known */
    ngx_str_t                    etag;
} ngx_http_akl_k8s_publication_t;


/* what a location serves */

typedef struct {
    ngx_http_handler_pt          handler;
    const char                  *task;      /* for the log: what it is that
                                               fails, or is refused */
    ngx_http_akl_k8s_write_pt    failure;   /* the body of internal_error, for
                                               "data" NULL; or NULL: nginx's
                                               own page */
} ngx_http_akl_k8s_service_t;


typedef struct {
    /*
     * what the location serves, by whichever directive; the locations that "if"
     * and limit_except make inherit all of it or nothing
     */
    const ngx_http_akl_k8s_service_t  *service;     /* or NULL */
    ngx_str_t                    directive;
    ngx_http_akl_k8s_where_t     where_handler;

    /* akl_k8s_auth */
    ngx_http_akl_k8s_dialect_e   dialect;
    ngx_str_t                    auth_config_name;  /* config=, len 0: none */
    ngx_http_akl_k8s_config_t   *auth_config;       /* resolved by merge/init */

    /* akl_k8s_jwks, akl_k8s_discovery */
    ngx_http_akl_k8s_publication_t  *publication;

    /* akl_k8s_introspect; whose tokens, resolved by merge */
    ngx_array_t                 *introspect_names;  /* of ngx_str_t, or NULL */
    ngx_array_t                 *introspect;        /* of .._config_t * */

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


/* what an outcome counts as */

typedef enum {
    NGX_HTTP_AKL_K8S_COUNT_NOTHING = 0,
    NGX_HTTP_AKL_K8S_COUNT_LOGIN,
    NGX_HTTP_AKL_K8S_COUNT_GUARD
} ngx_http_akl_k8s_count_e;


/*
 * What is known of a request; for the variables.  It is found again after an
 * internal redirect, see ngx_http_akl_k8s_ctx().  Strings are in the
 * request's pool.
 */
typedef struct {
    ngx_http_request_t          *request;
    ngx_http_akl_k8s_login_t    *login;         /* of endpoint or exchange */
    ngx_uint_t                   established;   /* a reason was set */
    const char                  *task;          /* for the log: what it is that
                                                   fails, or is refused */
    akl_reason_t                 reason;
    ngx_str_t                    line;          /* of the log, while it is not
                                                   told; len 0: none */
    ngx_uint_t                   level;         /* of that line */
    ngx_http_akl_k8s_count_e     counts;        /* as what it will count */
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
    ngx_str_t                    denied;        /* claim that a requirement
                                                   does not allow */
    unsigned                     resumed:1;     /* exchange: outcome is there */
    unsigned                     exchanged:1;   /* by this pass of phases */
    unsigned                     unreadable:1;  /* the token has no claims */
    unsigned                     untold:1;      /* an outcome, so far */
    unsigned                     unwritten:1;   /* its line, memory was short */
    unsigned                     failed:1;      /* told as internal_error */
    unsigned                     counted:1;     /* as a login */
    void                        *form;          /* endpoint.c's own */
    ngx_http_akl_k8s_body_t     *body;          /* being read; body.c's own */
} ngx_http_akl_k8s_ctx_t;


extern ngx_module_t  ngx_http_akl_k8s_module;


#endif /* NGX_HTTP_AKL_K8S_H */
