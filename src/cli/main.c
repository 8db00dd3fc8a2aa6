/*
 * akl-k8s: from a kubeconfig to a pod's token, and what is wrong in between.
 */

#include <stdio.h>
#include <sys/resource.h>

#include "commands.h"
#include "out.h"
#include "../k8s/version.h"


const akl_command_t *const  akl_commands[] = {
    &akl_command_create_auth_method,
    &akl_command_gateway_create,
    &akl_command_auth,
    &akl_command_inspect,
    &akl_command_doctor,
    &akl_command_keys,
    &akl_command_revoke,
    &akl_command_completion,
    NULL
};


static void
akl_main_help(void)
{
    size_t  i;

    printf("akl-k8s sets up, tries and mends logins of Kubernetes pods to an "
           "nginx\nwith ngx_http_akl_k8s_module.\n\n"
           "usage: akl-k8s COMMAND [options]\n\ncommands:\n");

    for (i = 0; akl_commands[i]; i++) {
        printf("  %s%-32s%s  %s\n", akl_style(stdout, AKL_BOLD),
               akl_commands[i]->name, akl_style(stdout, AKL_PLAIN),
               akl_commands[i]->brief);
    }

    printf("\n\"akl-k8s COMMAND --help\" tells the options of one, with an "
           "example.\n\n"
           "exit codes: 0 good, 1 refused, 2 usage or a file, "
           "3 nobody answered,\nor not all\n");
}


static int
akl_main_unknown(const char *word)
{
    size_t        i;
    const char   *near, *names[32];

    for (i = 0; akl_commands[i]; i++) {
        names[i] = akl_commands[i]->name;
    }

    near = akl_nearest(word, names, i);

    return akl_fail(AKL_EXIT_USAGE,
                    near ? akl_mem_printf("akl-k8s %s", near)
                         : "akl-k8s --help",
                    "there is no command \"%s\"",
                    akl_clean_word(akl_str_of(word)));
}


static int
akl_main(int argc, char **argv)
{
    int                   rc;
    size_t                i;
    akl_args_t           *args;
    const akl_command_t  *command;

    if (argc < 2) {
        akl_main_help();
        return AKL_EXIT_USAGE;
    }

    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0
        || strcmp(argv[1], "help") == 0)
    {
        akl_main_help();
        return AKL_EXIT_OK;
    }

    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("akl-k8s %s\n", AKL_VERSION);
        return AKL_EXIT_OK;
    }

    command = NULL;

    for (i = 0; akl_commands[i]; i++) {
        if (strcmp(argv[1], akl_commands[i]->name) == 0) {
            command = akl_commands[i];
        }
    }

    if (command == NULL) {
        return akl_main_unknown(argv[1]);
    }

    akl_out_command(command->name);

    rc = akl_args_parse(&args, command, argc - 2, argv + 2);
    if (rc != 0) {
        return rc;
    }

    if (akl_opt_flag(args, "help")) {
        akl_help(command);
        return AKL_EXIT_OK;
    }

    return command->run(args);
}


int
main(int argc, char **argv)
{
    int            rc, end;
    struct rlimit  none;

    /* tokens and keys are in memory: no core of it */

    none.rlim_cur = 0;
    none.rlim_max = 0;
    (void) setrlimit(RLIMIT_CORE, &none);

    akl_out_init();

    rc = akl_main(argc, argv);

    end = akl_out_end();
    akl_mem_free();

    return rc ? rc : end;
}
