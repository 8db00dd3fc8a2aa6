/*
 * A file of revocations: looked at, and read in slices.
 */

#include "revocation_file.h"


#define NGX_HTTP_AKL_K8S_REVOCATIONS_MAX    (64 * 1024 * 1024)

/* what is read in one turn of the event loop: about half a millisecond */
#define NGX_HTTP_AKL_K8S_REVOCATIONS_SLICE  16384


static const char *ngx_http_akl_k8s_revocation_file_open(
    ngx_http_akl_k8s_revocation_file_t *file);
static ngx_int_t ngx_http_akl_k8s_revocation_file_end(
    ngx_http_akl_k8s_revocation_file_t *file, const char **cause);
static void ngx_http_akl_k8s_revocation_file_known(
    ngx_http_akl_k8s_revocation_file_t *file);


static u_char  ngx_http_akl_k8s_revocations_buf
                   [NGX_HTTP_AKL_K8S_REVOCATIONS_SLICE];


ngx_int_t
ngx_http_akl_k8s_revocation_file_all(ngx_http_akl_k8s_revocation_file_t *file,
    const char **cause)
{
    ngx_int_t  rc;

    rc = ngx_http_akl_k8s_revocation_file_look(file, cause);

    while (rc == NGX_AGAIN) {
        rc = ngx_http_akl_k8s_revocation_file_read(file, cause);
    }

    return rc;
}


ngx_int_t
ngx_http_akl_k8s_revocation_file_look(ngx_http_akl_k8s_revocation_file_t *file,
    const char **cause)
{
    ngx_file_info_t  fi;

    *cause = NULL;
    file->broken = 0;

    /* stat() follows the symbolic links that Kubernetes swaps */

    if (ngx_file_info(file->path.data, &fi) == NGX_FILE_ERROR) {
        *cause = ngx_file_info_n " failed";
        return NGX_ERROR;
    }

    /* what was over by a clock that has been set back since was left out */

    if (ngx_time() < file->good) {
        file->mtime = 0;
    }

    if (ngx_file_uniq(&fi) == file->uniq && ngx_file_mtime(&fi) == file->mtime
        && ngx_file_size(&fi) == file->size)
    {
        return file->cause ? NGX_DECLINED : NGX_OK;
    }

    *cause = ngx_http_akl_k8s_revocation_file_open(file);

    if (*cause) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


static const char *
ngx_http_akl_k8s_revocation_file_open(ngx_http_akl_k8s_revocation_file_t *file)
{
    ngx_err_t    err;
    const char  *cause;

    /* a worker must not wait for somebody to write into a pipe */

    file->fd = ngx_open_file(file->path.data,
                             NGX_FILE_RDONLY|NGX_FILE_NONBLOCK, NGX_FILE_OPEN,
                             0);

    if (file->fd == NGX_INVALID_FILE) {
        return ngx_open_file_n " failed";
    }

    err = 0;

    if (ngx_fd_info(file->fd, &file->fi) == NGX_FILE_ERROR) {
        err = ngx_errno;
        cause = ngx_fd_info_n " failed";

    } else if (!ngx_is_file(&file->fi)) {
        cause = "it is no file";

    } else if (ngx_file_size(&file->fi) > NGX_HTTP_AKL_K8S_REVOCATIONS_MAX) {
        cause = "it is larger than 64 MB";

    } else {
        file->fresh = akl_revocations_create(ngx_file_size(&file->fi));

        if (file->fresh) {
            return NULL;
        }

        cause = "out of memory";
    }

    ngx_http_akl_k8s_revocation_file_close(file);
    ngx_set_errno(err);

    return cause;
}


ngx_int_t
ngx_http_akl_k8s_revocation_file_read(ngx_http_akl_k8s_revocation_file_t *file,
    const char **cause)
{
    ssize_t    n;
    ngx_int_t  rc;
    akl_str_t  piece;

    n = read(file->fd, ngx_http_akl_k8s_revocations_buf,
             NGX_HTTP_AKL_K8S_REVOCATIONS_SLICE);

    if (n == -1) {
        *cause = ngx_read_fd_n " failed";
        rc = NGX_ERROR;
        goto failed;
    }

    if (n) {
        piece.data = ngx_http_akl_k8s_revocations_buf;
        piece.len = n;

        if (akl_revocations_feed(file->fresh, piece, ngx_time(), cause) == 0) {
            return NGX_AGAIN;
        }

    } else if (akl_revocations_end(file->fresh, ngx_time(), cause) == 0) {

        rc = ngx_http_akl_k8s_revocation_file_end(file, cause);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        goto failed;
    }

    ngx_set_errno(0);

    file->broken = akl_revocations_line(file->fresh) + 1;
    rc = NGX_ERROR;

    /* it stays refused until it is another one */

    ngx_http_akl_k8s_revocation_file_known(file);

failed:

    ngx_http_akl_k8s_revocation_file_close(file);

    return rc;
}


/* all of it was read */

static ngx_int_t
ngx_http_akl_k8s_revocation_file_end(ngx_http_akl_k8s_revocation_file_t *file,
    const char **cause)
{
    ngx_file_info_t  fi;

    if (ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR) {
        *cause = ngx_fd_info_n " failed";
        return NGX_ERROR;
    }

    if (ngx_file_size(&fi) != ngx_file_size(&file->fi)
        || ngx_file_mtime(&fi) != ngx_file_mtime(&file->fi)
        || (off_t) akl_revocations_read(file->fresh) != ngx_file_size(&fi))
    {
        return NGX_DECLINED;
    }

    ngx_http_akl_k8s_revocation_file_known(file);

    akl_revocations_free(file->table);
    file->table = file->fresh;
    file->fresh = NULL;

    ngx_http_akl_k8s_revocation_file_close(file);

    return NGX_OK;
}


/* notes which content was read */

static void
ngx_http_akl_k8s_revocation_file_known(
    ngx_http_akl_k8s_revocation_file_t *file)
{
    time_t  mtime;

    mtime = ngx_file_mtime(&file->fi);

    file->uniq = ngx_file_uniq(&file->fi);
    file->size = ngx_file_size(&file->fi);

    /* within its second a file may change once more without looking so */

    file->mtime = (mtime < ngx_time() - 1) ? mtime : 0;
}


void
ngx_http_akl_k8s_revocation_file_close(
    ngx_http_akl_k8s_revocation_file_t *file)
{
    akl_revocations_free(file->fresh);
    file->fresh = NULL;

    if (file->fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(file->fd);
        file->fd = NGX_INVALID_FILE;
    }
}


void
ngx_http_akl_k8s_revocation_file_good(ngx_http_akl_k8s_revocation_file_t *file)
{
    file->good = ngx_time();
    file->since = ngx_current_msec;
}


time_t
ngx_http_akl_k8s_revocation_file_age(ngx_http_akl_k8s_revocation_file_t *file)
{
    return (time_t) ((ngx_current_msec - file->since) / 1000);
}
