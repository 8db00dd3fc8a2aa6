/*
 * Attempts: one request to one address at a time.
 */

#ifndef NGX_AKL_ATTEMPT_H
#define NGX_AKL_ATTEMPT_H

#include "target.h"


/* one call's way through the hosts */

typedef struct {
    ngx_akl_call_t   *call;
    ngx_queue_t           all;          /* among all calls */
    ngx_akl_waiter_t      waiter;       /* for a place's addresses */

    CURL                 *easy;
    ngx_akl_opening_t     opening;      /* of its sockets */
    ngx_uint_t            generation;   /* of the handle */
    struct curl_slist     bearer;       /* its line, wiped */
    struct curl_slist     accept;       /* then this one, */
    struct curl_slist     host;         /* where the URL has another name, */
                                        /* and those of a body */
    struct curl_slist     connect_to;
    u_char                address[NGX_AKL_CONNECT_TO_LEN];
                                        /* "::ADDRESS:PORT", a proxy's, too */
    unsigned              running:1;    /* the handle is with libcurl */
    unsigned              connecting:1; /* over a socket of its own making */
    unsigned              fresh:1;      /* on a connection of its own now */
    unsigned              begun:1;      /* a line of an answer has come */
    unsigned              headed:1;     /* all header lines have */
    unsigned              no_memory:1;  /* for what has come */
    unsigned              finished:1;   /* the handler has been called */

    ngx_event_t           timer;
    ngx_msec_t            deadline;
    curl_socket_t         socket;       /* that is being connected */
    ngx_msec_t            sent;         /* when the request was */
    ngx_uint_t            place;        /* the place and its address that */
    ngx_uint_t            addr;         /* are tried now, counted */
    ngx_uint_t            first;        /* from this one */
    ngx_uint_t            visited;      /* places begun in this round */
    ngx_uint_t            skipped;      /* addresses known to be silent */
    ngx_err_t             unasked;      /* why the resolver was not asked for a
                                           place of this round; 0: it was */
    ngx_uint_t            repeats;
    ngx_uint_t            looks;        /* at the sockets, after a limit */
    ngx_buf_t            *answer;
    char                  curl_error[CURL_ERROR_SIZE];
    u_char                text[CURL_ERROR_SIZE + 128];
} ngx_akl_attempt_t;


/* Copies what the caller has given, once a call.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_akl_attempt_copy(ngx_akl_attempt_t *a);

/* Begins a round: each place once, from the one that answered last. */
void ngx_akl_attempt_begin(ngx_akl_attempt_t *a);

/*
 * Moves to an address worth trying, beginning with the one at hand.  NGX_OK,
 * NGX_AGAIN where the resolver has to answer first, NGX_DECLINED: the round is
 * over.
 */
ngx_int_t ngx_akl_attempt_next(ngx_akl_attempt_t *a);

/*
 * Hands the request to libcurl, to the place and address at hand.  NGX_OK, or
 * NGX_ERROR where memory ran out.
 */
ngx_int_t ngx_akl_attempt_send(ngx_akl_attempt_t *a);

/* The attempt that a handle is used by, or NULL. */
ngx_akl_attempt_t *ngx_akl_attempt_of(CURL *easy);

/* Has its timer run out in "time" ms, whatever it was set to. */
void ngx_akl_attempt_wait(ngx_akl_attempt_t *a, ngx_msec_t time);

/*
 * 1 where there is a way to the host: a proxy that takes the connect, and then
 * does not connect itself, is none.
 */
ngx_uint_t ngx_akl_attempt_connected(ngx_akl_attempt_t *a);

/* Hands a whole answer to the call; before ngx_akl_attempt_stop(). */
void ngx_akl_attempt_take(ngx_akl_attempt_t *a);

/* The address at hand has spoken, or let its connect run out of time. */
void ngx_akl_attempt_heard(ngx_akl_attempt_t *a);
void ngx_akl_attempt_silent(ngx_akl_attempt_t *a);

/* Gives the handle back, finished or not. */
void ngx_akl_attempt_stop(ngx_akl_attempt_t *a);

/* Wipes bearer, body and answer. */
void ngx_akl_attempt_wipe(ngx_akl_attempt_t *a);


#endif /* NGX_AKL_ATTEMPT_H */
