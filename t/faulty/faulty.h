/*
 * Included before each file of a module that is built for t/faulty.t alone:
 * fails the n-th of its own allocations, as a file says that AKL_FAULTY names
 * and that is mapped at start.
 */

#ifndef AKL_FAULTY_H
#define AKL_FAULTY_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>


typedef volatile struct {
    int  armed;
    int  nth;                           /* 0: none, they are only counted */
    int  count;
} akl_faulty_t;


/* one of them in the whole module, whichever files include this */

__attribute__((weak)) akl_faulty_t  *akl_faulty;


__attribute__((weak, constructor)) void
akl_faulty_begin(void)
{
    int          fd;
    const char  *path;

    path = getenv("AKL_FAULTY");

    if (akl_faulty || path == NULL) {
        return;
    }

    fd = open(path, O_RDWR);

    if (fd != -1) {
        akl_faulty = mmap(NULL, sizeof(*akl_faulty), PROT_READ|PROT_WRITE,
                          MAP_SHARED, fd, 0);
        (void) close(fd);
    }
}


__attribute__((weak)) int
akl_faulty_now(void)
{
    return akl_faulty && akl_faulty->armed
           && ++akl_faulty->count == akl_faulty->nth;
}


#define AKL_FAULTY(result, call)  (akl_faulty_now() ? (result) : (call))


#undef ngx_calloc_buf
#undef ngx_alloc_chain_link

#define malloc(size)              AKL_FAULTY(NULL, (malloc)(size))
#define calloc(n, size)           AKL_FAULTY(NULL, (calloc)(n, size))
#define ngx_alloc(size, log)      AKL_FAULTY(NULL, (ngx_alloc)(size, log))
#define ngx_palloc(pool, size)    AKL_FAULTY(NULL, (ngx_palloc)(pool, size))
#define ngx_pnalloc(pool, size)   AKL_FAULTY(NULL, (ngx_pnalloc)(pool, size))
#define ngx_pcalloc(pool, size)   AKL_FAULTY(NULL, (ngx_pcalloc)(pool, size))
#define ngx_pstrdup(pool, s)      AKL_FAULTY(NULL, (ngx_pstrdup)(pool, s))
#define ngx_calloc_buf(pool)      ngx_pcalloc(pool, sizeof(ngx_buf_t))
#define ngx_create_pool(size, log)                                            \
    AKL_FAULTY(NULL, (ngx_create_pool)(size, log))
#define ngx_create_temp_buf(pool, size)                                       \
    AKL_FAULTY(NULL, (ngx_create_temp_buf)(pool, size))
#define ngx_alloc_chain_link(pool)                                            \
    AKL_FAULTY(NULL, (ngx_alloc_chain_link)(pool))
#define ngx_pool_cleanup_add(pool, size)                                      \
    AKL_FAULTY(NULL, (ngx_pool_cleanup_add)(pool, size))
#define ngx_array_create(pool, n, size)                                       \
    AKL_FAULTY(NULL, (ngx_array_create)(pool, n, size))
#define ngx_array_push(array)     AKL_FAULTY(NULL, (ngx_array_push)(array))
#define ngx_array_push_n(array, n)                                            \
    AKL_FAULTY(NULL, (ngx_array_push_n)(array, n))
#define ngx_list_push(list)       AKL_FAULTY(NULL, (ngx_list_push)(list))


#endif /* AKL_FAULTY_H */
