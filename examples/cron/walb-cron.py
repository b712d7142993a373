# The same as walb-cron.ts, in Python: snapshots and their retention from cron, every ten minutes, UTC.
# The lock is flock's (util-linux), which lets a second run end at once:
#
#   */10 * * * *  flock -n -E 0 /run/walb-cron.lock walbc run --layout /etc/walb/walb.yaml /etc/walb/walb-cron.py
#
# To try it: walbc run --layout walb.yaml --dry-run walb-cron.py -- 2026-06-01T00:00

policy = {'keep_all': '1h', 'hourly': '24h', 'daily': '3d', 'min_restorable': 3}
arrival_sec = 60
max_merges = 20

ax = sLayout.get_primary_archive()
troubles = []


def job_at(time):
    """What is due at a UTC time; the longer jobs include the shorter ones."""
    hour, minute = time[11:13], time[14:16]
    if minute == '00':
        return 'daily' if hour == '00' else 'hourly'
    return 'ten-minute' if minute.endswith('0') else None


def trouble(vol, error):
    troubles.append(vol)
    print('TROUBLE: %s: %s' % (vol, error))


def backed_up():
    return [(sx, vol) for sx in sLayout.storageL for vol in walbc.get_vol_list(sx)
            if walbc.get_state(sx, vol) == 'Target']


def prune(vol, job):
    """In this order each step by itself removes only what is not kept."""
    plan = walbc.plan_retention(ax, vol, policy)
    if plan['hold']:
        return trouble(vol, 'nothing is dropped: %s' % plan['hold'])
    if plan['pin']:
        walbc.enable_snapshot(ax, vol, plan['pin'])
    if job == 'daily' and plan['apply']:
        walbc.apply(ax, vol, plan['apply'])
    waiting = []
    if job == 'ten-minute':
        waiting = plan['disable']
    elif plan['disable']:
        walbc.disable_snapshot(ax, vol, plan['disable'])
    if not dry_run:
        plan = walbc.plan_retention(ax, vol, policy)
    ready = [one for one in plan['merge'] if not any(gid in waiting for gid in one['gids'])]
    for one in ready[:max_merges]:
        walbc.merge(ax, vol, one['gidB'], one['gidE'])


job = job_at(argv[0] if argv else datetime.datetime.utcnow().isoformat())
if job is None:
    print('nothing is due')
    exit(0)

volumes = backed_up()
taken = {}
for sx, vol in volumes:
    try:
        taken[vol] = walbc.snapshot_nbk(sx, vol)
    except Exception as error:
        trouble(vol, error)
for vol, gid in taken.items():
    if gid is not None:
        try:
            walbc.wait_for_restorable(ax, vol, gid, arrival_sec)
        except Exception as error:
            trouble(vol, error)
for sx, vol in volumes:
    try:
        prune(vol, job)
    except Exception as error:
        trouble(vol, error)
print('%s run of %d volumes, %d troubles' % (job, len(volumes), len(troubles)))
exit(1 if troubles else 0)
