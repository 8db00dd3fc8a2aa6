/*
 * Names of auth configs, as directives of locations have them.
 */

#include "../request.h"
#include "conf.h"
#include "names.h"


static ngx_uint_t ngx_http_akl_k8s_names_swallowed(ngx_conf_t *cf,
    ngx_uint_t n);


char *
ngx_http_akl_k8s_names(ngx_conf_t *cf, ngx_array_t **names)
{
    ngx_str_t   *value, *name;
    ngx_uint_t   i, k;

    *names = ngx_array_create(cf->pool, cf->args->nelts - 1,
                              sizeof(ngx_str_t));
    if (*names == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (value[i].len == 0) {

            if (ngx_http_akl_k8s_names_swallowed(cf, i)) {
                return NGX_CONF_ERROR;
            }

            return "needs the names of auth configs";
        }

        for (k = 1; k < i; k++) {
            if (value[k].len == value[i].len
                && ngx_memcmp(value[k].data, value[i].data, value[i].len) == 0)
            {
                if (ngx_http_akl_k8s_names_swallowed(cf, i)) {
                    return NGX_CONF_ERROR;
                }

                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "auth config \"%V\" is named twice in "
                                   "\"%V\"", &value[i], &value[0]);
                return NGX_CONF_ERROR;
            }
        }

        name = ngx_array_push(*names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


/* a config may be called as a directive is: only where the rest makes none */

static ngx_uint_t
ngx_http_akl_k8s_names_swallowed(ngx_conf_t *cf, ngx_uint_t n)
{
    ngx_str_t   *value;
    ngx_uint_t   i;
    const char  *text;

    value = cf->args->elts;

    for (i = 1; i < n; i++) {
        text = ngx_http_akl_k8s_swallowed(cf, &value[i]);

        if (*text) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" among the values of \"%V\" is a "
                               "directive%s", &value[i], &value[0], text);
            return 1;
        }
    }

    return 0;
}


ngx_array_t *
ngx_http_akl_k8s_resolve(ngx_conf_t *cf, ngx_array_t *names,
    const char *directive, ngx_http_akl_k8s_where_t *where)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_array_t                 *configs;
    ngx_http_akl_k8s_config_t  **config;

    configs = ngx_array_create(cf->pool, names->nelts,
                               sizeof(ngx_http_akl_k8s_config_t *));
    if (configs == NULL) {
        return NULL;
    }

    name = names->elts;

    for (i = 0; i < names->nelts; i++) {
        config = ngx_array_push(configs);
        if (config == NULL) {
            return NULL;
        }

        *config = ngx_http_akl_k8s_named(cf, &name[i], directive, where);
        if (*config == NULL) {
            return NULL;
        }
    }

    return configs;
}


ngx_http_akl_k8s_config_t *
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
