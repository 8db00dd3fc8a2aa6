# Build, test and lint targets; GNU make.
#
#   make                      module, command line tool, unit programs
#   make NGINX_SRC=DIR        the same against a plain nginx source tree
#   make test                 everything that prove can run
#
# CONTRIBUTING.md lists all targets.

SHELL =		/bin/bash

OBJS ?=		objs
NGINX_SRC ?=
NGINX ?=	$(if $(NGINX_SRC),$(abspath $(OBJS))/nginx-src/objs/nginx,\
		$(or $(shell command -v nginx),/usr/sbin/nginx))
NGINX_FLAGS ?=	--with-compat --with-debug --with-threads \
		--with-http_ssl_module --with-http_v2_module \
		--with-http_realip_module --with-http_auth_request_module \
		--with-http_slice_module --with-http_addition_module \
		--with-http_stub_status_module
NGINX_BUILT =	$(if $(NGINX_SRC),nginx)
PREFIX ?=	/usr/local
MODULES_DIR ?=	/usr/lib/nginx/modules
DESTDIR ?=

OPT ?=		-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
		-Wformat -Werror=format-security
HARDEN ?=	-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
WARN =		-std=gnu11 -Wall -Wextra -Werror

# two builds in two directories are the same bytes

HERE =		-ffile-prefix-map=$(CURDIR)=.
SANITIZE ?=	-fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_SECONDS ?=	20
PROVE_JOBS ?=	2
TESTS ?=	$(wildcard t/*.t)

DEBIAN_SRC =	/usr/share/nginx/src
NGX_TREE =	$(OBJS)/nginx-src
MODULE =	$(OBJS)/ngx_http_akl_k8s_module.so
FAULTY =	$(OBJS)/ngx_http_akl_k8s_module_faulty.so

# every directory of src but that of the command line tool; the plain half is
# what includes no header of nginx's, with the tool's JSON reader, which is the
# oracle of tests

MODULE_SRCS =	ngx_http_akl_k8s_module.c \
		$(sort $(filter-out src/cli/%,$(wildcard src/*/*.c src/*/*/*.c)))
HEADERS =	$(sort $(wildcard src/*/*.h src/*/*/*.h))
PLAIN_SRCS =	$(sort $(wildcard src/jose/*.c src/k8s/*.c src/shm/store*.c)) \
		src/cli/json.c
CLI_SRCS =	$(sort $(filter-out $(PLAIN_SRCS),$(wildcard src/cli/*.c)))
UNIT_SRCS =	$(sort $(wildcard t/unit/*.c))
UNIT_HELP =	$(sort $(wildcard t/unit/lib/*.c))
UNIT_HEADERS =	$(sort $(wildcard t/unit/*.h t/unit/lib/*.h))
FUZZ_SRCS =	$(sort $(wildcard t/fuzz/fuzz_*.c))
FUZZ_HEADERS =	$(wildcard t/fuzz/*.h)

CLI =		$(OBJS)/akl-k8s
UNITS =		$(patsubst t/unit/%.c,$(OBJS)/unit/%,$(UNIT_SRCS))
INTEROPS =	$(patsubst t/interop/%.c,$(OBJS)/interop/%,\
		$(wildcard t/interop/*.c))
FUZZERS =	$(patsubst t/fuzz/%.c,$(OBJS)/fuzz/%,$(FUZZ_SRCS))
REPLAYS =	$(patsubst t/fuzz/%.c,$(OBJS)/replay/%,$(FUZZ_SRCS))

PLAIN_LIBS =	-ljansson -lssl -lcrypto
CLI_LIBS =	-lcurl -lyaml $(PLAIN_LIBS)

# what the tests read; the harness falls back to the same paths

TEST_ENV =	AKL_NGINX="$(strip $(NGINX))" \
		AKL_MODULE="$(abspath $(MODULE))" \
		AKL_EVENT_MODULE="$(abspath $(OBJS))/ngx_akl_poll_module.so" \
		AKL_FAULTY_MODULE="$(abspath $(FAULTY))" \
		AKL_CLI="$(abspath $(OBJS))/akl-k8s" \
		AKL_CLI_ASAN="$(abspath $(OBJS))/akl-k8s-asan" \
		AKL_INTEROP="$(abspath $(OBJS))/interop" \
		AKL_REPLAY="$(abspath $(OBJS))/replay" \
		CMOCKA_MESSAGE_OUTPUT=tap

.PHONY:		all module cli cli-asan unit nginx test test-login test-unit test-asan \
		test-images fuzz fuzzers replay replay-http cost valgrind nginx-tests reproducible \
		interop e2e fixtures tools examples bench chaos soak demo lint clean install dist deb \
		rpm apk test-packages \
		FORCE
.DELETE_ON_ERROR:

all:		module cli unit
module:		$(MODULE)
cli:		$(CLI)
cli-asan:	$(OBJS)/akl-k8s-asan
unit:		$(UNITS)


# for the tests: Debian's nginx has no poll, and a test may do without it

EVENT =		$(patsubst %/config,%,$(wildcard t/event/config))


# The module.  The nginx tree is copied, so that configuring it leaves the
# original alone; a stamp notices another tree or another set of files.

ifeq ($(NGINX_SRC),)
NGX_FROM =	$(DEBIAN_SRC)
NGX_FLAGS =	. ./conf_flags
else
NGX_FROM =	$(abspath $(NGINX_SRC))
NGX_FLAGS =	NGX_CONF_FLAGS=( $(NGINX_FLAGS) )
endif

NGX_CONFIGURE =	$$(test -x ./configure && echo ./configure \
		|| echo ./auto/configure)

$(OBJS)/module.stamp: FORCE
	@mkdir -p $(OBJS)
	@{ printf '%s\n' '$(NGX_FROM)' '$(OPT) $(CFLAGS) $(HARDEN) $(LDFLAGS)' \
	    $(MODULE_SRCS) $(HEADERS); \
	    cksum config src/module.map $(wildcard t/event/*) $(NGX_FROM)/src/core/nginx.h; } > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(NGX_TREE)/objs/Makefile: $(OBJS)/module.stamp
	@test -f $(NGX_FROM)/src/core/nginx.h || { \
	    echo "no nginx sources in $(NGX_FROM): install nginx-dev," \
	         "or say make NGINX_SRC=DIR" >&2; exit 1; }
	rm -rf $(NGX_TREE)
	mkdir -p $(NGX_TREE)
	tar cf - -C $(NGX_FROM) --exclude=./objs --exclude=./.git . \
	    | tar xf - -C $(NGX_TREE)
	cd $(NGX_TREE) && $(NGX_FLAGS) && \
	    $(NGX_CONFIGURE) "$${NGX_CONF_FLAGS[@]}" \
	    --with-cc='$(CC)' --with-cc-opt='$(OPT) -fPIC $(HERE) $(CFLAGS)' \
	    --with-ld-opt='$(HARDEN) $(LDFLAGS)' \
	    --add-dynamic-module=$(CURDIR) \
	    $(EVENT:%=--add-dynamic-module=$(CURDIR)/%) > configure.out 2>&1 \
	    || { cat configure.out; rm -f objs/Makefile; exit 1; }

# an nginx that runs has the former file mapped: it is replaced, not written to

$(MODULE): $(NGX_TREE)/objs/Makefile $(MODULE_SRCS) $(HEADERS)
	$(MAKE) -s -C $(NGX_TREE) -f objs/Makefile modules
	$(if $(EVENT),cp $(NGX_TREE)/objs/ngx_akl_poll_module.so $(OBJS)/)
	cp $(NGX_TREE)/objs/ngx_http_akl_k8s_module.so $@.new
	mv $@.new $@

# the same whose allocations can fail one by one

$(FAULTY): $(MODULE) t/faulty/faulty.h
	rm -rf $(OBJS)/faulty
	cp -a $(NGX_TREE) $(OBJS)/faulty
	find $(OBJS)/faulty/objs -name '*.o' -delete
	sed -i 's,^CFLAGS = ,CFLAGS = -include $(CURDIR)/t/faulty/faulty.h ,' \
	    $(OBJS)/faulty/objs/Makefile
	$(MAKE) -s -C $(OBJS)/faulty -f objs/Makefile \
	    objs/ngx_http_akl_k8s_module.so
	cp $(OBJS)/faulty/objs/ngx_http_akl_k8s_module.so $@

# with NGINX_SRC, the nginx of that tree too

nginx: $(NGX_TREE)/objs/Makefile
	$(MAKE) -s -C $(NGX_TREE) -f objs/Makefile binary


# The plain half, as unit tests, fuzzers and the command line tool link it;
# in unit tests the JSON reader counts the bytes that it looks at.

CHECK =		-Og -g -DAKL_COUNT $(SANITIZE)

define PLAIN_LIB
$(OBJS)/$(1)/libakl.a: $(patsubst %.c,$(OBJS)/$(1)/%.o,$(PLAIN_SRCS))
	rm -f $$@
	ar rcs $$@ $$^

$(OBJS)/$(1)/%.o: %.c $(HEADERS)
	@mkdir -p $$(@D)
	$(or $(3),$(CC)) -I. $(WARN) $(2) $(CFLAGS) -c -o $$@ $$<
endef

$(eval $(call PLAIN_LIB,plain,$(OPT) $(HERE) -fPIE))
$(eval $(call PLAIN_LIB,check,$(CHECK) -fno-omit-frame-pointer))

# other flags are another program

$(OBJS)/flags.stamp: FORCE
	@mkdir -p $(OBJS)
	@echo '$(OPT) $(CFLAGS) $(HARDEN) $(LDFLAGS)' > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(patsubst %.c,$(OBJS)/plain/%.o,$(PLAIN_SRCS) $(CLI_SRCS)): \
		$(OBJS)/flags.stamp

$(OBJS)/akl-k8s: $(patsubst %.c,$(OBJS)/plain/%.o,$(CLI_SRCS)) \
		$(OBJS)/plain/libakl.a
	$(CC) -pie $(CFLAGS) $(HARDEN) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

# the same with a sanitizer, for strange tokens and answers

$(OBJS)/akl-k8s-asan: $(patsubst %.c,$(OBJS)/check/%.o,$(CLI_SRCS)) \
		$(OBJS)/check/libakl.a
	$(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

$(OBJS)/unit/%: t/unit/%.c $(UNIT_HELP) $(UNIT_HEADERS) $(HEADERS) \
		$(OBJS)/check/libakl.a
	@mkdir -p $(@D)
	$(CC) -I. -It/unit $(WARN) $(CHECK) $(CFLAGS) $(LDFLAGS) \
	    -o $@ $< $(UNIT_HELP) $(OBJS)/check/libakl.a -lcmocka $(PLAIN_LIBS)

# those of the code under test, which fail

$(OBJS)/unit/jose_starved: LDFLAGS += -Wl,--wrap=malloc -Wl,--wrap=calloc


# Tests.

test: all cli-asan $(FAULTY) $(INTEROPS) $(REPLAYS) $(NGINX_BUILT)
	$(TEST_ENV) prove -j$(PROVE_JOBS) --exec '' $(UNITS) $(TESTS)

test-login: all $(NGINX_BUILT)
	$(TEST_ENV) prove -j$(PROVE_JOBS) --exec '' t/login.t t/event_loop.t t/answers.t

test-unit: unit
	$(TEST_ENV) prove -j$(PROVE_JOBS) --exec '' $(UNITS)

# the same files under an nginx with the module and a sanitizer built in, whose
# pools take each allocation from malloc(), so that what reads past the end of
# one is seen, and whose module's allocations can fail one by one

ASAN =		$(OBJS)/asan

test-asan: cli cli-asan $(INTEROPS) $(REPLAYS) $(ASAN)/objs/nginx replay-http
	$(TEST_ENV) AKL_NGINX="$(abspath $(ASAN))/objs/nginx" AKL_MODULE=static \
	    AKL_EVENT_MODULE= AKL_FAULTY_MODULE=static \
	    prove -j$(PROVE_JOBS) --exec '' $(TESTS)

$(OBJS)/asan.stamp: FORCE
	@mkdir -p $(OBJS)
	@{ printf '%s\n' '$(NGX_FROM)' '$(ASAN_FLAGS)' $(MODULE_SRCS) $(HEADERS); \
	    cksum config t/asan/config t/faulty/faulty.h \
	        $(NGX_FROM)/src/core/nginx.h; } > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(ASAN)/objs/Makefile: $(OBJS)/asan.stamp
ifeq ($(NGINX_SRC),)
	@echo "a sanitizer needs nginx's own sources: ./run asan gets them," \
	    "or say make test-asan NGINX_SRC=DIR" >&2; exit 1
endif
	rm -rf $(ASAN)
	mkdir -p $(ASAN)
	tar cf - -C $(NGX_FROM) --exclude=./objs --exclude=./.git . \
	    | tar xf - -C $(ASAN)
	cd $(ASAN) && $(NGX_FLAGS) && \
	    $(NGX_CONFIGURE) "$${NGX_CONF_FLAGS[@]}" --with-poll_module \
	    --with-cc='$(CC)' \
	    --with-cc-opt='-O1 -fno-omit-frame-pointer $(ASAN_FLAGS)' \
	    --with-ld-opt='$(ASAN_FLAGS)' \
	    --add-module=$(CURDIR) --add-module=$(CURDIR)/t/asan \
	    > configure.out 2>&1 \
	    || { cat configure.out; rm -f objs/Makefile; exit 1; }
	sed -i '/^objs\/addon\//,/^$$/ s,$$(CC) -c ,&-include $(CURDIR)/t/faulty/faulty.h ,' \
	    $(ASAN)/objs/Makefile

$(ASAN)/objs/nginx: $(ASAN)/objs/Makefile $(MODULE_SRCS) $(HEADERS) \
		t/asan/ngx_akl_asan_module.c
	$(MAKE) -s -C $(ASAN) -f objs/Makefile binary

# nginx itself passes NULL with a length of 0 to memcpy() and shifts into the
# sign: not what these tests are after

ASAN_FLAGS =	-fsanitize=address,undefined \
		-fno-sanitize=nonnull-attribute,shift,alignment,pointer-overflow \
		-DNGX_DEBUG_PALLOC=1


# ten reloads, and so many logins, each process under valgrind

VALGRIND_LOGINS ?=	10000

valgrind: module $(NGINX_BUILT)
	$(TEST_ENV) VALGRIND_LOGINS=$(VALGRIND_LOGINS) AKL_TIMEOUT=3600 \
	    prove --exec '' t/valgrind/leaks.py

# nginx's own tests, with the module loaded and without: NGINX_TESTS names a
# checkout of nginx-tests, and NGINX_TESTS_FLAGS says how many at once

NGINX_TESTS ?=
NGINX_TESTS_FLAGS ?=

nginx-tests: module $(NGINX_BUILT)
	@test -n "$(NGINX_TESTS)" || { echo "say where nginx's tests are:" \
	    "make nginx-tests NGINX_TESTS=DIR" >&2; exit 1; }
	$(TEST_ENV) t/nginx-tests/run.py $(NGINX_TESTS_FLAGS) $(NGINX_TESTS)

# module and program, built in two directories: the same bytes; both have their
# sources before either is built, as somebody may be at work in these

TWICE =		$(abspath $(OBJS))/twice

reproducible:
	rm -rf $(TWICE)
	for dir in one another/and/deeper; do \
	    mkdir -p $(TWICE)/$$dir && \
	    tar cf - config ngx_http_akl_k8s_module.c Makefile src t/event \
	        | tar xf - -C $(TWICE)/$$dir || exit 1; \
	done
	for dir in one another/and/deeper; do \
	    $(MAKE) -C $(TWICE)/$$dir OBJS=objs EVENT= module cli \
	        NGINX_SRC=$(if $(NGINX_SRC),$(abspath $(NGINX_SRC))) \
	        > $(TWICE)/$${dir%%/*}.log 2>&1 \
	        || { cat $(TWICE)/$${dir%%/*}.log; exit 1; }; \
	done
	cd $(TWICE)/one/objs && sha256sum ngx_http_akl_k8s_module.so akl-k8s \
	    | tee $(TWICE)/sums
	cd $(TWICE)/another/and/deeper/objs && sha256sum -c $(TWICE)/sums


# the steps of the Dockerfiles, in root file systems: needs root, debootstrap

test-images:
	AKL_IMAGES=1 prove -v t/images.t


# Fuzzing: clang's libFuzzer where there is one, else the driver in t/fuzz,
# which mutates the corpus by itself.

FUZZ_CC ?=	$(shell for c in clang clang-14 clang-16 clang-19; do \
		command -v $$c && break; done)
FUZZ_LIB :=	$(shell test -n "$(FUZZ_CC)" \
		&& echo 'int LLVMFuzzerTestOneInput(const unsigned char *p, \
		unsigned long n) { return p && n ? 0 : 0; }' \
		| $(or $(FUZZ_CC),false) -fsanitize=fuzzer -xc - -o /dev/null \
		2>/dev/null && echo yes)

FUZZ_OPT =	-O1 -g -fno-omit-frame-pointer -DAKL_COUNT

ifeq ($(FUZZ_LIB),yes)
FUZZ_FLAGS =	$(FUZZ_OPT) -fsanitize=fuzzer-no-link $(SANITIZE)
FUZZ_LINK =	-fsanitize=fuzzer $(SANITIZE)
FUZZ_MAIN =
else
override FUZZ_CC =
FUZZ_FLAGS =	$(FUZZ_OPT) $(SANITIZE)
FUZZ_LINK =	$(SANITIZE)
FUZZ_MAIN =	t/fuzz/driver.c
endif

$(eval $(call PLAIN_LIB,fuzzed,$(FUZZ_FLAGS),$(FUZZ_CC)))

$(OBJS)/fuzz/%: t/fuzz/%.c t/fuzz/cost.c $(FUZZ_MAIN) $(FUZZ_HEADERS) \
		$(HEADERS) \
		$(OBJS)/fuzzed/libakl.a
	@mkdir -p $(@D)
	$(or $(FUZZ_CC),$(CC)) -I. $(WARN) $(FUZZ_FLAGS) $(FUZZ_LINK) -o $@ $< \
	    t/fuzz/cost.c $(FUZZ_MAIN) $(OBJS)/fuzzed/libakl.a $(PLAIN_LIBS)

-include t/fuzz/http/engine.mk

replay-http: $(ENGINE_REPLAYS)

fuzzers: $(FUZZERS) $(ENGINE_FUZZERS)

fuzz: fuzzers
	t/fuzz/run $(OBJS) $(FUZZ_SECONDS) $(FUZZERS) $(ENGINE_FUZZERS)
	@test -n "$(NGINX_SRC)" || echo "left out, for want of NGINX_SRC=DIR:" \
	    $(patsubst t/fuzz/http/fuzz_%.c,%,$(wildcard t/fuzz/http/fuzz_*.c))

# the same targets, by any compiler, for what was collected only: t/fuzz.t

$(OBJS)/replay/%: t/fuzz/%.c t/fuzz/cost.c t/fuzz/driver.c $(FUZZ_HEADERS) \
		$(HEADERS) \
		$(OBJS)/check/libakl.a
	@mkdir -p $(@D)
	$(CC) -I. $(WARN) $(CHECK) $(CFLAGS) $(LDFLAGS) -o $@ $< \
	    t/fuzz/cost.c t/fuzz/driver.c $(OBJS)/check/libakl.a $(PLAIN_LIBS)

replay: $(REPLAYS)

# bytes that each parser looks at, for each byte of its text

cost: $(OBJS)/unit/parser_cost
	@$< | sed -n 's/^# *\([0-9].* a byte:\)/\1/p'

# other people's libraries and clients, where they can be had

$(OBJS)/interop/%: t/interop/%.c $(HEADERS) $(OBJS)/plain/libakl.a
	@mkdir -p $(@D)
	$(CC) -I. $(WARN) $(OPT) $(CFLAGS) $(LDFLAGS) -o $@ $< \
	    $(OBJS)/plain/libakl.a $(PLAIN_LIBS)

interop: all $(INTEROPS) $(NGINX_BUILT)
	$(TEST_ENV) t/interop/prepare.py
	$(TEST_ENV) prove --timer --exec '' t/jws_verify.t t/interop.t \
	    t/vault_clients.t t/vault_watch.t t/oauth_clients.t t/spiffe.t \
	    t/relying_parties.t

# a real kube-apiserver, built from Go modules into $(OBJS)/e2e at first;
# E2E holds versions or the options of t/e2e/run.py

E2E ?=

e2e: module cli $(NGINX_BUILT)
	$(TEST_ENV) t/e2e/run.py $(E2E)

# the answers of both versions, into t/fixtures where they are new

fixtures:
	$(TEST_ENV) t/e2e/run.py --record $(or $(E2E),all)

# what t/manifests.t and t/docker.t check with: kustomize, helm, kubeconform,
# schemas and hadolint, into $(OBJS)/tools

tools:
	t/manifests/tools.py

# what conf-examples has twice, from where it is told once

examples:
	t/manifests/copies.py

bench: all $(NGINX_BUILT)
	$(TEST_ENV) t/bench/run

# what goes wrong around a gateway, under load; each story says --only; what
# grows in a long time, in seconds

SOAK_SECONDS ?=	1800

chaos: all $(NGINX_BUILT)
	rm -rf $(OBJS)/chaos
	@export AKL_CHAOS="$(abspath $(OBJS))/chaos"; \
	$(TEST_ENV) AKL_TIMEOUT=1800 prove --timer --exec '' t/chaos/*.t; \
	status=$$?; t/chaos/table.py && exit $$status

soak: all $(NGINX_BUILT)
	$(TEST_ENV) AKL_CHAOS="$(abspath $(OBJS))/chaos" \
	    nice -n 19 t/chaos/soak $(SOAK_SECONDS)

demo: module $(NGINX_BUILT)
	@$(TEST_ENV) t/demo/demo.py $(DEMO_FLAGS)

lint: module
	OBJS=$(OBJS) CC='$(CC)' t/lint/run

install: module cli
	install -d $(DESTDIR)$(MODULES_DIR) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(MODULE) $(DESTDIR)$(MODULES_DIR)/
	install -m 755 $(CLI) $(DESTDIR)$(PREFIX)/bin/
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 644 docs/akl-k8s.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	$(CLI) completion bash \
	    > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/akl-k8s
	$(CLI) completion zsh \
	    > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_akl-k8s

# a tarball of the last commit, the same bytes wherever it is made

dist:
	packaging/dist $(OBJS)

# Debian packages of it

deb:
	packaging/deb $(OBJS)/deb

# RPM packages, by rpmbuild, and what Alpine's abuild makes its packages of; for
# the nginx of NGINX_SRC, else that of the distribution

rpm:
	packaging/rpm $(OBJS)/rpm $(NGINX_SRC)

apk:
	packaging/apk $(OBJS)/apk $(NGINX_VERSION)

# built, installed, upgraded and purged in roots of their own: takes minutes,
# root, debootstrap and Debian's archive

test-packages:
	$(TEST_ENV) AKL_TIMEOUT=3600 prove --exec '' $(wildcard t/packages/*.t)

clean:
	rm -rf $(OBJS)
