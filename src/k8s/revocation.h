/*
 * One revocation, as a line of a file: a JSON object (RFC 8259), either
 * {"jti":...,"until":...} or {"sub":...,"before":...,"until":...}, times in
 * seconds since the epoch.  Other members are ignored; what is neither of
 * these kinds is broken.
 */

#ifndef AKL_REVOCATION_H
#define AKL_REVOCATION_H

#include "../jose/doc.h"


#define AKL_REVOCATION_NAME  1024       /* bytes of a jti or sub at most */
#define AKL_REVOCATION_LINE  8192       /* of a line, its end included */


/* exactly one of "jti" and "sub" has a length */

typedef struct {
    akl_str_t  jti;
    akl_str_t  sub;
    int64_t    before;                  /* of "sub": issued earlier than this */
    int64_t    until;                   /* it counts before this second */
} akl_revocation_t;


/*
 * Reads a line into *entry, whose strings are borrowed from the line and *doc:
 * NULL, or what is wrong, a static cause that follows "the line".
 */
const char *akl_revocation_parse(akl_doc_t *doc, akl_str_t line,
    akl_revocation_t *entry);

/*
 * NULL where "name" can be the jti or sub of an entry, else a static cause: it
 * is empty, too long, or no text that a JSON reader of ours would take.
 */
const char *akl_revocation_check(akl_str_t name);

/*
 * Writes an entry as a line to "buf" of "size" bytes, nothing with NULL, and
 * returns its length, line end included.
 */
size_t akl_revocation_write(unsigned char *buf, size_t size,
    const akl_revocation_t *entry);


#endif /* AKL_REVOCATION_H */
