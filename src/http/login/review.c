/*
 * Reviews: a state machine, driven by the inquiry, by a timer, and by the room
 * that other reviews leave.
 *
 *       NEW ------------------> ASKED -----------------> DONE
 *       | |                     ^ ^ ||   an answer       ^ ^ ^
 *       | |     mark is gone    | | || a namespace's     | | |
 *       | +---> WATCHING -------+ | || labels are wanted | | |
 *       |        | | |            | |+-----> READING ----|-|-+  they are told
 *       |        | | |            | |           |        | |
 *       |        | | +------------|-|-----------|--------+ |
 *       |        | |  a verdict   | v           v          |
 *       |        | +------------- | -----> FAILED ---------+
 *       |        |   time is over |        ^  ^   by an event
 *       |        v      its turn  |        |  |
 *       +-----> QUEUED -----------+        |  |
 *       |          |     time is over      |  |
 *       |          +-----------------------+  |
 *       |         the queue is full           |
 *       +-------------------------------------+
 *
 * A review watches where another worker has the zone's mark, and is queued
 * where there is no room to ask.  Timers are for time alone: until the next
 * look in WATCHING, until all is over in QUEUED and READING.  What fails does
 * so by way of FAILED, and an event is posted, so that waiters are told from
 * the event loop wherever that was.  They are called when a review is DONE; it
 * is gone then.
 *
 * The labels of a namespace are read by a review of their own, a "part": one
 * for all who read the same, here and in other workers, as with any review.
 * Those who wait for it are reviews themselves, each in READING, and keep
 * their room in the cluster meanwhile; a part needs none and is never queued,
 * so that there are no more calls than reviews, and no review waits for a room
 * that it holds itself.  It ends with the last of those who wait.
 */

#include "../cluster/cluster.h"
#include "review_state.h"


#define NGX_HTTP_AKL_K8S_WATCH_MIN    4         /* ms between two looks */
#define NGX_HTTP_AKL_K8S_WATCH_MAX    32
#define NGX_HTTP_AKL_K8S_FLIGHT_MORE  1000      /* ms that a mark lives on */


static ngx_int_t ngx_http_akl_k8s_review_enter(
    ngx_http_akl_k8s_review_t *review, ngx_http_akl_k8s_verdict_t *verdict);
static void ngx_http_akl_k8s_review_ask(ngx_http_akl_k8s_review_t *review);
static void ngx_http_akl_k8s_review_event(ngx_event_t *ev);
static void ngx_http_akl_k8s_review_look(ngx_http_akl_k8s_review_t *review);
static void ngx_http_akl_k8s_review_fail(ngx_http_akl_k8s_review_t *review,
    akl_reason_t reason, const char *detail);
static void ngx_http_akl_k8s_review_next(ngx_http_akl_k8s_cluster_t *cluster);
static void ngx_http_akl_k8s_review_leave(ngx_http_akl_k8s_review_t *review);


ngx_http_akl_k8s_review_t *
ngx_http_akl_k8s_review_find(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_akl_key_t *key)
{
    return (ngx_http_akl_k8s_review_t *) ngx_http_akl_k8s_cluster_review(
                                             cluster, key);
}


ngx_int_t
ngx_http_akl_k8s_review_start(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_int_t  rc;

    review->event.handler = ngx_http_akl_k8s_review_event;
    review->watch = NGX_HTTP_AKL_K8S_WATCH_MIN;

    rc = ngx_http_akl_k8s_review_enter(review, verdict);

    if (rc == NGX_AGAIN && review->state == NGX_HTTP_AKL_K8S_REVIEW_FAILED) {

        /* nobody waits yet: the caller is told at once */

        ngx_memzero(verdict, sizeof(ngx_http_akl_k8s_verdict_t));

        verdict->reason = review->reason;
        verdict->detail = review->detail;

        rc = NGX_DECLINED;
    }

    if (rc != NGX_AGAIN) {
        ngx_http_akl_k8s_review_leave(review);
        ngx_http_akl_k8s_review_free(review);
        return rc;
    }

    ngx_memcpy(&review->keyed.node.key, review->keyed.key.data,
               sizeof(ngx_rbtree_key_t));
    ngx_rbtree_insert(&review->cluster->reviews, &review->keyed.node);
    review->known = 1;

    return NGX_AGAIN;
}


/*
 * Out of NEW or WATCHING: takes the zone's mark and asks, or finds a place to
 * wait.  NGX_OK with a verdict found meanwhile, which points into a buffer of
 * the process; NGX_AGAIN, and the state tells the rest.
 */

static ngx_int_t
ngx_http_akl_k8s_review_enter(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_int_t                    rc;
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = review->cluster;

    if (!review->flight && cluster->config->cache_valid) {

        rc = ngx_akl_zone_join(cluster->zone, &review->keyed.key,
                               review->deadline - ngx_current_msec
                               + NGX_HTTP_AKL_K8S_FLIGHT_MORE);

        if (rc == NGX_AGAIN) {
            ngx_http_akl_k8s_review_turn(review,
                                         NGX_HTTP_AKL_K8S_REVIEW_WATCHING);
            ngx_add_timer(&review->event, review->watch);
            return NGX_AGAIN;
        }

        review->flight = (rc == NGX_OK);

        /* it may have landed between our first look and the mark */

        if (ngx_http_akl_k8s_verdict_get(cluster->zone, cluster->config,
                                         &review->keyed.key, verdict)
            == NGX_OK)
        {
            return NGX_OK;
        }
    }

    if (review->part
        || cluster->in_flight < cluster->config->max_reviews)
    {
        ngx_http_akl_k8s_review_ask(review);
        return NGX_AGAIN;
    }

    if (cluster->queued >= cluster->config->max_queue) {
        ngx_http_akl_k8s_review_fail(review, AKL_OVERLOADED, NULL);
        return NGX_AGAIN;
    }

    ngx_http_akl_k8s_review_turn(review, NGX_HTTP_AKL_K8S_REVIEW_QUEUED);

    ngx_queue_insert_tail(&cluster->queue, &review->queue);
    ngx_http_akl_k8s_cluster_queued(cluster, 1);

    ngx_add_timer(&review->event, review->deadline - ngx_current_msec);

    return NGX_AGAIN;
}


/* into ASKED, or FAILED */

static void
ngx_http_akl_k8s_review_ask(ngx_http_akl_k8s_review_t *review)
{
    ngx_int_t  rc;

    review->inquiry.started = review->started;
    review->inquiry.deadline = review->deadline;

    review->asked = ngx_time();

    ngx_http_akl_k8s_review_turn(review, NGX_HTTP_AKL_K8S_REVIEW_ASKED);
    ngx_http_akl_k8s_review_room(review, 1);

    rc = ngx_http_akl_k8s_inquiry_start(&review->inquiry);

    if (rc != NGX_OK) {
        ngx_http_akl_k8s_review_room(review, -1);
        ngx_http_akl_k8s_review_fail(review, (rc == NGX_DECLINED)
                                     ? AKL_API_TIMEOUT : AKL_INTERNAL_ERROR,
                                     "the API server could not be asked");
    }
}


static void
ngx_http_akl_k8s_review_event(ngx_event_t *ev)
{
    ngx_http_akl_k8s_review_t   *review;
    ngx_http_akl_k8s_verdict_t   verdict;

    review = (ngx_http_akl_k8s_review_t *)
                 ((u_char *) ev - offsetof(ngx_http_akl_k8s_review_t, event));

    switch (review->state) {

    case NGX_HTTP_AKL_K8S_REVIEW_WATCHING:
        ngx_http_akl_k8s_review_look(review);
        break;

    case NGX_HTTP_AKL_K8S_REVIEW_QUEUED:
        ngx_queue_remove(&review->queue);
        ngx_http_akl_k8s_cluster_queued(review->cluster, -1);

        ngx_http_akl_k8s_review_fail(review, AKL_OVERLOADED,
                                     "waited too long for its turn");
        break;

    case NGX_HTTP_AKL_K8S_REVIEW_READING:
        ngx_http_akl_k8s_review_unwait(&review->labels);
        ngx_http_akl_k8s_review_room(review, -1);

        ngx_http_akl_k8s_review_fail(review, AKL_API_TIMEOUT,
                                     "waited too long for the labels of the "
                                     "namespace");
        break;

    default: /* NGX_HTTP_AKL_K8S_REVIEW_FAILED */

        ngx_memzero(&verdict, sizeof(ngx_http_akl_k8s_verdict_t));

        verdict.reason = review->reason;
        verdict.detail = review->detail;
        verdict.identity = review->claimant.pod.claimed;

        ngx_http_akl_k8s_review_complete(review, &verdict,
                     (ngx_msec_int_t) (ngx_current_msec - review->started));
    }
}


/* has the other worker's review ended? */

static void
ngx_http_akl_k8s_review_look(ngx_http_akl_k8s_review_t *review)
{
    ngx_int_t                    rc;
    ngx_msec_int_t               left;
    ngx_http_akl_k8s_cluster_t  *cluster;
    ngx_http_akl_k8s_verdict_t   verdict;

    cluster = review->cluster;
    left = (ngx_msec_int_t) (review->deadline - ngx_current_msec);

    if (left > 0) {
        review->watch = ngx_min(review->watch * 2, NGX_HTTP_AKL_K8S_WATCH_MAX);
        review->watch = ngx_min(review->watch, (ngx_msec_t) left);

        rc = ngx_http_akl_k8s_review_enter(review, &verdict);

    } else {

        /* a worker that stood still may find all of it over */

        rc = ngx_http_akl_k8s_verdict_get(cluster->zone, cluster->config,
                                          &review->keyed.key, &verdict);
    }

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_akl_k8s_review_fail(review, AKL_API_TIMEOUT,
                                     "another worker's review did not end");
        return;
    }

    /* a resumed request may look up something else */

    if (ngx_http_akl_k8s_verdict_copy(review->pool, &verdict) != NGX_OK) {
        ngx_http_akl_k8s_review_fail(review, AKL_INTERNAL_ERROR,
                                     "out of memory");
        return;
    }

    ngx_http_akl_k8s_review_complete(review, &verdict, -1);
}


/* into FAILED: the waiters are told from the event loop, not from here */

static void
ngx_http_akl_k8s_review_fail(ngx_http_akl_k8s_review_t *review,
    akl_reason_t reason, const char *detail)
{
    ngx_http_akl_k8s_review_turn(review, NGX_HTTP_AKL_K8S_REVIEW_FAILED);
    review->reason = reason;
    review->detail = detail;

    if (review->event.timer_set) {
        ngx_del_timer(&review->event);
    }

    ngx_post_event(&review->event, &ngx_posted_events);
}


/* into DONE; the review is gone then */

void
ngx_http_akl_k8s_review_complete(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict, ngx_msec_int_t review_time)
{
    ngx_http_akl_k8s_waiter_t  *waiter;

    /* from here on a new login starts a review of its own */

    ngx_http_akl_k8s_review_leave(review);
    ngx_http_akl_k8s_review_next(review->cluster);

    while (!ngx_queue_empty(&review->waiters)) {
        waiter = ngx_queue_data(ngx_queue_head(&review->waiters),
                                ngx_http_akl_k8s_waiter_t, queue);

        ngx_queue_remove(&waiter->queue);
        waiter->review = NULL;

        waiter->handler(waiter, verdict, review_time);
    }

    ngx_http_akl_k8s_review_free(review);
}


/* gives the room that a review left to those in the queue */

static void
ngx_http_akl_k8s_review_next(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_http_akl_k8s_review_t  *review;

    while (cluster->in_flight < cluster->config->max_reviews
           && !ngx_queue_empty(&cluster->queue))
    {
        review = ngx_queue_data(ngx_queue_head(&cluster->queue),
                                ngx_http_akl_k8s_review_t, queue);

        ngx_queue_remove(&review->queue);
        ngx_http_akl_k8s_cluster_queued(cluster, -1);

        ngx_del_timer(&review->event);

        if ((ngx_msec_int_t) (review->deadline - ngx_current_msec) <= 0) {
            ngx_http_akl_k8s_review_fail(review, AKL_OVERLOADED,
                                         "waited too long for its turn");
            continue;
        }

        ngx_http_akl_k8s_review_ask(review);
    }
}


/* takes a review out of everything but its waiters: into DONE */

static void
ngx_http_akl_k8s_review_leave(ngx_http_akl_k8s_review_t *review)
{
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = review->cluster;

    if (review->event.timer_set) {
        ngx_del_timer(&review->event);
    }

    if (review->event.posted) {
        ngx_delete_posted_event(&review->event);
    }

    if (review->state == NGX_HTTP_AKL_K8S_REVIEW_QUEUED) {
        ngx_queue_remove(&review->queue);
        ngx_http_akl_k8s_cluster_queued(cluster, -1);

    } else if (review->state == NGX_HTTP_AKL_K8S_REVIEW_ASKED
               || review->state == NGX_HTTP_AKL_K8S_REVIEW_READING)
    {
        ngx_http_akl_k8s_review_room(review, -1);
    }

    ngx_http_akl_k8s_review_unwait(&review->labels);

    ngx_http_akl_k8s_review_turn(review, NGX_HTTP_AKL_K8S_REVIEW_DONE);

    if (review->known) {
        ngx_rbtree_delete(&cluster->reviews, &review->keyed.node);
        review->known = 0;
    }

    if (review->flight) {
        ngx_akl_zone_leave(cluster->zone, &review->keyed.key);
        review->flight = 0;
    }
}


void
ngx_http_akl_k8s_review_wait(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_waiter_t *waiter)
{
    waiter->review = review;
    ngx_queue_insert_tail(&review->waiters, &waiter->queue);
}


void
ngx_http_akl_k8s_review_unwait(ngx_http_akl_k8s_waiter_t *waiter)
{
    ngx_http_akl_k8s_review_t  *review;

    review = waiter->review;

    if (review == NULL) {
        return;
    }

    ngx_queue_remove(&waiter->queue);
    waiter->review = NULL;

    if (ngx_queue_empty(&review->waiters)
        && (review->state == NGX_HTTP_AKL_K8S_REVIEW_QUEUED || review->part)
        && review->state != NGX_HTTP_AKL_K8S_REVIEW_DONE)
    {
        ngx_http_akl_k8s_review_leave(review);
        ngx_http_akl_k8s_review_free(review);
    }
}


void
ngx_http_akl_k8s_review_abort_all(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_http_akl_k8s_waiter_t  *waiter;
    ngx_http_akl_k8s_review_t  *review;

    while (cluster->reviews.root != &cluster->sentinel) {
        review = (ngx_http_akl_k8s_review_t *) cluster->reviews.root;

        while (!ngx_queue_empty(&review->waiters)) {
            waiter = ngx_queue_data(ngx_queue_head(&review->waiters),
                                    ngx_http_akl_k8s_waiter_t, queue);

            ngx_queue_remove(&waiter->queue);
            waiter->review = NULL;
        }

        ngx_http_akl_k8s_review_leave(review);
        ngx_http_akl_k8s_review_free(review);
    }
}
