/*
 * What the targets have in common around each input: the bytes that the
 * parsers look at are counted, and no shape of an input may multiply them.
 *
 * With FUZZ_COST in the environment the last line says how many there were
 * for each byte.  Where an nginx was built without AKL_COUNT, nothing is
 * counted.
 */

#include <stdio.h>

#include "../../src/jose/count.h"
#include "fuzz.h"


/*
 * Looks at a byte, at most: a target reads its input several times, and a glob
 * may look at each byte as often as it has bytes itself.
 */

#define PER     1000
#define BEFORE  4096                    /* bytes that anything may cost */


static double  looked;
static double  bytes;


#undef LLVMFuzzerTestOneInput

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
say(void)
{
    if (getenv("FUZZ_COST") && bytes > 0) {
        fprintf(stderr, "%.1f looks a byte\n", looked / bytes);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int  told;

    if (!told) {
        told = 1;
        atexit(say);
    }

#ifdef AKL_COUNT

    akl_looked = 0;
    (void) fuzz_target(data, size);

    check(akl_looked <= PER * (size + BEFORE));

    looked += (double) akl_looked;
    bytes += (double) size;

#else

    (void) fuzz_target(data, size);

#endif

    return 0;
}
