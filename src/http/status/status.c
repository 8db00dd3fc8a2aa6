/*
 * The status page: which format, and JSON; the others are in page.c and
 * prometheus.c.
 */

#include <ngx_config.h>

#include "../../jose/json.h"
#include "../accept.h"
#include "../cluster/keys.h"
#include "../headers.h"
#include "../request.h"
#include "../respond.h"
#include "../token/revocations.h"
#include "families.h"
#include "page.h"
#include "prometheus.h"
#include "status.h"


static ngx_int_t ngx_http_akl_k8s_status_json(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);
static void ngx_http_akl_k8s_status_json_config(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_config_t *config,
    akl_json_out_t *out);
static void ngx_http_akl_k8s_status_json_durations(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_config_t *config,
    akl_json_out_t *out);
static void ngx_http_akl_k8s_status_json_revocations(
    ngx_http_akl_k8s_main_conf_t *amcf, akl_json_out_t *out);
static void ngx_http_akl_k8s_status_json_zone(
    ngx_http_akl_k8s_main_conf_t *amcf, akl_json_out_t *out);


/* by the preference of ours, where the client has none */

static const ngx_str_t  ngx_http_akl_k8s_status_types[] = {
    ngx_string(NGX_HTTP_AKL_K8S_JSON),
    ngx_string("text/html"),
    ngx_string("text/plain")
};

static const ngx_str_t  ngx_http_akl_k8s_status_formats[] = {
    ngx_string("json"),
    ngx_string("html"),
    ngx_string("prometheus")
};

enum {
    NGX_HTTP_AKL_K8S_STATUS_JSON = 0,
    NGX_HTTP_AKL_K8S_STATUS_HTML,
    NGX_HTTP_AKL_K8S_STATUS_PROMETHEUS,
    NGX_HTTP_AKL_K8S_STATUS_N
};


ngx_int_t
ngx_http_akl_k8s_status_handler(ngx_http_request_t *r)
{
    ngx_int_t   rc;
    ngx_str_t   value;
    ngx_uint_t  format;

    rc = ngx_http_akl_k8s_allow(r, NGX_HTTP_GET|NGX_HTTP_HEAD);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK) {

        for (format = 0; format < NGX_HTTP_AKL_K8S_STATUS_N; format++) {
            if (value.len == ngx_http_akl_k8s_status_formats[format].len
                && ngx_strncmp(value.data,
                               ngx_http_akl_k8s_status_formats[format].data,
                               value.len)
                   == 0)
            {
                break;
            }
        }

        if (format == NGX_HTTP_AKL_K8S_STATUS_N) {
            return NGX_HTTP_BAD_REQUEST;
        }

    } else {
        format = ngx_http_akl_k8s_accept(r, ngx_http_akl_k8s_status_types,
                                         NGX_HTTP_AKL_K8S_STATUS_N);
        ngx_str_set(&value, "Accept");

        if (ngx_http_akl_k8s_add_header(r, "Vary", &value) == NULL) {
            return ngx_http_akl_k8s_no_memory(r);
        }
    }

    switch (format) {

    case NGX_HTTP_AKL_K8S_STATUS_HTML:
        return ngx_http_akl_k8s_status_page(r);

    case NGX_HTTP_AKL_K8S_STATUS_PROMETHEUS:
        return ngx_http_akl_k8s_respond_text(r, "text/plain; version=0.0.4; "
                                                "charset=utf-8",
                                             ngx_http_akl_k8s_status_text);

    default:
        return ngx_http_akl_k8s_respond_json(r, NGX_HTTP_OK, 0,
                                             ngx_http_akl_k8s_status_json,
                                             NULL);
    }
}


static ngx_int_t
ngx_http_akl_k8s_status_json(ngx_http_request_t *r, akl_json_out_t *out,
    void *data)
{
    ngx_uint_t                      i;
    ngx_atomic_uint_t               n;
    ngx_http_akl_k8s_config_t     **config;
    ngx_http_akl_k8s_metrics_t     *metrics;
    ngx_http_akl_k8s_main_conf_t   *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    metrics = amcf->metrics;
    config = amcf->configs.elts;

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "version", akl_str(NGX_HTTP_AKL_K8S_VERSION));
    akl_json_out_str(out, "nginx", akl_str(NGINX_VERSION));
    akl_json_out_int(out, "start_time", ngx_http_akl_k8s_metrics_since(amcf));

    akl_json_out_open(out, "configs", '{');

    for (i = 0; i < amcf->configs.nelts; i++) {
        ngx_http_akl_k8s_status_json_config(amcf, config[i], out);
    }

    akl_json_out_close(out, '}');

    if (metrics) {
        akl_json_out_open(out, "refused_requests_total", '{');

        for (i = 0; i < AKL_REASON_N; i++) {
            n = ngx_akl_zone_read(amcf->zone, metrics->refused[i]);

            if (n) {
                akl_json_out_int(out, (char *) akl_reason_code(i).data, n);
            }
        }

        akl_json_out_close(out, '}');
    }

    ngx_http_akl_k8s_status_json_revocations(amcf, out);
    ngx_http_akl_k8s_status_json_zone(amcf, out);
    akl_json_out_close(out, '}');

    return NGX_OK;
}


static void
ngx_http_akl_k8s_status_json_config(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, akl_json_out_t *out)
{
    u_char                           *name;
    time_t                            expires;
    ngx_uint_t                        i, *series;
    ngx_atomic_uint_t                 n;
    ngx_http_akl_k8s_cluster_t       *cluster;
    ngx_http_akl_k8s_metrics_t       *metrics;
    const ngx_http_akl_k8s_family_t  *family;

    metrics = amcf->metrics;

    name = config->name.data;            /* NUL-terminated by the parser */

    akl_json_out_open(out, (char *) name, '{');

    for (family = ngx_http_akl_k8s_families; family->name; family++) {

        series = (ngx_uint_t *) ((u_char *) &metrics->configs[config->index]
                                 + family->offset);

        if (family->label == NULL) {
            akl_json_out_int(out, family->name,
                             ngx_akl_zone_read(amcf->zone, *series));
            continue;
        }

        akl_json_out_open(out, family->name, '{');

        for (i = 0; i < family->n; i++) {
            n = ngx_akl_zone_read(amcf->zone, series[i]);

            if (n) {
                akl_json_out_int(out, family->value(i), n);
            }
        }

        akl_json_out_close(out, '}');
    }

    ngx_http_akl_k8s_status_json_durations(amcf, config, out);

    cluster = ngx_http_akl_k8s_cluster(config);

    if (config->jwks_auto || cluster->keys.known) {
        akl_json_out_int(out, "jwks_keys", cluster->keys.set.n);
    }

    if (cluster->keys.known) {
        akl_json_out_int(out, "jwks_age_seconds",
                         ngx_http_akl_k8s_keys_age(cluster));
    }

    akl_json_out_open(out, "credential_expiry", '{');

    for (i = 0; i < NGX_HTTP_AKL_K8S_CREDENTIALS; i++) {
        expires = ngx_http_akl_k8s_expires(config,
                                           &ngx_http_akl_k8s_expiries[i]);
        if (expires) {
            akl_json_out_int(out, ngx_http_akl_k8s_expiries[i].label, expires);
        }
    }

    akl_json_out_close(out, '}');
    akl_json_out_close(out, '}');
}


/* how many reviews took up to each bound, the smaller ones left out */

static void
ngx_http_akl_k8s_status_json_durations(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, akl_json_out_t *out)
{
    char               le[NGX_INT_T_LEN + 1];
    ngx_uint_t         i;
    ngx_atomic_uint_t  n[NGX_HTTP_AKL_K8S_BUCKETS], sum;

    sum = ngx_http_akl_k8s_durations(amcf, config, n);

    akl_json_out_open(out, "review_duration_ms", '{');

    for (i = 0; i < NGX_HTTP_AKL_K8S_BUCKETS; i++) {
        if (ngx_http_akl_k8s_buckets[i] < 0) {
            ngx_memcpy(le, "inf", sizeof("inf"));

        } else {
            (void) ngx_sprintf((u_char *) le, "%M%Z",
                               ngx_http_akl_k8s_buckets[i]);
        }

        akl_json_out_int(out, le, n[i] - (i ? n[i - 1] : 0));
    }

    akl_json_out_int(out, "sum", sum);
    akl_json_out_close(out, '}');
}


static void
ngx_http_akl_k8s_status_json_revocations(ngx_http_akl_k8s_main_conf_t *amcf,
    akl_json_out_t *out)
{
    ngx_uint_t                           i;
    ngx_http_akl_k8s_file_stat_t         stat;
    const ngx_http_akl_k8s_figure_t     *figure;
    ngx_http_akl_k8s_revocation_file_t  *file;

    akl_json_out_open(out, "revocations", '{');

    for (i = 0; i < NGX_HTTP_AKL_K8S_REVOKE_N; i++) {
        akl_json_out_int(out, ngx_http_akl_k8s_revoke_names[i],
                         ngx_akl_zone_read(amcf->zone, amcf->revoked[i]));
    }

    akl_json_out_open(out, "files", '{');

    file = amcf->revocation_files ? amcf->revocation_files->elts : NULL;

    for (i = 0; file && i < amcf->revocation_files->nelts; i++) {
        akl_json_out_open(out, (char *) file[i].path.data, '{');

        ngx_http_akl_k8s_file_stat(amcf, &file[i], &stat);

        for (figure = ngx_http_akl_k8s_file_figures; figure->name; figure++) {
            if (!figure->journal || file[i].journal) {
                akl_json_out_int(out, figure->name,
                                 *ngx_http_akl_k8s_figure(&stat, figure));
            }
        }

        akl_json_out_close(out, '}');
    }

    akl_json_out_close(out, '}');
    akl_json_out_close(out, '}');
}


static void
ngx_http_akl_k8s_status_json_zone(ngx_http_akl_k8s_main_conf_t *amcf,
    akl_json_out_t *out)
{
    ngx_uint_t                        i;
    const ngx_uint_t                 *value;
    ngx_akl_zone_stat_t               stat;
    ngx_akl_client_stat_t             client;
    const ngx_http_akl_k8s_figure_t  *figure;

    ngx_akl_zone_stat(amcf->zone, &stat);
    ngx_akl_client_stat(&client);

    akl_json_out_open(out, "zone", '{');

    for (figure = ngx_http_akl_k8s_zone_figures; figure->name; figure++) {

        value = ngx_http_akl_k8s_figure(&stat, figure);

        if (!figure->classes) {
            akl_json_out_int(out, figure->name, *value);
            continue;
        }

        akl_json_out_open(out, figure->name, '{');

        for (i = 0; i < NGX_AKL_CLASS_N; i++) {
            akl_json_out_int(out, ngx_http_akl_k8s_classes[i], value[i]);
        }

        akl_json_out_close(out, '}');
    }

    akl_json_out_close(out, '}');

    akl_json_out_open(out, "worker", '{');
    akl_json_out_int(out, "pid", ngx_pid);
    akl_json_out_int(out, "calls", client.in_flight);
    akl_json_out_int(out, "connections", client.connections);
    akl_json_out_close(out, '}');
}
