/*
 * OAuth 2.0 token exchange (RFC 8693) with the errors of RFC 6749 section
 * 5.2.
 */

#include <ngx_config.h>

#include "../../k8s/pod_token.h"
#include "../body.h"
#include "../form.h"
#include "../request.h"
#include "endpoint.h"


#define NGX_HTTP_AKL_K8S_OAUTH_GRANT                                          \
    "urn:ietf:params:oauth:grant-type:token-exchange"
#define NGX_HTTP_AKL_K8S_OAUTH_JWT                                            \
    "urn:ietf:params:oauth:token-type:jwt"
#define NGX_HTTP_AKL_K8S_OAUTH_ACCESS                                         \
    "urn:ietf:params:oauth:token-type:access_token"
#define NGX_HTTP_AKL_K8S_OAUTH_ID                                             \
    "urn:ietf:params:oauth:token-type:id_token"


typedef struct {
    ngx_str_t   grant_type;
    ngx_str_t   subject_token;
    ngx_str_t   subject_token_type;
    ngx_str_t   requested_token_type;
    ngx_str_t   client_id;
    ngx_str_t   targets[NGX_HTTP_AKL_K8S_FORM_MANY];
    ngx_uint_t  ntargets;
} ngx_http_akl_k8s_oauth_args_t;


static void ngx_http_akl_k8s_oauth_parse(ngx_http_request_t *r,
    ngx_str_t *body, ngx_http_akl_k8s_form_t *form);
static void ngx_http_akl_k8s_oauth_basic(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, ngx_str_t *client_id);
static void ngx_http_akl_k8s_oauth_error(ngx_http_akl_k8s_form_t *form,
    const char *error, const char *detail);
static ngx_uint_t ngx_http_akl_k8s_oauth_targets(
    ngx_http_akl_k8s_form_t *form, ngx_http_akl_k8s_oauth_args_t *args);
static ngx_int_t ngx_http_akl_k8s_oauth_success(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);
static ngx_int_t ngx_http_akl_k8s_oauth_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);


const ngx_http_akl_k8s_dialect_t  ngx_http_akl_k8s_oauth = {
    NGX_HTTP_POST,
    ngx_http_akl_k8s_oauth_parse,
    ngx_http_akl_k8s_oauth_success,
    ngx_http_akl_k8s_oauth_failure,
    NGX_HTTP_BAD_REQUEST,
    NGX_HTTP_BAD_REQUEST,
    0,
    0
};


#define ngx_http_akl_k8s_oauth_is(s, text)                                    \
    ((s).len == sizeof(text) - 1                                              \
     && ngx_strncmp((s).data, text, sizeof(text) - 1) == 0)


static void
ngx_http_akl_k8s_oauth_parse(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_akl_k8s_form_t *form)
{
    ngx_int_t                      rc;
    const char                    *cause;
    ngx_http_akl_k8s_oauth_args_t  args;

    /* RFC 8693 section 2.1: the last two may be sent several times */

    const ngx_http_akl_k8s_param_t  params[] = {
        { ngx_string("grant_type"), &args.grant_type, NULL },
        { ngx_string("subject_token"), &args.subject_token, NULL },
        { ngx_string("subject_token_type"), &args.subject_token_type, NULL },
        { ngx_string("requested_token_type"), &args.requested_token_type,
          NULL },
        { ngx_string("client_id"), &args.client_id, NULL },
        { ngx_string("audience"), args.targets, &args.ntargets },
        { ngx_string("resource"), args.targets, &args.ntargets },
        { ngx_null_string, NULL, NULL }
    };

    if (ngx_http_akl_k8s_content_type(r, NGX_HTTP_AKL_K8S_FORM) != NGX_OK) {
        ngx_http_akl_k8s_oauth_error(form, "invalid_request",
                                     "the request body must be "
                                     NGX_HTTP_AKL_K8S_FORM);
        form->status = NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
        return;
    }

    ngx_memzero(&args, sizeof(ngx_http_akl_k8s_oauth_args_t));

    rc = ngx_http_akl_k8s_form_decode(r->pool, body, params, &cause);

    if (rc == NGX_DECLINED) {
        ngx_http_akl_k8s_oauth_error(form, "invalid_request", cause);
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_akl_k8s_form_fail(form, AKL_INTERNAL_ERROR, NULL);
        return;
    }

    ngx_http_akl_k8s_oauth_basic(r, form, &args.client_id);

    if (form->reason != AKL_OK) {
        return;
    }

    if (args.grant_type.len == 0) {
        ngx_http_akl_k8s_oauth_error(form, "invalid_request",
                                     "grant_type is missing");
        return;
    }

    if (!ngx_http_akl_k8s_oauth_is(args.grant_type,
                                   NGX_HTTP_AKL_K8S_OAUTH_GRANT))
    {
        ngx_http_akl_k8s_oauth_error(form, "unsupported_grant_type",
                                     "grant_type must be token-exchange");
        return;
    }

    /* the other two are what libraries call a JWT that they were given */

    if (!ngx_http_akl_k8s_oauth_is(args.subject_token_type,
                                   NGX_HTTP_AKL_K8S_OAUTH_JWT)
        && !ngx_http_akl_k8s_oauth_is(args.subject_token_type,
                                      NGX_HTTP_AKL_K8S_OAUTH_ID)
        && !ngx_http_akl_k8s_oauth_is(args.subject_token_type,
                                      NGX_HTTP_AKL_K8S_OAUTH_ACCESS))
    {
        ngx_http_akl_k8s_oauth_error(form, "invalid_request",
                                     "subject_token_type must be jwt, "
                                     "id_token or access_token");
        return;
    }

    if (ngx_http_akl_k8s_oauth_is(args.requested_token_type,
                                  NGX_HTTP_AKL_K8S_OAUTH_ACCESS))
    {
        form->access_token = 1;

    } else if (args.requested_token_type.len
               && !ngx_http_akl_k8s_oauth_is(args.requested_token_type,
                                             NGX_HTTP_AKL_K8S_OAUTH_JWT))
    {
        ngx_http_akl_k8s_oauth_error(form, "invalid_request",
                                     "requested_token_type must be jwt or "
                                     "access_token");
        return;
    }

    ngx_http_akl_k8s_form_config(r, form,
                                 ngx_http_akl_k8s_str(&args.client_id),
                                 akl_str(""));

    if (form->reason != AKL_OK) {
        return;
    }

    ngx_http_akl_k8s_form_token(r, form,
                                ngx_http_akl_k8s_str(&args.subject_token));

    if (form->reason != AKL_OK) {
        return;
    }

    if (!ngx_http_akl_k8s_oauth_targets(form, &args)) {
        ngx_http_akl_k8s_oauth_error(form, "invalid_target",
                                     "tokens for that audience or resource "
                                     "are not issued here");
    }
}


/*
 * The client id of HTTP Basic (RFC 6749 section 2.3.1): form-encoded inside.
 * The secret proves nothing here: the subject token does.
 */

static void
ngx_http_akl_k8s_oauth_basic(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, ngx_str_t *client_id)
{
    ngx_int_t   rc;
    ngx_str_t   id, *value;

    if (r->headers_in.authorization == NULL) {
        return;
    }

    value = &r->headers_in.authorization->value;

    if (value->len < 5
        || ngx_strncasecmp(value->data, (u_char *) "Basic", 5) != 0
        || (value->len > 5 && value->data[5] != ' '))
    {
        return;
    }

    /* RFC 6749 section 5.2: a client is challenged as it tried it */

    form->basic = 1;

    rc = ngx_http_auth_basic_user(r);

    if (rc == NGX_DECLINED) {
        goto malformed;
    }

    /* a copy: nginx keeps its own for $remote_user */

    id.len = r->headers_in.user.len;
    id.data = (rc == NGX_OK) ? ngx_pstrdup(r->pool, &r->headers_in.user)
                             : NULL;

    if (id.data == NULL) {
        ngx_http_akl_k8s_form_fail(form, AKL_INTERNAL_ERROR, NULL);
        return;
    }

    if (ngx_http_akl_k8s_form_unescape(&id) != NGX_OK) {
        goto malformed;
    }

    if (client_id->len
        && (client_id->len != id.len
            || ngx_memcmp(client_id->data, id.data, id.len) != 0))
    {
        ngx_http_akl_k8s_oauth_error(form, "invalid_request",
                                     "client_id is not that of HTTP Basic");
        return;
    }

    *client_id = id;

    return;

malformed:

    ngx_http_akl_k8s_oauth_error(form, "invalid_request",
                                 "HTTP Basic is not well encoded");
}


static void
ngx_http_akl_k8s_oauth_error(ngx_http_akl_k8s_form_t *form, const char *error,
    const char *detail)
{
    ngx_http_akl_k8s_form_fail(form, AKL_REQUEST_MALFORMED, detail);
    form->error = error;
}


/*
 * 1 where a token can be minted for all that was asked for; the form is told
 * which of the config's audiences these are.  The pod token's own audiences,
 * which a token has where the config has none, are only compared here: the
 * review follows.
 */

static ngx_uint_t
ngx_http_akl_k8s_oauth_targets(ngx_http_akl_k8s_form_t *form,
    ngx_http_akl_k8s_oauth_args_t *args)
{
    akl_str_t         target;
    ngx_uint_t        i, k, found;
    akl_list_t       *audiences;
    akl_pod_token_t   pod;

    if (args->ntargets == 0) {
        return 1;
    }

    audiences = &form->config->token_audiences;

    if (audiences->n) {

        for (i = 0; i < args->ntargets; i++) {
            target = ngx_http_akl_k8s_str(&args->targets[i]);

            for (k = 0; k < audiences->n; k++) {
                if (akl_str_eq(audiences->elts[k], target)) {
                    break;
                }
            }

            if (k == audiences->n) {
                return 0;
            }

            form->audiences |= (uint64_t) 1 << k;
        }

        return 1;
    }

    found = 1;

    /* what cannot be read is refused by the login, for its own reason */

    if (akl_pod_token_parse(&pod, ngx_http_akl_k8s_str(&form->token))
        == AKL_OK)
    {
        for (i = 0; found && i < args->ntargets; i++) {
            found = akl_pod_token_has_audience(&pod,
                                    ngx_http_akl_k8s_str(&args->targets[i]));
        }
    }

    akl_pod_token_clear(&pod);

    return found;
}


static ngx_int_t
ngx_http_akl_k8s_oauth_success(ngx_http_request_t *r,
    akl_json_out_t *out, void *data)
{
    ngx_http_akl_k8s_form_t *form = data;

    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "access_token", ngx_http_akl_k8s_str(&ctx->token));
    akl_json_out_str(out, "issued_token_type",
                     form->access_token ? akl_str(NGX_HTTP_AKL_K8S_OAUTH_ACCESS)
                                        : akl_str(NGX_HTTP_AKL_K8S_OAUTH_JWT));
    akl_json_out_str(out, "token_type", akl_str("Bearer"));
    akl_json_out_int(out, "expires_in",
                     ngx_max(ctx->token_expires - ngx_time(), 0));
    akl_json_out_close(out, '}');

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_oauth_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data)
{
    ngx_http_akl_k8s_form_t *form = data;

    akl_str_t  error;

    switch (akl_reason_kind(form->reason)) {

    case AKL_KIND_REQUEST:
        error = akl_str("invalid_request");
        break;

    case AKL_KIND_OUTAGE:
        error = (akl_reason_status(form->reason)
                 >= NGX_HTTP_SERVICE_UNAVAILABLE)
                ? akl_str("temporarily_unavailable")
                : akl_str("server_error");
        break;

    default:
        error = (form->reason == AKL_CONFIG_UNKNOWN)
                ? akl_str("invalid_client") : akl_str("invalid_grant");
        break;
    }

    if (form->error) {
        error.data = (const unsigned char *) form->error;
        error.len = ngx_strlen(form->error);
    }

    akl_json_out_open(out, NULL, '{');
    akl_json_out_str(out, "error", error);
    akl_json_out_str(out, "error_description",
                     ngx_http_akl_k8s_form_sentence(form));
    akl_json_out_str(out, "reason", akl_reason_code(form->reason));
    akl_json_out_str(out, "request_id", ngx_http_akl_k8s_request_id(r));
    akl_json_out_close(out, '}');

    return NGX_OK;
}
