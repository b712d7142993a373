/** Carrying plans out: rounds until nothing is left, also at an archive that does less than it is asked. */
import { expect, it } from 'vitest';
import { WalbError } from '../../../src/core/index.ts';
import type { Controller } from '../../../src/walbc/controller/controller.ts';
import { carryRetentionOut } from '../../../src/walbc/retention/carry-out.ts';
import type { RetentionPlan } from '../../../src/walbc/retention/plan.ts';
import { retentionPolicy } from '../../../src/walbc/retention/policy.ts';
import { ServerConnectionParam } from '../../../src/walbc/servers.ts';
import { metaState, snapshot } from '../../../src/wdiff/algebra/index.ts';
import { ArchiveModel, clockwork } from './archive-model.ts';

const HOUR = 3600;

/** The calls that carrying out makes, at a model that opens `maxOpen` diffs at once. */
function controllerOf(model: ArchiveModel, maxOpen: number): Controller {
  const value = <T>(content: T) => ({ toValue: () => content });
  const calls = {
    get_base: async () => value(model.base),
    get_applicable_diff_list: async () => [...model.diffs].map(value),
    get_ts_delta: async () => [],
    enable_snapshot: async (_ax: unknown, _vol: string, gids: bigint[]) =>
      model.setFlags(gids, true),
    disable_snapshot: async (_ax: unknown, _vol: string, gids: bigint[]) =>
      model.setFlags(gids, false),
    apply: async (_ax: unknown, _vol: string, gid: bigint) => model.apply(gid),
    merge: async (_ax: unknown, _vol: string, gidB: bigint, gidE: bigint) =>
      model.merge(gidB, gidE, maxOpen),
  };
  return calls as unknown as Controller;
}

function target(controller: Controller, count: number) {
  return {
    controller,
    archive: new ServerConnectionParam('a0', 'host', 1, 2),
    volume: 'vol',
    policy: retentionPolicy({ keep_all: '2h', daily: '2d', keep: [5] }),
    now: () => count * HOUR,
  };
}

function modelOf(count: number): ArchiveModel {
  const base = metaState(snapshot(0n), 0);
  return new ArchiveModel({ base, diffs: clockwork(count), replicas: [] });
}

it('goes on where an archive merges less than it is asked (-maxopen)', async () => {
  const model = modelOf(96);
  const plans: RetentionPlan[] = [];
  await carryRetentionOut(target(controllerOf(model, 5), 96), (plan) => plans.push(plan));
  expect(plans).toHaveLength(1);
  const kept = plans[0]?.snapshots.filter(({ rules }) => rules.length > 0).map(({ gid }) => gid);
  expect(model.restorable()).toEqual(kept);
});

it('finishes an interrupted apply, then prunes', async () => {
  const model = modelOf(96);
  model.base = metaState(snapshot(0n), 0, snapshot(2n));
  const holds: (string | undefined)[] = [];
  await carryRetentionOut(target(controllerOf(model, 0), 96), ({ hold }) => holds.push(hold));
  expect(holds[0]).toMatch(/half-way/);
  expect(holds.slice(1)).toEqual([undefined]);
  expect(model.restorable()[0]).toBe(5n);
});

it('throws what a step fails with', async () => {
  const controller = controllerOf(modelOf(96), 0);
  controller.apply = async () => {
    throw new WalbError('limit-exceeded', 'no room');
  };
  await expect(carryRetentionOut(target(controller, 96), () => {})).rejects.toThrow('no room');
});

it('says that it is not done when the archive does nothing of it', async () => {
  const controller = controllerOf(modelOf(96), 0);
  controller.merge = async () => {
    throw new WalbError('conflict', 'not now');
  };
  await expect(carryRetentionOut(target(controller, 96), () => {})).rejects.toThrow(
    '3 rounds in a row had no effect',
  );
});
