# neurofilters: build, demonstrate, test, install.
#
# Knobs:   SAN=address,undefined   OPT=-O0   CC=clang   WERROR=1   PREFIX=/usr/local   DESTDIR=   V=1
#
# A variant (compiler + flags) builds in its own build/<variant>/, so switching between a release and a sanitizer build never
# mixes objects.

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:

CC     = cc
OPT    = -O2
AR     = ar
PREFIX = /usr/local
Q      = $(if $(V),,@)
JOBS  := $(shell nproc)
comma := ,

# Libraries: as pkg-config has them, else under their usual names.  oneDNN has no .pc file in Debian.
PKGS     := $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack) \
            libzstd zlib jansson libpcre2-8 libutf8proc libcrypto
PKG_CPP  := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null || echo -lmsgpackc -lzstd -lz -ljansson -lpcre2-8 -lutf8proc -lcrypto)

# CPPFLAGS, CFLAGS and LDFLAGS belong to whoever types make; ours stand before them.
# -std=c11 (not gnu11) also keeps gcc from contracting a*b+c behind our back; no -ffast-math, no -march=native.
WARN      = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings -Wformat=2 \
            $(if $(WERROR),-Werror)
SAN_FLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CPP_FLAGS = -D_GNU_SOURCE -DPCRE2_CODE_UNIT_WIDTH=8 -Ilib -Itests/unit -I$(B) $(PKG_CPP) $(CPPFLAGS)
C_FLAGS   = -std=c11 -g $(OPT) $(WARN) -fopenmp $(SAN_FLAGS) $(CFLAGS)
LD_FLAGS  = -Wl,--as-needed -fopenmp $(SAN_FLAGS) $(LDFLAGS)
LD_LIBS   = $(PKG_LIBS) -ldnnl -lm $(LDLIBS)

VARIANT := $(notdir $(CC))$(OPT)$(if $(SAN),-$(subst $(comma),+,$(SAN)))
B       := build/$(VARIANT)
# Only the plain build fills bin/.
BIN     := $(if $(filter cc-O2,$(VARIANT)),bin,$(B)/bin)

LIB_SRC  := $(sort $(wildcard lib/*/*.c lib/*/*/*.c))
LIB_HDR  := $(sort $(wildcard lib/*/*.h lib/*/*/*.h))
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o)
LIB      := $(B)/libnf.a
# One file a filter: a new filter needs no line here.  Nor does a unit test, a test tool or a fuzz target.
TOOL_SRC := $(sort $(wildcard src/*.c))
TOOLS    := $(TOOL_SRC:src/%.c=$(BIN)/%)
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT     := $(UNIT_SRC:%.c=$(B)/%)
REF_SRC  := $(sort $(wildcard tests/ref/*.c))
REF_OBJ  := $(REF_SRC:%.c=$(B)/%.o)
AID_SRC  := $(sort $(wildcard tests/oracle/*.c tests/bench/*.c tests/contract/*.c tests/howto/*.c))
AIDS     := $(AID_SRC:%.c=$(B)/%) $(patsubst %.c,$(B)/%.so,$(wildcard tests/fault/*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ     := $(FUZZ_SRC:%.c=$(B)/%)

all: $(TOOLS)

$(B)/%.o: %.c $(B)/flags | $(B)/version.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPP_FLAGS) $(C_FLAGS) -MMD -MP -c -o $@ $<
# The page's files are embedded in the program.
$(B)/lib/report/asset.o: $(wildcard lib/report/page/* lib/report/vendor/*.js)
# Removing first drops members whose source is gone.
$(LIB): $(LIB_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BIN)/%: $(B)/src/%.o $(LIB)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LD_FLAGS) -o $@ $^ $(LD_LIBS)
$(UNIT): %: %.o $(REF_OBJ) $(LIB)
	$(Q)$(CC) $(LD_FLAGS) -o $@ $^ $(LD_LIBS)
$(FUZZ): %: %.o $(B)/tests/fuzz/replay_main.o $(LIB)
	$(Q)$(CC) $(LD_FLAGS) -o $@ $^ $(LD_LIBS)
$(B)/tests/%.so: tests/%.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPP_FLAGS) -std=c11 $(WARN) -fPIC -shared -o $@ $< -ldl
$(filter-out %.so,$(AIDS)): %: %.o $(LIB)
	$(Q)$(CC) $(LD_FLAGS) -o $@ $^ $(LD_LIBS)

# Two generated files, replaced only when their text differs: new flags rebuild everything, a new version only what includes it.
export FLAGS = $(CC) $(CPP_FLAGS) $(C_FLAGS) $(LD_FLAGS) $(LD_LIBS)
$(B)/flags: FORCE
	$(Q)mkdir -p $(@D) && echo "$$FLAGS" | cmp -s - $@ || echo "$$FLAGS" >$@
VERSION = 0.1.0
$(B)/version.h: FORCE
	$(Q)mkdir -p $(@D) && echo '#define NF_VERSION "$(VERSION)"' | cmp -s - $@ || echo '#define NF_VERSION "$(VERSION)"' >$@
FORCE:

# ---- the two commands of the README: each installs what is missing, then does its job ----

# Both studies of the embedded model, the second on a fifteenth of its windows: text in, report out.
DEMO        = build/demo
DEMO_MODEL  = pipelines/demo/model
DEMO_STAGES = $(patsubst %,$(DEMO)/stages/model/%.nf,lesion lens stats)
demo: deps
	$(Q)$(MAKE) -s -j$(JOBS) all
	$(Q)$(MAKE) -s -j$(JOBS) -f pipelines/stages.mk MODELS=$(DEMO_MODEL) CORPUS=pipelines/demo/corpus OUT=$(DEMO)/stages \
	    CONTEXT=128 TOKENIZE="--sample 0.067" REDUCE="--cka-batch 16" $(DEMO_STAGES)
	$(Q)$(MAKE) -s -f pipelines/neurons.mk MODEL=$(DEMO_MODEL) CORPUS=pipelines/demo/corpus OUT=$(DEMO) STREAMS="$(DEMO_STAGES)" \
	    REPORT="--name tiny-opt,tiny-opt,tiny-opt,tiny-opt"
	@echo "The report is $(DEMO)/report.html (as text: $(DEMO)/report.md)."

# The picture of the report in the README.  Needs chromium and ImageMagick; run `make demo` first.
picture: $(DEMO)/report.html
	$(Q)profile=$$(mktemp -d); chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-background-networking \
	    --user-data-dir=$$profile --virtual-time-budget=20000 --window-size=1080,1290 --screenshot=$(DEMO)/report.png \
	    file://$(abspath $<) 2>$$profile/log || cat $$profile/log; rm -rf $$profile
	$(Q)convert $(DEMO)/report.png -strip -colors 200 PNG8:pipelines/demo/report.png

# Everything twice, side by side: as built for use, and with gcc's address and undefined-behaviour sanitizers.
test:
	$(Q)$(MAKE) -s deps NEED="$(NEED) $(NEED_TEST)"
	$(Q)$(MAKE) -s check-twice SIDE_BY_SIDE=
check-twice: check-plain check-sanitized
check-plain:
	$(Q)$(MAKE) -s check
check-sanitized:
	$(Q)$(MAKE) -s check SAN=address,undefined

# ---- parts of the test ----

# Each unit program, fuzz target and bats file is a target FILE.run: they run side by side, while the rest is still being built.
# -k: one that fails does not stop the others.  -O: make prints what each of them wrote in one piece.
SIDE_BY_SIDE = -k -j$(JOBS) -Otarget
ifneq ($(filter test check check-%,$(MAKECMDGOALS)),)
MAKEFLAGS += $(SIDE_BY_SIDE)
endif

# One by name: T=position is tests/unit/test_position.c, F=lesion a lesion.bats, FILTER=REGEX its tests with such names.
FILTER_BATS   := $(sort $(wildcard tests/*.bats tests/contract/*.bats tests/filter/*.bats))
PIPELINE_BATS := $(sort $(wildcard tests/pipeline/*.bats))
UNIT_ASKED     = $(if $(T),$(T:%=$(B)/tests/unit/test_%),$(UNIT))
bats_asked     = $(if $(F),$(or $(filter %/$(F).bats,$(1)),$(F).bats),$(1))

check: check-filter check-pipeline check-golden check-unit check-fuzz
check-build: all $(UNIT) $(AIDS) $(FUZZ)
check-unit: $(UNIT_ASKED:=.run)
check-fuzz: $(FUZZ:=.run)
check-filter: $(addsuffix .run,$(call bats_asked,$(FILTER_BATS)))
check-pipeline: $(addsuffix .run,$(call bats_asked,$(PIPELINE_BATS)))
# With files from elsewhere, so not part of check: pip fetches them once into $XDG_CACHE_HOME/neurofilters.
check-long: all
	$(Q)bats --formatter tap tests/long

# The programs under test, the aids; A tool that leaks is reported; OpenMP and oneDNN keep what they have until the end of the process.
export NF_BIN   := $(CURDIR)/$(BIN)
export NF_TESTS := $(CURDIR)/$(B)/tests
export NF_SAN   := $(SAN)
export FILTER
export ASAN_OPTIONS  ?= detect_leaks=1
export LSAN_OPTIONS  ?= suppressions="$(CURDIR)/tests/lsan.supp":print_suppressions=0
export UBSAN_OPTIONS ?= print_stacktrace=1

# Threads sleep while they wait, as nf_prog_start() has it in the filters.
$(UNIT:=.run): export OMP_WAIT_POLICY = PASSIVE
# What has vector code of its own runs again with the instruction sets below the processor's.
UNIT_VECTOR = $(patsubst %,$(B)/tests/unit/test_%,tensor forward logit_effect vocab_projection)
$(UNIT:=.run): %.run: %
	$(Q)for isa in "" $(if $(filter $*,$(UNIT_VECTOR)),avx2 baseline); do echo "# $(*F) $$isa"; \
	    env $${isa:+NF_ISA=$$isa} $* || { echo "not ok - $(*F) $$isa: status $$?"; exit 1; }; done
$(FUZZ:=.run): %.run: %
	$(Q)$* tests/fuzz/corpus/$(*F:fuzz_%=%) && echo "ok - $(*F)" || { echo "not ok - $(*F): status $$?"; exit 1; }
# A make that a test starts is not part of this one.
$(addsuffix .run,$(FILTER_BATS) $(PIPELINE_BATS)): %.run: % all $(AIDS)
	$(Q)echo "# $*"; unset MAKEFLAGS MFLAGS MAKELEVEL; bats --formatter tap $${FILTER:+--filter "$$FILTER"} $*
check-golden: all                       # REWRITE=1 writes the .txt; the difference is reviewed like code
	$(Q)echo "# tests/golden"; REWRITE=$(REWRITE) tests/golden/run "$$FILTER"

# Each line is a whole check in its own folder.
check-matrix:
	$(Q)$(MAKE) -s deps NEED="$(NEED) $(NEED_TEST) $(NEED_LINT)"
	$(MAKE) check SIDE_BY_SIDE= WERROR=1 CC=gcc
	$(MAKE) check SIDE_BY_SIDE= WERROR=1 CC=gcc SAN=address,undefined
	$(MAKE) check SIDE_BY_SIDE= WERROR=1 CC=clang OPT=-O3

# Headers compile alone; gcc's analyzer, which works only in a real compile (leaks are left to the sanitizer: it loses track of what a
# struct owns; shifts too: it takes the width of a vector for that of its elements); layout, where the space before a comment is free;
# shell.
SCRIPTS = .ci/run tests/golden/run tests/bench/run $(wildcard pipelines/*.sh tests/*.bash tests/*.bats tests/*/*.bash tests/*/*.bats tests/*/*.sh)
SOURCES = $(LIB_SRC) $(LIB_HDR) $(wildcard src/*.c tests/*/*.[ch])
lint:
	$(Q)$(MAKE) -s deps NEED="$(NEED) $(NEED_LINT)"
	$(Q)$(MAKE) -s -k lint-headers lint-analyzer lint-format lint-shell
lint-headers: $(B)/version.h
	$(Q)printf '%s\n' $(LIB_HDR:lib/%=%) | xargs -P $(JOBS) -I{} \
	    sh -c 'echo "#include \"{}\"" | $(CC) $(CPP_FLAGS) -std=c11 $(WARN) -Werror -fsyntax-only -xc -'
	$(Q)printf '#include "%s"\n' $(LIB_HDR:lib/%=%) | $(CC) $(CPP_FLAGS) -std=c11 $(WARN) -Werror -fsyntax-only -xc -
lint-analyzer: $(B)/version.h
	$(Q)printf '%s\n' $(LIB_SRC) $(TOOL_SRC) | xargs -P $(JOBS) -I{} \
	    gcc $(CPP_FLAGS) -std=c11 -O1 -fopenmp -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-shift-count-overflow -Werror -c -o /dev/null {}
lint-format:
	$(Q)bad=; for f in $(SOURCES); do clang-format $$f | diff -b --label $$f --label "$$f, laid out" -u $$f - || bad=1; done; [ -z "$$bad" ]
lint-shell:
	$(Q)shellcheck -x -s bash $(filter-out %.bats,$(SCRIPTS)) && shellcheck -x -s bats $(filter %.bats,$(SCRIPTS))

# Look for new crashes: FUZZ_TIME seconds a target, from a copy of the corpus; what crashed is left in build/.
FUZZ_TIME = 60
fuzz:
	$(Q)$(MAKE) -s deps NEED="$(NEED) $(NEED_LINT)"
	$(Q)$(MAKE) -j$(JOBS) fuzzers CC=clang OPT=-O1 SAN=fuzzer-no-link,address,undefined
fuzzers: $(LIB) $(FUZZ_SRC:%.c=$(B)/%.o)
	$(Q)for t in $(patsubst tests/fuzz/fuzz_%.c,%,$(FUZZ_SRC)); do \
	    $(CC) $(LD_FLAGS) -fsanitize=fuzzer -o $(B)/fuzz_$$t $(B)/tests/fuzz/fuzz_$$t.o $(LIB) $(LD_LIBS) && mkdir -p $(B)/found/$$t && \
	    $(B)/fuzz_$$t -max_total_time=$(FUZZ_TIME) -artifact_prefix=$(B)/ $(B)/found/$$t tests/fuzz/corpus/$$t || exit 1; done

# Speed and memory, as the README's table has them.
bench: all $(AIDS)
	$(Q)NF_BIN=$(abspath $(BIN)) NF_TESTS=$(abspath $(B)/tests) tests/bench/run

# ---- install ----

DOC = $(DESTDIR)$(PREFIX)/share/doc/neurofilters
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DOC)
	install -m 755 $(TOOLS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 README.md LICENSE lib/stream/FORMAT.md $(wildcard src/*.md) $(DOC)
uninstall:
	rm -f $(TOOLS:$(BIN)/%=$(DESTDIR)$(PREFIX)/bin/%)
	rm -rf $(DOC)

# ---- what the machine must have: a header or program = its Debian package (or the first of several names that apt knows) ----

NEED      = cc=gcc stdio.h=libc6-dev pkg-config=pkg-config msgpack.h=libmsgpack-c-dev/libmsgpack-dev zstd.h=libzstd-dev zlib.h=zlib1g-dev \
            dnnl.h=libdnnl-dev jansson.h=libjansson-dev pcre2.h=libpcre2-dev utf8proc.h=libutf8proc-dev openssl/evp.h=libssl-dev
NEED_TEST = bats=bats jq=jq zstd=zstd script=bsdutils/util-linux
NEED_LINT = clang=clang omp.h=libomp-dev clang-format=clang-format shellcheck=shellcheck

# Only what is missing, and only by apt-get; elsewhere the message says what to install.
deps:
	@missing=; for need in $(NEED); do \
	    case $$need in \
	    *.h=*) echo "#include <$${need%%=*}>" | $(CC) $(CPP_FLAGS) -E -o /dev/null -xc - 2>/dev/null ;; \
	    *)     command -v $${need%%=*} >/dev/null ;; \
	    esac || missing="$$missing $${need#*=}"; done; \
	[ -n "$$missing" ] || exit 0; \
	if ! command -v apt-get >/dev/null; then \
	    echo "missing (names of Debian packages):$$missing; install what your system calls them" >&2; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null; then sudo=sudo; else \
	    echo "missing:$$missing; there is no sudo, so as root: apt-get install$$missing" >&2; exit 1; fi; \
	echo "missing:$$missing; installing them with apt-get"; \
	$$sudo apt-get update -q </dev/null >/dev/null || exit 1; \
	names=; for m in $$missing; do for n in $$(echo $$m | tr / ' '); do \
	    apt-cache show --no-all-versions $$n >/dev/null 2>&1 && { names="$$names $$n"; break; }; done; done; \
	echo "apt-get install$$names"; \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$names </dev/null >/dev/null

clean:
	rm -rf build bin

help:
	@echo "make demo         the study of the embedded model: text in, report out (installs what is missing)"
	@echo "make test         every test, plain and with sanitizers (installs what is missing)"
	@echo "make              the filters, in bin/"
	@echo "make check        every test once; parts: check-unit check-fuzz check-filter check-golden check-pipeline"
	@echo "make check-long   a real GGUF model, which pip fetches once into the cache"
	@echo "make check-matrix gcc, gcc with sanitizers, clang -O3;  make lint;  make fuzz;  make bench"
	@echo "make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR);  make uninstall;  make deps;  make clean"
	@echo "knobs             SAN=address,undefined  OPT=-O0  CC=clang  WERROR=1  V=1"

.PHONY: all demo picture test check check-twice check-plain check-sanitized check-build check-unit check-fuzz check-filter check-golden \
        check-pipeline check-long check-matrix $(addsuffix .run,$(UNIT) $(FUZZ) $(FILTER_BATS) $(PIPELINE_BATS)) \
        lint lint-headers lint-analyzer lint-format lint-shell fuzz fuzzers bench install uninstall deps clean help FORCE
-include $(LIB_OBJ:.o=.d) $(patsubst %.c,$(B)/%.d,$(TOOL_SRC) $(UNIT_SRC) $(REF_SRC) $(AID_SRC) $(FUZZ_SRC))
