/*
 * What the formats of the status page have in common: families of series,
 * figures of files and of the zone, what expires.
 */

#include "../token/revocations.h"
#include "families.h"


static const char *ngx_http_akl_k8s_reason_name(ngx_uint_t i);
static const char *ngx_http_akl_k8s_cache_name(ngx_uint_t i);
static const char *ngx_http_akl_k8s_code_name(ngx_uint_t i);


#define ngx_http_akl_k8s_family_offset(member)                                \
    offsetof(ngx_http_akl_k8s_config_metrics_t, member)


const ngx_http_akl_k8s_family_t  ngx_http_akl_k8s_families[] = {

    { "logins_total", "counter", "Logins by outcome.", "reason",
      ngx_http_akl_k8s_family_offset(logins), AKL_REASON_N,
      ngx_http_akl_k8s_reason_name },

    { "cache_total", "counter", "Logins by the way to their verdict.",
      "result", ngx_http_akl_k8s_family_offset(cache),
      NGX_HTTP_AKL_K8S_CACHE_N, ngx_http_akl_k8s_cache_name },

    { "reviews_total", "counter", "TokenReview calls by HTTP status.", "code",
      ngx_http_akl_k8s_family_offset(reviews), NGX_HTTP_AKL_K8S_CODES,
      ngx_http_akl_k8s_code_name },

    { "namespace_reads_total", "counter", "Namespaces read, by HTTP status.",
      "code", ngx_http_akl_k8s_family_offset(namespaces),
      NGX_HTTP_AKL_K8S_CODES, ngx_http_akl_k8s_code_name },

    { "guard_total", "counter", "Guarded requests by outcome.", "reason",
      ngx_http_akl_k8s_family_offset(guards), AKL_REASON_N,
      ngx_http_akl_k8s_reason_name },

    { "minted_tokens_total", "counter", "Tokens signed.", NULL,
      ngx_http_akl_k8s_family_offset(minted), 1, NULL },

    { "reviews_in_flight", "gauge", "TokenReview calls under way.", NULL,
      ngx_http_akl_k8s_family_offset(in_flight), 1, NULL },

    { "reviews_queued", "gauge", "Reviews waiting for room.", NULL,
      ngx_http_akl_k8s_family_offset(queued), 1, NULL },

    { NULL, NULL, NULL, NULL, 0, 0, NULL }
};


#define ngx_http_akl_k8s_file_offset(member)                                  \
    offsetof(ngx_http_akl_k8s_file_stat_t, member)


const ngx_http_akl_k8s_figure_t  ngx_http_akl_k8s_file_figures[] = {

    { "entries", "revocations_entries", "gauge",
      "Revocations that were read from a file.",
      ngx_http_akl_k8s_file_offset(entries), 0, 0 },

    { "age_seconds", "revocations_age_seconds", "gauge",
      "Time since the file was found good.",
      ngx_http_akl_k8s_file_offset(age), 0, 0 },

    { "rejected", "revocations_rejected_total", "counter",
      "Contents of the file that were not taken.",
      ngx_http_akl_k8s_file_offset(rejected), 0, 0 },

    { "bytes", "revocations_journal_bytes", "gauge", "Size of the journal.",
      ngx_http_akl_k8s_file_offset(bytes), 0, 1 },

    { "max_bytes", "revocations_journal_max_bytes", "gauge",
      "Size that the journal may have.",
      ngx_http_akl_k8s_file_offset(max_bytes), 0, 1 },

    { NULL, NULL, NULL, NULL, 0, 0, 0 }
};


#define ngx_http_akl_k8s_zone_offset(member)                                  \
    offsetof(ngx_akl_zone_stat_t, member)


const ngx_http_akl_k8s_figure_t  ngx_http_akl_k8s_zone_figures[] = {

    { "size", "zone_size_bytes", "gauge", "Memory for entries.",
      ngx_http_akl_k8s_zone_offset(size), 0, 0 },

    { "used", "zone_used_bytes", "gauge", "Memory of live entries.",
      ngx_http_akl_k8s_zone_offset(used), 0, 0 },

    { "flights", "zone_flights", "gauge", "Reviews marked as under way.",
      ngx_http_akl_k8s_zone_offset(flights), 0, 0 },

    { "resets", "zone_resets_total", "counter",
      "Times a worker died inside the zone.",
      ngx_http_akl_k8s_zone_offset(resets), 0, 0 },

    { "entries", "zone_entries", "gauge", "Entries by class.",
      ngx_http_akl_k8s_zone_offset(entries), 1, 0 },

    { "evicted", "zone_evicted_total", "counter",
      "Live entries evicted by class.",
      ngx_http_akl_k8s_zone_offset(evicted), 1, 0 },

    { "share", "zone_share_bytes", "gauge", "Memory that a class may take.",
      ngx_http_akl_k8s_zone_offset(share), 1, 0 },

    { "taken", "zone_taken_bytes", "gauge",
      "Memory that a class takes of its share.",
      ngx_http_akl_k8s_zone_offset(taken), 1, 0 },

    { NULL, NULL, NULL, NULL, 0, 0, 0 }
};


const ngx_http_akl_k8s_expiry_t
    ngx_http_akl_k8s_expiries[NGX_HTTP_AKL_K8S_CREDENTIALS] =
{
    { "token_reviewer_jwt", offsetof(ngx_http_akl_k8s_cluster_t, reviewer) },
    { "k8s_ca_cert", offsetof(ngx_http_akl_k8s_cluster_t, ca) },
    { "k8s_client_certificate",
      offsetof(ngx_http_akl_k8s_cluster_t, client_cert) }
};


const char  *ngx_http_akl_k8s_classes[NGX_AKL_CLASS_N] = {
    "verdict", "refusal", "guard", "alias", "revoked"
};


time_t
ngx_http_akl_k8s_expires(ngx_http_akl_k8s_config_t *config,
    const ngx_http_akl_k8s_expiry_t *expiry)
{
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = ngx_http_akl_k8s_cluster(config);

    if (cluster == NULL) {
        return 0;
    }

    return ((ngx_http_akl_k8s_credential_t *)
            ((u_char *) cluster + expiry->offset))->expires;
}


void
ngx_http_akl_k8s_file_stat(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_revocation_file_t *file,
    ngx_http_akl_k8s_file_stat_t *stat)
{
    stat->entries = akl_revocations_count(
                                     ngx_http_akl_k8s_revocation_table(file));
    stat->age = ngx_http_akl_k8s_revocation_file_age(file);
    stat->rejected = ngx_akl_zone_read(amcf->zone, file->rejected);

    if (file->journal) {
        stat->bytes = ngx_http_akl_k8s_journal_size(file->journal);
        stat->max_bytes = ngx_http_akl_k8s_journal_max(file->journal);
    }
}


ngx_atomic_uint_t
ngx_http_akl_k8s_durations(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_config_t *config,
    ngx_atomic_uint_t n[NGX_HTTP_AKL_K8S_BUCKETS])
{
    ngx_uint_t                          i;
    ngx_atomic_uint_t                   sum, all;
    ngx_http_akl_k8s_metrics_t         *metrics;
    ngx_http_akl_k8s_config_metrics_t  *cm;

    metrics = amcf->metrics;
    cm = &metrics->configs[config->index];

    sum = ngx_akl_zone_read(amcf->zone, cm->duration_sum);
    all = 0;

    for (i = 0; i < NGX_HTTP_AKL_K8S_BUCKETS; i++) {
        all += ngx_akl_zone_read(amcf->zone, cm->duration[i]);
        n[i] = all;
    }

    return sum;
}


static const char *
ngx_http_akl_k8s_reason_name(ngx_uint_t i)
{
    return (const char *) akl_reason_code((akl_reason_t) i).data;
}


static const char *
ngx_http_akl_k8s_cache_name(ngx_uint_t i)
{
    return ngx_http_akl_k8s_cache_names[i];
}


static const char *
ngx_http_akl_k8s_code_name(ngx_uint_t i)
{
    return ngx_http_akl_k8s_code_names[i];
}
