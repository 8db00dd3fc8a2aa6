/*
 * What the files of revoke share: one revocation, told to the replicas of a
 * gateway and written into a ConfigMap.
 */

#ifndef AKL_CLI_REVOKE_H
#define AKL_CLI_REVOKE_H

#include "../k8s/revocation.h"
#include "kube.h"
#include "options.h"


#define AKL_REVOKE_MAP_MAX  (1024 * 1024)       /* Kubernetes' limit, of all
                                                   values together */


/* what came of one place that was to keep it */

typedef struct {
    const char         *name;           /* an address, or the ConfigMap */
    const char         *error;          /* NULL: it is kept there */
    const char         *cure;           /* or NULL */
    int64_t             until;          /* where it is kept */
    unsigned            down:1;         /* an outage, no refusal */
} akl_revoke_place_t;


/* a ConfigMap */

typedef struct {
    akl_kube_t          kube;
    const char         *namespace;
    const char         *name;
    const char         *key;
    size_t              entries;        /* that count, ours among them */
    size_t              over;           /* that were taken out */
    size_t              bytes;          /* of all values */
    unsigned            create:1;       /* if there is none */
    unsigned            created:1;
    unsigned            already:1;      /* it said so before */
} akl_revoke_map_t;


typedef struct {
    akl_args_t          *args;
    akl_revocation_t     entry;         /* before, until 0: not known yet */
    akl_http_peer_t      gateway;       /* url NULL: none */
    const char          *path;
    const char          *bearer;        /* for the gateway; or NULL */
    akl_revoke_place_t  *replicas;
    size_t               n;
    akl_revoke_map_t     map;           /* name NULL: none */
    akl_revoke_place_t   written;
} akl_revoke_t;


/*
 * Tells each address of "names", or of the gateway's own name where there are
 * none, at the same time; fills "replicas", and what the gateways know better
 * than we do: until when a token may live, and what time it is.
 */
void akl_revoke_tell(akl_revoke_t *revoke, const char *const *names,
    size_t n);

/*
 * Writes the entry into the ConfigMap and takes out what is over; again where
 * somebody else has changed it meanwhile.  Fills "written".
 */
void akl_revoke_write(akl_revoke_t *revoke);

/*
 * Tells what came of it at each place.  The exit code: good where all of them
 * keep it, AKL_EXIT_UNREACHABLE where some do not or nobody answers.
 */
int akl_revoke_result(akl_revoke_t *revoke);


#endif /* AKL_CLI_REVOKE_H */
