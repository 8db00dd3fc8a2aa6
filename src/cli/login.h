/*
 * A login at the gateway, as a pod does it.
 */

#ifndef AKL_CLI_LOGIN_H
#define AKL_CLI_LOGIN_H

#include "../k8s/pod_token.h"
#include "http.h"
#include "options.h"


#define AKL_LOGIN_DIALECTS  "akeyless|vault|oauth|bearer"
#define AKL_LOGIN_TOKEN     AKL_POD_MOUNT "/token"


typedef struct {
    akl_http_peer_t   peer;
    const char       *dialect;
    const char       *path;             /* behind the gateway's URL */
    const char       *access_id;        /* or NULL */
    const char       *config;           /* or NULL */
    const char       *role;             /* of Vault's dialect; or NULL */
    const char       *audience;         /* of OAuth's; or NULL */
} akl_login_t;


typedef struct {
    int               exit;             /* AKL_EXIT_... */
    char             *token;            /* NULL: none */
    int64_t           expires;          /* seconds since the epoch */
    akl_reason_t      reason;           /* AKL_REASON_N: not told */
    const char       *error;            /* in words, with the reason */
    const char       *cure;             /* or NULL */
    int               again;            /* a later try may do */
    long long         retry_after;      /* seconds, -1: not said */
    long long         date;             /* the gateway's clock, 0: not told */
} akl_login_result_t;


/* options that auth and doctor share; to be put into their tables */

#define AKL_LOGIN_OPTIONS                                                     \
    { "gateway-url", NULL, AKL_OPT_TEXT, "URL",                               \
      "the gateway (http://localhost:8000)" },                                \
    { "gateway-ca-cert", NULL, AKL_OPT_FILE, "FILE",                          \
      "the gateway's CA (the system's)" },                                    \
    { "auth-path", NULL, AKL_OPT_TEXT, "PATH",                                \
      "location of akl_k8s_auth (by dialect)" },                              \
    { "dialect", NULL, AKL_OPT_TEXT, AKL_LOGIN_DIALECTS,                      \
      "how to ask (akeyless)" },                                              \
    { "role", NULL, AKL_OPT_TEXT, "NAME", "the role in Vault's dialect" },    \
    { "audience", NULL, AKL_OPT_TEXT, "NAME",                                 \
      "what the token is for, in OAuth's" },                                  \
    { "proxy", NULL, AKL_OPT_TEXT, "URL",                                     \
      "HTTP proxy to the gateway (none)" },                                   \
    { "timeout", NULL, AKL_OPT_TEXT, "SECONDS", "limit of one call (10)" }


/* Reads these options.  0, or AKL_EXIT_USAGE after the error was told. */
int akl_login_options(akl_args_t *args, akl_login_t *login);

/* One login with a pod's token, raw. */
void akl_login(const akl_login_t *login, akl_str_t token,
    akl_login_result_t *result);

/*
 * Reads a pod's token from a file or "-": trimmed, base64 around it and
 * "Bearer " before it taken off.  NULL, or the cause.
 */
const char *akl_login_token(const char *path, akl_str_t *token);


#endif /* AKL_CLI_LOGIN_H */
