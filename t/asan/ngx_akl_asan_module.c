/*
 * Built into the nginx of "make test-asan": what the sanitizers look for,
 * without a variable in the environment, which nginx does not hand on to the
 * binary that replaces it; and when memory counts as lost.
 *
 * Leaks are looked for as any process ends.  A worker or a master takes its
 * cycle apart first; "nginx -t" does not, nor do a refused start and a worker
 * that is told to end at once: what their pools and connections hold is not
 * lost, but in use, and nginx itself does not keep where it is.
 *
 * "akl_asan_fault leak" has each worker lose memory as it ends, "akl_asan_fault
 * overrun" has it write behind memory of a pool, and "akl_asan_fault refusal"
 * loses memory and refuses the configuration: t/harness.t looks whether all
 * three are seen.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct {
    ngx_pool_t        *pool;
    ngx_pool_t        *old_pool;
    ngx_connection_t  *connections;
    ngx_event_t       *read_events;
    ngx_event_t       *write_events;

    ngx_uint_t         leaks;
    ngx_uint_t         overruns;
    void              *volatile lost;
} ngx_akl_asan_t;


const char *__asan_default_options(void);
const char *__lsan_default_suppressions(void);
const char *__ubsan_default_options(void);

static void *ngx_akl_asan_create_conf(ngx_cycle_t *cycle);
static void ngx_akl_asan_lose(ngx_log_t *log);
static char *ngx_akl_asan_fault(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void ngx_akl_asan_exit_process(ngx_cycle_t *cycle);


static ngx_akl_asan_t  ngx_akl_asan;


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
    ngx_akl_asan_create_conf,              /* create configuration */
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


static void *
ngx_akl_asan_create_conf(ngx_cycle_t *cycle)
{
    ngx_akl_asan.pool = cycle->pool;
    ngx_akl_asan.old_pool = cycle->old_cycle->pool;

    return &ngx_akl_asan;
}


static void
ngx_akl_asan_lose(ngx_log_t *log)
{
    ngx_akl_asan.lost = ngx_alloc(8, log);
    ngx_akl_asan.lost = NULL;
}


static char *
ngx_akl_asan_fault(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "leak") == 0) {
        ngx_akl_asan.leaks = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "overrun") == 0) {
        ngx_akl_asan.overruns = 1;
        return NGX_CONF_OK;
    }

    ngx_akl_asan_lose(cf->log);

    return "is refused";
}


static void
ngx_akl_asan_exit_process(ngx_cycle_t *cycle)
{
    volatile u_char  *p;

    ngx_akl_asan.connections = cycle->connections;
    ngx_akl_asan.read_events = cycle->read_events;
    ngx_akl_asan.write_events = cycle->write_events;

    if (ngx_akl_asan.leaks) {
        ngx_akl_asan_lose(cycle->log);
    }

    if (ngx_akl_asan.overruns) {
        p = ngx_pnalloc(cycle->pool, 8);
        p[8] = 0;
    }
}
