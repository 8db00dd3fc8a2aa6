/*
 * What each parser of a stranger's bytes costs at the most: the bytes that it
 * looks at for each byte that it is given, counted by the parsers themselves,
 * over the shapes that cost them most.  docs/security.md has the table, and
 * t/docs.t holds both together; "make cost" prints what was counted.
 */

#include "lib/jose_test.h"
#include "lib/json_shapes.h"
#include "../../src/jose/count.h"
#include "../../src/jose/json.h"
#include "../../src/k8s/urlencoded.h"
#include "../../src/k8s/bounds.h"
#include "../../src/k8s/credential.h"
#include "../../src/k8s/namespace.h"
#include "../../src/k8s/review_error.h"
#include "../../src/k8s/revocations.h"
#include "../../src/k8s/tokenreview.h"


#define LARGE  (60 * 1024)
#define GLOB   512
#define NOW    1795650000


/* the worst that was seen of the parser at hand */

static double  worst;


static akl_str_t
text_of(const text_t *text)
{
    return (akl_str_t) { text->len, (const unsigned char *) text->data };
}


static void
begin(text_t *text, size_t size)
{
    text->len = 0;
    text->size = size;
    text->data = malloc(size);
    assert_non_null(text->data);
}


/* so many bytes were given since akl_looked was 0 */

static void
seen(size_t len)
{
    double  cost;

    cost = (double) akl_looked / (double) len;
    worst = (cost > worst) ? cost : worst;
    akl_looked = 0;
}


/* one shape after the other, between what stands around it */

static void
each_shape(size_t size, const char *head, const char *tail,
    void (*parse)(akl_str_t text))
{
    size_t  i;
    text_t  shape, text;

    for (i = 0; i < SHAPES; i++) {
        begin(&shape, size + 8192);
        shapes[i].write(&shape, size, &shapes[i]);

        begin(&text, shape.len + 2048);
        add(&text, "%s", head);
        memcpy(text.data + text.len, shape.data + 1, shape.len - 1);
        text.len += shape.len - 1;
        add(&text, "%s", tail);

        akl_looked = 0;
        parse(text_of(&text));
        seen(text.len);

        free(text.data);
        free(shape.data);
    }
}


/* "n" bytes, one text again and again */

static text_t
again(const char *text, size_t n)
{
    size_t  i, len;
    text_t  all;

    begin(&all, n + 1);
    len = strlen(text);

    for (i = 0; i < n; i++) {
        all.data[i] = text[i % len];
    }

    all.len = n;
    akl_looked = 0;

    return all;
}


static void
base64url(void)
{
    text_t  text;

    static unsigned char  buf[akl_base64_decoded_len(LARGE)];

    text = again("AbC_", LARGE);
    assert_true(akl_base64url_decode(buf, text_of(&text)) > 0);
    seen(text.len);
    free(text.data);
}


static void
base64(void)
{
    size_t  i;
    text_t  text;

    static unsigned char      buf[akl_base64_decoded_len(LARGE)];
    static const char *const  texts[] = { "AbC/", "A\n", " ", "A B C / " };

    for (i = 0; i < 4; i++) {
        text = again(texts[i], LARGE);
        assert_true(akl_base64_decode(buf, text_of(&text)) >= 0);
        seen(text.len);
        free(text.data);
    }
}


static void
forms(void)
{
    int               rc;
    size_t            i;
    text_t            text;
    akl_str_t         name, value;
    akl_urlencoded_t  form;

    static const char *const  texts[] = {
        "a", "a=", "=", "&", "a&", "a=b&", "%61=%62&", "+", "a=%3d"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        text = again(texts[i], BODY - BODY % strlen(texts[i]));

        form.p = (unsigned char *) text.data;
        form.last = form.p + text.len;

        do {
            rc = akl_urlencoded_next(&form, &name, &value);
        } while (rc == 1);

        assert_int_equal(rc, 0);
        seen(text.len);
        free(text.data);
    }
}


/* a star, after which all but the last byte fits everywhere */

static void
globs(void)
{
    size_t  len;
    text_t  glob, value;

    for (len = 2; len <= GLOB; len *= 2) {
        glob = again("a", len);
        glob.data[0] = '*';
        glob.data[len - 1] = 'b';

        value = again("a", AKL_JWS_MAX);

        assert_int_equal(akl_glob_match(text_of(&glob), text_of(&value), 0),
                         0);
        seen(value.len);

        free(glob.data);
        free(value.data);
    }
}


/* what a dialect reads, and a token that was wrapped in base64 */

static void
body(akl_str_t text)
{
    size_t          i;
    akl_doc_t       doc;
    akl_str_t       value;
    unsigned char  *buf;

    static const char *const  names[] = {
        "access-type", "access-id", "k8s-auth-config-name",
        "k8s-service-account-token", "role", "jwt"
    };

    assert_int_equal(akl_doc_parse(&doc, text), 0);

    buf = malloc(akl_base64_decoded_len(text.len));
    assert_non_null(buf);

    for (i = 0; i < 6; i++) {
        if (akl_doc_string(&doc, doc.nodes, names[i], &value) == 0) {
            (void) akl_base64_decode(buf, value);
        }
    }

    free(buf);
    akl_doc_free(&doc);
}


static void
bodies(void)
{
    text_t  text, token;

    each_shape(BODY, "{\"jwt\":\"YQ\",\"role\":\"YQ\",", "", body);

    token = again("AbC/", BODY);
    begin(&text, BODY + 100);
    add(&text, "{\"jwt\":\"%.*s\"}", BODY, token.data);
    body(text_of(&text));
    seen(text.len);

    free(text.data);
    free(token.data);
}


static void
token(akl_str_t payload)
{
    size_t            n;
    unsigned char    *buf;
    akl_pod_token_t   pod;

    buf = malloc(akl_base64url_encoded_len(payload.len) + 100);
    assert_non_null(buf);

    n = akl_base64url_encode(buf, akl_str("{\"alg\":\"RS256\"}"));
    buf[n++] = '.';
    n += akl_base64url_encode(buf + n, payload);
    memcpy(buf + n, ".AAAA", 5);
    n += 5;

    /* for as many bytes as the token has, of which there are more */

    (void) akl_pod_token_parse(&pod, (akl_str_t) { n, buf });
    akl_looked = akl_looked * payload.len / n;

    akl_pod_token_clear(&pod);
    free(buf);
}


static void
tokens(void)
{
    each_shape(10000, "{\"kubernetes.io\":{},", "", token);
    each_shape(10000, "{\"kubernetes.io\":{", "}", token);
}


static void
key_set(akl_str_t text)
{
    akl_jwks_t   keys;
    const char  *err;

    (void) akl_jwks_parse(&keys, text, &err);
    akl_jwks_clear(&keys);
}


static void
key_sets(void)
{
    each_shape(200 * 1024, "{\"keys\":[],", "", key_set);
    each_shape(200 * 1024, "{\"keys\":[{\"kty\":\"EC\",", "]}", key_set);
}


static void
pem(void)
{
    size_t       i;
    text_t       text;
    akl_jwk_t    key;
    const char  *err;

    static const char *const  texts[] = {
        "-", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    };

    for (i = 0; i < 4; i++) {
        text = again(texts[i], LARGE);

        (void) akl_jwk_public_from_pem(&key, text_of(&text), &err);
        akl_jwk_clear(&key);
        seen(text.len);

        (void) akl_jwk_private_from_pem(&key, text_of(&text), &err);
        akl_jwk_clear(&key);
        seen(text.len);

        free(text.data);
    }
}


/* read from a file, held to be of use, and asked for its end */

static void
credentials(void)
{
    size_t                  i, len;
    text_t                  text;
    akl_str_t               pem;
    const char             *warn;
    unsigned char          *p;
    akl_credential_type_t   type;

    static const char *const  texts[] = {
        "-", "-----BEGIN ", "-----BEGIN A-----\n-----END A-----\n",
        "-----END ", "a", "AAAA\n", "apiVersion", "\\", "eyJhbGciOiJ9."
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (type = AKL_CREDENTIAL_TEXT; type <= AKL_CREDENTIAL_PEM; type++) {

            text = again(texts[i], LARGE);
            p = (unsigned char *) text.data;
            len = text.len;

            (void) akl_credential_normalize(type, &p, &len);
            pem = (akl_str_t) { len, p };

            if (type == AKL_CREDENTIAL_PEM) {
                (void) akl_credential_ca(pem, &warn);

            } else {
                (void) akl_credential_jwt(pem, NOW, &warn);
            }

            (void) akl_credential_expires(type, pem);

            seen(text.len);
            free(text.data);
        }
    }
}


/* as one line, whole and in pieces; and as many lines */

static void
revoke(akl_str_t text, size_t piece)
{
    akl_str_t           part;
    const char         *cause;
    akl_revocations_t  *table;

    table = akl_revocations_create(text.len);
    assert_non_null(table);

    for (part.data = text.data;
         part.data < text.data + text.len;
         part.data += part.len)
    {
        part.len = (size_t) (text.data + text.len - part.data);
        part.len = (part.len < piece) ? part.len : piece;

        if (akl_revocations_feed(table, part, NOW, &cause) != 0) {
            break;
        }
    }

    (void) akl_revocations_end(table, NOW, &cause);
    akl_revocations_free(table);
}


static void
revocation(akl_str_t text)
{
    revoke(text, text.len);
}


static void
revocation_in_pieces(akl_str_t text)
{
    revoke(text, 7);
}


static void
revocations(void)
{
    size_t  i;
    text_t  text;

    each_shape(6000, "{\"jti\":\"a\",\"until\":1800000000,", "\n", revocation);
    each_shape(6000, "{\"jti\":\"a\",\"until\":1800000000,", "\n",
               revocation_in_pieces);

    begin(&text, LARGE + 100);

    for (i = 0; text.len < LARGE; i++) {
        add(&text, "{\"jti\":\"%zx\",\"until\":1800000000}\n", i);
    }

    akl_looked = 0;
    revoke(text_of(&text), 4096);
    seen(text.len);

    text.len = 0;
    fill(&text, '\n', LARGE);
    revoke(text_of(&text), 4096);
    seen(text.len);

    free(text.data);
}


static void
judge(akl_str_t text)
{
    akl_judgement_t  judged;
    akl_pod_token_t  pod;

    memset(&pod.claimed, 0, sizeof(akl_identity_t));

    akl_tokenreview_judge(&judged, 201, text, &pod, (akl_list_t) { NULL, 0 });
    akl_judgement_clear(&judged);
}


static void
reviews(void)
{
    each_shape(LARGE, "{\"kind\":\"TokenReview\",", "", judge);
    each_shape(LARGE, "{\"kind\":\"TokenReview\",\"status\":{"
               "\"authenticated\":true,\"user\":{"
               "\"username\":\"system:serviceaccount:ns:sa\","
               "\"groups\":[\"system:serviceaccounts\"],\"extra\":{",
               "}}}", judge);
}


/* an error that nearly is one of those that are known, everywhere */

static void
errors(void)
{
    size_t  i;
    text_t  text, error;

    static const char *const  texts[] = {
        "a", "t", "i", "r", "\\\"", "token has expire", "token is expire",
        "connection ", "is not healt", "does not match service accoun",
        "does not match claimdoes not match server's copi",
        "is currently unabl", "tls: failed to verify certificat",
        "context deadline exceede", "rpc erro", "xeof"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        error = again(texts[i], LARGE - LARGE % strlen(texts[i]));

        begin(&text, LARGE + 200);
        add(&text, "{\"kind\":\"TokenReview\",\"status\":{\"error\":\"%.*s\"}}",
            (int) error.len, error.data);

        judge(text_of(&text));
        seen(text.len);

        free(text.data);
        free(error.data);
    }
}


static void
read_namespace(akl_str_t text)
{
    akl_judgement_t  judged;
    akl_selector_t   selector;

    memset(&selector, 0, sizeof(akl_selector_t));

    akl_namespace_judge(&judged, 200, text, akl_str("ns"), &selector);
    akl_judgement_clear(&judged);
}


static void
namespaces(void)
{
    each_shape(LARGE, "{\"kind\":\"Namespace\",", "", read_namespace);
    each_shape(LARGE, "{\"kind\":\"Namespace\",\"metadata\":{"
               "\"name\":\"ns\",\"labels\":{", "}}", read_namespace);
}


/* looks at a byte, at most; the names are those of the table in docs */

static const struct {
    const char  *name;
    double       limit;
    void       (*parse)(void);
} parsers[] = {
    { "base64url", 1, base64url },
    { "base64", 1, base64 },
    { "a form", 3, forms },
    { "a body in JSON, and the base64 in it", 6, bodies },
    { "a pod token", 6, tokens },
    { "a set of keys", 6, key_sets },
    { "a key in PEM", 1, pem },
    { "a credential in a file", 48, credentials },
    { "a list of revocations, or a journal", 8, revocations },
    { "a review's answer", 6, reviews },
    { "a review's error", 24, errors },
    { "a namespace's answer", 6, namespaces },
    { "a glob of 512 bytes, for a byte of the value", 512, globs }
};


static void
no_parser_looks_more_often_at_a_byte_than_it_is_allowed(void **state)
{
    size_t  i, failed;

    (void) state;

    failed = 0;

    for (i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
        worst = 0;
        akl_looked = 0;
        parsers[i].parse();

        print_message("# %7.2f of %3.0f a byte: %s\n", worst,
                      parsers[i].limit, parsers[i].name);

        failed += (worst < 0.5 || worst > parsers[i].limit);
    }

    assert_int_equal(failed, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(
                      no_parser_looks_more_often_at_a_byte_than_it_is_allowed)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("parser_cost", tests, NULL, NULL);
}
