/*
 * revoke: a token or a subject, at all replicas of a gateway and in the
 * ConfigMap that they have mounted.
 */

#include <time.h>

#include "../jose/jws.h"
#include "../k8s/names.h"
#include "../k8s/pod_token.h"
#include "../k8s/time.h"
#include "commands.h"
#include "login.h"
#include "out.h"
#include "peer.h"
#include "pem.h"
#include "revoke.h"
#include "words.h"


#define AKL_REVOKE_PATH  "/revoke"


static int akl_revoke_run(akl_args_t *args);


static const akl_option_t  akl_revoke_options[] = {
    { "jti", NULL, AKL_OPT_TEXT, "ID", "the token of this \"jti\"" },
    { "sub", NULL, AKL_OPT_TEXT, "SUBJECT",
      "all tokens that this subject has by now" },
    { "token", NULL, AKL_OPT_FILE, "FILE",
      "the minted token in FILE; \"-\" for stdin" },
    { "before", NULL, AKL_OPT_TEXT, "TIME",
      "of --sub: issued before that (now)" },
    { "until", NULL, AKL_OPT_TEXT, "TIME",
      "when the last of them is over anyway" },
    { "configmap", NULL, AKL_OPT_TEXT, "NS/NAME",
      "the ConfigMap that replicas have mounted" },
    { "key", NULL, AKL_OPT_TEXT, "NAME", "its key, a file's name (list)" },
    { "create", NULL, AKL_OPT_FLAG, NULL, "make it where there is none" },
    { "kubeconfig", NULL, AKL_OPT_FILE, "FILE",
      "how to reach the cluster (as this pod)" },
    { "context", NULL, AKL_OPT_TEXT, "NAME", "its context (the current one)" },
    { "service-account", NULL, AKL_OPT_FILE, "DIR",
      "this pod's, where the kubelet puts it" },
    { "gateway-url", NULL, AKL_OPT_TEXT, "URL",
      "the gateway, by the name of its certificate" },
    { "replicas", NULL, AKL_OPT_LIST, "NAME,...",
      "whose addresses are told (the URL's)" },
    { "revoke-path", NULL, AKL_OPT_TEXT, "PATH",
      "location of akl_k8s_revoke (/revoke)" },
    { "gateway-ca-cert", NULL, AKL_OPT_FILE, "FILE",
      "the gateway's CA (the system's)" },
    { "gateway-token", NULL, AKL_OPT_FILE, "FILE",
      "a bearer, where a guard is in front" },
    { "gateway-client-cert", NULL, AKL_OPT_FILE, "FILE",
      "a certificate, where one is asked for" },
    { "gateway-client-key", NULL, AKL_OPT_FILE, "FILE", "and its key" },
    { "timeout", NULL, AKL_OPT_TEXT, "SECONDS", "limit of one call (10)" },
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


const akl_command_t  akl_command_revoke = {
    "revoke",
    "take tokens back, at all replicas",
    NULL,
    "Tells each address of a headless Service, all at the same time, and\n"
    "writes the entry into the ConfigMap that the replicas read as a file of\n"
    "akl_k8s_revocations, from which entries that are over are taken out.\n"
    "Either may be left out.  The exit status is 3, and those are named,\n"
    "where not all of them keep it; the same command again does no harm.",
    "  akl-k8s revoke --sub system:serviceaccount:my-namespace-a:builder \\\n"
    "      --gateway-url https://gw.example.com:8443 \\\n"
    "      --replicas akl-gateway-replicas.akl-gateway.svc \\\n"
    "      --configmap akl-gateway/akl-revocations --kubeconfig admin.conf",
    akl_revoke_options,
    akl_revoke_run
};


/* a minted token becomes its jti, until it ends */

static int
akl_revoke_token(akl_revoke_t *revoke, const char *path)
{
    int          rc;
    int64_t      exp;
    akl_jws_t    jws;
    akl_str_t    token, jti;
    const char  *cause;

    cause = akl_login_token(path, &token);

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "--token \"%s\": %s", path,
                        cause);
    }

    rc = akl_jws_parse(&jws, token);

    if (rc != AKL_JWS_OK) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "--token \"%s\": %s", path,
                        akl_jws_strerror((akl_jws_error_t) rc));
    }

    if (akl_doc_get(&jws.payload, jws.payload.nodes, "kubernetes.io")) {
        rc = akl_fail(AKL_EXIT_USAGE, "delete the pod or its account; and "
                      "--sub system:serviceaccount:NS:NAME takes back what "
                      "was minted for it", "--token \"%s\" is a pod's token, "
                      "none that a gateway minted", path);

    } else if (akl_doc_string(&jws.payload, jws.payload.nodes, "jti", &jti)
               != 0
               || akl_doc_time(&jws.payload, jws.payload.nodes, "exp", &exp)
                  != 0
               || akl_revocation_check(jti) != NULL)
    {
        rc = akl_fail(AKL_EXIT_USAGE, NULL, "--token \"%s\" has no \"jti\" or "
                      "no \"exp\": no gateway minted it", path);

    } else if (exp < (int64_t) time(NULL)) {
        rc = akl_fail(AKL_EXIT_USAGE, NULL, "--token \"%s\" ended %s: no "
                      "guard lets it pass", path,
                      akl_words_when(exp, (int64_t) time(NULL)));

    } else {
        rc = 0;

        revoke->entry.jti.data = (const unsigned char *)
                                 akl_mem_strn(jti.data, jti.len);
        revoke->entry.jti.len = jti.len;
        revoke->entry.until = exp + 1;
    }

    akl_jws_clear(&jws);

    return rc;
}


static int
akl_revoke_time(akl_args_t *args, const char *name, int64_t *time)
{
    const char  *value;

    value = akl_opt(args, name);

    if (value && (akl_time_parse(akl_str_of(value), time) != 0
                  || *time == 0))
    {
        return akl_usage(&akl_command_revoke, "\"--%s\" is a time, in unix "
                         "seconds or as 2027-01-01T00:00:00Z", name);
    }

    return 0;
}


static int
akl_revoke_entry(akl_revoke_t *revoke)
{
    int          rc;
    akl_str_t    name;
    const char  *jti, *sub, *token, *cause;

    jti = akl_opt(revoke->args, "jti");
    sub = akl_opt(revoke->args, "sub");
    token = akl_opt(revoke->args, "token");

    if ((jti != NULL) + (sub != NULL) + (token != NULL) != 1) {
        return akl_usage(&akl_command_revoke, "say what: one of \"--jti\", "
                         "\"--sub\" and \"--token\"");
    }

    if (sub == NULL && akl_opt(revoke->args, "before")) {
        return akl_usage(&akl_command_revoke, "\"--before\" goes with "
                         "\"--sub\" only");
    }

    if (token) {
        rc = akl_revoke_token(revoke, token);
        if (rc != 0) {
            return rc;
        }

    } else {
        name = akl_str_of(jti ? jti : sub);
        cause = akl_revocation_check(name);

        if (cause) {
            return akl_usage(&akl_command_revoke, "what \"--%s\" says %s",
                             jti ? "jti" : "sub", cause);
        }

        *(jti ? &revoke->entry.jti : &revoke->entry.sub) = name;
    }

    if (akl_revoke_time(revoke->args, "before", &revoke->entry.before) != 0
        || akl_revoke_time(revoke->args, "until", &revoke->entry.until) != 0)
    {
        return AKL_EXIT_USAGE;
    }

    if (revoke->entry.until && revoke->entry.until <= (int64_t) time(NULL)) {
        return akl_usage(&akl_command_revoke, "\"--until\" is over, so "
                         "nothing would be revoked");
    }

    return 0;
}


static int
akl_revoke_credential(akl_args_t *args, const char *name,
    akl_credential_type_t type, akl_str_t *text)
{
    const char  *value, *path, *cause;

    value = akl_opt(args, name);

    if (value == NULL) {
        return 0;
    }

    cause = akl_credential_argument(type, value, text, &path);

    return cause ? akl_fail(AKL_EXIT_USAGE, NULL, "--%s: %s", name, cause)
                 : 0;
}


/* "https://gw/revoke" is what people have */

static const char *
akl_revoke_url_path(akl_revoke_t *revoke)
{
    size_t       n, len;
    const char  *path, *url;

    path = akl_opt(revoke->args, "revoke-path");

    if (path) {
        return (*path == '/' || *path == '\0')
               ? path : akl_mem_printf("/%s", path);
    }

    url = revoke->gateway.url;
    n = strlen(url);
    len = sizeof(AKL_REVOKE_PATH) - 1;

    return (n > len && strcmp(url + n - len, AKL_REVOKE_PATH) == 0
            && url[n - len - 1] != '/')
           ? "" : AKL_REVOKE_PATH;
}


static int
akl_revoke_gateway(akl_revoke_t *revoke)
{
    int               rc;
    size_t            i;
    akl_str_t         token;
    const char       *cause;
    akl_args_t       *args;
    akl_http_peer_t  *peer;

    static const char  *names[] = {
        "replicas", "revoke-path", "gateway-ca-cert", "gateway-token",
        "gateway-client-cert", "gateway-client-key", NULL
    };

    args = revoke->args;
    peer = &revoke->gateway;

    if (akl_opt(args, "gateway-url") == NULL) {

        for (i = 0; names[i]; i++) {
            if (akl_opt(args, names[i])) {
                return akl_usage(&akl_command_revoke, "\"--%s\" needs "
                                 "\"--gateway-url\"", names[i]);
            }
        }

        return 0;
    }

    rc = akl_peer_gateway(args, akl_opt(args, "gateway-token")
                                ? "the token of --gateway-token" : NULL, peer);
    if (rc != 0) {
        return rc;
    }

    revoke->path = akl_revoke_url_path(revoke);

    token.len = 0;

    if (akl_revoke_credential(args, "gateway-token", AKL_CREDENTIAL_TEXT,
                              &token) != 0
        || akl_revoke_credential(args, "gateway-client-cert",
                                 AKL_CREDENTIAL_PEM, &peer->cert) != 0
        || akl_revoke_credential(args, "gateway-client-key",
                                 AKL_CREDENTIAL_PEM, &peer->key) != 0)
    {
        return AKL_EXIT_USAGE;
    }

    if ((peer->cert.len == 0) != (peer->key.len == 0)) {
        return akl_usage(&akl_command_revoke, "\"--gateway-client-cert\" and "
                         "\"--gateway-client-key\" go together");
    }

    if (peer->cert.len) {
        cause = akl_credential_pair(peer->cert, peer->key, NULL);

        if (cause) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "--gateway-client-cert: %s",
                            cause);
        }
    }

    if (token.len) {
        revoke->bearer = (const char *) token.data;
    }

    return 0;
}


/* names of files in a mounted ConfigMap */

static int
akl_revoke_key(const char *key)
{
    size_t  len;

    len = strlen(key);

    return len && len <= 253 && strcmp(key, ".") != 0
           && strncmp(key, "..", 2) != 0
           && strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789-._") == len;
}


static int
akl_revoke_map(akl_revoke_t *revoke)
{
    size_t             i, len;
    const char        *value, *path, *cause;
    akl_args_t        *args;
    akl_kubeconfig_t   kc;
    akl_revoke_map_t  *map;

    static const char  *names[] = {
        "key", "create", "kubeconfig", "context", "service-account", NULL
    };

    args = revoke->args;
    map = &revoke->map;

    value = akl_opt(args, "configmap");

    if (value == NULL) {

        for (i = 0; names[i]; i++) {
            if (akl_opt(args, names[i])) {
                return akl_usage(&akl_command_revoke, "\"--%s\" needs "
                                 "\"--configmap\"", names[i]);
            }
        }

        return 0;
    }

    len = strcspn(value, "/");

    map->namespace = akl_mem_strn(value, len);
    map->name = value + len + (value[len] == '/');
    map->key = akl_opt_or(args, "key", "list");
    map->create = akl_opt_flag(args, "create");

    if (!akl_name_label(akl_str_of(map->namespace))
        || !akl_name_subdomain(akl_str_of(map->name)))
    {
        return akl_usage(&akl_command_revoke, "\"--configmap\" is "
                         "NAMESPACE/NAME, as Kubernetes takes them");
    }

    if (!akl_revoke_key(map->key)) {
        return akl_usage(&akl_command_revoke, "\"--key\" is no name that a "
                         "key of a ConfigMap may have");
    }

    path = akl_opt(args, "kubeconfig");

    if (path) {
        cause = akl_kubeconfig_read(path, akl_opt(args, "context"), &kc);

        if (cause) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause);
        }

        akl_peer_kubeconfig(&kc, &map->kube);

        return 0;
    }

    if (akl_opt(args, "context")) {
        return akl_usage(&akl_command_revoke, "\"--context\" needs "
                         "\"--kubeconfig\"");
    }

    cause = akl_peer_pod(akl_opt_or(args, "service-account", AKL_POD_MOUNT),
                         &map->kube);

    return cause ? akl_fail(AKL_EXIT_USAGE, "--kubeconfig FILE", "%s", cause)
                 : 0;
}


static int
akl_revoke_run(akl_args_t *args)
{
    int                  rc;
    size_t               n;
    akl_revoke_t         revoke;
    const char *const   *names;

    memset(&revoke, 0, sizeof(akl_revoke_t));

    revoke.args = args;

    rc = akl_revoke_entry(&revoke);

    if (rc == 0) {
        rc = akl_revoke_gateway(&revoke);
    }

    if (rc == 0) {
        rc = akl_revoke_map(&revoke);
    }

    if (rc != 0) {
        return rc;
    }

    if (revoke.gateway.url == NULL && revoke.map.name == NULL) {
        return akl_usage(&akl_command_revoke, "say where: \"--gateway-url\", "
                         "\"--configmap\", or both");
    }

    if (revoke.gateway.url == NULL && revoke.entry.until == 0) {
        return akl_usage(&akl_command_revoke, "without a gateway to tell it, "
                         "\"--until\" is needed: the longest token_ttl from "
                         "now on");
    }

    /* first those with whom it counts at once */

    if (revoke.gateway.url) {
        n = akl_opt_list(args, "replicas", &names);
        akl_revoke_tell(&revoke, names, n);
    }

    if (revoke.map.name == NULL) {
        return akl_revoke_result(&revoke);
    }

    if (revoke.entry.sub.len && revoke.entry.before == 0) {

        /* tokens of the present second included */

        revoke.entry.before = (int64_t) time(NULL) + 1;
    }

    if (revoke.entry.until == 0) {
        revoke.written.name = akl_mem_printf("ConfigMap %s/%s",
                                             revoke.map.namespace,
                                             revoke.map.name);
        revoke.written.error = "it was not written: no gateway said until "
                               "when";
        revoke.written.cure = "--until TIME, the longest token_ttl from now "
                              "on";

    } else {
        akl_revoke_write(&revoke);
    }

    return akl_revoke_result(&revoke);
}
