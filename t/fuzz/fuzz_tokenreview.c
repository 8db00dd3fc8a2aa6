/*
 * The judge of a TokenReview: nobody is let in whom jansson, by the longest
 * way, does not find let in by the answer, and no word for the log is more
 * than printable, or holds a token.
 *
 * An input is "201 " and the body of an answer; the token is the one that the
 * answer repeats, else one without claims of its own.
 */

#include <stdio.h>

#include "../../src/cli/json.h"
#include "../../src/k8s/names.h"
#include "../../src/k8s/tokenreview.h"
#include "fuzz.h"


/* {"alg":"ES256"}, {}, and a signature of no key */

#define PLAIN                                                                 \
    "eyJhbGciOiJFUzI1NiJ9.e30."                                               \
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"        \
    "AQEBAQEBAQEBAQEBAQEBAQEBAQ"


static const akl_str_t  wanted[] = { akl_str("api"), akl_str("vault") };


static int
same(akl_str_t ours, const json_t *value)
{
    return json_is_string(value) && json_string_length(value) == ours.len
           && memcmp(json_string_value(value), ours.data, ours.len) == 0;
}


static int
among(const json_t *list, akl_str_t text)
{
    size_t   i;
    json_t  *elt;

    json_array_foreach(list, i, elt) {
        if (same(text, elt)) {
            return 1;
        }
    }

    return 0;
}


static const json_t *
present(const json_t *object, const char *key)
{
    const json_t  *value;

    value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}


/* what an extra of one value says, "" where there is none */

static void
extra(akl_str_t ours, const json_t *user, const char *key)
{
    const json_t  *list;

    list = present(present(user, "extra"), key);

    if (list == NULL) {
        check(ours.len == 0);
        return;
    }

    check(json_array_size(list) == 1 && same(ours, json_array_get(list, 0)));
}


static void
agrees(akl_str_t established, akl_str_t claimed)
{
    check(established.len == 0 || claimed.len == 0
          || akl_str_eq(established, claimed));
}


static void
established(const akl_judgement_t *judged, unsigned status, akl_str_t body,
    const akl_pod_token_t *pod, akl_list_t audiences)
{
    size_t                 len;
    json_t                *root;
    const char            *name;
    const json_t          *answer, *user;
    const akl_identity_t  *identity;
    char                   username[1024];

    identity = &judged->identity;

    root = akl_json_object(body);
    check(root != NULL && (status == 200 || status == 201));

    check(same(akl_str("TokenReview"), json_object_get(root, "kind")));

    answer = json_object_get(root, "status");
    check(json_string_length(json_object_get(answer, "error")) == 0);
    check(json_is_true(json_object_get(answer, "authenticated")));

    if (audiences.n) {
        check(among(json_object_get(answer, "audiences"), wanted[0])
              || among(json_object_get(answer, "audiences"), wanted[1]));
    }

    user = json_object_get(answer, "user");
    name = json_string_value(json_object_get(user, "username"));
    check(name != NULL);

    check(akl_name_label(identity->namespace));
    check(akl_name_subdomain(identity->sa_name));

    len = (size_t) snprintf(username, sizeof(username),
                            "system:serviceaccount:%.*s:%.*s",
                            (int) identity->namespace.len,
                            (const char *) identity->namespace.data,
                            (int) identity->sa_name.len,
                            (const char *) identity->sa_name.data);

    check(len < sizeof(username) && strcmp(username, name) == 0);
    check(among(json_object_get(user, "groups"),
                akl_str("system:serviceaccounts")));

    extra(identity->pod_name, user, "authentication.kubernetes.io/pod-name");
    extra(identity->pod_uid, user, "authentication.kubernetes.io/pod-uid");
    extra(identity->node_name, user,
          "authentication.kubernetes.io/node-name");

    check(same(identity->sa_uid, json_object_get(user, "uid"))
          && identity->sa_uid.len);
    check((identity->pod_name.len == 0) == (identity->pod_uid.len == 0));

    agrees(identity->namespace, pod->claimed.namespace);
    agrees(identity->sa_name, pod->claimed.sa_name);
    agrees(identity->sa_uid, pod->claimed.sa_uid);
    agrees(identity->pod_name, pod->claimed.pod_name);
    agrees(identity->pod_uid, pod->claimed.pod_uid);

    json_decref(root);
}


static void
refused(const akl_judgement_t *judged)
{
    akl_identity_t  nobody;

    memset(&nobody, 0, sizeof(nobody));
    check(memcmp(&nobody, &judged->identity, sizeof(nobody)) == 0);

    check(!judged->again || judged->reason == AKL_API_ERROR
          || judged->reason == AKL_API_THROTTLED
          || judged->reason == AKL_REVIEWER_FORBIDDEN
          || judged->reason == AKL_REVIEWER_UNAUTHORIZED);
}


static void
judge(unsigned status, akl_str_t body, const akl_pod_token_t *pod, size_t n)
{
    size_t           i;
    akl_list_t       audiences;
    akl_judgement_t  judged;

    audiences.elts = wanted;
    audiences.n = n;

    akl_tokenreview_judge(&judged, status, body, pod, audiences);

    check(memchr(judged.detail, '\0', sizeof(judged.detail)) != NULL);

    for (i = 0; judged.detail[i]; i++) {
        check(judged.detail[i] >= 0x20 && judged.detail[i] <= 0x7e);
    }

    /* three letters with nothing behind them are no token */

    check(strstr(judged.detail, "eyJ") == NULL
          || strcmp(strstr(judged.detail, "eyJ"), "eyJ") == 0);

    if (judged.reason == AKL_OK) {
        established(&judged, status, body, pod, audiences);

    } else {
        refused(&judged);
    }

    akl_judgement_clear(&judged);
}


/* the token that an answer repeats */

static json_t *
repeated(akl_str_t body, akl_str_t *token)
{
    json_t  *root, *spec;

    *token = akl_str(PLAIN);

    root = akl_json_object(body);
    spec = json_object_get(root, "spec");

    if (json_is_string(json_object_get(spec, "token"))) {
        (void) akl_json_string(spec, "token", token);
    }

    return root;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t           *root;
    unsigned          status;
    akl_str_t         body, token, number;
    akl_pod_token_t   pod;

    body.data = data;
    body.len = size;
    number = fuzz_cut(&body, ' ');

    for (status = 0; number.len; number.len--) {
        status = status * 10 + *number.data++ % 10u;
        status %= 1000;
    }

    root = repeated(body, &token);

    if (akl_pod_token_parse(&pod, token) != AKL_OK) {
        akl_pod_token_clear(&pod);
        check(akl_pod_token_parse(&pod, akl_str(PLAIN)) == AKL_OK);
    }

    judge(status, body, &pod, 0);
    judge(status, body, &pod, 2);

    akl_pod_token_clear(&pod);
    json_decref(root);

    return 0;
}
