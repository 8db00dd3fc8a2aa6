/*
 * Whom the program speaks to.
 */

#include <stdlib.h>
#include <strings.h>

#include "out.h"
#include "peer.h"
#include "pem.h"


static void
akl_peer_warn(const char *url, const char *secret)
{
    size_t       len;
    const char  *host;

    if (strncasecmp(url, "https://", 8) == 0) {
        return;
    }

    host = url + 7;
    len = strcspn(host, ":/");

    if ((len == 9 && strncasecmp(host, "localhost", 9) == 0)
        || strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0)
    {
        return;
    }

    akl_warn("%s goes to %.*s unencrypted: use https", secret, (int) len,
             host);
}


int
akl_peer_gateway(akl_args_t *args, const char *secret, akl_http_peer_t *peer)
{
    char        *url;
    size_t       len;
    long long    timeout;
    const char  *ca, *path, *cause;

    memset(peer, 0, sizeof(akl_http_peer_t));

    timeout = 10;

    if (akl_opt_number(args, "timeout", 1, 3600, &timeout) != 0) {
        return AKL_EXIT_USAGE;
    }

    peer->timeout = (long) timeout;

    url = akl_mem_str(akl_opt_or(args, "gateway-url",
                                 "http://localhost:8000"));

    if (strncasecmp(url, "https://", 8) != 0
        && strncasecmp(url, "http://", 7) != 0)
    {
        return akl_usage(akl_args_command(args), "\"--gateway-url\" begins "
                         "with \"https://\" or \"http://\"");
    }

    if (strpbrk(url, "?#@ ")) {
        return akl_usage(akl_args_command(args), "\"--gateway-url\" has no "
                         "user, query or fragment");
    }

    for (len = strlen(url); len && url[len - 1] == '/'; len--) {
        url[len - 1] = '\0';
    }

    peer->url = url;

    ca = akl_opt(args, "gateway-ca-cert");

    if (ca) {
        cause = akl_credential_argument(AKL_CREDENTIAL_PEM, ca, &peer->ca,
                                        &path);

        if (cause == NULL) {
            cause = akl_credential_ca(peer->ca, NULL);
        }

        if (cause) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "--gateway-ca-cert: %s",
                            cause);
        }
    }

    if (secret) {
        akl_peer_warn(url, secret);
    }

    return 0;
}


void
akl_peer_kubeconfig(const akl_kubeconfig_t *kc, akl_kube_t *kube)
{
    size_t  len;

    memset(kube, 0, sizeof(akl_kube_t));

    len = strlen(kc->server);

    kube->peer.url = akl_mem_strn(kc->server,
                                  len - (kc->server[len - 1] == '/'));
    kube->peer.ca = kc->ca;
    kube->peer.cert = kc->cert;
    kube->peer.key = kc->key;
    kube->peer.proxy = kc->proxy;
    kube->peer.server_name = kc->server_name;
    kube->peer.https_only = 1;
    kube->bearer = kc->token;
}


const char *
akl_peer_pod(const char *mount, akl_kube_t *kube)
{
    akl_str_t    token;
    const char  *host, *port, *ca, *path, *cause;

    memset(kube, 0, sizeof(akl_kube_t));

    host = getenv("KUBERNETES_SERVICE_HOST");
    port = getenv("KUBERNETES_SERVICE_PORT");

    if (host == NULL || port == NULL) {
        return "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not "
               "in the environment, this is no pod";
    }

    kube->peer.url = akl_mem_printf(strchr(host, ':') ? "https://[%s]:%s"
                                                      : "https://%s:%s",
                                    host, port);
    kube->peer.https_only = 1;

    ca = akl_mem_printf("%s/ca.crt", mount);
    cause = akl_credential_argument(AKL_CREDENTIAL_PEM, ca, &kube->peer.ca,
                                    &path);

    if (cause == NULL) {
        cause = akl_credential_ca(kube->peer.ca, NULL);
    }

    if (cause) {
        return akl_mem_printf("\"%s\": %s", ca, cause);
    }

    path = akl_mem_printf("%s/token", mount);
    cause = akl_credential_argument(AKL_CREDENTIAL_TEXT, path, &token, &path);

    if (cause) {
        return akl_mem_printf("\"%s/token\": %s", mount, cause);
    }

    kube->bearer = (const char *) token.data;

    return NULL;
}
