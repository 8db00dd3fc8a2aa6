/*
 * doctor: what is revoked, where that is kept, and who may ask.
 */

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "file.h"
#include "out.h"


/* what holds callers off, in a location or around it */

static const char  *akl_exam_fronts[] = {
    "allow", "deny", "auth_basic", "auth_request", "auth_jwt",
    "akl_k8s_guard", "akl_k8s_exchange", "ssl_verify_client", "internal",
    "if", NULL
};


static int
akl_exam_front(akl_directive_t *d)
{
    size_t  i;

    for ( /* void */ ; d; d = d->next) {
        for (i = 0; akl_exam_fronts[i]; i++) {
            if (strcmp(d->args[0], akl_exam_fronts[i]) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


/* a journal is written anew beside itself, by a worker */

static void
akl_exam_journal(akl_exam_t *exam, akl_setup_revoked_t *file)
{
    int             may;
    char           *dir;
    struct stat     st;
    const char     *who;
    struct passwd  *user;

    dir = akl_file_dir(file->path);
    user = akl_doctor_worker(exam);
    who = user ? user->pw_name : "you";

    if (stat(dir, &st) == -1) {
        akl_finding(exam, AKL_FINDING_FAILED, "revoked",
                    akl_mem_printf("install -d -m 0700%s%s %s",
                                   user ? " -o " : "",
                                   user ? user->pw_name : "", dir),
                    "the directory of the journal \"%s\" cannot be used: %s",
                    file->path, strerror(errno));
        return;
    }

    may = user ? akl_doctor_may(user, &st, S_IWUSR|S_IXUSR)
               : access(dir, W_OK|X_OK) == 0;

    if (access(dir, W_OK) == -1 && errno == EROFS) {
        akl_finding(exam, AKL_FINDING_FAILED, "revoked",
                    "a directory of this machine's own; in a pod a volume "
                    "that outlives it",
                    "the journal \"%s\" is on a file system that is read-only",
                    file->path);

    } else if (!may) {
        akl_finding(exam, AKL_FINDING_FAILED, "revoked",
                    akl_mem_printf("chown %s %s", who, dir),
                    "the journal's directory \"%s\" cannot be written to by "
                    "nginx's workers (%s): it is full one day, for good", dir,
                    who);

    } else if (file->cause == NULL || file->error == ENOENT) {
        akl_finding(exam, AKL_FINDING_OK, "revoked", NULL,
                    "the journal \"%s\", %zu entries that count, written by "
                    "%s", file->path,
                    file->table ? akl_revocations_count(file->table) : 0,
                    who);
    }
}


static void
akl_exam_file(akl_exam_t *exam, akl_setup_revoked_t *file)
{
    struct stat     st;
    struct passwd  *user;

    if (file->cause && !(file->journal && file->error == ENOENT)) {

        if (file->line) {
            akl_finding(exam, AKL_FINDING_FAILED, "revoked",
                        akl_mem_printf("sed -n %zup %s", file->line,
                                       file->path),
                        "line %zu of \"%s\" %s: nginx goes by what it read "
                        "before, and does not start", file->line, file->path,
                        file->cause);
        } else {
            akl_finding(exam, AKL_FINDING_FAILED, "revoked", NULL,
                        "\"%s\" %s%s%s", file->path, file->cause,
                        file->error ? ": " : "",
                        file->error ? strerror(file->error) : "");
        }
    }

    if (file->journal) {
        akl_exam_journal(exam, file);
        return;
    }

    user = akl_doctor_worker(exam);

    if (user && stat(file->path, &st) == 0
        && !akl_doctor_may(user, &st, S_IRUSR))
    {
        akl_finding(exam, AKL_FINDING_FAILED, "revoked",
                    akl_mem_printf("chmod o+r %s", file->path),
                    "\"%s\" cannot be read by nginx's workers (%s): they "
                    "would not see it change", file->path, user->pw_name);

    } else if (file->cause == NULL) {
        akl_finding(exam, AKL_FINDING_OK, "revoked", NULL,
                    "\"%s\", %zu entries that count", file->path,
                    akl_revocations_count(file->table));
    }
}


static void
akl_exam_names(akl_exam_t *exam, akl_directive_t *d)
{
    size_t  i;

    for (i = 1; i < d->n; i++) {
        if (akl_setup_find(exam->setup, d->args[i]) == NULL) {
            akl_finding(exam, AKL_FINDING_FAILED, d->args[0] + 8, "nginx -t",
                        "%s in %s:%zu names \"%s\", and there is no such "
                        "akl_k8s_auth_config", d->args[0], d->file, d->line,
                        akl_clean_word(akl_str_of(d->args[i])));
        }
    }
}


/* locations that ask nobody for a right; "kept": they need a place for that */

static void
akl_exam_locations(akl_exam_t *exam, akl_directive_t *d, int front,
    akl_directive_t **kept)
{
    int  revoke, self;

    front |= akl_exam_front(d);

    for ( /* void */ ; d; d = d->next) {

        akl_exam_locations(exam, d->block, front, kept);

        revoke = (strcmp(d->args[0], "akl_k8s_revoke") == 0);
        self = (d->n == 2
                && (strcmp(d->args[1], "vault") == 0
                    || (revoke && strcmp(d->args[1], "self") == 0)));

        if (!revoke && strcmp(d->args[0], "akl_k8s_introspect") != 0) {
            continue;
        }

        if (revoke) {
            *kept = d;
        }

        /* those are about the caller's own token */

        if (self) {
            continue;
        }

        if (!revoke) {
            akl_exam_names(exam, d);
        }

        if (!front) {
            akl_finding(exam, AKL_FINDING_WARN, d->args[0] + 8,
                        "allow and deny, a client certificate, or "
                        "akl_k8s_guard in that location",
                        "%s in %s:%zu asks nobody for a right: whoever "
                        "reaches it %s", d->args[0], d->file, d->line,
                        revoke ? "may revoke any token"
                               : "learns what tokens say");
        }
    }
}


static int
akl_exam_any(akl_directive_t *d)
{
    for ( /* void */ ; d; d = d->next) {

        if (strcmp(d->args[0], "akl_k8s_revocations") == 0
            || strcmp(d->args[0], "akl_k8s_revoke") == 0
            || strcmp(d->args[0], "akl_k8s_introspect") == 0
            || akl_exam_any(d->block))
        {
            return 1;
        }
    }

    return 0;
}


void
akl_exam_revoked(akl_exam_t *exam)
{
    int                   journal;
    akl_directive_t      *kept;
    akl_setup_revoked_t  *file;

    if (!akl_exam_any(exam->setup->tree)) {
        return;
    }

    if (exam->list == NULL) {
        printf("\n%sthe gateway%s\n", akl_style(stdout, AKL_BOLD),
               akl_style(stdout, AKL_PLAIN));
    }

    akl_setup_revoked(exam->setup, (int64_t) time(NULL));

    journal = 0;
    kept = NULL;

    for (file = exam->setup->revoked; file; file = file->next) {
        journal |= file->journal;
        akl_exam_file(exam, file);
    }

    akl_setup_revoked_free(exam->setup);

    akl_exam_locations(exam, exam->setup->tree, 0, &kept);

    if (kept && !journal) {
        akl_finding(exam, AKL_FINDING_WARN, "revoked",
                    "akl_k8s_revocations /var/lib/akl/revoked journal;",
                    "what %s in %s:%zu is told is kept in memory, and ends "
                    "with a restart", kept->args[0], kept->file, kept->line);
    }
}
