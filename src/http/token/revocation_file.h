/*
 * A file of revocations: looked at, and read in slices.
 */

#ifndef NGX_HTTP_AKL_K8S_REVOCATION_FILE_H
#define NGX_HTTP_AKL_K8S_REVOCATION_FILE_H

#include "revocation_journal.h"


typedef struct {
    ngx_str_t                    path;      /* NUL-terminated */
    akl_revocations_t           *table;     /* in force; the journal has one
                                               of its own */
    ngx_http_akl_k8s_journal_t  *journal;   /* or NULL */
    time_t                       good;      /* when it was found good last */
    ngx_msec_t                   since;     /* the same, of ngx_current_msec */
    ngx_uint_t                   rejected;  /* series */

    /* which content the table, or the complaint, is of */
    ngx_file_uniq_t              uniq;
    time_t                       mtime;
    off_t                        size;

    /* while it is being read */
    akl_revocations_t           *fresh;
    ngx_fd_t                     fd;
    ngx_file_info_t              fi;
    ngx_event_t                  slice;

    const char                  *cause;     /* why it was not taken, or NULL */
    size_t                       line;      /* that the cause is about, or 0 */
    size_t                       broken;    /* the same of the last try */
} ngx_http_akl_k8s_revocation_file_t;


/*
 * Looks at it.  NGX_OK: it is what it was; NGX_DECLINED: it is still what was
 * not taken; NGX_AGAIN: it is to be read; NGX_ERROR with a static cause and
 * the error in ngx_errno.
 */
ngx_int_t ngx_http_akl_k8s_revocation_file_look(
    ngx_http_akl_k8s_revocation_file_t *file, const char **cause);

/*
 * Reads a slice.  NGX_AGAIN: there is more; NGX_OK: the new table is in force;
 * NGX_DECLINED: the file changed meanwhile; NGX_ERROR with a cause, which is
 * about the line "broken" where that is not 0.
 */
ngx_int_t ngx_http_akl_k8s_revocation_file_read(
    ngx_http_akl_k8s_revocation_file_t *file, const char **cause);

/* It is found good now. */
void ngx_http_akl_k8s_revocation_file_good(
    ngx_http_akl_k8s_revocation_file_t *file);

/* Seconds since it was, whatever the time of day was set to meanwhile. */
time_t ngx_http_akl_k8s_revocation_file_age(
    ngx_http_akl_k8s_revocation_file_t *file);

/* A look, and all that there is to read. */
ngx_int_t ngx_http_akl_k8s_revocation_file_all(
    ngx_http_akl_k8s_revocation_file_t *file, const char **cause);

/* Gives up what is being read. */
void ngx_http_akl_k8s_revocation_file_close(
    ngx_http_akl_k8s_revocation_file_t *file);


#endif /* NGX_HTTP_AKL_K8S_REVOCATION_FILE_H */
