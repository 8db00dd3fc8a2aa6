#include "lib/jose_test.h"


static ssize_t
url(unsigned char *dst, const char *text)
{
    return akl_base64url_decode(dst, text_str(text));
}


static ssize_t
std(unsigned char *dst, const char *text)
{
    return akl_base64_decode(dst, text_str(text));
}


static void
rfc4648_vectors(void **state)
{
    size_t         i, n;
    unsigned char  buf[64];

    static const struct {
        const char  *plain, *url, *std;
    } tests[] = {
        { "", "", "" },
        { "f", "Zg", "Zg==" },
        { "fo", "Zm8", "Zm8=" },
        { "foo", "Zm9v", "Zm9v" },
        { "foob", "Zm9vYg", "Zm9vYg==" },
        { "fooba", "Zm9vYmE", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        n = strlen(tests[i].plain);

        assert_int_equal(url(buf, tests[i].url), n);
        assert_memory_equal(buf, tests[i].plain, n);

        assert_int_equal(std(buf, tests[i].std), n);
        assert_memory_equal(buf, tests[i].plain, n);

        assert_int_equal(akl_base64url_encode(buf, text_str(tests[i].plain)),
                         strlen(tests[i].url));
        assert_memory_equal(buf, tests[i].url, strlen(tests[i].url));
        assert_int_equal(akl_base64url_encoded_len(n), strlen(tests[i].url));
    }
}


static void
round_trip_of_every_length(void **state)
{
    size_t         len, i, n;
    unsigned char  plain[300], *text, *back;

    (void) state;

    for (len = 0; len < sizeof(plain); len++) {
        for (i = 0; i < len; i++) {
            plain[i] = (unsigned char) (i * 151 + len * 31);
        }

        /* exact sizes, so that the sanitizer sees a byte too many */

        n = akl_base64url_encoded_len(len);
        text = malloc(n + !n);
        back = malloc(akl_base64_decoded_len(n) + !n);
        assert_non_null(text);
        assert_non_null(back);

        assert_int_equal(akl_base64url_encode(text,
                                              (akl_str_t) { len, plain }), n);
        assert_int_equal(akl_base64url_decode(back, (akl_str_t) { n, text }),
                         len);
        assert_memory_equal(back, plain, len);

        free(text);
        free(back);
    }
}


static void
every_byte_outside_the_alphabet_is_refused(void **state)
{
    int            c, at;
    char           text[6];
    unsigned char  buf[8];

    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    (void) state;

    for (at = 0; at < 6; at++) {
        for (c = 0; c < 256; c++) {
            memcpy(text, "AAAAAA", 6);
            text[at] = (char) c;

            /* the last of two characters has four spare bits */

            if (c != 0 && strchr(alphabet, c) != NULL
                && (at != 5 || strchr("AQgw", c) != NULL))
            {
                assert_int_equal(akl_base64url_decode(buf,
                     (akl_str_t) { 6, (const unsigned char *) text }), 4);

            } else {
                assert_int_equal(akl_base64url_decode(buf,
                     (akl_str_t) { 6, (const unsigned char *) text }), -1);
            }
        }
    }
}


static void
padding_is_refused(void **state)
{
    unsigned char  buf[16];

    (void) state;

    assert_int_equal(url(buf, "Zg=="), -1);
    assert_int_equal(url(buf, "Zm8="), -1);
    assert_int_equal(url(buf, "="), -1);
    assert_int_equal(url(buf, "Zg="), -1);
}


static void
plus_and_slash_are_refused(void **state)
{
    unsigned char  buf[16];

    (void) state;

    assert_int_equal(url(buf, "--__"), 3);
    assert_int_equal(url(buf, "++//"), -1);
    assert_int_equal(url(buf, "A+AA"), -1);
    assert_int_equal(url(buf, "AA/A"), -1);
}


static void
white_space_is_refused(void **state)
{
    unsigned char  buf[16];

    (void) state;

    assert_int_equal(url(buf, "Zm9v\n"), -1);
    assert_int_equal(url(buf, " Zm9v"), -1);
    assert_int_equal(url(buf, "Zm\r9v"), -1);
    assert_int_equal(url(buf, "Zm9\tv"), -1);
}


static void
non_ascii_is_refused(void **state)
{
    unsigned char  buf[16];

    (void) state;

    assert_int_equal(url(buf, "Zm9\xc3\xa9"), -1);
    assert_int_equal(url(buf, "\xff\xff\xff\xff"), -1);
    assert_int_equal(std(buf, "Zm9\xc3\xa9"), -1);
}


static void
length_one_modulo_four_is_refused(void **state)
{
    unsigned char  buf[16];

    (void) state;

    assert_int_equal(url(buf, "A"), -1);
    assert_int_equal(url(buf, "AAAAA"), -1);
    assert_int_equal(std(buf, "A"), -1);
    assert_int_equal(std(buf, "AAAAA"), -1);
    assert_int_equal(std(buf, "A==="), -1);
}


static void
spare_bits_are_refused(void **state)
{
    unsigned char  buf[16];

    (void) state;

    assert_int_equal(url(buf, "Zh"), -1);
    assert_int_equal(url(buf, "Zm9"), -1);
    assert_int_equal(url(buf, "Zm-"), -1);
    assert_int_equal(std(buf, "Zh=="), -1);
    assert_int_equal(std(buf, "Zm9="), -1);
}


static void
standard_alphabet_skips_white_space(void **state)
{
    unsigned char  buf[16];

    (void) state;

    assert_int_equal(std(buf, " Zm9v\r\nYm\tFy \f\v"), 6);
    assert_memory_equal(buf, "foobar", 6);
    assert_int_equal(std(buf, "Zg=\n=\n"), 1);
    assert_int_equal(std(buf, "+/+/"), 3);
    assert_memory_equal(buf, "\xfb\xff\xbf", 3);
}


static void
standard_white_space_may_stand_anywhere(void **state)
{
    size_t         at, i;
    unsigned char  buf[16];
    char           text[16];

    static const char  spaces[] = " \t\n\v\f\r";
    static const char  plain[] = "Zm9vYmFy";

    (void) state;

    for (at = 0; at < sizeof(plain); at++) {
        for (i = 0; i < sizeof(spaces) - 1; i++) {
            memcpy(text, plain, at);
            text[at] = spaces[i];
            memcpy(text + at + 1, plain + at, sizeof(plain) - at);

            assert_int_equal(std(buf, text), 6);
            assert_memory_equal(buf, "foobar", 6);
        }
    }
}


static void
every_byte_outside_the_standard_one_is_refused(void **state)
{
    int            c, at;
    char           text[8];
    unsigned char  buf[8];

    static const char  good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "abcdefghijklmnopqrstuvwxyz0123456789+/ \t\n\v\f\r";

    (void) state;

    for (at = 0; at < 8; at++) {
        for (c = 0; c < 256; c++) {
            memcpy(text, "AAAAAAAA", 8);
            text[at] = (char) c;

            /* padding may end it, and a space leaves seven characters */

            assert_int_equal(akl_base64_decode(buf,
                     (akl_str_t) { 8, (const unsigned char *) text }),
                     (c == '=' && at == 7) || c == ' ' || (c >= 9 && c <= 13)
                     ? 5 : (c != 0 && strchr(good, c)) ? 6 : -1);
        }
    }
}


static void
standard_padding_may_lack_but_not_lie(void **state)
{
    unsigned char  buf[16];

    (void) state;

    assert_int_equal(std(buf, "Zg"), 1);
    assert_int_equal(std(buf, "Zm8"), 2);
    assert_int_equal(std(buf, "Zg="), -1);
    assert_int_equal(std(buf, "Zg==="), -1);
    assert_int_equal(std(buf, "Zm8=="), -1);
    assert_int_equal(std(buf, "Zm9v="), -1);
    assert_int_equal(std(buf, "Zm9v===="), -1);
    assert_int_equal(std(buf, "="), -1);
    assert_int_equal(std(buf, "Zg==Zg=="), -1);
    assert_int_equal(std(buf, "-_-_"), -1);
}


static void
standard_decodes_in_place(void **state)
{
    unsigned char  buf[] = "Zm9v Ym Fy Zm 9v";

    (void) state;

    assert_int_equal(akl_base64_decode(buf, (akl_str_t) { sizeof(buf) - 1,
                                                          buf }), 9);
    assert_memory_equal(buf, "foobarfoo", 9);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(rfc4648_vectors),
        cmocka_unit_test(round_trip_of_every_length),
        cmocka_unit_test(every_byte_outside_the_alphabet_is_refused),
        cmocka_unit_test(padding_is_refused),
        cmocka_unit_test(plus_and_slash_are_refused),
        cmocka_unit_test(white_space_is_refused),
        cmocka_unit_test(non_ascii_is_refused),
        cmocka_unit_test(length_one_modulo_four_is_refused),
        cmocka_unit_test(spare_bits_are_refused),
        cmocka_unit_test(standard_alphabet_skips_white_space),
        cmocka_unit_test(standard_white_space_may_stand_anywhere),
        cmocka_unit_test(every_byte_outside_the_standard_one_is_refused),
        cmocka_unit_test(standard_padding_may_lack_but_not_lie),
        cmocka_unit_test(standard_decodes_in_place)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_base64", tests, NULL, NULL);
}
