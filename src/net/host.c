/*
 * Hosts as they are configured.
 */

#include <ngx_config.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include "../k8s/host.h"
#include "client.h"


static char *ngx_akl_host_take(ngx_conf_t *cf, ngx_str_t *url,
    ngx_uint_t defer, ngx_akl_host_t *host, const akl_host_t *parsed);
static akl_str_t ngx_akl_host_text(ngx_str_t *url);
static char *ngx_akl_host_resolve(ngx_conf_t *cf, ngx_akl_host_t *host);


char *
ngx_akl_host_parse(ngx_conf_t *cf, ngx_str_t *url, ngx_uint_t defer,
    ngx_akl_host_t *host)
{
    akl_host_t   parsed;
    const char  *cause;

    cause = akl_host_parse(ngx_akl_host_text(url), &parsed);

    return cause ? (char *) cause
                 : ngx_akl_host_take(cf, url, defer, host, &parsed);
}


char *
ngx_akl_proxy_parse(ngx_conf_t *cf, ngx_str_t *url, ngx_uint_t defer,
    ngx_akl_host_t *host)
{
    akl_host_t   parsed;
    const char  *cause;

    cause = akl_host_proxy(ngx_akl_host_text(url), &parsed);

    return cause ? (char *) cause
                 : ngx_akl_host_take(cf, url, defer, host, &parsed);
}


static akl_str_t
ngx_akl_host_text(ngx_str_t *url)
{
    akl_str_t  text;

    text.data = url->data;
    text.len = url->len;

    return text;
}


static char *
ngx_akl_host_take(ngx_conf_t *cf, ngx_str_t *url, ngx_uint_t defer,
    ngx_akl_host_t *host, const akl_host_t *parsed)
{
    ngx_addr_t  addr;

    ngx_memzero(host, sizeof(ngx_akl_host_t));

    host->url = *url;
    host->host.data = (u_char *) parsed->host.data;
    host->host.len = parsed->host.len;
    host->prefix.data = (u_char *) parsed->prefix.data;
    host->prefix.len = parsed->prefix.len;
    host->port = (in_port_t) parsed->port;

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

    if (parsed->brackets) {
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

    if (info->version_num < 0x075000) {
        return "libcurl 7.80 or later is needed";
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
