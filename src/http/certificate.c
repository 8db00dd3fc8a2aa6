/*
 * Client certificates, as nginx's ssl_verify_client lets them through.  All
 * streams of a connection, and all subrequests, have that of its handshake.
 */

#include "certificate.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "../jose/base64.h"


_Static_assert(akl_base64url_encoded_len(32) == NGX_HTTP_AKL_K8S_THUMBPRINT_LEN,
               "a SHA-256 digest in base64url");


ngx_int_t
ngx_http_akl_k8s_thumbprint(ngx_http_request_t *r, u_char *dst)
{
    int                rc;
    X509              *cert;
    akl_str_t          src;
    unsigned int       len;
    unsigned char      digest[EVP_MAX_MD_SIZE];
    ngx_connection_t  *c;

    c = r->connection;

    if (c->ssl == NULL) {
        return NGX_DECLINED;
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert == NULL) {
        return NGX_DECLINED;
    }

    rc = X509_digest(cert, EVP_sha256(), digest, &len);
    X509_free(cert);

    if (rc != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    src.data = digest;
    src.len = len;

    (void) akl_base64url_encode(dst, src);

    return NGX_OK;
}
