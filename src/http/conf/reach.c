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
