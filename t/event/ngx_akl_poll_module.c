/*
 * The event method "poll", for tests: level-triggered, without the calls that
 * only epoll has.  Each event has a place of its own in the array for poll(),
 * and is posted, never handled, while that array is walked.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <poll.h>


static ngx_int_t ngx_akl_poll_init(ngx_cycle_t *cycle, ngx_msec_t timer);
static void ngx_akl_poll_done(ngx_cycle_t *cycle);
static ngx_int_t ngx_akl_poll_add(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t flags);
static ngx_int_t ngx_akl_poll_del(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t flags);
static ngx_int_t ngx_akl_poll_wait(ngx_cycle_t *cycle, ngx_msec_t timer,
    ngx_uint_t flags);


static struct pollfd   *ngx_akl_poll_fds;
static ngx_event_t    **ngx_akl_poll_events;
static ngx_uint_t       ngx_akl_poll_n;


static ngx_str_t  ngx_akl_poll_name = ngx_string("poll");

static ngx_event_module_t  ngx_akl_poll_module_ctx = {
    &ngx_akl_poll_name,
    NULL,                                  /* create configuration */
    NULL,                                  /* init configuration */

    {
        ngx_akl_poll_add,                  /* add an event */
        ngx_akl_poll_del,                  /* delete an event */
        ngx_akl_poll_add,                  /* enable an event */
        ngx_akl_poll_del,                  /* disable an event */
        NULL,                              /* add a connection */
        NULL,                              /* delete a connection */
        NULL,                              /* trigger a notify */
        ngx_akl_poll_wait,                 /* process events */
        ngx_akl_poll_init,                 /* init */
        ngx_akl_poll_done                  /* done */
    }
};


ngx_module_t  ngx_akl_poll_module = {
    NGX_MODULE_V1,
    &ngx_akl_poll_module_ctx,              /* module context */
    NULL,                                  /* module directives */
    NGX_EVENT_MODULE,                      /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_akl_poll_init(ngx_cycle_t *cycle, ngx_msec_t timer)
{
    ngx_uint_t  n;

    n = 2 * cycle->connection_n;

    ngx_akl_poll_fds = ngx_alloc(n * sizeof(struct pollfd), cycle->log);
    ngx_akl_poll_events = ngx_alloc(n * sizeof(ngx_event_t *), cycle->log);
    ngx_akl_poll_n = 0;

    if (ngx_akl_poll_fds == NULL || ngx_akl_poll_events == NULL) {
        return NGX_ERROR;
    }

    ngx_io = ngx_os_io;
    ngx_event_actions = ngx_akl_poll_module_ctx.actions;
    ngx_event_flags = NGX_USE_LEVEL_EVENT|NGX_USE_FD_EVENT;

    return NGX_OK;
}


static void
ngx_akl_poll_done(ngx_cycle_t *cycle)
{
    ngx_free(ngx_akl_poll_fds);
    ngx_free(ngx_akl_poll_events);

    ngx_akl_poll_fds = NULL;
    ngx_akl_poll_events = NULL;
    ngx_akl_poll_n = 0;
}


static ngx_int_t
ngx_akl_poll_add(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    ngx_uint_t         i;
    ngx_connection_t  *c, *other;

    c = ev->data;

    ev->active = 1;

    /* the index of an event that was never here may hold anything */

    if (ev->index < ngx_akl_poll_n && ngx_akl_poll_events[ev->index] == ev) {
        return NGX_OK;
    }

    for (i = 0; i < ngx_akl_poll_n; i++) {
        other = ngx_akl_poll_events[i]->data;

        if (other->fd == c->fd && ngx_akl_poll_events[i]->write == ev->write) {

            /* as nginx's own says; an HTTP/2 stream has its connection's */

            ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                          "poll event fd:%d is already set", c->fd);
        }
    }

    ngx_akl_poll_fds[ngx_akl_poll_n].fd = c->fd;
    ngx_akl_poll_fds[ngx_akl_poll_n].events = ev->write ? POLLOUT : POLLIN;
    ngx_akl_poll_fds[ngx_akl_poll_n].revents = 0;

    ngx_akl_poll_events[ngx_akl_poll_n] = ev;
    ev->index = ngx_akl_poll_n++;

    return NGX_OK;
}


static ngx_int_t
ngx_akl_poll_del(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    ngx_uint_t  i;

    ev->active = 0;

    i = ev->index;

    if (i >= ngx_akl_poll_n || ngx_akl_poll_events[i] != ev) {
        return NGX_OK;
    }

    /* the last one moves to the place that became free */

    ngx_akl_poll_n--;

    if (i < ngx_akl_poll_n) {
        ngx_akl_poll_fds[i] = ngx_akl_poll_fds[ngx_akl_poll_n];
        ngx_akl_poll_events[i] = ngx_akl_poll_events[ngx_akl_poll_n];
        ngx_akl_poll_events[i]->index = i;
    }

    ev->index = NGX_INVALID_INDEX;

    return NGX_OK;
}


static ngx_int_t
ngx_akl_poll_wait(ngx_cycle_t *cycle, ngx_msec_t timer, ngx_uint_t flags)
{
    int           n;
    ngx_err_t     err;
    ngx_uint_t    i;
    ngx_event_t  *ev;

    n = poll(ngx_akl_poll_fds, ngx_akl_poll_n,
             (timer == NGX_TIMER_INFINITE) ? -1 : (int) timer);

    err = (n == -1) ? ngx_errno : 0;

    if (flags & NGX_UPDATE_TIME || ngx_event_timer_alarm) {
        ngx_time_update();
    }

    if (err == NGX_EINTR) {
        ngx_event_timer_alarm = 0;
        return NGX_OK;
    }

    if (err) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, err, "poll() failed");
        return NGX_ERROR;
    }

    for (i = 0; n > 0 && i < ngx_akl_poll_n; i++) {

        if (ngx_akl_poll_fds[i].revents == 0) {
            continue;
        }

        n--;

        if (ngx_akl_poll_fds[i].revents & POLLNVAL) {
            ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                          "poll() of a closed descriptor %d",
                          ngx_akl_poll_fds[i].fd);
        }

        ev = ngx_akl_poll_events[i];

        ev->ready = 1;
        ev->available = -1;

        ngx_post_event(ev, ev->accept ? &ngx_posted_accept_events
                                      : &ngx_posted_events);
    }

    return NGX_OK;
}
