/*
 * Hosts as they are configured.
 */

#include "target.h"

#include <openssl/crypto.h>


static char *ngx_akl_host_resolve(ngx_conf_t *cf, ngx_akl_host_t *host);


char *
ngx_akl_host_parse(ngx_conf_t *cf, ngx_str_t *url, ngx_uint_t defer,
    ngx_akl_host_t *host)
{
    u_char      *p, *last, *end, ch;
    ngx_int_t    port;
    ngx_addr_t   addr;
    ngx_uint_t   brackets;

    ngx_memzero(host, sizeof(ngx_akl_host_t));

    if (url->len < 8 || ngx_strncasecmp(url->data, (u_char *) "https://", 8)
                        != 0)
    {
        return "must begin with \"https://\"";
    }

    host->url = *url;

    p = url->data + 8;
    last = url->data + url->len;

    while (last > p && last[-1] == '/') {
        last--;
    }

    for (end = p; end < last; end++) {
        ch = *end;

        if (ch <= ' ' || ch >= 0x7f || ch == '@' || ch == '?' || ch == '#'
            || ch == '\\' || ch == '"')
        {
            return "must be https://host[:port][/path], without user, query "
                   "or fragment";
        }
    }

    for (end = p; end < last && *end != '/'; end++) { /* void */ }

    host->prefix.data = end;
    host->prefix.len = last - end;

    last = end;
    brackets = (p < last && *p == '[');

    if (brackets) {
        end = ngx_strlchr(p, last, ']');

        if (end == NULL) {
            return "has an address without \"]\"";
        }

        host->host.data = p + 1;
        host->host.len = end - p - 1;
        end++;

    } else {
        end = ngx_strlchr(p, last, ':');

        if (end == NULL) {
            end = last;
        }

        host->host.data = p;
        host->host.len = end - p;
    }

    if (host->host.len == 0) {
        return "has no host";
    }

    host->port = 443;

    if (end < last) {

        if (*end != ':') {
            return "has something behind its address";
        }

        port = ngx_atoi(end + 1, last - end - 1);

        if (port < 1 || port > 65535) {
            return "has an invalid port";
        }

        host->port = (in_port_t) port;
    }

    if (ngx_parse_addr(cf->pool, &addr, host->host.data, host->host.len)
        == NGX_OK)
    {
        host->addrs = ngx_palloc(cf->pool, sizeof(ngx_addr_t));
        if (host->addrs == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_inet_set_port(addr.sockaddr, host->port);

        *host->addrs = addr;
        host->naddrs = 1;

        return NGX_CONF_OK;
    }

    if (brackets) {
        return "has no IPv6 address between its brackets";
    }

    return defer ? NGX_CONF_OK : ngx_akl_host_resolve(cf, host);
}


static char *
ngx_akl_host_resolve(ngx_conf_t *cf, ngx_akl_host_t *host)
{
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = host->host;
    u.host = host->host;
    u.default_port = host->port;
    u.port = host->port;

    if (ngx_inet_resolve_host(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        return "the name cannot be resolved, and there is no resolver";
    }

    host->addrs = u.addrs;
    host->naddrs = u.naddrs;

    return NGX_CONF_OK;
}


const char *
ngx_akl_client_check(void)
{
    const char              *p;
    curl_version_info_data  *info;

    info = curl_version_info(CURLVERSION_NOW);

    if (info->version_num < 0x074d00) {
        return "libcurl 7.77 or later is needed";
    }

    p = info->ssl_version;

    if (p == NULL || (ngx_strncmp(p, "OpenSSL/", 8) != 0
                      && ngx_strncmp(p, "quictls/", 8) != 0))
    {
        return "libcurl must use OpenSSL";
    }

    /* both halves share one copy of it */

    if (p[8] != (char) ('0' + (OpenSSL_version_num() >> 28))) {
        return "libcurl uses another major version of OpenSSL than nginx";
    }

    return NULL;
}
