/*
 * What the values of a configuration must look like.
 */

#include <arpa/inet.h>

#include "bounds.h"
#include "check.h"
#include "names.h"


#define AKL_USER_PREFIX    "system:serviceaccount:"
#define AKL_COMMA          "holds a comma, values are separated by blanks"
#define AKL_CLUSTER_CHARS  "-_:"


static int akl_check_alnum(unsigned char ch);
static const char *akl_check_bound_char(unsigned char ch);
static const char *akl_check_text(akl_str_t text, unsigned char least);
static int akl_cidr_prefix(akl_str_t text, unsigned max);


static int
akl_check_alnum(unsigned char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
}


const char *
akl_check_bound(akl_str_t glob, akl_name_kind_t kind)
{
    size_t          i, len;
    const char     *cause;
    unsigned char   ch, before;

    cause = akl_glob_check(glob);

    if (cause) {
        return cause;
    }

    if (glob.len >= sizeof(AKL_USER_PREFIX) - 1
        && memcmp(glob.data, AKL_USER_PREFIX, sizeof(AKL_USER_PREFIX) - 1)
           == 0)
    {
        return "is a user name, the namespace belongs to bound_namespaces "
               "and the account's name to bound_sa_names";
    }

    /* what no name holds */

    for (i = 0; i < glob.len; i++) {
        cause = akl_check_bound_char(glob.data[i]);

        if (cause) {
            return cause;
        }
    }

    /*
     * Each label begins and ends with a letter or digit.  A wildcard may
     * stand for one, for a dot, or for nothing: only what stands side by side
     * can be judged.
     */

    len = 0;
    before = '.';

    for (i = 0; i <= glob.len; i++) {
        ch = (i < glob.len) ? glob.data[i] : '.';

        if (i < glob.len && ch == '.' && kind == AKL_NAME_NAMESPACE) {
            return (i + 1 < glob.len && glob.data[i + 1] == '*')
                   ? "looks like a regular expression, globs know \"*\" and "
                     "\"?\" only"
                   : "holds a dot, which no namespace does";
        }

        if ((before == '.' && (ch == '.' || ch == '-'))
            || (before == '-' && ch == '.'))
        {
            return "meets no name in Kubernetes, where parts begin and end "
                   "with a letter or digit";
        }

        if (i < glob.len && ch != '*') {
            len++;
        }

        before = ch;
    }

    if (len > ((kind == AKL_NAME_NAMESPACE) ? AKL_LABEL_MAX
                                            : AKL_SUBDOMAIN_MAX)) {
        return "is longer than any name in Kubernetes";
    }

    return NULL;
}


static const char *
akl_check_bound_char(unsigned char ch)
{
    if (akl_check_alnum(ch)) {
        return NULL;
    }

    if (ch >= 'A' && ch <= 'Z') {
        return "holds a capital letter, names in Kubernetes are in lower case";
    }

    switch (ch) {

    case '-':
    case '.':
    case '*':
    case '?':
        return NULL;

    case ',':
        return AKL_COMMA;

    case '^':
    case '$':
    case '[':
    case ']':
    case '(':
    case ')':
    case '{':
    case '}':
    case '|':
    case '+':
    case '\\':
        return "looks like a regular expression, globs know \"*\" and \"?\" "
               "only";

    case '/':
    case ':':
        return "holds more than one name, namespace, account and pod have a "
               "bound each";

    case '=':
        return "is of the form name=value, a name is wanted";

    default:
        return "holds a character that no name in Kubernetes does";
    }
}


/* what is compared with a token's claim, of characters from "least" on */

static const char *
akl_check_text(akl_str_t text, unsigned char least)
{
    size_t  i;

    if (text.len == 0) {
        return "is empty";
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < least || text.data[i] == 0x7f) {
            return "holds white space or control characters";
        }
    }

    return NULL;
}


const char *
akl_check_issuer(akl_str_t issuer, const char **warn)
{
    if (issuer.len && memchr(issuer.data, ',', issuer.len)) {
        *warn = AKL_COMMA;
    }

    return akl_check_text(issuer, '!');
}


const char *
akl_check_audience(akl_str_t audience, const char **warn)
{
    if (audience.len && memchr(audience.data, ',', audience.len)) {
        *warn = AKL_COMMA;
    }

    return akl_check_text(audience, ' ');
}


const char *
akl_check_config_name(akl_str_t name)
{
    size_t  i;

    if (name.len == 0) {
        return "has an empty name";
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) {
            return "has a name with control characters";
        }
    }

    return NULL;
}


const char *
akl_check_server_name(akl_str_t name)
{
    char             text[INET6_ADDRSTRLEN];
    size_t           i;
    unsigned char    ch;
    struct in6_addr  addr;

    if (name.len == 0) {
        return "is empty";
    }

    if (name.len > AKL_SUBDOMAIN_MAX) {
        return "is longer than 253 characters";
    }

    if (memchr(name.data, ':', name.len)) {

        if (name.len < sizeof(text)) {
            memcpy(text, name.data, name.len);
            text[name.len] = '\0';

            if (inet_pton(AF_INET6, text, &addr) == 1) {
                return NULL;
            }
        }

        return "must be a name or an address, without scheme, brackets or "
               "port";
    }

    for (i = 0; i < name.len; i++) {
        ch = name.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '-' || ch == '.'
              || ch == '_'))
        {
            return "must be a name or an address, without scheme, brackets or "
                   "port";
        }
    }

    return (name.data[0] == '.' || name.data[name.len - 1] == '.')
           ? "must not begin or end with a dot" : NULL;
}


const char *
akl_check_cluster_id(akl_str_t id)
{
    size_t         i;
    unsigned char  ch;

    if (id.len == 0) {
        return "is empty";
    }

    for (i = 0; i < id.len; i++) {
        ch = id.data[i];

        if (!akl_check_alnum(ch) && !(ch >= 'A' && ch <= 'Z')
            && (ch == '\0' || strchr(AKL_CLUSTER_CHARS, ch) == NULL))
        {
            return "has an invalid cluster id";
        }
    }

    return NULL;
}


const char *
akl_cidr_parse(akl_str_t text, akl_cidr_t *cidr)
{
    int                   bits;
    char                  buf[INET6_ADDRSTRLEN];
    size_t                i, len, size;
    akl_str_t             prefix;
    const unsigned char  *slash;

    static const unsigned char  mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    };

    memset(cidr, 0, sizeof(akl_cidr_t));

    if (text.len == 0) {
        return "is empty";
    }

    if (memchr(text.data, ',', text.len)) {
        return AKL_COMMA;
    }

    slash = memchr(text.data, '/', text.len);
    len = slash ? (size_t) (slash - text.data) : text.len;

    if (len >= sizeof(buf) || memchr(text.data, '\0', len)) {
        return "is no address";
    }

    memcpy(buf, text.data, len);
    buf[len] = '\0';

    if (inet_pton(AF_INET, buf, cidr->addr) == 1) {
        size = 4;

    } else if (inet_pton(AF_INET6, buf, cidr->addr) == 1) {
        size = 16;
        cidr->ipv6 = 1;

    } else {
        return "is no address";
    }

    bits = (int) size * 8;

    if (slash) {
        prefix.data = slash + 1;
        prefix.len = text.data + text.len - prefix.data;

        bits = akl_cidr_prefix(prefix, (unsigned) size * 8);

        if (bits < 0) {
            return cidr->ipv6 ? "has a prefix that is no number up to 128"
                              : "has a prefix that is no number up to 32";
        }
    }

    if (cidr->ipv6 && memcmp(cidr->addr, mapped, sizeof(mapped)) == 0) {

        if (bits < 96) {
            return "is IPv4-mapped and holds more than IPv4, write the IPv4 "
                   "network";
        }

        memmove(cidr->addr, cidr->addr + 12, 4);
        memset(cidr->addr + 4, 0, 12);

        cidr->ipv6 = 0;
        size = 4;
        bits -= 96;
    }

    for (i = 0; i < size; i++) {

        if (bits >= 8) {
            cidr->mask[i] = 0xff;

        } else if (bits > 0) {
            cidr->mask[i] = (unsigned char) (0xff << (8 - bits));
        }

        bits -= 8;

        if (cidr->addr[i] & ~cidr->mask[i]) {
            cidr->low_bits = 1;
            cidr->addr[i] &= cidr->mask[i];
        }
    }

    return NULL;
}


static int
akl_cidr_prefix(akl_str_t text, unsigned max)
{
    size_t    i;
    unsigned  n;

    if (text.len == 0 || text.len > 3) {
        return -1;
    }

    n = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }

        n = n * 10 + (text.data[i] - '0');
    }

    return (n > max) ? -1 : (int) n;
}
