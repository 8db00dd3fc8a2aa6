/*
 * What the k8s_*.c tests share: unsigned tokens of any payload, and files.
 */

#ifndef AKL_K8S_TEST_H
#define AKL_K8S_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../../src/cli/json.h"
#include "../../../src/jose/base64.h"
#include "../../../src/k8s/tokenreview.h"


static inline akl_str_t
str(const char *text)
{
    return (akl_str_t) { strlen(text), (const unsigned char *) text };
}


static inline void
assert_str(akl_str_t got, const char *expected)
{
    assert_int_equal(got.len, strlen(expected));
    assert_memory_equal(got.data, expected, got.len);
}


/* a token with that header and payload; its signature is 256 zero bytes */

static inline akl_str_t
token_of(const char *header, const char *payload)
{
    size_t         n;
    unsigned char  zero[256];

    static unsigned char  token[65536];

    memset(zero, 0, sizeof(zero));

    n = akl_base64url_encode(token, str(header));
    token[n++] = '.';
    n += akl_base64url_encode(token + n, str(payload));
    token[n++] = '.';
    n += akl_base64url_encode(token + n, (akl_str_t) { sizeof(zero), zero });

    return (akl_str_t) { n, token };
}


static inline akl_str_t
token_with(const char *payload)
{
    return token_of("{\"alg\":\"RS256\",\"kid\":\"a\"}", payload);
}


/* a file below $AKL_FIXTURES; freed by the caller */

static inline akl_str_t
fixture(const char *version, const char *name, const char *end)
{
    char            path[512];
    FILE           *f;
    size_t          n;
    const char     *base;
    unsigned char  *data;

    base = getenv("AKL_FIXTURES");

    snprintf(path, sizeof(path), "%s/kube-apiserver-%s/%s%s",
             base ? base : "t/fixtures", version, name, end);

    f = fopen(path, "rb");

    if (f == NULL) {
        return (akl_str_t) { 0, NULL };
    }

    data = malloc(65536);
    assert_non_null(data);

    n = fread(data, 1, 65536, f);
    fclose(f);

    return (akl_str_t) { n, data };
}


#endif /* AKL_K8S_TEST_H */
