/*
 * What the program says: text or JSON on standard output, notes and errors on
 * standard error, colours on a terminal only.
 */

#ifndef AKL_CLI_OUT_H
#define AKL_CLI_OUT_H

#include <stdio.h>
#include <jansson.h>

#include "mem.h"


/* exit codes, by kind */

#define AKL_EXIT_OK           0
#define AKL_EXIT_REFUSED      1         /* somebody said no, or a check did */
#define AKL_EXIT_USAGE        2         /* command line, files, this machine */
#define AKL_EXIT_UNREACHABLE  3         /* an outage: nobody answered */


/* bytes that are shown of a text: of a message of the API server, which is
 * more than any name has; and of a word that may be a secret out of place */

#define AKL_CLEAN_TEXT  512
#define AKL_CLEAN_WORD  80


typedef enum {
    AKL_PLAIN = 0,
    AKL_BOLD,
    AKL_DIM,
    AKL_GREEN,
    AKL_YELLOW,
    AKL_RED
} akl_style_t;


/*
 * To be called once, before anything is said.  Colours are left out where the
 * stream is no terminal, TERM is "dumb" or NO_COLOR is set.
 */
void akl_out_init(void);

/* JSON in place of text from here on; "command" is named in errors. */
void akl_out_json(int on);
void akl_out_command(const char *command);
int akl_out_is_json(void);

/* 1 where standard output or standard error is a terminal. */
int akl_out_terminal(FILE *stream);

/* The escape sequence of a style on that stream, "" where there are none. */
const char *akl_style(FILE *stream, akl_style_t style);

/*
 * A copy of what strangers wrote, fit for a terminal: control characters,
 * what is no UTF-8 and what changes the direction of text become \xNN; of
 * more than AKL_CLEAN_TEXT or AKL_CLEAN_WORD bytes the rest becomes "...".
 */
char *akl_clean(akl_str_t text);
char *akl_clean_word(akl_str_t text);

/* The same of as many bytes as "max" says, and of all. */
char *akl_clean_cut(akl_str_t text, size_t max);
char *akl_clean_all(akl_str_t text);

/* The same of each of a list, with "separator" between. */
char *akl_clean_list(akl_list_t list, const char *separator);

/*
 * An error, with the way out if there is one ("cure" may be NULL); in JSON an
 * object with "error", "exit" and "cure" on standard output.  Returns "code",
 * for the caller to end with.
 */
int akl_fail(int code, const char *cure, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A note on standard error, in JSON too. */
void akl_note(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void akl_warn(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* What is being waited for, on a terminal only; one line, replaced by the
 * next and taken away by NULL. */
void akl_progress(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void akl_progress_end(void);

/* Prints a JSON value on standard output and drops its reference. */
void akl_print_json(json_t *value);

/* A new JSON string of what may be no UTF-8. */
json_t *akl_json_text(akl_str_t text);

/*
 * Ends the output: 0, or AKL_EXIT_USAGE with an error where it could not be
 * written.
 */
int akl_out_end(void);


#endif /* AKL_CLI_OUT_H */
