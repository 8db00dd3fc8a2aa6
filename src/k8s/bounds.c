/*
 * Globs, lists of them, and the looks of an access id.
 */

#include "../jose/count.h"
#include "../jose/json.h"
#include "bounds.h"


#define AKL_GLOB_MAX  512


static size_t akl_glob_char(const unsigned char *p, size_t len);
static int akl_glob_equal(unsigned char a, unsigned char b, int icase);
static int akl_list_match(akl_list_t list, akl_str_t value);
static int akl_alnum(unsigned char ch);


/*
 * A star first takes nothing; when the rest does not fit, the last star takes
 * one character more.  Earlier stars never need to be tried again, so that
 * the work is bounded by the product of both lengths.
 */

int
akl_glob_match(akl_str_t glob, akl_str_t value, int icase)
{
    int     star;
    size_t  g, v, mark_g, mark_v;

    g = 0;
    v = 0;
    mark_g = 0;
    mark_v = 0;
    star = 0;

    while (v < value.len) {

        akl_count(1);

        if (g < glob.len && glob.data[g] == '*') {
            star = 1;
            mark_g = ++g;
            mark_v = v;
            continue;
        }

        if (g < glob.len && glob.data[g] == '?') {
            g++;
            v += akl_glob_char(value.data + v, value.len - v);
            continue;
        }

        if (g < glob.len
            && akl_glob_equal(glob.data[g], value.data[v], icase))
        {
            g++;
            v++;
            continue;
        }

        if (!star) {
            return 0;
        }

        mark_v += akl_glob_char(value.data + mark_v, value.len - mark_v);
        v = mark_v;
        g = mark_g;
    }

    while (g < glob.len && glob.data[g] == '*') {
        g++;
    }

    return g == glob.len;
}


/* bytes of one character; a broken sequence counts byte by byte */

static size_t
akl_glob_char(const unsigned char *p, size_t len)
{
    size_t  n;

    n = akl_json_utf8(p, len);

    return n ? n : 1;
}


static int
akl_glob_equal(unsigned char a, unsigned char b, int icase)
{
    return a == b || (icase && akl_lower(a) == akl_lower(b));
}


const char *
akl_glob_check(akl_str_t glob)
{
    size_t  i;

    if (glob.len == 0) {
        return "empty";
    }

    if (glob.len > AKL_GLOB_MAX) {
        return "longer than 512 bytes";
    }

    for (i = 0; i < glob.len; i++) {
        if (glob.data[i] < 0x20 || glob.data[i] == 0x7f) {
            return "holds a control character";
        }
    }

    return NULL;
}


static int
akl_list_match(akl_list_t list, akl_str_t value)
{
    size_t  i;

    if (list.n == 0) {
        return 1;
    }

    if (value.len == 0) {
        return 0;
    }

    for (i = 0; i < list.n; i++) {
        if (akl_glob_match(list.elts[i], value, 0)) {
            return 1;
        }
    }

    return 0;
}


akl_reason_t
akl_bounds_check(const akl_bounds_t *bounds, const akl_identity_t *identity)
{
    if (!akl_list_match(bounds->namespaces, identity->namespace)) {
        return AKL_NAMESPACE_NOT_BOUND;
    }

    if (!akl_list_match(bounds->sa_names, identity->sa_name)) {
        return AKL_SERVICE_ACCOUNT_NOT_BOUND;
    }

    if (!akl_list_match(bounds->pod_names, identity->pod_name)) {
        return AKL_POD_NOT_BOUND;
    }

    return AKL_OK;
}


static int
akl_alnum(unsigned char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z')
           || (ch >= 'a' && ch <= 'z');
}


const char *
akl_access_id_check(akl_str_t id)
{
    size_t  i;

    if (id.len < 2 || id.data[0] != 'p' || id.data[1] != '-') {
        return "does not begin with \"p-\"";
    }

    if (id.len != 14 && id.len != 16) {
        return "is not \"p-\" and 12 or 14 characters";
    }

    for (i = 2; i < id.len; i++) {
        if (!akl_alnum(id.data[i])) {
            return "holds something else than letters and digits";
        }
    }

    if (id.data[id.len - 2] != 'k') {
        return "has no \"k\" before its last character";
    }

    return NULL;
}
