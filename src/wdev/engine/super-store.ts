/**
 * The super sector of an open log device, replaced as a whole.
 *
 * Its fields lie in the first 512 bytes of one physical block, which a device writes whole or not at
 * all: after a crash either the old or the new sector is there. Whoever updates it syncs first what
 * the new sector claims.
 */
import { Mutex } from '../../core/index.ts';
import {
  type RingLog,
  type SuperFields,
  type ValidSuper,
  writeSuperSector,
} from '../../wlog/index.ts';

export type SuperChange = Partial<
  Pick<SuperFields, 'salt' | 'uuid' | 'oldestLsid' | 'writtenLsid' | 'deviceLb'>
>;

export class SuperStore {
  readonly #log: RingLog;
  readonly #mutex = new Mutex('super sector');
  #fields: ValidSuper;

  constructor(log: RingLog) {
    this.#log = log;
    this.#fields = log.superSector;
  }

  /** As last written. */
  get fields(): ValidSuper {
    return this.#fields;
  }

  /** Replaces the sector; on stable storage when it resolves, together with all log written before. */
  async update(change: SuperChange): Promise<void> {
    using _held = await this.#mutex.lock();
    const next = { ...this.#fields, ...change };
    writeSuperSector(this.#log.file, next);
    await this.#log.file.sync();
    this.#fields = next;
  }
}
