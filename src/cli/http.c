/*
 * HTTP by libcurl.
 */

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../k8s/version.h"
#include "../k8s/host.h"
#include "http.h"
#include "out.h"


#define AKL_HTTP_TIMEOUT_DEFAULT  10


typedef struct {
    CURL                *easy;
    CURLcode             code;
    struct curl_slist   *headers;
    struct curl_slist   *address;
    char                *host;          /* a header, or NULL */
    akl_buf_t            body;
    size_t               max;
    akl_http_answer_t   *answer;
    int                  too_large;
    char                 error[CURL_ERROR_SIZE];
} akl_http_call_t;


static size_t
akl_http_body(char *data, size_t size, size_t n, void *arg)
{
    akl_http_call_t  *call = arg;

    n *= size;

    if (call->body.len + n > call->max) {
        call->too_large = 1;
        return 0;
    }

    akl_buf_add(&call->body, data, n);

    return n;
}


static char *
akl_http_value(const char *data, size_t n, const char *name)
{
    size_t  len;

    len = strlen(name);

    if (n <= len || strncasecmp(data, name, len) != 0 || data[len] != ':') {
        return NULL;
    }

    data += len + 1;
    n -= len + 1;

    while (n && isspace((unsigned char) *data)) {
        data++;
        n--;
    }

    while (n && isspace((unsigned char) data[n - 1])) {
        n--;
    }

    return akl_mem_strn(data, n);
}


static size_t
akl_http_header(char *data, size_t size, size_t n, void *arg)
{
    akl_http_call_t  *call = arg;

    char       *value, *end;
    long long   seconds;

    n *= size;

    value = akl_http_value(data, n, "Retry-After");

    if (value) {
        seconds = strtoll(value, &end, 10);

        if (end != value && *end == '\0' && seconds >= 0) {
            call->answer->retry_after = seconds;
        }
    }

    value = akl_http_value(data, n, "Date");

    if (value) {
        call->answer->date = (long long) curl_getdate(value, NULL);

        if (call->answer->date < 0) {
            call->answer->date = 0;
        }
    }

    value = akl_http_value(data, n, "Location");

    if (value) {
        call->answer->location = value;
    }

    return n;
}


static void
akl_http_blob(CURL *easy, CURLoption option, akl_str_t text)
{
    struct curl_blob  blob;

    blob.data = (void *) text.data;
    blob.len = text.len;
    blob.flags = CURL_BLOB_COPY;

    (void) curl_easy_setopt(easy, option, &blob);
}


/*
 * libcurl takes the name for TLS from the URL.  The host is connected to all
 * the same, and named as ever in "Host".
 */

static const char *
akl_http_named(akl_http_call_t *call, const akl_http_peer_t *peer)
{
    char        *authority;
    akl_host_t   host;

    if (peer->server_name == NULL
        || akl_host_parse(akl_str_of(peer->url), &host) != NULL)
    {
        return peer->url;
    }

    authority = akl_mem_printf(host.brackets ? "[%.*s]:%u" : "%.*s:%u",
                               (int) host.host.len,
                               (const char *) host.host.data, host.port);

    call->host = akl_mem_printf("Host: %s", authority);
    call->address = curl_slist_append(NULL,
                                      akl_mem_printf("::%s", authority));
    (void) curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->address);

    return akl_mem_printf(strchr(peer->server_name, ':')
                          ? "https://[%s]:%u%.*s" : "https://%s:%u%.*s",
                          peer->server_name, host.port,
                          (int) host.prefix.len,
                          (const char *) host.prefix.data);
}


static int
akl_http_open(akl_http_call_t *call, const akl_http_peer_t *peer,
    const char *path, akl_http_answer_t *answer)
{
    long   timeout;
    CURL  *easy;

    memset(call, 0, sizeof(akl_http_call_t));
    memset(answer, 0, sizeof(akl_http_answer_t));

    answer->content_type = "";
    answer->retry_after = -1;

    call->answer = answer;
    call->max = peer->answer_max ? peer->answer_max : AKL_HTTP_ANSWER_MAX;
    akl_buf_puts(&call->body, "");

    easy = curl_easy_init();

    if (easy == NULL) {
        answer->phase = AKL_HTTP_BROKEN;
        answer->error = "libcurl cannot be used";
        return -1;
    }

    call->easy = easy;
    timeout = peer->timeout ? peer->timeout : AKL_HTTP_TIMEOUT_DEFAULT;

    (void) curl_easy_setopt(easy, CURLOPT_URL,
                            akl_mem_printf("%s%s", akl_http_named(call, peer),
                                           path));
#if (LIBCURL_VERSION_NUM >= 0x075500)
    (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                            peer->https_only ? "https" : "http,https");
#else
    (void) curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                            peer->https_only
                            ? CURLPROTO_HTTPS
                            : CURLPROTO_HTTP|CURLPROTO_HTTPS);
#endif
    (void) curl_easy_setopt(easy, CURLOPT_PROXY, peer->proxy ? peer->proxy
                                                             : "");
    (void) curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    (void) curl_easy_setopt(easy, CURLOPT_HEADEROPT,
                            (long) CURLHEADER_SEPARATE);
    (void) curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void) curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                            (long) CURL_HTTP_VERSION_1_1);
    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_TIMEOUT, timeout);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, timeout);
    (void) curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                            (long) CURL_SSLVERSION_TLSv1_2);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    (void) curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    (void) curl_easy_setopt(easy, CURLOPT_USERAGENT, "akl-k8s/" AKL_VERSION);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, akl_http_body);
    (void) curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, akl_http_header);
    (void) curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);

    if (peer->address) {

        /* any host and port of a URL: there is one */

        call->address = curl_slist_append(NULL,
                            akl_mem_printf(strchr(peer->address, ':')
                                           ? "::[%s]:" : "::%s:",
                                           peer->address));
        (void) curl_easy_setopt(easy, CURLOPT_CONNECT_TO, call->address);
    }

    if (peer->ca.len) {

        /* Debian's libcurl would trust /etc/ssl/certs besides */

        (void) curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        (void) curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        akl_http_blob(easy, CURLOPT_CAINFO_BLOB, peer->ca);
    }

    if (peer->cert.len) {
        akl_http_blob(easy, CURLOPT_SSLCERT_BLOB, peer->cert);
        akl_http_blob(easy, CURLOPT_SSLKEY_BLOB, peer->key);
    }

    return 0;
}


static void
akl_http_close(akl_http_call_t *call)
{
    struct curl_slist  *line;

    curl_easy_cleanup(call->easy);

    /* a bearer is among them */

    for (line = call->headers; line; line = line->next) {
        OPENSSL_cleanse(line->data, strlen(line->data));
    }

    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->address);
    ERR_clear_error();
}


static void
akl_http_failed(akl_http_call_t *call, CURLcode code)
{
    long                os;
    akl_http_answer_t  *answer;

    answer = call->answer;
    os = 0;

    switch (code) {

    case CURLE_OK:
        return;

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        answer->phase = AKL_HTTP_NAME;
        break;

    case CURLE_COULDNT_CONNECT:
        answer->phase = AKL_HTTP_CONNECT;
        (void) curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os);
        break;

    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        answer->phase = AKL_HTTP_TLS;
        break;

    case CURLE_OPERATION_TIMEDOUT:
        answer->phase = AKL_HTTP_TIMEOUT;
        break;

    default:
        answer->phase = AKL_HTTP_BROKEN;
    }

    if (call->too_large) {
        answer->error = akl_mem_printf("the answer is larger than %zu MB",
                                       call->max >> 20);

    } else if (os) {
        answer->error = akl_mem_str(strerror((int) os));

    } else {
        answer->error = akl_clean_all(akl_str_of(call->error[0]
                                             ? call->error
                                             : curl_easy_strerror(code)));
    }
}


static void
akl_http_add(akl_http_call_t *call, const char *line)
{
    struct curl_slist  *list;

    list = curl_slist_append(call->headers, line);

    if (list) {
        call->headers = list;
    }
}


static void
akl_http_prepare(akl_http_call_t *call, const akl_http_request_t *request)
{
    akl_http_add(call, akl_mem_printf("Accept: %s", request->accept
                                                    ? request->accept
                                                    : "application/json"));
    akl_http_add(call, "Expect:");

    if (call->host) {
        akl_http_add(call, call->host);
    }

    if (request->bearer) {
        akl_http_add(call, akl_mem_printf("Authorization: Bearer %s",
                                          request->bearer));
    }

    if (request->content_type) {
        akl_http_add(call, akl_mem_printf("Content-Type: %s",
                                          request->content_type));
    }

    if (strcmp(request->method, "GET") != 0) {
        (void) curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
        (void) curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE,
                                (long) request->body.len);
        (void) curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS,
                                request->body.len
                                ? (const char *) request->body.data : "");
        (void) curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST,
                                request->method);
    }

    (void) curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}


/* what has come of it; closes the call */

static void
akl_http_take(akl_http_call_t *call)
{
    char               *type;
    akl_http_answer_t  *answer;

    answer = call->answer;

    akl_http_failed(call, call->code);

    (void) curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE,
                             &answer->status);

    type = NULL;
    (void) curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);

    if (type) {
        answer->content_type = akl_mem_str(type);
    }

    answer->body.data = (unsigned char *) call->body.data;
    answer->body.len = call->body.len;

    akl_http_close(call);
}


void
akl_http(const akl_http_peer_t *peer, const akl_http_request_t *request,
    akl_http_answer_t *answer)
{
    akl_http_call_t  call;

    if (akl_http_open(&call, peer, request->path, answer) != 0) {
        return;
    }

    akl_http_prepare(&call, request);

    call.code = curl_easy_perform(call.easy);

    akl_http_take(&call);
}


static void
akl_http_perform(CURLM *multi)
{
    int               running, left;
    void             *private;
    CURLMsg          *msg;
    CURLMcode         code;
    akl_http_call_t  *call;

    do {
        code = curl_multi_perform(multi, &running);

        if (code == CURLM_OK && running) {
            code = curl_multi_poll(multi, NULL, 0, 1000, NULL);
        }

    } while (code == CURLM_OK && running);

    while ((msg = curl_multi_info_read(multi, &left)) != NULL) {

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        private = NULL;
        (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);

        call = private;
        call->code = msg->data.result;
    }
}


void
akl_http_all(const akl_http_peer_t *peers, size_t n,
    const akl_http_request_t *request, akl_http_answer_t *answers)
{
    size_t            i;
    CURLM            *multi;
    akl_http_call_t  *calls, *call;

    multi = curl_multi_init();
    calls = akl_mem(n * sizeof(akl_http_call_t));

    for (i = 0; i < n; i++) {
        call = &calls[i];

        if (akl_http_open(call, &peers[i], request->path, &answers[i]) != 0) {
            continue;
        }

        akl_http_prepare(call, request);

        /* unless its end is told */

        call->code = CURLE_FAILED_INIT;

        (void) curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);

        if (multi) {
            (void) curl_multi_add_handle(multi, call->easy);
        }
    }

    if (multi) {
        akl_http_perform(multi);
    }

    for (i = 0; i < n; i++) {

        if (calls[i].easy == NULL) {
            continue;
        }

        if (multi) {
            (void) curl_multi_remove_handle(multi, calls[i].easy);
        }

        akl_http_take(&calls[i]);
    }

    (void) curl_multi_cleanup(multi);
}


/* in place of a verification: keeps what the server has shown */

static int
akl_http_seen(X509_STORE_CTX *ctx, void *arg)
{
    STACK_OF(X509)  **chain = arg;

    if (*chain == NULL && X509_STORE_CTX_get0_untrusted(ctx)) {
        *chain = X509_chain_up_ref(X509_STORE_CTX_get0_untrusted(ctx));
    }

    return 1;
}


static CURLcode
akl_http_context(CURL *easy, void *ctx, void *arg)
{
    (void) easy;

    SSL_CTX_set_cert_verify_callback(ctx, akl_http_seen, arg);

    return CURLE_OK;
}


void
akl_http_probe(const akl_http_peer_t *peer, akl_http_answer_t *answer,
    STACK_OF(X509) **chain, char **address)
{
    char             *ip;
    CURLcode          code;
    akl_http_call_t   call;

    *chain = NULL;
    *address = NULL;

    if (akl_http_open(&call, peer, "/", answer) != 0) {
        return;
    }

    /* what is wrong with the certificate is for the caller to find out */

    (void) curl_easy_setopt(call.easy, CURLOPT_SSL_CTX_FUNCTION,
                            akl_http_context);
    (void) curl_easy_setopt(call.easy, CURLOPT_SSL_CTX_DATA, chain);
    (void) curl_easy_setopt(call.easy, CURLOPT_CONNECT_ONLY, 1L);
    (void) curl_easy_setopt(call.easy, CURLOPT_SSL_VERIFYPEER, 0L);
    (void) curl_easy_setopt(call.easy, CURLOPT_SSL_VERIFYHOST, 0L);

    code = curl_easy_perform(call.easy);

    akl_http_failed(&call, code);

    ip = NULL;
    (void) curl_easy_getinfo(call.easy, CURLINFO_PRIMARY_IP, &ip);

    if (ip && *ip) {
        *address = akl_mem_str(ip);
    }

    akl_http_close(&call);
}
