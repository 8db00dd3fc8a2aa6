/*
 * Blobs: kept, found, evicted and wiped.
 */

#include "store_layout.h"


#define AKL_STORE_REAP    2             /* expired ones dropped a write */
#define AKL_STORE_SKEW    2             /* s, between processes' clocks */


static uint32_t akl_store_blocks(size_t len);
static uint32_t *akl_store_bucket(akl_store_t *store, unsigned cls,
    const unsigned char *key);
static uint32_t akl_store_find(akl_store_t *store, unsigned cls,
    const unsigned char *key);
static int akl_store_live(const akl_store_t *store, const akl_entry_t *entry,
    int64_t now);
static void akl_store_link(akl_store_t *store, uint32_t n);
static void akl_store_unlink(akl_store_t *store, uint32_t n);
static void akl_store_drop(akl_store_t *store, uint32_t n);
static void akl_store_reap(akl_store_t *store, unsigned cls, int64_t now);
static int akl_store_room(akl_store_t *store, unsigned cls, uint32_t need);
static int akl_store_admit(akl_store_t *store, const unsigned char *key,
    uint32_t need, int64_t now);


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

    if (!akl_store_live(store, entry, now)) {
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

    if (cls != AKL_STORE_REVOKED && store->lists[cls].newest != n) {
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

    if (cls == AKL_STORE_REVOKED && expires > now
        && akl_store_admit(store, key, akl_store_blocks(len), now) != 0)
    {
        return -1;
    }

    n = akl_store_find(store, cls, key);

    if (n != AKL_STORE_NIL) {
        akl_store_drop(store, n);
    }

    for (i = 0; i < AKL_STORE_CLASSES; i++) {
        akl_store_reap(store, i, now);
    }

    if (len > AKL_STORE_BLOB_MAX) {
        return -1;
    }

    if (expires <= now) {
        return 0;
    }

    if (expires - now > UINT32_MAX - store->steady) {
        expires = now + (UINT32_MAX - store->steady);
    }

    need = akl_store_blocks(len);

    if (akl_store_room(store, cls, need) != 0) {
        return -1;
    }

    first = store->free;
    entry = akl_store_entry(store, first);
    store->free = entry->next;

    entry->expires = expires;
    entry->until = store->steady + (uint32_t) (expires - now);
    entry->len = (uint16_t) len;
    entry->cls = (uint16_t) cls;
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


int
akl_store_raise(akl_store_t *store, unsigned cls, const unsigned char *key,
    int64_t now, int64_t life, int64_t *value, int64_t *expires)
{
    int64_t  kept, end;
    ssize_t  n;

    end = 0;
    n = akl_store_get(store, cls, key, now, &kept, sizeof(kept), &end);

    if (n == (ssize_t) sizeof(kept)) {
        *value = (*value > kept) ? *value : kept;
        *expires = (*expires > end) ? *expires : end;

    } else if (n != -1) {
        return -1;
    }

    if (*expires < *value + life) {
        *expires = *value + life;
    }

    return akl_store_set(store, cls, key, value, sizeof(*value), now,
                         *expires);
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


/*
 * A clock that is set must not make an entry live on: what is left by it is no
 * more than what is left by the clock that nobody sets.  Revocations are the
 * other way round: a clock that was ahead for a while ends none.
 */

static int
akl_store_live(const akl_store_t *store, const akl_entry_t *entry,
    int64_t now)
{
    int64_t  left, steady;

    left = entry->expires - now;
    steady = (int64_t) entry->until - store->steady;

    if (entry->cls == AKL_STORE_REVOKED) {
        return left > 0 || steady > 0;
    }

    return left > 0 && steady >= 0 && left <= steady + AKL_STORE_SKEW;
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
            || akl_store_live(store, akl_store_entry(store, list->oldest),
                              now))
        {
            return;
        }

        akl_store_drop(store, list->oldest);
    }
}


/*
 * Room for a revocation: what has ended makes it, what still counts never
 * does.  The list is walked only where it is full.
 */

static int
akl_store_admit(akl_store_t *store, const unsigned char *key, uint32_t need,
    int64_t now)
{
    uint32_t          n, newer, share;
    akl_list_head_t  *list;

    list = &store->lists[AKL_STORE_REVOKED];
    share = akl_store_share(store, AKL_STORE_REVOKED);

    n = akl_store_find(store, AKL_STORE_REVOKED, key);

    if (n != AKL_STORE_NIL) {

        if (akl_store_live(store, akl_store_entry(store, n), now)) {
            need -= akl_store_blocks(akl_store_entry(store, n)->len);

        } else {
            akl_store_drop(store, n);
        }
    }

    if (list->blocks + need <= share) {
        return 0;
    }

    for (n = list->oldest; n != AKL_STORE_NIL; n = newer) {

        newer = akl_store_entry(store, n)->newer;

        if (!akl_store_live(store, akl_store_entry(store, n), now)) {
            akl_store_drop(store, n);
        }
    }

    return (list->blocks + need <= share) ? 0 : -1;
}


/* blocks that a class may take, in sixteenths of all */

uint32_t
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


uint32_t
akl_store_taken(const akl_store_t *store, unsigned cls)
{
    if (cls == AKL_STORE_VERDICT || cls == AKL_STORE_GUARD) {
        return store->lists[AKL_STORE_VERDICT].blocks
               + store->lists[AKL_STORE_GUARD].blocks;
    }

    return store->lists[cls].blocks;
}


/*
 * Verdicts and guarded tokens share: each takes from the other only what that
 * has beyond its half, so that a flood of the one costs the other no more.
 */

static int
akl_store_room(akl_store_t *store, unsigned cls, uint32_t need)
{
    unsigned  victim, other;
    uint32_t  share;

    share = akl_store_share(store, cls);

    if (need > share) {
        return -1;
    }

    switch (cls) {

    case AKL_STORE_VERDICT:
        other = AKL_STORE_GUARD;
        break;

    case AKL_STORE_GUARD:
        other = AKL_STORE_VERDICT;
        break;

    default:
        other = cls;
        break;
    }

    while (akl_store_taken(store, cls) + need > share) {

        victim = (store->lists[cls].oldest == AKL_STORE_NIL
                  || store->lists[other].blocks
                     > store->lists[cls].blocks + need)
                 ? other : cls;

        akl_store_drop(store, store->lists[victim].oldest);
        store->lists[victim].evicted++;
    }

    return 0;
}
