#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../src/shm/akl_store.h"


#define SIZE  (512 * 1024)


static unsigned char  blob[AKL_STORE_BLOB_MAX + 1];


static unsigned char *
key(unsigned n)
{
    unsigned  i;

    static unsigned char  k[8][AKL_STORE_KEY];
    static unsigned       turn;

    turn = (turn + 1) % 8;

    for (i = 0; i < AKL_STORE_KEY / 4; i++) {
        n = n * 2654435761u + 12345 + i;
        memcpy(k[turn] + 4 * i, &n, 4);
    }

    return k[turn];
}


static unsigned char *
filled(unsigned n, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        blob[i] = (unsigned char) (n * 31 + i * 7 + 1) | 1;
    }

    return blob;
}


static int
set(akl_store_t *s, unsigned cls, unsigned n, size_t len, int64_t now,
    int64_t expires)
{
    int  rc;

    (void) akl_store_enter(s);
    rc = akl_store_set(s, cls, key(n), filled(n, len), len, now, expires);
    akl_store_leave(s);

    return rc;
}


static int
has(akl_store_t *s, unsigned cls, unsigned n, size_t len, int64_t now)
{
    ssize_t        got;
    int64_t        expires;
    unsigned char  buf[AKL_STORE_BLOB_MAX];

    (void) akl_store_enter(s);
    got = akl_store_get(s, cls, key(n), now, buf, sizeof(buf), &expires);
    akl_store_leave(s);

    if (got < 0) {
        return 0;
    }

    assert_int_equal(got, len);
    assert_memory_equal(buf, filled(n, len), len);
    assert_true(expires > now);

    return 1;
}


static akl_store_t *
made(void **memory)
{
    akl_store_t  *s;

    *memory = malloc(SIZE);
    assert_non_null(*memory);
    memset(*memory, 0xa5, SIZE);

    s = akl_store_init(*memory, SIZE);
    assert_non_null(s);

    return s;
}


static void
every_length_comes_back(void **state)
{
    void         *memory;
    size_t        len;
    akl_store_t  *s = made(&memory);

    (void) state;

    for (len = 0; len <= AKL_STORE_BLOB_MAX; len += (len < 1200) ? 1 : 509) {
        assert_int_equal(set(s, AKL_STORE_VERDICT, 1, len, 0, 10), 0);
        assert_true(has(s, AKL_STORE_VERDICT, 1, len, 9));
    }

    assert_int_equal(set(s, AKL_STORE_VERDICT, 1, AKL_STORE_BLOB_MAX + 1, 0,
                         10), -1);
    free(memory);
}


static void
expiry_and_deletion(void **state)
{
    void              *memory;
    unsigned           i;
    akl_store_t       *s = made(&memory);
    akl_store_stat_t   stat;

    (void) state;

    assert_int_equal(set(s, AKL_STORE_GUARD, 5, 100, 0, 10), 0);
    assert_true(has(s, AKL_STORE_GUARD, 5, 100, 9));
    assert_false(has(s, AKL_STORE_VERDICT, 5, 100, 9));
    assert_false(has(s, AKL_STORE_GUARD, 5, 100, 10));
    assert_false(has(s, AKL_STORE_GUARD, 5, 100, 9));

    assert_int_equal(set(s, AKL_STORE_GUARD, 6, 100, 0, 10), 0);
    akl_store_delete(s, AKL_STORE_GUARD, key(6));
    assert_false(has(s, AKL_STORE_GUARD, 6, 100, 0));

    /* expired ones make room before live ones must go */

    for (i = 0; i < 100; i++) {
        (void) set(s, AKL_STORE_REFUSAL, 1000 + i, 10, 0, 5);
    }

    for (i = 0; i < 200; i++) {
        (void) set(s, AKL_STORE_VERDICT, i, 10, 6, 100);
    }

    akl_store_stat(s, 0, &stat);
    assert_int_equal(stat.entries[AKL_STORE_REFUSAL], 0);
    assert_int_equal(stat.evicted[AKL_STORE_REFUSAL], 0);

    free(memory);
}


static void
the_least_recently_used_goes(void **state)
{
    void              *memory;
    unsigned           i, n;
    akl_store_t       *s = made(&memory);
    akl_store_stat_t   stat;

    (void) state;

    for (n = 0; ; n++) {
        assert_int_equal(set(s, AKL_STORE_VERDICT, n, 1000, 0, 100), 0);
        assert_true(has(s, AKL_STORE_VERDICT, 0, 1000, 0));

        akl_store_stat(s, 0, &stat);

        if (stat.evicted[AKL_STORE_VERDICT]) {
            break;
        }
    }

    assert_true(n > 100);
    assert_false(has(s, AKL_STORE_VERDICT, 1, 1000, 0));

    for (i = 2; i <= n; i++) {
        assert_true(has(s, AKL_STORE_VERDICT, i, 1000, 0));
    }

    free(memory);
}


static void
a_flood_stays_in_its_class(void **state)
{
    void              *memory;
    unsigned           i, cls, good;
    akl_store_t       *s = made(&memory);
    akl_store_stat_t   before, after;

    static const unsigned  floods[] = {
        AKL_STORE_REFUSAL, AKL_STORE_ALIAS, AKL_STORE_REVOKED
    };

    (void) state;

    for (good = 0; ; good++) {
        (void) set(s, AKL_STORE_VERDICT, good, 1500, 0, 100);
        akl_store_stat(s, 0, &before);

        if (before.evicted[AKL_STORE_VERDICT]) {
            break;
        }
    }

    for (cls = 0; cls < 3; cls++) {
        for (i = 0; i < 20000; i++) {
            assert_int_equal(set(s, floods[cls], 100000 + i, 60, 0, 100), 0);
        }
    }

    akl_store_stat(s, 0, &after);
    assert_int_equal(after.evicted[AKL_STORE_VERDICT],
                     before.evicted[AKL_STORE_VERDICT]);

    for (i = 2; i <= good; i++) {
        assert_true(has(s, AKL_STORE_VERDICT, i, 1500, 0));
    }

    assert_true(has(s, AKL_STORE_REFUSAL, 119999, 60, 0));

    free(memory);
}


static void
freed_blocks_are_wiped(void **state)
{
    void         *memory;
    size_t        i;
    akl_store_t  *s = made(&memory);

    static const char  secret[] = "eyJsecret.secret.secret";

    (void) state;

    (void) akl_store_enter(s);
    assert_int_equal(akl_store_set(s, AKL_STORE_VERDICT, key(1), secret,
                                   sizeof(secret), 0, 100), 0);
    akl_store_delete(s, AKL_STORE_VERDICT, key(1));
    akl_store_leave(s);

    for (i = 0; i + sizeof(secret) <= SIZE; i++) {
        assert_memory_not_equal((char *) memory + i, secret, sizeof(secret));
    }

    free(memory);
}


static void
flights(void **state)
{
    void              *memory;
    int32_t            owner;
    unsigned           i, taken;
    akl_store_t       *s = made(&memory);
    akl_store_stat_t   stat;

    (void) state;

    assert_int_equal(akl_store_join(s, key(1), 0, 100, 7, &owner), 0);
    assert_int_equal(akl_store_join(s, key(1), 50, 150, 8, &owner), 1);
    assert_int_equal(owner, 7);

    akl_store_part(s, key(1), 8);
    assert_int_equal(akl_store_join(s, key(1), 50, 150, 8, &owner), 1);

    akl_store_part(s, key(1), 7);
    assert_int_equal(akl_store_join(s, key(1), 50, 150, 8, &owner), 0);

    /* a mark that is over is free */

    assert_int_equal(akl_store_join(s, key(1), 150, 250, 9, &owner), 0);

    akl_store_stat(s, 200, &stat);
    assert_int_equal(stat.flights, 1);
    akl_store_stat(s, 250, &stat);
    assert_int_equal(stat.flights, 0);

    for (i = 0, taken = 0; i < 100000; i++) {
        taken += (akl_store_join(s, key(i), 300, 400, 1, &owner) == 0);
    }

    assert_true(taken > 100 && taken < 100000);
    assert_int_equal(akl_store_join(s, key(99999), 300, 400, 1, &owner), -1);

    free(memory);
}


static void
attach(void **state)
{
    void         *memory;
    akl_store_t  *s = made(&memory);

    (void) state;

    assert_ptr_equal(akl_store_attach(memory, SIZE), s);
    assert_null(akl_store_attach(memory, SIZE - 256));
    memset(memory, 0, 16);
    assert_null(akl_store_attach(memory, SIZE));
    assert_null(akl_store_init(memory, 100));

    free(memory);
}


/* against a table that cannot be wrong */

static void
random_operations(void **state)
{
    void              *memory;
    unsigned           i, n, cls;
    akl_store_t       *s = made(&memory);
    akl_store_stat_t   stat;

    static struct {
        size_t   len;
        int64_t  expires;
    } model[AKL_STORE_CLASSES][64];

    (void) state;

    srandom(1);
    memset(model, 0, sizeof(model));

    for (i = 0; i < 60000; i++) {
        n = (unsigned) random() % 64;
        cls = (unsigned) random() % AKL_STORE_CLASSES;

        switch (random() % 4) {

        case 0:
        case 1:
            model[cls][n].len = (size_t) random() % 300;
            model[cls][n].expires = i + 1 + random() % 500;
            assert_int_equal(set(s, cls, n, model[cls][n].len, i,
                                 model[cls][n].expires), 0);
            break;

        case 2:
            (void) akl_store_enter(s);
            akl_store_delete(s, cls, key(n));
            akl_store_leave(s);
            model[cls][n].expires = 0;
            break;

        default:
            assert_int_equal(has(s, cls, n, model[cls][n].len, i),
                             model[cls][n].expires > (int64_t) i);
            break;
        }
    }

    akl_store_stat(s, 0, &stat);

    for (cls = 0; cls < AKL_STORE_CLASSES; cls++) {
        assert_int_equal(stat.evicted[cls], 0);
    }

    free(memory);
}


/* a process killed anywhere leaves a store that works */

static void
killed_within(void **state)
{
    int           status;
    pid_t         pid;
    unsigned      i, n, resets;
    akl_store_t  *s;
    void         *memory;

    (void) state;

    memory = mmap(NULL, SIZE, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);
    assert_true(memory != MAP_FAILED);

    s = akl_store_init(memory, SIZE);
    resets = 0;

    for (i = 0; i < 200; i++) {

        pid = fork();

        if (pid == 0) {
            for (n = i; ; n++) {
                (void) set(s, n % AKL_STORE_CLASSES, n % 997, n % 3000, n,
                           n + 500);
            }
        }

        usleep(300 + i * 13 % 700);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);

        resets += (unsigned) akl_store_enter(s);
        akl_store_leave(s);

        for (n = 0; n < 300; n++) {
            assert_int_equal(set(s, AKL_STORE_VERDICT, 5000 + n, 700, 0, 10),
                             0);
            assert_true(has(s, AKL_STORE_VERDICT, 5000 + n, 700, 0));
        }
    }

    assert_true(resets > 0);
    munmap(memory, SIZE);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(expiry_and_deletion),
        cmocka_unit_test(the_least_recently_used_goes),
        cmocka_unit_test(a_flood_stays_in_its_class),
        cmocka_unit_test(freed_blocks_are_wiped),
        cmocka_unit_test(flights),
        cmocka_unit_test(attach),
        cmocka_unit_test(random_operations),
        cmocka_unit_test(killed_within)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("shm_store", tests, NULL, NULL);
}
