/* Keys: what a JWK set or a PEM file yields can be exported and read back. */

#include <openssl/err.h>

#include "../../src/jose/jwk.h"
#include "fuzz.h"


static void
sound(const akl_jwk_t *key)
{
    char        *text;
    json_t      *jwk, *set;
    akl_str_t    in;
    akl_jwks_t   again;
    const char  *err;

    check(key->pkey != NULL);
    check(key->alg > AKL_ALG_NONE && key->alg < AKL_ALG_N);
    check(key->kid.len > 0 && key->kid.len <= AKL_KID_MAX);
    check(strlen(key->thumbprint) == 43);

    if (key->alg <= AKL_ALG_PS512) {
        check(EVP_PKEY_bits(key->pkey) >= 2048);
        check(EVP_PKEY_bits(key->pkey) <= 8192);
    }

    jwk = akl_jwk_export(key);
    check(jwk != NULL && json_object_get(jwk, "d") == NULL);

    set = json_pack("{s:[o]}", "keys", jwk);
    text = json_dumps(set, 0);
    check(text != NULL);

    in.data = (unsigned char *) text;
    in.len = strlen(text);
    check(akl_jwks_parse(&again, in, &err) == 0);
    check(again.n == 1 && again.keys[0].alg == key->alg);
    check(akl_jwk_same_public(&again.keys[0], key));

    akl_jwks_clear(&again);
    json_decref(set);
    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t       i;
    akl_jwk_t    key;
    akl_str_t    in;
    akl_jwks_t   keys;
    const char  *err;

    in.data = data;
    in.len = size;
    err = NULL;

    if (size && data[0] == '-') {

        if (akl_jwk_public_from_pem(&key, in, &err) == 0) {
            check(!key.private_key);
            sound(&key);

        } else {
            check(err != NULL && key.pkey == NULL);
        }

        check(ERR_peek_error() == 0);
        akl_jwk_clear(&key);

        if (akl_jwk_private_from_pem(&key, in, &err) == 0) {
            check(key.private_key);
            sound(&key);

        } else {
            check(err != NULL && key.pkey == NULL);
        }

        akl_jwk_clear(&key);

    } else if (akl_jwks_parse(&keys, in, &err) == 0) {
        check(keys.n > 0 && keys.n + keys.skipped <= 64);

        for (i = 0; i < keys.n; i++) {
            sound(&keys.keys[i]);
        }

        akl_jwks_clear(&keys);

    } else {
        check(err != NULL && keys.keys == NULL);
    }

    check(ERR_peek_error() == 0);

    return 0;
}
