/*
 * akl_k8s_auth_config: the way to an API server behind walls.
 */

#include <ngx_config.h>

#include "conf.h"


ngx_http_akl_k8s_setter(server_name)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    config->server_name = args[0];

    return (char *) akl_check_server_name(ngx_http_akl_k8s_str(&args[0]));
}


/* parsed when the resolver is known */

ngx_http_akl_k8s_setter(proxy)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    if (args[0].len == 0) {
        return "is empty";
    }

    config->proxy_url = args[0];
    ngx_http_akl_k8s_here(cf, &config->where_proxy);

    return NGX_CONF_OK;
}
