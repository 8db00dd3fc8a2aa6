#include "json.h"


#define AKL_JSON_DEPTH     32
#define AKL_JSON_TIME_MAX  ((int64_t) 1 << 53)


static int akl_json_shallow(json_t *value, unsigned depth);


json_t *
akl_json_object(akl_str_t text)
{
    json_t  *root;

    if (text.len == 0 || memchr(text.data, '\0', text.len) != NULL) {
        return NULL;
    }

    root = json_loadb((const char *) text.data, text.len,
                      JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(root) || !akl_json_shallow(root, AKL_JSON_DEPTH)) {
        json_decref(root);
        return NULL;
    }

    return root;
}


/* jansson goes deeper than we do, but not so deep that this costs a stack */

static int
akl_json_shallow(json_t *value, unsigned depth)
{
    size_t       i;
    json_t      *member;
    const char  *name;

    if (!json_is_object(value) && !json_is_array(value)) {
        return 1;
    }

    if (depth == 0) {
        return 0;
    }

    json_object_foreach(value, name, member) {
        if (!akl_json_shallow(member, depth - 1)) {
            return 0;
        }
    }

    json_array_foreach(value, i, member) {
        if (!akl_json_shallow(member, depth - 1)) {
            return 0;
        }
    }

    return 1;
}


int
akl_json_string(const json_t *object, const char *key, akl_str_t *value)
{
    json_t  *member;

    value->len = 0;
    value->data = NULL;

    member = json_object_get(object, key);

    if (member == NULL) {
        return 1;
    }

    if (!json_is_string(member)) {
        return -1;
    }

    value->len = json_string_length(member);
    value->data = (const unsigned char *) json_string_value(member);

    return 0;
}


int
akl_json_time(const json_t *object, const char *key, int64_t *value)
{
    double   real;
    json_t  *member;

    *value = 0;

    member = json_object_get(object, key);

    if (member == NULL) {
        return 1;
    }

    real = json_is_number(member) ? json_number_value(member) : -1;

    if (!(real >= 0 && real <= (double) AKL_JSON_TIME_MAX)
        || json_integer_value(member) > AKL_JSON_TIME_MAX)
    {
        return -1;
    }

    *value = json_is_integer(member) ? json_integer_value(member)
                                     : (int64_t) real;
    return 0;
}
