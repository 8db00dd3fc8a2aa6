/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): the hash of tables whose
 * contents others choose.  Who does not know the key cannot make names that
 * collide.  OpenSSL has it behind an interface that costs more than a look
 * into a table does.
 */

#ifndef AKL_SIPHASH_H
#define AKL_SIPHASH_H

#include <stdint.h>
#include "../jose/str.h"


#define AKL_SIPHASH_KEY  16


/*
 * The hash of "text", which may be {0, NULL}, under a key of
 * AKL_SIPHASH_KEY random bytes.
 */
uint64_t akl_siphash(const unsigned char *key, akl_str_t text);


#endif /* AKL_SIPHASH_H */
