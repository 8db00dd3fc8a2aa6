/* JWK sets: what is taken, what is left out, what is refused. */

#include "lib/jose_test.h"
#include "vectors/rfc.h"


/* the public keys of RFC 7515 appendices A.2 and A.3, RFC 8037 appendix A.2 */

#define EC_X   "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define EC_Y   "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC     "\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X "," EC_Y
#define ED                                                                    \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\","                                    \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""


static char  text[400 * 1024];


/* alone in a set, so that *err tells why a key is left out */

static int
one(akl_jwks_t *keys, const char *members, const char **err)
{
    int  rc;

    *err = NULL;
    snprintf(text, sizeof(text), "{\"keys\":[{%s}]}", members);
    rc = akl_jwks_parse(keys, text_str(text), err);
    assert_queue_empty();

    return rc;
}


static void
taken(const char *members, akl_alg_t alg)
{
    akl_jwks_t   keys;
    const char  *err;

    if (one(&keys, members, &err) != 0) {
        fail_msg("%s", err);
    }

    assert_int_equal(keys.n, 1);
    assert_int_equal(keys.skipped, 0);
    assert_null(keys.skipped_err);
    assert_int_equal(keys.keys[0].alg, alg);
    assert_int_equal(keys.keys[0].private_key, 0);
    akl_jwks_clear(&keys);
    assert_null(keys.keys);
    akl_jwks_clear(&keys);
}


static void
left_out(const char *members, const char *why)
{
    akl_jwks_t   keys;
    const char  *err;

    memset(&keys, 0xa5, sizeof(keys));

    assert_int_equal(one(&keys, members, &err), -1);
    assert_string_equal(err, why);
    assert_null(keys.keys);
    assert_int_equal(keys.n, 0);
}


static void
rsa_left_out(const char *n, const char *e, const char *why)
{
    static char  members[16384];

    snprintf(members, sizeof(members),
             "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", n, e);
    left_out(members, why);
}


static void
set_refused(const char *set, const char *why)
{
    akl_jwks_t   keys;
    const char  *err = NULL;

    assert_int_equal(akl_jwks_parse(&keys, text_str(set), &err), -1);
    assert_string_equal(err, why);
    assert_null(keys.keys);
    assert_queue_empty();
}


static void
keys_of_every_type(void **state)
{
    char  members[1024];

    (void) state;

    taken(EC, AKL_ALG_ES256);
    taken(EC ",\"alg\":\"ES256\",\"use\":\"sig\"", AKL_ALG_ES256);
    taken(ED, AKL_ALG_EDDSA);
    taken(ED ",\"alg\":\"EdDSA\"", AKL_ALG_EDDSA);

    snprintf(members, sizeof(members),
             "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"", rfc7515_a2_n);
    taken(members, AKL_ALG_RS256);
}


static void
rsa_takes_the_algorithm_it_names(void **state)
{
    int   alg;
    char  members[1024];

    (void) state;

    for (alg = AKL_ALG_RS256; alg <= AKL_ALG_PS512; alg++) {
        snprintf(members, sizeof(members),
                 "\"kty\":\"RSA\",\"e\":\"AQAB\",\"alg\":\"%s\",\"n\":\"%s\"",
                 akl_alg_name((akl_alg_t) alg), rfc7515_a2_n);
        taken(members, (akl_alg_t) alg);
    }
}


static void
algorithms_that_contradict_the_type(void **state)
{
    char  members[1024];

    static const char  why[] = "JWK has an \"alg\" that contradicts its type";
    static const char  unknown[] = "JWK has an unsupported \"alg\"";

    (void) state;

    left_out(EC ",\"alg\":\"ES384\"", why);
    left_out(EC ",\"alg\":\"ES512\"", why);
    left_out(EC ",\"alg\":\"RS256\"", why);
    left_out(EC ",\"alg\":\"EdDSA\"", why);
    left_out(ED ",\"alg\":\"ES256\"", why);
    left_out(ED ",\"alg\":\"RS256\"", why);

    snprintf(members, sizeof(members),
             "\"kty\":\"RSA\",\"e\":\"AQAB\",\"alg\":\"ES256\",\"n\":\"%s\"",
             rfc7515_a2_n);
    left_out(members, why);

    left_out(EC ",\"alg\":\"ES256K\"", unknown);
    left_out(EC ",\"alg\":\"none\"", unknown);
    left_out(EC ",\"alg\":\"HS256\"", unknown);
    left_out(EC ",\"alg\":\"ECDH-ES\"", unknown);
    left_out(EC ",\"alg\":1", "JWK has an \"alg\" that is not a string");
    left_out(EC ",\"alg\":null", "JWK has an \"alg\" that is not a string");
}


static void
symmetric_and_unknown_types(void **state)
{
    static const char  why[] = "JWK has an unsupported \"kty\"";

    (void) state;

    left_out("\"kty\":\"oct\",\"k\":\"AAAA\"", why);
    left_out("\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"", why);
    left_out("\"kty\":\"AKP\"", why);
    left_out("\"kty\":\"ec\"," EC_X "," EC_Y, why);
    left_out("\"kty\":\"\"", why);

    left_out("\"crv\":\"P-256\"," EC_X "," EC_Y, "JWK has no \"kty\"");
    left_out("\"kty\":1", "JWK has no \"kty\"");
}


static void
unknown_curves(void **state)
{
    static const char  ec[] = "EC JWK is on none of P-256, P-384 and P-521";

    (void) state;

    left_out("\"kty\":\"EC\",\"crv\":\"secp256k1\"," EC_X "," EC_Y, ec);
    left_out("\"kty\":\"EC\",\"crv\":\"p-256\"," EC_X "," EC_Y, ec);
    left_out("\"kty\":\"EC\"," EC_X "," EC_Y, ec);
    left_out("\"kty\":\"EC\",\"crv\":256," EC_X "," EC_Y,
             "JWK has a \"crv\" that is not a string");
    left_out("\"kty\":\"OKP\",\"crv\":\"X25519\"," EC_X,
             "OKP JWK is not on Ed25519");
    left_out("\"kty\":\"OKP\",\"crv\":\"Ed448\"," EC_X,
             "OKP JWK is not on Ed25519");
}


static void
use_and_key_ops(void **state)
{
    static const char  use[] = "JWK has a \"use\" other than \"sig\"";
    static const char  ops[] = "JWK has \"key_ops\" without \"verify\"";

    (void) state;

    left_out(EC ",\"use\":\"enc\"", use);
    left_out(EC ",\"use\":\"\"", use);
    left_out(EC ",\"use\":\"Sig\"", use);
    left_out(EC ",\"use\":[\"sig\"]", use);
    left_out(EC ",\"use\":null", use);

    taken(EC ",\"key_ops\":[\"verify\"]", AKL_ALG_ES256);
    taken(EC ",\"key_ops\":[\"sign\",\"verify\"]", AKL_ALG_ES256);
    left_out(EC ",\"key_ops\":[\"encrypt\"]", ops);
    left_out(EC ",\"key_ops\":[1]", ops);
    left_out(EC ",\"key_ops\":[]", ops);
    left_out(EC ",\"key_ops\":\"verify\"", ops);
}


static void
points_off_the_curve(void **state)
{
    static const char  why[] = "EC key is not a point of its curve";

    (void) state;

    /* y with its last bit turned, x and y swapped, zero, p and beyond */

    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
             ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5aw\"", why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\","
             "\"x\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
             "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"", why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\","
             "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
             "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\","
             "\"x\":\"__________________________________________8\","
             "\"y\":\"__________________________________________8\"", why);
}


static void
coordinates_of_another_length(void **state)
{
    static const char  why[] = "EC JWK has no proper \"x\" or \"y\"";

    (void) state;

    left_out("\"kty\":\"EC\",\"crv\":\"P-384\"," EC_X "," EC_Y, why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X, why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X ",\"y\":\"\"", why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X ",\"y\":1", why);

    /* 31 and 33 bytes, the latter with a zero in front */

    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
             ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5Q\"", why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_Y
             ",\"x\":\"AH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF\"", why);
    left_out("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"",
             "OKP JWK has no proper \"x\"");
    left_out("\"kty\":\"OKP\",\"crv\":\"Ed25519\"",
             "OKP JWK has no proper \"x\"");
}


static void
members_that_are_not_canonical_base64url(void **state)
{
    static const char  why[] = "EC JWK has no proper \"x\" or \"y\"";

    (void) state;

    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
             ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0=\"", why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
             ",\"y\":\"x/FEzRu9m36HLN/tue659LNpXW6pCyStikYjKIWI5a0\"", why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
             ",\"y\":\" x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"", why);
    left_out("\"kty\":\"EC\",\"crv\":\"P-256\"," EC_X
             ",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"", why);

    rsa_left_out(rfc7515_a2_n, "AQAB====",
                 "RSA JWK has no proper \"n\" or \"e\"");
    rsa_left_out(rfc7515_a2_n, "AR", "RSA JWK has no proper \"n\" or \"e\"");
}


static void
rsa_exponents(void **state)
{
    static const char  small[] = "RSA exponent is even or smaller than 3";
    static const char  none[] = "RSA JWK has no proper \"n\" or \"e\"";

    (void) state;

    rsa_left_out(rfc7515_a2_n, "AQ", small);
    rsa_left_out(rfc7515_a2_n, "Ag", small);
    rsa_left_out(rfc7515_a2_n, "AQAA", small);
    rsa_left_out(rfc7515_a2_n, "", none);
    rsa_left_out(rfc7515_a2_n, "AA", "RSA key is malformed");
    rsa_left_out(rfc7515_a2_n, "AAEAAQ", "RSA key is malformed");
    rsa_left_out(rfc7515_a2_n, "AQAAAAAAAAAB",
                 "RSA exponent is larger than 64 bits");
    rsa_left_out(rfc7515_a2_n, rfc7515_a2_n, none);

    left_out("\"kty\":\"RSA\",\"e\":\"AQAB\"", none);
    left_out("\"kty\":\"RSA\",\"n\":\"AQAB\"", none);
}


/* a modulus of so many bits, odd unless "last" is even */

static void
modulus(unsigned bits, unsigned char last, const char *why)
{
    size_t                n;
    char                  members[8192];
    static unsigned char  bytes[2100], b64[2801];

    n = (bits + 7) / 8;
    memset(bytes, 0x5a, n);
    bytes[0] = (unsigned char) (1 << ((bits - 1) % 8));
    bytes[n - 1] = last;

    b64[akl_base64url_encode(b64, (akl_str_t) { n, bytes })] = '\0';

    if (why != NULL) {
        rsa_left_out((char *) b64, "AQAB", why);
        return;
    }

    snprintf(members, sizeof(members),
             "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"", b64);
    taken(members, AKL_ALG_RS256);
}


static void
rsa_moduli_of_2048_to_8192_bits(void **state)
{
    (void) state;

    modulus(512, 1, "RSA key is smaller than 2048 bits");
    modulus(1024, 1, "RSA key is smaller than 2048 bits");
    modulus(2047, 1, "RSA key is smaller than 2048 bits");
    modulus(2048, 1, NULL);
    modulus(3072, 1, NULL);
    modulus(8192, 1, NULL);
    modulus(8193, 1, "RSA key is larger than 8192 bits");
    modulus(8200, 1, "RSA key is larger than 8192 bits");
    modulus(16384, 1, "RSA JWK has no proper \"n\" or \"e\"");
    modulus(2048, 2, "RSA modulus is even");
}


static void
modulus_with_a_leading_zero(void **state)
{
    unsigned char  bytes[257] = { 0 }, b64[400];

    (void) state;

    assert_int_equal(akl_base64url_decode(bytes + 1,
                                          text_str(rfc7515_a2_n)), 256);
    b64[akl_base64url_encode(b64, (akl_str_t) { 257, bytes })] = '\0';

    rsa_left_out((char *) b64, "AQAB", "RSA key is malformed");
}


static void
kid_of_a_key(void **state)
{
    char         members[4096], *p;
    akl_jwks_t   keys;
    const char  *err;

    static const char  why[] =
        "JWK has a \"kid\" that is not a string of 1024 bytes at most";

    (void) state;

    assert_int_equal(one(&keys, EC ",\"kid\":\"../a\"", &err), 0);
    assert_true(akl_str_eq(keys.keys[0].kid, akl_str("../a")));
    akl_jwks_clear(&keys);

    assert_int_equal(one(&keys, EC ",\"kid\":\"\"", &err), 0);
    assert_true(akl_str_eq(keys.keys[0].kid,
                           text_str(keys.keys[0].thumbprint)));
    akl_jwks_clear(&keys);

    left_out(EC ",\"kid\":1", why);
    left_out(EC ",\"kid\":null", why);

    p = members + sprintf(members, "%s,\"kid\":\"", EC);
    memset(p, 'k', 1025);
    strcpy(p + 1025, "\"");
    left_out(members, why);

    strcpy(p + 1024, "\"");
    taken(members, AKL_ALG_ES256);
}


static void
private_jwk_gives_its_public_half(void **state)
{
    (void) state;

    taken(ED ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"",
          AKL_ALG_EDDSA);
}


static void
bad_keys_do_not_spoil_the_set(void **state)
{
    akl_jwks_t   keys;
    const char  *err;

    (void) state;

    assert_int_equal(akl_jwks_parse(&keys,
        akl_str("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},1,null,[],{},"
                "{" EC ",\"kid\":\"a\"},"
                "{" EC ",\"use\":\"enc\"},"
                "{" ED ",\"kid\":\"b\"}],\"other\":true}"), &err), 0);

    assert_int_equal(keys.n, 2);
    assert_int_equal(keys.skipped, 6);
    assert_string_equal(keys.skipped_err, "JWK has an unsupported \"kty\"");
    assert_true(akl_str_eq(keys.keys[0].kid, akl_str("a")));
    assert_int_equal(keys.keys[0].alg, AKL_ALG_ES256);
    assert_true(akl_str_eq(keys.keys[1].kid, akl_str("b")));
    assert_int_equal(keys.keys[1].alg, AKL_ALG_EDDSA);

    akl_jwks_clear(&keys);
    assert_queue_empty();
}


static void
no_set_at_all(void **state)
{
    static const char  json[] =
        "JWK set is not a well-formed JSON object";
    static const char  none[] = "JWK set has no \"keys\" array";

    (void) state;

    set_refused("", json);
    set_refused("x", json);
    set_refused("[]", json);
    set_refused("[{" EC "}]", json);
    set_refused("{\"keys\":[{" EC "}]}x", json);
    set_refused("{\"keys\":[{" EC "}],\"keys\":[]}", json);
    set_refused("{\"keys\":[{" EC "," EC_X "}]}", json);
    set_refused("\xef\xbb\xbf{\"keys\":[{" EC "}]}", json);
    set_refused("{}", none);
    set_refused("{" EC "}", none);
    set_refused("{\"Keys\":[{" EC "}]}", none);
    set_refused("{\"keys\":{" EC "}}", none);
    set_refused("{\"keys\":null}", none);
    set_refused("{\"keys\":[]}", "JWK set is empty");
}


static void
at_most_64_keys_and_256_kb(void **state)
{
    int          i, n;
    char        *p;
    size_t       len;
    akl_jwks_t   keys;
    const char  *err;

    (void) state;

    for (n = 64; n <= 65; n++) {
        p = text + sprintf(text, "{\"keys\":[");

        for (i = 0; i < n; i++) {
            p += sprintf(p, "%s{" ED ",\"kid\":\"%d\"}", i ? "," : "", i);
        }

        strcpy(p, "]}");

        if (n == 64) {
            assert_int_equal(akl_jwks_parse(&keys, text_str(text), &err), 0);
            assert_int_equal(keys.n, 64);
            akl_jwks_clear(&keys);

        } else {
            set_refused(text, "JWK set has more than 64 keys");
        }
    }

    len = (size_t) sprintf(text, "{\"keys\":[{" ED "}]}");
    memset(text + len, ' ', 256 * 1024 - len);
    text[256 * 1024] = '\0';

    assert_int_equal(akl_jwks_parse(&keys, text_str(text), &err), 0);
    akl_jwks_clear(&keys);

    strcpy(text + 256 * 1024, " ");
    set_refused(text, "JWK set is larger than 256 KB");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_of_every_type),
        cmocka_unit_test(rsa_takes_the_algorithm_it_names),
        cmocka_unit_test(algorithms_that_contradict_the_type),
        cmocka_unit_test(symmetric_and_unknown_types),
        cmocka_unit_test(unknown_curves),
        cmocka_unit_test(use_and_key_ops),
        cmocka_unit_test(points_off_the_curve),
        cmocka_unit_test(coordinates_of_another_length),
        cmocka_unit_test(members_that_are_not_canonical_base64url),
        cmocka_unit_test(rsa_exponents),
        cmocka_unit_test(rsa_moduli_of_2048_to_8192_bits),
        cmocka_unit_test(modulus_with_a_leading_zero),
        cmocka_unit_test(kid_of_a_key),
        cmocka_unit_test(private_jwk_gives_its_public_half),
        cmocka_unit_test(bad_keys_do_not_spoil_the_set),
        cmocka_unit_test(no_set_at_all),
        cmocka_unit_test(at_most_64_keys_and_256_kb)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_jwks", tests, NULL, NULL);
}
