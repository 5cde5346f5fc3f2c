/* pickle.c - a stack machine for state dicts. */
#include "checkpoint/pickle.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* clang-format off */
/* The opcodes, with Python's names (Lib/pickletools.py). */
enum op {
    PROTO = 0x80, FRAME = 0x95, STOP = '.', MARK = '(', POP = '0', POP_MARK = '1',
    NONE = 'N', NEWTRUE = 0x88, NEWFALSE = 0x89,
    BININT = 'J', BININT1 = 'K', BININT2 = 'M', LONG1 = 0x8a, BINFLOAT = 'G',
    BINUNICODE = 'X', SHORT_BINUNICODE = 0x8c, BINUNICODE8 = 0x8d, BINSTRING = 'T', SHORT_BINSTRING = 'U',
    EMPTY_TUPLE = ')', TUPLE = 't', TUPLE1 = 0x85, TUPLE2 = 0x86, TUPLE3 = 0x87,
    EMPTY_LIST = ']', APPEND = 'a', APPENDS = 'e', EMPTY_DICT = '}', SETITEM = 's', SETITEMS = 'u',
    BINPUT = 'q', LONG_BINPUT = 'r', MEMOIZE = 0x94, BINGET = 'h', LONG_BINGET = 'j',
    GLOBAL = 'c', STACK_GLOBAL = 0x93, REDUCE = 'R', BUILD = 'b', BINPERSID = 'Q',
    NEWOBJ = 0x81, NEWOBJ_EX = 0x92, EMPTY_SET = 0x8f, ADDITEMS = 0x90, FROZENSET = 0x91,
    BINBYTES = 'B', SHORT_BINBYTES = 'C', BINBYTES8 = 0x8e, BYTEARRAY8 = 0x96,
};
/* clang-format on */

enum { BLOCK = 256 };   /* values a block */

struct block {
    struct block *next;
    struct nf_pickle_value value[BLOCK];
};

struct nf_pickle {
    struct block *blocks;
    size_t in_block;   /* used of the first block */
};

/* One run. */
struct machine {
    struct nf_pickle *own;
    const unsigned char *p, *end;
    const char *what;
    struct nf_pickle_value **stack, **memo;   /* NULL on the stack: a mark */
    size_t depth, stack_cap, memos, memo_cap;
    struct nf_err *err;
};

struct nf_pickle *nf_pickle_open(struct nf_err *err)
{
    struct nf_pickle *p = calloc(1, sizeof *p);

    if (!p)
        nf_fail(err, NF_ESYS, "out of memory");
    return p;
}

void nf_pickle_close(struct nf_pickle *p)
{
    while (p && p->blocks) {
        struct block *b = p->blocks;
        size_t used = p->in_block;

        p->blocks = b->next;
        p->in_block = BLOCK;
        for (size_t i = 0; i < used; i++)
            free(b->value[i].item);
        free(b);
    }
    free(p);
}

static int corrupt(struct machine *m, const char *why)
{
    return nf_fail(m->err, NF_EFORMAT, "%s: corrupt pickle: %s", m->what, why);
}

static struct nf_pickle_value *new_value(struct machine *m, enum nf_pickle_type type)
{
    struct nf_pickle *own = m->own;
    struct nf_pickle_value *v;

    if (!own->blocks || own->in_block == BLOCK) {
        struct block *b = malloc(sizeof *b);

        if (!b) {
            nf_fail(m->err, NF_ESYS, "out of memory");
            return NULL;
        }
        b->next = own->blocks;
        own->blocks = b;
        own->in_block = 0;
    }
    v = &own->blocks->value[own->in_block++];
    *v = (struct nf_pickle_value){ .type = type };
    return v;
}

static int push_value(struct machine *m, struct nf_pickle_value *v)
{
    if (nf_grow(&m->stack, &m->stack_cap, m->depth + 1, sizeof *m->stack, m->err) < 0)
        return NF_ESYS;
    m->stack[m->depth++] = v;
    return NF_OK;
}

static int push_new(struct machine *m, enum nf_pickle_type type, int64_t i)
{
    struct nf_pickle_value *v = new_value(m, type);

    if (!v)
        return NF_ESYS;
    v->i = i;
    return push_value(m, v);
}

/* The top value; NULL (and an error) when there is none or it is a mark. */
static struct nf_pickle_value *pop_value(struct machine *m)
{
    if (m->depth == 0 || !m->stack[m->depth - 1]) {
        corrupt(m, "a value is missing on the stack");
        return NULL;
    }
    return m->stack[--m->depth];
}

/* Index above the topmost mark; the values from there on are what the opcode takes. */
static int above_mark(struct machine *m, size_t *first)
{
    for (size_t i = m->depth; i-- > 0;)
        if (!m->stack[i]) {
            *first = i + 1;
            return NF_OK;
        }
    return corrupt(m, "no mark on the stack");
}

static int append_item(struct machine *m, struct nf_pickle_value *list, struct nf_pickle_value *v)
{
    if (nf_grow(&list->item, &list->cap, list->n + 1, sizeof *list->item, m->err) < 0)
        return NF_ESYS;
    list->item[list->n++] = v;
    return NF_OK;
}

/* The top `n` values become one tuple. */
static int make_tuple(struct machine *m, size_t n)
{
    struct nf_pickle_value *t = new_value(m, NF_PICKLE_TUPLE);

    if (!t)
        return NF_ESYS;
    if (m->depth < n)
        return corrupt(m, "a tuple takes more values than there are");
    for (size_t i = m->depth - n; i < m->depth; i++)
        if (!m->stack[i])
            return corrupt(m, "a mark inside a tuple");
        else if (append_item(m, t, m->stack[i]) < 0)
            return NF_ESYS;
    m->depth -= n;
    return push_value(m, t);
}

/* Everything above `first` goes into the list or dict below the mark (or directly below, for the single forms). */
static int add_items(struct machine *m, size_t first, size_t container, enum nf_pickle_type type)
{
    struct nf_pickle_value *c = container < m->depth ? m->stack[container] : NULL;

    if (c && c->type == NF_PICKLE_OBJECT) {
        m->depth = container + 1;
        return NF_OK;
    }
    if (!c || c->type != type)
        return corrupt(m, type == NF_PICKLE_LIST ? "items for something that is no list" : "items for something that is no dict");
    if (type == NF_PICKLE_DICT && (m->depth - first) % 2)
        return corrupt(m, "a key without a value");
    for (size_t i = first; i < m->depth; i++)
        if (append_item(m, c, m->stack[i]) < 0)
            return NF_ESYS;
    m->depth = container + 1;
    return NF_OK;
}

static int need(struct machine *m, uint64_t n)
{
    return (uint64_t)(m->end - m->p) < n ? corrupt(m, "it ends in the middle of an opcode") : NF_OK;
}

static uint64_t read_little_endian(struct machine *m, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)m->p[i] << 8 * i;
    m->p += n;
    return v;
}

static int push_string(struct machine *m, size_t length_bytes)
{
    struct nf_pickle_value *v;
    uint64_t n;

    if (need(m, length_bytes) < 0)
        return NF_EFORMAT;
    n = read_little_endian(m, length_bytes);
    if (need(m, n) < 0)
        return NF_EFORMAT;
    v = new_value(m, NF_PICKLE_STR);
    if (!v)
        return NF_ESYS;
    v->s = (const char *)m->p;
    v->n = n;
    m->p += n;
    return push_value(m, v);
}

/* LONG1: two's complement, little-endian.  Only the legacy magic number has more than 8 bytes: its low 8 are enough to know it by. */
static int push_long(struct machine *m)
{
    size_t n;
    uint64_t v = 0;

    if (need(m, 1) < 0)
        return NF_EFORMAT;
    n = *m->p++;
    if (need(m, n) < 0)
        return NF_EFORMAT;
    for (size_t i = 0; i < n && i < 8; i++)
        v |= (uint64_t)m->p[i] << 8 * i;
    if (n && n < 8 && m->p[n - 1] & 0x80)
        v |= UINT64_MAX << 8 * n;
    m->p += n;
    return push_new(m, NF_PICKLE_INT, (int64_t)v);
}

static int push_float(struct machine *m)
{
    struct nf_pickle_value *v = new_value(m, NF_PICKLE_FLOAT);
    uint64_t bits = 0;

    if (!v)
        return NF_ESYS;
    if (need(m, 8) < 0)
        return NF_EFORMAT;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | *m->p++;
    memcpy(&v->f, &bits, sizeof v->f);
    return push_value(m, v);
}

static int put_memo(struct machine *m, uint64_t slot)
{
    if (m->depth == 0)
        return corrupt(m, "a memo of nothing");
    if (slot > m->memos)
        return corrupt(m, "a memo number that skips one");   /* Python's pickler counts up */
    if (nf_grow(&m->memo, &m->memo_cap, slot + 1, sizeof *m->memo, m->err) < 0)
        return NF_ESYS;
    m->memos += slot == m->memos;
    m->memo[slot] = m->stack[m->depth - 1];
    return NF_OK;
}

static int get_memo(struct machine *m, uint64_t slot)
{
    if (slot >= m->memos || !m->memo[slot])
        return corrupt(m, "a memo that was never written");
    return push_value(m, m->memo[slot]);
}

/* What a global stands for, where that is no storage. */
enum { MAKES = -1, OBJECT = -2 };   /* a tensor or a dict; something without a role */

static const struct {
    const char *module, *name;
    int dtype;   /* of a storage; MAKES; OBJECT */
} known_globals[] = {
    { "collections", "OrderedDict", MAKES },
    { "torch._utils", "_rebuild_tensor", MAKES },
    { "torch._utils", "_rebuild_tensor_v2", MAKES },
    { "torch._utils", "_rebuild_parameter", MAKES },
    { "torch._utils", "_rebuild_parameter_with_state", MAKES },
    { "torch._tensor", "_rebuild_from_type_v2", MAKES },
    { "torch", "FloatStorage", NF_F32 },
    { "torch", "HalfStorage", NF_F16 },
    { "torch", "BFloat16Storage", NF_BF16 },
    { "torch", "DoubleStorage", NF_F64 },
    { "torch", "LongStorage", NF_I64 },
    { "torch", "IntStorage", NF_I32 },
    { "torch", "ByteStorage", NF_U8 },
    { "torch", "BoolStorage", NF_U8 },
    { "torch", "CharStorage", NF_U8 },
    { "torch", "ShortStorage", NF_U16 },
    { "torch", "ComplexFloatStorage", NF_U64 },
    { "torch.storage", "UntypedStorage", NF_U8 },
    { "torch._utils", "_rebuild_tensor_v3", OBJECT },   /* of types that are no weights here: float8, .. */
    { "torch", "Tensor", OBJECT },
    { "torch.nn.parameter", "Parameter", OBJECT },
    { "torch", "Size", OBJECT },
    { "torch", "device", OBJECT },
    { "torch", "float32", OBJECT },
    { "torch", "float16", OBJECT },
    { "torch", "bfloat16", OBJECT },
    { "torch", "float64", OBJECT },
    { "torch", "float8_e4m3fn", OBJECT },
    { "torch", "float8_e5m2", OBJECT },
    { "torch", "int64", OBJECT },
    { "torch", "int32", OBJECT },
    { "torch", "int16", OBJECT },
    { "torch", "int8", OBJECT },
    { "torch", "uint8", OBJECT },
    { "torch", "bool", OBJECT },
    { "torch", "complex64", OBJECT },
    { "collections", "Counter", OBJECT },
    { "collections", "defaultdict", OBJECT },
    { "builtins", "set", OBJECT },
    { "builtins", "frozenset", OBJECT },
    { "builtins", "bytearray", OBJECT },
    { "builtins", "complex", OBJECT },
    { "builtins", "dict", OBJECT },
    { "builtins", "list", OBJECT },
    { "__builtin__", "set", OBJECT },
    { "__builtin__", "frozenset", OBJECT },
    { "__builtin__", "bytearray", OBJECT },
    { "__builtin__", "complex", OBJECT },
    { "__builtin__", "dict", OBJECT },
    { "__builtin__", "list", OBJECT },
    { "_codecs", "encode", OBJECT },
    { "argparse", "Namespace", OBJECT },
    { "datetime", "datetime", OBJECT },
    { "pathlib", "PosixPath", OBJECT },
    { "numpy", "dtype", OBJECT },
    { "numpy", "ndarray", OBJECT },
    { "numpy.core.multiarray", "scalar", OBJECT },
    { "numpy.core.multiarray", "_reconstruct", OBJECT },
    { "numpy._core.multiarray", "scalar", OBJECT },
    { "numpy._core.multiarray", "_reconstruct", OBJECT },
};

static bool is_string(const struct nf_pickle_value *v, const char *text)
{
    return v->n == strlen(text) && memcmp(v->s, text, v->n) == 0;
}

/* As much of a name as a message shows. */
static int name_width(size_t n)
{
    return n < 100 ? (int)n : 100;
}

static int push_global(struct machine *m, const struct nf_pickle_value *module, const struct nf_pickle_value *name)
{
    for (size_t i = 0; i < sizeof known_globals / sizeof *known_globals; i++)
        if (is_string(module, known_globals[i].module) && is_string(name, known_globals[i].name)) {
            struct nf_pickle_value *v = new_value(m, NF_PICKLE_GLOBAL);

            if (!v)
                return NF_ESYS;
            v->s = known_globals[i].name;
            v->n = strlen(v->s);
            v->dtype = known_globals[i].dtype;
            return push_value(m, v);
        }
    return nf_fail(m->err, NF_EFORMAT, "%s: the pickle names %.*s.%.*s, which no state dict needs: refused", m->what,
                   name_width(module->n), module->s, name_width(name->n), name->s);
}

/* GLOBAL: two lines of text. */
static int global_lines(struct machine *m)
{
    struct nf_pickle_value part[2] = { { .type = NF_PICKLE_STR }, { .type = NF_PICKLE_STR } };

    for (int i = 0; i < 2; i++) {
        const unsigned char *nl = memchr(m->p, '\n', (size_t)(m->end - m->p));

        if (!nl)
            return corrupt(m, "it ends in the name of a global");
        part[i].s = (const char *)m->p;
        part[i].n = (size_t)(nl - m->p);
        m->p = nl + 1;
    }
    return push_global(m, &part[0], &part[1]);
}

static int stack_global(struct machine *m)
{
    struct nf_pickle_value *name = pop_value(m), *module = name ? pop_value(m) : NULL;

    if (!module)
        return NF_EFORMAT;
    if (name->type != NF_PICKLE_STR || module->type != NF_PICKLE_STR)
        return corrupt(m, "the name of a global is no text");
    return push_global(m, module, name);
}

static bool ints(const struct nf_pickle_value *t)
{
    if (t->type != NF_PICKLE_TUPLE)
        return false;
    for (size_t i = 0; i < t->n; i++)
        if (t->item[i]->type != NF_PICKLE_INT || t->item[i]->i < 0)
            return false;
    return true;
}

/* _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks[, metadata]) */
static int rebuild_tensor(struct machine *m, const struct nf_pickle_value *args)
{
    struct nf_pickle_value *v;

    if (args->n < 4 || args->item[0]->type != NF_PICKLE_STORAGE || args->item[1]->type != NF_PICKLE_INT || args->item[1]->i < 0 ||
        !ints(args->item[2]) || !ints(args->item[3]) || args->item[2]->n != args->item[3]->n)
        return corrupt(m, "a tensor's arguments are not storage, offset, shape, stride");
    v = new_value(m, NF_PICKLE_TENSOR);
    if (!v)
        return NF_ESYS;
    v->storage = args->item[0];
    v->i = args->item[1]->i;
    v->shape = args->item[2];
    v->stride = args->item[3];
    return push_value(m, v);
}

/* f(*args) of what is known; m->err says what is not. */
static int call_global(struct machine *m, const struct nf_pickle_value *f, const struct nf_pickle_value *args)
{
    if (f->type != NF_PICKLE_GLOBAL || args->type != NF_PICKLE_TUPLE)
        return corrupt(m, "a call of something that is no known function");
    if (f->dtype == OBJECT)
        return push_new(m, NF_PICKLE_OBJECT, 0);
    if (is_string(f, "OrderedDict") && args->n == 0)
        return push_new(m, NF_PICKLE_DICT, 0);
    if (is_string(f, "_rebuild_tensor_v2") || is_string(f, "_rebuild_tensor"))
        return rebuild_tensor(m, args);
    if ((is_string(f, "_rebuild_parameter") || is_string(f, "_rebuild_parameter_with_state")) && args->n >= 1 &&
        (args->item[0]->type == NF_PICKLE_TENSOR || args->item[0]->type == NF_PICKLE_OBJECT))
        return push_value(m, args->item[0]);
    /* (function, class, its arguments, attributes): a tensor with attributes of its own */
    if (is_string(f, "_rebuild_from_type_v2") && args->n >= 3 && args->item[0]->type == NF_PICKLE_GLOBAL &&
        !is_string(args->item[0], "_rebuild_from_type_v2"))
        return call_global(m, args->item[0], args->item[2]);
    return corrupt(m, "a call with arguments that no state dict has");
}

static int apply_reduce(struct machine *m)
{
    struct nf_pickle_value *args = pop_value(m), *f = args ? pop_value(m) : NULL;

    return f ? call_global(m, f, args) : NF_EFORMAT;
}

/* An object of a class without a role: `below` values of it lie on the stack above the class. */
static int make_object(struct machine *m, size_t below)
{
    const struct nf_pickle_value *class;

    for (size_t i = 0; i < below; i++)
        if (!pop_value(m))
            return NF_EFORMAT;
    class = pop_value(m);
    if (!class)
        return NF_EFORMAT;
    if (class->type != NF_PICKLE_GLOBAL || class->dtype != OBJECT)
        return corrupt(m, "an object of something that is no known class");
    return push_new(m, NF_PICKLE_OBJECT, 0);
}

/* What lies above the topmost mark becomes an object that stands in its place, or, with `into`, goes into the one below the mark. */
static int gather_object(struct machine *m, bool into)
{
    size_t first = 0;

    if (above_mark(m, &first) < 0)
        return NF_EFORMAT;
    if (into && (first < 2 || !m->stack[first - 2] || m->stack[first - 2]->type != NF_PICKLE_OBJECT))
        return corrupt(m, "items for something that is no set");
    m->depth = first - 1;
    return into ? NF_OK : push_new(m, NF_PICKLE_OBJECT, 0);
}

/* The persistent id of a storage: ("storage", type, key, location, numel). */
static int persistent(struct machine *m)
{
    struct nf_pickle_value *id = pop_value(m), *v;

    if (!id)
        return NF_EFORMAT;
    if (id->type != NF_PICKLE_TUPLE || id->n < 5 || id->item[0]->type != NF_PICKLE_STR || !is_string(id->item[0], "storage") ||
        id->item[1]->type != NF_PICKLE_GLOBAL || id->item[1]->dtype < 0 || id->item[2]->type != NF_PICKLE_STR ||
        id->item[4]->type != NF_PICKLE_INT || id->item[4]->i < 0)
        return corrupt(m, "a persistent id that names no storage");
    v = new_value(m, NF_PICKLE_STORAGE);
    if (!v)
        return NF_ESYS;
    v->dtype = id->item[1]->dtype;
    v->s = id->item[2]->s;
    v->n = id->item[2]->n;
    v->i = id->item[4]->i;
    return push_value(m, v);
}

static int step(struct machine *m, enum op op)
{
    static const struct {
        enum op op;
        size_t operand;
    } wide[] = {
        { PROTO, 1 },  { FRAME, 8 },       { BININT, 4 }, { BININT1, 1 },     { BININT2, 2 },
        { BINPUT, 1 }, { LONG_BINPUT, 4 }, { BINGET, 1 }, { LONG_BINGET, 4 },
    };
    size_t first = 0;

    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (wide[i].op == op && need(m, wide[i].operand) < 0)
            return NF_EFORMAT;

    switch (op) {
    case PROTO:
        return read_little_endian(m, 1) <= 5 ? NF_OK : corrupt(m, "a protocol above 5");
    case FRAME:
        m->p += 8;
        return NF_OK;
    case MARK:
        return push_value(m, NULL);
    case POP:
        return pop_value(m) ? NF_OK : NF_EFORMAT;
    case POP_MARK:
        if (above_mark(m, &first) < 0)
            return NF_EFORMAT;
        m->depth = first - 1;
        return NF_OK;
    case NONE:
        return push_new(m, NF_PICKLE_NONE, 0);
    case NEWTRUE:
    case NEWFALSE:
        return push_new(m, NF_PICKLE_BOOL, op == NEWTRUE);
    case BININT:
        return push_new(m, NF_PICKLE_INT, (int32_t)read_little_endian(m, 4));
    case BININT1:
        return push_new(m, NF_PICKLE_INT, (int64_t)read_little_endian(m, 1));
    case BININT2:
        return push_new(m, NF_PICKLE_INT, (int64_t)read_little_endian(m, 2));
    case LONG1:
        return push_long(m);
    case BINFLOAT:
        return push_float(m);
    case SHORT_BINUNICODE:
    case SHORT_BINSTRING:
    case SHORT_BINBYTES:
        return push_string(m, 1);
    case BINUNICODE:
    case BINSTRING:
    case BINBYTES:
        return push_string(m, 4);
    case BINUNICODE8:
    case BINBYTES8:
    case BYTEARRAY8:
        return push_string(m, 8);
    case EMPTY_TUPLE:
        return make_tuple(m, 0);
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
        return make_tuple(m, (size_t)op - TUPLE1 + 1);
    case TUPLE:
        if (above_mark(m, &first) < 0 || make_tuple(m, m->depth - first) < 0)
            return m->err->code;
        m->stack[m->depth - 2] = m->stack[m->depth - 1];   /* over the mark */
        m->depth--;
        return NF_OK;
    case EMPTY_LIST:
        return push_new(m, NF_PICKLE_LIST, 0);
    case EMPTY_DICT:
        return push_new(m, NF_PICKLE_DICT, 0);
    case APPEND:
        return m->depth < 2 || !m->stack[m->depth - 1] ? corrupt(m, "nothing to append")
                                                       : add_items(m, m->depth - 1, m->depth - 2, NF_PICKLE_LIST);
    case SETITEM:
        return m->depth < 3 || !m->stack[m->depth - 1] || !m->stack[m->depth - 2]
                   ? corrupt(m, "nothing to set")
                   : add_items(m, m->depth - 2, m->depth - 3, NF_PICKLE_DICT);
    case APPENDS:
    case SETITEMS:
        if (above_mark(m, &first) < 0)
            return NF_EFORMAT;
        return first < 2 ? corrupt(m, "items for nothing")
                         : add_items(m, first, first - 2, op == APPENDS ? NF_PICKLE_LIST : NF_PICKLE_DICT);
    case BINPUT:
        return put_memo(m, read_little_endian(m, 1));
    case LONG_BINPUT:
        return put_memo(m, read_little_endian(m, 4));
    case MEMOIZE:
        return put_memo(m, m->memos);
    case BINGET:
        return get_memo(m, read_little_endian(m, 1));
    case LONG_BINGET:
        return get_memo(m, read_little_endian(m, 4));
    case GLOBAL:
        return global_lines(m);
    case STACK_GLOBAL:
        return stack_global(m);
    case REDUCE:
        return apply_reduce(m);
    case BUILD:   /* the attributes of a dict (_metadata): nothing that weights need */
        return pop_value(m) ? NF_OK : NF_EFORMAT;
    case BINPERSID:
        return persistent(m);
    case NEWOBJ:   /* class, arguments */
        return make_object(m, 1);
    case NEWOBJ_EX:
        return make_object(m, 2);
    case EMPTY_SET:
        return push_new(m, NF_PICKLE_OBJECT, 0);
    case ADDITEMS:
        return gather_object(m, true);
    case FROZENSET:
        return gather_object(m, false);
    case STOP:
        break;
    }
    return nf_fail(m->err, NF_EFORMAT, "%s: the pickle has opcode 0x%02x, which no state dict needs: refused", m->what,
                   (unsigned)op);
}

struct nf_pickle_value *nf_pickle_run(struct nf_pickle *p, const unsigned char *data, size_t size, const char *what, size_t *used,
                                      struct nf_err *err)
{
    struct nf_err mine = NF_ERR_INIT;
    struct machine m = { .own = p, .p = data, .end = data + size, .what = what, .err = &mine };
    struct nf_pickle_value *v = NULL;

    if (size > NF_PICKLE_BYTES)
        m.end = data + NF_PICKLE_BYTES;
    while (mine.code == NF_OK) {
        if (need(&m, 1) < 0)
            break;
        if (*m.p == STOP) {
            v = pop_value(&m);
            *used = (size_t)(m.p + 1 - data);
            break;
        }
        m.p++;
        step(&m, m.p[-1]);
    }
    free(m.stack);
    free(m.memo);
    if (mine.code != NF_OK) {
        nf_fail(err, mine.code, "%s", mine.text);
        return NULL;
    }
    return v;
}

int nf_pickle_storage_dtype(const struct nf_pickle *p, const char *key, size_t n, enum nf_dtype *dtype)
{
    size_t used = p->in_block;

    for (const struct block *b = p->blocks; b; b = b->next, used = BLOCK)
        for (size_t i = 0; i < used; i++)
            if (b->value[i].type == NF_PICKLE_STORAGE && b->value[i].n == n && memcmp(b->value[i].s, key, n) == 0) {
                *dtype = (enum nf_dtype)b->value[i].dtype;
                return NF_OK;
            }
    return NF_EFORMAT;
}
