/** Exchange of the storage a volume is backed up from (controller-api.md 5.3, go_standby). */
import { sStandby, sSyncReady, sTarget } from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import { verify_storage } from '../verify.ts';
import { ProxyMethods } from './proxy.ts';

export class StandbyMethods extends ProxyMethods {
  /**
   * Makes a volume Standby at a storage: from SyncReady, or from Target. As a target it is stopped by
   * force, the primary archive stops following, and its log is dropped: continue with a hash backup
   * from another storage. Throws `wrong-state` from any other state.
   */
  async go_standby(sx: ServerParam, vol: string): Promise<void> {
    verify_storage(sx);
    const state = await this.get_state(sx, vol);
    if (state === sStandby) return;
    if (state === sTarget) {
      await this.stop(sx, vol, 'force');
      await this.stop_synchronizing(this.sLayout.get_primary_archive(), vol);
      await this.reset(sx, vol);
    } else if (state !== sSyncReady) {
      const needed = [sSyncReady, sTarget, sStandby];
      throw this.wrongState('go_standby:bad state', sx, vol, state, needed);
    }
    await this._go_standby(sx, vol);
  }
}
