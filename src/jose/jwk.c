#include <stdlib.h>

#include <openssl/err.h>

#include "base64.h"
#include "jose.h"


/* the longest member of a key in base64url */
#define AKL_MEMBER_MAX  akl_base64url_encoded_len(AKL_RSA_BYTES_MAX)


static json_t *akl_members_json(const akl_jwk_members_t *m);
static int akl_thumbprint(char *dst, const akl_jwk_members_t *m);
static int akl_member_set(json_t *object, const char *key, akl_str_t value);


int
akl_jwk_fill(akl_jwk_t *jwk, EVP_PKEY *pkey, const akl_jwk_members_t *m,
    akl_alg_t alg, akl_str_t kid, const char **err)
{
    unsigned char  *p;

    memset(jwk, 0, sizeof(akl_jwk_t));

    jwk->pkey = pkey;
    jwk->alg = (alg == AKL_ALG_NONE) ? m->alg : alg;

    if (akl_thumbprint(jwk->thumbprint, m) != 0) {
        goto nomem;
    }

    if (kid.len == 0) {
        kid.data = (const unsigned char *) jwk->thumbprint;
        kid.len = sizeof(jwk->thumbprint) - 1;
    }

    p = malloc(kid.len);
    if (p == NULL) {
        goto nomem;
    }

    memcpy(p, kid.data, kid.len);

    jwk->kid.data = p;
    jwk->kid.len = kid.len;

    return 0;

nomem:

    akl_jwk_clear(jwk);
    *err = akl_out_of_memory;

    return -1;
}


void
akl_jwk_clear(akl_jwk_t *jwk)
{
    EVP_PKEY_free(jwk->pkey);
    free((void *) jwk->kid.data);
    memset(jwk, 0, sizeof(akl_jwk_t));
}


int
akl_jwk_same_public(const akl_jwk_t *a, const akl_jwk_t *b)
{
    return strcmp(a->thumbprint, b->thumbprint) == 0;
}


/* RFC 7638 section 3: the required members, sorted, without white space */

static int
akl_thumbprint(char *dst, const akl_jwk_members_t *m)
{
    int             ok;
    char           *text;
    size_t          len;
    json_t         *object;
    akl_str_t       digest;
    unsigned char   md[32];

    object = akl_members_json(m);
    text = json_dumps(object, JSON_SORT_KEYS|JSON_COMPACT);
    json_decref(object);

    ok = (text != NULL && EVP_Digest(text, strlen(text), md, NULL,
                                     EVP_sha256(), NULL) == 1);
    free(text);

    if (!ok) {
        ERR_clear_error();
        return -1;
    }

    digest.data = md;
    digest.len = sizeof(md);

    len = akl_base64url_encode((unsigned char *) dst, digest);
    dst[len] = '\0';

    return 0;
}


json_t *
akl_jwk_export(const akl_jwk_t *jwk)
{
    int                 rc;
    json_t             *object;
    const char         *err;
    akl_jwk_members_t   m;

    rc = akl_jwk_members_get(&m, jwk->pkey, &err);
    ERR_clear_error();

    object = (rc == 0) ? akl_members_json(&m) : NULL;

    rc = json_object_set_new(object, "use", json_string("sig"));
    rc |= json_object_set_new(object, "alg",
                              json_string(akl_alg_name(jwk->alg)));
    rc |= json_object_set_new(object, "kid", json_string(jwk->thumbprint));

    if (rc != 0) {
        json_decref(object);
        return NULL;
    }

    return object;
}


/* the members that the type requires (RFC 7518 section 6, RFC 8037) */

static json_t *
akl_members_json(const akl_jwk_members_t *m)
{
    int      rc;
    json_t  *object;

    if (m->curve == NULL && m->alg != AKL_ALG_EDDSA) {
        object = json_pack("{s:s}", "kty", "RSA");
        rc = akl_member_set(object, "n", m->first);
        rc |= akl_member_set(object, "e", m->second);

    } else {
        object = json_pack("{s:s, s:s}", "kty", m->curve ? "EC" : "OKP",
                           "crv", m->curve ? m->curve->crv : "Ed25519");
        rc = akl_member_set(object, "x", m->first);

        if (m->curve) {
            rc |= akl_member_set(object, "y", m->second);
        }
    }

    if (rc != 0) {
        json_decref(object);
        return NULL;
    }

    return object;
}


static int
akl_member_set(json_t *object, const char *key, akl_str_t value)
{
    size_t         len;
    unsigned char  buf[AKL_MEMBER_MAX];

    len = akl_base64url_encode(buf, value);

    return json_object_set_new(object, key,
                               json_stringn((const char *) buf, len));
}
