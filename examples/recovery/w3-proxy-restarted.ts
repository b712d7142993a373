/**
 * W3: a proxy died and runs again, or all of them did. Shows how full the logs are, starts what a
 * proxy left stopped, and makes storages deliver at once instead of at their next attempt.
 */
import { Steps } from './steps.js';

const steps = new Steps('usage: walbc run w3-proxy-restarted.ts [--dry-run]', { min: 0, max: 0 });
const alive = walbc.get_alive_server();

for (const sx of sLayout.storageL.filter(({ name }) => alive.includes(name))) {
  for (const vol of walbc.get_vol_list(sx)) {
    print(`${sx.name} ${vol}: ${walbc.run_ctl(sx, ['get', 'log-usage', vol])}`);
    if (walbc.is_overflow(sx, vol)) steps.trouble(`${vol}: overflow: run w2-overflow.ts`);
  }
}
for (const px of sLayout.proxyL.filter(({ name }) => !alive.includes(name))) {
  steps.trouble(`${px.name} does not answer`);
}
const proxies = sLayout.proxyL.filter(({ name }) => alive.includes(name));
if (proxies.length === 0) {
  steps.trouble('no proxy is alive: the logs above fill until they overflow');
  steps.end();
}
for (const px of proxies) {
  for (const vol of walbc.get_vol_list(px)) {
    if (walbc.get_state(px, vol) === 'Stopped') walbc.start(px, vol);
  }
}
const storages = sLayout.storageL.filter(({ name }) => alive.includes(name));
walbc.kick_all(storages);
if (proxies.length === sLayout.proxyL.length) {
  for (const sx of storages) {
    for (const vol of walbc.get_vol_list(sx)) {
      if (walbc.get_state(sx, vol) === 'Target') steps.prove(sx, vol);
    }
  }
}
steps.end();
