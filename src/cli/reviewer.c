/*
 * A reviewer in a cluster: account, right and token.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../jose/base64.h"
#include "../k8s/names.h"
#include "out.h"
#include "reviewer.h"


#define AKL_REVIEWER_POLLS  60          /* for the token of a Secret */


typedef struct {
    akl_args_t         *args;
    const akl_kube_t   *kube;
    const char         *name;
    const char         *namespace;
    int                 yes;
} akl_reviewer_t;


static void
akl_reviewer_show(const char *title, json_t *object)
{
    char  *text;

    text = json_dumps(object, JSON_INDENT(2));

    akl_progress_end();
    (void) fprintf(stderr, "%s%s%s\n%s\n", akl_style(stderr, AKL_BOLD), title,
            akl_style(stderr, AKL_PLAIN), text ? text : "");
    free(text);
}


/* 1 for yes, 0 for no */

static int
akl_reviewer_ask(akl_reviewer_t *r)
{
    char  line[64];

    if (r->yes) {
        return 1;
    }

    (void) fputs("Make it? [y/N/a(ll)] ", stderr);
    (void) fflush(stderr);

    if (fgets(line, sizeof(line), stdin) == NULL) {
        (void) fputc('\n', stderr);
        return 0;
    }

    if (tolower((unsigned char) line[0]) == 'a') {
        r->yes = 1;
    }

    return r->yes || tolower((unsigned char) line[0]) == 'y';
}


static int
akl_reviewer_failed(const char *what, const akl_http_answer_t *answer,
    json_t *object)
{
    int          code;
    const char  *cure;

    code = (answer->phase != AKL_HTTP_OK || answer->status >= 500)
           ? AKL_EXIT_UNREACHABLE : AKL_EXIT_REFUSED;
    cure = NULL;

    if (answer->status == 401 || answer->status == 403) {
        cure = "a kubeconfig of somebody who may: cluster-admin can";
    }

    code = akl_fail(code, cure, "%s: %s", what,
                    akl_kube_message(answer, object));
    json_decref(object);

    return code;
}


/* makes one object; *made is it, as the server has it, or what was there */

static int
akl_reviewer_object(akl_reviewer_t *r, const char *title, const char *list,
    const char *name, json_t *object, json_t **made)
{
    int                 rc;
    json_t             *have;
    const char         *path;
    akl_http_answer_t   answer;

    *made = NULL;

    path = akl_mem_printf("%s/%s", list, name);

    akl_progress("looking for %s", title);

    have = akl_kube(r->kube, "GET", path, NULL, &answer);

    if (answer.status == 200 && have) {
        akl_note("%s is there already", title);
        json_decref(object);
        *made = have;
        return 0;
    }

    if (answer.status != 404) {
        json_decref(object);
        return akl_reviewer_failed(title, &answer, have);
    }

    json_decref(have);
    akl_reviewer_show(title, object);

    if (!akl_reviewer_ask(r)) {
        json_decref(object);
        return akl_fail(AKL_EXIT_REFUSED, NULL, "%s was not made, as you "
                        "said", title);
    }

    akl_progress("making %s", title);

    have = akl_kube(r->kube, "POST", list, object, &answer);

    if (answer.status != 201 || have == NULL) {
        rc = akl_reviewer_failed(title, &answer, have);
        return rc;
    }

    *made = have;

    return 0;
}


static int
akl_reviewer_account(akl_reviewer_t *r)
{
    int      rc;
    json_t  *made;

    rc = akl_reviewer_object(r, akl_mem_printf("ServiceAccount %s/%s",
                                               r->namespace, r->name),
             akl_mem_printf("/api/v1/namespaces/%s/serviceaccounts",
                            r->namespace),
             r->name,
             json_pack("{s:s, s:s, s:{s:s, s:s}}",
                       "apiVersion", "v1", "kind", "ServiceAccount",
                       "metadata", "name", r->name,
                       "namespace", r->namespace),
             &made);

    json_decref(made);

    return rc;
}


/* one that is there has to be the right one */

static int
akl_reviewer_bound(akl_reviewer_t *r, json_t *binding)
{
    size_t       i;
    json_t      *subject;
    const char  *role, *kind, *name, *namespace;

    role = akl_kube_text(binding, "roleRef.name");

    if (role == NULL || strcmp(role, "system:auth-delegator") != 0) {
        return 0;
    }

    json_array_foreach (json_object_get(binding, "subjects"), i, subject) {
        kind = akl_kube_text(subject, "kind");
        name = akl_kube_text(subject, "name");
        namespace = akl_kube_text(subject, "namespace");

        if (kind && name && namespace && strcmp(kind, "ServiceAccount") == 0
            && strcmp(name, r->name) == 0
            && strcmp(namespace, r->namespace) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static int
akl_reviewer_binding(akl_reviewer_t *r)
{
    int          rc;
    char        *name;
    json_t      *made;

    name = akl_mem_printf("%s-%s-auth-delegator", r->namespace, r->name);

    rc = akl_reviewer_object(r, akl_mem_printf("ClusterRoleBinding %s", name),
             "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", name,
             json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s}, "
                       "s:[{s:s, s:s, s:s}]}",
                       "apiVersion", "rbac.authorization.k8s.io/v1",
                       "kind", "ClusterRoleBinding",
                       "metadata", "name", name,
                       "roleRef", "apiGroup", "rbac.authorization.k8s.io",
                       "kind", "ClusterRole", "name", "system:auth-delegator",
                       "subjects", "kind", "ServiceAccount", "name", r->name,
                       "namespace", r->namespace),
             &made);

    if (rc == 0 && !akl_reviewer_bound(r, made)) {
        rc = akl_fail(AKL_EXIT_REFUSED,
                      akl_mem_printf("kubectl delete clusterrolebinding %s",
                                     name),
                      "ClusterRoleBinding %s does not give "
                      "system:auth-delegator to %s/%s", name, r->namespace,
                      r->name);
    }

    json_decref(made);

    return rc;
}


static int
akl_reviewer_request(akl_reviewer_t *r, const char **token)
{
    json_t              *object;
    long long            hours;
    akl_http_answer_t    answer;

    hours = 8760;

    if (akl_opt_number(r->args, "reviewer-ttl", 1, 87600, &hours) != 0) {
        return AKL_EXIT_USAGE;
    }

    object = json_pack("{s:s, s:s, s:{s:I}}",
                       "apiVersion", "authentication.k8s.io/v1",
                       "kind", "TokenRequest",
                       "spec", "expirationSeconds",
                       (json_int_t) (hours * 3600));

    akl_reviewer_show(akl_mem_printf("TokenRequest for %s/%s", r->namespace,
                                     r->name), object);

    if (!akl_reviewer_ask(r)) {
        json_decref(object);
        return akl_fail(AKL_EXIT_REFUSED, NULL, "no token was made, as you "
                        "said");
    }

    akl_progress("asking for a token");

    object = akl_kube(r->kube, "POST",
                 akl_mem_printf("/api/v1/namespaces/%s/serviceaccounts/%s/"
                                "token", r->namespace, r->name),
                 object, &answer);

    *token = (answer.status == 201) ? akl_kube_text(object, "status.token")
                                    : NULL;

    if (*token == NULL) {
        return akl_reviewer_failed("a token for the reviewer", &answer,
                                   object);
    }

    json_decref(object);

    return 0;
}


/* the controller fills it, a moment later */

static int
akl_reviewer_secret(akl_reviewer_t *r, const char **token)
{
    int                 rc, i;
    char               *name, *path;
    json_t             *object;
    ssize_t             n;
    const char         *data;
    unsigned char      *raw;
    struct timespec     pause;
    akl_http_answer_t   answer;

    name = akl_mem_printf("%s-token", r->name);
    path = akl_mem_printf("/api/v1/namespaces/%s/secrets", r->namespace);

    rc = akl_reviewer_object(r, akl_mem_printf("Secret %s/%s", r->namespace,
                                               name),
             path, name,
             json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:{s:s}}}",
                       "apiVersion", "v1", "kind", "Secret",
                       "type", "kubernetes.io/service-account-token",
                       "metadata", "name", name, "namespace", r->namespace,
                       "annotations", "kubernetes.io/service-account.name",
                       r->name),
             &object);

    pause.tv_sec = 0;
    pause.tv_nsec = 500 * 1000 * 1000;

    for (i = 0; rc == 0; i++) {

        data = akl_kube_text(object, "data.token");
        json_decref(object);

        if (data && *data) {
            raw = akl_mem(akl_base64_decoded_len(strlen(data)) + 1);
            n = akl_base64_decode(raw, akl_str_of(data));

            if (n > 0) {
                *token = (const char *) raw;
                return 0;
            }
        }

        if (i == AKL_REVIEWER_POLLS) {
            return akl_fail(AKL_EXIT_UNREACHABLE, "--reviewer-token request",
                            "the Secret %s/%s got no token: does the "
                            "controller-manager run?", r->namespace, name);
        }

        akl_progress("waiting for the token of the Secret");
        (void) nanosleep(&pause, NULL);

        object = akl_kube(r->kube, "GET",
                          akl_mem_printf("%s/%s", path, name), NULL, &answer);

        if (answer.status != 200) {
            return akl_reviewer_failed("the Secret", &answer, object);
        }
    }

    return rc;
}


int
akl_reviewer_make(akl_args_t *args, const akl_kube_t *kube,
    const char **token)
{
    int             rc;
    akl_reviewer_t  r;

    memset(&r, 0, sizeof(akl_reviewer_t));

    r.args = args;
    r.kube = kube;
    r.name = akl_opt_or(args, "reviewer-name", "akl-reviewer");
    r.namespace = akl_opt_or(args, "reviewer-namespace", "kube-system");
    r.yes = akl_opt_flag(args, "yes");

    if (!akl_name_subdomain(akl_str_of(r.name))
        || !akl_name_label(akl_str_of(r.namespace)))
    {
        return akl_usage(akl_args_command(args), "\"--reviewer-name\" or "
                         "\"--reviewer-namespace\" is no name that Kubernetes "
                         "takes");
    }

    if (!r.yes && !akl_out_terminal(stdin)) {
        return akl_usage(akl_args_command(args), "\"--create-reviewer\" asks "
                         "before it makes anything: there is nobody to "
                         "answer, so say \"--yes\"");
    }

    rc = akl_reviewer_account(&r);

    if (rc == 0) {
        rc = akl_reviewer_binding(&r);
    }

    if (rc != 0) {
        return rc;
    }

    return (strcmp(akl_opt_or(args, "reviewer-token", "request"), "secret")
            == 0)
           ? akl_reviewer_secret(&r, token)
           : akl_reviewer_request(&r, token);
}
