/*
 * The JSON writer (RFC 8259), and what it shares with the reader in doc.h.
 */

#ifndef AKL_JSON_H
#define AKL_JSON_H

#include <stdint.h>
#include "str.h"


/*
 * Length of the well-formed UTF-8 sequence (RFC 3629) at the beginning of
 * "len" > 0 bytes, 0 where there is none.
 */
size_t akl_json_utf8(const unsigned char *p, size_t len);

/*
 * How many bytes from "p" on are printable ASCII other than the quote and the
 * backslash; more may follow.
 */
size_t akl_json_plain(const unsigned char *p, const unsigned char *last);


/*
 * An append-only JSON text writer over a caller's buffer, for answers and
 * claims; escapes as RFC 8259 section 7 demands, "/" not escaped, bytes that
 * are no UTF-8 become U+FFFD.  With buf NULL it only counts, so the same code
 * measures and writes.  "len" counts on past "size"; "overflow" is set when
 * it did not suffice, and the text is then useless.  "key" is NULL inside an
 * array and at the top.
 */
typedef struct {
    unsigned char  *buf;
    size_t          size;
    size_t          len;
    unsigned        overflow:1;
    unsigned        comma:1;
} akl_json_out_t;

void akl_json_out_init(akl_json_out_t *out, unsigned char *buf, size_t size);
void akl_json_out_open(akl_json_out_t *out, const char *key, char bracket);
void akl_json_out_close(akl_json_out_t *out, char bracket);
void akl_json_out_str(akl_json_out_t *out, const char *key, akl_str_t value);
void akl_json_out_int(akl_json_out_t *out, const char *key, int64_t value);
/* a ready JSON text: "null", "true", a number, an object written before */
void akl_json_out_raw(akl_json_out_t *out, const char *key, akl_str_t json);


#endif /* AKL_JSON_H */
