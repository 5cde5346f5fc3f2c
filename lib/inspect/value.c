/* value.c - numbers and other single values as text. */
#include "inspect/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool show_special(double v, char buf[NF_VALUE_TEXT])
{
    if (isfinite(v))
        return false;
    snprintf(buf, NF_VALUE_TEXT, isnan(v) ? "NaN" : v > 0 ? "Inf" : "-Inf");
    return true;
}

char *nf_show_double(double v, char buf[NF_VALUE_TEXT])
{
    if (show_special(v, buf))
        return buf;
    for (int digits = 15; digits <= 17; digits++) {   /* 17 always suffice: IEEE 754-2008 section 5.12.2 */
        snprintf(buf, NF_VALUE_TEXT, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    return buf;
}

char *nf_show_float(float v, char buf[NF_VALUE_TEXT])
{
    if (show_special(v, buf))
        return buf;
    for (int digits = 6; digits <= 9; digits++) {     /* 9 always suffice */
        snprintf(buf, NF_VALUE_TEXT, "%.*g", digits, (double)v);
        if (strtof(buf, NULL) == v)
            break;
    }
    return buf;
}

char *nf_show_element(const struct nf_tensor *t, size_t i, char buf[NF_VALUE_TEXT])
{
    if (t->dtype == NF_F64)
        return nf_show_double(nf_tensor_real(t, i), buf);
    if (nf_dtype_real(t->dtype))
        return nf_show_float((float)nf_tensor_real(t, i), buf);
    if (t->dtype == NF_U64)
        snprintf(buf, NF_VALUE_TEXT, "%" PRIu64, (uint64_t)nf_tensor_int(t, i));
    else
        snprintf(buf, NF_VALUE_TEXT, "%" PRId64, nf_tensor_int(t, i));
    return buf;
}

char *nf_show_scalar(const msgpack_object *o, char buf[NF_VALUE_TEXT])
{
    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        buf[0] = '\0';
        return buf;
    case MSGPACK_OBJECT_BOOLEAN:
        snprintf(buf, NF_VALUE_TEXT, "%s", o->via.boolean ? "true" : "false");
        return buf;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        snprintf(buf, NF_VALUE_TEXT, "%" PRIu64, o->via.u64);
        return buf;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        snprintf(buf, NF_VALUE_TEXT, "%" PRId64, o->via.i64);
        return buf;
    case MSGPACK_OBJECT_FLOAT32:
        return nf_show_float((float)o->via.f64, buf);
    case MSGPACK_OBJECT_FLOAT64:
        return nf_show_double(o->via.f64, buf);
    default:
        return NULL;
    }
}

bool nf_value_bytes(const msgpack_object *o, const char **p, size_t *n)
{
    if (o->type == MSGPACK_OBJECT_STR) {
        *p = o->via.str.ptr;
        *n = o->via.str.size;
        return true;
    }
    if (o->type == MSGPACK_OBJECT_BIN) {
        *p = o->via.bin.ptr;
        *n = o->via.bin.size;
        return true;
    }
    return false;
}
