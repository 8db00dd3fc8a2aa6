/*
 * What a text that will not do looks like to somebody who knows how such
 * texts come to be: taken from a Secret as it is, pasted with its quotes, cut.
 */

#ifndef AKL_LOOK_H
#define AKL_LOOK_H

#include "../jose/str.h"


/* what the text was wanted for */

typedef enum {
    AKL_USE_JWT = 0,
    AKL_USE_CERTIFICATE,
    AKL_USE_PRIVATE_KEY,
    AKL_USE_PUBLIC_KEY
} akl_use_t;


typedef enum {
    AKL_LOOK_NONE = 0,
    AKL_LOOK_BOM,
    AKL_LOOK_QUOTED,
    AKL_LOOK_BEARER,
    AKL_LOOK_JSON,
    AKL_LOOK_ESCAPED,
    AKL_LOOK_MANIFEST,
    AKL_LOOK_BASE64,
    AKL_LOOK_CUT,
    AKL_LOOK_INDENTED,
    AKL_LOOK_PRIVATE_KEY,
    AKL_LOOK_PUBLIC_KEY,
    AKL_LOOK_REQUEST,
    AKL_LOOK_CERTIFICATE,
    AKL_LOOK_JWT,
    AKL_LOOK_DER,
    AKL_LOOK_PATH,
    AKL_LOOK_N
} akl_look_t;


/*
 * The sentences that a cause makes with each look: static, as causes are
 * never allocated.  The cause is a literal.
 */
#define AKL_LOOKS(cause) {                                                    \
    cause,                                                                    \
    cause ", it begins with a byte order mark",                               \
    cause ", it is in quotes",                                                \
    cause ", it has \"Bearer\" in front",                                     \
    cause ", it is JSON",                                                     \
    cause ", its line breaks are written out as \\n",                         \
    cause ", it is a manifest",                                               \
    cause ", it is still in base64",                                          \
    cause ", its end is missing",                                             \
    cause ", its lines are indented",                                         \
    cause ", it is a private key",                                            \
    cause ", it is a public key",                                             \
    cause ", it is a certificate request",                                    \
    cause ", it is a certificate",                                            \
    cause ", it is a JWT",                                                    \
    cause ", it is DER, not PEM",                                             \
    cause ", it is a path"                                                    \
}


/* What a text, good for nothing or not for this use, looks like. */
akl_look_t akl_look(akl_use_t use, akl_str_t text);

/* The same as the end of a sentence: ", it is in quotes", or "". */
const char *akl_look_text(akl_use_t use, akl_str_t text);

/* 1 where "what" stands anywhere in a text, else 0. */
int akl_look_holds(akl_str_t text, const char *what);


#endif /* AKL_LOOK_H */
