/*
 * inspect: what a token says, and what the auth configs of an nginx.conf
 * would say to it.
 */

#include <time.h>

#include "../jose/base64.h"
#include "commands.h"
#include "inspect.h"
#include "json.h"
#include "login.h"
#include "out.h"
#include "words.h"


#define AKL_INSPECT_VALUE_MAX  2048     /* bytes of a value that are shown */


static int akl_inspect_run(akl_args_t *args);


static const akl_option_t  akl_inspect_options[] = {
    { "config", NULL, AKL_OPT_FILE, "FILE",
      "nginx.conf: what its auth configs would say" },
    { "k8s-auth-config-name", NULL, AKL_OPT_TEXT, "NAME",
      "only this auth config" },
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


const akl_command_t  akl_command_inspect = {
    "inspect",
    "what a token says, what the gateway would say to it",
    "[FILE...]",
    "Shows header, claims and times of a pod's token or a minted one, from a\n"
    "file or standard input.  Nothing is verified and nobody is asked; the\n"
    "signature is never printed.  With --config it goes through the checks\n"
    "that the gateway makes before it asks the cluster, step by step, and\n"
    "says what helps where one fails.",
    "  akl-k8s inspect --config /etc/nginx/nginx.conf pod.jwt\n"
    "  kubectl create token builder -n my-namespace-a | akl-k8s inspect -",
    akl_inspect_options,
    akl_inspect_run
};


/* header or claims, as far as they can be read: for a look, no more */

static json_t *
akl_inspect_part(akl_str_t token, size_t part)
{
    size_t         i, n;
    ssize_t        len;
    json_t        *object;
    akl_str_t      text;
    unsigned char *buf;

    text = token;

    for (n = 0; n < part; n++) {
        for (i = 0; i < text.len && text.data[i] != '.'; i++) { /* void */ }

        if (i == text.len) {
            return NULL;
        }

        text.data += i + 1;
        text.len -= i + 1;
    }

    for (i = 0; i < text.len && text.data[i] != '.'; i++) { /* void */ }

    text.len = i;

    if (text.len == 0) {
        return NULL;
    }

    buf = akl_mem(akl_base64_decoded_len(text.len) + 1);
    len = akl_base64url_decode(buf, text);

    if (len <= 0) {
        return NULL;
    }

    object = akl_json_object((akl_str_t) { (size_t) len, buf });

    return object;
}


static int
akl_inspect_is_time(const char *name)
{
    return strcmp(name, "exp") == 0 || strcmp(name, "iat") == 0
           || strcmp(name, "nbf") == 0 || strcmp(name, "warnafter") == 0;
}


static char *
akl_inspect_value(const char *name, json_t *value, int64_t now)
{
    char       *dump, *text;
    int64_t     when;

    if (json_is_integer(value) && akl_inspect_is_time(name)) {
        when = (int64_t) json_integer_value(value);

        /* what JSON can say and a calendar can not is shown as it is */

        if (when >= 0 && when < 253402300800) {
            return akl_mem_printf("%s, %s", akl_words_time(when),
                                  akl_words_when(when, now));
        }
    }

    if (json_is_string(value)) {
        return akl_clean_cut((akl_str_t) { json_string_length(value),
                                           (const unsigned char *)
                                           json_string_value(value) },
                             AKL_INSPECT_VALUE_MAX);
    }

    dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    text = akl_clean_cut(akl_str_of(dump ? dump : ""), AKL_INSPECT_VALUE_MAX);
    free(dump);

    return text;
}


static void
akl_inspect_object(json_t *object, int indent, int64_t now)
{
    int          width;
    char        *shown;
    json_t      *value;
    const char  *name;

    json_object_foreach (object, name, value) {

        shown = akl_clean(akl_str_of(name));

        if (json_is_object(value) && json_object_size(value)) {
            printf("%*s%s\n", indent, "", shown);
            akl_inspect_object(value, indent + 2, now);
            continue;
        }

        width = 22 - indent;

        printf("%*s%-*s %s\n", indent, "", width > 1 ? width : 1, shown,
               akl_inspect_value(name, value, now));
    }
}


static void
akl_inspect_show(akl_inspect_t *in)
{
    size_t      k;
    json_t     *parts[2];

    static const char  *titles[] = { "header", "claims" };

    parts[0] = in->header;
    parts[1] = in->claims;

    printf("%s%s%s\n", akl_style(stdout, AKL_BOLD), in->kind,
           akl_style(stdout, AKL_PLAIN));

    if (in->reason != AKL_OK) {
        printf("%s%s%s: %s\n", akl_style(stdout, AKL_RED),
               (char *) akl_reason_code(in->reason).data,
               akl_style(stdout, AKL_PLAIN), in->cause);
    }

    for (k = 0; k < 2; k++) {

        printf("\n%s%s%s\n", akl_style(stdout, AKL_BOLD), titles[k],
               akl_style(stdout, AKL_PLAIN));

        if (parts[k]) {
            akl_inspect_object(parts[k], 2, in->now);

        } else {
            printf("  cannot be read\n");
        }
    }

    printf("\n%ssignature%s\n  never shown, and not verified here\n",
           akl_style(stdout, AKL_BOLD), akl_style(stdout, AKL_PLAIN));
}


static json_t *
akl_inspect_json(akl_inspect_t *in)
{
    json_t      *object, *times, *value;
    const char  *name;

    object = json_object();

    json_object_set_new(object, "kind", json_string(in->kind));
    json_object_set_new(object, "reason",
        json_string((const char *) akl_reason_code(in->reason).data));

    if (in->reason != AKL_OK) {
        json_object_set_new(object, "cause", json_string(in->cause));
    }

    json_object_set(object, "header", in->header ? in->header : json_null());
    json_object_set(object, "claims", in->claims ? in->claims : json_null());

    times = json_object();

    json_object_foreach (in->claims, name, value) {
        if (json_is_integer(value) && akl_inspect_is_time(name)) {
            json_object_set_new(times, name,
                json_string(akl_inspect_value(name, value, in->now)));
        }
    }

    json_object_set_new(object, "times", times);

    return object;
}


/* what it is, by its claims */

static const char *
akl_inspect_kind(akl_inspect_t *in, akl_reason_t reason)
{
    if (json_object_get(in->claims, "access_id")
        && json_object_get(in->claims, "config_name"))
    {
        in->minted = 1;
        return "A token minted by a gateway.";
    }

    if (reason == AKL_OK && in->pod.legacy) {
        return "A service account's token, of a secret (legacy).";
    }

    if (json_object_get(in->claims, "kubernetes.io")) {
        return (reason == AKL_OK && in->pod.claimed.pod_name.len)
               ? "A service account's token, projected into a pod."
               : "A service account's token, bound to no pod.";
    }

    return in->claims ? "A JWT, but no service account's token."
                      : "No JWT.";
}


static void
akl_inspect_parse(akl_inspect_t *in)
{
    akl_jws_t        jws;
    akl_jws_error_t  error;

    in->header = akl_inspect_part(in->token, 0);
    in->claims = akl_inspect_part(in->token, 1);

    in->reason = akl_pod_token_parse(&in->pod, in->token);
    in->kind = akl_inspect_kind(in, in->reason);

    error = akl_jws_parse(&jws, in->token);
    akl_jws_clear(&jws);

    in->cause = (error == AKL_JWS_OK)
                ? (const char *) akl_reason_text(in->reason).data
                : akl_jws_strerror(error);

    /* signed by algorithms that API servers do not know */

    if (in->minted && error == AKL_JWS_OK) {
        in->reason = AKL_OK;
    }
}


/* one token, shown or put into *object */

static int
akl_inspect_token(akl_inspect_t *in, json_t **object)
{
    int      rc;
    json_t  *configs;

    akl_inspect_parse(in);

    *object = NULL;
    configs = NULL;

    if (akl_out_is_json()) {
        *object = akl_inspect_json(in);

    } else {
        akl_inspect_show(in);
    }

    rc = (in->reason == AKL_OK) ? AKL_EXIT_OK : AKL_EXIT_REFUSED;

    if (in->setup) {

        if (*object) {
            configs = json_array();
            json_object_set_new(*object, "configs", configs);
        }

        rc = akl_inspect_configs(in, configs);
    }

    json_decref(in->header);
    json_decref(in->claims);
    akl_pod_token_clear(&in->pod);

    return rc;
}


static int
akl_inspect_run(akl_args_t *args)
{
    int             rc, one;
    size_t          i;
    json_t         *all, *object;
    const char     *path, *conf, *cause;
    akl_inspect_t   in, each;

    memset(&in, 0, sizeof(akl_inspect_t));

    path = akl_operand(args, 0);
    conf = akl_opt(args, "config");

    if (path == NULL) {

        if (akl_out_terminal(stdin)) {
            return akl_usage(&akl_command_inspect, "say which token: a file, "
                             "or \"-\" for standard input");
        }

        path = "-";
    }

    if (conf == NULL && akl_opt(args, "k8s-auth-config-name")) {
        return akl_usage(&akl_command_inspect, "\"--k8s-auth-config-name\" "
                         "needs \"--config\"");
    }

    if (conf) {
        rc = akl_inspect_conf(&in, conf, akl_opt(args,
                                                 "k8s-auth-config-name"));
        if (rc != 0) {
            return rc;
        }
    }

    in.now = (int64_t) time(NULL);

    all = json_array();
    rc = AKL_EXIT_OK;

    for (i = 0; path; path = akl_operand(args, ++i)) {

        each = in;
        cause = akl_login_token(path, &each.token);

        if (cause) {
            rc = akl_fail(AKL_EXIT_USAGE, NULL, "the token \"%s\": %s",
                          akl_clean(akl_str_of(path)), cause);
            goto done;
        }

        if (akl_operand(args, 1) && !akl_out_is_json()) {
            printf("%s%s%s%s\n", i ? "\n" : "", akl_style(stdout, AKL_DIM),
                   akl_clean(akl_str_of(path)),
                   akl_style(stdout, AKL_PLAIN));
        }

        one = akl_inspect_token(&each, &object);
        rc = (one > rc) ? one : rc;

        if (object) {
            json_array_append_new(all, object);
        }
    }

    if (json_array_size(all) == 1) {
        akl_print_json(json_incref(json_array_get(all, 0)));

    } else if (akl_out_is_json()) {
        akl_print_json(json_incref(all));
    }

done:

    json_decref(all);

    if (in.setup) {
        akl_setup_revoked_free(in.setup);
    }

    return rc;
}
