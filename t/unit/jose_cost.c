/*
 * What reading costs: the bytes looked at, counted by the reader itself, stay
 * a small multiple of the text, whatever its shape.
 */

#include "lib/jose_test.h"
#include "lib/json_shapes.h"
#include "../../src/jose/count.h"
#include "../../src/jose/json.h"
#include "../../src/k8s/pod_token.h"
#include "../../src/k8s/tokenreview.h"


#define PER    6                        /* looks at a byte, at most */


static void
make(text_t *text, const shape_t *shape, size_t size)
{
    text->len = 0;
    text->size = size + 8192;
    text->data = malloc(text->size);
    assert_non_null(text->data);

    shape->write(text, size, shape);
}


static void
cheap(const char *where, const char *name, uint64_t looked, size_t len)
{
    print_message("# %5.2f a byte: %s, %s (%zu bytes)\n",
                  (double) looked / (double) len, where, name, len);

    assert_true(looked > 0 && looked <= (uint64_t) len * PER);
}


/* the members that a dialect asks for, and more */

static void
a_body_costs_one_pass(void **state)
{
    int         k;
    size_t      i;
    text_t      text;
    int64_t     exp;
    akl_doc_t   doc;
    akl_str_t   body, value;

    static const char  *const  keys[] = {
        "cmd", "access-id", "access-type", "k8s-auth-config-name",
        "k8s-service-account-token", "role", "jwt", "gateway-url"
    };

    (void) state;

    for (i = 0; i < SHAPES; i++) {
        make(&text, &shapes[i], BODY);
        body = (akl_str_t) { text.len, (unsigned char *) text.data };

        akl_looked = 0;
        assert_int_equal(akl_doc_parse(&doc, body), 0);

        for (k = 0; k < 8; k++) {
            (void) akl_doc_string(&doc, doc.nodes, keys[k], &value);
        }

        (void) akl_doc_time(&doc, doc.nodes, "exp", &exp);

        akl_doc_free(&doc);
        assert_true(akl_looked >= text.len / 2);
        cheap("body", shapes[i].name, akl_looked, text.len);
        free(text.data);
    }
}


/* as a body that is no JSON only at its very end */

static void
what_is_refused_costs_no_more(void **state)
{
    size_t      i;
    text_t      text;
    akl_doc_t   doc;
    akl_str_t   body;

    static const shape_t  names = { "names of 64 bytes", alike, "1", 0, 60 };

    (void) state;

    for (i = 0; i < SHAPES; i++) {
        make(&text, &shapes[i], BODY);
        body = (akl_str_t) { text.len - 1, (unsigned char *) text.data };

        akl_looked = 0;
        assert_int_equal(akl_doc_parse(&doc, body), -1);

        akl_doc_free(&doc);
        cheap("refused", shapes[i].name, akl_looked, text.len);
        free(text.data);
    }

    /* and with the last name doubled */

    make(&text, &names, BODY);
    text.len--;
    add(&text, ",\"");
    fill(&text, 'n', 60);
    add(&text, "0000\":1}");
    body = (akl_str_t) { text.len, (unsigned char *) text.data };

    akl_looked = 0;
    assert_int_equal(akl_doc_parse(&doc, body), -1);
    akl_doc_free(&doc);
    cheap("refused", "the last name doubled", akl_looked, text.len);
    free(text.data);
}


/* once as the payload, and once as the header */

static void
a_token_costs_one_pass(void **state)
{
    int               part;
    size_t            i, len, n;
    text_t            text;
    akl_str_t         token, json;
    unsigned char    *buf;
    akl_pod_token_t   pod;

    static const char  head[] = "{\"alg\":\"RS256\",\"x\":";

    (void) state;

    for (i = 0; i < SHAPES; i++) {
        for (part = 0; part < 2; part++) {

            make(&text, &shapes[i], 11000);

            json.len = text.len + sizeof(head);
            json.data = malloc(json.len);
            buf = malloc(AKL_JWS_MAX + 4096);
            assert_non_null(json.data);
            assert_non_null(buf);

            if (part) {

                /* among the members of the header itself, if it is flat */

                len = (size_t) sprintf((char *) json.data,
                                       "{\"alg\":\"RS256\",");
                memcpy((char *) json.data + len, text.data + 1, text.len - 1);
                json.len = len + text.len - 1;

                n = akl_base64url_encode(buf, json);
                memcpy(buf + n, ".e30.AAAA", 9);
                n += 9;

            } else {
                n = akl_base64url_encode(buf, akl_str("{\"alg\":\"RS256\"}"));
                buf[n++] = '.';
                n += akl_base64url_encode(buf + n, (akl_str_t) { text.len,
                                              (unsigned char *) text.data });
                memcpy(buf + n, ".AAAA", 5);
                n += 5;
            }

            token = (akl_str_t) { n, buf };
            assert_true(n <= AKL_JWS_MAX);

            akl_looked = 0;
            (void) akl_pod_token_parse(&pod, token);
            akl_pod_token_clear(&pod);

            cheap(part ? "header" : "payload", shapes[i].name, akl_looked, n);

            free((void *) json.data);
            free(buf);
            free(text.data);
        }
    }
}


static void
a_key_set_costs_one_pass(void **state)
{
    int          part;
    size_t       i;
    text_t       text, set;
    akl_jwks_t   keys;
    const char  *err;

    (void) state;

    for (i = 0; i < SHAPES; i++) {
        for (part = 0; part < 2; part++) {

            make(&text, &shapes[i], 200 * 1024);

            set.len = 0;
            set.size = text.len + 100;
            set.data = malloc(set.size);
            assert_non_null(set.data);

            /* beside the keys, or as one of them */

            if (part) {
                add(&set, "{\"keys\":[{\"kty\":\"EC\",");
                memcpy(set.data + set.len, text.data + 1, text.len - 1);
                set.len += text.len - 1;
                add(&set, "]}");

            } else {
                add(&set, "{\"keys\":[],");
                memcpy(set.data + set.len, text.data + 1, text.len - 1);
                set.len += text.len - 1;
            }

            akl_looked = 0;
            (void) akl_jwks_parse(&keys, (akl_str_t) { set.len,
                                           (unsigned char *) set.data }, &err);
            akl_jwks_clear(&keys);

            cheap(part ? "key" : "key set", shapes[i].name, akl_looked,
                  set.len);

            free(set.data);
            free(text.data);
        }
    }
}


static void
an_answer_costs_one_pass(void **state)
{
    int              part;
    size_t           i;
    text_t           text, answer;
    akl_judgement_t    verdict;
    akl_pod_token_t  pod;

    static const char *const  parts[] = {
        "{\"kind\":\"TokenReview\",",
        "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,"
        "\"user\":{\"username\":\"system:serviceaccount:ns:sa\","
        "\"groups\":[\"system:serviceaccounts\"],\"extra\":{"
    };

    (void) state;

    memset(&pod.claimed, 0, sizeof(akl_identity_t));

    for (i = 0; i < SHAPES; i++) {
        for (part = 0; part < 2; part++) {

            make(&text, &shapes[i], 60 * 1024);

            answer.len = 0;
            answer.size = text.len + 1000;
            answer.data = malloc(answer.size);
            assert_non_null(answer.data);

            add(&answer, "%s", parts[part]);
            memcpy(answer.data + answer.len, text.data + 1, text.len - 1);
            answer.len += text.len - 1;
            add(&answer, part ? "}}}" : "");

            akl_looked = 0;
            akl_tokenreview_judge(&verdict, 201,
                                  (akl_str_t) { answer.len, (unsigned char *)
                                                            answer.data },
                                  &pod, (akl_list_t) { NULL, 0 });
            akl_judgement_clear(&verdict);

            cheap(part ? "extra" : "answer", shapes[i].name, akl_looked,
                  answer.len);

            free(answer.data);
            free(text.data);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_body_costs_one_pass),
        cmocka_unit_test(what_is_refused_costs_no_more),
        cmocka_unit_test(a_token_costs_one_pass),
        cmocka_unit_test(a_key_set_costs_one_pass),
        cmocka_unit_test(an_answer_costs_one_pass)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_cost", tests, NULL, NULL);
}
