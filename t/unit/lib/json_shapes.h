/*
 * Objects of JSON in the shapes that cost a reader most, each as large as it
 * is asked for.
 */

#ifndef JSON_SHAPES_H
#define JSON_SHAPES_H

#include "jose_test.h"


#define BODY   (32 * 1024)              /* of a login */


typedef struct {
    char    *data;
    size_t   len;
    size_t   size;
} text_t;


/* how one is written, and of what: each writer says what it takes */

typedef struct shape_s  shape_t;

struct shape_s {
    const char  *name;
    void       (*write)(text_t *text, size_t size, const shape_t *shape);
    const char  *piece;
    size_t       n;
    size_t       len;
};


static void
add(text_t *text, const char *format, ...)
{
    int      n;
    va_list  args;

    va_start(args, format);
    n = vsnprintf(text->data + text->len, text->size - text->len, format,
                  args);
    va_end(args);

    assert_true(n >= 0 && text->len + (size_t) n < text->size);
    text->len += (size_t) n;
}


static void
fill(text_t *text, char ch, size_t n)
{
    assert_true(text->len + n < text->size);
    memset(text->data + text->len, ch, n);
    text->len += n;
}


static void
comma(text_t *text)
{
    char  last = text->data[text->len - 1];

    if (last != '{' && last != '[') {
        add(text, ",");
    }
}


/* members as short as can be, then names that share all but their ends */

static void
short_members(text_t *text, size_t size, const shape_t *shape)
{
    size_t  i;

    (void) shape;

    add(text, "{");

    for (i = 0; text->len < size; i++) {
        comma(text);
        add(text, "\"%zx\":1", i);
    }

    add(text, "}");
}


/* names of "len" bytes and four, each with "piece" */

static void
alike(text_t *text, size_t size, const shape_t *shape)
{
    size_t  i;

    add(text, "{");

    for (i = 0; text->len < size; i++) {
        comma(text);
        add(text, "\"");
        fill(text, 'n', shape->len);
        add(text, "%04zx\":%s", i, shape->piece);
    }

    add(text, "}");
}


/* all of one length: a comparison of lengths tells nothing */

static void
alike_but_first(text_t *text, size_t size, const shape_t *shape)
{
    size_t  i;

    (void) shape;

    add(text, "{");

    for (i = 0; text->len < size; i++) {
        comma(text);
        add(text, "\"%04zx", i);
        fill(text, 'n', 100);
        add(text, "\":[]");
    }

    add(text, "}");
}


/* of "n" members, with names of "len" bytes and two */

static void
objects(text_t *text, size_t size, const shape_t *shape)
{
    size_t  i;

    add(text, "{\"a\":[");

    while (text->len < size) {
        comma(text);
        add(text, "{");

        for (i = 0; i < shape->n; i++) {
            comma(text);
            add(text, "\"");
            fill(text, 'x', shape->len);
            add(text, "%zx\":1", i + 16);
        }

        add(text, "}");
    }

    add(text, "]}");
}


/* at each of 32 levels as many members as there is room for */

static void
deep_and_wide(text_t *text, size_t size, const shape_t *shape)
{
    size_t    i;
    unsigned  level;

    (void) shape;

    for (level = 1; level <= 32; level++) {
        add(text, "{");

        for (i = 0; text->len < size / 32 * level; i++) {
            add(text, "\"%zx\":1,", i + 16);
        }

        add(text, "\"d\":");
    }

    add(text, "1");
    fill(text, '}', 32);
}


static void
deep_again_and_again(text_t *text, size_t size, const shape_t *shape)
{
    (void) shape;

    add(text, "{\"a\":[");

    while (text->len < size) {
        comma(text);
        fill(text, '[', 30);
        fill(text, ']', 30);
    }

    add(text, "]}");
}


/* an array of "piece" */

static void
many(text_t *text, size_t size, const shape_t *shape)
{
    add(text, "{\"a\":[");

    while (text->len < size) {
        comma(text);
        add(text, "%s", shape->piece);
    }

    add(text, "]}");
}


static void
number_of_digits(text_t *text, size_t size, const shape_t *shape)
{
    (void) shape;

    add(text, "{\"exp\":1.");
    fill(text, '9', size);
    add(text, "}");
}


static void
number_at_the_limit(text_t *text, size_t size, const shape_t *shape)
{
    size_t  i;

    (void) shape;

    /* as many digits of the limit as doubles have, again and again */

    add(text, "{\"a\":[");

    while (text->len < size) {
        comma(text);
        add(text, "1797693134862315");

        for (i = 0; i < 292; i++) {
            add(text, "0");
        }

        add(text, "0e0");
    }

    add(text, "]}");
}


static void
number_of_zeroes(text_t *text, size_t size, const shape_t *shape)
{
    (void) shape;

    add(text, "{\"exp\":0.");
    fill(text, '0', size / 2);
    add(text, "1e");
    fill(text, '0', size / 2);
    add(text, "}");
}


/* one string of "piece" */

static void
string(text_t *text, size_t size, const shape_t *shape)
{
    add(text, "{\"a\":\"");

    while (text->len < size) {
        add(text, "%s", shape->piece);
    }

    add(text, "\"}");
}


static void
escaped_names(text_t *text, size_t size, const shape_t *shape)
{
    size_t  i;

    (void) shape;

    add(text, "{");

    for (i = 0; text->len < size; i++) {
        comma(text);
        add(text, "\"\\u006e\\u006e\\u00%02zx%zx\":1", 32 + i % 64, i / 64);
    }

    add(text, "}");
}


static const shape_t  shapes[] = {
    { "one long string", string, "abcdefghijklmnop", 0, 0 },
    { "many short members", short_members, NULL, 0, 0 },
    { "names of 8 bytes, alike but for the last", alike, "1", 0, 4 },
    { "names of 64 bytes, alike but for the last", alike, "{}", 0, 60 },
    { "names of 1004 bytes, alike but for the last", alike, "null", 0, 1000 },
    { "names of 104 bytes, alike but for the first", alike_but_first, NULL,
      0, 0 },

    /* 71 of them in 32 KB were 71 passes, by another reader */

    { "objects of 65 members", objects, NULL, 65, 0 },
    { "objects of 8 long members, alike", objects, NULL, 8, 200 },
    { "objects of 9 members", objects, NULL, 9, 0 },
    { "empty objects", objects, NULL, 0, 0 },
    { "32 levels, many members at each", deep_and_wide, NULL, 0, 0 },
    { "30 levels, again and again", deep_again_and_again, NULL, 0, 0 },
    { "one-digit numbers", many, "1", 0, 0 },
    { "the largest number, again and again", many, "1.7976931348623157e308",
      0, 0 },
    { "one number of many digits", number_of_digits, NULL, 0, 0 },
    { "numbers of 309 digits", number_at_the_limit, NULL, 0, 0 },
    { "one number of many zeroes", number_of_zeroes, NULL, 0, 0 },
    { "escapes only", string, "\\n", 0, 0 },
    { "escapes between letters", string, "a\\na", 0, 0 },
    { "surrogate pairs", string, "\\ud83d\\ude00", 0, 0 },
    { "letters beyond ASCII", string, "a\xc3\xa9", 0, 0 },
    { "strings of one escape", many, "\"\\n\"", 0, 0 },
    { "escaped names", escaped_names, NULL, 0, 0 },
    { "white space", many, "   1   ", 0, 0 }
};

#define SHAPES  (sizeof(shapes) / sizeof(shapes[0]))


#endif /* JSON_SHAPES_H */
