/*
 * The main configuration.
 */

#ifndef NGX_HTTP_AKL_K8S_CONF_MAIN_H
#define NGX_HTTP_AKL_K8S_CONF_MAIN_H

#include "../module.h"


/* As nginx calls them; see ngx_http_module_t. */

void *ngx_http_akl_k8s_create_main_conf(ngx_conf_t *cf);
char *ngx_http_akl_k8s_init_main_conf(ngx_conf_t *cf, void *conf);

/* The directives of http, as nginx's table of commands has them. */

char *ngx_http_akl_k8s_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_cache_valid(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_review_timeout(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_max_reviews(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_revocations(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * The time that "text" says, which is a value of "directive": in seconds where
 * "is_sec" is set and a year at most, else in milliseconds and a day at most;
 * "least" or more.  NGX_ERROR after logging.
 */
ngx_int_t ngx_http_akl_k8s_parse_time(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_str_t *text, ngx_uint_t is_sec, ngx_int_t least);

/*
 * The values behind the name of a directive, args[-1]: as "set" of
 * ngx_http_akl_k8s_directive_t.
 */

/* "10s [refused=1s]", "3s [connect=1s]", "64 [queue=1024]". */
char *ngx_http_akl_k8s_parse_cache(ngx_conf_t *cf, ngx_str_t *args,
    ngx_uint_t n, time_t *valid, time_t *refused);
char *ngx_http_akl_k8s_parse_timeout(ngx_conf_t *cf, ngx_str_t *args,
    ngx_uint_t n, ngx_msec_t *timeout, ngx_msec_t *connect);
char *ngx_http_akl_k8s_parse_reviews(ngx_str_t *args, ngx_uint_t n,
    ngx_uint_t *reviews, ngx_uint_t *queue);


#endif /* NGX_HTTP_AKL_K8S_CONF_MAIN_H */
