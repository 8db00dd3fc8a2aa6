/*
 * The memory of libcurl, which holds bearers, requests and answers.
 */

#ifndef NGX_AKL_MEMORY_H
#define NGX_AKL_MEMORY_H

#include <ngx_config.h>

#include <curl/curl.h>


/*
 * curl_global_init() with functions that overwrite what is freed.  Where
 * another module has begun with libcurl before, its functions stay.  Returns
 * what curl_global_init() does.
 */
CURLcode ngx_akl_memory_init(void);


#endif /* NGX_AKL_MEMORY_H */
