/*
 * Metrics as Prometheus reads them.
 */

#ifndef NGX_HTTP_AKL_K8S_PROMETHEUS_H
#define NGX_HTTP_AKL_K8S_PROMETHEUS_H

#include "../module.h"


typedef struct {
    u_char                         *pos;
    u_char                         *end;        /* NULL pos: only counts */
    size_t                          len;
} ngx_http_akl_k8s_text_t;


/*
 * All metrics in Prometheus' text format (version 0.0.4): written to
 * text->pos up to text->end, or only counted into text->len where pos is NULL.
 */
void ngx_http_akl_k8s_status_text(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text);


#endif /* NGX_HTTP_AKL_K8S_PROMETHEUS_H */
