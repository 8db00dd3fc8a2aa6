/*
 * Blobs live in chains of blocks of 256 bytes; the first block of a chain has
 * the entry's head.  Free blocks form a chain too.  Buckets, lists and chains
 * hold block numbers.
 */

#include <string.h>

#include "akl_store.h"


#define AKL_STORE_MAGIC   0x316c6b61u
#define AKL_STORE_BLOCK   256
#define AKL_STORE_NIL     0xffffffffu
#define AKL_STORE_WAYS    4             /* flights of one set */
#define AKL_STORE_SETS    1024
#define AKL_STORE_REAP    2             /* expired ones dropped a write */


typedef struct {
    uint32_t        next;               /* block of the chain, or free one */
    uint32_t        bucket;             /* next entry of the bucket */
    uint32_t        newer;              /* in the list of the class */
    uint32_t        older;
    int64_t         expires;
    uint32_t        len;
    uint32_t        cls;
    unsigned char   key[AKL_STORE_KEY];
} akl_entry_t;


typedef struct {
    uint32_t        newest;
    uint32_t        oldest;
    uint32_t        entries;
    uint32_t        blocks;
    uint64_t        evicted;
} akl_list_head_t;


typedef struct {
    int64_t         deadline;           /* 0: free */
    int32_t         pid;
    unsigned char   key[AKL_STORE_KEY];
} akl_flight_t;


struct akl_store_s {
    uint32_t         magic;
    uint32_t         version;
    uint64_t         size;
    uint32_t         busy;
    uint32_t         buckets;           /* a power of two */
    uint32_t         blocks;
    uint32_t         sets;
    uint64_t         bucket_offset;
    uint64_t         flight_offset;
    uint64_t         block_offset;
    uint32_t         free;
    uint32_t         free_blocks;
    uint64_t         resets;
    uint64_t         bytes;             /* of live blobs and their heads */
    akl_list_head_t  lists[AKL_STORE_CLASSES];
};


#define AKL_STORE_FIRST  (AKL_STORE_BLOCK - sizeof(akl_entry_t))
#define AKL_STORE_NEXT   (AKL_STORE_BLOCK - sizeof(uint32_t))


static void akl_store_clear(akl_store_t *store);
static uint32_t *akl_store_bucket(akl_store_t *store, unsigned cls,
    const unsigned char *key);
static uint32_t akl_store_find(akl_store_t *store, unsigned cls,
    const unsigned char *key);
static void akl_store_link(akl_store_t *store, uint32_t n);
static void akl_store_unlink(akl_store_t *store, uint32_t n);
static void akl_store_drop(akl_store_t *store, uint32_t n);
static void akl_store_reap(akl_store_t *store, unsigned cls, int64_t now);
static int akl_store_room(akl_store_t *store, unsigned cls, uint32_t need);
static uint32_t akl_store_share(const akl_store_t *store, unsigned cls);
static uint32_t akl_store_taken(const akl_store_t *store, unsigned cls);
static akl_flight_t *akl_store_set_of(akl_store_t *store,
    const unsigned char *key);


static unsigned char *
akl_store_block(akl_store_t *store, uint32_t n)
{
    return (unsigned char *) store + store->block_offset
           + (size_t) n * AKL_STORE_BLOCK;
}


static akl_entry_t *
akl_store_entry(akl_store_t *store, uint32_t n)
{
    return (akl_entry_t *) akl_store_block(store, n);
}


static uint32_t
akl_store_blocks(size_t len)
{
    if (len <= AKL_STORE_FIRST) {
        return 1;
    }

    return 1 + (uint32_t) ((len - AKL_STORE_FIRST + AKL_STORE_NEXT - 1)
                           / AKL_STORE_NEXT);
}


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

    memset((unsigned char *) store + store->flight_offset, 0,
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
akl_store_enter(akl_store_t *store)
{
    int  died;

    died = (store->busy != 0);

    if (died) {
        akl_store_clear(store);
        store->resets++;
    }

    store->busy = 1;

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


ssize_t
akl_store_get(akl_store_t *store, unsigned cls, const unsigned char *key,
    int64_t now, void *buf, size_t size, int64_t *expires)
{
    size_t          len, part;
    uint32_t        n;
    akl_entry_t    *entry;
    unsigned char  *dst, *src;

    n = akl_store_find(store, cls, key);

    if (n == AKL_STORE_NIL) {
        return -1;
    }

    entry = akl_store_entry(store, n);

    if (entry->expires <= now) {
        akl_store_drop(store, n);
        return -1;
    }

    if (entry->len > size) {
        return -2;
    }

    if (expires) {
        *expires = entry->expires;
    }

    len = entry->len;
    dst = buf;
    src = (unsigned char *) entry + sizeof(akl_entry_t);
    part = AKL_STORE_FIRST;
    n = entry->next;

    for ( ;; ) {

        if (part > len) {
            part = len;
        }

        memcpy(dst, src, part);
        dst += part;
        len -= part;

        if (len == 0) {
            break;
        }

        src = akl_store_block(store, n);
        memcpy(&n, src, sizeof(uint32_t));
        src += sizeof(uint32_t);
        part = AKL_STORE_NEXT;
    }

    n = (uint32_t) (((unsigned char *) entry - akl_store_block(store, 0))
                    / AKL_STORE_BLOCK);

    if (store->lists[cls].newest != n) {
        akl_store_unlink(store, n);
        akl_store_link(store, n);
    }

    return entry->len;
}


int
akl_store_set(akl_store_t *store, unsigned cls, const unsigned char *key,
    const void *data, size_t len, int64_t now, int64_t expires)
{
    size_t                left, part;
    uint32_t              i, n, last, need, first, *bucket;
    akl_entry_t          *entry;
    unsigned char        *dst;
    const unsigned char  *src;

    if (len > AKL_STORE_BLOB_MAX) {
        return -1;
    }

    n = akl_store_find(store, cls, key);

    if (n != AKL_STORE_NIL) {
        akl_store_drop(store, n);
    }

    for (i = 0; i < AKL_STORE_CLASSES; i++) {
        akl_store_reap(store, i, now);
    }

    need = akl_store_blocks(len);

    if (akl_store_room(store, cls, need) != 0) {
        return -1;
    }

    first = store->free;
    entry = akl_store_entry(store, first);
    store->free = entry->next;

    entry->expires = expires;
    entry->len = (uint32_t) len;
    entry->cls = cls;
    memcpy(entry->key, key, AKL_STORE_KEY);

    left = len;
    src = data;
    last = first;
    dst = (unsigned char *) entry + sizeof(akl_entry_t);
    part = AKL_STORE_FIRST;

    for (i = 1; /* void */ ; i++) {

        if (part > left) {
            part = left;
        }

        memcpy(dst, src, part);
        src += part;
        left -= part;

        if (i == need) {
            break;
        }

        /* the chain of free blocks is already in order */

        last = store->free;
        dst = akl_store_block(store, last);
        memcpy(&store->free, dst, sizeof(uint32_t));
        dst += sizeof(uint32_t);
        part = AKL_STORE_NEXT;
    }

    n = AKL_STORE_NIL;
    memcpy(akl_store_block(store, last), &n, sizeof(uint32_t));

    store->free_blocks -= need;
    store->bytes += (size_t) need * AKL_STORE_BLOCK;
    store->lists[cls].blocks += need;
    store->lists[cls].entries++;

    bucket = akl_store_bucket(store, cls, key);
    entry->bucket = *bucket;
    *bucket = first;

    akl_store_link(store, first);

    return 0;
}


void
akl_store_delete(akl_store_t *store, unsigned cls, const unsigned char *key)
{
    uint32_t  n;

    n = akl_store_find(store, cls, key);

    if (n != AKL_STORE_NIL) {
        akl_store_drop(store, n);
    }
}


/* keys are keyed digests: any of their bytes spread evenly */

static uint32_t *
akl_store_bucket(akl_store_t *store, unsigned cls, const unsigned char *key)
{
    uint32_t  hash;

    memcpy(&hash, key, sizeof(uint32_t));

    return (uint32_t *) ((unsigned char *) store + store->bucket_offset)
           + ((hash + cls) & (store->buckets - 1));
}


static uint32_t
akl_store_find(akl_store_t *store, unsigned cls, const unsigned char *key)
{
    uint32_t      n;
    akl_entry_t  *entry;

    for (n = *akl_store_bucket(store, cls, key);
         n != AKL_STORE_NIL;
         n = entry->bucket)
    {
        entry = akl_store_entry(store, n);

        if (entry->cls == cls && memcmp(entry->key, key, AKL_STORE_KEY) == 0) {
            return n;
        }
    }

    return AKL_STORE_NIL;
}


static void
akl_store_link(akl_store_t *store, uint32_t n)
{
    akl_entry_t      *entry;
    akl_list_head_t  *list;

    entry = akl_store_entry(store, n);
    list = &store->lists[entry->cls];

    entry->newer = AKL_STORE_NIL;
    entry->older = list->newest;

    if (list->newest != AKL_STORE_NIL) {
        akl_store_entry(store, list->newest)->newer = n;

    } else {
        list->oldest = n;
    }

    list->newest = n;
}


static void
akl_store_unlink(akl_store_t *store, uint32_t n)
{
    akl_entry_t      *entry;
    akl_list_head_t  *list;

    entry = akl_store_entry(store, n);
    list = &store->lists[entry->cls];

    if (entry->newer != AKL_STORE_NIL) {
        akl_store_entry(store, entry->newer)->older = entry->older;

    } else {
        list->newest = entry->older;
    }

    if (entry->older != AKL_STORE_NIL) {
        akl_store_entry(store, entry->older)->newer = entry->newer;

    } else {
        list->oldest = entry->newer;
    }
}


/* takes an entry out and wipes its blocks: they held a token */

static void
akl_store_drop(akl_store_t *store, uint32_t n)
{
    uint32_t          next, count, *link;
    akl_entry_t      *entry;
    unsigned char    *block;
    akl_list_head_t  *list;

    entry = akl_store_entry(store, n);
    list = &store->lists[entry->cls];

    link = akl_store_bucket(store, entry->cls, entry->key);

    while (*link != n) {
        link = &akl_store_entry(store, *link)->bucket;
    }

    *link = entry->bucket;

    akl_store_unlink(store, n);

    count = 0;

    while (n != AKL_STORE_NIL) {
        block = akl_store_block(store, n);
        memcpy(&next, block, sizeof(uint32_t));

        memset(block, 0, AKL_STORE_BLOCK);
        memcpy(block, &store->free, sizeof(uint32_t));

        store->free = n;
        n = next;
        count++;
    }

    store->free_blocks += count;
    store->bytes -= (size_t) count * AKL_STORE_BLOCK;
    list->blocks -= count;
    list->entries--;
}


static void
akl_store_reap(akl_store_t *store, unsigned cls, int64_t now)
{
    unsigned          i;
    akl_list_head_t  *list;

    list = &store->lists[cls];

    for (i = 0; i < AKL_STORE_REAP; i++) {

        if (list->oldest == AKL_STORE_NIL
            || akl_store_entry(store, list->oldest)->expires > now)
        {
            return;
        }

        akl_store_drop(store, list->oldest);
    }
}


/* blocks that a class may take, in sixteenths of all */

static uint32_t
akl_store_share(const akl_store_t *store, unsigned cls)
{
    switch (cls) {

    case AKL_STORE_VERDICT:
    case AKL_STORE_GUARD:
        return store->blocks / 16 * 11;

    case AKL_STORE_REVOKED:
        return store->blocks / 16;

    default:
        return store->blocks / 16 * 2;
    }
}


static uint32_t
akl_store_taken(const akl_store_t *store, unsigned cls)
{
    if (cls == AKL_STORE_VERDICT || cls == AKL_STORE_GUARD) {
        return store->lists[AKL_STORE_VERDICT].blocks
               + store->lists[AKL_STORE_GUARD].blocks;
    }

    return store->lists[cls].blocks;
}


static int
akl_store_room(akl_store_t *store, unsigned cls, uint32_t need)
{
    unsigned  victim;
    uint32_t  share;

    share = akl_store_share(store, cls);

    if (need > share) {
        return -1;
    }

    while (akl_store_taken(store, cls) + need > share) {

        victim = cls;

        if (cls == AKL_STORE_VERDICT || cls == AKL_STORE_GUARD) {
            victim = (store->lists[AKL_STORE_GUARD].blocks
                      > store->lists[AKL_STORE_VERDICT].blocks)
                     ? AKL_STORE_GUARD : AKL_STORE_VERDICT;
        }

        akl_store_drop(store, store->lists[victim].oldest);
        store->lists[victim].evicted++;
    }

    return 0;
}


static akl_flight_t *
akl_store_set_of(akl_store_t *store, const unsigned char *key)
{
    uint32_t  hash;

    memcpy(&hash, key, sizeof(uint32_t));

    return (akl_flight_t *) ((unsigned char *) store + store->flight_offset)
           + (size_t) (hash & (store->sets - 1)) * AKL_STORE_WAYS;
}


int
akl_store_join(akl_store_t *store, const unsigned char *key, int64_t now,
    int64_t deadline, int32_t pid, int32_t *owner)
{
    unsigned       i;
    akl_flight_t  *set, *place;

    set = akl_store_set_of(store, key);
    place = NULL;

    for (i = 0; i < AKL_STORE_WAYS; i++) {

        if (set[i].deadline <= now) {
            place = &set[i];
            continue;
        }

        if (memcmp(set[i].key, key, AKL_STORE_KEY) == 0) {
            *owner = set[i].pid;
            return 1;
        }
    }

    if (place == NULL) {
        return -1;
    }

    place->deadline = deadline;
    place->pid = pid;
    memcpy(place->key, key, AKL_STORE_KEY);

    return 0;
}


void
akl_store_part(akl_store_t *store, const unsigned char *key, int32_t pid)
{
    unsigned       i;
    akl_flight_t  *set;

    set = akl_store_set_of(store, key);

    for (i = 0; i < AKL_STORE_WAYS; i++) {

        if (set[i].deadline && set[i].pid == pid
            && memcmp(set[i].key, key, AKL_STORE_KEY) == 0)
        {
            memset(&set[i], 0, sizeof(akl_flight_t));
            return;
        }
    }
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
    }

    flight = (akl_flight_t *) ((unsigned char *) store + store->flight_offset);

    for (i = 0; i < (size_t) store->sets * AKL_STORE_WAYS; i++) {
        stat->flights += (flight[i].deadline > now);
    }
}
