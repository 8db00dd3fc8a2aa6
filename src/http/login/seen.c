/*
 * Claims of refused pod tokens, for the log.
 */

#include <ngx_config.h>

#include "../../k8s/time.h"
#include "../request.h"
#include "seen.h"


static akl_str_t ngx_http_akl_k8s_seen_time(char *dst, int64_t seconds);
static akl_str_t ngx_http_akl_k8s_seen_audience(akl_pod_token_t *pod,
    u_char *dst, size_t size);


const char *
ngx_http_akl_k8s_seen_claim(ngx_pool_t *pool, ngx_http_akl_k8s_claimant_t *c,
    akl_reason_t reason)
{
    char         time[AKL_TIME_LEN + 1];
    size_t       size;
    u_char      *p, list[NGX_HTTP_AKL_K8S_LOG_LEN + 1];
    u_char       text[NGX_HTTP_AKL_K8S_LOG_SIZE];
    akl_str_t    claim;
    const char  *format;

    switch (reason) {

    case AKL_ISSUER_MISMATCH:
        format = "its issuer is \"%s\"%Z";
        claim = c->pod.issuer;
        break;

    case AKL_SIGNATURE_INVALID:
        format = "its kid is \"%s\"%Z";
        claim = c->pod.jws.kid;
        break;

    case AKL_AUDIENCE_MISMATCH:
        format = "its audience is \"%s\"%Z";
        claim = ngx_http_akl_k8s_seen_audience(&c->pod, list, sizeof(list));
        break;

    case AKL_TOKEN_EXPIRED:
        format = "it ended at %s%Z";
        claim = ngx_http_akl_k8s_seen_time(time, c->pod.exp);
        break;

    case AKL_TOKEN_NOT_YET_VALID:
        format = "it begins at %s%Z";
        claim = ngx_http_akl_k8s_seen_time(time, c->pod.nbf);
        break;

    case AKL_NOT_SERVICE_ACCOUNT:
        return "it was minted by a gateway";

    default:
        return NULL;
    }

    size = sizeof("its audience is \"\"") + NGX_HTTP_AKL_K8S_LOG_SIZE;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NULL;
    }

    (void) ngx_snprintf(p, size, format,
                        ngx_http_akl_k8s_log_text(text, claim));

    return (char *) p;
}


static akl_str_t
ngx_http_akl_k8s_seen_time(char *dst, int64_t seconds)
{
    akl_str_t  text;

    text.len = akl_time_format(dst, seconds);
    text.data = (const unsigned char *) dst;

    return text;
}


/* one after the other; a byte more than is shown tells that there was more */

static akl_str_t
ngx_http_akl_k8s_seen_audience(akl_pod_token_t *pod, u_char *dst, size_t size)
{
    u_char            *p, *last;
    akl_str_t          text;
    const akl_doc_t   *doc;
    const akl_node_t  *elt;

    if (pod->aud == NULL || pod->aud->type == AKL_NODE_STRING) {
        return pod->aud ? pod->aud->text : akl_str("");
    }

    p = dst;
    last = dst + size;
    doc = &pod->jws.payload;

    for (elt = akl_doc_first(doc, pod->aud);
         elt && p < last;
         elt = akl_doc_next(doc, pod->aud, elt))
    {
        p = ngx_slprintf(p, last, "%s%*s", (p == dst) ? "" : ", ",
                         elt->text.len, elt->text.data);
    }

    text.data = dst;
    text.len = p - dst;

    return text;
}
