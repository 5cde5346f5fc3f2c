# neurofilters: build, test, demonstrate.
#
# Targets: all demo test bench check check-unit check-filter check-matrix lint fuzz install clean deps help
# Knobs:   SAN=address,undefined   OPT=-O0   WERROR=1   PREFIX=/usr/local   V=1
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
comma := ,

# CPPFLAGS, CFLAGS and LDFLAGS belong to whoever types make; ours stand before them.
# -std=c11 (not gnu11) also keeps gcc from contracting a*b+c behind our back; no -ffast-math, no -march=native.
WARN      = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings -Wformat=2 \
            $(if $(WERROR),-Werror)
SAN_FLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CPP_FLAGS = -D_GNU_SOURCE -DPCRE2_CODE_UNIT_WIDTH=8 -Ilib -Itests/unit -I$(B) $(CPPFLAGS)
C_FLAGS   = -std=c11 -g $(OPT) $(WARN) -fopenmp $(SAN_FLAGS) $(CFLAGS)
LD_FLAGS  = -fopenmp $(SAN_FLAGS) $(LDFLAGS)
LD_LIBS   = -lmsgpackc -lzstd -ldnnl -ljansson -lpcre2-8 -lutf8proc -lcrypto -lm $(LDLIBS)

VARIANT := $(notdir $(CC))$(OPT)$(if $(SAN),-$(subst $(comma),+,$(SAN)))
B       := build/$(VARIANT)
# Only the plain build fills bin/.
BIN     := $(if $(filter cc-O2,$(VARIANT)),bin,$(B)/bin)

LIB_SRC  := $(sort $(wildcard lib/*/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o)
LIB      := $(B)/libnf.a
# One file a filter: a new filter needs no line here.
TOOL_SRC := $(sort $(wildcard src/*.c))
TOOLS    := $(TOOL_SRC:src/%.c=$(BIN)/%)
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT     := $(UNIT_SRC:%.c=$(B)/%)
REF_SRC  := $(sort $(wildcard tests/ref/*.c))
REF_OBJ  := $(REF_SRC:%.c=$(B)/%.o)

all: $(TOOLS)

$(B)/%.o: %.c $(B)/flags | $(B)/version.h
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPP_FLAGS) $(C_FLAGS) -MMD -MP -c -o $@ $<
# Removing first drops members whose source is gone.
$(LIB): $(LIB_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BIN)/%: $(B)/src/%.o $(LIB)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LD_FLAGS) -o $@ $^ $(LD_LIBS)
$(B)/tests/unit/%: $(B)/tests/unit/%.o $(REF_OBJ) $(LIB)
	$(Q)$(CC) $(LD_FLAGS) -o $@ $^ $(LD_LIBS)

# Two generated files, replaced only when their text differs: new flags rebuild everything, a new version only what includes it.
export FLAGS = $(CC) $(CPP_FLAGS) $(C_FLAGS) $(LD_FLAGS) $(LD_LIBS)
$(B)/flags: FORCE
	$(Q)mkdir -p $(@D) && echo "$$FLAGS" | cmp -s - $@ || echo "$$FLAGS" >$@
VERSION = 0.1.0
$(B)/version.h: FORCE
	$(Q)mkdir -p $(@D) && echo '#define NF_VERSION "$(VERSION)"' | cmp -s - $@ || echo '#define NF_VERSION "$(VERSION)"' >$@
FORCE:

# The embedded study: text in, report out.
DEMO = build/demo
demo: all
	$(Q)$(MAKE) -s -f pipelines/neurons.mk MODEL=pipelines/demo/model CORPUS=pipelines/demo/corpus OUT=$(DEMO)
	@echo "The report is $(DEMO)/report.html (as text: $(DEMO)/report.md)."

check-unit: $(UNIT)
	$(Q)for t in $(UNIT); do echo "$${t##*/}"; $$t || exit 1; done

clean:
	rm -rf build bin

.PHONY: all demo check-unit clean FORCE
-include $(LIB_OBJ:.o=.d) $(TOOL_SRC:%.c=$(B)/%.d) $(UNIT_SRC:%.c=$(B)/%.d) $(REF_SRC:%.c=$(B)/%.d)
