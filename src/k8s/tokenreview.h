/*
 * TokenReview (authentication.k8s.io/v1): the request and the judgement of
 * the answer.
 */

#ifndef AKL_TOKENREVIEW_H
#define AKL_TOKENREVIEW_H

#include "judgement.h"


#define AKL_REVIEW_ANSWER_MAX  65536      /* bytes of an answer looked at */


/*
 * The request body; "audiences" may be empty: the server then takes its own.
 * Returns the length written to
 * "dst", or needed where dst is NULL.  The token holds base64url and dots
 * only, which akl_pod_token_parse() has made sure of.
 */
size_t akl_tokenreview_request(unsigned char *dst, akl_str_t token,
    akl_list_t audiences);


/*
 * Judges an HTTP answer by the order that the API demands; nothing is
 * believed before all of it holds; null counts as absent.  "pod" is the token
 * that the review was asked for.  *judged is always safe to
 * akl_judgement_clear(); body and pod must outlive it.
 */
void akl_tokenreview_judge(akl_judgement_t *judged, unsigned status,
    akl_str_t body, const akl_pod_token_t *pod, akl_list_t audiences);

#endif /* AKL_TOKENREVIEW_H */
