/*
 * Tables of revocations: however a text is cut, the table is the same, and
 * what it is written as reads as the same table.
 */

#include "../../src/k8s/revocations.h"
#include "fuzz.h"


#define NOW  1000


static akl_revocations_t *
table_of(const uint8_t *data, size_t size, size_t piece)
{
    int                 rc;
    size_t              at;
    akl_str_t           s;
    const char         *cause;
    akl_revocations_t  *table;

    table = akl_revocations_create(0);
    check(table != NULL);

    rc = 0;
    cause = NULL;

    for (at = 0; at < size && rc == 0; at += s.len) {
        s.data = data + at;
        s.len = (size - at < piece) ? size - at : piece;
        rc = akl_revocations_feed(table, s, NOW, &cause);
    }

    if (rc == 0) {
        rc = akl_revocations_end(table, NOW, &cause);
    }

    if (rc == 0) {
        check(akl_revocations_read(table) == size);
        return table;
    }

    check(cause != NULL);
    akl_revocations_free(table);

    return NULL;
}


/* one line of a table, read again and looked for in it */

static int
again(const akl_revocation_t *entry, void *data)
{
    size_t              len;
    unsigned char       buf[AKL_REVOCATION_LINE];
    akl_revocations_t  *table, *all = data;

    check(akl_revocation_check(entry->jti.len ? entry->jti : entry->sub)
          == NULL);

    len = akl_revocation_write(buf, sizeof(buf), entry);
    check(len <= sizeof(buf));

    table = table_of(buf, len, len);
    check(table != NULL && akl_revocations_count(table) == 1);

    if (entry->sub.len == 0 || entry->before > 0) {
        check(akl_revocations_match(table, entry->jti, entry->sub,
                                    entry->before - 1, NOW));
        check(akl_revocations_match(all, entry->jti, entry->sub,
                                    entry->before - 1, NOW));
    }

    akl_revocations_free(table);

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akl_revocations_t  *whole, *cut;

    whole = table_of(data, size, size ? size : 1);
    cut = table_of(data, size, size ? 1 + data[0] % 7 : 1);

    check((whole == NULL) == (cut == NULL));

    if (whole) {
        check(akl_revocations_count(whole) == akl_revocations_count(cut));
        check(akl_revocations_line(whole) == akl_revocations_line(cut));
        check(akl_revocations_alive(whole, NOW)
              == akl_revocations_count(whole));
        check(akl_revocations_each(whole, again, cut) == 0);
    }

    akl_revocations_free(whole);
    akl_revocations_free(cut);

    return 0;
}
