/*
 * inspect --config: the gateway's checks, in its own order and by its own
 * functions, as far as they go without the cluster.
 */

#include "inspect.h"
#include "out.h"
#include "words.h"


typedef struct {
    akl_inspect_t        *in;
    akl_setup_config_t   *config;
    json_t               *steps;        /* NULL: they are printed */
    akl_reason_t          reason;       /* of the first that failed */
} akl_walk_t;


typedef enum {
    AKL_STEP_OK = 0,
    AKL_STEP_OPEN,                      /* not for us to say */
    AKL_STEP_FAILED
} akl_step_t;


int
akl_inspect_conf(akl_inspect_t *in, const char *path, const char *only)
{
    const char  *cause;

    in->only = only;
    in->setup = akl_setup_new();

    cause = akl_setup_read(in->setup, path);

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause);
    }

    if (in->setup->configs == NULL) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "\"%s\" has no "
                        "akl_k8s_auth_config", path);
    }

    if (only && akl_setup_find(in->setup, only) == NULL) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "\"%s\" has no "
                        "akl_k8s_auth_config \"%s\"", path,
                        akl_clean(akl_str_of(only), 80));
    }

    return 0;
}


static void
akl_walk_step(akl_walk_t *walk, akl_step_t step, const char *name,
    const char *text)
{
    json_t  *object;

    static const char         *words[] = { "ok", "open", "failed" };
    static const char         *marks[] = { "ok  ", "  - ", "FAIL" };
    static const akl_style_t   styles[] = { AKL_GREEN, AKL_DIM, AKL_RED };

    if (walk->steps) {
        object = json_object();

        json_object_set_new(object, "step", json_string(name));
        json_object_set_new(object, "outcome", json_string(words[step]));
        json_object_set_new(object, "text", akl_json_text(akl_str_of(text)));
        json_array_append_new(walk->steps, object);

        return;
    }

    printf("  %s%s%s  %-10s %s\n", akl_style(stdout, styles[step]),
           marks[step], akl_style(stdout, AKL_PLAIN), name, text);
}


/* a step that has a reason: 1 where it failed, and the walk is over */

static int
akl_walk_reason(akl_walk_t *walk, akl_reason_t reason, const char *name,
    const char *good, const char *bad)
{
    if (reason == AKL_OK) {
        akl_walk_step(walk, AKL_STEP_OK, name, good);
        return 0;
    }

    walk->reason = reason;

    akl_walk_step(walk, AKL_STEP_FAILED, name,
                  akl_mem_printf("%s: %s",
                                 (const char *) akl_reason_code(reason).data,
                                 bad));
    return 1;
}


static char *
akl_walk_list(akl_list_t list)
{
    size_t      i;
    akl_buf_t   buf;

    memset(&buf, 0, sizeof(akl_buf_t));
    akl_buf_puts(&buf, "");

    for (i = 0; i < list.n; i++) {
        akl_buf_printf(&buf, "%s%s", i ? ", " : "",
                       akl_clean(list.elts[i], 256));
    }

    return buf.data;
}


static int
akl_walk_issuer(akl_walk_t *walk)
{
    akl_reason_t        reason;
    akl_pod_policy_t    policy;

    if (walk->config->issuers.n == 0) {
        akl_walk_step(walk, AKL_STEP_OPEN, "issuer",
                      "not looked at (disable_issuer_validation)");
        return 0;
    }

    memset(&policy, 0, sizeof(akl_pod_policy_t));

    policy.issuers = walk->config->issuers.elts;
    policy.n_issuers = walk->config->issuers.n;

    reason = akl_pod_token_check(&walk->in->pod, &policy, walk->in->now);

    if (reason != AKL_ISSUER_MISMATCH) {
        reason = AKL_OK;
    }

    return akl_walk_reason(walk, reason, "issuer",
               akl_mem_printf("\"%s\" is in k8s_issuer",
                              akl_clean(walk->in->pod.issuer, 256)),
               akl_mem_printf("\"%s\" is none of k8s_issuer (%s)",
                              akl_clean(walk->in->pod.issuer, 256),
                              akl_walk_list(walk->config->issuers)));
}


static int
akl_walk_times(akl_walk_t *walk)
{
    char              *good;
    akl_reason_t       reason;
    akl_pod_token_t   *pod;
    akl_pod_policy_t   policy;

    memset(&policy, 0, sizeof(akl_pod_policy_t));

    pod = &walk->in->pod;
    reason = akl_pod_token_check(pod, &policy, walk->in->now);

    good = pod->exp ? akl_mem_printf("ends %s", akl_words_when(pod->exp,
                                                          walk->in->now))
                    : akl_mem_str("has no end");

    return akl_walk_reason(walk, reason, "times", good,
               (reason == AKL_TOKEN_EXPIRED)
               ? akl_mem_printf("it ended %s",
                                akl_words_when(pod->exp, walk->in->now))
               : akl_mem_printf("it begins %s",
                                akl_words_when(pod->nbf, walk->in->now)));
}


static int
akl_walk_audience(akl_walk_t *walk)
{
    akl_list_t           list;
    akl_reason_t         reason;
    akl_json_out_t       out;
    unsigned char        aud[512];
    akl_pod_policy_t     policy;
    akl_setup_method_t  *method;

    method = walk->config->method;
    list = method->audiences;

    if (list.n == 0) {
        akl_walk_step(walk, AKL_STEP_OPEN, "audience",
                      "the method demands none, the API server its own");
        return 0;
    }

    memset(&policy, 0, sizeof(akl_pod_policy_t));
    policy.audiences = list;

    reason = akl_pod_token_check(&walk->in->pod, &policy, walk->in->now);

    akl_json_out_init(&out, aud, sizeof(aud));
    akl_pod_token_write_aud(&walk->in->pod, &out);

    return akl_walk_reason(walk, reason, "audience",
               akl_mem_printf("%s has %s",
                              out.overflow ? "the token"
                              : akl_clean((akl_str_t) { out.len, aud }, 0),
                              akl_walk_list(list)),
               akl_mem_printf("the method demands %s, the token is for %s",
                              akl_walk_list(list),
                              out.overflow ? "others"
                              : out.len == 0 ? "nobody"
                              : akl_clean((akl_str_t) { out.len, aud }, 0)));
}


static int
akl_walk_signature(akl_walk_t *walk)
{
    akl_jwks_t        keys;
    const char       *cause;
    akl_signature_t   signature;

    if (walk->config->jwks.text.len == 0) {
        akl_walk_step(walk, AKL_STEP_OPEN, "signature",
                      walk->config->jwks_auto
                      ? "the gateway has the cluster's keys (k8s_jwks auto)"
                      : "left to the cluster (no k8s_jwks)");
        return 0;
    }

    if (akl_jwks_parse(&keys, walk->config->jwks.text, &cause) != 0) {
        akl_walk_step(walk, AKL_STEP_OPEN, "signature", cause);
        return 0;
    }

    signature = akl_pod_token_signature(&walk->in->pod, &keys);
    akl_jwks_clear(&keys);

    if (signature == AKL_SIGNATURE_FOREIGN) {
        akl_walk_step(walk, AKL_STEP_OPEN, "signature",
                      "made by a key that is not in k8s_jwks: the cluster "
                      "decides");
        return 0;
    }

    return akl_walk_reason(walk, (signature == AKL_SIGNATURE_VERIFIED)
                                 ? AKL_OK : AKL_SIGNATURE_INVALID,
                           "signature", "made by one of the keys in k8s_jwks",
                           "not made by the key of k8s_jwks that it names");
}


static char *
akl_walk_identity(akl_identity_t *identity)
{
    return akl_mem_printf("namespace \"%s\", account \"%s\", %s%s%s",
                          akl_clean(identity->namespace, 256),
                          akl_clean(identity->sa_name, 256),
                          identity->pod_name.len ? "pod \"" : "no pod",
                          akl_clean(identity->pod_name, 256),
                          identity->pod_name.len ? "\"" : "");
}


/* what the token does not say */

static void
akl_walk_labels(akl_walk_t *walk, const akl_selector_t *selector)
{
    if (selector->n == 0) {
        return;
    }

    akl_walk_step(walk, AKL_STEP_OPEN, "labels",
                  akl_mem_printf("namespace \"%s\" has to have %s: the "
                                 "cluster knows",
                                 akl_clean(walk->in->pod.claimed.namespace,
                                           256),
                                 akl_words_labels(selector, " and ")));
}


static int
akl_walk_bounds(akl_walk_t *walk)
{
    char                *who;
    akl_identity_t      *claimed;
    akl_setup_method_t  *method;

    method = walk->config->method;
    claimed = &walk->in->pod.claimed;
    who = akl_walk_identity(claimed);

    if (akl_walk_reason(walk, akl_bounds_check(&method->bounds, claimed),
                        "bounds", who, who))
    {
        return 1;
    }

    akl_walk_labels(walk, &method->bounds.selector);

    if (method->ips.n) {
        akl_walk_step(walk, AKL_STEP_OPEN, "address",
                      akl_mem_printf("the client has to be in %s",
                                     akl_walk_list(method->ips)));
    }

    return 0;
}


/* what minted tokens would call the pod, where that is settled by config */

static int
akl_walk_subject(akl_walk_t *walk)
{
    akl_str_t       sub;
    const char     *empty;
    unsigned char   buf[AKL_SUBJECT_MAX];

    if (!walk->config->subject_known) {
        return 0;
    }

    empty = akl_subject_write(&walk->config->subject, &walk->in->pod.claimed,
                              buf, &sub);

    return akl_walk_reason(walk, empty ? AKL_SUBJECT_INCOMPLETE : AKL_OK,
                           "subject", empty ? "" : akl_clean(sub, 0),
                           empty ? empty : "");
}


static void
akl_walk_pod(akl_walk_t *walk)
{
    akl_inspect_t       *in;
    akl_setup_method_t  *method;

    in = walk->in;
    method = walk->config->method;

    if (method->access_expires
        && akl_walk_reason(walk, in->now >= method->access_expires
                                 ? AKL_ACCESS_EXPIRED : AKL_OK, "access",
               akl_mem_printf("ends %s", akl_words_when(method->access_expires,
                                                        in->now)),
               akl_mem_printf("it ended %s",
                              akl_words_when(method->access_expires,
                                             in->now))))
    {
        return;
    }

    if (akl_walk_reason(walk, in->reason, "form", "a well-formed JWT",
                        in->cause)
        || akl_walk_issuer(walk) || akl_walk_times(walk)
        || akl_walk_audience(walk) || akl_walk_signature(walk)
        || akl_walk_bounds(walk) || akl_walk_subject(walk))
    {
        return;
    }

    if (walk->config->bound) {
        akl_walk_step(walk, AKL_STEP_OPEN, "client", "the client needs a "
                      "certificate (token_binding)");
    }

    akl_walk_step(walk, AKL_STEP_OPEN, "review",
                  akl_mem_printf("the cluster at %s decides",
                                 akl_walk_list(walk->config->hosts)));
}


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
    first = akl_clean(wanted, 256);

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


static void
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
                              akl_clean(iss, 256)),
               akl_mem_printf("\"%s\" is not its token_issuer, \"%s\"",
                              akl_clean(iss, 256), issuer))
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


static void
akl_walk_end(akl_walk_t *walk, json_t *object)
{
    const char  *cure;

    cure = akl_words_cure(walk->reason);

    if (object) {
        json_object_set_new(object, "reason",
            json_string((const char *) akl_reason_code(walk->reason).data));

        if (cure) {
            json_object_set_new(object, "cure", json_string(cure));
        }

    } else if (cure) {
        printf("        try: %s\n", cure);
    }
}


int
akl_inspect_configs(akl_inspect_t *in, json_t *list)
{
    int                  rc;
    json_t              *object;
    akl_walk_t           walk;
    akl_setup_config_t  *config;

    rc = AKL_EXIT_REFUSED;

    if (in->minted && in->setup->revoked == NULL) {
        akl_setup_revoked(in->setup, in->now);
    }

    for (config = in->setup->configs; config; config = config->next) {

        if (in->only && strcmp(config->name, in->only) != 0) {
            continue;
        }

        memset(&walk, 0, sizeof(akl_walk_t));
        walk.in = in;
        walk.config = config;

        object = NULL;

        if (list) {
            object = json_object();
            walk.steps = json_array();

            json_object_set_new(object, "config",
                                akl_json_text(akl_str_of(config->name)));
            json_object_set_new(object, "steps", walk.steps);
            json_array_append_new(list, object);

        } else {
            printf("\n%sauth config \"%s\"%s\n", akl_style(stdout, AKL_BOLD),
                   akl_clean(akl_str_of(config->name), 80),
                   akl_style(stdout, AKL_PLAIN));
        }

        if (config->method == NULL) {
            (void) akl_walk_reason(&walk, AKL_CONFIG_UNKNOWN, "method", "",
                                   "its access_id has no "
                                   "akl_k8s_auth_method");

        } else if (in->minted) {
            akl_walk_minted(&walk);

        } else {
            akl_walk_pod(&walk);
        }

        akl_walk_end(&walk, object);

        if (walk.reason == AKL_OK) {
            rc = AKL_EXIT_OK;
        }
    }

    return rc;
}
