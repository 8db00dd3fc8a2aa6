/*
 * Revocations: those of files, and a bounded list in the zone where there is
 * no journal.  A counter tells guards without a lock that the list has grown.
 */

#include "revocation_files.h"
#include "revocations.h"


static void ngx_http_akl_k8s_revoke_kept(void *data, ngx_int_t rc);
static void ngx_http_akl_k8s_revoke_count(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_int_t rc);
static time_t ngx_http_akl_k8s_revoke_life(ngx_http_akl_k8s_main_conf_t *amcf);
static ngx_int_t ngx_http_akl_k8s_revoke_list(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_revocation_t *rev);
static ngx_int_t ngx_http_akl_k8s_revoke_key(ngx_akl_zone_t *zone,
    const char *kind, ngx_str_t *name, ngx_akl_key_t *key);


const char  *ngx_http_akl_k8s_revoke_names[NGX_HTTP_AKL_K8S_REVOKE_N] = {
    "kept", "full", "failed"
};


ngx_int_t
ngx_http_akl_k8s_revocations_init(ngx_conf_t *cf)
{
    ngx_int_t                      n;
    ngx_uint_t                     i;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    static ngx_str_t  name = ngx_string("revocations");
    static ngx_str_t  longest = ngx_string("longest");

    static ngx_str_t  results[] = {
        ngx_string("revocations kept"),
        ngx_string("revocations full"),
        ngx_string("revocations failed")
    };

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    n = ngx_akl_zone_series(amcf->zone, &name);

    /* one of its own, or a full table would hide that there are any */

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    amcf->revocations = n;

    n = ngx_akl_zone_series(amcf->zone, &longest);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    amcf->longest = n;

    for (i = 0; i < NGX_HTTP_AKL_K8S_REVOKE_N; i++) {
        n = ngx_akl_zone_series(amcf->zone, &results[i]);
        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        amcf->revoked[i] = n;
    }

    return ngx_http_akl_k8s_revocation_files_init(cf);
}


ngx_int_t
ngx_http_akl_k8s_revocations_look(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_revocations_t *now)
{
    now->listed = ngx_akl_zone_read(amcf->zone, amcf->revocations);

    if (ngx_http_akl_k8s_revocation_files_current(amcf) != NGX_OK) {
        return NGX_ERROR;
    }

    now->filed = ngx_http_akl_k8s_revocation_files_count(amcf);

    return NGX_OK;
}


void
ngx_http_akl_k8s_revocations_outlive(ngx_http_akl_k8s_main_conf_t *amcf,
    int64_t exp)
{
    /* others may sign with the same key, and for longer than we would */

    exp = ngx_min(exp, ngx_time() + NGX_HTTP_AKL_K8S_TIME_MAX);

    ngx_akl_zone_lift(amcf->zone, amcf->longest, (ngx_atomic_uint_t) exp);
}


ngx_uint_t
ngx_http_akl_k8s_revoked(ngx_http_akl_k8s_main_conf_t *amcf, ngx_str_t *jti,
    ngx_str_t *sub, time_t iat, ngx_uint_t listed)
{
    size_t         len;
    u_char         blob[sizeof(int64_t)];
    int64_t        before;
    ngx_akl_key_t  key;

    if (ngx_http_akl_k8s_revocation_files_match(amcf, jti, sub, iat)) {
        return 1;
    }

    if (!listed) {
        return 0;
    }

    len = sizeof(blob);

    /* what cannot be looked up counts as revoked */

    if (ngx_http_akl_k8s_revoke_key(amcf->zone, "revoked jti", jti, &key)
        != NGX_OK)
    {
        return 1;
    }

    if (ngx_akl_zone_get(amcf->zone, NGX_AKL_REVOKED, &key, ngx_time(), blob,
                         &len, NULL)
        != NGX_DECLINED)
    {
        return 1;
    }

    if (ngx_http_akl_k8s_revoke_key(amcf->zone, "revoked sub", sub, &key)
        != NGX_OK)
    {
        return 1;
    }

    len = sizeof(blob);

    switch (ngx_akl_zone_get(amcf->zone, NGX_AKL_REVOKED, &key, ngx_time(),
                             blob, &len, NULL))
    {
    case NGX_DECLINED:
        return 0;

    case NGX_OK:
        if (len == sizeof(int64_t)) {
            ngx_memcpy(&before, blob, sizeof(int64_t));
            return (int64_t) iat < before;
        }

        /* fall through */

    default:
        return 1;
    }
}


ngx_int_t
ngx_http_akl_k8s_revoke_keep(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_revocation_t *rev)
{
    ngx_int_t                          rc;
    ngx_http_akl_k8s_journal_wait_t   *wait;

    if (rev->until == 0) {
        rev->until = ngx_time() + ngx_http_akl_k8s_revoke_life(amcf);
    }

    if (amcf->journal == NULL) {
        rc = ngx_http_akl_k8s_revoke_list(amcf, rev);
        ngx_http_akl_k8s_revoke_count(amcf, rc);

        return rc;
    }

    wait = &rev->wait;

    wait->entry.jti = ngx_http_akl_k8s_str(&rev->jti);
    wait->entry.sub = ngx_http_akl_k8s_str(&rev->sub);
    wait->entry.before = rev->time;
    wait->entry.until = rev->until;
    wait->done = ngx_http_akl_k8s_revoke_kept;
    wait->data = rev;

    ngx_http_akl_k8s_journal_keep(amcf, wait);

    return NGX_AGAIN;
}


void
ngx_http_akl_k8s_revoke_forget(ngx_http_akl_k8s_revocation_t *rev)
{
    ngx_http_akl_k8s_journal_forget(&rev->wait);
}


static void
ngx_http_akl_k8s_revoke_kept(void *data, ngx_int_t rc)
{
    ngx_http_akl_k8s_revocation_t *rev = data;

    ngx_http_akl_k8s_revoke_count(
        ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                            ngx_http_akl_k8s_module), rc);

    if (rc == NGX_OK) {
        rev->time = rev->wait.entry.before;
    }

    rev->done(rev, rc);
}


static void
ngx_http_akl_k8s_revoke_count(ngx_http_akl_k8s_main_conf_t *amcf, ngx_int_t rc)
{
    ngx_uint_t  result;

    switch (rc) {

    case NGX_OK:
        result = NGX_HTTP_AKL_K8S_REVOKE_KEPT;
        break;

    case NGX_DECLINED:
        result = NGX_HTTP_AKL_K8S_REVOKE_FULL;
        break;

    default:
        result = NGX_HTTP_AKL_K8S_REVOKE_FAILED;
    }

    ngx_akl_zone_add_to(amcf->zone, amcf->revoked[result], 1);
}


/* no token that is minted from now on outlives this, nor one before */

static time_t
ngx_http_akl_k8s_revoke_life(ngx_http_akl_k8s_main_conf_t *amcf)
{
    time_t                       ttl;
    ngx_uint_t                   i;
    ngx_http_akl_k8s_method_t  **method;

    ttl = 0;
    method = amcf->methods.elts;

    for (i = 0; i < amcf->methods.nelts; i++) {
        ttl = ngx_max(ttl, method[i]->token_ttl);
    }

    ttl = ngx_max(ttl, (time_t) ngx_akl_zone_read(amcf->zone, amcf->longest)
                       - ngx_time());

    return ttl + 1;
}


static ngx_int_t
ngx_http_akl_k8s_revoke_list(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_revocation_t *rev)
{
    ngx_int_t       rc;
    ngx_str_t      *name;
    const char     *kind;
    ngx_akl_key_t   key;

    if (rev->jti.len) {
        kind = "revoked jti";
        name = &rev->jti;

    } else {
        kind = "revoked sub";
        name = &rev->sub;
    }

    if (ngx_http_akl_k8s_revoke_key(amcf->zone, kind, name, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rev->jti.len) {
        rc = ngx_akl_zone_set(amcf->zone, NGX_AKL_REVOKED, &key,
                              (u_char *) &rev->time, sizeof(int64_t),
                              rev->until);

    } else {

        /* an earlier time takes nothing back */

        rc = ngx_akl_zone_raise(amcf->zone, NGX_AKL_REVOKED, &key,
                                ngx_http_akl_k8s_revoke_life(amcf),
                                &rev->time, &rev->until);
    }

    if (rc == NGX_OK) {

        /* after the entry: guards look at the list when they see this */

        ngx_akl_zone_add_to(amcf->zone, amcf->revocations, 1);
    }

    return rc;
}


static ngx_int_t
ngx_http_akl_k8s_revoke_key(ngx_akl_zone_t *zone, const char *kind,
    ngx_str_t *name, ngx_akl_key_t *key)
{
    ngx_str_t  parts[2];

    parts[0].data = (u_char *) kind;
    parts[0].len = ngx_strlen(kind);
    parts[1] = *name;

    return ngx_akl_zone_key(zone, key, parts, 2);
}
