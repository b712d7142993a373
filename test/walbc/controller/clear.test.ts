/** `clear` while the volume is at work (controller-api.md 5.3). */
import { expect, test } from 'vitest';
import {
  Controller,
  K_ARCHIVE,
  MemoryNetwork,
  ServerConnectionParam,
  ServerLayout,
  type ServerParam,
} from '../../../src/walbc/index.ts';

/** A controller whose archive is in `state` until it is stopped. */
class FakeController extends Controller {
  readonly calls: string[] = [];
  #state: string;

  constructor(layout: ServerLayout, state: string) {
    super('walbc', layout, false, 0, { network: new MemoryNetwork().host('ctl') });
    this.#state = state;
  }

  override async get_state(): Promise<string> {
    return this.#state;
  }

  override async stop(_: ServerParam, vol: string, mode = 'graceful'): Promise<void> {
    this.calls.push(`stop ${vol} ${mode}`);
    this.#state = 'Stopped';
  }

  protected override async command<Req, Res>(
    _: ServerParam,
    { path }: { readonly path: string },
    _request: Req,
  ): Promise<Res> {
    this.calls.push(path.split('/').at(-1) as string);
    return {} as Res;
  }
}

const a0 = new ServerConnectionParam('a0', 'localhost', 10_200, K_ARCHIVE);
const layout = new ServerLayout([], [], [a0]);

test.each(['Archived', 'WdiffRecv'])('an archive that is %s is stopped first', async (state) => {
  const walbc = new FakeController(layout, state);
  await walbc.clear(a0, 'vol');
  expect(walbc.calls).toEqual(['stop vol force', 'ClearVolume']);
});

test.each(['HashSync', 'ReplSyncAsServer', 'FullSync'])('%s is not broken off', async (state) => {
  const walbc = new FakeController(layout, state);
  await expect(walbc.clear(a0, 'vol')).rejects.toMatchObject({ code: 'wrong-state' });
  expect(walbc.calls).toEqual([]);
});
