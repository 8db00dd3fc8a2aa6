/*
 * One request of an exchange: what libcurl is given, and what its word for a
 * failure means.
 */

#include "attempt.h"


static ngx_int_t ngx_akl_try_url(ngx_akl_try_t *t);
static size_t ngx_akl_try_header(char *data, size_t size, size_t n,
    void *arg);
static size_t ngx_akl_try_write(char *data, size_t size, size_t n, void *arg);


#define NGX_AKL_BEARER  "Authorization: Bearer "
#define NGX_AKL_ACCEPT  "Accept: "

#define NGX_AKL_CAUSE_LEN  64           /* of an error of the system */


/* the lines that all requests with a body have; libcurl only reads the list */

static struct curl_slist  ngx_akl_try_lines[] = {
    { (char *) "Content-Type: application/json", &ngx_akl_try_lines[1] },
    { (char *) "Expect:", NULL }
};


void
ngx_akl_try_begin(ngx_akl_try_t *t)
{
    t->place = t->ex->target->preferred;
    t->addr = 0;
    t->visited = 0;
    t->skipped = 0;
    t->fresh = 0;
}


ngx_int_t
ngx_akl_try_next(ngx_akl_try_t *t)
{
    ngx_int_t           rc;
    ngx_akl_place_t    *place;
    ngx_akl_target_t   *target;
    ngx_akl_address_t  *addr;

    target = t->ex->target;

    while (t->visited < target->nplaces) {

        place = &target->places[t->place];

        rc = ngx_akl_place_resolve(place, &t->waiter);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (t->addr == 0) {

            /* known here only: a name looked up anew changes the order */
            t->first = place->first;
        }

        for ( /* void */ ; rc == NGX_OK && t->addr < place->naddrs; t->addr++) {

            addr = &place->addrs[(t->first + t->addr) % place->naddrs];

            if (ngx_akl_address_may(addr)) {
                return NGX_OK;
            }

            t->skipped++;
        }

        t->place = (t->place + 1) % target->nplaces;
        t->addr = 0;
        t->visited++;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_akl_try_send(ngx_akl_try_t *t)
{
    CURL                *easy;
    ngx_uint_t           rc;
    ngx_akl_place_t     *place;
    ngx_akl_target_t    *target;
    ngx_akl_exchange_t  *ex;

    ex = t->ex;
    target = ex->target;
    place = &target->places[t->place];

    ngx_memcpy(t->address,
               place->addrs[(t->first + t->addr) % place->naddrs].connect_to,
               sizeof(t->address));

    easy = ngx_akl_target_handle(target, &t->generation);
    if (easy == NULL) {
        return NGX_ERROR;
    }

    t->easy = easy;
    t->curl_error[0] = '\0';

    t->looks = 0;
    t->connecting = 0;
    t->begun = 0;
    t->headed = 0;
    t->no_memory = 0;
    t->sent = ngx_current_msec;

    if (t->answer) {
        ngx_explicit_memzero(t->answer->start,
                             t->answer->last - t->answer->start);
        t->answer->last = t->answer->start;
        ngx_str_null(&ex->answer);
    }

    if (ngx_akl_try_url(t) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    rc |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->curl_error);
    rc |= curl_easy_setopt(easy, CURLOPT_CONNECT_TO, &t->connect_to);
    rc |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                           t->bearer.data ? &t->bearer : &t->accept);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, ngx_akl_try_header);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ngx_akl_try_write);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    rc |= curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long) ex->max_answer);
    rc |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long) t->fresh);

    if (ex->body.len) {
        rc |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
        rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE,
                               (long) ex->body.len);
        rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                               (char *) ex->body.data);

    } else {
        rc |= curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }

    if (rc != CURLE_OK) {
        return NGX_ERROR;
    }

    if (ngx_akl_curl_add(easy) != NGX_OK) {
        return NGX_ERROR;
    }

    t->running = 1;
    ex->host = place->host;
    ex->tries++;

    return NGX_OK;
}


ngx_int_t
ngx_akl_try_copy(ngx_akl_try_t *t)
{
    u_char              *p, *last;
    ngx_akl_exchange_t  *ex;

    ex = t->ex;

    /* the caller's may be gone at a repetition */

    p = ngx_pnalloc(ex->pool, ex->path.len + ex->body.len
                              + sizeof(NGX_AKL_ACCEPT)
                              + ngx_strlen(ex->accept)
                              + sizeof(NGX_AKL_BEARER) + ex->bearer.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(p, ex->path.data, ex->path.len);
    ex->path.data = p;

    t->accept.data = (char *) last;
    t->accept.next = ex->body.len ? ngx_akl_try_lines : NULL;

    last = ngx_sprintf(last, NGX_AKL_ACCEPT "%s%Z", ex->accept);

    if (ex->body.len) {
        p = last;
        last = ngx_cpymem(p, ex->body.data, ex->body.len);
        ex->body.data = p;
    }

    if (ex->bearer.len) {
        p = last;
        last = ngx_sprintf(p, NGX_AKL_BEARER "%V", &ex->bearer);
        *last = '\0';

        ex->bearer.data = last - ex->bearer.len;

        t->bearer.data = (char *) p;
        t->bearer.next = &t->accept;
    }

    t->connect_to.data = (char *) t->address;

    return NGX_OK;
}


void
ngx_akl_try_wipe(ngx_akl_try_t *t)
{
    ngx_akl_exchange_t  *ex;

    ex = t->ex;

    if (ex->bearer.len) {
        ngx_explicit_memzero(ex->bearer.data, ex->bearer.len);
    }

    if (ex->body.len) {
        ngx_explicit_memzero(ex->body.data, ex->body.len);
    }

    if (t->answer) {
        ngx_explicit_memzero(t->answer->start,
                             t->answer->last - t->answer->start);
    }
}


/* the URL of the place at hand */

static ngx_int_t
ngx_akl_try_url(ngx_akl_try_t *t)
{
    u_char              *url, *p;
    ngx_akl_host_t      *host;
    ngx_akl_exchange_t  *ex;

    ex = t->ex;
    host = ex->target->places[t->place].host;

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


/* libcurl takes a head that was torn off for a whole one */

static size_t
ngx_akl_try_header(char *data, size_t size, size_t n, void *arg)
{
    ngx_akl_try_t  *t = arg;

    t->begun = 1;

    if (n >= 5 && ngx_strncmp(data, "HTTP/", 5) == 0) {
        t->headed = 0;

    } else if (data[0] == '\r' || data[0] == '\n') {
        t->headed = 1;
    }

    return size * n;
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
            t->no_memory = 1;
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
    switch (rc) {

    case CURLE_OK:

        /* a head was torn off, or was but an interim one */
        return NGX_AKL_BAD_ANSWER;

    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:

        /* TLS 1.3: a server refuses our certificate after the handshake */

        if (!t->begun && ngx_strstr(t->curl_error, " alert ")) {
            return NGX_AKL_TLS_FAILED;
        }

        /* fall through */

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:      /* the kernel has given up */
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
        return t->no_memory ? NGX_AKL_FAILED : NGX_AKL_BAD_ANSWER;

    default:
        return NGX_AKL_BAD_ANSWER;
    }
}


/* a connection that was kept, and was dead when it was used again */

ngx_uint_t
ngx_akl_try_died(ngx_akl_try_t *t, CURLcode rc)
{
    long  connects;

    connects = 1;
    (void) curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);

    return connects == 0 && !t->begun
           && (rc == CURLE_SEND_ERROR || rc == CURLE_RECV_ERROR
               || rc == CURLE_GOT_NOTHING);
}


void
ngx_akl_try_heard(ngx_akl_try_t *t)
{
    ngx_akl_place_heard(&t->ex->target->places[t->place], t->address,
                        t->headed);
}


void
ngx_akl_try_silent(ngx_akl_try_t *t)
{
    ngx_akl_place_silent(&t->ex->target->places[t->place], t->address,
                         t->sent);
}


void
ngx_akl_try_say(ngx_akl_try_t *t, const char *what, CURLcode rc)
{
    long              err;
    u_char           *p, *last, cause[NGX_AKL_CAUSE_LEN];
    ngx_akl_place_t  *place;

    place = &t->ex->target->places[t->place];

    err = 0;

    if (rc == CURLE_COULDNT_CONNECT) {
        (void) curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &err);
    }

    p = t->text;
    last = t->text + sizeof(t->text) - 1;

    p = ngx_slprintf(p, last, "%s", what);

    if (err) {
        p = ngx_slprintf(p, last, ": %*s",
                         (size_t) (ngx_strerror((ngx_err_t) err, cause,
                                                sizeof(cause)) - cause),
                         cause);
    }

    p = ngx_slprintf(p, last, " (%s, %V)", t->address + 2, &place->host->url);
    *p = '\0';

    t->ex->error.data = t->text;
    t->ex->error.len = p - t->text;
}


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
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, NULL);

    ngx_akl_target_release(t->ex->target, t->easy, t->generation);
    t->easy = NULL;
}
