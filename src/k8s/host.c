/*
 * The URL of an API server.
 */

#include <arpa/inet.h>
#include <strings.h>

#include "host.h"


#define AKL_HOST_SCHEME        "https://"
#define AKL_HOST_PROXY_SCHEME  "http://"

#define AKL_HOST_HTTPS         443      /* ports, where none is given */
#define AKL_HOST_HTTP          80


static const char *akl_host_rest(const unsigned char *p,
    const unsigned char *last, akl_host_t *host);
static int akl_host_bare_ipv6(const unsigned char *p, size_t len);
static int akl_host_port(const unsigned char *p, size_t len, unsigned *port);


const char *
akl_host_parse(akl_str_t url, akl_host_t *host)
{
    const unsigned char  *p, *last, *end;

    memset(host, 0, sizeof(akl_host_t));

    if (url.len < sizeof(AKL_HOST_SCHEME) - 1
        || strncasecmp((const char *) url.data, AKL_HOST_SCHEME,
                       sizeof(AKL_HOST_SCHEME) - 1)
           != 0)
    {
        return "must begin with \"https://\"";
    }

    p = url.data + sizeof(AKL_HOST_SCHEME) - 1;
    last = url.data + url.len;

    while (last > p && last[-1] == '/') {
        last--;
    }

    for (end = p; end < last; end++) {

        if (*end <= ' ' || *end >= 0x7f || strchr("@?#\\\"", *end)) {
            return "must be https://host[:port][/path], without user, query "
                   "or fragment";
        }
    }

    for (end = p; end < last && *end != '/'; end++) { /* void */ }

    host->prefix.data = end;
    host->prefix.len = last - end;
    host->port = AKL_HOST_HTTPS;

    return akl_host_rest(p, end, host);
}


const char *
akl_host_proxy(akl_str_t url, akl_host_t *host)
{
    const unsigned char  *p, *last, *end;

    memset(host, 0, sizeof(akl_host_t));

    if (url.len < sizeof(AKL_HOST_PROXY_SCHEME) - 1
        || strncasecmp((const char *) url.data, AKL_HOST_PROXY_SCHEME,
                       sizeof(AKL_HOST_PROXY_SCHEME) - 1)
           != 0)
    {
        return "must begin with \"http://\", other kinds of proxies are not "
               "supported";
    }

    p = url.data + sizeof(AKL_HOST_PROXY_SCHEME) - 1;
    last = url.data + url.len;

    while (last > p && last[-1] == '/') {
        last--;
    }

    for (end = p; end < last; end++) {

        if (*end <= ' ' || *end >= 0x7f || strchr("@?#\\\"/", *end)) {
            return "must be http://host[:port], without user or path";
        }
    }

    host->port = AKL_HOST_HTTP;

    return akl_host_rest(p, last, host);
}


/* host[:port] */

static const char *
akl_host_rest(const unsigned char *p, const unsigned char *last,
    akl_host_t *host)
{
    const unsigned char  *end;

    host->brackets = (p < last && *p == '[');

    if (host->brackets) {
        end = memchr(p, ']', last - p);

        if (end == NULL) {
            return "has an address without \"]\"";
        }

        host->host.data = p + 1;
        host->host.len = end - p - 1;
        end++;

    } else {

        if (akl_host_bare_ipv6(p, last - p)) {
            return "has an IPv6 address without brackets, it is written as "
                   "in https://[fd00::1]:6443";
        }

        end = (p < last) ? memchr(p, ':', last - p) : NULL;

        if (end == NULL) {
            end = last;
        }

        host->host.data = p;
        host->host.len = end - p;
    }

    if (host->host.len == 0) {
        return "has no host";
    }

    if (end < last) {

        if (*end != ':') {
            return "has something behind its address";
        }

        if (akl_host_port(end + 1, last - end - 1, &host->port) != 0) {
            return "has an invalid port";
        }
    }

    return NULL;
}


/* with or without a port, which cannot be told from the address's end */

static int
akl_host_bare_ipv6(const unsigned char *p, size_t len)
{
    char             buf[INET6_ADDRSTRLEN];
    size_t           i, colons;
    struct in6_addr  addr;

    colons = 0;

    for (i = 0; i < len; i++) {
        colons += (p[i] == ':');
    }

    if (colons < 2) {
        return 0;
    }

    if (len < sizeof(buf)) {
        memcpy(buf, p, len);
        buf[len] = '\0';

        if (inet_pton(AF_INET6, buf, &addr) == 1) {
            return 1;
        }
    }

    /* eight groups and a port */

    for (i = 0; i < len; i++) {
        if (p[i] != ':' && (p[i] < '0' || p[i] > '9')
            && ((p[i] | 0x20) < 'a' || (p[i] | 0x20) > 'f'))
        {
            return 0;
        }
    }

    return 1;
}


static int
akl_host_port(const unsigned char *p, size_t len, unsigned *port)
{
    size_t  i;

    *port = 0;

    if (len == 0 || len > 5) {
        return -1;
    }

    for (i = 0; i < len; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }

        *port = *port * 10 + (p[i] - '0');
    }

    return (*port < 1 || *port > 65535) ? -1 : 0;
}
