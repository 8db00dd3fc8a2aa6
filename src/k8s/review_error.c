/*
 * The words of kube-apiserver, 1.25 to 1.37: pkg/serviceaccount (claims.go,
 * legacy.go, jwt.go), the OpenID Connect and webhook authenticators, and the
 * errors of etcd's client and Go's net/http that they hand on as they are.
 */

#include "../jose/count.h"
#include "review_error.h"


typedef struct {
    const char    *text;
    akl_reason_t   reason;
} akl_review_error_t;


static int akl_review_says(akl_str_t error, size_t i, const char *text);
static int akl_review_alnum(unsigned char ch);


/*
 * In lower case.  Definite refusals come first, since one of them stands
 * whatever befell the other authenticators.  A certificate of the server's
 * own webhook may have expired, too: "token" belongs to these words.
 */

static const akl_review_error_t  akl_review_errors[] = {
    { "token has expired", AKL_TOKEN_EXPIRED },
    { "token is expired", AKL_TOKEN_EXPIRED },
    { "not valid yet", AKL_TOKEN_NOT_YET_VALID },
    { "issued in the future", AKL_TOKEN_NOT_YET_VALID },
    { "is invalid for the target audiences", AKL_AUDIENCE_MISMATCH },
    { "has been invalidated", AKL_TOKEN_REVOKED },
    { "has been marked invalid", AKL_TOKEN_REVOKED },
    { "has been deleted", AKL_TOKEN_REVOKED },
    { "does not match service account", AKL_TOKEN_REVOKED },
    { "does not match claim", AKL_TOKEN_REVOKED },
    { "does not match server's copy", AKL_TOKEN_REVOKED },
    { "\" not found", AKL_TOKEN_REVOKED },
    { "invalid signature", AKL_TOKEN_REJECTED },
    { "error in cryptographic primitive", AKL_TOKEN_REJECTED },

    /* etcd, and the server itself on the way to it */

    { "etcdserver:", AKL_API_ERROR },
    { "leader changed", AKL_API_ERROR },
    { "rpc error", AKL_API_ERROR },
    { "storage is (re)initializing", AKL_API_ERROR },
    { "request timed out", AKL_API_ERROR },
    { "request did not complete", AKL_API_ERROR },
    { "in the time allotted", AKL_API_ERROR },
    { "is currently unable", AKL_API_ERROR },
    { "too many requests", AKL_API_ERROR },
    { "rate limiter", AKL_API_ERROR },
    { "is shutting down", AKL_API_ERROR },
    { "internal error occurred", AKL_API_ERROR },
    { "has prevented the request from succeeding", AKL_API_ERROR },

    /* an authenticator, or what it depends on */

    { "authenticator not initialized", AKL_API_ERROR },
    { "is not initialized", AKL_API_ERROR },
    { "verifier not initialized", AKL_API_ERROR },
    { "is not healthy", AKL_API_ERROR },
    { "fetching keys", AKL_API_ERROR },

    /* the network between them */

    { "context deadline exceeded", AKL_API_ERROR },
    { "context canceled", AKL_API_ERROR },
    { "dial tcp", AKL_API_ERROR },
    { "dial udp", AKL_API_ERROR },
    { "dial unix", AKL_API_ERROR },
    { "connection refused", AKL_API_ERROR },
    { "connection reset", AKL_API_ERROR },
    { "connection timed out", AKL_API_ERROR },
    { "connection lost", AKL_API_ERROR },
    { "broken pipe", AKL_API_ERROR },
    { "no route to host", AKL_API_ERROR },
    { "network is unreachable", AKL_API_ERROR },
    { "no such host", AKL_API_ERROR },
    { "server misbehaving", AKL_API_ERROR },
    { "i/o timeout", AKL_API_ERROR },
    { "timeout awaiting response headers", AKL_API_ERROR },
    { "tls handshake timeout", AKL_API_ERROR },
    { "tls: failed to verify certificate", AKL_API_ERROR },
    { "x509:", AKL_API_ERROR },
    { "goaway", AKL_API_ERROR },
    { "eof", AKL_API_ERROR }
};

#define AKL_REVIEW_ERRORS                                                     \
    (sizeof(akl_review_errors) / sizeof(akl_review_errors[0]))


/*
 * The error is a stranger's text, and there are dozens of phrases: at each of
 * its bytes only those are tried that begin with it, and that would come
 * before what was found.
 */

akl_reason_t
akl_review_error(akl_str_t error)
{
    size_t         i, row, found;
    unsigned char  ch;

    /* the first row that begins with that character, and the one after it */

    unsigned char  first[256], next[AKL_REVIEW_ERRORS];

    memset(first, AKL_REVIEW_ERRORS, sizeof(first));

    for (row = AKL_REVIEW_ERRORS; row-- > 0; ) {
        ch = (unsigned char) akl_review_errors[row].text[0];
        next[row] = first[ch];
        first[ch] = (unsigned char) row;
    }

    found = AKL_REVIEW_ERRORS;

    for (i = 0; i < error.len; i++) {

        akl_count(1);

        for (row = first[akl_lower(error.data[i])];
             row < found;
             row = next[row])
        {
            if (akl_review_says(error, i, akl_review_errors[row].text)) {
                found = row;
                break;
            }
        }
    }

    return (found < AKL_REVIEW_ERRORS) ? akl_review_errors[found].reason
                                       : AKL_TOKEN_REJECTED;
}


/* at "i", in whole words: what looks like "eof" may stand within a name */

static int
akl_review_says(akl_str_t error, size_t i, const char *text)
{
    size_t  n, len;

    len = strlen(text);

    for (n = 0; n < len; n++) {

        akl_count(1);

        if (i + n == error.len
            || akl_lower(error.data[i + n]) != (unsigned char) text[n])
        {
            return 0;
        }
    }

    if (i && akl_review_alnum(text[0])
        && akl_review_alnum(error.data[i - 1]))
    {
        return 0;
    }

    return !(i + len < error.len && akl_review_alnum(text[len - 1])
             && akl_review_alnum(error.data[i + len]));
}


/* not by the locale: the words are ASCII */

static int
akl_review_alnum(unsigned char ch)
{
    ch = akl_lower(ch);

    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
}
