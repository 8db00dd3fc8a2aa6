/*
 * Namespaces: their labels are believed when the whole answer is what it
 * should be.
 */

#include <stdio.h>

#include "namespace.h"


#define AKL_LABEL_KEY_SIZE   512        /* a key has 317 bytes at most */
#define AKL_LABEL_KEY_SHOWN  200        /* in the log */


static void akl_namespace_status(akl_judgement_t *judged, unsigned status,
    akl_str_t body, akl_str_t name);
static int akl_namespace_gone(const akl_doc_t *doc, akl_str_t name);
static void akl_namespace_labels(akl_judgement_t *judged,
    const akl_node_t *labels, const akl_selector_t *selector);
static void akl_namespace_explain(akl_judgement_t *judged,
    akl_reason_t reason, const akl_label_t *label, const char *says);


void
akl_namespace_judge(akl_judgement_t *judged, unsigned status, akl_str_t body,
    akl_str_t name, const akl_selector_t *selector)
{
    akl_str_t          text;
    akl_doc_t         *doc;
    const akl_node_t  *metadata, *labels;

    akl_judgement_init(judged);
    doc = &judged->doc;

    if (status != 200) {
        akl_namespace_status(judged, status, body, name);
        return;
    }

    if (akl_judgement_read(judged, body, AKL_NAMESPACE_ANSWER_MAX) != 0) {
        return;
    }

    if (akl_doc_string(doc, doc->nodes, "kind", &text) != 0
        || !akl_str_eq(text, akl_str("Namespace")))
    {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           akl_str("the answer is no Namespace"));
        return;
    }

    metadata = akl_judgement_get(doc, doc->nodes, "metadata");

    if (akl_doc_string(doc, metadata, "name", &text) != 0
        || !akl_str_eq(text, name))
    {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           akl_str("the answer is about something else"));
        return;
    }

    labels = akl_judgement_get(doc, metadata, "labels");

    if (labels && labels->type != AKL_NODE_OBJECT) {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           akl_str("\"labels\" is no object"));
        return;
    }

    akl_namespace_labels(judged, labels, selector);
}


static void
akl_namespace_status(akl_judgement_t *judged, unsigned status, akl_str_t body,
    akl_str_t name)
{
    char       text[sizeof(judged->detail)];
    akl_str_t  message;

    akl_judgement_status(judged, status, body, &message);

    if (status == 404 && akl_namespace_gone(&judged->doc, name)) {
        judged->reason = AKL_NAMESPACE_NOT_BOUND;
        return;
    }

    if (judged->reason == AKL_REVIEWER_FORBIDDEN) {

        /* the log names the right, whatever the server's own words are */

        memcpy(text, judged->detail, sizeof(text));

        (void) snprintf(judged->detail, sizeof(judged->detail),
                        "the right to get namespaces is missing: %.200s",
                        text);
    }
}


/* of a wrong path, 404 says nothing about the namespace */

static int
akl_namespace_gone(const akl_doc_t *doc, akl_str_t name)
{
    akl_str_t          reason, kind, gone;
    const akl_node_t  *details;

    if (doc->n == 0) {      /* no JSON */
        return 0;
    }

    details = akl_judgement_get(doc, doc->nodes, "details");

    return akl_doc_string(doc, doc->nodes, "reason", &reason) == 0
           && akl_str_eq(reason, akl_str("NotFound"))
           && akl_doc_string(doc, details, "kind", &kind) == 0
           && akl_str_eq(kind, akl_str("namespaces"))
           && akl_doc_string(doc, details, "name", &gone) == 0
           && akl_str_eq(gone, name);
}


static void
akl_namespace_labels(akl_judgement_t *judged, const akl_node_t *labels,
    const akl_selector_t *selector)
{
    char                key[AKL_LABEL_KEY_SIZE];
    size_t              i;
    const akl_node_t   *value;
    const akl_label_t  *label;

    for (i = 0; i < selector->n; i++) {
        label = &selector->elts[i];

        /* longer than any that akl_label_parse() lets pass */

        if (label->key.len >= sizeof(key)) {
            akl_namespace_explain(judged, AKL_NAMESPACE_NOT_BOUND, label,
                                  "is none");
            return;
        }

        memcpy(key, label->key.data, label->key.len);
        key[label->key.len] = '\0';

        value = akl_judgement_get(&judged->doc, labels, key);

        if (value == NULL) {
            akl_namespace_explain(judged, AKL_NAMESPACE_NOT_BOUND, label,
                                  "is not there");
            return;
        }

        if (value->type != AKL_NODE_STRING) {
            akl_namespace_explain(judged, AKL_API_ERROR, label,
                                  "is no string");
            return;
        }

        if (!akl_str_eq(value->text, label->value)) {
            akl_namespace_explain(judged, AKL_NAMESPACE_NOT_BOUND, label,
                                  "has another value");
            return;
        }
    }

    judged->reason = AKL_OK;
}


static void
akl_namespace_explain(akl_judgement_t *judged, akl_reason_t reason,
    const akl_label_t *label, const char *says)
{
    int        n;
    char       text[sizeof(judged->detail)];
    akl_str_t  detail;

    n = snprintf(text, sizeof(text), "label \"%.*s\" of the namespace %s",
                 (int) ((label->key.len < AKL_LABEL_KEY_SHOWN)
                        ? label->key.len : AKL_LABEL_KEY_SHOWN),
                 (const char *) label->key.data, says);

    detail.data = (const unsigned char *) text;
    detail.len = (n < 0) ? 0 : (size_t) n;

    akl_judgement_fail(judged, reason, detail);
}
