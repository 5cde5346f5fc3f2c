# Question  What does every FFN neuron of this model do: dead, n-gram detector, positional (Voita et al. 2023)?
# Needs     the filters in bin/ or on PATH; a checkpoint; text
# Takes     MODEL=dir, file or name in the Hub cache   CORPUS=files or directories   OUT=dir
#           SHARDS=n (run with -j; merged stats equal those of one run)  CONTEXT=window length (0: the model's own)
#           LIMIT=tokens of all shards together (0: all)  TOKENIZE= CAPTURE= REDUCE= CLASSIFY= REPORT= further options of each filter
#           STREAMS=further streams for the report, as stages.mk makes them
# Writes    OUT/stats.nf, OUT/neurons.nf, OUT/report.html, OUT/report.md; with SHARDS > 1 also OUT/shards/stats.K.nf
#
#     make -f pipelines/neurons.mk MODEL=~/opt-125m CORPUS=~/pile OUT=study SHARDS=8 -j2
#
# Activations are never stored: each shard runs from text to statistics in one pipe.  A stage that fails or is interrupted leaves no
# file, and the next run continues with what is there.  Other options, another model or other text make the files again.

MODEL    ?= $(error MODEL=dir, a checkpoint directory, is expected)
CORPUS   ?= $(error CORPUS=files or directories of text is expected)
OUT      ?= $(error OUT=dir, where the study goes, is expected)
SHARDS   ?= 1
CONTEXT  ?= 0
LIMIT    ?= 0
TOKENIZE ?=
CAPTURE  ?=
REDUCE   ?=
CLASSIFY ?=
REPORT   ?=
STREAMS  ?=

# The folder of this file, also where its path has a blank.
here := $(shell dirname "$(strip $(MAKEFILE_LIST))")/
blank := $(subst ,, )
study := neurons
include $(subst $(blank),\ ,$(here))common.mk

include $(subst $(blank),\ ,$(here))lock.mk
ifdef NF_LOCKED

all: $(OUT)/report.html $(OUT)/report.md

NF_MODEL := $(value MODEL)
export NF_MODEL
weights := $(call model_files,$(NF_MODEL))
shards  := $(patsubst %,shards/stats.%.nf,$(shell seq 1 $(SHARDS)))

asked_stats    := $(call asked,stats $(SHARDS) $(CONTEXT) $(LIMIT) $(TOKENIZE) | $(CAPTURE) | $(REDUCE) | $(value CORPUS) $(text_files) $(NF_MODEL) $(weights))
asked_neurons  := $(call asked,neurons $(CLASSIFY) $(NF_MODEL) $(weights) $(asked_stats))
asked_report   := $(call asked,report $(REPORT) $(STREAMS) $(asked_neurons))
$(call stale,$(shards) stats.nf,$(asked_stats)) $(call stale,neurons.nf,$(asked_neurons)) $(call stale,report.html report.md,$(asked_report)): FORCE

count = $(text); tokenize -m "$$NF_MODEL" --context $(CONTEXT) --limit $(LIMIT) $(1) $(TOKENIZE) -- "$$@" \
    | forward-capture -m "$$NF_MODEL" $(CAPTURE) | reduce-stats $(REDUCE)

$(OUT)/shards/stats.%.nf:
	$(call into,$(call count,--shard $*/$(SHARDS)),$(asked_stats))

ifeq ($(SHARDS),1)
$(OUT)/stats.nf:
	$(call into,$(call count),$(asked_stats))
else
$(OUT)/stats.nf: $(shards:%=$(OUT)/%)
	$(call into,reduce-stats $(REDUCE) $(filter-out FORCE,$^),$(asked_stats))
endif

$(OUT)/neurons.nf: $(OUT)/stats.nf
	$(call into,classify-neurons -m "$$NF_MODEL" $(CLASSIFY) < $<,$(asked_neurons))

$(OUT)/report.html: $(OUT)/neurons.nf $(STREAMS)
	render-report $(REPORT) -o $@ $(filter-out FORCE,$^); $(call made,$(asked_report))

$(OUT)/report.md: $(OUT)/neurons.nf $(STREAMS)
	render-report $(REPORT) --format markdown -o $@ $(filter-out FORCE,$^); $(call made,$(asked_report))

clean:
	$(call tidy,$(shards) $(patsubst $(OUT)/%,%,$(wildcard $(OUT)/shards/stats.*.nf)) stats.nf neurons.nf report.html report.md)

.PHONY: all clean
endif
