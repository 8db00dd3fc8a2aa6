/*
 * Targets: ready handles and TLS material.
 */

#include "target.h"

#include <openssl/err.h>


#define NGX_AKL_TARGET_IDLE    64               /* handles kept */
#define NGX_AKL_TARGET_NEVER   172800000L       /* ms, longer than any limit */
#define NGX_AKL_TARGET_MAXAGE  60L              /* s that a connection idles */
#define NGX_AKL_TARGET_UPLOAD  16384L           /* bytes written at once */
#define NGX_AKL_TARGET_CA_AGE  3600L            /* s, the system's bundle */


typedef struct {
    CURLoption   option;
    long         value;
} ngx_akl_option_t;


static void ngx_akl_target_drop_idle(ngx_akl_target_t *target);
static ngx_int_t ngx_akl_target_copy(ngx_str_t *to, ngx_str_t *from);
static ngx_int_t ngx_akl_target_options(ngx_akl_target_t *target, CURL *easy);
static ngx_int_t ngx_akl_target_roots(ngx_akl_target_t *target, CURL *easy);
static ngx_int_t ngx_akl_blob(CURL *easy, CURLoption option,
    ngx_str_t *text);


static ngx_array_t  ngx_akl_targets;            /* of ngx_akl_target_t * */
static const char  *ngx_akl_agent;

static const ngx_akl_option_t  ngx_akl_options[] = {
    { CURLOPT_NOSIGNAL, 1 },
    { CURLOPT_NETRC, CURL_NETRC_IGNORED },
    { CURLOPT_FOLLOWLOCATION, 0 },

    /* what is said to the server is none of a proxy's business */
    { CURLOPT_HEADEROPT, CURLHEADER_SEPARATE },
    { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
    { CURLOPT_HTTPPROXYTUNNEL, 1 },
    { CURLOPT_PROXYTYPE, CURLPROXY_HTTP },
    { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
    { CURLOPT_HTTP09_ALLOWED, 0 },
    { CURLOPT_TCP_NODELAY, 1 },
    { CURLOPT_TCP_KEEPALIVE, 1 },
    { CURLOPT_MAXAGE_CONN, NGX_AKL_TARGET_MAXAGE },

    /*
     * The buffer is allocated for each request and overwritten after it: a
     * review seldom needs the least that there is, and never the usual 64k.
     */
    { CURLOPT_UPLOAD_BUFFERSIZE, NGX_AKL_TARGET_UPLOAD },

    /*
     * Time is kept by nginx's timers alone: libcurl counts the TLS handshake
     * as connecting, and looks at the clock before it looks at the socket.
     */
    { CURLOPT_CONNECTTIMEOUT_MS, NGX_AKL_TARGET_NEVER },

    { CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, 1 },
    { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 },
    { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_SSL_SESSIONID_CACHE, 0 }
};


void
ngx_akl_targets_agent(const char *agent)
{
    ngx_akl_agent = agent;
}


ngx_akl_target_t *
ngx_akl_target_create(ngx_cycle_t *cycle, ngx_akl_target_conf_t *conf)
{
    ngx_uint_t          i;
    ngx_akl_host_t     *host;
    ngx_akl_target_t   *target, **slot;

    if (ngx_akl_targets.pool == NULL
        && ngx_array_init(&ngx_akl_targets, cycle->pool, 4,
                          sizeof(ngx_akl_target_t *))
           != NGX_OK)
    {
        return NULL;
    }

    target = ngx_pcalloc(cycle->pool, sizeof(ngx_akl_target_t));
    if (target == NULL) {
        return NULL;
    }

    target->name = conf->name;
    target->server_name = conf->server_name;
    target->proxy = conf->proxy;
    target->connect_timeout = conf->connect_timeout;
    target->nplaces = conf->hosts->nelts;

    target->places = ngx_pcalloc(cycle->pool,
                                 target->nplaces * sizeof(ngx_akl_place_t));

    if (target->places == NULL
        || ngx_array_init(&target->idle, cycle->pool, NGX_AKL_TARGET_IDLE,
                          sizeof(CURL *))
           != NGX_OK)
    {
        return NULL;
    }

    host = conf->hosts->elts;

    for (i = 0; i < target->nplaces; i++) {
        if (ngx_akl_place_init(&target->places[i], &host[i],
                               conf->proxy ? conf->proxy : &host[i],
                               &target->name, conf->resolver,
                               conf->resolver_timeout)
            != NGX_OK)
        {
            return NULL;
        }
    }

    slot = ngx_array_push(&ngx_akl_targets);
    if (slot == NULL) {
        return NULL;
    }

    *slot = target;

    return target;
}


void
ngx_akl_targets_free(void)
{
    ngx_uint_t          i, k;
    ngx_akl_target_t  **target;

    target = ngx_akl_targets.elts;

    for (i = 0; i < ngx_akl_targets.nelts; i++) {

        ngx_akl_target_drop_idle(target[i]);

        for (k = 0; k < target[i]->nplaces; k++) {
            ngx_akl_place_free(&target[i]->places[k]);
        }

        if (target[i]->tls.key.len) {
            ngx_explicit_memzero(target[i]->tls.key.data,
                                 target[i]->tls.key.len);
        }

        free(target[i]->tls.ca.data);
        free(target[i]->tls.cert.data);
        free(target[i]->tls.key.data);
    }

    ngx_memzero(&ngx_akl_targets, sizeof(ngx_array_t));
}


ngx_int_t
ngx_akl_target_set_tls(ngx_akl_target_t *target, ngx_akl_tls_t *tls)
{
    ngx_akl_tls_t  copy;

    ngx_memzero(&copy, sizeof(ngx_akl_tls_t));
    copy.system_ca = tls->system_ca;

    if (ngx_akl_target_copy(&copy.ca, &tls->ca) != NGX_OK
        || ngx_akl_target_copy(&copy.cert, &tls->cert) != NGX_OK
        || ngx_akl_target_copy(&copy.key, &tls->key) != NGX_OK)
    {
        free(copy.ca.data);
        free(copy.cert.data);
        free(copy.key.data);
        return NGX_ERROR;
    }

    if (target->tls.key.len) {
        ngx_explicit_memzero(target->tls.key.data, target->tls.key.len);
    }

    free(target->tls.ca.data);
    free(target->tls.cert.data);
    free(target->tls.key.data);

    target->tls = copy;
    target->generation++;

    ngx_akl_target_drop_idle(target);
    ngx_akl_sockets_retire(target);

    return NGX_OK;
}


static ngx_int_t
ngx_akl_target_copy(ngx_str_t *to, ngx_str_t *from)
{
    if (from->len == 0) {
        return NGX_OK;
    }

    to->data = malloc(from->len);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(to->data, from->data, from->len);
    to->len = from->len;

    return NGX_OK;
}


static void
ngx_akl_target_drop_idle(ngx_akl_target_t *target)
{
    CURL        **easy;
    ngx_uint_t    i;

    easy = target->idle.elts;

    for (i = 0; i < target->idle.nelts; i++) {
        curl_easy_cleanup(easy[i]);
    }

    target->idle.nelts = 0;

    ERR_clear_error();
}


CURL *
ngx_akl_target_handle(ngx_akl_target_t *target, ngx_uint_t *generation)
{
    CURL  *easy, **idle;

    *generation = target->generation;

    if (target->idle.nelts) {
        idle = target->idle.elts;
        return idle[--target->idle.nelts];
    }

    easy = curl_easy_init();

    if (easy && ngx_akl_target_options(target, easy) != NGX_OK) {
        curl_easy_cleanup(easy);
        easy = NULL;
    }

    ERR_clear_error();

    return easy;
}


void
ngx_akl_target_release(ngx_akl_target_t *target, CURL *easy,
    ngx_uint_t generation)
{
    CURL  **slot;

    if (generation == target->generation
        && target->idle.nelts < NGX_AKL_TARGET_IDLE)
    {
        slot = ngx_array_push(&target->idle);

        if (slot) {
            *slot = easy;
            return;
        }
    }

    curl_easy_cleanup(easy);
    ERR_clear_error();
}


/*
 * What is the same for all requests to a target.  An option that could not be
 * set would have libcurl do as it likes, or as the environment says: there is
 * no handle then.
 */

static ngx_int_t
ngx_akl_target_options(ngx_akl_target_t *target, CURL *easy)
{
    ngx_uint_t  i;

    for (i = 0; i < sizeof(ngx_akl_options) / sizeof(ngx_akl_option_t); i++) {
        if (curl_easy_setopt(easy, ngx_akl_options[i].option,
                             ngx_akl_options[i].value)
            != CURLE_OK)
        {
            return NGX_ERROR;
        }
    }

    /* a proxy is set for each request; the environment has no say in either */

    if (curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_NOPROXY, "") != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_USERAGENT, ngx_akl_agent) != CURLE_OK)
    {
        return NGX_ERROR;
    }

#if (LIBCURL_VERSION_NUM >= 0x075500)
    if (curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https") != CURLE_OK) {
        return NGX_ERROR;
    }
#else
    if (curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long) CURLPROTO_HTTPS)
        != CURLE_OK)
    {
        return NGX_ERROR;
    }
#endif

    if (ngx_akl_sockets_own(easy) != NGX_OK
        || ngx_akl_target_roots(target, easy) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (target->tls.cert.len
        && (ngx_akl_blob(easy, CURLOPT_SSLCERT_BLOB, &target->tls.cert)
            != NGX_OK
            || ngx_akl_blob(easy, CURLOPT_SSLKEY_BLOB, &target->tls.key)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* whom to trust: what was given, or the system's roots; never both */

static ngx_int_t
ngx_akl_target_roots(ngx_akl_target_t *target, CURL *easy)
{
    curl_version_info_data  *info;

    if (target->tls.system_ca) {
        info = curl_version_info(CURLVERSION_NOW);

        if (info->age < CURLVERSION_SEVENTH || info->cainfo == NULL) {
            return NGX_OK;
        }

        /*
         * The bundle says it all.  With a path beside it, it would be read
         * for each connection, which takes tens of milliseconds.
         */

#if (LIBCURL_VERSION_NUM >= 0x075700)
        (void) curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT,
                                NGX_AKL_TARGET_CA_AGE);
#endif

        return (curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK)
               ? NGX_OK : NGX_ERROR;
    }

    /*
     * A path of the build's own would be trusted as well, so it is unset; a
     * file would be remembered for a day, so it is a blob.
     */

    if (curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK
        || curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) != CURLE_OK)
    {
        return NGX_ERROR;
    }

    return ngx_akl_blob(easy, CURLOPT_CAINFO_BLOB, &target->tls.ca);
}


static ngx_int_t
ngx_akl_blob(CURL *easy, CURLoption option, ngx_str_t *text)
{
    struct curl_blob  blob;

    blob.data = text->data;
    blob.len = text->len;
    blob.flags = CURL_BLOB_COPY;

    return (curl_easy_setopt(easy, option, &blob) == CURLE_OK) ? NGX_OK
                                                              : NGX_ERROR;
}
