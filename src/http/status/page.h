/*
 * The status page as people read it.
 */

#ifndef NGX_HTTP_AKL_K8S_PAGE_H
#define NGX_HTTP_AKL_K8S_PAGE_H

#include "text.h"


/*
 * Answers with the page: HTML that loads nothing from elsewhere, and whose
 * script only asks this very location again.
 */
ngx_int_t ngx_http_akl_k8s_status_page(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_PAGE_H */
