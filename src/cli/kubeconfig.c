/*
 * kubeconfig, by libyaml.
 */

#include <yaml.h>

#include "../jose/base64.h"
#include "../k8s/check.h"
#include "../k8s/host.h"
#include "file.h"
#include "kubeconfig.h"
#include "out.h"
#include "pem.h"


typedef struct {
    yaml_document_t   doc;
    const char       *dir;
    const char       *error;
} akl_yaml_t;


static yaml_node_t *
akl_yaml_get(akl_yaml_t *y, yaml_node_t *map, const char *key)
{
    yaml_node_t       *name;
    yaml_node_pair_t  *pair;

    if (map == NULL || map->type != YAML_MAPPING_NODE) {
        return NULL;
    }

    for (pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top;
         pair++)
    {
        name = yaml_document_get_node(&y->doc, pair->key);

        if (name && name->type == YAML_SCALAR_NODE
            && strcmp((char *) name->data.scalar.value, key) == 0)
        {
            return yaml_document_get_node(&y->doc, pair->value);
        }
    }

    return NULL;
}


/* a text that is there and not empty; NULL otherwise */

static const char *
akl_yaml_text(akl_yaml_t *y, yaml_node_t *map, const char *key)
{
    yaml_node_t  *node;

    node = akl_yaml_get(y, map, key);

    if (node == NULL || node->type != YAML_SCALAR_NODE
        || node->data.scalar.length == 0)
    {
        return NULL;
    }

    return akl_mem_strn(node->data.scalar.value, node->data.scalar.length);
}


/* the map inside the element of a list that has that name */

static yaml_node_t *
akl_yaml_named(akl_yaml_t *y, const char *list, const char *name,
    const char *inside)
{
    const char        *have;
    yaml_node_t       *seq, *node;
    yaml_node_item_t  *item;

    seq = akl_yaml_get(y, yaml_document_get_root_node(&y->doc), list);

    if (seq && seq->type == YAML_SEQUENCE_NODE) {

        for (item = seq->data.sequence.items.start;
             item < seq->data.sequence.items.top;
             item++)
        {
            node = yaml_document_get_node(&y->doc, *item);
            have = akl_yaml_text(y, node, "name");

            if (have && strcmp(have, name) == 0) {
                return akl_yaml_get(y, node, inside);
            }
        }
    }

    if (y->error == NULL) {
        y->error = akl_mem_printf("has no %s called \"%s\"", inside,
                                  akl_clean_word(akl_str_of(name)));
    }

    return NULL;
}


/* PEM in base64 beside its name, or in a file */

static akl_str_t
akl_yaml_pem(akl_yaml_t *y, yaml_node_t *map, const char *key)
{
    ssize_t         n;
    akl_str_t       text;
    const char     *data, *file, *cause;
    unsigned char  *buf;

    text = akl_str("");

    data = akl_yaml_text(y, map, akl_mem_printf("%s-data", key));
    file = akl_yaml_text(y, map, key);

    if (data) {
        buf = akl_mem(akl_base64_decoded_len(strlen(data)) + 1);
        n = akl_base64_decode(buf, akl_str_of(data));

        if (n <= 0) {
            y->error = akl_mem_printf("has \"%s-data\" that is no base64",
                                      key);
            return text;
        }

        text.data = buf;
        text.len = (size_t) n;

    } else if (file) {
        file = akl_file_in(y->dir, file);
        cause = akl_pem_read(file, &text);

        if (cause) {
            y->error = akl_mem_printf("names \"%s\" as its %s: %s", file, key,
                                      cause);
            text = akl_str("");
        }
    }

    return text;
}


static int
akl_yaml_true(akl_yaml_t *y, yaml_node_t *map, const char *key)
{
    const char  *text;

    text = akl_yaml_text(y, map, key);

    return text && strcmp(text, "true") == 0;
}


static void akl_kubeconfig_way(akl_yaml_t *y, yaml_node_t *cluster,
    akl_kubeconfig_t *kc);


static void
akl_kubeconfig_cluster(akl_yaml_t *y, akl_kubeconfig_t *kc)
{
    yaml_node_t  *cluster;

    cluster = akl_yaml_named(y, "clusters", kc->cluster, "cluster");

    if (cluster == NULL) {
        return;
    }

    kc->server = akl_yaml_text(y, cluster, "server");
    kc->ca = akl_yaml_pem(y, cluster, "certificate-authority");

    if (kc->server == NULL) {
        y->error = akl_mem_printf("has no server for the cluster \"%s\"",
                                  kc->cluster);

    } else if (akl_yaml_true(y, cluster, "insecure-skip-tls-verify")) {
        y->error = akl_mem_printf("does not verify the cluster \"%s\" "
                                  "(insecure-skip-tls-verify): a gateway that "
                                  "does so lets anybody in; put its "
                                  "certificate-authority there", kc->cluster);

    } else {
        akl_kubeconfig_way(y, cluster, kc);
    }
}


/* how it is reached, as nginx could reach it, too */

static void
akl_kubeconfig_way(akl_yaml_t *y, yaml_node_t *cluster, akl_kubeconfig_t *kc)
{
    akl_host_t   host;
    const char  *cause;

    kc->proxy = akl_yaml_text(y, cluster, "proxy-url");
    kc->server_name = akl_yaml_text(y, cluster, "tls-server-name");

    cause = kc->proxy ? akl_host_proxy(akl_str_of(kc->proxy), &host) : NULL;

    if (cause) {
        y->error = akl_mem_printf("reaches the cluster \"%s\" through a proxy "
                       "(proxy-url) that %s: give --k8s-host and --k8s-ca-cert "
                       "of a host that the gateway can reach", kc->cluster,
                       cause);
        return;
    }

    cause = kc->server_name
            ? akl_check_server_name(akl_str_of(kc->server_name)) : NULL;

    if (cause) {
        y->error = akl_mem_printf("has a name for the certificate of the "
                                  "cluster \"%s\" (tls-server-name) that %s",
                                  kc->cluster, cause);
    }
}


static void
akl_kubeconfig_user(akl_yaml_t *y, akl_kubeconfig_t *kc)
{
    akl_str_t     text;
    const char   *file, *cause;
    yaml_node_t  *user;

    user = akl_yaml_named(y, "users", kc->user, "user");

    if (user == NULL) {
        return;
    }

    if (akl_yaml_get(y, user, "exec") || akl_yaml_get(y, user,
                                                      "auth-provider"))
    {
        file = akl_yaml_text(y, akl_yaml_get(y, user, "exec"), "command");

        y->error = akl_mem_printf("gets the credential of \"%s\" by running "
                       "%s: akl-k8s runs no programs.  Give a kubeconfig with "
                       "a token or a client certificate, such as one by "
                       "\"kubectl create token\"", kc->user,
                       file ? akl_mem_printf("\"%s\"",
                                  akl_clean_word(akl_str_of(file)))
                            : "a plugin");
        return;
    }

    if (akl_yaml_get(y, user, "as")) {
        y->error = akl_mem_printf("has \"%s\" act as somebody else (as): "
                                  "akl-k8s does not impersonate", kc->user);
        return;
    }

    kc->token = akl_yaml_text(y, user, "token");
    file = akl_yaml_text(y, user, "tokenFile");

    if (file) {
        file = akl_file_in(y->dir, file);
        cause = akl_credential_argument(AKL_CREDENTIAL_TEXT, file, &text,
                                        &file);

        if (cause) {
            y->error = akl_mem_printf("names a tokenFile that cannot be used: "
                                      "%s", cause);
            return;
        }

        kc->token = (const char *) text.data;
    }

    kc->cert = akl_yaml_pem(y, user, "client-certificate");
    kc->key = akl_yaml_pem(y, user, "client-key");

    if (y->error) {
        return;
    }

    if (kc->token == NULL && (kc->cert.len == 0 || kc->key.len == 0)) {
        y->error = akl_mem_printf("has neither token nor client certificate "
                                  "for \"%s\"%s", kc->user,
                                  akl_yaml_get(y, user, "username")
                                  ? "; passwords are nothing that Kubernetes "
                                    "takes any more" : "");
    }
}


static void
akl_kubeconfig_context(akl_yaml_t *y, const char *context,
    akl_kubeconfig_t *kc)
{
    yaml_node_t  *root, *node;

    root = yaml_document_get_root_node(&y->doc);

    if (root == NULL || root->type != YAML_MAPPING_NODE) {
        y->error = "is no kubeconfig";
        return;
    }

    if (context == NULL) {
        context = akl_yaml_text(y, root, "current-context");
    }

    if (context == NULL) {
        y->error = "has no current-context: say --context NAME";
        return;
    }

    kc->context = context;
    node = akl_yaml_named(y, "contexts", context, "context");

    if (node == NULL) {
        return;
    }

    kc->cluster = akl_yaml_text(y, node, "cluster");
    kc->user = akl_yaml_text(y, node, "user");

    if (kc->cluster == NULL || kc->user == NULL) {
        y->error = akl_mem_printf("has no cluster or no user for the context "
                                  "\"%s\"",
                                  akl_clean_word(akl_str_of(context)));
        return;
    }

    akl_kubeconfig_cluster(y, kc);

    if (y->error == NULL) {
        akl_kubeconfig_user(y, kc);
    }
}


const char *
akl_kubeconfig_read(const char *path, const char *context,
    akl_kubeconfig_t *kc)
{
    akl_str_t       text;
    akl_yaml_t      y;
    yaml_parser_t   parser;
    const char     *cause;

    memset(kc, 0, sizeof(akl_kubeconfig_t));
    memset(&y, 0, sizeof(akl_yaml_t));

    cause = akl_file_read(path, &text);

    if (cause) {
        return akl_mem_printf("\"%s\": %s", path, cause);
    }

    y.dir = akl_file_dir(path);

    if (yaml_parser_initialize(&parser) != 1) {
        return "libyaml cannot be used";
    }

    yaml_parser_set_input_string(&parser, text.data, text.len);

    if (yaml_parser_load(&parser, &y.doc) != 1) {
        cause = akl_mem_printf("\"%s\" is no YAML: %s in line %zu", path,
                               parser.problem ? parser.problem : "broken",
                               parser.problem_mark.line + 1);
        yaml_parser_delete(&parser);
        return cause;
    }

    akl_kubeconfig_context(&y, context, kc);

    yaml_document_delete(&y.doc);
    yaml_parser_delete(&parser);

    return y.error ? akl_mem_printf("\"%s\" %s", path, y.error) : NULL;
}
