/*
 * What the files of the configuration share: blocks, and where things stood.
 */

#ifndef NGX_HTTP_AKL_K8S_CONF_H
#define NGX_HTTP_AKL_K8S_CONF_H

#include <ngx_config.h>

#include "../../k8s/check.h"
#include "../../k8s/look.h"
#include "../cluster/source.h"
#include "../token/mint.h"
#include "../module.h"


/* The blocks, as nginx's table of commands has them. */

char *ngx_http_akl_k8s_auth_method(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_auth_config(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Where the configuration is being read. */
void ngx_http_akl_k8s_here(ngx_conf_t *cf, ngx_http_akl_k8s_where_t *where);

/*
 * The end of a message about a value that will not do: a question where the
 * value is the name of a directive, of any module of nginx's or of our blocks,
 * swallowed since a ';' before it is missing; else "".
 */
const char *ngx_http_akl_k8s_swallowed(ngx_conf_t *cf, ngx_str_t *value);


typedef struct ngx_http_akl_k8s_block_s  ngx_http_akl_k8s_block_t;


/*
 * A directive of a block: "set" gets the arguments behind its name and
 * returns NGX_CONF_OK, NGX_CONF_ERROR after logging, or a cause, which is
 * logged as: "NAME" cause in FILE:LINE.
 */
typedef struct {
    ngx_str_t     name;
    ngx_uint_t    min;                  /* arguments */
    ngx_uint_t    max;
    ngx_uint_t    repeat;               /* may stand there more than once */
    char       *(*set)(ngx_conf_t *cf, ngx_http_akl_k8s_block_t *block,
                     ngx_str_t *args, ngx_uint_t n);
} ngx_http_akl_k8s_directive_t;


/*
 * What may stand in the blocks; a name of len 0 ends it.  They are the "post"
 * of the blocks' own directives as well, where all of them are found.
 */
extern const ngx_http_akl_k8s_directive_t  ngx_http_akl_k8s_method_table[];
extern const ngx_http_akl_k8s_directive_t  ngx_http_akl_k8s_config_table[];


struct ngx_http_akl_k8s_block_s {
    ngx_str_t                            name;      /* of the directive */
    const ngx_http_akl_k8s_directive_t  *directives;
    ngx_str_t                           *directive; /* being read */
    uint64_t                             seen;      /* bit by index */
    void                                *conf;      /* method or config */
};


/* a k8s_host as given, parsed when the resolver is known */

typedef struct {
    ngx_str_t                            url;
    ngx_http_akl_k8s_where_t             where;
} ngx_http_akl_k8s_url_t;


/* longest wait that may be configured, so that no sum overflows */

#define NGX_HTTP_AKL_K8S_WAIT_MAX  (24 * 3600 * 1000)       /* ms */


/* what is only known of a config while its block is read */

typedef struct {
    ngx_http_akl_k8s_config_t           *config;
    ngx_str_t                            cluster_id;
    ngx_str_t                            mount;         /* in-cluster files */
    ngx_uint_t                           certificate;   /* k8s_auth_type */
    ngx_uint_t                           no_issuer;
    ngx_array_t                          verification;  /* of akl_jwk_t */
    ngx_http_akl_k8s_where_t             where_client;  /* certificate */
    ngx_http_akl_k8s_where_t             where_mount;   /* use_gw_... */
} ngx_http_akl_k8s_reading_t;


/* a directive of akl_k8s_auth_config, as the block's table calls it */

#define ngx_http_akl_k8s_setter(name)                                         \
    char *ngx_http_akl_k8s_config_##name(ngx_conf_t *cf,                      \
        ngx_http_akl_k8s_block_t *block, ngx_str_t *args, ngx_uint_t n)

/* those of reach.c */

ngx_http_akl_k8s_setter(server_name);
ngx_http_akl_k8s_setter(proxy);

/* those of token.c */

ngx_http_akl_k8s_setter(jwks);
ngx_http_akl_k8s_setter(token_issuer);
ngx_http_akl_k8s_setter(token_audiences);
ngx_http_akl_k8s_setter(token_subject);
ngx_http_akl_k8s_setter(token_binding);
ngx_http_akl_k8s_setter(token_claims);
ngx_http_akl_k8s_setter(cache);
ngx_http_akl_k8s_setter(timeout);
ngx_http_akl_k8s_setter(reviews);


#define ngx_http_akl_k8s_config_of(block)                                     \
    (((ngx_http_akl_k8s_reading_t *) (block)->conf)->config)


/* indices of the directives of akl_k8s_auth_config */

enum {
    NGX_HTTP_AKL_K8S_ACCESS_ID = 0,
    NGX_HTTP_AKL_K8S_SIGNING_KEY,
    NGX_HTTP_AKL_K8S_VERIFICATION_KEY,
    NGX_HTTP_AKL_K8S_CLUSTER_TYPE,
    NGX_HTTP_AKL_K8S_AUTH_TYPE,
    NGX_HTTP_AKL_K8S_HOST,
    NGX_HTTP_AKL_K8S_CA,
    NGX_HTTP_AKL_K8S_REVIEWER,
    NGX_HTTP_AKL_K8S_CLIENT_CERT,
    NGX_HTTP_AKL_K8S_CLIENT_KEY,
    NGX_HTTP_AKL_K8S_RANCHER_KEY,
    NGX_HTTP_AKL_K8S_RANCHER_CLUSTER,
    NGX_HTTP_AKL_K8S_IN_CLUSTER,
    NGX_HTTP_AKL_K8S_ISSUER
};


/*
 * The end of an akl_k8s_auth_config block: what is missing, what does not
 * belong together, defaults, in-cluster settings, the set of keys.
 */
char *ngx_http_akl_k8s_config_end(ngx_conf_t *cf,
    ngx_http_akl_k8s_block_t *block);

/*
 * Logs what is wrong with a source, or hardly meant (NGX_LOG_EMERG,
 * NGX_LOG_WARN), naming its file: 'DIRECTIVE "FILE": CAUSE'; "look" (or "")
 * ends it.  Returns NGX_CONF_ERROR.
 */
char *ngx_http_akl_k8s_source_cause(ngx_conf_t *cf, ngx_uint_t level,
    ngx_http_akl_k8s_source_t *src, const char *cause, const char *look);


/* 1 where the block's directive of that index was given */
#define ngx_http_akl_k8s_seen(block, index)                                   \
    (((block)->seen >> (index)) & 1)


/* Reads a block's directives, "include" among them. */
char *ngx_http_akl_k8s_block(ngx_conf_t *cf, ngx_http_akl_k8s_block_t *block);

/* values that a directive may have where any number will do */

#define NGX_HTTP_AKL_K8S_MANY  1000


/*
 * A directive's texts, each an "is" ("issuer") that "check" takes or refuses,
 * in place of those in "list": NGX_CONF_OK, or NGX_CONF_ERROR after logging.
 */
char *ngx_http_akl_k8s_texts(ngx_conf_t *cf, ngx_str_t *directive,
    const char *is, const char *(*check)(akl_str_t text, const char **warn),
    akl_list_t *list, ngx_str_t *args, ngx_uint_t n);

/*
 * A directive's globs on names of that kind, appended to "list": NGX_CONF_OK
 * or as "set".
 */
char *ngx_http_akl_k8s_globs(ngx_conf_t *cf, ngx_str_t *directive,
    akl_name_kind_t kind, akl_list_t *list, ngx_str_t *args, ngx_uint_t n);

/* "on" or "off": 1, 0, or NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_parse_flag(ngx_str_t *value);

/*
 * The checks that need all blocks: methods of configs, hosts, keys against
 * the method's; and the digest of each config.
 */
char *ngx_http_akl_k8s_check(ngx_conf_t *cf,
    ngx_http_akl_k8s_main_conf_t *amcf);

#endif /* NGX_HTTP_AKL_K8S_CONF_H */
