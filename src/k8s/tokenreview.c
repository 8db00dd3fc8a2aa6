/*
 * TokenReview: the request is written, the answer judged in a fixed order.
 */

#include "tokenreview.h"
#include "../jose/json.h"
#include "look.h"
#include "names.h"
#include "review_error.h"


#define AKL_USER_PREFIX  "system:serviceaccount:"
#define AKL_GROUP        "system:serviceaccounts"
#define AKL_EXTRA        "authentication.kubernetes.io/"


static void akl_review_status(akl_judgement_t *judged, unsigned status,
    akl_str_t body);
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
    int                met, account;
    akl_str_t          kind, error;
    const char        *cause;
    akl_doc_t         *doc;
    const akl_node_t  *answer, *authenticated;

    akl_judgement_init(judged);
    doc = &judged->doc;

    if (status != 200 && status != 201) {
        akl_review_status(judged, status, body);
        return;
    }

    if (akl_judgement_read(judged, body, AKL_REVIEW_ANSWER_MAX) != 0) {
        return;
    }

    if (akl_doc_string(doc, doc->nodes, "kind", &kind) != 0
        || !akl_str_eq(kind, akl_str("TokenReview")))
    {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           akl_str("the answer is no TokenReview"));
        return;
    }

    answer = akl_doc_get(doc, doc->nodes, "status");

    if (answer == NULL || answer->type != AKL_NODE_OBJECT
        || akl_judgement_string(doc, answer, "error", &error) < 0)
    {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           akl_str("the answer has no proper status"));
        return;
    }

    if (error.len) {
        akl_judgement_fail(judged, akl_review_error(error), error);
        judged->again = (judged->reason == AKL_API_ERROR);
        return;
    }

    authenticated = akl_judgement_get(doc, answer, "authenticated");

    if (authenticated && authenticated->type != AKL_NODE_TRUE
        && authenticated->type != AKL_NODE_FALSE)
    {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           akl_str("\"authenticated\" is no boolean"));
        return;
    }

    if (authenticated == NULL || authenticated->type != AKL_NODE_TRUE) {
        akl_judgement_fail(judged, AKL_TOKEN_REJECTED,
                           akl_str("not authenticated"));
        return;
    }

    cause = akl_review_audiences(doc, answer, audiences, &met);

    if (cause) {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           (akl_str_t) { strlen(cause),
                                         (const unsigned char *) cause });
        return;
    }

    if (!met) {
        akl_judgement_fail(judged, AKL_AUDIENCE_MISMATCH,
                           akl_str("no wanted audience is among the "
                                   "answer's"));
        return;
    }

    cause = akl_review_user(judged, akl_judgement_get(doc, answer, "user"),
                            &account);
    if (cause) {
        akl_judgement_fail(judged, AKL_API_ERROR,
                           (akl_str_t) { strlen(cause),
                                         (const unsigned char *) cause });
        return;
    }

    if (!account) {
        akl_judgement_fail(judged, AKL_NOT_SERVICE_ACCOUNT, akl_str(""));
        return;
    }

    if (!akl_review_agrees(&judged->identity, &pod->claimed)) {
        akl_judgement_fail(judged, AKL_TOKEN_REJECTED,
                           akl_str("the answer contradicts the token's "
                                   "claims"));
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


/* one answer of this API has a meaning of its own */

static void
akl_review_status(akl_judgement_t *judged, unsigned status, akl_str_t body)
{
    akl_str_t  message;

    akl_judgement_status(judged, status, body, &message);

    if (status == 500
        && akl_look_holds(message, "error validating audiences"))
    {
        judged->reason = AKL_AUDIENCE_MISMATCH;
        judged->again = 0;
    }
}


static const char *
akl_review_audiences(const akl_doc_t *doc, const akl_node_t *status,
    akl_list_t audiences, int *met)
{
    size_t             i;
    const akl_node_t  *list, *elt;

    *met = (audiences.n == 0);

    list = akl_judgement_get(doc, status, "audiences");

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

    if (akl_judgement_string(doc, user, "username", &username) != 0
        || akl_judgement_string(doc, user, "uid", &identity->sa_uid) < 0)
    {
        return "the answer has no proper user";
    }

    if (akl_review_group(doc, akl_judgement_get(doc, user, "groups"), &member)
        != 0)
    {
        return "\"groups\" is no array of strings";
    }

    if (!akl_review_username(username, identity) || !member) {
        return NULL;
    }

    /*
     * Kubernetes knows no account without a uid, and by it alone is an account
     * told from another of the same name that was there before.
     */

    if (identity->sa_uid.len == 0 || !akl_name_uid(identity->sa_uid)) {
        return "the account's uid is missing, or none";
    }

    extra = akl_judgement_get(doc, user, "extra");

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

        if ((identity->pod_name.len == 0) != (identity->pod_uid.len == 0)) {
            return "a pod has a name and no uid, or a uid and no name";
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

    list = akl_judgement_get(doc, extra, key);

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
