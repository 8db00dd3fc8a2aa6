/*
 * The directives that make a location serve something of ours: its content
 * handler.
 */

#include "../content.h"
#include "../guard/verify.h"
#include "../login/endpoint.h"
#include "../status/status.h"
#include "../token/introspect.h"
#include "../token/jwks.h"
#include "../token/revoke.h"
#include "../token/self.h"
#include "conf.h"
#include "names.h"
#include "serve.h"


typedef struct {
    ngx_http_akl_k8s_loc_conf_t  *conf;
    u_char                       *file;         /* where it was configured */
    ngx_uint_t                    line;
} ngx_http_akl_k8s_verification_t;


const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_auth = {
    ngx_http_akl_k8s_auth_handler, "login", ngx_http_akl_k8s_auth_failure
};

const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_introspect = {
    ngx_http_akl_k8s_introspect_handler, "introspection",
    ngx_http_akl_k8s_respond_failure
};

const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_self = {
    ngx_http_akl_k8s_self_handler, "introspection",
    ngx_http_akl_k8s_self_failure
};

const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_jwks = {
    ngx_http_akl_k8s_jwks_handler, "publication", NULL
};

const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_discovery = {
    ngx_http_akl_k8s_discovery_handler, "publication", NULL
};

static const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_revoke = {
    ngx_http_akl_k8s_revoke_handler, "revocation",
    ngx_http_akl_k8s_respond_failure
};

static const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_revoke_self = {
    ngx_http_akl_k8s_revoke_self_handler, "revocation",
    ngx_http_akl_k8s_respond_failure
};

static const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_revoke_vault = {
    ngx_http_akl_k8s_revoke_vault_handler, "revocation",
    ngx_http_akl_k8s_self_failure
};

static const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_verify = {
    ngx_http_akl_k8s_verify_handler, "guard", NULL
};

static const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_status = {
    ngx_http_akl_k8s_status_handler, "status", NULL
};


char *
ngx_http_akl_k8s_serve(ngx_conf_t *cf, ngx_http_akl_k8s_loc_conf_t *alcf,
    const ngx_http_akl_k8s_service_t *service)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (alcf->service == service) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "has a location that another handler serves already";
    }

    clcf->handler = ngx_http_akl_k8s_content;
    alcf->service = service;
    alcf->directive = *(ngx_str_t *) cf->args->elts;
    ngx_http_akl_k8s_here(cf, &alcf->where_handler);

    return NGX_CONF_OK;
}


char *
ngx_http_akl_k8s_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i, named;

    if (alcf->dialect != NGX_HTTP_AKL_K8S_DIALECT_N) {
        return "is duplicate";
    }

    value = cf->args->elts;
    named = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "config=", 7) == 0) {

            if (alcf->auth_config_name.len || value[i].len == 7) {
                goto invalid;
            }

            alcf->auth_config_name.data = value[i].data + 7;
            alcf->auth_config_name.len = value[i].len - 7;
            continue;
        }

        if (named++) {
            goto invalid;
        }

        if (ngx_strcmp(value[i].data, "akeyless") == 0) {
            alcf->dialect = NGX_HTTP_AKL_K8S_AKEYLESS;

        } else if (ngx_strcmp(value[i].data, "vault") == 0) {
            alcf->dialect = NGX_HTTP_AKL_K8S_VAULT;

        } else if (ngx_strcmp(value[i].data, "oauth") == 0) {
            alcf->dialect = NGX_HTTP_AKL_K8S_OAUTH;

        } else {
            goto invalid;
        }
    }

    if (!named) {
        alcf->dialect = NGX_HTTP_AKL_K8S_AKEYLESS;
    }

    return ngx_http_akl_k8s_serve(cf, alcf, &ngx_http_akl_k8s_serve_auth);

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of akl_k8s_auth%s", &value[i],
                       ngx_http_akl_k8s_swallowed(cf, &value[i]));

    return NGX_CONF_ERROR;
}


char *
ngx_http_akl_k8s_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t     *amcf;
    ngx_http_akl_k8s_verification_t  *v;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->verifications == NULL) {
        amcf->verifications = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_http_akl_k8s_verification_t));
        if (amcf->verifications == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    v = ngx_array_push(amcf->verifications);
    if (v == NULL) {
        return NGX_CONF_ERROR;
    }

    v->conf = conf;
    v->file = cf->conf_file->file.name.data;
    v->line = cf->conf_file->line;

    return ngx_http_akl_k8s_serve(cf, conf, &ngx_http_akl_k8s_serve_verify);
}


ngx_int_t
ngx_http_akl_k8s_verify_check(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_akl_k8s_main_conf_t     *amcf;
    ngx_http_akl_k8s_verification_t  *v;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->verifications == NULL) {
        return NGX_OK;
    }

    v = amcf->verifications->elts;

    for (i = 0; i < amcf->verifications->nelts; i++) {

        if (v[i].conf->guard || v[i].conf->exchange) {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"akl_k8s_verify\" needs \"akl_k8s_guard\" or "
                      "\"akl_k8s_exchange\" in its location in %s:%ui",
                      v[i].file, v[i].line);

        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_akl_k8s_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_akl_k8s_serve(cf, conf, &ngx_http_akl_k8s_serve_status);
}


char *
ngx_http_akl_k8s_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    if (cf->args->nelts == 1) {
        return ngx_http_akl_k8s_serve(cf, conf,
                                      &ngx_http_akl_k8s_serve_revoke);
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "self") == 0) {
        return ngx_http_akl_k8s_serve(cf, conf,
                                      &ngx_http_akl_k8s_serve_revoke_self);
    }

    if (ngx_strcmp(value[1].data, "vault") == 0) {
        return ngx_http_akl_k8s_serve(cf, conf,
                                      &ngx_http_akl_k8s_serve_revoke_vault);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"akl_k8s_revoke\"%s",
                       &value[1], ngx_http_akl_k8s_swallowed(cf, &value[1]));

    return NGX_CONF_ERROR;
}


char *
ngx_http_akl_k8s_introspect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    char       *rv;
    ngx_str_t  *value;

    if (alcf->service == &ngx_http_akl_k8s_serve_introspect
        || alcf->service == &ngx_http_akl_k8s_serve_self)
    {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "vault") == 0) {

        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" behind \"akl_k8s_introspect vault\"%s",
                               &value[2],
                               ngx_http_akl_k8s_swallowed(cf, &value[2]));
            return NGX_CONF_ERROR;
        }

        return ngx_http_akl_k8s_serve(cf, alcf, &ngx_http_akl_k8s_serve_self);
    }

    rv = ngx_http_akl_k8s_names(cf, &alcf->introspect_names);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_akl_k8s_serve(cf, alcf,
                                  &ngx_http_akl_k8s_serve_introspect);
}
