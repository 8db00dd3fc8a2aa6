/*
 * JSON by jansson (RFC 8259, strictly), of answers and files that no request
 * to the module brings.  Tests take it for the oracle of the reader in
 * jose/doc.h.
 */

#ifndef AKL_CLI_JSON_H
#define AKL_CLI_JSON_H

#include <stdint.h>
#include <jansson.h>
#include "../jose/str.h"


/*
 * A new reference to an object, or NULL for anything else: syntax error,
 * doubled member at any depth, byte order mark, trailing data, invalid UTF-8,
 * U+0000 anywhere, nesting beyond 32, array or scalar at the top.
 */
json_t *akl_json_object(akl_str_t text);

/*
 * The string member "key": 0 and *value (borrowed from "object", len 0 for
 * ""), 1 where the member is absent, -1 where it is no string.  Empty value
 * is {0, NULL} when not found.
 */
int akl_json_string(const json_t *object, const char *key, akl_str_t *value);

/*
 * A NumericDate (RFC 7519 section 2) in whole seconds: 0 and *value, 1 where
 * absent, -1 where it is no number, negative, not finite or beyond 2^53.
 * Fractions are cut off.
 */
int akl_json_time(const json_t *object, const char *key, int64_t *value);


#endif /* AKL_CLI_JSON_H */
