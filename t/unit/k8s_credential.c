/* Credentials as they stand in files: nothing of them is left behind. */

#include "lib/jose_test.h"
#include "vectors/pem.h"
#include "../../src/k8s/credential.h"
#include "../../src/k8s/look.h"


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


static void
what_a_text_looks_like_is_told(void **state)
{
    size_t     i;
    akl_str_t  text;

    static const struct {
        akl_use_t    use;
        const char  *text, *look;
    } cases[] = {
        { AKL_USE_JWT, "\xef\xbb\xbf" "eyJh.e.s",
          ", it begins with a byte order mark" },
        { AKL_USE_JWT, "\"eyJh.e.s\"", ", it is in quotes" },
        { AKL_USE_JWT, "'eyJh.e.s'", ", it is in quotes" },
        { AKL_USE_JWT, "Bearer eyJh.e.s", ", it has \"Bearer\" in front" },
        { AKL_USE_JWT, "bearer\teyJh.e.s", ", it has \"Bearer\" in front" },
        { AKL_USE_JWT, "Bearer", "" },
        { AKL_USE_JWT, "{\"token\":\"x\"}", ", it is JSON" },
        { AKL_USE_JWT, "eyJh.e.s\\n",
          ", its line breaks are written out as \\n" },
        { AKL_USE_JWT, "apiVersion: v1\nkind: Secret", ", it is a manifest" },
        { AKL_USE_JWT, "ZXlKaGJHY2lPaUpTVXpJMU5pSXNJbXRwWkNJNklu",
          ", it is still in base64" },
        { AKL_USE_CERTIFICATE, "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1J",
          ", it is still in base64" },
        { AKL_USE_JWT, "c29tZXRoaW5nIGVsc2UgdGhhdCBpcyBub25lIG9m", "" },
        { AKL_USE_JWT, "eyJhbGciOiJSUzI1NiJ9.e.", "" },
        { AKL_USE_CERTIFICATE, "eyJhbGciOiJSUzI1NiJ9.e.", ", it is a JWT" },
        { AKL_USE_CERTIFICATE, "-----BEGIN CERTIFICATE-----\nMII",
          ", its end is missing" },
        { AKL_USE_CERTIFICATE, "-----BEGIN CERTIFICATE-----\n  MII\n"
          "  -----END CERTIFICATE-----", ", its lines are indented" },
        { AKL_USE_CERTIFICATE, "-----BEGIN CERTIFICATE-----\nMII\n"
          "-----END CERTIFICATE-----", "" },
        { AKL_USE_PRIVATE_KEY, "-----BEGIN CERTIFICATE-----\nMII\n"
          "-----END CERTIFICATE-----", ", it is a certificate" },
        { AKL_USE_CERTIFICATE, "-----BEGIN RSA PRIVATE KEY-----\nMII\n"
          "-----END RSA PRIVATE KEY-----", ", it is a private key" },
        { AKL_USE_PRIVATE_KEY, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII\n"
          "-----END ENCRYPTED PRIVATE KEY-----", "" },
        { AKL_USE_PRIVATE_KEY, "-----BEGIN PUBLIC KEY-----\nMII\n"
          "-----END PUBLIC KEY-----", ", it is a public key" },
        { AKL_USE_PUBLIC_KEY, "-----BEGIN PUBLIC KEY-----\nMII\n"
          "-----END PUBLIC KEY-----", "" },
        { AKL_USE_CERTIFICATE, "-----BEGIN CERTIFICATE REQUEST-----\nMII\n"
          "-----END CERTIFICATE REQUEST-----",
          ", it is a certificate request" },
        { AKL_USE_CERTIFICATE, "\x30\x82\x01\x02\x03", ", it is DER, not PEM" },
        { AKL_USE_JWT, "/etc/akl/reviewer.jwt", ", it is a path" },
        { AKL_USE_JWT, "", "" },
        { AKL_USE_JWT, "secret", "" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text.data = (const unsigned char *) cases[i].text;
        text.len = strlen(cases[i].text);

        assert_string_equal(akl_look_text(cases[i].use, text), cases[i].look);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(what_decoding_leaves_of_a_key_is_wiped),
        cmocka_unit_test(what_a_text_looks_like_is_told)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
