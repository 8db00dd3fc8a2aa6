/*
 * akl_k8s_require: what the claims of a token have to be, AND between claims
 * and lines, OR between the values of one.  Levels below add to it.
 */

#include "guard.h"


#define NGX_HTTP_AKL_K8S_SEEN_LEN  256


static ngx_int_t ngx_http_akl_k8s_require_rule(ngx_conf_t *cf,
    ngx_array_t *rules, ngx_str_t *value, ngx_uint_t icase);
static void ngx_http_akl_k8s_require_deny(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_str_t name, ngx_uint_t dry_run);


char *
ngx_http_akl_k8s_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, n, icase;

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {

        if (alcf->require_off || alcf->require != NGX_CONF_UNSET_PTR) {
            return "\"off\" goes before other requirements, and once";
        }

        alcf->require_off = 1;

        return NGX_CONF_OK;
    }

    if (alcf->require == NGX_CONF_UNSET_PTR) {
        alcf->require = ngx_array_create(cf->pool, 4, sizeof(akl_subclaim_t));
        if (alcf->require == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    n = 0;
    icase = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "case_sensitive=", 15) == 0) {

            if (ngx_strcmp(value[i].data + 15, "off") == 0) {
                icase = 1;

            } else if (ngx_strcmp(value[i].data + 15, "on") != 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" of \"akl_k8s_require\" is neither "
                                   "on nor off", &value[i]);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        n++;
    }

    if (n == 0) {
        return "needs a claim and its values";
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "case_sensitive=", 15) == 0) {
            continue;
        }

        if (ngx_http_akl_k8s_require_rule(cf, alcf->require, &value[i], icase)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_akl_k8s_require_rule(ngx_conf_t *cf, ngx_array_t *rules,
    ngx_str_t *value, ngx_uint_t icase)
{
    size_t           i, n;
    akl_str_t        name, *globs;
    const char      *cause;
    akl_subclaim_t  *rule;

    cause = akl_subclaim_parse(ngx_http_akl_k8s_str(value), &name, NULL, &n);

    /* the name is shown in a header's quoted string */

    for (i = 0; cause == NULL && i < name.len; i++) {
        if (name.data[i] <= 0x20 || name.data[i] >= 0x7f
            || name.data[i] == '"' || name.data[i] == '\\')
        {
            cause = "names no claim that can be shown";
        }
    }

    if (cause) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"akl_k8s_require\" %s%s", value, cause,
                           ngx_http_akl_k8s_swallowed(cf, value));
        return NGX_ERROR;
    }

    globs = ngx_palloc(cf->pool, n * sizeof(akl_str_t));
    if (globs == NULL) {
        return NGX_ERROR;
    }

    rule = ngx_array_push(rules);
    if (rule == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(rule, sizeof(akl_subclaim_t));

    (void) akl_subclaim_parse(ngx_http_akl_k8s_str(value), &rule->claim,
                              globs, &n);

    rule->values.elts = globs;
    rule->values.n = n;
    rule->icase = icase ? 1 : 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_akl_k8s_merge_require(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *prev, ngx_http_akl_k8s_loc_conf_t *conf)
{
    void         *rules;
    ngx_array_t  *above, *all;

    above = (prev->require == NGX_CONF_UNSET_PTR || conf->require_off)
            ? NULL : prev->require;

    if (conf->require == NGX_CONF_UNSET_PTR || conf->require == NULL) {
        conf->require = above;
        return NGX_OK;
    }

    if (above == NULL) {
        return NGX_OK;
    }

    all = ngx_array_create(cf->pool, above->nelts + conf->require->nelts,
                           sizeof(akl_subclaim_t));
    if (all == NULL) {
        return NGX_ERROR;
    }

    rules = ngx_array_push_n(all, above->nelts);
    if (rules == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(rules, above->elts, above->nelts * sizeof(akl_subclaim_t));

    rules = ngx_array_push_n(all, conf->require->nelts);
    if (rules == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(rules, conf->require->elts,
               conf->require->nelts * sizeof(akl_subclaim_t));

    conf->require = all;

    return NGX_OK;
}


akl_reason_t
ngx_http_akl_k8s_require_check(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx)
{
    akl_str_t                     claims, name;
    ngx_uint_t                    i;
    akl_subclaim_t               *rule;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    if (alcf->require == NULL) {
        ngx_http_akl_k8s_outcome(r, ctx, AKL_OK, NULL);
        return AKL_OK;
    }

    claims = ngx_http_akl_k8s_str(ngx_http_akl_k8s_claims(r, ctx));
    rule = alcf->require->elts;

    for (i = 0; i < alcf->require->nelts; i++) {

        name = rule[i].claim;

        /* where "aud" is the gateway's own, the pod token's is what is meant */

        if (ctx->config->token_audience.len
            && akl_str_eq(name, akl_str("aud")))
        {
            name = akl_str("k8s_aud");
        }

        if (!akl_subclaim_match(&rule[i], name, claims)) {
            ctx->denied = ngx_http_akl_k8s_ngx_str(&rule[i].claim);

            ngx_http_akl_k8s_require_deny(r, ctx, name, alcf->dry_run);

            return AKL_CLAIM_NOT_ALLOWED;
        }
    }

    ngx_http_akl_k8s_outcome(r, ctx, AKL_OK, NULL);

    return AKL_OK;
}


static void
ngx_http_akl_k8s_require_deny(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_str_t name, ngx_uint_t dry_run)
{
    u_char      *p, *last, *detail;
    size_t       i, len;
    ngx_str_t    s;
    akl_str_t    seen;

    ngx_http_akl_k8s_identify(r, ctx);

    seen.len = 0;

    (void) ngx_http_akl_k8s_claim(r, &ctx->claims, name, &seen);

    len = ngx_min(seen.len, NGX_HTTP_AKL_K8S_SEEN_LEN);

    detail = ngx_pnalloc(r->pool, sizeof("claim \"\" is \"\"..., dry run, "
                                         "let through")
                                  + name.len + 4 * len);

    if (detail == NULL) {
        ngx_http_akl_k8s_outcome(r, ctx, AKL_CLAIM_NOT_ALLOWED, NULL);
        return;
    }

    s = ngx_http_akl_k8s_ngx_str(&name);

    p = ngx_sprintf(detail, "claim \"%V\" is ", &s);

    if (seen.len == 0) {
        p = ngx_cpymem(p, "not there", sizeof("not there") - 1);

    } else {
        *p++ = '"';

        for (i = 0; i < len; i++) {
            if (seen.data[i] < 0x20 || seen.data[i] > 0x7e
                || seen.data[i] == '"' || seen.data[i] == '\\')
            {
                p = ngx_sprintf(p, "\\x%02Xd", (u_int) seen.data[i]);

            } else {
                *p++ = seen.data[i];
            }
        }

        *p++ = '"';
    }

    last = ngx_sprintf(p, "%s%s", (len < seen.len) ? "..." : "",
                       dry_run ? ", dry run, let through" : "");
    *last = '\0';

    ngx_http_akl_k8s_outcome(r, ctx, AKL_CLAIM_NOT_ALLOWED, (char *) detail);
}
