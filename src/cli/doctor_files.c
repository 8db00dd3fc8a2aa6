/*
 * doctor: who may read the files of an auth config, and who has to.
 */

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"


struct passwd *
akl_doctor_worker(akl_exam_t *exam)
{
    akl_directive_t  *d;

    if (geteuid() != 0) {
        return NULL;
    }

    d = akl_directive_find(exam->setup->tree, "user");

    return getpwnam(d && d->n > 1 ? d->args[1] : "nobody");
}


int
akl_doctor_may(const struct passwd *user, const struct stat *st, mode_t bits)
{
    int     n;
    gid_t   groups[256];

    if (user->pw_uid == 0) {
        return 1;
    }

    if (st->st_uid == user->pw_uid) {
        return (st->st_mode & bits) == bits;
    }

    n = sizeof(groups) / sizeof(groups[0]);

    if (getgrouplist(user->pw_name, user->pw_gid, groups, &n) >= 0) {
        while (n-- > 0) {
            if (groups[n] == st->st_gid) {
                return (st->st_mode & (bits >> 3)) == bits >> 3;
            }
        }
    }

    return (st->st_mode & (bits >> 6)) == bits >> 6;
}


void
akl_exam_files(akl_exam_t *exam)
{
    size_t               i, n, bad;
    struct stat          st;
    struct passwd       *user;
    const char          *name;
    akl_source_t        *sources[6];
    akl_setup_config_t  *config;

    config = exam->config;
    user = akl_doctor_worker(exam);

    /* the first one is read by the master, the others by workers, too */

    sources[0] = &config->signing_key;
    sources[1] = &config->ca;
    sources[2] = &config->reviewer;
    sources[3] = &config->client_cert;
    sources[4] = &config->client_key;
    sources[5] = &config->jwks;

    n = 0;
    bad = 0;

    for (i = 0; i < 6; i++) {

        if (sources[i]->path == NULL || stat(sources[i]->path, &st) == -1) {
            continue;
        }

        n++;
        name = sources[i]->directive->args[0];

        if ((i == 0 || i == 2 || i == 4) && (st.st_mode & S_IROTH)) {
            akl_finding(exam, AKL_FINDING_WARN, "files",
                        akl_mem_printf("chmod o-r %s", sources[i]->path),
                        "%s: \"%s\" may be read by everybody", name,
                        sources[i]->path);
            bad++;
        }

        if (i && user && !akl_doctor_may(user, &st, S_IRUSR)) {
            akl_finding(exam, AKL_FINDING_WARN, "files",
                        akl_mem_printf("chown %s %s", user->pw_name,
                                       sources[i]->path),
                        "%s: \"%s\" cannot be read by nginx's workers (%s): "
                        "they would not see it change", name,
                        sources[i]->path, user->pw_name);
            bad++;
        }
    }

    if (n && bad == 0) {
        akl_finding(exam, AKL_FINDING_OK, "files", NULL, "%zu file%s, with the "
                    "right rights", n, n == 1 ? "" : "s");
    }
}
