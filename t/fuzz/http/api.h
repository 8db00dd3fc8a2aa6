/*
 * An API server that says what it was told to: a thread of this process, over
 * TLS on 127.0.0.1.
 */

#ifndef API_H
#define API_H

#include "../fuzz.h"


#define API_NAME  64


/* a pod, and its token: unsigned, since the API server vouches for it */

typedef struct {
    char    namespace[API_NAME];
    char    account[API_NAME];
    char    name[API_NAME];
    char    token[2048];
} api_pod_t;


/* a token that the API server vouched for, and the account that it told */

typedef struct {
    char    token[2048];
    char    namespace[API_NAME];
    char    account[API_NAME];
} api_vouched_t;


/* Begins to listen, with key and certificate from "pem"; returns the port. */
int api_start(const char *pem);

/* The "n" pods that there are: none changes while something is asked. */
void api_pods(const api_pod_t *pods, size_t n);

/*
 * What to answer from now on, a line for each request, "STATUS FLAGS BODY",
 * the last one again and again.  STATUS is of three digits.  FLAGS:
 *
 *     c  the connection is closed afterwards
 *     h  chunked
 *     p  in pieces
 *     t  some bytes less than it was said, and closed
 *     a  reset in the midst of the body
 *     x  closed before any answer
 *     z  no answer
 *     u  behind it another answer, a refusal that nobody asked for
 *     r  BODY is all of the answer, "\n" in it a line end
 *
 * BODY may be "@" and a digit, the good answer for that pod, or "@@", for the
 * one whose token was asked for.
 */
void api_script(const uint8_t *data, size_t size);

/*
 * What it vouched for since the last script, in whole answers: the n-th, or
 * NULL.  *loose is set where some answer was raw, and nobody knows.
 */
const api_vouched_t *api_vouched(size_t n, int *loose);

/* 1 where it said something unasked since the last script. */
int api_unasked(void);


#endif /* API_H */
