/*
 * The zone from the inside: what zone.c and counters.c share.
 */

#ifndef NGX_AKL_ZONE_LAYOUT_H
#define NGX_AKL_ZONE_LAYOUT_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "store.h"
#include "mac.h"
#include "zone.h"


typedef struct {
    uint64_t             name;              /* hash of it; 0: free */
    ngx_atomic_t         value;
} ngx_akl_counter_t;


/* what all processes see; no pointer in here */

typedef struct {
    uint32_t             version;
    uint32_t             store_offset;
    uint64_t             store_size;
    u_char               key[NGX_AKL_KEY_LEN];
    ngx_atomic_t         slots;             /* of processes that were used */
    ngx_akl_counter_t    counters[];        /* as many as size gives */
} ngx_akl_shared_t;


typedef struct {
    ngx_str_t            name;
    ngx_akl_counter_t   *counter;           /* set by the zone's init */
    ngx_akl_counter_t   *own;               /* a gauge: this worker's, or
                                               NULL */
    ngx_uint_t           gauge;             /* unsigned  gauge:1; */
} ngx_akl_series_t;


struct ngx_akl_zone_s {
    ngx_str_t            name;
    ngx_slab_pool_t     *shpool;
    ngx_akl_shared_t    *shared;
    akl_store_t         *store;
    ngx_array_t          series;            /* of ngx_akl_series_t */
    ngx_uint_t           max_series;
    ngx_akl_mac_t        mac;               /* this process's */
    ngx_uint_t           complained;
};


/* 1 where the process lives. */

static ngx_inline ngx_uint_t
ngx_akl_zone_lives(ngx_pid_t pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || ngx_errno != NGX_ESRCH);
}


/*
 * The counter called "name", of a process slot or of all (-1), in the table
 * that all processes see; made where "claim" is set.  NULL where there is
 * none, or no room for it.
 */
ngx_akl_counter_t *ngx_akl_zone_counter(ngx_akl_zone_t *zone, ngx_str_t *name,
    ngx_int_t slot, ngx_uint_t claim);


#endif /* NGX_AKL_ZONE_LAYOUT_H */
