/*
 * Variables.
 */

#ifndef NGX_HTTP_AKL_K8S_VARIABLES_H
#define NGX_HTTP_AKL_K8S_VARIABLES_H

#include "module.h"


/* Adds them, before the configuration is read.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_add_variables(ngx_conf_t *cf);


#endif /* NGX_HTTP_AKL_K8S_VARIABLES_H */
