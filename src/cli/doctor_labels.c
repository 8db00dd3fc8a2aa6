/*
 * doctor: bound_namespace_selector, the right that it needs and what it says.
 */

#include "../k8s/namespace.h"
#include "doctor.h"
#include "out.h"
#include "words.h"


/* a namespace that is bound: the pod's own, or one that has no wildcard */

static const char *
akl_exam_namespace(akl_exam_t *exam)
{
    size_t            i;
    akl_str_t         name;
    akl_list_t        list;
    const char       *namespace;
    akl_pod_token_t   pod;

    namespace = NULL;

    if (exam->token.len
        && akl_pod_token_parse(&pod, exam->token) == AKL_OK)
    {
        if (pod.claimed.namespace.len) {
            namespace = akl_clean(pod.claimed.namespace);
        }

        akl_pod_token_clear(&pod);
    }

    list = exam->config->method->bounds.namespaces;

    for (i = 0; namespace == NULL && i < list.n; i++) {
        name = list.elts[i];

        if (memchr(name.data, '*', name.len) == NULL
            && memchr(name.data, '?', name.len) == NULL)
        {
            namespace = akl_clean(name);
        }
    }

    return namespace;
}


void
akl_exam_labels(akl_exam_t *exam)
{
    json_t             *object;
    const char         *namespace, *where;
    akl_http_answer_t   answer;

    if (exam->config->method == NULL
        || exam->config->method->bounds.selector.n == 0)
    {
        return;
    }

    akl_progress("asking for the right to get namespaces");

    namespace = akl_exam_namespace(exam);
    where = namespace ? akl_mem_printf("namespace \"%s\"", namespace)
                      : "namespaces";

    object = akl_exam_may(exam, "", "namespaces", "get", namespace, &answer);

    if (answer.status == 201 && akl_exam_allowed(object)) {
        akl_finding(exam, AKL_FINDING_OK, "labels", NULL,
                    "the reviewer may get %s, for bound_namespace_selector",
                    where);

    } else if (answer.status == 201) {
        akl_finding(exam, AKL_FINDING_FAILED, "labels",
                    akl_mem_printf("kubectl create clusterrole "
                                   "akl-namespace-reader --verb=get "
                                   "--resource=namespaces; %s",
                                   akl_exam_bind(exam,
                                                 "akl-namespace-reader")),
                    "the reviewer may not get %s, which "
                    "bound_namespace_selector needs", where);

    } else if (!akl_exam_refused(exam, "labels", &answer, object)) {
        akl_finding(exam, AKL_FINDING_SKIPPED, "labels", NULL,
                    "the API server does not say whether the reviewer may get "
                    "%s (%s)", where, akl_kube_message(&answer, object));
    }

    json_decref(object);
}


akl_reason_t
akl_exam_read(akl_exam_t *exam, akl_str_t namespace, const char **cause,
    const char **cure)
{
    const char           *name;
    akl_reason_t          reason;
    akl_selector_t       *selector;
    akl_judgement_t       judged;
    akl_http_answer_t     answer;
    akl_http_request_t    request;

    selector = &exam->config->method->bounds.selector;

    if (selector->n == 0) {
        return AKL_OK;
    }

    akl_progress("reading the labels of the pod's namespace");

    memset(&request, 0, sizeof(akl_http_request_t));
    name = akl_clean(namespace);

    request.method = "GET";
    request.path = akl_mem_printf("%s" AKL_NAMESPACE_PATH "%s",
                                  exam->kube.prefix ? exam->kube.prefix : "",
                                  name);
    request.bearer = exam->kube.bearer;

    akl_http(&exam->kube.peer, &request, &answer);

    if (answer.phase != AKL_HTTP_OK) {
        *cause = akl_mem_printf(" (%s)", answer.error);
        return AKL_API_UNREACHABLE;
    }

    akl_namespace_judge(&judged, (unsigned) answer.status, answer.body,
                        namespace, selector);

    reason = judged.reason;

    if (reason != AKL_OK) {
        *cause = akl_mem_printf(" (%s)",
                                akl_clean(akl_str_of(judged.detail)));
    }

    akl_judgement_clear(&judged);

    if (reason == AKL_NAMESPACE_NOT_BOUND) {
        *cure = akl_mem_printf("kubectl label namespace %s %s, if its pods may "
                               "log in", name,
                               akl_words_labels(selector, " "));
    }

    return reason;
}
