/*
 * The commands, one a file.
 */

#ifndef AKL_CLI_COMMANDS_H
#define AKL_CLI_COMMANDS_H

#include "options.h"


extern const akl_command_t  akl_command_create_auth_method;
extern const akl_command_t  akl_command_gateway_create;
extern const akl_command_t  akl_command_auth;
extern const akl_command_t  akl_command_inspect;
extern const akl_command_t  akl_command_doctor;
extern const akl_command_t  akl_command_keys;
extern const akl_command_t  akl_command_revoke;
extern const akl_command_t  akl_command_completion;

/* all of them; NULL ends the list */
extern const akl_command_t *const  akl_commands[];


#endif /* AKL_CLI_COMMANDS_H */
