# Question  What does every FFN neuron of this model do: dead, n-gram detector, positional (Voita et al. 2023)?
# Needs     the filters in bin/ or on PATH; a checkpoint directory; text
# Takes     MODEL=dir  CORPUS=files or directories  OUT=dir
#           SHARDS=n (run with -j; merged stats equal those of one run)  CONTEXT=window length (0: the model's own)
#           LIMIT=tokens of all shards together (0: all)  TOKENIZE= CAPTURE= REDUCE= CLASSIFY= REPORT= further options of each filter
#           STREAMS=further streams for the report, as stages.mk makes them
# Writes    OUT/stats.nf, OUT/neurons.nf, OUT/report.html, OUT/report.md; with SHARDS > 1 also OUT/shards/stats.K.nf
#
#     make -f pipelines/neurons.mk MODEL=~/opt-125m CORPUS=~/pile OUT=study SHARDS=8 -j2
#
# Activations are never stored: each shard runs from text to statistics in one pipe.  A stage that fails or is interrupted leaves no
# file, and the next run goes on from what is there.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:

MODEL    ?= $(error MODEL=dir, a checkpoint directory, is wanted)
CORPUS   ?= $(error CORPUS=files or directories of text is wanted)
OUT      ?= $(error OUT=dir, where the study goes, is wanted)
SHARDS   ?= 1
CONTEXT  ?= 0
LIMIT    ?= 0
TOKENIZE ?=
CAPTURE  ?=
REDUCE   ?=
CLASSIFY ?=
REPORT   ?=
STREAMS  ?=

export PATH := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../bin):$(PATH)

numbers := $(shell seq 1 $(SHARDS))
texts   := $(shell find $(CORPUS) -type f)
weights := $(wildcard $(MODEL)/*)

# A file appears under its own name only when its pipe has ended well: `into CMD` writes the target, whole or not at all.
# A signal is caught, not died of: make passes on the one that the terminal sent too, and the second must not stop the tidying.
define into
trap 'rm -f "$@.part"' EXIT; trap 'exit 1' HUP INT TERM; { $(1); } > "$@.part"; mv "$@.part" "$@"
endef

all: $(OUT)/report.html $(OUT)/report.md

$(OUT) $(OUT)/shards:
	@mkdir -p $@

$(OUT)/shards/stats.%.nf: $(texts) $(weights) | $(OUT)/shards
	$(call into,tokenize -m $(MODEL) --context $(CONTEXT) --limit $(LIMIT) --shard $*/$(SHARDS) $(TOKENIZE) $(CORPUS) \
	    | forward-capture -m $(MODEL) $(CAPTURE) | reduce-stats $(REDUCE))

ifeq ($(SHARDS),1)
$(OUT)/stats.nf: $(texts) $(weights) | $(OUT)
	$(call into,tokenize -m $(MODEL) --context $(CONTEXT) --limit $(LIMIT) $(TOKENIZE) $(CORPUS) \
	    | forward-capture -m $(MODEL) $(CAPTURE) | reduce-stats $(REDUCE))
else
$(OUT)/stats.nf: $(numbers:%=$(OUT)/shards/stats.%.nf) | $(OUT)
	$(call into,reduce-stats $(REDUCE) $^)
endif

$(OUT)/neurons.nf: $(OUT)/stats.nf $(weights)
	$(call into,classify-neurons -m $(MODEL) $(CLASSIFY) < $<)

$(OUT)/report.html: $(OUT)/neurons.nf $(STREAMS)
	render-report $(REPORT) -o $@ $^

$(OUT)/report.md: $(OUT)/neurons.nf $(STREAMS)
	render-report $(REPORT) --format markdown -o $@ $^

clean:
	rm -rf $(OUT)/shards $(OUT)/stats.nf $(OUT)/neurons.nf $(OUT)/report.html $(OUT)/report.md

.PHONY: all clean
