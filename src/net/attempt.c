/*
 * One request of a call: what libcurl is given, and takes in for it.
 */

#include "attempt.h"


static ngx_int_t ngx_akl_attempt_url(ngx_akl_attempt_t *a);
static u_char *ngx_akl_attempt_authority(u_char *p, ngx_str_t *name,
    in_port_t port);
static int ngx_akl_attempt_clean(void *arg, char *peer, char *local,
    int peer_port, int local_port);
static size_t ngx_akl_attempt_header(char *data, size_t size, size_t n,
    void *arg);
static size_t ngx_akl_attempt_write(char *data, size_t size, size_t n,
    void *arg);


#define NGX_AKL_BEARER  "Authorization: Bearer "
#define NGX_AKL_ACCEPT  "Accept: "


/* the lines that all requests with a body have; libcurl only reads the list */

static struct curl_slist  ngx_akl_attempt_lines[] = {
    { (char *) "Content-Type: application/json", &ngx_akl_attempt_lines[1] },
    { (char *) "Expect:", NULL }
};


void
ngx_akl_attempt_begin(ngx_akl_attempt_t *a)
{
    a->place = a->call->target->preferred;
    a->addr = 0;
    a->visited = 0;
    a->skipped = 0;
    a->unasked = 0;
    a->fresh = 0;
}


ngx_int_t
ngx_akl_attempt_next(ngx_akl_attempt_t *a)
{
    ngx_int_t           rc;
    ngx_akl_place_t    *place;
    ngx_akl_target_t   *target;
    ngx_akl_address_t  *addr;

    target = a->call->target;

    while (a->visited < target->nplaces) {

        place = &target->places[a->place];

        rc = ngx_akl_place_resolve(place, &a->waiter);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_DECLINED) {
            a->unasked = ngx_errno;
        }

        if (a->addr == 0) {

            /* known here only: a name looked up anew changes the order */
            a->first = place->first;
        }

        for ( /* void */ ; rc == NGX_OK && a->addr < place->naddrs; a->addr++) {

            addr = &place->addrs[(a->first + a->addr) % place->naddrs];

            if (ngx_akl_address_may(addr)) {
                return NGX_OK;
            }

            a->skipped++;
        }

        a->place = (a->place + 1) % target->nplaces;
        a->addr = 0;
        a->visited++;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_akl_attempt_send(ngx_akl_attempt_t *a)
{
    CURL              *easy;
    ngx_uint_t         rc;
    ngx_akl_call_t    *call;
    ngx_akl_place_t   *place;
    ngx_akl_target_t  *target;

    call = a->call;
    target = call->target;
    place = &target->places[a->place];

    ngx_memcpy(a->address,
               place->addrs[(a->first + a->addr) % place->naddrs].connect_to,
               sizeof(a->address));

    easy = ngx_akl_target_handle(target, &a->generation);
    if (easy == NULL) {
        return NGX_ERROR;
    }

    a->easy = easy;
    a->curl_error[0] = '\0';

    a->looks = 0;
    a->connecting = 0;
    a->begun = 0;
    a->headed = 0;
    a->no_memory = 0;
    a->sent = ngx_current_msec;

    if (a->answer) {
        ngx_explicit_memzero(a->answer->start,
                             a->answer->last - a->answer->start);
        a->answer->last = a->answer->start;
        ngx_str_null(&call->answer);
    }

    a->opening.owner = target;

    if (ngx_akl_attempt_url(a) != NGX_OK
        || ngx_akl_sockets_for(easy, &a->opening) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = curl_easy_setopt(easy, CURLOPT_PRIVATE, a);
    rc |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, a->curl_error);
    rc |= curl_easy_setopt(easy, CURLOPT_CONNECT_TO, &a->connect_to);
    rc |= curl_easy_setopt(easy, CURLOPT_PROXY,
                           target->proxy ? (char *) a->address + 2 : "");
    rc |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
                           a->bearer.data ? &a->bearer : &a->accept);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                           ngx_akl_attempt_header);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, a);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ngx_akl_attempt_write);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, a);
    rc |= curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long) call->max_answer);
    rc |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long) a->fresh);
    rc |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION,
                           ngx_akl_attempt_clean);
    rc |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, a);

    if (call->body.len) {
        rc |= curl_easy_setopt(easy, CURLOPT_POST, 1L);
        rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE,
                               (long) call->body.len);
        rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                               (char *) call->body.data);

    } else {
        rc |= curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }

    if (rc != CURLE_OK) {
        return NGX_ERROR;
    }

    if (ngx_akl_curl_add(easy) != NGX_OK) {
        return NGX_ERROR;
    }

    a->running = 1;
    call->host = place->host;
    call->attempts++;

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s call %08xD: attempt %ui, to %s (%V)",
                   call->id, call->attempts, a->address + 2,
                   &place->host->url);

    return NGX_OK;
}


ngx_int_t
ngx_akl_attempt_copy(ngx_akl_attempt_t *a)
{
    u_char          *p, *last;
    ngx_akl_call_t  *call;

    call = a->call;

    /* the caller's may be gone at a repetition */

    p = ngx_pnalloc(call->pool, call->path.len + call->body.len
                              + sizeof(NGX_AKL_ACCEPT)
                              + ngx_strlen(call->accept)
                              + sizeof(NGX_AKL_BEARER) + call->bearer.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(p, call->path.data, call->path.len);
    call->path.data = p;

    a->host.next = call->body.len ? ngx_akl_attempt_lines : NULL;

    a->accept.data = (char *) last;
    a->accept.next = call->target->server_name.len ? &a->host : a->host.next;

    last = ngx_sprintf(last, NGX_AKL_ACCEPT "%s%Z", call->accept);

    if (call->body.len) {
        p = last;
        last = ngx_cpymem(p, call->body.data, call->body.len);
        call->body.data = p;
    }

    if (call->bearer.len) {
        p = last;
        last = ngx_sprintf(p, NGX_AKL_BEARER "%V", &call->bearer);
        *last = '\0';

        call->bearer.data = last - call->bearer.len;

        a->bearer.data = (char *) p;
        a->bearer.next = &a->accept;
    }

    return NGX_OK;
}


void
ngx_akl_attempt_wipe(ngx_akl_attempt_t *a)
{
    ngx_akl_call_t  *call;

    call = a->call;

    if (call->bearer.len) {
        ngx_explicit_memzero(call->bearer.data, call->bearer.len);
    }

    if (call->body.len) {
        ngx_explicit_memzero(call->body.data, call->body.len);
    }

    if (a->answer) {
        ngx_explicit_memzero(a->answer->start,
                             a->answer->last - a->answer->start);
    }
}


/*
 * The URL of the place at hand.  libcurl takes the name in it for SNI, and
 * verifies the certificate for it; another one leaves "Host" as it would be.
 */

static ngx_int_t
ngx_akl_attempt_url(ngx_akl_attempt_t *a)
{
    u_char          *url, *p;
    ngx_str_t       *name;
    ngx_akl_host_t  *host;
    ngx_akl_call_t  *call;

    call = a->call;
    host = call->target->places[a->place].host;
    name = &host->host;

    if (call->target->server_name.len) {
        name = &call->target->server_name;

        p = ngx_pnalloc(call->pool, sizeof("Host: []:65535") + host->host.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        a->host.data = (char *) p;

        p = ngx_cpymem(p, "Host: ", sizeof("Host: ") - 1);
        *ngx_akl_attempt_authority(p, &host->host, host->port) = '\0';
    }

    url = ngx_pnalloc(call->pool, sizeof("https://[]:65535") + name->len
                                + host->prefix.len + call->path.len);
    if (url == NULL) {
        return NGX_ERROR;
    }

    a->connect_to.data = (char *) a->address;

    if (call->target->proxy) {

        /* the host is what the proxy is told, by whatever name it is known */

        p = ngx_pnalloc(call->pool, sizeof("::[]:65535") + host->host.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        a->connect_to.data = (char *) p;

        *p++ = ':';
        *p++ = ':';
        *ngx_akl_attempt_authority(p, &host->host, host->port) = '\0';
    }

    p = ngx_cpymem(url, "https://", sizeof("https://") - 1);
    p = ngx_akl_attempt_authority(p, name, host->port);
    p = ngx_sprintf(p, "%V%V", &host->prefix, &call->path);
    *p = '\0';

    return (curl_easy_setopt(a->easy, CURLOPT_URL, (char *) url) == CURLE_OK)
           ? NGX_OK : NGX_ERROR;
}


/* RFC 3986 section 3.2: an IPv6 address stands in brackets */

static u_char *
ngx_akl_attempt_authority(u_char *p, ngx_str_t *name, in_port_t port)
{
    return ngx_sprintf(p, ngx_strlchr(name->data, name->data + name->len, ':')
                          ? "[%V]:%ui" : "%V:%ui", name, (ngx_uint_t) port);
}


/*
 * Before the request is written.  What waits to be read on a connection that
 * was kept is the answer to no request: balancers send a 408 when they give up
 * on an idle one, and a body that should not be there is left over.  It would
 * be taken for the answer to this request, so the connection counts as dead;
 * libcurl looks itself since 8.0.
 */

static int
ngx_akl_attempt_clean(void *arg, char *peer, char *local, int peer_port,
    int local_port)
{
    ngx_akl_attempt_t  *a = arg;

    long  connects;

    connects = 1;
    (void) curl_easy_getinfo(a->easy, CURLINFO_NUM_CONNECTS, &connects);

    return (connects == 0 && ngx_akl_sockets_spoken(local_port))
           ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}


/* libcurl takes a head that was torn off for a whole one */

static size_t
ngx_akl_attempt_header(char *data, size_t size, size_t n, void *arg)
{
    ngx_akl_attempt_t  *a = arg;

    a->begun = 1;

    if (n >= 5 && ngx_strncmp(data, "HTTP/", 5) == 0) {
        a->headed = 0;

    } else if (data[0] == '\r' || data[0] == '\n') {
        a->headed = 1;
    }

    return size * n;
}


static size_t
ngx_akl_attempt_write(char *data, size_t size, size_t n, void *arg)
{
    ngx_akl_attempt_t  *a = arg;

    size_t               len, room, want;
    ngx_buf_t           *b;
    ngx_akl_call_t  *call;

    call = a->call;
    len = size * n;
    b = a->answer;

    if (len > call->max_answer - (b ? (size_t) (b->last - b->start) : 0)) {
        return 0;
    }

    room = b ? (size_t) (b->end - b->last) : 0;

    if (b == NULL || len > room) {

        want = b ? 2 * (b->end - b->start) + len : ngx_max(len, 4096);

        b = ngx_create_temp_buf(call->pool, ngx_min(want, call->max_answer));
        if (b == NULL) {
            a->no_memory = 1;
            return 0;
        }

        if (a->answer) {
            b->last = ngx_cpymem(b->start, a->answer->start,
                                 a->answer->last - a->answer->start);
            ngx_explicit_memzero(a->answer->start,
                                 a->answer->last - a->answer->start);
        }

        a->answer = b;
    }

    b->last = ngx_cpymem(b->last, data, len);

    return len;
}


void
ngx_akl_attempt_heard(ngx_akl_attempt_t *a)
{
    ngx_akl_place_heard(&a->call->target->places[a->place], a->address,
                        a->headed);
}


void
ngx_akl_attempt_silent(ngx_akl_attempt_t *a)
{
    ngx_akl_place_silent(&a->call->target->places[a->place], a->address,
                         a->sent);
}


void
ngx_akl_attempt_take(ngx_akl_attempt_t *a)
{
    long             status;
    curl_off_t       after;
    ngx_akl_call_t  *call;

    call = a->call;
    status = 0;
    after = 0;

    (void) curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
    (void) curl_easy_getinfo(a->easy, CURLINFO_RETRY_AFTER, &after);

    call->status = (ngx_uint_t) status;
    call->retry_after = (after > 0) ? (time_t) after : -1;
    ngx_str_null(&call->error);

    if (a->answer) {
        call->answer.data = a->answer->start;
        call->answer.len = a->answer->last - a->answer->start;

    } else {
        ngx_str_null(&call->answer);
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "akl_k8s call %08xD: status %ui over %s connection",
                   call->id, call->status, a->connecting ? "a new" : "a kept");
}


void
ngx_akl_attempt_stop(ngx_akl_attempt_t *a)
{
    if (a->easy == NULL) {
        return;
    }

    if (a->running) {
        ngx_akl_curl_remove(a->easy);
        a->running = 0;
    }

    /* nothing of this call may stay behind in the handle */

    curl_easy_setopt(a->easy, CURLOPT_PRIVATE, NULL);
    curl_easy_setopt(a->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(a->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(a->easy, CURLOPT_CONNECT_TO, NULL);
    curl_easy_setopt(a->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(a->easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, NULL);
    curl_easy_setopt(a->easy, CURLOPT_HEADERDATA, NULL);

    (void) ngx_akl_sockets_for(a->easy, NULL);

    ngx_akl_target_release(a->call->target, a->easy, a->generation);
    a->easy = NULL;
}


ngx_akl_attempt_t *
ngx_akl_attempt_of(CURL *easy)
{
    char  *private;

    private = NULL;
    (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);

    return (ngx_akl_attempt_t *) private;
}


void
ngx_akl_attempt_wait(ngx_akl_attempt_t *a, ngx_msec_t time)
{
    /* an earlier time is kept where the new one is near it */

    if (a->timer.timer_set) {
        ngx_del_timer(&a->timer);
    }

    ngx_add_timer(&a->timer, time);
}


ngx_uint_t
ngx_akl_attempt_connected(ngx_akl_attempt_t *a)
{
    return ngx_akl_socket_established(a->socket)
           && (a->call->target->proxy == NULL || a->opening.secured);
}
