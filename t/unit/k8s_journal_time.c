/*
 * The journal of revocations, and time: what is over leaves it, late enough
 * for a clock that was wrong.
 */

#include "lib/journal_test.h"


#define AFTER  (1001 + AKL_JOURNAL_GRACE)       /* what ends at 1001 is gone */
#define LATE   (9000 + AKL_JOURNAL_GRACE)


static void
writing_anew_loses_nothing_and_others_follow(void **state)
{
    char              names[1000][64];
    size_t            i, kept;
    akl_journal_t     one, two;
    akl_revocation_t  entries[1000];

    (void) state;

    akl_journal_init(&one, path, 1 << 20);
    akl_journal_init(&two, path, 1 << 20);

    assert_int_equal(keep(&two, "stays", LATE, NOW), AKL_JOURNAL_OK);

    for (i = 0; i < 1000; i++) {
        (void) sprintf(names[i], "%050zu", i);
        entries[i] = jti(names[i], i % 4 ? 1001 : LATE);
    }

    assert_int_equal(akl_journal_lock(&one, NOW), AKL_JOURNAL_OK);
    assert_int_equal(akl_journal_append(&one, entries, 800, NOW, &kept),
                     AKL_JOURNAL_OK);
    assert_int_equal(kept, 800);
    assert_true(size_of_file() > 57600);

    /* most of it is over when the file grows longer than what is let be */

    assert_int_equal(akl_journal_append(&one, entries + 800, 200, AFTER,
                                        &kept),
                     AKL_JOURNAL_OK);
    assert_int_equal(kept, 200);
    akl_journal_unlock(&one);

    assert_int_equal(keep(&one, "later", LATE, AFTER), AKL_JOURNAL_OK);
    assert_true(size_of_file() < 32768);
    assert_int_equal(akl_revocations_count(one.table), 252);

    /* the other one has the former file open */

    assert_int_equal(akl_journal_read(&two, akl_journal_size(&one), AFTER),
                     AKL_JOURNAL_OK);
    assert_true(has(&two, "later") && has(&two, "stays"));
    assert_int_equal(akl_revocations_count(two.table), 252);
    assert_int_equal(keep(&two, "last", LATE, AFTER), AKL_JOURNAL_OK);
    assert_int_equal(akl_journal_read(&one, 0, AFTER), AKL_JOURNAL_OK);
    assert_true(has(&one, "last"));

    akl_journal_free(&one);
    akl_journal_free(&two);
}


/* by a clock that was wrong, or is */

static void
what_is_over_stays_for_a_day_unless_the_file_is_full(void **state)
{
    size_t            i, kept;
    char              name[8];
    akl_journal_t     one, two;
    akl_revocation_t  entry;

    (void) state;

    akl_journal_init(&one, path, 1000);

    for (i = 0; i < 30; i++) {
        (void) sprintf(name, "t%02zu", i);
        assert_int_equal(keep(&one, name, 2000, NOW), AKL_JOURNAL_OK);
    }

    /* a process that starts while the clock is ahead */

    akl_journal_init(&two, path, 1000);
    assert_int_equal(keep(&two, "ahead", LATE, 5000), AKL_JOURNAL_OK);
    assert_true(has(&two, "t00") && has(&two, "t29"));
    assert_int_equal(akl_revocations_count(two.table), 31);

    /* written anew since the file is gone, it has them still */

    assert_int_equal(unlink(path), 0);
    assert_int_equal(keep(&two, "again", LATE, 1999), AKL_JOURNAL_OK);

    akl_journal_free(&one);
    akl_journal_init(&one, path, 1000);
    assert_int_equal(akl_journal_open(&one, 5000), AKL_JOURNAL_OK);
    assert_true(has(&one, "t00") && has(&one, "t29") && has(&one, "again"));

    /* full, it has room for what is new */

    for (i = 0; i < 8; i++) {
        (void) sprintf(name, "n%02zu", i);
        entry = jti(name, LATE);
        assert_int_equal(akl_journal_lock(&two, 5000), AKL_JOURNAL_OK);
        assert_int_equal(akl_journal_append(&two, &entry, 1, 5000, &kept),
                         AKL_JOURNAL_OK);
        akl_journal_unlock(&two);
        assert_int_equal(kept, 1);
    }

    assert_false(has(&two, "t00"));
    assert_true(has(&two, "ahead") && has(&two, "n07"));

    /* and nobody brings back what made room for it */

    assert_int_equal(keep(&one, "last", LATE, 5000), AKL_JOURNAL_OK);
    assert_true(size_of_file() < 500);

    akl_journal_free(&one);
    akl_journal_free(&two);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(writing_anew_loses_nothing_and_others_follow,
                               setup),
        cmocka_unit_test_setup(
            what_is_over_stays_for_a_day_unless_the_file_is_full, setup)
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
