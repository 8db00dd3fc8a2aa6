/*
 * Tables of revocations, as files hold them, an entry a line; empty lines are
 * skipped.  A table is built in slices, and looked into at a cost that does
 * not depend on its size.
 */

#ifndef AKL_REVOCATIONS_H
#define AKL_REVOCATIONS_H

#include "revocation.h"


typedef struct akl_revocations_s  akl_revocations_t;


/*
 * An empty table with room for about so many bytes of text; it grows beyond
 * that.  NULL where memory is short or no random bytes can be had.
 */
akl_revocations_t *akl_revocations_create(size_t bytes);

/* "table" may be NULL. */
void akl_revocations_free(akl_revocations_t *table);

/*
 * Reads on in the text, wherever the last piece ended.  Entries that are over
 * at "now" are left out.  0; or -1 where a line is broken or memory is short,
 * with a static cause: the table is good for nothing but to be freed then.
 */
int akl_revocations_feed(akl_revocations_t *table, akl_str_t piece,
    int64_t now, const char **cause);

/* The end of the text: a last line may lack its line end.  As above. */
int akl_revocations_end(akl_revocations_t *table, int64_t now,
    const char **cause);

/* How many lines were read; one that is broken is the next. */
size_t akl_revocations_line(const akl_revocations_t *table);

/* How many bytes the whole lines have that were read so far. */
size_t akl_revocations_read(const akl_revocations_t *table);

/*
 * Adds an entry, or lets one of the same name count until the later of both
 * times, and a subject before the later one.  0, or -1: memory is short.
 */
int akl_revocations_add(akl_revocations_t *table,
    const akl_revocation_t *entry);

/* How many entries there are; some may be over. */
size_t akl_revocations_count(const akl_revocations_t *table);

/* How many of them still count at "now"; looks at all. */
size_t akl_revocations_alive(const akl_revocations_t *table, int64_t now);

/* 1 where the token of these claims is revoked. */
int akl_revocations_match(const akl_revocations_t *table, akl_str_t jti,
    akl_str_t sub, int64_t iat, int64_t now);

/* The time before which tokens of a subject are revoked, or 0. */
int64_t akl_revocations_before(const akl_revocations_t *table, akl_str_t sub,
    int64_t now);

/*
 * Calls "each" with all entries until it returns anything but 0, which is
 * returned; 0 at the end.
 */
int akl_revocations_each(const akl_revocations_t *table,
    int (*each)(const akl_revocation_t *entry, void *data), void *data);


#endif /* AKL_REVOCATIONS_H */
