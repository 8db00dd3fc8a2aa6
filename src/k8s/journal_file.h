/*
 * The file of a journal: for journal*.c only.
 */

#ifndef AKL_JOURNAL_FILE_H
#define AKL_JOURNAL_FILE_H

#include "journal.h"


/*
 * Opens the file to read and append, or makes it, with mode 0600; to read
 * only where it may not be written to.  0, or -1 with cause and error.
 */
int akl_journal_file_open(akl_journal_t *journal);

/* Brings the file's name to the disk.  0, or -1 with cause and error. */
int akl_journal_file_link(akl_journal_t *journal);

/*
 * Under the lock: writes what counts of the table to a new file, brings that
 * to the disk, locks it and gives it the journal's name.  The journal is open
 * on it then, and nothing of it was read yet.
 */
akl_journal_e akl_journal_file_anew(akl_journal_t *journal, int64_t now);

/* Notes what failed, and returns AKL_JOURNAL_ERROR. */
akl_journal_e akl_journal_fail(akl_journal_t *journal, const char *cause,
    int error);


#endif /* AKL_JOURNAL_FILE_H */
