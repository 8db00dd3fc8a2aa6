/*
 * Times and causes in words.
 */

#ifndef AKL_CLI_WORDS_H
#define AKL_CLI_WORDS_H

#include "../k8s/reason.h"
#include "../k8s/selector.h"
#include "mem.h"


/* "54 minutes", "3 days"; of seconds, which may be negative. */
char *akl_words_span(int64_t seconds);

/* "in 54 minutes", "3 days ago", "now", as seen from "now". */
char *akl_words_when(int64_t time, int64_t now);

/* RFC 3339. */
char *akl_words_time(int64_t time);

/* What helps against a reason: one sentence, static; NULL with AKL_OK. */
const char *akl_words_cure(akl_reason_t reason);

/* The same for a minted token that a guard refuses. */
const char *akl_words_cure_minted(akl_reason_t reason);

/* "key=value" of each label, with that text between two. */
char *akl_words_labels(const akl_selector_t *selector, const char *between);


#endif /* AKL_CLI_WORDS_H */
