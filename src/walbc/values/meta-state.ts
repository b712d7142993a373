/** `MetaState`: what an archive's base image is (controller-api.md 2.3). */
import { malformed } from '../../core/index.ts';
import {
  formatMetaState,
  type MetaState as MetaStateValue,
  metaState,
  parseMetaState,
} from '../../wdiff/algebra/index.ts';
import { nowDate, secondsOf } from './datetime.ts';
import { Snapshot } from './snapshot.ts';

/** The base image is at snapshot B; while diffs are being applied, on its way from B to E. */
export class MetaState {
  B: Snapshot;
  E: Snapshot | null;
  /** When the snapshot that it is, or becomes, was taken (UTC). */
  ts: Date;

  constructor(B: Snapshot | null = null, E: Snapshot | null = null) {
    this.B = B ?? new Snapshot();
    this.E = E;
    this.ts = nowDate();
    this.verify();
  }

  static of(value: MetaStateValue): MetaState {
    const target = value.applyingTo === undefined ? null : Snapshot.of(value.applyingTo);
    const state = new MetaState(Snapshot.of(value.base), target);
    state.ts = new Date(value.timestamp * 1000);
    return state;
  }

  /** As the algebra takes it. Throws when B.gidB < E.gidB does not hold. */
  toValue(): MetaStateValue {
    const base = { b: this.B.gidB, e: this.B.gidE };
    const target = this.E === null ? undefined : { b: this.E.gidB, e: this.E.gidE };
    return metaState(base, secondsOf(this.ts), target);
  }

  is_applying(): boolean {
    return this.E !== null;
  }

  verify(): void {
    this.toValue();
  }

  /** Takes everything from `<|..|>-YYYYMMDDhhmmss` or `<|..|-->|..|>-YYYYMMDDhhmmss`. */
  parse(s: string): void {
    const parsed = create_meta_state_from_str(s);
    this.B = parsed.B;
    this.E = parsed.E;
    this.ts = parsed.ts;
  }

  /** Same snapshots; the time does not count. */
  equals(other: unknown): boolean {
    if (!(other instanceof MetaState) || !this.B.equals(other.B)) return false;
    return this.E === null ? other.E === null : this.E.equals(other.E);
  }

  toString(): string {
    return formatMetaState(this.toValue());
  }
}

export function create_meta_state_from_str(s: string): MetaState {
  if (!/-[0-9]{14}$/.test(s)) {
    throw malformed('meta state', s, '<|..|>-YYYYMMDDhhmmss or <|..|-->|..|>-YYYYMMDDhhmmss');
  }
  return MetaState.of(parseMetaState(s, 0));
}
