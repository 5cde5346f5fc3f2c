# What neurons.mk and stages.mk share (they set `here`, the folder of these files): the shell, the lock, whole files, and what was asked.
#
# Paths.   MODEL and CORPUS may hold any character: recipes read them from the environment.  OUT names targets, so make must be able to
#          write it: no blanks and none of $ # : % ; * ? [ ] ' " \ ~ and no dash in front.
# Lock.    One run at a time works in OUT; a second one waits until the first has ended.
# Asked.   OUT/.asked/NAME.txt says what the file NAME was made from: the options, and path, size, time and inode of each file of the text and the
#          checkpoint.  A file that was made from something else is made again.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all

, := ,
hash := \#

# quote TEXT: as one word of the shell.
quote = '$(subst ','\'',$(1))'
export PATH := $(shell cd "$(here)../bin" 2>/dev/null && pwd):$(PATH)

ifneq ($(words $(value OUT)),1)
$(error OUT="$(OUT)": one path without blanks is expected)
endif
ifneq ($(shell printf '%s' $(call quote,$(value OUT)) | grep -E "^-|[]%;*?\"\\~'$(hash)\$$:[:blank:][]"),)
$(error OUT="$(value OUT)": a path without $$ $(hash) : % ; * ? [ ] ~ quotes, backslash and leading dash is expected)
endif

# As typed, whatever characters they hold.
NF_CORPUS := $(value CORPUS)
export NF_CORPUS

# text CMD: run CMD with the paths of the text as operands "$@".  A path that exists is one operand, blanks and all; else it is a list.
text = if [ -e "$$NF_CORPUS" ]; then set -- "$$NF_CORPUS"; else set -- $$NF_CORPUS; fi

# Files below the operands: path, size, time, inode.
list_files = find -L "$$@" -type f -printf "%p %s %T@ %i\n" | LC_ALL=C sort

text_files := $(shell NF_CORPUS=$(call quote,$(NF_CORPUS)); $(text); $(list_files) 2>&1 | sha256sum)

# model_files MODEL: the same of a checkpoint: a directory, a file, or a name in the Hub cache.
model_files = $(shell m=$(call quote,$(1)); [ -e "$$m" ] || m=$${HF_HUB_CACHE:-$${HF_HOME:-$$HOME/.cache/huggingface}/hub}/models--$${m//\//--}; \
    set -- "$$m"; $(list_files) 2>&1 | sha256sum)

# asked TEXT: the digest of what was asked.
asked = $(firstword $(shell printf '%s\n' $(call quote,$(1)) | sha256sum))

# stale NAMES,DIGEST: those of the files below OUT that were not made from this.
stale = $(foreach f,$(1),$(if $(filter $(2),$(shell cat "$(OUT)/.asked/$(subst /,.,$(f)).txt" 2>/dev/null)),,$(OUT)/$(f)))

# into CMD,DIGEST: make the target from the output of CMD.  It appears under its own name only when CMD has ended well.
# A signal is caught, not died of: make passes on the one that the terminal sent too, and the second must not stop the tidying.
define into
mkdir -p "$(@D)"; trap 'rm -f "$@.part"' EXIT; trap 'exit 1' HUP INT TERM; { $(1); } > "$@.part"; mv "$@.part" "$@"; $(call made,$(2))
endef
made = mkdir -p "$(OUT)/.asked"; echo $(1) > "$(OUT)/.asked/$(subst /,.,$(@:$(OUT)/%=%)).txt"

# tidy NAMES: remove these files of OUT, their notes, and folders that are empty then.
tidy = rm -f $(foreach f,$(1),"$(OUT)/$(f)" "$(OUT)/$(f).part" "$(OUT)/.asked/$(subst /,.,$(f)).txt"); \
    for d in $(sort $(foreach f,$(1),"$(patsubst %/,%,$(dir $(OUT)/$(f)))")) "$(OUT)/.asked" "$(OUT)"; do \
        if [ -d "$$d" ]; then rmdir --ignore-fail-on-non-empty "$$d"; fi; done

FORCE:
.PHONY: FORCE
