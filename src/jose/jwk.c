#include <stdlib.h>

#include <openssl/err.h>

#include "base64.h"
#include "jose.h"
#include "json.h"


/* the longest member of a key in base64url */
#define AKL_MEMBER_MAX  akl_base64url_encoded_len(AKL_RSA_BYTES_MAX)


static int akl_thumbprint(char *dst, const akl_jwk_members_t *m);
static void akl_member_write(akl_json_out_t *out, const char *key,
    akl_str_t value);
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
    *err = "out of memory";

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


/* RFC 7638 section 3: the required members in this order, no white space */

static int
akl_thumbprint(char *dst, const akl_jwk_members_t *m)
{
    size_t          len;
    akl_str_t       digest;
    unsigned char   md[32];
    akl_json_out_t  out;
    unsigned char   text[128 + AKL_MEMBER_MAX];

    akl_json_out_init(&out, text, sizeof(text));
    akl_json_out_open(&out, NULL, '{');

    if (m->curve != NULL) {
        akl_json_out_str(&out, "crv",
                         (akl_str_t) { 5, (const unsigned char *)
                                          m->curve->crv });
        akl_json_out_str(&out, "kty", akl_str("EC"));
        akl_member_write(&out, "x", m->first);
        akl_member_write(&out, "y", m->second);

    } else if (m->alg == AKL_ALG_EDDSA) {
        akl_json_out_str(&out, "crv", akl_str("Ed25519"));
        akl_json_out_str(&out, "kty", akl_str("OKP"));
        akl_member_write(&out, "x", m->first);

    } else {
        akl_member_write(&out, "e", m->second);
        akl_json_out_str(&out, "kty", akl_str("RSA"));
        akl_member_write(&out, "n", m->first);
    }

    akl_json_out_close(&out, '}');

    if (EVP_Digest(text, out.len, md, NULL, EVP_sha256(), NULL) != 1) {
        ERR_clear_error();
        return -1;
    }

    digest.data = md;
    digest.len = sizeof(md);

    len = akl_base64url_encode((unsigned char *) dst, digest);
    dst[len] = '\0';

    return 0;
}


static void
akl_member_write(akl_json_out_t *out, const char *key, akl_str_t value)
{
    akl_str_t      text;
    unsigned char  buf[AKL_MEMBER_MAX];

    text.data = buf;
    text.len = akl_base64url_encode(buf, value);

    akl_json_out_str(out, key, text);
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

    if (rc != 0) {
        return NULL;
    }

    if (m.curve != NULL) {
        object = json_pack("{s:s, s:s}", "kty", "EC", "crv", m.curve->crv);

    } else if (m.alg == AKL_ALG_EDDSA) {
        object = json_pack("{s:s, s:s}", "kty", "OKP", "crv", "Ed25519");

    } else {
        object = json_pack("{s:s}", "kty", "RSA");
    }

    rc = json_object_set_new(object, "use", json_string("sig"));
    rc |= json_object_set_new(object, "alg",
                              json_string(akl_alg_name(jwk->alg)));
    rc |= json_object_set_new(object, "kid", json_string(jwk->thumbprint));

    if (m.curve != NULL) {
        rc |= akl_member_set(object, "x", m.first);
        rc |= akl_member_set(object, "y", m.second);

    } else if (m.alg == AKL_ALG_EDDSA) {
        rc |= akl_member_set(object, "x", m.first);

    } else {
        rc |= akl_member_set(object, "n", m.first);
        rc |= akl_member_set(object, "e", m.second);
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
