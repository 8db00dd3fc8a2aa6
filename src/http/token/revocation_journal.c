/*
 * The journal of revocations among workers: see the header.
 */

#include "revocation_journal.h"


#define NGX_HTTP_AKL_K8S_JOURNAL_RETRY  10      /* ms */
#define NGX_HTTP_AKL_K8S_JOURNAL_TRIES  500
#define NGX_HTTP_AKL_K8S_JOURNAL_STEP   2       /* s that are no setting */
#define NGX_HTTP_AKL_K8S_JOURNAL_TRUST  86400   /* s until one is believed */

/* the mark: how often it was appended to, and the size that is known good */
#define NGX_HTTP_AKL_K8S_JOURNAL_BITS   ((NGX_PTR_SIZE == 8) ? 48 : 24)
#define NGX_HTTP_AKL_K8S_JOURNAL_SIZE                                         \
    (((ngx_atomic_uint_t) 1 << NGX_HTTP_AKL_K8S_JOURNAL_BITS) - 1)


struct ngx_http_akl_k8s_journal_s {
    akl_journal_t        file;
    ngx_str_t            path;
    ngx_uint_t           mark;          /* series */
    ngx_uint_t           offset;        /* series: s that the time of day is
                                           ahead of the zone's clock, as far
                                           as it is believed */
    ngx_uint_t           doubted;       /* series: since when it says more, in
                                           s of the zone's clock, or 0 */
    ngx_atomic_uint_t    seen;          /* the mark that was read up to */
    ngx_queue_t          waiting;
    ngx_event_t          flush;
    ngx_uint_t           tries;
    unsigned             complained:1;  /* that it cannot be read */
    unsigned             warned:1;      /* of something in it */
};


static void ngx_http_akl_k8s_journal_cleanup(void *data);
static int64_t ngx_http_akl_k8s_journal_time(
    ngx_http_akl_k8s_main_conf_t *amcf);
static void ngx_http_akl_k8s_journal_observe(
    ngx_http_akl_k8s_main_conf_t *amcf);
static void ngx_http_akl_k8s_journal_flush(ngx_event_t *ev);
static ngx_int_t ngx_http_akl_k8s_journal_write(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_uint_t n, size_t *kept);
static void ngx_http_akl_k8s_journal_publish(
    ngx_http_akl_k8s_main_conf_t *amcf);
static void ngx_http_akl_k8s_journal_answer(
    ngx_http_akl_k8s_journal_t *journal, ngx_uint_t n, size_t kept,
    ngx_int_t rc);
static void ngx_http_akl_k8s_journal_log(ngx_log_t *log, ngx_uint_t level,
    ngx_http_akl_k8s_journal_t *journal, const char *what);


ngx_http_akl_k8s_journal_t *
ngx_http_akl_k8s_journal(ngx_conf_t *cf, ngx_str_t *path, size_t max)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_akl_k8s_journal_t  *journal;

    journal = ngx_pcalloc(cf->pool, sizeof(ngx_http_akl_k8s_journal_t));
    if (journal == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_akl_k8s_journal_cleanup;
    cln->data = journal;

    journal->path = *path;

    ngx_queue_init(&journal->waiting);

    akl_journal_init(&journal->file, (char *) path->data, max);

    if (akl_journal_open(&journal->file, ngx_time()) != AKL_JOURNAL_OK) {
        ngx_http_akl_k8s_journal_log(cf->log, NGX_LOG_EMERG, journal, "");
        return NULL;
    }

    /* locks belong to who opened it: each worker does so by itself */

    akl_journal_close(&journal->file);

    return journal;
}


static void
ngx_http_akl_k8s_journal_cleanup(void *data)
{
    ngx_http_akl_k8s_journal_t  *journal = data;

    akl_journal_free(&journal->file);
}


ngx_int_t
ngx_http_akl_k8s_journal_init(ngx_http_akl_k8s_main_conf_t *amcf)
{
    ngx_int_t                    n;
    ngx_http_akl_k8s_journal_t  *journal;

    ngx_uint_t                   i;
    ngx_uint_t                  *series[3];

    static ngx_str_t  names[] = {
        ngx_string("journal of revocations"),
        ngx_string("journal of revocations, believed time"),
        ngx_string("journal of revocations, doubts")
    };

    journal = amcf->journal;

    if (journal == NULL) {
        return NGX_OK;
    }

    series[0] = &journal->mark;
    series[1] = &journal->offset;
    series[2] = &journal->doubted;

    for (i = 0; i < 3; i++) {
        n = ngx_akl_zone_series(amcf->zone, &names[i]);
        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        *series[i] = n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_akl_k8s_journal_init_module(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_journal_t *journal)
{
    ngx_core_conf_t  *ccf;
    ngx_file_info_t   fi;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() != 0 || ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        return NGX_OK;
    }

    if (ngx_file_info(journal->path.data, &fi) != NGX_FILE_ERROR
        && (fi.st_uid == ccf->user
            || chown((char *) journal->path.data, ccf->user, -1) == 0))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                  "akl_k8s_revocations \"%V\" cannot be given to the user "
                  "of the workers", &journal->path);

    return NGX_ERROR;
}


void
ngx_http_akl_k8s_journal_init_process(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_main_conf_t *amcf)
{
    ngx_http_akl_k8s_journal_t  *journal;

    journal = amcf->journal;

    journal->flush.handler = ngx_http_akl_k8s_journal_flush;
    journal->flush.data = journal;
    journal->flush.log = cycle->log;

    if (ngx_akl_zone_read(amcf->zone, journal->offset) == 0) {
        ngx_akl_zone_lift(amcf->zone, journal->offset,
                          ngx_time() - ngx_akl_zone_now() / 1000);
    }

    (void) ngx_http_akl_k8s_journal_current(amcf);
}


/*
 * The time by which entries are over for good.  A clock that was set forward
 * may be set back, and nothing that counts then may be gone from the file: such
 * a time is not believed until it has stood for a day.
 */

static int64_t
ngx_http_akl_k8s_journal_time(ngx_http_akl_k8s_main_conf_t *amcf)
{
    int64_t                      believed;
    ngx_http_akl_k8s_journal_t  *journal;

    journal = amcf->journal;

    believed = ngx_akl_zone_now() / 1000
               + (int64_t) ngx_akl_zone_read(amcf->zone, journal->offset);

    return ngx_min((int64_t) ngx_time(), believed);
}


/* under the lock: a clock that was set back is believed at once */

static void
ngx_http_akl_k8s_journal_observe(ngx_http_akl_k8s_main_conf_t *amcf)
{
    int64_t                      now, ahead;
    ngx_atomic_uint_t            offset, doubted;
    ngx_http_akl_k8s_journal_t  *journal;

    journal = amcf->journal;

    now = ngx_akl_zone_now() / 1000;
    offset = ngx_akl_zone_read(amcf->zone, journal->offset);
    doubted = ngx_akl_zone_read(amcf->zone, journal->doubted);

    ahead = ngx_time() - now - (int64_t) offset;

    if (ahead > NGX_HTTP_AKL_K8S_JOURNAL_STEP) {

        if (doubted == 0) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "akl_k8s_revocations \"%V\": the clock was set "
                          "forward by %L seconds, what seems to be over since "
                          "is kept for a day", &journal->path, ahead);

            ngx_akl_zone_add_to(amcf->zone, journal->doubted,
                                (ngx_atomic_int_t) ngx_max(now, 1));
            return;
        }

        if (now - (int64_t) doubted < NGX_HTTP_AKL_K8S_JOURNAL_TRUST) {
            return;
        }
    }

    ngx_akl_zone_add_to(amcf->zone, journal->offset, (ngx_atomic_int_t) ahead);
    ngx_akl_zone_add_to(amcf->zone, journal->doubted,
                        - (ngx_atomic_int_t) doubted);
}


ngx_int_t
ngx_http_akl_k8s_journal_current(ngx_http_akl_k8s_main_conf_t *amcf)
{
    size_t                       size;
    ngx_atomic_uint_t            mark;
    ngx_http_akl_k8s_journal_t  *journal;

    journal = amcf->journal;

    mark = ngx_akl_zone_read(amcf->zone, journal->mark);

    if (mark == journal->seen && journal->file.fd != -1) {
        return NGX_OK;
    }

    size = mark & NGX_HTTP_AKL_K8S_JOURNAL_SIZE;

    if (akl_journal_read(&journal->file, ngx_max(size, 1),
                         ngx_http_akl_k8s_journal_time(amcf))
        != AKL_JOURNAL_OK)
    {
        if (!journal->complained) {
            journal->complained = 1;
            ngx_http_akl_k8s_journal_log(ngx_cycle->log, NGX_LOG_CRIT,
                                         journal,
                                         ", no token passes a guard");
        }

        return NGX_ERROR;
    }

    journal->seen = mark;
    journal->complained = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_akl_k8s_journal_look(ngx_http_akl_k8s_main_conf_t *amcf)
{
    ngx_http_akl_k8s_journal_t  *journal;

    journal = amcf->journal;

    if (ngx_http_akl_k8s_journal_current(amcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (akl_journal_read(&journal->file, 0,
                         ngx_http_akl_k8s_journal_time(amcf))
        != AKL_JOURNAL_ERROR)
    {
        journal->warned = 0;
        return NGX_OK;
    }

    if (!journal->warned) {
        journal->warned = 1;
        ngx_http_akl_k8s_journal_log(ngx_cycle->log, NGX_LOG_ERR, journal,
                                     ", what was read before is kept");
    }

    return NGX_ERROR;
}


size_t
ngx_http_akl_k8s_journal_size(ngx_http_akl_k8s_journal_t *journal)
{
    return akl_journal_size(&journal->file);
}


size_t
ngx_http_akl_k8s_journal_max(ngx_http_akl_k8s_journal_t *journal)
{
    return journal->file.max;
}


akl_revocations_t *
ngx_http_akl_k8s_journal_table(ngx_http_akl_k8s_journal_t *journal)
{
    return journal->file.table;
}


void
ngx_http_akl_k8s_journal_keep(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_journal_wait_t *wait)
{
    ngx_http_akl_k8s_journal_t  *journal;

    journal = amcf->journal;

    ngx_queue_insert_tail(&journal->waiting, &wait->queue);

    if (!journal->flush.timer_set) {
        ngx_post_event(&journal->flush, &ngx_posted_events);
    }
}


void
ngx_http_akl_k8s_journal_forget(ngx_http_akl_k8s_journal_wait_t *wait)
{
    if (wait->queue.next) {
        ngx_queue_remove(&wait->queue);
        wait->queue.next = NULL;
    }
}


static void
ngx_http_akl_k8s_journal_flush(ngx_event_t *ev)
{
    size_t                         kept;
    ngx_int_t                      rc;
    ngx_uint_t                     n;
    ngx_queue_t                   *q;
    akl_journal_e                  locked;
    ngx_http_akl_k8s_journal_t    *journal;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    journal = ev->data;

    n = 0;

    for (q = ngx_queue_head(&journal->waiting);
         q != ngx_queue_sentinel(&journal->waiting);
         q = ngx_queue_next(q))
    {
        n++;
    }

    if (n == 0) {
        return;
    }

    kept = 0;

    amcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_akl_k8s_module);

    locked = akl_journal_lock(&journal->file,
                              ngx_http_akl_k8s_journal_time(amcf));

    switch (locked) {

    case AKL_JOURNAL_BUSY:

        if (++journal->tries < NGX_HTTP_AKL_K8S_JOURNAL_TRIES) {
            ngx_add_timer(ev, NGX_HTTP_AKL_K8S_JOURNAL_RETRY);
            return;
        }

        ngx_log_error(NGX_LOG_CRIT, ev->log, 0,
                      "akl_k8s_revocations \"%V\" is locked by another "
                      "process, nothing was kept", &journal->path);
        rc = NGX_ERROR;
        break;

    case AKL_JOURNAL_OK:
        ngx_http_akl_k8s_journal_observe(amcf);
        rc = ngx_http_akl_k8s_journal_write(amcf, n, &kept);

        if (rc == NGX_OK) {
            break;
        }

        /* fall through */

    default:
        ngx_http_akl_k8s_journal_log(ev->log, NGX_LOG_CRIT, journal,
                                     ", nothing was kept");
        rc = NGX_ERROR;
    }

    if (locked == AKL_JOURNAL_OK) {

        /* also after an error: the file may be another one by now */

        ngx_http_akl_k8s_journal_publish(amcf);
        akl_journal_unlock(&journal->file);
    }

    journal->tries = 0;

    ngx_http_akl_k8s_journal_answer(journal, n, kept, rc);
}


static ngx_int_t
ngx_http_akl_k8s_journal_write(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_uint_t n, size_t *kept)
{
    int64_t                           now, before;
    ngx_uint_t                        i;
    ngx_queue_t                      *q;
    akl_journal_e                     rc;
    akl_revocation_t                 *entries;
    ngx_http_akl_k8s_journal_t       *journal;
    ngx_http_akl_k8s_journal_wait_t  *wait;

    journal = amcf->journal;
    now = ngx_http_akl_k8s_journal_time(amcf);

    entries = ngx_alloc(n * sizeof(akl_revocation_t), ngx_cycle->log);

    if (entries == NULL) {
        journal->file.cause = "finds no memory";
        journal->file.error = 0;
        journal->file.line = 0;
        return NGX_ERROR;
    }

    q = ngx_queue_head(&journal->waiting);

    for (i = 0; i < n; i++) {
        wait = ngx_queue_data(q, ngx_http_akl_k8s_journal_wait_t, queue);
        q = ngx_queue_next(q);

        if (wait->entry.sub.len) {

            /* an earlier time takes nothing back */

            before = akl_revocations_before(journal->file.table,
                                            wait->entry.sub, now);
            wait->entry.before = ngx_max(wait->entry.before, before);
        }

        entries[i] = wait->entry;
    }

    rc = akl_journal_append(&journal->file, entries, n, now, kept);

    ngx_free(entries);

    return (rc == AKL_JOURNAL_OK) ? NGX_OK : NGX_ERROR;
}


/* under the lock, so that marks follow each other as writes do */

static void
ngx_http_akl_k8s_journal_publish(ngx_http_akl_k8s_main_conf_t *amcf)
{
    ngx_atomic_uint_t            mark, fresh;
    ngx_http_akl_k8s_journal_t  *journal;

    journal = amcf->journal;

    mark = ngx_akl_zone_read(amcf->zone, journal->mark);

    fresh = (((mark >> NGX_HTTP_AKL_K8S_JOURNAL_BITS) + 1)
             << NGX_HTTP_AKL_K8S_JOURNAL_BITS)
            | (akl_journal_size(&journal->file)
               & NGX_HTTP_AKL_K8S_JOURNAL_SIZE);

    ngx_akl_zone_add_to(amcf->zone, journal->mark, fresh - mark);

    journal->seen = fresh;
}


/* whoever is answered may be gone afterwards, and others may have come */

static void
ngx_http_akl_k8s_journal_answer(ngx_http_akl_k8s_journal_t *journal,
    ngx_uint_t n, size_t kept, ngx_int_t rc)
{
    ngx_uint_t                        i;
    ngx_queue_t                       all, *q;
    ngx_http_akl_k8s_journal_wait_t  *wait;

    ngx_queue_init(&all);

    for (i = 0; i < n; i++) {
        q = ngx_queue_head(&journal->waiting);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&all, q);

        wait = ngx_queue_data(q, ngx_http_akl_k8s_journal_wait_t, queue);
        wait->rc = (rc == NGX_OK && i >= kept) ? NGX_DECLINED : rc;
    }

    while (!ngx_queue_empty(&all)) {
        q = ngx_queue_head(&all);
        wait = ngx_queue_data(q, ngx_http_akl_k8s_journal_wait_t, queue);

        ngx_http_akl_k8s_journal_forget(wait);

        wait->done(wait->data, wait->rc);
    }
}


static void
ngx_http_akl_k8s_journal_log(ngx_log_t *log, ngx_uint_t level,
    ngx_http_akl_k8s_journal_t *journal, const char *what)
{
    if (journal->file.line) {
        ngx_log_error(level, log, 0,
                      "akl_k8s_revocations: line %uz of \"%V\" %s%s",
                      journal->file.line, &journal->path,
                      journal->file.cause, what);
        return;
    }

    ngx_log_error(level, log, journal->file.error,
                  "akl_k8s_revocations \"%V\": %s%s", &journal->path,
                  journal->file.cause, what);
}
