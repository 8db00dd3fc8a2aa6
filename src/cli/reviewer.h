/*
 * A reviewer in a cluster: account, right and token.
 */

#ifndef AKL_CLI_REVIEWER_H
#define AKL_CLI_REVIEWER_H

#include "kube.h"
#include "options.h"


#define AKL_REVIEWER_OPTIONS                                                  \
    { "create-reviewer", NULL, AKL_OPT_FLAG, NULL,                            \
      "make a reviewer: account, binding, token" },                      \
    { "reviewer-name", NULL, AKL_OPT_TEXT, "NAME",                            \
      "its account (akl-reviewer)" },                                         \
    { "reviewer-namespace", NULL, AKL_OPT_TEXT, "NAME",                       \
      "and namespace (kube-system)" },                                        \
    { "reviewer-token", NULL, AKL_OPT_TEXT, "request|secret",                 \
      "one that ends, or a Secret's (request)" },                             \
    { "reviewer-ttl", NULL, AKL_OPT_TEXT, "HOURS",                            \
      "how long it lives, at most (8760)" },                   \
    { "yes", "y", AKL_OPT_FLAG, NULL, "do not ask before making them" }


/*
 * Makes what is not there yet, each object printed and asked about before.  0
 * and *token, or an exit code after the error was told.
 */
int akl_reviewer_make(akl_args_t *args, const akl_kube_t *kube,
    const char **token);


#endif /* AKL_CLI_REVIEWER_H */
