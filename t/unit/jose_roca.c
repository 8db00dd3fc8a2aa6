/* RSA keys with the fingerprint of CVE-2017-15361. */

#include "lib/jose_test.h"
#include "vectors/pem.h"
#include "../../src/jose/jose.h"


#define BITS  1024                      /* of a prime */


/* the product of the first 126 primes, as for keys of 1984 to 3936 bits */

static BIGNUM *
product(void)
{
    int       d, n, prime;
    BIGNUM   *m;

    m = BN_new();
    assert_int_equal(BN_one(m), 1);

    for (n = 0, prime = 2; n < 126; prime++) {

        for (d = 2; d * d <= prime && prime % d != 0; d++) { /* void */ }

        if (d * d > prime) {
            assert_int_equal(BN_mul_word(m, (BN_ULONG) prime), 1);
            n++;
        }
    }

    return m;
}


/* a prime k * M + (65537^a mod M), as the library of the vulnerability makes */

static BIGNUM *
weak_prime(const BIGNUM *m, BN_CTX *ctx)
{
    BIGNUM  *p, *k, *a, *g;

    p = BN_new();
    k = BN_new();
    a = BN_new();
    g = BN_new();

    assert_int_equal(BN_set_word(g, 65537), 1);

    do {
        assert_int_equal(BN_rand(k, BITS - BN_num_bits(m) + 1, BN_RAND_TOP_ANY,
                                 BN_RAND_BOTTOM_ANY), 1);
        assert_int_equal(BN_rand(a, 254, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY),
                         1);
        assert_int_equal(BN_mod_exp(a, g, a, m, ctx), 1);
        assert_int_equal(BN_mul(p, k, m, ctx), 1);
        assert_int_equal(BN_add(p, p, a), 1);

        /* two of the top bits, so that the product of two has 2048 bits */

    } while (BN_num_bits(p) != BITS || !BN_is_bit_set(p, BITS - 2)
             || BN_check_prime(p, ctx, NULL) != 1);

    BN_free(k);
    BN_free(a);
    BN_free(g);

    return p;
}


static BIGNUM *
good_prime(void)
{
    BIGNUM  *p;

    p = BN_new();
    assert_int_equal(BN_generate_prime_ex(p, BITS, 0, NULL, NULL, NULL), 1);

    return p;
}


/* the modulus of two primes, big-endian, in "buf"; they are freed */

static akl_str_t
modulus(BIGNUM *p, BIGNUM *q, unsigned char *buf, BN_CTX *ctx)
{
    BIGNUM     *n;
    akl_str_t   s;

    n = BN_new();
    assert_int_equal(BN_mul(n, p, q, ctx), 1);

    s.data = buf;
    s.len = (size_t) BN_bn2bin(n, buf);

    BN_free(n);
    BN_free(p);
    BN_free(q);

    return s;
}


static void
keys_of_that_library_are_left_out(void **state)
{
    char            set[1024];
    size_t          len;
    BIGNUM         *m;
    BN_CTX         *ctx;
    akl_str_t       n;
    akl_jwks_t      keys;
    const char     *err;
    unsigned char   buf[2 * BITS / 8], b64[512];

    (void) state;

    ctx = BN_CTX_new();
    m = product();

    n = modulus(weak_prime(m, ctx), weak_prime(m, ctx), buf, ctx);
    assert_int_equal(akl_rsa_is_roca(n), 1);

    len = akl_base64url_encode(b64, n);
    snprintf(set, sizeof(set), "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\","
             "\"n\":\"%.*s\"}]}", (int) len, b64);

    assert_int_equal(akl_jwks_parse(&keys, text_str(set), &err), -1);
    assert_string_equal(err, "RSA key is one that can be factored "
                        "(CVE-2017-15361, ROCA)");
    assert_queue_empty();

    BN_free(m);
    BN_CTX_free(ctx);
}


static void
other_keys_are_taken(void **state)
{
    BIGNUM         *m;
    BN_CTX         *ctx;
    akl_jwk_t       key;
    const char     *err;
    unsigned char   buf[2 * BITS / 8];

    (void) state;

    ctx = BN_CTX_new();
    m = product();

    assert_int_equal(akl_rsa_is_roca(modulus(good_prime(), good_prime(), buf,
                                             ctx)), 0);
    assert_int_equal(akl_rsa_is_roca(modulus(good_prime(), weak_prime(m, ctx),
                                             buf, ctx)), 0);

    assert_int_equal(akl_jwk_private_from_pem(&key, text_str(pem_rsa),
                                              &err), 0);
    akl_jwk_clear(&key);

    BN_free(m);
    BN_CTX_free(ctx);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_of_that_library_are_left_out),
        cmocka_unit_test(other_keys_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
