#include "lib/jose_test.h"
#include "../../src/k8s/urlencoded.h"


/* all pairs of a form as "name=value;", or NULL: it is not well encoded */

static const char *
pairs(const char *text)
{
    int               rc;
    size_t            n;
    akl_str_t         name, value;
    akl_urlencoded_t  form;

    static char           told[256];
    static unsigned char  copy[256];

    n = strlen(text);
    memcpy(copy, text, n);

    form.p = copy;
    form.last = copy + n;
    n = 0;

    for ( ;; ) {
        rc = akl_urlencoded_next(&form, &name, &value);

        if (rc != 1) {
            break;
        }

        n += (size_t) sprintf(told + n, "%.*s=%.*s;", (int) name.len,
                              name.data, (int) value.len, value.data);
    }

    told[n] = '\0';

    return (rc == 0) ? told : NULL;
}


static void
pairs_come_in_their_order(void **state)
{
    size_t  i;

    static const struct {
        const char  *form, *pairs;
    } tests[] = {
        { "", "" },
        { "a", "a=;" },
        { "a=", "a=;" },
        { "=a", "=a;" },
        { "=", "=;" },
        { "a=b&c=d", "a=b;c=d;" },
        { "a=b=c", "a=b=c;" },
        { "a&b", "a=;b=;" },
        { "a=b&", "a=b;" },
        { "&a=b", "=;a=b;" },
        { "a&&b", "a=;=;b=;" },
        { "a+b=c+d", "a b=c d;" },
        { "%61=%62", "a=b;" },
        { "%4a%4A=%2B%26%3d", "JJ=+&=;" },
        { "a%3Db=c", "a=b=c;" }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        assert_string_equal(pairs(tests[i].form), tests[i].pairs);
    }
}


/* RFC 6749 appendix B */

static void
the_example_of_the_standard(void **state)
{
    (void) state;

    assert_string_equal(pairs("x=+%25%26%2B%C2%A3%E2%82%AC"),
                        "x= %&+\xc2\xa3\xe2\x82\xac;");
}


static void
a_percent_sign_without_two_digits_is_refused(void **state)
{
    size_t  i;

    static const char *const  forms[] = {
        "%", "%4", "a=%", "a=%4", "a=%&b=c", "a=%4&b=c", "%g0=a", "a=%0g",
        "a=% 1", "a=%+1", "a=b&c=%zz", "a=%\xff\xff", "a=%-1", "a=%0x"
    };

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_null(pairs(forms[i]));
    }
}


static void
a_zero_byte_is_a_byte(void **state)
{
    unsigned char  text[] = "a%00b";

    (void) state;

    assert_int_equal(akl_urlencoded_decode(text, 5), 3);
    assert_memory_equal(text, "a\0b", 3);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(pairs_come_in_their_order),
        cmocka_unit_test(the_example_of_the_standard),
        cmocka_unit_test(a_percent_sign_without_two_digits_is_refused),
        cmocka_unit_test(a_zero_byte_is_a_byte)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("k8s_urlencoded", tests, NULL, NULL);
}
