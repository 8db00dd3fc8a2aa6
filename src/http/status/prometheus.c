/*
 * The status page in Prometheus' text format.
 */

#include "../cluster/keys.h"
#include "../token/revocations.h"
#include "families.h"
#include "prometheus.h"


static void ngx_http_akl_k8s_status_text_family(
    ngx_http_akl_k8s_main_conf_t *amcf,
    const ngx_http_akl_k8s_family_t *family, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_status_text_duration(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_status_text_refused(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_status_text_keys(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_status_text_expiry(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_status_text_revocations(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_status_text_config(ngx_http_akl_k8s_text_t *text,
    const char *name, ngx_str_t *config);
static void ngx_http_akl_k8s_status_text_zone(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_text_head(ngx_http_akl_k8s_text_t *text,
    const char *name, const char *type, const char *help);


void
ngx_http_akl_k8s_status_text(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    const ngx_http_akl_k8s_family_t  *family;

    ngx_http_akl_k8s_text_head(text, "build_info", "gauge",
                               "Version of the module.");
    ngx_http_akl_k8s_text(text, NGX_HTTP_AKL_K8S_PREFIX "build_info"
                          "{version=\"%s\",nginx=\"%s\"} 1\n",
                          NGX_HTTP_AKL_K8S_VERSION, NGINX_VERSION);

    ngx_http_akl_k8s_text_head(text, "start_time_seconds", "gauge",
                               "Since when the zone counts.");
    ngx_http_akl_k8s_text(text, NGX_HTTP_AKL_K8S_PREFIX
                          "start_time_seconds %T\n",
                          ngx_http_akl_k8s_metrics_since(amcf));

    if (amcf->metrics) {
        for (family = ngx_http_akl_k8s_families; family->name; family++) {
            ngx_http_akl_k8s_status_text_family(amcf, family, text);
        }

        ngx_http_akl_k8s_status_text_duration(amcf, text);
        ngx_http_akl_k8s_status_text_refused(amcf, text);
    }

    ngx_http_akl_k8s_status_text_keys(amcf, text);
    ngx_http_akl_k8s_status_text_expiry(amcf, text);
    ngx_http_akl_k8s_status_text_revocations(amcf, text);
    ngx_http_akl_k8s_status_text_zone(amcf, text);
}


static void
ngx_http_akl_k8s_status_text_family(ngx_http_akl_k8s_main_conf_t *amcf,
    const ngx_http_akl_k8s_family_t *family, ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                    i, k, *series;
    ngx_http_akl_k8s_config_t   **config;
    ngx_http_akl_k8s_metrics_t   *metrics;

    metrics = amcf->metrics;
    config = amcf->configs.elts;

    ngx_http_akl_k8s_text_head(text, family->name, family->type, family->help);

    for (i = 0; i < amcf->configs.nelts; i++) {

        series = (ngx_uint_t *) ((u_char *) &metrics->configs[i]
                                 + family->offset);

        for (k = 0; k < family->n; k++) {
            ngx_http_akl_k8s_status_text_config(text, family->name,
                                                &config[i]->name);

            if (family->label) {
                ngx_http_akl_k8s_text(text, ",%s=\"%s\"", family->label,
                                      family->value(k));
            }

            ngx_http_akl_k8s_text(text, "} %uA\n",
                                  ngx_akl_zone_read(amcf->zone, series[k]));
        }
    }
}


static void
ngx_http_akl_k8s_status_text_duration(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                   i, k;
    ngx_str_t                   *name;
    ngx_msec_int_t               le;
    ngx_atomic_uint_t            n[NGX_HTTP_AKL_K8S_BUCKETS], sum;
    ngx_http_akl_k8s_config_t  **config;

    config = amcf->configs.elts;

    ngx_http_akl_k8s_text_head(text, "review_duration_seconds", "histogram",
                               "Time from a review's start to its answer.");

    for (i = 0; i < amcf->configs.nelts; i++) {
        name = &config[i]->name;
        sum = ngx_http_akl_k8s_durations(amcf, config[i], n);

        for (k = 0; k < NGX_HTTP_AKL_K8S_BUCKETS; k++) {
            le = ngx_http_akl_k8s_buckets[k];

            ngx_http_akl_k8s_status_text_config(text,
                                       "review_duration_seconds_bucket", name);
            if (le < 0) {
                ngx_http_akl_k8s_text(text, ",le=\"+Inf\"} %uA\n", n[k]);

            } else {
                ngx_http_akl_k8s_text(text, ",le=\"%M.%03M\"} %uA\n",
                                      le / 1000, le % 1000, n[k]);
            }
        }

        ngx_http_akl_k8s_status_text_config(text,
                                          "review_duration_seconds_sum", name);
        ngx_http_akl_k8s_text(text, "} %uA.%03uA\n", sum / 1000, sum % 1000);

        ngx_http_akl_k8s_status_text_config(text,
                                        "review_duration_seconds_count", name);
        ngx_http_akl_k8s_text(text, "} %uA\n",
                              n[NGX_HTTP_AKL_K8S_BUCKETS - 1]);
    }
}


static void
ngx_http_akl_k8s_status_text_refused(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                   i;
    ngx_http_akl_k8s_metrics_t  *metrics;

    metrics = amcf->metrics;

    ngx_http_akl_k8s_text_head(text, "refused_requests_total", "counter",
                               "Requests refused before they had an auth "
                               "config.");

    for (i = 0; i < AKL_REASON_N; i++) {
        ngx_http_akl_k8s_text(text, NGX_HTTP_AKL_K8S_PREFIX
                              "refused_requests_total{reason=\"%s\"} %uA\n",
                              akl_reason_code(i).data,
                              ngx_akl_zone_read(amcf->zone,
                                                metrics->refused[i]));
    }
}


static void
ngx_http_akl_k8s_status_text_keys(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                    i;
    ngx_http_akl_k8s_config_t   **config;
    ngx_http_akl_k8s_cluster_t   *cluster;

    config = amcf->configs.elts;

    ngx_http_akl_k8s_text_head(text, "jwks_keys", "gauge",
                               "Keys of the cluster that are known.");

    for (i = 0; i < amcf->configs.nelts; i++) {
        cluster = ngx_http_akl_k8s_cluster(config[i]);

        if (config[i]->jwks_auto || cluster->keys.known) {
            ngx_http_akl_k8s_status_text_config(text, "jwks_keys",
                                                &config[i]->name);
            ngx_http_akl_k8s_text(text, "} %uz\n", cluster->keys.set.n);
        }
    }

    ngx_http_akl_k8s_text_head(text, "jwks_age_seconds", "gauge",
                               "Time since these keys were fetched or read.");

    for (i = 0; i < amcf->configs.nelts; i++) {
        cluster = ngx_http_akl_k8s_cluster(config[i]);

        if (cluster->keys.known) {
            ngx_http_akl_k8s_status_text_config(text, "jwks_age_seconds",
                                                &config[i]->name);
            ngx_http_akl_k8s_text(text, "} %T\n",
                                  ngx_http_akl_k8s_keys_age(cluster));
        }
    }
}


static void
ngx_http_akl_k8s_status_text_expiry(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    time_t                       expires;
    ngx_uint_t                   i, k;
    ngx_http_akl_k8s_config_t  **config;

    config = amcf->configs.elts;

    ngx_http_akl_k8s_text_head(text, "credential_expiry_timestamp_seconds",
                               "gauge", "When a credential ends.");

    for (i = 0; i < amcf->configs.nelts; i++) {
        for (k = 0; k < NGX_HTTP_AKL_K8S_CREDENTIALS; k++) {

            expires = ngx_http_akl_k8s_expires(config[i],
                                               &ngx_http_akl_k8s_expiries[k]);
            if (expires == 0) {
                continue;
            }

            ngx_http_akl_k8s_status_text_config(text,
                                         "credential_expiry_timestamp_seconds",
                                         &config[i]->name);
            ngx_http_akl_k8s_text(text, ",credential=\"%s\"} %T\n",
                                  ngx_http_akl_k8s_expiries[k].label, expires);
        }
    }
}


static void
ngx_http_akl_k8s_status_text_revocations(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                           i;
    ngx_http_akl_k8s_file_stat_t         stat;
    const ngx_http_akl_k8s_figure_t     *figure;
    ngx_http_akl_k8s_revocation_file_t  *file;

    ngx_http_akl_k8s_text_head(text, "revocations_total", "counter",
                               "Requests to revoke by outcome.");

    for (i = 0; i < NGX_HTTP_AKL_K8S_REVOKE_N; i++) {
        ngx_http_akl_k8s_text(text, NGX_HTTP_AKL_K8S_PREFIX
                              "revocations_total{result=\"%s\"} %uA\n",
                              ngx_http_akl_k8s_revoke_names[i],
                              ngx_akl_zone_read(amcf->zone,
                                                amcf->revoked[i]));
    }

    if (amcf->revocation_files == NULL) {
        return;
    }

    file = amcf->revocation_files->elts;

    for (figure = ngx_http_akl_k8s_file_figures; figure->name; figure++) {

        if (figure->journal && amcf->journal == NULL) {
            continue;
        }

        ngx_http_akl_k8s_text_head(text, figure->metric, figure->type,
                                   figure->help);

        for (i = 0; i < amcf->revocation_files->nelts; i++) {

            if (figure->journal && file[i].journal == NULL) {
                continue;
            }

            ngx_http_akl_k8s_file_stat(amcf, &file[i], &stat);

            ngx_http_akl_k8s_text(text, NGX_HTTP_AKL_K8S_PREFIX "%s{file=\"",
                                  figure->metric);
            ngx_http_akl_k8s_text_label(text, &file[i].path);
            ngx_http_akl_k8s_text(text, "\"} %ui\n",
                                  *ngx_http_akl_k8s_figure(&stat, figure));
        }
    }
}


/* the name of a series of a config, and its first label */

static void
ngx_http_akl_k8s_status_text_config(ngx_http_akl_k8s_text_t *text,
    const char *name, ngx_str_t *config)
{
    ngx_http_akl_k8s_text(text, NGX_HTTP_AKL_K8S_PREFIX "%s{config=\"", name);
    ngx_http_akl_k8s_text_label(text, config);
    ngx_http_akl_k8s_text(text, "\"");
}


static void
ngx_http_akl_k8s_status_text_zone(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                        i;
    const ngx_uint_t                 *value;
    ngx_akl_zone_stat_t               stat;
    const ngx_http_akl_k8s_figure_t  *figure;

    ngx_akl_zone_stat(amcf->zone, &stat);

    for (figure = ngx_http_akl_k8s_zone_figures; figure->name; figure++) {

        ngx_http_akl_k8s_text_head(text, figure->metric, figure->type,
                                   figure->help);

        value = ngx_http_akl_k8s_figure(&stat, figure);

        if (!figure->classes) {
            ngx_http_akl_k8s_text(text, NGX_HTTP_AKL_K8S_PREFIX "%s %ui\n",
                                  figure->metric, *value);
            continue;
        }

        for (i = 0; i < NGX_AKL_CLASS_N; i++) {
            ngx_http_akl_k8s_text(text, NGX_HTTP_AKL_K8S_PREFIX
                                  "%s{class=\"%s\"} %ui\n", figure->metric,
                                  ngx_http_akl_k8s_classes[i], value[i]);
        }
    }
}


static void
ngx_http_akl_k8s_text_head(ngx_http_akl_k8s_text_t *text, const char *name,
    const char *type, const char *help)
{
    ngx_http_akl_k8s_text(text, "# HELP " NGX_HTTP_AKL_K8S_PREFIX "%s %s\n"
                          "# TYPE " NGX_HTTP_AKL_K8S_PREFIX "%s %s\n",
                          name, help, name, type);
}
