/*
 * keys: key pairs to sign with, what is published of them, and how to change
 * them without refusing anybody.
 */

#include "commands.h"
#include "file.h"
#include "keypair.h"
#include "out.h"
#include "pem.h"


typedef struct {
    const char  *name;
    int        (*run)(akl_args_t *args);
} akl_keys_action_t;


static int akl_keys_run(akl_args_t *args);
static int akl_keys_new(akl_args_t *args);
static int akl_keys_public(akl_args_t *args);
static int akl_keys_jwks(akl_args_t *args);
static int akl_keys_rotate(akl_args_t *args);


static const akl_option_t  akl_keys_options[] = {
    { "key-type", NULL, AKL_OPT_TEXT, AKL_KEY_TYPES,
      "new, rotate: the kind (rsa; as today)" },
    { "key", NULL, AKL_OPT_FILE, "FILE",
      "public, jwks: PEM or its base64; or \"-\"" },
    { "signing-key", NULL, AKL_OPT_FILE, "FILE",
      "rotate: the key that signs today" },
    { "out", NULL, AKL_OPT_FILE, "FILE",
      "new, rotate: the pair goes to FILE, FILE.pub" },
    { "force", NULL, AKL_OPT_FLAG, NULL, "replace files that exist" },
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


const akl_command_t  akl_command_keys = {
    "keys",
    "key pairs: new, public half, JWKS, rotation",
    "new|public|jwks|rotate [FILE...]",
    "new      makes a key pair, in files that only you can read with --out\n"
    "public   prints the public half of a key, for verification_key\n"
    "jwks     prints keys as a JWK set, as akl_k8s_jwks publishes them\n"
    "rotate   makes the next pair, and tells the three steps from the old one\n"
    "         to the new, none of which refuses a token",
    "  akl-k8s keys new --key-type ec --out /etc/nginx/akl/signing.pem\n"
    "  akl-k8s keys jwks /etc/nginx/akl/signing.pem.pub\n"
    "  akl-k8s keys rotate --signing-key /etc/nginx/akl/signing.pem",
    akl_keys_options,
    akl_keys_run
};


static const akl_keys_action_t  akl_keys_actions[] = {
    { "new", akl_keys_new },
    { "public", akl_keys_public },
    { "jwks", akl_keys_jwks },
    { "rotate", akl_keys_rotate },
    { NULL, NULL }
};


static int
akl_keys_run(akl_args_t *args)
{
    const char               *word;
    const akl_keys_action_t  *action;

    word = akl_operand(args, 0);

    if (word == NULL) {
        return akl_usage(&akl_command_keys, "say what: new, public, jwks or "
                         "rotate");
    }

    for (action = akl_keys_actions; action->name; action++) {
        if (strcmp(word, action->name) == 0) {
            return action->run(args);
        }
    }

    return akl_usage(&akl_command_keys, "\"%s\" is none of new, public, jwks "
                     "and rotate", akl_clean_word(akl_str_of(word)));
}


/* a pair in FILE and FILE.pub, with what it is told as in "pair" */

static int
akl_keys_pair(akl_args_t *args, const char *type, const char *out,
    json_t *pair)
{
    akl_str_t    pem, public;
    akl_jwk_t    jwk;
    akl_file_t   files[2];
    const char  *cause;

    akl_progress("making a key pair");

    memset(&jwk, 0, sizeof(akl_jwk_t));

    cause = akl_keypair_make(akl_opt_or(args, "key-type", type), &pem);

    if (cause == NULL && akl_jwk_private_from_pem(&jwk, pem, &cause) == 0) {
        cause = NULL;
    }

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause);
    }

    public = akl_keypair_public(&jwk);

    json_object_set_new(pair, "alg", json_string(akl_alg_name(jwk.alg)));
    json_object_set_new(pair, "kid", json_string(jwk.thumbprint));

    akl_jwk_clear(&jwk);

    if (out == NULL) {
        json_object_set_new(pair, "prv_key",
                            json_string(akl_keypair_base64(pem)));
        json_object_set_new(pair, "pub_key",
                            json_string(akl_keypair_base64(public)));
        json_object_set_new(pair, "pem", akl_json_text(pem));

        return 0;
    }

    memset(files, 0, sizeof(files));

    files[0].path = out;
    files[0].text = pem;
    files[0].mode = 0600;
    files[1].path = akl_mem_printf("%s.pub", out);
    files[1].text = public;
    files[1].mode = 0644;

    cause = akl_file_write_all(files, 2, akl_opt_flag(args, "force"));

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, NULL, "%s", cause);
    }

    json_object_set_new(pair, "prv_key_file", json_string(out));
    json_object_set_new(pair, "pub_key_file",
                        json_string(akl_mem_printf("%s.pub", out)));

    return 0;
}


static int
akl_keys_new(akl_args_t *args)
{
    int          rc;
    json_t      *pair;
    const char  *out;

    out = akl_opt(args, "out");
    pair = json_object();

    rc = akl_keys_pair(args, "rsa", out, pair);

    if (rc == 0 && akl_out_is_json()) {
        json_object_del(pair, "pem");
        akl_print_json(pair);
        return AKL_EXIT_OK;
    }

    if (rc == 0 && out) {
        printf("%s key pair %s\n  private: %s (only you can read it)\n"
               "  public:  %s.pub\n",
               json_string_value(json_object_get(pair, "alg")),
               json_string_value(json_object_get(pair, "kid")), out, out);

    } else if (rc == 0) {
        (void) fputs(json_string_value(json_object_get(pair, "pem")), stdout);
    }

    json_decref(pair);

    return rc;
}


static int
akl_keys_read(const char *path, akl_jwk_t *jwk)
{
    akl_str_t    text;
    const char  *cause;

    memset(jwk, 0, sizeof(akl_jwk_t));

    cause = akl_pem_read(path, &text);

    if (cause == NULL && akl_jwk_public_from_pem(jwk, text, &cause) == 0) {
        return 0;
    }

    return akl_fail(AKL_EXIT_USAGE, NULL, "\"%s\": %s", path, cause);
}


static int
akl_keys_public(akl_args_t *args)
{
    int          rc;
    akl_jwk_t    jwk;
    akl_str_t    pem;
    json_t      *object;
    const char  *path;

    path = akl_opt(args, "key");

    if (path == NULL) {
        path = akl_operand(args, 1);
    }

    if (path == NULL) {
        return akl_usage(&akl_command_keys, "say which key: --key FILE");
    }

    rc = akl_keys_read(path, &jwk);
    if (rc != 0) {
        return rc;
    }

    pem = akl_keypair_public(&jwk);

    if (akl_out_is_json()) {
        object = json_object();
        json_object_set_new(object, "alg", json_string(akl_alg_name(jwk.alg)));
        json_object_set_new(object, "kid", json_string(jwk.thumbprint));
        json_object_set_new(object, "pub_key",
                            json_string(akl_keypair_base64(pem)));
        akl_print_json(object);

    } else {
        (void) fwrite(pem.data, 1, pem.len, stdout);
    }

    akl_jwk_clear(&jwk);

    return AKL_EXIT_OK;
}


static int
akl_keys_jwks(akl_args_t *args)
{
    int          rc;
    size_t       i, k;
    akl_jwk_t    jwk;
    json_t      *set, *keys, *kid, *have;
    const char  *path;

    keys = json_array();
    path = akl_opt(args, "key");
    rc = 0;

    for (i = 1; rc == 0; i++) {

        if (path == NULL) {
            path = akl_operand(args, i);
        }

        if (path == NULL) {
            break;
        }

        rc = akl_keys_read(path, &jwk);
        path = NULL;

        if (rc != 0) {
            break;
        }

        /* a key once, as the module publishes it */

        have = akl_jwk_export(&jwk);
        kid = json_object_get(have, "kid");

        for (k = 0; k < json_array_size(keys); k++) {
            if (json_equal(kid, json_object_get(json_array_get(keys, k),
                                                "kid")))
            {
                break;
            }
        }

        if (k == json_array_size(keys)) {
            json_array_append(keys, have);
        }

        json_decref(have);
        akl_jwk_clear(&jwk);
    }

    if (rc == 0 && json_array_size(keys) == 0) {
        rc = akl_usage(&akl_command_keys, "say which keys: FILE...");
    }

    if (rc != 0) {
        json_decref(keys);
        return rc;
    }

    set = json_object();
    json_object_set_new(set, "keys", keys);
    akl_print_json(set);

    return AKL_EXIT_OK;
}


/* "key.pem" becomes "key-2.pem", "key-2.pem" becomes "key-3.pem" */

static char *
akl_keys_next(const char *path)
{
    size_t        len, end;
    unsigned      number;
    const char   *dot, *slash;

    slash = strrchr(path, '/');
    dot = strrchr(path, '.');

    if (dot == NULL || (slash && dot < slash) || dot == path) {
        dot = path + strlen(path);
    }

    len = (size_t) (dot - path);

    for (end = len; end && path[end - 1] >= '0' && path[end - 1] <= '9';
         end--)
    {
        /* void */
    }

    number = 1;

    if (end > 1 && len - end < 6 && len != end && path[end - 1] == '-'
        && sscanf(path + end, "%u", &number) == 1)
    {
        len = end - 1;
    }

    return akl_mem_printf("%.*s-%u%s", (int) len, path, number + 1, dot);
}


static int
akl_keys_rotate(akl_args_t *args)
{
    int          rc;
    akl_jwk_t    jwk;
    akl_str_t    pem;
    json_t      *plan, *steps;
    const char  *type, *old, *old_pub, *new, *cause;
    char        *text[3];
    size_t       i;

    static const char  *titles[] = { "Publish", "Sign", "Retire" };

    old = akl_opt(args, "signing-key");

    if (old == NULL) {
        old = akl_operand(args, 1);
    }

    if (old == NULL || strcmp(old, "-") == 0) {
        return akl_usage(&akl_command_keys, "say which key signs today: "
                         "--signing-key FILE");
    }

    rc = akl_keys_read(old, &jwk);
    if (rc != 0) {
        return rc;
    }

    /* the next key is of the kind that relying parties take today */

    type = (jwk.alg == AKL_ALG_ES256) ? "ec"
           : (jwk.alg == AKL_ALG_ES384) ? "p384"
           : (jwk.alg == AKL_ALG_EDDSA) ? "ed25519" : "rsa";

    old = akl_file_real(old);
    old_pub = akl_mem_printf("%s.pub", old);
    pem = akl_keypair_public(&jwk);
    akl_jwk_clear(&jwk);

    new = akl_opt(args, "out");

    if (new == NULL) {
        new = akl_keys_next(old);

    } else {
        new = akl_mem_printf("%s/%s", akl_file_real(akl_file_dir(new)),
                             akl_file_name(new));
    }

    plan = json_object();
    rc = akl_keys_pair(args, type, new, plan);

    if (rc == 0) {
        cause = akl_file_write(old_pub, pem, 0644, 1);

        if (cause) {
            rc = akl_fail(AKL_EXIT_USAGE, NULL, "cannot write \"%s\": %s",
                          old_pub, cause);
        }
    }

    if (rc != 0) {
        json_decref(plan);
        return rc;
    }

    text[0] = akl_mem_printf("signing_key      %s;\n"
                             "verification_key %s.pub;", old, new);
    text[1] = akl_mem_printf("signing_key      %s;\n"
                             "verification_key %s;", new, old_pub);
    text[2] = akl_mem_printf("signing_key      %s;", new);

    if (akl_out_is_json()) {
        steps = json_array();

        for (i = 0; i < 3; i++) {
            json_array_append_new(steps, json_pack("{s:s, s:s}", "step",
                                                   titles[i], "conf",
                                                   text[i]));
        }

        json_object_set_new(plan, "steps", steps);
        akl_print_json(plan);

        return AKL_EXIT_OK;
    }

    printf("%s key pair %s\n  private: %s (only you can read it)\n"
           "  public:  %s.pub\n\n",
           json_string_value(json_object_get(plan, "alg")),
           json_string_value(json_object_get(plan, "kid")), new, new);

    json_decref(plan);

    printf("%s1. Publish.%s  In each akl_k8s_auth_config that signs with the "
           "old key:\n\n%s\n\n   Reload, on all replicas.  Wait five minutes, "
           "for that long relying\n   parties may keep the published keys.\n\n",
           akl_style(stdout, AKL_BOLD), akl_style(stdout, AKL_PLAIN),
           akl_indent(text[0], 7));

    printf("%s2. Sign.%s  Swap the two:\n\n%s\n\n   Reload, on all replicas.  "
           "Wait for the longest token_ttl of the\n   methods that use the "
           "key (15 minutes, unless it is set).\n\n",
           akl_style(stdout, AKL_BOLD), akl_style(stdout, AKL_PLAIN),
           akl_indent(text[1], 7));

    printf("%s3. Retire.%s  Take the old key out:\n\n%s\n\n   Reload, on all "
           "replicas, and delete %s.\n\nA key that leaked skips the waiting: "
           "do 2 and 3 in one reload; everybody\nhas to log in again.\n",
           akl_style(stdout, AKL_BOLD), akl_style(stdout, AKL_PLAIN),
           akl_indent(text[2], 7), old);

    return AKL_EXIT_OK;
}
