/*
 * What the shm_*.c tests share: stores in shared memory, keys and blobs made
 * from numbers, and a walk over everything in a store that tells whether it
 * is whole.
 */

#ifndef AKL_SHM_TEST_H
#define AKL_SHM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <sys/mman.h>

#include "../../../src/shm/store_layout.h"


#define SMALL   (128 * 1024)
#define NOW     1000000
#define LATER   (NOW + 600)


typedef struct {
    unsigned char  data[AKL_STORE_KEY];
} test_key_t;


static const unsigned  classes[] = {
    AKL_STORE_VERDICT, AKL_STORE_REFUSAL, AKL_STORE_GUARD, AKL_STORE_ALIAS,
    AKL_STORE_REVOKED
};


static inline uint64_t
mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15ull;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ull;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebull;

    return n ^ (n >> 31);
}


/* a repeatable sequence: the same numbers on each run */

static inline uint64_t
rnd(uint64_t *state)
{
    return mix((*state)++);
}


static inline test_key_t
key_of(uint64_t n)
{
    size_t      i;
    uint64_t    v;
    test_key_t  key;

    for (i = 0; i < AKL_STORE_KEY; i += sizeof(v)) {
        v = mix(n * 4 + i / sizeof(v));
        memcpy(key.data + i, &v, sizeof(v));
    }

    return key;
}


static inline void
fill(unsigned char *p, size_t len, uint64_t seed)
{
    size_t    i;
    uint64_t  v = 0;

    for (i = 0; i < len; i++) {

        if (i % sizeof(v) == 0) {
            v = mix(seed + i);
        }

        p[i] = (unsigned char) (v >> (i % sizeof(v) * 8));
    }
}


static inline void *
memory_new(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
             0);
    assert_ptr_not_equal(p, MAP_FAILED);

    return p;
}


static inline akl_store_t *
store_new(size_t size)
{
    akl_store_t  *store;

    store = akl_store_init(memory_new(size), size);
    assert_non_null(store);

    return store;
}


static inline void
store_free(akl_store_t *store)
{
    assert_int_equal(munmap(store, store->size), 0);
}


/* both clocks go alike, unless a test says otherwise */

static inline void
tell(akl_store_t *store, int64_t now)
{
    store->steady = (uint32_t) (now - NOW + 10000);
}


static inline int
put(akl_store_t *store, unsigned cls, uint64_t n, size_t len, int64_t now,
    int64_t expires)
{
    test_key_t            key = key_of(n);
    static unsigned char  blob[AKL_STORE_BLOB_MAX + 1];

    fill(blob, len, n);
    tell(store, now);

    return akl_store_set(store, cls, key.data, blob, len, now, expires);
}


/*
 * The length of blob n, whose content must be what put() made it; the steady
 * clock stands where it stood last.
 */

static inline ssize_t
look_again(akl_store_t *store, unsigned cls, uint64_t n, int64_t now)
{
    ssize_t               len;
    test_key_t            key = key_of(n);
    static unsigned char  blob[AKL_STORE_BLOB_MAX];
    static unsigned char  should[AKL_STORE_BLOB_MAX];

    len = akl_store_get(store, cls, key.data, now, blob, sizeof(blob), NULL);

    if (len > 0) {
        fill(should, (size_t) len, n);
        assert_memory_equal(blob, should, (size_t) len);
    }

    return len;
}


static inline ssize_t
look(akl_store_t *store, unsigned cls, uint64_t n, int64_t now)
{
    tell(store, now);

    return look_again(store, cls, n, now);
}


static inline akl_store_stat_t
stat_of(akl_store_t *store)
{
    akl_store_stat_t  stat;

    akl_store_stat(store, 0, &stat);

    return stat;
}


/* blocks that a blob needs, counted one by one */

static inline uint32_t
blocks_for(size_t len)
{
    size_t    room;
    uint32_t  n = 1;

    for (room = 256 - 64; room < len; room += 256 - 4) {
        n++;
    }

    return n;
}


static inline uint32_t
share_of(akl_store_t *store, unsigned cls)
{
    static const uint32_t  sixteenths[] = { 11, 2, 11, 2, 1 };

    return store->blocks / 16 * sixteenths[cls];
}


static inline uint32_t
taken_by(akl_store_t *store, unsigned cls)
{
    if (cls == AKL_STORE_VERDICT || cls == AKL_STORE_GUARD) {
        return store->lists[AKL_STORE_VERDICT].blocks
               + store->lists[AKL_STORE_GUARD].blocks;
    }

    return store->lists[cls].blocks;
}


static inline void
mark(unsigned char *seen, akl_store_t *store, uint32_t n)
{
    assert_true(n < store->blocks);
    assert_false(seen[n]);
    seen[n] = 1;
}


static inline void
check_list(akl_store_t *store, unsigned cls, unsigned char *seen)
{
    uint32_t          n, next, newer, chain, entries, blocks;
    akl_entry_t      *entry;
    akl_list_head_t  *list;

    list = &store->lists[cls];
    newer = AKL_STORE_NIL;
    entries = 0;
    blocks = 0;

    for (n = list->newest; n != AKL_STORE_NIL; n = entry->older) {

        mark(seen, store, n);

        entry = akl_store_entry(store, n);
        assert_int_equal(entry->cls, cls);
        assert_int_equal(entry->newer, newer);

        chain = 1;

        for (next = entry->next; next != AKL_STORE_NIL; chain++) {
            mark(seen, store, next);
            memcpy(&next, akl_store_block(store, next), sizeof(next));
        }

        assert_int_equal(chain, blocks_for(entry->len));

        newer = n;
        entries++;
        blocks += chain;
    }

    assert_int_equal(list->oldest, newer);
    assert_int_equal(list->entries, entries);
    assert_int_equal(list->blocks, blocks);
    assert_true(taken_by(store, cls) <= share_of(store, cls));
}


/*
 * Each block is in one chain, and in one only; lists, buckets and sums agree;
 * whatever is free has been wiped.
 */

static inline void
check(akl_store_t *store)
{
    size_t          i;
    uint32_t        n, cls, count, entries, *bucket;
    unsigned char  *seen, *block;

    seen = calloc(1, store->blocks);
    assert_non_null(seen);

    entries = 0;

    for (cls = 0; cls < AKL_STORE_CLASSES; cls++) {
        check_list(store, cls, seen);
        entries += store->lists[cls].entries;
    }

    bucket = (uint32_t *) ((unsigned char *) store + store->bucket_offset);

    for (i = 0; i < store->buckets; i++) {
        for (n = bucket[i]; n != AKL_STORE_NIL; entries--) {
            assert_true(n < store->blocks);
            assert_true(entries > 0);
            assert_true(seen[n]);
            n = akl_store_entry(store, n)->bucket;
        }
    }

    assert_int_equal(entries, 0);

    count = 0;

    for (n = store->free; n != AKL_STORE_NIL; count++) {

        mark(seen, store, n);

        block = akl_store_block(store, n);

        for (i = sizeof(uint32_t); i < AKL_STORE_BLOCK; i++) {
            assert_int_equal(block[i], 0);
        }

        memcpy(&n, block, sizeof(n));
    }

    assert_int_equal(count, store->free_blocks);
    assert_int_equal((store->blocks - count) * AKL_STORE_BLOCK, store->bytes);

    for (n = 0; n < store->blocks; n++) {
        assert_true(seen[n]);
    }

    free(seen);
}


/* takes a blob out: the new one is over already */

static inline void
forget(akl_store_t *store, unsigned cls, const unsigned char *key)
{
    (void) akl_store_set(store, cls, key, "", 0, NOW, NOW);
}


#endif /* AKL_SHM_TEST_H */
