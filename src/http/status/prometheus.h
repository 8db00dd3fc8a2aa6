/*
 * Metrics as Prometheus reads them.
 */

#ifndef NGX_HTTP_AKL_K8S_PROMETHEUS_H
#define NGX_HTTP_AKL_K8S_PROMETHEUS_H

#include "text.h"


/* Writes all metrics in Prometheus' text format, version 0.0.4. */
void ngx_http_akl_k8s_status_text(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text);


#endif /* NGX_HTTP_AKL_K8S_PROMETHEUS_H */
