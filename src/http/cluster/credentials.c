/*
 * Credentials that change: looked at every ten seconds and whenever the API
 * server refuses one, replaced when the new content is good.
 */

#include <ngx_config.h>

#include <openssl/crypto.h>

#include "keys.h"
#include "source.h"
#include "credentials.h"


#define NGX_HTTP_AKL_K8S_REFRESH  10000         /* ms */
#define NGX_HTTP_AKL_K8S_FILE     (1024 * 1024)


static void ngx_http_akl_k8s_credentials_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_akl_k8s_credential_init(
    ngx_http_akl_k8s_credential_t *cred, ngx_http_akl_k8s_source_t *source);
static ngx_uint_t ngx_http_akl_k8s_credential_changed(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_credential_t *cred,
    ngx_str_t *fresh);
static const char *ngx_http_akl_k8s_credential_read(
    ngx_http_akl_k8s_credential_t *cred, ngx_str_t *text);
static void ngx_http_akl_k8s_credential_unreadable(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_credential_t *cred,
    ngx_err_t err, const char *cause);
static void ngx_http_akl_k8s_credential_broken(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_credential_t *cred,
    const char *cause);
static void ngx_http_akl_k8s_credential_take(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_credential_t *cred,
    ngx_str_t *fresh);
static void ngx_http_akl_k8s_credential_trim(ngx_str_t *raw, ngx_str_t *text);
static void ngx_http_akl_k8s_credential_free(ngx_str_t *text);
static ngx_uint_t ngx_http_akl_k8s_same(ngx_str_t *one, ngx_str_t *two);
static ngx_uint_t ngx_http_akl_k8s_refresh_one(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_http_akl_k8s_credential_t *cred,
    const char *(*check)(ngx_str_t *text, const char **warn));
static ngx_uint_t ngx_http_akl_k8s_refresh_pair(
    ngx_http_akl_k8s_cluster_t *cluster);
static ngx_uint_t ngx_http_akl_k8s_refresh_jwks(
    ngx_http_akl_k8s_cluster_t *cluster);
static ngx_int_t ngx_http_akl_k8s_credentials_tls(
    ngx_http_akl_k8s_cluster_t *cluster);


ngx_int_t
ngx_http_akl_k8s_credentials_init(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_cluster_t *cluster)
{
    akl_jwks_t                  keys;
    const char                 *cause;
    ngx_http_akl_k8s_config_t  *config;

    config = cluster->config;

    if (ngx_http_akl_k8s_credential_init(&cluster->reviewer, &config->reviewer)
        != NGX_OK
        || ngx_http_akl_k8s_credential_init(&cluster->ca, &config->ca)
           != NGX_OK
        || ngx_http_akl_k8s_credential_init(&cluster->client_cert,
                                            &config->client_cert)
           != NGX_OK
        || ngx_http_akl_k8s_credential_init(&cluster->client_key,
                                            &config->client_key)
           != NGX_OK
        || ngx_http_akl_k8s_credential_init(&cluster->jwks_file, &config->jwks)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* from now on these are the worker's own; the master keeps what it read */

    ngx_explicit_memzero(config->reviewer.text.data, config->reviewer.text.len);
    ngx_explicit_memzero(config->client_key.text.data,
                         config->client_key.text.len);

    if (cluster->jwks_file.text.len) {

        if (akl_jwks_parse(&keys,
                           ngx_http_akl_k8s_str(&cluster->jwks_file.text),
                           &cause)
            != 0)
        {
            return NGX_ERROR;
        }

        ngx_http_akl_k8s_keys_take(cluster, &keys);
    }

    if (ngx_http_akl_k8s_credentials_tls(cluster) != NGX_OK) {
        return NGX_ERROR;
    }

    cluster->refresh.handler = ngx_http_akl_k8s_credentials_timer;
    cluster->refresh.data = cluster;
    cluster->refresh.log = cycle->log;
    cluster->refresh.cancelable = 1;

    ngx_add_timer(&cluster->refresh, NGX_HTTP_AKL_K8S_REFRESH);

    /* a worker starts with what the master read, which may be old by now */

    (void) ngx_http_akl_k8s_credentials_refresh(cluster);

    return NGX_OK;
}


static void
ngx_http_akl_k8s_credentials_timer(ngx_event_t *ev)
{
    (void) ngx_http_akl_k8s_credentials_refresh(ev->data);

    if (!ngx_exiting) {
        ngx_add_timer(ev, NGX_HTTP_AKL_K8S_REFRESH);
    }
}


ngx_uint_t
ngx_http_akl_k8s_credentials_refresh(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_uint_t  reviewer, tls, jwks;

    /* Rancher's key is no JWT and never looked into */

    reviewer = ngx_http_akl_k8s_refresh_one(cluster, &cluster->reviewer,
                   (cluster->config->type == NGX_HTTP_AKL_K8S_RANCHER)
                   ? NULL : ngx_http_akl_k8s_check_jwt);

    tls = ngx_http_akl_k8s_refresh_one(cluster, &cluster->ca,
                                       ngx_http_akl_k8s_check_ca);

    tls += ngx_http_akl_k8s_refresh_pair(cluster);

    if (tls && ngx_http_akl_k8s_credentials_tls(cluster) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "akl_k8s: new certificates of auth config \"%V\" "
                      "could not be used", &cluster->config->name);
    }

    jwks = ngx_http_akl_k8s_refresh_jwks(cluster);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s credentials of auth config \"%V\": %s",
                   &cluster->config->name,
                   reviewer + tls + jwks ? "changed" : "as before");

    return reviewer + tls + jwks != 0;
}


static ngx_int_t
ngx_http_akl_k8s_credential_init(ngx_http_akl_k8s_credential_t *cred,
    ngx_http_akl_k8s_source_t *source)
{
    cred->source = source;

    if (source->text.len == 0) {
        return NGX_OK;
    }

    cred->text.data = ngx_alloc(source->text.len, ngx_cycle->log);
    if (cred->text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(cred->text.data, source->text.data, source->text.len);
    cred->text.len = source->text.len;
    cred->expires = akl_credential_expires(source->type,
                                           ngx_http_akl_k8s_str(&cred->text));

    /* mtime 0 makes the first look read the file */

    return NGX_OK;
}


/* 1 and the raw content where the file is another one now */

static ngx_uint_t
ngx_http_akl_k8s_credential_changed(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_credential_t *cred, ngx_str_t *fresh)
{
    const char       *cause;
    ngx_file_info_t   fi;

    if (cred->source->path.len == 0) {
        return 0;
    }

    /* stat() follows the symbolic links that Kubernetes swaps */

    if (ngx_file_info(cred->source->path.data, &fi) == NGX_FILE_ERROR) {
        ngx_http_akl_k8s_credential_unreadable(cluster, cred, ngx_errno,
                                               ngx_file_info_n " failed");
        return 0;
    }

    if (ngx_file_uniq(&fi) == cred->uniq && ngx_file_mtime(&fi) == cred->mtime
        && ngx_file_size(&fi) == cred->size)
    {
        return 0;
    }

    ngx_set_errno(0);

    cause = ngx_http_akl_k8s_credential_read(cred, fresh);

    if (cause) {
        ngx_http_akl_k8s_credential_unreadable(cluster, cred, ngx_errno,
                                               cause);
        return 0;
    }

    cred->unreadable = 0;

    return 1;
}


/*
 * Reads the file and notes which one it was.  NULL, or a cause with the error
 * in ngx_errno, or 0 there.
 */

static const char *
ngx_http_akl_k8s_credential_read(ngx_http_akl_k8s_credential_t *cred,
    ngx_str_t *text)
{
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_err_t         err;
    const char       *cause;
    ngx_file_info_t   fi;

    /* a worker must not wait for somebody to write into a pipe */

    fd = ngx_open_file(cred->source->path.data,
                       NGX_FILE_RDONLY|NGX_FILE_NONBLOCK, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        return ngx_open_file_n " failed";
    }

    text->data = NULL;
    cause = NULL;
    err = 0;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;
        cause = ngx_fd_info_n " failed";
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        cause = "it is no file";
        goto done;
    }

    if (ngx_file_size(&fi) > NGX_HTTP_AKL_K8S_FILE) {
        cause = "it is larger than 1 MB";
        goto done;
    }

    text->data = ngx_alloc(ngx_file_size(&fi) + 1, ngx_cycle->log);

    if (text->data == NULL) {
        cause = "out of memory";
        goto done;
    }

    n = ngx_read_fd(fd, text->data, ngx_file_size(&fi));

    if (n == -1) {
        err = ngx_errno;
        cause = ngx_read_fd_n " failed";
        ngx_free(text->data);
        goto done;
    }

    text->len = n;

    cred->uniq = ngx_file_uniq(&fi);
    cred->size = ngx_file_size(&fi);

    /* within its second a file may change once more without looking so */

    cred->mtime = (ngx_file_mtime(&fi) < ngx_time() - 1) ? ngx_file_mtime(&fi)
                                                         : 0;

done:

    (void) ngx_close_file(fd);

    ngx_set_errno(err);

    return cause;
}


static ngx_uint_t
ngx_http_akl_k8s_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && CRYPTO_memcmp(one->data, two->data, one->len) == 0;
}


static ngx_uint_t
ngx_http_akl_k8s_refresh_one(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_credential_t *cred,
    const char *(*check)(ngx_str_t *text, const char **warn))
{
    ngx_str_t    raw, text;
    const char  *cause;

    if (!ngx_http_akl_k8s_credential_changed(cluster, cred, &raw)) {
        return 0;
    }

    text = raw;
    cause = ngx_http_akl_k8s_source_normalize(cred->source->type, &text);

    if (cause == NULL && check) {
        cause = check(&text, NULL);
    }

    if (cause) {
        ngx_http_akl_k8s_credential_broken(cluster, cred, cause);
        ngx_http_akl_k8s_credential_free(&raw);
        return 0;
    }

    cred->broken = 0;

    if (ngx_http_akl_k8s_same(&text, &cred->text)) {
        ngx_http_akl_k8s_credential_free(&raw);
        return 0;
    }

    ngx_http_akl_k8s_credential_trim(&raw, &text);

    ngx_http_akl_k8s_credential_take(cluster, cred, &raw);

    return 1;
}


/* a certificate and its key change in two steps: taken when they match */

static ngx_uint_t
ngx_http_akl_k8s_refresh_pair(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_str_t                       raw[2], text[2];
    ngx_uint_t                      i, changed[2];
    const char                     *cause;
    ngx_http_akl_k8s_credential_t  *cred[2], *culprit;

    cred[0] = &cluster->client_cert;
    cred[1] = &cluster->client_key;

    cause = NULL;
    culprit = cred[0];

    for (i = 0; i < 2; i++) {
        changed[i] = ngx_http_akl_k8s_credential_changed(cluster, cred[i],
                                                         &raw[i]);
        text[i] = changed[i] ? raw[i] : cred[i]->text;

        if (!changed[i] || cause) {
            continue;
        }

        cause = ngx_http_akl_k8s_source_normalize(AKL_CREDENTIAL_PEM,
                                                  &text[i]);

        /* a file that was read again may well be what it was */

        if (cause || !ngx_http_akl_k8s_same(&text[i], &cred[i]->text)) {
            culprit = cred[i];
        }
    }

    if (!changed[0] && !changed[1]) {
        return 0;
    }

    if (cause == NULL) {
        cause = akl_credential_pair(ngx_http_akl_k8s_str(&text[0]),
                                    ngx_http_akl_k8s_str(&text[1]), NULL);
    }

    for (i = 0; i < 2; i++) {

        if (!changed[i]) {

            /* the other half has to be read again with the next look */
            cred[i]->mtime = cause ? 0 : cred[i]->mtime;
            continue;
        }

        if (cause) {
            cred[i]->mtime = 0;
            ngx_http_akl_k8s_credential_free(&raw[i]);
            continue;
        }

        changed[i] = !ngx_http_akl_k8s_same(&text[i], &cred[i]->text);

        ngx_http_akl_k8s_credential_trim(&raw[i], &text[i]);

        if (changed[i]) {
            ngx_http_akl_k8s_credential_take(cluster, cred[i], &raw[i]);

        } else {
            ngx_http_akl_k8s_credential_free(&raw[i]);
        }
    }

    if (cause) {

        /* one of them is named, once, whichever is looked at again */

        if (!cred[0]->broken && !cred[1]->broken) {
            ngx_http_akl_k8s_credential_broken(cluster, culprit, cause);
        }

        return 0;
    }

    cred[0]->broken = 0;
    cred[1]->broken = 0;

    return changed[0] || changed[1];
}


static ngx_uint_t
ngx_http_akl_k8s_refresh_jwks(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_str_t    raw, text;
    akl_jwks_t   keys;
    const char  *cause;

    if (!ngx_http_akl_k8s_credential_changed(cluster, &cluster->jwks_file,
                                             &raw))
    {
        return 0;
    }

    text = raw;
    cause = ngx_http_akl_k8s_source_normalize(AKL_CREDENTIAL_JSON, &text);

    if (cause == NULL
        && akl_jwks_parse(&keys, ngx_http_akl_k8s_str(&text), &cause) == 0)
    {
        cause = NULL;
    }

    if (cause) {
        ngx_http_akl_k8s_credential_broken(cluster, &cluster->jwks_file,
                                           cause);
        ngx_http_akl_k8s_credential_free(&raw);
        return 0;
    }

    cluster->jwks_file.broken = 0;

    if (ngx_http_akl_k8s_same(&text, &cluster->jwks_file.text)) {
        akl_jwks_clear(&keys);
        ngx_http_akl_k8s_credential_free(&raw);
        return 0;
    }

    ngx_http_akl_k8s_keys_take(cluster, &keys);

    ngx_http_akl_k8s_credential_trim(&raw, &text);

    ngx_http_akl_k8s_credential_take(cluster, &cluster->jwks_file, &raw);

    return 1;
}


static void
ngx_http_akl_k8s_credential_broken(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_credential_t *cred, const char *cause)
{
    if (cred->broken) {
        return;
    }

    cred->broken = 1;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "akl_k8s: %V \"%V\" of auth config \"%V\" was replaced, but "
                  "%s: the former one is kept", &cred->source->directive,
                  &cred->source->path, &cluster->config->name, cause);
}


/* a file that cannot be read any more, or never could by a worker */

static void
ngx_http_akl_k8s_credential_unreadable(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_credential_t *cred, ngx_err_t err, const char *cause)
{
    if (cred->unreadable) {
        return;
    }

    cred->unreadable = 1;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, err,
                  "akl_k8s: %V \"%V\" of auth config \"%V\" cannot be read "
                  "again, %s: the former one is kept",
                  &cred->source->directive, &cred->source->path,
                  &cluster->config->name, cause);
}


static void
ngx_http_akl_k8s_credential_take(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_akl_k8s_credential_t *cred, ngx_str_t *fresh)
{
    ngx_http_akl_k8s_credential_free(&cred->text);

    cred->text = *fresh;
    cred->expires = akl_credential_expires(cred->source->type,
                                           ngx_http_akl_k8s_str(&cred->text));

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "akl_k8s: %V \"%V\" of auth config \"%V\" was replaced",
                  &cred->source->directive, &cred->source->path,
                  &cluster->config->name);
}


/* leaves of what was read the text that lies in it, and wipes the rest */

static void
ngx_http_akl_k8s_credential_trim(ngx_str_t *raw, ngx_str_t *text)
{
    ngx_memmove(raw->data, text->data, text->len);
    ngx_explicit_memzero(raw->data + text->len, raw->len - text->len);

    raw->len = text->len;
}


static void
ngx_http_akl_k8s_credential_free(ngx_str_t *text)
{
    if (text->data == NULL) {
        return;
    }

    ngx_explicit_memzero(text->data, text->len);
    ngx_free(text->data);

    text->data = NULL;
    text->len = 0;
}


static ngx_int_t
ngx_http_akl_k8s_credentials_tls(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_akl_tls_t  tls;

    ngx_memzero(&tls, sizeof(ngx_akl_tls_t));

    tls.ca = cluster->ca.text;
    tls.cert = cluster->client_cert.text;
    tls.key = cluster->client_key.text;
    tls.system_ca = cluster->config->ca_system;

    return ngx_akl_target_set_tls(cluster->target, &tls);
}


void
ngx_http_akl_k8s_credentials_free(ngx_http_akl_k8s_cluster_t *cluster)
{
    if (cluster->refresh.timer_set) {
        ngx_del_timer(&cluster->refresh);
    }

    ngx_http_akl_k8s_credential_free(&cluster->reviewer.text);
    ngx_http_akl_k8s_credential_free(&cluster->ca.text);
    ngx_http_akl_k8s_credential_free(&cluster->client_cert.text);
    ngx_http_akl_k8s_credential_free(&cluster->client_key.text);
    ngx_http_akl_k8s_credential_free(&cluster->jwks_file.text);
}
