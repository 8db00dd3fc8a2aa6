/*
 * Which tokens are revoked: by files, by the journal, or by the list in the
 * zone.
 */

#ifndef NGX_HTTP_AKL_K8S_REVOCATIONS_H
#define NGX_HTTP_AKL_K8S_REVOCATIONS_H

#include "revocation_journal.h"


typedef struct ngx_http_akl_k8s_revocation_s  ngx_http_akl_k8s_revocation_t;

/* one that is to be kept: of either "jti" or "sub" */

struct ngx_http_akl_k8s_revocation_s {
    ngx_str_t                        jti;
    ngx_str_t                        sub;
    int64_t                          time;      /* of "sub": tokens issued
                                                   earlier are revoked */
    time_t                           until;     /* 0: as long as a token may
                                                   live */

    /* NGX_OK, NGX_DECLINED or NGX_ERROR, as of ..._revoke_keep() */
    void                           (*done)(ngx_http_akl_k8s_revocation_t *rev,
                                         ngx_int_t rc);
    void                            *data;
    ngx_http_akl_k8s_journal_wait_t  wait;
};


/* what became of requests to revoke: indices of "revoked" in main conf */

enum {
    NGX_HTTP_AKL_K8S_REVOKE_KEPT = 0,
    NGX_HTTP_AKL_K8S_REVOKE_FULL,
    NGX_HTTP_AKL_K8S_REVOKE_FAILED,
    NGX_HTTP_AKL_K8S_REVOKE_N
};


/* labels of these, in their order */
extern const char  *ngx_http_akl_k8s_revoke_names[NGX_HTTP_AKL_K8S_REVOKE_N];


/* how many there are at a moment, those of "listed" ever since */

typedef struct {
    uint64_t                         listed;    /* in the zone */
    size_t                           filed;     /* in files */
} ngx_http_akl_k8s_revocations_t;


/* Registers their series, once the zone is there.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_revocations_init(ngx_conf_t *cf);

/*
 * To be called before a token is looked at, since there may be more afterwards.
 * NGX_OK; or NGX_ERROR, logged, where nobody knows what is revoked.
 */
ngx_int_t ngx_http_akl_k8s_revocations_look(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_revocations_t *now);

/*
 * Notes that there is a token that lives until "exp", unix time: whatever is
 * revoked from now on stays on the list for as long, also where a reload has
 * made token_ttl shorter meanwhile.
 */
void ngx_http_akl_k8s_revocations_outlive(ngx_http_akl_k8s_main_conf_t *amcf,
    int64_t exp);

/*
 * 1 where the token of these particulars was revoked; "listed": the list in
 * the zone is to be looked at, too.
 */
ngx_uint_t ngx_http_akl_k8s_revoked(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_str_t *jti, ngx_str_t *sub, time_t iat, ngx_uint_t listed);

/*
 * Keeps a revocation, of which "until" is set where it was 0; an earlier time
 * for a subject changes nothing, and "time" is what holds then.  NGX_OK;
 * NGX_DECLINED: there is no room; NGX_ERROR: it could not be kept; NGX_AGAIN:
 * "done" is called with one of these, unless it is forgotten before.
 */
ngx_int_t ngx_http_akl_k8s_revoke_keep(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_revocation_t *rev);

void ngx_http_akl_k8s_revoke_forget(ngx_http_akl_k8s_revocation_t *rev);


#endif /* NGX_HTTP_AKL_K8S_REVOCATIONS_H */
