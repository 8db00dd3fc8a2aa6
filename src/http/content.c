/*
 * Locations that serve something of ours: the way in and the way out.
 */

#include "content.h"
#include "request.h"
#include "respond.h"


static ngx_int_t ngx_http_akl_k8s_content_settle(ngx_http_request_t *r,
    ngx_int_t rc);


ngx_int_t
ngx_http_akl_k8s_content(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    ngx_http_akl_k8s_begin(r, alcf->service->task);

    return ngx_http_akl_k8s_content_settle(r, alcf->service->handler(r));
}


void
ngx_http_akl_k8s_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_finalize_request(r, ngx_http_akl_k8s_content_settle(r, rc));
}


/*
 * What failed for want of memory was a large piece more often than not, and a
 * small answer may find its place yet: the outcome is told by now, so that
 * nothing is lost where it does not, and nginx's own page goes out.
 */

static ngx_int_t
ngx_http_akl_k8s_content_settle(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    if (rc != NGX_HTTP_INTERNAL_SERVER_ERROR || r->header_sent
        || alcf->service->failure == NULL)
    {
        return rc;
    }

    /* nothing of the answer that was begun; the rest is as nginx does it */

    ngx_http_clean_header(r);
    r->keepalive = 0;

    return ngx_http_akl_k8s_respond_json(r, rc, 0, alcf->service->failure,
                                         NULL);
}
