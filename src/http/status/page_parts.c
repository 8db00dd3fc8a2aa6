/*
 * Parts of the status page: see the header.
 */

#include "../token/revocation_files.h"
#include "../token/revocations.h"
#include "families.h"
#include "page_parts.h"


static void ngx_http_akl_k8s_page_reason(ngx_http_akl_k8s_text_t *text,
    akl_reason_t reason, ngx_str_t *config, ngx_atomic_uint_t logins,
    ngx_atomic_uint_t guards);
static void ngx_http_akl_k8s_page_files(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text);
static void ngx_http_akl_k8s_page_room(ngx_http_akl_k8s_text_t *text,
    const char *name, size_t used, size_t size);
static void ngx_http_akl_k8s_page_bytes(ngx_http_akl_k8s_text_t *text,
    size_t size);


/* what entries of a class are, in the order of ngx_akl_class_e */

static const char  *ngx_http_akl_k8s_page_classes[NGX_AKL_CLASS_N] = {
    "logins that were accepted, with their tokens",
    "logins that were refused",
    "minted tokens that a guard has verified",
    "requests that were seen before",
    "revocations that are in no file"
};


void
ngx_http_akl_k8s_page_group(ngx_http_akl_k8s_text_t *text, const char *name)
{
    ngx_http_akl_k8s_text(text, "<div>\n<h3>%s</h3>\n<dl>\n", name);
}


void
ngx_http_akl_k8s_page_figure(ngx_http_akl_k8s_text_t *text, const char *name,
    ngx_atomic_uint_t n)
{
    ngx_http_akl_k8s_text(text, "<div><dt>%s</dt><dd>%uA</dd></div>\n", name,
                          n);
}


void
ngx_http_akl_k8s_page_group_end(ngx_http_akl_k8s_text_t *text)
{
    ngx_http_akl_k8s_text_literal(text, "</dl>\n</div>\n");
}


void
ngx_http_akl_k8s_page_span(ngx_http_akl_k8s_text_t *text, time_t span)
{
    time_t      n;
    ngx_uint_t  i;

    static const struct {
        time_t       seconds;
        const char  *name;
    } units[] = {
        { 24 * 3600, "day" },
        { 3600, "hour" },
        { 60, "minute" },
        { 1, "second" }
    };

    for (i = 0; units[i].seconds > 1 && span < units[i].seconds; i++) {
        /* void */
    }

    n = span / units[i].seconds;

    ngx_http_akl_k8s_text(text, "%T %s%s", n, units[i].name,
                          (n == 1) ? "" : "s");
}


void
ngx_http_akl_k8s_page_reasons(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                          i, k;
    ngx_http_akl_k8s_config_t         **config;
    ngx_http_akl_k8s_metrics_t         *metrics;
    ngx_http_akl_k8s_config_metrics_t  *cm;

    metrics = amcf->metrics;
    config = amcf->configs.elts;

    ngx_http_akl_k8s_text_literal(text,
        "<section>\n<h2>Refusals and outages by reason</h2>\n<table>\n"
        "<thead><tr><th scope=\"col\">reason</th>"
        "<th scope=\"col\">auth config</th>"
        "<th scope=\"col\" class=\"n\">logins</th>"
        "<th scope=\"col\" class=\"n\">guarded</th></tr></thead>\n<tbody>\n");

    for (i = 0; metrics && i < AKL_REASON_N; i++) {

        if (i == AKL_OK) {
            continue;
        }

        ngx_http_akl_k8s_page_reason(text, i, NULL,
                                     ngx_akl_zone_read(amcf->zone,
                                                       metrics->refused[i]),
                                     0);

        for (k = 0; k < amcf->configs.nelts; k++) {
            cm = &metrics->configs[k];

            ngx_http_akl_k8s_page_reason(text, i, &config[k]->name,
                                         ngx_akl_zone_read(amcf->zone,
                                                           cm->logins[i]),
                                         ngx_akl_zone_read(amcf->zone,
                                                           cm->guards[i]));
        }
    }

    ngx_http_akl_k8s_text_literal(text, "</tbody>\n</table>\n</section>\n");
}


/* "config" is NULL where it was not known yet; no row for what never was */

static void
ngx_http_akl_k8s_page_reason(ngx_http_akl_k8s_text_t *text,
    akl_reason_t reason, ngx_str_t *config, ngx_atomic_uint_t logins,
    ngx_atomic_uint_t guards)
{
    size_t     i;
    akl_str_t  code;

    if (logins == 0 && guards == 0) {
        return;
    }

    ngx_http_akl_k8s_text(text,
                          "<tr><th scope=\"row\"><code class=\"%s\">",
                          (akl_reason_kind(reason) == AKL_KIND_OUTAGE)
                              ? "bad" : "");

    /* a narrow screen breaks the line behind an underscore */

    code = akl_reason_code(reason);

    for (i = 0; i < code.len; i++) {
        ngx_http_akl_k8s_text(text, (code.data[i] == '_') ? "%c<wbr>" : "%c",
                              code.data[i]);
    }

    ngx_http_akl_k8s_text(text, "</code><small>%ui: %s</small></th><td>",
                          (ngx_uint_t) akl_reason_status(reason),
                          akl_reason_text(reason).data);

    if (config) {
        ngx_http_akl_k8s_text_html(text, config);

    } else {
        ngx_http_akl_k8s_text_literal(text,
                                      "<small>none that is known</small>");
    }

    ngx_http_akl_k8s_text(text, "</td><td class=\"n\">%uA</td>"
                          "<td class=\"n\">%uA</td></tr>\n", logins, guards);
}


void
ngx_http_akl_k8s_page_revocations(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    static const char  *names[NGX_HTTP_AKL_K8S_REVOKE_N] = {
        "kept", "no room", "failed"
    };

    ngx_uint_t                           i;
    ngx_akl_zone_stat_t                  stat;
    ngx_http_akl_k8s_revocation_file_t  *file;

    ngx_akl_zone_stat(amcf->zone, &stat);

    ngx_http_akl_k8s_text_literal(text, "<section>\n<h2>Revocations</h2>\n"
                                        "<div class=\"groups\">\n");

    ngx_http_akl_k8s_page_group(text, "Requests to revoke");

    for (i = 0; i < NGX_HTTP_AKL_K8S_REVOKE_N; i++) {
        ngx_http_akl_k8s_page_figure(text, names[i],
                                     ngx_akl_zone_read(amcf->zone,
                                                       amcf->revoked[i]));
    }

    ngx_http_akl_k8s_page_group_end(text);

    ngx_http_akl_k8s_page_group(text, "In force");
    ngx_http_akl_k8s_page_figure(text, "in the zone",
                                 stat.entries[NGX_AKL_REVOKED]);
    ngx_http_akl_k8s_page_room(text, "of its room",
                               stat.taken[NGX_AKL_REVOKED],
                               stat.share[NGX_AKL_REVOKED]);
    ngx_http_akl_k8s_page_figure(text, "in files",
                               ngx_http_akl_k8s_revocation_files_count(amcf));

    file = amcf->revocation_files ? amcf->revocation_files->elts : NULL;

    for (i = 0; file && i < amcf->revocation_files->nelts; i++) {
        if (file[i].journal) {
            ngx_http_akl_k8s_page_room(text, "of the journal\xe2\x80\x99s room",
                               ngx_http_akl_k8s_journal_size(file[i].journal),
                               ngx_http_akl_k8s_journal_max(file[i].journal));
        }
    }

    ngx_http_akl_k8s_page_group_end(text);

    ngx_http_akl_k8s_text_literal(text, "</div>\n");

    if (amcf->revocation_files) {
        ngx_http_akl_k8s_page_files(amcf, text);
    }

    ngx_http_akl_k8s_text_literal(text, "</section>\n");
}


static void
ngx_http_akl_k8s_page_files(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t                           i;
    ngx_http_akl_k8s_revocation_file_t  *file;

    file = amcf->revocation_files->elts;

    ngx_http_akl_k8s_text_literal(text,
        "<table>\n<thead><tr><th scope=\"col\">file</th>"
        "<th scope=\"col\" class=\"n\">entries</th>"
        "<th scope=\"col\" class=\"n\">found good</th>"
        "<th scope=\"col\" class=\"n\">not taken</th></tr></thead>\n"
        "<tbody>\n");

    for (i = 0; i < amcf->revocation_files->nelts; i++) {
        ngx_http_akl_k8s_text_literal(text, "<tr><th scope=\"row\"><code>");
        ngx_http_akl_k8s_text_html(text, &file[i].path);
        ngx_http_akl_k8s_text(text, "</code></th><td class=\"n\">%ui</td>"
                              "<td class=\"n\">",
                              akl_revocations_count(
                                ngx_http_akl_k8s_revocation_table(&file[i])));
        ngx_http_akl_k8s_page_span(text,
                              ngx_http_akl_k8s_revocation_file_age(&file[i]));
        ngx_http_akl_k8s_text(text, " ago</td><td class=\"n\">%uA</td></tr>\n",
                              ngx_akl_zone_read(amcf->zone,
                                                file[i].rejected));
    }

    ngx_http_akl_k8s_text_literal(text, "</tbody>\n</table>\n");
}


void
ngx_http_akl_k8s_page_zone(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text)
{
    ngx_uint_t              i;
    ngx_akl_zone_stat_t     stat;
    ngx_akl_client_stat_t   client;

    ngx_akl_zone_stat(amcf->zone, &stat);
    ngx_akl_client_stat(&client);

    ngx_http_akl_k8s_text(text, "<section>\n<h2>Zone</h2>\n"
                          "<div class=\"groups\">\n<div>\n"
                          "<h3 id=\"memory\">Memory</h3>\n"
                          "<meter min=\"0\" max=\"%ui\" value=\"%ui\" "
                          "aria-labelledby=\"memory\"></meter>\n<dl>\n",
                          stat.size, stat.used);
    ngx_http_akl_k8s_page_room(text, "used", stat.used, stat.size);
    ngx_http_akl_k8s_page_figure(text, "resets", stat.resets);
    ngx_http_akl_k8s_page_group_end(text);

    ngx_http_akl_k8s_page_group(text, "Under way");
    ngx_http_akl_k8s_page_figure(text, "flights of all workers", stat.flights);
    ngx_http_akl_k8s_page_figure(text, "calls of this worker",
                                 client.in_flight);
    ngx_http_akl_k8s_page_figure(text, "connections of this worker",
                                 client.connections);
    ngx_http_akl_k8s_page_group_end(text);

    ngx_http_akl_k8s_text_literal(text,
        "</div>\n<table>\n<thead><tr><th scope=\"col\">class</th>"
        "<th scope=\"col\" class=\"n\">entries</th>"
        "<th scope=\"col\" class=\"n\">evicted alive</th></tr></thead>\n"
        "<tbody>\n");

    for (i = 0; i < NGX_AKL_CLASS_N; i++) {
        ngx_http_akl_k8s_text(text, "<tr><th scope=\"row\"><code>%s</code>"
                              "<small>%s</small></th>"
                              "<td class=\"n\">%ui</td>"
                              "<td class=\"n\">%ui</td></tr>\n",
                              ngx_http_akl_k8s_classes[i],
                              ngx_http_akl_k8s_page_classes[i],
                              stat.entries[i], stat.evicted[i]);
    }

    ngx_http_akl_k8s_text_literal(text, "</tbody>\n</table>\n</section>\n");
}


static void
ngx_http_akl_k8s_page_room(ngx_http_akl_k8s_text_t *text, const char *name,
    size_t used, size_t size)
{
    ngx_http_akl_k8s_text(text, "<div><dt>%s</dt><dd>", name);
    ngx_http_akl_k8s_page_bytes(text, used);
    ngx_http_akl_k8s_text_literal(text, " of ");
    ngx_http_akl_k8s_page_bytes(text, size);
    ngx_http_akl_k8s_text_literal(text, "</dd></div>\n");
}


static void
ngx_http_akl_k8s_page_bytes(ngx_http_akl_k8s_text_t *text, size_t size)
{
    if (size < 1024 * 1024) {
        ngx_http_akl_k8s_text(text, "%ui KB", (size + 1023) / 1024);
        return;
    }

    ngx_http_akl_k8s_text(text, "%ui.%ui MB", size / (1024 * 1024),
                          size % (1024 * 1024) * 10 / (1024 * 1024));
}
