/* SPDX-License-Identifier: Apache-2.0 */
/* The user's terminal: a pseudo terminal stands in for it. */
#include "shim/ctl/terminal.h"
#include "tests/test.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Makes a new pseudo terminal our standard input; returns its other end. */
static int terminal_as_stdin(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct winsize size = {.ws_col = 97, .ws_row = 31};
    int slave;

    assert_true(master >= 0);
    assert_int_equal(grantpt(master) || unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    assert_int_equal(dup2(slave, STDIN_FILENO), STDIN_FILENO);
    close(slave);
    return master;
}

static bool echoes(void)
{
    struct termios t;

    assert_int_equal(tcgetattr(STDIN_FILENO, &t), 0);
    return (t.c_lflag & ECHO) != 0;
}

static void test_raw_is_undone_as_often_as_one_likes(void **state)
{
    int saved = dup(STDIN_FILENO);
    int master = terminal_as_stdin();
    uint16_t width, height;

    (void)state;
    assert_true(ctl_terminal_size(&width, &height));
    assert_int_equal(width, 97);
    assert_int_equal(height, 31);
    assert_int_equal(ctl_terminal_raw(NULL), 0);
    assert_int_equal(ctl_terminal_raw(NULL), 0); /* does not take raw for the user's own mode */
    assert_true(ctl_terminal_is_raw());
    assert_false(echoes());
    ctl_terminal_restore();
    ctl_terminal_restore();
    assert_false(ctl_terminal_is_raw());
    assert_true(echoes());
    close(master);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void test_without_a_terminal_nothing_happens(void **state)
{
    int saved = dup(STDIN_FILENO);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    uint16_t width, height;

    (void)state;
    dup2(null, STDIN_FILENO);
    assert_false(ctl_terminal_size(&width, &height));
    assert_int_equal(ctl_terminal_raw(NULL), 0);
    assert_false(ctl_terminal_is_raw());
    close(null);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_is_undone_as_often_as_one_likes),
        cmocka_unit_test(test_without_a_terminal_nothing_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
