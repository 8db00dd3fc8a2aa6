#include <stdlib.h>

#include <openssl/err.h>

#include "base64.h"
#include "jose.h"
#include "json.h"


#define AKL_JWKS_MAX       (256 * 1024)
#define AKL_JWKS_KEYS_MAX  64


static int akl_jwk_parse(akl_jwk_t *jwk, const json_t *object,
    const char **err);
static int akl_jwk_usable(const json_t *object, const char **err);
static int akl_jwk_members_parse(akl_jwk_members_t *m, const json_t *object,
    akl_str_t kty, const char **err);
static int akl_jwk_member(akl_str_t *value, const json_t *object,
    const char *key, unsigned char *store, size_t size);


int
akl_jwks_parse(akl_jwks_t *jwks, akl_str_t text, const char **err)
{
    size_t       i, n;
    json_t      *root, *keys, *key;
    const char  *why;

    memset(jwks, 0, sizeof(akl_jwks_t));

    if (text.len > AKL_JWKS_MAX) {
        *err = "JWK set is larger than 256 KB";
        return -1;
    }

    root = akl_json_object(text);
    if (root == NULL) {
        *err = "JWK set is not a well-formed JSON object";
        return -1;
    }

    keys = json_object_get(root, "keys");

    if (!json_is_array(keys)) {
        *err = "JWK set has no \"keys\" array";
        goto failed;
    }

    n = json_array_size(keys);

    if (n > AKL_JWKS_KEYS_MAX) {
        *err = "JWK set has more than 64 keys";
        goto failed;
    }

    jwks->keys = calloc(n ? n : 1, sizeof(akl_jwk_t));
    if (jwks->keys == NULL) {
        *err = "out of memory";
        goto failed;
    }

    for (i = 0; i < n; i++) {
        key = json_array_get(keys, i);

        if (akl_jwk_parse(&jwks->keys[jwks->n], key, &why) == 0) {
            jwks->n++;
            continue;
        }

        if (jwks->skipped++ == 0) {
            jwks->skipped_err = why;
        }
    }

    if (jwks->n == 0) {
        *err = jwks->skipped ? jwks->skipped_err : "JWK set is empty";
        goto failed;
    }

    json_decref(root);
    ERR_clear_error();

    return 0;

failed:

    akl_jwks_clear(jwks);
    json_decref(root);
    ERR_clear_error();

    return -1;
}


void
akl_jwks_clear(akl_jwks_t *jwks)
{
    size_t  i;

    for (i = 0; i < jwks->n; i++) {
        akl_jwk_clear(&jwks->keys[i]);
    }

    free(jwks->keys);
    memset(jwks, 0, sizeof(akl_jwks_t));
}


static int
akl_jwk_parse(akl_jwk_t *jwk, const json_t *object, const char **err)
{
    int                 rc;
    akl_alg_t           alg;
    EVP_PKEY           *pkey;
    akl_str_t           kty, name, kid;
    akl_family_t        family;
    akl_jwk_members_t   m;

    memset(jwk, 0, sizeof(akl_jwk_t));

    if (akl_json_string(object, "kty", &kty) != 0) {
        *err = "JWK has no \"kty\"";
        return -1;
    }

    if (akl_jwk_usable(object, err) != 0
        || akl_jwk_members_parse(&m, object, kty, err) != 0)
    {
        return -1;
    }

    alg = m.alg;
    rc = akl_json_string(object, "alg", &name);

    if (rc == 0) {
        alg = akl_alg_find(name);

        if (alg == AKL_ALG_NONE) {
            *err = "JWK has an unsupported \"alg\"";
            return -1;
        }

        family = akl_alg_info(alg)->family;

        if (m.alg == AKL_ALG_RS256
            ? (family != AKL_FAMILY_RSA && family != AKL_FAMILY_PSS)
            : alg != m.alg)
        {
            *err = "JWK has an \"alg\" that contradicts its type";
            return -1;
        }

    } else if (rc < 0) {
        *err = "JWK has an \"alg\" that is not a string";
        return -1;
    }

    if (akl_json_string(object, "kid", &kid) < 0 || kid.len > AKL_KID_MAX) {
        *err = "JWK has a \"kid\" that is not a string of 1024 bytes at most";
        return -1;
    }

    pkey = akl_jwk_members_pkey(&m, err);
    if (pkey == NULL) {
        return -1;
    }

    return akl_jwk_fill(jwk, pkey, &m, alg, kid, err);
}


/* RFC 7517 sections 4.2 and 4.3 */

static int
akl_jwk_usable(const json_t *object, const char **err)
{
    int         rc;
    size_t      i;
    json_t     *ops, *op;
    akl_str_t   use;

    rc = akl_json_string(object, "use", &use);

    if (rc < 0 || (rc == 0 && !akl_str_eq(use, akl_str("sig")))) {
        *err = "JWK has a \"use\" other than \"sig\"";
        return -1;
    }

    ops = json_object_get(object, "key_ops");
    if (ops == NULL) {
        return 0;
    }

    for (i = 0; i < json_array_size(ops); i++) {
        op = json_array_get(ops, i);

        if (json_is_string(op)
            && strcmp(json_string_value(op), "verify") == 0)
        {
            return 0;
        }
    }

    *err = "JWK has \"key_ops\" without \"verify\"";
    return -1;
}


static int
akl_jwk_members_parse(akl_jwk_members_t *m, const json_t *object,
    akl_str_t kty, const char **err)
{
    size_t     half;
    akl_str_t  crv;

    half = sizeof(m->store) / 2;
    m->curve = NULL;

    if (akl_str_eq(kty, akl_str("RSA"))) {
        m->alg = AKL_ALG_RS256;

        /* 8 bytes of e are the most that is accepted later */

        half = sizeof(m->store) - 16;

        if (akl_jwk_member(&m->first, object, "n", m->store, half) != 0
            || akl_jwk_member(&m->second, object, "e", m->store + half, 16)
               != 0)
        {
            *err = "RSA JWK has no proper \"n\" or \"e\"";
            return -1;
        }

        return 0;
    }

    if (akl_json_string(object, "crv", &crv) < 0) {
        *err = "JWK has a \"crv\" that is not a string";
        return -1;
    }

    if (akl_str_eq(kty, akl_str("EC"))) {
        m->curve = akl_curve_find(crv);

        if (m->curve == NULL) {
            *err = "EC JWK is on none of P-256, P-384 and P-521";
            return -1;
        }

        m->alg = m->curve->alg;

        if (akl_jwk_member(&m->first, object, "x", m->store, half) != 0
            || akl_jwk_member(&m->second, object, "y", m->store + half, half)
               != 0
            || m->first.len != m->curve->size
            || m->second.len != m->curve->size)
        {
            *err = "EC JWK has no proper \"x\" or \"y\"";
            return -1;
        }

        return 0;
    }

    if (akl_str_eq(kty, akl_str("OKP"))) {

        if (!akl_str_eq(crv, akl_str("Ed25519"))) {
            *err = "OKP JWK is not on Ed25519";
            return -1;
        }

        m->alg = AKL_ALG_EDDSA;
        m->second.len = 0;
        m->second.data = NULL;

        if (akl_jwk_member(&m->first, object, "x", m->store, half) != 0
            || m->first.len != AKL_ED25519_BYTES)
        {
            *err = "OKP JWK has no proper \"x\"";
            return -1;
        }

        return 0;
    }

    *err = "JWK has an unsupported \"kty\"";
    return -1;
}


static int
akl_jwk_member(akl_str_t *value, const json_t *object, const char *key,
    unsigned char *store, size_t size)
{
    ssize_t    n;
    akl_str_t  text;

    if (akl_json_string(object, key, &text) != 0
        || text.len == 0
        || akl_base64_decoded_len(text.len) > size)
    {
        return -1;
    }

    n = akl_base64url_decode(store, text);
    if (n < 0) {
        return -1;
    }

    value->data = store;
    value->len = (size_t) n;

    return 0;
}
