/*
 * akl_k8s_auth_config, as the program reads it.
 */

#include <time.h>

#include "../k8s/auth_config.h"
#include "../k8s/host.h"
#include "../k8s/look.h"
#include "../k8s/pod_token.h"
#include "setup_inside.h"


typedef struct {
    const char              *name;
    unsigned                 bit;
    void                   (*set)(akl_setup_block_t *b, akl_directive_t *d);
} akl_setup_member_t;


static int
akl_setup_on(akl_directive_t *d)
{
    return strcmp(d->args[1], "on") == 0;
}


static void
akl_setup_access_id(akl_setup_block_t *b, akl_directive_t *d)
{
    b->config->access_id = d->args[1];
}


static void
akl_setup_own_key(akl_setup_config_t *config, akl_str_t pem)
{
    size_t      i;
    akl_str_t  *elts;

    elts = akl_mem((config->own_keys.n + 1) * sizeof(akl_str_t));

    for (i = 0; i < config->own_keys.n; i++) {
        elts[i] = config->own_keys.elts[i];
    }

    elts[config->own_keys.n++] = pem;
    config->own_keys.elts = elts;
}


static void
akl_setup_signing_key(akl_setup_block_t *b, akl_directive_t *d)
{
    akl_jwk_t      jwk;
    const char    *cause;
    akl_source_t  *key;

    key = &b->config->signing_key;

    akl_setup_source(b->setup, d, d->args[1], AKL_CREDENTIAL_PEM, key);

    if (key->text.len == 0) {
        return;
    }

    if (akl_jwk_private_from_pem(&jwk, key->text, &cause) != 0) {
        akl_setup_cause(b->setup, key, 1, cause,
                        akl_look_text(AKL_USE_PRIVATE_KEY, key->text));
        key->text.len = 0;
        key->cause = cause;
        return;
    }

    akl_setup_own_key(b->config, key->text);
    akl_jwk_clear(&jwk);
}


static void
akl_setup_verification_key(akl_setup_block_t *b, akl_directive_t *d)
{
    akl_jwk_t      jwk;
    const char    *cause;
    akl_source_t   key;

    akl_setup_source(b->setup, d, d->args[1], AKL_CREDENTIAL_PEM, &key);

    if (key.text.len == 0) {
        return;
    }

    if (akl_jwk_public_from_pem(&jwk, key.text, &cause) != 0) {
        akl_setup_cause(b->setup, &key, 1, cause,
                        akl_look_text(AKL_USE_PUBLIC_KEY, key.text));
        return;
    }

    akl_setup_own_key(b->config, key.text);

    akl_jwk_clear(&jwk);
}


static void
akl_setup_cluster_type(akl_setup_block_t *b, akl_directive_t *d)
{
    if (strcmp(d->args[1], "rancher") == 0) {
        b->config->rancher = 1;

    } else if (strcmp(d->args[1], "native_k8s") != 0
               && strcmp(d->args[1], "native-k8s") != 0)
    {
        akl_setup_problem(b->setup, d, 1, "\"cluster_api_type\" directive "
                          "must be native_k8s or rancher");
    }
}


static void
akl_setup_auth_type(akl_setup_block_t *b, akl_directive_t *d)
{
    if (strcmp(d->args[1], "certificate") == 0) {
        b->config->certificate = 1;

    } else if (strcmp(d->args[1], "token") != 0) {
        akl_setup_problem(b->setup, d, 1, "\"k8s_auth_type\" directive must "
                          "be token or certificate");
    }
}


static void
akl_setup_host(akl_setup_block_t *b, akl_directive_t *d)
{
    size_t       i;
    akl_host_t   host;
    const char  *cause;

    for (i = 1; i < d->n; i++) {
        cause = akl_host_parse(akl_str_of(d->args[i]), &host);

        if (cause) {
            akl_setup_problem(b->setup, d, 1, "invalid k8s_host \"%s\": %s",
                              d->args[i], cause);
        }
    }

    akl_setup_words(&b->config->hosts, d);
}


static void
akl_setup_server_name(akl_setup_block_t *b, akl_directive_t *d)
{
    const char  *cause;

    cause = akl_check_server_name(akl_str_of(d->args[1]));

    if (cause) {
        akl_setup_problem(b->setup, d, 1, "\"k8s_tls_server_name\" directive "
                          "%s", cause);
        return;
    }

    b->config->server_name = d->args[1];
}


static void
akl_setup_proxy(akl_setup_block_t *b, akl_directive_t *d)
{
    akl_host_t   host;
    const char  *cause;

    if (d->args[1][0] == '\0') {
        akl_setup_problem(b->setup, d, 1, "\"k8s_proxy\" directive is empty");
        return;
    }

    cause = akl_host_proxy(akl_str_of(d->args[1]), &host);

    if (cause) {
        akl_setup_problem(b->setup, d, 1, "invalid k8s_proxy \"%s\": %s",
                          d->args[1], cause);
        return;
    }

    b->config->proxy = d->args[1];
}


void
akl_setup_ca_text(akl_setup_block_t *b, akl_directive_t *d, const char *value)
{
    const char    *cause, *warn;
    akl_source_t  *ca;

    ca = &b->config->ca;

    akl_setup_source(b->setup, d, value, AKL_CREDENTIAL_PEM, ca);

    if (ca->text.len == 0) {
        return;
    }

    warn = NULL;
    cause = akl_credential_ca(ca->text, &warn);

    if (cause) {
        akl_setup_cause(b->setup, ca, 1, cause, "");
        ca->text.len = 0;
        ca->cause = cause;

    } else if (warn) {
        akl_setup_cause(b->setup, ca, 0, warn, "");
    }
}


static void
akl_setup_ca(akl_setup_block_t *b, akl_directive_t *d)
{
    if (strcmp(d->args[1], "system") == 0) {
        b->config->ca_system = 1;
        return;
    }

    akl_setup_ca_text(b, d, d->args[1]);
}


void
akl_setup_reviewer_text(akl_setup_block_t *b, akl_directive_t *d,
    const char *value, int quiet)
{
    const char    *cause, *warn;
    akl_source_t  *reviewer;

    reviewer = &b->config->reviewer;

    akl_setup_source(b->setup, d, value, AKL_CREDENTIAL_TEXT, reviewer);

    if (reviewer->text.len == 0) {
        return;
    }

    warn = NULL;
    cause = akl_credential_jwt(reviewer->text, (int64_t) time(NULL),
                               quiet ? NULL : &warn);

    if (cause) {
        akl_setup_cause(b->setup, reviewer, 1, cause, "");
        reviewer->cause = cause;

    } else if (warn) {
        akl_setup_cause(b->setup, reviewer, 0, warn, "");
    }
}


static void
akl_setup_reviewer(akl_setup_block_t *b, akl_directive_t *d)
{
    if (strcmp(d->args[1], "self") == 0) {
        b->config->self = 1;
        return;
    }

    akl_setup_reviewer_text(b, d, d->args[1], 0);
}


static void
akl_setup_client_cert(akl_setup_block_t *b, akl_directive_t *d)
{
    akl_setup_source(b->setup, d, d->args[1], AKL_CREDENTIAL_PEM,
                     &b->config->client_cert);
}


static void
akl_setup_client_key(akl_setup_block_t *b, akl_directive_t *d)
{
    akl_setup_source(b->setup, d, d->args[1], AKL_CREDENTIAL_PEM,
                     &b->config->client_key);
}


static void
akl_setup_rancher_key(akl_setup_block_t *b, akl_directive_t *d)
{
    akl_setup_source(b->setup, d, d->args[1], AKL_CREDENTIAL_TEXT,
                     &b->config->reviewer);
}


static void
akl_setup_rancher_cluster(akl_setup_block_t *b, akl_directive_t *d)
{
    const char  *cause;

    cause = akl_check_cluster_id(akl_str_of(d->args[1]));

    if (cause) {
        akl_setup_problem(b->setup, d, 1, "\"rancher_cluster_id\" directive "
                          "%s", cause);
        return;
    }

    b->config->cluster_id = d->args[1];
}


static void
akl_setup_in_cluster(akl_setup_block_t *b, akl_directive_t *d)
{
    if (strcmp(d->args[1], "off") == 0) {
        return;
    }

    if (!akl_setup_on(d) && d->args[1][0] != '/') {
        akl_setup_problem(b->setup, d, 1, "\"use_gw_service_account\" "
                          "directive must be on, off or a directory");
        return;
    }

    b->given |= AKL_GIVEN_HOST|AKL_GIVEN_CA;
    b->config->mount = akl_setup_on(d) ? AKL_POD_MOUNT : d->args[1];
}


static void
akl_setup_issuer(akl_setup_block_t *b, akl_directive_t *d)
{
    size_t       i;
    const char  *cause, *warn;

    for (i = 1; i < d->n; i++) {
        warn = NULL;
        cause = akl_check_issuer(akl_str_of(d->args[i]), &warn);

        if (cause) {
            akl_setup_problem(b->setup, d, 1, "invalid issuer \"%s\" in "
                              "\"k8s_issuer\": %s", d->args[i], cause);

        } else if (warn) {
            akl_setup_problem(b->setup, d, 0, "\"%s\" in \"k8s_issuer\" %s",
                              d->args[i], warn);
        }
    }

    akl_setup_words(&b->config->issuers, d);
}


static void
akl_setup_no_issuer(akl_setup_block_t *b, akl_directive_t *d)
{
    b->no_issuer = (akl_setup_on(d) != 0);
}


static void
akl_setup_jwks(akl_setup_block_t *b, akl_directive_t *d)
{
    akl_jwks_t     keys;
    const char    *cause;
    akl_source_t  *jwks;

    jwks = &b->config->jwks;

    if (strcmp(d->args[1], "auto") == 0) {
        b->config->jwks_auto = 1;
        return;
    }

    akl_setup_source(b->setup, d, d->args[1], AKL_CREDENTIAL_JSON, jwks);

    if (jwks->text.len == 0) {
        return;
    }

    if (akl_jwks_parse(&keys, jwks->text, &cause) != 0) {
        akl_setup_cause(b->setup, jwks, 1, cause, "");
        jwks->text.len = 0;
        jwks->cause = cause;
        return;
    }

    akl_jwks_clear(&keys);
}


static void
akl_setup_token_issuer(akl_setup_block_t *b, akl_directive_t *d)
{
    b->config->token_issuer = d->args[1];
}


static void
akl_setup_token_audience(akl_setup_block_t *b, akl_directive_t *d)
{
    size_t       i, k;
    akl_list_t  *list;

    list = &b->config->token_audiences;

    akl_setup_words(list, d);

    for (i = 0; i < list->n; i++) {

        if (list->elts[i].len == 0) {
            akl_setup_problem(b->setup, d, 1, "\"token_audience\" directive is "
                              "empty");
            return;
        }

        for (k = 0; k < i; k++) {
            if (akl_str_eq(list->elts[k], list->elts[i])) {
                akl_setup_problem(b->setup, d, 1, "\"token_audience\" "
                                  "directive has the same audience twice");
                return;
            }
        }
    }
}


static void
akl_setup_token_subject(akl_setup_block_t *b, akl_directive_t *d)
{
    const char  *cause;

    cause = akl_subject_parse(&b->config->subject, akl_str_of(d->args[1]),
                              akl_str_of(b->config->name));

    if (cause) {
        akl_setup_problem(b->setup, d, 1, "\"token_subject\" directive %s",
                          cause);
        return;
    }

    b->config->subject_known = 1;
}


static void
akl_setup_token_binding(akl_setup_block_t *b, akl_directive_t *d)
{
    if (strcmp(d->args[1], "certificate") == 0) {
        b->config->bound = 1;

    } else if (strcmp(d->args[1], "off") != 0) {
        akl_setup_problem(b->setup, d, 1, "\"token_binding\" directive must be "
                          "certificate or off");
    }
}


static const akl_setup_member_t  akl_setup_members[] = {
    { "access_id", AKL_GIVEN_ACCESS_ID, akl_setup_access_id },
    { "signing_key", AKL_GIVEN_SIGNING_KEY, akl_setup_signing_key },
    { "verification_key", 0, akl_setup_verification_key },
    { "cluster_api_type", 0, akl_setup_cluster_type },
    { "k8s_auth_type", AKL_GIVEN_AUTH_TYPE, akl_setup_auth_type },
    { "k8s_host", AKL_GIVEN_HOST, akl_setup_host },
    { "k8s_ca_cert", AKL_GIVEN_CA, akl_setup_ca },
    { "k8s_tls_server_name", 0, akl_setup_server_name },
    { "k8s_proxy", 0, akl_setup_proxy },
    { "token_reviewer_jwt", AKL_GIVEN_REVIEWER, akl_setup_reviewer },
    { "k8s_client_certificate", AKL_GIVEN_CLIENT_CERT, akl_setup_client_cert },
    { "k8s_client_key", AKL_GIVEN_CLIENT_KEY, akl_setup_client_key },
    { "rancher_api_key", AKL_GIVEN_RANCHER_KEY, akl_setup_rancher_key },
    { "rancher_cluster_id", AKL_GIVEN_RANCHER_CLUSTER,
      akl_setup_rancher_cluster },
    { "use_gw_service_account", AKL_GIVEN_IN_CLUSTER, akl_setup_in_cluster },
    { "k8s_issuer", 0, akl_setup_issuer },
    { "disable_issuer_validation", 0, akl_setup_no_issuer },
    { "k8s_jwks", 0, akl_setup_jwks },
    { "token_issuer", 0, akl_setup_token_issuer },
    { "token_audience", 0, akl_setup_token_audience },
    { "token_binding", 0, akl_setup_token_binding },
    { "token_subject", 0, akl_setup_token_subject },
    { NULL, 0, NULL }
};


void
akl_setup_config(akl_setup_t *setup, akl_directive_t *block)
{
    const char                *cause;
    akl_directive_t           *d;
    akl_setup_block_t          b;
    akl_setup_config_t       **last;
    const akl_setup_member_t  *m;

    memset(&b, 0, sizeof(akl_setup_block_t));

    b.setup = setup;
    b.config = akl_mem(sizeof(akl_setup_config_t));
    b.config->name = block->args[1];
    b.config->directive = block;

    cause = akl_check_config_name(akl_str_of(b.config->name));

    if (cause) {
        akl_setup_problem(setup, block, 1, "\"akl_k8s_auth_config\" directive "
                          "%s", cause);
        return;
    }

    for (last = &setup->configs; *last; last = &(*last)->next) {
        if (strcmp((*last)->name, b.config->name) == 0) {
            akl_setup_problem(setup, block, 1, "duplicate akl_k8s_auth_config "
                              "\"%s\"", b.config->name);
            return;
        }
    }

    *last = b.config;

    for (d = block->block; d; d = d->next) {

        for (m = akl_setup_members; m->name; m++) {
            if (strcmp(m->name, d->args[0]) == 0) {
                break;
            }
        }

        if (m->name == NULL) {
            continue;
        }

        if (d->n < 2) {
            akl_setup_problem(setup, d, 1, "invalid number of arguments in "
                              "\"%s\" directive", d->args[0]);
            continue;
        }

        b.given |= m->bit;
        m->set(&b, d);
    }

    akl_setup_whole(&b);
}
