/*
 * Sources: where credentials, keys and certificates come from, and what they
 * must look like.
 */

#include <ngx_config.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "../../jose/base64.h"
#include "../../jose/json.h"
#include "../conf/conf.h"


#define NGX_HTTP_AKL_K8S_SOURCE_MAX  (1024 * 1024)
#define NGX_HTTP_AKL_K8S_NEAR_END    (24 * 3600)


static ngx_int_t ngx_http_akl_k8s_source_read(ngx_conf_t *cf,
    ngx_str_t *directive, ngx_http_akl_k8s_source_t *src);
static ngx_uint_t ngx_http_akl_k8s_source_is_pem(ngx_str_t *text);


char *
ngx_http_akl_k8s_source(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_str_t *value, ngx_http_akl_k8s_source_e type,
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
ngx_http_akl_k8s_source_normalize(ngx_http_akl_k8s_source_e type,
    ngx_str_t *text)
{
    size_t   i;
    ssize_t  n;

    while (text->len && text->data[text->len - 1] <= ' ') {
        text->len--;
    }

    while (text->len && text->data[0] <= ' ') {
        text->data++;
        text->len--;
    }

    if (text->len == 0) {
        return "is empty";
    }

    switch (type) {

    case NGX_HTTP_AKL_K8S_TEXT:

        /* it goes into a header line */

        for (i = 0; i < text->len; i++) {
            if (text->data[i] <= ' ' || text->data[i] >= 0x7f) {
                return "holds white space or control characters";
            }
        }

        return NULL;

    case NGX_HTTP_AKL_K8S_PEM:

        if (ngx_http_akl_k8s_source_is_pem(text)) {
            return NULL;
        }

        n = akl_base64_decode(text->data, ngx_http_akl_k8s_str(text));

        if (n > 0) {
            text->len = n;

            if (ngx_http_akl_k8s_source_is_pem(text)) {
                return NULL;
            }
        }

        return "is neither PEM nor base64 of it";

    default:
        return NULL;
    }
}


static ngx_uint_t
ngx_http_akl_k8s_source_is_pem(ngx_str_t *text)
{
    return ngx_strnstr(text->data, "-----BEGIN ", text->len) != NULL;
}


const char *
ngx_http_akl_k8s_check_ca(ngx_str_t *pem, const char **warn)
{
    BIO         *bio;
    X509        *x509;
    ngx_uint_t   n, expired;

    bio = BIO_new_mem_buf(pem->data, (int) pem->len);
    if (bio == NULL) {
        ERR_clear_error();
        return "cannot be read";
    }

    n = 0;
    expired = 0;

    for ( ;; ) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (x509 == NULL) {
            break;
        }

        n++;
        expired += (X509_cmp_time(X509_get0_notAfter(x509), NULL) < 0);

        X509_free(x509);
    }

    BIO_free(bio);

    /* the end of the text looks like an error; a broken one too */

    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        n = 0;
    }

    ERR_clear_error();

    if (n == 0) {
        return "holds no certificate, or a malformed one";
    }

    if (expired && warn) {
        *warn = (expired == n) ? "the certificate has expired"
                               : "a certificate among them has expired";
    }

    return NULL;
}


const char *
ngx_http_akl_k8s_check_jwt(ngx_str_t *jwt, const char **warn)
{
    time_t             left;
    int64_t            exp;
    akl_jws_t          jws;
    const char        *cause;
    const akl_node_t  *k8s;

    cause = NULL;
    exp = 0;

    if (akl_jws_parse(&jws, ngx_http_akl_k8s_str(jwt)) != AKL_JWS_OK
        || akl_doc_time(&jws.payload, jws.payload.nodes, "exp", &exp) < 0)
    {
        cause = "is no JWT";

    } else if (exp) {
        left = (time_t) exp - ngx_time();

        if (left <= 0) {
            cause = "has expired";

        } else if (left < NGX_HTTP_AKL_K8S_NEAR_END && warn) {
            *warn = "expires within a day";
        }
    }

    if (cause == NULL && warn) {
        k8s = akl_doc_get(&jws.payload, jws.payload.nodes, "kubernetes.io");

        if (akl_doc_get(&jws.payload, k8s, "pod")) {
            *warn = *warn ? "is bound to a pod and expires within a day"
                          : "is bound to a pod and ends with it";
        }
    }

    akl_jws_clear(&jws);

    return cause;
}


static int
ngx_http_akl_k8s_no_password(char *buf, int size, int rwflag, void *data)
{
    return 0;
}


const char *
ngx_http_akl_k8s_check_pair(ngx_str_t *cert, ngx_str_t *key,
    const char **warn)
{
    BIO         *bio;
    X509        *x509;
    EVP_PKEY    *pkey;
    const char  *cause;

    x509 = NULL;
    pkey = NULL;
    cause = NULL;

    bio = BIO_new_mem_buf(cert->data, (int) cert->len);

    if (bio) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }

    bio = BIO_new_mem_buf(key->data, (int) key->len);

    if (bio) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL, ngx_http_akl_k8s_no_password,
                                       NULL);
        BIO_free(bio);
    }

    if (x509 == NULL) {
        cause = "holds no certificate";

    } else if (pkey == NULL) {
        cause = "has a key that cannot be read";

    } else if (X509_check_private_key(x509, pkey) != 1) {
        cause = "does not belong to its key";

    } else if (X509_cmp_time(X509_get0_notAfter(x509), NULL) < 0 && warn) {
        *warn = "the certificate has expired";
    }

    X509_free(x509);
    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return cause;
}


time_t
ngx_http_akl_k8s_source_expires(ngx_http_akl_k8s_source_e type,
    ngx_str_t *text)
{
    BIO        *bio;
    X509       *x509;
    int64_t     exp;
    time_t      end;
    akl_jws_t   jws;
    struct tm   tm;

    exp = 0;

    switch (type) {

    case NGX_HTTP_AKL_K8S_TEXT:

        /* a Rancher key is no JWT */

        if (akl_jws_parse(&jws, ngx_http_akl_k8s_str(text)) != AKL_JWS_OK
            || akl_doc_time(&jws.payload, jws.payload.nodes, "exp", &exp) < 0)
        {
            exp = 0;
        }

        akl_jws_clear(&jws);
        break;

    case NGX_HTTP_AKL_K8S_PEM:

        bio = BIO_new_mem_buf(text->data, (int) text->len);

        while (bio) {
            x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

            if (x509 == NULL) {
                break;
            }

            if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm) == 1) {
                end = timegm(&tm);
                exp = (exp == 0) ? end : ngx_min(exp, end);
            }

            X509_free(x509);
        }

        BIO_free(bio);
        ERR_clear_error();
        break;

    default:
        break;
    }

    return exp;
}
