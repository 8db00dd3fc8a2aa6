/*
 * Revocations in files: see the header.
 */

#include "revocation_files.h"


#define NGX_HTTP_AKL_K8S_REVOCATIONS_REFRESH  10000         /* ms */


static void ngx_http_akl_k8s_revocation_files_cleanup(void *data);
static void ngx_http_akl_k8s_revocation_files_timer(ngx_event_t *ev);
static void ngx_http_akl_k8s_revocation_file_slice(ngx_event_t *ev);
static void ngx_http_akl_k8s_revocation_file_result(
    ngx_http_akl_k8s_revocation_file_t *file, ngx_int_t rc, const char *cause);


static ngx_event_t  ngx_http_akl_k8s_revocations_refresh;


char *
ngx_http_akl_k8s_revocation_file(ngx_conf_t *cf, ngx_str_t *path,
    size_t journal)
{
    ngx_int_t                            rc;
    ngx_str_t                            full;
    ngx_uint_t                           i;
    const char                          *cause;
    ngx_pool_cleanup_t                  *cln;
    ngx_http_akl_k8s_main_conf_t        *amcf;
    ngx_http_akl_k8s_revocation_file_t  *file;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    full = *path;

    if (ngx_conf_full_name(cf->cycle, &full, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (amcf->revocation_files == NULL) {
        amcf->revocation_files = ngx_array_create(cf->pool, 4,
                                  sizeof(ngx_http_akl_k8s_revocation_file_t));
        if (amcf->revocation_files == NULL) {
            return NGX_CONF_ERROR;
        }

        cln = ngx_pool_cleanup_add(cf->pool, 0);
        if (cln == NULL) {
            return NGX_CONF_ERROR;
        }

        cln->handler = ngx_http_akl_k8s_revocation_files_cleanup;
        cln->data = amcf->revocation_files;
    }

    file = amcf->revocation_files->elts;

    for (i = 0; i < amcf->revocation_files->nelts; i++) {
        if (file[i].path.len == full.len
            && ngx_strncmp(file[i].path.data, full.data, full.len) == 0)
        {
            return "names a file twice";
        }
    }

    file = ngx_array_push(amcf->revocation_files);
    if (file == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(file, sizeof(ngx_http_akl_k8s_revocation_file_t));

    file->path = full;
    file->fd = NGX_INVALID_FILE;
    ngx_http_akl_k8s_revocation_file_good(file);

    if (journal) {
        file->journal = ngx_http_akl_k8s_journal(cf, &full, journal);
        amcf->journal = file->journal;

        return file->journal ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    rc = ngx_http_akl_k8s_revocation_file_all(file, &cause);

    if (rc == NGX_OK) {
        return NGX_CONF_OK;
    }

    if (rc == NGX_DECLINED) {
        cause = "it changed meanwhile";
    }

    if (file->broken) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "line %uz of akl_k8s_revocations \"%V\" %s",
                           file->broken, &full, cause);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "akl_k8s_revocations \"%V\" cannot be read, %s",
                           &full, cause);
    }

    return NGX_CONF_ERROR;
}


static void
ngx_http_akl_k8s_revocation_files_cleanup(void *data)
{
    ngx_array_t  *files = data;

    ngx_uint_t                           i;
    ngx_http_akl_k8s_revocation_file_t  *file;

    file = files->elts;

    for (i = 0; i < files->nelts; i++) {
        ngx_http_akl_k8s_revocation_file_close(&file[i]);
        akl_revocations_free(file[i].table);
    }
}


ngx_int_t
ngx_http_akl_k8s_revocation_files_init(ngx_conf_t *cf)
{
    ngx_int_t                            n;
    ngx_str_t                            name;
    ngx_uint_t                           i;
    ngx_http_akl_k8s_main_conf_t        *amcf;
    ngx_http_akl_k8s_revocation_file_t  *file;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->revocation_files == NULL) {
        return NGX_OK;
    }

    file = amcf->revocation_files->elts;

    for (i = 0; i < amcf->revocation_files->nelts; i++) {

        name.len = sizeof("rejected ") - 1 + file[i].path.len;
        name.data = ngx_pnalloc(cf->pool, name.len);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(name.data, "rejected %V", &file[i].path);

        n = ngx_akl_zone_series(amcf->zone, &name);
        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        file[i].rejected = n;
    }

    return ngx_http_akl_k8s_journal_init(amcf);
}


ngx_int_t
ngx_http_akl_k8s_revocation_files_init_module(ngx_cycle_t *cycle)
{
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_akl_k8s_module);

    if (amcf == NULL || amcf->journal == NULL) {
        return NGX_OK;
    }

    return ngx_http_akl_k8s_journal_init_module(cycle, amcf->journal);
}


ngx_int_t
ngx_http_akl_k8s_revocation_files_init_process(ngx_cycle_t *cycle)
{
    ngx_int_t                            rc;
    ngx_uint_t                           i;
    ngx_event_t                         *ev;
    const char                          *cause;
    ngx_http_akl_k8s_main_conf_t        *amcf;
    ngx_http_akl_k8s_revocation_file_t  *file;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_akl_k8s_module);

    if (amcf == NULL || amcf->revocation_files == NULL) {
        return NGX_OK;
    }

    file = amcf->revocation_files->elts;

    for (i = 0; i < amcf->revocation_files->nelts; i++) {

        file[i].slice.handler = ngx_http_akl_k8s_revocation_file_slice;
        file[i].slice.data = &file[i];
        file[i].slice.log = cycle->log;

        if (file[i].journal) {
            ngx_http_akl_k8s_journal_init_process(cycle, amcf);
            continue;
        }

        /* what the master read may be old: all of it, before anybody asks */

        rc = ngx_http_akl_k8s_revocation_file_all(&file[i], &cause);

        ngx_http_akl_k8s_revocation_file_result(&file[i], rc, cause);
    }

    ev = &ngx_http_akl_k8s_revocations_refresh;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_http_akl_k8s_revocation_files_timer;
    ev->data = amcf;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_AKL_K8S_REVOCATIONS_REFRESH);

    return NGX_OK;
}


static void
ngx_http_akl_k8s_revocation_files_timer(ngx_event_t *ev)
{
    ngx_int_t                            rc;
    ngx_uint_t                           i;
    const char                          *cause;
    ngx_http_akl_k8s_main_conf_t        *amcf;
    ngx_http_akl_k8s_revocation_file_t  *file;

    amcf = ev->data;
    file = amcf->revocation_files->elts;

    for (i = 0; i < amcf->revocation_files->nelts; i++) {

        if (file[i].journal) {
            if (ngx_http_akl_k8s_journal_look(amcf) == NGX_OK) {
                ngx_http_akl_k8s_revocation_file_good(&file[i]);
            }

            continue;
        }

        if (file[i].fresh) {
            continue;
        }

        rc = ngx_http_akl_k8s_revocation_file_look(&file[i], &cause);

        if (rc == NGX_AGAIN) {
            ngx_post_event(&file[i].slice, &ngx_posted_next_events);

        } else {
            ngx_http_akl_k8s_revocation_file_result(&file[i], rc, cause);
        }
    }

    if (!ngx_exiting) {
        ngx_add_timer(ev, NGX_HTTP_AKL_K8S_REVOCATIONS_REFRESH);
    }
}


static void
ngx_http_akl_k8s_revocation_file_slice(ngx_event_t *ev)
{
    ngx_int_t                            rc;
    const char                          *cause;
    ngx_http_akl_k8s_revocation_file_t  *file;

    file = ev->data;

    rc = ngx_http_akl_k8s_revocation_file_read(file, &cause);

    if (rc == NGX_AGAIN) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    ngx_http_akl_k8s_revocation_file_result(file, rc, cause);
}


static void
ngx_http_akl_k8s_revocation_file_result(
    ngx_http_akl_k8s_revocation_file_t *file, ngx_int_t rc, const char *cause)
{
    size_t                         line;
    ngx_err_t                      err;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    err = ngx_errno;
    line = file->broken;

    if (rc == NGX_OK) {
        ngx_http_akl_k8s_revocation_file_good(file);
        file->cause = NULL;
        return;
    }

    /* once for each content, and for each thing that keeps it from us */

    if (rc == NGX_DECLINED || (file->cause == cause && file->line == line)) {
        return;
    }

    file->cause = cause;
    file->line = line;

    amcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_akl_k8s_module);

    ngx_akl_zone_add_to(amcf->zone, file->rejected, 1);

    if (line) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "akl_k8s: akl_k8s_revocations \"%V\" was replaced, but "
                      "line %uz %s: the former content is kept", &file->path,
                      line, cause);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                  "akl_k8s: akl_k8s_revocations \"%V\" cannot be read again, "
                  "%s: the former content is kept", &file->path, cause);
}


ngx_int_t
ngx_http_akl_k8s_revocation_files_current(ngx_http_akl_k8s_main_conf_t *amcf)
{
    return amcf->journal ? ngx_http_akl_k8s_journal_current(amcf) : NGX_OK;
}


size_t
ngx_http_akl_k8s_revocation_files_count(ngx_http_akl_k8s_main_conf_t *amcf)
{
    size_t                               n;
    ngx_uint_t                           i;
    akl_revocations_t                   *table;
    ngx_http_akl_k8s_revocation_file_t  *file;

    if (amcf->revocation_files == NULL) {
        return 0;
    }

    n = 0;
    file = amcf->revocation_files->elts;

    for (i = 0; i < amcf->revocation_files->nelts; i++) {
        table = ngx_http_akl_k8s_revocation_table(&file[i]);
        n += table ? akl_revocations_count(table) : 0;
    }

    return n;
}


ngx_uint_t
ngx_http_akl_k8s_revocation_files_match(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_str_t *jti, ngx_str_t *sub, time_t iat)
{
    ngx_uint_t                           i;
    akl_revocations_t                   *table;
    ngx_http_akl_k8s_revocation_file_t  *file;

    if (amcf->revocation_files == NULL) {
        return 0;
    }

    file = amcf->revocation_files->elts;

    for (i = 0; i < amcf->revocation_files->nelts; i++) {
        table = ngx_http_akl_k8s_revocation_table(&file[i]);

        if (table && akl_revocations_match(table, ngx_http_akl_k8s_str(jti),
                                           ngx_http_akl_k8s_str(sub), iat,
                                           ngx_time()))
        {
            return 1;
        }
    }

    return 0;
}


akl_revocations_t *
ngx_http_akl_k8s_revocation_table(ngx_http_akl_k8s_revocation_file_t *file)
{
    return file->journal ? ngx_http_akl_k8s_journal_table(file->journal)
                         : file->table;
}
