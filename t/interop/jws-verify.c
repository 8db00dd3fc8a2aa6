/*
 * Verifies one token with a JWK set, for comparison with other libraries:
 *
 *     jws-verify JWKS-FILE ALG[,ALG...] TOKEN
 *
 * TOKEN "-" is read from standard input, less one newline at its end.  Prints
 * "valid" and exits with 0, or prints why not (too_large, malformed,
 * algorithm, critical, signature, no_memory) and exits with 1; 2 is a wrong
 * call, an unreadable file or a set without any usable key.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/jose/jws.h"


static const char *
reason(akl_jws_error_t error)
{
    switch (error) {

    case AKL_JWS_OK:
        return "valid";

    case AKL_JWS_TOO_LARGE:
        return "too_large";

    case AKL_JWS_MALFORMED:
        return "malformed";

    case AKL_JWS_ALGORITHM:
        return "algorithm";

    case AKL_JWS_CRITICAL:
        return "critical";

    case AKL_JWS_SIGNATURE:
        return "signature";

    case AKL_JWS_NOMEM:
        return "no_memory";
    }

    return "unknown";
}


/* all of a stream up to 1 MB, to be freed by the caller; NULL on failure */

static unsigned char *
slurp(FILE *in, size_t *len)
{
    unsigned char  *buf;

    buf = malloc(1024 * 1024);
    if (buf == NULL) {
        return NULL;
    }

    *len = fread(buf, 1, 1024 * 1024, in);

    if (ferror(in)) {
        free(buf);
        return NULL;
    }

    return buf;
}


/* "RS256,ES256" to a set of bits; 0 where a name is unknown */

static unsigned
algorithms(const char *list)
{
    unsigned    set;
    akl_alg_t   alg;
    akl_str_t   name;

    set = 0;

    for ( ;; ) {
        name.data = (const unsigned char *) list;
        name.len = strcspn(list, ",");

        alg = akl_alg_find(name);

        if (alg == AKL_ALG_NONE) {
            return 0;
        }

        set |= 1u << alg;
        list += name.len;

        if (*list++ == '\0') {
            return set;
        }
    }
}


static akl_jws_error_t
verify(akl_str_t token, const akl_jwks_t *keys, unsigned allowed)
{
    akl_jws_t        jws;
    akl_jws_error_t  rc;

    rc = akl_jws_parse(&jws, token);

    if (rc == AKL_JWS_OK) {
        rc = (allowed & 1u << jws.alg)
             ? akl_jws_verify_set(&jws, keys, 1, NULL)
             : AKL_JWS_ALGORITHM;
    }

    akl_jws_clear(&jws);

    return rc;
}


int
main(int argc, char **argv)
{
    FILE             *in;
    size_t            len;
    unsigned          allowed;
    akl_str_t         token, text;
    akl_jwks_t        keys;
    const char       *err;
    unsigned char    *set, *input;
    akl_jws_error_t   rc;

    if (argc != 4) {
        fprintf(stderr, "usage: jws-verify JWKS-FILE ALG[,ALG...] TOKEN|-\n");
        return 2;
    }

    allowed = algorithms(argv[2]);

    if (allowed == 0) {
        fprintf(stderr, "jws-verify: unknown algorithm in \"%s\"\n", argv[2]);
        return 2;
    }

    in = fopen(argv[1], "rb");
    set = (in != NULL) ? slurp(in, &len) : NULL;

    if (set == NULL) {
        perror(argv[1]);
        return 2;
    }

    fclose(in);

    text.data = set;
    text.len = len;

    if (akl_jwks_parse(&keys, text, &err) != 0) {
        fprintf(stderr, "jws-verify: %s: %s\n", argv[1], err);
        free(set);
        return 2;
    }

    free(set);
    input = NULL;

    if (strcmp(argv[3], "-") == 0) {
        input = slurp(stdin, &len);

        if (input == NULL) {
            perror("standard input");
            akl_jwks_clear(&keys);
            return 2;
        }

        token.data = input;
        token.len = len - (len && input[len - 1] == '\n');

    } else {
        token.data = (const unsigned char *) argv[3];
        token.len = strlen(argv[3]);
    }

    rc = verify(token, &keys, allowed);

    puts(reason(rc));

    free(input);
    akl_jwks_clear(&keys);

    return rc == AKL_JWS_OK ? 0 : 1;
}
