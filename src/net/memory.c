/*
 * libcurl frees buffers as they are: what it has sent and received would lie
 * about in the process, until something else is written there.
 */

#include <ngx_core.h>

#include "memory.h"

#include <malloc.h>


static void ngx_akl_memory_free(void *p);
static void *ngx_akl_memory_realloc(void *p, size_t size);
static char *ngx_akl_memory_strdup(const char *text);


CURLcode
ngx_akl_memory_init(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc,
                                ngx_akl_memory_free, ngx_akl_memory_realloc,
                                ngx_akl_memory_strdup, calloc);
}


static void
ngx_akl_memory_free(void *p)
{
    if (p) {
        ngx_explicit_memzero(p, malloc_usable_size(p));
        free(p);
    }
}


/* realloc() itself would leave the former place as it was */

static void *
ngx_akl_memory_realloc(void *p, size_t size)
{
    void    *to;
    size_t   have;

    if (p == NULL) {
        return malloc(size);
    }

    have = malloc_usable_size(p);

    if (size && size <= have && size > have / 2) {
        return p;
    }

    to = malloc(ngx_max(size, 1));
    if (to == NULL) {
        return NULL;
    }

    ngx_memcpy(to, p, ngx_min(have, size));
    ngx_akl_memory_free(p);

    return to;
}


static char *
ngx_akl_memory_strdup(const char *text)
{
    char    *copy;
    size_t   size;

    size = ngx_strlen(text) + 1;

    copy = malloc(size);
    if (copy) {
        ngx_memcpy(copy, text, size);
    }

    return copy;
}
