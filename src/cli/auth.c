/*
 * auth: a pod's login; once, or again and again into a file.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "commands.h"
#include "file.h"
#include "login.h"
#include "out.h"
#include "words.h"


#define AKL_AUTH_BACKOFF_MAX  30        /* seconds */


static int akl_auth_run(akl_args_t *args);


static volatile sig_atomic_t  akl_auth_ended;


static const akl_option_t  akl_auth_options[] = {
    { "access-id", NULL, AKL_OPT_TEXT, "ID", "the auth method" },
    { "access-type", NULL, AKL_OPT_TEXT, "k8s", "always k8s" },
    { "k8s-auth-config-name", NULL, AKL_OPT_TEXT, "NAME",
      "the gateway's auth config" },
    { "k8s-token-path", NULL, AKL_OPT_FILE, "FILE",
      "the pod's token (where the kubelet puts it)" },
    AKL_LOGIN_OPTIONS,
    { "wait", NULL, AKL_OPT_TEXT, "SECONDS",
      "how long to wait for a busy gateway (60)" },
    { "out", NULL, AKL_OPT_FILE, "FILE",
      "write the token to FILE, do not print it" },
    { "watch", NULL, AKL_OPT_FILE, "FILE",
      "keep a fresh token in FILE, until stopped" },
    { "mode", NULL, AKL_OPT_TEXT, "OCTAL", "rights of that file (0600)" },
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


const akl_command_t  akl_command_auth = {
    "auth",
    "log in as a pod, print the token or keep it in a file",
    NULL,
    "Logs in at the gateway with the pod's own token, and prints the token it\n"
    "gets.  A gateway that is busy is asked again when it says (Retry-After).\n"
    "With --watch the token is kept in a file, replaced in one step when half\n"
    "of its life is over: for a sidecar, beside an application that reads\n"
    "files.  With --out it is written once: for an init container.",
    "  akl-k8s auth --access-id p-kmx8x116z7j9km --access-type k8s \\\n"
    "      --gateway-url https://gw.example.com:8000 \\\n"
    "      --k8s-auth-config-name k8s-conf",
    akl_auth_options,
    akl_auth_run
};


typedef struct {
    akl_args_t   *args;
    akl_login_t   login;
    const char   *token_path;
    const char   *file;                 /* --out or --watch; or NULL */
    mode_t        mode;
    long long     wait;
} akl_auth_t;


static void
akl_auth_signal(int signo)
{
    (void) signo;
    akl_auth_ended = 1;
}


/* sleeps; 1 where a signal has ended it */

static int
akl_auth_sleep(long long seconds)
{
    struct timespec  ts;

    ts.tv_sec = (time_t) seconds;
    ts.tv_nsec = 0;

    while (!akl_auth_ended && nanosleep(&ts, &ts) == -1 && errno == EINTR) {
        /* void */
    }

    return akl_auth_ended;
}


static int
akl_auth_settings(akl_auth_t *auth)
{
    char         *end;
    long          mode;
    const char   *dialect, *text, *watch, *out;
    akl_args_t   *args;

    args = auth->args;

    if (strcmp(akl_opt_or(args, "access-type", "k8s"), "k8s") != 0) {
        return akl_usage(&akl_command_auth, "\"--access-type\" is always "
                         "\"k8s\" here");
    }

    if (akl_login_options(args, &auth->login) != 0) {
        return AKL_EXIT_USAGE;
    }

    dialect = auth->login.dialect;

    if (strcmp(dialect, "akeyless") == 0
        && (auth->login.access_id == NULL || auth->login.config == NULL))
    {
        return akl_usage(&akl_command_auth, "\"--%s\" is missing",
                         auth->login.access_id ? "k8s-auth-config-name"
                                               : "access-id");
    }

    if (strcmp(dialect, "vault") == 0 && auth->login.role == NULL
        && auth->login.config == NULL)
    {
        return akl_usage(&akl_command_auth, "Vault's dialect needs \"--role\" "
                         "or \"--k8s-auth-config-name\"");
    }

    watch = akl_opt(args, "watch");
    out = akl_opt(args, "out");

    if (watch && out) {
        return akl_usage(&akl_command_auth, "\"--watch\" and \"--out\" "
                         "exclude each other");
    }

    auth->file = watch ? watch : out;
    auth->token_path = akl_opt_or(args, "k8s-token-path", AKL_LOGIN_TOKEN);

    if (watch && strcmp(auth->token_path, "-") == 0) {
        return akl_usage(&akl_command_auth, "\"--watch\" reads the pod's token "
                         "again and again: it has to be a file");
    }

    text = akl_opt_or(args, "mode", "0600");
    mode = strtol(text, &end, 8);

    if (end == text || *end || mode < 0400 || mode > 0777) {
        return akl_usage(&akl_command_auth, "\"--mode\" is octal, as of "
                         "chmod: 0640");
    }

    auth->mode = (mode_t) mode;
    auth->wait = 60;

    return akl_opt_number(args, "wait", 0, 86400, &auth->wait);
}


/* one login, waiting as long as the gateway asks for and --wait allows */

static void
akl_auth_login(akl_auth_t *auth, akl_login_result_t *result)
{
    long long     delay, left;
    akl_str_t     token;
    const char   *cause;

    left = auth->wait;

    for (delay = 1; /* void */ ; delay *= 2) {

        cause = akl_login_token(auth->token_path, &token);

        if (cause) {
            memset(result, 0, sizeof(akl_login_result_t));
            result->exit = AKL_EXIT_USAGE;
            result->error = akl_mem_printf("the pod's token \"%s\": %s",
                                           auth->token_path, cause);
            result->cure = "--k8s-token-path FILE";
            return;
        }

        akl_progress("logging in at %s", auth->login.peer.url);

        akl_login(&auth->login, token, result);

        if (result->token || !result->again || left <= 0 || akl_auth_ended) {
            return;
        }

        if (result->retry_after >= 0) {
            delay = result->retry_after ? result->retry_after : 1;
        }

        /* a gateway that nobody listens for is not asked for a minute */

        if (result->retry_after < 0 && result->reason == AKL_REASON_N
            && delay > 4)
        {
            return;
        }

        if (delay > left) {
            return;
        }

        akl_progress("%s; again in %lld s", result->error, delay);

        if (akl_auth_sleep(delay)) {
            return;
        }

        left -= delay;
    }
}


static const char *
akl_auth_write(akl_auth_t *auth, akl_login_result_t *result)
{
    return akl_file_write(auth->file, akl_str_of(result->token), auth->mode,
                          1);
}


static int
akl_auth_failed(akl_login_result_t *result)
{
    return akl_fail(result->exit, result->cure, "%s", result->error);
}


/*
 * What comes of one login of --watch: the seconds until the next, or -1 with
 * *rc to end with.
 */

static long long
akl_auth_kept(akl_auth_t *auth, akl_login_result_t *result, int first,
    long long *pause, int *rc)
{
    int64_t      left;
    long long    delay;
    const char  *cause;

    if (result->token) {
        cause = akl_auth_write(auth, result);

        if (cause) {
            *rc = akl_fail(AKL_EXIT_USAGE, NULL, "cannot write \"%s\": %s",
                           auth->file, cause);
            return -1;
        }

        left = result->expires - (int64_t) time(NULL);
        delay = (left > 2) ? left / 2 : 1;
        *pause = 1;

        akl_note("token in %s until %s, the next in %s", auth->file,
                 akl_words_time(result->expires), akl_words_span(delay));

        return delay;
    }

    /* what does not work at all should be seen at once */

    if (first) {
        *rc = akl_auth_failed(result);
        return -1;
    }

    delay = *pause;

    if (result->retry_after > delay
        && result->retry_after <= AKL_AUTH_BACKOFF_MAX)
    {
        delay = result->retry_after;
    }

    *pause = (*pause * 2 > AKL_AUTH_BACKOFF_MAX) ? AKL_AUTH_BACKOFF_MAX
                                                 : *pause * 2;

    akl_warn("%s; again in %s", result->error, akl_words_span(delay));

    return delay;
}


static int
akl_auth_watch(akl_auth_t *auth)
{
    int                  rc, first;
    long long            delay, pause;
    struct sigaction     sa;
    akl_mem_block_t     *mark;
    akl_login_result_t   result;

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = akl_auth_signal;
    (void) sigaction(SIGTERM, &sa, NULL);
    (void) sigaction(SIGINT, &sa, NULL);

    rc = AKL_EXIT_OK;
    pause = 1;

    for (first = 1; /* void */ ; first = 0) {

        /* it may run for years */

        mark = akl_mem_mark();

        akl_auth_login(auth, &result);

        if (akl_auth_ended) {
            return AKL_EXIT_OK;
        }

        delay = akl_auth_kept(auth, &result, first, &pause, &rc);

        if (delay < 0) {
            return rc;
        }

        akl_mem_release(mark);
        auth->wait = 0;

        if (akl_auth_sleep(delay)) {
            return AKL_EXIT_OK;
        }
    }
}


static int
akl_auth_run(akl_args_t *args)
{
    int                  rc;
    json_t              *object;
    akl_auth_t           auth;
    const char          *cause;
    akl_login_result_t   result;

    memset(&auth, 0, sizeof(akl_auth_t));
    auth.args = args;

    rc = akl_auth_settings(&auth);
    if (rc != 0) {
        return rc;
    }

    if (akl_opt(args, "watch")) {
        return akl_auth_watch(&auth);
    }

    akl_auth_login(&auth, &result);

    if (result.token == NULL) {
        return akl_auth_failed(&result);
    }

    if (auth.file) {
        cause = akl_auth_write(&auth, &result);

        if (cause) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "cannot write \"%s\": %s",
                            auth.file, cause);
        }
    }

    if (akl_out_is_json()) {
        object = json_object();

        json_object_set_new(object, auth.file ? "file" : "token",
                            json_string(auth.file ? auth.file
                                                  : result.token));
        json_object_set_new(object, "expiration",
                            json_string(akl_words_time(result.expires)));
        json_object_set_new(object, "expiry", json_integer(result.expires));
        akl_print_json(object);

        return AKL_EXIT_OK;
    }

    akl_progress_end();
    printf("Authentication succeeded.\n");

    if (auth.file) {
        printf("Token: in %s, until %s\n", auth.file,
               akl_words_time(result.expires));
    } else {
        printf("Token: %s\n", result.token);
    }

    return AKL_EXIT_OK;
}
