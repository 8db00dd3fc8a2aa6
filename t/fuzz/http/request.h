/*
 * Requests with tokens in them: the pods that there are, what was minted for
 * them, and how an input names both.
 */

#ifndef REQUEST_H
#define REQUEST_H

#include "api.h"


#define REQUEST_MAX  (128 * 1024)
#define MINTED_MAX   4096

/* the pods: two that may log in, one of another namespace, one too late */

enum { A = 0, B, C, OVER, PODS };


extern api_pod_t      pods[PODS];

/* minted tokens of A and B, and of A by another config; NUL at the end */
extern char           minted[3][MINTED_MAX];

/* the request, and which pods' tokens went into it */
extern unsigned char  request[REQUEST_MAX];
extern size_t         request_len;
extern int            used[PODS];


/*
 * Gives the pods accounts that they never had, since what was revoked stays
 * so, and tokens; the API server is told.
 */
void request_pods(void);

/* Adds a text to the request, as much as there is room for. */
void request_put(const char *text);

/*
 * Makes the request from a text, in which
 *
 *     \1 and a to c     are tokens of the pods; x: of the one too late
 *     \1 and A, B, D    are minted ones
 *     \1 and s          is the account of A
 *     \1 and L          is the length of the body, in five digits
 *     \1( and \1)       put base64url around what is between them; < and >
 *                       base64
 */
void request_expand(akl_str_t text);


#endif /* REQUEST_H */
