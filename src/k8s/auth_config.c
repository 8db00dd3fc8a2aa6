/*
 * What belongs together in an akl_k8s_auth_config.
 */

#include <stddef.h>

#include "auth_config.h"


typedef struct {
    unsigned     bit;
    const char  *name;
} akl_given_t;


static const akl_given_t  akl_given_rancher[] = {
    { AKL_GIVEN_RANCHER_KEY, "rancher_api_key" },
    { AKL_GIVEN_RANCHER_CLUSTER, "rancher_cluster_id" },
    { 0, NULL }
};

static const akl_given_t  akl_given_native[] = {
    { AKL_GIVEN_REVIEWER, "token_reviewer_jwt" },
    { AKL_GIVEN_AUTH_TYPE, "k8s_auth_type" },
    { AKL_GIVEN_CLIENT_CERT, "k8s_client_certificate" },
    { AKL_GIVEN_CLIENT_KEY, "k8s_client_key" },
    { AKL_GIVEN_IN_CLUSTER, "use_gw_service_account" },
    { 0, NULL }
};

static const akl_given_t  akl_given_certificate[] = {
    { AKL_GIVEN_CLIENT_CERT, "k8s_client_certificate" },
    { AKL_GIVEN_CLIENT_KEY, "k8s_client_key" },
    { 0, NULL }
};

static const akl_given_t  akl_given_token[] = {
    { AKL_GIVEN_REVIEWER, "token_reviewer_jwt" },
    { 0, NULL }
};

static const akl_given_t  akl_given_base[] = {
    { AKL_GIVEN_ACCESS_ID, "access_id" },
    { AKL_GIVEN_SIGNING_KEY, "signing_key" },
    { 0, NULL }
};

static const akl_given_t  akl_given_place[] = {
    { AKL_GIVEN_HOST, "k8s_host" },
    { AKL_GIVEN_CA, "k8s_ca_cert" },
    { 0, NULL }
};


/* the first of a list that is given, or is not */

static const char *
akl_given_find(const akl_given_t *list, unsigned given, int present)
{
    for ( /* void */ ; list->name; list++) {
        if (((given & list->bit) != 0) == present) {
            return list->name;
        }
    }

    return NULL;
}


const char *
akl_auth_config_check(unsigned given, int rancher, int certificate,
    const char **with)
{
    const char  *name;

    *with = NULL;

    name = akl_given_find(akl_given_base, given, 0);
    if (name) {
        return name;
    }

    name = akl_given_find(rancher ? akl_given_native : akl_given_rancher,
                          given, 1);
    if (name) {
        *with = rancher ? "cluster_api_type native_k8s"
                        : "cluster_api_type rancher";
        return name;
    }

    name = akl_given_find(certificate ? akl_given_token
                                      : akl_given_certificate, given, 1);
    if (name) {
        *with = certificate ? "k8s_auth_type token"
                            : "k8s_auth_type certificate";
        return name;
    }

    name = akl_given_find(akl_given_place, given, 0);
    if (name) {
        return name;
    }

    if (rancher) {
        return akl_given_find(akl_given_rancher, given, 0);
    }

    return certificate ? akl_given_find(akl_given_certificate, given, 0)
                       : NULL;
}
