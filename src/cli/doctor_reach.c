/*
 * doctor: name, port and certificate of the API server.
 */

#include <netdb.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "../k8s/host.h"
#include "doctor.h"
#include "out.h"
#include "words.h"


static int
akl_reach_name(akl_exam_t *exam, const char *host, const char *directive)
{
    int               rc;
    char              text[NI_MAXHOST];
    akl_buf_t         list;
    struct addrinfo   hints, *found, *a;

    memset(&hints, 0, sizeof(struct addrinfo));
    memset(&list, 0, sizeof(akl_buf_t));
    hints.ai_socktype = SOCK_STREAM;

    akl_progress("looking up %s", host);

    rc = getaddrinfo(host, NULL, &hints, &found);

    if (rc != 0) {
        akl_finding(exam, AKL_FINDING_DOWN, "name",
                    akl_mem_printf("getent hosts %s; %s has to be a "
                                   "name that this machine resolves", host,
                                   directive),
                    "\"%s\" does not resolve: %s", host, gai_strerror(rc));
        return 0;
    }

    for (a = found; a; a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL,
                        0, NI_NUMERICHOST)
            == 0)
        {
            akl_buf_printf(&list, "%s%s", list.len ? ", " : "", text);
        }
    }

    freeaddrinfo(found);

    if (list.data && strcmp(list.data, host) != 0) {
        akl_finding(exam, AKL_FINDING_OK, "name", NULL, "\"%s\" is %s", host,
                    list.data);
    }

    return 1;
}


static char *
akl_reach_x509_name(const X509_NAME *name)
{
    BIO   *bio;
    char  *p, *text;
    long   len;

    text = akl_mem_str("");
    bio = BIO_new(BIO_s_mem());

    if (bio && X509_NAME_print_ex(bio, name, 0,
                                  XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB)
               >= 0)
    {
        len = BIO_get_mem_data(bio, &p);
        text = akl_clean((akl_str_t) { (size_t) len, (unsigned char *) p });
    }

    BIO_free(bio);
    ERR_clear_error();

    return text;
}


/* the names that a certificate is good for */

static char *
akl_reach_names(X509 *cert)
{
    int              i, n;
    char             text[NI_MAXHOST];
    akl_buf_t        list;
    GENERAL_NAME    *name;
    GENERAL_NAMES   *names;

    memset(&list, 0, sizeof(akl_buf_t));
    akl_buf_puts(&list, "");

    names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    n = sk_GENERAL_NAME_num(names);

    for (i = 0; i < n && list.len < 300; i++) {
        name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS) {
            akl_buf_printf(&list, "%s%s", list.len ? ", " : "",
                akl_clean((akl_str_t) {
                              (size_t) ASN1_STRING_length(name->d.dNSName),
                              ASN1_STRING_get0_data(name->d.dNSName) }));

        } else if (name->type == GEN_IPADD) {
            union {
                struct sockaddr      sa;
                struct sockaddr_in   in;
                struct sockaddr_in6  in6;
            } u;
            socklen_t  len;

            memset(&u, 0, sizeof(u));

            if (ASN1_STRING_length(name->d.iPAddress) == 4) {
                u.in.sin_family = AF_INET;
                memcpy(&u.in.sin_addr,
                       ASN1_STRING_get0_data(name->d.iPAddress), 4);
                len = sizeof(struct sockaddr_in);

            } else if (ASN1_STRING_length(name->d.iPAddress) == 16) {
                u.in6.sin6_family = AF_INET6;
                memcpy(&u.in6.sin6_addr,
                       ASN1_STRING_get0_data(name->d.iPAddress), 16);
                len = sizeof(struct sockaddr_in6);

            } else {
                continue;
            }

            if (getnameinfo(&u.sa, len, text, sizeof(text), NULL, 0,
                            NI_NUMERICHOST)
                == 0)
            {
                akl_buf_printf(&list, "%s%s", list.len ? ", " : "", text);
            }
        }
    }

    if (i < n) {
        akl_buf_puts(&list, ", ...");
    }

    GENERAL_NAMES_free(names);
    ERR_clear_error();

    return list.data;
}


/* the authorities that the config trusts; NULL where they cannot be had */

static X509_STORE *
akl_reach_store(akl_exam_t *exam)
{
    BIO         *bio;
    X509        *cert;
    X509_STORE  *store;

    store = X509_STORE_new();

    if (store == NULL) {
        return NULL;
    }

    if (exam->config->ca_system) {
        (void) X509_STORE_set_default_paths(store);
        ERR_clear_error();
        return store;
    }

    bio = BIO_new_mem_buf(exam->config->ca.text.data,
                          (int) exam->config->ca.text.len);

    while (bio) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (cert == NULL) {
            break;
        }

        (void) X509_STORE_add_cert(store, cert);
        X509_free(cert);
    }

    BIO_free(bio);
    ERR_clear_error();

    return store;
}


static int
akl_reach_verify(akl_exam_t *exam, STACK_OF(X509) *chain)
{
    int              error;
    X509_STORE      *store;
    X509_STORE_CTX  *ctx;

    error = X509_V_ERR_OUT_OF_MEM;
    store = akl_reach_store(exam);
    ctx = X509_STORE_CTX_new();

    if (store && ctx
        && X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain)
           == 1)
    {
        (void) X509_STORE_CTX_set_default(ctx, "ssl_server");
        X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_PARTIAL_CHAIN);

        error = (X509_verify_cert(ctx) == 1)
                ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    }

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();

    return error;
}


static const char *
akl_reach_ca_cure(akl_exam_t *exam)
{
    return akl_mem_printf("kubectl config view --raw --minify --flatten "
               "-o jsonpath="
               "'{.clusters[0].cluster.certificate-authority-data}' "
               "| base64 -d > %s", exam->config->ca.path ? exam->config->ca.path
                                                : "CA.crt");
}


static int
akl_reach_certificate(akl_exam_t *exam, STACK_OF(X509) *chain,
    const char *host)
{
    int          error;
    X509        *cert;
    time_t       now, end;
    struct tm    tm;

    cert = sk_X509_value(chain, 0);
    now = time(NULL);
    end = 0;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1) {
        end = timegm(&tm);
    }

    error = akl_reach_verify(exam, chain);

    if (error == X509_V_ERR_CERT_HAS_EXPIRED && end && end < now) {
        akl_finding(exam, AKL_FINDING_FAILED, "tls",
                    "renew the API server's certificate: kubeadm certs renew "
                    "apiserver", "the API server's certificate ended %s",
                    akl_words_when(end, now));
        return 0;
    }

    if (error == X509_V_ERR_CERT_NOT_YET_VALID) {
        akl_finding(exam, AKL_FINDING_FAILED, "tls",
                    "set this machine's clock right: timedatectl",
                    "the API server's certificate is not valid yet");
        return 0;
    }

    if (error != X509_V_OK) {
        akl_finding(exam, AKL_FINDING_FAILED, "tls", akl_reach_ca_cure(exam),
                    "the API server's certificate, of %s, is not signed by "
                    "%s: %s",
                    akl_reach_x509_name(X509_get_issuer_name(cert)),
                    exam->config->ca_system ? "an authority of the system"
                                            : "the k8s_ca_cert",
                    X509_verify_cert_error_string(error));
        return 0;
    }

    if (X509_check_host(cert, host, 0, 0, NULL) != 1
        && X509_check_ip_asc(cert, host, 0) != 1)
    {
        ERR_clear_error();
        akl_finding(exam, AKL_FINDING_FAILED, "tls",
                    exam->config->server_name
                    ? "say a name in k8s_tls_server_name that the certificate "
                      "has"
                    : "name the host in k8s_host as the certificate has it, "
                      "or say k8s_tls_server_name",
                    "the API server's certificate is not for \"%s\" but for "
                    "%s", host, akl_reach_names(cert));
        return 0;
    }

    ERR_clear_error();

    if (end && end - now < 7 * 86400) {
        akl_finding(exam, AKL_FINDING_WARN, "tls",
                    "renew the API server's certificate: kubeadm certs renew "
                    "apiserver", "the certificate verifies, but ends %s",
                    akl_words_when(end, now));
        return 1;
    }

    akl_finding(exam, AKL_FINDING_OK, "tls", NULL,
                "the certificate verifies, is for \"%s\", and ends %s", host,
                end ? akl_words_when(end, now) : "some day");

    return 1;
}


int
akl_exam_reach(akl_exam_t *exam, akl_str_t url)
{
    int                 rc;
    char               *address, *host;
    akl_host_t          parsed, proxy;
    const char         *cause, *by;
    STACK_OF(X509)     *chain;
    akl_http_answer_t   answer;

    cause = akl_host_parse(url, &parsed);

    if (cause) {
        akl_finding(exam, AKL_FINDING_FAILED, "host", NULL,
                    "k8s_host \"%s\" %s", akl_clean(url), cause);
        return 0;
    }

    host = akl_mem_strn(parsed.host.data, parsed.host.len);

    by = "";

    if (exam->config->proxy) {

        /* the host's name is for the proxy to resolve */

        (void) akl_host_proxy(akl_str_of(exam->config->proxy), &proxy);

        rc = akl_reach_name(exam, akl_mem_strn(proxy.host.data,
                                               proxy.host.len), "k8s_proxy");
        by = akl_mem_printf(" by %s", akl_clean(akl_str_of(
                                                exam->config->proxy)));

    } else {
        rc = akl_reach_name(exam, host, "k8s_host");
    }

    if (!rc) {
        return 0;
    }

    akl_progress("connecting to %s%s", host, by);

    akl_http_probe(&exam->kube.peer, &answer, &chain, &address);

    if (answer.phase == AKL_HTTP_CONNECT || answer.phase == AKL_HTTP_NAME
        || answer.phase == AKL_HTTP_TIMEOUT)
    {
        akl_finding(exam, AKL_FINDING_DOWN, "port",
                    akl_mem_printf("kubectl cluster-info tells the right port;"
                                   " if it is, firewalls and network policies "
                                   "between here and there"),
                    "no connection to port %u of \"%s\"%s: %s", parsed.port,
                    host, by, answer.error);
        return 0;
    }

    if (chain == NULL && exam->config->proxy && answer.error
        && strstr(answer.error, "CONNECT"))
    {
        akl_finding(exam, AKL_FINDING_DOWN, "port",
                    akl_mem_printf("have the proxy allow CONNECT to %s:%u, "
                                   "without credentials", host, parsed.port),
                    "the proxy does not connect to port %u of \"%s\": %s",
                    parsed.port, host, answer.error);
        return 0;
    }

    if (chain == NULL) {
        akl_finding(exam, AKL_FINDING_FAILED, "tls",
                    akl_mem_printf("curl -vk %s; is that the API server's "
                                   "port?", akl_clean(url)),
                    "port %u of \"%s\" does not speak TLS as an API server "
                    "does: %s", parsed.port, host,
                    answer.error ? answer.error : "no certificate");
        return 0;
    }

    akl_finding(exam, AKL_FINDING_OK, "port", NULL, "port %u of %s answers%s",
                parsed.port, (address && *by == '\0') ? address : host, by);

    rc = akl_reach_certificate(exam, chain, exam->config->server_name
                                            ? exam->config->server_name
                                            : host);

    sk_X509_pop_free(chain, X509_free);

    return rc;
}
