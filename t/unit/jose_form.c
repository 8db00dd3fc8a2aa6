/* What akl_jws_parse() refuses before any key is looked at. */

#include "lib/jose_test.h"


static const char  good_header[] = "{\"alg\":\"ES256\",\"typ\":\"JWT\"}";
static const char  good_payload[] = "{\"iss\":\"x\"}";

static const unsigned char  some_signature[64] = { 1, 2, 3 };


static akl_jws_error_t
with_header(akl_str_t header)
{
    static token_t  t;

    token_begin(&t, header, akl_str("{\"iss\":\"x\"}"));
    token_end(&t, some_signature, sizeof(some_signature));

    return parse_error(token_str(&t));
}


static akl_jws_error_t
with_payload(akl_str_t payload)
{
    static token_t  t;

    token_begin(&t, text_str(good_header), payload);
    token_end(&t, some_signature, sizeof(some_signature));

    return parse_error(token_str(&t));
}


static akl_jws_error_t
with_segments(const char *header, const char *payload, const char *signature)
{
    static token_t  t;

    t.len = 0;
    token_put(&t, header, strlen(header));
    token_put(&t, ".", 1);
    token_put(&t, payload, strlen(payload));
    token_put(&t, ".", 1);
    token_put(&t, signature, strlen(signature));

    return parse_error(token_str(&t));
}


#define header_is(text, rc)                                                   \
    assert_int_equal(with_header(akl_str(text)), rc)

#define both_malformed(text)                                                  \
    assert_int_equal(with_header(akl_str(text)), AKL_JWS_MALFORMED);          \
    assert_int_equal(with_payload(akl_str(text)), AKL_JWS_MALFORMED)

#define text_is(text, rc)                                                     \
    assert_int_equal(parse_error(akl_str(text)), rc)


/* eyJhbGciOiJFUzI1NiJ9 = {"alg":"ES256"}, e30 = {} */

#define HEADER   "eyJhbGciOiJFUzI1NiJ9"
#define PAYLOAD  "e30"


static void
a_plain_token_is_taken_apart(void **state)
{
    akl_jws_t  jws;

    (void) state;

    assert_int_equal(akl_jws_parse(&jws, akl_str(HEADER "." PAYLOAD ".AQID")),
                     AKL_JWS_OK);

    assert_int_equal(jws.alg, AKL_ALG_ES256);
    assert_int_equal(jws.kid.len, 0);
    assert_true(akl_str_eq(jws.signing_input, akl_str(HEADER "." PAYLOAD)));
    assert_int_equal(jws.signature_len, 3);
    assert_memory_equal(jws.signature, "\1\2\3", 3);
    assert_int_equal(jws.payload.n, 1);

    akl_jws_clear(&jws);
    assert_null(jws.text);
    assert_int_equal(jws.signature_len, 0);

    akl_jws_clear(&jws);
}


static void
two_segments(void **state)
{
    (void) state;

    text_is("", AKL_JWS_MALFORMED);
    text_is(HEADER, AKL_JWS_MALFORMED);
    text_is(HEADER "." PAYLOAD, AKL_JWS_MALFORMED);
}


static void
four_and_more_segments(void **state)
{
    (void) state;

    text_is(HEADER "." PAYLOAD ".AQID.", AKL_JWS_MALFORMED);
    text_is(HEADER "." PAYLOAD ".AQID.AQID", AKL_JWS_MALFORMED);
    text_is(HEADER "." PAYLOAD ".AQID.AQID.AQID", AKL_JWS_MALFORMED);
    text_is("." HEADER "." PAYLOAD ".AQID", AKL_JWS_MALFORMED);
    text_is("....", AKL_JWS_MALFORMED);
}


static void
empty_segments(void **state)
{
    (void) state;

    text_is("..", AKL_JWS_MALFORMED);
    text_is("." PAYLOAD ".AQID", AKL_JWS_MALFORMED);
    text_is(HEADER "..AQID", AKL_JWS_MALFORMED);
    text_is(HEADER "." PAYLOAD ".", AKL_JWS_MALFORMED);
}


static void
json_serialisation(void **state)
{
    (void) state;

    text_is("{\"payload\":\"e30\",\"protected\":\"" HEADER "\","
            "\"signature\":\"AQID\"}", AKL_JWS_MALFORMED);
    text_is("{\"payload\":\"e30\",\"signatures\":[{\"protected\":\"" HEADER
            "\",\"signature\":\"AQ.I.D\"}]}", AKL_JWS_MALFORMED);
}


static void
base64url_is_strict_in_every_segment(void **state)
{
    size_t  i;

    /* three bytes would be "AQID", two "AQI", one "AQ" */

    static const char  *const bad[] = {
        "AQI=", "AQ==", "A+ID", "A/ID", "AQ I", "AQID\n", "\tAQI",
        "A\xc3\xa9" "A", "A", "AQIDA", "AR", "AQJ", "AQ%3D"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(with_segments(HEADER, PAYLOAD, bad[i]),
                         AKL_JWS_MALFORMED);
    }

    /* e30 is {}; f has spare bits set, = is padding */

    assert_int_equal(with_segments(HEADER, "e30", "AQID"), AKL_JWS_OK);
    assert_int_equal(with_segments(HEADER, "e31", "AQID"), AKL_JWS_MALFORMED);
    assert_int_equal(with_segments(HEADER, "e30=", "AQID"),
                     AKL_JWS_MALFORMED);
    assert_int_equal(with_segments(HEADER, "e30\n", "AQID"),
                     AKL_JWS_MALFORMED);
    assert_int_equal(with_segments(HEADER, " e30", "AQID"),
                     AKL_JWS_MALFORMED);
    assert_int_equal(with_segments(HEADER "=", "e30", "AQID"),
                     AKL_JWS_MALFORMED);
    assert_int_equal(with_segments(HEADER " ", "e30", "AQID"),
                     AKL_JWS_MALFORMED);
    assert_int_equal(with_segments("\xef\xbb\xbf" HEADER, "e30", "AQID"),
                     AKL_JWS_MALFORMED);
}


static void
doubled_members(void **state)
{
    (void) state;

    header_is("{\"alg\":\"ES256\",\"alg\":\"ES256\"}", AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"none\",\"\\u0061lg\":\"ES256\"}",
              AKL_JWS_MALFORMED);
    header_is("{\"alg\":\"ES256\",\"jwk\":{\"kty\":1,\"kty\":2}}",
              AKL_JWS_MALFORMED);

    assert_int_equal(with_payload(akl_str("{\"exp\":1,\"exp\":2}")),
                     AKL_JWS_MALFORMED);
    assert_int_equal(with_payload(akl_str("{\"exp\":1,\"\\u0065xp\":2}")),
                     AKL_JWS_MALFORMED);
    assert_int_equal(with_payload(akl_str("{\"a\":[{\"b\":{\"c\":1,"
                                          "\"c\":1}}]}")),
                     AKL_JWS_MALFORMED);
}


static void
trailing_data_and_byte_order_mark(void **state)
{
    (void) state;

    both_malformed("{\"alg\":\"ES256\"}x");
    both_malformed("{\"alg\":\"ES256\"}{}");
    both_malformed("{\"alg\":\"ES256\"}\0");
    both_malformed("\xef\xbb\xbf{\"alg\":\"ES256\"}");
    both_malformed("{\"alg\":\"ES256\"");
}


static void
no_object_at_the_top(void **state)
{
    (void) state;

    both_malformed("[{\"alg\":\"ES256\"}]");
    both_malformed("\"ES256\"");
    both_malformed("256");
    both_malformed("null");
    both_malformed("true");
    both_malformed(" ");
}


static void
depth_to_the_size_limit(void **state)
{
    static char  text[12000];

    (void) state;

    strcpy(text, "{\"alg\":\"ES256\",\"a\":");
    memset(text + 19, '[', 11000);
    assert_int_equal(with_header(text_str(text)), AKL_JWS_MALFORMED);
    assert_int_equal(with_payload(text_str(text)), AKL_JWS_MALFORMED);

    /* 100,000 levels are past the size that is looked at */

    assert_true(AKL_JWS_MAX < 100000);
}


static void
invalid_text_in_json(void **state)
{
    (void) state;

    both_malformed("{\"alg\":\"ES256\",\"a\":\"\xff\"}");
    both_malformed("{\"alg\":\"ES256\",\"a\":\"\\ud800\"}");
    both_malformed("{\"alg\":\"ES256\",\"admin\\u0000x\":1}");
    both_malformed("{\"alg\":\"ES256\",\"a\":1e400}");
    both_malformed("{\"alg\":\"ES256\",\"a\":9223372036854775808}");

    assert_int_equal(with_payload(akl_str("{\"exp\":-0,\"a\":1.5,"
                                          "\"b\":9007199254740993}")),
                     AKL_JWS_OK);
}


static void
size_ends_at_16384(void **state)
{
    size_t          i, len;
    static token_t  t;

    static const size_t  lens[] = { 16384, 16385, 16386, 21830, 65000 };

    (void) state;

    for (i = 0; i < 5; i++) {
        t.len = 0;
        token_put(&t, HEADER "." PAYLOAD ".", 25);

        for (len = t.len; len < lens[i]; len++) {
            token_put(&t, "A", 1);
        }

        assert_int_equal(parse_error(token_str(&t)),
                         lens[i] <= 16384 ? AKL_JWS_SIGNATURE
                                          : AKL_JWS_TOO_LARGE);
    }

    /* a payload that fills the token to the last byte */

    for (len = 16384; len <= 16388; len += 4) {
        t.len = 0;
        token_put(&t, HEADER ".eyJhIjoi", 29);

        while (t.len < len - 11) {
            token_put(&t, "QUFB", 4);
        }

        token_put(&t, "QUFBIn0.AAA", 11);

        assert_int_equal(t.len, len);
        assert_int_equal(parse_error(token_str(&t)),
                         len <= 16384 ? AKL_JWS_OK : AKL_JWS_TOO_LARGE);
    }
}


static void
signature_of_1024_bytes_is_the_longest(void **state)
{
    static token_t        t;
    static unsigned char  sig[2048];

    (void) state;

    token_begin(&t, text_str(good_header), text_str(good_payload));
    token_end(&t, sig, 1024);
    assert_int_equal(parse_error(token_str(&t)), AKL_JWS_OK);

    token_begin(&t, text_str(good_header), text_str(good_payload));
    token_end(&t, sig, 1025);
    assert_int_equal(parse_error(token_str(&t)), AKL_JWS_SIGNATURE);
}


static void
every_prefix_is_refused_or_a_token(void **state)
{
    size_t          n;
    unsigned char  *copy;

    static const char  token[] = HEADER "." PAYLOAD ".AQID";

    (void) state;

    /* a heap copy of the exact size shows reads past the end */

    for (n = 0; n < sizeof(token) - 1; n++) {
        copy = malloc(n + !n);
        assert_non_null(copy);
        memcpy(copy, token, n);

        assert_int_equal(parse_error((akl_str_t) { n, copy }),
                         (n == 27 || n == 28) ? AKL_JWS_OK
                                              : AKL_JWS_MALFORMED);
        free(copy);
    }
}


static void
every_error_has_a_text(void **state)
{
    int  i, j;

    (void) state;

    for (i = AKL_JWS_OK; i <= AKL_JWS_NOMEM; i++) {
        assert_true(strlen(akl_jws_strerror((akl_jws_error_t) i)) > 5);

        for (j = AKL_JWS_OK; j < i; j++) {
            assert_string_not_equal(akl_jws_strerror((akl_jws_error_t) i),
                                    akl_jws_strerror((akl_jws_error_t) j));
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_plain_token_is_taken_apart),
        cmocka_unit_test(two_segments),
        cmocka_unit_test(four_and_more_segments),
        cmocka_unit_test(empty_segments),
        cmocka_unit_test(json_serialisation),
        cmocka_unit_test(base64url_is_strict_in_every_segment),
        cmocka_unit_test(doubled_members),
        cmocka_unit_test(trailing_data_and_byte_order_mark),
        cmocka_unit_test(no_object_at_the_top),
        cmocka_unit_test(depth_to_the_size_limit),
        cmocka_unit_test(invalid_text_in_json),
        cmocka_unit_test(size_ends_at_16384),
        cmocka_unit_test(signature_of_1024_bytes_is_the_longest),
        cmocka_unit_test(every_prefix_is_refused_or_a_token),
        cmocka_unit_test(every_error_has_a_text)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_form", tests, NULL, NULL);
}
