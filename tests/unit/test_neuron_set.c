/* test_neuron_set.c - neurons and means taken out of streams in files: what is there, and what no filter of ours would write. */
#include "check.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "run/neuron_set.h"
#include "record/neurons.h"

enum { L = 3, F = 4 };

static const struct nf_config cfg = { .name = "small", .L = L, .F = F, .config_sha256 = "c0ffee", .weights_sha256 = "beef" };

/* A stream in a file of its own; close_stream() removes it. */
struct made {
    char path[32];
    int fd;
    struct nf_writer *out;
    struct nf_err err;
};

static void open_stream(struct made *m, const char *kind)
{
    json_t *header = json_pack("{s:s, s:i, s:s, s:{s:s, s:s}, s:[]}", "format", "neurofilters", "version", 1, "kind", kind, "model",
                               "config_sha256", cfg.config_sha256, "weights_sha256", cfg.weights_sha256, "history");

    *m = (struct made){ .path = "/tmp/test_neuron_set.XXXXXX", .err = NF_ERR_INIT };
    m->fd = mkstemp(m->path);
    m->out = nf_writer_open(m->fd, header, false, &m->err);
    CHECK(m->fd >= 0 && m->out);
    json_decref(header);
}

static void end_stream(struct made *m)
{
    CHECK(nf_writer_close(m->out, NULL) == NF_OK);
}

static void remove_stream(struct made *m)
{
    close(m->fd);
    unlink(m->path);
}

/* A neuron of a layer without counts. */
static void put_neuron(struct made *m, size_t layer, size_t neuron, enum nf_class first, enum nf_class second)
{
    const struct nf_neuron rec = { .layer = layer, .neuron = neuron, .class = first, .classes = 1u << first | 1u << second };

    nf_record_write(&nf_neuron_record, m->out, &rec);
}

static void put_moments(struct made *m, const char *site, size_t layer, size_t domain, const double *mean, size_t n)
{
    static const uint64_t sums[F * NF_MOMENT_ORDERS * NF_SUM_LIMBS], count[F];
    static const double zero[F];
    struct nf_moments_rec rec = { .layer = layer,
                                  .domain = domain,
                                  .W = n,
                                  .n = count,
                                  .min = zero,
                                  .max = zero,
                                  .mean = mean,
                                  .var = zero,
                                  .skew = zero,
                                  .kurt = zero,
                                  .quantiles = zero,
                                  .values = zero,
                                  .sums = sums };

    strcpy(rec.site, site);
    nf_record_write(&nf_moments_record, m->out, &rec);
}

/* "0.1=0.5 2.3=0": what was chosen, and the values. */
static const char *text(const struct nf_neuron_set *c)
{
    static char s[256];
    size_t n = 0;

    s[0] = '\0';
    for (size_t i = 0; i < c->n; i++)
        n += (size_t)snprintf(s + n, sizeof s - n, "%s%u.%u=%g", i ? " " : "", c->layer[i], c->neuron[i], (double)c->value[i]);
    return s;
}

static int choose(struct nf_neuron_set of[2], const struct made *m, struct nf_err *err)
{
    static const struct nf_list classes = { .item = { "positional", "other" }, .n = 2 };
    char digest[NF_DIGEST_HEX];

    return nf_neuron_set_classes(of, m->path, &classes, &cfg, digest, err);
}

static void each_class_gets_its_neurons(void)
{
    struct nf_neuron_set of[2] = { { 0 }, { 0 } };
    struct nf_err err = NF_ERR_INIT;
    struct made m;

    open_stream(&m, "neurons");
    put_neuron(&m, 0, 1, NF_TOKEN_DETECTOR, NF_POSITIONAL);
    put_neuron(&m, 0, 3, NF_POSITIONAL, NF_OTHER);
    put_neuron(&m, 2, 0, NF_TOKEN_DETECTOR, NF_ENTROPY);
    put_neuron(&m, 2, 2, NF_PREDICTION, NF_OTHER);
    end_stream(&m);
    CHECK(choose(of, &m, &err) == NF_OK);
    CHECK(strcmp(text(&of[0]), "0.1=0 0.3=0") == 0);
    CHECK(strcmp(text(&of[1]), "0.3=0 2.2=0") == 0);
    nf_neuron_set_clear(&of[0]);
    nf_neuron_set_clear(&of[1]);
    remove_stream(&m);
}

/* A stream of two neurons, the second as given. */
static void refused(size_t layer, size_t neuron, enum nf_class class, int code, const char *says)
{
    struct nf_neuron_set of[2] = { { 0 }, { 0 } };
    struct nf_err err = NF_ERR_INIT;
    struct made m;

    open_stream(&m, "neurons");
    put_neuron(&m, 1, 1, NF_POSITIONAL, NF_POSITIONAL);
    put_neuron(&m, layer, neuron, class, class);
    end_stream(&m);
    CHECK(choose(of, &m, &err) == code);
    if (!strstr(err.text, says) || !strstr(err.text, m.path)) {
        printf("# %s, not %s\n", err.text, says);
        check_failed = true;
    }
    nf_neuron_set_clear(&of[0]);
    nf_neuron_set_clear(&of[1]);
    remove_stream(&m);
}

static void neurons_that_cannot_be_are_refused(void)
{
    refused(1, 1, NF_OTHER, NF_EFORMAT, "neuron 1.1: twice, or out of order");
    refused(1, 0, NF_OTHER, NF_EFORMAT, "neuron 1.0: twice, or out of order");
    refused(0, 2, NF_OTHER, NF_EFORMAT, "neuron 0.2: twice, or out of order");
    refused(1, F, NF_OTHER, NF_EFORMAT, "neuron 1.4: the model has layers 0 to 2 and neurons 0 to 3");
    refused(L, 0, NF_OTHER, NF_EFORMAT, "neuron 3.0: the model has layers 0 to 2 and neurons 0 to 3");
    refused(1, 2, NF_DEAD, NF_EUSAGE, "no neuron of class other");
}

static void names_are_sorted(void)
{
    struct nf_neuron_set c = { 0 };
    struct nf_err err = NF_ERR_INIT;

    CHECK(nf_neuron_set_sort(&c, &err) == NF_OK && c.n == 0);
    CHECK(nf_neuron_set_add(&c, 2, 0, &cfg, &err) == NF_OK && nf_neuron_set_add(&c, 0, 3, &cfg, &err) == NF_OK &&
          nf_neuron_set_add(&c, 2, 0, &cfg, &err) == NF_OK && nf_neuron_set_add(&c, 0, 1, &cfg, &err) == NF_OK);
    CHECK(nf_neuron_set_sort(&c, &err) == NF_OK);
    CHECK(strcmp(text(&c), "0.1=0 0.3=0 2.0=0 2.0=0") == 0);
    CHECK(nf_neuron_set_add(&c, 0, F, &cfg, &err) == NF_EUSAGE && nf_neuron_set_add(&c, SIZE_MAX, 0, &cfg, &err) == NF_EUSAGE);
    nf_neuron_set_clear(&c);
}

/* Means of layers 0 and 2, and values of other sites and of a domain that must not be taken.  What comes of 0.1, 2.3. */
static int means(const double *layer2, size_t n, struct nf_neuron_set *c, struct nf_err *err)
{
    static const double layer0[F] = { 1, 0.25, 3, 4 }, other[F] = { 9, 9, 9, 9 };
    char digest[NF_DIGEST_HEX];
    struct made m;
    int rc;

    *c = (struct nf_neuron_set){ 0 };
    CHECK(nf_neuron_set_add(c, 0, 1, &cfg, err) == NF_OK && nf_neuron_set_add(c, 2, 3, &cfg, err) == NF_OK);
    open_stream(&m, "stats");
    put_moments(&m, "ffn.act", 0, NF_NONE, layer0, F);
    put_moments(&m, "ffn.act", 0, 1, other, F);
    if (layer2)
        put_moments(&m, "ffn.act", 2, NF_NONE, layer2, n);
    put_moments(&m, "ffn.out", 0, NF_NONE, other, F);
    put_moments(&m, "ffn.pre", 2, NF_NONE, other, F);
    end_stream(&m);
    rc = nf_neuron_set_means(c, 1, m.path, &cfg, digest, err);
    CHECK(rc == NF_OK || strstr(err->text, m.path));
    remove_stream(&m);
    return rc;
}

static void means_are_those_of_the_site_and_layer(void)
{
    static const double layer2[F] = { NAN, 6, 7, -8.5 }, none[F] = { 5, 6, 7, NAN }, infinite[F] = { 5, 6, 7, INFINITY };
    struct nf_err err = NF_ERR_INIT;
    struct nf_neuron_set c;

    CHECK(means(layer2, F, &c, &err) == NF_OK);
    CHECK(strcmp(text(&c), "0.1=0.25 2.3=-8.5") == 0);
    nf_neuron_set_clear(&c);
    CHECK(means(none, F, &c, &err) == NF_EFORMAT && strstr(err.text, "neuron 2.3 has no mean activation"));
    nf_neuron_set_clear(&c);
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(means(infinite, F, &c, &err) == NF_EFORMAT && strstr(err.text, "moments.mean: inf at [3], a finite number expected"));
    nf_neuron_set_clear(&c);
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(means(layer2, F - 1, &c, &err) == NF_EFORMAT && strstr(err.text, "moments of ffn.act of layer 2, 3 of them"));
    nf_neuron_set_clear(&c);
    err = (struct nf_err)NF_ERR_INIT;
    CHECK(means(NULL, 0, &c, &err) == NF_EFORMAT && strstr(err.text, "no moments of ffn.act of layer 2"));
    nf_neuron_set_clear(&c);
}

int main(void)
{
    return RUN(each_class_gets_its_neurons, neurons_that_cannot_be_are_refused, names_are_sorted,
               means_are_those_of_the_site_and_layer);
}
