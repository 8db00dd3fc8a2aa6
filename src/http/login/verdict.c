/*
 * Verdicts in the zone: a fixed head, then the strings one after another.
 */

#include <ngx_config.h>

#include "../secret.h"
#include "../token/revocations.h"
#include "verdict.h"


#define NGX_HTTP_AKL_K8S_VERDICT_STRINGS  10


typedef struct {
    int64_t   expires;
    int64_t   minted;
    int64_t   token_expires;
    uint32_t  reason;
    uint32_t  len[NGX_HTTP_AKL_K8S_VERDICT_STRINGS];
} ngx_http_akl_k8s_verdict_head_t;


static ngx_uint_t ngx_http_akl_k8s_verdict_revoked(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_config_t *config,
    ngx_http_akl_k8s_verdict_t *verdict);
static time_t ngx_http_akl_k8s_verdict_until(
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_verdict_t *verdict);
static ngx_int_t ngx_http_akl_k8s_verdict_decode(
    ngx_http_akl_k8s_verdict_t *verdict, u_char *buf, size_t len);
static void ngx_http_akl_k8s_verdict_strings(
    ngx_http_akl_k8s_verdict_t *verdict, akl_str_t **s);


static u_char  ngx_http_akl_k8s_verdict_buf[NGX_AKL_BLOB_MAX];


ngx_int_t
ngx_http_akl_k8s_verdict_key(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_str_t *token, ngx_akl_key_t *key)
{
    ngx_str_t  parts[3];

    ngx_str_set(&parts[0], "verdict " NGX_HTTP_AKL_K8S_VERSION);

    parts[1].data = config->generation;
    parts[1].len = sizeof(config->generation);

    parts[2] = *token;

    return ngx_akl_zone_key(zone, key, parts, 3);
}


ngx_int_t
ngx_http_akl_k8s_verdict_wanted(ngx_akl_zone_t *zone, ngx_akl_key_t *key,
    const ngx_http_akl_k8s_wanted_t *wanted, ngx_akl_key_t *copy)
{
    uint64_t   audiences;
    ngx_str_t  parts[4];

    audiences = wanted->audiences;

    ngx_str_set(&parts[0], "wanted " NGX_HTTP_AKL_K8S_VERSION);

    parts[1].data = key->data;
    parts[1].len = NGX_AKL_KEY_LEN;

    parts[2].data = (u_char *) &audiences;
    parts[2].len = sizeof(audiences);

    parts[3].data = (u_char *) wanted->certificate;
    parts[3].len = wanted->bound ? sizeof(wanted->certificate) : 0;

    return ngx_akl_zone_key(zone, copy, parts, 4);
}


ngx_int_t
ngx_http_akl_k8s_verdict_namespace_key(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_str_t *namespace, ngx_str_t *token,
    ngx_akl_key_t *key)
{
    ngx_str_t  parts[4];

    ngx_str_set(&parts[0], "namespace " NGX_HTTP_AKL_K8S_VERSION);

    parts[1].data = config->generation;
    parts[1].len = sizeof(config->generation);

    parts[2] = *namespace;
    parts[3] = *token;

    return ngx_akl_zone_key(zone, key, parts, config->reviewer_self ? 4 : 3);
}


ngx_int_t
ngx_http_akl_k8s_verdict_get(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_akl_key_t *key,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    size_t  len;
    time_t  until;

    len = NGX_AKL_BLOB_MAX;

    if (config->cache_valid
        && ngx_akl_zone_get(zone, NGX_AKL_VERDICT, key, ngx_time(),
                            ngx_http_akl_k8s_verdict_buf, &len, &until)
           == NGX_OK)
    {
        goto found;
    }

    len = NGX_AKL_BLOB_MAX;

    if (config->cache_refused
        && ngx_akl_zone_get(zone, NGX_AKL_REFUSAL, key, ngx_time(),
                            ngx_http_akl_k8s_verdict_buf, &len, &until)
           == NGX_OK)
    {
        goto found;
    }

    return NGX_DECLINED;

found:

    verdict->until = until;

    return ngx_http_akl_k8s_verdict_decode(verdict,
                                           ngx_http_akl_k8s_verdict_buf, len);
}


ngx_int_t
ngx_http_akl_k8s_verdict_get_alias(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_akl_key_t *alias, ngx_http_akl_k8s_config_t **config,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    size_t                       len, extra_len;
    time_t                       until;
    u_char                       extra[NGX_AKL_ALIAS_EXTRA];
    ngx_uint_t                   i;
    ngx_akl_key_t                key;
    ngx_http_akl_k8s_config_t  **configs;

    len = NGX_AKL_BLOB_MAX;
    extra_len = sizeof(extra);

    if (ngx_akl_zone_get_alias(amcf->zone, alias, ngx_time(),
                               ngx_http_akl_k8s_verdict_buf, &len, &until,
                               &key, extra, &extra_len)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* a config that changed since has another generation */

    configs = amcf->configs.elts;

    for (i = 0; i < amcf->configs.nelts; i++) {
        if (extra_len == sizeof(configs[i]->generation)
            && ngx_memcmp(extra, configs[i]->generation, extra_len) == 0)
        {
            *config = configs[i];
            verdict->until = until;
            return ngx_http_akl_k8s_verdict_decode(verdict,
                                            ngx_http_akl_k8s_verdict_buf, len);
        }
    }

    return NGX_DECLINED;
}


void
ngx_http_akl_k8s_verdict_set(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_akl_key_t *key,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    u_char                           *p;
    time_t                            expires;
    akl_str_t                        *s[NGX_HTTP_AKL_K8S_VERDICT_STRINGS];
    ngx_uint_t                        i;
    ngx_akl_class_e                   cls;
    ngx_http_akl_k8s_verdict_head_t   head;

    switch (akl_reason_kind(verdict->reason)) {

    case AKL_KIND_OK:
        cls = NGX_AKL_VERDICT;
        expires = ngx_http_akl_k8s_verdict_until(config, verdict);
        break;

    case AKL_KIND_REFUSED:
        cls = NGX_AKL_REFUSAL;
        expires = ngx_time() + config->cache_refused;

        if (verdict->end) {
            expires = ngx_min(expires, verdict->end);
        }

        break;

    default:
        return;
    }

    if (expires <= ngx_time()) {
        return;
    }

    ngx_memzero(&head, sizeof(ngx_http_akl_k8s_verdict_head_t));

    head.expires = verdict->expires;
    head.minted = verdict->minted.issued;
    head.token_expires = verdict->minted.expires;
    head.reason = verdict->reason;

    ngx_http_akl_k8s_verdict_strings(verdict, s);

    p = ngx_http_akl_k8s_verdict_buf + sizeof(ngx_http_akl_k8s_verdict_head_t);

    for (i = 0; i < NGX_HTTP_AKL_K8S_VERDICT_STRINGS; i++) {

        if (s[i]->len > (size_t) (ngx_http_akl_k8s_verdict_buf
                                  + NGX_AKL_BLOB_MAX - p))
        {
            return;
        }

        head.len[i] = (uint32_t) s[i]->len;
        if (s[i]->len) {
            p = ngx_cpymem(p, s[i]->data, s[i]->len);
        }
    }

    ngx_memcpy(ngx_http_akl_k8s_verdict_buf, &head,
               sizeof(ngx_http_akl_k8s_verdict_head_t));

    (void) ngx_akl_zone_set(zone, cls, key, ngx_http_akl_k8s_verdict_buf,
                            p - ngx_http_akl_k8s_verdict_buf, expires);
}


void
ngx_http_akl_k8s_verdict_set_alias(ngx_akl_zone_t *zone,
    ngx_http_akl_k8s_config_t *config, ngx_akl_key_t *alias,
    ngx_akl_key_t *key, ngx_http_akl_k8s_verdict_t *verdict)
{
    u_char  blob[NGX_AKL_KEY_LEN + sizeof(config->generation)];
    time_t  expires;

    expires = ngx_http_akl_k8s_verdict_until(config, verdict);

    if (expires <= ngx_time()) {
        return;
    }

    ngx_memcpy(blob, key->data, NGX_AKL_KEY_LEN);
    ngx_memcpy(blob + NGX_AKL_KEY_LEN, config->generation,
               sizeof(config->generation));

    (void) ngx_akl_zone_set(zone, NGX_AKL_ALIAS, alias, blob, sizeof(blob),
                            expires);
}


ngx_int_t
ngx_http_akl_k8s_verdict_copy(ngx_pool_t *pool,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    size_t       len;
    u_char      *p;
    akl_str_t   *s[NGX_HTTP_AKL_K8S_VERDICT_STRINGS];
    ngx_uint_t   i;

    ngx_http_akl_k8s_verdict_strings(verdict, s);

    len = 0;

    for (i = 0; i < NGX_HTTP_AKL_K8S_VERDICT_STRINGS; i++) {
        len += s[i]->len;
    }

    /* the token that was minted is one of them */

    p = ngx_http_akl_k8s_secret(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_AKL_K8S_VERDICT_STRINGS; i++) {
        len = s[i]->len;

        if (len) {
            ngx_memcpy(p, s[i]->data, len);
        }

        s[i]->data = p;
        p += len;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_akl_k8s_verdict_fresh(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_verdict_t *verdict)
{
    time_t  end, left;

    if (verdict->minted.token.len == 0) {
        return 0;
    }

    left = verdict->minted.expires - ngx_time();

    if (left <= 0 || ngx_http_akl_k8s_verdict_revoked(amcf, config, verdict)) {
        return 0;
    }

    if (left >= config->method->token_ttl / 2) {
        return 1;
    }

    /* as long as any new one could live */

    end = verdict->expires;

    if (config->method->access_expires
        && (end == 0 || end > config->method->access_expires))
    {
        end = config->method->access_expires;
    }

    return end != 0 && verdict->minted.expires >= end;
}


static ngx_uint_t
ngx_http_akl_k8s_verdict_revoked(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_verdict_t *verdict)
{
    u_char                          buf[AKL_SUBJECT_MAX];
    akl_str_t                       subject;
    ngx_str_t                       jti, sub;
    ngx_http_akl_k8s_revocations_t  now;

    /* where nobody knows, a new one is minted */

    if (ngx_http_akl_k8s_revocations_look(amcf, &now) != NGX_OK) {
        return 1;
    }

    if (now.listed == 0 && now.filed == 0) {
        return 0;
    }

    if (akl_subject_write(&config->subject, &verdict->identity, buf, &subject))
    {
        return 1;
    }

    jti = ngx_http_akl_k8s_ngx_str(&verdict->minted.jti);
    sub = ngx_http_akl_k8s_ngx_str(&subject);

    return ngx_http_akl_k8s_revoked(amcf, &jti, &sub, verdict->minted.issued,
                                    now.listed != 0);
}


static time_t
ngx_http_akl_k8s_verdict_until(ngx_http_akl_k8s_config_t *config,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    time_t  until;

    if (verdict->until) {
        return verdict->until;
    }

    until = ngx_time() + config->cache_valid;

    if (verdict->expires) {
        until = ngx_min(until, verdict->expires);
    }

    return verdict->end ? ngx_min(until, verdict->end) : until;
}


static ngx_int_t
ngx_http_akl_k8s_verdict_decode(ngx_http_akl_k8s_verdict_t *verdict,
    u_char *buf, size_t len)
{
    u_char                           *p, *last;
    akl_str_t                        *s[NGX_HTTP_AKL_K8S_VERDICT_STRINGS];
    ngx_uint_t                        i;
    ngx_http_akl_k8s_verdict_head_t   head;

    if (len < sizeof(ngx_http_akl_k8s_verdict_head_t)) {
        return NGX_DECLINED;
    }

    ngx_memcpy(&head, buf, sizeof(ngx_http_akl_k8s_verdict_head_t));

    verdict->reason = head.reason;
    verdict->expires = head.expires;
    verdict->minted.issued = head.minted;
    verdict->minted.expires = head.token_expires;
    verdict->end = 0;
    verdict->retry_after = 0;
    verdict->detail = NULL;

    ngx_http_akl_k8s_verdict_strings(verdict, s);

    p = buf + sizeof(ngx_http_akl_k8s_verdict_head_t);
    last = buf + len;

    for (i = 0; i < NGX_HTTP_AKL_K8S_VERDICT_STRINGS; i++) {

        if (head.len[i] > (size_t) (last - p)) {
            return NGX_DECLINED;
        }

        s[i]->len = head.len[i];
        s[i]->data = p;
        p += head.len[i];
    }

    return NGX_OK;
}


static void
ngx_http_akl_k8s_verdict_strings(ngx_http_akl_k8s_verdict_t *verdict,
    akl_str_t **s)
{
    s[0] = &verdict->minted.token;
    s[1] = &verdict->minted.jti;
    s[2] = &verdict->aud;
    s[3] = &verdict->identity.namespace;
    s[4] = &verdict->identity.sa_name;
    s[5] = &verdict->identity.sa_uid;
    s[6] = &verdict->identity.secret_name;
    s[7] = &verdict->identity.pod_name;
    s[8] = &verdict->identity.pod_uid;
    s[9] = &verdict->identity.node_name;
}
