/*
 * The list of revocations.
 */

#ifndef NGX_HTTP_AKL_K8S_REVOCATIONS_H
#define NGX_HTTP_AKL_K8S_REVOCATIONS_H

#include "../module.h"


typedef struct {
    ngx_str_t   jti;
    ngx_str_t   sub;
    ngx_str_t   before;         /* as sent in a form */
    int64_t     time;           /* tokens issued earlier are revoked */
    time_t      until;
} ngx_http_akl_k8s_revocation_t;


/* Registers the counters of the list, once the zone is there. */
ngx_int_t ngx_http_akl_k8s_revocations_init(ngx_conf_t *cf);

/*
 * Notes that there is a token that lives until "exp", unix time: whatever is
 * revoked from now on stays on the list for as long, also where a reload has
 * made token_ttl shorter meanwhile.
 */
void ngx_http_akl_k8s_revocations_outlive(ngx_http_akl_k8s_main_conf_t *amcf,
    int64_t exp);

/* 1 where the token of these particulars was revoked. */
ngx_uint_t ngx_http_akl_k8s_revoked(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_str_t *jti, ngx_str_t *sub, time_t iat);

/*
 * Puts it into the list, for as long as a token may live, and sets "until";
 * an earlier time for a subject changes nothing, and "time" is what holds
 * then.  NGX_OK, or NGX_ERROR where it could not be kept.
 */
ngx_int_t ngx_http_akl_k8s_revoke_keep(ngx_http_request_t *r,
    ngx_http_akl_k8s_revocation_t *rev);


#endif /* NGX_HTTP_AKL_K8S_REVOCATIONS_H */
