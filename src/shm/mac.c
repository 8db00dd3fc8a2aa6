/*
 * A context is re-inited without its key: fetching the algorithm and keying
 * cost more than the digest itself.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "mac.h"

#if (OPENSSL_VERSION_NUMBER >= 0x30000000L)

#include <openssl/core_names.h>

#define ngx_akl_mac_update  EVP_MAC_update
#define ngx_akl_mac_final(ctx, digest)                                        \
    EVP_MAC_final(ctx, digest, NULL, NGX_AKL_MAC_LEN)

#else

#include <openssl/hmac.h>

#define ngx_akl_mac_update             HMAC_Update
#define ngx_akl_mac_final(ctx, digest) HMAC_Final(ctx, digest, NULL)

#endif


static ngx_int_t ngx_akl_mac_init(ngx_akl_mac_t *mac, u_char *key, size_t len);


ngx_int_t
ngx_akl_mac(ngx_akl_mac_t *mac, u_char *key, size_t len, ngx_str_t *parts,
    ngx_uint_t n, u_char *digest)
{
    uint32_t    size;
    ngx_uint_t  i;

    if (ngx_akl_mac_init(mac, key, len) != NGX_OK) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        size = (uint32_t) parts[i].len;

        if (ngx_akl_mac_update(mac->ctx, (u_char *) &size, sizeof(size)) != 1
            || ngx_akl_mac_update(mac->ctx, parts[i].data, parts[i].len) != 1)
        {
            goto failed;
        }
    }

    if (ngx_akl_mac_final(mac->ctx, digest) != 1) {
        goto failed;
    }

    return NGX_OK;

failed:

    ERR_clear_error();

    return NGX_ERROR;
}


static ngx_int_t
ngx_akl_mac_init(ngx_akl_mac_t *mac, u_char *key, size_t len)
{
#if (OPENSSL_VERSION_NUMBER >= 0x30000000L)

    EVP_MAC     *hmac;
    OSSL_PARAM   params[2];

    if (mac->ctx && mac->pid == ngx_pid) {
        return (EVP_MAC_init(mac->ctx, NULL, 0, NULL) == 1) ? NGX_OK
                                                            : NGX_ERROR;
    }

    ngx_akl_mac_free(mac);

    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (hmac == NULL) {
        return NGX_ERROR;
    }

    mac->ctx = EVP_MAC_CTX_new(hmac);

    EVP_MAC_free(hmac);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();

    if (mac->ctx == NULL || EVP_MAC_init(mac->ctx, key, len, params) != 1) {
        return NGX_ERROR;
    }

#else

    if (mac->ctx && mac->pid == ngx_pid) {
        return (HMAC_Init_ex(mac->ctx, NULL, 0, NULL, NULL) == 1) ? NGX_OK
                                                                  : NGX_ERROR;
    }

    ngx_akl_mac_free(mac);

    mac->ctx = HMAC_CTX_new();

    if (mac->ctx == NULL
        || HMAC_Init_ex(mac->ctx, key, (int) len, EVP_sha256(), NULL) != 1)
    {
        return NGX_ERROR;
    }

#endif

    mac->pid = ngx_pid;

    return NGX_OK;
}


void
ngx_akl_mac_free(void *data)
{
    ngx_akl_mac_t  *mac = data;

#if (OPENSSL_VERSION_NUMBER >= 0x30000000L)
    EVP_MAC_CTX_free(mac->ctx);
#else
    HMAC_CTX_free(mac->ctx);
#endif

    mac->ctx = NULL;
    mac->pid = 0;
}
