/*
 * The fingerprint of CVE-2017-15361 (ROCA): Nemec, Sys, Svenda, Klinec and
 * Matyas, "The Return of Coppersmith's Attack", CCS 2017, section 2.
 */

#include "jose.h"


#define AKL_ROCA_GENERATOR  65537


/* the odd primes of M for a modulus of 1984 bits or more; larger ones have
   them too */

static const unsigned short  akl_roca_primes[] = {
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71,
    73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151,
    157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223, 227, 229, 233,
    239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311, 313, 317,
    331, 337, 347, 349, 353, 359, 367, 373, 379, 383, 389, 397, 401, 409, 419,
    421, 431, 433, 439, 443, 449, 457, 461, 463, 467, 479, 487, 491, 499, 503,
    509, 521, 523, 541, 547, 557, 563, 569, 571, 577, 587, 593, 599, 601, 607,
    613, 617, 619, 631, 641, 643, 647, 653, 659, 661, 673, 677, 683, 691, 701
};


static unsigned akl_roca_residue(akl_str_t n, unsigned prime);
static int akl_roca_generated(unsigned residue, unsigned prime);


/*
 * Infineon's library made primes of the form k * M + (65537^a mod M), where M
 * is the product of the first primes.  The modulus is a power of 65537 modulo
 * M then, and so modulo each of its primes: for a modulus made by others that
 * happens once in 2^167.
 */

int
akl_rsa_is_roca(akl_str_t n)
{
    size_t    i;
    unsigned  prime;

    for (i = 0; i < sizeof(akl_roca_primes) / sizeof(short); i++) {
        prime = akl_roca_primes[i];

        if (!akl_roca_generated(akl_roca_residue(n, prime), prime)) {
            return 0;
        }
    }

    return 1;
}


static unsigned
akl_roca_residue(akl_str_t n, unsigned prime)
{
    size_t    i;
    unsigned  residue;

    residue = 0;

    for (i = 0; i < n.len; i++) {
        residue = (residue << 8 | n.data[i]) % prime;
    }

    return residue;
}


/* whether "residue" is a power of 65537 modulo "prime" */

static int
akl_roca_generated(unsigned residue, unsigned prime)
{
    unsigned  power, generator;

    generator = AKL_ROCA_GENERATOR % prime;
    power = 1;

    do {
        if (power == residue) {
            return 1;
        }

        power = power * generator % prime;

    } while (power != 1);

    return 0;
}
