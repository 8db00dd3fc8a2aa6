/*
 * doctor: what the API server says.
 */

#include <time.h>

#include "../k8s/tokenreview.h"
#include "doctor.h"
#include "out.h"
#include "words.h"


#define AKL_EXAM_REVIEWS  "/apis/authentication.k8s.io/v1/tokenreviews"
#define AKL_EXAM_ACCESS                                                       \
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

#define AKL_EXAM_SKEW_WARN    10        /* seconds */
#define AKL_EXAM_SKEW_FAILED  60        /* the leeway with pod tokens */


void
akl_exam_reviewer_name(akl_exam_t *exam, const char **namespace,
    const char **name)
{
    akl_pod_token_t  pod;

    *namespace = "kube-system";
    *name = "akl-reviewer";

    if (exam->config->rancher || exam->config->reviewer.text.len == 0) {
        return;
    }

    if (akl_pod_token_parse(&pod, exam->config->reviewer.text) == AKL_OK
        && pod.claimed.namespace.len && pod.claimed.sa_name.len)
    {
        *namespace = akl_clean(pod.claimed.namespace);
        *name = akl_clean(pod.claimed.sa_name);
    }

    akl_pod_token_clear(&pod);
}


/* both clocks matter: "exp" is by the one, "nbf" by the other */

static void
akl_exam_clock(akl_exam_t *exam, const akl_http_answer_t *answer)
{
    long long    skew;
    const char  *direction;

    if (exam->asked_clock || answer->date == 0) {
        return;
    }

    exam->asked_clock = 1;
    skew = answer->date - (long long) time(NULL);
    direction = (skew > 0) ? "ahead of" : "behind";

    if (skew > AKL_EXAM_SKEW_FAILED || skew < -AKL_EXAM_SKEW_FAILED) {
        exam->skewed = 1;
        akl_finding(exam, AKL_FINDING_FAILED, "clock",
                    "timedatectl set-ntp true, here and on the control plane",
                    "the API server's clock is %s %s this machine's",
                    akl_words_span(skew), direction);

    } else if (skew > AKL_EXAM_SKEW_WARN || skew < -AKL_EXAM_SKEW_WARN) {
        akl_finding(exam, AKL_FINDING_WARN, "clock",
                    "timedatectl set-ntp true, here and on the control plane",
                    "the API server's clock is %s %s this machine's",
                    akl_words_span(skew), direction);

    } else {
        akl_finding(exam, AKL_FINDING_OK, "clock", NULL,
                    "the API server's clock is this machine's, within %d "
                    "seconds", AKL_EXAM_SKEW_WARN);
    }
}


static const char *
akl_exam_renew(akl_exam_t *exam)
{
    const char  *namespace, *name, *path;

    if (exam->config->rancher) {
        return "make a new API key in Rancher, under Account & API Keys";
    }

    if (exam->config->certificate) {
        return "have a client certificate signed by the cluster's CA: kubectl "
               "certificate approve";
    }

    akl_exam_reviewer_name(exam, &namespace, &name);
    path = exam->config->reviewer.path ? exam->config->reviewer.path
                                       : "reviewer.jwt";

    return akl_mem_printf("kubectl get serviceaccount %s -n %s || kubectl "
                          "create serviceaccount %s -n %s; kubectl create "
                          "token %s -n %s --duration=8760h > %s", name,
                          namespace, name, namespace, name, namespace, path);
}


int
akl_exam_refused(akl_exam_t *exam, const char *check,
    const akl_http_answer_t *answer, json_t *object)
{
    const char  *text;

    if (answer->phase != AKL_HTTP_OK) {
        akl_finding(exam, answer->phase == AKL_HTTP_TLS
                          ? AKL_FINDING_FAILED : AKL_FINDING_DOWN, check,
                    exam->config->certificate && answer->phase == AKL_HTTP_TLS
                    ? akl_exam_renew(exam) : NULL,
                    "no answer: %s", answer->error);
        return 1;
    }

    if (answer->status == 401 && exam->skewed) {
        akl_finding(exam, AKL_FINDING_FAILED, "reviewer",
                    "set the clocks right first",
                    "the API server does not accept the reviewer while the "
                    "clocks differ");
        return 1;
    }

    if (answer->status == 401) {
        akl_finding(exam, AKL_FINDING_FAILED, "reviewer", akl_exam_renew(exam),
                    exam->config->rancher
                    ? "Rancher does not know the API key"
                    : "the API server does not know the reviewer: its account "
                      "was deleted, or it is of another cluster");
        return 1;
    }

    /* who may not even ask for a path does not learn that it is none */

    text = akl_kube_text(object, "message");

    if (answer->status == 404 || (answer->status == 200 && object == NULL)
        || (answer->status == 403 && text && strstr(text, " path \"")))
    {
        akl_finding(exam, AKL_FINDING_FAILED, check,
                    exam->config->rancher
                    ? "the id in Rancher's URL behind /dashboard/c/, or: "
                      "kubectl get clusters.management.cattle.io"
                    : akl_mem_printf("curl -k %s/version has to name a "
                                     "Kubernetes version: look at host, port "
                                     "and path of k8s_host",
                                     exam->kube.peer.url),
                    exam->config->rancher
                    ? "Rancher has no cluster \"%s\""
                    : "there is no Kubernetes API at %s",
                    exam->config->rancher ? exam->config->cluster_id
                                          : exam->kube.peer.url);
        return 1;
    }

    if (answer->status >= 500 || answer->status == 429) {
        akl_finding(exam, AKL_FINDING_DOWN, check, "look at the API server",
                    "the API server is not well: %s",
                    akl_kube_message(answer, object));
        return 1;
    }

    return 0;
}


const char *
akl_exam_bind(akl_exam_t *exam, const char *role)
{
    const char  *namespace, *name, *tail;

    tail = strchr(role, ':');
    tail = tail ? tail + 1 : role;

    if (exam->config->certificate) {
        return akl_mem_printf("kubectl create clusterrolebinding akl-%s "
                              "--clusterrole=%s --user=NAME-IN-THE-"
                              "CERTIFICATE", tail, role);
    }

    akl_exam_reviewer_name(exam, &namespace, &name);

    return akl_mem_printf("kubectl create clusterrolebinding %s-%s "
                          "--clusterrole=%s --serviceaccount=%s:%s", name,
                          tail, role, namespace, name);
}


json_t *
akl_exam_may(akl_exam_t *exam, const char *group, const char *resource,
    const char *verb, const char *namespace, akl_http_answer_t *answer)
{
    json_t  *attributes;

    attributes = json_pack("{s:s, s:s, s:s}", "group", group,
                           "resource", resource, "verb", verb);

    if (namespace) {

        /* a request for a namespace is one inside of it */

        json_object_set_new(attributes, "namespace", json_string(namespace));
        json_object_set_new(attributes, "name", json_string(namespace));
    }

    return akl_kube(&exam->kube, "POST", AKL_EXAM_ACCESS,
                    json_pack("{s:s, s:s, s:{s:o}}",
                              "apiVersion", "authorization.k8s.io/v1",
                              "kind", "SelfSubjectAccessReview",
                              "spec", "resourceAttributes", attributes),
                    answer);
}


int
akl_exam_allowed(json_t *object)
{
    return json_is_true(json_object_get(json_object_get(object, "status"),
                                        "allowed"));
}


/* 1 where the examination may go on */

static int
akl_exam_rights(akl_exam_t *exam)
{
    int                 rc;
    json_t             *object;
    akl_http_answer_t   answer;

    akl_progress("asking for the reviewer's rights");

    object = akl_exam_may(exam, "authentication.k8s.io", "tokenreviews",
                          "create", NULL, &answer);

    akl_exam_clock(exam, &answer);

    if (akl_exam_refused(exam, "rights", &answer, object)) {
        json_decref(object);
        return 0;
    }

    rc = 1;

    if (answer.status == 201 && akl_exam_allowed(object)) {
        akl_finding(exam, AKL_FINDING_OK, "rights", NULL,
                    "the reviewer may create tokenreviews");

    } else if (answer.status == 201) {
        akl_finding(exam, AKL_FINDING_FAILED, "rights",
                    akl_exam_bind(exam, "system:auth-delegator"),
                    "the reviewer may not create tokenreviews");
        rc = -1;

    } else {
        akl_finding(exam, AKL_FINDING_SKIPPED, "rights", NULL,
                    "the API server does not say what the reviewer may do "
                    "(%s)", akl_kube_message(&answer, object));
    }

    json_decref(object);

    return rc;
}


/* one review, judged as the module does */

static akl_reason_t
akl_exam_ask(akl_exam_t *exam, akl_str_t token, akl_list_t audiences,
    akl_pod_token_t *pod, akl_judgement_t *verdict, akl_http_answer_t *answer)
{
    size_t               len;
    unsigned char       *body;
    akl_http_request_t   request;

    memset(&request, 0, sizeof(akl_http_request_t));

    len = akl_tokenreview_request(NULL, token, audiences);
    body = akl_mem(len + 1);
    (void) akl_tokenreview_request(body, token, audiences);

    request.method = "POST";
    request.path = akl_mem_printf("%s" AKL_EXAM_REVIEWS,
                                  exam->kube.prefix ? exam->kube.prefix : "");
    request.content_type = "application/json";
    request.bearer = exam->kube.bearer;
    request.body.data = body;
    request.body.len = len;

    akl_http(&exam->kube.peer, &request, answer);

    if (answer->body.len > AKL_REVIEW_ANSWER_MAX) {
        answer->body.len = 0;
    }

    akl_tokenreview_judge(verdict, (unsigned) answer->status, answer->body,
                          pod, audiences);

    return verdict->reason;
}


/* the reviewer's own token: its review has to succeed */

static void
akl_exam_own(akl_exam_t *exam)
{
    akl_list_t          none;
    akl_reason_t        reason;
    akl_judgement_t       verdict;
    akl_pod_token_t     pod;
    akl_http_answer_t   answer;

    if (exam->config->rancher || exam->config->certificate
        || exam->config->self)
    {
        return;
    }

    if (akl_pod_token_parse(&pod, exam->config->reviewer.text) != AKL_OK) {
        akl_pod_token_clear(&pod);
        return;
    }

    akl_progress("having the reviewer's own token reviewed");

    memset(&none, 0, sizeof(akl_list_t));

    reason = akl_exam_ask(exam, exam->config->reviewer.text, none, &pod,
                          &verdict, &answer);

    if (!akl_exam_refused(exam, "review", &answer, NULL)
        || answer.phase == AKL_HTTP_OK)
    {
        if (reason == AKL_OK) {
            akl_finding(exam, AKL_FINDING_OK, "review", NULL,
                        "a TokenReview of the reviewer's own token succeeds");

        } else if (answer.status == 201) {
            akl_finding(exam, AKL_FINDING_FAILED, "review",
                        akl_exam_renew(exam),
                        "a TokenReview of the reviewer's own token: %s (%s)",
                        (const char *) akl_reason_code(reason).data,
                        akl_clean(akl_str_of(verdict.detail)));
        }
    }

    akl_judgement_clear(&verdict);
    akl_pod_token_clear(&pod);
}


/* whether a pod that is known meets all bounds */

static void
akl_exam_bounds(akl_exam_t *exam, akl_identity_t *identity)
{
    const char    *cause, *cure;
    akl_reason_t   reason;

    cause = "";
    reason = akl_bounds_check(&exam->config->method->bounds, identity);
    cure = akl_words_cure(reason);

    if (reason == AKL_OK) {
        reason = akl_exam_read(exam, identity->namespace, &cause, &cure);
    }

    if (akl_reason_kind(reason) == AKL_KIND_OUTAGE) {
        akl_finding(exam, AKL_FINDING_SKIPPED, "pod", NULL,
                    "the labels of namespace \"%s\" cannot be read%s",
                    akl_clean(identity->namespace), cause);
        return;
    }

    akl_finding(exam, reason == AKL_OK ? AKL_FINDING_OK : AKL_FINDING_FAILED,
                "pod", cure,
                "%s%s: namespace \"%s\", account \"%s\", pod \"%s\"",
                reason == AKL_OK ? "its token would be let in"
                                 : (const char *) akl_reason_code(reason).data,
                cause, akl_clean(identity->namespace),
                akl_clean(identity->sa_name),
                akl_clean(identity->pod_name));
}


/* a pod's token, all the way but for the minting */

static void
akl_exam_pod(akl_exam_t *exam)
{
    akl_list_t            none;
    akl_reason_t          reason;
    akl_judgement_t         verdict;
    akl_pod_token_t       pod;
    akl_http_answer_t     answer;
    akl_setup_method_t   *method;

    method = exam->config->method;

    if (exam->token.len == 0 || method == NULL) {
        return;
    }

    memset(&none, 0, sizeof(akl_list_t));

    reason = akl_pod_token_parse(&pod, exam->token);

    if (reason != AKL_OK) {
        akl_finding(exam, AKL_FINDING_FAILED, "pod", akl_words_cure(reason),
                    "%s: %s", (const char *) akl_reason_code(reason).data,
                    (const char *) akl_reason_text(reason).data);
        akl_pod_token_clear(&pod);
        return;
    }

    akl_progress("having the pod's token reviewed");

    reason = akl_exam_ask(exam, exam->token,
                          method->audiences.n ? method->audiences : none,
                          &pod, &verdict, &answer);

    if (answer.phase != AKL_HTTP_OK) {
        (void) akl_exam_refused(exam, "pod", &answer, NULL);

    } else if (reason != AKL_OK) {
        akl_finding(exam, AKL_FINDING_FAILED,
                    reason == AKL_AUDIENCE_MISMATCH ? "audience" : "pod",
                    akl_words_cure(reason), "%s: %s%s%s%s",
                    (const char *) akl_reason_code(reason).data,
                    (const char *) akl_reason_text(reason).data,
                    verdict.detail[0] ? " (" : "",
                    akl_clean(akl_str_of(verdict.detail)),
                    verdict.detail[0] ? ")" : "");
    } else {
        akl_exam_bounds(exam, &verdict.identity);
    }

    akl_judgement_clear(&verdict);
    akl_pod_token_clear(&pod);
}


void
akl_exam_cluster(akl_exam_t *exam)
{
    int  rights;

    if (exam->config->self) {

        if (exam->token.len == 0) {
            akl_finding(exam, AKL_FINDING_SKIPPED, "reviewer",
                        "--k8s-token-path FILE, with a pod's token",
                        "each pod's own token is the bearer of its review: "
                        "there is none to ask with");
            akl_exam_audience(exam);
            return;
        }

        exam->kube.bearer = (const char *) exam->token.data;
    }

    rights = akl_exam_rights(exam);

    if (rights == 0) {
        return;
    }

    akl_exam_labels(exam);

    if (rights > 0) {
        akl_exam_own(exam);
    }

    akl_exam_issuer(exam);
    akl_exam_keys(exam);
    akl_exam_audience(exam);

    if (rights > 0) {
        akl_exam_pod(exam);
    }
}
