/* JSON: what is accepted, and what the writer makes of any bytes. */

#include "../../src/cli/json.h"
#include "../../src/jose/json.h"
#include "fuzz.h"


/* levels of nesting; strings and names must not hold a NUL */

static unsigned
depth(json_t *value)
{
    size_t       i;
    unsigned     d, deepest;
    json_t      *member;
    const char  *key;

    deepest = 0;

    if (json_is_string(value)) {
        check(strlen(json_string_value(value)) == json_string_length(value));
        return 0;
    }

    if (json_is_object(value)) {
        json_object_foreach(value, key, member) {
            d = depth(member);
            deepest = d > deepest ? d : deepest;
        }

        return deepest + 1;
    }

    if (json_is_array(value)) {
        json_array_foreach(value, i, member) {
            d = depth(member);
            deepest = d > deepest ? d : deepest;
        }

        return deepest + 1;
    }

    return 0;
}


static void
reading(akl_str_t in)
{
    char        *text;
    json_t      *object, *again;
    int64_t      time;
    akl_str_t    value;
    const char  *key;
    json_t      *member;

    object = akl_json_object(in);
    if (object == NULL) {
        return;
    }

    check(json_is_object(object));
    check(depth(object) <= 32);

    json_object_foreach(object, key, member) {
        check((akl_json_string(object, key, &value) == 0)
              == json_is_string(member));

        if (akl_json_time(object, key, &time) == 0) {
            check(json_is_number(member));
            check(time >= 0 && time <= (int64_t) 1 << 53);
        }
    }

    text = json_dumps(object, JSON_COMPACT);
    check(text != NULL);

    value.data = (unsigned char *) text;
    value.len = strlen(text);
    again = akl_json_object(value);
    check(again != NULL && json_equal(object, again));

    json_decref(again);
    json_decref(object);
    free(text);
}


static void
write_all(akl_json_out_t *out, akl_str_t in)
{
    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "text", in);
    akl_json_out_int(out, "len", (int64_t) in.len);
    akl_json_out_open(out, "list", '[');
    akl_json_out_str(out, NULL, in);
    akl_json_out_raw(out, NULL, akl_str("null"));
    akl_json_out_close(out, ']');
    akl_json_out_close(out, '}');
}


static void
writing(akl_str_t in)
{
    size_t           len;
    json_t          *object, *want, *text;
    unsigned char   *buf;
    akl_json_out_t   out;

    akl_json_out_init(&out, NULL, 0);
    write_all(&out, in);
    len = out.len;

    buf = malloc(len);
    check(buf != NULL);

    akl_json_out_init(&out, buf, len);
    write_all(&out, in);
    check(!out.overflow && out.len == len);

    object = json_loadb((char *) buf, len,
                        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    check(object != NULL);

    /* jansson takes valid UTF-8 only, and that must come back unchanged */

    text = json_object_get(object, "text");
    check(json_equal(text, json_array_get(json_object_get(object, "list"),
                                          0)));

    want = json_stringn((const char *) in.data, in.len);

    if (want != NULL) {
        check(json_equal(want, text));
        json_decref(want);
    }

    json_decref(object);

    if (len > 1) {
        akl_json_out_init(&out, buf, len - 1);
        write_all(&out, in);
        check(out.overflow && out.len == len);
    }

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akl_str_t  in;

    in.data = data;
    in.len = size;

    reading(in);
    writing(in);

    return 0;
}
