/*
 * Points in time as people write them: RFC 3339 in UTC, or seconds since the
 * epoch.
 */

#ifndef AKL_TIME_H
#define AKL_TIME_H

#include <stdint.h>
#include "../jose/str.h"


#define AKL_TIME_LEN  20                /* "2027-01-01T00:00:00Z" */


/*
 * Parses "YYYY-MM-DDTHH:MM:SSZ" (RFC 3339 section 5.6, UTC, no fraction, no
 * leap second), or decimal seconds, into seconds since the epoch.  Returns 0,
 * or -1.
 */
int akl_time_parse(akl_str_t text, int64_t *seconds);

/*
 * Writes RFC 3339 to "dst" of AKL_TIME_LEN + 1 bytes, NUL included; years
 * beyond 9999 are cut to its last second, times before 1970 to the first.
 * Returns AKL_TIME_LEN.
 */
size_t akl_time_format(char *dst, int64_t seconds);


#endif /* AKL_TIME_H */
