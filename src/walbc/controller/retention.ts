/** What a retention policy would drop (docs/worker.md). Nothing here changes anything. */
import { toUnixSeconds } from '../../core/index.ts';
import { previewRetention } from '../retention/carry-out.ts';
import type { RetentionPlan } from '../retention/plan.ts';
import { retentionPolicy } from '../retention/policy.ts';
import { localTime, planText } from '../retention/table.ts';
import type { ServerParam } from '../servers.ts';
import { verify_archive } from '../verify.ts';
import type { ConfigTree } from '../worker/config-values.ts';
import { ApplyMergeMethods } from './apply-merge.ts';

export class RetentionMethods extends ApplyMergeMethods {
  /**
   * What has to be done at `ax` so that `vol` holds what `policy` keeps and no more: which snapshots stay,
   * go and why, gids to enable and disable, where to apply to, what to merge. `policy` has the keys of
   * the section `retention` of a worker's configuration.
   *
   *     walbc.plan_retention(a0, 'vol', {'keep_all': '3d', 'hourly': '7d', 'daily': '30d'})
   */
  async plan_retention(ax: ServerParam, vol: string, policy: ConfigTree): Promise<RetentionPlan> {
    verify_archive(ax);
    return await previewRetention({
      controller: this,
      archive: ax,
      volume: vol,
      policy: retentionPolicy(policy, 'policy'),
      now: () => toUnixSeconds(this.environment.clock.now()),
    });
  }

  /** Prints that plan as a table, a line for each snapshot. */
  async print_retention(ax: ServerParam, vol: string, policy: ConfigTree): Promise<void> {
    const plan = await this.plan_retention(ax, vol, policy);
    for (const line of planText(vol, plan, localTime)) this.print(line);
  }
}
