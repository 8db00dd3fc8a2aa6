/*
 * The store against a model of it that is too simple to be wrong: one array
 * a class, the least recently used in front, everything moved by memmove().
 */

#include "lib/shm_test.h"


#define ENTRIES  2048
#define ROUNDS   60000


typedef struct {
    uint64_t  n;                        /* of the key */
    uint64_t  seed;                     /* of the content */
    size_t    len;
    int64_t   expires;
    int64_t   until;                    /* by the steady clock */
} item_t;


typedef struct {
    item_t    items[ENTRIES];
    size_t    count;
    size_t    evicted;
} line_t;


static int64_t        steady;
static line_t         lines[AKL_STORE_CLASSES];
static unsigned char  blob[AKL_STORE_BLOB_MAX + 1];
static unsigned char  copy[AKL_STORE_BLOB_MAX];


static size_t
model_find(unsigned cls, uint64_t n)
{
    size_t  i;

    for (i = 0; i < lines[cls].count; i++) {
        if (lines[cls].items[i].n == n) {
            break;
        }
    }

    return i;
}


static void
model_drop(unsigned cls, size_t i)
{
    line_t  *line = &lines[cls];

    line->count--;
    memmove(&line->items[i], &line->items[i + 1],
            (line->count - i) * sizeof(item_t));
}


static int
model_live(unsigned cls, const item_t *item, int64_t now)
{
    int64_t  left = item->expires - now;

    if (cls == AKL_STORE_REVOKED) {
        return left > 0 || item->until > steady;
    }

    return left > 0 && item->until >= steady
           && left <= item->until - steady + 2;
}


static uint32_t
model_blocks(unsigned cls)
{
    size_t    i;
    uint32_t  n = 0;

    for (i = 0; i < lines[cls].count; i++) {
        n += blocks_for(lines[cls].items[i].len);
    }

    return n;
}


/* revocations that still count make no room */

static int
model_admit(akl_store_t *store, const item_t *item, int64_t now)
{
    size_t    i, pass;
    line_t   *line = &lines[AKL_STORE_REVOKED];
    uint32_t  blocks;

    for (pass = 0; pass < 2; pass++) {

        blocks = model_blocks(AKL_STORE_REVOKED) + blocks_for(item->len);
        i = model_find(AKL_STORE_REVOKED, item->n);

        if (i < line->count) {
            blocks -= blocks_for(line->items[i].len);
        }

        if (blocks <= share_of(store, AKL_STORE_REVOKED)) {
            return 0;
        }

        for (i = line->count; i > 0; i--) {
            if (!model_live(AKL_STORE_REVOKED, &line->items[i - 1], now)) {
                model_drop(AKL_STORE_REVOKED, i - 1);
            }
        }
    }

    return -1;
}


static int
model_set(akl_store_t *store, unsigned cls, item_t item, int64_t now)
{
    size_t    i;
    uint32_t  need, mine, others;
    unsigned  c, other, victim;

    if (cls == AKL_STORE_REVOKED && item.expires > now
        && model_admit(store, &item, now) != 0)
    {
        return -1;
    }

    i = model_find(cls, item.n);

    if (i < lines[cls].count) {
        model_drop(cls, i);
    }

    for (c = 0; c < AKL_STORE_CLASSES; c++) {
        for (i = 0; i < 2 && lines[c].count; i++) {

            if (model_live(c, &lines[c].items[0], now)) {
                break;
            }

            model_drop(c, 0);
        }
    }

    if (item.len > AKL_STORE_BLOB_MAX) {
        return -1;
    }

    if (item.expires <= now) {
        return 0;
    }

    need = blocks_for(item.len);

    if (need > share_of(store, cls)) {
        return -1;
    }

    other = (cls == AKL_STORE_VERDICT) ? AKL_STORE_GUARD
            : (cls == AKL_STORE_GUARD) ? AKL_STORE_VERDICT : cls;

    for ( ;; ) {
        mine = model_blocks(cls);
        others = (other == cls) ? 0 : model_blocks(other);

        if (mine + others + need <= share_of(store, cls)) {
            break;
        }

        victim = (mine == 0 || others > mine + need) ? other : cls;
        model_drop(victim, 0);
        lines[victim].evicted++;
    }

    assert_true(lines[cls].count < ENTRIES);

    item.until = steady + item.expires - now;
    lines[cls].items[lines[cls].count++] = item;

    return 0;
}


static ssize_t
model_get(unsigned cls, uint64_t n, int64_t now, size_t size, item_t *item)
{
    size_t  i;

    i = model_find(cls, n);

    if (i == lines[cls].count) {
        return -1;
    }

    *item = lines[cls].items[i];

    if (!model_live(cls, item, now)) {
        model_drop(cls, i);
        return -1;
    }

    if (item->len > size) {
        return -2;
    }

    if (cls != AKL_STORE_REVOKED) {
        model_drop(cls, i);
        lines[cls].items[lines[cls].count++] = *item;
    }

    return (ssize_t) item->len;
}


static void
step_set(akl_store_t *store, unsigned cls, uint64_t n, int64_t now,
    uint64_t *state)
{
    item_t      item;
    test_key_t  key = key_of(n);

    memset(&item, 0, sizeof(item));

    item.n = n;
    item.seed = rnd(state);

    switch (rnd(state) % 16) {

    case 0:
        item.len = 1 + rnd(state) % (AKL_STORE_BLOB_MAX + 1);
        break;

    case 1: case 2: case 3: case 4:
        item.len = 1800 + rnd(state) % 400;
        break;

    default:
        item.len = 1 + rnd(state) % 500;
        break;
    }

    item.expires = now + (int64_t) (rnd(state) % 60) - 2;

    fill(blob, item.len, item.seed);

    assert_int_equal(akl_store_set(store, cls, key.data, blob, item.len, now,
                                   item.expires),
                     model_set(store, cls, item, now));
}


static void
step_get(akl_store_t *store, unsigned cls, uint64_t n, int64_t now,
    uint64_t *state, size_t *hits)
{
    size_t      size;
    item_t      item;
    int64_t     expires;
    ssize_t     len;
    test_key_t  key = key_of(n);

    size = (rnd(state) % 8) ? sizeof(copy) : 300;
    len = model_get(cls, n, now, size, &item);

    assert_int_equal(akl_store_get(store, cls, key.data, now, copy, size,
                                   &expires), len);

    if (len >= 0) {
        fill(blob, item.len, item.seed);
        assert_memory_equal(copy, blob, item.len);
        assert_int_equal(expires, item.expires);
        (*hits)++;
    }
}


static void
compare(akl_store_t *store)
{
    size_t            i, used;
    uint32_t          n;
    unsigned          cls;
    test_key_t        key;
    akl_entry_t      *entry;
    akl_store_stat_t  stat;

    check(store);

    stat = stat_of(store);
    used = 0;

    for (cls = 0; cls < AKL_STORE_CLASSES; cls++) {

        assert_int_equal(stat.entries[cls], lines[cls].count);
        assert_int_equal(stat.evicted[cls], lines[cls].evicted);

        n = store->lists[cls].oldest;

        for (i = 0; i < lines[cls].count; i++) {
            entry = akl_store_entry(store, n);
            key = key_of(lines[cls].items[i].n);
            assert_memory_equal(entry->key, key.data, sizeof(key));
            n = entry->newer;
        }

        used += model_blocks(cls) * 256;
    }

    assert_int_equal(stat.used, used);
}


static void
run(uint64_t seed, size_t size, uint64_t keys)
{
    size_t        i, hits;
    int64_t       now;
    uint64_t      state, n;
    unsigned      cls;
    akl_store_t  *store;

    memset(lines, 0, sizeof(lines));

    store = store_new(size);
    store->steady = 10000;
    state = seed * 1000000007;
    now = NOW;
    steady = 10000;
    hits = 0;

    for (i = 0; i < ROUNDS; i++) {

        cls = rnd(&state) % AKL_STORE_CLASSES;
        n = rnd(&state) % keys;

        switch (rnd(&state) % 16) {

        case 0: case 1: case 2: case 3: case 4: case 5: case 6:
            step_set(store, cls, n, now, &state);
            break;

        default:
            step_get(store, cls, n, now, &state, &hits);
            break;
        }

        /* time goes on, and now and then a clock is set */

        if (rnd(&state) % 40 == 0) {
            now++;
            steady++;
        }

        if (rnd(&state) % 5000 == 0) {
            now += (int64_t) (rnd(&state) % 60) - 40;
        }

        store->steady = (uint32_t) steady;

        if (i % 500 == 0) {
            compare(store);
        }
    }

    compare(store);

    /* all of it was tried: else the figures above are to be changed */

    assert_true(hits > ROUNDS / 20);

    for (cls = 0; cls < AKL_STORE_CLASSES; cls++) {
        assert_true(lines[cls].count > 0);
    }

    assert_int_equal(munmap(store, size), 0);
}


static void
a_small_store_does_what_the_model_does(void **state)
{
    uint64_t  seed;

    (void) state;

    for (seed = 1; seed <= 4; seed++) {
        run(seed, AKL_STORE_MIN, 80);
        assert_true(lines[AKL_STORE_VERDICT].evicted > 100);
        assert_true(lines[AKL_STORE_GUARD].evicted > 100);
        assert_true(lines[AKL_STORE_REFUSAL].evicted > 100);
    }
}


static void
a_larger_one_does_too(void **state)
{
    (void) state;

    run(5, 512 * 1024 + 13, 400);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_small_store_does_what_the_model_does),
        cmocka_unit_test(a_larger_one_does_too)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("shm_model", tests, NULL, NULL);
}
