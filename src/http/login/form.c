/*
 * What the dialects have in common: naming a config, the ways in which
 * clients wrap a pod token, and small parts of answers.
 */

#include <ngx_config.h>

#include "../../jose/base64.h"
#include "../request.h"
#include "../secret.h"
#include "endpoint.h"


static void ngx_http_akl_k8s_form_foreign(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, ngx_http_akl_k8s_config_t *config);
static void ngx_http_akl_k8s_form_unknown(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, akl_str_t name, akl_str_t access_id,
    const char *cause);


void
ngx_http_akl_k8s_form_fail(ngx_http_akl_k8s_form_t *form, akl_reason_t reason,
    const char *detail)
{
    form->reason = reason;
    form->detail = detail;
}


void
ngx_http_akl_k8s_form_config(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, akl_str_t name, akl_str_t access_id)
{
    ngx_str_t                      wanted;
    ngx_http_akl_k8s_config_t     *config;
    ngx_http_akl_k8s_loc_conf_t   *alcf;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);
    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    if (name.len) {
        wanted = ngx_http_akl_k8s_ngx_str(&name);
        config = ngx_http_akl_k8s_find_config(amcf, &wanted);

    } else {
        config = NULL;
    }

    if (alcf->auth_config) {

        /* any other name is the client's own word for itself */

        if (config && config != alcf->auth_config) {
            ngx_http_akl_k8s_form_foreign(r, form, config);
        }

        config = alcf->auth_config;

    } else if (name.len == 0) {
        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                   "the request names no auth config");
        return;

    } else if (config == NULL) {
        ngx_http_akl_k8s_form_unknown(r, form, name, access_id,
                                      "there is no such auth config");
        return;
    }

    if (access_id.len
        && (access_id.len != config->access_id.len
            || ngx_memcmp(access_id.data, config->access_id.data,
                          access_id.len)
               != 0))
    {
        ngx_http_akl_k8s_form_unknown(r, form,
                                      ngx_http_akl_k8s_str(&config->name),
                                      access_id,
                                "the auth config has another access id");
        return;
    }

    form->config = config;
}


/*
 * Another config of this gateway was asked for.  Told when the token has
 * proven good, so that nobody finds names by trying.
 */

static void
ngx_http_akl_k8s_form_foreign(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, ngx_http_akl_k8s_config_t *config)
{
    size_t                   size;
    u_char                  *p, name[NGX_HTTP_AKL_K8S_LOG_SIZE];
    ngx_http_akl_k8s_ctx_t  *ctx;

    size = sizeof("the location is for another auth config, asked for \"\"")
           + NGX_HTTP_AKL_K8S_LOG_SIZE;

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    p = ngx_pnalloc(r->pool, size);

    if (ctx == NULL || p == NULL) {
        ngx_http_akl_k8s_form_fail(form, AKL_INTERNAL_ERROR, NULL);
        return;
    }

    (void) ngx_snprintf(p, size, "the location is for another auth config, "
                        "asked for \"%s\"%Z",
                        ngx_http_akl_k8s_log_text(name,
                                      ngx_http_akl_k8s_str(&config->name)));

    ctx->foreign = (char *) p;
}


/* one answer for all of these; what was asked for is told to the log alone */

static void
ngx_http_akl_k8s_form_unknown(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, akl_str_t name, akl_str_t access_id,
    const char *cause)
{
    size_t                   size;
    u_char                  *p, id[NGX_HTTP_AKL_K8S_LOG_SIZE];
    ngx_http_akl_k8s_ctx_t  *ctx;

    ngx_http_akl_k8s_form_fail(form, AKL_CONFIG_UNKNOWN, NULL);
    form->cause = cause;

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return;
    }

    /* a byte more than is shown, so that it shows that there was more */

    name.len = ngx_min(name.len, NGX_HTTP_AKL_K8S_LOG_LEN + 1);

    ctx->asked.data = ngx_pnalloc(r->pool, name.len);
    if (ctx->asked.data) {
        ngx_memcpy(ctx->asked.data, name.data, name.len);
        ctx->asked.len = name.len;
    }

    if (access_id.len == 0) {
        return;
    }

    size = ngx_strlen(cause) + sizeof(", asked for access id \"\"")
           + NGX_HTTP_AKL_K8S_LOG_SIZE;

    p = ngx_pnalloc(r->pool, size);
    if (p) {
        (void) ngx_snprintf(p, size, "%s, asked for access id \"%s\"%Z", cause,
                            ngx_http_akl_k8s_log_text(id, access_id));
        form->cause = (char *) p;
    }
}


void
ngx_http_akl_k8s_form_json(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_akl_k8s_form_t *form, ngx_http_akl_k8s_form_json_pt members)
{
    akl_doc_t   doc;
    ngx_str_t   copy;

    switch (akl_doc_parse(&doc, ngx_http_akl_k8s_str(body))) {

    case 0:
        members(r, &doc, form);
        break;

    case AKL_DOC_MEMORY:
        ngx_http_akl_k8s_form_fail(form, AKL_INTERNAL_ERROR, NULL);
        break;

    default:
        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                   "the request body is not a JSON object, or "
                                   "a member is there twice");
    }

    if (form->reason == AKL_OK && form->token.len) {

        /* a raw token still belongs to the document */

        copy = form->token;
        form->token.data = ngx_http_akl_k8s_secret_copy(r->pool, &copy);

        if (form->token.data == NULL) {
            ngx_http_akl_k8s_form_fail(form, AKL_INTERNAL_ERROR, NULL);
        }
    }

    akl_doc_free(&doc);
}


void
ngx_http_akl_k8s_form_token(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, akl_str_t value)
{
    u_char   *p;
    ssize_t   n;

    while (value.len && value.data[value.len - 1] <= ' ') {
        value.len--;
    }

    while (value.len && value.data[0] <= ' ') {
        value.data++;
        value.len--;
    }

    if (value.len == 0) {
        ngx_http_akl_k8s_form_fail(form, AKL_TOKEN_MISSING, NULL);
        return;
    }

    /* a JWT has dots, base64 none */

    if (memchr(value.data, '.', value.len) == NULL) {

        p = ngx_http_akl_k8s_secret(r->pool,
                                    akl_base64_decoded_len(value.len));
        if (p == NULL) {
            ngx_http_akl_k8s_form_fail(form, AKL_INTERNAL_ERROR, NULL);
            return;
        }

        n = akl_base64_decode(p, value);

        if (n < 0) {
            ngx_http_akl_k8s_form_fail(form, AKL_TOKEN_MALFORMED, NULL);
            return;
        }

        value.data = p;
        value.len = n;

        while (value.len && value.data[value.len - 1] <= ' ') {
            value.len--;
        }

        if (value.len == 0) {
            ngx_http_akl_k8s_form_fail(form, AKL_TOKEN_MISSING, NULL);
            return;
        }
    }

    form->token.data = (u_char *) value.data;
    form->token.len = value.len;
}


akl_str_t
ngx_http_akl_k8s_form_sentence(ngx_http_akl_k8s_form_t *form)
{
    akl_str_t  text;

    if (form->detail == NULL) {
        return akl_reason_text(form->reason);
    }

    text.data = (const unsigned char *) form->detail;
    text.len = ngx_strlen(form->detail);

    return text;
}
