/*
 * gateway-create-k8s-auth-config: the block of how to ask one cluster, from
 * the flags of Akeyless' own command or from a kubeconfig.
 */

#include <unistd.h>

#include "commands.h"
#include "gateway.h"
#include "keypair.h"
#include "out.h"
#include "pem.h"
#include "reviewer.h"


static int akl_gateway_run(akl_args_t *args);


static const akl_option_t  akl_gateway_options[] = {
    { "name", "n", AKL_OPT_TEXT, "NAME", "what clients call it; required" },
    { "access-id", NULL, AKL_OPT_TEXT, "ID", "its auth method; required" },
    { "signing-key", NULL, AKL_OPT_FILE, "FILE|BASE64",
      "the private key; required" },
    { "from-kubeconfig", NULL, AKL_OPT_FILE, "FILE",
      "take host, CA and issuer from a kubeconfig" },
    { "context", NULL, AKL_OPT_TEXT, "NAME", "its context (the current one)" },
    AKL_REVIEWER_OPTIONS,
    { "k8s-host", NULL, AKL_OPT_LIST, "URL,...", "the API server" },
    { "k8s-ca-cert", NULL, AKL_OPT_FILE, "FILE|BASE64",
      "its CA; \"system\" for the machine's" },
    { "token-reviewer-jwt", NULL, AKL_OPT_FILE, "FILE|JWT",
      "the reviewer (the pod's own token)" },
    { "k8s-issuer", NULL, AKL_OPT_LIST, "ISSUER,...",
      "of pod tokens (kubernetes/serviceaccount)" },
    { "disable-issuer-validation", NULL, AKL_OPT_FLAG, NULL,
      "leave the issuer to the API server" },
    { "k8s-auth-type", NULL, AKL_OPT_TEXT, "token|certificate",
      "what the reviewer shows (token)" },
    { "k8s-client-certificate", NULL, AKL_OPT_FILE, "FILE|BASE64",
      "its certificate" },
    { "k8s-client-key", NULL, AKL_OPT_FILE, "FILE|BASE64", "and key" },
    { "cluster-api-type", NULL, AKL_OPT_TEXT, "native_k8s|native-k8s|rancher",
      "how the cluster is reached (native_k8s)" },
    { "rancher-api-key", NULL, AKL_OPT_FILE, "FILE|KEY", "Rancher's key" },
    { "rancher-cluster-id", NULL, AKL_OPT_TEXT, "ID", "the cluster there" },
    { "use-gw-service-account", NULL, AKL_OPT_FLAG, NULL,
      "the gateway is a pod of that cluster" },
    { "k8s-jwks", NULL, AKL_OPT_FILE, "FILE|auto",
      "verify signatures before asking the cluster" },
    { "conf", NULL, AKL_OPT_FILE, "FILE",
      "write the block to FILE, secrets beside it" },
    { "show-secrets", NULL, AKL_OPT_FLAG, NULL,
      "print a block with secrets on a terminal" },
    { "force", NULL, AKL_OPT_FLAG, NULL, "replace files that exist" },
    { "gateway-url", NULL, AKL_OPT_TEXT, "URL",
      "for the command that is told in the end" },
    { "token-exp", NULL, AKL_OPT_TEXT, NULL, "" },
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


const akl_command_t  akl_command_gateway_create = {
    "gateway-create-k8s-auth-config",
    "how to ask a cluster: nginx's block, checked",
    NULL,
    "Makes nginx's akl_k8s_auth_config block, checked as nginx -t would.\n"
    "Keys and certificates are given as files, as PEM or as its base64.  With\n"
    "--conf those that are secret are written beside the block, for you alone\n"
    "to read.  With --from-kubeconfig the cluster is asked for what it knows\n"
    "itself, and with --create-reviewer account, binding and token of the\n"
    "reviewer are made there, each shown before and asked about.",
    "  akl-k8s gateway-create-k8s-auth-config --name k8s-conf \\\n"
    "      --access-id p-kmx8x116z7j9km --signing-key p-kmx8x116z7j9km.pem \\\n"
    "      --from-kubeconfig ~/.kube/config --create-reviewer \\\n"
    "      --conf /etc/nginx/akl/k8s-conf.conf",
    akl_gateway_options,
    akl_gateway_run
};


/* a file's name of a config's, which may have any character */

static char *
akl_gateway_base(akl_gateway_t *gw)
{
    char  *p, *base;

    base = akl_mem_str(gw->name);

    for (p = base; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_'))
        {
            *p = '_';
        }
    }

    return akl_mem_printf("%s/%s", akl_file_real(akl_file_dir(gw->conf)),
                          base);
}


/*
 * A source: the file that was named, or one that is written beside the block,
 * or the text itself.
 */

static void
akl_gateway_source(akl_gateway_t *gw, const char *directive, const char *path,
    akl_str_t text, const char *end, int secret)
{
    akl_file_t  *file;

    if (path && strcmp(path, "-") != 0) {
        akl_nginxconf_pair(&gw->block, directive, akl_file_real(path));
        return;
    }

    if (gw->conf) {
        file = &gw->files[gw->n_files++];

        file->path = akl_mem_printf("%s-%s", gw->base, end);
        file->text = text;
        file->mode = secret ? 0600 : 0644;

        akl_setup_file(gw->setup, file->path, text);
        akl_nginxconf_pair(&gw->block, directive, file->path);
        return;
    }

    gw->inline_secrets += (secret != 0);

    akl_nginxconf_pair(&gw->block, directive,
                       akl_mem_printf("data:%s",
                                      memchr(text.data, '\n', text.len)
                                      ? akl_keypair_base64(text)
                                      : (const char *) text.data));
}


static int
akl_gateway_option(akl_gateway_t *gw, const char *option,
    const char *directive, akl_credential_type_t type, const char *end,
    int secret)
{
    akl_str_t    text;
    const char  *value, *path, *cause;

    value = akl_opt(gw->args, option);

    if (value == NULL || *value == '\0') {
        return 0;
    }

    cause = akl_credential_argument(type, value, &text, &path);

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "--%s: %s", option, cause);
    }

    akl_gateway_source(gw, directive, path, text, end, secret);

    return 0;
}


static void
akl_gateway_list(akl_gateway_t *gw, const char *option, const char *directive,
    const char *other)
{
    size_t              n;
    const char *const  *values;

    n = akl_opt_list(gw->args, option, &values);

    if (n) {
        akl_nginxconf_line(&gw->block, directive, values, n);

    } else if (other) {
        akl_nginxconf_pair(&gw->block, directive, other);
    }
}


static void
akl_gateway_word(akl_gateway_t *gw, const char *option, const char *directive)
{
    const char  *value;

    value = akl_opt(gw->args, option);

    if (value) {
        akl_nginxconf_pair(&gw->block, directive, value);
    }
}


static int
akl_gateway_cluster(akl_gateway_t *gw)
{
    const char  *ca, *jwks;

    akl_gateway_word(gw, "cluster-api-type", "cluster_api_type");
    akl_gateway_word(gw, "k8s-auth-type", "k8s_auth_type");
    akl_gateway_list(gw, "k8s-host", "k8s_host", gw->host);

    /* a host that was given is reached in its own way */

    if (akl_opt(gw->args, "k8s-host") == NULL) {

        if (gw->kc.server_name) {
            akl_nginxconf_pair(&gw->block, "k8s_tls_server_name",
                               gw->kc.server_name);
        }

        if (gw->kc.proxy) {
            akl_nginxconf_pair(&gw->block, "k8s_proxy", gw->kc.proxy);
        }
    }

    ca = akl_opt(gw->args, "k8s-ca-cert");

    if (ca && strcmp(ca, "system") == 0) {
        akl_nginxconf_pair(&gw->block, "k8s_ca_cert", "system");

    } else if (ca) {

        if (akl_gateway_option(gw, "k8s-ca-cert", "k8s_ca_cert",
                               AKL_CREDENTIAL_PEM, "ca.crt", 0)
            != 0)
        {
            return AKL_EXIT_USAGE;
        }

    } else if (gw->ca.len) {
        akl_gateway_source(gw, "k8s_ca_cert", NULL, gw->ca, "ca.crt", 0);

    } else if (gw->host) {

        /* kubectl would take the system's: here it is said */

        akl_nginxconf_pair(&gw->block, "k8s_ca_cert", "system");
    }

    if (gw->reviewer) {
        akl_gateway_source(gw, "token_reviewer_jwt", NULL,
                           akl_str_of(gw->reviewer), "reviewer.jwt", 1);

    } else if (akl_gateway_option(gw, "token-reviewer-jwt",
                                  "token_reviewer_jwt", AKL_CREDENTIAL_TEXT,
                                  "reviewer.jwt", 1)
               != 0)
    {
        return AKL_EXIT_USAGE;
    }

    if (akl_gateway_option(gw, "k8s-client-certificate",
                           "k8s_client_certificate", AKL_CREDENTIAL_PEM,
                           "client.crt", 0) != 0
        || akl_gateway_option(gw, "k8s-client-key", "k8s_client_key",
                              AKL_CREDENTIAL_PEM, "client.key", 1) != 0
        || akl_gateway_option(gw, "rancher-api-key", "rancher_api_key",
                              AKL_CREDENTIAL_TEXT, "rancher.key", 1) != 0)
    {
        return AKL_EXIT_USAGE;
    }

    akl_gateway_word(gw, "rancher-cluster-id", "rancher_cluster_id");

    if (akl_opt_flag(gw->args, "use-gw-service-account")) {
        akl_nginxconf_pair(&gw->block, "use_gw_service_account", "on");
    }

    akl_gateway_list(gw, "k8s-issuer", "k8s_issuer", gw->issuer);

    if (akl_opt_flag(gw->args, "disable-issuer-validation")) {
        akl_nginxconf_pair(&gw->block, "disable_issuer_validation", "on");
    }

    jwks = akl_opt(gw->args, "k8s-jwks");

    if (jwks) {
        akl_nginxconf_pair(&gw->block, "k8s_jwks",
                           strcmp(jwks, "auto") == 0 ? jwks
                                                     : akl_file_real(jwks));
    }

    return 0;
}


static int
akl_gateway_block(akl_gateway_t *gw)
{
    const char  *access_id, *cause;

    access_id = akl_opt(gw->args, "access-id");

    cause = akl_check_config_name(akl_str_of(gw->name));

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "--name %s", cause);
    }

    cause = akl_access_id_check(akl_str_of(access_id));

    if (cause) {
        akl_warn("access id \"%s\" %s, some clients will refuse it",
                 akl_clean_word(akl_str_of(access_id)), cause);
    }

    akl_buf_puts(&gw->block, "# made by akl-k8s\n\nakl_k8s_auth_config ");
    akl_nginxconf_word(&gw->block, gw->name);
    akl_buf_puts(&gw->block, " {\n");

    akl_nginxconf_pair(&gw->block, "access_id", access_id);

    if (akl_gateway_option(gw, "signing-key", "signing_key",
                           AKL_CREDENTIAL_PEM, "signing.pem", 1) != 0
        || akl_gateway_cluster(gw) != 0)
    {
        return AKL_EXIT_USAGE;
    }

    akl_buf_puts(&gw->block, "}\n");

    return 0;
}


/* what can be said before anything is made in a cluster */

static int
akl_gateway_first(akl_gateway_t *gw)
{
    akl_jwk_t    jwk;
    akl_str_t    text;
    const char  *path, *cause;

    cause = akl_credential_argument(AKL_CREDENTIAL_PEM,
                                    akl_opt(gw->args, "signing-key"), &text,
                                    &path);

    if (cause == NULL && akl_jwk_private_from_pem(&jwk, text, &cause) == 0) {
        akl_jwk_clear(&jwk);
        cause = NULL;
    }

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "--signing-key: %s", cause);
    }

    if (gw->conf && !akl_opt_flag(gw->args, "force")
        && access(gw->conf, F_OK) == 0)
    {
        return akl_fail(AKL_EXIT_USAGE, "--force", "\"%s\" is there already",
                        gw->conf);
    }

    return 0;
}


/* what nginx -t would say of it */

static int
akl_gateway_check(akl_gateway_t *gw)
{
    akl_str_t    text;
    const char  *cause;

    text.data = (unsigned char *) gw->block.data;
    text.len = gw->block.len;

    cause = akl_setup_text(gw->setup, gw->conf ? gw->conf : "the block", text);

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause);
    }

    return akl_setup_tell(gw->setup);
}


static int
akl_gateway_write(akl_gateway_t *gw)
{
    const char  *cause;
    akl_file_t  *file;

    file = &gw->files[gw->n_files++];

    file->path = gw->conf;
    file->text.data = (unsigned char *) gw->block.data;
    file->text.len = gw->block.len;
    file->mode = 0644;

    cause = akl_file_write_all(gw->files, gw->n_files,
                               akl_opt_flag(gw->args, "force"));

    return cause ? akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause) : 0;
}


static void
akl_gateway_json(akl_gateway_t *gw)
{
    size_t    i;
    json_t   *object, *files;

    object = json_object();

    json_object_set_new(object, "name", akl_json_text(akl_str_of(gw->name)));

    if (gw->conf) {
        files = json_array();

        for (i = 0; i + 1 < gw->n_files; i++) {
            json_array_append_new(files, json_string(gw->files[i].path));
        }

        json_object_set_new(object, "conf", json_string(gw->conf));
        json_object_set_new(object, "files", files);
    }

    json_object_set_new(object, "block", akl_json_text(akl_str_of(
                                                           gw->block.data)));
    akl_print_json(object);
}


static void
akl_gateway_tell(akl_gateway_t *gw)
{
    size_t  i;

    printf("K8S Auth Config %s was created.\n",
           akl_clean_all(akl_str_of(gw->name)));

    for (i = 0; i < gw->n_files; i++) {
        printf("- %s%s\n", gw->files[i].path,
               gw->files[i].mode == 0600 ? " (only you can read it)" : "");
    }

    printf("\nnginx's workers read the reviewer's files again when they "
           "change, so those\nhave to be readable by nginx's user.  To try "
           "it:\n\n"
           "  nginx -t && nginx -s reload\n"
           "  akl-k8s doctor %s\n"
           "  akl-k8s auth --access-id %s --k8s-auth-config-name %s%s%s\n",
           akl_clean_all(akl_str_of(gw->name)), akl_opt(gw->args, "access-id"),
           akl_clean_all(akl_str_of(gw->name)),
           akl_opt(gw->args, "gateway-url") ? " --gateway-url " : "",
           akl_opt_or(gw->args, "gateway-url", ""));
}


static int
akl_gateway_run(akl_args_t *args)
{
    int             rc;
    size_t          i;
    akl_gateway_t   gw;

    static const char  *required[] = { "name", "access-id", "signing-key" };

    memset(&gw, 0, sizeof(akl_gateway_t));

    for (i = 0; i < 3; i++) {
        if (*akl_opt_or(args, required[i], "") == '\0') {
            return akl_usage(&akl_command_gateway_create, "\"--%s\" is "
                             "missing", required[i]);
        }
    }

    gw.args = args;
    gw.name = akl_opt(args, "name");
    gw.conf = akl_opt(args, "conf");
    gw.setup = akl_setup_new();
    gw.setup->alone = 1;

    if (gw.conf) {
        gw.base = akl_gateway_base(&gw);
    }

    if (akl_opt(args, "token-exp")) {
        akl_note("--token-exp says nothing here: token_ttl of the method is "
                 "the life of minted tokens");
    }

    rc = akl_gateway_first(&gw);

    if (rc == 0) {
        rc = akl_gateway_kubeconfig(&gw);
    }

    if (rc == 0) {
        rc = akl_gateway_block(&gw);
    }

    if (rc == 0) {
        rc = akl_gateway_check(&gw);
    }

    if (rc != 0) {
        return rc;
    }

    if (gw.conf) {
        rc = akl_gateway_write(&gw);
        if (rc != 0) {
            return rc;
        }

    } else if (gw.inline_secrets && akl_out_terminal(stdout)
               && !akl_opt_flag(args, "show-secrets"))
    {
        return akl_fail(AKL_EXIT_USAGE, "--conf FILE, which writes them into "
                        "files", "the block holds secrets, which are not "
                        "shown on a terminal without --show-secrets");
    }

    if (akl_out_is_json()) {
        akl_gateway_json(&gw);

    } else if (gw.conf) {
        akl_gateway_tell(&gw);

    } else {
        (void) fputs(gw.block.data, stdout);
    }

    return AKL_EXIT_OK;
}
