/*
 * Keys and certificates as a command line gives them.
 */

#include <errno.h>
#include <unistd.h>

#include "file.h"
#include "pem.h"


static const char *
akl_credential_own(akl_credential_type_t type, akl_str_t *text)
{
    size_t          len;
    const char     *cause;
    unsigned char  *data;

    /* it is changed in place */

    len = text->len;
    data = (unsigned char *) akl_mem_strn(text->data, len);

    cause = akl_credential_normalize(type, &data, &len);

    /* what follows is a C string here and there */

    text->data = (unsigned char *) akl_mem_strn(data, len);
    text->len = len;

    return cause;
}


const char *
akl_pem_read(const char *path, akl_str_t *text)
{
    const char  *cause;

    cause = akl_file_read(path, text);

    return cause ? cause : akl_credential_own(AKL_CREDENTIAL_PEM, text);
}


const char *
akl_credential_argument(akl_credential_type_t type, const char *value,
    akl_str_t *text, const char **path)
{
    const char  *cause;

    *path = NULL;

    if (strncmp(value, "data:", 5) == 0) {
        *text = akl_str_of(value + 5);

    } else if (strcmp(value, "-") == 0
               || (strlen(value) < 4096 && access(value, F_OK) == 0))
    {
        *path = value;
        cause = akl_file_read(value, text);

        if (cause) {
            return cause;
        }

    } else {
        *text = akl_str_of(value);

        /* no credential begins so: a wrong name */

        if (*value == '/' || *value == '.') {
            return strerror(ENOENT);
        }
    }

    return akl_credential_own(type, text);
}


char *
akl_indent(const char *text, size_t n)
{
    size_t      len;
    akl_buf_t   buf;

    memset(&buf, 0, sizeof(akl_buf_t));

    for ( ;; ) {
        len = strcspn(text, "\n");

        akl_buf_printf(&buf, "%*s%.*s", (int) n, "", (int) len, text);

        if (text[len] == '\0' || text[len + 1] == '\0') {
            return buf.data;
        }

        akl_buf_puts(&buf, "\n");
        text += len + 1;
    }
}
