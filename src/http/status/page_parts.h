/*
 * What the status page is made of: style and script, and the sections that are
 * of no auth config.
 */

#ifndef NGX_HTTP_AKL_K8S_PAGE_PARTS_H
#define NGX_HTTP_AKL_K8S_PAGE_PARTS_H

#include "text.h"


/*
 * What stands between <style> and </style>, <script> and </script>: constant,
 * since the page's policy names their digests.
 */
extern const ngx_str_t  ngx_http_akl_k8s_page_style;
extern const ngx_str_t  ngx_http_akl_k8s_page_script;


#define ngx_http_akl_k8s_text_literal(text, literal)                          \
    ngx_http_akl_k8s_text_raw(text, literal, sizeof(literal) - 1)


/* A group of figures: its head, one figure, its end. */
void ngx_http_akl_k8s_page_group(ngx_http_akl_k8s_text_t *text,
    const char *name);
void ngx_http_akl_k8s_page_figure(ngx_http_akl_k8s_text_t *text,
    const char *name, ngx_atomic_uint_t n);
void ngx_http_akl_k8s_page_group_end(ngx_http_akl_k8s_text_t *text);

/* "3 hours": the largest unit of which there is one at least. */
void ngx_http_akl_k8s_page_span(ngx_http_akl_k8s_text_t *text, time_t span);

/* The sections: reasons of refusals and outages, revocations, the zone. */
void ngx_http_akl_k8s_page_reasons(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text);
void ngx_http_akl_k8s_page_revocations(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text);
void ngx_http_akl_k8s_page_zone(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text);


#endif /* NGX_HTTP_AKL_K8S_PAGE_PARTS_H */
