/*
 * The discovery document of an issuer (OpenID Connect Discovery 1.0 section
 * 3, RFC 8414 section 2).
 */

#include <ngx_config.h>

#include "../../jose/json.h"
#include "discovery.h"


static size_t ngx_http_akl_k8s_discovery_write(u_char *buf, size_t size,
    ngx_str_t *jwks_uri, ngx_http_akl_k8s_config_t *config);


const char *
ngx_http_akl_k8s_discovery_build(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_http_akl_k8s_config_t *config)
{
    u_char     *p;
    size_t      len;
    ngx_str_t   uri;

    if (!ngx_http_akl_k8s_is_url(&config->token_issuer)) {
        return "needs an auth config whose \"token_issuer\" is an http or "
               "https URL";
    }

    uri = pub->jwks_uri;

    if (uri.len == 0) {

        /* beside this document, as relying parties will reach it */

        len = config->token_issuer.len;

        while (len && config->token_issuer.data[len - 1] == '/') {
            len--;
        }

        uri.len = len + sizeof("/.well-known/jwks.json") - 1;

        uri.data = ngx_pnalloc(cf->pool, uri.len);
        if (uri.data == NULL) {
            return "out of memory";
        }

        p = ngx_cpymem(uri.data, config->token_issuer.data, len);
        ngx_memcpy(p, "/.well-known/jwks.json",
                   sizeof("/.well-known/jwks.json") - 1);
    }

    len = ngx_http_akl_k8s_discovery_write(NULL, 0, &uri, config);

    pub->document.data = ngx_pnalloc(cf->pool, len);
    if (pub->document.data == NULL) {
        return "out of memory";
    }

    pub->document.len = ngx_http_akl_k8s_discovery_write(pub->document.data,
                                                         len, &uri, config);

    return NULL;
}


static size_t
ngx_http_akl_k8s_discovery_write(u_char *buf, size_t size,
    ngx_str_t *jwks_uri, ngx_http_akl_k8s_config_t *config)
{
    size_t          i;
    akl_str_t       alg;
    akl_json_out_t  out;
    const char     *name;
    ngx_uint_t      used, bit;

    static const char *claims[] = {
        "iss", "sub", "aud", "iat", "nbf", "exp", "jti", "namespace",
        "service_account_name", "service_account_uid", "pod_name", "pod_uid",
        "node_name", "access_id", "config_name"
    };

    akl_json_out_init(&out, buf, size);
    akl_json_out_open(&out, NULL, '{');

    akl_json_out_str(&out, "issuer",
                     ngx_http_akl_k8s_str(&config->token_issuer));
    akl_json_out_str(&out, "jwks_uri", ngx_http_akl_k8s_str(jwks_uri));

    akl_json_out_open(&out, "response_types_supported", '[');
    akl_json_out_str(&out, NULL, akl_str("id_token"));
    akl_json_out_close(&out, ']');

    akl_json_out_open(&out, "subject_types_supported", '[');
    akl_json_out_str(&out, NULL, akl_str("public"));
    akl_json_out_close(&out, ']');

    akl_json_out_open(&out, "id_token_signing_alg_values_supported", '[');

    used = 0;

    for (i = 0; i < config->keys.n; i++) {
        bit = (ngx_uint_t) 1 << config->keys.keys[i].alg;

        if (used & bit) {
            continue;
        }

        used |= bit;

        name = akl_alg_name(config->keys.keys[i].alg);
        alg.data = (const unsigned char *) name;
        alg.len = ngx_strlen(name);

        akl_json_out_str(&out, NULL, alg);
    }

    akl_json_out_close(&out, ']');

    akl_json_out_open(&out, "claims_supported", '[');

    for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        alg.data = (const unsigned char *) claims[i];
        alg.len = ngx_strlen(claims[i]);

        akl_json_out_str(&out, NULL, alg);
    }

    akl_json_out_close(&out, ']');
    akl_json_out_close(&out, '}');

    return out.len;
}


ngx_uint_t
ngx_http_akl_k8s_is_url(ngx_str_t *s)
{
    size_t  i, skip;

    if (s->len > 8 && ngx_strncasecmp(s->data, (u_char *) "https://", 8) == 0)
    {
        skip = 8;

    } else if (s->len > 7
               && ngx_strncasecmp(s->data, (u_char *) "http://", 7) == 0)
    {
        skip = 7;

    } else {
        return 0;
    }

    if (s->data[skip] == '/') {
        return 0;
    }

    for (i = skip; i < s->len; i++) {
        if (s->data[i] <= 0x20 || s->data[i] >= 0x7f || s->data[i] == '#') {
            return 0;
        }
    }

    return 1;
}
