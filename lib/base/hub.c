/* hub.c - a model's name to its directory in the cache of huggingface_hub. */
#include "base/hub.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { COMMIT = 40, LISTED = 6 };

static bool is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A part of a name or revision: letters, digits and -_. only, not "." or "..". */
static bool is_part(const char *s, size_t n)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    return n > 0 && strspn(s, allowed) >= n && !(n == 1 && s[0] == '.') && !(n == 2 && s[0] == '.' && s[1] == '.');
}

/* Parts with slashes between them, at most `most`. */
static bool is_path(const char *s, size_t most)
{
    for (size_t n = 0; n < most; n++) {
        size_t len = strcspn(s, "/");

        if (!is_part(s, len))
            return false;
        if (!s[len])
            return true;
        s += len + 1;
    }
    return false;
}

static char *out_of_memory(struct nf_err *err)
{
    nf_fail(err, NF_ESYS, "out of memory");
    return NULL;
}

/* The variable's value and `rest`, "~/" at its start replaced by the home; NULL: it is not set. */
static char *from_variable(const char *name, const char *rest)
{
    const char *value = getenv(name), *home = getenv("HOME");
    bool tilde = value && value[0] == '~' && value[1] == '/' && home;
    char *path = NULL;

    if (value && *value && asprintf(&path, "%s%s%s", tilde ? home : "", tilde ? value + 1 : value, rest) < 0)
        return NULL;
    return path;
}

static char *cache_root(struct nf_err *err)
{
    static const char *const places[][2] = { { "HF_HUB_CACHE", "" },
                                             { "HUGGINGFACE_HUB_CACHE", "" },
                                             { "HF_HOME", "/hub" },
                                             { "XDG_CACHE_HOME", "/huggingface/hub" },
                                             { "HOME", "/.cache/huggingface/hub" } };
    char *path = NULL;

    for (size_t i = 0; i < sizeof places / sizeof *places && !path; i++)
        path = from_variable(places[i][0], places[i][1]);
    if (!path)
        nf_fail(err, NF_EUSAGE, "no Hub cache: none of HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and HOME is set");
    return path;
}

/* root/models--org--name */
static char *repository(const char *root, const char *model, struct nf_err *err)
{
    const char *slash = strchr(model, '/');
    int n = slash ? (int)(slash - model) : (int)strlen(model);
    char *path;

    if (asprintf(&path, "%s/models--%.*s%s%s", root, n, model, slash ? "--" : "", slash ? slash + 1 : "") < 0)
        return out_of_memory(err);
    return path;
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

/* The first names in the directory, for a message. */
static void list_names(const char *dir, char *text, size_t size)
{
    struct dirent **entry = NULL;
    int n = scandir(dir, &entry, not_hidden, compare_entries);
    size_t at = (size_t)snprintf(text, size, n > 0 ? "" : "none");

    for (int i = 0; i < n; i++) {
        if (i < LISTED && at < size)
            at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", entry[i]->d_name);
        free(entry[i]);
    }
    if (n > LISTED && at < size)
        snprintf(text + at, size - at, " and %d more", n - LISTED);
    free(entry);
}

static bool is_commit(const char *s)
{
    return strlen(s) == COMMIT && strspn(s, "0123456789abcdef") == COMMIT;
}

/* What refs/REVISION says; NF_EOF: there is no such ref. */
static int read_ref(const char *repo, const char *revision, char commit[COMMIT + 1], struct nf_err *err)
{
    struct nf_map map = { NULL, 0 };
    size_t n;
    char *path;
    int rc;

    if (asprintf(&path, "%s/refs/%s", repo, revision) < 0)
        return nf_fail(err, NF_ESYS, "out of memory");
    rc = !nf_file_exists(path) || is_dir(path) ? NF_EOF : nf_map_open(path, &map, err);
    if (rc == NF_OK) {
        for (n = map.size; n > 0 && strchr(" \r\n", map.data[n - 1]); n--)
            ;
        snprintf(commit, COMMIT + 1, "%.*s", n <= COMMIT ? (int)n : 0, (const char *)map.data);
        if (!is_commit(commit))
            rc = nf_fail(err, NF_EFORMAT, "%s: the name of a commit is expected", path);
    }
    nf_map_close(&map);
    free(path);
    return rc;
}

static int find_commit(const char *model, const char *repo, const char *revision, char commit[COMMIT + 1], struct nf_err *err)
{
    char refs[PATH_MAX], names[200];
    int rc = read_ref(repo, revision, commit, err);

    if (rc != NF_EOF)
        return rc;
    if (is_commit(revision)) {
        strcpy(commit, revision);
        return NF_OK;
    }
    snprintf(refs, sizeof refs, "%s/refs", repo);
    list_names(refs, names, sizeof names);
    return nf_fail(err, NF_EUSAGE, "%s: revision %s is not in the Hub cache (nothing is downloaded); there: %s", model, revision,
                   names);
}

/* A link of the snapshot that leads nowhere: a download that was not finished, or a blob that was deleted. */
static int check_links(const char *dir, struct nf_err *err)
{
    struct dirent **entry = NULL;
    int n = scandir(dir, &entry, not_hidden, compare_entries), rc = NF_OK;

    if (n < 0)
        return nf_fail_errno(err, "%s", dir);
    for (int i = 0; i < n; i++) {
        char *path = rc == NF_OK ? nf_path_join(dir, entry[i]->d_name, err) : NULL;

        if (path && !nf_file_exists(path))
            rc = nf_fail(err, NF_EFORMAT, "%s: a link to a file that is not there", path);
        free(path);
        free(entry[i]);
    }
    free(entry);
    return rc;
}

static char *snapshot(const char *model, const char *repo, const char *revision, struct nf_err *err)
{
    char commit[COMMIT + 1], *path;

    if (find_commit(model, repo, revision, commit, err) < 0)
        return NULL;
    if (asprintf(&path, "%s/snapshots/%s", repo, commit) < 0)
        return out_of_memory(err);
    if (!is_dir(path))
        nf_fail(err, is_commit(revision) ? NF_EUSAGE : NF_EFORMAT, "%s: commit %s is not in the Hub cache: no directory %s", model,
                commit, path);
    else if (check_links(path, err) == NF_OK)
        return path;
    free(path);
    return NULL;
}

static char *from_cache(const char *model, const char *revision, struct nf_err *err)
{
    char *root = cache_root(err), *repo = root ? repository(root, model, err) : NULL, *dir = NULL;

    if (repo && !is_dir(repo))
        nf_fail(err, NF_EUSAGE, "%s: no such directory, and not in the Hub cache %s (nothing is downloaded)", model, root);
    else if (repo)
        dir = snapshot(model, repo, revision, err);
    free(root);
    free(repo);
    return dir;
}

/* ---- GGUF files ---- */

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_gguf_name(const char *name)
{
    return fnmatch("*.gguf", name, 0) == 0;
}

/* A language model, by its first part. */
static int is_gguf_model(const struct dirent *e)
{
    return is_gguf_name(e->d_name) && e->d_name[0] != '.' && fnmatch("mmproj*", e->d_name, 0) != 0 &&
           (fnmatch("*-[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9].gguf", e->d_name, 0) != 0 ||
            fnmatch("*-00001-of-*.gguf", e->d_name, 0) == 0);
}

static bool has_other_weights(const char *dir, struct nf_err *err)
{
    static const char *const files[] = { "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                         "pytorch_model.bin.index.json" };
    bool has = false;

    for (size_t i = 0; i < sizeof files / sizeof *files && !has; i++) {
        char *path = nf_path_join(dir, files[i], err);

        has = path && nf_file_exists(path);
        free(path);
    }
    return has;
}

/* The directory, which becomes ours; or the one GGUF file in it, when it has no other weights. */
static char *pick_file(char *dir, struct nf_err *err)
{
    struct dirent **entry = NULL;
    char names[200] = "", *picked = dir;
    size_t at = 0;
    int n = has_other_weights(dir, err) ? 0 : scandir(dir, &entry, is_gguf_model, compare_entries);

    for (int i = 0; i < n && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", entry[i]->d_name);
    if (n > 1) {
        nf_fail(err, NF_EUSAGE, "%s: several GGUF files, of which one has to be named: %s", dir, names);
        picked = NULL;
    } else if (n == 1) {
        picked = nf_path_join(dir, entry[0]->d_name, err);
    }
    for (int i = 0; i < n; i++)
        free(entry[i]);
    free(entry);
    if (picked != dir)
        free(dir);
    return picked;
}

/* "ORG/NAME/FILE.gguf" in the cache. */
static char *file_from_cache(const char *model, const char *revision, struct nf_err *err)
{
    const char *name = strrchr(model, '/') + 1;
    char *repo = strndup(model, (size_t)(name - 1 - model)), *dir = repo ? from_cache(repo, revision, err) : out_of_memory(err);
    char *path = dir ? nf_path_join(dir, name, err) : NULL;

    if (path && !nf_file_exists(path)) {
        nf_fail(err, NF_EUSAGE, "%s: no file %s in %s", model, name, dir);
        free(path);
        path = NULL;
    }
    free(repo);
    free(dir);
    return path;
}

char *nf_model_dir(const char *model, const char *revision, struct nf_err *err)
{
    char *dir;

    if (is_dir(model) || is_file(model)) {
        if (revision) {
            nf_fail(err, NF_EUSAGE, "--revision %s: %s is a %s; only a model in the Hub cache has revisions", revision, model,
                    is_dir(model) ? "directory" : "file");
            return NULL;
        }
        if (!is_dir(model) && !is_gguf_name(model)) {
            nf_fail(err, NF_EUSAGE, "%s: not a directory, nor a file named *.gguf", model);
            return NULL;
        }
        dir = strdup(model);
        if (!dir)
            return out_of_memory(err);
        return is_dir(model) ? pick_file(dir, err) : dir;
    }
    if (!is_path(model, is_gguf_name(model) ? 3 : 2)) {
        nf_fail(err, NF_EUSAGE, "%s: no such directory, and not the name of a model on the Hub", model);
        return NULL;
    }
    if (revision && !is_path(revision, 8)) {
        nf_fail(err, NF_EUSAGE, "--revision %s: not the name of a branch, a tag or a commit", revision);
        return NULL;
    }
    if (is_gguf_name(model) && strchr(model, '/'))
        return file_from_cache(model, revision ? revision : "main", err);
    dir = from_cache(model, revision ? revision : "main", err);
    return dir ? pick_file(dir, err) : NULL;
}
