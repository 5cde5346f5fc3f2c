/* format.c - first bytes of formats that are no text. */
#include "token/format.h"

#include <string.h>

struct magic {
    const char *bytes;
    size_t n;
    const char *name;
};

#define MAGIC(bytes, name)                                                                                                         \
    {                                                                                                                              \
        bytes, sizeof(bytes) - 1, name                                                                                             \
    }
static const struct magic magics[] = {
    MAGIC("PAR1\x15", "a Parquet file"),
    MAGIC("ARROW1\0\0", "an Arrow file"),
    MAGIC("\xff\xff\xff\xff", "an Arrow stream"),
    MAGIC("PK\x03\x04", "a zip archive"),
    MAGIC("PK\x05\x06", "a zip archive"),
    MAGIC("%PDF-", "a PDF file"),
    MAGIC("\x89PNG\r\n\x1a\n", "a PNG picture"),
    MAGIC("\xff\xd8\xff", "a JPEG picture"),
    MAGIC("GIF87a", "a GIF picture"),
    MAGIC("GIF89a", "a GIF picture"),
    MAGIC("\x93NUMPY", "a NumPy array"),
    MAGIC("\xff\xfe\0\0", "text in UTF-32"),
    MAGIC("\0\0\xfe\xff", "text in UTF-32"),
    MAGIC("\xff\xfe", "text in UTF-16"),
    MAGIC("\xfe\xff", "text in UTF-16"),
    MAGIC("\x04\"M\x18", "compressed by lz4"),
    MAGIC("\x02!L\x18", "compressed by lz4"),
    MAGIC("\xfd"
          "7zXZ\0",
          "compressed by xz"),
    MAGIC("7z\xbc\xaf'\x1c", "a 7z archive"),
    MAGIC("Rar!\x1a\x07", "a RAR archive"),
    MAGIC("\x1f\x9d", "compressed by compress"),
    MAGIC("\x1f\x8b", "compressed by gzip"),
    MAGIC("\x28\xb5\x2f\xfd", "compressed by zstd"),
    MAGIC("\x7f"
          "ELF",
          "a program"),
    MAGIC("SQLite format 3\0", "an SQLite database"),
    MAGIC("\x89HDF\r\n\x1a\n", "an HDF5 file"),
    MAGIC("Obj\x01", "an Avro file"),
    MAGIC("GGUF\x02\0", "a GGUF model"),
    MAGIC("GGUF\x03\0", "a GGUF model"),
};

/* bzip2: a digit stands between its two signs. */
static bool is_bzip2(const unsigned char *p, size_t n)
{
    return n >= 10 && memcmp(p, "BZh", 3) == 0 && (memcmp(p + 4, "1AY&SY", 6) == 0 || memcmp(p + 4, "\x17rE8P\x90", 6) == 0);
}

const char *nf_format_name(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (n >= magics[i].n && memcmp(p, magics[i].bytes, magics[i].n) == 0)
            return magics[i].name;
    return is_bzip2(p, n) ? "compressed by bzip2" : NULL;
}

bool nf_format_has_nul(const unsigned char *p, size_t n)
{
    return n && memchr(p, 0, n) != NULL;
}
