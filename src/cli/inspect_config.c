/*
 * inspect --config: the gateway's checks, in its own order and by its own
 * functions, as far as they go without the cluster.
 */

#include "inspect.h"
#include "inspect_minted.h"
#include "inspect_step.h"
#include "out.h"
#include "words.h"


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
                        akl_clean_word(akl_str_of(only)));
    }

    return 0;
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
                              akl_clean(walk->in->pod.issuer)),
               akl_mem_printf("\"%s\" is none of k8s_issuer (%s)",
                              akl_clean(walk->in->pod.issuer),
                              akl_clean_list(walk->config->issuers, ", ")));
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
                              : akl_clean_all((akl_str_t) { out.len, aud }),
                              akl_clean_list(list, ", ")),
               akl_mem_printf("the method demands %s, the token is for %s",
                              akl_clean_list(list, ", "),
                              out.overflow ? "others"
                              : out.len == 0 ? "nobody"
                              : akl_clean_all((akl_str_t) { out.len, aud })));
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
                          akl_clean(identity->namespace),
                          akl_clean(identity->sa_name),
                          identity->pod_name.len ? "pod \"" : "no pod",
                          akl_clean(identity->pod_name),
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
                                 akl_clean(walk->in->pod.claimed.namespace),
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
                                     akl_clean_list(method->ips, ", ")));
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
                           "subject", empty ? "" : akl_clean_all(sub),
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
                                 akl_clean_list(walk->config->hosts, ", ")));
}


static void
akl_walk_end(akl_walk_t *walk, json_t *object)
{
    const char  *cure;

    cure = walk->in->minted ? akl_words_cure_minted(walk->reason)
                            : akl_words_cure(walk->reason);

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
                   akl_clean(akl_str_of(config->name)),
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
