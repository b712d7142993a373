import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { STATES_DOCUMENT, statesDocument } from '../../tools/generate-states-doc.ts';

describe('docs/states.md', () => {
  it('is what the tables say (run node tools/generate-states-doc.ts)', () => {
    expect(readFileSync(STATES_DOCUMENT, 'utf8')).toBe(statesDocument());
  });

  it('shows transitions, rules and conditions', () => {
    const text = statesDocument();
    expect(text).toContain('| SyncReady | FullSync | Stopped, then `start-target` | `full-sync` |');
    expect(text).toContain('| Stopped | DeleteArchiveInfo | Stopped / Clear |');
    expect(text).toContain('| `merge` | *Active* | Apply, Merge, Resize | not stopping | yes |');
    expect(text).toContain('| `stop` | Target or Standby, once steady |');
    expect(text).toContain('| `get uuid` | any state but Clear |');
    expect(text).toContain('Started --> Started: WlogRecv');
  });
});
