/*
 * A verdict: what a review established, and the token minted from it; as the
 * zone keeps it and as logins use it.
 */

#ifndef NGX_HTTP_AKL_K8S_VERDICT_H
#define NGX_HTTP_AKL_K8S_VERDICT_H

#include "../token/mint.h"


typedef struct {
    akl_reason_t     reason;            /* AKL_OK, a refusal, an outage */
    akl_identity_t   identity;
    akl_str_t        aud;               /* the pod token's, JSON; len 0: none */
    time_t           expires;           /* the pod token's exp; 0: none */
    ngx_http_akl_k8s_minted_t
                     minted;            /* token of len 0: each login mints */
    time_t           until;             /* end in the zone; 0: not from it */
    time_t           end;               /* not to be kept beyond that, for
                                           what it rests on; 0: no such end */
    time_t           retry_after;       /* s, of an outage; 0: not told */
    const char      *detail;            /* for the log, or NULL; not kept */
} ngx_http_akl_k8s_verdict_t;


/* The zone's key of a pod token under a config.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_verdict_key(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_str_t *token, ngx_akl_key_t *key);

/*
 * The key of a copy of the verdict at "key" that has another token than the
 * usual one: *wanted settles which.  It is kept as long as the verdict is.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_verdict_wanted(ngx_akl_zone_t *zone,
    ngx_akl_key_t *key, const ngx_http_akl_k8s_wanted_t *wanted,
    ngx_akl_key_t *copy);

/*
 * The key of a verdict on a namespace's labels under a config.  Where pods'
 * own tokens are the reviewer's credential, each learns it by its own right:
 * "token" is a part of the key then.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_verdict_namespace_key(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_str_t *namespace, ngx_str_t *token,
    ngx_akl_key_t *key);

/*
 * Looks a live verdict or refusal up: NGX_OK with *verdict pointing into a
 * buffer of the process, which the next look-up overwrites; NGX_DECLINED.
 */
ngx_int_t ngx_http_akl_k8s_verdict_get(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_akl_key_t *key,
    ngx_http_akl_k8s_verdict_t *verdict);

/*
 * The same through the alias of a raw request; *config is found by what the
 * alias holds.  Positive verdicts only.
 */
ngx_int_t ngx_http_akl_k8s_verdict_get_alias(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_akl_key_t *alias,
    ngx_http_akl_k8s_config_t **config, ngx_http_akl_k8s_verdict_t *verdict);

/*
 * Keeps a verdict: an identity for min(cache_valid, the pod token's exp), a
 * refusal for the config's "refused" time, an outage never; none beyond its
 * "end".  One that came from the zone keeps the end it had.
 */
void ngx_http_akl_k8s_verdict_set(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_akl_key_t *key,
    ngx_http_akl_k8s_verdict_t *verdict);

/* Remembers that the request of that digest leads to the verdict at "key". */
void ngx_http_akl_k8s_verdict_set_alias(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_akl_key_t *alias,
    ngx_akl_key_t *key, ngx_http_akl_k8s_verdict_t *verdict);

/* Moves the strings of a verdict into memory of "pool".  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_verdict_copy(ngx_pool_t *pool,
    ngx_http_akl_k8s_verdict_t *verdict);

/*
 * 1 where the minted token is good for a new login: not expired, not revoked,
 * and at least half its life left unless a new one would not live longer.
 */
ngx_uint_t ngx_http_akl_k8s_verdict_fresh(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_verdict_t *verdict);

#endif /* NGX_HTTP_AKL_K8S_VERDICT_H */
