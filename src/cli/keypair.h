/*
 * Key pairs to sign with.
 */

#ifndef AKL_CLI_KEYPAIR_H
#define AKL_CLI_KEYPAIR_H

#include "../jose/jwk.h"
#include "mem.h"


#define AKL_KEY_TYPES  "rsa|ec|p384|ed25519"


/*
 * A new pair: RSA of 2048 bits (RS256), P-256 (ES256, "ec"), P-384 (ES384) or
 * Ed25519 (EdDSA), and its PEM: "RSA PRIVATE KEY" as Akeyless hands it out,
 * else PKCS#8.  NULL and *pem, or the cause.
 */
const char *akl_keypair_make(const char *type, akl_str_t *pem);

/* The public half of a key as PEM (SubjectPublicKeyInfo). */
akl_str_t akl_keypair_public(const akl_jwk_t *jwk);

/* Standard base64 with padding (RFC 4648 section 4). */
char *akl_keypair_base64(akl_str_t text);


#endif /* AKL_CLI_KEYPAIR_H */
