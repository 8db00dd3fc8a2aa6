/*
 * A store of keyed blobs in one piece of memory that several processes map at
 * different addresses: offsets only, no pointer.  Plain C; the caller holds a
 * lock around every call and tells the time: "now" by the clock that tokens
 * count by, which may be set, and "steady" by one that nobody sets.
 *
 * Each class has a share of the memory and a list of its own, so that what
 * comes in one class never evicts from another; only verdicts and guarded
 * tokens share one, of which each is sure of its half.  All operations are
 * O(1) but for the length of a blob.
 */

#ifndef AKL_STORE_H
#define AKL_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


#define AKL_STORE_VERSION   3           /* of the layout */
#define AKL_STORE_KEY       32
#define AKL_STORE_CLASSES   5
#define AKL_STORE_BLOB_MAX  32768
#define AKL_STORE_MIN       65536       /* bytes */


/* classes as ngx_akl_zone.h numbers them */

enum {
    AKL_STORE_VERDICT = 0,
    AKL_STORE_REFUSAL,
    AKL_STORE_GUARD,
    AKL_STORE_ALIAS,
    AKL_STORE_REVOKED
};


typedef struct akl_store_s  akl_store_t;


typedef struct {
    size_t    size;                     /* bytes for blobs */
    size_t    used;
    size_t    entries[AKL_STORE_CLASSES];
    size_t    evicted[AKL_STORE_CLASSES];
    size_t    share[AKL_STORE_CLASSES]; /* bytes in blocks at most */
    size_t    taken[AKL_STORE_CLASSES]; /* of these; both of verdicts and
                                           guarded tokens are those of both */
    size_t    flights;
    size_t    resets;
} akl_store_stat_t;


/* Lays a store out in "size" bytes at "memory", which are all written. */
akl_store_t *akl_store_init(void *memory, size_t size);

/* The store at "memory" if one of this layout and size is there, or NULL. */
akl_store_t *akl_store_attach(void *memory, size_t size);

/*
 * To be called after taking the lock, and before giving it back; "steady" in
 * seconds since the system's start.  Where the former holder died in between,
 * the blobs and flights are dropped; 1 is returned then, else 0.
 */
int akl_store_enter(akl_store_t *store, int64_t steady);
void akl_store_leave(akl_store_t *store);

/*
 * Copies a blob of at most "size" bytes out and makes it the most recently
 * used: its length, -1 where there is none or it ended at or before "now"
 * (seconds), -2 where "size" is too small.  A blob has ended as soon as one of
 * the clocks says so, or the one has been set back against the other; a
 * revocation only when both do.
 */
ssize_t akl_store_get(akl_store_t *store, unsigned cls,
    const unsigned char *key, int64_t now, void *buf, size_t size,
    int64_t *expires);

/*
 * Keeps or replaces a blob until "expires"; evicts the least recently used of
 * its class where there is no room.  0, or -1 where it is larger than its
 * share or AKL_STORE_BLOB_MAX; a former one is gone then, as it is where the
 * new one has ended already.  A revocation that still counts is never evicted:
 * -1 where the share is full of them, and a former one stays.
 */
int akl_store_set(akl_store_t *store, unsigned cls, const unsigned char *key,
    const void *data, size_t len, int64_t now, int64_t expires);

/*
 * Keeps the larger of *value and what is kept as a number of 64 bits under
 * that key, until the latest of *expires, the end that was kept, and the
 * number plus "life".  Both are set to what is kept now.  Returns as
 * akl_store_set() does; what is kept but is no such number is left, and -1.
 */
int akl_store_raise(akl_store_t *store, unsigned cls,
    const unsigned char *key, int64_t now, int64_t life, int64_t *value,
    int64_t *expires);

/*
 * Marks a key as being worked on by process "pid" until "deadline" (any
 * monotonic clock, ms).  0: marked; 1: another holds it, *owner tells who;
 * -1: no room.
 */
int akl_store_join(akl_store_t *store, const unsigned char *key, int64_t now,
    int64_t deadline, int32_t pid, int32_t *owner);

/* Takes the mark away if "pid" holds it. */
void akl_store_part(akl_store_t *store, const unsigned char *key,
    int32_t pid);

/* Figures; "now" is that of akl_store_join(). */
void akl_store_stat(akl_store_t *store, int64_t now, akl_store_stat_t *stat);


#endif /* AKL_STORE_H */
