/*
 * What libcurl's word for a failure means.
 */

#include "outcome.h"


/* statuses of a CONNECT, RFC 9110 sections 9.3.6 and 15.5.8 */

#define NGX_AKL_PROXY_REFUSED  300
#define NGX_AKL_PROXY_AUTH     407


static long ngx_akl_attempt_tunnel(ngx_akl_attempt_t *a);


ngx_akl_outcome_e
ngx_akl_attempt_outcome(ngx_akl_attempt_t *a, CURLcode rc)
{
    switch (rc) {

    case CURLE_OK:

        /* a head was torn off, or was but an interim one */
        return NGX_AKL_BAD_ANSWER;

    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:

        /* TLS 1.3: a server refuses our certificate after the handshake */

        if (!a->begun && ngx_strstr(a->curl_error, " alert ")) {
            return NGX_AKL_TLS_FAILED;
        }

        /* fall through */

    case CURLE_COULDNT_CONNECT:

        switch (a->opening.err) {

        case NGX_EMFILE:
        case NGX_ENFILE:
            return NGX_AKL_NO_ROOM;

        case NGX_ENOMEM:
        case ENOBUFS:
            return NGX_AKL_FAILED;
        }

        /* fall through */

    case CURLE_ABORTED_BY_CALLBACK:     /* a kept one had spoken unasked */
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_OPERATION_TIMEDOUT:      /* the kernel has given up */
    case CURLE_GOT_NOTHING:

        /* torn off within an answer is no answer, but no silence either */

        return (a->answer && a->answer->last > a->answer->start)
               ? NGX_AKL_BAD_ANSWER : NGX_AKL_UNREACHABLE;

    case CURLE_SSL_CONNECT_ERROR:

        if (ngx_strstr(a->curl_error, "SSL_ERROR_SYSCALL")
            || ngx_strstr(a->curl_error, "reset")
            || ngx_strstr(a->curl_error, "unexpected eof"))
        {
            return NGX_AKL_UNREACHABLE;
        }

        return NGX_AKL_TLS_FAILED;

    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
        return NGX_AKL_TLS_FAILED;

    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_URL_MALFORMAT:
        return NGX_AKL_FAILED;

    case CURLE_WRITE_ERROR:
        return a->no_memory ? NGX_AKL_FAILED : NGX_AKL_BAD_ANSWER;

    default:
        return NGX_AKL_BAD_ANSWER;
    }
}


/* a connection that was kept, and was dead when it was used again */

ngx_uint_t
ngx_akl_attempt_died(ngx_akl_attempt_t *a, CURLcode rc)
{
    long  connects;

    connects = 1;
    (void) curl_easy_getinfo(a->easy, CURLINFO_NUM_CONNECTS, &connects);

    return connects == 0 && !a->begun
           && (rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR
               || rc == CURLE_GOT_NOTHING || rc == CURLE_ABORTED_BY_CALLBACK);
}


/*
 * The status by which a proxy refused to connect, or 0.  libcurl tells that of
 * an earlier CONNECT as well, so its message has to name it.
 */

static long
ngx_akl_attempt_tunnel(ngx_akl_attempt_t *a)
{
    long    status;
    u_char  text[NGX_INT_T_LEN + 2];

    status = 0;

    if (a->call->target->proxy == NULL
        || ngx_strstr(a->curl_error, "CONNECT") == NULL)
    {
        return 0;
    }

    (void) curl_easy_getinfo(a->easy, CURLINFO_HTTP_CONNECTCODE, &status);

    *ngx_sprintf(text, " %l", status) = '\0';

    return (status >= NGX_AKL_PROXY_REFUSED
            && ngx_strstr(a->curl_error, text))
           ? status : 0;
}


void
ngx_akl_attempt_say(ngx_akl_attempt_t *a, const char *what, CURLcode rc)
{
    long              err, status;
    u_char           *p, *last, cause[NGX_AKL_CAUSE_LEN];
    ngx_akl_place_t  *place;

    place = &a->call->target->places[a->place];

    err = 0;

    if (rc == CURLE_COULDNT_CONNECT) {
        (void) curl_easy_getinfo(a->easy, CURLINFO_OS_ERRNO, &err);

        if (a->opening.err) {
            what = "no socket could be opened";
            err = a->opening.err;
        }
    }

    p = a->text;
    last = a->text + sizeof(a->text) - 1;

    status = ngx_akl_attempt_tunnel(a);

    if (status == NGX_AKL_PROXY_AUTH) {
        p = ngx_slprintf(p, last, "the proxy demands credentials (407), and "
                                  "there are none for it");

    } else if (status) {
        p = ngx_slprintf(p, last, "the proxy does not connect, status %l",
                         status);

    } else {
        p = ngx_slprintf(p, last, "%s", what);
    }

    if (err) {
        p = ngx_slprintf(p, last, ": %*s",
                         (size_t) (ngx_strerror((ngx_err_t) err, cause,
                                                sizeof(cause)) - cause),
                         cause);
    }

    p = ngx_slprintf(p, last, a->call->target->proxy ? " (by proxy %s, %V)"
                                                     : " (%s, %V)",
                     a->address + 2, &place->host->url);
    *p = '\0';

    /* libcurl repeats names of certificates; the text goes to a log */

    for (last = p, p = a->text; p < last; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }

    a->call->error.data = a->text;
    a->call->error.len = p - a->text;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s call %08xD: %s", a->call->id, a->text);
}


ngx_akl_outcome_e
ngx_akl_attempt_nowhere(ngx_akl_attempt_t *a)
{
    u_char  *p, *last;

    if (a->call->error.len && !a->unasked) {
        return NGX_AKL_UNREACHABLE;
    }

    p = a->text;
    last = a->text + sizeof(a->text) - 1;

    if (a->unasked) {
        p = ngx_slprintf(p, last,
                         "no socket could be opened for the resolver: ");
        p = ngx_strerror(a->unasked, p, NGX_AKL_CAUSE_LEN);

    } else {
        p = ngx_slprintf(p, last, "%s",
                         a->skipped ? "all addresses were silent lately"
                                    : "no address is known");
    }

    *p = '\0';

    a->call->error.data = a->text;
    a->call->error.len = p - a->text;

    return a->unasked ? NGX_AKL_NO_ROOM : NGX_AKL_UNREACHABLE;
}
