/*
 * What reading costs: bytes looked at, of a text or of what was made from it,
 * more than once where they are looked at more than once.  Counted where
 * AKL_COUNT is defined, which it is in unit tests and fuzzers only.
 */

#ifndef AKL_COUNT_H
#define AKL_COUNT_H

#include <stdint.h>


#ifdef AKL_COUNT

/* all of this process, until somebody sets it to 0 */
extern uint64_t  akl_looked;

#define akl_count(n)  (akl_looked += (n))

#else

#define akl_count(n)  ((void) (n))

#endif


#endif /* AKL_COUNT_H */
