/* Tables of revocations: what a line is, what a table finds. */

#include "lib/k8s_test.h"
#include "../../src/k8s/siphash.h"
#include "../../src/k8s/revocations.h"


#define NOW  1000


static akl_revocations_t *
table_of(const char *text, size_t piece)
{
    size_t              i, len;
    const char         *cause;
    akl_str_t           s;
    akl_revocations_t  *table;

    table = akl_revocations_create(0);
    assert_non_null(table);

    len = strlen(text);

    for (i = 0; i < len; i += s.len) {
        s.data = (const unsigned char *) text + i;
        s.len = (len - i < piece) ? len - i : piece;

        assert_int_equal(akl_revocations_feed(table, s, NOW, &cause), 0);
    }

    assert_int_equal(akl_revocations_end(table, NOW, &cause), 0);

    return table;
}


static int
match(akl_revocations_t *table, const char *jti, const char *sub, int64_t iat,
    int64_t now)
{
    return akl_revocations_match(table, str(jti), str(sub), iat, now);
}


static void
the_hash_is_siphash(void **state)
{
    size_t         i;
    unsigned char  key[16], text[15];

    (void) state;

    for (i = 0; i < sizeof(key); i++) {
        key[i] = (unsigned char) i;
    }

    memcpy(text, key, sizeof(text));

    /* from the paper, appendix A */

    assert_true(akl_siphash(key, (akl_str_t) { 15, text })
                == 0xa129ca6149be45e5ull);

    /* from its authors' vectors, of nothing and of eight bytes */

    assert_true(akl_siphash(key, (akl_str_t) { 0, text })
                == 0x726fdb47dd0e0e31ull);
    assert_true(akl_siphash(key, (akl_str_t) { 8, text })
                == 0x93f5f5799a932462ull);

    /* a claim that is not there */

    assert_true(akl_siphash(key, (akl_str_t) { 0, NULL })
                == 0x726fdb47dd0e0e31ull);
}


static void
a_table_finds_what_its_lines_name_however_they_come(void **state)
{
    size_t              piece;
    akl_revocations_t  *table;

    static const char  text[] =
        "{\"jti\":\"a\",\"until\":2000}\n"
        "\n"
        " {\"until\":1500.9, \"sub\":\"s\", \"before\":700, \"by\":[1]}\r\n"
        "{\"jti\":\"over\",\"until\":1000}\n"
        "{\"jti\":\"\\u0062\\n\",\"until\":2000}";

    (void) state;

    for (piece = 1; piece <= sizeof(text); piece++) {
        table = table_of(text, piece);

        assert_int_equal(akl_revocations_line(table), 5);
        assert_int_equal(akl_revocations_read(table), sizeof(text) - 1);
        assert_int_equal(akl_revocations_count(table), 3);

        assert_true(match(table, "a", "x", 900, NOW));
        assert_true(match(table, "a", "x", 900, 1999));
        assert_false(match(table, "a", "x", 900, 2000));
        assert_true(match(table, "b\n", "x", 900, NOW));
        assert_false(match(table, "b", "x", 900, NOW));
        assert_false(match(table, "over", "x", 900, NOW));
        assert_true(match(table, "x", "s", 699, NOW));
        assert_false(match(table, "x", "s", 700, NOW));
        assert_false(match(table, "x", "s", 699, 1500));
        assert_false(match(table, "s", "a", 0, NOW));

        assert_int_equal(akl_revocations_alive(table, NOW), 3);
        assert_int_equal(akl_revocations_alive(table, 1500), 2);
        assert_int_equal(akl_revocations_alive(table, 2000), 0);

        akl_revocations_free(table);
    }
}


static void
of_two_entries_of_a_name_the_later_times_count(void **state)
{
    akl_revocations_t  *table;

    (void) state;

    table = table_of("{\"sub\":\"s\",\"before\":700,\"until\":1500}\n"
                     "{\"sub\":\"s\",\"before\":600,\"until\":1800}\n"
                     "{\"jti\":\"j\",\"until\":1800}\n"
                     "{\"jti\":\"j\",\"until\":1500}\n", 4096);

    assert_int_equal(akl_revocations_count(table), 2);
    assert_true(match(table, "x", "s", 699, 1799));
    assert_true(match(table, "j", "x", 699, 1799));

    akl_revocations_free(table);
}


static void
a_broken_line_is_named(void **state)
{
    size_t              i;
    const char         *cause;
    akl_revocations_t  *table;

    static const struct {
        const char  *line, *cause;
    } cases[] = {
        { "x", "is no JSON object" },
        { "[]", "is no JSON object" },
        { "{\"jti\":\"a\",\"until\":2000", "is no JSON object" },
        { "{\"jti\":\"a\",\"until\":2000}{}", "is no JSON object" },
        { "{\"jti\":\"a\",\"jti\":\"a\",\"until\":2000}",
          "is no JSON object" },
        { "{\"jti\":\"\\u0000\",\"until\":2000}", "is no JSON object" },
        { "{\"jti\":\"\xff\",\"until\":2000}", "is no JSON object" },
        { "{\"until\":2000}", "needs exactly one of \"jti\" and \"sub\"" },
        { "{\"jti\":\"a\",\"sub\":\"b\",\"until\":2000}",
          "needs exactly one of \"jti\" and \"sub\"" },
        { "{\"jti\":5,\"until\":2000}",
          "has a \"jti\" or \"sub\" that is no string" },
        { "{\"jti\":\"a\",\"sub\":null,\"until\":2000}",
          "has a \"jti\" or \"sub\" that is no string" },
        { "{\"jti\":\"\",\"until\":2000}",
          "has an empty \"jti\" or \"sub\"" },
        { "{\"sub\":\"\",\"before\":1,\"until\":2000}",
          "has an empty \"jti\" or \"sub\"" },
        { "{\"jti\":\"a\"}", "has no \"until\" in seconds" },
        { "{\"jti\":\"a\",\"until\":\"2000\"}",
          "has no \"until\" in seconds" },
        { "{\"jti\":\"a\",\"until\":-1}", "has no \"until\" in seconds" },
        { "{\"jti\":\"a\",\"until\":1e300}", "has no \"until\" in seconds" },
        { "{\"jti\":\"a\",\"until\":2000,\"before\":1}",
          "has a \"before\" beside a \"jti\"" },
        { "{\"sub\":\"a\",\"until\":2000}",
          "has a \"sub\" without \"before\"" },
        { "{\"sub\":\"a\",\"until\":2000,\"before\":\"now\"}",
          "has a \"before\" that is no time in seconds" },
        /* also where it would be over */
        { "{\"sub\":\"a\",\"until\":2}",
          "has a \"sub\" without \"before\"" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        table = table_of("{\"jti\":\"a\",\"until\":2000}\n\n", 4096);

        cause = NULL;

        assert_int_equal(akl_revocations_feed(table, str(cases[i].line), NOW,
                                              &cause), 0);
        assert_int_equal(akl_revocations_end(table, NOW, &cause), -1);
        assert_string_equal(cause, cases[i].cause);
        assert_int_equal(akl_revocations_line(table), 2);

        akl_revocations_free(table);
    }
}


static void
a_line_and_a_name_have_their_longest(void **state)
{
    char               *line;
    size_t              len;
    const char         *cause;
    akl_revocations_t  *table;

    (void) state;

    line = malloc(AKL_REVOCATION_LINE + 2);
    assert_non_null(line);

    for (len = AKL_REVOCATION_NAME; len <= AKL_REVOCATION_NAME + 1; len++) {
        (void) sprintf(line, "{\"jti\":\"%0*d\",\"until\":2000}\n",
                       (int) len, 1);

        table = akl_revocations_create(0);

        if (len == AKL_REVOCATION_NAME) {
            assert_int_equal(akl_revocations_feed(table, str(line), NOW,
                                                  &cause), 0);

        } else {
            assert_int_equal(akl_revocations_feed(table, str(line), NOW,
                                                  &cause), -1);
            assert_string_equal(cause,
                                "has a \"jti\" or \"sub\" that is too long");
        }

        akl_revocations_free(table);
    }

    for (len = AKL_REVOCATION_LINE; len <= AKL_REVOCATION_LINE + 1; len++) {
        memset(line, ' ', len);
        memcpy(line, "{\"jti\":\"a\",\"until\":2000}", 24);
        line[len - 1] = '\n';

        table = akl_revocations_create(0);

        assert_int_equal(akl_revocations_feed(table,
                             (akl_str_t) { len, (unsigned char *) line }, NOW,
                             &cause),
                         len == AKL_REVOCATION_LINE ? 0 : -1);

        akl_revocations_free(table);
    }

    free(line);
}


static void
what_is_written_is_read_back(void **state)
{
    size_t              i, len;
    const char         *cause;
    akl_str_t           line;
    unsigned char       buf[AKL_REVOCATION_LINE], name[AKL_REVOCATION_NAME];
    akl_revocation_t    entry;
    akl_revocations_t  *table;

    (void) state;

    /* each byte takes six in a line */

    memset(name, 1, sizeof(name));

    memset(&entry, 0, sizeof(entry));
    entry.sub = (akl_str_t) { sizeof(name), name };
    entry.before = 500;
    entry.until = 2000;

    for (i = 0; i < 2; i++) {
        assert_null(akl_revocation_check(i ? entry.jti : entry.sub));

        len = akl_revocation_write(NULL, 0, &entry);
        assert_true(len <= sizeof(buf));
        assert_int_equal(akl_revocation_write(buf, sizeof(buf), &entry), len);
        assert_int_equal(buf[len - 1], '\n');

        line = (akl_str_t) { len, buf };
        table = akl_revocations_create(0);
        assert_int_equal(akl_revocations_feed(table, line, NOW, &cause), 0);
        assert_true(akl_revocations_match(table, entry.jti, entry.sub, 499,
                                          NOW));
        akl_revocations_free(table);

        entry.jti = str("\xc3\xa4 \"\\\n");
        entry.sub.len = 0;
    }

    assert_string_equal(akl_revocation_check(str("")), "is empty");
    assert_string_equal(akl_revocation_check(str("a\xff")), "is no text");
    assert_string_equal(akl_revocation_check((akl_str_t) { 1, name + 1 })
                        ? "" : "text", "text");
    name[5] = 0;
    assert_string_equal(akl_revocation_check((akl_str_t) { 9, name }),
                        "is no text");
}


static void
a_table_grows_as_it_has_to(void **state)
{
    char                jti[32];
    size_t              i, n;
    akl_revocation_t    entry;
    akl_revocations_t  *table;

    (void) state;

    n = 100000;
    table = akl_revocations_create(0);

    memset(&entry, 0, sizeof(entry));
    entry.until = 2000;

    for (i = 0; i < n; i++) {
        (void) sprintf(jti, "token-%zu", i * 2);
        entry.jti = str(jti);
        assert_int_equal(akl_revocations_add(table, &entry), 0);
    }

    assert_int_equal(akl_revocations_count(table), n);

    for (i = 0; i < 2 * n; i++) {
        (void) sprintf(jti, "token-%zu", i);
        assert_int_equal(match(table, jti, "s", 0, NOW), i % 2 == 0);
    }

    akl_revocations_free(table);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(the_hash_is_siphash),
        cmocka_unit_test(a_table_finds_what_its_lines_name_however_they_come),
        cmocka_unit_test(of_two_entries_of_a_name_the_later_times_count),
        cmocka_unit_test(a_broken_line_is_named),
        cmocka_unit_test(a_line_and_a_name_have_their_longest),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_table_grows_as_it_has_to)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
