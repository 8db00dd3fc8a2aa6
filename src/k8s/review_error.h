/*
 * What the API server means by the text in a TokenReview's "status.error".
 */

#ifndef AKL_REVIEW_ERROR_H
#define AKL_REVIEW_ERROR_H

#include "reason.h"


/*
 * The reason behind "error", the joined errors of all authenticators that the
 * server has asked: that of the first definite refusal among them; else
 * AKL_API_ERROR where one of them could not be asked, so that nothing is known
 * of the token; else AKL_TOKEN_REJECTED.
 */
akl_reason_t akl_review_error(akl_str_t error);


#endif /* AKL_REVIEW_ERROR_H */
