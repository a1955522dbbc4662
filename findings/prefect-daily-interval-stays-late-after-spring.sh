#!/usr/bin/env bash
# A daily interval whose hour is skipped once in spring runs an hour late for good, in winter, too.
#
# Expected: an interval of 24 hours in a time zone, anchored at 02:30 in Berlin. Where the clocks jump over 02:30, on one day a
# year, the run of that day falls on 03:30; on the next day it is 02:30 again, as with a cron of the same hour.
# Seen (prefect 3.9.1, Python 3.11): from that day on every run falls on 03:30, all summer, and in the winter after as well, for
# each date is made from the one before and nothing leads back. The same schedule anchored at 09:00 keeps its hour through
# both changes, and so does a cron at 02:30, but for that one day.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prefect==3.9.1 tzdata
cat > "$folder/main.py" <<'PYTHON'
import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

BERLIN = ZoneInfo("Europe/Berlin")


def daily(hour, minute):
    anchor = datetime(2026, 12, 1, hour, minute, tzinfo=BERLIN)
    return IntervalSchedule(interval=timedelta(days=1), anchor_date=anchor, timezone="Europe/Berlin")


schedules = {
    "cron 02:30": CronSchedule(cron="30 2 * * *", timezone="Europe/Berlin"),
    "interval 02:30": daily(2, 30),
    "interval 09:00": daily(9, 0),
}
for name, schedule in schedules.items():
    hours = []
    for day in ("2027-03-27", "2027-03-28", "2027-03-29", "2027-07-01", "2027-12-01"):
        begin = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
        (planned,) = asyncio.run(schedule.get_dates(n=1, start=begin))
        hours.append(f"{planned:%H:%M}")
    print(name, *hours)
PYTHON
export PREFECT_HOME="$folder/prefect" DO_NOT_TRACK=1 PREFECT_LOGGING_LEVEL=CRITICAL
seen=$("$folder/venv/bin/python" "$folder/main.py" 2> "$folder/errors")
expected="cron 02:30 02:30 03:30 02:30 02:30 02:30
interval 02:30 02:30 03:30 03:30 03:30 03:30
interval 09:00 09:00 09:00 09:00 09:00 09:00"
echo "$seen"
[ "$seen" = "$expected" ]
