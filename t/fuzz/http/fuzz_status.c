/*
 * The status page in its three formats, with names that nobody would give:
 * the page's tags stay those that it has with plain names, JSON is read by
 * jansson, and each line for Prometheus is one; a name comes back as it was.
 *
 * An input is four lines: the names of an auth config, its access id, its API
 * server and a file of revocations.
 */

#include <jansson.h>

#include "../../../src/http/module.h"
#include "../../../src/http/status/status.h"
#include "../../../src/http/token/revocation_files.h"
#include "../../../src/jose/json.h"
#include "engine.h"


#define SHAPE_MAX  65536
#define NAME_MAX_  1024


static ngx_http_akl_k8s_config_t           *config;
static ngx_http_akl_k8s_revocation_file_t  *revoked;


static void
setup(void)
{
    ngx_http_akl_k8s_config_t    **configs;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    engine_file("revoked", "");

    engine_start(
        "akl_k8s_revocations %s/revoked;\n"
        "akl_k8s_auth_method p-kmx8x116z7j9km { }\n"
        "akl_k8s_auth_config one {\n"
        "    access_id p-kmx8x116z7j9km; signing_key signing.pem;\n"
        "    k8s_host https://127.0.0.1:6443; k8s_ca_cert tls.pem;\n"
        "    token_reviewer_jwt reviewer; k8s_issuer api;\n"
        "}\n"
        "akl_k8s_auth_config other {\n"
        "    access_id p-kmx8x116z7j9km; signing_key signing.pem;\n"
        "    k8s_host https://127.0.0.1:6443; k8s_ca_cert tls.pem;\n"
        "    token_reviewer_jwt reviewer; k8s_issuer api;\n"
        "}\n"
        "server { listen unix:%s/socket;\n"
        "    location = /status { akl_k8s_status; } }\n",
        engine_dir(), engine_dir());

    amcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_akl_k8s_module);
    configs = amcf->configs.elts;
    config = configs[0];
    revoked = amcf->revocation_files->elts;
}


static akl_str_t
answer(const char *args)
{
    ngx_http_request_t  *r;

    r = engine_request("/status");
    r->args.data = (u_char *) args;
    r->args.len = ngx_strlen(args);

    check(ngx_http_akl_k8s_status_handler(r) == NGX_OK);
    check(r->headers_out.status == NGX_HTTP_OK);
    check(r->headers_out.content_length_n == (off_t) engine_answer_len);

    engine_request_free(r);

    return (akl_str_t) { engine_answer_len, engine_answer };
}


static int
starts(akl_str_t text, const char *with)
{
    size_t  n = strlen(with);

    return text.len >= n && memcmp(text.data, with, n) == 0;
}


static void
skip(akl_str_t *text, size_t n)
{
    check(n <= text->len);
    text->data += n;
    text->len -= n;
}


/*
 * The one character that an entity of ours stands for, or what stands there:
 * nothing that could begin a tag or another entity.
 */

static unsigned char
character(akl_str_t *text)
{
    size_t         i;
    unsigned char  ch;

    static const struct {
        const char  *entity;
        char         ch;
    } entities[] = {
        { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' },
        { "&quot;", '"' }, { "&#39;", '\'' }
    };

    ch = text->data[0];

    if (ch != '&') {
        check(ch != '<' && ch != '>');
        skip(text, 1);
        return ch;
    }

    for (i = 0; !starts(*text, entities[i].entity); i++) {
        check(i + 1 < sizeof(entities) / sizeof(entities[0]));
    }

    skip(text, strlen(entities[i].entity));

    return (unsigned char) entities[i].ch;
}


/*
 * Goes through a page, strictly: each tag is closed in its turn, each value of
 * an attribute is in quotes.  Writes its shape, the tags and the names of
 * their attributes; and the first text in <h2> to "name".
 */

static size_t
page(akl_str_t text, char *shape, unsigned char *name, size_t *name_len)
{
    int         end, heading;
    size_t      n, len, depth, heads;
    akl_str_t   stack[64], tag;

    static const char  until[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    n = 0;
    depth = 0;
    heading = 0;
    heads = 0;
    *name_len = 0;

    check(starts(text, "<!DOCTYPE html>"));
    skip(&text, 15);

    while (text.len) {

        if (text.data[0] != '<') {
            len = *name_len;
            check(len < NAME_MAX_ * 8);

            name[len] = character(&text);

            if (heading && heads == 1) {
                *name_len = len + 1;
            }

            continue;
        }

        skip(&text, 1);
        end = starts(text, "/");
        skip(&text, end ? 1 : 0);

        tag.data = text.data;
        tag.len = 0;

        while (text.len && strchr(until, text.data[0]) && text.data[0]) {
            tag.len++;
            skip(&text, 1);
        }

        check(tag.len > 0 && n + tag.len + 2 < SHAPE_MAX);
        shape[n++] = end ? '/' : '<';
        memcpy(shape + n, tag.data, tag.len);
        n += tag.len;

        heading = (!end && akl_str_eq(tag, akl_str("h2")));
        heads += heading ? 1 : 0;

        while (starts(text, " ")) {
            skip(&text, 1);
            check(!end && n + 1 < SHAPE_MAX);
            shape[n++] = ' ';

            while (text.len && strchr(until, text.data[0]) && text.data[0]) {
                check(n + 1 < SHAPE_MAX);
                shape[n++] = (char) text.data[0];
                skip(&text, 1);
            }

            if (starts(text, "=")) {
                skip(&text, 1);
                check(starts(text, "\""));
                skip(&text, 1);

                while (!starts(text, "\"")) {
                    check(text.len > 0);
                    (void) character(&text);
                }

                skip(&text, 1);
            }
        }

        check(starts(text, ">"));
        skip(&text, 1);

        if (akl_str_eq(tag, akl_str("meta"))) {
            continue;
        }

        if (end) {
            check(depth > 0 && akl_str_eq(stack[depth - 1], tag));
            depth--;
            continue;
        }

        check(depth < 64);
        stack[depth++] = tag;

        /* what is in these is no markup: constant, and not ours to read */

        if (akl_str_eq(tag, akl_str("style"))
            || akl_str_eq(tag, akl_str("script")))
        {
            while (!starts(text, "</")) {
                skip(&text, 1);
            }
        }
    }

    check(depth == 0);

    return n;
}


static size_t
lines(akl_str_t text, akl_str_t name, size_t *ours)
{
    size_t         n, len;
    akl_str_t      line, value;
    unsigned char  label[NAME_MAX_ * 2];

    check(text.len && text.data[text.len - 1] == '\n');
    *ours = 0;

    for (n = 0; text.len; n++) {
        line = fuzz_cut(&text, '\n');

        if (starts(line, "# HELP ") || starts(line, "# TYPE ")) {
            continue;
        }

        check(starts(line, "nginx_akl_k8s_"));

        while (line.len && line.data[0] != '{' && line.data[0] != ' ') {
            check((line.data[0] >= 'a' && line.data[0] <= 'z')
                  || (line.data[0] >= '0' && line.data[0] <= '9')
                  || line.data[0] == '_');
            skip(&line, 1);
        }

        while (!starts(line, " ")) {
            check(starts(line, "{") || starts(line, ","));
            skip(&line, 1);

            value = line;

            while (line.len && line.data[0] >= 'a' && line.data[0] <= 'z') {
                skip(&line, 1);
            }

            value.len -= line.len;
            check(value.len > 0 && starts(line, "=\""));
            skip(&line, 2);

            for (len = 0; !starts(line, "\""); len++) {
                check(line.len > 0 && len < sizeof(label));
                label[len] = line.data[0];

                if (line.data[0] == '\\') {
                    skip(&line, 1);
                    check(line.len && (line.data[0] == '\\'
                                       || line.data[0] == '"'
                                       || line.data[0] == 'n'));
                    label[len] = (line.data[0] == 'n') ? '\n' : line.data[0];
                }

                skip(&line, 1);
            }

            skip(&line, 1);

            if (akl_str_eq(value, akl_str("config"))) {
                value.data = label;
                value.len = len;
                *ours += akl_str_eq(value, name);
            }

            if (starts(line, "}")) {
                skip(&line, 1);
                check(starts(line, " "));
            }
        }

        skip(&line, 1);
        check(line.len > 0);

        while (line.len) {
            check(strchr("0123456789.-", line.data[0]) && line.data[0]);
            skip(&line, 1);
        }
    }

    return n;
}


static int
is_text(akl_str_t s)
{
    size_t  i, n;

    for (i = 0; i < s.len; i += n) {
        n = akl_json_utf8(s.data + i, s.len - i);

        if (n == 0) {
            return 0;
        }
    }

    return 1;
}


/* a line of the input as nginx's parser has it: with a NUL behind it */

static akl_str_t
line_of(akl_str_t *rest, u_char *buf)
{
    akl_str_t  line;

    line = fuzz_cut(rest, '\n');
    line.len = (line.len < NAME_MAX_) ? line.len : NAME_MAX_;

    memcpy(buf, line.data ? line.data : buf, line.len);
    buf[line.len] = '\0';

    line.data = buf;
    line.len = strlen((char *) buf);

    return line;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t           i, n, len, ours;
    json_t          *json;
    akl_str_t        rest, name, text, lines_of[4];
    ngx_akl_host_t  *host;

    static char           shape[SHAPE_MAX], plain[SHAPE_MAX];
    static u_char         bufs[4][NAME_MAX_ + 1];
    static size_t         plain_len, plain_lines;
    static unsigned char  heading[NAME_MAX_ * 8 + 1];

    if (config == NULL) {
        setup();

        plain_len = page(answer("format=html"), plain, heading, &len);
        check(len == 3 && memcmp(heading, "one", 3) == 0);

        plain_lines = lines(answer("format=prometheus"), akl_str("one"),
                            &ours);
        check(ours > 10);
    }

    rest.data = data;
    rest.len = size;

    for (i = 0; i < 4; i++) {
        lines_of[i] = line_of(&rest, bufs[i]);
    }

    name = lines_of[0];
    host = config->hosts.elts;

    config->name = ngx_http_akl_k8s_ngx_str(&name);
    config->access_id = ngx_http_akl_k8s_ngx_str(&lines_of[1]);
    host->url = ngx_http_akl_k8s_ngx_str(&lines_of[2]);
    revoked->path = ngx_http_akl_k8s_ngx_str(&lines_of[3]);

    n = page(answer("format=html"), shape, heading, &len);
    check(n == plain_len && memcmp(shape, plain, n) == 0);
    check(len == name.len && memcmp(heading, name.data, len) == 0);

    check(lines(answer("format=prometheus"), name, &ours) == plain_lines);
    check(ours > 10);

    /* two of the same name are refused by nginx -t */

    text = answer("format=json");

    if (!akl_str_eq(name, akl_str("other"))) {
        json = json_loadb((const char *) text.data, text.len,
                          JSON_REJECT_DUPLICATES, NULL);
        check(json != NULL);

        if (is_text(name)) {
            check(json_object_get(json_object_get(json, "configs"),
                                  (char *) name.data)
                  != NULL);
        }

        json_decref(json);
    }

    return 0;
}
