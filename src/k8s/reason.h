/*
 * Why a request was refused or could not be served: one list for error
 * bodies, logs, metrics and the documentation.
 */

#ifndef AKL_REASON_H
#define AKL_REASON_H

#include "../jose/str.h"


/* kinds: who has to act */

typedef enum {
    AKL_KIND_OK = 0,
    AKL_KIND_REQUEST,       /* the caller's request is malformed */
    AKL_KIND_REFUSED,       /* the token or its binding was refused */
    AKL_KIND_OUTAGE         /* nothing was established: ours or the API's */
} akl_kind_t;


/* X(symbol, code, HTTP status, kind, sentence) */

#define AKL_REASON_MAP(X)                                                     \
    X(OK, "ok", 200, OK, "the request was accepted")                          \
    X(REQUEST_MALFORMED, "request_malformed", 400, REQUEST,                   \
      "the request is not a valid login request")                             \
    X(CONFIG_UNKNOWN, "config_unknown", 401, REFUSED,                         \
      "the auth config or the access id is unknown")                          \
    X(TOKEN_MISSING, "token_missing", 401, REFUSED,                           \
      "no token was presented")                                               \
    X(TOKEN_MALFORMED, "token_malformed", 401, REFUSED,                       \
      "the token is not a well-formed JWT")                                   \
    X(TOKEN_TOO_LARGE, "token_too_large", 401, REFUSED,                       \
      "the token is too large")                                               \
    X(ALGORITHM_NOT_ALLOWED, "algorithm_not_allowed", 401, REFUSED,           \
      "the token's signature algorithm is not allowed")                       \
    X(ISSUER_MISMATCH, "issuer_mismatch", 401, REFUSED,                       \
      "the token's issuer is not one of the auth config's issuers")           \
    X(SIGNATURE_INVALID, "signature_invalid", 401, REFUSED,                   \
      "the token's signature is not valid")                                   \
    X(TOKEN_REJECTED, "token_rejected", 401, REFUSED,                         \
      "the Kubernetes API server does not accept the token")                  \
    X(TOKEN_EXPIRED, "token_expired", 401, REFUSED,                           \
      "the token has expired")                                                \
    X(TOKEN_NOT_YET_VALID, "token_not_yet_valid", 401, REFUSED,               \
      "the token is not valid yet")                                           \
    X(AUDIENCE_MISMATCH, "audience_mismatch", 401, REFUSED,                   \
      "the token is not meant for the required audience")                     \
    X(TOKEN_REVOKED, "token_revoked", 401, REFUSED,                           \
      "the token was revoked, or its pod, secret or account is gone")         \
    X(NOT_SERVICE_ACCOUNT, "not_service_account", 401, REFUSED,               \
      "the token does not belong to a service account")                       \
    X(CERTIFICATE_MISSING, "certificate_missing", 401, REFUSED,               \
      "no client certificate was presented, to which the token is bound")     \
    X(CERTIFICATE_MISMATCH, "certificate_mismatch", 401, REFUSED,             \
      "the token is not bound to the client certificate that was presented")  \
    X(NAMESPACE_NOT_BOUND, "namespace_not_bound", 403, REFUSED,               \
      "the namespace is not bound to the auth method")                        \
    X(POD_NOT_BOUND, "pod_not_bound", 403, REFUSED,                           \
      "the pod is not bound to the auth method")                              \
    X(SERVICE_ACCOUNT_NOT_BOUND, "service_account_not_bound", 403, REFUSED,   \
      "the service account is not bound to the auth method")                  \
    X(IP_NOT_BOUND, "ip_not_bound", 403, REFUSED,                             \
      "the client address is not bound to the auth method")                   \
    X(SUBJECT_INCOMPLETE, "subject_incomplete", 403, REFUSED,                 \
      "the token has no value for a part of the configured subject")          \
    X(ACCESS_EXPIRED, "access_expired", 403, REFUSED,                         \
      "the access of the auth method has expired")                            \
    X(CLAIM_NOT_ALLOWED, "claim_not_allowed", 403, REFUSED,                   \
      "a claim of the token is not allowed here")                             \
    X(REVIEWER_UNAUTHORIZED, "reviewer_unauthorized", 502, OUTAGE,            \
      "the Kubernetes API server does not accept the reviewer's credential")  \
    X(REVIEWER_FORBIDDEN, "reviewer_forbidden", 502, OUTAGE,                  \
      "the reviewer lacks a right at the Kubernetes API server")              \
    X(API_NOT_FOUND, "api_not_found", 502, OUTAGE,                            \
      "the TokenReview API was not found at the configured host")             \
    X(API_ERROR, "api_error", 502, OUTAGE,                                    \
      "the Kubernetes API server gave no usable answer")                      \
    X(API_THROTTLED, "api_throttled", 503, OUTAGE,                            \
      "the Kubernetes API server is throttling token reviews")                \
    X(API_UNREACHABLE, "api_unreachable", 503, OUTAGE,                        \
      "the Kubernetes API server cannot be reached")                          \
    X(API_TLS, "api_tls", 502, OUTAGE,                                        \
      "the Kubernetes API server's certificate could not be verified")        \
    X(API_TIMEOUT, "api_timeout", 504, OUTAGE,                                \
      "the Kubernetes API server did not answer in time")                     \
    X(OVERLOADED, "overloaded", 503, OUTAGE,                                  \
      "the gateway has no room for another token review")                     \
    X(INTERNAL_ERROR, "internal_error", 500, OUTAGE,                          \
      "an internal error occurred")


#define AKL_REASON_ENUM(symbol, code, status, kind, sentence)                 \
    AKL_##symbol,

typedef enum {
    AKL_REASON_MAP(AKL_REASON_ENUM)
    AKL_REASON_N
} akl_reason_t;


/*
 * Name of the reason as bodies, logs, metrics and docs spell it; the string
 * is static and also NUL-terminated.  "internal_error" for a value outside
 * the enum, as for all functions here.
 */
akl_str_t akl_reason_code(akl_reason_t reason);

/* One sentence for people: static, NUL-terminated, no full stop. */
akl_str_t akl_reason_text(akl_reason_t reason);

/* HTTP status of the answer: 200 to 504. */
unsigned akl_reason_status(akl_reason_t reason);

akl_kind_t akl_reason_kind(akl_reason_t reason);

/* The reason whose code is "code", or AKL_REASON_N if there is none. */
akl_reason_t akl_reason_find(akl_str_t code);


#endif /* AKL_REASON_H */
