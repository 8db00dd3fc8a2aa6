/*
 * Targets from the inside: their places, and handles made ready.
 */

#ifndef NGX_AKL_TARGET_H
#define NGX_AKL_TARGET_H

#include "curl.h"
#include "place.h"


struct ngx_akl_target_s {
    ngx_str_t             name;
    ngx_str_t             server_name;  /* len 0: the host's own */
    ngx_akl_host_t       *proxy;        /* or NULL */
    ngx_akl_place_t      *places;       /* one a host */
    ngx_uint_t            nplaces;
    ngx_uint_t            preferred;    /* the place that answered last */
    ngx_msec_t            connect_timeout;

    ngx_akl_tls_t         tls;          /* copies */
    ngx_uint_t            generation;   /* of tls */
    ngx_array_t           idle;         /* of CURL *, ready for use */
};


/* A handle with the target's settings, or NULL; *generation is told. */
CURL *ngx_akl_target_handle(ngx_akl_target_t *target, ngx_uint_t *generation);

/* Gives a handle back; freed where the settings have changed since. */
void ngx_akl_target_release(ngx_akl_target_t *target, CURL *easy,
    ngx_uint_t generation);

/* What each request says of its sender: "name/version". */
void ngx_akl_targets_agent(const char *agent);

/* Frees what the targets of this worker hold outside pools. */
void ngx_akl_targets_free(void);


#endif /* NGX_AKL_TARGET_H */
