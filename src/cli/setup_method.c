/*
 * akl_k8s_auth_method, as the program reads it.
 */

#include <time.h>

#include "../k8s/look.h"
#include "../k8s/time.h"
#include "setup.h"


static void
akl_setup_bound(akl_setup_t *setup, akl_directive_t *d, akl_name_kind_t kind,
    akl_list_t *list)
{
    size_t       i;
    const char  *cause;

    for (i = 1; i < d->n; i++) {
        cause = akl_check_bound(akl_str_of(d->args[i]), kind);

        if (cause) {
            akl_setup_problem(setup, d, 1, "invalid glob \"%s\" in \"%s\": %s",
                              d->args[i], d->args[0], cause);
        }
    }

    if (d->n < 2) {
        akl_setup_problem(setup, d, 1, "\"%s\" directive has an empty list",
                          d->args[0]);
    }

    akl_setup_words(list, d);
}


static void
akl_setup_selector(akl_setup_t *setup, akl_directive_t *d,
    akl_selector_t *selector)
{
    size_t        i;
    const char   *cause;
    akl_label_t  *elts;

    if (d->n < 2) {
        akl_setup_problem(setup, d, 1, "\"%s\" directive has an empty list",
                          d->args[0]);
        return;
    }

    elts = akl_mem((selector->n + d->n) * sizeof(akl_label_t));

    if (selector->n) {
        memcpy(elts, selector->elts, selector->n * sizeof(akl_label_t));
    }

    selector->elts = elts;

    for (i = 1; i < d->n; i++) {
        cause = akl_label_parse(akl_str_of(d->args[i]), &elts[selector->n]);

        if (cause == NULL
            && akl_selector_find(selector, elts[selector->n].key))
        {
            cause = AKL_LABEL_TWICE;
        }

        if (cause) {
            akl_setup_problem(setup, d, 1, "invalid label \"%s\" in \"%s\": "
                              "%s", d->args[i], d->args[0], cause);
            continue;
        }

        selector->n++;
    }
}


static void
akl_setup_ips(akl_setup_t *setup, akl_directive_t *d, akl_list_t *list)
{
    size_t       i;
    akl_cidr_t   cidr;
    const char  *cause;

    for (i = 1; i < d->n; i++) {
        cause = akl_cidr_parse(akl_str_of(d->args[i]), &cidr);

        if (cause) {
            akl_setup_problem(setup, d, 1, "invalid address or CIDR \"%s\" in "
                              "\"bound_ips\": %s", d->args[i], cause);

        } else if (cidr.low_bits) {
            akl_setup_problem(setup, d, 0, "low address bits of \"%s\" in "
                              "\"bound_ips\" are meaningless", d->args[i]);
        }
    }

    akl_setup_words(list, d);
}


static void
akl_setup_audiences(akl_setup_t *setup, akl_directive_t *d, akl_list_t *list)
{
    size_t       i;
    const char  *cause, *warn;

    for (i = 1; i < d->n; i++) {
        warn = NULL;
        cause = akl_check_audience(akl_str_of(d->args[i]), &warn);

        if (cause) {
            akl_setup_problem(setup, d, 1, "\"audience\" directive %s", cause);

        } else if (warn) {
            akl_setup_problem(setup, d, 0, "\"%s\" in \"audience\" %s",
                              d->args[i], warn);
        }
    }

    akl_setup_words(list, d);
}


static void
akl_setup_expires(akl_setup_t *setup, akl_directive_t *d,
    akl_setup_method_t *method)
{
    if (d->n != 2
        || akl_time_parse(akl_str_of(d->args[1]), &method->access_expires)
           != 0)
    {
        akl_setup_problem(setup, d, 1, "\"access_expires\" directive is "
                          "neither RFC 3339 (2027-01-01T00:00:00Z) nor "
                          "seconds since the epoch");

    } else if (method->access_expires
               && method->access_expires <= (int64_t) time(NULL))
    {
        akl_setup_problem(setup, d, 0, "\"access_expires\" of "
                          "akl_k8s_auth_method \"%s\" is in the past: all "
                          "logins are refused", method->id);
    }
}


static void
akl_setup_public_key(akl_setup_t *setup, akl_directive_t *d,
    akl_setup_method_t *method)
{
    akl_jwk_t    jwk;
    const char  *cause;

    akl_setup_source(setup, d, d->args[1], AKL_CREDENTIAL_PEM,
                     &method->public_key);

    if (method->public_key.text.len == 0) {
        return;
    }

    if (akl_jwk_public_from_pem(&jwk, method->public_key.text, &cause) != 0) {
        akl_setup_cause(setup, &method->public_key, 1, cause,
                        akl_look_text(AKL_USE_PUBLIC_KEY,
                                      method->public_key.text));
        method->public_key.text.len = 0;
        return;
    }

    akl_jwk_clear(&jwk);
}


void
akl_setup_method(akl_setup_t *setup, akl_directive_t *block)
{
    const char           *name;
    akl_directive_t      *d;
    akl_setup_method_t   *method, **last;

    method = akl_mem(sizeof(akl_setup_method_t));

    method->id = block->args[1];
    method->directive = block;

    for (last = &setup->methods; *last; last = &(*last)->next) {
        if (strcmp((*last)->id, method->id) == 0) {
            akl_setup_problem(setup, block, 1, "duplicate akl_k8s_auth_method "
                              "\"%s\"", method->id);
            return;
        }
    }

    *last = method;

    for (d = block->block; d; d = d->next) {
        name = d->args[0];

        if (strcmp(name, "bound_namespaces") == 0) {
            akl_setup_bound(setup, d, AKL_NAME_NAMESPACE,
                            &method->bounds.namespaces);

        } else if (strcmp(name, "bound_pod_names") == 0) {
            akl_setup_bound(setup, d, AKL_NAME_POD, &method->bounds.pod_names);

        } else if (strcmp(name, "bound_sa_names") == 0) {
            akl_setup_bound(setup, d, AKL_NAME_SERVICE_ACCOUNT,
                            &method->bounds.sa_names);

        } else if (strcmp(name, "bound_namespace_selector") == 0) {
            akl_setup_selector(setup, d, &method->bounds.selector);

        } else if (strcmp(name, "bound_ips") == 0) {
            akl_setup_ips(setup, d, &method->ips);

        } else if (strcmp(name, "audience") == 0) {
            akl_setup_audiences(setup, d, &method->audiences);

        } else if (strcmp(name, "access_expires") == 0) {
            akl_setup_expires(setup, d, method);

        } else if (strcmp(name, "public_key") == 0 && d->n == 2) {
            akl_setup_public_key(setup, d, method);
        }
    }
}
