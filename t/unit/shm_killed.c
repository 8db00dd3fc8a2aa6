/*
 * Several processes on one store, some of them killed in the middle of it.
 * The lock is a word with the holder's pid, taken away from the dead as
 * nginx's master does it.
 */

#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/shm_test.h"


#define KEYS      120
#define CHILDREN  4
#define KILLS     300
#define STEPS     30000


typedef struct {
    pid_t     lock;
    uint64_t  steps[CHILDREN];
} shared_t;


static pid_t  parent;


static void
lock(shared_t *shared, akl_store_t *store)
{
    pid_t  none;

    for ( ;; ) {
        none = 0;

        if (__atomic_compare_exchange_n(&shared->lock, &none, getpid(), 0,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        {
            break;
        }

        sched_yield();
    }

    (void) akl_store_enter(store, 0);
}


static void
unlock(shared_t *shared, akl_store_t *store)
{
    akl_store_leave(store);
    __atomic_store_n(&shared->lock, 0, __ATOMIC_SEQ_CST);
}


/* a blob is its key, who wrote it and a number, then what follows of them */

static size_t
make(unsigned char *blob, uint64_t n, uint64_t version)
{
    size_t  len;

    len = 16 + mix(n ^ version) % 3000;

    memcpy(blob, &n, sizeof(n));
    memcpy(blob + 8, &version, sizeof(version));
    fill(blob + 16, len - 16, n * 31 + version);

    return len;
}


static int
intact(const unsigned char *blob, size_t len, uint64_t n)
{
    uint64_t       version;
    unsigned char  should[16 + 3000];

    if (len < 16 || memcmp(blob, &n, sizeof(n)) != 0) {
        return 0;
    }

    memcpy(&version, blob + 8, sizeof(version));

    return make(should, n, version) == len && memcmp(should, blob, len) == 0;
}


/* one step of many; 0 where something was read that nobody wrote */

static int
step(shared_t *shared, akl_store_t *store, uint64_t *state)
{
    size_t         len;
    ssize_t        got;
    int32_t        owner;
    uint64_t       n, what;
    unsigned       cls;
    test_key_t     key;
    unsigned char  blob[16 + 3000];

    n = rnd(state) % KEYS;
    what = rnd(state) % 16;
    cls = rnd(state) % AKL_STORE_CLASSES;
    key = key_of(n);
    got = -1;
    len = make(blob, n, rnd(state));

    lock(shared, store);

    switch (what) {

    case 0:
        forget(store, cls, key.data);
        break;

    case 1:
        (void) akl_store_join(store, key.data, NOW, LATER, getpid(), &owner);
        break;

    case 2:
        akl_store_part(store, key.data, getpid());
        break;

    case 3: case 4: case 5: case 6: case 7: case 8:
        (void) akl_store_set(store, cls, key.data, blob, len, NOW, LATER);
        break;

    default:
        got = akl_store_get(store, cls, key.data, NOW, blob, sizeof(blob),
                            NULL);
    }

    unlock(shared, store);

    return got == -1 || (got >= 0 && intact(blob, (size_t) got, n));
}


/* nothing but writing, and nearly all of the time: to be killed in it */

static int
churn(shared_t *shared, akl_store_t *store, uint64_t *state)
{
    int            i;
    size_t         len[2];
    int32_t        owner;
    uint64_t       n;
    unsigned       cls;
    test_key_t     key;
    unsigned char  blob[2][16 + 3000];

    n = rnd(state) % KEYS;
    key = key_of(n);
    len[0] = make(blob[0], n, rnd(state));
    len[1] = make(blob[1], n, rnd(state));

    lock(shared, store);

    for (i = 0; i < 100; i++) {
        cls = rnd(state) % AKL_STORE_CLASSES;

        (void) akl_store_set(store, cls, key.data, blob[i % 2], len[i % 2],
                             NOW, LATER);
        (void) akl_store_join(store, key.data, NOW, LATER, getpid(), &owner);

        if (rnd(state) % 4 == 0) {
            forget(store, cls, key.data);
            akl_store_part(store, key.data, getpid());
        }
    }

    unlock(shared, store);

    return 1;
}


static pid_t
worker(shared_t *shared, akl_store_t *store, unsigned i, uint64_t steps,
    int (*work)(shared_t *shared, akl_store_t *store, uint64_t *state))
{
    pid_t     pid;
    uint64_t  state;

    pid = fork();
    assert_true(pid >= 0);

    if (pid) {
        return pid;
    }

    prctl(PR_SET_PDEATHSIG, SIGKILL);

    if (getppid() != parent) {
        _exit(1);
    }

    state = mix((uint64_t) getpid() << 20);

    while (steps--) {

        if (!work(shared, store, &state)) {
            _exit(2);
        }

        __atomic_fetch_add(&shared->steps[i], 1, __ATOMIC_SEQ_CST);
    }

    _exit(0);
}


/* what a writer leaves behind is not to be trusted in any word of it */

static void
scribble(akl_store_t *store, uint64_t *state)
{
    size_t          i, n, from;
    uint64_t        v;
    unsigned char  *p = (unsigned char *) store;

    store->free = (uint32_t) rnd(state);
    store->free_blocks = (uint32_t) rnd(state);
    store->bytes = rnd(state);

    for (i = 0; i < AKL_STORE_CLASSES; i++) {
        store->lists[i].newest = (uint32_t) rnd(state);
        store->lists[i].oldest = (uint32_t) rnd(state);
        store->lists[i].entries = (uint32_t) rnd(state);
        store->lists[i].blocks = (uint32_t) rnd(state);
    }

    from = store->bucket_offset;
    n = store->block_offset + (size_t) store->blocks * AKL_STORE_BLOCK - from;

    for (i = 0; i < 3000; i++) {
        v = rnd(state);
        memcpy(p + from + rnd(state) % (n - sizeof(v)), &v, sizeof(v));
    }
}


static void
whatever_a_dead_writer_left_is_dropped(void **state)
{
    int           i;
    uint64_t      n, seed = 1;
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    for (i = 0; i < 200; i++) {

        assert_int_equal(akl_store_enter(store, 0), 0);

        for (n = 0; n < 100; n++) {
            (void) put(store, rnd(&seed) % AKL_STORE_CLASSES, n,
                       1 + rnd(&seed) % 2500, NOW, LATER);
        }

        scribble(store, &seed);

        assert_int_equal(akl_store_enter(store, 0), 1);
        check(store);
        assert_int_equal(stat_of(store).used, 0);
        assert_int_equal(stat_of(store).flights, 0);
        assert_int_equal(stat_of(store).resets, i + 1);
        assert_int_equal(store->free_blocks, store->blocks);

        assert_int_equal(put(store, AKL_STORE_VERDICT, 1, 2000, NOW, LATER),
                         0);
        akl_store_leave(store);
    }

    /* a store that was left properly keeps what it has */

    assert_int_equal(akl_store_enter(store, 0), 0);
    assert_int_equal(look(store, AKL_STORE_VERDICT, 1, NOW), 2000);
    assert_int_equal(stat_of(store).resets, i);
    akl_store_leave(store);
    check(store);

    assert_ptr_equal(akl_store_attach(store, SMALL), store);

    store_free(store);
}


/* counts of what was evicted go on, as counters have to */

static void
counts_outlive_a_reset(void **state)
{
    size_t        evicted;
    uint64_t      n;
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    for (n = 0; n < 1000; n++) {
        assert_int_equal(put(store, AKL_STORE_REFUSAL, n, 100, NOW, LATER),
                         0);
    }

    evicted = stat_of(store).evicted[AKL_STORE_REFUSAL];
    assert_true(evicted > 800);

    assert_int_equal(akl_store_enter(store, 0), 0);
    assert_int_equal(akl_store_enter(store, 0), 1);
    akl_store_leave(store);

    assert_int_equal(stat_of(store).evicted[AKL_STORE_REFUSAL], evicted);
    assert_int_equal(stat_of(store).entries[AKL_STORE_REFUSAL], 0);

    store_free(store);
}


static void
processes_read_only_what_was_written(void **state)
{
    int           i, status;
    pid_t         pids[CHILDREN];
    shared_t     *shared;
    akl_store_t  *store;

    (void) state;

    parent = getpid();
    shared = memory_new(sizeof(shared_t));
    store = store_new(SMALL);

    for (i = 0; i < CHILDREN; i++) {
        pids[i] = worker(shared, store, i, STEPS, step);
    }

    for (i = 0; i < CHILDREN; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(shared->steps[i], STEPS);
    }

    assert_int_equal(stat_of(store).resets, 0);
    assert_true(stat_of(store).evicted[AKL_STORE_VERDICT] > 0);
    check(store);

    assert_int_equal(munmap(shared, sizeof(shared_t)), 0);
    store_free(store);
}


static void
wait_for_steps(shared_t *shared, pid_t pid, uint64_t steps)
{
    int       status;
    uint64_t  until;

    until = __atomic_load_n(&shared->steps[0], __ATOMIC_SEQ_CST) + steps;

    while (__atomic_load_n(&shared->steps[0], __ATOMIC_SEQ_CST) < until) {
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
        sched_yield();
    }
}


/*
 * One is killed while it is seen in the store, and then the next one.  The
 * reader is never killed, and ends by itself if it reads what nobody wrote.
 */

static void
a_killed_process_harms_nobody(void **state)
{
    int           i, status;
    pid_t         victim, reader, holder;
    size_t        marked;
    shared_t     *shared;
    akl_store_t  *store;

    (void) state;

    parent = getpid();
    shared = memory_new(sizeof(shared_t));
    store = store_new(SMALL);
    marked = 0;

    reader = worker(shared, store, 0, UINT64_MAX, step);

    for (i = 0; i < KILLS; i++) {

        victim = worker(shared, store, 1, UINT64_MAX, churn);

        while (__atomic_load_n(&shared->lock, __ATOMIC_SEQ_CST) != victim) {
            assert_int_equal(waitpid(victim, &status, WNOHANG), 0);
            sched_yield();
        }

        assert_int_equal(kill(victim, SIGKILL), 0);
        assert_int_equal(waitpid(victim, &status, 0), victim);
        assert_true(WIFSIGNALED(status));

        /* the lock is still its own: nobody else can change the mark */

        marked += (__atomic_load_n(&shared->lock, __ATOMIC_SEQ_CST) == victim
                   && store->busy);

        holder = victim;

        (void) __atomic_compare_exchange_n(&shared->lock, &holder, 0, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

        wait_for_steps(shared, reader, 20);
    }

    lock(shared, store);
    check(store);
    unlock(shared, store);

    assert_int_equal(kill(reader, SIGKILL), 0);
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_true(WIFSIGNALED(status));

    /* one reset for each that died with the mark set, none for the others */

    assert_true(marked > KILLS / 4);
    assert_int_equal(stat_of(store).resets, marked);

    assert_int_equal(munmap(shared, sizeof(shared_t)), 0);
    store_free(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(whatever_a_dead_writer_left_is_dropped),
        cmocka_unit_test(counts_outlive_a_reset),
        cmocka_unit_test(processes_read_only_what_was_written),
        cmocka_unit_test(a_killed_process_harms_nobody)
    };

    /* a store that is not whole may well have no end */

    alarm(240);

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("shm_killed", tests, NULL, NULL);
}
