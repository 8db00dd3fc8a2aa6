# Targets that have a whole nginx in them, as a library: that takes nginx's own
# sources, so NGINX_SRC.  For fuzzing it is built by libFuzzer's compiler; what
# was collected is replayed with the nginx of "make test-asan".

ENGINE =	$(OBJS)/engine
ENGINE_SRCS =	$(sort $(filter-out t/fuzz/http/fuzz_%,\
		$(wildcard t/fuzz/http/*.c)))
ENGINE_NAMES =	$(if $(NGINX_SRC),$(patsubst t/fuzz/http/%.c,%,\
		$(wildcard t/fuzz/http/fuzz_*.c)))
ENGINE_FUZZERS = $(ENGINE_NAMES:%=$(OBJS)/fuzz/%)
ENGINE_REPLAYS = $(ENGINE_NAMES:%=$(OBJS)/replay/%)

# nothing that no target needs: all of it is built with sanitizers

ENGINE_CONF =	--with-debug --with-http_ssl_module \
		$(addprefix --without-http_,$(addsuffix _module,charset gzip \
		    ssi userid mirror autoindex geo map split_clients referer \
		    fastcgi uwsgi scgi grpc memcached limit_conn limit_req \
		    empty_gif browser upstream_hash upstream_ip_hash \
		    upstream_least_conn upstream_random upstream_keepalive \
		    upstream_zone))

# what nginx does itself, and these tests are not after

ENGINE_FLAGS =	-fno-sanitize=nonnull-attribute,shift,alignment \
		-fno-sanitize=pointer-overflow -DNGX_DEBUG_PALLOC=1

# what is covered is counted of our sources, not of nginx's

ifeq ($(FUZZ_LIB),yes)
ENGINE_OURS =	-fsanitize-coverage-allowlist=$(abspath $(OBJS))/engine.list
endif

$(ENGINE)/objs/Makefile: $(OBJS)/engine.stamp
	rm -rf $(ENGINE)
	mkdir -p $(ENGINE)
	printf '%s\n' 'src:*/src/*' 'fun:*' > $(OBJS)/engine.list
	printf '%s\n' 'src:none' 'fun:*' > $(OBJS)/none.list
	tar cf - -C $(NGX_FROM) --exclude=./objs --exclude=./.git . \
	    | tar xf - -C $(ENGINE)
	cd $(ENGINE) && $(NGX_CONFIGURE) $(ENGINE_CONF) \
	    --with-cc='$(or $(FUZZ_CC),$(CC))' \
	    --with-cc-opt='$(FUZZ_FLAGS) $(ENGINE_FLAGS) $(ENGINE_OURS)' \
	    --with-ld-opt='$(SANITIZE)' \
	    --add-module=$(CURDIR) > configure.out 2>&1 \
	    || { cat configure.out; rm -f objs/Makefile; exit 1; }

$(OBJS)/engine.stamp: FORCE
	@mkdir -p $(OBJS)
	@{ printf '%s\n' '$(NGX_FROM)' \
	    '$(ENGINE_CONF) $(FUZZ_FLAGS) $(ENGINE_FLAGS) $(ENGINE_OURS)' $(MODULE_SRCS) $(HEADERS); \
	    cksum config $(NGX_FROM)/src/core/nginx.h; } > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# a CC from the command line would come before that of nginx's makefile

$(ENGINE)/objs/nginx: $(ENGINE)/objs/Makefile $(MODULE_SRCS) $(HEADERS)
	$(MAKE) -s -C $(ENGINE) -f objs/Makefile CC='$(or $(FUZZ_CC),$(CC))' \
	    binary

# $(1): the tree; $(2): where the targets go; $(3): their compiler and flags;
# $(4): the main() that they need

define ENGINE_TARGETS
$(1)/objs/libnginx.a: $(1)/objs/nginx
	objcopy --redefine-sym main=nginx_main $(1)/objs/src/core/nginx.o \
	    $(1)/objs/main.o
	rm -f $$@
	ar rcs $$@ $(1)/objs/main.o $$$$(find $(1)/objs -name '*.o' \
	    ! -path '*/core/nginx.o' ! -path '*/objs/main.o')

$(ENGINE_NAMES:%=$(2)/%): $(2)/%: t/fuzz/http/%.c $(ENGINE_SRCS) \
		$(wildcard t/fuzz/*.[ch] t/fuzz/http/*.h) $(HEADERS) \
		$(1)/objs/libnginx.a
	@mkdir -p $$(@D)
	$(3) -I. -std=gnu11 -D_GNU_SOURCE -Wall -Wno-unused-parameter -Werror \
	    $(ENGINE_FLAGS) \
	    $(foreach dir,src/core src/event src/event/modules src/os/unix \
	        objs src/http src/http/modules src/http/v2,-I$(1)/$(dir)) \
	    -o $$@ $$< $(ENGINE_SRCS) t/fuzz/cost.c src/cli/json.c $(4) \
	    $(1)/objs/libnginx.a $$$$(grep -e ' -lcurl' $(1)/objs/Makefile \
	        | grep -oE -- ' -l[a-z0-9_-]+') \
	    $(PLAIN_LIBS)
endef

$(eval $(call ENGINE_TARGETS,$(ENGINE),$(OBJS)/fuzz,$(or $(FUZZ_CC),$(CC)) \
	$(FUZZ_FLAGS) $(FUZZ_LINK) $(ENGINE_OURS:%engine.list=%none.list),$(FUZZ_MAIN)))
$(eval $(call ENGINE_TARGETS,$(ASAN),$(OBJS)/replay,$(CC) -Og -g \
	$(SANITIZE),t/fuzz/driver.c))
