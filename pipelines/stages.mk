# Question  Where are the stages of inference of these models (Lad et al. 2024): what happens when layers are left out or exchanged, what the stream
#           would predict at every point, where heads look, what neurons do to the vocabulary?
# Needs     the filters in bin/ or on PATH; checkpoints; text
# Takes     MODELS="dir-or-hub-id ..."  CORPUS=files or directories  OUT=dir
#           CONTEXT=512 (window length)  LIMIT=tokens of the corpus (0: all)
#           LESIONS="--drop all --swap all --repeat 3"  TOKENIZE= CAPTURE= LENS= REDUCE= CLASSIFY= REPORT= further options of the filters
# Writes    OUT/report.html and report.md, of all models side by side; for each model OUT/NAME/lesion.nf, lens.nf, stats.nf, neurons.nf (NAME: the last
#           part of its path or id), and their means as OUT/NAME/lesion.tsv, lens.tsv
#
#     make -f pipelines/stages.mk MODELS="gpt2 EleutherAI/pythia-410m-deduped" CORPUS=~/pile OUT=stages LIMIT=100000 -j2
#
# A stage that fails or is interrupted leaves no file, and the next run goes on from what is there.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

MODELS   ?= $(error MODELS="dir-or-hub-id ..." is wanted)
CORPUS   ?= $(error CORPUS=files or directories of text is wanted)
OUT      ?= $(error OUT=dir, where the study goes, is wanted)
CONTEXT  ?= 512
LIMIT    ?= 0
LESIONS  ?= --drop all --swap all --repeat 3
TOKENIZE ?=
CAPTURE  ?=
LENS     ?=
REDUCE   ?=
CLASSIFY ?=
REPORT   ?=

export PATH := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../bin):$(PATH)

# model_NAME is the model called NAME.
name   = $(notdir $(patsubst %/,%,$(1)))
names := $(foreach m,$(MODELS),$(call name,$(m)))
$(foreach m,$(MODELS),$(eval model_$(call name,$(m)) := $(m)))
ifneq ($(words $(names)),$(words $(sort $(names))))
$(error two of the models have the same name: $(names))
endif
texts := $(shell find $(CORPUS) -type f)

# A file appears under its own name only when its pipe has ended well: neurons.mk.
define into
mkdir -p $(@D); trap 'rm -f "$@.part"' EXIT; trap 'exit 1' HUP INT TERM; { $(1); } > "$@.part"; mv "$@.part" "$@"
endef

all: $(OUT)/report.html $(OUT)/report.md $(foreach n,$(names),$(OUT)/$(n)/lesion.tsv $(OUT)/$(n)/lens.tsv)

$(OUT)/report.html $(OUT)/report.md: $(foreach n,$(names),$(foreach f,lesion lens stats neurons,$(OUT)/$(n)/$(f).nf))
	render-report $(REPORT) $(if $(filter %.md,$@),--format markdown) -o $@ $^

$(OUT)/%/tokens.nf: $(texts)
	$(call into,tokenize -q -m $(model_$*) --context $(CONTEXT) --limit $(LIMIT) $(TOKENIZE) $(CORPUS))

$(OUT)/%/lesion.nf: $(OUT)/%/tokens.nf
	$(call into,lesion -m $(model_$*) $(LESIONS) < $<)

$(OUT)/%/lens.nf: $(OUT)/%/tokens.nf
	$(call into,logit-lens -m $(model_$*) $(LENS) < $<)

$(OUT)/%/stats.nf: $(OUT)/%/tokens.nf
	$(call into,forward-capture -m $(model_$*) --sites resid.pre$(,)resid.post$(,)norms$(,)attn.local$(,)attn.back $(CAPTURE) < $< \
	    | reduce-stats --no-moments --measure similarity$(,)ratios$(,)locality$(,)merging $(REDUCE))

$(OUT)/%/neurons.nf: $(OUT)/%/tokens.nf
	$(call into,classify-neurons --weights -m $(model_$*) $(CLASSIFY) < $<)

$(OUT)/%/lesion.tsv: $(OUT)/%/lesion.nf
	$(call into,stream-dump --format ndjson --record intervention$(,)effect $< | jq -rs \
	    'INDEX(.[] | select(.r == "intervention"); .intervention) as $$i | (["intervention"$(,) "kind"$(,) "layer"$(,) "n"$(,) "kl"$(,) "kl_se"$(,) "agree"$(,) "entropy_change"$(,) "loss_change"] | @tsv)$(,) \
	    (.[] | select(.r == "effect" and .by == "all") | [$$i[.intervention | tostring].name$(,) $$i[.intervention | tostring].kind$(,) $$i[.intervention | tostring].layer$(,) .kl.n$(,) .kl.mean$(,) .kl.se$(,) .agree.mean$(,) .entropy_change.mean$(,) .loss_change.mean] | @tsv)')

$(OUT)/%/lens.tsv: $(OUT)/%/lens.nf
	$(call into,stream-dump --format ndjson --record point$(,)lens $< | jq -rs \
	    'INDEX(.[] | select(.r == "point"); .point) as $$p | (["point"$(,) "depth"$(,) "n"$(,) "kl"$(,) "kl_se"$(,) "agree"$(,) "entropy"$(,) "loss"$(,) "rank"] | @tsv)$(,) \
	    (.[] | select(.r == "lens" and .by == "all") | [$$p[.point | tostring].name$(,) $$p[.point | tostring].depth$(,) .kl.n$(,) .kl.mean$(,) .kl.se$(,) .agree.mean$(,) .entropy.mean$(,) .loss.mean$(,) .rank.mean] | @tsv)')

, := ,

clean:
	rm -rf $(foreach n,$(names),$(OUT)/$(n)) $(OUT)/report.html $(OUT)/report.md

.PHONY: all clean
