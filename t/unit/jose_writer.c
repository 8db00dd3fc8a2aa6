/*
 * JSON as tokens and answers are written.
 */

#include "lib/jose_test.h"
#include "../../src/cli/json.h"
#include "../../src/jose/json.h"


static akl_str_t
written(akl_json_out_t *out)
{
    assert_false(out->overflow);
    return (akl_str_t) { out->len, out->buf };
}


static void
writer_nests_and_separates(void **state)
{
    akl_json_out_t  out;
    unsigned char   buf[256];

    (void) state;

    akl_json_out_init(&out, buf, sizeof(buf));
    akl_json_out_open(&out, NULL, '{');
    akl_json_out_str(&out, "a", akl_str("x"));
    akl_json_out_int(&out, "b", -12);
    akl_json_out_open(&out, "c", '[');
    akl_json_out_int(&out, NULL, 0);
    akl_json_out_open(&out, NULL, '{');
    akl_json_out_close(&out, '}');
    akl_json_out_open(&out, NULL, '[');
    akl_json_out_close(&out, ']');
    akl_json_out_raw(&out, NULL, akl_str("null"));
    akl_json_out_close(&out, ']');
    akl_json_out_raw(&out, "d", akl_str("{\"e\":true}"));
    akl_json_out_str(&out, "f", (akl_str_t) { 0, NULL });
    akl_json_out_close(&out, '}');

    assert_true(akl_str_eq(written(&out),
                           akl_str("{\"a\":\"x\",\"b\":-12,\"c\":[0,{},[],"
                                   "null],\"d\":{\"e\":true},\"f\":\"\"}")));
}


static void
writer_prints_all_integers(void **state)
{
    size_t          i;
    char            want[32];
    akl_json_out_t  out;
    unsigned char   buf[32];

    static const int64_t  values[] = {
        0, 1, -1, 9, 10, 99, 100, 1300819380, INT64_MAX, INT64_MIN
    };

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        akl_json_out_init(&out, buf, sizeof(buf));
        akl_json_out_int(&out, NULL, values[i]);
        sprintf(want, "%lld", (long long) values[i]);

        assert_true(akl_str_eq(written(&out), text_str(want)));
    }
}


static void
writer_escapes_what_must_be(void **state)
{
    akl_json_out_t  out;
    unsigned char   buf[256];

    (void) state;

    akl_json_out_init(&out, buf, sizeof(buf));
    akl_json_out_str(&out, NULL,
                     akl_str("\"\\/\b\t\n\v\f\r\0\x1f\x7f'<\xc3\xa9"));

    assert_true(akl_str_eq(written(&out),
                           akl_str("\"\\\"\\\\/\\b\\t\\n\\u000b\\f\\r"
                                   "\\u0000\\u001f\x7f'<\xc3\xa9\"")));

    akl_json_out_init(&out, buf, sizeof(buf));
    akl_json_out_raw(&out, "a\"b", akl_str("1"));

    assert_true(akl_str_eq(written(&out), akl_str("\"a\\\"b\":1")));
}


static void
writer_replaces_invalid_utf8(void **state)
{
    akl_json_out_t  out;
    unsigned char   buf[256];

    (void) state;

    akl_json_out_init(&out, buf, sizeof(buf));
    akl_json_out_str(&out, NULL,
                     akl_str("a\xff" "b\xc3" "c\xed\xa0\x80" "\xf0\x9f\x98\x80"
                             "\xe2\x82"));

    assert_true(akl_str_eq(written(&out),
                           akl_str("\"a\xef\xbf\xbd" "b\xef\xbf\xbd" "c"
                                   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                                   "\xf0\x9f\x98\x80"
                                   "\xef\xbf\xbd\xef\xbf\xbd\"")));
}


static void
writer_escapes_every_byte_so_that_it_reads_back(void **state)
{
    int             c;
    json_t         *object;
    akl_str_t       value;
    unsigned char   buf[64], byte;
    akl_json_out_t  out;

    (void) state;

    for (c = 1; c < 128; c++) {
        byte = (unsigned char) c;

        akl_json_out_init(&out, buf, sizeof(buf));
        akl_json_out_open(&out, NULL, '{');
        akl_json_out_str(&out, "a", (akl_str_t) { 1, &byte });
        akl_json_out_close(&out, '}');

        object = akl_json_object(written(&out));
        assert_non_null(object);
        assert_int_equal(akl_json_string(object, "a", &value), 0);
        assert_true(akl_str_eq(value, ((akl_str_t) { 1, &byte })));
        json_decref(object);
    }
}


static void
writer_counts_and_never_overflows(void **state)
{
    size_t          size, want;
    unsigned char  *buf;
    akl_json_out_t  out;

    (void) state;

    akl_json_out_init(&out, NULL, 0);
    akl_json_out_open(&out, NULL, '{');
    akl_json_out_str(&out, "key", akl_str("va\"lue\n"));
    akl_json_out_int(&out, "n", 42);
    akl_json_out_close(&out, '}');

    want = out.len;
    assert_false(out.overflow);
    assert_int_equal(want, strlen("{\"key\":\"va\\\"lue\\n\",\"n\":42}"));

    for (size = 0; size <= want; size++) {
        buf = malloc(size + !size);
        assert_non_null(buf);

        akl_json_out_init(&out, buf, size);
        akl_json_out_open(&out, NULL, '{');
        akl_json_out_str(&out, "key", akl_str("va\"lue\n"));
        akl_json_out_int(&out, "n", 42);
        akl_json_out_close(&out, '}');

        assert_int_equal(out.len, want);
        assert_int_equal(out.overflow, size < want);
        free(buf);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(writer_nests_and_separates),
        cmocka_unit_test(writer_prints_all_integers),
        cmocka_unit_test(writer_escapes_what_must_be),
        cmocka_unit_test(writer_replaces_invalid_utf8),
        cmocka_unit_test(writer_escapes_every_byte_so_that_it_reads_back),
        cmocka_unit_test(writer_counts_and_never_overflows)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_writer", tests, NULL, NULL);
}
