/*
 * Main and location configurations, and the directives that are no blocks.
 */

#include "conf.h"
#include "../guard/guard.h"


static ngx_int_t ngx_http_akl_k8s_resolve_guard(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf);
static ngx_http_akl_k8s_config_t *ngx_http_akl_k8s_named(ngx_conf_t *cf,
    ngx_str_t *name, const char *directive, ngx_http_akl_k8s_where_t *where);


static ngx_str_t  ngx_http_akl_k8s_zone_name = ngx_string("akl_k8s");


void *
ngx_http_akl_k8s_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_akl_k8s_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&amcf->methods, cf->pool, 4,
                       sizeof(ngx_http_akl_k8s_method_t *))
        != NGX_OK
        || ngx_array_init(&amcf->configs, cf->pool, 4,
                          sizeof(ngx_http_akl_k8s_config_t *))
           != NGX_OK)
    {
        return NULL;
    }

    amcf->cache_valid = NGX_CONF_UNSET;
    amcf->cache_refused = NGX_CONF_UNSET;
    amcf->review_timeout = NGX_CONF_UNSET_MSEC;
    amcf->connect_timeout = NGX_CONF_UNSET_MSEC;
    amcf->max_reviews = NGX_CONF_UNSET_UINT;
    amcf->max_queue = NGX_CONF_UNSET_UINT;

    return amcf;
}


char *
ngx_http_akl_k8s_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    ngx_conf_init_value(amcf->cache_valid, 10);
    ngx_conf_init_value(amcf->cache_refused, 1);
    ngx_conf_init_msec_value(amcf->review_timeout, 3000);
    ngx_conf_init_msec_value(amcf->connect_timeout, 1000);
    ngx_conf_init_uint_value(amcf->max_reviews, 64);
    ngx_conf_init_uint_value(amcf->max_queue, 1024);

    if (amcf->zone == NULL) {
        amcf->zone = ngx_akl_zone_add(cf, &ngx_http_akl_k8s_zone_name,
                                      8 * 1024 * 1024,
                                      &ngx_http_akl_k8s_module);
        if (amcf->zone == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_akl_k8s_check(cf, amcf);
}


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


char *
ngx_http_akl_k8s_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    u_char     *colon;
    ssize_t     size;
    ngx_str_t  *value, name, text;

    if (amcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    colon = (u_char *) ngx_strchr(value[1].data, ':');

    if (colon == NULL || colon == value[1].data) {
        return "must be of the form name:size";
    }

    name.data = value[1].data;
    name.len = colon - value[1].data;

    text.data = colon + 1;
    text.len = value[1].data + value[1].len - text.data;

    size = ngx_parse_size(&text);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size of akl_k8s_zone \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) NGX_AKL_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "akl_k8s_zone \"%V\" is smaller than 256k",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    amcf->zone = ngx_akl_zone_add(cf, &name, size, &ngx_http_akl_k8s_module);

    return amcf->zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_akl_k8s_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, named;

    if (alcf->dialect != NGX_HTTP_AKL_K8S_DIALECT_N) {
        return "is duplicate";
    }

    value = cf->args->elts;
    named = 0;

    ngx_http_akl_k8s_here(cf, &alcf->where_auth);

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "config=", 7) == 0) {

            if (alcf->auth_config_name.len || value[i].len == 7) {
                goto invalid;
            }

            alcf->auth_config_name.data = value[i].data + 7;
            alcf->auth_config_name.len = value[i].len - 7;
            continue;
        }

        if (named++) {
            goto invalid;
        }

        if (ngx_strcmp(value[i].data, "akeyless") == 0) {
            alcf->dialect = NGX_HTTP_AKL_K8S_AKEYLESS;

        } else if (ngx_strcmp(value[i].data, "vault") == 0) {
            alcf->dialect = NGX_HTTP_AKL_K8S_VAULT;

        } else if (ngx_strcmp(value[i].data, "oauth") == 0) {
            alcf->dialect = NGX_HTTP_AKL_K8S_OAUTH;

        } else {
            goto invalid;
        }
    }

    if (!named) {
        alcf->dialect = NGX_HTTP_AKL_K8S_AKEYLESS;
    }

    return ngx_http_akl_k8s_serve(cf, alcf, ngx_http_akl_k8s_auth_handler);

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of akl_k8s_auth%s", &value[i],
                       ngx_http_akl_k8s_swallowed(cf, &value[i]));

    return NGX_CONF_ERROR;
}


char *
ngx_http_akl_k8s_serve(ngx_conf_t *cf, ngx_http_akl_k8s_loc_conf_t *alcf,
    ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (alcf->handler == handler) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "has a location that another handler serves already";
    }

    clcf->handler = handler;
    alcf->handler = handler;

    return NGX_CONF_OK;
}


char *
ngx_http_akl_k8s_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    ngx_str_t  *value;

    if (amcf->cache_valid != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_akl_k8s_parse_cache(&value[1], cf->args->nelts - 1,
                                        &amcf->cache_valid,
                                        &amcf->cache_refused);
}


char *
ngx_http_akl_k8s_review_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    ngx_str_t  *value;

    if (amcf->review_timeout != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_akl_k8s_parse_timeout(&value[1], cf->args->nelts - 1,
                                          &amcf->review_timeout,
                                          &amcf->connect_timeout);
}


char *
ngx_http_akl_k8s_max_reviews(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    ngx_str_t  *value;

    if (amcf->max_reviews != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_akl_k8s_parse_reviews(&value[1], cf->args->nelts - 1,
                                          &amcf->max_reviews,
                                          &amcf->max_queue);
}


char *
ngx_http_akl_k8s_parse_cache(ngx_str_t *args, ngx_uint_t n, time_t *valid,
    time_t *refused)
{
    ngx_str_t  text;

    *valid = ngx_parse_time(&args[0], 1);

    if (*valid == (time_t) NGX_ERROR) {
        return "has an invalid time";
    }

    if (*valid > NGX_HTTP_AKL_K8S_TIME_MAX) {
        return "has a time longer than 365 days";
    }

    if (n == 1) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(args[1].data, "refused=", 8) != 0) {
        return "has an invalid parameter, \"refused=time\" is known";
    }

    text.data = args[1].data + 8;
    text.len = args[1].len - 8;

    *refused = ngx_parse_time(&text, 1);

    if (*refused == (time_t) NGX_ERROR) {
        return "has an invalid time";
    }

    if (*refused > NGX_HTTP_AKL_K8S_TIME_MAX) {
        return "has a time longer than 365 days";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_akl_k8s_parse_timeout(ngx_str_t *args, ngx_uint_t n,
    ngx_msec_t *timeout, ngx_msec_t *connect)
{
    ngx_str_t  text;

    *timeout = ngx_parse_time(&args[0], 0);

    if (*timeout == (ngx_msec_t) NGX_ERROR || *timeout == 0) {
        return "has an invalid time";
    }

    if (*timeout > NGX_HTTP_AKL_K8S_WAIT_MAX) {
        return "has a time longer than a day";
    }

    if (n == 1) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(args[1].data, "connect=", 8) != 0) {
        return "has an invalid parameter, \"connect=time\" is known";
    }

    text.data = args[1].data + 8;
    text.len = args[1].len - 8;

    *connect = ngx_parse_time(&text, 0);

    if (*connect == (ngx_msec_t) NGX_ERROR || *connect == 0) {
        return "has an invalid time";
    }

    if (*connect > NGX_HTTP_AKL_K8S_WAIT_MAX) {
        return "has a time longer than a day";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_akl_k8s_parse_reviews(ngx_str_t *args, ngx_uint_t n,
    ngx_uint_t *reviews, ngx_uint_t *queue)
{
    ngx_int_t  value;

    value = ngx_atoi(args[0].data, args[0].len);

    if (value == NGX_ERROR || value == 0) {
        return "has an invalid number";
    }

    *reviews = value;

    if (n == 1) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(args[1].data, "queue=", 6) != 0) {
        return "has an invalid parameter, \"queue=number\" is known";
    }

    value = ngx_atoi(args[1].data + 6, args[1].len - 6);

    if (value == NGX_ERROR) {
        return "has an invalid number";
    }

    *queue = value;

    return NGX_CONF_OK;
}
