/*
 * Counts the signatures that are verified.  Preloaded; AKL_VERIFIES names a
 * file that grows by a byte for each.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static const char  *verifies;


/* workers have no environment */

__attribute__((constructor))
static void
begin(void)
{
    const char  *path;

    path = getenv("AKL_VERIFIES");
    verifies = path ? strdup(path) : NULL;
}


typedef int (*verify_t)(void *, const unsigned char *, size_t,
    const unsigned char *, size_t);


static int
counted(const char *name, void *ctx, const unsigned char *sig, size_t len,
    const unsigned char *data, size_t size)
{
    int  fd;

    fd = verifies ? open(verifies, O_WRONLY|O_APPEND) : -1;

    if (fd == -1 || write(fd, "1", 1) != 1 || close(fd) == -1) {
        abort();
    }

    return ((verify_t) dlsym(RTLD_NEXT, name))(ctx, sig, len, data, size);
}


int
EVP_PKEY_verify(void *ctx, const unsigned char *sig, size_t len,
    const unsigned char *data, size_t size)
{
    return counted("EVP_PKEY_verify", ctx, sig, len, data, size);
}


int
EVP_DigestVerify(void *ctx, const unsigned char *sig, size_t len,
    const unsigned char *data, size_t size)
{
    return counted("EVP_DigestVerify", ctx, sig, len, data, size);
}
