/*
 * What belongs together in an akl_k8s_auth_config, and what does not.
 */

#ifndef AKL_AUTH_CONFIG_H
#define AKL_AUTH_CONFIG_H


/* what is given, one bit each */

#define AKL_GIVEN_ACCESS_ID        0x0001
#define AKL_GIVEN_SIGNING_KEY      0x0002
#define AKL_GIVEN_HOST             0x0004
#define AKL_GIVEN_CA               0x0008
#define AKL_GIVEN_REVIEWER         0x0010
#define AKL_GIVEN_AUTH_TYPE        0x0020
#define AKL_GIVEN_CLIENT_CERT      0x0040
#define AKL_GIVEN_CLIENT_KEY       0x0080
#define AKL_GIVEN_RANCHER_KEY      0x0100
#define AKL_GIVEN_RANCHER_CLUSTER  0x0200
#define AKL_GIVEN_IN_CLUSTER       0x0400


/*
 * Host and CA count as given where the gateway's own pod brings them.
 *
 * Holds the directives of a block ("given") against its cluster type
 * ("rancher") and its way to authenticate ("certificate").  NULL where it is
 * complete; else the directive at fault, static: one that is missing, or with
 * *with set one that goes with *with only.
 */
const char *akl_auth_config_check(unsigned given, int rancher,
    int certificate, const char **with);


#endif /* AKL_AUTH_CONFIG_H */
