/*
 * A token that the gateway minted, held against its own config.
 */

#ifndef AKL_INSPECT_MINTED_H
#define AKL_INSPECT_MINTED_H

#include "inspect_step.h"


/* Takes the steps of a guard, up to those that only the gateway can. */
void akl_walk_minted(akl_walk_t *walk);


#endif /* AKL_INSPECT_MINTED_H */
