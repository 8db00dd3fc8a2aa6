/*
 * What an nginx configuration says about this module.
 */

#include <stdarg.h>
#include <unistd.h>
#include <sys/stat.h>

#include "file.h"
#include "out.h"
#include "setup.h"


struct akl_setup_file_s {
    const char        *path;
    akl_str_t          text;
    akl_setup_file_t  *next;
};


static void akl_setup_walk(akl_setup_t *setup, akl_directive_t *d,
    const char *name);
static void akl_setup_join(akl_setup_t *setup);


akl_setup_t *
akl_setup_new(void)
{
    akl_setup_t  *setup;

    setup = akl_mem(sizeof(akl_setup_t));
    setup->last_problem = &setup->problems;

    return setup;
}


void
akl_setup_file(akl_setup_t *setup, const char *path, akl_str_t text)
{
    akl_setup_file_t  *file;

    file = akl_mem(sizeof(akl_setup_file_t));

    file->path = path;
    file->text = text;
    file->next = setup->files;

    setup->files = file;
}


const char *
akl_setup_read(akl_setup_t *setup, const char *path)
{
    akl_str_t    text;
    const char  *cause;

    cause = akl_file_read(path, &text);

    if (cause) {
        return akl_mem_printf("cannot read \"%s\" (%s)", path, cause);
    }

    return akl_setup_text(setup, path, text);
}


const char *
akl_setup_text(akl_setup_t *setup, const char *path, akl_str_t text)
{
    const char  *cause;

    setup->dir = akl_file_dir(path);

    cause = akl_nginxconf_parse(path, text, &setup->tree);

    if (cause) {
        return cause;
    }

    akl_setup_walk(setup, setup->tree, "akl_k8s_auth_method");
    akl_setup_walk(setup, setup->tree, "akl_k8s_auth_config");
    akl_setup_join(setup);

    return NULL;
}


static void
akl_setup_walk(akl_setup_t *setup, akl_directive_t *d, const char *name)
{
    for ( /* void */ ; d; d = d->next) {

        if (strcmp(d->args[0], name) != 0) {
            akl_setup_walk(setup, d->block, name);
            continue;
        }

        if (!d->has_block || d->n != 2) {
            akl_setup_problem(setup, d, 1, "\"%s\" is a block with one name",
                              name);

        } else if (strcmp(name, "akl_k8s_auth_method") == 0) {
            akl_setup_method(setup, d);

        } else {
            akl_setup_config(setup, d);
        }
    }
}


/* what can only be said when all blocks are read */

static void
akl_setup_join(akl_setup_t *setup)
{
    akl_jwk_t            private, public;
    const char          *cause;
    akl_setup_config_t  *config;
    akl_setup_method_t  *method;

    for (config = setup->configs; config; config = config->next) {

        for (method = setup->methods; method; method = method->next) {
            if (config->access_id
                && strcmp(method->id, config->access_id) == 0)
            {
                config->method = method;
            }
        }

        method = config->method;

        if (method == NULL) {

            if (config->access_id && !setup->alone) {
                akl_setup_problem(setup, config->directive, 1,
                                  "unknown access_id \"%s\" of "
                                  "akl_k8s_auth_config \"%s\"",
                                  akl_clean_word(akl_str_of(config->access_id)),
                                  akl_clean_word(akl_str_of(config->name)));
            }

            continue;
        }

        if (method->public_key.text.len == 0
            || config->signing_key.text.len == 0
            || akl_jwk_private_from_pem(&private, config->signing_key.text,
                                        &cause) != 0)
        {
            continue;
        }

        if (akl_jwk_public_from_pem(&public, method->public_key.text, &cause)
            == 0)
        {
            if (!akl_jwk_same_public(&private, &public)) {
                akl_setup_problem(setup, config->signing_key.directive, 1,
                                  "signing_key of akl_k8s_auth_config \"%s\" "
                                  "does not belong to the public_key of "
                                  "akl_k8s_auth_method \"%s\"", config->name,
                                  method->id);
            }

            akl_jwk_clear(&public);
        }

        akl_jwk_clear(&private);
    }
}


void
akl_setup_problem(akl_setup_t *setup, akl_directive_t *d, int error,
    const char *format, ...)
{
    char           *text;
    size_t          len;
    va_list         args;
    akl_problem_t  *problem;

    va_start(args, format);
    text = akl_mem_vprintf(format, args);
    va_end(args);

    problem = akl_mem(sizeof(akl_problem_t));

    /* a line of a block that is not written yet helps nobody */

    if (setup->alone) {
        len = strlen(text);

        if (len && text[len - 1] == ',') {
            text[len - 1] = '\0';
        }

        problem->text = akl_clean_all(akl_str_of(text));

    } else {
        problem->text = akl_mem_printf("%s in %s:%zu",
                                       akl_clean_all(akl_str_of(text)),
                                       d->file, d->line);
    }

    problem->directive = d;
    problem->error = (error != 0);

    *setup->last_problem = problem;
    setup->last_problem = &problem->next;
}


void
akl_setup_cause(akl_setup_t *setup, akl_source_t *source, int error,
    const char *cause, const char *look)
{
    akl_directive_t  *d;

    d = source->directive;

    if (source->path) {
        akl_setup_problem(setup, d, error, "%s \"%s\": %s%s", d->args[0],
                          source->path, cause, look);
    } else {
        akl_setup_problem(setup, d, error, "%s: %s%s", d->args[0], cause,
                          look);
    }
}


int
akl_setup_tell(akl_setup_t *setup)
{
    akl_problem_t  *problem;

    for (problem = setup->problems; problem; problem = problem->next) {
        if (problem->error) {
            return akl_fail(AKL_EXIT_USAGE, NULL, "%s", problem->text);
        }
    }

    for (problem = setup->problems; problem; problem = problem->next) {
        akl_warn("%s", problem->text);
    }

    return 0;
}


akl_setup_config_t *
akl_setup_find(akl_setup_t *setup, const char *name)
{
    akl_setup_config_t  *config;

    for (config = setup->configs; config; config = config->next) {
        if (strcmp(config->name, name) == 0) {
            return config;
        }
    }

    return NULL;
}


void
akl_setup_words(akl_list_t *list, akl_directive_t *d)
{
    size_t      i;
    akl_str_t  *elts;

    elts = akl_mem((list->n + d->n) * sizeof(akl_str_t));

    for (i = 0; i < list->n; i++) {
        elts[i] = list->elts[i];
    }

    for (i = 1; i < d->n; i++) {
        elts[list->n + i - 1] = akl_str_of(d->args[i]);
    }

    list->elts = elts;
    list->n += d->n - 1;
}


/* a secret that others may read is told as nginx -t does */

static void
akl_setup_rights(akl_setup_t *setup, akl_directive_t *d, const char *path)
{
    struct stat  st;

    if ((strcmp(d->args[0], "signing_key") == 0
         || strcmp(d->args[0], "k8s_client_key") == 0
         || strcmp(d->args[0], "rancher_api_key") == 0)
        && stat(path, &st) == 0 && (st.st_mode & S_IROTH))
    {
        akl_setup_problem(setup, d, 0, "%s: \"%s\" may be read by everybody",
                          d->args[0], path);
    }
}


void
akl_setup_source(akl_setup_t *setup, akl_directive_t *d, const char *value,
    akl_credential_type_t type, akl_source_t *source)
{
    size_t             len;
    const char        *name;
    akl_str_t          text;
    unsigned char     *data;
    akl_setup_file_t  *file;

    memset(source, 0, sizeof(akl_source_t));
    source->directive = d;

    name = d->args[0];

    if (*value == '\0') {
        source->cause = "is empty";
        akl_setup_problem(setup, d, 1, "\"%s\" is empty", name);
        return;
    }

    if (strncmp(value, "data:", 5) == 0) {
        text = akl_str_of(value + 5);

    } else {
        source->path = akl_file_in(setup->dir, value);

        for (file = setup->files; file; file = file->next) {
            if (strcmp(file->path, value) == 0
                || strcmp(file->path, source->path) == 0)
            {
                break;
            }
        }

        if (file) {

            /* nobody knows that name yet */

            source->path = NULL;
            text = file->text;

        } else {
            source->cause = akl_file_read(source->path, &text);

            if (source->cause) {
                akl_setup_problem(setup, d, 1, "%s: \"%s\" cannot be read "
                                  "(%s)", name, source->path, source->cause);
                return;
            }

            akl_setup_rights(setup, d, source->path);
        }
    }

    /* changed in place, and a C string where that is needed */

    len = text.len;
    data = (unsigned char *) akl_mem_strn(text.data, len);

    source->cause = akl_credential_normalize(type, &data, &len);

    if (source->cause) {
        akl_setup_problem(setup, d, 1, source->path ? "%s \"%s\" %s"
                                                    : "%s%.0s %s", name,
                          source->path ? source->path : "", source->cause);
        return;
    }

    source->text.data = (unsigned char *) akl_mem_strn(data, len);
    source->text.len = len;
}
