/*
 * The shared memory zone: keyed blobs in classes with bounds of their own
 * (verdicts, refusals, guarded tokens, request aliases, revocations), flight
 * marks, and counters.  It knows nothing of what the blobs mean, holds no
 * pointer at all (only offsets), and outlives reloads and replaced modules.
 */

#ifndef NGX_AKL_ZONE_H
#define NGX_AKL_ZONE_H

#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AKL_KEY_LEN     32
#define NGX_AKL_ALIAS_EXTRA 32          /* bytes behind the key of an alias */
#define NGX_AKL_BLOB_MAX    32768       /* bytes of one blob at most */
#define NGX_AKL_ZONE_MIN    (256 * 1024)


typedef struct ngx_akl_zone_s  ngx_akl_zone_t;    /* this process's handle */

typedef struct {
    u_char  data[NGX_AKL_KEY_LEN];
} ngx_akl_key_t;

/* the first eight hex digits of a key, for the debug log: "%08xD" */
#define ngx_akl_key_id(key)                                                   \
    ((uint32_t) (key)->data[0] << 24 | (uint32_t) (key)->data[1] << 16        \
     | (uint32_t) (key)->data[2] << 8 | (uint32_t) (key)->data[3])


typedef enum {
    NGX_AKL_VERDICT = 0,        /* positive verdict and minted token */
    NGX_AKL_REFUSAL,
    NGX_AKL_GUARD,              /* a minted token that was verified */
    NGX_AKL_ALIAS,              /* request digest -> key of a verdict */
    NGX_AKL_REVOKED,
    NGX_AKL_CLASS_N
} ngx_akl_class_e;


/*
 * Declares the zone (a directive, or the default one): made on first use,
 * kept over reload where name and size are the same and the module was not
 * replaced, else made anew.  Memory of another layout fails the reload, since
 * the old workers still use it.  NULL after logging.  The handle lives in
 * cf->pool.
 */
ngx_akl_zone_t *ngx_akl_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag);


/*
 * Keyed digest HMAC-SHA-256 with the zone's random key over the parts, each
 * preceded by its length; an EVP_MAC context is kept per process and
 * re-inited.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_akl_zone_key(ngx_akl_zone_t *zone, ngx_akl_key_t *key,
    ngx_str_t *parts, ngx_uint_t n);


/*
 * Copies a live blob out.  "now" is ngx_time(); *len is the size of "buf" on
 * entry, of the blob on return; *expires (may be NULL) its end, in seconds.
 * NGX_OK, NGX_DECLINED (none or expired), NGX_ERROR (buf too small).
 */
ngx_int_t ngx_akl_zone_get(ngx_akl_zone_t *zone, ngx_akl_class_e cls,
    ngx_akl_key_t *key, time_t now, u_char *buf, size_t *len,
    time_t *expires);

/*
 * Follows an alias and reads the verdict it names under one lock: the alias
 * blob is an ngx_akl_key_t followed by up to NGX_AKL_ALIAS_EXTRA bytes, which
 * are copied to "extra" (of as many).
 */
ngx_int_t ngx_akl_zone_get_alias(ngx_akl_zone_t *zone, ngx_akl_key_t *alias,
    time_t now, u_char *buf, size_t *len, time_t *expires,
    ngx_akl_key_t *key, u_char *extra, size_t *extra_len);

/*
 * Stores or replaces, "expires" in seconds of ngx_time(); drops expired and
 * evicts least recently used ones of the same class when there is no room;
 * verdicts and guarded tokens share theirs.  NGX_OK, or NGX_DECLINED when it
 * could not be kept, which is no error to the caller (logged once per cycle
 * by each worker).
 */
ngx_int_t ngx_akl_zone_set(ngx_akl_zone_t *zone, ngx_akl_class_e cls,
    ngx_akl_key_t *key, u_char *data, size_t len, time_t expires);

/*
 * Keeps the larger of *value and the number that is kept under that key, for
 * "life" seconds after it and until *expires at least; both are set to what
 * is kept now.  One look and one write under one lock: of two who do so at
 * once, neither takes the other's back.  As ngx_akl_zone_set() else.
 */
ngx_int_t ngx_akl_zone_raise(ngx_akl_zone_t *zone, ngx_akl_class_e cls,
    ngx_akl_key_t *key, time_t life, int64_t *value, time_t *expires);


/*
 * Flights: one review per key over all workers.  join: NGX_OK - the caller
 * now owns the flight and must call leave; NGX_AGAIN - another owns it;
 * NGX_DECLINED - no room, go without.  A mark dies after "lifetime", in ms
 * (absolute times of ngx_current_msec need not be the same in all processes),
 * or with the process that owns it.
 */
ngx_int_t ngx_akl_zone_join(ngx_akl_zone_t *zone, ngx_akl_key_t *key,
    ngx_msec_t lifetime);
void ngx_akl_zone_leave(ngx_akl_zone_t *zone, ngx_akl_key_t *key);


/*
 * Milliseconds of a clock that nobody sets and all processes share:
 * ngx_current_msec is each one's.
 */
int64_t ngx_akl_zone_now(void);


/*
 * Counters: a series is registered by name at configuration (labels and all,
 * e.g. "logins{config=\"a\",reason=\"ok\"}"), kept over reload by that name,
 * and bumped atomically without the lock.  Registration returns an index
 * that is valid in all workers of the cycle, or NGX_ERROR (table full:
 * the index 0 series "overflow" is a valid fallback).
 */
ngx_int_t ngx_akl_zone_series(ngx_akl_zone_t *zone, ngx_str_t *name);

/*
 * The same for a gauge: each worker counts for itself, and only those that
 * live are summed up, so that nothing stays of one that was killed.
 */
ngx_int_t ngx_akl_zone_gauge(ngx_akl_zone_t *zone, ngx_str_t *name);

/*
 * To be called by each worker when it starts, before any gauge is changed:
 * takes the place of whoever had this worker's slot among the processes.
 */
void ngx_akl_zone_enter_process(ngx_akl_zone_t *zone);

void ngx_akl_zone_add_to(ngx_akl_zone_t *zone, ngx_uint_t series,
    ngx_atomic_int_t by);
ngx_atomic_uint_t ngx_akl_zone_read(ngx_akl_zone_t *zone, ngx_uint_t series);

/* Sets a counter, no gauge, to "value" where that is more than it has. */
void ngx_akl_zone_lift(ngx_akl_zone_t *zone, ngx_uint_t series,
    ngx_atomic_uint_t value);


typedef struct {
    ngx_uint_t  size;                       /* bytes */
    ngx_uint_t  used;                       /* bytes of live blobs */
    ngx_uint_t  entries[NGX_AKL_CLASS_N];
    ngx_uint_t  evicted[NGX_AKL_CLASS_N];   /* since the zone was made */
    ngx_uint_t  share[NGX_AKL_CLASS_N];     /* bytes it may take; verdicts and
                                               guarded tokens: both together */
    ngx_uint_t  taken[NGX_AKL_CLASS_N];
    ngx_uint_t  flights;
    ngx_uint_t  resets;                     /* after a worker died in it */
} ngx_akl_zone_stat_t;

void ngx_akl_zone_stat(ngx_akl_zone_t *zone, ngx_akl_zone_stat_t *stat);


#endif /* NGX_AKL_ZONE_H */
