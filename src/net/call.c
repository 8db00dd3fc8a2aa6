/*
 * One exchange: the next address, the request, what came of it, and whether
 * to go on.
 */

#include "attempt.h"


#define NGX_AKL_BACKOFF        50       /* ms before the first repetition */
#define NGX_AKL_BACKOFF_MAX    1000
#define NGX_AKL_REPEAT_LEFT    100      /* ms that one must have at least */
#define NGX_AKL_LOOKS          8        /* turns of the loop after a limit */
#define NGX_AKL_RESOLVE_WAIT   250      /* ms, where addresses are known */


static void ngx_akl_try_step(ngx_akl_try_t *t);
static void ngx_akl_try_wait(ngx_akl_try_t *t, ngx_msec_t time);
static void ngx_akl_try_done(CURL *easy, CURLcode rc);
static void ngx_akl_try_answered(ngx_akl_try_t *t);
static void ngx_akl_try_failed(ngx_akl_try_t *t, CURLcode rc);
static void ngx_akl_try_unreachable(ngx_akl_try_t *t);
static void ngx_akl_try_connecting(CURL *easy, curl_socket_t s);
static void ngx_akl_try_overdue(ngx_akl_try_t *t);
static void ngx_akl_try_resolved(ngx_akl_waiter_t *waiter);
static void ngx_akl_try_timer(ngx_event_t *ev);
static void ngx_akl_try_later(ngx_akl_try_t *t, ngx_akl_outcome_e outcome,
    const char *error);
static void ngx_akl_try_finish(ngx_akl_try_t *t, ngx_akl_outcome_e outcome);
static void ngx_akl_try_end(ngx_akl_try_t *t);
static void ngx_akl_exchanges_abort(void);


static ngx_queue_t            ngx_akl_tries;
static ngx_akl_client_stat_t  ngx_akl_client_figures;
static ngx_connection_t       ngx_akl_try_dumb;


ngx_int_t
ngx_akl_client_init_process(ngx_cycle_t *cycle, const char *agent)
{
    ngx_queue_init(&ngx_akl_tries);
    ngx_memzero(&ngx_akl_client_figures, sizeof(ngx_akl_client_stat_t));

    ngx_akl_try_dumb.fd = (ngx_socket_t) -1;

    ngx_akl_targets_agent(agent);

    return ngx_akl_curl_init(cycle, ngx_akl_try_done, ngx_akl_try_connecting,
                             ngx_akl_exchanges_abort);
}


void
ngx_akl_client_exit_process(ngx_cycle_t *cycle)
{
    ngx_akl_targets_free();
    ngx_akl_curl_exit();
}


void
ngx_akl_client_stat(ngx_akl_client_stat_t *stat)
{
    *stat = ngx_akl_client_figures;
    stat->connections = ngx_akl_curl_opened();
}


ngx_akl_exchange_t *
ngx_akl_exchange_create(ngx_log_t *log)
{
    ngx_pool_t          *pool;
    ngx_akl_exchange_t  *ex;

    pool = ngx_create_pool(4096, log);
    if (pool == NULL) {
        return NULL;
    }

    ex = ngx_pcalloc(pool, sizeof(ngx_akl_exchange_t));
    if (ex == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ex->pool = pool;
    ex->retry_after = -1;

    return ex;
}


ngx_int_t
ngx_akl_exchange_start(ngx_akl_exchange_t *ex)
{
    ngx_akl_try_t  *t;

    t = ngx_pcalloc(ex->pool, sizeof(ngx_akl_try_t));
    if (t == NULL) {
        return NGX_ERROR;
    }

    t->ex = ex;
    t->deadline = ngx_current_msec + ex->timeout;

    t->timer.handler = ngx_akl_try_timer;
    t->timer.data = &ngx_akl_try_dumb;
    t->timer.log = ngx_cycle->log;

    t->waiter.handler = ngx_akl_try_resolved;

    if (ngx_akl_try_copy(t) != NGX_OK) {
        return NGX_ERROR;
    }

    ex->state = t;

    ngx_queue_insert_tail(&ngx_akl_tries, &t->all);
    ngx_akl_client_figures.in_flight++;

    ngx_akl_try_begin(t);
    ngx_akl_try_step(t);

    return NGX_OK;
}


ngx_int_t
ngx_akl_exchange_repeat(ngx_akl_exchange_t *ex)
{
    ngx_msec_t         pause;
    ngx_akl_try_t     *t;
    ngx_msec_int_t     left;
    ngx_akl_target_t  *target;

    t = ex->state;
    left = (ngx_msec_int_t) (t->deadline - ngx_current_msec);

    if (ex->retry_after > 0) {

        if (ex->retry_after > left / 1000) {
            return NGX_DECLINED;
        }

        pause = (ngx_msec_t) ex->retry_after * 1000;

    } else {
        pause = ngx_min((ngx_msec_t) NGX_AKL_BACKOFF << ngx_min(t->repeats, 8),
                        NGX_AKL_BACKOFF_MAX);
        pause += ngx_random() % (pause / 2 + 1);
    }

    /* a repetition that has no time to be answered would hide this answer */

    if ((ngx_msec_int_t) (pause + NGX_AKL_REPEAT_LEFT) >= left) {
        return NGX_DECLINED;
    }

    t->repeats++;
    t->finished = 0;

    ngx_queue_insert_tail(&ngx_akl_tries, &t->all);
    ngx_akl_client_figures.in_flight++;

    /* another host may be better off than one that fails */

    if (ex->status != 429) {
        target = ex->target;
        target->preferred = (t->place + 1) % target->nplaces;
    }

    ngx_akl_try_begin(t);
    ngx_akl_try_wait(t, pause);

    return NGX_OK;
}


static void
ngx_akl_try_step(ngx_akl_try_t *t)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (t->deadline - ngx_current_msec);
    left = ngx_max(left, 1);

    switch (ngx_akl_try_next(t)) {

    case NGX_OK:

        if (ngx_akl_try_send(t) != NGX_OK) {
            ngx_akl_try_later(t, NGX_AKL_FAILED,
                              "out of memory or worker_connections");
            return;
        }

        break;

    case NGX_AGAIN:

        /* the resolver has not answered yet */

        if (t->waiter.place->naddrs) {
            left = ngx_min(left, NGX_AKL_RESOLVE_WAIT);
        }

        break;

    default:
        ngx_akl_try_later(t, NGX_AKL_UNREACHABLE,
                          t->ex->error.len ? NULL
                          : t->skipped ? "all addresses were silent lately"
                                       : "no address is known");
        return;
    }

    ngx_akl_try_wait(t, (ngx_msec_t) left);
}


static void
ngx_akl_try_wait(ngx_akl_try_t *t, ngx_msec_t time)
{
    /* an earlier time is kept where the new one is near it */

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    ngx_add_timer(&t->timer, time);
}


/* libcurl has ended a transfer */

static void
ngx_akl_try_done(CURL *easy, CURLcode rc)
{
    char           *private;
    ngx_akl_try_t  *t;

    private = NULL;
    (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);

    t = (ngx_akl_try_t *) private;

    if (rc == CURLE_OK && t->headed) {
        ngx_akl_try_heard(t);
        t->ex->target->preferred = t->place;

        ngx_akl_try_answered(t);
        return;
    }

    ngx_akl_try_failed(t, rc);
}


static void
ngx_akl_try_answered(ngx_akl_try_t *t)
{
    long                 status;
    curl_off_t           after;
    ngx_akl_exchange_t  *ex;

    ex = t->ex;
    status = 0;
    after = 0;

    (void) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    (void) curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);

    ex->status = (ngx_uint_t) status;
    ex->retry_after = (after > 0) ? (time_t) after : -1;
    ngx_str_null(&ex->error);

    if (t->answer) {
        ex->answer.data = t->answer->start;
        ex->answer.len = t->answer->last - t->answer->start;

    } else {
        ngx_str_null(&ex->answer);
    }

    ngx_akl_try_stop(t);

    ngx_akl_try_finish(t, NGX_AKL_ANSWERED);
}


static void
ngx_akl_try_failed(ngx_akl_try_t *t, CURLcode rc)
{
    ngx_uint_t         died;
    ngx_akl_outcome_e  outcome;

    died = ngx_akl_try_died(t, rc);
    outcome = ngx_akl_try_outcome(t, rc);

    if (rc != CURLE_OPERATION_TIMEDOUT) {
        ngx_akl_try_heard(t);

    } else if (outcome == NGX_AKL_UNREACHABLE) {
        ngx_akl_try_silent(t);
    }

    ngx_akl_try_say(t, rc == CURLE_OK ? "the answer's head is not whole"
                       : t->curl_error[0] ? t->curl_error
                       : curl_easy_strerror(rc),
                    rc);
    ngx_akl_try_stop(t);

    if (outcome != NGX_AKL_UNREACHABLE) {
        ngx_akl_try_finish(t, outcome);
        return;
    }

    if (died && !t->fresh
        && (ngx_msec_int_t) (t->deadline - ngx_current_msec) > 0)
    {
        t->fresh = 1;
        ngx_akl_try_step(t);
        return;
    }

    ngx_akl_try_unreachable(t);
}


/* on to the next address, as long as there is time */

static void
ngx_akl_try_unreachable(ngx_akl_try_t *t)
{
    if ((ngx_msec_int_t) (t->deadline - ngx_current_msec) <= 0) {
        ngx_akl_try_finish(t, NGX_AKL_UNREACHABLE);
        return;
    }

    t->fresh = 0;
    t->addr++;

    ngx_akl_try_step(t);
}


/*
 * A socket is being connected, perhaps in place of a kept one that died.  The
 * connect has a time of its own, TLS above it has all that is left.
 */

static void
ngx_akl_try_connecting(CURL *easy, curl_socket_t s)
{
    char            *private;
    ngx_msec_t       time;
    ngx_akl_try_t   *t;
    ngx_msec_int_t   left;

    private = NULL;
    (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);

    t = (ngx_akl_try_t *) private;

    if (t == NULL) {
        return;
    }

    t->connecting = 1;
    t->socket = s;

    /* what this turn of the loop has done so far is not the peer's delay */

    ngx_time_update();

    time = t->ex->target->connect_timeout;
    left = (ngx_msec_int_t) (t->deadline - ngx_current_msec);

    if ((ngx_msec_int_t) time < left) {
        ngx_akl_try_wait(t, time);
    }
}


/* a transfer under way has used up its time: that to connect, or all */

static void
ngx_akl_try_overdue(ngx_akl_try_t *t)
{
    double          secured;
    ngx_msec_int_t  left;

    /*
     * A worker that stood still finds its timers run out before it has looked
     * at its sockets, where the answer may lie.
     */

    if (t->looks < NGX_AKL_LOOKS) {
        t->looks++;
        ngx_akl_try_wait(t, 1);
        return;
    }

    t->looks = 0;

    if (t->connecting && !ngx_akl_curl_established(t->socket)) {
        ngx_akl_try_silent(t);

        ngx_akl_try_say(t, "connect timed out", CURLE_OK);
        ngx_akl_try_stop(t);

        ngx_akl_try_unreachable(t);
        return;
    }

    left = (ngx_msec_int_t) (t->deadline - ngx_current_msec);

    if (left > 0) {
        ngx_akl_try_wait(t, (ngx_msec_t) left);
        return;
    }

    secured = 0;
    (void) curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME, &secured);

    ngx_akl_try_say(t, (t->connecting && secured == 0)
                       ? "TLS handshake timed out" : "no answer in time",
                    CURLE_OK);

    ngx_akl_try_finish(t, NGX_AKL_TIMED_OUT);
}


/* a place that was waited for knows more now */

static void
ngx_akl_try_resolved(ngx_akl_waiter_t *waiter)
{
    ngx_akl_try_t  *t;

    t = (ngx_akl_try_t *) ((u_char *) waiter - offsetof(ngx_akl_try_t, waiter));

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    /* from the loop: this may be within another exchange's start */

    ngx_post_event(&t->timer, &ngx_posted_events);
}


static void
ngx_akl_try_timer(ngx_event_t *ev)
{
    ngx_akl_try_t  *t;

    t = (ngx_akl_try_t *) ((u_char *) ev - offsetof(ngx_akl_try_t, timer));

    if (t->ex->outcome != NGX_AKL_ANSWERED) {

        /* the outcome was known at the start, and is told now */
        ngx_akl_try_finish(t, t->ex->outcome);
        return;
    }

    if (t->running) {
        ngx_akl_try_overdue(t);
        return;
    }

    if (t->waiter.place) {

        /* the resolver is slow: known addresses are better than none */
        ngx_akl_place_extend(t->waiter.place);
    }

    ngx_akl_place_leave(&t->waiter);

    if ((ngx_msec_int_t) (t->deadline - ngx_current_msec) <= 0) {

        if (t->ex->status && t->ex->error.len == 0) {

            /* the time for a repetition was missed: the answer still counts */
            ngx_akl_try_finish(t, NGX_AKL_ANSWERED);
            return;
        }

        ngx_akl_try_later(t, NGX_AKL_UNREACHABLE,
                          t->ex->error.len ? NULL
                                           : "the resolver did not answer");
        return;
    }

    ngx_akl_try_step(t);
}


static void
ngx_akl_try_later(ngx_akl_try_t *t, ngx_akl_outcome_e outcome,
    const char *error)
{
    ngx_akl_try_stop(t);

    if (error) {
        t->ex->error.len = ngx_snprintf(t->text, sizeof(t->text) - 1, "%s",
                                        error)
                           - t->text;
        t->ex->error.data = t->text;
        t->text[t->ex->error.len] = '\0';
    }

    t->ex->outcome = outcome;

    ngx_akl_try_wait(t, 1);
}


static void
ngx_akl_try_finish(ngx_akl_try_t *t, ngx_akl_outcome_e outcome)
{
    ngx_akl_exchange_t  *ex;

    ex = t->ex;
    ex->outcome = outcome;

    ngx_akl_try_end(t);

    /* the handler may destroy it */

    ex->handler(ex);
}


/* nothing goes on, nothing will be called */

static void
ngx_akl_try_end(ngx_akl_try_t *t)
{
    if (t->finished) {
        return;
    }

    t->finished = 1;

    ngx_akl_try_stop(t);
    ngx_akl_place_leave(&t->waiter);

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    if (t->timer.posted) {
        ngx_delete_posted_event(&t->timer);
    }

    ngx_queue_remove(&t->all);
    ngx_akl_client_figures.in_flight--;
}


void
ngx_akl_exchange_destroy(ngx_akl_exchange_t *ex)
{
    ngx_akl_try_t  *t;

    t = ex->state;

    if (t) {
        ngx_akl_try_end(t);
        ngx_akl_try_wipe(t);
    }

    ngx_destroy_pool(ex->pool);
}


/* told to end at once: every exchange fails, its handler sees to the rest */

static void
ngx_akl_exchanges_abort(void)
{
    ngx_queue_t    *q, *next;
    ngx_akl_try_t  *t;

    for (q = ngx_queue_head(&ngx_akl_tries);
         q != ngx_queue_sentinel(&ngx_akl_tries);
         q = next)
    {
        next = ngx_queue_next(q);
        t = ngx_queue_data(q, ngx_akl_try_t, all);

        ngx_akl_place_leave(&t->waiter);
        ngx_akl_try_later(t, NGX_AKL_FAILED, "the worker is shutting down");
    }
}
