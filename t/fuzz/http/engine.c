/*
 * A whole nginx in this process: see the header.
 */

#include <ftw.h>
#include <stdarg.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sanitizer/lsan_interface.h>

#include "engine.h"


#define ANSWER_MAX  (1024 * 1024)


static char       dir[] = "/tmp/akl-fuzz-XXXXXX";
static EVP_PKEY  *signing;

unsigned char  *engine_answer;
size_t          engine_answer_len;


static int
forget(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) remove(path);

    return 0;
}


static void
clean(void)
{
    (void) nftw(dir, forget, 8, FTW_DEPTH|FTW_PHYS);
}


const char *
engine_path(const char *name)
{
    static char  path[sizeof(dir) + 64];

    check(snprintf(path, sizeof(path), "%s/%s", engine_dir(), name)
          < (int) sizeof(path));

    return path;
}


void
engine_file(const char *name, const char *text)
{
    FILE  *f;

    f = fopen(engine_path(name), "w");
    check(f != NULL);
    check(fputs(text, f) >= 0 && fclose(f) == 0);
}


static void
put_pem(const char *name, EVP_PKEY *key, X509 *cert)
{
    FILE  *f;

    f = fopen(engine_path(name), "w");
    check(f != NULL);
    check(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
    check(cert == NULL || PEM_write_X509(f, cert) == 1);
    check(fclose(f) == 0 && chmod(engine_path(name), 0600) == 0);
}


static X509 *
certificate(EVP_PKEY *key)
{
    X509            *cert;
    X509_NAME       *name;
    X509_EXTENSION  *ext;

    cert = X509_new();
    check(cert != NULL);
    check(X509_set_version(cert, 2) == 1);
    check(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1);
    check(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL);
    check(X509_gmtime_adj(X509_getm_notAfter(cert), 30 * 24 * 3600) != NULL);
    check(X509_set_pubkey(cert, key) == 1);

    name = X509_get_subject_name(cert);
    check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                     (unsigned char *) "api", -1, -1, 0)
          == 1);
    check(X509_set_issuer_name(cert, name) == 1);

    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                              "IP:127.0.0.1");
    check(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
    X509_EXTENSION_free(ext);

    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                              "critical,CA:TRUE");
    check(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
    X509_EXTENSION_free(ext);

    check(X509_sign(cert, key, EVP_sha256()) > 0);

    return cert;
}


const char *
engine_dir(void)
{
    X509      *cert;
    EVP_PKEY  *key;

    if (signing) {
        return dir;
    }

    check(mkdtemp(dir) != NULL);
    check(atexit(clean) == 0);

    signing = EVP_EC_gen("P-256");
    check(signing != NULL);
    check(mkdir(engine_path("www"), 0700) == 0);
    put_pem("signing.pem", signing, NULL);

    key = EVP_EC_gen("P-256");
    check(key != NULL);
    cert = certificate(key);
    put_pem("tls.pem", key, cert);
    X509_free(cert);
    EVP_PKEY_free(key);

    /* {"alg":"RS256"}, {} */

    engine_file("reviewer", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA");

    return dir;
}


EVP_PKEY *
engine_key(void)
{
    return signing;
}


static ngx_int_t
keep_header(ngx_http_request_t *r)
{
    r->header_sent = 1;

    return NGX_OK;
}


static ngx_int_t
keep_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    size_t  n;

    for ( /* void */ ; in; in = in->next) {
        n = in->buf->last - in->buf->pos;
        check(n <= ANSWER_MAX - engine_answer_len);

        if (n) {
            ngx_memcpy(engine_answer + engine_answer_len, in->buf->pos, n);
            engine_answer_len += n;
        }
    }

    return NGX_OK;
}


static void
tell(const char *path)
{
    int    ch;
    FILE  *f;

    f = fopen(path, "r");
    check(f != NULL);

    while ((ch = getc(f)) != EOF) {
        (void) putc(ch, stderr);
    }

    (void) fclose(f);
}


void
engine_start(const char *http, ...)
{
    FILE             *f;
    va_list           args;
    ngx_int_t         i;
    ngx_log_t        *log;
    ngx_cycle_t      *cycle;
    ngx_core_conf_t  *ccf;

    static char         prefix[sizeof(dir) + 1], conf[sizeof(dir) + 16];
    static char         errors[sizeof(dir) + 16];
    static char        *argv[] = { "fuzz", NULL };
    static ngx_cycle_t  first;

    (void) engine_dir();
    (void) ngx_sprintf((u_char *) prefix, "%s/%Z", dir);
    (void) ngx_sprintf((u_char *) conf, "%s/nginx.conf%Z", dir);

    (void) ngx_sprintf((u_char *) errors, "%s/log%Z", dir);

    f = fopen(conf, "w");
    check(f != NULL);

    fprintf(f, "daemon off;\nmaster_process off;\npid %s/pid;\n"
            "error_log %s/log info;\n"
            "events { worker_connections 512; }\n"
            "http {\naccess_log off;\nroot %s/www;\n", dir, dir, dir);

    va_start(args, http);
    vfprintf(f, http, args);
    va_end(args);

    fprintf(f, "}\n");
    check(fclose(f) == 0);

    (void) signal(SIGPIPE, SIG_IGN);

    ngx_strerror_init();
    ngx_time_init();
#if (NGX_PCRE)
    ngx_regex_init();
#endif
    ngx_pid = ngx_getpid();
    ngx_parent = ngx_getppid();

    log = ngx_log_init((u_char *) prefix, (u_char *) errors);
    check(log != NULL);
    ngx_ssl_init(log);

    first.log = log;
    ngx_cycle = &first;

    first.pool = ngx_create_pool(1024, log);
    check(first.pool != NULL);

    first.error_log.data = (u_char *) errors;
    first.error_log.len = ngx_strlen(errors);
    ngx_str_set(&first.conf_param, "");
    first.prefix.data = (u_char *) prefix;
    first.prefix.len = ngx_strlen(prefix);
    first.conf_prefix = first.prefix;
    first.conf_file.data = (u_char *) conf;
    first.conf_file.len = ngx_strlen(conf);

    ngx_os_argv = argv;
    ngx_argv = argv;
    ngx_argc = 1;

    /* the environment is copied once, and nobody keeps where it is */

    __lsan_disable();
    check(ngx_os_init(log) == NGX_OK);
    __lsan_enable();

    check(ngx_crc32_table_init() == NGX_OK);
    ngx_slab_sizes_init();
    check(ngx_preinit_modules() == NGX_OK);

    ngx_process = NGX_PROCESS_SINGLE;

    cycle = ngx_init_cycle(&first);

    if (cycle == NULL) {
        tell(errors);
        abort();
    }

    ngx_cycle = cycle;
    ngx_use_stderr = 0;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    check(ccf->daemon == 0 && ccf->master == 0);

    for (i = 0; cycle->modules[i]; i++) {
        if (cycle->modules[i]->init_process) {
            check(cycle->modules[i]->init_process(cycle) == NGX_OK);
        }
    }
}


size_t
engine_log(char *buf, size_t size)
{
    ssize_t  n;

    static int  fd = -1;

    if (fd == -1) {
        fd = open(engine_path("log"), O_RDWR);
        check(fd != -1);
    }

    n = pread(fd, buf, size - 1, 0);
    check(n >= 0 && ftruncate(fd, 0) == 0);
    buf[n] = '\0';

    return (size_t) n;
}


static void
nothing(ngx_event_t *ev)
{
}


void
engine_turn(ngx_msec_t msec)
{
    static ngx_event_t       ev;
    static ngx_connection_t  c;

    ev.handler = nothing;
    ev.log = ngx_cycle->log;
    ev.data = &c;
    ev.cancelable = 1;
    c.fd = (ngx_socket_t) -1;

    ngx_add_timer(&ev, msec);
    ngx_process_events_and_timers((ngx_cycle_t *) ngx_cycle);

    if (ev.timer_set) {
        ngx_del_timer(&ev);
    }
}


/* the settings of a location that is called by exactly that name */

static void **
settings(ngx_http_location_tree_node_t *node, const char *name)
{
    void    **found;
    size_t    len;

    len = ngx_strlen(name);

    if (node == NULL) {
        return NULL;
    }

    if (node->exact && node->exact->name.len == len
        && ngx_memcmp(node->exact->name.data, name, len) == 0)
    {
        return node->exact->loc_conf;
    }

    found = settings(node->left, name);
    found = found ? found : settings(node->right, name);

    return found ? found : settings(node->tree, name);
}


ngx_http_request_t *
engine_request(const char *location)
{
    ngx_pool_t                  *pool;
    ngx_http_request_t          *r;
    ngx_http_conf_ctx_t         *ctx;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_core_srv_conf_t   **server;
    ngx_http_core_main_conf_t   *cmcf;

    if (engine_answer == NULL) {
        engine_answer = malloc(ANSWER_MAX);
        check(engine_answer != NULL);

        ngx_http_top_header_filter = keep_header;
        ngx_http_top_body_filter = keep_body;
    }

    engine_answer_len = 0;

    cmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_core_module);
    server = cmcf->servers.elts;
    ctx = server[0]->ctx;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    check(pool != NULL);

    r = ngx_pcalloc(pool, sizeof(ngx_http_request_t));
    check(r != NULL);

    r->signature = NGX_HTTP_MODULE;
    r->pool = pool;
    r->main = r;
    r->count = 1;
    r->method = NGX_HTTP_GET;
    r->http_version = NGX_HTTP_VERSION_11;
    r->discard_body = 1;
    r->start_sec = ngx_time();

    r->connection = ngx_pcalloc(pool, sizeof(ngx_connection_t));
    r->ctx = ngx_pcalloc(pool, sizeof(void *) * ngx_http_max_module);
    r->variables = ngx_pcalloc(pool, cmcf->variables.nelts
                                     * sizeof(ngx_http_variable_value_t));
    check(r->connection != NULL && r->ctx != NULL && r->variables != NULL);

    r->connection->log = ngx_cycle->log;
    r->connection->pool = pool;
    r->connection->fd = (ngx_socket_t) -1;
    r->connection->data = r;

    r->header_in = ngx_create_temp_buf(pool, 1024);
    r->http_connection = ngx_pcalloc(pool, sizeof(ngx_http_connection_t));
    check(r->header_in != NULL && r->http_connection != NULL);

    r->main_conf = ctx->main_conf;
    r->srv_conf = ctx->srv_conf;
    r->loc_conf = ctx->loc_conf;

    if (location) {
        clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];
        r->loc_conf = settings(clcf->static_locations, location);
        check(r->loc_conf != NULL);
    }

    check(ngx_list_init(&r->headers_in.headers, pool, 4,
                        sizeof(ngx_table_elt_t))
          == NGX_OK);
    check(ngx_list_init(&r->headers_out.headers, pool, 8,
                        sizeof(ngx_table_elt_t))
          == NGX_OK);
    check(ngx_list_init(&r->headers_out.trailers, pool, 4,
                        sizeof(ngx_table_elt_t))
          == NGX_OK);

    r->headers_in.content_length_n = -1;
    r->headers_out.content_length_n = -1;
    r->headers_out.last_modified_time = -1;

    return r;
}


void
engine_request_free(ngx_http_request_t *r)
{
    ngx_destroy_pool(r->pool);
}
