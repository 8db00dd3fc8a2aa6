/*
 * The version of the project, for the module and the program alike.
 */

#ifndef AKL_VERSION_H
#define AKL_VERSION_H


#define AKL_VERSION  "0.1.0"


#endif /* AKL_VERSION_H */
