/*
 * Sources: where credentials, keys and certificates come from, and how they
 * are read.
 */

#include <ngx_config.h>

#include "source.h"


#define NGX_HTTP_AKL_K8S_SOURCE_MAX  (1024 * 1024)


static ngx_int_t ngx_http_akl_k8s_source_read(ngx_conf_t *cf,
    ngx_str_t *directive, ngx_http_akl_k8s_source_t *src);


char *
ngx_http_akl_k8s_source(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_str_t *value, akl_credential_type_t type,
    ngx_http_akl_k8s_source_t *src)
{
    const char  *cause;

    ngx_memzero(src, sizeof(ngx_http_akl_k8s_source_t));

    src->directive = *directive;
    src->type = type;

    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is empty", directive);
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "data:", 5) == 0) {

        /* a copy: the text is changed in place */

        src->text.len = value->len - 5;
        src->text.data = ngx_pnalloc(cf->pool, src->text.len + 1);
        if (src->text.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memcpy(src->text.data, value->data + 5, src->text.len);

    } else {
        src->path = *value;

        if (ngx_conf_full_name(cf->cycle, &src->path, 1) != NGX_OK
            || ngx_http_akl_k8s_source_read(cf, directive, src) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    cause = ngx_http_akl_k8s_source_normalize(type, &src->text);

    if (cause == NULL) {
        return NGX_CONF_OK;
    }

    if (src->path.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V \"%V\" %s", directive,
                           &src->path, cause);
    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V %s", directive, cause);
    }

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_akl_k8s_source_read(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_http_akl_k8s_source_t *src)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    /* without waiting for somebody to write into a pipe */

    fd = ngx_open_file(src->path.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "%V: " ngx_open_file_n " \"%V\" failed", directive,
                           &src->path);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "%V: " ngx_fd_info_n " \"%V\" failed", directive,
                           &src->path);
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V: \"%V\" is no file",
                           directive, &src->path);
        goto done;
    }

    if (ngx_file_size(&fi) > NGX_HTTP_AKL_K8S_SOURCE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%V: \"%V\" is larger than 1 MB", directive,
                           &src->path);
        goto done;
    }

    if ((ngx_strcmp(directive->data, "signing_key") == 0
         || ngx_strcmp(directive->data, "k8s_client_key") == 0
         || ngx_strcmp(directive->data, "rancher_api_key") == 0)
        && (fi.st_mode & S_IROTH))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "%V: \"%V\" may be read by everybody", directive,
                           &src->path);
    }

    src->text.data = ngx_pnalloc(cf->pool, ngx_file_size(&fi) + 1);
    if (src->text.data == NULL) {
        goto done;
    }

    n = ngx_read_fd(fd, src->text.data, ngx_file_size(&fi));

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "%V: " ngx_read_fd_n " \"%V\" failed", directive,
                           &src->path);
        goto done;
    }

    src->text.len = n;
    rc = NGX_OK;

done:

    (void) ngx_close_file(fd);

    return rc;
}


const char *
ngx_http_akl_k8s_source_normalize(akl_credential_type_t type,
    ngx_str_t *text)
{
    return akl_credential_normalize(type, &text->data, &text->len);
}


const char *
ngx_http_akl_k8s_check_ca(ngx_str_t *pem, const char **warn)
{
    return akl_credential_ca(ngx_http_akl_k8s_str(pem), warn);
}


const char *
ngx_http_akl_k8s_check_jwt(ngx_str_t *jwt, const char **warn)
{
    return akl_credential_jwt(ngx_http_akl_k8s_str(jwt), ngx_time(), warn);
}
