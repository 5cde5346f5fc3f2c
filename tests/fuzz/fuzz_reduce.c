/* fuzz_reduce.c - any bytes as a stream of activations or stats, reduced and written. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "reduce/reduce.h"
#include "stream/reader.h"
#include "stream/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct nf_cmd cmd = { "fuzz", "", "", "", "", (const struct nf_opt[]){ OPT_END } };

static void write_all(struct nf_reduce *r, const json_t *in, struct nf_err *err)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    json_t *header = nf_header_new("stats", in, &cmd, err);
    struct nf_writer *w = header && nf_reduce_header(r, header, err) == NF_OK ? nf_writer_open(fd, header, true, err) : NULL;

    if (w && nf_reduce_write(r, w, err) == NF_OK)
        nf_writer_close(w, NULL);
    else
        nf_writer_abort(w);
    json_decref(header);
    close(fd);
}

/* Every measure whose site the header names. */
static void want_measures(const json_t *header, struct nf_stages_cfg *cfg)
{
    static const char *const site[NF_MEASURES] = { "resid.pre", "norms", "attn.local", "attn.back" };
    const json_t *s;
    size_t i;

    json_array_foreach (json_object_get(header, "sites"), i, s)
        for (size_t m = 0; m < NF_MEASURES; m++) {
            const char *name = json_string_value(json_object_get(s, "site"));

            cfg->want[m] = cfg->want[m] || (name && strcmp(name, site[m]) == 0);
        }
    cfg->cka_batch = 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nf_err err = NF_ERR_INIT;
    struct nf_reduce_cfg cfg = nf_reduce_defaults();
    const msgpack_object *rec;
    struct nf_reduce *r = NULL;
    struct nf_reader *in;
    int fd = memfd_create("stream", 0), rc = NF_EFORMAT;

    cfg.memory = 1 << 20;
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        return 0;
    lseek(fd, 0, SEEK_SET);
    in = nf_reader_open(fd, "fuzz", "activations|stats", &err);
    if (in)
        want_measures(nf_reader_header(in), &cfg.stages);
    if (in)
        r = nf_reduce_open(&cfg, nf_reader_header(in), &err);
    if (r)
        rc = nf_reduce_begin(r, nf_reader_header(in), &err);
    while (rc == NF_OK && (rc = nf_reader_next(in, &rec)) == NF_OK)
        rc = nf_reduce_record(r, rec, &err);
    if (rc == NF_EOF && nf_reduce_end(r, &err) == NF_OK)
        write_all(r, nf_reader_header(in), &err);
    nf_reduce_close(r);
    nf_reader_close(in);
    close(fd);
    return 0;
}
