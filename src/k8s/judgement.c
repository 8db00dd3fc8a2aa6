/*
 * Judgements: what they all have in common.
 */

#include <stdio.h>

#include "judgement.h"
#include "look.h"


void
akl_judgement_init(akl_judgement_t *judged)
{
    judged->reason = AKL_INTERNAL_ERROR;
    judged->again = 0;
    judged->detail[0] = '\0';
    memset(&judged->identity, 0, sizeof(akl_identity_t));

    akl_doc_init(&judged->doc);
}


/* the detail goes to a log: printable, and without anything like a token */

void
akl_judgement_fail(akl_judgement_t *judged, akl_reason_t reason,
    akl_str_t detail)
{
    size_t         i, n;
    unsigned char  ch;

    judged->reason = reason;
    memset(&judged->identity, 0, sizeof(akl_identity_t));

    n = 0;

    for (i = 0; i < detail.len && n < sizeof(judged->detail) - 9; i++) {

        ch = detail.data[i];

        if (ch == 'e' && detail.len - i > 3
            && memcmp(detail.data + i, "eyJ", 3) == 0)
        {
            memcpy(judged->detail + n, "<token>", 7);
            n += 7;

            while (i + 1 < detail.len && detail.data[i + 1] > ' '
                   && detail.data[i + 1] != '"' && detail.data[i + 1] != ',')
            {
                i++;
            }

            continue;
        }

        judged->detail[n++] = (ch < 0x20 || ch > 0x7e) ? '?' : (char) ch;
    }

    judged->detail[n] = '\0';
}


int
akl_judgement_read(akl_judgement_t *judged, akl_str_t body, size_t max)
{
    if (body.len > max) {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           akl_str("the answer is too large"));
        return -1;
    }

    switch (akl_doc_parse(&judged->doc, body)) {

    case 0:
        return 0;

    case AKL_DOC_MEMORY:
        akl_judgement_fail(judged, AKL_INTERNAL_ERROR,
                           akl_str("out of memory"));
        return -1;

    default:
        break;
    }

    if (body.len && body.data[0] == '<') {
        akl_judgement_fail(judged, AKL_API_NOT_FOUND,
                           akl_str("a web page answered"));
        return -1;
    }

    akl_judgement_fail(judged, AKL_API_ERROR,
                       akl_str("the answer is no JSON object"));
    return -1;
}


void
akl_judgement_status(akl_judgement_t *judged, unsigned status, akl_str_t body,
    akl_str_t *message)
{
    akl_doc_t     *doc;
    akl_reason_t   reason;

    switch (status) {

    case 401:
        reason = AKL_REVIEWER_UNAUTHORIZED;
        break;

    case 403:
        reason = AKL_REVIEWER_FORBIDDEN;
        break;

    case 404:
        reason = AKL_API_NOT_FOUND;
        break;

    case 429:
        reason = AKL_API_THROTTLED;
        break;

    default:
        reason = AKL_API_ERROR;
        break;
    }

    *message = akl_str("");
    doc = &judged->doc;

    if (body.len <= AKL_STATUS_ANSWER_MAX && akl_doc_parse(doc, body) == 0) {
        (void) akl_doc_string(doc, doc->nodes, "message", message);

    } else {
        akl_doc_free(doc);
    }

    judged->again = (status == 429 || status >= 500);

    if (status == 403) {

        /*
         * A server tells what it does not serve only to those who may do
         * all; to a reviewer such a path is one more without a right to it.
         * And a server that has just started has not read its roles yet.
         */

        if (akl_look_holds(*message, " cannot post path ")
            || akl_look_holds(*message, " cannot get path "))
        {
            reason = AKL_API_NOT_FOUND;

        } else if (akl_look_holds(*message, "RBAC: ")
                   && akl_look_holds(*message, "\" not found"))
        {
            judged->again = 1;
        }
    }

    if (message->len == 0 && status >= 300 && status < 400) {
        *message = akl_str("a redirect, which is never followed");
    }

    akl_judgement_fail(judged, reason, *message);

    if (judged->detail[0] == '\0') {
        (void) snprintf(judged->detail, sizeof(judged->detail),
                        "HTTP status %u", status);
    }
}


const akl_node_t *
akl_judgement_get(const akl_doc_t *doc, const akl_node_t *object,
    const char *key)
{
    const akl_node_t  *node;

    node = akl_doc_get(doc, object, key);

    return (node && node->type == AKL_NODE_NULL) ? NULL : node;
}


int
akl_judgement_string(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, akl_str_t *value)
{
    if (akl_judgement_get(doc, object, key) == NULL) {
        value->len = 0;
        value->data = NULL;

        return 1;
    }

    return akl_doc_string(doc, object, key, value);
}


void
akl_judgement_clear(akl_judgement_t *judged)
{
    akl_doc_free(&judged->doc);
    memset(&judged->identity, 0, sizeof(akl_identity_t));
}
