/*
 * The journal of revocations among workers: who has appended tells the others
 * by a mark in the zone, which outlives a worker that dies in there.
 */

#ifndef NGX_HTTP_AKL_K8S_REVOCATION_JOURNAL_H
#define NGX_HTTP_AKL_K8S_REVOCATION_JOURNAL_H

#include "../module.h"
#include "../../k8s/journal.h"


typedef struct ngx_http_akl_k8s_journal_s  ngx_http_akl_k8s_journal_t;


/* one revocation that waits to be kept; the caller's, as long as it waits */

typedef struct {
    ngx_queue_t          queue;
    akl_revocation_t     entry;
    ngx_int_t            rc;            /* the journal's own */

    /* NGX_OK; NGX_DECLINED: the journal is full; NGX_ERROR: logged */
    void               (*done)(void *data, ngx_int_t rc);
    void                *data;
} ngx_http_akl_k8s_journal_wait_t;


/* At configuration: makes and reads it.  NULL after logging. */
ngx_http_akl_k8s_journal_t *ngx_http_akl_k8s_journal(ngx_conf_t *cf,
    ngx_str_t *path, size_t max);

/* Registers the mark.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_journal_init(ngx_http_akl_k8s_main_conf_t *amcf);

ngx_int_t ngx_http_akl_k8s_journal_init_module(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_journal_t *journal);

void ngx_http_akl_k8s_journal_init_process(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_main_conf_t *amcf);

/* Reads what others have kept; see ..._revocation_files_current(). */
ngx_int_t ngx_http_akl_k8s_journal_current(
    ngx_http_akl_k8s_main_conf_t *amcf);

/*
 * From time to time: what was written by who does not share the zone.  NGX_OK,
 * or NGX_ERROR, logged once.
 */
ngx_int_t ngx_http_akl_k8s_journal_look(ngx_http_akl_k8s_main_conf_t *amcf);

akl_revocations_t *ngx_http_akl_k8s_journal_table(
    ngx_http_akl_k8s_journal_t *journal);

/* Bytes of it that this worker knows of, and that it may have at most. */
size_t ngx_http_akl_k8s_journal_size(ngx_http_akl_k8s_journal_t *journal);
size_t ngx_http_akl_k8s_journal_max(ngx_http_akl_k8s_journal_t *journal);

/*
 * Has an entry kept with all others of this turn of the event loop, by one
 * write and one wait for the disk; "done" is called afterwards.  For a subject
 * "before" becomes the time that holds.
 */
void ngx_http_akl_k8s_journal_keep(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_journal_wait_t *wait);

/* Takes one back that still waits. */
void ngx_http_akl_k8s_journal_forget(ngx_http_akl_k8s_journal_wait_t *wait);


#endif /* NGX_HTTP_AKL_K8S_REVOCATION_JOURNAL_H */
