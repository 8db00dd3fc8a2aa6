/*
 * One call: the next address, the request, what came of it, and whether
 * to go on.
 */

#include "attempt.h"
#include "outcome.h"


#define NGX_AKL_BACKOFF        50       /* ms before the first repetition */
#define NGX_AKL_BACKOFF_MAX    1000
#define NGX_AKL_REPEAT_LEFT    100      /* ms that one must have at least */
#define NGX_AKL_LOOKS          8        /* turns of the loop after a limit */
#define NGX_AKL_RESOLVE_WAIT   250      /* ms, where addresses are known */
#define NGX_AKL_CALL_POOL      4096     /* bytes, at first */

#define NGX_AKL_NO_CONNECTION  "no worker_connections are free"


static void ngx_akl_attempt_step(ngx_akl_attempt_t *a);
static void ngx_akl_attempt_done(CURL *easy, CURLcode rc);
static void ngx_akl_attempt_failed(ngx_akl_attempt_t *a, CURLcode rc);
static void ngx_akl_attempt_unreachable(ngx_akl_attempt_t *a);
static void ngx_akl_attempt_connecting(CURL *easy, curl_socket_t s);
static void ngx_akl_attempt_starved(CURL *easy);
static void ngx_akl_attempt_overdue(ngx_akl_attempt_t *a);
static void ngx_akl_attempt_resolved(ngx_akl_waiter_t *waiter);
static void ngx_akl_attempt_post(ngx_akl_attempt_t *a);
static void ngx_akl_attempt_timer(ngx_event_t *ev);
static void ngx_akl_attempt_later(ngx_akl_attempt_t *a,
    ngx_akl_outcome_e outcome, const char *error);
static void ngx_akl_attempt_tell(ngx_akl_attempt_t *a,
    ngx_akl_outcome_e outcome, const char *error);
static void ngx_akl_attempt_finish(ngx_akl_attempt_t *a,
    ngx_akl_outcome_e outcome);
static void ngx_akl_attempt_end(ngx_akl_attempt_t *a);
static void ngx_akl_calls_abort(void);


static ngx_queue_t            ngx_akl_attempts;
static ngx_akl_client_stat_t  ngx_akl_client_figures;
static ngx_connection_t       ngx_akl_attempt_dumb;


ngx_int_t
ngx_akl_client_init_process(ngx_cycle_t *cycle, const char *agent)
{
    ngx_queue_init(&ngx_akl_attempts);
    ngx_memzero(&ngx_akl_client_figures, sizeof(ngx_akl_client_stat_t));

    ngx_akl_attempt_dumb.fd = (ngx_socket_t) -1;

    ngx_akl_targets_agent(agent);

    return ngx_akl_curl_init(cycle, ngx_akl_attempt_done,
                             ngx_akl_attempt_connecting,
                             ngx_akl_attempt_starved,
                             ngx_akl_calls_abort);
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
    stat->connections = ngx_akl_sockets_opened();
}


ngx_akl_call_t *
ngx_akl_call_create(ngx_log_t *log)
{
    ngx_pool_t      *pool;
    ngx_akl_call_t  *call;

    pool = ngx_create_pool(NGX_AKL_CALL_POOL, log);
    if (pool == NULL) {
        return NULL;
    }

    call = ngx_pcalloc(pool, sizeof(ngx_akl_call_t));
    if (call == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    call->pool = pool;
    call->retry_after = -1;

    return call;
}


ngx_int_t
ngx_akl_call_start(ngx_akl_call_t *call)
{
    ngx_akl_attempt_t  *a;

    a = ngx_pcalloc(call->pool, sizeof(ngx_akl_attempt_t));
    if (a == NULL) {
        return NGX_ERROR;
    }

    a->call = call;
    a->deadline = ngx_current_msec + call->timeout;

    a->timer.handler = ngx_akl_attempt_timer;
    a->timer.data = &ngx_akl_attempt_dumb;
    a->timer.log = ngx_cycle->log;

    a->waiter.handler = ngx_akl_attempt_resolved;

    if (ngx_akl_attempt_copy(a) != NGX_OK) {
        return NGX_ERROR;
    }

    call->state = a;

    ngx_queue_insert_tail(&ngx_akl_attempts, &a->all);
    ngx_akl_client_figures.in_flight++;

    ngx_akl_attempt_begin(a);
    ngx_akl_attempt_step(a);

    return NGX_OK;
}


ngx_int_t
ngx_akl_call_repeat(ngx_akl_call_t *call)
{
    ngx_msec_t          pause;
    ngx_msec_int_t      left;
    ngx_akl_target_t   *target;
    ngx_akl_attempt_t  *a;

    a = call->state;
    left = (ngx_msec_int_t) (a->deadline - ngx_current_msec);

    if (call->retry_after > 0) {

        if (call->retry_after > left / 1000) {
            return NGX_DECLINED;
        }

        pause = (ngx_msec_t) call->retry_after * 1000;

    } else {
        pause = ngx_min((ngx_msec_t) NGX_AKL_BACKOFF << ngx_min(a->repeats, 8),
                        NGX_AKL_BACKOFF_MAX);
        pause += ngx_random() % (pause / 2 + 1);
    }

    /* a repetition that has no time to be answered would hide this answer */

    if ((ngx_msec_int_t) (pause + NGX_AKL_REPEAT_LEFT) >= left) {
        return NGX_DECLINED;
    }

    a->repeats++;
    a->finished = 0;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s call %08xD: repeated in %M ms", call->id, pause);

    ngx_queue_insert_tail(&ngx_akl_attempts, &a->all);
    ngx_akl_client_figures.in_flight++;

    /* another host may be better off than one that fails */

    if (call->status != 429) {
        target = call->target;
        target->preferred = (a->place + 1) % target->nplaces;
    }

    ngx_akl_attempt_begin(a);
    ngx_akl_attempt_wait(a, pause);

    return NGX_OK;
}


static void
ngx_akl_attempt_step(ngx_akl_attempt_t *a)
{
    ngx_msec_int_t  left;

    /* the resolver would need a connection as well, and wait for one in vain */

    if (!ngx_akl_curl_room()) {
        ngx_akl_attempt_later(a, NGX_AKL_NO_ROOM, NGX_AKL_NO_CONNECTION);
        return;
    }

    left = (ngx_msec_int_t) (a->deadline - ngx_current_msec);
    left = ngx_max(left, 1);

    switch (ngx_akl_attempt_next(a)) {

    case NGX_OK:

        if (ngx_akl_attempt_send(a) != NGX_OK) {
            ngx_akl_attempt_later(a, NGX_AKL_FAILED, "out of memory");
            return;
        }

        break;

    case NGX_AGAIN:

        /* the resolver has not answered yet */

        if (a->waiter.place->naddrs) {
            left = ngx_min(left, NGX_AKL_RESOLVE_WAIT);
        }

        break;

    default:
        ngx_akl_attempt_later(a, ngx_akl_attempt_nowhere(a), NULL);
        return;
    }

    ngx_akl_attempt_wait(a, (ngx_msec_t) left);
}


/* libcurl has ended a transfer */

static void
ngx_akl_attempt_done(CURL *easy, CURLcode rc)
{
    ngx_akl_attempt_t  *a;

    a = ngx_akl_attempt_of(easy);

    if (rc == CURLE_OK && a->headed) {
        ngx_akl_attempt_heard(a);
        a->call->target->preferred = a->place;

        ngx_akl_attempt_take(a);
        ngx_akl_attempt_stop(a);

        ngx_akl_attempt_finish(a, NGX_AKL_ANSWERED);
        return;
    }

    ngx_akl_attempt_failed(a, rc);
}


static void
ngx_akl_attempt_failed(ngx_akl_attempt_t *a, CURLcode rc)
{
    ngx_uint_t         died;
    ngx_akl_outcome_e  outcome;

    died = ngx_akl_attempt_died(a, rc);
    outcome = ngx_akl_attempt_outcome(a, rc);

    if (rc != CURLE_OPERATION_TIMEDOUT) {
        ngx_akl_attempt_heard(a);

    } else if (outcome == NGX_AKL_UNREACHABLE) {
        ngx_akl_attempt_silent(a);
    }

    ngx_akl_attempt_say(a, rc == CURLE_OK ? "the answer's head is not whole"
                       : a->curl_error[0] ? a->curl_error
                       : curl_easy_strerror(rc),
                    rc);
    ngx_akl_attempt_stop(a);

    if (outcome != NGX_AKL_UNREACHABLE) {
        ngx_akl_attempt_finish(a, outcome);
        return;
    }

    if (died && !a->fresh
        && (ngx_msec_int_t) (a->deadline - ngx_current_msec) > 0)
    {
        a->fresh = 1;
        ngx_akl_attempt_step(a);
        return;
    }

    ngx_akl_attempt_unreachable(a);
}


/* on to the next address, as long as there is time */

static void
ngx_akl_attempt_unreachable(ngx_akl_attempt_t *a)
{
    if ((ngx_msec_int_t) (a->deadline - ngx_current_msec) <= 0) {
        ngx_akl_attempt_finish(a, NGX_AKL_UNREACHABLE);
        return;
    }

    a->fresh = 0;
    a->addr++;

    ngx_akl_attempt_step(a);
}


/*
 * A socket is being connected, perhaps in place of a kept one that died.  The
 * connect has a time of its own, TLS above it has all that is left.
 */

static void
ngx_akl_attempt_connecting(CURL *easy, curl_socket_t s)
{
    ngx_msec_t          time;
    ngx_msec_int_t      left;
    ngx_akl_attempt_t  *a;

    a = ngx_akl_attempt_of(easy);

    if (a == NULL) {
        return;
    }

    a->connecting = 1;
    a->socket = s;

    /* what this turn of the loop has done so far is not the peer's delay */

    ngx_time_update();

    time = a->call->target->connect_timeout;
    left = (ngx_msec_int_t) (a->deadline - ngx_current_msec);

    if ((ngx_msec_int_t) time < left) {
        ngx_akl_attempt_wait(a, time);
    }
}


/* from within libcurl, so that the call is ended from the event loop */

static void
ngx_akl_attempt_starved(CURL *easy)
{
    ngx_akl_attempt_t  *a;

    a = ngx_akl_attempt_of(easy);

    if (a) {
        ngx_akl_attempt_tell(a, NGX_AKL_NO_ROOM, NGX_AKL_NO_CONNECTION);
    }
}


/* a transfer under way has used up its time: that to connect, or all */

static void
ngx_akl_attempt_overdue(ngx_akl_attempt_t *a)
{
    double          secured;
    ngx_msec_int_t  left;

    /*
     * A worker that stood still finds its timers run out before it has looked
     * at its sockets, where the answer may lie.
     */

    if (a->looks < NGX_AKL_LOOKS) {
        a->looks++;
        ngx_akl_attempt_wait(a, 1);
        return;
    }

    a->looks = 0;

    if (a->connecting && !ngx_akl_attempt_connected(a)) {
        ngx_akl_attempt_silent(a);

        ngx_akl_attempt_say(a, ngx_akl_socket_established(a->socket)
                               ? "the proxy did not connect in time"
                               : "connect timed out",
                            CURLE_OK);
        ngx_akl_attempt_stop(a);

        ngx_akl_attempt_unreachable(a);
        return;
    }

    left = (ngx_msec_int_t) (a->deadline - ngx_current_msec);

    if (left > 0) {
        ngx_akl_attempt_wait(a, (ngx_msec_t) left);
        return;
    }

    secured = 0;
    (void) curl_easy_getinfo(a->easy, CURLINFO_APPCONNECT_TIME, &secured);

    ngx_akl_attempt_say(a, !(a->connecting && secured == 0)
                       ? "no answer in time"
                       : "TLS handshake timed out",
                    CURLE_OK);

    ngx_akl_attempt_finish(a, NGX_AKL_TIMED_OUT);
}


/* a place that was waited for knows more now */

static void
ngx_akl_attempt_resolved(ngx_akl_waiter_t *waiter)
{
    ngx_akl_attempt_t  *a;

    a = (ngx_akl_attempt_t *) ((u_char *) waiter
                               - offsetof(ngx_akl_attempt_t, waiter));

    ngx_akl_attempt_post(a);
}


/* goes on from the event loop: this may be within a call's start */

static void
ngx_akl_attempt_post(ngx_akl_attempt_t *a)
{
    if (a->timer.timer_set) {
        ngx_del_timer(&a->timer);
    }

    ngx_post_event(&a->timer, &ngx_posted_events);
}


static void
ngx_akl_attempt_timer(ngx_event_t *ev)
{
    ngx_akl_attempt_t  *a;

    a = (ngx_akl_attempt_t *) ((u_char *) ev
                               - offsetof(ngx_akl_attempt_t, timer));

    if (a->call->outcome != NGX_AKL_ANSWERED) {

        /* the outcome was known at the start, and is told now */
        ngx_akl_attempt_finish(a, a->call->outcome);
        return;
    }

    if (a->running) {
        ngx_akl_attempt_overdue(a);
        return;
    }

    if (a->waiter.place) {

        /* the resolver is slow: known addresses are better than none */
        ngx_akl_place_extend(a->waiter.place);
    }

    ngx_akl_place_leave(&a->waiter);

    if ((ngx_msec_int_t) (a->deadline - ngx_current_msec) <= 0) {

        if (a->call->status && a->call->error.len == 0) {

            /* the time for a repetition was missed: the answer still counts */
            ngx_akl_attempt_finish(a, NGX_AKL_ANSWERED);
            return;
        }

        ngx_akl_attempt_later(a, NGX_AKL_UNREACHABLE,
                          a->call->error.len ? NULL
                                           : "the resolver did not answer");
        return;
    }

    ngx_akl_attempt_step(a);
}


static void
ngx_akl_attempt_later(ngx_akl_attempt_t *a, ngx_akl_outcome_e outcome,
    const char *error)
{
    ngx_akl_attempt_stop(a);
    ngx_akl_attempt_tell(a, outcome, error);
}


static void
ngx_akl_attempt_tell(ngx_akl_attempt_t *a, ngx_akl_outcome_e outcome,
    const char *error)
{
    if (error) {
        a->call->error.len = ngx_snprintf(a->text, sizeof(a->text) - 1, "%s",
                                        error)
                           - a->text;
        a->call->error.data = a->text;
        a->text[a->call->error.len] = '\0';
    }

    a->call->outcome = outcome;

    ngx_akl_attempt_post(a);
}


static void
ngx_akl_attempt_finish(ngx_akl_attempt_t *a, ngx_akl_outcome_e outcome)
{
    ngx_akl_call_t  *call;

    call = a->call;
    call->outcome = outcome;

    ngx_akl_attempt_end(a);

    /* the handler may destroy it */

    call->handler(call);
}


/* nothing goes on, nothing will be called */

static void
ngx_akl_attempt_end(ngx_akl_attempt_t *a)
{
    if (a->finished) {
        return;
    }

    a->finished = 1;

    ngx_akl_attempt_stop(a);
    ngx_akl_place_leave(&a->waiter);

    if (a->timer.timer_set) {
        ngx_del_timer(&a->timer);
    }

    if (a->timer.posted) {
        ngx_delete_posted_event(&a->timer);
    }

    ngx_queue_remove(&a->all);
    ngx_akl_client_figures.in_flight--;
}


void
ngx_akl_call_destroy(ngx_akl_call_t *call)
{
    ngx_akl_attempt_t  *a;

    a = call->state;

    if (a) {
        ngx_akl_attempt_end(a);
        ngx_akl_attempt_wipe(a);
    }

    ngx_destroy_pool(call->pool);
}


/* told to end at once: every call fails, its handler sees to the rest */

static void
ngx_akl_calls_abort(void)
{
    ngx_queue_t        *q, *next;
    ngx_akl_attempt_t  *a;

    for (q = ngx_queue_head(&ngx_akl_attempts);
         q != ngx_queue_sentinel(&ngx_akl_attempts);
         q = next)
    {
        next = ngx_queue_next(q);
        a = ngx_queue_data(q, ngx_akl_attempt_t, all);

        ngx_akl_place_leave(&a->waiter);
        ngx_akl_attempt_later(a, NGX_AKL_FAILED, "the worker is shutting down");
    }
}
