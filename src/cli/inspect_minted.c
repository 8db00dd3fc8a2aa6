/*
 * inspect --config of a token that the gateway minted: the guard's checks.
 */

#include "inspect_minted.h"
#include "out.h"
#include "words.h"


/* the gateway's own keys, those of before and after included */

static akl_reason_t
akl_walk_own_keys(akl_walk_t *walk, akl_jws_t *jws)
{
    size_t             i;
    akl_jwk_t          jwk;
    const char        *cause;
    akl_jws_error_t    error;

    for (i = 0; i < walk->config->own_keys.n; i++) {

        if (akl_jwk_public_from_pem(&jwk, walk->config->own_keys.elts[i],
                                    &cause)
            != 0)
        {
            continue;
        }

        error = akl_jws_verify(jws, &jwk);
        akl_jwk_clear(&jwk);

        if (error == AKL_JWS_OK) {
            return AKL_OK;
        }
    }

    return AKL_SIGNATURE_INVALID;
}


/* a guard wants the first of token_audience */

static int
akl_walk_own_audience(akl_walk_t *walk, akl_doc_t *payload)
{
    int                found;
    char              *first;
    akl_str_t          wanted;
    const akl_node_t  *aud, *elt;

    if (walk->config->token_audiences.n == 0) {
        return 0;
    }

    wanted = walk->config->token_audiences.elts[0];
    first = akl_clean(wanted);

    aud = akl_doc_get(payload, payload->nodes, "aud");

    found = (aud && aud->type == AKL_NODE_STRING
             && akl_str_eq(aud->text, wanted));

    for (elt = (aud && aud->type == AKL_NODE_ARRAY)
               ? akl_doc_first(payload, aud) : NULL;
         elt && !found;
         elt = akl_doc_next(payload, aud, elt))
    {
        found = (elt->type == AKL_NODE_STRING
                 && akl_str_eq(elt->text, wanted));
    }

    return akl_walk_reason(walk, found ? AKL_OK : AKL_AUDIENCE_MISMATCH,
               "audience",
               akl_mem_printf("for \"%s\", the first of token_audience", first),
               akl_mem_printf("not for \"%s\", the first of token_audience",
                              first));
}


/* what stands in files; the zone is the gateway's own memory */

static int
akl_walk_revoked(akl_walk_t *walk, akl_doc_t *payload)
{
    int64_t               iat;
    akl_str_t             jti, sub;
    akl_setup_revoked_t  *file;

    iat = 0;

    (void) akl_doc_string(payload, payload->nodes, "jti", &jti);
    (void) akl_doc_string(payload, payload->nodes, "sub", &sub);
    (void) akl_doc_time(payload, payload->nodes, "iat", &iat);

    for (file = walk->in->setup->revoked; file; file = file->next) {

        if (file->table == NULL) {
            akl_walk_step(walk, AKL_STEP_OPEN, "revoked",
                          akl_mem_printf("\"%s\" %s", file->path,
                                         file->cause));

        } else if (akl_revocations_match(file->table, jti, sub, iat,
                                         walk->in->now))
        {
            return akl_walk_reason(walk, AKL_TOKEN_REVOKED, "revoked", "",
                                   akl_mem_printf("it stands in \"%s\"",
                                                  file->path));

        } else {
            akl_walk_step(walk, AKL_STEP_OK, "revoked",
                          akl_mem_printf("it does not stand in \"%s\"",
                                         file->path));
        }
    }

    return 0;
}


void
akl_walk_minted(akl_walk_t *walk)
{
    int64_t          exp;
    akl_jws_t        jws;
    akl_str_t        iss;
    akl_reason_t     reason;
    akl_inspect_t   *in;
    const char      *issuer;

    in = walk->in;
    issuer = walk->config->token_issuer;
    exp = 0;

    if (akl_jws_parse(&jws, in->token) != AKL_JWS_OK) {
        (void) akl_walk_reason(walk, AKL_TOKEN_MALFORMED, "form", "",
                               in->cause);
        akl_jws_clear(&jws);
        return;
    }

    (void) akl_doc_time(&jws.payload, jws.payload.nodes, "exp", &exp);

    if (akl_doc_string(&jws.payload, jws.payload.nodes, "iss", &iss) != 0) {
        iss = akl_str("");
    }

    reason = akl_walk_own_keys(walk, &jws);

    if (akl_walk_reason(walk, reason, "signature", "made by one of its keys",
                        "not made by signing_key or a verification_key")
        || akl_walk_reason(walk, akl_str_eq(iss, akl_str_of(issuer))
                                 ? AKL_OK : AKL_ISSUER_MISMATCH, "issuer",
               akl_mem_printf("\"%s\" is its token_issuer",
                              akl_clean(iss)),
               akl_mem_printf("\"%s\" is not its token_issuer, \"%s\"",
                              akl_clean(iss), issuer))
        || akl_walk_reason(walk, exp > in->now ? AKL_OK : AKL_TOKEN_EXPIRED,
               "times", akl_mem_printf("ends %s",
                                       akl_words_when(exp, in->now)),
               akl_mem_printf("it ended %s", akl_words_when(exp, in->now)))
        || akl_walk_own_audience(walk, &jws.payload)
        || akl_walk_revoked(walk, &jws.payload))
    {
        akl_jws_clear(&jws);
        return;
    }

    if (walk->config->bound
        || akl_doc_get(&jws.payload, jws.payload.nodes, "cnf"))
    {
        akl_walk_step(walk, AKL_STEP_OPEN, "client", "who presents it needs "
                      "the certificate that it is bound to");
    }

    akl_walk_step(walk, AKL_STEP_OPEN, "guard",
                  "akl_k8s_require decides, and what is revoked in the "
                  "gateway's memory");
    akl_jws_clear(&jws);
}
