/*
 * What was wrong with a pod token that was refused without a review: for the
 * log, as it is claimed and not established.
 */

#ifndef NGX_HTTP_AKL_K8S_SEEN_H
#define NGX_HTTP_AKL_K8S_SEEN_H

#include "judge.h"


/*
 * The claim that the reason is about, such as 'its issuer is "api"', in memory
 * of "pool", escaped and cut as any text of a stranger's; NULL where there is
 * no such claim, or memory is short.
 */
const char *ngx_http_akl_k8s_seen_claim(ngx_pool_t *pool,
    ngx_http_akl_k8s_claimant_t *c, akl_reason_t reason);


#endif /* NGX_HTTP_AKL_K8S_SEEN_H */
