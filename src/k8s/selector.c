/*
 * Label selectors: what nginx -t makes sure of.
 */

#include "names.h"
#include "selector.h"




static const char *akl_label_key(akl_str_t key);
static const char *akl_label_value(akl_str_t value);
static int akl_label_name(akl_str_t s);


const char *
akl_label_parse(akl_str_t text, akl_label_t *label)
{
    const char           *cause;
    const unsigned char  *equal;

    if (text.len && memchr(text.data, ',', text.len)) {
        return "holds a comma, labels are separated by blanks";
    }

    equal = text.len ? memchr(text.data, '=', text.len) : NULL;

    if (equal == NULL) {
        return "is not of the form key=value";
    }

    label->key.data = text.data;
    label->key.len = equal - text.data;

    label->value.data = equal + 1;
    label->value.len = text.len - label->key.len - 1;

    cause = akl_label_key(label->key);

    return cause ? cause : akl_label_value(label->value);
}


static const char *
akl_label_key(akl_str_t key)
{
    akl_str_t             name, prefix;
    const unsigned char  *slash;

    if (key.len == 0) {
        return "has no key before the \"=\"";
    }

    if (key.data[key.len - 1] == '!') {
        return "asks for another value, a selector here knows \"=\" only";
    }

    name = key;
    slash = memchr(key.data, '/', key.len);

    if (slash) {
        prefix.data = key.data;
        prefix.len = slash - key.data;

        name.data = slash + 1;
        name.len = key.len - prefix.len - 1;

        if (!akl_name_subdomain(prefix)) {
            return "has a prefix before the \"/\" that is no DNS name in "
                   "lower case";
        }
    }

    if (name.len > AKL_LABEL_MAX) {
        return "has a key of more than 63 characters";
    }

    return akl_label_name(name)
           ? NULL
           : "has a key that no label has: letters, digits, \"-\", \"_\" and "
             "\".\", at both ends a letter or digit";
}


static const char *
akl_label_value(akl_str_t value)
{
    if (value.len == 0) {
        return NULL;
    }

    if (value.data[0] == '=') {
        return "has two \"=\", one is enough";
    }

    if (memchr(value.data, '*', value.len)
        || memchr(value.data, '?', value.len))
    {
        return "holds a wildcard, labels are compared as a whole";
    }

    if (value.len > AKL_LABEL_MAX) {
        return "has a value of more than 63 characters";
    }

    return akl_label_name(value)
           ? NULL
           : "has a value that no label has: letters, digits, \"-\", \"_\" "
             "and \".\", at both ends a letter or digit";
}


static int
akl_label_name(akl_str_t s)
{
    int            alnum;
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        alnum = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
                || (ch >= '0' && ch <= '9');

        if (alnum) {
            continue;
        }

        if ((ch != '-' && ch != '_' && ch != '.')
            || i == 0 || i + 1 == s.len)
        {
            return 0;
        }
    }

    return s.len != 0;
}


const akl_label_t *
akl_selector_find(const akl_selector_t *selector, akl_str_t key)
{
    size_t  i;

    for (i = 0; i < selector->n; i++) {
        if (akl_str_eq(selector->elts[i].key, key)) {
            return &selector->elts[i];
        }
    }

    return NULL;
}
