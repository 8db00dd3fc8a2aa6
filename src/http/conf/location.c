/*
 * The configuration of locations: what they inherit, and the names of auth
 * configs in them.
 */

#include "../login/endpoint.h"
#include "../request.h"
#include "conf.h"
#include "guard.h"
#include "location.h"


static ngx_int_t ngx_http_akl_k8s_resolve_guard(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf);
static ngx_http_akl_k8s_config_t *ngx_http_akl_k8s_named(ngx_conf_t *cf,
    ngx_str_t *name, const char *directive, ngx_http_akl_k8s_where_t *where);


void *
ngx_http_akl_k8s_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_akl_k8s_loc_conf_t));
    if (alcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     alcf->auth_config_name, exchange_name = { 0, NULL };
     *     alcf->where_auth, where_guard, where_exchange = { 0 };
     *     alcf->auth_config, guard, exchange, token_source = NULL;
     *     alcf->handler = NULL;
     *     alcf->publication = NULL;
     */

    alcf->dialect = NGX_HTTP_AKL_K8S_DIALECT_N;
    alcf->guard_names = NGX_CONF_UNSET_PTR;
    alcf->require = NGX_CONF_UNSET_PTR;
    alcf->log_level = NGX_CONF_UNSET_UINT;
    alcf->dry_run = NGX_CONF_UNSET;

    return alcf;
}


char *
ngx_http_akl_k8s_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_akl_k8s_loc_conf_t  *prev = parent;
    ngx_http_akl_k8s_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_ptr_value(conf->guard_names, prev->guard_names, NULL);
    ngx_conf_merge_str_value(conf->exchange_name, prev->exchange_name, "off");
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_INFO);
    ngx_conf_merge_value(conf->dry_run, prev->dry_run, 0);

    if (conf->token_source == NULL) {
        conf->token_source = prev->token_source;
    }

    if (ngx_http_akl_k8s_merge_require(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->where_guard.line == 0) {
        conf->where_guard = prev->where_guard;
    }

    if (conf->where_exchange.line == 0) {
        conf->where_exchange = prev->where_exchange;
    }

    if (conf->guard_names
        && ngx_http_akl_k8s_resolve_guard(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->exchange_name.len != 3
        || ngx_strncmp(conf->exchange_name.data, "off", 3) != 0)
    {
        conf->exchange = ngx_http_akl_k8s_named(cf, &conf->exchange_name,
                                                "akl_k8s_exchange",
                                                &conf->where_exchange);
        if (conf->exchange == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && clcf->handler == NULL) {
        conf->handler = prev->handler;
        conf->dialect = prev->dialect;
        conf->auth_config_name = prev->auth_config_name;
        conf->where_auth = prev->where_auth;
        conf->publication = prev->publication;

        if (clcf->lmt_excpt) {
            clcf->handler = conf->handler;
        }
    }

    if (conf->auth_config_name.len) {
        conf->auth_config = ngx_http_akl_k8s_named(cf,
                                                   &conf->auth_config_name,
                                                   "akl_k8s_auth",
                                                   &conf->where_auth);
        if (conf->auth_config == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->handler == ngx_http_akl_k8s_auth_handler) {

        /* the endpoint has a limit of its own, and says so in its dialect */

        clcf->client_max_body_size = 0;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_akl_k8s_resolve_guard(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_akl_k8s_config_t  **config;

    alcf->guard = ngx_array_create(cf->pool, alcf->guard_names->nelts,
                                   sizeof(ngx_http_akl_k8s_config_t *));
    if (alcf->guard == NULL) {
        return NGX_ERROR;
    }

    name = alcf->guard_names->elts;

    for (i = 0; i < alcf->guard_names->nelts; i++) {
        config = ngx_array_push(alcf->guard);
        if (config == NULL) {
            return NGX_ERROR;
        }

        *config = ngx_http_akl_k8s_named(cf, &name[i], "akl_k8s_guard",
                                         &alcf->where_guard);
        if (*config == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_http_akl_k8s_config_t *
ngx_http_akl_k8s_named(ngx_conf_t *cf, ngx_str_t *name, const char *directive,
    ngx_http_akl_k8s_where_t *where)
{
    ngx_http_akl_k8s_config_t     *config;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);
    config = ngx_http_akl_k8s_find_config(amcf, name);

    if (config == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown auth config \"%V\" in \"%s\"%s in %V:%ui",
                      name, directive, ngx_http_akl_k8s_swallowed(cf, name),
                      &where->file, where->line);
    }

    return config;
}
