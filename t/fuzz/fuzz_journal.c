/*
 * The file of a journal, as a crash or a stranger may have left it: what is
 * read of it is what its whole lines say, and what is appended to it is there
 * for whoever reads it next, beside all that was there before.
 */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/stat.h>

#include "../../src/k8s/journal.h"
#include "fuzz.h"


#define NOW  1000
#define MAX  (1024 * 1024)


static char  path[64];


static void
leave(void)
{
    (void) unlink(path);
}


/* in memory where there is such a directory: it is written and synced often */

static void
setup(void)
{
    int  fd;

    strcpy(path, access("/dev/shm", W_OK) == 0
                 ? "/dev/shm/akl_fuzz_XXXXXX" : "/tmp/akl_fuzz_XXXXXX");

    fd = mkstemp(path);
    check(fd != -1);
    close(fd);

    check(atexit(leave) == 0);
}


static void
put(akl_str_t text)
{
    int  fd;

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC, 0600);
    check(fd != -1);
    check(write(fd, text.data, text.len) == (ssize_t) text.len);
    close(fd);
}


/* the whole lines before the first zero byte */

static akl_revocations_t *
expected(akl_str_t text)
{
    const char           *cause;
    const unsigned char  *zero;
    akl_revocations_t    *table;

    table = akl_revocations_create(0);
    check(table != NULL);

    zero = text.len ? memchr(text.data, '\0', text.len) : NULL;

    if (zero) {
        text.len = (size_t) (zero - text.data);
    }

    while (text.len && text.data[text.len - 1] != '\n') {
        text.len--;
    }

    if (akl_revocations_feed(table, text, NOW - AKL_JOURNAL_GRACE, &cause)
        != 0)
    {
        akl_revocations_free(table);
        return NULL;
    }

    return table;
}


static int
in_table(const akl_revocation_t *entry, void *data)
{
    const akl_revocations_t  *table = data;

    if (entry->until <= NOW) {
        return 0;
    }

    check(entry->sub.len == 0 || entry->before == 0
          || akl_revocations_match(table, entry->jti, entry->sub,
                                   entry->before - 1, NOW));
    check(entry->jti.len == 0
          || akl_revocations_match(table, entry->jti, entry->sub, 0, NOW));

    return 0;
}


static void
appended(akl_journal_t *journal, const akl_revocations_t *before)
{
    size_t            kept;
    akl_journal_e     rc;
    akl_journal_t     reader;
    akl_revocation_t  entries[2];

    memset(entries, 0, sizeof(entries));
    entries[0].jti = akl_str("fuzz \"\\ entry");
    entries[0].until = NOW + 1;
    entries[1].sub = akl_str("system:serviceaccount:a:b");
    entries[1].before = NOW;
    entries[1].until = NOW + 1;

    rc = akl_journal_lock(journal, NOW);
    check(rc == AKL_JOURNAL_OK);

    rc = akl_journal_append(journal, entries, 2, NOW, &kept);
    check(rc == AKL_JOURNAL_OK && kept == 2);
    akl_journal_unlock(journal);

    akl_journal_init(&reader, path, MAX);
    check(akl_journal_open(&reader, NOW) == AKL_JOURNAL_OK);

    check(akl_journal_size(&reader) == akl_journal_size(journal));
    check(akl_revocations_count(reader.table)
          == akl_revocations_count(journal->table));

    (void) in_table(&entries[0], reader.table);
    (void) in_table(&entries[1], reader.table);
    (void) akl_revocations_each(before, in_table, reader.table);

    akl_journal_free(&reader);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akl_str_t           text;
    akl_journal_t       journal;
    akl_revocations_t  *table;

    if (path[0] == '\0') {
        setup();
    }

    text.data = data;
    text.len = size;

    put(text);
    table = expected(text);

    akl_journal_init(&journal, path, MAX);

    if (akl_journal_open(&journal, NOW) == AKL_JOURNAL_OK) {
        check(table != NULL);
        check(akl_revocations_count(journal.table)
              == akl_revocations_count(table));
        check(akl_journal_size(&journal) == akl_revocations_read(table));

        if (size < MAX / 2) {
            appended(&journal, table);
        }

    } else {
        check(table == NULL && journal.cause != NULL);
    }

    akl_journal_free(&journal);
    akl_revocations_free(table);

    return 0;
}
