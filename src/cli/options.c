/*
 * Commands and their options.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "options.h"
#include "out.h"


#define AKL_ARGS_MAX   4096             /* words of a command line */
#define AKL_WORDS_MAX  128              /* options of a command */
#define AKL_WORD_MAX   63               /* bytes of one that is compared */


typedef struct akl_given_s  akl_given_t;

struct akl_given_s {
    const akl_option_t   *option;
    const char           *value;
};


struct akl_args_s {
    const akl_command_t  *command;
    akl_given_t          *given;
    size_t                n;
    const char          **operands;
    size_t                n_operands;
};


const akl_option_t  akl_common_options[] = {
    { "json", NULL, AKL_OPT_FLAG, NULL, "print JSON" },
    { "help", "h", AKL_OPT_FLAG, NULL, "print this help" },
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


static const akl_option_t *
akl_option_find(const akl_command_t *command, const char *name, size_t len,
    int brief)
{
    size_t               k;
    const char          *have;
    const akl_option_t  *o, *tables[2];

    tables[0] = command->options;
    tables[1] = akl_common_options;

    for (k = 0; k < 2; k++) {
        for (o = tables[k]; o && o->name; o++) {
            have = brief ? o->brief : o->name;

            if (have && strlen(have) == len && memcmp(have, name, len) == 0) {
                return o;
            }
        }
    }

    return NULL;
}


static int
akl_option_unknown(const akl_command_t *command, const char *word, size_t len)
{
    size_t               k, n;
    const char          *near, *words[AKL_WORDS_MAX];
    const akl_option_t  *o, *tables[2];

    tables[0] = command->options;
    tables[1] = akl_common_options;
    n = 0;

    for (k = 0; k < 2; k++) {
        for (o = tables[k]; o && o->name; o++) {
            if (n < sizeof(words) / sizeof(words[0])) {
                words[n++] = o->name;
            }
        }
    }

    near = akl_nearest(akl_mem_strn(word, len), words, n);

    if (near) {
        return akl_usage(command, "there is no option \"--%.*s\", did you "
                         "mean \"--%s\"?", (int) len, word, near);
    }

    return akl_usage(command, "there is no option \"--%.*s\"", (int) len,
                     word);
}


static int
akl_is_bool(const char *word)
{
    return strcmp(word, "true") == 0 || strcmp(word, "false") == 0;
}


/* one option, at argv[*i]; its value may be the next word */

static int
akl_args_option(akl_args_t *args, int argc, char **argv, int *i)
{
    int                  brief;
    size_t               len;
    akl_given_t         *given;
    const char          *name, *value;
    const akl_option_t  *option;

    brief = (argv[*i][1] != '-');
    name = argv[*i] + (brief ? 1 : 2);
    value = strchr(name, '=');
    len = value ? (size_t) (value - name) : strlen(name);

    if (value) {
        value++;
    }

    option = akl_option_find(args->command, name, len, brief);

    if (option == NULL) {
        return brief ? akl_usage(args->command, "there is no option \"-%.*s\"",
                                 (int) len, name)
                     : akl_option_unknown(args->command, name, len);
    }

    if (option->type == AKL_OPT_FLAG) {

        if (value == NULL && *i + 1 < argc && akl_is_bool(argv[*i + 1])) {
            value = argv[++*i];
        }

        if (value == NULL) {
            value = "true";
        }

        if (!akl_is_bool(value)) {
            return akl_usage(args->command, "\"--%s\" is \"true\" or "
                             "\"false\", not \"%s\"", option->name,
                             akl_clean_word(akl_str_of(value)));
        }

    } else if (value == NULL) {

        if (*i + 1 == argc) {
            return akl_usage(args->command, "\"--%s\" needs a value",
                             option->name);
        }

        value = argv[++*i];
    }

    given = &args->given[args->n++];
    given->option = option;
    given->value = value;

    return 0;
}


int
akl_option_choices(const akl_option_t *option)
{
    return option->value && strchr(option->value, '|')
           && option->value[0] >= 'a';
}


static int
akl_args_words(akl_args_t *args)
{
    size_t       i, len;
    const char  *p;

    /* where help shows "one|other", there is nothing else */

    for (i = 0; i < args->n; i++) {
        if (!akl_option_choices(args->given[i].option)) {
            continue;
        }

        p = args->given[i].option->value;

        for ( ;; ) {
            len = strcspn(p, "|");

            if (strlen(args->given[i].value) == len
                && memcmp(args->given[i].value, p, len) == 0)
            {
                break;
            }

            if (p[len] == '\0') {
                return akl_usage(args->command,
                                 "\"--%s\" is one of %s, not \"%s\"",
                                 args->given[i].option->name,
                                 args->given[i].option->value,
                                 akl_clean_word(
                                           akl_str_of(args->given[i].value)));
            }

            p += len + 1;
        }
    }

    return 0;
}


int
akl_args_parse(akl_args_t **result, const akl_command_t *command, int argc,
    char **argv)
{
    int          i, rc;
    akl_args_t  *args;

    args = akl_mem(sizeof(akl_args_t));
    *result = args;

    args->command = command;

    if (argc > AKL_ARGS_MAX) {
        return akl_usage(command, "too many words");
    }

    args->given = akl_mem(((size_t) argc + 1) * sizeof(akl_given_t));
    args->operands = akl_mem(((size_t) argc + 1) * sizeof(char *));

    /* errors are to be told in the manner that is asked for */

    for (i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0
            || strcmp(argv[i], "--json=true") == 0)
        {
            akl_out_json(1);
        }
    }

    for (i = 0; i < argc; i++) {

        if (strcmp(argv[i], "--") == 0) {
            for (i++; i < argc; i++) {
                args->operands[args->n_operands++] = argv[i];
            }

            break;
        }

        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            args->operands[args->n_operands++] = argv[i];
            continue;
        }

        rc = akl_args_option(args, argc, argv, &i);
        if (rc != 0) {
            return rc;
        }
    }

    akl_out_json(akl_opt_flag(args, "json"));

    if (akl_opt_flag(args, "help")) {
        return 0;
    }

    if (args->n_operands && command->operands == NULL) {
        return akl_usage(command, "\"%s\" is no option",
                         akl_clean_word(akl_str_of(args->operands[0])));
    }

    return akl_args_words(args);
}


const char *
akl_opt(akl_args_t *args, const char *name)
{
    size_t  i;

    for (i = args->n; i > 0; i--) {
        if (strcmp(args->given[i - 1].option->name, name) == 0) {
            return args->given[i - 1].value;
        }
    }

    return NULL;
}


const char *
akl_opt_or(akl_args_t *args, const char *name, const char *value)
{
    const char  *given;

    given = akl_opt(args, name);

    return given ? given : value;
}


int
akl_opt_flag(akl_args_t *args, const char *name)
{
    const char  *value;

    value = akl_opt(args, name);

    return value && strcmp(value, "true") == 0;
}


size_t
akl_opt_list(akl_args_t *args, const char *name, const char *const **values)
{
    size_t        i, n, len;
    const char   *p, **list;

    n = 0;

    for (i = 0; i < args->n; i++) {
        if (strcmp(args->given[i].option->name, name) == 0) {
            n++;

            for (p = args->given[i].value; *p; p++) {
                n += (*p == ',');
            }
        }
    }

    list = akl_mem((n + 1) * sizeof(char *));
    n = 0;

    for (i = 0; i < args->n; i++) {

        if (strcmp(args->given[i].option->name, name) != 0) {
            continue;
        }

        p = args->given[i].value;

        for ( ;; ) {
            len = strcspn(p, ",");

            while (len && *p == ' ') {
                p++;
                len--;
            }

            list[n++] = akl_mem_strn(p, len);

            if (p[len] == '\0') {
                break;
            }

            p += len + 1;
        }
    }

    *values = list;

    return n;
}


int
akl_opt_number(akl_args_t *args, const char *name, long long min,
    long long max, long long *value)
{
    char        *end;
    long long    number;
    const char  *text;

    text = akl_opt(args, name);

    if (text == NULL) {
        return 0;
    }

    errno = 0;
    number = strtoll(text, &end, 10);

    if (errno || end == text || *end || number < min || number > max) {
        return akl_usage(args->command, "\"--%s\" is a number from %lld to "
                         "%lld, not \"%s\"", name, min, max,
                         akl_clean_word(akl_str_of(text)));
    }

    *value = number;

    return 0;
}


const char *
akl_operand(akl_args_t *args, size_t i)
{
    return (i < args->n_operands) ? args->operands[i] : NULL;
}


const akl_command_t *
akl_args_command(akl_args_t *args)
{
    return args->command;
}


int
akl_usage(const akl_command_t *command, const char *format, ...)
{
    char     *text;
    va_list   args;

    va_start(args, format);
    text = akl_mem_vprintf(format, args);
    va_end(args);

    return akl_fail(AKL_EXIT_USAGE,
                    akl_mem_printf("akl-k8s %s --help", command->name),
                    "%s", text);
}


static void
akl_help_options(const akl_option_t *o)
{
    int   width;
    char  left[80];

    for ( /* void */ ; o && o->name; o++) {

        if (*o->help == '\0') {
            continue;
        }

        (void) snprintf(left, sizeof(left), "  %s%s%s--%s%s%s",
                        o->brief ? "-" : "", o->brief ? o->brief : "",
                        o->brief ? ", " : "    ", o->name,
                        o->value ? " " : "", o->value ? o->value : "");

        width = (int) strlen(left);

        if (width > 34) {
            printf("%s%s%s\n%34s  %s\n", akl_style(stdout, AKL_BOLD), left,
                   akl_style(stdout, AKL_PLAIN), "", o->help);

        } else {
            printf("%s%s%s%*s  %s\n", akl_style(stdout, AKL_BOLD), left,
                   akl_style(stdout, AKL_PLAIN), 34 - width, "", o->help);
        }
    }
}


void
akl_help(const akl_command_t *command)
{
    printf("usage: akl-k8s %s [options]%s%s\n\n%s\n\noptions:\n",
           command->name, command->operands ? " " : "",
           command->operands ? command->operands : "", command->text);

    akl_help_options(command->options);
    akl_help_options(akl_common_options);

    printf("\nexample:\n%s\n", command->example);
}


/* Levenshtein's distance, at most "max" + 1 */

static size_t
akl_distance(const char *a, const char *b)
{
    size_t  i, k, n, m, up, left, best, row[AKL_WORD_MAX + 1];

    n = strlen(a);
    m = strlen(b);

    if (n >= AKL_WORD_MAX || m >= AKL_WORD_MAX) {
        return AKL_WORD_MAX;
    }

    for (k = 0; k <= m; k++) {
        row[k] = k;
    }

    for (i = 1; i <= n; i++) {
        left = row[0];
        row[0] = i;

        for (k = 1; k <= m; k++) {
            up = row[k];
            best = left + (a[i - 1] != b[k - 1]);

            if (up + 1 < best) {
                best = up + 1;
            }

            if (row[k - 1] + 1 < best) {
                best = row[k - 1] + 1;
            }

            left = up;
            row[k] = best;
        }
    }

    return row[m];
}


const char *
akl_nearest(const char *word, const char *const *words, size_t n)
{
    size_t       i, d, least;
    const char  *best;

    best = NULL;
    least = 1 + strlen(word) / 3;

    for (i = 0; i < n; i++) {
        d = akl_distance(word, words[i]);

        if (d <= least && (best == NULL || d < least)) {
            best = words[i];
            least = d;
        }
    }

    return best;
}
