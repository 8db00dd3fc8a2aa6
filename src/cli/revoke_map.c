/*
 * revoke: the ConfigMap that all replicas have mounted.
 *
 * It is read, changed and written back under its resourceVersion, so that two
 * who revoke at the same time both get their entry in.  Lines are kept as they
 * stand, with whatever members others have put into them.
 */

#include <time.h>

#include "out.h"
#include "revoke.h"


#define AKL_REVOKE_TRIES       20
#define AKL_REVOKE_PAUSE       20       /* ms, after the first conflict */
#define AKL_REVOKE_ANSWER_MAX  (8 * 1024 * 1024)


typedef enum {
    AKL_REVOKE_DONE = 0,
    AKL_REVOKE_FAILED,
    AKL_REVOKE_AGAIN
} akl_revoke_step_t;


/* a refusal or an outage; drops the reference */

static akl_revoke_step_t
akl_revoke_failed(akl_revoke_t *revoke, const akl_http_answer_t *answer,
    json_t *object)
{
    akl_revoke_place_t  *place;

    place = &revoke->written;

    place->error = akl_kube_message(answer, object);
    place->down = (answer->phase != AKL_HTTP_OK || answer->status >= 500
                   || answer->status == 429);

    if (answer->status == 401) {
        place->cure = "a credential that still works: kubectl auth whoami";
    }

    if (answer->status == 403) {
        place->cure = akl_mem_printf("kubectl -n %s create role akl-revoke "
                          "--verb=get,update --resource=configmaps "
                          "--resource-name=%s, and a rolebinding of it",
                          revoke->map.namespace, revoke->map.name);
    }

    json_decref(object);

    return AKL_REVOKE_FAILED;
}


static akl_revoke_step_t
akl_revoke_refused(akl_revoke_t *revoke, json_t *object, const char *cure,
    const char *error)
{
    revoke->written.error = error;
    revoke->written.cure = cure;

    json_decref(object);

    return AKL_REVOKE_FAILED;
}


/* bytes of all values, as Kubernetes counts them */

static size_t
akl_revoke_size(json_t *object)
{
    size_t       size, len;
    json_t      *value;
    const char  *key, *text;

    size = 0;

    json_object_foreach (json_object_get(object, "data"), key, value) {
        size += json_string_length(value);
    }

    json_object_foreach (json_object_get(object, "binaryData"), key, value) {

        text = json_string_value(value);
        len = json_string_length(value);

        size += len / 4 * 3;

        while (text && len && text[len - 1] == '=') {
            size--;
            len--;
        }
    }

    return size;
}


/* how an entry that is there stands to ours */

static int
akl_revoke_same(const akl_revocation_t *one, const akl_revocation_t *other)
{
    return akl_str_eq(one->jti, other->jti) && akl_str_eq(one->sub,
                                                          other->sub);
}


static int
akl_revoke_covers(const akl_revocation_t *one, const akl_revocation_t *other)
{
    return akl_revoke_same(one, other) && one->until >= other->until
           && one->before >= other->before;
}


/*
 * What the key says, less what is over or says no more than ours does, with
 * ours.  NULL and *text, or the cause.
 */

static const char *
akl_revoke_lines(akl_revoke_t *revoke, akl_str_t have, akl_buf_t *text)
{
    int                 dropped;
    size_t              n, number;
    int64_t             now;
    akl_str_t           line;
    akl_doc_t           doc;
    const char         *cause;
    akl_revocation_t    entry;
    unsigned char      *end, *own;
    akl_revoke_map_t   *map;

    map = &revoke->map;
    now = (int64_t) time(NULL);

    map->entries = 0;
    map->over = 0;
    map->already = 0;
    dropped = 0;

    akl_buf_puts(text, "");

    for (number = 1; have.len; number++) {

        end = memchr(have.data, '\n', have.len);

        line.data = have.data;
        line.len = end ? (size_t) (end - have.data) : have.len;

        n = line.len + (end != NULL);
        have.data += n;
        have.len -= n;

        if (strspn((const char *) line.data, " \t\r") >= line.len) {
            continue;
        }

        akl_doc_init(&doc);

        cause = (n > AKL_REVOCATION_LINE)
                ? "is too long" : akl_revocation_parse(&doc, line, &entry);

        if (cause == NULL) {

            if (entry.until <= now) {
                map->over++;

            } else if (akl_revoke_covers(&entry, &revoke->entry)) {
                map->already = 1;
                map->entries++;
                akl_buf_add(text, line.data, line.len);
                akl_buf_puts(text, "\n");

            } else if (akl_revoke_covers(&revoke->entry, &entry)) {
                dropped = 1;

            } else {
                map->entries++;
                akl_buf_add(text, line.data, line.len);
                akl_buf_puts(text, "\n");
            }
        }

        akl_doc_free(&doc);

        if (cause) {
            return akl_mem_printf("line %zu of its \"%s\" %s, so the replicas "
                                  "go by what they read before", number,
                                  map->key, cause);
        }
    }

    if (map->already) {
        map->already = (map->over == 0 && !dropped);
        return NULL;
    }

    n = akl_revocation_write(NULL, 0, &revoke->entry);
    own = akl_mem(n + 1);

    (void) akl_revocation_write(own, n, &revoke->entry);

    akl_buf_add(text, own, n);
    map->entries++;

    return NULL;
}


/* the object, as it is to be; borrowed parts stay the object's */

static akl_revoke_step_t
akl_revoke_change(akl_revoke_t *revoke, json_t *object)
{
    json_t            *data, *value;
    akl_buf_t          text;
    akl_str_t          have;
    const char        *cause;
    akl_revoke_map_t  *map;

    map = &revoke->map;

    if (json_object_get(json_object_get(object, "binaryData"), map->key)) {
        return akl_revoke_refused(revoke, NULL, NULL,
                   akl_mem_printf("its \"%s\" is binaryData, which is not "
                                  "changed", map->key));
    }

    data = json_object_get(object, "data");

    if (!json_is_object(data)) {
        data = json_object();
        json_object_set_new(object, "data", data);
    }

    value = json_object_get(data, map->key);

    have.data = (const unsigned char *) json_string_value(value);
    have.len = json_string_length(value);

    memset(&text, 0, sizeof(akl_buf_t));

    cause = akl_revoke_lines(revoke, have, &text);

    if (cause) {
        return akl_revoke_refused(revoke, NULL,
                   akl_mem_printf("kubectl -n %s edit configmap %s",
                                  map->namespace, map->name), cause);
    }

    if (map->already) {
        map->bytes = akl_revoke_size(object);
        return AKL_REVOKE_DONE;
    }

    json_object_set_new(data, map->key, json_stringn(text.data, text.len));

    map->bytes = akl_revoke_size(object);

    if (map->bytes > AKL_REVOKE_MAP_MAX) {
        return akl_revoke_refused(revoke, NULL, "another ConfigMap, with a "
                   "line akl_k8s_revocations of its own; or a new signing "
                   "key, which ends all tokens",
                   akl_mem_printf("it would have %zu bytes, and Kubernetes "
                                  "takes %d at most: %zu entries still count",
                                  map->bytes, AKL_REVOKE_MAP_MAX,
                                  map->entries - 1));
    }

    if (json_is_true(json_object_get(object, "immutable"))) {
        return akl_revoke_refused(revoke, NULL, NULL, "it is immutable");
    }

    return AKL_REVOKE_AGAIN;
}


static akl_revoke_step_t
akl_revoke_try(akl_revoke_t *revoke, const char *list)
{
    json_t             *object;
    const char         *path;
    akl_http_answer_t   answer;
    akl_revoke_map_t   *map;
    akl_revoke_step_t   step;

    map = &revoke->map;

    path = akl_mem_printf("%s/%s", list, map->name);

    object = akl_kube(&map->kube, "GET", path, NULL, &answer);

    if (answer.status == 404 && map->create) {

        json_decref(object);

        object = json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1",
                           "kind", "ConfigMap", "metadata",
                           "name", map->name, "namespace", map->namespace);
        map->created = 1;

    } else if (answer.status != 200 || object == NULL) {

        if (answer.status == 404) {
            revoke->written.cure = "--create, where that is its name";
        }

        return akl_revoke_failed(revoke, &answer, object);
    }

    step = akl_revoke_change(revoke, object);

    if (step != AKL_REVOKE_AGAIN) {
        json_decref(object);
        return step;
    }

    /* with the resourceVersion that was read: not over somebody's else's */

    object = akl_kube(&map->kube, map->created ? "POST" : "PUT",
                      map->created ? list : path, object, &answer);

    if ((answer.status == 200 || answer.status == 201) && object) {
        json_decref(object);
        return AKL_REVOKE_DONE;
    }

    if (answer.status != 409) {
        return akl_revoke_failed(revoke, &answer, object);
    }

    json_decref(object);

    map->created = 0;

    return AKL_REVOKE_AGAIN;
}


/* everyone who lost tries again, so not all at the same moment */

static void
akl_revoke_pause(int i)
{
    long             ms;
    struct timespec  pause, now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    ms = AKL_REVOKE_PAUSE << (i < 4 ? i : 4);
    ms += now.tv_nsec / 1000 % ms;

    pause.tv_sec = ms / 1000;
    pause.tv_nsec = ms % 1000 * 1000000;

    (void) nanosleep(&pause, NULL);
}


void
akl_revoke_write(akl_revoke_t *revoke)
{
    int                 i;
    const char         *list;
    akl_mem_block_t    *mark;
    akl_revoke_map_t   *map;
    akl_revoke_step_t   step;

    map = &revoke->map;

    map->kube.peer.answer_max = AKL_REVOKE_ANSWER_MAX;

    revoke->written.name = akl_mem_printf("ConfigMap %s/%s", map->namespace,
                                          map->name);

    list = akl_mem_printf("/api/v1/namespaces/%s/configmaps", map->namespace);

    akl_progress("writing the ConfigMap");

    for (i = 0; i < AKL_REVOKE_TRIES; i++) {

        if (i) {
            akl_revoke_pause(i - 1);
        }

        mark = akl_mem_mark();
        step = akl_revoke_try(revoke, list);

        if (step == AKL_REVOKE_DONE) {
            revoke->written.until = revoke->entry.until;
        }

        if (step != AKL_REVOKE_AGAIN) {
            return;
        }

        akl_mem_release(mark);
    }

    revoke->written.down = 1;
    revoke->written.error = akl_mem_printf("it was changed by somebody else "
                                           "%d times in a row",
                                           AKL_REVOKE_TRIES);
    revoke->written.cure = "the same command again";
}
