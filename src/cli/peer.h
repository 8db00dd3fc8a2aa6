/*
 * Whom the program speaks to, by its options: a gateway, an API server.
 */

#ifndef AKL_CLI_PEER_H
#define AKL_CLI_PEER_H

#include "kube.h"
#include "kubeconfig.h"
#include "options.h"


/*
 * The gateway of --gateway-url (without a slash at its end), --gateway-ca-cert
 * and --timeout.  "secret" is what would be sent to it, for a warning where
 * that goes to another machine in the clear; NULL: nothing.  0, or an exit
 * code after the error was told.
 */
int akl_peer_gateway(akl_args_t *args, const char *secret,
    akl_http_peer_t *peer);

/* The API server of a kubeconfig; what it points to is borrowed. */
void akl_peer_kubeconfig(const akl_kubeconfig_t *kc, akl_kube_t *kube);

/*
 * The API server of the cluster that this is a pod of: where the environment
 * says, with CA and token of the directory "mount".  NULL, or the cause.
 */
const char *akl_peer_pod(const char *mount, akl_kube_t *kube);


#endif /* AKL_CLI_PEER_H */
