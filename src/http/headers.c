/*
 * Headers of answers: see the header.
 */

#include "headers.h"


ngx_table_elt_t *
ngx_http_akl_k8s_add_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    /* all of it: "next" came with 1.23 */
    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = ngx_strlen(key);
    h->value = *value;

    return h;
}


ngx_table_elt_t *
ngx_http_akl_k8s_set_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_http_akl_k8s_find_header(r, name);

    if (h == NULL) {
        return ngx_http_akl_k8s_add_header(r, name, value);
    }

    h->hash = 1;
    h->value = *value;

    return h;
}


ngx_table_elt_t *
ngx_http_akl_k8s_find_header(ngx_http_request_t *r, const char *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.data == (u_char *) name) {
                return &h[i];
            }
        }
    }

    return NULL;
}
