/* Forms, against a second decoder. */

#include "../../src/k8s/urlencoded.h"
#include "form.h"


static int
same(akl_str_t got, const unsigned char *data, size_t len)
{
    return got.len == len && (len == 0 || memcmp(got.data, data, len) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               i, n, rc;
    akl_str_t         name, value;
    unsigned char    *text, *copy;
    akl_urlencoded_t  form;

    static pair_t  pairs[PAIRS];

    text = malloc(size + 1);
    copy = malloc(size + !size);
    check(text != NULL && copy != NULL);

    n = plainly(data, size, text, pairs);

    if (size) {
        memcpy(copy, data, size);
    }

    form.p = copy;
    form.last = copy + size;

    for (i = 0; ; i++) {
        rc = akl_urlencoded_next(&form, &name, &value);

        if (rc != 1) {
            break;
        }

        check(name.data >= copy && name.data + name.len <= copy + size);
        check(value.data >= copy && value.data + value.len <= copy + size);

        if (n != -1) {
            check(i < n);
            check(same(name, pairs[i].name, pairs[i].name_len));
            check(same(value, pairs[i].value, pairs[i].value_len));
        }
    }

    check(rc == 0 ? (n == i || i >= PAIRS) : n == -1);

    free(text);
    free(copy);

    return 0;
}
