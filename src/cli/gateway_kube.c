/*
 * gateway-create-k8s-auth-config --from-kubeconfig: what the cluster knows.
 */

#include "../jose/jws.h"
#include "gateway.h"
#include "out.h"
#include "peer.h"
#include "pem.h"
#include "reviewer.h"


/* the issuer of a token, for clusters that do not tell it otherwise */

static const char *
akl_gateway_token_issuer(const char *token)
{
    akl_jws_t    jws;
    akl_str_t    iss;
    const char  *issuer;

    issuer = NULL;

    if (token && akl_jws_parse(&jws, akl_str_of(token)) == AKL_JWS_OK) {

        if (akl_doc_get(&jws.payload, jws.payload.nodes, "kubernetes.io")
            && akl_doc_string(&jws.payload, jws.payload.nodes, "iss", &iss)
               == 0)
        {
            issuer = akl_mem_strn(iss.data, iss.len);
        }

        akl_jws_clear(&jws);
    }

    return issuer;
}


static int
akl_gateway_issuer(akl_gateway_t *gw)
{
    akl_str_t            text;
    const char          *given, *path;
    akl_http_answer_t    answer;

    if (akl_opt(gw->args, "k8s-issuer")
        || akl_opt_flag(gw->args, "disable-issuer-validation"))
    {
        return 0;
    }

    akl_progress("asking for the issuer");

    gw->issuer = akl_kube_issuer(&gw->kube, &answer);

    if (answer.phase != AKL_HTTP_OK) {
        return akl_fail(AKL_EXIT_UNREACHABLE, NULL, "%s: %s", gw->kc.server,
                        answer.error);
    }

    if (answer.status == 401) {
        return akl_fail(AKL_EXIT_REFUSED, "a kubeconfig that still works: "
                        "kubectl auth whoami", "%s does not accept the "
                        "credential of \"%s\"", gw->kc.server, gw->kc.user);
    }

    /* an issuer that is no https URL is in tokens only */

    if (gw->issuer == NULL) {
        gw->issuer = akl_gateway_token_issuer(gw->reviewer);
    }

    given = akl_opt(gw->args, "token-reviewer-jwt");

    if (gw->issuer == NULL && given
        && akl_credential_argument(AKL_CREDENTIAL_TEXT, given, &text, &path)
           == NULL)
    {
        gw->issuer = akl_gateway_token_issuer((const char *) text.data);
    }

    if (gw->issuer == NULL) {
        gw->issuer = akl_gateway_token_issuer(gw->kc.token);
    }

    if (gw->issuer == NULL) {
        return akl_fail(AKL_EXIT_REFUSED, "--k8s-issuer, with the \"iss\" "
                        "that \"kubectl create token default | akl-k8s "
                        "inspect\" shows", "%s does not tell its issuer "
                        "(%ld): it is no https URL, or \"%s\" may not ask",
                        gw->kc.server, answer.status, gw->kc.user);
    }

    return 0;
}


int
akl_gateway_kubeconfig(akl_gateway_t *gw)
{
    int          rc;
    const char  *path, *cause;

    path = akl_opt(gw->args, "from-kubeconfig");

    if (path == NULL) {

        if (akl_opt_flag(gw->args, "create-reviewer")
            || akl_opt(gw->args, "context"))
        {
            return akl_usage(akl_args_command(gw->args),
                             "\"--create-reviewer\" and \"--context\" need "
                             "\"--from-kubeconfig\"");
        }

        return 0;
    }

    cause = akl_kubeconfig_read(path, akl_opt(gw->args, "context"), &gw->kc);

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause);
    }

    gw->host = gw->kc.server;
    gw->ca = gw->kc.ca;

    akl_peer_kubeconfig(&gw->kc, &gw->kube);

    if (akl_opt_flag(gw->args, "create-reviewer")) {

        if (akl_opt(gw->args, "token-reviewer-jwt")) {
            return akl_usage(akl_args_command(gw->args),
                             "\"--create-reviewer\" and "
                             "\"--token-reviewer-jwt\" exclude each other");
        }

        akl_note("cluster \"%s\" at %s, as \"%s\"", gw->kc.cluster,
                 gw->kc.server, gw->kc.user);

        rc = akl_reviewer_make(gw->args, &gw->kube, &gw->reviewer);
        if (rc != 0) {
            return rc;
        }
    }

    return akl_gateway_issuer(gw);
}
