/*
 * Revocations in files: read at configuration, held by each worker in tables
 * of its own, read again when they change.  One of the files may be the
 * journal, to which revocations are appended.
 */

#ifndef NGX_HTTP_AKL_K8S_REVOCATION_FILES_H
#define NGX_HTTP_AKL_K8S_REVOCATION_FILES_H

#include "../module.h"
#include "revocation_file.h"


#define NGX_HTTP_AKL_K8S_JOURNAL      (8 * 1024 * 1024)     /* by default */
#define NGX_HTTP_AKL_K8S_JOURNAL_MIN  4096

/* what the mark of a journal has room for */
#if (NGX_PTR_SIZE == 8)
#define NGX_HTTP_AKL_K8S_JOURNAL_MAX  (1024 * 1024 * 1024)
#else
#define NGX_HTTP_AKL_K8S_JOURNAL_MAX  (8 * 1024 * 1024)
#endif


/*
 * At configuration: adds a file, reads it, and has a journal made where it is
 * none yet; "journal" is its size at most, 0 for a file that is only read.
 * NGX_CONF_OK; or a cause or NGX_CONF_ERROR, as of a directive.
 */
char *ngx_http_akl_k8s_revocation_file(ngx_conf_t *cf, ngx_str_t *path,
    size_t journal);

/* Registers their series, once the zone is there.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_revocation_files_init(ngx_conf_t *cf);

/* In the master: a journal belongs to the user that workers run as. */
ngx_int_t ngx_http_akl_k8s_revocation_files_init_module(ngx_cycle_t *cycle);

/*
 * In a worker: reads what has changed since the master did, and sees to it
 * that it goes on.  NGX_OK; what cannot be read is logged, and has the guard
 * refuse where it may hide a revocation.
 */
ngx_int_t ngx_http_akl_k8s_revocation_files_init_process(ngx_cycle_t *cycle);

/*
 * To be called before the tables are relied on: reads what other workers have
 * kept since.  NGX_OK, or NGX_ERROR, logged, where the journal cannot be read:
 * nobody knows then whether a token is revoked.
 */
ngx_int_t ngx_http_akl_k8s_revocation_files_current(
    ngx_http_akl_k8s_main_conf_t *amcf);

/* How many entries all of them have. */
size_t ngx_http_akl_k8s_revocation_files_count(
    ngx_http_akl_k8s_main_conf_t *amcf);

/* 1 where one of them revokes the token of these particulars. */
ngx_uint_t ngx_http_akl_k8s_revocation_files_match(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_str_t *jti, ngx_str_t *sub,
    time_t iat);

/* The table of one, of the journal too; for the status page. */
akl_revocations_t *ngx_http_akl_k8s_revocation_table(
    ngx_http_akl_k8s_revocation_file_t *file);


#endif /* NGX_HTTP_AKL_K8S_REVOCATION_FILES_H */
