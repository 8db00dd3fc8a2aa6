/*
 * create-auth-method-k8s: an access id, a key pair, and the block of who may
 * log in.
 */

#include <openssl/rand.h>

#include "../k8s/bounds.h"
#include "commands.h"
#include "file.h"
#include "keypair.h"
#include "nginxconf.h"
#include "out.h"
#include "pem.h"
#include "setup.h"


#define AKL_ACCESS_ID_LEN  14           /* behind "p-" */


typedef struct {
    char             *access_id;
    const char       *conf;
    char             *key_file;
    char             *public_file;
    akl_str_t         key;              /* PEM; len 0: the caller has it */
    akl_str_t         public_key;       /* PEM */
} akl_method_t;


static int akl_method_run(akl_args_t *args);


static const akl_option_t  akl_method_options[] = {
    { "name", "n", AKL_OPT_TEXT, "NAME", "what it is called; required" },
    { "bound-namespaces", NULL, AKL_OPT_LIST, "GLOB,...",
      "namespaces whose pods may log in" },
    { "bound-pod-names", NULL, AKL_OPT_LIST, "GLOB,...",
      "pods that may log in" },
    { "bound-sa-names", NULL, AKL_OPT_LIST, "GLOB,...",
      "service accounts that may log in" },
    { "bound-ips", NULL, AKL_OPT_LIST, "CIDR,...",
      "client addresses that may log in" },
    { "audience", NULL, AKL_OPT_LIST, "NAME,...",
      "what pod tokens have to be meant for" },
    { "access-expires", NULL, AKL_OPT_TEXT, "TIME",
      "when access ends: unix or RFC 3339; 0: never" },
    { "jwt-ttl", NULL, AKL_OPT_TEXT, "MINUTES",
      "how long minted tokens live; 0: 15 minutes" },
    { "gen-key", NULL, AKL_OPT_FLAG, NULL,
      "make a key pair (true unless --public-key)" },
    { "public-key", NULL, AKL_OPT_FILE, "FILE|BASE64",
      "the public key of a pair that you have" },
    { "key-type", NULL, AKL_OPT_TEXT, AKL_KEY_TYPES,
      "which pair to make (rsa)" },
    { "conf", NULL, AKL_OPT_FILE, "FILE",
      "write nginx's block to FILE, keys beside it" },
    { "force", NULL, AKL_OPT_FLAG, NULL, "replace files that exist" },
    { "gw-bound-ips", NULL, AKL_OPT_LIST, NULL, "" },
    { "force-sub-claims", NULL, AKL_OPT_FLAG, NULL, "" },
    { "audit-logs-claims", NULL, AKL_OPT_LIST, NULL, "" },
    { "description", NULL, AKL_OPT_TEXT, NULL, "" },
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


const akl_command_t  akl_command_create_auth_method = {
    "create-auth-method-k8s",
    "who may log in: an access id and its key pair",
    NULL,
    "Makes an access id and a key pair, and nginx's akl_k8s_auth_method block\n"
    "with the bounds of who may log in.  Lists are OR inside, AND between\n"
    "them; \"*\" and \"?\" are globs.  The private key is printed as base64\n"
    "of its PEM; with --conf it is written to a file that only you can read.",
    "  akl-k8s create-auth-method-k8s -n my-k8s-auth-method \\\n"
    "      --bound-namespaces my-namespace-a --bound-pod-names 'mypod*' \\\n"
    "      --conf /etc/nginx/akl/method.conf",
    akl_method_options,
    akl_method_run
};


/* "p-" and fourteen characters, the last but one of which tells "k8s" */

static const char *
akl_method_id(char **id)
{
    char           *p;
    size_t          i;
    unsigned char   byte;

    static const char  letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    p = akl_mem(2 + AKL_ACCESS_ID_LEN + 1);

    p[0] = 'p';
    p[1] = '-';

    for (i = 0; i < AKL_ACCESS_ID_LEN; /* void */ ) {

        if (RAND_bytes(&byte, 1) != 1) {
            return "OpenSSL has no random bytes";
        }

        /* 252 is the last multiple of 36: each letter is equally likely */

        if (byte < 252) {
            p[2 + i++] = letters[byte % 36];
        }
    }

    p[2 + AKL_ACCESS_ID_LEN - 2] = 'k';

    *id = p;

    return akl_access_id_check(akl_str_of(p));
}


static int
akl_method_key(akl_args_t *args, akl_method_t *method)
{
    int           rc;
    akl_str_t     text;
    akl_jwk_t     jwk;
    const char   *given, *path, *cause;

    given = akl_opt(args, "public-key");

    if (given) {

        if (akl_opt(args, "key-type") || akl_opt_flag(args, "gen-key")) {
            return akl_usage(akl_args_command(args), "with \"--public-key\" "
                             "there is no pair to make");
        }

        cause = akl_credential_argument(AKL_CREDENTIAL_PEM, given, &text,
                                        &path);

        if (cause) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "--public-key: %s", cause);
        }

        rc = akl_jwk_public_from_pem(&jwk, text, &cause);

    } else {

        given = akl_opt(args, "gen-key");

        if (given && !akl_opt_flag(args, "gen-key")) {
            return akl_usage(akl_args_command(args), "\"--gen-key=false\" "
                             "needs \"--public-key\"");
        }

        akl_progress("making a key pair");

        cause = akl_keypair_make(akl_opt_or(args, "key-type", "rsa"),
                                 &method->key);
        if (cause) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause);
        }

        rc = akl_jwk_private_from_pem(&jwk, method->key, &cause);
    }

    if (rc != 0) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "--public-key: %s", cause);
    }

    method->public_key = akl_keypair_public(&jwk);
    akl_jwk_clear(&jwk);

    return 0;
}


static void
akl_method_list(akl_args_t *args, akl_buf_t *block, const char *option,
    const char *directive)
{
    size_t              n;
    const char *const  *values;

    n = akl_opt_list(args, option, &values);

    if (n) {
        akl_nginxconf_line(block, directive, values, n);
    }
}


static int
akl_method_block(akl_args_t *args, akl_method_t *method, akl_buf_t *block)
{
    long long    minutes;
    const char  *expires;

    minutes = 0;

    if (akl_opt_number(args, "jwt-ttl", 0, 365 * 24 * 60, &minutes) != 0) {
        return AKL_EXIT_USAGE;
    }

    akl_buf_printf(block, "# %s, made by akl-k8s\n\nakl_k8s_auth_method %s {\n",
                   akl_clean_all(akl_str_of(akl_opt(args, "name"))),
                   method->access_id);

    akl_method_list(args, block, "bound-namespaces", "bound_namespaces");
    akl_method_list(args, block, "bound-pod-names", "bound_pod_names");
    akl_method_list(args, block, "bound-sa-names", "bound_sa_names");
    akl_method_list(args, block, "bound-ips", "bound_ips");
    akl_method_list(args, block, "audience", "audience");

    expires = akl_opt(args, "access-expires");

    if (expires && strcmp(expires, "0") != 0) {
        akl_nginxconf_pair(block, "access_expires", expires);
    }

    if (minutes) {
        akl_nginxconf_pair(block, "token_ttl",
                           akl_mem_printf("%lldm", minutes));
    }

    akl_nginxconf_pair(block, "public_key",
                       method->public_file
                       ? method->public_file
                       : akl_mem_printf("data:%s", akl_keypair_base64(
                                                      method->public_key)));
    akl_buf_puts(block, "}\n");

    return 0;
}


/* what nginx -t would say of it */

static int
akl_method_check(akl_method_t *method, akl_buf_t *block)
{
    akl_str_t     text;
    akl_setup_t  *setup;
    const char   *cause;

    setup = akl_setup_new();
    setup->alone = 1;

    if (method->public_file) {
        akl_setup_file(setup, method->public_file, method->public_key);
    }

    text.data = (unsigned char *) block->data;
    text.len = block->len;

    cause = akl_setup_text(setup, method->conf ? method->conf : "the block",
                           text);
    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause);
    }

    return akl_setup_tell(setup);
}


static json_t *
akl_method_json(akl_method_t *method)
{
    json_t  *object;

    object = json_object();

    json_object_set_new(object, "access_id", json_string(method->access_id));

    if (method->key.len) {
        json_object_set_new(object, "prv_key",
                            json_string(akl_keypair_base64(method->key)));
    }

    if (method->conf) {
        json_object_set_new(object, "conf", json_string(method->conf));
    }

    if (method->key_file) {
        json_object_set_new(object, "prv_key_file",
                            json_string(method->key_file));
    }

    return object;
}


static int
akl_method_write(akl_args_t *args, akl_method_t *method, akl_buf_t *block)
{
    size_t       n;
    akl_file_t   files[3];
    const char  *cause;

    memset(files, 0, sizeof(files));
    n = 0;

    files[n].path = method->conf;
    files[n].text.data = (unsigned char *) block->data;
    files[n].text.len = block->len;
    files[n++].mode = 0644;

    files[n].path = method->public_file;
    files[n].text = method->public_key;
    files[n++].mode = 0644;

    if (method->key_file) {
        files[n].path = method->key_file;
        files[n].text = method->key;
        files[n++].mode = 0600;
    }

    cause = akl_file_write_all(files, n, akl_opt_flag(args, "force"));

    return cause ? akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause) : 0;
}


static void
akl_method_notes(akl_args_t *args)
{
    if (akl_opt(args, "gw-bound-ips")) {
        akl_note("--gw-bound-ips says nothing here: the gateway is the nginx "
                 "that has the block");
    }

    if (akl_opt_flag(args, "force-sub-claims")) {
        akl_note("--force-sub-claims says nothing here: akl_k8s_require "
                 "demands claims where they are needed");
    }

    if (akl_opt(args, "audit-logs-claims")) {
        akl_note("--audit-logs-claims says nothing here: log_format has "
                 "$akl_k8s_... for any claim");
    }
}


static int
akl_method_run(akl_args_t *args)
{
    int            rc;
    char          *dir;
    akl_buf_t      block;
    const char    *cause;
    akl_method_t   method;

    memset(&method, 0, sizeof(akl_method_t));
    memset(&block, 0, sizeof(akl_buf_t));

    if (akl_opt(args, "name") == NULL || *akl_opt(args, "name") == '\0') {
        return akl_usage(&akl_command_create_auth_method,
                         "\"--name\" is missing");
    }

    rc = akl_method_key(args, &method);
    if (rc != 0) {
        return rc;
    }

    cause = akl_method_id(&method.access_id);
    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "the access id %s", cause);
    }

    method.conf = akl_opt(args, "conf");

    if (method.conf) {
        dir = akl_file_real(akl_file_dir(method.conf));
        method.public_file = akl_mem_printf("%s/%s.pub", dir,
                                            method.access_id);

        if (method.key.len) {
            method.key_file = akl_mem_printf("%s/%s.pem", dir,
                                             method.access_id);
        }
    }

    rc = akl_method_block(args, &method, &block);

    if (rc == 0) {
        rc = akl_method_check(&method, &block);
    }

    if (rc == 0 && method.conf) {
        rc = akl_method_write(args, &method, &block);
    }

    if (rc != 0) {
        return rc;
    }

    akl_method_notes(args);

    if (akl_out_is_json()) {
        akl_print_json(akl_method_json(&method));
        return AKL_EXIT_OK;
    }

    printf("Auth Method %s was created.\n- Access ID: %s\n",
           akl_clean_all(akl_str_of(akl_opt(args, "name"))), method.access_id);

    if (method.key_file) {
        printf("- Private key: %s (only you can read it)\n- nginx's block: "
               "%s\n", method.key_file, method.conf);

    } else if (method.key.len) {
        printf("- Private key: %s\n", akl_keypair_base64(method.key));
    }

    if (method.conf == NULL) {
        printf("\n%s", block.data);
    }

    return AKL_EXIT_OK;
}
