/*
 * The main configuration, and its directives that are no blocks.
 */

#include "../token/revocation_files.h"
#include "conf.h"
#include "main.h"


/* what holds where no directive says so */

#define NGX_HTTP_AKL_K8S_CACHE_VALID      10            /* s */
#define NGX_HTTP_AKL_K8S_CACHE_REFUSED    1             /* s */
#define NGX_HTTP_AKL_K8S_REVIEW_TIMEOUT   3000          /* ms */
#define NGX_HTTP_AKL_K8S_CONNECT_TIMEOUT  1000          /* ms */
#define NGX_HTTP_AKL_K8S_MAX_REVIEWS      64
#define NGX_HTTP_AKL_K8S_MAX_QUEUE        1024
#define NGX_HTTP_AKL_K8S_ZONE_SIZE        (8 * 1024 * 1024)


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

    ngx_conf_init_value(amcf->cache_valid,
                        NGX_HTTP_AKL_K8S_CACHE_VALID);
    ngx_conf_init_value(amcf->cache_refused,
                        NGX_HTTP_AKL_K8S_CACHE_REFUSED);
    ngx_conf_init_msec_value(amcf->review_timeout,
                             NGX_HTTP_AKL_K8S_REVIEW_TIMEOUT);
    ngx_conf_init_msec_value(amcf->connect_timeout,
                             NGX_HTTP_AKL_K8S_CONNECT_TIMEOUT);
    ngx_conf_init_uint_value(amcf->max_reviews,
                             NGX_HTTP_AKL_K8S_MAX_REVIEWS);
    ngx_conf_init_uint_value(amcf->max_queue, NGX_HTTP_AKL_K8S_MAX_QUEUE);

    if (amcf->zone == NULL) {
        amcf->zone = ngx_akl_zone_add(cf, &ngx_http_akl_k8s_zone_name,
                                      NGX_HTTP_AKL_K8S_ZONE_SIZE,
                                      &ngx_http_akl_k8s_module);
        if (amcf->zone == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_akl_k8s_check(cf, amcf);
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
ngx_http_akl_k8s_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    ngx_str_t  *value;

    if (amcf->cache_valid != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_akl_k8s_parse_cache(cf, &value[1], cf->args->nelts - 1,
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

    return ngx_http_akl_k8s_parse_timeout(cf, &value[1], cf->args->nelts - 1,
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
ngx_http_akl_k8s_revocations(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    ssize_t     size;
    ngx_str_t  *value, text;

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "has no path";
    }

    if (cf->args->nelts == 2) {
        return ngx_http_akl_k8s_revocation_file(cf, &value[1], 0);
    }

    size = NGX_HTTP_AKL_K8S_JOURNAL;

    if (ngx_strncmp(value[2].data, "journal=", 8) == 0) {
        text.data = value[2].data + 8;
        text.len = value[2].len - 8;

        size = ngx_parse_size(&text);

        if (size < NGX_HTTP_AKL_K8S_JOURNAL_MIN
            || size > NGX_HTTP_AKL_K8S_JOURNAL_MAX)
        {
            return "has a journal of no size between 4k and 1024m";
        }

    } else if (ngx_strcmp(value[2].data, "journal") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of "
                           "\"akl_k8s_revocations\"%s", &value[2],
                           ngx_http_akl_k8s_swallowed(cf, &value[2]));
        return NGX_CONF_ERROR;
    }

    if (amcf->journal) {
        return "has a second journal";
    }

    return ngx_http_akl_k8s_revocation_file(cf, &value[1], size);
}


ngx_int_t
ngx_http_akl_k8s_parse_time(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_str_t *text, ngx_uint_t is_sec, ngx_int_t least)
{
    ngx_int_t  n;

    n = ngx_parse_time(text, is_sec);

    if (n == NGX_ERROR || n < least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\"%s", text, directive,
                           ngx_http_akl_k8s_swallowed(cf, text));
        return NGX_ERROR;
    }

    if (n > (is_sec ? NGX_HTTP_AKL_K8S_TIME_MAX : NGX_HTTP_AKL_K8S_WAIT_MAX)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in \"%V\" is longer than %s", text,
                           directive, is_sec ? "365 days" : "a day");
        return NGX_ERROR;
    }

    return n;
}


char *
ngx_http_akl_k8s_parse_cache(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t n,
    time_t *valid, time_t *refused)
{
    ngx_str_t  text;

    *valid = ngx_http_akl_k8s_parse_time(cf, &args[-1], &args[0], 1, 0);

    if (*valid == (time_t) NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (n == 1) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(args[1].data, "refused=", 8) != 0) {
        return "has an invalid parameter, \"refused=time\" is known";
    }

    text.data = args[1].data + 8;
    text.len = args[1].len - 8;

    *refused = ngx_http_akl_k8s_parse_time(cf, &args[-1], &text, 1, 0);

    return (*refused == (time_t) NGX_ERROR) ? NGX_CONF_ERROR : NGX_CONF_OK;
}


char *
ngx_http_akl_k8s_parse_timeout(ngx_conf_t *cf, ngx_str_t *args, ngx_uint_t n,
    ngx_msec_t *timeout, ngx_msec_t *connect)
{
    ngx_str_t  text;

    *timeout = ngx_http_akl_k8s_parse_time(cf, &args[-1], &args[0], 0, 1);

    if (*timeout == (ngx_msec_t) NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (n == 1) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(args[1].data, "connect=", 8) != 0) {
        return "has an invalid parameter, \"connect=time\" is known";
    }

    text.data = args[1].data + 8;
    text.len = args[1].len - 8;

    *connect = ngx_http_akl_k8s_parse_time(cf, &args[-1], &text, 0, 1);

    return (*connect == (ngx_msec_t) NGX_ERROR) ? NGX_CONF_ERROR
                                                : NGX_CONF_OK;
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
