/*
 * The API server of a script: see the header.
 */

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "api.h"


#define CONNECTIONS  32
#define REQUEST_MAX  65536
#define SCRIPT_MAX   65536
#define ANSWER_MAX   (SCRIPT_MAX + 4096)
#define VOUCHED_MAX  32


typedef struct {
    int   fd;
    SSL  *ssl;
} connection_t;


static pthread_mutex_t   lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char     script[SCRIPT_MAX];
static akl_str_t         left;
static akl_str_t         now;
static const api_pod_t  *pods;
static size_t            pods_n;
static api_vouched_t     vouched[VOUCHED_MAX];
static size_t            vouched_n;
static int               raw;
static int               unasked;

static SSL_CTX          *ctx;
static int               listener;
static connection_t      connections[CONNECTIONS];


void
api_pods(const api_pod_t *all, size_t n)
{
    pthread_mutex_lock(&lock);
    pods = all;
    pods_n = n;
    pthread_mutex_unlock(&lock);
}


void
api_script(const uint8_t *data, size_t size)
{
    pthread_mutex_lock(&lock);

    size = (size < SCRIPT_MAX) ? size : SCRIPT_MAX;

    if (size) {
        memcpy(script, data, size);
    }

    left = (akl_str_t) { size, script };
    now = akl_str("201 - @@");
    vouched_n = 0;
    raw = 0;
    unasked = 0;

    pthread_mutex_unlock(&lock);
}


const api_vouched_t *
api_vouched(size_t n, int *loose)
{
    const api_vouched_t  *one;

    pthread_mutex_lock(&lock);
    one = (n < vouched_n) ? &vouched[n] : NULL;
    *loose = raw;
    pthread_mutex_unlock(&lock);

    return one;
}


int
api_unasked(void)
{
    int  said;

    pthread_mutex_lock(&lock);
    said = unasked;
    pthread_mutex_unlock(&lock);

    return said;
}


static void
drop(connection_t *c, int reset)
{
    struct linger  linger = { 1, 0 };

    if (reset) {
        (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));

    } else {
        (void) SSL_shutdown(c->ssl);
    }

    SSL_free(c->ssl);
    (void) close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
    ERR_clear_error();
}


static void
put(connection_t *c, const char *data, size_t len)
{
    if (len) {
        (void) SSL_write(c->ssl, data, (int) len);
        ERR_clear_error();
    }
}


/* the pod whose token it is, or NULL */

static const api_pod_t *
pod_of(const char *token)
{
    size_t  i;

    for (i = 0; token && i < pods_n; i++) {
        if (strcmp(pods[i].token, token) == 0) {
            return &pods[i];
        }
    }

    return NULL;
}


static int
good(char *buf, size_t size, const char *token, const char *namespace,
    akl_str_t body)
{
    const api_pod_t  *pod;

    if (namespace) {
        return snprintf(buf, size, "{\"kind\":\"Namespace\",\"apiVersion\":"
                        "\"v1\",\"metadata\":{\"name\":\"%s\",\"labels\":"
                        "{\"team\":\"a\"}}}", namespace);
    }

    if (body.data[1] == '@') {
        pod = pod_of(token);

    } else {
        pod = &pods[(size_t) body.data[1] % pods_n];
    }

    if (pod == NULL) {
        return snprintf(buf, size, "{\"kind\":\"TokenReview\",\"apiVersion\":"
                        "\"authentication.k8s.io/v1\",\"status\":{\"error\":"
                        "\"[invalid bearer token]\"}}");
    }

    return snprintf(buf, size, "{\"kind\":\"TokenReview\",\"apiVersion\":"
                    "\"authentication.k8s.io/v1\",\"status\":{"
                    "\"authenticated\":true,\"user\":{\"username\":"
                    "\"system:serviceaccount:%s:%s\",\"uid\":"
                    "\"8e4b3a0c-52d1-4c87-9f1e-0d6a7b5c2f10\",\"groups\":["
                    "\"system:serviceaccounts\",\"system:authenticated\"],"
                    "\"extra\":{\"authentication.kubernetes.io/pod-name\":["
                    "\"%s\"],\"authentication.kubernetes.io/pod-uid\":["
                    "\"3f1d0c9b-7a5e-4b62-8d4f-6c1e2a9b0d57\"]}}}}",
                    pod->namespace, pod->account, pod->name);
}


/* what a whole answer says, read by jansson, and by nobody of ours */

static void
vouch(const char *token, unsigned status, const char *body, size_t len)
{
    char            names[2][API_NAME];
    json_t         *answer, *told;
    const char     *user;
    api_vouched_t  *one;

    answer = json_loadb(body, len, 0, NULL);
    told = json_object_get(answer, "status");
    user = json_string_value(json_object_get(json_object_get(told, "user"),
                                             "username"));

    if (token && user && (status == 200 || status == 201)
        && vouched_n < VOUCHED_MAX
        && json_is_true(json_object_get(told, "authenticated"))
        && sscanf(user, "system:serviceaccount:%63[^:]:%63[^:]", names[0],
                  names[1])
           == 2)
    {
        one = &vouched[vouched_n++];
        snprintf(one->token, sizeof(one->token), "%s", token);
        memcpy(one->namespace, names[0], API_NAME);
        memcpy(one->account, names[1], API_NAME);
    }

    json_decref(answer);
}


static void
answer_raw(connection_t *c, akl_str_t body)
{
    char   buf[ANSWER_MAX];
    size_t  i, n;

    n = 0;

    for (i = 0; i < body.len && n + 2 < sizeof(buf); i++) {
        if (body.len - i > 1 && body.data[i] == '\\'
            && body.data[i + 1] == 'n')
        {
            buf[n++] = '\r';
            buf[n++] = '\n';
            i++;

        } else {
            buf[n++] = (char) body.data[i];
        }
    }

    raw = 1;
    put(c, buf, n);
    drop(c, 0);
}


/* with the lock held */

static void
answer(connection_t *c, const char *token, const char *namespace)
{
    int            n;
    char           head[256], size[32];
    size_t         i, piece, len;
    unsigned       status;
    akl_str_t      line, flags, body;
    const char    *text;

    static char        buf[ANSWER_MAX];
    static const char  refusal[] =
        "HTTP/1.1 201 Told\r\nContent-Length: 66\r\n\r\n"
        "{\"kind\":\"TokenReview\",\"status\":{\"error\":"
        "\"[invalid bearer token]\"}}";

    if (left.len) {
        now = fuzz_cut(&left, '\n');
    }

    body = now;
    line = fuzz_cut(&body, ' ');
    flags = fuzz_cut(&body, ' ');

    status = 0;

    for (i = 0; i < 3; i++) {
        status = status * 10 + ((i < line.len && line.data[i] >= '0'
                                 && line.data[i] <= '9')
                                ? line.data[i] - '0' : 2);
    }

#define has(flag)  (flags.len && memchr(flags.data, flag, flags.len))

    if (has('z')) {
        return;
    }

    if (has('x')) {
        drop(c, 1);
        return;
    }

    if (has('r')) {
        answer_raw(c, body);
        return;
    }

    if (body.len == 2 && body.data[0] == '@') {
        n = good(buf, sizeof(buf), token, namespace, body);
        check(n > 0 && (size_t) n < sizeof(buf));
        text = buf;
        len = (size_t) n;
        status = namespace ? 200 : status;

    } else {
        text = (const char *) body.data;
        len = body.len;
    }

    n = snprintf(head, sizeof(head), "HTTP/1.1 %03u Told\r\n"
                 "Content-Type: application/json\r\n%s", status,
                 has('c') ? "Connection: close\r\n" : "");

    if (has('h')) {
        n += snprintf(head + n, sizeof(head) - (size_t) n,
                      "Transfer-Encoding: chunked\r\n\r\n");

    } else {
        n += snprintf(head + n, sizeof(head) - (size_t) n,
                      "Content-Length: %zu\r\n\r\n",
                      len + (has('t') ? 10 : 0));
    }

    put(c, head, (size_t) n);

    if (has('a')) {
        put(c, text, len / 2);
        drop(c, 1);
        return;
    }

    piece = has('p') ? len / 3 + 1 : len;

    for (i = 0; i < len; i += piece) {
        piece = (len - i < piece) ? len - i : piece;

        if (has('h')) {
            put(c, size, (size_t) snprintf(size, sizeof(size), "%zx\r\n",
                                           piece));
        }

        put(c, text + i, piece);

        if (has('h')) {
            put(c, "\r\n", 2);
        }
    }

    if (has('h') && !has('t')) {
        put(c, "0\r\n\r\n", 5);
    }

    if (has('t')) {
        drop(c, 0);
        return;
    }

    if (has('u')) {
        put(c, refusal, sizeof(refusal) - 1);
        unasked = 1;

        /* it has come: what is still on its way no client could notice */

        while (ioctl(c->fd, SIOCOUTQ, &n) == 0 && n > 0) {
            (void) usleep(100);
        }
    }

    vouch(token, status, text, len);

    if (has('c')) {
        drop(c, 0);
    }
}


static void
serve(connection_t *c)
{
    int          n;
    char        *body, *end, *length;
    size_t       len, wanted;
    json_t      *review, *token;

    static char  buf[REQUEST_MAX + 1];

    len = 0;
    wanted = REQUEST_MAX;
    body = NULL;

    while (len < wanted) {
        n = SSL_read(c->ssl, buf + len, (int) (REQUEST_MAX - len));

        if (n <= 0) {
            drop(c, 1);
            return;
        }

        len += (size_t) n;
        buf[len] = '\0';

        if (body == NULL) {
            body = strstr(buf, "\r\n\r\n");

            if (body) {
                body += 4;
                length = strcasestr(buf, "\r\ncontent-length:");
                wanted = (size_t) (body - buf)
                         + (length && length < body
                            ? strtoul(length + 17, NULL, 10) : 0);
            }
        }
    }

    review = NULL;
    token = NULL;
    end = NULL;

    if (strncmp(buf, "GET /api/v1/namespaces/", 23) == 0) {
        end = strchr(buf + 23, ' ');
        check(end != NULL);
        *end = '\0';

    } else {
        review = json_loadb(body, len - (size_t) (body - buf), 0, NULL);
        token = json_object_get(json_object_get(review, "spec"), "token");
    }

    pthread_mutex_lock(&lock);
    answer(c, json_string_value(token), end ? buf + 23 : NULL);
    pthread_mutex_unlock(&lock);

    json_decref(review);
}


static void
welcome(void)
{
    int             fd, one;
    size_t          i;
    connection_t   *c;
    struct timeval  tv = { 2, 0 };

    fd = accept(listener, NULL, NULL);

    if (fd == -1) {
        return;
    }

    for (i = 0; i < CONNECTIONS && connections[i].ssl; i++) { /* void */ }

    /* the oldest may well be one that nobody needs any more */

    if (i == CONNECTIONS) {
        i = 0;
        drop(&connections[0], 1);
    }

    one = 1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));

    c = &connections[i];
    c->fd = fd;
    c->ssl = SSL_new(ctx);
    check(c->ssl != NULL && SSL_set_fd(c->ssl, fd) == 1);

    if (SSL_accept(c->ssl) != 1) {
        drop(c, 1);
    }
}


static void *
run(void *data)
{
    size_t         i, n;
    connection_t  *c[CONNECTIONS];
    struct pollfd  fds[CONNECTIONS + 1];

    (void) data;

    for ( ;; ) {
        fds[0].fd = listener;
        fds[0].events = POLLIN;
        n = 1;

        for (i = 0; i < CONNECTIONS; i++) {
            if (connections[i].ssl) {
                c[n - 1] = &connections[i];
                fds[n].fd = connections[i].fd;
                fds[n++].events = POLLIN;
            }
        }

        if (poll(fds, n, -1) <= 0) {
            continue;
        }

        for (i = 1; i < n; i++) {
            if (fds[i].revents) {
                serve(c[i - 1]);
            }
        }

        if (fds[0].revents) {
            welcome();
        }
    }

    return NULL;
}


int
api_start(const char *pem)
{
    pthread_t           thread;
    socklen_t           len;
    struct sockaddr_in  sin;

    ctx = SSL_CTX_new(TLS_server_method());
    check(ctx != NULL);
    check(SSL_CTX_use_PrivateKey_file(ctx, pem, SSL_FILETYPE_PEM) == 1);
    check(SSL_CTX_use_certificate_chain_file(ctx, pem) == 1);

    listener = socket(AF_INET, SOCK_STREAM, 0);
    check(listener != -1);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);

    check(bind(listener, (struct sockaddr *) &sin, len) == 0);
    check(getsockname(listener, (struct sockaddr *) &sin, &len) == 0);
    check(listen(listener, 64) == 0);

    check(pthread_create(&thread, NULL, run, NULL) == 0);

    return ntohs(sin.sin_port);
}
