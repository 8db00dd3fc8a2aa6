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


typedef void (*shape_t)(text_t *text, size_t size);


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
short_members(text_t *text, size_t size)
{
    size_t  i;

    add(text, "{");

    for (i = 0; text->len < size; i++) {
        comma(text);
        add(text, "\"%zx\":1", i);
    }

    add(text, "}");
}


static void
alike(text_t *text, size_t size, size_t len, const char *value)
{
    size_t  i;

    add(text, "{");

    for (i = 0; text->len < size; i++) {
        comma(text);
        add(text, "\"");
        fill(text, 'n', len);
        add(text, "%04zx\":%s", i, value);
    }

    add(text, "}");
}


static void
alike_short(text_t *text, size_t size)
{
    alike(text, size, 4, "1");
}


static void
alike_long(text_t *text, size_t size)
{
    alike(text, size, 60, "{}");
}


static void
alike_very_long(text_t *text, size_t size)
{
    alike(text, size, 1000, "null");
}


/* all of one length: a comparison of lengths tells nothing */

static void
alike_but_first(text_t *text, size_t size)
{
    size_t  i;

    add(text, "{");

    for (i = 0; text->len < size; i++) {
        comma(text);
        add(text, "\"%04zx", i);
        fill(text, 'n', 100);
        add(text, "\":[]");
    }

    add(text, "}");
}


static void
objects(text_t *text, size_t size, size_t members, size_t len)
{
    size_t  i;

    add(text, "{\"a\":[");

    while (text->len < size) {
        comma(text);
        add(text, "{");

        for (i = 0; i < members; i++) {
            comma(text);
            add(text, "\"");
            fill(text, 'x', len);
            add(text, "%zx\":1", i + 16);
        }

        add(text, "}");
    }

    add(text, "]}");
}


/* 71 of them in 32 KB were 71 passes, by another reader */

static void
objects_of_65_members(text_t *text, size_t size)
{
    objects(text, size, 65, 0);
}


static void
objects_of_8_long_members(text_t *text, size_t size)
{
    objects(text, size, 8, 200);
}


static void
objects_of_9_members(text_t *text, size_t size)
{
    objects(text, size, 9, 0);
}


static void
empty_objects(text_t *text, size_t size)
{
    objects(text, size, 0, 0);
}


/* at each of 32 levels as many members as there is room for */

static void
deep_and_wide(text_t *text, size_t size)
{
    size_t    i;
    unsigned  level;

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
deep_again_and_again(text_t *text, size_t size)
{
    add(text, "{\"a\":[");

    while (text->len < size) {
        comma(text);
        fill(text, '[', 30);
        fill(text, ']', 30);
    }

    add(text, "]}");
}


static void
many(text_t *text, size_t size, const char *element)
{
    add(text, "{\"a\":[");

    while (text->len < size) {
        comma(text);
        add(text, "%s", element);
    }

    add(text, "]}");
}


static void
numbers(text_t *text, size_t size)
{
    many(text, size, "1");
}


static void
large_numbers(text_t *text, size_t size)
{
    many(text, size, "1.7976931348623157e308");
}


static void
number_of_digits(text_t *text, size_t size)
{
    add(text, "{\"exp\":1.");
    fill(text, '9', size);
    add(text, "}");
}


static void
number_at_the_limit(text_t *text, size_t size)
{
    size_t  i;

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
number_of_zeroes(text_t *text, size_t size)
{
    add(text, "{\"exp\":0.");
    fill(text, '0', size / 2);
    add(text, "1e");
    fill(text, '0', size / 2);
    add(text, "}");
}


static void
strings(text_t *text, size_t size, const char *piece)
{
    add(text, "{\"a\":\"");

    while (text->len < size) {
        add(text, "%s", piece);
    }

    add(text, "\"}");
}


static void
escapes(text_t *text, size_t size)
{
    strings(text, size, "\\n");
}


static void
escapes_between(text_t *text, size_t size)
{
    strings(text, size, "a\\na");
}


static void
surrogates(text_t *text, size_t size)
{
    strings(text, size, "\\ud83d\\ude00");
}


static void
letters_beyond_ascii(text_t *text, size_t size)
{
    strings(text, size, "a\xc3\xa9");
}


static void
escaped_strings(text_t *text, size_t size)
{
    many(text, size, "\"\\n\"");
}


static void
escaped_names(text_t *text, size_t size)
{
    size_t  i;

    add(text, "{");

    for (i = 0; text->len < size; i++) {
        comma(text);
        add(text, "\"\\u006e\\u006e\\u00%02zx%zx\":1", 32 + i % 64, i / 64);
    }

    add(text, "}");
}


static void
spaces(text_t *text, size_t size)
{
    many(text, size, "   1   ");
}


static void
plain(text_t *text, size_t size)
{
    strings(text, size, "abcdefghijklmnop");
}


static const struct {
    const char  *name;
    shape_t      shape;
} shapes[] = {
    { "one long string", plain },
    { "many short members", short_members },
    { "names of 8 bytes, alike but for the last", alike_short },
    { "names of 64 bytes, alike but for the last", alike_long },
    { "names of 1004 bytes, alike but for the last", alike_very_long },
    { "names of 104 bytes, alike but for the first", alike_but_first },
    { "objects of 65 members", objects_of_65_members },
    { "objects of 8 long members, alike", objects_of_8_long_members },
    { "objects of 9 members", objects_of_9_members },
    { "empty objects", empty_objects },
    { "32 levels, many members at each", deep_and_wide },
    { "30 levels, again and again", deep_again_and_again },
    { "one-digit numbers", numbers },
    { "the largest number, again and again", large_numbers },
    { "one number of many digits", number_of_digits },
    { "numbers of 309 digits", number_at_the_limit },
    { "one number of many zeroes", number_of_zeroes },
    { "escapes only", escapes },
    { "escapes between letters", escapes_between },
    { "surrogate pairs", surrogates },
    { "letters beyond ASCII", letters_beyond_ascii },
    { "strings of one escape", escaped_strings },
    { "escaped names", escaped_names },
    { "white space", spaces }
};

#define SHAPES  (sizeof(shapes) / sizeof(shapes[0]))


#endif /* JSON_SHAPES_H */
