/*
 * akl_k8s_auth_method: who may log in.
 */

#include <ngx_config.h>

#include "../../k8s/time.h"
#include "conf.h"
#include "main.h"


/* a directive of akl_k8s_auth_method, as the block's table calls it */

#define ngx_http_akl_k8s_method_setter(name)                                  \
    char *ngx_http_akl_k8s_method_##name(ngx_conf_t *cf,                      \
        ngx_http_akl_k8s_block_t *block, ngx_str_t *args, ngx_uint_t n)


static ngx_http_akl_k8s_method_setter(namespaces);
static ngx_http_akl_k8s_method_setter(pods);
static ngx_http_akl_k8s_method_setter(accounts);
static ngx_http_akl_k8s_method_setter(selector);
static ngx_http_akl_k8s_method_setter(ips);
static ngx_http_akl_k8s_method_setter(audience);
static ngx_http_akl_k8s_method_setter(expires);
static ngx_http_akl_k8s_method_setter(ttl);
static ngx_http_akl_k8s_method_setter(key);
static void ngx_http_akl_k8s_method_cleanup(void *data);


/* name, arguments at least and at most, may be repeated, setter */

#define ngx_http_akl_k8s_row(name, min, max, repeat, set)                     \
    { ngx_string(name), min, max, repeat, ngx_http_akl_k8s_method_##set }


const ngx_http_akl_k8s_directive_t  ngx_http_akl_k8s_method_table[] = {
    ngx_http_akl_k8s_row("bound_namespaces", 0, NGX_HTTP_AKL_K8S_MANY, 1,
                         namespaces),
    ngx_http_akl_k8s_row("bound_pod_names", 0, NGX_HTTP_AKL_K8S_MANY, 1, pods),
    ngx_http_akl_k8s_row("bound_sa_names", 0, NGX_HTTP_AKL_K8S_MANY, 1,
                         accounts),
    ngx_http_akl_k8s_row("bound_namespace_selector", 0, NGX_HTTP_AKL_K8S_MANY,
                         1, selector),
    ngx_http_akl_k8s_row("bound_ips", 0, NGX_HTTP_AKL_K8S_MANY, 1, ips),
    ngx_http_akl_k8s_row("audience", 1, NGX_HTTP_AKL_K8S_MANY, 0, audience),
    ngx_http_akl_k8s_row("access_expires", 1, 1, 0, expires),
    ngx_http_akl_k8s_row("token_ttl", 1, 1, 0, ttl),
    ngx_http_akl_k8s_row("public_key", 1, 1, 0, key),
    { ngx_null_string, 0, 0, 0, NULL }
};


char *
ngx_http_akl_k8s_auth_method(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    const char                  *cause;
    ngx_http_akl_k8s_block_t     block;
    ngx_http_akl_k8s_method_t   *method, **methods;

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "has an empty access id";
    }

    methods = amcf->methods.elts;

    for (i = 0; i < amcf->methods.nelts; i++) {
        if (methods[i]->id.len == value[1].len
            && ngx_strcmp(methods[i]->id.data, value[1].data) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate akl_k8s_auth_method \"%V\"",
                               &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    cause = akl_access_id_check(ngx_http_akl_k8s_str(&value[1]));

    if (cause) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "access id \"%V\" of \"akl_k8s_auth_method\" %s, "
                           "some clients will refuse it",
                           &value[1], cause);
    }

    method = ngx_pcalloc(cf->pool, sizeof(ngx_http_akl_k8s_method_t));
    if (method == NULL) {
        return NGX_CONF_ERROR;
    }

    method->id = value[1];
    method->token_ttl = 15 * 60;
    ngx_http_akl_k8s_here(cf, &method->where);

    methods = ngx_array_push(&amcf->methods);
    if (methods == NULL) {
        return NGX_CONF_ERROR;
    }

    *methods = method;

    ngx_memzero(&block, sizeof(ngx_http_akl_k8s_block_t));
    ngx_str_set(&block.name, "akl_k8s_auth_method");
    block.directives = ngx_http_akl_k8s_method_table;
    block.conf = method;

    return ngx_http_akl_k8s_block(cf, &block);
}


static ngx_http_akl_k8s_method_setter(namespaces)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    return ngx_http_akl_k8s_globs(cf, block->directive, AKL_NAME_NAMESPACE,
                                  &method->bounds.namespaces, args, n);
}


static ngx_http_akl_k8s_method_setter(pods)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    return ngx_http_akl_k8s_globs(cf, block->directive, AKL_NAME_POD,
                                  &method->bounds.pod_names, args, n);
}


static ngx_http_akl_k8s_method_setter(accounts)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    return ngx_http_akl_k8s_globs(cf, block->directive,
                                  AKL_NAME_SERVICE_ACCOUNT,
                                  &method->bounds.sa_names, args, n);
}


static ngx_http_akl_k8s_method_setter(selector)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    ngx_uint_t       i;
    const char      *cause;
    akl_label_t     *elts;
    akl_selector_t  *selector;

    if (n == 0) {
        return "has an empty list";
    }

    selector = &method->bounds.selector;

    elts = ngx_palloc(cf->pool, (selector->n + n) * sizeof(akl_label_t));
    if (elts == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < selector->n; i++) {
        elts[i] = selector->elts[i];
    }

    selector->elts = elts;

    for (i = 0; i < n; i++) {
        cause = akl_label_parse(ngx_http_akl_k8s_str(&args[i]),
                                &elts[selector->n]);

        if (cause == NULL
            && akl_selector_find(selector, elts[selector->n].key))
        {
            cause = AKL_LABEL_TWICE;
        }

        if (cause) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid label \"%V\" in "
                               "\"bound_namespace_selector\": %s", &args[i],
                               cause);
            return NGX_CONF_ERROR;
        }

        selector->n++;
    }

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_method_setter(ips)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    ngx_uint_t   i;
    ngx_cidr_t  *cidr;
    akl_cidr_t   parsed;
    const char  *cause;

    if (n == 0) {
        return "has an empty list";
    }

    if (method->bound_ips == NULL) {
        method->bound_ips = ngx_array_create(cf->pool, n, sizeof(ngx_cidr_t));
        if (method->bound_ips == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < n; i++) {
        cause = akl_cidr_parse(ngx_http_akl_k8s_str(&args[i]), &parsed);

        if (cause) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address or CIDR \"%V\" in "
                               "\"bound_ips\": %s", &args[i], cause);
            return NGX_CONF_ERROR;
        }

        if (parsed.low_bits) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of \"%V\" in \"bound_ips\" "
                               "are meaningless", &args[i]);
        }

        cidr = ngx_array_push(method->bound_ips);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(cidr, sizeof(ngx_cidr_t));

        if (!parsed.ipv6) {
            cidr->family = AF_INET;
            ngx_memcpy(&cidr->u.in.addr, parsed.addr, 4);
            ngx_memcpy(&cidr->u.in.mask, parsed.mask, 4);
            continue;
        }

#if (NGX_HAVE_INET6)
        cidr->family = AF_INET6;
        ngx_memcpy(&cidr->u.in6.addr, parsed.addr, 16);
        ngx_memcpy(&cidr->u.in6.mask, parsed.mask, 16);
#else
        return "holds an IPv6 address, which this nginx does not know";
#endif
    }

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_method_setter(audience)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    return ngx_http_akl_k8s_texts(cf, block->directive, "audience",
                                  akl_check_audience, &method->audiences, args,
                                  n);
}


static ngx_http_akl_k8s_method_setter(expires)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    int64_t  seconds;

    if (akl_time_parse(ngx_http_akl_k8s_str(&args[0]), &seconds) != 0) {
        return "is neither RFC 3339 (2027-01-01T00:00:00Z) nor seconds since "
               "the epoch";
    }

    method->access_expires = (time_t) seconds;

    if (method->access_expires && method->access_expires <= ngx_time()) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"access_expires\" of akl_k8s_auth_method \"%V\" "
                           "is in the past: all logins are refused",
                           &method->id);
    }

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_method_setter(ttl)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    method->token_ttl = ngx_http_akl_k8s_parse_time(cf, block->directive,
                                                    &args[0], 1, 1);

    return (method->token_ttl == (time_t) NGX_ERROR) ? NGX_CONF_ERROR
                                                     : NGX_CONF_OK;
}


static ngx_http_akl_k8s_method_setter(key)
{
    ngx_http_akl_k8s_method_t  *method = block->conf;

    const char                 *cause;
    ngx_pool_cleanup_t         *cln;
    ngx_http_akl_k8s_source_t   src;

    if (ngx_http_akl_k8s_source(cf, block->directive, &args[0],
                                AKL_CREDENTIAL_PEM, &src)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(akl_jwk_t));
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(cln->data, sizeof(akl_jwk_t));
    cln->handler = ngx_http_akl_k8s_method_cleanup;

    if (akl_jwk_public_from_pem(cln->data, ngx_http_akl_k8s_str(&src.text),
                                &cause)
        != 0)
    {
        return ngx_http_akl_k8s_source_cause(cf, NGX_LOG_EMERG, &src, cause,
                             akl_look_text(AKL_USE_PUBLIC_KEY,
                                           ngx_http_akl_k8s_str(&src.text)));
    }

    method->public_key = cln->data;

    return NGX_CONF_OK;
}


static void
ngx_http_akl_k8s_method_cleanup(void *data)
{
    akl_jwk_clear(data);
}
