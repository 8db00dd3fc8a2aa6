/*
 * Memory of the program.
 */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "mem.h"
#include "out.h"


struct akl_mem_block_s {
    akl_mem_block_t  *next;
    size_t            size;
    max_align_t       data[];
};


static akl_mem_block_t  *akl_mem_blocks;


static void
akl_mem_short(void)
{
    (void) fputs("akl-k8s: out of memory\n", stderr);
    _Exit(AKL_EXIT_USAGE);
}


void *
akl_mem(size_t size)
{
    akl_mem_block_t  *block;

    block = calloc(1, sizeof(akl_mem_block_t) + size);

    if (block == NULL) {
        akl_mem_short();
    }

    block->size = size;
    block->next = akl_mem_blocks;
    akl_mem_blocks = block;

    return block->data;
}


char *
akl_mem_strn(const void *data, size_t len)
{
    char  *p;

    p = akl_mem(len + 1);

    if (len) {
        memcpy(p, data, len);
    }

    return p;
}


char *
akl_mem_str(const char *text)
{
    return akl_mem_strn(text, strlen(text));
}


char *
akl_mem_vprintf(const char *format, va_list args)
{
    int       n;
    char     *p;
    va_list   again;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);

    if (n < 0) {
        akl_mem_short();
    }

    p = akl_mem((size_t) n + 1);

    (void) vsnprintf(p, (size_t) n + 1, format, args);

    return p;
}


char *
akl_mem_printf(const char *format, ...)
{
    char     *p;
    va_list   args;

    va_start(args, format);
    p = akl_mem_vprintf(format, args);
    va_end(args);

    return p;
}


akl_mem_block_t *
akl_mem_mark(void)
{
    return akl_mem_blocks;
}


void
akl_mem_release(akl_mem_block_t *mark)
{
    akl_mem_block_t  *block;

    while (akl_mem_blocks != mark) {
        block = akl_mem_blocks;
        akl_mem_blocks = block->next;

        OPENSSL_cleanse(block->data, block->size);
        free(block);
    }
}


void
akl_mem_free(void)
{
    akl_mem_release(NULL);
}


void
akl_buf_add(akl_buf_t *buf, const void *data, size_t len)
{
    char    *p;
    size_t   size;

    if (buf->size - buf->len < len + 1) {

        size = buf->size ? buf->size : 256;

        while (size - buf->len < len + 1) {
            size *= 2;
        }

        p = akl_mem(size);

        if (buf->len) {
            memcpy(p, buf->data, buf->len);
            OPENSSL_cleanse(buf->data, buf->len);
        }

        buf->data = p;
        buf->size = size;
    }

    if (len) {
        memcpy(buf->data + buf->len, data, len);
    }

    buf->len += len;
    buf->data[buf->len] = '\0';
}


void
akl_buf_puts(akl_buf_t *buf, const char *text)
{
    akl_buf_add(buf, text, strlen(text));
}


void
akl_buf_printf(akl_buf_t *buf, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    akl_buf_puts(buf, akl_mem_vprintf(format, args));
    va_end(args);
}
