/*
 * The text of token_subject, taken apart once and put together per verdict.
 */

#include <stddef.h>
#include <string.h>

#include "names.h"
#include "subject.h"


struct akl_subject_variable_s {
    akl_str_t    name;
    size_t       offset;        /* in the identity */
    size_t       max;           /* bytes of a value, as names.h has it */
    unsigned     dotted;        /* a value may hold dots */
    const char  *empty;
};


#define AKL_SUBJECT_SCHEME    "spiffe://"
#define AKL_TRUST_DOMAIN_MAX  255       /* bytes, SPIFFE ID section 2.1 */

#define AKL_SUBJECT_CONFIG  "akl_k8s_config"

#define AKL_SUBJECT_ROW(name, member, max, dotted)                            \
    { { sizeof(name) - 1, (const unsigned char *) name },                     \
      offsetof(akl_identity_t, member), max, dotted,                          \
      "$" name " of token_subject is empty" }

static const akl_subject_variable_t  akl_subject_variables[] = {
    AKL_SUBJECT_ROW("akl_k8s_namespace", namespace, AKL_LABEL_MAX, 0),
    AKL_SUBJECT_ROW("akl_k8s_service_account", sa_name, AKL_SUBDOMAIN_MAX,
                    1),
    AKL_SUBJECT_ROW("akl_k8s_service_account_uid", sa_uid,
                    AKL_UID_MAX, 0),
    AKL_SUBJECT_ROW("akl_k8s_pod_name", pod_name, AKL_SUBDOMAIN_MAX, 1),
    AKL_SUBJECT_ROW("akl_k8s_pod_uid", pod_uid, AKL_UID_MAX, 0),
    AKL_SUBJECT_ROW("akl_k8s_node_name", node_name, AKL_SUBDOMAIN_MAX, 1)
};

#define AKL_SUBJECT_VARIABLES                                                 \
    (sizeof(akl_subject_variables) / sizeof(akl_subject_variables[0]))


static size_t akl_subject_name(akl_str_t text, akl_str_t *name);
static const char *akl_subject_apart(const akl_subject_t *subject);
static int akl_subject_separates(akl_str_t text, int *dot);
static const char *akl_subject_segment(const char *head, size_t len);


const char *
akl_subject_parse(akl_subject_t *subject, akl_str_t text, akl_str_t config)
{
    size_t               i, k, len, total;
    akl_str_t            name;
    akl_subject_part_t  *part;

    subject->n = 0;
    total = 0;
    i = 0;

    if (text.len == 0) {
        return "is empty";
    }

    while (i < text.len) {

        if (subject->n == AKL_SUBJECT_PARTS) {
            return "has too many parts";
        }

        part = &subject->parts[subject->n++];
        part->variable = NULL;

        if (text.data[i] != '$') {
            part->text.data = text.data + i;

            while (i < text.len && text.data[i] != '$') {

                if (text.data[i] <= ' ' || text.data[i] >= 0x7f) {
                    return "holds a blank, a control character or one "
                           "outside ASCII";
                }

                i++;
            }

            part->text.len = text.data + i - part->text.data;
            total += part->text.len;

            continue;
        }

        name.data = text.data + i;
        name.len = text.len - i;

        len = akl_subject_name(name, &name);

        if (len == 0) {
            return "has an invalid variable name";
        }

        i += len;

        if (akl_str_eq(name, akl_str(AKL_SUBJECT_CONFIG))) {
            part->text = config;
            total += config.len;
            continue;
        }

        for (k = 0; k < AKL_SUBJECT_VARIABLES; k++) {
            if (akl_str_eq(name, akl_subject_variables[k].name)) {
                part->variable = &akl_subject_variables[k];
                break;
            }
        }

        if (part->variable == NULL) {
            return "has a variable that is not one of the pod's identity";
        }

        total += part->variable->max;
    }

    if (total > AKL_SUBJECT_MAX) {
        return "may come to more than 2048 bytes";
    }

    return akl_subject_apart(subject);
}


/* the length of "$name" or "${name}" at the start of "text", or 0 */

static size_t
akl_subject_name(akl_str_t text, akl_str_t *name)
{
    int            braces;
    size_t         i, start;
    unsigned char  ch;

    braces = (text.len > 1 && text.data[1] == '{');
    start = braces ? 2 : 1;

    for (i = start; i < text.len; i++) {
        ch = text.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '_'))
        {
            break;
        }
    }

    if (i == start || (braces && (i == text.len || text.data[i] != '}'))) {
        return 0;
    }

    name->data = text.data + start;
    name->len = i - start;

    return i + braces;
}


/*
 * Two identities must not come to one subject.  No name of Kubernetes' holds
 * anything but a-z, 0-9, "-" and ".", so what else stands between two of them
 * keeps them apart.  Dots do where only one of the names that they join may
 * hold dots itself.
 */

static const char *
akl_subject_apart(const akl_subject_t *subject)
{
    int                            dot, strong;
    size_t                         i;
    unsigned                       dotted;
    const akl_subject_variable_t  *variable, *former;

    former = NULL;
    strong = 0;
    dot = 0;
    dotted = 0;

    for (i = 0; i < subject->n; i++) {

        variable = subject->parts[i].variable;

        if (variable == NULL) {
            strong |= akl_subject_separates(subject->parts[i].text, &dot);
            continue;
        }

        if (former == NULL || strong) {
            dotted = variable->dotted;

        } else {
            dotted += variable->dotted;

            if (!dot || dotted > 1) {
                return "does not keep two variables apart";
            }
        }

        former = variable;
        strong = 0;
        dot = 0;
    }

    return NULL;
}


static int
akl_subject_separates(akl_str_t text, int *dot)
{
    int            strong;
    size_t         i;
    unsigned char  ch;

    strong = 0;

    for (i = 0; i < text.len; i++) {
        ch = text.data[i];

        if (ch == '.') {
            *dot = 1;

        } else if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
                     || ch == '-'))
        {
            strong = 1;
        }
    }

    return strong;
}


const char *
akl_subject_write(const akl_subject_t *subject,
    const akl_identity_t *identity, unsigned char *dst, akl_str_t *sub)
{
    size_t                     i;
    akl_str_t                  value;
    unsigned char             *p;
    const akl_subject_part_t  *part;

    p = dst;

    for (i = 0; i < subject->n; i++) {

        part = &subject->parts[i];
        value = part->text;

        if (part->variable) {
            memcpy(&value, (const char *) identity + part->variable->offset,
                   sizeof(akl_str_t));

            if (value.len == 0) {
                return part->variable->empty;
            }
        }

        if (value.len > (size_t) (dst + AKL_SUBJECT_MAX - p)) {
            return "token_subject is longer than 2048 bytes";
        }

        memcpy(p, value.data, value.len);
        p += value.len;
    }

    sub->data = dst;
    sub->len = p - dst;

    return NULL;
}


const char *
akl_subject_spiffe(const akl_subject_t *subject, akl_str_t *domain)
{
    char                       head[2];
    size_t                     i, k, len, scheme;
    const char                *cause;
    unsigned char              ch;
    const akl_subject_part_t  *part;

    scheme = sizeof(AKL_SUBJECT_SCHEME) - 1;
    part = &subject->parts[0];

    if (part->variable || part->text.len <= scheme
        || memcmp(part->text.data, AKL_SUBJECT_SCHEME, scheme) != 0)
    {
        return "does not begin with spiffe:// and a trust domain";
    }

    domain->data = part->text.data + scheme;

    for (k = scheme; k < part->text.len && part->text.data[k] != '/'; k++) {
        ch = part->text.data[k];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
              || ch == '-' || ch == '.' || ch == '_'))
        {
            return "has a trust domain with other characters than a-z, 0-9, "
                   "\"-\", \".\" and \"_\"";
        }
    }

    domain->len = k - scheme;

    if (domain->len == 0 || domain->len > AKL_TRUST_DOMAIN_MAX) {
        return "has a trust domain of no or of more than 255 bytes";
    }

    if (k == part->text.len) {
        return "has no path behind its trust domain";
    }

    /* of the segment at hand: its first bytes, and how many there are */

    memset(head, 0, sizeof(head));
    len = 0;
    k++;

    for (i = 0; i < subject->n; i++, k = 0) {

        part = &subject->parts[i];

        if (part->variable) {
            len += sizeof(head) + 1;
            continue;
        }

        for ( /* void */ ; k < part->text.len; k++) {
            ch = part->text.data[k];

            if (ch == '/') {
                cause = akl_subject_segment(head, len);

                if (cause) {
                    return cause;
                }

                len = 0;
                continue;
            }

            if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
                  || (ch >= '0' && ch <= '9') || ch == '-' || ch == '.'
                  || ch == '_'))
            {
                return "has a path with other characters than letters, "
                       "digits, \"-\", \".\" and \"_\"";
            }

            if (len < sizeof(head)) {
                head[len] = (char) ch;
            }

            len++;
        }
    }

    return akl_subject_segment(head, len);
}


static const char *
akl_subject_segment(const char *head, size_t len)
{
    if (len == 0) {
        return "has an empty segment in its path";
    }

    if ((len == 1 && head[0] == '.')
        || (len == 2 && head[0] == '.' && head[1] == '.'))
    {
        return "has a segment \".\" or \"..\" in its path";
    }

    return NULL;
}
