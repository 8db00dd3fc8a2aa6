/*
 * A revocation, between the location that takes it and the list.
 */

#ifndef NGX_HTTP_AKL_K8S_REVOKE_H
#define NGX_HTTP_AKL_K8S_REVOKE_H

#include "../module.h"


typedef struct {
    ngx_str_t   jti;
    ngx_str_t   sub;
    ngx_str_t   before;         /* as sent in a form */
    int64_t     time;           /* tokens issued earlier are revoked */
    time_t      until;
} ngx_http_akl_k8s_revocation_t;


/*
 * Puts it into the list, for as long as a token may live, and sets "until";
 * an earlier time for a subject changes nothing, and "time" is what holds
 * then.  NGX_OK, or NGX_ERROR where it could not be kept.
 */
ngx_int_t ngx_http_akl_k8s_revoke_keep(ngx_http_request_t *r,
    ngx_http_akl_k8s_revocation_t *rev);


#endif /* NGX_HTTP_AKL_K8S_REVOKE_H */
