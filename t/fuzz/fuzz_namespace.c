/*
 * Labels and the judge of a namespace's labels: a namespace passes where
 * jansson finds all labels that the selector demands, and it is not bound
 * where one is not there or the namespace is gone; else nobody knows.
 *
 * An input is a line of labels, a line "200 my-namespace-a", and the body.
 */

#include "../../src/cli/json.h"
#include "../../src/k8s/namespace.h"
#include "fuzz.h"


#define LABELS_MAX  8


/* 1 and 0 as the labels say, -1 where the answer is not what it should be */

static int
expected(akl_str_t body, akl_str_t name, const akl_selector_t *selector)
{
    int            rc;
    char           key[512];
    size_t         i;
    json_t        *root;
    akl_str_t      text;
    const json_t  *metadata, *labels, *value;

    rc = -1;
    root = akl_json_object(body);

    if (root == NULL || akl_json_string(root, "kind", &text) != 0
        || !akl_str_eq(text, akl_str("Namespace")))
    {
        goto done;
    }

    metadata = json_object_get(root, "metadata");

    if (akl_json_string(metadata, "name", &text) != 0
        || !akl_str_eq(text, name))
    {
        goto done;
    }

    labels = json_object_get(metadata, "labels");

    if (labels && !json_is_object(labels) && !json_is_null(labels)) {
        goto done;
    }

    for (i = 0; i < selector->n; i++) {
        check(selector->elts[i].key.len < sizeof(key));
        memcpy(key, selector->elts[i].key.data, selector->elts[i].key.len);
        key[selector->elts[i].key.len] = '\0';

        value = json_object_get(labels, key);

        if (value == NULL || json_is_null(value)) {
            rc = 0;
            goto done;
        }

        if (!json_is_string(value)) {
            goto done;
        }

        if (json_string_length(value) != selector->elts[i].value.len
            || memcmp(json_string_value(value), selector->elts[i].value.data,
                      selector->elts[i].value.len)
               != 0)
        {
            rc = 0;
            goto done;
        }
    }

    rc = 1;

done:

    json_decref(root);

    return rc;
}


/* an answer that says by itself that there is no such namespace */

static int
gone(akl_str_t body, akl_str_t name)
{
    int            rc;
    json_t        *root;
    akl_str_t      text;
    const json_t  *details;

    root = akl_json_object(body);
    details = json_object_get(root, "details");

    rc = akl_json_string(root, "reason", &text) == 0
         && akl_str_eq(text, akl_str("NotFound"))
         && akl_json_string(details, "kind", &text) == 0
         && akl_str_eq(text, akl_str("namespaces"))
         && akl_json_string(details, "name", &text) == 0
         && akl_str_eq(text, name);

    json_decref(root);

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              rc;
    size_t           i;
    unsigned         status;
    akl_str_t        body, line, number, word;
    const char      *cause;
    akl_label_t      labels[LABELS_MAX];
    akl_judgement_t  judged;
    akl_selector_t   selector;

    body.data = data;
    body.len = size;

    selector.elts = labels;
    selector.n = 0;

    line = fuzz_cut(&body, '\n');

    while (line.len && selector.n < LABELS_MAX) {
        word = fuzz_cut(&line, ' ');
        cause = akl_label_parse(word, &labels[selector.n]);

        if (cause) {
            check(cause[0] != '\0');
            continue;
        }

        check(labels[selector.n].key.len > 0);
        check(labels[selector.n].key.len <= 253 + 1 + 63);
        check(labels[selector.n].value.len <= 63);
        check(labels[selector.n].key.len + 1 + labels[selector.n].value.len
              == word.len);

        if (akl_selector_find(&selector, labels[selector.n].key) == NULL) {
            selector.n++;
        }
    }

    line = fuzz_cut(&body, '\n');
    number = fuzz_cut(&line, ' ');

    for (status = 0; number.len; number.len--) {
        status = status * 10 + *number.data++ % 10u;
        status %= 1000;
    }

    akl_namespace_judge(&judged, status, body, line, &selector);

    check(memchr(judged.detail, '\0', sizeof(judged.detail)) != NULL);

    for (i = 0; judged.detail[i]; i++) {
        check(judged.detail[i] >= 0x20 && judged.detail[i] <= 0x7e);
    }

    rc = (status == 200) ? expected(body, line, &selector)
         : (status == 404 && gone(body, line)) ? 0 : -1;

    check((judged.reason == AKL_OK) == (rc == 1));
    check((judged.reason == AKL_NAMESPACE_NOT_BOUND) == (rc == 0));

    akl_judgement_clear(&judged);

    return 0;
}
