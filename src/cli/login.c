/*
 * A login at the gateway.
 */

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "../jose/base64.h"
#include "../jose/json.h"
#include "../jose/jws.h"
#include "../k8s/credential.h"
#include "../k8s/time.h"
#include "file.h"
#include "json.h"
#include "keypair.h"
#include "login.h"
#include "out.h"
#include "peer.h"
#include "words.h"


#define AKL_LOGIN_JWT  "urn:ietf:params:oauth:token-type:jwt"


static const struct {
    const char  *dialect;
    const char  *path;
    const char  *end;                   /* a URL that ends so has it all */
} akl_login_paths[] = {
    { "akeyless", "/v2/auth", "/auth" },
    { "vault", "/v1/auth/kubernetes/login", "/login" },
    { "oauth", "/token", "/token" },
    { "bearer", "/v2/auth", "/auth" },
    { NULL, NULL, NULL }
};


static int
akl_login_ends(const char *text, const char *end)
{
    size_t  n, len;

    n = strlen(text);
    len = strlen(end);

    return n >= len && strcmp(text + n - len, end) == 0;
}


static void
akl_login_path(akl_args_t *args, akl_login_t *login)
{
    char        *p;
    size_t       i;
    const char  *path;

    path = akl_opt(args, "auth-path");

    if (path) {
        login->path = (*path == '/' || *path == '\0')
                      ? path : akl_mem_printf("/%s", path);
        return;
    }

    for (i = 0; strcmp(akl_login_paths[i].dialect, login->dialect) != 0; i++) {
        /* void */
    }

    login->path = akl_login_paths[i].path;

    /* "https://gw/v2" and "https://gw/v2/auth" are what people have */

    p = strstr(login->peer.url, "://") + 3;
    p = strchr(p, '/');

    if (p && akl_login_ends(p, akl_login_paths[i].end)) {
        login->path = "";

    } else if (p && akl_login_ends(p, "/v2")
               && strcmp(login->path, "/v2/auth") == 0)
    {
        login->path = "/auth";
    }
}


int
akl_login_options(akl_args_t *args, akl_login_t *login)
{
    int  rc;

    memset(login, 0, sizeof(akl_login_t));

    login->dialect = akl_opt_or(args, "dialect", "akeyless");
    login->access_id = akl_opt(args, "access-id");
    login->config = akl_opt(args, "k8s-auth-config-name");
    login->role = akl_opt(args, "role");
    login->audience = akl_opt(args, "audience");

    rc = akl_peer_gateway(args, "the pod's token", &login->peer);
    if (rc != 0) {
        return rc;
    }

    login->peer.proxy = akl_opt(args, "proxy");

    akl_login_path(args, login);

    return 0;
}


const char *
akl_login_token(const char *path, akl_str_t *token)
{
    size_t          i, len;
    ssize_t         n;
    const char     *cause;
    unsigned char  *data, *raw;

    cause = akl_file_read(path, token);

    if (cause) {
        return cause;
    }

    len = token->len;
    data = (unsigned char *) akl_mem_strn(token->data, len);

    if (len > 7 && strncasecmp((char *) data, "Bearer ", 7) == 0) {
        data += 7;
        len -= 7;
    }

    for (i = 0; i < len && data[i] != '.'; i++) { /* void */ }

    if (i == len && len) {

        /* base64 knows no dots, a JWT is nothing without them */

        raw = akl_mem(akl_base64_decoded_len(len) + 1);
        n = akl_base64_decode(raw, (akl_str_t) { len, data });

        if (n > 0 && memchr(raw, '.', (size_t) n)) {
            data = raw;
            len = (size_t) n;
        }
    }

    cause = akl_credential_normalize(AKL_CREDENTIAL_TEXT, &data, &len);

    token->data = (unsigned char *) akl_mem_strn(data, len);
    token->len = len;

    return cause;
}


static void
akl_login_form(akl_buf_t *buf, const char *name, akl_str_t value)
{
    size_t         i;
    unsigned char  ch;

    akl_buf_printf(buf, "%s%s=", buf->len ? "&" : "", name);

    for (i = 0; i < value.len; i++) {
        ch = value.data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9') || strchr("-._~", ch))
        {
            akl_buf_add(buf, &ch, 1);

        } else {
            akl_buf_printf(buf, "%%%02X", ch);
        }
    }
}


static void
akl_login_json(akl_buf_t *buf, const char *const *pairs)
{
    akl_json_out_t   out;
    const char     *const *pair;

    /* twice: to measure, and to write */

    for ( ;; ) {
        akl_json_out_init(&out, (unsigned char *) buf->data, buf->size);
        akl_json_out_open(&out, NULL, '{');

        for (pair = pairs; pair[0]; pair += 2) {
            akl_json_out_str(&out, pair[0], akl_str_of(pair[1] ? pair[1]
                                                               : ""));
        }

        akl_json_out_close(&out, '}');

        if (buf->data) {
            buf->len = out.len;
            return;
        }

        buf->size = out.len;
        buf->data = akl_mem(out.len + 1);
    }
}


static void
akl_login_ask(const akl_login_t *login, akl_str_t token, akl_buf_t *body,
    akl_buf_t *path, akl_http_request_t *request)
{
    const char  *role;
    const char  *akeyless[] = {
        "access-type", "k8s", "access-id", login->access_id,
        "k8s-auth-config-name", login->config, "k8s-service-account-token",
        akl_keypair_base64(token), NULL
    };
    const char  *vault[] = { "role", NULL, "jwt", (const char *) token.data,
                             NULL };

    akl_buf_puts(path, login->path);

    request->method = "POST";
    request->content_type = "application/json";

    if (strcmp(login->dialect, "akeyless") == 0) {
        akl_login_json(body, akeyless);

    } else if (strcmp(login->dialect, "vault") == 0) {
        role = login->role;

        if (role == NULL && login->access_id) {
            role = akl_keypair_base64(akl_str_of(akl_mem_printf("%s..%s",
                                                 login->access_id,
                                                 login->config)));
        } else if (role == NULL) {
            role = login->config;
        }

        vault[1] = role;
        akl_login_json(body, vault);

    } else if (strcmp(login->dialect, "oauth") == 0) {
        request->content_type = "application/x-www-form-urlencoded";

        akl_login_form(body, "grant_type",
                       akl_str("urn:ietf:params:oauth:grant-type:"
                               "token-exchange"));
        akl_login_form(body, "subject_token_type", akl_str(AKL_LOGIN_JWT));
        akl_login_form(body, "subject_token", token);

        if (login->config) {
            akl_login_form(body, "client_id", akl_str_of(login->config));
        }

        if (login->audience) {
            akl_login_form(body, "audience", akl_str_of(login->audience));
        }

    } else {
        request->content_type = NULL;
        request->bearer = (const char *) token.data;

        if (login->config) {
            akl_buf_t  query;

            memset(&query, 0, sizeof(akl_buf_t));
            akl_login_form(&query, "k8s-auth-config-name",
                           akl_str_of(login->config));
            akl_buf_printf(path, "?%s", query.data);
        }
    }

    request->path = path->data;
    request->body.data = (unsigned char *) body->data;
    request->body.len = body->len;
}


/* what a token may be made of: it goes to a terminal and into headers */

static int
akl_login_sound(akl_str_t token)
{
    size_t  i;

    for (i = 0; i < token.len; i++) {
        if (token.data[i] <= ' ' || token.data[i] >= 0x7f) {
            return 0;
        }
    }

    return token.len != 0;
}


static void
akl_login_good(json_t *object, akl_login_result_t *result)
{
    int64_t      life, exp;
    json_t      *auth;
    akl_jws_t    jws;
    akl_str_t    token, text;

    auth = json_object_get(object, "auth");
    life = 0;

    if (akl_json_string(object, "token", &token) == 0) {

        if (akl_json_string(object, "expiration", &text) == 0) {
            (void) akl_time_parse(text, &result->expires);
        }

    } else if (akl_json_string(object, "access_token", &token) == 0) {
        (void) akl_json_time(object, "expires_in", &life);

    } else if (auth && akl_json_string(auth, "client_token", &token) == 0) {
        (void) akl_json_time(auth, "lease_duration", &life);

    } else {
        return;
    }

    if (!akl_login_sound(token)) {
        return;
    }

    result->token = akl_mem_strn(token.data, token.len);

    if (life) {
        result->expires = (int64_t) time(NULL) + life;
    }

    /* the token's own word, by its own clock, where the answer has none */

    if (result->expires == 0
        && akl_jws_parse(&jws, akl_str_of(result->token)) == AKL_JWS_OK)
    {
        if (akl_doc_time(&jws.payload, jws.payload.nodes, "exp", &exp) == 0) {
            result->expires = exp;
        }

        akl_jws_clear(&jws);
    }
}


static void
akl_login_bad(json_t *object, const akl_http_answer_t *answer,
    akl_login_result_t *result)
{
    json_t      *errors;
    akl_str_t    text, reason, id;

    text = akl_str("");

    if (akl_json_string(object, "error_description", &text) != 0
        && akl_json_string(object, "error", &text) != 0)
    {
        errors = json_array_get(json_object_get(object, "errors"), 0);

        if (json_is_string(errors)) {
            text.data = (const unsigned char *) json_string_value(errors);
            text.len = json_string_length(errors);
        }
    }

    if (akl_json_string(object, "reason", &reason) != 0) {
        reason = akl_str("");
    }

    if (akl_json_string(object, "request_id", &id) != 0) {
        id = akl_str("");
    }

    result->reason = akl_reason_find(reason);

    result->error = akl_mem_printf("%s (%s%s%ld%s%s)",
                        text.len ? akl_clean(text) : "no login",
                        akl_clean(reason), reason.len ? ", " : "",
                        answer->status, id.len ? ", request " : "",
                        akl_clean(id));

    if (result->reason != AKL_REASON_N) {
        result->cure = akl_words_cure(result->reason);
    }
}


void
akl_login(const akl_login_t *login, akl_str_t token,
    akl_login_result_t *result)
{
    json_t              *object;
    akl_buf_t            body, path;
    akl_http_answer_t    answer;
    akl_http_request_t   request;

    memset(result, 0, sizeof(akl_login_result_t));
    memset(&request, 0, sizeof(akl_http_request_t));
    memset(&body, 0, sizeof(akl_buf_t));
    memset(&path, 0, sizeof(akl_buf_t));

    result->reason = AKL_REASON_N;

    akl_login_ask(login, token, &body, &path, &request);

    akl_http(&login->peer, &request, &answer);

    result->retry_after = answer.retry_after;
    result->date = answer.date;

    if (answer.phase != AKL_HTTP_OK) {
        result->exit = AKL_EXIT_UNREACHABLE;
        result->again = (answer.phase != AKL_HTTP_TLS);
        result->error = akl_mem_printf("%s%s: %s", login->peer.url,
                                       login->path, answer.error);

        if (answer.phase == AKL_HTTP_TLS && login->peer.ca.len == 0) {
            result->cure = "--gateway-ca-cert FILE names the gateway's own CA";
        }

        return;
    }

    object = akl_json_object(answer.body);

    if (answer.status == 200 && object) {
        akl_login_good(object, result);
        json_decref(object);

        if (result->token) {
            return;
        }

        result->exit = AKL_EXIT_REFUSED;
        result->error = "the answer has no token";
        result->cure = "the URL is no location with akl_k8s_auth of this "
                       "dialect: see --auth-path, --dialect";
        return;
    }

    result->exit = (answer.status >= 500 || answer.status == 429)
                   ? AKL_EXIT_UNREACHABLE : AKL_EXIT_REFUSED;
    result->again = (answer.status == 503 || answer.status == 504
                     || answer.status == 429);

    if (object) {
        akl_login_bad(object, &answer, result);
        json_decref(object);

    } else {
        result->error = akl_mem_printf("%s%s answered %ld, not as a gateway "
                                       "does%s%s", login->peer.url,
                                       login->path, answer.status,
                                       answer.location ? "; redirects are not "
                                       "followed, this one goes to " : "",
                                       answer.location
                                       ? akl_clean(akl_str_of(answer.location))
                                       : "");
        result->cure = "--gateway-url and --auth-path have to lead to a "
                       "location with akl_k8s_auth";
    }
}
