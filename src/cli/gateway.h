/*
 * What the files of gateway-create-k8s-auth-config share.
 */

#ifndef AKL_CLI_GATEWAY_H
#define AKL_CLI_GATEWAY_H

#include "file.h"
#include "kube.h"
#include "kubeconfig.h"
#include "options.h"
#include "setup.h"


#define AKL_GATEWAY_FILES  8

typedef struct {
    akl_args_t          *args;
    const char          *name;
    const char          *conf;          /* --conf, or NULL */
    char                *base;          /* what files beside it begin with */
    akl_buf_t            block;
    akl_setup_t         *setup;
    akl_file_t           files[AKL_GATEWAY_FILES];
    size_t               n_files;
    size_t               inline_secrets;
    akl_kube_t           kube;          /* with --from-kubeconfig */
    akl_kubeconfig_t     kc;
    const char          *host;          /* what it came to */
    akl_str_t            ca;
    const char          *reviewer;
    const char          *issuer;
} akl_gateway_t;


/*
 * Asks the cluster of --from-kubeconfig for host, CA and issuer, and makes the
 * reviewer if that is wanted; nothing where there is no such option.  0, or an
 * exit code after the error was told.
 */
int akl_gateway_kubeconfig(akl_gateway_t *gw);


#endif /* AKL_CLI_GATEWAY_H */
