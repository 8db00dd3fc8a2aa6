/*
 * A minted token: verified once, and then remembered in the zone for a
 * minute at most, so that the next request with it costs a keyed digest and
 * one look-up.
 */

#include <ngx_config.h>

#include "../../k8s/subclaims.h"
#include "../../jose/base64.h"
#include "../certificate.h"
#include "../request.h"
#include "minted_check.h"
#include "revocations.h"
#include "minted.h"


#define NGX_HTTP_AKL_K8S_CNF  "{\"x5t#S256\":\""


/* what the zone keeps; the flattened claims follow */

typedef struct {
    int64_t   exp;
    int64_t   iat;
    uint64_t  revocations;          /* how many there were when looked at */
    u_char    generation[NGX_HTTP_AKL_K8S_GENERATION];  /* of the config */
    char      thumbprint[AKL_THUMBPRINT];     /* of the key */
} ngx_http_akl_k8s_minted_head_t;


_Static_assert(sizeof(ngx_http_akl_k8s_minted_head_t) + AKL_CLAIMS_MAX
               <= NGX_AKL_BLOB_MAX, "claims fit a blob");


static ngx_int_t ngx_http_akl_k8s_minted_recall(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_array_t *configs, ngx_akl_key_t *key,
    ngx_http_akl_k8s_revocations_t *now, akl_reason_t *reason);
static ngx_http_akl_k8s_config_t *ngx_http_akl_k8s_minted_config(
    ngx_array_t *configs, ngx_http_akl_k8s_minted_head_t *head);
static akl_reason_t ngx_http_akl_k8s_minted_verify(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_array_t *configs, ngx_str_t *token,
    ngx_akl_key_t *key, ngx_http_akl_k8s_revocations_t *now);
static akl_reason_t ngx_http_akl_k8s_minted_keep(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_jws_t *jws,
    ngx_http_akl_k8s_minted_head_t *head, ngx_akl_key_t *key,
    ngx_http_akl_k8s_revocations_t *now);
static ngx_int_t ngx_http_akl_k8s_minted_say(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_str_t claims);
static ngx_uint_t ngx_http_akl_k8s_minted_revoked(
    ngx_http_akl_k8s_main_conf_t *amcf, akl_str_t claims, time_t iat,
    ngx_uint_t listed);


static u_char  ngx_http_akl_k8s_minted_buf[NGX_AKL_BLOB_MAX];


akl_reason_t
ngx_http_akl_k8s_minted(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_array_t *configs, ngx_str_t *token)
{
    ngx_str_t                       parts[2];
    akl_reason_t                    reason;
    ngx_akl_key_t                   key;
    ngx_http_akl_k8s_main_conf_t   *amcf;
    ngx_http_akl_k8s_revocations_t  now;

    if (token->len > AKL_JWS_MAX) {
        return AKL_TOKEN_TOO_LARGE;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    /* before anything else is looked at: there may be more meanwhile */

    if (ngx_http_akl_k8s_revocations_look(amcf, &now) != NGX_OK) {
        return AKL_INTERNAL_ERROR;
    }

    ngx_str_set(&parts[0], "guard " NGX_HTTP_AKL_K8S_VERSION);
    parts[1] = *token;

    if (ngx_akl_zone_key(amcf->zone, &key, parts, 2) != NGX_OK) {
        return AKL_INTERNAL_ERROR;
    }

    if (ngx_http_akl_k8s_minted_recall(r, ctx, configs, &key, &now,
                                       &reason)
        == NGX_OK)
    {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "akl_k8s token %08xD: found, %s", ngx_akl_key_id(&key),
                       akl_reason_code(reason).data);
        return reason;
    }

    reason = ngx_http_akl_k8s_minted_verify(r, ctx, configs, token, &key,
                                            &now);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "akl_k8s token %08xD: verified, %s", ngx_akl_key_id(&key),
                   akl_reason_code(reason).data);

    return reason;
}


/* NGX_OK with a reason, or NGX_DECLINED where it has to be verified */

static ngx_int_t
ngx_http_akl_k8s_minted_recall(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_array_t *configs, ngx_akl_key_t *key,
    ngx_http_akl_k8s_revocations_t *now, akl_reason_t *reason)
{
    size_t                          len;
    time_t                          expires;
    ngx_uint_t                      listed;
    akl_str_t                       claims;
    ngx_http_akl_k8s_config_t      *config;
    ngx_http_akl_k8s_main_conf_t   *amcf;
    ngx_http_akl_k8s_minted_head_t   head;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    len = NGX_AKL_BLOB_MAX;

    if (ngx_akl_zone_get(amcf->zone, NGX_AKL_GUARD, key, ngx_time(),
                         ngx_http_akl_k8s_minted_buf, &len, &expires)
        != NGX_OK
        || len < sizeof(ngx_http_akl_k8s_minted_head_t))
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(&head, ngx_http_akl_k8s_minted_buf,
               sizeof(ngx_http_akl_k8s_minted_head_t));

    config = ngx_http_akl_k8s_minted_config(configs, &head);

    if (config == NULL || head.exp <= ngx_time()) {
        return NGX_DECLINED;
    }

    claims.data = ngx_http_akl_k8s_minted_buf
                  + sizeof(ngx_http_akl_k8s_minted_head_t);
    claims.len = len - sizeof(ngx_http_akl_k8s_minted_head_t);

    *reason = AKL_OK;

    /* files are looked at each time: each worker has tables of its own */

    listed = (head.revocations != now->listed);

    if ((listed || now->filed)
        && ngx_http_akl_k8s_minted_revoked(amcf, claims, head.iat, listed))
    {
        ctx->config = config;
        (void) ngx_http_akl_k8s_minted_say(r, ctx, claims);

        *reason = AKL_TOKEN_REVOKED;
        return NGX_OK;
    }

    if (listed) {
        head.revocations = now->listed;

        ngx_memcpy(ngx_http_akl_k8s_minted_buf, &head,
                   sizeof(ngx_http_akl_k8s_minted_head_t));

        (void) ngx_akl_zone_set(amcf->zone, NGX_AKL_GUARD, key,
                                ngx_http_akl_k8s_minted_buf, len, expires);
    }

    if (ngx_http_akl_k8s_minted_say(r, ctx, claims) != NGX_OK) {
        *reason = AKL_INTERNAL_ERROR;
        return NGX_OK;
    }

    ctx->config = config;
    ctx->token_expires = head.exp;
    ctx->cache = NGX_HTTP_AKL_K8S_CACHE_HIT;

    return NGX_OK;
}


/* the config still in force, and still with the key, that verified a token */

static ngx_http_akl_k8s_config_t *
ngx_http_akl_k8s_minted_config(ngx_array_t *configs,
    ngx_http_akl_k8s_minted_head_t *head)
{
    size_t                       k;
    ngx_uint_t                   i;
    ngx_http_akl_k8s_config_t  **config;

    config = configs->elts;

    for (i = 0; i < configs->nelts; i++) {

        if (ngx_memcmp(config[i]->generation, head->generation,
                       sizeof(head->generation))
            != 0)
        {
            continue;
        }

        for (k = 0; k < config[i]->keys.n; k++) {
            if (ngx_memcmp(config[i]->keys.keys[k].thumbprint,
                           head->thumbprint, sizeof(head->thumbprint))
                == 0)
            {
                return config[i];
            }
        }
    }

    return NULL;
}


static akl_reason_t
ngx_http_akl_k8s_minted_verify(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_array_t *configs, ngx_str_t *token,
    ngx_akl_key_t *key, ngx_http_akl_k8s_revocations_t *now)
{
    size_t                          used;
    akl_jws_t                       jws;
    akl_reason_t                    reason;
    ngx_http_akl_k8s_config_t      *config;
    ngx_http_akl_k8s_minted_head_t   head;

    used = 0;
    config = NULL;

    ctx->cache = NGX_HTTP_AKL_K8S_CACHE_MISS;

    ngx_memzero(&head, sizeof(ngx_http_akl_k8s_minted_head_t));

    reason = ngx_http_akl_k8s_minted_reason(
                          akl_jws_parse(&jws, ngx_http_akl_k8s_str(token)));

    if (reason == AKL_OK) {
        reason = ngx_http_akl_k8s_minted_signature(&jws, configs, &config,
                                                  &used);
    }

    if (reason == AKL_OK) {
        ctx->config = config;

        ngx_memcpy(head.generation, config->generation,
                   sizeof(head.generation));
        ngx_memcpy(head.thumbprint, config->keys.keys[used].thumbprint,
                   sizeof(head.thumbprint));

        reason = ngx_http_akl_k8s_minted_claims(&jws, config, &head.exp,
                                                &head.iat);
    }

    if (reason == AKL_OK) {
        head.revocations = now->listed;
        reason = ngx_http_akl_k8s_minted_keep(r, ctx, &jws, &head, key, now);
    }

    akl_jws_clear(&jws);

    return reason;
}


static akl_reason_t
ngx_http_akl_k8s_minted_keep(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_jws_t *jws,
    ngx_http_akl_k8s_minted_head_t *head, ngx_akl_key_t *key,
    ngx_http_akl_k8s_revocations_t *now)
{
    u_char                        *p;
    time_t                         expires;
    ssize_t                        n;
    akl_str_t                      claims;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    p = ngx_http_akl_k8s_minted_buf + sizeof(ngx_http_akl_k8s_minted_head_t);

    n = akl_claims_flatten(&jws->payload, p, AKL_CLAIMS_MAX);

    if (n < 0) {
        return AKL_TOKEN_TOO_LARGE;
    }

    claims.data = p;
    claims.len = n;

    ngx_http_akl_k8s_revocations_outlive(amcf, head->exp);

    if ((now->listed || now->filed)
        && ngx_http_akl_k8s_minted_revoked(amcf, claims, head->iat,
                                          now->listed != 0))
    {
        (void) ngx_http_akl_k8s_minted_say(r, ctx, claims);
        return AKL_TOKEN_REVOKED;
    }

    if (ngx_http_akl_k8s_minted_say(r, ctx, claims) != NGX_OK) {
        return AKL_INTERNAL_ERROR;
    }

    ctx->token_expires = head->exp;

    ngx_memcpy(ngx_http_akl_k8s_minted_buf, head,
               sizeof(ngx_http_akl_k8s_minted_head_t));

    expires = ngx_time() + NGX_HTTP_AKL_K8S_MINTED_TIME;

    (void) ngx_akl_zone_set(amcf->zone, NGX_AKL_GUARD, key,
                            ngx_http_akl_k8s_minted_buf,
                            sizeof(ngx_http_akl_k8s_minted_head_t) + claims.len,
                            ngx_min(expires, (time_t) head->exp));

    return AKL_OK;
}


/* of a token that is revoked, too: the log says whose it was */

static ngx_int_t
ngx_http_akl_k8s_minted_say(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_str_t claims)
{
    ctx->claims.data = ngx_pnalloc(r->pool, claims.len);

    if (ctx->claims.data == NULL) {
        ctx->claims.len = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(ctx->claims.data, claims.data, claims.len);
    ctx->claims.len = claims.len;

    return NGX_OK;
}


/* a token that cannot be named cannot be found on the list either */

static ngx_uint_t
ngx_http_akl_k8s_minted_revoked(ngx_http_akl_k8s_main_conf_t *amcf,
    akl_str_t claims, time_t iat, ngx_uint_t listed)
{
    akl_str_t  jti, sub;
    ngx_str_t  s[2];

    if (!akl_claims_string(claims, akl_str("jti"), &jti)
        || !akl_claims_string(claims, akl_str("sub"), &sub))
    {
        return 1;
    }

    s[0] = ngx_http_akl_k8s_ngx_str(&jti);
    s[1] = ngx_http_akl_k8s_ngx_str(&sub);

    return ngx_http_akl_k8s_revoked(amcf, &s[0], &s[1], iat, listed);
}


/* RFC 8705 section 3: of a token that says whose it is, and of no other */

akl_reason_t
ngx_http_akl_k8s_minted_holder(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx)
{
    u_char       confirmation[sizeof(NGX_HTTP_AKL_K8S_CNF)
                              + NGX_HTTP_AKL_K8S_THUMBPRINT_LEN + 2];
    u_char       thumbprint[NGX_HTTP_AKL_K8S_THUMBPRINT_LEN];
    akl_str_t    said, wanted;
    akl_claim_t  claim;
    ngx_uint_t   bound;

    bound = akl_claims_lookup(ngx_http_akl_k8s_str(&ctx->claims),
                              akl_str("cnf"), 0, &claim);

    if (!bound && !ctx->config->token_binding) {
        return AKL_OK;
    }

    switch (ngx_http_akl_k8s_thumbprint(r, thumbprint)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return AKL_CERTIFICATE_MISSING;

    default:
        return AKL_INTERNAL_ERROR;
    }

    /* as it was written when the token was minted */

    wanted.data = confirmation;
    wanted.len = ngx_sprintf(confirmation, NGX_HTTP_AKL_K8S_CNF "%*s\"}",
                             sizeof(thumbprint), thumbprint)
                 - confirmation;

    return (bound && akl_claim_next(&claim, &said)
            && akl_str_eq(said, wanted))
           ? AKL_OK : AKL_CERTIFICATE_MISMATCH;
}


void
ngx_http_akl_k8s_minted_refused(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason, const char *detail)
{
    ngx_http_akl_k8s_outcome(r, ctx, reason, detail);

    ngx_memzero(&ctx->identity, sizeof(akl_identity_t));
    ngx_str_null(&ctx->claims);
    ctx->token_expires = 0;
}


ngx_int_t
ngx_http_akl_k8s_minted_payload(ngx_pool_t *pool, ngx_str_t *token,
    akl_doc_t *payload)
{
    u_char     *last, *dot, *buf;
    ssize_t     n;
    akl_str_t   s;

    akl_doc_init(payload);

    last = token->data + token->len;

    dot = ngx_strlchr(token->data, last, '.');
    if (dot == NULL) {
        return NGX_ERROR;
    }

    s.data = dot + 1;

    dot = ngx_strlchr(dot + 1, last, '.');
    if (dot == NULL) {
        return NGX_ERROR;
    }

    s.len = dot - s.data;

    buf = ngx_pnalloc(pool, akl_base64_decoded_len(s.len));
    if (buf == NULL) {
        return NGX_ERROR;
    }

    n = akl_base64url_decode(buf, s);
    if (n < 0) {
        return NGX_ERROR;
    }

    s.data = buf;
    s.len = n;

    return (akl_doc_parse(payload, s) == 0) ? NGX_OK : NGX_ERROR;
}
