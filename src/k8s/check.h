/*
 * What the values of a configuration must look like.  nginx -t and the
 * command line program ask here, so that both say the same.
 *
 * Each function returns NULL where the value will do, else a static sentence
 * without its subject, which the caller puts in front: "holds a comma, ...".
 * None allocates memory.
 */

#ifndef AKL_CHECK_H
#define AKL_CHECK_H

#include <stdint.h>
#include "../jose/str.h"


/* whose names a bound is about */

typedef enum {
    AKL_NAME_NAMESPACE = 0,             /* a label of RFC 1123 */
    AKL_NAME_POD,                       /* labels joined by dots */
    AKL_NAME_SERVICE_ACCOUNT
} akl_name_kind_t;


/*
 * A bound on names: a glob ("*" any run, "?" one character) that a name of
 * that kind can meet.  Kubernetes, "Object Names and IDs": RFC 1123 in lower
 * case, namespaces 63 characters at most, pods and accounts 253.
 */
const char *akl_check_bound(akl_str_t glob, akl_name_kind_t kind);

/*
 * An issuer as it stands in k8s_issuer, compared byte for byte with "iss".
 * *warn is set to a sentence where the value will do, but is hardly meant.
 */
const char *akl_check_issuer(akl_str_t issuer, const char **warn);

/* An audience; *warn as above. */
const char *akl_check_audience(akl_str_t audience, const char **warn);

/* The name of an auth config: any text without control characters. */
const char *akl_check_config_name(akl_str_t name);

/* What a certificate is verified for: a DNS name, or an address. */
const char *akl_check_server_name(akl_str_t name);

/* The id of a Rancher cluster: it becomes a part of a path. */
const char *akl_check_cluster_id(akl_str_t id);


/* a network of addresses, in network byte order */

typedef struct {
    int            ipv6;
    unsigned char  addr[16];            /* 4 of them with IPv4 */
    unsigned char  mask[16];
    int            low_bits;            /* addr had bits beyond the mask,
                                           which have been cleared */
} akl_cidr_t;


/*
 * An address, or a network in CIDR notation (RFC 4632, RFC 4291 section 2.3).
 * IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2) becomes the IPv4 network it
 * means, since that is what clients of either kind of socket are compared by.
 */
const char *akl_cidr_parse(akl_str_t text, akl_cidr_t *cidr);


#endif /* AKL_CHECK_H */
