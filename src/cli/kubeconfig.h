/*
 * kubeconfig: where a cluster is, and who we are there.
 */

#ifndef AKL_CLI_KUBECONFIG_H
#define AKL_CLI_KUBECONFIG_H

#include "mem.h"


typedef struct {
    const char   *context;
    const char   *cluster;              /* their names */
    const char   *user;
    const char   *server;               /* URL */
    const char   *proxy;                /* proxy-url, or NULL */
    const char   *server_name;          /* tls-server-name, or NULL */
    akl_str_t     ca;                   /* PEM; len 0: the system's */
    const char   *token;                /* or NULL */
    akl_str_t     cert;                 /* PEM; len 0: none */
    akl_str_t     key;
} akl_kubeconfig_t;


/*
 * Reads a kubeconfig and takes one context of it, the current one where
 * "context" is NULL.  Whatever would have us run a program, ask for a
 * password or skip a verification is refused, and so is a proxy of a kind that
 * the gateway does not know.  NULL, or the cause.
 */
const char *akl_kubeconfig_read(const char *path, const char *context,
    akl_kubeconfig_t *kc);


#endif /* AKL_CLI_KUBECONFIG_H */
