/*
 * The reader and jansson must agree: on what is JSON of ours, and on every
 * value in it.
 */

#include "../../src/cli/json.h"
#include "../../src/jose/doc.h"
#include "fuzz.h"


static void
same(const akl_doc_t *doc, const akl_node_t *node, const json_t *value)
{
    size_t             n;
    json_t            *member;
    const akl_node_t  *child;

    n = 0;

    switch (node->type) {

    case AKL_NODE_OBJECT:

        if (!json_is_object(value)) {
            abort();
        }

        for (child = akl_doc_first(doc, node);
             child;
             child = akl_doc_next(doc, node, child + 1))
        {
            char  *name = malloc(child->text.len + 1);

            if (name == NULL) {
                abort();
            }

            memcpy(name, child->text.data, child->text.len);
            name[child->text.len] = '\0';

            member = json_object_get(value, name);

            if (member == NULL || akl_doc_get(doc, node, name) != child + 1) {
                abort();
            }

            free(name);
            same(doc, child + 1, member);
            n++;
        }

        if (n != json_object_size(value)) {
            abort();
        }

        return;

    case AKL_NODE_ARRAY:

        if (!json_is_array(value)) {
            abort();
        }

        for (child = akl_doc_first(doc, node);
             child;
             child = akl_doc_next(doc, node, child))
        {
            same(doc, child, json_array_get(value, n++));
        }

        if (n != json_array_size(value)) {
            abort();
        }

        return;

    case AKL_NODE_STRING:

        if (!json_is_string(value)
            || json_string_length(value) != node->text.len
            || (node->text.len
                && memcmp(json_string_value(value), node->text.data,
                          node->text.len)
                   != 0))
        {
            abort();
        }

        return;

    case AKL_NODE_INTEGER:

        if (!json_is_integer(value)) {
            abort();
        }

        return;

    case AKL_NODE_REAL:

        if (!json_is_real(value)) {
            abort();
        }

        return;

    case AKL_NODE_TRUE:

        if (!json_is_true(value)) {
            abort();
        }

        return;

    case AKL_NODE_FALSE:

        if (!json_is_false(value)) {
            abort();
        }

        return;

    default:

        if (!json_is_null(value)) {
            abort();
        }
    }
}


/*
 * Times agree to the second; of a real that has more digits than a double,
 * jansson knows the value that is nearest.
 */

static void
same_time(const akl_doc_t *doc, const json_t *root, const char *key)
{
    int                rc, rc2;
    int64_t            a, b;
    const akl_node_t  *node;

    rc = akl_doc_time(doc, doc->nodes, key, &a);
    rc2 = akl_json_time(root, key, &b);

    node = akl_doc_get(doc, doc->nodes, key);

    if (node && node->type == AKL_NODE_REAL) {

        if (rc == 0 && rc2 == 0 && a - b >= -1 && a - b <= 1) {
            return;
        }

        /* a negative one that is nearest to 0, or one next to 2^53 */

        if (rc != rc2 && (b == 0 || a == (int64_t) 1 << 53
                          || b == (int64_t) 1 << 53))
        {
            return;
        }
    }

    if (rc != rc2 || a != b) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int         rc;
    json_t     *root;
    akl_doc_t   doc;
    akl_str_t   text;

    static const char  *keys[] = { "exp", "iat", "a", "n", NULL };
    const char        **key;

    text.data = data;
    text.len = size;

    root = akl_json_object(text);
    rc = akl_doc_parse(&doc, text);

    if ((root == NULL) != (rc != 0)) {
        abort();
    }

    if (root) {
        same(&doc, doc.nodes, root);

        for (key = keys; *key; key++) {
            same_time(&doc, root, *key);
        }
    }

    akl_doc_free(&doc);
    json_decref(root);

    return 0;
}
