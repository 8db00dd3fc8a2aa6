/*
 * Built into the nginx of "make test-asan": what the sanitizers look for,
 * without a variable in the environment, which nginx does not hand on to the
 * binary that replaces it; and when memory counts as lost.
 *
 * Leaks are looked for as a worker or a master ends that has taken its cycle
 * apart.  "nginx -t", a refused configuration and a master's helpers leave
 * everything to the system, and are not asked.
 *
 * "akl_asan_fault leak" or "akl_asan_fault overrun" has each worker lose memory
 * as it ends, or write behind memory of a pool: t/harness.t looks whether both
 * are seen.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__ubsan_default_options(void);
int __lsan_is_turned_off(void);

static char *ngx_akl_asan_fault(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void ngx_akl_asan_exit_process(ngx_cycle_t *cycle);


static ngx_uint_t  ngx_akl_asan_leaks;
static ngx_uint_t  ngx_akl_asan_overruns;


/*
 * A worker that is told to end at once does not close its connections, and
 * forgets where they are; what hangs on them is not lost, but in use.
 */

static void  *volatile ngx_akl_asan_in_use[3];


static ngx_command_t  ngx_akl_asan_commands[] = {

    { ngx_string("akl_asan_fault"),
      NGX_MAIN_CONF|NGX_DIRECT_CONF|NGX_CONF_TAKE1,
      ngx_akl_asan_fault,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_core_module_t  ngx_akl_asan_module_ctx = {
    ngx_string("akl_asan"),
    NULL,                                  /* create configuration */
    NULL                                   /* init configuration */
};


ngx_module_t  ngx_akl_asan_module = {
    NGX_MODULE_V1,
    &ngx_akl_asan_module_ctx,              /* module context */
    ngx_akl_asan_commands,                 /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_akl_asan_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * Tests preload what makes a disk full or sets a clock, which comes before the
 * sanitizer's library then; the same variables are in module and program.
 */

const char *
__asan_default_options(void)
{
    return "detect_leaks=1"
           ":print_suppressions=0"
           ":detect_stack_use_after_return=1"
           ":detect_odr_violation=0"
           ":verify_asan_link_order=0";
}


const char *
__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}


/*
 * What nginx loses by itself: ngx_cleanup_environment() leaves the array of a
 * process's environment, on purpose, and ngx_regex_module_init() forgets the
 * context in which PCRE2 compiled a configuration's expressions.
 */

const char *
__lsan_default_suppressions(void)
{
    return "leak:ngx_set_environment\n"
           "leak:ngx_regex_malloc\n";
}


int
__lsan_is_turned_off(void)
{
    return ngx_test_config
           || ngx_process == NGX_PROCESS_SIGNALLER
           || ngx_process == NGX_PROCESS_HELPER
           || !(ngx_exiting || ngx_quit || ngx_terminate);
}


static char *
ngx_akl_asan_fault(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    ngx_akl_asan_leaks = ngx_strcmp(value[1].data, "leak") == 0;
    ngx_akl_asan_overruns = ngx_strcmp(value[1].data, "overrun") == 0;

    return ngx_akl_asan_leaks || ngx_akl_asan_overruns ? NGX_CONF_OK
                                                       : NGX_CONF_ERROR;
}


static void
ngx_akl_asan_exit_process(ngx_cycle_t *cycle)
{
    volatile u_char  *p;

    if (ngx_akl_asan_leaks) {
        p = ngx_alloc(8, cycle->log);
        p = NULL;
    }

    if (ngx_akl_asan_overruns) {
        p = ngx_pnalloc(cycle->pool, 8);
        p[8] = 0;
    }

    ngx_akl_asan_in_use[0] = cycle->connections;
    ngx_akl_asan_in_use[1] = cycle->read_events;
    ngx_akl_asan_in_use[2] = cycle->write_events;
}
