#include <openssl/objects.h>

#include "jose.h"


static const unsigned char  akl_p256_order[] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
    0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51
};


static const unsigned char  akl_p384_order[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a,
    0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73
};


static const unsigned char  akl_p521_order[] = {
    0x01, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa,
    0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b,
    0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0,
    0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae,
    0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09
};


static const unsigned char  akl_p256_oid[] = {
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07
};


static const unsigned char  akl_p384_oid[] = {
    0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22
};


static const unsigned char  akl_p521_oid[] = {
    0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23
};


static const akl_curve_t  akl_curves[] = {
    { AKL_ALG_ES256, "P-256", NID_X9_62_prime256v1, sizeof(akl_p256_order),
      akl_p256_order, akl_p256_oid, sizeof(akl_p256_oid) },
    { AKL_ALG_ES384, "P-384", NID_secp384r1, sizeof(akl_p384_order),
      akl_p384_order, akl_p384_oid, sizeof(akl_p384_oid) },
    { AKL_ALG_ES512, "P-521", NID_secp521r1, sizeof(akl_p521_order),
      akl_p521_order, akl_p521_oid, sizeof(akl_p521_oid) }
};


#define AKL_CURVES_N  (sizeof(akl_curves) / sizeof(akl_curves[0]))


static const akl_alg_info_t  akl_algs[AKL_ALG_N] = {
    { "none",  AKL_FAMILY_OKP, NULL,     NULL       },
    { "RS256", AKL_FAMILY_RSA, "SHA256", EVP_sha256 },
    { "RS384", AKL_FAMILY_RSA, "SHA384", EVP_sha384 },
    { "RS512", AKL_FAMILY_RSA, "SHA512", EVP_sha512 },
    { "PS256", AKL_FAMILY_PSS, "SHA256", EVP_sha256 },
    { "PS384", AKL_FAMILY_PSS, "SHA384", EVP_sha384 },
    { "PS512", AKL_FAMILY_PSS, "SHA512", EVP_sha512 },
    { "ES256", AKL_FAMILY_EC,  "SHA256", EVP_sha256 },
    { "ES384", AKL_FAMILY_EC,  "SHA384", EVP_sha384 },
    { "ES512", AKL_FAMILY_EC,  "SHA512", EVP_sha512 },
    { "EdDSA", AKL_FAMILY_OKP, NULL,     NULL       }
};


const char *
akl_alg_name(akl_alg_t alg)
{
    return akl_algs[alg].name;
}


akl_alg_t
akl_alg_find(akl_str_t name)
{
    int  alg;

    for (alg = AKL_ALG_NONE + 1; alg < AKL_ALG_N; alg++) {
        if (name.len == 5 && memcmp(name.data, akl_algs[alg].name, 5) == 0) {
            return (akl_alg_t) alg;
        }
    }

    return AKL_ALG_NONE;
}


const akl_alg_info_t *
akl_alg_info(akl_alg_t alg)
{
    return &akl_algs[alg];
}


const akl_curve_t *
akl_curve_of_alg(akl_alg_t alg)
{
    size_t  i;

    for (i = 0; i < AKL_CURVES_N; i++) {
        if (akl_curves[i].alg == alg) {
            return &akl_curves[i];
        }
    }

    return NULL;
}


const akl_curve_t *
akl_curve_find(akl_str_t crv)
{
    size_t  i;

    for (i = 0; i < AKL_CURVES_N; i++) {
        if (crv.len == 5 && memcmp(crv.data, akl_curves[i].crv, 5) == 0) {
            return &akl_curves[i];
        }
    }

    return NULL;
}
