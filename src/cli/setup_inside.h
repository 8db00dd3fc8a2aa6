/*
 * What the files about akl_k8s_auth_config share.
 */

#ifndef AKL_CLI_SETUP_INSIDE_H
#define AKL_CLI_SETUP_INSIDE_H

#include "setup.h"


/* a block being read */

typedef struct {
    akl_setup_t             *setup;
    akl_setup_config_t      *config;
    unsigned                 given;
    unsigned                 no_issuer:1;
} akl_setup_block_t;


/* Read and check a source in place of the directive's own value. */
void akl_setup_ca_text(akl_setup_block_t *b, akl_directive_t *d,
    const char *value);
void akl_setup_reviewer_text(akl_setup_block_t *b, akl_directive_t *d,
    const char *value, int quiet);

/* What is missing, what does not belong together, and the defaults. */
void akl_setup_whole(akl_setup_block_t *b);


#endif /* AKL_CLI_SETUP_INSIDE_H */
