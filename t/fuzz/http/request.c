/*
 * Requests with tokens in them: see the header.
 */

#include <stdio.h>
#include <time.h>
#include <openssl/evp.h>

#include "../../../src/jose/base64.h"
#include "request.h"


#define DEPTH  8


api_pod_t      pods[PODS];
char           minted[3][MINTED_MAX];
int            used[PODS];
unsigned char  request[REQUEST_MAX];
size_t         request_len;


static void
token_of(api_pod_t *pod, int seconds)
{
    char            text[1024];
    size_t          n;
    unsigned char  *p;

    p = (unsigned char *) pod->token;
    n = akl_base64url_encode(p, akl_str("{\"alg\":\"RS256\",\"kid\":\"k\"}"));
    p[n++] = '.';

    snprintf(text, sizeof(text), "{\"iss\":\"api\",\"aud\":[\"api\"],"
             "\"exp\":%ld,\"iat\":%ld,\"sub\":\"system:serviceaccount:%s:%s\","
             "\"kubernetes.io\":{\"namespace\":\"%s\",\"serviceaccount\":{"
             "\"name\":\"%s\"},\"pod\":{\"name\":\"%s\"}}}",
             (long) time(NULL) + seconds, (long) time(NULL) - 10,
             pod->namespace, pod->account, pod->namespace, pod->account,
             pod->name);

    n += akl_base64url_encode(p + n, fuzz_str(text));
    n += (size_t) sprintf(pod->token + n, ".c2lnbmF0dXJl");
    check(n < sizeof(pod->token));
}


/* others than before, since what was revoked stays so */

void
request_pods(void)
{
    size_t  i;

    static unsigned           n;
    static const char *const  namespaces[PODS] = {
        "my-namespace-a", "my-namespace-b", "kube-system", "my-namespace-a"
    };

    n++;

    for (i = 0; i < PODS; i++) {
        snprintf(pods[i].namespace, API_NAME, "%s", namespaces[i]);
        snprintf(pods[i].account, API_NAME, "builder-%x", n);
        snprintf(pods[i].name, API_NAME, "pod%zu", i);
        token_of(&pods[i], (i == OVER) ? -3600 : 24 * 3600);
    }

    api_pods(pods, PODS);
}


static void
put(const void *data, size_t len)
{
    if (request_len + len <= REQUEST_MAX) {
        memcpy(request + request_len, data, len);
        request_len += len;
    }
}


void
request_put(const char *text)
{
    put(text, strlen(text));
}


/* what was written since "from" is replaced by its base64 */

static void
enclose(size_t from, int url)
{
    size_t                n, len;

    static unsigned char  copy[REQUEST_MAX], coded[REQUEST_MAX * 2];

    len = request_len - from;
    memcpy(copy, request + from, len);
    request_len = from;

    if (url) {
        n = akl_base64url_encode(coded, (akl_str_t) { len, copy });

    } else {
        n = (size_t) EVP_EncodeBlock(coded, copy, (int) len);
    }

    put(coded, n);
}


void
request_expand(akl_str_t text)
{
    char           digits[6];
    size_t         i, depth, length, from[DEPTH];
    unsigned char  open[DEPTH], *end;

    memset(used, 0, sizeof(used));
    request_len = 0;
    depth = 0;
    length = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] != 1 || i + 1 == text.len) {
            put(text.data + i, 1);
            continue;
        }

        switch (text.data[++i]) {

        case 'a': case 'b': case 'c':
            request_put(pods[text.data[i] - 'a'].token);
            used[text.data[i] - 'a'] = 1;
            break;

        case 'x':
            request_put(pods[OVER].token);
            break;

        case 'A': case 'B':
            request_put(minted[text.data[i] - 'A']);
            break;

        case 'D':
            request_put(minted[2]);
            break;

        case 's':
            request_put("system:serviceaccount:my-namespace-a:");
            request_put(pods[A].account);
            break;

        case 'L':

            /* not within what is encoded */

            if (depth == 0 && length == 0) {
                length = request_len;
                request_put("00000");
            }

            break;

        case '(': case '<':
            if (depth < DEPTH) {
                open[depth] = text.data[i];
                from[depth++] = request_len;
            }

            break;

        case ')': case '>':
            if (depth) {
                depth--;
                enclose(from[depth], open[depth] == '(');
            }

            break;

        default:
            break;
        }
    }

    end = request_len ? memmem(request, request_len, "\r\n\r\n", 4) : NULL;

    if (length && end && length + 5 <= (size_t) (end - request)) {
        snprintf(digits, sizeof(digits), "%05zu",
                 (size_t) (request + request_len - (end + 4)) % 100000);
        memcpy(request + length, digits, 5);
    }
}
