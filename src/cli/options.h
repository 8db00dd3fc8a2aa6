/*
 * Commands and their options: "--flag value" and "--flag=value", lists by
 * repeating or by commas.
 */

#ifndef AKL_CLI_OPTIONS_H
#define AKL_CLI_OPTIONS_H

#include "mem.h"


typedef enum {
    AKL_OPT_TEXT = 0,
    AKL_OPT_FILE,                       /* completed as a file's name */
    AKL_OPT_LIST,                       /* repeated, or with commas */
    AKL_OPT_FLAG                        /* --flag, --flag=false */
} akl_opt_type_t;


typedef struct {
    const char       *name;             /* without "--"; NULL ends a table */
    const char       *brief;            /* one letter, or NULL */
    akl_opt_type_t    type;
    const char       *value;            /* how help calls its value; words in
                                           lower case with "|" between are
                                           all that it may be */
    const char       *help;             /* "" for what is taken for its
                                           name's sake: not in help */
} akl_option_t;


typedef struct akl_args_s  akl_args_t;

typedef struct {
    const char          *name;
    const char          *brief;         /* one line */
    const char          *operands;      /* as in a synopsis; NULL: none */
    const char          *text;          /* what it does, for --help */
    const char          *example;
    const akl_option_t  *options;
    int                (*run)(akl_args_t *args);
} akl_command_t;


/* those that each command has: --json, --help */
extern const akl_option_t  akl_common_options[];


/*
 * Takes a command line apart ("argv" begins behind the command's name).  0,
 * or AKL_EXIT_USAGE after the error was told.
 */
int akl_args_parse(akl_args_t **args, const akl_command_t *command, int argc,
    char **argv);

/* The last value of an option, or NULL where it was not given; an empty one
 * is "". */
const char *akl_opt(akl_args_t *args, const char *name);

/* The same, or "value" where it was not given. */
const char *akl_opt_or(akl_args_t *args, const char *name, const char *value);

/* 1 where a flag is set. */
int akl_opt_flag(akl_args_t *args, const char *name);

/* All values of a list, commas taken apart; their number. */
size_t akl_opt_list(akl_args_t *args, const char *name,
    const char *const **values);

/*
 * A number from "min" to "max", "value" where the option was not given.  0,
 * or AKL_EXIT_USAGE after the error was told.
 */
int akl_opt_number(akl_args_t *args, const char *name, long long min,
    long long max, long long *value);

/* 1 where help lists all values that an option may have: "rsa|ec". */
int akl_option_choices(const akl_option_t *option);

/* What was no option; NULL behind the last. */
const char *akl_operand(akl_args_t *args, size_t i);

/* An error about the command line, with the way to its help.  Returns
 * AKL_EXIT_USAGE. */
int akl_usage(const akl_command_t *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const akl_command_t *akl_args_command(akl_args_t *args);

/* Prints the help of a command. */
void akl_help(const akl_command_t *command);

/* Of "n" words the one that is most like "word", or NULL. */
const char *akl_nearest(const char *word, const char *const *words, size_t n);


#endif /* AKL_CLI_OPTIONS_H */
