/*
 * What lies where in a store; for the akl_store*.c only.
 *
 * Blobs live in chains of blocks of 256 bytes; the first block of a chain has
 * the entry's head.  Free blocks form a chain too.  Buckets, lists and chains
 * hold block numbers.
 */

#ifndef AKL_STORE_LAYOUT_H
#define AKL_STORE_LAYOUT_H

#include <string.h>

#include "store.h"


#define AKL_STORE_BLOCK   256
#define AKL_STORE_NIL     0xffffffffu
#define AKL_STORE_WAYS    4             /* flights of one set */
#define AKL_STORE_SETS    1024


typedef struct {
    uint32_t        next;               /* block of the chain, or free one */
    uint32_t        bucket;             /* next entry of the bucket */
    uint32_t        newer;              /* in the list of the class */
    uint32_t        older;
    int64_t         expires;
    uint32_t        until;              /* the end, by the steady clock */
    uint16_t        len;
    uint16_t        cls;
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
    uint32_t         steady;            /* of whoever entered, seconds */
    uint64_t         bytes;             /* of live blobs and their heads */
    akl_list_head_t  lists[AKL_STORE_CLASSES];
};


/* Blocks that a class may take at most, and those that it takes. */
uint32_t akl_store_share(const akl_store_t *store, unsigned cls);
uint32_t akl_store_taken(const akl_store_t *store, unsigned cls);


#define AKL_STORE_FIRST  (AKL_STORE_BLOCK - sizeof(akl_entry_t))
#define AKL_STORE_NEXT   (AKL_STORE_BLOCK - sizeof(uint32_t))


static inline unsigned char *
akl_store_block(akl_store_t *store, uint32_t n)
{
    return (unsigned char *) store + store->block_offset
           + (size_t) n * AKL_STORE_BLOCK;
}


static inline akl_entry_t *
akl_store_entry(akl_store_t *store, uint32_t n)
{
    return (akl_entry_t *) akl_store_block(store, n);
}


static inline akl_flight_t *
akl_store_flights(akl_store_t *store)
{
    return (akl_flight_t *) ((unsigned char *) store + store->flight_offset);
}


#endif /* AKL_STORE_LAYOUT_H */
