/*
 * A judgement: what an answer of the API server means.  Here stands what is
 * the same for all that it is asked for.
 */

#ifndef AKL_JUDGEMENT_H
#define AKL_JUDGEMENT_H

#include "../jose/doc.h"
#include "pod_token.h"


#define AKL_STATUS_ANSWER_MAX  65536      /* bytes of a Status looked at */


typedef struct {
    akl_reason_t    reason;               /* AKL_OK: it is established */
    akl_identity_t  identity;             /* of a TokenReview; borrowed from
                                             body, doc and pod */
    akl_doc_t       doc;                  /* owned */
    unsigned        again:1;              /* an outage at the server, which
                                             may be over when asked again */
    char            detail[256];          /* the server's text or the cause,
                                             printable ASCII, for the log;
                                             never holds a token */
} akl_judgement_t;


/* Makes one that establishes nothing, and is safe to clear. */
void akl_judgement_init(akl_judgement_t *judged);

/*
 * Sets the reason, and the text for the log: of "detail" what is printable,
 * without anything like a token, cut to the room there is.
 */
void akl_judgement_fail(akl_judgement_t *judged, akl_reason_t reason,
    akl_str_t detail);

/*
 * Reads an answer of at most "max" bytes, a JSON object, into judged->doc: 0,
 * or -1 with the reason set.
 */
int akl_judgement_read(akl_judgement_t *judged, akl_str_t body, size_t max);

/*
 * Judges an answer whose status tells of no success, by the status and the
 * message of the Status object (meta/v1) in "body", which is left in
 * judged->doc where it is JSON.  *message is that text, or empty.
 */
void akl_judgement_status(akl_judgement_t *judged, unsigned status,
    akl_str_t body, akl_str_t *message);

/*
 * As akl_doc_get() and akl_doc_string(), but null counts as absent: servers
 * that are not made of Go write it for what is absent.
 */
const akl_node_t *akl_judgement_get(const akl_doc_t *doc,
    const akl_node_t *object, const char *key);
int akl_judgement_string(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, akl_str_t *value);

/* Frees what it owns; the identity is void then. */
void akl_judgement_clear(akl_judgement_t *judged);


#endif /* AKL_JUDGEMENT_H */
