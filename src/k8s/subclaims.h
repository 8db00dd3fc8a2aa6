/*
 * What a role demands of a token's claims, and claims in a shape that can be
 * kept in shared memory and looked at without parsing.
 */

#ifndef AKL_SUBCLAIMS_H
#define AKL_SUBCLAIMS_H

#include <sys/types.h>

#include "../jose/doc.h"
#include "bounds.h"


/*
 * Bytes of flattened claims: more than those of any token of AKL_JWS_MAX bytes
 * take, which is less than twice its payload; and such that they fit a blob of
 * the zone with a head before them.
 */
#define AKL_CLAIMS_MAX  32512


typedef enum {
    AKL_CLAIM_STRING = 0,
    AKL_CLAIM_LIST,                     /* of strings, numbers, booleans */
    AKL_CLAIM_SCALAR,                   /* number, boolean: as JSON text */
    AKL_CLAIM_JSON                      /* anything else, as it stands */
} akl_claim_type_t;


/* a claim found; "rest" walks its values */

typedef struct {
    akl_claim_type_t       type;
    size_t                 n;           /* values */
    const unsigned char   *rest;
    const unsigned char   *last;
} akl_claim_t;


/*
 * Flattens the top-level members of a verified payload into one relocatable
 * run of bytes without pointers.  With dst NULL it only measures.  Returns the
 * number of bytes, or -1 where they pass "size" or AKL_CLAIMS_MAX: all claims
 * or none, since what is left out is what an attacker chose.
 */
ssize_t akl_claims_flatten(const akl_doc_t *payload, unsigned char *dst,
    size_t size);

/*
 * Looks a claim up by its exact name, or with "icase" by the first one that
 * differs in ASCII case only.  1 and *claim, or 0.
 */
int akl_claims_lookup(akl_str_t flat, akl_str_t name, int icase,
    akl_claim_t *claim);

/* The next value of a claim: 1 and *value (points into "flat"), or 0. */
int akl_claim_next(akl_claim_t *claim, akl_str_t *value);

/* The first value of the claim of that exact name: 1 and *value, or 0. */
int akl_claims_find(akl_str_t flat, akl_str_t name, akl_str_t *value);

/* The same for a claim that is one string and not empty, else 0. */
int akl_claims_string(akl_str_t flat, akl_str_t name, akl_str_t *value);


/* claim=glob,glob: any value must match any glob */

typedef struct {
    akl_str_t              claim;
    akl_list_t             values;      /* globs */
    unsigned               icase:1;
} akl_subclaim_t;


/*
 * Takes "claim=glob,..." apart.  With globs NULL it only counts into *n; else
 * fills at most *n strings, which point into "text".  NULL, or a static
 * cause.
 */
const char *akl_subclaim_parse(akl_str_t text, akl_str_t *name,
    akl_str_t *globs, size_t *n);

/*
 * 1 where the claim "name" (the rule's own, or the one it stands for here)
 * meets the demand; a claim that is absent never does.
 */
int akl_subclaim_match(const akl_subclaim_t *rule, akl_str_t name,
    akl_str_t flat);


#endif /* AKL_SUBCLAIMS_H */
