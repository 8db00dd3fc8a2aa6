/*
 * revoke: what came of it, in lines or in JSON.
 */

#include <stdio.h>

#include "out.h"
#include "revoke.h"
#include "words.h"


static void
akl_revoke_line(const akl_revoke_place_t *place, const char *more)
{
    printf("%s%s%s  %-24s %s%s%s\n",
           akl_style(stdout, place->error ? AKL_RED : AKL_GREEN),
           place->error ? "FAIL" : "kept", akl_style(stdout, AKL_PLAIN),
           place->name, place->error ? place->error : "until ",
           place->error ? "" : akl_words_time(place->until),
           place->error ? "" : more);

    if (place->cure) {
        printf("      try: %s\n", place->cure);
    }
}


static void
akl_revoke_show(akl_revoke_t *revoke)
{
    size_t             i;
    akl_buf_t          more;
    akl_revoke_map_t  *map;

    for (i = 0; i < revoke->n; i++) {
        akl_revoke_line(&revoke->replicas[i], "");
    }

    if (revoke->written.name == NULL) {
        return;
    }

    map = &revoke->map;

    memset(&more, 0, sizeof(akl_buf_t));

    akl_buf_printf(&more, ", %s%zu entr%s, %zu bytes",
                   map->already ? "as before: "
                   : map->created ? "it was made: " : "",
                   map->entries, map->entries == 1 ? "y" : "ies", map->bytes);

    if (map->over) {
        akl_buf_printf(&more, "; %zu that %s over %s taken out", map->over,
                       map->over == 1 ? "was" : "were",
                       map->over == 1 ? "is" : "are");
    }

    akl_revoke_line(&revoke->written, more.data);
}


static json_t *
akl_revoke_place_json(const akl_revoke_place_t *place)
{
    json_t  *object;

    object = json_object();

    json_object_set_new(object, "name", akl_json_text(akl_str_of(place->name)));
    json_object_set_new(object, "kept", json_boolean(place->error == NULL));

    if (place->error) {
        json_object_set_new(object, "error",
                            akl_json_text(akl_str_of(place->error)));
    } else {
        json_object_set_new(object, "until", json_integer(place->until));
    }

    if (place->cure) {
        json_object_set_new(object, "cure",
                            akl_json_text(akl_str_of(place->cure)));
    }

    return object;
}


static json_t *
akl_revoke_json(akl_revoke_t *revoke)
{
    size_t              i;
    json_t             *object, *list, *place;
    akl_revoke_map_t   *map;
    akl_revocation_t   *entry;

    map = &revoke->map;
    entry = &revoke->entry;

    object = json_object();

    if (entry->jti.len) {
        json_object_set_new(object, "jti", akl_json_text(entry->jti));

    } else {
        json_object_set_new(object, "sub", akl_json_text(entry->sub));
        json_object_set_new(object, "before", json_integer(entry->before));
    }

    list = json_array();

    for (i = 0; i < revoke->n; i++) {
        json_array_append_new(list,
                              akl_revoke_place_json(&revoke->replicas[i]));
    }

    json_object_set_new(object, "replicas", list);

    if (revoke->written.name) {
        place = akl_revoke_place_json(&revoke->written);

        if (revoke->written.error == NULL) {
            json_object_set_new(place, "entries",
                                json_integer((json_int_t) map->entries));
            json_object_set_new(place, "bytes",
                                json_integer((json_int_t) map->bytes));
            json_object_set_new(place, "over",
                                json_integer((json_int_t) map->over));
            json_object_set_new(place, "created", json_boolean(map->created));
            json_object_set_new(place, "already", json_boolean(map->already));
        }

        json_object_set_new(object, "configmap", place);
    }

    return object;
}


/* of those who failed: their names, and whether it was an outage */

static size_t
akl_revoke_count(akl_revoke_t *revoke, akl_buf_t *names, size_t *failed,
    int *down)
{
    size_t               i, n;
    akl_revoke_place_t  *place;

    *failed = 0;
    *down = 0;
    n = revoke->n + (revoke->written.name != NULL);

    for (i = 0; i < n; i++) {
        place = (i < revoke->n) ? &revoke->replicas[i] : &revoke->written;

        if (place->error) {
            akl_buf_printf(names, "%s%s", names->len ? ", " : "",
                           place->name);
            *failed += 1;
            *down |= place->down;
        }
    }

    return n;
}


int
akl_revoke_result(akl_revoke_t *revoke)
{
    int          rc, down;
    size_t       n, failed;
    json_t      *object;
    akl_buf_t    names;
    const char  *error;

    memset(&names, 0, sizeof(akl_buf_t));

    n = akl_revoke_count(revoke, &names, &failed, &down);

    error = (failed == 0) ? NULL
            : akl_mem_printf((failed == n) ? "nothing is revoked: %s"
                             : "it is revoked in part, but not by %s",
                             names.data);

    rc = (failed == 0) ? AKL_EXIT_OK
         : (failed < n || down) ? AKL_EXIT_UNREACHABLE : AKL_EXIT_REFUSED;

    if (akl_out_is_json()) {
        object = akl_revoke_json(revoke);

        if (error) {
            json_object_set_new(object, "error",
                                akl_json_text(akl_str_of(error)));
            json_object_set_new(object, "exit", json_integer(rc));
        }

        akl_print_json(object);

        return rc;
    }

    akl_progress_end();
    akl_revoke_show(revoke);

    return error ? akl_fail(rc, NULL, "%s", error) : rc;
}
