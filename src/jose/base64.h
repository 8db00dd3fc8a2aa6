/*
 * base64url without padding (RFC 4648 section 5, RFC 7515 section 2) and the
 * standard alphabet that API clients and PEM bundles use.
 */

#ifndef AKL_BASE64_H
#define AKL_BASE64_H

#include <sys/types.h>
#include "str.h"


/* bytes that the decoded form of "len" characters takes at most */
#define akl_base64_decoded_len(len)   (((len) + 3) / 4 * 3)

/* characters of the unpadded base64url form of "len" bytes */
#define akl_base64url_encoded_len(len)  (((len) * 4 + 2) / 3)


/*
 * Decodes canonical base64url: no padding, no white space, length not 1
 * modulo 4, spare bits zero.  "dst" must hold akl_base64_decoded_len(len)
 * bytes.  Returns the number of bytes written, or -1.
 */
ssize_t akl_base64url_decode(unsigned char *dst, akl_str_t src);

/*
 * Encodes without padding; "dst" must hold akl_base64url_encoded_len(len)
 * bytes, no NUL is added.  Returns the number of characters written.
 */
size_t akl_base64url_encode(unsigned char *dst, akl_str_t src);

/*
 * Decodes the standard alphabet (RFC 4648 section 4), ignoring ASCII white
 * space anywhere; padding may be left out, but not be wrong.  "dst" must hold
 * akl_base64_decoded_len(len) bytes and may be src.data itself.  Returns the
 * number of bytes written, or -1.
 */
ssize_t akl_base64_decode(unsigned char *dst, akl_str_t src);


#endif /* AKL_BASE64_H */
