/*
 * What Kubernetes takes for a name.
 */

#include "names.h"


/* RFC 1123 section 2.1, lower case, as Kubernetes demands of names */

int
akl_name_label(akl_str_t s)
{
    size_t         i;
    unsigned char  ch;

    if (s.len == 0 || s.len > AKL_LABEL_MAX
        || s.data[0] == '-' || s.data[s.len - 1] == '-')
    {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
              || ch == '-'))
        {
            return 0;
        }
    }

    return 1;
}


/* labels of any length in all as many as fit, joined by dots */

int
akl_name_subdomain(akl_str_t s)
{
    size_t         i;
    unsigned char  ch, before;

    if (s.len == 0 || s.len > AKL_SUBDOMAIN_MAX) {
        return 0;
    }

    before = '.';

    for (i = 0; i < s.len; i++) {
        ch = s.data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')) {
            before = ch;
            continue;
        }

        if (ch == '-' && before != '.') {
            before = ch;
            continue;
        }

        if (ch == '.' && before != '.' && before != '-') {
            before = ch;
            continue;
        }

        return 0;
    }

    return before != '.' && before != '-';
}


int
akl_name_uid(akl_str_t s)
{
    size_t  i;

    if (s.len > AKL_UID_MAX) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] > 0x7e || s.data[i] == '"'
            || s.data[i] == '\\')
        {
            return 0;
        }
    }

    return 1;
}
