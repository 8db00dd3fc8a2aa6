/*
 * The steps of inspect --config, as they are told.
 */

#include "inspect_step.h"
#include "out.h"


void
akl_walk_step(akl_walk_t *walk, akl_step_t step, const char *name,
    const char *text)
{
    json_t  *object;

    static const char         *words[] = { "ok", "open", "failed" };
    static const char         *marks[] = { "ok  ", "  - ", "FAIL" };
    static const akl_style_t   styles[] = { AKL_GREEN, AKL_DIM, AKL_RED };

    if (walk->steps) {
        object = json_object();

        json_object_set_new(object, "step", json_string(name));
        json_object_set_new(object, "outcome", json_string(words[step]));
        json_object_set_new(object, "text", akl_json_text(akl_str_of(text)));
        json_array_append_new(walk->steps, object);

        return;
    }

    printf("  %s%s%s  %-10s %s\n", akl_style(stdout, styles[step]),
           marks[step], akl_style(stdout, AKL_PLAIN), name, text);
}


/* a step that has a reason: 1 where it failed, and the walk is over */

int
akl_walk_reason(akl_walk_t *walk, akl_reason_t reason, const char *name,
    const char *good, const char *bad)
{
    if (reason == AKL_OK) {
        akl_walk_step(walk, AKL_STEP_OK, name, good);
        return 0;
    }

    walk->reason = reason;

    akl_walk_step(walk, AKL_STEP_FAILED, name,
                  akl_mem_printf("%s: %s",
                                 (const char *) akl_reason_code(reason).data,
                                 bad));
    return 1;
}
