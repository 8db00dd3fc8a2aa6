/*
 * What an nginx configuration says about this module: auth methods and auth
 * configs, checked by the same functions that nginx -t calls, with the same
 * words.
 */

#ifndef AKL_CLI_SETUP_H
#define AKL_CLI_SETUP_H

#include "../jose/jwk.h"
#include "../k8s/bounds.h"
#include "../k8s/check.h"
#include "../k8s/credential.h"
#include "../k8s/revocations.h"
#include "../k8s/subject.h"
#include "nginxconf.h"


/* a credential, key or certificate: a file, or "data:" inline */

typedef struct {
    akl_directive_t        *directive;  /* NULL: not given */
    const char             *path;       /* NULL: inline */
    akl_str_t               text;       /* len 0: not to be had */
    const char             *cause;      /* why so; NULL where it is fine */
} akl_source_t;


typedef struct akl_setup_method_s  akl_setup_method_t;

struct akl_setup_method_s {
    const char             *id;
    akl_directive_t        *directive;
    akl_bounds_t            bounds;
    akl_list_t              audiences;  /* any of them */
    akl_list_t              ips;        /* as they stand there */
    int64_t                 access_expires;     /* 0: never */
    akl_source_t            public_key;
    akl_setup_method_t     *next;
};


typedef struct akl_setup_config_s  akl_setup_config_t;

struct akl_setup_config_s {
    const char             *name;
    akl_directive_t        *directive;
    const char             *access_id;
    akl_setup_method_t     *method;     /* NULL: unknown */
    akl_list_t              hosts;
    const char             *server_name;    /* for TLS, or NULL */
    const char             *proxy;          /* http://host:port, or NULL */
    akl_list_t              issuers;    /* n 0: not validated */
    akl_source_t            signing_key;
    akl_list_t              own_keys;   /* PEM: it, and verification keys */
    akl_source_t            ca;
    akl_source_t            reviewer;   /* JWT, or Rancher's key */
    akl_source_t            client_cert;
    akl_source_t            client_key;
    akl_source_t            jwks;
    const char             *cluster_id;
    const char             *mount;      /* use_gw_service_account */
    const char             *token_issuer;
    akl_list_t              token_audiences;
    akl_subject_t           subject;
    unsigned                subject_known:1;    /* and it is none to refuse */
    unsigned                bound:1;    /* tokens, to certificates */
    unsigned                rancher:1;
    unsigned                certificate:1;
    unsigned                self:1;     /* the pod's token is the bearer */
    unsigned                ca_system:1;
    unsigned                jwks_auto:1;
    akl_setup_config_t     *next;
};


typedef struct akl_setup_revoked_s  akl_setup_revoked_t;

/* a file of revocations */

struct akl_setup_revoked_s {
    akl_directive_t        *directive;
    const char             *path;
    akl_revocations_t      *table;      /* what was read of it; or NULL */
    const char             *cause;      /* why not all of it; or NULL */
    size_t                  line;       /* that the cause is about, or 0 */
    int                     error;      /* errno, or 0 */
    unsigned                journal:1;
    akl_setup_revoked_t    *next;
};


typedef struct akl_problem_s  akl_problem_t;

struct akl_problem_s {
    const char             *text;       /* with file and line */
    akl_directive_t        *directive;
    unsigned                error:1;    /* nginx would not start */
    akl_problem_t          *next;
};


typedef struct akl_setup_file_s  akl_setup_file_t;

typedef struct {
    const char             *dir;        /* relative paths are below it */
    akl_directive_t        *tree;
    akl_setup_method_t     *methods;
    akl_setup_config_t     *configs;
    akl_setup_revoked_t    *revoked;    /* by akl_setup_revoked() */
    akl_problem_t          *problems;
    akl_problem_t         **last_problem;
    akl_setup_file_t       *files;      /* those that are not written yet */
    unsigned                alone:1;    /* a block that is not written yet; its
                                           method may be elsewhere */
} akl_setup_t;


/* An empty one. */
akl_setup_t *akl_setup_new(void);

/* A file that is about to be written: its text is read in its place. */
void akl_setup_file(akl_setup_t *setup, const char *path, akl_str_t text);

/*
 * Reads nginx.conf, or a part of it, with what it includes.  NULL, or the
 * cause why it cannot be read; what is wrong with our blocks is in
 * setup->problems.
 */
const char *akl_setup_read(akl_setup_t *setup, const char *path);

/* The same of a text that would stand in "path". */
const char *akl_setup_text(akl_setup_t *setup, const char *path,
    akl_str_t text);

/*
 * Tells the problems of a block that is about to be written: warnings on
 * standard error, the first error by akl_fail().  0 or AKL_EXIT_USAGE.
 */
int akl_setup_tell(akl_setup_t *setup);

/* The auth config called "name", or NULL. */
akl_setup_config_t *akl_setup_find(akl_setup_t *setup, const char *name);


/*
 * Reads the files of akl_k8s_revocations into setup->revoked, as they are at
 * "now"; of a journal the whole lines.  akl_setup_revoked_free() frees their
 * tables.
 */
void akl_setup_revoked(akl_setup_t *setup, int64_t now);
void akl_setup_revoked_free(akl_setup_t *setup);

/* between the files of this part */

void akl_setup_problem(akl_setup_t *setup, akl_directive_t *d, int error,
    const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What is wrong with a source, as nginx -t says it; "look" or "" ends it. */
void akl_setup_cause(akl_setup_t *setup, akl_source_t *source, int error,
    const char *cause, const char *look);

/* Reads a source; problems are noted. */
void akl_setup_source(akl_setup_t *setup, akl_directive_t *d,
    const char *value, akl_credential_type_t type, akl_source_t *source);

/* Words 1 to n of a directive, appended. */
void akl_setup_words(akl_list_t *list, akl_directive_t *d);

void akl_setup_method(akl_setup_t *setup, akl_directive_t *d);
void akl_setup_config(akl_setup_t *setup, akl_directive_t *d);


#endif /* AKL_CLI_SETUP_H */
