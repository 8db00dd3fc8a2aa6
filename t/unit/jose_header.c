/* What the header of a token may say. */

#include "lib/jose_test.h"


static const unsigned char  some_signature[64] = { 1, 2, 3 };


static akl_jws_error_t
with_header(akl_str_t header)
{
    static token_t  t;

    token_begin(&t, header, akl_str("{\"iss\":\"x\"}"));
    token_end(&t, some_signature, sizeof(some_signature));

    return parse_error(token_str(&t));
}


#define header_is(text, rc)                                                   \
    assert_int_equal(with_header(akl_str(text)), rc)

#define text_is(text, rc)                                                     \
    assert_int_equal(parse_error(akl_str(text)), rc)


/* eyJhbGciOiJFUzI1NiJ9 = {"alg":"ES256"}, e30 = {} */

#define HEADER   "eyJhbGciOiJFUzI1NiJ9"
#define PAYLOAD  "e30"


static void
alg_none_in_every_spelling(void **state)
{
    (void) state;

    header_is("{\"alg\":\"none\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"None\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"NONE\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"nOnE\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"n\\u006fne\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"none \"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\" none\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"none\\u0000\"}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"\"}", AKL_JWS_ALGORITHM);

    /* {"alg":"none"} and {"alg":"None"} without a signature */

    text_is("eyJhbGciOiJub25lIn0." PAYLOAD ".", AKL_JWS_ALGORITHM);
    text_is("eyJhbGciOiJOb25lIn0." PAYLOAD ".", AKL_JWS_ALGORITHM);
}


static void
alg_missing(void **state)
{
    (void) state;

    header_is("{}", AKL_JWS_ALGORITHM);
    header_is("{\"typ\":\"JWT\"}", AKL_JWS_ALGORITHM);
    header_is("{\"Alg\":\"ES256\"}", AKL_JWS_ALGORITHM);
    header_is("{\"ALG\":\"ES256\"}", AKL_JWS_ALGORITHM);
}


static void
alg_of_another_type(void **state)
{
    (void) state;

    header_is("{\"alg\":[\"ES256\"]}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":[]}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":256}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":null}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":true}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":{\"alg\":\"ES256\"}}", AKL_JWS_ALGORITHM);
}


static void
alg_not_among_ours(void **state)
{
    (void) state;

    header_is("{\"alg\":\"HS256\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"HS384\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"HS512\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"ES256K\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"RS1\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"rs256\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"es256\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"EDDSA\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"ES256 \"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"ES256\\u0000\"}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\\u0000K\"}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES25\"}", AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"RSA-OAEP\"}", AKL_JWS_ALGORITHM);
}


static void
every_algorithm_is_known_by_name(void **state)
{
    int   alg;
    char  text[64];

    (void) state;

    for (alg = AKL_ALG_NONE + 1; alg < AKL_ALG_N; alg++) {
        sprintf(text, "{\"alg\":\"%s\"}", akl_alg_name((akl_alg_t) alg));
        assert_int_equal(with_header(text_str(text)), AKL_JWS_OK);
        assert_int_equal(akl_alg_find(text_str(akl_alg_name(alg))), alg);
    }

    assert_int_equal(akl_alg_find(akl_str("none")), AKL_ALG_NONE);
}


static void
jwe_is_told_by_its_segments(void **state)
{
    (void) state;

    /* {"alg":"RSA-OAEP","enc":"A256GCM"} in five segments */

    text_is("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AQ.AQ.AQ.AQ",
            AKL_JWS_MALFORMED);

    /* a JWE's header in three of them makes it no JWE */

    text_is("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.e30.AQ",
            AKL_JWS_ALGORITHM);
    header_is("{\"alg\":\"ES256\",\"enc\":\"A256GCM\"}", AKL_JWS_OK);
}


static void
crit_of_any_kind(void **state)
{
    (void) state;

    header_is("{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}",
              AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}",
              AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"crit\":[\"alg\"]}", AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"crit\":[]}", AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"crit\":null}", AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"crit\":\"exp\"}", AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"crit\":false}", AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"\\u0063rit\":[\"x\"]}", AKL_JWS_CRITICAL);
}


static void
b64_and_zip(void **state)
{
    (void) state;

    header_is("{\"alg\":\"ES256\",\"b64\":false}", AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"b64\":true}", AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"b64\":null}", AKL_JWS_CRITICAL);
    header_is("{\"alg\":\"ES256\",\"zip\":\"DEF\"}", AKL_JWS_CRITICAL);
}


static void
keys_and_urls_in_the_header_are_ignored(void **state)
{
    (void) state;

    header_is("{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\"}}", AKL_JWS_OK);
    header_is("{\"alg\":\"ES256\",\"jku\":\"http://127.0.0.1:1/\"}",
              AKL_JWS_OK);
    header_is("{\"alg\":\"ES256\",\"x5u\":\"http://127.0.0.1:1/\"}",
              AKL_JWS_OK);
    header_is("{\"alg\":\"ES256\",\"x5c\":[\"AAAA\"]}", AKL_JWS_OK);
}


static void
kid_must_be_a_string(void **state)
{
    (void) state;

    header_is("{\"alg\":\"ES256\",\"kid\":1}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\",\"kid\":null}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\",\"kid\":[\"a\"]}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\",\"kid\":{}}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\",\"kid\":true}", AKL_JWS_MALFORMED);
}


static void
kid_with_nul_or_doubled(void **state)
{
    (void) state;

    header_is("{\"alg\":\"ES256\",\"kid\":\"a\\u0000b\"}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\",\"kid\":\"a\0b\"}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\",\"kid\":\"a\",\"kid\":\"b\"}",
              AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\",\"kid\":\"a\",\"k\\u0069d\":\"a\"}",
              AKL_JWS_MALFORMED);
}


static void
kid_with_path_parts_is_just_text(void **state)
{
    token_t    t;
    akl_jws_t  jws;

    (void) state;

    token_begin(&t, akl_str("{\"alg\":\"ES256\",\"kid\":\"../../dev/null\"}"),
                akl_str("{}"));
    token_end(&t, some_signature, sizeof(some_signature));

    assert_int_equal(akl_jws_parse(&jws, token_str(&t)), AKL_JWS_OK);
    assert_true(akl_str_eq(jws.kid, akl_str("../../dev/null")));
    akl_jws_clear(&jws);
}


static void
kid_ends_at_1024_bytes(void **state)
{
    int           len, n;
    static char   text[12000];

    (void) state;

    static const int  lens[] = { 1023, 1024, 1025, 10240 };

    for (n = 0; n < 4; n++) {
        len = sprintf(text, "{\"alg\":\"ES256\",\"kid\":\"");
        memset(text + len, 'k', (size_t) lens[n]);
        strcpy(text + len + lens[n], "\"}");

        assert_int_equal(with_header(text_str(text)),
                         lens[n] <= 1024 ? AKL_JWS_OK : AKL_JWS_MALFORMED);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(alg_none_in_every_spelling),
        cmocka_unit_test(alg_missing),
        cmocka_unit_test(alg_of_another_type),
        cmocka_unit_test(alg_not_among_ours),
        cmocka_unit_test(every_algorithm_is_known_by_name),
        cmocka_unit_test(jwe_is_told_by_its_segments),
        cmocka_unit_test(crit_of_any_kind),
        cmocka_unit_test(b64_and_zip),
        cmocka_unit_test(keys_and_urls_in_the_header_are_ignored),
        cmocka_unit_test(kid_must_be_a_string),
        cmocka_unit_test(kid_with_nul_or_doubled),
        cmocka_unit_test(kid_with_path_parts_is_just_text),
        cmocka_unit_test(kid_ends_at_1024_bytes)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_header", tests, NULL, NULL);
}
