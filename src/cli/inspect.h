/*
 * What inspect's files share.
 */

#ifndef AKL_CLI_INSPECT_H
#define AKL_CLI_INSPECT_H


#include "../k8s/pod_token.h"
#include "setup.h"


typedef struct {
    akl_str_t         token;
    int64_t           now;
    json_t           *header;           /* NULL: cannot be read */
    json_t           *claims;
    const char       *kind;             /* what it is, in words */
    akl_reason_t      reason;           /* of taking it apart */
    const char       *cause;            /* the same in words */
    akl_pod_token_t   pod;
    unsigned          minted:1;
    akl_setup_t      *setup;
    const char       *only;             /* an auth config's name, or NULL */
} akl_inspect_t;


/*
 * Reads nginx.conf; "only" is the auth config that is asked for, or NULL.  0,
 * or AKL_EXIT_USAGE after the error was told.
 */
int akl_inspect_conf(akl_inspect_t *in, const char *path, const char *only);

/*
 * Goes through the auth configs: prints what each would say, or appends it to
 * "list" where that is not NULL.  AKL_EXIT_OK where one would take the token,
 * else AKL_EXIT_REFUSED.
 */
int akl_inspect_configs(akl_inspect_t *in, json_t *list);


#endif /* AKL_CLI_INSPECT_H */
