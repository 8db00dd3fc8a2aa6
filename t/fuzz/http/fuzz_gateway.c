/*
 * The whole module: requests to a running nginx, whose API server does what
 * the input says.  Whatever comes, each request is answered or its connection
 * closed, nothing is left in flight, and nobody gets a token, or past a guard,
 * but who may: each minted token belongs to an account that a whole answer of
 * the API server has vouched for, asked about a token of this request; no line
 * of ours in the log has a token in it; and what the API server says unasked
 * refuses nobody who comes next.
 *
 * An input is a line with a number, of turns of the event loop after which the
 * client leaves, 0 for never; the API server's script (api.h), up to an empty
 * line; and the request (request.h).
 */

#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <openssl/pem.h>

#include "../../../src/http/metrics.h"
#include "../../../src/jose/jws.h"
#include "api.h"
#include "engine.h"
#include "request.h"


#define ANSWER_MAX    (1024 * 1024)
#define PATIENCE      30                /* s, of a machine that is busy */
#define KEPT          512


static akl_jwk_t                      key;
static akl_jwks_t                     keys = { .keys = &key, .n = 1 };
static ngx_http_akl_k8s_main_conf_t  *amcf;

static api_vouched_t                  kept[KEPT];
static size_t                         kept_n;
static size_t                         fresh;        /* of this request */
static unsigned char                  answer[ANSWER_MAX + 1];
static size_t                         answer_len;


static const char  http[] =
    "keepalive_timeout 0; client_header_timeout 5s; client_body_timeout 5s;\n"
    "lingering_close off; reset_timedout_connection on;\n"
    "akl_k8s_zone akl:2m;\n"
    "akl_k8s_review_timeout 200ms connect=200ms;\n"
    "akl_k8s_cache_valid 0 refused=0;\n"
    "akl_k8s_auth_method p-kmx8x116z7j9km {\n"
    "    bound_namespaces my-namespace-a my-namespace-b; token_ttl 1d;\n"
    "}\n"
    "akl_k8s_auth_method p-kmx8x116z7j8km {\n"
    "    bound_namespaces my-namespace-*; token_ttl 1d;\n"
    "    bound_namespace_selector team=a;\n"
    "}\n"
    "akl_k8s_auth_config one {\n"
    "    access_id p-kmx8x116z7j9km; signing_key signing.pem;\n"
    "    k8s_host https://127.0.0.1:%d; k8s_ca_cert tls.pem;\n"
    "    token_reviewer_jwt reviewer; k8s_issuer api;\n"
    "}\n"
    "akl_k8s_auth_config two {\n"
    "    access_id p-kmx8x116z7j8km; signing_key signing.pem;\n"
    "    k8s_host https://127.0.0.1:%d; k8s_ca_cert tls.pem;\n"
    "    token_reviewer_jwt self; k8s_issuer api; akl_k8s_cache_valid 10s;\n"
    "    token_audience items bills; token_issuer https://gw.example.com;\n"
    "    token_claims team=payments host=$host;\n"
    "}\n"
    "server {\n"
    "    listen unix:%s/socket;\n"
    "    location = /akeyless { akl_k8s_auth; }\n"
    "    location = /bearer { akl_k8s_auth config=one; }\n"
    "    location /v1/auth/ { akl_k8s_auth vault; }\n"
    "    location = /v1/two { akl_k8s_auth vault config=two; }\n"
    "    location = /oauth { akl_k8s_auth oauth; }\n"
    "    location = /oauth2 { akl_k8s_auth oauth config=two; }\n"
    "    location = /guard { akl_k8s_guard one; }\n"
    "    location = /require { akl_k8s_guard one two;\n"
    "        akl_k8s_require namespace=my-*-a; }\n"
    "    location = /source { akl_k8s_guard two;\n"
    "        akl_k8s_token_source $http_x_token; }\n"
    "    location = /verify { akl_k8s_guard one two; akl_k8s_verify; }\n"
    "    location = /exchange { akl_k8s_exchange one;\n"
    "        add_header X-Minted $akl_k8s_token always; }\n"
    "    location = /exchange2 { akl_k8s_exchange two;\n"
    "        add_header X-Minted $akl_k8s_token always; }\n"
    "    location = /introspect { akl_k8s_introspect one two; }\n"
    "    location = /v1/auth/token/lookup-self {\n"
    "        akl_k8s_introspect vault; }\n"
    "    location = /v1/auth/token/revoke-self { akl_k8s_revoke vault; }\n"
    "    location = /revoke { akl_k8s_revoke; }\n"
    "    location = /logout { akl_k8s_revoke self; }\n"
    "    location = /status { akl_k8s_status; }\n"
    "    location = /jwks { akl_k8s_jwks; }\n"
    "    location = /.well-known/openid-configuration {\n"
    "        akl_k8s_discovery two; }\n"
    "}\n";

static const char  secret[] = "what is behind the guard";


static unsigned
busy(void)
{
    ngx_uint_t                         i;
    unsigned                           n;
    ngx_akl_client_stat_t              client;
    ngx_http_akl_k8s_metrics_t        *metrics;

    ngx_akl_client_stat(&client);
    n = (unsigned) client.in_flight;
    metrics = amcf->metrics;

    for (i = 0; i < amcf->configs.nelts; i++) {
        n += (unsigned) ngx_akl_zone_read(amcf->zone,
                                          metrics->configs[i].in_flight);
        n += (unsigned) ngx_akl_zone_read(amcf->zone,
                                          metrics->configs[i].queued);
    }

    return n;
}


static ngx_uint_t
revocations(void)
{
    return ngx_akl_zone_read(amcf->zone, amcf->revoked[0]);
}


/* 0: the connection is closed */

static int
take(int fd)
{
    ssize_t  n;

    for ( ;; ) {
        check(answer_len < ANSWER_MAX);
        n = read(fd, answer + answer_len, ANSWER_MAX - answer_len);

        if (n == 0 || (n == -1 && errno != EAGAIN)) {
            return 0;
        }

        if (n == -1) {
            return 1;
        }

        answer_len += (size_t) n;
    }
}


/* sends the request; the client leaves after so many turns, where not 0 */

static void
ask(size_t leaves)
{
    int                 fd, idle;
    size_t              sent, turns;
    time_t              until;
    ssize_t             n;
    struct sockaddr_un  sun;

    answer_len = 0;
    sent = 0;
    idle = 0;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/socket", engine_dir());

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0);
    check(fd != -1);
    check(connect(fd, (struct sockaddr *) &sun, sizeof(sun)) == 0);

    until = time(NULL) + PATIENCE;

    for (turns = 0; take(fd); turns++) {

        if (sent < request_len) {
            n = send(fd, request + sent, request_len - sent, MSG_NOSIGNAL);
            sent += (n > 0) ? (size_t) n : 0;
        }

        if (leaves && turns == leaves) {
            break;
        }

        /* nobody is asked, and the request is not complete: it never will */

        idle = (busy() == 0) ? idle + 1 : 0;

        if (idle == 5) {
            (void) shutdown(fd, SHUT_WR);
        }

        engine_turn(idle ? 1 : 20);
        check(time(NULL) < until);
    }

    (void) close(fd);

    while (busy()) {
        engine_turn(20);
        check(time(NULL) < until);
    }

    answer[answer_len] = '\0';
}


static int
base64url(unsigned char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
           || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_';
}


/* the next text in *rest that has the form of a token; len 0: none */

static akl_str_t
next_token(akl_str_t *rest)
{
    size_t     dots, len;
    akl_str_t  token;

    for ( ;; ) {
        token.data = rest->len ? memmem(rest->data, rest->len, "eyJ", 3)
                               : NULL;
        if (token.data == NULL) {
            return akl_str("");
        }

        len = rest->len - (size_t) (token.data - rest->data);
        dots = 0;

        for (token.len = 0; token.len < len; token.len++) {
            if (token.data[token.len] == '.') {
                if (++dots == 3) {
                    break;
                }

            } else if (!base64url(token.data[token.len])) {
                break;
            }
        }

        rest->data = token.data + token.len;
        rest->len = len - token.len;

        if (dots >= 2) {
            return token;
        }
    }
}


/* the account of a token that was signed with our key: 1, or 0 for any other */

static int
account_of(akl_str_t token, char *namespace, char *account)
{
    int        signed_;
    char       sub[256];
    akl_str_t  s;
    akl_jws_t  jws;

    signed_ = 0;

    if (akl_jws_parse(&jws, token) == AKL_JWS_OK
        && akl_jws_verify_set(&jws, &keys, 1, NULL) == AKL_JWS_OK)
    {
        signed_ = 1;
        check(akl_doc_string(&jws.payload, jws.payload.nodes, "sub", &s) == 0);
        check(s.len < sizeof(sub));
        memcpy(sub, s.data, s.len);
        sub[s.len] = '\0';
        check(sscanf(sub, "system:serviceaccount:%63[^:]:%63[^:]", namespace,
                     account)
              == 2);
    }

    akl_jws_clear(&jws);

    return signed_;
}


/* the request brought that token, in whatever wrapping */

static int
came_with(const char *token)
{
    size_t  i;

    for (i = 0; i < PODS; i++) {
        if (used[i] && strcmp(pods[i].token, token) == 0) {
            return 1;
        }
    }

    return memmem(request, request_len, token, strlen(token)) != NULL;
}


/*
 * Keeps what the API server has vouched for, since verdicts are kept too;
 * 1 where it gave raw answers, and nobody knows.
 */

static int
remember(void)
{
    int                   loose;
    size_t                i;
    const api_vouched_t  *one;

    for (i = 0; (one = api_vouched(i, &loose)); i++) {
        kept[kept_n++ % KEPT] = *one;
    }

    fresh = i;

    return loose;
}


/*
 * Whether the account was vouched for: by an answer to this request's review,
 * or by one before it, about a token that this request has brought as well.
 */

static int
may_have(const char *namespace, const char *account)
{
    size_t                i, n;
    const api_vouched_t  *one;

    n = (kept_n < KEPT) ? kept_n : KEPT;

    for (i = 1; i <= n; i++) {
        one = &kept[(kept_n - i) % KEPT];

        if (strcmp(one->namespace, namespace) == 0
            && strcmp(one->account, account) == 0
            && (i <= fresh || came_with(one->token)))
        {
            return 1;
        }
    }

    return 0;
}


static void
judge(void)
{
    int        loose;
    char       namespace[API_NAME], account[API_NAME];
    size_t     n;
    akl_str_t  rest, token;

    n = 0;
    loose = remember();
    rest = (akl_str_t) { answer_len, answer };

    for (token = next_token(&rest); token.len; token = next_token(&rest)) {

        if (memmem(request, request_len, token.data, token.len)) {
            continue;
        }

        if (account_of(token, namespace, account)) {
            check(strncmp(namespace, "my-namespace-", 13) == 0);
            check(loose || may_have(namespace, account));
            n++;
        }
    }

    /* who got past a guard had a token of ours, or was given one */

    if (n == 0 && memmem(answer, answer_len, secret, sizeof(secret) - 1)) {
        rest = (akl_str_t) { request_len, request };

        for (token = next_token(&rest);
             token.len && !account_of(token, namespace, account);
             token = next_token(&rest))
        {
            /* void */
        }

        check(token.len > 0);
    }
}


/*
 * No line of ours tells a token, or a part of it that tells anything; what
 * nginx adds, of the request as it came, begins behind "client:".
 */

static void
no_token_logged(void)
{
    char    *line, *next, *end;
    size_t   i;

    static char  text[256 * 1024];

    (void) engine_log(text, sizeof(text));

    for (line = text; line; line = next) {
        next = strchr(line, '\n');

        if (next) {
            *next++ = '\0';
        }

        /* nginx tells a header line as it came, where it makes no sense */

        line = strstr(line, "#0: *");
        line = line ? strchr(line + 5, ' ') : NULL;
        end = line ? strstr(line, ", client: ") : NULL;

        if (end == NULL || strncmp(line, " akl_k8s", 8) != 0) {
            continue;
        }

        *end = '\0';

        for (i = 0; i < PODS; i++) {
            check(strstr(line, strchr(pods[i].token, '.') + 1) == NULL);
        }

        for (i = 0; i < 3; i++) {
            check(strstr(line, strrchr(minted[i], '.')) == NULL);
        }
    }
}


static void
mint(size_t i, const char *path, const api_pod_t *pod)
{
    char       namespace[API_NAME], account[API_NAME];
    time_t     until;
    akl_str_t  rest, token;

    request_len = 0;
    request_put("GET ");
    request_put(path);
    request_put(" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ");
    request_put(pod->token);
    request_put("\r\n\r\n");

    until = time(NULL) + PATIENCE;

    /* an outage is one of this machine: it is slow; nobody is refused */

    do {
        api_script(NULL, 0);
        ask(0);
        (void) remember();
        check(time(NULL) < until);

    } while (strncmp((char *) answer, "HTTP/1.1 5", 10) == 0);

    rest = (akl_str_t) { answer_len, answer };

    for (token = next_token(&rest);
         !account_of(token, namespace, account);
         token = next_token(&rest))
    {
        check(token.len > 0);
    }

    check(strcmp(namespace, pod->namespace) == 0);
    check(strcmp(account, pod->account) == 0);
    check(token.len < sizeof(minted[i]));
    memcpy(minted[i], token.data, token.len);
    minted[i][token.len] = '\0';
}


static void
mint_all(void)
{
    request_pods();
    mint(0, "/exchange", &pods[A]);
    mint(1, "/exchange", &pods[B]);
    mint(2, "/exchange2", &pods[A]);
}


static void
setup(void)
{
    int          port;
    BIO         *bio;
    char        *pem;
    long         len;
    size_t       i;
    const char  *err;

    static const char *const  files[] = {
        "www/guard", "www/require", "www/source", "www/exchange",
        "www/exchange2"
    };

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        engine_file(files[i], secret);
    }

    port = api_start(engine_path("tls.pem"));
    engine_start(http, port, port, engine_dir());

    amcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_akl_k8s_module);

    bio = BIO_new(BIO_s_mem());
    check(bio != NULL && PEM_write_bio_PUBKEY(bio, engine_key()) == 1);
    len = BIO_get_mem_data(bio, &pem);
    check(akl_jwk_public_from_pem(&key,
                              (akl_str_t) { (size_t) len,
                                            (unsigned char *) pem }, &err)
          == 0);
    BIO_free(bio);

    mint_all();
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t      leaves;
    akl_str_t   rest, line, script;
    ngx_uint_t  revoked;

    if (amcf == NULL) {
        setup();
    }

    rest.data = data;
    rest.len = size;

    line = fuzz_cut(&rest, '\n');
    leaves = (line.len == 1 && line.data[0] >= '0' && line.data[0] <= '9')
             ? line.data[0] - '0' : 0;

    script.data = rest.data;

    do {
        line = fuzz_cut(&rest, '\n');
    } while (line.len);

    script.len = (size_t) (line.data - script.data);

    request_expand(rest);
    api_script(script.data, script.len);
    revoked = revocations();

    ask(leaves);
    judge();
    no_token_logged();

    if (revocations() != revoked) {
        mint_all();

    } else if (api_unasked()) {
        mint(0, "/exchange", &pods[A]);
    }

    return 0;
}
