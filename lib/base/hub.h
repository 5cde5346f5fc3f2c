/*
 * hub.h - finds the files of a model: a directory, a GGUF file, or a name on the Hugging Face Hub
 * that is looked up in the local cache.
 *
 * Nothing is downloaded.  The cache is that of huggingface_hub: the first that is set of $HF_HUB_CACHE, $HUGGINGFACE_HUB_CACHE, $HF_HOME/hub,
 * $XDG_CACHE_HOME/huggingface/hub, $HOME/.cache/huggingface/hub; in it models--ORG--NAME/refs/REVISION holds a commit, and
 * models--ORG--NAME/snapshots/COMMIT its files.  https://huggingface.co/docs/huggingface_hub, "Manage your cache".
 */
#ifndef NF_BASE_HUB_H
#define NF_BASE_HUB_H

#include "base/err.h"

/* The rows of an option table for a model that is looked up here. */
#define OPT_MODEL(model, revision, help)                                                                                           \
    OPT_STR("model", model, "MODEL", help, .letter = 'm'),                                                                         \
        OPT_STR("revision", revision, "REV", "branch, tag or commit of a model in the Hub cache [main]")

/*
 * nf_model_dir - the directory of a model, or its GGUF file.
 *
 *   model     a directory, a file *.gguf, or "gpt2", "EleutherAI/pythia-70m", "ORG/NAME/FILE.gguf"; what has that name here goes first.
 *             In a directory without safetensors and torch files the one GGUF file is taken
 *   revision  branch, tag ("step3000"), "refs/pr/N", or a whole commit; NULL: main
 *
 * NF_EUSAGE   neither a directory nor a name; several GGUF files in the directory; not in the cache (which is named), or not with this revision (those that are there are
 *             named); a revision for a directory
 * NF_EFORMAT  the cache holds the model in part: a ref that is no commit, a snapshot or one of its files missing
 * NF_ESYS     memory, reading
 *
 * Returns the path in fresh memory (free()), or NULL.
 */
char *nf_model_dir(const char *model, const char *revision, struct nf_err *err);

#endif
