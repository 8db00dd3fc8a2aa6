/*
 * What reading costs: the bytes looked at, counted by the reader itself, stay
 * a small multiple of the text, whatever its shape.
 */

#include "lib/jose_test.h"
#include "../../src/jose/json.h"
#include "../../src/k8s/pod_token.h"
#include "../../src/k8s/tokenreview.h"


#define BODY   (32 * 1024)              /* of a login */
#define PER    6                        /* looks at a byte, at most */


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


static void
make(text_t *text, shape_t shape, size_t size)
{
    text->len = 0;
    text->size = size + 8192;
    text->data = malloc(text->size);
    assert_non_null(text->data);

    shape(text, size);
}


static void
cheap(const char *where, const char *name, uint64_t looked, size_t len)
{
    print_message("# %5.2f a byte: %s, %s (%zu bytes)\n",
                  (double) looked / (double) len, where, name, len);

    assert_true(looked > 0 && looked <= (uint64_t) len * PER);
}


/* the members that a dialect asks for, and more */

static void
a_body_costs_one_pass(void **state)
{
    int         k;
    size_t      i;
    text_t      text;
    int64_t     exp;
    akl_doc_t   doc;
    akl_str_t   body, value;

    static const char  *const  keys[] = {
        "cmd", "access-id", "access-type", "k8s-auth-config-name",
        "k8s-service-account-token", "role", "jwt", "gateway-url"
    };

    (void) state;

    for (i = 0; i < SHAPES; i++) {
        make(&text, shapes[i].shape, BODY);
        body = (akl_str_t) { text.len, (unsigned char *) text.data };

        akl_looked = 0;
        assert_int_equal(akl_doc_parse(&doc, body), 0);

        for (k = 0; k < 8; k++) {
            (void) akl_doc_string(&doc, doc.nodes, keys[k], &value);
        }

        (void) akl_doc_time(&doc, doc.nodes, "exp", &exp);

        akl_doc_free(&doc);
        assert_true(akl_looked >= text.len / 2);
        cheap("body", shapes[i].name, akl_looked, text.len);
        free(text.data);
    }
}


/* as a body that is no JSON only at its very end */

static void
what_is_refused_costs_no_more(void **state)
{
    size_t      i;
    text_t      text;
    akl_doc_t   doc;
    akl_str_t   body;

    (void) state;

    for (i = 0; i < SHAPES; i++) {
        make(&text, shapes[i].shape, BODY);
        body = (akl_str_t) { text.len - 1, (unsigned char *) text.data };

        akl_looked = 0;
        assert_int_equal(akl_doc_parse(&doc, body), -1);

        akl_doc_free(&doc);
        cheap("refused", shapes[i].name, akl_looked, text.len);
        free(text.data);
    }

    /* and with the last name doubled */

    make(&text, alike_long, BODY);
    text.len--;
    add(&text, ",\"");
    fill(&text, 'n', 60);
    add(&text, "0000\":1}");
    body = (akl_str_t) { text.len, (unsigned char *) text.data };

    akl_looked = 0;
    assert_int_equal(akl_doc_parse(&doc, body), -1);
    akl_doc_free(&doc);
    cheap("refused", "the last name doubled", akl_looked, text.len);
    free(text.data);
}


/* once as the payload, and once as the header */

static void
a_token_costs_one_pass(void **state)
{
    int               part;
    size_t            i, len, n;
    text_t            text;
    akl_str_t         token, json;
    unsigned char    *buf;
    akl_pod_token_t   pod;

    static const char  head[] = "{\"alg\":\"RS256\",\"x\":";

    (void) state;

    for (i = 0; i < SHAPES; i++) {
        for (part = 0; part < 2; part++) {

            make(&text, shapes[i].shape, 11000);

            json.len = text.len + sizeof(head);
            json.data = malloc(json.len);
            buf = malloc(AKL_JWS_MAX + 4096);
            assert_non_null(json.data);
            assert_non_null(buf);

            if (part) {

                /* among the members of the header itself, if it is flat */

                len = (size_t) sprintf((char *) json.data,
                                       "{\"alg\":\"RS256\",");
                memcpy((char *) json.data + len, text.data + 1, text.len - 1);
                json.len = len + text.len - 1;

                n = akl_base64url_encode(buf, json);
                memcpy(buf + n, ".e30.AAAA", 9);
                n += 9;

            } else {
                n = akl_base64url_encode(buf, akl_str("{\"alg\":\"RS256\"}"));
                buf[n++] = '.';
                n += akl_base64url_encode(buf + n, (akl_str_t) { text.len,
                                              (unsigned char *) text.data });
                memcpy(buf + n, ".AAAA", 5);
                n += 5;
            }

            token = (akl_str_t) { n, buf };
            assert_true(n <= AKL_JWS_MAX);

            akl_looked = 0;
            (void) akl_pod_token_parse(&pod, token);
            akl_pod_token_clear(&pod);

            cheap(part ? "header" : "payload", shapes[i].name, akl_looked, n);

            free((void *) json.data);
            free(buf);
            free(text.data);
        }
    }
}


static void
a_key_set_costs_one_pass(void **state)
{
    int          part;
    size_t       i;
    text_t       text, set;
    akl_jwks_t   keys;
    const char  *err;

    (void) state;

    for (i = 0; i < SHAPES; i++) {
        for (part = 0; part < 2; part++) {

            make(&text, shapes[i].shape, 200 * 1024);

            set.len = 0;
            set.size = text.len + 100;
            set.data = malloc(set.size);
            assert_non_null(set.data);

            /* beside the keys, or as one of them */

            if (part) {
                add(&set, "{\"keys\":[{\"kty\":\"EC\",");
                memcpy(set.data + set.len, text.data + 1, text.len - 1);
                set.len += text.len - 1;
                add(&set, "]}");

            } else {
                add(&set, "{\"keys\":[],");
                memcpy(set.data + set.len, text.data + 1, text.len - 1);
                set.len += text.len - 1;
            }

            akl_looked = 0;
            (void) akl_jwks_parse(&keys, (akl_str_t) { set.len,
                                           (unsigned char *) set.data }, &err);
            akl_jwks_clear(&keys);

            cheap(part ? "key" : "key set", shapes[i].name, akl_looked,
                  set.len);

            free(set.data);
            free(text.data);
        }
    }
}


static void
an_answer_costs_one_pass(void **state)
{
    int              part;
    size_t           i;
    text_t           text, answer;
    akl_verdict_t    verdict;
    akl_pod_token_t  pod;

    static const char *const  parts[] = {
        "{\"kind\":\"TokenReview\",",
        "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,"
        "\"user\":{\"username\":\"system:serviceaccount:ns:sa\","
        "\"groups\":[\"system:serviceaccounts\"],\"extra\":{"
    };

    (void) state;

    memset(&pod.claimed, 0, sizeof(akl_identity_t));

    for (i = 0; i < SHAPES; i++) {
        for (part = 0; part < 2; part++) {

            make(&text, shapes[i].shape, 60 * 1024);

            answer.len = 0;
            answer.size = text.len + 1000;
            answer.data = malloc(answer.size);
            assert_non_null(answer.data);

            add(&answer, "%s", parts[part]);
            memcpy(answer.data + answer.len, text.data + 1, text.len - 1);
            answer.len += text.len - 1;
            add(&answer, part ? "}}}" : "");

            akl_looked = 0;
            akl_tokenreview_judge(&verdict, 201,
                                  (akl_str_t) { answer.len, (unsigned char *)
                                                            answer.data },
                                  &pod, (akl_list_t) { NULL, 0 });
            akl_verdict_clear(&verdict);

            cheap(part ? "extra" : "answer", shapes[i].name, akl_looked,
                  answer.len);

            free(answer.data);
            free(text.data);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_body_costs_one_pass),
        cmocka_unit_test(what_is_refused_costs_no_more),
        cmocka_unit_test(a_token_costs_one_pass),
        cmocka_unit_test(a_key_set_costs_one_pass),
        cmocka_unit_test(an_answer_costs_one_pass)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_cost", tests, NULL, NULL);
}
