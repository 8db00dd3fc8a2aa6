/*
 * The steps of inspect --config, each told as it is taken.
 */

#ifndef AKL_INSPECT_STEP_H
#define AKL_INSPECT_STEP_H

#include "inspect.h"


typedef struct {
    akl_inspect_t        *in;
    akl_setup_config_t   *config;
    json_t               *steps;        /* NULL: they are printed */
    akl_reason_t          reason;       /* of the first that failed */
} akl_walk_t;


typedef enum {
    AKL_STEP_OK = 0,
    AKL_STEP_OPEN,                      /* not for us to say */
    AKL_STEP_FAILED
} akl_step_t;


/* Tells a step and how it went, as a line or in "steps". */
void akl_walk_step(akl_walk_t *walk, akl_step_t step, const char *name,
    const char *text);

/*
 * A step that has a reason: AKL_OK tells "good" and returns 0; any other is
 * the walk's from now on, tells "bad", and returns 1: the walk is over.
 */
int akl_walk_reason(akl_walk_t *walk, akl_reason_t reason, const char *name,
    const char *good, const char *bad);


#endif /* AKL_INSPECT_STEP_H */
