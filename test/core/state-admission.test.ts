import { describe, expect, it } from 'vitest';
import {
  type ArchiveAction,
  type ArchiveState,
  archiveModel,
} from '../../src/archive-server/states.ts';
import {
  ActionCounter,
  admit,
  refusal,
  type Situation,
  type StopState,
} from '../../src/core/index.ts';
import { proxyModel } from '../../src/proxy-server/states.ts';
import {
  type StorageAction,
  type StorageState,
  storageModel,
} from '../../src/storage-server/states.ts';

function situation<S extends string, A extends string>(
  state: S,
  options: { stopState?: StopState; running?: A[]; foreground?: number } = {},
): Situation<S, A> {
  const actions = new ActionCounter<A>(() => 0);
  for (const action of options.running ?? []) actions.begin(action);
  return {
    volume: 'v',
    state,
    stopState: options.stopState ?? 'NotStopping',
    actions,
    foreground: { running: options.foreground ?? 0, limit: 2 },
  };
}

const onStorage = (state: StorageState, options = {}): Situation<StorageState, StorageAction> =>
  situation(state, options);
const onArchive = (
  state: ArchiveState,
  options: { stopState?: StopState; running?: ArchiveAction[]; foreground?: number } = {},
): Situation<ArchiveState, ArchiveAction> => situation(state, options);

describe('a refusal says what was found, what is needed and how to get there', () => {
  it.each([
    [
      'full-bkp',
      'Target',
      'volume v is Target; full-bkp needs SyncReady: run `stop`, then `reset-vol` (drops log not yet delivered)',
    ],
    ['full-bkp', 'Standby', 'volume v is Standby; full-bkp needs SyncReady: run `stop`'],
    [
      'full-bkp',
      'Clear',
      'volume v is Clear (not known here); full-bkp needs SyncReady: run `init-vol`',
    ],
    [
      'snapshot',
      'SyncReady',
      'volume v is SyncReady; snapshot needs Target or Stopped: run `full-bkp` or `hash-bkp`',
    ],
    [
      'snapshot',
      'StartTarget',
      'volume v is StartTarget; snapshot needs Target or Stopped: wait until StartTarget has ended',
    ],
    [
      'reset-vol',
      'FullSync',
      'volume v is FullSync; reset-vol needs Stopped: wait until FullSync has ended, then run `stop`',
    ],
    [
      'get uuid',
      'Clear',
      'volume v is Clear (not known here); get uuid needs any state but Clear: run `init-vol`',
    ],
    [
      'stop',
      'SyncReady',
      'volume v is SyncReady; stop needs Target or Standby: run `start standby`',
    ],
  ] as const)('storage: %s in %s', (command, state, message) => {
    const error = refusal(storageModel, command, onStorage(state));
    expect(error?.message).toBe(message);
  });

  it('warns where the way there destroys data', () => {
    const error = refusal(archiveModel, 'full-backup', onArchive('Archived'));
    expect(error?.message).toBe(
      'volume v is Archived; full-backup needs SyncReady: run `stop`, then `reset-vol` (deletes the base image and all diffs)',
    );
    expect(error?.details).toEqual({
      volume: 'v',
      command: 'full-backup',
      state: 'Archived',
      needs: 'SyncReady',
      advice: 'run `stop`, then `reset-vol` (deletes the base image and all diffs)',
    });
  });

  it('advises a step that loses data only where nothing else leads there', () => {
    expect(refusal(archiveModel, 'replication', onArchive('Stopped'))).toMatchObject({
      message: 'volume v is Stopped; replication needs SyncReady or Archived: run `start`',
    });
    expect(refusal(archiveModel, 'full-backup', onArchive('Stopped'))?.message).toContain(
      'run `reset-vol` (deletes',
    );
  });

  it('is busy when waiting is enough, wrong-state when something must be run', () => {
    expect(refusal(archiveModel, 'hash-backup', onArchive('WdiffRecv'))?.code).toBe('busy');
    expect(refusal(archiveModel, 'restore', onArchive('Start'))?.code).toBe('busy');
    expect(refusal(archiveModel, 'restore', onArchive('Stop'))?.code).toBe('wrong-state');
    expect(refusal(archiveModel, 'restore', onArchive('Stopped'))?.message).toContain(
      'run `start`',
    );
  });

  it('names the actions that run', () => {
    const error = refusal(archiveModel, 'apply', onArchive('Archived', { running: ['Merge'] }));
    expect(error?.code).toBe('busy');
    expect(error?.message).toBe('volume v runs Merge; apply can start when that has ended');
  });

  it('names the stop that goes on', () => {
    const error = refusal(archiveModel, 'stop', onArchive('Archived', { stopState: 'Stopping' }));
    expect(error?.code).toBe('busy');
    expect(error?.message).toContain('already under stopping (Stopping)');
  });

  it('counts foreground tasks with the one that asks', () => {
    expect(
      refusal(archiveModel, 'merge', onArchive('Archived', { foreground: 1 })),
    ).toBeUndefined();
    const error = refusal(archiveModel, 'merge', onArchive('Archived', { foreground: 2 }));
    expect(error?.code).toBe('limit-exceeded');
    expect(error?.message).toContain('exceeds max foreground tasks');
  });

  it('tells first what lasts longest', () => {
    const all = { stopState: 'Stopping', running: ['Merge'], foreground: 9 } as const;
    const options = { ...all, running: [...all.running] };
    expect(refusal(archiveModel, 'apply', onArchive('Stopped', options))?.code).toBe('wrong-state');
    expect(refusal(archiveModel, 'apply', onArchive('Archived', options))?.message).toContain(
      'stopping',
    );
  });

  it('admit throws the refusal', () => {
    expect(() => admit(storageModel, 'full-bkp', onStorage('Target'))).toThrow(/needs SyncReady/);
    admit(storageModel, 'full-bkp', onStorage('SyncReady'));
  });

  it('asks for the foreground count instead of guessing it', () => {
    const { foreground: _, ...rest } = onStorage('SyncReady');
    expect(() => refusal(storageModel, 'full-bkp', rest)).toThrow(/foreground/);
    expect(refusal(proxyModel, 'kick', situation('WlogRecv'))).toBeUndefined();
  });
});

describe('what may run together (semantics.md E.3)', () => {
  const may = (command: keyof typeof archiveModel.rules, running: ArchiveAction[]): boolean =>
    refusal(archiveModel, command, onArchive('Archived', { running })) === undefined;

  it.each([
    ['merge', 'Restore', true],
    ['merge', 'ReplSyncAsClient', true],
    ['resize', 'Merge', true],
    ['wdiff-transfer', 'Apply', true],
    ['replicate', 'Merge', false],
    ['restore', 'Apply', true],
    ['restore', 'Restore', false],
    ['apply', 'Restore', false],
    ['merge', 'Apply', false],
    ['merge', 'Resize', false],
    ['del-restored', 'Restore', false],
    ['disable-snapshot', 'Merge', false],
    ['disable-snapshot', 'Restore', true],
    ['gc-diff', 'Restore', false],
    ['hash-backup', 'Restore', false],
  ] as const)('%s while %s runs: %s', (command, action, expected) => {
    expect(may(command, [action])).toBe(expected);
  });
});
