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
# A stage that fails or is interrupted leaves no file, and the next run continues with what is there.  Other options, another model or other
# text make the files again.

MODELS   ?= $(error MODELS="dir-or-hub-id ..." is expected)
CORPUS   ?= $(error CORPUS=files or directories of text is expected)
OUT      ?= $(error OUT=dir, where the study goes, is expected)
CONTEXT  ?= 512
LIMIT    ?= 0
LESIONS  ?= --drop all --swap all --repeat 3
TOKENIZE ?=
CAPTURE  ?=
LENS     ?=
REDUCE   ?=
CLASSIFY ?=
REPORT   ?=

# The folder of this file, also where its path has a blank.
here := $(shell dirname "$(strip $(MAKEFILE_LIST))")/
blank := $(subst ,, )
study := stages
include $(subst $(blank),\ ,$(here))common.mk

# model_NAME is the model called NAME, files_NAME the digest of its files.
name   = $(notdir $(patsubst %/,%,$(1)))
names := $(foreach m,$(MODELS),$(call name,$(m)))
$(foreach m,$(MODELS),$(eval model_$(call name,$(m)) := $(m)))
ifneq ($(words $(names)),$(words $(sort $(names))))
$(error two of the models have the same name: $(names))
endif

of_models = $(foreach n,$(names),$(addprefix $(n)/,$(1)))
streams  := lesion.nf lens.nf stats.nf neurons.nf

include $(subst $(blank),\ ,$(here))lock.mk
ifdef NF_LOCKED

all: $(OUT)/report.html $(OUT)/report.md $(addprefix $(OUT)/,$(call of_models,lesion.tsv lens.tsv))

$(foreach n,$(names),$(eval files_$(n) := $(call model_files,$(model_$(n)))))
sites    := resid.pre,resid.post,norms,attn.local,attn.back
measures := similarity,ratios,locality,merging

# asked_FILE of a model NAME: from what a file of it is made.
ask_tokens  = $(call asked,tokens $(CONTEXT) $(LIMIT) $(TOKENIZE) | $(value CORPUS) $(text_files) $(model_$(1)) $(files_$(1)))
$(foreach n,$(names),$(eval asked_$(n) := $(call ask_tokens,$(n))))
ask_lesion  = $(call asked,lesion $(LESIONS) $(asked_$(1)))
ask_lens    = $(call asked,lens $(LENS) $(asked_$(1)))
ask_stats   = $(call asked,stats $(sites) $(measures) $(CAPTURE) $(REDUCE) $(asked_$(1)))
ask_neurons = $(call asked,neurons $(CLASSIFY) $(asked_$(1)))
ask_report := $(call asked,report $(REPORT) $(foreach n,$(names),$(call ask_lesion,$(n)) $(call ask_lens,$(n)) $(call ask_stats,$(n)) $(call ask_neurons,$(n))))

$(foreach n,$(names),$(call stale,$(n)/tokens.nf,$(asked_$(n))) $(foreach f,lesion lens stats neurons,$(call \
    stale,$(n)/$(f).nf,$(call ask_$(f),$(n))))) $(call stale,report.html report.md,$(ask_report)): FORCE

$(OUT)/report.html $(OUT)/report.md: $(addprefix $(OUT)/,$(call of_models,$(streams)))
	render-report $(REPORT) $(if $(filter %.md,$@),--format markdown) -o $@ $(filter-out FORCE,$^); $(call made,$(ask_report))

$(OUT)/%/tokens.nf:
	$(call into,$(text); tokenize -q -m "$(model_$*)" --context $(CONTEXT) --limit $(LIMIT) $(TOKENIZE) -- "$$@",$(asked_$*))

$(OUT)/%/lesion.nf: $(OUT)/%/tokens.nf
	$(call into,lesion -m "$(model_$*)" $(LESIONS) < $<,$(call ask_lesion,$*))

$(OUT)/%/lens.nf: $(OUT)/%/tokens.nf
	$(call into,logit-lens -m "$(model_$*)" $(LENS) < $<,$(call ask_lens,$*))

$(OUT)/%/stats.nf: $(OUT)/%/tokens.nf
	$(call into,forward-capture -m "$(model_$*)" --sites $$sites $(CAPTURE) < $< \
	    | reduce-stats --no-moments --measure $$measures $(REDUCE),$(call ask_stats,$*))
$(OUT)/%/stats.nf: export sites := $(sites)
$(OUT)/%/stats.nf: export measures := $(measures)

$(OUT)/%/neurons.nf: $(OUT)/%/tokens.nf
	$(call into,classify-neurons --weights -m "$(model_$*)" $(CLASSIFY) < $<,$(call ask_neurons,$*))

$(OUT)/%/lesion.tsv: $(OUT)/%/lesion.nf
	$(call into,stream-dump --format ndjson $< | jq -rs -f "$(here)lesion.jq",$(call ask_lesion,$*))

$(OUT)/%/lens.tsv: $(OUT)/%/lens.nf
	$(call into,stream-dump --format ndjson $< | jq -rs -f "$(here)lens.jq",$(call ask_lens,$*))

clean:
	$(call tidy,$(call of_models,tokens.nf $(streams) lesion.tsv lens.tsv) report.html report.md)

.PHONY: all clean
endif
