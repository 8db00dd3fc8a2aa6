/*
 * TokenReview: the request is written, the answer judged in a fixed order.
 */

#include <stdio.h>

#include "tokenreview.h"
#include "../jose/json.h"
#include "names.h"
#include "review_error.h"


#define AKL_USER_PREFIX  "system:serviceaccount:"
#define AKL_GROUP        "system:serviceaccounts"
#define AKL_EXTRA        "authentication.kubernetes.io/"


static void akl_review_status(akl_judgement_t *judged, unsigned status,
    akl_str_t body);
static void akl_review_fail(akl_judgement_t *judged, akl_reason_t reason,
    akl_str_t detail);
static const akl_node_t *akl_review_get(const akl_doc_t *doc,
    const akl_node_t *object, const char *key);
static int akl_review_string(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, akl_str_t *value);
static const char *akl_review_audiences(const akl_doc_t *doc,
    const akl_node_t *status, akl_list_t audiences, int *met);
static const char *akl_review_user(akl_judgement_t *judged,
    const akl_node_t *user, int *account);
static int akl_review_username(akl_str_t username, akl_identity_t *identity);
static int akl_review_group(const akl_doc_t *doc, const akl_node_t *groups,
    int *member);
static const char *akl_review_extra(const akl_doc_t *doc,
    const akl_node_t *extra, const char *key, akl_str_t *value);
static int akl_review_agrees(const akl_identity_t *identity,
    const akl_identity_t *claimed);
static int akl_review_contains(akl_str_t text, const char *what);


size_t
akl_tokenreview_request(unsigned char *dst, akl_str_t token,
    akl_list_t audiences)
{
    size_t          i;
    akl_json_out_t  out;

    akl_json_out_init(&out, dst, dst ? (size_t) -1 : 0);

    akl_json_out_open(&out, NULL, '{');
    akl_json_out_str(&out, "apiVersion", akl_str("authentication.k8s.io/v1"));
    akl_json_out_str(&out, "kind", akl_str("TokenReview"));

    akl_json_out_open(&out, "spec", '{');
    akl_json_out_str(&out, "token", token);

    if (audiences.n) {
        akl_json_out_open(&out, "audiences", '[');

        for (i = 0; i < audiences.n; i++) {
            akl_json_out_str(&out, NULL, audiences.elts[i]);
        }

        akl_json_out_close(&out, ']');
    }

    akl_json_out_close(&out, '}');
    akl_json_out_close(&out, '}');

    return out.len;
}


void
akl_tokenreview_judge(akl_judgement_t *judged, unsigned status, akl_str_t body,
    const akl_pod_token_t *pod, akl_list_t audiences)
{
    int                rc, met, account;
    akl_str_t          kind, error;
    const char        *cause;
    akl_doc_t         *doc;
    const akl_node_t  *answer, *authenticated;

    judged->reason = AKL_INTERNAL_ERROR;
    judged->again = 0;
    judged->detail[0] = '\0';
    memset(&judged->identity, 0, sizeof(akl_identity_t));

    doc = &judged->doc;
    akl_doc_init(doc);

    if (status != 200 && status != 201) {
        akl_review_status(judged, status, body);
        return;
    }

    if (body.len > AKL_REVIEW_ANSWER_MAX) {
        akl_review_fail(judged, AKL_API_ERROR,
                        akl_str("the answer is too large"));
        return;
    }

    rc = akl_doc_parse(doc, body);

    if (rc == AKL_DOC_MEMORY) {
        akl_review_fail(judged, AKL_INTERNAL_ERROR, akl_str("out of memory"));
        return;
    }

    if (rc != 0) {

        if (body.len && body.data[0] == '<') {
            akl_review_fail(judged, AKL_API_NOT_FOUND,
                            akl_str("a web page answered"));
            return;
        }

        akl_review_fail(judged, AKL_API_ERROR,
                        akl_str("the answer is no JSON object"));
        return;
    }

    if (akl_doc_string(doc, doc->nodes, "kind", &kind) != 0
        || !akl_str_eq(kind, akl_str("TokenReview")))
    {
        akl_review_fail(judged, AKL_API_ERROR,
                        akl_str("the answer is no TokenReview"));
        return;
    }

    answer = akl_doc_get(doc, doc->nodes, "status");

    if (answer == NULL || answer->type != AKL_NODE_OBJECT
        || akl_review_string(doc, answer, "error", &error) < 0)
    {
        akl_review_fail(judged, AKL_API_ERROR,
                        akl_str("the answer has no proper status"));
        return;
    }

    if (error.len) {
        akl_review_fail(judged, akl_review_error(error), error);
        judged->again = (judged->reason == AKL_API_ERROR);
        return;
    }

    authenticated = akl_review_get(doc, answer, "authenticated");

    if (authenticated && authenticated->type != AKL_NODE_TRUE
        && authenticated->type != AKL_NODE_FALSE)
    {
        akl_review_fail(judged, AKL_API_ERROR,
                        akl_str("\"authenticated\" is no boolean"));
        return;
    }

    if (authenticated == NULL || authenticated->type != AKL_NODE_TRUE) {
        akl_review_fail(judged, AKL_TOKEN_REJECTED,
                        akl_str("not authenticated"));
        return;
    }

    cause = akl_review_audiences(doc, answer, audiences, &met);

    if (cause) {
        akl_review_fail(judged, AKL_API_ERROR,
                        (akl_str_t) { strlen(cause),
                                      (const unsigned char *) cause });
        return;
    }

    if (!met) {
        akl_review_fail(judged, AKL_AUDIENCE_MISMATCH,
                        akl_str("no wanted audience is among the answer's"));
        return;
    }

    cause = akl_review_user(judged, akl_review_get(doc, answer, "user"),
                            &account);
    if (cause) {
        akl_review_fail(judged, AKL_API_ERROR,
                        (akl_str_t) { strlen(cause),
                                      (const unsigned char *) cause });
        return;
    }

    if (!account) {
        akl_review_fail(judged, AKL_NOT_SERVICE_ACCOUNT, akl_str(""));
        return;
    }

    if (!akl_review_agrees(&judged->identity, &pod->claimed)) {
        akl_review_fail(judged, AKL_TOKEN_REJECTED,
                        akl_str("the answer contradicts the token's claims"));
        return;
    }

    /* only now: another's token could carry such a claim as well */

    if (akl_str_eq(pod->claimed.namespace, judged->identity.namespace)
        && akl_str_eq(pod->claimed.sa_name, judged->identity.sa_name)
        && akl_name_subdomain(pod->claimed.secret_name))
    {
        judged->identity.secret_name = pod->claimed.secret_name;
    }

    judged->reason = AKL_OK;
}


static void
akl_review_status(akl_judgement_t *judged, unsigned status, akl_str_t body)
{
    akl_doc_t     *doc;
    akl_str_t      message;
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

    message = akl_str("");
    doc = &judged->doc;

    if (body.len <= AKL_REVIEW_ANSWER_MAX && akl_doc_parse(doc, body) == 0) {
        (void) akl_doc_string(doc, doc->nodes, "message", &message);
    }

    judged->again = (status == 429 || status >= 500);

    if (status == 403) {

        /*
         * A server tells what it does not serve only to those who may do
         * all; to a reviewer such a path is one more without a right to it.
         * And a server that has just started has not read its roles yet.
         */

        if (akl_review_contains(message, " cannot post path ")) {
            reason = AKL_API_NOT_FOUND;

        } else if (akl_review_contains(message, "RBAC: ")
                   && akl_review_contains(message, "\" not found"))
        {
            judged->again = 1;
        }
    }

    if (status == 500
        && akl_review_contains(message, "error validating audiences"))
    {
        reason = AKL_AUDIENCE_MISMATCH;
        judged->again = 0;
    }

    if (message.len == 0 && status >= 300 && status < 400) {
        message = akl_str("a redirect, which is never followed");
    }

    akl_review_fail(judged, reason, message);

    if (judged->detail[0] == '\0') {
        (void) snprintf(judged->detail, sizeof(judged->detail),
                        "HTTP status %u", status);
    }
}


/* the detail goes to a log: printable, and without anything like a token */

static void
akl_review_fail(akl_judgement_t *judged, akl_reason_t reason, akl_str_t detail)
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


/* null is written for what is absent by servers that are not made of Go */

static const akl_node_t *
akl_review_get(const akl_doc_t *doc, const akl_node_t *object,
    const char *key)
{
    const akl_node_t  *node;

    node = akl_doc_get(doc, object, key);

    return (node && node->type == AKL_NODE_NULL) ? NULL : node;
}


/* as akl_doc_string() */

static int
akl_review_string(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, akl_str_t *value)
{
    if (akl_review_get(doc, object, key) == NULL) {
        value->len = 0;
        value->data = NULL;

        return 1;
    }

    return akl_doc_string(doc, object, key, value);
}


static const char *
akl_review_audiences(const akl_doc_t *doc, const akl_node_t *status,
    akl_list_t audiences, int *met)
{
    size_t             i;
    const akl_node_t  *list, *elt;

    *met = (audiences.n == 0);

    list = akl_review_get(doc, status, "audiences");

    if (list == NULL) {
        return NULL;
    }

    if (list->type != AKL_NODE_ARRAY) {
        return "\"audiences\" is no array";
    }

    for (elt = akl_doc_first(doc, list);
         elt;
         elt = akl_doc_next(doc, list, elt))
    {
        if (elt->type != AKL_NODE_STRING) {
            return "an audience is no string";
        }

        for (i = 0; i < audiences.n; i++) {
            if (akl_str_eq(elt->text, audiences.elts[i])) {
                *met = 1;
            }
        }
    }

    return NULL;
}


static const char *
akl_review_user(akl_judgement_t *judged, const akl_node_t *user, int *account)
{
    int                member;
    akl_str_t          username;
    const char        *cause;
    akl_doc_t         *doc;
    akl_identity_t    *identity;
    const akl_node_t  *extra;

    *account = 0;
    doc = &judged->doc;
    identity = &judged->identity;

    if (akl_review_string(doc, user, "username", &username) != 0
        || akl_review_string(doc, user, "uid", &identity->sa_uid) < 0)
    {
        return "the answer has no proper user";
    }

    if (akl_review_group(doc, akl_review_get(doc, user, "groups"), &member)
        != 0)
    {
        return "\"groups\" is no array of strings";
    }

    if (!akl_review_username(username, identity) || !member) {
        return NULL;
    }

    if (identity->sa_uid.len && !akl_name_uid(identity->sa_uid)) {
        return "the account's uid is none";
    }

    extra = akl_review_get(doc, user, "extra");

    if (extra) {

        if (extra->type != AKL_NODE_OBJECT) {
            return "\"extra\" is no object";
        }

        cause = akl_review_extra(doc, extra, AKL_EXTRA "pod-name",
                                 &identity->pod_name);

        if (cause == NULL) {
            cause = akl_review_extra(doc, extra, AKL_EXTRA "pod-uid",
                                     &identity->pod_uid);
        }

        if (cause == NULL) {
            cause = akl_review_extra(doc, extra, AKL_EXTRA "node-name",
                                     &identity->node_name);
        }

        if (cause) {
            return cause;
        }

        if ((identity->pod_name.len
             && !akl_name_subdomain(identity->pod_name))
            || (identity->pod_uid.len && !akl_name_uid(identity->pod_uid))
            || (identity->node_name.len
                && !akl_name_subdomain(identity->node_name)))
        {
            return "the pod's name, uid or node is none";
        }
    }

    *account = 1;

    return NULL;
}


/* the prefix and exactly two more parts, each a name */

static int
akl_review_username(akl_str_t username, akl_identity_t *identity)
{
    size_t                len;
    const unsigned char  *p, *colon;

    len = sizeof(AKL_USER_PREFIX) - 1;

    if (username.len <= len
        || memcmp(username.data, AKL_USER_PREFIX, len) != 0)
    {
        return 0;
    }

    p = username.data + len;
    len = username.len - len;

    colon = memchr(p, ':', len);

    if (colon == NULL) {
        return 0;
    }

    identity->namespace.data = p;
    identity->namespace.len = colon - p;

    identity->sa_name.data = colon + 1;
    identity->sa_name.len = len - identity->namespace.len - 1;

    return akl_name_label(identity->namespace)
           && akl_name_subdomain(identity->sa_name);
}


static int
akl_review_group(const akl_doc_t *doc, const akl_node_t *groups, int *member)
{
    const akl_node_t  *elt;

    *member = 0;

    if (groups == NULL) {
        return 0;
    }

    if (groups->type != AKL_NODE_ARRAY) {
        return -1;
    }

    for (elt = akl_doc_first(doc, groups);
         elt;
         elt = akl_doc_next(doc, groups, elt))
    {
        if (elt->type != AKL_NODE_STRING) {
            return -1;
        }

        if (akl_str_eq(elt->text, akl_str(AKL_GROUP))) {
            *member = 1;
        }
    }

    return 0;
}


/* an array of exactly one string, where it is there */

static const char *
akl_review_extra(const akl_doc_t *doc, const akl_node_t *extra,
    const char *key, akl_str_t *value)
{
    const akl_node_t  *list, *elt;

    list = akl_review_get(doc, extra, key);

    if (list == NULL) {
        return NULL;
    }

    elt = (list->type == AKL_NODE_ARRAY) ? akl_doc_first(doc, list) : NULL;

    if (elt == NULL || elt->type != AKL_NODE_STRING
        || akl_doc_next(doc, list, elt) != NULL)
    {
        return "an extra is no array of one string";
    }

    *value = elt->text;

    return NULL;
}


#define akl_review_differs(a, b)                                              \
    ((a).len && (b).len && !akl_str_eq(a, b))

static int
akl_review_agrees(const akl_identity_t *identity,
    const akl_identity_t *claimed)
{
    return !(akl_review_differs(identity->namespace, claimed->namespace)
             || akl_review_differs(identity->sa_name, claimed->sa_name)
             || akl_review_differs(identity->sa_uid, claimed->sa_uid)
             || akl_review_differs(identity->pod_name, claimed->pod_name)
             || akl_review_differs(identity->pod_uid, claimed->pod_uid));
}


static int
akl_review_contains(akl_str_t text, const char *what)
{
    size_t  i, len;

    len = strlen(what);

    for (i = 0; i + len <= text.len; i++) {
        if (memcmp(text.data + i, what, len) == 0) {
            return 1;
        }
    }

    return 0;
}


void
akl_judgement_clear(akl_judgement_t *judged)
{
    akl_doc_free(&judged->doc);
    memset(&judged->identity, 0, sizeof(akl_identity_t));
}
