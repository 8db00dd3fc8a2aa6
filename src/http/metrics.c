/*
 * Counters: see the header.
 */

#include "metrics.h"


static ngx_uint_t ngx_http_akl_k8s_metrics_series(ngx_conf_t *cf,
    ngx_akl_zone_t *zone, const char *name, ngx_str_t *config,
    const char *label, const char *value, ngx_uint_t gauge);
static ngx_http_akl_k8s_main_conf_t *ngx_http_akl_k8s_metrics_conf(void);
static ngx_http_akl_k8s_config_metrics_t *ngx_http_akl_k8s_metrics_of(
    ngx_http_akl_k8s_config_t *config);
static void ngx_http_akl_k8s_metrics_add(ngx_uint_t series, ngx_int_t by);
static ngx_uint_t ngx_http_akl_k8s_metrics_code(ngx_uint_t status);


const ngx_msec_int_t
    ngx_http_akl_k8s_buckets[NGX_HTTP_AKL_K8S_BUCKETS] =
{
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, -1
};

const char  *ngx_http_akl_k8s_cache_names[NGX_HTTP_AKL_K8S_CACHE_N] = {
    "none", "hit", "miss", "shared", "refused"
};

const char  *ngx_http_akl_k8s_code_names[NGX_HTTP_AKL_K8S_CODES] = {
    "200", "201", "401", "403", "404", "429", "5xx", "other", "none"
};


ngx_int_t
ngx_http_akl_k8s_metrics_init(ngx_conf_t *cf)
{
    char                                value[NGX_INT_T_LEN + 1];
    ngx_uint_t                          i, n;
    ngx_akl_zone_t                     *zone;
    ngx_http_akl_k8s_config_t         **config;
    ngx_http_akl_k8s_metrics_t         *metrics;
    ngx_http_akl_k8s_main_conf_t       *amcf;
    ngx_http_akl_k8s_config_metrics_t  *cm;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    zone = amcf->zone;

    amcf->since = ngx_http_akl_k8s_metrics_series(cf, zone, "since", NULL,
                                                  NULL, NULL, 0);
    amcf->steady = ngx_http_akl_k8s_metrics_series(cf, zone, "steady", NULL,
                                                   NULL, NULL, 0);

    n = amcf->configs.nelts;

    if (n == 0) {
        return NGX_OK;
    }

    metrics = ngx_pcalloc(cf->pool, sizeof(ngx_http_akl_k8s_metrics_t));
    if (metrics == NULL) {
        return NGX_ERROR;
    }

    metrics->configs = ngx_pcalloc(cf->pool,
                                n * sizeof(ngx_http_akl_k8s_config_metrics_t));
    if (metrics->configs == NULL) {
        return NGX_ERROR;
    }

    config = amcf->configs.elts;

    for (i = 0; i < AKL_REASON_N; i++) {
        metrics->refused[i] = ngx_http_akl_k8s_metrics_series(cf, zone,
                                  "refused", NULL, "reason",
                                  (char *) akl_reason_code(i).data, 0);
    }

    while (n--) {
        cm = &metrics->configs[n];

        for (i = 0; i < AKL_REASON_N; i++) {
            cm->logins[i] = ngx_http_akl_k8s_metrics_series(cf, zone, "logins",
                                &config[n]->name, "reason",
                                (char *) akl_reason_code(i).data, 0);

            cm->guards[i] = ngx_http_akl_k8s_metrics_series(cf, zone, "guards",
                                &config[n]->name, "reason",
                                (char *) akl_reason_code(i).data, 0);
        }

        for (i = 0; i < NGX_HTTP_AKL_K8S_CACHE_N; i++) {
            cm->cache[i] = ngx_http_akl_k8s_metrics_series(cf, zone, "cache",
                               &config[n]->name, "result",
                               ngx_http_akl_k8s_cache_names[i], 0);
        }

        for (i = 0; i < NGX_HTTP_AKL_K8S_CODES; i++) {
            cm->reviews[i] = ngx_http_akl_k8s_metrics_series(cf, zone,
                                 "reviews", &config[n]->name, "code",
                                 ngx_http_akl_k8s_code_names[i], 0);

            cm->namespaces[i] = ngx_http_akl_k8s_metrics_series(cf, zone,
                                    "namespaces", &config[n]->name, "code",
                                    ngx_http_akl_k8s_code_names[i], 0);
        }

        for (i = 0; i < NGX_HTTP_AKL_K8S_BUCKETS; i++) {
            (void) ngx_sprintf((u_char *) value, "%M%Z",
                               ngx_http_akl_k8s_buckets[i]);

            cm->duration[i] = ngx_http_akl_k8s_metrics_series(cf, zone,
                                  "duration", &config[n]->name, "le", value,
                                  0);
        }

        cm->duration_sum = ngx_http_akl_k8s_metrics_series(cf, zone,
                               "duration_sum", &config[n]->name, NULL, NULL,
                               0);

        cm->minted = ngx_http_akl_k8s_metrics_series(cf, zone, "minted",
                                             &config[n]->name, NULL, NULL, 0);
        cm->in_flight = ngx_http_akl_k8s_metrics_series(cf, zone, "in_flight",
                                             &config[n]->name, NULL, NULL, 1);
        cm->queued = ngx_http_akl_k8s_metrics_series(cf, zone, "queued",
                                             &config[n]->name, NULL, NULL, 1);
    }

    amcf->metrics = metrics;

    return NGX_OK;
}


void
ngx_http_akl_k8s_metrics_init_process(ngx_cycle_t *cycle)
{
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_akl_k8s_module);

    if (amcf && amcf->zone
        && ngx_http_akl_k8s_metrics_since(amcf) == 0)
    {
        ngx_akl_zone_lift(amcf->zone, amcf->since, ngx_time());
        ngx_akl_zone_lift(amcf->zone, amcf->steady, ngx_akl_zone_now() / 1000);
    }
}


time_t
ngx_http_akl_k8s_metrics_since(ngx_http_akl_k8s_main_conf_t *amcf)
{
    return ngx_akl_zone_read(amcf->zone, amcf->since);
}


time_t
ngx_http_akl_k8s_metrics_span(ngx_http_akl_k8s_main_conf_t *amcf)
{
    return ngx_akl_zone_now() / 1000
           - (time_t) ngx_akl_zone_read(amcf->zone, amcf->steady);
}


/* a series that finds no room counts in the zone's overflow series, 0 */

static ngx_uint_t
ngx_http_akl_k8s_metrics_series(ngx_conf_t *cf, ngx_akl_zone_t *zone,
    const char *name, ngx_str_t *config, const char *label, const char *value,
    ngx_uint_t gauge)
{
    u_char     *p;
    size_t      i, len;
    ngx_int_t   series;
    ngx_str_t   full;

    len = ngx_strlen(name) + (config ? 2 * config->len : 0)
          + (label ? ngx_strlen(label) + ngx_strlen(value) : 0)
          + sizeof("{config=\"\",=\"\"}");

    full.data = ngx_pnalloc(cf->pool, len);
    if (full.data == NULL) {
        return 0;
    }

    p = ngx_sprintf(full.data, "%s{", name);

    if (config) {
        p = ngx_cpymem(p, "config=\"", sizeof("config=\"") - 1);

        /* as in the text format, so that no name reads like another series */

        for (i = 0; i < config->len; i++) {
            if (config->data[i] == '"' || config->data[i] == '\\') {
                *p++ = '\\';
            }

            *p++ = config->data[i];
        }

        *p++ = '"';
    }

    if (label) {
        p = ngx_sprintf(p, "%s%s=\"%s\"", config ? "," : "", label, value);
    }

    *p++ = '}';
    full.len = p - full.data;

    series = gauge ? ngx_akl_zone_gauge(zone, &full)
                   : ngx_akl_zone_series(zone, &full);

    return (series == NGX_ERROR) ? 0 : (ngx_uint_t) series;
}


static ngx_http_akl_k8s_main_conf_t *
ngx_http_akl_k8s_metrics_conf(void)
{
    return ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_akl_k8s_module);
}


static ngx_http_akl_k8s_config_metrics_t *
ngx_http_akl_k8s_metrics_of(ngx_http_akl_k8s_config_t *config)
{
    ngx_http_akl_k8s_metrics_t  *metrics;

    metrics = ngx_http_akl_k8s_metrics_conf()->metrics;

    return &metrics->configs[config->index];
}


static void
ngx_http_akl_k8s_metrics_add(ngx_uint_t series, ngx_int_t by)
{
    ngx_akl_zone_add_to(ngx_http_akl_k8s_metrics_conf()->zone, series, by);
}


void
ngx_http_akl_k8s_metrics_login(ngx_http_akl_k8s_config_t *config,
    akl_reason_t reason, ngx_http_akl_k8s_cache_e cache, ngx_int_t by)
{
    ngx_http_akl_k8s_metrics_t         *metrics;
    ngx_http_akl_k8s_main_conf_t       *amcf;
    ngx_http_akl_k8s_config_metrics_t  *cm;

    amcf = ngx_http_akl_k8s_metrics_conf();
    metrics = amcf->metrics;

    if (metrics == NULL) {
        return;
    }

    if (config == NULL) {
        ngx_akl_zone_add_to(amcf->zone, metrics->refused[reason], by);
        return;
    }

    cm = &metrics->configs[config->index];

    ngx_akl_zone_add_to(amcf->zone, cm->logins[reason], by);
    ngx_akl_zone_add_to(amcf->zone, cm->cache[cache], by);
}


void
ngx_http_akl_k8s_metrics_malformed(void)
{
    ngx_http_akl_k8s_metrics_login(NULL, AKL_REQUEST_MALFORMED,
                                   NGX_HTTP_AKL_K8S_CACHE_NONE, 1);
}


void
ngx_http_akl_k8s_metrics_guard(ngx_http_akl_k8s_config_t *config,
    akl_reason_t reason)
{
    if (config) {
        ngx_http_akl_k8s_metrics_add(
                      ngx_http_akl_k8s_metrics_of(config)->guards[reason], 1);
    }
}


void
ngx_http_akl_k8s_metrics_review(ngx_http_akl_k8s_config_t *config,
    ngx_uint_t status, ngx_msec_int_t elapsed)
{
    ngx_uint_t                          i;
    ngx_http_akl_k8s_metrics_t         *metrics;
    ngx_http_akl_k8s_main_conf_t       *amcf;
    ngx_http_akl_k8s_config_metrics_t  *cm;

    amcf = ngx_http_akl_k8s_metrics_conf();
    metrics = amcf->metrics;
    cm = &metrics->configs[config->index];

    ngx_akl_zone_add_to(amcf->zone,
                        cm->reviews[ngx_http_akl_k8s_metrics_code(status)], 1);

    for (i = 0; i < NGX_HTTP_AKL_K8S_BUCKETS - 1; i++) {
        if (elapsed <= ngx_http_akl_k8s_buckets[i]) {
            break;
        }
    }

    ngx_akl_zone_add_to(amcf->zone, cm->duration[i], 1);
    ngx_akl_zone_add_to(amcf->zone, cm->duration_sum, elapsed);
}


void
ngx_http_akl_k8s_metrics_namespace(ngx_http_akl_k8s_config_t *config,
    ngx_uint_t status)
{
    ngx_http_akl_k8s_metrics_t    *metrics;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_akl_k8s_metrics_conf();
    metrics = amcf->metrics;

    ngx_akl_zone_add_to(amcf->zone,
                        metrics->configs[config->index]
                            .namespaces[ngx_http_akl_k8s_metrics_code(status)],
                        1);
}


/* the index of a status in ngx_http_akl_k8s_code_names */

static ngx_uint_t
ngx_http_akl_k8s_metrics_code(ngx_uint_t status)
{
    switch (status) {
    case 0:
        return 8;
    case 200:
        return 0;
    case 201:
        return 1;
    case 401:
        return 2;
    case 403:
        return 3;
    case 404:
        return 4;
    case 429:
        return 5;
    default:
        return (status >= 500) ? 6 : 7;
    }
}


void
ngx_http_akl_k8s_metrics_minted(ngx_http_akl_k8s_config_t *config)
{
    ngx_http_akl_k8s_metrics_add(ngx_http_akl_k8s_metrics_of(config)->minted,
                                 1);
}


void
ngx_http_akl_k8s_metrics_in_flight(ngx_http_akl_k8s_config_t *config,
    ngx_int_t by)
{
    ngx_http_akl_k8s_metrics_add(
                          ngx_http_akl_k8s_metrics_of(config)->in_flight, by);
}


void
ngx_http_akl_k8s_metrics_queued(ngx_http_akl_k8s_config_t *config,
    ngx_int_t by)
{
    ngx_http_akl_k8s_metrics_add(ngx_http_akl_k8s_metrics_of(config)->queued,
                                 by);
}
