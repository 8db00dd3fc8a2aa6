/*
 * What came of an attempt that failed, for those who go on and for people.
 */

#ifndef NGX_AKL_OUTCOME_H
#define NGX_AKL_OUTCOME_H

#include "attempt.h"


#define NGX_AKL_CAUSE_LEN  64           /* of an error of the system */


/* What a transfer that failed with "rc" came to; before _stop(). */
ngx_akl_outcome_e ngx_akl_attempt_outcome(ngx_akl_attempt_t *a, CURLcode rc);

/* 1 where it failed since a kept connection had died; before _stop(). */
ngx_uint_t ngx_akl_attempt_died(ngx_akl_attempt_t *a, CURLcode rc);

/*
 * Writes what went wrong to the call's error: the text, the cause that the
 * system gave for "rc", and the address; printable ASCII, whatever the peer
 * has put into it.
 */
void ngx_akl_attempt_say(ngx_akl_attempt_t *a, const char *what, CURLcode rc);

/*
 * What a round that found no address came to, and its text in the call's error,
 * unless an attempt has left one there.  What nobody could look for is not what
 * cannot be reached.
 */
ngx_akl_outcome_e ngx_akl_attempt_nowhere(ngx_akl_attempt_t *a);


#endif /* NGX_AKL_OUTCOME_H */
