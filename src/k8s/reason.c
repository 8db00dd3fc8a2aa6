/*
 * The table of reasons.
 */

#include "reason.h"


typedef struct {
    akl_str_t   code;
    akl_str_t   text;
    unsigned    status;
    akl_kind_t  kind;
} akl_reason_row_t;


#define AKL_REASON_STR(text)                                                  \
    { sizeof(text) - 1, (const unsigned char *) (text) }

#define AKL_REASON_ROW(symbol, code, status, kind, sentence)                  \
    { AKL_REASON_STR(code), AKL_REASON_STR(sentence), status,                 \
      AKL_KIND_##kind },

static const akl_reason_row_t  akl_reasons[AKL_REASON_N] = {
    AKL_REASON_MAP(AKL_REASON_ROW)
};


static const akl_reason_row_t *
akl_reason_row(akl_reason_t reason)
{
    if ((unsigned) reason >= AKL_REASON_N) {
        reason = AKL_INTERNAL_ERROR;
    }

    return &akl_reasons[reason];
}


akl_str_t
akl_reason_code(akl_reason_t reason)
{
    return akl_reason_row(reason)->code;
}


akl_str_t
akl_reason_text(akl_reason_t reason)
{
    return akl_reason_row(reason)->text;
}


unsigned
akl_reason_status(akl_reason_t reason)
{
    return akl_reason_row(reason)->status;
}


akl_kind_t
akl_reason_kind(akl_reason_t reason)
{
    return akl_reason_row(reason)->kind;
}


akl_reason_t
akl_reason_find(akl_str_t code)
{
    unsigned  i;

    for (i = 0; i < AKL_REASON_N; i++) {
        if (akl_str_eq(akl_reasons[i].code, code)) {
            return (akl_reason_t) i;
        }
    }

    return AKL_REASON_N;
}
