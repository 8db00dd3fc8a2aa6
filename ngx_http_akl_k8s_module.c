/*
 * ngx_http_akl_k8s_module: Kubernetes workload identity for nginx.
 *
 * The directive table, the phases and the process hooks; everything else
 * stands in src/.
 */

#include "src/http/cluster/cluster.h"
#include "src/http/conf/conf.h"
#include "src/http/conf/guard.h"
#include "src/http/conf/location.h"
#include "src/http/conf/main.h"
#include "src/http/conf/publish.h"
#include "src/http/conf/serve.h"
#include "src/http/guard/exchange.h"
#include "src/http/guard/guard.h"
#include "src/http/login/review.h"
#include "src/http/metrics.h"
#include "src/http/request.h"
#include "src/http/secret.h"
#include "src/http/token/revocation_files.h"
#include "src/http/token/revocations.h"
#include "src/http/variables.h"


#define NGX_HTTP_AKL_K8S_ANY_LEVEL                                            \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_int_t ngx_http_akl_k8s_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_akl_k8s_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_akl_k8s_init_process(ngx_cycle_t *cycle);
static void ngx_http_akl_k8s_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_akl_k8s_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_akl_k8s_commands[] = {

    { ngx_string("akl_k8s_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_akl_k8s_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_auth_method"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_akl_k8s_auth_method,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      (void *) ngx_http_akl_k8s_method_table },

    { ngx_string("akl_k8s_auth_config"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_akl_k8s_auth_config,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      (void *) ngx_http_akl_k8s_config_table },

    { ngx_string("akl_k8s_cache_valid"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_akl_k8s_cache_valid,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_review_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_akl_k8s_review_timeout,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_max_reviews"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_akl_k8s_max_reviews,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_revocations"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_akl_k8s_revocations,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_auth"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_akl_k8s_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_guard"),
      NGX_HTTP_AKL_K8S_ANY_LEVEL|NGX_CONF_1MORE,
      ngx_http_akl_k8s_guard,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_require"),
      NGX_HTTP_AKL_K8S_ANY_LEVEL|NGX_CONF_1MORE,
      ngx_http_akl_k8s_require,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_exchange"),
      NGX_HTTP_AKL_K8S_ANY_LEVEL|NGX_CONF_TAKE1,
      ngx_http_akl_k8s_exchange,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_token_source"),
      NGX_HTTP_AKL_K8S_ANY_LEVEL|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_akl_k8s_loc_conf_t, token_source),
      NULL },

    { ngx_string("akl_k8s_jwks"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_akl_k8s_jwks,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_discovery"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_akl_k8s_discovery,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_verify"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_akl_k8s_verify,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_akl_k8s_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_revoke"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_akl_k8s_revoke,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_introspect"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_akl_k8s_introspect,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("akl_k8s_log_level"),
      NGX_HTTP_AKL_K8S_ANY_LEVEL|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_akl_k8s_loc_conf_t, log_level),
      &ngx_http_akl_k8s_log_levels },

    { ngx_string("akl_k8s_dry_run"),
      NGX_HTTP_AKL_K8S_ANY_LEVEL|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_akl_k8s_loc_conf_t, dry_run),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_akl_k8s_module_ctx = {
    ngx_http_akl_k8s_preconfiguration,     /* preconfiguration */
    ngx_http_akl_k8s_postconfiguration,    /* postconfiguration */

    ngx_http_akl_k8s_create_main_conf,     /* create main configuration */
    ngx_http_akl_k8s_init_main_conf,       /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_akl_k8s_create_loc_conf,      /* create location configuration */
    ngx_http_akl_k8s_merge_loc_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_akl_k8s_module = {
    NGX_MODULE_V1,
    &ngx_http_akl_k8s_module_ctx,          /* module context */
    ngx_http_akl_k8s_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_akl_k8s_revocation_files_init_module,  /* init module */
    ngx_http_akl_k8s_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_akl_k8s_exit_process,         /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_akl_k8s_preconfiguration(ngx_conf_t *cf)
{
    const char  *cause;

    cause = ngx_akl_client_check();

    if (cause) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "akl_k8s: %s", cause);
        return NGX_ERROR;
    }

    return ngx_http_akl_k8s_add_variables(cf);
}


static ngx_int_t
ngx_http_akl_k8s_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_akl_k8s_subrequest;

    /* the access phase is skipped in subrequests, this one is not */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_akl_k8s_guard_subrequest;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_akl_k8s_guard_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_akl_k8s_exchange_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_akl_k8s_guard_granted;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_akl_k8s_secret_passed;

    /* revocations before metrics, which may fill the table of series */

    if (ngx_http_akl_k8s_revocations_init(cf) != NGX_OK
        || ngx_http_akl_k8s_metrics_init(cf) != NGX_OK
        || ngx_http_akl_k8s_verify_check(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_akl_k8s_publish(cf);
}


static ngx_int_t
ngx_http_akl_k8s_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (ngx_akl_client_init_process(cycle, "ngx_http_akl_k8s_module/"
                                           NGX_HTTP_AKL_K8S_VERSION)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_akl_k8s_revocation_files_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_akl_k8s_metrics_init_process(cycle);

    return ngx_http_akl_k8s_init_clusters(cycle);
}


static void
ngx_http_akl_k8s_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    ngx_http_akl_k8s_exit_clusters(ngx_http_akl_k8s_review_abort_all);
    ngx_akl_client_exit_process(cycle);
}
