/*
 * Requests to log in, in each dialect: whatever is taken names a config that
 * there is and carries a token, the one that a second reading finds in the
 * body, by jansson or a second decoder of forms, and by OpenSSL where it is in
 * base64; whatever is not taken has a reason.
 *
 * An input is a line with the dialect, "a", "v" or "o", in capitals where the
 * location settles the config; one with the Content-Type; one with the
 * Authorization; and the body.
 */

#include <ctype.h>

#include "../../../src/cli/json.h"
#include "../../../src/http/login/endpoint.h"
#include "../form.h"
#include "engine.h"


#define TEXT_MAX_  (2 * NGX_HTTP_AKL_K8S_BODY_MAX)


static void
setup(void)
{
    engine_start(
        "akl_k8s_auth_method p-kmx8x116z7j9km { }\n"
        "akl_k8s_auth_config one {\n"
        "    access_id p-kmx8x116z7j9km; signing_key signing.pem;\n"
        "    k8s_host https://127.0.0.1:6443; k8s_ca_cert tls.pem;\n"
        "    token_reviewer_jwt reviewer; k8s_issuer api;\n"
        "    token_audience items bills;\n"
        "}\n"
        "akl_k8s_auth_config two {\n"
        "    access_id p-kmx8x116z7j9km; signing_key signing.pem;\n"
        "    k8s_host https://127.0.0.1:6443; k8s_ca_cert tls.pem;\n"
        "    token_reviewer_jwt reviewer; k8s_issuer api;\n"
        "}\n"
        "server { listen unix:%s/socket;\n"
        "    location = /any { akl_k8s_auth; }\n"
        "    location = /one { akl_k8s_auth config=one; } }\n",
        engine_dir());
}


/* what clients wrap a token in is taken off by other means */

static akl_str_t
unwrapped(akl_str_t value)
{
    int                   n;
    size_t                i, len, pad;
    static unsigned char  text[TEXT_MAX_], bytes[TEXT_MAX_];

    while (value.len && value.data[0] <= ' ') {
        value.data++;
        value.len--;
    }

    while (value.len && value.data[value.len - 1] <= ' ') {
        value.len--;
    }

    if (memchr(value.data, '.', value.len)) {
        return value;
    }

    len = 0;

    for (i = 0; i < value.len; i++) {
        if (!isspace(value.data[i]) && value.data[i] != '=') {
            text[len++] = value.data[i];
        }
    }

    for (pad = 0; (len + pad) % 4; pad++) {
        text[len + pad] = '=';
    }

    n = EVP_DecodeBlock(bytes, text, (int) (len + pad));
    check(n >= (int) pad);

    value.data = bytes;
    value.len = (size_t) n - pad;

    while (value.len && value.data[value.len - 1] <= ' ') {
        value.len--;
    }

    return value;
}


static akl_str_t
member(json_t *body, const char *name)
{
    json_t  *value;

    value = json_object_get(body, name);

    return (akl_str_t) { json_string_length(value),
                         (unsigned char *) json_string_value(value) };
}


static void
by_jansson(ngx_http_akl_k8s_form_t *form, akl_str_t text, int vault,
    int settled)
{
    json_t     *body;
    akl_str_t   token, name;

    body = akl_json_object(text);
    check(body != NULL);

    token = unwrapped(member(body, vault ? "jwt"
                                         : "k8s-service-account-token"));
    check(akl_str_eq(token, ngx_http_akl_k8s_str(&form->token)));

    if (!vault) {
        name = member(body, "k8s-auth-config-name");

        check(akl_str_eq(member(body, "access-type"), akl_str("k8s")));
        check(akl_str_eq(member(body, "access-id"),
                         ngx_http_akl_k8s_str(&form->config->access_id)));
        check(settled
              || akl_str_eq(name, ngx_http_akl_k8s_str(&form->config->name)));
    }

    json_decref(body);
}


static void
by_form(ngx_http_akl_k8s_form_t *form, akl_str_t text)
{
    int        i, n, found;
    akl_str_t  token;

    static pair_t         pairs[PAIRS];
    static unsigned char  copy[TEXT_MAX_];

    n = plainly(text.data, text.len, copy, pairs);
    check(n >= 0);

    found = 0;

    for (i = 0; i < n; i++) {
        if (pairs[i].name_len == 13
            && memcmp(pairs[i].name, "subject_token", 13) == 0)
        {
            found++;
            token = (akl_str_t) { pairs[i].value_len, pairs[i].value };
            check(akl_str_eq(unwrapped(token),
                             ngx_http_akl_k8s_str(&form->token)));
        }
    }

    check(found == 1);
}


static ngx_table_elt_t *
header(ngx_http_request_t *r, const char *name, akl_str_t value)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    if (value.len == 0) {
        return NULL;
    }

    h = ngx_list_push(&r->headers_in.headers);
    p = ngx_pnalloc(r->pool, value.len + 1);
    check(h != NULL && p != NULL);

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    ngx_memcpy(p, value.data, value.len);
    p[value.len] = '\0';

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = p;
    h->value.len = value.len;

    return h;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                                settled;
    akl_str_t                          rest, kind, type, authorization;
    ngx_str_t                          body;
    ngx_http_request_t                *r;
    ngx_http_akl_k8s_form_t            form;
    const ngx_http_akl_k8s_dialect_t  *dialect;

    static int  started;

    if (!started) {
        started = 1;
        setup();
    }

    rest.data = data;
    rest.len = size;

    kind = fuzz_cut(&rest, '\n');
    type = fuzz_cut(&rest, '\n');
    authorization = fuzz_cut(&rest, '\n');

    if (kind.len != 1 || rest.len > NGX_HTTP_AKL_K8S_BODY_MAX) {
        return 0;
    }

    switch (kind.data[0] | 0x20) {

    case 'a':
        dialect = &ngx_http_akl_k8s_akeyless;
        break;

    case 'v':
        dialect = &ngx_http_akl_k8s_vault;
        break;

    case 'o':
        dialect = &ngx_http_akl_k8s_oauth;
        break;

    default:
        return 0;
    }

    settled = (kind.data[0] < 'a');

    r = engine_request(settled ? "/one" : "/any");
    r->method = NGX_HTTP_POST;
    r->headers_in.content_type = header(r, "Content-Type", type);
    r->headers_in.authorization = header(r, "Authorization", authorization);

    body.data = ngx_pnalloc(r->pool, rest.len);
    check(body.data != NULL);
    body.len = rest.len;

    if (rest.len) {
        ngx_memcpy(body.data, rest.data, rest.len);
    }

    ngx_memzero(&form, sizeof(ngx_http_akl_k8s_form_t));

    dialect->parse(r, &body, &form);

    check(form.reason < AKL_REASON_N);
    check(form.reason != AKL_INTERNAL_ERROR);
    check(ngx_http_akl_k8s_form_sentence(&form).len > 0);

    if (form.reason == AKL_OK) {
        check(form.config != NULL && form.token.len > 0);
        check(!settled || form.config->name.len == 3);

        if (dialect == &ngx_http_akl_k8s_oauth) {
            by_form(&form, rest);

        } else if (rest.len || dialect == &ngx_http_akl_k8s_vault) {
            by_jansson(&form, rest, dialect == &ngx_http_akl_k8s_vault,
                       settled);
        }
    }

    engine_request_free(r);

    return 0;
}
