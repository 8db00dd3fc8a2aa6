/*
 * Calls to an API server.
 */

#include <stdlib.h>

#include "json.h"
#include "kube.h"
#include "out.h"


json_t *
akl_kube(const akl_kube_t *kube, const char *method, const char *path,
    json_t *body, akl_http_answer_t *answer)
{
    char                *text;
    akl_http_request_t   request;

    memset(&request, 0, sizeof(akl_http_request_t));

    request.method = method;
    request.path = akl_mem_printf("%s%s", kube->prefix ? kube->prefix : "",
                                  path);
    request.bearer = kube->bearer;

    /* what servers have for key sets besides */

    request.accept = strstr(path, "/openid/v1/jwks")
                     ? "application/jwk-set+json, application/json"
                     : "application/json";

    if (body) {
        text = json_dumps(body, JSON_COMPACT);
        json_decref(body);

        if (text) {
            request.body = akl_str_of(akl_mem_str(text));
            explicit_bzero(text, strlen(text));
            free(text);
        }

        request.content_type = "application/json";
    }

    akl_http(&kube->peer, &request, answer);

    if (answer->phase != AKL_HTTP_OK) {
        return NULL;
    }

    return akl_json_object(answer->body);
}


const char *
akl_kube_message(const akl_http_answer_t *answer, json_t *object)
{
    akl_str_t  text;

    if (answer->phase != AKL_HTTP_OK) {
        return answer->error;
    }

    if (object && akl_json_string(object, "message", &text) == 0 && text.len) {
        return akl_mem_printf("%ld, %s", answer->status,
                              akl_clean(text));
    }

    return akl_mem_printf("it answered %ld%s", answer->status,
                          object ? "" : ", not in JSON");
}


const char *
akl_kube_text(json_t *object, const char *path)
{
    size_t       len;
    const char  *text;

    while (object) {
        len = strcspn(path, ".");
        object = json_object_get(object, akl_mem_strn(path, len));

        if (path[len] == '\0') {
            break;
        }

        path += len + 1;
    }

    text = json_string_value(object);

    return text ? akl_mem_str(text) : NULL;
}


const char *
akl_kube_issuer(const akl_kube_t *kube, akl_http_answer_t *answer)
{
    json_t      *object;
    const char  *issuer;

    object = akl_kube(kube, "GET", "/.well-known/openid-configuration", NULL,
                      answer);

    issuer = (answer->status == 200) ? akl_kube_text(object, "issuer") : NULL;

    json_decref(object);

    return issuer;
}
