/* Flight marks: one owner at a time, and none for ever. */

#include <signal.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/shm_test.h"


#define MINE    100
#define OTHERS  200


static int
join(akl_store_t *store, uint64_t n, int64_t now, int64_t deadline,
    int32_t pid)
{
    int32_t     owner = 0;
    test_key_t  key = key_of(n);

    return akl_store_join(store, key.data, now, deadline, pid, &owner);
}


static int32_t
owner_of(akl_store_t *store, uint64_t n, int64_t now)
{
    int32_t     owner = 0;
    test_key_t  key = key_of(n);

    assert_int_equal(akl_store_join(store, key.data, now, now + 1, 1, &owner),
                     1);

    return owner;
}


static void
part(akl_store_t *store, uint64_t n, int32_t pid)
{
    test_key_t  key = key_of(n);

    akl_store_part(store, key.data, pid);
}


static size_t
flights(akl_store_t *store, int64_t now)
{
    akl_store_stat_t  stat;

    akl_store_stat(store, now, &stat);

    return stat.flights;
}


static void
a_key_has_one_owner(void **state)
{
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    assert_int_equal(join(store, 1, 0, 1000, MINE), 0);
    assert_int_equal(join(store, 1, 500, 1500, OTHERS), 1);
    assert_int_equal(join(store, 1, 500, 1500, MINE), 1);
    assert_int_equal(owner_of(store, 1, 500), MINE);
    assert_int_equal(join(store, 2, 500, 1500, OTHERS), 0);
    assert_int_equal(owner_of(store, 2, 500), OTHERS);
    assert_int_equal(flights(store, 500), 2);

    /* marks take no room from blobs, and are none */

    assert_int_equal(stat_of(store).used, 0);
    assert_int_equal(look(store, AKL_STORE_VERDICT, 1, NOW), -1);
    check(store);

    store_free(store);
}


static void
only_the_owner_ends_it(void **state)
{
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    assert_int_equal(join(store, 1, 0, 1000, MINE), 0);

    part(store, 1, OTHERS);
    part(store, 2, MINE);
    assert_int_equal(join(store, 1, 1, 1000, OTHERS), 1);

    part(store, 1, MINE);
    assert_int_equal(flights(store, 1), 0);
    assert_int_equal(join(store, 1, 1, 1000, OTHERS), 0);

    /* the former owner comes late */

    part(store, 1, MINE);
    assert_int_equal(owner_of(store, 1, 2), OTHERS);

    store_free(store);
}


static void
a_mark_ends_to_the_millisecond(void **state)
{
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    assert_int_equal(join(store, 1, 0, 1000, MINE), 0);
    assert_int_equal(join(store, 1, 999, 2000, OTHERS), 1);
    assert_int_equal(flights(store, 999), 1);
    assert_int_equal(flights(store, 1000), 0);
    assert_int_equal(join(store, 1, 1000, 2000, OTHERS), 0);
    assert_int_equal(owner_of(store, 1, 1999), OTHERS);
    assert_int_equal(flights(store, 1000), 1);

    store_free(store);
}


/*
 * Keys of one set: its first bytes choose it.  The ended mark is in front of
 * the live one, and must not be taken for the key's place.
 */

static void
a_set_that_is_full_says_so(void **state)
{
    int          i;
    int32_t      owner;
    test_key_t   keys[AKL_STORE_WAYS + 1];
    akl_store_t *store;

    (void) state;

    store = store_new(SMALL);

    for (i = 0; i <= AKL_STORE_WAYS; i++) {
        keys[i] = key_of(i);
        memset(keys[i].data, 7, 8);
    }

    for (i = 0; i < AKL_STORE_WAYS; i++) {
        assert_int_equal(akl_store_join(store, keys[i].data, 0, 1000 + i,
                                        MINE, &owner), 0);
    }

    assert_int_equal(akl_store_join(store, keys[i].data, 999, 2000, OTHERS,
                                    &owner), -1);

    /* the rest of the table has room all the same */

    assert_int_equal(join(store, 99, 999, 2000, OTHERS), 0);

    for (i = 1; i < AKL_STORE_WAYS; i++) {
        assert_int_equal(akl_store_join(store, keys[i].data, 1000, 2000,
                                        OTHERS, &owner), 1);
        assert_int_equal(owner, MINE);
    }

    assert_int_equal(akl_store_join(store, keys[AKL_STORE_WAYS].data, 1000,
                                    2000, OTHERS, &owner), 0);

    store_free(store);
}


static void
a_queue_of_a_worker_finds_room(void **state)
{
    int          refused;
    uint64_t     n;
    akl_store_t *store;

    (void) state;

    store = store_new(8 * 1024 * 1024);
    refused = 0;

    for (n = 0; n < 1024 + 64; n++) {
        refused += (join(store, n, 0, 1000, MINE) == -1);
    }

    /* sets fill unevenly; those few go without a mark */

    assert_in_range(refused, 0, 20);
    assert_int_equal(flights(store, 0), n - refused);

    store_free(store);
}


static void
marks_go_with_a_reset(void **state)
{
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    assert_int_equal(join(store, 1, 0, 1000, MINE), 0);
    assert_int_equal(akl_store_enter(store, 0), 0);
    assert_int_equal(akl_store_enter(store, 0), 1);
    assert_int_equal(flights(store, 0), 0);
    assert_int_equal(join(store, 1, 0, 1000, OTHERS), 0);
    akl_store_leave(store);

    store_free(store);
}


/* as the zone does it: the mark of a process that is gone is taken over */

static void
a_dead_owner_is_told_by_its_pid(void **state)
{
    int           status;
    pid_t         pid, parent;
    int32_t       owner;
    test_key_t    key;
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);
    key = key_of(1);
    parent = getpid();

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);

        if (getppid() == parent
            && akl_store_join(store, key.data, 0, 1000, getpid(), &owner)
               == 0)
        {
            kill(getpid(), SIGKILL);
        }

        _exit(1);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));

    assert_int_equal(akl_store_join(store, key.data, 1, 1000, getpid(),
                                    &owner), 1);
    assert_int_equal(owner, pid);
    assert_int_equal(kill(owner, 0), -1);

    akl_store_part(store, key.data, owner);
    assert_int_equal(akl_store_join(store, key.data, 1, 1000, getpid(),
                                    &owner), 0);

    store_free(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_key_has_one_owner),
        cmocka_unit_test(only_the_owner_ends_it),
        cmocka_unit_test(a_mark_ends_to_the_millisecond),
        cmocka_unit_test(a_set_that_is_full_says_so),
        cmocka_unit_test(a_queue_of_a_worker_finds_room),
        cmocka_unit_test(marks_go_with_a_reset),
        cmocka_unit_test(a_dead_owner_is_told_by_its_pid)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("shm_flights", tests, NULL, NULL);
}
