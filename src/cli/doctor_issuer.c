/*
 * doctor: issuer, keys and audience, against what the cluster has.
 */

#include "../k8s/pod_token.h"
#include "doctor.h"
#include "out.h"


static const char *
akl_exam_token_issuer(akl_str_t token)
{
    const char       *issuer;
    akl_pod_token_t   pod;

    issuer = NULL;

    if (token.len && akl_pod_token_parse(&pod, token) == AKL_OK) {

        if (!pod.legacy && pod.claimed.namespace.len) {
            issuer = akl_mem_strn(pod.issuer.data, pod.issuer.len);
        }

        akl_pod_token_clear(&pod);
    }

    return issuer;
}


void
akl_exam_issuer(akl_exam_t *exam)
{
    size_t               i;
    const char          *issuer, *how;
    akl_list_t           list;
    akl_directive_t     *d;
    akl_http_answer_t    answer;

    akl_progress("asking for the issuer");

    issuer = akl_kube_issuer(&exam->kube, &answer);
    how = "as its discovery document says";

    if (issuer == NULL) {
        issuer = akl_exam_token_issuer(exam->token);
        how = "as the pod's token has it";
    }

    if (issuer == NULL && !exam->config->rancher) {
        issuer = akl_exam_token_issuer(exam->config->reviewer.text);
        how = "as the reviewer's own token has it";
    }

    if (answer.status == 404) {
        how = akl_mem_printf("%s: it is no https URL, so the cluster "
                             "publishes neither issuer nor keys",
                             issuer ? how : "");
    }

    list = exam->config->issuers;

    if (list.n == 0) {
        akl_finding(exam, AKL_FINDING_OK, "issuer", NULL,
                    "not looked at (disable_issuer_validation)%s%s%s",
                    issuer ? ", the cluster's is \"" : "",
                    issuer ? akl_clean(akl_str_of(issuer)) : "",
                    issuer ? "\"" : "");
        return;
    }

    if (issuer == NULL) {
        akl_finding(exam, AKL_FINDING_SKIPPED, "issuer",
                    "kubectl create token default | akl-k8s inspect, and "
                    "compare its \"iss\"",
                    answer.status == 404
                    ? "the cluster's issuer is no https URL, so it publishes "
                      "neither issuer nor keys: it is in its tokens only"
                    : "the cluster does not tell the reviewer its issuer");
        return;
    }

    for (i = 0; i < list.n; i++) {
        if (akl_str_eq(list.elts[i], akl_str_of(issuer))) {
            akl_finding(exam, AKL_FINDING_OK, "issuer", NULL,
                        "\"%s\" is in k8s_issuer (%s)",
                        akl_clean(akl_str_of(issuer)), how);
            return;
        }
    }

    d = akl_directive_find(exam->config->directive->block, "k8s_issuer");

    if (d == NULL) {
        d = exam->config->directive;
    }

    akl_finding(exam, AKL_FINDING_FAILED, "issuer",
                akl_mem_printf("k8s_issuer \"%s\"; in %s:%zu",
                               akl_clean(akl_str_of(issuer)), d->file,
                               d->line),
                "the cluster's issuer is \"%s\" (%s), k8s_issuer is %s",
                akl_clean(akl_str_of(issuer)), how,
                akl_clean_list(list, " "));
}


/* of a file, the keys that the cluster has, too */

static void
akl_exam_compare(akl_exam_t *exam, const akl_jwks_t *theirs)
{
    size_t        i, k, common;
    akl_jwks_t    ours;
    const char   *cause, *path;

    if (akl_jwks_parse(&ours, exam->config->jwks.text, &cause) != 0) {
        return;
    }

    common = 0;

    for (i = 0; i < theirs->n; i++) {
        for (k = 0; k < ours.n; k++) {
            if (akl_jwk_same_public(&theirs->keys[i], &ours.keys[k])) {
                common++;
                break;
            }
        }
    }

    akl_jwks_clear(&ours);

    path = exam->config->jwks.path ? exam->config->jwks.path : "jwks.json";

    if (common == theirs->n) {
        akl_finding(exam, AKL_FINDING_OK, "keys", NULL,
                    "k8s_jwks has all %zu keys of the cluster", theirs->n);
        return;
    }

    akl_finding(exam, common ? AKL_FINDING_WARN : AKL_FINDING_FAILED, "keys",
                akl_mem_printf("kubectl get --raw /openid/v1/jwks > %s, or "
                               "k8s_jwks auto", path),
                "k8s_jwks has %zu of the %zu keys of the cluster", common,
                theirs->n);
}


void
akl_exam_keys(akl_exam_t *exam)
{
    json_t             *object;
    akl_jwks_t          keys;
    const char         *cause;
    akl_finding_t       bad;
    akl_http_answer_t   answer;

    if (!exam->config->jwks_auto && exam->config->jwks.text.len == 0) {
        akl_finding(exam, AKL_FINDING_SKIPPED, "keys", NULL,
                    "no k8s_jwks: the cluster is asked about forged tokens, "
                    "too");
        return;
    }

    akl_progress("asking for the cluster's keys");

    object = akl_kube(&exam->kube, "GET", "/openid/v1/jwks", NULL, &answer);
    bad = exam->config->jwks_auto ? AKL_FINDING_FAILED : AKL_FINDING_SKIPPED;

    if (answer.phase == AKL_HTTP_OK && answer.status == 200
        && akl_jwks_parse(&keys, answer.body, &cause) == 0)
    {
        if (exam->config->jwks_auto) {
            akl_finding(exam, AKL_FINDING_OK, "keys", NULL,
                        "the reviewer gets the cluster's %zu keys", keys.n);
        } else {
            akl_exam_compare(exam, &keys);
        }

        akl_jwks_clear(&keys);

    } else if (answer.status == 403) {
        akl_finding(exam, bad, "keys",
                    akl_exam_bind(exam,
                                  "system:service-account-issuer-discovery"),
                    "the reviewer may not read the cluster's keys "
                    "(/openid/v1/jwks)");

    } else if (answer.status == 404) {
        akl_finding(exam, bad, "keys",
                    "k8s_jwks with a file of the keys, or none",
                    "the cluster publishes no keys: its issuer is no https "
                    "URL");

    } else {
        akl_finding(exam, bad, "keys", NULL, "the cluster's keys cannot be "
                    "had: %s", answer.status == 200
                               ? "no JWK set" : akl_kube_message(&answer,
                                                                 object));
    }

    json_decref(object);
}


void
akl_exam_audience(akl_exam_t *exam)
{
    akl_list_t  list;

    if (exam->config->method == NULL) {
        return;
    }

    list = exam->config->method->audiences;

    if (list.n && exam->token.len == 0) {
        akl_finding(exam, AKL_FINDING_SKIPPED, "audience",
                    "--k8s-token-path FILE, with a pod's token",
                    "pods need a projected token with the audience %s",
                    akl_clean_list(list, " "));
    }
}
