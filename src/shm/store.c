/*
 * The store as a whole: laid out, found again, entered and left.
 */

#include "store_layout.h"


#define AKL_STORE_MAGIC   0x316c6b61u


static void akl_store_clear(akl_store_t *store);


akl_store_t *
akl_store_init(void *memory, size_t size)
{
    size_t        left;
    akl_store_t  *store;

    if (size < AKL_STORE_MIN) {
        return NULL;
    }

    memset(memory, 0, size);

    store = memory;

    store->version = AKL_STORE_VERSION;
    store->size = size;

    store->sets = AKL_STORE_SETS;

    while (store->sets * AKL_STORE_WAYS * sizeof(akl_flight_t) > size / 16) {
        store->sets /= 2;
    }

    /* a bucket for every two blocks or less, most entries have several */

    store->buckets = 64;

    while ((size_t) store->buckets * 2 * AKL_STORE_BLOCK < size) {
        store->buckets *= 2;
    }

    store->bucket_offset = (sizeof(akl_store_t) + 63) & ~(size_t) 63;
    store->flight_offset = store->bucket_offset
                           + store->buckets * sizeof(uint32_t);
    store->block_offset = (store->flight_offset
                           + store->sets * AKL_STORE_WAYS
                             * sizeof(akl_flight_t)
                           + 63) & ~(size_t) 63;

    left = size - store->block_offset;
    store->blocks = (uint32_t) (left / AKL_STORE_BLOCK);

    akl_store_clear(store);

    store->magic = AKL_STORE_MAGIC;

    return store;
}


akl_store_t *
akl_store_attach(void *memory, size_t size)
{
    akl_store_t  *store;

    store = memory;

    return (store->magic == AKL_STORE_MAGIC
            && store->version == AKL_STORE_VERSION && store->size == size)
           ? store : NULL;
}


static void
akl_store_clear(akl_store_t *store)
{
    uint32_t      i;
    uint32_t     *bucket;
    akl_entry_t  *entry;

    bucket = (uint32_t *) ((unsigned char *) store + store->bucket_offset);

    for (i = 0; i < store->buckets; i++) {
        bucket[i] = AKL_STORE_NIL;
    }

    memset(akl_store_flights(store), 0,
           store->sets * AKL_STORE_WAYS * sizeof(akl_flight_t));

    for (i = 0; i < AKL_STORE_CLASSES; i++) {
        store->lists[i].newest = AKL_STORE_NIL;
        store->lists[i].oldest = AKL_STORE_NIL;
        store->lists[i].entries = 0;
        store->lists[i].blocks = 0;
    }

    memset((unsigned char *) store + store->block_offset, 0,
           (size_t) store->blocks * AKL_STORE_BLOCK);

    for (i = 0; i < store->blocks; i++) {
        entry = akl_store_entry(store, i);
        entry->next = (i + 1 < store->blocks) ? i + 1 : AKL_STORE_NIL;
    }

    store->free = 0;
    store->free_blocks = store->blocks;
    store->bytes = 0;
}


int
akl_store_enter(akl_store_t *store, int64_t steady)
{
    int  died;

    died = (store->busy != 0);

    if (died) {
        akl_store_clear(store);
        store->resets++;
    }

    store->busy = 1;
    store->steady = (uint32_t) steady;

    /* the mark must be there before anything else is written */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    return died;
}


void
akl_store_leave(akl_store_t *store)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    store->busy = 0;
}


void
akl_store_stat(akl_store_t *store, int64_t now, akl_store_stat_t *stat)
{
    size_t         i;
    akl_flight_t  *flight;

    stat->size = (size_t) store->blocks * AKL_STORE_BLOCK;
    stat->used = store->bytes;
    stat->resets = store->resets;
    stat->flights = 0;

    for (i = 0; i < AKL_STORE_CLASSES; i++) {
        stat->entries[i] = store->lists[i].entries;
        stat->evicted[i] = store->lists[i].evicted;
        stat->share[i] = (size_t) akl_store_share(store, i) * AKL_STORE_BLOCK;
        stat->taken[i] = (size_t) akl_store_taken(store, i) * AKL_STORE_BLOCK;
    }

    flight = akl_store_flights(store);

    for (i = 0; i < (size_t) store->sets * AKL_STORE_WAYS; i++) {
        stat->flights += (flight[i].deadline > now);
    }
}
