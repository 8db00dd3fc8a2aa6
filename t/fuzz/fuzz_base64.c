/* base64: what decodes encodes back to itself, and the other way round. */

#include "../../src/jose/base64.h"
#include "fuzz.h"


static unsigned char *
room(size_t size)
{
    unsigned char  *p;

    p = malloc(size + !size);
    check(p != NULL);

    return p;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          n;
    ssize_t         len, in_place;
    akl_str_t       in, out;
    unsigned char  *text, *bytes, *copy;

    in.data = data;
    in.len = size;

    /* any bytes survive a round trip */

    n = akl_base64url_encoded_len(size);
    text = room(n);
    check(akl_base64url_encode(text, in) == n);

    bytes = room(akl_base64_decoded_len(n));
    out.data = text;
    out.len = n;
    check(akl_base64url_decode(bytes, out) == (ssize_t) size);
    check(size == 0 || memcmp(bytes, data, size) == 0);
    free(text);
    free(bytes);

    /* only the one canonical text of some bytes decodes */

    bytes = room(akl_base64_decoded_len(size));
    len = akl_base64url_decode(bytes, in);

    if (len >= 0) {
        out.data = bytes;
        out.len = (size_t) len;
        n = akl_base64url_encoded_len(out.len);
        check(n == size);

        text = room(n);
        check(akl_base64url_encode(text, out) == n);
        check(n == 0 || memcmp(text, data, n) == 0);
        free(text);
    }

    /* the standard alphabet decodes in place as it does elsewhere */

    len = akl_base64_decode(bytes, in);
    check(len <= (ssize_t) akl_base64_decoded_len(size));

    copy = room(size);

    if (size) {
        memcpy(copy, data, size);
    }

    out.data = copy;
    out.len = size;
    in_place = akl_base64_decode(copy, out);

    check(in_place == len);
    check(len <= 0 || memcmp(copy, bytes, (size_t) len) == 0);

    free(copy);
    free(bytes);

    return 0;
}
