/*
 * check.h - a unit test program: named tests, TAP on stdout, the verdict as exit status.
 *
 *   static void rounds_to_even(void) { CHECK(nf_f32_to_f16(1.0f) == 0x3c00); }
 *   int main(void) { return RUN(rounds_to_even, ...); }
 *
 * A failed CHECK names file, line and condition, marks the test as failed and goes on.
 */
#ifndef NF_TESTS_CHECK_H
#define NF_TESTS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool check_failed;

#define CHECK(cond)                                                                \
    do {                                                                           \
        if (!(cond)) {                                                             \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                    \
            check_failed = true;                                                   \
        }                                                                          \
    } while (0)

/* |a - b| <= tol; NaN fails.  Prints both values. */
#define CHECK_NEAR(a, b, tol)                                                      \
    do {                                                                           \
        double check_a = (a), check_b = (b), check_d = check_a - check_b;          \
        if (!((check_d < 0 ? -check_d : check_d) <= (tol))) {                      \
            printf("# %s:%d: %s = %.17g, %s = %.17g\n", __FILE__, __LINE__, #a, check_a, #b, check_b); \
            check_failed = true;                                                   \
        }                                                                          \
    } while (0)

#define RUN(...)                                                                                                                   \
    check_run((void (*const[])(void)){ __VA_ARGS__ }, sizeof((void (*const[])(void)){ __VA_ARGS__ }) / sizeof(void (*)(void)),     \
              #__VA_ARGS__)

static inline int check_run(void (*const test[])(void), size_t n, const char *names)
{
    int status = 0;

    for (size_t i = 0; i < n; i++) {
        size_t len;

        names += strspn(names, ", \n\t");
        len = strcspn(names, ", \n\t");
        check_failed = false;
        test[i]();
        printf("%s %zu - %.*s\n", check_failed ? "not ok" : "ok", i + 1, (int)len, names);
        status |= check_failed;
        names += len;
    }
    printf("1..%zu\n", n);
    return status;
}

#endif
