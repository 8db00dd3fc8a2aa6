/*
 * What the program says.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../jose/json.h"
#include "out.h"


static int          akl_out_as_json;
static int          akl_out_colours[2];
static int          akl_out_progress;
static const char  *akl_out_name;


void
akl_out_init(void)
{
    int          usable;
    const char  *term, *no;

    term = getenv("TERM");
    no = getenv("NO_COLOR");

    usable = (term && *term && strcmp(term, "dumb") != 0
              && (no == NULL || *no == '\0'));

    akl_out_colours[0] = usable && isatty(STDOUT_FILENO);
    akl_out_colours[1] = usable && isatty(STDERR_FILENO);
}


void
akl_out_json(int on)
{
    akl_out_as_json = on;
}


void
akl_out_command(const char *command)
{
    akl_out_name = command;
}


int
akl_out_is_json(void)
{
    return akl_out_as_json;
}


int
akl_out_terminal(FILE *stream)
{
    return isatty(fileno(stream));
}


const char *
akl_style(FILE *stream, akl_style_t style)
{
    static const char  *codes[] = {
        "\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m"
    };

    return akl_out_colours[stream == stderr] ? codes[style] : "";
}


/* controls of C1, marks and overrides of the direction, separators of lines */

static int
akl_clean_bad(const unsigned char *p, size_t n)
{
    unsigned  code;

    if (n == 2) {
        code = ((p[0] & 0x1fu) << 6) | (p[1] & 0x3fu);

        return code < 0xa0 || code == 0x61c;
    }

    if (n == 3) {
        code = ((p[0] & 0x0fu) << 12) | ((p[1] & 0x3fu) << 6)
               | (p[2] & 0x3fu);

        return (code >= 0x200b && code <= 0x200f)
               || (code >= 0x2028 && code <= 0x202e)
               || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
    }

    return 0;
}


char *
akl_clean_cut(akl_str_t text, size_t max)
{
    if (text.len <= max) {
        return akl_clean_all(text);
    }

    text.len = max;

    return akl_mem_printf("%s...", akl_clean_all(text));
}


char *
akl_clean(akl_str_t text)
{
    return akl_clean_cut(text, AKL_CLEAN_TEXT);
}


char *
akl_clean_word(akl_str_t text)
{
    return akl_clean_cut(text, AKL_CLEAN_WORD);
}


char *
akl_clean_all(akl_str_t text)
{
    size_t                n;
    akl_buf_t             buf;
    const unsigned char  *p, *last;

    memset(&buf, 0, sizeof(akl_buf_t));
    akl_buf_puts(&buf, "");

    p = text.data;
    last = p + text.len;

    while (p < last) {
        n = akl_json_utf8(p, (size_t) (last - p));

        if (n == 0 || (n == 1 && (*p < 0x20 || *p == 0x7f))) {
            akl_buf_printf(&buf, "\\x%02x", *p);
            p++;
            continue;
        }

        if (akl_clean_bad(p, n)) {
            for ( /* void */ ; n; n--, p++) {
                akl_buf_printf(&buf, "\\x%02x", *p);
            }

            continue;
        }

        akl_buf_add(&buf, p, n);
        p += n;
    }

    return buf.data;
}


char *
akl_clean_list(akl_list_t list, const char *separator)
{
    size_t      i;
    akl_buf_t   buf;

    memset(&buf, 0, sizeof(akl_buf_t));
    akl_buf_puts(&buf, "");

    for (i = 0; i < list.n; i++) {
        akl_buf_printf(&buf, "%s%s", i ? separator : "",
                       akl_clean(list.elts[i]));
    }

    return buf.data;
}


int
akl_fail(int code, const char *cure, const char *format, ...)
{
    char     *text;
    json_t   *object;
    va_list   args;

    akl_progress_end();

    va_start(args, format);
    text = akl_mem_vprintf(format, args);
    va_end(args);

    if (akl_out_as_json) {
        object = json_object();
        json_object_set_new(object, "error", akl_json_text(akl_str_of(text)));
        json_object_set_new(object, "exit", json_integer(code));

        if (cure) {
            json_object_set_new(object, "cure",
                                akl_json_text(akl_str_of(cure)));
        }

        akl_print_json(object);

        return code;
    }

    (void) fflush(stdout);

    (void) fprintf(stderr, "akl-k8s%s%s: %s%s%s\n", akl_out_name ? " " : "",
            akl_out_name ? akl_out_name : "", akl_style(stderr, AKL_RED),
            text, akl_style(stderr, AKL_PLAIN));

    if (cure) {
        (void) fprintf(stderr, "  try: %s\n", cure);
    }

    return code;
}


static void
akl_out_note(akl_style_t style, const char *mark, const char *text)
{
    akl_progress_end();
    (void) fflush(stdout);

    (void) fprintf(stderr, "%s%s%s%s\n", akl_style(stderr, style), mark,
            akl_style(stderr, AKL_PLAIN), text);
}


void
akl_note(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    akl_out_note(AKL_DIM, "note: ", akl_mem_vprintf(format, args));
    va_end(args);
}


void
akl_warn(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    akl_out_note(AKL_YELLOW, "warning: ", akl_mem_vprintf(format, args));
    va_end(args);
}


void
akl_progress(const char *format, ...)
{
    va_list  args;

    if (!akl_out_colours[1]) {
        return;
    }

    va_start(args, format);
    (void) fprintf(stderr, "\r\033[K%s%s ...%s", akl_style(stderr, AKL_DIM),
            akl_mem_vprintf(format, args), akl_style(stderr, AKL_PLAIN));
    va_end(args);

    (void) fflush(stderr);

    akl_out_progress = 1;
}


void
akl_progress_end(void)
{
    if (akl_out_progress) {
        (void) fputs("\r\033[K", stderr);
        (void) fflush(stderr);
        akl_out_progress = 0;
    }
}


void
akl_print_json(json_t *value)
{
    akl_progress_end();

    (void) json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void) putchar('\n');

    json_decref(value);
}


json_t *
akl_json_text(akl_str_t text)
{
    json_t  *value;

    value = json_stringn((const char *) text.data, text.len);

    /* no UTF-8: as a terminal would be shown it */

    return value ? value : json_string(akl_clean_all(text));
}


int
akl_out_end(void)
{
    akl_progress_end();

    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void) fprintf(stderr, "akl-k8s: cannot write the output: %s\n",
                strerror(errno));
        return AKL_EXIT_USAGE;
    }

    return AKL_EXIT_OK;
}
