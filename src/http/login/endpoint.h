/*
 * The token endpoint and its dialects.  A dialect turns a request into a form
 * and an outcome into an answer; the login between them knows of neither.
 */

#ifndef NGX_HTTP_AKL_K8S_ENDPOINT_H
#define NGX_HTTP_AKL_K8S_ENDPOINT_H

#include <ngx_config.h>

#include "../../jose/doc.h"
#include "../module.h"
#include "../respond.h"


#define NGX_HTTP_AKL_K8S_BODY_MAX  32768


/* what a client asked for; strings in the request's pool or body */

typedef struct {
    ngx_http_akl_k8s_config_t   *config;
    ngx_str_t                    token;
    uint64_t                     audiences;     /* those asked for, as login
                                                   has them; 0: none */
    ngx_uint_t                   access_token;  /* oauth: that type asked */
    ngx_uint_t                   basic;         /* oauth: by HTTP Basic */

    /* why not, where parsing failed */
    akl_reason_t                 reason;
    ngx_uint_t                   status;        /* 0: the reason's */
    const char                  *error;         /* oauth's code, or NULL */
    const char                  *detail;        /* a sentence, or NULL */
    const char                  *cause;         /* for the log, or NULL */
} ngx_http_akl_k8s_form_t;


typedef struct {
    ngx_uint_t    methods;                      /* NGX_HTTP_POST|... */

    /* "body" may be empty; fills the form, also on failure */
    void        (*parse)(ngx_http_request_t *r, ngx_str_t *body,
                     ngx_http_akl_k8s_form_t *form);

    /* bodies, of a form as "data" */
    ngx_http_akl_k8s_write_pt   success;
    ngx_http_akl_k8s_write_pt   failure;

    /* the status of this dialect in place of 401 and of 403, or 0 */
    ngx_uint_t    unauthorized;
    ngx_uint_t    forbidden;

    unsigned      aliased:1;                    /* the answer depends on the
                                                   verdict alone */
    unsigned      unchallenged:1;               /* WWW-Authenticate is never
                                                   sent */
} ngx_http_akl_k8s_dialect_t;


extern const ngx_http_akl_k8s_dialect_t  ngx_http_akl_k8s_akeyless;
extern const ngx_http_akl_k8s_dialect_t  ngx_http_akl_k8s_vault;
extern const ngx_http_akl_k8s_dialect_t  ngx_http_akl_k8s_oauth;


/* Marks a form as failed; "detail" (or NULL: the reason's own) is static. */
void ngx_http_akl_k8s_form_fail(ngx_http_akl_k8s_form_t *form,
    akl_reason_t reason, const char *detail);

/*
 * Finds the config that a request names, or takes the one that the location
 * pins, where any other name is the client's own word for itself; but the
 * name of another config is noted in the context, and refused by the login.
 * "name" and "access_id" of len 0 were not sent.  An unknown name and a wrong
 * access id fail the form alike, so that nobody finds names by trying; the
 * cause for the log tells them apart.
 */
void ngx_http_akl_k8s_form_config(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, akl_str_t name, akl_str_t access_id);

/* Reads a dialect's members from a document that goes when it returns. */
typedef void (*ngx_http_akl_k8s_form_json_pt)(ngx_http_request_t *r,
    akl_doc_t *doc, ngx_http_akl_k8s_form_t *form);

/*
 * Reads a body that has to be a JSON object, whatever type it claims, and has
 * "members" fill the form from it.
 */
void ngx_http_akl_k8s_form_json(ngx_http_request_t *r, ngx_str_t *body,
    ngx_http_akl_k8s_form_t *form, ngx_http_akl_k8s_form_json_pt members);

/*
 * Takes the pod token as clients send it, raw or base64, with white space
 * around or inside.  Decodes in the request's pool.
 */
void ngx_http_akl_k8s_form_token(ngx_http_request_t *r,
    ngx_http_akl_k8s_form_t *form, akl_str_t value);

/* The sentence for people: the form's detail, else the reason's text. */
akl_str_t ngx_http_akl_k8s_form_sentence(ngx_http_akl_k8s_form_t *form);


/* What akl_k8s_auth serves, and the body of internal_error in its dialect. */
ngx_int_t ngx_http_akl_k8s_auth_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_auth_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);


#endif /* NGX_HTTP_AKL_K8S_ENDPOINT_H */
