/*
 * A whole nginx in this process: one cycle, initialized as the single process
 * of "master_process off" is, whose event loop a target turns itself.
 */

#ifndef ENGINE_H
#define ENGINE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <openssl/evp.h>

#include "../fuzz.h"


/*
 * Makes a directory with all that a configuration of ours names: signing.pem,
 * tls.pem (key and certificate of 127.0.0.1, which is its own authority),
 * reviewer, www; it is removed at the end of the process.  Returns its path.
 */
const char *engine_dir(void);

/* The path of a file in there, until the next call. */
const char *engine_path(const char *name);

/* Writes a file in there. */
void engine_file(const char *name, const char *text);

/* The key of signing.pem. */
EVP_PKEY *engine_key(void);

/*
 * Starts nginx with "http" (printf's format) in its http block, once per
 * process; a configuration that does not do ends it.
 */
void engine_start(const char *http, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * What was logged since the last call, the beginning of it where there is no
 * room for all, with a NUL at its end.  Returns its length.
 */
size_t engine_log(char *buf, size_t size);

/* Goes once through the event loop, which waits for "msec" at most. */
void engine_turn(ngx_msec_t msec);

/*
 * A request that nobody sent, in a pool of its own: GET over HTTP/1.1 to the
 * location of that name, or to the server's own level where "location" is
 * NULL.  Goes with engine_request_free().
 */
ngx_http_request_t *engine_request(const char *location);
void engine_request_free(ngx_http_request_t *r);

/* What was answered to requests that nobody sent is kept here, all of it. */
extern unsigned char  *engine_answer;
extern size_t          engine_answer_len;


#endif /* ENGINE_H */
