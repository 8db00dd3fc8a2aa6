/*
 * completion: what bash and zsh need to complete command lines, made from the
 * tables that the commands themselves are read by.
 */

#include "commands.h"
#include "out.h"


static int akl_completion_run(akl_args_t *args);


static const akl_option_t  akl_completion_options[] = {
    { NULL, NULL, AKL_OPT_FLAG, NULL, NULL }
};


const akl_command_t  akl_command_completion = {
    "completion",
    "completion for bash or zsh",
    "bash|zsh",
    "Prints a script that completes commands, options and their values.",
    "  akl-k8s completion bash > /etc/bash_completion.d/akl-k8s\n"
    "  akl-k8s completion zsh > /usr/share/zsh/vendor-completions/_akl-k8s",
    akl_completion_options,
    akl_completion_run
};


/* in single quotes of a shell, and as a description of zsh's */

static void
akl_completion_quote(const char *text)
{
    for ( /* void */ ; *text; text++) {

        if (*text == '\'') {
            (void) fputs("'\\''", stdout);

        } else if (*text == '[' || *text == ']' || *text == ':') {
            printf("\\%c", *text);

        } else {
            (void) putchar(*text);
        }
    }
}


static void
akl_completion_words(const char *list)
{
    for ( /* void */ ; *list; list++) {
        (void) putchar(*list == '|' ? ' ' : *list);
    }
}


/* "new|public [FILE...]": the choices of the first operand */

static char *
akl_completion_first(const akl_command_t *command)
{
    const char  *text;

    text = command->operands;

    if (text == NULL || strchr(text, '|') == NULL || *text == '[') {
        return NULL;
    }

    return akl_mem_strn(text, strcspn(text, " "));
}


static void
akl_completion_bash(void)
{
    char                *first;
    size_t               i, k;
    const akl_option_t  *o, *tables[2];

    printf("# bash completion of akl-k8s, made by \"akl-k8s completion "
           "bash\"\n\n"
           "_akl_k8s() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]}\n"
           "    local prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local words=\n\n"
           "    COMPREPLY=()\n\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"");

    for (i = 0; akl_commands[i]; i++) {
        printf("%s ", akl_commands[i]->name);
    }

    printf("--help --version\" -- \"$cur\")\n        return\n    fi\n\n"
           "    case ${COMP_WORDS[1]},$prev in\n");

    for (i = 0; akl_commands[i]; i++) {
        first = akl_completion_first(akl_commands[i]);

        if (first) {
            printf("        %s,%s) words='", akl_commands[i]->name,
                   akl_commands[i]->name);
            akl_completion_words(first);
            printf("' ;;\n");
        }

        for (o = akl_commands[i]->options; o->name; o++) {

            if (o->type == AKL_OPT_FILE) {
                printf("        %s,--%s) mapfile -t COMPREPLY < <(compgen -f "
                       "-- \"$cur\"); return ;;\n", akl_commands[i]->name,
                       o->name);

            } else if (akl_option_choices(o)) {
                printf("        %s,--%s) words='", akl_commands[i]->name,
                       o->name);
                akl_completion_words(o->value);
                printf("' ;;\n");

            } else if (o->type != AKL_OPT_FLAG && *o->help) {
                printf("        %s,--%s) return ;;\n", akl_commands[i]->name,
                       o->name);
            }
        }
    }

    printf("    esac\n\n"
           "    if [ -n \"$words\" ]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
           "\"$cur\")\n"
           "        return\n    fi\n\n"
           "    case ${COMP_WORDS[1]} in\n");

    for (i = 0; akl_commands[i]; i++) {
        printf("        %s) words='", akl_commands[i]->name);

        tables[0] = akl_commands[i]->options;
        tables[1] = akl_common_options;

        for (k = 0; k < 2; k++) {
            for (o = tables[k]; o->name; o++) {
                if (*o->help) {
                    printf("--%s ", o->name);
                }
            }
        }

        printf("' ;;\n");
    }

    printf("    esac\n\n"
           "    case $cur in\n"
           "        -*) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
           "\"$cur\") ;;\n"
           "        *) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
           "    esac\n"
           "}\n\n"
           "complete -o filenames -F _akl_k8s akl-k8s\n");
}


static void
akl_completion_zsh_option(const akl_option_t *o)
{
    if (*o->help == '\0') {
        return;
    }

    printf("                '%s--%s", o->type == AKL_OPT_LIST ? "*" : "",
           o->name);

    if (o->type != AKL_OPT_FLAG) {
        (void) putchar('=');
    }

    (void) putchar('[');
    akl_completion_quote(o->help);
    (void) putchar(']');

    if (o->type == AKL_OPT_FILE) {
        (void) fputs(":file:_files", stdout);

    } else if (akl_option_choices(o)) {
        (void) fputs(":value:(", stdout);
        akl_completion_words(o->value);
        (void) putchar(')');

    } else if (o->type != AKL_OPT_FLAG) {
        (void) fputs(":value:", stdout);
    }

    (void) fputs("' \\\n", stdout);
}


static void
akl_completion_zsh(void)
{
    char                *first;
    size_t               i;
    const akl_option_t  *o;

    printf("#compdef akl-k8s\n\n"
           "# zsh completion of akl-k8s, made by \"akl-k8s completion "
           "zsh\"\n\n"
           "_akl_k8s() {\n"
           "    local -a commands\n\n"
           "    commands=(\n");

    for (i = 0; akl_commands[i]; i++) {
        printf("        '%s:", akl_commands[i]->name);
        akl_completion_quote(akl_commands[i]->brief);
        printf("'\n");
    }

    printf("    )\n\n"
           "    if (( CURRENT == 2 )); then\n"
           "        _describe command commands\n"
           "        return\n"
           "    fi\n\n"
           "    local command=$words[2]\n"
           "    shift words\n"
           "    (( CURRENT-- ))\n\n"
           "    case $command in\n");

    for (i = 0; akl_commands[i]; i++) {
        printf("        %s)\n            _arguments \\\n",
               akl_commands[i]->name);

        for (o = akl_commands[i]->options; o->name; o++) {
            akl_completion_zsh_option(o);
        }

        for (o = akl_common_options; o->name; o++) {
            akl_completion_zsh_option(o);
        }

        first = akl_completion_first(akl_commands[i]);

        if (first) {
            printf("                '1:what:(");
            akl_completion_words(first);
            printf(")' \\\n");
        }

        printf("                '*:file:_files'\n            ;;\n");
    }

    printf("    esac\n}\n\n_akl_k8s \"$@\"\n");
}


static int
akl_completion_run(akl_args_t *args)
{
    const char  *shell;

    shell = akl_operand(args, 0);

    if (shell && strcmp(shell, "bash") == 0) {
        akl_completion_bash();
        return AKL_EXIT_OK;
    }

    if (shell && strcmp(shell, "zsh") == 0) {
        akl_completion_zsh();
        return AKL_EXIT_OK;
    }

    return akl_usage(&akl_command_completion, "say for which shell: bash or "
                     "zsh");
}
