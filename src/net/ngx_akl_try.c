/*
 * One request of an exchange: what libcurl is given, and what its word for a
 * failure means.
 */

#include "ngx_akl_target.h"


static size_t ngx_akl_try_write(char *data, size_t size, size_t n, void *arg);


ngx_int_t
ngx_akl_try_send(ngx_akl_try_t *t)
{
    long                 left;
    CURL                *easy;
    ngx_akl_place_t     *place;
    ngx_akl_target_t    *target;
    ngx_akl_exchange_t  *ex;

    ex = t->ex;
    target = ex->target;
    place = &target->places[t->place];

    easy = ngx_akl_target_handle(target, &t->generation);
    if (easy == NULL) {
        return NGX_ERROR;
    }

    t->easy = easy;
    t->curl_error[0] = '\0';

    if (t->answer) {
        ngx_explicit_memzero(t->answer->start,
                             t->answer->last - t->answer->start);
        t->answer->last = t->answer->start;
    }

    curl_slist_free_all(t->connect_to);
    t->connect_to = curl_slist_append(NULL,
                                 (char *) place->addrs[t->addr].connect_to);
    if (t->connect_to == NULL || ngx_akl_try_url(t) != NGX_OK) {
        return NGX_ERROR;
    }

    left = (long) (ngx_msec_int_t) (t->deadline - ngx_current_msec);

    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, t->connect_to);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ngx_akl_try_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long) ex->max_answer);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ngx_max(left, 1L));
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long) t->fresh);

    if (ex->body.len) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long) ex->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (char *) ex->body.data);

    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }

    if (ngx_akl_curl_add(easy) != NGX_OK) {
        return NGX_ERROR;
    }

    t->running = 1;
    ex->tries++;

    return NGX_OK;
}


ngx_int_t
ngx_akl_try_headers(ngx_akl_try_t *t)
{
    u_char              *line;
    struct curl_slist   *list;
    ngx_akl_exchange_t  *ex;

    static const char  *fixed[] = {
        "Accept: application/json",
        "Content-Type: application/json",
        "Expect:",
        NULL
    };

    const char  **header;

    ex = t->ex;

    for (header = fixed; *header; header++) {

        list = curl_slist_append(t->headers, *header);
        if (list == NULL) {
            return NGX_ERROR;
        }

        t->headers = list;
    }

    if (ex->bearer.len == 0) {
        return NGX_OK;
    }

    line = ngx_pnalloc(ex->pool, sizeof("Authorization: Bearer ")
                                 + ex->bearer.len);
    if (line == NULL) {
        return NGX_ERROR;
    }

    t->auth.data = line;
    t->auth.len = ngx_sprintf(line, "Authorization: Bearer %V", &ex->bearer)
                  - line;
    line[t->auth.len] = '\0';

    list = curl_slist_append(t->headers, (char *) line);

    ngx_explicit_memzero(line, t->auth.len);

    if (list == NULL) {
        return NGX_ERROR;
    }

    t->headers = list;

    return NGX_OK;
}


/* the URL of the place at hand */

ngx_int_t
ngx_akl_try_url(ngx_akl_try_t *t)
{
    u_char              *url, *p;
    ngx_str_t            path;
    ngx_akl_host_t      *host;
    ngx_akl_exchange_t  *ex;

    ex = t->ex;
    host = ex->target->places[t->place].host;

    if (t->easy == NULL) {

        /* at the start: the path is kept */

        path.len = ex->path.len;
        path.data = ngx_pstrdup(ex->pool, &ex->path);
        if (path.data == NULL) {
            return NGX_ERROR;
        }

        ex->path = path;

        return NGX_OK;
    }

    url = ngx_pnalloc(ex->pool, sizeof("https://[]:65535") + host->host.len
                                + host->prefix.len + ex->path.len);
    if (url == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(url, ngx_strlchr(host->host.data,
                                     host->host.data + host->host.len, ':')
                         ? "https://[%V]:%ui%V%V" : "https://%V:%ui%V%V",
                    &host->host, (ngx_uint_t) host->port, &host->prefix,
                    &ex->path);
    *p = '\0';

    return (curl_easy_setopt(t->easy, CURLOPT_URL, (char *) url) == CURLE_OK)
           ? NGX_OK : NGX_ERROR;
}


static size_t
ngx_akl_try_write(char *data, size_t size, size_t n, void *arg)
{
    ngx_akl_try_t  *t = arg;

    size_t               len, room, want;
    ngx_buf_t           *b;
    ngx_akl_exchange_t  *ex;

    ex = t->ex;
    len = size * n;
    b = t->answer;

    if (len > ex->max_answer - (b ? (size_t) (b->last - b->start) : 0)) {
        return 0;
    }

    room = b ? (size_t) (b->end - b->last) : 0;

    if (b == NULL || len > room) {

        want = b ? 2 * (b->end - b->start) + len : ngx_max(len, 4096);

        b = ngx_create_temp_buf(ex->pool, ngx_min(want, ex->max_answer));
        if (b == NULL) {
            return 0;
        }

        if (t->answer) {
            b->last = ngx_cpymem(b->start, t->answer->start,
                                 t->answer->last - t->answer->start);
            ngx_explicit_memzero(t->answer->start,
                                 t->answer->last - t->answer->start);
        }

        t->answer = b;
    }

    b->last = ngx_cpymem(b->last, data, len);

    return len;
}


ngx_akl_outcome_e
ngx_akl_try_outcome(ngx_akl_try_t *t, CURLcode rc)
{
    double  connected;

    switch (rc) {

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:

        /* torn off within an answer is no answer, but no silence either */

        return (t->answer && t->answer->last > t->answer->start)
               ? NGX_AKL_BAD_ANSWER : NGX_AKL_UNREACHABLE;

    case CURLE_SSL_CONNECT_ERROR:

        if (ngx_strstr(t->curl_error, "SSL_ERROR_SYSCALL")
            || ngx_strstr(t->curl_error, "reset")
            || ngx_strstr(t->curl_error, "unexpected eof"))
        {
            return NGX_AKL_UNREACHABLE;
        }

        return NGX_AKL_TLS_FAILED;

    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
        return NGX_AKL_TLS_FAILED;

    case CURLE_OPERATION_TIMEDOUT:

        /* no connection yet: another address may do better */

        connected = 0;
        (void) curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME,
                                 &connected);

        return (connected == 0) ? NGX_AKL_UNREACHABLE : NGX_AKL_TIMED_OUT;

    case CURLE_OUT_OF_MEMORY:
        return NGX_AKL_FAILED;

    default:
        return NGX_AKL_BAD_ANSWER;
    }
}


/* gives the handle back */

void
ngx_akl_try_stop(ngx_akl_try_t *t)
{
    if (t->easy == NULL) {
        return;
    }

    if (t->running) {
        ngx_akl_curl_remove(t->easy);
        t->running = 0;
    }

    /* nothing of this exchange may stay behind in the handle */

    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, NULL);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, NULL);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, NULL);

    ngx_akl_target_release(t->ex->target, t->easy, t->generation);
    t->easy = NULL;
}
