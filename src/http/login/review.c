/*
 * A review: asked, waiting for room in the queue, or watching another
 * worker's.  Whichever way it ends, its waiters are called and it is gone.
 */

#include "../cluster/cluster.h"
#include "../metrics.h"
#include "review_inside.h"
#include "review.h"


#define NGX_HTTP_AKL_K8S_WATCH_MIN  4           /* ms between two looks */
#define NGX_HTTP_AKL_K8S_WATCH_MAX  32


static ngx_int_t ngx_http_akl_k8s_review_enter(
    ngx_http_akl_k8s_review_t *review, ngx_http_akl_k8s_verdict_t *verdict);
static void ngx_http_akl_k8s_review_timer(ngx_event_t *ev);
static void ngx_http_akl_k8s_review_next(ngx_http_akl_k8s_cluster_t *cluster);
static void ngx_http_akl_k8s_review_queued(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_int_t by);
static void ngx_http_akl_k8s_review_leave(ngx_http_akl_k8s_review_t *review);
static void ngx_http_akl_k8s_review_free(ngx_http_akl_k8s_review_t *review);


ngx_http_akl_k8s_review_t *
ngx_http_akl_k8s_review_find(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_akl_key_t *key)
{
    ngx_rbtree_key_t            hash;
    ngx_rbtree_node_t          *node;
    ngx_http_akl_k8s_review_t  *review;

    ngx_memcpy(&hash, key->data, sizeof(ngx_rbtree_key_t));

    for (node = cluster->reviews.root; node != &cluster->sentinel; ) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        /* keys are keyed digests: word-long collisions do not happen */

        review = (ngx_http_akl_k8s_review_t *) node;

        return (ngx_memcmp(review->key.data, key->data, NGX_AKL_KEY_LEN) == 0)
               ? review : NULL;
    }

    return NULL;
}


akl_reason_t
ngx_http_akl_k8s_review_create(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_akl_key_t *key, ngx_str_t *token, ngx_pool_t *request_pool,
    ngx_http_akl_k8s_review_t **out, akl_identity_t *claimed)
{
    akl_str_t                  *from, *to;
    ngx_str_t                   text;
    ngx_pool_t                 *pool;
    ngx_uint_t                  i;
    akl_reason_t                reason;
    ngx_http_akl_k8s_review_t  *review;

    pool = ngx_create_pool(sizeof(ngx_http_akl_k8s_review_t) + 6144
                           + 2 * token->len, ngx_cycle->log);
    if (pool == NULL) {
        return AKL_INTERNAL_ERROR;
    }

    review = ngx_pcalloc(pool, sizeof(ngx_http_akl_k8s_review_t));
    if (review == NULL) {
        ngx_destroy_pool(pool);
        return AKL_INTERNAL_ERROR;
    }

    review->pool = pool;
    review->cluster = cluster;
    review->key = *key;

    ngx_queue_init(&review->waiters);

    review->token.len = token->len;
    review->token.data = ngx_pstrdup(pool, token);
    if (review->token.data == NULL) {
        review->token.len = 0;
        ngx_http_akl_k8s_review_free(review);
        return AKL_INTERNAL_ERROR;
    }

    reason = ngx_http_akl_k8s_review_check(review);

    if (reason == AKL_OK) {
        *out = review;
        return AKL_OK;
    }

    from = (akl_str_t *) &review->pod.claimed;
    to = (akl_str_t *) claimed;

    for (i = 0; i < sizeof(akl_identity_t) / sizeof(akl_str_t); i++) {
        text = ngx_http_akl_k8s_ngx_str(&from[i]);
        to[i].data = ngx_pstrdup(request_pool, &text);
        to[i].len = to[i].data ? from[i].len : 0;
    }

    ngx_http_akl_k8s_review_free(review);

    return reason;
}


ngx_int_t
ngx_http_akl_k8s_review_start(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_int_t                   rc;
    ngx_http_akl_k8s_config_t  *config;

    config = review->cluster->config;

    review->started = ngx_current_msec;
    review->deadline = review->started + config->review_timeout;
    review->watch = NGX_HTTP_AKL_K8S_WATCH_MIN;

    review->timer.handler = ngx_http_akl_k8s_review_timer;
    review->timer.data = review;
    review->timer.log = ngx_cycle->log;

    rc = ngx_http_akl_k8s_review_enter(review, verdict);

    if (rc != NGX_AGAIN) {
        ngx_http_akl_k8s_review_leave(review);
        ngx_http_akl_k8s_review_free(review);
        return rc;
    }

    ngx_memcpy(&review->node.key, review->key.data, sizeof(ngx_rbtree_key_t));
    ngx_rbtree_insert(&review->cluster->reviews, &review->node);
    review->known = 1;

    return NGX_AGAIN;
}


/*
 * Takes the zone's mark and asks, or finds a place to wait.  NGX_AGAIN,
 * NGX_OK with a verdict found meanwhile, NGX_BUSY, NGX_ERROR.
 */

static ngx_int_t
ngx_http_akl_k8s_review_enter(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_int_t                    rc;
    ngx_akl_zone_t              *zone;
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = review->cluster;
    zone = cluster->zone;

    if (!review->flight && cluster->config->cache_valid) {

        rc = ngx_akl_zone_join(zone, &review->key,
                               review->deadline - ngx_current_msec + 1000);

        if (rc == NGX_AGAIN) {
            review->state = NGX_HTTP_AKL_K8S_REVIEW_WATCHING;
            ngx_add_timer(&review->timer, review->watch);
            return NGX_AGAIN;
        }

        review->flight = (rc == NGX_OK);

        /* it may have landed between our first look and the mark */

        if (ngx_http_akl_k8s_verdict_get(zone, cluster->config, &review->key,
                                         verdict)
            == NGX_OK)
        {
            return NGX_OK;
        }
    }

    if (cluster->in_flight < cluster->config->max_reviews) {
        return ngx_http_akl_k8s_review_ask(review);
    }

    if (cluster->queued >= cluster->config->max_queue) {
        return NGX_BUSY;
    }

    review->state = NGX_HTTP_AKL_K8S_REVIEW_QUEUED;

    ngx_queue_insert_tail(&cluster->queue, &review->queue);
    ngx_http_akl_k8s_review_queued(cluster, 1);

    ngx_add_timer(&review->timer, review->deadline - ngx_current_msec);

    return NGX_AGAIN;
}


static void
ngx_http_akl_k8s_review_timer(ngx_event_t *ev)
{
    ngx_int_t                    rc;
    ngx_msec_int_t               left;
    ngx_http_akl_k8s_review_t   *review;
    ngx_http_akl_k8s_verdict_t   verdict;

    review = ev->data;

    left = (ngx_msec_int_t) (review->deadline - ngx_current_msec);

    if (review->state == NGX_HTTP_AKL_K8S_REVIEW_QUEUED
        || (review->state == NGX_HTTP_AKL_K8S_REVIEW_FAILED && left <= 0))
    {
        ngx_http_akl_k8s_review_fail(review, AKL_OVERLOADED,
                                     "waited too long for its turn");
        return;
    }

    if (review->state == NGX_HTTP_AKL_K8S_REVIEW_FAILED) {
        ngx_http_akl_k8s_review_fail(review, AKL_INTERNAL_ERROR,
                                     "the API server could not be asked");
        return;
    }

    if (left <= 0) {
        ngx_http_akl_k8s_review_fail(review, AKL_API_TIMEOUT,
                                     "another worker's review did not end");
        return;
    }

    review->watch = ngx_min(review->watch * 2, NGX_HTTP_AKL_K8S_WATCH_MAX);
    review->watch = ngx_min(review->watch, (ngx_msec_t) left);

    rc = ngx_http_akl_k8s_review_enter(review, &verdict);

    switch (rc) {

    case NGX_AGAIN:
        return;

    case NGX_OK:

        /* a resumed request may look up something else */

        if (ngx_http_akl_k8s_verdict_copy(review->pool, &verdict) != NGX_OK) {
            ngx_http_akl_k8s_review_fail(review, AKL_INTERNAL_ERROR, NULL);
            return;
        }

        ngx_http_akl_k8s_review_complete(review, &verdict, -1);
        return;

    case NGX_BUSY:
        ngx_http_akl_k8s_review_fail(review, AKL_OVERLOADED, NULL);
        return;

    default:
        ngx_http_akl_k8s_review_fail(review, AKL_INTERNAL_ERROR, NULL);
        return;
    }
}


void
ngx_http_akl_k8s_review_fail(ngx_http_akl_k8s_review_t *review,
    akl_reason_t reason, const char *detail)
{
    ngx_http_akl_k8s_verdict_t  verdict;

    ngx_memzero(&verdict, sizeof(ngx_http_akl_k8s_verdict_t));

    verdict.reason = reason;
    verdict.detail = detail;
    verdict.identity = review->pod.claimed;

    ngx_http_akl_k8s_review_complete(review, &verdict,
                     (ngx_msec_int_t) (ngx_current_msec - review->started));
}


void
ngx_http_akl_k8s_review_complete(ngx_http_akl_k8s_review_t *review,
    ngx_http_akl_k8s_verdict_t *verdict, ngx_msec_int_t review_time)
{
    ngx_queue_t                 *q;
    ngx_http_akl_k8s_waiter_t   *waiter;
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = review->cluster;

    if (review->state == NGX_HTTP_AKL_K8S_REVIEW_ASKED) {
        ngx_http_akl_k8s_verdict_set(cluster->zone, cluster->config,
                                     &review->key, verdict);
    }

    /* from here on a new login starts a review of its own */

    ngx_http_akl_k8s_review_leave(review);
    ngx_http_akl_k8s_review_next(cluster);

    while (!ngx_queue_empty(&review->waiters)) {
        q = ngx_queue_head(&review->waiters);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_http_akl_k8s_waiter_t, queue);
        waiter->review = NULL;

        waiter->handler(waiter, verdict, review_time);
    }

    ngx_http_akl_k8s_review_free(review);
}


/* gives the room that a review left to those in the queue */

static void
ngx_http_akl_k8s_review_next(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_queue_t                *q;
    ngx_http_akl_k8s_review_t  *review;

    while (cluster->in_flight < cluster->config->max_reviews
           && !ngx_queue_empty(&cluster->queue))
    {
        q = ngx_queue_head(&cluster->queue);
        review = ngx_queue_data(q, ngx_http_akl_k8s_review_t, queue);

        ngx_queue_remove(q);
        ngx_http_akl_k8s_review_queued(cluster, -1);

        ngx_del_timer(&review->timer);
        review->state = NGX_HTTP_AKL_K8S_REVIEW_NEW;

        if (ngx_http_akl_k8s_review_ask(review) == NGX_AGAIN) {
            continue;
        }

        /* its waiters are told from the event loop, not from here */

        review->state = NGX_HTTP_AKL_K8S_REVIEW_FAILED;
        ngx_post_event(&review->timer, &ngx_posted_events);
    }
}


void
ngx_http_akl_k8s_review_asked(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_int_t by)
{
    cluster->in_flight += by;
    ngx_http_akl_k8s_metrics_in_flight(cluster->config, by);
}


static void
ngx_http_akl_k8s_review_queued(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_int_t by)
{
    cluster->queued += by;
    ngx_http_akl_k8s_metrics_queued(cluster->config, by);
}


/* takes a review out of everything but its waiters */

static void
ngx_http_akl_k8s_review_leave(ngx_http_akl_k8s_review_t *review)
{
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = review->cluster;

    if (review->timer.timer_set) {
        ngx_del_timer(&review->timer);
    }

    if (review->timer.posted) {
        ngx_delete_posted_event(&review->timer);
    }

    switch (review->state) {

    case NGX_HTTP_AKL_K8S_REVIEW_QUEUED:
        ngx_queue_remove(&review->queue);
        ngx_http_akl_k8s_review_queued(cluster, -1);
        break;

    case NGX_HTTP_AKL_K8S_REVIEW_ASKED:
        if (review->call) {
            ngx_http_akl_k8s_review_asked(cluster, -1);
        }

        break;

    default:
        break;
    }

    review->state = NGX_HTTP_AKL_K8S_REVIEW_NEW;

    if (review->known) {
        ngx_rbtree_delete(&cluster->reviews, &review->node);
        review->known = 0;
    }

    if (review->flight) {
        ngx_akl_zone_leave(cluster->zone, &review->key);
        review->flight = 0;
    }
}


static void
ngx_http_akl_k8s_review_free(ngx_http_akl_k8s_review_t *review)
{
    if (review->call) {
        ngx_akl_call_destroy(review->call);
    }

    akl_pod_token_clear(&review->pod);

    if (review->bearer.data && review->bearer.data != review->token.data) {
        ngx_explicit_memzero(review->bearer.data, review->bearer.len);
    }

    if (review->token.len) {
        ngx_explicit_memzero(review->token.data, review->token.len);
    }

    ngx_destroy_pool(review->pool);
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
        && review->state == NGX_HTTP_AKL_K8S_REVIEW_QUEUED)
    {
        ngx_http_akl_k8s_review_leave(review);
        ngx_http_akl_k8s_review_free(review);
    }
}


void
ngx_http_akl_k8s_review_abort_all(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_queue_t                *q;
    ngx_http_akl_k8s_waiter_t  *waiter;
    ngx_http_akl_k8s_review_t  *review;

    while (cluster->reviews.root != &cluster->sentinel) {
        review = (ngx_http_akl_k8s_review_t *) cluster->reviews.root;

        while (!ngx_queue_empty(&review->waiters)) {
            q = ngx_queue_head(&review->waiters);
            ngx_queue_remove(q);

            waiter = ngx_queue_data(q, ngx_http_akl_k8s_waiter_t, queue);
            waiter->review = NULL;
        }

        ngx_http_akl_k8s_review_leave(review);
        ngx_http_akl_k8s_review_free(review);
    }
}
