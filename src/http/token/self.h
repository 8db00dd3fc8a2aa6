/*
 * What Vault's clients ask of the token that they were given.
 */

#ifndef NGX_HTTP_AKL_K8S_SELF_H
#define NGX_HTTP_AKL_K8S_SELF_H

#include "../module.h"
#include "../../jose/json.h"


/*
 * What "akl_k8s_introspect vault" serves: GET is Vault's
 * auth/token/lookup-self, PUT and POST its auth/token/renew-self.
 */
ngx_int_t ngx_http_akl_k8s_self_handler(ngx_http_request_t *r);

/* The body of internal_error as Vault has it, for whatever "data". */
ngx_int_t ngx_http_akl_k8s_self_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);

/*
 * Answers a method that allow() let not pass as Vault does; "rc" is what it
 * returned, and anything but a refusal is handed on.  Returns what a content
 * handler returns.
 */
ngx_int_t ngx_http_akl_k8s_self_disallow(ngx_http_request_t *r, ngx_int_t rc);

/*
 * The token of X-Vault-Token, else a bearer's, in the request's memory: as
 * ngx_http_akl_k8s_bearer() gives it.
 */
akl_reason_t ngx_http_akl_k8s_self_token(ngx_http_request_t *r,
    ngx_str_t *token);

/*
 * Answers an outcome other than AKL_OK as Vault does: 403 for what others
 * answer 401, so that clients log in again, and no challenge, which Vault never
 * sends.  Returns what a content handler returns.
 */
ngx_int_t ngx_http_akl_k8s_self_refuse(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);

/*
 * The role of a config in the one spelling that is told, ACCESS_ID..NAME, in
 * the request's pool.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_self_role(ngx_http_request_t *r,
    ngx_http_akl_k8s_config_t *config, akl_str_t *role);

/*
 * Writes Vault's error body: "first" (NULL: nothing), then "CODE: TEXT" of a
 * reason, which is a member as well; of AKL_OK "text" alone.  Vault's clients
 * print the list and ignore the rest.
 */
void ngx_http_akl_k8s_self_write_errors(ngx_http_request_t *r,
    akl_json_out_t *out, const char *first, akl_reason_t reason,
    akl_str_t text);

/* Answers with that body.  Returns what a content handler returns. */
ngx_int_t ngx_http_akl_k8s_self_error(ngx_http_request_t *r, ngx_uint_t status,
    const char *first, akl_reason_t reason, akl_str_t text);


#endif /* NGX_HTTP_AKL_K8S_SELF_H */
