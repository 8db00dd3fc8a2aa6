/*
 * libcurl's multi interface on nginx's events: one multi handle per worker.
 * Behind ngx_akl_client.h; nothing outside src/net includes it.
 */

#ifndef NGX_AKL_CURL_H
#define NGX_AKL_CURL_H

#include <ngx_config.h>

#include <curl/curl.h>
#include "client.h"
#include "sockets.h"


/* Called when a transfer has ended, from the event loop; may do anything. */
typedef void (*ngx_akl_curl_done_pt)(CURL *easy, CURLcode rc);

/*
 * Called when a transfer begins to connect a socket, from within libcurl, of
 * which nothing may be asked then but curl_easy_getinfo().
 */
typedef void (*ngx_akl_curl_connect_pt)(CURL *easy, curl_socket_t s);

/* Called when the worker is told to end at once. */
typedef void (*ngx_akl_curl_abort_pt)(void);


ngx_int_t ngx_akl_curl_init(ngx_cycle_t *cycle, ngx_akl_curl_done_pt done,
    ngx_akl_curl_connect_pt connecting, ngx_akl_curl_abort_pt aborted);

/* Closes everything; before nginx looks for sockets left open. */
void ngx_akl_curl_exit(void);

/* Starts a transfer: NGX_OK, or NGX_ERROR also where connections run out. */
ngx_int_t ngx_akl_curl_add(CURL *easy);

/* Takes a transfer out, finished or not; never from a callback of curl. */
void ngx_akl_curl_remove(CURL *easy);


#endif /* NGX_AKL_CURL_H */
