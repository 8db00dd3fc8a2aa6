/*
 * The zone: a store, a key and a table of counters in nginx's shared memory.
 * Nothing but memory work happens under the lock.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "zone_layout.h"


#define NGX_AKL_ZONE_VERSION  3

/* counters take a thirty-second of the zone, but no fewer than it takes */

#define NGX_AKL_ZONE_SERIES   2048
#define NGX_AKL_ZONE_SHARE    (32 * sizeof(ngx_akl_counter_t))


static ngx_int_t ngx_akl_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static ngx_int_t ngx_akl_zone_create(ngx_shm_zone_t *shm_zone,
    ngx_akl_zone_t *zone);
static ngx_int_t ngx_akl_zone_bind(ngx_akl_zone_t *zone);
static void ngx_akl_zone_lock(ngx_akl_zone_t *zone);
static void ngx_akl_zone_unlock(ngx_akl_zone_t *zone);


ngx_akl_zone_t *
ngx_akl_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    ngx_str_t            overflow;
    ngx_akl_zone_t      *zone;
    ngx_shm_zone_t      *shm_zone;
    ngx_pool_cleanup_t  *cln;

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_akl_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_akl_mac_free;
    cln->data = &zone->mac;

    zone->name = *name;
    zone->max_series = ngx_max(size / NGX_AKL_ZONE_SHARE, NGX_AKL_ZONE_SERIES);

    if (ngx_array_init(&zone->series, cf->pool, 64, sizeof(ngx_akl_series_t))
        != NGX_OK)
    {
        return NULL;
    }

    shm_zone->init = ngx_akl_zone_init;
    shm_zone->data = zone;

    ngx_str_set(&overflow, "overflow");

    if (ngx_akl_zone_series(zone, &overflow) == NGX_ERROR) {
        return NULL;
    }

    return zone;
}


static ngx_int_t
ngx_akl_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_akl_zone_t    *zone;
    ngx_akl_shared_t  *shared;

    zone = shm_zone->data;
    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data == NULL && !shm_zone->shm.exists) {
        return ngx_akl_zone_create(shm_zone, zone);
    }

    shared = zone->shpool->data;

    if (shared && shared->version == NGX_AKL_ZONE_VERSION) {
        zone->store = akl_store_attach((u_char *) shared
                                       + shared->store_offset,
                                       shared->store_size);
    }

    /* those who still work with it would not know how to if it changed */

    if (zone->store == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "akl_k8s_zone \"%V\" has another layout, "
                      "give it another name or restart", &zone->name);
        return NGX_ERROR;
    }

    zone->shared = shared;

    return ngx_akl_zone_bind(zone);
}


static ngx_int_t
ngx_akl_zone_create(ngx_shm_zone_t *shm_zone, ngx_akl_zone_t *zone)
{
    size_t             size, head;
    ngx_akl_shared_t  *shared;

    head = sizeof(ngx_akl_shared_t)
           + zone->max_series * sizeof(ngx_akl_counter_t);

    /* all of it, once: a page stays for the slab allocator itself */

    size = (zone->shpool->pfree - 1) * ngx_pagesize;

    shared = ngx_slab_alloc(zone->shpool, size);
    if (shared == NULL) {
        return NGX_ERROR;
    }

    zone->shpool->data = shared;

    ngx_memzero(shared, head);

    if (RAND_bytes(shared->key, NGX_AKL_KEY_LEN) != 1) {
        ERR_clear_error();
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "RAND_bytes() failed");
        return NGX_ERROR;
    }

    shared->version = NGX_AKL_ZONE_VERSION;
    shared->store_offset = ngx_align(head, 64);
    shared->store_size = size - shared->store_offset;

    zone->shared = shared;
    zone->store = akl_store_init((u_char *) shared + shared->store_offset,
                                 shared->store_size);

    if (zone->store == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "akl_k8s_zone \"%V\" is too small", &zone->name);
        return NGX_ERROR;
    }

    return ngx_akl_zone_bind(zone);
}


/* finds each series by its name, so that counts go on over a reload */

static ngx_int_t
ngx_akl_zone_bind(ngx_akl_zone_t *zone)
{
    ngx_uint_t         i;
    ngx_akl_series_t  *series;

    series = zone->series.elts;

    for (i = 0; i < zone->series.nelts; i++) {
        series[i].counter = ngx_akl_zone_counter(zone, &series[i].name, -1, 1);

        /* a full table: series of former configurations stay in it */

        if (series[i].counter == NULL) {
            series[i].counter = series[0].counter;
        }
    }

    return (zone->series.nelts && series[0].counter) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_akl_zone_key(ngx_akl_zone_t *zone, ngx_akl_key_t *key, ngx_str_t *parts,
    ngx_uint_t n)
{
    return ngx_akl_mac(&zone->mac, zone->shared->key, NGX_AKL_KEY_LEN, parts,
                       n, key->data);
}


static void
ngx_akl_zone_lock(ngx_akl_zone_t *zone)
{
    ngx_shmtx_lock(&zone->shpool->mutex);
    (void) akl_store_enter(zone->store, ngx_akl_zone_now() / 1000);
}


static void
ngx_akl_zone_unlock(ngx_akl_zone_t *zone)
{
    akl_store_leave(zone->store);
    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_int_t
ngx_akl_zone_get(ngx_akl_zone_t *zone, ngx_akl_class_e cls,
    ngx_akl_key_t *key, time_t now, u_char *buf, size_t *len,
    time_t *expires)
{
    int64_t  end;
    ssize_t  n;

    end = 0;

    ngx_akl_zone_lock(zone);
    n = akl_store_get(zone->store, cls, key->data, now, buf, *len, &end);
    ngx_akl_zone_unlock(zone);

    if (n < 0) {
        return (n == -1) ? NGX_DECLINED : NGX_ERROR;
    }

    *len = n;

    if (expires) {
        *expires = (time_t) end;
    }

    return NGX_OK;
}


ngx_int_t
ngx_akl_zone_get_alias(ngx_akl_zone_t *zone, ngx_akl_key_t *alias, time_t now,
    u_char *buf, size_t *len, time_t *expires, ngx_akl_key_t *key,
    u_char *extra, size_t *extra_len)
{
    u_char   blob[NGX_AKL_KEY_LEN + NGX_AKL_ALIAS_EXTRA];
    int64_t  end;
    ssize_t  n, size;

    size = -1;
    end = 0;

    ngx_akl_zone_lock(zone);

    n = akl_store_get(zone->store, NGX_AKL_ALIAS, alias->data, now, blob,
                      sizeof(blob), NULL);

    if (n >= NGX_AKL_KEY_LEN) {
        size = akl_store_get(zone->store, NGX_AKL_VERDICT, blob, now, buf,
                             *len, &end);
    }

    ngx_akl_zone_unlock(zone);

    if (size < 0) {
        return (size == -1) ? NGX_DECLINED : NGX_ERROR;
    }

    *len = size;

    ngx_memcpy(key->data, blob, NGX_AKL_KEY_LEN);

    n -= NGX_AKL_KEY_LEN;
    *extra_len = ngx_min(*extra_len, (size_t) n);
    ngx_memcpy(extra, blob + NGX_AKL_KEY_LEN, *extra_len);

    if (expires) {
        *expires = (time_t) end;
    }

    return NGX_OK;
}


ngx_int_t
ngx_akl_zone_set(ngx_akl_zone_t *zone, ngx_akl_class_e cls,
    ngx_akl_key_t *key, u_char *data, size_t len, time_t expires)
{
    int     rc;
    time_t  now;

    now = ngx_time();

    ngx_akl_zone_lock(zone);
    rc = akl_store_set(zone->store, cls, key->data, data, len, now, expires);
    ngx_akl_zone_unlock(zone);

    if (rc == 0) {
        return NGX_OK;
    }

    if (!zone->complained) {
        zone->complained = 1;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "akl_k8s_zone \"%V\" has no room for %uz bytes, "
                      "going on without keeping them", &zone->name, len);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_akl_zone_raise(ngx_akl_zone_t *zone, ngx_akl_class_e cls,
    ngx_akl_key_t *key, time_t life, int64_t *value, time_t *expires)
{
    int      rc;
    int64_t  end;

    end = *expires;

    ngx_akl_zone_lock(zone);
    rc = akl_store_raise(zone->store, cls, key->data, ngx_time(), life, value,
                         &end);
    ngx_akl_zone_unlock(zone);

    *expires = (time_t) end;

    return (rc == 0) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_akl_zone_join(ngx_akl_zone_t *zone, ngx_akl_key_t *key,
    ngx_msec_t lifetime)
{
    int      rc;
    int32_t  owner;
    int64_t  now;

    now = ngx_akl_zone_now();

    ngx_akl_zone_lock(zone);
    rc = akl_store_join(zone->store, key->data, now, now + lifetime, ngx_pid,
                        &owner);
    ngx_akl_zone_unlock(zone);

    if (rc == 1 && !ngx_akl_zone_lives(owner)) {
        /* it died on the way: its mark is taken over */

        ngx_akl_zone_lock(zone);
        akl_store_part(zone->store, key->data, owner);
        rc = akl_store_join(zone->store, key->data, now, now + lifetime,
                            ngx_pid, &owner);
        ngx_akl_zone_unlock(zone);
    }

    switch (rc) {

    case 0:
        return NGX_OK;

    case 1:
        return NGX_AGAIN;

    default:
        return NGX_DECLINED;
    }
}


void
ngx_akl_zone_leave(ngx_akl_zone_t *zone, ngx_akl_key_t *key)
{
    ngx_akl_zone_lock(zone);
    akl_store_part(zone->store, key->data, ngx_pid);
    ngx_akl_zone_unlock(zone);
}


int64_t
ngx_akl_zone_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void
ngx_akl_zone_stat(ngx_akl_zone_t *zone, ngx_akl_zone_stat_t *stat)
{
    int64_t           now;
    ngx_uint_t        i;
    akl_store_stat_t  s;

    now = ngx_akl_zone_now();

    ngx_akl_zone_lock(zone);
    akl_store_stat(zone->store, now, &s);
    ngx_akl_zone_unlock(zone);

    stat->size = s.size;
    stat->used = s.used;
    stat->flights = s.flights;
    stat->resets = s.resets;

    for (i = 0; i < NGX_AKL_CLASS_N; i++) {
        stat->entries[i] = s.entries[i];
        stat->evicted[i] = s.evicted[i];
        stat->share[i] = s.share[i];
        stat->taken[i] = s.taken[i];
    }
}
