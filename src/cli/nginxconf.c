/*
 * nginx configurations: the words of ngx_conf_read_token(), as a tree.
 */

#include <glob.h>

#include "file.h"
#include "nginxconf.h"
#include "out.h"


#define AKL_NGINXCONF_DEPTH  64         /* blocks and includes together */
#define AKL_NGINXCONF_FILES  4096


typedef struct {
    const char            *dir;         /* of the first file */
    const char            *error;
    size_t                 files;
    size_t                 depth;
    akl_buf_t              word;        /* the one that is being read */
} akl_reading_t;


typedef struct {
    const char            *file;
    const unsigned char   *p;
    const unsigned char   *last;
    size_t                 line;
} akl_reader_t;


typedef enum {
    AKL_WORD = 0,
    AKL_WORD_SEMICOLON,
    AKL_WORD_OPEN,
    AKL_WORD_CLOSE,
    AKL_WORD_END,
    AKL_WORD_ERROR
} akl_word_t;


static akl_directive_t **akl_nginxconf_block(akl_reading_t *r,
    akl_reader_t *f, akl_directive_t **tail, int inside);


static void
akl_nginxconf_error(akl_reading_t *r, akl_reader_t *f, const char *text)
{
    if (r->error == NULL) {
        r->error = akl_mem_printf("%s in %s:%zu", text, f->file, f->line);
    }
}


static int
akl_nginxconf_ends(const unsigned char *p, const unsigned char *last)
{
    return p == last || *p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'
           || *p == ';' || *p == '{' || *p == ')';
}


/* white space and comments */

static void
akl_nginxconf_skip(akl_reader_t *f)
{
    while (f->p < f->last) {

        switch (*f->p) {

        case '\n':
            f->line++;
            break;

        case ' ':
        case '\t':
        case '\r':
            break;

        case '#':
            while (f->p < f->last && *f->p != '\n') {
                f->p++;
            }

            continue;

        default:
            return;
        }

        f->p++;
    }
}


/* one character of a word; those behind a backslash are nginx's choice */

static void
akl_nginxconf_char(akl_reader_t *f, akl_buf_t *word)
{
    char  ch;

    if (*f->p == '\n') {
        f->line++;
    }

    if (*f->p == '\\' && f->p + 1 < f->last) {
        ch = (char) f->p[1];

        switch (ch) {

        case '"':
        case '\'':
        case '\\':
            break;

        case 't':
            ch = '\t';
            break;

        case 'r':
            ch = '\r';
            break;

        case 'n':
            ch = '\n';
            break;

        default:

            /* both stay, but the second one has no meaning of its own */

            akl_buf_add(word, f->p, 2);
            f->line += (ch == '\n');
            f->p += 2;
            return;
        }

        akl_buf_add(word, &ch, 1);
        f->p += 2;
        return;
    }

    akl_buf_add(word, f->p, 1);
    f->p++;
}


static akl_word_t
akl_nginxconf_next(akl_reading_t *r, akl_reader_t *f, char **result)
{
    unsigned char  quote;

    akl_nginxconf_skip(f);

    if (f->p == f->last) {
        return AKL_WORD_END;
    }

    switch (*f->p) {

    case ';':
        f->p++;
        return AKL_WORD_SEMICOLON;

    case '{':
        f->p++;
        return AKL_WORD_OPEN;

    case '}':
        f->p++;
        return AKL_WORD_CLOSE;
    }

    r->word.len = 0;
    akl_buf_puts(&r->word, "");

    if (*f->p == '"' || *f->p == '\'') {
        quote = *f->p++;

        while (f->p < f->last && *f->p != quote) {
            akl_nginxconf_char(f, &r->word);
        }

        if (f->p == f->last) {
            akl_nginxconf_error(r, f, "unexpected end of file, a quote is "
                                "missing");
            return AKL_WORD_ERROR;
        }

        f->p++;

        if (!akl_nginxconf_ends(f->p, f->last)) {
            akl_nginxconf_error(r, f, "something stands right behind a "
                                "quote");
            return AKL_WORD_ERROR;
        }

    } else {

        while (f->p < f->last
               && (*f->p == ')' || !akl_nginxconf_ends(f->p, f->last)))
        {
            /* the brace of ${name} opens no block */

            if (*f->p == '$' && f->p + 1 < f->last && f->p[1] == '{') {
                akl_buf_add(&r->word, f->p, 2);
                f->p += 2;
                continue;
            }

            akl_nginxconf_char(f, &r->word);
        }
    }

    *result = akl_mem_strn(r->word.data, r->word.len);

    return AKL_WORD;
}


/*
 * The block of a language that is not nginx's, such as content_by_lua_block:
 * up to its own closing brace, past Lua's strings and comments.
 */

static int
akl_nginxconf_foreign(akl_reading_t *r, akl_reader_t *f)
{
    size_t         depth;
    unsigned char  quote;

    quote = 0;

    for (depth = 1; f->p < f->last; f->p++) {

        if (*f->p == '\n') {
            f->line++;
            quote = 0;

        } else if (quote) {

            if (*f->p == '\\' && f->p + 1 < f->last && f->p[1] != '\n') {
                f->p++;

            } else if (*f->p == quote) {
                quote = 0;
            }

        } else if (*f->p == '"' || *f->p == '\'') {
            quote = *f->p;

        } else if (*f->p == '-' && f->p + 1 < f->last && f->p[1] == '-') {

            while (f->p + 1 < f->last && f->p[1] != '\n') {
                f->p++;
            }

        } else if (*f->p == '{') {
            depth++;

        } else if (*f->p == '}' && --depth == 0) {
            f->p++;
            return 0;
        }
    }

    akl_nginxconf_error(r, f, "unexpected end of file, expecting \"}\"");

    return -1;
}


static akl_directive_t **
akl_nginxconf_file(akl_reading_t *r, const char *path, akl_str_t text,
    akl_directive_t **tail)
{
    akl_reader_t  f;

    f.file = path;
    f.p = text.data;
    f.last = text.data + text.len;
    f.line = 1;

    return akl_nginxconf_block(r, &f, tail, 0);
}


static akl_directive_t **
akl_nginxconf_include(akl_reading_t *r, akl_reader_t *f, const char *pattern,
    akl_directive_t **tail)
{
    int           rc;
    char         *path;
    size_t        i;
    glob_t        found;
    akl_str_t     text;
    const char   *cause;

    path = akl_file_in(r->dir, pattern);

    /* a pattern may match nothing, a name has to be there */

    rc = glob(path, 0, NULL, &found);

    if (rc != 0) {

        if (rc != GLOB_NOMATCH || strpbrk(path, "*?[") == NULL) {
            akl_nginxconf_error(r, f, akl_mem_printf("cannot include \"%s\"",
                                                     path));
        }

        return tail;
    }

    for (i = 0; i < found.gl_pathc && r->error == NULL; i++) {

        if (++r->files > AKL_NGINXCONF_FILES) {
            akl_nginxconf_error(r, f, "too many files are included");
            break;
        }

        path = akl_mem_str(found.gl_pathv[i]);
        cause = akl_file_read(path, &text);

        if (cause) {
            akl_nginxconf_error(r, f, akl_mem_printf("cannot include \"%s\" "
                                                     "(%s)", path, cause));
            break;
        }

        tail = akl_nginxconf_file(r, path, text, tail);
    }

    globfree(&found);

    return tail;
}


static akl_directive_t **
akl_nginxconf_directive(akl_reading_t *r, akl_reader_t *f,
    akl_directive_t **tail, char **words, size_t n, size_t line, int block)
{
    size_t            len;
    akl_directive_t  *d;

    if (!block && n == 2 && strcmp(words[0], "include") == 0) {
        return akl_nginxconf_include(r, f, words[1], tail);
    }

    d = akl_mem(sizeof(akl_directive_t));

    d->args = akl_mem((n + 1) * sizeof(char *));
    memcpy(d->args, words, n * sizeof(char *));
    d->n = n;
    d->file = f->file;
    d->line = line;

    *tail = d;
    tail = &d->next;

    if (!block) {
        return tail;
    }

    d->has_block = 1;
    len = strlen(words[0]);

    if (len > 6 && strcmp(words[0] + len - 6, "_block") == 0) {
        (void) akl_nginxconf_foreign(r, f);
        return tail;
    }

    (void) akl_nginxconf_block(r, f, &d->block, 1);

    return tail;
}


static char **
akl_nginxconf_grow(char **words, size_t *size)
{
    char    **more;
    size_t    n;

    n = *size;
    *size = n ? n * 2 : 8;

    more = akl_mem(*size * sizeof(char *));

    if (n) {
        memcpy(more, words, n * sizeof(char *));
    }

    return more;
}


static akl_directive_t **
akl_nginxconf_block(akl_reading_t *r, akl_reader_t *f, akl_directive_t **tail,
    int inside)
{
    char        *word, **words;
    size_t       n, size, line;
    akl_word_t   type;

    if (++r->depth > AKL_NGINXCONF_DEPTH) {
        akl_nginxconf_error(r, f, "blocks and includes are nested too deeply");
        return tail;
    }

    words = NULL;
    size = 0;
    n = 0;
    line = f->line;

    while (r->error == NULL) {

        type = akl_nginxconf_next(r, f, &word);

        if (type == AKL_WORD) {

            if (n == size) {
                words = akl_nginxconf_grow(words, &size);
            }

            if (n == 0) {
                line = f->line;
            }

            words[n++] = word;
            continue;
        }

        if (type == AKL_WORD_SEMICOLON || type == AKL_WORD_OPEN) {

            if (n == 0) {
                akl_nginxconf_error(r, f, type == AKL_WORD_OPEN
                                          ? "unexpected \"{\""
                                          : "unexpected \";\"");
                break;
            }

            tail = akl_nginxconf_directive(r, f, tail, words, n, line,
                                           type == AKL_WORD_OPEN);
            n = 0;
            continue;
        }

        if (type == AKL_WORD_ERROR) {
            break;
        }

        if (n) {
            akl_nginxconf_error(r, f, akl_mem_printf("directive \"%s\" is not "
                                "ended by \";\"",
                                akl_clean_word(akl_str_of(words[0]))));

        } else if (inside != (type == AKL_WORD_CLOSE)) {
            akl_nginxconf_error(r, f, inside ? "unexpected end of file, "
                                               "expecting \"}\""
                                             : "unexpected \"}\"");
        }

        break;
    }

    r->depth--;

    return tail;
}


const char *
akl_nginxconf_parse(const char *path, akl_str_t text, akl_directive_t **first)
{
    akl_reading_t  r;

    memset(&r, 0, sizeof(akl_reading_t));
    r.dir = akl_file_dir(path);

    *first = NULL;

    (void) akl_nginxconf_file(&r, path, text, first);

    return r.error;
}


const char *
akl_nginxconf_read(const char *path, akl_directive_t **first)
{
    akl_str_t    text;
    const char  *cause;

    *first = NULL;

    cause = akl_file_read(path, &text);

    if (cause) {
        return akl_mem_printf("cannot read \"%s\" (%s)", path, cause);
    }

    return akl_nginxconf_parse(path, text, first);
}


akl_directive_t *
akl_directive_find(akl_directive_t *first, const char *name)
{
    while (first && strcmp(first->args[0], name) != 0) {
        first = first->next;
    }

    return first;
}


void
akl_nginxconf_word(akl_buf_t *buf, const char *word)
{
    const char  *p;

    for (p = word; *p; p++) {

        /* glob characters, colons and slashes need no quotes */

        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || strchr("-_.:/*?=+,@[]%~", *p)))
        {
            break;
        }
    }

    if (*p == '\0' && p != word) {
        akl_buf_puts(buf, word);
        return;
    }

    akl_buf_puts(buf, "\"");

    for (p = word; *p; p++) {

        if (*p == '"' || *p == '\\') {
            akl_buf_puts(buf, "\\");
        }

        akl_buf_add(buf, p, 1);
    }

    akl_buf_puts(buf, "\"");
}


void
akl_nginxconf_line(akl_buf_t *buf, const char *name,
    const char *const *words, size_t n)
{
    size_t  i;

    akl_buf_printf(buf, "    %s", name);

    for (i = 0; i < n; i++) {
        akl_buf_puts(buf, " ");
        akl_nginxconf_word(buf, words[i]);
    }

    akl_buf_puts(buf, ";\n");
}


void
akl_nginxconf_pair(akl_buf_t *buf, const char *name, const char *word)
{
    akl_nginxconf_line(buf, name, &word, 1);
}
