/*
 * The status page as people read it: its frame, and a section for each auth
 * config.  Only names of the configuration are shown, and escaped.
 */

#include <ngx_config.h>
#include <openssl/evp.h>

#include "../cluster/keys.h"
#include "../headers.h"
#include "../request.h"
#include "families.h"
#include "page.h"
#include "page_parts.h"


#define NGX_HTTP_AKL_K8S_PAGE_SOON    (7 * 24 * 3600)   /* s before an end */
#define NGX_HTTP_AKL_K8S_PAGE_POLICY  512               /* bytes */


static ngx_int_t ngx_http_akl_k8s_page_policy(ngx_str_t *policy);
static ngx_int_t ngx_http_akl_k8s_page_digest(const ngx_str_t *text,
    ngx_str_t *digest);
static void ngx_http_akl_k8s_page(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_page_config(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_page_cluster(ngx_http_akl_k8s_config_t *config,
    ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_page_outcomes(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_uint_t *series, const char *accepted, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_page_reviews(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_text_t *text,
    ngx_atomic_uint_t *n);
static void ngx_http_akl_k8s_page_quantile(ngx_http_akl_k8s_text_t *text,
    ngx_uint_t percent, ngx_atomic_uint_t *n);
static void ngx_http_akl_k8s_page_rate(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text, const char *now, ngx_atomic_uint_t n);
static void ngx_http_akl_k8s_page_credentials(
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_page_time(ngx_http_akl_k8s_text_t *text,
    time_t when, ngx_uint_t seconds);


ngx_int_t
ngx_http_akl_k8s_status_page(ngx_http_request_t *r)
{
    ngx_str_t  policy, nosniff, referrer;

    ngx_str_set(&nosniff, "nosniff");
    ngx_str_set(&referrer, "no-referrer");

    if (ngx_http_akl_k8s_page_policy(&policy) != NGX_OK
        || ngx_http_akl_k8s_add_header(r, "Content-Security-Policy", &policy)
           == NULL
        || ngx_http_akl_k8s_add_header(r, "X-Content-Type-Options", &nosniff)
           == NULL
        || ngx_http_akl_k8s_add_header(r, "Referrer-Policy", &referrer)
           == NULL)
    {
        return ngx_http_akl_k8s_no_memory(r);
    }

    return ngx_http_akl_k8s_respond_text(r, "text/html; charset=utf-8",
                                         ngx_http_akl_k8s_page);
}


/* the page's own style and script, asking this server, and nothing else */

static ngx_int_t
ngx_http_akl_k8s_page_policy(ngx_str_t *policy)
{
    u_char     *p;
    ngx_str_t   style, script;

    static u_char  text[NGX_HTTP_AKL_K8S_PAGE_POLICY];
    static size_t  len;

    if (len == 0) {
        u_char  digests[2][ngx_base64_encoded_length(EVP_MAX_MD_SIZE)];

        style.data = digests[0];
        script.data = digests[1];

        if (ngx_http_akl_k8s_page_digest(&ngx_http_akl_k8s_page_style, &style)
            != NGX_OK
            || ngx_http_akl_k8s_page_digest(&ngx_http_akl_k8s_page_script,
                                            &script)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_snprintf(text, sizeof(text),
                         "default-src 'none'; style-src 'sha256-%V'; "
                         "script-src 'sha256-%V'; connect-src 'self'; "
                         "base-uri 'none'; form-action 'none'; "
                         "frame-ancestors 'none'", &style, &script);
        len = p - text;
    }

    policy->data = text;
    policy->len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_page_digest(const ngx_str_t *text, ngx_str_t *digest)
{
    u_char     md[EVP_MAX_MD_SIZE];
    unsigned   len;
    ngx_str_t  src;

    if (EVP_Digest(text->data, text->len, md, &len, EVP_sha256(), NULL) != 1) {
        return NGX_ERROR;
    }

    src.data = md;
    src.len = len;

    ngx_encode_base64(digest, &src);

    return NGX_OK;
}


static void
ngx_http_akl_k8s_page(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    time_t                       since;
    ngx_uint_t                   i;
    ngx_http_akl_k8s_config_t  **config;

    since = ngx_http_akl_k8s_metrics_since(amcf);

    ngx_http_akl_k8s_text_literal(text,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
        "<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<title>akl_k8s status</title>\n"
        "<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n"
        "<style>");
    ngx_http_akl_k8s_text_raw(text,
                              (char *) ngx_http_akl_k8s_page_style.data,
                              ngx_http_akl_k8s_page_style.len);
    ngx_http_akl_k8s_text_literal(text,
        "</style>\n</head>\n<body>\n<header>\n<h1>akl_k8s</h1>\n");

    ngx_http_akl_k8s_text(text, "<p>%s on nginx %s, worker %P; counting since ",
                          NGX_HTTP_AKL_K8S_VERSION, NGINX_VERSION, ngx_pid);
    ngx_http_akl_k8s_page_time(text, since, 1);
    ngx_http_akl_k8s_text_literal(text, "</p>\n<p id=\"live\">as of ");
    ngx_http_akl_k8s_page_time(text, ngx_time(), 1);
    ngx_http_akl_k8s_text(text, "</p>\n</header>\n"
                          "<main data-version=\"%s\" data-bounds=\"",
                          NGX_HTTP_AKL_K8S_VERSION);

    for (i = 0; ngx_http_akl_k8s_buckets[i] >= 0; i++) {
        ngx_http_akl_k8s_text(text, i ? " %M" : "%M",
                              ngx_http_akl_k8s_buckets[i]);
    }

    ngx_http_akl_k8s_text_literal(text, "\">\n");

    config = amcf->configs.elts;

    for (i = 0; i < amcf->configs.nelts; i++) {
        ngx_http_akl_k8s_page_config(amcf, config[i], text);
    }

    ngx_http_akl_k8s_page_reasons(amcf, text);
    ngx_http_akl_k8s_page_revocations(amcf, text);
    ngx_http_akl_k8s_page_zone(amcf, text);

    ngx_http_akl_k8s_text_literal(text, "</main>\n"
        "<footer><p>Rates, p50 and p99 are of all the time it has counted, p50 "
        "and p99 as near as the histogram\xe2\x80\x99s bounds allow. With "
        "JavaScript the page keeps itself up to date, and tells what "
        "happened lately, while it was open.</p></footer>\n<script>");
    ngx_http_akl_k8s_text_raw(text,
                              (char *) ngx_http_akl_k8s_page_script.data,
                              ngx_http_akl_k8s_page_script.len);
    ngx_http_akl_k8s_text_literal(text, "</script>\n</body>\n</html>\n");
}


static void
ngx_http_akl_k8s_page_config(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                          i;
    ngx_atomic_uint_t                   n[NGX_HTTP_AKL_K8S_BUCKETS], logins;
    ngx_http_akl_k8s_metrics_t         *metrics;
    ngx_http_akl_k8s_config_metrics_t  *cm;

    metrics = amcf->metrics;
    cm = &metrics->configs[config->index];

    (void) ngx_http_akl_k8s_durations(amcf, config, n);

    logins = 0;

    for (i = 0; i < AKL_REASON_N; i++) {
        logins += ngx_akl_zone_read(amcf->zone, cm->logins[i]);
    }

    ngx_http_akl_k8s_text(text, "<section data-logins=\"%uA\" data-counts=\"",
                          logins);

    for (i = 0; i < NGX_HTTP_AKL_K8S_BUCKETS; i++) {
        ngx_http_akl_k8s_text(text, i ? " %uA" : "%uA", n[i]);
    }

    ngx_http_akl_k8s_text_literal(text, "\">\n<h2>");
    ngx_http_akl_k8s_text_html(text, &config->name);
    ngx_http_akl_k8s_text_literal(text, "</h2>\n");

    ngx_http_akl_k8s_page_cluster(config, text);

    ngx_http_akl_k8s_text_literal(text, "<div class=\"groups\">\n");

    ngx_http_akl_k8s_page_group(text, "Logins");
    ngx_http_akl_k8s_page_rate(amcf, text, "logins", logins);
    ngx_http_akl_k8s_page_outcomes(amcf, cm->logins, "accepted", text);
    ngx_http_akl_k8s_page_figure(text, "tokens minted",
                                 ngx_akl_zone_read(amcf->zone, cm->minted));
    ngx_http_akl_k8s_page_group_end(text);

    ngx_http_akl_k8s_page_group(text, "Guarded requests");
    ngx_http_akl_k8s_page_outcomes(amcf, cm->guards, "passed", text);
    ngx_http_akl_k8s_page_group_end(text);

    ngx_http_akl_k8s_page_reviews(amcf, config, text, n);

    ngx_http_akl_k8s_page_group(text, "Logins by their verdict");
    ngx_http_akl_k8s_page_figure(text, "kept: hit",
        ngx_akl_zone_read(amcf->zone, cm->cache[NGX_HTTP_AKL_K8S_CACHE_HIT]));
    ngx_http_akl_k8s_page_figure(text, "kept: refused",
        ngx_akl_zone_read(amcf->zone,
                          cm->cache[NGX_HTTP_AKL_K8S_CACHE_REFUSED]));
    ngx_http_akl_k8s_page_figure(text, "shared another\xe2\x80\x99s review",
        ngx_akl_zone_read(amcf->zone,
                          cm->cache[NGX_HTTP_AKL_K8S_CACHE_SHARED]));
    ngx_http_akl_k8s_page_figure(text, "missed: own review",
        ngx_akl_zone_read(amcf->zone, cm->cache[NGX_HTTP_AKL_K8S_CACHE_MISS]));
    ngx_http_akl_k8s_page_figure(text, "none needed",
        ngx_akl_zone_read(amcf->zone, cm->cache[NGX_HTTP_AKL_K8S_CACHE_NONE]));
    ngx_http_akl_k8s_page_group_end(text);

    ngx_http_akl_k8s_page_credentials(config, text);

    ngx_http_akl_k8s_text_literal(text, "</div>\n</section>\n");
}


static void
ngx_http_akl_k8s_page_cluster(ngx_http_akl_k8s_config_t *config,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t       i;
    ngx_akl_host_t  *host;

    ngx_http_akl_k8s_text(text, "<p>%s at ",
                          (config->type == NGX_HTTP_AKL_K8S_RANCHER)
                              ? "Rancher" : "Kubernetes");

    host = config->hosts.elts;

    for (i = 0; i < config->hosts.nelts; i++) {
        ngx_http_akl_k8s_text(text, "%s<code>", i ? ", " : "");
        ngx_http_akl_k8s_text_html(text, &host[i].url);
        ngx_http_akl_k8s_text_literal(text, "</code>");
    }

    ngx_http_akl_k8s_text_literal(text, " for <code>");
    ngx_http_akl_k8s_text_html(text, &config->access_id);
    ngx_http_akl_k8s_text_literal(text, "</code></p>\n");
}


static void
ngx_http_akl_k8s_page_outcomes(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_uint_t *series, const char *accepted, ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  n, refused, outages;

    refused = 0;
    outages = 0;

    for (i = 0; i < AKL_REASON_N; i++) {
        n = ngx_akl_zone_read(amcf->zone, series[i]);

        switch (akl_reason_kind(i)) {

        case AKL_KIND_OK:
            break;

        case AKL_KIND_OUTAGE:
            outages += n;
            break;

        default:
            refused += n;
            break;
        }
    }

    ngx_http_akl_k8s_page_figure(text, accepted,
                                 ngx_akl_zone_read(amcf->zone,
                                                   series[AKL_OK]));
    ngx_http_akl_k8s_page_figure(text, "refused", refused);
    ngx_http_akl_k8s_page_figure(text, "outages", outages);
}


static void
ngx_http_akl_k8s_page_reviews(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config, ngx_http_akl_k8s_text_t *text,
    ngx_atomic_uint_t *n)
{
    ngx_uint_t                          i;
    ngx_atomic_uint_t                   answers;
    ngx_http_akl_k8s_metrics_t         *metrics;
    ngx_http_akl_k8s_config_metrics_t  *cm;

    metrics = amcf->metrics;
    cm = &metrics->configs[config->index];

    ngx_http_akl_k8s_page_group(text, "Reviews");
    ngx_http_akl_k8s_page_rate(amcf, text, "reviews",
                               n[NGX_HTTP_AKL_K8S_BUCKETS - 1]);
    ngx_http_akl_k8s_page_quantile(text, 50, n);
    ngx_http_akl_k8s_page_quantile(text, 99, n);

    ngx_http_akl_k8s_text(text, "<div><dt>in flight</dt><dd>%uA<small>"
                          "at most %ui a worker</small></dd></div>\n",
                          ngx_akl_zone_read(amcf->zone, cm->in_flight),
                          config->max_reviews);
    ngx_http_akl_k8s_text(text, "<div><dt>queued</dt><dd>%uA<small>"
                          "at most %ui a worker</small></dd></div>\n",
                          ngx_akl_zone_read(amcf->zone, cm->queued),
                          config->max_queue);

    for (i = 0; i < NGX_HTTP_AKL_K8S_CODES; i++) {
        answers = ngx_akl_zone_read(amcf->zone, cm->reviews[i]);

        if (answers) {
            ngx_http_akl_k8s_text(text, "<div><dt>answered %s</dt><dd>%uA</dd>"
                                  "</div>\n",
                                  ngx_http_akl_k8s_code_names[i], answers);
        }
    }

    ngx_http_akl_k8s_page_group_end(text);
}


/* as histogram_quantile() of Prometheus: straight within a bucket */

static void
ngx_http_akl_k8s_page_quantile(ngx_http_akl_k8s_text_t *text,
    ngx_uint_t percent, ngx_atomic_uint_t *n)
{
    uint64_t    rank, low, below, tenths;
    ngx_uint_t  i;

    ngx_http_akl_k8s_text(text, "<div><dt>p%ui</dt><dd>", percent);

    /* all in hundredths of a review */

    rank = (uint64_t) n[NGX_HTTP_AKL_K8S_BUCKETS - 1] * percent;

    for (i = 0; n[i] * 100 < rank; i++) { /* void */ }

    if (rank == 0) {
        ngx_http_akl_k8s_text_literal(text, "none");

    } else if (ngx_http_akl_k8s_buckets[i] < 0) {
        ngx_http_akl_k8s_text(text, "over %M ms",
                              ngx_http_akl_k8s_buckets[i - 1]);

    } else {
        low = i ? ngx_http_akl_k8s_buckets[i - 1] : 0;
        below = i ? n[i - 1] : 0;

        tenths = low * 10 + (ngx_http_akl_k8s_buckets[i] - low) * 10
                            * (rank - below * 100) / ((n[i] - below) * 100);

        ngx_http_akl_k8s_text(text, "%uL.%uL ms", tenths / 10, tenths % 10);
    }

    ngx_http_akl_k8s_text(text, "<small data-now=\"%ui\"> </small></dd>"
                          "</div>\n", percent);
}


static void
ngx_http_akl_k8s_page_rate(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text, const char *now, ngx_atomic_uint_t n)
{
    time_t    span;
    uint64_t  rate;

    span = ngx_http_akl_k8s_metrics_span(amcf);
    rate = (uint64_t) n * 100 / ngx_max(span, 1);

    ngx_http_akl_k8s_page_figure(text, "all", n);
    ngx_http_akl_k8s_text(text, "<div><dt>rate</dt><dd>%uL.%02uL/s"
                          "<small data-now=\"%s\"> </small></dd></div>\n",
                          rate / 100, rate % 100, now);
}


static void
ngx_http_akl_k8s_page_credentials(ngx_http_akl_k8s_config_t *config,
    ngx_http_akl_k8s_text_t *text)
{
    time_t                       expires, left;
    ngx_uint_t                   i;
    ngx_http_akl_k8s_cluster_t  *cluster;

    ngx_http_akl_k8s_page_group(text, "Credentials end");

    for (i = 0; i < NGX_HTTP_AKL_K8S_CREDENTIALS; i++) {
        expires = ngx_http_akl_k8s_expires(config,
                                           &ngx_http_akl_k8s_expiries[i]);
        if (expires == 0) {
            continue;
        }

        left = expires - ngx_time();

        ngx_http_akl_k8s_text(text, "<div><dt>%s</dt><dd class=\"%s\">",
                              ngx_http_akl_k8s_expiries[i].label,
                              (left <= 0) ? "bad"
                              : (left < NGX_HTTP_AKL_K8S_PAGE_SOON) ? "soon"
                              : "good");

        if (left <= 0) {
            ngx_http_akl_k8s_text_literal(text, "ended ");
            ngx_http_akl_k8s_page_span(text, -left);
            ngx_http_akl_k8s_text_literal(text, " ago");

        } else {
            ngx_http_akl_k8s_text_literal(text, "in ");
            ngx_http_akl_k8s_page_span(text, left);
        }

        ngx_http_akl_k8s_text_literal(text, "<small>");
        ngx_http_akl_k8s_page_time(text, expires, 0);
        ngx_http_akl_k8s_text_literal(text, "</small></dd></div>\n");
    }

    if (config->reviewer_self) {
        ngx_http_akl_k8s_text_literal(text,
            "<div><dt>token_reviewer_jwt</dt><dd>each pod\xe2\x80\x99s own"
            "</dd></div>\n");
    }

    if (config->ca_system) {
        ngx_http_akl_k8s_text_literal(text,
            "<div><dt>k8s_ca_cert</dt><dd>the system\xe2\x80\x99s"
            "</dd></div>\n");
    }

    cluster = ngx_http_akl_k8s_cluster(config);

    if (cluster && (config->jwks_auto || cluster->keys.known)) {
        ngx_http_akl_k8s_text(text, "<div><dt>k8s_jwks</dt><dd>%uz key%s",
                              cluster->keys.set.n,
                              (cluster->keys.set.n == 1) ? "" : "s");

        if (cluster->keys.known) {
            ngx_http_akl_k8s_text_literal(text, "<small>read ");
            ngx_http_akl_k8s_page_span(text,
                                       ngx_http_akl_k8s_keys_age(cluster));
            ngx_http_akl_k8s_text_literal(text, " ago</small>");
        }

        ngx_http_akl_k8s_text_literal(text, "</dd></div>\n");
    }

    ngx_http_akl_k8s_page_group_end(text);
}


/* "2026-11-26 03:15:00 UTC" */

static void
ngx_http_akl_k8s_page_time(ngx_http_akl_k8s_text_t *text, time_t when,
    ngx_uint_t seconds)
{
    ngx_tm_t  tm;

    ngx_gmtime(when, &tm);

    ngx_http_akl_k8s_text(text, seconds ? "<time>%4d-%02d-%02d %02d:%02d:%02d "
                                          "UTC</time>"
                                        : "<time>%4d-%02d-%02d %02d:%02d UTC"
                                          "</time>",
                          tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                          tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}
