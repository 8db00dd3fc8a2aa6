/*
 * What the formats of the status page have in common.
 */

#ifndef NGX_HTTP_AKL_K8S_FAMILIES_H
#define NGX_HTTP_AKL_K8S_FAMILIES_H

#include "../cluster/cluster.h"
#include "../metrics.h"
#include "../token/revocation_files.h"


/* a family of series: an array of indices in each config's metrics */

typedef struct {
    const char                     *name;
    const char                     *type;
    const char                     *help;
    const char                     *label;      /* NULL: one series */
    size_t                          offset;
    ngx_uint_t                      n;
    const char                  *(*value)(ngx_uint_t i);
} ngx_http_akl_k8s_family_t;


/* ends with an entry without a name */
extern const ngx_http_akl_k8s_family_t  ngx_http_akl_k8s_families[];

/* what a worker knows of a file of revocations */

typedef struct {
    ngx_uint_t                      entries;
    ngx_uint_t                      age;        /* since it was good, s */
    ngx_uint_t                      rejected;
    ngx_uint_t                      bytes;      /* these of the journal only */
    ngx_uint_t                      max_bytes;
} ngx_http_akl_k8s_file_stat_t;

void ngx_http_akl_k8s_file_stat(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_revocation_file_t *file,
    ngx_http_akl_k8s_file_stat_t *stat);


/* one of these figures, or of ngx_akl_zone_stat_t */

typedef struct {
    const char                     *name;       /* in JSON */
    const char                     *metric;
    const char                     *type;
    const char                     *help;
    size_t                          offset;
    ngx_uint_t                      classes;    /* one of each class */
    ngx_uint_t                      journal;    /* of the journal only */
} ngx_http_akl_k8s_figure_t;

/* both end with an entry without a name */
extern const ngx_http_akl_k8s_figure_t  ngx_http_akl_k8s_file_figures[];
extern const ngx_http_akl_k8s_figure_t  ngx_http_akl_k8s_zone_figures[];

#define ngx_http_akl_k8s_figure(stat, figure)                                 \
    ((const ngx_uint_t *) ((const u_char *) (stat) + (figure)->offset))


/* what expires: labels, and this worker's credential in a cluster */

#define NGX_HTTP_AKL_K8S_CREDENTIALS  3

typedef struct {
    const char                     *label;      /* the directive */
    size_t                          offset;     /* in the cluster */
} ngx_http_akl_k8s_expiry_t;

extern const ngx_http_akl_k8s_expiry_t
    ngx_http_akl_k8s_expiries[NGX_HTTP_AKL_K8S_CREDENTIALS];

/* Seconds since the epoch, or 0 where it is not there or never expires. */
time_t ngx_http_akl_k8s_expires(ngx_http_akl_k8s_config_t *config,
    const ngx_http_akl_k8s_expiry_t *expiry);

/*
 * How many reviews of a config took up to each bound of the histogram: the
 * counts of "n" go up, and the last is that of all.  Returns the sum of their
 * times, ms.
 */
ngx_atomic_uint_t ngx_http_akl_k8s_durations(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_config_t *config,
    ngx_atomic_uint_t n[NGX_HTTP_AKL_K8S_BUCKETS]);

/* by class of entry in the zone */
extern const char  *ngx_http_akl_k8s_classes[NGX_AKL_CLASS_N];


#endif /* NGX_HTTP_AKL_K8S_FAMILIES_H */
