/*
 * Keyed digests with a context that is kept: made by the first use in each
 * process, since what was made before a fork is not to be shared.
 */

#ifndef NGX_AKL_MAC_H
#define NGX_AKL_MAC_H

#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AKL_MAC_LEN  32


/* all zero at first */

typedef struct {
    void       *ctx;                /* EVP_MAC_CTX, or HMAC_CTX before 3.0 */
    ngx_pid_t   pid;                /* of the process that made it */
} ngx_akl_mac_t;


/*
 * HMAC-SHA-256 (RFC 2104) over the parts, each preceded by its length in four
 * bytes, to "digest" of NGX_AKL_MAC_LEN bytes.  The key must be the same one
 * each time.  NGX_OK, or NGX_ERROR with nothing left in the error queue.
 */
ngx_int_t ngx_akl_mac(ngx_akl_mac_t *mac, u_char *key, size_t len,
    ngx_str_t *parts, ngx_uint_t n, u_char *digest);

/* A pool's cleanup handler; "data" is the ngx_akl_mac_t. */
void ngx_akl_mac_free(void *data);


#endif /* NGX_AKL_MAC_H */
