#include <stdlib.h>

#include <openssl/err.h>

#include "base64.h"
#include "doc.h"
#include "jose.h"


#define AKL_JWKS_MAX       (256 * 1024)
#define AKL_JWKS_KEYS_MAX  64


static int akl_jwk_parse(akl_jwk_t *jwk, const akl_doc_t *doc,
    const akl_node_t *object, const char **err);
static int akl_jwk_usable(const akl_doc_t *doc, const akl_node_t *object,
    const char **err);
static int akl_jwk_members_parse(akl_jwk_members_t *m, const akl_doc_t *doc,
    const akl_node_t *object, akl_str_t kty, const char **err);
static int akl_jwk_member(akl_str_t *value, const akl_doc_t *doc,
    const akl_node_t *object, const char *key, unsigned char *store,
    size_t size);


int
akl_jwks_parse(akl_jwks_t *jwks, akl_str_t text, const char **err)
{
    int                rc;
    akl_doc_t          doc;
    const char        *why;
    const akl_node_t  *keys, *key;

    memset(jwks, 0, sizeof(akl_jwks_t));

    if (text.len > AKL_JWKS_MAX) {
        *err = "JWK set is larger than 256 KB";
        return -1;
    }

    rc = akl_doc_parse(&doc, text);

    if (rc != 0) {
        *err = (rc == AKL_DOC_MEMORY)
               ? akl_out_of_memory
               : "JWK set is not a well-formed JSON object";
        goto failed;
    }

    keys = akl_doc_get(&doc, doc.nodes, "keys");

    if (keys == NULL || keys->type != AKL_NODE_ARRAY) {
        *err = "JWK set has no \"keys\" array";
        goto failed;
    }

    jwks->keys = calloc(AKL_JWKS_KEYS_MAX, sizeof(akl_jwk_t));
    if (jwks->keys == NULL) {
        *err = akl_out_of_memory;
        goto failed;
    }

    for (key = akl_doc_first(&doc, keys);
         key;
         key = akl_doc_next(&doc, keys, key))
    {
        if (jwks->n + jwks->skipped == AKL_JWKS_KEYS_MAX) {
            *err = "JWK set has more than 64 keys";
            goto failed;
        }

        if (akl_jwk_parse(&jwks->keys[jwks->n], &doc, key, &why) == 0) {
            jwks->n++;
            continue;
        }

        /* a set without it would call what it signed foreign */

        if (why == akl_out_of_memory) {
            *err = why;
            goto failed;
        }

        if (jwks->skipped++ == 0) {
            jwks->skipped_err = why;
        }
    }

    if (jwks->n == 0) {
        *err = jwks->skipped ? jwks->skipped_err : "JWK set is empty";
        goto failed;
    }

    akl_doc_free(&doc);
    ERR_clear_error();

    return 0;

failed:

    akl_jwks_clear(jwks);
    akl_doc_free(&doc);
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
akl_jwk_parse(akl_jwk_t *jwk, const akl_doc_t *doc,
    const akl_node_t *object, const char **err)
{
    int                 rc;
    akl_alg_t           alg;
    EVP_PKEY           *pkey;
    akl_str_t           kty, name, kid;
    akl_family_t        family;
    akl_jwk_members_t   m;

    memset(jwk, 0, sizeof(akl_jwk_t));

    if (akl_doc_string(doc, object, "kty", &kty) != 0) {
        *err = "JWK has no \"kty\"";
        return -1;
    }

    if (akl_jwk_usable(doc, object, err) != 0
        || akl_jwk_members_parse(&m, doc, object, kty, err) != 0)
    {
        return -1;
    }

    alg = m.alg;
    rc = akl_doc_string(doc, object, "alg", &name);

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

    if (akl_doc_string(doc, object, "kid", &kid) < 0 || kid.len > AKL_KID_MAX) {
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
akl_jwk_usable(const akl_doc_t *doc, const akl_node_t *object,
    const char **err)
{
    int                rc;
    akl_str_t          use;
    const akl_node_t  *ops, *op;

    rc = akl_doc_string(doc, object, "use", &use);

    if (rc < 0 || (rc == 0 && !akl_str_eq(use, akl_str("sig")))) {
        *err = "JWK has a \"use\" other than \"sig\"";
        return -1;
    }

    ops = akl_doc_get(doc, object, "key_ops");
    if (ops == NULL) {
        return 0;
    }

    op = (ops->type == AKL_NODE_ARRAY) ? akl_doc_first(doc, ops) : NULL;

    for ( /* void */ ; op; op = akl_doc_next(doc, ops, op)) {
        if (op->type == AKL_NODE_STRING
            && akl_str_eq(op->text, akl_str("verify")))
        {
            return 0;
        }
    }

    *err = "JWK has \"key_ops\" without \"verify\"";
    return -1;
}


static int
akl_jwk_members_parse(akl_jwk_members_t *m, const akl_doc_t *doc,
    const akl_node_t *object, akl_str_t kty, const char **err)
{
    size_t     half;
    akl_str_t  crv;

    half = sizeof(m->store) / 2;
    m->curve = NULL;

    if (akl_str_eq(kty, akl_str("RSA"))) {
        m->alg = AKL_ALG_RS256;

        /* 8 bytes of e are the most that is accepted later */

        half = sizeof(m->store) - 16;

        if (akl_jwk_member(&m->first, doc, object, "n", m->store, half) != 0
            || akl_jwk_member(&m->second, doc, object, "e", m->store + half,
                              16)
               != 0)
        {
            *err = "RSA JWK has no proper \"n\" or \"e\"";
            return -1;
        }

        return 0;
    }

    if (akl_doc_string(doc, object, "crv", &crv) < 0) {
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

        if (akl_jwk_member(&m->first, doc, object, "x", m->store, half) != 0
            || akl_jwk_member(&m->second, doc, object, "y", m->store + half,
                              half)
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

        if (akl_jwk_member(&m->first, doc, object, "x", m->store, half) != 0
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
akl_jwk_member(akl_str_t *value, const akl_doc_t *doc,
    const akl_node_t *object, const char *key, unsigned char *store,
    size_t size)
{
    ssize_t    n;
    akl_str_t  text;

    if (akl_doc_string(doc, object, key, &text) != 0
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
