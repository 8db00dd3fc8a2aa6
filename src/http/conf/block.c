/*
 * Blocks: akl_k8s_auth_method and akl_k8s_auth_config hold directives of
 * their own, read from tables.
 */

#include "conf.h"


static char *ngx_http_akl_k8s_block_line(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_akl_k8s_block_args(ngx_conf_t *cf,
    const ngx_http_akl_k8s_directive_t *d, ngx_str_t *args, ngx_uint_t n);
static ngx_uint_t ngx_http_akl_k8s_block_name(ngx_str_t *value);


char *
ngx_http_akl_k8s_block(ngx_conf_t *cf, ngx_http_akl_k8s_block_t *block)
{
    char        *rv;
    ngx_conf_t   save;

    save = *cf;

    cf->handler = ngx_http_akl_k8s_block_line;
    cf->handler_conf = (char *) block;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_http_akl_k8s_block_line(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_block_t *block = conf;

    char                                *rv;
    ngx_str_t                           *value;
    ngx_uint_t                           i, n;
    const ngx_http_akl_k8s_directive_t  *d;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (ngx_strcmp(value[0].data, "include") == 0) {

        if (n != 1) {
            return "invalid number of arguments in \"include\" directive";
        }

        return ngx_conf_include(cf, NULL, NULL);
    }

    for (i = 0; block->directives[i].name.len; i++) {
        d = &block->directives[i];

        if (d->name.len != value[0].len
            || ngx_strcmp(d->name.data, value[0].data) != 0)
        {
            continue;
        }

        if (ngx_http_akl_k8s_seen(block, i) && !d->repeat) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" directive is duplicate", &value[0]);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_akl_k8s_block_args(cf, d, &value[1], n)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        block->seen |= (uint64_t) 1 << i;
        block->directive = &value[0];

        rv = d->set(cf, block, &value[1], n);

        if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" directive %s",
                               &value[0], rv);
            return NGX_CONF_ERROR;
        }

        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in %V", &value[0],
                       &block->name);

    return NGX_CONF_ERROR;
}


/*
 * A forgotten ';' makes values of the directive that follows.  Where values
 * are any text, this would widen or narrow what they say, without a word.
 */

static char *
ngx_http_akl_k8s_block_args(ngx_conf_t *cf,
    const ngx_http_akl_k8s_directive_t *d, ngx_str_t *args, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; d->max > 1 || n > d->max ? i < n : 0; i++) {

        if (!ngx_http_akl_k8s_block_name(&args[i])) {
            continue;
        }

        /* the one that looks like a name may be meant, as the last value */

        if (i + 1 == n && ngx_strchr(args[i].data, '_') == NULL) {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" among the values of \"%V\" is a "
                           "directive, is a ';' missing before it?",
                           &args[i], &d->name);
        return NGX_CONF_ERROR;
    }

    if (n < d->min || n > d->max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%V\" directive",
                           &d->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* 1 where "value" is called as a directive of any of our blocks is */

static ngx_uint_t
ngx_http_akl_k8s_block_name(ngx_str_t *value)
{
    ngx_command_t                       *cmd;
    const ngx_http_akl_k8s_directive_t  *d;

    for (cmd = ngx_http_akl_k8s_module.commands; cmd->name.len; cmd++) {

        if (!(cmd->type & NGX_CONF_BLOCK)) {
            continue;
        }

        for (d = cmd->post; d->name.len; d++) {
            if (d->name.len == value->len
                && ngx_strcmp(d->name.data, value->data) == 0)
            {
                return 1;
            }
        }
    }

    return ngx_strcmp(value->data, "include") == 0;
}


const char *
ngx_http_akl_k8s_swallowed(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_uint_t      i;
    ngx_command_t  *cmd;

    if (ngx_http_akl_k8s_block_name(value)) {
        return ", is a ';' missing before it?";
    }

    for (i = 0; cf->cycle->modules[i]; i++) {

        cmd = cf->cycle->modules[i]->commands;

        for ( /* void */ ; cmd && cmd->name.len; cmd++) {

            if (cmd->name.len == value->len
                && ngx_memcmp(cmd->name.data, value->data, value->len) == 0)
            {
                return ", is a ';' missing before it?";
            }
        }
    }

    return "";
}


void
ngx_http_akl_k8s_here(ngx_conf_t *cf, ngx_http_akl_k8s_where_t *where)
{
    where->file = cf->conf_file->file.name;
    where->line = cf->conf_file->line;
}


char *
ngx_http_akl_k8s_globs(ngx_conf_t *cf, ngx_str_t *directive,
    akl_name_kind_t kind, akl_list_t *list, ngx_str_t *args, ngx_uint_t n)
{
    akl_str_t   *elts;
    ngx_uint_t   i;
    const char  *cause;

    elts = ngx_palloc(cf->pool, (list->n + n + 1) * sizeof(akl_str_t));
    if (elts == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < list->n; i++) {
        elts[i] = list->elts[i];
    }

    if (n == 0) {
        return "has an empty list";
    }

    for (i = 0; i < n; i++) {
        elts[list->n + i] = ngx_http_akl_k8s_str(&args[i]);

        cause = akl_check_bound(elts[list->n + i], kind);

        if (cause) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid glob \"%V\" in \"%V\": %s", &args[i],
                               directive, cause);
            return NGX_CONF_ERROR;
        }
    }

    list->elts = elts;
    list->n += n;

    return NGX_CONF_OK;
}


char *
ngx_http_akl_k8s_texts(ngx_conf_t *cf, ngx_str_t *directive, const char *is,
    const char *(*check)(akl_str_t text, const char **warn), akl_list_t *list,
    ngx_str_t *args, ngx_uint_t n)
{
    akl_str_t   *elts;
    ngx_uint_t   i;
    const char  *cause, *warn;

    elts = ngx_palloc(cf->pool, n * sizeof(akl_str_t));
    if (elts == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {
        elts[i] = ngx_http_akl_k8s_str(&args[i]);

        warn = NULL;
        cause = check(elts[i], &warn);

        if (cause) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid %s \"%V\" in \"%V\": %s", is, &args[i],
                               directive, cause);
            return NGX_CONF_ERROR;
        }

        if (warn) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "\"%V\" in \"%V\" %s",
                               &args[i], directive, warn);
        }
    }

    list->elts = elts;
    list->n = n;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_akl_k8s_parse_flag(ngx_str_t *value)
{
    if (ngx_strcasecmp(value->data, (u_char *) "on") == 0) {
        return 1;
    }

    return (ngx_strcasecmp(value->data, (u_char *) "off") == 0) ? 0
                                                                : NGX_ERROR;
}
