#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the machine runs, as /tests/start: all tests, with their log and exit code left on the disk.
cd /tests || exit 1
export SHIM_TEST_SLOW=5 PYTHONUNBUFFERED=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin
{
    timeout "$(cat limit)" python3 tests/vm/guest.py --bin bin 2>&1
    echo $? >exit-code
} | tee log
sync
