/*
 * SipHash-2-4: see the header.
 */

#include "siphash.h"


typedef struct {
    uint64_t  v0, v1, v2, v3;
} akl_sip_t;


static uint64_t akl_sip_word(const unsigned char *p, size_t n);
static void akl_sip_mix(akl_sip_t *s, uint64_t word);
static void akl_sip_round(akl_sip_t *s);


#define akl_sip_rotate(x, b)  (((x) << (b)) | ((x) >> (64 - (b))))


uint64_t
akl_siphash(const unsigned char *key, akl_str_t text)
{
    size_t                i, left;
    uint64_t              k0, k1, m;
    akl_sip_t             s;
    const unsigned char  *p;

    k0 = akl_sip_word(key, 8);
    k1 = akl_sip_word(key + 8, 8);

    s.v0 = k0 ^ 0x736f6d6570736575ull;
    s.v1 = k1 ^ 0x646f72616e646f6dull;
    s.v2 = k0 ^ 0x6c7967656e657261ull;
    s.v3 = k1 ^ 0x7465646279746573ull;

    p = text.data;
    left = text.len;

    while (left >= 8) {
        akl_sip_mix(&s, akl_sip_word(p, 8));
        p += 8;
        left -= 8;
    }

    /* the last word has what is left, and the length in its top byte */

    m = akl_sip_word(p, left) | (uint64_t) text.len << 56;
    akl_sip_mix(&s, m);

    s.v2 ^= 0xff;

    for (i = 0; i < 4; i++) {
        akl_sip_round(&s);
    }

    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}


/* little-endian, whatever the machine */

static uint64_t
akl_sip_word(const unsigned char *p, size_t n)
{
    uint64_t  word;

    word = 0;

    while (n) {
        n--;
        word = word << 8 | p[n];
    }

    return word;
}


static void
akl_sip_mix(akl_sip_t *s, uint64_t word)
{
    s->v3 ^= word;
    akl_sip_round(s);
    akl_sip_round(s);
    s->v0 ^= word;
}


static void
akl_sip_round(akl_sip_t *s)
{
    s->v0 += s->v1;
    s->v1 = akl_sip_rotate(s->v1, 13) ^ s->v0;
    s->v0 = akl_sip_rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = akl_sip_rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = akl_sip_rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = akl_sip_rotate(s->v1, 17) ^ s->v2;
    s->v2 = akl_sip_rotate(s->v2, 32);
}
