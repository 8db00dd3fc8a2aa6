/*
 * JSON as headers and payloads are read: by akl_json_object() the one, by
 * akl_doc_parse() the other, which must not differ.
 */

#include "lib/jose_test.h"
#include "../../src/cli/json.h"


static int
accepted(akl_str_t text)
{
    int        rc;
    json_t    *object;
    akl_doc_t  doc;

    akl_doc_init(&doc);

    object = akl_json_object(text);
    rc = akl_doc_parse(&doc, text);

    akl_doc_free(&doc);

    assert_int_equal(rc, object ? 0 : -1);

    if (object == NULL) {
        return 0;
    }

    assert_true(json_is_object(object));
    json_decref(object);

    return 1;
}


#define ok(text)   assert_true(accepted(akl_str(text)))
#define bad(text)  assert_false(accepted(akl_str(text)))


static void
plain_objects_pass(void **state)
{
    (void) state;

    ok("{}");
    ok(" {\"a\": [1, 2.5, true, false, null, \"x\"], \"b\": {}} \n");
    ok("{\"a\":\"\\u00e9\\ud83d\\ude00\xc3\xa9\"}");
    ok("{\"a\":\"{[\\\"{[\"}");
}


static void
top_level_must_be_an_object(void **state)
{
    (void) state;

    bad("");
    bad(" ");
    bad("[]");
    bad("[{}]");
    bad("null");
    bad("true");
    bad("1");
    bad("\"x\"");
}


static void
doubled_members_are_refused_at_any_depth(void **state)
{
    (void) state;

    bad("{\"a\":1,\"a\":1}");
    bad("{\"x\":{\"a\":1,\"a\":2}}");
    bad("{\"x\":[[{\"y\":{\"a\":1,\"b\":2,\"a\":3}}]]}");
    bad("{\"\":1,\"\":2}");
    ok("{\"x\":{\"a\":1},\"y\":{\"a\":1}}");
}


static void
escaped_names_are_the_same_member(void **state)
{
    json_t     *object;
    int64_t     exp;
    akl_doc_t   doc;

    (void) state;

    bad("{\"exp\":1,\"\\u0065xp\":2}");
    bad("{\"\\u0065xp\":1,\"e\\u0078p\":2}");

    object = akl_json_object(akl_str("{\"\\u0065xp\":7}"));
    assert_non_null(object);
    assert_int_equal(akl_json_time(object, "exp", &exp), 0);
    assert_int_equal(exp, 7);
    json_decref(object);

    assert_int_equal(akl_doc_parse(&doc, akl_str("{\"\\u0065xp\":8}")), 0);
    assert_int_equal(akl_doc_time(&doc, doc.nodes, "exp", &exp), 0);
    assert_int_equal(exp, 8);
    akl_doc_free(&doc);
}


static void
names_are_case_sensitive(void **state)
{
    json_t     *object;
    int64_t     exp;
    akl_doc_t   doc;

    static const char  other[] = "{\"Exp\":7,\"EXP\":8}";

    (void) state;

    object = akl_json_object(text_str(other));
    assert_non_null(object);
    assert_int_equal(akl_json_time(object, "exp", &exp), 1);
    json_decref(object);

    assert_int_equal(akl_doc_parse(&doc, text_str(other)), 0);
    assert_int_equal(akl_doc_time(&doc, doc.nodes, "exp", &exp), 1);
    akl_doc_free(&doc);
}


static void
trailing_data_is_refused(void **state)
{
    (void) state;

    bad("{}x");
    bad("{}{}");
    bad("{},");
    bad("{} 1");
    bad("{}\0");
    bad("{}\0{}");
    bad("{\"a\":1");
    bad("{\"a\":1,}");
    bad("{'a':1}");
    bad("{a:1}");
    bad("{\"a\":1}//x");
}


static void
byte_order_mark_is_refused(void **state)
{
    (void) state;

    bad("\xef\xbb\xbf{}");
    bad("\xfe\xff\0{\0}");
    bad("{\0}\0");
}


static void
nul_is_refused(void **state)
{
    (void) state;

    bad("{\"a\":\"x\\u0000y\"}");
    bad("{\"admin\\u0000x\":1}");
    bad("{\"a\":\"x\0y\"}");
    bad("{\"a\0b\":1}");
    bad("\0{}");
}


static void
invalid_utf8_is_refused(void **state)
{
    (void) state;

    bad("{\"a\":\"\xff\"}");
    bad("{\"a\":\"\xc0\xaf\"}");
    bad("{\"a\":\"\xc3\"}");
    bad("{\"a\":\"\xed\xa0\x80\"}");
    bad("{\"a\":\"\xf4\x90\x80\x80\"}");
    bad("{\"a\":\"\xe0\x80\x80\"}");
    bad("{\"\x80\":1}");
}


static void
lone_surrogates_are_refused(void **state)
{
    (void) state;

    bad("{\"a\":\"\\ud800\"}");
    bad("{\"a\":\"\\udc00\"}");
    bad("{\"a\":\"\\ud800\\ud800\"}");
    bad("{\"a\":\"\\ud800x\"}");
    bad("{\"\\udfff\":1}");
}


static void
control_characters_are_refused(void **state)
{
    (void) state;

    bad("{\"a\":\"\n\"}");
    bad("{\"a\":\"\x1f\"}");
    bad("{\"a\":\"\\x\"}");
    bad("{\"a\":\"\\u00g0\"}");
}


static void
numbers_out_of_range_are_refused(void **state)
{
    (void) state;

    bad("{\"a\":1e400}");
    bad("{\"a\":-1e400}");
    bad("{\"a\":9223372036854775808}");
    bad("{\"a\":NaN}");
    bad("{\"a\":Infinity}");
    bad("{\"a\":01}");
    bad("{\"a\":+1}");
    bad("{\"a\":.5}");
    bad("{\"a\":0x10}");
    ok("{\"a\":9223372036854775807}");
    ok("{\"a\":-9223372036854775808}");
    bad("{\"a\":-9223372036854775809}");
    bad("{\"a\":10000000000000000000}");
    ok("{\"a\":-0}");
}


/* 2^1024 - 2^970 is what rounds to infinity, however it is written */

#define LIMIT                                                                 \
    "17976931348623158079372897140530341507993413271003782693617377898044"    \
    "49682927647509466490179775872070963302864166928879109465555478519404"    \
    "02630657488671505820681908902000708383676273854845817711531764475730"    \
    "27006985557136695962284291481986083493647529271907416844436551070434"    \
    "271155969950809304288017790417449779"

static void
reals_end_where_doubles_do(void **state)
{
    char    text[2048];
    size_t  i, n;

    static const struct {
        const char  *number;
        int          ok;
    } cases[] = {
        { LIMIT "2.0", 0 }, { LIMIT "1.9", 1 }, { LIMIT "1.99999", 1 },
        { LIMIT "3.0", 0 }, { LIMIT "2.00001", 0 }, { LIMIT "2e0", 0 },
        { LIMIT "1e0", 1 }, { LIMIT "20e-1", 0 }, { LIMIT "19e-1", 1 },
        { "-" LIMIT "2.0", 0 }, { "-" LIMIT "1.9", 1 },
        { "0.0" LIMIT "2e310", 0 }, { "0.0" LIMIT "1e310", 1 },
        { "0.0" LIMIT "2e309", 1 },
        { "1.7976931348623157e308", 1 }, { "1.7976931348623158e308", 1 },
        { "1.7976931348623159e308", 0 }, { "1.8e308", 0 },
        { "17.976931348623157e307", 1 }, { "1797.7e305", 0 },
        { "9e307", 1 }, { "99e307", 0 }, { "1e308", 1 }, { "1e309", 0 },
        { "1E+308", 1 }, { "1E+309", 0 }, { "0.1e309", 1 },
        { "0.1e310", 0 }, { "0.001e311", 1 }, { "0.001e312", 0 },
        { "0e400", 1 }, { "0.000e99999999999999999999", 1 },
        { "1e99999999999999999999", 0 }, { "1e-99999999999999999999", 1 },
        { "1e18446744073709551616", 0 }, { "1e-400", 1 }, { "-1e-400", 1 },
        { "0.00001e99999999999999999999", 0 }, { "1e00000000000000001", 1 },
        { "1.", 0 }, { "1e", 0 }, { "1e+", 0 }, { "1.e1", 0 }, { "-", 0 },
        { "-.1", 0 }, { "00.1", 0 }, { "0.1.1", 0 }, { "1e1.1", 0 },
        { "1e1e1", 0 }, { "--1", 0 }, { "1-", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sprintf(text, "{\"a\":%s}", cases[i].number);

        if (accepted(text_str(text)) != cases[i].ok) {
            fail_msg("%s", text);
        }
    }

    /* each power of ten that is near, with its digits on either side */

    for (i = 290; i < 320; i++) {
        for (n = 0; n < 30; n++) {
            sprintf(text, "{\"a\":1%0*d.5e%d}", (int) n, 0, (int) (i - n));
            (void) accepted(text_str(text));

            sprintf(text, "{\"a\":0.%0*d1e%d}", (int) n, 0, (int) (i + n));
            (void) accepted(text_str(text));
        }
    }
}


/* an index stands behind what has many members */

static void
doubled_members_are_found_among_many(void **state)
{
    char    *text, *p;
    size_t   members, i, k;

    (void) state;

    text = malloc(5000 * 32);
    assert_non_null(text);

    for (members = 1; members < 5000;
         members = (members < 70) ? members + 1 : members * 3)
    {
        /* none doubled, then the last one like one before it */

        for (k = 0; k <= members; k += (members < 70) ? 1 : members / 5) {

            p = text;
            p += sprintf(p, "{\"x\":[{");

            for (i = 0; i < members; i++) {
                p += sprintf(p, "%s\"name-%zu\":%zu", i ? "," : "", i, i);
            }

            if (k < members) {
                p += sprintf(p, ",\"\\u006eame-%zu\":1", k);
            }

            p += sprintf(p, "}]}");

            assert_int_equal(accepted((akl_str_t) { (size_t) (p - text),
                                                    (unsigned char *) text }),
                             k >= members);
        }
    }

    free(text);
}


static void
members_are_found_among_many(void **state)
{
    char              *text, *p, name[32];
    size_t             members, i;
    akl_doc_t          doc;
    const akl_node_t  *node, *inside;

    (void) state;

    text = malloc(3000 * 64);
    assert_non_null(text);

    for (members = 1; members < 3000;
         members = (members < 70) ? members + 1 : members * 3)
    {
        p = text;
        p += sprintf(p, "{\"in\":{");

        for (i = 0; i < members; i++) {
            p += sprintf(p, "%s\"n%zu\":\"in-%zu\"", i ? "," : "", i, i);
        }

        p += sprintf(p, "}");

        for (i = 0; i < members; i++) {
            p += sprintf(p, ",\"n%zu\":\"out-%zu\"", i, i);
        }

        p += sprintf(p, "}");

        assert_int_equal(akl_doc_parse(&doc,
                              (akl_str_t) { (size_t) (p - text),
                                            (unsigned char *) text }), 0);

        inside = akl_doc_get(&doc, doc.nodes, "in");
        assert_non_null(inside);

        for (i = 0; i < members; i++) {
            sprintf(name, "n%zu", i);

            node = akl_doc_get(&doc, doc.nodes, name);
            assert_non_null(node);
            assert_memory_equal(node->text.data, "out-", 4);
            assert_memory_equal(node->text.data + 4, name + 1,
                                strlen(name) - 1);

            node = akl_doc_get(&doc, inside, name);
            assert_non_null(node);
            assert_memory_equal(node->text.data, "in-", 3);
        }

        assert_null(akl_doc_get(&doc, doc.nodes, "n"));
        assert_null(akl_doc_get(&doc, doc.nodes, ""));
        assert_null(akl_doc_get(&doc, inside, "in"));
        akl_doc_free(&doc);
    }

    free(text);
}


static void
depth_ends_at_32(void **state)
{
    int   depth;
    char  text[256], *p;

    (void) state;

    for (depth = 31; depth <= 34; depth++) {
        p = text;
        p += sprintf(p, "{\"a\":");
        memset(p, '[', (size_t) depth - 1);
        p += depth - 1;
        memset(p, ']', (size_t) depth - 1);
        p += depth - 1;
        strcpy(p, "}");

        assert_int_equal(accepted(text_str(text)), depth <= 32);
    }
}


static void
depth_of_100000_costs_no_stack(void **state)
{
    size_t          i, n;
    unsigned char  *text;

    static const char  *const openings[] = { "[", "{\"a\":", "[{\"a\":" };

    (void) state;

    for (i = 0; i < 3; i++) {
        n = strlen(openings[i]);
        text = malloc(100000 * n + 8);
        assert_non_null(text);

        memcpy(text, "{\"a\":", 5);

        for (size_t k = 0; k < 100000; k++) {
            memcpy(text + 5 + k * n, openings[i], n);
        }

        assert_false(accepted((akl_str_t) { 5 + 100000 * n, text }));
        free(text);
    }
}


static void
brackets_in_strings_are_no_depth(void **state)
{
    char  text[512], *p;

    (void) state;

    p = text + sprintf(text, "{\"a\":\"");
    memset(p, '[', 200);
    strcpy(p + 200, "\\\\\\\"[[[\"}");

    assert_true(accepted(text_str(text)));

    /* a quote that is escaped does not end the string, nor hide what is next */

    p = text + sprintf(text, "{\"a\":\"\\\\\",\"b\":");
    memset(p, '[', 40);
    memset(p + 40, ']', 40);
    strcpy(p + 80, "}");

    assert_false(accepted(text_str(text)));
}


static void
strings_are_read_typed(void **state)
{
    json_t     *object;
    akl_str_t   value;

    (void) state;

    object = akl_json_object(akl_str("{\"a\":\"x\",\"e\":\"\",\"n\":1,"
                                     "\"z\":null,\"l\":[\"x\"]}"));
    assert_non_null(object);

    assert_int_equal(akl_json_string(object, "a", &value), 0);
    assert_true(akl_str_eq(value, akl_str("x")));

    assert_int_equal(akl_json_string(object, "e", &value), 0);
    assert_int_equal(value.len, 0);
    assert_non_null(value.data);

    assert_int_equal(akl_json_string(object, "none", &value), 1);
    assert_null(value.data);

    assert_int_equal(akl_json_string(object, "n", &value), -1);
    assert_null(value.data);
    assert_int_equal(akl_json_string(object, "z", &value), -1);
    assert_int_equal(akl_json_string(object, "l", &value), -1);

    json_decref(object);
}


static void
times_are_whole_seconds_up_to_2_to_53(void **state)
{
    size_t      i;
    char        text[128];
    json_t     *object;
    int64_t     value;
    akl_doc_t   doc;

    static const struct {
        const char  *json;
        int          rc;
        int64_t      value;
    } tests[] = {
        { "0", 0, 0 },
        { "1300819380", 0, 1300819380 },
        { "1.5", 0, 1 },
        { "1300819380.999", 0, 1300819380 },
        { "1.3e9", 0, 1300000000 },
        { "-0", 0, 0 },
        { "-0.0", 0, 0 },
        { "9007199254740992", 0, 9007199254740992 },
        { "9007199254740993", -1, 0 },
        { "9223372036854775807", -1, 0 },
        { "1e300", -1, 0 },
        { "9007199254740994.0", -1, 0 },
        { "-1", -1, 0 },
        { "-0.5", -1, 0 },
        { "\"1300819380\"", -1, 0 },
        { "null", -1, 0 },
        { "true", -1, 0 },
        { "[1]", -1, 0 },
        { "{}", -1, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        sprintf(text, "{\"exp\":%s}", tests[i].json);
        object = akl_json_object(text_str(text));
        assert_non_null(object);

        assert_int_equal(akl_json_time(object, "exp", &value), tests[i].rc);
        assert_int_equal(value, tests[i].value);

        assert_int_equal(akl_json_time(object, "nbf", &value), 1);
        json_decref(object);

        assert_int_equal(akl_doc_parse(&doc, text_str(text)), 0);
        assert_int_equal(akl_doc_time(&doc, doc.nodes, "exp", &value),
                         tests[i].rc);
        assert_int_equal(value, tests[i].value);

        assert_int_equal(akl_doc_time(&doc, doc.nodes, "nbf", &value), 1);
        akl_doc_free(&doc);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(plain_objects_pass),
        cmocka_unit_test(top_level_must_be_an_object),
        cmocka_unit_test(doubled_members_are_refused_at_any_depth),
        cmocka_unit_test(escaped_names_are_the_same_member),
        cmocka_unit_test(names_are_case_sensitive),
        cmocka_unit_test(trailing_data_is_refused),
        cmocka_unit_test(byte_order_mark_is_refused),
        cmocka_unit_test(nul_is_refused),
        cmocka_unit_test(invalid_utf8_is_refused),
        cmocka_unit_test(lone_surrogates_are_refused),
        cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(reals_end_where_doubles_do),
        cmocka_unit_test(doubled_members_are_found_among_many),
        cmocka_unit_test(members_are_found_among_many),
        cmocka_unit_test(depth_ends_at_32),
        cmocka_unit_test(depth_of_100000_costs_no_stack),
        cmocka_unit_test(brackets_in_strings_are_no_depth),
        cmocka_unit_test(strings_are_read_typed),
        cmocka_unit_test(times_are_whole_seconds_up_to_2_to_53)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_json", tests, NULL, NULL);
}
