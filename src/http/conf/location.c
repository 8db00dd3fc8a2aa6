/*
 * The configuration of locations: what they inherit, and the names of auth
 * configs in them.
 */

#include "../content.h"
#include "guard.h"
#include "names.h"
#include "serve.h"
#include "location.h"


#if (NGX_HTTP_SSL)

/* not there where nginx is built without it, other than what we build with */

extern ngx_module_t  ngx_http_ssl_module  __attribute__((weak));

#endif


static void ngx_http_akl_k8s_cleanse(ngx_conf_t *cf);


void *
ngx_http_akl_k8s_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_akl_k8s_loc_conf_t));
    if (alcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     alcf->auth_config_name, exchange_name = { 0, NULL };
     *     alcf->directive = { 0, NULL };
     *     alcf->where_handler, where_guard, where_exchange = { 0 };
     *     alcf->auth_config, guard, exchange, token_source = NULL;
     *     alcf->introspect_names, introspect = NULL;
     *     alcf->service = NULL;
     *     alcf->publication = NULL;
     */

    alcf->dialect = NGX_HTTP_AKL_K8S_DIALECT_N;
    alcf->guard_names = NGX_CONF_UNSET_PTR;
    alcf->require = NGX_CONF_UNSET_PTR;
    alcf->log_level = NGX_CONF_UNSET_UINT;
    alcf->dry_run = NGX_CONF_UNSET;

    return alcf;
}


char *
ngx_http_akl_k8s_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_akl_k8s_loc_conf_t  *prev = parent;
    ngx_http_akl_k8s_loc_conf_t  *conf = child;

    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    ngx_conf_merge_ptr_value(conf->guard_names, prev->guard_names, NULL);
    ngx_conf_merge_str_value(conf->exchange_name, prev->exchange_name, "off");
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_INFO);
    ngx_conf_merge_value(conf->dry_run, prev->dry_run, 0);

    if (conf->token_source == NULL) {
        conf->token_source = prev->token_source;
    }

    if (ngx_http_akl_k8s_merge_require(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->where_guard.line == 0) {
        conf->where_guard = prev->where_guard;
    }

    if (conf->where_exchange.line == 0) {
        conf->where_exchange = prev->where_exchange;
    }

    if (conf->guard_names) {
        conf->guard = ngx_http_akl_k8s_resolve(cf, conf->guard_names,
                                               "akl_k8s_guard",
                                               &conf->where_guard);
        if (conf->guard == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->exchange_name.len != 3
        || ngx_strncmp(conf->exchange_name.data, "off", 3) != 0)
    {
        conf->exchange = ngx_http_akl_k8s_named(cf, &conf->exchange_name,
                                                "akl_k8s_exchange",
                                                &conf->where_exchange);
        if (conf->exchange == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->service && clcf->handler != ngx_http_akl_k8s_content) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" has a location that another handler serves as "
                      "well in %V:%ui", &conf->directive,
                      &conf->where_handler.file, conf->where_handler.line);
        return NGX_CONF_ERROR;
    }

    if (conf->service == &ngx_http_akl_k8s_serve_auth && conf->exchange) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"akl_k8s_auth\" gets only what \"akl_k8s_exchange\" "
                      "lets through, say \"akl_k8s_exchange off\" in its "
                      "location in %V:%ui",
                      &conf->where_handler.file, conf->where_handler.line);
    }

    if (clcf->noname && clcf->handler == NULL) {
        conf->service = prev->service;
        conf->where_handler = prev->where_handler;
        conf->dialect = prev->dialect;
        conf->auth_config_name = prev->auth_config_name;
        conf->publication = prev->publication;
        conf->introspect_names = prev->introspect_names;

        if (clcf->lmt_excpt && conf->service) {
            clcf->handler = ngx_http_akl_k8s_content;
        }
    }

    if (conf->auth_config_name.len) {
        conf->auth_config = ngx_http_akl_k8s_named(cf,
                                                   &conf->auth_config_name,
                                                   "akl_k8s_auth",
                                                   &conf->where_handler);
        if (conf->auth_config == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->introspect_names) {
        conf->introspect = ngx_http_akl_k8s_resolve(cf,
                                                    conf->introspect_names,
                                                    "akl_k8s_introspect",
                                                    &conf->where_handler);
        if (conf->introspect == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (conf->service == &ngx_http_akl_k8s_serve_self
        && amcf->configs.nelts == 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"akl_k8s_introspect\" has no auth config to look at "
                      "tokens of in %V:%ui",
                      &conf->where_handler.file,
                      conf->where_handler.line);
        return NGX_CONF_ERROR;
    }

    if (conf->service == &ngx_http_akl_k8s_serve_auth
        || conf->service == &ngx_http_akl_k8s_serve_introspect)
    {

        /* these have a limit of their own, and say so in their dialect */

        clcf->client_max_body_size = 0;
    }

    if (conf->service || conf->guard || conf->exchange) {
        ngx_http_akl_k8s_cleanse(cf);
    }

    return NGX_CONF_OK;
}


/*
 * OpenSSL leaves what it has decrypted in its buffers, which it frees as they
 * are.  Where tokens come it is to overwrite it: on connections to a server
 * that has such a location.  nginx has made the server's context by now, as its
 * own modules are merged before this one.
 */

static void
ngx_http_akl_k8s_cleanse(ngx_conf_t *cf)
{
#if (NGX_HTTP_SSL && defined SSL_OP_CLEANSE_PLAINTEXT)

    ngx_http_ssl_srv_conf_t  *sscf;

    if (&ngx_http_ssl_module == NULL) {
        return;
    }

    sscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_ssl_module);

    if (sscf && sscf->ssl.ctx) {
        (void) SSL_CTX_set_options(sscf->ssl.ctx, SSL_OP_CLEANSE_PLAINTEXT);
    }

#endif
}
