/* Credentials as they stand in files: nothing of them is left behind. */

#include "lib/jose_test.h"
#include "vectors/pem.h"
#include "../../src/k8s/credential.h"


static void
what_decoding_leaves_of_a_key_is_wiped(void **state)
{
    size_t          i, all, len;
    const char     *cause;
    unsigned char   buf[8192], *data;

    (void) state;

    all = (size_t) EVP_EncodeBlock(buf, (const unsigned char *) pem_rsa,
                                   (int) strlen(pem_rsa));
    data = buf;
    len = all;

    cause = akl_credential_normalize(AKL_CREDENTIAL_PEM, &data, &len);

    assert_null(cause);
    assert_int_equal(len, strlen(pem_rsa));
    assert_memory_equal(data, pem_rsa, len);
    assert_true(all > len + 400);

    for (i = len; i < all; i++) {
        assert_int_equal(data[i], 0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(what_decoding_leaves_of_a_key_is_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
