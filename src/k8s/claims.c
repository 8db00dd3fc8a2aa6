/*
 * The payload, written straight: a document built first costs more than the
 * text.
 */

#include <stdio.h>

#include "claims.h"
#include "../jose/base64.h"


static int akl_claims_named(const akl_claims_t *claims, akl_str_t name);
static void akl_claims_member(akl_json_out_t *out, const char *key,
    akl_str_t value);
static void akl_claims_aud(akl_json_out_t *out, const char *key,
    akl_str_t json);


int64_t
akl_claims_exp(int64_t now, int64_t ttl, int64_t pod_exp,
    int64_t access_expires)
{
    int64_t  exp;

    exp = now + ttl;

    if (pod_exp && exp > pod_exp) {
        exp = pod_exp;
    }

    if (access_expires && exp > access_expires) {
        exp = access_expires;
    }

    return exp;
}


void
akl_claims_jti(unsigned char *dst, const unsigned char *random)
{
    akl_str_t  src;

    src.data = random;
    src.len = AKL_JTI_BYTES;

    (void) akl_base64url_encode(dst, src);
}


void
akl_claims_write(akl_json_out_t *out, const akl_claims_t *claims)
{
    int                    n;
    char                   name[AKL_CLAIM_NAME_MAX + 1];
    size_t                 i;
    const akl_identity_t  *id;

    id = &claims->identity;

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "iss", claims->issuer);
    akl_json_out_str(out, "sub", claims->subject);

    if (claims->audiences.n == 1) {
        akl_json_out_str(out, "aud", claims->audiences.elts[0]);
        akl_claims_aud(out, "k8s_aud", claims->pod_aud);

    } else if (claims->audiences.n) {
        akl_json_out_open(out, "aud", '[');

        for (i = 0; i < claims->audiences.n; i++) {
            akl_json_out_str(out, NULL, claims->audiences.elts[i]);
        }

        akl_json_out_close(out, ']');
        akl_claims_aud(out, "k8s_aud", claims->pod_aud);

    } else {
        akl_claims_aud(out, "aud", claims->pod_aud);
    }

    akl_json_out_int(out, "iat", claims->iat);
    akl_json_out_int(out, "nbf", claims->iat - AKL_CLAIMS_NBF);
    akl_json_out_int(out, "exp", claims->exp);
    akl_json_out_str(out, "jti", claims->jti);

    if (claims->certificate.len) {
        akl_json_out_open(out, "cnf", '{');
        akl_json_out_str(out, "x5t#S256", claims->certificate);
        akl_json_out_close(out, '}');
    }

    akl_claims_member(out, "service_account_name", id->sa_name);
    akl_claims_member(out, "service_account_uid", id->sa_uid);
    akl_claims_member(out, "service_account_secret_name", id->secret_name);
    akl_claims_member(out, "namespace", id->namespace);
    akl_claims_member(out, "pod_name", id->pod_name);
    akl_claims_member(out, "pod_uid", id->pod_uid);
    akl_claims_member(out, "node_name", id->node_name);

    akl_json_out_str(out, "access_id", claims->access_id);

    if (!akl_claims_named(claims, akl_str("config_name"))) {
        akl_json_out_str(out, "config_name", claims->config_name);
    }

    for (i = 0; i < claims->n_extra; i++) {
        n = snprintf(name, sizeof(name), "%.*s",
                     (int) claims->extra[i].name.len,
                     (const char *) claims->extra[i].name.data);

        if (n > 0 && (size_t) n < sizeof(name)) {
            akl_json_out_str(out, name, claims->extra[i].value);
        }
    }

    akl_json_out_close(out, '}');
}


static int
akl_claims_named(const akl_claims_t *claims, akl_str_t name)
{
    size_t  i;

    for (i = 0; i < claims->n_extra; i++) {
        if (akl_str_eq(claims->extra[i].name, name)) {
            return 1;
        }
    }

    return 0;
}


static void
akl_claims_member(akl_json_out_t *out, const char *key, akl_str_t value)
{
    if (value.len) {
        akl_json_out_str(out, key, value);
    }
}


static void
akl_claims_aud(akl_json_out_t *out, const char *key, akl_str_t json)
{
    if (json.len) {
        akl_json_out_raw(out, key, json);
    }
}


const char *
akl_claims_check(akl_str_t name)
{
    size_t  i;

    static const char  *own[] = {
        "iss", "sub", "aud", "k8s_aud", "iat", "nbf", "exp", "jti", "cnf",
        "service_account_name", "service_account_uid",
        "service_account_secret_name", "namespace", "pod_name", "pod_uid",
        "node_name", "access_id", NULL
    };

    if (name.len == 0) {
        return "has no name";
    }

    if (name.len > AKL_CLAIM_NAME_MAX) {
        return "has a name longer than 255 bytes";
    }

    for (i = 0; i < name.len; i++) {
        if (name.data[i] <= ' ' || name.data[i] == 0x7f) {
            return "has a name with white space or control characters";
        }
    }

    for (i = 0; own[i]; i++) {
        if (strlen(own[i]) == name.len
            && memcmp(own[i], name.data, name.len) == 0)
        {
            return "is set by the module itself";
        }
    }

    return NULL;
}
