/*
 * The discovery document of an issuer (OpenID Connect Discovery 1.0 section
 * 3, RFC 8414 section 2).
 */

#include <ngx_config.h>

#include "../../jose/json.h"
#include "discovery.h"


static size_t ngx_http_akl_k8s_discovery_write(u_char *buf, size_t size,
    ngx_str_t *jwks_uri, ngx_http_akl_k8s_publication_t *pub,
    ngx_http_akl_k8s_config_t *config);
static void ngx_http_akl_k8s_discovery_endpoints(akl_json_out_t *out,
    ngx_http_akl_k8s_publication_t *pub);
static void ngx_http_akl_k8s_discovery_list(akl_json_out_t *out,
    const char *name, const char *value);


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

    len = ngx_http_akl_k8s_discovery_write(NULL, 0, &uri, pub, config);

    pub->document.data = ngx_pnalloc(cf->pool, len);
    if (pub->document.data == NULL) {
        return "out of memory";
    }

    pub->document.len = ngx_http_akl_k8s_discovery_write(pub->document.data,
                                                         len, &uri, pub,
                                                         config);

    return NULL;
}


static size_t
ngx_http_akl_k8s_discovery_write(u_char *buf, size_t size,
    ngx_str_t *jwks_uri, ngx_http_akl_k8s_publication_t *pub,
    ngx_http_akl_k8s_config_t *config)
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

    ngx_http_akl_k8s_discovery_endpoints(&out, pub);

    ngx_http_akl_k8s_discovery_list(&out, "response_types_supported",
                                    "id_token");
    ngx_http_akl_k8s_discovery_list(&out, "subject_types_supported", "public");

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

    if (config->token_binding) {
        akl_json_out_raw(&out, "tls_client_certificate_bound_access_tokens",
                         akl_str("true"));
    }

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


/*
 * RFC 8414 section 2.  None of them looks at a client's secret; what nginx
 * demands of those who introspect is not known here.
 */

static void
ngx_http_akl_k8s_discovery_endpoints(akl_json_out_t *out,
    ngx_http_akl_k8s_publication_t *pub)
{
    if (pub->token_endpoint.len) {
        akl_json_out_str(out, "token_endpoint",
                         ngx_http_akl_k8s_str(&pub->token_endpoint));
        ngx_http_akl_k8s_discovery_list(out, "grant_types_supported",
                           "urn:ietf:params:oauth:grant-type:token-exchange");
        ngx_http_akl_k8s_discovery_list(out,
                                       "token_endpoint_auth_methods_supported",
                                       "none");
    }

    if (pub->introspection_endpoint.len) {
        akl_json_out_str(out, "introspection_endpoint",
                         ngx_http_akl_k8s_str(&pub->introspection_endpoint));
    }

    if (pub->revocation_endpoint.len) {
        akl_json_out_str(out, "revocation_endpoint",
                         ngx_http_akl_k8s_str(&pub->revocation_endpoint));
        ngx_http_akl_k8s_discovery_list(out,
                                  "revocation_endpoint_auth_methods_supported",
                                  "none");
    }
}


static void
ngx_http_akl_k8s_discovery_list(akl_json_out_t *out, const char *name,
    const char *value)
{
    akl_str_t  text;

    text.data = (const unsigned char *) value;
    text.len = ngx_strlen(value);

    akl_json_out_open(out, name, '[');
    akl_json_out_str(out, NULL, text);
    akl_json_out_close(out, ']');
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
