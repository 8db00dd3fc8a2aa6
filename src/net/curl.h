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

/*
 * Called when there is no ngx_connection_t to watch a transfer's socket by,
 * from within libcurl as well: nothing will be heard of the transfer, which has
 * to be taken out from the event loop.
 */
typedef void (*ngx_akl_curl_starve_pt)(CURL *easy);

/* Called when the worker is told to end at once. */
typedef void (*ngx_akl_curl_abort_pt)(void);


ngx_int_t ngx_akl_curl_init(ngx_cycle_t *cycle, ngx_akl_curl_done_pt done,
    ngx_akl_curl_connect_pt connecting, ngx_akl_curl_starve_pt starved,
    ngx_akl_curl_abort_pt aborted);

/* Closes everything; before nginx looks for sockets left open. */
void ngx_akl_curl_exit(void);

/*
 * 1 where nginx has a connection for one more transfer.  Those under way count,
 * whether they have got theirs or not; idle ones that nginx would close for it
 * are free.
 */
ngx_uint_t ngx_akl_curl_room(void);

/* Starts a transfer: NGX_OK, or NGX_ERROR where memory runs out. */
ngx_int_t ngx_akl_curl_add(CURL *easy);

/* Takes a transfer out, finished or not; never from a callback of curl. */
void ngx_akl_curl_remove(CURL *easy);


#endif /* NGX_AKL_CURL_H */
