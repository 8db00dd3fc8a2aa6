/*
 * akl_k8s_guard, akl_k8s_require and akl_k8s_exchange, as they are written.
 */

#include <ngx_config.h>

#include "../../k8s/subclaims.h"
#include "conf.h"
#include "names.h"
#include "guard.h"


static ngx_int_t ngx_http_akl_k8s_require_rule(ngx_conf_t *cf,
    ngx_array_t *rules, ngx_str_t *value, ngx_uint_t icase);
static ngx_int_t ngx_http_akl_k8s_require_names(ngx_conf_t *cf,
    akl_subclaim_t *rule);


char *
ngx_http_akl_k8s_guard(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    if (alcf->guard_names != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" behind \"akl_k8s_guard off\"%s",
                               &value[2],
                               ngx_http_akl_k8s_swallowed(cf, &value[2]));
            return NGX_CONF_ERROR;
        }

        alcf->guard_names = NULL;
        return NGX_CONF_OK;
    }

    rv = ngx_http_akl_k8s_names(cf, &alcf->guard_names);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ngx_http_akl_k8s_here(cf, &alcf->where_guard);

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);
    amcf->guarded = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_akl_k8s_exchange(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    ngx_str_t  *value;

    if (alcf->exchange_name.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "needs the name of an auth config";
    }

    alcf->exchange_name = value[1];
    ngx_http_akl_k8s_here(cf, &alcf->where_exchange);

    return NGX_CONF_OK;
}


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

    return rule->icase ? NGX_OK : ngx_http_akl_k8s_require_names(cf, rule);
}


/* what no name of Kubernetes' can meet would refuse everybody */

static ngx_int_t
ngx_http_akl_k8s_require_names(ngx_conf_t *cf, akl_subclaim_t *rule)
{
    size_t       i;
    ngx_str_t    glob;
    ngx_uint_t   k;
    const char  *cause;

    static const struct {
        const char       *claim;
        akl_name_kind_t   kind;
    } names[] = {
        { "namespace", AKL_NAME_NAMESPACE },
        { "pod_name", AKL_NAME_POD },
        { "service_account_name", AKL_NAME_SERVICE_ACCOUNT }
    };

    for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {

        if (rule->claim.len != ngx_strlen(names[k].claim)
            || ngx_memcmp(rule->claim.data, names[k].claim, rule->claim.len)
               != 0)
        {
            continue;
        }

        for (i = 0; i < rule->values.n; i++) {
            cause = akl_check_bound(rule->values.elts[i], names[k].kind);

            if (cause) {
                glob = ngx_http_akl_k8s_ngx_str(&rule->values.elts[i]);

                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid glob \"%V\" for claim \"%s\" in "
                                   "\"akl_k8s_require\": %s",
                                   &glob, names[k].claim, cause);
                return NGX_ERROR;
            }
        }
    }

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
