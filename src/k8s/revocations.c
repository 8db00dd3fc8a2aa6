/*
 * Tables of revocations: open addressing over entries that lie in chunks, so
 * that nothing is moved when a table grows, and little is to be freed.
 */

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "../jose/count.h"
#include "../jose/doc.h"
#include "revocations.h"
#include "siphash.h"


#define AKL_REVOCATIONS_CHUNK  65536
#define AKL_REVOCATIONS_SLOTS  64       /* at least; a power of two */
#define AKL_REVOCATIONS_TEXT   48       /* bytes of a short line */


typedef struct {
    uint64_t                 hash;
    int64_t                  until;
    int64_t                  before;    /* of a subject */
    uint32_t                 len;
    uint32_t                 sub;       /* the name is a subject */
    unsigned char            name[];
} akl_revoked_t;


typedef struct akl_chunk_s  akl_chunk_t;

struct akl_chunk_s {
    akl_chunk_t             *next;
    size_t                   used;
    unsigned char            data[AKL_REVOCATIONS_CHUNK];
};


struct akl_revocations_s {
    akl_revoked_t          **slots;
    size_t                   mask;      /* number of slots - 1 */
    size_t                   n;
    akl_chunk_t             *chunks;    /* the one in use comes first */
    size_t                   lines;
    size_t                   bytes;
    size_t                   held;      /* bytes of a line without its end */
    unsigned char            key[AKL_SIPHASH_KEY];
    unsigned char            line[AKL_REVOCATION_LINE];
};


static int akl_revocations_take(akl_revocations_t *table, akl_str_t line,
    int64_t now, const char **cause);
static akl_revoked_t **akl_revocations_find(const akl_revocations_t *table,
    uint64_t hash, unsigned sub, akl_str_t name);
static uint64_t akl_revocations_hash(const akl_revocations_t *table,
    unsigned sub, akl_str_t name);
static int akl_revocations_grow(akl_revocations_t *table);
static akl_revoked_t *akl_revocations_room(akl_revocations_t *table,
    size_t len);
static int akl_revocations_blank(akl_str_t line);


akl_revocations_t *
akl_revocations_create(size_t bytes)
{
    size_t              slots;
    akl_revocations_t  *table;

    table = calloc(1, sizeof(akl_revocations_t));
    if (table == NULL) {
        return NULL;
    }

    if (RAND_bytes(table->key, AKL_SIPHASH_KEY) != 1) {
        ERR_clear_error();
        free(table);
        return NULL;
    }

    slots = AKL_REVOCATIONS_SLOTS;

    while (slots / 2 < bytes / AKL_REVOCATIONS_TEXT) {
        slots *= 2;
    }

    table->slots = calloc(slots, sizeof(akl_revoked_t *));
    if (table->slots == NULL) {
        free(table);
        return NULL;
    }

    table->mask = slots - 1;

    return table;
}


void
akl_revocations_free(akl_revocations_t *table)
{
    akl_chunk_t  *chunk, *next;

    if (table == NULL) {
        return;
    }

    for (chunk = table->chunks; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }

    free(table->slots);
    free(table);
}


int
akl_revocations_feed(akl_revocations_t *table, akl_str_t piece, int64_t now,
    const char **cause)
{
    size_t                len;
    akl_str_t             line;
    const unsigned char  *p, *end;

    while (piece.len) {
        p = piece.data;
        end = memchr(p, '\n', piece.len);
        len = end ? (size_t) (end - p) + 1 : piece.len;
        akl_count(len);

        if (table->held + len > AKL_REVOCATION_LINE) {
            *cause = "is too long";
            return -1;
        }

        piece.data += len;
        piece.len -= len;

        line.data = p;
        line.len = len;

        if (table->held || end == NULL) {
            akl_count(len);
            memcpy(table->line + table->held, p, len);
            table->held += len;

            line.data = table->line;
            line.len = table->held;
        }

        if (end == NULL) {
            return 0;
        }

        table->held = 0;

        if (akl_revocations_take(table, line, now, cause) != 0) {
            return -1;
        }
    }

    return 0;
}


int
akl_revocations_end(akl_revocations_t *table, int64_t now, const char **cause)
{
    akl_str_t  line;

    if (table->held == 0) {
        return 0;
    }

    line.data = table->line;
    line.len = table->held;

    table->held = 0;

    return akl_revocations_take(table, line, now, cause);
}


size_t
akl_revocations_line(const akl_revocations_t *table)
{
    return table->lines;
}


size_t
akl_revocations_read(const akl_revocations_t *table)
{
    return table->bytes;
}


static int
akl_revocations_take(akl_revocations_t *table, akl_str_t line, int64_t now,
    const char **cause)
{
    int               rc;
    akl_doc_t         doc;
    akl_revocation_t  entry;

    if (akl_revocations_blank(line)) {
        table->lines++;
        table->bytes += line.len;
        return 0;
    }

    akl_doc_init(&doc);

    *cause = akl_revocation_parse(&doc, line, &entry);

    rc = *cause ? -1 : 0;

    if (rc == 0 && entry.until > now
        && akl_revocations_add(table, &entry) != 0)
    {
        *cause = "finds no memory";
        rc = -1;
    }

    if (rc == 0) {
        table->lines++;
        table->bytes += line.len;
    }

    akl_doc_free(&doc);

    return rc;
}


int
akl_revocations_add(akl_revocations_t *table, const akl_revocation_t *entry)
{
    uint64_t         hash;
    unsigned         sub;
    akl_str_t        name;
    akl_revoked_t   *revoked, **slot;

    sub = (entry->sub.len != 0);
    name = sub ? entry->sub : entry->jti;

    hash = akl_revocations_hash(table, sub, name);
    slot = akl_revocations_find(table, hash, sub, name);

    if (*slot) {
        revoked = *slot;

        if (revoked->until < entry->until) {
            revoked->until = entry->until;
        }

        if (sub && revoked->before < entry->before) {
            revoked->before = entry->before;
        }

        return 0;
    }

    /* half of the slots stay free, so that runs are short */

    if (table->n >= (table->mask + 1) / 2) {

        if (akl_revocations_grow(table) != 0) {
            return -1;
        }

        slot = akl_revocations_find(table, hash, sub, name);
    }

    revoked = akl_revocations_room(table, name.len);
    if (revoked == NULL) {
        return -1;
    }

    revoked->hash = hash;
    revoked->until = entry->until;
    revoked->before = entry->before;
    revoked->len = (uint32_t) name.len;
    revoked->sub = sub;

    memcpy(revoked->name, name.data, name.len);

    *slot = revoked;
    table->n++;

    return 0;
}


/* the slot of that name, or the free one where it belongs */

static akl_revoked_t **
akl_revocations_find(const akl_revocations_t *table, uint64_t hash,
    unsigned sub, akl_str_t name)
{
    size_t          i;
    akl_revoked_t  *revoked;

    for (i = hash & table->mask; table->slots[i]; i = (i + 1) & table->mask) {

        revoked = table->slots[i];

        if (revoked->hash == hash && revoked->sub == sub
            && revoked->len == name.len
            && memcmp(revoked->name, name.data, name.len) == 0)
        {
            break;
        }
    }

    return &table->slots[i];
}


static uint64_t
akl_revocations_hash(const akl_revocations_t *table, unsigned sub,
    akl_str_t name)
{
    /* a jti may well be spelt like a subject */

    return akl_siphash(table->key, name) ^ (sub ? 0x9e3779b97f4a7c15ull : 0);
}


static int
akl_revocations_grow(akl_revocations_t *table)
{
    size_t           i, k, mask;
    akl_revoked_t  **slots;

    mask = table->mask * 2 + 1;

    slots = calloc(mask + 1, sizeof(akl_revoked_t *));
    if (slots == NULL) {
        return -1;
    }

    for (i = 0; i <= table->mask; i++) {

        if (table->slots[i] == NULL) {
            continue;
        }

        k = table->slots[i]->hash & mask;

        while (slots[k]) {
            k = (k + 1) & mask;
        }

        slots[k] = table->slots[i];
    }

    free(table->slots);

    table->slots = slots;
    table->mask = mask;

    return 0;
}


static akl_revoked_t *
akl_revocations_room(akl_revocations_t *table, size_t len)
{
    size_t        size;
    akl_chunk_t  *chunk;

    size = (sizeof(akl_revoked_t) + len + 7) & ~(size_t) 7;

    chunk = table->chunks;

    if (chunk == NULL || AKL_REVOCATIONS_CHUNK - chunk->used < size) {

        chunk = malloc(sizeof(akl_chunk_t));
        if (chunk == NULL) {
            return NULL;
        }

        chunk->used = 0;
        chunk->next = table->chunks;
        table->chunks = chunk;
    }

    chunk->used += size;

    return (akl_revoked_t *) (chunk->data + chunk->used - size);
}


size_t
akl_revocations_count(const akl_revocations_t *table)
{
    return table->n;
}


size_t
akl_revocations_alive(const akl_revocations_t *table, int64_t now)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i <= table->mask; i++) {
        n += table->slots[i] && table->slots[i]->until > now;
    }

    return n;
}


int
akl_revocations_match(const akl_revocations_t *table, akl_str_t jti,
    akl_str_t sub, int64_t iat, int64_t now)
{
    akl_revoked_t  *revoked;

    if (table->n == 0) {
        return 0;
    }

    revoked = *akl_revocations_find(table,
                                    akl_revocations_hash(table, 0, jti), 0,
                                    jti);

    if (revoked && revoked->until > now) {
        return 1;
    }

    return iat < akl_revocations_before(table, sub, now);
}


int64_t
akl_revocations_before(const akl_revocations_t *table, akl_str_t sub,
    int64_t now)
{
    akl_revoked_t  *revoked;

    revoked = *akl_revocations_find(table,
                                    akl_revocations_hash(table, 1, sub), 1,
                                    sub);

    return (revoked && revoked->until > now) ? revoked->before : 0;
}


int
akl_revocations_each(const akl_revocations_t *table,
    int (*each)(const akl_revocation_t *entry, void *data), void *data)
{
    int               rc;
    size_t            i;
    akl_str_t         name;
    akl_revoked_t    *revoked;
    akl_revocation_t  entry;

    for (i = 0; i <= table->mask; i++) {

        revoked = table->slots[i];

        if (revoked == NULL) {
            continue;
        }

        memset(&entry, 0, sizeof(akl_revocation_t));

        name.data = revoked->name;
        name.len = revoked->len;

        if (revoked->sub) {
            entry.sub = name;

        } else {
            entry.jti = name;
        }

        entry.before = revoked->before;
        entry.until = revoked->until;

        rc = each(&entry, data);

        if (rc != 0) {
            return rc;
        }
    }

    return 0;
}


/* white space of JSON */

static int
akl_revocations_blank(akl_str_t line)
{
    size_t  i;

    for (i = 0; i < line.len; i++) {

        akl_count(1);

        if (memchr(" \t\r\n", line.data[i], 4) == NULL) {
            return 0;
        }
    }

    return 1;
}
