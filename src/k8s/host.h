/*
 * The URL of an API server, as k8s_host and --k8s-host have it.
 */

#ifndef AKL_HOST_H
#define AKL_HOST_H

#include "../jose/str.h"


typedef struct {
    akl_str_t  host;                    /* name or address, no brackets */
    unsigned   port;                    /* 443 where none is given */
    akl_str_t  prefix;                  /* path without a slash at its end,
                                           len 0: none */
    int        brackets;                /* so the host has to be IPv6 */
} akl_host_t;


/*
 * Takes https://host[:port][/path] apart (RFC 3986 section 3; no user, query
 * or fragment).  NULL with *host filled, pointing into "url"; or a static
 * sentence without its subject.
 */
const char *akl_host_parse(akl_str_t url, akl_host_t *host);

/* The same for http://host[:port] of a proxy; 80 where no port is given. */
const char *akl_host_proxy(akl_str_t url, akl_host_t *host);


#endif /* AKL_HOST_H */
