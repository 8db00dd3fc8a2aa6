/*
 * One revocation: see the header.
 */

#include "../jose/json.h"
#include "revocation.h"


const char *
akl_revocation_parse(akl_doc_t *doc, akl_str_t line, akl_revocation_t *entry)
{
    int  jti, sub;

    switch (akl_doc_parse(doc, line)) {

    case 0:
        break;

    case AKL_DOC_MEMORY:
        return "cannot be read: memory is short";

    default:
        return "is no JSON object";
    }

    jti = akl_doc_string(doc, doc->nodes, "jti", &entry->jti);
    sub = akl_doc_string(doc, doc->nodes, "sub", &entry->sub);

    if (jti == -1 || sub == -1) {
        return "has a \"jti\" or \"sub\" that is no string";
    }

    if (jti == sub) {
        return "needs exactly one of \"jti\" and \"sub\"";
    }

    if ((jti == 0 ? entry->jti.len : entry->sub.len) == 0) {
        return "has an empty \"jti\" or \"sub\"";
    }

    if (entry->jti.len > AKL_REVOCATION_NAME
        || entry->sub.len > AKL_REVOCATION_NAME)
    {
        return "has a \"jti\" or \"sub\" that is too long";
    }

    if (akl_doc_time(doc, doc->nodes, "until", &entry->until) != 0) {
        return "has no \"until\" in seconds";
    }

    entry->before = 0;

    switch (akl_doc_time(doc, doc->nodes, "before", &entry->before)) {

    case 0:
        return (sub == 0) ? NULL : "has a \"before\" beside a \"jti\"";

    case 1:
        return (sub == 1) ? NULL : "has a \"sub\" without \"before\"";

    default:
        return "has a \"before\" that is no time in seconds";
    }
}


const char *
akl_revocation_check(akl_str_t name)
{
    size_t  i, n;

    if (name.len == 0) {
        return "is empty";
    }

    if (name.len > AKL_REVOCATION_NAME) {
        return "is too long";
    }

    for (i = 0; i < name.len; i += n) {
        n = akl_json_utf8(name.data + i, name.len - i);

        if (n == 0 || name.data[i] == 0) {
            return "is no text";
        }
    }

    return NULL;
}


size_t
akl_revocation_write(unsigned char *buf, size_t size,
    const akl_revocation_t *entry)
{
    akl_json_out_t  out;

    akl_json_out_init(&out, buf, size);
    akl_json_out_open(&out, NULL, '{');

    if (entry->sub.len) {
        akl_json_out_str(&out, "sub", entry->sub);
        akl_json_out_int(&out, "before", entry->before);

    } else {
        akl_json_out_str(&out, "jti", entry->jti);
    }

    akl_json_out_int(&out, "until", entry->until);
    akl_json_out_close(&out, '}');

    if (buf && out.len < size) {
        buf[out.len] = '\n';
    }

    return out.len + 1;
}
