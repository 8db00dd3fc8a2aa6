/*
 * A journal in a directory of its own: made before a group of tests, empty
 * before each of them, and gone in the end.
 */

#ifndef JOURNAL_TEST_H
#define JOURNAL_TEST_H

#include <unistd.h>
#include <sys/stat.h>

#include "k8s_test.h"
#include "../../../src/k8s/journal.h"


#define NOW  1000


static char  dir[] = "/tmp/akl-journal-XXXXXX";
static char  path[64];


static inline int
setup(void **state)
{
    (void) state;

    (void) unlink(path);

    return 0;
}


static inline int
group_setup(void **state)
{
    (void) state;

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    (void) snprintf(path, sizeof(path), "%s/journal", dir);

    return 0;
}


static inline int
group_teardown(void **state)
{
    (void) state;
    (void) unlink(path);

    return rmdir(dir);
}


static inline akl_revocation_t
jti(const char *name, int64_t until)
{
    akl_revocation_t  entry;

    memset(&entry, 0, sizeof(entry));
    entry.jti = str(name);
    entry.until = until;

    return entry;
}


/* by one who takes the lock and gives it back */

static inline akl_journal_e
keep(akl_journal_t *journal, const char *name, int64_t until, int64_t now)
{
    size_t            kept;
    akl_journal_e     rc;
    akl_revocation_t  entry;

    rc = akl_journal_lock(journal, now);

    if (rc != AKL_JOURNAL_OK) {
        return rc;
    }

    entry = jti(name, until);
    rc = akl_journal_append(journal, &entry, 1, now, &kept);

    akl_journal_unlock(journal);

    if (rc == AKL_JOURNAL_OK) {
        assert_int_equal(kept, 1);
    }

    return rc;
}


static inline int
has(akl_journal_t *journal, const char *name)
{
    return akl_revocations_match(journal->table, str(name), str("s"), 0, NOW);
}


static inline size_t
size_of_file(void)
{
    struct stat  st;

    return (stat(path, &st) == -1) ? 0 : (size_t) st.st_size;
}


#endif /* JOURNAL_TEST_H */
