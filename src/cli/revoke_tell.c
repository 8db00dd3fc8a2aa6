/*
 * revoke: telling the replicas of a gateway.
 */

#include <netdb.h>
#include <arpa/inet.h>

#include "../jose/json.h"
#include "json.h"
#include "out.h"
#include "revoke.h"


static akl_revoke_place_t *
akl_revoke_replica(akl_revoke_t *revoke, const char *name)
{
    size_t               i;
    akl_revoke_place_t  *places;

    for (i = 0; i < revoke->n; i++) {
        if (strcmp(revoke->replicas[i].name, name) == 0) {
            return NULL;
        }
    }

    places = akl_mem((revoke->n + 1) * sizeof(akl_revoke_place_t));

    for (i = 0; i < revoke->n; i++) {
        places[i] = revoke->replicas[i];
    }

    places[i].name = name;

    revoke->replicas = places;
    revoke->n++;

    return &places[i];
}


/* of the URL: what stands between "://" and port or path */

static const char *
akl_revoke_host(const char *url)
{
    size_t       len;
    const char  *host;

    host = strstr(url, "://") + 3;

    if (*host == '[') {
        host++;
        len = strcspn(host, "]");

    } else {
        len = strcspn(host, ":/");
    }

    return akl_mem_strn(host, len);
}


static void
akl_revoke_addresses(akl_revoke_t *revoke, const char *name)
{
    int                  rc;
    char                 text[INET6_ADDRSTRLEN];
    struct addrinfo      hints, *list, *ai;
    akl_revoke_place_t  *place;

    memset(&hints, 0, sizeof(struct addrinfo));

    hints.ai_socktype = SOCK_STREAM;
    list = NULL;

    rc = getaddrinfo(name, NULL, &hints, &list);

    if (rc != 0) {
        place = akl_revoke_replica(revoke, akl_clean(akl_str_of(name)));

        if (place) {
            place->down = 1;
            place->error = akl_mem_printf("it has no address: %s",
                                          gai_strerror(rc));
        }

        return;
    }

    for (ai = list; ai; ai = ai->ai_next) {

        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text), NULL,
                        0, NI_NUMERICHOST)
            == 0)
        {
            (void) akl_revoke_replica(revoke, akl_mem_str(text));
        }
    }

    freeaddrinfo(list);
}


static akl_str_t
akl_revoke_body(akl_revoke_t *revoke)
{
    akl_str_t          text;
    akl_json_out_t     out;
    akl_revocation_t  *entry;

    entry = &revoke->entry;

    /* at most six bytes for one of the name */

    text.len = 6 * AKL_REVOCATION_NAME + 64;
    text.data = akl_mem(text.len);

    akl_json_out_init(&out, (unsigned char *) text.data, text.len);
    akl_json_out_open(&out, NULL, '{');

    if (entry->jti.len) {
        akl_json_out_str(&out, "jti", entry->jti);

    } else {
        akl_json_out_str(&out, "sub", entry->sub);

        /* else the time is the gateway's own, which mints the tokens */

        if (entry->before) {
            akl_json_out_int(&out, "before", entry->before);
        }
    }

    akl_json_out_close(&out, '}');

    text.len = out.len;

    return text;
}


/* 1 where the answer is that of akl_k8s_revoke to what it was told */

static int
akl_revoke_kept(akl_revoke_t *revoke, json_t *object, int64_t *before,
    int64_t *until)
{
    akl_str_t          name;
    akl_revocation_t  *entry;

    entry = &revoke->entry;
    *before = 0;

    if (akl_json_time(object, "until", until) != 0) {
        return 0;
    }

    if (entry->jti.len) {
        return akl_json_string(object, "jti", &name) == 0
               && akl_str_eq(name, entry->jti);
    }

    return akl_json_string(object, "sub", &name) == 0
           && akl_str_eq(name, entry->sub)
           && akl_json_time(object, "before", before) == 0
           && *before >= entry->before;
}


static const char *
akl_revoke_said(const akl_http_answer_t *answer, json_t *object)
{
    akl_str_t  code, text;

    if (object && akl_json_string(object, "error", &code) == 0 && code.len) {

        if (akl_json_string(object, "error_description", &text) != 0) {
            text = akl_str("");
        }

        return akl_mem_printf("%ld %s%s%s", answer->status,
                              akl_clean(code), text.len ? ": " : "",
                              akl_clean(text));
    }

    return akl_mem_printf("it answered %ld, not as akl_k8s_revoke does%s%s",
                          answer->status,
                          answer->location ? "; redirects are not followed, "
                          "this one goes to " : "",
                          answer->location
                          ? akl_clean(akl_str_of(answer->location)) : "");
}


static const char *
akl_revoke_cure(akl_revoke_t *revoke, const akl_http_answer_t *answer)
{
    switch (answer->status) {

    case 401:
    case 403:
        return "--gateway-token or --gateway-client-cert, or an \"allow\" for "
               "this machine: whoever may revoke is the location's business";

    case 503:
        return "the gateway's error log says more";

    case 400:
        return "\"akl_k8s_revoke self\" revokes the caller's own token only: "
               "--revoke-path names a location with akl_k8s_revoke";

    default:
        return akl_mem_printf("--gateway-url and --revoke-path (%s) have to "
                              "lead to a location with akl_k8s_revoke",
                              revoke->path);
    }
}


static void
akl_revoke_judge(akl_revoke_t *revoke, akl_revoke_place_t *place,
    const akl_http_answer_t *answer, int64_t *before)
{
    json_t  *object;

    *before = 0;

    if (answer->phase != AKL_HTTP_OK) {
        place->down = 1;
        place->error = answer->error;

        if (answer->phase == AKL_HTTP_TLS) {
            place->cure = revoke->gateway.ca.len
                          ? "--gateway-url names the gateway as its "
                            "certificate does, --replicas where it is"
                          : "--gateway-ca-cert FILE names the gateway's own "
                            "CA";
        }

        return;
    }

    object = akl_json_object(answer->body);

    if (answer->status != 200 || object == NULL
        || !akl_revoke_kept(revoke, object, before, &place->until))
    {
        place->down = (answer->status >= 500 || answer->status == 429);
        place->error = akl_revoke_said(answer, object);
        place->cure = akl_revoke_cure(revoke, answer);
        place->until = 0;
        *before = 0;
    }

    json_decref(object);
}


void
akl_revoke_tell(akl_revoke_t *revoke, const char *const *names, size_t n)
{
    size_t                i, k;
    int64_t               before, latest, until;
    akl_http_peer_t      *peers;
    akl_http_answer_t    *answers;
    akl_http_request_t    request;
    akl_revoke_place_t  **asked;

    akl_progress("looking up the replicas");

    if (n == 0) {
        akl_revoke_addresses(revoke, akl_revoke_host(revoke->gateway.url));
    }

    for (i = 0; i < n; i++) {
        akl_revoke_addresses(revoke, names[i]);
    }

    peers = akl_mem(revoke->n * sizeof(akl_http_peer_t));
    answers = akl_mem(revoke->n * sizeof(akl_http_answer_t));
    asked = akl_mem(revoke->n * sizeof(akl_revoke_place_t *));

    for (i = 0, k = 0; i < revoke->n; i++) {

        if (revoke->replicas[i].error == NULL) {
            asked[k] = &revoke->replicas[i];
            peers[k] = revoke->gateway;
            peers[k++].address = revoke->replicas[i].name;
        }
    }

    memset(&request, 0, sizeof(akl_http_request_t));

    request.method = "POST";
    request.path = revoke->path;
    request.content_type = "application/json";
    request.bearer = revoke->bearer;
    request.body = akl_revoke_body(revoke);

    akl_progress("telling %zu replica%s", k, k == 1 ? "" : "s");

    akl_http_all(peers, k, &request, answers);

    latest = 0;
    until = 0;

    for (i = 0; i < k; i++) {
        akl_revoke_judge(revoke, asked[i], &answers[i], &before);

        latest = (before > latest) ? before : latest;
        until = (asked[i]->until > until) ? asked[i]->until : until;
    }

    if (latest > revoke->entry.before) {
        revoke->entry.before = latest;
    }

    if (revoke->entry.until == 0) {
        revoke->entry.until = until;
    }
}
