/*
 * Vault's kubernetes login: POST or PUT <prefix>/v1/auth/kubernetes/login.
 */

#include <ngx_config.h>

#include "../../jose/base64.h"
#include "../request.h"
#include "../token/self.h"
#include "endpoint.h"


static void ngx_http_akl_k8s_vault_parse(ngx_http_request_t *r,
    ngx_str_t *body, ngx_http_akl_k8s_form_t *form);
static void ngx_http_akl_k8s_vault_json(ngx_http_request_t *r,
    akl_doc_t *doc, ngx_http_akl_k8s_form_t *form);
static void ngx_http_akl_k8s_vault_role(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, akl_str_t role);
static ngx_uint_t ngx_http_akl_k8s_vault_split(akl_str_t role, akl_str_t *id,
    akl_str_t *name);
static ngx_int_t ngx_http_akl_k8s_vault_success(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);
static ngx_int_t ngx_http_akl_k8s_vault_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);


const ngx_http_akl_k8s_dialect_t  ngx_http_akl_k8s_vault = {
    NGX_HTTP_POST|NGX_HTTP_PUT,
    ngx_http_akl_k8s_vault_parse,
    ngx_http_akl_k8s_vault_success,
    ngx_http_akl_k8s_vault_failure,
    NGX_HTTP_FORBIDDEN,
    0,
    1,
    1
};


static void
ngx_http_akl_k8s_vault_parse(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_akl_k8s_form_t *form)
{
    /* Vault's clients send JSON under whatever type their library sets */

    ngx_http_akl_k8s_form_json(r, body, form, ngx_http_akl_k8s_vault_json);
}


static void
ngx_http_akl_k8s_vault_json(ngx_http_request_t *r, akl_doc_t *doc,
    ngx_http_akl_k8s_form_t *form)
{
    akl_str_t  role, jwt;

    if (akl_doc_string(doc, doc->nodes, "role", &role) < 0
        || akl_doc_string(doc, doc->nodes, "jwt", &jwt) < 0)
    {
        ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED,
                                   "a member of the request is no string");
        return;
    }

    ngx_http_akl_k8s_vault_role(r, form, role);

    if (form->reason == AKL_OK) {
        ngx_http_akl_k8s_form_token(r, form, jwt);
    }
}


/*
 * A config's name, ACCESS_ID..CONFIG_NAME, or base64 of that.  Where the
 * location settles the config, the id is no more than a part of the client's
 * own word for itself.
 */

static void
ngx_http_akl_k8s_vault_role(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, akl_str_t role)
{
    u_char                        *p;
    ssize_t                        n;
    akl_str_t                      plain, id, name;
    ngx_str_t                      wanted;
    ngx_http_akl_k8s_loc_conf_t   *alcf;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);
    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    id = akl_str("");
    name = role;

    wanted = ngx_http_akl_k8s_ngx_str(&role);

    if (role.len && ngx_http_akl_k8s_find_config(amcf, &wanted) == NULL
        && !ngx_http_akl_k8s_vault_split(role, &id, &name))
    {
        p = ngx_pnalloc(r->pool, akl_base64_decoded_len(role.len));
        if (p == NULL) {
            ngx_http_akl_k8s_form_fail(form, AKL_INTERNAL_ERROR, NULL);
            return;
        }

        n = akl_base64_decode(p, role);

        if (n > 0) {
            plain.data = p;
            plain.len = n;

            (void) ngx_http_akl_k8s_vault_split(plain, &id, &name);
        }
    }

    ngx_http_akl_k8s_form_config(r, form, name,
                                 alcf->auth_config ? akl_str("") : id);
}


/* 1 and the parts, or 0 and nothing changed */

static ngx_uint_t
ngx_http_akl_k8s_vault_split(akl_str_t role, akl_str_t *id, akl_str_t *name)
{
    size_t  i;

    for (i = 1; i + 2 < role.len; i++) {

        if (role.data[i] == '.' && role.data[i + 1] == '.') {
            id->data = role.data;
            id->len = i;

            name->data = role.data + i + 2;
            name->len = role.len - i - 2;

            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_akl_k8s_vault_success(ngx_http_request_t *r,
    akl_json_out_t *out, void *data)
{
    time_t                   lease;
    akl_str_t                role;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ngx_http_akl_k8s_self_role(r, ctx->config, &role) != NGX_OK) {
        return NGX_ERROR;
    }

    lease = ngx_max(ctx->token_expires - ngx_time(), 0);

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "request_id", ngx_http_akl_k8s_request_id(r));
    akl_json_out_str(out, "lease_id", akl_str(""));
    akl_json_out_raw(out, "renewable", akl_str("false"));
    akl_json_out_int(out, "lease_duration", 0);
    akl_json_out_raw(out, "data", akl_str("null"));

    akl_json_out_open(out, "auth", '{');
    akl_json_out_str(out, "client_token", ngx_http_akl_k8s_str(&ctx->token));
    akl_json_out_str(out, "accessor", akl_str(""));
    akl_json_out_raw(out, "policies", akl_str("[]"));
    akl_json_out_raw(out, "token_policies", akl_str("[]"));

    akl_json_out_open(out, "metadata", '{');
    akl_json_out_str(out, "role", role);
    akl_json_out_str(out, "service_account_name", ctx->identity.sa_name);
    akl_json_out_str(out, "service_account_namespace",
                     ctx->identity.namespace);
    akl_json_out_str(out, "service_account_uid", ctx->identity.sa_uid);
    akl_json_out_str(out, "service_account_secret_name",
                     ctx->identity.secret_name);
    akl_json_out_close(out, '}');

    akl_json_out_int(out, "lease_duration", lease);
    akl_json_out_raw(out, "renewable", akl_str("false"));
    akl_json_out_str(out, "entity_id", akl_str(""));
    akl_json_out_str(out, "token_type", akl_str("batch"));
    akl_json_out_raw(out, "orphan", akl_str("true"));
    akl_json_out_close(out, '}');

    akl_json_out_close(out, '}');

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_vault_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data)
{
    ngx_http_akl_k8s_form_t *form = data;

    ngx_http_akl_k8s_self_write_errors(r, out, NULL, form->reason,
                                      ngx_http_akl_k8s_form_sentence(form));

    return NGX_OK;
}
