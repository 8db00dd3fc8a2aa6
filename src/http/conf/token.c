/*
 * akl_k8s_auth_config: the cluster's keys, the tokens that are minted, and the
 * limits that a config may set for itself.
 */

#include <ngx_config.h>

#include "../../k8s/claims.h"
#include "conf.h"
#include "main.h"


ngx_http_akl_k8s_setter(jwks)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    akl_jwks_t   jwks;
    const char  *cause;

    if (ngx_strcmp(args[0].data, "auto") == 0) {
        config->jwks_auto = 1;
        return NGX_CONF_OK;
    }

    if (ngx_http_akl_k8s_source(cf, block->directive, &args[0],
                                AKL_CREDENTIAL_JSON, &config->jwks)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (akl_jwks_parse(&jwks, ngx_http_akl_k8s_str(&config->jwks.text), &cause)
        != 0)
    {
        return ngx_http_akl_k8s_source_cause(cf, NGX_LOG_EMERG, &config->jwks,
                                             cause, "");
    }

    akl_jwks_clear(&jwks);

    return NGX_CONF_OK;
}


ngx_http_akl_k8s_setter(token_issuer)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    if (args[0].len == 0) {
        return "is empty";
    }

    config->token_issuer = args[0];

    return NGX_CONF_OK;
}


ngx_http_akl_k8s_setter(token_audiences)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    akl_str_t   *elts;
    ngx_uint_t   i, k;

    elts = ngx_palloc(cf->pool, n * sizeof(akl_str_t));
    if (elts == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (args[i].len == 0) {
            return "is empty";
        }

        elts[i] = ngx_http_akl_k8s_str(&args[i]);

        for (k = 0; k < i; k++) {
            if (akl_str_eq(elts[k], elts[i])) {
                return "has the same audience twice";
            }
        }
    }

    config->token_audiences.elts = elts;
    config->token_audiences.n = n;

    return NGX_CONF_OK;
}


ngx_http_akl_k8s_setter(token_subject)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    config->token_subject = args[0];

    return (char *) akl_subject_parse(&config->subject,
                                      ngx_http_akl_k8s_str(&args[0]),
                                      ngx_http_akl_k8s_str(&config->name));
}


ngx_http_akl_k8s_setter(token_binding)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    ngx_http_akl_k8s_main_conf_t  *amcf;

    if (ngx_strcmp(args[0].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(args[0].data, "certificate") != 0) {
        return "must be certificate or off";
    }

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    config->token_binding = 1;
    amcf->bound = 1;

    return NGX_CONF_OK;
}


ngx_http_akl_k8s_setter(token_claims)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    u_char                            *eq;
    ngx_str_t                          name, value;
    ngx_uint_t                         i, k;
    const char                        *cause;
    ngx_http_akl_k8s_claim_t          *claim, *have;
    ngx_http_compile_complex_value_t   ccv;

    if (config->token_claims == NULL) {
        config->token_claims = ngx_array_create(cf->pool, n,
                                           sizeof(ngx_http_akl_k8s_claim_t));
        if (config->token_claims == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < n; i++) {
        eq = (u_char *) ngx_strchr(args[i].data, '=');

        if (eq == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid claim \"%V\" in \"token_claims\": "
                               "is not of the form name=value", &args[i]);
            return NGX_CONF_ERROR;
        }

        name.data = args[i].data;
        name.len = eq - name.data;

        value.data = eq + 1;
        value.len = args[i].data + args[i].len - value.data;

        cause = akl_claims_check(ngx_http_akl_k8s_str(&name));

        have = config->token_claims->elts;

        for (k = 0; cause == NULL && k < config->token_claims->nelts; k++) {
            if (have[k].name.len == name.len
                && ngx_memcmp(have[k].name.data, name.data, name.len) == 0)
            {
                cause = "stands there twice";
            }
        }

        if (cause) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid claim \"%V\" in \"token_claims\": %s",
                               &name, cause);
            return NGX_CONF_ERROR;
        }

        claim = ngx_array_push(config->token_claims);
        if (claim == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(claim, sizeof(ngx_http_akl_k8s_claim_t));
        claim->name = name;

        /* constant within a config, unlike other variables */

        if (ngx_strcmp(value.data, "$akl_k8s_config") == 0) {
            claim->value.value = config->name;
            continue;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value;
        ccv.complex_value = &claim->value;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        claim->dynamic = (claim->value.lengths != NULL);

        config->claims_dynamic |= claim->dynamic;
    }

    return NGX_CONF_OK;
}


ngx_http_akl_k8s_setter(cache)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    return ngx_http_akl_k8s_parse_cache(cf, args, n, &config->cache_valid,
                                        &config->cache_refused);
}


ngx_http_akl_k8s_setter(timeout)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    return ngx_http_akl_k8s_parse_timeout(cf, args, n, &config->review_timeout,
                                          &config->connect_timeout);
}


ngx_http_akl_k8s_setter(reviews)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    return ngx_http_akl_k8s_parse_reviews(args, n, &config->max_reviews,
                                          &config->max_queue);
}
