# The group in Python, as the original's operators keep it: which servers there are, and the controller
# that drives them. At the Python prompt, execfile('walb-config.py') defines all of it; as a layout file
# it is found like walb.yaml (walbc --layout walb-config.py).
from walblib import *

import os

binDir = '/usr/local/bin/'
dataDir = '/var/lib/walb/'
logDir = os.path.join(os.getcwd(), 'log')


def connection(name, address, port, kind):
    return ServerConnectionParam(name, address, port, kind)


def startup(param, vg=None, tp=None):
    """What start-servers and to_cmd_string() need besides the address."""
    data = os.path.join(dataDir, param.name)
    log = os.path.join(logDir, '%s.log' % param.name)
    return ServerStartupParam(param, binDir, data, log, vg, tp)


s0, s1 = [
    startup(connection('s%d' % i, '192.0.2.1%d' % i, 10000, K_STORAGE)) for i in range(2)
]
# Storages prefer proxies in this order.
p0 = startup(connection('p0', '192.0.2.20', 10100, K_PROXY))
p1 = startup(connection('p1', '192.0.2.21', 10100, K_PROXY))
# The first archive is the primary one.
a0 = startup(connection('a0', '192.0.2.30', 10200, K_ARCHIVE), vg='vg0')
a1 = startup(connection('a1', '192.0.2.31', 10200, K_ARCHIVE), vg='vg0', tp='pool0')

sLayout = ServerLayout([s0, s1], [p0, p1], [a0, a1])
walbc = Controller(os.path.join(binDir, 'walbc'), sLayout)

VOL = 'vol0'
wdev = Device('0', '/dev/vg0/wlog0', '/dev/vg0/wdata0', os.path.join(binDir, 'wdevc'))
