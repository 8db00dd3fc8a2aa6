/* Numbers where another module has set a locale of its own. */

#include "lib/jose_test.h"
#include "../../src/jose/doc.h"


/* as it is with LC_NUMERIC of a country whose decimal point is a comma */

double
strtod(const char *text, char **end)
{
    double  value;

    for (value = 0; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
    }

    if (end != NULL) {
        *end = (char *) text;
    }

    return value;
}


static void
time_is(const char *json, int64_t wanted)
{
    int64_t    value;
    akl_doc_t  doc;

    value = -1;

    assert_int_equal(akl_doc_parse(&doc, text_str(json)), 0);
    assert_int_equal(akl_doc_time(&doc, doc.nodes, "exp", &value), 0);
    assert_int_equal(value, wanted);

    akl_doc_free(&doc);
}


static void
a_full_stop_is_the_decimal_point_everywhere(void **state)
{
    (void) state;

    time_is("{\"exp\":1234.75}", 1234);
    time_is("{\"exp\":1.75e9}", 1750000000);
    time_is("{\"exp\":17500000.5E2}", 1750000050);
}


static void
what_is_out_of_range_still_is(void **state)
{
    akl_doc_t  doc;

    (void) state;

    assert_int_not_equal(akl_doc_parse(&doc, text_str("{\"exp\":1.5e400}")),
                         0);
    akl_doc_free(&doc);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_full_stop_is_the_decimal_point_everywhere),
        cmocka_unit_test(what_is_out_of_range_still_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
