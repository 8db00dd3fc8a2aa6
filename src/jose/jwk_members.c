#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "jose.h"


static const unsigned char  akl_ec_oid[] = {
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
};


static int akl_members_rsa(akl_jwk_members_t *m, akl_str_t bits,
    const char **err);
static int akl_members_ec(akl_jwk_members_t *m, akl_str_t algorithm,
    akl_str_t bits, const char **err);
static int akl_members_check(const akl_jwk_members_t *m, const char **err);
static int akl_ec_normalise(const akl_curve_t *curve, akl_str_t point,
    unsigned char *out);
static size_t akl_spki_ec(unsigned char *der, const akl_jwk_members_t *m);


int
akl_jwk_members_get(akl_jwk_members_t *m, EVP_PKEY *pkey, const char **err)
{
    int             type, len;
    size_t          size;
    akl_str_t       der, spki, algorithm, bits;
    unsigned char  *p;

    type = EVP_PKEY_base_id(pkey);
    m->curve = NULL;
    m->second.len = 0;
    m->second.data = NULL;

    if (type == EVP_PKEY_ED25519) {
        size = AKL_ED25519_BYTES;

        if (EVP_PKEY_get_raw_public_key(pkey, m->store, &size) != 1
            || size != AKL_ED25519_BYTES)
        {
            *err = "Ed25519 key is malformed";
            return -1;
        }

        m->alg = AKL_ALG_EDDSA;
        m->first.data = m->store;
        m->first.len = size;

        return 0;
    }

    if (type == EVP_PKEY_RSA) {
        if (EVP_PKEY_bits(pkey) > AKL_RSA_BITS_MAX) {
            *err = "RSA key is larger than 8192 bits";
            return -1;
        }

    } else if (type != EVP_PKEY_EC) {
        *err = "key is neither RSA, EC nor Ed25519";
        return -1;
    }

    len = i2d_PUBKEY(pkey, NULL);

    if (len <= 0) {
        *err = "key has no public half";
        return -1;
    }

    if ((size_t) len > sizeof(m->store)) {
        *err = (type == EVP_PKEY_RSA)
               ? "RSA exponent is larger than 64 bits"
               : "EC key is not on a named curve";
        return -1;
    }

    p = m->store;
    len = i2d_PUBKEY(pkey, &p);

    der.data = m->store;
    der.len = (size_t) len;

    if (len <= 0
        || akl_der_get(&der, 0x30, &spki) != 0
        || akl_der_get(&spki, 0x30, &algorithm) != 0
        || akl_der_get(&spki, 0x03, &bits) != 0
        || bits.len < 2
        || bits.data[0] != 0)
    {
        *err = "key is malformed";
        return -1;
    }

    bits.data++;
    bits.len--;

    return (type == EVP_PKEY_RSA) ? akl_members_rsa(m, bits, err)
                                  : akl_members_ec(m, algorithm, bits, err);
}


static int
akl_members_rsa(akl_jwk_members_t *m, akl_str_t bits, const char **err)
{
    akl_str_t  key;

    m->alg = AKL_ALG_RS256;

    if (akl_der_get(&bits, 0x30, &key) != 0
        || akl_der_get(&key, 0x02, &m->first) != 0
        || akl_der_get(&key, 0x02, &m->second) != 0)
    {
        *err = "RSA key is malformed";
        return -1;
    }

    if (m->first.len > 1 && m->first.data[0] == 0) {
        m->first.data++;
        m->first.len--;
    }

    if (m->second.len > 1 && m->second.data[0] == 0) {
        m->second.data++;
        m->second.len--;
    }

    return akl_members_check(m, err);
}


static int
akl_members_ec(akl_jwk_members_t *m, akl_str_t algorithm, akl_str_t bits,
    const char **err)
{
    akl_alg_t             alg;
    akl_str_t             oid;
    unsigned char         point[2 * AKL_EC_BYTES_MAX];
    const akl_curve_t    *curve;

    oid = algorithm;
    curve = NULL;

    if (oid.len > sizeof(akl_ec_oid)) {
        oid.data += sizeof(akl_ec_oid);
        oid.len -= sizeof(akl_ec_oid);

        for (alg = AKL_ALG_ES256; alg <= AKL_ALG_ES512; alg++) {
            curve = akl_curve_of_alg(alg);

            if (curve->oid_len == oid.len
                && memcmp(curve->oid, oid.data, oid.len) == 0)
            {
                break;
            }

            curve = NULL;
        }
    }

    if (curve == NULL) {
        *err = "EC key is on none of P-256, P-384 and P-521";
        return -1;
    }

    if (akl_ec_normalise(curve, bits, point) != 0) {
        *err = "EC key is not a point of its curve";
        return -1;
    }

    m->alg = curve->alg;
    m->curve = curve;

    memcpy(m->store, point, 2 * curve->size);

    m->first.data = m->store;
    m->first.len = curve->size;
    m->second.data = m->store + curve->size;
    m->second.len = curve->size;

    return 0;
}


static int
akl_members_check(const akl_jwk_members_t *m, const char **err)
{
    size_t  bits;

    if (m->curve != NULL || m->alg == AKL_ALG_EDDSA) {
        return 0;
    }

    if (m->first.len == 0 || m->first.data[0] == 0
        || m->second.len == 0 || m->second.data[0] == 0)
    {
        *err = "RSA key is malformed";
        return -1;
    }

    bits = m->first.len * 8 - (size_t) (__builtin_clz(m->first.data[0]) - 24);

    if (bits < AKL_RSA_BITS_MIN) {
        *err = "RSA key is smaller than 2048 bits";
        return -1;
    }

    if (bits > AKL_RSA_BITS_MAX) {
        *err = "RSA key is larger than 8192 bits";
        return -1;
    }

    if ((m->first.data[m->first.len - 1] & 1) == 0) {
        *err = "RSA modulus is even";
        return -1;
    }

    if (m->second.len > 8) {
        *err = "RSA exponent is larger than 64 bits";
        return -1;
    }

    if ((m->second.data[m->second.len - 1] & 1) == 0
        || (m->second.len == 1 && m->second.data[0] < 3))
    {
        *err = "RSA exponent is even or smaller than 3";
        return -1;
    }

    if (akl_rsa_is_roca(m->first)) {
        *err = "RSA key is one that can be factored (CVE-2017-15361, ROCA)";
        return -1;
    }

    return 0;
}


/*
 * Any encoding of a point to x || y, which proves that it is on the curve and
 * not at infinity.
 */

static int
akl_ec_normalise(const akl_curve_t *curve, akl_str_t point,
    unsigned char *out)
{
    int             rc;
    size_t          len;
    EC_GROUP       *group;
    EC_POINT       *p;
    unsigned char   buf[1 + 2 * AKL_EC_BYTES_MAX];

    rc = -1;
    p = NULL;

    group = EC_GROUP_new_by_curve_name(curve->nid);
    if (group == NULL) {
        return -1;
    }

    p = EC_POINT_new(group);

    if (p != NULL
        && EC_POINT_oct2point(group, p, point.data, point.len, NULL) == 1
        && EC_POINT_is_on_curve(group, p, NULL) == 1)
    {
        len = EC_POINT_point2oct(group, p, POINT_CONVERSION_UNCOMPRESSED,
                                 buf, sizeof(buf), NULL);

        if (len == 1 + 2 * curve->size) {
            memcpy(out, buf + 1, len - 1);
            rc = 0;
        }
    }

    EC_POINT_free(p);
    EC_GROUP_free(group);

    return rc;
}


EVP_PKEY *
akl_jwk_members_pkey(const akl_jwk_members_t *m, const char **err)
{
    size_t                len;
    EVP_PKEY             *pkey;
    akl_str_t             point;
    unsigned char         der[AKL_SPKI_MAX];
    unsigned char         buf[1 + 2 * AKL_EC_BYTES_MAX];
    const unsigned char  *p;

    if (akl_members_check(m, err) != 0) {
        return NULL;
    }

    if (m->curve != NULL) {
        buf[0] = POINT_CONVERSION_UNCOMPRESSED;
        memcpy(buf + 1, m->first.data, m->first.len);
        memcpy(buf + 1 + m->first.len, m->second.data, m->second.len);

        point.data = buf;
        point.len = 1 + m->first.len + m->second.len;

        if (akl_ec_normalise(m->curve, point, der) != 0) {
            *err = akl_openssl_cause("EC key is not a point of its curve");
            return NULL;
        }

        p = der;
        len = akl_spki_ec(der, m);
        pkey = d2i_PUBKEY(NULL, &p, (long) len);

    } else if (m->alg == AKL_ALG_EDDSA) {
        pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                           m->first.data, m->first.len);

    } else {
        p = der;
        len = akl_der_put_pair(der, m->first, m->second);
        pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long) len);
    }

    if (pkey == NULL) {
        *err = akl_openssl_cause("key is not accepted by OpenSSL");
    }

    ERR_clear_error();

    return pkey;
}


static size_t
akl_spki_ec(unsigned char *der, const akl_jwk_members_t *m)
{
    size_t          algorithm, bits;
    unsigned char  *p;

    algorithm = sizeof(akl_ec_oid) + m->curve->oid_len;
    bits = 2 + m->first.len + m->second.len;

    p = der;
    p += akl_der_put_head(p, 0x30,
                          akl_der_put_head(NULL, 0x30, algorithm) + algorithm
                          + akl_der_put_head(NULL, 0x03, bits) + bits);

    p += akl_der_put_head(p, 0x30, algorithm);
    memcpy(p, akl_ec_oid, sizeof(akl_ec_oid));
    p += sizeof(akl_ec_oid);
    memcpy(p, m->curve->oid, m->curve->oid_len);
    p += m->curve->oid_len;

    p += akl_der_put_head(p, 0x03, bits);
    *p++ = 0;
    *p++ = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(p, m->first.data, m->first.len);
    p += m->first.len;
    memcpy(p, m->second.data, m->second.len);
    p += m->second.len;

    return (size_t) (p - der);
}
