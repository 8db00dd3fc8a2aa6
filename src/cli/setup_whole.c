/*
 * What an akl_k8s_auth_config comes to when all of it is read.
 */

#include <stdlib.h>

#include "../k8s/auth_config.h"
#include "setup_inside.h"


/* host from the environment, the rest as it is mounted into a pod */

static void
akl_setup_in_pod(akl_setup_block_t *b)
{
    char                *url;
    akl_str_t           *elts;
    const char          *host, *port;
    akl_directive_t     *d;
    akl_setup_config_t  *config;

    config = b->config;
    d = akl_directive_find(config->directive->block, "use_gw_service_account");

    if (config->hosts.n == 0) {
        host = getenv("KUBERNETES_SERVICE_HOST");
        port = getenv("KUBERNETES_SERVICE_PORT");

        if (host == NULL || port == NULL) {
            akl_setup_problem(b->setup, d, 1, "use_gw_service_account: "
                              "KUBERNETES_SERVICE_HOST and "
                              "KUBERNETES_SERVICE_PORT are not in the "
                              "environment, this is no pod");
        } else {
            url = akl_mem_printf(strchr(host, ':') ? "https://[%s]:%s"
                                                   : "https://%s:%s",
                                 host, port);
            elts = akl_mem(sizeof(akl_str_t));
            elts[0] = akl_str_of(url);
            config->hosts.elts = elts;
            config->hosts.n = 1;
        }
    }

    if (config->ca.directive == NULL && !config->ca_system) {
        akl_setup_ca_text(b, d, akl_mem_printf("%s/ca.crt", config->mount));
    }

    if (config->reviewer.directive == NULL && !config->self
        && !config->certificate)
    {
        akl_setup_reviewer_text(b, d, akl_mem_printf("%s/token",
                                                     config->mount), 1);
    }
}


static void
akl_setup_credentials(akl_setup_block_t *b)
{
    const char          *cause, *warn;
    akl_setup_config_t  *config;

    config = b->config;

    if (config->client_cert.text.len && config->client_key.text.len) {
        warn = NULL;
        cause = akl_credential_pair(config->client_cert.text,
                                    config->client_key.text, &warn);
        if (cause) {
            akl_setup_cause(b->setup, &config->client_cert, 1, cause, "");

        } else if (warn) {
            akl_setup_cause(b->setup, &config->client_cert, 0, warn, "");
        }
    }

    if (!config->rancher && !config->certificate
        && config->reviewer.directive == NULL && !config->self)
    {
        config->self = 1;

        akl_setup_problem(b->setup, config->directive, 0,
                          "token_reviewer_jwt of akl_k8s_auth_config \"%s\" "
                          "is left at \"self\", so the account of each pod "
                          "needs the right to create tokenreviews,",
                          config->name);
    }

    if (config->self && config->jwks_auto) {
        akl_setup_problem(b->setup, config->directive, 0, "\"k8s_jwks auto\" "
                          "of akl_k8s_auth_config \"%s\" has no effect "
                          "without a reviewer to fetch keys with",
                          config->name);
    }
}


static void
akl_setup_issuers(akl_setup_block_t *b)
{
    akl_str_t           *elts;
    akl_setup_config_t  *config;

    config = b->config;

    if (b->no_issuer) {
        config->issuers.n = 0;
        return;
    }

    if (config->issuers.n) {
        return;
    }

    elts = akl_mem(sizeof(akl_str_t));
    elts[0] = akl_str("kubernetes/serviceaccount");

    config->issuers.elts = elts;
    config->issuers.n = 1;

    akl_setup_problem(b->setup, config->directive, 0, "k8s_issuer of "
                      "akl_k8s_auth_config \"%s\" is left at "
                      "\"kubernetes/serviceaccount\", which no projected "
                      "token carries", config->name);
}


void
akl_setup_whole(akl_setup_block_t *b)
{
    const char          *name, *with;
    akl_setup_config_t  *config;

    config = b->config;

    name = akl_auth_config_check(b->given, config->rancher,
                                 config->certificate, &with);

    if (name && with) {
        akl_setup_problem(b->setup, config->directive, 1, "\"%s\" of "
                          "akl_k8s_auth_config \"%s\" goes with %s only",
                          name, config->name, with);

    } else if (name) {
        akl_setup_problem(b->setup, config->directive, 1,
                          "akl_k8s_auth_config \"%s\" has no \"%s\"",
                          config->name, name);
    }

    if (config->mount) {
        akl_setup_in_pod(b);
    }

    akl_setup_credentials(b);
    akl_setup_issuers(b);

    if (config->token_issuer == NULL) {
        config->token_issuer = "akl_k8s";
    }
}
