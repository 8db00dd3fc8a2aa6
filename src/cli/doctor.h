/*
 * What doctor's files share: one examination of one auth config.
 */

#ifndef AKL_CLI_DOCTOR_H
#define AKL_CLI_DOCTOR_H

#include <pwd.h>
#include <sys/stat.h>

#include "kube.h"
#include "login.h"
#include "setup.h"


typedef enum {
    AKL_FINDING_OK = 0,
    AKL_FINDING_SKIPPED,                /* cannot be said, and why */
    AKL_FINDING_WARN,
    AKL_FINDING_FAILED,
    AKL_FINDING_DOWN                    /* nobody answers */
} akl_finding_t;


typedef struct {
    akl_setup_t          *setup;
    akl_setup_config_t   *config;       /* NULL: of the whole gateway */
    json_t               *list;         /* findings as JSON; NULL: printed */
    akl_finding_t         worst;
    akl_kube_t            kube;         /* with the reviewer's credential */
    long                  timeout;      /* of one call, seconds */
    akl_str_t             token;        /* a pod's, len 0: none given */
    unsigned              asked_clock:1;
    unsigned              skewed:1;     /* the clocks differ by too much */
} akl_exam_t;


/* A line; "cure" may be NULL.  Texts are cleaned by the caller. */
void akl_finding(akl_exam_t *exam, akl_finding_t finding, const char *check,
    const char *cure, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * The user of nginx's workers, who read files again and write journals; NULL
 * where we are not root, and they are who we are.
 */
struct passwd *akl_doctor_worker(akl_exam_t *exam);

/* 1 where a user may do that with what "st" is of: bits of an owner's. */
int akl_doctor_may(const struct passwd *user, const struct stat *st,
    mode_t bits);

/* What is revoked, where it is kept, and who may ask: of no config alone, so
 * exam->config is NULL. */
void akl_exam_revoked(akl_exam_t *exam);

/* Rights of the config's files. */
void akl_exam_files(akl_exam_t *exam);

/*
 * The way to the API server: name, port, certificate.  1 where it can be
 * asked, else 0.
 */
int akl_exam_reach(akl_exam_t *exam, akl_str_t url);

/* What the API server says: rights, issuer, keys, clock, the pod's token. */
void akl_exam_cluster(akl_exam_t *exam);

/* Its parts about issuer, keys and audience. */
void akl_exam_issuer(akl_exam_t *exam);
void akl_exam_keys(akl_exam_t *exam);
void akl_exam_audience(akl_exam_t *exam);

/*
 * Whether the reviewer may do that, by a SelfSubjectAccessReview: a new
 * reference to the answer, or NULL.  "namespace" is the one that is to be read,
 * or NULL for all that there are.
 */
json_t *akl_exam_may(akl_exam_t *exam, const char *group, const char *resource,
    const char *verb, const char *namespace, akl_http_answer_t *answer);

/* 1 where such an answer says yes. */
int akl_exam_allowed(json_t *object);

/*
 * Finds what is wrong where an answer is about the reviewer or the place, not
 * about the question: 1 where it was one.
 */
int akl_exam_refused(akl_exam_t *exam, const char *check,
    const akl_http_answer_t *answer, json_t *object);

/* The right that bound_namespace_selector needs, where there is one. */
void akl_exam_labels(akl_exam_t *exam);

/*
 * Holds a namespace against the method's selector, as the module does:
 * AKL_OK, also without a selector; or a reason, *cause in brackets for the
 * line, and *cure where there is one.
 */
akl_reason_t akl_exam_read(akl_exam_t *exam, akl_str_t namespace,
    const char **cause, const char **cure);

/* The command that gives the reviewer a cluster role. */
const char *akl_exam_bind(akl_exam_t *exam, const char *role);

/* The reviewer's name in commands, as its token has it: "NS" and "NAME". */
void akl_exam_reviewer_name(akl_exam_t *exam, const char **namespace,
    const char **name);


#endif /* AKL_CLI_DOCTOR_H */
