/*
 * doctor: what is wrong between nginx and a cluster, and what cures it.
 */

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "commands.h"
#include "doctor.h"
#include "out.h"
#include "words.h"


#define AKL_DOCTOR_NEAR_END  (7 * 86400)


static int akl_doctor_run(akl_args_t *args);


static const akl_option_t  akl_doctor_options[] = {
    { "config", NULL, AKL_OPT_FILE, "FILE",
      "nginx's (/etc/nginx/nginx.conf)" },
    { "k8s-token-path", NULL, AKL_OPT_FILE, "FILE",
      "a pod's token, to try what would come of it" },
    { "access-id", NULL, AKL_OPT_TEXT, "ID",
      "for the login (that of the auth config)" },
    AKL_LOGIN_OPTIONS,
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


const akl_command_t  akl_command_doctor = {
    "doctor",
    "what is wrong with an auth config, and the cure",
    "[NAME...]",
    "Reads nginx's configuration, and goes the way of a login for each auth\n"
    "config, or for those that are named: files and their rights, name, port\n"
    "and certificate of the API server, the reviewer and its rights, clocks,\n"
    "issuer, keys and audience; and with --gateway-url a login itself.  A\n"
    "line for each, with the command that cures what is wrong.",
    "  akl-k8s doctor\n"
    "  akl-k8s doctor k8s-conf --config /etc/nginx/nginx.conf \\\n"
    "      --k8s-token-path pod.jwt --gateway-url https://gw.example.com",
    akl_doctor_options,
    akl_doctor_run
};


void
akl_finding(akl_exam_t *exam, akl_finding_t finding, const char *check,
    const char *cure, const char *format, ...)
{
    char     *text;
    json_t   *object;
    va_list   args;

    static const char         *words[] = {
        "ok", "skipped", "warning", "failed", "failed"
    };
    static const char         *marks[] = {
        "ok  ", "  - ", "warn", "FAIL", "FAIL"
    };
    static const akl_style_t   styles[] = {
        AKL_GREEN, AKL_DIM, AKL_YELLOW, AKL_RED, AKL_RED
    };

    va_start(args, format);
    text = akl_mem_vprintf(format, args);
    va_end(args);

    if (finding > exam->worst) {
        exam->worst = finding;
    }

    if (exam->list) {
        object = json_object();

        if (exam->config) {
            json_object_set_new(object, "config",
                                akl_json_text(akl_str_of(exam->config->name)));
        }

        json_object_set_new(object, "check", json_string(check));
        json_object_set_new(object, "outcome", json_string(words[finding]));
        json_object_set_new(object, "text", akl_json_text(akl_str_of(text)));

        if (cure) {
            json_object_set_new(object, "cure",
                                akl_json_text(akl_str_of(cure)));
        }

        json_array_append_new(exam->list, object);

        return;
    }

    akl_progress_end();

    printf("%s%s%s  %-9s %s\n", akl_style(stdout, styles[finding]),
           marks[finding], akl_style(stdout, AKL_PLAIN), check, text);

    if (cure) {
        printf("                try: %s\n", cure);
    }
}


/* directives of the block, and of its method */

static int
akl_doctor_inside(akl_directive_t *block, akl_directive_t *d)
{
    akl_directive_t  *inside;

    if (block == d) {
        return 1;
    }

    for (inside = block->block; inside; inside = inside->next) {
        if (inside == d) {
            return 1;
        }
    }

    return 0;
}


static const char *
akl_doctor_file_cure(akl_directive_t *d)
{
    const char  *name;

    name = d->args[0];

    if (strcmp(name, "token_reviewer_jwt") == 0) {
        return akl_mem_printf("kubectl create token akl-reviewer -n "
                              "kube-system --duration=8760h > %s",
                              d->args[1]);
    }

    if (strcmp(name, "signing_key") == 0) {
        return akl_mem_printf("akl-k8s keys new --out %s", d->args[1]);
    }

    return "nginx -t";
}


/* what nginx -t says; the reviewer's end has a line of its own */

static void
akl_doctor_problems(akl_exam_t *exam)
{
    size_t               n;
    const char          *cure;
    akl_problem_t       *p;
    akl_setup_config_t  *config;

    config = exam->config;
    n = 0;

    for (p = exam->setup->problems; p; p = p->next) {

        if (!akl_doctor_inside(config->directive, p->directive)
            && !(config->method
                 && akl_doctor_inside(config->method->directive,
                                      p->directive)))
        {
            continue;
        }

        if (p->directive == config->reviewer.directive
            && config->reviewer.text.len && !config->rancher)
        {
            continue;
        }

        cure = NULL;

        if (p->error) {
            cure = strstr(p->text, "Permission denied")
                   ? akl_mem_printf("sudo akl-k8s doctor, or: ls -l %s",
                                    p->directive->n > 1
                                    ? p->directive->args[1] : "")
                   : akl_doctor_file_cure(p->directive);
        }

        akl_finding(exam, p->error ? AKL_FINDING_FAILED : AKL_FINDING_WARN,
                    "config", cure, "%s", p->text);
        n++;
    }

    if (n == 0) {
        akl_finding(exam, AKL_FINDING_OK, "config", NULL,
                    "akl_k8s_auth_config \"%s\" in %s:%zu",
                    akl_clean(akl_str_of(config->name)),
                    config->directive->file, config->directive->line);
    }
}


static void
akl_doctor_reviewer(akl_exam_t *exam)
{
    int64_t              now, end;
    const char          *namespace, *name, *cure;
    akl_setup_config_t  *config;

    config = exam->config;

    if (config->rancher || config->self
        || (config->certificate ? config->client_cert.text.len
                                : config->reviewer.text.len) == 0)
    {
        return;
    }

    now = (int64_t) time(NULL);
    end = config->certificate
          ? akl_credential_expires(AKL_CREDENTIAL_PEM, config->client_cert.text)
          : akl_credential_expires(AKL_CREDENTIAL_TEXT, config->reviewer.text);

    akl_exam_reviewer_name(exam, &namespace, &name);

    cure = config->certificate
           ? "renew the client certificate"
           : akl_mem_printf("kubectl create token %s -n %s --duration=8760h "
                            "> %s", name, namespace,
                            config->reviewer.path ? config->reviewer.path
                                                  : "reviewer.jwt");

    if (end && end <= now) {
        akl_finding(exam, AKL_FINDING_FAILED, "reviewer", cure,
                    "the reviewer's %s ended %s",
                    config->certificate ? "certificate" : "token",
                    akl_words_when(end, now));

    } else if (config->reviewer.cause) {
        akl_finding(exam, AKL_FINDING_FAILED, "reviewer", cure,
                    "the reviewer's token %s", config->reviewer.cause);

    } else if (end && end - now < AKL_DOCTOR_NEAR_END) {
        akl_finding(exam, AKL_FINDING_WARN, "reviewer", cure,
                    "the reviewer's %s ends %s",
                    config->certificate ? "certificate" : "token",
                    akl_words_when(end, now));

    } else {
        akl_finding(exam, AKL_FINDING_OK, "reviewer", NULL,
                    end ? "%s, ends %s" : "%s, has no end",
                    config->certificate ? "a client certificate"
                    : akl_mem_printf("the token of %s/%s", namespace, name),
                    end ? akl_words_when(end, now) : "");
    }
}


static void
akl_doctor_cluster(akl_exam_t *exam)
{
    char                *url;
    size_t               i, len;
    akl_setup_config_t  *config;

    config = exam->config;

    for (i = 0; i < config->hosts.n; i++) {

        url = akl_mem_strn(config->hosts.elts[i].data,
                           config->hosts.elts[i].len);

        for (len = strlen(url); len && url[len - 1] == '/'; len--) {
            url[len - 1] = '\0';
        }

        memset(&exam->kube, 0, sizeof(akl_kube_t));

        exam->kube.peer.url = url;
        exam->kube.peer.ca = config->ca.text;
        exam->kube.peer.proxy = config->proxy;
        exam->kube.peer.server_name = config->server_name;
        exam->kube.peer.timeout = exam->timeout;
        exam->kube.peer.https_only = 1;
        exam->kube.bearer = (const char *) (config->certificate || config->self
                                            ? NULL
                                            : config->reviewer.text.data);

        if (config->certificate) {
            exam->kube.peer.cert = config->client_cert.text;
            exam->kube.peer.key = config->client_key.text;
        }

        if (config->rancher) {
            exam->kube.prefix = akl_mem_printf("/k8s/clusters/%s",
                                               config->cluster_id
                                               ? config->cluster_id : "");
        }

        if (akl_exam_reach(exam, config->hosts.elts[i])) {
            akl_exam_cluster(exam);
        }
    }
}


static void
akl_doctor_login(akl_exam_t *exam, const akl_login_t *given)
{
    akl_login_t          login;
    akl_login_result_t   result;

    login = *given;
    login.config = exam->config->name;

    if (login.access_id == NULL) {
        login.access_id = exam->config->access_id;
    }

    akl_progress("logging in at %s", login.peer.url);

    akl_login(&login, exam->token, &result);

    if (result.token) {
        akl_finding(exam, AKL_FINDING_OK, "login", NULL,
                    "the gateway gives a token until %s",
                    akl_words_time(result.expires));
        return;
    }

    akl_finding(exam, result.exit == AKL_EXIT_UNREACHABLE
                      ? AKL_FINDING_DOWN : AKL_FINDING_FAILED, "login",
                result.cure, "%s", result.error);
}


static void
akl_doctor_exam(akl_exam_t *exam, const akl_login_t *login)
{
    akl_setup_config_t  *config;

    config = exam->config;

    if (exam->list == NULL) {
        printf("%sauth config \"%s\"%s\n", akl_style(stdout, AKL_BOLD),
               akl_clean(akl_str_of(config->name)),
               akl_style(stdout, AKL_PLAIN));
    }

    akl_doctor_problems(exam);
    akl_exam_files(exam);
    akl_doctor_reviewer(exam);

    /* nobody is asked without the right CA and credential */

    if (config->hosts.n == 0 || (config->ca.text.len == 0
                                 && !config->ca_system)
        || (config->certificate && (config->client_cert.text.len == 0
                                    || config->client_key.text.len == 0))
        || (!config->certificate && !config->self
            && config->reviewer.text.len == 0)
        || (config->rancher && config->cluster_id == NULL))
    {
        akl_finding(exam, AKL_FINDING_SKIPPED, "cluster", NULL,
                    "not asked: the config is not complete");

    } else {
        akl_doctor_cluster(exam);
    }

    if (login) {
        akl_doctor_login(exam, login);
    }

    if (exam->list == NULL && config->next) {
        printf("\n");
    }
}


static int
akl_doctor_named(akl_args_t *args, akl_setup_config_t *config)
{
    size_t       i;
    const char  *name;

    if (akl_operand(args, 0) == NULL) {
        return 1;
    }

    for (i = 0; (name = akl_operand(args, i)) != NULL; i++) {
        if (strcmp(name, config->name) == 0) {
            return 1;
        }
    }

    return 0;
}


static int
akl_doctor_run(akl_args_t *args)
{
    size_t               i;
    long long            timeout;
    akl_exam_t           exam, each;
    akl_login_t          login;
    const char          *path, *token, *name, *cause;
    akl_setup_config_t  *config;

    memset(&exam, 0, sizeof(akl_exam_t));

    timeout = 10;

    if (akl_opt_number(args, "timeout", 1, 3600, &timeout) != 0) {
        return AKL_EXIT_USAGE;
    }

    exam.timeout = (long) timeout;

    path = akl_opt_or(args, "config", "/etc/nginx/nginx.conf");
    token = akl_opt(args, "k8s-token-path");

    if (akl_opt(args, "gateway-url")) {

        if (token == NULL) {
            return akl_usage(&akl_command_doctor, "\"--gateway-url\" needs "
                             "\"--k8s-token-path\", to log in with");
        }

        if (akl_login_options(args, &login) != 0) {
            return AKL_EXIT_USAGE;
        }
    }

    if (token) {
        cause = akl_login_token(token, &exam.token);

        if (cause) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "the token \"%s\": %s",
                            token, cause);
        }
    }

    exam.setup = akl_setup_new();
    cause = akl_setup_read(exam.setup, path);

    if (cause) {
        return akl_fail(AKL_EXIT_USAGE, "--config FILE, and sudo where it is "
                        "not for everybody to read", "%s", cause);
    }

    if (exam.setup->configs == NULL) {
        return akl_fail(AKL_EXIT_USAGE, "akl-k8s gateway-create-k8s-auth-"
                        "config --help", "\"%s\" and what it includes have no "
                        "akl_k8s_auth_config", path);
    }

    for (i = 0; (name = akl_operand(args, i)) != NULL; i++) {
        if (akl_setup_find(exam.setup, name) == NULL) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "\"%s\" has no "
                            "akl_k8s_auth_config \"%s\"", path,
                            akl_clean(akl_str_of(name)));
        }
    }

    if (akl_out_is_json()) {
        exam.list = json_array();
    }

    for (config = exam.setup->configs; config; config = config->next) {

        if (!akl_doctor_named(args, config)) {
            continue;
        }

        each = exam;
        each.config = config;

        akl_doctor_exam(&each, akl_opt(args, "gateway-url") ? &login : NULL);

        if (each.worst > exam.worst) {
            exam.worst = each.worst;
        }
    }

    if (akl_operand(args, 0) == NULL) {
        each = exam;
        each.config = NULL;

        akl_exam_revoked(&each);

        if (each.worst > exam.worst) {
            exam.worst = each.worst;
        }
    }

    if (exam.list) {
        akl_print_json(exam.list);
    }

    return (exam.worst == AKL_FINDING_DOWN) ? AKL_EXIT_UNREACHABLE
           : (exam.worst == AKL_FINDING_FAILED) ? AKL_EXIT_REFUSED
           : AKL_EXIT_OK;
}
