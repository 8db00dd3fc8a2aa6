/*
 * The list of revocations: bounded, in the zone.  A counter tells guards
 * without a lock that the list has grown.
 */

#include "revocations.h"


static ngx_int_t ngx_http_akl_k8s_revoke_key(ngx_akl_zone_t *zone,
    const char *kind, ngx_str_t *name, ngx_akl_key_t *key);


ngx_int_t
ngx_http_akl_k8s_revocations_init(ngx_conf_t *cf)
{
    ngx_int_t                      n;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    static ngx_str_t  name = ngx_string("revocations");
    static ngx_str_t  longest = ngx_string("longest");

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->zone) {
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
    }

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
    ngx_str_t *sub, time_t iat)
{
    size_t         len;
    u_char         blob[sizeof(int64_t)];
    int64_t        before;
    ngx_akl_key_t  key;

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
ngx_http_akl_k8s_revoke_keep(ngx_http_request_t *r,
    ngx_http_akl_k8s_revocation_t *rev)
{
    time_t                         ttl;
    ngx_int_t                      rc;
    ngx_str_t                     *name;
    ngx_uint_t                     i;
    const char                    *kind;
    ngx_akl_key_t                  key;
    ngx_http_akl_k8s_method_t    **method;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    if (amcf->zone == NULL) {
        return NGX_ERROR;
    }

    /* no token that is minted from now on outlives this, nor one before */

    ttl = 0;
    method = amcf->methods.elts;

    for (i = 0; i < amcf->methods.nelts; i++) {
        ttl = ngx_max(ttl, method[i]->token_ttl);
    }

    ttl = ngx_max(ttl, (time_t) ngx_akl_zone_read(amcf->zone, amcf->longest)
                       - ngx_time());

    rev->until = ngx_time() + ttl + 1;

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

        rc = ngx_akl_zone_raise(amcf->zone, NGX_AKL_REVOKED, &key, ttl + 1,
                                &rev->time, &rev->until);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* after the entry: guards look at the list when they see this */

    ngx_akl_zone_add_to(amcf->zone, amcf->revocations, 1);

    return NGX_OK;
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
