/*
 * A main() for compilers without libFuzzer, with the part of its command line
 * that matters:
 *
 *     fuzz_x [-max_total_time=SECONDS] [-seed=N] [FILE|DIRECTORY ...]
 *
 * Every file is replayed; then, for so many seconds, mutants of them are
 * tried.  An input that kills the process is left in crash-input.
 */

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define INPUT_MAX   65536
#define INPUTS_MAX  4096


typedef struct {
    uint8_t  *data;
    size_t    len;
} input_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void))
    __attribute__((weak));


static input_t        inputs[INPUTS_MAX];
static size_t         inputs_n;
static const input_t *current;
static uint64_t       state = 1;


static void
leave_input(void)
{
    FILE  *out;

    if (current == NULL) {
        return;
    }

    out = fopen("crash-input", "wb");

    if (out != NULL) {
        fwrite(current->data, 1, current->len, out);
        fclose(out);
        fprintf(stderr, "input left in crash-input\n");
    }

    current = NULL;
}


static void
on_signal(int signo)
{
    leave_input();
    signal(signo, SIG_DFL);
    raise(signo);
}


static uint32_t
draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return (uint32_t) (state >> 32) % below;
}


static void
run(const input_t *in)
{
    uint8_t  *copy;
    input_t   copied;

    /* a copy of the exact size, so that a read past its end is noticed */

    copy = malloc(in->len + !in->len);
    if (copy == NULL) {
        abort();
    }

    memcpy(copy, in->data, in->len);

    copied.data = copy;
    copied.len = in->len;
    current = &copied;

    LLVMFuzzerTestOneInput(copy, in->len);

    current = NULL;
    free(copy);
}


static int
take(const char *path)
{
    DIR            *dir;
    FILE           *in;
    char            name[4096];
    input_t        *input;
    struct stat     st;
    struct dirent  *entry;

    if (stat(path, &st) != 0) {
        perror(path);
        return -1;
    }

    if (S_ISDIR(st.st_mode)) {
        dir = opendir(path);
        if (dir == NULL) {
            perror(path);
            return -1;
        }

        while ((entry = readdir(dir)) != NULL) {
            if (entry->d_name[0] != '.') {
                snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);

                if (take(name) != 0) {
                    closedir(dir);
                    return -1;
                }
            }
        }

        closedir(dir);
        return 0;
    }

    if (inputs_n == INPUTS_MAX) {
        return 0;
    }

    in = fopen(path, "rb");
    if (in == NULL) {
        perror(path);
        return -1;
    }

    input = &inputs[inputs_n++];
    input->data = malloc(INPUT_MAX);
    if (input->data == NULL) {
        abort();
    }

    input->len = fread(input->data, 1, INPUT_MAX, in);
    fclose(in);

    return 0;
}


static void
mutate(input_t *out)
{
    uint32_t        n, at, len, times;
    const input_t  *other;

    other = &inputs[draw((uint32_t) inputs_n)];
    memcpy(out->data, other->data, other->len);
    out->len = other->len;

    for (times = 1 + draw(6); times > 0; times--) {
        n = (uint32_t) out->len;
        at = n ? draw(n) : 0;
        len = n ? 1 + draw(n - at) : 0;

        switch (n ? draw(6) : 5) {

        case 0:
            out->data[at] ^= (uint8_t) (1 << draw(8));
            break;

        case 1:
            out->data[at] = (uint8_t) draw(256);
            break;

        case 2:
            out->data[at] = (uint8_t) "\"\\{}[]:,.=-_0A\0\xff"[draw(16)];
            break;

        case 3:
            memmove(out->data + at, out->data + at + len, n - at - len);
            out->len -= len;
            break;

        case 4:
            if (n + len <= INPUT_MAX) {
                memmove(out->data + at + len, out->data + at, n - at);
                out->len += len;
            }

            break;

        case 5:
            other = &inputs[draw((uint32_t) inputs_n)];

            if (other->len) {
                len = 1 + draw((uint32_t) other->len);

                if (len > INPUT_MAX - at) {
                    len = INPUT_MAX - at;
                }

                memcpy(out->data + at, other->data + other->len - len, len);

                if (out->len < at + len) {
                    out->len = at + len;
                }
            }

            break;
        }
    }
}


int
main(int argc, char **argv)
{
    int            i;
    long           seconds;
    size_t         n;
    time_t         end;
    input_t        mutant;
    unsigned long  runs;

    seconds = 0;
    runs = 0;

    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(leave_input);
    }

    signal(SIGABRT, on_signal);

    if (LLVMFuzzerInitialize != NULL) {
        LLVMFuzzerInitialize(&argc, &argv);
    }

    for (i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-max_total_time=", 16) == 0) {
            seconds = strtol(argv[i] + 16, NULL, 10);

        } else if (strncmp(argv[i], "-seed=", 6) == 0) {
            state = strtoull(argv[i] + 6, NULL, 10) | 1;

        } else if (argv[i][0] != '-' && take(argv[i]) != 0) {
            return 2;
        }
    }

    for (n = 0; n < inputs_n; n++) {
        run(&inputs[n]);
        runs++;
    }

    mutant.data = malloc(INPUT_MAX);
    if (mutant.data == NULL) {
        return 2;
    }

    end = time(NULL) + seconds;

    while (inputs_n && time(NULL) < end) {
        mutate(&mutant);
        run(&mutant);
        runs++;
    }

    fprintf(stderr, "%lu runs of %zu inputs\n", runs, inputs_n);

    free(mutant.data);

    for (n = 0; n < inputs_n; n++) {
        free(inputs[n].data);
    }

    return 0;
}
