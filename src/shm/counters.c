/*
 * Counters and gauges of the zone, bumped without its lock.
 */

#include "zone_layout.h"


static uint64_t ngx_akl_zone_hash(ngx_str_t *name, ngx_int_t slot);


static ngx_str_t  ngx_akl_zone_pid = ngx_string("pid");


/*
 * The counter of that name, or of a worker's part of it where "slot" is not
 * -1; a free one is taken where "claim" is set.  Without a lock: old workers
 * may still do the same.  NULL where there is none.
 */

ngx_akl_counter_t *
ngx_akl_zone_counter(ngx_akl_zone_t *zone, ngx_str_t *name, ngx_int_t slot,
    ngx_uint_t claim)
{
    uint64_t            hash, have;
    ngx_uint_t          n, max;
    ngx_akl_counter_t  *counter;

    hash = ngx_akl_zone_hash(name, slot);
    max = zone->max_series;

    for (n = 0; n < max; n++) {
        counter = &zone->shared->counters[(hash + n) % max];
        have = __atomic_load_n(&counter->name, __ATOMIC_ACQUIRE);

        if (have == 0 && claim
            && __atomic_compare_exchange_n(&counter->name, &have, hash, 0,
                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        {
            return counter;
        }

        /* where another was quicker, "have" is its name now */

        if (have == hash) {
            return counter;
        }

        if (have == 0) {
            return NULL;
        }
    }

    return NULL;
}


void
ngx_akl_zone_enter_process(ngx_akl_zone_t *zone)
{
    ngx_uint_t          i;
    ngx_atomic_uint_t   slots;
    ngx_akl_series_t   *series;
    ngx_akl_counter_t  *pid;

    pid = ngx_akl_zone_counter(zone, &ngx_akl_zone_pid, ngx_process_slot, 1);

    series = zone->series.elts;

    for (i = 0; i < zone->series.nelts; i++) {

        if (!series[i].gauge) {
            continue;
        }

        series[i].own = pid ? ngx_akl_zone_counter(zone, &series[i].name,
                                                   ngx_process_slot, 1)
                            : NULL;

        /* what a predecessor that was killed has left */

        if (series[i].own) {
            series[i].own->value = 0;
        }
    }

    if (pid == NULL) {
        return;
    }

    ngx_memory_barrier();
    pid->value = ngx_pid;

    /* how many slots there are to look at */

    do {
        slots = zone->shared->slots;

    } while (slots <= (ngx_atomic_uint_t) ngx_process_slot
             && !ngx_atomic_cmp_set(&zone->shared->slots, slots,
                                    ngx_process_slot + 1));
}


/* FNV-1a */

static uint64_t
ngx_akl_zone_hash(ngx_str_t *name, ngx_int_t slot)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325ull;

    for (i = 0; i < name->len; i++) {
        hash = (hash ^ name->data[i]) * 0x100000001b3ull;
    }

    if (slot != -1) {

        /* no name holds this byte */

        hash = (hash ^ 0xff) * 0x100000001b3ull;
        hash = (hash ^ (uint64_t) slot) * 0x100000001b3ull;
    }

    return hash ? hash : 1;
}


ngx_int_t
ngx_akl_zone_series(ngx_akl_zone_t *zone, ngx_str_t *name)
{
    ngx_akl_series_t  *series;

    if (zone->series.nelts >= zone->max_series) {
        return NGX_ERROR;
    }

    series = ngx_array_push(&zone->series);
    if (series == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(series, sizeof(ngx_akl_series_t));
    series->name = *name;

    return zone->series.nelts - 1;
}


ngx_int_t
ngx_akl_zone_gauge(ngx_akl_zone_t *zone, ngx_str_t *name)
{
    ngx_int_t          n;
    ngx_akl_series_t  *series;

    n = ngx_akl_zone_series(zone, name);

    if (n != NGX_ERROR) {
        series = zone->series.elts;
        series[n].gauge = 1;
    }

    return n;
}


void
ngx_akl_zone_add_to(ngx_akl_zone_t *zone, ngx_uint_t index,
    ngx_atomic_int_t by)
{
    ngx_akl_series_t   *series;
    ngx_akl_counter_t  *counter;

    series = zone->series.elts;

    counter = series[index].gauge ? series[index].own : series[index].counter;

    if (counter) {
        (void) ngx_atomic_fetch_add(&counter->value, by);
    }
}


void
ngx_akl_zone_lift(ngx_akl_zone_t *zone, ngx_uint_t index,
    ngx_atomic_uint_t value)
{
    ngx_atomic_uint_t    old;
    ngx_akl_series_t    *series;
    ngx_akl_counter_t   *counter;

    series = zone->series.elts;
    counter = series[index].counter;

    do {
        old = counter->value;

        if (old >= value) {
            return;
        }

    } while (!ngx_atomic_cmp_set(&counter->value, old, value));
}


ngx_atomic_uint_t
ngx_akl_zone_read(ngx_akl_zone_t *zone, ngx_uint_t index)
{
    ngx_uint_t          i;
    ngx_atomic_uint_t   sum;
    ngx_akl_series_t   *series;
    ngx_akl_counter_t  *pid, *part;

    series = zone->series.elts;

    if (!series[index].gauge) {
        return series[index].counter->value;
    }

    sum = 0;

    for (i = 0; i < zone->shared->slots; i++) {
        pid = ngx_akl_zone_counter(zone, &ngx_akl_zone_pid, i, 0);

        if (pid == NULL || !ngx_akl_zone_lives((ngx_pid_t) pid->value)) {
            continue;
        }

        part = ngx_akl_zone_counter(zone, &series[index].name, i, 0);

        if (part) {
            sum += part->value;
        }
    }

    return sum;
}
