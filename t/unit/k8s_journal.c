/*
 * The journal of revocations: what was kept is there, whoever dies and
 * whatever became of the file.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/journal_test.h"


#define ROUNDS  20


static void
put(const char *text, size_t len)
{
    int  fd;

    fd = open(path, O_WRONLY|O_CREAT|O_APPEND, 0600);
    assert_true(fd != -1);
    assert_int_equal(write(fd, text, len), len);
    (void) close(fd);
}


static void
what_one_keeps_the_others_read(void **state)
{
    struct stat    st;
    akl_journal_t  one, two;

    (void) state;

    akl_journal_init(&one, path, 65536);
    akl_journal_init(&two, path, 65536);

    assert_int_equal(akl_journal_open(&one, NOW), AKL_JOURNAL_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(akl_journal_open(&two, NOW), AKL_JOURNAL_OK);

    assert_int_equal(keep(&one, "a", 2000, NOW), AKL_JOURNAL_OK);
    assert_true(has(&one, "a"));
    assert_false(has(&two, "a"));

    assert_int_equal(akl_journal_read(&two, akl_journal_size(&one), NOW),
                     AKL_JOURNAL_OK);
    assert_true(has(&two, "a"));

    assert_int_equal(keep(&two, "b", 2000, NOW), AKL_JOURNAL_OK);
    assert_int_equal(akl_journal_read(&one, 0, NOW), AKL_JOURNAL_OK);
    assert_true(has(&one, "b"));

    akl_journal_free(&one);
    akl_journal_free(&two);
}


static void
nobody_reads_what_is_being_written_nor_writes_beside_it(void **state)
{
    akl_journal_t  one, two;

    (void) state;

    akl_journal_init(&one, path, 65536);
    akl_journal_init(&two, path, 65536);

    assert_int_equal(akl_journal_open(&two, NOW), AKL_JOURNAL_OK);
    assert_int_equal(akl_journal_lock(&one, NOW), AKL_JOURNAL_OK);

    put("{\"jti\":\"a\",\"until\":2000}\n", 25);

    assert_int_equal(akl_journal_read(&two, 0, NOW), AKL_JOURNAL_BUSY);
    assert_int_equal(keep(&two, "b", 2000, NOW), AKL_JOURNAL_BUSY);
    assert_false(has(&two, "a"));

    akl_journal_unlock(&one);

    assert_int_equal(akl_journal_read(&two, 0, NOW), AKL_JOURNAL_OK);
    assert_true(has(&two, "a"));

    akl_journal_free(&one);
    akl_journal_free(&two);
}


static void
a_torn_end_is_cut_off_and_takes_nothing_with_it(void **state)
{
    size_t         i;
    akl_journal_t  journal, again;

    static const struct {
        const char  *text;
        size_t       len;
    } ends[] = {
        { "{\"jti\":\"torn\",\"until\":20", 23 },
        { "{\"jti\":\"torn\",\"until\":2000}", 27 },
        { "\0\0\0\0", 4 },
        { "{\"jti\":\"torn\0\0\0\0", 16 },
        { "\0\0\n{\"jti\":\"torn\",\"until\":2000}\n", 31 }
    };

    (void) state;

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void) unlink(path);

        put("{\"jti\":\"a\",\"until\":2000}\n", 25);
        put(ends[i].text, ends[i].len);

        akl_journal_init(&journal, path, 65536);
        assert_int_equal(akl_journal_open(&journal, NOW), AKL_JOURNAL_OK);
        assert_true(has(&journal, "a"));
        assert_false(has(&journal, "torn"));
        assert_int_equal(keep(&journal, "b", 2000, NOW), AKL_JOURNAL_OK);
        assert_int_equal(size_of_file(), 50);

        akl_journal_init(&again, path, 65536);
        assert_int_equal(akl_journal_open(&again, NOW), AKL_JOURNAL_OK);
        assert_true(has(&again, "a") && has(&again, "b"));
        assert_false(has(&again, "torn"));

        akl_journal_free(&journal);
        akl_journal_free(&again);
    }
}


static void
a_broken_line_is_named_and_keeps_what_was_read(void **state)
{
    akl_journal_t  journal;

    (void) state;

    put("{\"jti\":\"a\",\"until\":2000}\n", 25);

    akl_journal_init(&journal, path, 65536);
    assert_int_equal(akl_journal_open(&journal, NOW), AKL_JOURNAL_OK);

    put("{\"jti\":5}\n", 10);

    assert_int_equal(akl_journal_read(&journal, 0, NOW), AKL_JOURNAL_ERROR);
    assert_int_equal(journal.line, 2);
    assert_int_equal(journal.error, 0);
    assert_non_null(journal.cause);
    assert_int_equal(keep(&journal, "b", 2000, NOW), AKL_JOURNAL_ERROR);
    assert_true(has(&journal, "a"));

    akl_journal_free(&journal);

    akl_journal_init(&journal, path, 65536);
    assert_int_equal(akl_journal_open(&journal, NOW), AKL_JOURNAL_ERROR);
    assert_int_equal(journal.line, 2);
    assert_null(journal.table);

    akl_journal_free(&journal);
}


/* by a limit of the file's size, which cuts a write short */

static void
a_disk_that_is_full_keeps_nothing_half(void **state)
{
    size_t            i, kept, size;
    akl_journal_t     journal, other;
    struct rlimit     old, limit;
    akl_revocation_t  entries[3];

    (void) state;

    (void) signal(SIGXFSZ, SIG_IGN);

    akl_journal_init(&journal, path, 65536);
    akl_journal_init(&other, path, 65536);
    assert_int_equal(keep(&journal, "a", 2000, NOW), AKL_JOURNAL_OK);

    size = size_of_file();

    entries[0] = jti("b", 2000);
    entries[1] = jti("c", 2000);
    entries[2] = jti("d", 2000);

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);

    /* none, part of a line, a whole one, one and a part */

    for (i = 0; i < 3 * size; i += 5) {
        limit = old;
        limit.rlim_cur = size + i;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);

        assert_int_equal(akl_journal_lock(&journal, NOW), AKL_JOURNAL_OK);
        assert_int_equal(akl_journal_append(&journal, entries, 3, NOW, &kept),
                         AKL_JOURNAL_ERROR);
        assert_int_equal(kept, 0);
        assert_int_equal(journal.error, i ? ENOSPC : EFBIG);
        akl_journal_unlock(&journal);

        assert_int_equal(size_of_file(), size);
        assert_int_equal(akl_journal_read(&other, 0, NOW), AKL_JOURNAL_OK);
        assert_true(has(&other, "a") && !has(&other, "b"));
        assert_false(has(&journal, "b"));
    }

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);

    assert_int_equal(akl_journal_lock(&journal, NOW), AKL_JOURNAL_OK);
    assert_int_equal(akl_journal_append(&journal, entries, 3, NOW, &kept),
                     AKL_JOURNAL_OK);
    assert_int_equal(kept, 3);
    akl_journal_unlock(&journal);
    assert_int_equal(akl_journal_read(&other, 0, NOW), AKL_JOURNAL_OK);
    assert_true(has(&other, "b") && has(&other, "c") && has(&other, "d"));

    akl_journal_free(&journal);
    akl_journal_free(&other);
}


static void
a_full_journal_takes_what_fits_and_forgets_nothing(void **state)
{
    char              name[8];
    size_t            i, n, kept;
    akl_journal_t     journal;
    akl_revocation_t  entries[3];

    (void) state;

    akl_journal_init(&journal, path, 1000);

    for (n = 0; n < 38; n++) {
        (void) sprintf(name, "t%02zu", n);
        assert_int_equal(keep(&journal, name, 2000 + n % 2 * 1000, NOW),
                         AKL_JOURNAL_OK);

        if (size_of_file() > 1000 - 3 * 27) {
            break;
        }
    }

    entries[0] = jti("a__", 3000);
    entries[1] = jti("b__", 3000);
    entries[2] = jti("c__", 3000);

    assert_int_equal(akl_journal_lock(&journal, NOW), AKL_JOURNAL_OK);
    assert_int_equal(akl_journal_append(&journal, entries, 3, NOW, &kept),
                     AKL_JOURNAL_OK);
    akl_journal_unlock(&journal);

    assert_int_equal(kept, 2);
    assert_true(has(&journal, "a__") && has(&journal, "b__"));
    assert_false(has(&journal, "c__"));

    for (i = 0; i <= n; i++) {
        (void) sprintf(name, "t%02zu", i);
        assert_true(has(&journal, name));
    }

    /* what is over makes room */

    assert_int_equal(akl_journal_lock(&journal, 2500), AKL_JOURNAL_OK);
    assert_int_equal(akl_journal_append(&journal, &entries[2], 1, 2500,
                                        &kept), AKL_JOURNAL_OK);
    akl_journal_unlock(&journal);

    assert_int_equal(kept, 0);

    assert_int_equal(akl_journal_lock(&journal, 3000), AKL_JOURNAL_OK);
    entries[2].until = 4000;
    assert_int_equal(akl_journal_append(&journal, &entries[2], 1, 3000,
                                        &kept), AKL_JOURNAL_OK);
    akl_journal_unlock(&journal);

    assert_int_equal(kept, 1);
    assert_int_equal(akl_revocations_count(journal.table), 1);
    assert_int_equal(size_of_file(), 27);

    akl_journal_free(&journal);
}


static void
a_file_that_was_deleted_or_replaced_gets_back_what_counts(void **state)
{
    size_t         i;
    akl_journal_t  one, two, fresh;

    (void) state;

    for (i = 0; i < 2; i++) {
        (void) unlink(path);

        akl_journal_init(&one, path, 65536);
        akl_journal_init(&two, path, 65536);
        akl_journal_init(&fresh, path, 65536);

        assert_int_equal(keep(&one, "a", 2000, NOW), AKL_JOURNAL_OK);
        assert_int_equal(akl_journal_open(&two, NOW), AKL_JOURNAL_OK);

        assert_int_equal(unlink(path), 0);

        if (i) {
            put("{\"jti\":\"new\",\"until\":2000}\n", 27);
        }

        assert_int_equal(akl_journal_read(&two, 0, NOW), AKL_JOURNAL_OK);
        assert_true(has(&two, "a"));

        assert_int_equal(keep(&two, "b", 2000, NOW), AKL_JOURNAL_OK);
        assert_int_equal(akl_journal_read(&one, 0, NOW), AKL_JOURNAL_OK);
        assert_true(has(&one, "a") && has(&one, "b"));

        assert_int_equal(akl_journal_open(&fresh, NOW), AKL_JOURNAL_OK);
        assert_true(has(&fresh, "a") && has(&fresh, "b"));
        assert_int_equal(has(&fresh, "new"), i);

        akl_journal_free(&one);
        akl_journal_free(&two);
        akl_journal_free(&fresh);
    }
}


/* several writers, killed at any point; each tells by a pipe what was kept */

static void
a_writer_that_is_killed_loses_nothing_that_was_kept(void **state)
{
    int            fds[2], status;
    char           name[16];
    pid_t          pid[2];
    size_t         i, k, n, told;
    uint32_t       number;
    akl_journal_t  journal;

    (void) state;

    told = 0;

    for (i = 0; i < ROUNDS; i++) {

        assert_int_equal(pipe(fds), 0);

        for (k = 0; k < 2; k++) {
            pid[k] = fork();

            if (pid[k] == 0) {
                akl_journal_init(&journal, path, 1 << 20);

                for (n = 0; ; n++) {
                    number = (uint32_t) (i * 2000000 + k * 1000000 + n);
                    (void) sprintf(name, "k%u", number);

                    if (keep(&journal, name, n % 3 ? 900 : 2000, NOW)
                        == AKL_JOURNAL_OK && n % 3 == 0)
                    {
                        (void) !write(fds[1], &number, sizeof(number));
                    }
                }
            }
        }

        (void) close(fds[1]);

        /* after some of them, which is at another point each time */

        akl_journal_init(&journal, path, 1 << 20);

        for (n = 0; n < 3 + i % 7; n++) {
            assert_int_equal(read(fds[0], &number, 4), 4);
        }

        (void) kill(pid[i % 2], SIGKILL);
        (void) kill(pid[1 - i % 2], SIGKILL);
        (void) waitpid(pid[0], &status, 0);
        (void) waitpid(pid[1], &status, 0);

        assert_int_equal(akl_journal_open(&journal, NOW), AKL_JOURNAL_OK);

        do {
            (void) sprintf(name, "k%u", number);
            assert_true(has(&journal, name));
            told++;
        } while (read(fds[0], &number, 4) == 4);

        assert_int_equal(keep(&journal, "after", 2000, NOW), AKL_JOURNAL_OK);

        (void) close(fds[0]);
        akl_journal_free(&journal);
    }

    assert_true(told >= ROUNDS);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(what_one_keeps_the_others_read, setup),
        cmocka_unit_test_setup(
            nobody_reads_what_is_being_written_nor_writes_beside_it, setup),
        cmocka_unit_test_setup(
            a_torn_end_is_cut_off_and_takes_nothing_with_it, setup),
        cmocka_unit_test_setup(
            a_broken_line_is_named_and_keeps_what_was_read, setup),
        cmocka_unit_test_setup(a_disk_that_is_full_keeps_nothing_half, setup),
        cmocka_unit_test_setup(
            a_full_journal_takes_what_fits_and_forgets_nothing, setup),
        cmocka_unit_test_setup(
            a_file_that_was_deleted_or_replaced_gets_back_what_counts, setup),
        cmocka_unit_test_setup(
            a_writer_that_is_killed_loses_nothing_that_was_kept, setup)
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
